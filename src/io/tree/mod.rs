//! The files of a product as downloaded: a folder, or an archive whose members are read in place.

mod folder;
mod tape;
mod zipped;

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sniff::{self, What};
use crate::error::{Error, Result};
use crate::raster::Source;

/// Most files a product may have; more is a wrong folder or a bomb.
const MOST: usize = 10_000;
/// Largest text that is read whole (metadata of products are far below a megabyte).
const LONGEST_TEXT: u64 = 32 << 20;

/// The files of a folder or archive, by their paths inside it.
#[derive(Clone)]
pub struct Tree {
    root: PathBuf,
    entries: Vec<Entry>,
}

/// One file of a [`Tree`].
#[derive(Clone, Debug)]
pub struct Entry {
    path: String,
    size: u64,
    place: Place,
}

/// Where the bytes of an entry are.
#[derive(Clone, Debug)]
enum Place {
    /// A file of its own.
    File(PathBuf),
    /// Stored as it is in the archive, from this byte.
    Stored(u64),
    /// Compressed; the number of the member.
    Packed(usize),
}

impl Entry {
    /// Path inside the tree, with `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The file, where the entry is one of its own.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Stored(_) | Place::Packed(_) => None,
        }
    }

    /// The last part of the path.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("root", &self.root).field("entries", &self.entries.len()).finish()
    }
}

impl Tree {
    /// The files for which `keep` holds.
    #[must_use]
    pub fn only(mut self, keep: impl Fn(&Entry) -> bool) -> Self {
        self.entries.retain(keep);
        self
    }

    /// Lists a folder, a zip or a tar; nothing where `path` is another kind of file.
    ///
    /// # Errors
    /// Input errors that name what is wrong: too many files, links, encrypted members, names that leave the archive, damage.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let name = path.display();
        let failed = |e: std::io::Error| Error::from_io(&format!("opening {name}"), &e);
        let entries = if std::fs::metadata(path).map_err(failed)?.is_dir() {
            folder::list(path)?
        } else {
            let mut head = Vec::with_capacity(sniff::HEAD);
            let file = std::fs::File::open(path).map_err(failed)?;
            file.take(sniff::HEAD as u64).read_to_end(&mut head).map_err(failed)?;
            match sniff::what(&head) {
                What::Zip => zipped::list(path)?,
                What::Tar => tape::list(path)?,
                _ => return Ok(None),
            }
        };
        Ok(Some(Self { root: path.to_owned(), entries }))
    }

    /// The folder or archive.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its files, in order of their paths.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What messages call an entry.
    #[must_use]
    pub fn name(&self, entry: &Entry) -> String {
        format!("{}/{}", self.root.display(), entry.path)
    }

    /// The text of an entry.
    ///
    /// # Errors
    /// Failed reading; input error for what is too large or not UTF-8.
    pub fn text(&self, entry: &Entry) -> Result<String> {
        let name = self.name(entry);
        if entry.size > LONGEST_TEXT {
            return Err(Error::input(format!(
                "{name}: metadata of {} bytes are not read (most: {LONGEST_TEXT}); the file is not what its name says",
                entry.size
            )));
        }
        let bytes = match &entry.place {
            Place::File(path) => std::fs::read(path).map_err(|e| Error::from_io(&format!("reading {name}"), &e))?,
            Place::Stored(at) => {
                let file = super::file::InputFile::open_part(&name, &self.root, *at, entry.size)?;
                let mut bytes = vec![0; entry.size as usize];
                file.read_at(&mut bytes, 0, "text")?;
                bytes
            }
            Place::Packed(index) => zipped::bytes(&self.root, *index, &name, entry.size)?,
        };
        String::from_utf8(bytes).map_err(|e| {
            Error::input(format!("{name}: byte {} is not UTF-8; expected text", e.utf8_error().valid_up_to()))
        })
    }

    /// Opens an entry that is a raster. A compressed member is inflated into a temporary file first, whose checksum is
    /// verified and which goes when the source does.
    ///
    /// # Errors
    /// As [`super::open_raster`]; damaged members; a temporary folder that cannot take the file.
    pub fn raster(&self, entry: &Entry) -> Result<Arc<dyn Source>> {
        match &entry.place {
            Place::File(path) => super::open_raster(path),
            Place::Stored(at) => super::open_part(&self.name(entry), &self.root, *at, entry.size),
            Place::Packed(index) => zipped::raster(&self.root, *index, &self.name(entry), entry.size),
        }
    }
}

/// Fails where a member's name leaves the archive or could be taken for a place outside it.
fn check_name(archive: &Path, name: &str) -> Result<()> {
    let drive = name.as_bytes().get(1) == Some(&b':');
    let climbs = name.split(['/', '\\']).any(|part| part == "..");
    if name.starts_with(['/', '\\']) || drive || climbs || name.contains(['\\', '\0', '\n']) {
        return Err(Error::input(format!(
            "{}: member {name:?} names a place outside the archive; it is hostile or broken, fetch it again",
            archive.display()
        )));
    }
    Ok(())
}

/// Fails where there are more files than any product has.
fn check_count(root: &Path, count: usize) -> Result<()> {
    if count > MOST {
        return Err(Error::input(format!(
            "{}: holds more than {MOST} files and folders, which no scene does; name the folder of one scene",
            root.display()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zip(dir: &Path, members: &[(&str, &[u8], zip::CompressionMethod)]) -> PathBuf {
        let path = dir.join("a.zip");
        let mut writer = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        for (name, bytes, method) in members {
            let options = zip::write::SimpleFileOptions::default().compression_method(*method);
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    fn tif() -> Vec<u8> {
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/rasters/u8_deflate_tiles.tif")).unwrap()
    }

    #[test]
    fn members_of_archives_are_read_like_files() {
        use zip::CompressionMethod::{Deflated, Stored};
        let dir = tempfile::tempdir().unwrap();
        let tif = tif();
        let path =
            zip(dir.path(), &[("x/a.tif", &tif, Stored), ("x/b.tif", &tif, Deflated), ("m.txt", b"hi", Deflated)]);
        let tree = Tree::open(&path).unwrap().unwrap();
        let paths: Vec<_> = tree.entries().iter().map(Entry::path).collect();
        assert_eq!(paths, ["m.txt", "x/a.tif", "x/b.tif"]);
        assert_eq!(tree.text(&tree.entries()[0]).unwrap(), "hi");
        let (a, b) = (tree.raster(&tree.entries()[1]).unwrap(), tree.raster(&tree.entries()[2]).unwrap());
        assert_eq!(a.grid(), b.grid());
        b.open().unwrap();
        assert!(tree.text(&tree.entries()[1]).unwrap_err().to_string().contains("a.zip/x/a.tif"));

        let path = dir.path().join("a.tar");
        let mut tar = tar::Builder::new(std::fs::File::create(&path).unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_size(tif.len() as u64);
        tar.append_data(&mut header, "x/a.tif", tif.as_slice()).unwrap();
        tar.into_inner().unwrap();
        let tree = Tree::open(&path).unwrap().unwrap();
        assert_eq!(tree.raster(&tree.entries()[0]).unwrap().grid(), a.grid());
    }

    #[test]
    fn names_that_leave_the_archive_are_refused() {
        let bad = |name| check_name(Path::new("a.zip"), name).is_err();
        assert!(bad("../a") && bad("x/../../a") && bad("/a") && bad("C:/a") && bad("x\\a") && bad("a\0b"));
        assert!(!bad("S2A.SAFE/GRANULE/a..b.jp2"));
    }

    #[test]
    fn links_that_go_round_end() {
        let dir = tempfile::tempdir().unwrap();
        for link in ["a", "b", "c", "d"] {
            std::os::unix::fs::symlink(dir.path(), dir.path().join(link)).unwrap();
        }
        assert!(Tree::open(dir.path()).unwrap_err().to_string().contains("10000"));
    }

    #[test]
    fn other_files_are_no_tree() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        std::fs::write(&path, "text").unwrap();
        assert!(Tree::open(&path).unwrap().is_none());
        assert_eq!(Tree::open(dir.path()).unwrap().unwrap().entries()[0].file_name(), "a.txt");
    }
}
