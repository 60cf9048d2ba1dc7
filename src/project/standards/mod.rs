//! Limits of pollutants in soil: standards files shipped with the program, and how the limit of a place is chosen.

use std::path::Path;

use super::document::{Document, Node, nearest};
use crate::error::{Error, Result};

const SHIPPED: [(&str, &str); 1] = [("gb15618-2018", include_str!("gb15618-2018.toml"))];

/// Elements by symbol and by the English name that sample tables use for columns.
const ELEMENTS: [(&str, &str); 8] = [
    ("Cd", "cadmium"),
    ("Hg", "mercury"),
    ("As", "arsenic"),
    ("Pb", "lead"),
    ("Cr", "chromium"),
    ("Cu", "copper"),
    ("Ni", "nickel"),
    ("Zn", "zinc"),
];

/// One row of a standard.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    analyte: String,
    kind: String,
    landuse: Option<String>,
    /// Closed on the right; the first interval of a row also holds its left end.
    ph: Option<(f64, f64)>,
    value: f64,
}

/// A standard.
#[derive(Clone, Debug, PartialEq)]
pub struct Standard {
    /// Identity (`gb15618-2018`).
    pub id: String,
    /// Title.
    pub title: String,
    /// Unit of every value.
    pub unit: String,
    /// False where the numbers were not checked against the source; then every use is warned about.
    pub verified: bool,
    /// Where the numbers come from.
    pub source: String,
    rows: Vec<Row>,
}

/// The limit that holds for an analyte, and what was assumed to find it.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Value in the standard's unit.
    pub value: f64,
    /// Assumptions (`pH not given: the strictest of its classes`); empty where none.
    pub assumed: String,
}

/// The shipped standard with an identity; `cn-` in front is allowed.
///
/// # Errors
/// Usage error that suggests the nearest identity.
pub fn find(id: &str) -> Result<Standard> {
    let plain = id.strip_prefix("cn-").unwrap_or(id);
    let names = || SHIPPED.iter().map(|s| s.0);
    match SHIPPED.iter().find(|s| s.0.eq_ignore_ascii_case(plain)) {
        Some((name, text)) => {
            let path = format!("{name}.toml");
            parse(&Document::from_bytes(Path::new(&path), text.as_bytes())?)
        }
        None => {
            let hint = match nearest(plain, names()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("standards known: {}", names().collect::<Vec<_>>().join(", ")),
            };
            Err(Error::usage(format!("standard {id:?} is not known; {hint}")))
        }
    }
}

/// Element symbol of a column name (`zn`, `zinc`, `Zn_mg_kg`).
#[must_use]
pub fn element(column: &str) -> Option<&'static str> {
    let word = column.split(['_', ' ', '.', '(']).next().unwrap_or("");
    let same = |e: &&(&str, &str)| e.0.eq_ignore_ascii_case(word) || e.1.eq_ignore_ascii_case(word);
    ELEMENTS.iter().find(same).map(|e| e.0)
}

fn parse(doc: &Document) -> Result<Standard> {
    let parsed = doc.parse()?;
    let mut root = doc.root(&parsed);
    let schema = root.need("schema", "schema = 1")?;
    if schema.integer()? != 1 {
        return Err(schema.fail("expected 1, the only form there is"));
    }
    let text = |n: Node<'_>| n.text().map(str::to_owned);
    let id = text(root.need("id", "id = \"…\"")?)?;
    let title = text(root.need("title", "title = \"…\"")?)?;
    let medium = root.need("medium", "medium = \"soil\"")?;
    let unit = text(root.need("unit", "unit = \"mg/kg\"")?)?;
    let verified = root.need("verified", "verified = false")?.boolean()?;
    let source = text(root.need("source", "source = \"…\"")?)?;
    let effective = root.get("effective");
    let limits = root.need("limit", "[[limit]]")?;
    root.finish()?;
    if medium.text()? != "soil" {
        return Err(medium.fail("expected \"soil\""));
    }
    effective.map(|n| n.date()).transpose()?;
    let rows = limits.list()?.iter().map(row).collect::<Result<_>>()?;
    Ok(Standard { id, title, unit, verified, source, rows })
}

fn row(node: &Node<'_>) -> Result<Row> {
    let mut fields = node.table()?;
    let analyte = fields.need("analyte", "analyte = \"Cd\"")?;
    let kind = fields.need("kind", "kind = \"screening\"")?;
    let when = fields.get("when");
    let value = fields.need("value", "value = 0.3")?;
    fields.finish()?;
    let (mut landuse, mut ph) = (None, None);
    if let Some(when) = when {
        let mut when = when.table()?;
        landuse = when.get("landuse").map(|n| n.text().map(str::to_owned)).transpose()?;
        if let Some(n) = when.get("ph") {
            let ends = n.list()?.iter().map(Node::number).collect::<Result<Vec<_>>>()?;
            ph = match ends[..] {
                [low, high] if low < high => Some((low, high)),
                _ => return Err(n.fail("expected two ascending numbers")),
            };
        }
        when.finish()?;
    }
    Ok(Row {
        analyte: analyte.text()?.to_owned(),
        kind: kind.text()?.to_owned(),
        landuse,
        ph,
        value: value.number_where("a value above 0", |v| v > 0.0)?,
    })
}

impl Standard {
    /// The limit of a kind (`screening`, `control`) for an element at a pH and land use. What is not given is taken as
    /// the strictest case and said so.
    ///
    /// # Errors
    /// Usage error where the standard has no such limit.
    pub fn limit(&self, element: &str, kind: &str, ph: Option<f64>, landuse: Option<&str>) -> Result<Limit> {
        let mut rows: Vec<&Row> = self.rows.iter().filter(|r| r.analyte == element && r.kind == kind).collect();
        if rows.is_empty() {
            return Err(Error::usage(format!("{} has no {kind} value for {element}; leave it out", self.id)));
        }
        let mut assumed = Vec::new();
        if rows.iter().any(|r| r.landuse.is_some()) {
            match landuse {
                Some(wanted) => {
                    let listed = rows.iter().any(|r| r.landuse.as_deref() == Some(wanted));
                    let wanted = if listed { wanted } else { "other" };
                    rows.retain(|r| r.landuse.as_deref().is_none_or(|l| l == wanted));
                }
                None => assumed.push("land use not given: the strictest is taken"),
            }
        }
        if rows.iter().any(|r| r.ph.is_some()) {
            match ph {
                Some(ph) => {
                    let holds = |(low, high): (f64, f64)| (ph > low || (low == 0.0 && ph == 0.0)) && ph <= high;
                    rows.retain(|r| r.ph.is_none_or(holds));
                }
                None => assumed.push("pH not given: the strictest class is taken"),
            }
        }
        match rows.iter().map(|r| r.value).min_by(f64::total_cmp) {
            Some(value) => Ok(Limit { value, assumed: assumed.join("; ") }),
            None => Err(Error::usage(format!("{} has no {kind} value for {element} at this pH", self.id))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_follow_ph_and_land_use() {
        let s = find("cn-gb15618-2018").unwrap();
        let value = |e, kind, ph, use_| s.limit(e, kind, ph, use_).unwrap().value;
        assert_eq!(value("Cd", "screening", Some(6.0), Some("paddy")), 0.4);
        // Intervals are closed on the right.
        assert_eq!(value("Cd", "screening", Some(5.5), Some("paddy")), 0.3);
        assert_eq!(value("Cd", "screening", Some(8.0), Some("meadow")), 0.6);
        assert_eq!(value("Zn", "screening", Some(7.0), None), 250.0);
        assert_eq!(value("As", "control", Some(8.0), None), 100.0);
        let strict = s.limit("As", "screening", None, None).unwrap();
        assert_eq!(strict.value, 20.0);
        assert!(strict.assumed.contains("pH") && strict.assumed.contains("land use"));
        assert!(s.limit("Zn", "control", None, None).is_err());
    }

    #[test]
    fn unknown_standard_is_suggested() {
        assert!(find("gb15618-2081").unwrap_err().to_string().contains("gb15618-2018"));
    }

    #[test]
    fn columns_name_elements() {
        assert_eq!(element("zinc"), Some("Zn"));
        assert_eq!(element("Cd_mg_kg"), Some("Cd"));
        assert_eq!(element("dist"), None);
    }
}
