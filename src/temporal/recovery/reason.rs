//! Why a recovery metric has no value.

/// Why a metric is undefined at a pixel. The code of a defined metric is 0 ([`code`]).
///
/// | code | reason | metrics it may stand at |
/// |---|---|---|
/// | 1 | not recovered yet | Y2R |
/// | 2 | no disturbance | all that begin at a disturbance |
/// | 3 | drop too small | RI, RRI, percent recovery; R80P, Y2R and percent of target against the years before; relative recovery |
/// | 4 | no observation before the disturbance | all that need the level before it |
/// | 5 | no observation at the start of the recovery | all that begin there |
/// | 6 | no observation in the year compared | window metrics, percentages, change |
/// | 7 | window beyond the end of the series | window metrics |
/// | 8 | gap too long | Y2R |
/// | 9 | too few years | all |
/// | 10 | no reference in that year | all against the reference |
/// | 11 | target not positive | R80P, Y2R, percent of target, percent of reference |
/// | 12 | not a finite number | all |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// The series ends before the wanted share of the target is reached.
    NotRecovered = 1,
    /// None was given and none was found, or it lies after the start of the recovery, or that after the year compared.
    NoDisturbance = 2,
    /// The drop (for the relative recovery: the distance to the reference) is not more than the least one.
    DropTooSmall = 3,
    /// No valid year in the few before the disturbance.
    NoneBefore = 4,
    /// No valid year where the recovery starts.
    NoneAtStart = 5,
    /// The year the metric compares has no valid observation.
    NoneAtYear = 6,
    /// The window ends after the last valid year.
    BeyondEnd = 7,
    /// A gap longer than may be bridged lies before the year in which the target could have been reached.
    GapTooLong = 8,
    /// Fewer than two valid years.
    TooFewYears = 9,
    /// No reference was given, or it has no value in that year.
    NoReference = 10,
    /// A share of a target that is zero or negative means nothing; give a fixed target or another index.
    TargetNotPositive = 11,
    /// The values are too large to compute with.
    NotFinite = 12,
}

impl Reason {
    /// All reasons in order of their codes.
    pub const ALL: [Self; 12] = [
        Self::NotRecovered,
        Self::NoDisturbance,
        Self::DropTooSmall,
        Self::NoneBefore,
        Self::NoneAtStart,
        Self::NoneAtYear,
        Self::BeyondEnd,
        Self::GapTooLong,
        Self::TooFewYears,
        Self::NoReference,
        Self::TargetNotPositive,
        Self::NotFinite,
    ];
}

/// Code of a metric in a raster of reasons: 0 where it is defined.
#[must_use]
pub fn code(metric: Result<f64, Reason>) -> u8 {
    metric.map_or_else(|reason| reason as u8, |_| 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_count_from_one() {
        for (i, r) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(code(Err(r))), i + 1);
        }
        assert_eq!(code(Ok(0.0)), 0);
    }
}
