//! A codestream of one tile, cut out of that of the image.
//!
//! The image of the new stream is exactly the tile, on the same reference grid: wavelet, precincts and code blocks are laid
//! out from coordinates of that grid, so that every sample decodes to the same value as in the whole image.

use super::boxes::u16_at;
use super::cost;
use super::index::{Index, SOT_BYTES};
use super::main_header::{MainHeader, marker, parse_coding, parse_other};
use super::tiles::Tiles;
use crate::error::{Error, Result};
use crate::io::file::InputFile;

/// What the reader knows of an image before it decodes anything.
pub(super) struct Stream {
    pub(super) header: MainHeader,
    pub(super) tiles: Tiles,
    pub(super) index: Index,
}

impl Stream {
    /// Fills `out` with the codestream of `tile`.
    ///
    /// # Errors
    /// What its tile-parts get wrong; coding that costs too much to decode. Messages do not name the tile.
    pub(super) fn cut(&self, file: &InputFile, tile: u32, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        out.extend(marker::SOC.to_be_bytes());
        self.size_segment(tile, out);
        out.extend_from_slice(&self.header.segments);
        for (at, bytes) in self.index.of(tile) {
            let start = out.len();
            out.resize(start + bytes as usize, 0);
            file.read_at(&mut out[start..], at, "tile-part")?;
            let part = &mut out[start..];
            // The only tile of its image, of a length that is stated.
            part[4..6].fill(0);
            part[6..10].copy_from_slice(&(bytes as u32).to_be_bytes());
            self.check(file, tile, part)?;
        }
        out.extend(marker::EOC.to_be_bytes());
        Ok(())
    }

    fn size_segment(&self, tile: u32, out: &mut Vec<u8>) {
        let components = &self.header.size.components;
        let [left, top, right, bottom] = self.tiles.area(tile);
        out.extend(marker::SIZ.to_be_bytes());
        out.extend((38 + 3 * components.len() as u16).to_be_bytes());
        out.extend(self.header.capabilities.to_be_bytes());
        for v in [right, bottom, left, top, right - left, bottom - top, left, top] {
            out.extend(v.to_be_bytes());
        }
        out.extend((components.len() as u16).to_be_bytes());
        for c in components {
            out.extend([(c.bits - 1) | if c.signed { 0x80 } else { 0 }, 1, 1]);
        }
    }

    /// Walks the header of a tile-part, whose own coding parameters may cost more than those of the image.
    fn check(&self, file: &InputFile, tile: u32, part: &[u8]) -> Result<()> {
        let bad = |what: &str| file.bad(format!("{what} in the header of a tile-part; the file is damaged"));
        let (mut coding, mut others) = (None, Vec::new());
        let mut rest = &part[SOT_BYTES..];
        loop {
            if rest.len() < 2 {
                return Err(bad("no start of data"));
            }
            let kind = u16_at(rest, 0);
            if kind == marker::SOD {
                break;
            }
            let len = if rest.len() < 4 || kind < 0xff01 { 0 } else { usize::from(u16_at(rest, 2)) };
            let Some(data) = rest.get(4..2 + len).filter(|_| len >= 2) else {
                return Err(bad(&format!("marker {kind:04x} of {len} bytes")));
            };
            match kind {
                marker::COD => coding = Some(parse_coding(data).ok_or_else(|| bad("a wrong marker COD"))?),
                marker::COC => {
                    let components = self.header.size.components.len();
                    others.push(parse_other(data, components).ok_or_else(|| bad("a wrong marker COC"))?);
                }
                _ => {}
            }
            rest = &rest[2 + len..];
        }
        if coding.is_none() && others.is_empty() {
            return Ok(());
        }
        let coding = coding.as_ref().unwrap_or(&self.header.coding);
        let bytes = cost::bookkeeping(self.tiles.area(tile), self.header.size.components.len(), coding, &others);
        if bytes > cost::MOST_BYTES {
            return Err(too_costly(file, bytes));
        }
        Ok(())
    }
}

/// The error of a tile cut so finely that it cannot be decoded in bounded memory.
pub(super) fn too_costly(file: &InputFile, bytes: u64) -> Error {
    Error::limit(format!(
        "{}: the tiles are cut so finely that one needs {} MiB of bookkeeping, at most {} are given; rewrite the file \
         (gdal_translate IN OUT.tif)",
        file.name(),
        bytes >> 20,
        cost::MOST_BYTES >> 20
    ))
}
