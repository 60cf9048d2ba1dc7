//! How a file stores its pixels, in words: format, compression, overviews, and whether it is a cloud-optimised GeoTIFF.

use super::blocks::Place;
use super::ifd::{Ifd, Tiff, tag};
use super::image::{Image, Predictor};
use super::mask::is_overview;

/// Images up to this many pixels on the longer side need no overviews to be cloud-optimised.
const SMALL: usize = 512;

/// Keys and values that describe the storage of an image.
pub(super) fn describe(tiff: &Tiff, main: &Ifd, image: &Image, others: &[Ifd], masks: usize) -> Vec<(String, String)> {
    let overviews: Vec<&Ifd> = others.iter().filter(|i| is_overview(tiff, i)).collect();
    let blocks = if image.tiled { "tiles" } else { "strips" };
    let predictor = match image.predictor {
        Predictor::None => "",
        Predictor::Horizontal => ", predictor 2",
        Predictor::Float => ", predictor 3",
    };
    let mut list = vec![
        ("format", if tiff.big { "BigTIFF" } else { "GeoTIFF" }.to_owned()),
        ("blocks", blocks.to_owned()),
        ("compression", format!("{}{predictor}", image.codec.name())),
        ("interleave", if image.planar { "band" } else { "pixel" }.to_owned()),
        ("overviews", overviews.len().to_string()),
        ("masks", masks.to_string()),
    ];
    let cog = not_cog(tiff, main, image, &overviews).map_or_else(|| "yes".to_owned(), |why| format!("no ({why})"));
    list.push(("cog", cog));
    list.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}

/// Why a file is no cloud-optimised GeoTIFF; nothing where it is one. Judged as GDAL's validator does: tiles, overviews of
/// larger images, directories in order at the start, overview pixels before those they come from.
fn not_cog(tiff: &Tiff, main: &Ifd, image: &Image, overviews: &[&Ifd]) -> Option<String> {
    if image.cols.max(image.rows) > SMALL {
        if !image.tiled {
            return Some("pixels are in strips".into());
        }
        if overviews.is_empty() {
            return Some("no overviews".into());
        }
    }
    let first_pixels = |ifd: &Ifd| -> Option<u64> {
        let entry = ifd.get(tag::TILE_OFFSETS).or_else(|| ifd.get(tag::STRIP_OFFSETS))?;
        tiff.integers(entry, 1 << 20).ok()?.into_iter().find(|o| *o != 0)
    };
    // Only the first block is asked of the image itself, whose table may be huge.
    let pixels = match image.blocks.place(tiff, 0, 0) {
        Ok(Place::At { offset, .. }) => Some(offset),
        _ => None,
    };
    let mut before = main.at;
    for ifd in overviews {
        if ifd.at < before {
            return Some("directories are out of order".into());
        }
        before = ifd.at;
    }
    if pixels.is_some_and(|p| p < before) {
        return Some("pixels come before the directories".into());
    }
    let mut last = u64::MAX;
    for at in std::iter::once(pixels).chain(overviews.iter().map(|i| first_pixels(i))).flatten() {
        if at > last {
            return Some("overviews come after the pixels they are made of".into());
        }
        last = at;
    }
    None
}
