//! Quality bits, classes and encodings against the public bit tables (`qa_and_scaling.json`).

use std::path::Path;
use std::sync::Arc;

use regrow::engine::MaskRule;
use regrow::grid::{Affine, Crs, Grid};
use regrow::io::memory::MemorySource;
use regrow::raster::{Band, Dtype, Role, Source};
use regrow::scene::{Encoding, Scene, SceneOptions, from_sources};
use serde_json::Value;

fn oracle() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/oracles/remote-sensing/qa_and_scaling.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn source(name: &str, dtype: Dtype) -> Arc<dyn Source> {
    let grid = Grid::new(1, 1, Affine::north_up(0.0, 30.0, 30.0, 30.0), Some(Crs::from_epsg(32634).unwrap()));
    let band = Band::new(dtype);
    let samples = regrow::raster::Samples::zeros(dtype, 1);
    Arc::new(MemorySource::new(name, grid).band(band, samples, None).unwrap())
}

fn scene(role: Role, dtype: Dtype, masks: &str) -> Scene {
    let options = SceneOptions { masks: masks.parse().unwrap(), ..SceneOptions::default() };
    let sources = vec![(Some(role), source("q.tif", dtype)), (Some(Role::Red), source("r.tif", Dtype::F32))];
    from_sources(sources, &options).unwrap()
}

/// True where the masks a list of names makes hit a stored value.
fn hits(role: Role, masks: &str, value: u32) -> bool {
    let dtype = if role == Role::QaPixel { Dtype::U16 } else { Dtype::U8 };
    scene(role, dtype, masks).masks.iter().any(|m| match &m.rule {
        MaskRule::Values(list) => list.contains(&value),
        MaskRule::NotValues(list) => !list.contains(&value),
        MaskRule::Bits(bits) => value & bits != 0,
    })
}

#[test]
fn landsat_bits_have_their_names() {
    for row in oracle()["landsat_qa_pixel"].as_array().unwrap() {
        let value = row["value"].as_u64().unwrap() as u32;
        let set = |key: &str| row[key].as_u64().unwrap() != 0;
        let fill = set("fill");
        // Fill is masked under any name: there is no observation.
        for (name, key) in [
            ("dilated", "dilated_cloud"),
            ("cirrus", "cirrus"),
            ("cloud", "cloud"),
            ("shadow", "shadow"),
            ("snow", "snow"),
            ("water", "water"),
        ] {
            assert_eq!(hits(Role::QaPixel, name, value), fill || set(key), "{name} of {value}");
        }
        for (name, key) in [("cloud_confidence", "cloud_conf"), ("cirrus_confidence", "cirrus_conf")] {
            assert_eq!(hits(Role::QaPixel, name, value), fill || row[key].as_u64().unwrap() >= 2, "{name} of {value}");
        }
        assert_eq!(hits(Role::QaPixel, "default", value), row["default_masked"].as_bool().unwrap(), "{value}");
    }
}

#[test]
fn hls_bits_and_sentinel_2_classes_have_their_names() {
    for row in oracle()["hls_fmask"].as_array().unwrap() {
        let value = row["value"].as_u64().unwrap() as u32;
        for (name, key) in
            [("cloud", "cloud"), ("adjacent", "adjacent"), ("shadow", "shadow"), ("snow", "snow"), ("water", "water")]
        {
            assert_eq!(hits(Role::Fmask, name, value), row[key].as_u64().unwrap() != 0, "{name} of {value}");
        }
        assert_eq!(hits(Role::Fmask, "aerosol", value), row["aerosol"].as_u64().unwrap() == 3, "aerosol of {value}");
        assert_eq!(hits(Role::Fmask, "default", value), row["default_masked"].as_bool().unwrap(), "{value}");
    }
    for row in oracle()["s2_scl"].as_array().unwrap() {
        let value = row["value"].as_u64().unwrap() as u32;
        assert_eq!(hits(Role::Scl, "default", value), row["default_masked"].as_u64().unwrap() != 0, "{value}");
    }
}

#[test]
fn stored_numbers_become_reflectance_and_kelvin() {
    let decode = |name: &str, role: Role, stored: &Value, options: &SceneOptions| {
        let scene = from_sources(vec![(Some(role), source(name, Dtype::U16))], options).unwrap();
        let band = scene.band(role).unwrap();
        stored.as_f64().unwrap() * band.scale + band.offset
    };
    let auto = SceneOptions::default();
    let shifted = SceneOptions { boa_offset: Encoding::Apply, ..SceneOptions::default() };
    let landsat = "LC08_L2SP_218074_20190114_20200829_02_T1_SR_B4.TIF";
    for row in oracle()["scaling"].as_array().unwrap() {
        for (got, key) in [
            (decode("N0400_B04_10m.tif", Role::Red, &row["s2_dn"], &shifted), "s2_refl_baseline_ge_0400"),
            (decode("N0301_B04_10m.tif", Role::Red, &row["s2_dn"], &auto), "s2_refl_baseline_lt_0400"),
            (decode(landsat, Role::Red, &row["landsat_dn"], &auto), "landsat_refl"),
            (decode("HLS.S30.T34TEQ.2024197T092031.v2.0.B04.tif", Role::Red, &row["hls_dn"], &auto), "hls_refl"),
            (decode(landsat, Role::Thermal1, &row["landsat_st_dn"], &auto), "landsat_st_kelvin"),
        ] {
            assert!((got - row[key].as_f64().unwrap()).abs() < 1e-9, "{key}: {got}");
        }
    }
}
