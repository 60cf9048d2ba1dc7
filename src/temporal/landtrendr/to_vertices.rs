//! "Fit to vertices": another band of the pixel drawn through the years that one band has given.

use super::fits::{FitMethod, Joint, anchored_segment, free_segment};
use super::vertices::MOST;
use super::{Work, draw, rms_difference};

/// Fits a path with vertices at `vertex_years` (rising, 2 to 23 of them) to the series `values` of `years` (rising) and answers the root
/// of its mean squared residual; the path is left in `work`. Years outside the vertices do not count. A vertex year needs no value:
/// the anchored path goes on level over a segment without values.
///
/// `None` where the values leave a vertex open: none in the first segment (anchored), too few about a vertex (joint).
#[must_use]
pub fn fit_to_vertices(
    vertex_years: &[i32],
    years: &[i32],
    values: &[f64],
    method: FitMethod,
    work: &mut Work,
) -> Option<f64> {
    let (first, last) = (*vertex_years.first()?, *vertex_years.last()?);
    let rising = vertex_years.windows(2).all(|pair| pair[0] < pair[1]);
    if !rising || !(2..=MOST).contains(&vertex_years.len()) || years.len() != values.len() {
        return None;
    }
    let (from, to) = (years.partition_point(|year| *year < first), years.partition_point(|year| *year <= last));
    let (years, values) = (&years[from..to], &values[from..to]);
    let series = &mut work.series;
    series.y.clear();
    series.y.extend_from_slice(values);
    let level = series.centre(years, 1.0);
    let mut x = [0.0; MOST];
    for (x, year) in x.iter_mut().zip(vertex_years) {
        *x = f64::from(*year) - series.middle;
    }
    let mut found = [0.0; MOST];
    let segments = vertex_years.len() - 1;
    match method {
        FitMethod::Anchored => {
            let mut from = 0;
            for i in 0..segments {
                let to = years.partition_point(|year| *year <= vertex_years[i + 1]);
                let points = series.sums(from, to);
                match (i, to - from) {
                    (0, 0) => return None,
                    (0, 1) => (found[0], found[1]) = (series.y[0], series.y[0]),
                    (0, _) => (found[0], found[1], _) = free_segment(&points, x[0], x[1]),
                    (_, 0) => found[i + 1] = found[i],
                    _ => (found[i + 1], _) = anchored_segment(&points, x[i], found[i], x[i + 1]),
                }
                from = to;
            }
        }
        FitMethod::Joint => {
            let mut equations = Joint::<MOST>::new();
            let mut from = 0;
            for i in 0..segments {
                let to = if i + 1 == segments {
                    years.len()
                } else {
                    years.partition_point(|year| *year < vertex_years[i + 1])
                };
                equations.add(i, &series.sums(from, to), x[i], x[i + 1]);
                from = to;
            }
            equations.solve(&mut found[..=segments])?;
        }
    }
    work.years.clear();
    work.years.extend_from_slice(vertex_years);
    work.values.clear();
    work.values.extend(found[..=segments].iter().map(|value| level + value));
    draw(&work.years, &work.values, &mut work.fitted);
    Some(rms_difference(years, values, first, &work.fitted))
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEARS: [i32; 7] = [2000, 2001, 2002, 2003, 2004, 2005, 2006];

    #[test]
    fn a_path_is_found_again() {
        let values = [5.0, 5.0, 5.0, 1.0, 2.0, 3.0, 4.0];
        let mut work = Work::default();
        for method in [FitMethod::Anchored, FitMethod::Joint] {
            let rmse = fit_to_vertices(&[2000, 2002, 2003, 2006], &YEARS, &values, method, &mut work).unwrap();
            assert!(rmse < 1e-12);
            for (path, value) in work.fitted().iter().zip(values) {
                assert!((path - value).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn by_hand() {
        // Anchored: level 1 through the first two points, then least squares through (2001, 1): (1·3 + 2·3) / (1 + 4).
        let mut work = Work::default();
        let (years, values) = ([2000, 2001, 2002, 2003], [1.0, 1.0, 4.0, 4.0]);
        fit_to_vertices(&[2000, 2001, 2003], &years, &values, FitMethod::Anchored, &mut work).unwrap();
        assert!((work.vertex_values()[2] - (1.0 + 2.0 * 9.0 / 5.0)).abs() < 1e-12);
        // Joint, hat functions (1,0,0,0), (0,1,½,0), (0,0,½,1): normal equations [1 0 0; 0 5/4 1/4; 0 1/4 5/4] v = [1, 3, 6].
        let rmse = fit_to_vertices(&[2000, 2001, 2003], &years, &values, FitMethod::Joint, &mut work).unwrap();
        for (value, expected) in work.vertex_values().iter().zip([1.0, 1.5, 4.5]) {
            assert!((value - expected).abs() < 1e-12);
        }
        assert!((rmse - (1.5_f64 / 4.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn vertices_without_values() {
        let mut work = Work::default();
        // Values only in the first segment and outside: the path goes on level, a joint fit is open.
        let (years, values) = ([1990, 2000, 2001, 2002], [99.0, 1.0, 2.0, 3.0]);
        assert!(fit_to_vertices(&[2000, 2002, 2005], &years, &values, FitMethod::Joint, &mut work).is_none());
        fit_to_vertices(&[2000, 2002, 2005], &years, &values, FitMethod::Anchored, &mut work).unwrap();
        assert_eq!(work.fitted(), [1.0, 2.0, 3.0, 3.0, 3.0, 3.0]);
        // A vertex between values is no obstacle.
        let (years, values) = ([2000, 2001, 2003, 2004], [0.0, 1.0, 1.0, 0.0]);
        fit_to_vertices(&[2000, 2002, 2004], &years, &values, FitMethod::Joint, &mut work).unwrap();
        assert!((work.fitted()[2] - 2.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_to_fit() {
        let mut work = Work::default();
        for method in [FitMethod::Anchored, FitMethod::Joint] {
            assert!(fit_to_vertices(&[2000, 2006], &[], &[], method, &mut work).is_none());
            assert!(fit_to_vertices(&[2000], &YEARS, &[0.0; 7], method, &mut work).is_none());
            assert!(fit_to_vertices(&[2003, 2001], &YEARS, &[0.0; 7], method, &mut work).is_none());
            assert!(fit_to_vertices(&[2005, 2006, 2009], &YEARS[..5], &[0.0; 5], method, &mut work).is_none());
        }
    }
}
