//! The stable part of the history and the fit to it.

use super::design::Design;
use super::rotation::{Triangle, Turn};
use crate::numeric::cholesky;

/// Valid observations of one series and what was last factored for their gaps. Neighbouring pixels often share their gaps.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    /// Values by row, 0 in gaps.
    pub(super) filled: Vec<f64>,
    /// Rows of the valid observations; the first `in_history` lie in the history.
    pub(super) valid: Vec<u32>,
    pub(super) in_history: usize,
    /// Which history rows are valid, a bit each.
    bits: Vec<u64>,
    /// Root mean square of the valid values of the history: what rounding is judged by.
    pub(super) level: f64,
}

impl Series {
    /// Takes a series by row, NaN or infinite in gaps.
    pub(super) fn load(&mut self, values: &[f64], history: usize) {
        let rows = values.len();
        self.filled.resize(rows, 0.0);
        self.valid.resize(rows, 0);
        self.bits.clear();
        let mut count = 0;
        let (past, recent) = values.split_at(history);
        let mut sum = 0.0;
        for (word, chunk) in past.chunks(64).enumerate() {
            let mut bits = 0u64;
            for (i, &value) in chunk.iter().enumerate() {
                let row = word * 64 + i;
                let finite = value.is_finite();
                let filled = if finite { value } else { 0.0 };
                self.filled[row] = filled;
                self.valid[count] = row as u32;
                count += usize::from(finite);
                bits |= u64::from(finite) << i;
            }
            self.bits.push(bits);
        }
        sum += cholesky::dot(&self.filled[..history], &self.filled[..history]);
        self.in_history = count;
        self.level = (sum / (count.max(1) as f64)).sqrt();
        for (i, &value) in recent.iter().enumerate() {
            let finite = value.is_finite();
            self.filled[history + i] = if finite { value } else { 0.0 };
            self.valid[count] = (history + i) as u32;
            count += usize::from(finite);
        }
        self.valid.truncate(count);
    }

    fn is_valid(&self, row: usize) -> bool {
        self.bits[row / 64] >> (row % 64) & 1 == 1
    }
}

/// A deviation this small beside the values is rounding, and no scale to judge a change by.
pub(super) const ROUNDING: f64 = 1e-11;

/// Least squares on part of the history, and the recursive test for where it begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Fitter {
    /// Design and gaps the factors below were made for.
    factored: Option<(u64, Vec<u64>)>,
    turned: Option<(u64, Vec<u64>)>,
    factor: Vec<f64>,
    factor_is_good: bool,
    triangle: Triangle,
    turns: Vec<Turn>,
    weights: Vec<f64>,
    rotated: Vec<[f64; 1]>,
    row: Vec<[f64; 1]>,
    recursive: Vec<f64>,
    gram: Vec<f64>,
}

impl Fitter {
    /// Coefficients of the basis for the valid observations from number `start` of the history on. False where these do not
    /// determine them.
    pub(super) fn fit(
        &mut self,
        design: &Design,
        id: u64,
        series: &Series,
        start: usize,
        coefficients: &mut Vec<f64>,
    ) -> bool {
        let q = design.q;
        let first = series.valid[start] as usize;
        let good = if start == 0 {
            if !matches!(&self.factored, Some((of, bits)) if *of == id && *bits == series.bits) {
                let mut factor = std::mem::take(&mut self.factor);
                self.factor_is_good = self.factor(design, series, 0, &mut factor);
                self.factor = factor;
                remember(&mut self.factored, id, &series.bits);
            }
            self.factor_is_good
        } else {
            let mut gram = std::mem::take(&mut self.gram);
            let good = self.factor(design, series, first, &mut gram);
            self.gram = gram;
            good
        };
        coefficients.clear();
        if !good {
            return self.fit_by_rotations(design, series, start, coefficients);
        }
        let y = &series.filled[first..design.history];
        coefficients.extend((0..q).map(|k| cholesky::dot(&design.basis_column(k)[first..], y)));
        let factor = if start == 0 { &self.factor } else { &self.gram };
        cholesky::forward(factor, coefficients);
        cholesky::backward(factor, coefficients);
        true
    }

    /// Cholesky factor of the normal equations of the history from row `first` on. False where they lose too many digits.
    fn factor(&self, design: &Design, series: &Series, first: usize, gram: &mut Vec<f64>) -> bool {
        let q = design.q;
        gram.clear();
        gram.resize(cholesky::row_start(q), 0.0);
        let rows = design.history - first;
        let valid = series.in_history - series.valid[..series.in_history].partition_point(|&r| (r as usize) < first);
        // The basis is orthonormal over the whole history: fewer products are needed from the side of the gaps.
        let (by_gaps, sign) = if first == 0 && rows - valid < valid { (true, -1.0) } else { (false, 1.0) };
        if by_gaps {
            for i in 0..q {
                gram[cholesky::row_start(i) + i] = 1.0;
            }
        }
        for row in first..design.history {
            if series.is_valid(row) != by_gaps {
                let b = design.basis_row(row);
                for i in 0..q {
                    let scaled = sign * b[i];
                    let at = cholesky::row_start(i);
                    for (g, &other) in gram[at..=at + i].iter_mut().zip(b) {
                        *g += scaled * other;
                    }
                }
            }
        }
        let diagonal: f64 = (0..q).map(|i| gram[cholesky::row_start(i) + i]).fold(0.0, f64::max);
        // Reciprocals of the pivots stand on the diagonal: below a thousandth of the largest, rotations do better.
        cholesky::factor(gram, q) && (0..q).all(|i| gram[cholesky::row_start(i) + i].powi(2) * diagonal < 1e3)
    }

    fn fit_by_rotations(
        &mut self,
        design: &Design,
        series: &Series,
        start: usize,
        coefficients: &mut Vec<f64>,
    ) -> bool {
        let q = design.q;
        self.triangle.reset(q);
        self.turned = None;
        self.turns.clear();
        self.turns.resize(q, Turn::default());
        self.rotated.clear();
        self.rotated.resize(q, [0.0]);
        for &row in &series.valid[start..series.in_history] {
            let row = row as usize;
            self.row.clear();
            self.row.extend(design.basis_row(row).iter().map(|&b| [b]));
            self.triangle.add(&mut self.row, &mut self.turns, [1.0]);
            let mut y = [series.filled[row]];
            for (turn, r) in self.turns.iter().zip(&mut self.rotated) {
                turn.apply(r, &mut y);
            }
        }
        let determined = self.triangle.solve(&mut self.rotated);
        coefficients.extend(self.rotated.iter().map(|c| c[0]));
        determined
    }

    /// First observation of the stable history by the recursive CUSUM test run back in time (Pesaran & Timmermann 2002;
    /// Brown, Durbin & Evans 1975): 0 where the test is not significant.
    pub(super) fn stable_start(&mut self, design: &Design, id: u64, series: &Series, critical: f64) -> usize {
        let (q, n) = (design.q, series.in_history);
        let back = series.valid[..n].iter().rev().map(|&r| r as usize);
        if !matches!(&self.turned, Some((of, bits)) if *of == id && *bits == series.bits) {
            self.triangle.reset(q);
            self.turns.clear();
            self.turns.resize(n * q, Turn::default());
            self.weights.clear();
            for (row, turns) in back.clone().zip(self.turns.chunks_exact_mut(q)) {
                self.row.clear();
                self.row.extend(design.basis_row(row).iter().map(|&b| [b]));
                let [weight] = self.triangle.add(&mut self.row, turns, [1.0]);
                self.weights.push(weight.sqrt());
            }
            remember(&mut self.turned, id, &series.bits);
        }
        self.rotated.clear();
        self.rotated.resize(q, [0.0]);
        self.recursive.clear();
        for ((row, turns), &weight) in back.zip(self.turns.chunks_exact(q)).zip(&self.weights) {
            let mut y = [series.filled[row]];
            for (turn, r) in turns.iter().zip(&mut self.rotated) {
                turn.apply(r, &mut y);
            }
            self.recursive.push(y[0] * weight);
        }
        let w = &self.recursive[q..];
        let count = w.len() as f64;
        let mean = w.iter().sum::<f64>() / count;
        let spread = (w.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (count - 1.0)).sqrt();
        let varies = spread > ROUNDING * series.level;
        if !varies {
            return 0;
        }
        let unit = critical * spread * count.sqrt();
        let mut sum = 0.0;
        for (j, &v) in w.iter().enumerate() {
            sum += v;
            let j = (j + 1) as f64;
            // Passing the boundary anywhere and a significant largest ratio are the same event.
            if f64::abs(sum) > unit * (1.0 + 2.0 * j / count) {
                return n - q + 1 - j as usize;
            }
        }
        0
    }
}

fn remember(slot: &mut Option<(u64, Vec<u64>)>, id: u64, bits: &[u64]) {
    let (of, kept) = slot.get_or_insert_default();
    *of = id;
    kept.clear();
    kept.extend_from_slice(bits);
}
