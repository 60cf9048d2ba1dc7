//! Step 1: damping of spikes.
//!
//! A point stands out if its neighbours agree with each other better than with it:
//! `prop = 1 − |v(i−1) − v(i+1)| / max(|v(i) − v(i+1)|, |v(i) − v(i−1)|)`. The point with the largest share moves by that share towards the
//! mean of its neighbours, and so on, until the largest share found is at most the threshold (that last move is still made).

use super::series::{LANES, larger};

/// Every move shrinks a spike, but thresholds near zero would go on until nothing but rounding is left.
const MOVES_PER_POINT: usize = 50;

/// Damps spikes in place. `shares` is scratch.
pub(super) fn despike(values: &mut [f64], threshold: f64, shares: &mut Vec<f64>) {
    let n = values.len();
    if threshold >= 1.0 || n < 3 {
        return;
    }
    shares.clear();
    shares.extend(values.windows(3).map(|w| share(w[0], w[1], w[2])));
    for _ in 0..MOVES_PER_POINT * n {
        let (at, largest) = first_largest(shares);
        let i = at + 1;
        values[i] += largest * (0.5 * (values[i - 1] + values[i + 1]) - values[i]);
        if largest <= threshold {
            return;
        }
        // A move concerns the shares of the point and of its neighbours.
        let (from, to) = (at.saturating_sub(1), (at + 1).min(shares.len() - 1));
        for j in from..=to {
            shares[j] = share(values[j], values[j + 1], values[j + 2]);
        }
    }
}

/// How far a point stands out from two neighbours, at most 1; negative where it lies between them.
fn share(before: f64, value: f64, after: f64) -> f64 {
    let steepest = larger((value - after).abs(), (value - before).abs());
    let share = 1.0 - (before - after).abs() / steepest;
    if steepest == 0.0 { 0.0 } else { share }
}

/// The first of the largest, and its place.
fn first_largest(shares: &[f64]) -> (usize, f64) {
    let (lanes, rest) = shares.as_chunks::<LANES>();
    let mut largest = [f64::NEG_INFINITY; LANES];
    for shares in lanes {
        for (largest, share) in largest.iter_mut().zip(shares) {
            *largest = larger(*largest, *share);
        }
    }
    let largest = largest.into_iter().chain(rest.iter().copied()).fold(f64::NEG_INFINITY, larger);
    (shares.iter().position(|share| *share == largest).unwrap_or(0), largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_of_the_oracle() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/oracles/temporal/despike.json");
        let oracle: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let numbers = |value: &serde_json::Value| -> Vec<f64> {
            value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
        };
        let cases = oracle["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 12);
        let mut shares = Vec::new();
        for case in cases {
            let mut values = numbers(&case["values"]);
            despike(&mut values, case["threshold"].as_f64().unwrap(), &mut shares);
            for (found, expected) in values.iter().zip(numbers(&case["out"])) {
                assert!((found - expected).abs() <= 1e-6, "{}: {found} instead of {expected}", case["id"]);
            }
        }
    }

    #[test]
    fn last_move_is_made_and_one_switches_off() {
        // Shares: 1 − 10/90 of the spike, which is below the threshold, but is found and so is moved.
        let damped = |threshold: f64| {
            let mut values = [0.0, 100.0, 10.0];
            despike(&mut values, threshold, &mut Vec::new());
            values[1]
        };
        assert_eq!(damped(1.0), 100.0);
        assert!((damped(0.95) - (100.0 + 0.9 * (5.0 - 100.0))).abs() < 1e-12);
    }

    #[test]
    fn ends_with_any_threshold() {
        let mut values = [3.0, 8.0, 1.0, 9.0, 2.0, 2.0, 7.0];
        despike(&mut values, 0.0, &mut Vec::new());
        assert!(values.iter().all(|v| (1.0..=9.0).contains(v)));
        let mut level = [4.0; 5];
        despike(&mut level, 0.5, &mut Vec::new());
        assert_eq!(level, [4.0; 5]);
    }
}
