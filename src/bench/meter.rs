//! Wall time, processor time and peak memory of this process.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// What some work took.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Spent {
    /// Wall time in seconds.
    pub wall_s: f64,
    /// Processor time of all threads in seconds.
    pub cpu_s: f64,
    /// Largest resident memory of the process in bytes, where the system tells.
    pub peak_rss_bytes: Option<u64>,
}

/// Runs while work is measured.
pub struct Meter {
    wall: Instant,
    cpu: f64,
}

impl Meter {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { cpu: cpu_seconds(), wall: Instant::now() }
    }

    /// What was spent since the start. The peak is that of the whole life of the process, so each measurement needs a
    /// process of its own.
    #[must_use]
    pub fn stop(self) -> Spent {
        let wall_s = self.wall.elapsed().as_secs_f64();
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Spent { wall_s, cpu_s: cpu_seconds() - self.cpu, peak_rss_bytes: high_water(&status) }
    }
}

/// Processor time of all threads of this process.
fn cpu_seconds() -> f64 {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9
}

/// `VmHWM` of `/proc/self/status` in bytes.
fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_counts_work_and_not_sleep() {
        let meter = Meter::start();
        std::thread::sleep(std::time::Duration::from_millis(200));
        let idle = meter.stop();
        assert!(idle.wall_s >= 0.2);
        let meter = Meter::start();
        let from = Instant::now();
        let mut n = 0_u64;
        while from.elapsed().as_millis() < 200 {
            n = std::hint::black_box(n + 1);
        }
        let busy = meter.stop();
        // Other tests run in this process too, so only the lower bound is sure.
        assert!(busy.cpu_s > 0.02, "{busy:?}");
    }

    #[test]
    fn peak_is_read_in_bytes() {
        assert_eq!(high_water("VmPeak:\t  99 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"), Some(2 << 20));
        assert_eq!(high_water("VmPeak: 3 kB\n"), None);
    }
}
