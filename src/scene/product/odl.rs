//! Landsat metadata: groups of `KEY = VALUE` (ODL, as in `*_MTL.txt`), or the same groups as JSON.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// Real files nest two deep.
const DEEPEST: usize = 16;

/// Values by group and key.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    place: String,
    values: BTreeMap<(String, String), String>,
}

impl Metadata {
    /// Reads the text of a file that messages call `place`.
    ///
    /// # Errors
    /// Input error that names the line of what is damaged, or of a key with two values in one group.
    pub(super) fn read(text: &str, place: &str) -> Result<Self> {
        let mut made = Self { place: place.to_owned(), values: BTreeMap::new() };
        if text.trim_start().starts_with('{') {
            made.json(text)?;
        } else {
            made.odl(text)?;
        }
        Ok(made)
    }

    fn odl(&mut self, text: &str) -> Result<()> {
        let bad = |line: usize, what: &str| {
            Error::input(format!(
                "{}: line {}: {what}; the metadata are damaged, fetch them again",
                self.place,
                line + 1
            ))
        };
        let mut groups: Vec<String> = Vec::new();
        let mut values: BTreeMap<(String, String), String> = BTreeMap::new();
        for (i, line) in text.lines().enumerate() {
            let line = line.trim_matches(|c: char| c.is_whitespace() || c == '\0');
            if line == "END" {
                break;
            }
            if line.is_empty() {
                continue;
            }
            let (key, value) = line.split_once('=').ok_or_else(|| bad(i, "is not KEY = VALUE"))?;
            let (key, value) = (key.trim(), value.trim().trim_matches('"'));
            match key {
                "GROUP" => {
                    groups.push(value.to_owned());
                    if groups.len() > DEEPEST {
                        return Err(bad(i, "groups nest too deep"));
                    }
                }
                "END_GROUP" => {
                    if groups.pop().as_deref() != Some(value) {
                        return Err(bad(i, &format!("END_GROUP = {value} closes no such group")));
                    }
                }
                _ => {
                    let group = groups.last().cloned().unwrap_or_default();
                    let known = values.entry((group, key.to_owned())).or_insert_with(|| value.to_owned());
                    if known != value {
                        return Err(bad(i, &format!("{key} is {known:?} and {value:?} in one group")));
                    }
                }
            }
        }
        self.values = values;
        Ok(())
    }

    fn json(&mut self, text: &str) -> Result<()> {
        let document: serde_json::Value = serde_json::from_str(text)
            .map_err(|e| Error::input(format!("{}: damaged JSON: {e}; fetch it again", self.place)))?;
        let groups = document.get("LANDSAT_METADATA_FILE").and_then(|g| g.as_object());
        for (group, keys) in groups.into_iter().flatten() {
            for (key, value) in keys.as_object().into_iter().flatten() {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.values.insert((group.clone(), key.clone()), value);
            }
        }
        Ok(())
    }

    /// The value of a key in a group.
    pub(super) fn get(&self, group: &str, key: &str) -> Option<&str> {
        self.values.get(&(group.to_owned(), key.to_owned())).map(String::as_str)
    }

    /// As [`Metadata::get`].
    ///
    /// # Errors
    /// Input error where there is no such key.
    pub(super) fn required(&self, group: &str, key: &str) -> Result<&str> {
        self.get(group, key).ok_or_else(|| {
            Error::input(format!(
                "{}: has no {key} in {group}; the metadata are damaged or of another product",
                self.place
            ))
        })
    }

    /// The number of a key.
    ///
    /// # Errors
    /// Input error where there is none, or it is not a finite number.
    pub(super) fn number(&self, group: &str, key: &str) -> Result<f64> {
        let text = self.required(group, key)?;
        text.parse::<f64>().ok().filter(|v| v.is_finite()).ok_or_else(|| {
            Error::input(format!("{}: {key} is {text:?}, expected a number; the metadata are damaged", self.place))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "GROUP = A\n  GROUP = B\n    X = 2.75e-05\n    N = \"name\"\n  END_GROUP = B\n  GROUP = C\n    X = 1,5\n  \
                        END_GROUP = C\nEND_GROUP = A\nEND\n\0\0";

    #[test]
    fn keys_belong_to_their_group() {
        let m = Metadata::read(GOOD, "m").unwrap();
        assert_eq!((m.number("B", "X").unwrap(), m.get("B", "N")), (2.75e-5, Some("name")));
        assert!(m.number("C", "X").unwrap_err().to_string().contains("1,5"));
        assert!(m.required("B", "Y").is_err());
        let json = r#"{"LANDSAT_METADATA_FILE": {"B": {"X": "2.75e-05"}}}"#;
        assert_eq!(Metadata::read(json, "m").unwrap().number("B", "X").unwrap(), 2.75e-5);
    }

    #[test]
    fn damage_names_its_line() {
        let said = |text: &str| Metadata::read(text, "m").unwrap_err().to_string();
        assert!(said("GROUP = A\nX = 1\nX = 2\n").contains("line 3"));
        assert!(said("GROUP = A\nEND_GROUP = B\n").contains("line 2"));
        assert!(said("\u{1}\u{2}\n").contains("line 1"));
        assert!(said(&"GROUP = A\n".repeat(20_000)).contains("too deep"));
    }
}
