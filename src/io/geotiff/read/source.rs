//! A GeoTIFF as a [`Source`].

use std::path::Path;
use std::sync::Arc;

use super::decode::BlockDecoder;
use super::ifd::Tiff;
use super::image::Image;
use super::mask::{self, Mask};
use super::metadata;
use super::place;
use super::reader::GeoTiffReader;
use super::storage;
use crate::error::Result;
use crate::grid::{Grid, Window};
use crate::io::cache::BlockCache;
use crate::io::file::InputFile;
use crate::raster::{Band, BlockLayout, Reader, Source};

/// What workers share of an open GeoTIFF.
pub(super) struct Shared {
    pub(super) tiff: Tiff,
    pub(super) image: Arc<Image>,
    pub(super) bands: Vec<Band>,
    pub(super) masks: Vec<Mask>,
    /// Band that is an alpha channel.
    pub(super) alpha: Option<usize>,
    pub(super) cache: Arc<BlockCache>,
}

/// An open GeoTIFF or COG, read without GDAL.
pub struct GeoTiff {
    shared: Arc<Shared>,
    grid: Grid,
    metadata: Vec<(String, String)>,
    warnings: Vec<String>,
    storage: Vec<(String, String)>,
}

impl GeoTiff {
    /// Opens a file whose content is a TIFF. Only the first page is the raster; overviews are never read.
    ///
    /// # Errors
    /// Damage and unsupported features, by name, with the remedy.
    pub fn open(path: &Path) -> Result<Self> {
        Self::from_file(InputFile::open(path)?)
    }

    /// Opens the `len` bytes of `path` from byte `at` as a TIFF: a member that an archive stores without compression.
    /// Messages call it `name`.
    ///
    /// # Errors
    /// As [`GeoTiff::open`].
    pub fn open_part(name: &str, path: &Path, at: u64, len: u64) -> Result<Self> {
        Self::from_file(InputFile::open_part(name, path, at, len)?)
    }

    fn from_file(file: InputFile) -> Result<Self> {
        let tiff = Tiff::open(Arc::new(file))?;
        let ifd = tiff.main()?;
        let mut warnings = Vec::new();
        if !ifd.repeated.is_empty() {
            warnings.push(format!("tags {:?} occur twice; the first counts", ifd.repeated));
        }
        let image = Arc::new(Image::new(&tiff, &ifd)?);
        let (others, cut) = tiff.others(&ifd);
        warnings.extend(cut);
        let (bands, metadata) = metadata::read(&tiff, &ifd, &image, &mut warnings);
        let grid = place::grid(&tiff, &ifd, image.cols, image.rows, &mut warnings);
        let masks = mask::find(&tiff, &image, &others)?;
        let alpha = image.alpha();
        let storage = storage::describe(&tiff, &ifd, &image, &others, masks.len());
        tiff.file.check_delivered()?;
        let shared = Arc::new(Shared { tiff, image, bands, masks, alpha, cache: Arc::default() });
        Ok(Self { shared, grid, metadata, warnings, storage })
    }
}

impl Source for GeoTiff {
    fn name(&self) -> &str {
        self.shared.tiff.file.name()
    }

    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn bands(&self) -> &[Band] {
        &self.shared.bands
    }

    fn metadata(&self) -> &[(String, String)] {
        &self.metadata
    }

    fn storage(&self) -> &[(String, String)] {
        &self.storage
    }

    fn layout(&self) -> BlockLayout {
        let i = &self.shared.image;
        BlockLayout {
            cols: i.block_cols.min(i.cols),
            rows: i.block_rows.min(i.rows),
            interleaved: !i.planar && i.samples > 1,
        }
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn scratch_bytes(&self, window: Window) -> u64 {
        let shared = &self.shared;
        let alpha = shared.alpha.map_or(0, |a| window.cells() * shared.bands[a].dtype.bytes()) as u64;
        BlockDecoder::buffer_bytes(&shared.image) + alpha + shared.masks.iter().map(Mask::scratch_bytes).sum::<u64>()
    }

    fn lent_bytes(&self, _window: Window) -> u64 {
        BlockDecoder::lent_bytes(&self.shared.image)
    }

    fn kept_bytes(&self, bands: usize, rows: usize) -> u64 {
        let i = &self.shared.image;
        let planes = if i.planar { bands } else { 1 };
        // Rows of blocks that so many rows of pixels may meet.
        let down = (rows.div_ceil(i.block_rows) + 1).min(i.rows.div_ceil(i.block_rows));
        (down * i.cols.div_ceil(i.block_cols) * planes) as u64 * i.decoded_bytes() as u64
    }

    fn keep_blocks(&self, bytes: u64) {
        self.shared.cache.set_room(bytes);
    }

    fn is_empty(&self, window: Window) -> bool {
        let shared = &self.shared;
        shared.bands.iter().all(|b| b.nodata.is_some())
            && window.cells() > 0
            && shared.image.is_absent(&shared.tiff, window)
    }

    fn open(&self) -> Result<Box<dyn Reader>> {
        self.shared.tiff.file.check_unchanged()?;
        Ok(Box::new(GeoTiffReader::new(Arc::clone(&self.shared))))
    }
}
