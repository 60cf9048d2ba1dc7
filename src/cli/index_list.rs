//! What `regrow index --list` and `--show` print.

use std::fmt::Write as _;

use crate::error::Result;
use crate::spectral::build::{Origin, names};
use crate::spectral::sensor::{PLATFORMS, Platform};
use crate::spectral::{Ast, Index, bounds, catalogue};

/// A line an index: the user's `own`, then all others; with a sensor, those it computes and the constants they need.
///
/// # Errors
/// None in practice: formulas are checked before.
pub fn list(own: &[Index], sensor: Option<&Platform>) -> Result<String> {
    let mut text = String::new();
    let known = names().map(Index::find).collect::<Result<Vec<_>>>()?;
    for index in own.iter().chain(&known) {
        let needs = match sensor.map(|s| s.computes(index)).transpose()? {
            Some(None) => continue,
            Some(Some(needs)) if !needs.is_empty() => format!("  (needs --const {})", needs.join(" ")),
            _ => String::new(),
        };
        let guarded = if index.origin == Origin::Named { "guarded" } else { "" };
        let bands = index.bands()?.join(" ");
        let Index { name, domain, formula, .. } = index;
        let _ = writeln!(text, "{name:<18} {domain:<10} {guarded:<8} {bands:<22} {formula}{needs}");
    }
    Ok(text)
}

/// All that is known of an index.
///
/// # Errors
/// None in practice: formulas are checked before.
pub fn show(index: &Index) -> Result<String> {
    let mut text = format!("name      {}\n", index.name);
    if !index.title.is_empty() {
        let _ = writeln!(text, "title     {}", index.title);
    }
    let _ = writeln!(text, "formula   {}", index.formula);
    let _ = writeln!(text, "bands     {}\ndomain    {}", index.bands()?.join(" "), index.domain);
    let mut sensors = Vec::new();
    for platform in PLATFORMS {
        sensors.extend(platform.computes(index)?.map(|_| platform.name));
    }
    let _ =
        writeln!(text, "sensors   {}", if sensors.is_empty() { "none known".to_owned() } else { sensors.join(" ") });
    let ast = Ast::parse(&index.formula)?;
    let kernel = ast.names().iter().any(|n| catalogue::kernel_operands(n).is_some());
    if kernel {
        let _ = writeln!(text, "kernel    rbf exp(-(a-b)^2/(2 sigma^2)); --kernel poly: (ab+c)^p, linear: ab");
    }
    for constant in index.constants()? {
        let value = match index.default_of(&constant) {
            // Of each pixel, unless it is given.
            _ if constant == "sigma" && index.name == "kNDVI" => "(N+R)/2 of each pixel".to_owned(),
            Some(value) => value.to_string(),
            None if constant.starts_with("lambda") => "from the sensor or --const".to_owned(),
            None => "none, give it with --const".to_owned(),
        };
        let _ = writeln!(text, "constant  {constant} = {value}");
    }
    for (expression, rule) in &index.guards {
        let _ = writeln!(text, "guard     {expression} {rule}");
    }
    let _ = match (index.range, bounds::of(&ast)) {
        (Some((lo, hi)), _) => writeln!(text, "range     {lo} to {hi}; outside is nodata"),
        (None, Some((lo, hi))) => {
            writeln!(text, "range     {lo} to {hi} where reflectance is not negative; not enforced")
        }
        (None, None) => writeln!(text, "range     none stated; every finite value is kept"),
    };
    let source = if index.source.is_empty() { "none stated" } else { &index.source };
    let _ = writeln!(text, "source    {source}");
    let catalogued = catalogue::entries().iter().find(|e| e.name == index.name);
    if let Some(entry) = catalogued.filter(|_| index.origin == Origin::Named) {
        let _ = writeln!(text, "catalogue {}\nraw       asi:{} = {}", entry.reference, entry.name, entry.formula);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str) -> String {
        show(&Index::find(name).unwrap()).unwrap()
    }

    #[test]
    fn every_index_is_listed_and_can_be_shown() {
        assert!(list(&[], None).unwrap().lines().count() > 290);
        for name in names() {
            let text = shown(name);
            assert!(["formula", "bands", "sensors", "range", "source"].iter().all(|k| text.contains(k)), "{text}");
        }
        let text = shown("AWEInsh");
        assert!(text.contains("asi:AWEInsh"), "{text}");
        assert!(shown("SAVI").contains("L = 0.5"));
    }

    #[test]
    fn kernels_show_their_sigma_and_catalogue_entries_their_source() {
        assert!(shown("kNDVI").contains("sigma = (N+R)/2 of each pixel"));
        assert!(shown("kEVI").contains("sigma = 0.5"));
        assert!(shown("AFRI1600").contains("doi.org") && shown("AFRI1600").contains("landsat-tm"));
        assert!(shown("AFRI1600").contains("-1 to 1 where reflectance"));
        let bsi = shown("BSI");
        assert!(bsi.contains("s2 landsat-oli landsat-etm landsat-tm\n") && bsi.contains("-1 to 1"), "{bsi}");
    }

    #[test]
    fn lists_of_a_sensor_leave_out_what_it_cannot() {
        let of = |name: &str| list(&[], Some(&name.parse().unwrap())).unwrap();
        let rgb = of("rgb");
        assert!(rgb.contains("VARI ") && !rgb.contains("NDVI "), "{rgb}");
        assert!(of("s2").contains("(needs --const PAR)") && of("landsat-tm").contains("NDVI "));
    }
}
