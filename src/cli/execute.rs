//! From a filled pass to its outputs: `--explain`, the run, what follows it, and `--json`.

use serde_json::{Value, json};

use super::args::Common;
use super::{Finish, console, size};
use crate::engine::{Outcome, Pass, Plan};
use crate::error::Result;
use crate::product::{Artifact, Context, Product, provenance};
use crate::scene;

/// Runs a pass and finishes its products: the tail every verb shares. With `--explain` it prints the plan instead and
/// touches nothing; with `--json` it prints one document.
///
/// # Errors
/// Those of planning, running and finishing.
pub fn execute(pass: Pass, products: Vec<Box<dyn Product>>, common: &Common, context: &Context) -> Result<Finish> {
    if common.explain {
        let plan = pass.plan(&context.limits)?;
        drop(products);
        explain(&plan, common)?;
        return Ok(Finish::Done);
    }
    pass.source_names().iter().for_each(|name| context.notes.reads(&scene::on_disk(name), None));
    let (grid, citations) = (pass.grid().clone(), pass.citations());
    let mut outcome = pass.run(&context.limits, context.progress.as_ref(), &context.cancel)?;
    doubt(&outcome, context);
    share_of_valid(&outcome, context);
    let mut artifacts = Vec::new();
    for product in products {
        artifacts.extend(product.finish(&mut outcome, context)?);
    }
    // Last: a product exists only when its sidecar does.
    provenance::write(&artifacts, Some(&grid), &citations, &outcome, context)?;
    report(&artifacts, &outcome, common)?;
    Ok(Finish::Done)
}

/// Warns where more pixels than noise explains lie outside the range of reflectance: the scale is wrong then.
pub(super) fn doubt(outcome: &Outcome, context: &Context) {
    for c in &outcome.channels {
        let seen = c.cells.saturating_sub(c.nodata + c.masked + c.clipped);
        if c.out_of_range * 20 > seen {
            let share = 100.0 * c.out_of_range as f64 / seen as f64;
            context.notes.warn(&format!(
                "{}: {share:.1} % of the pixels are no reflectance (-0.2 to 1.6) and became nodata; check --scale and --offset",
                c.name
            ));
        }
    }
}

/// Says how much of what was read is valid, once for channels with the same counts; of stacks only the range.
fn share_of_valid(outcome: &Outcome, context: &Context) {
    const NAMED: usize = 8;
    let mut shares: Vec<f64> =
        outcome.channels.iter().filter(|c| c.cells > 0).map(|c| 100.0 * c.valid() as f64 / c.cells as f64).collect();
    if shares.len() > 2 * NAMED {
        shares.sort_unstable_by(f64::total_cmp);
        context.notes.tell(&format!(
            "{} channels: {:.1} to {:.1} % of the pixels valid, half of them at least {:.1} %",
            shares.len(),
            shares[0],
            shares[shares.len() - 1],
            shares[shares.len() / 2]
        ));
        return;
    }
    let mut told: Vec<(String, Vec<&str>)> = Vec::new();
    for c in outcome.channels.iter().filter(|c| c.cells > 0) {
        let percent = |n: u64| 100.0 * n as f64 / c.cells as f64;
        let text = format!(
            "{:.1} % of the pixels valid (nodata {:.1}, masked {:.1}, outside the area {:.1}, out of range {:.1})",
            percent(c.valid()),
            percent(c.nodata),
            percent(c.masked),
            percent(c.clipped),
            percent(c.out_of_range)
        );
        match told.iter_mut().find(|(t, _)| *t == text) {
            Some((_, names)) => names.push(&c.name),
            None => told.push((text, vec![&c.name])),
        }
    }
    for (text, names) in &told {
        let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
        context.notes.tell(&format!("{}{more}: {text}", names[..names.len().min(NAMED)].join(" ")));
    }
}

/// Says what was made: one line an output, or one JSON document with all figures.
///
/// # Errors
/// Failed writing to stdout.
pub fn report(artifacts: &[Artifact], outcome: &Outcome, common: &Common) -> Result<()> {
    report_counts(artifacts, provenance::channels(outcome), outcome.peak_bytes, common)
}

/// As [`report`], of several passes together.
///
/// # Errors
/// Failed writing to stdout.
pub(super) fn report_counts(
    artifacts: &[Artifact],
    channels: serde_json::Map<String, Value>,
    peak_bytes: u64,
    common: &Common,
) -> Result<()> {
    if common.json {
        let outputs: Vec<Value> = artifacts
            .iter()
            .map(|a| {
                json!({ "path": a.path.display().to_string(), "role": a.role, "title": a.title,
                        "figures": Value::Object(a.figures.clone()) })
            })
            .collect();
        return console::print_json(&json!({ "outputs": outputs, "channels": channels, "peak_bytes": peak_bytes }));
    }
    if !common.quiet {
        for a in artifacts {
            let figures: Vec<_> = a.figures.iter().map(|(k, v)| format!("{k} {v}")).collect();
            let tail = if figures.is_empty() { String::new() } else { format!("  {}", figures.join("  ")) };
            console::print(&format!("{}{tail}\n", a.path.display()))?;
        }
    }
    Ok(())
}

/// Prints a plan.
///
/// # Errors
/// Failed writing to stdout.
pub fn explain(plan: &Plan, common: &Common) -> Result<()> {
    if common.json {
        return console::print_json(&plan_json(plan));
    }
    let crs = crs_of(plan);
    let mut text = format!("grid     {} x {} pixels, {crs}\n", plan.grid.cols, plan.grid.rows);
    text += &format!("tiles    {} of {} x {} pixels, {} at a time\n", plan.tiles, plan.tile, plan.tile, plan.in_flight);
    if plan.rows_read < plan.tile {
        text += &format!("rows     {} read at a time: memory does not hold the inputs of a tile\n", plan.rows_read);
    }
    text += &format!(
        "memory   peak {} (least that works {})\n",
        size::display(plan.peak_bytes),
        size::display(plan.least_bytes)
    );
    text += &format!(
        "bytes    {} read, {} written before compression, 1 pass\n",
        size::display(plan.bytes_read),
        size::display(plan.bytes_written)
    );
    for step in &plan.summary {
        text += &format!("step     {step}\n");
    }
    console::print(&text)
}

/// Prints the plans of several passes.
///
/// # Errors
/// Failed writing to stdout.
pub(super) fn explain_all(plans: &[Plan], common: &Common) -> Result<()> {
    match plans {
        [one] => explain(one, common),
        all if common.json => {
            let passes: Vec<Value> = all.iter().map(plan_json).collect();
            console::print_json(&json!({ "passes": all.len(), "plans": passes }))
        }
        all => all.iter().enumerate().try_for_each(|(i, plan)| {
            console::print(&format!("pass     {} of {}\n", i + 1, all.len()))?;
            explain(plan, common)
        }),
    }
}

fn crs_of(plan: &Plan) -> String {
    plan.grid.crs().map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

fn plan_json(plan: &Plan) -> Value {
    json!({
        "grid": { "cols": plan.grid.cols, "rows": plan.grid.rows, "crs": crs_of(plan),
                  "geotransform": plan.grid.place().map(|a| a.coefficients().to_vec()) },
        "tile_px": plan.tile, "tiles": plan.tiles, "chunk_tiles": plan.chunk, "rows_read": plan.rows_read,
        "rows_computed": plan.rows_computed, "chunk_bytes": plan.chunk_bytes, "workers": plan.workers,
        "in_flight": plan.in_flight, "resident_bytes": plan.resident_bytes, "peak_bytes": plan.peak_bytes,
        "least_bytes": plan.least_bytes, "bytes_read": plan.bytes_read, "bytes_written": plan.bytes_written,
        "passes": 1, "steps": plan.summary,
    })
}
