//! Samples as analyses need them: read, placed in a plane, counted.

use std::path::PathBuf;

use super::Notes;
use crate::error::{Error, Result};
use crate::geostat::Point;
use crate::grid::crs::CrsKind;
use crate::grid::transform::Transform;
use crate::grid::{Crs, Grid};
use crate::io::samples::PointTable;

/// Which file, which columns, which reference system.
#[derive(Clone, Debug, Default)]
pub struct SampleOptions {
    /// Table (`.csv`) or point layer (`.gpkg`, `.geojson`, `.fgb`, `.shp`).
    pub path: PathBuf,
    /// Column of eastings or longitudes, where it is not named x or lon.
    pub x: Option<String>,
    /// Column of northings or latitudes.
    pub y: Option<String>,
    /// Reference system of the coordinates, where the file states none.
    pub crs: Option<Crs>,
    /// Value that means missing.
    pub nodata: Option<f64>,
}

/// Samples of one variable in a plane.
#[derive(Clone, Debug)]
pub struct SampleSet {
    /// Name of the file, for messages.
    pub name: String,
    /// Column of the values.
    pub value: String,
    /// Points that have a place and a value.
    pub points: Vec<Point>,
    /// Reference system of the points: projected or local, never degrees.
    pub crs: Crs,
    /// Rows without coordinate or value.
    pub missing: usize,
    /// Rows whose coordinate or value is not finite.
    pub not_finite: usize,
    /// Values below their detection limit, taken as half of it.
    pub below_detection: usize,
}

/// Rows of a table with their places in a plane.
pub struct PlacedTable {
    /// The table.
    pub table: PointTable,
    /// Place of each row; none where a coordinate is missing.
    pub points: Vec<Option<(f64, f64)>>,
    /// Reference system of the places.
    pub crs: Crs,
    not_finite: usize,
}

/// Share of values below detection above which half the limit distorts every statistic (Helsel 2012).
const MUCH_CENSORED: f64 = 0.15;

/// Reads a table and puts its points into `target`, or where there is none into the plane the samples are in.
///
/// # Errors
/// Input error where the file is damaged, its reference system unknown, or there is no plane: distances are never taken in
/// degrees.
pub fn place(options: &SampleOptions, target: Option<&Crs>, notes: &dyn Notes) -> Result<PlacedTable> {
    let name = options.path.display().to_string();
    let table = PointTable::read(&options.path, None)?;
    table.notes.iter().for_each(|n| notes.warn(&format!("{name}: {n}")));
    let places = table.places(options.x.as_deref(), options.y.as_deref())?;
    let (source, target) =
        systems(options, &table, places.named_geographic, target, notes).map_err(|e| e.context(&name))?;
    check_range(&places.points, &source, &table).map_err(|e| e.context(&name))?;
    let mut points = places.points;
    if source != target {
        let transform = Transform::new(&source, &target).map_err(|e| e.context(&name))?;
        for p in points.iter_mut().flatten() {
            *p = transform.point(p.0, p.1).map_err(|e| e.context(&name))?;
        }
        notes.decide(&format!("{name}: coordinates taken from {source} to {target}"));
        if let Some(note) = transform.accuracy_note() {
            notes.warn(&format!("{name}: {note}"));
        }
    }
    Ok(PlacedTable { table, points, crs: target, not_finite: places.not_finite })
}

/// Reads the samples of `value`. Dropped rows, values below detection and suspicious marks are told to `notes`.
///
/// # Errors
/// As [`place`], and where no sample is left.
pub fn load(options: &SampleOptions, value: &str, target: Option<&Crs>, notes: &dyn Notes) -> Result<SampleSet> {
    let name = options.path.display().to_string();
    let placed = place(options, target, notes)?;
    let numbers = placed.table.numbers(value, options.nodata)?;
    let mut points = Vec::with_capacity(placed.points.len());
    for (row, (place, v)) in placed.points.iter().zip(&numbers.values).enumerate() {
        if let (Some((x, y)), Some(v)) = (place, v) {
            points.push(Point { x: *x, y: *y, value: *v, line: placed.table.line(row) });
        }
    }
    let rows = placed.points.len();
    let dropped = rows - points.len();
    let not_finite = placed.not_finite + numbers.not_finite;
    let missing = dropped.saturating_sub(not_finite);
    if dropped > 0 {
        notes.warn(&format!(
            "{name}: {dropped} of {rows} samples dropped: {missing} without a coordinate or {value}, {not_finite} not finite"
        ));
    }
    if numbers.below_detection > 0 {
        let share = numbers.below_detection as f64 / rows as f64;
        let advice =
            if share > MUCH_CENSORED { "; so many distort mean and variogram: treat the result with care" } else { "" };
        notes.warn(&format!(
            "{name}: {} of {rows} values of {value} are below detection and taken as half their limit{advice}",
            numbers.below_detection
        ));
    }
    if let Some((mark, n)) = numbers.suspicious {
        notes.warn(&format!(
            "{name}: {n} values of {value} are {mark}, which looks like a mark for missing; they are used as they are, name it \
             with --nodata {mark} if it is one"
        ));
    }
    if points.is_empty() {
        return Err(Error::input(format!("{name}: 0 of {rows} samples have a place and a value of {value}")));
    }
    Ok(SampleSet {
        name,
        value: value.to_owned(),
        points,
        crs: placed.crs,
        missing,
        not_finite,
        below_detection: numbers.below_detection,
    })
}

/// Reference systems of the file and of the plane to compute in.
fn systems(
    options: &SampleOptions,
    table: &PointTable,
    named_geographic: bool,
    target: Option<&Crs>,
    notes: &dyn Notes,
) -> Result<(Crs, Crs)> {
    let stated = options.crs.as_ref();
    if let (Some(a), Some(b)) = (stated, &table.crs)
        && a != b
    {
        return Err(Error::usage(format!("--crs {a}, but the file states {b}; leave --crs out")));
    }
    let source = match (stated.or(table.crs.as_ref()), named_geographic) {
        // Longitudes and latitudes with a projected --crs: that is where they shall go.
        (Some(crs), true) if !crs.is_geographic() => {
            if crs.kind == CrsKind::Local {
                return Err(Error::usage(
                    "columns lon and lat are degrees, but --crs is local; name plane columns by --x and --y",
                ));
            }
            notes
                .decide(&format!("columns lon and lat are taken as EPSG:4326, --crs {crs} as the plane to compute in"));
            let wgs84 = Crs::from_epsg(4326)?;
            return Ok((wgs84, target.unwrap_or(crs).clone()));
        }
        (Some(crs), _) => crs.clone(),
        (None, true) => {
            notes.decide("columns lon and lat are taken as EPSG:4326");
            Crs::from_epsg(4326)?
        }
        (None, false) => {
            return Err(Error::input(
                "the reference system of the samples is unknown; state it with --crs EPSG:n, or --crs local for plane \
                 coordinates without a place on Earth",
            ));
        }
    };
    let plane = target.cloned().unwrap_or_else(|| source.clone());
    if plane.is_geographic() {
        let which = if target.is_some() { "the grid" } else { "the samples" };
        return Err(Error::input(format!(
            "{which} are in degrees ({plane}), in which distances mean nothing; give a grid in a projected CRS with --like, or \
             name columns lon and lat and a projected --crs"
        )));
    }
    Ok((source, plane))
}

/// Refuses coordinates that cannot be what they claim.
fn check_range(points: &[Option<(f64, f64)>], crs: &Crs, table: &PointTable) -> Result<()> {
    if crs.is_geographic() {
        for (row, p) in points.iter().enumerate() {
            let Some((lon, lat)) = p else { continue };
            let swapped = "; are longitude and latitude swapped?";
            if lat.abs() > 90.0 {
                return Err(Error::input(format!(
                    "line {}: latitude {lat} out of range -90..90{swapped}",
                    table.line(row)
                )));
            }
            if !(-180.0..=360.0).contains(lon) {
                return Err(Error::input(format!(
                    "line {}: longitude {lon} out of range -180..360{swapped}",
                    table.line(row)
                )));
            }
        }
    } else if crs.kind == CrsKind::Projected {
        let mut all = points.iter().flatten().peekable();
        if all.peek().is_some() && all.all(|p| p.0.abs() <= 180.0 && p.1.abs() <= 90.0) {
            return Err(Error::input(format!(
                "every coordinate lies within 180, 90 ({}): these look like degrees, but {crs} is in metres; state --crs \
                 EPSG:4326, or --crs local for small plane coordinates",
                extent(points.iter().flatten().copied())
            )));
        }
    }
    Ok(())
}

/// Bounds of points in words.
fn extent(points: impl Iterator<Item = (f64, f64)>) -> String {
    let b = points.fold([f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY], |b, p| {
        [b[0].min(p.0), b[1].min(p.1), b[2].max(p.0), b[3].max(p.1)]
    });
    format!("x {} to {}, y {} to {}", b[0], b[2], b[1], b[3])
}

impl PlacedTable {
    /// Rows that have a place.
    #[must_use]
    pub fn placed(&self) -> usize {
        self.points.iter().flatten().count()
    }
}

impl SampleSet {
    /// Bounds `[xmin, ymin, xmax, ymax]`.
    #[must_use]
    pub fn bounds(&self) -> [f64; 4] {
        self.points.iter().fold([f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY], |b, p| {
            [b[0].min(p.x), b[1].min(p.y), b[2].max(p.x), b[3].max(p.y)]
        })
    }

    /// Checks that samples lie on a grid.
    ///
    /// # Errors
    /// Input error that prints both extents where none does.
    pub fn check_on(&self, grid: &Grid, grid_name: &str) -> Result<()> {
        let affine = grid.affine()?;
        let on = |p: &&Point| {
            let (c, r) = affine.inverse(p.x, p.y);
            (0.0..=grid.cols as f64).contains(&c) && (0.0..=grid.rows as f64).contains(&r)
        };
        if self.points.iter().any(|p| on(&p)) {
            return Ok(());
        }
        let b = grid.bounds()?;
        Err(Error::input(format!(
            "{}: 0 of {} samples are on the grid: the samples cover {}, {grid_name} covers x {} to {}, y {} to {} ({}); check --crs",
            self.name,
            self.points.len(),
            extent(self.points.iter().map(|p| (p.x, p.y))),
            b[0],
            b[2],
            b[1],
            b[3],
            self.crs
        )))
    }

    /// Unit that the value column's name states (`zn_mg_kg`), or nothing.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        const ENDINGS: [(&str, &str); 6] = [
            ("_mg_kg", "mg/kg"),
            ("_ug_kg", "ug/kg"),
            ("_g_kg", "g/kg"),
            ("_ug_l", "ug/L"),
            ("_mg_l", "mg/L"),
            ("_pct", "%"),
        ];
        let lower = self.value.to_ascii_lowercase();
        ENDINGS.iter().find(|(e, _)| lower.ends_with(e)).map_or("", |(_, u)| u)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Affine;
    use crate::product::KeptNotes;

    fn load_text(text: &str, crs: Option<&str>, target: Option<&str>) -> (Result<SampleSet>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("soil.csv");
        std::fs::write(&path, text).unwrap();
        let options = SampleOptions { path, crs: crs.map(|c| Crs::parse(c).unwrap()), ..SampleOptions::default() };
        let target = target.map(|c| Crs::parse(c).unwrap());
        let notes = KeptNotes::default();
        let set = load(&options, "value", target.as_ref(), &notes);
        (set, notes.all())
    }

    const DEGREES: &str = "lon,lat,value\n146.9,-23.1,1\n146.91,-23.11,2\n";

    #[test]
    fn degrees_are_projected_or_refused() {
        let (set, _) = load_text(DEGREES, Some("EPSG:32755"), None);
        let set = set.unwrap();
        assert_eq!(set.crs.epsg, Some(32755));
        // One hundredth of a degree: about 1023 m east, 1108 m south.
        assert!((set.points[1].x - set.points[0].x - 1024.0).abs() < 20.0);
        let (set, _) = load_text(DEGREES, None, None);
        assert!(set.unwrap_err().to_string().contains("degrees (EPSG:4326)"));
        let (set, _) = load_text(DEGREES, None, Some("EPSG:4326"));
        assert!(set.unwrap_err().to_string().contains("the grid are in degrees"));
        assert_eq!(load_text(DEGREES, None, Some("EPSG:32755")).0.unwrap().points.len(), 2);
    }

    #[test]
    fn impossible_coordinates_are_refused() {
        let e = load_text("lon,lat,value\n-35,146.1,1\n", None, Some("EPSG:32755")).0.unwrap_err().to_string();
        assert!(e.contains("line 2: latitude 146.1 out of range"), "{e}");
        let e = load_text("x,y,value\n146.1,-35,1\n", Some("EPSG:32755"), None).0.unwrap_err().to_string();
        assert!(e.contains("look like degrees"), "{e}");
        assert!(load_text("x,y,value\n146.1,-35,1\n", Some("local"), None).0.is_ok());
        let e = load_text("x,y,value\n1,2,1\n", None, None).0.unwrap_err().to_string();
        assert!(e.contains("--crs EPSG:n"), "{e}");
    }

    #[test]
    fn drops_are_warned_and_counted() {
        let (set, notes) = load_text("x,y,value\n1,2,NA\n1,2,3\ninf,2,3\n1,3,<4\n5,5,-9999\n", Some("local"), None);
        let set = set.unwrap();
        assert_eq!((set.points.len(), set.missing, set.not_finite, set.below_detection), (3, 1, 1, 1));
        assert_eq!(notes.iter().filter(|n| n.starts_with("warning")).count(), 3, "{notes:?}");
    }

    #[test]
    fn samples_off_the_grid_are_told_with_both_extents() {
        let (set, _) = load_text("x,y,value\n10,20,1\n", Some("local"), None);
        let grid = Grid::new(10, 10, Affine::north_up(1000.0, 2000.0, 10.0, 10.0), Some(Crs::local()));
        let e = set.unwrap().check_on(&grid, "like.tif").unwrap_err().to_string();
        assert!(
            e.contains("0 of 1 samples are on the grid") && e.contains("x 10 to 10") && e.contains("x 1000 to 1100"),
            "{e}"
        );
    }
}
