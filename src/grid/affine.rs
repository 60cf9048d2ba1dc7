//! The geotransform: pixel to map coordinates and back.

/// Geotransform in GDAL's order: `x = g0 + col·g1 + row·g2`, `y = g3 + col·g4 + row·g5`, with (col, row) = (0, 0) at the
/// outer corner of the first pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine([f64; 6]);

impl Affine {
    /// From GDAL's six coefficients.
    #[must_use]
    pub fn from_gdal(g: [f64; 6]) -> Self {
        Self(g)
    }
    /// North-up: upper-left corner and positive pixel sizes.
    #[must_use]
    pub fn north_up(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self([x, width, 0.0, y, 0.0, -height])
    }
    /// GDAL's six coefficients.
    #[must_use]
    pub fn coefficients(&self) -> [f64; 6] {
        self.0
    }
    /// Map position of a (fractional) pixel position.
    #[must_use]
    pub fn forward(&self, col: f64, row: f64) -> (f64, f64) {
        let g = &self.0;
        (g[0] + col * g[1] + row * g[2], g[3] + col * g[4] + row * g[5])
    }
    /// Pixel position of a map position.
    #[must_use]
    pub fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        let g = &self.0;
        let (dx, dy, det) = (x - g[0], y - g[3], self.determinant());
        ((dx * g[5] - dy * g[2]) / det, (dy * g[1] - dx * g[4]) / det)
    }
    /// The geotransform of a window that starts at (`col`, `row`).
    #[must_use]
    pub fn shift(&self, col: f64, row: f64) -> Self {
        let (x, y) = self.forward(col, row);
        let g = &self.0;
        Self([x, g[1], g[2], y, g[4], g[5]])
    }
    /// The geotransform of the same pixels `x` and `y` map units away.
    #[must_use]
    pub fn moved(&self, x: f64, y: f64) -> Self {
        let g = &self.0;
        Self([g[0] + x, g[1], g[2], g[3] + y, g[4], g[5]])
    }
    /// The geotransform after merging `factor` × `factor` pixels.
    #[must_use]
    pub fn coarsen(&self, factor: f64) -> Self {
        let g = &self.0;
        Self([g[0], g[1] * factor, g[2] * factor, g[3], g[4] * factor, g[5] * factor])
    }
    /// Signed pixel area in squared map units; negative for north-up.
    #[must_use]
    pub fn determinant(&self) -> f64 {
        let g = &self.0;
        g[1] * g[5] - g[2] * g[4]
    }
    /// True where rows and columns run along the map axes.
    #[must_use]
    pub fn is_axis_aligned(&self) -> bool {
        self.0[2] == 0.0 && self.0[4] == 0.0
    }
    /// Checks that pixel and map positions convert both ways without loss.
    ///
    /// # Errors
    /// The reason in words: not finite, zero pixel size, singular, or an origin so far out that pixels vanish in rounding.
    pub fn check(&self) -> Result<(), String> {
        let g = &self.0;
        if g.iter().any(|v| !v.is_finite()) {
            return Err("the geotransform is not finite".into());
        }
        let det = self.determinant();
        if det == 0.0 || !det.is_normal() {
            return Err("the geotransform is singular (pixel size 0)".into());
        }
        let step = (g[1].abs() + g[2].abs()).min(g[4].abs() + g[5].abs());
        if g[0].abs().max(g[3].abs()) * f64::EPSILON * 16.0 > step {
            return Err("the origin is so far out that the pixel size is lost to rounding".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_round_trip() {
        let a = Affine::from_gdal([500.0, 8.0, 2.0, 900.0, 1.5, -9.0]);
        let (x, y) = a.forward(12.25, 7.5);
        let (c, r) = a.inverse(x, y);
        assert!((c - 12.25).abs() < 1e-12 && (r - 7.5).abs() < 1e-12);
    }

    #[test]
    fn useless_transforms_are_named() {
        assert!(Affine::north_up(0.0, 0.0, 0.0, 10.0).check().unwrap_err().contains("singular"));
        assert!(Affine::north_up(1e300, 0.0, 10.0, 10.0).check().unwrap_err().contains("rounding"));
        assert!(Affine::north_up(f64::NAN, 0.0, 10.0, 10.0).check().unwrap_err().contains("finite"));
    }
}
