//! Project files: parsing, planning, running, targets and alerts.
