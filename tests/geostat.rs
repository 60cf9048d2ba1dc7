//! Geostatistics against gstat: variograms, fits, kriging, inverse distance, cross-validation on the Meuse samples.
//! Where the numbers come from: fixtures/oracles/geostat/README.md.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use regrow::geostat::{
    Back, Duplicates, Empirical, Estimate, Idw, Kriging, Lags, Model, Neighbourhood, Point, Predictor, Samples, Shape,
    Statistics, Transform, Weights, choice, fit, validation,
};

/// Fixed models of the oracle (its README names them M and okanis).
const M: &str = "nug(0.05066243)+sph(0.59060780,897.02)";
const RAW: &str = "nug(24813)+sph(134743,831.3)";
const ANISOTROPIC: &str = "nug(0.05)+sph(0.6,1000,aniso=30:0.5)";

struct Csv {
    columns: HashMap<String, usize>,
    rows: Vec<Vec<String>>,
}

impl Csv {
    fn open(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/oracles/geostat").join(name);
        Self::parse(&std::fs::read_to_string(&path).unwrap())
    }
    fn parse(text: &str) -> Self {
        let mut lines = text.lines().map(|l| l.split(',').map(|f| f.trim_matches('"').to_owned()).collect::<Vec<_>>());
        let columns = lines.next().unwrap().into_iter().enumerate().map(|(i, n)| (n, i)).collect();
        let rows: Vec<_> = lines.collect();
        assert!(!rows.is_empty());
        Self { columns, rows }
    }
    fn text(&self, row: usize, column: &str) -> &str {
        &self.rows[row][self.columns[column]]
    }
    /// A number; NaN for NA and empty.
    fn get(&self, row: usize, column: &str) -> f64 {
        let t = self.text(row, column);
        if t.is_empty() || t == "NA" { f64::NAN } else { t.parse().unwrap() }
    }
    fn column(&self, column: &str) -> Vec<f64> {
        (0..self.rows.len()).map(|r| self.get(r, column)).collect()
    }
    fn rows_of(&self, column: &str, value: &str) -> Vec<usize> {
        (0..self.rows.len()).filter(|&r| self.text(r, column) == value).collect()
    }
}

fn meuse(transform: Transform) -> Arc<Samples> {
    let csv = Csv::open("meuse.csv");
    let point =
        |r: usize| Point { x: csv.get(r, "x"), y: csv.get(r, "y"), value: csv.get(r, "zinc"), line: r as u64 + 2 };
    let points: Vec<_> = (0..csv.rows.len()).map(point).collect();
    let s = Samples::new(&points, Duplicates::Error, transform, 1e-3).unwrap();
    assert_eq!(s.len(), 155);
    Arc::new(s)
}

fn hood(nmax: Option<usize>, nmin: Option<usize>, radius: Option<f64>) -> Neighbourhood {
    Neighbourhood::resolve(155, nmax, nmin, radius).unwrap()
}

fn kriging(transform: Transform, model: &str, hood: Neighbourhood) -> Kriging {
    Kriging::new(meuse(transform), &model.parse().unwrap(), hood).unwrap()
}

fn predict(p: &dyn Predictor, x: &[f64], y: &[f64]) -> Vec<Estimate> {
    let mut out = vec![Estimate::NODATA; x.len()];
    p.worker().predict(x, y, &mut out).unwrap();
    out
}

/// `|got − want| ≤ absolute + relative |want|`; both NaN is equal.
#[track_caller]
fn close(got: f64, want: f64, absolute: f64, relative: f64, what: &str) {
    let same = (got.is_nan() && want.is_nan()) || (got - want).abs() <= absolute + relative * want.abs();
    assert!(same, "{what}: {got} against {want}");
}

#[test]
fn model_values() {
    let csv = Csv::open("model_values.csv");
    let models = [
        ("sph", "nug(0.05)+sph(.6,900)"),
        ("exp", "nug(0.05)+exp(.6,300)"),
        ("gau", "nug(0.05)+gau(.6,500)"),
        ("mat0.5", "nug(0.05)+mat(.6,300,.5)"),
        ("mat1.5", "nug(0.05)+mat(.6,200,1.5)"),
        ("mat0.8", "nug(0.05)+mat(.6,200,.8)"),
        ("ste1.5", "nug(0.05)+ste(.6,500,1.5)"),
        ("cir", "nug(0.05)+cir(.6,900)"),
        ("pen", "nug(0.05)+pen(.6,900)"),
        ("lin", "nug(0.05)+lin(.6,900)"),
        ("linunb", "nug(0.05)+lin(.0006,0)"),
        ("pow", "nug(0.05)+pow(.001,.9)"),
        ("bes", "nug(0.05)+bes(.6,250)"),
        ("hol", "nug(0.05)+hol(.6,150)"),
        ("wav", "nug(0.05)+wav(.6,400)"),
        ("exc", "nug(0.05)+exc(.6,300,1.3)"),
        ("nested", "nug(0.05)+sph(.3,1200)+exp(.25,150)"),
    ];
    for (name, text) in models {
        let model: Model = text.parse().unwrap();
        let rows = csv.rows_of("model", name);
        assert_eq!(rows.len(), 13, "{name}");
        for r in rows {
            let h = csv.get(r, "h");
            close(model.gamma(h, 0.0), csv.get(r, "gamma"), 1e-12, 0.0, &format!("{name} at {h}"));
        }
    }
    let csv = Csv::open("model_values_anis30_0.5.csv");
    let model: Model = ANISOTROPIC.parse().unwrap();
    for r in 0..csv.rows.len() {
        let (s, c) = csv.get(r, "azimuth").to_radians().sin_cos();
        let h = csv.get(r, "h");
        close(model.gamma(h * s, h * c), csv.get(r, "gamma"), 1e-12, 0.0, "anisotropic");
    }
}

#[test]
fn empirical_variograms() {
    let csv = Csv::open("variograms.csv");
    let log = meuse(Transform::Log);
    let cases = [
        ("logzinc_default", Arc::clone(&log), Lags::default_for(&log).unwrap()),
        ("zinc_default", meuse(Transform::None), Lags::default_for(&log).unwrap()),
        ("logzinc_c1000_w50", Arc::clone(&log), Lags::uniform(1000.0, 50.0).unwrap()),
        ("logzinc_bounds", log, Lags::boundaries(&[100.0, 200.0, 400.0, 800.0, 1200.0, 1600.0]).unwrap()),
    ];
    for (case, samples, lags) in cases {
        let got = Empirical::matheron(&samples, &lags).unwrap();
        let rows = csv.rows_of("case", case);
        assert_eq!(got.bins.len(), rows.len(), "{case}");
        for (b, r) in got.bins.iter().zip(rows) {
            assert_eq!(b.pairs as f64, csv.get(r, "np"), "{case}");
            close(b.distance, csv.get(r, "dist"), 0.0, 1e-10, case);
            close(b.gamma, csv.get(r, "gamma"), 0.0, 1e-10, case);
        }
    }
}

#[test]
fn fits_reach_the_global_optimum() {
    let csv = Csv::open("variogram_fit_optima.csv");
    let s = meuse(Transform::Log);
    let e = Empirical::matheron(&s, &Lags::default_for(&s).unwrap()).unwrap();
    for r in 0..csv.rows.len() {
        let case = csv.text(r, "case").to_owned();
        let mut parts = case.split('_').skip(1);
        let shape = Shape::from_name(parts.next().unwrap()).unwrap();
        let weights = match parts.next().unwrap() {
            "fit7" => Weights::PairsOverDistance,
            "fit1" => Weights::Pairs,
            "fit6" => Weights::Equal,
            other => panic!("{other}"),
        };
        let got = fit::fit(&e, shape, None, weights).unwrap();
        let least = csv.get(r, "SSErr_min");
        assert!(got.sse <= least * (1.0 + 1e-4), "{case}: {} against {least}", got.sse);
        // The remainder is flat at its bottom; the parameters are only as sure as its root.
        close(got.model.structures[0].range, csv.get(r, "range"), 0.0, 2e-3, &case);
        close(got.model.nugget, csv.get(r, "nugget"), 2e-4, 2e-3, &case);
        close(got.model.structures[0].psill, csv.get(r, "psill"), 0.0, 2e-3, &case);
    }
}

#[test]
fn fits_are_as_good_as_those_of_gstat() {
    let csv = Csv::open("variogram_fits.csv");
    let s = meuse(Transform::Log);
    let e = Empirical::matheron(&s, &Lags::default_for(&s).unwrap()).unwrap();
    let cases = [
        ("logzinc_Mat1.5_fit7", Shape::Mat, Some(1.5)),
        ("logzinc_Ste_kappafit7", Shape::Ste, None),
        ("logzinc_Sph_fit7", Shape::Sph, None),
        ("logzinc_Exp_fit7", Shape::Exp, None),
    ];
    for (case, shape, kappa) in cases {
        let got = fit::fit(&e, shape, kappa, Weights::PairsOverDistance).unwrap();
        let rows = csv.rows_of("case", case);
        assert!(got.sse <= csv.get(rows[0], "SSErr") * (1.0 + 1e-4), "{case}");
        close(got.model.structures[0].range, csv.get(rows[1], "range"), 0.0, 2e-3, case);
        close(got.model.structures[0].psill, csv.get(rows[1], "psill"), 0.0, 2e-3, case);
    }
}

#[test]
fn automatic_choice_is_the_spherical_model() {
    let s = meuse(Transform::Log);
    let e = Empirical::matheron(&s, &Lags::default_for(&s).unwrap()).unwrap();
    let c = choice::choose(&s, &e, hood(None, None, None)).unwrap();
    assert!(c.structured);
    assert_eq!(c.model.structures[0].shape, Shape::Sph, "{}", c.model);
    close(c.model.structures[0].range, 897.0, 0.0, 2e-3, "range");
    let validated: Vec<_> = c.candidates.iter().map(|c| c.loo.is_some()).collect();
    assert_eq!(validated, [true, true, false, false, false]);
}

#[test]
fn kriging_on_the_grid() {
    let csv = Csv::open("kriging_logzinc_grid.csv");
    let (x, y) = (csv.column("x"), csv.column("y"));
    let cases = [
        ("ok", M, hood(None, None, None), 1e-9, 0.0),
        ("oknmax20", M, hood(Some(20), Some(1), None), 1e-9, 0.0),
        ("oklocal", M, hood(Some(20), Some(5), Some(400.0)), 1e-9, 0.0),
        ("okanis", ANISOTROPIC, hood(None, None, None), 1e-9, 0.0),
        ("okerr", "err(0.05066243)+sph(0.59060780,897.02)", hood(None, None, None), 1e-9, 0.0),
        ("okraw", RAW, hood(None, None, None), 0.0, 1e-10),
    ];
    for (case, model, hood, absolute, relative) in cases {
        let transform = if case == "okraw" { Transform::None } else { Transform::Log };
        let got = predict(&kriging(transform, model, hood), &x, &y);
        let mut compared = 0;
        for (r, e) in got.iter().enumerate() {
            if hood.nmax == 20 && csv.get(r, "tie20") == 1.0 {
                continue;
            }
            let what = format!("{case} cell {}", csv.text(r, "id"));
            close(e.value, csv.get(r, &format!("{case}_pred")), absolute, relative, &what);
            close(e.variance, csv.get(r, &format!("{case}_var")), absolute, relative, &what);
            compared += 1;
        }
        assert!(compared > 250, "{case}: {compared}");
    }
}

#[test]
fn kriging_at_samples_is_exact_unless_the_nugget_is_an_error() {
    let csv = Csv::open("kriging_at_samples.csv");
    let (x, y) = (csv.column("x"), csv.column("y"));
    let exact = predict(&kriging(Transform::Log, M, hood(None, None, None)), &x, &y);
    let filtered =
        predict(&kriging(Transform::Log, "err(0.05066243)+sph(0.59060780,897.02)", hood(None, None, None)), &x, &y);
    for r in 0..csv.rows.len() {
        close(exact[r].value, csv.get(r, "obs"), 1e-9, 0.0, "exact");
        assert!(exact[r].variance.abs() <= 1e-12);
        close(filtered[r].value, csv.get(r, "okerr_pred"), 1e-9, 0.0, "filtered");
        close(filtered[r].variance, csv.get(r, "okerr_var"), 1e-9, 0.0, "filtered");
    }
}

#[test]
fn lognormal_means_and_exceedance() {
    let csv = Csv::open("lognormal_exceedance.csv");
    let got = predict(&kriging(Transform::Log, M, hood(None, None, None)), &csv.column("x"), &csv.column("y"));
    let back = Back::new(Transform::Log, 1839.0, &[500.0, 200.0]);
    for (r, e) in got.iter().enumerate() {
        close(e.value.exp(), csv.get(r, "median"), 0.0, 1e-9, "median");
        // Near 0 it is a difference of sums near 1, so its error is absolute.
        close(e.multiplier, csv.get(r, "psi_lagrange"), 1e-11, 1e-9, "multiplier");
        close(back.mean(e).0, csv.get(r, "mean_ok_unbiased"), 0.0, 1e-9, "mean");
        close(back.exceedance(e, 0), csv.get(r, "p_gt_500"), 0.0, 1e-9, "P(Z > 500)");
        close(back.exceedance(e, 1), csv.get(r, "p_gt_200"), 0.0, 1e-9, "P(Z > 200)");
    }
}

#[test]
fn inverse_distance() {
    let csv = Csv::open("idw_zinc.csv");
    let (x, y) = (csv.column("x"), csv.column("y"));
    let cases = [
        ("idp2_all", 2.0, hood(None, None, None)),
        ("idp1_all", 1.0, hood(None, None, None)),
        ("idp3.5_all", 3.5, hood(None, None, None)),
        ("idp2_nmax12", 2.0, hood(Some(12), None, None)),
        ("idp2_maxdist300", 2.0, hood(None, None, Some(300.0))),
        ("idp2_nmax12_nmin3_maxdist300", 2.0, hood(Some(12), Some(3), Some(300.0))),
        ("nearest", 2.0, hood(Some(1), None, None)),
    ];
    for (case, power, hood) in cases {
        let got = predict(&Idw::new(meuse(Transform::None), power, hood).unwrap(), &x, &y);
        for (r, e) in got.iter().enumerate() {
            if hood.nmax == 12 && csv.get(r, "tie12") == 1.0 {
                continue;
            }
            close(e.value, csv.get(r, case), 0.0, 1e-9, &format!("{case} cell {}", csv.text(r, "id")));
        }
        let nodata = got.iter().filter(|e| e.value.is_nan()).count();
        assert_eq!(nodata, csv.column(case).iter().filter(|v| v.is_nan()).count(), "{case}");
    }
}

#[test]
fn leave_one_out_and_its_statistics() {
    let csv = Csv::open("loocv.csv");
    let statistics = Csv::open("cv_statistics.csv");
    let (log, raw) = (meuse(Transform::Log), meuse(Transform::None));
    let global = kriging(Transform::Log, M, hood(None, None, None));
    let local = kriging(Transform::Log, M, hood(Some(20), Some(1), None));
    let idw = Idw::new(Arc::clone(&raw), 2.0, hood(Some(12), None, None)).unwrap();
    let cases: [(&str, &str, &dyn Predictor, &Samples); 3] = [
        ("ok_pred", "ok_global", &global, &log),
        ("ok20_pred", "ok_nmax20", &local, &log),
        ("idw12_zinc_pred", "idw12_zinc", &idw, &raw),
    ];
    for (column, case, predictor, samples) in cases {
        let residuals = validation::leave_one_out(predictor, &samples.z).unwrap();
        let tie = match case {
            "ok_nmax20" => Some("tie20"),
            "idw12_zinc" => Some("tie12"),
            _ => None,
        };
        for (r, got) in residuals.iter().enumerate() {
            if tie.is_some_and(|t| csv.get(r, t) == 1.0) {
                continue;
            }
            close(got.estimate.value, csv.get(r, column), 1e-9, 1e-9, &format!("{case} sample {}", r + 1));
            if predictor.has_variance() {
                close(got.estimate.variance, csv.get(r, &column.replace("pred", "var")), 1e-9, 0.0, case);
            }
        }
        let got = Statistics::of(&residuals);
        let r = statistics.rows_of("case", case)[0];
        assert_eq!((got.n as f64, got.unpredicted), (statistics.get(r, "n"), 0));
        let names = ["ME", "MAE", "RMSE", "MSDR", "MedSDR", "R2", "r", "CCC", "cover90"];
        for ((ours, value), theirs) in got.entries().iter().zip(names) {
            // A mean error is a difference of near-equal sums: its relative tolerance is that of the errors.
            let absolute = if theirs == "ME" { 1e-9 * got.mae } else { 0.0 };
            close(*value, statistics.get(r, theirs), absolute, 1e-9, &format!("{case} {ours}"));
        }
    }
}

#[test]
fn translation_scaling_and_order_do_not_matter() {
    let csv = Csv::open("meuse.csv");
    let build = |scale: f64, dx: f64, reverse: bool| {
        let point = |r: usize| Point {
            x: (csv.get(r, "x") - 180_000.0) * scale + dx,
            y: (csv.get(r, "y") - 330_000.0) * scale - dx,
            value: csv.get(r, "zinc"),
            line: 0,
        };
        let mut points: Vec<_> = (0..csv.rows.len()).map(point).collect();
        if reverse {
            points.reverse();
        }
        let s = Arc::new(Samples::new(&points, Duplicates::Mean, Transform::Log, 1e-6).unwrap());
        let model: Model = format!("nug(0.05)+sph(0.6,{})", 900.0 * scale).parse().unwrap();
        let k = Kriging::new(s, &model, hood(None, None, None)).unwrap();
        predict(&k, &[700.0 * scale + dx, 250.0 * scale + dx], &[1800.0 * scale - dx, 500.0 * scale - dx])
    };
    let want = build(1.0, 0.0, false);
    for other in [build(1.0, 4e6, false), build(0.25, 0.0, false), build(1.0, 0.0, true)] {
        for (a, b) in want.iter().zip(other) {
            close(b.value, a.value, 1e-9, 0.0, "estimate");
            close(b.variance, a.variance, 1e-9, 0.0, "variance");
        }
    }
}

mod verbs {
    use std::path::{Path, PathBuf};
    use std::process::{Command, Output};

    use super::{Csv, M, close};

    fn regrow(arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_regrow")).args(arguments).output().unwrap()
    }

    #[track_caller]
    fn done(arguments: &[&str]) -> String {
        let out = regrow(arguments);
        let stderr = String::from_utf8(out.stderr).unwrap();
        assert!(out.status.success(), "{stderr}");
        stderr
    }

    #[track_caller]
    fn refused(arguments: &[&str], code: i32) -> String {
        let out = regrow(arguments);
        let stderr = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(code), "{stderr}");
        assert_eq!(stderr.trim().lines().count(), 1, "{stderr}");
        stderr
    }

    fn fixture(name: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/oracles/geostat").join(name);
        path.to_str().unwrap().to_owned()
    }

    fn read(path: &Path) -> Csv {
        Csv::parse(&std::fs::read_to_string(path).unwrap())
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }
        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }
        fn text(&self, name: &str) -> String {
            self.path(name).to_str().unwrap().to_owned()
        }
        fn write(&self, name: &str, text: &str) -> String {
            std::fs::write(self.path(name), text).unwrap();
            self.text(name)
        }
    }

    #[test]
    fn predictions_at_points_equal_the_oracle() {
        let dir = Folder::new();
        let (samples, points) = (fixture("meuse.csv"), fixture("lognormal_exceedance.csv"));
        let out = dir.text("at.csv");
        done(&[
            "interpolate",
            &samples,
            "--value",
            "zinc",
            "--crs",
            "EPSG:28992",
            "--log",
            "--variogram",
            M,
            "--exceed",
            "500,200",
            "--at",
            &points,
            "-o",
            &out,
        ]);
        let got = read(&dir.path("at.csv"));
        assert_eq!(got.rows.len(), 311);
        for r in 0..got.rows.len() {
            close(got.get(r, "estimate"), got.get(r, "mean_ok_unbiased"), 0.0, 1e-9, "estimate");
            close(got.get(r, "p_exceed_500"), got.get(r, "p_gt_500"), 0.0, 1e-9, "p_exceed_500");
            close(got.get(r, "p_exceed_200"), got.get(r, "p_gt_200"), 0.0, 1e-9, "p_exceed_200");
        }
    }

    #[test]
    fn maps_do_not_depend_on_threads_and_hold_what_they_promise() {
        let dir = Folder::new();
        let samples = fixture("meuse.csv");
        let maps: Vec<Vec<u8>> = ["1", "2"]
            .iter()
            .map(|threads| {
                let out = dir.text(&format!("map{threads}.tif"));
                done(&[
                    "interpolate",
                    &samples,
                    "--value",
                    "zinc",
                    "--crs",
                    "EPSG:28992",
                    "--res",
                    "40",
                    "--exceed",
                    "500",
                    "--threads",
                    threads,
                    "--reproducible",
                    "-o",
                    &out,
                ]);
                std::fs::read(out).unwrap()
            })
            .collect();
        assert!(maps[0] == maps[1], "maps differ");
        let source = regrow::io::open_raster(&dir.path("map1.tif")).unwrap();
        let names: Vec<_> = source.bands().iter().map(|b| b.name.clone()).collect();
        assert_eq!(names, ["estimate", "sd", "p_exceed_500"]);
        assert_eq!(source.grid().bounds().unwrap(), [178_600.0, 329_680.0, 181_400.0, 333_640.0]);
    }

    #[test]
    fn fitted_variogram_is_used_in_the_scale_it_was_fitted_in() {
        let dir = Folder::new();
        let samples = fixture("meuse.csv");
        let (model, plot, out) = (dir.text("v.json"), dir.text("v.svg"), dir.text("at.csv"));
        done(&[
            "variogram",
            &samples,
            "--value",
            "zinc",
            "--crs",
            "EPSG:28992",
            "--log",
            "-o",
            &model,
            "--plot",
            &plot,
        ]);
        let document: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&model).unwrap()).unwrap();
        close(document["structures"][0]["range"].as_f64().unwrap(), 897.0, 0.0, 1e-3, "range");
        assert_eq!(document["empirical"].as_array().unwrap().len(), 15);
        assert!(std::fs::read_to_string(&plot).unwrap().contains("<svg xmlns"));
        let base = [
            "interpolate",
            &samples,
            "--value",
            "zinc",
            "--crs",
            "EPSG:28992",
            "--variogram",
            &model,
            "--at",
            &samples,
        ];
        let e = refused(&[&base[..], &["-o", &out]].concat(), 2);
        assert!(e.contains("of logarithms"), "{e}");
        let log = dir.text("log.csv");
        done(&[&base[..], &["--log", "--cv", &dir.text("cv.csv"), "-o", &log]].concat());
        let got = read(&dir.path("log.csv"));
        // Kriging is exact at samples.
        close(got.get(0, "estimate"), 1022.0, 0.0, 1e-9, "at a sample");
        assert!(got.get(0, "sd") < 1e-6);
        let cv = read(&dir.path("cv.csv"));
        close(cv.get(0, "predicted_ln"), 6.7682587906, 1e-6, 0.0, "left out");
    }

    #[test]
    fn co_located_samples_are_merged_and_counted() {
        // Four samples, two of them in one place; the merged value is their mean.
        let dir = Folder::new();
        let samples = dir.write("s.csv", "x,y,cu\n0,0,1\n100,0,3\n0,100,5\n100,0,5\n");
        let out = dir.text("at.csv");
        let base =
            ["interpolate", &samples, "--value", "cu", "--crs", "local", "--variogram", "sph(1,300)", "--at", &samples];
        let stderr = done(&[&base[..], &["--duplicates", "median", "-o", &out]].concat());
        assert!(
            stderr.contains("1 places have more than one sample (1 with different values); merged by median"),
            "{stderr}"
        );
        close(read(&dir.path("at.csv")).get(1, "estimate"), 4.0, 1e-12, 0.0, "median");
        let e = refused(&[&base[..], &["--duplicates", "error", "-o", &dir.text("no.csv")]].concat(), 3);
        assert!(e.contains("lines 3 and 5"), "{e}");
    }

    #[test]
    fn requests_that_cannot_be_met_are_refused_in_one_line() {
        let dir = Folder::new();
        let samples = dir.write("s.csv", "x,y,cu\n0,0,1\n100,0,3\n0,100,5\n");
        let out = dir.text("o.tif");
        let with = |more: &[&str]| {
            let all = [&["interpolate", &samples, "--value", "cu", "--crs", "local", "-o", &out], more].concat();
            all.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()
        };
        let refuse = |more: &[&str], code: i32, says: &str| {
            let all = with(more);
            let e = refused(&all.iter().map(String::as_str).collect::<Vec<_>>(), code);
            assert!(e.contains(says), "{e}");
            assert!(!Path::new(&out).exists());
        };
        refuse(&["--res", "0"], 2, "--res 0");
        refuse(&["--res", "1e-9"], 4, "cells");
        refuse(&["--res", "10"], 3, "3 samples are too few");
        refuse(&["--res", "10", "--method", "tps"], 2, "not built in yet; there are idw, nearest and ok");
        refuse(&["--res", "10", "--method", "idw", "--exceed", "2"], 2, "--exceed");
        refuse(&["--res", "10", "--method", "idw", "--bbox", "900,900,990,990"], 3, "does not meet the samples");
        refuse(&["--method", "idw"], 2, "--like RASTER, --res SIZE");
    }
}
