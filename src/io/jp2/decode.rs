//! One block of a one-tile codestream, decoded by OpenJPEG into native samples.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::main_header::Component;
use crate::raster::Dtype;

/// Type of the samples of a component.
pub(super) fn dtype(c: Component) -> Dtype {
    match (c.bits, c.signed) {
        (..=8, false) => Dtype::U8,
        (..=8, true) => Dtype::I8,
        (_, false) => Dtype::U16,
        (_, true) => Dtype::I16,
    }
}

/// Decodes `area` (left, top, right, bottom on the reference grid) of `stream`, whose tile is `tile`, and fills `out` with
/// the samples of one component after the other.
///
/// # Errors
/// In words, where the stream is damaged.
pub(super) fn decode(
    stream: &[u8],
    tile: [u32; 4],
    area: [u32; 4],
    components: &[Component],
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let mut parameters = jpeg2k::DecodeParameters::new().strict(true);
    if area != tile {
        let part = jpeg2k::DecodeArea::new(area[0], area[1], area[2], area[3]);
        parameters = parameters.decode_area(Some(part));
    }
    // OpenJPEG reports damage; a panic of the layer over it must not end the program either.
    let image = catch_unwind(AssertUnwindSafe(|| jpeg2k::Image::from_bytes_with(stream, parameters)))
        .map_err(|_| "the decoder failed".to_owned())?
        .map_err(|_| "the compressed data are damaged".to_owned())?;
    let found = image.components();
    if found.len() != components.len() {
        return Err(format!("{} components were decoded, expected {}", found.len(), components.len()));
    }
    let (cols, rows) = (area[2] - area[0], area[3] - area[1]);
    out.clear();
    for (found, c) in found.iter().zip(components) {
        if (found.width(), found.height()) != (cols, rows) || found.data().len() != cols as usize * rows as usize {
            return Err(format!(
                "{} x {} pixels were decoded, expected {cols} x {rows}",
                found.width(),
                found.height()
            ));
        }
        let start = out.len();
        out.resize(start + found.data().len() * dtype(*c).bytes(), 0);
        // Values lie in the range of their bits, so the low bytes are the sample, with or without sign.
        match dtype(*c).bytes() {
            1 => out[start..].iter_mut().zip(found.data()).for_each(|(d, v)| *d = *v as u8),
            _ => {
                let (to, _) = out[start..].as_chunks_mut::<2>();
                to.iter_mut().zip(found.data()).for_each(|(d, v)| *d = (*v as u16).to_ne_bytes());
            }
        }
    }
    Ok(())
}
