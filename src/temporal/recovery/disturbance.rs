//! The year of the disturbance, where nobody names it.

use super::series::Annual;

/// First affected year of the greatest drop, where that is more than `least`; the earliest of equal drops.
///
/// The drop into a valid year y is V̄ − max(V(y), V(z)): V̄ is the mean of the valid values of the `before` years before y
/// (where all of them are missing, the last valid value before y), z the next valid year. The next year has to be low as
/// well, so that one bad composite is no disturbance; for the same reason the last valid year cannot be one yet. `sign`
/// is −1 for an index that rises with bare ground. Years after `until` are not looked at.
pub(super) fn find(series: Annual<'_>, sign: f64, before: u32, least: f64, until: i32) -> Option<i32> {
    let v = series.values;
    let mut found: Option<(f64, i32)> = None;
    // First of the years that are averaged; it only moves forward.
    let mut first = 0;
    for i in 1..v.len().saturating_sub(1) {
        let year = series.years[i];
        if year > until {
            break;
        }
        while first < i && i64::from(series.years[first]) < i64::from(year) - i64::from(before) {
            first += 1;
        }
        let earlier = &v[first.min(i - 1)..i];
        let level = sign * (earlier.iter().sum::<f64>() / earlier.len() as f64);
        let drop = level - (sign * v[i]).max(sign * v[i + 1]);
        if drop > least && found.is_none_or(|(greatest, _)| drop > greatest) {
            found = Some((drop, year));
        }
    }
    found.map(|(_, year)| year)
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEARS: [i32; 8] = [2000, 2001, 2002, 2003, 2004, 2005, 2006, 2007];

    fn found(values: &[f64], least: f64) -> Option<i32> {
        find(Annual::new(&YEARS, values), 1.0, 2, least, i32::MAX)
    }

    #[test]
    fn the_greatest_drop_that_lasts() {
        // A spike in 2002 and a drop in 2005.
        let v = [0.6, 0.6, 0.1, 0.6, 0.6, 0.3, 0.35, 0.4];
        // Into 2005: 0.6 − 0.35.
        assert_eq!(found(&v, 0.24), Some(2005));
        assert_eq!(found(&v, 0.26), None);
        assert_eq!(find(Annual::new(&YEARS, &v.map(|x| -x)), -1.0, 2, 0.24, i32::MAX), Some(2005));
        assert_eq!(find(Annual::new(&YEARS, &v), 1.0, 2, 0.01, 2004), None);
    }

    #[test]
    fn the_last_year_is_not_confirmed() {
        assert_eq!(found(&[0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.1], 0.1), None);
        assert_eq!(found(&[0.6, 0.1], 0.1), None);
        assert_eq!(found(&[], 0.1), None);
    }

    #[test]
    fn a_drop_across_a_gap_is_dated_to_the_first_year_seen() {
        let s = Annual::new(&[1990, 1991, 2000, 2001], &[0.7, 0.6, 0.1, 0.2]);
        assert_eq!(find(s, 1.0, 2, 0.39, i32::MAX), Some(2000));
        assert_eq!(find(s, 1.0, 2, 0.41, i32::MAX), None);
    }
}
