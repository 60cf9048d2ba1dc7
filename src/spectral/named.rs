//! Indices with a fixed meaning, guards and valid ranges. They go before catalogue entries of the same name.

use std::fmt;

/// When an expression inside an index makes the pixel nodata.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Must be at least this.
    AtLeast(f64),
    /// Must be above this.
    Above(f64),
    /// Must be at least this far from zero.
    AwayFromZero(f64),
    /// Must lie in this closed range.
    Within(f64, f64),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(t) => write!(f, ">= {t}"),
            Self::Above(t) => write!(f, "> {t}"),
            Self::AwayFromZero(t) => write!(f, "at least {t} away from 0"),
            Self::Within(lo, hi) => write!(f, "from {lo} to {hi}"),
        }
    }
}

/// A condition on an expression.
pub type Guard = (&'static str, Rule);

/// An index as the program defines it.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// Name, case-sensitive.
    pub name: &'static str,
    /// Formula in the expression language.
    pub formula: &'static str,
    /// What makes a pixel nodata besides its inputs.
    pub guards: &'static [Guard],
    /// Valid range of the result; values outside are nodata.
    pub range: Option<(f64, f64)>,
    /// Application domain.
    pub domain: &'static str,
    /// Source of the method.
    pub source: &'static str,
}

/// A normalised difference (a−b)/(a+b): nodata where a+b < 1e-6 or the result leaves −1..=1, which negative reflectance
/// of deep shadow brings about.
macro_rules! difference {
    ($name:literal, $a:literal, $b:literal, $domain:literal, $source:literal) => {
        Named {
            name: $name,
            formula: concat!("((", $a, ")-(", $b, "))/((", $a, ")+(", $b, "))"),
            guards: &[(concat!("(", $a, ")+(", $b, ")"), Rule::AtLeast(1e-6))],
            range: Some((-1.0, 1.0)),
            domain: $domain,
            source: $source,
        }
    };
}

macro_rules! named {
    ($name:literal, $formula:literal, [$($guard:expr),*], $range:expr, $domain:literal, $source:literal) => {
        Named {
            name: $name,
            formula: $formula,
            guards: &[$($guard),*],
            range: $range,
            domain: $domain,
            source: $source,
        }
    };
}

/// A mineral ratio: nodata where the denominator is not above 1e-4.
macro_rules! ratio {
    ($name:literal, $a:literal, $b:literal, $source:literal) => {
        named!($name, $a, [($b, Rule::Above(1e-4))], None, "mineral", $source)
    };
}

const NDVI_VALID: [Guard; 2] = [("N+R", Rule::AtLeast(1e-6)), ("(N-R)/(N+R)", Rule::Within(-1.0, 1.0))];

/// All named indices.
pub const NAMED: &[Named] = &[
    difference!("NDVI", "N", "R", "vegetation", "Rouse et al. 1974"),
    named!(
        "EVI",
        "g*(N-R)/(N+C1*R-C2*B+L)",
        [("N+C1*R-C2*B+L", Rule::Above(0.05))],
        Some((-1.0, 1.2)),
        "vegetation",
        "Huete et al. 2002"
    ),
    named!(
        "EVI2",
        "g*(N-R)/(N+2.4*R+L)",
        [("N+2.4*R+L", Rule::AwayFromZero(1e-6))],
        None,
        "vegetation",
        "Jiang et al. 2008"
    ),
    named!(
        "SAVI",
        "(1+L)*(N-R)/(N+R+L)",
        [("N+R+L", Rule::AwayFromZero(1e-6))],
        Some((-1.5, 1.5)),
        "vegetation",
        "Huete 1988"
    ),
    named!(
        "OSAVI",
        "(N-R)/(N+R+0.16)",
        [("N+R+0.16", Rule::AwayFromZero(1e-6))],
        None,
        "vegetation",
        "Rondeaux et al. 1996"
    ),
    named!("MSAVI", "0.5*(2*N+1-((2*N+1)**2-8*(N-R))**0.5)", [], None, "vegetation", "Qi et al. 1994"),
    named!(
        "kNDVI",
        "(kNN-kNR)/(kNN+kNR)",
        [NDVI_VALID[0], NDVI_VALID[1]],
        Some((0.0, 1.0)),
        "vegetation",
        "Camps-Valls et al. 2021"
    ),
    named!("NIRv", "((N-R)/(N+R))*N", [NDVI_VALID[0], NDVI_VALID[1]], None, "vegetation", "Badgley et al. 2017"),
    difference!("GNDVI", "N", "G", "vegetation", "Gitelson et al. 1996"),
    difference!("NDRE", "N", "RE1", "vegetation", "Barnes 2000"),
    named!("CIre", "N/RE1-1", [("RE1", Rule::Above(0.0))], None, "vegetation", "Gitelson et al. 2003"),
    difference!("NDMI", "N", "S1", "vegetation", "Gao 1996; Wilson & Sader 2002"),
    difference!("NBR", "N", "S2", "burn", "Key & Benson 2006"),
    difference!("NBR2", "S1", "S2", "burn", "USGS"),
    difference!("NDWI", "G", "N", "water", "McFeeters 1996"),
    difference!("MNDWI", "G", "S1", "water", "Xu 2006"),
    named!("AWEInsh", "4*(G-S1)-(0.25*N+2.75*S2)", [], None, "water", "Feyisa et al. 2014"),
    named!("AWEIsh", "B+2.5*G-1.5*(N+S1)-0.25*S2", [], None, "water", "Feyisa et al. 2014"),
    difference!("NDSI", "G", "S1", "snow", "Hall et al. 1995"),
    difference!("BSI", "S1+R", "N+B", "soil", "Rikimaru et al. 2002"),
    difference!("NDBI", "S1", "N", "urban", "Zha et al. 2003"),
    difference!("UI", "S2", "N", "urban", "Kawamura et al. 1996"),
    difference!("NDSoI", "S2", "G", "soil", "Deng et al. 2015"),
    named!(
        "DBSI",
        "(S1-G)/(S1+G)-(N-R)/(N+R)",
        [("S1+G", Rule::AtLeast(1e-6)), ("(S1-G)/(S1+G)", Rule::Within(-1.0, 1.0)), NDVI_VALID[0], NDVI_VALID[1]],
        Some((-2.0, 2.0)),
        "soil",
        "Rasul et al. 2018"
    ),
    named!(
        "MBI",
        "(S1-S2-N)/(S1+S2+N)+0.5",
        [("S1+S2+N", Rule::AtLeast(1e-6))],
        Some((-0.5, 1.5)),
        "soil",
        "Nguyen et al. 2021"
    ),
    named!(
        "EMBI",
        "((S1-S2-N)/(S1+S2+N)+0.5-(G-S1)/(G+S1)-0.5)/((S1-S2-N)/(S1+S2+N)+0.5+(G-S1)/(G+S1)+1.5)",
        [
            ("S1+S2+N", Rule::AtLeast(1e-6)),
            ("G+S1", Rule::AtLeast(1e-6)),
            ("(S1-S2-N)/(S1+S2+N)+0.5+(G-S1)/(G+S1)+1.5", Rule::AwayFromZero(1e-6))
        ],
        None,
        "soil",
        "Zhao & Zhu 2022"
    ),
    named!("VARI", "(G-R)/(G+R-B)", [("G+R-B", Rule::AwayFromZero(1e-3))], None, "vegetation", "Gitelson et al. 2002"),
    named!("ExG", "(2*G-R-B)/(R+G+B)", [("R+G+B", Rule::AtLeast(1e-6))], None, "vegetation", "Woebbecke et al. 1995"),
    named!("ExR", "(1.4*R-G)/(R+G+B)", [("R+G+B", Rule::AtLeast(1e-6))], None, "vegetation", "Meyer & Neto 2008"),
    named!(
        "ExGR",
        "(2*G-R-B)/(R+G+B)-(1.4*R-G)/(R+G+B)",
        [("R+G+B", Rule::AtLeast(1e-6))],
        None,
        "vegetation",
        "Meyer & Neto 2008"
    ),
    difference!("GLI", "2*G", "R+B", "vegetation", "Louhaichi et al. 2001"),
    difference!("NGRDI", "G", "R", "vegetation", "Tucker 1979"),
    named!("TGI", "-0.5*(190*(R-G)-120*(R-B))", [], None, "vegetation", "Hunt et al. 2013"),
    named!(
        "TCB",
        "0.2043*B+0.4158*G+0.5524*R+0.5741*N+0.3124*S1+0.2303*S2",
        [],
        None,
        "soil",
        "Crist 1985, brightness"
    ),
    named!(
        "TCG",
        "-0.1603*B-0.2819*G-0.4934*R+0.7940*N-0.0002*S1-0.1446*S2",
        [],
        None,
        "vegetation",
        "Crist 1985, greenness"
    ),
    named!("TCW", "0.0315*B+0.2021*G+0.3102*R+0.1594*N-0.6806*S1-0.6109*S2", [], None, "water", "Crist 1985, wetness"),
    named!(
        "TCA",
        "57.29577951308232*atan2(-0.1603*B-0.2819*G-0.4934*R+0.7940*N-0.0002*S1-0.1446*S2,\
         0.2043*B+0.4158*G+0.5524*R+0.5741*N+0.3124*S1+0.2303*S2)",
        [],
        Some((-180.0, 180.0)),
        "vegetation",
        "Crist 1985, angle of greenness to brightness in degrees"
    ),
    ratio!("IRON_OXIDE", "R/B", "B", "Segal 1982"),
    ratio!("FERRIC", "R/G", "G", "Rowan & Mars 2003"),
    named!(
        "FERROUS",
        "S2/N+G/R",
        [("N", Rule::Above(1e-4)), ("R", Rule::Above(1e-4))],
        None,
        "mineral",
        "Rowan & Mars 2003"
    ),
    ratio!("FERROUS_MIN", "S1/N", "N", "Segal 1982"),
    ratio!("FERROUS_SIL", "S2/S1", "S1", "Segal 1982"),
    ratio!("CLAY", "S1/S2", "S2", "Segal 1982"),
    ratio!("GOSSAN", "S1/R", "R", "van der Werff & van der Meer 2016"),
    difference!("REDNESS", "R", "B", "mineral", "van der Werff & van der Meer 2016"),
];

#[cfg(test)]
mod tests {
    use super::super::syntax::Ast;
    use super::*;

    #[test]
    fn all_formulas_and_guards_parse_and_names_are_unique() {
        let mut seen = std::collections::HashSet::new();
        for n in NAMED {
            assert!(seen.insert(n.name), "{} twice", n.name);
            Ast::parse(n.formula).unwrap();
            n.guards.iter().for_each(|(e, _)| assert!(Ast::parse(e).is_ok(), "{}: {e}", n.name));
        }
    }
}
