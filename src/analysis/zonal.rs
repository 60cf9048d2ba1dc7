//! Zonal statistics weighted by the exact covered fraction of every pixel.
//!
//! With c the covered fraction and v the value of a valid pixel: count Σc, sum Σcv, mean, population variance
//! Σc(v−mean)²/Σc, minimum and maximum over c > 0, weighted quantiles, majority, minority, variety, area ΣcA with geodesic
//! pixel areas A. Definitions and tie rules are those of exactextract (Baston, 2023). Overlapping zones are independent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pulp::{Arch, NullaryFnOnce};

use crate::engine::{Analysis, Partial, Spec, TileIn, TileOut};
use crate::error::{Error, Result};
use crate::grid::Window;
use crate::grid::area::{CellAreas, M2_PER_HA};
use crate::numeric::weighted::{Lanes, Moments, Spread, ValueStore, WhereSum, majority, minority, quantile};
use crate::raster::Plane;
use crate::raster::plane::Values;
use crate::vector::{Covered, Runs, ZoneIndex};

/// A statistic of a zone.
#[derive(Clone, Debug, PartialEq)]
pub enum Statistic {
    /// Covered valid pixels.
    Count,
    /// Mean.
    Mean,
    /// Population standard deviation.
    Stdev,
    /// Population variance.
    Variance,
    /// Standard deviation over mean.
    Cv,
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
    /// Sum of values times covered fraction.
    Sum,
    /// Weighted quantile with its column name (`median`, `q05`).
    Quantile(f64, String),
    /// Value that covers most, the larger of tied ones.
    Majority,
    /// Value that covers least, the smaller of tied ones.
    Minority,
    /// Number of distinct values.
    Variety,
    /// Geodesic hectares of the covered valid pixels.
    AreaHa,
    /// Share of the zone's area that valid pixels cover, 0 to 1.
    CoveredShare,
}

impl Statistic {
    /// A statistic by its name on the command line.
    ///
    /// # Errors
    /// Usage error that lists the names, with the nearest one.
    pub fn parse(text: &str) -> Result<Self> {
        let name = text.trim().to_ascii_lowercase();
        Ok(match name.as_str() {
            "count" => Self::Count,
            "mean" => Self::Mean,
            "stdev" | "std" => Self::Stdev,
            "variance" => Self::Variance,
            "cv" => Self::Cv,
            "min" => Self::Min,
            "max" => Self::Max,
            "sum" => Self::Sum,
            "median" => Self::Quantile(0.5, name),
            "majority" | "mode" => Self::Majority,
            "minority" => Self::Minority,
            "variety" => Self::Variety,
            "area_ha" => Self::AreaHa,
            "covered_share" => Self::CoveredShare,
            _ => {
                let percent = name.strip_prefix(['q', 'p']).and_then(|n| n.parse::<f64>().ok());
                match percent.filter(|p| (0.0..=100.0).contains(p)) {
                    Some(p) => Self::Quantile(p / 100.0, name),
                    None => return Err(unknown(text)),
                }
            }
        })
    }

    /// Column name without the raster's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Count => "count",
            Self::Mean => "mean",
            Self::Stdev => "stdev",
            Self::Variance => "variance",
            Self::Cv => "cv",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Quantile(_, name) => name,
            Self::Majority => "majority",
            Self::Minority => "minority",
            Self::Variety => "variety",
            Self::AreaHa => "area_ha",
            Self::CoveredShare => "covered_share",
        }
    }

    /// True where all values of a zone must be kept.
    #[must_use]
    pub fn needs_values(&self) -> bool {
        matches!(self, Self::Quantile(..) | Self::Majority | Self::Minority | Self::Variety)
    }
}

fn unknown(text: &str) -> Error {
    const NAMES: [&str; 14] = [
        "count",
        "mean",
        "stdev",
        "variance",
        "cv",
        "min",
        "max",
        "sum",
        "median",
        "majority",
        "minority",
        "variety",
        "area_ha",
        "covered_share",
    ];
    let near = NAMES.iter().min_by_key(|n| strsim::osa_distance(n, &text.to_ascii_lowercase()));
    let near = near.filter(|n| strsim::osa_distance(n, text) <= 2).map(|n| format!("; did you mean {n}?"));
    Error::usage(format!(
        "statistic {text:?} is not known; use {} or q05 to q95 for quantiles{}",
        NAMES.join(", "),
        near.unwrap_or_default()
    ))
}

/// A channel of the pass and what its pixels are in its own raster.
#[derive(Clone, Debug)]
pub struct ZonalChannel {
    /// Channel of the pass.
    pub name: String,
    /// Pixels of the pass grid in one pixel of the channel's own grid: counts and sums are in own pixels.
    pub pixels_per_own: f64,
}

/// Statistics of several channels in several zones.
pub struct Zonal {
    channels: Vec<ZonalChannel>,
    zones: Arc<ZoneIndex>,
    areas: Option<Arc<CellAreas>>,
    values: Option<Arc<Budget>>,
    /// Mantissa bits of f32 that are cleared of values that are kept.
    coarser: u32,
    scratch_per_cell: usize,
}

/// The bound of the memory for values of zones.
#[derive(Debug, Default)]
struct Budget {
    bytes: u64,
    over: AtomicBool,
}

impl Zonal {
    /// Prepares the statistics. `areas` is needed for hectares only; `values` bounds the bytes of all distinct values kept for
    /// quantiles and majorities, nothing means that none are asked for; `window` is that of the pass grid.
    #[must_use]
    pub fn new(
        channels: Vec<ZonalChannel>,
        zones: Arc<ZoneIndex>,
        areas: Option<Arc<CellAreas>>,
        values: Option<u64>,
        window: Window,
    ) -> Self {
        let n = channels.len();
        let values = values.map(|bytes| Arc::new(Budget { bytes, over: AtomicBool::new(false) }));
        // Coverage and areas; with values, the pairs of every zone of a tile, and those of one before equal ones are joined.
        let pairs = if values.is_some() { 16 * n * (zones.layers(window) + 1) } else { 0 };
        let scratch_per_cell = ZoneIndex::SCRATCH_PER_CELL + if areas.is_some() { 8 } else { 0 } + pairs;
        Self { channels, zones, areas, values, coarser: 0, scratch_per_cell }
    }

    /// Keeps values for quantiles to [`Zonal::KEPT_BITS`] bits, so that zones of any size fit: a quantile is off by at most
    /// 1 part in 32,768 of itself. Moments stay exact.
    #[must_use]
    pub fn rounded(mut self) -> Self {
        self.coarser = 23 - Self::KEPT_BITS;
        self
    }

    /// Bits of the mantissa that [`Zonal::rounded`] keeps.
    pub const KEPT_BITS: u32 = 14;

    /// Bytes that the kept values of `zones` need at most, `channels` each; `rounded` as [`Zonal::rounded`] keeps them.
    #[must_use]
    pub fn most_bytes(zones: &ZoneIndex, channels: usize, rounded: bool) -> u64 {
        // Distinct rounded values of twenty octaves: more than an index has.
        let distinct = if rounded { f64::from(20u32 << Self::KEPT_BITS) } else { f64::INFINITY };
        let of = |zone| (zones.area_px(zone) * 1.1 + 64.0).min(distinct);
        ((0..zones.len()).map(of).sum::<f64>() * 32.0 * channels as f64) as u64
    }
}

/// Sums of one channel in one zone.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    moments: Moments,
    area_m2: f64,
    values: ValueStore,
}

/// Sums of every zone met so far, by (zone, channel).
#[derive(Debug, Default)]
pub struct ZonalSums {
    sums: BTreeMap<(usize, usize), Sums>,
    value_bytes: u64,
    budget: Option<Arc<Budget>>,
}

impl Partial for ZonalSums {
    fn merge(&mut self, next: Self) {
        self.budget = self.budget.take().or(next.budget);
        for (key, sums) in next.sums {
            let own = self.sums.entry(key).or_default();
            own.moments.merge(&sums.moments);
            own.area_m2 += sums.area_m2;
            let before = own.values.bytes();
            own.values.merge(sums.values);
            self.value_bytes = self.value_bytes - before + own.values.bytes();
        }
        if let Some(b) = &self.budget
            && self.value_bytes > b.bytes
        {
            // The next tile reports it; what is kept is of no use any more.
            b.over.store(true, Ordering::Relaxed);
            self.sums.values_mut().for_each(|s| s.values = ValueStore::default());
            self.value_bytes = 0;
        }
    }
}

impl Analysis for Zonal {
    type Partial = ZonalSums;

    fn spec(&self) -> Spec {
        Spec {
            name: "zonal".into(),
            reads: self.channels.iter().map(|c| c.name.clone()).collect(),
            scratch_per_cell: self.scratch_per_cell,
            scratch_fixed: (self.zones.len().min(4096) * self.channels.len() * size_of::<Sums>()) as u64,
            citations: vec!["Baston, D. (2023). exactextract: fast and accurate raster zonal statistics"],
            ..Spec::default()
        }
    }

    fn resident_bytes(&self) -> u64 {
        let sums = (self.zones.len() * self.channels.len() * (size_of::<Sums>() + 32)) as u64;
        self.zones.bytes()
            + self.areas.as_ref().map_or(0, |a| a.bytes())
            + self.values.as_ref().map_or(0, |b| b.bytes)
            + sums
    }

    fn tile(&self, input: &TileIn<'_>, _out: &mut TileOut, partial: &mut ZonalSums) -> Result<()> {
        if let Some(b) = &self.values {
            partial.budget = Some(Arc::clone(b));
            b.check()?;
        }
        let cols = input.cols();
        let mut areas = vec![0.0; if self.areas.is_some() { input.window.cells() } else { 0 }];
        if let Some(of) = &self.areas {
            for (r, row) in areas.chunks_exact_mut(cols).enumerate() {
                of.row(input.window.row + r as i64, input.window.col, row);
            }
        }
        self.zones.cover(input.window, |zone, runs| {
            for (channel, plane) in input.planes.iter().enumerate() {
                let tile = Cells { plane, halo: input.halo, cols, areas: &areas, coarser: self.coarser };
                let (moments, area_m2) = tile.sums(runs);
                if moments.count > 0.0 {
                    let own = partial.sums.entry((zone, channel)).or_default();
                    (own.moments, own.area_m2) = (moments, area_m2);
                    if self.values.is_some() {
                        own.values = ValueStore::of(tile.pairs(runs));
                    }
                }
            }
        });
        if self.values.is_some() {
            partial.value_bytes = partial.sums.values().map(|s| s.values.bytes()).sum();
        }
        Ok(())
    }
}

/// One channel of a tile.
struct Cells<'a> {
    plane: &'a Plane,
    halo: usize,
    cols: usize,
    /// Areas of the tile's cells; empty where none are asked for.
    areas: &'a [f64],
    /// As of [`Zonal`].
    coarser: u32,
}

impl Cells<'_> {
    /// Moments and m² of the valid cells of a zone.
    fn sums(&self, runs: Runs<'_>) -> (Moments, f64) {
        match &self.plane.values {
            Values::F32(stored) => Arch::new().dispatch(ZoneSums { tile: self, stored, runs }),
            Values::F64(stored) => Arch::new().dispatch(ZoneSums { tile: self, stored, runs }),
        }
    }

    /// Position in the plane of a cell of the tile.
    #[inline(always)]
    fn at(&self, row: usize, col: usize) -> usize {
        (row + self.halo) * self.plane.cols + self.halo + col
    }

    /// Values and fractions of the valid cells of a zone.
    fn pairs(&self, runs: Runs<'_>) -> Vec<(f64, f64)> {
        let mut pairs = Vec::new();
        let mut line = vec![0.0; self.cols];
        for (row, col, covered) in runs {
            let (n, fractions) = match covered {
                Covered::Whole(n) => (n, None),
                Covered::Partly(fractions) => (fractions.len(), Some(fractions)),
            };
            self.plane.load(row + self.halo, self.halo + col, &mut line[..n]);
            for (i, v) in line[..n].iter().enumerate() {
                let c = fractions.map_or(1.0, |f| f[i]);
                if !v.is_nan() && c > 0.0 {
                    pairs.push((rounded(*v, self.coarser), c));
                }
            }
        }
        pairs
    }
}

/// The nearest value without the last `bits` bits of an f32's mantissa.
fn rounded(value: f64, bits: u32) -> f64 {
    if bits == 0 {
        return value;
    }
    let half = 1u32 << (bits - 1);
    f64::from(f32::from_bits((value as f32).to_bits().saturating_add(half) & !((1 << bits) - 1)))
}

/// Sums of one zone over stored values.
struct ZoneSums<'a, T> {
    tile: &'a Cells<'a>,
    stored: &'a [T],
    runs: Runs<'a>,
}

impl<'a, T: Copy + Into<f64>> ZoneSums<'a, T> {
    /// The stored values of a run, their position in the tile and their fractions, none where all are inside.
    #[inline(always)]
    fn piece(&self, (row, col, covered): (usize, usize, Covered<'a>)) -> (&'a [T], usize, Option<&'a [f64]>) {
        let (n, fractions) = match covered {
            Covered::Whole(n) => (n, None),
            Covered::Partly(fractions) => (fractions.len(), Some(fractions)),
        };
        (&self.stored[self.tile.at(row, col)..][..n], row * self.tile.cols + col, fractions)
    }
}

impl<T: Copy + Into<f64>> NullaryFnOnce for ZoneSums<'_, T> {
    type Output = (Moments, f64);

    #[inline(always)]
    fn call(self) -> Self::Output {
        let (scale, offset) = (self.tile.plane.scale, self.tile.plane.offset);
        let wide = |v: T| -> f64 { v.into() * scale + offset };
        let mut first = Lanes::default();
        for run in self.runs {
            let (values, _, fractions) = self.piece(run);
            first.add(values, fractions, wide);
        }
        let mut moments = first.moments();
        if moments.count == 0.0 {
            return (moments, 0.0);
        }
        let mut spread = Spread::about(moments.sum / moments.count);
        for run in self.runs {
            let (values, _, fractions) = self.piece(run);
            spread.add(values, fractions, wide);
        }
        moments.m2 = spread.sum();
        let mut area = WhereSum::default();
        if !self.tile.areas.is_empty() {
            let valid = |v: T| -> bool { !v.into().is_nan() };
            for run in self.runs {
                let (values, at, fractions) = self.piece(run);
                area.add(values, &self.tile.areas[at..][..values.len()], fractions, valid);
            }
        }
        (moments, area.sum())
    }
}

impl Budget {
    fn check(&self) -> Result<()> {
        if self.over.load(Ordering::Relaxed) {
            return Err(Error::limit(format!(
                "zonal statistics: the distinct values of the zones need more than the {} MiB set aside for quantiles, \
                 majority, minority and variety; raise --memory, or ask for count, mean, stdev, min, max, sum only",
                self.bytes >> 20
            )));
        }
        Ok(())
    }
}

impl Zonal {
    /// Takes the sums apart into one value a (zone, channel, statistic): `f(zone, channel, values)`, in that order. Undefined
    /// statistics of empty zones are `None`; their count, sum, variety, area and covered share are 0.
    ///
    /// # Errors
    /// Limit error where the values did not fit.
    pub fn results(
        zones: &ZoneIndex,
        channels: &[ZonalChannel],
        mut sums: ZonalSums,
        statistics: &[Statistic],
        mut f: impl FnMut(usize, usize, Vec<Option<f64>>),
    ) -> Result<()> {
        if let Some(b) = &sums.budget {
            b.check()?;
        }
        for zone in 0..zones.len() {
            for (i, channel) in channels.iter().enumerate() {
                let s = sums.sums.remove(&(zone, i)).unwrap_or_default();
                let (m, per) = (s.moments, channel.pixels_per_own);
                let sorted = s.values.sorted();
                let value = |statistic: &Statistic| match statistic {
                    Statistic::Count => Some(m.count / per),
                    Statistic::Sum => Some(m.sum / per),
                    Statistic::Mean => m.mean(),
                    Statistic::Variance => m.variance(),
                    Statistic::Stdev => m.variance().map(f64::sqrt),
                    Statistic::Cv => m.variance().zip(m.mean()).map(|(v, u)| v.sqrt() / u).filter(|v| v.is_finite()),
                    Statistic::Min => Some(m.min).filter(|v| v.is_finite()),
                    Statistic::Max => Some(m.max).filter(|v| v.is_finite()),
                    Statistic::Quantile(q, _) => quantile(&sorted, *q),
                    Statistic::Majority => majority(&sorted),
                    Statistic::Minority => minority(&sorted),
                    Statistic::Variety => Some(sorted.len() as f64),
                    Statistic::AreaHa => Some(s.area_m2 / M2_PER_HA),
                    Statistic::CoveredShare => {
                        let whole = zones.area_px(zone);
                        // Parts that overlap count twice in the whole; a share stays a share.
                        Some(if whole > 0.0 { (m.count / whole).min(1.0) } else { 0.0 })
                    }
                };
                f(zone, i, statistics.iter().map(value).collect());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_and_misspelt_ones_get_a_hint() {
        assert_eq!(Statistic::parse("q05").unwrap(), Statistic::Quantile(0.05, "q05".into()));
        assert_eq!(Statistic::parse("Median").unwrap().name(), "median");
        let e = Statistic::parse("meen").unwrap_err();
        assert!(e.message().contains("did you mean mean?"), "{e}");
        for bad in ["q101", "q", "qx", ""] {
            assert_eq!(Statistic::parse(bad).unwrap_err().kind(), crate::error::Kind::Usage);
        }
    }

    #[test]
    fn value_budget_is_enforced_when_merging() {
        let budget = Arc::new(Budget { bytes: 100, over: AtomicBool::new(false) });
        let part = |from: u32| {
            let values = ValueStore::of((from..from + 5).map(|v| (f64::from(v), 1.0)).collect());
            let sums = BTreeMap::from([((0, 0), Sums { values, ..Sums::default() })]);
            ZonalSums { sums, value_bytes: 80, budget: Some(Arc::clone(&budget)) }
        };
        let mut all = ZonalSums::default();
        all.merge(part(0));
        assert!(budget.check().is_ok());
        all.merge(part(0));
        assert!(budget.check().is_ok(), "equal values take no room");
        all.merge(part(5));
        assert_eq!(budget.check().unwrap_err().kind(), crate::error::Kind::Limit);
    }

    #[test]
    fn rounded_values_are_near() {
        let bits = 23 - Zonal::KEPT_BITS;
        for v in [0.0, 0.123_456_79, -0.7, 1234.5, 1e-6, f64::from(f32::MAX)] {
            let near = rounded(v, bits);
            assert!((near - v).abs() <= v.abs() / 32_768.0 || near.is_infinite(), "{v}: {near}");
        }
        assert_eq!((rounded(0.5, bits), rounded(0.1, 0)), (0.5, 0.1));
    }
}
