//! What GDAL and QGIS show beside the pixels: names, units, statistics, colours and class names.

use std::fmt::Write;

use super::header::Values;
use crate::engine::OutBand;
use crate::io::style::escape;
use crate::numeric::Moments;
use crate::raster::Class;

/// The XML of GDAL's metadata tag; each band has `cells` cells.
pub(super) fn gdal_metadata(bands: &[OutBand], moments: &[Moments], cells: u64, whole: &[(String, String)]) -> String {
    let mut out = String::from("<GDALMetadata>\n");
    for (name, value) in whole {
        let _ = writeln!(out, "  <Item name=\"{}\">{}</Item>", escape(name), escape(value));
    }
    let mut item = |name: &str, band: usize, role: &str, value: &str| {
        let role = if role.is_empty() { String::new() } else { format!(" role=\"{role}\"") };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  <Item name=\"{}\" sample=\"{band}\"{role}>{}</Item>", escape(name), escape(value));
    };
    for (i, (band, m)) in bands.iter().zip(moments).enumerate() {
        if !band.name.is_empty() {
            item("DESCRIPTION", i, "description", &band.name);
        }
        if !band.unit.is_empty() {
            item("UNITTYPE", i, "unittype", &band.unit);
        }
        if band.scale != 1.0 {
            item("SCALE", i, "scale", &band.scale.to_string());
        }
        if band.offset != 0.0 {
            item("OFFSET", i, "offset", &band.offset.to_string());
        }
        for (key, value) in &band.items {
            item(key, i, "", value);
        }
        for class in &band.classes {
            item(&format!("CLASS_{}", class.value), i, "", &class.name);
        }
        if let (Some(mean), Some(spread)) = (m.mean(), m.std_population()) {
            item("STATISTICS_MAXIMUM", i, "", &m.max.to_string());
            item("STATISTICS_MEAN", i, "", &mean.to_string());
            item("STATISTICS_MINIMUM", i, "", &m.min.to_string());
            item("STATISTICS_STDDEV", i, "", &spread.to_string());
        }
        item("STATISTICS_VALID_PERCENT", i, "", &percent(m.count, cells));
    }
    out.push_str("</GDALMetadata>\n");
    out
}

/// Four digits, as GDAL writes it; never a rounded 100 where cells are missing.
fn percent(valid: u64, cells: u64) -> String {
    if valid == cells {
        return "100".into();
    }
    let p = valid as f64 / cells.max(1) as f64 * 100.0;
    format!("{:.4}", (p * 1e4).floor() / 1e4)
}

/// Colour map of a class band: 256 reds, greens and blues of 16 bits; values without a class are black.
pub(super) fn colour_map(classes: &[Class]) -> Values {
    let mut map = vec![0_u16; 768];
    for class in classes {
        for (channel, v) in class.rgb.iter().enumerate() {
            map[channel * 256 + usize::from(class.value)] = u16::from(*v) * 257;
        }
    }
    Values::Short(map)
}

/// GDAL's `.aux.xml` with the category names, for which a TIFF has no place; nothing without classes.
pub(super) fn category_names(bands: &[OutBand]) -> Option<String> {
    if bands.iter().all(|b| b.classes.is_empty()) {
        return None;
    }
    let mut out = String::from("<PAMDataset>\n");
    for (i, band) in bands.iter().enumerate() {
        let Some(last) = band.classes.iter().map(|c| c.value).max() else { continue };
        let _ = writeln!(out, "  <PAMRasterBand band=\"{}\">\n    <CategoryNames>", i + 1);
        for value in 0..=last {
            let name = band.classes.iter().find(|c| c.value == value).map_or("", |c| c.name.as_str());
            let _ = writeln!(out, "      <Category>{}</Category>", escape(name));
        }
        out.push_str("    </CategoryNames>\n  </PAMRasterBand>\n");
    }
    out.push_str("</PAMDataset>\n");
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_the_xml_is_well_formed() {
        let mut band = OutBand::classes("a<b & \"c\"\u{1}", vec![Class::new(2, "bare <soil>", [200, 100, 0])]);
        band.unit = "m²".into();
        let moments = Moments::of(&[2.0, 2.0]);
        let xml = gdal_metadata(std::slice::from_ref(&band), &[moments], 3, &[("SENSOR".to_owned(), "A<B".to_owned())]);
        let doc = roxmltree::Document::parse(&xml).unwrap();
        let text = |name: &str| {
            doc.descendants().find(|n| n.attribute("name") == Some(name)).and_then(|n| n.text()).unwrap().to_owned()
        };
        assert_eq!(text("DESCRIPTION"), "a<b & \"c\" ");
        assert_eq!(text("SENSOR"), "A<B");
        assert_eq!((text("CLASS_2"), text("UNITTYPE")), ("bare <soil>".into(), "m²".into()));
        assert_eq!((text("STATISTICS_MEAN"), text("STATISTICS_VALID_PERCENT")), ("2".into(), "66.6666".into()));
        let aux = category_names(&[band]).unwrap();
        let doc = roxmltree::Document::parse(&aux).unwrap();
        let names: Vec<_> = doc.descendants().filter(|n| n.has_tag_name("Category")).map(|n| n.text()).collect();
        assert_eq!(names, [None, None, Some("bare <soil>")]);
    }

    #[test]
    fn colours_are_16_bit_by_channel() {
        let Values::Short(map) = colour_map(&[Class::new(1, "x", [255, 1, 0])]) else { unreachable!() };
        assert_eq!((map[1], map[257], map[513], map[0]), (65_535, 257, 0, 0));
    }
}
