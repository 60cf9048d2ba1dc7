//! A scene on another grid: bands are masked where they are and then resampled.

use std::sync::Arc;

use super::{Scene, SceneBand, extent};
use crate::engine::MaskSource;
use crate::engine::warp::{Encoded, Resampling, Wanted, Warper};
use crate::error::Result;
use crate::raster::{Role, Source};

impl Scene {
    /// The scene on the target grid of `warper`. Bands whose pixels coincide with it are read as they are; the others are
    /// resampled, after masks and encoding applied. Quantities are resampled by `resampling` (bilinear where none is given,
    /// average where pixels grow twofold or more), classes by nearest, or by mode where that is asked for.
    ///
    /// # Errors
    /// Where a band has no place, or no transform to the target is known.
    pub fn onto(mut self, warper: &Warper, resampling: Option<Resampling>) -> Result<Self> {
        let target = warper.target();
        let fits = |source: &Arc<dyn Source>| target.nest(source.grid()).is_ok();
        self.grid = target.clone();
        let saturated: Vec<&MaskSource> = self.bands.iter().filter_map(|b| b.saturated.as_ref()).collect();
        let sources = self.bands.iter().map(|b| &b.source).chain(self.masks.iter().map(|m| &m.source));
        if sources.chain(saturated.into_iter().map(|m| &m.source)).all(fits) {
            return Ok(self);
        }
        let of_bands = self.bands.iter().filter_map(|b| b.saturated.as_ref());
        let masks = self.masks.iter().chain(of_bands).map(|m| super::on_disk(m.source.name()));
        self.also_read.extend(masks.collect::<Vec<_>>());
        let mut done: Vec<usize> = Vec::new();
        for i in 0..self.bands.len() {
            if done.contains(&i) || fits(&self.bands[i].source) {
                continue;
            }
            let group = self.read_with(i);
            self.resample(&group, warper, resampling)?;
            done.extend(group);
        }
        // Masks are part of resampled bands. The others still need them, on the target where their pixels do not coincide.
        if done.len() == self.bands.len() {
            self.masks.clear();
        }
        for mask in &mut self.masks {
            if !fits(&mask.source) {
                *mask = nearest(mask, warper)?;
            }
        }
        Ok(self)
    }

    /// The bands that are resampled together with band `i`: those of its file under the same masks.
    fn read_with(&self, i: usize) -> Vec<usize> {
        let first = &self.bands[i];
        let alone = first.saturated.is_some();
        let same = |b: &SceneBand| Arc::ptr_eq(&b.source, &first.source) && b.saturated.is_none();
        (i..self.bands.len()).filter(|&k| k == i || (!alone && same(&self.bands[k]))).collect()
    }

    /// Puts bands of one file on the target.
    fn resample(&mut self, group: &[usize], warper: &Warper, resampling: Option<Resampling>) -> Result<()> {
        let first = &self.bands[group[0]];
        let (source, grid) = (Arc::clone(&first.source), first.source.grid().clone());
        let by_ratio = match warper.ratio(&grid).map_err(|e| e.context(source.name()))? {
            ratio if ratio >= 2.0 => Resampling::Average,
            _ => Resampling::Bilinear,
        };
        let chosen = resampling.unwrap_or(by_ratio);
        let quantities = group.iter().any(|&k| !self.bands[k].role.is_categorical());
        let mut masks = Vec::new();
        if quantities {
            let own = Warper::new(grid.clone());
            for mask in self.masks.iter().chain(&first.saturated) {
                let coincides = grid.nest(mask.source.grid()).is_ok() || mask.source.grid().nest(&grid).is_ok();
                masks.push(if coincides { mask.clone() } else { nearest(mask, &own)? });
            }
        }
        let wanted = group.iter().map(|&k| wanted(&self.bands[k], chosen)).collect();
        let shown = warper.show(source, wanted, masks)?;
        let mut how: Vec<(Resampling, Vec<&str>)> = Vec::new();
        for (at, &k) in group.iter().enumerate() {
            let band = &mut self.bands[k];
            let method = wanted_by(band.role, chosen);
            match how.iter_mut().find(|(m, _)| *m == method) {
                Some((_, roles)) => roles.push(band.role.name()),
                None => how.push((method, vec![band.role.name()])),
            }
            let nodata = shown.bands()[at].nodata;
            (band.source, band.band, band.nodata, band.saturated) = (Arc::clone(&shown), at, nodata, None);
            (band.scale, band.offset) = (1.0, 0.0);
        }
        let how: Vec<String> = how.iter().map(|(m, roles)| format!("{} {m}", roles.join(" "))).collect();
        let decision = format!(
            "{}: from {} to {}: {}",
            shown.name(),
            extent::pixels(&grid),
            extent::pixels(warper.target()),
            how.join(", ")
        );
        // Once for the scene: a product has a file a band.
        let warning = format!(
            "{}: resampled from {} to {} by {chosen}; pixels are not the file's own",
            self.name,
            extent::pixels(&grid),
            extent::pixels(warper.target())
        );
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
        let notes = shown.warnings().iter().filter(|w| !self.warnings.iter().any(|known| known.ends_with(w.as_str())));
        let notes: Vec<String> = notes.map(|w| format!("{}: {w}", shown.name())).collect();
        self.warnings.extend(notes);
        self.decisions.push(decision);
        Ok(())
    }
}

fn wanted_by(role: Role, chosen: Resampling) -> Resampling {
    if role.is_categorical() && !chosen.keeps_values() { Resampling::Nearest } else { chosen }
}

fn wanted(band: &SceneBand, chosen: Resampling) -> Wanted {
    let quantity =
        Encoded { scale: band.scale, offset: band.offset, valid: Scene::valid_range(band.role, band.quantity) };
    Wanted {
        band: band.band,
        resampling: wanted_by(band.role, chosen),
        nodata: band.nodata,
        quantity: (!band.role.is_categorical()).then_some(quantity),
    }
}

/// A mask on the grid of `warper`, each pixel that of its centre; the buffer keeps its width on the ground.
fn nearest(mask: &MaskSource, warper: &Warper) -> Result<MaskSource> {
    let nodata = mask.source.bands()[mask.band].nodata;
    let wanted = Wanted { band: mask.band, resampling: Resampling::Nearest, nodata, quantity: None };
    let ratio = warper.ratio(mask.source.grid())?;
    let source = warper.show(Arc::clone(&mask.source), vec![wanted], Vec::new())?;
    let buffer_px = (mask.buffer_px as f64 / ratio).round() as usize;
    Ok(MaskSource { source, band: 0, buffer_px, ..mask.clone() })
}
