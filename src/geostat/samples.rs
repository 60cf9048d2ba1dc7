//! Samples ready for arithmetic: centred coordinates, co-located points merged by a stated policy.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// What happens to points closer than the coincidence tolerance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// One sample with their mean; its error variance is the pooled within-group variance over the group size.
    #[default]
    Mean,
    /// One sample with their median.
    Median,
    /// One sample with the largest value.
    Max,
    /// The first in file order.
    First,
    /// An error that names the rows.
    Error,
}

impl Duplicates {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Mean, "mean"),
        (Self::Median, "median"),
        (Self::Max, "max"),
        (Self::First, "first"),
        (Self::Error, "error"),
    ];
}

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES.iter().find(|(p, _)| p == self).map_or("", |(_, n)| n))
    }
}

impl FromStr for Duplicates {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        Self::NAMES.iter().find(|(_, n)| *n == s).map(|(p, _)| *p).ok_or_else(|| {
            Error::usage(format!(
                "policy for co-located samples {s:?} is not known; use mean, median, max, first or error"
            ))
        })
    }
}

/// Scale in which variography and kriging work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Transform {
    /// Values as they are.
    #[default]
    None,
    /// Natural logarithm.
    Log,
}

impl Transform {
    /// Name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Log => "log",
        }
    }
    /// The value in the working scale.
    #[must_use]
    pub fn forward(self, v: f64) -> f64 {
        match self {
            Self::None => v,
            Self::Log => v.ln(),
        }
    }
}

/// A measured value at a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Easting.
    pub x: f64,
    /// Northing.
    pub y: f64,
    /// Value in its own unit.
    pub value: f64,
    /// Line of the file it came from, for messages.
    pub line: u64,
}

/// How co-located points were merged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged {
    /// Places with more than one point.
    pub groups: usize,
    /// Groups whose values differ.
    pub conflicting: usize,
    /// Points that went into another sample.
    pub points: usize,
    /// Pooled variance within groups in the working scale: a lower bound of the nugget.
    pub error_variance: f64,
}

/// Samples of one variable in the working scale, relative to their centroid.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// Easting minus [`Samples::origin`].
    pub x: Vec<f64>,
    /// Northing minus [`Samples::origin`].
    pub y: Vec<f64>,
    /// Value in its own unit, merged.
    pub value: Vec<f64>,
    /// Value in the working scale.
    pub z: Vec<f64>,
    /// Error variance in the working scale; empty where every sample is taken as exact.
    pub error: Vec<f64>,
    /// Line of the (first) row each sample came from.
    pub line: Vec<u64>,
    /// What was subtracted from the coordinates.
    pub origin: (f64, f64),
    /// Distance below which two places are the same.
    pub tolerance: f64,
    /// Working scale.
    pub transform: Transform,
    /// What was merged.
    pub merged: Merged,
}

impl Samples {
    /// Merges points closer than 10⁻⁹ of the bounding-box diagonal (at least `least`: one millimetre in coordinate units)
    /// and centres the rest. Merging is transitive and keeps the place of the first point in file order.
    ///
    /// # Errors
    /// Input error without points, where a value is not positive under [`Transform::Log`], or with policy `error` where
    /// points coincide.
    pub fn new(points: &[Point], policy: Duplicates, transform: Transform, least: f64) -> Result<Self> {
        if points.is_empty() {
            return Err(Error::input("0 samples are left to interpolate from"));
        }
        if transform == Transform::Log {
            let bad: Vec<_> = points.iter().filter(|p| p.value <= 0.0).collect();
            if let Some(first) = bad.first() {
                return Err(Error::input(format!(
                    "{} of {} values are not positive (first: {} in line {}); a logarithm needs positive values: treat them as \
                     below detection (<limit) or leave out --log",
                    bad.len(),
                    points.len(),
                    first.value,
                    first.line
                )));
            }
        }
        let fold = |f: fn(&Point) -> f64| {
            points.iter().map(f).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
        };
        let (bx, by) = (fold(|p| p.x), fold(|p| p.y));
        let tolerance = (1e-9 * (bx.1 - bx.0).hypot(by.1 - by.0)).max(least);
        let groups = groups(points, tolerance);
        let (value, error, merged) = merge(points, &groups, policy, transform)?;
        // Centroid relative to the first point: sums of large coordinates would lose digits.
        let (x0, y0) = (points[0].x, points[0].y);
        let n = groups.len() as f64;
        let firsts = || groups.iter().map(|g| &points[g[0]]);
        let origin =
            (x0 + firsts().map(|p| p.x - x0).sum::<f64>() / n, y0 + firsts().map(|p| p.y - y0).sum::<f64>() / n);
        Ok(Self {
            x: firsts().map(|p| p.x - origin.0).collect(),
            y: firsts().map(|p| p.y - origin.1).collect(),
            z: value.iter().map(|&v| transform.forward(v)).collect(),
            value,
            error,
            line: firsts().map(|p| p.line).collect(),
            origin,
            tolerance,
            transform,
            merged,
        })
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.z.len()
    }

    /// True without samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.z.is_empty()
    }

    /// Bounds of the samples `[xmin, ymin, xmax, ymax]` relative to [`Samples::origin`].
    #[must_use]
    pub fn bounds(&self) -> [f64; 4] {
        let fold = |v: &[f64]| v.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &x| (a.min(x), b.max(x)));
        let ((x0, x1), (y0, y1)) = (fold(&self.x), fold(&self.y));
        [x0, y0, x1, y1]
    }

    /// Diagonal of the bounding box.
    #[must_use]
    pub fn diagonal(&self) -> f64 {
        let b = self.bounds();
        (b[2] - b[0]).hypot(b[3] - b[1])
    }

    /// The value of every sample where they are all equal.
    #[must_use]
    pub fn constant(&self) -> Option<f64> {
        self.z.first().copied().filter(|z0| self.z.iter().all(|z| z == z0))
    }
}

/// Indices of points by place: groups in order of their first point, members in order. Points are hashed into cells as wide
/// as the tolerance; of points at exactly one place only the first stays in its cell, so many duplicates cost no square.
fn groups(points: &[Point], tolerance: f64) -> Vec<Vec<usize>> {
    let (x0, y0) = points.first().map_or((0.0, 0.0), |p| (p.x, p.y));
    let cell = |p: &Point| (((p.x - x0) / tolerance).floor() as i64, ((p.y - y0) / tolerance).floor() as i64);
    let mut cells: HashMap<(i64, i64), Vec<usize>> = HashMap::with_capacity(points.len());
    let mut root: Vec<usize> = (0..points.len()).collect();
    for (i, p) in points.iter().enumerate() {
        let (cx, cy) = cell(p);
        let mut same_place = false;
        for key in (-1..=1).flat_map(|a| (-1..=1).map(move |b| (cx + a, cy + b))) {
            for &j in cells.get(&key).map_or(&[][..], Vec::as_slice) {
                let d = (p.x - points[j].x).hypot(p.y - points[j].y);
                same_place |= d == 0.0;
                if d <= tolerance {
                    let (a, b) = (find(&mut root, i), find(&mut root, j));
                    root[a.max(b)] = a.min(b);
                }
            }
        }
        if !same_place {
            cells.entry((cx, cy)).or_default().push(i);
        }
    }
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); points.len()];
    for i in 0..points.len() {
        members[find(&mut root, i)].push(i);
    }
    members.retain(|m| !m.is_empty());
    members
}

/// Smallest index of the group of `i`.
fn find(root: &mut [usize], mut i: usize) -> usize {
    while root[i] != i {
        root[i] = root[root[i]];
        i = root[i];
    }
    i
}

fn merge(
    points: &[Point],
    groups: &[Vec<usize>],
    policy: Duplicates,
    transform: Transform,
) -> Result<(Vec<f64>, Vec<f64>, Merged)> {
    let mut merged = Merged::default();
    let (mut squares, mut freedom) = (0.0, 0.0);
    let mut values = Vec::with_capacity(groups.len());
    for g in groups {
        let mut v: Vec<f64> = g.iter().map(|&i| points[i].value).collect();
        if v.len() > 1 {
            if policy == Duplicates::Error {
                let lines: Vec<_> = g.iter().take(10).map(|&i| points[i].line.to_string()).collect();
                return Err(Error::input(format!(
                    "samples in lines {} are at one place (x {}, y {}); remove all but one, or merge them with --duplicates mean",
                    lines.join(" and "),
                    points[g[0]].x,
                    points[g[0]].y
                )));
            }
            merged.groups += 1;
            merged.points += v.len() - 1;
            merged.conflicting += usize::from(v.iter().any(|x| *x != v[0]));
            let worked: Vec<f64> = v.iter().map(|&x| transform.forward(x)).collect();
            let mean = worked.iter().sum::<f64>() / worked.len() as f64;
            squares += worked.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
            freedom += (v.len() - 1) as f64;
        }
        values.push(match policy {
            Duplicates::Mean => v.iter().sum::<f64>() / v.len() as f64,
            Duplicates::Max => v.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Duplicates::First | Duplicates::Error => v[0],
            Duplicates::Median => {
                v.sort_by(f64::total_cmp);
                let m = v.len() / 2;
                if v.len() % 2 == 1 { v[m] } else { (v[m - 1] + v[m]) / 2.0 }
            }
        });
    }
    merged.error_variance = if freedom > 0.0 { squares / freedom } else { 0.0 };
    let error = if policy == Duplicates::Mean && merged.error_variance > 0.0 {
        let share = |g: &Vec<usize>| if g.len() > 1 { merged.error_variance / g.len() as f64 } else { 0.0 };
        groups.iter().map(share).collect()
    } else {
        Vec::new()
    };
    Ok((values, error, merged))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(list: &[(f64, f64, f64)]) -> Vec<Point> {
        list.iter().enumerate().map(|(i, &(x, y, value))| Point { x, y, value, line: i as u64 + 2 }).collect()
    }

    const FIVE: [(f64, f64, f64); 5] = [
        (500_000.0, 10.0, 0.5),
        (500_050.0, 20.0, 3.0),
        (500_000.0, 10.0, 0.9),
        (500_050.0, 20.0, 3.0),
        (500_000.0, 10.0, 0.1),
    ];

    #[test]
    fn groups_are_merged_and_counted() {
        let s = Samples::new(&points(&FIVE), Duplicates::Mean, Transform::None, 1e-3).unwrap();
        assert_eq!(s.value, [0.5, 3.0]);
        assert_eq!((s.merged.groups, s.merged.conflicting, s.merged.points), (2, 1, 3));
        // Within: 0.16 + 0.16 over 2 + 1 degrees of freedom, shared by 3 and by 2 members.
        assert!((s.merged.error_variance - 0.32 / 3.0).abs() < 1e-15);
        assert!((s.error[0] - 0.32 / 9.0).abs() < 1e-15 && (s.error[1] - 0.16 / 3.0).abs() < 1e-15);
        assert_eq!((s.x[1] - s.x[0], s.y[1] - s.y[0]), (50.0, 10.0));
        assert!((s.x[0] + s.x[1]).abs() < 1e-9);
    }

    #[test]
    fn policies_choose_what_they_say() {
        let value = |p| Samples::new(&points(&FIVE), p, Transform::None, 1e-3).unwrap().value[0];
        assert_eq!((value(Duplicates::Max), value(Duplicates::First), value(Duplicates::Median)), (0.9, 0.5, 0.5));
        let e = Samples::new(&points(&FIVE), Duplicates::Error, Transform::None, 1e-3).unwrap_err();
        assert!(e.to_string().contains("lines 2 and 4 and 6"), "{e}");
    }

    #[test]
    fn logarithm_of_zero_is_refused_with_its_line() {
        let e = Samples::new(&points(&[(0.0, 0.0, 1.0), (1.0, 0.0, 0.0)]), Duplicates::Mean, Transform::Log, 1e-3)
            .unwrap_err();
        assert!(e.to_string().contains("line 3"), "{e}");
    }
}
