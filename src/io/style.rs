//! QGIS 3 styles (`.qml`): classes as a palette with their names, quantities as a colour ramp over their range.
//!
//! Elements and attributes as `QgsPalettedRasterRenderer::writeXml`, `QgsSingleBandPseudoColorRenderer::writeXml` and
//! `QgsRasterShader::writeXml` write them (QGIS 3.x).

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::engine::OutBand;
use crate::raster::{Class, Ramp};

/// Where QGIS looks for the style of a raster: the same name with the ending `.qml`.
#[must_use]
pub fn path_for(raster: &Path) -> PathBuf {
    raster.with_extension("qml")
}

/// The style of the first of `bands`, whose values have `mean` and `stdev` between `min` and `max`.
#[must_use]
pub fn document(band: &OutBand, min: f64, max: f64, mean: f64, stdev: f64) -> String {
    let renderer = if band.classes.is_empty() {
        let (low, high) = stretch(band.ramp, [min, max, mean, stdev]);
        pseudocolour(band.ramp, low, high, &band.unit)
    } else {
        paletted(&band.classes)
    };
    format!(
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n\
         <qgis version=\"3.22.0\" styleCategories=\"Symbology\">\n  <pipe>\n    <provider>\n      \
         <resampling enabled=\"false\" zoomedInResamplingMethod=\"nearestNeighbour\" \
         zoomedOutResamplingMethod=\"nearestNeighbour\" maxOversampling=\"2\"/>\n    </provider>\n{renderer}    \
         <brightnesscontrast brightness=\"0\" contrast=\"0\" gamma=\"1\"/>\n    \
         <huesaturation saturation=\"0\" grayscaleMode=\"0\" colorizeOn=\"0\" colorizeRed=\"255\" colorizeGreen=\"128\" \
         colorizeBlue=\"128\" colorizeStrength=\"100\"/>\n    <rasterresampler maxOversampling=\"2\"/>\n    \
         <resamplingStage>resamplingFilter</resamplingStage>\n  </pipe>\n  <blendMode>0</blendMode>\n</qgis>\n"
    )
}

/// The range a ramp spans: two standard deviations around the mean, so that lone extremes do not wash the map out;
/// differences lie evenly around 0, probabilities from 0 to 1.
fn stretch(ramp: Ramp, [min, max, mean, stdev]: [f64; 4]) -> (f64, f64) {
    let (low, high) = ((mean - 2.0 * stdev).max(min), (mean + 2.0 * stdev).min(max));
    let (low, high) = match ramp {
        Ramp::Probability => (0.0, 1.0),
        Ramp::Difference => {
            let reach = low.abs().max(high.abs());
            (-reach, reach)
        }
        _ => (low, high),
    };
    // A map of one value, or of none, still needs a range.
    if low < high { (low, high) } else { (low - 0.5, low + 0.5) }
}

fn paletted(classes: &[Class]) -> String {
    let mut out = String::from(
        "    <rasterrenderer type=\"paletted\" band=\"1\" opacity=\"1\" alphaBand=\"-1\" nodataColor=\"\">\n      \
         <rasterTransparency/>\n      <minMaxOrigin>\n        <limits>None</limits>\n        <extent>WholeRaster</extent>\n        \
         <statAccuracy>Estimated</statAccuracy>\n      </minMaxOrigin>\n      <colorPalette>\n",
    );
    for class in classes {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "        <paletteEntry value=\"{}\" color=\"{}\" label=\"{}\" alpha=\"255\"/>",
            class.value,
            hex(class.rgb),
            escape(&class.name)
        );
    }
    out.push_str("      </colorPalette>\n    </rasterrenderer>\n");
    out
}

fn pseudocolour(ramp: Ramp, low: f64, high: f64, unit: &str) -> String {
    let anchors = ramp.anchors();
    let last = (anchors.len() - 1) as f64;
    let rgba = |c: [u8; 3]| format!("{},{},{},255", c[0], c[1], c[2]);
    let stops: Vec<_> = (1..anchors.len() - 1).map(|i| format!("{};{}", i as f64 / last, rgba(anchors[i]))).collect();
    let options = [
        ("color1", rgba(anchors[0])),
        ("color2", rgba(anchors[anchors.len() - 1])),
        ("discrete", "0".to_owned()),
        ("rampType", "gradient".to_owned()),
        ("stops", stops.join(":")),
    ];
    let mut out = format!(
        "    <rasterrenderer type=\"singlebandpseudocolor\" band=\"1\" opacity=\"1\" alphaBand=\"-1\" nodataColor=\"\" \
         classificationMin=\"{low}\" classificationMax=\"{high}\">\n      <rasterTransparency/>\n      <minMaxOrigin>\n        \
         <limits>None</limits>\n        <extent>WholeRaster</extent>\n        <statAccuracy>Exact</statAccuracy>\n        \
         <stdDevFactor>2</stdDevFactor>\n      </minMaxOrigin>\n      <rastershader>\n        \
         <colorrampshader colorRampType=\"INTERPOLATED\" classificationMode=\"1\" clip=\"0\" minimumValue=\"{low}\" \
         maximumValue=\"{high}\" labelPrecision=\"4\">\n          <colorramp type=\"gradient\" name=\"[source]\">\n            \
         <Option type=\"Map\">\n"
    );
    for (name, value) in &options {
        let _ = writeln!(out, "              <Option name=\"{name}\" type=\"QString\" value=\"{value}\"/>");
    }
    out.push_str("            </Option>\n");
    // Readers before 3.26 take the ramp from these.
    for (key, value) in &options {
        let _ = writeln!(out, "            <prop k=\"{key}\" v=\"{value}\"/>");
    }
    out.push_str("          </colorramp>\n");
    let suffix = if unit.is_empty() { String::new() } else { format!(" {}", escape(unit)) };
    for (i, colour) in anchors.iter().enumerate() {
        let value = low + (high - low) * i as f64 / last;
        let _ = writeln!(
            out,
            "          <item value=\"{value}\" color=\"{}\" label=\"{}{suffix}\" alpha=\"255\"/>",
            hex(*colour),
            label(value, high - low)
        );
    }
    out.push_str("        </colorrampshader>\n      </rastershader>\n    </rasterrenderer>\n");
    out
}

/// Enough digits to tell the steps of a range apart.
fn label(value: f64, range: f64) -> String {
    let digits = (2.0 - range.log10().floor()).clamp(0.0, 12.0) as usize;
    format!("{value:.digits$}")
}

fn hex(c: [u8; 3]) -> String {
    format!("#{:02x}{:02x}{:02x}", c[0], c[1], c[2])
}

/// Text for XML: markup escaped, control characters (which XML 1.0 cannot hold) replaced.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> roxmltree::Document<'_> {
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        roxmltree::Document::parse_with_options(text, options).unwrap()
    }

    #[test]
    fn classes_become_a_palette_with_names() {
        let band = OutBand::classes("c", vec![Class::new(1, "bare <\"soil\">", [215, 25, 28])]);
        let text = document(&band, 0.0, 1.0, 0.5, 0.5);
        let doc = parse(&text);
        let renderer = doc.descendants().find(|n| n.has_tag_name("rasterrenderer")).unwrap();
        assert_eq!(renderer.attribute("type"), Some("paletted"));
        let entry = renderer.descendants().find(|n| n.has_tag_name("paletteEntry")).unwrap();
        let found = ["value", "color", "label", "alpha"].map(|a| entry.attribute(a).unwrap());
        assert_eq!(found, ["1", "#d7191c", "bare <\"soil\">", "255"]);
    }

    #[test]
    fn quantities_span_two_standard_deviations() {
        let band = OutBand::quantity("zn", "mg/kg").drawn(Ramp::Soil);
        let text = document(&band, 100.0, 1800.0, 400.0, 100.0);
        let doc = parse(&text);
        let shader = doc.descendants().find(|n| n.has_tag_name("colorrampshader")).unwrap();
        assert_eq!((shader.attribute("minimumValue"), shader.attribute("maximumValue")), (Some("200"), Some("600")));
        let items: Vec<_> = shader.children().filter(|n| n.has_tag_name("item")).collect();
        assert_eq!(items.len(), Ramp::Soil.anchors().len());
        assert_eq!(items[0].attribute("label"), Some("200 mg/kg"));
        assert_eq!(items.last().unwrap().attribute("value"), Some("600"));
    }

    #[test]
    fn differences_lie_around_zero_and_one_value_has_a_range() {
        assert_eq!(stretch(Ramp::Difference, [-0.2, 0.9, 0.1, 0.1]), (-0.30000000000000004, 0.30000000000000004));
        assert_eq!(stretch(Ramp::Difference, [0.0; 4]), (-0.5, 0.5));
        assert_eq!(stretch(Ramp::Neutral, [3.0, 3.0, 3.0, 0.0]), (2.5, 3.5));
        assert_eq!(stretch(Ramp::Probability, [0.2, 0.3, 0.25, 0.1]), (0.0, 1.0));
    }
}
