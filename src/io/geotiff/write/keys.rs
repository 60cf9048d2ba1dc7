//! GeoKeys of a CRS, and the tags of a geotransform.
//!
//! Source: OGC GeoTIFF 1.1 (19-008r4), annexes B and C; names of projection parameters as GDAL reads them back.

use std::collections::BTreeMap;

use super::header::{Entry, Values};
use crate::error::{Error, Result};
use crate::grid::crs::CrsKind;
use crate::grid::{Affine, Crs, Grid};

const USER_DEFINED: u16 = 32_767;
const METRE: u16 = 9001;
const DEGREE: u16 = 9102;

/// Tags that say where the pixels are: geotransform, always as areas, and CRS.
///
/// # Errors
/// Input error where the CRS has no EPSG code and no GeoTIFF form: it is never left out in silence.
pub(super) fn place(grid: &Grid) -> Result<Vec<Entry>> {
    let mut tags = Vec::new();
    if let Some(affine) = grid.place() {
        tags.extend(transform(affine));
    }
    // Without a CRS there is nothing to say: areas are the default, and keys alone make GDAL invent an unnamed system.
    if let Some(crs) = grid.crs() {
        let mut keys = Keys::default();
        // 1025 GTRasterType: 1 is PixelIsArea.
        keys.short(1025, 1);
        keys.crs(crs)?;
        tags.extend(keys.tags());
    }
    Ok(tags)
}

fn transform(affine: &Affine) -> Vec<Entry> {
    let g = affine.coefficients();
    if affine.is_axis_aligned() && g[1] > 0.0 && g[5] < 0.0 {
        let tie = vec![0.0, 0.0, 0.0, g[0], g[3], 0.0];
        vec![Entry::new(33_550, Values::Double(vec![g[1], -g[5], 0.0])), Entry::new(33_922, Values::Double(tie))]
    } else {
        let mut m = vec![0.0; 16];
        (m[0], m[1], m[3]) = (g[1], g[2], g[0]);
        (m[4], m[5], m[7]) = (g[4], g[5], g[3]);
        m[15] = 1.0;
        vec![Entry::new(34_264, Values::Double(m))]
    }
}

/// The key directory: numbers by key, with doubles and text in tags of their own.
#[derive(Default)]
struct Keys {
    shorts: BTreeMap<u16, u16>,
    doubles: BTreeMap<u16, Vec<f64>>,
    texts: BTreeMap<u16, String>,
}

impl Keys {
    fn short(&mut self, key: u16, value: u16) {
        self.shorts.insert(key, value);
    }
    fn double(&mut self, key: u16, value: f64) {
        self.doubles.insert(key, vec![value]);
    }
    fn text(&mut self, key: u16, value: &str) {
        // The bar ends a text in the tag that holds them all.
        let ascii = |c: char| if c.is_ascii() && c != '|' && !c.is_control() { c } else { '_' };
        self.texts.insert(key, value.chars().map(ascii).collect());
    }

    fn tags(&self) -> Vec<Entry> {
        let (mut numbers, mut text) = (Vec::new(), String::new());
        let mut rows: BTreeMap<u16, [u16; 4]> = self.shorts.iter().map(|(&k, &v)| (k, [k, 0, 1, v])).collect();
        for (&key, values) in &self.doubles {
            rows.insert(key, [key, 34_736, values.len() as u16, numbers.len() as u16]);
            numbers.extend_from_slice(values);
        }
        for (&key, value) in &self.texts {
            rows.insert(key, [key, 34_737, value.len() as u16 + 1, text.len() as u16]);
            text.push_str(value);
            text.push('|');
        }
        let mut directory = vec![1, 1, 0, rows.len() as u16];
        directory.extend(rows.values().flatten());
        let mut tags = vec![Entry::new(34_735, Values::Short(directory))];
        if !numbers.is_empty() {
            tags.push(Entry::new(34_736, Values::Double(numbers)));
        }
        if !text.is_empty() {
            tags.push(Entry::new(34_737, Values::Ascii(text)));
        }
        tags
    }

    fn crs(&mut self, crs: &Crs) -> Result<()> {
        match (crs.kind, crs.epsg.or_else(|| utm_code(&crs.definition))) {
            (CrsKind::Local, _) => {
                self.short(1024, USER_DEFINED);
                self.text(1026, &crs.name);
                self.short(3076, METRE);
                Ok(())
            }
            (CrsKind::Geographic, Some(code)) => {
                self.short(1024, 2);
                self.short(2048, code);
                self.short(2054, DEGREE);
                Ok(())
            }
            (CrsKind::Projected, Some(code)) => {
                self.short(1024, 1);
                self.short(3072, code);
                Ok(())
            }
            (_, None) => self
                .user_defined(&crs.definition)
                .map_err(|why| {
                    Error::input(format!(
                        "CRS {crs} cannot be written to a GeoTIFF: {why}; use a CRS with an EPSG code"
                    ))
                })
                .inspect(|()| self.text(1026, &crs.name)),
        }
    }

    fn user_defined(&mut self, definition: &str) -> Result<(), String> {
        let mut p = Parameters::parse(definition);
        let projection = p.take("proj").unwrap_or_default();
        if let Some(meridian) = p.take("pm").filter(|m| m != "0" && m != "greenwich") {
            return Err(format!("prime meridian {meridian}"));
        }
        let geographic = matches!(projection.as_str(), "longlat" | "latlong" | "lonlat" | "latlon");
        self.datum(&mut p)?;
        self.short(2054, DEGREE);
        if geographic {
            self.short(1024, 2);
        } else {
            self.short(1024, 1);
            self.short(3072, USER_DEFINED);
            self.short(3074, USER_DEFINED);
            let metres = self.unit(&mut p)?;
            self.projection(&projection, &mut p, metres)?;
        }
        p.nothing_left()
    }

    fn unit(&mut self, p: &mut Parameters) -> Result<f64, String> {
        let factor = p.number("to_meter")?;
        let (code, metres) = match (p.take("units").as_deref(), factor) {
            (_, Some(f)) if (f - 1200.0 / 3937.0).abs() < 1e-12 => (9003, f),
            (_, Some(0.3048)) => (9002, 0.3048),
            (_, Some(1.0)) => (METRE, 1.0),
            (_, Some(f)) if f.is_finite() && f > 0.0 => {
                self.double(3077, f);
                (USER_DEFINED, f)
            }
            (_, Some(f)) => return Err(format!("unit of {f} metres")),
            (None | Some("m"), None) => (METRE, 1.0),
            (Some("ft"), None) => (9002, 0.3048),
            (Some("us-ft"), None) => (9003, 1200.0 / 3937.0),
            (Some("km"), None) => (9036, 1000.0),
            (Some(other), None) => return Err(format!("unit {other}")),
        };
        self.short(3076, code);
        Ok(metres)
    }

    fn datum(&mut self, p: &mut Parameters) -> Result<(), String> {
        let known = match p.take("datum").as_deref() {
            Some("WGS84") => Some(4326),
            Some("NAD83") => Some(4269),
            Some("NAD27") => Some(4267),
            Some(other) => return Err(format!("datum {other}")),
            None => None,
        };
        if let Some(grids) = p.take("nadgrids") {
            return Err(format!("datum grid {grids}"));
        }
        if let Some(code) = known {
            p.forget(&["ellps", "towgs84"]);
            self.short(2048, code);
            return Ok(());
        }
        self.short(2048, USER_DEFINED);
        self.short(2050, USER_DEFINED);
        let (a, b, rf, r) = (p.number("a")?, p.number("b")?, p.number("rf")?, p.number("R")?);
        let ellipsoid = p.take("ellps");
        match (a.or(r), ellipsoid.as_deref()) {
            (Some(a), _) => {
                let flattening = rf.unwrap_or_else(|| match b {
                    Some(b) if a > b => a / (a - b),
                    // 0 stands for a sphere.
                    _ => 0.0,
                });
                self.short(2056, USER_DEFINED);
                self.double(2057, a);
                self.double(2059, flattening);
            }
            (None, Some(name)) => {
                let code = ELLIPSOIDS.iter().find(|(n, _)| *n == name).ok_or(format!("ellipsoid {name}"))?.1;
                self.short(2056, code);
            }
            (None, None) => self.short(2056, 7030),
        }
        self.text(2049, "user-defined");
        if let Some(shift) = p.take("towgs84") {
            let v: Vec<f64> = shift.split(',').map_while(|t| t.trim().parse().ok()).collect();
            if v.len() != 3 && v.len() != 7 {
                return Err(format!("datum shift {shift}"));
            }
            self.doubles.insert(2062, v);
        }
        Ok(())
    }

    /// Projection method and parameters; lengths in the file are in the unit of the CRS, PROJ's are in metres.
    fn projection(&mut self, name: &str, p: &mut Parameters, metres: f64) -> Result<(), String> {
        let mut p_utm;
        let (name, p) = if name == "utm" {
            let zone = p.number("zone")?.filter(|z| (1.0..=60.0).contains(z)).ok_or("UTM zone")?;
            let south = if p.take("south").is_some() { "+y_0=10000000" } else { "" };
            p_utm = Parameters::parse(&format!("+lon_0={} +k=0.9996 +x_0=500000 {south}", zone * 6.0 - 183.0));
            p_utm.0.append(&mut p.0);
            std::mem::swap(&mut p_utm, p);
            ("tmerc", p)
        } else {
            (name, p)
        };
        let mut angle = |key: &str| Ok::<f64, String>(p.number(key)?.unwrap_or(0.0));
        let (lon, lat, lat1, lat2) = (angle("lon_0")?, angle("lat_0")?, p.number("lat_1")?, p.number("lat_2")?);
        let true_scale = p.number("lat_ts")?;
        let scale = p.number("k_0")?.or(p.number("k")?);
        let (x, y) = (p.number("x_0")?.unwrap_or(0.0) / metres, p.number("y_0")?.unwrap_or(0.0) / metres);
        let k = scale.unwrap_or(1.0);
        // (method, doubles): 3078 first and 3079 second standard parallel, 3080 and 3081 natural origin, 3082 and 3083
        // false easting and northing, 3084 to 3087 the same of a false origin, 3088 and 3089 centre, 3092 scale, 3095
        // meridian pointing up from a pole.
        let (method, values): (u16, Vec<(u16, f64)>) = match (name, lat1) {
            ("tmerc" | "etmerc", _) => (1, vec![(3080, lon), (3081, lat), (3092, k)]),
            ("lcc", Some(l1)) if lat2.is_some_and(|l2| l2 != l1) => {
                let l2 = lat2.unwrap_or(l1);
                self.double(3078, l1);
                self.double(3079, l2);
                self.short(3075, 8);
                for (key, v) in [(3084, lon), (3085, lat), (3086, x), (3087, y)] {
                    self.double(key, v);
                }
                return if scale.is_none_or(|k| k == 1.0) { Ok(()) } else { Err("scale with two parallels".into()) };
            }
            ("lcc", Some(l1)) if lat == l1 => (9, vec![(3080, lon), (3081, l1), (3092, k)]),
            ("aea", Some(l1)) => (11, vec![(3078, l1), (3079, lat2.unwrap_or(l1)), (3080, lon), (3081, lat)]),
            ("laea", None) => (10, vec![(3088, lon), (3089, lat)]),
            ("aeqd", None) => (12, vec![(3088, lon), (3089, lat)]),
            ("merc", None) => match true_scale {
                Some(ts) => (7, vec![(3078, ts), (3080, lon), (3081, 0.0)]),
                None => (7, vec![(3080, lon), (3081, 0.0), (3092, k)]),
            },
            ("stere", None) if lat.abs() == 90.0 => {
                (15, vec![(3081, true_scale.unwrap_or(lat)), (3095, lon), (3092, k)])
            }
            ("sterea", None) => (16, vec![(3080, lon), (3081, lat), (3092, k)]),
            ("eqc", None) => (17, vec![(3078, true_scale.unwrap_or(0.0)), (3088, lon), (3089, lat)]),
            ("cass", None) => (18, vec![(3080, lon), (3081, lat)]),
            ("poly", None) => (22, vec![(3080, lon), (3081, lat), (3092, 1.0)]),
            ("sinu", None) => (24, vec![(3088, lon)]),
            ("cea", None) => (28, vec![(3078, true_scale.unwrap_or(0.0)), (3080, lon)]),
            _ => return Err(format!("projection {name:?} with these parameters")),
        };
        if k != 1.0 && !values.iter().any(|(key, _)| *key == 3092) {
            return Err(format!("scale factor {k}"));
        }
        self.short(3075, method);
        for (key, v) in values.into_iter().chain([(3082, x), (3083, y)]) {
            self.double(key, v);
        }
        Ok(())
    }
}

const ELLIPSOIDS: &[(&str, u16)] = &[
    ("WGS84", 7030),
    ("GRS80", 7019),
    ("bessel", 7004),
    ("clrk66", 7008),
    ("clrk80", 7034),
    ("clrk80ign", 7011),
    ("intl", 7022),
    ("krass", 7024),
    ("airy", 7001),
    ("mod_airy", 7002),
    ("aust_SA", 7003),
    ("evrst30", 7015),
    ("WGS72", 7043),
    ("GRS67", 7036),
    ("helmert", 7020),
];

/// EPSG code of a plain `+proj=utm` on WGS 84.
fn utm_code(definition: &str) -> Option<u16> {
    let mut p = Parameters::parse(definition);
    if p.take("proj")? != "utm" || p.take("datum")? != "WGS84" || p.take("units").is_some_and(|u| u != "m") {
        return None;
    }
    let zone: u16 = p.take("zone")?.parse().ok().filter(|z| (1..=60).contains(z))?;
    let base = if p.take("south").is_some() { 32_700 } else { 32_600 };
    p.nothing_left().ok().map(|()| base + zone)
}

/// The `+key=value` words of a PROJ string; what nobody took is not understood.
struct Parameters(BTreeMap<String, String>);

impl Parameters {
    fn parse(definition: &str) -> Self {
        let words = definition.split_whitespace().map(|w| w.trim_start_matches('+'));
        let pair = |w: &str| {
            let (k, v) = w.split_once('=').unwrap_or((w, ""));
            (k.to_owned(), v.to_owned())
        };
        let mut p = Self(words.map(pair).collect());
        p.forget(&["no_defs", "type", "wktext"]);
        p
    }
    fn take(&mut self, key: &str) -> Option<String> {
        self.0.remove(key)
    }
    fn forget(&mut self, keys: &[&str]) {
        keys.iter().for_each(|k| drop(self.0.remove(*k)));
    }
    fn number(&mut self, key: &str) -> Result<Option<f64>, String> {
        let Some(text) = self.take(key) else { return Ok(None) };
        text.parse::<f64>().ok().filter(|v| v.is_finite()).map(Some).ok_or_else(|| format!("+{key}={text}"))
    }
    fn nothing_left(self) -> Result<(), String> {
        match self.0.first_key_value() {
            Some((k, v)) => Err(format!("+{k}={v}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(definition: &str) -> Result<BTreeMap<u16, u16>> {
        let mut k = Keys::default();
        k.crs(&Crs::from_proj(definition, None, "x").unwrap()).map(|()| k.shorts)
    }

    #[test]
    fn epsg_codes_are_written_as_they_are() {
        let mut k = Keys::default();
        k.crs(&Crs::from_epsg(32634).unwrap()).unwrap();
        assert_eq!((k.shorts[&1024], k.shorts[&3072]), (1, 32634));
        let mut k = Keys::default();
        k.crs(&Crs::from_epsg(4326).unwrap()).unwrap();
        assert_eq!((k.shorts[&1024], k.shorts[&2048]), (2, 4326));
    }

    #[test]
    fn plain_utm_finds_its_code_and_other_ellipsoids_do_not() {
        assert_eq!(keys("+proj=utm +zone=34 +south +datum=WGS84 +units=m +no_defs").unwrap()[&3072], 32734);
        let intl = keys("+proj=utm +zone=34 +ellps=intl +units=m").unwrap();
        assert_eq!((intl[&3072], intl[&3075], intl[&2056]), (32_767, 1, 7022));
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (definition, part) in [
            ("+proj=krovak +lat_0=49.5 +ellps=bessel", "projection \"krovak\""),
            ("+proj=tmerc +lon_0=9 +ellps=bessel +nadgrids=a.gsb", "a.gsb"),
            ("+proj=tmerc +lon_0=9 +ellps=bessel +axis=neu", "+axis=neu"),
            ("+proj=tmerc +lon_0=nine +datum=WGS84", "+lon_0=nine"),
            ("+proj=utm +zone=99 +datum=NAD83", "UTM zone"),
        ] {
            let e = keys(definition).unwrap_err().to_string();
            assert!(e.contains(part) && e.contains("EPSG"), "{definition}: {e}");
        }
    }

    #[test]
    fn feet_are_converted_from_proj_metres() {
        let mut k = Keys::default();
        let crs = Crs::from_proj("+proj=tmerc +lon_0=-90 +x_0=304.8 +datum=NAD83 +units=ft", None, "x").unwrap();
        k.crs(&crs).unwrap();
        assert_eq!(k.doubles[&3082], [1000.0]);
    }

    #[test]
    fn rotated_and_south_up_grids_use_the_matrix() {
        let tag = |g| transform(&Affine::from_gdal(g))[0].tag;
        assert_eq!(tag([0.0, 10.0, 0.0, 0.0, 0.0, -10.0]), 33_550);
        assert_eq!(tag([0.0, 10.0, 0.0, 0.0, 0.0, 10.0]), 34_264);
        assert_eq!(tag([0.0, 10.0, 1.0, 0.0, 1.0, -10.0]), 34_264);
    }
}
