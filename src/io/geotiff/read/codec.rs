//! Decompression of one block. Output never grows past the expected size, and stream checksums are verified.

use libdeflater::{DecompressionError, Decompressor};

use super::image::{NOT_SUPPORTED, REMEDY};

/// A codec of block bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Lzw,
    Deflate,
    PackBits,
    Zstd,
    Jpeg,
}

impl Codec {
    /// The codec of a Compression tag.
    ///
    /// # Errors
    /// Text that names what is not supported.
    pub(super) fn from_tag(code: u64) -> Result<Self, String> {
        let name = match code {
            1 => return Ok(Self::None),
            5 => return Ok(Self::Lzw),
            7 => return Ok(Self::Jpeg),
            8 | 32_946 => return Ok(Self::Deflate),
            32_773 => return Ok(Self::PackBits),
            50_000 => return Ok(Self::Zstd),
            2 => "CCITT RLE",
            3 => "CCITT fax 3",
            4 => "CCITT fax 4",
            6 => "old-style JPEG",
            9 | 10 => "JBIG",
            32_766 => "NeXT",
            32_809 => "ThunderScan",
            34_661 => "ISO JBIG",
            34_676 | 34_677 => "SGI LogLuv",
            34_712 => "JPEG 2000",
            34_887 => "LERC",
            34_925 => "LZMA",
            50_001 => "WebP",
            50_002 | 52_546 => "JPEG XL",
            _ => return Err(format!("compression {code} is not known; the file is damaged or needs another reader")),
        };
        Err(format!("{NOT_SUPPORTED}{name} compression ({code}); {REMEDY}"))
    }

    /// Name for messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "uncompressed",
            Self::Lzw => "LZW",
            Self::Deflate => "deflate",
            Self::PackBits => "PackBits",
            Self::Zstd => "ZSTD",
            Self::Jpeg => "JPEG",
        }
    }

    /// Bytes a stream of `n` bytes can decode to at most, where the format has a limit.
    pub(super) fn most_output(self, n: u64) -> u64 {
        match self {
            Self::Deflate => n.saturating_mul(1032).saturating_add(1032),
            Self::PackBits => n.saturating_mul(64),
            // Codes of 9 bits and more for strings of up to 4096 bytes.
            Self::Lzw => n.saturating_mul(4096),
            Self::None => n,
            Self::Zstd | Self::Jpeg => u64::MAX,
        }
    }
}

/// State of the codecs, made when first used and kept for the next block.
#[derive(Default)]
pub(super) struct Decoders {
    inflate: Option<Decompressor>,
    lzw: Option<weezl::decode::Decoder>,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

impl Decoders {
    /// Decompresses `from` into `to` and returns how many bytes came out; more than `to` holds is an error.
    ///
    /// # Errors
    /// What is wrong with the stream.
    pub(super) fn decode(&mut self, codec: Codec, from: &[u8], to: &mut [u8]) -> Result<usize, String> {
        match codec {
            Codec::Deflate => self.inflate.get_or_insert_default().zlib_decompress(from, to).map_err(|e| match e {
                DecompressionError::BadData => "the deflate stream is damaged (bad data or checksum)".into(),
                DecompressionError::InsufficientSpace => too_long(to.len()),
            }),
            Codec::Lzw => self.lzw(from, to),
            Codec::PackBits => packbits(from, to),
            Codec::Zstd => self.zstd(from, to),
            Codec::None | Codec::Jpeg => Err("decoded elsewhere".into()),
        }
    }

    fn lzw(&mut self, from: &[u8], to: &mut [u8]) -> Result<usize, String> {
        if from.starts_with(&[0, 1]) {
            return Err(format!("{NOT_SUPPORTED}old-style LZW; {REMEDY}"));
        }
        let decoder =
            self.lzw.get_or_insert_with(|| weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8));
        decoder.reset();
        let (mut read, mut written) = (0, 0);
        while written < to.len() {
            let step = decoder.decode_bytes(&from[read..], &mut to[written..]);
            read += step.consumed_in;
            written += step.consumed_out;
            match step.status {
                Ok(weezl::LzwStatus::Done) => break,
                Ok(_) if step.consumed_in == 0 && step.consumed_out == 0 => break,
                Ok(_) => {}
                Err(_) => return Err("the LZW stream is damaged (code outside the table)".into()),
            }
        }
        Ok(written)
    }

    fn zstd(&mut self, from: &[u8], to: &mut [u8]) -> Result<usize, String> {
        let decoder = match &mut self.zstd {
            Some(d) => d,
            none => none.insert(zstd::bulk::Decompressor::new().map_err(|e| format!("starting ZSTD: {e}"))?),
        };
        decoder.decompress_to_buffer(from, to).map_err(|e| format!("the ZSTD stream is damaged or too long ({e})"))
    }
}

fn too_long(expected: usize) -> String {
    format!("the block decodes to more than the expected {expected} bytes")
}

/// Runs of literal and repeated bytes (TIFF 6.0, section 9). Stops when `to` is full.
fn packbits(from: &[u8], to: &mut [u8]) -> Result<usize, String> {
    let (mut read, mut written) = (0, 0);
    let cut = || "the PackBits stream ends inside a run".to_owned();
    while written < to.len() && read < from.len() {
        let head = from[read] as i8;
        read += 1;
        match head {
            -128 => {}
            0.. => {
                let n = head as usize + 1;
                let run = from.get(read..read + n).ok_or_else(cut)?;
                let n = n.min(to.len() - written);
                to[written..written + n].copy_from_slice(&run[..n]);
                read += run.len();
                written += n;
            }
            _ => {
                let byte = *from.get(read).ok_or_else(cut)?;
                let n = (1 - isize::from(head)) as usize;
                let n = n.min(to.len() - written);
                to[written..written + n].fill(byte);
                read += 1;
                written += n;
            }
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packbits_example_of_the_standard() {
        let packed = [0xFE, 0xAA, 0x02, 0x80, 0x00, 0x2A, 0xFD, 0xAA, 0x03, 0x80, 0x00, 0x2A, 0x22, 0xF7, 0xAA];
        let plain = [
            0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0xAA, 0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0x22, 0xAA, 0xAA, 0xAA, 0xAA,
            0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA,
        ];
        let mut out = [0; 24];
        assert_eq!(packbits(&packed, &mut out), Ok(24));
        assert_eq!(out, plain);
        assert!(packbits(&[5, 1], &mut out).is_err());
    }

    #[test]
    fn a_bomb_stops_at_the_expected_size() {
        let bomb = zstd::bulk::compress(&vec![0; 1 << 22], 1).unwrap();
        let mut to = vec![0; 512];
        let mut d = Decoders::default();
        assert!(d.decode(Codec::Zstd, &bomb, &mut to).is_err());
        let mut c = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
        let mut z = vec![0; 1 << 16];
        let n = c.zlib_compress(&vec![0; 1 << 22], &mut z).unwrap();
        assert!(d.decode(Codec::Deflate, &z[..n], &mut to).unwrap_err().contains("more than the expected 512"));
    }

    #[test]
    fn a_flipped_checksum_is_an_error() {
        let mut c = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
        let mut z = vec![0; 256];
        let n = c.zlib_compress(b"0123456789", &mut z).unwrap();
        let mut to = [0; 10];
        assert_eq!(Decoders::default().decode(Codec::Deflate, &z[..n], &mut to), Ok(10));
        z[n - 1] ^= 1;
        assert!(Decoders::default().decode(Codec::Deflate, &z[..n], &mut to).is_err());
    }
}
