//! What decoding a tile may cost in memory: a few bytes of a header can ask for millions of precincts.

use super::main_header::{CodeBlocks, Coding};

/// Bytes a decoder holds for one code block and its segments, and for one precinct and its tag trees.
const BLOCK_BYTES: u64 = 768;
const PRECINCT_BYTES: u64 = 768;
/// A tile whose bookkeeping alone needs more than this is refused.
pub(super) const MOST_BYTES: u64 = 256 << 20;

/// Bytes of bookkeeping for a tile of `area` with so many components, where `worst` is how any of them is cut.
pub(super) fn bookkeeping(area: [u32; 4], components: usize, coding: &Coding, others: &[CodeBlocks]) -> u64 {
    let each = others.iter().chain([&coding.blocks]).map(|b| one(area, b, coding.layers)).max().unwrap_or(0);
    each.saturating_mul(components as u64)
}

fn one(area: [u32; 4], blocks: &CodeBlocks, layers: u16) -> u64 {
    let area = area.map(u64::from);
    let (mut bytes, mut most) = (0_u64, 0_u64);
    for resolution in 0..=blocks.levels {
        let halved = u32::from(blocks.levels - resolution);
        let at = |edge: u64| edge.div_ceil(1 << halved);
        let (cols, rows) = (at(area[2]) - at(area[0]), at(area[3]) - at(area[1]));
        let (x, y) = blocks.precincts.get(usize::from(resolution)).copied().unwrap_or((15, 15));
        let precincts = ((cols >> x) + 2).saturating_mul((rows >> y) + 2);
        most = most.max(precincts);
        // High-pass bands have half the edge, and so have the precincts on them.
        let (bands, lower) = if resolution == 0 { (1, 0) } else { (3, 1) };
        let edge = |block: u8, precinct: u8| u32::from(block.min(precinct.saturating_sub(lower)));
        let (across, down) =
            (((cols >> lower) >> edge(blocks.edge.0, x)) + 2, ((rows >> lower) >> edge(blocks.edge.1, y)) + 2);
        let held = across.saturating_mul(down).saturating_mul(BLOCK_BYTES);
        let own = held.saturating_add(precincts.saturating_mul(PRECINCT_BYTES));
        bytes = bytes.saturating_add(own.saturating_mul(bands));
    }
    // One mark of 16 bits for every packet there could be.
    let marks = most.saturating_mul(u64::from(layers) + 1).saturating_mul(2 * (u64::from(blocks.levels) + 1));
    bytes.saturating_add(marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_tiles_are_cheap_and_hostile_ones_are_not() {
        let coding = |levels, edge, precincts, layers| Coding {
            layers,
            reversible: true,
            blocks: CodeBlocks { levels, edge, precincts },
        };
        let tile = [1024, 0, 2048, 1024];
        assert!(bookkeeping(tile, 1, &coding(5, (6, 6), vec![], 12), &[]) < 2 << 20);
        // One tile of a whole Sentinel-2 band.
        assert!(bookkeeping([0, 0, 10980, 10980], 1, &coding(5, (6, 6), vec![], 12), &[]) < 64 << 20);
        assert!(bookkeeping(tile, 1, &coding(5, (6, 6), vec![(0, 0); 6], 1), &[]) > MOST_BYTES);
        assert!(bookkeeping(tile, 1, &coding(5, (6, 6), vec![(2, 2); 6], u16::MAX), &[]) > MOST_BYTES);
        assert!(bookkeeping([0, 0, 1 << 30, 1 << 30], 1, &coding(0, (2, 2), vec![], 1), &[]) > MOST_BYTES);
        let small = CodeBlocks { levels: 5, edge: (6, 6), precincts: vec![(0, 0); 6] };
        assert!(bookkeeping(tile, 1, &coding(5, (6, 6), vec![], 1), &[small]) > MOST_BYTES);
        assert!(bookkeeping(tile, 16_384, &coding(32, (6, 6), vec![], 1), &[]) > MOST_BYTES);
    }
}
