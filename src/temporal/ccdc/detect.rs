//! The course of detection along a series: start, look back, look forward, end.

use super::lasso::{Model, Moments};
use super::season::{NEAREST, Season};
use super::series::{Series, median};
use super::tmask::Robust;
use super::{Ccdc, LANES, Lanes, Procedure, Segment, Variant};

/// Buffers of one worker and the segments of the last series.
#[derive(Clone, Debug, Default)]
pub struct Work {
    pub(super) series: Series,
    pub(super) segments: Vec<Segment>,
    /// Rows of the series that are still in use, in order of time.
    live: Vec<u32>,
    moments: Moments,
    model: Model,
    robust: Robust,
    season: Season,
    /// Residuals over scales of the observations that may be a change.
    vectors: Vec<Lanes>,
    scratch: Vec<f64>,
}

/// Least days of a first model.
const LEAST_SPAN: f64 = 365.0;
/// Up to this many observations a model is fitted again with every one, and its rmse is that of all.
const YOUNG: usize = NEAREST;
/// Mean angle (degrees) between successive change vectors from which COLD sees no common direction.
const COMMON_DIRECTION: f64 = 45.0;
/// Least observations of a late segment and coefficients of early and late ones.
const SHORT_TERMS: usize = 4;

/// What a series is judged by.
#[derive(Clone, Copy, Debug)]
struct Rule {
    conse: usize,
    threshold: f64,
}

/// Places in `live` of the first and the last observation of a model.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: usize,
    last: usize,
}

impl Span {
    fn count(self) -> usize {
        self.last - self.first + 1
    }
}

impl Work {
    /// Segments of the series that was read.
    #[inline(always)]
    pub(super) fn detect(&mut self, ccdc: &Ccdc) {
        let n = self.series.rows.len();
        if n < ccdc.settings.minimum {
            return;
        }
        self.series.measure(ccdc.settings.bands);
        let gap = self.series.median_gap();
        let (conse, threshold) = ccdc.confirmation(gap);
        let rule = Rule { conse, threshold };
        self.live.clear();
        self.live.extend(0..n as u32);
        let mut free = 0;
        while let Some(mut span) = self.start(ccdc, rule, free) {
            self.look_back(ccdc, rule, free, &mut span);
            if self.segments.is_empty() && span.first - free >= rule.conse {
                self.short(ccdc, Procedure::Early, free, span.first);
                let day = self.day(span.first);
                if let Some(early) = self.segments.last_mut() {
                    (early.change, early.probability) = (Some(day), 1.0);
                }
            }
            match self.look_forward(ccdc, rule, span) {
                Some(next) => free = next,
                None => return,
            }
        }
        // No stable model follows: what is left is cleared of outliers and described by one model.
        let left = self.live.len() - free;
        if left > rule.conse {
            self.robust.mark(&ccdc.axis, &self.series, &self.live[free..], &ccdc.settings.cloud_bands);
            self.drop_outliers(free, left);
        }
        if self.live.len() - free >= rule.conse {
            self.short(ccdc, Procedure::Late, free, self.live.len());
        }
    }

    /// One model of the whole series that was read.
    #[inline(always)]
    pub(super) fn single(&mut self, ccdc: &Ccdc, procedure: Procedure) {
        let n = self.series.rows.len();
        if n < ccdc.settings.minimum {
            return;
        }
        self.live.clear();
        self.live.extend(0..n as u32);
        self.short(ccdc, procedure, 0, n);
    }

    fn day(&self, place: usize) -> f64 {
        self.series.days[self.live[place] as usize]
    }

    #[inline(always)]
    fn add(&mut self, ccdc: &Ccdc, place: usize) {
        let row = self.live[place] as usize;
        self.moments.add(&ccdc.axis.regressors[self.series.dates[row] as usize], &self.series.rows[row]);
    }

    /// Residuals of an observation under the model.
    #[inline(always)]
    fn residuals(&self, ccdc: &Ccdc, place: usize) -> Lanes {
        let row = self.live[place] as usize;
        let mut value = self.model.predict(&ccdc.axis.regressors[self.series.dates[row] as usize]);
        for (value, seen) in value.iter_mut().zip(&self.series.rows[row]) {
            *value = seen - *value;
        }
        value
    }

    /// Detection bands over their scale, the larger of variogram and `rmse`; other bands 0.
    #[inline(always)]
    fn weights(&self, ccdc: &Ccdc, rmse: &Lanes) -> Lanes {
        let mut weights = ccdc.detection;
        for lane in 0..LANES {
            weights[lane] /= self.series.variogram[lane].max(rmse[lane]);
        }
        weights
    }

    /// First stable window from the place `free` on; leaves its model of four coefficients.
    #[inline(always)]
    fn start(&mut self, ccdc: &Ccdc, rule: Rule, free: usize) -> Option<Span> {
        let minimum = ccdc.settings.minimum;
        let mut span = Span { first: free, last: free + minimum - 1 };
        while span.last + rule.conse < self.live.len() {
            if span.count() < minimum || self.day(span.last) - self.day(span.first) < LEAST_SPAN {
                span.last += 1;
                continue;
            }
            // The observations that follow help to tell a cloud from a change.
            let window = &self.live[span.first..=span.last + rule.conse];
            self.robust.mark(&ccdc.axis, &self.series, window, &ccdc.settings.cloud_bands);
            let kept = self.robust.outlier[..span.count()].iter().filter(|&&out| !out).count();
            if kept < span.count() {
                let outlier = &self.robust.outlier;
                let mut days = (span.first..=span.last).filter(|p| !outlier[p - span.first]).map(|p| self.day(p));
                let first = days.next().unwrap_or(0.0);
                if kept < minimum || days.next_back().unwrap_or(first) - first < LEAST_SPAN {
                    span.last += 1;
                    continue;
                }
                self.drop_outliers(span.first, span.count());
                span.last = span.first + kept - 1;
            }
            self.moments = Moments::default();
            for place in span.first..=span.last {
                self.add(ccdc, place);
            }
            self.model.forget();
            self.model.fit(&self.moments, SHORT_TERMS, ccdc.settings.lambda);
            if self.stable(ccdc, rule, span) {
                return Some(span);
            }
            span = Span { first: span.first + 1, last: span.last + 1 };
        }
        None
    }

    /// Removes the observations marked as outliers among the first `count` from the place `first` on.
    fn drop_outliers(&mut self, first: usize, count: usize) {
        let outlier = &self.robust.outlier[..count];
        let mut place = 0;
        self.live.retain(|_| {
            let drop = place >= first && outlier.get(place - first).copied().unwrap_or(false);
            place += 1;
            !drop
        });
    }

    /// Does a first model neither rise nor fall too fast and begin and end near its observations?
    #[inline(always)]
    fn stable(&self, ccdc: &Ccdc, rule: Rule, span: Span) -> bool {
        let weights = self.weights(ccdc, &self.model.rmse);
        let first = self.residuals(ccdc, span.first);
        let last = self.residuals(ccdc, span.last);
        let cycles = (self.day(span.last) - self.day(span.first)) / ccdc.settings.period;
        let mut sum = 0.0;
        for lane in 0..LANES {
            let slope = (self.model.coefficients[1][lane] * cycles).abs();
            let (first, last) = (first[lane].abs(), last[lane].abs());
            let ends = match ccdc.settings.variant {
                Variant::Ccdc => first + last,
                Variant::Cold => first.max(last),
            };
            let off = (slope + ends) * weights[lane];
            sum += off * off;
        }
        sum < rule.threshold
    }

    /// Takes earlier observations into a first model, back to the place `free`, until a change lies before it.
    #[inline(always)]
    fn look_back(&mut self, ccdc: &Ccdc, rule: Rule, free: usize, span: &mut Span) {
        let weights = self.weights(ccdc, &self.model.rmse);
        while span.first > free {
            let count = rule.conse.min(span.first - free);
            let nearest = self.excess(ccdc, span.first - 1, &weights);
            if nearest > rule.threshold {
                let places = (1..=count).map(|k| span.first - k);
                if self.change(ccdc, rule, places, &weights) {
                    return;
                }
            }
            span.first -= 1;
            if nearest > ccdc.outlier {
                self.live.remove(span.first);
                span.last -= 1;
            } else {
                self.add(ccdc, span.first);
            }
        }
    }

    /// `M = Σ (r_b w_b)²` of an observation.
    #[inline(always)]
    fn excess(&self, ccdc: &Ccdc, place: usize, weights: &Lanes) -> f64 {
        let residuals = self.residuals(ccdc, place);
        let mut sum = 0.0;
        for lane in 0..LANES {
            let off = residuals[lane] * weights[lane];
            sum += off * off;
        }
        sum
    }

    /// Do all observations at `places` exceed the threshold, in COLD in a common direction?
    #[inline(always)]
    fn change(&mut self, ccdc: &Ccdc, rule: Rule, places: impl Iterator<Item = usize>, weights: &Lanes) -> bool {
        self.vectors.clear();
        for place in places {
            let mut vector = self.residuals(ccdc, place);
            let mut sum = 0.0;
            for lane in 0..LANES {
                vector[lane] *= weights[lane];
                sum += vector[lane] * vector[lane];
            }
            if sum <= rule.threshold {
                return false;
            }
            self.vectors.push(vector);
        }
        ccdc.settings.variant == Variant::Ccdc || mean_angle(&self.vectors) < COMMON_DIRECTION
    }

    /// Follows the series from a first model on. The place after a change, or `None` at the end of the series.
    #[inline(always)]
    fn look_forward(&mut self, ccdc: &Ccdc, rule: Rule, mut span: Span) -> Option<usize> {
        self.model.count = 0;
        self.season.begin(ccdc.dates());
        // First place the model was not yet fitted with.
        let mut added = span.first;
        let variogram = self.weights(ccdc, &[0.0; LANES]);
        let mut fitted_span = 0.0;
        // The season whose rmse counts is that of the observation in question, in COLD of the newest that confirms it.
        let newest = match ccdc.settings.variant {
            Variant::Ccdc => 0,
            Variant::Cold => rule.conse - 1,
        };
        while span.last + rule.conse < self.live.len() {
            let count = span.count();
            let days = self.day(span.last) - self.day(span.first);
            let grown = match ccdc.settings.variant {
                Variant::Ccdc => days >= 1.33 * fitted_span,
                Variant::Cold => count as f64 >= 1.03 * self.model.count as f64,
            };
            if count != self.model.count && (count <= YOUNG || grown) {
                self.model.fit(&self.moments, ccdc.terms(count), ccdc.settings.lambda);
                fitted_span = days;
                self.season.refitted(&self.series, &self.live[added..=span.last]);
                added = span.last + 1;
            }
            // A scale is at least the variogram: what is small by the variogram alone needs no rmse of the season.
            let next = span.last + 1;
            let mut nearest = self.excess(ccdc, next, &variogram);
            if nearest > rule.threshold {
                let rmse = self.scatter(ccdc, next + newest);
                let weights = self.weights(ccdc, &rmse);
                nearest = self.excess(ccdc, next, &weights);
                if nearest > rule.threshold && self.change(ccdc, rule, next..next + rule.conse, &weights) {
                    self.close(ccdc, span, self.day(span.last), Some(self.day(next)), 1.0);
                    self.measure_change(ccdc, rule, next);
                    return Some(next);
                }
            }
            if nearest > ccdc.outlier {
                self.live.remove(next);
            } else {
                span.last = next;
                self.add(ccdc, next);
            }
        }
        self.finish(ccdc, rule, span);
        None
    }

    /// rmse of each band: of all observations of a young model, else of those near an observation in the season.
    fn scatter(&mut self, ccdc: &Ccdc, place: usize) -> Lanes {
        if self.model.count <= YOUNG {
            return self.model.rmse;
        }
        let date = self.series.dates[self.live[place] as usize] as usize;
        self.season.rmse(&ccdc.axis, &self.series, &self.model, date)
    }

    /// Closes the last segment: trailing observations that do not fit are a possible change.
    fn finish(&mut self, ccdc: &Ccdc, rule: Rule, span: Span) {
        let last = self.live.len() - 1;
        let rmse = self.scatter(ccdc, last);
        let weights = self.weights(ccdc, &rmse);
        let mut fits = last;
        while fits > span.last && self.excess(ccdc, fits, &weights) > rule.threshold {
            fits -= 1;
        }
        let odd = last - fits;
        let change = (odd > 0).then(|| self.day(fits + 1));
        self.close(ccdc, span, self.day(fits), change, odd as f64 / rule.conse as f64);
    }

    /// Median residuals of the observations of a change from the place `next` on, into the last segment.
    fn measure_change(&mut self, ccdc: &Ccdc, rule: Rule, next: usize) {
        self.vectors.clear();
        for place in next..next + rule.conse {
            let residuals = self.residuals(ccdc, place);
            self.vectors.push(residuals);
        }
        let Some(segment) = self.segments.last_mut() else { return };
        for band in 0..ccdc.settings.bands {
            self.scratch.clear();
            self.scratch.extend(self.vectors.iter().map(|residuals| residuals[band]));
            segment.magnitude[band] = median(&mut self.scratch).unwrap_or(0.0);
        }
    }

    /// A segment of four coefficients over the places `first..end`.
    #[inline(always)]
    fn short(&mut self, ccdc: &Ccdc, procedure: Procedure, first: usize, end: usize) {
        let (moments, model) = (self.moments.clone(), self.model.clone());
        self.moments = Moments::default();
        for place in first..end {
            self.add(ccdc, place);
        }
        self.model.forget();
        self.model.fit(&self.moments, SHORT_TERMS, ccdc.settings.lambda);
        self.close(ccdc, Span { first, last: end - 1 }, self.day(end - 1), None, 0.0);
        if let Some(segment) = self.segments.last_mut() {
            segment.procedure = procedure;
        }
        (self.moments, self.model) = (moments, model);
    }

    /// Stores a segment of the model at work.
    fn close(&mut self, ccdc: &Ccdc, span: Span, end: f64, change: Option<f64>, probability: f64) {
        let axis = &ccdc.axis;
        let origin = axis.days.first().copied().unwrap_or(0.0);
        let mut segment = Segment {
            start: self.day(span.first),
            end,
            change,
            probability,
            observations: self.model.count,
            procedure: Procedure::Stable,
            terms: self.model.terms,
            coefficients: [[0.0; LANES]; LANES],
            rmse: [0.0; LANES],
            magnitude: [0.0; LANES],
        };
        for band in 0..ccdc.settings.bands {
            let own = &mut segment.coefficients[band];
            for (value, all) in own.iter_mut().zip(&self.model.coefficients) {
                *value = all[band];
            }
            own[1] /= axis.period;
            own[0] -= own[1] * origin;
            segment.rmse[band] = self.model.rmse[band];
        }
        self.segments.push(segment);
    }
}

/// Mean angle (degrees) between successive vectors, none of them zero; 0 for fewer than two.
fn mean_angle(vectors: &[Lanes]) -> f64 {
    let norm = |v: &Lanes| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let angles = vectors.windows(2).map(|pair| {
        let dot: f64 = pair[0].iter().zip(&pair[1]).map(|(a, b)| a * b).sum();
        libm::acos((dot / (norm(&pair[0]) * norm(&pair[1]))).clamp(-1.0, 1.0)).to_degrees()
    });
    let count = vectors.len().saturating_sub(1).max(1);
    angles.sum::<f64>() / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_between_successive_vectors() {
        let vector = |x: f64, y: f64| [x, y, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(mean_angle(&[vector(1.0, 0.0)]), 0.0);
        let turns = [vector(1.0, 0.0), vector(0.0, 2.0), vector(0.0, 5.0), vector(-3.0, 0.0)];
        assert!((mean_angle(&turns) - 60.0).abs() < 1e-12);
    }
}
