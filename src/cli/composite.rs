//! `regrow composite`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Map;

use super::Finish;
use super::args::{Common, SceneArgs};
use super::execute::{doubt, explain_all, report_counts};
use crate::analysis::composite::CompositeMethod;
use crate::engine::{Limits, Pass, Plan};
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::product::composite::{self, CompositeOptions};
use crate::product::period::{Every, by_period, name_of};
use crate::product::{Context, KeptNotes, Notes, Product, provenance};
use crate::scene::{Alignment, Scene};

/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Scenes, a date each, or stacks by role whose bands are dates (red=r.tif nir=n.tif)
    #[arg(required = true, value_name = "SCENE")]
    inputs: Vec<String>,
    /// Raster: a band a role, the number of valid dates, and the date used where a method takes all bands from one
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// median, mean, medoid, max-ndvi, geomedian, best-available, or a percentile p0 to p100
    #[arg(long, value_name = "METHOD", default_value = "median")]
    method: CompositeMethod,
    /// One output a year, season or month (OUTPUT_2019.tif, OUTPUT_2019-JJA.tif, OUTPUT_2019-07.tif)
    #[arg(long, value_name = "year|season|month")]
    every: Option<Every>,
    /// First date that is used (YYYY-MM-DD)
    #[arg(long, value_name = "DATE")]
    from: Option<jiff::civil::Date>,
    /// Last date that is used
    #[arg(long, value_name = "DATE")]
    to: Option<jiff::civil::Date>,
    /// Fewest valid dates of a pixel that is not nodata
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_dates: usize,
    /// Day of the year (1 to 366) that best-available comes nearest to
    #[arg(long, value_name = "DAY", value_parser = clap::value_parser!(u16).range(1..=366))]
    target_doy: Option<u16>,
    /// Bands smad, emad and bcmad with geomedian: median distances of the dates to it (cosine, Euclidean, Bray-Curtis)
    #[arg(long)]
    mads: bool,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scene: SceneArgs,
}

/// An output and the scenes it is made of.
struct Part {
    output: PathBuf,
    scenes: Vec<usize>,
}

/// Makes one image from several dates.
///
/// # Errors
/// Those of opening the scenes, of grids that do not nest and of the pass.
pub fn run(args: &Args) -> Result<Finish> {
    args.check()?;
    let context = args.common.context()?;
    let mut scenes = args.scene.open_stack(&args.inputs, &args.common, &context)?;
    // Dates are written YYYY-MM-DD, so that they sort as text.
    let (from, to) = (args.from.map(|d| d.to_string()), args.to.map(|d| d.to_string()));
    scenes.retain(|s| {
        let date = s.date.as_deref().unwrap_or_default();
        from.as_deref().is_none_or(|f| date >= f) && to.as_deref().is_none_or(|t| date <= t)
    });
    if scenes.is_empty() {
        return Err(Error::input("composite: no scene lies between --from and --to"));
    }
    let (grid, scenes) = args.scene.together(scenes, Alignment::Intersection, &context)?;
    let parts = args.parts(&scenes)?;
    let work = Work { args, scenes: &scenes, grid: &grid, context: &context };
    let mut groups = Vec::new();
    work.group(&parts, &mut groups)?;
    if args.common.explain {
        let plans = groups.iter().map(|g| work.pass(g)?.0.plan(&context.limits)).collect::<Result<Vec<_>>>()?;
        explain_all(&plans, &args.common)?;
        return Ok(Finish::Done);
    }
    work.run(&groups)?;
    Ok(Finish::Done)
}

impl Args {
    fn check(&self) -> Result<()> {
        if self.mads && self.method != CompositeMethod::GeometricMedian {
            return Err(Error::usage("--mads needs --method geomedian"));
        }
        match (self.method, self.target_doy) {
            (CompositeMethod::BestAvailable, None) => {
                Err(Error::usage("--method best-available needs --target-doy, the day of the year that is wanted"))
            }
            (method, Some(_)) if method != CompositeMethod::BestAvailable => {
                Err(Error::usage("--target-doy needs --method best-available"))
            }
            _ => Ok(()),
        }
    }

    /// The outputs: one, or one a period.
    fn parts(&self, scenes: &[Scene]) -> Result<Vec<Part>> {
        let Some(every) = self.every else {
            return Ok(vec![Part { output: self.output.clone(), scenes: (0..scenes.len()).collect() }]);
        };
        let dates = scenes.iter().map(composite::date).collect::<Result<Vec<_>>>()?;
        let periods = by_period(&dates, every).into_iter();
        Ok(periods.map(|(p, scenes)| Part { output: name_of(&self.output, p), scenes }).collect())
    }
}

/// What all passes of a run share.
struct Work<'a> {
    args: &'a Args,
    scenes: &'a [Scene],
    grid: &'a Grid,
    context: &'a Context,
}

impl Work<'_> {
    /// A pass that makes some outputs, one product each.
    fn pass(&self, parts: &[Part]) -> Result<(Pass, Vec<Box<dyn Product>>)> {
        let mut pass = self.args.common.pass("composite", self.grid, self.context)?;
        let mut products = Vec::with_capacity(parts.len());
        for part in parts {
            let mut entered = Vec::with_capacity(part.scenes.len());
            for i in &part.scenes {
                entered.push(self.scenes[*i].enter(&mut pass, &prefix(*i))?);
            }
            let options = CompositeOptions {
                method: self.args.method,
                least: self.args.min_dates,
                target_day: self.args.target_doy.unwrap_or(1),
                deviations: self.args.mads,
                output: part.output.clone(),
            };
            products.push(composite::add(&mut pass, &entered.iter().collect::<Vec<_>>(), &options, self.context)?);
        }
        Ok((pass, products))
    }

    /// Splits the outputs into as few passes as memory allows without reading a tile in parts or giving up workers: a
    /// file that holds many dates is then decoded once for all its periods.
    fn group<'p>(&self, parts: &'p [Part], groups: &mut Vec<&'p [Part]>) -> Result<()> {
        if parts.len() > 1
            && !self.pass(parts)?.0.plan(&self.context.limits).is_ok_and(|p| fits(&p, &self.context.limits))
        {
            let (first, rest) = parts.split_at(parts.len() / 2);
            self.group(first, groups)?;
            return self.group(rest, groups);
        }
        groups.push(parts);
        Ok(())
    }

    fn run(&self, groups: &[&[Part]]) -> Result<()> {
        let context = self.context;
        let (mut artifacts, mut channels, mut peak) = (Vec::new(), Map::new(), 0);
        for parts in groups {
            let (pass, products) = self.pass(parts)?;
            let (grid, citations) = (pass.grid().clone(), pass.citations());
            let mut outcome = pass.run(&context.limits, context.progress.as_ref(), &context.cancel)?;
            doubt(&outcome, context);
            let counts = provenance::channels(&outcome);
            for (part, product) in parts.iter().zip(products) {
                let made = product.finish(&mut outcome, context)?;
                let own = counts.iter().filter(|(name, _)| part.scenes.iter().any(|i| name.starts_with(&prefix(*i))));
                let own = own.map(|(name, count)| (name.clone(), count.clone())).collect();
                // Last: a product exists only when its sidecar does.
                provenance::write_counts(&made, Some(&grid), &citations, own, &self.record(part))?;
                artifacts.extend(made);
            }
            channels.extend(counts);
            peak = outcome.peak_bytes.max(peak);
        }
        report_counts(&artifacts, channels, peak, &self.args.common)
    }

    /// The context of one output: its own scenes, and the remarks of all.
    fn record(&self, part: &Part) -> Context {
        let notes = KeptNotes::default();
        let all = self.context.notes.record();
        let own: Vec<&Scene> = part.scenes.iter().map(|i| &self.scenes[*i]).collect();
        let sources = |s: &Scene| -> Vec<PathBuf> {
            let bands = s.bands.iter().map(|b| &b.source).chain(s.masks.iter().map(|m| &m.source));
            bands.map(|source| Path::new(source.name()).to_owned()).collect()
        };
        for scene in own {
            sources(scene).iter().for_each(|path| notes.reads(path, scene.date.as_deref()));
        }
        // What is no scene (the area of interest) was read for every output.
        let scenes: Vec<PathBuf> = self.scenes.iter().flat_map(sources).collect();
        all.inputs.iter().filter(|path| !scenes.contains(path)).for_each(|path| notes.reads(path, None));
        all.remarks.iter().for_each(|text| notes.decide(text));
        Context { notes: Arc::new(notes), ..self.context.clone() }
    }
}

/// What keeps the channels of a scene apart from those of others.
fn prefix(scene: usize) -> String {
    format!("{scene}:")
}

fn fits(plan: &Plan, limits: &Limits) -> bool {
    plan.rows_read >= plan.tile && plan.workers as u64 >= (limits.threads.max(1) as u64).min(plan.tiles)
}
