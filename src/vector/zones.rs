//! Zones: polygons prepared on a grid, so that every tile finds those it meets and how much of each pixel they cover.

use super::coverage::{Outline, RowSums};
use super::geometry::{Geometry, Layer, Value};
use super::placing::{Placer, Remarks};
use super::runs::{Coverage, Recent, Runs};
use super::squares::Squares;
use crate::error::{Error, Result};
use crate::grid::{Grid, Window};

/// The zones of a layer on one grid. Zones may overlap; each is computed alone. Parts of a zone add, holes subtract,
/// orientation does not matter, what lies outside the grid is ignored.
///
/// Zones in another reference system are transformed with points added where a straight edge would become a curve (0.01
/// pixel), so that the edges stay straight in the system they were drawn in.
#[derive(Debug)]
pub struct ZoneIndex {
    zones: Vec<Zone>,
    squares: Squares,
    recent: Recent,
    warnings: Vec<String>,
    decisions: Vec<String>,
}

#[derive(Debug)]
struct Zone {
    label: String,
    area_px: f64,
    outline: Outline,
}

impl ZoneIndex {
    /// Prepares all features of `layer` on `grid`. `id` is the column that names the zones; without it the first of
    /// `zone`, `name`, `id` there is, else the number of the feature. A feature without geometry is a zone without pixels.
    ///
    /// # Errors
    /// Input error where there are no polygons, a feature is a point, coordinates are out of range, no transform to the
    /// grid's CRS is known, or nothing overlaps (both extents are named). Usage error where there is no column `id`.
    pub fn build(layer: &Layer, grid: &Grid, id: Option<&str>) -> Result<Self> {
        let name = &layer.name;
        if layer.features.is_empty() {
            return Err(Error::input(format!("zones {name}: 0 zones; a layer with polygons is needed")));
        }
        let column = id_column(layer, id)?;
        let Some(from) = &layer.crs else {
            return Err(Error::input(format!(
                "zones {name}: the coordinate reference system is unknown; write it into the file (ogr2ogr -a_srs EPSG:n)"
            )));
        };
        let placer = Placer::new(from, grid).map_err(|e| e.context(format!("zones {name}")))?;
        let mut index = Self {
            zones: Vec::with_capacity(layer.features.len()),
            squares: Squares::new(&[], grid.window()),
            recent: Recent::default(),
            warnings: Vec::new(),
            decisions: Vec::new(),
        };
        if !placer.transform().is_identity() {
            let to = grid.known_crs()?;
            index
                .decisions
                .push(format!("zones {name}: transformed from {from} to {to}, edges kept straight in {from}"));
            if let Some(note) = placer.transform().accuracy_note() {
                index.warnings.push(format!("zones {name}: {note}"));
            }
        }
        for (i, feature) in layer.features.iter().enumerate() {
            let label = label(column.and_then(|c| feature.values.get(c)), i);
            let context = |e: Error| e.context(format!("zones {name}, feature {} ({label})", i + 1));
            let parts = match &feature.geometry {
                Geometry::Polygons(parts) => parts.as_slice(),
                Geometry::Empty => {
                    index.warnings.push(format!("zones {name}: feature {} ({label}) has no geometry: count 0", i + 1));
                    &[]
                }
                Geometry::Points(_) => {
                    return Err(context(Error::input("is a point; zones are polygons")));
                }
            };
            let mut edges = Vec::new();
            let (mut area_px, mut remarks) = (0.0, Remarks::default());
            for part in parts {
                let (area, found) = placer.place(part, &mut edges).map_err(context)?;
                area_px += area;
                remarks.crossing |= found.crossing;
                remarks.unwrapped |= found.unwrapped;
            }
            index.remark(name, i, &label, remarks, area_px, parts.is_empty());
            index.zones.push(Zone { label, area_px, outline: Outline::new(edges) });
        }
        index.repeated(name);
        index.overlap(layer, grid)?;
        let boxes: Vec<_> = index.zones.iter().map(|z| z.outline.pixels()).collect();
        index.squares = Squares::new(&boxes, grid.window());
        Ok(index)
    }

    fn remark(&mut self, layer: &str, i: usize, label: &str, remarks: Remarks, area_px: f64, empty: bool) {
        let mut say = |what: &str| self.warnings.push(format!("zones {layer}: feature {} ({label}) {what}", i + 1));
        if remarks.crossing {
            say("crosses itself; its inside is taken by the even-odd rule");
        }
        if remarks.unwrapped {
            say("jumps over 180 degrees of longitude; taken the short way");
        }
        if !empty && area_px <= 0.0 {
            say("has no area: count 0");
        }
    }

    fn repeated(&mut self, layer: &str) {
        if let Some(first) = self.repeated_label() {
            let text = format!(
                "zones {layer}: several features have the same name ({first}); every feature keeps its own row"
            );
            self.warnings.push(text);
        }
    }

    fn repeated_label(&self) -> Option<&str> {
        let mut seen = std::collections::HashSet::with_capacity(self.zones.len());
        self.zones.iter().map(|z| z.label.as_str()).find(|l| !seen.insert(*l))
    }

    /// True where every zone has a name of its own.
    #[must_use]
    pub fn has_unique_labels(&self) -> bool {
        self.repeated_label().is_none()
    }

    /// Fails where no zone meets the grid.
    fn overlap(&self, layer: &Layer, grid: &Grid) -> Result<()> {
        let meets = |z: &Zone| z.outline.part(grid.window()).is_some();
        if self.zones.iter().any(meets) {
            return Ok(());
        }
        let mut b = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
        for feature in &layer.features {
            if let Geometry::Polygons(parts) = &feature.geometry {
                for (x, y) in parts.iter().flat_map(|p| p.rings.iter().flatten()) {
                    b = [b[0].min(*x), b[1].min(*y), b[2].max(*x), b[3].max(*y)];
                }
            }
        }
        let g = grid.bounds()?;
        let crs = |c: Option<&crate::grid::Crs>| c.map_or_else(|| "unknown CRS".to_owned(), ToString::to_string);
        if b[0] > b[2] {
            // Zones without geometry only: each was warned about and keeps its row with count 0.
            return Ok(());
        }
        Err(Error::input(format!(
            "zones {} do not overlap the raster: zones x {}..{}, y {}..{} ({}), raster x {}..{}, y {}..{} ({}); check the \
             CRS and the order of axes",
            layer.name,
            b[0],
            b[2],
            b[1],
            b[3],
            crs(layer.crs.as_ref()),
            g[0],
            g[2],
            g[1],
            g[3],
            crs(grid.crs())
        )))
    }

    /// Number of zones, one for each feature.
    #[must_use]
    pub fn len(&self) -> usize {
        self.zones.len()
    }

    /// True without zones.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.zones.is_empty()
    }

    /// Name of a zone.
    #[must_use]
    pub fn label(&self, zone: usize) -> &str {
        &self.zones[zone].label
    }

    /// Area of a zone in pixels of the grid, also where it lies outside the raster (planar in the grid's CRS).
    #[must_use]
    pub fn area_px(&self, zone: usize) -> f64 {
        self.zones[zone].area_px
    }

    /// What is odd about the zones and how it was taken.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Decisions for provenance (transforms).
    #[must_use]
    pub fn decisions(&self) -> &[String] {
        &self.decisions
    }

    /// Calls `f(zone, runs)` for every zone with covered pixels in `window`, zones in order. What was computed for one
    /// analysis of a pass serves the next one.
    pub fn cover(&self, window: Window, mut f: impl FnMut(usize, Runs<'_>)) {
        if let Some(known) = self.recent.get(window) {
            return known.each(f);
        }
        let (mut sums, mut coverage, mut keep) = (RowSums::default(), Coverage::new(window), true);
        for (i, part) in self.meeting(window) {
            self.zones[i].outline.runs(part, window, &mut sums, &mut coverage);
            if let Some(runs) = coverage.close(i) {
                f(i, runs);
            }
            keep &= coverage.bytes() <= Recent::LARGEST;
            if !keep {
                coverage.clear();
            }
        }
        if keep {
            self.recent.put(coverage);
        }
    }

    /// Zones whose box meets `window`, in order, with what of it lies inside.
    fn meeting(&self, window: Window) -> impl Iterator<Item = (usize, Window)> {
        let zones = self.squares.zones(window).into_iter();
        zones.filter_map(move |i| self.zones[i].outline.part(window).map(|part| (i, part)))
    }

    /// Sets `inside` to true for the pixels of `window` (row order) whose centre lies in any zone.
    pub fn centres(&self, window: Window, inside: &mut [bool]) {
        let mut scratch = Vec::new();
        for (i, part) in self.meeting(window) {
            let (row0, col0) = ((part.row - window.row) as usize, (part.col - window.col) as usize);
            self.zones[i].outline.centres(part, &mut scratch, |i| {
                inside[(row0 + i / part.cols) * window.cols + col0 + i % part.cols] = true;
            });
        }
    }

    /// The smallest part of `window` that holds all zones, where they meet it.
    #[must_use]
    pub fn window(&self, window: Window) -> Option<Window> {
        let parts = self.zones.iter().filter_map(|z| z.outline.part(window));
        parts.reduce(|a, b| {
            let (col, row) = (a.col.min(b.col), a.row.min(b.row));
            let (end_col, end_row) = (a.col_end().max(b.col_end()), a.row_end().max(b.row_end()));
            Window::new(col, row, (end_col - col) as usize, (end_row - row) as usize)
        })
    }

    /// How many zones lie over a pixel of `window` on average in the block of 256 pixels where they are densest, counted
    /// with their boxes: a bound for what a tile's values take.
    #[must_use]
    pub fn layers(&self, window: Window) -> usize {
        const EDGE: usize = 256;
        let across = window.cols.div_ceil(EDGE).max(1);
        let mut cells = vec![0u64; across * window.rows.div_ceil(EDGE).max(1)];
        for part in self.zones.iter().filter_map(|z| z.outline.part(window)) {
            let part = part.translate(-window.col, -window.row);
            for r in part.row as usize / EDGE..=(part.row_end() - 1) as usize / EDGE {
                for c in part.col as usize / EDGE..=(part.col_end() - 1) as usize / EDGE {
                    let block = Window::new((c * EDGE) as i64, (r * EDGE) as i64, EDGE, EDGE);
                    cells[r * across + c] += part.intersect(&block).map_or(0, |w| w.cells() as u64);
                }
            }
        }
        (cells.into_iter().max().unwrap_or(0) as usize).div_ceil(EDGE * EDGE).max(1)
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let zone = |z: &Zone| z.outline.bytes() + (size_of::<Zone>() + z.label.len()) as u64;
        self.zones.iter().map(zone).sum::<u64>() + self.squares.bytes() + Recent::BYTES as u64
    }

    /// Bytes [`ZoneIndex::cover`] needs a pixel of the window: sums of a band of rows, and the runs of one zone, which take
    /// most where every pixel is covered in part and no two runs join.
    pub const SCRATCH_PER_CELL: usize = 20;
}

fn id_column(layer: &Layer, id: Option<&str>) -> Result<Option<usize>> {
    let find = |n: &str| layer.columns.iter().position(|c| c.eq_ignore_ascii_case(n));
    match id {
        None => Ok(["zone", "name", "id"].iter().find_map(|n| find(n))),
        Some(id) => match layer.columns.iter().position(|c| c == id).or_else(|| find(id)) {
            Some(c) => Ok(Some(c)),
            None => Err(Error::usage(format!(
                "zones {}: there is no column {id:?} (columns: {})",
                layer.name,
                layer.columns.join(", ")
            ))),
        },
    }
}

fn label(value: Option<&Value>, feature: usize) -> String {
    match value {
        Some(Value::Text(t)) => t.clone(),
        Some(Value::Int(n)) => n.to_string(),
        Some(Value::Real(v)) => v.to_string(),
        Some(Value::Bool(b)) => b.to_string(),
        Some(Value::Null) | None => (feature + 1).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Affine, Crs};
    use crate::vector::{Feature, Polygon};

    fn layer(rings: Vec<Vec<(f64, f64)>>) -> Layer {
        let feature =
            Feature { geometry: Geometry::Polygons(vec![Polygon { rings }]), values: vec![Value::Text("a".into())] };
        Layer {
            name: "z".into(),
            crs: Some(Crs::local()),
            columns: vec!["zone".into()],
            features: vec![feature],
            warnings: vec![],
        }
    }

    fn square(a: f64, b: f64) -> Vec<(f64, f64)> {
        vec![(a, a), (b, a), (b, b), (a, b), (a, a)]
    }

    fn grid() -> Grid {
        Grid::new(10, 10, Affine::north_up(0.0, 10.0, 1.0, 1.0), Some(Crs::local()))
    }

    fn total(index: &ZoneIndex, window: Window) -> f64 {
        let mut sum = 0.0;
        index.cover(window, |_, runs| sum += runs.map(|(_, _, c)| c.pixels()).sum::<f64>());
        sum
    }

    #[test]
    fn hole_and_overhang_are_subtracted() {
        let z = ZoneIndex::build(&layer(vec![square(-2.0, 6.0), square(1.25, 2.75)]), &grid(), None).unwrap();
        assert_eq!(total(&z, Window::new(0, 0, 10, 10)), 36.0 - 2.25);
        assert_eq!(z.area_px(0), 64.0 - 2.25);
    }

    #[test]
    fn coverage_is_the_same_when_asked_for_again() {
        let z = ZoneIndex::build(&layer(vec![square(0.5, 9.3), square(1.25, 2.75)]), &grid(), None).unwrap();
        let of = |window| {
            let mut all = Vec::new();
            z.cover(window, |zone, runs| {
                runs.for_each(|(r, c, covered)| all.push(format!("{zone} {r} {c} {covered:?}")));
            });
            all
        };
        let (one, other) = (Window::new(0, 0, 10, 10), Window::new(0, 4, 7, 6));
        assert!(z.recent.get(one).is_none());
        let first = (of(one), of(other));
        assert!(z.recent.get(one).is_some());
        assert_eq!((of(one), of(other)), first);
        assert_ne!(first.0, first.1);
    }

    #[test]
    fn zone_below_a_pixel_is_not_lost() {
        let z = ZoneIndex::build(&layer(vec![square(3.1, 3.4)]), &grid(), None).unwrap();
        assert!((total(&z, Window::new(0, 0, 10, 10)) - 0.09).abs() < 1e-12);
    }

    #[test]
    fn zones_elsewhere_name_both_extents() {
        let e = ZoneIndex::build(&layer(vec![square(100.0, 120.0)]), &grid(), None).unwrap_err();
        assert!(e.message().contains("x 100..120") && e.message().contains("x 0..10"), "{e}");
    }

    #[test]
    fn missing_id_lists_the_columns() {
        let e = ZoneIndex::build(&layer(vec![square(1.0, 2.0)]), &grid(), Some("parcel")).unwrap_err();
        assert!(e.message().contains("(columns: zone)"), "{e}");
    }

    #[test]
    fn centres_of_a_square() {
        let z = ZoneIndex::build(&layer(vec![square(2.0, 5.0)]), &grid(), None).unwrap();
        let mut inside = vec![false; 100];
        z.centres(Window::new(0, 0, 10, 10), &mut inside);
        assert_eq!(inside.iter().filter(|v| **v).count(), 9);
        assert!(inside[5 * 10 + 2] && !inside[4 * 10 + 2]);
    }
}
