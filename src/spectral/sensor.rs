//! Centre wavelengths of sensors, in nm, for the constants `lambdaG`, `lambdaR`, `lambdaN`, `lambdaN2`, `lambdaS1`, `lambdaS2`.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensor_is_read_from_product_names() {
        let s2 = Wavelengths::from_name("S2A_MSIL2A_20200807T102031_N0214").unwrap();
        assert_eq!(s2.constant("lambdaN2"), Some(864.7));
        assert_eq!(Wavelengths::from_name("LC08_L2SP_218074_20190114").unwrap().sensor, "Landsat OLI");
        assert_eq!(Wavelengths::from_name("landsat_5").unwrap().constant("lambdaN"), Some(830.0));
        assert_eq!(Wavelengths::from_name("ortho.tif"), None);
    }
}
