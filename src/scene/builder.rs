//! From the rasters of one acquisition to a scene: roles, encodings, masks, grid and date.

use std::path::PathBuf;
use std::sync::Arc;

use super::encoding::Stated;
use super::options::{Encoding, Maskings, SceneOptions};
use super::product::Product;
use super::sensor::Sensor;
use super::{Quantity, Scene, SceneBand, assumed, collar, date, encoding, extent, mask, told, truth};
use crate::engine::warp::Warper;
use crate::error::{Error, Result};
use crate::raster::{Role, Source};

/// Collects the bands of one acquisition.
pub(super) struct Builder<'a> {
    options: &'a SceneOptions,
    name: String,
    pub(super) origin: Vec<PathBuf>,
    date: Option<String>,
    picked: Vec<Picked>,
    admitted: Vec<Arc<dyn Source>>,
    warnings: Vec<String>,
    decisions: Vec<String>,
    listing: Vec<String>,
    product: Option<String>,
    also_read: Vec<PathBuf>,
    unusable: Vec<(Role, Error)>,
}

/// A band chosen for a role.
#[derive(Clone)]
pub(super) struct Picked {
    pub(super) role: Role,
    pub(super) source: Arc<dyn Source>,
    pub(super) band: usize,
    pub(super) sensor: Option<Sensor>,
    pub(super) stated: Option<Stated>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(options: &'a SceneOptions) -> Self {
        Self {
            options,
            name: String::new(),
            origin: Vec::new(),
            date: None,
            picked: Vec::new(),
            admitted: Vec::new(),
            warnings: Vec::new(),
            decisions: Vec::new(),
            listing: Vec::new(),
            product: None,
            also_read: Vec::new(),
            unusable: Vec::new(),
        }
    }

    /// The bands of a product, whose metadata say what they are.
    pub(super) fn product(&mut self, product: Product) -> Result<()> {
        if self.options.bands.is_some() {
            return Err(Error::usage(format!(
                "{}: its metadata name the bands; --bands is for rasters whose bands have no roles",
                product.name
            )));
        }
        (self.name, self.date, self.product) = (product.name, product.date, Some(product.title));
        self.also_read.extend(product.metadata.iter().map(|name| super::on_disk(name)));
        self.warnings.extend(product.warnings);
        for found in product.bands {
            match found.source {
                Ok(source) => {
                    let source = self.place(source);
                    self.listing.push(format!("{} {}", found.label, source.bands()[found.band].dtype));
                    match found.role {
                        Some(role) => {
                            let (band, sensor, stated) = (found.band, found.sensor, found.stated);
                            self.picked.push(Picked { role, source, band, sensor, stated });
                        }
                        None => self.admitted.push(source),
                    }
                }
                Err(e) => self.unusable.extend(found.role.map(|role| (role, e))),
            }
        }
        // Without any band there is no grid: the reason is that of the first.
        match (self.picked.is_empty() && self.admitted.is_empty(), self.unusable.first()) {
            (true, Some((_, e))) => Err(e.clone()),
            _ => Ok(()),
        }
    }

    /// A raster whose bands have roles by `--bands`, else by description.
    pub(super) fn plain(&mut self, source: Arc<dyn Source>) -> Result<()> {
        let source = self.admit(source);
        let source = self.photo(source);
        let sensor = told::sensor(&source, &self.options.sensors);
        let count = source.bands().len();
        if let Some(map) = &self.options.bands {
            for &(role, band) in map.pairs() {
                if band >= count {
                    return Err(Error::usage(format!(
                        "--bands {role}={}: {} has {count} band{}",
                        band + 1,
                        source.name(),
                        if count == 1 { "" } else { "s" }
                    )));
                }
                self.pick(role, &source, band, sensor.clone())?;
            }
        } else {
            for (i, role) in told::roles(&source, sensor.as_ref()).into_iter().enumerate() {
                if let Some(role) = role {
                    self.pick(role, &source, i, sensor.clone())?;
                }
            }
        }
        self.date = self.date.take().or_else(|| source.bands().iter().find_map(|b| b.date.clone()));
        if self.picked.is_empty() && count == 1 {
            self.pick(Role::Value, &source, 0, None)?;
        }
        Ok(())
    }

    /// Roles that a file gives its bands by colour are told, and the collar of a photo is nodata.
    fn photo(&mut self, source: Arc<dyn Source>) -> Arc<dyn Source> {
        let coloured = source.bands().iter().any(|b| b.role.is_some() && b.name.is_empty());
        if !coloured || self.options.bands.is_some() {
            return source;
        }
        self.warnings.push(format!(
            "{}: bands are taken as red, green and blue, as the file's colour interpretation says; where that is a default of the \
             program that wrote it, name them with --bands",
            source.name()
        ));
        let (source, cut) = collar::without(source);
        if cut && self.options.nodata.is_none() {
            self.decisions.push(format!("{}: black or white that reaches the edge is nodata", source.name()));
        }
        source
    }

    /// The only band of a raster, under a role.
    pub(super) fn named(&mut self, role: Role, source: Arc<dyn Source>) -> Result<()> {
        let source = self.admit(source);
        if source.bands().len() != 1 {
            return Err(Error::input(format!(
                "{role}={}: has {} bands, and a file under a role has one; split it, or use --bands {role}=N on the file",
                source.name(),
                source.bands().len()
            )));
        }
        let sensor = told::sensor(&source, &self.options.sensors);
        self.pick(role, &source, 0, sensor)
    }

    /// Keeps a source's date, warnings and list of bands; `--assume-crs` applies.
    pub(super) fn admit(&mut self, source: Arc<dyn Source>) -> Arc<dyn Source> {
        let source = self.place(source);
        for (i, band) in source.bands().iter().enumerate() {
            let name = if band.name.is_empty() { "unnamed".to_owned() } else { format!("{:?}", band.name) };
            self.listing.push(format!("{} {name} {}", i + 1, band.dtype));
        }
        if self.name.is_empty() {
            source.name().clone_into(&mut self.name);
        }
        self.origin.push(super::on_disk(source.name()));
        self.date = self.date.take().or_else(|| told::taken(&source));
        self.admitted.push(Arc::clone(&source));
        source
    }

    /// Keeps a source's warnings; `--assume-crs` applies.
    fn place(&mut self, mut source: Arc<dyn Source>) -> Arc<dyn Source> {
        if let Some(crs) = &self.options.assume_crs {
            let (placed, warning) = assumed::place(source, crs);
            self.warnings.extend(warning);
            source = placed;
        }
        self.warnings.extend(source.warnings().iter().map(|w| format!("{}: {w}", source.name())));
        source
    }

    pub(super) fn pick(
        &mut self,
        role: Role,
        source: &Arc<dyn Source>,
        band: usize,
        sensor: Option<Sensor>,
    ) -> Result<()> {
        if let Some(other) = self.picked.iter().find(|p| p.role == role) {
            return Err(Error::usage(format!(
                "role {role} is given twice, by {} band {} and {} band {}; choose one with --bands {role}=N",
                other.source.name(),
                other.band + 1,
                source.name(),
                band + 1
            )));
        }
        self.picked.push(Picked { role, source: Arc::clone(source), band, sensor, stated: None });
        Ok(())
    }

    pub(super) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }

    pub(super) fn dated(mut self, name: String, date: String) -> Self {
        (self.name, self.date) = (name, Some(date));
        self
    }

    /// Tests offsets on pixels, unless the user states them.
    fn truth(&self, bands: &[SceneBand]) -> Result<Option<String>> {
        let o = self.options;
        if (o.scale, o.offset, o.boa_offset) != (Encoding::Auto, Encoding::Auto, Encoding::Auto) {
            return Ok(None);
        }
        let doubtful = |p: &Picked| p.sensor.clone().filter(|s| s.baseline_offset.is_some());
        let sensors: Vec<Option<Sensor>> = self.picked.iter().map(doubtful).collect();
        let checked: Vec<_> = bands.iter().zip(&sensors).filter_map(|(b, s)| Some((b, s.as_ref()?))).collect();
        truth::check(&self.name, &checked)
    }

    /// Where QA_RADSAT says that a band is saturated, that band is nodata and the others are not.
    fn saturation(&self, bands: &mut [SceneBand], decisions: &mut Vec<String>) {
        let radsat = bands.iter().find(|b| b.role == Role::QaRadsat).cloned();
        let Some(radsat) = radsat.filter(|_| self.options.masks != Maskings::None) else { return };
        for (band, picked) in bands.iter_mut().zip(&self.picked) {
            let number = picked.sensor.as_ref().and_then(|s| s.number(band.role));
            band.saturated = number.map(|n| mask::saturated(&radsat, n));
        }
        decisions.push("qa_radsat: a saturated band is nodata where it is".into());
    }

    /// Resolves encodings, masks, grid and date.
    pub(super) fn finish(mut self) -> Result<Scene> {
        let (mut bands, mut assumed) = (Vec::new(), Vec::new());
        let mut decisions = std::mem::take(&mut self.decisions);
        for p in &self.picked {
            let resolved =
                encoding::resolve(&p.source, p.band, p.role, p.sensor.as_ref(), p.stated.as_ref(), self.options)?;
            if resolved.assumed {
                assumed.push(p.role.name());
            }
            decisions.push(resolved.decision);
            bands.push(resolved.band);
        }
        if !assumed.is_empty() {
            let taken = if bands.iter().any(|b: &SceneBand| b.quantity == Quantity::Proportional) {
                "integers of unknown scale, taken as proportional to reflectance (offset 0), for ratios only; state --scale and \
                 --offset, or --boa-offset for Sentinel-2"
            } else {
                "nothing states the offset, taken as 0; state it with --offset, or --boa-offset for Sentinel-2"
            };
            self.warnings.push(format!("{}: {}: {taken}", self.name, assumed.join(" ")));
        }
        decisions.extend(self.truth(&bands)?);
        self.saturation(&mut bands, &mut decisions);
        let (masks, masked) = mask::of(&bands, self.options)?;
        decisions.extend(masked);
        let sources: Vec<&Arc<dyn Source>> = match self.picked.as_slice() {
            // A raster whose bands have no roles has a grid all the same.
            [] => self.admitted.iter().collect(),
            picked => picked.iter().map(|p| &p.source).collect(),
        };
        let rasters: Vec<_> = sources.iter().map(|s| (s.name(), s.grid())).collect();
        let (mut grid, resampled) = extent::wanted(&rasters, self.options.align.as_ref())?;
        if let Some(bbox) = self.options.bbox {
            grid = extent::crop(&self.name, &grid, bbox)?;
        }
        if let (None, Some(list)) = (&self.date, &self.options.dates) {
            self.date = date::read_list(list)?.into_iter().next();
        }
        let warper = resampled.then(|| Warper::new(grid.clone()));
        let scene = Scene {
            name: self.name,
            origin: self.origin,
            date: self.date,
            grid,
            bands,
            masks,
            decisions,
            warnings: self.warnings,
            listing: self.listing,
            product: self.product,
            also_read: self.also_read,
            unusable: self.unusable,
        };
        match warper {
            Some(warper) => scene.onto(&warper, self.options.resampling),
            None => Ok(scene),
        }
    }
}
