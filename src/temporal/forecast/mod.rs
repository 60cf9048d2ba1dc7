//! When an index reaches a target: curves of growth fitted to yearly values, and what follows from other rates.
//!
//! | model | y(t) | parameters |
//! |---|---|---|
//! | linear | a + b t | 2 |
//! | logistic, plateau given | K / (1 + exp(−r (t − t₀))) | 2 |
//! | logistic | K / (1 + exp(−r (t − t₀))), K > 0 | 3 |
//! | approach | a − b exp(−k t) | 3 |
//!
//! The input is a series of one value a year, gaps allowed, of one phase of growth: it begins where the recovery starts. An
//! index that rises with bare ground is negated by the caller, and its target with it.
//!
//! **Fit.** Least squares. For each of a fixed set of rates (and midpoints) the linear parameters are solved exactly
//! (variable projection, Golub & Pereyra 1973, SIAM Journal on Numerical Analysis 10:413-432); the lowest of these
//! are followed down by Gauss-Newton steps on all parameters. The rates r, k lie between 0.05 per span of the series (a
//! slower curve is a line) and 5 per shortest step or 200 per span (a faster one is a jump between two years), the midpoint
//! between one span before the first year and two spans after the last. A model whose least squares lie at such a bound
//! is [`NoFit::NotIdentified`]. A model needs three years more than it has parameters.
//!
//! **Choice.** The least AICc = n ln(RSS/n) + 2q + 2q(q+1)/(n−q−1), q the number of parameters and the variance (Hurvich &
//! Tsai 1989, Biometrika 76:297-307); of equal ones the first in the table. All fits are kept.
//!
//! **Interval.** Limits for a new yearly value in year t (prediction interval): ŷ(t) ± q s √(1 + gᵀ(JᵀJ)⁻¹g), where g are the
//! derivatives of the curve at t with respect to the parameters, J those at the years of the series (delta method), s² =
//! RSS/(n−p) the residual variance and q the quantile of Student's t with n−p degrees of freedom. It is exact for the linear
//! model with independent normal residuals, an approximation for the others, and does not know that the model itself was
//! chosen. The year the target is reached has the interval of the years in which the target lies within the band: from the
//! first year after the series in which the upper limit reaches the target to the first in which the lower limit does. The
//! band is followed in quarters of a year up to the horizon. Either end may be missing, with its reason. As the band is that
//! of single yearly values, the interval holds the year in which the curve itself gets there more often than stated; where
//! the fitted curve is at the target in the last year already there is no interval.
//!
//! **Other rates.** All these curves satisfy dy/dt = f(y). With every rate multiplied by c from the last year on, the time
//! left is divided by c. With a given change v a year the value goes on from the curve's in the last year along a line,
//! and its limits in that year go along.

mod descent;
mod fit;
mod model;
mod outlook;

pub use fit::{Band, Fit, NoFit, Work};
pub use model::{Curve, Model};
pub use outlook::{NoCrossing, Outlook, Scenario};

use crate::error::{Error, Result};
use crate::numeric::student::upper_quantile;
use crate::temporal::recovery::Annual;

/// Parameters of [`Forecaster`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForecastSettings {
    /// Value to be reached.
    pub target: f64,
    /// Plateau of the logistic curve with a given plateau, above the target; without it that model is not fitted.
    pub plateau: Option<f64>,
    /// Probability of the intervals.
    pub confidence: f64,
    /// Years after the last valid one beyond which nothing is forecast.
    pub horizon: f64,
}

impl ForecastSettings {
    /// A target with the usual rest: 95 % intervals, 100 years, no given plateau.
    #[must_use]
    pub fn to(target: f64) -> Self {
        Self { target, plateau: None, confidence: 0.95, horizon: 100.0 }
    }
}

/// Forecasts with checked parameters.
#[derive(Clone, Copy, Debug)]
pub struct Forecaster {
    settings: ForecastSettings,
}

/// All fits of a series, and what the chosen one says of the target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// A fit, or why there is none, of each of [`Model::ALL`].
    pub fits: [std::result::Result<Fit, NoFit>; Model::ALL.len()],
    /// The model with the least AICc.
    pub chosen: Option<Model>,
    /// Last valid year; the forecast begins there.
    pub last: Option<i32>,
    /// When the target is reached as things go.
    pub outlook: Outlook,
}

impl Forecast {
    /// The chosen fit.
    #[must_use]
    pub fn fit(&self) -> Option<&Fit> {
        self.fits.iter().flatten().find(|f| Some(f.model) == self.chosen)
    }
}

impl Forecaster {
    /// Checks the parameters.
    ///
    /// # Errors
    /// Usage error that names the option whose value is outside its range.
    pub fn new(settings: ForecastSettings) -> Result<Self> {
        let ForecastSettings { target, plateau, confidence, horizon } = settings;
        if !target.is_finite() {
            return Err(Error::usage(format!("--target: {target}; give a finite value of the index")));
        }
        if let Some(plateau) = plateau
            && !(plateau > target && plateau > 0.0 && plateau.is_finite())
        {
            let message = format!("--plateau: {plateau} with target {target}; give a value above 0 and the target");
            return Err(Error::usage(message));
        }
        if !(0.5..=0.9999).contains(&confidence) {
            return Err(Error::usage(format!("--confidence: {confidence}; give a probability from 0.5 to 0.9999")));
        }
        if !(1.0..=1000.0).contains(&horizon) {
            return Err(Error::usage(format!("--horizon: {horizon} years; give 1 to 1000")));
        }
        Ok(Self { settings })
    }

    /// The parameters.
    #[must_use]
    pub fn settings(&self) -> &ForecastSettings {
        &self.settings
    }

    /// Fits all models and looks ahead with the best.
    #[must_use]
    pub fn forecast(&self, series: Annual<'_>, work: &mut Work) -> Forecast {
        let series = Annual::new(series.years, series.values);
        self.prepare_quantiles(series.years.len(), work);
        let mut fits = [Err(NoFit::TooFewYears); Model::ALL.len()];
        if let Some(task) = work.scale(series) {
            for (fit, model) in fits.iter_mut().zip(Model::ALL) {
                *fit = work.fit(&task, model, self.settings.plateau);
            }
        }
        let better = |best: Option<Fit>, fit: &Fit| match best {
            Some(b) if b.aicc <= fit.aicc => best,
            _ => Some(*fit),
        };
        let chosen = fits.iter().flatten().fold(None, better);
        let last = series.years.last().copied();
        let mut forecast = Forecast { fits, chosen: chosen.map(|f| f.model), last, outlook: Outlook::unknown() };
        forecast.outlook = outlook::as_it_goes(&self.settings, &forecast, 1.0);
        forecast
    }

    /// When the target is reached if the growth goes on at another rate from the last year on.
    ///
    /// # Errors
    /// Usage error for a factor or rate that is not positive.
    pub fn scenario(&self, forecast: &Forecast, scenario: Scenario) -> Result<Outlook> {
        match scenario {
            Scenario::Factor(factor) if factor > 0.0 && factor <= 100.0 => {
                Ok(outlook::as_it_goes(&self.settings, forecast, factor))
            }
            Scenario::Factor(factor) => {
                Err(Error::usage(format!("--scenario: {factor}; give a multiple of the rate above 0, up to 100")))
            }
            Scenario::Rate(rate) if rate > 0.0 && rate.is_finite() => {
                Ok(outlook::at_rate(&self.settings, forecast, rate))
            }
            Scenario::Rate(rate) => {
                Err(Error::usage(format!("--rate: {rate}; give a change of the index a year above 0")))
            }
        }
    }

    /// Student's quantiles for up to `count` degrees of freedom.
    fn prepare_quantiles(&self, count: usize, work: &mut Work) {
        if work.confidence != self.settings.confidence {
            work.quantiles.clear();
            work.confidence = self.settings.confidence;
        }
        let tail = 0.5 * (1.0 - self.settings.confidence);
        for df in work.quantiles.len()..=count {
            // No fit has zero degrees of freedom.
            work.quantiles.push(upper_quantile(tail, df as f64).unwrap_or(f64::NAN));
        }
    }
}

#[cfg(test)]
mod tests;
