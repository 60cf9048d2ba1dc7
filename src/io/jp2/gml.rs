//! The place of an image by its GMLJP2 box (OGC 05-047r3): a rectified grid whose origin is the centre of the first pixel.

use roxmltree::{Document, Node, ParsingOptions};

use crate::grid::{Affine, Crs};

/// Most XML nodes that are kept.
const MOST_NODES: u32 = 100_000;

/// Geotransform and CRS of the first rectified grid.
///
/// # Errors
/// In words, what is missing or contradictory.
pub(super) fn read(text: &str) -> Result<(Affine, Option<Crs>), String> {
    let options = ParsingOptions { nodes_limit: MOST_NODES, ..Default::default() };
    let document = Document::parse_with_options(text, options).map_err(|e| format!("the GML cannot be read: {e}"))?;
    let grid = named(document.root(), "RectifiedGrid").ok_or("the GML has no RectifiedGrid")?;
    let point = named(grid, "origin").and_then(|o| named(o, "Point")).ok_or("the GML grid has no origin")?;
    let origin = named(point, "pos").or_else(|| named(point, "coordinates"));
    let origin = pair(origin.ok_or("the origin of the GML grid has no position")?)?;
    let vectors: Vec<Node<'_, '_>> = grid.descendants().filter(|n| n.tag_name().name() == "offsetVector").collect();
    let &[along, down, ..] = vectors.as_slice() else {
        return Err("the GML grid has fewer than two offset vectors".into());
    };
    let (along, down) = (pair(along)?, pair(down)?);
    let name = [point, grid].iter().find_map(|n| n.attribute("srsName"));
    let crs = name.map(Crs::parse).transpose().map_err(|e| format!("the CRS of the GML grid: {}", e.message()))?;
    let swapped = swapped(name.unwrap_or(""), crs.as_ref(), along, down)?;
    let order = |(a, b): (f64, f64)| if swapped { (b, a) } else { (a, b) };
    let ((x, y), (ax, ay), (dx, dy)) = (order(origin), order(along), order(down));
    let corner = (x - 0.5 * (ax + dx), y - 0.5 * (ay + dy));
    Ok((Affine::from_gdal([corner.0, ax, dx, corner.1, ay, dy]), crs))
}

fn named<'a, 'b>(node: Node<'a, 'b>, name: &str) -> Option<Node<'a, 'b>> {
    node.descendants().find(|n| n.tag_name().name() == name)
}

fn pair(node: Node<'_, '_>) -> Result<(f64, f64), String> {
    let text = node.text().unwrap_or("").trim();
    let numbers: Vec<f64> =
        text.split([' ', ',', '\n', '\t']).filter(|t| !t.is_empty()).map_while(|t| t.parse().ok()).collect();
    match numbers[..] {
        [a, b, ..] if a.is_finite() && b.is_finite() => Ok((a, b)),
        _ => Err(format!("{text:?} in the GML grid is not a pair of numbers")),
    }
}

/// True where coordinates come with the northing or latitude first. Names that follow the EPSG order (URN and URL) put
/// latitude first, and northing in some national systems; for those, whose order is not known here, the vectors tell.
fn swapped(name: &str, crs: Option<&Crs>, along: (f64, f64), down: (f64, f64)) -> Result<bool, String> {
    let Some(crs) = crs else { return Ok(false) };
    let by_authority = name.starts_with("urn:") || name.starts_with("http");
    if !by_authority || !name.contains("EPSG") {
        return Ok(false);
    }
    let upright = along.0 == 0.0 && down.1 == 0.0;
    if crs.is_geographic() && !upright && along.1 == 0.0 && down.0 == 0.0 {
        return Err(format!("the GML grid in {crs} (latitude first) has offset vectors with longitude first"));
    }
    Ok(crs.is_geographic() || upright)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(srs: &str, origin: &str, along: &str, down: &str) -> Result<([f64; 6], Option<u16>), String> {
        let text = format!(
            "<g:Coverage xmlns:g='http://www.opengis.net/gml'><g:RectifiedGrid><g:origin><g:Point srsName='{srs}'><g:pos>{origin}\
             </g:pos></g:Point></g:origin><g:offsetVector>{along}</g:offsetVector><g:offsetVector>{down}</g:offsetVector>\
             </g:RectifiedGrid></g:Coverage>"
        );
        read(&text).map(|(a, crs)| (a.coefficients(), crs.and_then(|c| c.epsg)))
    }

    #[test]
    fn the_origin_is_the_centre_of_the_first_pixel() {
        let found = grid("urn:ogc:def:crs:EPSG::32634", "500005 4999990", "10 0", "0 -20").unwrap();
        assert_eq!(found, ([500_000.0, 10.0, 0.0, 5_000_000.0, 0.0, -20.0], Some(32634)));
        let rotated = grid("urn:ogc:def:crs:EPSG::32635", "500006 4999990.5", "10 1", "2 -20").unwrap();
        assert_eq!(rotated.0, [500_000.0, 10.0, 2.0, 5_000_000.0, 1.0, -20.0]);
    }

    #[test]
    fn axes_in_the_order_of_the_authority_are_swapped() {
        let found = grid("urn:ogc:def:crs:EPSG::4326", "49.5 10.25", "0 0.5", "-1 0").unwrap();
        assert_eq!(found, ([10.0, 0.5, 0.0, 50.0, 0.0, -1.0], Some(4326)));
        let northing_first =
            grid("http://www.opengis.net/def/crs/EPSG/0/3035", "2999990 4000005", "0 10", "-20 0").unwrap();
        assert_eq!(northing_first.0, [4_000_000.0, 10.0, 0.0, 3_000_000.0, 0.0, -20.0]);
        // Without the authority's rule longitude comes first.
        let plain = grid("EPSG:4326", "10.25 49.5", "0.5 0", "0 -1").unwrap();
        assert_eq!(plain.0, found.0);
        let e = grid("urn:ogc:def:crs:EPSG::4326", "10.25 49.5", "0.5 0", "0 -1").unwrap_err();
        assert!(e.contains("longitude first"), "{e}");
    }

    #[test]
    fn damage_is_named() {
        assert!(read("<a/>").unwrap_err().contains("no RectifiedGrid"));
        assert!(read("no xml").unwrap_err().contains("cannot be read"));
        assert!(grid("", "1 x", "1 0", "0 1").unwrap_err().contains("\"1 x\""));
        assert!(grid("urn:ogc:def:crs:EPSG::1", "1 2", "1 0", "0 1").unwrap_err().contains("EPSG:1"));
    }
}
