//! What a file says about its bands: nodata, scale and offset, descriptions, units, dates, colours.

use super::ifd::{Ifd, Tiff, tag};
use super::image::Image;
use super::nodata;
use crate::raster::{Band, Class, Role};

/// Longest metadata text that is parsed.
const MOST_TEXT: u64 = 4 << 20;
/// Most XML nodes that are kept.
const MOST_NODES: u32 = 400_000;

/// The bands of an image, and the metadata of the whole file. What cannot be used is told in `warnings` and left out.
pub(super) fn read(
    tiff: &Tiff,
    ifd: &Ifd,
    image: &Image,
    warnings: &mut Vec<String>,
) -> (Vec<Band>, Vec<(String, String)>) {
    let mut band = Band::new(image.encoding.dtype);
    if let Some(entry) = ifd.get(tag::GDAL_NODATA) {
        match tiff.text(entry, 256) {
            Ok(text) => {
                let (value, warning) = nodata::parse(&text, image.encoding.dtype);
                band.nodata = value;
                warnings.extend(warning);
            }
            Err(e) => warnings.push(format!("nodata is not used: {}", e.message())),
        }
    }
    band.classes = colours(tiff, ifd, image);
    let mut bands = vec![band; image.samples];
    let mut whole = Vec::new();
    if let Some(entry) = ifd.get(tag::GDAL_METADATA) {
        let text = tiff.text(entry, MOST_TEXT).map_err(|e| e.message().to_owned());
        if let Err(why) = text.and_then(|t| items(&t, &mut bands, &mut whole, warnings)) {
            warnings.push(format!("GDAL metadata are ignored: {why}"));
        }
    }
    photo(image, &mut bands);
    (bands, whole)
}

/// Three 8-bit colours that have no name of their own are red, green and blue: a photo.
fn photo(image: &Image, bands: &mut [Band]) {
    let colours = matches!(image.photometric, 2 | 6) && image.encoding.dtype == crate::raster::Dtype::U8;
    let three = bands.len() == 3 || (bands.len() == 4 && image.alpha() == Some(3));
    if colours && three && bands.iter().all(|b| b.name.is_empty()) {
        for (band, role) in bands.iter_mut().zip([Role::Red, Role::Green, Role::Blue]) {
            band.role = Some(role);
        }
    }
}

fn colours(tiff: &Tiff, ifd: &Ifd, image: &Image) -> Vec<Class> {
    if image.photometric != 3 || image.encoding.dtype != crate::raster::Dtype::U8 {
        return Vec::new();
    }
    let Some(map) = ifd.get(tag::COLOUR_MAP).and_then(|e| tiff.integers(e, 3 << 16).ok()) else { return Vec::new() };
    let n = (map.len() / 3).min(256);
    // 16-bit colours; some writers leave the low byte 0, some repeat the high one.
    let shade = |i: usize| (map[i] >> 8) as u8;
    (0..n).map(|i| Class::new(i as u8, "", [shade(i), shade(n + i), shade(2 * n + i)])).collect()
}

fn items(
    text: &str,
    bands: &mut [Band],
    whole: &mut Vec<(String, String)>,
    warnings: &mut Vec<String>,
) -> Result<(), String> {
    let text = text.trim_end_matches('\0');
    let options = roxmltree::ParsingOptions { nodes_limit: MOST_NODES, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(text, options).map_err(|e| e.to_string())?;
    for item in document.descendants().filter(|n| n.has_tag_name("Item")) {
        let value = item.text().unwrap_or("").trim();
        let Some(sample) = item.attribute("sample") else {
            if let (Some(name), None) = (item.attribute("name"), item.attribute("domain")) {
                whole.push((name.to_owned(), value.to_owned()));
            }
            continue;
        };
        let Some((sample, band)) = sample.parse().ok().and_then(|s: usize| Some((s, bands.get_mut(s)?))) else {
            continue;
        };
        match item.attribute("role").unwrap_or("") {
            "description" => {
                band.name = value.to_owned();
                band.role = Role::from_description(value);
                band.date = band.date.take().or_else(|| date(value));
            }
            "unittype" => band.unit = value.to_owned(),
            "scale" => match value.parse::<f64>() {
                Ok(v) if v.is_finite() && v != 0.0 => (band.scale, band.scaled_by_file) = (v, true),
                _ => warnings.push(format!("band {}: scale {value:?} cannot be used; taken as 1", sample + 1)),
            },
            "offset" => match value.parse::<f64>() {
                Ok(v) if v.is_finite() => (band.offset, band.scaled_by_file) = (v, true),
                _ => warnings.push(format!("band {}: offset {value:?} cannot be used; taken as 0", sample + 1)),
            },
            _ => {
                let name = item.attribute("name").unwrap_or("").to_ascii_lowercase();
                if matches!(name.as_str(), "date" | "time" | "datetime" | "acquisition_date" | "acquisitiondate") {
                    band.date = date(value).or(band.date.take());
                }
            }
        }
    }
    Ok(())
}

/// The date a band description starts with: `YYYY-MM-DD` (a time may follow), `YYYYMMDD` or `YYYYDDD` alone.
pub(super) fn date(text: &str) -> Option<String> {
    let t = text.trim();
    let number = |range: std::ops::Range<usize>| t.get(range)?.parse::<i16>().ok();
    let (year, rest) = (number(0..4)?, t.get(4..)?);
    let digits = t.bytes().all(|b| b.is_ascii_digit());
    let day = if rest.starts_with('-') && t.get(7..8) == Some("-") {
        let ends = t[8..].get(2..3).is_none_or(|c| !c.bytes().all(|b| b.is_ascii_digit()));
        jiff::civil::Date::new(year, number(5..7)? as i8, number(8..10)? as i8).ok().filter(|_| ends)
    } else if digits && t.len() == 8 {
        jiff::civil::Date::new(year, number(4..6)? as i8, number(6..8)? as i8).ok()
    } else if digits && t.len() == 7 {
        jiff::civil::Date::new(year, 1, 1).ok()?.with().day_of_year(number(4..7)?).build().ok()
    } else {
        None
    }?;
    (1900..=2200).contains(&year).then(|| day.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Dtype;

    #[test]
    fn dates_of_descriptions() {
        for (text, expected) in [
            ("2018-07-12", Some("2018-07-12")),
            ("2015-12-08T10:07:12Z", Some("2015-12-08")),
            ("20240229", Some("2024-02-29")),
            ("2024060", Some("2024-02-29")),
            ("20230229", None),
            ("2024-1-1", None),
            ("2018-07-123", None),
            ("B04", None),
            ("32634", None),
            ("Ünï 2018-07-12", None),
        ] {
            assert_eq!(date(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn items_fill_bands_and_refuse_entities() {
        let mut bands = vec![Band::new(Dtype::U16); 2];
        let (mut whole, mut warnings) = (Vec::new(), Vec::new());
        let text = r#"<GDALMetadata><Item name="DESCRIPTION" sample="1" role="description">nir</Item>
            <Item name="SCALE" sample="1" role="scale">2.75e-05</Item><Item name="OFFSET" sample="1" role="offset">-0.2</Item>
            <Item name="SCALE" sample="0" role="scale">0</Item><Item sample="7" role="scale">2</Item>
            <Item name="STATISTICS_MEAN" sample="0">99</Item>
            <Item name="SENSOR">OLI</Item></GDALMetadata>"#;
        items(text, &mut bands, &mut whole, &mut warnings).unwrap();
        assert_eq!((bands[1].scale, bands[1].offset, bands[1].role), (2.75e-5, -0.2, Some(Role::Nir)));
        assert_eq!((bands[0].scale, bands[0].scaled_by_file), (1.0, false));
        assert_eq!(whole, [("SENSOR".to_owned(), "OLI".to_owned())]);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let bomb = "<!DOCTYPE a [<!ENTITY b \"x\">]><GDALMetadata><Item sample=\"0\">&b;</Item></GDALMetadata>";
        assert!(items(bomb, &mut bands, &mut whole, &mut warnings).is_err());
    }
}
