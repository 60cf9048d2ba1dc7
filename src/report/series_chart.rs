//! Charts of series over time: points, fitted lines, a band around one, vertical marks and levels.

use maud::{Markup, html};

use super::chart::Axes;
use super::number::{plain, tick, ticks};

/// What a chart of a series shows. Times are decimal years. A point of a line that is no number leaves a gap in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesFacts {
    /// Time, value, and whether the point stands aside (masked, not used): drawn hollow.
    pub points: Vec<(f64, f64, bool)>,
    /// Fitted lines with their names.
    pub lines: Vec<(String, Vec<(f64, f64)>)>,
    /// Time, lower and upper limit of a band.
    pub band: Vec<(f64, f64, f64)>,
    /// Times marked by a vertical line, with a label.
    pub marks: Vec<(f64, String)>,
    /// Values marked by a horizontal line, with a label.
    pub levels: Vec<(f64, String)>,
}

/// One chart of several in a drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Heading.
    pub title: String,
    /// What the values are.
    pub y_title: String,
    /// What it shows.
    pub facts: SeriesFacts,
}

/// Width and height of a chart that stands alone, and of one of several.
const ALONE: (f64, f64) = (720.0, 330.0);
const BESIDE: (f64, f64) = (520.0, 300.0);
/// Room of a panel to the left, right, top and bottom of its plot area.
const ROOM: [f64; 4] = [60.0, 16.0, 52.0, 44.0];
/// Width of a letter, as far as labels are kept apart by it.
const LETTER: f64 = 5.8;
/// Share of the height of all else by which a band may widen the axis on either side.
const MOST_BAND: f64 = 0.6;

/// Draws one series.
#[must_use]
pub fn series(title: &str, y_title: &str, facts: &SeriesFacts) -> Markup {
    panels(title, &[Panel { title: title.to_owned(), y_title: y_title.to_owned(), facts: facts.clone() }])
}

/// Draws several series, two beside each other.
#[must_use]
pub fn panels(title: &str, panels: &[Panel]) -> Markup {
    let (columns, (width, height)) = if panels.len() > 1 { (2, BESIDE) } else { (1, ALONE) };
    let whole = (width * columns as f64, height * panels.len().div_ceil(columns).max(1) as f64);
    html! {
        svg .chart viewBox=(format!("0 0 {} {}", whole.0, whole.1)) role="img" aria-label=(title) {
            title { (title) }
            @for (i, p) in panels.iter().enumerate() {
                (panel(p, (width * (i % columns) as f64, height * (i / columns) as f64), (width, height)))
            }
        }
    }
}

fn panel(panel: &Panel, (x, y): (f64, f64), (width, height): (f64, f64)) -> Markup {
    let plot = [x + ROOM[0], x + width - ROOM[1], y + ROOM[2], y + height - ROOM[3]];
    let facts = &panel.facts;
    let axes = axes(facts, plot);
    let fits = ((plot[1] - plot[0]) / LETTER) as usize;
    html! {
        text .title x=(plot[0]) y=(y + 16.0) { title { (panel.title) } (cut(&panel.title, fits)) }
        @match &axes {
            None => { text .label x=(plot[0]) y=(plot[2] + 24.0) { "no value in the series" } }
            Some(axes) => {
                (axes.framed(&years(axes.x), "year", &panel.y_title))
                (legend(facts, plot[0], y + 34.0))
                (content(facts, axes, plot))
            }
        }
    }
}

fn content(facts: &SeriesFacts, axes: &Axes, plot: [f64; 4]) -> Markup {
    let inside = |y: f64| y.clamp(axes.y.0, axes.y.1);
    let there = facts.band.iter().map(|b| (b.0, inside(b.2)));
    let back = facts.band.iter().rev().map(|b| (b.0, inside(b.1)));
    let at = |v: f64| format!("{v:.1}");
    let marks = rows(facts, axes, plot);
    // Labels last: their halo keeps lines off them.
    html! {
        @if facts.band.len() > 1 {
            path .band d=(axes.path(there.chain(back)) + "Z") {}
        }
        @for (level, _) in &facts.levels {
            line .level x1=(plot[0]) x2=(plot[1]) y1=(at(axes.py(*level))) y2=(at(axes.py(*level))) {}
        }
        @for (time, ..) in &marks {
            line .mark x1=(at(axes.px(*time))) x2=(at(axes.px(*time))) y1=(plot[2]) y2=(plot[3]) {}
        }
        @for (i, (_, line)) in facts.lines.iter().enumerate() {
            path class=(format!("line l{}", i % COLOURS)) d=(axes.path(line.iter().copied())) {}
        }
        @for (time, value, hollow) in facts.points.iter().filter(|p| p.0.is_finite() && p.1.is_finite()) {
            circle class=(if *hollow { "hollow" } else { "dot" }) cx=(at(axes.px(*time))) cy=(at(axes.py(*value))) r="3" {
                title { (tick(*time)) ": " (plain(*value)) }
            }
        }
        @for (level, label) in &facts.levels {
            text .tick text-anchor="end" x=(plot[1] - 3.0) y=(at(axes.py(*level) - 4.0)) { (label) }
        }
        @for (time, label, row) in &marks {
            @let before = ends_before(axes.px(*time), label, plot);
            text .tick text-anchor=(if before { "end" } else { "start" })
                x=(at(axes.px(*time) + if before { -4.0 } else { 4.0 })) y=(at(plot[2] + 11.0 + 13.0 * *row as f64)) { (label) }
        }
    }
}

/// Colours of lines before they repeat.
const COLOURS: usize = 4;

fn legend(facts: &SeriesFacts, left: f64, y: f64) -> Markup {
    let mut at = left;
    let placed: Vec<(f64, &str)> = facts
        .lines
        .iter()
        .map(|(name, _)| {
            let here = at;
            at += 40.0 + LETTER * name.chars().count() as f64;
            (here, name.as_str())
        })
        .collect();
    html! {
        @for (i, (x, name)) in placed.iter().enumerate() {
            line class=(format!("line l{}", i % COLOURS)) x1=(x) x2=(x + 18.0) y1=(y - 4.0) y2=(y - 4.0) {}
            text .tick x=(x + 24.0) y=(y) { (name) }
        }
    }
}

/// Whether a label stands to the left of its mark, because it would leave the plot on the right.
fn ends_before(x: f64, label: &str, plot: [f64; 4]) -> bool {
    x + 4.0 + LETTER * label.chars().count() as f64 > plot[1]
}

/// Marks with the row of their label: the first row in which it meets none before it.
fn rows(facts: &SeriesFacts, axes: &Axes, plot: [f64; 4]) -> Vec<(f64, String, usize)> {
    let mut taken: Vec<(usize, f64, f64)> = Vec::new();
    let mut placed = Vec::with_capacity(facts.marks.len());
    for (time, label) in facts.marks.iter().filter(|m| m.0 >= axes.x.0 && m.0 <= axes.x.1) {
        let (x, wide) = (axes.px(*time), LETTER * label.chars().count() as f64 + 8.0);
        let (low, high) = if ends_before(x, label, plot) { (x - wide, x) } else { (x, x + wide) };
        let free = |row: usize| taken.iter().all(|(r, from, to)| *r != row || high <= *from || low >= *to);
        let row = (0..=taken.len()).find(|row| free(*row)).unwrap_or_default();
        taken.push((row, low, high));
        placed.push((*time, label.clone(), row));
    }
    placed
}

/// Limits that hold all points, lines and levels, and the band as far as it does not dwarf them.
fn axes(facts: &SeriesFacts, plot: [f64; 4]) -> Option<Axes> {
    let line = || facts.lines.iter().flat_map(|(_, line)| line.iter().copied());
    let xs = facts.points.iter().map(|p| p.0).chain(line().map(|p| p.0)).chain(facts.band.iter().map(|b| b.0));
    let ys = facts.points.iter().map(|p| p.1).chain(line().map(|p| p.1)).chain(facts.levels.iter().map(|l| l.0));
    let (x, y) = (limits(xs)?, limits(ys)?);
    let high = y.1 - y.0;
    let (low, top) = limits(facts.band.iter().flat_map(|b| [b.1, b.2])).unwrap_or(y);
    let y = (y.0.min(low.max(y.0 - MOST_BAND * high)), y.1.max(top.min(y.1 + MOST_BAND * high)));
    let pad = |(low, high): (f64, f64), share: f64, least: f64| {
        let room = ((high - low) * share).max(least);
        (low - room, high + room)
    };
    // A series of one value, or of one time, has room around it too.
    let flat = if y.1 > y.0 { 0.0 } else { 0.05 * y.0.abs().max(1.0) };
    Some(Axes { x: pad(x, 0.02, 0.05), y: pad(y, 0.06, flat), plot })
}

fn limits(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let wider = |l: Option<(f64, f64)>, v: f64| Some(l.map_or((v, v), |(low, high)| (low.min(v), high.max(v))));
    values.filter(|v| v.is_finite()).fold(None, wider)
}

/// Ticks at whole years where several fit.
fn years(x: (f64, f64)) -> Vec<f64> {
    const FIT: f64 = 8.0;
    let span = x.1 - x.0;
    if span < 3.0 {
        return ticks(x.0, x.1, 6);
    }
    let step = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0].into_iter().find(|s| span / s <= FIT).unwrap_or(500.0);
    let first = (x.0 / step).ceil();
    let count = ((x.1 / step).floor() - first).max(0.0) as usize;
    (0..=count).map(|i| (first + i as f64) * step).collect()
}

/// A text of at most `fits` letters.
fn cut(text: &str, fits: usize) -> String {
    if text.chars().count() <= fits {
        return text.to_owned();
    }
    text.chars().take(fits.saturating_sub(1)).chain(std::iter::once('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> SeriesFacts {
        SeriesFacts {
            points: vec![(2015.0, 0.2, false), (2017.5, 0.5, true)],
            lines: vec![("fit <1>".into(), vec![(2015.0, 0.2), (2016.0, f64::NAN), (2017.0, 0.4), (2020.0, 0.6)])],
            band: vec![(2015.0, -90.0, 90.0), (2020.0, 0.5, 0.7)],
            marks: vec![(2016.0, "first".into()), (2016.1, "second".into()), (2090.0, "outside".into())],
            levels: vec![(0.6, "target 0.6".into())],
        }
    }

    #[test]
    fn everything_is_drawn_inside_the_plot() {
        let drawn = series("t", "NDVI", &facts()).into_string();
        assert_eq!(drawn.matches("<circle").count(), 2);
        assert_eq!(drawn.matches("class=\"hollow\"").count(), 1);
        assert!(drawn.contains("target 0.6") && drawn.contains("fit &lt;1&gt;") && !drawn.contains("outside"));
        // The line is cut where a point is no number.
        let line = drawn.split("class=\"line l0\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!((line.matches('M').count(), line.matches('L').count()), (2, 1), "{line}");
        // The band leaves the plot nowhere.
        let band = drawn.split("class=\"band\" d=\"").nth(1).unwrap().split('Z').next().unwrap();
        let heights = band.split(['M', 'L']).skip(1).map(|p| p.split(' ').nth(1).unwrap().parse::<f64>().unwrap());
        assert!(heights.into_iter().all(|y| (ROOM[2]..=ALONE.1 - ROOM[3]).contains(&y)), "{band}");
    }

    #[test]
    fn labels_of_near_marks_stand_below_each_other() {
        let drawn = series("t", "NDVI", &facts()).into_string();
        let row = |label: &str| {
            let text = drawn.split(&format!("\">{label}<")).next().unwrap();
            text.rsplit("y=\"").next().unwrap().parse::<f64>().unwrap()
        };
        assert_eq!(row("second") - row("first"), 13.0);
    }

    #[test]
    fn years_are_whole_where_several_fit() {
        assert_eq!(years((2014.9, 2020.1)), [2015.0, 2016.0, 2017.0, 2018.0, 2019.0, 2020.0]);
        assert_eq!(years((2014.9, 2032.0)), [2015.0, 2020.0, 2025.0, 2030.0]);
        assert!(years((2017.2, 2018.4)).len() > 2);
    }

    #[test]
    fn a_series_without_values_says_so() {
        let empty = Panel { title: "Zone".into(), y_title: "NDVI".into(), facts: SeriesFacts::default() };
        let drawn = panels("t", &[empty.clone(), empty]).into_string();
        assert_eq!(drawn.matches("no value in the series").count(), 2);
        let constant = SeriesFacts { points: vec![(2015.0, 0.0, false)], ..SeriesFacts::default() };
        assert!(!series("t", "NDVI", &constant).into_string().contains("NaN"));
    }
}
