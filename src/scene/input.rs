//! What may be opened: local regular files, plain or under a role (`nir=b8.tif`), and folders of products.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::raster::Role;

/// The local regular file an input names.
///
/// # Errors
/// Usage error for an empty name and `-`; input error for remote sources, folders, missing files and whatever is not a
/// regular file (devices, pipes), which must not be read from.
pub fn local_file(input: impl AsRef<OsStr>) -> Result<PathBuf> {
    let path = local(input)?;
    if path.is_dir() {
        return Err(Error::input(format!("{}: is a folder, expected a file; name the file", path.display())));
    }
    Ok(path)
}

/// As [`local_file`], or a folder.
pub(super) fn local(input: impl AsRef<OsStr>) -> Result<PathBuf> {
    let path = Path::new(input.as_ref());
    let text = path.to_string_lossy();
    if text.is_empty() {
        return Err(Error::usage("an input has an empty name; name a file"));
    }
    if text == "-" {
        return Err(Error::usage("-: standard input is not supported; name a file"));
    }
    if text.contains("://") || text.starts_with("/vsi") {
        return Err(Error::input(format!("{text}: remote sources are not built in yet; copy the file here first")));
    }
    let kind = std::fs::metadata(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::input(format!("{text}: no such file; check the path")),
        _ => Error::input(format!("{text}: cannot be opened: {e}")),
    })?;
    if !kind.is_file() && !kind.is_dir() {
        return Err(Error::input(format!("{text}: is not a regular file (a device or pipe); name a file")));
    }
    Ok(path.to_owned())
}

/// An input as the user wrote it, checked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Input {
    /// A raster whose bands tell their roles, or a product: a folder, an archive or an item of a catalogue.
    Plain(PathBuf),
    /// A raster of one role.
    Named(Role, PathBuf),
}

impl Input {
    /// `ROLE=FILE` or a file. What stands before `=` is a role if it is one plain word and no file has the whole name.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let word = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match text.split_once('=') {
            Some((role, file)) if word(role) && !Path::new(text).exists() => {
                Ok(Self::Named(role.parse()?, local_file(file)?))
            }
            _ => Ok(Self::Plain(local(text)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn only_regular_local_files_are_opened() {
        let kind = |t: &str| local_file(t).unwrap_err().kind();
        assert_eq!(kind(""), Kind::Usage);
        assert_eq!(kind("-"), Kind::Usage);
        assert_eq!(kind("nope.tif"), Kind::Input);
        assert_eq!(kind("/dev/zero"), Kind::Input);
        assert_eq!(kind("."), Kind::Input);
        let remote = local_file("https://key:secret@host/x.tif").unwrap_err();
        assert!(!remote.to_string().contains("secret"), "{remote}");
    }

    #[test]
    fn role_before_equals_sign() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a=b.tif");
        std::fs::write(&file, "").unwrap();
        let name = file.to_str().unwrap();
        assert_eq!(Input::parse(name).unwrap(), Input::Plain(file.clone()));
        assert_eq!(Input::parse(&format!("S1={name}")).unwrap(), Input::Named(Role::Swir16, file.clone()));
        assert!(Input::parse(&format!("rde={name}")).unwrap_err().to_string().contains("red"));
    }
}
