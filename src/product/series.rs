//! From scenes to series: the formula of every date, the axis of time, and periods.

use std::sync::Arc;

use jiff::civil::Date;

use super::bands::{bind, lookup, of_scene, settings_for};
use super::composite::date;
use super::period::{Every, by_period};
use crate::analysis::series::{Dates, Period, Statistic};
use crate::engine::Pass;
use crate::error::{Error, Result};
use crate::scene::Entered;
use crate::spectral::{Builder, Index, Node, Program, Settings};

/// The values of a series: what is computed of every date, and how dates become periods.
#[derive(Clone, Debug)]
pub struct SeriesOptions {
    /// Values of a date, in order: one index, or several bands.
    pub indices: Vec<Index>,
    /// Constants, kernel and wavelengths.
    pub settings: Settings,
    /// One observation a period instead of one a date.
    pub every: Option<Every>,
    /// What a period's dates become.
    pub reduce: Statistic,
}

/// A series that is ready to be given to a model.
#[derive(Clone)]
pub struct Series {
    /// Formulas and channels of all dates.
    pub dates: Dates,
    /// Days of the dates.
    pub days: Vec<Date>,
    /// Periods, where asked for, and their statistic.
    pub periods: Option<(Vec<Period>, Statistic)>,
}

impl Series {
    /// Times of the axis: of the periods, else of the dates.
    #[must_use]
    pub fn axis(&self) -> Vec<f64> {
        match &self.periods {
            Some((periods, _)) => periods.iter().map(|p| p.time).collect(),
            None => self.days.iter().map(|d| decimal_year(*d)).collect(),
        }
    }
}

/// Adds the channels of a series to a pass. Scenes are entered under different prefixes, in order of time.
///
/// # Errors
/// Where a formula lacks bands of a scene, a scale it needs is unknown, or a scene has no date.
pub fn enter(pass: &mut Pass, scenes: &[&Entered], options: &SeriesOptions) -> Result<Series> {
    let mut known: Vec<(Vec<Node>, Vec<String>, Arc<Program>)> = Vec::new();
    let mut dates = Dates::new();
    let mut days = Vec::with_capacity(scenes.len());
    let scale_free = options.indices.iter().try_fold(true, |all, i| i.is_scale_free().map(|free| all && free))?;
    for entered in scenes {
        let scene = &entered.scene;
        let mut builder = Builder::new(settings_for(scene, &options.settings));
        let mut nodes = Vec::with_capacity(options.indices.len());
        for index in &options.indices {
            nodes.push(builder.add_within_range(index, &lookup(scene, 0)).map_err(of_scene(scene))?);
        }
        let graph = &builder.graph;
        if graph.inputs().is_empty() {
            return Err(Error::usage("the expression reads no band; use band letters (N, R) or names (nir, red)"));
        }
        let reads = bind(pass, &[entered], graph, scale_free)?;
        // Most stacks are of one sensor: one program for all of its dates.
        let same = known.iter().find(|(n, inputs, _)| n == graph.nodes() && inputs == graph.inputs());
        let program = if let Some((.., program)) = same {
            Arc::clone(program)
        } else {
            let program = Arc::new(Program::compile(graph, &nodes));
            known.push((graph.nodes().to_vec(), graph.inputs().to_vec(), Arc::clone(&program)));
            program
        };
        let day = date(scene)?;
        dates.push(decimal_year(day), &program, reads);
        days.push(day);
    }
    let periods = options.every.map(|every| (periods(&days, every), options.reduce));
    Ok(Series { dates, days, periods })
}

/// Periods of dates that are in order of time.
fn periods(days: &[Date], every: Every) -> Vec<Period> {
    let of = |(period, dates): (super::period::Period, Vec<usize>)| {
        let first = dates.first().copied().unwrap_or_default();
        Period { time: period.time(), dates: first..first + dates.len() }
    };
    by_period(days, every).into_iter().map(of).collect()
}

/// Year and the part of it that is over when a day begins.
#[must_use]
pub fn decimal_year(day: Date) -> f64 {
    f64::from(day.year()) + f64::from(day.day_of_year() - 1) / f64::from(day.days_in_year())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn decimal_years_know_leap_years() {
        assert_eq!(decimal_year(date(2019, 1, 1)), 2019.0);
        assert_eq!(decimal_year(date(2020, 12, 31)), 2020.0 + 365.0 / 366.0);
    }

    #[test]
    fn periods_hold_their_dates_in_order() {
        let days = [date(2018, 12, 1), date(2019, 1, 5), date(2019, 7, 9), date(2020, 7, 9)];
        let year = |time, dates| Period { time, dates };
        assert_eq!(periods(&days, Every::Year), [year(2018.0, 0..1), year(2019.0, 1..3), year(2020.0, 3..4)]);
        let winter = periods(&days, Every::Season)[0].clone();
        assert_eq!((winter.time, winter.dates), (2019.0 + 0.5 / 12.0, 0..2));
    }
}
