//! CCDC (Zhu & Woodcock 2014) and COLD (Zhu et al. 2020): a series of all bands as a sequence of seasonal models with the
//! dates of abrupt change between them.
//!
//! Model of a band over days t since 0001-01-01 (= 1): `a0 + c t + Σ_k a_k cos kωt + b_k sin kωt`, ω = 2π / period, k up to 3:
//! 4 coefficients below 18 observations, 6 below 24, else 8, fitted by LASSO. Units inside are reflectance × 10000.
//! An observation counts if it is clear land or water and all its bands lie in the valid range; of a date the first counts.
//!
//! * Start: a window of at least 12 observations and a year, cleared of missed clouds (Tmask), whose model is stable:
//!   `Σ_b ((|slope · span| + ends) / max(v_b, rmse_b))²` below the χ² threshold, with `ends` the sum (CCDC) or the larger
//!   (COLD) of the absolute residuals of the first and the last observation.
//! * Look back: earlier observations join the model until `conse` of them in a row do not fit.
//! * Look forward: `M = Σ_b (r_b / max(v_b, rmse_b))²` over the detection bands, with v the variogram and rmse that of the 24
//!   observations nearest in the season. A change is where M of `conse` observations in a row exceeds the χ² threshold of the
//!   probability; one that exceeds χ² of 1 − 10⁻⁶ alone is an outlier and dropped; all else joins the model.
//! * COLD besides: the mean angle between successive change vectors must be below 45°; where dates are denser than 16 days,
//!   `conse` grows and the probability becomes `1 − (1 − p)^(conse / longer conse)`.
//! * The model is fitted again with every observation up to 24, then when its span of time has grown by a third (CCDC) or its
//!   number of observations by 3 % (COLD).
//! * Where less than a quarter of the dates is clear: one model of clear and snow where more than 75 % of them are snow, else
//!   one of the darker of the clear ones.
//!
//! A series with fewer than the least number of usable observations has no segments.

mod axis;
mod descent;
mod detect;
mod lasso;
mod season;
mod series;
mod settings;
mod special;
mod tmask;

pub use detect::Work;
pub use settings::{Quality, Settings, Variant};

use crate::error::{Error, Result};
use crate::numeric::chi2;
use axis::Axis;

/// Most bands of a series, and most coefficients of a model.
pub const LANES: usize = 8;

/// One value a band, or one a regressor.
pub(crate) type Lanes = [f64; LANES];

/// How a segment came about; its number is the tens of the category in the published products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Procedure {
    /// A stable model that met the observations that followed.
    Stable,
    /// Observations before the first stable model: four coefficients.
    Early,
    /// Observations after the last change, too few or too restless for a stable model: four coefficients.
    Late,
    /// Nearly nothing clear: one model of all.
    Insufficient,
    /// Mostly snow: one model of all.
    Snow,
}

impl Procedure {
    /// Tens of the category in the published products: 0, 10, 20, 40, 50.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Stable => 0,
            Self::Early => 10,
            Self::Late => 20,
            Self::Insufficient => 40,
            Self::Snow => 50,
        }
    }
}

/// A time of one model. Arrays are by band; bands beyond those of the series hold 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Ordinal day of the first observation.
    pub start: f64,
    /// Ordinal day of the last observation that fits.
    pub end: f64,
    /// Ordinal day of the first observation that does not fit: of the change if [`Segment::probability`] is 1, else of a
    /// possible change that the end of the series left unconfirmed.
    pub change: Option<f64>,
    /// Share 0..=1 of the observations needed for a change that do not fit.
    pub probability: f64,
    /// Observations the coefficients were fitted to.
    pub observations: usize,
    /// How the segment came about.
    pub procedure: Procedure,
    /// Coefficients in use: 4, 6 or 8.
    pub terms: usize,
    /// Per band: a0 (at day 0), slope a day, then cosine and sine of one, two and three cycles; units of 1/10000.
    pub coefficients: [[f64; LANES]; LANES],
    /// Per band: root of the residual sum of squares over (observations − terms), units of 1/10000.
    pub rmse: [f64; LANES],
    /// Per band: median residual of the observations of the change, units of 1/10000; 0 without a confirmed change.
    pub magnitude: [f64; LANES],
}

impl Segment {
    /// Category of the published products: code of the procedure plus the number of coefficients.
    #[must_use]
    pub fn category(&self) -> u8 {
        self.procedure.code() + self.terms as u8
    }
}

/// CCDC or COLD over fixed dates; shared by all workers.
#[derive(Clone, Debug)]
pub struct Ccdc {
    settings: Settings,
    axis: Axis,
    /// 1 for a detection band, else 0.
    detection: Lanes,
    /// χ² threshold of a change with `conse`, `conse + 1`, ... observations.
    thresholds: Vec<f64>,
    /// χ² threshold of an outlier.
    outlier: f64,
}

/// Tail probability of χ² beyond which one observation is an outlier.
const OUTLIER_TAIL: f64 = 1e-6;
/// Days between dates for which `conse` is meant.
const USUAL_GAP: f64 = 16.0;

impl Ccdc {
    /// Prepares the method for a stack of `days` (ordinal, 0001-01-01 = 1), ascending; dates may repeat.
    pub fn new(settings: Settings, days: &[f64]) -> Result<Self> {
        settings.check()?;
        if days.iter().any(|day| !day.is_finite()) || days.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err(Error::usage(
                "ccdc: dates: found dates out of order, expected ascending days; sort the scenes",
            ));
        }
        let mut detection = [0.0; LANES];
        for &band in &settings.detection {
            detection[band] = 1.0;
        }
        let degrees = settings.detection.len() as f64;
        // Days are whole, so no series is denser than one a day.
        let longest = settings.conse * USUAL_GAP as usize;
        let thresholds = (settings.conse..=longest).map(|conse| {
            let tail = libm::pow(1.0 - settings.probability, settings.conse as f64 / conse as f64);
            chi2::upper_quantile(tail, degrees)
        });
        Ok(Self {
            thresholds: thresholds.collect(),
            outlier: chi2::upper_quantile(OUTLIER_TAIL, degrees),
            axis: Axis::new(days, settings.period),
            detection,
            settings,
        })
    }

    /// Settings in use.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Dates of a series.
    #[must_use]
    pub fn dates(&self) -> usize {
        self.axis.days.len()
    }

    /// Value of a segment's model on an ordinal day, in units of 1/10000.
    #[must_use]
    pub fn predict(&self, segment: &Segment, band: usize, day: f64) -> f64 {
        let turn = day / self.settings.period;
        let angle = std::f64::consts::TAU * (turn - turn.floor());
        let c = &segment.coefficients[band];
        let waves = (1..=3).map(|k| {
            let at = k as f64 * angle;
            c[2 * k] * libm::cos(at) + c[2 * k + 1] * libm::sin(at)
        });
        c[0] + c[1] * day + waves.sum::<f64>()
    }

    /// Segments of one pixel in order of time, kept in `work`. `values` holds the series of band after band (`bands × dates`,
    /// NaN = missing), `quality` one class a date. Slices of other lengths have no segments.
    pub fn segments<'w>(&self, values: &[f32], quality: &[Quality], work: &'w mut Work) -> &'w [Segment] {
        work.segments.clear();
        let dates = self.dates();
        if quality.len() == dates && values.len() == dates * self.settings.bands {
            special::choose(self, values, quality, work);
        }
        &work.segments
    }

    /// Observations that confirm a change and the χ² threshold, for a series with this median gap (days).
    fn confirmation(&self, gap: Option<f64>) -> (usize, f64) {
        let conse = self.settings.conse;
        let longer = match (self.settings.variant, gap) {
            (Variant::Cold, Some(gap)) if gap > 0.0 => (conse as f64 * USUAL_GAP / gap).round() as usize,
            _ => conse,
        };
        let more = longer.saturating_sub(conse).min(self.thresholds.len() - 1);
        (conse + more, self.thresholds[more])
    }

    /// Coefficients of a model of `observations`.
    fn terms(&self, observations: usize) -> usize {
        let by_count = match observations {
            0..18 => 4,
            18..24 => 6,
            _ => 8,
        };
        by_count.min(2 + 2 * self.settings.harmonics)
    }
}
