//! How a scene is to be opened: what the command line and project files can say.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::target::Target;
use crate::engine::warp::Resampling;
use crate::error::{Error, Result};
use crate::grid::Crs;
use crate::raster::Role;

use super::sensor::Sensors;

/// How a scene is to be opened. The default takes everything from the files.
#[derive(Clone, Debug, Default)]
pub struct SceneOptions {
    /// Roles of numbered bands.
    pub bands: Option<BandMap>,
    /// Scale to the physical quantity.
    pub scale: Encoding,
    /// Offset to the physical quantity, added after the scale.
    pub offset: Encoding,
    /// Sentinel-2 offset in stored values, added before the scale.
    pub boa_offset: Encoding,
    /// Which masks.
    pub masks: Maskings,
    /// Radius in metres around clouds and shadows that is masked too.
    pub mask_buffer: Option<f64>,
    /// File of dates, a line each.
    pub dates: Option<PathBuf>,
    /// The one grid of inputs that differ.
    pub align: Option<Target>,
    /// How quantities are resampled where that needs it.
    pub resampling: Option<Resampling>,
    /// Nodata in stored values, instead of the file's.
    pub nodata: Option<f64>,
    /// CRS of files that state none.
    pub assume_crs: Option<Crs>,
    /// Sensors that scenes may be of.
    pub sensors: Sensors,
    /// Bounds `[xmin, ymin, xmax, ymax]` to crop to.
    pub bbox: Option<[f64; 4]>,
}

/// Where a scale or offset comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Encoding {
    /// From the file where it states one.
    #[default]
    Auto,
    /// From the file (or the sensor's rule), which must state one.
    Apply,
    /// Stored values are the quantity: scale 1, offset 0.
    None,
    /// This number, whatever the file states.
    Number(f64),
}

impl FromStr for Encoding {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        match s.trim() {
            "auto" => Ok(Self::Auto),
            "apply" => Ok(Self::Apply),
            "none" => Ok(Self::None),
            number => number
                .parse::<f64>()
                .ok()
                .filter(|v| v.is_finite())
                .map(Self::Number)
                .ok_or_else(|| Error::usage("write auto, apply, none or a number")),
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Apply => f.write_str("apply"),
            Self::None => f.write_str("none"),
            Self::Number(v) => write!(f, "{v}"),
        }
    }
}

/// Roles of numbered bands: `red=3,nir=4`, counted from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BandMap(Vec<(Role, usize)>);

impl BandMap {
    /// Pairs of role and 0-based band.
    #[must_use]
    pub fn pairs(&self) -> &[(Role, usize)] {
        &self.0
    }
}

impl FromStr for BandMap {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        let mut pairs: Vec<(Role, usize)> = Vec::new();
        for part in s.split(',').map(str::trim) {
            let (role, number) = part
                .split_once('=')
                .ok_or_else(|| Error::usage(format!("{part:?} is not ROLE=N; write for example red=3,nir=4")))?;
            let role: Role = role.trim().parse()?;
            let number: usize = number.trim().parse().map_err(|_| {
                Error::usage(format!("{number:?} is not a band number; bands count from 1, as in red=3,nir=4"))
            })?;
            let band = number.checked_sub(1).ok_or_else(|| Error::usage(format!("{role}=0: bands count from 1")))?;
            if pairs.iter().any(|(r, _)| *r == role) {
                return Err(Error::usage(format!("role {role} is given twice; name one band for each role")));
            }
            pairs.push((role, band));
        }
        Ok(Self(pairs))
    }
}

/// Which masks apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Maskings {
    /// Those of the sensor, where the scene has a mask band.
    #[default]
    Default,
    /// None but nodata.
    None,
    /// Named classes (`cloud`, `shadow`).
    Named(Vec<String>),
}

impl FromStr for Maskings {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        match s.trim() {
            "default" => Ok(Self::Default),
            "none" => Ok(Self::None),
            list => {
                let names: Vec<_> = list.split(',').map(|n| n.trim().to_ascii_lowercase()).collect();
                if names.iter().any(String::is_empty) {
                    return Err(Error::usage("write default, none or names such as cloud,shadow"));
                }
                Ok(Self::Named(names))
            }
        }
    }
}

impl fmt::Display for Maskings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::None => f.write_str("none"),
            Self::Named(names) => f.write_str(&names.join(",")),
        }
    }
}

/// Extent of inputs whose pixels coincide but whose extents differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alignment {
    /// Where all have pixels.
    #[default]
    Intersection,
    /// The extent of the first; others are nodata where they have no pixels.
    First,
    /// Where any has pixels; the others are nodata there.
    Union,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn band_maps_count_from_one() {
        let map: BandMap = "red=3, N=4".parse().unwrap();
        assert_eq!(map.pairs(), &[(Role::Red, 2), (Role::Nir, 3)]);
        let said = |s: &str| s.parse::<BandMap>().unwrap_err().to_string();
        assert!(said("red=0").contains("count from 1"));
        assert!(said("red=1,red=2").contains("twice"));
        assert!(said("rde=1").contains("did you mean red"));
        assert!(said("red").contains("ROLE=N"));
        assert!(said("red=x").contains("count from 1"));
    }

    #[test]
    fn encodings_are_words_or_finite_numbers() {
        assert_eq!("-0.2".parse::<Encoding>().unwrap(), Encoding::Number(-0.2));
        assert_eq!("auto".parse::<Encoding>().unwrap(), Encoding::Auto);
        assert!("nan".parse::<Encoding>().is_err());
    }

    #[test]
    fn mask_lists_have_no_empty_names() {
        assert_eq!("cloud,Shadow".parse::<Maskings>().unwrap(), Maskings::Named(vec!["cloud".into(), "shadow".into()]));
        assert!("cloud,,".parse::<Maskings>().is_err());
    }
}
