//! First passes over scenes: exact percentiles and histograms of an index, water left out, all dates pooled.

use super::Context;
use super::bands::{bind, lookup, of_scene, settings_for};
use crate::analysis::bare::water_flag;
use crate::analysis::formula::Formula;
use crate::analysis::survey::{CoarseSurvey, Counted, FineSurvey, Found, HistogramSurvey};
use crate::engine::{Analysis, Partial, Pass};
use crate::error::{Error, Result};
use crate::numeric::quantile::Fine;
use crate::numeric::threshold::{BINS, Histogram};
use crate::scene::Scene;
use crate::spectral::{Builder, Index, Settings};

/// Makes an empty pass over a scene, restricted as the product's own pass will be.
pub type NewPass<'a> = &'a dyn Fn(&str, &Scene) -> Result<Pass>;

/// Which values of which scenes are looked at.
pub struct Survey<'a> {
    /// Scenes; their values are pooled.
    pub scenes: &'a [&'a Scene],
    /// Index, within its valid range.
    pub index: &'a Index,
    /// Constants, kernel and wavelengths.
    pub settings: &'a Settings,
    /// Makes the passes.
    pub new_pass: NewPass<'a>,
}

impl Survey<'_> {
    /// Exact type 7 quantiles of all valid values, in two passes.
    ///
    /// # Errors
    /// Input error where no value is valid; those of the passes.
    pub fn quantiles(&self, quantiles: &[f64], context: &Context) -> Result<Vec<f64>> {
        let found: Found = self.run("ranks", context, CoarseSurvey)?;
        let plan = found.coarse.plan(quantiles);
        let fine: Fine = self.run("percentiles", context, |formula| FineSurvey { formula, plan: plan.clone() })?;
        let nothing = || Error::input(format!("{}: no valid pixel of {}", self.names(), self.index.name));
        quantiles.iter().map(|q| fine.quantile(&plan, *q).ok_or_else(nothing)).collect()
    }

    /// 256 bins between the exact extremes, in two passes.
    ///
    /// # Errors
    /// Input error where no value is valid or all are equal; those of the passes.
    pub fn histogram(&self, context: &Context) -> Result<Histogram> {
        let found: Found = self.run("extremes", context, CoarseSurvey)?;
        let (min, max) = (found.moments.min, found.moments.max);
        let bins = Histogram::new(min, max, BINS).ok_or_else(|| {
            let name = &self.index.name;
            Error::input(match found.moments.count {
                0 => format!("{}: no valid pixel of {name}", self.names()),
                _ => format!("{}: {name} is {min} everywhere; a threshold needs two classes", self.names()),
            })
        })?;
        let counted: Counted =
            self.run("histogram", context, |formula| HistogramSurvey { formula, bins: bins.clone() })?;
        Ok(counted.0.unwrap_or(bins))
    }

    fn names(&self) -> String {
        self.scenes.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// One pass over each scene; results are merged in the order of the scenes.
    fn run<A: Analysis>(&self, what: &str, context: &Context, analysis: impl Fn(Formula) -> A) -> Result<A::Partial> {
        let mut pooled = A::Partial::default();
        for scene in self.scenes {
            let mut pass = (self.new_pass)(what, scene)?;
            let entered = scene.enter(&mut pass, "")?;
            let mut builder = Builder::new(settings_for(scene, self.settings));
            let bands = lookup(scene, 0);
            let mut results = vec![builder.add_within_range(self.index, &bands).map_err(of_scene(scene))?];
            results.extend(water_flag(&mut builder, &bands)?);
            let reads = bind(&mut pass, &[&entered], &builder.graph, self.index.is_scale_free()?)?;
            let handle = pass.add(analysis(Formula::new(&builder.graph, &results, reads)), Vec::new())?;
            let mut outcome = pass.run(&context.limits, context.progress.as_ref(), &context.cancel)?;
            pooled.merge(outcome.take(&handle)?);
        }
        Ok(pooled)
    }
}
