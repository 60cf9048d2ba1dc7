//! Coordinate transforms between reference systems.
//!
//! Projections are exact to well below a centimetre. Datum shifts are not: national datums are tied to WGS 84 by
//! published three- or seven-parameter shifts (usually 1 to 20 m), and modern global ones (ETRS 89, NAD 83, GDA 2020) are taken as
//! WGS 84 although they drifted 0.5 to 2 m apart. [`Transform::accuracy_note`] says which of the two happened.

use std::fmt::Write as _;

use proj4rs::Proj;
use proj4rs::transform::transform;

use super::crs::{Crs, CrsKind};
use crate::error::{Error, Result};

/// Moves points from one reference system to another; x is easting or longitude in degrees, y northing or latitude.
pub struct Transform {
    path: Option<Box<Path>>,
    from: String,
    to: String,
    note: Option<String>,
}

struct Path {
    from: Proj,
    to: Proj,
    from_degrees: bool,
    to_degrees: bool,
    /// Largest distance, in units of the source, a point may come back from where it started.
    tolerance: f64,
}

impl Transform {
    /// The transform from one system to another.
    ///
    /// # Errors
    /// Input error that names both systems where one is local, has a projection that is not supported, or where no
    /// relation between the datums is known.
    pub fn new(from: &Crs, to: &Crs) -> Result<Self> {
        let names = (from.to_string(), to.to_string());
        if from == to {
            return Ok(Self { path: None, from: names.0, to: names.1, note: None });
        }
        if from.kind == CrsKind::Local || to.kind == CrsKind::Local {
            return Err(Error::input(format!(
                "cannot transform from {from} to {to}: local coordinates have no place on Earth; state the true CRS"
            )));
        }
        // One datum: points stay on it, even where the two definitions tie it to WGS 84 by different parameters.
        let shift = from.datum() != to.datum();
        let note = if shift { Some(relation(from, to)?) } else { None };
        let path = Path {
            from: proj(from, shift)?,
            to: proj(to, shift)?,
            from_degrees: from.is_geographic(),
            to_degrees: to.is_geographic(),
            tolerance: if from.is_geographic() { 1e-5 } else { 1.0 / from.metres_per_unit },
        };
        Ok(Self { path: Some(Box::new(path)), from: names.0, to: names.1, note })
    }

    /// True where both systems are the same.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.path.is_none()
    }

    /// How well the datums are tied, in words; nothing where both share a datum.
    #[must_use]
    pub fn accuracy_note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The position of a point in the other system.
    ///
    /// # Errors
    /// Input error that names the point where it lies outside the validity of either system (found by going back).
    pub fn point(&self, x: f64, y: f64) -> Result<(f64, f64)> {
        let Some(path) = &self.path else { return Ok((x, y)) };
        path.point(x, y)
            .ok_or_else(|| Error::input(format!("point ({x}, {y}) in {} has no position in {}", self.from, self.to)))
    }

    /// Transforms points in place.
    ///
    /// # Errors
    /// As [`Transform::point`], at the first point that fails.
    pub fn points(&self, points: &mut [(f64, f64)]) -> Result<()> {
        points.iter_mut().try_for_each(|p| self.point(p.0, p.1).map(|q| *p = q))
    }
}

impl Path {
    fn point(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        if !x.is_finite() || !y.is_finite() || (self.from_degrees && (y.abs() > 90.0 || x.abs() > 540.0)) {
            return None;
        }
        let there = step(&self.from, self.from_degrees, &self.to, self.to_degrees, (x, y))?;
        let back = step(&self.to, self.to_degrees, &self.from, self.from_degrees, there)?;
        let dx = back.0 - x;
        // Longitudes come back in −180..180; a pole has them all.
        let dx = if self.from_degrees { (dx - 360.0 * (dx / 360.0).round()) * y.to_radians().cos() } else { dx };
        (dx.hypot(back.1 - y) <= self.tolerance).then_some(there)
    }
}

fn step(from: &Proj, from_degrees: bool, to: &Proj, to_degrees: bool, p: (f64, f64)) -> Option<(f64, f64)> {
    let mut q = if from_degrees { (p.0.to_radians(), p.1.to_radians(), 0.0) } else { (p.0, p.1, 0.0) };
    transform(from, to, &mut q).ok()?;
    let q = if to_degrees { (q.0.to_degrees(), q.1.to_degrees()) } else { (q.0, q.1) };
    (q.0.is_finite() && q.1.is_finite()).then_some(q)
}

/// Projections compared with PROJ at five points of the areas of use of all 5,700 plane and geographic EPSG systems:
/// within 1 cm in every system not refused here. Oblique Mercator other than the Swiss is left out for want of data.
const SUPPORTED: &[&str] = &[
    "longlat", "latlong", "utm", "etmerc", "lcc", "merc", "webmerc", "laea", "aea", "stere", "sterea", "somerc",
    "krovak", "cea", "eqc", "sinu", "poly", "cass", "aeqd",
];

/// Systems whose definition does not say what EPSG means: spherical formulas on an ellipsoid (EASE-Grid), axes that point
/// south and west (Krovak and Cassini of the first kind).
const MISLEADING: &[u16] = &[2065, 3408, 3409, 3410, 3785, 3973, 3974, 3975, 5513, 6996, 6997, 8044, 8045];

/// Ellipsoids of the datums that definitions name without one.
const ELLIPSOIDS: &[(&str, &str)] = &[
    ("WGS84", "WGS84"),
    ("NAD83", "GRS80"),
    ("NAD27", "clrk66"),
    ("GGRS87", "GRS80"),
    ("OSGB36", "airy"),
    ("carthage", "clrk80ign"),
    ("hermannskogel", "bessel"),
    ("ire65", "mod_airy"),
    ("nzgd49", "intl"),
    ("potsdam", "bessel"),
];

/// The projection of a system as the projection library takes it; without its datum, points stay on their ellipsoid.
pub(super) fn proj(crs: &Crs, with_datum: bool) -> Result<Proj> {
    let mut p = crs.parameters();
    let name = p.get("proj").cloned().unwrap_or_default();
    // The series of Poder and Engsager, which PROJ uses for every transverse Mercator; plain tmerc is good to a zone only.
    let name = if name == "tmerc" { "etmerc".to_owned() } else { name };
    let refuse =
        |why: &str| Err(Error::input(format!("CRS {crs} {why}; reproject to a UTM zone first (gdalwarp -t_srs)")));
    if !SUPPORTED.contains(&name.as_str()) {
        return refuse(&format!("uses projection {name:?}, which is not supported"));
    }
    if crs.epsg.is_some_and(|n| MISLEADING.contains(&n)) {
        return refuse("is spherical or has axes that point south and west, which is not supported");
    }
    if crs.is_geographic() && !crs.in_degrees() {
        return refuse("does not count in degrees, which is not supported");
    }
    match p.get("axis").map(String::as_str) {
        None | Some("enu") => {}
        // x is east in every raster and vector file whatever the order of the definition.
        Some("neu") => drop(p.remove("axis")),
        Some(axis) => return refuse(&format!("has axes {axis:?}, and files disagree on the signs")),
    }
    p.insert("proj".into(), name);
    // EPSG means the variant of the Royal Geographical Society; the library's clrk80 has another flattening (6 cm).
    if crs.epsg.is_some() && p.get("ellps").is_some_and(|e| e == "clrk80") {
        p.remove("ellps");
        p.extend([("a".to_owned(), "6378249.145".to_owned()), ("rf".to_owned(), "293.465".to_owned())]);
    }
    if !with_datum {
        p.remove("towgs84");
        p.remove("nadgrids");
        if let Some(datum) = p.remove("datum")
            && let Some((_, ellipsoid)) = ELLIPSOIDS.iter().find(|(d, _)| *d == datum)
        {
            p.entry("ellps".into()).or_insert_with(|| (*ellipsoid).to_owned());
        }
    }
    let mut text = String::new();
    for (k, v) in &p {
        let _ = if v.is_empty() { write!(text, "+{k} ") } else { write!(text, "+{k}={v} ") };
    }
    Proj::from_proj_string(&text).map_err(|e| Error::input(format!("CRS {crs} cannot be used: {e}")))
}

/// Datums whose published parameters, or their absence, put every tested point more than 70 m from where PROJ puts it.
const DOUBTFUL: &[&str] = &[
    "Fatu Iva 72",
    "Final Datum 1958",
    "Grenada 1953",
    "Guam 1963",
    "IG05 12 Intermediate Datum",
    "IG05/12 Intermediate Datum",
    "IGN63 Hiva Oa",
    "Indian 1975",
    "K0 1949",
    "Katanga 1955",
    "Locodjo 1965",
    "Manoca",
    "Militar Geographische Institut Ferro",
    "Monte Mario Rome",
    "Nouakchott 1965",
    "Pampa del Castillo",
    "Point 58",
    "Popular Visualisation Datum",
    "Porto Santo 1995",
    "Qornoq",
    "Reseau Geodesique Nouvelle Caledonie 1991",
    "Solomon 1968",
    "System Jednotne Trigonometricke Site Katastralni Ferro",
    "Viti Levu 1916",
];

/// How a definition is tied to WGS 84.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tie {
    /// Taken as WGS 84 (zero shift, or a modern ellipsoid without one).
    Same,
    /// By three or seven published parameters.
    Shift(usize),
    /// Not at all.
    Unknown,
}

fn tie(crs: &Crs) -> Tie {
    if DOUBTFUL.contains(&crs.datum().as_str()) {
        return Tie::Unknown;
    }
    let p = crs.parameters();
    let modern = p.get("ellps").is_none_or(|e| ["GRS80", "WGS84"].contains(&e.as_str())) && !p.contains_key("R");
    if let Some(grids) = p.get("nadgrids") {
        return if grids == "@null" { Tie::Same } else { Tie::Unknown };
    }
    if let Some(t) = p.get("towgs84") {
        let n: Vec<f64> = t.split(',').filter_map(|v| v.trim().parse().ok()).collect();
        return match n.iter().rposition(|v| *v != 0.0) {
            None => Tie::Same,
            Some(last) => Tie::Shift(if last < 3 { 3 } else { 7 }),
        };
    }
    match p.get("datum").map(String::as_str) {
        Some("WGS84" | "NAD83") => Tie::Same,
        Some("NAD27") => Tie::Unknown,
        Some("GGRS87" | "carthage") => Tie::Shift(3),
        Some(_) => Tie::Shift(7),
        None if modern && !p.contains_key("a") => Tie::Same,
        None => Tie::Unknown,
    }
}

/// What is said about the datum shift; an error where there is none to apply.
fn relation(from: &Crs, to: &Crs) -> Result<String> {
    let (a, b) = (from.datum(), to.datum());
    let how = match (tie(from), tie(to)) {
        (Tie::Unknown, _) | (_, Tie::Unknown) => {
            return Err(Error::input(format!(
                "cannot transform from {from} ({a}) to {to} ({b}): no datum shift is known here, and without one the error \
                 can reach hundreds of metres; reproject with a program that has the shift grid"
            )));
        }
        (Tie::Same, Tie::Same) => {
            return Ok(format!("datums {a} and {b} are taken as the same (null shift, ballpark: up to about 2 m)"));
        }
        (Tie::Shift(n), Tie::Same) | (Tie::Same, Tie::Shift(n)) => n,
        (Tie::Shift(n), Tie::Shift(m)) => n.min(m),
    };
    let metres = if how == 3 { "5 to 20 m, in places over 100 m" } else { "1 to 10 m" };
    Ok(format!(
        "datum shift from {a} to {b} by {how} published parameters, without a shift grid: accuracy usually {metres}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(a: &str, b: &str) -> Result<Transform> {
        Transform::new(&Crs::parse(a).unwrap(), &Crs::parse(b).unwrap())
    }

    #[test]
    fn central_meridian_of_utm_is_half_a_million() {
        let t = between("EPSG:4326", "EPSG:32634").unwrap();
        let (x, y) = t.point(21.0, 0.0).unwrap();
        assert!((x - 500_000.0).abs() < 1e-6 && y.abs() < 1e-6);
        assert!(t.accuracy_note().is_none());
    }

    #[test]
    fn local_goes_to_itself_only() {
        assert_eq!(between("local", "local").unwrap().point(3.0, 4.0).unwrap(), (3.0, 4.0));
        assert!(between("local", "EPSG:32634").is_err());
    }

    #[test]
    fn null_shift_is_said_and_unknown_shift_refused() {
        assert!(between("EPSG:28355", "EPSG:7855").unwrap().accuracy_note().unwrap().contains("ballpark"));
        assert!(between("EPSG:27700", "EPSG:4326").unwrap().accuracy_note().unwrap().contains("7 published"));
        assert!(between("EPSG:2056", "EPSG:4326").unwrap().accuracy_note().unwrap().contains("3 published"));
        assert!(between("EPSG:26718", "EPSG:4326").err().unwrap().message().contains("no datum shift"));
        assert!(between("EPSG:2000", "EPSG:4326").err().unwrap().message().contains("no datum shift"));
    }

    #[test]
    fn points_off_the_map_are_errors() {
        let t = between("EPSG:4326", "EPSG:32634").unwrap();
        assert!(t.point(0.0, 91.0).is_err());
        assert!(t.point(f64::NAN, 0.0).is_err());
        assert!(t.point(120.0, 1.0).is_err());
    }
}
