//! Creation options (`--co KEY=VALUE`), named as in GDAL's COG driver.

use crate::error::{Error, Result};
use crate::raster::Dtype;

/// How blocks are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    None,
    /// Lempel-Ziv-Welch, for old readers.
    Lzw,
    /// zlib, readable everywhere.
    Deflate,
    /// Zstandard: a third of the time of DEFLATE at the same size.
    Zstd,
}

/// What is stored instead of the samples, to compress better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Predictor {
    /// By type: floating-point for floats, horizontal for integers, none for classes and without compression.
    Auto,
    /// The samples themselves (TIFF predictor 1).
    None,
    /// Differences along a row (2).
    Horizontal,
    /// Bytes of a row sorted by significance, then differences (3).
    FloatingPoint,
}

/// When the file gets 64-bit offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BigTiff {
    /// Where the file passes 4 GiB.
    IfNeeded,
    /// Where the file passes 2 GiB, which is safe with readers of signed offsets.
    IfSafer,
    /// Always.
    Yes,
    /// Never; a file past 4 GiB is an error.
    No,
}

/// How a raster file is laid out. Defaults: 512 × 512 blocks, ZSTD level 1, predictor by type, overviews.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CreationOptions {
    /// Compression.
    pub codec: Codec,
    /// Level of the codec; its default where none is given (ZSTD 1, DEFLATE 6).
    pub level: Option<u8>,
    /// Predictor.
    pub predictor: Predictor,
    /// Edge of a block in pixels, a multiple of 16.
    pub block: usize,
    /// Offset size.
    pub bigtiff: BigTiff,
    /// Overviews are made.
    pub overviews: bool,
    /// Blocks of nodata only are left out, and free space is not checked beforehand.
    pub sparse: bool,
    /// Floating-point quantities are stored as int16 multiples of this; values beyond are an error.
    pub scale: Option<f64>,
    /// Quantities get a QGIS style beside the file too; classes always do. No `--co` key: whoever makes the file decides.
    pub styles: bool,
}

impl Default for CreationOptions {
    fn default() -> Self {
        Self {
            codec: Codec::Zstd,
            level: None,
            predictor: Predictor::Auto,
            block: 512,
            bigtiff: BigTiff::IfNeeded,
            overviews: true,
            sparse: false,
            scale: None,
            styles: false,
        }
    }
}

const KEYS: &[&str] = &["COMPRESS", "LEVEL", "PREDICTOR", "BLOCKSIZE", "BIGTIFF", "OVERVIEWS", "SPARSE_OK", "SCALE"];
const CODECS: &[(&str, Codec)] =
    &[("ZSTD", Codec::Zstd), ("DEFLATE", Codec::Deflate), ("LZW", Codec::Lzw), ("NONE", Codec::None)];
const PREDICTORS: &[(&str, Predictor)] = &[
    ("YES", Predictor::Auto),
    ("NO", Predictor::None),
    ("STANDARD", Predictor::Horizontal),
    ("FLOATING_POINT", Predictor::FloatingPoint),
    // As the GTiff driver writes them.
    ("1", Predictor::None),
    ("2", Predictor::Horizontal),
    ("3", Predictor::FloatingPoint),
];
const BIGTIFFS: &[(&str, BigTiff)] =
    &[("IF_NEEDED", BigTiff::IfNeeded), ("IF_SAFER", BigTiff::IfSafer), ("YES", BigTiff::Yes), ("NO", BigTiff::No)];
const OVERVIEWS: &[(&str, bool)] = &[("AUTO", true), ("NONE", false)];
const FLAGS: &[(&str, bool)] = &[("YES", true), ("NO", false), ("TRUE", true), ("FALSE", false)];
const LARGEST_BLOCK: usize = 4096;

impl CreationOptions {
    /// From `KEY`, `VALUE` pairs; case does not matter, the last of a repeated key counts.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] that suggests the near key or lists the values.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self> {
        let mut options = Self::default();
        for (key, value) in pairs {
            match key.trim().to_ascii_uppercase().as_str() {
                "COMPRESS" => options.codec = choose(key, value, CODECS)?,
                "LEVEL" => options.level = Some(number(key, value, 1, 22)? as u8),
                "PREDICTOR" => options.predictor = choose(key, value, PREDICTORS)?,
                "BLOCKSIZE" => options.block = block_size(value)?,
                "BIGTIFF" => options.bigtiff = choose(key, value, BIGTIFFS)?,
                "OVERVIEWS" => options.overviews = choose(key, value, OVERVIEWS)?,
                "SPARSE_OK" => options.sparse = choose(key, value, FLAGS)?,
                "SCALE" => options.scale = Some(scale(value)?),
                "NUM_THREADS" => return Err(Error::usage("--co NUM_THREADS: threads are set with --threads")),
                other => return Err(unknown_key(key, other)),
            }
        }
        options.check_level()?;
        Ok(options)
    }

    fn check_level(&self) -> Result<()> {
        let highest = match self.codec {
            Codec::Zstd => 22,
            Codec::Deflate => 12,
            Codec::Lzw | Codec::None => 0,
        };
        match self.level {
            Some(level) if highest == 0 => {
                Err(Error::usage(format!("--co LEVEL={level}: LZW and NONE have no levels; leave it out")))
            }
            Some(level) if level > highest => {
                Err(Error::usage(format!("--co LEVEL={level}: the codec has levels 1 to {highest}")))
            }
            _ => Ok(()),
        }
    }

    /// The predictor of a band of `dtype`; `classes` compress better without.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] where the type has no such predictor.
    pub(super) fn predictor_for(&self, dtype: Dtype, classes: bool) -> Result<Predictor> {
        if self.codec == Codec::None {
            return match self.predictor {
                Predictor::Auto | Predictor::None => Ok(Predictor::None),
                _ => Err(Error::usage("--co PREDICTOR: COMPRESS=NONE has no predictor; leave it out")),
            };
        }
        match self.predictor {
            Predictor::Auto if classes => Ok(Predictor::None),
            Predictor::Auto if dtype.is_float() => Ok(Predictor::FloatingPoint),
            Predictor::Auto => Ok(Predictor::Horizontal),
            Predictor::FloatingPoint if !dtype.is_float() => Err(Error::usage(format!(
                "--co PREDICTOR=FLOATING_POINT: the output is {dtype}; use STANDARD or leave it out"
            ))),
            Predictor::Horizontal if dtype.is_float() => Err(Error::usage(format!(
                "--co PREDICTOR=STANDARD: the output is {dtype}; use FLOATING_POINT or leave it out"
            ))),
            p => Ok(p),
        }
    }
}

fn choose<T: Copy>(key: &str, value: &str, choices: &[(&str, T)]) -> Result<T> {
    choices.iter().find(|(name, _)| value.trim().eq_ignore_ascii_case(name)).map(|(_, v)| *v).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        Error::usage(format!("--co {key}={value}: not one of {}", names.join(", ")))
    })
}

fn number(key: &str, value: &str, low: usize, high: usize) -> Result<usize> {
    value
        .trim()
        .parse()
        .ok()
        .filter(|n| (low..=high).contains(n))
        .ok_or_else(|| Error::usage(format!("--co {key}={value}: not a whole number from {low} to {high}")))
}

fn scale(value: &str) -> Result<f64> {
    let scale = value.trim().parse().ok().filter(|s: &f64| *s > 0.0 && s.is_finite());
    scale.ok_or_else(|| Error::usage(format!("--co SCALE={value}: not a number above 0 (0.0001 is usual for indices)")))
}

fn block_size(value: &str) -> Result<usize> {
    let n = number("BLOCKSIZE", value, 16, LARGEST_BLOCK)?;
    if n.is_multiple_of(16) {
        Ok(n)
    } else {
        Err(Error::usage(format!(
            "--co BLOCKSIZE={value}: TIFF blocks are multiples of 16; use {} or {}",
            n / 16 * 16,
            n / 16 * 16 + 16
        )))
    }
}

fn unknown_key(given: &str, upper: &str) -> Error {
    let near = KEYS
        .iter()
        .map(|k| (strsim::jaro_winkler(k, upper), *k))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(score, _)| *score > 0.8);
    let hint = near.map_or_else(|| format!("there are {}", KEYS.join(", ")), |(_, k)| format!("did you mean {k}?"));
    Error::usage(format!("--co {given}: no such creation option; {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<CreationOptions> {
        let pairs: Vec<_> =
            text.split_whitespace().map(|p| p.split_once('=').unwrap()).map(|(k, v)| (k.into(), v.into())).collect();
        CreationOptions::parse(&pairs)
    }

    #[test]
    fn keys_and_values_ignore_case() {
        let o = parse("compress=deflate LEVEL=9 blocksize=256 bigtiff=yes overviews=none Sparse_OK=true scale=1e-4")
            .unwrap();
        let want = CreationOptions {
            codec: Codec::Deflate,
            level: Some(9),
            predictor: Predictor::Auto,
            block: 256,
            bigtiff: BigTiff::Yes,
            overviews: false,
            sparse: true,
            scale: Some(1e-4),
            styles: false,
        };
        assert_eq!(o, want);
    }

    #[test]
    fn mistakes_name_the_remedy() {
        for (text, part) in [
            ("BLOKSIZE=512", "BLOCKSIZE"),
            ("COMPRESS=NOPE", "ZSTD, DEFLATE, LZW, NONE"),
            ("BLOCKSIZE=17", "multiples of 16; use 16 or 32"),
            ("BLOCKSIZE=0", "from 16 to 4096"),
            ("BLOCKSIZE=4294967296", "from 16 to 4096"),
            ("BLOCKSIZE=-512", "from 16 to 4096"),
            ("SCALE=0", "a number above 0"),
            ("LEVEL=0", "from 1 to 22"),
            ("COMPRESS=DEFLATE LEVEL=13", "levels 1 to 12"),
            ("COMPRESS=LZW LEVEL=3", "no levels"),
            ("NUM_THREADS=4", "--threads"),
            ("TILED=YES", "there are COMPRESS"),
        ] {
            let e = parse(text).unwrap_err();
            assert_eq!(e.kind().exit_code(), 2);
            assert!(e.to_string().contains(part), "{text}: {e}");
        }
    }

    #[test]
    fn predictor_follows_the_type() {
        let o = CreationOptions::default();
        assert_eq!(o.predictor_for(Dtype::F64, false).unwrap(), Predictor::FloatingPoint);
        assert_eq!(o.predictor_for(Dtype::U16, false).unwrap(), Predictor::Horizontal);
        assert_eq!(o.predictor_for(Dtype::U8, true).unwrap(), Predictor::None);
        assert!(parse("PREDICTOR=FLOATING_POINT").unwrap().predictor_for(Dtype::U8, false).is_err());
        assert!(parse("PREDICTOR=STANDARD").unwrap().predictor_for(Dtype::F32, false).is_err());
        assert!(parse("COMPRESS=NONE PREDICTOR=STANDARD").unwrap().predictor_for(Dtype::U8, false).is_err());
    }
}
