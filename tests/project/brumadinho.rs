//! Two Landsat dates over the Córrego do Feijão mine, against independent tools. The scenes are not part of the repository:
//! without them the test has nothing to do.

use std::path::Path;

use super::{done, json};

#[test]
fn dam_failure_of_2019_has_the_numbers_of_independent_tools() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/brumadinho");
    if !data.exists() {
        eprintln!("skipped: no Brumadinho scenes here");
        return;
    }
    let base = tempfile::tempdir().unwrap();
    let scene = |date: &str, role: &str| {
        let file = data.join(format!("brumadinho_{}_l2sp_b2-b7.tif", date.replace('-', "")));
        format!(
            "[[scene]]\npath = \"{}\"\ndate = {date}\nrole = \"{role}\"\nbands = {{ blue = 1, green = 2, red = 3, nir = 4, swir16 = 5, swir22 = 6 }}\n",
            file.display()
        )
    };
    let text = format!(
        "[project]\nname = \"Corrego do Feijao\"\noutput = \"out\"\nzones = {{ path = \"{}\", id = \"name\" }}\n{}{}\
         [products]\nindices = [\"NDVI\", \"asi:NDVI\"]\nchange = {{ index = \"asi:NDVI\", breaks = [-0.4, -0.2, 0.2, 0.3] }}\nbare = {{}}\n",
        data.join("aoi.geojson").display(),
        scene("2019-01-14", "before"),
        scene("2019-01-30", "after")
    );
    let project = base.path().join("p.toml");
    std::fs::write(&project, text).unwrap();
    done(&["run", project.to_str().unwrap()]);
    let summary = json(&base.path().join("out/summary.json"));
    let figure = |zone: &str, indicator: &str, scene: &str| {
        let found = summary["zones"]
            .as_array()
            .unwrap()
            .iter()
            .find(|z| z["zone"] == zone && z["indicator"] == indicator && z["scene"] == scene);
        found.unwrap_or_else(|| panic!("{zone} {indicator} {scene}"))["value"].as_f64().unwrap()
    };
    let near = |found: f64, expected: f64, tolerance: f64, what: &str| {
        assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected}");
    };
    // Zones wholly inside both images, exactextract 0.3.0 in f64; rasters here are f32.
    for (zone, before, after) in [
        ("tailings_flow_corridor", 0.708837903553742, 0.5209690742614493),
        ("feijao_mine_complex", 0.4980209382988235, 0.49169871765633505),
    ] {
        near(figure(zone, "ndvi_mean", "before"), before, 1e-8, zone);
        near(figure(zone, "ndvi_mean", "after"), after, 1e-8, zone);
    }
    // The overlap, numpy without any guard (negative reflectance in shadow takes NDVI up to 1.5), hence the bare formula.
    let reference = json(&data.join("reference/overlap_facts.json"));
    let fact = |key: &str| reference[key].as_f64().unwrap();
    near(figure("all", "asi_ndvi_mean", "before"), fact("ndvi_mean_before"), 1e-8, "mean before");
    near(figure("all", "asi_ndvi_mean", "after"), fact("ndvi_mean_after"), 1e-8, "mean after");
    near(figure("all", "asi_ndvi_change_mean", "change"), fact("dndvi_mean"), 1e-8, "mean of the change");
    // Pixels of 0.09 ha there; the scale of UTM makes geodesic hectares up to 0.1 % larger.
    let loss = |key: &str| reference["area_ha_dndvi_le"][key].as_f64().unwrap();
    let (strong, some) = (figure("all", "strong_loss_ha", "change"), figure("all", "loss_ha", "change"));
    near(strong, loss("-0.4"), loss("-0.4") * 1.5e-3, "hectares of change below -0.4");
    near(strong + some, loss("-0.2"), loss("-0.2") * 1.5e-3, "hectares of change below -0.2");
    // With the guard NDVI beyond -1..1 is no data: 449 pixels before, 296 after (numpy).
    near(figure("all", "ndvi_mean", "after"), 0.694_098_709_562_910_3, 1e-8, "guarded mean after");
}
