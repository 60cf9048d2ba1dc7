//! The page: order and words of the report.

use maud::{DOCTYPE, Markup, html};

use super::number::{figure, fixed, plain};
use super::{Group, chart, map, tables};
use crate::project::summary::{MapKind, SoilFacts, Summary};

/// The whole document.
#[must_use]
pub fn page(summary: &Summary, groups: &[Group]) -> Markup {
    let about = &summary.project;
    let soil_group = |g: &&Group| summary.soil.iter().any(|s| s.group == g.name);
    let scene_groups: Vec<&Group> = groups.iter().filter(|g| !soil_group(g)).collect();
    let mut maps = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for group in &scene_groups {
        if !names.contains(&group.name.as_str()) {
            names.push(&group.name);
            let same: Vec<&Group> = scene_groups.iter().copied().filter(|g| g.name == group.name).collect();
            maps.push(section(summary, &same));
        }
    }
    let mut soil = Vec::new();
    for facts in &summary.soil {
        soil.push(soil_section(summary, facts, groups));
    }
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content=(format!("regrow {}", summary.regrow));
                title { (about.name) ": recovery report" }
                style { (map::style()) }
            }
            body {
                (head(summary, !soil.is_empty()))
                main {
                    @if let Some(text) = &about.statement {
                        div .statement { p { strong { "What these data are. " } (text) } }
                    }
                    (key_figures(summary))
                    (tables::rules(summary))
                    @if !maps.is_empty() {
                        h2 id="maps" { "Maps" }
                        p .soft { "Maps of one row share one colour scale. Hectares are geodesic, on the ellipsoid." }
                        @for m in &maps { (m) }
                    }
                    (tables::zones(summary))
                    @if !soil.is_empty() {
                        h2 id="soil" { "Soil" }
                        @for s in &soil { (s) }
                    }
                    (tables::quality(summary))
                    (tables::methods(summary))
                    (tables::files(summary))
                }
                footer {
                    "Made by regrow " (summary.regrow)
                    @if let Some(time) = &about.made_utc { ", " (time) " UTC" }
                    ". Every figure of this page is in summary.json; inputs, hashes and timings are in run.json."
                }
            }
        }
    }
}

fn head(summary: &Summary, soil: bool) -> Markup {
    let about = &summary.project;
    html! {
        header {
            div .head-in {
                p .kind { "Land recovery report" }
                h1 { (about.name) }
                @if let Some(place) = &about.place { p { (place) } }
                @for scene in &summary.scenes {
                    p { strong { (capital(&scene.label)) } ": " (scene.when())
                        @if let Some(c) = &scene.composite { " (" (c) ")" } }
                }
                @if let Some(grid) = summary.grids.first() {
                    p { (grid.cols) " × " (grid.rows) " pixels of " (grid.pixel) ", " (grid.crs)
                        @if let Some((lon, lat)) = grid.centre_lon_lat {
                            ", centre " (degrees(lat, 'N', 'S')) " " (degrees(lon, 'E', 'W'))
                        }
                    }
                }
                nav {
                    a href="#figures" { "Key figures" }
                    @if !summary.maps.is_empty() { a href="#maps" { "Maps" } }
                    @if summary.zone_names.len() > 1 { a href="#zones" { "Zones" } }
                    @if soil { a href="#soil" { "Soil" } }
                    a href="#quality" { "Data quality" }
                    a href="#methods" { "Methods" }
                    a href="#files" { "Files" }
                }
            }
        }
    }
}

fn degrees(value: f64, positive: char, negative: char) -> String {
    format!("{:.4}° {}", value.abs(), if value < 0.0 { negative } else { positive })
}

/// The word with a capital first letter.
#[must_use]
pub fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |c| c.to_uppercase().chain(letters).collect())
}

fn key_figures(summary: &Summary) -> Markup {
    html! {
        h2 id="figures" { "Key figures" }
        @if summary.key_figures.is_empty() { p .soft { "No figure was asked for." } }
        div .cards {
            @for k in &summary.key_figures {
                div .card {
                    div .label { (k.label) }
                    div .value { (figure(&k.name, k.value)) small { (k.unit) } }
                    div .detail { (k.detail) }
                }
            }
        }
    }
}

/// Maps of one name: all in one row, then the scale of each kind among them.
fn section(summary: &Summary, groups: &[&Group]) -> Markup {
    let mut figures = Vec::new();
    let mut charts = Vec::new();
    for group in groups {
        for map in &group.maps {
            figures.push(map::figure(map, &summary.grids[map.facts.grid]));
        }
        let quantity = quantity_title(group);
        let series: Vec<(String, &[u64])> = group
            .maps
            .iter()
            .filter(|m| !m.picture.histogram.is_empty())
            .map(|m| (m.facts.title.split(", ").next().unwrap_or("").to_owned(), m.picture.histogram.as_slice()))
            .collect();
        if !series.is_empty() {
            let chart = chart::histogram(&format!("Histogram of {quantity}"), &quantity, &series, group.range);
            charts.push(html! { figure { figcaption { "Distribution of " (quantity) } (chart) } });
        }
        if group.kind == MapKind::Classes {
            for table in summary.classes.iter().filter(|t| t.group == group.name) {
                charts.push(html! { figure { figcaption { (table.title) } (chart::classes(table)) } });
            }
        }
    }
    let inline = figures.len() + charts.len() <= 3;
    html! {
        section {
            @if let Some(first) = groups.first() { h3 { (first.title) } }
            div .maps {
                @for f in &figures { (f) }
                // Where a row has room, the charts stand in it.
                @if inline { @for c in &charts { (c) } }
            }
            div .legends {
                @for group in groups {
                    @if group.kind == MapKind::Classes {
                        @if let Some(map) = group.maps.first() { (map::class_legend(&map.picture)) }
                    } @else {
                        (map::legend(group.kind, group.range, &quantity_title(group)))
                    }
                }
            }
            @if !inline && !charts.is_empty() { div .charts { @for c in &charts { (c) } } }
        }
    }
}

fn quantity_title(group: &Group) -> String {
    let title =
        if group.kind == MapKind::Difference { format!("{}, change", group.title) } else { group.title.clone() };
    match group.maps.first() {
        Some(map) if !map.facts.unit.is_empty() => format!("{title}, {}", map.facts.unit),
        _ => title,
    }
}

fn soil_section(summary: &Summary, facts: &SoilFacts, groups: &[Group]) -> Markup {
    let mut figures = Vec::new();
    for group in groups.iter().filter(|g| g.name == facts.group) {
        for map in &group.maps {
            let (m, drawn) = (&map.facts, map::figure(map, &summary.grids[map.facts.grid]));
            let title = if m.unit.is_empty() { m.title.clone() } else { format!("{}, {}", m.title, m.unit) };
            figures.push(html! { div { (drawn) (map::legend(m.kind, group.range, &title)) } });
        }
    }
    let limit = facts.limit_mg_kg.map(|l| format!("{} mg/kg", super::number::tick(l)));
    html! {
        section {
            h3 { (capital(&facts.metal)) ": " (facts.title) }
            p { (facts.samples) " samples, " (facts.method) "."
                @for d in &facts.dropped { " " (d) "." }
                @if let Some(source) = &facts.limit_source {
                    " Limit " (limit.as_deref().unwrap_or("–")) ", " (source) "."
                    @if !facts.limit_verified { " The numbers of this limit were not checked against its source." }
                }
            }
            div .cards {
                (card("Mean of the estimate", facts.mean_mg_kg, "mg/kg", "over the estimated area", 1))
                (card("Area estimated", facts.area_ha, "ha", "", 1))
                (card("Above the limit", facts.exceed_ha, "ha", "where the estimate exceeds it", 1))
                (card("Expected above the limit", facts.exceed_expected_ha, "ha", "sum of probability × area", 1))
            }
            div .maps { @for f in &figures { (f) } }
            div .charts {
                @if let Some(v) = &facts.variogram {
                    figure {
                        figcaption { "Variogram" }
                        (chart::variogram("Empirical variogram and model", v))
                        p .note { "Model: " code { (super::number::shorten(&v.model)) } ". Dots grow with the number of pairs." }
                    }
                }
                @if let Some(v) = &facts.validation {
                    figure {
                        figcaption { "Cross-validation, each sample left out once" }
                        (chart::validation("Predicted against observed", v))
                        p .note {
                            "Mean error " (plain(v.me)) ", RMSE " (plain(v.rmse)) " " (v.scale)
                            @if let Some(r) = v.msdr { ", mean squared deviation ratio " (fixed(r, 2)) " (ideal 1)" }
                            @if let Some(c) = v.ccc { ", concordance " (fixed(c, 2)) }
                            "."
                        }
                    }
                }
            }
        }
    }
}

fn card(label: &str, value: Option<f64>, unit: &str, detail: &str, decimals: usize) -> Markup {
    html! {
        @if let Some(v) = value {
            div .card {
                div .label { (label) }
                div .value { (fixed(v, decimals)) small { (unit) } }
                div .detail { (detail) }
            }
        }
    }
}
