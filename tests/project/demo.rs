//! The demo end to end, and what a second run, other threads and foreign files make of it.

use std::path::Path;

use serde_json::Value;

use super::{done, json, regrow};

/// Figures to six significant digits: the last ones depend on the machine's mathematics library.
fn rounded(value: &mut Value) {
    match value {
        Value::Number(n) if n.is_f64() => {
            let v = n.as_f64().unwrap();
            let digits: f64 = format!("{v:.5e}").parse().unwrap();
            *value = serde_json::json!(digits);
        }
        Value::Array(items) => items.iter_mut().for_each(rounded),
        Value::Object(map) => {
            // Long lists for plots; their figures are elsewhere in the document.
            map.retain(|key, _| !["points", "curve", "outlines", "bytes"].contains(&key.as_str()));
            map.values_mut().for_each(rounded);
        }
        _ => {}
    }
}

fn demo(folder: &Path, threads: &str) -> String {
    done(&["demo", "-o", folder.to_str().unwrap(), "--reproducible", "--threads", threads])
}

#[test]
fn demo_makes_the_whole_job_and_its_figures_do_not_move() {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join("demo");
    let stdout = demo(&folder, "2");
    let report = folder.join("report.html");
    assert_eq!(stdout.lines().last().unwrap(), report.to_str().unwrap());
    for file in [
        "summary.json",
        "catalog.json",
        "run.json",
        "zones.csv",
        "ndvi_before.tif",
        "bare_after.gpkg",
        "ndvi_before.tif.json",
        "ndvi_before.qml",
        "bare_after.qml",
        "soil_zinc_mg_kg.qml",
    ] {
        assert!(folder.join(file).exists(), "{file}");
    }
    let html = std::fs::read_to_string(&report).unwrap();
    assert!(html.contains("modified Copernicus Sentinel data") && html.contains("no mine is on them"));
    assert!(!html.contains("http") && !html.contains(base.path().to_str().unwrap()));

    // Catalogue: every link leads somewhere.
    for link in json(&folder.join("catalog.json"))["links"].as_array().unwrap() {
        let href = link["href"].as_str().unwrap();
        assert!(folder.join(href).exists(), "{href}");
    }

    let mut summary = json(&folder.join("summary.json"));
    rounded(&mut summary);
    let text = format!("{summary:#}\n");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/expected/demo_summary.json");
    if std::env::var_os("REGROW_BLESS").is_some() {
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        std::fs::write(&golden, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    let first = text.lines().zip(expected.lines()).position(|(a, b)| a != b);
    assert!(
        text == expected,
        "summary.json differs from {} at line {:?}; if that is meant, run the test with REGROW_BLESS=1",
        golden.display(),
        first.map(|l| l + 1)
    );

    // The same bytes with other threads, over the files of the first run.
    let kept: Vec<_> = ["summary.json", "ndvi_after.tif", "soil_zinc_mg_kg.tif", "report.html", "run.json"]
        .map(|f| (f, std::fs::read(folder.join(f)).unwrap()))
        .into();
    demo(&folder, "1");
    for (file, bytes) in kept {
        assert!(std::fs::read(folder.join(file)).unwrap() == bytes, "{file} depends on threads or on an earlier run");
    }

    // The report comes back from what is in the folder.
    let before = std::fs::read(&report).unwrap();
    std::fs::remove_file(&report).unwrap();
    done(&["report", folder.to_str().unwrap()]);
    assert!(std::fs::read(&report).unwrap() == before);
}

#[test]
fn demo_leaves_foreign_folders_alone() {
    let base = tempfile::tempdir().unwrap();
    std::fs::write(base.path().join("thesis.txt"), "x").unwrap();
    let refused = regrow(&["demo", "-o", base.path().to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
    assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 1);
}

#[test]
fn rules_decide_the_exit_code_only_where_asked() {
    let base = tempfile::tempdir().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo");
    let band = |name: &str| data.join(name).display().to_string();
    let scene = |role: &str, from: &str, to: &str| {
        format!(
            "[[scene]]\nrole = \"{role}\"\nbands = {{ red = \"{}\", nir = \"{}\", scl = \"{}\" }}\ncomposite = {{ from = {from}, to = {to} }}\n",
            band("red.tif"),
            band("nir.tif"),
            band("scl.tif")
        )
    };
    let text = format!(
        "[project]\nname = \"t\"\noutput = \"out\"\n{}[products]\nindices = [\"NDVI\"]\n\
         [[target]]\nindicator = \"ndvi_mean\"\nat_least = 0.99\nby = 2030-12-31\n[[alert]]\nwhen = \"ndvi_mean > 0.99\"\n",
        scene("after", "2020-07-01", "2020-07-31")
    );
    let project = base.path().join("p.toml");
    std::fs::write(&project, text).unwrap();
    let path = project.to_str().unwrap();
    let explained = done(&["run", path, "--explain"]);
    assert!(explained.contains("composites") && explained.contains("ndvi_after.tif"), "{explained}");
    assert!(!base.path().join("out").exists());
    done(&["run", path]);
    let code = |on: &str| regrow(&["run", path, "--fail-on", on]).status.code();
    assert_eq!(code("target"), Some(6));
    // Due in 2030, and no alert was raised.
    assert_eq!(code("overdue"), Some(0));
    assert_eq!(code("alert"), Some(0));

    // A file that no run made is not replaced unasked.
    std::fs::remove_file(base.path().join("out/run.json")).unwrap();
    assert_eq!(regrow(&["run", path]).status.code(), Some(2));
    done(&["run", path, "--overwrite"]);
}
