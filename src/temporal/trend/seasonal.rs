//! Mann-Kendall and Theil-Sen within seasons, so that the course of the year is no trend and hides none.
//!
//! Every observation belongs to a season (a month, a quarter) of a cycle (a year). S = Σ_g S_g and Var = Σ_g Var_g over
//! seasons g (Hirsch et al. 1982), Z = (S ∓ 1)/√Var. Where the seasons of a year depend on each other, the correlated test
//! adds their covariances, cov_gh = [K_gh + 4 Σ_i R_ig R_ih − n(n_g+1)(n_h+1)]/3 over cycles i (Hirsch & Slack 1984; Dietz &
//! Killeen 1981), and Z = S/√Var without continuity correction. τ = S over the pairs within seasons. Gaps take part in no
//! pair. The slope is the median over all pairs within a season of (x_j − x_i)/(t_j − t_i); the intercept is
//! median(x) − slope·median(t). Units of the slope: those of the values per unit of time. Several observations of one
//! season and cycle stand as one: their median value at their median time. None for fewer than [`LEAST`] such values, or
//! where no season has two.
//!
//! Sources: Hirsch, Slack & Smith 1982, Water Resources Research 18:107-121; Hirsch & Slack 1984, Water Resources Research
//! 20:727-732; Dietz & Killeen 1981, JASA 76:169-174.

use super::contextual::Signed;
use super::mann_kendall::{Statistic, Test};
use super::theil_sen::Line;
use super::{LEAST, median};

/// Season and cycle of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Number of the season within its cycle, such as the month.
    pub season: u16,
    /// Number of the cycle, such as the year.
    pub cycle: i32,
}

/// A value that stands for a season of a cycle.
#[derive(Clone, Copy, Debug)]
struct Cell {
    place: Place,
    time: f64,
    value: f64,
}

/// A series arranged by season, and memory for its trends.
#[derive(Clone, Debug, Default)]
pub struct Work {
    order: Vec<u32>,
    cells: Vec<Cell>,
    statistic: Statistic,
    scratch: Vec<f64>,
    cycles: Vec<i32>,
    grid: Vec<f64>,
    signed: Signed,
}

impl Work {
    /// Takes a series with the place of each observation; false where it is too short for a trend.
    #[must_use]
    pub fn load(&mut self, times: &[f64], values: &[f64], places: &[Place]) -> bool {
        let n = times.len().min(values.len()).min(places.len());
        self.order.clear();
        self.order.extend(0..n as u32);
        self.order.sort_unstable_by_key(|&i| (places[i as usize], i));
        self.cells.clear();
        for group in self.order.chunk_by(|&a, &b| places[a as usize] == places[b as usize]) {
            let mut of = |from: &[f64]| {
                self.scratch.clear();
                self.scratch.extend(group.iter().map(|&i| from[i as usize]));
                median(&mut self.scratch)
            };
            if let (Some(time), Some(value)) = (of(times), of(values)) {
                self.cells.push(Cell { place: places[group[0] as usize], time, value });
            }
        }
        self.cells.len() >= LEAST && self.seasons().any(|season| season.len() > 1)
    }

    fn seasons(&self) -> impl Iterator<Item = &[Cell]> {
        self.cells.chunk_by(|a, b| a.place.season == b.place.season)
    }

    /// The test of the series that was loaded, with seasons that are independent or correlated.
    #[must_use]
    pub fn test(&mut self, correlated: bool) -> Option<Test> {
        let (mut s, mut variance, mut pairs) = (0, 0.0, 0);
        for season in self.cells.chunk_by(|a, b| a.place.season == b.place.season) {
            self.scratch.clear();
            self.scratch.extend(season.iter().map(|cell| cell.value));
            let (of_season, var) = self.statistic.of(&self.scratch);
            s += of_season;
            variance += var;
            pairs += (season.len() * (season.len() - 1) / 2) as u64;
        }
        if self.cells.len() < LEAST || pairs == 0 {
            return None;
        }
        if !correlated {
            return Some(Test::new(s, variance, 1.0, pairs, self.cells.len()));
        }
        self.cycles.clear();
        self.cycles.extend(self.cells.iter().map(|cell| cell.place.cycle));
        self.cycles.sort_unstable();
        self.cycles.dedup();
        self.signed.begin(self.cycles.len());
        for season in self.cells.chunk_by(|a, b| a.place.season == b.place.season) {
            self.grid.clear();
            self.grid.resize(self.cycles.len(), f64::NAN);
            for cell in season {
                if let Ok(row) = self.cycles.binary_search(&cell.place.cycle) {
                    self.grid[row] = cell.value;
                }
            }
            self.signed.add(&self.grid);
        }
        let (total, variance) = self.signed.sum_and_variance();
        Some(Test::new(total, variance, 0.0, pairs, self.cells.len()))
    }

    /// The median of the slopes within seasons, and its line, of the series that was loaded.
    #[must_use]
    pub fn line(&mut self) -> Option<Line> {
        if self.cells.len() < LEAST {
            return None;
        }
        let slopes = &mut self.scratch;
        slopes.clear();
        for season in self.cells.chunk_by(|a, b| a.place.season == b.place.season) {
            for (j, later) in season.iter().enumerate() {
                let rises = season[..j].iter().filter(|earlier| later.time > earlier.time);
                slopes.extend(rises.map(|earlier| (later.value - earlier.value) / (later.time - earlier.time)));
            }
        }
        let slope = median(slopes)?;
        let mut middle = |of: fn(&Cell) -> f64| {
            self.scratch.clear();
            self.scratch.extend(self.cells.iter().map(of));
            median(&mut self.scratch)
        };
        Some(Line { slope, intercept: middle(|cell| cell.value)? - slope * middle(|cell| cell.time)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(season: u16, cycle: i32) -> Place {
        Place { season, cycle }
    }

    /// Two seasons far apart, each rising by 1 and 2 a cycle.
    fn rising() -> (Vec<f64>, Vec<f64>, Vec<Place>) {
        let mut all = (Vec::new(), Vec::new(), Vec::new());
        for cycle in 0..4 {
            for season in 0..2_u16 {
                all.0.push(2000.0 + f64::from(cycle) + f64::from(season) / 2.0);
                all.1.push(100.0 * f64::from(season) + f64::from(cycle) * (1.0 + f64::from(season)));
                all.2.push(place(season, cycle));
            }
        }
        all
    }

    #[test]
    fn seasons_by_hand() {
        let (times, values, places) = rising();
        let mut work = Work::default();
        assert!(work.load(&times, &values, &places));
        let got = work.test(false).unwrap();
        // Six rises in each season; 18 Var = 2 · 4·3·13.
        assert_eq!((got.s, got.n, got.tau), (12, 8, 1.0));
        assert!((got.variance - 312.0 / 18.0).abs() < 1e-14);
        assert!((got.z - 11.0 / (312.0_f64 / 18.0).sqrt()).abs() < 1e-14);
        // Seasons that rise together: the variance of a sum of two equal variables is four times that of one.
        let together = work.test(true).unwrap();
        assert!((together.variance - 4.0 * 156.0 / 18.0).abs() < 1e-13);
        assert!((together.z - 12.0 / together.variance.sqrt()).abs() < 1e-14);
        // Six slopes of 1 and six of 2: 1.5. Medians: values 51.5, times 2001.75.
        assert_eq!(work.line().unwrap(), Line { slope: 1.5, intercept: 51.5 - 1.5 * 2001.75 });
    }

    #[test]
    fn order_does_not_matter_and_one_place_has_one_value() {
        let (mut times, mut values, mut places) = rising();
        let mut work = Work::default();
        assert!(work.load(&times, &values, &places));
        let want = (work.test(false), work.test(true), work.line());
        // The middle one of three observations stands for its place.
        times.extend([times[3] - 0.01, times[3] + 0.01]);
        values.extend([values[3] + 50.0, values[3] - 50.0]);
        places.extend([places[3]; 2]);
        times.reverse();
        values.reverse();
        places.reverse();
        assert!(work.load(&times, &values, &places));
        assert_eq!((work.test(false), work.test(true), work.line()), want);
    }

    #[test]
    fn too_little_is_none() {
        let mut work = Work::default();
        assert!(!work.load(&[], &[], &[]));
        assert_eq!((work.test(false), work.test(true), work.line()), (None, None, None));
        // Four values of four seasons make no pair.
        let alone: Vec<Place> = (0..4).map(|season| place(season, 0)).collect();
        assert!(!work.load(&[0.0, 0.1, 0.2, 0.3], &[1.0; 4], &alone));
        assert_eq!((work.test(false), work.line()), (None, None));
    }
}
