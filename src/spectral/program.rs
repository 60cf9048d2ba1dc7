//! Register programs: a graph flattened to operations over chunks of f64.

use super::evaluation::Evaluation;
use super::fuse::{Op, Operation, operations};
use super::graph::{Graph, Node, NodeId};
use super::kernel::{CHUNK, takes_constant};

/// Where an operand is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    Constant(f64),
    Input(u32),
    Register(u32),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Run {
        op: Op,
        operands: [Place; 4],
        to: u32,
    },
    /// NaN where the input is NaN.
    Guard {
        register: u32,
        input: u32,
    },
    /// A result is complete.
    Give {
        result: u32,
        from: Place,
    },
}

/// A compiled set of results.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) steps: Vec<Step>,
    /// Values of the first registers, which no step changes.
    pub(super) constants: Vec<f64>,
    pub(super) registers: usize,
    pub(super) inputs: usize,
    pub(super) results: usize,
}

/// Registers while a program is compiled.
struct Allocation {
    free: Vec<u32>,
    count: u32,
}

impl Allocation {
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        })
    }
}

impl Program {
    /// Compiles the values `results` of a graph. Nodes that lead to none of them are left out.
    #[must_use]
    pub fn compile(graph: &Graph, results: &[NodeId]) -> Self {
        let nodes = graph.nodes();
        let operations = operations(graph, results);
        let steps = || operations.iter().enumerate().filter_map(|(id, o)| o.as_ref().map(|o| (id, o)));
        let mut is_result = vec![false; nodes.len()];
        results.iter().for_each(|r| is_result[*r as usize] = true);
        // Position of the last reader of each node; a register is free after it.
        let mut last = vec![0usize; nodes.len()];
        steps().for_each(|(id, o)| o.operands().iter().for_each(|n| last[*n as usize] = id));
        let whole = |o: &Operation| -> Vec<NodeId> {
            let operands = o.operands().iter().enumerate();
            operands.filter(|(k, _)| !takes_constant(o.op, *k)).map(|(_, n)| *n).collect()
        };
        let mut constants: Vec<f64> = Vec::new();
        let mut kept_at = vec![None; nodes.len()];
        for node in steps().flat_map(|(_, o)| whole(o)) {
            if let (Some(value), None) = (graph.as_constant(node), kept_at[node as usize]) {
                kept_at[node as usize] = Some(Place::Register(constants.len() as u32));
                constants.push(value);
            }
        }
        let mut allocation = Allocation { free: Vec::new(), count: constants.len() as u32 };
        let mut places: Vec<Place> = nodes
            .iter()
            .map(|n| match *n {
                Node::Input(i) => Place::Input(i),
                Node::Constant(bits) => Place::Constant(f64::from_bits(bits)),
                _ => Place::Constant(f64::NAN),
            })
            .collect();
        let guards = Guards::new(graph, results);
        let give = |id: usize, from: Place| {
            let given = results.iter().enumerate().filter(move |(_, r)| **r as usize == id);
            given.map(move |(result, _)| Step::Give { result: result as u32, from })
        };
        let mut compiled = Vec::new();
        for (id, place) in places.iter().enumerate().filter(|(id, _)| operations[*id].is_none()) {
            compiled.extend(give(id, *place));
        }
        for (id, operation) in steps() {
            // The result takes its register before those of the operands are freed, so it never shares memory with them.
            let to = allocation.take();
            let mut operands = [Place::Constant(f64::NAN); 4];
            for (k, &n) in operation.operands().iter().enumerate() {
                let value = kept_at[n as usize].filter(|_| !takes_constant(operation.op, k));
                operands[k] = value.unwrap_or(places[n as usize]);
            }
            places[id] = Place::Register(to);
            compiled.push(Step::Run { op: operation.op, operands, to });
            if is_result[id] {
                let inputs = guards.inputs(graph, id as NodeId);
                compiled.extend(inputs.into_iter().map(|input| Step::Guard { register: to, input }));
                compiled.extend(give(id, Place::Register(to)));
            }
            let mut ended = operation.operands().to_vec();
            ended.extend(is_result[id].then_some(id as NodeId));
            ended.sort_unstable();
            ended.dedup();
            for n in ended.into_iter().filter(|n| last[*n as usize] <= id) {
                if let Place::Register(r) = places[n as usize] {
                    allocation.free.push(r);
                }
            }
        }
        Self {
            steps: compiled,
            constants,
            registers: allocation.count as usize,
            inputs: graph.inputs().len(),
            results: results.len(),
        }
    }

    /// Results the program gives.
    #[must_use]
    pub fn results(&self) -> usize {
        self.results
    }

    /// Passes over the values of a chunk that give all results.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// Registers it needs.
    #[must_use]
    pub fn registers(&self) -> usize {
        self.registers
    }

    /// Bytes an evaluation of rows of up to `cells` cells takes.
    #[must_use]
    pub fn working_bytes(&self, cells: u64) -> u64 {
        8 * ((self.inputs + self.results) as u64 * (cells + 2 * CHUNK as u64) + (2 * self.registers * CHUNK) as u64)
    }

    /// Working memory to evaluate row after row with.
    #[must_use]
    pub fn evaluation(&self) -> Evaluation<'_> {
        Evaluation::new(self)
    }
}

/// Inputs whose NaN must reach a result although a branch may not use them.
struct Guards {
    /// For each node a bit for each input: set where NaN of the input is NaN of the node whatever the branches. Empty
    /// where nothing branches.
    strict: Vec<Vec<u64>>,
}

impl Guards {
    fn new(graph: &Graph, results: &[NodeId]) -> Self {
        let used = graph.reachable(results);
        if !graph.nodes().iter().zip(&used).any(|(n, u)| *u && matches!(n, Node::Select(..))) {
            return Self { strict: Vec::new() };
        }
        let words = graph.inputs().len().div_ceil(64);
        let mut strict: Vec<Vec<u64>> = Vec::with_capacity(graph.nodes().len());
        for node in graph.nodes() {
            let of = |n: NodeId| &strict[n as usize];
            let join = |a: &[u64], b: &[u64], f: fn(u64, u64) -> u64| a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect();
            let own: Vec<u64> = match *node {
                // NaN itself is NaN whatever the inputs.
                Node::Constant(bits) => vec![if f64::from_bits(bits).is_nan() { u64::MAX } else { 0 }; words],
                Node::Input(i) => (0..words).map(|w| if w == i as usize / 64 { 1 << (i % 64) } else { 0 }).collect(),
                Node::Unary(_, a) => of(a).clone(),
                Node::Binary(_, a, b) => join(of(a), of(b), |a, b| a | b),
                Node::Select(c, a, b) => {
                    let either: Vec<u64> = join(of(a), of(b), |a, b| a & b);
                    join(of(c), &either, |a, b| a | b)
                }
            };
            strict.push(own);
        }
        Self { strict }
    }

    fn inputs(&self, graph: &Graph, result: NodeId) -> Vec<u32> {
        let Some(strict) = self.strict.get(result as usize) else { return Vec::new() };
        let used = graph.reachable(&[result]);
        let inputs = graph.nodes().iter().zip(&used).filter_map(|(n, u)| match n {
            Node::Input(i) if *u => Some(*i),
            _ => None,
        });
        inputs.filter(|i| strict[*i as usize / 64] >> (i % 64) & 1 == 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::Binary;
    use super::*;

    fn evaluate(graph: &Graph, results: &[NodeId], inputs: &[&[f64]], n: usize) -> Vec<Vec<f64>> {
        let program = Program::compile(graph, results);
        let mut work = program.evaluation();
        work.row(n, |i, out| out.copy_from_slice(&inputs[i][..n])).to_vec()
    }

    #[test]
    fn registers_are_reused_over_blocks() {
        let mut g = Graph::default();
        let (n, r) = (g.input("N"), g.input("R"));
        let (d, s) = (g.binary(Binary::Sub, n, r), g.binary(Binary::Add, n, r));
        let q = g.binary(Binary::Div, d, s);
        let nir: Vec<f64> = (0..2600).map(|i| f64::from(i) * 0.01 + 1.0).collect();
        let red = vec![0.5; 2600];
        let out = evaluate(&g, &[q, s], &[&nir, &red], 2600);
        for i in [0, 511, 512, 1024, 1299, 2599] {
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
