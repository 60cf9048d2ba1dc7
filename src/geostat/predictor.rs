//! What every interpolation method offers to grids, point lists and cross-validation.

use super::kriging::Estimate;
use crate::error::Result;

/// A prepared interpolation of one variable.
pub trait Predictor: Send + Sync {
    /// A worker with its own working memory.
    fn worker(&self) -> Box<dyn Worker + '_>;
    /// Estimate at each sample from the others, in sample order; NaN where too few are in reach.
    ///
    /// # Errors
    /// As [`Worker::predict`].
    fn leave_one_out(&self) -> Result<Vec<Estimate>>;
    /// True where estimates carry a variance.
    fn has_variance(&self) -> bool;
    /// Bytes held by the prepared state.
    fn bytes(&self) -> u64;
    /// Bytes a worker holds.
    fn work_bytes(&self) -> u64;
    /// Sources of the method.
    fn citations(&self) -> Vec<&'static str>;
}

/// One thread's handle on a predictor; allocates nothing per target.
pub trait Worker {
    /// Estimates at the places (`x[i]`, `y[i]`), in the coordinates of the samples' file. Each depends on its own place
    /// alone, never on what is asked together.
    ///
    /// # Errors
    /// Where a system is singular or a variance comes out negative beyond rounding.
    fn predict(&mut self, x: &[f64], y: &[f64], out: &mut [Estimate]) -> Result<()>;
    /// Systems that needed a small addition to their diagonal.
    fn jittered(&self) -> u64 {
        0
    }
}
