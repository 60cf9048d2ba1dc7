//! Classes by breaks, and the sum of class areas that every class product shares.

use super::tally::{ClassAreas, ClassTally};
use crate::engine::{Partial, TileIn, TileOut};
use crate::error::{Error, Result};
use crate::numeric::Moments;
use crate::raster::OutPlane;

/// Value of a class band where nothing is known.
pub const NODATA: u8 = 255;

/// Increasing breaks that part numbers into classes; a number equal to a break belongs to the upper class.
#[derive(Clone, Debug, PartialEq)]
pub struct Breaks(Vec<f64>);

impl Breaks {
    /// `n` breaks.
    ///
    /// # Errors
    /// Usage error unless there are `n` finite, strictly increasing numbers.
    pub fn new(breaks: Vec<f64>, n: usize) -> Result<Self> {
        let increasing = breaks.windows(2).all(|w| w[0] < w[1]) && breaks.iter().all(|b| b.is_finite());
        if breaks.len() != n || !increasing {
            let found: Vec<_> = breaks.iter().map(ToString::to_string).collect();
            return Err(Error::usage(format!("--breaks: found {}, expected {n} increasing numbers", found.join(","))));
        }
        Ok(Self(breaks))
    }

    /// Class of a number, from 0; NaN has none.
    #[must_use]
    pub fn class(&self, x: f64) -> Option<u8> {
        (!x.is_nan()).then(|| self.0.iter().filter(|b| x >= **b).count() as u8)
    }

    /// The breaks.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.0
    }
}

/// Areas by class and moments of the quantity they were made from.
#[derive(Debug, Default)]
pub struct ClassSum {
    /// Areas by class, of the raster and by zone; empty where the grid has no place on Earth.
    pub areas: ClassAreas,
    /// Moments of the quantity.
    pub moments: Moments,
}

impl Partial for ClassSum {
    fn merge(&mut self, next: Self) {
        self.areas.merge(next.areas);
        self.moments.merge(&next.moments);
    }
}

/// Adds the finished class plane of a tile to the areas.
///
/// # Errors
/// A bug where the plane is not of classes.
pub fn measure(
    tally: Option<&ClassTally>,
    input: &TileIn<'_>,
    out: &TileOut,
    plane: usize,
    sum: &mut ClassSum,
) -> Result<()> {
    match (tally, &out.planes[plane]) {
        (None, _) => Ok(()),
        (Some(tally), OutPlane::U8(classes)) => tally.add(input.window, classes, &mut sum.areas),
        (Some(_), other) => Err(Error::bug(format!("classes are uint8, not {}", other.dtype()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_belongs_to_the_upper_class() {
        let b = Breaks::new(vec![-0.3, -0.1, 0.1, 0.3], 4).unwrap();
        let classes: Vec<_> = [-0.31, -0.3, -0.2, 0.0, 0.1, 0.3, 9.0].iter().map(|x| b.class(*x).unwrap()).collect();
        assert_eq!(classes, [0, 1, 1, 2, 3, 4, 4]);
        assert_eq!(b.class(f64::NAN), None);
        assert!(Breaks::new(vec![0.1, 0.1, 0.2, 0.3], 4).is_err());
        assert!(Breaks::new(vec![0.1], 4).is_err());
        assert!(Breaks::new(vec![0.1, f64::NAN, 0.2, 0.3], 4).is_err());
    }
}
