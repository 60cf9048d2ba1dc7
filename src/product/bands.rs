//! From the bands of scenes to the inputs of index formulas.

use crate::engine::Pass;
use crate::error::{Error, Kind, Result};
use crate::raster::Role;
use crate::scene::{Entered, Scene};
use crate::spectral::sensor::Wavelengths;
use crate::spectral::{Graph, Settings};

/// Resolves band letters and common names of formulas to a scene's bands. `date` keeps scenes apart in one graph.
pub fn lookup(scene: &Scene, date: usize) -> impl Fn(&str) -> Option<String> + '_ {
    move |name| {
        let role = Role::from_description(name).filter(|r| !r.is_categorical())?;
        scene.band(role).ok().map(|b| format!("{date}:{}", b.role))
    }
}

/// An error of a formula, with the file it was asked of and the bands that are there.
pub fn of_scene(scene: &Scene) -> impl Fn(Error) -> Error + '_ {
    move |e| match e.kind() {
        Kind::Input => {
            let listing = if scene.listing.is_empty() { "none".to_owned() } else { scene.listing.join(", ") };
            let broken: Vec<_> = scene.unusable.iter().map(|(role, e)| format!("; {role}: {}", e.message())).collect();
            Error::input(format!("{}: {}; bands there: {listing}{}", scene.name, e.message(), broken.concat()))
        }
        _ => e,
    }
}

/// Adds the bands that a graph reads to a pass and names the channel of each input, in order. With `scale_free`, bands of
/// unknown scale are allowed.
///
/// # Errors
/// Where a band's scale is unknown and matters, or its grid does not nest with the pass grid.
pub fn bind(pass: &mut Pass, scenes: &[&Entered], graph: &Graph, scale_free: bool) -> Result<Vec<String>> {
    let resolve = |input: &String| -> Option<(usize, Role)> {
        let (date, role) = input.split_once(':')?;
        Some((date.parse().ok()?, role.parse().ok()?))
    };
    let mut channels = Vec::with_capacity(graph.inputs().len());
    for input in graph.inputs() {
        let (date, role) = resolve(input).ok_or_else(|| Error::bug(format!("no scene band is called {input}")))?;
        let entered = scenes.get(date).ok_or_else(|| Error::bug(format!("there is no date {date}")))?;
        channels.push(if scale_free { entered.ratio_channel(pass, role)? } else { entered.channel(pass, role)? });
    }
    Ok(channels)
}

/// Settings with the wavelengths of the scene's sensor, where its names tell which it is.
#[must_use]
pub fn settings_for(scene: &Scene, settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    if settings.wavelengths.is_none() {
        let metadata = scene.bands.iter().flat_map(|b| b.source.metadata());
        let names = metadata.map(|(_, value)| value.as_str());
        let file = std::path::Path::new(&scene.name).file_name().and_then(|n| n.to_str()).unwrap_or_default();
        settings.wavelengths = std::iter::once(file).chain(names).find_map(Wavelengths::from_name);
    }
    settings
}
