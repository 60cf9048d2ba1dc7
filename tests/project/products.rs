//! Projects over scenes as downloaded.

use std::path::Path;

use super::{done, json};

/// Folders were hashed as if they were files, after everything else was done.
#[test]
fn a_project_over_product_folders_names_the_files_of_their_bands() {
    let base = tempfile::tempdir().unwrap();
    let scenes = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenes");
    let old = scenes.join("S2A_MSIL2A_20240715T092031_N0214_R093_T34TEQ_20240715T130000.SAFE");
    let item = scenes.join("stac11/item.json");
    let text = format!(
        "[project]\nname = \"t\"\noutput = \"out\"\n[[scene]]\npath = \"{}\"\nrole = \"before\"\n\
         [[scene]]\npath = \"{}\"\nrole = \"after\"\n[products]\nindices = [\"NDVI\"]\nchange = {{ index = \"NDVI\" }}\n",
        old.display(),
        item.display()
    );
    let file = base.path().join("p.toml");
    std::fs::write(&file, text).unwrap();
    done(&["run", file.to_str().unwrap(), "--reproducible"]);
    let run = json(&base.path().join("out/run.json"));
    let inputs: Vec<&str> = run["inputs"].as_array().unwrap().iter().map(|i| i["path"].as_str().unwrap()).collect();
    for end in ["B04_10m.jp2", "SCL_20m.jp2", "stac11/item.json", "stac11/nir.tif", "p.toml"] {
        assert!(inputs.iter().any(|i| i.ends_with(end)), "{end}: {inputs:?}");
    }
    // The same pixels by two encodings.
    let sidecar = json(&base.path().join("out/change_ndvi.tif.json"));
    let mean = sidecar["properties"]["regrow:figures"]["NDVI_difference_mean"].as_f64().unwrap();
    assert!(mean.abs() < 1e-15, "{mean}");
}
