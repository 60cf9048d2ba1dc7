//! Blocks to pixels and back by the codecs themselves: libdeflate, libzstd and the TIFF predictors, into buffers that are
//! made once.

use libdeflater::{CompressionLvl, Compressor, Decompressor};
use pulp::Arch;

use crate::error::{Error, Result};
use crate::io::geotiff::Codec;

/// Edge of a block in pixels.
pub const EDGE: usize = 512;
const CELLS: usize = EDGE * EDGE;
/// Levels the product takes where none is given.
const ZSTD_LEVEL: i32 = 1;
const DEFLATE_LEVEL: i32 = 6;

/// What a block of an input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// 16-bit samples, deflate with horizontal differences: the bands of the scene.
    Band,
    /// 32-bit floats as the product writes them with a codec.
    Float(Codec),
}

/// Undoes compression and predictor.
pub struct Decoder {
    inflate: Decompressor,
    zstd: zstd::bulk::Decompressor<'static>,
    packed: Vec<u8>,
    row: Vec<u8>,
}

impl Decoder {
    /// A decoder with buffers of one block.
    ///
    /// # Errors
    /// Where libzstd has no memory.
    pub fn new() -> Result<Self> {
        let zstd = zstd::bulk::Decompressor::new().map_err(|e| failed("decompressing", &e))?;
        let buffers = (vec![0; 4 * CELLS], vec![0; 4 * EDGE]);
        Ok(Self { inflate: Decompressor::new(), zstd, packed: buffers.0, row: buffers.1 })
    }

    /// 16-bit samples of a block.
    ///
    /// # Errors
    /// A damaged stream.
    pub fn band(&mut self, block: &[u8], out: &mut [u16]) -> Result<()> {
        let packed = &mut self.packed[..2 * CELLS];
        let n = self.inflate.zlib_decompress(block, packed).map_err(|e| failed("decompressing", &e))?;
        complete(n, 2 * CELLS)?;
        for (to, from) in out.chunks_exact_mut(EDGE).zip(packed.chunks_exact(2 * EDGE)) {
            let mut sum = 0_u16;
            for (o, d) in to.iter_mut().zip(from.as_chunks::<2>().0) {
                sum = sum.wrapping_add(u16::from_le_bytes(*d));
                *o = sum;
            }
        }
        Ok(())
    }

    /// Floats of a block.
    ///
    /// # Errors
    /// A damaged stream.
    pub fn float(&mut self, codec: Codec, block: &[u8], out: &mut [f32]) -> Result<()> {
        let packed = &mut self.packed[..4 * CELLS];
        let n = match codec {
            Codec::Zstd => self.zstd.decompress_to_buffer(block, packed).map_err(|e| failed("decompressing", &e))?,
            Codec::Deflate => self.inflate.zlib_decompress(block, packed).map_err(|e| failed("decompressing", &e))?,
            Codec::None | Codec::Lzw => {
                complete(block.len(), 4 * CELLS)?;
                out.iter_mut().zip(block.as_chunks::<4>().0).for_each(|(o, b)| *o = f32::from_le_bytes(*b));
                return Ok(());
            }
        };
        complete(n, 4 * CELLS)?;
        let row = &mut self.row;
        Arch::new().dispatch(|| weave(packed, row, out));
        Ok(())
    }
}

/// Applies predictor and compression.
pub struct Encoder {
    codec: Codec,
    deflate: Compressor,
    zstd: zstd::bulk::Compressor<'static>,
    packed: Vec<u8>,
    out: Vec<u8>,
    row: Vec<u8>,
}

impl Encoder {
    /// An encoder for `codec` at the product's level, with buffers of one block.
    ///
    /// # Errors
    /// Where libzstd has no memory.
    pub fn new(codec: Codec) -> Result<Self> {
        let level = CompressionLvl::new(DEFLATE_LEVEL).map_err(|_| Error::bug("DEFLATE has no level 6"))?;
        let mut deflate = Compressor::new(level);
        let mut zstd = zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(|e| failed("compressing", &e))?;
        // As the product does.
        let checksum = zstd::zstd_safe::CParameter::ChecksumFlag(true);
        zstd.set_parameter(checksum).map_err(|e| failed("compressing", &e))?;
        let most = deflate.zlib_compress_bound(4 * CELLS).max(zstd::zstd_safe::compress_bound(4 * CELLS));
        Ok(Self { codec, deflate, zstd, packed: vec![0; 4 * CELLS], out: vec![0; most], row: vec![0; 4 * EDGE] })
    }

    /// The bytes of a block of floats.
    ///
    /// # Errors
    /// Where a codec fails.
    pub fn float(&mut self, block: &[f32]) -> Result<&[u8]> {
        let (row, packed) = (&mut self.row, &mut self.packed);
        Arch::new().dispatch(|| unweave(block, row, packed));
        compress(self.codec, &mut self.deflate, &mut self.zstd, &self.packed, &mut self.out)
    }

    /// The bytes of a block without predictor: classes.
    ///
    /// # Errors
    /// Where a codec fails.
    pub fn plain<'a>(&'a mut self, block: &'a [u8]) -> Result<&'a [u8]> {
        match self.codec {
            Codec::None | Codec::Lzw => Ok(block),
            codec => compress(codec, &mut self.deflate, &mut self.zstd, block, &mut self.out),
        }
    }
}

/// Undoes the floating-point predictor: bytes are summed along a row, then planes of bytes woven together.
#[inline(always)]
fn weave(packed: &[u8], row: &mut [u8], out: &mut [f32]) {
    for (to, from) in out.chunks_exact_mut(EDGE).zip(packed.chunks_exact(4 * EDGE)) {
        let mut sum = 0_u8;
        for (o, d) in row.iter_mut().zip(from) {
            sum = sum.wrapping_add(*d);
            *o = sum;
        }
        let (high, low) = row.split_at(2 * EDGE);
        let ((a, b), (c, d)) = (high.split_at(EDGE), low.split_at(EDGE));
        for (o, (((a, b), c), d)) in to.iter_mut().zip(a.iter().zip(b).zip(c).zip(d)) {
            *o = f32::from_be_bytes([*a, *b, *c, *d]);
        }
    }
}

/// Applies the floating-point predictor.
#[inline(always)]
fn unweave(block: &[f32], row: &mut [u8], packed: &mut [u8]) {
    for (to, from) in packed.chunks_exact_mut(4 * EDGE).zip(block.chunks_exact(EDGE)) {
        for (plane, shift) in row.chunks_exact_mut(EDGE).zip([24, 16, 8, 0]) {
            plane.iter_mut().zip(from).for_each(|(o, v)| *o = (v.to_bits() >> shift) as u8);
        }
        to[0] = row[0];
        to[1..].iter_mut().zip(&row[1..]).zip(&*row).for_each(|((o, b), a)| *o = b.wrapping_sub(*a));
    }
}

fn compress<'a>(
    codec: Codec,
    deflate: &mut Compressor,
    zstd: &mut zstd::bulk::Compressor<'static>,
    from: &[u8],
    to: &'a mut [u8],
) -> Result<&'a [u8]> {
    let n = if codec == Codec::Deflate {
        deflate.zlib_compress(from, to).map_err(|e| failed("compressing", &e))?
    } else {
        zstd.compress_to_buffer(from, to).map_err(|e| failed("compressing", &e))?
    };
    Ok(&to[..n])
}

fn complete(found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::bug(format!("a block of the benchmark holds {found} bytes, expected {expected}")))
}

fn failed(what: &str, e: &dyn std::fmt::Display) -> Error {
    Error::bug(format!("{what} a block of the benchmark: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_come_back() {
        let block: Vec<f32> = (0..CELLS).map(|i| (i as f32 * 0.37).sin()).collect();
        for codec in [Codec::Zstd, Codec::Deflate] {
            let (mut encoder, mut decoder) = (Encoder::new(codec).unwrap(), Decoder::new().unwrap());
            let mut again = vec![0.0; CELLS];
            decoder.float(codec, encoder.float(&block).unwrap(), &mut again).unwrap();
            assert_eq!(block, again, "{codec:?}");
        }
    }

    #[test]
    fn differences_are_summed() {
        let mut packed = vec![0_u8; 2 * CELLS];
        packed[..6].copy_from_slice(&[0xff, 0xff, 2, 0, 5, 0]);
        let mut deflate = Compressor::new(CompressionLvl::default());
        let mut block = vec![0; deflate.zlib_compress_bound(packed.len())];
        let n = deflate.zlib_compress(&packed, &mut block).unwrap();
        let mut out = vec![7; CELLS];
        Decoder::new().unwrap().band(&block[..n], &mut out).unwrap();
        assert_eq!((&out[..4], out[EDGE]), (&[65_535, 1, 6, 6][..], 0));
    }
}
