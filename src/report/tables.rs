//! Tables of the report: rules, zones, data quality, methods, files.

use maud::{Markup, html};

use super::number::{bytes, figure, fixed, percent};
use super::page::capital;
use crate::project::summary::{Standing, Summary};

/// Zones beyond this number stay in `zones.csv` only.
const MOST_ZONES: usize = 60;

/// Targets and alerts.
pub(super) fn rules(summary: &Summary) -> Markup {
    if summary.targets.is_empty() && summary.alert_rules.is_empty() {
        return html! {};
    }
    html! {
        h2 id="targets" { "Targets and alerts" }
        @if !summary.targets.is_empty() {
            div .scroll { table {
                thead { tr { th { "Zone" } th { "Indicator" } th .n { "Asked for" } th .n { "Latest value" } th { "Due" } th { "Standing" } } }
                tbody { @for t in &summary.targets {
                    tr {
                        td { (zone_title(summary, &t.zone)) }
                        td { code { (t.indicator) } }
                        td .n { (t.bound) }
                        td .n { @match t.value { Some(v) => (figure(&t.indicator, v)), None => "–" } }
                        td .date { (t.by.as_deref().unwrap_or("–")) }
                        td { (standing(t.standing)) }
                    }
                } }
            } }
        }
        @if !summary.alert_rules.is_empty() {
            h3 { "Alerts" }
            @if summary.alerts.is_empty() {
                p { "No alert was raised. Rules: " @for (i, r) in summary.alert_rules.iter().enumerate() { @if i > 0 { ", " } code { (r) } } "." }
            } @else {
                div .scroll { table {
                    thead { tr { th { "Rule" } th { "Zone" } th .n { "Value" } th { "Date" } th { "" } } }
                    tbody { @for a in &summary.alerts {
                        tr {
                            td { code { (a.rule) } }
                            td { (zone_title(summary, &a.zone)) }
                            td .n { (super::number::plain(a.value)) }
                            td .date { (a.date.as_deref().unwrap_or("–")) }
                            td { span .mark .raised { "▲ raised" } }
                        }
                    } }
                } }
            }
        }
    }
}

fn standing(s: Standing) -> Markup {
    let (class, text) = match s {
        Standing::Met => ("mark met", "✓ met"),
        Standing::Open => ("mark open", "○ not yet met"),
        Standing::Missed => ("mark missed", "✗ missed"),
        Standing::Unknown => ("mark unknown", "– no data"),
    };
    html! { span class=(class) { (text) } }
}

fn zone_title(summary: &Summary, zone: &str) -> String {
    match summary.zone_names.iter().find(|(id, _)| id == zone) {
        _ if zone == "all" => "Whole area".into(),
        Some((id, name)) if !name.is_empty() && name != id => format!("{id}, {name}"),
        _ => zone.to_owned(),
    }
}

/// Heading of a column from a figure's name.
fn heading(indicator: &str) -> String {
    let (stem, unit) = match indicator {
        i if i.ends_with("_ha") => (i.trim_end_matches("_ha"), ", ha"),
        i if i.ends_with("_mg_kg") => (i.trim_end_matches("_mg_kg"), ", mg/kg"),
        i => (i.trim_end_matches("_mean"), ""),
    };
    let words = stem.replace('_', " ");
    let title = match stem.split('_').next().unwrap_or("") {
        name @ ("ndvi" | "bsi" | "evi" | "evi2" | "savi" | "msavi" | "ndmi" | "ndwi" | "mndwi" | "nbr" | "osavi") => {
            words.replacen(name, &name.to_uppercase(), 1)
        }
        _ => capital(&words),
    };
    format!("{title}{unit}")
}

/// Columns of the tables of zones: indicator and scene, the dates of an indicator side by side, valid hectares last and once.
fn columns(summary: &Summary, hectares: bool) -> Vec<(&str, &str)> {
    let mut columns: Vec<(&str, &str)> = Vec::new();
    for z in summary.zones.iter().filter(|z| z.scene != "soil") {
        let column = (z.indicator.as_str(), z.scene.as_str());
        let again = column.0 == "valid_ha" && columns.iter().any(|c| c.0 == "valid_ha");
        let of_area = z.indicator.ends_with("_ha") || z.indicator.ends_with("_share");
        if of_area == hectares && !again && !columns.contains(&column) {
            columns.push(column);
        }
    }
    let mut order: Vec<&str> = Vec::new();
    columns.iter().for_each(|c| {
        if !order.contains(&c.0) {
            order.push(c.0);
        }
    });
    columns.sort_by_key(|c| (c.0 == "valid_ha", order.iter().position(|o| *o == c.0)));
    columns
}

fn zone_table(summary: &Summary, columns: &[(&str, &str)]) -> Markup {
    let shown = &summary.zone_names[..summary.zone_names.len().min(MOST_ZONES)];
    html! {
        div .scroll { table .zones {
            thead { tr {
                th { "Zone" }
                @for (indicator, scene) in columns {
                    th .n {
                        (heading(indicator))
                        @if *scene != "change" && *indicator != "valid_ha" { br; span .soft { (scene) } }
                    }
                }
            } }
            tbody { @for (id, _) in shown {
                tr class=(if id == "all" { "all" } else { "" }) {
                    td { (zone_title(summary, id)) }
                    @for (indicator, scene) in columns {
                        td .n { @match summary.figure(id, indicator, scene) { Some(v) => (figure(indicator, v)), None => "–" } }
                    }
                }
            } }
        } }
    }
}

/// Means and hectares of every zone.
pub(super) fn zones(summary: &Summary) -> Markup {
    let (means, areas) = (columns(summary, false), columns(summary, true));
    if means.is_empty() && areas.is_empty() {
        return html! {};
    }
    html! {
        h2 id="zones" { "Figures by zone" }
        p .soft { "Pixels on an edge count by the exact share of their area inside the zone." }
        @if !areas.is_empty() { h3 { "Areas" } (zone_table(summary, &areas)) }
        @if !means.is_empty() { h3 { "Means" } (zone_table(summary, &means)) }
        @if summary.zone_names.len() > MOST_ZONES {
            p .note { "The first " (MOST_ZONES) " of " (summary.zone_names.len()) " zones; all are in zones.csv." }
        }
    }
}

/// What happened to the pixels, decisions, warnings.
pub(super) fn quality(summary: &Summary) -> Markup {
    let share = |part: u64, all: u64| if all == 0 { "–".to_owned() } else { percent(part as f64 / all as f64) };
    html! {
        h2 id="quality" { "Data quality" }
        @if !summary.channels.is_empty() {
            p .soft { "Share of the pixels read that were not used, by cause." }
            div .scroll { table {
                thead { tr { th { "Band" } th .n { "Pixels read" } th .n { "No data" } th .n { "Cloud, shadow, snow" } th .n { "Out of range" } th .n { "Outside area" } th .n { "Used" } } }
                tbody { @for c in &summary.channels {
                    tr {
                        td { (c.channel) }
                        td .n { (fixed(c.cells as f64, 0)) }
                        td .n { (share(c.nodata, c.cells)) }
                        td .n { (share(c.masked, c.cells)) }
                        td .n { (share(c.out_of_range, c.cells)) }
                        td .n { (share(c.clipped, c.cells)) }
                        td .n { (share(c.cells.saturating_sub(c.nodata + c.masked + c.out_of_range + c.clipped), c.cells)) }
                    }
                } }
            } }
        }
        @if !summary.warnings.is_empty() {
            h3 { "Warnings" }
            ul { @for w in &summary.warnings { li { (w) } } }
        } @else { p { "There were no warnings." } }
        @if !summary.decisions.is_empty() {
            h3 { "Decisions taken" }
            ul { @for d in &summary.decisions { li { (d) } } }
        }
    }
}

/// Methods and their sources.
pub(super) fn methods(summary: &Summary) -> Markup {
    html! {
        h2 id="methods" { "Methods" }
        @for m in &summary.methods {
            h3 { (m.title) }
            p { (m.text) }
            @if !m.citations.is_empty() { ul .soft { @for c in &m.citations { li { (c) } } } }
        }
    }
}

/// Files of the run.
pub(super) fn files(summary: &Summary) -> Markup {
    html! {
        h2 id="files" { "Files" }
        div .scroll { table {
            thead { tr { th { "File" } th { "Content" } th .n { "Size" } } }
            tbody { @for f in &summary.files {
                tr { td { a href=(f.path) { code { (f.path) } } } td { (f.title) } td .n { @if f.bytes > 0 { (bytes(f.bytes)) } } }
            } }
        } }
    }
}
