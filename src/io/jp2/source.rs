//! A JPEG 2000 image as a [`Source`].

use std::path::Path;
use std::sync::Arc;

use super::boxes::{self, Boxes};
use super::cut::{self, Stream};
use super::decode::dtype;
use super::index::Index;
use super::reader::Jp2Reader;
use super::tiles::Tiles;
use super::{cost, gml, main_header};
use crate::error::{Error, Result};
use crate::grid::{Grid, Window};
use crate::io::cache::BlockCache;
use crate::io::file::InputFile;
use crate::io::geotiff;
use crate::raster::{Band, BlockLayout, Class, Reader, Source};

/// Compressed tiles may be this many times larger than their samples before their lengths are taken for damage.
const MOST_GROWTH: u64 = 4;
/// Bytes of slack for small tiles, and of the buffer that the decoder reads through.
const SLACK: u64 = 1 << 20;
/// A block that decodes to more than this is refused: it would have to be held whole, many times in parallel.
const MOST_BLOCK_BYTES: u64 = 512 << 20;

/// What workers share of an open image.
pub(super) struct Shared {
    pub(super) file: InputFile,
    pub(super) stream: Stream,
    pub(super) bands: Vec<Band>,
    /// Band that is an alpha channel.
    pub(super) alpha: Option<usize>,
    pub(super) cache: BlockCache,
    /// Bytes a decoder holds to find its way in a tile.
    bookkeeping: u64,
}

/// An open JPEG 2000 image, read without GDAL.
pub struct Jp2 {
    shared: Arc<Shared>,
    grid: Grid,
    warnings: Vec<String>,
    storage: Vec<(String, String)>,
}

impl Jp2 {
    /// Opens a file whose content is a JP2 or a JPEG 2000 codestream.
    ///
    /// # Errors
    /// Damage and unsupported features, by name, with the remedy.
    pub fn open(path: &Path) -> Result<Self> {
        Self::from_file(InputFile::open(path)?)
    }

    /// Opens the `len` bytes of `path` from byte `at` as such a file: a member that an archive stores without compression.
    /// Messages call it `name`.
    ///
    /// # Errors
    /// As [`Jp2::open`].
    pub fn open_part(name: &str, path: &Path, at: u64, len: u64) -> Result<Self> {
        Self::from_file(InputFile::open_part(name, path, at, len)?)
    }

    fn from_file(file: InputFile) -> Result<Self> {
        let boxes = boxes::read(&file)?;
        let header = main_header::read(&file, boxes.codestream)?;
        let tiles = Tiles::new(header.size.clone());
        let (cols, rows) = tiles.image();
        if let Some((c, r)) = boxes.size
            && (c as usize, r as usize) != (cols, rows)
        {
            return Err(file.bad(format!(
                "the file header says {c} x {r} pixels, the codestream {cols} x {rows}; the file is damaged"
            )));
        }
        if boxes.colours == Some(18) {
            return Err(super::unsupported(&file, "YCbCr colours"));
        }
        let index = Index::read(&file, boxes.codestream, header.end, &tiles)?;
        let bookkeeping = check_costs(&file, &header, &tiles, &index)?;
        let bands = bands(&file, &header.size.components, &boxes)?;
        let mut warnings = Vec::new();
        let grid = grid(&file, &boxes, cols, rows, &mut warnings);
        let storage = describe(&header, &tiles, &boxes);
        file.check_delivered()?;
        let alpha = boxes.alpha.filter(|a| *a < bands.len() && bands.len() > 1);
        let stream = Stream { header, tiles, index };
        let shared = Arc::new(Shared { file, stream, bands, alpha, cache: BlockCache::default(), bookkeeping });
        Ok(Self { shared, grid, warnings, storage })
    }

    /// Bytes of a decoded block of all components.
    fn block_bytes(&self) -> u64 {
        let (cols, rows) = self.shared.stream.tiles.block();
        let pixel: usize = self.shared.bands.iter().map(|b| b.dtype.bytes()).sum();
        (cols * rows * pixel) as u64
    }
}

/// Refuses what could not be decoded in bounded memory; tells what the decoder holds besides samples.
fn check_costs(file: &InputFile, header: &main_header::MainHeader, tiles: &Tiles, index: &Index) -> Result<u64> {
    let n = header.size.components.len();
    let (cols, rows) = tiles.block();
    let samples = (cols as u64 * rows as u64).saturating_mul(n as u64);
    if samples.saturating_mul(4) > MOST_BLOCK_BYTES {
        return Err(Error::limit(format!(
            "{}: one tile of {cols} x {rows} pixels and {n} bands decodes to over {} MiB; rewrite the file \
             (gdal_translate -of COG IN OUT.tif)",
            file.name(),
            MOST_BLOCK_BYTES >> 20
        )));
    }
    let [_, _, tile_cols, tile_rows] = header.size.tile;
    let (all_cols, all_rows) = tiles.image();
    let pixels = (all_cols as u64).min(u64::from(tile_cols)) * (all_rows as u64).min(u64::from(tile_rows));
    let most = pixels.saturating_mul(2 * n as u64).saturating_mul(MOST_GROWTH) + SLACK;
    if index.largest() > most {
        return Err(file.bad(format!(
            "a tile is said to take {} bytes, at most {most} are plausible; the file is damaged",
            index.largest()
        )));
    }
    // No tile is larger than this one, wherever it lies.
    let area = [0, 0, tile_cols.min(all_cols as u32), tile_rows.min(all_rows as u32)];
    let bytes = cost::bookkeeping(area, n, &header.coding, &header.others);
    if bytes > cost::MOST_BYTES {
        return Err(cut::too_costly(file, bytes));
    }
    Ok(bytes)
}

fn bands(file: &InputFile, components: &[main_header::Component], boxes: &Boxes) -> Result<Vec<Band>> {
    let mut bands: Vec<Band> = components.iter().map(|c| Band::new(dtype(*c))).collect();
    if let Some(colours) = &boxes.palette {
        let [band] = bands.as_mut_slice() else {
            return Err(super::unsupported(file, "a palette over several components"));
        };
        band.classes = colours.iter().enumerate().map(|(i, rgb)| Class::new(i as u8, "", *rgb)).collect();
    }
    Ok(bands)
}

/// Where the image lies: by its GeoTIFF box, else by GML. What cannot be used is told in `warnings`.
fn grid(file: &InputFile, boxes: &Boxes, cols: usize, rows: usize, warnings: &mut Vec<String>) -> Grid {
    if let Some((at, len)) = boxes.geotiff {
        let own = file.section(file.name(), at, len);
        match own.and_then(|f| geotiff::place_of(f, cols, rows, warnings)) {
            Ok(grid) if grid.place().is_some() || boxes.gml.is_none() => return grid,
            Ok(_) => {}
            Err(e) => warnings.push(format!("the GeoTIFF box is not used: {}", e.message())),
        }
    }
    match boxes.gml.as_deref().map(gml::read) {
        Some(Ok((affine, crs))) => Grid::new(cols, rows, affine, crs),
        Some(Err(why)) => Grid::unplaced(cols, rows, why, None),
        None => Grid::unplaced(cols, rows, "the file holds no georeference", None),
    }
}

fn describe(header: &main_header::MainHeader, tiles: &Tiles, boxes: &Boxes) -> Vec<(String, String)> {
    let coding = &header.coding;
    let placed = match (boxes.geotiff, &boxes.gml) {
        (Some(_), _) => "GeoJP2",
        (None, Some(_)) => "GMLJP2",
        (None, None) => "none",
    };
    let bits = header.size.components.first().map_or(0, |c| c.bits);
    [
        ("format", "JPEG 2000".to_owned()),
        ("blocks", format!("{} tiles", tiles.count())),
        ("compression", if coding.reversible { "reversible wavelet" } else { "irreversible wavelet" }.to_owned()),
        ("bits", bits.to_string()),
        ("layers", coding.layers.to_string()),
        ("resolutions", (coding.blocks.levels + 1).to_string()),
        ("georeference", placed.to_owned()),
    ]
    .map(|(k, v)| (k.to_owned(), v))
    .into()
}

impl Source for Jp2 {
    fn name(&self) -> &str {
        self.shared.file.name()
    }

    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn bands(&self) -> &[Band] {
        &self.shared.bands
    }

    fn storage(&self) -> &[(String, String)] {
        &self.storage
    }

    fn layout(&self) -> BlockLayout {
        let (cols, rows) = self.shared.stream.tiles.block();
        BlockLayout { cols, rows, interleaved: self.shared.bands.len() > 1 }
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn scratch_bytes(&self, window: Window) -> u64 {
        let shared = &self.shared;
        let (cols, rows) = shared.stream.tiles.block();
        let samples = (cols * rows * shared.bands.len()) as u64;
        // The tile twice, here and in the decoder; coefficients, samples of the decoder and one more copy of a piece.
        let decoder = 2 * shared.stream.index.largest() + SLACK + shared.bookkeeping + 12 * samples;
        let alpha = shared.alpha.map_or(0, |a| window.cells() * shared.bands[a].dtype.bytes()) as u64;
        decoder + self.block_bytes() + alpha
    }

    fn kept_bytes(&self, _bands: usize, rows: usize) -> u64 {
        self.shared.stream.tiles.met_by(rows) as u64 * self.block_bytes()
    }

    fn keep_blocks(&self, bytes: u64) {
        self.shared.cache.set_room(bytes);
    }

    fn open(&self) -> Result<Box<dyn Reader>> {
        self.shared.file.check_unchanged()?;
        Ok(Box::new(Jp2Reader::new(Arc::clone(&self.shared))))
    }
}
