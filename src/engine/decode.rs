//! From stored samples to planes: nodata, masks, upsampling, valid range and clip, each counted by cause.

use super::outcome::ChannelCounts;
use crate::error::{Error, Result};
use crate::grid::{Nest, Window};
use crate::raster::plane::Values;
use crate::raster::{Plane, Raw};
use crate::with_samples;

/// A stored sample type.
pub(super) trait Sample: Copy + PartialEq {
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
            fn narrow(self) -> f32 { self as f32 }
            fn wide(self) -> f64 { self as f64 }
            fn named(value: f64) -> Option<Self> { (value as Self as f64 == value).then_some(value as Self) }
            fn exact(self) -> bool { size_of::<Self>() < 8 || (self as i128).unsigned_abs() <= 1 << 53 }
        }
    )*};
}
integers!(u8 i8 u16 i16 u32 i32 u64 i64);

impl Sample for f32 {
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
trait Held: Copy {
    const NODATA: Self;
    fn of<T: Sample>(sample: T) -> Self;
    fn wide(self) -> f64;
    fn is_nodata(self) -> bool;
}

impl Held for f32 {
    const NODATA: Self = Self::NAN;
    fn of<T: Sample>(sample: T) -> Self {
        sample.narrow()
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn is_nodata(self) -> bool {
        self.is_nan()
    }
}

impl Held for f64 {
    const NODATA: Self = Self::NAN;
    fn of<T: Sample>(sample: T) -> Self {
        sample.wide()
    }
    fn wide(self) -> f64 {
        self
    }
    fn is_nodata(self) -> bool {
        self.is_nan()
    }
}

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
    out.clear();
    out.resize(job.window.cells(), D::NODATA);
    if let Some((raw, inside)) = job.raw {
        with_samples!(&raw.samples, v => copy(job, v, raw.mask.as_deref(), inside, out, counts))?;
    }
    let (cols, halo) = (job.window.cols, job.halo);
    let core_rows = halo..job.window.rows.saturating_sub(halo);
    for (r, row) in out.chunks_mut(cols).enumerate() {
        let (at, core) = (r * cols, halo..cols.saturating_sub(halo));
        let nodata = |row: &[D]| row[core.clone()].iter().filter(|v| v.is_nodata()).count() as u64;
        let mut clipped = 0;
        if let Some(keep) = job.keep {
            let keep = &keep[at..at + cols];
            row.iter_mut().zip(keep).filter(|(_, k)| !**k).for_each(|(v, _)| *v = D::NODATA);
            clipped = keep[core.clone()].iter().filter(|k| !**k).count() as u64;
        }
        let before = nodata(row);
        for mask in &job.masks {
            let mask = &mask[at..at + cols];
            row.iter_mut().zip(mask).for_each(|(v, m)| *v = if *m == 0 { *v } else { D::NODATA });
        }
        let masked = if job.masks.is_empty() { before } else { nodata(row) };
        let mut after = masked;
        if let Some((low, high)) = job.valid {
            row.iter_mut().for_each(|v| {
                let x = v.wide() * scale + offset;
                *v = if x >= low && x <= high { *v } else { D::NODATA };
            });
            after = nodata(row);
        }
        if core_rows.contains(&r) {
            counts.cells += core.len() as u64;
            counts.clipped += clipped;
            counts.nodata += before - clipped;
            counts.masked += masked - before;
            counts.out_of_range += after - masked;
        }
    }
    Ok(())
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
        return Ok(());
    }
    for (r, row) in out.chunks_mut(w.cols).enumerate() {
        let source_row = (w.row + r as i64 - nest.row).div_euclid(k) - inside.row;
        if source_row < 0 || source_row >= inside.rows as i64 {
            continue;
        }
        let at = source_row as usize * inside.cols;
        let cells = &mut row[(first - w.col) as usize..(last - w.col) as usize];
        let from = |col: i64| at + ((col - nest.col).div_euclid(k) - inside.col) as usize;
        let span = from(first)..from(last - 1) + 1;
        check_exact(job, &samples[span.clone()], mask.map(|m| &m[span.clone()]), nodata)?;
        // Rare, so the span is first searched as a whole.
        let any = samples[span.clone()].iter().any(|x| x.infinite());
        if any && (job.halo..w.rows.saturating_sub(job.halo)).contains(&r) {
            let core = first.max(w.col + job.halo as i64)..last.min(w.col_end() - job.halo as i64);
            let infinite = |s: &usize| samples[*s].infinite() && mask.is_none_or(|m| m[*s] != 0);
            let not_named = |s: &usize| Some(samples[*s]) != nodata;
            counts.infinite += core.map(from).filter(infinite).filter(not_named).count() as u64;
        }
        let value = |x: T| if Some(x) == nodata || !x.finite() { D::NODATA } else { D::of(x) };
        match (k, mask) {
            (1, None) => cells.iter_mut().zip(&samples[span]).for_each(|(d, &x)| *d = value(x)),
            (1, Some(m)) => cells
                .iter_mut()
                .zip(samples[span.clone()].iter().zip(&m[span]))
                .for_each(|(d, (&x, &m))| *d = if m == 0 { D::NODATA } else { value(x) }),
            _ => cells.iter_mut().enumerate().for_each(|(i, d)| {
                let s = from(first + i as i64);
                *d = if mask.is_some_and(|m| m[s] == 0) { D::NODATA } else { value(samples[s]) };
            }),
        }
    }
    Ok(())
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
