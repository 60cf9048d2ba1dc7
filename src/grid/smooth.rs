//! A smooth function over the cells of a grid, expanded in Chebyshev polynomials.

use std::f64::consts::PI;

use pulp::{Arch, NullaryFnOnce};

/// Terms tried along an axis.
const TERMS: [usize; 3] = [5, 9, 17];
/// Relative size of the last terms at which an expansion is accepted.
const TOLERANCE: f64 = 1e-10;
/// Cells along an axis below which values are kept one by one instead of being split further.
const LEAST: usize = 16;

/// An expansion over a rectangle of cells, or its four quarters where one expansion is not enough.
#[derive(Clone, Debug)]
pub(super) struct Patch {
    col: i64,
    row: i64,
    cols: usize,
    rows: usize,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    /// Coefficients of T_i(x) T_j(y) at `[j * n + i]`.
    Series {
        n: usize,
        c: Vec<f64>,
    },
    Quarters(Vec<Patch>),
    Cells(Vec<f64>),
}

impl Patch {
    /// Expands `f`, a function of the fractional cell position (cell centres at halves), which may be undefined.
    pub(super) fn fit(cols: usize, rows: usize, f: &impl Fn(f64, f64) -> Option<f64>) -> Self {
        Self::fit_part(0, 0, cols, rows, f)
    }

    fn fit_part(col: i64, row: i64, cols: usize, rows: usize, f: &impl Fn(f64, f64) -> Option<f64>) -> Self {
        let make = |body| Self { col, row, cols, rows, body };
        let at = |t: f64, from: i64, len: usize| from as f64 + (t + 1.0) / 2.0 * len as f64;
        for n in TERMS {
            match series(n, &|x, y| f(at(x, col, cols), at(y, row, rows))) {
                Some(c) if tail(&c, n) <= TOLERANCE * c[0].abs() => return make(Body::Series { n, c }),
                Some(_) => {}
                None => break,
            }
        }
        if cols <= LEAST && rows <= LEAST {
            let cells = (0..rows * cols).map(|i| {
                f((col + (i % cols) as i64) as f64 + 0.5, (row + (i / cols) as i64) as f64 + 0.5).unwrap_or(0.0)
            });
            return make(Body::Cells(cells.collect()));
        }
        let (half_c, half_r) = (cols.div_ceil(2), rows.div_ceil(2));
        let mut parts = Vec::with_capacity(4);
        for (r, h) in [(0, half_r), (half_r, rows - half_r)] {
            for (c, w) in [(0, half_c), (half_c, cols - half_c)] {
                if w > 0 && h > 0 {
                    parts.push(Self::fit_part(col + c as i64, row + r as i64, w, h, f));
                }
            }
        }
        make(Body::Quarters(parts))
    }

    /// Values at the centres of the cells of `row` from `col` on; 0 outside the grid.
    pub(super) fn row(&self, row: i64, col: i64, out: &mut [f64]) {
        out.fill(0.0);
        self.fill(row, col, out);
    }

    fn fill(&self, row: i64, col: i64, out: &mut [f64]) {
        let first = self.col.max(col);
        let end = (self.col + self.cols as i64).min(col + out.len() as i64);
        if row < self.row || row >= self.row + self.rows as i64 || first >= end {
            return;
        }
        let mine = &mut out[(first - col) as usize..(end - col) as usize];
        match &self.body {
            Body::Quarters(parts) => parts.iter().for_each(|p| p.fill(row, col, out)),
            Body::Cells(v) => {
                let at = (row - self.row) as usize * self.cols + (first - self.col) as usize;
                mine.copy_from_slice(&v[at..at + mine.len()]);
            }
            Body::Series { n, c } => {
                let y = (2.0 * (row - self.row) as f64 + 1.0) / self.rows as f64 - 1.0;
                let mut line = [0.0; TERMS[TERMS.len() - 1]];
                for (i, d) in line[..*n].iter_mut().enumerate() {
                    *d = clenshaw((0..*n).map(|j| c[j * n + i]), y);
                }
                let scale = 2.0 / self.cols as f64;
                Arch::new().dispatch(Line { c: &line[..*n], first: (first - self.col) as f64, scale, out: mine });
            }
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> u64 {
        let own = size_of::<Self>() as u64;
        own + match &self.body {
            Body::Series { c, .. } | Body::Cells(c) => c.len() as u64 * 8,
            Body::Quarters(parts) => parts.iter().map(Self::bytes).sum(),
        }
    }
}

/// Chebyshev coefficients of a function on −1..1 × −1..1 from its values at the n × n Gauss nodes.
fn series(n: usize, f: &impl Fn(f64, f64) -> Option<f64>) -> Option<Vec<f64>> {
    let node = |k: usize| (PI * (k as f64 + 0.5) / n as f64).cos();
    let mut v = vec![0.0; n * n];
    for j in 0..n {
        for i in 0..n {
            v[j * n + i] = f(node(i), node(j))?;
        }
    }
    let cosine = |m: usize, k: usize| (PI * m as f64 * (k as f64 + 0.5) / n as f64).cos();
    let weight = |m: usize| if m == 0 { 1.0 / n as f64 } else { 2.0 / n as f64 };
    let mut half = vec![0.0; n * n];
    for j in 0..n {
        for m in 0..n {
            half[j * n + m] = weight(m) * (0..n).map(|i| v[j * n + i] * cosine(m, i)).sum::<f64>();
        }
    }
    let mut c = vec![0.0; n * n];
    for l in 0..n {
        for m in 0..n {
            c[l * n + m] = weight(l) * (0..n).map(|j| half[j * n + m] * cosine(l, j)).sum::<f64>();
        }
    }
    Some(c)
}

/// Sum of the sizes of the coefficients of highest degree along either axis.
fn tail(c: &[f64], n: usize) -> f64 {
    (0..n).map(|k| c[(n - 1) * n + k].abs() + c[k * n + n - 1].abs()).sum()
}

/// Sum of `c_k T_k(x)`, Clenshaw's recurrence.
fn clenshaw(c: impl DoubleEndedIterator<Item = f64> + ExactSizeIterator, x: f64) -> f64 {
    let (mut b1, mut b2) = (0.0, 0.0);
    let last = c.len() - 1;
    for (k, ck) in c.rev().enumerate() {
        if k == last {
            return ck + x * b1 - b2;
        }
        (b1, b2) = (ck + 2.0 * x * b1 - b2, b1);
    }
    0.0
}

/// Sums of `c_k T_k(x)` along a row: [`clenshaw`] for many cells at once, with the same bits.
struct Line<'a> {
    c: &'a [f64],
    /// Cells between the start of the expansion and the first cell.
    first: f64,
    scale: f64,
    out: &'a mut [f64],
}

impl NullaryFnOnce for Line<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        const LANES: usize = 32;
        let Some((c0, higher)) = self.c.split_first() else { return };
        for (block, out) in self.out.chunks_mut(LANES).enumerate() {
            let start = self.first + (block * LANES) as f64;
            let x: [f64; LANES] = std::array::from_fn(|k| (start + k as f64 + 0.5) * self.scale - 1.0);
            let (mut b1, mut b2) = ([0.0; LANES], [0.0; LANES]);
            for ck in higher.iter().rev() {
                for k in 0..LANES {
                    (b1[k], b2[k]) = (ck + 2.0 * x[k] * b1[k] - b2[k], b1[k]);
                }
            }
            out.iter_mut().enumerate().for_each(|(k, v)| *v = c0 + x[k] * b1[k] - b2[k]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn largest_error(p: &Patch, cols: usize, rows: usize, f: impl Fn(f64, f64) -> f64) -> f64 {
        let mut out = vec![0.0; cols];
        let mut worst = 0.0f64;
        for r in 0..rows {
            p.row(r as i64, 0, &mut out);
            for (c, v) in out.iter().enumerate() {
                worst = worst.max((v - f(c as f64 + 0.5, r as f64 + 0.5)).abs());
            }
        }
        worst
    }

    #[test]
    fn smooth_function_is_reproduced() {
        let f = |c: f64, r: f64| 2.0 + (c / 60.0).cos() * (r / 90.0).exp();
        let p = Patch::fit(101, 57, &|c, r| Some(f(c, r)));
        assert!(largest_error(&p, 101, 57, f) < 1e-9);
    }

    #[test]
    fn undefined_part_is_zero_and_the_rest_exact() {
        let f = |c: f64, r: f64| if c + r < 70.0 { Some(1.0 + c * r) } else { None };
        let p = Patch::fit(64, 64, &f);
        assert!(largest_error(&p, 64, 64, |c, r| f(c, r).unwrap_or(0.0)) < 1e-6);
    }

    #[test]
    fn any_start_column_gives_the_same_values() {
        let p = Patch::fit(40, 10, &|c, r| Some(1.0 + c * 0.1 + r));
        let (mut whole, mut part) = (vec![0.0; 40], vec![0.0; 7]);
        p.row(3, 0, &mut whole);
        p.row(3, 20, &mut part);
        assert_eq!(part, whole[20..27]);
        p.row(3, 37, &mut part);
        assert_eq!(part[3..], [0.0; 4]);
        let Body::Series { n, c } = &p.body else { panic!("not one expansion") };
        let y = 2.0 * 3.5 / 10.0 - 1.0;
        let line: Vec<f64> = (0..*n).map(|i| clenshaw((0..*n).map(|j| c[j * n + i]), y)).collect();
        let alone: Vec<f64> =
            (0..40).map(|k| clenshaw(line.iter().copied(), (f64::from(k) + 0.5) * (2.0 / 40.0) - 1.0)).collect();
        assert_eq!(whole, alone);
    }
}
