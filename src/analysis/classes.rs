//! Classes by breaks, and the sum of class areas that every class product shares.

use std::sync::Arc;

use pulp::{Arch, NullaryFnOnce};

use super::formula::Formula;
use super::means::ZoneMeans;
use super::outlines::{Outlines, Tracing};
use super::tally::{ClassAreas, ClassTally};
use crate::engine::{Partial, Spec, TileIn, TileOut};
use crate::error::{Error, Result};
use crate::raster::OutPlane;
use crate::vector::ZoneIndex;

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

    /// Writes what `quantity` makes of values, as f32, and its classes counted from 1; a quantity that is NaN has none.
    pub(super) fn write(
        &self,
        values: &[f64],
        quantity: impl Fn(f64) -> f64,
        quantities: &mut [f32],
        classes: &mut [u8],
    ) {
        Arch::new().dispatch(Classified { breaks: &self.0, values, quantity, quantities, classes });
    }

    /// The breaks.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.0
    }
}

struct Classified<'a, F> {
    breaks: &'a [f64],
    values: &'a [f64],
    quantity: F,
    quantities: &'a mut [f32],
    classes: &'a mut [u8],
}

impl<F: Fn(f64) -> f64> NullaryFnOnce for Classified<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        const LANES: usize = 64;
        let out = self.quantities.chunks_mut(LANES).zip(self.classes.chunks_mut(LANES));
        for (values, (quantities, classes)) in self.values.chunks(LANES).zip(out) {
            let mut x = [f64::NAN; LANES];
            x.iter_mut().zip(values).for_each(|(x, &v)| *x = (self.quantity)(v));
            quantities.iter_mut().zip(&x).for_each(|(q, &x)| *q = x as f32);
            // Counts as wide as the numbers, so that the loop vectorises.
            let mut class = [1u64; LANES];
            for b in self.breaks {
                class.iter_mut().zip(&x).for_each(|(c, x)| *c += u64::from(x >= b));
            }
            for ((out, x), c) in classes.iter_mut().zip(&x).zip(&class) {
                *out = if x.is_nan() { NODATA } else { *c as u8 };
            }
        }
    }
}

/// What is measured of a class band besides its pixels.
#[derive(Clone, Default)]
pub struct Measures {
    /// Hectares by class and zone; none where the grid has no place on Earth.
    pub tally: Option<ClassTally>,
    /// Outlines of patches.
    pub tracing: Option<Arc<Tracing>>,
}

/// Areas by class, means of the quantity the classes were made from, and outlines.
#[derive(Default)]
pub struct ClassSum {
    /// Areas by class, of the raster and by zone; empty without a tally.
    pub areas: ClassAreas,
    /// Means of the quantity by zone.
    pub means: ZoneMeans,
    /// Outlines of patches.
    pub outlines: Outlines,
}

impl Partial for ClassSum {
    fn merge(&mut self, next: Self) {
        self.areas.merge(next.areas);
        self.means.merge(next.means);
        self.outlines.merge(next.outlines);
    }
}

impl Measures {
    /// Zones of the tally.
    #[must_use]
    pub fn zones(&self) -> Option<&Arc<ZoneIndex>> {
        self.tally.as_ref().and_then(ClassTally::zones)
    }

    /// Adds what an analysis needs for these measures to its statement of memory.
    pub fn state(&self, spec: &mut Spec, formula: &Formula) {
        // Outlines of neighbouring tiles are joined, so that none may be missing.
        spec.empty_adds_nothing = self.tracing.is_none() && formula.is_void_of_nodata();
        spec.scratch_per_cell += self.tally.as_ref().map_or(0, ClassTally::scratch_per_cell) + 1;
        spec.scratch_fixed += self.tally.as_ref().map_or(0, ClassTally::scratch_fixed) + ZoneMeans::bytes(self.zones());
    }

    /// Bytes held for the whole pass.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.tally.as_ref().map_or(0, ClassTally::resident_bytes)
    }

    /// Adds the finished planes of a tile: `classes`, and the f32 `quantity` they were made from.
    ///
    /// # Errors
    /// A bug where a plane is of another type.
    pub fn add(
        &self,
        input: &TileIn<'_>,
        out: &TileOut,
        quantity: Option<usize>,
        classes: usize,
        sum: &mut ClassSum,
    ) -> Result<()> {
        let (OutPlane::U8(classes), quantity) = (&out.planes[classes], quantity.map(|q| &out.planes[q])) else {
            return Err(Error::bug("classes are not uint8"));
        };
        if let Some(tally) = &self.tally {
            tally.add(input.window, classes, &mut sum.areas)?;
        }
        if let (Some(OutPlane::F32(values)), Some(zones)) = (quantity, self.zones()) {
            sum.means.add(zones, input.window, values, |v| !v.is_nan());
        }
        if let Some(tracing) = &self.tracing {
            sum.outlines.add(tracing, input, classes.clone());
        }
        Ok(())
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
        let values: Vec<f64> =
            (0..150).map(|i| if i % 7 == 0 { f64::NAN } else { f64::from(i % 50) / 50.0 - 0.5 }).collect();
        let (mut quantities, mut classes) = (vec![0f32; 150], vec![0; 150]);
        b.write(&values, |v| 2.0 * v, &mut quantities, &mut classes);
        for ((v, q), k) in values.iter().zip(quantities).zip(classes) {
            assert_eq!(k, b.class(2.0 * v).map_or(NODATA, |k| k + 1), "{v}");
            assert!(q == (2.0 * v) as f32 || (q.is_nan() && v.is_nan()), "{v}");
        }
        assert!(Breaks::new(vec![0.1, 0.1, 0.2, 0.3], 4).is_err());
        assert!(Breaks::new(vec![0.1], 4).is_err());
        assert!(Breaks::new(vec![0.1, f64::NAN, 0.2, 0.3], 4).is_err());
    }
}
