//! First passes: exact percentiles and histograms of an index, for thresholds and endmembers.
//!
//! Two readings give exact quantiles of any raster in fixed memory: the first counts by the upper half of the value's bits
//! ([`CoarseSurvey`]), the second looks into the bins that hold the wanted ranks ([`FineSurvey`]) or counts bins between the
//! exact extremes ([`HistogramSurvey`]). Values are those the `index` verb writes (f32).

use super::formula::Formula;
use crate::engine::{Analysis, Partial, Spec, TileIn, TileOut};
use crate::error::Result;
use crate::numeric::Moments;
use crate::numeric::quantile::{Coarse, Fine, FinePlan};
use crate::numeric::threshold::Histogram;

/// Bytes of 2^16 counts.
const COUNTS: u64 = 8 << 16;

/// Calls `each` for the valid values of a formula's first result; where there is a second one, not 0 there means left out.
fn values(formula: &Formula, input: &TileIn<'_>, mut each: impl FnMut(f32)) -> Result<()> {
    formula.rows(input, |_, results| {
        for (i, &v) in results[0].iter().enumerate() {
            let left_out = results.get(1).is_some_and(|r| r[i] != 0.0 && !r[i].is_nan());
            if v.is_finite() && !left_out {
                each(v as f32);
            }
        }
        Ok(())
    })
}

fn spec(name: &str, formula: &Formula, fixed: u64) -> Spec {
    Spec {
        name: name.into(),
        reads: formula.reads().to_vec(),
        scratch_fixed: formula.scratch() + fixed,
        empty_adds_nothing: formula.is_void_of_nodata(),
        ..Spec::default()
    }
}

/// Counts, extremes and coarse ranks of an index.
pub struct CoarseSurvey(pub Formula);

/// What the first reading found.
#[derive(Debug, Default)]
pub struct Found {
    /// Ranks by the upper half of the bits.
    pub coarse: Coarse,
    /// Count, mean and extremes.
    pub moments: Moments,
}

impl Partial for Found {
    fn merge(&mut self, next: Self) {
        self.coarse.merge(next.coarse);
        self.moments.merge(&next.moments);
    }
}

impl Analysis for CoarseSurvey {
    type Partial = Found;

    fn spec(&self) -> Spec {
        spec("survey of extremes", &self.0, COUNTS)
    }

    fn tile(&self, input: &TileIn<'_>, _: &mut TileOut, found: &mut Found) -> Result<()> {
        values(&self.0, input, |v| {
            found.coarse.add(v);
            found.moments.add(f64::from(v));
        })
    }
}

/// Looks into the bins that hold the wanted quantiles.
pub struct FineSurvey {
    /// The same formula as in the first reading.
    pub formula: Formula,
    /// Bins that hold the wanted ranks.
    pub plan: FinePlan,
}

impl Partial for Fine {
    fn merge(&mut self, next: Self) {
        Self::merge(self, next);
    }
}

impl Analysis for FineSurvey {
    type Partial = Fine;

    fn spec(&self) -> Spec {
        // Two quantiles have up to four ranks in up to four bins.
        spec("survey of percentiles", &self.formula, 4 * COUNTS)
    }

    fn tile(&self, input: &TileIn<'_>, _: &mut TileOut, fine: &mut Fine) -> Result<()> {
        values(&self.formula, input, |v| fine.add(v, &self.plan))
    }
}

/// Counts equal bins between the exact extremes.
pub struct HistogramSurvey {
    /// The same formula as in the first reading.
    pub formula: Formula,
    /// Empty bins.
    pub bins: Histogram,
}

/// Counts by bin; `None` before the first tile.
#[derive(Debug, Default)]
pub struct Counted(pub Option<Histogram>);

impl Partial for Counted {
    fn merge(&mut self, next: Self) {
        match (&mut self.0, next.0) {
            (Some(a), Some(b)) => a.merge(&b),
            (a, b) => *a = a.take().or(b),
        }
    }
}

impl Analysis for HistogramSurvey {
    type Partial = Counted;

    fn spec(&self) -> Spec {
        spec("survey of the histogram", &self.formula, 1 << 12)
    }

    fn tile(&self, input: &TileIn<'_>, _: &mut TileOut, counted: &mut Counted) -> Result<()> {
        let histogram = counted.0.get_or_insert_with(|| self.bins.clone());
        values(&self.formula, input, |v| histogram.add(f64::from(v)))
    }
}
