//! What GDAL says about a dataset, as bands and a grid.

use gdal::spatial_ref::SpatialRef;
use gdal::{Dataset, Metadata};

use super::reason;
use crate::error::{Error, Result};
use crate::grid::{Affine, Crs, Grid};
use crate::raster::{Band, BlockLayout, Class, Dtype, Role};

/// The bands of a dataset.
///
/// # Errors
/// No bands (subdatasets are named), or a type that is not supported.
pub(super) fn bands(dataset: &Dataset, name: &str) -> Result<Vec<Band>> {
    if dataset.raster_count() == 0 {
        let parts = dataset.metadata_domain("SUBDATASETS").unwrap_or_default();
        let parts: Vec<_> = parts.iter().filter_map(|p| p.split_once("_NAME=").map(|(_, n)| n)).take(5).collect();
        return Err(Error::input(format!(
            "{name}: the file holds no bands itself{}{}; convert the one you need: gdal_translate SUBDATASET OUT.tif",
            if parts.is_empty() { "" } else { ", only subdatasets: " },
            parts.join(", ")
        )));
    }
    (1..=dataset.raster_count())
        .map(|i| {
            let raster =
                dataset.rasterband(i).map_err(|e| Error::input(format!("{name}: band {i}: {}", reason(&e))))?;
            let signed = raster.metadata_item("PIXELTYPE", "IMAGE_STRUCTURE").as_deref() == Some("SIGNEDBYTE");
            let dtype = dtype(&raster.band_type().name(), signed).ok_or_else(|| {
                let found = raster.band_type().name();
                Error::input(format!("{name}: band {i}: samples of type {found} are not supported through GDAL"))
            })?;
            let mut band = Band::new(dtype);
            band.nodata = raster.no_data_value().and_then(|v| nodata(v, dtype));
            band.name =
                raster.metadata_item("DESCRIPTION", "").unwrap_or_else(|| raster.description().unwrap_or_default());
            band.role = Role::from_description(&band.name);
            band.unit = raster.unit();
            if let Some(scale) = raster.scale().filter(|s| s.is_finite() && *s != 0.0 && *s != 1.0) {
                (band.scale, band.scaled_by_file) = (scale, true);
            }
            if let Some(offset) = raster.offset().filter(|o| o.is_finite() && *o != 0.0) {
                (band.offset, band.scaled_by_file) = (offset, true);
            }
            if let (Some(table), Dtype::U8) = (raster.color_table(), dtype) {
                let rgb = |i: usize| table.entry_as_rgb(i).map(|c| [c.r as u8, c.g as u8, c.b as u8]);
                let entries = 0..table.entry_count().min(256);
                band.classes = entries.filter_map(|i| Some(Class::new(i as u8, "", rgb(i)?))).collect();
            }
            Ok(band)
        })
        .collect()
}

fn dtype(name: &str, signed: bool) -> Option<Dtype> {
    Some(match name {
        "Byte" if signed => Dtype::I8,
        "Byte" => Dtype::U8,
        "Int8" => Dtype::I8,
        "UInt16" => Dtype::U16,
        "Int16" => Dtype::I16,
        "UInt32" => Dtype::U32,
        "Int32" => Dtype::I32,
        "Float32" => Dtype::F32,
        "Float64" => Dtype::F64,
        _ => return None,
    })
}

/// Nodata in the band's own value space; nothing where the type cannot hold it.
fn nodata(value: f64, dtype: Dtype) -> Option<f64> {
    match dtype {
        Dtype::F32 => Some(f64::from(value as f32)),
        Dtype::F64 => Some(value),
        _ => (value.fract() == 0.0 && (dtype.range().0..=dtype.range().1).contains(&value)).then_some(value),
    }
}

/// Shape and place of a dataset.
pub(super) fn grid(dataset: &Dataset, warnings: &mut Vec<String>) -> Grid {
    let (cols, rows) = dataset.raster_size();
    let crs = match dataset.spatial_ref() {
        Ok(srs) => crs(&srs).unwrap_or_else(|why| {
            warnings.push(format!("coordinate reference system unknown: {why}"));
            None
        }),
        Err(_) => None,
    };
    match dataset.geo_transform() {
        Ok(g) => Grid::new(cols, rows, Affine::from_gdal(g), crs),
        Err(_) => Grid::unplaced(cols, rows, "the file holds no georeference", crs),
    }
}

fn crs(srs: &SpatialRef) -> std::result::Result<Option<Crs>, String> {
    let message = |e: Error| e.message().to_owned();
    let code = srs.authority().ok().and_then(|a| a.strip_prefix("EPSG:").and_then(|c| c.parse::<u16>().ok()));
    if let Some(code) = code {
        return Crs::from_epsg(code).map(Some).map_err(message);
    }
    let wkt = srs.to_wkt().map_err(|e| reason(&e))?;
    if wkt.is_empty() {
        return Ok(None);
    }
    Crs::from_wkt(&wkt).map(Some).map_err(message)
}

/// Block size of the first band; formats with several bands in a block are read band after band from GDAL's cache.
pub(super) fn layout(dataset: &Dataset) -> BlockLayout {
    let (cols, rows) = dataset.raster_size();
    let (block_cols, block_rows) = dataset.rasterband(1).map_or((cols, 1), |b| b.block_size());
    let pixel = dataset.metadata_item("INTERLEAVE", "IMAGE_STRUCTURE").as_deref() == Some("PIXEL");
    BlockLayout { cols: block_cols.clamp(1, cols), rows: block_rows.clamp(1, rows), interleaved: pixel }
}

/// Metadata of the default domain.
pub(super) fn metadata(dataset: &Dataset) -> Vec<(String, String)> {
    let items = dataset.metadata_domain("").unwrap_or_default();
    items.iter().filter_map(|i| i.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()))).collect()
}
