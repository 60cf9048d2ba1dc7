//! Trends whose significance is that of the neighbourhood (contextual Mann-Kendall, Neeti & Eastman 2011): slopes are each
//! pixel's own, p-value and class come from the series of its 3 × 3 window.

use super::series::{Dates, Gathered, Period, RUN, SeriesModel, Statistic};
use super::trend::TrendModel;
use crate::engine::{Analysis, Spec, TileIn, TileOut};
use crate::error::Result;
use crate::temporal::trend::contextual;

/// Trends with their neighbourhoods.
pub struct ContextualTrend {
    dates: Dates,
    periods: Option<(Vec<Period>, Statistic)>,
    model: TrendModel,
}

/// Pixels of a run that have both neighbours in it.
const CORE: usize = RUN - 2;

/// The series of a run of pixels of one row, each with a value a position of the axis, NaN in gaps.
type Row = Vec<f64>;

impl ContextualTrend {
    /// The values of `dates`, or of `periods` of them, with the trends of `model`.
    #[must_use]
    pub fn new(dates: Dates, periods: Option<(Vec<Period>, Statistic)>, model: TrendModel) -> Self {
        Self { dates, periods, model }
    }

    fn axis(&self) -> usize {
        self.periods.as_ref().map_or(self.dates.len(), |(p, _)| p.len())
    }
}

impl Analysis for ContextualTrend {
    type Partial = ();

    fn spec(&self) -> Spec {
        let mut citations = self.model.citations();
        citations.push("Neeti & Eastman 2011, contextual Mann-Kendall");
        Spec {
            name: "trend".into(),
            reads: self.dates.reads().to_vec(),
            writes: self.model.bands(),
            halo: 1,
            scratch_fixed: self.dates.scratch() + (3 * RUN * self.axis() * 8) as u64 + self.model.bytes(self.axis()),
            citations,
            ..Spec::default()
        }
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        let (mut values, mut pixel, axis) = (self.dates.values(), Gathered::default(), self.axis());
        let (mut trend, mut neighbours) = (Default::default(), contextual::Work::default());
        let mut numbers = vec![f32::NAN; out.planes.len()];
        let mut rows: [Row; 3] = std::array::from_fn(|_| vec![f64::NAN; RUN * axis]);
        let cols = input.cols();
        for col in (0..cols).step_by(CORE) {
            let core = CORE.min(cols - col);
            for row in -1..=input.rows() as isize {
                rows.rotate_left(1);
                values.load(input, row, col as isize - 1, core + 2);
                rows[2].fill(f64::NAN);
                for lane in 0..core + 2 {
                    values.series(lane, self.periods.as_ref(), &mut pixel);
                    let series = &mut rows[2][lane * axis..(lane + 1) * axis];
                    pixel.at.iter().zip(&pixel.values).for_each(|(at, v)| series[*at as usize] = *v);
                }
                // The row above the one just loaded has all its neighbours now.
                let Some(own) = usize::try_from(row - 1).ok() else { continue };
                for lane in 1..=core {
                    self.own(&rows[1][lane * axis..(lane + 1) * axis], &mut pixel);
                    numbers.fill(f32::NAN);
                    self.model.fit(&pixel.observed(), &mut trend, &mut numbers);
                    let window: Vec<&[f64]> = rows
                        .iter()
                        .flat_map(|r| (lane - 1..=lane + 1).map(move |l| &r[l * axis..(l + 1) * axis]))
                        .collect();
                    let test = contextual::test(&window, &mut neighbours);
                    self.model.judge(test.map(|t| (t.z, t.p)), &mut numbers);
                    super::series::put(&numbers, &mut out.planes, own * cols + col + lane - 1)?;
                }
            }
        }
        Ok(())
    }
}

impl ContextualTrend {
    /// The observations of a series on the axis.
    fn own(&self, series: &[f64], to: &mut Gathered) {
        to.at.clear();
        to.times.clear();
        to.values.clear();
        for (at, value) in series.iter().enumerate().filter(|(_, v)| v.is_finite()) {
            to.at.push(at as u32);
            to.times.push(self.time(at));
            to.values.push(*value);
        }
    }

    fn time(&self, at: usize) -> f64 {
        self.periods.as_ref().map_or_else(|| self.dates.times()[at], |(periods, _)| periods[at].time)
    }
}
