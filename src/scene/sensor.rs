//! Sensors, told by product names, file metadata or band names that only one sensor has. What they store is data
//! (`sensors.toml`), and users add their own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::raster::Role;

/// The sensors that are built in, as the file that `regrow sensors --show` prints.
pub const BUILT_IN: &str = include_str!("sensors.toml");

static KNOWN: LazyLock<Vec<Arc<Definition>>> =
    LazyLock::new(|| read(BUILT_IN, "sensors.toml").unwrap_or_else(|e| unreachable!("{e}")));

/// What a sensor stores and how its products and bands are called.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Short name (`sentinel2-l2a`).
    pub name: String,
    /// Name for messages.
    pub title: String,
    /// Marks of product names.
    #[serde(default)]
    pub names: Vec<String>,
    /// Band names that only this sensor has.
    #[serde(default)]
    pub telltale: Vec<String>,
    /// Scale to reflectance.
    pub scale: f64,
    /// Offset to reflectance.
    pub offset: f64,
    /// Stored offset from a processing baseline on.
    pub baseline_offset: Option<BaselineOffset>,
    /// Stored value where there is no observation.
    pub fill: Option<f64>,
    /// True where reflectance is not corrected for the atmosphere.
    #[serde(default)]
    pub top_of_atmosphere: bool,
    /// Roles of numbered bands, for files of exactly that many.
    #[serde(default)]
    pub order: Vec<RoleName>,
    /// Where the encoding is specified.
    pub source: Option<String>,
    /// Bands by name.
    #[serde(default)]
    pub bands: BTreeMap<String, BandRule>,
}

/// A stored offset that a product has from a processing baseline on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineOffset {
    from: String,
    /// Stored units to add.
    pub stored: f64,
}

/// A role in a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RoleName(pub Role);

impl TryFrom<String> for RoleName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|e: Error| e.to_string())
    }
}

/// What a band measures, and its encoding where it differs from that of the sensor.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum BandRule {
    /// A band stored like the others.
    Role(RoleName),
    /// A band with an encoding of its own.
    Encoded {
        /// What it measures.
        role: RoleName,
        /// Scale to the physical quantity.
        scale: f64,
        /// Offset to the physical quantity.
        offset: f64,
    },
}

impl BandRule {
    /// What the band measures.
    #[must_use]
    pub fn role(&self) -> Role {
        match self {
            Self::Role(r) | Self::Encoded { role: r, .. } => r.0,
        }
    }
}

/// Reads definitions; `name` is the file, for messages.
fn read(text: &str, name: &str) -> Result<Vec<Arc<Definition>>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        sensor: Vec<Definition>,
    }
    let file: File = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        Error::input(format!("{name}: line {line}: {}; see `regrow sensors --show`", e.message().replace('\n', " ")))
    })?;
    for sensor in &file.sensor {
        let positive = |s: f64| s.is_finite() && s != 0.0;
        let encoded = sensor.bands.values().all(|b| match b {
            BandRule::Role(_) => true,
            BandRule::Encoded { scale, offset, .. } => positive(*scale) && offset.is_finite(),
        });
        if !positive(sensor.scale) || !sensor.offset.is_finite() || !encoded {
            return Err(Error::input(format!("{name}: sensor {:?}: a scale is a number other than 0", sensor.name)));
        }
        if let Some(b) = &sensor.baseline_offset
            && number(&b.from).is_none()
        {
            return Err(Error::input(format!("{name}: sensor {:?}: baseline {:?} is not NN.NN", sensor.name, b.from)));
        }
    }
    Ok(file.sensor.into_iter().map(Arc::new).collect())
}

/// The sensors a scene may be of: those of the user first, then the ones that are built in.
#[derive(Clone, Debug)]
pub struct Sensors(Vec<Arc<Definition>>);

impl Default for Sensors {
    fn default() -> Self {
        Self(KNOWN.clone())
    }
}

impl Sensors {
    /// The built-in sensors, and before them those of a file.
    ///
    /// # Errors
    /// Failed reading; input error that names the line of what is wrong.
    pub fn with_file(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let path = super::local_file(path).map_err(|e| e.context("--sensors"))?;
        let text = std::fs::read_to_string(path).map_err(|e| Error::from_io(&format!("reading {name}"), &e))?;
        let mut sensors = read(&text, &name)?;
        sensors.extend(KNOWN.iter().cloned());
        Ok(Self(sensors))
    }

    /// All definitions.
    #[must_use]
    pub fn all(&self) -> &[Arc<Definition>] {
        &self.0
    }

    /// The sensor whose product identifier stands in `text` (a file name or a metadata value).
    pub(super) fn in_text(&self, text: &str) -> Option<Sensor> {
        let found = self.0.iter().find(|d| d.names.iter().any(|n| contains(text, n)));
        if let Some(d) = found {
            return Some(Sensor { definition: Arc::clone(d), baseline: baseline(text) });
        }
        // A file cut out of a product may keep the baseline and the band name alone (`N0400_B04_10m.tif`).
        let baseline = Some(baseline(text)?);
        let named = |d: &&Arc<Definition>| d.baseline_offset.is_some() && words(text).any(|w| d.role(w).is_some());
        self.0.iter().find(named).map(|d| Sensor { definition: Arc::clone(d), baseline })
    }

    /// The sensor that band names alone give away.
    pub(super) fn in_names<'a>(&self, names: impl Iterator<Item = &'a str>) -> Option<Sensor> {
        let names: Vec<&str> = names.collect();
        let own =
            |d: &&Arc<Definition>| d.telltale.iter().any(|t| names.iter().any(|n| n.trim().eq_ignore_ascii_case(t)));
        self.0.iter().find(own).map(|d| Sensor { definition: Arc::clone(d), baseline: None })
    }

    /// The sensor of a name in `sensors.toml`.
    pub(super) fn named(&self, name: &str) -> Option<Sensor> {
        self.0.iter().find(|d| d.name == name).map(|d| Sensor { definition: Arc::clone(d), baseline: None })
    }
}

/// A sensor and what of its product is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sensor {
    definition: Arc<Definition>,
    /// 301 for processing baseline 03.01.
    baseline: Option<u16>,
}

impl std::ops::Deref for Sensor {
    type Target = Definition;
    fn deref(&self) -> &Definition {
        &self.definition
    }
}

impl Definition {
    /// Roles of its bands.
    #[must_use]
    pub fn roles(&self) -> Vec<Role> {
        let mut roles: Vec<Role> =
            self.bands.values().map(BandRule::role).chain(self.order.iter().map(|r| r.0)).collect();
        roles.sort_unstable();
        roles
    }

    /// Role of a band name of this sensor (`B04`, `SR_B4`, `B8A`, `SCL`, `QA_PIXEL`, `Fmask`).
    pub(super) fn role(&self, name: &str) -> Option<Role> {
        let wanted = plain(name);
        self.bands.iter().find(|(n, _)| plain(n) == wanted).map(|(_, rule)| rule.role())
    }

    /// The sensor's own number of a band, as in `SR_B4`.
    pub(super) fn number(&self, role: Role) -> Option<u32> {
        let name = self.bands.iter().find(|(_, rule)| rule.role() == role)?.0;
        plain(name).strip_prefix('B')?.parse().ok().filter(|n| (1..=16).contains(n))
    }

    /// Scale and offset of a role, before any offset by baseline.
    pub(super) fn encoding(&self, role: Role) -> (f64, f64) {
        let own = self.bands.values().find_map(|b| match b {
            BandRule::Encoded { role: r, scale, offset } if r.0 == role => Some((*scale, *offset)),
            _ => None,
        });
        own.unwrap_or((self.scale, self.offset))
    }
}

impl Sensor {
    /// The same with the baseline that metadata state.
    pub(super) fn of_baseline(mut self, baseline: u16) -> Self {
        self.baseline = Some(baseline);
        self
    }

    /// Stored offset of the product's baseline; nothing where the baseline is not known and the sensor has one.
    pub(super) fn stored_offset(&self) -> Option<f64> {
        match (&self.baseline_offset, self.baseline) {
            (None, _) => Some(0.0),
            (Some(rule), Some(b)) => Some(if b >= number(&rule.from).unwrap_or(0) { rule.stored } else { 0.0 }),
            (Some(_), None) => None,
        }
    }

    /// Name for messages.
    pub(super) fn name(&self) -> String {
        match (&self.baseline_offset, self.baseline) {
            (None, _) => self.title.clone(),
            (Some(_), Some(b)) => format!("{} of baseline {:02}.{:02}", self.title, b / 100, b % 100),
            (Some(_), None) => format!("{} of unknown baseline", self.title),
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
}

/// 400 of a word `N0400`.
fn baseline(text: &str) -> Option<u16> {
    words(text).find_map(|w| w.strip_prefix(['N', 'n']).filter(|d| d.len() == 4)?.parse().ok())
}

/// 400 of `04.00`.
pub(super) fn number(text: &str) -> Option<u16> {
    let (major, minor) = text.trim().split_once('.')?;
    let digits = |t: &str| t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit());
    (digits(major) && digits(minor)).then(|| format!("{major}{minor}").parse().ok())?
}

/// A band name without what varies in how it is written: `sr_b4`, `B04` and `B4` are one.
fn plain(name: &str) -> String {
    let upper = name.trim().to_ascii_uppercase();
    let short = upper.strip_prefix("SR_").unwrap_or(&upper);
    match short.strip_prefix("B0") {
        Some(digit) if digit.len() == 1 => format!("B{digit}"),
        _ => short.to_owned(),
    }
}

/// True where `pattern` stands in `text` at the start of a word, letters of either case: `?` is any character, `[AB]` one of
/// these.
fn contains(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.to_ascii_uppercase(), pattern.to_ascii_uppercase());
    let boundary = |at: usize| at == 0 || !text.as_bytes()[at - 1].is_ascii_alphanumeric();
    (0..text.len()).any(|at| boundary(at) && matches(&text.as_bytes()[at..], pattern.as_bytes()))
}

fn matches(text: &[u8], pattern: &[u8]) -> bool {
    let Some((&p, rest)) = pattern.split_first() else { return true };
    let Some((&c, after)) = text.split_first() else { return false };
    match p {
        b'?' => matches(after, rest),
        b'[' => match rest.iter().position(|b| *b == b']') {
            Some(end) => rest[..end].contains(&c) && matches(after, &rest[end + 1..]),
            None => false,
        },
        _ => p == c && matches(after, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_text(text: &str) -> Option<Sensor> {
        Sensors::default().in_text(text)
    }

    #[test]
    fn product_names_tell_the_sensor() {
        let landsat = in_text("LC08_L2SP_218074_20190114_20200829_02_T1").unwrap();
        assert_eq!((landsat.name.as_str(), landsat.encoding(Role::Red)), ("landsat-oli", (2.75e-5, -0.2)));
        assert_eq!(in_text("LT05_L2SP_1_SR_B4.TIF").unwrap().role("SR_B4"), Some(Role::Nir));
        assert_eq!(landsat.role("SR_B4"), Some(Role::Red));
        assert_eq!(landsat.encoding(Role::Thermal1), (0.003_418_02, 149.0));
        let s2 = in_text("S2A_MSIL2A_20200210T003111_N0500_R049_T55HBU.SAFE").unwrap();
        assert_eq!((s2.baseline, s2.stored_offset()), (Some(500), Some(-1000.0)));
        let cut = in_text("N0301_B04_10m.tif").unwrap();
        assert_eq!((cut.baseline, cut.stored_offset()), (Some(301), Some(0.0)));
        assert_eq!(in_text("HLS.L30.T56JMQ.2019014T235309.v2.0.B05.tif").unwrap().role("B05"), Some(Role::Nir));
        assert!(in_text("S2C_MSIL1C_20200210T003111_N0511").unwrap().top_of_atmosphere);
        assert_eq!(in_text("20230615_101010_12_2459_3B_AnalyticMS_SR_8b_clip.tif").unwrap().order.len(), 8);
        assert_eq!(in_text("20230615_101010_12_2459_3B_AnalyticMS_SR_clip.tif").unwrap().order.len(), 4);
    }

    #[test]
    fn nothing_is_guessed_from_other_names() {
        for text in ["LC08_L1TP_218074_20190114", "scene.tif", "N0400.tif", "B04.tif", "XS2A_MSIL2A"] {
            assert_eq!(in_text(text), None, "{text}");
        }
        let sensors = Sensors::default();
        assert_eq!(sensors.in_names(["B2", "B4", "B5"].into_iter()), None);
        let msi = sensors.in_names(["B12", "B08", "B8A", "B04"].into_iter()).unwrap();
        assert_eq!(msi.role("B8A"), Some(Role::Nir08));
        assert_eq!(msi.role("B08"), Some(Role::Nir));
        assert_eq!((msi.role("B10"), msi.stored_offset()), (None, None));
    }

    #[test]
    fn sensors_of_a_user_come_first_and_are_checked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        let text = "[[sensor]]\nname = \"ours\"\ntitle = \"Our camera\"\nnames = [\"OURS_\"]\nscale = 0.001\noffset = 0.0\n\
                    [sensor.bands]\nC1 = \"red\"\n";
        std::fs::write(&path, text).unwrap();
        let sensors = Sensors::with_file(&path).unwrap();
        assert_eq!(sensors.in_text("OURS_1.tif").unwrap().role("c1"), Some(Role::Red));
        for (wrong, word) in [("0.001", "line 5"), ("0.0", "other than 0")] {
            let value = if wrong == "0.0" { "0.0" } else { "\"x\"" };
            std::fs::write(&path, text.replace("0.001", value)).unwrap();
            let e = Sensors::with_file(&path).unwrap_err().to_string();
            assert!(e.contains(word) && e.contains("mine.toml"), "{e}");
        }
        std::fs::write(&path, text.replace("red", "rde")).unwrap();
        assert!(Sensors::with_file(&path).unwrap_err().to_string().contains("line 8"));
    }
}
