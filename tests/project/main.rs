//! Project files, the report and the demo, from outside.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests stop at the first surprise")]

mod report;
