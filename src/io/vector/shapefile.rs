//! Shapefiles through the crate `shapefile`; the `.prj` beside them names the reference system.

use std::path::Path;

use shapefile::dbase::FieldValue;
use shapefile::{PolygonRing, Shape};

use crate::error::{Error, Result};
use crate::grid::Crs;
use crate::vector::geometry::ring_area;
use crate::vector::{Feature, Geometry, Layer, Polygon, Ring, Value};

fn bad(e: impl std::fmt::Display) -> Error {
    Error::input(format!("the shapefile cannot be read ({e}); .shp, .shx and .dbf must lie together"))
}

/// Reads a shapefile.
pub(super) fn read(path: &Path) -> Result<Layer> {
    let crs = projection(&path.with_extension("prj"))?;
    let mut reader = shapefile::Reader::from_path(path).map_err(bad)?;
    let mut columns: Vec<String> = Vec::new();
    let mut features = Vec::new();
    for pair in reader.iter_shapes_and_records() {
        let (shape, record) = pair.map_err(bad)?;
        let mut values = vec![Value::Null; columns.len()];
        for (name, value) in record {
            let at = columns.iter().position(|c| *c == name).unwrap_or_else(|| {
                columns.push(name);
                values.push(Value::Null);
                columns.len() - 1
            });
            values[at] = attribute(value);
        }
        features.push(Feature { geometry: geometry(shape)?, values });
    }
    // The record map has no order; sorted names make the columns the same in every run.
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by(|a, b| columns[*a].cmp(&columns[*b]));
    for feature in &mut features {
        feature.values.resize(columns.len(), Value::Null);
        feature.values = order.iter().map(|&i| feature.values[i].clone()).collect();
    }
    let columns = order.iter().map(|&i| columns[i].clone()).collect();
    let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Layer { name, crs, columns, features, warnings: Vec::new() })
}

fn projection(prj: &Path) -> Result<Option<Crs>> {
    let Ok(wkt) = std::fs::read_to_string(prj) else { return Ok(None) };
    Crs::from_wkt(&wkt).map(Some).map_err(|e| e.context(prj.display()))
}

fn attribute(value: FieldValue) -> Value {
    match value {
        FieldValue::Character(Some(t)) | FieldValue::Memo(t) => Value::Text(t),
        FieldValue::Numeric(Some(v)) | FieldValue::Double(v) | FieldValue::Currency(v) => whole(v),
        FieldValue::Float(Some(v)) => Value::Real(f64::from(v)),
        FieldValue::Integer(v) => Value::Int(i64::from(v)),
        FieldValue::Logical(Some(v)) => Value::Bool(v),
        FieldValue::Date(Some(d)) => Value::Text(format!("{:04}-{:02}-{:02}", d.year(), d.month(), d.day())),
        _ => Value::Null,
    }
}

/// dBASE stores whole numbers as text with no decimals; ids must not come back as `1.0`.
fn whole(v: f64) -> Value {
    if v.fract() == 0.0 && v.abs() < 9e15 { Value::Int(v as i64) } else { Value::Real(v) }
}

fn geometry(shape: Shape) -> Result<Geometry> {
    let ring = |points: &[(f64, f64)]| points.to_vec();
    Ok(match shape {
        Shape::NullShape => Geometry::Empty,
        Shape::Point(p) => Geometry::Points(vec![(p.x, p.y)]),
        Shape::PointM(p) => Geometry::Points(vec![(p.x, p.y)]),
        Shape::PointZ(p) => Geometry::Points(vec![(p.x, p.y)]),
        Shape::Multipoint(m) => Geometry::Points(m.points().iter().map(|p| (p.x, p.y)).collect()),
        Shape::Polygon(p) => assemble(p.rings().iter().map(|r| (is_outer(r), ring(&xy(r.points(), |p| (p.x, p.y)))))),
        Shape::PolygonM(p) => assemble(p.rings().iter().map(|r| (is_outer(r), ring(&xy(r.points(), |p| (p.x, p.y)))))),
        Shape::PolygonZ(p) => assemble(p.rings().iter().map(|r| (is_outer(r), ring(&xy(r.points(), |p| (p.x, p.y)))))),
        other => {
            return Err(Error::input(format!("shape type {} is neither polygon nor point", other.shapetype())));
        }
    })
}

fn xy<P>(points: &[P], f: impl Fn(&P) -> (f64, f64)) -> Ring {
    points.iter().map(f).collect()
}

fn is_outer<P>(ring: &PolygonRing<P>) -> bool {
    matches!(ring, PolygonRing::Outer(_))
}

/// Shapefiles list rings flat: each hole belongs to the smallest outer ring that holds its first point.
fn assemble(rings: impl Iterator<Item = (bool, Ring)>) -> Geometry {
    let (outer, holes): (Vec<_>, Vec<_>) = rings.partition(|(outer, _)| *outer);
    let mut parts: Vec<Polygon> = outer.into_iter().map(|(_, r)| Polygon { rings: vec![r] }).collect();
    for (_, hole) in holes {
        let home = parts
            .iter_mut()
            .filter(|p| hole.first().is_some_and(|&at| inside(&p.rings[0], at)))
            .min_by(|a, b| ring_area(&a.rings[0]).abs().total_cmp(&ring_area(&b.rings[0]).abs()));
        match home {
            Some(part) => part.rings.push(hole),
            // A "hole" outside everything is an outer ring drawn the wrong way round.
            None => parts.push(Polygon { rings: vec![hole] }),
        }
    }
    if parts.is_empty() { Geometry::Empty } else { Geometry::Polygons(parts) }
}

/// Even-odd rule.
fn inside(ring: &[(f64, f64)], (x, y): (f64, f64)) -> bool {
    ring.windows(2).fold(false, |odd, w| {
        let ((x0, y0), (x1, y1)) = (w[0], w[1]);
        let crosses = (y0 > y) != (y1 > y) && x < x0 + (y - y0) / (y1 - y0) * (x1 - x0);
        odd != crosses
    })
}
