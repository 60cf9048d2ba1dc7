//! From samples to a predictor: merging, variogram, neighbourhood, cross-validation.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::super::samples::SampleSet;
use crate::error::{Error, Result};
use crate::geostat::{
    Back, Choice, Duplicates, Empirical, Idw, Kriging, Lags, Model, ModelFile, Neighbourhood, Predictor, Residual,
    Samples, Statistics, Transform, choice, validation,
};
use crate::grid::Crs;
use crate::product::Notes;

/// Beyond this many samples cross-validation is done only where its table is asked for.
const MOST_VALIDATED: usize = 100_000;

/// Interpolation methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Inverse distance weighting.
    Idw,
    /// Value of the nearest sample.
    Nearest,
    /// Ordinary kriging.
    Ok,
}

impl Method {
    /// Name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Idw => "inverse distance weighting",
            Self::Nearest => "nearest sample",
            Self::Ok => "ordinary kriging",
        }
    }
}

impl FromStr for Method {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        match s {
            "idw" => Ok(Self::Idw),
            "nearest" => Ok(Self::Nearest),
            "ok" => Ok(Self::Ok),
            "natural" | "tps" | "sk" | "uk" | "ked" | "ik" | "cokriging" => {
                Err(Error::usage(format!("method {s} is not built in yet; there are idw, nearest and ok")))
            }
            _ => Err(Error::usage(format!("method {s:?} is not known; there are idw, nearest and ok"))),
        }
    }
}

/// Where the variogram comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum VariogramSource {
    /// Fitted to the samples, model chosen automatically.
    Auto,
    /// An expression.
    Given(Model),
    /// A file the `variogram` verb wrote.
    File(PathBuf),
}

impl FromStr for VariogramSource {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        if s.eq_ignore_ascii_case("auto") {
            Ok(Self::Auto)
        } else if Path::new(s).extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
            Ok(Self::File(s.into()))
        } else {
            s.parse().map(Self::Given)
        }
    }
}

/// How to interpolate.
#[derive(Clone, Debug)]
pub struct InterpolateOptions {
    /// Method.
    pub method: Method,
    /// At most this many nearest samples.
    pub nmax: Option<usize>,
    /// Nodata with fewer samples than this in reach.
    pub nmin: Option<usize>,
    /// Reach in coordinate units.
    pub radius: Option<f64>,
    /// Power of inverse distance weighting.
    pub power: f64,
    /// Variogram of kriging.
    pub variogram: VariogramSource,
    /// Working scale.
    pub transform: Transform,
    /// Thresholds whose exceedance is mapped.
    pub exceed: Vec<f64>,
    /// Co-located samples.
    pub duplicates: Duplicates,
    /// Cross-validate whatever the number of samples.
    pub validate: bool,
}

impl Default for InterpolateOptions {
    fn default() -> Self {
        Self {
            method: Method::Ok,
            nmax: None,
            nmin: None,
            radius: None,
            power: 2.0,
            variogram: VariogramSource::Auto,
            transform: Transform::None,
            exceed: Vec::new(),
            duplicates: Duplicates::Mean,
            validate: false,
        }
    }
}

impl InterpolateOptions {
    /// Checks what can be checked without samples.
    ///
    /// # Errors
    /// Usage error that names the option, its value and what is allowed.
    pub fn check(&self) -> Result<()> {
        if self.method != Method::Ok {
            if !self.exceed.is_empty() {
                return Err(Error::usage(format!(
                    "--exceed needs a method that knows its uncertainty; {} does not, use --method ok",
                    self.method.title()
                )));
            }
            if self.transform == Transform::Log {
                return Err(Error::usage("--log goes with --method ok"));
            }
        }
        if let Some(t) = self.exceed.iter().find(|t| !t.is_finite() || (self.transform == Transform::Log && **t <= 0.0))
        {
            return Err(Error::usage(format!("--exceed {t}: a number is needed, with --log more than 0")));
        }
        Ok(())
    }
}

/// Samples with everything needed to predict from them.
pub struct Prepared {
    /// Name of the sample file.
    pub name: String,
    /// Column.
    pub value: String,
    /// Unit of the values; empty where unknown.
    pub unit: &'static str,
    /// Reference system.
    pub crs: Crs,
    /// Merged samples.
    pub samples: Arc<Samples>,
    /// Method.
    pub method: Method,
    /// Predictor.
    pub predictor: Arc<dyn Predictor>,
    /// Way back to the unit of the values.
    pub back: Back,
    /// Neighbourhood.
    pub neighbourhood: Neighbourhood,
    /// Variogram model, for kriging.
    pub model: Option<Model>,
    /// Empirical variogram, where one was computed.
    pub empirical: Option<Empirical>,
    /// How the model was chosen, where it was.
    pub choice: Option<Choice>,
    /// Leave-one-out residuals in sample order; empty where not done.
    pub residuals: Vec<Residual>,
    /// Their statistics.
    pub statistics: Option<Statistics>,
    thresholds: Vec<f64>,
    dropped: [(&'static str, usize); 3],
}

/// Makes a predictor.
///
/// # Errors
/// Usage, input and limit errors of samples, variogram and system.
pub fn prepare(set: &SampleSet, options: &InterpolateOptions, notes: &dyn Notes) -> Result<Prepared> {
    options.check()?;
    let named = |e: Error| e.context(&set.name);
    // One millimetre in units of the coordinates.
    let least = 1e-3 / set.crs.metres_per_unit;
    let samples = Samples::new(&set.points, options.duplicates, options.transform, least).map_err(named)?;
    let samples = Arc::new(samples);
    tell_merged(&samples, set, options, notes);
    let nmax = if options.method == Method::Nearest { Some(1) } else { options.nmax };
    let hood = Neighbourhood::resolve(samples.len(), nmax, options.nmin, options.radius)?;
    if !hood.is_global(samples.len()) && nmax.is_none() {
        notes.decide(&format!(
            "{} samples: each estimate uses the nearest {} (at least {})",
            samples.len(),
            hood.nmax,
            hood.nmin
        ));
    }
    let (mut model, mut empirical, mut chosen) = (None, None, None);
    let predictor: Arc<dyn Predictor> = match options.method {
        Method::Idw => Arc::new(Idw::new(Arc::clone(&samples), options.power, hood)?),
        Method::Nearest => Arc::new(Idw::new(Arc::clone(&samples), 2.0, hood)?),
        Method::Ok => {
            let resolved = variogram(&samples, set, options, hood, notes)?;
            (empirical, chosen) = (resolved.1, resolved.2);
            let kriging = Kriging::new(Arc::clone(&samples), &resolved.0, hood).map_err(named)?;
            kriging.notes().iter().for_each(|n| notes.warn(&format!("{}: {n}", set.name)));
            model = Some(resolved.0);
            Arc::new(kriging)
        }
    };
    let largest = samples.value.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let back = Back::new(options.transform, largest, &options.exceed);
    let mut residuals = Vec::new();
    if options.validate || samples.len() <= MOST_VALIDATED {
        residuals = validation::leave_one_out(predictor.as_ref(), &samples.z).map_err(named)?;
    }
    let statistics = (!residuals.is_empty()).then(|| Statistics::of(&residuals));
    let dropped = [
        ("samples_missing", set.missing),
        ("samples_not_finite", set.not_finite),
        ("samples_below_detection", set.below_detection),
    ];
    let prepared = Prepared {
        name: set.name.clone(),
        value: set.value.clone(),
        unit: set.unit(),
        crs: set.crs.clone(),
        samples,
        method: options.method,
        predictor,
        back,
        neighbourhood: hood,
        model,
        empirical,
        choice: chosen,
        residuals,
        statistics,
        thresholds: options.exceed.clone(),
        dropped,
    };
    prepared.doubt(notes)?;
    Ok(prepared)
}

fn tell_merged(samples: &Samples, set: &SampleSet, options: &InterpolateOptions, notes: &dyn Notes) {
    let m = &samples.merged;
    if m.groups > 0 {
        notes.warn(&format!(
            "{}: {} places have more than one sample ({} with different values); merged by {}, {} of {} samples remain",
            set.name,
            m.groups,
            m.conflicting,
            options.duplicates,
            samples.len(),
            set.points.len()
        ));
    }
}

/// Reads a variogram document.
///
/// # Errors
/// Input error that names the file.
fn read_model(path: &Path) -> Result<ModelFile> {
    /// Far above any document this program writes.
    const MOST_BYTES: u64 = 16 << 20;
    let shown = path.display().to_string();
    let meta = std::fs::metadata(path).map_err(|e| Error::from_io(&format!("opening {shown}"), &e))?;
    if meta.len() > MOST_BYTES {
        return Err(Error::input(format!("{shown}: {} bytes are too many for a variogram document", meta.len())));
    }
    let text = std::fs::read_to_string(path).map_err(|e| Error::from_io(&format!("reading {shown}"), &e))?;
    ModelFile::parse(&text).map_err(|e| e.context(&shown))
}

/// The model to krige with, and how it came about.
fn variogram(
    samples: &Arc<Samples>,
    set: &SampleSet,
    options: &InterpolateOptions,
    hood: Neighbourhood,
    notes: &dyn Notes,
) -> Result<(Model, Option<Empirical>, Option<Choice>)> {
    match &options.variogram {
        VariogramSource::Auto => {
            let (empirical, choice) = fit(samples, hood).map_err(|e| e.context(&set.name))?;
            choice.warnings.iter().for_each(|w| notes.warn(&format!("{}: {w}", set.name)));
            notes.decide(&format!("variogram chosen: {} (distances in units of {})", choice.model, set.crs));
            Ok((choice.model.clone(), Some(empirical), Some(choice)))
        }
        VariogramSource::Given(model) => {
            model.warnings().iter().for_each(|w| notes.warn(w));
            Ok((model.clone(), None, None))
        }
        VariogramSource::File(path) => {
            let file = read_model(path)?;
            let shown = path.display();
            if file.transform.is_some_and(|t| t != options.transform) {
                let (has, remedy) = match options.transform {
                    Transform::Log => ("of plain values", "leave out --log, or fit it with --log"),
                    Transform::None => ("of logarithms", "add --log"),
                };
                return Err(Error::usage(format!("{shown}: the variogram is {has}; {remedy}")));
            }
            if let Some(crs) = file.crs.filter(|c| *c != set.crs.to_string()) {
                return Err(Error::input(format!(
                    "{shown}: the variogram's distances are in units of {crs}, but the samples are computed in {}; fit it again",
                    set.crs
                )));
            }
            file.model.warnings().iter().for_each(|w| notes.warn(w));
            Ok((file.model, None, None))
        }
    }
}

/// Empirical variogram with default classes, and the model chosen for it.
///
/// # Errors
/// Input error where none can be fitted.
pub fn fit(samples: &Arc<Samples>, hood: Neighbourhood) -> Result<(Empirical, Choice)> {
    let n = samples.len();
    if n > 1 && n < choice::LEAST_SAMPLES || n == 1 && samples.merged.points == 0 {
        return Err(choice::too_few(n));
    }
    let empirical = Empirical::matheron(samples, &Lags::default_for(samples)?)?;
    let choice = choice::choose(samples, &empirical, hood)?;
    Ok((empirical, choice))
}

impl Prepared {
    /// Names of the bands and columns it makes: `estimate`, `sd`, `p_exceed_T`.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let mut out = vec!["estimate".to_owned()];
        if self.predictor.has_variance() {
            out.push("sd".into());
            out.extend(self.thresholds.iter().map(|t| format!("p_exceed_{t}")));
        }
        out
    }

    /// Unit of the standard deviation, which stays in the working scale.
    #[must_use]
    pub fn sd_unit(&self) -> String {
        match (self.samples.transform, self.unit) {
            (Transform::None, unit) => unit.to_owned(),
            (Transform::Log, "") => "ln".to_owned(),
            (Transform::Log, unit) => format!("ln({unit})"),
        }
    }

    /// Predicted means of the cross-validation in the unit of the values.
    #[must_use]
    pub fn predicted_values(&self) -> Vec<f64> {
        self.residuals.iter().map(|r| self.back.mean(&r.estimate).0).collect()
    }

    /// Tells where cross-validation says that the map deserves doubt: variance off, or no better than inverse distance.
    fn doubt(&self, notes: &dyn Notes) -> Result<()> {
        let (Some(s), Method::Ok) = (&self.statistics, self.method) else { return Ok(()) };
        if s.msdr < 0.7 || s.msdr > 1.4 {
            notes.warn(&format!(
                "{}: the kriging variance is questionable: squared errors are {:.2} times what it predicts (MSDR, 0.7 to 1.4 is \
                 sound)",
                self.name, s.msdr
            ));
        }
        let n = self.samples.len();
        let raw =
            Arc::new(Samples { z: self.samples.value.clone(), transform: Transform::None, ..(*self.samples).clone() });
        let idw = Idw::new(Arc::clone(&raw), 2.0, Neighbourhood::resolve(n, Some(12), None, None)?)?;
        let baseline = Statistics::of(&validation::leave_one_out(&idw, &raw.z)?);
        let in_unit: Vec<Residual> = self
            .residuals
            .iter()
            .zip(self.predicted_values())
            .zip(&raw.z)
            .map(|((r, value), &observed)| {
                let mut estimate = r.estimate;
                estimate.value = value;
                Residual { observed, estimate }
            })
            .collect();
        let ours = Statistics::of(&in_unit);
        if ours.ccc < baseline.ccc {
            notes.warn(&format!(
                "{}: inverse distance predicts left-out samples better (concordance {:.3} against {:.3}); variogram or trend are \
                 questionable",
                self.name, baseline.ccc, ours.ccc
            ));
        }
        Ok(())
    }

    /// Figures of samples, model and cross-validation; statistics of logarithms say so in their name.
    #[must_use]
    pub fn figures(&self) -> Map<String, Value> {
        let mut out = Map::new();
        let s = &self.samples;
        out.insert("method".into(), self.method.title().into());
        out.insert("samples".into(), s.len().into());
        for (name, n) in self.dropped {
            out.insert(name.into(), n.into());
        }
        out.insert("samples_merged".into(), s.merged.points.into());
        out.insert("places_merged".into(), s.merged.groups.into());
        out.insert("places_conflicting".into(), s.merged.conflicting.into());
        out.insert("nmax".into(), self.neighbourhood.nmax.into());
        out.insert("nmin".into(), self.neighbourhood.nmin.into());
        out.insert("radius".into(), self.neighbourhood.radius.map_or(Value::Null, Into::into));
        if let Some(model) = &self.model {
            out.insert("variogram".into(), model.to_string().into());
            out.insert("variogram_distance_unit".into(), self.crs.to_string().into());
            out.insert("spatial_structure".into(), self.choice.as_ref().map_or(Value::Null, |c| c.structured.into()));
            let convention = if model.error > 0.0 {
                "measurement error: filtered"
            } else {
                "micro-scale variation: exact at samples"
            };
            out.insert("nugget_convention".into(), convention.into());
        }
        let scale = if s.transform == Transform::Log { "_ln" } else { "" };
        if let Some(statistics) = &self.statistics {
            for (name, v) in statistics.entries() {
                let name = if matches!(name, "me" | "mae" | "rmse") {
                    format!("loo_{name}{scale}")
                } else {
                    format!("loo_{name}")
                };
                out.insert(name, if v.is_finite() { json!(v) } else { Value::Null });
            }
            out.insert("loo_unpredicted".into(), statistics.unpredicted.into());
        }
        out
    }
}
