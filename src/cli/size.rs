//! Sizes as people write them: `64MiB`, `2GiB`, `500MB`.

const UNITS: [(&str, u64); 14] = [
    ("KIB", 1 << 10),
    ("MIB", 1 << 20),
    ("GIB", 1 << 30),
    ("TIB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("K", 1 << 10),
    ("M", 1 << 20),
    ("G", 1 << 30),
    ("T", 1 << 40),
    ("B", 1),
    ("", 1),
];

/// Parses a size in bytes: `KiB MiB GiB TiB` (and `K M G T`) count by 1024, `KB MB GB TB` by 1000, no unit means bytes.
///
/// # Errors
/// Says what is allowed; zero, negative, not finite and more than 2^60 bytes are refused.
pub fn parse(text: &str) -> Result<u64, String> {
    const ALLOWED: &str = "write a positive size such as 64MiB, 500MB or 2GiB";
    let upper = text.trim().to_ascii_uppercase();
    let (number, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| upper.strip_suffix(unit).map(|n| (n.trim_end().to_owned(), *factor)))
        .unwrap_or((upper.clone(), 1));
    let plain = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let bytes = number.parse::<f64>().ok().filter(|_| plain).map(|n| n * factor as f64);
    match bytes {
        Some(b) if b >= 1.0 && b <= (1u64 << 60) as f64 => Ok(b as u64),
        _ => Err(ALLOWED.to_owned()),
    }
}

/// A size for people: `512 MiB`, `1.5 GiB`.
#[must_use]
pub fn display(bytes: u64) -> String {
    let (unit, factor) = match bytes {
        b if b >= 1 << 30 => ("GiB", 1u64 << 30),
        b if b >= 1 << 20 => ("MiB", 1 << 20),
        b if b >= 1 << 10 => ("KiB", 1 << 10),
        _ => return format!("{bytes} B"),
    };
    let value = bytes as f64 / factor as f64;
    if value.fract() == 0.0 { format!("{value} {unit}") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_count_by_1024_or_1000() {
        assert_eq!(parse("64MiB"), Ok(64 << 20));
        assert_eq!(parse("500MB"), Ok(500_000_000));
        assert_eq!(parse("2GiB"), Ok(2 << 30));
        assert_eq!(parse("1.5 gib"), Ok(3 << 29));
        assert_eq!(parse("8g"), Ok(8 << 30));
        assert_eq!(parse("123"), Ok(123));
    }

    #[test]
    fn what_is_not_a_positive_size_is_refused() {
        for bad in ["", "0", "0GiB", "-1GB", "nan", "inf", "1e99GB", "5 bananas", "1e3", "GiB", "99999999TiB", "1.2.3K"]
        {
            assert!(parse(bad).is_err_and(|e| e.contains("64MiB")), "{bad:?}");
        }
    }

    #[test]
    fn sizes_are_shown_in_the_largest_unit() {
        assert_eq!(display(512 << 20), "512 MiB");
        assert_eq!(display(3 << 29), "1.5 GiB");
        assert_eq!(display(100), "100 B");
    }
}
