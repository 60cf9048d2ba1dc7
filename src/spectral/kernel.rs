//! The loops of a program: one for each operation and kind of operands, so that the compiler vectorises each for the
//! processor it is dispatched to. Nothing is contracted or reordered, so every processor gives the same bits.

use super::fuse::{Cheap, Op};
use super::graph::{binary, truth, unary};
use super::named::Rule;
use super::syntax::{Binary, Unary};

/// Cells of a chunk: a register is an array of so many values. All registers of a program stay in the first-level cache,
/// and loops of a fixed length need no preparation.
pub(super) const CHUNK: usize = 256;

/// Values of one chunk.
pub(super) type Lanes = [f64; CHUNK];

/// An operand.
#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    Constant(f64),
    Values(&'a Lanes),
}

/// Gives the operands of an operation, named by their position.
pub(super) trait Operands<'a> {
    /// An operand that may be a constant by [`takes_constant`].
    fn view(&self, position: usize) -> View<'a>;
    /// An operand that may not.
    fn values(&self, position: usize) -> &'a Lanes;
}

/// Whether an operand may be a constant; where not, programs keep the constant in a register. Loops for constants pay
/// where sums and products are all there is to do.
pub(super) fn takes_constant(op: Op, position: usize) -> bool {
    match op {
        Op::Binary(op) => matches!(
            op,
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Pow | Binary::Less | Binary::LessEqual
        ),
        Op::Pair(..) => position > 0,
        _ => false,
    }
}

/// Runs one operation over a chunk.
#[inline(always)]
pub(super) fn run<'a>(op: Op, from: &impl Operands<'a>, out: &mut Lanes) {
    match op {
        Op::Unary(op) => run_unary(op, from.values(0), out),
        Op::Binary(op) => run_binary(op, from, out),
        Op::Pair(first, second) => run_pair(first, second, from.values(0), from.view(1), from.view(2), out),
        Op::Sum { k: [p, q, r, s], constant, terms } => {
            let (a, b) = (from.values(0), from.values(1));
            match terms {
                2 => two(a, b, out, |a, b| (p * a + q * b) + constant),
                3 => three(a, b, from.values(2), out, |a, b, c| ((p * a + q * b) + r * c) + constant),
                _ => {
                    let (c, d) = (from.values(2), from.values(3));
                    for ((((o, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                        *o = (((p * a + q * b) + r * c) + s * d) + constant;
                    }
                }
            }
        }
        // The least sum of a raw quotient is −∞: then NaN only where the sum is NaN, as the quotient is.
        Op::Difference(least) => two(from.values(0), from.values(1), out, |x, y| {
            let sum = x + y;
            if least <= sum { (x - y) / sum } else { f64::NAN }
        }),
        Op::Keep(rule) => {
            let (a, b) = (from.values(0), from.values(1));
            match rule {
                Rule::AtLeast(t) => two(a, b, out, |x, y| if t <= y { x } else { f64::NAN }),
                Rule::Above(t) => two(a, b, out, |x, y| if t < y { x } else { f64::NAN }),
                Rule::AwayFromZero(t) => two(a, b, out, |x, y| if t <= y.abs() { x } else { f64::NAN }),
                Rule::Within(lo, hi) => {
                    two(a, b, out, |x, y| if (lo <= y) & (y <= hi) { x } else { f64::NAN });
                }
            }
        }
        Op::KeepQuotient(rule) => {
            let (a, b, c) = (from.values(0), from.values(1), from.values(2));
            match rule {
                Rule::AtLeast(t) => three(a, b, c, out, |x, y, z| if t <= z { x / y } else { f64::NAN }),
                Rule::Above(t) => three(a, b, c, out, |x, y, z| if t < z { x / y } else { f64::NAN }),
                Rule::AwayFromZero(t) => three(a, b, c, out, |x, y, z| if t <= z.abs() { x / y } else { f64::NAN }),
                Rule::Within(lo, hi) => {
                    three(a, b, c, out, |x, y, z| if (lo <= z) & (z <= hi) { x / y } else { f64::NAN });
                }
            }
        }
        Op::Choose(op) => {
            let operands = (from.values(0), from.values(1), from.values(2), from.values(3));
            match op {
                Binary::Less => choose(operands, out, |x, y| x < y),
                Binary::LessEqual => choose(operands, out, |x, y| x <= y),
                Binary::Equal => choose(operands, out, |x, y| x == y),
                _ => choose(operands, out, |x, y| x != y),
            }
        }
        Op::Select => three(from.values(0), from.values(1), from.values(2), out, |condition, x, y| {
            let chosen = if condition == 0.0 { y } else { x };
            if condition.is_nan() { condition } else { chosen }
        }),
    }
}

/// Makes NaN of the values where `input` is NaN.
#[inline(always)]
pub(super) fn guard(input: &Lanes, values: &mut Lanes) {
    values.iter_mut().zip(input).for_each(|(v, x)| *v = if x.is_nan() { f64::NAN } else { *v });
}

#[inline(always)]
fn one(a: &Lanes, out: &mut Lanes, f: impl Fn(f64) -> f64) {
    out.iter_mut().zip(a).for_each(|(o, &x)| *o = f(x));
}

#[inline(always)]
fn two(a: &Lanes, b: &Lanes, out: &mut Lanes, f: impl Fn(f64, f64) -> f64) {
    for ((o, &x), &y) in out.iter_mut().zip(a).zip(b) {
        *o = f(x, y);
    }
}

#[inline(always)]
fn three(a: &Lanes, b: &Lanes, c: &Lanes, out: &mut Lanes, f: impl Fn(f64, f64, f64) -> f64) {
    for (((o, &x), &y), &z) in out.iter_mut().zip(a).zip(b).zip(c) {
        *o = f(x, y, z);
    }
}

#[inline(always)]
fn choose((a, b, c, d): (&Lanes, &Lanes, &Lanes, &Lanes), out: &mut Lanes, holds: impl Fn(f64, f64) -> bool) {
    for ((((o, &x), &y), &then), &otherwise) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        let chosen = if holds(x, y) { then } else { otherwise };
        *o = if x.is_nan() | y.is_nan() { f64::NAN } else { chosen };
    }
}

#[inline(always)]
fn run_unary(op: Unary, a: &Lanes, out: &mut Lanes) {
    match op {
        Unary::Neg => one(a, out, |x| -x),
        Unary::Not => one(a, out, |x| if x.is_nan() { x } else { truth(x == 0.0) }),
        Unary::Abs => one(a, out, f64::abs),
        Unary::Sqrt => one(a, out, f64::sqrt),
        other => one(a, out, |x| unary(other, x)),
    }
}

/// One loop for each kind of operands.
#[inline(always)]
fn each(a: View<'_>, b: View<'_>, out: &mut Lanes, f: impl Fn(f64, f64) -> f64) {
    match (a, b) {
        (View::Values(a), View::Values(b)) => two(a, b, out, f),
        (View::Values(a), View::Constant(y)) => one(a, out, |x| f(x, y)),
        (View::Constant(x), View::Values(b)) => one(b, out, |y| f(x, y)),
        (View::Constant(x), View::Constant(y)) => out.fill(f(x, y)),
    }
}

#[inline(always)]
fn run_binary<'a>(op: Binary, from: &impl Operands<'a>, out: &mut Lanes) {
    if !takes_constant(Op::Binary(op), 0) {
        return run_whole(op, from.values(0), from.values(1), out);
    }
    let (a, b) = (from.view(0), from.view(1));
    // As in `binary`, but without branches.
    let undefined = |x: f64, y: f64| x.is_nan() | y.is_nan();
    let compared = |x: f64, y: f64, holds: bool| if undefined(x, y) { f64::NAN } else { truth(holds) };
    match (op, b) {
        (Binary::Add, _) => each(a, b, out, |x, y| x + y),
        (Binary::Sub, _) => each(a, b, out, |x, y| x - y),
        (Binary::Mul, _) => each(a, b, out, |x, y| x * y),
        (Binary::Div, _) => each(a, b, out, |x, y| x / y),
        // The square root is exact where `pow` is; -0.0 becomes 0.0 as `pow` has it.
        (Binary::Pow, View::Constant(0.5)) => {
            each(a, b, out, |x, _| if x == f64::NEG_INFINITY { f64::INFINITY } else { x.sqrt() + 0.0 });
        }
        (Binary::Less, _) => each(a, b, out, |x, y| compared(x, y, x < y)),
        (Binary::LessEqual, _) => each(a, b, out, |x, y| compared(x, y, x <= y)),
        (other, _) => each(a, b, out, |x, y| binary(other, x, y)),
    }
}

/// Operators whose constants are in registers.
#[inline(always)]
fn run_whole(op: Binary, a: &Lanes, b: &Lanes, out: &mut Lanes) {
    let defined = |x: f64, y: f64, value: f64| if x.is_nan() | y.is_nan() { f64::NAN } else { value };
    match op {
        Binary::Min => two(a, b, out, |x, y| defined(x, y, x.min(y))),
        Binary::Max => two(a, b, out, |x, y| defined(x, y, x.max(y))),
        Binary::Equal => two(a, b, out, |x, y| defined(x, y, truth(x == y))),
        Binary::NotEqual => two(a, b, out, |x, y| defined(x, y, truth(x != y))),
        Binary::And => two(a, b, out, |x, y| defined(x, y, truth((x != 0.0) & (y != 0.0)))),
        Binary::Or => two(a, b, out, |x, y| defined(x, y, truth((x != 0.0) | (y != 0.0)))),
        other => two(a, b, out, |x, y| binary(other, x, y)),
    }
}

#[inline(always)]
fn run_pair(first: Cheap, second: Cheap, a: &Lanes, b: View<'_>, c: View<'_>, out: &mut Lanes) {
    match first {
        Cheap::Add => pair_then(second, a, b, c, out, |x, y| x + y),
        Cheap::Sub => pair_then(second, a, b, c, out, |x, y| x - y),
        Cheap::Rsub => pair_then(second, a, b, c, out, |x, y| y - x),
        Cheap::Mul => pair_then(second, a, b, c, out, |x, y| x * y),
        Cheap::Div => pair_then(second, a, b, c, out, |x, y| x / y),
    }
}

#[inline(always)]
fn pair_then(second: Cheap, a: &Lanes, b: View<'_>, c: View<'_>, out: &mut Lanes, first: impl Fn(f64, f64) -> f64) {
    match second {
        Cheap::Add => pair(a, b, c, out, |x, y, z| first(x, y) + z),
        Cheap::Sub => pair(a, b, c, out, |x, y, z| first(x, y) - z),
        Cheap::Rsub => pair(a, b, c, out, |x, y, z| z - first(x, y)),
        // No second operation divides.
        Cheap::Mul | Cheap::Div => pair(a, b, c, out, |x, y, z| first(x, y) * z),
    }
}

#[inline(always)]
fn pair(a: &Lanes, b: View<'_>, c: View<'_>, out: &mut Lanes, f: impl Fn(f64, f64, f64) -> f64) {
    match (b, c) {
        (View::Values(b), View::Values(c)) => three(a, b, c, out, f),
        (View::Values(b), View::Constant(z)) => two(a, b, out, |x, y| f(x, y, z)),
        (View::Constant(y), View::Values(c)) => two(a, c, out, |x, z| f(x, y, z)),
        (View::Constant(y), View::Constant(z)) => one(a, out, |x| f(x, y, z)),
    }
}
