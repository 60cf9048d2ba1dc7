//! Composites that take all bands of a pixel from one date.

use jiff::civil::Date;

use super::lanes::{LANES, Row, Stack};

/// No date.
pub(super) const NONE: u32 = u32::MAX;

/// The valid date with the highest NDVI, the earliest on ties. NDVI outside −1..=1 comes of negative reflectance in deep
/// shadow and only counts where a pixel has nothing else.
#[pulp::with_simd(greenest = pulp::Arch::new())]
#[inline(always)]
pub(super) fn greenest_with_simd<S: pulp::Simd>(_simd: S, stack: &Stack<f64>, (red, nir): (usize, usize)) -> Row<u32> {
    const NOTHING_ELSE: f64 = -2.0;
    let (mut best, mut chosen) = ([f64::NEG_INFINITY; LANES], [NONE; LANES]);
    for (i, (date, ok)) in stack.dates().enumerate() {
        let (r, n) = (&date[red], &date[nir]);
        for l in 0..LANES {
            let ndvi = (n[l] - r[l]) / (n[l] + r[l]);
            let score = if (-1.0..=1.0).contains(&ndvi) { ndvi } else { NOTHING_ELSE };
            let better = ok[l] & (score > best[l]);
            best[l] = if better { score } else { best[l] };
            chosen[l] = if better { i as u32 } else { chosen[l] };
        }
    }
    chosen
}

/// The valid date with the least sum of distances to all others, the earliest on ties; `sums` is working memory.
#[pulp::with_simd(medoid = pulp::Arch::new())]
#[inline(always)]
pub(super) fn medoid_with_simd<'a, S: pulp::Simd>(
    _simd: S,
    stack: &'a Stack<f64>,
    sums: &'a mut Vec<Row<f64>>,
) -> Row<u32> {
    sums.clear();
    sums.resize(stack.valid.len(), [0.0; LANES]);
    for (i, (from, here)) in stack.dates().enumerate() {
        // Every sum takes its distances in order of time, as if each date were compared with all.
        let mut own = sums[i];
        for ((to, there), sum) in stack.dates().zip(sums.iter_mut()).skip(i + 1) {
            let mut squares = [0.0; LANES];
            for (a, b) in from.iter().zip(to) {
                for l in 0..LANES {
                    squares[l] += (a[l] - b[l]) * (a[l] - b[l]);
                }
            }
            for l in 0..LANES {
                let distance = if here[l] & there[l] { squares[l].sqrt() } else { 0.0 };
                own[l] += distance;
                sum[l] += distance;
            }
        }
        sums[i] = own;
    }
    let (mut least, mut chosen) = ([f64::INFINITY; LANES], [NONE; LANES]);
    for (i, (sum, ok)) in sums.iter().zip(&stack.valid).enumerate() {
        for l in 0..LANES {
            let better = ok[l] & (sum[l] < least[l]);
            least[l] = if better { sum[l] } else { least[l] };
            chosen[l] = if better { i as u32 } else { chosen[l] };
        }
    }
    chosen
}

/// The first valid date of each pixel in an order of preference.
pub(super) fn preferred(valid: &[Row<bool>], preference: &[u32]) -> Row<u32> {
    let mut chosen = [NONE; LANES];
    for i in preference {
        let ok = &valid[*i as usize];
        for l in 0..LANES {
            chosen[l] = if chosen[l] == NONE && ok[l] { *i } else { chosen[l] };
        }
    }
    chosen
}

/// Dates by their distance in days to day `target` of their year, around the turn of the year too; the earlier date first
/// on ties.
pub(super) fn by_day_of_year(dates: &[Date], target: u16) -> Vec<u32> {
    let distance = |date: &Date| {
        let apart = i32::from(date.day_of_year()).abs_diff(i32::from(target));
        apart.min(u32::from(date.days_in_year().unsigned_abs()).saturating_sub(apart))
    };
    let mut order: Vec<u32> = (0..dates.len() as u32).collect();
    order.sort_by_key(|i| distance(&dates[*i as usize]));
    order
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_are_near_across_the_turn_of_the_year() {
        let dates = [date(2018, 7, 1), date(2018, 12, 30), date(2019, 1, 12), date(2019, 1, 2), date(2020, 1, 2)];
        // From 1 January: 2, 11, 1 and 1 days away, and half a year.
        assert_eq!(by_day_of_year(&dates, 1), [3, 4, 1, 2, 0]);
        assert_eq!(by_day_of_year(&dates, 365)[0], 1);
        let mut valid = vec![[false; LANES]; 5];
        valid[1][0] = true;
        valid[0][0] = true;
        assert_eq!(preferred(&valid, &[3, 4, 1, 2, 0])[..2], [1, NONE]);
    }
}
