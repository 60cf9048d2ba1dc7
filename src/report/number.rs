//! Numbers as people read them.

/// A number with as many decimals as its size is worth, thousands set apart by a narrow space.
#[must_use]
pub fn plain(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 1000.0 => 0,
        v if v >= 100.0 => 1,
        v if v >= 1.0 => 2,
        v if v >= 0.01 || v == 0.0 => 3,
        _ => 5,
    };
    fixed(value, decimals)
}

/// A number with a fixed count of decimals.
#[must_use]
pub fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let text = format!("{:.decimals$}", value.abs());
    // Minus zero says something that is not there.
    let negative = value < 0.0 && text.chars().any(|c| c.is_ascii_digit() && c != '0');
    let (whole, tail) = text.split_once('.').map_or((text.as_str(), None), |(w, t)| (w, Some(t)));
    let mut grouped = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) && whole.len() > 4 {
            grouped.push('\u{202f}');
        }
        grouped.push(c);
    }
    let sign = if negative { "\u{2212}" } else { "" };
    match tail {
        Some(tail) => format!("{sign}{grouped}.{tail}"),
        None => format!("{sign}{grouped}"),
    }
}

/// A figure in the decimals its name asks for: hectares and shares keep two and three.
#[must_use]
pub fn figure(name: &str, value: f64) -> String {
    if name.ends_with("_ha") {
        fixed(value, 2)
    } else if name.ends_with("_mg_kg") {
        plain(value)
    } else {
        fixed(value, 3)
    }
}

/// A text in which numbers of many digits keep four significant ones (`nug(0.05066)+sph(0.5906,897)`).
#[must_use]
pub fn shorten(text: &str) -> String {
    let mut short = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        short += &rest[..start];
        let tail = &rest[start..];
        let end = tail.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(tail.len());
        match tail[..end].parse::<f64>() {
            Ok(v) if end > 6 && tail[..end].contains('.') => {
                let decimals = (3 - v.abs().max(1e-9).log10().floor() as i32).max(0) as usize;
                let text = format!("{v:.decimals$}");
                short += if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
            }
            _ => short += &tail[..end],
        }
        rest = &tail[end..];
    }
    short + rest
}

/// Percent with one decimal.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{} %", fixed(share * 100.0, 1))
}

/// Bytes in binary units.
#[must_use]
pub fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// Round steps (1, 2, 2.5, 5 times a power of ten) that cover `low..=high` in about `count` intervals.
#[must_use]
pub fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 || count == 0 {
        return vec![low];
    }
    let raw = span / count as f64;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|s| s * power).find(|s| *s >= raw * 0.999).unwrap_or(raw);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// A tick label without trailing zeros.
#[must_use]
pub fn tick(value: f64) -> String {
    let text = format!("{:.4}", value.abs());
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let whole = value.abs() >= 10_000.0 && !text.contains('.');
    let text = if whole { fixed(value.abs(), 0) } else { text.to_owned() };
    if value < 0.0 && text != "0" { format!("\u{2212}{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(plain(12345.6), "12\u{202f}346");
        assert_eq!(plain(-0.0456), "\u{2212}0.046");
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(plain(f64::NAN), "–");
        assert_eq!(bytes(2048), "2.0 KiB");
    }

    #[test]
    fn long_numbers_in_texts_are_shortened() {
        let model = "nug(0.05066044066165118)+sph(0.5906058350970592,897.0064265479565)";
        assert_eq!(shorten(model), "nug(0.05066)+sph(0.5906,897)");
        assert_eq!(shorten("12345.678901 m of 7"), "12346 m of 7");
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 1.0, 4), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(ticks(-0.3, 0.3, 3), [-0.2, 0.0, 0.2]);
        assert_eq!(tick(-0.2), "\u{2212}0.2");
        assert_eq!(ticks(5.0, 5.0, 4), [5.0]);
    }
}
