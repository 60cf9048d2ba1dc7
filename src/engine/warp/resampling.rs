//! The ways to resample.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// How a target pixel is made of source pixels, as `gdalwarp -r` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resampling {
    /// The pixel its centre lies in.
    Nearest,
    /// Linear in both directions.
    Bilinear,
    /// Cubic convolution (Catmull-Rom, a = -0.5).
    Cubic,
    /// Mean of the pixels it covers, weighted by overlap.
    Average,
    /// The value that covers most of it; of two that cover the same, the first met in row order.
    Mode,
}

impl Resampling {
    /// Name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Bilinear => "bilinear",
            Self::Cubic => "cubic",
            Self::Average => "average",
            Self::Mode => "mode",
        }
    }

    /// True where the result holds only values that the source holds.
    #[must_use]
    pub fn keeps_values(self) -> bool {
        matches!(self, Self::Nearest | Self::Mode)
    }

    /// Source pixels on each side of the centre that the kernel of an unscaled pixel reaches.
    pub(super) fn radius(self) -> f64 {
        match self {
            Self::Nearest | Self::Average | Self::Mode => 0.0,
            Self::Bilinear => 1.0,
            Self::Cubic => 2.0,
        }
    }
}

impl FromStr for Resampling {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        match s.trim() {
            "nearest" | "near" => Ok(Self::Nearest),
            "bilinear" => Ok(Self::Bilinear),
            "cubic" => Ok(Self::Cubic),
            "average" => Ok(Self::Average),
            "mode" => Ok(Self::Mode),
            _ => Err(Error::usage("write nearest, bilinear, cubic, average or mode")),
        }
    }
}

impl fmt::Display for Resampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
