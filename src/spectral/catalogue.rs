//! The Awesome Spectral Indices catalogue, schema v0: 280 formulas, their constants and per-index defaults.

use std::sync::OnceLock;

/// One formula of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name, case-sensitive.
    pub name: String,
    /// Application domain (`vegetation`, `soil`).
    pub domain: String,
    /// Formula as the catalogue writes it.
    pub formula: String,
    /// Name in full.
    pub title: String,
    /// Where the index was published.
    pub reference: String,
}

/// All entries, in the order of the catalogue.
#[must_use]
pub fn entries() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    ENTRIES.get_or_init(|| {
        let mut reader =
            csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(include_str!("catalogue.csv").as_bytes());
        let field = |r: &csv::StringRecord, i: usize| r.get(i).unwrap_or_default().to_owned();
        let records = reader.records().filter_map(Result::ok);
        let entry = |r: csv::StringRecord| Entry {
            name: field(&r, 0),
            domain: field(&r, 1),
            formula: field(&r, 3),
            title: field(&r, 4),
            reference: field(&r, 5),
        };
        records.map(entry).collect()
    })
}

/// Band letters the catalogue uses, radar included.
pub const BANDS: &[&str] = &[
    "A", "B", "G", "G1", "Y", "R", "RE1", "RE2", "RE3", "N", "N2", "WV", "S1", "S2", "T", "T1", "T2", "VV", "VH", "HV",
    "HH",
];

/// Constants and their global defaults. `None`: the sensor or the user has to say.
pub const CONSTANTS: &[(&str, Option<f64>)] = &[
    ("C1", Some(6.0)),
    ("C2", Some(7.5)),
    ("L", Some(1.0)),
    ("PAR", None),
    ("alpha", Some(0.1)),
    ("beta", Some(0.05)),
    ("c", Some(1.0)),
    ("cexp", Some(1.16)),
    ("epsilon", Some(1.0)),
    ("eta", Some(0.5)),
    ("fdelta", Some(0.581)),
    ("g", Some(2.5)),
    ("gamma", Some(1.0)),
    ("k", Some(0.0)),
    ("lambdaG", None),
    ("lambdaN", None),
    ("lambdaN2", None),
    ("lambdaR", None),
    ("lambdaS1", None),
    ("lambdaS2", None),
    ("lmb", Some(1.0)),
    ("n", Some(5.0)),
    ("nexp", Some(2.0)),
    ("omega", Some(2.0)),
    ("p", Some(2.0)),
    ("sigma", Some(0.5)),
    ("sla", Some(1.0)),
    ("slb", Some(0.0)),
];

/// Defaults that hold for some indices only, from schema v1 where it has the index.
const OVERRIDES: &[(&str, f64, &[&str])] = &[
    ("L", 0.5, &["SAVI", "SARVI", "GSAVI", "MNLI", "IBI", "NBUI", "SAVIT"]),
    ("alpha", 0.01, &["BWDRVI"]),
    ("alpha", 0.74, &["NDPI", "sNIRvNDPI"]),
    ("alpha", 0.2, &["NDVI4RE", "SAVI4RE"]),
    ("alpha", 0.3, &["RVI4RE"]),
    ("alpha", 2.0, &["NDWIns"]),
    ("beta", 0.2, &["NDVI4RE", "SAVI4RE"]),
    ("beta", 0.3, &["RVI4RE"]),
    ("gamma", 0.4, &["NDTI4RE", "SNDTI4RE", "STI4RE"]),
    ("epsilon", 1e-10, &["WCI1", "WCI2"]),
];

/// The default of a constant for one index: its own, else the global one.
#[must_use]
pub fn default_of(constant: &str, index: &str) -> Option<f64> {
    OVERRIDES
        .iter()
        .find(|(c, _, indices)| *c == constant && indices.contains(&index))
        .map(|(_, v, _)| *v)
        .or_else(|| CONSTANTS.iter().find(|(c, _)| *c == constant).and_then(|(_, v)| *v))
}

/// Whether a name is a constant of the catalogue.
#[must_use]
pub fn is_constant(name: &str) -> bool {
    CONSTANTS.iter().any(|(c, _)| *c == name)
}

/// The two operands of a kernel name: `kNR` is k(N, R).
#[must_use]
pub fn kernel_operands(name: &str) -> Option<(&'static str, &'static str)> {
    const KERNELS: &[(&str, &str, &str)] = &[
        ("kNN", "N", "N"),
        ("kNR", "N", "R"),
        ("kNB", "N", "B"),
        ("kNL", "N", "L"),
        ("kGG", "G", "G"),
        ("kGR", "G", "R"),
        ("kGB", "G", "B"),
    ];
    KERNELS.iter().find(|(k, ..)| *k == name).map(|&(_, a, b)| (a, b))
}

#[cfg(test)]
mod tests {
    use super::super::syntax::Ast;
    use super::*;

    #[test]
    fn every_formula_parses_and_uses_known_names() {
        assert_eq!(entries().len(), 280);
        for e in entries() {
            assert!(!e.title.is_empty() && e.reference.starts_with("http"), "{e:?}");
            for name in Ast::parse(&e.formula).unwrap().names() {
                let known = BANDS.contains(&name) || is_constant(name) || kernel_operands(name).is_some();
                assert!(known, "{}: {name}", e.name);
            }
        }
    }

    #[test]
    fn own_defaults_come_before_global_ones() {
        assert_eq!(default_of("L", "SAVI"), Some(0.5));
        assert_eq!(default_of("L", "EVI"), Some(1.0));
        assert_eq!(default_of("PAR", "NIRvP"), None);
        for (_, _, indices) in OVERRIDES {
            for index in *indices {
                assert!(entries().iter().any(|e| e.name == *index), "{index}");
            }
        }
    }
}
