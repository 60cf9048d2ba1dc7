//! Whether figures meet targets and raise alerts.

use super::rules::{Alert, Bound, Target};
use super::summary::{Raised, Standing, Summary, Verdict, ZoneFigure};

/// The latest figure of an indicator for each zone it exists for, in order of first appearance.
fn latest<'s>(summary: &'s Summary, zone: &str, indicator: &str) -> Vec<&'s ZoneFigure> {
    let mut found: Vec<&ZoneFigure> = Vec::new();
    for figure in summary.zones.iter().filter(|z| z.indicator == indicator && (zone == "*" || z.zone == zone)) {
        match found.iter_mut().find(|f| f.zone == figure.zone) {
            // Figures without a date (differences) have one value only.
            Some(known) if figure.date >= known.date => *known = figure,
            Some(_) => {}
            None => found.push(figure),
        }
    }
    // `*` means every zone; the whole area is judged only where there is no zone, or by its own name.
    if zone == "*" && found.iter().any(|f| f.zone != "all") {
        found.retain(|f| f.zone != "all");
    }
    found
}

/// How a target stands in each zone it is for.
#[must_use]
pub fn targets(summary: &Summary, targets: &[Target]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for target in targets {
        let figures = latest(summary, &target.zone.value, &target.indicator.value);
        let bound = target.bounds.iter().map(Bound::to_string).collect::<Vec<_>>().join(" and ");
        let verdict = |zone: &str, value: Option<f64>, date: Option<String>| {
            let due = match (&target.by, &date) {
                (Some(by), Some(date)) => date >= by,
                _ => true,
            };
            let standing = match value {
                None => Standing::Unknown,
                Some(v) if target.bounds.iter().all(|b| b.holds(v)) => Standing::Met,
                Some(_) if due => Standing::Missed,
                Some(_) => Standing::Open,
            };
            Verdict {
                zone: zone.to_owned(),
                indicator: target.indicator.value.clone(),
                bound: bound.clone(),
                by: target.by.clone(),
                value,
                date,
                standing,
            }
        };
        if figures.is_empty() {
            verdicts.push(verdict(&target.zone.value, None, None));
        }
        verdicts.extend(figures.into_iter().map(|f| verdict(&f.zone, f.value, f.date.clone())));
    }
    verdicts
}

/// The alerts that the latest figures raise.
#[must_use]
pub fn alerts(summary: &Summary, alerts: &[Alert]) -> Vec<Raised> {
    let mut raised = Vec::new();
    for alert in alerts {
        for figure in latest(summary, &alert.zone.value, &alert.indicator.value) {
            if let Some(value) = figure.value.filter(|v| alert.bound.holds(*v)) {
                raised.push(Raised {
                    rule: alert.text.clone(),
                    zone: figure.zone.clone(),
                    value,
                    date: figure.date.clone(),
                });
            }
        }
    }
    raised
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::config::Placed;

    fn placed(text: &str) -> Placed<String> {
        Placed { value: text.into(), place: "p.toml:1: x".into() }
    }

    fn summary() -> Summary {
        let figure = |zone: &str, date: &str, value: Option<f64>| ZoneFigure {
            zone: zone.into(),
            indicator: "bare_ha".into(),
            scene: "s".into(),
            date: Some(date.into()),
            value,
        };
        let zones = vec![
            figure("P1", "2018-07-12", Some(9.0)),
            figure("P1", "2024-07-15", Some(2.0)),
            figure("P2", "2024-07-15", Some(4.0)),
            figure("P2", "2018-07-12", Some(1.0)),
            figure("P3", "2024-07-15", None),
            figure("all", "2024-07-15", Some(6.0)),
        ];
        Summary { zones, ..Summary::default() }
    }

    fn target(zone: &str, by: Option<&str>) -> Target {
        Target {
            zone: placed(zone),
            indicator: placed("bare_ha"),
            bounds: vec![Bound::AtMost(3.0)],
            by: by.map(str::to_owned),
        }
    }

    #[test]
    fn targets_are_judged_by_the_latest_date() {
        let standings = |t: Target| targets(&summary(), &[t]).iter().map(|v| v.standing).collect::<Vec<_>>();
        assert_eq!(standings(target("*", None)), [Standing::Met, Standing::Missed, Standing::Unknown]);
        assert_eq!(standings(target("P2", Some("2025-12-31"))), [Standing::Open]);
        assert_eq!(standings(target("P2", Some("2024-07-15"))), [Standing::Missed]);
        assert_eq!(standings(target("all", None)), [Standing::Missed]);
        assert_eq!(standings(target("nowhere", None)), [Standing::Unknown]);
    }

    #[test]
    fn alerts_name_zone_and_value() {
        let alert = |bound| Alert { zone: placed("*"), indicator: placed("bare_ha"), bound, text: "t".into() };
        let raised = alerts(&summary(), &[alert(Bound::Above(3.0))]);
        assert_eq!(raised.len(), 1);
        assert_eq!((raised[0].zone.as_str(), raised[0].value), ("P2", 4.0));
        // A figure that is not there raises nothing.
        assert!(alerts(&summary(), &[alert(Bound::Below(1.0))]).is_empty());
    }
}
