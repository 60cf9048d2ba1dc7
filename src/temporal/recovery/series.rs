//! A series of one value a year, with gaps.

/// Valid yearly values of a pixel or an area. Years rise strictly, values are finite, and both have the same length.
#[derive(Clone, Copy, Debug, Default)]
pub struct Annual<'a> {
    /// Years with a valid value.
    pub years: &'a [i32],
    /// The value of each of them.
    pub values: &'a [f64],
}

/// What a series says of a year.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Filled {
    /// Observed, or on the line between the two years around a gap that may be bridged.
    Value(f64),
    /// Within a gap of more years than may be bridged.
    Gap,
    /// Before the first or after the last valid year.
    Outside,
}

impl<'a> Annual<'a> {
    /// Both slices, cut to the shorter.
    #[must_use]
    pub fn new(years: &'a [i32], values: &'a [f64]) -> Self {
        let n = years.len().min(values.len());
        Self { years: &years[..n], values: &values[..n] }
    }

    /// Place of the first valid year that is not before `year`.
    fn place(&self, year: i32) -> usize {
        self.years.partition_point(|y| *y < year)
    }

    /// Value observed in a year.
    pub(super) fn at(&self, year: i32) -> Option<f64> {
        let i = self.place(year);
        (self.years.get(i) == Some(&year)).then(|| self.values[i])
    }

    /// Valid years `from..=to`.
    pub(super) fn between(&self, from: i32, to: i32) -> Annual<'a> {
        let (low, high) = (self.place(from), self.years.partition_point(|y| *y <= to));
        let high = high.max(low);
        Annual { years: &self.years[low..high], values: &self.values[low..high] }
    }

    /// Value of a year, bridging gaps of at most `longest` years.
    pub(super) fn filled(&self, year: i32, longest: u32) -> Filled {
        let i = self.place(year);
        match self.years.get(i) {
            None => Filled::Outside,
            Some(y) if *y == year => Filled::Value(self.values[i]),
            Some(_) if i == 0 => Filled::Outside,
            Some(next) => {
                let (a, b) = (i64::from(self.years[i - 1]), i64::from(*next));
                if b - a - 1 > i64::from(longest) {
                    return Filled::Gap;
                }
                let weight = (i64::from(year) - a) as f64 / (b - a) as f64;
                Filled::Value(self.values[i - 1] * (1.0 - weight) + self.values[i] * weight)
            }
        }
    }

    /// Arithmetic mean of the values, where there are any.
    pub(super) fn mean(&self) -> Option<f64> {
        (!self.values.is_empty()).then(|| self.values.iter().sum::<f64>() / self.values.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_gaps_are_bridged_and_long_ones_are_not() {
        let s = Annual::new(&[2000, 2003, 2007], &[1.0, 4.0, 8.0]);
        assert_eq!(s.filled(2000, 2), Filled::Value(1.0));
        assert_eq!(s.filled(2001, 2), Filled::Value(2.0));
        assert_eq!(s.filled(2002, 1), Filled::Gap);
        assert_eq!(s.filled(2005, 2), Filled::Gap);
        assert_eq!(s.filled(2005, 3), Filled::Value(6.0));
        assert_eq!(s.filled(1999, 9), Filled::Outside);
        assert_eq!(s.filled(2008, 9), Filled::Outside);
        assert_eq!(Annual::default().filled(2000, 9), Filled::Outside);
    }

    #[test]
    fn years_are_cut_out_with_both_ends() {
        let s = Annual::new(&[2000, 2003, 2007], &[1.0, 4.0, 8.0]);
        assert_eq!(s.between(2000, 2003).values, [1.0, 4.0]);
        assert_eq!(s.between(2001, 2002).mean(), None);
        assert_eq!(s.between(2005, 2001).values, [0.0; 0]);
        assert_eq!((s.at(2003), s.at(2004)), (Some(4.0), None));
        assert_eq!(s.between(i32::MIN, i32::MAX).mean(), Some(13.0 / 3.0));
    }
}
