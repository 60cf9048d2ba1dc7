//! Neighbouring pixels side by side: the dates of a run of pixels as lanes, and sorting them without branches.

use std::ops::{Add, AddAssign, Div, Mul, Sub};

use crate::raster::Plane;
use crate::raster::plane::Values;

/// Pixels computed together. Every lane is computed as if it were alone, so that the number changes no result.
pub(super) const LANES: usize = 16;

/// One number a pixel.
pub(super) type Row<T> = [T; LANES];

/// A float type of lanes.
pub(super) trait Lane:
    Copy
    + Default
    + PartialOrd
    + AddAssign
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Into<f64>
{
    const ONE: Self;
    const INFINITY: Self;
    /// Squared distances below this are none.
    const MET: Self;
    /// The nearest value.
    fn near(value: f64) -> Self;
    fn not_a_number(self) -> bool;
    fn root(self) -> Self;
    /// 1/√x of a positive normal number.
    fn inverse_root(self) -> Self;
}

impl Lane for f32 {
    const ONE: Self = 1.0;
    const INFINITY: Self = Self::INFINITY;
    const MET: Self = 1e-14;
    #[inline(always)]
    fn near(value: f64) -> Self {
        value as Self
    }
    #[inline(always)]
    fn not_a_number(self) -> bool {
        self.is_nan()
    }
    #[inline(always)]
    fn root(self) -> Self {
        self.sqrt()
    }
    /// Newton's iteration from the exponent halved (Lomont 2003): products and sums only, so that it is fast in lanes and
    /// has the same bits on every processor, which the processors' own estimates have not.
    #[inline(always)]
    fn inverse_root(self) -> Self {
        let half = 0.5 * self;
        let mut y = Self::from_bits(0x5f37_5a86 - (self.to_bits() >> 1));
        for _ in 0..3 {
            y = y * (1.5 - half * y * y);
        }
        y
    }
}

impl Lane for f64 {
    const ONE: Self = 1.0;
    const INFINITY: Self = Self::INFINITY;
    const MET: Self = 1e-30;
    #[inline(always)]
    fn near(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn not_a_number(self) -> bool {
        self.is_nan()
    }
    #[inline(always)]
    fn root(self) -> Self {
        self.sqrt()
    }
    #[inline(always)]
    fn inverse_root(self) -> Self {
        1.0 / self.sqrt()
    }
}

/// The numbers behind [`Stack`] values: physical = value * scale + offset, one pair a band.
pub(super) struct Encodings {
    pub(super) bands: Vec<(f64, f64)>,
    /// What is added to the stored values of each plane so that all dates of a band have one encoding.
    shifts: Vec<f64>,
}

impl Encodings {
    /// The common encoding of every band over its dates, in which stored values stay exact in f32; none where there is
    /// none (f64 planes, other scales, offsets that are no whole number of steps apart).
    pub(super) fn common(planes: &[&Plane], bands: usize) -> Option<Self> {
        let first = planes.get(..bands)?;
        let mut shifts = Vec::with_capacity(planes.len());
        for date in planes.chunks_exact(bands) {
            for (plane, base) in date.iter().zip(first) {
                let steps = (plane.offset - base.offset) / base.scale;
                let exact = matches!(plane.values, Values::F32(_))
                    && plane.scale == base.scale
                    && base.scale > 0.0
                    && (steps == 0.0 || whole_steps(plane, steps));
                if !exact {
                    return None;
                }
                shifts.push(steps.round());
            }
        }
        Some(Self { bands: first.iter().map(|p| (p.scale, p.offset)).collect(), shifts })
    }
}

/// True for an offset such as the 1000 steps of Sentinel-2's baseline 04.00; f32 adds it exactly to 16-bit integers, and
/// planes scaled by less than 1 hold no others.
fn whole_steps(plane: &Plane, steps: f64) -> bool {
    plane.scale < 1.0 && steps.abs() < 65_536.0 && (steps - steps.round()).abs() < 1e-6
}

/// All dates of a run of pixels.
#[derive(Default)]
pub(super) struct Stack<T> {
    pub(super) bands: usize,
    /// Date by date, in it band by band; any finite number where a date is not valid.
    pub(super) values: Vec<Row<T>>,
    /// Dates whose bands are all there.
    pub(super) valid: Vec<Row<bool>>,
    /// Valid dates.
    pub(super) count: Row<u32>,
}

impl<T: Lane> Stack<T> {
    /// Dates, one of `bands` planes after the other.
    pub(super) fn dates(&self) -> impl Iterator<Item = (&[Row<T>], &Row<bool>)> {
        self.values.chunks_exact(self.bands).zip(&self.valid)
    }

    pub(super) fn value(&self, date: usize, band: usize, lane: usize) -> T {
        self.values[date * self.bands + band][lane]
    }

    /// Makes room for `dates` dates of `bands` bands.
    pub(super) fn reset(&mut self, dates: usize, bands: usize) {
        self.bands = bands;
        self.values.resize(dates * bands, [T::default(); LANES]);
        self.valid.resize(dates, [false; LANES]);
    }

    /// Finds the valid dates; NaN becomes 0.
    pub(super) fn validate(&mut self) {
        validate(self.bands, &mut self.values, &mut self.valid, &mut self.count);
    }
}

impl Stack<f32> {
    /// Loads cells `at..at + n` of the planes as stored, in their common encoding.
    pub(super) fn load(&mut self, planes: &[&Plane], encodings: &Encodings, at: usize, n: usize) {
        for ((row, plane), shift) in self.values.iter_mut().zip(planes).zip(&encodings.shifts) {
            let Values::F32(v) = &plane.values else { continue };
            // Of a known length, which spares a call for every few bytes.
            match v[at..at + n].as_array() {
                Some(whole) => *row = *whole,
                None => {
                    row[..n].copy_from_slice(&v[at..at + n]);
                    row[n..].fill(f32::NAN);
                }
            }
            if *shift != 0.0 {
                row.iter_mut().for_each(|x| *x += *shift as f32);
            }
        }
        self.validate();
    }
}

impl Stack<f64> {
    /// Loads cells `at..at + n` of the planes as physical values.
    pub(super) fn load(&mut self, planes: &[&Plane], at: usize, n: usize) {
        for (row, plane) in self.values.iter_mut().zip(planes) {
            plane.load(at / plane.cols, at % plane.cols, &mut row[..n]);
            row[n..].fill(f64::NAN);
        }
        self.validate();
    }
}

#[pulp::with_simd(validate = pulp::Arch::new())]
#[inline(always)]
fn validate_with_simd<'a, S: pulp::Simd, T: Lane>(
    _simd: S,
    bands: usize,
    values: &'a mut [Row<T>],
    valid: &'a mut [Row<bool>],
    count: &'a mut Row<u32>,
) {
    *count = [0; LANES];
    for (date, ok) in values.chunks_exact_mut(bands).zip(valid) {
        let mut all = [true; LANES];
        for row in date.iter() {
            for l in 0..LANES {
                all[l] &= !row[l].not_a_number();
            }
        }
        for row in date {
            for l in 0..LANES {
                row[l] = if all[l] { row[l] } else { T::default() };
            }
        }
        for l in 0..LANES {
            count[l] += u32::from(all[l]);
        }
        *ok = all;
    }
}

/// Comparisons that sort `n` values, in order: merge exchange (Batcher 1968; Knuth, The Art of Computer Programming 5.2.2,
/// algorithm M), which works for any `n`.
pub(super) fn network(n: usize) -> Vec<(u32, u32)> {
    let mut pairs = Vec::new();
    let top = n.next_power_of_two() / 2;
    let mut p = top;
    while p > 0 {
        let (mut q, mut r, mut d) = (top, 0, p);
        loop {
            pairs.extend((0..n.saturating_sub(d)).filter(|i| i & p == r).map(|i| (i as u32, (i + d) as u32)));
            if q == p {
                break;
            }
            (d, q, r) = (q - p, q / 2, p);
        }
        p /= 2;
    }
    pairs
}

/// Sorts every lane by the comparisons of [`network`]. There must be no NaN.
#[pulp::with_simd(sort = pulp::Arch::new())]
#[inline(always)]
pub(super) fn sort_with_simd<'a, S: pulp::Simd, T: Lane>(_simd: S, pairs: &'a [(u32, u32)], rows: &'a mut [Row<T>]) {
    for &(i, j) in pairs {
        let (a, b) = (rows[i as usize], rows[j as usize]);
        let (mut low, mut high) = (a, b);
        for l in 0..LANES {
            low[l] = if b[l] < a[l] { b[l] } else { a[l] };
            high[l] = if b[l] < a[l] { a[l] } else { b[l] };
        }
        rows[i as usize] = low;
        rows[j as usize] = high;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_sort_every_sequence_of_zeros_and_ones() {
        // Knuth's principle: what sorts these sorts everything.
        for n in 0..=16_usize {
            let pairs = network(n);
            for bits in 0..1_u32 << n {
                let mut rows: Vec<Row<f32>> = (0..n).map(|i| [(bits >> i & 1) as f32; LANES]).collect();
                sort(&pairs, &mut rows);
                assert!(rows.is_sorted_by(|a, b| a[3] <= b[3]), "{n} {bits:b}");
            }
        }
        assert_eq!(network(64).len(), 543);
    }

    #[test]
    fn inverse_roots_are_those_of_double_precision() {
        for i in 0..4000 {
            let x = 1e-14_f32 * 1.013_f32.powi(i);
            if x.is_finite() {
                let exact = 1.0 / f64::from(x).sqrt();
                assert!((f64::from(x.inverse_root()) / exact - 1.0).abs() < 3e-7, "{x}");
            }
        }
    }

    #[test]
    fn offsets_whole_steps_apart_have_one_encoding() {
        let plane = |scale, offset| Plane { scale, offset, ..Plane::from_f32(1, 1, vec![7.0]) };
        let (old, new) = (plane(1e-4, 0.0), plane(1e-4, -0.1));
        let both = Encodings::common(&[&old, &new], 1).unwrap();
        assert_eq!((both.bands[0], &both.shifts[..]), ((1e-4, 0.0), &[0.0, -1000.0][..]));
        assert!(Encodings::common(&[&old, &plane(2.75e-5, -0.2)], 1).is_none());
        assert!(Encodings::common(&[&old, &plane(1e-4, -0.100_05)], 1).is_none());
        assert!(Encodings::common(&[&old, &Plane::from_f64(1, 1, vec![7.0])], 1).is_none());
    }
}
