//! Charts as SVG files of their own, which bring the colours that a page gives them elsewhere.

use std::path::{Path, PathBuf};

use maud::Markup;

use crate::error::{Error, Result};
use crate::io::atomic::{check_output, write_bytes};

/// Colours and lines; series and bands are told apart by lightness too.
const STYLE: &str = "<style>svg{background:#fff}\
text{font:11px sans-serif;fill:#444;stroke:#fff;stroke-width:3px;paint-order:stroke}.title{font-weight:bold;fill:#222}\
.grid{stroke:#e2e2e2}.axis{stroke:#666}.model{fill:none;stroke:#b3402a;stroke-width:2}.dot{fill:#2b6a99}\
.hollow{fill:#fff;stroke:#2b6a99}.band{fill:#b3402a;fill-opacity:.14}.mark{stroke:#555;stroke-dasharray:2 3}\
.level{stroke:#2f7d3b;stroke-width:1.5;stroke-dasharray:7 4}.line{fill:none;stroke-width:2}\
.l0{stroke:#b3402a}.l1{stroke:#2f7d3b}.l2{stroke:#7a5aa6}.l3{stroke:#8a6d1d}</style>";

/// Width of the drawing of a chart that is narrower, in pixels.
const WIDTH: f64 = 720.0;

/// Checks a plot before any work: an .svg file, none of the other outputs, nothing overwritten unasked.
///
/// # Errors
/// Usage error with the remedy.
pub fn check_svg(plot: &Path, others: &[&PathBuf], overwrite: bool, inputs: &[PathBuf]) -> Result<()> {
    check_output(plot, overwrite, inputs)?;
    let svg = plot.extension().is_some_and(|e| e.eq_ignore_ascii_case("svg"));
    if !svg || others.iter().any(|o| o.as_path() == plot) {
        return Err(Error::usage(format!("--plot {}: name an .svg file of its own", plot.display())));
    }
    Ok(())
}

/// Writes one chart as a file.
///
/// # Errors
/// I/O errors.
pub fn write_svg(path: &Path, chart: &Markup, overwrite: bool) -> Result<()> {
    write_bytes(path, standalone(&chart.0).as_bytes(), overwrite)
}

/// A chart with its colours, and the size its view box asks for.
fn standalone(chart: &str) -> String {
    let shape = chart.split("viewBox=\"0 0 ").nth(1).and_then(|t| t.split('"').next()?.split_once(' '));
    let shape = shape.and_then(|(w, h)| Some((w.parse::<f64>().ok()?, h.parse::<f64>().ok()?)));
    let size = shape.map_or_else(String::new, |(w, h)| {
        let scale = (WIDTH / w).max(1.0);
        format!(" width=\"{}\" height=\"{}\"", w * scale, h * scale)
    });
    let chart = chart.replacen("<svg ", &format!("<svg xmlns=\"http://www.w3.org/2000/svg\"{size} "), 1);
    chart.replacen('>', &format!(">{STYLE}"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_alone() {
        let made = standalone("<svg class=\"chart\" viewBox=\"0 0 360 220\"><path/></svg>");
        assert!(
            made.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"440\" class"),
            "{made}"
        );
        assert!(made.contains("\"><style>") && made.ends_with("</style><path/></svg>"));
        assert!(standalone("<svg viewBox=\"0 0 980 300\"></svg>").contains("width=\"980\" height=\"300\""));
    }
}
