//! Where the pixels are: geotransforms and coordinate systems of real files.

use regrow::grid::Crs;

use super::open;

fn transform(name: &str) -> [f64; 6] {
    open(name).grid().affine().unwrap().coefficients()
}

#[test]
fn area_and_point_files_have_the_same_corner() {
    // GDAL writes the tie point of a point file at the pixel centre, so both read back as the same outer corner.
    assert_eq!(transform("u8_deflate_tiles"), [500_000.0, 10.0, 0.0, 5_000_000.0, 0.0, -10.0]);
    assert_eq!(transform("u8_point"), [500_000.0, 10.0, 0.0, 5_000_000.0, 0.0, -10.0]);
}

#[test]
fn rotation_terms_are_kept() {
    assert_eq!(transform("u8_rotated"), [500.0, 8.0, 2.0, 900.0, 1.5, -9.0]);
}

#[test]
fn systems_by_code_parameters_and_none() {
    let epsg = |name: &str| open(name).grid().crs().unwrap().epsg;
    assert_eq!(epsg("u8_deflate_tiles"), Some(32634));
    assert_eq!(epsg("u8_feet"), Some(2263));
    let feet = open("u8_feet").grid().crs().unwrap().metres_per_unit;
    assert!((feet - 1200.0 / 3937.0).abs() < 1e-12, "{feet}");
    let laea = open("u8_laea").grid().crs().unwrap().clone();
    let stated = "+proj=laea +lat_0=10 +lon_0=-81 +x_0=500 +y_0=-600 +ellps=GRS80 +units=m +no_defs";
    let expected = Crs::from_proj(stated, None, "").unwrap();
    assert_eq!(laea, expected, "{}", laea.definition);
    let none = open("u8_no_crs");
    assert!(none.grid().crs().is_none() && none.warnings().is_empty());
    assert!(none.grid().known_crs().unwrap_err().to_string().contains("--assume-crs"));
}
