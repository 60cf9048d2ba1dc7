//! Segments and breaks of series: LandTrendr, BFAST Monitor, CCDC and COLD.

use std::path::PathBuf;

use jiff::civil::Date;

use super::model::{ModelMap, attach};
use super::output::Files;
use super::series::{Series, SeriesOptions, decimal_year, enter};
use super::{Context, Product};
use crate::analysis::segment::{BfastModel, CcdcModel, Direction, LandTrendrModel, Reported};
use crate::analysis::series::SeriesModel;
use crate::engine::Pass;
use crate::error::{Error, Result};
use crate::raster::Role;
use crate::scene::{Entered, Scene};
use crate::spectral::Index;
use crate::temporal::bfast::{Axis, BfastMonitor, BfastSettings};
use crate::temporal::ccdc::{Ccdc, Settings as CcdcSettings};
use crate::temporal::landtrendr::{LandTrendr, LandTrendrSettings};
use crate::temporal::segments::Loss;

/// Which method, with its parameters.
#[derive(Clone, Debug)]
pub enum SegmentMethod {
    /// LandTrendr over years, and which changes are read off its paths.
    LandTrendr(LandTrendrSettings, Reported),
    /// BFAST Monitor on an axis of so many steps a year.
    BfastMonitor(BfastSettings, u32),
    /// CCDC or COLD over all bands, or over the index of the series.
    Ccdc(CcdcChoice),
}

/// How CCDC and COLD see the stack.
#[derive(Clone, Debug)]
pub struct CcdcChoice {
    /// Settings for one index; of all bands where `bands` is true, and then sized by the bands there are.
    pub settings: CcdcSettings,
    /// All bands instead of one index.
    pub bands: bool,
    /// Which way the index goes when vegetation is lost.
    pub loss: Loss,
    /// Breaks with bands of their own.
    pub breaks: usize,
}

/// What `segment` computes and where it goes.
#[derive(Clone, Debug)]
pub struct SegmentOptions {
    /// The series.
    pub series: SeriesOptions,
    /// Method and parameters.
    pub method: SegmentMethod,
    /// Raster of changes and vertices, or of breaks.
    pub output: PathBuf,
    /// Raster of the fitted path, a band a year; LandTrendr only.
    pub fitted: Option<PathBuf>,
}

/// Adds a segmentation to a pass. Scenes are entered under different prefixes, in order of time.
///
/// # Errors
/// As [`enter`]; usage errors of parameters and of outputs that cannot be written.
pub fn add(
    pass: &mut Pass,
    scenes: &[&Entered],
    options: &SegmentOptions,
    context: &Context,
) -> Result<Box<dyn Product>> {
    let opened: Vec<&Scene> = scenes.iter().map(|s| &s.scene).collect();
    let rasters = std::iter::once(&options.output).chain(&options.fitted).cloned().collect();
    Files { rasters, ..Files::default() }.check(&opened, context)?;
    match &options.method {
        SegmentMethod::LandTrendr(settings, reported) => {
            let series = enter(pass, scenes, &options.series)?;
            let axis = series.axis();
            let years = match (axis.first(), axis.last()) {
                (Some(first), Some(last)) => (*first as i32, *last as i32),
                _ => return Err(Error::input("segment: the stack has no date")),
            };
            let method = LandTrendr::new(*settings)?;
            let model = LandTrendrModel::new(method, settings.max_segments, reported.clone(), years);
            let (path, fitted) = (model.path_planes(), model.fitted_planes());
            let map = |path, planes: std::ops::Range<usize>, title| ModelMap { path, planes: planes.collect(), title };
            let mut maps = vec![map(&options.output, path, "LandTrendr segments")];
            maps.extend(options.fitted.iter().map(|file| map(file, fitted.clone(), "LandTrendr path, year by year")));
            attach(pass, series, model, &maps, None, None, context).map(|(product, _)| product)
        }
        SegmentMethod::BfastMonitor(settings, frequency) => {
            if settings.trend {
                context.notes.warn(
                    "the trend of the history is extrapolated through the monitoring: where that is long beside the history, \
                     stable pixels have breaks too; --no-trend keeps false alarms at the level",
                );
            }
            let series = enter(pass, scenes, &options.series)?;
            let model = BfastModel::new(BfastMonitor::new(*settings, axis(&series.days, *frequency)?)?);
            whole(pass, series, model, &options.output, "Breaks since the start of monitoring", context)
        }
        SegmentMethod::Ccdc(choice) => {
            let (series, settings, direction) = ccdc_series(pass, scenes, options, choice)?;
            let days: Vec<f64> = series.days.iter().map(|d| ordinal(*d)).collect();
            let dates = days.iter().copied().zip(series.days.iter().map(|d| decimal_year(*d))).collect();
            let model = CcdcModel::new(Ccdc::new(settings, &days)?, direction, choice.breaks, dates);
            whole(pass, series, model, &options.output, "Breaks of the seasonal model", context)
        }
    }
}

/// The bands that CCDC reads, as far as the scenes have them: changes are looked for in all but blue.
const BANDS: [Role; 6] = [Role::Blue, Role::Green, Role::Red, Role::Nir, Role::Swir16, Role::Swir22];

fn ccdc_series(
    pass: &mut Pass,
    scenes: &[&Entered],
    options: &SegmentOptions,
    choice: &CcdcChoice,
) -> Result<(Series, CcdcSettings, Direction)> {
    if !choice.bands {
        let series = enter(pass, scenes, &options.series)?;
        return Ok((series, choice.settings.clone(), Direction::Index(choice.loss)));
    }
    let there: Vec<Role> = BANDS.into_iter().filter(|r| scenes.iter().all(|s| s.scene.band(*r).is_ok())).collect();
    let at = |role: Role| there.iter().position(|r| *r == role);
    let (Some(green), Some(red), Some(nir)) = (at(Role::Green), at(Role::Red), at(Role::Nir)) else {
        let have: Vec<_> = there.iter().map(|r| r.name()).collect();
        return Err(Error::input(format!(
            "ccdc and cold need green, red and nir in all scenes, which share {}; give --index for a single index",
            if have.is_empty() { "none of them".to_owned() } else { have.join(" ") }
        )));
    };
    let indices = there.iter().map(|r| Index::expression(r.name(), r.name())).collect();
    let series = enter(pass, scenes, &SeriesOptions { indices, ..options.series.clone() })?;
    let settings = CcdcSettings {
        bands: there.len(),
        detection: (0..there.len()).filter(|i| there[*i] != Role::Blue).collect(),
        cloud_bands: std::iter::once(green).chain(at(Role::Swir16)).collect(),
        ..choice.settings.clone()
    };
    Ok((series, settings, Direction::NirRed(nir, red)))
}

/// The regular axis of dates.
///
/// # Errors
/// As [`Axis::from_dates`].
pub(super) fn axis(days: &[Date], frequency: u32) -> Result<Axis> {
    let dates: Vec<(i32, u16)> = days.iter().map(|d| (i32::from(d.year()), d.day_of_year().unsigned_abs())).collect();
    Axis::from_dates(&dates, frequency)
}

/// Days since 0001-01-01, which is day 1.
pub(super) fn ordinal(day: Date) -> f64 {
    (day.duration_since(Date::constant(1, 1, 1)).as_hours() / 24 + 1) as f64
}

fn whole<M: SeriesModel>(
    pass: &mut Pass,
    series: Series,
    model: M,
    path: &PathBuf,
    title: &str,
    context: &Context,
) -> Result<Box<dyn Product>> {
    let planes = (0..model.bands().len()).collect();
    let maps = [ModelMap { path, planes, title }];
    attach(pass, series, model, &maps, None, None, context).map(|(product, _)| product)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_count_from_the_first_of_the_calendar() {
        assert_eq!(ordinal(date(1, 1, 1)), 1.0);
        assert_eq!(ordinal(date(2000, 1, 1)), 730_120.0);
    }
}
