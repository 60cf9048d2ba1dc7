//! Centre wavelengths of sensors, in nm, for the constants `lambdaG`, `lambdaR`, `lambdaN`, `lambdaN2`, `lambdaS1`, `lambdaS2`; and
//! which bands sensors have.

use std::str::FromStr;

use super::build::Index;
use crate::error::{Error, Result};

/// Centre wavelengths in nm of green, red, near infrared, narrow near infrared and the two short-wave infrared bands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wavelengths {
    /// Sensor they belong to.
    pub sensor: &'static str,
    centres: [f64; 6],
}

const NAMES: [&str; 6] = ["lambdaG", "lambdaR", "lambdaN", "lambdaN2", "lambdaS1", "lambdaS2"];

/// Sensors by the marks their product names carry. Where a sensor has one near infrared band it serves as both.
const SENSORS: &[(&str, &[&str], [f64; 6])] = &[
    ("Sentinel-2A", &["S2A", "SENTINEL-2A"], [559.8, 664.6, 832.8, 864.7, 1613.7, 2202.4]),
    ("Sentinel-2B", &["S2B", "SENTINEL-2B"], [559.0, 665.0, 833.0, 864.0, 1610.4, 2185.7]),
    (
        "Landsat OLI",
        &["LC08", "LC09", "LANDSAT-8", "LANDSAT-9", "HLS.L30"],
        [560.0, 655.0, 865.0, 865.0, 1610.0, 2200.0],
    ),
    ("Landsat ETM+", &["LE07", "LANDSAT-7"], [560.0, 660.0, 835.0, 835.0, 1650.0, 2220.0]),
    ("Landsat TM", &["LT04", "LT05", "LANDSAT-4", "LANDSAT-5"], [560.0, 660.0, 830.0, 830.0, 1650.0, 2215.0]),
];

impl Wavelengths {
    /// The sensor a product or platform name speaks of (`S2A_MSIL2A_…`, `LC08_L2SP_…`, `landsat-8`).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase().replace('_', " ").replace("LANDSAT ", "LANDSAT-");
        let words: Vec<&str> = upper.split([' ', '/']).collect();
        SENSORS
            .iter()
            .find(|(_, marks, _)| words.iter().any(|w| marks.iter().any(|m| w.starts_with(m))))
            .map(|(sensor, _, centres)| Self { sensor, centres: *centres })
    }

    /// The value of one of the constants.
    #[must_use]
    pub fn constant(&self, name: &str) -> Option<f64> {
        NAMES.iter().position(|n| *n == name).map(|i| self.centres[i])
    }
}

/// A kind of sensor by the bands its products have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// Name on the command line.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    letters: &'static [&'static str],
    wavelengths: bool,
}

/// All platforms. Surface temperature of Landsat counts as its thermal band.
pub const PLATFORMS: &[Platform] = &[
    Platform {
        name: "s2",
        title: "Sentinel-2 MSI, HLS S30",
        letters: &["A", "B", "G", "R", "RE1", "RE2", "RE3", "N", "N2", "WV", "S1", "S2"],
        wavelengths: true,
    },
    Platform {
        name: "landsat-oli",
        title: "Landsat 8 and 9, HLS L30",
        letters: &["A", "B", "G", "R", "N", "S1", "S2", "T1"],
        wavelengths: true,
    },
    Platform {
        name: "landsat-etm",
        title: "Landsat 7",
        letters: &["B", "G", "R", "N", "S1", "S2", "T"],
        wavelengths: true,
    },
    Platform {
        name: "landsat-tm",
        title: "Landsat 4 and 5",
        letters: &["B", "G", "R", "N", "S1", "S2", "T"],
        wavelengths: true,
    },
    Platform {
        name: "planetscope",
        title: "PlanetScope, 8 bands",
        letters: &["A", "B", "G1", "G", "Y", "R", "RE1", "N"],
        wavelengths: false,
    },
    Platform {
        name: "planetscope-4",
        title: "PlanetScope, 4 bands",
        letters: &["B", "G", "R", "N"],
        wavelengths: false,
    },
    Platform {
        name: "multispectral-drone",
        title: "drone with blue, green, red, red edge and near infrared",
        letters: &["B", "G", "R", "RE1", "N"],
        wavelengths: false,
    },
    Platform {
        name: "rgb",
        title: "orthophoto or drone with red, green and blue",
        letters: &["B", "G", "R"],
        wavelengths: false,
    },
];

impl Platform {
    /// Whether its bands suffice for an index; where they do, the constants that still have to be given. As in scenes, one
    /// near infrared band stands in for the other.
    ///
    /// # Errors
    /// Where the formula does not parse.
    pub fn computes(&self, index: &Index) -> Result<Option<Vec<String>>> {
        let has = |letter: &str| {
            let twin = match letter {
                "N" => "N2",
                "N2" => "N",
                other => other,
            };
            self.letters.contains(&letter) || self.letters.contains(&twin)
        };
        if !index.bands()?.into_iter().all(has) {
            return Ok(None);
        }
        let known = |c: &String| index.default_of(c).is_some() || (self.wavelengths && NAMES.contains(&c.as_str()));
        Ok(Some(index.constants()?.into_iter().filter(|c| !known(c)).collect()))
    }
}

impl FromStr for Platform {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        PLATFORMS.iter().find(|p| p.name.eq_ignore_ascii_case(text)).copied().ok_or_else(|| {
            let all: Vec<_> = PLATFORMS.iter().map(|p| p.name).collect();
            Error::usage(format!("no such sensor; there are {}", all.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectral::catalogue;

    #[test]
    fn sensors_compute_what_their_bands_allow() {
        let count = |name: &str| {
            let platform: Platform = name.parse().unwrap();
            let raw = catalogue::entries().iter().map(|e| Index::find(&format!("asi:{}", e.name)).unwrap());
            raw.filter(|i| platform.computes(i).unwrap().is_some()).count()
        };
        // Counted from the catalogue's own lists of bands: of Sentinel-2 240 without kernels, and 5 kernel indices.
        assert_eq!(count("s2"), 245);
        assert_eq!(count("rgb"), 30);
        let s2: Platform = "S2".parse().unwrap();
        assert_eq!(s2.computes(&Index::find("NIRvP").unwrap()).unwrap().unwrap(), ["PAR"]);
        assert_eq!(s2.computes(&Index::find("NDVI").unwrap()).unwrap(), Some(Vec::new()));
        let rgb: Platform = "rgb".parse().unwrap();
        assert_eq!(rgb.computes(&Index::find("NDVI").unwrap()).unwrap(), None);
        assert!("modis".parse::<Platform>().unwrap_err().to_string().contains("landsat-oli"));
    }

    #[test]
    fn sensor_is_read_from_product_names() {
        let s2 = Wavelengths::from_name("S2A_MSIL2A_20200807T102031_N0214").unwrap();
        assert_eq!(s2.constant("lambdaN2"), Some(864.7));
        assert_eq!(Wavelengths::from_name("LC08_L2SP_218074_20190114").unwrap().sensor, "Landsat OLI");
        assert_eq!(Wavelengths::from_name("landsat_5").unwrap().constant("lambdaN"), Some(830.0));
        assert_eq!(Wavelengths::from_name("ortho.tif"), None);
    }
}
