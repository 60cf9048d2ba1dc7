//! Opening what a user names: a product as downloaded, a raster with several bands, or one raster a role.

use std::path::Path;
use std::sync::Arc;

use super::Scene;
use super::builder::Builder;
use super::input::Input;
use super::options::SceneOptions;
use super::product;
use crate::error::{Error, Result};
use crate::raster::{Role, Source};

/// Opens one scene: a product as downloaded (folder, archive, STAC item), a raster whose bands tell their roles (or
/// `--bands` does), or named files `red=a.tif nir=b.tif` that form one scene.
///
/// # Errors
/// Usage errors of the inputs and options; input errors of the files, of grids that do not coincide and of encodings that
/// cannot be known.
pub fn open(inputs: &[String], options: &SceneOptions) -> Result<Scene> {
    let parsed: Vec<Input> = inputs.iter().map(|i| Input::parse(i)).collect::<Result<_>>()?;
    if let [Input::Plain(path)] = parsed.as_slice() {
        let mut scenes = open_path(path, options)?;
        return match (scenes.pop(), scenes.len()) {
            (Some(scene), 0) => Ok(scene),
            (_, others) => Err(Error::input(format!(
                "{}: holds {} scenes, and this verb takes one; name the folder of one of them",
                path.display(),
                others + 1
            ))),
        };
    }
    let mut sources = Vec::with_capacity(parsed.len());
    for input in parsed {
        sources.push(match input {
            Input::Plain(path) => (None, crate::io::open_raster(&path)?),
            Input::Named(role, path) => (Some(role), crate::io::open_raster(&path)?),
        });
    }
    from_sources(sources, options)
}

/// What lies at a path.
pub enum Found {
    /// A product as downloaded, or a collection of them.
    Scenes(Vec<Scene>),
    /// A raster, perhaps the only one of an archive.
    Raster(Arc<dyn Source>),
}

/// Opens what a user names without a role: a product, else a raster.
///
/// # Errors
/// As [`open`].
pub fn product_at(input: &Path, options: &SceneOptions) -> Result<Found> {
    let path = super::input::local(input)?;
    let Some(products) = product::read(&path, options)? else {
        return Ok(Found::Raster(crate::io::open_raster(&path)?));
    };
    if let [only] = products.as_slice()
        && let Some(source) = only.plain()
    {
        return Ok(Found::Raster(source));
    }
    let scene = |product| {
        let mut builder = Builder::new(options);
        builder.origin.push(path.clone());
        builder.product(product)?;
        builder.finish()
    };
    products.into_iter().map(scene).collect::<Result<_>>().map(Found::Scenes)
}

/// The scenes of one path: of a raster one, of a folder or a collection perhaps several.
pub(super) fn open_path(path: &Path, options: &SceneOptions) -> Result<Vec<Scene>> {
    match product_at(path, options)? {
        Found::Scenes(scenes) => Ok(scenes),
        Found::Raster(source) => Ok(vec![from_sources(vec![(None, source)], options)?]),
    }
}

/// The scene of sources that are open already: one without a role, or several under their roles.
///
/// # Errors
/// As [`open`].
pub fn from_sources(sources: Vec<(Option<Role>, Arc<dyn Source>)>, options: &SceneOptions) -> Result<Scene> {
    let mut builder = Builder::new(options);
    let several = sources.len() > 1;
    if sources.is_empty() {
        return Err(Error::usage("no scene is given; name a raster, or files by role: red=FILE nir=FILE"));
    }
    for (role, source) in sources {
        match role {
            Some(role) => builder.named(role, source)?,
            None if several => {
                return Err(Error::usage(format!(
                    "{}: several files form one scene only under their roles; write for example red={0} nir=FILE",
                    source.name()
                )));
            }
            None => builder.plain(source)?,
        }
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Affine, Crs, Grid};
    use crate::io::memory::MemorySource;
    use crate::raster::{Band, Dtype, Samples};
    use crate::scene::{Encoding, Quantity};

    fn raster(name: &str, dtype: Dtype, size: f64, bands: &[&str]) -> Arc<dyn Source> {
        let cols = (120.0 / size) as usize;
        let grid =
            Grid::new(cols, cols, Affine::north_up(0.0, 120.0, size, size), Some(Crs::from_epsg(32634).unwrap()));
        let mut source = MemorySource::new(name, grid);
        for band in bands {
            let band = Band { name: (*band).into(), ..Band::new(dtype) };
            source = source.band(band, Samples::zeros(dtype, cols * cols), None).unwrap();
        }
        Arc::new(source)
    }

    fn scene(sources: Vec<(Option<Role>, Arc<dyn Source>)>) -> Result<Scene> {
        from_sources(sources, &SceneOptions::default())
    }

    fn encoding(scene: &Scene, role: Role) -> (f64, f64, Option<f64>, Quantity) {
        let b = scene.band(role).unwrap();
        (b.scale, b.offset, b.nodata, b.quantity)
    }

    #[test]
    fn roles_come_from_descriptions_and_floats_are_reflectance() {
        let s = scene(vec![(None, raster("mine_20190114.tif", Dtype::F32, 10.0, &["blue", "N", "note"]))]).unwrap();
        assert_eq!(encoding(&s, Role::Nir), (1.0, 0.0, None, Quantity::Physical));
        assert_eq!(s.date.as_deref(), Some("2019-01-14"));
        let e = s.band(Role::Red).err().unwrap().to_string();
        assert!(e.contains("--bands red=N") && e.contains("2 \"N\"") && e.contains("blue nir"), "{e}");
    }

    #[test]
    fn landsat_product_has_the_encoding_of_its_collection() {
        let name = "LC08_L2SP_218074_20190114_20200829_02_T1.tif";
        let s = scene(vec![(None, raster(name, Dtype::U16, 30.0, &["SR_B4", "SR_B5"]))]).unwrap();
        assert_eq!(encoding(&s, Role::Red), (2.75e-5, -0.2, Some(0.0), Quantity::Physical));
        // Without the product's name SR_B4 could be red or near infrared.
        let s = scene(vec![(None, raster("x.tif", Dtype::U16, 30.0, &["SR_B4", "SR_B5"]))]).unwrap();
        assert!(s.band(Role::Red).is_err() && s.band(Role::Value).is_err() && s.grid.cols == 4);
        // Under a role it is known, but its offset is not.
        let e = scene(vec![(Some(Role::Red), raster("SR_B4.TIF", Dtype::U16, 30.0, &[""]))]).err().unwrap();
        assert!(e.to_string().contains("--scale 2.75e-5 --offset -0.2"), "{e}");
    }

    #[test]
    fn sentinel_2_of_a_shifted_baseline_needs_its_offset_stated() {
        let file = || vec![(Some(Role::Red), raster("N0400_B04_10m.tif", Dtype::U16, 10.0, &[""]))];
        let e = scene(file()).err().unwrap().to_string();
        assert!(e.contains("--boa-offset apply") && e.contains("04.00"), "{e}");
        let options = SceneOptions { boa_offset: Encoding::Apply, ..SceneOptions::default() };
        let s = from_sources(file(), &options).unwrap();
        assert_eq!(encoding(&s, Role::Red), (1e-4, -0.1, Some(0.0), Quantity::Physical));
        let options = SceneOptions { boa_offset: Encoding::None, ..SceneOptions::default() };
        assert_eq!(encoding(&from_sources(file(), &options).unwrap(), Role::Red).1, 0.0);
        let s = scene(vec![(Some(Role::Red), raster("N0301_B04_10m.tif", Dtype::U16, 10.0, &[""]))]).unwrap();
        assert_eq!(encoding(&s, Role::Red), (1e-4, 0.0, Some(0.0), Quantity::Physical));
    }

    #[test]
    fn integers_of_unknown_scale_feed_ratios_only() {
        let s = scene(vec![(None, raster("stack.tif", Dtype::U16, 10.0, &["B12", "B08", "B8A", "B04"]))]).unwrap();
        assert_eq!(s.band(Role::Nir).unwrap().band, 1);
        assert_eq!(encoding(&s, Role::Red).3, Quantity::Proportional);
        assert!(s.channel(Role::Red, "", &[]).err().unwrap().to_string().contains("--scale"));
        assert!(s.ratio_channel(Role::Red, "", &[]).unwrap().valid.is_none());
        assert!(
            s.warnings.iter().any(|w| w.contains("swir22 nir nir08 red: integers of unknown scale")),
            "{:?}",
            s.warnings
        );
    }

    #[test]
    fn overrides_win_and_contradictions_are_refused() {
        let open = |scale, offset, boa_offset| {
            let options = SceneOptions { scale, offset, boa_offset, ..SceneOptions::default() };
            from_sources(vec![(Some(Role::Red), raster("r.tif", Dtype::U16, 10.0, &[""]))], &options)
        };
        let s = open(Encoding::Number(0.001), Encoding::Number(-0.1), Encoding::Auto).unwrap();
        assert_eq!(encoding(&s, Role::Red), (0.001, -0.1, None, Quantity::Physical));
        assert!(open(Encoding::Auto, Encoding::Number(-0.1), Encoding::Auto).is_err());
        assert!(open(Encoding::Auto, Encoding::Number(-0.1), Encoding::Apply).is_err());
        assert!(open(Encoding::Apply, Encoding::Auto, Encoding::Auto).is_err());
        assert_eq!(encoding(&open(Encoding::None, Encoding::Auto, Encoding::Auto).unwrap(), Role::Red).0, 1.0);
    }

    #[test]
    fn mask_band_of_twenty_metres_masks_ten_metre_bands() {
        let sources = || {
            vec![
                (Some(Role::Scl), raster("scl.tif", Dtype::U8, 20.0, &[""])),
                (Some(Role::Red), raster("red.tif", Dtype::F32, 10.0, &[""])),
            ]
        };
        let s = scene(sources()).unwrap();
        assert_eq!((s.grid.cols, s.masks.len()), (12, 1));
        assert_eq!(s.masks[0].rule, crate::engine::MaskRule::Values(vec![0, 1, 3, 8, 9, 10, 11]));
        assert_eq!(s.masks[0].buffered, crate::engine::MaskRule::Values(vec![3, 8, 9, 10]));
        assert_eq!(s.masks[0].buffer_px, 3);
        let options = |masks: &str| SceneOptions { masks: masks.parse().unwrap(), ..SceneOptions::default() };
        assert!(from_sources(sources(), &options("none")).unwrap().masks.is_empty());
        let named = from_sources(sources(), &options("cloud,2")).unwrap();
        assert_eq!(named.masks[0].rule, crate::engine::MaskRule::Values(vec![0, 2, 8, 9]));
        let e = from_sources(sources(), &options("clouds")).err().unwrap().to_string();
        assert!(e.contains("cloud_high"), "{e}");
    }

    #[test]
    fn band_numbers_and_roles_are_checked() {
        let options = |bands: &str| SceneOptions { bands: Some(bands.parse().unwrap()), ..SceneOptions::default() };
        let open = |bands: &str| {
            from_sources(vec![(None, raster("r.tif", Dtype::F32, 10.0, &["red", "red"]))], &options(bands))
        };
        assert_eq!(open("nir=2").unwrap().band(Role::Nir).unwrap().band, 1);
        assert!(open("nir=9").err().unwrap().to_string().contains("2 bands"));
        let twice = scene(vec![(None, raster("r.tif", Dtype::F32, 10.0, &["red", "red"]))]).err().unwrap();
        assert!(twice.to_string().contains("twice"), "{twice}");
    }

    #[test]
    fn assumed_crs_is_for_files_that_state_none() {
        let grid = Grid::new(2, 2, Affine::north_up(0.0, 20.0, 10.0, 10.0), None);
        let bare: Arc<dyn Source> = Arc::new(
            MemorySource::new("bare.tif", grid).band(Band::new(Dtype::F32), Samples::F32(vec![0.0; 4]), None).unwrap(),
        );
        let options = SceneOptions { assume_crs: Some(Crs::from_epsg(32635).unwrap()), ..SceneOptions::default() };
        let s = from_sources(vec![(Some(Role::Red), bare)], &options).unwrap();
        assert_eq!(s.grid.crs().unwrap().epsg, Some(32635));
        assert_eq!(s.grid, s.bands[0].source.grid().clone());
        let placed = from_sources(vec![(Some(Role::Red), raster("r.tif", Dtype::F32, 10.0, &[""]))], &options).unwrap();
        assert_eq!(placed.grid.crs().unwrap().epsg, Some(32634));
        assert!(placed.warnings[0].contains("--assume-crs"));
    }
}
