//! The byte ledger: what is held now, what was held at most, and whether more fits.

/// Bytes held against a ceiling. Part of the floor and under its lock.
#[derive(Debug)]
pub(super) struct Ledger {
    ceiling: u64,
    held: u64,
    peak: u64,
}

impl Ledger {
    pub(super) fn new(ceiling: u64) -> Self {
        Self { ceiling, held: 0, peak: 0 }
    }
    pub(super) fn fits(&self, bytes: u64) -> bool {
        self.held.saturating_add(bytes) <= self.ceiling
    }
    pub(super) fn take(&mut self, bytes: u64) {
        self.held = self.held.saturating_add(bytes);
        self.peak = self.peak.max(self.held);
    }
    pub(super) fn release(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.held, "more released than taken");
        self.held = self.held.saturating_sub(bytes);
    }
    pub(super) fn peak(&self) -> u64 {
        self.peak
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_is_the_highest_sum_held() {
        let mut l = Ledger::new(100);
        l.take(60);
        assert!(l.fits(40) && !l.fits(41));
        l.take(40);
        l.release(60);
        l.take(10);
        assert_eq!(l.peak(), 100);
        assert!(l.fits(50) && !l.fits(51));
    }
}
