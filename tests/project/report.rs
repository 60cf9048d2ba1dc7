//! The report on invented figures: self-contained, escaped, complete.

use std::path::Path;
use std::sync::Arc;

use regrow::engine::Limits;
use regrow::grid::{Affine, Crs, Grid};
use regrow::io::memory::MemorySource;
use regrow::project::summary::*;
use regrow::raster::{Band, Class, Dtype, Samples, Source};

const N: usize = 120;
const LIMITS: Limits = Limits { threads: 3, memory: 1 << 30 };

/// A smooth field with blobs; `after` moves and deepens them.
fn field(after: bool) -> Vec<f32> {
    (0..N * N)
        .map(|i| {
            let (x, y) = ((i % N) as f32 / N as f32, (i / N) as f32 / N as f32);
            let blob = |cx: f32, cy: f32, r: f32| (-((x - cx).powi(2) + (y - cy).powi(2)) / (r * r)).exp();
            let bare = if after {
                0.55 * blob(0.6, 0.6, 0.14) + 0.2 * blob(0.3, 0.3, 0.1)
            } else {
                0.6 * blob(0.3, 0.3, 0.18)
            };
            if x + y < 0.12 { f32::NAN } else { 0.85 - 0.1 * (9.0 * x).sin() * (7.0 * y).cos() - bare }
        })
        .collect()
}

fn open(path: &Path) -> regrow::Result<Arc<dyn Source>> {
    let grid = Grid::new(N, N, Affine::north_up(500_000.0, 4_880_000.0, 10.0, 10.0), Some(Crs::from_epsg(32634)?));
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let (before, after) = (field(false), field(true));
    let difference: Vec<f32> = after.iter().zip(&before).map(|(a, b)| a - b).collect();
    let source = MemorySource::new(&name, grid);
    let real = |v: Vec<f32>| Samples::F32(v);
    let source = match name.as_str() {
        "ndvi_before.tif" => source.band(Band::new(Dtype::F32), real(before), None)?,
        "ndvi_after.tif" => source.band(Band::new(Dtype::F32), real(after), None)?,
        "change.tif" => source.band(Band::new(Dtype::F32), real(difference), None)?,
        "zn.tif" => {
            source.band(Band::new(Dtype::F32), real(before.iter().map(|v| 900.0 - 900.0 * v).collect()), None)?
        }
        _ => {
            let mut band = Band::new(Dtype::U8);
            band.nodata = Some(255.0);
            band.classes = vec![Class::new(0, "not bare", [220, 230, 220]), Class::new(1, "bare land", [191, 129, 45])];
            let bare = |v: &f32| if v.is_nan() { 255 } else { u8::from(*v < 0.5) };
            source.band(band, Samples::U8(after.iter().map(bare).collect()), None)?
        }
    };
    Ok(Arc::new(source))
}

fn map(path: &str, title: &str, group: &str, kind: MapKind) -> MapFacts {
    let unit = if kind == MapKind::Estimate { "mg/kg" } else { "" };
    MapFacts {
        path: path.into(),
        band: 0,
        title: title.into(),
        group: group.into(),
        group_title: group.to_uppercase(),
        kind,
        unit: unit.into(),
        grid: 0,
    }
}

fn invented() -> Summary {
    let zone = |id: &str, x: f64, y: f64| Outline {
        zone: id.into(),
        rings: vec![vec![(x, y), (x + 40.0, y + 5.0), (x + 35.0, y + 45.0), (x - 4.0, y + 38.0), (x, y)]],
    };
    let mut zones = Vec::new();
    for id in ["P1", "P2", "all"] {
        for (indicator, scene, value) in [
            ("ndvi_mean", "before", 0.61),
            ("ndvi_mean", "after", 0.68),
            ("bare_ha", "before", 3.25),
            ("bare_ha", "after", 1.125),
            ("loss_ha", "change", 2.5),
        ] {
            let date = Some("2024-07-15".to_owned());
            zones.push(ZoneFigure {
                zone: id.into(),
                indicator: indicator.into(),
                scene: scene.into(),
                date,
                value: Some(value),
            });
        }
    }
    let scene = |label: &str, date: &str| SceneFacts {
        label: label.into(),
        name: "stack".into(),
        date: Some(date.into()),
        ..SceneFacts::default()
    };
    let key = |name: &str, label: &str, value: f64, unit: &str, detail: &str| KeyFigure {
        name: name.into(),
        label: label.into(),
        value,
        unit: unit.into(),
        detail: detail.into(),
    };
    let lags = (1..12).map(|i| {
        let h = f64::from(i) * 100.0;
        Lag { distance_m: h, gamma: 0.1 + 0.5 * (1.0 - (-h / 400.0).exp()), pairs: 400 - 20 * i as u64 }
    });
    let verdict = |zone: &str, value: f64, standing| Verdict {
        zone: zone.into(),
        indicator: "bare_ha".into(),
        bound: "≤ 3".into(),
        by: Some("2025-12-31".into()),
        value: Some(value),
        date: Some("2024-07-15".into()),
        standing,
    };
    Summary {
        schema: SCHEMA,
        regrow: "0.1.0".into(),
        project: About {
            name: "<script>alert(1)</script> mine".into(),
            place: Some("Invented valley".into()),
            statement: Some("These figures are invented for a test of the page.".into()),
            file: "p.toml".into(),
            made_utc: None,
        },
        grids: vec![GridFacts {
            cols: N,
            rows: N,
            crs: "EPSG:32634".into(),
            pixel: "10 m".into(),
            pixel_m: 10.0,
            pixel_aspect: 1.0,
            north_deg: -2.0,
            centre_lon_lat: Some((21.1, 44.1)),
            outlines: vec![zone("P1", 20.0, 20.0), zone("P2", 60.0, 55.0)],
        }],
        scenes: vec![scene("before", "2018-07-12"), scene("after", "2024-07-15")],
        key_figures: vec![
            key("ndvi_after_mean", "Mean NDVI after", 0.6841, "", "0.612 before, +0.072"),
            key("bare_after_ha", "Bare land after", 11.254, "ha", "14.20 ha before"),
            key("gain_ha", "Vegetation gain", 9.87, "ha", "6.9 % of the valid area"),
            key("loss_ha", "Vegetation loss", 12_345.6, "ha", "2.1 % of the valid area"),
        ],
        targets: vec![
            verdict("P1", 1.1, Standing::Met),
            verdict("P2", 4.0, Standing::Open),
            verdict("all", 9.0, Standing::Missed),
        ],
        alert_rules: vec!["cover_mean < 0.3".into()],
        alerts: vec![Raised { rule: "cover_mean < 0.3".into(), zone: "P2".into(), value: 0.21, date: None }],
        maps: vec![
            map("ndvi_before.tif", "Before, 2018-07-12", "ndvi", MapKind::Vegetation),
            map("ndvi_after.tif", "After, 2024-07-15", "ndvi", MapKind::Vegetation),
            map("change.tif", "Change", "change", MapKind::Difference),
            map("bare.tif", "Bare after", "bare", MapKind::Classes),
            map("zn.tif", "Estimate", "zn", MapKind::Estimate),
        ],
        classes: vec![ClassTable {
            group: "bare".into(),
            title: "Bare after".into(),
            classes: vec![
                ClassArea { value: 0, name: "not bare".into(), rgb: [220, 230, 220], area_ha: 120.0 },
                ClassArea { value: 1, name: "bare land".into(), rgb: [191, 129, 45], area_ha: 11.25 },
            ],
        }],
        zones,
        zone_names: vec![
            ("P1".into(), "North dump".into()),
            ("P2".into(), String::new()),
            ("all".into(), String::new()),
        ],
        soil: vec![SoilFacts {
            title: "invented samples".into(),
            metal: "zinc".into(),
            samples: 155,
            dropped: vec!["2 samples without a value were dropped".into()],
            method: "ordinary kriging of logarithms".into(),
            limit_mg_kg: Some(200.0),
            limit_source: Some("GB 15618-2018 screening value".into()),
            limit_verified: false,
            mean_mg_kg: Some(431.2),
            exceed_ha: Some(88.1),
            exceed_expected_ha: Some(91.0),
            area_ha: Some(144.0),
            group: "zn".into(),
            variogram: Some(VariogramFacts {
                lags: lags.collect(),
                model: "nug(0.1)+exp(0.5,400)".into(),
                curve: (0..=60)
                    .map(|i| f64::from(i) * 20.0)
                    .map(|h| (h, 0.1 + 0.5 * (1.0 - (-h / 400.0).exp())))
                    .collect(),
            }),
            validation: Some(ValidationFacts {
                me: 0.01,
                rmse: 0.39,
                msdr: Some(1.04),
                ccc: Some(0.83),
                points: (0..80).map(|i| f64::from(i) / 20.0).map(|v| (v, v + 0.4 * (v * 9.0).sin())).collect(),
                scale: "ln mg/kg".into(),
            }),
        }],
        channels: vec![ChannelFacts {
            channel: "before nir".into(),
            cells: 14_400,
            nodata: 100,
            masked: 909,
            out_of_range: 3,
            clipped: 0,
        }],
        decisions: vec!["p.toml: scale 0.0001 as the file states".into()],
        warnings: vec!["one scene was given twice".into()],
        methods: vec![Method {
            title: "NDVI".into(),
            text: "(nir - red) / (nir + red).".into(),
            citations: vec!["Rouse et al. 1974".into()],
        }],
        files: vec![FileFacts {
            path: "ndvi_before.tif".into(),
            role: "index".into(),
            title: "NDVI".into(),
            bytes: 43_210,
        }],
    }
}

#[test]
fn report_is_self_contained_escaped_and_complete() {
    let summary = invented();
    let html = regrow::report::render(Path::new(""), &summary, &open, LIMITS).unwrap();
    // Kept for a look with a browser.
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("invented_report.html"), &html).unwrap();
    for outside in ["http:", "https:", "src=\"/", "@import", "<link", "<script"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.contains("&lt;script&gt;alert(1)"));
    for part in [
        "North dump",
        "≤ 3",
        "not yet met",
        "▲ raised",
        "6.3 %",
        "one scene was given twice",
        "Rouse",
        "12\u{202f}345.60",
    ] {
        assert!(html.contains(part), "{part} is missing");
    }
    assert_eq!(html.matches("data:image/png").count(), 5);
}

#[test]
fn summary_survives_the_way_through_json() {
    let summary = invented();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("summary.json");
    std::fs::write(&path, summary.to_json().unwrap()).unwrap();
    assert_eq!(Summary::read(&path).unwrap(), summary);
    std::fs::write(&path, "{\"schema\": 1}").unwrap();
    assert_eq!(Summary::read(&path).unwrap_err().kind().exit_code(), 3);
}
