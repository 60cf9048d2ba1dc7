//! Scenes opened from the real data that lie beside the repository; absent data skips a test.

use std::path::{Path, PathBuf};

use regrow::raster::Role;
use regrow::scene::{Alignment, Encoding, Quantity, Scene, SceneOptions, open, open_stack};

/// A file of the shared data, where it is there.
fn shared(path: &str) -> Option<String> {
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    file.exists().then(|| file.to_string_lossy().into_owned())
}

fn encoding(scene: &Scene, role: Role) -> (f64, f64, Option<f64>, Quantity) {
    let b = scene.band(role).unwrap();
    (b.scale, b.offset, b.nodata, b.quantity)
}

#[test]
fn landsat_stack_tells_roles_scale_and_date() {
    let (Some(before), Some(after)) = (
        shared("data/brumadinho/brumadinho_20190114_l2sp_b2-b7.tif"),
        shared("data/brumadinho/brumadinho_20190130_l2sp_b2-b7.tif"),
    ) else {
        return;
    };
    let before = open(&[before], &SceneOptions::default()).unwrap();
    let after = open(&[after], &SceneOptions::default()).unwrap();
    assert_eq!(before.date.as_deref(), Some("2019-01-14"));
    assert_eq!(encoding(&before, Role::Nir), (2.75e-5, -0.2, Some(0.0), Quantity::Physical));
    assert_eq!(before.band(Role::Swir22).unwrap().band, 5);
    // The second image starts 30 columns further east.
    let grids = [(before.name.as_str(), &before.grid), (after.name.as_str(), &after.grid)];
    let both = regrow::scene::extent::common(&grids, Some(Alignment::Intersection)).unwrap();
    assert_eq!((both.cols, both.rows), (370, 300));
    assert!(regrow::scene::extent::common(&grids, None).unwrap_err().to_string().contains("--align"));
}

#[test]
fn cube_of_dates_is_a_scene_a_date() {
    let Some(nir) = shared("data/sentinel2_romania_cube/romania_10m_B8.tif") else { return };
    let file = |b: &str| nir.replace("B8", b);
    let inputs = [format!("nir={nir}"), format!("red={}", file("B4")), format!("scl={}", file("SCL"))];
    let options = SceneOptions { scale: Encoding::Number(1e-4), ..SceneOptions::default() };
    let scenes = open_stack(&inputs, &options).unwrap();
    assert_eq!(scenes.len(), 140);
    assert_eq!(scenes[0].date.as_deref(), Some("2015-08-01"));
    assert!(scenes.is_sorted_by_key(|s| s.date.clone()));
    assert_eq!(scenes[7].band(Role::Red).unwrap().band, 7);
    assert_eq!((scenes[7].masks.len(), scenes[7].masks[0].band, scenes[7].masks[0].buffer_px), (1, 7, 6));
    // One acquisition is not to be had from it.
    assert!(open(&inputs, &options).err().unwrap().to_string().contains("140 bands"));
}

#[test]
fn unnamed_bands_need_a_map() {
    let Some(file) = shared("data/sentinel2_aargau/swissEO-S2-SR-08082025.tif") else { return };
    let bare = open(std::slice::from_ref(&file), &SceneOptions::default()).unwrap();
    assert!(bare.band(Role::Red).err().unwrap().to_string().contains("--bands red=N"));
    let options =
        SceneOptions { bands: Some("red=1,green=2,blue=3,nir=4".parse().unwrap()), ..SceneOptions::default() };
    let scene = open(&[file], &options).unwrap();
    assert_eq!(encoding(&scene, Role::Nir), (1.0, 0.0, Some(9999.0), Quantity::Proportional));
    assert_eq!(scene.date, None);
}

#[test]
fn silent_wrong_cases_are_opened_or_refused_as_stated() {
    let Some(root) = shared("hostile/cases") else { return };
    let named = |pairs: &[(&str, &str)]| -> Vec<String> {
        pairs.iter().map(|(role, file)| format!("{role}={root}/{file}")).collect()
    };
    let plain = SceneOptions::default();
    // 01: the offset of baseline 04.00 is never an assumed zero.
    let shifted = named(&[
        ("red", "01_s2_baseline_offset/N0400_B04_10m.tif"),
        ("nir", "01_s2_baseline_offset/N0400_B08_10m.tif"),
    ]);
    assert!(open(&shifted, &plain).err().unwrap().to_string().contains("--boa-offset"));
    let stated = SceneOptions { boa_offset: Encoding::Apply, ..SceneOptions::default() };
    assert_eq!(encoding(&open(&shifted, &stated).unwrap(), Role::Red), (1e-4, -0.1, Some(0.0), Quantity::Physical));
    // 06: 10 m and 20 m are read together; shifted by half of a fine pixel they are not.
    let fine = ("nir", "06_mixed_resolution/B08_10m.tif");
    let both = open(&named(&[fine, ("swir22", "06_mixed_resolution/B12_20m.tif")]), &plain).unwrap();
    assert_eq!(both.grid.place().unwrap().coefficients()[1], 10.0);
    // 10: the bit layout of Collection 1 is not taken for that of Collection 2.
    let old = named(&[("qa_pixel", "10_quality_bits/LC08_C1_pixel_qa.tif")]);
    assert!(open(&old, &plain).err().unwrap().to_string().contains("Collection 1"));
    // 23: bands are found by name.
    let stack = open(&[format!("{root}/23_band_order/stack.tif")], &plain).unwrap();
    assert_eq!(stack.band(Role::Nir).unwrap().band, 1);
    // 27: Landsat integers without their offset are refused even for ratios.
    let landsat = named(&[("red", "27_landsat_scale_offset/SR_B4.TIF"), ("nir", "27_landsat_scale_offset/SR_B5.TIF")]);
    assert!(open(&landsat, &plain).err().unwrap().to_string().contains("2.75e-5"));
    // 33: equal shapes on other grids are refused.
    let folder = format!("{root}/33_crs_mismatch");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    let rasters: Vec<_> = files.iter().filter(|p| p.extension().is_some_and(|e| e == "tif")).collect();
    for other in &rasters[1..] {
        let pair = [format!("red={}", rasters[0].display()), format!("nir={}", other.display())];
        assert!(open(&pair, &plain).is_err(), "{pair:?}");
    }
}
