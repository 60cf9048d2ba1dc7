//! Where an asset of a catalogue item may point: a file beside the item or below it, nothing else.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Why an asset cannot be read.
pub(super) enum Unread {
    /// It points where nothing may be read from; the item is refused.
    Refused(Error),
    /// It is remote, or not downloaded; other assets may do.
    Absent(Error),
}

/// The file an `href` names, seen from the folder of the item.
pub(super) fn resolve(href: &str, folder: &Path, item: &str) -> Result<PathBuf, Unread> {
    let refused = |why: &str| {
        Unread::Refused(Error::input(format!(
            "{item}: asset {href:?} {why}; only files in the folder of the item are read, put them there and mend the href"
        )))
    };
    if href.chars().any(char::is_control) {
        return Err(refused("holds control characters"));
    }
    if let Some((scheme, rest)) = href.split_once(':')
        && scheme.len() > 1
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    {
        return match scheme.to_ascii_lowercase().as_str() {
            "https" | "http" | "s3" | "gs" | "az" => Err(Unread::Absent(Error::input(format!(
                "{item}: asset {scheme}:{} is remote, and remote sources are not read yet; download it into the folder of the item \
                 and name it there in the href",
                crate::error::mask_secrets(rest)
            )))),
            _ => Err(refused("has a scheme that is not read")),
        };
    }
    let plain = decode(href).ok_or_else(|| refused("is not properly encoded"))?;
    let path = Path::new(&plain);
    if plain.contains('\0') || path.is_absolute() || plain.starts_with('\\') {
        return Err(refused("is an absolute path"));
    }
    // Names are shown and compared: `./a.tif` is `a.tif`.
    let joined: PathBuf =
        folder.join(path).components().filter(|c| !matches!(c, std::path::Component::CurDir)).collect();
    let real = std::fs::canonicalize(&joined);
    let climbs = path.components().any(|c| matches!(c, std::path::Component::ParentDir));
    match (real, std::fs::canonicalize(folder)) {
        (Ok(real), Ok(folder)) if real.starts_with(&folder) => Ok(joined),
        (Ok(_), _) => Err(refused("leaves the folder of the item")),
        (Err(_), _) if climbs => Err(refused("leaves the folder of the item")),
        (Err(e), _) => Err(Unread::Absent(Error::input(format!(
            "{item}: asset {}: {e}; download it, or name the bands that are there by role: red=FILE nir=FILE",
            joined.display()
        )))),
    }
}

/// Undoes `%2e`, once.
fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b'%' {
            out.push(u8::from_str_radix(text.get(i + 1..i + 3)?, 16).ok()?);
            i += 3;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_below_the_item_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("item");
        std::fs::create_dir_all(folder.join("x")).unwrap();
        for file in ["item/x/B 04.tif", "out.tif"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        assert!(resolve("./x/B%2004.tif", &folder, "i").is_ok());
        let refused = |href| matches!(resolve(href, &folder, "i"), Err(Unread::Refused(_)));
        for href in
            ["../out.tif", "%2e%2e/out.tif", "/etc/passwd", "file:///etc/passwd", "data:x", "a\nb", "./../nope.tif"]
        {
            assert!(refused(href), "{href}");
        }
        for href in ["https://key:secret@host/x.tif", "B99.tif"] {
            match resolve(href, &folder, "i") {
                Err(Unread::Absent(e)) => assert!(!e.to_string().contains("secret"), "{e}"),
                _ => unreachable!("{href}"),
            }
        }
        std::os::unix::fs::symlink(dir.path().join("out.tif"), folder.join("link.tif")).unwrap();
        assert!(refused("link.tif"));
    }
}
