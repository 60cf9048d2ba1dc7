//! Target pixels from source pixels: the inner loops.
//!
//! Sums run in f64 and in one order. A pixel is first computed as if all of its source pixels were valid; nodata is NaN, so
//! that the sum tells where that was wrong, and only then the valid ones are picked out and weighed.

use super::lattice::Lattice;
use super::places::{Corners, Frame, NUDGE, OUTSIDE, Places};
use super::resampling::Resampling;
use super::stored::most;
use crate::grid::Window;

/// Least share of a kernel's weight that valid pixels must have: a half, less rounding.
pub(super) const LEAST: f64 = 0.5 - 1e-9;

/// A float type of planes.
pub(super) trait Cell: Copy {
    const NODATA: Self;
    fn wide(self) -> f64;
    fn of(value: f64) -> Self;
}

impl Cell for f32 {
    const NODATA: Self = Self::NAN;
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn of(value: f64) -> Self {
        value as Self
    }
}

impl Cell for f64 {
    const NODATA: Self = Self::NAN;
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }
}

/// The part of a source that is held, NaN where invalid and around the raster.
#[derive(Clone, Copy)]
pub(super) struct Held<'a, T> {
    pub(super) values: &'a [T],
    pub(super) window: Window,
}

/// How pixels are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel {
    resampling: Resampling,
    /// Source pixels per target pixel, 1 where the source is not finer.
    ratio: (f64, f64),
}

impl Kernel {
    /// The kernel for a ratio of resolutions. As in gdalwarp, a ratio below 1.05 stretches nothing, and one within 0.05 of
    /// a whole number is that number.
    pub(super) fn new(resampling: Resampling, ratio: (f64, f64)) -> Self {
        let rounded = |r: f64| {
            let r = if (r - r.round()).abs() < 0.05 { r.round() } else { r };
            if r < 1.0 / 0.95 { 1.0 } else { r }
        };
        Self { resampling, ratio: (rounded(ratio.0), rounded(ratio.1)) }
    }

    /// Source pixels needed around the places of target pixels, corners of pixels included.
    pub(super) fn reach(&self) -> usize {
        (self.resampling.radius() * self.ratio.0.max(self.ratio.1)).ceil() as usize + 1
    }

    fn stretched(&self) -> bool {
        self.ratio != (1.0, 1.0)
    }
}

/// Working memory of a reader.
#[derive(Default)]
pub(super) struct Bench {
    pub(super) places: Places,
    pub(super) corners: Corners,
    pub(super) x: Taps,
    pub(super) y: Taps,
}

/// Fills the cells of `window` that have a place; the others are left as they are. Stored values become
/// `value × scale + offset`.
pub(super) fn resample<T: Cell>(
    kernel: Kernel,
    lattice: &Lattice,
    size: (usize, usize),
    held: Held<'_, T>,
    (scale, offset): (f64, f64),
    window: Window,
    bench: &mut Bench,
    out: &mut [T],
) {
    let origin = (held.window.col, held.window.row);
    let shift = if kernel.resampling == Resampling::Nearest { 0.0 } else { 0.5 };
    let frame = Frame { size: (size.0 as f64, size.1 as f64), origin, shift };
    let encode = Encode { scale, offset };
    lattice.each(window, &mut |leaf, part| {
        for row in part.row..part.row_end() {
            let at = (row - window.row) as usize * window.cols + (part.col - window.col) as usize;
            let line = &mut out[at..at + part.cols];
            match kernel.resampling {
                Resampling::Average | Resampling::Mode => {
                    Places::corners(leaf, part, row, &mut bench.corners);
                    let mode = kernel.resampling == Resampling::Mode;
                    boxes(held, &bench.corners.0, mode, encode, (&mut bench.x, &mut bench.y), line);
                }
                _ => {
                    bench.places.centres(leaf, part, row, frame);
                    match kernel.resampling {
                        Resampling::Nearest => nearest(held, &bench.places, encode, line),
                        _ if kernel.stretched() => {
                            stretched(held, &bench.places, kernel, encode, (&mut bench.x, &mut bench.y), line);
                        }
                        Resampling::Bilinear => bilinear(held, &bench.places, encode, line),
                        _ => cubic(held, &bench.places, encode, line),
                    }
                }
            }
        }
    });
}

/// From stored values to the quantity.
#[derive(Clone, Copy)]
struct Encode {
    scale: f64,
    offset: f64,
}

impl Encode {
    #[inline(always)]
    fn of<T: Cell>(self, value: f64) -> T {
        T::of(value * self.scale + self.offset)
    }
}

fn nearest<T: Cell>(held: Held<'_, T>, places: &Places, encode: Encode, out: &mut [T]) {
    let cols = held.window.cols;
    for ((d, c), r) in out.iter_mut().zip(&places.col).zip(&places.row) {
        let value = if *c == OUTSIDE { None } else { held.values.get(*r as usize * cols + *c as usize) };
        *d = value.map_or(T::NODATA, |v| encode.of(v.wide()));
    }
}

#[pulp::with_simd(bilinear = pulp::Arch::new())]
#[inline(always)]
fn bilinear_with_simd<'a, S: pulp::Simd, T: Cell>(
    _simd: S,
    held: Held<'a, T>,
    places: &'a Places,
    encode: Encode,
    out: &'a mut [T],
) {
    let cols = held.window.cols;
    let cells = places.col.iter().zip(&places.row).zip(places.dx.iter().zip(&places.dy));
    for (d, ((&c, &r), (&dx, &dy))) in out.iter_mut().zip(cells) {
        if c == OUTSIDE {
            *d = T::NODATA;
            continue;
        }
        let at = (r as usize).wrapping_mul(cols).wrapping_add(c as usize);
        let pair = |at: usize| held.values.get(at..).and_then(|v| v.first_chunk::<2>());
        let (Some(a), Some(b)) = (pair(at), pair(at.wrapping_add(cols))) else {
            *d = T::NODATA;
            continue;
        };
        let (a0, a1, b0, b1) = (a[0].wide(), a[1].wide(), b[0].wide(), b[1].wide());
        let (upper, lower) = (a0 * (1.0 - dx) + a1 * dx, b0 * (1.0 - dx) + b1 * dx);
        let value = upper * (1.0 - dy) + lower * dy;
        *d = encode.of(if value.is_nan() {
            weighed([a, b].into_iter(), &[1.0 - dx, dx], &[1.0 - dy, dy], 1.0)
        } else {
            value
        });
    }
}

#[pulp::with_simd(cubic = pulp::Arch::new())]
#[inline(always)]
fn cubic_with_simd<'a, S: pulp::Simd, T: Cell>(
    _simd: S,
    held: Held<'a, T>,
    places: &'a Places,
    encode: Encode,
    out: &'a mut [T],
) {
    let cols = held.window.cols;
    let cells = places.col.iter().zip(&places.row).zip(places.dx.iter().zip(&places.dy));
    for (d, ((&c, &r), (&dx, &dy))) in out.iter_mut().zip(cells) {
        if c == OUTSIDE {
            *d = T::NODATA;
            continue;
        }
        let at = ((r - 1) as usize).wrapping_mul(cols).wrapping_add((c - 1) as usize);
        let four = |k: usize| held.values.get(at.wrapping_add(k * cols)..).and_then(|v| v.first_chunk::<4>());
        let (Some(l0), Some(l1), Some(l2), Some(l3)) = (four(0), four(1), four(2), four(3)) else {
            *d = T::NODATA;
            continue;
        };
        let (wx, wy) = (catmull_rom(dx), catmull_rom(dy));
        let along =
            |l: &[T; 4]| (l[0].wide() * wx[0] + l[1].wide() * wx[1]) + (l[2].wide() * wx[2] + l[3].wide() * wx[3]);
        let value = (along(l0) * wy[0] + along(l1) * wy[1]) + (along(l2) * wy[2] + along(l3) * wy[3]);
        *d = encode.of(if value.is_nan() { weighed([l0, l1, l2, l3].into_iter(), &wx, &wy, 1.0) } else { value });
    }
}

/// Weights of four samples around a position `t` between the second and the third.
#[inline(always)]
fn catmull_rom(t: f64) -> [f64; 4] {
    const C: [[f64; 4]; 4] =
        [[0.0, 1.0, 0.0, 0.0], [-0.5, 0.0, 0.5, 0.0], [1.0, -2.5, 2.0, -0.5], [-0.5, 1.5, -1.5, 0.5]];
    std::array::from_fn(|i| C[0][i] + t * (C[1][i] + t * (C[2][i] + t * C[3][i])))
}

/// The mean over valid samples of some lines; NaN where their weight is below half of `all`.
#[cold]
fn weighed<'a, T: Cell + 'a, L: AsRef<[T]> + ?Sized + 'a>(
    lines: impl Iterator<Item = &'a L>,
    wx: &[f64],
    wy: &[f64],
    all: f64,
) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    for (line, wy) in lines.zip(wy) {
        for (v, wx) in line.as_ref().iter().zip(wx) {
            let v = v.wide();
            if !v.is_nan() {
                sum += v * (wx * wy);
                weight += wx * wy;
            }
        }
    }
    if weight >= LEAST * all { sum / weight } else { f64::NAN }
}

/// Weights of consecutive source pixels along one axis.
#[derive(Default)]
pub(super) struct Taps {
    /// First pixel, relative to the window that is held.
    pub(super) first: usize,
    /// Weights of the pixels that are held.
    pub(super) weights: Vec<f64>,
    /// Sum of all weights, those of pixels that are not held included.
    pub(super) all: f64,
}

impl Taps {
    /// Weights by `weight` of those of the pixels `from..to` (on the source) that are `held` (start, length).
    fn fill(&mut self, from: i64, to: i64, held: (i64, usize), weight: impl Fn(i64) -> f64) {
        let (from, to) = (from.max(held.0), to.min(held.0 + held.1 as i64));
        self.first = (from - held.0).max(0) as usize;
        self.weights.clear();
        self.weights.extend((from..to).map(weight));
    }

    /// Weights by overlap with `low..high`.
    pub(super) fn overlap(&mut self, low: f64, high: f64, held: (i64, usize)) {
        let (from, to) = ((low + NUDGE).floor() as i64, (high - NUDGE).ceil() as i64);
        if to <= from {
            // A box without width lies in one pixel.
            self.all = 1.0;
            self.fill(from, from + 1, held, |_| 1.0);
        } else {
            self.all = high - low;
            self.fill(from, to, held, |i| ((i + 1) as f64).min(high) - (i as f64).max(low));
        }
    }

    /// Weights of a kernel around the position `at` in the cell that begins at pixel `cell` (on the source).
    fn kernel(&mut self, cell: i64, at: f64, resampling: Resampling, ratio: f64, held: (i64, usize)) {
        let radius = (resampling.radius() * ratio).ceil() as i64;
        let value = |x: f64| match resampling {
            Resampling::Bilinear => (1.0 - x.abs()).max(0.0),
            _ => cubic_kernel(x.abs()),
        };
        let weight = |i: i64| value(((i - cell) as f64 - at) / ratio);
        let (from, to) = (cell + 1 - radius, cell + radius + 1);
        self.all = (from..to).map(weight).sum();
        self.fill(from, to, held, weight);
    }
}

fn cubic_kernel(x: f64) -> f64 {
    if x <= 1.0 {
        x * x * (1.5 * x - 2.5) + 1.0
    } else if x <= 2.0 {
        x * (x * (-0.5 * x + 2.5) - 4.0) + 2.0
    } else {
        0.0
    }
}

fn stretched<T: Cell>(
    held: Held<'_, T>,
    places: &Places,
    kernel: Kernel,
    encode: Encode,
    (x, y): (&mut Taps, &mut Taps),
    out: &mut [T],
) {
    let w = held.window;
    let cells = places.col.iter().zip(&places.row).zip(places.dx.iter().zip(&places.dy));
    for (d, ((&c, &r), (&dx, &dy))) in out.iter_mut().zip(cells) {
        *d = if c == OUTSIDE {
            T::NODATA
        } else {
            let (col, row) = (w.col + i64::from(c), w.row + i64::from(r));
            x.kernel(col, dx, kernel.resampling, kernel.ratio.0, (w.col, w.cols));
            y.kernel(row, dy, kernel.resampling, kernel.ratio.1, (w.row, w.rows));
            encode.of(blend(held, x, y))
        };
    }
}

fn boxes<T: Cell>(
    held: Held<'_, T>,
    corners: &[[f64; 4]],
    mode: bool,
    encode: Encode,
    (x, y): (&mut Taps, &mut Taps),
    out: &mut [T],
) {
    let w = held.window;
    let valid = |at: usize| held.values.get(at).map(|v| v.wide()).filter(|v| !v.is_nan());
    let mut votes = Vec::new();
    for (d, b) in out.iter_mut().zip(corners) {
        x.overlap(b[0], b[2], (w.col, w.cols));
        y.overlap(b[1], b[3], (w.row, w.rows));
        *d = encode.of(match mode {
            false => blend(held, x, y),
            true => most(valid, w.cols, x, y, &mut votes).unwrap_or(f64::NAN),
        });
    }
}

/// The weighted mean; NaN where valid pixels have less than half of the weight.
#[pulp::with_simd(blend = pulp::Arch::new())]
#[inline(always)]
fn blend_with_simd<'a, S: pulp::Simd, T: Cell>(_simd: S, held: Held<'a, T>, x: &'a Taps, y: &'a Taps) -> f64 {
    const LANES: usize = 4;
    let (cols, n) = (held.window.cols, x.weights.len());
    let all = x.all * y.all;
    let lines = || (0..y.weights.len()).map(|k| &held.values[(y.first + k) * cols + x.first..][..n]);
    if n == 0 || y.weights.is_empty() {
        return f64::NAN;
    }
    let (wx, rest) = x.weights.as_chunks::<LANES>();
    let mut sum = 0.0;
    for (line, wy) in lines().zip(&y.weights) {
        let (values, tail) = line.as_chunks::<LANES>();
        let mut lanes = [0.0; LANES];
        for (v, w) in values.iter().zip(wx) {
            (0..LANES).for_each(|k| lanes[k] += v[k].wide() * w[k]);
        }
        let mut part = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
        tail.iter().zip(rest).for_each(|(v, w)| part += v.wide() * w);
        sum += part * wy;
    }
    let weight = x.weights.iter().sum::<f64>() * y.weights.iter().sum::<f64>();
    if sum.is_nan() {
        weighed(lines(), &x.weights, &y.weights, all)
    } else if weight >= LEAST * all {
        sum / weight
    } else {
        f64::NAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(values: &[f32], cols: usize) -> Held<'_, f32> {
        Held { values, window: Window::new(0, 0, cols, values.len() / cols) }
    }

    fn one(dx: f64, dy: f64) -> Places {
        Places { col: vec![1], row: vec![1], dx: vec![dx], dy: vec![dy] }
    }

    const PLAIN: Encode = Encode { scale: 1.0, offset: 0.0 };

    #[test]
    fn bilinear_of_a_plane_is_the_plane_and_half_of_the_weight_must_be_valid() {
        let mut v: Vec<f32> = (0..16).map(|i| (i % 4 * 10 + i / 4) as f32).collect();
        let mut out = [0.0];
        bilinear(held(&v, 4), &one(0.25, 0.75), PLAIN, &mut out);
        assert_eq!(out[0], 12.5 + 1.75);
        // The nearest of the four goes: weights 3/16, 1/16 and 3/16 are left, less than a half.
        v[9] = f32::NAN;
        bilinear(held(&v, 4), &one(0.25, 0.75), PLAIN, &mut out);
        assert!(out[0].is_nan());
        // The farthest goes: 15/16 are left.
        (v[9], v[6]) = (12.0, f32::NAN);
        bilinear(held(&v, 4), &one(0.25, 0.75), PLAIN, &mut out);
        assert_eq!(out[0], ((11.0 * 3.0 + 12.0 * 9.0 + 22.0 * 3.0) / 15.0) as f32);
    }

    #[test]
    fn cubic_reproduces_parabolas_and_its_own_samples() {
        let v: Vec<f32> = (0..16).map(|i| ((i % 4) * (i % 4)) as f32).collect();
        let mut out = [0.0];
        cubic(held(&v, 4), &one(0.5, 0.3), PLAIN, &mut out);
        assert!((out[0] - 2.25).abs() < 1e-6, "{}", out[0]);
        cubic(held(&v, 4), &one(0.0, 0.0), PLAIN, &mut out);
        assert_eq!(out[0], 1.0);
        assert_eq!(catmull_rom(0.3).map(|w| (w * 1e12).round()), {
            let k = |x: f64| (cubic_kernel(x) * 1e12).round();
            [k(1.3), k(0.3), k(0.7), k(1.7)]
        });
    }

    #[test]
    fn boxes_weigh_by_overlap_and_count_what_is_not_there() {
        let v: Vec<f32> = (0..16).map(|i| i as f32).collect();
        let (mut x, mut y, mut out) = (Taps::default(), Taps::default(), [0.0; 3]);
        // One and a half columns of one row; a box that sticks out by half, and one by more.
        let corners = [[0.5, 1.0, 2.0, 2.0], [-2.0, 0.0, 2.0, 1.0], [-2.1, 0.0, 2.0, 1.0]];
        boxes(held(&v, 4), &corners, false, PLAIN, (&mut x, &mut y), &mut out);
        assert_eq!(out[0], ((4.0 * 0.5 + 5.0) / 1.5) as f32);
        assert_eq!(out[1], 0.5);
        assert!(out[2].is_nan());
    }

    #[test]
    fn a_stretched_kernel_covers_as_many_pixels_as_the_ratio_says() {
        let mut taps = Taps::default();
        taps.kernel(10, 0.0, Resampling::Bilinear, 2.0, (0, 100));
        assert_eq!((taps.first, taps.weights.as_slice(), taps.all), (9, &[0.5, 1.0, 0.5, 0.0][..], 2.0));
        let ratio = |r: f64| Kernel::new(Resampling::Cubic, (r, r)).ratio.0;
        assert_eq!([ratio(0.3), ratio(1.02), ratio(1.2), ratio(2.97)], [1.0, 1.0, 1.2, 3.0]);
        assert_eq!(Kernel::new(Resampling::Cubic, (3.0, 3.0)).reach(), 7);
    }
}
