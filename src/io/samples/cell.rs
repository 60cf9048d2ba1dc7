//! What one cell of a sample table says.

/// Meaning of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell {
    /// A finite number.
    Number(f64),
    /// Empty, `NA` and the like.
    Missing,
    /// `NaN` or infinite, spelled out.
    NotFinite,
    /// `<L`: below the detection limit L.
    Below(f64),
    /// Not a number, and why.
    Bad(&'static str),
}

/// Longest number: far more digits than a double holds.
const MOST_CHARACTERS: usize = 64;

/// Reads a cell. With `decimal_comma` the only comma is the decimal point. Nothing is guessed: a thousands separator, a unit
/// or a number of another notation is refused with its reason.
pub(super) fn read(text: &str, decimal_comma: bool) -> Cell {
    let t = text.trim();
    let lower = t.to_ascii_lowercase();
    match lower.as_str() {
        "" | "na" | "n/a" | "null" | "none" => return Cell::Missing,
        "nan" | "inf" | "+inf" | "-inf" | "infinity" | "-infinity" => return Cell::NotFinite,
        "nd" | "n.d." | "bdl" | "<lod" | "<dl" => {
            return Cell::Bad("below detection without a limit; write <limit, such as <0.25");
        }
        _ => {}
    }
    if let Some(limit) = t.strip_prefix('<') {
        return match read(limit, decimal_comma) {
            Cell::Number(l) if l > 0.0 => Cell::Below(l),
            _ => Cell::Bad("a detection limit is a positive number, such as <0.25"),
        };
    }
    if t.len() > MOST_CHARACTERS {
        return Cell::Bad("too long for a number");
    }
    let commas = t.matches(',').count();
    let plain = match (commas, decimal_comma) {
        (0, _) => t.to_owned(),
        (1, true) if !t.contains('.') => t.replace(',', "."),
        (_, true) => return Cell::Bad("more than one decimal or thousands separator"),
        _ => {
            return Cell::Bad(
                "a comma in a number; decimal commas need ; between the fields, thousands separators none",
            );
        }
    };
    if !is_decimal(&plain) {
        return Cell::Bad(why_not(t));
    }
    match plain.parse::<f64>() {
        Ok(v) if v.is_finite() => Cell::Number(v),
        Ok(_) => Cell::Bad("larger than a double can hold"),
        Err(_) => Cell::Bad("not a number"),
    }
}

/// `[+-]digits[.digits][e[+-]digits]` with at least one digit before the exponent.
fn is_decimal(text: &str) -> bool {
    let t = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = t.split_once(['e', 'E']).map_or((t, None), |(m, e)| (m, Some(e)));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_ok = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    !(whole.is_empty() && fraction.is_empty()) && digits(whole) && digits(fraction) && exponent_ok
}

fn why_not(text: &str) -> &'static str {
    let starts_like_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if text.contains('\u{2212}') || text.contains('\u{2013}') {
        "a typographic minus; write -"
    } else if text.starts_with("0x") || text.starts_with("0X") {
        "a hexadecimal number"
    } else if text.contains('_') && starts_like_number {
        "underscores in a number"
    } else if starts_like_number {
        "something after or inside the number; numbers stand alone, without unit or thousands separator"
    } else {
        "not a number"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_plain_notation() {
        for (text, want) in [("5", 5.0), (" -0.25 ", -0.25), ("1e3", 1000.0), (".5", 0.5), ("7.", 7.0), ("+2E-1", 0.2)]
        {
            assert_eq!(read(text, false), Cell::Number(want), "{text}");
        }
        assert_eq!(read("500105,5", true), Cell::Number(500_105.5));
        assert_eq!(read("<0,25", true), Cell::Below(0.25));
    }

    #[test]
    fn nothing_else_is_a_number() {
        for text in [
            "500,105",
            "0x1F",
            "500_105",
            "5m",
            "5.0D5",
            "\u{2212}2",
            "1e400",
            "ND",
            "<x",
            "1.2.3",
            "e5",
            ".",
            "1e",
            "--1",
            "1 000",
        ] {
            assert!(matches!(read(text, false), Cell::Bad(_)), "{text}: {:?}", read(text, false));
        }
        assert!(matches!(read(&"9".repeat(300_000), false), Cell::Bad(_)));
        assert!(matches!(read("1.000,5", true), Cell::Bad(_)));
    }

    #[test]
    fn missing_is_not_zero_and_not_finite_is_not_missing() {
        assert_eq!([read("", false), read("NA", false), read("n/a", false)], [Cell::Missing; 3]);
        assert_eq!([read("NaN", false), read("inf", false)], [Cell::NotFinite; 2]);
    }
}
