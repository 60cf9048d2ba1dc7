//! Result tables: CSV and JSON by extension.

use crate::vector::Value;

/// A result table: named columns, every one with its unit in its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Column names.
    pub columns: Vec<String>,
    /// Rows of values in column order.
    pub rows: Vec<Vec<Value>>,
}
