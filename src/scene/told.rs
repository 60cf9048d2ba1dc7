//! What a raster tells of itself before anything is asked of it: for `info`.

use std::path::Path;
use std::sync::Arc;

use super::options::SceneOptions;
use super::sensor::{Sensor, Sensors};
use super::{date, encoding};
use crate::raster::{Role, Source};

/// Product, date, roles and encodings of a raster, with the rules by which a scene is opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// Product family (`Landsat Collection 2 level 2`).
    pub product: Option<String>,
    /// Acquisition date `YYYY-MM-DD`.
    pub date: Option<String>,
    /// Role of each band.
    pub roles: Vec<Option<Role>>,
    /// How the stored values of each band with a role would be taken, or why they cannot be.
    pub encodings: Vec<Option<String>>,
}

/// Asks a raster.
#[must_use]
pub fn told(source: &Arc<dyn Source>) -> Told {
    let sensor = sensor(source, &Sensors::default());
    let roles = roles(source, sensor.as_ref());
    let encodings = roles
        .iter()
        .enumerate()
        .map(|(i, role)| {
            let resolved = encoding::resolve(source, i, (*role)?, sensor.as_ref(), None, &SceneOptions::default());
            Some(resolved.map_or_else(|e| e.to_string(), |r| r.decision))
        })
        .collect();
    Told { product: sensor.as_ref().map(Sensor::name), date: taken(source), roles, encodings }
}

/// The sensor that metadata, the file's name, a folder above it or the names of its bands tell.
pub(super) fn sensor(source: &Arc<dyn Source>, sensors: &Sensors) -> Option<Sensor> {
    let stated = source.metadata().iter().find_map(|(_, value)| sensors.in_text(value));
    let names = || Path::new(source.name()).components().rev().map(|c| c.as_os_str().to_string_lossy().into_owned());
    let bands = || sensors.in_names(source.bands().iter().map(|b| b.name.as_str()));
    stated.or_else(|| names().find_map(|name| sensors.in_text(&name))).or_else(bands)
}

/// Roles by description, else by the sensor's band names.
pub(super) fn roles(source: &Arc<dyn Source>, sensor: Option<&Sensor>) -> Vec<Option<Role>> {
    let bands = source.bands();
    let named: Vec<Option<Role>> = bands
        .iter()
        .map(|b| b.role.or_else(|| Role::from_description(&b.name)).or_else(|| sensor.and_then(|s| s.role(&b.name))))
        .collect();
    // A product that numbers its bands: only where none is named, and there are as many as it has.
    match sensor {
        Some(s) if named.iter().all(Option::is_none) && s.order.len() == bands.len() => {
            s.order.iter().map(|r| Some(r.0)).collect()
        }
        _ => named,
    }
}

/// The date that metadata, the file's name or its only dated bands tell.
pub(super) fn taken(source: &Arc<dyn Source>) -> Option<String> {
    let file = Path::new(source.name()).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    date::from_metadata(source.metadata()).or_else(|| date::in_text(&file))
}
