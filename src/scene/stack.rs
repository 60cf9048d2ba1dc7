//! Several acquisitions: a scene each, or one raster a role whose bands are dates.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::builder::Builder;
use super::input::Input;
use super::open::open_path;
use super::options::SceneOptions;
use super::{Scene, date, told};
use crate::error::{Error, Result};
use crate::raster::{Role, Source};

/// Opens acquisitions in order of time: plain inputs are a scene each; inputs under roles (`nir=b8.tif scl=scl.tif`) are
/// stacks whose bands are dates, told by band descriptions, else by `--dates`.
///
/// Dates that not every role has are left out, and a warning of the first scene counts them.
///
/// # Errors
/// As [`super::open`]; input error where a scene or band has no date.
pub fn open_stack(inputs: &[String], options: &SceneOptions) -> Result<Vec<Scene>> {
    let parsed: Vec<Input> = inputs.iter().map(|i| Input::parse(i)).collect::<Result<_>>()?;
    let named: Vec<_> = parsed
        .iter()
        .filter_map(|i| match i {
            Input::Named(role, path) => Some((*role, path.as_path())),
            Input::Plain(_) => None,
        })
        .collect();
    let mut scenes = if named.len() == parsed.len() && !named.is_empty() {
        by_band(&named, options)?
    } else if named.is_empty() {
        let paths = parsed.iter().filter_map(|i| if let Input::Plain(path) = i { Some(path.as_path()) } else { None });
        by_path(paths, options)?
    } else {
        return Err(Error::usage("inputs mix scenes and files under roles; give either scenes or ROLE=FILE stacks"));
    };
    once(&mut scenes);
    // Stable: acquisitions of one day stay in the order given.
    scenes.sort_by(|a, b| a.date.cmp(&b.date));
    Ok(scenes)
}

/// What was acquired, and how new its processing is: by the names of Sentinel-2 and Landsat products.
fn acquisition(name: &str) -> Option<(String, String)> {
    let words: Vec<&str> = name.split('_').collect();
    match words.as_slice() {
        [mission, level, taken, baseline, _, tile, made] if level.starts_with("MSIL") => {
            Some((format!("{mission} {level} {taken} {tile}"), format!("{baseline} {made}")))
        }
        [sensor, level, place, taken, made, collection, _] if level.starts_with("L2S") => {
            Some((format!("{sensor} {place} {taken}"), format!("{collection} {made}")))
        }
        _ => None,
    }
}

/// Of an acquisition that was processed several times only the newest processing stays, so that no date counts twice.
fn once(scenes: &mut Vec<Scene>) {
    let mut newest: BTreeMap<String, (String, String)> = BTreeMap::new();
    for scene in scenes.iter() {
        if let Some((taken, made)) = acquisition(&scene.name) {
            let kept = newest.entry(taken).or_insert_with(|| (made.clone(), scene.name.clone()));
            if made > kept.0 {
                *kept = (made, scene.name.clone());
            }
        }
    }
    let mut dropped = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    scenes.retain(|scene| {
        let kept = acquisition(&scene.name).and_then(|(taken, _)| newest.get(&taken));
        let stays = kept.is_none_or(|(_, name)| *name == scene.name && seen.insert(name.clone()));
        if !stays {
            dropped.push(scene.name.clone());
        }
        stays
    });
    if let (Some(first), false) = (scenes.first_mut(), dropped.is_empty()) {
        first.warnings.push(format!(
            "{} scenes are acquisitions that are there in a newer processing, and are left out: {}",
            dropped.len(),
            dropped.join(" ")
        ));
    }
}

fn by_path<'a>(paths: impl Iterator<Item = &'a Path>, options: &SceneOptions) -> Result<Vec<Scene>> {
    let mut scenes = Vec::new();
    for path in paths {
        scenes.extend(open_path(path, options)?);
    }
    if let Some(list) = &options.dates {
        let dates = date::read_list(list)?;
        if dates.len() != scenes.len() {
            return Err(Error::input(format!(
                "--dates has {} dates for {} scenes; write a line each",
                dates.len(),
                scenes.len()
            )));
        }
        scenes.iter_mut().zip(dates).for_each(|(scene, date)| scene.date = Some(date));
    }
    for scene in &scenes {
        if scene.date.is_none() {
            return Err(Error::input(format!(
                "{}: has no date in metadata or name (YYYYMMDD, YYYY-MM-DD, YYYYDDD); give --dates FILE, a line a scene",
                scene.name
            )));
        }
    }
    Ok(scenes)
}

fn by_band(named: &[(Role, &Path)], options: &SceneOptions) -> Result<Vec<Scene>> {
    let mut opened = Vec::with_capacity(named.len());
    let mut warnings = Vec::new();
    for (i, (role, path)) in named.iter().enumerate() {
        if *role == Role::Udm2 {
            return Err(Error::usage(format!(
                "{}: the bands of udm2 are classes, so that they cannot be dates; give a scene a date, or mask=FILE",
                path.display()
            )));
        }
        if named[..i].iter().any(|(r, _)| r == role) {
            return Err(Error::usage(format!("role {role} is given twice; name one stack for each role")));
        }
        let mut builder = Builder::new(options);
        let source = builder.admit(crate::io::open_raster(path)?);
        warnings.extend(builder.into_warnings());
        let dates = band_dates(&source, options)?;
        opened.push((*role, source, dates));
    }
    let every: std::collections::BTreeSet<&Key> = opened.iter().flat_map(|(.., dates)| dates.keys()).collect();
    let common: Vec<&Key> =
        every.iter().copied().filter(|k| opened.iter().all(|(.., dates)| dates.contains_key(*k))).collect();
    if common.is_empty() {
        return Err(Error::input(format!("{}: no date is common to all roles", opened[0].1.name())));
    }
    if common.len() < every.len() {
        let missing = every.len() - common.len();
        warnings.push(format!("{missing} of {} dates are not in every role and are left out", every.len()));
    }
    let mut scenes = Vec::with_capacity(common.len());
    for key in common {
        let mut builder = Builder::new(options);
        for (role, source, dates) in &opened {
            builder.pick(*role, source, dates[key], told::sensor(source, &options.sensors))?;
        }
        // Under the name of the file, so that what is said of all dates is said once.
        let name = opened[0].1.name();
        let mut scene = builder.dated(name.to_owned(), key.0.clone()).finish()?;
        scene.name = format!("{name} of {}", key.0);
        // Once for the stack, not once a date.
        scene.warnings = std::mem::take(&mut warnings).into_iter().chain(scene.warnings).collect();
        scenes.push(scene);
    }
    Ok(scenes)
}

/// Date, and the count of earlier bands of the same date: one day may hold two acquisitions.
type Key = (String, usize);

fn band_dates(source: &Arc<dyn Source>, options: &SceneOptions) -> Result<BTreeMap<Key, usize>> {
    let bands = source.bands();
    let dates: Vec<String> = match &options.dates {
        Some(list) => {
            let dates = date::read_list(list)?;
            if dates.len() != bands.len() {
                return Err(Error::input(format!(
                    "{}: has {} bands, and --dates {} has {} dates; write a line a band",
                    source.name(),
                    bands.len(),
                    list.display(),
                    dates.len()
                )));
            }
            dates
        }
        None => bands
            .iter()
            .enumerate()
            .map(|(i, b)| {
                b.date.clone().or_else(|| date::in_text(&b.name)).ok_or_else(|| {
                    Error::input(format!(
                        "{}: band {} has no date (description {:?}); give --dates FILE, a line a band",
                        source.name(),
                        i + 1,
                        b.name
                    ))
                })
            })
            .collect::<Result<_>>()?,
    };
    let mut keyed = BTreeMap::new();
    for (i, date) in dates.iter().enumerate() {
        let earlier = dates[..i].iter().filter(|d| *d == date).count();
        keyed.insert((date.clone(), earlier), i);
    }
    Ok(keyed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_name_their_acquisition() {
        let of = |name: &str| acquisition(name).unwrap();
        let (old, new) = (
            of("S2A_MSIL2A_20200807T102031_N0214_R065_T32TMT_20200807T130000"),
            of("S2A_MSIL2A_20200807T102031_N0500_R065_T32TMT_20230302T130000"),
        );
        assert!(old.0 == new.0 && old.1 < new.1);
        assert_ne!(old.0, of("S2A_MSIL2A_20200807T102031_N0214_R065_T32TMS_20200807T130000").0);
        let landsat = of("LC08_L2SP_218074_20190114_20200829_02_T1");
        assert_eq!(landsat.0, "LC08 218074 20190114");
        assert_eq!(acquisition("scene_20190114.tif"), None);
    }
}
