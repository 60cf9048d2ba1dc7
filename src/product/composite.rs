//! One image from several dates.

use std::path::PathBuf;

use jiff::civil::Date;
use serde_json::Map;

use super::output::{self, Files};
use super::{Artifact, Context, Product};
use crate::analysis::composite::{CompositeAnalysis, CompositeMethod, CompositeSettings};
use crate::engine::{Analysis, OutBand, Outcome, Pass};
use crate::error::{Error, Result};
use crate::raster::Role;
use crate::scene::{Entered, Scene};

/// What `composite` computes and where it goes.
#[derive(Clone, Debug)]
pub struct CompositeOptions {
    /// From many dates to one.
    pub method: CompositeMethod,
    /// Fewest valid dates of a pixel that is not nodata.
    pub least: usize,
    /// Day of the year (from 1) that [`CompositeMethod::BestAvailable`] wants.
    pub target_day: u16,
    /// Bands of the median distances to the geometric median too.
    pub deviations: bool,
    /// Raster: a band a role, deviations where asked for, the number of valid dates, and the date where one is chosen.
    pub output: PathBuf,
}

/// Adds a composite of all roles that every scene has to a pass. Scenes are entered under different prefixes, in order of
/// time.
///
/// # Errors
/// Where the scenes share no band, max-ndvi lacks red or near infrared, or the output cannot be written.
pub fn add(
    pass: &mut Pass,
    scenes: &[&Entered],
    options: &CompositeOptions,
    context: &Context,
) -> Result<Box<dyn Product>> {
    let opened: Vec<_> = scenes.iter().map(|s| &s.scene).collect();
    Files { rasters: vec![options.output.clone()], ..Files::default() }.check(&opened, context)?;
    let first = opened.first().ok_or_else(|| Error::usage("composite: no scene is given"))?;
    let shared = |role: Role| opened.iter().all(|s| s.bands.iter().any(|b| b.role == role));
    let roles: Vec<Role> = first.bands.iter().map(|b| b.role).filter(|r| !r.is_categorical() && shared(*r)).collect();
    if roles.is_empty() {
        return Err(Error::input(format!("composite: no band role is in all {} scenes; see --bands", opened.len())));
    }
    let position = |wanted: &[Role]| roles.iter().position(|r| wanted.contains(r));
    let red_nir = match (position(&[Role::Red]), position(&[Role::Nir, Role::Nir08])) {
        (Some(red), Some(nir)) => (red, nir),
        _ if options.method != CompositeMethod::MaxNdvi => (0, 0),
        _ => {
            let have: Vec<_> = roles.iter().map(|r| r.name()).collect();
            return Err(Error::input(format!(
                "--method max-ndvi needs red and nir in all scenes, which share {}; see --bands",
                have.join(" ")
            )));
        }
    };
    let mut reads = Vec::with_capacity(roles.len() * scenes.len());
    for scene in scenes {
        for role in &roles {
            reads.push(scene.channel(pass, *role)?);
        }
    }
    let bands = roles.iter().map(|r| OutBand::quantity(r.name(), "")).collect();
    let dates = opened.iter().map(|s| date(s)).collect::<Result<Vec<_>>>()?;
    let settings = CompositeSettings {
        method: options.method,
        red_nir,
        target_day: options.target_day,
        least: options.least,
        deviations: options.deviations,
    };
    let analysis = CompositeAnalysis::new(reads, bands, dates, settings);
    let writes = Analysis::spec(&analysis).writes;
    let sink = output::raster(&options.output, pass.grid(), &writes, (0..writes.len()).collect(), context)?;
    pass.add(analysis, vec![sink])?;
    let figures = Map::from_iter([("dates_count".to_owned(), scenes.len().into())]);
    Ok(Box::new(CompositeProduct(Artifact {
        path: options.output.clone(),
        role: "composite".into(),
        title: "Composite of several dates".into(),
        figures,
    })))
}

/// Date of a scene.
///
/// # Errors
/// Where it has none.
pub fn date(scene: &Scene) -> Result<Date> {
    let text = scene.date.as_deref().unwrap_or_default();
    text.parse().map_err(|_| Error::input(format!("{}: has no date; give --dates FILE, a line a scene", scene.name)))
}

struct CompositeProduct(Artifact);

impl Product for CompositeProduct {
    fn finish(self: Box<Self>, _: &mut Outcome, _: &Context) -> Result<Vec<Artifact>> {
        Ok(vec![self.0])
    }
}
