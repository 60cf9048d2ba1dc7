//! What every [`Source`] and its readers must do, whatever the format.

use std::path::Path;
use std::sync::Arc;

use regrow::error::Kind;
use regrow::grid::Window;
use regrow::io::geotiff::GeoTiff;
use regrow::raster::{Raw, Source};

use super::{fixture, values};

/// Fixtures of different layouts: tiles and strips, planar and interleaved, absent blocks, masks.
const LAYOUTS: &[&str] = &[
    "i16_zstd_pred2_planar",
    "i16_zstd_pred2_pixel",
    "u32_packbits_strips",
    "u16_none_bigtiff_be",
    "u16_sparse_nodata7",
    "u8_internal_mask",
    "u8_alpha",
];

type Opener = fn(&Path) -> regrow::Result<Arc<dyn Source>>;

fn ours(path: &Path) -> regrow::Result<Arc<dyn Source>> {
    Ok(Arc::new(GeoTiff::open(path)?))
}

#[cfg(feature = "gdal")]
fn gdal(path: &Path) -> regrow::Result<Arc<dyn Source>> {
    Ok(Arc::new(regrow::io::gdal::GdalSource::open(path)?))
}

fn readers() -> Vec<Opener> {
    vec![
        ours,
        #[cfg(feature = "gdal")]
        gdal,
    ]
}

fn every(mut f: impl FnMut(&dyn Source)) {
    for opener in readers() {
        for name in LAYOUTS {
            f(opener(&fixture(name)).unwrap().as_ref());
        }
    }
}

fn crop(raw: &Raw, whole: Window, part: Window) -> (Vec<f64>, Vec<u8>) {
    let (all, mask) = (values(&raw.samples), raw.mask.clone().unwrap_or_else(|| vec![1; whole.cells()]));
    let at = |r: usize, c: usize| (part.row as usize + r) * whole.cols + part.col as usize + c;
    let cells = (0..part.rows).flat_map(|r| (0..part.cols).map(move |c| (r, c)));
    (cells.clone().map(|(r, c)| all[at(r, c)]).collect(), cells.map(|(r, c)| mask[at(r, c)]).collect())
}

#[test]
fn every_window_is_a_crop_of_the_whole() {
    every(|source| {
        let whole = source.grid().window();
        let bands: Vec<usize> = (0..source.bands().len()).collect();
        let mut reader = source.open().unwrap();
        let mut all = vec![Raw::default(); bands.len()];
        reader.read(&bands, whole, &mut all).unwrap();
        let mut out = vec![Raw::default(); bands.len()];
        for (col, row, cols, rows) in [
            (0, 0, 1, 1),
            (36, 28, 1, 1),
            (15, 15, 2, 2),
            (0, 3, 37, 1),
            (31, 0, 1, 29),
            (16, 16, 16, 13),
            (5, 2, 30, 20),
        ] {
            let part = Window::new(col, row, cols, rows);
            reader.read(&bands, part, &mut out).unwrap();
            for (whole_raw, raw) in all.iter().zip(&out) {
                let (expected, mask) = crop(whole_raw, whole, part);
                assert_eq!(values(&raw.samples), expected, "{} {part}", source.name());
                assert_eq!(raw.mask.clone().unwrap_or_else(|| vec![1; part.cells()]), mask, "{} {part}", source.name());
            }
        }
    });
}

#[test]
fn bands_come_in_the_order_they_were_asked_for() {
    every(|source| {
        let last = source.bands().len() - 1;
        let window = Window::new(3, 4, 20, 20);
        let out = super::read(source, &[last, 0, last], window);
        let single = super::read(source, &[0], window);
        assert_eq!(out[1].samples, single[0].samples, "{}", source.name());
        assert_eq!(out[0].samples, out[2].samples, "{}", source.name());
        for (raw, band) in out.iter().zip([last, 0, last]) {
            assert_eq!(raw.samples.dtype(), source.bands()[band].dtype);
            assert_eq!(raw.samples.len(), window.cells());
        }
    });
}

#[test]
fn a_reader_may_change_what_it_is_asked_for() {
    every(|source| {
        let mut reader = source.open().unwrap();
        let mut out = vec![Raw::default()];
        reader.read(&[0], Window::new(0, 0, 37, 29), &mut out).unwrap();
        reader.read(&[source.bands().len() - 1], Window::new(9, 9, 3, 3), &mut out).unwrap();
        reader.read(&[0], Window::new(2, 2, 5, 5), &mut out).unwrap();
        assert_eq!(out[0].samples, super::read(source, &[0], Window::new(2, 2, 5, 5))[0].samples, "{}", source.name());
    });
}

#[test]
fn what_lies_outside_is_refused_as_a_bug() {
    every(|source| {
        let mut reader = source.open().unwrap();
        let mut out = vec![Raw::default()];
        for window in [Window::new(-1, 0, 2, 2), Window::new(36, 0, 2, 2), Window::new(0, 28, 1, 2)] {
            assert_eq!(
                reader.read(&[0], window, &mut out).unwrap_err().kind(),
                Kind::Bug,
                "{} {window}",
                source.name()
            );
        }
        let e = reader.read(&[99], Window::new(0, 0, 1, 1), &mut out).unwrap_err();
        assert_eq!(e.kind(), Kind::Bug, "{}", source.name());
    });
}

#[test]
fn workers_read_at_once_and_agree() {
    every(|source| {
        let whole = source.grid().window();
        let expected = super::read(source, &[0], whole);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(super::read(source, &[0], whole)[0].samples, expected[0].samples));
            }
        });
    });
}

#[test]
fn a_window_called_empty_holds_only_nodata() {
    let mut seen = 0;
    every(|source| {
        for row in (0..29).step_by(4) {
            for col in (0..37).step_by(4) {
                let window = Window::new(col, row, 4.min(37 - col as usize), 4.min(29 - row as usize));
                if source.is_empty(window) {
                    seen += 1;
                    let raw = &super::read(source, &[0], window)[0];
                    let nodata = source.bands()[0].nodata.unwrap();
                    assert!(values(&raw.samples).iter().all(|v| *v == nodata), "{} {window}", source.name());
                }
            }
        }
    });
    assert!(seen > 0, "the sparse fixture has empty windows");
}

#[test]
fn layout_and_scratch_are_stated() {
    every(|source| {
        let layout = source.layout();
        assert!((1..=37).contains(&layout.cols) && (1..=29).contains(&layout.rows), "{}", source.name());
        assert!(source.scratch_bytes(source.grid().window()) > 0, "{}", source.name());
    });
}
