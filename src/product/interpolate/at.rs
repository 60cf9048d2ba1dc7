//! Predictions at points instead of a grid.

use std::path::Path;

use super::super::samples::PlacedTable;
use super::super::{Artifact, Context};
use super::{Prepared, real};
use crate::error::{Error, Result};
use crate::geostat::Estimate;
use crate::io::table::{self, Table};
use crate::vector::Value;

/// Writes the points' own columns, then `estimate`, `sd` and `p_exceed_T`; null where a point has no place or too few
/// samples in reach.
///
/// # Errors
/// Input error where the points have a column of such a name; those of predicting and writing.
pub fn predict_at(p: &Prepared, points: &PlacedTable, output: &Path, context: &Context) -> Result<Artifact> {
    let ours = p.columns();
    if let Some(twice) = ours.iter().find(|c| points.table.columns().contains(c)) {
        return Err(Error::input(format!("the points already have a column {twice}; rename it")));
    }
    let placed: Vec<usize> = (0..points.points.len()).filter(|&i| points.points[i].is_some()).collect();
    let (x, y): (Vec<f64>, Vec<f64>) = placed.iter().filter_map(|&i| points.points[i]).unzip();
    let mut estimates = vec![Estimate::NODATA; x.len()];
    p.predictor.worker().predict(&x, &y, &mut estimates)?;
    let mut all = vec![Estimate::NODATA; points.points.len()];
    for (&i, e) in placed.iter().zip(&estimates) {
        all[i] = *e;
    }
    let own = points.table.columns().len();
    let mut table = Table { columns: points.table.columns().to_vec(), rows: Vec::with_capacity(all.len()) };
    table.columns.extend(ours.iter().cloned());
    let mut nodata = 0_u64;
    for (i, e) in all.iter().enumerate() {
        let mut row: Vec<Value> = (0..own).map(|c| text(points.table.text(i, c))).collect();
        nodata += u64::from(e.value.is_nan());
        row.push(real(p.back.mean(e).0));
        if p.predictor.has_variance() {
            row.push(real(p.back.sd(e)));
            row.extend((0..p.back.thresholds()).map(|k| real(p.back.exceedance(e, k))));
        }
        table.rows.push(row);
    }
    table::write(output, &table, context.overwrite)?;
    if nodata > 0 {
        context.notes.warn(&format!("{}: {nodata} of {} points have no estimate", output.display(), all.len()));
    }
    let mut figures = p.figures();
    figures.insert("points".into(), all.len().into());
    figures.insert("points_without_estimate".into(), nodata.into());
    Ok(Artifact {
        path: output.to_owned(),
        role: "predictions".into(),
        title: format!("{} at points by {}", p.value, p.method.title()),
        figures,
    })
}

/// A cell as it stood, a missing one as null.
fn text(cell: &str) -> Value {
    if cell.is_empty() { Value::Null } else { Value::Text(cell.to_owned()) }
}
