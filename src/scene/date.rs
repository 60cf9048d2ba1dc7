//! Acquisition dates from metadata and names.

use std::path::Path;

use jiff::civil::Date;

use crate::error::{Error, Result};

/// Keys of file metadata that state when a scene was taken. Processing times (`TIFFTAG_DATETIME`) do not.
const KEYS: [&str; 6] =
    ["DATE_ACQUIRED", "ACQUISITION_DATE", "SENSING_TIME", "DATATAKE_SENSING_START", "PRODUCT_START_TIME", "datetime"];

/// The date file metadata state.
pub(super) fn from_metadata(metadata: &[(String, String)]) -> Option<String> {
    KEYS.iter().find_map(|key| metadata.iter().find(|(k, _)| k.eq_ignore_ascii_case(key))).and_then(|(_, v)| in_text(v))
}

/// The first date in a text: `YYYYMMDD` (also with a time behind it), `YYYY-MM-DD` or `YYYYDDD`, years 1970 to 2099.
#[must_use]
pub fn in_text(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let run = bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        if run == 0 {
            at += 1;
            continue;
        }
        if let Some(date) = at_digits(text, at, run) {
            return Some(date.to_string());
        }
        at += run;
    }
    None
}

/// The date that the run of `run` digits at byte `at` begins, if any.
fn at_digits(text: &str, at: usize, run: usize) -> Option<Date> {
    let number = |from: usize, len: usize| text.get(at + from..at + from + len)?.parse::<i16>().ok();
    let date = |y: i16, m: i16, d: i16| Date::new(y, i8::try_from(m).ok()?, i8::try_from(d).ok()?).ok();
    let year = number(0, 4).filter(|y| (1970..2100).contains(y))?;
    match run {
        8 | 14 => date(year, number(4, 2)?, number(6, 2)?),
        7 => date(year, 1, 1)?
            .checked_add(jiff::Span::new().days(number(4, 3)?.checked_sub(1).filter(|d| *d >= 0)?))
            .ok()
            .filter(|d| d.year() == year),
        4 => {
            let b = text.as_bytes();
            let dashes = b.get(at + 4) == Some(&b'-') && b.get(at + 7) == Some(&b'-');
            let ends = !b.get(at + 10).is_some_and(u8::is_ascii_digit);
            if dashes && ends { date(year, number(5, 2)?, number(8, 2)?) } else { None }
        }
        _ => None,
    }
}

/// Dates of a file, a line each; empty lines and lines that begin with `#` are passed over.
///
/// # Errors
/// Input error that names the line which holds no date.
pub(super) fn read_list(path: &Path) -> Result<Vec<String>> {
    let name = path.display();
    super::input::local_file(path).map_err(|e| e.context("--dates"))?;
    let text = std::fs::read_to_string(path).map_err(|e| Error::from_io(&format!("--dates {name}"), &e))?;
    let mut dates = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let date = in_text(line)
            .ok_or_else(|| Error::input(format!("--dates {name}: line {}: {line:?} is not YYYY-MM-DD", i + 1)))?;
        dates.push(date);
    }
    Ok(dates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_names() {
        let found = |t: &str| in_text(t).unwrap_or_default();
        assert_eq!(found("LC08_L2SP_218074_20190114_20200829_02_T1_SR_B4.TIF"), "2019-01-14");
        assert_eq!(found("S2A_MSIL2A_20200210T003111_N0500.SAFE"), "2020-02-10");
        assert_eq!(found("HLS.S30.T56JMQ.2019014T235309.v2.0.B04.tif"), "2019-01-14");
        assert_eq!(found("mine 2020-02-29.tif"), "2020-02-29");
        assert_eq!(found("20200229103021.tif"), "2020-02-29");
        assert_eq!(found("2020366.tif"), "2020-12-31");
    }

    #[test]
    fn numbers_that_are_no_dates() {
        for text in
            ["S2-08082025.tif", "22072026", "tile_123456789", "2019-13-01", "2019366", "2019000", "scene", "2020"]
        {
            assert_eq!(in_text(text), None, "{text}");
        }
    }
}
