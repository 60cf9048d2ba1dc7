//! Register programs: a graph flattened to instructions over blocks of f64.

use super::graph::{Graph, Node, NodeId, binary, operands, unary};
use super::syntax::{Binary, Unary};
use crate::error::{Error, Result};

/// Values a block holds: a few registers of it stay in the first-level cache.
pub const BLOCK: usize = 512;

/// Where an operand is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Constant(f64),
    Input(u32),
    Register(u32),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Unary {
        op: Unary,
        a: Place,
        to: u32,
    },
    Binary {
        op: Binary,
        a: Place,
        b: Place,
        to: u32,
    },
    Select {
        c: Place,
        a: Place,
        b: Place,
        to: u32,
    },
    /// Result `index` is complete.
    Give {
        index: u32,
        from: Place,
    },
}

/// A compiled set of results.
#[derive(Clone, Debug)]
pub struct Program {
    steps: Vec<Step>,
    registers: usize,
    inputs: usize,
    results: usize,
    /// Inputs of each result whose NaN must reach it although a branch may not use them.
    guards: Vec<Vec<u32>>,
}

/// Working memory of a program; one per thread, reused between blocks.
#[derive(Clone, Debug, Default)]
pub struct Registers {
    temporaries: Vec<Vec<f64>>,
    given: Vec<f64>,
}

impl Program {
    /// Compiles the values `results` of a graph. Nodes that lead to none of them are left out.
    #[must_use]
    pub fn compile(graph: &Graph, results: &[NodeId]) -> Self {
        let nodes = graph.nodes();
        let used = graph.reachable(results);
        // Position of the last reader of each node; a register is free after it.
        let mut last = vec![0usize; nodes.len()];
        for (id, &node) in nodes.iter().enumerate().filter(|(id, _)| used[*id]) {
            operands(node).for_each(|o| last[o as usize] = id);
            last[id] = last[id].max(id);
        }
        let mut places: Vec<Option<Place>> = vec![None; nodes.len()];
        let mut free: Vec<u32> = Vec::new();
        let mut registers = 0u32;
        let mut steps = Vec::new();
        for (id, &node) in nodes.iter().enumerate().filter(|(id, _)| used[*id]) {
            let mut take = || {
                free.pop().unwrap_or_else(|| {
                    registers += 1;
                    registers - 1
                })
            };
            let at = |o: NodeId| places[o as usize].unwrap_or(Place::Constant(f64::NAN));
            let place = match node {
                Node::Constant(bits) => Place::Constant(f64::from_bits(bits)),
                Node::Input(i) => Place::Input(i),
                // The result takes its register before the operands' are freed, so it never shares memory with them.
                Node::Unary(op, a) => {
                    let to = take();
                    steps.push(Step::Unary { op, a: at(a), to });
                    Place::Register(to)
                }
                Node::Binary(op, a, b) => {
                    let to = take();
                    steps.push(Step::Binary { op, a: at(a), b: at(b), to });
                    Place::Register(to)
                }
                Node::Select(c, a, b) => {
                    let to = take();
                    steps.push(Step::Select { c: at(c), a: at(a), b: at(b), to });
                    Place::Register(to)
                }
            };
            places[id] = Some(place);
            for (index, _) in results.iter().enumerate().filter(|(_, r)| **r as usize == id) {
                steps.push(Step::Give { index: index as u32, from: place });
            }
            let mut ended: Vec<NodeId> = operands(node).filter(|o| last[*o as usize] == id).collect();
            ended.push(id as NodeId);
            ended.sort_unstable();
            ended.dedup();
            for o in ended.into_iter().filter(|o| last[*o as usize] == id) {
                if let Some(Place::Register(r)) = places[o as usize] {
                    free.push(r);
                }
            }
        }
        let guards = results.iter().map(|&r| branch_inputs(graph, r)).collect();
        Self { steps, registers: registers as usize, inputs: graph.inputs().len(), results: results.len(), guards }
    }

    /// Results the program gives.
    #[must_use]
    pub fn results(&self) -> usize {
        self.results
    }

    /// Registers it needs; each holds [`BLOCK`] values.
    #[must_use]
    pub fn registers(&self) -> usize {
        self.registers
    }

    /// Evaluates `length` values of each input and hands every result block by block to `give(index, start, values)`. NaN
    /// in any input of a result is NaN in the result; results may also be NaN or infinite by arithmetic.
    ///
    /// # Errors
    /// A bug where inputs are missing or shorter than `length`.
    pub fn run(
        &self,
        inputs: &[&[f64]],
        length: usize,
        registers: &mut Registers,
        mut give: impl FnMut(usize, usize, &[f64]),
    ) -> Result<()> {
        if inputs.len() < self.inputs || inputs.iter().any(|p| p.len() < length) {
            return Err(Error::bug("an index program was given fewer values than it reads"));
        }
        registers.temporaries.resize_with(self.registers.max(registers.temporaries.len()), Vec::new);
        let mut start = 0;
        while start < length {
            let block = start..length.min(start + BLOCK);
            start = block.end;
            let views: Vec<&[f64]> = inputs.iter().map(|p| &p[block.clone()]).collect();
            for step in &self.steps {
                self.step(step, &views, block.len(), registers, &mut |k, v| give(k, block.start, v));
            }
        }
        Ok(())
    }

    fn step(
        &self,
        step: &Step,
        inputs: &[&[f64]],
        n: usize,
        registers: &mut Registers,
        give: &mut dyn FnMut(usize, &[f64]),
    ) {
        let to = match *step {
            Step::Unary { to, .. } | Step::Binary { to, .. } | Step::Select { to, .. } => to as usize,
            Step::Give { index, from } => {
                let mut given = std::mem::take(&mut registers.given);
                given.clear();
                match view(from, inputs, &registers.temporaries) {
                    View::Constant(c) => given.resize(n, c),
                    View::Values(v) => given.extend_from_slice(&v[..n]),
                }
                for &guard in &self.guards[index as usize] {
                    for (g, x) in given.iter_mut().zip(inputs[guard as usize]) {
                        *g = if x.is_nan() { f64::NAN } else { *g };
                    }
                }
                give(index as usize, &given);
                registers.given = given;
                return;
            }
        };
        let mut out = std::mem::take(&mut registers.temporaries[to]);
        out.resize(n, 0.0);
        let at = |p| view(p, inputs, &registers.temporaries);
        match *step {
            Step::Unary { op, a, .. } => run_unary(op, at(a), &mut out),
            Step::Binary { op, a, b, .. } => run_binary(op, at(a), at(b), &mut out),
            Step::Select { c, a, b, .. } => {
                let (c, a, b) = (at(c), at(a), at(b));
                for (i, o) in out.iter_mut().enumerate() {
                    let condition = c.get(i);
                    *o = if condition.is_nan() {
                        f64::NAN
                    } else if condition != 0.0 {
                        a.get(i)
                    } else {
                        b.get(i)
                    };
                }
            }
            Step::Give { .. } => {}
        }
        registers.temporaries[to] = out;
    }
}

/// Inputs a result reads only through a branch: their NaN would be lost where the other branch is taken.
fn branch_inputs(graph: &Graph, result: NodeId) -> Vec<u32> {
    let used = graph.reachable(&[result]);
    let selects = graph.nodes().iter().zip(&used).any(|(n, u)| *u && matches!(n, Node::Select(..)));
    if !selects {
        return Vec::new();
    }
    let inputs = graph.nodes().iter().zip(&used).filter_map(|(n, u)| match n {
        Node::Input(i) if *u => Some(*i),
        _ => None,
    });
    inputs.collect()
}

#[derive(Clone, Copy)]
enum View<'a> {
    Constant(f64),
    Values(&'a [f64]),
}

impl View<'_> {
    #[inline]
    fn get(&self, i: usize) -> f64 {
        match self {
            Self::Constant(c) => *c,
            Self::Values(v) => v[i],
        }
    }
}

fn view<'a>(place: Place, inputs: &[&'a [f64]], temporaries: &'a [Vec<f64>]) -> View<'a> {
    match place {
        Place::Constant(c) => View::Constant(c),
        Place::Input(i) => View::Values(inputs[i as usize]),
        Place::Register(r) => View::Values(&temporaries[r as usize]),
    }
}

fn run_unary(op: Unary, a: View<'_>, out: &mut [f64]) {
    match a {
        View::Constant(c) => out.fill(unary(op, c)),
        View::Values(v) => out.iter_mut().zip(v).for_each(|(o, &x)| *o = unary(op, x)),
    }
}

/// One loop per operator and operand kind, so that the compiler vectorises each.
fn run_binary(op: Binary, a: View<'_>, b: View<'_>, out: &mut [f64]) {
    #[inline(always)]
    fn each(a: View<'_>, b: View<'_>, out: &mut [f64], f: impl Fn(f64, f64) -> f64) {
        match (a, b) {
            (View::Values(x), View::Values(y)) => {
                for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
                    *o = f(x, y);
                }
            }
            (View::Values(x), View::Constant(y)) => out.iter_mut().zip(x).for_each(|(o, &x)| *o = f(x, y)),
            (View::Constant(x), View::Values(y)) => out.iter_mut().zip(y).for_each(|(o, &y)| *o = f(x, y)),
            (View::Constant(x), View::Constant(y)) => out.fill(f(x, y)),
        }
    }
    match op {
        Binary::Add => each(a, b, out, |x, y| x + y),
        Binary::Sub => each(a, b, out, |x, y| x - y),
        Binary::Mul => each(a, b, out, |x, y| x * y),
        Binary::Div => each(a, b, out, |x, y| x / y),
        // The square root is exact where `pow` is; -0.0 becomes 0.0 as `pow` has it.
        Binary::Pow if matches!(b, View::Constant(0.5)) => {
            each(a, b, out, |x, _| if x == f64::NEG_INFINITY { f64::INFINITY } else { x.sqrt() + 0.0 });
        }
        Binary::Less => each(a, b, out, |x, y| binary(Binary::Less, x, y)),
        Binary::LessEqual => each(a, b, out, |x, y| binary(Binary::LessEqual, x, y)),
        Binary::And => each(a, b, out, |x, y| binary(Binary::And, x, y)),
        other => each(a, b, out, |x, y| binary(other, x, y)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(graph: &Graph, results: &[NodeId], inputs: &[&[f64]], n: usize) -> Vec<Vec<f64>> {
        let program = Program::compile(graph, results);
        let mut out = vec![Vec::new(); results.len()];
        program.run(inputs, n, &mut Registers::default(), |k, _, v| out[k].extend_from_slice(v)).unwrap();
        out
    }

    #[test]
    fn registers_are_reused_over_blocks() {
        let mut g = Graph::default();
        let (n, r) = (g.input("N"), g.input("R"));
        let (d, s) = (g.binary(Binary::Sub, n, r), g.binary(Binary::Add, n, r));
        let q = g.binary(Binary::Div, d, s);
        let nir: Vec<f64> = (0..1300).map(|i| f64::from(i) * 0.01 + 1.0).collect();
        let red = vec![0.5; 1300];
        let out = evaluate(&g, &[q, s], &[&nir, &red], 1300);
        for i in [0, 511, 512, 1024, 1299] {
            assert_eq!(out[0][i], (nir[i] - 0.5) / (nir[i] + 0.5));
            assert_eq!(out[1][i], nir[i] + 0.5);
        }
    }

    #[test]
    fn a_long_sum_needs_few_registers() {
        let mut g = Graph::default();
        let n = g.input("N");
        let mut sum = n;
        for i in 0..20_000 {
            let c = g.constant(f64::from(i));
            let term = g.binary(Binary::Mul, n, c);
            sum = g.binary(Binary::Add, sum, term);
        }
        let program = Program::compile(&g, &[sum]);
        assert!(program.registers() <= 4, "{}", program.registers());
        let out = evaluate(&g, &[sum], &[&[2.0]], 1);
        assert_eq!(out[0][0], 2.0 + 2.0 * (19_999.0 * 20_000.0 / 2.0));
    }

    #[test]
    fn nodata_of_an_unused_branch_is_nodata() {
        let mut g = Graph::default();
        let (n, r) = (g.input("N"), g.input("R"));
        let zero = g.constant(0.0);
        let c = g.binary(Binary::Less, zero, n);
        let s = g.select(c, n, r);
        let out = evaluate(&g, &[s], &[&[1.0, -1.0, 1.0, f64::NAN], &[5.0, 6.0, f64::NAN, 7.0]], 4);
        assert_eq!(&out[0][..2], &[1.0, 6.0]);
        assert!(out[0][2].is_nan() && out[0][3].is_nan());
    }
}
