//! `regrow coregister`.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::args::{Common, SceneArgs};
use super::execute::explain;
use super::{Finish, console};
use crate::error::{Error, Result};
use crate::io::atomic::{check_output, write_bytes};
use crate::numeric::phase::Correlation;
use crate::product::coregister::{Method, Move, Pair, Verdict, common_role};
use crate::product::{Artifact, Context, provenance};
use crate::raster::Role;
use crate::scene::{BandMap, Scene};

/// Arguments.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "The shift is what has to be applied to MOVING, in pixels (columns to the right, rows down) and in metres. It \
                  is the median of windows of 256 pixels (128 or 64 in small images), at most 400 and evenly spread. Shifts \
                  of more than a quarter of a window are not looked for. Up to 0.3 px RMS between the windows is good, up to \
                  0.5 a warning, more is refused (exit 3). OUT is the file MOVING itself with other coordinates: no pixel is \
                  resampled or encoded again. --bbox and --aoi restrict where the shift is measured, not OUT."
)]
pub struct Args {
    /// Raster that stays where it is
    reference: String,
    /// Raster that is moved onto it: same CRS and pixel size, any origin
    moving: String,
    /// Raster to write; a folder where MOVING has several files; not needed with --report or --json
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["report", "json", "explain"])]
    output: Option<PathBuf>,
    /// Report of the shift and of every window (JSON)
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Band that is compared [default: the first of nir, red, green, blue that both have, else the first band]
    #[arg(long, value_name = "ROLE")]
    role: Option<Role>,
    /// phase (by phase alone, robust to light and season) or plain (by amplitude, for images of one light)
    #[arg(long, value_name = "HOW", default_value = "phase")]
    correlation: Correlation,
    /// Compare gradient magnitudes: for bands whose contrast is reversed
    #[arg(long)]
    gradient: bool,
    /// Take a shift that is refused for its spread
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scene: SceneArgs,
}

/// Measures the shift between two rasters, and moves the second.
///
/// # Errors
/// Those of opening the scenes; input error where grids differ or the shift is refused.
pub fn run(args: &Args) -> Result<Finish> {
    if !args.common.creation.is_empty() {
        return Err(Error::usage(
            "coregister: --co has no effect, since the file is moved and not encoded again; leave it out",
        ));
    }
    let context = args.common.context()?;
    let [reference, moving] = open(args, &context)?;
    let outputs = match &args.output {
        Some(path) => Some(Move::new(&moving, &reference, path, &context)?),
        None => None,
    };
    if let Some(path) = &args.report {
        let inputs = [&args.reference, &args.moving].map(PathBuf::from);
        check_output(path, args.common.overwrite, &inputs)?;
    }
    let method = Method { correlation: args.correlation, gradient: args.gradient };
    let pair = Pair::new(reference, &moving, args.role)?;
    let mut pass = args.common.pass("coregister", pair.common(), &context)?;
    let measurement = pair.measure(&mut pass, &method)?;
    if args.common.explain {
        explain(&pass.plan(&context.limits)?, &args.common)?;
        return Ok(Finish::Done);
    }
    let citations = pass.citations();
    let mut outcome = pass.run(&context.limits, context.progress.as_ref(), &context.cancel)?;
    let report = pair.judge(&measurement, &mut outcome, &method)?;
    if let Some(path) = &args.report {
        let mut text = serde_json::to_string_pretty(&report.json()).map_err(|e| Error::bug(e.to_string()))?;
        text.push('\n');
        write_bytes(path, text.as_bytes(), args.common.overwrite)?;
    }
    let accepted = report.accept(args.force);
    let mut made: Vec<Artifact> = Vec::new();
    if let (Some(outputs), Ok(shift)) = (&outputs, &accepted) {
        made = outputs.apply(&moving.grid, *shift, &context)?;
        if let Some(first) = made.first_mut() {
            first.figures = report.json();
            first.figures.remove("windows");
        }
        provenance::write(&made, Some(&moving.moved(shift.0, shift.1)?.grid), &citations, &outcome, &context)?;
    }
    if args.common.json {
        let mut document = report.json();
        let paths: Vec<Value> = made.iter().map(|a| json!(a.path.display().to_string())).collect();
        document.insert("outputs".into(), paths.into());
        console::print_json(&Value::Object(document))?;
    } else if !args.common.quiet {
        let paths: String = made.iter().map(|a| format!("{}\n", a.path.display())).collect();
        console::print(&(report.text() + &paths))?;
    }
    accepted?;
    match report.verdict() {
        (Verdict::Ok, _) => {}
        (verdict, why) => context.notes.warn(&format!("coregister: {}: {why}", verdict.name())),
    }
    Ok(Finish::Done)
}

/// Opens both; where they share no role, the first band of both is taken.
fn open(args: &Args, context: &Context) -> Result<[Scene; 2]> {
    let mut scene = args.scene.clone();
    if scene.bands.is_none() && args.role.is_none() {
        let options = scene.options(&args.common);
        let roles = |input: &String| crate::scene::open(std::slice::from_ref(input), &options);
        let (reference, moving) = (roles(&args.reference)?, roles(&args.moving)?);
        if common_role(&reference, &moving, None).is_err() {
            context.notes.warn(&format!(
                "{} and {} share no band of known role: the first band of both is compared; choose with --bands nir=N",
                reference.name, moving.name
            ));
            scene.bands = Some("value=1".parse::<BandMap>()?);
        }
    }
    let open = |input: &String| scene.open(std::slice::from_ref(input), &args.common, context);
    Ok([open(&args.reference)?, open(&args.moving)?])
}
