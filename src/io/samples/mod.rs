//! Sample tables and point layers: columns by name, numbers without guessing, everything dropped is counted.

mod cell;
mod delimited;

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};
use crate::grid::Crs;
use crate::io::vector;
use crate::vector::{Geometry, Value};
use cell::Cell;
use delimited::{Cells, quoted};

/// Files larger than this are not read into memory.
const MOST_BYTES: u64 = 2 << 30;
/// Column names a message lists.
const MOST_NAMES: usize = 12;

/// A table of points as read.
#[derive(Clone, Debug)]
pub struct PointTable {
    name: String,
    columns: Vec<String>,
    cells: Cells,
    /// Geometry of each row, where the rows are features.
    geometry: Option<Vec<Option<(f64, f64)>>>,
    decimal_comma: bool,
    /// Reference system the file itself states.
    pub crs: Option<Crs>,
    /// What was passed over or taken with care.
    pub notes: Vec<String>,
}

/// Where the points of a table are.
#[derive(Clone, Debug, PartialEq)]
pub struct Places {
    /// Position of each row; none where a coordinate is missing or not finite.
    pub points: Vec<Option<(f64, f64)>>,
    /// True where the columns are named longitude and latitude.
    pub named_geographic: bool,
    /// Rows without a coordinate.
    pub missing: usize,
    /// Rows with a coordinate that is not finite.
    pub not_finite: usize,
}

/// Values of a column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers {
    /// Value of each row; none where it is missing or not finite.
    pub values: Vec<Option<f64>>,
    /// Rows without a value.
    pub missing: usize,
    /// Rows whose value is not finite.
    pub not_finite: usize,
    /// Rows below their detection limit, taken as half of it.
    pub below_detection: usize,
    /// A value that looks like a nodata mark, and how many rows have it.
    pub suspicious: Option<(f64, usize)>,
}

/// Values that surveys write where there is none. They are numbers all the same until they are named.
const MARKS: [f64; 7] = [-9999.0, -999.0, -99.0, -99_999.0, -32_768.0, 9999.0, 99_999.0];

impl PointTable {
    /// Reads a `.csv`, `.txt` or `.tsv` table, or a point layer of a vector format.
    ///
    /// # Errors
    /// Input error that names file, line and cause.
    pub fn read(path: &Path, layer: Option<&str>) -> Result<Self> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
        let name = path.display().to_string();
        let read = match extension.as_str() {
            "gpkg" | "geojson" | "json" | "geojsonl" | "geojsons" | "fgb" | "shp" | "parquet" | "geoparquet" => {
                // The vector reader names the file itself.
                return Self::from_layer(name, vector::read(path, layer)?);
            }
            _ => Self::from_text(name.clone(), path),
        };
        read.map_err(|e| e.context(&name))
    }

    fn from_text(name: String, path: &Path) -> Result<Self> {
        let io = |e: &std::io::Error| Error::from_io("opening", e);
        let meta = std::fs::metadata(path).map_err(|e| io(&e))?;
        if !meta.is_file() {
            return Err(Error::input("not a regular file; name a .csv table or a point layer"));
        }
        if meta.len() > MOST_BYTES {
            return Err(Error::limit(format!(
                "{} bytes; sample tables of up to {MOST_BYTES} bytes are read",
                meta.len()
            )));
        }
        let mut bytes = Vec::new();
        // The length may lie (a file that grows): never more than the limit is read.
        let file = std::fs::File::open(path).map_err(|e| io(&e))?;
        file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|e| Error::from_io("reading", &e))?;
        if bytes.is_empty() {
            return Err(Error::input("the file is empty (0 bytes); expected a header line and samples"));
        }
        let parsed = delimited::parse(&delimited::decode(bytes)?)?;
        let mut seen = HashSet::new();
        if let Some(twice) = parsed.header.iter().find(|c| !c.is_empty() && !seen.insert(c.as_str())) {
            return Err(Error::input(format!("line 1: column {} is there twice; rename one", quoted(twice))));
        }
        if parsed.cells.lines.is_empty() {
            return Err(Error::input("0 samples: there is a header line and no row below it"));
        }
        let decimal_comma = parsed.separator == ';';
        let (columns, cells, notes) = (parsed.header, parsed.cells, parsed.notes);
        Ok(Self { name, columns, cells, geometry: None, decimal_comma, crs: None, notes })
    }

    fn from_layer(name: String, layer: crate::vector::Layer) -> Result<Self> {
        if layer.features.is_empty() {
            return Err(Error::input(format!("{name}: 0 samples: the layer is empty")));
        }
        let mut cells = Cells::new(layer.columns.len());
        let mut geometry = Vec::with_capacity(layer.features.len());
        for (i, feature) in layer.features.iter().enumerate() {
            geometry.push(match &feature.geometry {
                Geometry::Empty => None,
                Geometry::Points(p) if p.len() == 1 => Some(p[0]),
                Geometry::Points(p) => {
                    return Err(Error::input(format!(
                        "{name}: feature {} has {} points; a sample has one place",
                        i + 1,
                        p.len()
                    )));
                }
                Geometry::Polygons(_) => {
                    return Err(Error::input(format!("{name}: feature {} is a polygon; samples are points", i + 1)));
                }
            });
            for value in &feature.values {
                match value {
                    Value::Null => cells.push(""),
                    Value::Bool(b) => cells.push(if *b { "1" } else { "0" }),
                    Value::Int(v) => cells.push(&v.to_string()),
                    Value::Real(v) => cells.push(&v.to_string()),
                    Value::Text(t) => cells.push(t),
                }
            }
            cells.lines.push(i as u64 + 1);
        }
        let (columns, crs, notes) = (layer.columns, layer.crs, layer.warnings);
        Ok(Self { name, columns, cells, geometry: Some(geometry), decimal_comma: false, crs, notes })
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.lines.len()
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.lines.is_empty()
    }

    /// Column names.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Text of a cell.
    #[must_use]
    pub fn text(&self, row: usize, column: usize) -> &str {
        self.cells.get(row, column)
    }

    /// Line of the file a row begins on; the number of the feature in a layer.
    #[must_use]
    pub fn line(&self, row: usize) -> u64 {
        self.cells.lines[row]
    }

    /// Column with a name; another case of letters is taken where only one column matches.
    ///
    /// # Errors
    /// Input error that lists the columns there are.
    pub fn column(&self, name: &str) -> Result<usize> {
        self.find(name).ok_or_else(|| {
            Error::input(format!("{}: there is no column {}; {}", self.name, quoted(name), self.listed()))
        })
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c == name).or_else(|| {
            let mut same = self.columns.iter().enumerate().filter(|(_, c)| c.eq_ignore_ascii_case(name));
            match (same.next(), same.next()) {
                (Some((i, _)), None) => Some(i),
                _ => None,
            }
        })
    }

    fn listed(&self) -> String {
        let names: Vec<_> = self.columns.iter().take(MOST_NAMES).map(|c| quoted(c).replace('"', "")).collect();
        let more = self.columns.len().saturating_sub(MOST_NAMES);
        let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("the columns are {}{tail}", names.join(", "))
    }

    /// Positions of the rows: from the geometry, from the columns named, or from `x` and `y`, or `lon` and `lat`.
    ///
    /// # Errors
    /// Input error where no such columns are there, or that names line and column of what is not a number.
    pub fn places(&self, x: Option<&str>, y: Option<&str>) -> Result<Places> {
        if let (Some(geometry), None, None) = (&self.geometry, x, y) {
            let finite = |p: &(f64, f64)| p.0.is_finite() && p.1.is_finite();
            let missing = geometry.iter().filter(|p| p.is_none()).count();
            let points: Vec<_> = geometry.iter().map(|p| p.filter(finite)).collect();
            let not_finite = points.iter().filter(|p| p.is_none()).count() - missing;
            return Ok(Places { points, named_geographic: false, missing, not_finite });
        }
        let (cx, cy) = self.coordinate_columns(x, y)?;
        let is_one = |column: usize, names: &[&str]| names.iter().any(|n| self.columns[column].eq_ignore_ascii_case(n));
        let named_geographic = is_one(cx, &["lon", "longitude", "lng"]) && is_one(cy, &["lat", "latitude"]);
        let mut places = Places { points: Vec::with_capacity(self.len()), named_geographic, missing: 0, not_finite: 0 };
        for row in 0..self.len() {
            let pair = [self.cell(row, cx)?, self.cell(row, cy)?];
            let point = match pair {
                [Cell::Number(x), Cell::Number(y)] => Some((x, y)),
                _ => None,
            };
            if point.is_none() {
                if pair.contains(&Cell::NotFinite) {
                    places.not_finite += 1;
                } else if pair.contains(&Cell::Missing) {
                    places.missing += 1;
                } else {
                    let column = if matches!(pair[0], Cell::Below(_)) { cx } else { cy };
                    return Err(self.bad(row, column, "a coordinate cannot be below a limit"));
                }
            }
            places.points.push(point);
        }
        Ok(places)
    }

    fn coordinate_columns(&self, x: Option<&str>, y: Option<&str>) -> Result<(usize, usize)> {
        match (x, y) {
            (Some(x), Some(y)) => return Ok((self.column(x)?, self.column(y)?)),
            (None, None) => {}
            _ => return Err(Error::usage("--x and --y go together")),
        }
        let pairs = [("x", "y"), ("lon", "lat"), ("longitude", "latitude"), ("easting", "northing")];
        let found = pairs.iter().find_map(|(x, y)| Some((self.find(x)?, self.find(y)?)));
        found.ok_or_else(|| {
            Error::input(format!(
                "{}: no coordinates: looked for columns x and y, lon and lat, easting and northing; {}; name them with --x and --y",
                self.name,
                self.listed()
            ))
        })
    }

    /// Numbers of a column; `nodata` is a value that means missing, and `<L` counts as L/2.
    ///
    /// # Errors
    /// Input error that names line and column of what is not a number.
    pub fn numbers(&self, column: &str, nodata: Option<f64>) -> Result<Numbers> {
        let c = self.column(column)?;
        let mut out = Numbers { values: Vec::with_capacity(self.len()), ..Numbers::default() };
        let mut marks = [0_usize; MARKS.len()];
        for row in 0..self.len() {
            let value = match self.cell(row, c)? {
                Cell::Number(v) if nodata == Some(v) => {
                    out.missing += 1;
                    None
                }
                Cell::Number(v) => {
                    if let Some(k) = MARKS.iter().position(|m| *m == v) {
                        marks[k] += 1;
                    }
                    Some(v)
                }
                Cell::Below(limit) => {
                    out.below_detection += 1;
                    Some(limit / 2.0)
                }
                Cell::NotFinite => {
                    out.not_finite += 1;
                    None
                }
                _ => {
                    out.missing += 1;
                    None
                }
            };
            out.values.push(value);
        }
        out.suspicious = MARKS.iter().zip(marks).find(|(_, n)| *n > 0).map(|(m, n)| (*m, n));
        Ok(out)
    }

    fn cell(&self, row: usize, column: usize) -> Result<Cell> {
        match cell::read(self.text(row, column), self.decimal_comma) {
            Cell::Bad(why) => Err(self.bad(row, column, why)),
            cell => Ok(cell),
        }
    }

    fn bad(&self, row: usize, column: usize, why: &str) -> Error {
        Error::input(format!(
            "{}: line {}, column {}: {}: {why}",
            self.name,
            self.line(row),
            quoted(&self.columns[column]),
            quoted(self.text(row, column))
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<PointTable> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("soil.csv");
        std::fs::write(&path, text).unwrap();
        PointTable::read(&path, None)
    }

    #[test]
    fn decimal_commas_with_semicolons() {
        let t = table("id;x;y;value\n1;500105,0;7499895,0;0,5\n").unwrap();
        assert_eq!(t.places(None, None).unwrap().points, [Some((500_105.0, 7_499_895.0))]);
        assert_eq!(t.numbers("value", None).unwrap().values, [Some(0.5)]);
    }

    #[test]
    fn what_is_dropped_is_counted_by_cause() {
        let t = table("x,y,cu\n1,2,NA\n1,2,\n1,2,<0.5\n1,2,-9999\nNaN,2,1\n,2,1\n").unwrap();
        let n = t.numbers("cu", None).unwrap();
        assert_eq!((n.missing, n.not_finite, n.below_detection), (2, 0, 1));
        assert_eq!((n.values[2], n.suspicious), (Some(0.25), Some((-9999.0, 1))));
        assert_eq!(t.numbers("cu", Some(-9999.0)).unwrap().missing, 3);
        let p = t.places(None, None).unwrap();
        assert_eq!((p.missing, p.not_finite, p.points[4]), (1, 1, None));
    }

    #[test]
    fn errors_name_file_line_and_column() {
        let t = table("x,y,cu\n1,2,3\n5m,2,3\n").unwrap();
        let e = t.places(None, None).unwrap_err().to_string();
        assert!(e.contains("soil.csv: line 3, column \"x\": \"5m\""), "{e}");
        let e = t.numbers("zn", None).unwrap_err().to_string();
        assert!(e.contains("the columns are x, y, cu"), "{e}");
        assert!(table("x,x,y\n1,2,3\n").unwrap_err().to_string().contains("column \"x\" is there twice"));
        assert!(table("x,y\n").unwrap_err().to_string().contains("0 samples"));
        let wide = (0..20_000).map(|i| format!("c{i}")).collect::<Vec<_>>().join(",");
        let e =
            table(&format!("{wide}\n{}\n", ",".repeat(19_999))).unwrap().places(None, None).unwrap_err().to_string();
        assert!(e.contains("and 19988 more") && e.len() < 500, "{e}");
    }

    #[test]
    fn capitals_and_degrees_are_recognised() {
        let t = table("LON,LAT,value\n20.5,44.1,1\n").unwrap();
        let p = t.places(None, None).unwrap();
        assert!(p.named_geographic && p.points[0] == Some((20.5, 44.1)));
    }
}
