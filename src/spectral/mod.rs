//! Spectral indices: the catalogue, the expression language and its compiler. No pixels, no files.
//!
//! An expression is parsed once ([`syntax`]), joined with all other indices of a pass into one graph where equal
//! subexpressions exist once ([`graph`]), and compiled to a register program that runs over rows of f64
//! ([`program`], [`evaluation`]).

pub mod bounds;
pub mod build;
pub mod catalogue;
pub mod evaluation;
mod fuse;
pub mod graph;
mod kernel;
pub mod named;
pub mod program;
pub mod sensor;
pub mod syntax;

pub use build::{Builder, Index, Kernel, Settings};
pub use catalogue::Entry;
pub use evaluation::Evaluation;
pub use graph::{Graph, Node, NodeId};
pub use program::Program;
pub use syntax::Ast;
