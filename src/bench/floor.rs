//! The codec floor of a task: all threads read and decode the blocks of its inputs, then encode and write as many blocks
//! as its outputs have, overviews included. No grid, no nodata, no arithmetic, no header, no wait for a disk.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::codec::{Decoder, EDGE, Encoder, Stored};
use super::copy::pool;
use super::inputs::Inputs;
use crate::error::{Error, Result};
use crate::io::geotiff::{Codec, block_table};

const CELLS: usize = EDGE * EDGE;
/// NDVI of at most this many pixels along an axis is held; of a larger scene its blocks are written several times.
const HELD: usize = 4096;
/// Overviews end at the first that fits into this many pixels, as the product's do.
const SMALLEST: usize = 512;
/// NDVI below this is class 1.
const BARE: f32 = 0.2;

/// What a task reads and writes.
#[derive(Clone, Debug)]
pub struct Work {
    /// Files of one band each.
    pub reads: Vec<(PathBuf, Stored)>,
    /// Bands of 32-bit floats written.
    pub floats: usize,
    /// Bands of 8-bit classes written.
    pub classes: usize,
    /// Codec of what is written.
    pub codec: Codec,
}

/// Columns (and rows) of full resolution and overviews.
#[must_use]
pub fn levels(size: usize) -> Vec<usize> {
    let mut all = vec![size];
    while let Some(&last) = all.last()
        && last > SMALLEST
    {
        all.push(last.div_ceil(2));
    }
    all
}

/// Pixels of a band with its overviews.
#[must_use]
pub fn cells_with_overviews(size: usize) -> u64 {
    levels(size).iter().map(|n| (*n as u64).pow(2)).sum()
}

struct Read {
    file: File,
    stored: Stored,
    blocks: Vec<(u64, usize)>,
}

/// A block to write: of which level, and how much of it lies inside the image.
struct Write {
    level: usize,
    block: usize,
    inside: (usize, usize),
    class: bool,
}

/// A floor with everything in memory that is not its work.
pub struct Floor {
    pool: rayon::ThreadPool,
    threads: usize,
    codec: Codec,
    reads: Vec<Read>,
    writes: Vec<Write>,
    /// NDVI by level and block.
    pixels: Vec<Vec<Vec<f32>>>,
    /// Its bytes, where they are written as they are.
    plain: Vec<Vec<Vec<u8>>>,
    out: File,
}

impl Floor {
    /// Prepares the work on `threads` threads; `out` is the file written.
    ///
    /// # Errors
    /// Those of reading the inputs and making the file.
    pub fn new(inputs: &Inputs, work: &Work, out: &std::path::Path, threads: usize) -> Result<Self> {
        let mut reads = Vec::new();
        for (path, stored) in &work.reads {
            let file = File::open(path).map_err(|e| Error::from_io(&format!("opening {}", path.display()), &e))?;
            reads.push(Read { file, stored: *stored, blocks: block_table(path)? });
        }
        let pixels = if work.floats + work.classes == 0 { Vec::new() } else { pixels(inputs)? };
        let mut writes = Vec::new();
        for band in 0..work.floats + work.classes {
            for (level, size) in levels(inputs.size).into_iter().enumerate() {
                let across = size.div_ceil(EDGE);
                for (row, col) in (0..across).flat_map(|r| (0..across).map(move |c| (r, c))) {
                    let held = &pixels[level.min(pixels.len() - 1)];
                    let side = held.len().isqrt();
                    let inside = (EDGE.min(size - col * EDGE), EDGE.min(size - row * EDGE));
                    let block = row % side * side + col % side;
                    writes.push(Write {
                        level: level.min(pixels.len() - 1),
                        block,
                        inside,
                        class: band >= work.floats,
                    });
                }
            }
        }
        let file = File::create(out).map_err(|e| Error::from_io(&format!("writing {}", out.display()), &e))?;
        let bytes = |block: &Vec<f32>| block.iter().flat_map(|v| v.to_le_bytes()).collect();
        let plain = match work.codec {
            Codec::None | Codec::Lzw => pixels.iter().map(|level| level.iter().map(bytes).collect()).collect(),
            Codec::Deflate | Codec::Zstd => Vec::new(),
        };
        Ok(Self { pool: pool(threads)?, threads, codec: work.codec, reads, writes, pixels, plain, out: file })
    }

    /// Does the work once.
    ///
    /// # Errors
    /// Those of reading and writing.
    pub fn run(&self) -> Result<()> {
        let (next, end) = (AtomicUsize::new(0), AtomicU64::new(0));
        let failure = Mutex::new(None);
        self.pool.in_place_scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(|_| {
                    if let Err(e) = self.worker(&next, &end) {
                        *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
                    }
                });
            }
        });
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn worker(&self, next: &AtomicUsize, end: &AtomicU64) -> Result<()> {
        let mut decoder = Decoder::new()?;
        let mut encoder = Encoder::new(self.codec)?;
        let (mut band, mut float, mut class) = (vec![0; CELLS], vec![0.0; CELLS], vec![0; CELLS]);
        let mut bytes = Vec::new();
        loop {
            let mut at = next.fetch_add(1, Ordering::Relaxed);
            let read = self.reads.iter().find(|r| {
                let here = at < r.blocks.len();
                at -= if here { 0 } else { r.blocks.len() };
                here
            });
            if let Some(read) = read {
                let (offset, n) = read.blocks[at];
                bytes.resize(n.max(bytes.len()), 0);
                let block = &mut bytes[..n];
                read.file.read_exact_at(block, offset).map_err(|e| Error::from_io("reading a block", &e))?;
                match read.stored {
                    Stored::Band => decoder.band(block, &mut band)?,
                    Stored::Float(codec) => decoder.float(codec, block, &mut float)?,
                }
                continue;
            }
            let Some(write) = self.writes.get(at) else { return Ok(()) };
            let pixels = &self.pixels[write.level][write.block];
            let whole = write.inside == (EDGE, EDGE);
            let encoded = match (write.class, self.codec) {
                (true, _) => {
                    classify(pixels, write.inside, &mut class);
                    encoder.plain(&class)?
                }
                (false, Codec::None | Codec::Lzw) => &self.plain[write.level][write.block],
                (false, _) if whole => encoder.float(pixels)?,
                (false, _) => {
                    cut(pixels, write.inside, &mut float);
                    encoder.float(&float)?
                }
            };
            let at = end.fetch_add(encoded.len() as u64, Ordering::Relaxed);
            self.out.write_all_at(encoded, at).map_err(|e| Error::from_io("writing a block", &e))?;
        }
    }
}

/// Copies a block and makes what lies outside the image nodata.
fn cut(from: &[f32], (cols, rows): (usize, usize), to: &mut [f32]) {
    to.fill(f32::NAN);
    for (to, from) in to.chunks_exact_mut(EDGE).zip(from.chunks_exact(EDGE)).take(rows) {
        to[..cols].copy_from_slice(&from[..cols]);
    }
}

fn classify(from: &[f32], (cols, rows): (usize, usize), to: &mut [u8]) {
    to.fill(255);
    for (to, from) in to.chunks_exact_mut(EDGE).zip(from.chunks_exact(EDGE)).take(rows) {
        to[..cols].iter_mut().zip(from).for_each(|(o, v)| *o = u8::from(*v < BARE));
    }
}

/// NDVI of the upper left of the scene and its halves, in blocks.
fn pixels(inputs: &Inputs) -> Result<Vec<Vec<Vec<f32>>>> {
    let held = inputs.size.min(HELD);
    let (side, across) = (held.div_ceil(EDGE), inputs.size.div_ceil(EDGE));
    let stride = side * EDGE;
    let mut ndvi = vec![f32::NAN; stride * stride];
    let mut decoder = Decoder::new()?;
    let open = |role: &str| -> Result<_> {
        let path = inputs.band(role);
        let file = File::open(&path).map_err(|e| Error::from_io(&format!("opening {}", path.display()), &e))?;
        Ok((file, block_table(&path)?))
    };
    let bands = [open("nir")?, open("red")?];
    let mut planes = [vec![0_u16; CELLS], vec![0_u16; CELLS]];
    for (row, col) in (0..side).flat_map(|r| (0..side).map(move |c| (r, c))) {
        for ((file, blocks), plane) in bands.iter().zip(&mut planes) {
            let (offset, n) = blocks[row * across + col];
            let mut bytes = vec![0; n];
            file.read_exact_at(&mut bytes, offset).map_err(|e| Error::from_io("reading a block", &e))?;
            decoder.band(&bytes, plane)?;
        }
        let (cols, rows) = (EDGE.min(held - col * EDGE), EDGE.min(held - row * EDGE));
        for r in 0..rows {
            let to = &mut ndvi[(row * EDGE + r) * stride + col * EDGE..][..cols];
            let [nir, red] = [&planes[0][r * EDGE..], &planes[1][r * EDGE..]];
            for ((o, n), r) in to.iter_mut().zip(nir).zip(red) {
                let (n, r) = (f64::from(*n), f64::from(*r));
                *o = ((n - r) / (n + r)) as f32;
            }
        }
    }
    let mut all = vec![blocks(&ndvi, stride)];
    let mut stride = stride;
    for _ in 1..levels(held).len() {
        (ndvi, stride) = half(&ndvi, stride);
        all.push(blocks(&ndvi, stride));
    }
    Ok(all)
}

/// Means of 2 × 2 pixels, padded to whole blocks with nodata.
fn half(from: &[f32], stride: usize) -> (Vec<f32>, usize) {
    let (size, padded) = (stride / 2, (stride / 2).next_multiple_of(EDGE));
    let mut to = vec![f32::NAN; padded * padded];
    for r in 0..size {
        let (top, bottom) = (&from[2 * r * stride..], &from[(2 * r + 1) * stride..]);
        for (c, o) in to[r * padded..][..size].iter_mut().enumerate() {
            *o = 0.25 * (top[2 * c] + top[2 * c + 1] + bottom[2 * c] + bottom[2 * c + 1]);
        }
    }
    (to, padded)
}

fn blocks(pixels: &[f32], stride: usize) -> Vec<Vec<f32>> {
    let side = stride / EDGE;
    let block = |(row, col): (usize, usize)| {
        let rows = pixels[row * EDGE * stride..].chunks(stride).take(EDGE);
        rows.flat_map(|r| &r[col * EDGE..(col + 1) * EDGE]).copied().collect()
    };
    (0..side).flat_map(|r| (0..side).map(move |c| (r, c))).map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_end_at_512() {
        assert_eq!(levels(1031), [1031, 516, 258]);
        assert_eq!(levels(512), [512]);
        assert_eq!(cells_with_overviews(1024), 1024 * 1024 + 512 * 512);
    }

    #[test]
    fn what_is_outside_the_image_is_nodata() {
        let (mut float, mut class) = (vec![0.0; CELLS], vec![0; CELLS]);
        let block = vec![0.1; CELLS];
        cut(&block, (3, 2), &mut float);
        classify(&block, (3, 2), &mut class);
        assert_eq!(float.iter().filter(|v| !v.is_nan()).count(), 6);
        assert_eq!(class.iter().filter(|v| **v == 1).count(), 6);
        assert_eq!(class.iter().filter(|v| **v == 255).count(), CELLS - 6);
    }

    #[test]
    fn halves_are_means_in_whole_blocks() {
        let stride = 1024;
        let pixels: Vec<f32> = (0..stride * stride).map(|i| (i % stride) as f32).collect();
        let (small, side) = half(&pixels, stride);
        assert_eq!((side, &small[..3]), (512, &[0.5, 2.5, 4.5][..]));
        assert_eq!(blocks(&small, side).len(), 1);
        assert_eq!(blocks(&pixels, stride)[1][0], 512.0);
    }
}
