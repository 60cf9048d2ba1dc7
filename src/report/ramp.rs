//! Which ramp a kind of map is drawn with.

use crate::project::summary::MapKind;
use crate::raster::Ramp;

/// Colour at `t` in 0..=1 along the ramp of a kind of map.
#[must_use]
pub fn colour(kind: MapKind, t: f64) -> [u8; 3] {
    let ramp = match kind {
        MapKind::Vegetation | MapKind::Classes => Ramp::Vegetation,
        MapKind::Soil | MapKind::Estimate => Ramp::Soil,
        MapKind::Difference => Ramp::Difference,
        MapKind::Uncertainty => Ramp::Uncertainty,
        MapKind::Probability => Ramp::Probability,
    };
    ramp.colour(t)
}

/// `#rrggbb`.
#[must_use]
pub fn hex(c: [u8; 3]) -> String {
    format!("#{:02x}{:02x}{:02x}", c[0], c[1], c[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_six_hexadecimal_digits() {
        assert_eq!(hex([1, 171, 0]), "#01ab00");
        assert_eq!(hex(colour(MapKind::Difference, 0.5)), "#f5f5f5");
    }
}
