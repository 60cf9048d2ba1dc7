//! The files tasks read: two dates of a scene as one file a band, parcels that tile it, samples, and a project.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::recipe::{BANDS, Date, Row, STORED_PER_REFLECTANCE, unit};
use crate::engine::{Analysis, Cancel, Limits, OutBand, Output, Pass, Progress, Spec, TileIn, TileOut};
use crate::error::{Error, Result};
use crate::grid::{Affine, Crs, Grid};
use crate::io::atomic::write_bytes;
use crate::io::geotiff::{Codec, CogSink, CreationOptions, Predictor};
use crate::io::vector;
use crate::raster::{Dtype, OutPlane};
use crate::vector::{Feature, Geometry, Layer, Polygon, Value};

/// Edge of a pixel in metres.
pub const PIXEL_M: f64 = 10.0;
/// Upper left corner of the scene in UTM zone 34 north.
pub const CORNER: (f64, f64) = (500_000.0, 4_900_000.0);
/// Parcels across and down.
const PARCELS: (u32, u32) = (40, 25);
/// Pieces of a side of a parcel.
const PIECES: u32 = 4;
const SAMPLES: u32 = 2000;
/// Bands of the second date: what NDVI and BSI read.
const AFTER: [usize; 4] = [0, 2, 3, 4];

/// Inputs in a folder.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The folder.
    pub folder: PathBuf,
    /// Columns and rows of the scene.
    pub size: usize,
}

impl Inputs {
    /// The file of a band of the first date.
    #[must_use]
    pub fn band(&self, role: &str) -> PathBuf {
        self.folder.join(format!("before_{role}.tif"))
    }
    /// The file of a band of the second date.
    #[must_use]
    pub fn band_after(&self, role: &str) -> PathBuf {
        self.folder.join(format!("after_{role}.tif"))
    }
    /// 1,000 parcels.
    #[must_use]
    pub fn parcels(&self) -> PathBuf {
        self.folder.join("parcels.gpkg")
    }
    /// Samples of a metal.
    #[must_use]
    pub fn samples(&self) -> PathBuf {
        self.folder.join("samples.csv")
    }
    /// Bounds of the scene in metres: west, south, east, north.
    #[must_use]
    pub fn bounds(&self) -> [f64; 4] {
        let edge = self.size as f64 * PIXEL_M;
        [CORNER.0, CORNER.1 - edge, CORNER.0 + edge, CORNER.1]
    }

    fn crs() -> Result<Crs> {
        Crs::from_epsg(32_634)
    }

    /// Writes all of them: 16-bit bands in blocks of 512, deflate with horizontal differences, without overviews.
    ///
    /// # Errors
    /// Those of writing, and a stop by signal.
    pub fn write(&self, limits: &Limits, progress: &dyn Progress, cancel: &Cancel) -> Result<()> {
        let all: Vec<usize> = (0..BANDS.len()).collect();
        for (date, bands) in [(Date::Before, all), (Date::After, AFTER.to_vec())] {
            self.date(date, &bands)?.run(limits, progress, cancel)?;
        }
        vector::write(&self.parcels(), &self.parcel_layer()?, false)?;
        write_bytes(&self.samples(), self.sample_table().as_bytes(), false)
    }

    /// A pass that writes the bands of a date.
    fn date(&self, date: Date, bands: &[usize]) -> Result<Pass> {
        let affine = Affine::north_up(CORNER.0, CORNER.1, PIXEL_M, PIXEL_M);
        let grid = Grid::new(self.size, self.size, affine, Some(Self::crs()?));
        let mut pass = Pass::new("inputs", grid);
        let scene = Scene { date, bands: bands.to_vec() };
        let writes = Analysis::spec(&scene).writes;
        let options = CreationOptions {
            codec: Codec::Deflate,
            predictor: Predictor::Horizontal,
            overviews: false,
            ..CreationOptions::default()
        };
        let mut outputs = Vec::new();
        for (plane, (&band, out)) in bands.iter().zip(&writes).enumerate() {
            let path = if date == Date::Before { self.band(BANDS[band]) } else { self.band_after(BANDS[band]) };
            let sink = CogSink::create(&path, pass.grid(), std::slice::from_ref(out), &options, false)?;
            outputs.push(Output { sink, planes: vec![plane] });
        }
        pass.add(scene, outputs)?;
        Ok(pass)
    }

    /// Parcels whose sides are broken lines they share, so that every pixel belongs to some.
    fn parcel_layer(&self) -> Result<Layer> {
        let [west, south, east, north] = self.bounds();
        let fine = (PARCELS.0 * PIECES, PARCELS.1 * PIECES);
        let corner = |i: u32, j: u32| {
            // Less than half a piece, so that no two sides cross; the border stays straight.
            let push = |at: u32, last: u32, seed: u32| {
                if at == 0 || at == last { 0.0 } else { 0.8 * (unit(i, j, seed) - 0.5) }
            };
            let x = (f64::from(i) + push(i, fine.0, 77)) / f64::from(fine.0);
            let y = (f64::from(j) + push(j, fine.1, 78)) / f64::from(fine.1);
            (west + x * (east - west), north - y * (north - south))
        };
        let mut features = Vec::new();
        for row in 0..PARCELS.1 {
            for col in 0..PARCELS.0 {
                let (left, top) = (col * PIECES, row * PIECES);
                let (right, bottom) = (left + PIECES, top + PIECES);
                let mut ring: Vec<(f64, f64)> = (left..right).map(|i| corner(i, top)).collect();
                ring.extend((top..bottom).map(|j| corner(right, j)));
                ring.extend((left + 1..=right).rev().map(|i| corner(i, bottom)));
                ring.extend((top + 1..=bottom).rev().map(|j| corner(left, j)));
                ring.push(ring[0]);
                features.push(Feature {
                    geometry: Geometry::Polygons(vec![Polygon { rings: vec![ring] }]),
                    values: vec![Value::Text(format!("P{:04}", row * PARCELS.0 + col + 1))],
                });
            }
        }
        let (crs, columns) = (Some(Self::crs()?), vec!["parcel_id".to_owned()]);
        Ok(Layer { name: "parcels".into(), crs, columns, features, warnings: Vec::new() })
    }

    fn sample_table(&self) -> String {
        let [west, south, east, north] = self.bounds();
        let mut text = String::from("x,y,zn_mg_kg\n");
        for i in 0..SAMPLES {
            let (u, v, noise) = (unit(i, 0, 91), unit(i, 0, 92), unit(i, 0, 93));
            let hill = (u * 9.0).sin() * (v * 7.0).cos();
            let (x, y) = (west + u * (east - west), south + v * (north - south));
            let _ = writeln!(text, "{x:.2},{y:.2},{:.2}", 200.0 + 120.0 * hill + 40.0 * (noise - 0.5));
        }
        text
    }

    /// A project file that asks for NDVI and BSI of both dates, cover, bare land and change, with figures of all parcels,
    /// into `output` beside it.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write_project(&self, path: &Path, output: &str) -> Result<()> {
        let scale = 1.0 / STORED_PER_REFLECTANCE;
        let mut text = format!("[project]\nname = \"bench\"\noutput = {output:?}\n");
        let _ = writeln!(text, "zones = {{ path = {}, id = \"parcel_id\" }}", quoted(&self.parcels())?);
        for (role, date) in [("before", "2018-07-12"), ("after", "2024-07-15")] {
            let _ = writeln!(text, "\n[[scene]]\nrole = \"{role}\"\ndate = {date}\nscale = {scale}");
            let mut bands = Vec::new();
            for name in AFTER.map(|b| BANDS[b]) {
                let file = if role == "before" { self.band(name) } else { self.band_after(name) };
                bands.push(format!("{name} = {}", quoted(&file)?));
            }
            let _ = writeln!(text, "bands = {{ {} }}", bands.join(", "));
        }
        text += "\n[products]\nindices = [\"NDVI\", \"BSI\"]\ncover = { soil = 0.15, vegetation = 0.85 }\n";
        text += "bare = { method = \"fixed\" }\nchange = { index = \"NDVI\" }\n";
        write_bytes(path, text.as_bytes(), false)
    }
}

/// A path as TOML takes it.
fn quoted(path: &Path) -> Result<String> {
    let text = path.to_str().ok_or_else(|| {
        Error::input(format!("{}: the folder of temporary files is not UTF-8; set TMPDIR to another", path.display()))
    })?;
    Ok(serde_json::Value::from(text).to_string())
}

/// The recipe as an analysis that reads nothing.
struct Scene {
    date: Date,
    bands: Vec<usize>,
}

impl Analysis for Scene {
    type Partial = ();

    fn spec(&self) -> Spec {
        let band = |b: &usize| OutBand { dtype: Dtype::U16, ..OutBand::quantity(BANDS[*b], "") };
        Spec {
            name: "synthetic scene".into(),
            writes: self.bands.iter().map(band).collect(),
            scratch_fixed: 1 << 20,
            ..Spec::default()
        }
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        let (cols, top, left) = (input.cols(), input.window.row as usize, input.window.col as usize);
        let mut fields = Row::default();
        for row in 0..input.rows() {
            fields.place(self.date, top + row, left, cols);
            for (plane, band) in out.planes.iter_mut().zip(&self.bands) {
                let OutPlane::U16(pixels) = plane else { return Err(Error::bug("a band of the scene is not uint16")) };
                let pixels = &mut pixels[row * cols..(row + 1) * cols];
                fields.stored(*band, self.date, top + row, left, pixels);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parcels_tile_the_scene() {
        let inputs = Inputs { folder: PathBuf::new(), size: 500 };
        let layer = inputs.parcel_layer().unwrap();
        assert_eq!(layer.features.len(), 1000);
        let area: f64 = layer
            .features
            .iter()
            .map(|f| match &f.geometry {
                Geometry::Polygons(p) => p[0].planar_area(),
                _ => 0.0,
            })
            .sum();
        // Shared sides cancel; only rounding of coordinates of millions of metres is left.
        assert!((area - 25e6).abs() < 1.0, "{area}");
    }
}
