//! Patches: connected pixels of one class, their sizes, and what becomes of small ones.

/// Which pixels are neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Connect {
    /// Those that share an edge.
    #[default]
    Four,
    /// Those that share an edge or a corner.
    Eight,
}

/// Patches of a class raster: a number for every pixel and the pixels of every patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patches {
    /// Patch of each pixel in row order, numbered from 0 by first pixel; `u32::MAX` where the class is left out.
    pub labels: Vec<u32>,
    /// Pixels of each patch.
    pub sizes: Vec<u64>,
}

const OUT: u32 = u32::MAX;

impl Patches {
    /// Labels the patches of `classes` (row order, `cols` wide); values that `counts` refuses belong to none.
    ///
    /// Two passes with union-find (Rosenfeld & Pfaltz 1966); 4 bytes a pixel. Rasters of 2^32 pixels or more do not fit.
    #[must_use]
    pub fn label(classes: &[u8], cols: usize, connect: Connect, counts: impl Fn(u8) -> bool) -> Self {
        let mut parent: Vec<u32> = Vec::new();
        let mut labels = vec![OUT; classes.len()];
        for i in 0..classes.len() {
            if !counts(classes[i]) {
                continue;
            }
            let mut label = OUT;
            for n in earlier(i, cols, connect).filter(|n| classes[*n] == classes[i]) {
                let root = find(&mut parent, labels[n]);
                label = if label == OUT {
                    root
                } else {
                    // The lower number wins, so that numbers follow the first pixel.
                    let (low, high) = (label.min(root), label.max(root));
                    parent[high as usize] = low;
                    low
                };
            }
            if label == OUT {
                label = parent.len() as u32;
                parent.push(label);
            }
            labels[i] = label;
        }
        let mut number = vec![OUT; parent.len()];
        let mut sizes = Vec::new();
        for label in labels.iter_mut().filter(|l| **l != OUT) {
            let root = find(&mut parent, *label) as usize;
            if number[root] == OUT {
                number[root] = sizes.len() as u32;
                sizes.push(0);
            }
            *label = number[root];
            sizes[*label as usize] += 1;
        }
        Self { labels, sizes }
    }

    /// Size of the patch of pixel `i`; 0 where it belongs to none.
    #[must_use]
    pub fn size_at(&self, i: usize) -> u64 {
        self.sizes.get(self.labels[i] as usize).copied().unwrap_or(0)
    }
}

/// Neighbours of pixel `i` that come before it in row order.
fn earlier(i: usize, cols: usize, connect: Connect) -> impl Iterator<Item = usize> {
    let (row, col, eight) = (i / cols, i % cols, connect == Connect::Eight);
    [
        (row > 0).then(|| i - cols),
        (row > 0 && col > 0 && eight).then(|| i - cols - 1),
        (row > 0 && col + 1 < cols && eight).then(|| i - cols + 1),
        (col > 0).then(|| i - 1),
    ]
    .into_iter()
    .flatten()
}

fn find(parent: &mut [u32], mut i: u32) -> u32 {
    while parent[i as usize] != i {
        parent[i as usize] = parent[parent[i as usize] as usize];
        i = parent[i as usize];
    }
    i
}

/// Gives patches of fewer than `least` pixels the class of their largest neighbour (GDAL's sieve: sizes of the original
/// labelling; a small neighbour hands on to its own largest neighbour; of equal neighbours the first met in row order
/// wins). Pixels of class `nodata` stay and are nobody's neighbour; patches without a large enough neighbour stay.
pub fn sieve(classes: &mut [u8], cols: usize, connect: Connect, least: u64, nodata: Option<u8>) {
    let patches = Patches::label(classes, cols, connect, |c| Some(c) != nodata);
    let sizes = &patches.sizes;
    let mut largest: Vec<Option<u32>> = vec![None; sizes.len()];
    let mut class_of = vec![0; sizes.len()];
    for (i, &here) in patches.labels.iter().enumerate().filter(|(_, l)| **l != OUT) {
        class_of[here as usize] = classes[i];
        let mut meet = |a: u32, b: u32| {
            if largest[a as usize].is_none_or(|l| sizes[l as usize] < sizes[b as usize]) {
                largest[a as usize] = Some(b);
            }
        };
        for n in earlier(i, cols, connect) {
            let there = patches.labels[n];
            if there != OUT && there != here {
                meet(here, there);
                meet(there, here);
            }
        }
    }
    let target = |patch: usize| {
        let mut at = patch;
        // A chain longer than the number of patches runs in a circle of small ones.
        for _ in 0..sizes.len() {
            at = largest[at]? as usize;
            if sizes[at] >= least {
                return Some(class_of[at]);
            }
        }
        None
    };
    let becomes: Vec<u8> = (0..sizes.len())
        .map(|p| if sizes[p] >= least { class_of[p] } else { target(p).unwrap_or(class_of[p]) })
        .collect();
    for (class, label) in classes.iter_mut().zip(&patches.labels).filter(|(_, l)| **l != OUT) {
        *class = becomes[*label as usize];
    }
}
