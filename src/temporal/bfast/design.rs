//! Regressors of the season and trend model on an axis, as they are and as an orthonormal basis of the history.

use super::axis::Axis;
use crate::error::{Error, Result};
use crate::numeric::cholesky;

/// Regressors 1, step, cos 2πkτ and sin 2πkτ of one frequency; the same for every row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Regressors {
    frequency: i64,
    /// First step, which the trend counts as 1.
    origin: i64,
    trend: bool,
    order: u32,
}

impl Regressors {
    /// Checks that the harmonics can be told apart at this frequency.
    pub(crate) fn new(frequency: u32, origin: i64, trend: bool, order: u32) -> Result<Self> {
        super::axis::check_frequency(frequency)?;
        if order.saturating_mul(2) > frequency {
            return Err(Error::usage(format!(
                "bfast-monitor: order {order} on {frequency} steps a year: harmonics repeat beyond half the frequency; \
                 use an order of at most {}",
                frequency / 2
            )));
        }
        Ok(Self { frequency: i64::from(frequency), origin, trend, order })
    }

    /// Steps from the first step.
    pub(crate) fn offset(&self, step: i64) -> i64 {
        step - self.origin
    }

    /// Decimal year of a number of steps from the first step.
    pub(crate) fn time(&self, offset: f64) -> f64 {
        (self.origin as f64 + offset) / self.frequency as f64
    }

    /// Number of regressors.
    pub(crate) fn count(&self) -> usize {
        1 + usize::from(self.trend) + self.order as usize + self.sines() as usize
    }

    /// The sine of half the frequency is zero at every step, so it is left out.
    fn sines(&self) -> u32 {
        if i64::from(2 * self.order) == self.frequency { self.order.saturating_sub(1) } else { self.order }
    }

    /// Names of the coefficients in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = vec!["intercept".to_owned()];
        names.extend(self.trend.then(|| "trend".to_owned()));
        names.extend((1..=self.order).map(|k| format!("cos{k}")));
        names.extend((1..=self.sines()).map(|k| format!("sin{k}")));
        names
    }

    /// Calls `put(regressor, value)` for each regressor of a step.
    pub(crate) fn at(&self, step: i64, mut put: impl FnMut(usize, f64)) {
        let angle = |k: u32| {
            // The phase is taken from whole steps: large years cost no accuracy.
            let phase = (i64::from(k) * step).rem_euclid(self.frequency);
            std::f64::consts::TAU * phase as f64 / self.frequency as f64
        };
        put(0, 1.0);
        let mut next = 1;
        if self.trend {
            put(1, (step - self.origin + 1) as f64);
            next = 2;
        }
        for k in 1..=self.order {
            put(next, libm::cos(angle(k)));
            next += 1;
        }
        for k in 1..=self.sines() {
            put(next, libm::sin(angle(k)));
            next += 1;
        }
    }
}

/// Regressors of all rows, shared by all pixels.
///
/// The history part is kept as `X = B U`, `B` orthonormal over all rows of the history and `U` upper triangular: the Gram
/// matrix of a pixel is then the identity less the products of its gaps, and well conditioned.
#[derive(Clone, Debug)]
pub(super) struct Design {
    pub(super) q: usize,
    pub(super) rows: usize,
    /// Rows before the start of monitoring.
    pub(super) history: usize,
    /// Regressors by column over all rows.
    columns: Vec<f64>,
    /// Basis by column over the history.
    basis: Vec<f64>,
    /// Basis by row over the history.
    basis_rows: Vec<f64>,
    /// Products of all pairs of basis values of a row: packed lower triangles, each filled up to whole blocks.
    products: Vec<[f64; 8]>,
    /// Blocks a row.
    width: usize,
    /// `U`, by row.
    upper: Vec<f64>,
}

impl Design {
    pub(super) fn new(regressors: &Regressors, axis: &Axis, history: usize) -> Result<Self> {
        let (q, rows) = (regressors.count(), axis.rows());
        if history <= q {
            return Err(Error::usage(format!(
                "bfast-monitor: {history} dates before the start of monitoring: the model has {q} coefficients and needs at \
                 least {}; start monitoring later, add scenes or use a lower order",
                q + 1
            )));
        }
        let mut columns = vec![0.0; q * rows];
        for (row, &step) in axis.steps().iter().enumerate() {
            regressors.at(step, |k, value| columns[k * rows + row] = value);
        }
        let mut basis = vec![0.0; q * history];
        let mut upper = vec![0.0; q * q];
        for k in 0..q {
            let (done, rest) = basis.split_at_mut(k * history);
            let column = &mut rest[..history];
            column.copy_from_slice(&columns[k * rows..k * rows + history]);
            let before = cholesky::dot(column, column).sqrt();
            // Gram-Schmidt, twice: the second pass restores the orthogonality that rounding took.
            for _ in 0..2 {
                for (j, other) in done.chunks_exact(history).enumerate() {
                    let along = cholesky::dot(other, column);
                    upper[j * q + k] += along;
                    for (c, &o) in column.iter_mut().zip(other) {
                        *c -= along * o;
                    }
                }
            }
            let length = cholesky::dot(column, column).sqrt();
            if length <= 1e-7 * before {
                return Err(Error::usage(format!(
                    "bfast-monitor: the {history} dates before the start of monitoring do not determine {} of the model; \
                     use a lower order or leave out the trend",
                    regressors.names()[k]
                )));
            }
            upper[k * q + k] = length;
            column.iter_mut().for_each(|c| *c /= length);
        }
        let mut design = Self {
            q,
            rows,
            history,
            columns,
            basis_rows: (0..q * history).map(|at| basis[at % q * history + at / q]).collect(),
            basis,
            products: Vec::new(),
            width: cholesky::row_start(q).div_ceil(8),
            upper,
        };
        design.products = (0..history).flat_map(|row| design.blocks(row)).collect();
        Ok(design)
    }

    fn blocks(&self, row: usize) -> Vec<[f64; 8]> {
        let b = self.basis_row(row);
        let mut blocks = vec![[0.0; 8]; self.width];
        let pairs = (0..self.q).flat_map(|i| (0..=i).map(move |j| b[i] * b[j]));
        blocks.as_flattened_mut().iter_mut().zip(pairs).for_each(|(out, product)| *out = product);
        blocks
    }

    /// Products of the basis values of each history row, and the number of blocks a row.
    #[inline]
    pub(super) fn products(&self) -> (&[[f64; 8]], usize) {
        (&self.products, self.width)
    }

    /// Basis of one history row.
    #[inline]
    pub(super) fn basis_row(&self, row: usize) -> &[f64] {
        &self.basis_rows[row * self.q..(row + 1) * self.q]
    }

    /// Basis by column over the history.
    #[inline]
    pub(super) fn basis(&self) -> &[f64] {
        &self.basis
    }

    /// Regressors by column over all rows.
    #[inline]
    pub(super) fn columns(&self) -> &[f64] {
        &self.columns
    }

    /// Coefficients of the regressors from those of the basis, in place.
    pub(super) fn to_regressors(&self, coefficients: &mut [f64]) {
        for k in (0..self.q).rev() {
            let row = &self.upper[k * self.q..(k + 1) * self.q];
            let known: f64 = (k + 1..self.q).map(|j| row[j] * coefficients[j]).sum();
            coefficients[k] = (coefficients[k] - known) / row[k];
        }
    }

    /// A number that tells this design from others: what a `Work` keeps between pixels holds for one design only.
    pub(super) fn fingerprint(&self) -> u64 {
        let seed = 0xcbf2_9ce4_8422_2325 ^ (self.history as u64) ^ ((self.q as u64) << 32);
        self.columns.iter().fold(seed, |h, v| (h ^ v.to_bits()).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basis_times_triangle_gives_the_regressors() {
        let axis = Axis::regular(2000.0, 12, 60).unwrap();
        let regressors = Regressors::new(axis.frequency(), axis.steps()[0], true, 6).unwrap();
        assert_eq!(regressors.count(), 13);
        assert_eq!(regressors.names()[12], "sin5");
        let design = Design::new(&regressors, &axis, 48).unwrap();
        for row in 0..48 {
            for k in 0..design.q {
                let got: f64 = (0..=k).map(|j| design.basis_row(row)[j] * design.upper[j * design.q + k]).sum();
                assert!((got - design.columns()[k * 60 + row]).abs() < 1e-12);
            }
        }
        let column = |k: usize| &design.basis()[k * 48..(k + 1) * 48];
        for i in 0..design.q {
            for j in 0..=i {
                let got = cholesky::dot(column(i), column(j));
                assert!((got - f64::from(u8::from(i == j))).abs() < 1e-14);
            }
        }
        let mut c = vec![0.0; design.q];
        c[1] = design.upper[design.q + 1];
        c[0] = design.upper[1];
        design.to_regressors(&mut c);
        assert!((c[1] - 1.0).abs() < 1e-14 && c[0].abs() < 1e-12);
    }

    #[test]
    fn designs_that_cannot_be_fitted_are_refused() {
        let axis = Axis::regular(2000.0, 12, 60).unwrap();
        assert!(Regressors::new(axis.frequency(), axis.steps()[0], true, 7).is_err());
        let regressors = Regressors::new(axis.frequency(), axis.steps()[0], true, 3).unwrap();
        assert!(Design::new(&regressors, &axis, 8).is_err());
        // One date a year says nothing about the season: cos and sin are constant.
        let yearly: Vec<_> = (2000..2030).map(|y| (y, 10)).collect();
        let axis = Axis::from_dates(&yearly, 365).unwrap();
        let regressors = Regressors::new(axis.frequency(), axis.steps()[0], true, 1).unwrap();
        let error = Design::new(&regressors, &axis, 20).unwrap_err();
        assert!(error.message().contains("cos1"), "{error}");
    }
}
