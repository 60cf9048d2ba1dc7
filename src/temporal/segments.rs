//! Segments between the vertices of a path, and what they say of disturbance and recovery.
//!
//! Of consecutive vertices: magnitude = post − pre, rate = magnitude / duration (per year), signal to noise = |magnitude| / RMSE of
//! the path. A loss is a segment in the direction of disturbance whose magnitude reaches a threshold and that begins in land that is
//! vegetated enough; a recovery goes the other way. The year reported is the one after the start: the last year without change is
//! the vertex, the first with it is the next.

use crate::error::{Error, Result};

/// Which way the values go when land is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Loss {
    /// Disturbance lowers the values (NBR, NDVI, cover).
    #[default]
    Falls,
    /// Disturbance raises the values (bare-soil indices, reflectance in the red).
    Rises,
}

impl Loss {
    /// Factor that turns values so that disturbance is up.
    pub(super) fn sign(self) -> f64 {
        match self {
            Self::Falls => -1.0,
            Self::Rises => 1.0,
        }
    }
}

/// A straight piece of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// Year of the first vertex, the last before the change.
    pub start: i32,
    /// Year of the second vertex.
    pub end: i32,
    /// Value at the start.
    pub pre: f64,
    /// Value at the end.
    pub post: f64,
}

impl Segment {
    /// `post − pre`.
    #[must_use]
    pub fn magnitude(&self) -> f64 {
        self.post - self.pre
    }

    /// Years from start to end.
    #[must_use]
    pub fn duration(&self) -> i32 {
        self.end - self.start
    }

    /// Magnitude per year.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.magnitude() / f64::from(self.duration())
    }

    /// First year of the change: `start + 1`.
    #[must_use]
    pub fn year(&self) -> i32 {
        self.start + 1
    }

    /// Signal to noise: |magnitude| over the RMSE of the path; `None` for a path without residuals.
    #[must_use]
    pub fn signal_to_noise(&self, rmse: f64) -> Option<f64> {
        (rmse > 0.0).then(|| self.magnitude().abs() / rmse)
    }
}

/// Puts the segments of a path into `segments`, in order. Vertex years must rise.
pub fn segments_of(years: &[i32], values: &[f64], segments: &mut Vec<Segment>) {
    segments.clear();
    segments.extend(years.windows(2).zip(values.windows(2)).map(|(year, value)| Segment {
        start: year[0],
        end: year[1],
        pre: value[0],
        post: value[1],
    }));
}

/// Merges neighbours that both rise or both fall at angles no more than `degrees` apart (15 is usual), from the left; a merged
/// segment counts as one for the next. Angles are taken with the range of the path drawn as long as its duration.
pub fn merge_similar(segments: &mut Vec<Segment>, degrees: f64) {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        return;
    };
    let (low, high) = segments
        .iter()
        .fold((first.pre, first.pre), |(low, high), segment| (low.min(segment.post), high.max(segment.post)));
    let scale = f64::from(last.end - first.start) / (high - low);
    let angle = |segment: &Segment| libm::atan(segment.rate() * scale).to_degrees();
    // A path without range has no angle, and nothing of it is of one sign.
    segments.dedup_by(|next, kept| {
        let alike = kept.magnitude() * next.magnitude() > 0.0 && (angle(kept) - angle(next)).abs() <= degrees;
        if alike {
            (kept.end, kept.post) = (next.end, next.post);
        }
        alike
    });
}

/// Direction of the segment that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// In the direction of disturbance.
    Disturbance,
    /// Against it.
    Recovery,
}

/// Which of several segments is reported; the earliest of equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Largest magnitude.
    Greatest,
    /// Last in time.
    Newest,
    /// Longest duration.
    Longest,
}

/// What counts as a change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangeRule {
    loss: Loss,
    least_magnitude: f64,
    least_pre: Option<f64>,
}

impl ChangeRule {
    /// A rule: least |magnitude| of a change (such as 0.1 for NBR, 100 if it is multiplied by 1000), and the value from which a
    /// disturbance must start: at least `least_pre` where loss falls, at most `least_pre` where it rises.
    pub fn new(loss: Loss, least_magnitude: f64, least_pre: Option<f64>) -> Result<Self> {
        if !(least_magnitude.is_finite() && least_magnitude >= 0.0) {
            return Err(Error::usage(format!("--min-magnitude: {least_magnitude}, expected 0 or more")));
        }
        if let Some(pre) = least_pre.filter(|pre| !pre.is_finite()) {
            return Err(Error::usage(format!("--min-pre: {pre}, expected a number")));
        }
        Ok(Self { loss, least_magnitude, least_pre })
    }

    /// Whether a segment is a change of this kind.
    #[must_use]
    pub fn holds(&self, segment: &Segment, change: Change) -> bool {
        let sign = self.loss.sign();
        // Positive where the change is of the kind looked for.
        let size = match change {
            Change::Disturbance => sign * segment.magnitude(),
            Change::Recovery => -sign * segment.magnitude(),
        };
        let starts_vegetated =
            change == Change::Recovery || self.least_pre.is_none_or(|least| sign * segment.pre <= sign * least);
        size > 0.0 && size >= self.least_magnitude && starts_vegetated
    }

    /// The segment to report, if any is a change of this kind.
    #[must_use]
    pub fn select(&self, segments: &[Segment], change: Change, selection: Selection) -> Option<Segment> {
        let key = |segment: &Segment| match selection {
            Selection::Greatest => segment.magnitude().abs(),
            Selection::Newest => f64::from(segment.start),
            Selection::Longest => f64::from(segment.duration()),
        };
        let mut best: Option<Segment> = None;
        for segment in segments.iter().filter(|segment| self.holds(segment, change)) {
            if best.is_none_or(|best| key(segment) > key(&best)) {
                best = Some(*segment);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(years: &[i32], values: &[f64]) -> Vec<Segment> {
        let mut segments = Vec::new();
        segments_of(years, values, &mut segments);
        segments
    }

    fn example() -> Vec<Segment> {
        path(&[1990, 1995, 1996, 2004, 2006, 2016], &[0.6, 0.62, 0.2, 0.5, 0.3, 0.45])
    }

    #[test]
    fn measures() {
        let fall = example()[1];
        assert_eq!((fall.start, fall.end, fall.year(), fall.duration()), (1995, 1996, 1996, 1));
        assert!((fall.magnitude() + 0.42).abs() < 1e-15 && (fall.rate() + 0.42).abs() < 1e-15);
        assert!((example()[2].rate() - 0.3 / 8.0).abs() < 1e-15);
        assert!((fall.signal_to_noise(0.06).unwrap() - 7.0).abs() < 1e-12);
        assert_eq!(fall.signal_to_noise(0.0), None);
    }

    #[test]
    fn selections() {
        let rule = ChangeRule::new(Loss::Falls, 0.1, Some(0.4)).unwrap();
        let start = |change, selection| rule.select(&example(), change, selection).map(|segment| segment.start);
        assert_eq!(start(Change::Disturbance, Selection::Greatest), Some(1995));
        assert_eq!(start(Change::Disturbance, Selection::Newest), Some(2004));
        assert_eq!(start(Change::Disturbance, Selection::Longest), Some(2004));
        assert_eq!(start(Change::Recovery, Selection::Greatest), Some(1996));
        assert_eq!(start(Change::Recovery, Selection::Newest), Some(2006));
        assert_eq!(start(Change::Recovery, Selection::Longest), Some(2006));
    }

    #[test]
    fn thresholds() {
        let strict = ChangeRule::new(Loss::Falls, 0.0, Some(0.55)).unwrap();
        assert_eq!(strict.select(&example(), Change::Disturbance, Selection::Newest).unwrap().start, 1995);
        let large = ChangeRule::new(Loss::Falls, 0.5, None).unwrap();
        assert_eq!(large.select(&example(), Change::Disturbance, Selection::Greatest), None);
        // Where disturbance raises the values the limit is one from above.
        let bare = ChangeRule::new(Loss::Rises, 0.1, Some(0.25)).unwrap();
        assert_eq!(bare.select(&example(), Change::Disturbance, Selection::Newest).unwrap().start, 1996);
        assert!(ChangeRule::new(Loss::Falls, -0.1, None).is_err());
        assert!(ChangeRule::new(Loss::Falls, 0.1, Some(f64::NAN)).is_err());
        // A level segment is no change, whatever the threshold.
        let any = ChangeRule::new(Loss::Falls, 0.0, None).unwrap();
        assert_eq!(any.select(&path(&[2000, 2009], &[1.0, 1.0]), Change::Recovery, Selection::Greatest), None);
    }

    #[test]
    fn ties_go_to_the_earliest() {
        let segments = path(&[2000, 2001, 2002, 2003], &[5.0, 3.0, 5.0, 3.0]);
        let rule = ChangeRule::new(Loss::Falls, 1.0, None).unwrap();
        assert_eq!(rule.select(&segments, Change::Disturbance, Selection::Greatest).unwrap().start, 2000);
        assert_eq!(rule.select(&segments, Change::Disturbance, Selection::Longest).unwrap().start, 2000);
    }

    #[test]
    fn merging() {
        // Ten years and a range of ten: angles 45, 56.3 and −45 degrees; the first two are 11.3 apart.
        let mut segments = path(&[2000, 2002, 2006, 2010], &[0.0, 2.0, 8.0, 4.0]);
        let mut steep = path(&[2000, 2002, 2006, 2010], &[0.0, 0.0, 10.0, 6.0]);
        for segment in &mut segments {
            (segment.pre, segment.post) = (segment.pre * 1.25, segment.post * 1.25);
        }
        merge_similar(&mut segments, 15.0);
        assert_eq!(segments.len(), 2);
        assert_eq!(segments[0], Segment { start: 2000, end: 2006, pre: 0.0, post: 10.0 });
        merge_similar(&mut segments, 180.0);
        assert_eq!(segments.len(), 2, "segments of two signs stay apart");
        merge_similar(&mut steep, 15.0);
        assert_eq!(steep.len(), 3, "a level segment has no sign");
        let mut level = path(&[2000, 2001, 2002], &[3.0, 3.0, 3.0]);
        merge_similar(&mut level, 15.0);
        assert_eq!(level.len(), 2);
        let mut none = Vec::new();
        merge_similar(&mut none, 15.0);
        assert!(none.is_empty());
    }
}
