//! Compiled index formulas over the rows of a tile.

use std::sync::Arc;

use crate::engine::{TileIn, TileOut};
use crate::error::{Error, Result};
use crate::raster::OutPlane;
use crate::spectral::{Graph, Node, NodeId, Program};

/// Widest tile the engine makes, for the statement of working memory.
const WIDEST: u64 = 1024;

/// A program bound to the channels of a pass.
#[derive(Clone, Debug)]
pub struct Formula {
    program: Arc<Program>,
    reads: Vec<String>,
    void_of_nodata: bool,
}

impl Formula {
    /// The values `results` of a graph; `reads` names the channel of each input of the graph.
    #[must_use]
    pub fn new(graph: &Graph, results: &[NodeId], reads: Vec<String>) -> Self {
        debug_assert_eq!(graph.inputs().len(), reads.len());
        let input = |node: &Node| matches!(node, Node::Input(_));
        let reads_some =
            |r: &NodeId| graph.nodes().iter().zip(graph.reachable(&[*r])).any(|(n, used)| used && input(n));
        let void_of_nodata = results.iter().all(reads_some);
        Self { program: Arc::new(Program::compile(graph, results)), reads, void_of_nodata }
    }

    /// True where every result is nodata wherever all inputs are: all but constants.
    #[must_use]
    pub fn is_void_of_nodata(&self) -> bool {
        self.void_of_nodata
    }

    /// Channels it reads, for [`crate::engine::Spec::reads`].
    #[must_use]
    pub fn reads(&self) -> &[String] {
        &self.reads
    }

    /// Bytes of working memory it needs a tile, for [`crate::engine::Spec::scratch_fixed`].
    #[must_use]
    pub fn scratch(&self) -> u64 {
        self.program.working_bytes(WIDEST)
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
        let (cols, at) = (input.cols() + 2 * halo, input.halo - halo);
        let mut work = self.program.evaluation();
        for row in 0..input.rows() + 2 * halo {
            each(row, work.row(cols, |i, values| input.planes[i].load(row + at, at, values)))?;
        }
        Ok(())
    }

    /// Evaluates the tile and writes the results, rounded to f32, to the first planes of `out`.
    ///
    /// # Errors
    /// A bug where a plane has another type, or there are too few.
    pub fn write(&self, input: &TileIn<'_>, out: &mut TileOut) -> Result<()> {
        let floats = out.planes.iter_mut().filter_map(|p| match p {
            OutPlane::F32(values) => Some(values.as_mut_slice()),
            _ => None,
        });
        let mut planes: Vec<&mut [f32]> = floats.take(self.program.results()).collect();
        if planes.len() < self.program.results() {
            return Err(Error::bug("a formula has fewer float32 planes than results"));
        }
        let (cols, halo) = (input.cols(), input.halo);
        let mut work = self.program.evaluation();
        for row in 0..input.rows() {
            let load = |i: usize, values: &mut [f64]| input.planes[i].load(row + halo, halo, values);
            work.row_into(cols, load, &mut planes, row * cols);
        }
        Ok(())
    }
}
