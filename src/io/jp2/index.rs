//! Where the tile-parts of a codestream are: found by hopping over their lengths, without reading what they hold.

use super::boxes::{Span, u16_at, u32_at};
use super::main_header::marker;
use super::tiles::Tiles;
use crate::error::{Error, Result};
use crate::io::file::InputFile;

/// Tiles a codestream can have: their index has 16 bits.
const MOST_TILES: u64 = 65_535;
/// More tile-parts than this are not indexed.
const MOST_PARTS: usize = 1 << 22;
/// Bytes of the marker segment SOT.
pub(super) const SOT_BYTES: usize = 12;

/// The tile-parts, sorted by tile, in file order within one.
#[derive(Debug)]
pub(super) struct Index {
    parts: Vec<(u16, Span)>,
    /// Compressed bytes of the largest tile.
    largest: u64,
}

impl Index {
    /// Finds the tile-parts of `stream`, of which the first is at byte `first`.
    ///
    /// # Errors
    /// Tile-parts that do not fit into the file or belong to no tile, and tiles without any.
    pub(super) fn read(file: &InputFile, stream: Span, first: u64, tiles: &Tiles) -> Result<Self> {
        let n = tiles.count();
        if n > MOST_TILES {
            return Err(
                file.bad(format!("codestream: {n} tiles, at most {MOST_TILES} are possible; the file is damaged"))
            );
        }
        let end = stream.0 + stream.1;
        let mut parts: Vec<(u16, Span)> = Vec::new();
        let mut at = first;
        while at < end {
            let mut field = [0; SOT_BYTES];
            let there = (end - at).min(SOT_BYTES as u64) as usize;
            file.read_at(&mut field[..there], at, "tile-part header")?;
            if there >= 2 && u16_at(&field, 0) == marker::EOC {
                break;
            }
            if there < SOT_BYTES || u16_at(&field, 0) != marker::SOT || u16_at(&field, 2) != 10 {
                return Err(file.bad(format!(
                    "codestream: expected a tile-part or the end at byte {at}; the file is damaged or cut short"
                )));
            }
            let tile = u16_at(&field, 4);
            let bytes = match u64::from(u32_at(&field, 6)) {
                // The last tile-part may leave its length open.
                0 => end - at - Self::trailer(file, end)?,
                bytes => bytes,
            };
            if u64::from(tile) >= n {
                return Err(file
                    .bad(format!("codestream: a part of tile {tile}, but there are {n} tiles; the file is damaged")));
            }
            if bytes < SOT_BYTES as u64 + 2 || bytes > end - at {
                let (col, row) = tiles.place(u32::from(tile));
                return Err(file.bad(format!(
                    "tile ({col}, {row}): its part at byte {at} says {bytes} bytes, {} are left; the file is damaged or cut \
                     short, fetch it again",
                    end - at
                )));
            }
            if parts.len() == MOST_PARTS {
                return Err(Error::limit(format!("{}: over {MOST_PARTS} tile-parts; rewrite the file", file.name())));
            }
            parts.push((tile, (at, bytes)));
            at += bytes;
        }
        parts.sort_by_key(|(tile, _)| *tile);
        let mut largest = 0;
        let mut rest = parts.as_slice();
        for tile in 0..n as u32 {
            let own = rest.iter().take_while(|(t, _)| u32::from(*t) == tile).count();
            if own == 0 {
                let (col, row) = tiles.place(tile);
                return Err(file.bad(format!("tile ({col}, {row}) is missing; the file is incomplete, fetch it again")));
            }
            largest = largest.max(rest[..own].iter().map(|(_, (_, bytes))| bytes).sum());
            rest = &rest[own..];
        }
        Ok(Self { parts, largest })
    }

    /// Bytes of the end marker where it is there.
    fn trailer(file: &InputFile, end: u64) -> Result<u64> {
        let mut last = [0; 2];
        file.read_at(&mut last, end - 2, "end of the codestream")?;
        Ok(if u16_at(&last, 0) == marker::EOC { 2 } else { 0 })
    }

    /// The parts of a tile.
    pub(super) fn of(&self, tile: u32) -> impl Iterator<Item = Span> + '_ {
        let start = self.parts.partition_point(|(t, _)| u32::from(*t) < tile);
        self.parts[start..].iter().take_while(move |(t, _)| u32::from(*t) == tile).map(|(_, span)| *span)
    }

    /// Compressed bytes of the largest tile.
    pub(super) fn largest(&self) -> u64 {
        self.largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::jp2::main_header::Size;

    fn part(tile: u16, len: u32, body: usize) -> Vec<u8> {
        [&[0xff, 0x90, 0, 10], &tile.to_be_bytes()[..], &len.to_be_bytes(), &[0, 1, 0xff, 0x93], &vec![1; body]]
            .concat()
    }

    fn index(bytes: &[u8]) -> Result<Index> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.j2k");
        std::fs::write(&path, bytes).unwrap();
        let size = Size { image: [0, 0, 20, 10], tile: [0, 0, 10, 10], components: Vec::new() };
        Index::read(&InputFile::open(&path).unwrap(), (0, bytes.len() as u64), 0, &Tiles::new(size))
    }

    #[test]
    fn parts_are_sorted_by_tile_and_the_last_may_be_open() {
        let bytes = [part(1, 17, 3), part(0, 14, 0), part(1, 15, 1), part(0, 0, 5), vec![0xff, 0xd9]].concat();
        let found = index(&bytes).unwrap();
        assert_eq!(found.of(0).collect::<Vec<_>>(), [(17, 14), (46, 19)]);
        assert_eq!(found.of(1).collect::<Vec<_>>(), [(0, 17), (31, 15)]);
        assert_eq!(found.largest(), 33);
    }

    #[test]
    fn lengths_and_missing_tiles_are_named() {
        let fails = |parts: &[Vec<u8>]| index(&parts.concat()).unwrap_err().to_string();
        assert!(
            fails(&[part(0, 14, 0), part(1, 99, 3)]).contains("tile (1, 0): its part at byte 14 says 99 bytes, 17 are")
        );
        assert!(fails(&[part(0, 14, 0), part(1, 13, 3)]).contains("says 13 bytes"));
        assert!(fails(&[part(0, 14, 0)]).contains("tile (1, 0) is missing"));
        assert!(fails(&[part(0, 14, 0), part(2, 14, 0)]).contains("part of tile 2, but there are 2"));
        assert!(fails(&[part(0, 14, 0), vec![7; 20]]).contains("expected a tile-part or the end at byte 14"));
        assert!(fails(&[part(0, 14, 0), vec![0xff, 0x90, 0]]).contains("at byte 14"));
    }
}
