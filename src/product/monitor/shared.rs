//! What the pixels of a state share, in the metadata of its raster.

use crate::analysis::monitor::state_bands;
use crate::error::{Error, Result};
use crate::raster::{Dtype, Source};
use crate::spectral::build::{Origin, RAW_PREFIX};
use crate::spectral::{Index, Kernel, Settings};
use crate::temporal::monitor::{Monitor, MonitorSettings};

/// Raised when an older program would read a state wrongly.
const VERSION: &str = "1";
const PREFIX: &str = "REGROW_MONITOR_";
const CONSTANTS: &str = "CONSTANTS";
const KERNELS: [(&str, Kernel); 3] = [("rbf", Kernel::Rbf), ("poly", Kernel::Polynomial), ("linear", Kernel::Linear)];

/// The monitoring of a state, and the value that is computed of every scene.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Model and boundary.
    pub monitor: Monitor,
    /// Value of a scene.
    pub index: Index,
    /// Constants and kernel of its formula.
    pub settings: Settings,
}

impl Shared {
    /// As metadata of a raster, by key.
    #[must_use]
    pub fn metadata(&self) -> Vec<(String, String)> {
        let MonitorSettings { frequency, first_step, trend, order, level } = self.monitor.settings();
        let constants: Vec<String> = self.settings.constants.iter().map(|(name, v)| format!("{name}={v}")).collect();
        let kernel = KERNELS.iter().find(|(_, k)| *k == self.settings.kernel).map_or("", |(name, _)| name);
        // The catalogue's own string of a name that has another formula here must be found again as such.
        let raw = if self.index.origin == Origin::Catalogue { RAW_PREFIX } else { "" };
        let known = if self.index.origin == Origin::Expression { "no" } else { "yes" };
        let mut items = vec![
            ("VERSION", VERSION.to_owned()),
            ("FREQUENCY", frequency.to_string()),
            ("FIRST_STEP", first_step.to_string()),
            ("TREND", if *trend { "yes" } else { "no" }.to_owned()),
            ("ORDER", order.to_string()),
            ("LEVEL", level.to_string()),
            ("INDEX", format!("{raw}{}", self.index.name)),
            ("INDEX_BY_NAME", known.to_owned()),
            ("FORMULA", self.index.formula.trim().to_owned()),
            ("KERNEL", kernel.to_owned()),
        ];
        // Other programs drop empty items when they copy a raster.
        if !constants.is_empty() {
            items.push((CONSTANTS, constants.join(" ")));
        }
        items.into_iter().map(|(key, value)| (format!("{PREFIX}{key}"), value)).collect()
    }

    /// Reads it back, and checks that the raster has the bands of a state.
    ///
    /// # Errors
    /// Input error where the raster is no state, or one of another version.
    pub fn of(source: &dyn Source) -> Result<Self> {
        let name = source.name();
        let found = |key: &str| {
            let item = source.metadata().iter().find(|(k, _)| k.strip_prefix(PREFIX) == Some(key));
            item.map(|(_, value)| value.as_str())
        };
        let text = |key: &str| {
            found(key).ok_or_else(|| {
                Error::input(format!(
                    "{name}: no state of monitoring (metadata {PREFIX}{key} is missing); make one with `regrow monitor fit`"
                ))
            })
        };
        fn number<T: std::str::FromStr>(name: &str, key: &str, text: &str) -> Result<T> {
            text.parse()
                .map_err(|_| Error::input(format!("{name}: metadata {PREFIX}{key} is {text:?}; fit the history again")))
        }
        let version = text("VERSION")?;
        if version != VERSION {
            return Err(Error::input(format!(
                "{name}: state of version {version}, this program writes version {VERSION}; fit the history again"
            )));
        }
        let settings = MonitorSettings {
            frequency: number(name, "FREQUENCY", text("FREQUENCY")?)?,
            first_step: number(name, "FIRST_STEP", text("FIRST_STEP")?)?,
            trend: text("TREND")? == "yes",
            order: number(name, "ORDER", text("ORDER")?)?,
            level: number(name, "LEVEL", text("LEVEL")?)?,
        };
        let monitor = Monitor::new(settings).map_err(|e| Error::input(format!("{name}: {}", e.message())))?;
        let (index, formula) = (text("INDEX")?, text("FORMULA")?);
        let index =
            if text("INDEX_BY_NAME")? == "yes" { Index::find(index)? } else { Index::expression(index, formula) };
        if index.formula.trim() != formula {
            return Err(Error::input(format!(
                "{name}: its {} is {formula}, here it is {}; fit the history again",
                index.name, index.formula
            )));
        }
        let mut formula_settings = Settings::default();
        for constant in found(CONSTANTS).unwrap_or_default().split_whitespace() {
            formula_settings
                .set(constant, std::slice::from_ref(&index))
                .map_err(|e| Error::input(format!("{name}: {}", e.message())))?;
        }
        let kernel = text("KERNEL")?;
        formula_settings.kernel = KERNELS.iter().find(|(k, _)| *k == kernel).map(|(_, k)| *k).unwrap_or_default();
        let wanted = state_bands(&monitor);
        let there = source.bands().iter().map(|b| (b.name.as_str(), b.dtype));
        let same = there.eq(wanted.iter().map(|b| (b.name.as_str(), Dtype::F64)));
        if !same {
            let names: Vec<&str> = wanted.iter().map(|b| b.name.as_str()).collect();
            return Err(Error::input(format!(
                "{name}: a state has the float64 bands {}; fit the history again",
                names.join(" ")
            )));
        }
        Ok(Self { monitor, index, settings: formula_settings })
    }
}
