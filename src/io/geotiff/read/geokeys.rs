//! The GeoKey directory: raster type and coordinate reference system (GeoTIFF 1.1, OGC 19-008r4).

use std::collections::HashMap;

use super::ifd::{Ifd, Tiff, tag};
use super::projection;
use crate::grid::Crs;

/// Most values of the key tags that are read.
const MOST_VALUES: u64 = 65_535;
/// Code of what the keys themselves define.
pub(super) const USER_DEFINED: u16 = 32_767;

/// Numbers of the keys that are read.
pub(super) mod key {
    pub(in super::super) const MODEL_TYPE: u16 = 1024;
    pub(in super::super) const RASTER_TYPE: u16 = 1025;
    pub(in super::super) const CITATION: u16 = 1026;
    pub(in super::super) const GEOGRAPHIC: u16 = 2048;
    pub(in super::super) const GEOG_CITATION: u16 = 2049;
    pub(in super::super) const PROJECTED: u16 = 3072;
    pub(in super::super) const PROJ_CITATION: u16 = 3073;
}

/// The keys of a file by their numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct GeoKeys {
    shorts: HashMap<u16, u16>,
    doubles: HashMap<u16, Vec<f64>>,
    texts: HashMap<u16, String>,
}

/// Reads the keys; none where the file has no key directory.
///
/// # Errors
/// What is damaged, in words.
pub(super) fn read(tiff: &Tiff, ifd: &Ifd) -> Result<GeoKeys, String> {
    let message = |e: crate::Error| e.message().to_owned();
    let Some(entry) = ifd.get(tag::GEO_KEYS) else { return Ok(GeoKeys::default()) };
    let directory = tiff.integers(entry, MOST_VALUES).map_err(message)?;
    let doubles = ifd.get(tag::GEO_DOUBLES).map_or(Ok(Vec::new()), |e| tiff.floats(e, MOST_VALUES)).map_err(message)?;
    let text = ifd.get(tag::GEO_ASCII).map_or(Ok(Vec::new()), |e| tiff.bytes(e, MOST_VALUES)).map_err(message)?;
    let directory: Vec<u16> = directory.iter().map(|v| *v as u16).collect();
    GeoKeys::parse(&directory, &doubles, &String::from_utf8_lossy(&text))
}

impl GeoKeys {
    /// Takes the directory apart.
    ///
    /// # Errors
    /// What is damaged, in words.
    pub(super) fn parse(directory: &[u16], doubles: &[f64], text: &str) -> Result<Self, String> {
        let &[version, _, _, count, ..] = directory else { return Err("the GeoKey directory is cut short".into()) };
        if version != 1 {
            return Err(format!("the GeoKey directory has version {version}, expected 1"));
        }
        let keys = &directory[4..];
        if keys.len() < count as usize * 4 {
            return Err(format!("the GeoKey directory says {count} keys and holds {}", keys.len() / 4));
        }
        let mut found = Self::default();
        for entry in keys.chunks_exact(4).take(count as usize) {
            let (id, location, n, value) = (entry[0], entry[1], entry[2] as usize, entry[3] as usize);
            let outside = || format!("GeoKey {id} points outside its values");
            match location {
                0 => {
                    found.shorts.insert(id, entry[3]);
                }
                tag::GEO_KEYS => {
                    found.shorts.insert(id, *directory.get(value).ok_or_else(outside)?);
                }
                tag::GEO_DOUBLES => {
                    found.doubles.insert(id, doubles.get(value..value + n).ok_or_else(outside)?.to_vec());
                }
                tag::GEO_ASCII => {
                    let bytes = text.as_bytes().get(value..value + n).ok_or_else(outside)?;
                    let text = String::from_utf8_lossy(bytes);
                    found.texts.insert(id, text.trim_end_matches(['|', '\0', ' ']).to_owned());
                }
                other => return Err(format!("GeoKey {id} is stored in the unknown tag {other}")),
            }
        }
        Ok(found)
    }

    /// True where tie points name pixel centres.
    pub(super) fn pixel_is_point(&self) -> bool {
        self.shorts.get(&key::RASTER_TYPE) == Some(&2)
    }

    /// A short key; 0 ("undefined") counts as missing.
    pub(super) fn short(&self, id: u16) -> Option<u16> {
        self.shorts.get(&id).copied().filter(|v| *v != 0)
    }

    /// The first value of a double key.
    pub(super) fn double(&self, id: u16) -> Option<f64> {
        self.doubles.get(&id).and_then(|v| v.first()).copied()
    }

    /// All values of a double key.
    pub(super) fn doubles(&self, id: u16) -> &[f64] {
        self.doubles.get(&id).map_or(&[], Vec::as_slice)
    }

    /// A text key.
    pub(super) fn text(&self, id: u16) -> Option<&str> {
        self.texts.get(&id).map(String::as_str)
    }

    /// The WKT that ESRI programs put into a citation where no code fits.
    pub(super) fn esri_wkt(&self) -> Option<&str> {
        let marker = "ESRI PE String = ";
        self.texts.values().find_map(|t| t.split_once(marker)).map(|(_, wkt)| wkt)
    }

    /// The name the file gives its system, for people.
    pub(super) fn name(&self) -> String {
        let ids = [key::PROJ_CITATION, key::CITATION, key::GEOG_CITATION];
        let text = ids.iter().find_map(|id| self.texts.get(id)).map_or("", String::as_str);
        let text = text.split('|').next().unwrap_or("").trim();
        text.strip_prefix("PCS Name = ").unwrap_or(text).to_owned()
    }

    /// The coordinate reference system; nothing where the file names none.
    ///
    /// # Errors
    /// Why the one it names cannot be used.
    pub(super) fn crs(&self) -> Result<Option<Crs>, String> {
        let message = |e: crate::Error| e.message().to_owned();
        match self.short(key::MODEL_TYPE) {
            Some(1) => {}
            Some(2) => {
                return match self.short(key::GEOGRAPHIC) {
                    None => Ok(None),
                    Some(USER_DEFINED) => projection::geographic(self).map(Some),
                    Some(code) => {
                        let crs = Crs::from_epsg(code).map_err(message)?;
                        if !crs.is_geographic() {
                            return Err(format!("EPSG:{code} is a projected system, the file says geographic"));
                        }
                        Ok(Some(crs))
                    }
                };
            }
            Some(3) => return Err("geocentric coordinates are not supported".into()),
            Some(USER_DEFINED) | None if self.short(key::PROJECTED).is_none() => return Ok(None),
            None | Some(USER_DEFINED) => {}
            Some(other) => return Err(format!("GeoKey model type is {other}, expected 1 or 2")),
        }
        match self.short(key::PROJECTED) {
            Some(USER_DEFINED) => projection::projected(self).map(Some),
            None => Ok(None),
            Some(code) => {
                let crs = Crs::from_epsg(code).map_err(message)?;
                if crs.is_geographic() {
                    return Err(format!("EPSG:{code} is a geographic system, the file says projected"));
                }
                projection::check_unit(self, &crs)?;
                Ok(Some(crs))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_raster_type() {
        let directory = [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 2, 3072, 0, 1, 32634];
        let keys = GeoKeys::parse(&directory, &[], "").unwrap();
        assert!(keys.pixel_is_point());
        assert_eq!(keys.crs().unwrap().unwrap().epsg, Some(32634));
    }

    #[test]
    fn damage_is_named() {
        let cut = [1, 1, 0, 9, 1024, 0, 1, 1];
        assert!(GeoKeys::parse(&cut, &[], "").unwrap_err().contains("says 9 keys and holds 1"));
        let pointer = [1, 1, 0, 1, 2057, 34736, 1, 40];
        assert!(GeoKeys::parse(&pointer, &[1.0], "").unwrap_err().contains("2057"));
        assert!(GeoKeys::parse(&[9, 1, 0, 0], &[], "").unwrap_err().contains("version 9"));
    }

    #[test]
    fn contradicting_codes_are_refused() {
        let keys = GeoKeys::parse(&[1, 1, 0, 2, 1024, 0, 1, 2, 2048, 0, 1, 32634], &[], "").unwrap();
        assert!(keys.crs().unwrap_err().contains("projected"));
        let keys = GeoKeys::parse(&[1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 1], &[], "").unwrap();
        assert!(keys.crs().unwrap_err().contains("EPSG:1 "));
    }
}
