//! Coordinate reference systems.

use std::fmt;

use crate::error::{Error, Result};

/// What the coordinates of a CRS are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrsKind {
    /// Longitude and latitude in degrees (x is longitude, always).
    Geographic,
    /// Plane coordinates on a map projection.
    Projected,
    /// Plane coordinates in metres without a place on Earth (`--crs local`).
    Local,
}

/// A coordinate reference system: an EPSG code where one is known, and the PROJ definition that transforms use.
#[derive(Clone, Debug)]
pub struct Crs {
    /// EPSG code.
    pub epsg: Option<u16>,
    /// Name for people.
    pub name: String,
    /// PROJ string (`+proj=utm +zone=34 …`); empty for [`CrsKind::Local`].
    pub definition: String,
    /// What the coordinates are.
    pub kind: CrsKind,
    /// Metres per coordinate unit (1 for metres, 0.3048006… for US survey feet, 1 for degrees, where it means nothing).
    pub metres_per_unit: f64,
}

impl Crs {
    /// Plane coordinates in metres without a place on Earth.
    #[must_use]
    pub fn local() -> Self {
        Self { epsg: None, name: "local".into(), definition: String::new(), kind: CrsKind::Local, metres_per_unit: 1.0 }
    }

    /// The CRS with an EPSG code.
    ///
    /// # Errors
    /// Input error that names the unknown code.
    pub fn from_epsg(code: u16) -> Result<Self> {
        let def = crs_definitions::from_code(code)
            .ok_or_else(|| Error::input(format!("EPSG:{code} is not a known coordinate reference system")))?;
        Self::from_proj(def.proj4, Some(code), &format!("EPSG:{code}"))
    }

    /// The CRS of a PROJ string.
    ///
    /// # Errors
    /// Input error where the definition cannot be used.
    pub fn from_proj(definition: &str, epsg: Option<u16>, name: &str) -> Result<Self> {
        let geographic = definition.contains("+proj=longlat") || definition.contains("+proj=latlong");
        Ok(Self {
            epsg,
            name: name.into(),
            definition: definition.into(),
            kind: if geographic { CrsKind::Geographic } else { CrsKind::Projected },
            metres_per_unit: 1.0,
        })
    }

    /// `EPSG:n`, `local`, or a PROJ string.
    ///
    /// # Errors
    /// Usage error that says what is allowed.
    pub fn parse(text: &str) -> Result<Self> {
        let t = text.trim();
        if t.eq_ignore_ascii_case("local") {
            return Ok(Self::local());
        }
        if t.starts_with("+proj=") {
            return Self::from_proj(t, None, t);
        }
        if t.eq_ignore_ascii_case("OGC:CRS84") {
            return Self::from_epsg(4326);
        }
        let code = t.strip_prefix("EPSG:").or_else(|| t.strip_prefix("epsg:")).and_then(|n| n.parse().ok());
        match code {
            Some(code) => Self::from_epsg(code),
            None => Err(Error::usage(format!("CRS {t:?} is not understood; write EPSG:n, local or a +proj= string"))),
        }
    }

    /// True for longitude and latitude.
    #[must_use]
    pub fn is_geographic(&self) -> bool {
        self.kind == CrsKind::Geographic
    }

    /// True where both name the same system; two unknown ones count as the same.
    #[must_use]
    pub fn same(a: Option<&Self>, b: Option<&Self>) -> bool {
        match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => a == b,
            _ => false,
        }
    }
}

impl PartialEq for Crs {
    fn eq(&self, other: &Self) -> bool {
        match (self.epsg, other.epsg) {
            (Some(a), Some(b)) => a == b,
            _ => self.kind == other.kind && self.definition == other.definition,
        }
    }
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.epsg {
            Some(code) => write!(f, "EPSG:{code}"),
            None => write!(f, "{}", self.name),
        }
    }
}
