//! Well-known text of reference systems: names, authority codes and, for files without codes (`.prj`), the parameters.

use crate::error::{Error, Result};

/// A WKT element `KEYWORD["name", number, CHILD[…]]`.
#[derive(Debug, Default)]
struct Node {
    keyword: String,
    texts: Vec<String>,
    numbers: Vec<f64>,
    children: Vec<Node>,
}

impl Node {
    fn child(&self, keywords: &[&str]) -> Option<&Self> {
        self.children.iter().find(|c| keywords.iter().any(|k| c.keyword.eq_ignore_ascii_case(k)))
    }
    fn text(&self) -> &str {
        self.texts.first().map_or("", String::as_str)
    }
    /// Code of an `AUTHORITY["EPSG","n"]` or `ID["EPSG",n]` right below.
    fn code(&self) -> Option<u16> {
        let a = self.child(&["AUTHORITY", "ID"])?;
        if !a.text().eq_ignore_ascii_case("EPSG") {
            return None;
        }
        a.texts.get(1).and_then(|t| t.parse().ok()).or_else(|| a.numbers.first().map(|n| *n as u16))
    }
}

/// Deepest nesting taken; real definitions stay below ten.
const DEPTH: usize = 32;

fn parse(text: &str) -> Option<Node> {
    let mut chars = text.char_indices().peekable();
    let mut stack: Vec<Node> = Vec::new();
    let mut word = String::new();
    while let Some((_, c)) = chars.next() {
        match c {
            '"' => {
                let mut quoted = String::new();
                loop {
                    match chars.next()?.1 {
                        '"' if chars.peek().is_some_and(|p| p.1 == '"') => {
                            chars.next();
                            quoted.push('"');
                        }
                        '"' => break,
                        other => quoted.push(other),
                    }
                }
                stack.last_mut()?.texts.push(quoted);
            }
            '[' | '(' => {
                if stack.len() >= DEPTH {
                    return None;
                }
                stack.push(Node { keyword: std::mem::take(&mut word).trim().to_owned(), ..Node::default() });
            }
            ',' | ']' | ')' => {
                let token = std::mem::take(&mut word);
                let node = stack.last_mut()?;
                if let Ok(n) = token.trim().parse() {
                    node.numbers.push(n);
                }
                if c != ',' {
                    let done = stack.pop()?;
                    match stack.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => return Some(done),
                    }
                }
            }
            other => word.push(other),
        }
    }
    None
}

/// Name of the system a WKT text defines.
pub(super) fn name(text: &str) -> Option<String> {
    text.split('"').nth(1).map(str::to_owned)
}

/// Name of the datum a WKT 1 text states.
pub(super) fn datum(text: &str) -> Option<String> {
    text.split("DATUM[\"").nth(1).and_then(|t| t.split('"').next()).map(|t| t.replace('_', " "))
}

/// EPSG code, name and PROJ string of a WKT text, as far as it states them.
///
/// # Errors
/// Input error where the text is not WKT of a geographic or projected system.
pub(super) fn read(text: &str) -> Result<(Option<u16>, String, Option<String>)> {
    let bad = || Error::input("the WKT of the coordinate reference system cannot be read".to_owned());
    let mut root = parse(text).ok_or_else(bad)?;
    // A compound or bound system stands for its horizontal part.
    while ["COMPD_CS", "COMPOUNDCRS", "BOUNDCRS", "SOURCECRS"].iter().any(|k| root.keyword.eq_ignore_ascii_case(k)) {
        root = root.children.into_iter().next().ok_or_else(bad)?;
    }
    let name = root.text().to_owned();
    let code = root.code();
    let geographic =
        ["GEOGCS", "GEOGCRS", "GEODCRS", "GEOGRAPHICCRS"].iter().any(|k| root.keyword.eq_ignore_ascii_case(k));
    let projected = ["PROJCS", "PROJCRS", "PROJECTEDCRS"].iter().any(|k| root.keyword.eq_ignore_ascii_case(k));
    let definition = if geographic {
        base(&root).map(|b| format!("+proj=longlat {b} +no_defs"))
    } else if projected {
        projection(&root)
    } else {
        return Err(Error::input(format!("CRS {name:?} ({}) is neither geographic nor projected", root.keyword)));
    };
    Ok((code, name, definition))
}

/// Datum part of a definition. Only datums whose relation to WGS 84 is known by name get one; others keep their
/// ellipsoid, so that a transform is refused rather than shifted by nothing.
fn base(geogcs: &Node) -> Option<String> {
    let datum = geogcs.child(&["DATUM", "ENSEMBLE"])?;
    let spheroid = datum.child(&["SPHEROID", "ELLIPSOID"])?;
    let squeezed: String = datum.text().trim_start_matches("D_").chars().filter(char::is_ascii_alphanumeric).collect();
    let known = match squeezed.to_ascii_uppercase().as_str() {
        "WGS1984" | "WORLDGEODETICSYSTEM1984" | "WORLDGEODETICSYSTEM1984ENSEMBLE" => Some("+datum=WGS84"),
        "NORTHAMERICAN1983" | "NORTHAMERICANDATUM1983" => Some("+datum=NAD83"),
        "ETRS1989" | "EUROPEANTERRESTRIALREFERENCESYSTEM1989" => Some("+ellps=GRS80 +towgs84=0,0,0,0,0,0,0"),
        "OSGB1936" => Some("+datum=OSGB36"),
        other => national_datum(other),
    };
    let meridian = geogcs.child(&["PRIMEM"]).and_then(|m| m.numbers.first()).copied().unwrap_or(0.0);
    let pm = if meridian == 0.0 { String::new() } else { format!(" +pm={meridian}") };
    if let Some(d) = known {
        return Some(format!("{d}{pm}"));
    }
    let (a, rf) = (*spheroid.numbers.first()?, *spheroid.numbers.get(1)?);
    let shape = if rf == 0.0 { format!("+R={a}") } else { format!("+a={a} +rf={rf}") };
    let shift = datum
        .child(&["TOWGS84"])
        .map(|t| format!(" +towgs84={}", t.numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")));
    Some(format!("{shape}{}{pm}", shift.unwrap_or_default()))
}

/// Ellipsoid and shift of national datums that ESRI files name without a code, as EPSG's geographic system has them.
fn national_datum(squeezed: &str) -> Option<&'static str> {
    let code = match squeezed {
        "CH1903" => 4149,
        "AMERSFOORT" => 4289,
        "SJTSK" => 4156,
        "MGI" => 4312,
        _ => return None,
    };
    let definition = crs_definitions::from_code(code)?.proj4;
    definition.strip_prefix("+proj=longlat ").map(|d| d.trim_end_matches("+no_defs").trim_end())
}

/// PROJ string of a WKT 1 projected system with a method we know.
fn projection(root: &Node) -> Option<String> {
    let geogcs = root.child(&["GEOGCS", "BASEGEOGCRS", "BASEGEODCRS"])?;
    let conversion = root.child(&["CONVERSION"]).unwrap_or(root);
    let squeeze = |t: &str| t.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let method = squeeze(conversion.child(&["PROJECTION", "METHOD"])?.text());
    let get = |names: &[&str]| -> Option<f64> {
        conversion
            .children
            .iter()
            .filter(|c| c.keyword.eq_ignore_ascii_case("PARAMETER"))
            .find(|c| names.contains(&squeeze(c.text()).as_str()))
            .and_then(|c| c.numbers.first().copied())
    };
    let metres = root
        .child(&["UNIT", "LENGTHUNIT"])
        .and_then(|u| u.numbers.first().copied())
        .or_else(|| root.child(&["CS"]).map(|_| 1.0))
        .filter(|m| *m > 0.0)?;
    let lat0 = get(&["latitudeoforigin", "latitudeofcenter", "latitudeofnaturalorigin", "latitudeoffalseorigin"]);
    let lon0 = get(&["centralmeridian", "longitudeofcenter", "longitudeofnaturalorigin", "longitudeoffalseorigin"]);
    let sp1 = get(&["standardparallel1", "latitudeof1ststandardparallel"]);
    let sp2 = get(&["standardparallel2", "latitudeof2ndstandardparallel"]);
    let k = get(&["scalefactor", "scalefactoratnaturalorigin"]);
    let x0 = get(&["falseeasting", "eastingatfalseorigin"]).unwrap_or(0.0) * metres;
    let y0 = get(&["falsenorthing", "northingatfalseorigin"]).unwrap_or(0.0) * metres;
    let mut parts: Vec<String> = Vec::new();
    let mut put = |key: &str, v: Option<f64>| parts.extend(v.map(|v| format!("+{key}={v}")));
    let proj = match method.as_str() {
        "transversemercator" | "gausskruger" => {
            put("lat_0", lat0);
            put("k", k);
            "tmerc"
        }
        "lambertconformalconic2sp" | "lambertconicconformal2sp" | "lambertconformalconic"
            if sp2.is_some() && sp1.is_some() =>
        {
            put("lat_1", sp1);
            put("lat_2", sp2);
            put("lat_0", lat0);
            "lcc"
        }
        "lambertconformalconic1sp" | "lambertconicconformal1sp" | "lambertconformalconic" => {
            put("lat_1", sp1.or(lat0));
            put("lat_0", lat0);
            put("k", k);
            "lcc"
        }
        "albers" | "albersconicequalarea" | "albersequalarea" => {
            put("lat_1", sp1);
            put("lat_2", sp2);
            put("lat_0", lat0);
            "aea"
        }
        "lambertazimuthalequalarea" => {
            put("lat_0", lat0);
            "laea"
        }
        // Azimuth 90 is the Swiss form of the oblique Mercator; other azimuths are not supported.
        "hotineobliquemercatorazimuthcenter" | "swissobliquecylindrical"
            if get(&["azimuth"]).unwrap_or(90.0) == 90.0 =>
        {
            put("lat_0", lat0);
            put("k_0", k);
            "somerc"
        }
        "mercatorauxiliarysphere" | "popularvisualisationpseudomercator" => {
            return crs_definitions::from_code(3857).map(|d| d.proj4.to_owned());
        }
        "mercator1sp" | "mercator" | "mercator2sp" => {
            put("k", k);
            put("lat_ts", sp1);
            "merc"
        }
        "stereographicnorthpole" | "stereographicsouthpole" | "polarstereographic" => {
            let at = sp1.or(lat0)?;
            put("lat_0", Some(90f64.copysign(at)));
            put("lat_ts", Some(at));
            put("k", k);
            "stere"
        }
        _ => return None,
    };
    parts.extend(lon0.map(|v| format!("+lon_0={v}")));
    let unit = if metres == 1.0 { "+units=m".to_owned() } else { format!("+to_meter={metres}") };
    Some(format!("+proj={proj} {} +x_0={x0} +y_0={y0} {} {unit} +no_defs", parts.join(" "), base(geogcs)?))
}

#[cfg(test)]
mod tests {
    use crate::grid::Crs;

    const PRJ: &str = r#"PROJCS["WGS_1984_UTM_Zone_34N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",21.0],PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]"#;

    #[test]
    fn prj_without_code_equals_the_code() {
        assert_eq!(Crs::from_wkt(PRJ).unwrap(), Crs::from_epsg(32634).unwrap());
    }

    #[test]
    fn codes_of_the_root_win() {
        for code in [4326, 32723, 3035, 27700, 2263] {
            let wkt = crs_definitions::from_code(code).unwrap().wkt;
            assert_eq!(Crs::from_wkt(wkt).unwrap().epsg, Some(code));
        }
    }

    #[test]
    fn junk_is_an_error() {
        for text in ["PROJCS[", "LOCAL_CS[\"x\"]", "GEOGCS[\"a\"]", &"A[".repeat(100_000)] {
            assert!(Crs::from_wkt(text).is_err(), "{text:.20}");
        }
    }
}
