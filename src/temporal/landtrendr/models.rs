//! Steps 5 to 8: the models from the full set of vertices down to one segment, their statistics, and the choice among them.

use super::LandTrendrSettings;
use super::fits::{FitMethod, Joint, anchored_segment, free_segment};
use super::series::{Series, Sums, range};
use super::vertices::{MOST, Vertices};
use crate::numeric::beta;

/// A path of straight segments and its statistics.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Model {
    pub(super) vertices: Vertices,
    pub(super) values: [f64; MOST],
    /// Probability of so large an F without any change.
    pub(super) p: f64,
    /// F statistic.
    pub(super) f: f64,
}

/// The model at work and its sums of squared residuals, segment by segment (anchored) or all in the first (joint).
struct Path {
    model: Model,
    residuals: [f64; MOST],
}

/// Least F statistic told apart from nothing, and the least mean square of the regression that earns more.
const LEAST_F: f64 = 1e-5;
const LEAST_MEAN_SQUARE: f64 = 1e-5;

/// Share of the squares below which residuals are rounding. Of models that are exact but for rounding the smallest is the surest.
const ROUNDING: f64 = 1e-14;

/// Steps 6 to 8: which of `models` is chosen, or `None` where a flat line is as good. Values of `series` may be replaced.
pub(super) fn best(
    settings: &LandTrendrSettings,
    series: &mut Series,
    vertices: Vertices,
    models: &mut Vec<Model>,
) -> Option<usize> {
    [FitMethod::Anchored, FitMethod::Joint].into_iter().find_map(|method| {
        simplify(settings, method, series, vertices, models);
        choose(settings, series, models).filter(|&chosen| models[chosen].p <= settings.pval)
    })
}

/// Step 6: models with ever fewer vertices, the last with two.
fn simplify(
    settings: &LandTrendrSettings,
    method: FitMethod,
    series: &mut Series,
    vertices: Vertices,
    models: &mut Vec<Model>,
) {
    models.clear();
    let mut path = Path { model: Model { vertices, ..Model::default() }, residuals: [0.0; MOST] };
    path.fit(method, series, 0);
    loop {
        path.test(settings, series);
        models.push(path.model);
        let model = &mut path.model;
        if model.count() <= 2 {
            return;
        }
        let gone = match method {
            FitMethod::Anchored => model.dissolve_recovery(settings, series),
            FitMethod::Joint => None,
        };
        let gone = gone.unwrap_or_else(|| {
            let weakest = model.weakest(series);
            model.vertices.remove(weakest);
            weakest
        });
        path.fit(method, series, gone - 1);
    }
}

/// Step 7: of the models that are nearly as sure as the surest, the one with the most segments; never one that recovers too fast.
fn choose(settings: &LandTrendrSettings, series: &Series, models: &mut [Model]) -> Option<usize> {
    loop {
        let surest = models.iter().map(|model| model.p).fold(f64::INFINITY, f64::min);
        let limit = (2.0 - settings.best_model) * surest;
        let chosen = models.iter().position(|model| model.p.is_finite() && model.p <= limit)?;
        if models[chosen].fast_recovery(settings, series).is_none() {
            return Some(chosen);
        }
        // Out of the choice, and no measure for the others.
        models[chosen].p = f64::INFINITY;
    }
}

impl Path {
    /// Step 4. Segments before `from` are as they were.
    fn fit(&mut self, method: FitMethod, series: &Series, from: usize) {
        let Self { model: Model { vertices, values, .. }, residuals } = self;
        let at = vertices.as_slice();
        let x = |i: usize| series.x[usize::from(at[i])];
        let segments = at.len() - 1;
        match method {
            FitMethod::Anchored => {
                for i in from..segments {
                    let (a, b) = (usize::from(at[i]), usize::from(at[i + 1]));
                    if b == a + 1 {
                        // Two points have one line. Its residual at the left one belongs to the segment before.
                        if i == 0 {
                            values[0] = series.y[a];
                        }
                        (values[i + 1], residuals[i]) = (series.y[b], 0.0);
                    } else if i == 0 {
                        (values[0], values[1], residuals[0]) = free_segment(&series.sums(a, b + 1), x(0), x(1));
                    } else {
                        let points = series.sums(a + 1, b + 1);
                        (values[i + 1], residuals[i]) = anchored_segment(&points, x(i), values[i], x(i + 1));
                    }
                }
            }
            FitMethod::Joint => {
                let mut equations = Joint::<MOST>::new();
                for i in 0..segments {
                    let (from, to) = (usize::from(at[i]), usize::from(at[i + 1]));
                    let end = if i + 1 == segments { to + 1 } else { to };
                    equations.add(i, &series.sums(from, end), x(i), x(i + 1));
                }
                // Every vertex is a point, so none is open.
                residuals[..segments].fill(0.0);
                residuals[0] = equations.solve(&mut values[..=segments]).unwrap_or(f64::INFINITY);
            }
        }
    }

    /// Step 5.
    fn test(&mut self, settings: &LandTrendrSettings, series: &Series) {
        let all: Sums = series.sums(0, series.len());
        let total = all.yy - all.y * all.y / all.n;
        let rest = self.residuals[..self.model.count() - 1].iter().sum::<f64>().max(ROUNDING * total).min(total);
        let predictors = 2 * self.model.count() - 2;
        let (mut f, mut p) = (0.0, 1.0);
        if series.len() > predictors + 1 {
            let freedom = series.len() - predictors - 1;
            let (q, df) = (predictors as f64, freedom as f64);
            let mean_square = (total - rest) / q;
            // The share df/(df + qF) is the share of the squares that is left unexplained.
            let unexplained = if mean_square < LEAST_MEAN_SQUARE {
                f = LEAST_F;
                df / (df + q * LEAST_F)
            } else {
                f = mean_square / (rest / df);
                rest / total
            };
            p = beta::regularised_whole(freedom as u32, predictors as u32 / 2, unexplained);
            if let Some(floor) = settings.p_floor {
                p = p.max(floor);
            }
        }
        (self.model.f, self.model.p) = (f, p);
    }
}

impl Model {
    /// Number of vertices.
    pub(super) fn count(&self) -> usize {
        self.vertices.as_slice().len()
    }

    /// The steepest of the segments that recover (fall) faster than allowed.
    fn fast_recovery(&self, settings: &LandTrendrSettings, series: &Series) -> Option<usize> {
        let values = &self.values[..self.count()];
        let (low, high) = range(values);
        let mut steepest = None;
        let mut limit = 0.0;
        for (i, pair) in self.vertices.as_slice().windows(2).enumerate() {
            let duration = series.x[usize::from(pair[1])] - series.x[usize::from(pair[0])];
            let slope = (values[i + 1] - values[i]) / duration;
            let too_fast =
                -slope > settings.recovery * (high - low) || (settings.prevent_one_year_recovery && duration == 1.0);
            if slope < limit && too_fast {
                (steepest, limit) = (Some(i), slope);
            }
        }
        steepest
    }

    /// The recovery branch of step 6: deletes the vertex after the steepest recovery that is too fast and smooths the point there.
    /// Answers which vertex has gone; at the end of the series only the last value is smoothed, and no vertex goes.
    fn dissolve_recovery(&mut self, settings: &LandTrendrSettings, series: &mut Series) -> Option<usize> {
        let right = self.fast_recovery(settings, series)? + 1;
        let at = usize::from(self.vertices.as_slice()[right]);
        if right + 1 < self.count() {
            let share = (series.x[at] - series.x[at - 1]) / (series.x[at + 1] - series.x[at - 1]);
            series.set(at, series.y[at - 1] + share * (series.y[at + 1] - series.y[at - 1]));
            self.vertices.remove(right);
            Some(right)
        } else {
            series.set(at, series.y[at - 1]);
            self.values[right] = series.y[at];
            None
        }
    }

    /// The interior vertex whose removal costs least: squared residuals from the line between its neighbours, over the time it spans.
    fn weakest(&self, series: &Series) -> usize {
        let at = self.vertices.as_slice();
        let mut least = (1, f64::INFINITY);
        for (i, span) in at.windows(3).enumerate() {
            let (left, right) = (usize::from(span[0]), usize::from(span[2]));
            let (from, to) = (series.x[left], series.x[right]);
            let slope = (self.values[i + 2] - self.values[i]) / (to - from);
            let cost = series.sums(left, right + 1).residuals(from, self.values[i], slope) / (to - from);
            if cost < least.1 {
                least = (i + 1, cost);
            }
        }
        least.0
    }
}
