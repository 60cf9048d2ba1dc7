//! A TOML document whose every value knows its file, line and key, so that an error can name them.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Kind, Result};

/// Largest project or standards file that is read; a written one is a few kilobytes.
const LIMIT_BYTES: u64 = 4 << 20;

/// The text of a file and where its lines begin.
pub struct Document {
    /// Path as the user gave it.
    pub path: PathBuf,
    text: String,
}

/// The line (from 1) of a byte position.
fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1
}

impl Document {
    /// Reads a file that must be UTF-8 text; a byte-order mark is allowed.
    ///
    /// # Errors
    /// Missing, unreadable, too large, or not UTF-8 (the line of the first bad byte is named).
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let meta = std::fs::metadata(path).map_err(|e| Error::from_io(&format!("reading {name}"), &e))?;
        if !meta.is_file() {
            return Err(Error::input(format!("reading {name}: not a regular file; name a TOML file")));
        }
        if meta.len() > LIMIT_BYTES {
            return Err(Error::limit(format!(
                "reading {name}: found {} bytes, expected at most {LIMIT_BYTES}; a project file is not data",
                meta.len()
            )));
        }
        let bytes = std::fs::read(path).map_err(|e| Error::from_io(&format!("reading {name}"), &e))?;
        Self::from_bytes(path, &bytes)
    }

    /// The same from bytes already read.
    ///
    /// # Errors
    /// As [`Document::read`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let name = path.display();
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err(Error::input(format!("{name}:1: found UTF-16 text, expected UTF-8; save the file as UTF-8")));
        }
        let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(e) => {
                let line = bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
                return Err(Error::input(format!(
                    "{name}:{line}: found a byte that is not UTF-8 text; save the file as UTF-8"
                )));
            }
        };
        if let Some(at) = text.find('\0') {
            let line = line_of(text, at);
            return Err(Error::input(format!(
                "{name}:{line}: found a NUL byte, expected text; remove it or save the file again"
            )));
        }
        Ok(Self { path: path.to_path_buf(), text: text.to_owned() })
    }

    /// Parses the text.
    ///
    /// # Errors
    /// Usage error with the line of the first syntax error.
    pub fn parse(&self) -> Result<Spanned<DeTable<'_>>> {
        if self.text.trim().is_empty() {
            return Err(Error::usage(format!(
                "{}:1: the file is empty, expected a [project] table; see the example in the README",
                self.path.display()
            )));
        }
        DeTable::parse(&self.text).map_err(|e| {
            let line = e.span().map_or(1, |s| line_of(&self.text, s.start));
            let what = e.message().split_whitespace().collect::<Vec<_>>().join(" ");
            let shown = self.line_text(line);
            Error::usage(format!(
                "{}:{line}: not valid TOML at {shown:?}: {what}; correct this line",
                self.path.display()
            ))
        })
    }

    /// The root of a parsed document.
    #[must_use]
    pub fn root<'a>(&'a self, table: &'a Spanned<DeTable<'a>>) -> Fields<'a> {
        Fields { doc: self, path: String::new(), table: table.get_ref(), at: 0, known: Vec::new() }
    }

    fn line_text(&self, line: usize) -> String {
        let text = self.text.lines().nth(line - 1).unwrap_or("").trim();
        text.chars().take(60).collect()
    }

    fn fail(&self, kind: Kind, at: usize, key: &str, what: &str) -> Error {
        Error::new(kind, format!("{}:{}: {key}: {what}", self.path.display(), line_of(&self.text, at)))
    }
}

/// A value with its key and place.
#[derive(Clone)]
pub struct Node<'a> {
    doc: &'a Document,
    /// Dotted key (`products.bare.min_area`).
    pub key: String,
    value: &'a Spanned<DeValue<'a>>,
}

/// What a value is, for "found".
fn described(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(s) => format!("text {:?}", s.chars().take(60).collect::<String>()),
        DeValue::Integer(i) => format!("whole number {}", i.as_str().chars().take(40).collect::<String>()),
        DeValue::Float(f) => format!("number {}", f.as_str().chars().take(40).collect::<String>()),
        DeValue::Boolean(b) => format!("{b}"),
        DeValue::Datetime(d) => format!("date {d}"),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

impl<'a> Node<'a> {
    /// A usage error at this value: `file:line: key: what`.
    #[must_use]
    pub fn fail(&self, what: &str) -> Error {
        self.fail_as(Kind::Usage, what)
    }
    /// The same of another kind.
    #[must_use]
    pub fn fail_as(&self, kind: Kind, what: &str) -> Error {
        self.doc.fail(kind, self.value.span().start, &self.key, what)
    }
    /// An error of something the value names, told with this value's place.
    #[must_use]
    pub fn wrap(&self, error: &Error) -> Error {
        self.fail_as(error.kind(), error.message())
    }
    /// `file:line: key`, for warnings.
    #[must_use]
    pub fn place(&self) -> String {
        let line = line_of(&self.doc.text, self.value.span().start);
        format!("{}:{line}: {}", self.doc.path.display(), self.key)
    }
    fn expected(&self, what: &str) -> Error {
        self.fail(&format!("found {}, expected {what}", described(self.value.get_ref())))
    }

    /// Text; control characters are refused, since names become messages, titles and paths.
    ///
    /// # Errors
    /// Wrong type or control characters.
    pub fn text(&self) -> Result<&'a str> {
        let DeValue::String(s) = self.value.get_ref() else { return Err(self.expected("text in quotes")) };
        if s.chars().any(char::is_control) {
            return Err(self.expected("text without control characters"));
        }
        Ok(s)
    }
    /// A path, taken relative to the document's folder.
    ///
    /// # Errors
    /// As [`Node::text`]; empty.
    pub fn path(&self) -> Result<PathBuf> {
        let text = self.text()?;
        if text.is_empty() {
            return Err(self.expected("a path"));
        }
        // Components leave out the dots that say nothing (`out/./report.html`).
        Ok(self.doc.path.parent().unwrap_or(Path::new("")).join(text).components().collect())
    }
    /// A path of something that must be there.
    ///
    /// # Errors
    /// Input error that names the missing file.
    pub fn existing(&self) -> Result<PathBuf> {
        let path = self.path()?;
        match std::fs::metadata(&path) {
            Ok(_) => Ok(path),
            Err(e) => Err(self.fail_as(
                Kind::Input,
                &format!("{} cannot be read ({e}); paths are relative to the project file", path.display()),
            )),
        }
    }
    /// A finite number.
    ///
    /// # Errors
    /// Wrong type; nan or inf.
    pub fn number(&self) -> Result<f64> {
        let value: Option<f64> = match self.value.get_ref() {
            DeValue::Integer(_) => Some(self.integer()? as f64),
            DeValue::Float(f) => f.as_str().parse().ok(),
            _ => None,
        };
        value.filter(|v| v.is_finite()).ok_or_else(|| self.expected("a finite number"))
    }
    /// A number in a range.
    ///
    /// # Errors
    /// Wrong type or outside; `what` says what is allowed.
    pub fn number_where(&self, what: &str, good: impl Fn(f64) -> bool) -> Result<f64> {
        let value = self.number().map_err(|_| self.expected(what))?;
        if good(value) { Ok(value) } else { Err(self.expected(what)) }
    }
    /// A whole number.
    ///
    /// # Errors
    /// Wrong type; more than 64 bits.
    pub fn integer(&self) -> Result<i64> {
        let DeValue::Integer(i) = self.value.get_ref() else { return Err(self.expected("a whole number")) };
        i64::from_str_radix(i.as_str(), i.radix()).map_err(|_| self.expected("a whole number of at most 64 bits"))
    }
    /// True or false.
    ///
    /// # Errors
    /// Wrong type.
    pub fn boolean(&self) -> Result<bool> {
        let DeValue::Boolean(b) = self.value.get_ref() else { return Err(self.expected("true or false")) };
        Ok(*b)
    }
    /// The items of a list.
    ///
    /// # Errors
    /// Wrong type.
    pub fn list(&self) -> Result<Vec<Self>> {
        let DeValue::Array(items) = self.value.get_ref() else { return Err(self.expected("a list in [ ]")) };
        let node = |(i, value)| Self { doc: self.doc, key: format!("{}[{}]", self.key, i + 1), value };
        Ok(items.iter().enumerate().map(node).collect())
    }
    /// A table.
    ///
    /// # Errors
    /// Wrong type.
    pub fn table(&self) -> Result<Fields<'a>> {
        let DeValue::Table(table) = self.value.get_ref() else { return Err(self.expected("a table in { }")) };
        let at = self.value.span().start;
        Ok(Fields { doc: self.doc, path: self.key.clone(), table, at, known: Vec::new() })
    }
    /// True where the value is text.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.value.get_ref().is_str()
    }
    /// True where the value is a whole number.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.value.get_ref().is_integer()
    }

    /// A calendar date as `YYYY-MM-DD`, and a warning where a time without a zone was taken as UTC.
    ///
    /// # Errors
    /// Not a date, or one the calendar does not have.
    pub fn date(&self) -> Result<(String, Option<String>)> {
        let bad = || self.expected("a date YYYY-MM-DD without quotes, such as 2021-06-30");
        let (text, note) = match self.value.get_ref() {
            DeValue::Datetime(d) => {
                let date = d.date.ok_or_else(bad)?;
                let day = format!("{:04}-{:02}-{:02}", date.year, date.month, date.day);
                let note = match (d.time, d.offset) {
                    (Some(_), None) => Some(format!("{}: a time without a zone is taken as UTC: {d}", self.place())),
                    (Some(_), Some(_)) => {
                        let stamp: jiff::Timestamp = d.to_string().parse().map_err(|_| bad())?;
                        let utc = stamp.to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
                        return Ok((utc, None));
                    }
                    _ => None,
                };
                (day, note)
            }
            DeValue::String(s) => (s.to_string(), None),
            _ => return Err(bad()),
        };
        let strict = text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok();
        if strict { Ok((text, note)) } else { Err(bad()) }
    }
}

/// The keys of a table, remembered as they are asked for, so that what nobody asked for is an error.
pub struct Fields<'a> {
    doc: &'a Document,
    path: String,
    table: &'a DeTable<'a>,
    at: usize,
    known: Vec<String>,
}

impl<'a> Fields<'a> {
    fn dotted(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
    /// The value of a key.
    pub fn get(&mut self, key: &str) -> Option<Node<'a>> {
        self.known.push(key.to_owned());
        self.table.get(key).map(|value| Node { doc: self.doc, key: self.dotted(key), value })
    }
    /// The value of a key that must be there.
    ///
    /// # Errors
    /// Usage error that says what to write.
    pub fn need(&mut self, key: &str, example: &str) -> Result<Node<'a>> {
        self.get(key).ok_or_else(|| self.fail(&format!("key {key:?} is missing; write {example}")))
    }
    /// Every key with its value, for tables whose keys are data (band roles).
    #[must_use]
    pub fn all(&self) -> Vec<(String, Node<'a>)> {
        let node = |(k, value): (&'a Spanned<_>, _)| {
            let name: &std::borrow::Cow<'_, str> = k.get_ref();
            (name.to_string(), Node { doc: self.doc, key: self.dotted(name), value })
        };
        self.table.iter().map(node).collect()
    }
    /// A usage error at the table.
    #[must_use]
    pub fn fail(&self, what: &str) -> Error {
        let key = if self.path.is_empty() { "project file" } else { &self.path };
        self.doc.fail(Kind::Usage, self.at, key, what)
    }
    /// Ends the reading of a table: keys nobody asked for are errors that name the nearest known one.
    ///
    /// # Errors
    /// The first unknown key.
    pub fn finish(self) -> Result<()> {
        for (key, _) in self.table.iter() {
            let name: &str = key.get_ref();
            if self.known.iter().any(|k| k == name) {
                continue;
            }
            let hint = match nearest(name, self.known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("known keys: {}", self.known.join(", ")),
            };
            return Err(self.doc.fail(
                Kind::Usage,
                key.span().start,
                &self.dotted(name),
                &format!("unknown key; {hint}"),
            ));
        }
        Ok(())
    }
}

/// The candidate most like `text`, where one is like enough to be a misspelling of it.
#[must_use]
pub fn nearest<'n>(text: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&c.to_lowercase(), &text.to_lowercase()), c))
        .min()
        .filter(|(distance, c)| *distance <= 1 + c.chars().count() / 4)
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Document {
        Document::from_bytes(Path::new("p.toml"), text.as_bytes()).unwrap()
    }

    #[test]
    fn every_error_names_file_line_and_key() {
        let doc = read("a = 1\n[t]\nb = \"x\"\nc = 2021-06-31T00:00:00Z\n");
        assert!(doc.parse().unwrap_err().to_string().starts_with("p.toml:4:"));
        let doc = read("a = 1\n[t]\nb = \"x\"\n");
        let table = doc.parse().unwrap();
        let mut root = doc.root(&table);
        let mut t = root.get("t").unwrap().table().unwrap();
        let e = t.get("b").unwrap().number().unwrap_err().to_string();
        assert_eq!(e, "p.toml:3: t.b: found text \"x\", expected a finite number");
        let e = root.finish().unwrap_err().to_string();
        assert!(e.starts_with("p.toml:1: a: unknown key"), "{e}");
    }

    #[test]
    fn dates_are_calendar_dates() {
        let doc =
            read("a = \"06/01/2021\"\nb = 2021-06-01T23:30:00\nc = 2021-06-01T23:30:00-05:00\nd = \"2021-02-29\"");
        let table = doc.parse().unwrap();
        let mut root = doc.root(&table);
        assert!(root.get("a").unwrap().date().is_err());
        let (day, note) = root.get("b").unwrap().date().unwrap();
        assert_eq!(day, "2021-06-01");
        assert!(note.unwrap().contains("p.toml:2: b"));
        // Half past eleven in the evening five hours west of Greenwich is the next day in UTC.
        assert_eq!(root.get("c").unwrap().date().unwrap().0, "2021-06-02");
        assert!(root.get("d").unwrap().date().is_err());
    }

    #[test]
    fn integers_past_64_bits_and_deep_nesting_are_errors() {
        let doc = read("a = 99999999999999999999");
        let table = doc.parse().unwrap();
        assert!(doc.root(&table).get("a").unwrap().integer().unwrap_err().to_string().contains("64 bits"));
        assert!(read(&format!("a = {}", "[".repeat(20_000))).parse().is_err());
        assert!(read(&format!("[{}a]", "a.".repeat(20_000))).parse().is_err());
    }

    #[test]
    fn misspellings_find_their_word() {
        assert_eq!(nearest("outptu", ["name", "output"]), Some("output"));
        assert_eq!(nearest("cover_maen", ["cover_mean", "bare_ha"]), Some("cover_mean"));
        assert_eq!(nearest("zzz", ["name", "output"]), None);
    }
}
