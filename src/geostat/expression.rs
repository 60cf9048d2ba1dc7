//! Variogram expressions: `nug(0.05)+sph(0.59,897)`, with `aniso=30:0.5` inside a term.

use std::fmt;
use std::str::FromStr;

use super::model::{Anisotropy, Model, Shape, Structure};
use crate::error::{Error, Result};

/// `name(psill, range[, kappa][, aniso=azimuth:ratio])` joined by `+`; `nug(c0)` and `err(c0)` take the sill alone.
impl FromStr for Model {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).map_err(|why| {
            Error::usage(format!("variogram {:?}: {why}; write for example \"nug(0.05)+sph(0.59,897)\"", shorten(text)))
        })
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() > 80 { text.chars().take(77).chain("...".chars()).collect() } else { text.to_owned() }
}

fn parse(text: &str) -> std::result::Result<Model, String> {
    let mut model = Model::default();
    let mut rest = text.trim();
    loop {
        let open = rest.find('(').ok_or_else(|| format!("expected name(...), found {:?}", shorten(rest)))?;
        let close = rest.find(')').filter(|&c| c > open).ok_or("a bracket is not closed")?;
        term(rest[..open].trim(), &rest[open + 1..close], &mut model)?;
        rest = rest[close + 1..].trim_start();
        if rest.is_empty() {
            break;
        }
        rest = rest.strip_prefix('+').ok_or_else(|| format!("expected + before {:?}", shorten(rest)))?.trim_start();
    }
    model.check().map_err(|e| e.message().trim_start_matches("variogram: ").to_owned())?;
    Ok(model)
}

fn term(name: &str, arguments: &str, model: &mut Model) -> std::result::Result<(), String> {
    let (mut numbers, mut anisotropy) = (Vec::new(), None);
    for part in arguments.split(',').map(str::trim) {
        if let Some(value) = part.strip_prefix("aniso=") {
            let (azimuth, ratio) = value.split_once(':').ok_or("aniso takes azimuth:ratio, such as aniso=30:0.5")?;
            anisotropy = Some(Anisotropy { azimuth: number(azimuth)?, ratio: number(ratio)? });
        } else {
            numbers.push(number(part)?);
        }
    }
    let lower = name.to_ascii_lowercase();
    if lower == "nug" || lower == "err" {
        let sill = match numbers[..] {
            [c] => c,
            [c, 0.0] => c,
            _ => return Err(format!("{lower} takes one number, the variance")),
        };
        if anisotropy.is_some() {
            return Err(format!("{lower} has no anisotropy"));
        }
        *(if lower == "nug" { &mut model.nugget } else { &mut model.error }) += sill;
        return Ok(());
    }
    let shape = Shape::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Shape::ALL.iter().map(|(_, n)| *n).collect();
        format!("model {:?} is not known; there are nug err {}", shorten(name), names.join(" "))
    })?;
    let (psill, range, kappa) = match (shape.has_kappa(), &numbers[..]) {
        (false, &[psill, range]) => (psill, range, 0.5),
        (true, &[psill, range, kappa]) => (psill, range, kappa),
        (false, n) => return Err(format!("{lower} takes (psill, range), found {} numbers", n.len())),
        (true, n) => return Err(format!("{lower} takes (psill, range, kappa), found {} numbers", n.len())),
    };
    model.structures.push(Structure { shape, psill, range, kappa, anisotropy });
    Ok(())
}

fn number(text: &str) -> std::result::Result<f64, String> {
    let t = text.trim();
    // `inf` and `nan` parse as f64 but are no parameters.
    let plain = t.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    t.parse().ok().filter(|v: &f64| plain && v.is_finite()).ok_or_else(|| format!("{:?} is not a number", shorten(t)))
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        let mut plus = |f: &mut fmt::Formatter<'_>| {
            let text = if std::mem::take(&mut first) { "" } else { "+" };
            f.write_str(text)
        };
        for (name, v) in [("nug", self.nugget), ("err", self.error)] {
            if v > 0.0 {
                plus(f)?;
                write!(f, "{name}({v})")?;
            }
        }
        for s in &self.structures {
            plus(f)?;
            write!(f, "{}({},{}", s.shape.name(), s.psill, s.range)?;
            if s.shape.has_kappa() {
                write!(f, ",{}", s.kappa)?;
            }
            if let Some(a) = s.anisotropy {
                write!(f, ",aniso={}:{}", a.azimuth, a.ratio)?;
            }
            f.write_str(")")?;
        }
        if self.nugget == 0.0 && self.error == 0.0 && self.structures.is_empty() {
            f.write_str("nug(0)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for text in [
            "nug(0.05)+sph(0.59,897)",
            "sph(0.6,1000,aniso=30:0.5)",
            "err(0.1)+mat(0.6,200,0.8)",
            "nug(2)",
            "lin(0.0006,0)",
        ] {
            assert_eq!(text.parse::<Model>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn signs_inside_numbers_do_not_split_terms() {
        let m: Model = " Nug( 5e-2 ) + Exp(1e+1, 2.5e2) ".parse().unwrap();
        assert_eq!((m.nugget, m.structures[0].psill, m.structures[0].range), (0.05, 10.0, 250.0));
    }

    #[test]
    fn mistakes_are_named() {
        let e = |t: &str| t.parse::<Model>().unwrap_err().to_string();
        assert!(e("shp(1,2)").contains("not known"));
        assert!(e("sph(1)").contains("(psill, range)"));
        assert!(e("sph(1,2").contains("not closed"));
        assert!(e("sph(1,2)exp(1,2)").contains("expected +"));
        assert!(e("sph(inf,2)").contains("not a number"));
        assert!(e("sph(1,2,aniso=30:2)").contains("ratio"));
        assert!(e("").contains("expected name"));
        assert!(e("ste(1,2)").contains("kappa"));
    }
}
