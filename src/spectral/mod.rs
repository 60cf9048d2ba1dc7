//! Spectral index expressions and the Awesome Spectral Indices catalogue.
