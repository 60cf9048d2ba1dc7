//! What the windows say together, and whether it may be used.

use std::collections::BTreeMap;

use geographiclib_rs::{Geodesic, InverseGeodesic};
use serde_json::{Map, Value as Json, json};

use super::Method;
use crate::analysis::registration::{Measured, Rejected};
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::grid::crs::CrsKind;
use crate::raster::Role;
use crate::scene::Scene;

/// Windows that a shift rests on at least.
pub const LEAST_WINDOWS: usize = 5;
/// Largest median deviation of the windows along an axis, in pixels.
const MOST_SPREAD: f64 = 0.3;
/// Root mean square of the deviations up to which all is well, in pixels.
const GOOD_RMS: f64 = 0.3;
/// The same up to which a shift may be used.
const MOST_RMS: f64 = 0.5;
/// Windows farther than this from the median, in pixels, are false matches where they are few.
const OUTLIER: f64 = 1.0;
/// Few is this share of the windows.
const FEW: f64 = 0.1;

/// What the accepted windows say together, in pixels to apply to the second scene on the shared lattice.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Agreed {
    cols: f64,
    rows: f64,
    /// Median deviation along columns and rows.
    spread: (f64, f64),
    rms: f64,
}

/// The median of the windows that count; nothing where they are too few. Where a tenth of them or fewer lie far off, these
/// are false matches and marked so.
fn agree(windows: &mut [Measured]) -> Option<Agreed> {
    let shifts = |windows: &[Measured]| -> Vec<(f64, f64)> {
        windows.iter().filter(|w| w.rejected.is_none()).filter_map(|w| w.shift).map(|s| (s.cols, s.rows)).collect()
    };
    let all = shifts(windows);
    let middle = |s: &[(f64, f64)]| Some((median(s.iter().map(|v| v.0))?, median(s.iter().map(|v| v.1))?));
    let centre = middle(&all)?;
    let off = |c: f64, r: f64| (c - centre.0).hypot(r - centre.1) > OUTLIER;
    let far = all.iter().filter(|s| off(s.0, s.1)).count();
    if far as f64 <= FEW * all.len() as f64 {
        for w in windows.iter_mut().filter(|w| w.rejected.is_none()) {
            if w.shift.is_some_and(|s| off(s.cols, s.rows)) {
                w.rejected = Some(Rejected::Outlier);
            }
        }
    }
    let kept = shifts(windows);
    let (cols, rows) = middle(&kept).filter(|_| kept.len() >= LEAST_WINDOWS)?;
    let squares = kept.iter().map(|s| (s.0 - cols).powi(2) + (s.1 - rows).powi(2)).sum::<f64>();
    Some(Agreed {
        cols,
        rows,
        spread: (median(kept.iter().map(|s| (s.0 - cols).abs()))?, median(kept.iter().map(|s| (s.1 - rows).abs()))?),
        rms: (squares / kept.len() as f64).sqrt(),
    })
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut v: Vec<f64> = values.collect();
    v.sort_by(f64::total_cmp);
    let upper = *v.get(v.len() / 2)?;
    Some(if v.len() % 2 == 1 { upper } else { f64::midpoint(v[v.len() / 2 - 1], upper) })
}

/// East and north metres of a shift in pixels at the middle of a grid; of degrees along the ellipsoid.
fn metres(grid: &Grid, (cols, rows): (f64, f64)) -> Result<(f64, f64)> {
    let affine = grid.affine()?;
    let (x, y) = affine.forward(grid.cols as f64 / 2.0, grid.rows as f64 / 2.0);
    let (x1, y1) = affine.forward(grid.cols as f64 / 2.0 + cols, grid.rows as f64 / 2.0 + rows);
    Ok(match grid.crs() {
        Some(crs) if crs.kind == CrsKind::Geographic => {
            let earth = Geodesic::wgs84();
            let along = |lat1: f64, lon1: f64| -> f64 { earth.inverse(y, x, lat1, lon1) };
            (along(y, x1).copysign(x1 - x), along(y1, x).copysign(y1 - y))
        }
        crs => {
            let unit = crs.map_or(1.0, |c| c.metres_per_unit);
            ((x1 - x) * unit, (y1 - y) * unit)
        }
    })
}

/// How good a shift is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To be used.
    Ok,
    /// To be used with care.
    Warn,
    /// Not to be used.
    Refused,
}

impl Verdict {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Refused => "refused",
        }
    }
}

/// What was measured.
pub struct Report {
    reference: String,
    moving: String,
    role: Role,
    method: Method,
    edge: usize,
    snapped: (f64, f64),
    windows: Vec<Measured>,
    agreed: Option<Agreed>,
    /// Pixels (columns, rows) to apply to the second scene as it lies.
    shift: Option<(f64, f64)>,
    metres: Option<(f64, f64)>,
}

impl Report {
    /// The report of measured `windows` of the reference and of the second scene, which was moved by `snapped` pixels
    /// before.
    ///
    /// # Errors
    /// Where the second scene has no place on the map.
    pub(super) fn new(
        [reference, moving]: [&Scene; 2],
        role: Role,
        method: Method,
        edge: usize,
        snapped: (f64, f64),
        mut windows: Vec<Measured>,
    ) -> Result<Self> {
        windows.sort_by_key(|w| (w.row, w.col));
        let agreed = agree(&mut windows);
        let shift = agreed.as_ref().map(|a| (a.cols + snapped.0, a.rows + snapped.1));
        let metres = shift.map(|s| metres(&moving.grid, s)).transpose()?;
        let (reference, moving) = (reference.name.clone(), moving.name.clone());
        Ok(Self { reference, moving, role, method, edge, snapped, windows, agreed, shift, metres })
    }

    /// Whether the shift may be used, and why not.
    #[must_use]
    pub fn verdict(&self) -> (Verdict, String) {
        let accepted = self.accepted();
        let Some(a) = &self.agreed else {
            let why = format!(
                "{accepted} of {} windows found a shift, at least {LEAST_WINDOWS} are needed{}",
                self.windows.len(),
                self.reasons()
            );
            return (Verdict::Refused, why);
        };
        let spread = a.spread.0.max(a.spread.1);
        if spread >= MOST_SPREAD {
            return (
                Verdict::Refused,
                format!(
                    "the windows differ by {spread:.2} px in the median, below {MOST_SPREAD} is needed{}",
                    self.reasons()
                ),
            );
        }
        let rms = format!("RMS {:.2} px of {accepted} windows", a.rms);
        match a.rms {
            r if r <= GOOD_RMS => (Verdict::Ok, rms),
            r if r <= MOST_RMS => (Verdict::Warn, format!("{rms}, above {GOOD_RMS}: small changes may be shifts")),
            _ => (Verdict::Refused, format!("{rms}, at most {MOST_RMS} is accepted")),
        }
    }

    fn accepted(&self) -> usize {
        self.windows.iter().filter(|w| w.rejected.is_none()).count()
    }

    fn rejected(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        self.windows.iter().filter_map(|w| w.rejected).for_each(|r| *counts.entry(r.name()).or_insert(0) += 1);
        counts
    }

    fn reasons(&self) -> String {
        let list: Vec<String> = self.rejected().into_iter().map(|(name, n)| format!("{name} {n}")).collect();
        if list.is_empty() { String::new() } else { format!(" (rejected: {})", list.join(", ")) }
    }

    /// The shift to use; refused ones only where `force` says so.
    ///
    /// # Errors
    /// Input error that says why it is refused.
    pub fn accept(&self, force: bool) -> Result<(f64, f64)> {
        let (verdict, why) = self.verdict();
        match (self.shift, verdict) {
            (Some(shift), Verdict::Ok | Verdict::Warn) => Ok(shift),
            (Some(shift), Verdict::Refused) if force => Ok(shift),
            (Some(_), _) => Err(Error::input(format!(
                "coregister: the shift of {} to {} is refused: {why}; try another --role, a clearer date or --gradient, or take it \
                 as it is with --force",
                self.moving, self.reference
            ))),
            (None, _) => Err(Error::input(format!(
                "coregister: no shift of {} to {} was found: {why}; check that both show the same ground, try another --role, a \
                 clearer date or --gradient",
                self.moving, self.reference
            ))),
        }
    }

    /// The whole as one document.
    #[must_use]
    pub fn json(&self) -> Map<String, Json> {
        let number = |v: f64| json!((v * 1e6).round() / 1e6);
        let pair = |names: [&str; 2], v: Option<(f64, f64)>| match v {
            Some((a, b)) => json!({ names[0]: number(a), names[1]: number(b) }),
            None => Json::Null,
        };
        let (verdict, why) = self.verdict();
        let window = |w: &Measured| {
            json!({ "col": w.col, "row": w.row,
                    "shift_cols": w.shift.map(|s| number(s.cols)), "shift_rows": w.shift.map(|s| number(s.rows)),
                    "peak_to_mean": w.shift.map(|s| number(s.peak_to_mean)), "error": w.shift.map(|s| number(s.error)),
                    "reverse_difference_px": w.asymmetry.map(number), "rejected": w.rejected.map(Rejected::name) })
        };
        let mut all = Map::new();
        let mut put = |key: &str, value: Json| all.insert(key.to_owned(), value);
        put("reference", json!(self.reference));
        put("moving", json!(self.moving));
        put("role", json!(self.role.name()));
        put("correlation", json!(self.method.correlation.name()));
        put("gradient", json!(self.method.gradient));
        put("verdict", json!(verdict.name()));
        put("reason", json!(why));
        put("shift_px", pair(["cols", "rows"], self.shift));
        put("shift_m", pair(["east", "north"], self.metres));
        put("rms_px", self.agreed.map_or(Json::Null, |a| number(a.rms)));
        put("mad_px", pair(["cols", "rows"], self.agreed.map(|a| a.spread)));
        put("origin_difference_px", pair(["cols", "rows"], Some((-self.snapped.0, -self.snapped.1))));
        put("window_px", json!(self.edge));
        put("windows_accepted", json!(self.accepted()));
        put("windows_rejected", json!(self.rejected()));
        put("windows", self.windows.iter().map(window).collect());
        all
    }

    /// A few lines for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let (Some(px), Some(m)) = (self.shift, self.metres) {
            text += &format!("shift    {:+.3} columns, {:+.3} rows to apply to {}\n", px.0, px.1, self.moving);
            text += &format!("metres   {:+.3} east, {:+.3} north\n", m.0, m.1);
        }
        if let Some(a) = &self.agreed {
            text += &format!("spread   RMS {:.3} px, median {:.3} and {:.3} px\n", a.rms, a.spread.0, a.spread.1);
        }
        text += &format!(
            "windows  {} of {} accepted, {} px, band {}{}\n",
            self.accepted(),
            self.windows.len(),
            self.edge,
            self.role,
            self.reasons()
        );
        let (verdict, why) = self.verdict();
        text + &format!("verdict  {}: {why}\n", verdict.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Affine, Crs};
    use crate::numeric::phase::Shift;

    fn windows(shifts: &[(f64, f64)]) -> Vec<Measured> {
        let window = |(i, (cols, rows)): (usize, &(f64, f64))| Measured {
            row: i as i64,
            col: 0,
            shift: Some(Shift { rows: *rows, cols: *cols, peak_to_mean: 50.0, error: 0.1 }),
            asymmetry: Some(0.0),
            rejected: None,
        };
        shifts.iter().enumerate().map(window).collect()
    }

    #[test]
    fn median_spread_and_rms_by_hand() {
        let mut w = windows(&[(1.0, -2.0), (1.1, -2.0), (1.2, -2.0), (1.3, -2.0), (1.4, -1.6)]);
        let a = agree(&mut w).unwrap();
        assert!((a.cols - 1.2).abs() < 1e-12 && a.rows == -2.0);
        assert!((a.spread.0 - 0.1).abs() < 1e-12 && a.spread.1 == 0.0);
        // Squares of columns .04 .01 0 .01 .04, of rows .16.
        assert!((a.rms - (0.26_f64 / 5.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_tenth_of_false_matches_is_left_out_and_more_is_not() {
        let mut good = vec![(0.5, 0.5); 9];
        good.push((9.0, -4.0));
        let mut w = windows(&good);
        assert_eq!(agree(&mut w).unwrap().rms, 0.0);
        assert_eq!(w[9].rejected, Some(Rejected::Outlier));
        let mut w = windows(&good[1..]);
        assert!(agree(&mut w).unwrap().rms > 1.0 && w.iter().all(|w| w.rejected.is_none()));
    }

    #[test]
    fn four_windows_are_too_few() {
        assert!(agree(&mut windows(&[(0.0, 0.0); 4])).is_none());
        assert!(agree(&mut windows(&[(0.0, 0.0); 5])).is_some());
    }

    #[test]
    fn metres_follow_the_unit_of_the_map() {
        let grid = |crs: Crs, size: f64| Grid::new(10, 10, Affine::north_up(10.0, 60.0, size, size), Some(crs));
        assert_eq!(metres(&grid(Crs::from_epsg(32_634).unwrap(), 10.0), (1.5, -2.0)).unwrap(), (15.0, 20.0));
        // A thousandth of a degree at 60 degrees north: about 55.8 m along the parallel, 111.4 m along the meridian.
        let (east, north) = metres(&grid(Crs::from_epsg(4326).unwrap(), 0.001), (1.0, 1.0)).unwrap();
        assert!((east - 55.8).abs() < 0.1 && (north + 111.4).abs() < 0.1, "{east} {north}");
    }
}
