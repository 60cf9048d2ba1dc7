//! Layers import downwards only.
#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources fails")]

use std::path::{Path, PathBuf};

/// Layers from low to high; a module may import itself and what its row lists.
const ALLOWED: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("guide", &[]),
    ("grid", &["error"]),
    ("numeric", &["error"]),
    ("raster", &["error", "grid", "numeric"]),
    ("engine", &["error", "grid", "numeric", "raster"]),
    ("spectral", &["error", "numeric"]),
    ("geostat", &["error", "numeric"]),
    ("vector", &["error", "grid", "numeric"]),
    ("temporal", &["error", "numeric"]),
    ("analysis", &["error", "grid", "raster", "engine", "spectral", "geostat", "vector", "numeric", "temporal"]),
    ("io", &["error", "grid", "raster", "engine", "vector", "numeric", "geostat"]),
    ("scene", &["error", "grid", "numeric", "raster", "engine", "io"]),
    ("bench", &["error", "grid", "raster", "engine", "vector", "io"]),
    (
        "product",
        &[
            "error", "grid", "raster", "engine", "spectral", "geostat", "vector", "numeric", "temporal", "analysis",
            "io", "scene",
        ],
    ),
    (
        "project",
        &[
            "error", "grid", "raster", "engine", "spectral", "geostat", "vector", "numeric", "temporal", "analysis",
            "io", "scene", "product",
        ],
    ),
    ("report", &["error", "grid", "raster", "engine", "geostat", "vector", "numeric", "io", "product", "project"]),
    (
        "cli",
        &[
            "error", "grid", "raster", "engine", "spectral", "geostat", "vector", "numeric", "temporal", "analysis",
            "io", "scene", "product", "project", "report", "bench",
        ],
    ),
];

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Names of top-level modules a source text imports through `crate::`, also inside one nested brace.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in text.split("crate::").skip(1) {
        if let Some(group) = part.strip_prefix('{') {
            let group = group.split('}').next().unwrap_or("");
            found.extend(group.split(',').map(|s| s.trim().split("::").next().unwrap_or("").to_owned()));
        } else {
            found.push(part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found
}

#[test]
fn imports_point_downwards() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut upward = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&src).unwrap();
        let layer = inside.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == layer) else { continue };
        let text = std::fs::read_to_string(&file).unwrap();
        for target in imports(&text) {
            let known = ALLOWED.iter().any(|(name, _)| *name == target);
            if known && target != layer && !allowed.contains(&target.as_str()) {
                upward.push(format!("{} imports {target}", inside.display()));
            }
        }
    }
    assert!(upward.is_empty(), "upward imports:\n{}", upward.join("\n"));
}

#[test]
fn every_layer_has_a_row() {
    let lib = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for line in lib.lines().filter_map(|l| l.strip_prefix("pub mod ")) {
        let name = line.trim_end_matches(';');
        assert!(ALLOWED.iter().any(|(n, _)| *n == name), "{name} has no row in the layer table");
    }
}

#[test]
fn no_source_file_is_longer_than_600_lines() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let long: Vec<_> = files
        .iter()
        .map(|f| (f, std::fs::read_to_string(f).unwrap().lines().count()))
        .filter(|(_, n)| *n > 600)
        .collect();
    assert!(long.is_empty(), "files over 600 lines: {long:?}");
}
