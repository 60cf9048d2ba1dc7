//! Numbered places that are used again.

use std::ops::{Index, IndexMut};

/// Values under numbers; a retired number is given out again only after the next sweep, so that references within a row
/// stay good.
pub(super) struct Slab<T> {
    items: Vec<T>,
    free: Vec<usize>,
    retired: Vec<usize>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { items: Vec::new(), free: Vec::new(), retired: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub(super) fn put(&mut self, item: T) -> usize {
        match self.free.pop() {
            Some(i) => {
                self.items[i] = item;
                i
            }
            None => {
                self.items.push(item);
                self.items.len() - 1
            }
        }
    }
    pub(super) fn retire(&mut self, i: usize) {
        self.retired.push(i);
    }
    pub(super) fn sweep(&mut self) {
        self.free.append(&mut self.retired);
    }
}

impl<T> Index<usize> for Slab<T> {
    type Output = T;
    fn index(&self, i: usize) -> &T {
        &self.items[i]
    }
}

impl<T> IndexMut<usize> for Slab<T> {
    fn index_mut(&mut self, i: usize) -> &mut T {
        &mut self.items[i]
    }
}
