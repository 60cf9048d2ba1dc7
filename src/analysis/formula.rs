//! Compiled index formulas over the rows of a tile.

use std::sync::Arc;

use crate::engine::TileIn;
use crate::error::Result;
use crate::spectral::{BLOCK, Graph, NodeId, Program, Registers};

/// Widest tile the engine makes, for the statement of working memory.
const WIDEST: u64 = 1024;

/// A program bound to the channels of a pass.
#[derive(Clone, Debug)]
pub struct Formula {
    program: Arc<Program>,
    reads: Vec<String>,
}

impl Formula {
    /// The values `results` of a graph; `reads` names the channel of each input of the graph.
    #[must_use]
    pub fn new(graph: &Graph, results: &[NodeId], reads: Vec<String>) -> Self {
        debug_assert_eq!(graph.inputs().len(), reads.len());
        Self { program: Arc::new(Program::compile(graph, results)), reads }
    }

    /// Channels it reads, for [`crate::engine::Spec::reads`].
    #[must_use]
    pub fn reads(&self) -> &[String] {
        &self.reads
    }

    /// Bytes of working memory it needs a tile, for [`crate::engine::Spec::scratch_fixed`].
    #[must_use]
    pub fn scratch(&self) -> u64 {
        8 * ((self.reads.len() + self.program.results()) as u64 * WIDEST + (self.program.registers() * BLOCK) as u64)
    }

    /// Evaluates the tile row by row; `each(row, results)` sees the values of every result along the row. NaN is nodata;
    /// an infinite value is none of a formula's business and reaches `each`.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn rows(&self, input: &TileIn<'_>, each: impl FnMut(usize, &[Vec<f64>]) -> Result<()>) -> Result<()> {
        self.rows_around(input, 0, each)
    }

    /// As [`Formula::rows`], over the tile grown by `halo` pixels on each side; rows and columns count from the corner of
    /// the grown tile.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn rows_around(
        &self,
        input: &TileIn<'_>,
        halo: usize,
        mut each: impl FnMut(usize, &[Vec<f64>]) -> Result<()>,
    ) -> Result<()> {
        let cols = input.cols() + 2 * halo;
        let at = input.halo - halo;
        let mut planes = vec![vec![0.0; cols]; self.reads.len()];
        let mut results = vec![vec![0.0; cols]; self.program.results()];
        let mut registers = Registers::default();
        for row in 0..input.rows() + 2 * halo {
            for (i, plane) in planes.iter_mut().enumerate() {
                input.planes[i].load(row + at, at, plane);
            }
            let views: Vec<&[f64]> = planes.iter().map(Vec::as_slice).collect();
            self.program.run(&views, cols, &mut registers, |k, start, values| {
                results[k][start..start + values.len()].copy_from_slice(values);
            })?;
            each(row, &results)?;
        }
        Ok(())
    }
}
