//! TIFF and BigTIFF headers and image file directories: bounded, safe against cycles, values read only when asked for.

use std::sync::Arc;

use crate::error::Result;
use crate::io::file::InputFile;

/// More tags than this in a directory are damage: real files have fewer than a hundred.
const MOST_ENTRIES: u64 = 4096;
/// More pages than this are not looked at; overviews and masks come within the first few.
const MOST_PAGES: usize = 10_000;

/// Numbers of the tags that are read.
pub(super) mod tag {
    pub(in super::super) const SUBFILE: u16 = 254;
    pub(in super::super) const WIDTH: u16 = 256;
    pub(in super::super) const LENGTH: u16 = 257;
    pub(in super::super) const BITS: u16 = 258;
    pub(in super::super) const COMPRESSION: u16 = 259;
    pub(in super::super) const PHOTOMETRIC: u16 = 262;
    pub(in super::super) const FILL_ORDER: u16 = 266;
    pub(in super::super) const STRIP_OFFSETS: u16 = 273;
    pub(in super::super) const SAMPLES: u16 = 277;
    pub(in super::super) const ROWS_PER_STRIP: u16 = 278;
    pub(in super::super) const STRIP_COUNTS: u16 = 279;
    pub(in super::super) const PLANAR: u16 = 284;
    pub(in super::super) const PREDICTOR: u16 = 317;
    pub(in super::super) const COLOUR_MAP: u16 = 320;
    pub(in super::super) const TILE_WIDTH: u16 = 322;
    pub(in super::super) const TILE_LENGTH: u16 = 323;
    pub(in super::super) const TILE_OFFSETS: u16 = 324;
    pub(in super::super) const TILE_COUNTS: u16 = 325;
    pub(in super::super) const EXTRA_SAMPLES: u16 = 338;
    pub(in super::super) const SAMPLE_FORMAT: u16 = 339;
    pub(in super::super) const JPEG_TABLES: u16 = 347;
    pub(in super::super) const PIXEL_SCALE: u16 = 33550;
    pub(in super::super) const TIE_POINTS: u16 = 33922;
    pub(in super::super) const TRANSFORMATION: u16 = 34264;
    pub(in super::super) const GEO_KEYS: u16 = 34735;
    pub(in super::super) const GEO_DOUBLES: u16 = 34736;
    pub(in super::super) const GEO_ASCII: u16 = 34737;
    pub(in super::super) const GDAL_METADATA: u16 = 42112;
    pub(in super::super) const GDAL_NODATA: u16 = 42113;
}

/// Byte order of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// `II`.
    Little,
    /// `MM`.
    Big,
}

impl Order {
    pub(super) fn u16(self, b: &[u8]) -> u16 {
        let a = first(b);
        if self == Self::Little { u16::from_le_bytes(a) } else { u16::from_be_bytes(a) }
    }
    pub(super) fn u32(self, b: &[u8]) -> u32 {
        let a = first(b);
        if self == Self::Little { u32::from_le_bytes(a) } else { u32::from_be_bytes(a) }
    }
    pub(super) fn u64(self, b: &[u8]) -> u64 {
        let a = first(b);
        if self == Self::Little { u64::from_le_bytes(a) } else { u64::from_be_bytes(a) }
    }
}

/// The first `N` bytes; missing ones are zero, which callers rule out by reading whole fields.
fn first<const N: usize>(b: &[u8]) -> [u8; N] {
    let mut a = [0; N];
    a.iter_mut().zip(b).for_each(|(d, s)| *d = *s);
    a
}

/// A tag: its type, how many values, and where in the file they start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) tag: u16,
    pub(super) kind: u16,
    pub(super) count: u64,
    pub(super) at: u64,
}

impl Entry {
    /// Bytes of one value; nothing for types the standard does not know.
    pub(super) fn width(&self) -> Option<u64> {
        Some(match self.kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16 | 17 | 18 => 8,
            _ => return None,
        })
    }
}

/// One image file directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Ifd {
    /// Byte of the file it starts at.
    pub(super) at: u64,
    entries: Vec<Entry>,
    next: u64,
    /// Tags that occur twice; the first counts.
    pub(super) repeated: Vec<u16>,
}

impl Ifd {
    /// The entry of a tag.
    pub(super) fn get(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|e| e.tag == tag)
    }
}

/// An open TIFF: byte order, offset width, and its directories on demand.
#[derive(Clone)]
pub(super) struct Tiff {
    pub(super) file: Arc<InputFile>,
    pub(super) order: Order,
    pub(super) big: bool,
    first: u64,
}

impl Tiff {
    /// Reads the header.
    ///
    /// # Errors
    /// What the header says wrong; a first directory at 0 is a torn write.
    pub(super) fn open(file: Arc<InputFile>) -> Result<Self> {
        let mut head = [0; 16];
        let n = file.len().min(16) as usize;
        file.read_at(&mut head[..n], 0, "TIFF header")?;
        let order = match &head[..2] {
            b"II" => Order::Little,
            b"MM" => Order::Big,
            _ => return Err(file.bad("not a TIFF (no II or MM at the start)")),
        };
        let (big, first) = match order.u16(&head[2..]) {
            42 if n >= 8 => (false, u64::from(order.u32(&head[4..]))),
            43 if n >= 16 && order.u16(&head[4..]) == 8 && order.u16(&head[6..]) == 0 => (true, order.u64(&head[8..])),
            43 => return Err(file.bad("damaged BigTIFF header (offset size is not 8)")),
            42 => return Err(file.bad("TIFF header is cut short")),
            other => return Err(file.bad(format!("TIFF version is {other}, expected 42 or 43; the header is damaged"))),
        };
        if first == 0 {
            return Err(file.bad(
                "the file is incomplete: no directory was written (first offset 0), as a killed writer leaves it; make \
                 it again",
            ));
        }
        if first < if big { 16 } else { 8 } {
            return Err(
                file.bad(format!("the first directory is at byte {first}, inside the header; the file is damaged"))
            );
        }
        Ok(Self { file, order, big, first })
    }

    /// The first directory, which is the image.
    ///
    /// # Errors
    /// As [`Tiff::ifd`].
    pub(super) fn main(&self) -> Result<Ifd> {
        self.ifd(self.first)
    }

    /// The directories after `main`. Damage in the chain ends the list and is told as a warning, since the image itself
    /// does not need them.
    pub(super) fn others(&self, main: &Ifd) -> (Vec<Ifd>, Option<String>) {
        let mut seen = std::collections::HashSet::from([self.first]);
        let mut found = Vec::new();
        let mut next = main.next;
        while next != 0 {
            if !seen.insert(next) {
                return (found, Some(format!("the chain of pages loops back to byte {next}; later pages are ignored")));
            }
            if seen.len() > MOST_PAGES {
                return (found, Some(format!("the file has over {MOST_PAGES} pages; later ones are ignored")));
            }
            match self.ifd(next) {
                Ok(ifd) => {
                    next = ifd.next;
                    found.push(ifd);
                }
                Err(_) => {
                    return (found, Some(format!("the page at byte {next} cannot be read; later pages are ignored")));
                }
            }
        }
        (found, None)
    }

    /// The directory at `at`.
    ///
    /// # Errors
    /// Where it is empty, implausible or outside the file.
    pub(super) fn ifd(&self, at: u64) -> Result<Ifd> {
        let (count_width, entry_width, next_width) = if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let mut buf = [0; 8];
        self.file.read_at(&mut buf[..count_width], at, "TIFF directory")?;
        let count = if self.big { self.order.u64(&buf) } else { u64::from(self.order.u16(&buf)) };
        if count == 0 || count > MOST_ENTRIES {
            return Err(self.file.bad(format!(
                "the directory at byte {at} says {count} tags (1 to {MOST_ENTRIES} are plausible); the file is damaged"
            )));
        }
        let bytes = count as usize * entry_width + next_width;
        let start = at + count_width as u64;
        self.file.check_range(start, bytes as u64, "TIFF directory")?;
        let mut data = vec![0; bytes];
        self.file.read_at(&mut data, start, "TIFF directory")?;
        let mut ifd = Ifd { at, ..Ifd::default() };
        for i in 0..count as usize {
            let field = &data[i * entry_width..(i + 1) * entry_width];
            let entry = self.entry(field, start + (i * entry_width) as u64);
            if ifd.get(entry.tag).is_some() {
                ifd.repeated.push(entry.tag);
            } else {
                ifd.entries.push(entry);
            }
        }
        let tail = &data[count as usize * entry_width..];
        ifd.next = if self.big { self.order.u64(tail) } else { u64::from(self.order.u32(tail)) };
        Ok(ifd)
    }

    fn entry(&self, field: &[u8], at: u64) -> Entry {
        let (value, inline) = if self.big { (12, 8) } else { (8, 4) };
        let count = if self.big { self.order.u64(&field[4..]) } else { u64::from(self.order.u32(&field[4..])) };
        let mut entry =
            Entry { tag: self.order.u16(field), kind: self.order.u16(&field[2..]), count, at: at + value as u64 };
        let bytes = entry.width().and_then(|w| w.checked_mul(count));
        if bytes.is_none_or(|b| b > inline) {
            let tail = &field[value..];
            entry.at = if self.big { self.order.u64(tail) } else { u64::from(self.order.u32(tail)) };
        }
        entry
    }

    /// The bytes of an entry of at most `most` values.
    ///
    /// # Errors
    /// Unknown type, too many values, or values outside the file.
    pub(super) fn bytes(&self, entry: &Entry, most: u64) -> Result<Vec<u8>> {
        let what = format!("TIFF tag {}", entry.tag);
        let width = entry
            .width()
            .ok_or_else(|| self.file.bad(format!("{what} has the unknown type {}; the file is damaged", entry.kind)))?;
        if entry.count > most {
            return Err(self.file.bad(format!("{what} says {} values, at most {most} are plausible", entry.count)));
        }
        self.file.check_range(entry.at, entry.count * width, &what)?;
        let mut data = vec![0; (entry.count * width) as usize];
        self.file.read_at(&mut data, entry.at, &what)?;
        Ok(data)
    }

    /// Unsigned integers of a tag.
    ///
    /// # Errors
    /// As [`Tiff::bytes`], and any other type.
    pub(super) fn integers(&self, entry: &Entry, most: u64) -> Result<Vec<u64>> {
        if !matches!(entry.kind, 1 | 3 | 4 | 13 | 16 | 18) {
            return Err(self.file.bad(format!(
                "TIFF tag {} has type {}, expected an unsigned integer; the file is damaged",
                entry.tag, entry.kind
            )));
        }
        let data = self.bytes(entry, most)?;
        let width = entry.width().unwrap_or(1) as usize;
        Ok(data.chunks_exact(width).map(|b| self.integer(b)).collect())
    }

    /// One unsigned integer of 1, 2, 4 or 8 bytes.
    pub(super) fn integer(&self, b: &[u8]) -> u64 {
        match b.len() {
            1 => u64::from(b[0]),
            2 => u64::from(self.order.u16(b)),
            4 => u64::from(self.order.u32(b)),
            _ => self.order.u64(b),
        }
    }

    /// The single unsigned integer of a tag of `ifd`, where the tag is there.
    ///
    /// # Errors
    /// As [`Tiff::integers`], and a tag without value.
    pub(super) fn scalar(&self, ifd: &Ifd, tag: u16) -> Result<Option<u64>> {
        let Some(entry) = ifd.get(tag) else { return Ok(None) };
        let values = self.integers(entry, 65_535)?;
        match values.first() {
            Some(v) => Ok(Some(*v)),
            None => Err(self.file.bad(format!("TIFF tag {tag} has no value; the file is damaged"))),
        }
    }

    /// Floating-point values of a tag.
    ///
    /// # Errors
    /// As [`Tiff::bytes`], and any type but FLOAT and DOUBLE.
    pub(super) fn floats(&self, entry: &Entry, most: u64) -> Result<Vec<f64>> {
        let data = self.bytes(entry, most)?;
        match entry.kind {
            11 => Ok(data.chunks_exact(4).map(|b| f64::from(f32::from_bits(self.order.u32(b)))).collect()),
            12 => Ok(data.chunks_exact(8).map(|b| f64::from_bits(self.order.u64(b))).collect()),
            other => Err(self.file.bad(format!("TIFF tag {} has type {other}, expected a float", entry.tag))),
        }
    }

    /// Text of a tag, up to its first NUL.
    ///
    /// # Errors
    /// As [`Tiff::bytes`].
    pub(super) fn text(&self, entry: &Entry, most: u64) -> Result<String> {
        let data = self.bytes(entry, most)?;
        let end = data.iter().position(|b| *b == 0).unwrap_or(data.len());
        Ok(String::from_utf8_lossy(&data[..end]).into_owned())
    }
}
