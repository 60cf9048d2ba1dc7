//! Recovery metrics of every pixel (formulas in [`crate::temporal::recovery`]), with the reason of each that is undefined.

use super::series::{Observed, SeriesModel};
use crate::engine::{OutBand, Overview};
use crate::raster::{Class, Ramp};
use crate::temporal::recovery::{Annual, Class as RecoveryClass, Metrics, Reason, Recovery, code};

/// Metrics that are bands, with their units.
const METRICS: [(&str, &str); 15] = [
    ("disturbance_year", "year"),
    ("recovery_start_year", "year"),
    ("pre_disturbance_value", ""),
    ("start_value", ""),
    ("drop", ""),
    ("delta_index", ""),
    ("delta_ir", ""),
    ("yryr_per_year", "1/year"),
    ("ri", ""),
    ("rri", ""),
    ("r80p", ""),
    ("y2r_years", "years"),
    ("percent_recovery", "%"),
    ("percent_of_target", "%"),
    ("percent_of_reference", "%"),
];
/// The last metric, which needs a reference too.
const RELATIVE: (&str, &str) = ("relative_to_reference_percent", "%");
/// Quantities.
const QUANTITIES: usize = METRICS.len() + 1;
/// Metrics that have a reason where they are undefined: all but the two years.
const EXPLAINED: usize = QUANTITIES - 2;

/// Positions of the planes of [`RecoveryModel`].
pub struct RecoveryPlanes;

impl RecoveryPlanes {
    /// Metrics, and the reason of the pixel behind them.
    pub const METRICS: std::ops::RangeInclusive<usize> = 0..=QUANTITIES;
    /// Percent recovery.
    pub const PERCENT: usize = 12;
    /// Classes of percent recovery.
    pub const CLASSES: usize = QUANTITIES + 1;
    /// Reasons, metric by metric.
    pub const REASONS: std::ops::Range<usize> = QUANTITIES + 2..QUANTITIES + 2 + EXPLAINED;
}

/// Recovery metrics of annual series.
pub struct RecoveryModel {
    recovery: Recovery,
    disturbance: Option<i32>,
    start: Option<i32>,
    /// Years and values of the reference area.
    reference: Option<(Vec<i32>, Vec<f64>)>,
}

impl RecoveryModel {
    /// `disturbance` is the year of the event where it is the same everywhere, `start` that of the begin of restoration.
    #[must_use]
    pub fn new(
        recovery: Recovery,
        disturbance: Option<i32>,
        start: Option<i32>,
        reference: Option<(Vec<i32>, Vec<f64>)>,
    ) -> Self {
        Self { recovery, disturbance, start, reference }
    }
}

/// Numbers of the metrics, in the order of the bands.
fn numbers(m: &Metrics) -> [Result<f64, Reason>; EXPLAINED] {
    [
        m.before,
        m.at_start,
        m.drop,
        m.change,
        m.regrowth,
        m.regrowth_rate,
        m.indicator,
        m.relative_indicator,
        m.ratio,
        m.years_to_recovery,
        m.percent_recovery,
        m.percent_of_target,
        m.percent_of_reference,
        m.relative_to_reference,
    ]
}

/// The reason of a pixel: that of its years to recovery, else of its percent recovery, else of the windowed metrics.
fn reason(m: &Metrics) -> u8 {
    [m.years_to_recovery, m.percent_recovery, m.ratio, m.relative_indicator]
        .map(code)
        .into_iter()
        .find(|c| *c > 0)
        .unwrap_or(0)
}

/// Classes of percent recovery, as rasters name and colour them.
#[must_use]
pub fn classes() -> Vec<Class> {
    const LOOK: [(&str, [u8; 3]); 6] = [
        ("degraded further", [122, 1, 31]),
        ("poor", [215, 48, 39]),
        ("fair", [253, 174, 97]),
        ("good", [217, 239, 139]),
        ("recovered", [102, 189, 99]),
        ("exceeds baseline", [0, 104, 55]),
    ];
    RecoveryClass::ALL.iter().zip(LOOK).map(|(class, (name, rgb))| Class::new(*class as u8, name, rgb)).collect()
}

/// Reasons, as rasters name and colour them.
#[must_use]
pub fn reasons() -> Vec<Class> {
    const LOOK: [(&str, [u8; 3]); 12] = [
        ("not recovered yet", [215, 48, 39]),
        ("no disturbance", [166, 217, 106]),
        ("drop too small", [217, 239, 139]),
        ("no observation before", [186, 186, 186]),
        ("no observation at start", [160, 160, 160]),
        ("no observation in the year compared", [135, 135, 135]),
        ("window beyond the end of the series", [253, 174, 97]),
        ("gap too long", [110, 110, 110]),
        ("too few years", [77, 77, 77]),
        ("no reference", [146, 197, 222]),
        ("target not positive", [67, 147, 195]),
        ("not a finite number", [0, 0, 0]),
    ];
    let defined = Class::new(0, "defined", [26, 152, 80]);
    let reason = |(reason, (name, rgb)): (&Reason, (&str, [u8; 3]))| Class::new(*reason as u8, name, rgb);
    std::iter::once(defined).chain(Reason::ALL.iter().zip(LOOK).map(reason)).collect()
}

impl SeriesModel for RecoveryModel {
    type Work = Vec<i32>;

    fn name(&self) -> &'static str {
        "recovery"
    }

    fn bands(&self) -> Vec<OutBand> {
        let quantity = |(name, unit): &(&str, &str)| {
            let band = OutBand::quantity(name, unit).drawn(Ramp::Vegetation);
            // A mean of years is no year.
            let overview = if *unit == "year" { Overview::Mode } else { Overview::Average };
            OutBand { overview, ..band }
        };
        let mut bands: Vec<OutBand> = METRICS.iter().chain([&RELATIVE]).map(quantity).collect();
        bands.push(OutBand { overview: Overview::Mode, ..OutBand::quantity("reason", "code") });
        bands.push(OutBand::classes("recovery_class", classes()));
        let explained = METRICS.iter().chain([&RELATIVE]).skip(QUANTITIES - EXPLAINED);
        bands.extend(explained.map(|(name, _)| OutBand::classes(&format!("{name}_reason"), reasons())));
        bands
    }

    fn bytes(&self, dates: usize) -> u64 {
        4 * dates as u64 + self.reference.as_ref().map_or(0, |(years, _)| 12 * years.len() as u64)
    }

    fn citations(&self) -> Vec<&'static str> {
        vec![
            "Kennedy et al. 2012, recovery indicator",
            "Pickell et al. 2016, R80P and years to recovery",
            "White et al. 2017, delta index regrowth",
            "Frazier et al. 2018, RRI and YrYr",
        ]
    }

    fn fit(&self, series: &Observed<'_>, years: &mut Vec<i32>, out: &mut [f32]) {
        years.clear();
        years.extend(series.times.iter().map(|t| *t as i32));
        let annual = Annual { years, values: series.values };
        let reference = self.reference.as_ref().map(|(years, values)| Annual { years, values });
        let metrics = self.recovery.metrics(annual, reference, self.disturbance, self.start);
        let year = |y: Option<i32>| y.map_or(f32::NAN, |y| y as f32);
        let numbers = numbers(&metrics);
        (out[0], out[1]) = (year(metrics.disturbance), year(metrics.start));
        for (k, number) in numbers.into_iter().enumerate() {
            out[2 + k] = number.map_or(f32::NAN, |v| v as f32);
            out[RecoveryPlanes::REASONS.start + k] = f32::from(code(number));
        }
        out[QUANTITIES] = f32::from(reason(&metrics));
        if let Some(class) = metrics.percent_recovery.ok().and_then(RecoveryClass::of) {
            out[RecoveryPlanes::CLASSES] = f32::from(class as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temporal::recovery::RecoverySettings;

    fn bands_of(values: &[f64]) -> Vec<(String, f32)> {
        let model = RecoveryModel::new(Recovery::new(RecoverySettings::default()).unwrap(), None, None, None);
        let times: Vec<f64> = (0..values.len()).map(|i| 2000.0 + i as f64).collect();
        let at: Vec<u32> = (0..values.len() as u32).collect();
        let bands = model.bands();
        let mut out = vec![f32::NAN; bands.len()];
        model.fit(&Observed { at: &at, times: &times, values }, &mut Vec::new(), &mut out);
        bands.into_iter().map(|b| b.name).zip(out).collect()
    }

    #[test]
    fn bands_hold_what_their_names_say() {
        // 0.8, 0.8, drop to 0.3 in 2002, back to 0.7 in 2007: D = 0.5, ΔIR = 0.4.
        let all = bands_of(&[0.8, 0.8, 0.3, 0.38, 0.46, 0.54, 0.62, 0.7]);
        let of = |name: &str| all.iter().find(|(n, _)| n == name).unwrap().1;
        assert_eq!((of("disturbance_year"), of("recovery_start_year"), of("y2r_years")), (2002.0, 2002.0, 5.0));
        assert!((of("percent_recovery") - 80.0).abs() < 1e-4 && (of("yryr_per_year") - 0.08).abs() < 1e-6);
        assert!((of("r80p") - 0.7 / 0.64).abs() < 1e-6 && (of("ri") - 0.8).abs() < 1e-6);
        assert_eq!((of("reason"), of("recovery_class"), of("percent_of_reference_reason")), (0.0, 5.0, 10.0));
        assert_eq!(all[RecoveryPlanes::PERCENT].0, "percent_recovery");
        assert_eq!(all[RecoveryPlanes::CLASSES].0, "recovery_class");
        assert_eq!(all.len(), RecoveryPlanes::REASONS.end);
    }

    #[test]
    fn every_undefined_pixel_has_a_reason() {
        for values in [&[][..], &[0.5], &[0.5; 9], &[0.8, 0.8, 0.3, 0.3, 0.3]] {
            let all = bands_of(values);
            for (name, code) in &all[RecoveryPlanes::REASONS] {
                let metric = name.trim_end_matches("_reason");
                let value = all.iter().find(|(n, _)| n == metric).unwrap().1;
                assert_eq!(value.is_nan(), *code > 0.0, "{name} of {values:?}");
            }
            assert!(all[QUANTITIES].1 > 0.0, "{values:?}");
        }
    }
}
