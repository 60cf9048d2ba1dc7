//! A picture with known pixels, pushed through a sink as the engine does.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use regrow::engine::OutBand;
use regrow::grid::tiling::Tiling;
use regrow::grid::{Grid, Window};
use regrow::io::geotiff::{CogSink, CreationOptions};
use regrow::numeric::Moments;
use regrow::raster::{Encoded, Finished, OutPlane, Sink};

pub(crate) struct Picture {
    pub(crate) grid: Grid,
    pub(crate) bands: Vec<OutBand>,
}

#[derive(Clone, Copy)]
pub(crate) enum Order {
    Tiles,
    Reversed,
    Threads(usize),
}

pub(crate) fn options(text: &str) -> CreationOptions {
    let pairs: Vec<_> =
        text.split_whitespace().map(|p| p.split_once('=').unwrap()).map(|(k, v)| (k.into(), v.into())).collect();
    CreationOptions::parse(&pairs).unwrap()
}

impl Picture {
    /// Smooth values with noise, lone nodata cells, and nodata from column 1536 on; in the value space of the band's type.
    fn value(&self, band: usize, col: usize, row: usize) -> f64 {
        let b = &self.bands[band];
        let hash = (col as u64 * 0x9e37_79b9 + row as u64 * 0x85eb_ca6b + band as u64 * 77)
            .wrapping_mul(0x2545_f491_4f6c_dd1d)
            >> 40;
        let nodata = if b.dtype.is_float() { f64::NAN } else { b.nodata };
        if col >= 1536 || hash.is_multiple_of(23) {
            return nodata;
        }
        if !b.classes.is_empty() {
            return (hash % b.classes.len() as u64) as f64;
        }
        let v = (col as f64 / 90.0).sin() * (row as f64 / 70.0).cos() + band as f64 + hash as f64 * 1e-9;
        if b.dtype.is_float() {
            if b.dtype.bytes() == 4 { f64::from(v as f32) } else { v }
        } else {
            1.0 + ((v + 1.0) * 9000.0).round()
        }
    }

    pub(crate) fn band(&self, band: usize) -> Vec<f64> {
        self.plane(band, self.grid.window())
    }

    fn plane(&self, band: usize, w: Window) -> Vec<f64> {
        let mut v = Vec::with_capacity(w.cells());
        for row in w.row as usize..w.row_end() as usize {
            v.extend((w.col as usize..w.col_end() as usize).map(|col| self.value(band, col, row)));
        }
        v
    }

    fn moments(&self, band: usize, w: Window) -> Moments {
        let nodata = self.bands[band].nodata;
        let mut values = self.plane(band, w);
        values.iter_mut().for_each(|v| *v = if *v == nodata { f64::NAN } else { *v });
        Moments::of(&values)
    }

    fn planes(&self, w: Window) -> Vec<OutPlane> {
        let typed = |(i, b): (usize, &OutBand)| {
            let v = self.plane(i, w);
            let mut plane = OutPlane::filled(b.dtype, 0.0, 0);
            match &mut plane {
                OutPlane::U8(p) => p.extend(v.iter().map(|x| *x as u8)),
                OutPlane::U16(p) => p.extend(v.iter().map(|x| *x as u16)),
                OutPlane::I16(p) => p.extend(v.iter().map(|x| *x as i16)),
                OutPlane::I32(p) => p.extend(v.iter().map(|x| *x as i32)),
                OutPlane::F32(p) => p.extend(v.iter().map(|x| *x as f32)),
                OutPlane::F64(p) => p.extend(&v),
            }
            plane
        };
        self.bands.iter().enumerate().map(typed).collect()
    }
}

pub(crate) fn write(path: &Path, picture: &Picture, options: &CreationOptions, order: Order) {
    push(CogSink::create(path, &picture.grid, &picture.bands, options, false).unwrap(), picture, order);
    let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|n| n.to_string_lossy().contains("regrow")), "{left:?}");
}

pub(crate) fn write_over(path: &Path, picture: &Picture, options: &CreationOptions) {
    push(CogSink::create(path, &picture.grid, &picture.bands, options, true).unwrap(), picture, Order::Tiles);
}

/// Encodes the first tile.
pub(crate) fn encode_first(sink: &dyn Sink, picture: &Picture) -> regrow::error::Result<Encoded> {
    let w = Tiling::new(picture.grid.cols, picture.grid.rows, 512).window(0);
    let planes = picture.planes(w);
    let finished: Vec<_> =
        planes.iter().enumerate().map(|(i, plane)| Finished { plane, moments: picture.moments(i, w) }).collect();
    sink.encode(w, &finished)
}

fn push(sink: Box<dyn Sink>, picture: &Picture, order: Order) {
    let edge = 512_usize.next_multiple_of(sink.tile_multiple());
    let tiling = Tiling::new(picture.grid.cols, picture.grid.rows, edge);
    let cells = edge * edge;
    let encode = |i: usize| {
        let w = tiling.window(i);
        let planes = picture.planes(w);
        let finished = |(i, plane)| Finished { plane, moments: picture.moments(i, w) };
        let finished: Vec<_> = planes.iter().enumerate().map(finished).collect();
        let e = sink.encode(w, &finished).unwrap();
        assert!(e.bytes <= sink.encoded_bytes(cells), "{} > {}", e.bytes, sink.encoded_bytes(cells));
        e
    };
    match order {
        Order::Tiles => (0..tiling.count()).for_each(|i| sink.commit(tiling.window(i), encode(i)).unwrap()),
        Order::Reversed => {
            let done: Vec<_> = (0..tiling.count()).rev().map(encode).collect();
            for (i, e) in done.into_iter().rev().enumerate() {
                sink.commit(tiling.window(i), e).unwrap();
            }
        }
        Order::Threads(n) => {
            let next = AtomicUsize::new(0);
            let done: Mutex<Vec<Option<Encoded>>> = Mutex::new((0..tiling.count()).map(|_| None).collect());
            std::thread::scope(|s| {
                for _ in 0..n {
                    s.spawn(|| {
                        while let i @ 0.. = next.fetch_add(1, Ordering::Relaxed)
                            && i < tiling.count()
                        {
                            let e = encode(i);
                            done.lock().unwrap()[i] = Some(e);
                        }
                    });
                }
                // Commits run beside the encoders, as in the engine.
                let mut i = 0;
                while i < tiling.count() {
                    let e = done.lock().unwrap()[i].take();
                    if let Some(e) = e {
                        sink.commit(tiling.window(i), e).unwrap();
                        i += 1;
                    } else {
                        std::thread::yield_now();
                    }
                }
            });
        }
    }
    sink.finish().unwrap();
}
