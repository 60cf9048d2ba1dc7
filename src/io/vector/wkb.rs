//! Well-known binary: polygons and points, ISO and extended forms, both byte orders.

use crate::error::{Error, Result};
use crate::vector::{Geometry, Polygon, Ring};

/// Nesting of collections that is followed; real layers need one or two.
const MAX_DEPTH: usize = 8;

struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
    little: bool,
}

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.data.get(self.at..self.at + N).and_then(|b| b.try_into().ok());
        let bytes = bytes.ok_or_else(|| {
            Error::input(format!("the geometry is cut short (needs byte {}, holds {})", self.at + N, self.data.len()))
        })?;
        self.at += N;
        Ok(bytes)
    }
    fn u32(&mut self) -> Result<u32> {
        let b = self.take()?;
        Ok(if self.little { u32::from_le_bytes(b) } else { u32::from_be_bytes(b) })
    }
    fn f64(&mut self) -> Result<f64> {
        let b = self.take()?;
        Ok(if self.little { f64::from_le_bytes(b) } else { f64::from_be_bytes(b) })
    }
    /// A count of items of at least `size` bytes each, checked against what is left before anything is allocated.
    fn count(&mut self, size: usize) -> Result<usize> {
        let n = self.u32()? as usize;
        if n > (self.data.len() - self.at) / size {
            return Err(Error::input(format!(
                "the geometry announces {n} parts, only {} bytes are left",
                self.data.len() - self.at
            )));
        }
        Ok(n)
    }
    fn point(&mut self, extra: usize) -> Result<(f64, f64)> {
        let p = (self.f64()?, self.f64()?);
        for _ in 0..extra {
            self.f64()?;
        }
        Ok(p)
    }
}

/// Parses one geometry.
pub(super) fn parse(data: &[u8]) -> Result<Geometry> {
    let mut cursor = Cursor { data, at: 0, little: true };
    geometry(&mut cursor, 0)
}

fn geometry(c: &mut Cursor<'_>, depth: usize) -> Result<Geometry> {
    if depth > MAX_DEPTH {
        return Err(Error::input(format!("geometry collections are nested deeper than {MAX_DEPTH}")));
    }
    c.little = match c.take::<1>()?[0] {
        0 => false,
        1 => true,
        other => return Err(Error::input(format!("byte order {other} of the geometry is neither 0 nor 1"))),
    };
    let code = c.u32()?;
    // ISO adds 1000/2000/3000 for Z/M/ZM, the extended form sets high bits.
    let (base, z, m) = if code & 0xf000_0000 == 0 {
        let family = code / 1000;
        (code % 1000, family == 1 || family == 3, family == 2 || family == 3)
    } else {
        (code & 0x0fff_ffff, code & 0x8000_0000 != 0, code & 0x4000_0000 != 0)
    };
    if code & 0x2000_0000 != 0 && code & 0xf000_0000 != 0 {
        c.u32()?;
    }
    let extra = usize::from(z) + usize::from(m);
    let size = 16 + 8 * extra;
    match base {
        1 => {
            let (x, y) = c.point(extra)?;
            // An empty point has no other spelling in WKB than NaN.
            Ok(if x.is_nan() && y.is_nan() { Geometry::Empty } else { Geometry::Points(vec![(x, y)]) })
        }
        3 => {
            let mut rings = Vec::new();
            for _ in 0..c.count(4)? {
                let n = c.count(size)?;
                rings.push((0..n).map(|_| c.point(extra)).collect::<Result<Ring>>()?);
            }
            Ok(if rings.is_empty() { Geometry::Empty } else { Geometry::Polygons(vec![Polygon { rings }]) })
        }
        4 | 6 | 7 => {
            let (mut points, mut polygons) = (Vec::new(), Vec::new());
            for _ in 0..c.count(5)? {
                match geometry(c, depth + 1)? {
                    Geometry::Empty => {}
                    Geometry::Points(p) => points.extend(p),
                    Geometry::Polygons(p) => polygons.extend(p),
                }
            }
            match (points.is_empty(), polygons.is_empty()) {
                (true, true) => Ok(Geometry::Empty),
                (false, true) => Ok(Geometry::Points(points)),
                (true, false) => Ok(Geometry::Polygons(polygons)),
                (false, false) => Err(Error::input("a collection mixes points and polygons; split it")),
            }
        }
        other => Err(Error::input(format!("geometry type {other} is neither polygon nor point; convert the layer"))),
    }
}

/// Appends a geometry in little-endian WKB.
pub(super) fn append(geometry: &Geometry, out: &mut Vec<u8>) {
    let head = |out: &mut Vec<u8>, kind: u32| {
        out.push(1);
        out.extend(kind.to_le_bytes());
    };
    let point = |out: &mut Vec<u8>, (x, y): (f64, f64)| {
        out.extend(x.to_le_bytes());
        out.extend(y.to_le_bytes());
    };
    match geometry {
        Geometry::Empty => {
            head(out, 6);
            out.extend(0u32.to_le_bytes());
        }
        Geometry::Points(p) if p.len() == 1 => {
            head(out, 1);
            point(out, p[0]);
        }
        Geometry::Points(points) => {
            head(out, 4);
            out.extend((points.len() as u32).to_le_bytes());
            for p in points {
                head(out, 1);
                point(out, *p);
            }
        }
        Geometry::Polygons(parts) => {
            head(out, 6);
            out.extend((parts.len() as u32).to_le_bytes());
            for part in parts {
                head(out, 3);
                out.extend((part.rings.len() as u32).to_le_bytes());
                for ring in &part.rings {
                    out.extend((ring.len() as u32).to_le_bytes());
                    ring.iter().for_each(|p| point(out, *p));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polygons_survive_a_round_trip() {
        let ring = vec![(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 0.0)];
        let g = Geometry::Polygons(vec![
            Polygon { rings: vec![ring.clone()] },
            Polygon { rings: vec![ring.clone(), ring] },
        ]);
        let mut bytes = Vec::new();
        append(&g, &mut bytes);
        assert_eq!(parse(&bytes).unwrap(), g);
    }

    #[test]
    fn a_lying_count_is_refused_before_allocation() {
        let mut bytes = vec![1, 3, 0, 0, 0];
        bytes.extend(u32::MAX.to_le_bytes());
        assert!(parse(&bytes).unwrap_err().to_string().contains("4294967295"));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let mut bytes = Vec::new();
        for _ in 0..20_000 {
            bytes.extend([1, 7, 0, 0, 0, 1, 0, 0, 0]);
        }
        assert!(parse(&bytes).unwrap_err().to_string().contains("nested"));
    }
}
