//! Targets and alerts: what is asked of the figures of a zone, and whether they meet it.

use super::config::Placed;
use super::document::{Node, nearest};
use crate::error::{Error, Kind, Result};

/// Figures of every product, to tell a misspelt name from one whose product is not asked for.
const FAMILIES: [(&str, &str); 12] = [
    ("cover_mean", "cover = {}"),
    ("bare_ha", "bare = {}"),
    ("bare_share", "bare = {}"),
    ("valid_ha", "an index"),
    ("strong_loss_ha", "change = {}"),
    ("loss_ha", "change = {}"),
    ("stable_ha", "change = {}"),
    ("gain_ha", "change = {}"),
    ("strong_gain_ha", "change = {}"),
    ("ndvi_change_mean", "change = {}"),
    ("ndvi_mean", "indices = [\"NDVI\"]"),
    ("bsi_mean", "indices = [\"BSI\"]"),
];

/// A bound on a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// `<`
    Below(f64),
    /// `<=`
    AtMost(f64),
    /// `>=`
    AtLeast(f64),
    /// `>`
    Above(f64),
}

impl Bound {
    /// True where the value is within the bound. A value that is not there is within none.
    #[must_use]
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::Below(b) => value < b,
            Self::AtMost(b) => value <= b,
            Self::AtLeast(b) => value >= b,
            Self::Above(b) => value > b,
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Below(b) => write!(f, "< {b}"),
            Self::AtMost(b) => write!(f, "≤ {b}"),
            Self::AtLeast(b) => write!(f, "≥ {b}"),
            Self::Above(b) => write!(f, "> {b}"),
        }
    }
}

/// A figure a zone has to reach by a date.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Zone, or `*` for every one.
    pub zone: Placed<String>,
    /// Name of the figure.
    pub indicator: Placed<String>,
    /// Every bound must hold.
    pub bounds: Vec<Bound>,
    /// Date it is due.
    pub by: Option<String>,
}

impl Target {
    /// Reads a `[[target]]`.
    ///
    /// # Errors
    /// Wrong keys and values; bounds that exclude each other.
    pub fn read(node: &Node<'_>) -> Result<Self> {
        let mut fields = node.table()?;
        let zone = fields.get("zone");
        let indicator = fields.need("indicator", "indicator = \"bare_ha\"")?;
        let at_most = fields.get("at_most");
        let at_least = fields.get("at_least");
        let by = fields.get("by");
        fields.finish()?;
        let most = at_most.as_ref().map(Node::number).transpose()?;
        let least = at_least.as_ref().map(Node::number).transpose()?;
        let bounds: Vec<_> = least.map(Bound::AtLeast).into_iter().chain(most.map(Bound::AtMost)).collect();
        if bounds.is_empty() {
            return Err(node.fail("no bound; write at_most = 3.0 or at_least = 0.5"));
        }
        if let (Some(low), Some(high)) = (least, most)
            && low > high
        {
            return Err(node.fail(&format!("found at_least = {low} above at_most = {high}; no value can meet both")));
        }
        Ok(Self {
            zone: zone_name(node, zone.as_ref())?,
            indicator: Placed::new(indicator.text()?.to_owned(), &indicator),
            bounds,
            by: by.map(|n| n.date().map(|d| d.0)).transpose()?,
        })
    }
}

/// A rule that warns where a figure is within a bound it should not be in.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Zone, or `*` for every one.
    pub zone: Placed<String>,
    /// Name of the figure.
    pub indicator: Placed<String>,
    /// The alert is raised where this holds.
    pub bound: Bound,
    /// The rule as written.
    pub text: String,
}

impl Alert {
    /// Reads an `[[alert]]`: `when = "cover_mean < 0.3"`.
    ///
    /// # Errors
    /// Where the rule is not `name operator number`.
    pub fn read(node: &Node<'_>) -> Result<Self> {
        let mut fields = node.table()?;
        let when = fields.need("when", "when = \"cover_mean < 0.3\"")?;
        let zone = fields.get("zone");
        fields.finish()?;
        let text = when.text()?.trim();
        let bad = || when.fail(&format!("found {text:?}, expected a rule such as \"cover_mean < 0.3\" (< <= > >=)"));
        let at = text.find(['<', '>']).ok_or_else(bad)?;
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let operator = if rest[1..].starts_with('=') { &rest[..2] } else { &rest[..1] };
        let number: f64 = rest[operator.len()..].trim().parse().ok().filter(|v: &f64| v.is_finite()).ok_or_else(bad)?;
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(bad());
        }
        let bound = match operator {
            "<" => Bound::Below(number),
            "<=" => Bound::AtMost(number),
            ">=" => Bound::AtLeast(number),
            _ => Bound::Above(number),
        };
        Ok(Self {
            zone: zone_name(node, zone.as_ref())?,
            indicator: Placed::new(name.to_owned(), &when),
            bound,
            text: text.to_owned(),
        })
    }
}

fn zone_name(table: &Node<'_>, zone: Option<&Node<'_>>) -> Result<Placed<String>> {
    match zone {
        Some(n) => Ok(Placed::new(n.text()?.to_owned(), n)),
        None => Ok(Placed::new("*".to_owned(), table)),
    }
}

/// Refuses a figure the project does not make, and says which was meant or what to ask for.
pub(super) fn check_indicator(indicator: &Placed<String>, known: &[String]) -> Result<()> {
    let name = indicator.value.as_str();
    if known.iter().any(|k| k == name) {
        return Ok(());
    }
    let what = match FAMILIES.iter().find(|(k, _)| *k == name) {
        Some((_, ask)) => format!("the project does not make {name}; add {ask} to [products]"),
        None => {
            let all = known.iter().map(String::as_str).chain(FAMILIES.iter().map(|f| f.0));
            match nearest(name, all) {
                Some(near) => format!("indicator {name:?} is not known; did you mean {near:?}?"),
                None => format!("indicator {name:?} is not known; this project makes: {}", known.join(", ")),
            }
        }
    };
    Err::<(), Error>(indicator.fail(Kind::Usage, &what))
}
