//! One image from several dates, pixel by pixel over the dates where all bands are valid.

use std::str::FromStr;

use crate::engine::{Analysis, OutBand, Spec, TileIn, TileOut};
use crate::error::{Error, Result};
use crate::numeric::quantile::of_sorted;

/// How the dates of a pixel become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CompositeMethod {
    /// Quantile of each band on its own; 0.5 is the median.
    Quantile(f64),
    /// Mean of each band on its own.
    Mean,
    /// The date with the highest NDVI; the earliest on ties.
    MaxNdvi,
    /// The date with the least sum of distances to all others (Flood 2013); the earliest on ties.
    Medoid,
    /// The point with the least sum of distances to all dates (Roberts, Mueller & McIntyre 2017).
    GeometricMedian,
}

impl FromStr for CompositeMethod {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "median" => return Ok(Self::Quantile(0.5)),
            "mean" => return Ok(Self::Mean),
            "max-ndvi" => return Ok(Self::MaxNdvi),
            "medoid" => return Ok(Self::Medoid),
            "geomedian" => return Ok(Self::GeometricMedian),
            _ => {}
        }
        let percent = text.strip_prefix('p').and_then(|p| p.parse::<f64>().ok()).filter(|p| (0.0..=100.0).contains(p));
        percent.map(|p| Self::Quantile(p / 100.0)).ok_or_else(|| {
            Error::usage(format!("--method {text:?}: expected median, mean, medoid, max-ndvi, geomedian or p0 to p100"))
        })
    }
}

/// Composites bands over dates. Reads all bands of the first date, then of the second, and so on.
pub struct CompositeAnalysis {
    /// Channels, date by date.
    pub reads: Vec<String>,
    /// Output bands without the count, one for each band of a date.
    pub bands: Vec<OutBand>,
    /// From many dates to one.
    pub method: CompositeMethod,
    /// Positions of red and near infrared among the bands, for [`CompositeMethod::MaxNdvi`].
    pub red_nir: (usize, usize),
    /// Fewest valid dates of a pixel that is not nodata.
    pub least: usize,
}

impl Analysis for CompositeAnalysis {
    type Partial = ();

    fn spec(&self) -> Spec {
        let mut writes = self.bands.clone();
        writes.push(OutBand::quantity("valid dates", "count"));
        Spec {
            name: "composite".into(),
            reads: self.reads.clone(),
            writes,
            scratch_fixed: 8 * 1024 * self.reads.len() as u64,
            citations: match self.method {
                CompositeMethod::Medoid => vec!["Flood 2013, medoid"],
                CompositeMethod::GeometricMedian => vec!["Roberts, Mueller & McIntyre 2017, geometric median"],
                CompositeMethod::MaxNdvi => vec!["Holben 1986, maximum value composite"],
                CompositeMethod::Quantile(_) | CompositeMethod::Mean => Vec::new(),
            },
            ..Spec::default()
        }
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        let (bands, cols) = (self.bands.len(), input.cols());
        let mut planes = vec![vec![0.0; cols]; self.reads.len()];
        // Valid dates of one pixel, one after the other, and what they make.
        let mut dates: Vec<f64> = Vec::with_capacity(self.reads.len());
        let (mut work, mut made) = (Work::default(), vec![0.0; bands]);
        for row in 0..input.rows() {
            for (k, plane) in planes.iter_mut().enumerate() {
                input.load(k, row, plane);
            }
            for col in 0..cols {
                dates.clear();
                for date in planes.chunks_exact(bands) {
                    if date.iter().all(|b| b[col].is_finite()) {
                        dates.extend(date.iter().map(|b| b[col]));
                    }
                }
                let count = dates.len() / bands;
                out.f32_row(bands, row)[col] = count as f32;
                if count == 0 || count < self.least {
                    continue;
                }
                composite_into(&dates, bands, self.method, self.red_nir, &mut work, &mut made);
                made.iter().enumerate().for_each(|(k, v)| out.f32_row(k, row)[col] = *v as f32);
            }
        }
        Ok(())
    }
}

/// Working memory, reused from pixel to pixel.
#[derive(Default)]
struct Work {
    sorted: Vec<f64>,
    sum: Vec<f64>,
    pull: Vec<f64>,
}

/// Quantile of band `k` of `bands` over dates that lie one after the other; `sorted` is working memory.
fn band_quantile(dates: &[f64], bands: usize, k: usize, q: f64, sorted: &mut Vec<f64>) -> f64 {
    sorted.clear();
    sorted.extend(dates.iter().skip(k).step_by(bands));
    sorted.sort_unstable_by(f64::total_cmp);
    of_sorted(sorted, q).unwrap_or(f64::NAN)
}

/// One value a band, from finite values of at least one date: `bands` values of the first date, then of the second.
#[must_use]
pub fn composite(dates: &[f64], bands: usize, method: CompositeMethod, red_nir: (usize, usize)) -> Vec<f64> {
    let mut out = vec![0.0; bands];
    composite_into(dates, bands, method, red_nir, &mut Work::default(), &mut out);
    out
}

/// As [`composite`], into `out`.
fn composite_into(
    dates: &[f64],
    bands: usize,
    method: CompositeMethod,
    red_nir: (usize, usize),
    work: &mut Work,
    out: &mut [f64],
) {
    let each = || dates.chunks_exact(bands);
    let date = |i: usize| &dates[i * bands..(i + 1) * bands];
    match method {
        CompositeMethod::Quantile(q) => {
            out.iter_mut().enumerate().for_each(|(k, o)| *o = band_quantile(dates, bands, k, q, &mut work.sorted));
        }
        CompositeMethod::Mean => mean(dates, bands, out),
        CompositeMethod::MaxNdvi => {
            let (red, nir) = red_nir;
            out.copy_from_slice(date(best(each().map(|d| (d[red] - d[nir]) / (d[nir] + d[red])))));
        }
        CompositeMethod::Medoid => {
            out.copy_from_slice(date(best(each().map(|from| each().map(|d| distance(d, from)).sum()))));
        }
        CompositeMethod::GeometricMedian => geometric_median(dates, bands, work, out),
    }
}

/// Position of the least number; the first on ties, and never NaN while there is another.
fn best(scores: impl Iterator<Item = f64>) -> usize {
    let mut least = (f64::INFINITY, 0);
    for (i, score) in scores.enumerate() {
        if score < least.0 {
            least = (score, i);
        }
    }
    least.1
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt()
}

fn mean(dates: &[f64], bands: usize, out: &mut [f64]) {
    let count = (dates.len() / bands) as f64;
    out.iter_mut().enumerate().for_each(|(k, o)| *o = dates.iter().skip(k).step_by(bands).sum::<f64>() / count);
}

/// Weiszfeld's iteration from the mean, with the step of Vardi & Zhang 2000 where the point meets a date.
fn geometric_median(dates: &[f64], bands: usize, work: &mut Work, at: &mut [f64]) {
    const STEP: f64 = 1e-8;
    const ITERATIONS: usize = 1000;
    mean(dates, bands, at);
    let (sum, pull) = (&mut work.sum, &mut work.pull);
    for _ in 0..ITERATIONS {
        let (mut weight, mut here) = (0.0, 0.0);
        for zeros in [&mut *sum, &mut *pull] {
            zeros.clear();
            zeros.resize(bands, 0.0);
        }
        for date in dates.chunks_exact(bands) {
            let d = distance(date, at);
            if d < 1e-15 {
                here += 1.0;
                continue;
            }
            weight += 1.0 / d;
            for k in 0..bands {
                sum[k] += date[k] / d;
                pull[k] += (date[k] - at[k]) / d;
            }
        }
        if weight == 0.0 {
            return;
        }
        // Share of the step that a date under the point holds back.
        let strength = pull.iter().map(|p| p * p).sum::<f64>().sqrt();
        let hold =
            if here > 0.0 && strength > 0.0 { (here / strength).min(1.0) } else { f64::from(u8::from(here > 0.0)) };
        let mut step = 0.0f64;
        for k in 0..bands {
            let next = (1.0 - hold) * (sum[k] / weight) + hold * at[k];
            step = step.max((next - at[k]).abs());
            at[k] = next;
        }
        if step < STEP {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_named() {
        assert_eq!("p25".parse::<CompositeMethod>().unwrap(), CompositeMethod::Quantile(0.25));
        assert_eq!("median".parse::<CompositeMethod>().unwrap(), CompositeMethod::Quantile(0.5));
        assert!("p101".parse::<CompositeMethod>().is_err());
        assert!("best".parse::<CompositeMethod>().unwrap_err().to_string().contains("medoid"));
    }

    #[test]
    fn selection_takes_the_earliest_of_equals() {
        let dates = [0.2, 0.3, 0.1, 0.5, 0.1, 0.5, 0.15, 0.2];
        assert_eq!(composite(&dates, 2, CompositeMethod::MaxNdvi, (0, 1)), [0.1, 0.5]);
        assert_eq!(composite(&[0.3, 0.1, 0.1, 0.3], 2, CompositeMethod::Medoid, (0, 1)), [0.3, 0.1]);
    }

    #[test]
    fn geometric_median_of_a_line_is_its_middle() {
        let m = composite(&[0.0, 2.0, 1.0, 2.0, 10.0, 2.0], 2, CompositeMethod::GeometricMedian, (0, 1));
        assert!((m[0] - 1.0).abs() < 1e-4 && (m[1] - 2.0).abs() < 1e-12, "{m:?}");
    }
}
