//! The science, one file each.
