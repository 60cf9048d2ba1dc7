//! The demo: bundled real data and the project file that uses them.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::atomic::write_bytes;
use crate::io::lock::is_hidden_file_of;

/// First line of the project file that marks a folder as the demo's own.
const MARK: &str = "# The project file of `regrow demo`.";
const PROJECT: &str = "demo.toml";

macro_rules! bundled {
    ($($target:literal from $file:literal),* $(,)?) => {
        &[$(($target, include_bytes!(concat!("../../fixtures/demo/", $file)))),*]
    };
}

/// Bundled files by their path in the folder of the demo.
const FILES: &[(&str, &[u8])] = bundled![
    "demo.toml" from "demo.toml",
    "data/README.md" from "README.md",
    "data/blue.tif" from "blue.tif",
    "data/green.tif" from "green.tif",
    "data/red.tif" from "red.tif",
    "data/nir.tif" from "nir.tif",
    "data/swir16.tif" from "swir16.tif",
    "data/scl.tif" from "scl.tif",
    "data/parcels.geojson" from "parcels.geojson",
    "data/meuse.csv" from "meuse.csv",
    "data/sampled_area.geojson" from "sampled_area.geojson",
];

/// Writes the bundled files into `folder` and returns the project file. A folder that an earlier demo made is used again.
///
/// # Errors
/// Usage error where the folder holds anything that is not a demo's; I/O errors.
pub fn unpack(folder: &Path) -> Result<PathBuf> {
    let project = folder.join(PROJECT);
    match std::fs::metadata(folder) {
        Ok(m) if !m.is_dir() => {
            return Err(Error::usage(format!("{}: is not a folder; name another with -o", folder.display())));
        }
        Ok(_) => {
            let entries = std::fs::read_dir(folder)
                .map_err(|e| Error::from_io(&format!("reading the folder {}", folder.display()), &e))?;
            let ours = std::fs::read_to_string(&project).is_ok_and(|t| t.starts_with(MARK));
            if !ours && !entries.flatten().all(|e| is_hidden_file_of(&e.file_name(), &project)) {
                return Err(Error::usage(format!(
                    "{}: holds files that no demo made; name an empty or new folder with -o",
                    folder.display()
                )));
            }
        }
        Err(_) => {}
    }
    let make = |path: &Path| {
        std::fs::create_dir_all(path).map_err(|e| Error::from_io(&format!("making the folder {}", path.display()), &e))
    };
    make(folder)?;
    // The project file comes first: it marks the folder as ours, however early the run ends.
    for (name, bytes) in FILES {
        let path = folder.join(name);
        // Files that are right already keep their time stamps.
        if std::fs::read(&path).is_ok_and(|old| old == *bytes) {
            continue;
        }
        path.parent().map_or(Ok(()), make)?;
        write_bytes(&path, bytes, true)?;
    }
    Ok(project)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_folder_is_refused_and_an_own_one_used_again() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("demo");
        let project = unpack(&folder).unwrap();
        assert!(project.exists());
        std::fs::write(folder.join("data/red.tif"), b"damaged").unwrap();
        unpack(&folder).unwrap();
        assert!(std::fs::metadata(folder.join("data/red.tif")).unwrap().len() > 100_000);
        // A run that was killed while it wrote its first file.
        let begun = base.path().join("begun");
        std::fs::create_dir(&begun).unwrap();
        std::fs::write(begun.join(".demo.toml.regrow-7-0.part"), b"#").unwrap();
        std::fs::write(begun.join(".demo.toml.regrow.lock"), b"").unwrap();
        unpack(&begun).unwrap();
        let foreign = base.path().join("mine");
        std::fs::create_dir(&foreign).unwrap();
        std::fs::write(foreign.join("thesis.txt"), b"x").unwrap();
        assert_eq!(unpack(&foreign).unwrap_err().kind().exit_code(), 2);
        assert_eq!(unpack(&foreign.join("thesis.txt")).unwrap_err().kind().exit_code(), 2);
        assert_eq!(std::fs::read_dir(&foreign).unwrap().count(), 1);
    }
}
