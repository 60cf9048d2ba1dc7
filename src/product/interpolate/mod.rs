//! Maps of sampled variables: estimate, uncertainty and exceedance on a grid or at points.

mod at;
mod grid;
mod prepare;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Artifact, Context, Product, output};
use crate::analysis::interpolate::{Interpolate, Summary};
use crate::engine::{Handle, OutBand, Outcome, Pass};
use crate::error::Result;
use crate::geostat::Transform;
use crate::io::table::{self, Table};
use crate::raster::Ramp;
use crate::vector::Value;

pub use at::predict_at;
pub use grid::covering;
pub use prepare::{InterpolateOptions, Method, Prepared, VariogramSource, fit, prepare};

/// A map waiting for its pass.
struct Mapped {
    handle: Handle<Summary>,
    output: PathBuf,
    cv: Option<PathBuf>,
    prepared: Arc<Prepared>,
}

/// Adds the map of prepared samples to a pass over its grid. `cv` receives the cross-validation table.
///
/// # Errors
/// Those of creating the output.
pub fn add(
    pass: &mut Pass,
    prepared: Arc<Prepared>,
    output: &Path,
    cv: Option<&Path>,
    context: &Context,
) -> Result<Box<dyn Product>> {
    let bands = bands(&prepared);
    let file = output::raster(output, pass.grid(), &bands, (0..bands.len()).collect(), context)?;
    let clip = pass.area_of_interest().cloned();
    let analysis = Interpolate::new(Arc::clone(&prepared.predictor), prepared.back.clone(), bands, clip);
    let handle = pass.add(analysis, vec![file])?;
    Ok(Box::new(Mapped { handle, output: output.to_owned(), cv: cv.map(Path::to_owned), prepared }))
}

fn bands(prepared: &Prepared) -> Vec<OutBand> {
    let names = prepared.columns();
    names
        .iter()
        .enumerate()
        .map(|(i, name)| match i {
            0 => OutBand::quantity(name, prepared.unit).drawn(Ramp::Soil),
            1 => OutBand::quantity(name, &prepared.sd_unit()).within(0.0..=f64::INFINITY),
            _ => OutBand::quantity(name, "").within(0.0..=1.0),
        })
        .collect()
}

impl Product for Mapped {
    fn finish(self: Box<Self>, outcome: &mut Outcome, context: &Context) -> Result<Vec<Artifact>> {
        let summary = outcome.take(&self.handle)?;
        let p = &self.prepared;
        tell(p, &summary, &self.output, context);
        let mut figures = p.figures();
        let cells = [
            ("cells_estimated", summary.estimated),
            ("cells_out_of_reach", summary.out_of_reach),
            ("cells_outside_aoi", summary.clipped),
            ("cells_negative", summary.negative),
            ("cells_capped", summary.capped),
        ];
        figures.extend(cells.map(|(k, v)| (k.to_owned(), v.into())));
        let mut artifacts = vec![Artifact {
            path: self.output.clone(),
            role: "interpolate".into(),
            title: format!("{} by {}", p.value, p.method.title()),
            figures,
        }];
        if let Some(cv) = &self.cv {
            artifacts.push(write_cv(p, cv, context.overwrite)?);
        }
        Ok(artifacts)
    }
}

fn tell(p: &Prepared, s: &Summary, output: &Path, context: &Context) {
    let shown = output.display();
    if s.out_of_reach > 0 {
        context.notes.warn(&format!("{shown}: {} cells have too few samples in reach and are nodata", s.out_of_reach));
    }
    if s.negative > 0 && p.samples.value.iter().all(|v| *v >= 0.0) {
        context
            .notes
            .warn(&format!("{shown}: {} estimates are negative though no sample is; they are kept", s.negative));
    }
    if s.capped > 0 {
        context.notes.warn(&format!(
            "{shown}: {} back-transformed means were held at ten times the largest sample; the variance in ln scale is large there",
            s.capped
        ));
    }
    if s.jittered > 0 {
        context
            .notes
            .warn(&format!("{shown}: {} kriging systems were nearly singular and got a tiny nugget", s.jittered));
    }
    if p.samples.transform == Transform::Log {
        context.notes.decide(&format!(
            "{shown}: estimate is the unbiased lognormal kriging mean; sd is the kriging standard deviation of the logarithm"
        ));
    }
}

/// Writes the cross-validation table: a row a sample, in the working scale, with logarithms also in the unit of the values.
///
/// # Errors
/// Those of writing a table.
pub fn write_cv(p: &Prepared, path: &Path, overwrite: bool) -> Result<Artifact> {
    let log = p.samples.transform == Transform::Log;
    let scale = if log { "_ln" } else { "" };
    let mut columns: Vec<String> = vec!["line".into(), "x".into(), "y".into()];
    columns.extend(["observed", "predicted", "error", "sd"].map(|c| format!("{c}{scale}")));
    columns.push("standardised_error".into());
    if log {
        columns.extend(["observed".into(), "predicted".into()]);
    }
    let mut table = Table { columns, rows: Vec::with_capacity(p.residuals.len()) };
    let values = p.predicted_values();
    let s = &p.samples;
    for (i, r) in p.residuals.iter().enumerate() {
        let mut row = vec![
            Value::Int(s.line[i] as i64),
            Value::Real(s.x[i] + s.origin.0),
            Value::Real(s.y[i] + s.origin.1),
            real(r.observed),
            real(r.estimate.value),
            real(r.error()),
            real(r.estimate.variance.sqrt()),
            real(r.standardised()),
        ];
        if log {
            row.extend([real(s.value[i]), real(values[i])]);
        }
        table.rows.push(row);
    }
    table::write(path, &table, overwrite)?;
    Ok(Artifact {
        path: path.to_owned(),
        role: "cross_validation".into(),
        title: format!("Leave-one-out cross-validation of {}", p.value),
        figures: serde_json::Map::new(),
    })
}

/// A number, or null where it is not defined.
fn real(v: f64) -> Value {
    if v.is_finite() { Value::Real(v) } else { Value::Null }
}
