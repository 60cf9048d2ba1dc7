//! Sub-pixel shift between two square images by cross-correlation in the frequency domain.
//!
//! The cross-power spectrum `F₁ · conj(F₂)`, phase-normalised or plain, is transformed back; its peak is the shift in whole
//! pixels, and sums of the spectrum on a finer and finer grid around the peak (a Fourier transform by matrices) find it to
//! 1/100 pixel. Guizar-Sicairos, Thurman & Fienup 2008, Optics Letters 33(2):156-158.
//!
//! Phase normalisation gives each frequency the same say, also those near the Nyquist limit that resampling and aliasing
//! have spoilt. A cosine-squared taper over the frequencies takes it back from them (Stone, Orchard, Chang & Martucci 2001,
//! IEEE TGRS 39(10):2235-2243).

use std::f64::consts::PI;
use std::str::FromStr;
use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use crate::error::{Error, Result};

/// How frequencies are weighted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Correlation {
    /// By phase alone: robust to changes of light and season.
    #[default]
    Phase,
    /// By amplitude: more exact where the images differ in nothing but position.
    Plain,
}

impl Correlation {
    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Phase => "phase",
            Self::Plain => "plain",
        }
    }
}

impl FromStr for Correlation {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "phase" => Ok(Self::Phase),
            "plain" => Ok(Self::Plain),
            _ => Err(Error::usage("write phase or plain")),
        }
    }
}

/// Steps per pixel of the finest grid.
const UPSAMPLING: f64 = 100.0;
/// Grids around the peak: step in pixels, and steps to each side. The first covers 0.75 px, each next a step of the one before.
const GRIDS: [(f64, i32); 2] = [(10.0 / UPSAMPLING, 8), (1.0 / UPSAMPLING, 12)];
/// Frequencies weaker than this share of the strongest are rounding, and their phase is noise.
const FAINT: f64 = 1e-12;

/// The shift to apply to the second image, and how far it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// Rows, down positive.
    pub rows: f64,
    /// Columns, right positive.
    pub cols: f64,
    /// Height of the correlation peak over the mean height.
    pub peak_to_mean: f64,
    /// `sqrt(1 - r²)` of the images after the shift in whole pixels; r is their correlation coefficient under the window.
    pub error: f64,
}

/// Correlates square images of one size.
pub struct Correlator {
    edge: usize,
    correlation: Correlation,
    forward: Arc<dyn Fft<f64>>,
    backward: Arc<dyn Fft<f64>>,
    window: Vec<f64>,
    taper: Vec<f64>,
}

/// Memory of one correlation, for use again.
pub struct Workspace {
    first: Vec<f64>,
    second: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    turned: Vec<Complex<f64>>,
    surface: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl Correlator {
    /// For images of `edge` × `edge` pixels.
    #[must_use]
    pub fn new(edge: usize, correlation: Correlation) -> Self {
        // Periodic, so that it is smooth at the seam of the transform.
        let hann = (0..edge).map(|i| 0.5 - 0.5 * (2.0 * PI * i as f64 / edge as f64).cos()).collect();
        Self::with_window(edge, correlation, hann)
    }

    fn with_window(edge: usize, correlation: Correlation, window: Vec<f64>) -> Self {
        let mut planner = FftPlanner::new();
        let taper = |k| (PI * frequency(k, edge) / edge as f64).cos().powi(2);
        Self {
            edge,
            correlation,
            forward: planner.plan_fft_forward(edge),
            backward: planner.plan_fft_inverse(edge),
            window,
            taper: (0..edge).map(taper).collect(),
        }
    }

    /// Pixels along an edge.
    #[must_use]
    pub fn edge(&self) -> usize {
        self.edge
    }

    /// Bytes of a [`Workspace`].
    #[must_use]
    pub fn bytes(edge: usize) -> u64 {
        (edge * edge * (2 * 8 + 3 * 16) + 8 * edge * 16) as u64
    }

    /// Memory for [`Correlator::shift`].
    #[must_use]
    pub fn workspace(&self) -> Workspace {
        let cells = self.edge * self.edge;
        let zero = Complex::default();
        let scratch = self.forward.get_inplace_scratch_len().max(self.backward.get_inplace_scratch_len());
        Workspace {
            first: vec![0.0; cells],
            second: vec![0.0; cells],
            spectrum: vec![zero; cells],
            turned: vec![zero; cells],
            surface: vec![zero; cells],
            scratch: vec![zero; scratch],
        }
    }

    /// The shift that puts `second` onto `first`; NaN is nodata and counts as the mean of its image. Nothing where an image
    /// is flat.
    ///
    /// # Panics
    /// Where an image has another size.
    #[must_use]
    pub fn shift(&self, first: &[f64], second: &[f64], w: &mut Workspace) -> Option<Shift> {
        let n = self.edge;
        assert!(first.len() == n * n && second.len() == n * n, "images of the correlator's size");
        self.prepare(first, &mut w.first)?;
        self.prepare(second, &mut w.second)?;
        // Both are real, so that one complex transform holds the two spectra.
        for (z, (a, b)) in w.spectrum.iter_mut().zip(w.first.iter().zip(&w.second)) {
            *z = Complex::new(*a, *b);
        }
        transform(&*self.forward, n, &mut w.spectrum, &mut w.turned, &mut w.scratch);
        self.cross(&w.turned, &mut w.spectrum)?;
        self.peak(w)
    }

    /// Nodata filled, mean taken off, Hann window, unit energy.
    fn prepare(&self, image: &[f64], out: &mut [f64]) -> Option<()> {
        let n = self.edge;
        let (sum, count) = image.iter().filter(|v| v.is_finite()).fold((0.0, 0_usize), |(s, c), v| (s + v, c + 1));
        let mean = sum / count as f64;
        let mut energy = 0.0;
        for (row, (out, image)) in out.chunks_exact_mut(n).zip(image.chunks_exact(n)).enumerate() {
            for ((o, v), across) in out.iter_mut().zip(image).zip(&self.window) {
                *o = if v.is_finite() { (v - mean) * across * self.window[row] } else { 0.0 };
                energy += *o * *o;
            }
        }
        // Where all pixels are equal, the mean may still differ from them by rounding.
        let flat = 1e-12 * mean.abs().max(f64::MIN_POSITIVE) * n as f64;
        if !energy.is_finite() || energy <= flat * flat {
            return None;
        }
        let scale = energy.sqrt().recip();
        out.iter_mut().for_each(|o| *o *= scale);
        Some(())
    }

    /// The weighted cross-power spectrum out of the spectrum of `first + i · second`, both by columns.
    fn cross(&self, both: &[Complex<f64>], out: &mut [Complex<f64>]) -> Option<()> {
        let n = self.edge;
        let mut strongest = 0.0_f64;
        for col in 0..n {
            for row in 0..n {
                let z = both[col * n + row];
                let mirror = both[(n - col) % n * n + (n - row) % n].conj();
                let (f, g) = ((z + mirror) * 0.5, (z - mirror) * Complex::new(0.0, -0.5));
                let c = f * g.conj();
                strongest = strongest.max(c.norm_sqr());
                out[col * n + row] = c;
            }
        }
        if strongest == 0.0 {
            return None;
        }
        if self.correlation == Correlation::Phase {
            let faint = strongest * FAINT * FAINT;
            for (out, across) in out.chunks_exact_mut(n).zip(&self.taper) {
                for (c, down) in out.iter_mut().zip(&self.taper) {
                    let power = c.norm_sqr();
                    *c = if power > faint { *c * (across * down / power.sqrt()) } else { Complex::default() };
                }
            }
        }
        Some(())
    }

    fn peak(&self, w: &mut Workspace) -> Option<Shift> {
        let n = self.edge;
        // The spectrum lies by columns, so the transform comes out by rows.
        w.turned.copy_from_slice(&w.spectrum);
        transform(&*self.backward, n, &mut w.turned, &mut w.surface, &mut w.scratch);
        let heights = w.surface.iter().map(|c| c.re.abs());
        let mean = heights.clone().sum::<f64>() / (n * n) as f64;
        let (at, highest) = heights.enumerate().fold((0, 0.0), |best, (i, h)| if h > best.1 { (i, h) } else { best });
        let (row, col) = (frequency(at / n, n), frequency(at % n, n));
        let (mut rows, mut cols) = (row, col);
        for (step, reach) in GRIDS {
            (rows, cols) = self.finer(&w.spectrum, (rows, cols), step, reach);
        }
        let r = correlation(&w.first, &w.second, n, (at / n, at % n));
        let error = (1.0 - r * r).max(0.0).sqrt();
        (mean > 0.0).then(|| Shift { rows: rounded(rows), cols: rounded(cols), peak_to_mean: highest / mean, error })
    }

    /// The highest point of the correlation on a grid around `at` (rows, columns).
    fn finer(&self, spectrum: &[Complex<f64>], at: (f64, f64), step: f64, reach: i32) -> (f64, f64) {
        let n = self.edge;
        let places = |centre: f64| (-reach..=reach).map(move |i| centre + f64::from(i) * step);
        let wave = |k: usize, x: f64| Complex::cis(2.0 * PI * frequency(k, n) * x / n as f64);
        // The spectrum of a real surface: columns k and n - k are conjugate, and half of them say all.
        let half = n / 2 + 1;
        let mut along = Vec::with_capacity(half * places(0.0).count());
        for y in places(at.0) {
            let waves: Vec<_> = (0..n).map(|k| wave(k, y)).collect();
            for col in spectrum.chunks_exact(n).take(half) {
                along.push(col.iter().zip(&waves).map(|(c, w)| c * w).sum::<Complex<f64>>());
            }
        }
        let mut best = (at, f64::NEG_INFINITY);
        for x in places(at.1) {
            let waves: Vec<_> =
                (0..half).map(|k| if k == 0 || 2 * k == n { wave(k, x) } else { wave(k, x) * 2.0 }).collect();
            for (y, sums) in places(at.0).zip(along.chunks_exact(half)) {
                let height = sums.iter().zip(&waves).map(|(s, w)| (s * w).re).sum::<f64>();
                if height > best.1 {
                    best = ((y, x), height);
                }
            }
        }
        best.0
    }
}

/// A transform of rows, then of columns. The result lies in `out` with rows and columns exchanged.
fn transform(
    fft: &dyn Fft<f64>,
    n: usize,
    data: &mut [Complex<f64>],
    out: &mut [Complex<f64>],
    scratch: &mut [Complex<f64>],
) {
    fft.process_with_scratch(data, scratch);
    for (i, out) in out.chunks_exact_mut(n).enumerate() {
        out.iter_mut().zip(data[i..].iter().step_by(n)).for_each(|(o, d)| *o = *d);
    }
    fft.process_with_scratch(out, scratch);
}

/// The signed frequency (or shift) of index `k` of `n`.
fn frequency(k: usize, n: usize) -> f64 {
    if 2 * k > n { k as f64 - n as f64 } else { k as f64 }
}

/// To the step of the finest grid: sums of tenths leave digits behind.
fn rounded(pixels: f64) -> f64 {
    (pixels * UPSAMPLING).round() / UPSAMPLING
}

/// Correlation coefficient of two images of unit energy, the second moved cyclically by whole pixels.
fn correlation(first: &[f64], second: &[f64], n: usize, (down, right): (usize, usize)) -> f64 {
    let mut sum = 0.0;
    for (row, a) in first.chunks_exact(n).enumerate() {
        let from = (row + n - down) % n * n;
        let b = &second[from..from + n];
        let (tail, head) = b.split_at(n - right);
        sum += a[right..].iter().zip(tail).chain(a[..right].iter().zip(head)).map(|(x, y)| x * y).sum::<f64>();
    }
    sum
}

/// Gradient magnitude by central differences; one-sided at the edges, NaN beside nodata.
#[must_use]
pub fn gradient(image: &[f64], n: usize) -> Vec<f64> {
    let slope = |a: usize, b: usize, steps: usize| (image[b] - image[a]) / steps as f64;
    let mut out = Vec::with_capacity(image.len());
    for row in 0..n {
        let (up, down) = (row.saturating_sub(1), (row + 1).min(n - 1));
        for col in 0..n {
            let (left, right) = (col.saturating_sub(1), (col + 1).min(n - 1));
            let x = slope(row * n + left, row * n + right, right - left);
            let y = slope(up * n + col, down * n + col, down - up);
            out.push(x.hypot(y));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reproducible noise in 0..1.
    fn noise(n: usize) -> Vec<f64> {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        (0..n * n).map(|_| next()).collect()
    }

    /// A window of `n` pixels of a larger image, `row` and `col` from its corner.
    fn cut(image: &[f64], wide: usize, n: usize, row: usize, col: usize) -> Vec<f64> {
        (0..n).flat_map(|r| image[(row + r) * wide + col..][..n].iter().copied()).collect()
    }

    fn measured(first: &[f64], second: &[f64], n: usize, correlation: Correlation) -> Option<Shift> {
        let c = Correlator::new(n, correlation);
        c.shift(first, second, &mut c.workspace())
    }

    #[test]
    fn whole_shift_of_noise_has_the_sign_of_the_correction() {
        let image = noise(80);
        // What lies at (8, 8) of the first lies at (5, 12) of the second: it has to go 3 down and 4 left.
        let (first, second) = (cut(&image, 80, 64, 8, 8), cut(&image, 80, 64, 11, 4));
        for correlation in [Correlation::Phase, Correlation::Plain] {
            let s = measured(&first, &second, 64, correlation).unwrap();
            assert!((s.rows - 3.0).abs() < 0.02 && (s.cols + 4.0).abs() < 0.02, "{correlation:?} {s:?}");
            assert!(s.peak_to_mean > 5.0, "{s:?}");
            let back = measured(&second, &first, 64, correlation).unwrap();
            assert!((back.rows + s.rows).abs() < 0.02 && (back.cols + s.cols).abs() < 0.02, "{back:?}");
        }
    }

    #[test]
    fn equal_images_do_not_move_and_differ_in_nothing() {
        let image = noise(64);
        let s = measured(&image, &image, 64, Correlation::Phase).unwrap();
        assert_eq!((s.rows, s.cols), (0.0, 0.0));
        assert!(s.error < 1e-6, "{s:?}");
        // Brightness and contrast make no difference.
        let brighter: Vec<f64> = image.iter().map(|v| 300.0 + 40.0 * v).collect();
        let s = measured(&image, &brighter, 64, Correlation::Plain).unwrap();
        assert_eq!((s.rows, s.cols), (0.0, 0.0));
        assert!(s.error < 1e-6, "{s:?}");
    }

    #[test]
    fn flat_images_have_no_shift_and_nodata_is_the_mean() {
        let image = noise(64);
        assert!(measured(&image, &[0.3; 64 * 64], 64, Correlation::Phase).is_none());
        assert!(measured(&[f64::NAN; 64 * 64], &image, 64, Correlation::Phase).is_none());
        let mut holed = image.clone();
        holed[..64 * 20].fill(f64::NAN);
        let s = measured(&image, &holed, 64, Correlation::Phase).unwrap();
        assert_eq!((s.rows, s.cols), (0.0, 0.0));
    }

    #[test]
    fn a_fraction_of_a_pixel_is_found_to_hundredths() {
        // Waves of all directions and lengths down to two pixels, so that no frequency is empty and none is aliased.
        let random = noise(20);
        let waves = |dy: f64, dx: f64| -> Vec<f64> {
            let at = |r: f64, c: f64| {
                let wave = |w: &[f64]| (6.0 * (w[0] - 0.5) * r + 6.0 * (w[1] - 0.5) * c + 6.0 * w[2]).sin();
                random.chunks_exact(4).map(wave).sum::<f64>()
            };
            (0..64 * 64).map(|i| at((i / 64) as f64 - dy, (i % 64) as f64 - dx)).collect()
        };
        for correlation in [Correlation::Phase, Correlation::Plain] {
            let s = measured(&waves(0.0, 0.0), &waves(0.37, -0.42), 64, correlation).unwrap();
            assert!((s.rows + 0.37).abs() <= 0.02 && (s.cols - 0.42).abs() <= 0.02, "{correlation:?} {s:?}");
        }
    }

    #[test]
    fn gradient_of_a_plane_is_its_slope() {
        let plane: Vec<f64> = (0..25).map(|i| 3.0 * f64::from(i / 5) + 4.0 * f64::from(i % 5)).collect();
        assert!(gradient(&plane, 5).iter().all(|g| (g - 5.0).abs() < 1e-12));
        let mut holed = plane;
        holed[12] = f64::NAN;
        assert_eq!(gradient(&holed, 5).iter().filter(|g| g.is_nan()).count(), 4);
    }

    #[test]
    fn shifts_equal_the_oracle() {
        let text = include_str!("../../fixtures/oracles/remote-sensing/phase_correlation.json");
        let oracle: serde_json::Value = serde_json::from_str(text).unwrap();
        let image = |v: &serde_json::Value| -> Vec<f64> {
            v.as_array().unwrap().iter().flat_map(|r| r.as_array().unwrap()).map(|v| v.as_f64().unwrap()).collect()
        };
        let cases = oracle["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 5);
        for case in cases {
            let (first, second) = (image(&case["ref"]), image(&case["moving"]));
            let at = |key: &str, i: usize| case[key][i].as_f64().unwrap();
            for (correlation, key) in
                [(Correlation::Phase, "skimage_up100_phase"), (Correlation::Plain, "skimage_up100_unnormalized")]
            {
                // The oracle's tool has no window.
                let open = Correlator::with_window(40, correlation, vec![1.0; 40]);
                let s = open.shift(&first, &second, &mut open.workspace()).unwrap();
                for (i, found) in [s.rows, s.cols].into_iter().enumerate() {
                    let truth = -at("true_shift_moving_minus_ref_dy_dx", i);
                    assert!((found - truth).abs() <= 0.05, "{} {correlation:?}: {found}, true {truth}", case["id"]);
                    assert!((found - at(key, i)).abs() <= 0.1, "{} {correlation:?}: {found}, {key}", case["id"]);
                }
            }
        }
    }
}
