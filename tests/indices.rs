//! Indices from the command line: the user's own, kernels, and the visible bands of drones, against formulas by hand.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use std::fs::File;
use std::path::Path;
use std::process::Command;

use regrow::io::open_raster;
use regrow::raster::{Raw, Samples};
use tiff::encoder::{TiffEncoder, colortype};

/// Exit code, stdout and stderr of `regrow index`.
fn index(arguments: &[&str]) -> (i32, String, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_regrow")).arg("index").args(arguments).output().unwrap();
    let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
    (run.status.code().unwrap(), text(run.stdout), text(run.stderr))
}

fn made(arguments: &[&str]) {
    let (code, _, err) = index(arguments);
    assert_eq!(code, 0, "{arguments:?}: {err}");
}

/// The bands of a raster by description.
fn bands(path: &str) -> Vec<(String, Vec<f32>)> {
    let source = open_raster(Path::new(path)).unwrap();
    let mut reader = source.open().unwrap();
    let read = |(i, band): (usize, &regrow::raster::Band)| {
        let mut raw = [Raw::default()];
        reader.read(&[i], source.grid().window(), &mut raw).unwrap();
        let Samples::F32(values) = raw[0].samples.clone() else { panic!("{} is not float32", band.name) };
        (band.name.clone(), values)
    };
    source.bands().iter().enumerate().map(read).collect()
}

fn near(found: f32, wanted: f64) {
    assert!((f64::from(found) - wanted).abs() <= 1e-6 * wanted.abs().max(1.0), "found {found}, wanted {wanted}");
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn name(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
    fn text(&self, name: &str, text: &str) -> String {
        std::fs::write(self.name(name), text).unwrap();
        self.name(name)
    }
    /// A band of reflectance x 10000.
    fn band(&self, name: &str, values: &[u16]) -> String {
        let file = File::create(self.name(name)).unwrap();
        let mut tiff = TiffEncoder::new(file).unwrap();
        tiff.write_image::<colortype::Gray16>(values.len() as u32, 1, values).unwrap();
        self.name(name)
    }
}

const NIR: [u16; 4] = [3853, 3318, 1458, 4255];
const RED: [u16; 4] = [535, 2335, 361, 4402];
const BLUE: [u16; 4] = [300, 900, 250, 2000];
const GREEN: [u16; 4] = [700, 1500, 420, 3000];

#[test]
fn indices_of_a_file_are_computed_with_their_constants_and_range() {
    let folder = Folder::new();
    let (nir, red) = (folder.band("n.tif", &NIR), folder.band("r.tif", &RED));
    let own = folder.text(
        "my.toml",
        "[[index]]\nname = \"MINE\"\nformula = \"(N-R)/(nir+red+w)\"\nrange = [0.0, 1.0]\nreference = \"Doe 2024\"\n\
         constants = { w = 0.25 }\n\n[[index]]\nname = \"user:NDVI\"\nformula = \"N/R\"\n",
    );
    let (nir, red) = (format!("nir={nir}"), format!("red={red}"));
    for (more, w) in [(&[][..], 0.25), (&["--const", "w=0.5"][..], 0.5)] {
        let out = folder.name("out.tif");
        let names = "MINE,NDVI,user:NDVI";
        made(&[&[names, &nir, &red, "--indices", &own, "--scale", "0.0001", "-o", &out, "--overwrite"], more].concat());
        let found = bands(&out);
        assert_eq!(found.iter().map(|b| b.0.as_str()).collect::<Vec<_>>(), ["MINE", "NDVI", "user:NDVI"]);
        for i in 0..4 {
            let (n, r) = (f64::from(NIR[i]) / 1e4, f64::from(RED[i]) / 1e4);
            // The last pixel is below the range.
            match i {
                3 => assert!(found[0].1[i].is_nan()),
                _ => near(found[0].1[i], (n - r) / (n + r + w)),
            }
            near(found[1].1[i], (n - r) / (n + r));
            near(found[2].1[i], n / r);
        }
        let sidecar = std::fs::read_to_string(folder.name("out.tif.json")).unwrap();
        assert!(sidecar.contains("reference: Doe 2024"), "{sidecar}");
    }
    let (code, out, _) = index(&["--show", "MINE", "--indices", &own]);
    assert!(code == 0 && out.contains("w = 0.25") && out.contains("Doe 2024") && out.contains("0 to 1"), "{out}");
    let (_, out, _) = index(&["--list", "--indices", &own, "--sensor", "multispectral-drone"]);
    assert!(out.starts_with("MINE ") && out.contains("user:NDVI") && !out.contains("NDMI "), "{out}");
}

#[test]
fn files_of_indices_that_are_wrong_are_refused_in_one_line() {
    let folder = Folder::new();
    for (text, part) in [
        ("[[index]]\nname = \"NDVI\"\nformula = \"N/R\"\n", "user:NDVI"),
        ("[[index]]\nname = \"MINE\"\nformula = \"N/Q7\"\n", ":3: index[1].formula"),
        ("[[index]]\nname = \"MINE\"\nformula = \"N\"\nunit = \"m\"\n", ":4"),
    ] {
        let own = folder.text("bad.toml", text);
        let (code, _, err) = index(&["--list", "--indices", &own]);
        assert!(code == 2 && err.contains("bad.toml") && err.contains(part) && err.lines().count() == 1, "{err}");
    }
    let own = folder.text("my.toml", "[[index]]\nname = \"MINE\"\nformula = \"N\"\n");
    let (code, _, err) = index(&["--show", "MNIE", "--indices", &own]);
    assert!(code == 2 && err.contains("--indices has MINE"), "{err}");
    let (code, _, err) = index(&["--list", "--sensor", "modis"]);
    assert!(code == 2 && err.contains("landsat-oli"), "{err}");
}

#[test]
fn kernel_indices_follow_the_documented_sigma() {
    let folder = Folder::new();
    let scene = [("nir", NIR), ("red", RED), ("green", GREEN), ("blue", BLUE)]
        .map(|(role, values)| format!("{role}={}", folder.band(&format!("{role}.tif"), &values)));
    let names = "kNDVI,kEVI,kIPVI,kRVI,kVARI";
    for sigma in [None, Some(0.2)] {
        let out = folder.name("out.tif");
        let set = sigma.map(|s| format!("sigma={s}"));
        let mut arguments = vec![names];
        arguments.extend(scene.iter().map(String::as_str));
        arguments.extend(["--scale", "0.0001", "-o", &out, "--overwrite"]);
        arguments.extend(set.iter().flat_map(|s| ["--const", s]));
        made(&arguments);
        let found = bands(&out);
        for i in 0..4 {
            let [n, r, g, b] = [NIR, RED, GREEN, BLUE].map(|v| f64::from(v[i]) / 1e4);
            let rbf = |x: f64, y: f64, s: f64| (-(x - y).powi(2) / (2.0 * s * s)).exp();
            let k = |x: f64, y: f64| rbf(x, y, sigma.unwrap_or(0.5));
            let own = rbf(n, r, sigma.unwrap_or(f64::midpoint(n, r)));
            near(found[0].1[i], (1.0 - own) / (1.0 + own));
            near(found[1].1[i], 2.5 * (1.0 - k(n, r)) / (1.0 + 6.0 * k(n, r) - 7.5 * k(n, b) + k(n, 1.0)));
            near(found[2].1[i], 1.0 / (1.0 + k(n, r)));
            near(found[3].1[i], 1.0 / k(n, r));
            near(found[4].1[i], (1.0 - k(g, r)) / (1.0 + k(g, r) - k(g, b)));
        }
    }
}

#[test]
fn visible_indices_of_drones_need_no_scale_unless_they_are_sums() {
    let folder = Folder::new();
    let photo = folder.name("photo.tif");
    let pixels: [[u8; 3]; 3] = [[90, 120, 60], [200, 180, 150], [30, 80, 20]];
    let mut tiff = TiffEncoder::new(File::create(&photo).unwrap()).unwrap();
    tiff.write_image::<colortype::RGB8>(3, 1, pixels.as_flattened()).unwrap();
    let (out, roles) = (folder.name("out.tif"), "red=1,green=2,blue=3");
    made(&["VARI,ExG,ExR,ExGR,GLI,NGRDI", &photo, "--bands", roles, "-o", &out]);
    let found = bands(&out);
    for (i, pixel) in pixels.iter().enumerate() {
        let [r, g, b] = pixel.map(f64::from);
        let sum = r + g + b;
        let (exg, exr) = ((2.0 * g - r - b) / sum, (1.4 * r - g) / sum);
        let wanted =
            [(g - r) / (g + r - b), exg, exr, exg - exr, (2.0 * g - r - b) / (2.0 * g + r + b), (g - r) / (g + r)];
        found.iter().zip(wanted).for_each(|(band, wanted)| near(band.1[i], wanted));
    }
    let tgi = folder.name("tgi.tif");
    let (code, _, err) = index(&["VARI,TGI", &photo, "--bands", roles, "-o", &tgi]);
    assert!(code == 3 && err.contains("TGI needs reflectance") && err.contains("--scale 0.0039"), "{err}");
    made(&["TGI", &photo, "--bands", roles, "--scale", "0.00392156862745098", "-o", &tgi]);
    let [r, g, b] = pixels[0].map(|v| f64::from(v) / 255.0);
    near(bands(&tgi)[0].1[0], -0.5 * (190.0 * (r - g) - 120.0 * (r - b)));
}
