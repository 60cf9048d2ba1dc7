//! Written files, read back by other programs' code: the `tiff` crate, and GDAL where it is installed.
//!
//! With `REGROW_KEEP=FOLDER` the files stay there, for checks with further tools.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in helpers too")]

mod read;
mod write;

use std::path::PathBuf;

use read::{Image, gdal, images};
use regrow::engine::{OutBand, Overview};
use regrow::error::Kind;
use regrow::grid::{Affine, Crs, Grid};
use regrow::io::geotiff::{CogSink, CreationOptions};
use regrow::raster::{Class, Dtype};
use write::{Order, Picture, options, write};

/// A folder for the files of one test.
struct Folder {
    path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Folder {
    fn new(test: &str) -> Self {
        match std::env::var_os("REGROW_KEEP") {
            Some(keep) => {
                let path = PathBuf::from(keep).join(test);
                let _ = std::fs::remove_dir_all(&path);
                std::fs::create_dir_all(&path).unwrap();
                Self { path, _temporary: None }
            }
            None => {
                let dir = tempfile::tempdir().unwrap();
                Self { path: dir.path().to_owned(), _temporary: Some(dir) }
            }
        }
    }
    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

fn utm_grid(cols: usize, rows: usize) -> Grid {
    Grid::new(cols, rows, Affine::north_up(590_000.0, 4_880_000.0, 10.0, 10.0), Some(Crs::from_epsg(32634).unwrap()))
}

fn bare() -> Vec<OutBand> {
    vec![OutBand::classes("bare", vec![Class::new(0, "not bare", [26, 150, 65]), Class::new(1, "bare", [215, 25, 28])])]
}

fn integer(dtype: Dtype, nodata: f64) -> Vec<OutBand> {
    let mut band = OutBand::quantity("count", "1");
    (band.dtype, band.nodata) = (dtype, nodata);
    vec![band]
}

/// Halves a band the slow way: straight from the definition, cell by cell.
fn halved(band: &[f64], cols: usize, rows: usize, nodata: f64, how: Overview, f32s: bool, float: bool) -> Vec<f64> {
    let mut out = Vec::new();
    for r in 0..rows.div_ceil(2) {
        for c in 0..cols.div_ceil(2) {
            let mut cells = Vec::new();
            for (y, x) in [(2 * r, 2 * c), (2 * r, 2 * c + 1), (2 * r + 1, 2 * c), (2 * r + 1, 2 * c + 1)] {
                if y < rows && x < cols {
                    let v = band[y * cols + x];
                    if !v.is_nan() && v != nodata {
                        cells.push(v);
                    }
                }
            }
            let count = |v: f64| cells.iter().filter(|c| **c == v).count();
            out.push(match how {
                _ if cells.is_empty() => nodata,
                Overview::Mode => {
                    let most = cells.iter().map(|v| count(*v)).max().unwrap();
                    cells.iter().copied().filter(|v| count(*v) == most).fold(f64::INFINITY, f64::min)
                }
                Overview::Average => {
                    let mean = cells.iter().sum::<f64>() / cells.len() as f64;
                    match (float, f32s) {
                        (false, _) => mean.round(),
                        (true, true) => f64::from(mean as f32),
                        (true, false) => mean,
                    }
                }
            });
        }
    }
    out
}

#[track_caller]
fn assert_same(found: &[f64], want: &[f64], what: &str) {
    assert_eq!(found.len(), want.len(), "{what}");
    let odd = found.iter().zip(want).position(|(a, b)| !(a == b || (a.is_nan() && b.is_nan())));
    assert_eq!(odd.map(|i| (i, found[i], want[i])), None, "{what}");
}

/// Pixels of every image of the file against the picture, overviews against the slow way.
#[track_caller]
fn check(path: &std::path::Path, picture: &Picture) {
    let images = images(path);
    let (grid, bands) = (&picture.grid, &picture.bands);
    let (mut cols, mut rows) = (grid.cols, grid.rows);
    let mut want: Vec<_> = (0..bands.len()).map(|b| picture.band(b)).collect();
    let float = bands[0].dtype.is_float();
    let nodata = if float { f64::NAN } else { bands[0].nodata };
    for (level, Image { cols: c, rows: r, bands: found, .. }) in images.iter().enumerate() {
        assert_eq!((*c, *r), (cols, rows), "size of level {level}");
        for (b, (found, want)) in found.iter().zip(&want).enumerate() {
            assert_same(found, want, &format!("{} level {level} band {b}", path.display()));
        }
        let f32s = bands[0].dtype == Dtype::F32;
        want = want.iter().zip(bands).map(|(w, b)| halved(w, cols, rows, nodata, b.overview, f32s, float)).collect();
        (cols, rows) = (cols.div_ceil(2), rows.div_ceil(2));
    }
    let last = images.last().unwrap();
    assert!(last.cols == 1 || (last.cols <= 512 && last.rows <= 512), "overviews end at 512");
}

#[test]
fn every_codec_keeps_every_pixel_of_every_type() {
    let dir = Folder::new("codecs");
    for codec in ["ZSTD", "DEFLATE", "LZW", "NONE"] {
        for (name, bands) in [
            ("u8", bare()),
            ("u16", integer(Dtype::U16, 0.0)),
            ("i16", integer(Dtype::I16, -32_768.0)),
            ("i32", integer(Dtype::I32, -9_999.0)),
            ("f32", vec![OutBand::quantity("ndvi", "")]),
            ("f64", {
                let mut b = OutBand::quantity("slope", "");
                b.dtype = Dtype::F64;
                vec![b]
            }),
        ] {
            for predictor in ["YES", "NO"] {
                let picture = Picture { grid: utm_grid(300, 280), bands: bands.clone() };
                let path = dir.file(&format!("{name}_{codec}_{predictor}.tif"));
                write(
                    &path,
                    &picture,
                    &options(&format!("COMPRESS={codec} PREDICTOR={predictor} BLOCKSIZE=128")),
                    Order::Tiles,
                );
                check(&path, &picture);
            }
        }
    }
}

#[test]
fn awkward_sizes_and_several_bands() {
    let dir = Folder::new("sizes");
    for (cols, rows) in [(1, 1), (511, 513), (1031, 517), (2049, 3), (1, 1300)] {
        let bands: Vec<_> = (0..5).map(|i| OutBand::quantity(&format!("index {i}"), "")).collect();
        for (name, bands) in [("u8", bare()), ("f32", bands[..1].to_vec()), ("f32x5", bands)] {
            let picture = Picture { grid: utm_grid(cols, rows), bands };
            let path = dir.file(&format!("{name}_{cols}x{rows}.tif"));
            write(&path, &picture, &CreationOptions::default(), Order::Tiles);
            check(&path, &picture);
        }
    }
}

#[test]
fn large_tiles_and_small_blocks_give_the_same_pixels() {
    let dir = Folder::new("blocks");
    for block in [16, 48, 512, 1024] {
        let picture = Picture { grid: utm_grid(1300, 1100), bands: vec![OutBand::quantity("ndvi", "")] };
        let path = dir.file(&format!("block_{block}.tif"));
        write(&path, &picture, &options(&format!("BLOCKSIZE={block} BIGTIFF=YES")), Order::Tiles);
        check(&path, &picture);
    }
}

#[test]
fn bytes_do_not_depend_on_order_threads_or_tiles() {
    let dir = Folder::new("order");
    let bands: Vec<_> = (0..3).map(|i| OutBand::quantity(&format!("b{i}"), "")).collect();
    let picture = Picture { grid: utm_grid(2600, 2100), bands };
    let o = options("BLOCKSIZE=128");
    let bytes = |name: &str, order| {
        let path = dir.file(name);
        write(&path, &picture, &o, order);
        std::fs::read(path).unwrap()
    };
    let want = bytes("a.tif", Order::Tiles);
    assert!(want == bytes("b.tif", Order::Reversed));
    assert!(want == bytes("c.tif", Order::Threads(4)));
}

#[test]
fn sparse_blocks_read_as_nodata() {
    let dir = Folder::new("sparse");
    // The picture has nodata from column 1536 on.
    for bands in [bare(), vec![OutBand::quantity("a", ""), OutBand::quantity("b", "")]] {
        let picture = Picture { grid: utm_grid(2100, 1100), bands };
        let path = dir.file(&format!("sparse{}.tif", picture.bands.len()));
        write(&path, &picture, &options("SPARSE_OK=TRUE"), Order::Tiles);
        check(&path, &picture);
        assert!(images(&path)[0].absent > 0);
    }
}

#[test]
fn scaled_quantities_are_int16_with_their_scale() {
    let dir = Folder::new("scaled");
    let path = dir.file("scaled.tif");
    let picture = Picture { grid: utm_grid(700, 600), bands: vec![OutBand::quantity("ndvi", "")] };
    write(&path, &picture, &options("SCALE=0.0001"), Order::Tiles);
    let source = regrow::io::open_raster(&path).unwrap();
    let band = &source.bands()[0];
    assert_eq!((band.dtype, band.scale, band.nodata), (Dtype::I16, 1e-4, Some(-32_768.0)));
    let mut raw = [regrow::raster::Raw::default()];
    source.open().unwrap().read(&[0], source.grid().window(), &mut raw).unwrap();
    let regrow::raster::Samples::I16(stored) = &raw[0].samples else { panic!("not int16") };
    for (stored, value) in stored.iter().zip(picture.band(0)) {
        let expected = if value.is_nan() { f64::from(i16::MIN) } else { (value / 1e-4).round_ties_even() };
        assert_eq!(f64::from(*stored), expected);
    }
    // A scale too fine for the values is told, with the place.
    let sink =
        CogSink::create(&dir.file("fine.tif"), &picture.grid, &picture.bands, &options("SCALE=1e-6"), false).unwrap();
    let e = write::encode_first(sink.as_ref(), &picture).err().unwrap();
    assert!(e.kind().exit_code() == 4 && e.to_string().contains("use a larger SCALE"), "{e}");
}

#[test]
fn gdal_reads_pixels_names_units_colours_and_statistics_without_a_warning() {
    if !gdal::installed() {
        return;
    }
    let dir = Folder::new("gdal");
    let mut slope = OutBand::quantity("slope_per_year", "1/a");
    slope.overview = Overview::Average;
    for (name, bands, o) in [
        ("bare", bare(), ""),
        ("five", (0..5).map(|i| OutBand::quantity(&format!("index {i}"), "")).collect(), ""),
        ("u16", integer(Dtype::U16, 0.0), "COMPRESS=DEFLATE"),
        ("f32", vec![slope], "BIGTIFF=YES"),
        ("sparse", bare(), "SPARSE_OK=YES"),
        ("lzw", integer(Dtype::I16, -1.0), "COMPRESS=LZW"),
    ] {
        let picture = Picture { grid: utm_grid(1700, 1100), bands };
        let path = dir.file(&format!("{name}.tif"));
        write(&path, &picture, &options(o), Order::Tiles);
        for b in 0..picture.bands.len() {
            assert_same(&gdal::band(&path, b, picture.bands[b].dtype), &picture.band(b), name);
        }
        let info = gdal::info(&path);
        assert_eq!(info["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"], "COG", "{name}: {info}");
        assert_eq!(info["geoTransform"], serde_json::json!([590_000.0, 10.0, 0.0, 4_880_000.0, 0.0, -10.0]));
        assert!(info["coordinateSystem"]["wkt"].as_str().unwrap().contains("32634"));
        for (b, band) in picture.bands.iter().enumerate() {
            let found = &info["bands"][b];
            assert_eq!(found["description"], band.name.as_str());
            let valid: Vec<_> = picture.band(b).into_iter().filter(|v| !v.is_nan() && *v != band.nodata).collect();
            let mean = valid.iter().sum::<f64>() / valid.len() as f64;
            let stored: f64 = found["metadata"][""]["STATISTICS_MEAN"].as_str().unwrap().parse().unwrap();
            assert!((stored - mean).abs() <= 1e-9 * mean.abs(), "{stored} {mean}");
            let stdev = (valid.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / valid.len() as f64).sqrt();
            let stored: f64 = found["metadata"][""]["STATISTICS_STDDEV"].as_str().unwrap().parse().unwrap();
            assert!((stored - stdev).abs() <= 1e-9 * stdev, "{stored} {stdev}");
        }
        if name == "f32" {
            assert_eq!(info["bands"][0]["unit"], "1/a");
        }
        if name == "bare" {
            assert_eq!(info["bands"][0]["colorInterpretation"], "Palette");
            let entry = &info["bands"][0]["colorTable"]["entries"][1];
            assert_eq!(entry, &serde_json::json!([215, 25, 28, 255]));
            assert_eq!(gdal::categories(&path), ["not bare", "bare"]);
        }
    }
}

#[test]
fn every_reference_system_comes_back() {
    if !gdal::installed() {
        return;
    }
    let dir = Folder::new("crs");
    let systems = [
        "EPSG:4326",
        "EPSG:28992",
        "EPSG:3413",
        "+proj=aea +lat_1=29.5 +lat_2=45.5 +lat_0=23 +lon_0=-96 +x_0=0 +y_0=0 +datum=NAD83 +units=m +no_defs",
        "+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000 +y_0=3210000 +ellps=GRS80 +units=m +no_defs",
        "+proj=lcc +lat_1=49 +lat_2=44 +lat_0=46.5 +lon_0=3 +x_0=700000 +y_0=6600000 +ellps=GRS80 +towgs84=0,0,0,0,0,0,0 +units=m",
        "+proj=lcc +lat_1=46.8 +lat_0=46.8 +lon_0=2.3 +k_0=0.99987742 +x_0=600000 +y_0=2200000 +a=6378249.2 +b=6356515 +units=m",
        "+proj=tmerc +lat_0=0 +lon_0=21 +k=0.9999 +x_0=7500000 +y_0=0 +ellps=bessel +towgs84=577.84843,165.45019,390.43652,4.93131,-0.96052,13.05072,7.86546 +units=m",
        "+proj=utm +zone=34 +ellps=intl +units=m",
        "+proj=stere +lat_0=-90 +lat_ts=-71 +lon_0=0 +x_0=0 +y_0=0 +datum=WGS84 +units=m",
        "+proj=stere +lat_0=90 +lon_0=10 +k=0.994 +x_0=2000000 +y_0=2000000 +datum=WGS84 +units=m",
        "+proj=sterea +lat_0=52.15616055555555 +lon_0=5.38763888888889 +k=0.9999079 +x_0=155000 +y_0=463000 +ellps=bessel +units=m",
        "+proj=merc +lon_0=0 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m",
        "+proj=merc +lat_ts=56 +lon_0=100 +x_0=0 +y_0=0 +datum=WGS84 +units=m",
        "+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m",
        "+proj=aeqd +lat_0=40 +lon_0=116 +x_0=0 +y_0=0 +datum=WGS84 +units=m",
        "+proj=cea +lat_ts=30 +lon_0=0 +x_0=0 +y_0=0 +datum=WGS84 +units=m",
        "+proj=eqc +lat_ts=30 +lat_0=0 +lon_0=0 +x_0=0 +y_0=0 +datum=WGS84 +units=m",
        "+proj=tmerc +lat_0=40 +lon_0=-90 +k=0.9999 +x_0=304800.6096012192 +y_0=0 +datum=NAD83 +units=us-ft",
        "+proj=longlat +ellps=bessel +towgs84=598.1,73.7,418.2,0.202,0.045,-2.455,6.7",
        "local",
    ];
    for (i, system) in systems.iter().enumerate() {
        let crs = Crs::parse(system).unwrap();
        let (origin, size) = if crs.is_geographic() { ((20.0, 45.0), 1e-4) } else { ((500_000.0, 5_000_000.0), 10.0) };
        let grid = Grid::new(4, 3, Affine::north_up(origin.0, origin.1, size, size), Some(crs));
        let picture = Picture { grid, bands: vec![OutBand::quantity("v", "")] };
        let path = dir.file(&format!("crs_{i:02}.tif"));
        write(&path, &picture, &CreationOptions::default(), Order::Tiles);
        if *system == "local" {
            // Not as JSON: there GDAL asks every engineering system for an ellipsoid, and complains.
            let text = gdal::text(&path);
            assert!(text.contains("ENGCRS[\"local\"") && text.contains("\"metre\",1"), "{text}");
            continue;
        }
        let wkt = gdal::info(&path)["coordinateSystem"]["wkt"].as_str().unwrap_or_default().to_owned();
        // The same place must come out at the same longitude and latitude, on either ellipsoid.
        let (a, b) = (gdal::to_geographic(system, origin), gdal::to_geographic(&wkt, origin));
        assert!((a.0 - b.0).abs() < 1e-9 && (a.1 - b.1).abs() < 1e-9, "{system}: {a:?} {b:?} {wkt}");
    }
}

#[test]
fn rotated_and_unplaced_grids_come_back() {
    if !gdal::installed() {
        return;
    }
    let dir = Folder::new("place");
    let g = [500_000.0, 8.0, 2.0, 4_000_000.0, 2.0, -8.0];
    let bands = vec![OutBand::quantity("v", "")];
    let picture = Picture { grid: Grid::new(9, 7, Affine::from_gdal(g), None), bands: bands.clone() };
    let path = dir.file("rotated.tif");
    write(&path, &picture, &CreationOptions::default(), Order::Tiles);
    assert_eq!(gdal::info(&path)["geoTransform"], serde_json::json!(g));

    let picture = Picture { grid: Grid::unplaced(9, 7, "none", None), bands };
    let path = dir.file("unplaced.tif");
    write(&path, &picture, &CreationOptions::default(), Order::Tiles);
    assert_eq!(gdal::info(&path).get("geoTransform"), None);
}

#[test]
fn nothing_stays_of_a_sink_that_is_not_finished() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    let sink = CogSink::create(&path, &utm_grid(9, 9), &bare(), &CreationOptions::default(), false).unwrap();
    drop(sink);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    // A sink that did not get all its tiles must not pass for a finished one.
    let sink = CogSink::create(&path, &utm_grid(9, 9), &bare(), &CreationOptions::default(), false).unwrap();
    assert_eq!(sink.finish().unwrap_err().kind(), Kind::Bug);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn companions_of_an_older_file_do_not_stay() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    let picture = Picture { grid: utm_grid(9, 9), bands: vec![OutBand::quantity("v", "")] };
    std::fs::write(dir.path().join("a.tif.aux.xml"), "<PAMDataset/>").unwrap();
    let o = CreationOptions::default();
    let e = CogSink::create(&path, &picture.grid, &picture.bands, &o, false).err().unwrap();
    assert!(e.kind() == Kind::Usage && e.to_string().contains("--overwrite"), "{e}");
    write::write_over(&path, &picture, &o);
    let names = || {
        let mut v: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        v.sort();
        v
    };
    assert_eq!(names(), ["a.tif"]);
    // A project asks for a style of a quantity too.
    write::write_over(&path, &picture, &CreationOptions { styles: true, ..o });
    assert_eq!(names(), ["a.qml", "a.tif"]);
}

#[test]
fn a_disk_that_is_too_small_stops_before_work() {
    let dir = tempfile::tempdir().unwrap();
    // 2^31 × 2^31 floats are 16 EiB: more than any file system here.
    let grid = utm_grid(i32::MAX as usize, 1 << 28);
    let e = CogSink::create(
        &dir.path().join("a.tif"),
        &grid,
        &[OutBand::quantity("v", "")],
        &options("COMPRESS=NONE BLOCKSIZE=4096"),
        false,
    );
    let e = e.err().unwrap();
    assert!(e.kind() == Kind::Io && e.to_string().contains("free"), "{e}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
