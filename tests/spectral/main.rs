//! Spectral science against independent implementations.

mod oracles;
