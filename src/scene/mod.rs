//! Scenes: from what a user names on the command line to channels with roles, scale, nodata, masks and date.

pub mod options;

pub use options::{Alignment, BandMap, Encoding, Maskings, SceneOptions};

use std::sync::Arc;

use crate::engine::{Channel, MaskSource, Pass};
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::raster::{Role, Source};

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
    /// Bands by role.
    pub bands: Vec<SceneBand>,
    /// Default or asked-for masks.
    pub masks: Vec<MaskSource>,
    /// Decisions taken while opening (scale, offset, nodata, masks), for provenance.
    pub decisions: Vec<String>,
}

impl Scene {
    /// The band with a role.
    ///
    /// # Errors
    /// Input error that lists the bands there are and shows `--bands`.
    pub fn band(&self, role: Role) -> Result<&SceneBand> {
        self.bands.iter().find(|b| b.role == role).ok_or_else(|| {
            let have: Vec<_> = self.bands.iter().map(|b| b.role.name()).collect();
            Error::input(format!(
                "{}: no band has role {role} (roles known: {}); name it with --bands {role}=N",
                self.name,
                if have.is_empty() { "none".to_owned() } else { have.join(" ") }
            ))
        })
    }

    /// The channel of a role under `prefix` (`""`, or `"after:"` where two dates are read together). Reflectance outside
    /// −0.2..=1.6 is nodata. `masks` are the indices this scene's masks got in the pass.
    ///
    /// # Errors
    /// As [`Scene::band`].
    pub fn channel(&self, role: Role, prefix: &str, masks: &[usize]) -> Result<Channel> {
        let b = self.band(role)?;
        let reflectance =
            !role.is_categorical() && !matches!(role, Role::Value | Role::Thermal | Role::Thermal1 | Role::Thermal2);
        Ok(Channel {
            name: format!("{prefix}{role}"),
            source: Arc::clone(&b.source),
            band: b.band,
            scale: b.scale,
            offset: b.offset,
            nodata: b.nodata,
            valid: reflectance.then_some(-0.2..=1.6),
            masks: masks.to_vec(),
        })
    }
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
    /// Name of the channel of a role; adds it to the pass the first time.
    ///
    /// # Errors
    /// Where the scene has no such band, or its grid does not nest.
    pub fn channel(&self, pass: &mut Pass, role: Role) -> Result<String> {
        let channel = self.scene.channel(role, &self.prefix, &self.masks)?;
        let name = channel.name.clone();
        pass.channel(channel)?;
        Ok(name)
    }
}
