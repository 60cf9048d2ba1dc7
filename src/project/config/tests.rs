use super::*;

fn project(text: &str) -> Result<Project> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("scene.tif"), b"").unwrap();
    std::fs::write(folder.path().join("soil.csv"), b"").unwrap();
    let path = folder.path().join("p.toml");
    std::fs::write(&path, text).unwrap();
    Project::read(&path)
}

const HEAD: &str = "[project]\nname = \"t\"\noutput = \"out\"\n";
const SCENE: &str = "[[scene]]\npath = \"scene.tif\"\ndate = 2021-06-01\n";

fn refused(text: &str, parts: &[&str]) {
    let e = project(text).unwrap_err().to_string();
    for part in parts.iter().chain(&["p.toml:"]) {
        assert!(e.contains(part), "{part:?} is not in {e:?}");
    }
}

#[test]
fn a_plain_project_is_read() {
    let p = project(&format!("{HEAD}{SCENE}[products]\nindices = [\"NDVI\"]\nbare = {{ min_area = \"500m2\" }}\n"))
        .unwrap();
    assert_eq!(p.scenes[0].date.as_deref(), Some("2021-06-01"));
    assert_eq!(p.products.bare.as_ref().unwrap().min_area_ha, 0.05);
    assert_eq!(p.indicators(), ["ndvi_mean", "bare_ha", "bare_share", "valid_ha"]);
}

#[test]
fn errors_name_line_and_remedy() {
    refused(&format!("{HEAD}outptu = \"x\"\n{SCENE}"), &[":4:", "did you mean \"output\""]);
    refused(&format!("{HEAD}{SCENE}[product]\nindices = [\"NDVI\"]\n"), &[":7:", "\"products\""]);
    refused(&format!("{HEAD}[[scene]]\npath = \"nope.tif\"\n"), &[":5:", "nope.tif"]);
    refused(&format!("{HEAD}{SCENE}[products]\nbare = {{ min_area = \"-1ha\" }}\n"), &[":8:", "min_area", "-1ha"]);
    refused(&format!("{HEAD}{SCENE}[products]\nbare = {{ min_area = \"0.5 bananas\" }}\n"), &[":8:", "bananas"]);
    refused(&format!("{HEAD}{SCENE}[products]\nchange = {{}}\n"), &["before", "after"]);
    refused(&format!("{HEAD}scenes = \"nothing/*.tif\"\n"), &[":4:", "nothing"]);
    refused("[project]\nname = \"t\"\noutput = \"/dev/null\"\n", &[":3:", "device"]);
}

#[test]
fn rules_are_checked_against_the_products() {
    let base = format!("{HEAD}{SCENE}[products]\ncover = {{}}\n");
    refused(&format!("{base}[[alert]]\nwhen = \"cover_maen < 0.3\"\n"), &[":10:", "cover_mean"]);
    refused(&format!("{base}[[alert]]\nwhen = \"cover_mean <\"\n"), &[":10:", "cover_mean < 0.3"]);
    refused(&format!("{base}[[alert]]\nwhen = \"bare_ha > 1\"\n"), &[":10:", "bare = {}"]);
    refused(&format!("{base}[[target]]\nindicator = \"cover_mean\"\nat_most = nan\n"), &[":11:", "finite"]);
    refused(&format!("{base}[[target]]\nindicator = \"cover_mean\"\nat_most = 1\nat_least = 2\n"), &["no value"]);
    let p = project(&format!("{base}[[alert]]\nwhen = \"cover_mean <= 0.3\"\n")).unwrap();
    assert!(p.alerts[0].bound.holds(0.3) && !p.alerts[0].bound.holds(0.31));
}

#[test]
fn one_scene_twice_is_used_once_and_said() {
    let p = project(&format!("{HEAD}{SCENE}[[scene]]\npath = \"./scene.tif\"\ndate = 2021-06-01\n")).unwrap();
    assert_eq!(p.scenes.len(), 1);
    assert!(p.warnings[0].contains("used once"), "{:?}", p.warnings);
}

#[test]
fn bands_are_positions_or_files() {
    let p = project(&format!("{HEAD}[[scene]]\npath = \"scene.tif\"\nbands = {{ red = 3, nir = 4 }}\n")).unwrap();
    let Files::One(_, bands) = &p.scenes[0].files else { panic!("one file") };
    assert_eq!(bands.len(), 2);
    let p = project(&format!("{HEAD}[[scene]]\nbands = {{ red = \"scene.tif\", nir = \"scene.tif\" }}\n")).unwrap();
    assert_eq!(p.scenes[0].paths().len(), 2);
    refused(&format!("{HEAD}[[scene]]\nbands = {{ red = 3 }}\n"), &["path"]);
    refused(&format!("{HEAD}[[scene]]\npath = \"scene.tif\"\nbands = {{ rde = 3 }}\n"), &["rde", "red"]);
}
