//! Synthetic surface reflectance: smooth fields of vegetation, brightness and water, mixed from three spectra, plus noise
//! of a sensor, so that files compress as real scenes do. Every number follows from the place and a seed by integer
//! arithmetic; `benches/peers/scene.py` makes the same pixels.

/// Bands in the order of the spectra.
pub const BANDS: [&str; 6] = ["blue", "green", "red", "nir", "swir16", "swir22"];
/// Stored values are reflectance times this.
pub const STORED_PER_REFLECTANCE: f64 = 10_000.0;
/// Largest noise in stored values; its standard deviation is 0.41 of it.
const NOISE: f64 = 60.0;

const VEGETATION: [f64; 6] = [0.03, 0.06, 0.04, 0.42, 0.20, 0.10];
const SOIL: [f64; 6] = [0.10, 0.14, 0.19, 0.27, 0.33, 0.28];
const WATER: [f64; 6] = [0.05, 0.05, 0.03, 0.02, 0.01, 0.01];

/// Cell size in pixels and weight of the octaves of a field.
const OCTAVES: [(usize, f64); 4] = [(1024, 0.5), (256, 0.25), (64, 0.15), (16, 0.1)];

/// A number in 0..1 that belongs to a place and a seed.
#[must_use]
pub fn unit(x: u32, y: u32, seed: u32) -> f64 {
    let mut h = x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77) ^ seed.wrapping_mul(0xC2B2_AE3D);
    h ^= h >> 15;
    h = h.wrapping_mul(0x2C1B_3C6D);
    h ^= h >> 12;
    h = h.wrapping_mul(0x297A_2D39);
    h ^= h >> 15;
    f64::from(h) / 4_294_967_296.0
}

fn smooth(t: f64) -> f64 {
    t * t * (3.0 - 2.0 * t)
}

/// Value noise of one row: octaves of random lattices, smoothly interpolated, in 0..1.
fn field(seed: u32, row: usize, first_col: usize, out: &mut [f64]) {
    out.fill(0.0);
    for (octave, &(cell, weight)) in OCTAVES.iter().enumerate() {
        let seed = seed * 16 + octave as u32;
        let (y, v) = ((row / cell) as u32, smooth((row % cell) as f64 / cell as f64));
        let at = |x: usize| {
            let (top, bottom) = (unit(x as u32, y, seed), unit(x as u32, y + 1, seed));
            top + (bottom - top) * v
        };
        let mut lattice = first_col / cell;
        let (mut left, mut right) = (at(lattice), at(lattice + 1));
        for (i, o) in out.iter_mut().enumerate() {
            let col = first_col + i;
            if col / cell != lattice {
                lattice = col / cell;
                (left, right) = (right, at(lattice + 1));
            }
            let u = smooth((col % cell) as f64 / cell as f64);
            *o += weight * (left + (right - left) * u);
        }
    }
}

/// One date of the scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Date {
    /// As it was.
    Before,
    /// With vegetation lost in places.
    After,
}

/// Fields of one row, kept from row to row.
#[derive(Default)]
pub struct Row {
    vegetation: Vec<f64>,
    brightness: Vec<f64>,
    water: Vec<f64>,
    loss: Vec<f64>,
}

impl Row {
    /// Takes the fields at `row`, from `first_col` on, `cols` wide.
    pub fn place(&mut self, date: Date, row: usize, first_col: usize, cols: usize) {
        for (seed, part) in
            [&mut self.vegetation, &mut self.brightness, &mut self.water, &mut self.loss].into_iter().enumerate()
        {
            part.resize(cols, 0.0);
            field(seed as u32 + 1, row, first_col, part);
        }
        for (v, loss) in self.vegetation.iter_mut().zip(&self.loss) {
            // Octaves gather around one half; stretched, bare and dense land are both common.
            let grown = ((*v - 0.5) * 2.2 + 0.5).clamp(0.0, 1.0);
            let lost = if date == Date::After { ((loss - 0.55) * 5.0).clamp(0.0, 1.0) } else { 0.0 };
            *v = grown * (1.0 - lost);
        }
        self.water.iter_mut().for_each(|w| *w = ((*w - 0.68) * 20.0).clamp(0.0, 1.0));
        self.brightness.iter_mut().for_each(|b| *b = 0.8 + 0.4 * *b);
    }

    /// Stored values of a band, where the row was placed last.
    pub fn stored(&self, band: usize, date: Date, row: usize, first_col: usize, out: &mut [u16]) {
        let seed = 1000 + band as u32 * 4 + if date == Date::After { 2 } else { 0 };
        let fields = self.vegetation.iter().zip(&self.brightness).zip(&self.water);
        for (i, (o, ((v, b), w))) in out.iter_mut().zip(fields).enumerate() {
            let land = b * (v * VEGETATION[band] + (1.0 - v) * SOIL[band]);
            let reflectance = land * (1.0 - w) + w * WATER[band];
            let (x, y) = ((first_col + i) as u32, row as u32);
            let noise = (unit(x, y, seed) + unit(x, y, seed + 1) - 1.0) * NOISE;
            *o = (reflectance * STORED_PER_REFLECTANCE + noise).round().clamp(1.0, 65_535.0) as u16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(date: Date, band: usize, row: usize, first: usize, cols: usize) -> Vec<u16> {
        let mut fields = Row::default();
        let mut out = vec![0; cols];
        fields.place(date, row, first, cols);
        fields.stored(band, date, row, first, &mut out);
        out
    }

    #[test]
    fn a_pixel_does_not_depend_on_the_tile_it_is_made_in() {
        assert_eq!(row(Date::After, 3, 700, 0, 3000)[1500..1700], row(Date::After, 3, 700, 1500, 200));
    }

    #[test]
    fn fields_are_smooth_and_bands_are_not_equal() {
        let nir = row(Date::Before, 3, 100, 0, 2000);
        let step = nir.windows(2).map(|w| f64::from(w[0].abs_diff(w[1]))).sum::<f64>() / 1999.0;
        assert!((10.0..120.0).contains(&step), "mean step {step}");
        let (lo, hi) = (nir.iter().min().unwrap(), nir.iter().max().unwrap());
        assert!(hi - lo > 500, "{lo} to {hi}");
        assert_ne!(nir, row(Date::Before, 2, 100, 0, 2000));
    }

    /// Pinned, because scripts outside this crate make the same pixels; the numbers are theirs.
    #[test]
    fn numbers_of_the_recipe() {
        assert_eq!(unit(0, 0, 0), 0.0);
        for (date, band, at, stored) in [
            (Date::Before, 0, (40, 90), 501),
            (Date::After, 0, (40, 90), 476),
            (Date::Before, 3, (40, 90), 226),
            (Date::Before, 2, (700, 333), 1769),
            (Date::After, 2, (700, 333), 1732),
            (Date::Before, 3, (700, 333), 2990),
            (Date::After, 3, (700, 333), 2982),
            (Date::Before, 5, (700, 333), 2672),
        ] {
            assert_eq!(row(date, band, at.0, at.1, 1), [stored], "{date:?} {band} {at:?}");
        }
    }
}
