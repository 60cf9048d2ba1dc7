//! SIGINT, SIGTERM and SIGHUP stop a run at the next tile; SIGXFSZ would otherwise kill it with temporary files left.

use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

use crate::engine::Cancel;
use crate::error::{Error, Kind};

/// The flag that signals set. Handlers are installed at the first call.
pub fn cancel() -> Cancel {
    static CANCEL: OnceLock<Cancel> = OnceLock::new();
    CANCEL
        .get_or_init(|| {
            let cancel = Cancel::default();
            let ignored = ignored();
            for signal in [SIGINT, SIGTERM, SIGHUP, SIGXFSZ] {
                // nohup ignores SIGHUP, and a shell ignores SIGINT in background jobs; installing a handler would undo that.
                if ignored >> (signal - 1) & 1 == 0 {
                    // Failing to install leaves the default, which ends the process: nothing to report.
                    let _ = signal_hook::flag::register_usize(signal, Arc::clone(cancel.flag()), signal as usize);
                }
            }
            cancel
        })
        .clone()
}

/// Bit n−1 is set where signal n was ignored when the process began.
fn ignored() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|s| s.lines().find_map(|l| l.strip_prefix("SigIgn:")?.trim().to_owned().into()))
        .and_then(|hex| u64::from_str_radix(&hex, 16).ok())
        .unwrap_or(0)
}

/// A run that a signal stopped reports the signal, whatever failed as a consequence (a refused write, a closed pipe).
pub fn explain(error: Error) -> Error {
    match cancel().check() {
        Err(stopped) if !matches!(error.kind(), Kind::Signal(_)) => stopped,
        _ => error,
    }
}
