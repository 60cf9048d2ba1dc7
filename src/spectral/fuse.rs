//! From nodes to the operations of a program: neighbouring nodes that one pass over the registers can do together become
//! one operation, which gives the same bits as one after the other, since every intermediate value is rounded alike.

use super::graph::{Graph, Node, NodeId, operands};
use super::named::Rule;
use super::syntax::{Binary, Unary};

/// An operation that costs about as much as the memory it touches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cheap {
    Add,
    Sub,
    /// Second operand minus the first.
    Rsub,
    Mul,
    /// Only as the first of a pair.
    Div,
}

/// One pass over registers. Operands are called a, b, c, d in the order of [`Operation::operands`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Op {
    Unary(Unary),
    Binary(Binary),
    /// `(a first b) second c`.
    Pair(Cheap, Cheap),
    /// `(((k0 a + k1 b) + k2 c) + k3 d) + constant`, of as many terms as there are operands, two at least.
    Sum {
        k: [f64; 4],
        constant: f64,
        terms: usize,
    },
    /// `(a - b) / (a + b)`, NaN where `a + b` is not at least the number.
    Difference(f64),
    /// `a` where `b` passes the rule, else NaN.
    Keep(Rule),
    /// `a / b` where `c` passes the rule, else NaN.
    KeepQuotient(Rule),
    /// `where(a ? b, c, d)` for a comparison.
    Choose(Binary),
    /// `where(a, b, c)`.
    Select,
}

/// An operation and the nodes it reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    pub(super) op: Op,
    list: [NodeId; 4],
    count: usize,
}

impl Operation {
    fn new<const N: usize>(op: Op, nodes: [NodeId; N]) -> Self {
        let mut list = [0; 4];
        list[..N].copy_from_slice(&nodes);
        Self { op, list, count: N }
    }

    /// The nodes it reads.
    pub(super) fn operands(&self) -> &[NodeId] {
        &self.list[..self.count]
    }
}

/// The operations that give `results`, one for each node that must be computed; `None` for constants, inputs, and nodes
/// that are part of another operation or lead to no result.
pub(super) fn operations(graph: &Graph, results: &[NodeId]) -> Vec<Option<Operation>> {
    let nodes = graph.nodes();
    let mut readers = vec![0u32; nodes.len()];
    results.iter().for_each(|r| readers[*r as usize] += 1);
    for (id, _) in graph.reachable(results).iter().enumerate().filter(|(_, used)| **used) {
        operands(nodes[id]).for_each(|o| readers[o as usize] += 1);
    }
    let fuser = Fuser { graph, nodes, readers };
    let mut needed = vec![false; nodes.len()];
    results.iter().for_each(|r| needed[*r as usize] = true);
    let mut found = vec![None; nodes.len()];
    for id in (0..nodes.len()).rev().filter(|id| !matches!(nodes[*id], Node::Constant(_) | Node::Input(_))) {
        if needed[id] {
            let operation = fuser.operation(nodes[id]);
            operation.operands().iter().for_each(|o| needed[*o as usize] = true);
            found[id] = Some(operation);
        }
    }
    found
}

struct Fuser<'a> {
    graph: &'a Graph,
    nodes: &'a [Node],
    /// How many nodes and results read each node.
    readers: Vec<u32>,
}

impl Fuser<'_> {
    fn node(&self, id: NodeId) -> Node {
        self.nodes[id as usize]
    }

    /// Whether nobody else would miss the node if its only reader took it over.
    fn own(&self, id: NodeId) -> bool {
        self.readers[id as usize] == 1
    }

    fn operation(&self, node: Node) -> Operation {
        match node {
            Node::Select(condition, then, otherwise) => self.select(condition, then, otherwise),
            Node::Binary(op, a, b) => self.binary(op, a, b),
            Node::Unary(op, a) => Operation::new(Op::Unary(op), [a]),
            // Neither is computed; the caller leaves them out.
            Node::Constant(_) | Node::Input(_) => Operation::new(Op::Select, []),
        }
    }

    fn binary(&self, op: Binary, a: NodeId, b: NodeId) -> Operation {
        if op == Binary::Div
            && let Some((x, y)) = self.difference(a, b)
        {
            return Operation::new(Op::Difference(f64::NEG_INFINITY), [x, y]);
        }
        self.sum(op, a, b).or_else(|| self.pair(op, a, b)).unwrap_or_else(|| Operation::new(Op::Binary(op), [a, b]))
    }

    /// `x` and `y` where the quotient of `a` and `b` is `(x - y) / (x + y)`. Both parts are computed anew even where
    /// others need them: beside the division that costs nothing.
    fn difference(&self, a: NodeId, b: NodeId) -> Option<(NodeId, NodeId)> {
        match (self.node(a), self.node(b)) {
            (Node::Binary(Binary::Sub, x, y), Node::Binary(Binary::Add, p, q))
                if ((x, y) == (p, q) || (y, x) == (p, q)) && self.computed(x) && self.computed(y) =>
            {
                Some((x, y))
            }
            _ => None,
        }
    }

    fn computed(&self, id: NodeId) -> bool {
        self.graph.as_constant(id).is_none()
    }

    fn leaf(&self, id: NodeId) -> bool {
        matches!(self.node(id), Node::Constant(_) | Node::Input(_))
    }

    /// A term of a sum as a factor and what it multiplies.
    fn term(&self, id: NodeId) -> (f64, NodeId) {
        if let Node::Binary(Binary::Mul, x, y) = self.node(id) {
            let (k, x) = if self.computed(x) { (self.graph.as_constant(y), x) } else { (self.graph.as_constant(x), y) };
            if let Some(k) = k.filter(|_| self.own(id) || self.leaf(x)) {
                return (k, x);
            }
        }
        (1.0, id)
    }

    /// The parts of a sum or difference of computed values.
    fn parts(&self, node: Node) -> Option<(NodeId, NodeId, f64)> {
        match node {
            Node::Binary(Binary::Add, a, b) if self.computed(a) && self.computed(b) => Some((a, b, 1.0)),
            Node::Binary(Binary::Sub, a, b) if self.computed(a) && self.computed(b) => Some((a, b, -1.0)),
            _ => None,
        }
    }

    /// A chain of sums and differences, evaluated in the same order. Subtracting is adding the negative, and the factor
    /// of a plain term is 1: both are exact.
    fn sum(&self, op: Binary, a: NodeId, b: NodeId) -> Option<Operation> {
        // Adding -0.0 leaves every number as it is.
        let (mut node, mut constant) = (Node::Binary(op, a, b), -0.0);
        let added = match op {
            Binary::Add => self.graph.as_constant(a).map(|c| (b, c)).or(self.graph.as_constant(b).map(|c| (a, c))),
            Binary::Sub => self.graph.as_constant(b).map(|c| (a, -c)),
            _ => return None,
        };
        if let Some((inner, c)) = added {
            if !self.own(inner) {
                return None;
            }
            (node, constant) = (self.node(inner), c);
        }
        // From the last term to the first.
        let mut terms: Vec<(f64, NodeId)> = Vec::new();
        let (mut left, mut right, mut sign) = self.parts(node)?;
        loop {
            let chain = |id: NodeId| self.own(id) && self.parts(self.node(id)).is_some();
            // Both orders of a sum round alike.
            if sign > 0.0 && chain(right) && !chain(left) {
                (left, right) = (right, left);
            }
            let (k, x) = self.term(right);
            terms.push((sign * k, x));
            match self.parts(self.node(left)).filter(|_| self.own(left) && terms.len() < 3) {
                Some(next) => (left, right, sign) = next,
                None => break,
            }
        }
        terms.push(self.term(left));
        // What a pair does as well is left to it.
        let products = terms.iter().filter(|(k, _)| k.abs() != 1.0).count();
        if terms.len() == 2 && (products < 2) && (products == 0 || added.is_none()) {
            return None;
        }
        terms.reverse();
        let (mut k, mut list) = ([0.0; 4], [0; 4]);
        terms.iter().enumerate().for_each(|(i, t)| (k[i], list[i]) = *t);
        Some(Operation { op: Op::Sum { k, constant, terms: terms.len() }, list, count: terms.len() })
    }

    /// A sum or product takes over the one of its operands that is itself one and reads the fewest computed values.
    fn pair(&self, op: Binary, a: NodeId, b: NodeId) -> Option<Operation> {
        let (left, right) = match op {
            Binary::Add => (Cheap::Add, Cheap::Add),
            Binary::Mul => (Cheap::Mul, Cheap::Mul),
            Binary::Sub => (Cheap::Sub, Cheap::Rsub),
            _ => return None,
        };
        let part = |id: NodeId| match self.node(id) {
            Node::Binary(Binary::Add, x, y) => Some((Cheap::Add, x, y)),
            Node::Binary(Binary::Sub, x, y) => Some((Cheap::Sub, x, y)),
            Node::Binary(Binary::Mul, x, y) => Some((Cheap::Mul, x, y)),
            Node::Binary(Binary::Div, x, y) if self.own(id) && self.computed(x) && self.difference(x, y).is_none() => {
                Some((Cheap::Div, x, y))
            }
            _ => None,
        };
        [(a, b, left), (b, a, right)]
            .into_iter()
            .filter_map(|(inner, outer, second)| part(inner).map(|part| (inner, part, outer, second)))
            // What inputs and constants give is computed anew where it is needed: that touches no more memory.
            .filter(|(inner, (_, x, y), ..)| self.own(*inner) || self.leaf(*x) && self.leaf(*y))
            .min_by_key(|(_, (_, x, y), ..)| u8::from(!self.leaf(*x)) + u8::from(!self.leaf(*y)))
            .map(|(_, (first, x, y), outer, second)| {
                // A constant comes second, so that fewer kinds of operands need a loop of their own.
                let (first, x, y) = match first {
                    Cheap::Sub if !self.computed(x) => (Cheap::Rsub, y, x),
                    Cheap::Sub | Cheap::Div => (first, x, y),
                    _ if !self.computed(x) => (first, y, x),
                    _ => (first, x, y),
                };
                Operation::new(Op::Pair(first, second), [x, y, outer])
            })
    }

    fn select(&self, condition: NodeId, then: NodeId, otherwise: NodeId) -> Operation {
        let nan = self.graph.as_constant(otherwise).is_some_and(f64::is_nan);
        if nan && let Some((rule, tested)) = self.rule(condition) {
            return self.keep(rule, tested, then);
        }
        match self.node(condition) {
            Node::Binary(op @ (Binary::Less | Binary::LessEqual | Binary::Equal | Binary::NotEqual), x, y)
                if self.own(condition) =>
            {
                Operation::new(Op::Choose(op), [x, y, then, otherwise])
            }
            _ => Operation::new(Op::Select, [condition, then, otherwise]),
        }
    }

    /// A condition as a rule on one node. NaN fails every rule, as a condition that is NaN gives NaN.
    fn rule(&self, condition: NodeId) -> Option<(Rule, NodeId)> {
        let below = |id: NodeId, strict: bool| match self.node(id) {
            Node::Binary(Binary::Less, t, x) if strict => self.graph.as_constant(t).map(|t| (t, x)),
            Node::Binary(Binary::LessEqual, t, x) if !strict => self.graph.as_constant(t).map(|t| (t, x)),
            _ => None,
        };
        if let Some((t, x)) = below(condition, true) {
            return Some((Rule::Above(t), x));
        }
        if let Some((t, x)) = below(condition, false) {
            return Some(match self.node(x) {
                Node::Unary(Unary::Abs, size) => (Rule::AwayFromZero(t), size),
                _ => (Rule::AtLeast(t), x),
            });
        }
        let Node::Binary(Binary::And, a, b) = self.node(condition) else { return None };
        let (lo, x) = below(a, false)?;
        match self.node(b) {
            Node::Binary(Binary::LessEqual, y, hi) if x == y => {
                self.graph.as_constant(hi).map(|hi| (Rule::Within(lo, hi), x))
            }
            _ => None,
        }
    }

    fn keep(&self, rule: Rule, tested: NodeId, value: NodeId) -> Operation {
        if let Node::Binary(Binary::Div, a, b) = self.node(value)
            && self.own(value)
        {
            match (self.difference(a, b), rule) {
                (Some((x, y)), Rule::AtLeast(least)) if tested == b => {
                    return Operation::new(Op::Difference(least), [x, y]);
                }
                (None, _) if self.computed(a) && self.computed(b) => {
                    return Operation::new(Op::KeepQuotient(rule), [a, b, tested]);
                }
                _ => {}
            }
        }
        Operation::new(Op::Keep(rule), [value, tested])
    }
}
