//! Scenes: from what a user names on the command line to channels with roles, scale, nodata, masks and date.

pub mod assumed;
mod builder;
mod collar;
mod date;
mod encoding;
pub mod extent;
mod input;
mod mask;
mod moved;
mod onto;
mod open;
pub mod options;
mod product;
pub mod sensor;
mod stack;
pub mod target;
mod told;
mod truth;

pub use date::in_text as date_in_text;
pub use input::local_file;
pub use open::{Found, from_sources, open, product_at};
pub use options::{Alignment, BandMap, Encoding, Maskings, SceneOptions};
pub use stack::open_stack;
pub use target::Target;
pub use told::{Told, told};

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::{Channel, MaskSource, Pass};
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::raster::{Role, Source};

/// What the values of a band are after scale and offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// The physical quantity: reflectance, kelvin, a class or a ready-made index.
    Physical,
    /// Integers whose scale nobody states: proportional to reflectance, so that only expressions that do not change when
    /// all bands are multiplied by one factor (normalised differences, ratios) may read them.
    Proportional,
}

/// A band of a scene with its resolved encoding.
#[derive(Clone)]
pub struct SceneBand {
    /// What it measures.
    pub role: Role,
    /// Where the pixels are.
    pub source: Arc<dyn Source>,
    /// 0-based band of the source.
    pub band: usize,
    /// Scale to the physical quantity.
    pub scale: f64,
    /// Offset to the physical quantity.
    pub offset: f64,
    /// Nodata in stored values.
    pub nodata: Option<f64>,
    /// What the values are.
    pub quantity: Quantity,
    /// Where this band alone is saturated, if the product tells.
    pub saturated: Option<MaskSource>,
}

/// One acquisition: bands by role on grids that nest.
#[derive(Clone)]
pub struct Scene {
    /// Name for messages.
    pub name: String,
    /// Acquisition date `YYYY-MM-DD` where known.
    pub date: Option<String>,
    /// The finest grid of its bands; the grid of the analysis.
    pub grid: Grid,
    /// What the user named: files, or the folder, archive or item of a product.
    pub origin: Vec<PathBuf>,
    /// Bands by role.
    pub bands: Vec<SceneBand>,
    /// Default or asked-for masks.
    pub masks: Vec<MaskSource>,
    /// Decisions taken while opening (scale, offset, nodata, masks), for provenance.
    pub decisions: Vec<String>,
    /// What the user should know about the files.
    pub warnings: Vec<String>,
    /// What the product is, where the scene is one (`Sentinel-2 level 2A of baseline 05.10`).
    pub product: Option<String>,
    /// Files that decide about pixels and hold no band: metadata of a product, masks that became part of resampled bands.
    pub also_read: Vec<PathBuf>,
    /// Bands of the product that cannot be read, and why: an error only where one is asked for.
    pub unusable: Vec<(Role, Error)>,
    /// The bands of the files in words (`1 "SR_B4" uint16`), for messages about roles that are missing.
    pub listing: Vec<String>,
}

impl Scene {
    /// The files on disk that hold the scene's bands, each once.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let sources = self.bands.iter().map(|b| &b.source).chain(self.masks.iter().map(|m| &m.source));
        let mut files: Vec<PathBuf> =
            sources.map(|s| on_disk(s.name())).chain(self.also_read.iter().cloned()).collect();
        files.sort();
        files.dedup();
        files
    }

    /// The band with a role. Wide and narrow near infrared (`nir`, `nir08`) stand in for each other where a sensor has only
    /// one of them.
    ///
    /// # Errors
    /// Input error that lists the bands there are and shows `--bands`.
    pub fn band(&self, role: Role) -> Result<&SceneBand> {
        let with = |role: Role| self.bands.iter().find(|b| b.role == role);
        let stand_in = || match role {
            Role::Nir => with(Role::Nir08),
            Role::Nir08 => with(Role::Nir),
            _ => None,
        };
        // A band that the product has, but that cannot be read, is not quietly replaced by another.
        if let Some((_, e)) = self.unusable.iter().find(|(r, _)| *r == role) {
            return Err(e.clone());
        }
        with(role).or_else(stand_in).ok_or_else(|| {
            let known: Vec<_> = self.bands.iter().map(|b| b.role.name()).collect();
            Error::input(format!(
                "{}: no band has role {role}; roles known: {}; bands of the file: {}; name it with --bands {role}=N or \
                 {role}=FILE",
                self.name,
                if known.is_empty() { "none".to_owned() } else { known.join(" ") },
                self.listing.join(", ")
            ))
        })
    }

    /// The channel of a role under `prefix` (`""`, or `"after:"` where two dates are read together). Reflectance outside
    /// −0.2..=1.6 is nodata. `masks` are the indices this scene's masks got in the pass.
    ///
    /// # Errors
    /// As [`Scene::band`]; input error that names `--scale` where the scale to the physical quantity is not known.
    pub fn channel(&self, role: Role, prefix: &str, masks: &[usize]) -> Result<Channel> {
        let b = self.band(role)?;
        if b.quantity == Quantity::Proportional {
            return Err(Error::input(format!(
                "{}: band {role} holds integers and nothing states their scale to reflectance; state it with --scale \
                 (0.0001 for most products, 2.75e-5 with --offset -0.2 for Landsat Collection 2)",
                self.name
            )));
        }
        let valid = Self::valid_range(role, b.quantity);
        Ok(Channel { valid, ..Self::unbounded(b, role, prefix, masks) })
    }

    /// The values a band can have: of reflectance −0.2 to 1.6, of other quantities and of unknown scales any.
    fn valid_range(role: Role, quantity: Quantity) -> Option<RangeInclusive<f64>> {
        let reflectance = !role.is_categorical() && role != Role::Value && !role.is_thermal();
        (reflectance && quantity == Quantity::Physical).then_some(-0.2..=1.6)
    }

    /// As [`Scene::channel`], for expressions that do not change when all bands are multiplied by one factor: these may
    /// also read bands whose scale is unknown.
    ///
    /// # Errors
    /// As [`Scene::band`].
    pub fn ratio_channel(&self, role: Role, prefix: &str, masks: &[usize]) -> Result<Channel> {
        let b = self.band(role)?;
        match b.quantity {
            Quantity::Physical => self.channel(role, prefix, masks),
            Quantity::Proportional => Ok(Self::unbounded(b, role, prefix, masks)),
        }
    }

    fn unbounded(b: &SceneBand, role: Role, prefix: &str, masks: &[usize]) -> Channel {
        Channel {
            name: format!("{prefix}{role}"),
            source: Arc::clone(&b.source),
            band: b.band,
            scale: b.scale,
            offset: b.offset,
            nodata: b.nodata,
            valid: None,
            masks: masks.to_vec(),
        }
    }
}

/// The file that holds the raster of a name: itself, or the archive it is a member of.
#[must_use]
pub fn on_disk(name: &str) -> PathBuf {
    let path = Path::new(name);
    path.ancestors().find(|p| p.is_file()).unwrap_or(path).to_owned()
}

/// A scene whose masks are part of a pass; channels are added as products ask for them.
#[derive(Clone)]
pub struct Entered {
    /// The scene.
    pub scene: Scene,
    prefix: String,
    masks: Vec<usize>,
}

impl Scene {
    /// Adds the scene's masks to a pass. `prefix` keeps the channels of several dates apart (`""`, `"before:"`).
    ///
    /// # Errors
    /// Where a mask's grid does not nest with the pass grid.
    pub fn enter(&self, pass: &mut Pass, prefix: &str) -> Result<Entered> {
        let masks = self.masks.iter().map(|m| pass.mask(m.clone())).collect::<Result<_>>()?;
        Ok(Entered { scene: self.clone(), prefix: prefix.to_owned(), masks })
    }
}

impl Entered {
    /// The scene's masks and that of the band alone.
    fn masks(&self, pass: &mut Pass, role: Role) -> Result<Vec<usize>> {
        let mut masks = self.masks.clone();
        if let Some(saturated) = &self.scene.band(role)?.saturated {
            masks.push(pass.mask(saturated.clone())?);
        }
        Ok(masks)
    }

    /// Name of the channel of a role; adds it to the pass the first time.
    ///
    /// # Errors
    /// Where the scene has no such band, or its grid does not nest.
    pub fn channel(&self, pass: &mut Pass, role: Role) -> Result<String> {
        let masks = self.masks(pass, role)?;
        let channel = self.scene.channel(role, &self.prefix, &masks)?;
        let name = channel.name.clone();
        pass.channel(channel)?;
        Ok(name)
    }

    /// As [`Entered::channel`], for expressions that do not change when all bands are multiplied by one factor
    /// (normalised differences): bands of unknown scale are allowed.
    ///
    /// # Errors
    /// Where the scene has no such band, or its grid does not nest.
    pub fn ratio_channel(&self, pass: &mut Pass, role: Role) -> Result<String> {
        let masks = self.masks(pass, role)?;
        let channel = self.scene.ratio_channel(role, &self.prefix, &masks)?;
        let name = channel.name.clone();
        pass.channel(channel)?;
        Ok(name)
    }
}
