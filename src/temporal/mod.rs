//! Mathematics of one pixel's series: trends, segments, breaks, recovery. No rasters, no files, no clock.
//!
//! Every method takes a series as parallel slices `times` and `values` of its valid observations, in order of time, all finite.
//! Times are decimal years unless a method says otherwise. A method with parameters is a value that is checked when it is
//! made; it is shared by all workers, and what it needs besides is a `Work` of its own that is lent to every call, so that no
//! pixel allocates. A series a method cannot use (too short, no variation) is answered by `None`, never by a guess.

pub mod bfast;
pub mod ccdc;
pub mod forecast;
pub mod landtrendr;
pub mod monitor;
pub mod recovery;
pub mod segments;
pub mod trend;
