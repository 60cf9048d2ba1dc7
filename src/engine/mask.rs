//! Mask bands: which stored values are invalid, and the disk around clouds.

use super::pass::{MaskRule, MaskSource};
use crate::grid::Window;
use crate::raster::{Raw, Samples};
use crate::with_samples;

const INVALID: u8 = 1;
const BUFFERED: u8 = 2;
/// May be noise: part of an object that counts from three pixels on.
const SPECKLE: u8 = 4;
/// Pixels around an area that tell which of its objects have three pixels.
pub(super) const SPECKLE_REACH: usize = 2;

impl MaskRule {
    /// True where a stored value falls under the rule. Values no whole number stands for (negative, fractional, NaN) are in
    /// no list and have no bits.
    fn hits(&self, value: f64) -> bool {
        let whole = (value >= 0.0 && value <= f64::from(u32::MAX) && value.fract() == 0.0).then_some(value as u32);
        match self {
            Self::Values(list) => whole.is_some_and(|v| list.contains(&v)),
            Self::NotValues(list) => !whole.is_some_and(|v| list.contains(&v)),
            Self::Bits(bits) => whole.is_some_and(|v| v & bits != 0),
        }
    }
}

/// Flags of a stored value. Nodata of the mask band is invalid: what is unknown is not clear.
fn flags(mask: &MaskSource, nodata: Option<f64>, value: f64) -> u8 {
    let unknown = value.is_nan() || nodata == Some(value);
    let invalid = u8::from(unknown || mask.rule.hits(value)) * INVALID;
    let buffered = u8::from(mask.buffer_px > 0 && !unknown && mask.buffered.hits(value)) * (INVALID | BUFFERED);
    let speckle = u8::from(!unknown && mask.speckle.hits(value)) * SPECKLE;
    invalid | buffered | speckle
}

/// Fills `out` (1 = invalid) for the cells of `area` on the mask's own grid. `inside` is the window `raw` holds; cells
/// outside it are invalid. `raw` must reach `buffer_px` beyond `area` where the raster does. `marks` is working memory.
pub(super) fn evaluate(
    mask: &MaskSource,
    nodata: Option<f64>,
    raw: Option<(&Raw, Window)>,
    area: Window,
    marks: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    out.clear();
    out.resize(area.cells(), INVALID);
    let Some((raw, inside)) = raw else { return };
    marks.clear();
    classify(mask, nodata, &raw.samples, marks);
    if let Some(valid) = &raw.mask {
        marks.iter_mut().zip(valid).filter(|(_, v)| **v == 0).for_each(|(m, _)| *m = INVALID);
    }
    if mask.reach() > mask.buffer_px {
        despeckle(marks, inside.cols);
    }
    if let Some(common) = inside.intersect(&area) {
        for row in common.row..common.row_end() {
            let from = ((row - inside.row) as usize) * inside.cols + (common.col - inside.col) as usize;
            let to = ((row - area.row) as usize) * area.cols + (common.col - area.col) as usize;
            let (src, dst) = (&marks[from..from + common.cols], &mut out[to..to + common.cols]);
            dst.iter_mut().zip(src).for_each(|(d, s)| *d = s & INVALID);
        }
    }
    if mask.buffer_px > 0 {
        dilate(marks, inside, mask.buffer_px, area, out);
    }
}

fn classify(mask: &MaskSource, nodata: Option<f64>, samples: &Samples, marks: &mut Vec<u8>) {
    // One look-up a pixel for the types masks have in practice.
    match samples {
        Samples::U8(v) => {
            let table: Vec<u8> = (0..=u8::MAX).map(|x| flags(mask, nodata, f64::from(x))).collect();
            marks.extend(v.iter().map(|&x| table[usize::from(x)]));
        }
        Samples::U16(v) if v.len() > 1 << 16 => {
            let table: Vec<u8> = (0..=u16::MAX).map(|x| flags(mask, nodata, f64::from(x))).collect();
            marks.extend(v.iter().map(|&x| table[usize::from(x)]));
        }
        other => with_samples!(other, v => {
            marks.extend(v.iter().map(|&x| flags(mask, nodata, super::decode::Sample::wide(x))));
        }),
    }
}

/// Clears marked objects of one or two cells (8-connected). A cell is of such an object if it has no marked neighbour, or one
/// that has no other.
fn despeckle(marks: &mut [u8], cols: usize) {
    if cols == 0 {
        return;
    }
    let rows = marks.len() / cols;
    let neighbours = |marks: &[u8], at: usize| {
        let (row, col) = (at / cols, at % cols);
        let (mut count, mut last) = (0, at);
        for r in row.saturating_sub(1)..(row + 2).min(rows) {
            for c in col.saturating_sub(1)..(col + 2).min(cols) {
                let other = r * cols + c;
                if other != at && marks[other] & SPECKLE != 0 {
                    (count, last) = (count + 1, other);
                }
            }
        }
        (count, last)
    };
    let small = |marks: &[u8], at: usize| match neighbours(marks, at) {
        (0, _) => true,
        (1, other) => neighbours(marks, other).0 == 1,
        _ => false,
    };
    let noise: Vec<usize> = (0..marks.len()).filter(|&at| marks[at] & SPECKLE != 0 && small(marks, at)).collect();
    noise.into_iter().for_each(|at| marks[at] = 0);
}

/// Marks every cell of `area` within `radius` pixels (centre to centre, `d² ≤ r²`) of a buffered cell. Runs of buffered
/// cells widen by the disk's half width on each of the `2r+1` rows, so the cost goes with runs, not cells times area.
fn dilate(marks: &[u8], inside: Window, radius: usize, area: Window, out: &mut [u8]) {
    let r = radius as i64;
    let half: Vec<i64> = (0..=r).map(|dy| ((r * r - dy * dy) as u64).isqrt() as i64).collect();
    let runs: Vec<Vec<(i64, i64)>> = marks.chunks(inside.cols.max(1)).map(|row| runs_of(row, inside.col)).collect();
    if runs.iter().all(Vec::is_empty) {
        return;
    }
    let mut steps = vec![0i32; area.cols + 1];
    for row in area.row..area.row_end() {
        steps.fill(0);
        let mut any = false;
        for dy in -r..=r {
            let Some(list) = usize::try_from(row + dy - inside.row).ok().and_then(|i| runs.get(i)) else { continue };
            for &(first, last) in list {
                let w = half[dy.unsigned_abs() as usize];
                let a = (first - w - area.col).clamp(0, area.cols as i64) as usize;
                let b = (last + w + 1 - area.col).clamp(0, area.cols as i64) as usize;
                steps[a] += 1;
                steps[b] -= 1;
                any |= a < b;
            }
        }
        if any {
            let at = (row - area.row) as usize * area.cols;
            let mut open = 0;
            for (cell, step) in out[at..at + area.cols].iter_mut().zip(&steps) {
                open += step;
                *cell |= u8::from(open > 0) * INVALID;
            }
        }
    }
}

fn runs_of(row: &[u8], col: i64) -> Vec<(i64, i64)> {
    let mut runs = Vec::new();
    let mut start = None;
    for (i, &m) in row.iter().enumerate() {
        match (start, m & BUFFERED != 0) {
            (None, true) => start = Some(i as i64),
            (Some(s), false) => {
                runs.push((col + s, col + i as i64 - 1));
                start = None;
            }
            _ => {}
        }
    }
    if let Some(s) = start {
        runs.push((col + s, col + row.len() as i64 - 1));
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_below_three_pixels_are_noise() {
        let text = [
            "#.....##..", //
            "...#......",
            "..........",
            ".#....#...",
            "..#..#.#..",
            "..........",
        ];
        let mut marks: Vec<u8> =
            text.iter().flat_map(|row| row.bytes()).map(|c| if c == b'#' { SPECKLE | INVALID } else { 0 }).collect();
        despeckle(&mut marks, 10);
        let left: Vec<usize> = (0..marks.len()).filter(|i| marks[*i] != 0).collect();
        // Three that touch by their corners are an object.
        assert_eq!(left, [36, 45, 47]);
    }
}
