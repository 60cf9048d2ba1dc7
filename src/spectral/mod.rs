//! Spectral indices: the catalogue, the expression language and its compiler. No pixels, no files.
//!
//! An expression is parsed once ([`syntax`]), joined with all other indices of a pass into one graph where equal
//! subexpressions exist once ([`graph`]), and compiled to a register program that runs over blocks of f64 ([`program`]).

pub mod build;
pub mod catalogue;
pub mod graph;
pub mod named;
pub mod program;
pub mod sensor;
pub mod syntax;

pub use build::{Builder, Index, Kernel, Settings};
pub use catalogue::Entry;
pub use graph::{Graph, Node, NodeId};
pub use program::{BLOCK, Program, Registers};
pub use syntax::Ast;
