//! Least squares of a curve from a start: Gauss-Newton steps by orthogonal factors, halved until they help.

use super::model::{MOST, Scaled};

pub(super) type Square = [[f64; MOST]; MOST];

/// Buffers of a fit.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// Columns of the derivatives, orthogonal after [`Buffers::factor`].
    columns: [Vec<f64>; MOST],
    residuals: Vec<f64>,
}

/// Where the steps from a start end.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) scaled: Scaled,
    pub(super) squares: f64,
    /// (JᵀJ)⁻¹ of the derivatives J at a minimum. `None` at a bound, where the parameters cannot be told apart, or where
    /// the steps did not settle.
    pub(super) inverse: Option<Square>,
}

/// Steps tried from one start. Near a minimum a step leaves a fixed share of the error, mostly a small one.
const STEPS: usize = 200;
/// Halvings of one step.
const HALVINGS: usize = 30;
/// Share of the sum of squares that the next step could still remove at which the steps end: the parameters are off by
/// about 1e-9 of their standard error (relative offset of Bates & Watts 1981).
const SETTLED: f64 = 1e-18;
/// The same share below which a minimum counts as found where rounding ends the steps sooner.
const FOUND: f64 = 1e-12;
/// A column whose part that the others cannot make is smaller than this share of it says nothing of its own.
const DEPENDENT: f64 = 1e-11;

impl Buffers {
    fn squares(&mut self, curve: &Scaled, u: &[f64], y: &[f64]) -> f64 {
        let mut sum = 0.0;
        for (u, y) in u.iter().zip(y) {
            let r = y - curve.at(*u).0;
            sum += r * r;
        }
        sum
    }

    /// Modified Gram-Schmidt of the derivatives with the residuals as a last column: the triangle R and Qᵀr.
    fn factor(&mut self, curve: &Scaled, u: &[f64], y: &[f64]) -> Option<(Square, [f64; MOST])> {
        let parameters = curve.model.parameters();
        self.residuals.clear();
        self.columns.iter_mut().for_each(Vec::clear);
        for (u, y) in u.iter().zip(y) {
            let (value, gradient) = curve.at(*u);
            self.residuals.push(y - value);
            for (column, g) in self.columns.iter_mut().zip(gradient).take(parameters) {
                column.push(g);
            }
        }
        let mut triangle = [[0.0; MOST]; MOST];
        let mut along = [0.0; MOST];
        for j in 0..parameters {
            let length = dot(&self.columns[j], &self.columns[j]).sqrt();
            let (done, rest) = self.columns.split_at_mut(j);
            let column = &mut rest[0];
            for (i, q) in done.iter().enumerate() {
                let r = dot(q, column);
                triangle[i][j] = r;
                column.iter_mut().zip(q).for_each(|(c, q)| *c -= r * q);
            }
            let own = dot(column, column).sqrt();
            // Written so that NaN is dependent too.
            if !(own > DEPENDENT * length && own.is_finite()) {
                return None;
            }
            triangle[j][j] = own;
            column.iter_mut().for_each(|c| *c /= own);
            along[j] = dot(column, &self.residuals);
            self.residuals.iter_mut().zip(&*column).for_each(|(r, q)| *r -= along[j] * q);
        }
        Some((triangle, along))
    }

    /// Steps down from `start`, with the first parameters held within `bounds`.
    pub(super) fn descend(&mut self, start: Scaled, bounds: &[(f64, f64)], u: &[f64], y: &[f64]) -> End {
        let parameters = start.model.parameters();
        let scale = y.iter().fold(0.0f64, |m, y| m.max(y.abs()));
        // Residuals of rounding only.
        let exact = y.len() as f64 * (4.0 * f64::EPSILON * scale) * (4.0 * f64::EPSILON * scale);
        let mut curve = start;
        let mut squares = self.squares(&curve, u, y);
        let mut offset = f64::INFINITY;
        for _ in 0..STEPS {
            let Some((triangle, along)) = self.factor(&curve, u, y) else {
                return End { scaled: curve, squares, inverse: None };
            };
            offset = along.iter().map(|a| a * a).sum::<f64>();
            if offset <= SETTLED * squares {
                break;
            }
            let step = solve(&triangle, along, parameters);
            // At a bound and on its way out; the search has looked along the bounds.
            let leaves = curve.p.iter().zip(step).zip(bounds);
            let mut leaves = leaves.map(|((p, s), (low, high))| (*p <= *low && s < 0.0) || (*p >= *high && s > 0.0));
            if leaves.any(|l| l) {
                break;
            }
            let mut share = 1.0;
            let mut moved = false;
            for _ in 0..HALVINGS {
                let mut next = curve;
                next.p.iter_mut().zip(step).take(parameters).for_each(|(p, s)| *p += share * s);
                next.p.iter_mut().zip(bounds).for_each(|(p, (low, high))| *p = p.clamp(*low, *high));
                let reached = self.squares(&next, u, y);
                // A step that changes nothing but rounding is taken: the offset decides, not the sum.
                if reached <= squares * (1.0 + 4.0 * f64::EPSILON) {
                    moved = next != curve;
                    (curve, squares) = (next, reached);
                    break;
                }
                share *= 0.5;
            }
            if !moved {
                break;
            }
        }
        let inside = |(p, (low, high)): (&f64, &(f64, f64))| {
            let edge = 1e-9 * (high - low);
            *p > low + edge && *p < high - edge
        };
        let found = curve.p.iter().zip(bounds).all(inside) && (offset <= FOUND * squares || squares <= exact);
        let inverse = self.factor(&curve, u, y).filter(|_| found).map(|(triangle, _)| inverse(&triangle, parameters));
        End { scaled: curve, squares, inverse }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// R x = b.
fn solve(r: &Square, mut b: [f64; MOST], n: usize) -> [f64; MOST] {
    for i in (0..n).rev() {
        for j in i + 1..n {
            b[i] -= r[i][j] * b[j];
        }
        b[i] /= r[i][i];
    }
    b
}

/// (RᵀR)⁻¹ = R⁻¹R⁻ᵀ.
fn inverse(r: &Square, n: usize) -> Square {
    let mut columns = [[0.0; MOST]; MOST];
    for (j, column) in columns.iter_mut().enumerate().take(n) {
        let mut unit = [0.0; MOST];
        unit[j] = 1.0;
        *column = solve(r, unit, n);
    }
    let mut product = [[0.0; MOST]; MOST];
    for i in 0..n {
        for j in 0..n {
            product[i][j] = columns.iter().map(|c| c[i] * c[j]).sum();
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::super::model::Model;
    use super::*;

    #[test]
    fn a_line_takes_one_step_and_has_the_textbook_covariance() {
        let u = [0.0, 0.25, 0.5, 1.0];
        let y = [1.0, 2.0, 2.0, 4.0];
        let start = Scaled { model: Model::Linear, p: [0.0; MOST] };
        let m = Buffers::default().descend(start, &[], &u, &y);
        let inverse = m.inverse.unwrap();
        // Sxx = 0.546875, Sxy = 1.5625.
        let slope = 1.5625 / 0.546_875;
        assert!((m.scaled.p[1] - slope).abs() < 1e-14);
        assert!((m.scaled.p[0] - (2.25 - slope * 0.4375)).abs() < 1e-14);
        assert!((inverse[1][1] - 1.0 / 0.546_875).abs() < 1e-13);
        assert!((inverse[0][1] + 0.4375 / 0.546_875).abs() < 1e-13);
        assert!((inverse[0][0] - (0.25 + 0.4375 * 0.4375 / 0.546_875)).abs() < 1e-13);
    }

    #[test]
    fn parameters_that_cannot_be_told_apart_are_no_minimum() {
        let start = Scaled { model: Model::Linear, p: [0.0; MOST] };
        assert!(Buffers::default().descend(start, &[], &[1.0; 4], &[1.0, 2.0, 3.0, 4.0]).inverse.is_none());
    }
}
