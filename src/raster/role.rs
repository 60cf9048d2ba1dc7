//! Band roles: what a band measures, by common name and by the letters of the Awesome Spectral Indices catalogue.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

macro_rules! roles {
    ($($variant:ident $name:literal $letter:literal [$($alias:literal),*] $doc:literal;)*) => {
        /// What a band measures.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Role { $(#[doc = $doc] $variant,)* }

        impl Role {
            /// Every role.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            /// The name used on the command line (`nir`).
            #[must_use]
            pub fn name(self) -> &'static str { match self { $(Self::$variant => $name,)* } }
            /// The catalogue letter (`N`); empty for bands that no index reads.
            #[must_use]
            pub fn letter(self) -> &'static str { match self { $(Self::$variant => $letter,)* } }
            fn matches(self, text: &str) -> bool {
                match self { $(Self::$variant =>
                    text.eq_ignore_ascii_case($name) || (!$letter.is_empty() && text == $letter)
                        $(|| text.eq_ignore_ascii_case($alias))*,)* }
            }
        }
    };
}

roles! {
    Coastal "coastal" "A" [] "Coastal aerosol, 430-460 nm.";
    Blue "blue" "B" [] "Blue, 450-530 nm.";
    Green "green" "G" [] "Green, 510-600 nm.";
    Green1 "green05" "G1" ["green1"] "Green I of PlanetScope, 513-549 nm.";
    Yellow "yellow" "Y" [] "Yellow, 600-620 nm.";
    Red "red" "R" [] "Red, 620-690 nm.";
    RedEdge1 "rededge1" "RE1" ["rededge071", "rededge"] "Red edge 1, 695-725 nm.";
    RedEdge2 "rededge2" "RE2" ["rededge075"] "Red edge 2, 730-750 nm.";
    RedEdge3 "rededge3" "RE3" ["rededge078"] "Red edge 3, 765-795 nm.";
    Nir "nir" "N" [] "Near infrared, 760-900 nm.";
    Nir08 "nir08" "N2" ["nir2"] "Narrow near infrared, 850-880 nm.";
    Nir09 "nir09" "WV" [] "Water vapour, 930-950 nm.";
    Swir16 "swir16" "S1" ["swir1"] "Short-wave infrared 1, 1550-1750 nm.";
    Swir22 "swir22" "S2" ["swir2"] "Short-wave infrared 2, 2080-2350 nm.";
    Thermal "lwir" "T" [] "Thermal, 10.4-12.5 µm, kelvin.";
    Thermal1 "lwir11" "T1" [] "Thermal 1, 10.6-11.2 µm, kelvin.";
    Thermal2 "lwir12" "T2" [] "Thermal 2, 11.5-12.5 µm, kelvin.";
    Scl "scl" "" [] "Sentinel-2 scene classification.";
    QaPixel "qa_pixel" "" ["qa"] "Landsat Collection 2 QA_PIXEL bit flags.";
    QaRadsat "qa_radsat" "" ["radsat"] "Landsat Collection 2 QA_RADSAT bit flags: saturated bands.";
    Fmask "fmask" "" [] "HLS Fmask bit flags.";
    Udm2 "udm2" "" [] "PlanetScope usable data mask, version 2: band 1 is 1 where the pixel is clear.";
    Mask "mask" "" [] "A mask of the user: any value but 0 is invalid.";
    Value "value" "" [] "A ready-made quantity, such as an index.";
}

impl Role {
    /// True for class and bit-flag bands, which are never scaled nor interpolated.
    #[must_use]
    pub fn is_categorical(self) -> bool {
        matches!(self, Self::Scl | Self::QaPixel | Self::QaRadsat | Self::Fmask | Self::Udm2 | Self::Mask)
    }

    /// True for surface temperature in kelvin.
    #[must_use]
    pub fn is_thermal(self) -> bool {
        matches!(self, Self::Thermal | Self::Thermal1 | Self::Thermal2)
    }

    /// The role a band description names outright (`"red"`, `"B04"` is not one), or nothing. Never a guess.
    #[must_use]
    pub fn from_description(text: &str) -> Option<Self> {
        let t = text.trim();
        Self::ALL.iter().copied().find(|r| r.matches(t))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        Self::from_description(s).ok_or_else(|| {
            // Edit distance with transpositions: `rde` is one slip from `red`, not from `rededge1`.
            let near = Self::ALL
                .iter()
                .map(|r| (strsim::osa_distance(r.name(), &s.to_ascii_lowercase()), r.name()))
                .min()
                .filter(|(distance, _)| *distance <= 2)
                .map(|(_, name)| name);
            let hint = near.map_or_else(
                || Self::ALL.iter().map(|r| r.name()).collect::<Vec<_>>().join(" "),
                |n| format!("did you mean {n}?"),
            );
            Error::usage(format!("band role {s:?} is not known; {hint}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_letters_name_the_same_role() {
        assert_eq!("nir".parse::<Role>().unwrap(), Role::Nir);
        assert_eq!("N".parse::<Role>().unwrap(), Role::Nir);
        // Letters are case-sensitive: `n` is a constant of the catalogue, not a band.
        assert!("n".parse::<Role>().is_err());
        assert!("rde".parse::<Role>().unwrap_err().to_string().contains("red"));
    }
}
