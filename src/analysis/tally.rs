//! Hectares per class, of the whole raster and of zones.
//!
//! Area of a class in a zone = `Σ c_i A_i` over its cells, with `c_i` the covered fraction and `A_i` the geodesic area of
//! cell i ([`CellAreas`]). Analyses that make a class band hand every tile to [`ClassTally::add`].

use std::collections::BTreeMap;
use std::sync::Arc;

use pulp::{Arch, NullaryFnOnce};

use crate::engine::Partial;
use crate::error::{Error, Result};
use crate::grid::area::{CellAreas, M2_PER_HA};
use crate::grid::{Grid, Window};
use crate::numeric::weighted::WhereSum;
use crate::vector::{Covered, Runs, ZoneIndex};

/// Measures class bands on one grid.
#[derive(Clone)]
pub struct ClassTally {
    areas: Arc<CellAreas>,
    zones: Option<Arc<ZoneIndex>>,
    classes: Vec<u8>,
    nodata: u8,
}

/// Area and cells of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClassArea {
    /// Geodesic area in m².
    pub m2: f64,
    /// Cells, fractions of partly covered ones included.
    pub cells: f64,
}

/// Areas so far: of the raster and of every zone met, classes in the order given to [`ClassTally::new`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassAreas {
    scene: Vec<ClassArea>,
    zones: BTreeMap<usize, Vec<ClassArea>>,
}

fn add(to: &mut Vec<ClassArea>, from: &[ClassArea]) {
    if to.len() < from.len() {
        to.resize(from.len(), ClassArea::default());
    }
    for (t, f) in to.iter_mut().zip(from) {
        t.m2 += f.m2;
        t.cells += f.cells;
    }
}

/// Counts the cells of a class.
struct Count<'a>(&'a [u8], u8);

impl NullaryFnOnce for Count<'_> {
    type Output = usize;

    #[inline(always)]
    fn call(self) -> usize {
        let mut all = 0;
        // Sums of so few fit a byte, the width of what is compared.
        for some in self.0.chunks(128) {
            let mut cells = 0u8;
            for c in some {
                cells += u8::from(*c == self.1);
            }
            all += usize::from(cells);
        }
        all
    }
}

/// Adds the cells of one class in a row of a tile.
struct InRow<'a> {
    line: &'a [u8],
    area: &'a [f64],
    class: u8,
    sum: &'a mut WhereSum,
}

impl NullaryFnOnce for InRow<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.sum.add(self.line, self.area, None, |c| c == self.class);
    }
}

/// Sums of one class over one zone in a tile.
struct InZone<'a> {
    runs: Runs<'a>,
    cols: usize,
    plane: &'a [u8],
    area: &'a [f64],
    class: u8,
}

impl NullaryFnOnce for InZone<'_> {
    type Output = WhereSum;

    #[inline(always)]
    fn call(self) -> WhereSum {
        let mut sum = WhereSum::default();
        let keep = |c: u8| c == self.class;
        for (row, col, covered) in self.runs {
            let (n, fractions) = match covered {
                Covered::Whole(n) => (n, None),
                Covered::Partly(fractions) => (fractions.len(), Some(fractions)),
            };
            let at = row * self.cols + col;
            sum.add(&self.plane[at..at + n], &self.area[at..at + n], fractions, keep);
        }
        sum
    }
}

impl Partial for ClassAreas {
    fn merge(&mut self, next: Self) {
        add(&mut self.scene, &next.scene);
        for (zone, areas) in next.zones {
            add(self.zones.entry(zone).or_default(), &areas);
        }
    }
}

impl ClassAreas {
    /// Areas of the raster (`None`) or of a zone, in the order of the classes; empty where nothing was met.
    #[must_use]
    pub fn of(&self, zone: Option<usize>) -> &[ClassArea] {
        zone.map_or(self.scene.as_slice(), |z| self.zones.get(&z).map_or(&[], Vec::as_slice))
    }

    /// Hectares of the class at `position` of the class list.
    #[must_use]
    pub fn hectares(&self, zone: Option<usize>, position: usize) -> f64 {
        self.of(zone).get(position).map_or(0.0, |a| a.m2 / M2_PER_HA)
    }

    /// Hectares of all classes together.
    #[must_use]
    pub fn valid_ha(&self, zone: Option<usize>) -> f64 {
        self.of(zone).iter().map(|a| a.m2).sum::<f64>() / M2_PER_HA
    }
}

impl ClassTally {
    /// For class bands on `grid` that hold `classes` or `nodata`; `zones` must be built on the same grid.
    ///
    /// # Errors
    /// Where the grid has no usable place or CRS (areas are geodesic).
    pub fn new(grid: &Grid, zones: Option<Arc<ZoneIndex>>, classes: &[u8], nodata: u8) -> Result<Self> {
        let areas = CellAreas::new(grid).map_err(|e| e.context("hectares cannot be computed"))?;
        Ok(Self { areas: Arc::new(areas), zones, classes: classes.to_vec(), nodata })
    }

    /// Adds the classes of a tile (row order) to `sum`.
    ///
    /// # Errors
    /// A bug where the plane holds a value that is neither a class nor nodata.
    pub fn add(&self, window: Window, plane: &[u8], sum: &mut ClassAreas) -> Result<()> {
        let (n, cols, arch) = (self.classes.len(), window.cols, Arch::new());
        // Only classes the tile holds are summed, one after the other.
        let mut found: Vec<(usize, u8, WhereSum)> = Vec::with_capacity(n);
        let mut known = arch.dispatch(Count(plane, self.nodata));
        for (i, class) in self.classes.iter().enumerate().filter(|(_, c)| **c != self.nodata) {
            let cells = arch.dispatch(Count(plane, *class));
            known += cells;
            if cells > 0 {
                found.push((i, *class, WhereSum::default()));
            }
        }
        if known < plane.len() {
            return Err(Error::bug(format!("a class band holds a value outside its {n} classes ({window})")));
        }
        // Zones ask for the areas of any row again; without them one row at a time does.
        let mut area = vec![0.0; if self.zones.is_some() { window.cells() } else { cols }];
        for (r, line) in plane.chunks_exact(cols).enumerate() {
            let start = if self.zones.is_some() { r * cols } else { 0 };
            let area = &mut area[start..start + cols];
            self.areas.row(window.row + r as i64, window.col, area);
            for (_, class, sum) in &mut found {
                arch.dispatch(InRow { line, area, class: *class, sum });
            }
        }
        let mut scene = vec![ClassArea::default(); n];
        for (i, _, sum) in &found {
            scene[*i] = ClassArea { m2: sum.sum(), cells: sum.count() };
        }
        add(&mut sum.scene, &scene);
        if let Some(zones) = &self.zones {
            zones.cover(window, |zone, runs| {
                let own = sum.zones.entry(zone).or_insert_with(|| vec![ClassArea::default(); n]);
                for &(i, class, _) in &found {
                    let sum = arch.dispatch(InZone { runs, cols, plane, area: &area, class });
                    own[i].m2 += sum.sum();
                    own[i].cells += sum.count();
                }
            });
        }
        Ok(())
    }

    /// The zones, where there are any.
    #[must_use]
    pub fn zones(&self) -> Option<&Arc<ZoneIndex>> {
        self.zones.as_ref()
    }

    /// Bytes needed a cell while a tile is added; goes into [`crate::engine::Spec::scratch_per_cell`].
    #[must_use]
    pub fn scratch_per_cell(&self) -> usize {
        if self.zones.is_some() { 8 + ZoneIndex::SCRATCH_PER_CELL } else { 0 }
    }

    /// Most bytes one [`ClassAreas`] takes; goes into [`crate::engine::Spec::scratch_fixed`].
    #[must_use]
    pub fn scratch_fixed(&self) -> u64 {
        let rows = 1 + self.zones.as_ref().map_or(0, |z| z.len());
        let while_adding = self.classes.len() * 2 * size_of::<WhereSum>() + 8192;
        (rows * (self.classes.len() * size_of::<ClassArea>() + 64) + while_adding) as u64
    }

    /// Bytes held for the whole pass; goes into [`crate::engine::Analysis::resident_bytes`].
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.areas.bytes() + self.zones.as_ref().map_or(0, |z| z.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Affine, Crs};
    use crate::vector::{Feature, Geometry, Layer, Polygon, Value};

    fn local(zone: Vec<(f64, f64)>) -> (Grid, Arc<ZoneIndex>) {
        let grid = Grid::new(4, 2, Affine::north_up(0.0, 200.0, 100.0, 100.0), Some(Crs::local()));
        let layer = Layer {
            name: "z".into(),
            crs: Some(Crs::local()),
            columns: vec![],
            features: vec![Feature {
                geometry: Geometry::Polygons(vec![Polygon { rings: vec![zone] }]),
                values: Vec::<Value>::new(),
            }],
            warnings: vec![],
        };
        let zones = Arc::new(ZoneIndex::build(&layer, &grid, None).unwrap());
        (grid, zones)
    }

    #[test]
    fn hectares_of_raster_and_zone() {
        // The zone covers the left half of the second column, both rows.
        let (grid, zones) = local(vec![(100.0, 0.0), (150.0, 0.0), (150.0, 200.0), (100.0, 200.0), (100.0, 0.0)]);
        let tally = ClassTally::new(&grid, Some(zones), &[0, 1], 255).unwrap();
        let mut sum = ClassAreas::default();
        tally.add(grid.window(), &[1, 1, 0, 255, 0, 255, 0, 1], &mut sum).unwrap();
        assert_eq!((sum.hectares(None, 0), sum.hectares(None, 1), sum.valid_ha(None)), (3.0, 3.0, 6.0));
        assert_eq!((sum.hectares(Some(0), 0), sum.hectares(Some(0), 1), sum.valid_ha(Some(0))), (0.0, 0.5, 0.5));
        assert_eq!(sum.of(Some(7)), &[]);
    }

    #[test]
    fn tiles_add_up() {
        let (grid, zones) = local(vec![(50.0, 50.0), (350.0, 50.0), (350.0, 150.0), (50.0, 50.0)]);
        let tally = ClassTally::new(&grid, Some(zones), &[1, 2], 0).unwrap();
        let plane = [1, 2, 1, 2, 2, 1, 0, 1];
        let (mut whole, mut parts) = (ClassAreas::default(), ClassAreas::default());
        tally.add(grid.window(), &plane, &mut whole).unwrap();
        for (col, cols) in [(0, 3), (3, 1)] {
            let window = Window::new(col, 0, cols, 2);
            let part: Vec<u8> = plane.chunks(4).flat_map(|r| r[col as usize..col as usize + cols].to_vec()).collect();
            let mut sum = ClassAreas::default();
            tally.add(window, &part, &mut sum).unwrap();
            parts.merge(sum);
        }
        for zone in [None, Some(0)] {
            for class in 0..2 {
                assert!((whole.hectares(zone, class) - parts.hectares(zone, class)).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn unlisted_class_is_a_defect() {
        let (grid, _) = local(vec![(0.0, 0.0), (400.0, 0.0), (400.0, 200.0), (0.0, 0.0)]);
        let tally = ClassTally::new(&grid, None, &[1], 255).unwrap();
        assert!(tally.add(grid.window(), &[7; 8], &mut ClassAreas::default()).is_err());
    }
}
