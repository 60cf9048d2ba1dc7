//! Least squares one row at a time: square-root-free Givens rotations (Gentleman 1974).
//!
//! Adding a row never forms the normal equations, so the nearly singular fits to the first few rows of a series keep their
//! accuracy, and what the rotations leave of the response is the recursive residual of that row. Several fits that take the
//! same rows run side by side in lanes: one chain of dependent divisions then serves all of them.

/// Fits that run side by side where there are several.
pub(super) const LANES: usize = 8;

/// Calls `function(q, ..)` with the usual numbers of regressors (up to three harmonics) as constants.
macro_rules! unrolled {
    ($q:expr, $function:ident($($argument:expr),*)) => {
        match $q {
            2 => $function(2, $($argument),*),
            3 => $function(3, $($argument),*),
            4 => $function(4, $($argument),*),
            5 => $function(5, $($argument),*),
            6 => $function(6, $($argument),*),
            7 => $function(7, $($argument),*),
            8 => $function(8, $($argument),*),
            q => $function(q, $($argument),*),
        }
    };
}
pub(super) use unrolled;

/// Triangular factors of the rows added so far, one in each lane: `XᵀX = Rᵀ D R`, `R` with a unit diagonal.
#[derive(Clone, Debug, Default)]
pub(super) struct Triangles<const L: usize> {
    q: usize,
    /// Diagonal `D`.
    scale: Vec<[f64; L]>,
    /// `R` by row; only what lies right of the diagonal is used.
    above: Vec<[f64; L]>,
}

/// One fit.
pub(super) type Triangle = Triangles<1>;
/// Fits side by side.
pub(super) type WideTriangle = Triangles<LANES>;

/// One rotation of a row into the triangle, as it acts on the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn<T = [f64; 1]> {
    /// Regressor that is rotated out.
    x: T,
    /// Weight of the old response of this row of the triangle.
    keep: T,
    /// Weight of the response that comes in.
    take: T,
}

impl<const L: usize> Default for Turn<[f64; L]> {
    fn default() -> Self {
        Self { x: [0.0; L], keep: [1.0; L], take: [0.0; L] }
    }
}

impl<const L: usize> Turn<[f64; L]> {
    /// Applies the rotation to an element of the rotated response and to the response of the new row.
    #[inline(always)]
    pub(super) fn apply(&self, rotated: &mut [f64; L], y: &mut [f64; L]) {
        for l in 0..L {
            let before = y[l];
            y[l] = before - self.x[l] * rotated[l];
            rotated[l] = self.keep[l] * rotated[l] + self.take[l] * before;
        }
    }
}

impl<const L: usize> Triangles<L> {
    /// Forgets all rows and prepares for `q` regressors.
    pub(super) fn reset(&mut self, q: usize) {
        self.q = q;
        self.scale.clear();
        self.scale.resize(q, [0.0; L]);
        self.above.clear();
        self.above.resize(q * q, [0.0; L]);
    }

    /// Adds a row of a given weight (the row is overwritten), one turn for each regressor. Returns the weight left to the
    /// row: the recursive residual is the rotated response times its root; 0 while the row only fills the triangle.
    ///
    /// The number `q` of regressors is that of [`Triangles::reset`]; where the caller knows it, loops are unrolled.
    #[inline(always)]
    pub(super) fn add(
        &mut self,
        q: usize,
        row: &mut [[f64; L]],
        turns: &mut [Turn<[f64; L]>],
        mut weight: [f64; L],
    ) -> [f64; L] {
        let (row, turns, scales, above) =
            (&mut row[..q], &mut turns[..q], &mut self.scale[..q], &mut self.above[..q * q]);
        for k in 0..q {
            let x = row[k];
            let scale = &mut scales[k];
            let mut turn = Turn { x, ..Turn::default() };
            for l in 0..L {
                let pull = weight[l] * x[l];
                let new = scale[l] + pull * x[l];
                // A regressor that is zero so far and in this row has nothing to rotate.
                let rotate = new > 0.0;
                let inverse = 1.0 / if rotate { new } else { 1.0 };
                turn.keep[l] = if rotate { scale[l] * inverse } else { 1.0 };
                turn.take[l] = pull * inverse;
                scale[l] = new;
                weight[l] *= turn.keep[l];
            }
            for j in k + 1..q {
                turn.apply(&mut above[k * q + j], &mut row[j]);
            }
            turns[k] = turn;
        }
        weight
    }
}

impl Triangle {
    /// Solves `R c = rotated` in place. False where the rows do not determine all coefficients: a diagonal below 10⁻¹⁴ of
    /// the largest (squares, so 10⁻⁷ of a length).
    pub(super) fn solve(&self, rotated: &mut [[f64; 1]]) -> bool {
        let q = self.q;
        let largest = self.scale.iter().map(|d| d[0]).fold(0.0, f64::max);
        let determined = self.scale.iter().all(|d| d[0] > 1e-14 * largest);
        if !determined {
            return false;
        }
        for k in (0..q).rev() {
            let above = &self.above[k * q..k * q + q];
            let known: f64 = (k + 1..q).map(|j| above[j][0] * rotated[j][0]).sum();
            rotated[k][0] -= known;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_through_points_and_its_recursive_residuals() {
        let (mut triangle, mut rotated) = (Triangle::default(), [[0.0]; 2]);
        triangle.reset(2);
        let mut residuals = Vec::new();
        let mut turns = [Turn::default(); 2];
        for (x, y) in [(0.0, 1.0), (1.0, 3.0), (2.0, 8.0), (3.0, 4.0)] {
            let weight = triangle.add(2, &mut [[1.0], [x]], &mut turns, [1.0]);
            let mut left = [y];
            for (turn, r) in turns.iter().zip(&mut rotated) {
                turn.apply(r, &mut left);
            }
            residuals.push(left[0] * f64::sqrt(weight[0]));
        }
        // Row 3: 5 is predicted, 1 + xᵀ(XᵀX)⁻¹x = 1 + 5; row 4: line 0.5 + 3.5 x predicts 11, 1 + 7/3.
        assert!((residuals[2] - 3.0 / 6f64.sqrt()).abs() < 1e-14, "{residuals:?}");
        assert!((residuals[3] + 7.0 / (10f64 / 3.0).sqrt()).abs() < 1e-14, "{residuals:?}");
        assert_eq!(&residuals[..2], &[0.0, 0.0]);
        assert!(triangle.solve(&mut rotated));
        // Slope 7/5, intercept 4 - 1.5 * 7/5.
        assert!((rotated[1][0] - 1.4).abs() < 1e-14 && (rotated[0][0] - 1.9).abs() < 1e-14, "{rotated:?}");
    }

    #[test]
    fn rows_that_do_not_determine_the_line() {
        let mut triangle = Triangle::default();
        triangle.reset(2);
        for _ in 0..5 {
            triangle.add(2, &mut [[1.0], [2.0]], &mut [Turn::default(); 2], [1.0]);
        }
        assert!(!triangle.solve(&mut [[1.0], [1.0]]));
    }

    #[test]
    fn lanes_are_independent_fits() {
        let mut wide = WideTriangle::default();
        wide.reset(2);
        let mut turns = [Turn::default(); 2];
        let rows: [(f64, f64); 12] = std::array::from_fn(|i| (1.0, (i * i % 7 + i) as f64));
        let mut last = [0.0; LANES];
        for (at, &(a, b)) in rows.iter().enumerate() {
            let begun = std::array::from_fn(|l| f64::from(u8::from(l <= at)));
            last = wide.add(2, &mut [[a; LANES], [b; LANES]], &mut turns, begun);
        }
        for (lane, &got) in last.iter().enumerate() {
            let mut one = Triangle::default();
            one.reset(2);
            let mut turns = [Turn::default(); 2];
            let mut want = [0.0];
            for &(a, b) in &rows[lane..] {
                want = one.add(2, &mut [[a], [b]], &mut turns, [1.0]);
            }
            assert_eq!(got, want[0]);
        }
    }
}
