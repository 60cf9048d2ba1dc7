//! What a pixel is: sample types, bands with their roles and encodings, planes, and the contracts of readers and writers.

mod around;
pub mod band;
pub mod contract;
pub mod dtype;
pub mod plane;
pub mod ramp;
pub mod role;

pub use around::Around;
pub use band::{Band, Class};
pub use contract::{BlockLayout, Encoded, Finished, Reader, Sink, Source};
pub use dtype::{Dtype, Raw, Samples};
pub use plane::{OutPlane, Plane};
pub use ramp::Ramp;
pub use role::Role;
