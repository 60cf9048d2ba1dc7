//! The stable part of the history and the fit to it.

use super::design::Design;
use super::kernels;
use super::rotation::{Triangle, Turn, unrolled};
use crate::numeric::cholesky;

/// Valid observations of one series and what was last factored for their gaps. Neighbouring pixels often share their gaps.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    /// Values by row, 0 in gaps.
    pub(super) filled: Vec<f64>,
    /// Rows of the valid observations; the first `in_history` lie in the history.
    pub(super) valid: Vec<u32>,
    pub(super) in_history: usize,
    /// Rows of the history that are gaps.
    pub(super) gaps: Vec<u32>,
    /// Which history rows are valid, a bit each.
    bits: Vec<u64>,
    /// The same of the rows after it.
    recent_bits: Vec<u64>,
    /// Root mean square of the valid values of the history: what rounding is judged by.
    pub(super) level: f64,
}

impl Series {
    /// Takes a series by row, NaN or infinite in gaps.
    pub(super) fn load(&mut self, values: &[f64], history: usize) {
        let (past, recent) = values.split_at(history);
        self.filled.resize(values.len(), 0.0);
        self.bits.resize(past.len().div_ceil(64), 0);
        self.recent_bits.resize(recent.len().div_ceil(64), 0);
        let (filled_past, filled_recent) = self.filled.split_at_mut(history);
        kernels::fill(past, filled_past, &mut self.bits);
        kernels::fill(recent, filled_recent, &mut self.recent_bits);
        self.valid.clear();
        kernels::set_bits(&self.bits, 0, &mut self.valid);
        self.in_history = self.valid.len();
        kernels::set_bits(&self.recent_bits, history, &mut self.valid);
        self.gaps.clear();
        for (at, bits) in self.bits.iter().enumerate() {
            let rows = history - at * 64;
            let all = if rows < 64 { (1 << rows) - 1 } else { u64::MAX };
            kernels::set_bits(&[!bits & all], at * 64, &mut self.gaps);
        }
        self.level = (kernels::squares(filled_past) / (self.in_history.max(1) as f64)).sqrt();
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
    products: Vec<[f64; 8]>,
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
            let good = self.factor(design, series, start, &mut gram);
            self.gram = gram;
            good
        };
        coefficients.clear();
        if !good {
            return self.fit_by_rotations(design, series, start, coefficients);
        }
        coefficients.resize(q, 0.0);
        kernels::project(design.basis(), design.history, first, &series.filled[first..design.history], coefficients);
        let factor = if start == 0 { &self.factor } else { &self.gram };
        cholesky::forward(factor, coefficients);
        cholesky::backward(factor, coefficients);
        true
    }

    /// Cholesky factor of the normal equations of the history from its observation `start` on. False where they lose too many
    /// digits.
    fn factor(&mut self, design: &Design, series: &Series, start: usize, gram: &mut Vec<f64>) -> bool {
        let q = design.q;
        // The basis is orthonormal over the whole history: often fewer products are needed from the side of the gaps.
        let by_gaps = start == 0 && series.gaps.len() < series.in_history;
        let (products, width) = design.products();
        self.products.resize(width, [0.0; 8]);
        if by_gaps {
            kernels::sum_rows(products, width, &series.gaps, &mut self.products);
        } else {
            kernels::sum_rows(products, width, &series.valid[start..series.in_history], &mut self.products);
        }
        gram.clear();
        gram.extend_from_slice(&self.products.as_flattened()[..cholesky::row_start(q)]);
        if by_gaps {
            gram.iter_mut().for_each(|g| *g = -*g);
            (0..q).for_each(|i| gram[cholesky::row_start(i) + i] += 1.0);
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
            self.triangle.add(q, &mut self.row, &mut self.turns, [1.0]);
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
        let back = &series.valid[..n];
        if !matches!(&self.turned, Some((of, bits)) if *of == id && *bits == series.bits) {
            self.triangle.reset(q);
            self.turns.clear();
            self.turns.resize(n * q, Turn::default());
            self.weights.resize(n, 0.0);
            self.row.resize(q, [0.0]);
            unrolled!(q, turn_back(self, design, back));
            remember(&mut self.turned, id, &series.bits);
        }
        self.rotated.clear();
        self.rotated.resize(q, [0.0]);
        self.recursive.resize(n, 0.0);
        unrolled!(q, replay_back(self, series, back));
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

/// Rotates the rows of the observations in, the last first.
#[inline(always)]
fn turn_back(q: usize, fitter: &mut Fitter, design: &Design, valid: &[u32]) {
    let Fitter { triangle, turns, weights, row, .. } = fitter;
    for ((&at, turns), left) in valid.iter().rev().zip(turns.chunks_exact_mut(q)).zip(weights) {
        row[..q].copy_from_slice(design.basis_row(at as usize).as_chunks().0);
        let [weight] = triangle.add(q, row, turns, [1.0]);
        *left = weight.sqrt();
    }
}

/// Recursive residuals of a series from the rotations of its rows.
#[inline(always)]
fn replay_back(q: usize, fitter: &mut Fitter, series: &Series, valid: &[u32]) {
    let Fitter { turns, weights, rotated, recursive, .. } = fitter;
    let rotated = &mut rotated[..q];
    let rows = valid.iter().rev().zip(turns.chunks_exact(q)).zip(weights);
    for (((&at, turns), weight), out) in rows.zip(recursive) {
        let mut y = [series.filled[at as usize]];
        for k in 0..q {
            turns[k].apply(&mut rotated[k], &mut y);
        }
        *out = y[0] * *weight;
    }
}

fn remember(slot: &mut Option<(u64, Vec<u64>)>, id: u64, bits: &[u64]) {
    let (of, kept) = slot.get_or_insert_default();
    *of = id;
    kept.clear();
    kept.extend_from_slice(bits);
}
