//! A map: picture, zone outlines, scale bar, north arrow, legend.

use maud::{Markup, PreEscaped, html};

use super::number::{tick, ticks};
use super::picture::Picture;
use super::{Map, ramp};
use crate::project::summary::{GridFacts, MapKind};

/// Width of a map in its own units.
const W: f64 = 400.0;
/// Tallest map relative to its width; a longer strip is shown narrower.
const TALLEST: f64 = 1.6;

/// Low and high end of the colour scale that the maps of a group share: round numbers around the middle 98 % of values.
#[must_use]
pub fn shared_range(kind: MapKind, pictures: &[&Picture]) -> (f64, f64) {
    let mut ends = (f64::INFINITY, f64::NEG_INFINITY);
    for picture in pictures {
        if let Some((low, high)) = picture.middle() {
            ends = (ends.0.min(f64::from(low)), ends.1.max(f64::from(high)));
        }
    }
    if !ends.0.is_finite() {
        return (0.0, 1.0);
    }
    match kind {
        MapKind::Probability => (0.0, 1.0),
        MapKind::Difference => {
            let reach = round_out(ends.0.abs().max(ends.1.abs()).max(0.01));
            (-reach, reach)
        }
        MapKind::Uncertainty => (0.0, round_out(ends.1.max(1e-9))),
        _ => {
            let step = nice_step((ends.1 - ends.0).max(1e-6) / 8.0);
            ((ends.0 / step).floor() * step, (ends.1 / step).ceil() * step)
        }
    }
}

fn nice_step(raw: f64) -> f64 {
    let power = 10f64.powf(raw.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|s| s * power).find(|s| *s >= raw).unwrap_or(raw)
}

fn round_out(value: f64) -> f64 {
    let step = nice_step(value / 8.0);
    (value / step).ceil() * step
}

/// One map with its caption.
#[must_use]
pub fn figure(map: &Map, grid: &GridFacts) -> Markup {
    let (facts, picture) = (&map.facts, &map.picture);
    let aspect = grid.rows as f64 * grid.pixel_aspect / grid.cols as f64;
    let (w, h) = if aspect > TALLEST { (W * TALLEST / aspect, W * TALLEST) } else { (W, W * aspect) };
    let left = (W - w) / 2.0;
    let rendering = if picture.factor == 1 { "image-rendering:pixelated" } else { "image-rendering:auto" };
    let (sx, sy) = (w / grid.cols as f64, h / grid.rows as f64);
    // Cells of the last column and row of a reduced picture reach beyond the raster.
    let pw = (picture.cols * picture.factor) as f64 * sx;
    let ph = (picture.rows * picture.factor) as f64 * sy;
    let id = format!("clip-{}-{}", facts.path.replace(|c: char| !c.is_ascii_alphanumeric(), "-"), facts.band);
    html! {
        figure .map {
            figcaption { (facts.title) }
            svg viewBox=(format!("0 0 {W} {:.1}", h + 26.0)) role="img" aria-label=(facts.title) {
                defs { clipPath id=(id) { rect x=(num(left)) y="0" width=(num(w)) height=(num(h)) {} } }
                rect .nodata x=(num(left)) y="0" width=(num(w)) height=(num(h)) {}
                g clip-path=(format!("url(#{id})")) {
                    image href=(map.address) x=(num(left)) y="0" width=(num(pw)) height=(num(ph)) preserveAspectRatio="none" style=(rendering) {}
                    @for outline in &grid.outlines {
                        path .zone-halo d=(ring_path(&outline.rings, left, sx, sy)) {}
                        path .zone d=(ring_path(&outline.rings, left, sx, sy)) {}
                    }
                    @for outline in &grid.outlines {
                        @if let Some((x, y)) = label_at(&outline.rings) {
                            text .zone-name x=(num(left + x * sx)) y=(num(y * sy + 3.5)) { (outline.zone) }
                        }
                    }
                }
                rect .frame x=(num(left)) y="0" width=(num(w)) height=(num(h)) {}
                (scale_bar(grid.pixel_m * grid.cols as f64, left, w, h))
                (north(grid.north_deg, left + w - 14.0, h + 13.0))
            }
        }
    }
}

fn num(v: f64) -> String {
    format!("{v:.1}")
}

fn ring_path(rings: &[Vec<(f64, f64)>], left: f64, sx: f64, sy: f64) -> String {
    let mut d = String::new();
    for ring in rings {
        for (i, (x, y)) in ring.iter().enumerate() {
            d += &format!("{}{:.1} {:.1}", if i == 0 { 'M' } else { 'L' }, left + x * sx, y * sy);
        }
        d.push('Z');
    }
    d
}

/// The middle of the longest stretch inside the outer ring at its middle height: always inside, unlike a centroid.
fn label_at(rings: &[Vec<(f64, f64)>]) -> Option<(f64, f64)> {
    let ring = rings.first()?;
    let (low, high) = ring.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |e, p| (e.0.min(p.1), e.1.max(p.1)));
    let mut best: Option<(f64, f64, f64)> = None;
    for part in [0.5, 0.35, 0.65] {
        let y = low + (high - low) * part;
        let mut crossings: Vec<f64> = ring
            .windows(2)
            .filter(|w| (w[0].1 > y) != (w[1].1 > y))
            .map(|w| w[0].0 + (y - w[0].1) / (w[1].1 - w[0].1) * (w[1].0 - w[0].0))
            .collect();
        crossings.sort_by(f64::total_cmp);
        for pair in crossings.chunks_exact(2) {
            if best.is_none_or(|b| pair[1] - pair[0] > b.0 * 1.2) {
                best = Some((pair[1] - pair[0], f64::midpoint(pair[0], pair[1]), y));
            }
        }
    }
    best.map(|b| (b.1, b.2))
}

fn scale_bar(width_m: f64, left: f64, w: f64, h: f64) -> Markup {
    if !width_m.is_finite() || width_m <= 0.0 {
        return html! {};
    }
    let power = 10f64.powf((width_m / 3.0).log10().floor());
    let metres = [5.0, 2.0, 1.0].into_iter().map(|s| s * power).find(|m| *m <= width_m / 3.0).unwrap_or(power);
    let length = metres / width_m * w;
    let name = if metres >= 1000.0 { format!("{} km", tick(metres / 1000.0)) } else { format!("{} m", tick(metres)) };
    html! {
        rect .scale-a x=(num(left)) y=(num(h + 9.0)) width=(num(length / 2.0)) height="5" {}
        rect .scale-b x=(num(left + length / 2.0)) y=(num(h + 9.0)) width=(num(length / 2.0)) height="5" {}
        text .tick x=(num(left + length + 7.0)) y=(num(h + 16.0)) { (name) }
    }
}

fn north(degrees: f64, x: f64, y: f64) -> Markup {
    if !degrees.is_finite() {
        return html! {};
    }
    html! {
        g transform=(format!("translate({x:.1} {y:.1}) rotate({degrees:.1})")) {
            title { "True north" }
            path .north d="M0 -10L4.5 8L0 4.5L-4.5 8Z" {}
        }
        text .tick text-anchor="end" x=(num(x - 10.0)) y=(num(y + 3.5)) { "N" }
    }
}

/// The colour scale of a group of quantity maps.
#[must_use]
pub fn legend(kind: MapKind, range: (f64, f64), title: &str) -> Markup {
    let stops: Vec<String> = (0..=20).map(|i| ramp::hex(ramp::colour(kind, f64::from(i) / 20.0))).collect();
    let marks = ticks(range.0, range.1, 5);
    let at = |v: f64| (v - range.0) / (range.1 - range.0) * 100.0;
    // Labels at the ends stay within the width of the scale.
    let shift = |at: f64| match at {
        a if a < 3.0 => 0,
        a if a > 97.0 => -100,
        _ => -50,
    };
    html! {
        div .legend {
            span .legend-title { (title) }
            div .ramp style=(format!("background:linear-gradient(to right,{})", stops.join(","))) {}
            div .marks {
                @for m in &marks {
                    span style=(format!("left:{:.2}%;transform:translateX({}%)", at(*m), shift(at(*m)))) { (tick(*m)) }
                }
            }
            span .note {
                span .swatch .nodata-swatch {} "no data"
                @if kind != MapKind::Probability { ". Values beyond " (tick(range.0)) " and " (tick(range.1)) " take the end colour." }
            }
        }
    }
}

/// The class key of a group of class maps.
#[must_use]
pub fn class_legend(picture: &Picture) -> Markup {
    html! {
        div .legend .key-row {
            @for c in &picture.classes {
                span { span .swatch style=(format!("background:{}", ramp::hex(c.rgb))) {} (c.name) }
            }
            span { span .swatch .nodata-swatch {} "no data" }
        }
    }
}

/// Style rules as they are, for the page head.
#[must_use]
pub fn style() -> PreEscaped<&'static str> {
    PreEscaped(include_str!("style.css"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(values: Vec<f32>) -> Picture {
        Picture { cols: values.len(), rows: 1, values, factor: 1, ..Picture::default() }
    }

    #[test]
    fn a_group_shares_one_round_scale() {
        let (a, b) = (picture(vec![0.12, 0.5, f32::NAN]), picture(vec![0.3, 0.88]));
        let (low, high) = shared_range(MapKind::Vegetation, &[&a, &b]);
        assert!((low - 0.1).abs() < 1e-9 && (high - 0.9).abs() < 1e-9, "{low} {high}");
        let (low, high) = shared_range(MapKind::Difference, &[&picture(vec![-0.31, 0.1])]);
        assert!((low + high).abs() < 1e-12 && high >= 0.31, "{low} {high}");
        assert_eq!(shared_range(MapKind::Soil, &[&picture(vec![f32::NAN])]), (0.0, 1.0));
    }

    #[test]
    fn labels_lie_inside_their_zone() {
        // A horseshoe: its centroid is in the gap.
        let ring = vec![(0., 0.), (9., 0.), (9., 9.), (6., 9.), (6., 3.), (3., 3.), (3., 9.), (0., 9.), (0., 0.)];
        let (x, y) = label_at(&[ring]).unwrap();
        assert!(y < 3.0 || !(3.0..=6.0).contains(&x), "{x} {y}");
    }
}
