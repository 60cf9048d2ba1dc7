//! Shifts between two images in windows spread over both.
//!
//! A window is measured three times: at the place it has in both images; again with the second image read where the first
//! shift says, so that both windows show the same ground and less than a pixel is left to measure; and backwards, with the
//! roles exchanged. What is reported is the second.

use crate::engine::{Analysis, Partial, Spec, TileIn, TileOut};
use crate::error::Result;
use crate::numeric::phase::{Correlation, Correlator, Shift, Workspace, gradient};

/// Window edges, the preferred first; smaller ones are for small images.
const EDGES: [usize; 3] = [256, 128, 64];
/// Windows that are enough to try no smaller edge: some are rejected.
const ENOUGH: usize = 9;
/// Most windows along an axis; on larger images they lie apart.
const MOST_ALONG: usize = 20;
/// Least share of valid pixels of a window.
const LEAST_VALID: f64 = 0.5;
/// A peak this much higher than the mean is one.
const LEAST_PEAK: f64 = 5.0;
/// So is the peak of images that differ by less than this.
const MOST_ERROR: f64 = 0.5;
/// Pixels the shifts of both directions may differ by.
const MOST_ASYMMETRY: f64 = 0.1;

/// Where windows lie: by first row and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Pixels along an edge.
    pub edge: usize,
    rows: Vec<i64>,
    cols: Vec<i64>,
}

impl Windows {
    /// Evenly spread windows that overlap by half or more where the image is small, at most 400. 256 pixels where an image
    /// holds nine of them, else 128, else 64. Nothing where the image is too small.
    #[must_use]
    pub fn spread(cols: usize, rows: usize) -> Option<Self> {
        let of = |edge: usize| Some(Self { edge, rows: along(rows, edge)?, cols: along(cols, edge)? });
        let fitting: Vec<Self> = EDGES.into_iter().filter_map(of).collect();
        let enough = fitting.iter().position(|w| w.len() >= ENOUGH);
        let chosen = enough.unwrap_or(fitting.len().saturating_sub(1));
        fitting.into_iter().nth(chosen)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len() * self.cols.len()
    }

    /// True without windows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Farthest shift that is looked for.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.edge / 4
    }
}

fn along(size: usize, edge: usize) -> Option<Vec<i64>> {
    let free = size.checked_sub(edge)?;
    let n = (free.div_ceil(edge / 2) + 1).min(MOST_ALONG);
    Some((0..n).map(|i| if n > 1 { (i * free / (n - 1)) as i64 } else { 0 }).collect())
}

/// Why a window does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejected {
    /// More than half of it is nodata in one image.
    Nodata,
    /// One image is flat there.
    Flat,
    /// The peak is beyond a quarter of the window.
    Far,
    /// The peak does not stand out and the images differ.
    Weak,
    /// The second measurement or the one backwards contradicts the first.
    Inconsistent,
    /// The shift is not that of nearly all other windows.
    Outlier,
}

impl Rejected {
    /// In one word, for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nodata => "nodata",
            Self::Flat => "flat",
            Self::Far => "far",
            Self::Weak => "weak",
            Self::Inconsistent => "inconsistent",
            Self::Outlier => "outlier",
        }
    }
}

/// What one window says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// First row on the common grid.
    pub row: i64,
    /// First column on the common grid.
    pub col: i64,
    /// The shift to apply to the second image, as far as it was measured.
    pub shift: Option<Shift>,
    /// Pixels by which the shift backwards differs.
    pub asymmetry: Option<f64>,
    /// Why it does not count.
    pub rejected: Option<Rejected>,
}

/// All windows, by tile.
#[derive(Debug, Default)]
pub struct Found(pub Vec<Measured>);

impl Partial for Found {
    fn merge(&mut self, next: Self) {
        self.0.extend(next.0);
    }
}

/// Measures the windows whose centre lies in a tile, whatever the size of tiles.
pub struct Registration {
    reads: [String; 2],
    windows: Windows,
    correlator: Correlator,
    gradient: bool,
}

/// A window of both images, from the tile's corner; `(down, right)` is where an image is read instead.
struct At {
    row: isize,
    col: isize,
}

impl Registration {
    /// Of the channels `reads`: the one that stays and the one to move. With `gradient` their gradient magnitudes are
    /// compared.
    #[must_use]
    pub fn new(reads: [String; 2], windows: Windows, correlation: Correlation, gradient: bool) -> Self {
        let correlator = Correlator::new(windows.edge, correlation);
        Self { reads, windows, correlator, gradient }
    }

    fn halo(&self) -> usize {
        self.windows.edge / 2 + self.windows.reach()
    }

    /// The image in a window, and the share of it that is valid.
    fn image(&self, input: &TileIn<'_>, plane: usize, at: &At, by: (i64, i64), out: &mut Vec<f64>) -> f64 {
        let (edge, halo) = (self.windows.edge, input.halo as isize);
        let (row, col) = (at.row + by.0 as isize + halo, at.col + by.1 as isize + halo);
        out.resize(edge * edge, f64::NAN);
        for (r, out) in out.chunks_exact_mut(edge).enumerate() {
            input.planes[plane].load(row as usize + r, col as usize, out);
        }
        let valid = out.iter().filter(|v| v.is_finite()).count() as f64 / (edge * edge) as f64;
        if self.gradient {
            *out = gradient(out, edge);
        }
        valid
    }

    fn measure(&self, input: &TileIn<'_>, at: &At, work: &mut Work) -> (Option<Shift>, Option<f64>, Option<Rejected>) {
        let Work { first, second, space } = work;
        let mut valid = self.image(input, 0, at, (0, 0), first);
        valid = valid.min(self.image(input, 1, at, (0, 0), second));
        if valid < LEAST_VALID {
            return (None, None, Some(Rejected::Nodata));
        }
        let Some(rough) = self.correlator.shift(first, second, space) else {
            return (None, None, Some(Rejected::Flat));
        };
        let (down, right) = (rough.rows.round() as i64, rough.cols.round() as i64);
        if down.abs().max(right.abs()) > self.windows.reach() as i64 {
            return (Some(rough), None, Some(Rejected::Far));
        }
        // What has to go down lies further up.
        if self.image(input, 1, at, (-down, -right), second) < LEAST_VALID {
            return (Some(rough), None, Some(Rejected::Nodata));
        }
        let Some(rest) = self.correlator.shift(first, second, space) else {
            return (Some(rough), None, Some(Rejected::Flat));
        };
        let shift = Shift { rows: down as f64 + rest.rows, cols: right as f64 + rest.cols, ..rest };
        // Backwards: the second image stays, and the first is read where it shows the same ground.
        if self.image(input, 0, at, (down, right), first) < LEAST_VALID {
            return (Some(shift), None, Some(Rejected::Nodata));
        }
        self.image(input, 1, at, (0, 0), second);
        let Some(back) = self.correlator.shift(second, first, space) else {
            return (Some(shift), None, Some(Rejected::Flat));
        };
        let asymmetry = (rest.rows + back.rows).hypot(rest.cols + back.cols);
        let rejected = if shift.peak_to_mean <= LEAST_PEAK && shift.error >= MOST_ERROR {
            Some(Rejected::Weak)
        } else if asymmetry >= MOST_ASYMMETRY || rest.rows.abs().max(rest.cols.abs()) > 1.0 {
            Some(Rejected::Inconsistent)
        } else {
            None
        };
        (Some(shift), Some(asymmetry), rejected)
    }
}

struct Work {
    first: Vec<f64>,
    second: Vec<f64>,
    space: Workspace,
}

impl Analysis for Registration {
    type Partial = Found;

    fn spec(&self) -> Spec {
        let cells = (self.windows.edge * self.windows.edge) as u64;
        Spec {
            name: "registration".into(),
            reads: self.reads.to_vec(),
            halo: self.halo(),
            // Two images and a gradient, the correlation and its surface, and the list of windows.
            scratch_fixed: Correlator::bytes(self.windows.edge)
                + cells * (3 * 8)
                + (self.windows.len() * size_of::<Measured>()) as u64,
            citations: vec![
                "Guizar-Sicairos, Thurman & Fienup 2008, Optics Letters 33(2):156-158",
                "Stone, Orchard, Chang & Martucci 2001, IEEE TGRS 39(10):2235-2243",
            ],
            ..Spec::default()
        }
    }

    fn tile(&self, input: &TileIn<'_>, _: &mut TileOut, found: &mut Found) -> Result<()> {
        let middle = self.windows.edge as i64 / 2;
        let tile = input.window;
        let mut work = None;
        for &row in self.windows.rows.iter().filter(|r| (tile.row..tile.row_end()).contains(&(**r + middle))) {
            for &col in self.windows.cols.iter().filter(|c| (tile.col..tile.col_end()).contains(&(**c + middle))) {
                let work = work.get_or_insert_with(|| Work {
                    first: Vec::new(),
                    second: Vec::new(),
                    space: self.correlator.workspace(),
                });
                let at = At { row: (row - tile.row) as isize, col: (col - tile.col) as isize };
                let (shift, asymmetry, rejected) = self.measure(input, &at, work);
                found.0.push(Measured { row, col, shift, asymmetry, rejected });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_reach_both_edges_and_shrink_on_small_images() {
        let w = Windows::spread(934, 724).unwrap();
        assert_eq!((w.edge, w.len()), (256, 7 * 5));
        assert_eq!((w.cols[0], *w.cols.last().unwrap()), (0, 934 - 256));
        let w = Windows::spread(10_980, 10_980).unwrap();
        assert_eq!((w.edge, w.len(), *w.rows.last().unwrap()), (256, 400, 10_980 - 256));
        assert_eq!(Windows::spread(400, 300).unwrap().edge, 128);
        let w = Windows::spread(100, 100).unwrap();
        assert_eq!((w.edge, w.rows), (64, vec![0, 18, 36]));
        assert_eq!(Windows::spread(64, 64).unwrap().len(), 1);
        assert_eq!(Windows::spread(63, 1000), None);
    }
}
