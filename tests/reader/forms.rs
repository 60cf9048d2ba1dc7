//! Every storage form: each pixel of each fixture is known from its formula.

use std::path::Path;

use regrow::raster::{Dtype, Raw};

use super::{SIZE, open, pattern, read, values};

/// Name, type, bands, modulus of the pattern.
const FORMS: &[(&str, Dtype, usize, usize)] = &[
    ("u8_deflate_tiles", Dtype::U8, 1, 200),
    ("u8_cog", Dtype::U8, 1, 200),
    ("i8_none_strips", Dtype::I8, 1, 200),
    ("u16_lzw_pred2_strips", Dtype::U16, 1, 200),
    ("i16_zstd_pred2_planar", Dtype::I16, 3, 200),
    ("i16_zstd_pred2_pixel", Dtype::I16, 3, 200),
    ("u32_packbits_strips", Dtype::U32, 2, 200),
    ("i32_deflate_pred2_be", Dtype::I32, 1, 200),
    ("u64_deflate_strips", Dtype::U64, 1, 200),
    ("i64_lzw_pred2_be_planar", Dtype::I64, 2, 200),
    ("f32_deflate_pred3_pixel", Dtype::F32, 2, 200),
    ("f64_zstd_pred3_be", Dtype::F64, 1, 200),
    ("f16_deflate_pred3", Dtype::F32, 1, 200),
    ("u16_none_bigtiff_be", Dtype::U16, 2, 200),
    ("bits1", Dtype::U8, 1, 2),
    ("bits12_pixel", Dtype::U16, 3, 4000),
];

fn expected(dtype: Dtype, band: usize, row: usize, col: usize, most: usize) -> f64 {
    let v = pattern(band, row, col, most) as f64;
    let half = (most / 2) as f64;
    match dtype {
        Dtype::F32 | Dtype::F64 => (v - half) / 8.0,
        Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 => v - half,
        _ => v,
    }
}

fn cells() -> impl Iterator<Item = (usize, usize)> {
    (0..SIZE.1).flat_map(|r| (0..SIZE.0).map(move |c| (r, c)))
}

fn valid(raw: &Raw) -> Vec<bool> {
    raw.mask.as_ref().map_or_else(|| vec![true; raw.samples.len()], |m| m.iter().map(|v| *v != 0).collect())
}

/// The masked pixels of the fixtures.
fn masked(row: usize, col: usize) -> bool {
    (row + col).is_multiple_of(5)
}

#[test]
fn pixels_are_exact_in_every_form() {
    for (name, dtype, bands, most) in FORMS {
        let source = open(name);
        assert_eq!((source.grid().cols, source.grid().rows), SIZE, "{name}");
        assert_eq!(source.bands().len(), *bands, "{name}");
        let all: Vec<usize> = (0..*bands).collect();
        for (band, raw) in read(source.as_ref(), &all, source.grid().window()).iter().enumerate() {
            assert_eq!(raw.samples.dtype(), *dtype, "{name}");
            let want: Vec<f64> = cells().map(|(r, c)| expected(*dtype, band, r, c, *most)).collect();
            assert_eq!(values(&raw.samples), want, "{name} band {}", band + 1);
            assert_eq!(raw.mask, None, "{name}");
        }
        assert!(source.warnings().is_empty(), "{name}: {:?}", source.warnings());
    }
}

#[test]
fn absent_tiles_are_nodata_or_zero_without_nodata() {
    let source = open("u16_sparse_nodata7");
    let raw = &read(source.as_ref(), &[0], source.grid().window())[0];
    let absent = |r: usize, c: usize| (r < 16 && (16..32).contains(&c)) || (r >= 16 && c >= 32);
    let want: Vec<f64> = cells().map(|(r, c)| if absent(r, c) { 7.0 } else { pattern(0, r, c, 200) as f64 }).collect();
    assert_eq!(values(&raw.samples), want);
    assert_eq!(valid(raw), cells().map(|(r, c)| !absent(r, c)).collect::<Vec<_>>());

    let source = open("u16_sparse_zeros");
    let raw = &read(source.as_ref(), &[0], source.grid().window())[0];
    let want: Vec<f64> =
        cells().map(|(r, c)| if r < 16 && c < 16 { 0.0 } else { pattern(0, r, c, 200) as f64 }).collect();
    assert_eq!(values(&raw.samples), want);
    assert!(valid(raw).iter().all(|v| *v), "without nodata, absent tiles are valid zeros");
}

#[test]
fn internal_external_and_alpha_masks_say_the_same() {
    let want: Vec<bool> = cells().map(|(r, c)| !masked(r, c)).collect();
    for (name, bands) in [("u8_internal_mask", 2), ("u8_mask_beside", 1), ("u8_alpha", 1)] {
        let source = open(name);
        for band in 0..bands {
            let raw = &read(source.as_ref(), &[band], source.grid().window())[0];
            assert_eq!(valid(raw), want, "{name} band {}", band + 1);
            let pixels: Vec<f64> = cells().map(|(r, c)| pattern(band, r, c, 200) as f64).collect();
            assert_eq!(values(&raw.samples), pixels, "{name} band {}", band + 1);
        }
    }
    // The alpha band itself is plain values.
    let source = open("u8_alpha");
    let alpha = &read(source.as_ref(), &[1], source.grid().window())[0];
    assert_eq!(alpha.mask, None);
    assert_eq!(values(&alpha.samples).iter().filter(|v| **v == 0.0).count(), want.iter().filter(|v| !**v).count());
}

#[test]
fn a_mask_of_another_size_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    std::fs::copy(super::fixture("u8_deflate_tiles"), &path).unwrap();
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo/scl.tif"), dir.path().join("a.tif.msk"))
        .unwrap();
    let e = regrow::io::open_raster(&path).err().unwrap().to_string();
    assert!(e.contains("a.tif.msk") && e.contains("37 x 29"), "{e}");
}

#[test]
fn jpeg_is_close_to_what_was_put_in() {
    // Lossy at quality 95 on a smooth ramp: decoders differ by one in the last step, the codec itself by two or three.
    for (name, bands) in [("u8_jpeg_grey", 1), ("u8_jpeg_ycbcr", 3)] {
        let source = open(name);
        let all: Vec<usize> = (0..bands).collect();
        for raw in read(source.as_ref(), &all, source.grid().window()) {
            for ((r, c), v) in cells().zip(values(&raw.samples)) {
                let ramp = (3 * r + 2 * c) as f64;
                assert!((v - ramp).abs() <= 4.0, "{name} at {r}, {c}: {v} for {ramp}");
            }
        }
    }
}

#[test]
fn metadata_reach_the_bands() {
    let source = open("i16_described");
    let [nir, metal] = source.bands() else { panic!("two bands") };
    assert_eq!((nir.name.as_str(), nir.role), ("nir", Some(regrow::raster::Role::Nir)));
    assert_eq!((nir.scale, nir.offset, nir.scaled_by_file), (2.75e-5, -0.2, true));
    assert_eq!((nir.nodata, metal.nodata), (Some(-9999.0), Some(-9999.0)));
    assert_eq!((metal.unit.as_str(), metal.date.as_deref()), ("mg/kg", Some("2024-02-29")));
    assert!(source.metadata().contains(&("SENSOR".to_owned(), "OLI".to_owned())));

    let palette = open("u8_palette");
    let classes = &palette.bands()[0].classes;
    assert_eq!(classes.len(), 256);
    assert_eq!((classes[2].value, classes[2].rgb, classes[3].rgb), (2, [0, 128, 0], [10, 20, 30]));
}

#[test]
fn storage_is_described() {
    let get = |name: &str, key: &str| {
        open(name).storage().iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()).unwrap_or_default()
    };
    assert_eq!(get("u8_cog", "cog"), "yes");
    assert_eq!(get("u16_none_bigtiff_be", "format"), "BigTIFF");
    assert_eq!(get("i16_zstd_pred2_planar", "compression"), "ZSTD, predictor 2");
    assert_eq!(get("i16_zstd_pred2_planar", "interleave"), "band");
    assert_eq!(get("u8_internal_mask", "masks"), "1");
}
