//! JPEG blocks: abbreviated streams completed by the tables of the directory.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// What a decoded block must look like.
pub(super) struct Shape {
    pub(super) cols: usize,
    pub(super) rows: usize,
    pub(super) samples: usize,
    /// Photometric interpretation YCbCr: colours are turned to red, green, blue.
    pub(super) ycbcr: bool,
}

/// Decodes one block into `to`, which holds exactly its samples. `joined` is working memory.
///
/// # Errors
/// What is wrong with the stream, or a size other than the block's.
pub(super) fn decode(
    block: &[u8],
    tables: Option<&[u8]>,
    shape: &Shape,
    joined: &mut Vec<u8>,
    to: &mut [u8],
) -> Result<(), String> {
    joined.clear();
    if let Some(tables) = tables {
        // Tables end with EOI, the block starts with SOI: joined without both they are one full stream.
        joined.extend_from_slice(tables.strip_suffix(&[0xFF, 0xD9]).unwrap_or(tables));
        joined.extend_from_slice(block.strip_prefix(&[0xFF, 0xD8]).unwrap_or(block));
    } else {
        joined.extend_from_slice(block);
    }
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(shape.cols.max(1))
        .set_max_height(shape.rows.max(1));
    let failed = |e| format!("the JPEG stream is damaged ({e:?})");
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(joined.as_slice()), options);
    decoder.decode_headers().map_err(failed)?;
    let found = decoder.dimensions().unwrap_or_default();
    let input = decoder.input_colorspace().unwrap_or(ColorSpace::Unknown);
    if found != (shape.cols, shape.rows) || input.num_components() != shape.samples {
        return Err(format!(
            "the JPEG holds {} x {} pixels of {} bands, expected {} x {} of {}",
            found.0,
            found.1,
            input.num_components(),
            shape.cols,
            shape.rows,
            shape.samples
        ));
    }
    // Bands that are no colours (or RGB stored as such) must come out as they were put in.
    let wanted = if shape.ycbcr && shape.samples == 3 { ColorSpace::RGB } else { input };
    decoder.set_options(options.jpeg_set_out_colorspace(wanted));
    decoder.decode_into(to).map_err(failed)
}
