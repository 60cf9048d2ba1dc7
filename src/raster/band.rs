//! A band: name, role and encoding.

use super::{Dtype, Role};

/// One value of a class band: how it is named and drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Stored value.
    pub value: u8,
    /// Name for legends.
    pub name: String,
    /// Colour, red green blue.
    pub rgb: [u8; 3],
}

impl Class {
    /// A class value with its name and colour.
    #[must_use]
    pub fn new(value: u8, name: &str, rgb: [u8; 3]) -> Self {
        Self { value, name: name.into(), rgb }
    }
}

/// A band as its file describes it. `value = stored × scale + offset` is the physical quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Description in the file; empty where there is none.
    pub name: String,
    /// Role where name or metadata state it outright.
    pub role: Option<Role>,
    /// Stored type.
    pub dtype: Dtype,
    /// Nodata in the stored type's own value space (for f32: a value that f32 holds exactly); NaN is always nodata in floats.
    pub nodata: Option<f64>,
    /// Scale; 1 where the file states none.
    pub scale: f64,
    /// Offset; 0 where the file states none.
    pub offset: f64,
    /// True where the file itself states scale or offset.
    pub scaled_by_file: bool,
    /// Unit of the physical quantity; empty where unknown.
    pub unit: String,
    /// Date of the band where its metadata state one (`YYYY-MM-DD`).
    pub date: Option<String>,
    /// Classes by colour table and category names.
    pub classes: Vec<Class>,
}

impl Band {
    /// A band of a type with nothing else known.
    #[must_use]
    pub fn new(dtype: Dtype) -> Self {
        Self {
            name: String::new(),
            role: None,
            dtype,
            nodata: None,
            scale: 1.0,
            offset: 0.0,
            scaled_by_file: false,
            unit: String::new(),
            date: None,
            classes: Vec::new(),
        }
    }
}
