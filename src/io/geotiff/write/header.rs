//! The bytes before the data: TIFF header, the COG promises, and one directory an image.

/// Values of a tag.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    /// Text; the terminating NUL is added here.
    Ascii(String),
    Short(Vec<u16>),
    Long(Vec<u32>),
    Double(Vec<f64>),
    /// File offsets: 32 bits in classic TIFF, 64 in BigTIFF.
    Offset(Vec<u64>),
}

/// One tag of a directory.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) tag: u16,
    pub(super) values: Values,
}

impl Entry {
    pub(super) fn short(tag: u16, value: u16) -> Self {
        Self { tag, values: Values::Short(vec![value]) }
    }
    pub(super) fn long(tag: u16, value: usize) -> Self {
        // Checked against the limits of the format when the sink is made.
        Self { tag, values: Values::Long(vec![value as u32]) }
    }
    pub(super) fn new(tag: u16, values: Values) -> Self {
        Self { tag, values }
    }
}

impl Values {
    /// TIFF type and number of values.
    fn kind(&self, big: bool) -> (u16, usize) {
        match self {
            Self::Ascii(s) => (2, s.len() + 1),
            Self::Short(v) => (3, v.len()),
            Self::Long(v) => (4, v.len()),
            Self::Double(v) => (12, v.len()),
            Self::Offset(v) => (if big { 16 } else { 4 }, v.len()),
        }
    }

    fn bytes(&self, big: bool) -> Vec<u8> {
        match self {
            Self::Ascii(s) => s.bytes().chain([0]).collect(),
            Self::Short(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Self::Long(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Self::Double(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Self::Offset(v) if big => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            // Only built for files below 4 GiB.
            Self::Offset(v) => v.iter().flat_map(|x| (*x as u32).to_le_bytes()).collect(),
        }
    }
}

/// What a reader may rely on, in the words of GDAL's COG driver: directories first, blocks in the order of their numbers,
/// each between its length and its last four bytes.
fn promises() -> String {
    // The blank at the end lets an editor of the file change NO to YES in place.
    let text = "LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n\
                BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n ";
    format!("GDAL_STRUCTURAL_METADATA_SIZE={:06} bytes\n{text}", text.len())
}

/// The bytes of the header with the directories of `images` in order, each followed by its values. Their length depends on
/// the numbers of values only, so that a first call with offsets of 0 tells where the data may start.
pub(super) fn assemble(images: &[Vec<Entry>], big: bool) -> Vec<u8> {
    let promises = promises();
    let mut out = Vec::new();
    let word = if big { 8 } else { 4 };
    let put = |out: &mut Vec<u8>, v: u64| out.extend_from_slice(&v.to_le_bytes()[..word]);
    out.extend_from_slice(b"II");
    if big {
        out.extend([43_u16, 8, 0].iter().flat_map(|v| v.to_le_bytes()));
    } else {
        out.extend(42_u16.to_le_bytes());
    }
    // Directories begin on even offsets.
    let first = (out.len() + word + promises.len()).next_multiple_of(2);
    put(&mut out, first as u64);
    out.extend_from_slice(promises.as_bytes());
    out.resize(first, 0);

    for (i, image) in images.iter().enumerate() {
        let mut image = image.clone();
        image.sort_by_key(|e| e.tag);
        let (head, entry) = if big { (8, 20) } else { (2, 12) };
        let mut at = out.len() + head + image.len() * entry + word;
        let mut values = Vec::new();
        if big {
            out.extend((image.len() as u64).to_le_bytes());
        } else {
            out.extend((image.len() as u16).to_le_bytes());
        }
        for e in &image {
            let (kind, count) = e.values.kind(big);
            out.extend(e.tag.to_le_bytes());
            out.extend(kind.to_le_bytes());
            put(&mut out, count as u64);
            let mut bytes = e.values.bytes(big);
            if bytes.len() <= word {
                bytes.resize(word, 0);
                out.extend(bytes);
            } else {
                // Values begin on even offsets.
                bytes.resize(bytes.len().next_multiple_of(2), 0);
                put(&mut out, at as u64);
                at += bytes.len();
                values.extend(bytes);
            }
        }
        put(&mut out, if i + 1 < images.len() { at as u64 } else { 0 });
        out.extend(values);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classic_directory_links_values_and_next() {
        let a = vec![Entry::short(257, 7), Entry::new(256, Values::Ascii("abcd".into()))];
        let out = assemble(&[a, vec![Entry::short(258, 8)]], false);
        let u32_at = |at: usize| u32::from_le_bytes(out[at..at + 4].try_into().unwrap()) as usize;
        let u16_at = |at: usize| u16::from_le_bytes(out[at..at + 2].try_into().unwrap());
        let ifd = u32_at(4);
        assert_eq!(&out[8..39], b"GDAL_STRUCTURAL_METADATA_SIZE=0");
        assert_eq!((u16_at(ifd), u16_at(ifd + 2), u16_at(ifd + 14)), (2, 256, 257), "tags are sorted");
        let value = u32_at(ifd + 10);
        assert_eq!(&out[value..value + 6], b"abcd\0\0");
        let next = u32_at(ifd + 2 + 24);
        assert_eq!((next, u16_at(next)), (value + 6, 1));
        assert_eq!(u32_at(next + 2 + 12), 0);
    }

    #[test]
    fn length_depends_on_counts_only() {
        let with = |v: u64| vec![vec![Entry::new(324, Values::Offset(vec![v; 5]))]];
        for big in [false, true] {
            assert_eq!(assemble(&with(0), big).len(), assemble(&with(4_000_000_000), big).len());
        }
    }

    #[test]
    fn the_stated_length_of_the_promises_is_theirs() {
        let p = promises();
        let (head, text) = p.split_once('\n').unwrap();
        let n: usize = head.trim_start_matches("GDAL_STRUCTURAL_METADATA_SIZE=")[..6].parse().unwrap();
        assert_eq!(text.len(), n);
    }
}
