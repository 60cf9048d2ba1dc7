//! The guide: how regrow is built, how it reads reflectance, joins dates and follows series, how accurate and how fast it is, and what its words mean.

#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("adding_an_analysis.md")]
pub mod adding_an_analysis {}

#[doc = include_str!("radiometry.md")]
pub mod radiometry {}

#[doc = include_str!("composites.md")]
pub mod composites {}

#[doc = include_str!("series.md")]
pub mod series {}

#[doc = include_str!("accuracy.md")]
pub mod accuracy {}

#[doc = include_str!("benchmark.md")]
pub mod benchmark {}

#[doc = include_str!("glossary.md")]
pub mod glossary {}
