//! A small scene, a raster without roles and a table of samples, written fresh for every test.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use tiff::encoder::{TiffEncoder, colortype};
use tiff::tags::Tag;

const COLS: usize = 64;
const ROWS: usize = 48;

/// Reflectance of blue, green, red and near infrared at a pixel: vegetation that thins out to the east.
fn reflectance(col: usize, row: usize) -> [f32; 4] {
    let (x, y) = (col as f32 / COLS as f32, row as f32 / ROWS as f32);
    [0.03 + 0.02 * x, 0.05 + 0.03 * x, 0.04 + 0.16 * x, 0.40 - 0.12 * x + 0.05 * y]
}

/// NDVI of the stored 32-bit values, averaged over the scene.
pub(crate) fn mean_ndvi() -> f64 {
    let mut sum = 0.0;
    for row in 0..ROWS {
        for col in 0..COLS {
            let [.., red, nir] = reflectance(col, row).map(f64::from);
            sum += (nir - red) / (nir + red);
        }
    }
    sum / (COLS * ROWS) as f64
}

/// A folder with `scene.tif`, `water.tif` and `soil.csv`.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        scene(&folder.path("scene.tif"), reflectance);
        water(&folder.path("water.tif"));
        let mut soil = File::create(folder.path("soil.csv")).unwrap();
        writeln!(soil, "x,y,cu").unwrap();
        for i in 0..30 {
            let (x, y) = (500_010 + i % 6 * 100, 7_499_600 + i / 6 * 80);
            writeln!(soil, "{x},{y},{}", 20 + (i * 37) % 23).unwrap();
        }
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Files there, without those every test begins with.
    pub(crate) fn made(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.0.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|n| !["scene.tif", "water.tif", "soil.csv"].contains(&n.as_str()))
            .collect();
        names.sort();
        names
    }
}

/// A scene of 64 x 48 pixels of blue, green, red and near infrared.
pub(crate) fn scene(path: &Path, reflectance: impl Fn(usize, usize) -> [f32; 4]) {
    let places = (0..ROWS).flat_map(|r| (0..COLS).map(move |c| (c, r)));
    let pixels: Vec<f32> = places.flat_map(|(c, r)| reflectance(c, r)).collect();
    let mut file = TiffEncoder::new(File::create(path).unwrap()).unwrap();
    let mut image = file.new_image::<colortype::RGBA32Float>(COLS as u32, ROWS as u32).unwrap();
    place(image.encoder());
    let names = ["blue", "green", "red", "nir"].iter().enumerate();
    let items: String = names
        .map(|(i, n)| format!("<Item name=\"DESCRIPTION\" sample=\"{i}\" role=\"description\">{n}</Item>"))
        .collect();
    let metadata = format!("<GDALMetadata>{items}</GDALMetadata>");
    image.encoder().write_tag(Tag::Unknown(42112), metadata.as_str()).unwrap();
    // The fourth sample is data, not alpha.
    image.encoder().write_tag(Tag::ExtraSamples, &[0u16][..]).unwrap();
    image.write_data(&pixels).unwrap();
}

fn water(path: &Path) {
    let pixels: Vec<u16> = (0..ROWS * COLS).map(|i| (i % 900) as u16).collect();
    let mut file = TiffEncoder::new(File::create(path).unwrap()).unwrap();
    let mut image = file.new_image::<colortype::Gray16>(COLS as u32, ROWS as u32).unwrap();
    place(image.encoder());
    image.write_data(&pixels).unwrap();
}

/// UTM zone 55 south, 10 m, upper left corner at 500000 7500000.
fn place<W: Write + std::io::Seek, K: tiff::encoder::TiffKind>(
    directory: &mut tiff::encoder::DirectoryEncoder<'_, W, K>,
) {
    directory.write_tag(Tag::ModelPixelScaleTag, &[10.0, 10.0, 0.0][..]).unwrap();
    directory.write_tag(Tag::ModelTiepointTag, &[0.0, 0.0, 0.0, 500_000.0, 7_500_000.0, 0.0][..]).unwrap();
    let keys = [1u16, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32755];
    directory.write_tag(Tag::GeoKeyDirectoryTag, &keys[..]).unwrap();
}
