//! Quantiles and means of each band on its own.

use super::lanes::{LANES, Lane, Row, Stack, network, sort};
use crate::numeric::quantile::{between, position};

/// Quantiles of up to so many dates: how to sort them, and which ranks to take from how many.
pub(super) struct Ranks {
    pairs: Vec<(u32, u32)>,
    /// Lower and upper rank and the weight of the upper, by the number of values.
    positions: Vec<(usize, usize, f64)>,
}

impl Ranks {
    pub(super) fn new(dates: usize, q: f64) -> Self {
        let of = |n: usize| {
            let (low, high, weight) = position(n as u64, q);
            (low as usize, high as usize, weight)
        };
        Self { pairs: network(dates), positions: (0..=dates).map(of).collect() }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> u64 {
        (size_of_val(&*self.pairs) + size_of_val(&*self.positions)) as u64
    }

    /// Quantile of each lane's first `count` values once sorted; `rows` holds infinity where there is none. NaN where
    /// there are none at all.
    pub(super) fn take<T: Lane>(&self, rows: &mut [Row<T>], count: &Row<u32>, to_physical: (f64, f64)) -> Row<f64> {
        sort(&self.pairs, rows);
        let mut out = [f64::NAN; LANES];
        for (l, (out, n)) in out.iter_mut().zip(count).enumerate().filter(|(_, (_, n))| **n > 0) {
            let (low, high, weight) = self.positions[*n as usize];
            let physical = |rank: usize| rows[rank][l].into() * to_physical.0 + to_physical.1;
            *out = between(physical(low), physical(high), weight);
        }
        out
    }
}

/// A quantile of each band; `keys` is working memory.
pub(super) fn quantiles<T: Lane>(
    stack: &Stack<T>,
    ranks: &Ranks,
    encodings: &[(f64, f64)],
    keys: &mut Vec<Row<T>>,
    out: &mut [Row<f64>],
) {
    for (k, (out, encoding)) in out.iter_mut().zip(encodings).enumerate() {
        keys.resize(stack.valid.len(), [T::INFINITY; LANES]);
        gather(stack.bands, k, &stack.values, &stack.valid, keys);
        *out = ranks.take(keys, &stack.count, *encoding);
    }
}

/// The values of a band, infinity where a date is not valid.
#[pulp::with_simd(gather = pulp::Arch::new())]
#[inline(always)]
fn gather_with_simd<'a, S: pulp::Simd, T: Lane>(
    _simd: S,
    bands: usize,
    band: usize,
    values: &'a [Row<T>],
    valid: &'a [Row<bool>],
    keys: &'a mut [Row<T>],
) {
    for ((date, ok), key) in values.chunks_exact(bands).zip(valid).zip(keys) {
        for l in 0..LANES {
            key[l] = if ok[l] { date[band][l] } else { T::INFINITY };
        }
    }
}

/// Mean of each band, summed in order of time.
pub(super) fn means<T: Lane>(stack: &Stack<T>, encodings: &[(f64, f64)], out: &mut [Row<f64>]) {
    for (k, (out, encoding)) in out.iter_mut().zip(encodings).enumerate() {
        *out = mean(stack.bands, k, &stack.values, &stack.valid, *encoding);
        for (sum, n) in out.iter_mut().zip(&stack.count) {
            *sum /= f64::from(*n);
        }
    }
}

#[pulp::with_simd(mean = pulp::Arch::new())]
#[inline(always)]
fn mean_with_simd<'a, S: pulp::Simd, T: Lane>(
    _simd: S,
    bands: usize,
    band: usize,
    values: &'a [Row<T>],
    valid: &'a [Row<bool>],
    (scale, offset): (f64, f64),
) -> Row<f64> {
    let mut sum = [0.0; LANES];
    for (date, ok) in values.chunks_exact(bands).zip(valid) {
        for l in 0..LANES {
            let physical = date[band][l].into() * scale + offset;
            sum[l] += if ok[l] { physical } else { 0.0 };
        }
    }
    sum
}
