//! Text tables: encoding, separator, quotes, rows of equal length.
//!
//! Our own reader and not the `csv` crate's because a sample table must fail where that one is lenient: an open quote
//! swallows the rest of the file, and lines may end in a lone carriage return.

use crate::error::{Error, Result};

/// Cells of a text table in one buffer.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    text: String,
    /// End of each cell in `text`.
    ends: Vec<usize>,
    /// Line on which each row begins, header excluded.
    pub(super) lines: Vec<u64>,
    /// Cells a row.
    pub(super) width: usize,
}

impl Cells {
    pub(super) fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    pub(super) fn get(&self, row: usize, column: usize) -> &str {
        let k = row * self.width + column;
        let start = if k == 0 { 0 } else { self.ends[k - 1] };
        &self.text[start..self.ends[k]]
    }

    pub(super) fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }
}

/// A parsed table: header, cells, separator and what was passed over.
pub(super) struct Parsed {
    pub(super) header: Vec<String>,
    pub(super) cells: Cells,
    pub(super) separator: char,
    pub(super) notes: Vec<String>,
}

/// Decodes UTF-8, with or without a byte-order mark.
///
/// # Errors
/// Input error that names the encoding found, or line and column of a NUL byte.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String> {
    let utf16 = match bytes.get(..2) {
        Some([0xff, 0xfe]) => Some("UTF-16 (little-endian)"),
        Some([0xfe, 0xff]) => Some("UTF-16 (big-endian)"),
        Some([_, 0]) => Some("UTF-16 without a byte-order mark"),
        Some([0, _]) => Some("UTF-16 without a byte-order mark"),
        _ => None,
    };
    if let Some(name) = utf16 {
        return Err(Error::input(format!("the text is encoded as {name}; save it as UTF-8")));
    }
    let start = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    if let Some(at) = bytes.iter().position(|&b| b == 0) {
        let (line, column) = place(&bytes, at);
        return Err(Error::input(format!("line {line}, character {column}: a NUL byte; the file is damaged")));
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let (line, column) = place(e.as_bytes(), at);
        Error::input(format!(
            "line {line}, character {column}: byte 0x{:02x} is not UTF-8, perhaps the text is Latin-1; save it as UTF-8",
            e.as_bytes()[at]
        ))
    })?;
    Ok(if start == 0 { text } else { text[start..].to_owned() })
}

/// 1-based line and byte column of a position.
fn place(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = &bytes[..at];
    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let column = at - before.iter().rposition(|&b| b == b'\n').map_or(0, |p| p + 1) + 1;
    (line, column)
}

/// Splits a text into header and rows.
///
/// # Errors
/// Input error that names the line of an open quote, a text after a closing quote, or a row of another length.
pub(super) fn parse(text: &str) -> Result<Parsed> {
    let mut notes = Vec::new();
    let (mut rest, mut line) = (text, 1_u64);
    while rest.starts_with('#') {
        notes.push(format!("line {line} begins with # and is passed over as a comment"));
        let end = rest.find(['\n', '\r']).map_or(rest.len(), |p| p + 1);
        rest = rest[end..].strip_prefix('\n').unwrap_or(&rest[end..]);
        line += 1;
    }
    let separator = sniff(rest);
    let mut rows = Rows { rest, line, separator };
    let mut header = Vec::new();
    while header.is_empty() {
        match rows.next(&mut header)? {
            Some(_) if is_blank(&header) => header.clear(),
            Some(_) => {}
            None => return Err(Error::input("there is no header line; the first line must name the columns")),
        }
    }
    let header: Vec<String> = header.iter().map(|h| h.trim().to_owned()).collect();
    let mut cells = Cells::new(header.len());
    let mut row = Vec::new();
    while let Some(line) = rows.next(&mut row)? {
        if is_blank(&row) && (header.len() > 1 || row[0].trim().is_empty()) {
            continue;
        }
        if row.len() != header.len() {
            let first = row.first().map_or("", String::as_str);
            return Err(Error::input(format!(
                "line {line}: {} fields (first {}), but the header has {}",
                row.len(),
                quoted(first),
                header.len()
            )));
        }
        row.iter().for_each(|c| cells.push(c));
        cells.lines.push(line);
    }
    Ok(Parsed { header, cells, separator, notes })
}

fn is_blank(row: &[String]) -> bool {
    row.len() == 1 && row[0].trim().is_empty()
}

/// A cell as messages show it: short and quoted.
pub(super) fn quoted(text: &str) -> String {
    if text.chars().count() > 24 {
        format!("{:?}...", text.chars().take(20).collect::<String>())
    } else {
        format!("{text:?}")
    }
}

/// The separator that occurs most in the header line, outside quotes; a comma where none does.
fn sniff(text: &str) -> char {
    let mut counts = [(';', 0), ('\t', 0), (',', 0)];
    let mut quoted = false;
    for c in text.trim_start_matches(['\n', '\r']).chars() {
        match c {
            '"' => quoted = !quoted,
            '\n' | '\r' if !quoted => break,
            _ if !quoted => counts.iter_mut().filter(|e| e.0 == c).for_each(|e| e.1 += 1),
            _ => {}
        }
    }
    // max_by_key keeps the last of equals: the comma.
    counts.iter().max_by_key(|e| e.1).map_or(',', |e| e.0)
}

struct Rows<'a> {
    rest: &'a str,
    line: u64,
    separator: char,
}

impl Rows<'_> {
    /// The fields of the next row into `out`; returns the line it begins on, or nothing at the end.
    fn next(&mut self, out: &mut Vec<String>) -> Result<Option<u64>> {
        out.clear();
        if self.rest.is_empty() {
            return Ok(None);
        }
        let first_line = self.line;
        loop {
            let field = match self.rest.strip_prefix('"') {
                Some(inside) => self.quoted(inside)?,
                None => {
                    let end = self.rest.find([self.separator, '\n', '\r']).unwrap_or(self.rest.len());
                    let (field, rest) = self.rest.split_at(end);
                    self.rest = rest;
                    field.to_owned()
                }
            };
            out.push(field);
            let mut chars = self.rest.chars();
            match chars.next() {
                Some(c) if c == self.separator => self.rest = chars.as_str(),
                Some('\r') => {
                    self.rest = chars.as_str().strip_prefix('\n').unwrap_or(chars.as_str());
                    break;
                }
                Some('\n') => {
                    self.rest = chars.as_str();
                    break;
                }
                Some(_) => {
                    return Err(Error::input(format!(
                        "line {}, field {}: text after a closing quote; double the quotes inside a field",
                        self.line,
                        out.len()
                    )));
                }
                None => return Ok(Some(first_line)),
            }
        }
        self.line += 1;
        Ok(Some(first_line))
    }

    fn quoted(&mut self, inside: &str) -> Result<String> {
        let (opened, mut rest, mut field) = (self.line, inside, String::new());
        loop {
            let Some(end) = rest.find('"') else {
                return Err(Error::input(format!("line {opened}: a quote is opened and never closed")));
            };
            field.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(after) => {
                    field.push('"');
                    rest = after;
                }
                None => break,
            }
        }
        self.line += field.matches('\n').count() as u64;
        // Borrowed from the same text, so the length tells where to go on.
        self.rest = &self.rest[self.rest.len() - rest.len()..];
        Ok(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Vec<String>> {
        let p = parse(text).unwrap();
        (0..p.cells.lines.len()).map(|r| (0..p.cells.width).map(|c| p.cells.get(r, c).to_owned()).collect()).collect()
    }

    #[test]
    fn quotes_separators_and_line_ends() {
        assert_eq!(rows("a,b\n\"x,\"\"1\"\"\",2\n"), [["x,\"1\"", "2"]]);
        assert_eq!(rows("a;b\r\n1,5;2\r\n\r\n3;4"), [["1,5", "2"], ["3", "4"]]);
        assert_eq!(rows("a\tb\r1\t2\r"), [["1", "2"]]);
        assert_eq!(rows("# survey\na,b\n1,\n"), [["1", ""]]);
    }

    #[test]
    fn lines_are_counted_through_quotes_and_blanks() {
        let p = parse("a,b\n\n\"x\ny\",2\n3,4\n").unwrap();
        assert_eq!(p.cells.lines, [3, 5]);
    }

    #[test]
    fn mistakes_name_their_line() {
        let e = |t: &str| parse(t).err().map(|e| e.to_string()).unwrap();
        assert!(e("a,b\n1,2\n3\n").starts_with("line 3: 1 fields"));
        assert!(e("a,b\n1,\"2\n3,4\n").contains("line 2: a quote is opened"));
        assert!(e("a,b\n1,\"2\"x\n").contains("after a closing quote"));
        assert!(e("\n\n").contains("no header"));
    }

    #[test]
    fn encodings_are_named() {
        let e = |b: &[u8]| decode(b.to_vec()).unwrap_err().to_string();
        assert!(e(b"\xff\xfea\0").contains("UTF-16"));
        assert!(e(b"a,b\nS\xfcd,1").contains("line 2, character 2: byte 0xfc"));
        assert!(e(b"a,b\n1\0,2").contains("line 2, character 2: a NUL"));
        assert_eq!(decode(b"\xef\xbb\xbfid".to_vec()).unwrap(), "id");
    }
}
