//! The shift between two rasters: measured in windows, judged as a whole, taken out by moving the second one on the map.

mod report;

pub use report::{LEAST_WINDOWS, Report, Verdict};

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::Map;

use super::output::Files;
use super::{Artifact, Context};
use crate::analysis::registration::{Found, Registration, Windows};
use crate::engine::{Handle, Outcome, Pass};
use crate::error::{Error, Result};
use crate::grid::{Crs, Grid, Window};
use crate::io::atomic::check_output;
use crate::io::geotiff::Movable;
use crate::numeric::phase::Correlation;
use crate::raster::Role;
use crate::scene::{Scene, extent};

/// How the shift is measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Method {
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
    pub fn judge(&self, measurement: &Measurement, outcome: &mut Outcome, method: &Method) -> Result<Report> {
        let windows = outcome.take(&measurement.handle)?.0;
        Report::new(
            [&self.reference, &self.moving],
            self.role,
            *method,
            measurement.windows.edge,
            self.snapped,
            windows,
        )
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
        "{0} and {1}: {why}; put the second on the grid of the first: regrow align {1} --to {0} -o FILE.tif",
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
    use crate::scene::{SceneOptions, from_sources};

    #[test]
    fn scenes_of_several_files_go_into_a_folder_each_under_its_name() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/coregister");
        let open = |name: &str| crate::io::open_raster(&fixtures.join(name)).unwrap();
        let sources = vec![(Some(Role::Nir), open("first.tif")), (Some(Role::Red), open("later.tif"))];
        let scene = from_sources(sources, &SceneOptions::default()).unwrap();
        let (context, folder) = (crate::product::tests_context(), tempfile::tempdir().unwrap());
        let missing = Move::new(&scene, &scene, &folder.path().join("out.tif"), &context).err().unwrap();
        assert!(missing.to_string().contains("2 files") && missing.kind().exit_code() == 2, "{missing}");
        let made = Move::new(&scene, &scene, folder.path(), &context).unwrap().apply(&scene.grid, (1.5, 2.0), &context);
        assert_eq!(made.unwrap().len(), 2);
        for name in ["first.tif", "later.tif"] {
            let moved = crate::io::open_raster(&folder.path().join(name)).unwrap();
            let (was, is) =
                (scene.grid.affine().unwrap().coefficients(), moved.grid().affine().unwrap().coefficients());
            assert!((is[0] - was[0] - 15.0).abs() < 1e-6 && (is[3] - was[3] + 20.0).abs() < 1e-6, "{is:?}");
        }
    }
}
