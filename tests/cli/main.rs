//! The command line as users and schedulers meet it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod scenes;
