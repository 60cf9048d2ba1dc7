//! `[[scene]]` and `scenes = "pattern"`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Placed;
use crate::error::{Error, Kind, Result};
use crate::project::document::Node;
use crate::raster::Role;

/// Files matched by one pattern; a larger archive is split into projects.
const LIMIT_MATCHES: usize = 20_000;

/// Where the bands of a scene are.
#[derive(Clone, Debug, PartialEq)]
pub enum Files {
    /// One product or raster; positions of bands (from 1) where metadata cannot name them.
    One(Placed<PathBuf>, Vec<(Role, usize)>),
    /// A file a role.
    Named(Vec<(Role, Placed<PathBuf>)>),
}

/// Reduction of a stack of dates to one scene.
#[derive(Clone, Debug, PartialEq)]
pub struct Composite {
    /// First date.
    pub from: String,
    /// Last date, included.
    pub to: String,
    /// `median`, `max-ndvi`, …, checked when the scene is opened.
    pub method: Placed<String>,
}

/// A scene as asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneSpec {
    /// `file:line: scene`.
    pub place: String,
    /// Where the bands are.
    pub files: Files,
    /// Acquisition date that overrides metadata.
    pub date: Option<String>,
    /// What the scene is to the project: `before`, `after`, or any word; names its outputs.
    pub role: Option<String>,
    /// `default`, `none` or a list of class names.
    pub mask: Option<Placed<String>>,
    /// Scale that overrides metadata.
    pub scale: Option<f64>,
    /// Offset that overrides metadata.
    pub offset: Option<f64>,
    /// Sentinel-2 offset in stored units that overrides metadata: `apply`, `none` or a number in quotes.
    pub boa_offset: Option<Placed<String>>,
    /// Reduce the dates of a stack.
    pub composite: Option<Composite>,
}

impl SceneSpec {
    /// A scene error with the place it was written at.
    #[must_use]
    pub fn fail(&self, kind: Kind, what: &str) -> Error {
        Error::new(kind, format!("{}: {what}", self.place))
    }
    /// Every file it names.
    #[must_use]
    pub fn paths(&self) -> Vec<&Path> {
        match &self.files {
            Files::One(path, _) => vec![&path.value],
            Files::Named(bands) => bands.iter().map(|(_, p)| p.value.as_path()).collect(),
        }
    }
}

/// Reads a `[[scene]]`.
pub(super) fn scene(node: &Node<'_>, warnings: &mut Vec<String>) -> Result<SceneSpec> {
    let mut fields = node.table()?;
    let path = fields.get("path");
    let bands = fields.get("bands");
    let stack = fields.get("stack");
    let date = fields.get("date");
    let role = fields.get("role");
    let mask = fields.get("mask");
    let scale = fields.get("scale");
    let offset = fields.get("offset");
    let boa_offset = fields.get("boa_offset");
    let composite = fields.get("composite");
    fields.finish()?;
    let files = match (path, bands, stack) {
        (Some(path), bands, None) => {
            let positions = bands.map(|b| positions(&b)).transpose()?.unwrap_or_default();
            Files::One(Placed::new(path.existing()?, &path), positions)
        }
        (None, Some(bands), None) | (None, None, Some(bands)) => Files::Named(named(&bands)?),
        _ => return Err(node.fail("write path = \"scene.tif\", or bands = { red = \"b4.tif\", nir = \"b8.tif\" }")),
    };
    let date = match date {
        Some(node) => {
            let (day, note) = node.date()?;
            warnings.extend(note);
            Some(day)
        }
        None => None,
    };
    let role = role.map(|n| role_name(&n)).transpose()?;
    let text = |n: Node<'_>| Ok::<_, Error>(Placed::new(n.text()?.to_owned(), &n));
    let (mask, boa_offset) = (mask.map(text).transpose()?, boa_offset.map(text).transpose()?);
    Ok(SceneSpec {
        place: node.place(),
        files,
        date,
        role,
        mask,
        scale: scale.map(|n| n.number_where("a number other than 0", |v| v != 0.0)).transpose()?,
        offset: offset.map(|n| n.number()).transpose()?,
        boa_offset,
        composite: composite.map(|n| composite_spec(&n)).transpose()?,
    })
}

/// A role becomes part of file names.
fn role_name(node: &Node<'_>) -> Result<String> {
    let text = node.text()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if text.is_empty() || text.len() > 40 || !text.chars().all(plain) {
        return Err(
            node.fail(&format!("found {text:?}, expected a word of letters, digits, - and _, such as \"before\""))
        );
    }
    Ok(text.to_owned())
}

fn band_role(name: &str, node: &Node<'_>) -> Result<Role> {
    name.parse().map_err(|e: Error| node.wrap(&e))
}

fn positions(node: &Node<'_>) -> Result<Vec<(Role, usize)>> {
    let mut found = Vec::new();
    for (name, node) in node.table()?.all() {
        let role = band_role(&name, &node)?;
        match node.integer()? {
            band if (1..=65_535).contains(&band) => found.push((role, band as usize)),
            band => return Err(node.fail(&format!("found band {band}, expected 1 or more"))),
        }
    }
    Ok(found)
}

fn named(node: &Node<'_>) -> Result<Vec<(Role, Placed<PathBuf>)>> {
    let mut found: Vec<(Role, Placed<PathBuf>)> = Vec::new();
    for (name, node) in node.table()?.all() {
        if node.is_integer() {
            return Err(node.fail("a band number needs path = \"scene.tif\" beside bands"));
        }
        let role = band_role(&name, &node)?;
        if found.iter().any(|(r, _)| *r == role) {
            return Err(node.fail(&format!("role {role} is given twice")));
        }
        found.push((role, Placed::new(node.existing()?, &node)));
    }
    if found.is_empty() {
        return Err(node.fail("no band; write bands = { red = \"b4.tif\", nir = \"b8.tif\" }"));
    }
    Ok(found)
}

fn composite_spec(node: &Node<'_>) -> Result<Composite> {
    let mut fields = node.table()?;
    let from = fields.need("from", "from = 2019-06-01")?;
    let to = fields.need("to", "to = 2019-09-30")?;
    let method = fields.get("method");
    fields.finish()?;
    let ((first, _), (last, _)) = (from.date()?, to.date()?);
    if first > last {
        return Err(from.fail(&format!("found {first}, expected a date not after to = {last}")));
    }
    let method = match method {
        Some(m) => Placed::new(m.text()?.to_owned(), &m),
        None => Placed::new("median".to_owned(), node),
    };
    Ok(Composite { from: first, to: last, method })
}

/// Scenes matched by a pattern relative to the project file: `*` and `?` in a name, `**` for any folders.
pub(super) fn matching(node: &Node<'_>) -> Result<Vec<SceneSpec>> {
    let pattern = node.path()?;
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let part = part.as_os_str().to_string_lossy().into_owned();
        found = if part == "**" {
            let mut all = Vec::new();
            found.iter().for_each(|f| folders(f, 0, &mut all));
            all
        } else if part.contains(['*', '?']) {
            found.iter().flat_map(|f| entries(f)).filter(|p| name_matches(p, &part)).collect()
        } else {
            found.into_iter().map(|f| f.join(&part)).collect()
        };
        if found.len() > LIMIT_MATCHES {
            return Err(node.fail_as(Kind::Limit, &format!("more than {LIMIT_MATCHES} files match; split the project")));
        }
    }
    found.retain(|p| p.exists());
    found.sort();
    if found.is_empty() {
        return Err(node.fail_as(
            Kind::Input,
            &format!("no file matches {}; patterns are relative to the project file", pattern.display()),
        ));
    }
    let scene = |path| SceneSpec {
        place: node.place(),
        files: Files::One(Placed::new(path, node), Vec::new()),
        date: None,
        role: None,
        mask: None,
        scale: None,
        offset: None,
        boa_offset: None,
        composite: None,
    };
    Ok(found.into_iter().map(scene).collect())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut all: Vec<_> =
        std::fs::read_dir(folder).map(|d| d.flatten().map(|e| e.path()).collect()).unwrap_or_default();
    all.sort();
    all
}

/// A folder and all below it; links are not followed and the depth is bounded, so a loop cannot hang the run.
fn folders(folder: &Path, depth: usize, all: &mut Vec<PathBuf>) {
    all.push(folder.to_path_buf());
    if depth < 32 && all.len() <= LIMIT_MATCHES {
        let inside = entries(folder).into_iter().filter(|p| p.is_dir() && !p.is_symlink());
        inside.for_each(|p| folders(&p, depth + 1, all));
    }
}

fn name_matches(path: &Path, pattern: &str) -> bool {
    let Some(name) = path.file_name() else { return false };
    let (name, pattern): (Vec<char>, Vec<char>) = (name.to_string_lossy().chars().collect(), pattern.chars().collect());
    // Row by row of the table "do the first i characters match the first j of the pattern": no recursion, no blow-up.
    let mut row = vec![false; pattern.len() + 1];
    row[0] = true;
    for j in 0..pattern.len() {
        row[j + 1] = row[j] && pattern[j] == '*';
    }
    for c in name {
        let mut next = vec![false; pattern.len() + 1];
        for (j, p) in pattern.iter().enumerate() {
            next[j + 1] = match p {
                '*' => next[j] || row[j + 1],
                '?' => row[j],
                p => row[j] && *p == c,
            };
        }
        row = next;
    }
    row[pattern.len()]
}

/// Drops scenes named twice, with a warning, and refuses two scenes that would write the same files.
pub(super) fn unique(scenes: Vec<SceneSpec>, warnings: &mut Vec<String>) -> Result<Vec<SceneSpec>> {
    let identity = |s: &SceneSpec| {
        let paths: Vec<_> =
            s.paths().iter().map(|p| std::fs::canonicalize(p).unwrap_or_else(|_| p.to_path_buf())).collect();
        let span = s.composite.as_ref().map(|c| (c.from.clone(), c.to.clone(), c.method.value.clone()));
        (paths, span)
    };
    let mut seen = BTreeMap::new();
    let mut roles: BTreeMap<String, String> = BTreeMap::new();
    let mut kept: Vec<SceneSpec> = Vec::new();
    for scene in scenes {
        if let Some(first) = seen.insert(identity(&scene), scene.place.clone()) {
            warnings.push(format!("{}: the same scene as at {first}; it is used once", scene.place));
            continue;
        }
        if let Some(first) = scene.role.as_ref().and_then(|r| roles.insert(r.clone(), scene.place.clone())) {
            return Err(scene.fail(Kind::Usage, &format!("role is taken by {first}; give every scene its own role")));
        }
        kept.push(scene);
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (name, pattern, matches) in [
            ("S2_2018.tif", "*.tif", true),
            ("S2_2018.tif", "S?_*.tif", true),
            ("S2_2018.tiff", "*.tif", false),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*a*a*a*c", false),
        ] {
            assert_eq!(name_matches(Path::new(name), pattern), matches, "{name} {pattern}");
        }
    }
}
