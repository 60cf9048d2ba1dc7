//! Tables of the report: rules, zones, data quality, methods, files.

use std::collections::HashMap;

use maud::{Markup, html};

use super::number::{bytes, figure, fixed, percent, plain};
use super::page::capital;
use crate::project::summary::{Standing, Summary, Verdict};

/// Rows that a reader still looks through; zones beyond stay in `zones.csv`, targets and alerts in `summary.json`.
const MOST_ROWS: usize = 60;

/// Targets and alerts.
pub(super) fn rules(summary: &Summary) -> Markup {
    if summary.targets.is_empty() && summary.alert_rules.is_empty() {
        return html! {};
    }
    let names = names(summary);
    let all = summary.targets.len();
    let raised = summary.alerts.len();
    html! {
        h2 id="targets" { "Targets and alerts" }
        @if all > 0 {
            @if all > MOST_ROWS { p { (tally(&summary.targets)) } }
            div .scroll { table {
                thead { tr { th { "Zone" } th { "Indicator" } th .n { "Asked for" } th .n { "Latest value" } th { "Due" } th { "Standing" } } }
                tbody { @for t in urgent(&summary.targets) {
                    tr {
                        td { (zone_title(&names, &t.zone)) }
                        td { code { (t.indicator) } }
                        td .n { (t.bound) }
                        td .n { @match t.value { Some(v) => (figure(&t.indicator, v)), None => "–" } }
                        td .date { (t.by.as_deref().unwrap_or("–")) }
                        td { (standing(t.standing)) }
                    }
                } }
            } }
            (left_out(all, "targets, those not met first", "summary.json"))
        }
        @if !summary.alert_rules.is_empty() {
            h3 { "Alerts" }
            @if summary.alerts.is_empty() {
                p { "No alert was raised. Rules: " @for (i, r) in summary.alert_rules.iter().enumerate() { @if i > 0 { ", " } code { (r) } } "." }
            } @else {
                div .scroll { table {
                    thead { tr { th { "Rule" } th { "Zone" } th .n { "Value" } th { "Date" } th { "" } } }
                    tbody { @for a in summary.alerts.iter().take(MOST_ROWS) {
                        tr {
                            td { code { (a.rule) } }
                            td { (zone_title(&names, &a.zone)) }
                            td .n { (plain(a.value)) }
                            td .date { (a.date.as_deref().unwrap_or("–")) }
                            td { span .mark .raised { "▲ raised" } }
                        }
                    } }
                } }
                (left_out(raised, "alerts", "summary.json"))
            }
        }
    }
}

/// The targets that are shown: all in their order, or of many those that ask for action first.
fn urgent(targets: &[Verdict]) -> Vec<&Verdict> {
    let mut shown: Vec<&Verdict> = targets.iter().collect();
    if shown.len() > MOST_ROWS {
        let rank = |s: Standing| match s {
            Standing::Missed => 0,
            Standing::Open => 1,
            Standing::Unknown => 2,
            Standing::Met => 3,
        };
        shown.sort_by_key(|t| rank(t.standing));
        shown.truncate(MOST_ROWS);
    }
    shown
}

/// How many targets stand how, in words.
fn tally(targets: &[Verdict]) -> String {
    let count = |s: Standing| fixed(targets.iter().filter(|t| t.standing == s).count() as f64, 0);
    format!(
        "Of {} targets {} are met, {} not yet met, {} missed; {} have no data.",
        fixed(targets.len() as f64, 0),
        count(Standing::Met),
        count(Standing::Open),
        count(Standing::Missed),
        count(Standing::Unknown)
    )
}

/// Says where the rows of a long table are that it does not show.
fn left_out(all: usize, what: &str, file: &str) -> Markup {
    html! {
        @if all > MOST_ROWS {
            p .note {
                "Shown are " (MOST_ROWS) " of " (fixed(all as f64, 0)) " " (what) "; the other "
                (fixed((all - MOST_ROWS) as f64, 0)) " are in " a href=(file) { (file) } "."
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

/// Names of zones by identity.
fn names(summary: &Summary) -> HashMap<&str, &str> {
    summary.zone_names.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect()
}

fn zone_title(names: &HashMap<&str, &str>, zone: &str) -> String {
    match names.get(zone) {
        _ if zone == "all" => "Whole area".into(),
        Some(name) if !name.is_empty() && *name != zone => format!("{zone}, {name}"),
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

/// Figures by zone, indicator and scene.
type Figures<'a> = HashMap<(&'a str, &'a str, &'a str), f64>;

/// Zones whose rows are shown, in their order; the whole area is always among them.
fn shown(summary: &Summary) -> Vec<&str> {
    let ids = || summary.zone_names.iter().map(|(id, _)| id.as_str());
    ids().filter(|id| *id != "all").take(MOST_ROWS).chain(ids().filter(|id| *id == "all")).collect()
}

fn zone_table(summary: &Summary, figures: &Figures<'_>, columns: &[(&str, &str)]) -> Markup {
    let names = names(summary);
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
            tbody { @for id in shown(summary) {
                tr class=(if id == "all" { "all" } else { "" }) {
                    td { (zone_title(&names, id)) }
                    @for (indicator, scene) in columns {
                        td .n { @match figures.get(&(id, *indicator, *scene)) { Some(v) => (figure(indicator, *v)), None => "–" } }
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
    let mut figures = Figures::new();
    for z in &summary.zones {
        if let Some(v) = z.value {
            figures.entry((&z.zone, &z.indicator, &z.scene)).or_insert(v);
        }
    }
    let zones = summary.zone_names.iter().filter(|(id, _)| id != "all").count();
    html! {
        h2 id="zones" { "Figures by zone" }
        p .soft { "Pixels on an edge count by the exact share of their area inside the zone." }
        (left_out(zones, "zones", "zones.csv"))
        @if !areas.is_empty() { h3 { "Areas" } (zone_table(summary, &figures, &areas)) }
        @if !means.is_empty() { h3 { "Means" } (zone_table(summary, &figures, &means)) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::summary::{Raised, ZoneFigure};

    fn many(zones: usize) -> Summary {
        let mut summary = Summary { alert_rules: vec!["r".into()], ..Summary::default() };
        for i in 0..=zones {
            let zone = if i == zones { "all".to_owned() } else { format!("z{i}z") };
            let (indicator, value) = ("bare_ha".to_owned(), Some(i as f64));
            summary.zone_names.push((zone.clone(), String::new()));
            summary.alerts.push(Raised { rule: "r".into(), zone: zone.clone(), value: 1.0, date: None });
            summary.targets.push(Verdict {
                zone: zone.clone(),
                indicator: indicator.clone(),
                bound: "≤ 3".into(),
                by: None,
                value,
                date: None,
                standing: if i + 1 == zones { Standing::Missed } else { Standing::Met },
            });
            summary.zones.push(ZoneFigure { zone, indicator, scene: "after".into(), date: None, value });
        }
        summary
    }

    #[test]
    fn long_tables_show_a_part_and_say_where_the_rest_is() {
        let summary = many(1000);
        let zones = zones(&summary).into_string();
        assert_eq!(zones.matches("<tr class").count(), MOST_ROWS + 1);
        assert!(zones.contains("Shown are 60 of 1000 zones; the other 940 are in <a href=\"zones.csv\">"), "{zones}");
        assert!(zones.contains("z59z") && !zones.contains("z60z") && zones.contains("Whole area"));
        assert!(zones.contains("1000.00"), "the figure of the whole area");
        let rules = rules(&summary).into_string();
        assert_eq!(rules.matches("<tr>").count(), 2 * (MOST_ROWS + 1));
        assert!(rules.contains("Of 1001 targets 1000 are met, 0 not yet met, 1 missed; 0 have no data."), "{rules}");
        // The missed target of the last zone comes first.
        assert!(rules.find("z999z") < rules.find("z0z") && rules.contains("the other 941 are in"));
    }

    #[test]
    fn short_tables_are_whole_and_in_their_order() {
        let summary = many(MOST_ROWS - 1);
        let (zones, rules) = (zones(&summary).into_string(), rules(&summary).into_string());
        assert!(!zones.contains("Shown are") && !rules.contains("Shown are") && !rules.contains("are met,"));
        assert!(rules.find("z0z") < rules.find("z58z") && zones.contains("z58z"));
    }
}
