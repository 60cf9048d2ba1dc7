//! The maps of a report, read and drawn on all threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::picture::Picture;
use super::reduce::{Part, Reduction};
use crate::engine::Limits;
use crate::error::{Error, Result};
use crate::project::summary::MapKind;
use crate::raster::Source;

/// What a thread holds at most for files of blocks of up to a megapixel: a window and a decoded block of 8-byte samples
/// with their mask, and the sums of one picture twice while its strips are joined.
const PER_THREAD: u64 = 48 << 20;

/// One map to read: its source is opened when its turn comes, so that few files are open at once.
pub(super) struct Wanted<'a> {
    /// Opens the raster.
    pub(super) open: Box<dyn Fn() -> Result<Arc<dyn Source>> + Send + Sync + 'a>,
    /// Band, from 0.
    pub(super) band: usize,
    /// What the band shows.
    pub(super) kind: MapKind,
}

/// Threads that fit in the limits.
fn workers(limits: Limits, jobs: usize) -> usize {
    let fit = usize::try_from(limits.memory / PER_THREAD).unwrap_or(usize::MAX);
    limits.threads.min(fit).min(jobs).max(1)
}

/// Pictures of maps in their order. Strips of several maps are read at the same time: memory is [`PER_THREAD`] for each
/// thread and the pictures, 3 MB each.
///
/// # Errors
/// Those of opening and reading, for the first map that fails; a band that is not there.
pub(super) fn pictures(wanted: &[Wanted<'_>], limits: Limits) -> Result<Vec<Picture>> {
    let queue = Mutex::new(Queue { wanted, next: 0, job: None, strip: 0 });
    let found: Vec<Mutex<Option<Picture>>> = wanted.iter().map(|_| Mutex::default()).collect();
    let failure: Mutex<Option<((usize, usize), Error)>> = Mutex::default();
    let fail = |at: (usize, usize), error: Error| {
        let mut first = lock(&failure);
        if first.as_ref().is_none_or(|(earliest, _)| at < *earliest) {
            *first = Some((at, error));
        }
    };
    let work = || {
        while lock(&failure).is_none() {
            let (job, strip) = match lock(&queue).take() {
                Ok(Some(task)) => task,
                Ok(None) => return,
                Err((at, error)) => return fail((at, 0), error),
            };
            match job.reduction.strip(job.source.as_ref(), strip) {
                Ok(part) => {
                    if let Some(parts) = job.keep(strip, part) {
                        *lock(&found[job.map]) = Some(job.reduction.picture(parts));
                    }
                }
                Err(error) => fail((job.map, strip), error),
            }
        }
    };
    // A small map has few strips; more threads than strips find nothing to do and end at once.
    thread::scope(|scope| {
        for _ in 1..workers(limits, usize::MAX) {
            // Without this thread the others do its work.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    if let Some((_, error)) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    found.into_iter().map(|f| taken(f, "reading a map")).collect()
}

/// `f` of every number below `count`, in order, on all threads.
///
/// # Errors
/// The first that `f` gives.
pub(super) fn each<T: Send>(count: usize, limits: Limits, f: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let found: Vec<Mutex<Option<Result<T>>>> = (0..count).map(|_| Mutex::default()).collect();
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(slot) = found.get(i) else { return };
            *lock(slot) = Some(f(i));
        }
    };
    thread::scope(|scope| {
        for _ in 1..workers(limits, count) {
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    found.into_iter().map(|f| taken(f, "drawing a map").flatten()).collect()
}

/// A map whose strips are being read.
struct Job {
    /// Its place among the maps.
    map: usize,
    source: Arc<dyn Source>,
    reduction: Reduction,
    parts: Mutex<Vec<Option<Part>>>,
}

impl Job {
    /// Keeps a finished strip; gives all of them once none is missing.
    fn keep(&self, strip: usize, part: Part) -> Option<Vec<Part>> {
        let mut parts = lock(&self.parts);
        parts[strip] = Some(part);
        if parts.iter().any(Option::is_none) {
            return None;
        }
        parts.drain(..).collect()
    }
}

/// A map and the number of one of its strips.
type Task = (Arc<Job>, usize);

/// Strips in order of maps, each from top to bottom.
struct Queue<'a> {
    wanted: &'a [Wanted<'a>],
    next: usize,
    job: Option<Arc<Job>>,
    strip: usize,
}

impl Queue<'_> {
    /// The next strip; a map that cannot be opened fails with its place.
    fn take(&mut self) -> std::result::Result<Option<Task>, (usize, Error)> {
        loop {
            if let Some(job) = &self.job
                && self.strip < job.reduction.strips()
            {
                self.strip += 1;
                return Ok(Some((Arc::clone(job), self.strip - 1)));
            }
            let (map, Some(wanted)) = (self.next, self.wanted.get(self.next)) else {
                self.job = None;
                return Ok(None);
            };
            self.next += 1;
            let source = (wanted.open)().map_err(|e| (map, e))?;
            let reduction = Reduction::new(source.as_ref(), wanted.band, wanted.kind).map_err(|e| (map, e))?;
            let parts = Mutex::new((0..reduction.strips()).map(|_| None).collect());
            self.job = Some(Arc::new(Job { map, source, reduction, parts }));
            self.strip = 0;
        }
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn taken<T>(slot: Mutex<Option<T>>, what: &str) -> Result<T> {
    let found = slot.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.ok_or_else(|| Error::bug(format!("{what}: it was left out")))
}

#[cfg(test)]
mod tests {
    use super::super::picture::BINS;
    use super::*;
    use crate::grid::{Affine, Grid};
    use crate::io::memory::MemorySource;
    use crate::raster::{Band, BlockLayout, Dtype, Samples};

    const LIMITS: Limits = Limits { threads: 4, memory: 1 << 30 };

    fn source(size: (usize, usize), band: Band, samples: Samples, mask: Option<Vec<u8>>) -> MemorySource {
        let grid = Grid::new(size.0, size.1, Affine::north_up(0.0, 0.0, 10.0, 10.0), None);
        MemorySource::new("m", grid).band(band, samples, mask).unwrap()
    }

    fn read(source: &MemorySource, kind: MapKind) -> Picture {
        let wanted = Wanted { open: Box::new(|| Ok(Arc::new(source.clone()))), band: 0, kind };
        pictures(&[wanted], LIMITS).unwrap().remove(0)
    }

    /// Numbers that repeat nowhere near the edge of a cell or a strip.
    fn noise(n: usize) -> impl Iterator<Item = u64> {
        (0..n as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 10_007)
    }

    /// Pixel by pixel: means of cells and the histogram.
    fn reference(size: (usize, usize), factor: usize, values: &[Option<f64>]) -> (Vec<f32>, Vec<u64>) {
        let (cols, rows) = (size.0.div_ceil(factor), size.1.div_ceil(factor));
        let mut cells = vec![(0.0f64, 0.0f64); cols * rows];
        let mut histogram = vec![0; BINS];
        for (i, v) in values.iter().enumerate() {
            if let Some(v) = v {
                let cell = &mut cells[i / size.0 / factor * cols + i % size.0 / factor];
                *cell = (cell.0 + v, cell.1 + 1.0);
                histogram[((v + 2.0) / 4.0 * BINS as f64).floor().clamp(0.0, BINS as f64 - 1.0) as usize] += 1;
            }
        }
        (cells.iter().map(|(sum, n)| (sum / n) as f32).collect(), histogram)
    }

    fn assert_means(found: &Picture, size: (usize, usize), factor: usize, values: &[Option<f64>]) {
        let (means, histogram) = reference(size, factor, values);
        assert_eq!((found.cols, found.rows), (size.0.div_ceil(factor), size.1.div_ceil(factor)));
        assert_eq!((found.factor, found.values.len()), (factor, means.len()));
        for (i, (a, b)) in found.values.iter().zip(&means).enumerate() {
            assert!(
                (a - b).abs() <= 1e-6 * b.abs() + 1e-12 || (a.is_nan() && b.is_nan()),
                "{size:?} cell {i}: {a}, not {b}"
            );
        }
        assert_eq!(found.histogram, histogram, "{size:?}");
    }

    #[test]
    fn means_and_histogram_are_those_of_single_pixels() {
        for (size, factor) in
            [((1, 1), 1), ((900, 7), 1), ((901, 5), 2), ((1801, 1100), 3), ((7, 2503), 3), ((6311, 11), 8)]
        {
            let n = size.0 * size.1;
            // Beyond -2 and 2 too; scattered NaN, and cells without a value at the left.
            let values: Vec<f32> = noise(n)
                .enumerate()
                .map(|(i, v)| if i % 13 == 5 || (i % size.0 < 3 && n > 1) { f32::NAN } else { v as f32 / 2000.0 - 2.4 })
                .collect();
            let mask: Vec<u8> = noise(n).map(|v| u8::from(v % 7 != 0)).collect();
            let expected = |masked: bool| -> Vec<Option<f64>> {
                let one = |(v, m): (&f32, &u8)| (!v.is_nan() && (!masked || *m != 0)).then_some(f64::from(*v));
                values.iter().zip(&mask).map(one).collect()
            };
            let plain = source(size, Band::new(Dtype::F32), Samples::F32(values.clone()), None);
            assert_means(&read(&plain, MapKind::Vegetation), size, factor, &expected(false));
            let masked = source(size, Band::new(Dtype::F32), Samples::F32(values.clone()), Some(mask.clone()));
            assert_means(&read(&masked, MapKind::Difference), size, factor, &expected(true));
        }
    }

    #[test]
    fn nodata_scale_and_offset_are_those_of_the_band() {
        let size = (1000, 1030);
        let stored: Vec<i16> =
            noise(size.0 * size.1).map(|v| if v % 11 == 3 { -9999 } else { v as i16 - 5000 }).collect();
        let mut band = Band::new(Dtype::I16);
        (band.nodata, band.scale, band.offset) = (Some(-9999.0), 0.0001, 0.25);
        let value = |v: &i16| (*v != -9999).then(|| f64::from(*v) * 0.0001 + 0.25);
        let expected: Vec<Option<f64>> = stored.iter().map(value).collect();
        let found = read(&source(size, band, Samples::I16(stored), None), MapKind::Soil);
        assert_means(&found, size, 2, &expected);
    }

    #[test]
    fn concentrations_have_no_histogram() {
        let found =
            read(&source((2, 1), Band::new(Dtype::F64), Samples::F64(vec![3.0, 900.0]), None), MapKind::Estimate);
        assert_eq!((found.values, found.histogram), (vec![3.0, 900.0], vec![]));
    }

    #[test]
    fn blocks_and_threads_change_no_bit() {
        let size = (1901, 2100);
        let values: Vec<f32> = noise(size.0 * size.1).map(|v| (v as f32 - 5000.0) / 3701.0).collect();
        let plain = source(size, Band::new(Dtype::F32), Samples::F32(values), None);
        let all = |(cols, rows): (usize, usize), threads: usize| {
            let source = plain.clone().with_layout(BlockLayout { cols, rows, interleaved: false });
            let kinds = [MapKind::Vegetation, MapKind::Estimate, MapKind::Classes];
            let open = || -> Box<dyn Fn() -> Result<Arc<dyn Source>> + Send + Sync> {
                let source = source.clone();
                Box::new(move || Ok(Arc::new(source.clone())))
            };
            let wanted: Vec<_> = kinds.iter().map(|kind| Wanted { open: open(), band: 0, kind: *kind }).collect();
            let found = pictures(&wanted, Limits { threads, memory: 1 << 30 }).unwrap();
            let bits = |p: &Picture| p.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            found.iter().map(|p| (bits(p), p.histogram.clone())).collect::<Vec<_>>()
        };
        let one = all((1901, 1), 1);
        assert!(one[0].0 == one[1].0 && one[0].0 != one[2].0);
        for (block, threads) in [((512, 512), 3), ((64, 48), 2), ((2048, 4096), 8)] {
            assert!(all(block, threads) == one, "blocks of {block:?}, {threads} threads");
        }
    }

    #[test]
    fn the_pixel_at_the_centre_stands_for_a_class_cell() {
        // 3 pixels a cell; the last cell holds one column and two rows.
        let size = (2002, 1100);
        let stored: Vec<u8> = noise(size.0 * size.1).map(|v| (v % 5) as u8).collect();
        let mut band = Band::new(Dtype::U8);
        band.nodata = Some(4.0);
        band.classes =
            vec![crate::raster::Class::new(1, "dump", [1, 2, 3]), crate::raster::Class::new(2, "", [4, 5, 6])];
        let plain = source(size, band, Samples::U8(stored.clone()), None);
        // Rows of a cell span several blocks, or one.
        for rows in [1, 256] {
            let found =
                read(&plain.clone().with_layout(BlockLayout { cols: 256, rows, interleaved: false }), MapKind::Classes);
            assert_eq!((found.cols, found.rows, found.factor, found.classes.len()), (668, 367, 3, 1));
            for (i, v) in found.values.iter().enumerate() {
                let (row, col) = (i / 668, i % 668);
                let centre = (row * 3 + 1) * 2002 + if col == 667 { 2001 } else { col * 3 + 1 };
                let expected = if stored[centre] == 4 { f32::NAN } else { f32::from(stored[centre]) };
                assert!(*v == expected || (v.is_nan() && expected.is_nan()), "cell {i}: {v}, not {expected}");
            }
        }
    }

    #[test]
    fn the_first_map_that_fails_is_named_whatever_the_threads() {
        let good = source((3, 3000), Band::new(Dtype::U8), Samples::U8(vec![1; 9000]), None);
        for threads in [1, 4] {
            let wanted: Vec<Wanted<'_>> = (0..9)
                .map(|i| {
                    let good = &good;
                    let open = move || -> Result<Arc<dyn Source>> {
                        if i == 6 { Err(Error::input("map 6")) } else { Ok(Arc::new(good.clone())) }
                    };
                    Wanted { open: Box::new(open), band: usize::from(i == 4), kind: MapKind::Estimate }
                })
                .collect();
            let error = pictures(&wanted, Limits { threads, memory: 1 << 30 }).unwrap_err().to_string();
            assert!(error.contains("found 1 bands, expected 2"), "{error}");
        }
    }

    #[test]
    fn numbers_come_back_in_order_and_memory_bounds_threads() {
        assert_eq!(each(40, LIMITS, |i| Ok(i * i)).unwrap(), (0..40).map(|i| i * i).collect::<Vec<_>>());
        let fails = |i: usize| if i % 10 == 7 { Err(Error::input(format!("{i}"))) } else { Ok(i) };
        assert!(each(40, LIMITS, fails).unwrap_err().to_string().contains('7'));
        assert_eq!(workers(Limits { threads: 8, memory: 3 * PER_THREAD }, 99), 3);
        assert_eq!(workers(Limits { threads: 8, memory: 1 }, 99), 1);
        assert_eq!(workers(LIMITS, 2), 2);
    }
}
