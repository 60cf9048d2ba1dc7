//! The expression language: the grammar of the Awesome Spectral Indices catalogue plus comparisons, logic and calls.
//!
//! Python precedence: `or`, `and`, `not`, comparison, `+ -`, `* /`, unary minus, `**` (right-associative).

use crate::error::{Error, Result};

/// Deepest nesting of parentheses, calls, powers and prefix operators.
pub const MAX_DEPTH: usize = 64;
/// Most nodes of one expression; a long sum is fine, a file pasted by mistake is not.
pub const MAX_NODES: usize = 1 << 18;

/// Position of a node in its [`Ast`]; operands always precede their operator.
pub type AstId = u32;

/// Operators and functions of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// Sign change.
    Neg,
    /// 1 where the operand is 0, else 0.
    Not,
    /// Magnitude.
    Abs,
    /// Square root; NaN below 0.
    Sqrt,
    /// e to the power.
    Exp,
    /// Natural logarithm; NaN below 0.
    Log,
    /// Hyperbolic tangent.
    Tanh,
}

/// Operators and functions of two operands. Comparisons and logic give 1 or 0, and NaN where an operand is NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Min,
    Max,
    Atan2,
    Less,
    LessEqual,
    Equal,
    NotEqual,
    And,
    Or,
}

/// A node of the syntax tree.
#[derive(Clone, Debug, PartialEq)]
pub enum AstNode {
    /// A number.
    Number(f64),
    /// A band, constant or kernel; the 1-based column it stands at.
    Name(String, usize),
    /// One operand.
    Unary(Unary, AstId),
    /// Two operands.
    Binary(Binary, AstId, AstId),
    /// `where(condition, then, else)`.
    Where(AstId, AstId, AstId),
}

/// A parsed expression: nodes in evaluation order, the last one is the result. Flat, so that no traversal recurses.
#[derive(Clone, Debug, PartialEq)]
pub struct Ast {
    /// Nodes; operands precede operators.
    pub nodes: Vec<AstNode>,
}

impl Ast {
    /// Parses an expression.
    ///
    /// # Errors
    /// Usage error with the column of the first thing that does not fit.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, nodes: Vec::new(), depth: 0 };
        parser.disjunction()?;
        match parser.peek() {
            Token::End => Ok(Self { nodes: parser.nodes }),
            _ => Err(parser.unexpected("an operator or the end")),
        }
    }

    /// Names used, each once, in order of first use.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut seen = std::collections::HashSet::new();
        self.nodes
            .iter()
            .filter_map(|n| match n {
                AstNode::Name(name, _) if seen.insert(name.as_str()) => Some(name.as_str()),
                _ => None,
            })
            .collect()
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Name(String),
    Symbol(&'static str),
    End,
}

const SYMBOLS: &[&str] = &["**", "<=", ">=", "==", "!=", "+", "-", "*", "/", "(", ")", ",", "<", ">"];

fn at_column(column: usize, what: &str) -> Error {
    Error::usage(format!("expression: column {column}: {what}"))
}

fn tokens(text: &str) -> Result<Vec<(Token, usize)>> {
    let mut out = Vec::new();
    let (mut rest, mut column) = (text, 1);
    while let Some(c) = rest.chars().next() {
        let length = if c.is_whitespace() {
            c.len_utf8()
        } else if c.is_ascii_digit() || (c == '.' && rest[1..].starts_with(|d: char| d.is_ascii_digit())) {
            let length = number_length(rest);
            match rest[..length].parse::<f64>() {
                Ok(v) if v.is_finite() => out.push((Token::Number(v), column)),
                _ => return Err(at_column(column, &format!("{} is not a finite number", &rest[..length]))),
            }
            length
        } else if c.is_ascii_alphabetic() || c == '_' {
            let length =
                rest.find(|d: char| !(d.is_ascii_alphanumeric() || d == '_' || d == ':')).unwrap_or(rest.len());
            out.push((Token::Name(rest[..length].to_owned()), column));
            length
        } else if let Some(symbol) = SYMBOLS.iter().find(|s| rest.starts_with(**s)) {
            out.push((Token::Symbol(symbol), column));
            symbol.len()
        } else {
            let hint = match c {
                '^' => "; the power operator is **",
                '&' => "; write `and`",
                '|' => "; write `or`",
                '!' => "; write `not`",
                '=' => "; equality is ==",
                '?' => "; write where(condition, a, b)",
                _ => "",
            };
            return Err(at_column(column, &format!("character {c:?} has no meaning{hint}")));
        };
        column += rest[..length].chars().count();
        rest = &rest[length..];
    }
    out.push((Token::End, column));
    Ok(out)
}

fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |mut i: usize| {
        while bytes.get(i).is_some_and(u8::is_ascii_digit) {
            i += 1;
        }
        i
    };
    let mut i = digits(0);
    if bytes.get(i) == Some(&b'.') {
        i = digits(i + 1);
    }
    if matches!(bytes.get(i), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(i + 1), Some(b'+' | b'-')));
        let end = digits(i + 1 + sign);
        if end > i + 1 + sign {
            i = end;
        }
    }
    i
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    nodes: Vec<AstNode>,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }
    fn column(&self) -> usize {
        self.tokens[self.at].1
    }
    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }
    fn accept(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(s) if *s == symbol);
        if found {
            self.advance();
        }
        found
    }
    fn accept_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Name(s) if s == word);
        if found {
            self.advance();
        }
        found
    }
    fn unexpected(&self, expected: &str) -> Error {
        let found = match self.peek() {
            Token::Number(v) => v.to_string(),
            Token::Name(s) => s.clone(),
            Token::Symbol(s) => (*s).to_owned(),
            Token::End => "the end".to_owned(),
        };
        at_column(self.column(), &format!("found {found}, expected {expected}"))
    }
    fn expect(&mut self, symbol: &str) -> Result<()> {
        if self.accept(symbol) { Ok(()) } else { Err(self.unexpected(symbol)) }
    }
    fn push(&mut self, node: AstNode) -> Result<AstId> {
        if self.nodes.len() >= MAX_NODES {
            return Err(at_column(self.column(), &format!("more than {MAX_NODES} terms")));
        }
        self.nodes.push(node);
        Ok((self.nodes.len() - 1) as AstId)
    }
    /// Runs a rule one level deeper.
    fn deeper(&mut self, rule: fn(&mut Self) -> Result<AstId>) -> Result<AstId> {
        if self.depth == MAX_DEPTH {
            return Err(at_column(self.column(), &format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        let node = rule(self)?;
        self.depth -= 1;
        Ok(node)
    }

    fn disjunction(&mut self) -> Result<AstId> {
        let mut left = self.conjunction()?;
        while self.accept_word("or") {
            let right = self.conjunction()?;
            left = self.push(AstNode::Binary(Binary::Or, left, right))?;
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<AstId> {
        let mut left = self.negation()?;
        while self.accept_word("and") {
            let right = self.negation()?;
            left = self.push(AstNode::Binary(Binary::And, left, right))?;
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<AstId> {
        if self.accept_word("not") {
            let operand = self.deeper(Self::negation)?;
            return self.push(AstNode::Unary(Unary::Not, operand));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<AstId> {
        let left = self.sum()?;
        let Some((op, swapped)) = self.accept_comparison() else { return Ok(left) };
        let right = self.sum()?;
        let (a, b) = if swapped { (right, left) } else { (left, right) };
        let node = self.push(AstNode::Binary(op, a, b))?;
        let column = self.column();
        if self.accept_comparison().is_some() {
            return Err(at_column(column, "chained comparison; join two comparisons with `and`"));
        }
        Ok(node)
    }

    fn accept_comparison(&mut self) -> Option<(Binary, bool)> {
        let found = match self.peek() {
            Token::Symbol("<") => (Binary::Less, false),
            Token::Symbol("<=") => (Binary::LessEqual, false),
            Token::Symbol(">") => (Binary::Less, true),
            Token::Symbol(">=") => (Binary::LessEqual, true),
            Token::Symbol("==") => (Binary::Equal, false),
            Token::Symbol("!=") => (Binary::NotEqual, false),
            _ => return None,
        };
        self.advance();
        Some(found)
    }

    fn sum(&mut self) -> Result<AstId> {
        let mut left = self.term()?;
        loop {
            let op = if self.accept("+") {
                Binary::Add
            } else if self.accept("-") {
                Binary::Sub
            } else {
                return Ok(left);
            };
            let right = self.term()?;
            left = self.push(AstNode::Binary(op, left, right))?;
        }
    }

    fn term(&mut self) -> Result<AstId> {
        let mut left = self.factor()?;
        loop {
            let op = if self.accept("*") {
                Binary::Mul
            } else if self.accept("/") {
                Binary::Div
            } else {
                return Ok(left);
            };
            let right = self.factor()?;
            left = self.push(AstNode::Binary(op, left, right))?;
        }
    }

    fn factor(&mut self) -> Result<AstId> {
        if self.accept("-") {
            let operand = self.deeper(Self::factor)?;
            return self.push(AstNode::Unary(Unary::Neg, operand));
        }
        if self.accept("+") {
            return self.deeper(Self::factor);
        }
        let base = self.atom()?;
        if self.accept("**") {
            let exponent = self.deeper(Self::factor)?;
            return self.push(AstNode::Binary(Binary::Pow, base, exponent));
        }
        Ok(base)
    }

    fn atom(&mut self) -> Result<AstId> {
        let column = self.column();
        match self.peek().clone() {
            Token::Number(v) => {
                self.advance();
                self.push(AstNode::Number(v))
            }
            Token::Name(word) if matches!(word.as_str(), "and" | "or" | "not") => Err(self.unexpected("a value")),
            Token::Name(name) => {
                self.advance();
                if self.accept("(") { self.call(&name, column) } else { self.push(AstNode::Name(name, column)) }
            }
            Token::Symbol("(") => {
                self.advance();
                let inner = self.deeper(Self::disjunction)?;
                self.expect(")")?;
                Ok(inner)
            }
            _ => Err(self.unexpected("a number, a name or (")),
        }
    }

    fn call(&mut self, name: &str, column: usize) -> Result<AstId> {
        let mut operands = vec![self.deeper(Self::disjunction)?];
        while self.accept(",") {
            operands.push(self.deeper(Self::disjunction)?);
        }
        self.expect(")")?;
        let one = |op| (1, Some(op));
        let (wanted, unary) = match name {
            "abs" => one(Unary::Abs),
            "sqrt" => one(Unary::Sqrt),
            "exp" => one(Unary::Exp),
            "log" => one(Unary::Log),
            "tanh" => one(Unary::Tanh),
            "min" | "max" => (operands.len().max(2), None),
            "atan2" => (2, None),
            "where" => (3, None),
            _ => {
                let known = "abs sqrt exp log tanh atan2 min max where";
                return Err(at_column(column, &format!("no function {name}; there are {known}")));
            }
        };
        if operands.len() != wanted {
            let found = operands.len();
            return Err(at_column(column, &format!("{name} takes {wanted} values, found {found}")));
        }
        if let Some(op) = unary {
            return self.push(AstNode::Unary(op, operands[0]));
        }
        let fold = match name {
            "where" => return self.push(AstNode::Where(operands[0], operands[1], operands[2])),
            "min" => Binary::Min,
            "max" => Binary::Max,
            _ => Binary::Atan2,
        };
        let mut left = operands[0];
        for &right in &operands[1..] {
            left = self.push(AstNode::Binary(fold, left, right))?;
        }
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Ast::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn power_binds_tighter_than_minus_and_to_the_right() {
        let ast = Ast::parse("-a**2**3").unwrap();
        assert_eq!(ast.nodes.last(), Some(&AstNode::Unary(Unary::Neg, 4)));
        assert_eq!(ast.nodes[4], AstNode::Binary(Binary::Pow, 0, 3));
        assert_eq!(ast.nodes[3], AstNode::Binary(Binary::Pow, 1, 2));
    }

    #[test]
    fn errors_name_the_column() {
        assert!(error("(N-R)/(N+R").contains("column 11"), "{}", error("(N-R)/(N+R"));
        assert!(error("N ^ 2").contains("column 3") && error("N ^ 2").contains("**"));
        assert!(error("a < b < c").contains("column 7"));
        assert!(error("").contains("column 1"));
        assert!(error("eval(N)").contains("no function eval"));
        assert!(error("where(N, 1)").contains("takes 3"));
        assert!(error("1e999").contains("finite"));
        assert!(error("é").contains("column 1"));
    }

    #[test]
    fn depth_is_limited_and_width_is_not() {
        let nested = |n: usize| format!("{}N{}", "(".repeat(n), ")".repeat(n));
        assert!(Ast::parse(&nested(64)).is_ok());
        assert!(error(&nested(65)).contains("column 66"), "{}", error(&nested(65)));
        assert!(error(&"-".repeat(100_000)).contains("deeper"));
        assert!(error(&"2**".repeat(100_000)).contains("deeper"));
        let sum = vec!["N*R"; 20_000].join("+");
        assert_eq!(Ast::parse(&sum).unwrap().nodes.len(), 4 * 20_000 - 1);
    }
}
