//! From stored samples to planes: nodata, masks, upsampling, valid range and clip, each counted by cause.

use super::outcome::ChannelCounts;
use crate::error::{Error, Result};
use crate::grid::{Nest, Window};
use crate::raster::plane::Values;
use crate::raster::{Plane, Raw};
use crate::with_samples;

/// A stored sample type.
pub(super) trait Sample: Copy + PartialEq {
    /// True for types that hold infinities and NaN.
    const FLOAT: bool;
    /// The value in f32; exact for the types that are decoded to f32.
    fn narrow(self) -> f32;
    /// The value in f64.
    fn wide(self) -> f64;
    /// The sample that `value` names, where the type has it.
    fn named(value: f64) -> Option<Self>;
    /// False where f64 cannot hold the value.
    fn exact(self) -> bool {
        true
    }
    /// False for infinities and NaN, which are no measurements.
    fn finite(self) -> bool {
        true
    }
    /// True for infinities.
    fn infinite(self) -> bool {
        false
    }
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl Sample for $t {
            const FLOAT: bool = false;
            fn narrow(self) -> f32 { self as f32 }
            fn wide(self) -> f64 { self as f64 }
            fn named(value: f64) -> Option<Self> { (value as Self as f64 == value).then_some(value as Self) }
            fn exact(self) -> bool { size_of::<Self>() < 8 || (self as i128).unsigned_abs() <= 1 << 53 }
        }
    )*};
}
integers!(u8 i8 u16 i16 u32 i32 u64 i64);

impl Sample for f32 {
    const FLOAT: bool = true;
    fn narrow(self) -> f32 {
        self
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn named(value: f64) -> Option<Self> {
        // A nodata text such as -9999.9 names the nearest f32, which is what the file stores.
        (!value.is_nan()).then_some(value as Self)
    }
    fn finite(self) -> bool {
        self.is_finite()
    }
    fn infinite(self) -> bool {
        self.is_infinite()
    }
}

impl Sample for f64 {
    const FLOAT: bool = true;
    fn narrow(self) -> f32 {
        self as f32
    }
    fn wide(self) -> f64 {
        self
    }
    fn named(value: f64) -> Option<Self> {
        (!value.is_nan()).then_some(value)
    }
    fn finite(self) -> bool {
        self.is_finite()
    }
    fn infinite(self) -> bool {
        self.is_infinite()
    }
}

/// A float type planes are held in.
trait Held: Copy + PartialOrd {
    const NODATA: Self;
    fn of<T: Sample>(sample: T) -> Self;
    fn is_nodata(self) -> bool;
    /// The stored values whose physical value `x * scale + offset` lies in `low..=high`, as a range of stored values: the
    /// map is monotone, so the ends are found by bisection, and a cell costs two comparisons.
    fn stored_range(encoding: (f64, f64), physical: (f64, f64)) -> (Self, Self);
}

macro_rules! held {
    ($t:ty, $bits:ty, $of:ident) => {
        impl Held for $t {
            const NODATA: Self = Self::NAN;
            #[inline(always)]
            fn of<T: Sample>(sample: T) -> Self {
                sample.$of()
            }
            #[inline(always)]
            fn is_nodata(self) -> bool {
                self.is_nan()
            }
            fn stored_range((scale, offset): (f64, f64), (low, high): (f64, f64)) -> (Self, Self) {
                // Finite floats in order of their values, as integers.
                let bits = |i: $bits| Self::from_bits(i.cast_unsigned());
                let ordered = |i: $bits| if i < 0 { -bits(-i) } else { bits(i) };
                let last = Self::MAX.to_bits().cast_signed();
                let physical = |i: $bits| f64::from(ordered(i)) * scale + offset;
                // The first of the ordered values for which `passed` holds; one past the last where it never does.
                let first = |passed: &dyn Fn($bits) -> bool| {
                    let (mut from, mut to) = (-last, last + 1);
                    while from < to {
                        // Rounds down, also below zero.
                        let middle = (from & to) + ((from ^ to) >> 1);
                        if passed(middle) { to = middle } else { from = middle + 1 }
                    }
                    from
                };
                let (a, b) = if scale < 0.0 {
                    (first(&|i| physical(i) <= high), first(&|i| physical(i) < low))
                } else {
                    (first(&|i| physical(i) >= low), first(&|i| physical(i) > high))
                };
                if a >= b { (Self::INFINITY, Self::NEG_INFINITY) } else { (ordered(a), ordered(b - 1)) }
            }
        }
    };
}
held!(f32, i32, narrow);
held!(f64, i64, wide);

/// What decoding a channel into a plane needs to know.
pub(super) struct Decoding<'a> {
    /// Name of source and channel, for messages.
    pub(super) what: (&'a str, &'a str),
    /// What was read and its window on the source's grid; none where the source has nothing there.
    pub(super) raw: Option<(&'a Raw, Window)>,
    /// How the source lies on the pass grid.
    pub(super) nest: Nest,
    /// The plane's window on the pass grid, halo included.
    pub(super) window: Window,
    /// Pixels of halo, which are not counted.
    pub(super) halo: usize,
    /// Nodata in stored values.
    pub(super) nodata: Option<f64>,
    /// Physical range that is valid.
    pub(super) valid: Option<(f64, f64)>,
    /// Masks over the plane's window, non-zero = invalid.
    pub(super) masks: Vec<&'a [u8]>,
    /// Cells inside the area of interest.
    pub(super) keep: Option<&'a [bool]>,
}

/// Fills `plane` (scale and offset set) and counts the core cells by cause.
pub(super) fn decode(job: &Decoding<'_>, plane: &mut Plane, counts: &mut ChannelCounts) -> Result<()> {
    let (w, scale, offset) = (job.window, plane.scale, plane.offset);
    (plane.cols, plane.rows) = (w.cols, w.rows);
    match &mut plane.values {
        Values::F32(v) => fill(job, v, scale, offset, counts),
        Values::F64(v) => fill(job, v, scale, offset, counts),
    }
}

fn fill<D: Held>(
    job: &Decoding<'_>,
    out: &mut Vec<D>,
    scale: f64,
    offset: f64,
    counts: &mut ChannelCounts,
) -> Result<()> {
    // Every cell is written below; what the source does not cover is made nodata there.
    out.resize(job.window.cells(), D::NODATA);
    match job.raw {
        Some((raw, inside)) => {
            with_samples!(&raw.samples, v => copy(job, v, raw.mask.as_deref(), inside, out, counts))?;
        }
        None => out.fill(D::NODATA),
    }
    let range = job.valid.map(|physical| D::stored_range((scale, offset), physical));
    discard(job, out, range, counts);
    Ok(())
}

/// Makes nodata of what is clipped, masked or out of range, and counts core cells by cause.
#[pulp::with_simd(discard = pulp::Arch::new())]
#[inline(always)]
fn discard_with_simd<'a, S: pulp::Simd, D: Held>(
    _simd: S,
    job: &'a Decoding<'a>,
    out: &'a mut [D],
    range: Option<(D, D)>,
    counts: &'a mut ChannelCounts,
) {
    let (cols, halo) = (job.window.cols, job.halo);
    let core_rows = halo..job.window.rows.saturating_sub(halo);
    for (r, row) in out.chunks_mut(cols).enumerate() {
        let (at, core) = (r * cols, halo..cols.saturating_sub(halo));
        let mut clipped = 0;
        if let Some(keep) = job.keep {
            let keep = &keep[at..at + cols];
            row.iter_mut().zip(keep).for_each(|(v, k)| *v = if *k { *v } else { D::NODATA });
            clipped = keep[core.clone()].iter().map(|k| u32::from(!*k)).sum::<u32>();
        }
        let mut before = None;
        for mask in &job.masks {
            before.get_or_insert_with(|| nodata(&row[core.clone()]));
            let mask = &mask[at..at + cols];
            row.iter_mut().zip(mask).for_each(|(v, m)| *v = if *m == 0 { *v } else { D::NODATA });
        }
        let (masked, after) = match range {
            None => {
                let n = nodata(&row[core.clone()]);
                (n, n)
            }
            Some(range) => {
                keep(&mut row[..core.start], range);
                keep(&mut row[core.end..], range);
                keep(&mut row[core.clone()], range)
            }
        };
        let before = before.unwrap_or(masked);
        if core_rows.contains(&r) {
            counts.cells += core.len() as u64;
            counts.clipped += u64::from(clipped);
            counts.nodata += u64::from(before - clipped);
            counts.masked += u64::from(masked - before);
            counts.out_of_range += u64::from(after - masked);
        }
    }
}

/// Makes nodata of what is out of range; gives the nodata cells before and after.
#[inline(always)]
fn keep<D: Held>(row: &mut [D], (low, high): (D, D)) -> (u32, u32) {
    let (mut before, mut kept) = (0, 0);
    for v in row.iter_mut() {
        let inside = *v >= low && *v <= high;
        before += u32::from(v.is_nodata());
        kept += u32::from(inside);
        *v = if inside { *v } else { D::NODATA };
    }
    (before, row.len() as u32 - kept)
}

#[inline(always)]
fn nodata<D: Held>(row: &[D]) -> u32 {
    row.iter().map(|v| u32::from(v.is_nodata())).sum()
}

/// Copies what lies inside the source, nodata and masked samples as NaN; a coarser pixel fills all cells it covers.
fn copy<T: Sample, D: Held>(
    job: &Decoding<'_>,
    samples: &[T],
    mask: Option<&[u8]>,
    inside: Window,
    out: &mut [D],
    counts: &mut ChannelCounts,
) -> Result<()> {
    let (w, nest, k) = (job.window, job.nest, job.nest.factor as i64);
    let nodata = job.nodata.and_then(T::named);
    // Columns of the plane that the source covers.
    let first = (nest.col + inside.col * k).max(w.col);
    let last = (nest.col + inside.col_end() * k).min(w.col_end());
    if first >= last {
        out.fill(D::NODATA);
        return Ok(());
    }
    for (r, row) in out.chunks_mut(w.cols).enumerate() {
        let source_row = (w.row + r as i64 - nest.row).div_euclid(k) - inside.row;
        if source_row < 0 || source_row >= inside.rows as i64 {
            row.fill(D::NODATA);
            continue;
        }
        let at = source_row as usize * inside.cols;
        let (left, right) = ((first - w.col) as usize, (last - w.col) as usize);
        row[..left].fill(D::NODATA);
        row[right..].fill(D::NODATA);
        let cells = &mut row[left..right];
        let from = |col: i64| at + ((col - nest.col).div_euclid(k) - inside.col) as usize;
        let span = from(first)..from(last - 1) + 1;
        let valid = mask.map(|m| &m[span.clone()]);
        check_exact(job, &samples[span.clone()], valid, nodata)?;
        // Rare, so the span is first searched as a whole.
        let any = T::FLOAT && samples[span.clone()].iter().any(|x| x.infinite());
        if any && (job.halo..w.rows.saturating_sub(job.halo)).contains(&r) {
            let core = first.max(w.col + job.halo as i64)..last.min(w.col_end() - job.halo as i64);
            let infinite = |s: &usize| samples[*s].infinite() && mask.is_none_or(|m| m[*s] != 0);
            let not_named = |s: &usize| Some(samples[*s]) != nodata;
            counts.infinite += core.map(from).filter(infinite).filter(not_named).count() as u64;
        }
        if k == 1 {
            convert(&samples[span], nodata, valid, cells);
        } else {
            let value = |x: T| if Some(x) == nodata || !x.finite() { D::NODATA } else { D::of(x) };
            cells.iter_mut().enumerate().for_each(|(i, d)| {
                let s = from(first + i as i64);
                *d = if mask.is_some_and(|m| m[s] == 0) { D::NODATA } else { value(samples[s]) };
            });
        }
    }
    Ok(())
}

/// Samples as plane values; nodata, non-finite and masked ones are NaN.
#[pulp::with_simd(convert = pulp::Arch::new())]
#[inline(always)]
fn convert_with_simd<'a, S: pulp::Simd, T: Sample, D: Held>(
    _simd: S,
    samples: &'a [T],
    nodata: Option<T>,
    valid: Option<&'a [u8]>,
    out: &'a mut [D],
) {
    let finite = |x: T| if x.finite() { D::of(x) } else { D::NODATA };
    match nodata {
        None => out.iter_mut().zip(samples).for_each(|(d, &x)| *d = finite(x)),
        Some(n) => out.iter_mut().zip(samples).for_each(|(d, &x)| *d = if x == n { D::NODATA } else { finite(x) }),
    }
    if let Some(valid) = valid {
        out.iter_mut().zip(valid).for_each(|(d, &m)| *d = if m == 0 { D::NODATA } else { *d });
    }
}

/// 64-bit integers beyond 2^53 would be rounded in f64: an error, never a silently changed number.
fn check_exact<T: Sample>(job: &Decoding<'_>, samples: &[T], mask: Option<&[u8]>, nodata: Option<T>) -> Result<()> {
    if size_of::<T>() < 8 {
        return Ok(());
    }
    let wrong =
        samples.iter().enumerate().find(|(i, x)| !x.exact() && Some(**x) != nodata && mask.is_none_or(|m| m[*i] != 0));
    match wrong {
        None => Ok(()),
        Some((_, x)) => Err(Error::input(format!(
            "{}: channel {}, {}: value {} is beyond 2^53 and cannot be computed exactly; declare it nodata or convert the band",
            job.what.0,
            job.what.1,
            job.window,
            x.wide()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_range_keeps_exactly_what_the_physical_range_keeps() {
        for (encoding, physical) in [
            ((1e-4, 0.0), (-0.2, 1.6)),
            ((2.75e-5, -0.2), (-0.2, 1.6)),
            ((-0.5, 10.0), (0.0, 3.0)),
            ((1.0, 0.0), (f64::NEG_INFINITY, 5.0)),
        ] {
            let (low, high) = f32::stored_range(encoding, physical);
            for i in -70_000..70_000_i32 {
                let x = i as f32;
                let value = f64::from(x) * encoding.0 + encoding.1;
                assert_eq!(x >= low && x <= high, value >= physical.0 && value <= physical.1, "{x} by {encoding:?}");
            }
            let (low, high) = f64::stored_range(encoding, physical);
            for x in [low.next_down(), low, high, high.next_up()].into_iter().filter(|x| x.is_finite()) {
                let value = x * encoding.0 + encoding.1;
                assert_eq!(x >= low && x <= high, value >= physical.0 && value <= physical.1, "{x} by {encoding:?}");
            }
        }
        let nothing = f32::stored_range((1.0, 0.0), (3.2, 3.1));
        assert!(nothing.0 > nothing.1);
    }
}
