//! Blocks: predictor and compression of one band's square of samples.

use std::sync::{Mutex, OnceLock, PoisonError};

use super::options::{Codec, Predictor};
use super::sample::{Rect, Sample};
use crate::error::{Error, Result};

/// Bytes before and after each block: its length, and its last four bytes again, as the COG header promises.
pub(super) const FRAME: usize = 8;
const ZSTD_LEVEL: u8 = 1;
const DEFLATE_LEVEL: u8 = 6;

/// Compresses blocks. Shared by workers; compressors and buffers are kept, so that after the first blocks nothing large is
/// allocated.
pub(super) struct BlockEncoder {
    codec: Codec,
    level: u8,
    pub(super) predictor: Predictor,
    edge: usize,
    idle: Mutex<Vec<Bench>>,
    spare: Mutex<Vec<Vec<u8>>>,
    /// The framed bytes of a block of nodata, made once.
    void: OnceLock<Vec<u8>>,
}

/// What one worker needs to make a block.
struct Bench {
    compressor: Compressor,
    packed: Vec<u8>,
    ranks: Vec<u8>,
}

enum Compressor {
    Zstd(zstd::bulk::Compressor<'static>),
    Deflate(libdeflater::Compressor),
    Lzw,
    None,
}

/// A compressed block between its length and its tail; the buffer is longer.
pub(super) struct Framed {
    buffer: Vec<u8>,
    len: usize,
}

impl Framed {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
    /// Bytes of memory held.
    pub(super) fn held(&self) -> u64 {
        self.buffer.capacity() as u64
    }
}

impl BlockEncoder {
    /// For square blocks of `edge` pixels.
    pub(super) fn new(codec: Codec, level: Option<u8>, predictor: Predictor, edge: usize) -> Self {
        let level = level.unwrap_or(if codec == Codec::Zstd { ZSTD_LEVEL } else { DEFLATE_LEVEL });
        Self { codec, level, predictor, edge, idle: Mutex::default(), spare: Mutex::default(), void: OnceLock::new() }
    }

    /// The framed bytes of a block; what `rect` leaves of it is `fill`.
    pub(super) fn encode<T: Sample>(&self, rect: Rect<'_, T>, fill: T) -> Result<Framed> {
        let mut bench = match lock(&self.idle).pop() {
            Some(b) => b,
            None => Bench { compressor: self.compressor()?, packed: Vec::new(), ranks: Vec::new() },
        };
        bench.packed.resize(self.edge * self.edge * T::BYTES, 0);
        bench.ranks.resize(self.edge * T::BYTES, 0);
        let mut buffer = lock(&self.spare).pop().unwrap_or_default();
        buffer.resize(self.bound(T::BYTES) as usize, 0);
        pack(rect, fill, self.predictor, self.edge, &mut bench.ranks, &mut bench.packed);
        let len = bench.compressor.frame(&bench.packed, &mut buffer)?;
        lock(&self.idle).push(bench);
        Ok(Framed { buffer, len })
    }

    /// As [`BlockEncoder::encode`] for a block of nothing but `fill`, the same in every call.
    pub(super) fn encode_void<T: Sample>(&self, fill: T) -> Result<Framed> {
        if let Some(known) = self.void.get() {
            let mut buffer = lock(&self.spare).pop().unwrap_or_default();
            buffer.resize(self.bound(T::BYTES) as usize, 0);
            buffer[..known.len()].copy_from_slice(known);
            return Ok(Framed { buffer, len: known.len() });
        }
        let framed = self.encode(Rect { samples: &[], stride: 0, cols: 0, rows: 0 }, fill)?;
        // Another worker may have been faster; its bytes are the same.
        self.void.get_or_init(|| framed.bytes().to_vec());
        Ok(framed)
    }

    /// Takes the memory of a block back.
    pub(super) fn recycle(&self, framed: Framed) {
        lock(&self.spare).push(framed.buffer);
    }

    /// Bytes [`BlockEncoder::encode`] needs besides its input and result, for samples of `bytes` bytes.
    pub(super) fn scratch_bytes(&self, bytes: usize) -> u64 {
        let block = (self.edge * self.edge * bytes) as u64;
        // Tables of the compressors, from their sources: libzstd's grow with level and block, never past the block's own
        // window; libdeflate's are fixed.
        let tables = match self.codec {
            Codec::Zstd if self.level <= 3 => (2 << 20) + block,
            Codec::Zstd => (2 << 20) + 24 * block,
            Codec::Deflate if self.level >= 10 => 10 << 20,
            Codec::Deflate => 1 << 20,
            // weezl writes into a vector of its own.
            Codec::Lzw => (1 << 20) + 2 * self.bound(bytes),
            Codec::None => 0,
        };
        block + (self.edge * bytes) as u64 + tables
    }

    /// Upper bound of the framed bytes of a block.
    pub(super) fn bound(&self, bytes: usize) -> u64 {
        let block = (self.edge * self.edge * bytes) as u64;
        // LZW can grow by a half; the others by a part in a thousand.
        block + if self.codec == Codec::Lzw { block / 2 } else { block / 128 } + 1024
    }

    fn compressor(&self) -> Result<Compressor> {
        Ok(match self.codec {
            Codec::None => Compressor::None,
            Codec::Lzw => Compressor::Lzw,
            Codec::Deflate => {
                let level = libdeflater::CompressionLvl::new(i32::from(self.level))
                    .map_err(|_| Error::bug(format!("DEFLATE has no level {}", self.level)))?;
                Compressor::Deflate(libdeflater::Compressor::new(level))
            }
            Codec::Zstd => {
                let mut z = zstd::bulk::Compressor::new(i32::from(self.level)).map_err(failed)?;
                // A reader then knows a damaged block from a good one.
                z.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true)).map_err(failed)?;
                Compressor::Zstd(z)
            }
        })
    }
}

fn lock<T>(pool: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Applies the predictor row by row.
#[pulp::with_simd(pack = pulp::Arch::new())]
#[inline(always)]
fn pack_with_simd<'a, S: pulp::Simd, T: Sample>(
    _simd: S,
    rect: Rect<'a, T>,
    fill: T,
    predictor: Predictor,
    edge: usize,
    ranks: &'a mut [u8],
    out: &'a mut [u8],
) {
    let mut padded = Vec::new();
    for (r, out) in out.chunks_exact_mut(edge * T::BYTES).enumerate() {
        let row = if r < rect.rows && rect.cols == edge {
            rect.row(r)
        } else {
            padded.clear();
            if r < rect.rows {
                padded.extend_from_slice(rect.row(r));
            }
            padded.resize(edge, fill);
            &padded
        };
        match predictor {
            Predictor::Horizontal => T::put_differences(row, out),
            Predictor::FloatingPoint => {
                ranks.chunks_exact_mut(edge).enumerate().for_each(|(rank, part)| T::put_rank(row, rank, part));
                out[0] = ranks[0];
                out[1..].iter_mut().zip(&ranks[1..]).zip(&*ranks).for_each(|((o, b), a)| *o = b.wrapping_sub(*a));
            }
            Predictor::Auto | Predictor::None => T::put(row, out),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as the function of map_err")]
fn failed(e: std::io::Error) -> Error {
    Error::bug(format!("compressing a block: {e}"))
}

impl Compressor {
    /// Compresses `packed` into `out`, framed; gives the number of bytes.
    fn frame(&mut self, packed: &[u8], out: &mut [u8]) -> Result<usize> {
        let room = out.len() - FRAME / 2;
        let body = &mut out[FRAME / 2..room];
        let n = match self {
            Self::None => {
                body[..packed.len()].copy_from_slice(packed);
                packed.len()
            }
            Self::Lzw => {
                let mut encoder = weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
                let bytes = encoder.encode(packed).map_err(|e| Error::bug(format!("LZW: {e}")))?;
                body[..bytes.len()].copy_from_slice(&bytes);
                bytes.len()
            }
            Self::Deflate(d) => d.zlib_compress(packed, body).map_err(|e| Error::bug(format!("DEFLATE: {e}")))?,
            Self::Zstd(z) => z.compress_to_buffer(packed, body).map_err(failed)?,
        };
        let length = u32::try_from(n).map_err(|_| Error::bug("a block passes 4 GiB"))?;
        out[..4].copy_from_slice(&length.to_le_bytes());
        out[4 + n..8 + n].fill(0);
        let kept = n.min(4);
        out.copy_within(4 + n - kept..4 + n, 4 + n);
        Ok(n + FRAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed<T: Sample>(predictor: Predictor, edge: usize, samples: &[T]) -> Vec<u8> {
        let rect = Rect { samples, stride: edge, cols: edge, rows: samples.len() / edge };
        let (mut ranks, mut out) = (vec![0; edge * T::BYTES], vec![0; samples.len() * T::BYTES]);
        pack(rect, T::default(), predictor, edge, &mut ranks, &mut out);
        out
    }

    #[test]
    fn differences_wrap_within_a_row_only() {
        let got = packed(Predictor::Horizontal, 3, &[5_u8, 3, 255, 7, 7, 8, 0, 1, 0]);
        assert_eq!(got, [5, 254, 252, 7, 0, 1, 0, 1, 255]);
        assert_eq!(packed(Predictor::Horizontal, 3, &[1_i16, -1, 0]), [1, 0, 254, 255, 1, 0]);
    }

    #[test]
    fn float_bytes_are_sorted_by_rank_then_differenced() {
        // 1.0 = 3f800000, 2.0 = 40000000: ranks 3f 40 | 80 00 | 00 00 | 00 00.
        let got = packed(Predictor::FloatingPoint, 2, &[1.0_f32, 2.0]);
        assert_eq!(got, [0x3f, 0x01, 0x40, 0x80, 0, 0, 0, 0]);
    }

    #[test]
    fn frame_holds_length_and_tail_and_what_is_missing_is_filled() {
        let e = BlockEncoder::new(Codec::None, None, Predictor::None, 2);
        let of = |cols, rows| {
            let framed = e.encode(Rect { samples: &[1_u8, 2, 3, 4], stride: 2, cols, rows }, 9).unwrap();
            let bytes = framed.bytes().to_vec();
            e.recycle(framed);
            bytes
        };
        assert_eq!(of(2, 2), [4, 0, 0, 0, 1, 2, 3, 4, 1, 2, 3, 4]);
        assert_eq!(of(1, 2), [4, 0, 0, 0, 1, 9, 3, 9, 1, 9, 3, 9]);
        assert_eq!(of(2, 1), [4, 0, 0, 0, 1, 2, 9, 9, 1, 2, 9, 9]);
    }

    #[test]
    fn bounds_hold_for_noise() {
        let mut x = 1_u32;
        let noise: Vec<f32> = (0..64 * 64)
            .map(|_| {
                x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f32::from_bits(x & 0xff7f_ffff)
            })
            .collect();
        for codec in [Codec::Zstd, Codec::Deflate, Codec::Lzw, Codec::None] {
            let e = BlockEncoder::new(codec, None, Predictor::None, 64);
            let rect = Rect { samples: &noise, stride: 64, cols: 64, rows: 64 };
            let n = e.encode(rect, 0.0).unwrap().bytes().len() as u64;
            assert!(n <= e.bound(4), "{codec:?}: {n} > {}", e.bound(4));
        }
    }
}
