//! Project files: parsing, planning, running, targets and alerts.

pub mod config;
pub mod document;
pub mod judge;
pub mod layout;
pub mod prepare;
pub mod rules;
pub mod standards;
pub mod summary;

pub use config::Project;
