//! A GeoTIFF at another place: the file itself, byte for byte, with nothing changed but the coordinates of its corner.
//!
//! So every sample, mask, overview, name, scale, nodata value and metadata item stays what it was, whatever their types, and
//! nothing is decoded.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ifd::{Ifd, Order, Tiff, tag};
use crate::error::{Error, Result};
use crate::io::atomic::AtomicFile;
use crate::io::file::InputFile;

/// Files that belong to a GeoTIFF by name.
const COMPANIONS: [&str; 3] = [".aux.xml", ".ovr", ".msk"];

/// A GeoTIFF that can be moved.
pub struct Movable {
    path: PathBuf,
    order: Order,
    /// Byte and value of each x and each y that moves.
    places: Vec<(u64, f64, Axis)>,
}

#[derive(Clone, Copy)]
enum Axis {
    X,
    Y,
}

impl Movable {
    /// Finds where `path` says where it lies.
    ///
    /// # Errors
    /// Input error where it is no GeoTIFF, or states its place otherwise than by tie points or a matrix of its own.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display();
        let again = format!("write it again with `regrow align {name} --to first -o FILE.tif`");
        let file = Arc::new(InputFile::open(path)?);
        let tiff = Tiff::open(file)
            .map_err(|_| Error::input(format!("{name}: only a GeoTIFF can be moved without resampling; {again}")))?;
        let ifd = tiff.main()?;
        let mut places = Vec::new();
        // A tie point is column, row, level, x, y, z.
        let ties = doubles(&tiff, &ifd, tag::TIE_POINTS)?;
        for (i, (at, v)) in ties.into_iter().enumerate() {
            match i % 6 {
                3 => places.push((at, v, Axis::X)),
                4 => places.push((at, v, Axis::Y)),
                _ => {}
            }
        }
        let matrix = doubles(&tiff, &ifd, tag::TRANSFORMATION)?;
        for (i, axis) in [(3, Axis::X), (7, Axis::Y)] {
            places.extend(matrix.get(i).map(|(at, v)| (*at, *v, axis)));
        }
        if places.is_empty() {
            return Err(Error::input(format!(
                "{name}: the file does not hold its own place (a world file does not count); write it again with \
                 gdal_translate"
            )));
        }
        let aux = beside(path, ".aux.xml");
        let overridden = std::fs::read_to_string(&aux).is_ok_and(|t| t.contains("<GeoTransform") || t.contains("<GCP"));
        if overridden {
            return Err(Error::input(format!(
                "{name}: {} places the raster elsewhere than the file itself; write it again with gdal_translate",
                aux.display()
            )));
        }
        Ok(Self { path: path.to_owned(), order: tiff.order, places })
    }

    /// Writes the file to `target`, `x` and `y` map units away, with its external mask, overviews and statistics.
    ///
    /// # Errors
    /// Usage error where an output exists without `overwrite`; I/O errors. Files appear whole or not at all.
    pub fn write(&self, target: &Path, (x, y): (f64, f64), overwrite: bool) -> Result<()> {
        let mut copies = vec![copy(&self.path, target, overwrite)?];
        for suffix in COMPANIONS {
            let (from, to) = (beside(&self.path, suffix), beside(target, suffix));
            if from.is_file() {
                copies.push(copy(&from, &to, overwrite)?);
            } else if to.exists() {
                if !overwrite {
                    return Err(Error::usage(format!(
                        "output {}: {} is there and would be read with it; replace it with --overwrite",
                        target.display(),
                        to.display()
                    )));
                }
                std::fs::remove_file(&to).map_err(|e| Error::io(format!("removing {}: {e}", to.display())))?;
            }
        }
        let file = &mut copies[0];
        for (at, value, axis) in &self.places {
            let value = match axis {
                Axis::X => value + x,
                Axis::Y => value + y,
            };
            let bytes = if self.order == Order::Little { value.to_le_bytes() } else { value.to_be_bytes() };
            file.seek(SeekFrom::Start(*at)).and_then(|_| file.write_all(&bytes)).map_err(|e| file.error(&e))?;
        }
        // The companions first: the raster is complete when it appears.
        copies.into_iter().rev().try_for_each(AtomicFile::commit)
    }
}

/// Byte and value of each double of a tag; none where the tag is not there.
fn doubles(tiff: &Tiff, ifd: &Ifd, tag: u16) -> Result<Vec<(u64, f64)>> {
    const DOUBLE: u16 = 12;
    match ifd.get(tag) {
        None => Ok(Vec::new()),
        Some(e) if e.kind != DOUBLE => {
            Err(tiff.file.bad(format!("TIFF tag {tag} has type {}, expected a double", e.kind)))
        }
        Some(e) => {
            let values = tiff.floats(e, 1 << 20)?;
            Ok(values.into_iter().enumerate().map(|(i, v)| (e.at + 8 * i as u64, v)).collect())
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn copy(from: &Path, to: &Path, overwrite: bool) -> Result<AtomicFile> {
    let failed = |e: std::io::Error| Error::from_io(&format!("reading {}", from.display()), &e);
    let mut source = File::open(from).map_err(failed)?;
    let bytes = source.metadata().map_err(failed)?.len();
    let mut file = AtomicFile::create(to, overwrite)?;
    let copied = file.append_from(&mut source, bytes).map_err(|e| file.error(&e))?;
    if copied != bytes {
        return Err(Error::input(format!("{}: became shorter while it was read", from.display())));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::super::GeoTiff;
    use super::*;
    use crate::raster::Source;

    #[test]
    fn every_form_is_moved_and_keeps_all_other_bytes() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rasters");
        let dir = tempfile::tempdir().unwrap();
        for (i, name) in [
            "bits12_pixel.tif",
            "i8_none_strips.tif",
            "f64_zstd_pred3_be.tif",
            "u16_none_bigtiff_be.tif",
            "u64_deflate_strips.tif",
            "u8_cog.tif",
            "u8_jpeg_ycbcr.tif",
            "u8_mask_beside.tif",
            "u8_palette.tif",
            "u8_point.tif",
            "u8_rotated.tif",
        ]
        .iter()
        .enumerate()
        {
            let (from, to) = (fixtures.join(name), dir.path().join(format!("{i}.tif")));
            Movable::open(&from).unwrap().write(&to, (12.5, -7.25), false).unwrap();
            let (before, after) = (GeoTiff::open(&from).unwrap(), GeoTiff::open(&to).unwrap());
            let wanted = before.grid().affine().unwrap().moved(12.5, -7.25).coefficients();
            let found = after.grid().affine().unwrap().coefficients();
            assert!(wanted.iter().zip(found).all(|(w, f)| (w - f).abs() < 1e-9), "{name}: {found:?} {wanted:?}");
            assert_eq!((before.bands(), before.metadata()), (after.bands(), after.metadata()), "{name}");
            let (before, after) = (std::fs::read(&from).unwrap(), std::fs::read(&to).unwrap());
            let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
            assert!(before.len() == after.len() && (1..=16).contains(&changed), "{name}: {changed} bytes changed");
            assert_eq!(beside(&from, ".msk").exists(), beside(&to, ".msk").exists(), "{name}");
        }
    }

    #[test]
    fn files_without_a_place_of_their_own_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("a.jp2");
        std::fs::write(&other, "not a TIFF at all").unwrap();
        let refused = |path: &Path| Movable::open(path).err().unwrap().to_string();
        assert!(refused(&other).contains("regrow align"));
        let file = File::create(dir.path().join("bare.tif")).unwrap();
        let mut tiff = tiff::encoder::TiffEncoder::new(file).unwrap();
        tiff.write_image::<tiff::encoder::colortype::Gray8>(2, 2, &[1, 2, 3, 4]).unwrap();
        assert!(refused(&dir.path().join("bare.tif")).contains("does not hold its own place"));
    }
}
