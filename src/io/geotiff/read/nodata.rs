//! The nodata text of a file in the value space of a band's own type.

use crate::raster::Dtype;

/// Nodata as the band's type holds it, and a warning where the text cannot be used or was changed.
pub(super) fn parse(text: &str, dtype: Dtype) -> (Option<f64>, Option<String>) {
    let text = text.trim();
    let unusable = |why: &str| (None, Some(format!("nodata {text:?} cannot be used ({why}); no value is nodata")));
    let Ok(value) = text.parse::<f64>() else { return unusable("it is not a number") };
    match dtype {
        Dtype::F64 => (Some(value), None),
        Dtype::F32 => float32(text, value),
        _ => {
            let whole = text
                .parse::<i128>()
                .ok()
                .or_else(|| (value.fract() == 0.0 && value.abs() < 2_f64.powi(100)).then_some(value as i128));
            let Some(whole) = whole else { return unusable(&format!("{dtype} holds whole numbers only")) };
            let fits = match dtype {
                Dtype::U64 => u64::try_from(whole).is_ok(),
                Dtype::I64 => i64::try_from(whole).is_ok(),
                _ => (dtype.range().0 as i128..=dtype.range().1 as i128).contains(&whole),
            };
            if !fits {
                return unusable(&format!("{dtype} does not hold it"));
            }
            let exact = whole as f64 as i128 == whole;
            let rounded = || format!("nodata {text} is rounded to {} (beyond 2^53)", whole as f64);
            (Some(whole as f64), (!exact).then(rounded))
        }
    }
}

fn float32(text: &str, value: f64) -> (Option<f64>, Option<String>) {
    let near = value as f32;
    if near.is_infinite() && value.is_finite() {
        return (Some(f64::from(near)), Some(format!("nodata {text} is beyond float32 and taken as {near}")));
    }
    // Tools print the largest float32 with six or more digits and cut the rest; those digits name no other number.
    let digits = text.split(['e', 'E']).next().unwrap_or("").chars().filter(char::is_ascii_digit).count();
    let extreme = f32::MAX.copysign(near);
    if digits >= 6 && near != extreme && value != 0.0 {
        let precision = digits - 1;
        if format!("{value:.precision$e}") == format!("{:.precision$e}", f64::from(extreme)) {
            let warning = format!("nodata {text} was matched to the nearest usual float32, {extreme:e}");
            return (Some(f64::from(extreme)), Some(warning));
        }
    }
    (Some(f64::from(near)), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_compared_in_their_own_type() {
        assert_eq!(parse("0", Dtype::U8), (Some(0.0), None));
        assert_eq!(parse(" -9999.0 ", Dtype::I16), (Some(-9999.0), None));
        for bad in ["-9999", "nan", "1e999", "abc", "0x0", "0,5", "", "0.5", "65536"] {
            let (value, warning) = parse(bad, Dtype::U16);
            assert_eq!(value, None, "{bad}");
            assert!(warning.unwrap().contains("nodata"), "{bad}");
        }
        assert_eq!(parse("18446744073709551615", Dtype::U64).0, Some(u64::MAX as f64));
        assert!(parse("18446744073709551616", Dtype::U64).0.is_none());
    }

    #[test]
    fn floats_round_to_what_the_band_holds() {
        assert_eq!(parse("-3.4028234663852886e+38", Dtype::F32), (Some(f64::from(f32::MIN)), None));
        let (value, warning) = parse("-3.402823e+38", Dtype::F32);
        assert_eq!(value, Some(f64::from(f32::MIN)));
        assert!(warning.unwrap().contains("matched"));
        // Two digits could be another number, so they are taken as written.
        assert_eq!(parse("-3.4e38", Dtype::F32), (Some(f64::from(-3.4e38_f32)), None));
        assert_eq!(parse("1e40", Dtype::F32).0, Some(f64::INFINITY));
        assert!(parse("nan", Dtype::F32).0.unwrap().is_nan());
        assert_eq!(parse("0.1", Dtype::F32).0, Some(f64::from(0.1_f32)));
    }
}
