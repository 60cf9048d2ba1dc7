//! Polygons and attributes as every vector format delivers them.

use crate::grid::Crs;

/// A closed ring: first and last point are equal; at least four points.
pub type Ring = Vec<(f64, f64)>;

/// A polygon: outer ring first, then holes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Polygon {
    /// Outer ring, then holes; orientation is not relied upon.
    pub rings: Vec<Ring>,
}

/// The geometry of a feature.
#[derive(Clone, Debug, PartialEq)]
pub enum Geometry {
    /// No geometry, or an empty one.
    Empty,
    /// One or more points.
    Points(Vec<(f64, f64)>),
    /// One or more polygons; parts add.
    Polygons(Vec<Polygon>),
}

/// An attribute value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Missing.
    Null,
    /// Truth value.
    Bool(bool),
    /// Whole number.
    Int(i64),
    /// Real number.
    Real(f64),
    /// Text.
    Text(String),
}

/// A feature: geometry and one value per column of its layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// Geometry.
    pub geometry: Geometry,
    /// Values in the order of [`Layer::columns`].
    pub values: Vec<Value>,
}

/// A vector layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Name of the layer.
    pub name: String,
    /// Reference system of the coordinates (x east or longitude first).
    pub crs: Option<Crs>,
    /// Column names.
    pub columns: Vec<String>,
    /// Features in file order.
    pub features: Vec<Feature>,
    /// Things the file gets wrong and how they were taken.
    pub warnings: Vec<String>,
}

impl Polygon {
    /// Signed planar area by the shoelace formula, holes subtracted whatever their orientation.
    #[must_use]
    pub fn planar_area(&self) -> f64 {
        let mut rings = self.rings.iter().map(|r| ring_area(r).abs());
        rings.next().unwrap_or(0.0) - rings.sum::<f64>()
    }
}

/// Signed area of a ring, positive counter-clockwise.
#[must_use]
pub fn ring_area(ring: &[(f64, f64)]) -> f64 {
    let Some(&(x0, y0)) = ring.first() else { return 0.0 };
    // Relative to the first point: coordinates of millions of metres would lose digits in the products.
    ring.windows(2).map(|w| (w[0].0 - x0) * (w[1].1 - y0) - (w[1].0 - x0) * (w[0].1 - y0)).sum::<f64>() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hole_is_subtracted_whatever_its_orientation() {
        let square = |a: f64, b: f64| vec![(a, a), (b, a), (b, b), (a, b), (a, a)];
        let mut hole = square(1.0, 2.0);
        let p = Polygon { rings: vec![square(0.0, 4.0), hole.clone()] };
        assert_eq!(p.planar_area(), 15.0);
        hole.reverse();
        assert_eq!(Polygon { rings: vec![square(0.0, 4.0), hole] }.planar_area(), 15.0);
    }
}
