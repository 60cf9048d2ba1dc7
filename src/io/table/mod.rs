//! Result tables: CSV and JSON by extension.

use std::path::Path;

use crate::error::{Error, Result};
use crate::io::atomic::write_bytes;
use crate::vector::Value;

/// A result table: named columns, every one with its unit in its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Column names.
    pub columns: Vec<String>,
    /// Rows of values in column order.
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    /// An empty table with these columns.
    #[must_use]
    pub fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(ToString::to_string).collect(), rows: Vec::new() }
    }
}

/// Checks, before any work, that [`write()`] knows the extension.
///
/// # Errors
/// Usage error that lists the formats.
pub fn check_extension(path: &Path) -> Result<()> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("csv" | "json") => Ok(()),
        _ => Err(Error::usage(format!("{}: tables are written as .csv or .json, by extension", path.display()))),
    }
}

/// Writes a table as `.csv` or `.json` (an array of objects). The file appears whole or not at all.
///
/// # Errors
/// Usage error for another extension, I/O errors with the path.
pub fn write(path: &Path, table: &Table, overwrite: bool) -> Result<()> {
    check_extension(path)?;
    let data = if path.extension().is_some_and(|e| e == "json") { json(table)? } else { csv(table)? };
    write_bytes(path, &data, overwrite)
}

fn csv(table: &Table) -> Result<Vec<u8>> {
    let bug = |e: csv::Error| Error::bug(format!("building a table: {e}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(table.columns.iter().map(|c| guarded(c))).map_err(bug)?;
    for row in &table.rows {
        writer.write_record(row.iter().map(cell)).map_err(bug)?;
    }
    writer.into_inner().map_err(|e| Error::bug(format!("building a table: {e}")))
}

fn json(table: &Table) -> Result<Vec<u8>> {
    let rows: Vec<serde_json::Map<String, serde_json::Value>> = table
        .rows
        .iter()
        .map(|row| table.columns.iter().cloned().zip(row.iter().map(crate::io::vector::json_value)).collect())
        .collect();
    let mut data = serde_json::to_vec_pretty(&rows).map_err(|e| Error::bug(format!("building a table: {e}")))?;
    data.push(b'\n');
    Ok(data)
}

/// A value as CSV text: empty for missing and NaN, shortest digits that read back to the same number.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Real(r) if r.is_nan() => String::new(),
        Value::Real(r) if *r != 0.0 && (r.abs() >= 1e16 || r.abs() < 1e-5) => format!("{r:e}"),
        Value::Real(r) => r.to_string(),
        Value::Text(t) => guarded(t),
    }
}

/// Text that a spreadsheet would run as a formula gets a leading apostrophe. A lone sign before a number is left alone.
fn guarded(text: &str) -> String {
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    if risky { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_defused_and_numbers_kept() {
        let mut t = Table::new(&["zone", "bare_ha", "n"]);
        t.rows.push(vec![Value::Text("=cmd()".into()), Value::Real(0.1 + 0.2), Value::Int(3)]);
        t.rows.push(vec![Value::Text("a,\"b\"\n".into()), Value::Real(f64::NAN), Value::Null]);
        t.rows.push(vec![Value::Text("-5".into()), Value::Real(1e-9), Value::Bool(true)]);
        let text = String::from_utf8(csv(&t).unwrap()).unwrap();
        assert_eq!(text, "zone,bare_ha,n\n'=cmd(),0.30000000000000004,3\n\"a,\"\"b\"\"\n\",,\n-5,1e-9,true\n");
        let json: serde_json::Value = serde_json::from_slice(&json(&t).unwrap()).unwrap();
        assert_eq!(json[0]["bare_ha"], 0.1 + 0.2);
        assert!(json[1]["bare_ha"].is_null());
    }
}
