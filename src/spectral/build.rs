//! From the name of an index or a user's expression to nodes of a graph.

use std::collections::BTreeMap;

use super::catalogue;
use super::graph::{Graph, NodeId};
use super::named::{NAMED, Rule};
use super::sensor::Wavelengths;
use super::syntax::{Ast, AstNode, Binary, Unary};
use crate::error::{Error, Result};

/// Where a formula comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Defined here, with guards and a valid range.
    Named,
    /// The catalogue's own string, evaluated raw.
    Catalogue,
    /// Typed by the user, evaluated raw.
    Expression,
    /// From the user's file of indices, within its range.
    User,
}

/// An index ready to be built.
#[derive(Clone, Debug)]
pub struct Index {
    /// Name; describes the output band.
    pub name: String,
    /// Name in full; empty where there is none.
    pub title: String,
    /// Formula in the expression language.
    pub formula: String,
    /// Conditions outside which a pixel is nodata.
    pub guards: Vec<(String, Rule)>,
    /// Valid range; values outside are nodata.
    pub range: Option<(f64, f64)>,
    /// Constants of its own: names the catalogue does not know, or other defaults.
    pub constants: BTreeMap<String, f64>,
    /// Application domain.
    pub domain: String,
    /// Source of the method.
    pub source: String,
    /// Where the formula comes from.
    pub origin: Origin,
}

/// Citation of the catalogue.
pub const CATALOGUE_SOURCE: &str = "Montero et al. 2023, Awesome Spectral Indices";
/// What asks for the catalogue's own string where a named index has the same name.
pub const RAW_PREFIX: &str = "asi:";

impl Index {
    /// The index of a name: a named one, else the catalogue's. `asi:NAME` is always the catalogue's own string, without
    /// guards or range.
    ///
    /// # Errors
    /// Usage error that suggests the nearest names.
    pub fn find(name: &str) -> Result<Self> {
        let (raw, bare) = name.strip_prefix(RAW_PREFIX).map_or((false, name), |b| (true, b));
        let entry = catalogue::entries().iter().find(|e| e.name == bare);
        if let Some(n) = NAMED.iter().find(|n| !raw && n.name == bare) {
            return Ok(Self {
                name: n.name.to_owned(),
                title: entry.map_or_else(String::new, |e| e.title.clone()),
                constants: BTreeMap::new(),
                formula: n.formula.to_owned(),
                guards: n.guards.iter().map(|&(e, r)| (e.to_owned(), r)).collect(),
                range: n.range,
                domain: n.domain.to_owned(),
                source: n.source.to_owned(),
                origin: Origin::Named,
            });
        }
        if let Some(e) = entry {
            return Ok(Self {
                name: e.name.clone(),
                title: e.title.clone(),
                constants: BTreeMap::new(),
                formula: e.formula.clone(),
                guards: Vec::new(),
                range: None,
                domain: e.domain.clone(),
                source: format!("{}; {CATALOGUE_SOURCE}", e.reference),
                origin: Origin::Catalogue,
            });
        }
        let near = near(bare, names());
        let hint = if near.is_empty() {
            "list them with `regrow index --list`, or give a formula with --expr".to_owned()
        } else {
            format!("did you mean {}?", near.join(", "))
        };
        Err(Error::usage(format!("no index is called {name:?}; {hint}")))
    }

    /// A user's expression under a name, evaluated as it stands.
    #[must_use]
    pub fn expression(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            title: String::new(),
            constants: BTreeMap::new(),
            formula: text.to_owned(),
            guards: Vec::new(),
            range: None,
            domain: "user".to_owned(),
            source: String::new(),
            origin: Origin::Expression,
        }
    }

    /// Whether the result stays the same when all reflectances are multiplied by one factor, as in normalised differences
    /// and ratios. Such a formula may read bands whose scale is unknown. Formulas with kelvin are not.
    ///
    /// # Errors
    /// Where the formula does not parse.
    pub fn is_scale_free(&self) -> Result<bool> {
        let ast = Ast::parse(&self.formula)?;
        // Power of the common factor each node carries: a band 1, a constant 0, none where terms do not match.
        let mut degrees: Vec<Option<f64>> = Vec::with_capacity(ast.nodes.len());
        for node in &ast.nodes {
            let of = |o: u32| degrees[o as usize];
            let same = |a: Option<f64>, b: Option<f64>| a.filter(|_| a == b);
            let degree = match node {
                AstNode::Number(_) => Some(0.0),
                AstNode::Name(n, _) if self.has_constant(n) => Some(0.0),
                AstNode::Name(n, _) if matches!(n.as_str(), "T" | "T1" | "T2") || n.starts_with('k') => None,
                AstNode::Name(..) => Some(1.0),
                AstNode::Unary(Unary::Neg | Unary::Abs, a) => of(*a),
                AstNode::Unary(Unary::Sqrt, a) => of(*a).map(|d| d / 2.0),
                AstNode::Unary(_, a) => of(*a).filter(|d| *d == 0.0),
                AstNode::Binary(Binary::Mul, a, b) => of(*a).zip(of(*b)).map(|(a, b)| a + b),
                AstNode::Binary(Binary::Div, a, b) => of(*a).zip(of(*b)).map(|(a, b)| a - b),
                AstNode::Binary(Binary::Pow, a, b) => match (of(*a), &ast.nodes[*b as usize]) {
                    (Some(d), AstNode::Number(power)) => Some(d * power),
                    (d, _) => d.filter(|d| *d == 0.0 && of(*b) == Some(0.0)),
                },
                AstNode::Binary(Binary::Add | Binary::Sub | Binary::Min | Binary::Max, a, b) => same(of(*a), of(*b)),
                AstNode::Binary(_, a, b) => same(of(*a), of(*b)).map(|_| 0.0),
                AstNode::Where(c, a, b) => same(of(*a), of(*b)).filter(|_| of(*c) == Some(0.0)),
            };
            degrees.push(degree);
        }
        Ok(degrees.last() == Some(&Some(0.0)))
    }

    /// Whether a name in the formula is a constant.
    #[must_use]
    pub fn has_constant(&self, name: &str) -> bool {
        self.constants.contains_key(name) || catalogue::is_constant(name)
    }

    /// The default of a constant: its own, else the catalogue's for this index.
    #[must_use]
    pub fn default_of(&self, constant: &str) -> Option<f64> {
        self.constants.get(constant).copied().or_else(|| catalogue::default_of(constant, &self.name))
    }

    /// Constants the formula reads, those of its kernel included.
    ///
    /// # Errors
    /// Where the formula does not parse.
    pub fn constants(&self) -> Result<Vec<String>> {
        let ast = Ast::parse(&self.formula)?;
        let mut found: Vec<String> = Vec::new();
        for name in ast.names() {
            let kernel = catalogue::kernel_operands(name);
            let parts = kernel.map_or([Some(name), None, None], |(a, b)| [Some("sigma"), Some(a), Some(b)]);
            for part in parts.into_iter().flatten().filter(|p| self.has_constant(p)) {
                if !found.iter().any(|f| f == part) {
                    found.push(part.to_owned());
                }
            }
        }
        Ok(found)
    }

    /// Letters of the bands the formula reads.
    ///
    /// # Errors
    /// Where the formula does not parse.
    pub fn bands(&self) -> Result<Vec<&'static str>> {
        let ast = Ast::parse(&self.formula)?;
        let mut found = Vec::new();
        for name in ast.names() {
            let (a, b) = catalogue::kernel_operands(name).unwrap_or((name, name));
            for letter in [a, b] {
                match catalogue::BANDS.iter().find(|k| **k == letter) {
                    Some(known) if !found.contains(known) => found.push(*known),
                    _ => {}
                }
            }
        }
        Ok(found)
    }
}

/// Names of all indices: named ones first, then the rest of the catalogue.
pub fn names() -> impl Iterator<Item = &'static str> {
    let rest = catalogue::entries().iter().map(|e| e.name.as_str());
    NAMED.iter().map(|n| n.name).chain(rest.filter(|r| NAMED.iter().all(|n| n.name != *r)))
}

/// Up to three of `known` that a mistyped `name` may have meant.
pub(super) fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut scored: Vec<(usize, &str)> = known
        .map(|k| {
            let case = strsim::damerau_levenshtein(&k.to_lowercase(), &name.to_lowercase());
            (2 * case + usize::from(k != name), k)
        })
        .filter(|(d, k)| *d <= if k.len() <= 3 { 3 } else { 5 })
        .collect();
    scored.sort_by_key(|(d, _)| *d);
    let best = scored.first().map_or(0, |s| s.0);
    scored.into_iter().take_while(|(d, _)| *d == best).map(|(_, k)| k).take(3).collect()
}

/// Kernel of the indices that need one (kNDVI and its kin).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kernel {
    /// exp(−(a−b)²/(2σ²)).
    #[default]
    Rbf,
    /// (ab + c)^p.
    Polynomial,
    /// ab.
    Linear,
}

/// What the user and the scene add to a formula.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Constants set by the user; they go before every default.
    pub constants: BTreeMap<String, f64>,
    /// Centre wavelengths of the sensor.
    pub wavelengths: Option<Wavelengths>,
    /// Kernel of kernel indices.
    pub kernel: Kernel,
}

impl Settings {
    /// Adds a constant as a user writes it, `L=0.5`; the catalogue knows its name, or one of `indices` does.
    ///
    /// # Errors
    /// Usage error where it is not `NAME=VALUE`, no constant has the name, or the value is not finite.
    pub fn set(&mut self, text: &str, indices: &[Index]) -> Result<()> {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| Error::usage(format!("constant {text:?}: expected NAME=VALUE, such as L=0.5")))?;
        let name = name.trim();
        let own = || indices.iter().flat_map(|i| i.constants.keys());
        if !catalogue::is_constant(name) && !own().any(|c| c == name) {
            let all: Vec<_> = catalogue::CONSTANTS.iter().map(|c| c.0).chain(own().map(String::as_str)).collect();
            return Err(Error::usage(format!("constant {name:?} is not known; there are {}", all.join(" "))));
        }
        match value.trim().parse::<f64>() {
            Ok(v) if v.is_finite() => {
                self.constants.insert(name.to_owned(), v);
                Ok(())
            }
            _ => Err(Error::usage(format!("constant {name}: {value:?} is not a finite number"))),
        }
    }
}

/// Finds the input plane of a band identifier (a letter or a common name); `None` where the scene has no such band.
pub type BandLookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Builds indices into one graph.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    /// The graph so far.
    pub graph: Graph,
    settings: Settings,
}

impl Builder {
    /// An empty graph with settings that hold for all indices added.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { graph: Graph::default(), settings }
    }

    /// Adds an index with its guards and returns its node; values outside its valid range stay.
    ///
    /// # Errors
    /// Usage error with the column where the formula does not parse; input error that lists the bands that are missing
    /// and the names nobody knows.
    pub fn add(&mut self, index: &Index, bands: BandLookup<'_>) -> Result<NodeId> {
        let mut value = self.formula(&index.formula, index, bands)?;
        for (expression, rule) in &index.guards {
            let guarded = self.formula(expression, index, bands)?;
            let valid = self.valid(guarded, *rule);
            value = self.keep(valid, value);
        }
        Ok(value)
    }

    /// As [`Builder::add`], and NaN outside the index's valid range.
    ///
    /// # Errors
    /// As [`Builder::add`].
    pub fn add_within_range(&mut self, index: &Index, bands: BandLookup<'_>) -> Result<NodeId> {
        let value = self.add(index, bands)?;
        Ok(match index.range {
            Some((lo, hi)) => {
                let valid = self.valid(value, Rule::Within(lo, hi));
                self.keep(valid, value)
            }
            None => value,
        })
    }

    fn keep(&mut self, valid: NodeId, value: NodeId) -> NodeId {
        let nan = self.graph.constant(f64::NAN);
        self.graph.select(valid, value, nan)
    }

    fn valid(&mut self, value: NodeId, rule: Rule) -> NodeId {
        let g = &mut self.graph;
        match rule {
            Rule::AtLeast(t) => {
                let t = g.constant(t);
                g.binary(Binary::LessEqual, t, value)
            }
            Rule::Above(t) => {
                let t = g.constant(t);
                g.binary(Binary::Less, t, value)
            }
            Rule::AwayFromZero(t) => {
                let (t, size) = (g.constant(t), g.unary(Unary::Abs, value));
                g.binary(Binary::LessEqual, t, size)
            }
            Rule::Within(lo, hi) => {
                let (lo, hi) = (g.constant(lo), g.constant(hi));
                let (a, b) = (g.binary(Binary::LessEqual, lo, value), g.binary(Binary::LessEqual, value, hi));
                g.binary(Binary::And, a, b)
            }
        }
    }

    fn formula(&mut self, text: &str, index: &Index, bands: BandLookup<'_>) -> Result<NodeId> {
        let ast = Ast::parse(text).map_err(|e| e.context(&index.name))?;
        let mut names: BTreeMap<&str, NodeId> = BTreeMap::new();
        let mut missing: Vec<String> = Vec::new();
        let mut unknown: Vec<&str> = Vec::new();
        for name in ast.names() {
            match self.name(name, index, bands)? {
                Found::Node(id) => {
                    names.insert(name, id);
                }
                Found::Missing(letters) => missing.extend(letters),
                Found::Unknown => unknown.push(name),
            }
        }
        if !unknown.is_empty() {
            return Err(unknown_names(&index.name, &ast, &unknown));
        }
        if !missing.is_empty() {
            missing.sort();
            missing.dedup();
            let have: Vec<_> = catalogue::BANDS.iter().filter(|b| bands(b).is_some()).copied().collect();
            return Err(Error::input(format!(
                "{}: the scene has no band {}; it has {}; name bands with --bands ROLE=N",
                index.name,
                missing.join(", "),
                if have.is_empty() { "none with a known role".to_owned() } else { have.join(" ") }
            )));
        }
        let mut ids: Vec<NodeId> = Vec::with_capacity(ast.nodes.len());
        for node in &ast.nodes {
            let of = |o: u32| ids[o as usize];
            let id = match node {
                AstNode::Number(v) => self.graph.constant(*v),
                AstNode::Name(name, _) => names[name.as_str()],
                AstNode::Unary(op, a) => self.graph.unary(*op, of(*a)),
                AstNode::Binary(op, a, b) => self.graph.binary(*op, of(*a), of(*b)),
                AstNode::Where(c, a, b) => self.graph.select(of(*c), of(*a), of(*b)),
            };
            ids.push(id);
        }
        ids.last().copied().ok_or_else(|| Error::bug("an expression parsed to nothing"))
    }

    fn name(&mut self, name: &str, index: &Index, bands: BandLookup<'_>) -> Result<Found> {
        if let Some(input) = bands(name) {
            return Ok(Found::Node(self.graph.input(&input)));
        }
        if index.has_constant(name) {
            let value = self.constant(name, index)?;
            return Ok(Found::Node(self.graph.constant(value)));
        }
        if let Some((a, b)) = catalogue::kernel_operands(name) {
            let (first, second) = (self.name(a, index, bands)?, self.name(b, index, bands)?);
            return match (first, second) {
                (Found::Node(x), Found::Node(y)) => Ok(Found::Node(self.kernel(x, y, index)?)),
                (x, y) => Ok(Found::Missing(x.letters().chain(y.letters()).collect())),
            };
        }
        // Common names of roles (`nir`) are resolved by the lookup; letters it did not find are bands all the same.
        Ok(if catalogue::BANDS.contains(&name) { Found::Missing(vec![name.to_owned()]) } else { Found::Unknown })
    }

    fn constant(&self, name: &str, index: &Index) -> Result<f64> {
        let set = self.settings.constants.get(name).copied();
        set.or_else(|| index.default_of(name))
            .or_else(|| self.settings.wavelengths.and_then(|w| w.constant(name)))
            .ok_or_else(|| {
                Error::usage(format!(
                    "{}: constant {name} has no default{}; give it with --const {name}=VALUE",
                    index.name,
                    if name.starts_with("lambda") { " and the sensor is not known" } else { "" }
                ))
            })
    }

    /// k(a, b). For kNDVI the default σ of the RBF kernel is the mean of both bands, pixel by pixel.
    fn kernel(&mut self, a: NodeId, b: NodeId, index: &Index) -> Result<NodeId> {
        let set = self.settings.constants.get("sigma").or_else(|| index.constants.get("sigma")).copied();
        let (c, p) = (self.constant("c", index)?, self.constant("p", index)?);
        let g = &mut self.graph;
        Ok(match self.settings.kernel {
            Kernel::Linear => g.binary(Binary::Mul, a, b),
            Kernel::Polynomial => {
                let (c, p) = (g.constant(c), g.constant(p));
                let product = g.binary(Binary::Mul, a, b);
                let sum = g.binary(Binary::Add, product, c);
                g.binary(Binary::Pow, sum, p)
            }
            Kernel::Rbf if a == b => g.constant(1.0),
            Kernel::Rbf => {
                let sigma = match set {
                    None if index.name == "kNDVI" => {
                        let (sum, half) = (g.binary(Binary::Add, a, b), g.constant(0.5));
                        g.binary(Binary::Mul, half, sum)
                    }
                    s => g.constant(s.unwrap_or(0.5)),
                };
                let difference = g.binary(Binary::Sub, a, b);
                let ratio = g.binary(Binary::Div, difference, sigma);
                let square = g.binary(Binary::Mul, ratio, ratio);
                let half = g.constant(-0.5);
                let exponent = g.binary(Binary::Mul, half, square);
                g.unary(Unary::Exp, exponent)
            }
        })
    }
}

enum Found {
    Node(NodeId),
    Missing(Vec<String>),
    Unknown,
}

impl Found {
    fn letters(self) -> impl Iterator<Item = String> {
        match self {
            Self::Missing(letters) => letters.into_iter(),
            _ => Vec::new().into_iter(),
        }
    }
}

fn unknown_names(index: &str, ast: &Ast, unknown: &[&str]) -> Error {
    let known = || catalogue::BANDS.iter().copied().chain(catalogue::CONSTANTS.iter().map(|c| c.0));
    let parts: Vec<String> = unknown
        .iter()
        .map(|name| {
            let column = ast.nodes.iter().find_map(|n| match n {
                AstNode::Name(s, column) if s == name => Some(*column),
                _ => None,
            });
            let hint = near(name, known());
            let hint = if hint.is_empty() { String::new() } else { format!(", did you mean {}?", hint.join(" or ")) };
            format!("{name} (column {}{hint})", column.unwrap_or(1))
        })
        .collect();
    Error::usage(format!(
        "{index}: neither a band the scene has nor a constant: {}; bands are {} or common names such as nir",
        parts.join("; "),
        catalogue::BANDS.join(" ")
    ))
}

#[cfg(test)]
mod tests {
    use super::super::program::Program;
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        ["N", "R", "B"].contains(&name).then(|| name.to_owned())
    }

    fn value(index: &Index, n: f64, r: f64, b: f64) -> f64 {
        let mut builder = Builder::new(Settings::default());
        let node = builder.add_within_range(index, &lookup).unwrap();
        let inputs: Vec<[f64; 1]> = builder
            .graph
            .inputs()
            .iter()
            .map(|i| match i.as_str() {
                "N" => [n],
                "R" => [r],
                _ => [b],
            })
            .collect();
        let program = Program::compile(&builder.graph, &[node]);
        program.evaluation().row(1, |i, values| values.copy_from_slice(&inputs[i]))[0][0]
    }

    #[test]
    fn named_differences_refuse_shadow_and_raw_ones_do_not() {
        let ndvi = Index::find("NDVI").unwrap();
        assert_eq!(value(&ndvi, 0.5, 0.1, 0.0), (0.5 - 0.1) / 0.6);
        assert!(value(&ndvi, 0.05, -0.01, 0.0).is_nan());
        assert!(value(&ndvi, -0.05, -0.01, 0.0).is_nan());
        assert!(value(&ndvi, 0.0, 0.0, 0.0).is_nan());
        let raw = Index::find("asi:NDVI").unwrap();
        assert!((value(&raw, 0.05, -0.01, 0.0) - 1.5).abs() < 1e-15);
    }

    #[test]
    fn names_are_case_sensitive_and_near_ones_suggested() {
        assert!(Index::find("NVDI").unwrap_err().to_string().contains("NDVI"));
        assert!(Index::find("ndvi").unwrap_err().to_string().contains("did you mean NDVI?"));
        assert!(Index::find("zzzzzzzz").unwrap_err().to_string().contains("--list"));
    }

    #[test]
    fn missing_bands_and_unknown_names_are_told_apart() {
        let mut builder = Builder::new(Settings::default());
        let missing = builder.add(&Index::find("NDMI").unwrap(), &lookup).unwrap_err().to_string();
        assert!(missing.contains("no band S1") && missing.contains("has B R N"), "{missing}");
        let unknown = builder.add(&Index::expression("expr", "N-nri"), &lookup).unwrap_err().to_string();
        assert!(unknown.contains("column 3"), "{unknown}");
        let par = builder.add(&Index::find("NIRvP").unwrap(), &lookup).unwrap_err().to_string();
        assert!(par.contains("--const PAR="), "{par}");
    }

    #[test]
    fn constants_take_own_defaults_and_user_values() {
        let savi = Index::find("SAVI").unwrap();
        assert!((value(&savi, 0.5, 0.1, 0.0) - 1.5 * 0.4 / 1.1).abs() < 1e-15);
        let mut settings = Settings::default();
        settings.set("L=0.25", &[]).unwrap();
        assert_eq!(settings.constants["L"], 0.25);
        assert!(["Q=1", "L=inf", "L"].iter().all(|bad| settings.set(bad, &[]).is_err()));
    }

    #[test]
    fn normalised_differences_are_scale_free_and_sums_with_constants_are_not() {
        for (name, expected) in [("NDVI", true), ("BSI", true), ("CLAY", true), ("GLI", true), ("DBSI", true)] {
            assert_eq!(Index::find(name).unwrap().is_scale_free().unwrap(), expected, "{name}");
        }
        for name in ["EVI", "SAVI", "NIRv", "AWEInsh", "NDBaI", "TCB", "MIRBI"] {
            assert!(!Index::find(name).unwrap().is_scale_free().unwrap(), "{name}");
        }
        assert!(Index::expression("e", "sqrt(N*R)/N > 0.2").is_scale_free().unwrap());
        assert!(!Index::expression("e", "where(N > 0.2, 1, 0)").is_scale_free().unwrap());
    }

    #[test]
    fn bands_of_kernel_indices_are_their_operands() {
        assert_eq!(Index::find("kNDVI").unwrap().bands().unwrap(), ["N", "R"]);
    }
}
