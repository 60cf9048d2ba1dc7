//! Coordinate systems a file defines by parameters instead of a code, as PROJ strings.

use super::geokeys::{GeoKeys, USER_DEFINED, key};
use crate::grid::Crs;

/// Numbers of the keys of user-defined systems.
mod id {
    pub(super) const GEOG_CITATION: u16 = 2049;
    pub(super) const DATUM: u16 = 2050;
    pub(super) const ANGULAR_UNITS: u16 = 2054;
    pub(super) const ANGULAR_UNIT_SIZE: u16 = 2055;
    pub(super) const ELLIPSOID: u16 = 2056;
    pub(super) const SEMI_MAJOR: u16 = 2057;
    pub(super) const SEMI_MINOR: u16 = 2058;
    pub(super) const INVERSE_FLATTENING: u16 = 2059;
    pub(super) const PRIME_MERIDIAN: u16 = 2061;
    pub(super) const TO_WGS84: u16 = 2062;
    pub(super) const PROJECTION: u16 = 3074;
    pub(super) const METHOD: u16 = 3075;
    pub(super) const LINEAR_UNITS: u16 = 3076;
    pub(super) const LINEAR_UNIT_SIZE: u16 = 3077;
    pub(super) const PARALLEL_1: u16 = 3078;
    pub(super) const PARALLEL_2: u16 = 3079;
    pub(super) const ORIGIN_LON: u16 = 3080;
    pub(super) const ORIGIN_LAT: u16 = 3081;
    pub(super) const FALSE_EASTING: u16 = 3082;
    pub(super) const FALSE_NORTHING: u16 = 3083;
    pub(super) const FALSE_ORIGIN_LON: u16 = 3084;
    pub(super) const FALSE_ORIGIN_LAT: u16 = 3085;
    pub(super) const FALSE_ORIGIN_EASTING: u16 = 3086;
    pub(super) const FALSE_ORIGIN_NORTHING: u16 = 3087;
    pub(super) const CENTRE_LON: u16 = 3088;
    pub(super) const CENTRE_LAT: u16 = 3089;
    pub(super) const CENTRE_EASTING: u16 = 3090;
    pub(super) const CENTRE_NORTHING: u16 = 3091;
    pub(super) const SCALE: u16 = 3092;
    pub(super) const CENTRE_SCALE: u16 = 3093;
    pub(super) const AZIMUTH: u16 = 3094;
    pub(super) const POLE_LON: u16 = 3095;
    pub(super) const RECTIFIED_ANGLE: u16 = 3096;
}

/// A geographic system by datum or ellipsoid.
///
/// # Errors
/// What is missing, in words.
pub(super) fn geographic(keys: &GeoKeys) -> Result<Crs, String> {
    if degrees(keys)? != 1.0 {
        return Err("a user-defined geographic system in units other than degrees is not supported".into());
    }
    let definition = format!("+proj=longlat {} +no_defs", datum(keys)?);
    let name = keys.text(id::GEOG_CITATION).map_or_else(|| keys.name(), str::to_owned);
    Crs::from_proj(&definition, None, label(&name, &definition)).map_err(|e| e.message().to_owned())
}

/// A projected system by projection code or by method and parameters.
///
/// # Errors
/// What is missing or unknown, in words.
pub(super) fn projected(keys: &GeoKeys) -> Result<Crs, String> {
    let message = |e: crate::Error| e.message().to_owned();
    if let Some(wkt) = keys.esri_wkt() {
        return Crs::from_wkt(wkt).map_err(message);
    }
    let metres = linear_unit(keys)?;
    let projection = match keys.short(id::PROJECTION) {
        // Codes of UTM zones: 16001-16060 north, 16101-16160 south.
        Some(code @ 16001..=16060) => format!("+proj=utm +zone={}", code - 16000),
        Some(code @ 16101..=16160) => format!("+proj=utm +zone={} +south", code - 16100),
        None | Some(USER_DEFINED) => method(keys, metres)?,
        Some(code) => return Err(format!("projection code {code} is not supported")),
    };
    let unit = if metres == 1.0 { "+units=m".to_owned() } else { format!("+to_meter={metres}") };
    let definition = format!("{projection} {} {unit} +no_defs", datum(keys)?);
    Crs::from_proj(&definition, None, label(&keys.name(), &definition)).map_err(message)
}

/// The name the file gives, or the definition where it gives none.
fn label<'a>(name: &'a str, definition: &'a str) -> &'a str {
    if name.is_empty() || name.eq_ignore_ascii_case("unknown") || name.eq_ignore_ascii_case("unnamed") {
        definition
    } else {
        name
    }
}

/// Degrees per angular unit of the file.
fn degrees(keys: &GeoKeys) -> Result<f64, String> {
    match keys.short(id::ANGULAR_UNITS) {
        None | Some(9102 | 9122) => Ok(1.0),
        Some(9101) => Ok(180.0 / std::f64::consts::PI),
        Some(9105 | 9106) => Ok(0.9),
        Some(USER_DEFINED) => keys
            .double(id::ANGULAR_UNIT_SIZE)
            .filter(|v| v.is_finite() && *v > 0.0)
            .map(f64::to_degrees)
            .map(|d| if (d - 1.0).abs() < 1e-12 { 1.0 } else { d })
            .ok_or_else(|| "the angular unit has no size".into()),
        Some(other) => Err(format!("angular unit {other} is not supported")),
    }
}

/// Metres per map unit of the file.
fn linear_unit(keys: &GeoKeys) -> Result<f64, String> {
    match keys.short(id::LINEAR_UNITS) {
        None | Some(9001) => Ok(1.0),
        Some(9002) => Ok(0.3048),
        Some(9003) => Ok(1200.0 / 3937.0),
        Some(9005) => Ok(0.304_797_265_4),
        Some(9036) => Ok(1000.0),
        Some(USER_DEFINED) => keys
            .double(id::LINEAR_UNIT_SIZE)
            .filter(|v| v.is_finite() && *v > 0.0)
            .ok_or_else(|| "the linear unit has no size".into()),
        Some(other) => Err(format!("linear unit {other} is not supported")),
    }
}

/// Ellipsoids with their EPSG code, PROJ name, semi-major axis in metres and inverse flattening.
const ELLIPSOIDS: &[(u16, &str, f64, f64)] = &[
    (7030, "WGS84", 6_378_137.0, 298.257_223_563),
    (7019, "GRS80", 6_378_137.0, 298.257_222_101),
    (7022, "intl", 6_378_388.0, 297.0),
    (7004, "bessel", 6_377_397.155, 299.152_812_8),
    (7024, "krass", 6_378_245.0, 298.3),
    (7008, "clrk66", 6_378_206.4, 294.978_698_213_9),
    (7001, "airy", 6_377_563.396, 299.324_964_6),
];

/// Compares the unit a file states with that of the system its code names.
///
/// # Errors
/// Both units where they contradict: which one the coordinates follow cannot be known.
pub(super) fn check_unit(keys: &GeoKeys, crs: &Crs) -> Result<(), String> {
    if keys.short(id::LINEAR_UNITS).is_none() {
        return Ok(());
    }
    let (stated, expected) = (linear_unit(keys)?, crs.metres_per_unit);
    // International and US survey feet differ by two millionths.
    if (stated / expected - 1.0).abs() > 1e-7 {
        return Err(format!("the file states units of {stated} m, {crs} has units of {expected} m"));
    }
    Ok(())
}

/// `+datum`, or ellipsoid with shift and prime meridian.
fn datum(keys: &GeoKeys) -> Result<String, String> {
    if let Some(code) = keys.short(key::GEOGRAPHIC).filter(|c| *c != USER_DEFINED) {
        let crs = Crs::from_epsg(code).map_err(|e| e.message().to_owned())?;
        let kept = |t: &&str| {
            ["datum", "ellps", "a", "b", "rf", "R", "f", "towgs84", "nadgrids", "pm"]
                .iter()
                .any(|k| t.strip_prefix('+').and_then(|t| t.strip_prefix(k)).is_some_and(|rest| rest.starts_with('=')))
        };
        return Ok(crs.definition.split_whitespace().filter(kept).collect::<Vec<_>>().join(" "));
    }
    let shift = keys.doubles(id::TO_WGS84);
    let meridian = keys.double(id::PRIME_MERIDIAN).filter(|v| *v != 0.0).map(|v| format!(" +pm={v}"));
    let meridian = meridian.unwrap_or_default();
    let known = match keys.short(id::DATUM) {
        Some(6326) => Some("+datum=WGS84"),
        Some(6269) => Some("+datum=NAD83"),
        Some(6267) => Some("+datum=NAD27"),
        Some(6258) => Some("+ellps=GRS80 +towgs84=0,0,0,0,0,0,0"),
        _ => None,
    };
    if let (Some(known), true) = (known, shift.is_empty()) {
        return Ok(format!("{known}{meridian}"));
    }
    let by_code = keys.short(id::ELLIPSOID).and_then(|c| ELLIPSOIDS.iter().find(|e| e.0 == c));
    let axes = (keys.double(id::SEMI_MAJOR), keys.double(id::INVERSE_FLATTENING), keys.double(id::SEMI_MINOR));
    let shape = match (by_code, axes) {
        (Some((_, name, ..)), _) => format!("+ellps={name}"),
        (None, (Some(a), Some(rf), _)) if rf != 0.0 => {
            let same = |e: &&(u16, &str, f64, f64)| e.2 == a && (e.3 - rf).abs() < 1e-9;
            ELLIPSOIDS.iter().find(same).map_or_else(|| format!("+a={a} +rf={rf}"), |e| format!("+ellps={}", e.1))
        }
        (None, (Some(a), _, Some(b))) => format!("+a={a} +b={b}"),
        (None, (Some(a), _, None)) => format!("+R={a}"),
        (None, (None, ..)) => return Err("the system is user-defined without datum or ellipsoid".into()),
    };
    let shift = match shift {
        [] => String::new(),
        values => format!(" +towgs84={}", values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
    };
    Ok(format!("{shape}{shift}{meridian}"))
}

/// Projection of the method key, with parameters in degrees and metres.
fn method(keys: &GeoKeys, metres: f64) -> Result<String, String> {
    let degrees = degrees(keys)?;
    let angle = |ids: &[u16]| ids.iter().find_map(|i| keys.double(*i)).map(|v| v * degrees);
    let number = |ids: &[u16]| ids.iter().find_map(|i| keys.double(*i));
    let lat = angle(&[id::ORIGIN_LAT, id::FALSE_ORIGIN_LAT, id::CENTRE_LAT]);
    let lon = angle(&[id::ORIGIN_LON, id::FALSE_ORIGIN_LON, id::CENTRE_LON, id::POLE_LON]).unwrap_or(0.0);
    let lat_0 = lat.unwrap_or(0.0);
    let k = number(&[id::SCALE, id::CENTRE_SCALE]);
    let k_0 = k.map_or_else(String::new, |k| format!(" +k_0={k}"));
    let (p1, p2) = (angle(&[id::PARALLEL_1]), angle(&[id::PARALLEL_2]));
    let parallel = |p: Option<f64>| p.ok_or_else(|| "a standard parallel of the projection is missing".to_owned());
    let east = number(&[id::FALSE_EASTING, id::FALSE_ORIGIN_EASTING, id::CENTRE_EASTING]).unwrap_or(0.0) * metres;
    let north = number(&[id::FALSE_NORTHING, id::FALSE_ORIGIN_NORTHING, id::CENTRE_NORTHING]).unwrap_or(0.0) * metres;
    let code = keys.short(id::METHOD).ok_or("the system is user-defined without parameters")?;
    let body = match code {
        1 => format!("+proj=tmerc +lat_0={lat_0} +lon_0={lon}{k_0}"),
        3 | 9815 => {
            let azimuth = angle(&[id::AZIMUTH]).ok_or("the azimuth of the oblique Mercator is missing")?;
            let gamma = angle(&[id::RECTIFIED_ANGLE]).unwrap_or(azimuth);
            let variant = if code == 3 { " +no_uoff" } else { "" };
            format!("+proj=omerc +lat_0={lat_0} +lonc={lon} +alpha={azimuth} +gamma={gamma}{k_0}{variant}")
        }
        7 => match p1 {
            Some(p) => format!("+proj=merc +lat_ts={p} +lon_0={lon}"),
            None => format!("+proj=merc +lon_0={lon}{k_0}"),
        },
        8 => {
            let (p1, p2) = (parallel(p1)?, parallel(p2)?);
            format!("+proj=lcc +lat_1={p1} +lat_2={p2} +lat_0={lat_0} +lon_0={lon}")
        }
        9 => format!("+proj=lcc +lat_1={lat_0} +lat_0={lat_0} +lon_0={lon}{k_0}"),
        10 => format!("+proj=laea +lat_0={lat_0} +lon_0={lon}"),
        11 => {
            let (p1, p2) = (parallel(p1)?, parallel(p2)?);
            format!("+proj=aea +lat_1={p1} +lat_2={p2} +lat_0={lat_0} +lon_0={lon}")
        }
        12 => format!("+proj=aeqd +lat_0={lat_0} +lon_0={lon}"),
        13 => {
            let (p1, p2) = (parallel(p1)?, parallel(p2)?);
            format!("+proj=eqdc +lat_1={p1} +lat_2={p2} +lat_0={lat_0} +lon_0={lon}")
        }
        14 => format!("+proj=stere +lat_0={lat_0} +lon_0={lon}{k_0}"),
        15 => polar(lat.or(p1), lon, k)?,
        16 => format!("+proj=sterea +lat_0={lat_0} +lon_0={lon}{k_0}"),
        17 => format!("+proj=eqc +lat_ts={} +lat_0={lat_0} +lon_0={lon}", p1.unwrap_or(0.0)),
        18 => format!("+proj=cass +lat_0={lat_0} +lon_0={lon}"),
        20 => format!("+proj=mill +lon_0={lon}"),
        23 => format!("+proj=robin +lon_0={lon}"),
        24 => format!("+proj=sinu +lon_0={lon}"),
        28 => format!("+proj=cea +lat_ts={} +lon_0={lon}", p1.unwrap_or(0.0)),
        other => return Err(format!("projection method {other} is not supported")),
    };
    Ok(format!("{body} +x_0={east} +y_0={north}"))
}

/// Polar stereographic: the latitude is the one of true scale, or a pole where a scale factor is given.
fn polar(lat: Option<f64>, lon: f64, k: Option<f64>) -> Result<String, String> {
    let lat = lat.filter(|l| *l != 0.0).ok_or("the latitude of the polar stereographic projection is missing")?;
    let pole = 90_f64.copysign(lat);
    Ok(match k {
        Some(k) if k != 1.0 || lat == pole => format!("+proj=stere +lat_0={pole} +lon_0={lon} +k_0={k}"),
        _ => format!("+proj=stere +lat_0={pole} +lat_ts={lat} +lon_0={lon}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(shorts: &[[u16; 2]], doubles: &[(u16, f64)]) -> GeoKeys {
        let mut directory = vec![1, 1, 0, (shorts.len() + doubles.len()) as u16];
        shorts.iter().for_each(|[id, v]| directory.extend([*id, 0, 1, *v]));
        doubles.iter().enumerate().for_each(|(i, (id, _))| directory.extend([*id, 34736, 1, i as u16]));
        GeoKeys::parse(&directory, &doubles.iter().map(|d| d.1).collect::<Vec<_>>(), "").unwrap()
    }

    #[test]
    fn transverse_mercator_by_parameters_is_the_utm_zone() {
        let k = keys(
            &[[1024, 1], [2048, 4326], [3072, 32767], [3074, 32767], [3075, 1], [3076, 9001]],
            &[(3080, 21.0), (3081, 0.0), (3082, 500_000.0), (3083, 0.0), (3092, 0.9996)],
        );
        assert_eq!(k.crs().unwrap().unwrap(), Crs::from_epsg(32634).unwrap());
    }

    #[test]
    fn false_easting_is_in_the_units_of_the_file() {
        let k = keys(
            &[[1024, 1], [2048, 4269], [3072, 32767], [3075, 8], [3076, 9003]],
            &[(3078, 40.0), (3079, 41.0), (3084, -74.0), (3085, 40.0), (3086, 984_250.0), (3087, 0.0)],
        );
        let crs = k.crs().unwrap().unwrap();
        assert!(crs.definition.contains("+x_0=300000 "), "{}", crs.definition);
        assert!((crs.metres_per_unit - 1200.0 / 3937.0).abs() < 1e-15);
    }

    #[test]
    fn units_that_contradict_the_code_are_refused() {
        let k = keys(&[[1024, 1], [3072, 32634], [3076, 9003]], &[]);
        assert!(k.crs().unwrap_err().contains("EPSG:32634 has units of 1 m"));
        let k = keys(&[[1024, 1], [3072, 2263], [3076, 9003]], &[]);
        assert_eq!(k.crs().unwrap().unwrap().epsg, Some(2263));
    }

    #[test]
    fn nothing_is_guessed() {
        let k = keys(&[[1024, 1], [3072, 32767]], &[]);
        assert!(k.crs().unwrap_err().contains("without parameters"));
        let k = keys(&[[1024, 1], [2048, 4326], [3072, 32767], [3075, 11]], &[(3078, 29.5)]);
        assert!(k.crs().unwrap_err().contains("standard parallel"));
        let k = keys(&[[1024, 1], [2048, 32767], [3072, 32767], [3075, 10]], &[]);
        assert!(k.crs().unwrap_err().contains("without datum"));
    }
}
