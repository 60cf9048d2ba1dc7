//! A raster reduced to a picture that fits a page.

use crate::error::{Error, Result};
use crate::project::summary::MapKind;
use crate::raster::Class;

use super::ramp;

/// Bins of a histogram over −2..2, which holds every index and every difference of two.
pub const BINS: usize = 800;

/// Values of a band on at most 900 cells along an axis, and the histogram of all its pixels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Columns.
    pub cols: usize,
    /// Rows.
    pub rows: usize,
    /// Mean of the valid pixels of a cell, or the class at its centre; NaN where there is none.
    pub values: Vec<f32>,
    /// Classes of a class band.
    pub classes: Vec<Class>,
    /// Pixels by value from −2 to 2; empty for classes and concentrations.
    pub histogram: Vec<u64>,
    /// Pixels of the raster that a cell spans along an axis.
    pub factor: usize,
}

impl Picture {
    /// Ends of the middle 98 % of the finite values; none where there are no values.
    #[must_use]
    pub fn middle(&self) -> Option<(f32, f32)> {
        let mut v: Vec<f32> = self.values.iter().copied().filter(|v| v.is_finite()).collect();
        let (low, high) = (v.len() / 100, v.len().checked_sub(v.len() / 100 + 1)?);
        let high = *v.select_nth_unstable_by(high, f32::total_cmp).1;
        Some((*v.select_nth_unstable_by(low, f32::total_cmp).1, high))
    }

    /// The picture as a PNG with one palette entry a colour; what has no value is transparent.
    ///
    /// # Errors
    /// None in practice; a defect of the encoder.
    pub fn png(&self, kind: MapKind, range: (f64, f64)) -> Result<Vec<u8>> {
        let mut palette = vec![0u8; 3];
        let mut pixels = vec![0u8; self.values.len()];
        if kind == MapKind::Classes {
            let mut entries = [0u8; 256];
            for (i, class) in self.classes.iter().take(255).enumerate() {
                palette.extend(class.rgb);
                let entry = &mut entries[usize::from(class.value)];
                *entry = if *entry == 0 { i as u8 + 1 } else { *entry };
            }
            for (pixel, v) in pixels.iter_mut().zip(&self.values) {
                let class = *v as u8;
                *pixel = if f32::from(class) == *v { entries[usize::from(class)] } else { 0 };
            }
        } else {
            (0..255).for_each(|i| palette.extend(ramp::colour(kind, f64::from(i) / 254.0)));
            let (low, steps) = (range.0, 254.0 / (range.1 - range.0).max(f64::MIN_POSITIVE));
            for (pixel, v) in pixels.iter_mut().zip(&self.values) {
                // To the nearest colour; the conversion stops at 0 and cuts off decimals.
                let entry = ((f64::from(*v) - low) * steps + 1.5).clamp(1.0, 255.0);
                *pixel = if v.is_nan() { 0 } else { entry as u8 };
            }
        }
        let failed = |e: png::EncodingError| Error::bug(format!("encoding a map picture: {e}"));
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.cols as u32, self.rows as u32);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(palette);
        encoder.set_trns(vec![0u8]);
        // Fields change little from row to row, classes repeat: with the filter that suits them the fastest level packs
        // nearly as well as a slow one.
        encoder.set_filter(if kind == MapKind::Classes { png::Filter::NoFilter } else { png::Filter::Up });
        encoder.set_deflate_compression(png::DeflateCompression::Level(1));
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&pixels).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }
}

/// Base 64 (RFC 4648) for `data:` addresses.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let letter = LETTERS[(n >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads() {
        assert_eq!(base64(b"f"), "Zg==");
        assert_eq!(base64(b"fo"), "Zm8=");
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
    }

    #[test]
    fn the_middle_leaves_out_a_hundredth_at_each_end() {
        let picture = |values: Vec<f32>| Picture { cols: values.len(), values, ..Picture::default() };
        let shuffled = (0..200).map(|i| ((i * 67) % 200) as f32);
        assert_eq!(picture(shuffled.chain([f32::NAN]).collect()).middle(), Some((2.0, 197.0)));
        assert_eq!(picture(vec![5.0]).middle(), Some((5.0, 5.0)));
        assert_eq!(picture(vec![f32::NAN]).middle(), None);
    }

    fn decoded(png: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        (pixels, reader.info().palette.clone().unwrap().into_owned())
    }

    #[test]
    fn values_take_the_nearest_colour_and_the_ends_what_lies_beyond() {
        let values = vec![-3.0, 0.0, 0.5, 0.501, 1.0, 7.0, f32::NAN, 0.25];
        let p = Picture { cols: 4, rows: 2, values, ..Picture::default() };
        let (pixels, palette) = decoded(&p.png(MapKind::Vegetation, (0.0, 1.0)).unwrap());
        assert_eq!(pixels, [1, 1, 128, 128, 255, 255, 0, 65]);
        assert_eq!(palette[3..6], ramp::colour(MapKind::Vegetation, 0.0));
        assert_eq!(palette[765..], ramp::colour(MapKind::Vegetation, 1.0));
    }

    #[test]
    fn classes_take_their_own_colour_and_unnamed_values_none() {
        let classes = vec![Class::new(7, "dump", [1, 2, 3]), Class::new(0, "pit", [4, 5, 6])];
        let p =
            Picture { cols: 5, rows: 1, values: vec![0.0, 7.0, 3.0, f32::NAN, 300.0], classes, ..Picture::default() };
        let (pixels, palette) = decoded(&p.png(MapKind::Classes, (0.0, 1.0)).unwrap());
        assert_eq!((pixels, &palette[3..]), (vec![2, 1, 0, 0, 0], &[1, 2, 3, 4, 5, 6][..]));
    }
}
