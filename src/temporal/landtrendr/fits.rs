//! Step 4: values at given vertices. Two fits of a path of straight segments: anchored from the left, and joint.

use super::series::Sums;

/// How the values at the vertices are fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FitMethod {
    /// Segment by segment from the left: the first by least squares, the others by least squares through the end of the last one.
    Anchored,
    /// All vertices at once by least squares.
    Joint,
}

/// First segment of an anchored fit: its free least-squares line, as values at both ends, and the sum of squared residuals of its
/// points (`from..=to`).
///
/// The method chooses between this line and the one that joins the raw values of both ends, and takes the second unless the first
/// has the smaller sum. A least-squares line never has the larger one; where both are equal they are one line.
pub(super) fn free_segment(points: &Sums, from: f64, to: f64) -> (f64, f64, f64) {
    let (level, slope) = points.line();
    let (left, right) = (level + slope * from, level + slope * to);
    (left, right, points.residuals(from, left, slope))
}

/// Further segment of an anchored fit: the least-squares line through the fitted value `left` at `from`, as its value at `to`, and the
/// sum of squared residuals of its points (after `from`, up to `to`). The same remark holds.
pub(super) fn anchored_segment(points: &Sums, from: f64, left: f64, to: f64) -> (f64, f64) {
    let (xx, xy, yy) = points.about(from, left);
    let slope = xy / xx;
    (left + slope * (to - from), (yy - slope * xy).max(0.0))
}

/// Normal equations of the joint fit: least squares over all values at the vertices at once. A point touches the two vertices around it,
/// so the matrix has three diagonals.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joint<const MOST: usize> {
    diagonal: [f64; MOST],
    above: [f64; MOST],
    right_side: [f64; MOST],
    squares: f64,
}

impl<const MOST: usize> Joint<MOST> {
    pub(super) fn new() -> Self {
        Self { diagonal: [0.0; MOST], above: [0.0; MOST], right_side: [0.0; MOST], squares: 0.0 }
    }

    /// Adds the points of segment `i`, from `from` to `to`. A point at a vertex is to be given once.
    pub(super) fn add(&mut self, i: usize, points: &Sums, from: f64, to: f64) {
        // A point at share u of the way weighs 1−u at the left vertex and u at the right one.
        let length = to - from;
        let (xx, xy, _) = points.about(from, 0.0);
        let u = (points.x - points.n * from) / length;
        let (uu, uy) = (xx / (length * length), xy / length);
        self.diagonal[i] += points.n - 2.0 * u + uu;
        self.above[i] += u - uu;
        self.diagonal[i + 1] += uu;
        self.right_side[i] += points.y - uy;
        self.right_side[i + 1] += uy;
        self.squares += points.yy;
    }

    /// Values at the `values.len()` vertices and the sum of squared residuals. `None` where the points leave a vertex open.
    pub(super) fn solve(mut self, values: &mut [f64]) -> Option<f64> {
        // Gaussian elimination; the matrix is positive definite unless a vertex is open, so no pivot is needed.
        let count = values.len();
        let sides = self.right_side;
        for i in 0..count {
            if i > 0 {
                let factor = self.above[i - 1] / self.diagonal[i - 1];
                self.right_side[i] -= factor * self.right_side[i - 1];
                let pivot = self.diagonal[i] - factor * self.above[i - 1];
                if pivot <= 1e-12 * self.diagonal[i] {
                    return None;
                }
                self.diagonal[i] = pivot;
            }
            if self.diagonal[i] <= 0.0 {
                return None;
            }
        }
        for i in (0..count).rev() {
            let next = if i + 1 < count { self.above[i] * values[i + 1] } else { 0.0 };
            values[i] = (self.right_side[i] - next) / self.diagonal[i];
        }
        let explained: f64 = values.iter().zip(&sides).map(|(value, side)| value * side).sum();
        Some((self.squares - explained).max(0.0))
    }
}
