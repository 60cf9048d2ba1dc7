//! Sensors told by product names, file metadata or band names that only one sensor has; their band names and fixed
//! encodings.

use crate::raster::Role;

/// Product family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Sentinel-2 level 2A, also HLS S30, which numbers its bands alike.
    Msi,
    /// Landsat 4, 5 and 7.
    Tm,
    /// Landsat 8 and 9, also HLS L30, which numbers its bands alike.
    Oli,
}

/// What a product stores for reflectance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    /// Landsat Collection 2 level 2: 2.75e-5, −0.2 (USGS data format control book).
    LandsatC2,
    /// HLS version 2: 1e-4 (HLS user guide).
    Hls,
    /// Sentinel-2 level 2A: 1e-4, and an offset of −1000 stored units from processing baseline 04.00 on. The baseline is
    /// the number after `N` in a product name, where one is seen.
    Sentinel2 {
        /// 301 for 03.01.
        baseline: Option<u16>,
    },
}

/// A sensor and what of its product is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sensor {
    /// Which band names mean what.
    pub(super) family: Family,
    /// How pixels are stored.
    pub(super) product: Product,
}

impl Sensor {
    /// The sensor whose product identifier stands in `text` (a file name or a metadata value).
    pub(super) fn in_text(text: &str) -> Option<Self> {
        let upper = text.to_ascii_uppercase();
        let words: Vec<&str> = upper.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        for (i, word) in words.iter().enumerate() {
            let next = words.get(i + 1).copied().unwrap_or("");
            let product = match (*word, next) {
                ("HLS", "L30") => Some((Family::Oli, Product::Hls)),
                ("HLS", "S30") => Some((Family::Msi, Product::Hls)),
                (w, "L2SP" | "L2SR") if w.len() == 4 && w.starts_with('L') => match &w[1..] {
                    "C08" | "C09" | "O08" | "O09" => Some((Family::Oli, Product::LandsatC2)),
                    "T04" | "T05" | "E07" | "C04" | "C05" | "C07" => Some((Family::Tm, Product::LandsatC2)),
                    _ => None,
                },
                ("S2A" | "S2B" | "S2C" | "S2D", "MSIL2A") => {
                    Some((Family::Msi, Product::Sentinel2 { baseline: baseline(&words) }))
                }
                _ => None,
            };
            if let Some((family, product)) = product {
                return Some(Self { family, product });
            }
        }
        // A file cut out of a product may keep the baseline and the band name alone (`N0400_B04_10m.tif`).
        let baseline = baseline(&words)?;
        let band = words.iter().any(|w| role(Family::Msi, w).is_some());
        band.then_some(Self { family: Family::Msi, product: Product::Sentinel2 { baseline: Some(baseline) } })
    }

    /// The sensor that band names alone give away: only Sentinel-2 has bands 8A, 12 and a two-digit 08.
    pub(super) fn in_names<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<Self> {
        let own = |n: &str| matches!(n.to_ascii_uppercase().as_str(), "B8A" | "B12" | "B08");
        names.any(own).then_some(Self { family: Family::Msi, product: Product::Sentinel2 { baseline: None } })
    }

    /// Role of a band name of this sensor (`B04`, `SR_B4`, `B8A`, `SCL`, `QA_PIXEL`, `Fmask`).
    pub(super) fn role(self, name: &str) -> Option<Role> {
        role(self.family, name)
    }

    /// Name for messages.
    pub(super) fn name(self) -> String {
        match self.product {
            Product::LandsatC2 => "Landsat Collection 2 level 2".into(),
            Product::Hls => "HLS version 2".into(),
            Product::Sentinel2 { baseline: Some(b) } => format!("Sentinel-2 of baseline {:02}.{:02}", b / 100, b % 100),
            Product::Sentinel2 { baseline: None } => "Sentinel-2 of unknown baseline".into(),
        }
    }
}

/// `0400` of a word `N0400`.
fn baseline(words: &[&str]) -> Option<u16> {
    words.iter().find_map(|w| w.strip_prefix('N').filter(|d| d.len() == 4)?.parse().ok())
}

fn role(family: Family, name: &str) -> Option<Role> {
    let upper = name.trim().to_ascii_uppercase();
    match upper.as_str() {
        "SCL" if family == Family::Msi => return Some(Role::Scl),
        "QA_PIXEL" => return Some(Role::QaPixel),
        "FMASK" => return Some(Role::Fmask),
        "ST_B10" if family == Family::Oli => return Some(Role::Thermal1),
        "ST_B6" if family == Family::Tm => return Some(Role::Thermal),
        _ => {}
    }
    let number = upper.strip_prefix("SR_").unwrap_or(&upper).strip_prefix('B')?;
    if family == Family::Msi && number == "8A" {
        return Some(Role::Nir08);
    }
    if number.len() > 2 || !number.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let number: usize = number.parse().ok()?;
    let roles: &[Option<Role>] = match family {
        Family::Msi => &[
            None,
            Some(Role::Coastal),
            Some(Role::Blue),
            Some(Role::Green),
            Some(Role::Red),
            Some(Role::RedEdge1),
            Some(Role::RedEdge2),
            Some(Role::RedEdge3),
            Some(Role::Nir),
            Some(Role::Nir09),
            None,
            Some(Role::Swir16),
            Some(Role::Swir22),
        ],
        Family::Tm => &[
            None,
            Some(Role::Blue),
            Some(Role::Green),
            Some(Role::Red),
            Some(Role::Nir),
            Some(Role::Swir16),
            None,
            Some(Role::Swir22),
        ],
        Family::Oli => &[
            None,
            Some(Role::Coastal),
            Some(Role::Blue),
            Some(Role::Green),
            Some(Role::Red),
            Some(Role::Nir),
            Some(Role::Swir16),
            Some(Role::Swir22),
        ],
    };
    roles.get(number).copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn product_names_tell_the_sensor() {
        let landsat = Sensor::in_text("LC08_L2SP_218074_20190114_20200829_02_T1").unwrap();
        assert_eq!((landsat.family, landsat.product), (Family::Oli, Product::LandsatC2));
        assert_eq!(Sensor::in_text("LT05_L2SP_1_SR_B4.TIF").unwrap().role("SR_B4"), Some(Role::Nir));
        assert_eq!(landsat.role("SR_B4"), Some(Role::Red));
        let s2 = Sensor::in_text("S2A_MSIL2A_20200210T003111_N0500_R049_T55HBU.SAFE").unwrap();
        assert_eq!(s2.product, Product::Sentinel2 { baseline: Some(500) });
        let cut = Sensor::in_text("N0301_B04_10m.tif").unwrap();
        assert_eq!(cut.product, Product::Sentinel2 { baseline: Some(301) });
        assert_eq!(Sensor::in_text("HLS.L30.T56JMQ.2019014T235309.v2.0.B05.tif").unwrap().role("B05"), Some(Role::Nir));
    }

    #[test]
    fn nothing_is_guessed_from_other_names() {
        for text in
            ["LC08_L1TP_218074_20190114", "S2A_MSIL1C_20200210T003111_N0208", "scene.tif", "N0400.tif", "B04.tif"]
        {
            assert_eq!(Sensor::in_text(text), None, "{text}");
        }
        assert_eq!(Sensor::in_names(["B2", "B4", "B5"].into_iter()), None);
        let msi = Sensor::in_names(["B12", "B08", "B8A", "B04"].into_iter()).unwrap();
        assert_eq!(msi.role("B8A"), Some(Role::Nir08));
        assert_eq!(msi.role("B08"), Some(Role::Nir));
        assert_eq!(msi.role("B10"), None);
    }
}
