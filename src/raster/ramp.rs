//! Colour ramps that people with colour-vision deficiencies can read: sequential ones run one way in lightness, the
//! diverging one pairs brown with teal.
//!
//! Anchor colours are ColorBrewer's `YlGnBu`, `YlGn`, `YlOrBr`, `Purples`, `OrRd` and `BrBG` (Harrower and Brewer 2003), all
//! marked colour-blind safe by their authors.

type Rgb = [u8; 3];

const NEUTRAL: &[Rgb] = &[
    [255, 255, 217],
    [237, 248, 177],
    [199, 233, 180],
    [127, 205, 187],
    [65, 182, 196],
    [29, 145, 192],
    [34, 94, 168],
    [37, 52, 148],
    [8, 29, 88],
];
const VEGETATION: &[Rgb] = &[
    [255, 255, 229],
    [247, 252, 185],
    [217, 240, 163],
    [173, 221, 142],
    [120, 198, 121],
    [65, 171, 93],
    [35, 132, 67],
    [0, 90, 50],
    [0, 51, 29],
];
const SOIL: &[Rgb] = &[
    [255, 255, 229],
    [255, 247, 188],
    [254, 227, 145],
    [254, 196, 79],
    [254, 153, 41],
    [236, 112, 20],
    [204, 76, 2],
    [140, 45, 4],
    [84, 24, 3],
];
const UNCERTAINTY: &[Rgb] =
    &[[252, 251, 253], [218, 218, 235], [188, 189, 220], [158, 154, 200], [117, 107, 177], [74, 20, 134]];
const PROBABILITY: &[Rgb] = &[
    [255, 247, 236],
    [254, 232, 200],
    [253, 212, 158],
    [253, 187, 132],
    [252, 141, 89],
    [239, 101, 72],
    [215, 48, 31],
    [153, 0, 0],
];
const DIFFERENCE: &[Rgb] = &[
    [84, 48, 5],
    [140, 81, 10],
    [191, 129, 45],
    [223, 194, 125],
    [246, 232, 195],
    [245, 245, 245],
    [199, 234, 229],
    [128, 205, 193],
    [53, 151, 143],
    [1, 102, 94],
    [0, 60, 48],
];

/// How a quantity is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ramp {
    /// Any quantity: yellow to blue.
    #[default]
    Neutral,
    /// More vegetation is darker green.
    Vegetation,
    /// Amounts in the soil: yellow to brown.
    Soil,
    /// Differences around 0: brown is less, teal is more.
    Difference,
    /// Standard deviations: white to purple.
    Uncertainty,
    /// Probabilities 0 to 1: white to red.
    Probability,
}

impl Ramp {
    /// Colours at equal distances along the ramp.
    #[must_use]
    pub fn anchors(self) -> &'static [Rgb] {
        match self {
            Self::Neutral => NEUTRAL,
            Self::Vegetation => VEGETATION,
            Self::Soil => SOIL,
            Self::Difference => DIFFERENCE,
            Self::Uncertainty => UNCERTAINTY,
            Self::Probability => PROBABILITY,
        }
    }

    /// Colour at `t` in 0..=1; what is outside or no number has the colour of the nearer end, NaN that of the lower.
    #[must_use]
    pub fn colour(self, t: f64) -> Rgb {
        let a = self.anchors();
        let at = if t.is_nan() { 0.0 } else { t.clamp(0.0, 1.0) } * (a.len() - 1) as f64;
        let low = (at.floor() as usize).min(a.len() - 2);
        let part = at - low as f64;
        let mix = |i: usize| (f64::from(a[low][i]) * (1.0 - part) + f64::from(a[low + 1][i]) * part).round() as u8;
        [mix(0), mix(1), mix(2)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lightness(c: Rgb) -> f64 {
        0.2126 * f64::from(c[0]) + 0.7152 * f64::from(c[1]) + 0.0722 * f64::from(c[2])
    }

    #[test]
    fn sequential_ramps_only_darken() {
        for ramp in [Ramp::Neutral, Ramp::Vegetation, Ramp::Soil, Ramp::Uncertainty, Ramp::Probability] {
            let l: Vec<_> = (0..=64).map(|i| lightness(ramp.colour(f64::from(i) / 64.0))).collect();
            assert!(l.windows(2).all(|w| w[1] <= w[0] + 0.5), "{ramp:?} {l:?}");
        }
    }

    #[test]
    fn ends_are_the_anchors() {
        assert_eq!(Ramp::Difference.colour(0.5), [245, 245, 245]);
        assert_eq!(Ramp::Difference.colour(-3.0), [84, 48, 5]);
        assert_eq!(Ramp::Difference.colour(f64::NAN), [84, 48, 5]);
    }
}
