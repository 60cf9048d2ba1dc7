//! The sink: from tiles to a finished file.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::block::{BlockEncoder, FRAME, Framed};
use super::body::Body;
use super::header::{self, Entry, Values};
use super::options::{BigTiff, Codec, CreationOptions, Predictor};
use super::pyramid::{BlockAt, Encoding, Level, Patch, Pyramid};
use super::sample::{Rect, Sample, with_plane};
use super::scaled::{self, ScaledSink};
use super::spool::Chunk;
use super::{keys, metadata};
use crate::engine::{OutBand, Overview};
use crate::error::{Error, Result};
use crate::grid::{Grid, Window};
use crate::io::atomic::{self, AtomicFile};
use crate::io::lock::OutputLock;
use crate::io::style;
use crate::numeric::Moments;
use crate::raster::{Dtype, Encoded, Finished, Ramp, Sink};

/// Files a reader would apply to the output: left from an older file of the name, they would be wrong.
const COMPANIONS: &[&str] = &[".aux.xml", ".ovr", ".msk"];

/// Writes one COG. Equal pixels give equal bytes, whatever the order of encoding.
pub struct CogSink {
    path: PathBuf,
    grid: Grid,
    bands: Vec<OutBand>,
    options: CreationOptions,
    overwrite: bool,
    dtype: Dtype,
    nodata: Option<f64>,
    place: Vec<Entry>,
    /// Of the whole file, by key.
    metadata: Vec<(String, String)>,
    levels: Vec<Level>,
    encoder: Arc<BlockEncoder>,
    pyramid: Pyramid,
    main: Mutex<Main>,
}

/// Blocks of full resolution in the order they were committed, which is how they stay in the file.
struct Main {
    /// Taken when the file is finished.
    body: Option<Body>,
    /// By band × blocks + block; offsets count from the first byte of the body.
    chunks: Vec<Chunk>,
    moments: Vec<Moments>,
}

impl Main {
    fn body(&mut self) -> Result<&mut Body> {
        self.body.as_mut().ok_or_else(finished_twice)
    }
}

fn finished_twice() -> Error {
    Error::bug("a tile was written after the end")
}

/// What `encode` hands to `commit`.
struct Tile {
    blocks: Vec<Block>,
    moments: Vec<Moments>,
}

struct Block {
    at: BlockAt,
    /// Nothing where the block is left out.
    framed: Option<Framed>,
    /// Nothing where there are no overviews.
    patch: Option<Patch>,
}

impl CogSink {
    /// A sink for `bands` of one type on `grid`. The file appears under `path` when the sink is finished; dropped before,
    /// nothing stays. Class bands get a colour table where they are the only band; their names go into GDAL's `.aux.xml`, and
    /// names and colours into a QGIS style (`.qml`) beside the file; quantities have one where the options ask for it.
    ///
    /// # Errors
    /// Usage: the output exists without `overwrite`, is no regular file, or the options do not fit the type. Input: the
    /// CRS has no GeoTIFF form. Limit: larger than a TIFF can be. Locked, I/O: as [`AtomicFile::create`]; also where the
    /// disk is too small for what will surely be written.
    pub fn create(
        path: &Path,
        grid: &Grid,
        bands: &[OutBand],
        options: &CreationOptions,
        overwrite: bool,
    ) -> Result<Box<dyn Sink>> {
        match options.scale {
            Some(scale) if bands.iter().all(|b| b.dtype == Dtype::F32) => {
                let inner = Self::new(path, grid, &scaled::bands(bands, scale), options, overwrite)?;
                Ok(Box::new(ScaledSink::new(Box::new(inner), path.display().to_string(), bands, scale)))
            }
            _ => Ok(Box::new(Self::new(path, grid, bands, options, overwrite)?)),
        }
    }

    /// As [`CogSink::create`], with metadata of the whole file by key. Values are written as they are, without a scale.
    ///
    /// # Errors
    /// As [`CogSink::create`].
    pub fn create_with(
        path: &Path,
        grid: &Grid,
        bands: &[OutBand],
        options: &CreationOptions,
        metadata: &[(String, String)],
        overwrite: bool,
    ) -> Result<Box<dyn Sink>> {
        let sink = Self::new(path, grid, bands, options, overwrite)?;
        Ok(Box::new(Self { metadata: metadata.to_vec(), ..sink }))
    }

    fn new(path: &Path, grid: &Grid, bands: &[OutBand], options: &CreationOptions, overwrite: bool) -> Result<Self> {
        let name = path.display();
        let dtype = match bands {
            [] => return Err(Error::bug(format!("{name}: an output without bands"))),
            [first, rest @ ..] if rest.iter().all(|b| b.dtype == first.dtype) => first.dtype,
            _ => return Err(Error::bug(format!("{name}: bands of one file have different types"))),
        };
        let nodata = nodata_of(bands).map_err(|why| Error::bug(format!("{name}: {why}")))?;
        let longest = i32::MAX as usize;
        if grid.cols == 0 || grid.rows == 0 || grid.cols > longest || grid.rows > longest || bands.len() > 65_535 {
            return Err(Error::limit(format!(
                "writing {name}: {} x {} pixels of {} bands do not fit into a TIFF (1 to {longest} pixels along an axis)",
                grid.cols,
                grid.rows,
                bands.len()
            )));
        }
        let classes = bands.iter().all(|b| b.overview == Overview::Mode);
        let predictor = options.predictor_for(dtype, classes)?;
        let place = keys::place(grid).map_err(|e| e.context(format!("writing {name}")))?;
        let styled = styled(bands, options);
        for companion in COMPANIONS.iter().map(|c| beside(path, c)).chain(styled.then(|| style::path_for(path))) {
            if !overwrite && companion.exists() {
                return Err(Error::usage(format!(
                    "output {name}: {} is there and would be read with it; replace it with --overwrite",
                    companion.display()
                )));
            }
        }
        let file = AtomicFile::create(path, overwrite)?;
        let cells = grid.cols as u64 * grid.rows as u64;
        atomic::check_space(path, least_bytes(cells * bands.len() as u64, dtype, options))?;

        let levels = Level::all(grid.cols, grid.rows, options.block, options.overviews);
        let encoder = Arc::new(BlockEncoder::new(options.codec, options.level, predictor, options.block));
        let encoding = Encoding { edge: options.block, dtype, nodata, sparse: options.sparse };
        let reduce = bands.iter().map(|b| b.overview).collect();
        let pyramid = Pyramid::new(path, &levels, encoding, reduce, Arc::clone(&encoder));
        let main = Main {
            body: Some(Body::new(file)),
            chunks: vec![Chunk::default(); levels[0].blocks() * bands.len()],
            moments: vec![Moments::default(); bands.len()],
        };
        Ok(Self {
            path: path.to_owned(),
            grid: grid.clone(),
            bands: bands.to_vec(),
            options: *options,
            overwrite,
            dtype,
            nodata,
            place,
            metadata: Vec::new(),
            levels,
            encoder,
            pyramid,
            main: Mutex::new(main),
        })
    }

    fn encode_band<T: Sample>(&self, band: usize, window: Window, samples: &[T], tile: &mut Tile) -> Result<()> {
        let edge = self.options.block;
        let nodata = self.nodata.map(T::from_f64);
        let fill = nodata.unwrap_or_else(|| T::from_f64(f64::NAN));
        let (first_row, first_col) = (window.row as usize / edge, window.col as usize / edge);
        for row in 0..window.rows.div_ceil(edge) {
            for col in 0..window.cols.div_ceil(edge) {
                let (top, left) = (row * edge, col * edge);
                let (cols, rows) = (edge.min(window.cols - left), edge.min(window.rows - top));
                let rect = Rect { samples: &samples[top * window.cols + left..], stride: window.cols, cols, rows };
                let empty = tile.moments[band].count == 0 || rect.is_empty(nodata);
                let at = BlockAt { level: 0, band, row: first_row + row, col: first_col + col };
                let framed = match empty {
                    true if self.options.sparse => None,
                    true => Some(self.encoder.encode_void(fill)?),
                    false => Some(self.encoder.encode(rect, fill)?),
                };
                let patch = self.pyramid.wants(0).then(|| (!empty).then(|| self.pyramid.patch(rect, band)));
                tile.blocks.push(Block { at, framed, patch });
            }
        }
        Ok(())
    }

    /// Tags of an image, with the places of its blocks.
    fn directory(&self, level: usize, offsets: Vec<u64>, lengths: Vec<u32>, moments: &[Moments]) -> Vec<Entry> {
        let image = &self.levels[level];
        let n = self.bands.len();
        let palette = n == 1 && self.dtype == Dtype::U8 && !self.bands[0].classes.is_empty();
        let bits = self.dtype.bytes() as u16 * 8;
        let format = match self.dtype {
            Dtype::F32 | Dtype::F64 => 3,
            Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 => 2,
            _ => 1,
        };
        let codec = match self.options.codec {
            Codec::None => 1,
            Codec::Lzw => 5,
            Codec::Deflate => 8,
            Codec::Zstd => 50_000,
        };
        let mut tags = vec![
            Entry::new(254, Values::Long(vec![u32::from(level > 0)])),
            Entry::long(256, image.cols),
            Entry::long(257, image.rows),
            Entry::new(258, Values::Short(vec![bits; n])),
            Entry::short(259, codec),
            Entry::short(262, if palette { 3 } else { 1 }),
            Entry::short(277, n as u16),
            Entry::short(284, if n > 1 { 2 } else { 1 }),
            Entry::long(322, self.options.block),
            Entry::long(323, self.options.block),
            Entry::new(324, Values::Offset(offsets)),
            Entry::new(325, Values::Long(lengths)),
            Entry::new(339, Values::Short(vec![format; n])),
        ];
        match self.encoder.predictor {
            Predictor::Horizontal => tags.push(Entry::short(317, 2)),
            Predictor::FloatingPoint => tags.push(Entry::short(317, 3)),
            Predictor::Auto | Predictor::None => {}
        }
        if palette {
            tags.push(Entry::new(320, metadata::colour_map(&self.bands[0].classes)));
        }
        if n > 1 {
            tags.push(Entry::new(338, Values::Short(vec![0; n - 1])));
        }
        if let Some(nodata) = self.nodata {
            let text = if nodata.is_nan() { "nan".to_owned() } else { nodata.to_string() };
            tags.push(Entry::new(42_113, Values::Ascii(text)));
        }
        if level == 0 {
            let software = format!("regrow {}", env!("CARGO_PKG_VERSION"));
            tags.push(Entry::new(305, Values::Ascii(software)));
            tags.extend(self.place.iter().cloned());
            tags.push(Entry::new(
                42_112,
                Values::Ascii(metadata::gdal_metadata(
                    &self.bands,
                    moments,
                    self.grid.cols as u64 * self.grid.rows as u64,
                    &self.metadata,
                )),
            ));
        }
        tags
    }

    /// Header bytes, and where the body begins in the file. `chunks` are by level from full resolution; overviews lie in
    /// file order between the header and the body, the smallest first.
    fn header(&self, main: &Main, body: &Body, overviews: &[Vec<Chunk>], big: bool) -> (Vec<u8>, u64) {
        let build = |starts: &[u64]| {
            let full = std::iter::once(placed(&main.chunks, starts[0]));
            let places = full.chain(overviews.iter().zip(&starts[1..]).map(|(c, start)| packed(c, *start)));
            let images: Vec<_> = places
                .enumerate()
                .map(|(level, (offsets, lengths))| self.directory(level, offsets, lengths, &main.moments))
                .collect();
            header::assemble(&images, big)
        };
        let mut end = build(&vec![0; 1 + overviews.len()]).len() as u64;
        let mut starts = vec![0; 1 + overviews.len()];
        for (start, chunks) in starts[1..].iter_mut().zip(overviews).rev() {
            *start = end;
            end += chunks.iter().map(|c| u64::from(c.len)).sum::<u64>();
        }
        starts[0] = body.room_for(end);
        (build(&starts), starts[0])
    }
}

impl Sink for CogSink {
    fn encode(&self, window: Window, planes: &[Finished<'_>]) -> Result<Encoded> {
        let edge = self.options.block as i64;
        let grid = self.grid.window();
        let whole = |end: i64, last: i64| end % edge == 0 || end == last;
        if window.intersect(&grid) != Some(window)
            || window.col % edge != 0
            || window.row % edge != 0
            || !whole(window.col_end(), grid.col_end())
            || !whole(window.row_end(), grid.row_end())
            || planes.len() != self.bands.len()
        {
            return Err(Error::bug(format!("{window}: not a tile of whole blocks with a plane a band")));
        }
        let moments = planes.iter().map(|p| p.moments).collect();
        let mut tile = Tile { blocks: Vec::new(), moments };
        for (band, Finished { plane, .. }) in planes.iter().enumerate() {
            if plane.dtype() != self.dtype || plane.len() != window.cells() {
                return Err(Error::bug(format!("{window}: plane {band} has another size or type than its band")));
            }
            with_plane!(plane, v => self.encode_band(band, window, v, &mut tile))?;
        }
        // A tile makes a third of its own blocks of work for the overviews.
        for _ in 0..=tile.blocks.len() / 3 {
            if !self.pyramid.work()? {
                break;
            }
        }
        let held = |b: &Block| {
            let patch = b.patch.as_ref().and_then(Option::as_ref).map_or(0, |p| p.capacity() as u64);
            b.framed.as_ref().map_or(0, Framed::held) + patch
        };
        Ok(Encoded { bytes: tile.blocks.iter().map(held).sum(), data: Box::new(tile) })
    }

    fn commit(&self, window: Window, encoded: Encoded) -> Result<()> {
        let tile =
            encoded.data.downcast::<Tile>().map_err(|_| Error::bug(format!("{window}: a tile of another sink")))?;
        let Tile { blocks, moments } = *tile;
        let mut main = self.main.lock().unwrap_or_else(PoisonError::into_inner);
        for (total, next) in main.moments.iter_mut().zip(&moments) {
            total.merge(next);
        }
        for Block { at, framed, patch } in blocks {
            if let Some(framed) = framed {
                let index = at.band * self.levels[0].blocks() + at.row * self.levels[0].across() + at.col;
                main.chunks[index] = main.body()?.append(framed.bytes())?;
                self.encoder.recycle(framed);
            }
            if let Some(patch) = patch {
                self.pyramid.add(at, patch)?;
            }
        }
        drop(main);
        self.pyramid.relieve()
    }

    fn finish(self: Box<Self>) -> Result<()> {
        while self.pyramid.work()? {}
        let (mut spool, overviews) = self.pyramid.take_overviews();
        let mut main = self.main.lock().unwrap_or_else(PoisonError::into_inner);
        let body = main.body.take().ok_or_else(finished_twice)?;
        let path = body.path().to_owned();
        let name = path.display();
        if !self.options.sparse && overviews.iter().chain([&main.chunks]).flatten().any(|c| c.len == 0) {
            return Err(Error::bug(format!("{name}: not every tile was written")));
        }

        let header = |big| self.header(&main, &body, &overviews, big);
        let (mut bytes, mut room) = header(self.options.bigtiff == BigTiff::Yes);
        let limit = if self.options.bigtiff == BigTiff::IfSafer { i32::MAX as u64 } else { u64::from(u32::MAX) };
        let end = room + body.len();
        if end > limit && self.options.bigtiff != BigTiff::Yes {
            if self.options.bigtiff == BigTiff::No {
                return Err(Error::limit(format!(
                    "writing {name}: {end} bytes do not fit into a classic TIFF; leave out --co BIGTIFF=NO"
                )));
            }
            (bytes, room) = header(true);
        }
        let end = room + body.len();
        let mut file = body.with_room(room)?;
        file.write_all(&bytes).map_err(|e| file.error(&e))?;
        let mut written = bytes.len() as u64;
        for level in overviews.iter().rev() {
            spool.copy(level.iter().copied(), &mut file)?;
            written += level.iter().map(|c| u64::from(c.len)).sum::<u64>();
        }
        drop(spool);
        file.write_all(&vec![0; (room - written) as usize]).map_err(|e| file.error(&e))?;

        // Held until the companions are there too.
        let _lock = OutputLock::take(&path)?;
        let extras = self.extras(&path, &main.moments)?;
        file.commit_checked(|again| read_back(again, &bytes, end).map_err(|e| e.context(format!("writing {name}"))))?;
        for companion in COMPANIONS.iter().map(|c| beside(&path, c)).filter(|p| self.overwrite && p.exists()) {
            std::fs::remove_file(&companion).map_err(|e| atomic::write_error(&companion, 0, &e))?;
        }
        extras.into_iter().try_for_each(AtomicFile::commit)
    }

    fn name(&self) -> Option<&str> {
        self.path.to_str()
    }

    fn tile_multiple(&self) -> usize {
        self.options.block
    }

    fn resident_bytes(&self) -> u64 {
        let blocks: u64 = self.levels.iter().map(|l| (l.blocks() * self.bands.len()) as u64).sum();
        // Two tables of places and the header made of them; spool buffers; one overview block of the worker that commits.
        let per_block = (2 * size_of::<Chunk>() + 2 * 12) as u64;
        let overview = if self.pyramid.wants(0) { self.block_scratch() } else { 0 };
        blocks * per_block + (1 << 20) + self.pyramid.resident_bytes() + overview
    }

    fn encoded_bytes(&self, cells: usize) -> u64 {
        let (edge, width) = (self.options.block, self.dtype.bytes());
        let blocks = (cells.div_ceil(edge * edge) * self.bands.len()) as u64;
        let patch = if self.pyramid.wants(0) { (edge * edge / 4 * width) as u64 } else { 0 };
        blocks * (self.encoder.bound(width) + patch)
    }

    fn scratch_bytes(&self, _cells: usize) -> u64 {
        self.block_scratch()
    }
}

impl CogSink {
    /// The files that go with the raster, complete but for their names: category names for GDAL, style for QGIS.
    fn extras(&self, path: &Path, moments: &[Moments]) -> Result<Vec<AtomicFile>> {
        let names = metadata::category_names(&self.bands).map(|xml| (beside(path, ".aux.xml"), xml));
        let band = &self.bands[0];
        let style = styled(&self.bands, &self.options).then(|| {
            let m = &moments[0];
            let (mean, spread) = (m.mean().unwrap_or(0.0), m.std_population().unwrap_or(0.0));
            let (min, max) = if m.count == 0 { (0.0, 0.0) } else { (m.min, m.max) };
            // QGIS shows and colours physical values.
            let [min, max, mean, spread] = [min, max, mean, spread].map(|v| v * band.scale);
            (style::path_for(path), style::document(band, min, max, mean, spread))
        });
        let write = |(path, text): (PathBuf, String)| {
            let mut f = AtomicFile::create(&path, self.overwrite)?;
            f.write_all(text.as_bytes()).map_err(|e| f.error(&e))?;
            Ok(f)
        };
        names.into_iter().chain(style).map(write).collect()
    }

    /// Bytes of making one block: its samples, its patches and what the encoder needs.
    fn block_scratch(&self) -> u64 {
        let width = self.dtype.bytes();
        let block = (self.options.block * self.options.block * width) as u64;
        2 * block + self.encoder.bound(width) + self.encoder.scratch_bytes(width)
    }
}

/// Offsets and lengths of blocks that lie where their chunks say, from `start` on; absent ones have offset and length 0.
fn placed(chunks: &[Chunk], start: u64) -> (Vec<u64>, Vec<u32>) {
    let place = |chunk: &Chunk| match chunk.len {
        0 => (0, 0),
        len => (start + chunk.offset + FRAME as u64 / 2, len - FRAME as u32),
    };
    chunks.iter().map(place).unzip()
}

/// As [`placed`] for blocks that lie one after another from `start` on.
fn packed(chunks: &[Chunk], start: u64) -> (Vec<u64>, Vec<u32>) {
    let mut end = 0;
    let place = |chunk: &Chunk| {
        end += u64::from(chunk.len);
        Chunk { offset: end - u64::from(chunk.len), len: chunk.len }
    };
    placed(&chunks.iter().map(place).collect::<Vec<_>>(), start)
}

/// Classes are always styled. Where quantities are, of several the first is, if it has a ramp of its own (reflectance bands
/// have none: QGIS composes them).
fn styled(bands: &[OutBand], options: &CreationOptions) -> bool {
    let quantity = |b: &OutBand| options.styles && (bands.len() == 1 || b.ramp != Ramp::default());
    bands.first().is_some_and(|b| !b.classes.is_empty() || quantity(b))
}

/// The nodata value all bands (of one type) share: NaN for floats, none where an integer band states none.
fn nodata_of(bands: &[OutBand]) -> Result<Option<f64>, String> {
    let Some(first) = bands.first().filter(|b| !b.dtype.is_float()) else { return Ok(Some(f64::NAN)) };
    let (low, high) = first.dtype.range();
    let nodata = Some(first.nodata).filter(|n| n.is_finite());
    if let Some(odd) = bands.iter().find(|b| Some(b.nodata).filter(|n| n.is_finite()) != nodata) {
        return Err(format!("bands of one file share one nodata value; {:?} has {}", odd.name, odd.nodata));
    }
    match nodata {
        Some(n) if n < low || n > high || n.fract() != 0.0 => Err(format!("nodata {n} is no value of {}", first.dtype)),
        n => Ok(n),
    }
}

/// What will surely be written: everything without compression, an eighth of numbers and a hundredth of bytes with it.
/// Sparse files may be nearly nothing.
fn least_bytes(samples: u64, dtype: Dtype, options: &CreationOptions) -> u64 {
    let raw = samples * dtype.bytes() as u64;
    match (options.codec, dtype.bytes()) {
        _ if options.sparse => 0,
        (Codec::None, _) => raw,
        (_, 1) => raw / 100,
        _ => raw / 8,
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The header must read back as it was written and the file must have its length: then every block is where the header
/// says.
fn read_back(file: &mut File, header: &[u8], len: u64) -> Result<()> {
    let fail = |e: std::io::Error| Error::io(format!("reading back: {e}"));
    let found = file.metadata().map_err(fail)?.len();
    if found != len {
        return Err(Error::io(format!("reading back: {found} bytes, expected {len}; the disk may be failing")));
    }
    let mut again = vec![0; header.len()];
    file.read_exact(&mut again).map_err(fail)?;
    if again != header {
        return Err(Error::io("reading back: the header differs from what was written; the disk may be failing"));
    }
    Ok(())
}
