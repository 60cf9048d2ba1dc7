//! Which zones may meet a window, by squares of the grid.

use crate::grid::Window;

/// Smallest edge of a square in pixels: a tile meets few of them.
const LEAST_EDGE: i64 = 256;
/// Most squares along an axis.
const MOST: i64 = 256;
/// A zone that meets more squares than this is looked at for every window: it meets many anyway.
const WIDE: usize = 16;

/// Lists of zones by the squares their boxes meet. What lies outside the grid counts to its outermost squares.
#[derive(Debug)]
pub(super) struct Squares {
    edge: i64,
    across: i64,
    down: i64,
    /// Start of each square in `members`, one more at the end.
    starts: Vec<u32>,
    members: Vec<u32>,
    wide: Vec<u32>,
}

impl Squares {
    /// Lists boxes, one a zone where it has any, on a grid of `grid` pixels.
    pub(super) fn new(boxes: &[Option<Window>], grid: Window) -> Self {
        let longest = grid.cols.max(grid.rows) as i64;
        let edge = LEAST_EDGE.max((longest + MOST - 1) / MOST);
        let count = |n: usize| (n as i64 + edge - 1) / edge;
        let (across, down) = (count(grid.cols).max(1), count(grid.rows).max(1));
        let mut all = Self { edge, across, down, starts: Vec::new(), members: Vec::new(), wide: Vec::new() };
        let squares = (across * down) as usize;
        let mut starts = vec![0u32; squares + 1];
        let small = |w: &&Window| all.under(**w).count() <= WIDE;
        for window in boxes.iter().flatten().filter(small) {
            all.under(*window).for_each(|s| starts[s + 1] += 1);
        }
        for s in 0..squares {
            starts[s + 1] += starts[s];
        }
        let mut next = starts.clone();
        let mut members = vec![0u32; starts[squares] as usize];
        let mut wide = Vec::new();
        for (zone, window) in boxes.iter().enumerate() {
            match window {
                Some(w) if small(&w) => all.under(*w).for_each(|s| {
                    members[next[s] as usize] = zone as u32;
                    next[s] += 1;
                }),
                Some(_) => wide.push(zone as u32),
                None => {}
            }
        }
        (all.starts, all.members, all.wide) = (starts, members, wide);
        all
    }

    /// Squares a window meets.
    fn under(&self, w: Window) -> impl Iterator<Item = usize> {
        let at = |v: i64, most: i64| v.div_euclid(self.edge).clamp(0, most - 1);
        let (c0, c1) = (at(w.col, self.across), at(w.col_end() - 1, self.across));
        let (r0, r1) = (at(w.row, self.down), at(w.row_end() - 1, self.down));
        let across = self.across;
        (r0..=r1).flat_map(move |r| (c0..=c1).map(move |c| (r * across + c) as usize))
    }

    /// Zones whose boxes may meet `window`, in order.
    pub(super) fn zones(&self, window: Window) -> Vec<usize> {
        let listed =
            self.under(window).flat_map(|s| &self.members[self.starts[s] as usize..self.starts[s + 1] as usize]);
        let mut zones: Vec<usize> = listed.chain(&self.wide).map(|z| *z as usize).collect();
        zones.sort_unstable();
        zones.dedup();
        zones
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> u64 {
        (self.starts.len() + self.members.len() + self.wide.len()) as u64 * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_box_that_meets_a_window_is_listed() {
        let grid = Window::new(0, 0, 3000, 1000);
        let boxes: Vec<Option<Window>> = (0..200i64)
            .map(|i| {
                (i % 7 != 0).then(|| Window::new(i * 17 - 200, (i * 131) % 1100 - 50, 1 + (i * i) as usize % 900, 90))
            })
            .chain([Some(Window::new(-9000, -9000, 20_000, 20_000))])
            .collect();
        let squares = Squares::new(&boxes, grid);
        assert_eq!(squares.wide, [200]);
        for window in [Window::new(0, 0, 512, 512), Window::new(2900, 700, 100, 300), Window::new(-40, -40, 50, 60)] {
            let listed = squares.zones(window);
            assert!(listed.is_sorted() && listed.len() < 120, "{}", listed.len());
            for (zone, b) in boxes.iter().enumerate() {
                let meets = b.is_some_and(|b| b.intersect(&window).is_some());
                assert!(!meets || listed.contains(&zone), "zone {zone} in {window}");
            }
        }
    }
}
