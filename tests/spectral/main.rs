//! Spectral science against independent implementations.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod oracles;
mod verbs;
