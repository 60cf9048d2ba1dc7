//! `regrow sensors`.

use std::path::PathBuf;

use super::{Finish, console};
use crate::error::{Error, Result};
use crate::scene::sensor::{BUILT_IN, Sensors};

/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Print the definition of a sensor, or of all, as TOML to start one's own from
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "all")]
    show: Option<String>,
    /// Sensors besides the built-in ones: checks the file and lists them too
    #[arg(long, value_name = "FILE")]
    sensors: Option<PathBuf>,
}

/// Lists the sensors whose scenes are opened without options, or prints their definitions.
///
/// # Errors
/// An unknown name; a file that is no definition; failed writing to stdout.
pub fn run(args: &Args) -> Result<Finish> {
    let sensors = args.sensors.as_deref().map(Sensors::with_file).transpose()?.unwrap_or_default();
    match args.show.as_deref() {
        Some("all") => console::print(BUILT_IN)?,
        Some(name) => console::print(entry(name)?)?,
        None => {
            let mut text = String::new();
            for d in sensors.all() {
                let roles: Vec<_> = d.roles().iter().map(|r| r.name()).collect();
                text += &format!("{:<16} {} ({})\n", d.name, d.title, roles.join(" "));
            }
            console::print(&text)?;
        }
    }
    Ok(Finish::Done)
}

/// The entry of the built-in file that defines `name`.
fn entry(name: &str) -> Result<&'static str> {
    let marks: Vec<usize> = BUILT_IN.match_indices("[[sensor]]").map(|(at, _)| at).collect();
    let ends = marks.iter().skip(1).copied().chain([BUILT_IN.len()]);
    let entries = marks.iter().zip(ends).map(|(from, to)| &BUILT_IN[*from..to]);
    let wanted = format!("\nname = \"{name}\"\n");
    entries.clone().find(|e| e.contains(&wanted)).ok_or_else(|| {
        let names: Vec<_> = Sensors::default().all().iter().map(|d| d.name.clone()).collect();
        Error::usage(format!("no sensor {name:?}; sensors are {}", names.join(" ")))
    })
}
