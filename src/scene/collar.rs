//! The collar of an orthophoto: black or white around the image where the file has neither alpha nor nodata. Only what is
//! connected to the edge of the raster is collar; a black roof inside is a pixel.

use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};
use crate::grid::Window;
use crate::raster::{Around, Dtype, Raw, Reader, Samples, Source};

/// Runs of border colour that are kept while the collar is found: more is no border but a picture of noise.
const MOST_RUNS: usize = 4_000_000;
/// Rows that are read at once where blocks are lower.
const ROWS: usize = 64;

/// Columns `start..end` of collar, row by row.
type Rows = Vec<Vec<(u32, u32)>>;

/// `source`, its collar invalid, where it is a photo of three 8-bit colours without alpha, mask or nodata; and whether it is.
#[must_use]
pub(super) fn without(source: Arc<dyn Source>) -> (Arc<dyn Source>, bool) {
    let bands = source.bands();
    let photo =
        bands.len() == 3 && bands.iter().all(|b| b.dtype == Dtype::U8 && b.nodata.is_none() && b.role.is_some());
    let masked = source.storage().iter().any(|(key, value)| key == "masks" && value != "0");
    if !photo || masked {
        return (source, false);
    }
    // Found when a pixel is first read: it takes a pass over the raster.
    let rows: OnceLock<Result<Arc<Rows>>> = OnceLock::new();
    let (whole, strip) = (Arc::clone(&source), (source.layout().rows.max(ROWS) * source.grid().cols * 3) as u64);
    let cut = Around::read_by(
        source,
        move |window| window.cells() as u64 * 3 + strip,
        move |reader| {
            let rows = rows.get_or_init(|| find(whole.as_ref()).map(Arc::new)).clone()?;
            Ok(Box::new(Cut { reader, rows }) as Box<dyn Reader>)
        },
    );
    (cut, true)
}

/// A run of one border colour.
struct Run {
    row: u32,
    start: u32,
    end: u32,
    white: bool,
}

fn find(source: &dyn Source) -> Result<Rows> {
    let (cols, rows) = (source.grid().cols, source.grid().rows);
    let mut reader = source.open()?;
    // A collar reaches a corner; without one there the raster need not be read.
    let corners = [(0, 0), (cols - 1, 0), (0, rows - 1), (cols - 1, rows - 1)];
    let mut any = false;
    for (col, row) in corners {
        let pixel = read(reader.as_mut(), Window::new(col as i64, row as i64, 1, 1))?;
        any |= colour(&pixel, 0)?.is_some();
    }
    if !any {
        return Ok(Vec::new());
    }
    let mut runs: Vec<Run> = Vec::new();
    let mut joined = Joined::default();
    let step = source.layout().rows.clamp(1, rows).max(ROWS).min(rows);
    // The runs of the row before.
    let mut above = 0..0;
    for first in (0..rows).step_by(step) {
        let pixels = read(reader.as_mut(), Window::new(0, first as i64, cols, step.min(rows - first)))?;
        for row in first..(first + step).min(rows) {
            let from = runs.len();
            runs_of(&pixels, (row - first) * cols, cols, row, &mut runs)?;
            if runs.len() > MOST_RUNS {
                return Err(Error::limit(format!(
                    "{}: black and white around the image is in more than {MOST_RUNS} pieces; give the file an alpha band, or \
                     state --nodata",
                    source.name()
                )));
            }
            for (i, run) in runs.iter().enumerate().skip(from) {
                let edge = row == 0 || row + 1 == rows || run.start == 0 || run.end as usize == cols;
                joined.push(edge);
                for j in above.clone() {
                    let other = &runs[j];
                    if other.white == run.white && other.start < run.end && run.start < other.end {
                        joined.join(i, j);
                    }
                }
            }
            above = from..runs.len();
        }
    }
    let mut collar: Rows = vec![Vec::new(); rows];
    for (i, run) in runs.iter().enumerate() {
        if joined.meets_edge(i) {
            collar[run.row as usize].push((run.start, run.end));
        }
    }
    Ok(collar)
}

fn read(reader: &mut dyn Reader, window: Window) -> Result<[Raw; 3]> {
    let mut raws = [Raw::default(), Raw::default(), Raw::default()];
    reader.read(&[0, 1, 2], window, &mut raws)?;
    Ok(raws)
}

/// Black or white of a pixel, where it is either.
fn colour(pixels: &[Raw; 3], at: usize) -> Result<Option<bool>> {
    let [Samples::U8(r), Samples::U8(g), Samples::U8(b)] = [&pixels[0].samples, &pixels[1].samples, &pixels[2].samples]
    else {
        return Err(Error::bug("a photo of other samples than 8-bit ones"));
    };
    Ok(match (r[at], g[at], b[at]) {
        (0, 0, 0) => Some(false),
        (255, 255, 255) => Some(true),
        _ => None,
    })
}

/// Adds the runs of a row whose pixels begin at `at`.
fn runs_of(pixels: &[Raw; 3], at: usize, cols: usize, row: usize, runs: &mut Vec<Run>) -> Result<()> {
    let mut open: Option<(usize, bool)> = None;
    for col in 0..=cols {
        let here = if col < cols { colour(pixels, at + col)? } else { None };
        if let Some((start, white)) = open
            && here != Some(white)
        {
            runs.push(Run { row: row as u32, start: start as u32, end: col as u32, white });
            open = None;
        }
        if open.is_none() {
            open = here.map(|white| (col, white));
        }
    }
    Ok(())
}

/// Runs that hang together, and whether any of them meets the edge.
#[derive(Default)]
struct Joined {
    parent: Vec<u32>,
    edge: Vec<bool>,
}

impl Joined {
    fn push(&mut self, edge: bool) {
        self.parent.push(self.parent.len() as u32);
        self.edge.push(edge);
    }

    fn root(&mut self, mut i: usize) -> usize {
        while self.parent[i] as usize != i {
            self.parent[i] = self.parent[self.parent[i] as usize];
            i = self.parent[i] as usize;
        }
        i
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        let (low, high) = (a.min(b), a.max(b));
        self.parent[high] = low as u32;
        self.edge[low] |= self.edge[high];
    }

    fn meets_edge(&mut self, i: usize) -> bool {
        let root = self.root(i);
        self.edge[root]
    }
}

struct Cut {
    reader: Box<dyn Reader>,
    rows: Arc<Rows>,
}

impl Reader for Cut {
    fn read(&mut self, bands: &[usize], window: Window, out: &mut [Raw]) -> Result<()> {
        self.reader.read(bands, window, out)?;
        if self.rows.is_empty() {
            return Ok(());
        }
        let (first, last) = (window.col as u32, window.col_end() as u32);
        for raw in out {
            let mask = raw.mask.get_or_insert_with(|| vec![1; window.cells()]);
            for (row, cells) in (window.row as usize..).zip(mask.chunks_exact_mut(window.cols)) {
                for (start, end) in &self.rows[row] {
                    let (from, to) = ((*start).clamp(first, last) - first, (*end).clamp(first, last) - first);
                    cells[from as usize..to as usize].fill(0);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Affine, Grid};
    use crate::io::memory::MemorySource;
    use crate::raster::{Band, Role};

    fn photo(text: &[&str]) -> Arc<dyn Source> {
        let cols = text[0].len();
        let grid = Grid::new(cols, text.len(), Affine::north_up(0.0, 10.0, 1.0, 1.0), None);
        let pixels: Vec<u8> = text
            .iter()
            .flat_map(|r| r.bytes())
            .map(|c| match c {
                b'#' => 0,
                b'o' => 255,
                _ => 90,
            })
            .collect();
        let mut source = MemorySource::new("photo", grid);
        for role in [Role::Red, Role::Green, Role::Blue] {
            let band = Band { role: Some(role), ..Band::new(Dtype::U8) };
            source = source.band(band, Samples::U8(pixels.clone()), None).unwrap();
        }
        Arc::new(source)
    }

    fn valid(text: &[&str]) -> Vec<String> {
        let (source, cut) = without(photo(text));
        assert!(cut);
        let mut raw = [Raw::default()];
        // A window off the corner, so that columns are shifted.
        let window = Window::new(1, 0, text[0].len() - 1, text.len());
        source.open().unwrap().read(&[1], window, &mut raw).unwrap();
        let mask = raw[0].mask.clone().unwrap_or_else(|| vec![1; window.cells()]);
        mask.chunks(window.cols).map(|r| r.iter().map(|m| if *m == 0 { '#' } else { '.' }).collect()).collect()
    }

    #[test]
    fn only_what_hangs_together_with_the_edge_is_collar() {
        assert_eq!(
            valid(&["###....oo", "##..##..o", "#...##...", "#.#......"]),
            ["##....##", "#......#", "........", ".#......"].map(str::to_owned)
        );
        // Around a corner and up again, and a hole that touches by a corner only.
        assert_eq!(valid(&["#.###", "#.#.#", "#####", "...#."]), [".###", ".#.#", "####", "..#."].map(str::to_owned));
        assert_eq!(valid(&["....", ".##.", "...."]), ["...", "...", "..."].map(str::to_owned));
    }
}
