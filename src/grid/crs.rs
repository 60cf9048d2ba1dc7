//! Coordinate reference systems.

use std::collections::BTreeMap;
use std::fmt;

use super::wkt;
use crate::error::{Error, Result};

/// What the coordinates of a CRS are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrsKind {
    /// Longitude and latitude in degrees (x is longitude, always).
    Geographic,
    /// Plane coordinates on a map projection.
    Projected,
    /// Plane coordinates in metres without a place on Earth (`--crs local`).
    Local,
}

/// A coordinate reference system: an EPSG code where one is known, and the PROJ definition that transforms use.
#[derive(Clone, Debug)]
pub struct Crs {
    /// EPSG code.
    pub epsg: Option<u16>,
    /// Name for people (`WGS 84 / UTM zone 34N`).
    pub name: String,
    /// PROJ string (`+proj=utm +zone=34 …`); empty for [`CrsKind::Local`].
    pub definition: String,
    /// What the coordinates are.
    pub kind: CrsKind,
    /// Metres per coordinate unit (1 for metres, 0.3048006… for US survey feet, 1 for degrees, where it means nothing).
    pub metres_per_unit: f64,
}

impl Crs {
    /// Plane coordinates in metres without a place on Earth.
    #[must_use]
    pub fn local() -> Self {
        Self { epsg: None, name: "local".into(), definition: String::new(), kind: CrsKind::Local, metres_per_unit: 1.0 }
    }

    /// The CRS with an EPSG code.
    ///
    /// # Errors
    /// Input error that names the unknown code, or says why it cannot carry a raster (geocentric systems).
    pub fn from_epsg(code: u16) -> Result<Self> {
        let def = crs_definitions::from_code(code)
            .ok_or_else(|| Error::input(format!("EPSG:{code} is not a known coordinate reference system")))?;
        let name = wkt::name(def.wkt).unwrap_or_else(|| format!("EPSG:{code}"));
        Self::from_proj(def.proj4, Some(code), &name)
    }

    /// The CRS of a PROJ string.
    ///
    /// # Errors
    /// Input error where the definition cannot be used: no or a geocentric `+proj`, unknown units.
    pub fn from_proj(definition: &str, epsg: Option<u16>, name: &str) -> Result<Self> {
        let p = parameters(definition);
        let label = epsg.map_or_else(|| name.to_owned(), |n| format!("EPSG:{n}"));
        let kind = match p.get("proj").map(String::as_str) {
            Some("longlat" | "latlong" | "lonlat" | "latlon") => CrsKind::Geographic,
            Some("geocent" | "cart") => {
                return Err(Error::input(format!(
                    "CRS {label} is geocentric (x, y, z); a raster needs plane or lon/lat"
                )));
            }
            Some(_) => CrsKind::Projected,
            None => return Err(Error::input(format!("CRS {label}: {definition:?} has no +proj"))),
        };
        let metres_per_unit = if kind == CrsKind::Geographic { 1.0 } else { unit(&p, &label)? };
        Ok(Self { epsg, name: name.into(), definition: definition.into(), kind, metres_per_unit })
    }

    /// The CRS of a WKT text (WKT 1 of GDAL or ESRI `.prj`, WKT 2): by its authority code where it has one, else by its
    /// projection method and parameters.
    ///
    /// # Errors
    /// Input error that names what is not understood.
    pub fn from_wkt(text: &str) -> Result<Self> {
        let (code, name, definition) = wkt::read(text)?;
        match (code, definition) {
            (Some(code), _) => Self::from_epsg(code),
            (None, Some(definition)) => Self::from_proj(&definition, None, &name),
            (None, None) => Err(Error::input(format!("CRS {name:?}: no EPSG code and no known projection method"))),
        }
    }

    /// `EPSG:n`, `OGC:CRS84`, a URN or URL of either, `local`, a PROJ string or WKT.
    ///
    /// # Errors
    /// Usage error that says what is allowed; input error where a known form names an unknown system.
    pub fn parse(text: &str) -> Result<Self> {
        let t = text.trim();
        if t.eq_ignore_ascii_case("local") {
            return Ok(Self::local());
        }
        if t.starts_with('+') && t.contains("+proj=") {
            return Self::from_proj(t, None, t);
        }
        if t.ends_with(']') && t.contains('[') {
            return Self::from_wkt(t);
        }
        // `urn:ogc:def:crs:EPSG:9.9:32634`, `http://www.opengis.net/def/crs/EPSG/0/4326` and `EPSG:4326` all have the
        // authority somewhere and the code last.
        let parts: Vec<&str> = t.split([':', '/', '#']).filter(|s| !s.is_empty()).collect();
        let says = |name: &str| parts.iter().rev().skip(1).any(|p| p.eq_ignore_ascii_case(name));
        let last = parts.last().copied().unwrap_or_default();
        if ["CRS84", "CRS84h", "WGS84"].iter().any(|n| n.eq_ignore_ascii_case(last)) {
            return Self::from_epsg(4326);
        }
        let code = if says("EPSG") || says("ESRI") { last.parse::<u32>().ok() } else { None };
        match code {
            // Codes other programs invented for Web Mercator before it had its own.
            Some(900_913 | 102_100 | 102_113) => Self::from_epsg(3857),
            Some(code) => match u16::try_from(code) {
                Ok(code) => Self::from_epsg(code),
                Err(_) => Err(Error::input(format!("{t} is not a known coordinate reference system"))),
            },
            None => Err(Error::usage(format!("CRS {t:?} is not understood; write EPSG:n, local or a +proj= string"))),
        }
    }

    /// True for longitude and latitude.
    #[must_use]
    pub fn is_geographic(&self) -> bool {
        self.kind == CrsKind::Geographic
    }

    /// False for the few geographic systems that count in grads.
    #[must_use]
    pub(super) fn in_degrees(&self) -> bool {
        self.epsg.and_then(crs_definitions::from_code).is_none_or(|d| !d.wkt.contains("UNIT[\"grad\""))
    }

    /// Name of the datum, as EPSG spells it where the code is known, else as the PROJ string states it.
    #[must_use]
    pub fn datum(&self) -> String {
        let by_code = self.epsg.and_then(crs_definitions::from_code).and_then(|d| wkt::datum(d.wkt));
        // WKT 1 and WKT 2 spell this one differently.
        let by_code = by_code.map(|d| if d.starts_with("World Geodetic System 1984") { "WGS 1984".into() } else { d });
        by_code.unwrap_or_else(|| {
            let p = parameters(&self.definition);
            ["datum", "ellps", "R", "a"].iter().find_map(|k| p.get(*k)).cloned().unwrap_or_else(|| "WGS84".into())
        })
    }

    /// The parameters of the PROJ string, for comparing and for building transforms.
    #[must_use]
    pub(super) fn parameters(&self) -> BTreeMap<String, String> {
        parameters(&self.definition)
    }

    /// True where both name the same system; two unknown ones count as the same.
    #[must_use]
    pub fn same(a: Option<&Self>, b: Option<&Self>) -> bool {
        match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => a == b,
            _ => false,
        }
    }
}

/// The `+key=value` pairs of a PROJ string; a key without value maps to an empty text.
fn parameters(definition: &str) -> BTreeMap<String, String> {
    definition
        .split_whitespace()
        .filter_map(|w| w.strip_prefix('+'))
        .map(|w| w.split_once('=').unwrap_or((w, "")))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

/// Metres per unit of a projected definition.
fn unit(p: &BTreeMap<String, String>, label: &str) -> Result<f64> {
    if let Some(name) = p.get("units") {
        return proj4rs::units::find_units(name)
            .map(|u| u.to_meter)
            .ok_or_else(|| Error::input(format!("CRS {label}: unit {name:?} is not known")));
    }
    let Some(text) = p.get("to_meter") else { return Ok(1.0) };
    match text.parse::<f64>() {
        Ok(v) if v.is_finite() && v > 0.0 => Ok(v),
        _ => Err(Error::input(format!("CRS {label}: +to_meter={text} is not a length"))),
    }
}

/// One spelling for definitions that mean the same: numbers by value, defaults left out, UTM zones as parameters.
fn canonical(definition: &str) -> BTreeMap<String, String> {
    let mut p = parameters(definition);
    for key in ["no_defs", "wktext", "type", "title", "vunits", "geoidgrids", "vto_meter"] {
        p.remove(key);
    }
    if p.get("proj").is_some_and(|v| ["latlong", "lonlat", "latlon"].contains(&v.as_str())) {
        p.insert("proj".into(), "longlat".into());
    }
    if p.get("proj").is_some_and(|v| v == "etmerc") {
        p.insert("proj".into(), "tmerc".into());
    }
    if p.get("proj").is_some_and(|v| v == "utm")
        && let Some(zone) = p.remove("zone").and_then(|z| z.parse::<f64>().ok())
    {
        let south = p.remove("south").is_some();
        p.insert("proj".into(), "tmerc".into());
        for (k, v) in
            [("lon_0", zone * 6.0 - 183.0), ("k", 0.9996), ("x_0", 5e5), ("y_0", f64::from(u8::from(south)) * 1e7)]
        {
            p.insert(k.into(), v.to_string());
        }
    }
    for (alias, key) in [("k_0", "k"), ("k0", "k")] {
        if let Some(v) = p.remove(alias) {
            p.entry(key.into()).or_insert(v);
        }
    }
    // NAD83 and the zero shift are kept apart from WGS 84 by their ellipsoid, which definitions always state.
    match p.remove("datum").as_deref() {
        Some("WGS84") => drop(p.insert("ellps".into(), "WGS84".into())),
        Some("NAD83") => drop(p.insert("ellps".into(), "GRS80".into())),
        Some(other) => drop(p.insert("datum".into(), other.into())),
        None => {}
    }
    if p.get("towgs84").is_some_and(|t| t.split(',').all(|n| n.trim().parse() == Ok(0.0))) {
        p.remove("towgs84");
    }
    let mut q = BTreeMap::new();
    for (k, v) in p {
        let v = v.parse::<f64>().map_or(v, |n| format!("{:.10}", n + 0.0));
        let default = match k.as_str() {
            "k" => v == "1.0000000000",
            "units" => v == "m",
            "lat_0" | "lon_0" | "x_0" | "y_0" | "lat_ts" => v == "0.0000000000",
            _ => false,
        };
        if !default {
            q.insert(k, v);
        }
    }
    q
}

/// Equal codes are equal; otherwise the definitions decide by meaning, and where both have codes the datums must have
/// one name (SWEREF 99 TM and ETRS 89 / UTM 33N share all numbers, but nobody may merge them unseen).
impl PartialEq for Crs {
    fn eq(&self, other: &Self) -> bool {
        if self.epsg.is_some() && self.epsg == other.epsg {
            return true;
        }
        if self.kind != other.kind {
            return false;
        }
        let both = self.epsg.is_some() && other.epsg.is_some();
        canonical(&self.definition) == canonical(&other.definition) && (!both || self.datum() == other.datum())
    }
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.epsg {
            Some(code) => write!(f, "EPSG:{code}"),
            None => write!(f, "{}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_code_is_understood() {
        for text in [
            "EPSG:32634",
            "epsg:32634",
            "urn:ogc:def:crs:EPSG::32634",
            "urn:ogc:def:crs:EPSG:9.9.1:32634",
            "http://www.opengis.net/def/crs/EPSG/0/32634",
            "+proj=utm +zone=34 +datum=WGS84 +units=m +no_defs",
            "+proj=tmerc +lat_0=0 +lon_0=21 +k=0.9996 +x_0=500000 +y_0=0 +ellps=WGS84 +units=m",
        ] {
            assert_eq!(Crs::parse(text).unwrap(), Crs::from_epsg(32634).unwrap(), "{text}");
        }
        for text in ["OGC:CRS84", "urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4979"] {
            assert_eq!(Crs::parse(text).unwrap(), Crs::from_epsg(4326).unwrap(), "{text}");
        }
        assert_eq!(Crs::parse("EPSG:900913").unwrap().epsg, Some(3857));
        assert_eq!(Crs::parse("EPSG:99999").unwrap_err().kind(), crate::error::Kind::Input);
        assert_eq!(Crs::parse("32634").unwrap_err().kind(), crate::error::Kind::Usage);
    }

    #[test]
    fn systems_with_other_datums_zones_or_units_differ() {
        let crs = |n| Crs::from_epsg(n).unwrap();
        assert_ne!(crs(32634), crs(32635));
        assert_ne!(crs(32634), crs(32734));
        assert_ne!(crs(28355), crs(7855));
        assert_ne!(crs(3006), crs(25833));
        assert_ne!(crs(4326), crs(4269));
        assert_ne!(crs(2263), crs(32118));
        assert_ne!(crs(4326), Crs::local());
    }

    #[test]
    fn names_and_units_come_with_the_code() {
        let ny = Crs::from_epsg(2263).unwrap();
        assert_eq!(ny.name, "NAD83 / New York Long Island (ftUS)");
        assert_eq!(ny.metres_per_unit, 1200.0 / 3937.0);
        assert_eq!(Crs::from_epsg(4326).unwrap().kind, CrsKind::Geographic);
        assert_eq!(Crs::from_epsg(4978).unwrap_err().kind(), crate::error::Kind::Input);
    }
}
