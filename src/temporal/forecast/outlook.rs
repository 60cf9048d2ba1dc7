//! The year a target is reached, with its interval.

use super::{Fit, Forecast, ForecastSettings};

/// Why no year is given.
///
/// | code | reason |
/// |---|---|
/// | 1 | already reached |
/// | 2 | not rising |
/// | 3 | plateau not above the target |
/// | 4 | too few years |
/// | 5 | no model fits |
/// | 6 | beyond the horizon |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum NoCrossing {
    /// The curve (for an end of the interval: nothing further) is at the target or above in the last valid year.
    AlreadyReached = 1,
    /// The chosen curve falls or does not change.
    NotRising = 2,
    /// The chosen curve levels off at the target or below.
    PlateauBelow = 3,
    /// No model could be fitted to so few valid years.
    TooFewYears = 4,
    /// No model has a fit.
    NoModel = 5,
    /// Not within the horizon: the curve comes there later, or this limit of the band perhaps never.
    BeyondHorizon = 6,
}

impl NoCrossing {
    /// All reasons in order of their codes.
    pub const ALL: [Self; 6] = [
        Self::AlreadyReached,
        Self::NotRising,
        Self::PlateauBelow,
        Self::TooFewYears,
        Self::NoModel,
        Self::BeyondHorizon,
    ];
}

/// When the target is reached, in decimal years in which the value of year t stands at t.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// Year the curve reaches the target.
    pub year: Result<f64, NoCrossing>,
    /// Lower end of its interval; the last valid year where the upper limit of the band is there already.
    pub earliest: Result<f64, NoCrossing>,
    /// Upper end of its interval.
    pub latest: Result<f64, NoCrossing>,
}

/// Another rate from the last valid year on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scenario {
    /// The rate multiplied by this.
    Factor(f64),
    /// This change of the index every year.
    Rate(f64),
}

impl Outlook {
    pub(super) fn unknown() -> Self {
        Self::none(NoCrossing::NoModel)
    }

    fn none(reason: NoCrossing) -> Self {
        Self { year: Err(reason), earliest: Err(reason), latest: Err(reason) }
    }
}

/// Steps of the search along the band.
const STEP: f64 = 0.25;

/// The fit and the last year, or why there are none.
fn basis(forecast: &Forecast) -> Result<(&Fit, f64), NoCrossing> {
    match (forecast.fit(), forecast.last) {
        (Some(fit), Some(last)) => Ok((fit, f64::from(last))),
        _ if forecast.fits.iter().flatten().next().is_none()
            && forecast.fits.contains(&Err(super::NoFit::NotIdentified)) =>
        {
            Err(NoCrossing::NoModel)
        }
        _ => Err(NoCrossing::TooFewYears),
    }
}

pub(super) fn as_it_goes(settings: &ForecastSettings, forecast: &Forecast, factor: f64) -> Outlook {
    let (fit, last) = match basis(forecast) {
        Ok(basis) => basis,
        Err(reason) => return Outlook::none(reason),
    };
    let target = settings.target;
    if fit.band(last).value >= target {
        return Outlook::none(NoCrossing::AlreadyReached);
    }
    // Time runs `factor` times as fast along the curve and its band.
    let far = settings.horizon * factor;
    let year = match fit.crossing(target) {
        Some(year) if year - last <= far => Ok(last + (year - last).max(0.0) / factor),
        Some(_) => Err(NoCrossing::BeyondHorizon),
        None if !fit.rises() => Err(NoCrossing::NotRising),
        None => Err(NoCrossing::PlateauBelow),
    };
    let end = |limit: &dyn Fn(f64) -> f64| first_reach(limit, target, far).map(|ahead| last + ahead / factor);
    Outlook {
        year,
        earliest: end(&|ahead| fit.band(last + ahead).high),
        latest: end(&|ahead| fit.band(last + ahead).low),
    }
}

pub(super) fn at_rate(settings: &ForecastSettings, forecast: &Forecast, rate: f64) -> Outlook {
    let (fit, last) = match basis(forecast) {
        Ok(basis) => basis,
        Err(reason) => return Outlook::none(reason),
    };
    let now = fit.band(last);
    if now.value >= settings.target {
        return Outlook::none(NoCrossing::AlreadyReached);
    }
    let from = |level: f64| {
        let ahead = ((settings.target - level) / rate).max(0.0);
        if ahead <= settings.horizon { Ok(last + ahead) } else { Err(NoCrossing::BeyondHorizon) }
    };
    Outlook { year: from(now.value), earliest: from(now.high), latest: from(now.low) }
}

/// First time ahead, up to `far`, at which a limit of the band reaches the target.
fn first_reach(limit: &dyn Fn(f64) -> f64, target: f64, far: f64) -> Result<f64, NoCrossing> {
    if limit(0.0) >= target {
        return Ok(0.0);
    }
    let steps = (far / STEP).ceil() as usize;
    let at = |i: usize| (i as f64 * STEP).min(far);
    let first = (1..=steps).find(|i| limit(at(*i)) >= target).ok_or(NoCrossing::BeyondHorizon)?;
    let (mut low, mut high) = (at(first - 1), at(first));
    // Until the middle is one of the ends.
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return Ok(high);
        }
        if limit(middle) >= target {
            high = middle;
        } else {
            low = middle;
        }
    }
}
