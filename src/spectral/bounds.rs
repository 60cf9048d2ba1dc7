//! What a formula can give at all: the range of normalised differences.

use super::syntax::{Ast, AstNode, Binary, Unary};

/// -1 to 1 for a formula of the form (a-b)/(a+b) whose terms are not negative where reflectance is not; nothing for others.
#[must_use]
pub fn of(ast: &Ast) -> Option<(f64, f64)> {
    let node = |i: u32| &ast.nodes[i as usize];
    let AstNode::Binary(Binary::Div, above, below) = ast.nodes.last()? else { return None };
    let (AstNode::Binary(Binary::Sub, a, b), AstNode::Binary(Binary::Add, c, d)) = (node(*above), node(*below)) else {
        return None;
    };
    let same = (equal(ast, *a, *c) && equal(ast, *b, *d)) || (equal(ast, *a, *d) && equal(ast, *b, *c));
    (same && positive(ast, *a) && positive(ast, *b)).then_some((-1.0, 1.0))
}

fn equal(ast: &Ast, a: u32, b: u32) -> bool {
    match (&ast.nodes[a as usize], &ast.nodes[b as usize]) {
        (AstNode::Number(x), AstNode::Number(y)) => x == y,
        (AstNode::Name(x, _), AstNode::Name(y, _)) => x == y,
        (AstNode::Unary(f, x), AstNode::Unary(g, y)) => f == g && equal(ast, *x, *y),
        (AstNode::Binary(f, x, y), AstNode::Binary(g, u, v)) => f == g && equal(ast, *x, *u) && equal(ast, *y, *v),
        _ => false,
    }
}

/// Sums, products, quotients and powers of bands and numbers that are not negative.
fn positive(ast: &Ast, node: u32) -> bool {
    match &ast.nodes[node as usize] {
        AstNode::Number(v) => *v >= 0.0,
        AstNode::Name(..) | AstNode::Unary(Unary::Sqrt | Unary::Abs | Unary::Exp, _) => true,
        AstNode::Binary(Binary::Add | Binary::Mul | Binary::Div | Binary::Pow, a, b) => {
            positive(ast, *a) && positive(ast, *b)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised_differences_are_bounded_and_nothing_else_is_claimed() {
        let of = |text: &str| of(&Ast::parse(text).unwrap());
        for bounded in
            ["(N - R)/(N + R)", "(N - 0.66 * S1) / (N + 0.66 * S1)", "((S1+R)-(N+B))/((S1+R)+(N+B))", "(G-N)/(N+G)"]
        {
            assert_eq!(of(bounded), Some((-1.0, 1.0)), "{bounded}");
        }
        for free in ["N/R", "(N-R)/(N+B)", "(N-R)/(N-R)", "(N-(R-B))/(N+(R-B))", "(N-R)/(N+R+0.16)", "2*(N-R)/(N+R)"] {
            assert_eq!(of(free), None, "{free}");
        }
    }
}
