//! What `bench` prints.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::measure::Measured;
use super::tasks::{ALL, Setting, Task, shown};
use super::{Args, Codec};
use crate::bench::inputs::Inputs;
use crate::cli::size;

/// All measurements of a task with a codec.
pub(super) struct Row {
    codec: Codec,
    task: Task,
    pub(super) runs: Vec<Measured>,
    pub(super) floors: Vec<Measured>,
    pub(super) single: Vec<Measured>,
}

/// All measurements.
pub(super) struct Report {
    size: usize,
    threads: usize,
    memory: u64,
    asked: Option<u64>,
    times: u16,
    rows: Vec<Row>,
}

/// Figures of a row. Ratios are missing where there is no floor, or no second number of threads.
struct Figures {
    wall_s: f64,
    cpu_s: f64,
    peak_rss_bytes: Option<u64>,
    pixels_per_s: f64,
    gb_per_s: f64,
    floor: Option<(f64, f64)>,
    speed_up: Option<f64>,
}

impl Report {
    pub(super) fn new(args: &Args, threads: usize, memory: u64, codecs: &[Codec]) -> Self {
        let empty = |(codec, task)| Row { codec, task, runs: Vec::new(), floors: Vec::new(), single: Vec::new() };
        let rows = codecs.iter().flat_map(|c| ALL.iter().map(move |t| (*c, *t))).map(empty).collect();
        Self { size: args.size as usize, threads, memory, asked: args.common.memory, times: args.runs, rows }
    }

    /// Where the measurements of a task go.
    pub(super) fn row(&mut self, codec: Codec, task: Task) -> &mut Row {
        let at = self.rows.iter().position(|r| (r.codec, r.task) == (codec, task)).unwrap_or(0);
        &mut self.rows[at]
    }

    fn inputs(&self) -> Inputs {
        Inputs { folder: PathBuf::from("DIR"), size: self.size }
    }

    fn figures(&self, row: &Row) -> Figures {
        let (inputs, wall_s) = (self.inputs(), median(&row.runs, |m| m.wall_s));
        // The copy, and the floor itself, are held against the floor of NDVI.
        let floors = match row.task {
            Task::Copy | Task::Floor => {
                self.rows.iter().find(|r| (r.codec, r.task) == (row.codec, Task::Floor)).map(|r| &r.runs)
            }
            task => task.has_floor().then_some(&row.floors),
        };
        Figures {
            wall_s,
            cpu_s: median(&row.runs, |m| m.cpu_s),
            peak_rss_bytes: row.runs.iter().filter_map(|m| m.peak_rss_bytes).max(),
            pixels_per_s: row.task.pixels(&inputs) as f64 / wall_s,
            gb_per_s: row.task.bytes(&inputs, row.codec) as f64 / wall_s / 1e9,
            floor: floors.map(|f| (median(f, |m| m.wall_s), median(f, |m| m.cpu_s))),
            speed_up: (!row.single.is_empty()).then(|| median(&row.single, |m| m.wall_s) / wall_s),
        }
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "regrow {}  {} x {} pixels  {} threads  memory {}  median of {}\n{}\n",
            env!("CARGO_PKG_VERSION"),
            self.size,
            self.size,
            self.threads,
            size::display(self.memory),
            self.times,
            processor()
        );
        let mut codec = None;
        for row in &self.rows {
            if codec.replace(row.codec) != Some(row.codec) {
                let _ = writeln!(
                    text,
                    "\noutputs {}\n{:<12} {:>8} {:>8} {:>9} {:>7} {:>9} {:>10} {:>11} {:>9}",
                    row.codec.name(),
                    "task",
                    "wall s",
                    "CPU s",
                    "Mpixel/s",
                    "GB/s",
                    "peak MiB",
                    "CPU/floor",
                    "wall/floor",
                    "speed-up"
                );
            }
            let f = self.figures(row);
            let or_dash = |v: Option<f64>, digits: usize| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"));
            let _ = writeln!(
                text,
                "{:<12} {:>8.3} {:>8.3} {:>9.1} {:>7.2} {:>9} {:>10} {:>11} {:>9}",
                row.task.name(),
                f.wall_s,
                f.cpu_s,
                f.pixels_per_s / 1e6,
                f.gb_per_s,
                or_dash(f.peak_rss_bytes.map(|b| b as f64 / f64::from(1 << 20)), 0),
                or_dash(f.floor.map(|(_, cpu)| f.cpu_s / cpu), 2),
                or_dash(f.floor.map(|(wall, _)| f.wall_s / wall), 2),
                or_dash(f.speed_up, 2)
            );
        }
        text
    }

    /// For scripts.
    pub(super) fn json(&self) -> Value {
        let inputs = self.inputs();
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let f = self.figures(row);
                let setting = Setting { inputs: &inputs, codec: row.codec, threads: self.threads, memory: self.asked };
                let command = row.task.command(&setting, &inputs.folder);
                json!({
                    "task": row.task.name(), "codec": row.codec.name(),
                    "command": (!command.is_empty()).then(|| shown(&command)),
                    "wall_s": f.wall_s, "cpu_s": f.cpu_s, "peak_rss_bytes": f.peak_rss_bytes,
                    "pixels_per_s": f.pixels_per_s, "gb_per_s": f.gb_per_s,
                    "floor_wall_s": f.floor.map(|x| x.0), "floor_cpu_s": f.floor.map(|x| x.1),
                    "wall_to_floor": f.floor.map(|x| f.wall_s / x.0), "cpu_to_floor": f.floor.map(|x| f.cpu_s / x.1),
                    "speed_up": f.speed_up,
                    "runs": row.runs, "floors": row.floors, "single_thread": row.single,
                })
            })
            .collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"), "processor": processor(), "size_px": self.size,
            "threads": self.threads, "memory_bytes": self.memory, "runs": self.times, "tasks": rows,
        })
    }
}

/// Model of the processor, where the system tells.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

fn median(runs: &[Measured], of: impl Fn(&Measured) -> f64) -> f64 {
    let mut all: Vec<f64> = runs.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    match all.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => all[n / 2],
        n => (all[n / 2 - 1] + all[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_numbers() {
        let runs =
            |walls: &[f64]| walls.iter().map(|w| Measured { wall_s: *w, ..Measured::default() }).collect::<Vec<_>>();
        assert_eq!(median(&runs(&[3.0, 1.0, 2.0]), |m| m.wall_s), 2.0);
        assert_eq!(median(&runs(&[3.0, 1.0]), |m| m.wall_s), 2.0);
    }
}
