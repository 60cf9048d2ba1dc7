//! Reading back with code that is not ours.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;

/// One image of a file.
pub(crate) struct Image {
    pub(crate) cols: usize,
    pub(crate) rows: usize,
    pub(crate) bands: Vec<Vec<f64>>,
    /// Blocks left out.
    pub(crate) absent: usize,
}

/// All images: tags by the `tiff` crate, and its pixels too where it can (one band, no ZSTD, no absent blocks).
pub(crate) fn images(path: &Path) -> Vec<Image> {
    let bytes = std::fs::read(path).unwrap();
    let mut d = Decoder::new(BufReader::new(File::open(path).unwrap())).unwrap();
    let mut out = Vec::new();
    loop {
        let image = decode(&mut d, &bytes);
        let compression = d.get_tag_u32(Tag::Compression).unwrap();
        if image.bands.len() == 1
            && compression != 50_000
            && image.absent == 0
            && d.get_tag_u32(Tag::PhotometricInterpretation).unwrap() == 1
        {
            let again: Vec<f64> = match d.read_image().unwrap() {
                DecodingResult::U8(v) => v.into_iter().map(f64::from).collect(),
                DecodingResult::U16(v) => v.into_iter().map(f64::from).collect(),
                DecodingResult::I16(v) => v.into_iter().map(f64::from).collect(),
                DecodingResult::I32(v) => v.into_iter().map(f64::from).collect(),
                DecodingResult::F32(v) => v.into_iter().map(f64::from).collect(),
                DecodingResult::F64(v) => v,
                other => panic!("{other:?}"),
            };
            super::assert_same(&again, &image.bands[0], "the tiff crate reads other pixels");
        }
        out.push(image);
        if !d.more_images() {
            return out;
        }
        d.next_image().unwrap();
    }
}

/// Straight from the TIFF specification, slow and plain.
fn decode(d: &mut Decoder<BufReader<File>>, bytes: &[u8]) -> Image {
    let (cols, rows) = d.dimensions().unwrap();
    let (cols, rows) = (cols as usize, rows as usize);
    let number = |d: &mut Decoder<_>, t, default| d.find_tag_unsigned::<u64>(t).unwrap().unwrap_or(default) as usize;
    let samples = number(d, Tag::SamplesPerPixel, 1);
    assert!(samples == 1 || number(d, Tag::PlanarConfiguration, 1) == 2);
    let edge = number(d, Tag::TileWidth, 0);
    let width = d.find_tag_unsigned_vec::<u16>(Tag::BitsPerSample).unwrap().unwrap()[0] as usize / 8;
    let format = d.find_tag_unsigned_vec::<u16>(Tag::SampleFormat).unwrap().unwrap()[0];
    let (codec, predictor) = (number(d, Tag::Compression, 1), number(d, Tag::Predictor, 1));
    let offsets = d.find_tag_unsigned_vec::<u64>(Tag::TileOffsets).unwrap().unwrap();
    let lengths = d.find_tag_unsigned_vec::<u64>(Tag::TileByteCounts).unwrap().unwrap();
    let nodata: f64 = d.get_tag_ascii_string(Tag::GdalNodata).unwrap().trim_end_matches('\0').parse().unwrap();
    let (across, down) = (cols.div_ceil(edge), rows.div_ceil(edge));
    assert_eq!(offsets.len(), samples * across * down);
    let mut bands = vec![vec![nodata; cols * rows]; samples];
    let mut absent = 0;
    for (i, (&at, &n)) in offsets.iter().zip(&lengths).enumerate() {
        if at == 0 && n == 0 {
            absent += 1;
            continue;
        }
        let (at, n) = (at as usize, n as usize);
        assert_eq!(bytes[at - 4..at], (n as u32).to_le_bytes(), "leader");
        assert_eq!(bytes[at + n - 4..at + n], bytes[at + n..at + n + 4], "trailer");
        let raw = &bytes[at..at + n];
        let size = edge * edge * width;
        let mut block = match codec {
            1 => raw.to_vec(),
            5 => weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8).decode(raw).unwrap(),
            8 => {
                let mut out = vec![0; size];
                libdeflater::Decompressor::new().zlib_decompress(raw, &mut out).unwrap();
                out
            }
            50_000 => zstd::bulk::decompress(raw, size).unwrap(),
            other => panic!("codec {other}"),
        };
        assert_eq!(block.len(), size);
        let mut values = Vec::with_capacity(edge * edge);
        for row in block.chunks_mut(edge * width) {
            let mut plain = row.to_vec();
            if predictor == 3 {
                for k in 1..row.len() {
                    row[k] = row[k].wrapping_add(row[k - 1]);
                }
                for x in 0..edge {
                    for b in 0..width {
                        plain[x * width + (width - 1 - b)] = row[b * edge + x];
                    }
                }
            }
            let mut last = 0_u64;
            for cell in plain.chunks(width) {
                let mut word = [0; 8];
                word[..width].copy_from_slice(cell);
                let mut bits = u64::from_le_bytes(word);
                if predictor == 2 {
                    bits = bits.wrapping_add(last) & (u64::MAX >> (64 - 8 * width));
                    last = bits;
                }
                values.push(match (format, width) {
                    (3, 4) => f64::from(f32::from_bits(bits as u32)),
                    (3, 8) => f64::from_bits(bits),
                    (2, 2) => f64::from(bits as u16 as i16),
                    (2, 4) => f64::from(bits as u32 as i32),
                    (1, _) => bits as f64,
                    other => panic!("{other:?}"),
                });
            }
        }
        let (band, tile) = (i / (across * down), i % (across * down));
        let (top, left) = (tile / across * edge, tile % across * edge);
        for r in 0..edge {
            for c in 0..edge {
                let v = values[r * edge + c];
                if top + r < rows && left + c < cols {
                    bands[band][(top + r) * cols + left + c] = v;
                } else {
                    assert!(v == nodata || (v.is_nan() && nodata.is_nan()), "padding is nodata");
                }
            }
        }
    }
    Image { cols, rows, bands, absent }
}

/// GDAL's command-line programs; tests that need them are skipped where they are not installed.
pub(crate) mod gdal {
    use std::path::Path;
    use std::process::{Command, Output};

    use regrow::raster::Dtype;

    fn run(program: &str, args: &[&str]) -> Output {
        Command::new(program).args(args).output().unwrap()
    }

    pub(crate) fn installed() -> bool {
        Command::new("gdalinfo").arg("--version").output().is_ok_and(|o| o.status.success())
    }

    /// `gdalinfo -json`; a warning on stderr fails the test.
    pub(crate) fn info(path: &Path) -> serde_json::Value {
        let o = run("gdalinfo", &["-json", path.to_str().unwrap()]);
        assert_eq!(String::from_utf8_lossy(&o.stderr), "", "{}", path.display());
        serde_json::from_slice(&o.stdout).unwrap()
    }

    /// `gdalinfo`; a warning on stderr fails the test.
    pub(crate) fn text(path: &Path) -> String {
        let o = run("gdalinfo", &[path.to_str().unwrap()]);
        assert_eq!(String::from_utf8_lossy(&o.stderr), "", "{}", path.display());
        String::from_utf8(o.stdout).unwrap()
    }

    pub(crate) fn categories(path: &Path) -> Vec<String> {
        let text = text(path);
        let lines = text.lines().skip_while(|l| !l.contains("Categories:")).skip(1);
        lines.map_while(|l| l.trim().split_once(": ").map(|(_, n)| n.to_owned())).take(2).collect()
    }

    /// A band as GDAL decodes it.
    pub(crate) fn band(path: &Path, band: usize, dtype: Dtype) -> Vec<f64> {
        let dir = tempfile::tempdir().unwrap();
        let raw = dir.path().join("raw");
        let (from, to) = (path.to_str().unwrap(), raw.to_str().unwrap());
        let o = run("gdal_translate", &["-q", "-of", "ENVI", "-b", &(band + 1).to_string(), from, to]);
        assert!(o.status.success() && o.stderr.is_empty(), "{}", String::from_utf8_lossy(&o.stderr));
        let bytes = std::fs::read(raw).unwrap();
        match dtype {
            Dtype::U8 => bytes.iter().map(|v| f64::from(*v)).collect(),
            Dtype::U16 => bytes.as_chunks().0.iter().map(|b| f64::from(u16::from_le_bytes(*b))).collect(),
            Dtype::I16 => bytes.as_chunks().0.iter().map(|b| f64::from(i16::from_le_bytes(*b))).collect(),
            Dtype::F32 => bytes.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
            other => panic!("{other}"),
        }
    }

    /// Longitude and latitude on the datum of the CRS `system` (a definition, or a file that has it).
    pub(crate) fn to_geographic(system: &str, (x, y): (f64, f64)) -> (f64, f64) {
        use std::io::Write;
        let mut child = Command::new("gdaltransform")
            .args(["-s_srs", system, "-t_srs", "EPSG:4326", "-output_xy"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{x:.10} {y:.10}").unwrap();
        let text = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let v: Vec<f64> = text.split_whitespace().map(|t| t.parse().unwrap()).collect();
        (v[0], v[1])
    }
}
