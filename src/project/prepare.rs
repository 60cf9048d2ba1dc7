//! From a project file to opened scenes on one grid: everything that can be refused before any pixel is read.

use std::sync::Arc;

use super::config::{Composite, Files, GridSpec, Project, SceneSpec};
use crate::analysis::clip::AreaOfInterest;
use crate::error::{Error, Kind, Result};
use crate::grid::transform::Transform;
use crate::grid::{Affine, Grid};
use crate::io;
use crate::product::Context;
use crate::scene::{self, Alignment, Encoding, Scene, SceneOptions, extent};
use crate::spectral::Index;
use crate::vector::Layer;

/// Most cells of a stated grid: a whole continent at 1 m, and small enough for every count to be exact.
const LIMIT_CELLS: f64 = 1e13;

/// A scene of the project, opened.
pub struct Opened {
    /// `before`, `after`, another word, or the date.
    pub label: String,
    /// The scene; of a composite its first date, which has the bands and the grid the composite will have.
    pub scene: Scene,
    /// The dates of a composite.
    pub stack: Vec<Scene>,
    /// How they are reduced.
    pub composite: Option<Composite>,
}

impl Opened {
    /// Date of the scene; of a composite its last one.
    #[must_use]
    pub fn date(&self) -> Option<&str> {
        self.stack.last().unwrap_or(&self.scene).date.as_deref()
    }
}

/// Everything a run needs, opened and checked.
pub struct Prepared {
    /// The project file.
    pub project: Project,
    /// Scenes in order of time.
    pub scenes: Vec<Opened>,
    /// Grid of all raster products; none where there is no scene.
    pub grid: Option<Grid>,
    /// Area of interest.
    pub clip: Option<Arc<AreaOfInterest>>,
    /// Zone polygons.
    pub zones: Option<Layer>,
}

/// Opens what a project names and checks that it fits together. Touches nothing.
///
/// # Errors
/// Whatever makes a product impossible, told with the line that asks for it.
pub fn prepare(project: Project, context: &Context) -> Result<Prepared> {
    project.warnings.iter().for_each(|w| context.notes.warn(w));
    for index in &project.products.indices {
        Index::find(&index.value).map_err(|e| index.wrap(&e))?;
    }
    if let Some(change) = &project.products.change {
        Index::find(&change.index.value).map_err(|e| change.index.wrap(&e))?;
    }
    let zones = project.zones.as_ref().map(read_zones).transpose()?;
    for soil in &project.soil {
        // Read whole here, so that a damaged table is refused before hours of raster work.
        std::fs::metadata(&soil.samples.value)
            .map_err(|e| soil.samples.wrap(&Error::from_io(&soil.samples.value.display().to_string(), &e)))?;
    }
    let mut scenes = project.scenes.iter().map(open).collect::<Result<Vec<_>>>()?;
    scenes.sort_by(|a, b| a.date().cmp(&b.date()));
    label(&mut scenes, &project, context)?;
    let (grid, clip) = match scenes.is_empty() {
        true => (None, None),
        false => {
            let (grid, clip) = pass_grid(&project, &scenes, context)?;
            (Some(grid), clip)
        }
    };
    check_inputs(&project)?;
    Ok(Prepared { project, scenes, grid, clip, zones })
}

fn read_zones(zones: &super::config::Zones) -> Result<Layer> {
    let layer = io::vector::read(&zones.path.value, zones.layer.as_deref()).map_err(|e| zones.path.wrap(&e))?;
    if let Some(id) = &zones.id
        && !layer.columns.contains(&id.value)
    {
        let near = super::document::nearest(&id.value, layer.columns.iter().map(String::as_str));
        let hint = near
            .map_or_else(|| format!("columns: {}", layer.columns.join(", ")), |near| format!("did you mean {near:?}?"));
        return Err(
            id.fail(Kind::Input, &format!("{} has no column {:?}; {hint}", zones.path.value.display(), id.value))
        );
    }
    Ok(layer)
}

/// Opens a scene or the dates of a composite.
fn open(spec: &SceneSpec) -> Result<Opened> {
    let place = |e: Error| Error::new(e.kind(), format!("{}: {}", spec.place, e.message()));
    let mut options = SceneOptions::default();
    if let Some(mask) = &spec.mask {
        options.masks = mask.value.parse().map_err(|e: Error| mask.wrap(&e))?;
    }
    options.scale = spec.scale.map_or(Encoding::Auto, Encoding::Number);
    options.offset = spec.offset.map_or(Encoding::Auto, Encoding::Number);
    if let Some(boa) = &spec.boa_offset {
        options.boa_offset = boa.value.parse().map_err(|e: Error| boa.wrap(&e))?;
    }
    let inputs: Vec<String> = match &spec.files {
        Files::One(path, positions) => {
            if !positions.is_empty() {
                let text: Vec<_> = positions.iter().map(|(role, band)| format!("{role}={band}")).collect();
                options.bands = Some(text.join(",").parse().map_err(place)?);
            }
            vec![path.value.display().to_string()]
        }
        Files::Named(bands) => bands.iter().map(|(role, path)| format!("{role}={}", path.value.display())).collect(),
    };
    let Some(composite) = &spec.composite else {
        let mut scene = scene::open(&inputs, &options).map_err(place)?;
        if spec.date.is_some() {
            scene.date.clone_from(&spec.date);
        }
        return Ok(Opened { label: String::new(), scene, stack: Vec::new(), composite: None });
    };
    let all = scene::open_stack(&inputs, &options).map_err(place)?;
    let span = all.first().and_then(|s| s.date.clone()).zip(all.last().and_then(|s| s.date.clone()));
    let inside = |s: &Scene| s.date.as_ref().is_some_and(|d| *d >= composite.from && *d <= composite.to);
    let stack: Vec<Scene> = all.into_iter().filter(inside).collect();
    let Some(first) = stack.first().cloned() else {
        let have = span.map_or_else(String::new, |(a, b)| format!(" (dates run from {a} to {b})"));
        return Err(spec.fail(
            Kind::Input,
            &format!("no date from {} to {}{have}; change from and to", composite.from, composite.to),
        ));
    };
    Ok(Opened { label: String::new(), scene: first, stack, composite: Some(composite.clone()) })
}

/// Names the scenes: by role, else `before` and `after` where change is asked of two, else by date.
fn label(scenes: &mut [Opened], project: &Project, context: &Context) -> Result<()> {
    let roles: Vec<Option<String>> = project.scenes.iter().map(|s| s.role.clone()).collect();
    let unnamed = roles.iter().all(Option::is_none);
    if project.products.change.is_some() && unnamed && scenes.len() == 2 {
        if scenes.iter().any(|s| s.date().is_none()) || scenes[0].date() == scenes[1].date() {
            return Err(Error::usage(format!(
                "{}: which scene comes first is not known; give each its date or role = \"before\" and \"after\"",
                project.scenes[0].place
            )));
        }
        for (scene, label) in scenes.iter_mut().zip(["before", "after"]) {
            context.notes.decide(&format!("{} is taken as the scene {label}", scene.scene.name));
            scene.label = label.into();
        }
        return Ok(());
    }
    let mut taken: Vec<String> = Vec::new();
    for scene in scenes.iter_mut() {
        // Scenes were sorted by time, so a role is found again by what it was opened from.
        let spec = project.scenes.iter().find(|s| same(s, scene));
        let wanted = spec.and_then(|s| s.role.clone()).or_else(|| scene.date().map(str::to_owned));
        let base = wanted.unwrap_or_else(|| "scene".into());
        let mut label = base.clone();
        let mut n = 1;
        while taken.contains(&label) {
            n += 1;
            label = format!("{base}_{n}");
        }
        taken.push(label.clone());
        scene.label = label;
    }
    Ok(())
}

fn same(spec: &SceneSpec, opened: &Opened) -> bool {
    let paths = spec.paths();
    let from = opened.scene.origin.iter().all(|o| paths.iter().any(|p| *p == o));
    from && spec.composite == opened.composite
}

/// The grid of the products and the area of interest on it.
fn pass_grid(project: &Project, scenes: &[Opened], context: &Context) -> Result<(Grid, Option<Arc<AreaOfInterest>>)> {
    let rasters: Vec<(&str, &Grid)> = scenes.iter().map(|s| (s.scene.name.as_str(), &s.scene.grid)).collect();
    let common = extent::common(&rasters, Some(Alignment::Intersection))
        .map_err(|e| Error::new(e.kind(), format!("{}: {}", project.grid.place, e.message())))?;
    for (name, grid) in &rasters {
        if (grid.cols, grid.rows) != (common.cols, common.rows) {
            context.notes.decide(&format!(
                "{name}: {} x {} pixels, of which the {} x {} common to all scenes are used",
                grid.cols, grid.rows, common.cols, common.rows
            ));
        }
    }
    let grid = match &project.grid.value {
        GridSpec::First => common,
        GridSpec::Like(path) => io::open_raster(&path.value).map_err(|e| path.wrap(&e))?.grid().clone(),
        GridSpec::Stated { crs, resolution } => stated(&common, crs, resolution)?,
    };
    let Some(aoi) = &project.aoi else { return Ok((grid, None)) };
    let layer = io::vector::read(&aoi.value, None).map_err(|e| aoi.wrap(&e))?;
    let on = AreaOfInterest::new(&layer, &grid).map_err(|e| aoi.wrap(&e))?;
    let window = on
        .window(&grid)
        .ok_or_else(|| aoi.fail(Kind::Input, &format!("{} does not meet the scenes", aoi.value.display())))?;
    let grid = grid.crop(window);
    let clip = AreaOfInterest::new(&layer, &grid).map_err(|e| aoi.wrap(&e))?;
    Ok((grid, Some(Arc::new(clip))))
}

/// The common grid at a stated pixel size, which must divide that of the scenes.
fn stated(
    common: &Grid,
    crs: &super::config::Placed<crate::grid::Crs>,
    resolution: &super::config::Placed<f64>,
) -> Result<Grid> {
    let affine = common.affine()?;
    let own = common.known_crs()?;
    let r = resolution.value;
    if *own != crs.value {
        let transform = Transform::new(own, &crs.value).map_err(|e| crs.wrap(&e))?;
        let mut corners: Vec<(f64, f64)> = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
            .map(|(c, w)| affine.forward(c * common.cols as f64, w * common.rows as f64))
            .to_vec();
        transform.points(&mut corners).map_err(|e| crs.wrap(&e))?;
        let span = |of: fn(&(f64, f64)) -> f64| {
            let v = corners.iter().map(of);
            v.clone().fold(f64::NEG_INFINITY, f64::max) - v.fold(f64::INFINITY, f64::min)
        };
        let (width, height) = (span(|p| p.0), span(|p| p.1));
        if width < r || height < r {
            return Err(resolution.fail(
                Kind::Usage,
                &format!("found {r}, but the scenes span {width:.6} x {height:.6} units of {}, so the grid has no cell; the unit of this CRS decides", crs.value),
            ));
        }
        return Err(crs.fail(
            Kind::Usage,
            &format!("found {}, but the scenes are in {own}; state that, or put the scenes on one grid with regrow align first", crs.value),
        ));
    }
    let g = affine.coefficients();
    let size = (g[1].hypot(g[4]), g[2].hypot(g[5]));
    let (cols, rows) = (common.cols as f64 * size.0 / r, common.rows as f64 * size.1 / r);
    if cols < 1.0 || rows < 1.0 {
        return Err(resolution.fail(
            Kind::Usage,
            &format!(
                "found {r}, but the scenes span {} x {} pixels of {} x {}, so the grid has no cell",
                common.cols, common.rows, size.0, size.1
            ),
        ));
    }
    if cols * rows > LIMIT_CELLS {
        return Err(resolution.fail(
            Kind::Limit,
            &format!("found {r}: {cols:.0} x {rows:.0} cells are more than {LIMIT_CELLS:e}; use a larger pixel"),
        ));
    }
    let factor = (size.0 / r).round();
    let whole = factor >= 1.0 && (size.0 / r - factor).abs() < 1e-6 && (size.1 / r - factor).abs() < 1e-6;
    if !whole {
        return Err(resolution.fail(
            Kind::Usage,
            &format!("found {r}, but the scenes have pixels of {} x {}; state a whole part of that, or resample with regrow align first", size.0, size.1),
        ));
    }
    let finer = Affine::from_gdal([g[0], g[1] / factor, g[2] / factor, g[3], g[4] / factor, g[5] / factor]);
    Ok(Grid::new(common.cols * factor as usize, common.rows * factor as usize, finer, common.crs().cloned()))
}

/// No output may replace an input: inputs inside the output folder are refused by name.
fn check_inputs(project: &Project) -> Result<()> {
    let Ok(output) = std::fs::canonicalize(&project.output.value) else { return Ok(()) };
    let scenes = project.scenes.iter().flat_map(SceneSpec::paths);
    let soil = project.soil.iter().map(|s| s.samples.value.as_path());
    let zones = project.zones.iter().map(|z| z.path.value.as_path());
    for input in scenes.chain(soil).chain(zones) {
        if std::fs::canonicalize(input).is_ok_and(|p| p.parent() == Some(&output)) {
            return Err(project.output.fail(
                Kind::Usage,
                &format!("the folder holds the input {}; name a folder of its own, such as \"out\"", input.display()),
            ));
        }
    }
    Ok(())
}
