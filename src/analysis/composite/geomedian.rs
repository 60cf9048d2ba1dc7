//! The geometric median of each pixel's dates, and how far the dates lie from it.

use super::central::Ranks;
use super::lanes::{LANES, Lane, Row, Stack};

/// Longest step, in reflectance, at which the iteration may rest, and the way still to go at which it does: steps shrink by a
/// factor ρ, so that ρ/(1−ρ) of the last one is left.
const STEP: f64 = 1e-6;
/// Step at which it rests in any case: less than f32 tells apart in reflectance.
const LEAST: f64 = 1e-8;
const ITERATIONS: usize = 1000;
/// Steps after which the nearest date is tried.
const SETTLE: usize = 10;

/// Working memory, reused from run to run.
#[derive(Default)]
pub(super) struct Work<T> {
    /// Physical values, date by date, with bands of zeros up to the compiled number.
    points: Vec<Row<T>>,
    /// 1 where a date is valid, else 0.
    weights: Vec<Row<T>>,
    at: Vec<Row<T>>,
    spread: [Vec<Row<f64>>; 3],
}

/// Weiszfeld's iteration from the mean, with the step of Vardi & Zhang 2000 where the point meets a date. Every lane rests
/// on its own.
pub(super) fn geometric_medians<T: Lane>(
    stack: &Stack<T>,
    encodings: &[(f64, f64)],
    work: &mut Work<T>,
    out: &mut [Row<f64>],
) {
    // A band of zeros adds nothing to a distance, and loops over a number of bands the compiler knows are several times
    // faster.
    macro_rules! with_bands {
        ($($n:literal)*) => {
            match stack.bands {
                $(0..=$n => iterate_as::<T, $n>(stack, encodings, work),)*
                _ => iterate_as::<T, 64>(stack, encodings, work),
            }
        };
    }
    with_bands!(1 2 3 4 5 6 7 8 10 12 16 24);
    for (out, at) in out.iter_mut().zip(&work.at) {
        *out = at.map(Into::into);
    }
}

fn iterate_as<T: Lane, const B: usize>(stack: &Stack<T>, encodings: &[(f64, f64)], work: &mut Work<T>) {
    let dates = stack.valid.len();
    work.points.resize(dates * B, [T::default(); LANES]);
    work.weights.resize(dates, [T::default(); LANES]);
    let (points, _) = work.points.as_chunks_mut::<B>();
    place(stack, encodings, points, &mut work.weights);
    let at = iterate(points, &work.weights, &stack.count);
    work.at.clear();
    work.at.extend_from_slice(&at);
}

/// Physical values of the dates, and which of them count.
#[pulp::with_simd(place = pulp::Arch::new())]
#[inline(always)]
fn place_with_simd<'a, S: pulp::Simd, T: Lane, const B: usize>(
    _simd: S,
    stack: &'a Stack<T>,
    encodings: &'a [(f64, f64)],
    points: &'a mut [[Row<T>; B]],
    weights: &'a mut [Row<T>],
) {
    for (((date, ok), point), weight) in stack.dates().zip(points).zip(weights) {
        for ((from, to), (scale, offset)) in date.iter().zip(point).zip(encodings) {
            for l in 0..LANES {
                to[l] = T::near(from[l].into() * scale + offset);
            }
        }
        for l in 0..LANES {
            weight[l] = if ok[l] { T::ONE } else { T::default() };
        }
    }
}

#[pulp::with_simd(iterate = pulp::Arch::new())]
#[inline(always)]
fn iterate_with_simd<'a, S: pulp::Simd, T: Lane, const B: usize>(
    _simd: S,
    points: &'a [[Row<T>; B]],
    weights: &'a [Row<T>],
    count: &'a Row<u32>,
) -> [Row<T>; B] {
    let zero = T::default();
    let mut at = [[zero; LANES]; B];
    for (point, ok) in points.iter().zip(weights) {
        for k in 0..B {
            for l in 0..LANES {
                at[k][l] += point[k][l] * ok[l];
            }
        }
    }
    let mut moving = [zero; LANES];
    for l in 0..LANES {
        let n = if count[l] > 0 { T::near(f64::from(count[l])) } else { T::ONE };
        for row in &mut at {
            row[l] = row[l] / n;
        }
        // One date is its own median.
        moving[l] = if count[l] > 1 { T::ONE } else { zero };
    }
    let (rest, least, mut before) = (T::near(STEP), T::near(LEAST), [zero; LANES]);
    for round in 0..ITERATIONS {
        if round == SETTLE {
            settle(points, weights, &mut at, &mut moving);
        }
        // The step is summed, not the new place: its rounding is that of the step.
        let (mut pull, mut weight, mut here) = ([[zero; LANES]; B], [zero; LANES], [zero; LANES]);
        for (point, ok) in points.iter().zip(weights) {
            let (mut away, mut squares) = ([[zero; LANES]; B], [zero; LANES]);
            for k in 0..B {
                for l in 0..LANES {
                    away[k][l] = point[k][l] - at[k][l];
                    squares[l] += away[k][l] * away[k][l];
                }
            }
            let mut inverse = [zero; LANES];
            for l in 0..LANES {
                let met = squares[l] < T::MET;
                let root = squares[l].inverse_root();
                inverse[l] = if met { zero } else { ok[l] * root };
                here[l] += if met { ok[l] } else { zero };
                weight[l] += inverse[l];
            }
            for k in 0..B {
                for l in 0..LANES {
                    pull[k][l] += away[k][l] * inverse[l];
                }
            }
        }
        let (mut strength, mut longest, mut go) = ([zero; LANES], [zero; LANES], [zero; LANES]);
        for row in &pull {
            for l in 0..LANES {
                strength[l] += row[l] * row[l];
            }
        }
        for l in 0..LANES {
            // Share of the step that dates under the point hold back: all where they outweigh the pull of the others.
            let held = here[l] >= strength[l].root();
            let share = if held { T::ONE } else { here[l] / strength[l].root() };
            let hold = if here[l] > zero { share } else { zero };
            go[l] = if weight[l] > zero { moving[l] * (T::ONE - hold) / weight[l] } else { zero };
        }
        for k in 0..B {
            for l in 0..LANES {
                let step = pull[k][l] * go[l];
                at[k][l] += step;
                let length = if step < zero { zero - step } else { step };
                longest[l] = if length > longest[l] { length } else { longest[l] };
            }
        }
        let mut any = false;
        for l in 0..LANES {
            let shrinks = longest[l] < before[l];
            let far = if shrinks { longest[l] * longest[l] >= rest * (before[l] - longest[l]) } else { true };
            let on = (longest[l] >= rest) | (far & (longest[l] >= least));
            before[l] = longest[l];
            moving[l] = if on { moving[l] } else { zero };
            any |= on;
        }
        if !any {
            break;
        }
    }
    settle(points, weights, &mut at, &mut [T::ONE; LANES]);
    at
}

/// Puts the point on the date nearest to it, and lets it rest, where that date is the median: where it outweighs the pull of
/// all others (Kuhn 1973). The iteration would creep towards it.
#[inline(always)]
fn settle<T: Lane, const B: usize>(
    points: &[[Row<T>; B]],
    weights: &[Row<T>],
    at: &mut [Row<T>; B],
    moving: &mut Row<T>,
) {
    let zero = T::default();
    let (mut least, mut nearest) = ([T::INFINITY; LANES], *at);
    for (point, ok) in points.iter().zip(weights) {
        let squares = apart(point, at);
        for l in 0..LANES {
            let nearer = (ok[l] > zero) & (squares[l] < least[l]);
            least[l] = if nearer { squares[l] } else { least[l] };
            for k in 0..B {
                nearest[k][l] = if nearer { point[k][l] } else { nearest[k][l] };
            }
        }
    }
    let (mut pull, mut here) = ([[zero; LANES]; B], [zero; LANES]);
    for (point, ok) in points.iter().zip(weights) {
        let squares = apart(point, &nearest);
        for l in 0..LANES {
            let met = squares[l] < T::MET;
            let root = squares[l].inverse_root();
            let inverse = if met { zero } else { ok[l] * root };
            here[l] += if met { ok[l] } else { zero };
            for k in 0..B {
                pull[k][l] += (point[k][l] - nearest[k][l]) * inverse;
            }
        }
    }
    for l in 0..LANES {
        let mut strength = zero;
        for row in &pull {
            strength += row[l] * row[l];
        }
        let median = (moving[l] > zero) & (here[l] > zero) & (strength <= here[l] * here[l]);
        for k in 0..B {
            at[k][l] = if median { nearest[k][l] } else { at[k][l] };
        }
        moving[l] = if median { zero } else { moving[l] };
    }
}

/// Squared distances.
#[inline(always)]
fn apart<T: Lane, const B: usize>(a: &[Row<T>; B], b: &[Row<T>; B]) -> Row<T> {
    let mut squares = [T::default(); LANES];
    for k in 0..B {
        for l in 0..LANES {
            squares[l] += (a[k][l] - b[k][l]) * (a[k][l] - b[k][l]);
        }
    }
    squares
}

/// Medians over the dates of the distances to the median: of the angle (1 − cosine), of the straight distance, and Bray
/// and Curtis's.
pub(super) fn deviations<T: Lane>(
    stack: &Stack<T>,
    encodings: &[(f64, f64)],
    median: &[Row<f64>],
    ranks: &Ranks,
    work: &mut Work<T>,
    out: &mut [Row<f64>],
) {
    let dates = stack.valid.len();
    let [angle, straight, share] = &mut work.spread;
    for rows in [&mut *angle, &mut *straight, &mut *share] {
        rows.resize(dates, [f64::INFINITY; LANES]);
    }
    for (i, (date, ok)) in stack.dates().enumerate() {
        let [a, s, b] = distances(date, ok, encodings, median);
        (angle[i], straight[i], share[i]) = (a, s, b);
    }
    for (out, rows) in out.iter_mut().zip(&mut work.spread) {
        *out = ranks.take(rows, &stack.count, (1.0, 0.0));
    }
}

#[pulp::with_simd(distances = pulp::Arch::new())]
#[inline(always)]
fn distances_with_simd<'a, S: pulp::Simd, T: Lane>(
    _simd: S,
    date: &'a [Row<T>],
    ok: &'a Row<bool>,
    encodings: &'a [(f64, f64)],
    median: &'a [Row<f64>],
) -> [Row<f64>; 3] {
    let [mut product, mut own, mut other, mut squares, mut apart, mut whole] = [[0.0_f64; LANES]; 6];
    for ((value, m), (scale, offset)) in date.iter().zip(median).zip(encodings) {
        for l in 0..LANES {
            let x = value[l].into() * scale + offset;
            product[l] += x * m[l];
            own[l] += x * x;
            other[l] += m[l] * m[l];
            squares[l] += (x - m[l]) * (x - m[l]);
            apart[l] += (x - m[l]).abs();
            whole[l] += (x + m[l]).abs();
        }
    }
    let mut out = [[f64::INFINITY; LANES]; 3];
    for l in 0..LANES {
        // Without length there is no angle, and no share of nothing.
        let lengths = (own[l] * other[l]).sqrt();
        let cosine = if lengths > 0.0 { product[l] / lengths } else { 1.0 };
        let share = if whole[l] > 0.0 { apart[l] / whole[l] } else { 0.0 };
        if ok[l] {
            out[0][l] = 1.0 - cosine;
            out[1][l] = squares[l].sqrt();
            out[2][l] = share;
        }
    }
    out
}
