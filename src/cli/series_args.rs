//! Options of verbs that read a stack of dates.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use jiff::civil::Date;

use super::args::{Common, SceneArgs};
use super::index::expression;
use super::options::{IndexSettings, find};
use crate::analysis::series::Statistic;
use crate::engine::Pass;
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::product::Context;
use crate::product::period::Every;
use crate::product::series::SeriesOptions;
use crate::scene::{Alignment, Entered, Scene};
use crate::spectral::Index;

/// Which dates, and which value of each.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Series options")]
pub struct SeriesArgs {
    /// Index whose series is analysed (NDVI, NBR, ...); `value` where the inputs hold a ready-made one (value=series.tif)
    /// [default: NDVI]
    #[arg(long, value_name = "NAME", conflicts_with = "expr")]
    index: Option<String>,
    /// Formula instead of an index, "(N-R)/(N+R)" or "mine=(nir-red)/nir"
    #[arg(long, value_name = "FORMULA", allow_hyphen_values = true)]
    expr: Option<String>,
    #[command(flatten)]
    settings: IndexSettings,
    /// First date that is used (YYYY-MM-DD)
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Last date that is used
    #[arg(long, value_name = "DATE")]
    to: Option<Date>,
    /// Days of the year that are used, for every year alike (06-01:09-15)
    #[arg(long, value_name = "MM-DD:MM-DD")]
    season: Option<Season>,
    /// One value a year, season or month instead of one a date
    #[arg(long, value_name = "year|season|month")]
    every: Option<Every>,
    /// What the valid dates of a period become: median, mean, max, min, or a percentile p0 to p100
    #[arg(long, value_name = "STATISTIC", default_value = "median")]
    reduce: Statistic,
}

/// A stack of dates on one grid, in a pass that no product was added to yet.
pub struct Stack {
    /// The pass.
    pub pass: Pass,
    /// The grid of the scenes, whatever area of it the pass covers.
    pub grid: Grid,
    /// Its scenes, in order of time.
    pub scenes: Vec<Entered>,
    /// What is computed of each.
    pub options: SeriesOptions,
}

impl Stack {
    /// Years and medians of a reference area, read in a pass of its own over the box of its polygons.
    ///
    /// # Errors
    /// As [`crate::product::recovery::reference()`], and those of reading the polygons.
    pub fn reference(&self, path: &PathBuf, common: &Common, context: &Context) -> Result<(Vec<i32>, Vec<f64>)> {
        let layer = crate::io::vector::read(&crate::scene::local_file(path)?, None)?;
        context.notes.reads(path, None);
        let common = Common { aoi: Some(path.clone()), ..common.clone() };
        let mut pass = common.pass("reference", &self.grid, context)?;
        let mut entered = Vec::with_capacity(self.scenes.len());
        for (i, scene) in self.scenes.iter().enumerate() {
            entered.push(scene.scene.enter(&mut pass, &format!("{i}:"))?);
        }
        crate::product::recovery::reference(pass, &entered.iter().collect::<Vec<_>>(), &self.options, &layer, context)
    }
}

impl SeriesArgs {
    /// Opens the scenes of a verb and enters them into a pass over their common grid. `every` is what a method needs where
    /// the user asks for nothing.
    ///
    /// # Errors
    /// Those of opening the scenes and of grids that do not nest; input error where no date is left.
    pub fn open(
        &self,
        inputs: &[String],
        name: &str,
        every: Option<Every>,
        (common, scene): (&Common, &SceneArgs),
        context: &Context,
    ) -> Result<Stack> {
        let options = self.options(every)?;
        let mut scenes = scene.open_stack(inputs, common, context)?;
        self.select(&mut scenes)?;
        let (grid, scenes) = scene.together(scenes, Alignment::Intersection, context)?;
        let mut pass = common.pass(name, &grid, context)?;
        let mut entered = Vec::with_capacity(scenes.len());
        for (i, scene) in scenes.iter().enumerate() {
            entered.push(scene.enter(&mut pass, &format!("{i}:"))?);
        }
        Ok(Stack { pass, grid, scenes: entered, options })
    }

    /// True where the user names an index or formula.
    pub fn names_index(&self) -> bool {
        self.index.is_some() || self.expr.is_some()
    }

    /// What is computed of every date.
    ///
    /// # Errors
    /// Usage error of a name or formula that is not known.
    pub fn options(&self, every: Option<Every>) -> Result<SeriesOptions> {
        let index = match (&self.expr, self.index.as_deref()) {
            (Some(formula), _) => expression(formula)?,
            (None, Some("value")) => Index::expression("value", "value"),
            (None, name) => find(name.unwrap_or("NDVI"), &[])?,
        };
        let indices = vec![index];
        let settings = self.settings.settings_for(&indices)?;
        Ok(SeriesOptions { indices, settings, every: self.every.or(every), reduce: self.reduce })
    }

    /// Leaves the dates that are asked for.
    ///
    /// # Errors
    /// Input error where none is left.
    pub fn select(&self, scenes: &mut Vec<Scene>) -> Result<()> {
        let all = scenes.len();
        let mut wanted = Vec::with_capacity(all);
        for scene in scenes.drain(..) {
            let day = crate::product::composite::date(&scene)?;
            let inside = self.from.is_none_or(|f| day >= f)
                && self.to.is_none_or(|t| day <= t)
                && self.season.is_none_or(|s| s.holds(day));
            if inside {
                wanted.push(scene);
            }
        }
        *scenes = wanted;
        if scenes.is_empty() {
            return Err(Error::input(format!("none of {all} dates lies within --from, --to and --season")));
        }
        Ok(())
    }
}

/// Days of the year from the first to the last, months and days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Season {
    first: (i8, i8),
    last: (i8, i8),
}

impl Season {
    fn holds(self, day: Date) -> bool {
        let day = (day.month(), day.day());
        self.first <= day && day <= self.last
    }
}

impl FromStr for Season {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        // A leap year, so that February has all the days it can have.
        let day = |t: &str| format!("2000-{}", t.trim()).parse::<Date>().ok().map(|d| (d.month(), d.day()));
        let (first, last) = text
            .split_once(':')
            .and_then(|(a, b)| day(a).zip(day(b)))
            .ok_or_else(|| "write two days of the year, such as 06-01:09-15".to_owned())?;
        if first > last {
            return Err(
                "the first day lies behind the last; a season over the turn of the year belongs to no single year: \
                        use --every season"
                    .to_owned(),
            );
        }
        Ok(Self { first, last })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn seasons_are_days_of_any_year() {
        let season: Season = "06-01:09-15".parse().unwrap();
        assert!(season.holds(date(2019, 6, 1)) && season.holds(date(2024, 9, 15)));
        assert!(!season.holds(date(2019, 9, 16)) && !season.holds(date(2019, 5, 31)));
        for bad in ["06-01", "13-01:14-01", "11-01:02-01", "02-30:03-01", ""] {
            assert!(bad.parse::<Season>().is_err(), "{bad}");
        }
    }
}
