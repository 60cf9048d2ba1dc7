use std::sync::Arc;

use super::*;
use crate::grid::{Grid, Window};
use crate::raster::Plane;
use crate::spectral::{Graph, Program};

/// Tells position, time and value of the last observation, and how many there are.
struct Last;

impl SeriesModel for Last {
    type Work = ();
    fn name(&self) -> &'static str {
        "last"
    }
    fn bands(&self) -> Vec<OutBand> {
        ["n", "at", "time", "value"].map(|name| OutBand::quantity(name, "")).to_vec()
    }
    fn bytes(&self, _: usize) -> u64 {
        0
    }
    fn citations(&self) -> Vec<&'static str> {
        Vec::new()
    }
    fn fit(&self, series: &Observed<'_>, (): &mut (), out: &mut [f32]) {
        out[0] = series.times.len() as f32;
        let last = series.times.len().checked_sub(1);
        if let Some(last) = last {
            let values = [f64::from(series.at[last]), series.times[last], series.band(0)[last]];
            out[1..].iter_mut().zip(values).for_each(|(o, v)| *o = v as f32);
        }
    }
}

/// Results of [`Last`] for two pixels on four dates.
fn last(periods: Option<(Vec<Period>, Statistic)>) -> Vec<Vec<f32>> {
    let nan = f32::NAN;
    let stored = [[0.1, nan], [0.2, nan], [0.6, 0.4], [nan, nan]];
    let mut graph = Graph::default();
    let input = graph.input("value");
    let program = Arc::new(Program::compile(&graph, &[input]));
    let mut dates = Dates::new();
    (0..4).for_each(|i| dates.push(2000.0 + 0.5 * f64::from(i), &program, vec![format!("{i}:value")]));
    let planes: Vec<Plane> = stored.iter().map(|v| Plane::from_f32(2, 1, v.to_vec())).collect();
    let analysis = SeriesAnalysis::new(dates, periods, None, Last);
    let grid = Grid::unplaced(2, 1, "a test", None);
    let input = TileIn { window: Window::new(0, 0, 2, 1), grid: &grid, halo: 0, planes: planes.iter().collect() };
    let mut out = TileOut { cols: 2, planes: vec![OutPlane::F32(vec![f32::NAN; 2]); 4] };
    analysis.tile(&input, &mut out, &mut ()).unwrap();
    out.planes
        .into_iter()
        .map(|p| match p {
            OutPlane::F32(v) => v,
            other => panic!("{}", other.dtype()),
        })
        .collect()
}

#[test]
fn gaps_are_left_out() {
    assert_eq!(last(None), [[3.0, 1.0], [2.0, 2.0], [2001.0, 2001.0], [0.6, 0.4]]);
}

#[test]
fn periods_without_a_valid_date_are_gaps() {
    let years = || vec![Period { time: 2000.0, dates: 0..2 }, Period { time: 2001.0, dates: 2..4 }];
    let got = last(Some((years(), Statistic::Mean)));
    assert_eq!(got, [[2.0, 1.0], [1.0, 1.0], [2001.0, 2001.0], [0.6, 0.4]]);
    let all = || vec![Period { time: 2000.5, dates: 0..4 }];
    let of = |statistic| last(Some((all(), statistic)))[3][0];
    assert_eq!(of(Statistic::Mean), 0.3);
    assert_eq!(of(Statistic::Quantile(0.5)), 0.2);
    assert_eq!(of(Statistic::Quantile(1.0)), 0.6);
}

#[test]
fn statistics_are_named() {
    let of = |text: &str| text.parse::<Statistic>();
    assert_eq!(of("median").unwrap(), Statistic::Quantile(0.5));
    assert_eq!(of("p90").unwrap(), Statistic::Quantile(0.9));
    assert!(of("p101").unwrap_err().to_string().contains("p100"));
}
