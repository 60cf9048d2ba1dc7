//! Blocks: predictor and compression of one band's square of samples.

use std::sync::{Mutex, PoisonError};

use super::options::{Codec, Predictor};
use super::sample::Sample;
use crate::error::{Error, Result};

/// Bytes before and after each block: its length, and its last four bytes again, as the COG header promises.
pub(super) const FRAME: usize = 8;
const ZSTD_LEVEL: u8 = 1;
const DEFLATE_LEVEL: u8 = 6;

/// Compresses blocks. Shared by workers; compressors are kept, since making one costs as much as a small block.
pub(super) struct BlockEncoder {
    codec: Codec,
    level: u8,
    pub(super) predictor: Predictor,
    edge: usize,
    idle: Mutex<Vec<Compressor>>,
}

enum Compressor {
    Zstd(zstd::bulk::Compressor<'static>),
    Deflate(libdeflater::Compressor),
    Lzw,
    None,
}

impl BlockEncoder {
    /// For square blocks of `edge` pixels.
    pub(super) fn new(codec: Codec, level: Option<u8>, predictor: Predictor, edge: usize) -> Self {
        let level = level.unwrap_or(if codec == Codec::Zstd { ZSTD_LEVEL } else { DEFLATE_LEVEL });
        Self { codec, level, predictor, edge, idle: Mutex::new(Vec::new()) }
    }

    /// The framed bytes of a block of `edge` × `edge` samples.
    pub(super) fn encode<T: Sample>(&self, samples: &[T]) -> Result<Vec<u8>> {
        let packed = self.pack(samples);
        let mut compressor = match self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            Some(c) => c,
            None => self.compressor()?,
        };
        let framed = compressor.framed(&packed)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(compressor);
        Ok(framed)
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
            Codec::Deflate | Codec::Lzw => 1 << 20,
            Codec::None => 0,
        };
        2 * block + tables
    }

    /// Upper bound of the framed bytes of a block.
    pub(super) fn bound(&self, bytes: usize) -> u64 {
        let block = (self.edge * self.edge * bytes) as u64;
        // LZW can grow by a half; the others by a part in a thousand.
        block + if self.codec == Codec::Lzw { block / 2 } else { block / 128 } + 1024
    }

    fn pack<T: Sample>(&self, samples: &[T]) -> Vec<u8> {
        let mut out = Vec::with_capacity(samples.len() * T::BYTES);
        match self.predictor {
            Predictor::Horizontal => samples.chunks(self.edge).for_each(|row| T::put_differences(row, &mut out)),
            Predictor::FloatingPoint => {
                let n = self.edge;
                let mut ranks = vec![0_u8; n * T::BYTES];
                for row in samples.chunks(n) {
                    ranks.chunks_mut(n).enumerate().for_each(|(rank, part)| T::put_rank(row, rank, part));
                    out.push(ranks[0]);
                    out.extend(ranks.windows(2).map(|w| w[1].wrapping_sub(w[0])));
                }
            }
            Predictor::Auto | Predictor::None => T::put(samples, &mut out),
        }
        out
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

#[expect(clippy::needless_pass_by_value, reason = "used as the function of map_err")]
fn failed(e: std::io::Error) -> Error {
    Error::bug(format!("compressing a block: {e}"))
}

impl Compressor {
    fn framed(&mut self, packed: &[u8]) -> Result<Vec<u8>> {
        let mut out = vec![0_u8; 4];
        match self {
            Self::None => out.extend_from_slice(packed),
            Self::Lzw => {
                let mut lzw = weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
                lzw.into_vec(&mut out).encode_all(packed).status.map_err(|e| Error::bug(format!("LZW: {e}")))?;
            }
            Self::Deflate(d) => {
                out.resize(4 + d.zlib_compress_bound(packed.len()), 0);
                let n = d.zlib_compress(packed, &mut out[4..]).map_err(|e| Error::bug(format!("DEFLATE: {e}")))?;
                out.truncate(4 + n);
            }
            Self::Zstd(z) => {
                let mut block = vec![0; zstd::zstd_safe::compress_bound(packed.len())];
                let n = z.compress_to_buffer(packed, &mut block[..]).map_err(failed)?;
                out.extend_from_slice(&block[..n]);
            }
        }
        let n = out.len() - 4;
        let length = u32::try_from(n).map_err(|_| Error::bug("a block passes 4 GiB"))?;
        out[..4].copy_from_slice(&length.to_le_bytes());
        let mut tail = [0; 4];
        let kept = n.min(4);
        tail[..kept].copy_from_slice(&out[4 + n - kept..]);
        out.extend_from_slice(&tail);
        out.shrink_to_fit();
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_wrap_within_a_row_only() {
        let e = BlockEncoder::new(Codec::None, None, Predictor::Horizontal, 3);
        assert_eq!(e.pack(&[5_u8, 3, 255, 7, 7, 8, 0, 1, 0]), [5, 254, 252, 7, 0, 1, 0, 1, 255]);
        assert_eq!(e.pack(&[1_i16, -1, 0]), [1, 0, 254, 255, 1, 0]);
    }

    #[test]
    fn float_bytes_are_sorted_by_rank_then_differenced() {
        // 1.0 = 3f800000, 2.0 = 40000000: ranks 3f 40 | 80 00 | 00 00 | 00 00.
        let e = BlockEncoder::new(Codec::None, None, Predictor::FloatingPoint, 2);
        assert_eq!(e.pack(&[1.0_f32, 2.0]), [0x3f, 0x01, 0x40, 0x80, 0, 0, 0, 0]);
    }

    #[test]
    fn frame_holds_length_and_tail() {
        let e = BlockEncoder::new(Codec::None, None, Predictor::None, 2);
        assert_eq!(e.encode(&[1_u8, 2, 3, 4]).unwrap(), [4, 0, 0, 0, 1, 2, 3, 4, 1, 2, 3, 4]);
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
            let n = e.encode(&noise).unwrap().len() as u64;
            assert!(n <= e.bound(4), "{codec:?}: {n} > {}", e.bound(4));
        }
    }
}
