//! Classes of recovery.

/// Class of a percent recovery (see [`super::Metrics::percent_recovery`]); limits are a convention of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// Below 0: lower than when the recovery started.
    Degraded = 1,
    /// 0 to less than 25.
    Poor = 2,
    /// 25 to less than 50.
    Fair = 3,
    /// 50 to less than 80.
    Good = 4,
    /// 80 to 100.
    Recovered = 5,
    /// Above 100: better than before the disturbance.
    Exceeds = 6,
}

impl Class {
    /// All classes in order of their codes.
    pub const ALL: [Self; 6] = [Self::Degraded, Self::Poor, Self::Fair, Self::Good, Self::Recovered, Self::Exceeds];

    /// Class of a percentage; `None` of NaN.
    #[must_use]
    pub fn of(percent: f64) -> Option<Self> {
        Some(match percent {
            p if p.is_nan() => return None,
            p if p < 0.0 => Self::Degraded,
            p if p < 25.0 => Self::Poor,
            p if p < 50.0 => Self::Fair,
            p if p < 80.0 => Self::Good,
            p if p <= 100.0 => Self::Recovered,
            _ => Self::Exceeds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_belong_to_the_class_above_except_the_last() {
        let of = |p| Class::of(p).unwrap();
        assert_eq!(
            [-0.1, 0.0, 24.9, 25.0, 49.9, 50.0, 79.9, 80.0, 100.0, 100.1].map(of),
            [
                Class::Degraded,
                Class::Poor,
                Class::Poor,
                Class::Fair,
                Class::Fair,
                Class::Good,
                Class::Good,
                Class::Recovered,
                Class::Recovered,
                Class::Exceeds
            ]
        );
        assert_eq!(Class::of(f64::NAN), None);
        assert!(Class::ALL.iter().enumerate().all(|(i, c)| *c as usize == i + 1));
    }
}
