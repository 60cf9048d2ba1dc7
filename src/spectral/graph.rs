//! The graph of all indices of a pass: constants folded, equal subexpressions present once.

use std::collections::HashMap;

use super::syntax::{Binary, Unary};

/// Position of a node; operands have smaller positions.
pub type NodeId = u32;

/// A value of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A constant, by its bits, so that nodes can be compared.
    Constant(u64),
    /// An input plane.
    Input(u32),
    /// One operand.
    Unary(Unary, NodeId),
    /// Two operands.
    Binary(Binary, NodeId, NodeId),
    /// Second operand where the first is neither 0 nor NaN, third where it is 0, NaN where it is NaN.
    Select(NodeId, NodeId, NodeId),
}

/// Nodes, each distinct one once.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    known: HashMap<Node, NodeId>,
    inputs: Vec<String>,
}

impl Graph {
    /// The nodes in evaluation order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Names of the input planes, in the order programs expect them.
    #[must_use]
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// The value of a node where it is a constant.
    #[must_use]
    pub fn as_constant(&self, id: NodeId) -> Option<f64> {
        match self.nodes[id as usize] {
            Node::Constant(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    fn intern(&mut self, node: Node) -> NodeId {
        *self.known.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            (self.nodes.len() - 1) as NodeId
        })
    }

    /// A constant.
    pub fn constant(&mut self, value: f64) -> NodeId {
        self.intern(Node::Constant(value.to_bits()))
    }

    /// The input plane of a name; the same name gives the same node.
    pub fn input(&mut self, name: &str) -> NodeId {
        let index = self.inputs.iter().position(|n| n == name).unwrap_or_else(|| {
            self.inputs.push(name.to_owned());
            self.inputs.len() - 1
        });
        self.intern(Node::Input(index as u32))
    }

    /// A value of one operand.
    pub fn unary(&mut self, op: Unary, a: NodeId) -> NodeId {
        match self.as_constant(a) {
            Some(v) => self.constant(unary(op, v)),
            None => self.intern(Node::Unary(op, a)),
        }
    }

    /// A value of two operands.
    pub fn binary(&mut self, op: Binary, a: NodeId, b: NodeId) -> NodeId {
        if let (Some(x), Some(y)) = (self.as_constant(a), self.as_constant(b)) {
            return self.constant(binary(op, x, y));
        }
        if let (Binary::Pow, Some(power)) = (op, self.as_constant(b)) {
            return self.power(a, power, b);
        }
        // Both orders round alike, so `R+N` and `N+R` are one node.
        let commutes = matches!(op, Binary::Add | Binary::Mul);
        let (a, b) = if commutes && b < a { (b, a) } else { (a, b) };
        self.intern(Node::Binary(op, a, b))
    }

    /// Small whole powers become products: faster than `pow` and within an ulp of it.
    fn power(&mut self, a: NodeId, power: f64, exponent: NodeId) -> NodeId {
        if power == 1.0 {
            return a;
        }
        if power == 2.0 {
            return self.intern(Node::Binary(Binary::Mul, a, a));
        }
        if power == 4.0 {
            let square = self.intern(Node::Binary(Binary::Mul, a, a));
            return self.intern(Node::Binary(Binary::Mul, square, square));
        }
        self.intern(Node::Binary(Binary::Pow, a, exponent))
    }

    /// `where(condition, then, otherwise)`.
    pub fn select(&mut self, condition: NodeId, then: NodeId, otherwise: NodeId) -> NodeId {
        match self.as_constant(condition) {
            Some(c) if c.is_nan() => condition,
            Some(0.0) => otherwise,
            Some(_) => then,
            None => self.intern(Node::Select(condition, then, otherwise)),
        }
    }

    /// For each node whether it leads to one of `results`.
    #[must_use]
    pub fn reachable(&self, results: &[NodeId]) -> Vec<bool> {
        let mut used = vec![false; self.nodes.len()];
        for &r in results {
            used[r as usize] = true;
        }
        for id in (0..self.nodes.len()).rev() {
            if used[id] {
                operands(self.nodes[id]).for_each(|o| used[o as usize] = true);
            }
        }
        used
    }
}

/// Operands of a node.
pub(super) fn operands(node: Node) -> impl Iterator<Item = NodeId> {
    let list = match node {
        Node::Constant(_) | Node::Input(_) => [None; 3],
        Node::Unary(_, a) => [Some(a), None, None],
        Node::Binary(_, a, b) => [Some(a), Some(b), None],
        Node::Select(c, a, b) => [Some(c), Some(a), Some(b)],
    };
    list.into_iter().flatten()
}

/// 1 or 0.
#[inline]
pub(super) fn truth(condition: bool) -> f64 {
    if condition { 1.0 } else { 0.0 }
}

/// The scalar meaning of a unary operator.
#[inline]
pub(super) fn unary(op: Unary, x: f64) -> f64 {
    match op {
        Unary::Neg => -x,
        Unary::Not if x.is_nan() => x,
        Unary::Not => truth(x == 0.0),
        Unary::Abs => x.abs(),
        Unary::Sqrt => x.sqrt(),
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Tanh => x.tanh(),
    }
}

/// The scalar meaning of a binary operator. NaN in, NaN out: the IEEE exceptions of `min`, `max` and `pow` would turn
/// nodata into numbers.
#[inline]
pub(super) fn binary(op: Binary, x: f64, y: f64) -> f64 {
    match op {
        Binary::Add => return x + y,
        Binary::Sub => return x - y,
        Binary::Mul => return x * y,
        Binary::Div => return x / y,
        _ => {}
    }
    if x.is_nan() || y.is_nan() {
        return f64::NAN;
    }
    match op {
        Binary::Min => x.min(y),
        Binary::Max => x.max(y),
        Binary::Atan2 => x.atan2(y),
        Binary::Less => truth(x < y),
        Binary::LessEqual => truth(x <= y),
        Binary::Equal => truth(x == y),
        Binary::NotEqual => truth(x != y),
        Binary::And => truth(x != 0.0 && y != 0.0),
        Binary::Or => truth(x != 0.0 || y != 0.0),
        _ => x.powf(y),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_subexpressions_are_one_node() {
        let mut g = Graph::default();
        let (n, r) = (g.input("N"), g.input("R"));
        let a = g.binary(Binary::Add, n, r);
        assert_eq!(g.binary(Binary::Add, r, n), a);
        assert_ne!(g.binary(Binary::Sub, r, n), g.binary(Binary::Sub, n, r));
        let two = g.constant(2.0);
        let square = g.binary(Binary::Pow, n, two);
        assert_eq!(g.nodes()[square as usize], Node::Binary(Binary::Mul, n, n));
    }

    #[test]
    fn nodata_never_becomes_a_number() {
        for op in [Binary::Min, Binary::Max, Binary::Pow, Binary::Less, Binary::And, Binary::Or, Binary::NotEqual] {
            assert!(binary(op, f64::NAN, 0.0).is_nan(), "{op:?}");
            assert!(binary(op, 1.0, f64::NAN).is_nan(), "{op:?}");
        }
        assert!(unary(Unary::Not, f64::NAN).is_nan());
    }
}
