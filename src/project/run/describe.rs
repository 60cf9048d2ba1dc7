//! Words of the report: key figures and methods.

use crate::project::prepare::Prepared;
use crate::project::summary::{KeyFigure, Method, Summary};
use crate::spectral::Index;

/// The word with a capital first letter.
pub(super) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |c| c.to_uppercase().chain(letters).collect())
}

/// Figures of the whole area for the head of the report.
pub(super) fn key_figures(summary: &Summary, prepared: &Prepared) -> Vec<KeyFigure> {
    let asked = &prepared.project.products;
    let mut figures = Vec::new();
    let labels: Vec<&str> = prepared.scenes.iter().map(|s| s.label.as_str()).collect();
    let mut of_scenes = |indicator: &str, title: &str, unit: &str, decimals: usize| {
        let Some(latest) = labels.last() else { return };
        let Some(value) = summary.figure("all", indicator, latest) else { return };
        let earlier =
            labels.first().filter(|l| *l != latest).and_then(|l| Some((l, summary.figure("all", indicator, l)?)));
        let detail = earlier.map_or_else(String::new, |(label, v)| {
            format!("{v:.decimals$} {label}, change {:+.decimals$}", value - v).replace('-', "\u{2212}")
        });
        figures.push(KeyFigure {
            name: format!("{}_{latest}{}", indicator.trim_end_matches("_ha"), if unit == "ha" { "_ha" } else { "" }),
            label: format!("{title}, {latest}"),
            value,
            unit: unit.into(),
            detail,
        });
    };
    for index in &asked.indices {
        of_scenes(
            &format!("{}_mean", crate::project::layout::stem(&index.value)),
            &format!("Mean {}", index.value),
            "",
            3,
        );
    }
    if asked.cover.is_some() {
        of_scenes("cover_mean", "Mean vegetation cover", "", 3);
    }
    if asked.bare.is_some() {
        of_scenes("bare_ha", "Bare land", "ha", 2);
    }
    if asked.change.is_some() {
        let get = |name: &str| summary.figure("all", name, "change");
        let valid = summary.classes.iter().find(|t| t.group == "change_classes");
        let valid: f64 = valid.map_or(0.0, |t| t.classes.iter().map(|c| c.area_ha).sum());
        for (name, label, parts) in [
            ("loss_total_ha", "Vegetation loss", ["strong_loss_ha", "loss_ha"]),
            ("gain_total_ha", "Vegetation gain", ["gain_ha", "strong_gain_ha"]),
        ] {
            let (Some(a), Some(b)) = (get(parts[0]), get(parts[1])) else { continue };
            let share = if valid > 0.0 { (a + b) / valid * 100.0 } else { 0.0 };
            figures.push(KeyFigure {
                name: name.into(),
                label: label.into(),
                value: a + b,
                unit: "ha".into(),
                detail: format!("{share:.1} % of the {valid:.1} ha compared"),
            });
        }
    }
    for soil in &summary.soil {
        let (Some(above), Some(area), Some(limit)) = (soil.exceed_ha, soil.area_ha, soil.limit_mg_kg) else { continue };
        figures.push(KeyFigure {
            name: format!("{}_exceed_ha", crate::project::layout::stem(&soil.metal)),
            label: format!("{} above {limit} mg/kg", capital(&soil.metal)),
            value: above,
            unit: "ha".into(),
            detail: format!("{:.1} % of the {area:.1} ha sampled", above / area * 100.0),
        });
    }
    figures
}

/// How each product was computed, with its sources.
pub(super) fn methods(prepared: &Prepared, summary: &Summary) -> Vec<Method> {
    let asked = &prepared.project.products;
    let mut methods = Vec::new();
    let mut add = |title: &str, text: String, citations: &[&str]| {
        let citations = citations.iter().filter(|c| !c.is_empty()).map(|c| (*c).to_owned()).collect();
        methods.push(Method { title: title.into(), text, citations });
    };
    if let Some(c) = prepared.scenes.iter().find_map(|s| s.composite.as_ref()) {
        add(
            "Composites",
            format!(
                "The dates of a period become one image by the {} of each pixel over the dates on which all its bands are \
                 valid. Pixels that the scene classification calls cloud, shadow or snow, and those close to them, are left \
                 out first.",
                c.method.value
            ),
            &[],
        );
    }
    for name in &asked.indices {
        if let Ok(index) = Index::find(&name.value) {
            add(
                &index.name,
                format!(
                    "{} = {}, on surface reflectance. Values outside the range of the index are no data.",
                    index.name, index.formula
                ),
                &[&index.source],
            );
        }
    }
    if asked.cover.is_some() {
        add(
            "Vegetation cover",
            "Share of the ground under vegetation by the dimidiate pixel model: (NDVI \u{2212} soil) / (vegetation \u{2212} soil), \
             held between 0 and 1. The two endmembers are among the decisions."
                .into(),
            &["Gutman and Ignatov 1998"],
        );
    }
    if let Some(bare) = &asked.bare {
        let rule = match bare.method.as_ref().map(|m| m.value.as_str()) {
            Some("fixed") => "NDVI at or below a fixed threshold".to_owned(),
            Some("otsu") => "NDVI at or below the threshold of Otsu".to_owned(),
            Some("minerr") => "NDVI at or below the threshold of least error".to_owned(),
            _ => "NDVI below and BSI above a threshold".to_owned(),
        };
        let threshold = bare.threshold.map_or_else(String::new, |t| format!(" ({t})"));
        let least = if bare.min_area_ha > 0.0 {
            format!(" Patches below {} ha are left out.", bare.min_area_ha)
        } else {
            String::new()
        };
        add(
            "Bare land",
            format!("{rule}{threshold}, after water, snow and deep shadow are set apart.{least}"),
            &["Rikimaru et al. 2002", "Otsu 1979"],
        );
    }
    if let Some(change) = &asked.change {
        let breaks = change.breaks.unwrap_or(crate::product::change::CHANGE_BREAKS);
        add(
            "Change",
            format!(
                "Difference of {} (after minus before) where both dates are valid, in five classes with breaks at {breaks:?}.",
                change.index.value
            ),
            &["Singh 1989"],
        );
    }
    add(
        "Areas and zones",
        "Hectares are geodesic areas on the ellipsoid, whatever the reference system. A pixel on the edge of a zone counts by \
         the exact share of its area inside the zone."
            .into(),
        &["Karney 2013", "Baston 2023, exactextract"],
    );
    if let Some(soil) = summary.soil.first() {
        add(
            "Soil grids",
            format!(
                "Estimates by {} from point samples. The nugget is variation at a distance smaller than the sampling; the \
                 estimate honours the samples. Standard deviation and probabilities are conditional on the fitted variogram. The \
                 expected area is the sum of probability times area and carries no interval.",
                soil.method
            ),
            &["Matheron 1963", "Cressie 1993, Statistics for Spatial Data", "Dubrule 1983 (cross-validation)"],
        );
    }
    methods
}
