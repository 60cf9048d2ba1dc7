//! Evaluation of a program over rows of cells, chunk by chunk.

use pulp::{Arch, NullaryFnOnce};

use super::kernel::{CHUNK, Lanes, Operands, View, guard, run};
use super::program::{Place, Program, Step};

/// A register. All start at a multiple of their own size, as rows do: were they a little apart within a page, a load would
/// wait for the store of an earlier step that only looks like the same place.
#[repr(align(2048))]
struct Register(Lanes);

const _: () = assert!(size_of::<Register>() == size_of::<Lanes>());

/// Values of an input along a row, placed as registers are and filled up to whole chunks.
#[derive(Default)]
struct Row {
    values: Vec<f64>,
    start: usize,
}

impl Row {
    /// The first `cells` values.
    fn of(&mut self, cells: usize) -> &mut [f64] {
        let length = cells.next_multiple_of(CHUNK) + CHUNK;
        if self.values.len() < length {
            self.values = vec![0.0; length];
            self.start = self.values.as_ptr().align_offset(size_of::<Lanes>()).min(CHUNK);
        }
        &mut self.values[self.start..self.start + cells]
    }

    #[inline(always)]
    fn chunk(&self, chunk: usize) -> &Lanes {
        self.values.get(self.start + chunk * CHUNK..).and_then(<[f64]>::first_chunk).unwrap_or(NONE)
    }
}

/// A program with its working memory, reused from row to row.
pub struct Evaluation<'p> {
    program: &'p Program,
    arch: Arch,
    /// A register that is being written is taken out.
    registers: Vec<Option<Box<Register>>>,
    loaded: Vec<Row>,
    results: Vec<Vec<f64>>,
}

impl<'p> Evaluation<'p> {
    pub(super) fn new(program: &'p Program) -> Self {
        let constants = program.constants.iter().copied();
        let values = constants.chain(std::iter::repeat(0.0)).take(program.registers);
        let registers = values.map(|value| Some(Box::new(Register([value; CHUNK])))).collect();
        let loaded = std::iter::repeat_with(Row::default).take(program.inputs).collect();
        Self { program, arch: Arch::new(), registers, loaded, results: vec![Vec::new(); program.results] }
    }

    /// Evaluates `cells` values of each input: `load(input, values)` fills in those of an input. Gives the values of every
    /// result. NaN in any input of a result is NaN in the result; results may also be NaN or infinite by arithmetic.
    pub fn row(&mut self, cells: usize, load: impl FnMut(usize, &mut [f64])) -> &[Vec<f64>] {
        self.load(cells, load);
        self.results.iter_mut().for_each(|r| r.resize(cells, 0.0));
        let (steps, inputs, results) = (&self.program.steps, &self.loaded, &mut self.results);
        self.arch.dispatch(Chunks { steps, registers: &mut self.registers, inputs, cells, out: Out::Wide(results) });
        &self.results
    }

    /// As [`Evaluation::row`], with the results as f32 written to `planes`, one a result, from position `at` on.
    pub fn row_into(
        &mut self,
        cells: usize,
        load: impl FnMut(usize, &mut [f64]),
        planes: &mut [&mut [f32]],
        at: usize,
    ) {
        self.load(cells, load);
        let (steps, inputs) = (&self.program.steps, &self.loaded);
        let out = Out::Narrow(planes, at);
        self.arch.dispatch(Chunks { steps, registers: &mut self.registers, inputs, cells, out });
    }

    fn load(&mut self, cells: usize, mut load: impl FnMut(usize, &mut [f64])) {
        self.loaded.iter_mut().enumerate().for_each(|(i, row)| load(i, row.of(cells)));
    }
}

/// Where results go.
enum Out<'a, 'b> {
    Wide(&'a mut [Vec<f64>]),
    Narrow(&'a mut [&'b mut [f32]], usize),
}

/// All steps over the chunks of a row. A type of its own, because only what is inlined into the dispatched function is
/// compiled for its processor, and closures cannot demand to be.
struct Chunks<'a, 'b> {
    steps: &'a [Step],
    registers: &'a mut [Option<Box<Register>>],
    inputs: &'a [Row],
    cells: usize,
    out: Out<'a, 'b>,
}

/// The operands of one step.
struct At<'a> {
    places: &'a [Place; 4],
    registers: &'a [Option<Box<Register>>],
    inputs: &'a [Row],
    chunk: usize,
}

/// Stands in for what is no value, which programs do not ask for.
const NONE: &Lanes = &[f64::NAN; CHUNK];

impl<'a> Operands<'a> for At<'a> {
    #[inline(always)]
    fn view(&self, position: usize) -> View<'a> {
        match self.places[position] {
            Place::Constant(c) => View::Constant(c),
            Place::Input(i) => View::Values(self.inputs[i as usize].chunk(self.chunk)),
            Place::Register(r) => View::Values(self.registers[r as usize].as_deref().map_or(NONE, |r| &r.0)),
        }
    }

    #[inline(always)]
    fn values(&self, position: usize) -> &'a Lanes {
        match self.view(position) {
            View::Values(v) => v,
            View::Constant(_) => NONE,
        }
    }
}

impl NullaryFnOnce for Chunks<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { steps, registers, inputs, cells, mut out } = self;
        for (chunk, start) in (0..cells).step_by(CHUNK).enumerate() {
            let cells = CHUNK.min(cells - start);
            for step in steps {
                match step {
                    Step::Run { op, operands, to } => {
                        let Some(mut to_write) = registers[*to as usize].take() else { continue };
                        run(*op, &At { places: operands, registers, inputs, chunk }, &mut to_write.0);
                        registers[*to as usize] = Some(to_write);
                    }
                    Step::Guard { register, input } => {
                        if let Some(register) = &mut registers[*register as usize] {
                            guard(inputs[*input as usize].chunk(chunk), &mut register.0);
                        }
                    }
                    Step::Give { result, from } => {
                        let places = [*from; 4];
                        let from = At { places: &places, registers, inputs, chunk }.view(0);
                        give(from, *result as usize, start, cells, &mut out);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn give(from: View<'_>, result: usize, start: usize, cells: usize, out: &mut Out<'_, '_>) {
    match (out, from) {
        (Out::Wide(rows), View::Values(v)) => rows[result][start..start + cells].copy_from_slice(&v[..cells]),
        (Out::Wide(rows), View::Constant(c)) => rows[result][start..start + cells].fill(c),
        (Out::Narrow(planes, at), View::Values(v)) => {
            let plane = &mut planes[result][*at + start..][..cells];
            // A loop of fixed length for whole chunks.
            if let Some(plane) = plane.first_chunk_mut::<CHUNK>() {
                plane.iter_mut().zip(v).for_each(|(o, &v)| *o = v as f32);
            } else {
                plane.iter_mut().zip(v).for_each(|(o, &v)| *o = v as f32);
            }
        }
        (Out::Narrow(planes, at), View::Constant(c)) => planes[result][*at + start..][..cells].fill(c as f32),
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{Builder, Index, Settings, names};
    use super::super::graph::{Graph, Node, NodeId, binary, unary};
    use super::super::syntax::Binary;
    use super::*;

    const LETTERS: [&str; 8] = ["B", "G", "R", "N", "S1", "S2", "RE1", "T"];

    fn lookup(name: &str) -> Option<String> {
        LETTERS.contains(&name).then(|| name.to_owned())
    }

    /// Values of all nodes at one cell, node by node as the operators are defined.
    fn plainly(graph: &Graph, cell: &[f64]) -> Vec<f64> {
        let mut values: Vec<f64> = Vec::new();
        for node in graph.nodes() {
            let of = |n: NodeId| values[n as usize];
            let half = |n: NodeId| graph.as_constant(n) == Some(0.5);
            values.push(match *node {
                Node::Constant(bits) => f64::from_bits(bits),
                Node::Input(i) => cell[i as usize],
                Node::Unary(op, a) => unary(op, of(a)),
                Node::Binary(Binary::Pow, a, b) if half(b) && of(a) >= 0.0 => of(a).sqrt() + 0.0,
                Node::Binary(op, a, b) => binary(op, of(a), of(b)),
                Node::Select(c, ..) if of(c).is_nan() => f64::NAN,
                Node::Select(c, a, b) => of(if of(c) == 0.0 { b } else { a }),
            });
        }
        values
    }

    /// The inputs that make a result NaN wherever they are NaN, because it branches.
    fn guards(graph: &Graph, result: NodeId) -> Vec<usize> {
        let used = graph.reachable(&[result]);
        let nodes: Vec<_> = graph.nodes().iter().zip(&used).filter(|(_, used)| **used).map(|(n, _)| *n).collect();
        let branches = nodes.iter().any(|n| matches!(n, Node::Select(..)));
        let inputs = nodes.iter().filter_map(|n| match n {
            Node::Input(i) if branches => Some(*i as usize),
            _ => None,
        });
        inputs.collect()
    }

    /// Cells with ordinary values, and every pair of special ones.
    fn cells(inputs: usize) -> Vec<Vec<f64>> {
        const SPECIAL: [f64; 10] = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-7, -0.03, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as usize
        };
        let value = |r: usize| if r.is_multiple_of(5) { SPECIAL[r / 5 % 10] } else { r as f64 / 1e7 - 0.2 };
        (0..CHUNK + 77).map(|_| (0..inputs).map(|_| value(random())).collect()).collect()
    }

    fn check(builder: &Builder, results: &[NodeId], what: &str) {
        let program = Program::compile(&builder.graph, results);
        let cells = cells(builder.graph.inputs().len());
        let mut work = program.evaluation();
        let load = |i: usize, values: &mut [f64]| values.iter_mut().zip(&cells).for_each(|(v, c)| *v = c[i]);
        let found = work.row(cells.len(), load).to_vec();
        let mut narrow = vec![vec![7f32; cells.len() + 3]; results.len()];
        let mut planes: Vec<&mut [f32]> = narrow.iter_mut().map(Vec::as_mut_slice).collect();
        work.row_into(cells.len(), load, &mut planes, 2);
        let expected: Vec<_> = cells.iter().map(|cell| plainly(&builder.graph, cell)).collect();
        for (k, &result) in results.iter().enumerate() {
            let guards = guards(&builder.graph, result);
            for (i, cell) in cells.iter().enumerate() {
                let missing = guards.iter().any(|g| cell[*g].is_nan());
                let expected = if missing { f64::NAN } else { expected[i][result as usize] };
                let found = found[k][i];
                let same = expected.to_bits() == found.to_bits() || (expected.is_nan() && found.is_nan());
                assert!(same, "{what}, result {k}, {cell:?}: {found:e}, expected {expected:e}");
                let short = narrow[k][i + 2];
                assert!(short.to_bits() == (found as f32).to_bits() || (short.is_nan() && found.is_nan()), "{what}");
            }
            assert_eq!((narrow[k][0], narrow[k][1], narrow[k][cells.len() + 2]), (7.0, 7.0, 7.0));
        }
    }

    #[test]
    fn fused_operations_have_the_bits_of_single_ones() {
        let mut all = Builder::new(Settings::default());
        let mut results = Vec::new();
        for name in names().flat_map(|n| [n.to_owned(), format!("asi:{n}")]) {
            let mut alone = Builder::new(Settings::default());
            let Ok(index) = Index::find(&name) else { continue };
            let Ok(result) = alone.add_within_range(&index, &lookup) else { continue };
            check(&alone, &[result], &name);
            results.push(all.add_within_range(&index, &lookup).unwrap());
        }
        assert!(results.len() > 200, "{}", results.len());
        check(&all, &results, "all");
    }

    #[test]
    fn expressions_have_the_bits_of_single_operations() {
        for text in [
            "where(N > R, N - R, G)",
            "where(N != R, 1, 0) + where(N == R, G, 2)",
            "where(not (N > 0.1 and R <= 0.2), N / R, where(B, G, R))",
            "max(N, R, 0.3) - min(G, 0.2, B)",
            "(N < R) + 2*(N >= R) + 4*(0.1 < G) + 8*(G or B) + 16*(N == 0.5)",
            "abs(-N) + sqrt(R) - exp(G) * log(B) + tanh(S1) / atan2(N, R) + N**R + R**0.5 + 2**N",
            "(3 - N) * 2 + (N - 3) * R - (2 * N - R * B) - (1 - (N + 1)) + (N * 2 - 5) + (5 - N * 2)",
            "2*N - 3*R + G - 0.5*B + 1 - S1 + RE1*4 - 7 + (N + 2*R + 3) * (N - R - 3*G) - (2*N + 3*R) + N*R*0.5 + G",
            "N + R + G + B + S1 + S2 + 0",
            "(N / R + 1) * (N / 2 - G) - (R / B) * N",
            "1 / N + N / 2 + (N - 1) / (N + 1) + (1 - N) / (1 + N)",
            "where((N - R) / (N + R) > 0.2, 1, where(N + R >= 0.1, N, B))",
        ] {
            let mut builder = Builder::new(Settings::default());
            let result = builder.add(&Index::expression("e", text), &lookup).unwrap();
            check(&builder, &[result], text);
        }
        // Inputs, constants and one node twice are results too.
        let mut builder = Builder::new(Settings::default());
        let (n, two) = (builder.graph.input("N"), builder.graph.constant(2.0));
        let product = builder.graph.binary(Binary::Mul, n, two);
        check(&builder, &[product, n, two, product], "plain results");
    }

    #[test]
    fn indices_of_a_pass_share_what_they_have_in_common() {
        let names = "NDVI EVI SAVI NDMI NBR NDWI MNDWI BSI NDBI GNDVI EVI2 OSAVI MSAVI NIRv NBR2 AWEInsh AWEIsh UI NDSoI DBSI \
                     MBI EMBI VARI ExG ExR ExGR GLI NGRDI TCB TCA";
        let mut all = Builder::new(Settings::default());
        let (mut results, mut nodes, mut steps) = (Vec::new(), 0, 0);
        for name in names.split(' ') {
            let index = Index::find(name).unwrap();
            let mut alone = Builder::new(Settings::default());
            let result = alone.add(&index, &lookup).unwrap();
            nodes += alone.graph.nodes().len();
            steps += Program::compile(&alone.graph, &[result]).steps();
            results.push(all.add(&index, &lookup).unwrap());
        }
        let together = Program::compile(&all.graph, &results);
        assert_eq!(results.len(), 30);
        assert!(3 * all.graph.nodes().len() < 2 * nodes, "{} of {nodes} nodes", all.graph.nodes().len());
        assert!(together.steps() < steps, "{} of {steps} steps", together.steps());
    }
}
