//! `[products]`.

use super::{Placed, SceneSpec, area_ha};
use crate::error::{Error, Kind, Result};
use crate::project::document::Node;

/// Vegetation cover.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cover {
    /// Index value of bare soil; from the scene where absent.
    pub soil: Option<f64>,
    /// Index value of full vegetation; from the scene where absent.
    pub vegetation: Option<f64>,
}

/// Bare land.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bare {
    /// `rule`, `otsu`, `minerr` or `fixed`; the product's default where absent.
    pub method: Option<Placed<String>>,
    /// Threshold of `fixed`.
    pub threshold: Option<f64>,
    /// Smallest patch kept, hectares.
    pub min_area_ha: f64,
    /// Neighbours of a cell, 4 or 8.
    pub connect: Option<u8>,
    /// Write polygons.
    pub polygons: bool,
}

/// Difference of two dates.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Index compared.
    pub index: Placed<String>,
    /// Class breaks, ascending.
    pub breaks: Option<[f64; 4]>,
    /// Write polygons.
    pub polygons: bool,
}

/// What is made of every scene.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Products {
    /// Index names as written.
    pub indices: Vec<Placed<String>>,
    /// Vegetation cover.
    pub cover: Option<Cover>,
    /// Bare land.
    pub bare: Option<Bare>,
    /// Change from `before` to `after`.
    pub change: Option<Change>,
}

impl Products {
    /// True where nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty() && self.cover.is_none() && self.bare.is_none() && self.change.is_none()
    }

    /// Names of the figures of a zone.
    #[must_use]
    pub fn indicators(&self) -> Vec<String> {
        let mut names: Vec<_> = self.indices.iter().map(|i| format!("{}_mean", i.value.to_lowercase())).collect();
        if self.cover.is_some() {
            names.push("cover_mean".into());
        }
        if self.bare.is_some() {
            names.extend(["bare_ha", "bare_share"].map(String::from));
        }
        if let Some(change) = &self.change {
            names.push(format!("{}_change_mean", change.index.value.to_lowercase()));
            names.extend(["strong_loss_ha", "loss_ha", "stable_ha", "gain_ha", "strong_gain_ha"].map(String::from));
        }
        if !names.is_empty() {
            names.push("valid_ha".into());
        }
        names
    }

    /// Change needs two scenes, and which comes first must be known.
    pub(super) fn check(&self, scenes: &[SceneSpec]) -> Result<()> {
        let Some(change) = &self.change else { return Ok(()) };
        let has = |role: &str| scenes.iter().any(|s| s.role.as_deref() == Some(role));
        if (has("before") && has("after")) || (scenes.len() == 2 && scenes.iter().all(|s| s.role.is_none())) {
            return Ok(());
        }
        Err(change
            .index
            .fail(Kind::Usage, "change needs two scenes, one with role = \"before\" and one with role = \"after\""))
    }
}

/// Reads `[products]`.
pub(super) fn products(node: &Node<'_>) -> Result<Products> {
    let mut fields = node.table()?;
    let indices = fields.get("indices");
    let cover = fields.get("cover");
    let bare = fields.get("bare");
    let change = fields.get("change");
    fields.finish()?;
    let placed = |n: &Node<'_>| Ok::<_, Error>(Placed::new(n.text()?.to_owned(), n));
    let mut names: Vec<Placed<String>> = Vec::new();
    for item in indices.map(|n| n.list()).transpose()?.unwrap_or_default() {
        let name = placed(&item)?;
        if names.iter().any(|n| n.value.eq_ignore_ascii_case(&name.value)) {
            return Err(item.fail(&format!("{} is listed twice", name.value)));
        }
        names.push(name);
    }
    Ok(Products {
        indices: names,
        cover: cover.map(|n| cover_spec(&n)).transpose()?,
        bare: bare.map(|n| bare_spec(&n)).transpose()?,
        change: change.map(|n| change_spec(&n)).transpose()?,
    })
}

fn cover_spec(node: &Node<'_>) -> Result<Cover> {
    let mut fields = node.table()?;
    let soil = fields.get("soil");
    let vegetation = fields.get("vegetation");
    fields.finish()?;
    let (soil, vegetation) = (soil.map(|n| n.number()).transpose()?, vegetation.map(|n| n.number()).transpose()?);
    if let (Some(s), Some(v)) = (soil, vegetation)
        && s >= v
    {
        return Err(node.fail(&format!("found soil = {s} and vegetation = {v}, expected soil below vegetation")));
    }
    Ok(Cover { soil, vegetation })
}

fn bare_spec(node: &Node<'_>) -> Result<Bare> {
    let mut fields = node.table()?;
    let method = fields.get("method");
    let threshold = fields.get("threshold");
    let min_area = fields.get("min_area");
    let connect = fields.get("connect");
    let polygons = fields.get("polygons");
    fields.finish()?;
    Ok(Bare {
        method: method.map(|n| Ok::<_, Error>(Placed::new(n.text()?.to_owned(), &n))).transpose()?,
        threshold: threshold.map(|n| n.number()).transpose()?,
        min_area_ha: min_area.map(|n| area_ha(&n)).transpose()?.unwrap_or(0.0),
        connect: connect.map(|n| n.number_where("4 or 8", |v| v == 4.0 || v == 8.0).map(|v| v as u8)).transpose()?,
        polygons: polygons.map(|n| n.boolean()).transpose()?.unwrap_or(false),
    })
}

fn change_spec(node: &Node<'_>) -> Result<Change> {
    let mut fields = node.table()?;
    let index = fields.get("index");
    let breaks = fields.get("breaks");
    let polygons = fields.get("polygons");
    fields.finish()?;
    let index = match index {
        Some(n) => Placed::new(n.text()?.to_owned(), &n),
        None => Placed::new("NDVI".to_owned(), node),
    };
    let breaks = match breaks {
        None => None,
        Some(n) => {
            let values = n.list()?.iter().map(Node::number).collect::<Result<Vec<_>>>()?;
            let four: [f64; 4] = values.try_into().map_err(|_| n.fail("expected four numbers"))?;
            if four.windows(2).any(|w| w[0] >= w[1]) {
                return Err(n.fail(&format!("found {four:?}, expected ascending numbers")));
            }
            Some(four)
        }
    };
    Ok(Change { index, breaks, polygons: polygons.map(|n| n.boolean()).transpose()?.unwrap_or(false) })
}
