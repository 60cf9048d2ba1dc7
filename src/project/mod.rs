//! Project files: parsing, planning, running, targets and alerts.

pub mod config;
pub mod demo;
pub mod document;
pub mod estimate;
pub mod figures;
pub mod indices;
pub mod judge;
pub mod layout;
pub mod notes;
pub mod prepare;
pub mod rules;
pub mod run;
pub mod standards;
pub mod summary;

pub use config::Project;
