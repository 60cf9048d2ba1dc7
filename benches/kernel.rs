//! What a compiled index costs beside the same arithmetic written by hand, and what sharing of subexpressions saves.

#![allow(clippy::unwrap_used, reason = "a bench that cannot run should stop")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use regrow::spectral::{Builder, Index, Program, Registers, Settings};

const CELLS: usize = 512 * 512;

/// Reflectance that keeps every guard quiet.
fn band(seed: u64) -> Vec<f64> {
    (0..CELLS as u64).map(|i| 0.05 + (i.wrapping_mul(seed) % 1000) as f64 / 2000.0).collect()
}

fn program(names: &[&str]) -> (Program, Vec<String>) {
    let mut builder = Builder::new(Settings::default());
    let lookup = |name: &str| Some(name.to_owned()).filter(|n| ["B", "G", "R", "N", "S1", "S2"].contains(&n.as_str()));
    let nodes: Vec<_> = names.iter().map(|n| builder.add(&Index::find(n).unwrap(), &lookup).unwrap()).collect();
    (Program::compile(&builder.graph, &nodes), builder.graph.inputs().to_vec())
}

fn evaluate(program: &Program, inputs: &[Vec<f64>], registers: &mut Registers, out: &mut [f32]) {
    let views: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
    let give = |_: usize, at: usize, values: &[f64]| {
        out[at..at + values.len()].iter_mut().zip(values).for_each(|(o, v)| *o = *v as f32);
    };
    program.run(&views, CELLS, registers, give).unwrap();
}

fn one_index(c: &mut Criterion) {
    let mut group = c.benchmark_group("ndvi of a tile");
    group.throughput(Throughput::Elements(CELLS as u64));
    let (nir, red) = (band(7919), band(104_729));
    let mut out = vec![0f32; CELLS];
    group.bench_function("hand loop", |b| {
        b.iter(|| {
            for ((o, n), r) in out.iter_mut().zip(&nir).zip(&red) {
                *o = ((n - r) / (n + r)) as f32;
            }
            black_box(&out);
        });
    });
    let inputs = vec![nir.clone(), red.clone()];
    let mut registers = Registers::default();
    for (label, name) in [("program, raw", "asi:NDVI"), ("program, guarded", "NDVI")] {
        let (program, _) = program(&[name]);
        group.bench_function(label, |b| {
            b.iter(|| {
                evaluate(&program, &inputs, &mut registers, &mut out);
                black_box(&out);
            });
        });
    }
    group.finish();
}

fn shared_subexpressions(c: &mut Criterion) {
    const NAMES: [&str; 6] = ["NDVI", "NIRv", "DBSI", "kNDVI", "BSI", "EMBI"];
    let mut group = c.benchmark_group("six indices of a tile");
    group.throughput(Throughput::Elements((CELLS * NAMES.len()) as u64));
    let mut out = vec![0f32; CELLS];
    let mut registers = Registers::default();
    let inputs_of = |inputs: &[String]| (0..inputs.len()).map(|i| band(7919 + 2 * i as u64)).collect::<Vec<_>>();
    let (together, inputs) = program(&NAMES);
    let planes = inputs_of(&inputs);
    group.bench_function("one program", |b| b.iter(|| evaluate(&together, &planes, &mut registers, &mut out)));
    let apart: Vec<_> = NAMES
        .iter()
        .map(|n| {
            let (program, inputs) = program(&[n]);
            let planes = inputs_of(&inputs);
            (program, planes)
        })
        .collect();
    group.bench_function("a program each", |b| {
        b.iter(|| apart.iter().for_each(|(p, planes)| evaluate(p, planes, &mut registers, &mut out)));
    });
    group.finish();
}

criterion_group!(benches, one_index, shared_subexpressions);
criterion_main!(benches);
