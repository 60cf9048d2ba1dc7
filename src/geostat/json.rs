//! Variogram models as JSON documents.

use serde::{Deserialize, Serialize};

use super::choice::Choice;
use super::empirical::Empirical;
use super::model::{Anisotropy, Model, Shape, Structure};
use super::samples::{Samples, Transform};
use crate::error::{Error, Result};

/// A model with what is needed to use it rightly: the scale it was fitted in and the unit of its distances.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFile {
    /// The model.
    pub model: Model,
    /// Scale it was fitted in; none where the document does not say.
    pub transform: Option<Transform>,
    /// CRS of its distances (`EPSG:28992`), where the document says.
    pub crs: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StructureText {
    model: String,
    psill: f64,
    range: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kappa: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    anis: Option<[f64; 2]>,
}

/// Read side. One structure may stand flat in the document, or several in `structures`.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    nugget: f64,
    #[serde(default)]
    err: f64,
    #[serde(default)]
    structures: Vec<StructureText>,
    #[serde(flatten)]
    flat: Option<StructureText>,
    transform: Option<String>,
    crs: Option<String>,
}

impl ModelFile {
    /// Reads a document.
    ///
    /// # Errors
    /// Input error that says what is missing or wrong.
    pub fn parse(text: &str) -> Result<Self> {
        let doc: Document =
            serde_json::from_str(text).map_err(|e| Error::input(format!("not a variogram document: {e}")))?;
        let transform = match doc.transform.as_deref() {
            None => None,
            Some("none") => Some(Transform::None),
            Some("log") => Some(Transform::Log),
            Some(other) => {
                return Err(Error::input(format!("variogram of transform {other:?}: only none and log are supported")));
            }
        };
        let structures =
            doc.structures.into_iter().chain(doc.flat).map(StructureText::resolve).collect::<Result<_>>()?;
        let model = Model { nugget: doc.nugget, error: doc.err, structures };
        model.check().map_err(|e| Error::input(e.message()))?;
        Ok(Self { model, transform, crs: doc.crs })
    }
}

impl StructureText {
    fn resolve(self) -> Result<Structure> {
        let shape = Shape::from_name(&self.model)
            .ok_or_else(|| Error::input(format!("variogram model {:?} is not known", self.model)))?;
        let kappa = match (self.kappa, shape.has_kappa()) {
            (Some(k), true) => k,
            (None, true) => return Err(Error::input(format!("variogram model {}: kappa is missing", self.model))),
            (_, false) => 0.5,
        };
        let anisotropy = self.anis.map(|[azimuth, ratio]| Anisotropy { azimuth, ratio });
        Ok(Structure { shape, psill: self.psill, range: self.range, kappa, anisotropy })
    }

    fn of(s: &Structure) -> Self {
        Self {
            model: s.shape.name().to_owned(),
            psill: s.psill,
            range: s.range,
            kappa: s.shape.has_kappa().then_some(s.kappa),
            anis: s.anisotropy.map(|a| [a.azimuth, a.ratio]),
        }
    }
}

/// The document of a model and its making. `crs` names the unit of the distances; NaN statistics become null.
#[must_use]
pub fn document(
    model: &Model,
    value: &str,
    crs: &str,
    samples: &Samples,
    empirical: Option<&Empirical>,
    choice: Option<&Choice>,
) -> serde_json::Value {
    let structures: Vec<_> = model.structures.iter().map(StructureText::of).collect();
    let mut doc = serde_json::json!({
        "expression": model.to_string(),
        "nugget": model.nugget,
        "err": model.error,
        "structures": structures,
        "transform": samples.transform.name(),
        "value": value,
        "crs": crs,
        "samples": samples.len(),
        "samples_merged": samples.merged.points,
        "nugget_lower_bound": samples.merged.error_variance,
    });
    if let Some(map) = doc.as_object_mut() {
        if let Some(e) = empirical {
            map.insert("cutoff".into(), e.cutoff.into());
            map.insert("samples_paired".into(), e.samples.into());
            let bins =
                e.bins.iter().map(|b| serde_json::json!({"pairs": b.pairs, "distance": b.distance, "gamma": b.gamma}));
            map.insert("empirical".into(), bins.collect());
        }
        if let Some(c) = choice {
            map.insert("structured".into(), c.structured.into());
            let rows = c.candidates.iter().map(|c| {
                serde_json::json!({
                    "expression": c.fit.model.to_string(),
                    "sse": c.fit.sse,
                    "r2": c.fit.r2,
                    "aic": c.aic,
                    "at_bound": c.fit.at_bound,
                    "loo_rmse": c.loo.map(|s| s.rmse),
                    "loo_msdr": c.loo.map(|s| s.msdr),
                })
            });
            map.insert("candidates".into(), rows.collect());
            map.insert("warnings".into(), c.warnings.clone().into());
        }
    }
    doc
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geostat::samples::{Duplicates, Point};

    #[test]
    fn written_documents_are_read_back() {
        let model: Model = "nug(0.05)+sph(0.59,897,aniso=30:0.5)+ste(0.1,200,1.3)".parse().unwrap();
        let s = Samples::new(&[Point { x: 0.0, y: 0.0, value: 2.0, line: 2 }], Duplicates::Mean, Transform::Log, 1e-3)
            .unwrap();
        let text = document(&model, "zinc", "EPSG:28992", &s, None, None).to_string();
        let back = ModelFile::parse(&text).unwrap();
        assert_eq!(
            (back.model, back.transform, back.crs.as_deref()),
            (model, Some(Transform::Log), Some("EPSG:28992"))
        );
    }

    #[test]
    fn flat_documents_are_read_and_mistakes_named() {
        let one = ModelFile::parse(r#"{"model": "Sph", "psill": 0.6, "range": 900, "nugget": 0.05}"#).unwrap();
        assert_eq!(one.model.to_string(), "nug(0.05)+sph(0.6,900)");
        let e = |t: &str| ModelFile::parse(t).unwrap_err().to_string();
        assert!(e("[1]").contains("not a variogram document"));
        assert!(e(r#"{"model": "mat", "psill": 1, "range": 9}"#).contains("kappa is missing"));
        assert!(e(r#"{"nugget": -1}"#).contains("nugget is -1"));
        assert!(e("{}").contains("sill is 0"));
    }
}
