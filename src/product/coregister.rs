//! The shift between two rasters: measured in windows, judged as a whole, taken out by moving the second one on the map.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use geographiclib_rs::{Geodesic, InverseGeodesic};
use serde_json::{Map, Value as Json, json};

use super::output::Files;
use super::{Artifact, Context};
use crate::analysis::registration::{Found, Measured, Registration, Rejected, Windows};
use crate::engine::{Handle, Pass};
use crate::error::{Error, Result};
use crate::grid::crs::CrsKind;
use crate::grid::{Crs, Grid, Window};
use crate::io::atomic::check_output;
use crate::io::geotiff::Movable;
use crate::numeric::phase::Correlation;
use crate::raster::Role;
use crate::scene::{Scene, extent};

/// Windows that a shift rests on at least.
pub const LEAST_WINDOWS: usize = 5;
/// Largest median deviation of the windows along an axis, in pixels.
pub const MOST_SPREAD: f64 = 0.3;
/// Root mean square of the deviations up to which all is well, in pixels.
pub const GOOD_RMS: f64 = 0.3;
/// The same up to which a shift may be used.
pub const MOST_RMS: f64 = 0.5;
/// Windows farther than this from the median, in pixels, are false matches where they are few.
const OUTLIER: f64 = 1.0;
/// Few is this share of the windows.
const FEW: f64 = 0.1;

/// How the shift is measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Method {
    /// The band; nothing takes the first of nir, red, green and blue that both have, or the only band of both.
    pub role: Option<Role>,
    /// How frequencies are weighted.
    pub correlation: Correlation,
    /// Compare gradient magnitudes.
    pub gradient: bool,
}

/// The two scenes on a lattice they share.
pub struct Pair {
    reference: Scene,
    moving: Scene,
    /// Pixels (columns, rows) by which the second scene was moved to get there.
    snapped: (f64, f64),
    role: Role,
    common: Grid,
}

/// A measurement that waits for its pass.
pub struct Measurement {
    handle: Handle<Found>,
    windows: Windows,
}

impl Pair {
    /// Puts two scenes on one lattice: that of the reference, with the second moved by less than a pixel.
    ///
    /// # Errors
    /// Input error where CRS or pixel size differ, the scenes lie apart or share no band.
    pub fn new(reference: Scene, moving: &Scene, role: Option<Role>) -> Result<Self> {
        let role = common_role(&reference, moving, role)?;
        let snapped = {
            let (col, row) = there_on(&reference, moving)?;
            let (dc, dr) = (col.round() - col, row.round() - row);
            // Rounding of written coordinates is no shift.
            let real = |d: f64| if d.abs() < 1e-6 { 0.0 } else { d };
            (real(dc), real(dr))
        };
        let moving = moving.moved(snapped.0, snapped.1)?;
        let nest = reference.grid.nest(&moving.grid).map_err(|e| differ(&reference, &moving, e.message()))?;
        if nest.factor != 1 {
            return Err(differ(&reference, &moving, "pixel sizes differ"));
        }
        let there = Window::new(nest.col, nest.row, moving.grid.cols, moving.grid.rows);
        let common = reference.grid.window().intersect(&there).ok_or_else(|| {
            Error::input(format!(
                "{} and {} do not overlap: the first covers {}, the second {}; a shift of more than a quarter of a window is not \
                 looked for",
                reference.name,
                moving.name,
                extent::describe(&reference.grid),
                extent::describe(&moving.grid)
            ))
        })?;
        let common = reference.grid.crop(common);
        for scene in [&reference, &moving] {
            if scene.grid.nest(scene.band(role)?.source.grid())?.factor != 1 {
                return Err(Error::input(format!(
                    "{}: band {role} has larger pixels than others of the scene; choose one of the finest with --role",
                    scene.name
                )));
            }
        }
        Ok(Self { reference, moving, snapped, role, common })
    }

    /// The pixels that both have, on the grid of the reference.
    #[must_use]
    pub fn common(&self) -> &Grid {
        &self.common
    }

    /// Adds the measurement to a pass over [`Pair::common`] or a part of it.
    ///
    /// # Errors
    /// Input error where the part is too small.
    pub fn measure(&self, pass: &mut Pass, method: &Method) -> Result<Measurement> {
        let (cols, rows) = (pass.grid().cols, pass.grid().rows);
        let windows = Windows::spread(cols, rows).filter(|w| w.len() >= LEAST_WINDOWS).ok_or_else(|| {
            Error::input(format!(
                "{} and {}: {cols} x {rows} pixels in common are too few for a shift, which needs at least 97 x 65; give larger \
                 images",
                self.reference.name, self.moving.name
            ))
        })?;
        let first = self.reference.enter(pass, "reference:")?.ratio_channel(pass, self.role)?;
        let second = self.moving.enter(pass, "moving:")?.ratio_channel(pass, self.role)?;
        let analysis = Registration::new([first, second], windows.clone(), method.correlation, method.gradient);
        Ok(Measurement { handle: pass.add(analysis, Vec::new())?, windows })
    }

    /// The shift that the windows agree on.
    ///
    /// # Errors
    /// Where the pass did not run, or the place on the map does not convert.
    pub fn judge(
        &self,
        measurement: &Measurement,
        outcome: &mut crate::engine::Outcome,
        method: &Method,
    ) -> Result<Report> {
        let mut windows = outcome.take(&measurement.handle)?.0;
        windows.sort_by_key(|w| (w.row, w.col));
        let agreed = agree(&mut windows);
        let shift = agreed.as_ref().map(|a| (a.cols + self.snapped.0, a.rows + self.snapped.1));
        let metres = shift.map(|s| metres(&self.moving.grid, s)).transpose()?;
        Ok(Report {
            reference: self.reference.name.clone(),
            moving: self.moving.name.clone(),
            role: self.role,
            method: *method,
            edge: measurement.windows.edge,
            snapped: self.snapped,
            windows,
            agreed,
            shift,
            metres,
        })
    }
}

/// Where the corner of the second scene lies on the first: column and row.
fn there_on(reference: &Scene, moving: &Scene) -> Result<(f64, f64)> {
    if !Crs::same(reference.grid.crs(), moving.grid.crs()) {
        let name = |s: &Scene| s.grid.crs().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        let why = format!("coordinate reference systems differ ({} and {})", name(reference), name(moving));
        return Err(differ(reference, moving, &why));
    }
    let g = moving.grid.affine().map_err(|e| e.context(&moving.name))?.coefficients();
    Ok(reference.grid.affine().map_err(|e| e.context(&reference.name))?.inverse(g[0], g[3]))
}

fn differ(reference: &Scene, moving: &Scene, why: &str) -> Error {
    Error::input(format!(
        "{} and {}: {why}; put the second on the grid of the first with `regrow align`",
        reference.name, moving.name
    ))
}

/// The band both are compared by.
///
/// # Errors
/// Input error where one scene lacks the role that is `asked` for, or both share none.
pub fn common_role(reference: &Scene, moving: &Scene, asked: Option<Role>) -> Result<Role> {
    if let Some(role) = asked {
        reference.band(role)?;
        moving.band(role)?;
        return Ok(role);
    }
    let usual = [Role::Nir, Role::Red, Role::Green, Role::Blue, Role::Value];
    let both = |r: &Role| reference.band(*r).is_ok() && moving.band(*r).is_ok();
    usual.into_iter().find(both).ok_or_else(|| {
        Error::input(format!(
            "{} and {} share none of the bands nir, red, green and blue (bands: {}; {}); name one with --role, or number them \
             with --bands",
            reference.name,
            moving.name,
            reference.listing.join(", "),
            moving.listing.join(", ")
        ))
    })
}

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

/// The files of a scene that are moved, and where they go.
pub struct Move {
    files: Vec<(Movable, PathBuf)>,
}

impl Move {
    /// The files of the second scene: one goes to `output`, several into the folder `output` under their names.
    ///
    /// # Errors
    /// Usage errors of outputs; input error where a file cannot be moved without resampling.
    pub fn new(moving: &Scene, reference: &Scene, output: &Path, context: &Context) -> Result<Self> {
        let sources = moving.bands.iter().map(|b| &b.source).chain(moving.masks.iter().map(|m| &m.source));
        let mut seen = HashSet::new();
        let paths: Vec<PathBuf> = sources.map(|s| PathBuf::from(s.name())).filter(|p| seen.insert(p.clone())).collect();
        let mut files = Vec::with_capacity(paths.len());
        if let [one] = paths.as_slice() {
            let output = Files { rasters: vec![output.to_owned()], ..Files::default() };
            output.check(&[moving, reference], context)?;
            files.push((Movable::open(one)?, output.rasters[0].clone()));
            return Ok(Self { files });
        }
        if !output.is_dir() {
            return Err(Error::usage(format!(
                "output {}: the second scene has {} files; name a folder that exists, where they keep their names",
                output.display(),
                paths.len()
            )));
        }
        for path in paths {
            let to = output.join(path.file_name().unwrap_or_default());
            check_output(&to, context.overwrite, std::slice::from_ref(&path))?;
            files.push((Movable::open(&path)?, to));
        }
        Ok(Self { files })
    }

    /// Writes the files, moved by `cols` and `rows` pixels of `grid`.
    ///
    /// # Errors
    /// I/O errors.
    pub fn apply(&self, grid: &Grid, (cols, rows): (f64, f64), context: &Context) -> Result<Vec<Artifact>> {
        let affine = grid.affine()?;
        let ((x0, y0), (x1, y1)) = (affine.forward(0.0, 0.0), affine.forward(cols, rows));
        let mut made = Vec::with_capacity(self.files.len());
        for (file, to) in &self.files {
            file.write(to, (x1 - x0, y1 - y0), context.overwrite)?;
            made.push(Artifact {
                path: to.clone(),
                role: "coregistered".into(),
                title: "the second raster, moved onto the reference".into(),
                figures: Map::new(),
            });
        }
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Affine;
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
