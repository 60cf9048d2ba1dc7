//! Runs that end early or meet each other in one folder.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::{done, regrow};

/// A project of one index over one date, and the path of its file.
fn project(base: &Path) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo");
    let band = |name: &str| data.join(name).display().to_string();
    let text = format!(
        "[project]\nname = \"t\"\noutput = \"out\"\n[[scene]]\nrole = \"after\"\n\
         bands = {{ red = \"{}\", nir = \"{}\", scl = \"{}\" }}\n\
         composite = {{ from = 2020-07-01, to = 2020-07-31 }}\n[products]\nindices = [\"NDVI\"]\n",
        band("red.tif"),
        band("nir.tif"),
        band("scl.tif")
    );
    let path = base.join("p.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// What another run holds while it writes the output `name`.
fn held(folder: &Path, name: &str) -> File {
    let file = File::create(folder.join(format!(".{name}.regrow.lock"))).unwrap();
    file.lock().unwrap();
    file
}

fn names(folder: &Path) -> Vec<String> {
    let mut v: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    v.sort();
    v
}

#[test]
fn a_run_that_ended_early_is_begun_again_without_overwrite() {
    let base = tempfile::tempdir().unwrap();
    let file = project(base.path());
    let arguments = ["run", file.to_str().unwrap(), "--reproducible"];
    done(&arguments);
    let out = base.path().join("out");
    let read = || names(&out).into_iter().map(|n| (std::fs::read(out.join(&n)).unwrap(), n)).collect::<Vec<_>>();
    let whole = read();
    std::fs::remove_dir_all(&out).unwrap();
    std::fs::create_dir(&out).unwrap();
    // The tables come after the rasters: the run ends between them.
    let other = held(&out, "zones.csv");
    assert_eq!(regrow(&arguments).status.code(), Some(8));
    drop(other);
    assert!(out.join("ndvi_after.tif").exists() && !out.join("run.json").exists());
    done(&arguments);
    let again = read();
    assert!(again == whole, "{:?}", names(&out));
}

#[test]
fn a_second_run_in_the_folder_is_told_to_wait_before_it_judges_the_files() {
    let base = tempfile::tempdir().unwrap();
    let file = project(base.path());
    let out = base.path().join("out");
    std::fs::create_dir(&out).unwrap();
    // A run that has written a raster but no run.json yet.
    let _other = held(&out, "run.json");
    std::fs::write(out.join("ndvi_after.tif"), b"x").unwrap();
    let refused = regrow(&["run", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(8), "{}", String::from_utf8_lossy(&refused.stderr));
}
