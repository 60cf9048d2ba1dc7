//! The main header of a codestream (ISO/IEC 15444-1 annex A): image and tile sizes, and the coding parameters that bound what
//! decoding a tile may cost.

use super::boxes::{Span, u16_at, u32_at};
use crate::error::Result;
use crate::io::file::InputFile;

/// Longest main header that is read.
const MOST_BYTES: u64 = 8 << 20;
/// Largest coordinate, as in GDAL; decoders count in `i32`.
const MOST_EDGE: u32 = i32::MAX as u32;

/// Markers by their names in the standard.
pub(super) mod marker {
    pub(in super::super) const SOC: u16 = 0xff4f;
    pub(in super::super) const SIZ: u16 = 0xff51;
    pub(in super::super) const COD: u16 = 0xff52;
    pub(in super::super) const COC: u16 = 0xff53;
    pub(in super::super) const TLM: u16 = 0xff55;
    pub(in super::super) const PLM: u16 = 0xff57;
    pub(in super::super) const PPM: u16 = 0xff60;
    pub(in super::super) const COM: u16 = 0xff64;
    pub(in super::super) const SOT: u16 = 0xff90;
    pub(in super::super) const SOD: u16 = 0xff93;
    pub(in super::super) const EOC: u16 = 0xffd9;
}

/// How the samples of a component are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Component {
    /// Bits of a sample.
    pub(super) bits: u8,
    /// True for samples with a sign.
    pub(super) signed: bool,
}

/// Image and tiles on the reference grid, as the marker SIZ gives them. Ends are exclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Left, top, right and bottom edge of the image.
    pub(super) image: [u32; 4],
    /// Left and top edge, columns and rows of the first tile.
    pub(super) tile: [u32; 4],
    pub(super) components: Vec<Component>,
}

/// How tiles are coded where no marker of their own says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coding {
    pub(super) layers: u16,
    /// True for the reversible wavelet; false where values were rounded.
    pub(super) reversible: bool,
    pub(super) blocks: CodeBlocks,
}

/// Sizes of what a tile component is cut into, as powers of two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CodeBlocks {
    pub(super) levels: u8,
    /// Columns and rows of a code block.
    pub(super) edge: (u8, u8),
    /// Columns and rows of precincts by resolution, the coarsest first; empty where they are as large as can be.
    pub(super) precincts: Vec<(u8, u8)>,
}

/// The main header.
#[derive(Debug)]
pub(super) struct MainHeader {
    pub(super) size: Size,
    pub(super) coding: Coding,
    /// Coding parameters of single components.
    pub(super) others: Vec<CodeBlocks>,
    /// Capabilities the header asks for (Rsiz).
    pub(super) capabilities: u16,
    /// Marker segments that every tile needs, without SIZ and without those that list tile-parts.
    pub(super) segments: Vec<u8>,
    /// First byte after the header: the first tile-part.
    pub(super) end: u64,
}

/// Reads the main header of the codestream in `span`.
///
/// # Errors
/// What is missing, damaged, or not supported, by name.
pub(super) fn read(file: &InputFile, span: Span) -> Result<MainHeader> {
    let bad = |what: &str| file.bad(format!("codestream: {what}; the file is damaged or cut short"));
    let (start, end) = (span.0, span.0 + span.1.min(MOST_BYTES));
    let take = |at: u64, n: u64| -> Result<Vec<u8>> {
        if n > end.saturating_sub(at) {
            return Err(bad("the main header does not end"));
        }
        let mut data = vec![0; n as usize];
        file.read_at(&mut data, at, "main header")?;
        Ok(data)
    };
    if u16_at(&take(start, 2)?, 0) != marker::SOC {
        return Err(bad("it does not start with SOC"));
    }
    let (mut size, mut coding, mut others, mut segments) = (None, None, Vec::new(), Vec::new());
    let mut capabilities = 0;
    let mut at = start + 2;
    loop {
        let kind = u16_at(&take(at, 2)?, 0);
        if kind == marker::SOT {
            break;
        }
        if kind < 0xff01 || kind == marker::SOD || kind == marker::EOC {
            return Err(bad(&format!("marker {kind:04x} at byte {at} of the main header")));
        }
        let len = u64::from(u16_at(&take(at + 2, 2)?, 0));
        if len < 2 {
            return Err(bad(&format!("marker {kind:04x} has length {len}")));
        }
        let data = take(at + 4, len - 2)?;
        let components = size.as_ref().map_or(0, |s: &Size| s.components.len());
        match kind {
            marker::SIZ => {
                size = Some(parse_size(file, &data)?);
                capabilities = u16_at(&data, 0);
            }
            _ if size.is_none() => return Err(bad("SIZ does not come first")),
            marker::PPM => return Err(super::unsupported(file, "packet headers gathered in the main header (PPM)")),
            marker::TLM | marker::PLM | marker::COM => {}
            _ => {
                match kind {
                    marker::COD => coding = Some(parse_coding(&data).ok_or_else(|| bad("marker COD is wrong"))?),
                    marker::COC => {
                        others.push(parse_other(&data, components).ok_or_else(|| bad("marker COC is wrong"))?);
                    }
                    _ => {}
                }
                segments.extend(kind.to_be_bytes());
                segments.extend((len as u16).to_be_bytes());
                segments.extend(data);
            }
        }
        at += 2 + len;
    }
    let size = size.ok_or_else(|| bad("SIZ is missing"))?;
    let coding = coding.ok_or_else(|| bad("COD is missing"))?;
    Ok(MainHeader { size, coding, others, capabilities, segments, end: at })
}

fn parse_size(file: &InputFile, data: &[u8]) -> Result<Size> {
    let bad = |what: String| file.bad(format!("codestream: {what}; the file is damaged"));
    if data.len() < 36 {
        return Err(bad("marker SIZ is cut short".into()));
    }
    let n = usize::from(u16_at(data, 34));
    if n == 0 || data.len() != 36 + 3 * n {
        return Err(bad(format!("SIZ says {n} components and has room for {}", (data.len() - 36) / 3)));
    }
    let v: Vec<u32> = (0..8).map(|i| u32_at(data, 2 + 4 * i)).collect();
    let [right, bottom, left, top, cols, rows, tile_left, tile_top] = v[..] else {
        return Err(bad("marker SIZ is cut short".into()));
    };
    if right > MOST_EDGE || bottom > MOST_EDGE || left >= right || top >= bottom {
        return Err(bad(format!(
            "the image reaches from ({left}, {top}) to ({right}, {bottom}), expected up to {MOST_EDGE}"
        )));
    }
    let meets = |origin: u32, edge: u32, first: u32| {
        edge > 0 && origin <= first && u64::from(origin) + u64::from(edge) > u64::from(first)
    };
    if !meets(tile_left, cols, left) || !meets(tile_top, rows, top) {
        return Err(bad(format!("tiles of {cols} x {rows} from ({tile_left}, {tile_top}) do not cover the image")));
    }
    let mut components = Vec::with_capacity(n);
    for c in data[36..].chunks_exact(3) {
        let (bits, signed) = ((c[0] & 0x7f) + 1, c[0] & 0x80 != 0);
        if bits > 38 || c[1] == 0 || c[2] == 0 {
            return Err(bad(format!("a component of {bits} bits, each {} x {} pixels", c[1], c[2])));
        }
        if (c[1], c[2]) != (1, 1) {
            return Err(super::unsupported(
                file,
                &format!("components with fewer pixels than the image ({} x {})", c[1], c[2]),
            ));
        }
        if bits > 16 {
            return Err(super::unsupported(file, &format!("samples of {bits} bits (up to 16 are read)")));
        }
        components.push(Component { bits, signed });
    }
    Ok(Size { image: [left, top, right, bottom], tile: [tile_left, tile_top, cols, rows], components })
}

/// Reads COD.
pub(super) fn parse_coding(data: &[u8]) -> Option<Coding> {
    let (style, parameters) = (*data.first()?, data.get(5..)?);
    let layers = u16_at(data, 2);
    let blocks = code_blocks(style, parameters)?;
    (layers > 0).then_some(Coding { layers, reversible: parameters[4] == 1, blocks })
}

/// Reads COC of an image of so many components.
pub(super) fn parse_other(data: &[u8], components: usize) -> Option<CodeBlocks> {
    let n = if components < 257 { 1 } else { 2 };
    code_blocks(*data.get(n)?, data.get(n + 1..)?)
}

fn code_blocks(style: u8, p: &[u8]) -> Option<CodeBlocks> {
    let &[levels, cols, rows, _, _, ref sizes @ ..] = p else { return None };
    let edge = (cols.checked_add(2)?, rows.checked_add(2)?);
    if levels > 32 || edge.0 > 10 || edge.1 > 10 || edge.0 + edge.1 > 12 {
        return None;
    }
    let precincts = if style & 1 == 0 {
        Vec::new()
    } else {
        sizes.get(..usize::from(levels) + 1)?.iter().map(|b| (b & 15, b >> 4)).collect()
    };
    Some(CodeBlocks { levels, edge, precincts })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// SIZ of one 16-bit component.
    pub(in super::super) fn size_segment(v: [u32; 8], depth: u8) -> Vec<u8> {
        let numbers: Vec<u8> = v.iter().flat_map(|n| n.to_be_bytes()).collect();
        [&[0xff, 0x51, 0, 41, 0, 0], &numbers[..], &[0, 1, depth, 1, 1]].concat()
    }

    /// COD: two layers, `levels` levels, blocks of 64 x 64, reversible.
    pub(in super::super) fn coding_segment(levels: u8) -> Vec<u8> {
        vec![0xff, 0x52, 0, 12, 0, 0, 0, 2, 0, levels, 4, 4, 0, 1]
    }

    fn parse(parts: &[&[u8]]) -> Result<MainHeader> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.j2k");
        let bytes = [&[0xff, 0x4f], &parts.concat()[..]].concat();
        std::fs::write(&path, &bytes).unwrap();
        read(&InputFile::open(&path).unwrap(), (0, bytes.len() as u64))
    }

    #[test]
    fn sizes_and_coding_are_read_and_lists_of_tiles_dropped() {
        let siz = size_segment([110, 60, 10, 0, 64, 32, 0, 0], 0x8b);
        let tlm = [0xff, 0x55, 0, 4, 0, 0];
        let qcd = [0xff, 0x5c, 0, 4, 0x40, 0x40];
        let header = parse(&[&siz, &tlm, &coding_segment(5), &qcd, &[0xff, 0x90, 0, 10]]).unwrap();
        assert_eq!((header.size.image, header.size.tile), ([10, 0, 110, 60], [0, 0, 64, 32]));
        assert_eq!(header.size.components, [Component { bits: 12, signed: true }]);
        assert_eq!((header.coding.layers, header.coding.reversible), (2, true));
        assert_eq!(header.coding.blocks, CodeBlocks { levels: 5, edge: (6, 6), precincts: vec![] });
        assert_eq!(header.segments, [coding_segment(5), qcd.to_vec()].concat());
        assert_eq!(header.end, (2 + siz.len() + 6 + 14 + 6) as u64);
    }

    #[test]
    fn damage_and_limits_are_named() {
        let sot = [0xff, 0x90, 0, 10];
        let refused = |v: [u32; 8], depth: u8| {
            parse(&[&size_segment(v, depth), &coding_segment(5), &sot]).unwrap_err().to_string()
        };
        assert!(refused([100, 60, 0, 0, 0, 32, 0, 0], 15).contains("tiles of 0 x 32"));
        assert!(refused([100, 60, 0, 0, 64, 32, 5, 0], 15).contains("do not cover"));
        assert!(refused([0, 60, 0, 0, 64, 32, 0, 0], 15).contains("reaches from"));
        assert!(refused([u32::MAX, 60, 0, 0, 64, 32, 0, 0], 15).contains("4294967295"));
        assert!(refused([100, 60, 0, 0, 64, 32, 0, 0], 23).contains("not supported: samples of 24 bits"));
        let siz = size_segment([100, 60, 0, 0, 64, 32, 0, 0], 15);
        assert!(parse(&[&siz, &sot]).unwrap_err().message().contains("COD is missing"));
        assert!(parse(&[&siz, &coding_segment(33), &sot]).unwrap_err().message().contains("COD is wrong"));
        assert!(parse(&[&siz, &coding_segment(5)]).unwrap_err().message().contains("does not end"));
        assert!(parse(&[&siz, &[0xff, 0x60, 0, 3, 0], &sot]).unwrap_err().message().contains("PPM"));
        assert!(parse(&[&coding_segment(5), &sot]).unwrap_err().message().contains("SIZ does not come first"));
    }
}
