//! The boxes of a JP2 file (ISO/IEC 15444-1 annex I): where the codestream is, and what is said about the image around it.

use crate::error::Result;
use crate::io::file::InputFile;

/// Boxes at one level beyond this are taken for damage.
const MOST_BOXES: usize = 10_000;
/// Association boxes are followed this deep.
const MOST_NESTED: usize = 8;
/// Longest box whose content is read.
const MOST_BYTES: u64 = 4 << 20;
/// First bytes of a codestream that stands alone: SOC and SIZ.
const BARE: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];
/// UUID of the box that holds a degenerate GeoTIFF.
const GEO_UUID: [u8; 16] =
    [0xb1, 0x4b, 0xf8, 0xbd, 0x08, 0x3d, 0x4b, 0x43, 0xa5, 0xae, 0x8c, 0xd7, 0xd5, 0xa6, 0xce, 0x03];

/// A run of bytes of the file: start and length.
pub(super) type Span = (u64, u64);

/// What the boxes say.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Boxes {
    /// The codestream.
    pub(super) codestream: Span,
    /// Columns and rows by the image header box; a bare codestream has none.
    pub(super) size: Option<(u32, u32)>,
    /// Enumerated colour space.
    pub(super) colours: Option<u32>,
    /// Colours of a palette, which the samples are indices of.
    pub(super) palette: Option<Vec<[u8; 3]>>,
    /// Component that says how opaque a pixel is.
    pub(super) alpha: Option<usize>,
    /// A GeoTIFF without pixels that carries the georeference.
    pub(super) geotiff: Option<Span>,
    /// The GML document that places the image.
    pub(super) gml: Option<String>,
}

/// One box: its type and content.
struct Found {
    kind: [u8; 4],
    content: Span,
}

/// Reads the boxes, or takes the whole file for a codestream where it starts as one.
///
/// # Errors
/// Boxes that do not fit into the file, no codestream, and features that are not supported, by name.
pub(super) fn read(file: &InputFile) -> Result<Boxes> {
    let mut head = [0; 4];
    file.read_at(&mut head, 0, "first bytes")?;
    let mut found = Boxes::default();
    if head == BARE {
        found.codestream = (0, file.len());
        return Ok(found);
    }
    let mut stream = None;
    for b in children(file, (0, file.len()))? {
        match &b.kind {
            b"jp2h" => header(file, b.content, &mut found)?,
            b"jp2c" => stream = stream.or(Some(b.content)),
            b"uuid" if found.geotiff.is_none() && b.content.1 > 16 => {
                let mut id = [0; 16];
                file.read_at(&mut id, b.content.0, "UUID box")?;
                if id == GEO_UUID {
                    found.geotiff = Some((b.content.0 + 16, b.content.1 - 16));
                }
            }
            b"asoc" if found.gml.is_none() => found.gml = gml(file, b.content, 0)?,
            _ => {}
        }
    }
    found.codestream = stream
        .ok_or_else(|| file.bad("the JPEG 2000 file has no codestream (box jp2c); it is damaged or cut short"))?;
    Ok(found)
}

/// The boxes inside a span.
fn children(file: &InputFile, (start, len): Span) -> Result<Vec<Found>> {
    let end = start + len;
    let mut at = start;
    let mut found = Vec::new();
    while end - at >= 8 {
        let mut field = [0; 16];
        file.read_at(&mut field[..8], at, "box header")?;
        let kind = [field[4], field[5], field[6], field[7]];
        let (head, bytes) = match u64::from(u32_at(&field, 0)) {
            0 => (8, end - at),
            1 => {
                file.read_at(&mut field[8..], at + 8, "box header")?;
                (16, u64::from(u32_at(&field, 8)) << 32 | u64::from(u32_at(&field, 12)))
            }
            n => (8, n),
        };
        let name = String::from_utf8_lossy(&kind).escape_default().to_string();
        if bytes < head || bytes > end - at {
            return Err(file.bad(format!(
                "box {name} at byte {at} says {bytes} bytes, {} are left; the file is damaged or cut short, fetch it again",
                end - at
            )));
        }
        found.push(Found { kind, content: (at + head, bytes - head) });
        if found.len() > MOST_BOXES {
            return Err(file.bad(format!("the file has over {MOST_BOXES} boxes; it is damaged")));
        }
        at += bytes;
    }
    Ok(found)
}

/// The content of a box.
fn content(file: &InputFile, (start, len): Span, what: &str) -> Result<Vec<u8>> {
    if len > MOST_BYTES {
        return Err(
            file.bad(format!("the {what} box says {len} bytes, at most {MOST_BYTES} are plausible; it is damaged"))
        );
    }
    let mut data = vec![0; len as usize];
    file.read_at(&mut data, start, what)?;
    Ok(data)
}

fn header(file: &InputFile, span: Span, found: &mut Boxes) -> Result<()> {
    let mut columns = 0;
    for b in children(file, span)? {
        if !matches!(&b.kind, b"ihdr" | b"colr" | b"pclr" | b"cmap" | b"cdef") {
            continue;
        }
        let data = content(file, b.content, "image header")?;
        match &b.kind {
            b"ihdr" if data.len() >= 14 => found.size = Some((u32_at(&data, 4), u32_at(&data, 0))),
            b"ihdr" => return Err(file.bad("the image header box is cut short; the file is damaged")),
            b"colr" if data.len() >= 7 && data[0] == 1 && found.colours.is_none() => {
                found.colours = Some(u32_at(&data, 3));
            }
            b"pclr" => {
                let (colours, n) = palette(&data)
                    .ok_or_else(|| super::unsupported(file, "a palette other than three or four columns of 8 bits"))?;
                (found.palette, columns) = (Some(colours), n);
            }
            // Each entry of four bytes: component, how it is mapped, column of the palette.
            b"cmap" if data.chunks_exact(4).any(|e| u16_at(e, 0) != 0) || data.len() != columns * 4 => {
                return Err(super::unsupported(file, "a palette that maps several components"));
            }
            b"cdef" => found.alpha = alpha(&data),
            _ => {}
        }
    }
    Ok(())
}

/// Colours and number of columns of a palette box.
fn palette(data: &[u8]) -> Option<(Vec<[u8; 3]>, usize)> {
    let (entries, columns) = (usize::from(u16_at(data.get(..2)?, 0)), usize::from(*data.get(2)?));
    let depths = data.get(3..3 + columns)?;
    if !(3..=4).contains(&columns) || depths.iter().any(|d| *d != 7) || entries > 256 {
        return None;
    }
    let table = data.get(3 + columns..3 + columns + entries * columns)?;
    Some((table.chunks_exact(columns).map(|c| [c[0], c[1], c[2]]).collect(), columns))
}

/// Component that the channel definitions call opacity of the whole image.
fn alpha(data: &[u8]) -> Option<usize> {
    let entries = data.get(2..)?.chunks_exact(6);
    entries.map(|e| (u16_at(e, 0), u16_at(e, 2))).find(|(_, kind)| matches!(kind, 1 | 2)).map(|(c, _)| usize::from(c))
}

/// The GML root instance among the labelled boxes of an association (OGC 05-047r3).
fn gml(file: &InputFile, span: Span, depth: usize) -> Result<Option<String>> {
    let mut labelled = false;
    for b in children(file, span)? {
        match &b.kind {
            b"lbl " => labelled = content(file, b.content, "label")?.starts_with(b"gml.root-instance"),
            b"xml " if labelled => {
                let text = content(file, b.content, "GML")?;
                return Ok(Some(String::from_utf8_lossy(&text).trim_matches(['\0', '\u{feff}']).to_owned()));
            }
            b"asoc" if depth < MOST_NESTED => {
                if let Some(text) = gml(file, b.content, depth + 1)? {
                    return Ok(Some(text));
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

/// The big-endian number at `at`; the bytes must be there.
pub(super) fn u16_at(b: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([b[at], b[at + 1]])
}

/// The big-endian number at `at`; the bytes must be there.
pub(super) fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes(), kind, content].concat()
    }

    fn read_bytes(bytes: &[u8]) -> Result<Boxes> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jp2");
        std::fs::write(&path, bytes).unwrap();
        read(&InputFile::open(&path).unwrap())
    }

    #[test]
    fn header_palette_alpha_and_gml_are_found() {
        let ihdr = boxed(b"ihdr", &[0, 0, 0, 9, 0, 0, 1, 0, 0, 1, 7, 7, 0, 0]);
        let pclr = boxed(b"pclr", &[0, 2, 3, 7, 7, 7, 1, 2, 3, 4, 5, 6]);
        let cmap = boxed(b"cmap", &[0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 2]);
        let cdef = boxed(b"cdef", &[0, 2, 0, 0, 0, 0, 0, 1, 0, 3, 0, 1, 0, 0]);
        let jp2h = boxed(b"jp2h", &[ihdr, pclr, cmap, cdef, boxed(b"colr", &[1, 0, 0, 0, 0, 0, 17])].concat());
        let inner = boxed(b"asoc", &[boxed(b"lbl ", b"gml.root-instance"), boxed(b"xml ", b"<a/>\0")].concat());
        let asoc = boxed(b"asoc", &[boxed(b"lbl ", b"gml.data"), inner].concat());
        let file = [boxed(b"jP  ", b"\r\n\x87\n"), jp2h, asoc, boxed(b"jp2c", &[1, 2, 3])].concat();
        let found = read_bytes(&file).unwrap();
        assert_eq!((found.size, found.colours, found.alpha), (Some((256, 9)), Some(17), Some(3)));
        assert_eq!(found.palette, Some(vec![[1, 2, 3], [4, 5, 6]]));
        assert_eq!(found.gml.as_deref(), Some("<a/>"));
        assert_eq!(found.codestream, (file.len() as u64 - 3, 3));
    }

    #[test]
    fn sizes_of_boxes_are_checked() {
        // 0 reaches to the end, 1 announces a 64-bit size.
        let found = read_bytes(b"\0\0\0\0jp2cABC").unwrap();
        assert_eq!(found.codestream, (8, 3));
        let long = [&1u32.to_be_bytes()[..], b"jp2c", &19u64.to_be_bytes(), b"ABC"].concat();
        assert_eq!(read_bytes(&long).unwrap().codestream, (16, 3));
        let e = read_bytes(b"\0\0\0\x40jp2cABC").unwrap_err().to_string();
        assert!(e.contains("jp2c at byte 0 says 64 bytes, 11 are left"), "{e}");
        assert!(read_bytes(b"\0\0\0\x04free1234").unwrap_err().message().contains("says 4 bytes"));
        assert!(read_bytes(&boxed(b"free", b"x")).unwrap_err().message().contains("no codestream"));
        let e = read_bytes(&boxed(b"jp2h", &boxed(b"pclr", &[0, 1, 1, 15, 0, 0]))).unwrap_err();
        assert!(e.message().contains("not supported: a palette"), "{e}");
    }
}
