//! Notes that are both told and kept, so that the report holds what the console said.

use std::sync::{Arc, Mutex, PoisonError};

use crate::product::{Context, Notes};

/// Passes notes on and keeps each once.
pub struct Kept {
    inner: Arc<dyn Notes>,
    warnings: Mutex<Vec<String>>,
    decisions: Mutex<Vec<String>>,
}

impl Kept {
    /// Keeps what is told through `context` from now on.
    #[must_use]
    pub fn within(context: &mut Context) -> Arc<Self> {
        let inner = Arc::clone(&context.notes);
        let kept = Arc::new(Self { inner, warnings: Mutex::default(), decisions: Mutex::default() });
        context.notes = Arc::clone(&kept) as Arc<dyn Notes>;
        kept
    }
    /// Warnings in order.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Decisions in order.
    #[must_use]
    pub fn decisions(&self) -> Vec<String> {
        self.decisions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Adds a text that is not there yet; true where it was new.
fn keep(list: &Mutex<Vec<String>>, text: &str) -> bool {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    let new = !list.iter().any(|t| t == text);
    if new {
        list.push(text.to_owned());
    }
    new
}

impl Notes for Kept {
    fn warn(&self, text: &str) {
        if keep(&self.warnings, text) {
            self.inner.warn(text);
        }
    }
    fn decide(&self, text: &str) {
        if keep(&self.decisions, text) {
            self.inner.decide(text);
        }
    }
}
