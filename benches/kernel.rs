//! What compiled formulas cost beside the same arithmetic as a loop written by hand, from f32 planes to f32 planes as in a
//! tile, with the same instructions at hand; and what it saves to compute the indices of a pass together.
//!
//! First a table of ratios from the quickest of many runs, then criterion's own figures for a few formulas.

#![allow(clippy::unwrap_used, reason = "a bench that cannot run should stop")]
#![allow(clippy::print_stdout, reason = "the ratios are what it is for")]
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pulp::{Arch, NullaryFnOnce};
use regrow::spectral::{Builder, Index, Program, Settings};

const COLS: usize = 512;
const ROWS: usize = 64;
const CELLS: usize = COLS * ROWS;
const LETTERS: [&str; 6] = ["B", "G", "R", "N", "S1", "S2"];

type Bands = [Vec<f32>; 6];

/// Reflectance that keeps every guard quiet.
fn bands() -> Bands {
    std::array::from_fn(|band| {
        let seed = 7919 + 2 * band;
        (0..CELLS).map(|i| 0.05 + (i.wrapping_mul(seed) % 1000) as f32 / 2000.0).collect()
    })
}

/// A formula, and a loop over the rows of all bands that a careful person would write for it.
struct Case {
    name: &'static str,
    /// Expression, where it is not an index by its name.
    text: &'static str,
    hand: fn([&[f32]; 6], &mut [f32]),
}

macro_rules! case {
    ($name:literal, $text:literal, |$b:pat_param, $g:pat_param, $r:pat_param, $n:pat_param, $s:pat_param, $t:pat_param| $value:expr) => {{
        struct Loop<'a>([&'a [f32]; 6], &'a mut [f32]);
        impl NullaryFnOnce for Loop<'_> {
            type Output = ();
            #[inline(always)]
            fn call(self) {
                let [b, g, r, n, s, t] = self.0;
                let rows = self.1.iter_mut().zip(b).zip(g).zip(r).zip(n).zip(s).zip(t);
                for ((((((out, &b), &g), &r), &n), &s), &t) in rows {
                    let [$b, $g, $r, $n, $s, $t] = [b, g, r, n, s, t].map(f64::from);
                    *out = $value as f32;
                }
            }
        }
        Case { name: $name, text: $text, hand: |bands, out| Arch::new().dispatch(Loop(bands, out)) }
    }};
}

#[inline(always)]
fn keep(valid: bool, value: f64) -> f64 {
    if valid { value } else { f64::NAN }
}

/// A normalised difference with its guard.
#[inline(always)]
fn nd(a: f64, b: f64) -> f64 {
    keep(a + b >= 1e-6, (a - b) / (a + b))
}

#[inline(always)]
fn within(x: f64) -> bool {
    (-1.0..=1.0).contains(&x)
}

/// Thirty indices; the first ten are the ten of the job.
fn indices() -> Vec<Case> {
    vec![
        case!("NDVI", "", |_, _, r, n, _, _| nd(n, r)),
        case!("EVI", "", |b, _, r, n, _, _| {
            let d = n + 6.0 * r - 7.5 * b + 1.0;
            keep(d > 0.05, 2.5 * (n - r) / d)
        }),
        case!("SAVI", "", |_, _, r, n, _, _| keep((n + r + 0.5).abs() >= 1e-6, 1.5 * (n - r) / (n + r + 0.5))),
        case!("NDMI", "", |_, _, _, n, s, _| nd(n, s)),
        case!("NBR", "", |_, _, _, n, _, t| nd(n, t)),
        case!("NDWI", "", |_, g, _, n, _, _| nd(g, n)),
        case!("MNDWI", "", |_, g, _, _, s, _| nd(g, s)),
        case!("BSI", "", |b, _, r, n, s, _| nd(s + r, n + b)),
        case!("NDBI", "", |_, _, _, n, s, _| nd(s, n)),
        case!("GNDVI", "", |_, g, _, n, _, _| nd(n, g)),
        case!("EVI2", "", |_, _, r, n, _, _| {
            let d = n + 2.4 * r + 1.0;
            keep(d.abs() >= 1e-6, 2.5 * (n - r) / d)
        }),
        case!("OSAVI", "", |_, _, r, n, _, _| keep((n + r + 0.16).abs() >= 1e-6, (n - r) / (n + r + 0.16))),
        case!("MSAVI", "", |_, _, r, n, _, _| {
            let m = 2.0 * n + 1.0;
            0.5 * (m - (m * m - 8.0 * (n - r)).sqrt())
        }),
        case!("NIRv", "", |_, _, r, n, _, _| {
            let q = nd(n, r);
            keep(within(q), q * n)
        }),
        case!("NBR2", "", |_, _, _, _, s, t| nd(s, t)),
        case!("AWEInsh", "", |_, g, _, n, s, t| 4.0 * (g - s) - (0.25 * n + 2.75 * t)),
        case!("AWEIsh", "", |b, g, _, n, s, t| b + 2.5 * g - 1.5 * (n + s) - 0.25 * t),
        case!("UI", "", |_, _, _, n, _, t| nd(t, n)),
        case!("NDSoI", "", |_, g, _, _, _, t| nd(t, g)),
        case!("DBSI", "", |_, g, r, n, s, _| {
            let (p, q) = (nd(s, g), nd(n, r));
            keep(within(p) & within(q), p - q)
        }),
        case!("MBI", "", |_, _, _, n, s, t| keep(s + t + n >= 1e-6, (s - t - n) / (s + t + n) + 0.5)),
        case!("EMBI", "", |_, g, _, n, s, t| {
            let (a, m) = ((s - t - n) / (s + t + n) + 0.5, (g - s) / (g + s));
            let d = a + m + 1.5;
            keep((s + t + n >= 1e-6) & (g + s >= 1e-6) & (d.abs() >= 1e-6), (a - m - 0.5) / d)
        }),
        case!("VARI", "", |b, g, r, _, _, _| keep((g + r - b).abs() >= 1e-3, (g - r) / (g + r - b))),
        case!("ExG", "", |b, g, r, _, _, _| keep(r + g + b >= 1e-6, (2.0 * g - r - b) / (r + g + b))),
        case!("ExR", "", |b, g, r, _, _, _| keep(r + g + b >= 1e-6, (1.4 * r - g) / (r + g + b))),
        case!("ExGR", "", |b, g, r, _, _, _| {
            let s = r + g + b;
            keep(s >= 1e-6, (2.0 * g - r - b) / s - (1.4 * r - g) / s)
        }),
        case!("GLI", "", |b, g, r, _, _, _| nd(2.0 * g, r + b)),
        case!("NGRDI", "", |_, g, r, _, _, _| nd(g, r)),
        case!("TCB", "", |b, g, r, n, s, t| {
            0.2043 * b + 0.4158 * g + 0.5524 * r + 0.5741 * n + 0.3124 * s + 0.2303 * t
        }),
        case!("TCW", "", |b, g, r, n, s, t| {
            0.0315 * b + 0.2021 * g + 0.3102 * r + 0.1594 * n - 0.6806 * s - 0.6109 * t
        }),
    ]
}

/// Catalogue formulas and expressions of other shapes.
fn others() -> Vec<Case> {
    vec![
        case!("asi:NDVI", "", |_, _, r, n, _, _| (n - r) / (n + r)),
        case!("asi:EVI", "", |b, _, r, n, _, _| 2.5 * (n - r) / (n + 6.0 * r - 7.5 * b + 1.0)),
        case!("FERROUS", "", |_, g, r, n, _, t| keep((n > 1e-4) & (r > 1e-4), t / n + g / r)),
        case!("IRGBVI", "", |b, g, r, _, _, _| {
            (5.0 * (g * g) - 2.0 * (r * r) - 5.0 * (b * b)) / (5.0 * (g * g) + 2.0 * (r * r) + 5.0 * (b * b))
        }),
        case!("GEMI", "", |_, _, r, n, _, _| {
            let t = (2.0 * (n * n - r * r) + 1.5 * n + 0.5 * r) / (n + r + 0.5);
            t * (1.0 - 0.25 * t) - (r - 0.125) / (1.0 - r)
        }),
        case!("kNDVI", "", |_, _, r, n, _, _| {
            let (q, t) = (nd(n, r), (n - r) / (0.5 * (n + r)));
            let k = (-0.5 * (t * t)).exp();
            keep(within(q), (1.0 - k) / (1.0 + k))
        }),
        case!("polynomial", "((((N*0.3+0.2)*N+0.7)*N+0.1)*N+0.9)*N+0.4", |_, _, _, n, _, _| {
            ((((n * 0.3 + 0.2) * n + 0.7) * n + 0.1) * n + 0.9) * n + 0.4
        }),
        case!(
            "20 terms",
            "0.1*B*G+0.2*B*R+0.3*B*N+0.4*B*S1+0.5*B*S2+0.6*G*R+0.7*G*N+0.8*G*S1+0.9*G*S2+1.1*R*N+1.2*R*S1+1.3*R*S2\
             +1.4*N*S1+1.5*N*S2+1.6*S1*S2+1.7*B+1.8*G+1.9*R+2.1*N+2.2*S1",
            |b, g, r, n, s, t| {
                let first = 0.1 * b * g + 0.2 * b * r + 0.3 * b * n + 0.4 * b * s + 0.5 * b * t + 0.6 * g * r;
                let second = first + 0.7 * g * n + 0.8 * g * s + 0.9 * g * t + 1.1 * r * n + 1.2 * r * s + 1.3 * r * t;
                second + 1.4 * n * s + 1.5 * n * t + 1.6 * s * t + 1.7 * b + 1.8 * g + 1.9 * r + 2.1 * n + 2.2 * s
            }
        ),
        case!("where", "where(N > R, N - R, G)", |_, g, r, n, _, _| {
            let value = if n > r { n - r } else { g };
            keep(!(n.is_nan() | r.is_nan() | g.is_nan()), value)
        }),
        case!("min max", "max(N, R) - min(G, B)", |b, g, r, n, _, _| {
            keep(!(n.is_nan() | r.is_nan()), n.max(r)) - keep(!(g.is_nan() | b.is_nan()), g.min(b))
        }),
        case!("logic", "(N > 0.2 and R < 0.3) + (S1 <= 0.4 or G > 0.1)", |_, g, r, n, s, _| {
            let count = f64::from(u8::from((n > 0.2) & (r < 0.3))) + f64::from(u8::from((s <= 0.4) | (g > 0.1)));
            keep(!(n.is_nan() | r.is_nan() | s.is_nan() | g.is_nan()), count)
        }),
    ]
}

/// A program for some cases, with the bands its inputs are.
fn program(cases: &[&Case]) -> (Program, Vec<usize>) {
    let mut builder = Builder::new(Settings::default());
    let lookup = |name: &str| LETTERS.contains(&name).then(|| name.to_owned());
    let index = |c: &Case| match c.text {
        "" => Index::find(c.name).unwrap(),
        text => Index::expression(c.name, text),
    };
    let nodes: Vec<_> = cases.iter().map(|c| builder.add(&index(c), &lookup).unwrap()).collect();
    let band = |name: &String| LETTERS.iter().position(|l| l == name).unwrap();
    (Program::compile(&builder.graph, &nodes), builder.graph.inputs().iter().map(band).collect())
}

struct Widen<'a>(&'a [f32], &'a mut [f64]);

impl NullaryFnOnce for Widen<'_> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        self.1.iter_mut().zip(self.0).for_each(|(o, &v)| *o = f64::from(v));
    }
}

fn compiled((program, inputs): &(Program, Vec<usize>), bands: &Bands, out: &mut [Vec<f32>]) {
    let arch = Arch::new();
    let mut work = program.evaluation();
    let mut planes: Vec<&mut [f32]> = out.iter_mut().map(Vec::as_mut_slice).collect();
    for at in (0..CELLS).step_by(COLS) {
        let load = |i: usize, values: &mut [f64]| arch.dispatch(Widen(&bands[inputs[i]][at..at + COLS], values));
        work.row_into(COLS, load, &mut planes, at);
    }
    black_box(&out);
}

fn by_hand(cases: &[&Case], bands: &Bands, out: &mut [Vec<f32>]) {
    for at in (0..CELLS).step_by(COLS) {
        let rows: [&[f32]; 6] = std::array::from_fn(|i| &bands[i][at..at + COLS]);
        cases.iter().zip(out.iter_mut()).for_each(|(c, out)| (c.hand)(rows, &mut out[at..at + COLS]));
    }
    black_box(&out);
}

/// Nanoseconds a cell of the quickest of many runs of each of two, in turns: others on the machine make runs slower, never
/// quicker, and both alike.
fn quickest(mut first: impl FnMut(), mut second: impl FnMut()) -> (f64, f64) {
    let time = |run: &mut dyn FnMut()| {
        let begin = Instant::now();
        run();
        begin.elapsed().as_nanos() as f64 / CELLS as f64
    };
    let (start, mut least) = (Instant::now(), (f64::MAX, f64::MAX));
    while start.elapsed() < Duration::from_millis(500) {
        least = (least.0.min(time(&mut first)), least.1.min(time(&mut second)));
    }
    least
}

fn compare(name: &str, cases: &[&Case], bands: &Bands) -> f64 {
    let program = program(cases);
    let mut found = vec![vec![0f32; CELLS]; cases.len()];
    let mut expected = found.clone();
    let (ours, hand) = quickest(|| compiled(&program, bands, &mut found), || by_hand(cases, bands, &mut expected));
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-6 * b.abs().max(1e-3) || (a.is_nan() && b.is_nan());
    let same = found.iter().zip(&expected).all(|(f, e)| f.iter().zip(e).all(near));
    println!(
        "{name:<14} {ours:7.3} ns/cell compiled {hand:7.3} by hand  ratio {:5.2}  {} steps{}",
        ours / hand,
        program.0.steps(),
        if same { "" } else { "  RESULTS DIFFER" }
    );
    ours
}

fn ratios(_: &mut Criterion) {
    let (bands, indices, others) = (bands(), indices(), others());
    let all: Vec<&Case> = indices.iter().collect();
    let alone: Vec<f64> = all.iter().map(|c| compare(c.name, &[*c], &bands)).collect();
    others.iter().for_each(|c| {
        compare(c.name, &[c], &bands);
    });
    for n in [10, 30] {
        compare(&format!("{n} together"), &all[..n], &bands);
        println!("{:<14} {:7.3} ns/cell one by one", format!("{n} apart"), alone[..n].iter().sum::<f64>());
    }
}

fn few(c: &mut Criterion) {
    let (bands, indices) = (bands(), indices());
    let mut group = c.benchmark_group("formula");
    group.throughput(Throughput::Elements(CELLS as u64));
    for n in [1, 10, 30] {
        let cases: Vec<&Case> = indices[..n].iter().collect();
        let program = program(&cases);
        let mut out = vec![vec![0f32; CELLS]; n];
        group.bench_function(BenchmarkId::new("compiled", n), |b| b.iter(|| compiled(&program, &bands, &mut out)));
        group.bench_function(BenchmarkId::new("by hand", n), |b| b.iter(|| by_hand(&cases, &bands, &mut out)));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1));
    targets = ratios, few
}
criterion_main!(benches);
