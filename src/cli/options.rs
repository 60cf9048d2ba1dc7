//! Options that several product verbs share: indices, zones, breaks and areas.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::io;
use crate::product::Context;
use crate::spectral::{Index, Kernel, Settings};
use crate::vector::ZoneIndex;
use crate::vector::patches::Connect;

/// Options of verbs that evaluate indices.
#[derive(Args, Clone, Debug, Default)]
pub struct IndexSettings {
    /// Constant of a formula (L=0.5, sigma=0.3, PAR=900); repeatable
    #[arg(long = "const", value_name = "NAME=VALUE")]
    constants: Vec<String>,
    /// Kernel of kernel indices such as kNDVI
    #[arg(long, value_enum, default_value_t)]
    kernel: KernelName,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum KernelName {
    #[default]
    Rbf,
    Poly,
    Linear,
}

impl IndexSettings {
    /// The settings as formulas take them.
    ///
    /// # Errors
    /// Usage error of a constant that is not known or no number.
    pub fn settings(&self) -> Result<Settings> {
        self.settings_for(&[])
    }

    /// The same where `indices` have constants of their own.
    ///
    /// # Errors
    /// As [`IndexSettings::settings`].
    pub fn settings_for(&self, indices: &[Index]) -> Result<Settings> {
        let kernel = match self.kernel {
            KernelName::Rbf => Kernel::Rbf,
            KernelName::Poly => Kernel::Polynomial,
            KernelName::Linear => Kernel::Linear,
        };
        let mut settings = Settings { kernel, ..Settings::default() };
        self.constants.iter().try_for_each(|c| settings.set(c, indices))?;
        Ok(settings)
    }
}

/// Zones that tables are made for.
#[derive(Args, Clone, Debug, Default)]
pub struct Zones {
    /// Polygons: the table gets a row a zone instead of one row `all`
    #[arg(long, value_name = "FILE", requires = "table")]
    zones: Option<PathBuf>,
    /// Column that names the zones
    #[arg(long, value_name = "COLUMN", requires = "zones")]
    id: Option<String>,
}

impl Zones {
    /// The zones on a grid, where they are asked for.
    ///
    /// # Errors
    /// Those of reading the polygons and of placing them on the grid.
    pub fn build(&self, grid: &Grid, context: &Context) -> Result<Option<Arc<ZoneIndex>>> {
        let Some(path) = &self.zones else { return Ok(None) };
        let layer = io::vector::read(&crate::scene::local_file(path)?, None)?;
        context.notes.reads(path, None);
        let zones = ZoneIndex::build(&layer, grid, self.id.as_deref()).map_err(|e| e.context(path.display()))?;
        layer.warnings.iter().chain(zones.warnings()).for_each(|w| context.notes.warn(w));
        zones.decisions().iter().for_each(|d| context.notes.decide(d));
        Ok(Some(Arc::new(zones)))
    }
}

/// Patches that are too small to count.
#[derive(Args, Clone, Debug)]
pub struct Patches {
    /// Smallest patch that is kept (0.5ha, 5000m2, 0.01km2) [default: all]
    #[arg(long, value_name = "AREA", value_parser = area, default_value = "0ha", hide_default_value = true)]
    pub min_area: f64,
    /// Neighbours of a pixel that belong to the same patch: 4 by edges, 8 also by corners [default: 8 with --min-area,
    /// else 4]
    #[arg(long, value_name = "4|8", value_parser = connect)]
    connect: Option<Connect>,
}

impl Patches {
    /// Which pixels form a patch.
    #[must_use]
    pub fn connect(&self) -> Connect {
        self.connect.unwrap_or(if self.min_area > 0.0 { Connect::Eight } else { Connect::Four })
    }
}

/// Square metres of `0.5ha`, `5000m2` or `0.01km2`.
fn area(text: &str) -> Result<f64, String> {
    const ALLOWED: &str = "write an area with its unit: 0.5ha, 5000m2 or 0.01km2";
    let lower = text.trim().to_ascii_lowercase();
    [("ha", 1e4), ("km2", 1e6), ("m2", 1.0)]
        .iter()
        .find_map(|(unit, m2)| lower.strip_suffix(unit).map(|n| (n.trim_end().to_owned(), *m2)))
        .and_then(|(n, m2)| n.parse::<f64>().ok().map(|n| n * m2))
        .filter(|m2| (0.0..=1e12).contains(m2))
        .ok_or_else(|| ALLOWED.to_owned())
}

fn connect(text: &str) -> Result<Connect, String> {
    match text {
        "4" => Ok(Connect::Four),
        "8" => Ok(Connect::Eight),
        _ => Err("write 4 or 8".to_owned()),
    }
}

/// Four numbers `a,b,c,d`, as `--breaks` takes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers(pub Vec<f64>);

impl FromStr for Numbers {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(|t| t.trim().parse::<f64>().ok().filter(|v| v.is_finite()))
            .collect::<Option<Vec<_>>>()
            .map(Self)
            .ok_or_else(|| "write numbers separated by commas".to_owned())
    }
}

/// Indices of a comma-separated list, those of the user's `own` among them.
///
/// # Errors
/// Usage error that suggests near names.
pub fn indices(names: &str, own: &[Index]) -> Result<Vec<Index>> {
    let names: Vec<&str> = names.split(',').map(str::trim).filter(|n| !n.is_empty()).collect();
    if names.is_empty() {
        return Err(Error::usage("no index is given; name one (NDVI,BSI), or see `regrow index --list`"));
    }
    names.into_iter().map(|n| find(n, own)).collect()
}

/// The index of a name: the user's own, else the program's.
///
/// # Errors
/// Usage error that suggests near names.
pub fn find(name: &str, own: &[Index]) -> Result<Index> {
    let all: Vec<&str> = own.iter().map(|i| i.name.as_str()).collect();
    match own.iter().find(|i| i.name == name) {
        Some(index) => Ok(index.clone()),
        None if own.is_empty() => Index::find(name),
        None => {
            Index::find(name).map_err(|e| Error::usage(format!("{} (--indices has {})", e.message(), all.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_carry_their_unit() {
        assert_eq!(area("0.5ha"), Ok(5000.0));
        assert_eq!(area("0.01 km2"), Ok(10_000.0));
        assert_eq!(area("900m2"), Ok(900.0));
        for bad in ["0.5", "-1ha", "nanha", "1e20km2", "ha"] {
            assert!(area(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lists_of_indices_are_checked_by_name() {
        assert_eq!(indices("NDVI, BSI", &[]).unwrap().len(), 2);
        assert!(indices("NDVI,NVDI", &[]).unwrap_err().to_string().contains("NDVI"));
        assert!(indices(",", &[]).is_err());
    }
}
