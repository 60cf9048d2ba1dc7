//! Walks along pixel edges as simple rings.

use std::collections::HashMap;

use crate::error::{Error, Result};

/// A pixel corner: (column, row), counted from the outer corner of the first pixel.
pub type Corner = (u32, u32);

/// The polygon of pixels connected by edges: its walks cut into simple rings, outer ring first, holes by position.
pub(super) fn polygon(walks: Vec<Vec<Corner>>) -> Result<Vec<Vec<Corner>>> {
    let mut rings: Vec<Vec<Corner>> = walks.into_iter().flat_map(simple).map(from_first).collect();
    rings.sort_unstable_by_key(|r| (area(r) <= 0, r.first().map(|&(c, r)| (r, c))));
    if rings.iter().filter(|r| area(r) > 0).count() != 1 {
        return Err(Error::bug("outlines: pixels joined by edges have not exactly one outer ring"));
    }
    for ring in &mut rings {
        ring.extend(ring.first().copied());
    }
    Ok(rings)
}

/// Cuts a walk at the corners it visits twice, where pixels meet at a corner only.
fn simple(walk: Vec<Corner>) -> Vec<Vec<Corner>> {
    let mut seen: HashMap<Corner, usize> = HashMap::with_capacity(walk.len());
    let mut rings = Vec::new();
    let mut open: Vec<Corner> = Vec::with_capacity(walk.len());
    for corner in walk {
        if let Some(&at) = seen.get(&corner) {
            let ring = open.split_off(at);
            for c in &ring {
                seen.remove(c);
            }
            rings.push(ring);
        }
        seen.insert(corner, open.len());
        open.push(corner);
    }
    rings.push(open);
    rings
}

/// Starts a ring at its uppermost, then leftmost corner.
fn from_first(mut ring: Vec<Corner>) -> Vec<Corner> {
    let first = ring.iter().enumerate().min_by_key(|&(_, &(c, r))| (r, c)).map_or(0, |(i, _)| i);
    ring.rotate_left(first);
    ring
}

/// Twice the signed area in pixels of an open ring; positive for outer rings (counter-clockwise seen on the map).
fn area(ring: &[Corner]) -> i128 {
    let next = ring.iter().cycle().skip(1);
    let cross =
        |(&(c0, r0), &(c1, r1)): (&Corner, &Corner)| i128::from(c1) * i128::from(r0) - i128::from(c0) * i128::from(r1);
    ring.iter().zip(next).map(cross).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figure_of_eight_becomes_two_rings() {
        let walk = vec![(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 1), (1, 1), (1, 0)];
        let rings = simple(walk);
        assert_eq!(rings, [vec![(1, 1), (1, 2), (2, 2), (2, 1)], vec![(0, 0), (0, 1), (1, 1), (1, 0)]]);
        assert!(rings.iter().all(|r| area(r) == 2));
    }
}
