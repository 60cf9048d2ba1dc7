//! Vectors of spyndex, numpy and scikit-image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use regrow::analysis::classes::Breaks;
use regrow::analysis::composite::composite;
use regrow::analysis::cover::{COVER_BREAKS, CoverModel, Endmembers};
use regrow::numeric::quantile::quantile;
use regrow::numeric::threshold::Histogram;
use regrow::spectral::{Builder, Index, Kernel, Program, Settings, catalogue};

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/oracles/spectral").join(name)
}

fn rows(name: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(fixture(name)).unwrap();
    reader.deserialize().map(|r| r.unwrap()).collect()
}

/// Bands and kernels of the 23 vectors, by name.
fn inputs() -> BTreeMap<String, Vec<f64>> {
    let mut columns: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for row in rows("asi_inputs.csv") {
        for (name, value) in row.into_iter().filter(|(n, _)| n != "id") {
            columns.entry(name).or_default().push(value.parse().unwrap());
        }
    }
    columns
}

/// Evaluates all indices in one program, so that sharing of subexpressions is tested too.
fn evaluate(indices: &[Index], settings: Settings, columns: &BTreeMap<String, Vec<f64>>) -> Vec<Vec<f64>> {
    let mut builder = Builder::new(settings);
    let lookup = |name: &str| columns.contains_key(name).then(|| name.to_owned());
    let nodes: Vec<_> = indices.iter().map(|i| builder.add(i, &lookup).unwrap()).collect();
    let program = Program::compile(&builder.graph, &nodes);
    let inputs: Vec<&Vec<f64>> = builder.graph.inputs().iter().map(|n| &columns[n]).collect();
    let n = columns.values().next().unwrap().len();
    program.evaluation().row(n, |i, values| values.copy_from_slice(inputs[i])).to_vec()
}

fn agree(found: f64, expected: f64) -> bool {
    if expected.is_nan() || expected.is_infinite() {
        return found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
    }
    (found - expected).abs() <= 1e-12 + 1e-9 * expected.abs()
}

fn parse(text: &str) -> f64 {
    text.parse().unwrap()
}

#[test]
fn all_280_catalogue_formulas() {
    let mut settings = Settings::default();
    for row in rows("asi_constants.csv") {
        settings.constants.insert(row["name"].clone(), parse(&row["value"]));
    }
    let columns = inputs();
    let indices: Vec<Index> =
        catalogue::entries().iter().map(|e| Index::find(&format!("asi:{}", e.name)).unwrap()).collect();
    let found = evaluate(&indices, settings, &columns);
    let mut expected = rows("asi_values.csv");
    assert_eq!(expected.len(), 280);
    let ids: Vec<String> = rows("asi_inputs.csv").into_iter().map(|r| r["id"].clone()).collect();
    let mut wrong = Vec::new();
    for row in &mut expected {
        let at = indices.iter().position(|i| i.name == row["index"]).unwrap();
        for (k, id) in ids.iter().enumerate() {
            let e = parse(&row[id]);
            if !agree(found[at][k], e) {
                wrong.push(format!("{} {id}: {} expected {e}", row["index"], found[at][k]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), 280 * 23, wrong.join("\n"));
}

#[test]
fn named_indices_the_catalogue_lacks() {
    // The oracle is raw, so guards are taken off; names are those of the oracle.
    let ours = [
        ("BSI", "BSI"),
        ("NDRE", "NDRE"),
        ("IRON_OXIDE", "IRON_OXIDE"),
        ("FERRIC_IRON", "FERRIC"),
        ("FERROUS_IRON", "FERROUS"),
        ("FERROUS_SILICATE", "FERROUS_SIL"),
        ("FERROUS_MINERAL", "FERROUS_MIN"),
        ("CLAY", "CLAY"),
        ("GOSSAN", "GOSSAN"),
        ("REDNESS_RB", "REDNESS"),
        ("TCB", "TCB"),
        ("TCG", "TCG"),
        ("TCW", "TCW"),
        ("TCA_DEG", "TCA"),
        ("kNDVI_tanh", "kNDVI"),
        ("EVI2_Jiang", "EVI2"),
    ];
    let mut columns = inputs();
    columns.retain(|name, _| !name.starts_with('k'));
    let mut indices: Vec<Index> = ours.iter().map(|(_, name)| Index::find(name).unwrap()).collect();
    indices.push(Index::expression("BSI_S2", "((S2+R)-(N+B))/((S2+R)+(N+B))"));
    indices.iter_mut().for_each(|i| i.guards.clear());
    let found = evaluate(&indices, Settings::default(), &columns);
    let expected = rows("extra_indices.csv");
    let ids: Vec<String> = rows("asi_inputs.csv").into_iter().map(|r| r["id"].clone()).collect();
    for row in &expected {
        let name = &row["index"];
        let at = ours.iter().position(|(oracle, _)| oracle == name).unwrap_or(ours.len());
        for (k, id) in ids.iter().enumerate() {
            let e = parse(&row[id]);
            assert!(agree(found[at][k], e), "{name} {id}: {} expected {e}", found[at][k]);
        }
    }
    assert_eq!(expected.len(), 17);
}

#[test]
fn kernels_follow_their_definitions() {
    let text = std::fs::read_to_string(fixture("kernels.json")).unwrap();
    let oracle: serde_json::Value = serde_json::from_str(&text).unwrap();
    let cases = oracle["cases"].as_array().unwrap();
    let column = |name: &str| cases.iter().map(|c| c[name].as_f64().unwrap()).collect::<Vec<_>>();
    let columns = BTreeMap::from([("N".to_owned(), column("N")), ("R".to_owned(), column("R"))]);
    let with = |kernel, sigma: Option<f64>| {
        let constants = sigma.map(|s| ("sigma".to_owned(), s)).into_iter().collect();
        Settings { kernel, constants, ..Settings::default() }
    };
    let check = |index: Index, settings: Settings, name: &str| {
        let found = evaluate(&[index], settings, &columns);
        for (f, e) in found[0].iter().zip(column(name)) {
            assert!(agree(*f, e), "{name}: {f} expected {e}");
        }
    };
    let kernel = || Index::expression("k", "kNR");
    check(Index::find("kNDVI").unwrap(), with(Kernel::Rbf, None), "kNDVI_sigma_mean");
    check(Index::find("kNDVI").unwrap(), with(Kernel::Rbf, None), "tanh_ndvi2");
    check(kernel(), with(Kernel::Polynomial, None), "poly_p2_c1");
    check(kernel(), with(Kernel::Linear, None), "linear");
    check(kernel(), with(Kernel::Rbf, Some(0.5)), "rbf_s05");
}

#[test]
fn every_sentinel_2_index_is_shared_in_one_program() {
    // All indices at once need far fewer steps than one by one.
    let columns = inputs();
    let indices: Vec<Index> = ["NDVI", "NIRv", "DBSI", "kNDVI"].iter().map(|n| Index::find(n).unwrap()).collect();
    let mut builder = Builder::new(Settings::default());
    let lookup = |name: &str| (columns.contains_key(name) && !name.starts_with('k')).then(|| name.to_owned());
    for index in &indices {
        builder.add(index, &lookup).unwrap();
    }
    let before = builder.graph.nodes().len();
    builder.add(&indices[0], &lookup).unwrap();
    assert_eq!(builder.graph.nodes().len(), before, "an index added twice must cost nothing");
}

fn oracle(name: &str) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

#[test]
fn thresholds_of_scikit_image() {
    let oracle = oracle("thresholds.json");
    let cases = oracle["cases"].as_array().unwrap();
    let mut parted = 0;
    for case in cases {
        let x = numbers(&case["x"]);
        let (min, max) = x.iter().fold((f64::MAX, f64::MIN), |(a, b), &v| (a.min(v), b.max(v)));
        let histogram = |bins| {
            let mut h = Histogram::new(min, max, bins).unwrap();
            x.iter().for_each(|&v| h.add(v));
            h
        };
        let id = &case["id"];
        let otsu = histogram(256).otsu(None).unwrap();
        assert!((otsu.threshold - case["otsu"].as_f64().unwrap()).abs() < 1e-9, "{id} otsu {otsu:?}");
        assert_eq!(otsu.bin as u64, case["otsu_bin"].as_u64().unwrap(), "{id}");
        let coarse = histogram(64).otsu(None).unwrap();
        assert!((coarse.threshold - case["otsu_64bins"].as_f64().unwrap()).abs() < 1e-9, "{id}");
        let fine = histogram(256);
        match (fine.minimum_error(None), case["kittler_illingworth"].as_object()) {
            (Some(error), Some(expected)) => {
                let bin = expected["bin"].as_u64().unwrap() as usize;
                let between = &fine.counts()[bin.min(error.bin) + 1..=bin.max(error.bin)];
                assert!(between.iter().all(|&c| c == 0), "{id} {error:?}, expected bin {bin}");
                assert!((error.score - expected["J"].as_f64().unwrap()).abs() < 1e-9, "{id} {error:?}");
                parted += 1;
            }
            (found, expected) => assert!(found.is_none() && expected.is_none(), "{id} {found:?} {expected:?}"),
        }
        for (q, e) in [0.05, 0.5, 0.95].into_iter().zip(numbers(&case["percentiles_5_50_95"])) {
            assert!((quantile(&x, q).unwrap() - e).abs() < 1e-9, "{id} {q}");
        }
    }
    assert_eq!(parted, 6);
}

#[test]
fn cover_of_numpy_percentiles() {
    let oracle = oracle("fvc.json");
    let ndvi = numbers(&oracle["ndvi"]);
    let (soil, veg) = (quantile(&ndvi, 0.05).unwrap(), quantile(&ndvi, 0.95).unwrap());
    assert!((soil - oracle["ndvi_soil_p5"].as_f64().unwrap()).abs() < 1e-9);
    assert!((veg - oracle["ndvi_veg_p95"].as_f64().unwrap()).abs() < 1e-9);
    let close = |name: &str, e: Endmembers, model| {
        for (x, expected) in ndvi.iter().zip(numbers(&oracle[name])) {
            assert!((e.cover(*x, model) - expected).abs() < 1e-9, "{name} {x}");
        }
    };
    let own = Endmembers::new(soil, veg).unwrap();
    close("fvc_first50", own, CoverModel::Linear);
    close("carlson_ripley_first50", own, CoverModel::Squared);
    close("gutman_ignatov_fixed_005_086_first50", Endmembers::new(0.05, 0.86).unwrap(), CoverModel::Linear);
    let cover: Vec<f64> = ndvi.iter().map(|x| own.cover(*x, CoverModel::Linear)).collect();
    let mean = cover.iter().sum::<f64>() / cover.len() as f64;
    assert!((mean - oracle["mean_fvc"].as_f64().unwrap()).abs() < 1e-9);
    for (breaks, name) in [
        (COVER_BREAKS.to_vec(), "class_counts_edges_0_1_0_3_0_45_0_6"),
        (vec![0.2, 0.4, 0.6, 0.8], "class_counts_edges_0_2_0_4_0_6_0_8"),
    ] {
        let breaks = Breaks::new(breaks, 4).unwrap();
        let mut counts = vec![0.0; 5];
        cover.iter().for_each(|c| counts[usize::from(breaks.class(*c).unwrap())] += 1.0);
        assert_eq!(counts, numbers(&oracle[name]), "{name}");
    }
}

#[test]
fn composites_of_numpy() {
    let oracle = oracle("composites.json");
    let cases = oracle["cases"].as_array().unwrap();
    assert!(cases.len() > 2);
    for case in cases {
        // Dates with a missing band are left out, as the analysis does.
        let given = case["obs_time_by_band"].as_array().unwrap();
        let valid = |d: &&serde_json::Value| d.as_array().unwrap().iter().all(|v| !v.is_null());
        let dates: Vec<f64> = given.iter().filter(valid).flat_map(numbers).collect();
        let last = given[0].as_array().unwrap().len() - 1;
        let of = |method: &str| composite(&dates, last + 1, method.parse().unwrap(), (last - 1, last));
        let close = |method: &str, field: &str, tolerance: f64| {
            for (f, e) in of(method).iter().zip(numbers(&case[field])) {
                assert!((f - e).abs() < tolerance, "{} {method}: {f} expected {e}", case["id"]);
            }
        };
        close("median", "median", 1e-9);
        close("mean", "mean", 1e-9);
        close("p25", "p25", 1e-9);
        close("p75", "p75", 1e-9);
        close("geomedian", "geomedian", 1e-5);
        let at = |field: &str| numbers(&given[case[field].as_u64().unwrap() as usize]);
        assert_eq!(of("medoid"), at("medoid_index_sum_distance"), "{}", case["id"]);
        assert_eq!(of("max-ndvi"), at("max_ndvi_index_last_band_nir_prev_red"), "{}", case["id"]);
    }
}
