//! Charts as inline SVG that take their colours from the page, so that they follow light, dark and print.

use maud::{Markup, html};

use super::number::{plain, tick, ticks};
use super::picture::BINS;
use super::ramp::hex;
use crate::project::summary::{ClassTable, ValidationFacts, VariogramFacts};

const W: f64 = 360.0;
const H: f64 = 220.0;
/// Left, right, top and bottom edge of the plot area.
const PLOT: [f64; 4] = [46.0, 350.0, 24.0, 180.0];

/// Axes of a chart: data limits on the plot area (its left, right, top and bottom edge).
pub(super) struct Axes {
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
    pub(super) plot: [f64; 4],
}

impl Axes {
    pub(super) fn px(&self, x: f64) -> f64 {
        self.plot[0] + (x - self.x.0) / (self.x.1 - self.x.0) * (self.plot[1] - self.plot[0])
    }
    pub(super) fn py(&self, y: f64) -> f64 {
        self.plot[3] - (y - self.y.0) / (self.y.1 - self.y.0) * (self.plot[3] - self.plot[2])
    }
    /// A line through points; one that is no number leaves a gap.
    pub(super) fn path(&self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let mut d = String::new();
        let mut letter = 'M';
        for (x, y) in points {
            let (x, y) = (self.px(x), self.py(y));
            if !(x.is_finite() && y.is_finite()) {
                letter = 'M';
                continue;
            }
            d += &format!("{letter}{x:.1} {y:.1}");
            letter = 'L';
        }
        d
    }
    fn frame(&self, x_title: &str, y_title: &str) -> Markup {
        self.framed(&ticks(self.x.0, self.x.1, 5), x_title, y_title)
    }
    /// Frame, grid lines, ticks and axis titles.
    pub(super) fn framed(&self, xs: &[f64], x_title: &str, y_title: &str) -> Markup {
        let ys = ticks(self.y.0, self.y.1, 4);
        html! {
            @for y in &ys {
                line .grid x1=(self.plot[0]) x2=(self.plot[1]) y1=(format!("{:.1}", self.py(*y))) y2=(format!("{:.1}", self.py(*y))) {}
                text .tick text-anchor="end" x=(self.plot[0] - 6.0) y=(format!("{:.1}", self.py(*y) + 3.5)) { (tick(*y)) }
            }
            @for x in xs {
                line .axis x1=(format!("{:.1}", self.px(*x))) x2=(format!("{:.1}", self.px(*x))) y1=(self.plot[3]) y2=(self.plot[3] + 4.0) {}
                text .tick text-anchor="middle" x=(format!("{:.1}", self.px(*x))) y=(self.plot[3] + 16.0) { (tick(*x)) }
            }
            line .axis x1=(self.plot[0]) x2=(self.plot[1]) y1=(self.plot[3]) y2=(self.plot[3]) {}
            text .label text-anchor="middle" x=((self.plot[0] + self.plot[1]) / 2.0) y=(self.plot[3] + 34.0) { (x_title) }
            text .label text-anchor="middle" transform=(format!("translate({} {}) rotate(-90)", self.plot[0] - 35.0, (self.plot[2] + self.plot[3]) / 2.0)) {
                (y_title)
            }
        }
    }
}

fn svg(title: &str, body: &Markup) -> Markup {
    html! {
        svg .chart viewBox=(format!("0 0 {W} {H}")) role="img" aria-label=(title) { title { (title) } (body) }
    }
}

/// Histograms of one quantity, a line a series, over `range`; heights are shares of the series' valid pixels.
#[must_use]
pub fn histogram(title: &str, quantity: &str, series: &[(String, &[u64])], range: (f64, f64)) -> Markup {
    const BARS: usize = 48;
    let width = (range.1 - range.0) / BARS as f64;
    let shares: Vec<Vec<f64>> = series
        .iter()
        .map(|(_, bins)| {
            let total = bins.iter().sum::<u64>().max(1) as f64;
            let mut bars = vec![0.0; BARS];
            for (i, n) in bins.iter().enumerate().filter(|(_, n)| **n > 0) {
                let edge = |i: usize| (i as f64 / BINS as f64 * 4.0 - 2.0 - range.0) / width;
                // What lies beyond the colour scale is counted in the outermost bars, as the colours do.
                let bar = |at: f64| at.floor().clamp(0.0, (BARS - 1) as f64) as usize;
                let (from, to) = (edge(i), edge(i + 1));
                // A bin counts in each bar by the part that lies there: bars of three and of four whole bins would make a comb.
                let cuts = (bar(from) + 1..=bar(to)).map(|b| (b as f64).clamp(from, to));
                let mut low = from;
                for high in cuts.chain(std::iter::once(to)) {
                    bars[bar(f64::midpoint(low, high))] += *n as f64 / total * 100.0 * (high - low) / (to - from);
                    low = high;
                }
            }
            bars
        })
        .collect();
    let top = shares.iter().flatten().copied().fold(1e-9, f64::max);
    let axes = Axes { x: range, y: (0.0, top * 1.08), plot: PLOT };
    let outline = |bars: &[f64]| {
        let steps = bars.iter().enumerate().flat_map(|(i, v)| {
            let left = range.0 + i as f64 * width;
            [(left, *v), (left + width, *v)]
        });
        let points = std::iter::once((range.0, 0.0)).chain(steps).chain(std::iter::once((range.1, 0.0)));
        axes.path(points.collect::<Vec<_>>().into_iter())
    };
    let body = html! {
        (axes.frame(quantity, "share of valid area, %"))
        @for (i, bars) in shares.iter().enumerate() {
            path class=(format!("area s{i}")) d=(outline(bars)) {}
        }
        @for (i, (name, _)) in series.iter().enumerate() {
            rect class=(format!("key s{i}")) x=(PLOT[0] + 76.0 * i as f64) y="5" width="10" height="10" {}
            text .tick x=(PLOT[0] + 76.0 * i as f64 + 15.0) y="14" { (name) }
        }
    };
    svg(title, &body)
}

/// Empirical variogram (dots, area by number of pairs) and model (line).
#[must_use]
pub fn variogram(title: &str, facts: &VariogramFacts) -> Markup {
    let far = facts.lags.iter().map(|l| l.distance_m).fold(1.0, f64::max) * 1.05;
    let high = facts.lags.iter().map(|l| l.gamma).chain(facts.curve.iter().map(|p| p.1)).fold(1e-12, f64::max);
    let most = facts.lags.iter().map(|l| l.pairs).max().unwrap_or(1).max(1) as f64;
    let axes = Axes { x: (0.0, far), y: (0.0, high * 1.1), plot: PLOT };
    let body = html! {
        (axes.frame("distance, m", "semivariance"))
        path .model d=(axes.path(facts.curve.iter().copied().filter(|p| p.0 <= far))) {}
        @for lag in &facts.lags {
            circle .dot cx=(format!("{:.1}", axes.px(lag.distance_m))) cy=(format!("{:.1}", axes.py(lag.gamma)))
                r=(format!("{:.1}", 2.0 + 3.5 * (lag.pairs as f64 / most).sqrt())) {
                title { (plain(lag.distance_m)) " m, " (plain(lag.gamma)) ", " (lag.pairs) " pairs" }
            }
        }
    };
    svg(title, &body)
}

/// Predicted against observed values, with the line of equality.
#[must_use]
pub fn validation(title: &str, facts: &ValidationFacts) -> Markup {
    let all = || facts.points.iter().flat_map(|p| [p.0, p.1]).filter(|v| v.is_finite());
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    if low >= high || !low.is_finite() {
        return html! {};
    }
    let pad = (high - low) * 0.04;
    let span = (low - pad, high + pad);
    let axes = Axes { x: span, y: span, plot: PLOT };
    let body = html! {
        (axes.frame(&format!("observed, {}", facts.scale), &format!("predicted, {}", facts.scale)))
        path .equal d=(axes.path([(span.0, span.0), (span.1, span.1)].into_iter())) {}
        @for (observed, predicted) in &facts.points {
            circle .small cx=(format!("{:.1}", axes.px(*observed))) cy=(format!("{:.1}", axes.py(*predicted))) r="2.4" {}
        }
    };
    svg(title, &body)
}

/// One bar of the classes of a map, with their hectares and shares.
#[must_use]
pub fn classes(table: &ClassTable) -> Markup {
    let total: f64 = table.classes.iter().map(|c| c.area_ha).sum();
    let share = |area: f64| if total > 0.0 { area / total } else { 0.0 };
    html! {
        div .bar role="img" aria-label=(table.title) {
            @for c in &table.classes {
                @if c.area_ha > 0.0 {
                    span style=(format!("width:{:.3}%;background:{}", share(c.area_ha) * 100.0, hex(c.rgb))) title=(c.name) {}
                }
            }
        }
        table .classes {
            tbody {
                @for c in &table.classes {
                    tr {
                        td { span .swatch style=(format!("background:{}", hex(c.rgb))) {} (c.name) }
                        td .n { (super::number::fixed(c.area_ha, 2)) " ha" }
                        td .n { (super::number::percent(share(c.area_ha))) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Heights of the outline of a histogram, in units of the plot.
    fn heights(range: (f64, f64), bins: &[u64]) -> Vec<f64> {
        let drawn = histogram("t", "q", &[("s".into(), bins)], range).into_string();
        let path = drawn.split("class=\"area s0\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        let points: Vec<f64> =
            path.split(['M', 'L']).skip(1).map(|p| p.split(' ').nth(1).unwrap().parse().unwrap()).collect();
        points[1..points.len() - 1].iter().step_by(2).map(|y| PLOT[3] - y).collect()
    }

    #[test]
    fn an_even_distribution_has_even_bars_whatever_their_width() {
        let bins: Vec<u64> = (0..BINS).map(|i| if (400..560).contains(&i) { 10 } else { 0 }).collect();
        // Bars of three and a third bins.
        let even = heights((0.0, 0.8), &bins);
        assert!(even.len() == 48 && even.iter().all(|h| (h - even[0]).abs() < 0.11 && *h > 100.0), "{even:?}");
        // Bars narrower than a bin, and a half of the values beyond the scale.
        let narrow = heights((0.0, 0.08), &bins);
        assert!(narrow[..47].iter().all(|h| (h - narrow[0]).abs() < 0.11), "{narrow:?}");
        assert!(narrow[47] > 100.0 && narrow[0] < narrow[47] / 20.0);
    }
}
