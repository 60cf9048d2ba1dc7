//! Bare land and water: one decision for each pixel, from thresholds on indices.

use pulp::{Arch, NullaryFnOnce};

use super::classes::{ClassSum, Measures, NODATA};
use super::formula::Formula;
use crate::engine::{Analysis, OutBand, Spec, TileIn, TileOut};
use crate::error::{Error, Result};
use crate::raster::Class;
use crate::spectral::build::BandLookup;
use crate::spectral::syntax::{Binary, Unary};
use crate::spectral::{Builder, Index, NodeId};
use crate::vector::patches::{Connect, Patches};

/// What a pixel was found to be. The stored map has only yes and no; the sums keep them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// Anything else, mostly vegetation.
    Other = 0,
    /// Bare land.
    Bare = 1,
    /// Water: MNDWI > 0 and NDVI < 0.2, or NDWI > 0.1, or AWEInsh > 0.
    Water = 2,
    /// Dark and unreliable (shadow, coal, slag): mean of blue, green, red and near infrared below 0.06.
    Dark = 3,
    /// Snow: NDSI > 0.4 and green > 0.2.
    Snow = 4,
}

impl Surface {
    /// All values, for the tally.
    pub const CODES: [u8; 5] = [0, 1, 2, 3, 4];
}

/// How bare land is told from the rest once water, dark pixels and snow are out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BareRule {
    /// NDVI below and BSI above thresholds.
    Both {
        /// NDVI must be below.
        ndvi: f64,
        /// BSI must be above.
        bsi: f64,
    },
    /// NDVI not above a threshold.
    Ndvi(f64),
}

/// Which parts of the rule a scene must, and can, decide.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// All bands are required; else the parts whose bands are missing (water, dark, snow) are left out.
    pub full: bool,
    /// Values are reflectance; else thresholds on brightness mean nothing and only normalised differences decide.
    pub physical: bool,
}

/// Builds what [`SurfaceAnalysis`] reads.
///
/// # Errors
/// Input error that lists the bands that are missing.
pub fn surface_results(builder: &mut Builder, bands: BandLookup<'_>, parts: Parts) -> Result<Vec<NodeId>> {
    const PARTS: [(&str, &str); 7] = [
        ("NDVI", ""),
        ("BSI", ""),
        ("MNDWI", ""),
        ("NDWI", ""),
        ("AWEInsh", ""),
        ("brightness", "(B+G+R+N)/4"),
        ("green", "G"),
    ];
    let mut results = Vec::with_capacity(PARTS.len() + 1);
    for (k, (name, text)) in PARTS.iter().enumerate() {
        let index = if text.is_empty() { Index::find(name)? } else { Index::expression(name, text) };
        let missing = index.bands()?.iter().any(|b| bands(b).is_none());
        let useless = missing || !(parts.physical || index.is_scale_free()?);
        results.push(if useless && !parts.full && k > 0 {
            builder.graph.constant(f64::NAN)
        } else {
            builder.add_within_range(&index, bands)?
        });
    }
    // NaN where any band is nodata, whatever the guards of the indices say.
    let inputs = builder.graph.inputs().to_vec();
    let nodes: Vec<NodeId> = inputs.iter().map(|i| builder.graph.input(i)).collect();
    let mut valid = builder.graph.constant(0.0);
    for node in nodes {
        valid = builder.graph.binary(Binary::Add, valid, node);
    }
    results.push(valid);
    Ok(results)
}

/// 1 where a pixel is water by its normalised differences, for surveys that leave water out; `None` where the bands for
/// that are missing.
///
/// # Errors
/// Those of building.
pub fn water_flag(builder: &mut Builder, bands: BandLookup<'_>) -> Result<Option<NodeId>> {
    let has = |name: &str| bands(name).is_some();
    if !(has("G") && has("N")) {
        return Ok(None);
    }
    let mut above = |name: &str, limit: f64| -> Result<NodeId> {
        let value = builder.add_within_range(&Index::find(name)?, bands)?;
        let limit = builder.graph.constant(limit);
        Ok(builder.graph.binary(Binary::Less, limit, value))
    };
    let wet = above("NDWI", 0.1)?;
    if !(has("R") && has("S1")) {
        return Ok(Some(wet));
    }
    let modified = above("MNDWI", 0.0)?;
    let green = above("NDVI", 0.2)?;
    let sparse = builder.graph.unary(Unary::Not, green);
    let either = builder.graph.binary(Binary::And, modified, sparse);
    Ok(Some(builder.graph.binary(Binary::Or, either, wet)))
}

/// The decision for one pixel as the code of a [`Surface`], or [`NODATA`]; `values` are those of [`surface_results`].
#[inline(always)]
#[must_use]
pub fn surface(values: [f64; 8], rule: BareRule) -> u8 {
    let [ndvi, bsi, mndwi, ndwi, awei, brightness, green, valid] = values;
    // From the last resort to what goes first, without branches. Comparisons with NaN are false: a part without bands, or
    // without a defined value, decides nothing.
    let (known, bare) = match rule {
        BareRule::Both { ndvi: t, bsi: b } => (!(ndvi.is_nan() | bsi.is_nan()), (ndvi < t) & (bsi > b)),
        BareRule::Ndvi(t) => (!ndvi.is_nan(), ndvi <= t),
    };
    // Codes as wide as the numbers, so that rows vectorise.
    let first = |condition: bool, code: u64, next: u64| if condition { code } else { next };
    let code = first(bare, Surface::Bare as u64, Surface::Other as u64);
    let code = first(known, code, u64::from(NODATA));
    let code = first((mndwi > 0.4) & (green > 0.2), Surface::Snow as u64, code);
    let code = first(brightness < 0.06, Surface::Dark as u64, code);
    let water = ((mndwi > 0.0) & (ndvi < 0.2)) | (ndwi > 0.1) | (awei > 0.0);
    let code = first(water, Surface::Water as u64, code);
    first(valid.is_nan(), u64::from(NODATA), code) as u8
}

/// The decisions along a row.
struct Decisions<'a> {
    results: &'a [Vec<f64>],
    rule: BareRule,
    codes: &'a mut [u8],
}

impl NullaryFnOnce for Decisions<'_> {
    type Output = Result<()>;

    #[inline(always)]
    fn call(self) -> Result<()> {
        let [ndvi, bsi, mndwi, ndwi, awei, brightness, green, valid] = self.results else {
            return Err(Error::bug("a map of surfaces was given the wrong results"));
        };
        let first = ndvi.iter().zip(bsi).zip(mndwi).zip(ndwi);
        let second = awei.iter().zip(brightness).zip(green).zip(valid);
        for ((code, (((a, b), c), d)), (((e, f), g), h)) in self.codes.iter_mut().zip(first).zip(second) {
            *code = surface([*a, *b, *c, *d, *e, *f, *g, *h], self.rule);
        }
        Ok(())
    }
}

/// Yes and no for one kind of surface.
pub struct SurfaceAnalysis {
    /// The results of [`surface_results`].
    pub formula: Formula,
    /// What is bare.
    pub rule: BareRule,
    /// The surface that is 1 in the map.
    pub target: Surface,
    /// Patches of the target of fewer pixels become 0 in the map; 0 and 1 keep all.
    pub least: usize,
    /// Which pixels form a patch.
    pub connect: Connect,
    /// What is measured: the tally counts [`Surface::CODES`], the tracing follows the map.
    pub measures: Measures,
}

impl SurfaceAnalysis {
    /// A patch of fewer than `least` pixels that touches the tile lies within `least` − 1 pixels of it, and `least` pixels
    /// of a larger one do too: with this halo every tile decides alone, and exactly.
    fn halo(&self) -> usize {
        self.least.saturating_sub(1)
    }

    /// The codes of the tile itself, out of those with its halo, in which small patches of the target are no more.
    fn without_small(&self, codes: &[u8], input: &TileIn<'_>, cols: usize) -> Vec<u8> {
        let (halo, target) = (self.halo(), self.target as u8);
        let patches = Patches::label(codes, cols, self.connect, |c| c == target);
        let mut inside = Vec::with_capacity(input.window.cells());
        for row in 0..input.rows() {
            let start = (row + halo) * cols + halo;
            inside.extend((start..start + input.cols()).map(|at| {
                let small = codes[at] == target && patches.size_at(at) < self.least as u64;
                if small { Surface::Other as u8 } else { codes[at] }
            }));
        }
        inside
    }

    fn name(&self) -> &'static str {
        if self.target == Surface::Water { "water" } else { "bare" }
    }

    /// Classes of the map.
    #[must_use]
    pub fn classes(target: Surface) -> Vec<Class> {
        match target {
            Surface::Water => {
                vec![Class::new(0, "not water", [235, 235, 225]), Class::new(1, "water", [33, 113, 181])]
            }
            _ => vec![Class::new(0, "not bare", [199, 224, 180]), Class::new(1, "bare", [191, 129, 45])],
        }
    }
}

impl Analysis for SurfaceAnalysis {
    type Partial = ClassSum;

    fn spec(&self) -> Spec {
        let halo = self.halo();
        let mut spec = Spec {
            name: self.name().into(),
            reads: self.formula.reads().to_vec(),
            writes: vec![OutBand::classes(self.name(), Self::classes(self.target))],
            halo,
            scratch_per_cell: 8,
            scratch_fixed: self.formula.scratch() + if halo > 0 { 8 * (1024 + 2 * halo as u64).pow(2) } else { 0 },
            citations: match self.target {
                Surface::Water => vec!["McFeeters 1996", "Xu 2006", "Feyisa et al. 2014"],
                _ => vec!["Rikimaru et al. 2002", "Rouse et al. 1974", "Xu 2006", "McFeeters 1996"],
            },
            ..Spec::default()
        };
        self.measures.state(&mut spec, &self.formula);
        spec
    }

    fn resident_bytes(&self) -> u64 {
        self.measures.resident_bytes()
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, sum: &mut ClassSum) -> Result<()> {
        let halo = self.halo();
        let cols = input.cols() + 2 * halo;
        let mut codes = vec![NODATA; cols * (input.rows() + 2 * halo)];
        self.formula.rows_around(input, halo, |row, results| {
            let codes = &mut codes[row * cols..(row + 1) * cols];
            Arch::new().dispatch(Decisions { results, rule: self.rule, codes })
        })?;
        let target = self.target as u8;
        if halo > 0 {
            codes = self.without_small(&codes, input, cols);
        }
        for (row, codes) in codes.chunks_exact(input.cols()).enumerate() {
            for (o, &code) in out.u8_row(0, row).iter_mut().zip(codes) {
                *o = if code == NODATA { NODATA } else { u8::from(code == target) };
            }
        }
        if let Some(tally) = &self.measures.tally {
            tally.add(input.window, &codes, &mut sum.areas)?;
        }
        let map = Measures { tally: None, tracing: self.measures.tracing.clone() };
        map.add(input, out, None, 0, sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: BareRule = BareRule::Both { ndvi: 0.2, bsi: 0.0 };

    /// NDVI, BSI, MNDWI, NDWI, AWEInsh, brightness, green, valid.
    fn pixel(change: &[(usize, f64)]) -> [f64; 8] {
        let mut bare = [0.1, 0.15, -0.3, -0.2, -0.5, 0.2, 0.12, 1.0];
        change.iter().for_each(|&(k, v)| bare[k] = v);
        bare
    }

    #[test]
    fn each_part_of_the_rule_decides() {
        assert_eq!(surface(pixel(&[]), RULE), Surface::Bare as u8);
        assert_eq!(surface(pixel(&[(0, 0.2)]), RULE), Surface::Other as u8);
        assert_eq!(surface(pixel(&[(1, 0.0)]), RULE), Surface::Other as u8);
        assert_eq!(surface(pixel(&[(2, 0.01)]), RULE), Surface::Water as u8);
        assert_eq!(surface(pixel(&[(3, 0.11)]), RULE), Surface::Water as u8);
        assert_eq!(surface(pixel(&[(4, 0.01)]), RULE), Surface::Water as u8);
        assert_eq!(surface(pixel(&[(5, 0.05)]), RULE), Surface::Dark as u8);
        assert_eq!(surface(pixel(&[(0, 0.3), (2, 0.5), (6, 0.3)]), RULE), Surface::Snow as u8);
        assert_eq!(surface(pixel(&[(7, f64::NAN)]), RULE), NODATA);
    }

    #[test]
    fn undefined_indices_are_nodata_unless_something_else_decides() {
        assert_eq!(surface(pixel(&[(0, f64::NAN)]), RULE), NODATA);
        assert_eq!(surface(pixel(&[(1, f64::NAN)]), RULE), NODATA);
        assert_eq!(surface(pixel(&[(0, f64::NAN), (5, 0.01)]), RULE), Surface::Dark as u8);
        assert_eq!(surface(pixel(&[(1, f64::NAN)]), BareRule::Ndvi(0.1)), Surface::Bare as u8);
    }
}
