//! JPEG 2000 (JP2 files and bare codestreams), decoded tile by tile.
//!
//! Only the headers are read when a file is opened. A window is read by cutting each tile it meets out of the codestream as
//! an image of its own, so that workers decode different tiles at the same time and nobody decodes a whole image.

mod boxes;
mod cost;
mod cut;
mod decode;
mod gml;
mod index;
mod main_header;
mod reader;
mod source;
mod tiles;

pub use source::Jp2;

use super::file::InputFile;
use crate::error::Error;

/// How messages about features only GDAL reads begin.
pub(super) const NOT_SUPPORTED: &str = "not supported: ";

/// An error that names what is not supported and the remedy.
fn unsupported(file: &InputFile, what: &str) -> Error {
    let remedy = if cfg!(feature = "gdal") { "" } else { "build regrow with --features gdal, or " };
    file.bad(format!("{NOT_SUPPORTED}{what}; {remedy}convert the file: gdal_translate IN OUT.tif"))
}
