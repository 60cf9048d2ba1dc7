//! Damage ends in an error that names the file, or in the right pixels: never in a panic, a hang or other pixels.

use std::path::Path;

use regrow::error::Kind;
use regrow::io::open_raster;
use regrow::raster::Raw;

use super::{fixture, values};

fn pixels(path: &Path) -> regrow::Result<Vec<Vec<f64>>> {
    let source = open_raster(path)?;
    let window = source.grid().window();
    // Damaged sizes are not read as a whole: the planner never would either.
    if window.cells() > 1 << 20 {
        return Err(regrow::Error::limit(format!("{}: too large for this test", path.display())));
    }
    let bands: Vec<usize> = (0..source.bands().len().min(8)).collect();
    let mut out = vec![Raw::default(); bands.len()];
    source.open()?.read(&bands, window, &mut out)?;
    Ok(out.iter().map(|r| values(&r.samples)).collect())
}

fn with_bytes<T>(bytes: &[u8], f: impl FnOnce(&Path) -> T) -> T {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("damaged.tif");
    std::fs::write(&path, bytes).unwrap();
    f(&path)
}

#[test]
fn a_file_cut_anywhere_is_an_error_or_whole() {
    for name in ["u8_deflate_tiles", "u16_lzw_pred2_strips", "i16_zstd_pred2_planar", "u16_none_bigtiff_be"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        let whole = pixels(&fixture(name)).unwrap();
        for n in 0..bytes.len() {
            with_bytes(&bytes[..n], |path| match pixels(path) {
                Ok(got) => assert_eq!(got, whole, "{name} cut at {n}"),
                Err(e) => assert!(e.to_string().contains("damaged.tif"), "{name} cut at {n}: {e}"),
            });
        }
    }
}

#[test]
fn any_changed_byte_of_checked_streams_is_noticed_or_harmless() {
    // Deflate carries a checksum: a changed byte of its streams must never give other pixels. Bytes of the directory may
    // legitimately change what the file says.
    let bytes = std::fs::read(fixture("u8_deflate_tiles")).unwrap();
    let whole = pixels(&fixture("u8_deflate_tiles")).unwrap();
    let order = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    assert!(order < 16, "the directory comes first, streams last");
    let streams = bytes.len() - 700..bytes.len();
    for at in 0..bytes.len() {
        for flip in [1_u8, 0x80, 0xFF] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            with_bytes(&changed, |path| match pixels(path) {
                Ok(got) if streams.contains(&at) => assert_eq!(got, whole, "byte {at} xor {flip}"),
                Ok(_) => {}
                Err(e) => assert!(e.to_string().contains("damaged.tif"), "byte {at} xor {flip}: {e}"),
            });
        }
    }
}

#[test]
fn errors_say_where_and_what() {
    let mut bytes = std::fs::read(fixture("u8_deflate_tiles")).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let e = with_bytes(&bytes, |path| pixels(path).unwrap_err());
    assert_eq!(e.kind(), Kind::Input);
    let text = e.to_string();
    assert!(text.contains("tile (") && text.contains("cols ") && text.contains("checksum"), "{text}");

    let e = regrow::io::geotiff::GeoTiff::open(&fixture("u8_lzma")).err().unwrap();
    assert_eq!(e.kind(), Kind::Input);
    assert!(e.to_string().contains("LZMA") && e.to_string().contains("gdal_translate"), "{e}");
}

#[test]
fn a_codec_of_gdal_is_read_only_with_gdal() {
    let got = pixels(&fixture("u8_lzma"));
    if cfg!(feature = "gdal") {
        assert_eq!(got.unwrap(), pixels(&fixture("u8_deflate_tiles")).unwrap());
    } else {
        let e = got.unwrap_err();
        assert!(e.to_string().contains("--features gdal"), "{e}");
    }
}

#[test]
fn what_is_no_raster_is_named() {
    let said = |bytes: &[u8]| with_bytes(bytes, |path| open_raster(path).err().unwrap().to_string());
    // GDAL, where built in, is asked and says that the PNG is broken.
    let png = said(b"\x89PNG\r\n\x1a\n0000");
    assert!(png.contains("PNG") || cfg!(feature = "gdal") && png.contains("GDAL"), "{png}");
    assert!(said(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n").contains("LFS"));
    assert!(said(b"<!doctype html><html><body>log in").contains("web page"));
    assert!(said(b"").contains("empty"));
    let jp2 = said(b"\0\0\0\x0cjP  \r\n\x87\n\0\0");
    assert!(jp2.contains("JPEG 2000") && jp2.contains("no codestream"), "{jp2}");
    let dir = tempfile::tempdir().unwrap();
    assert!(open_raster(dir.path()).err().unwrap().to_string().contains("folder"));
    let e = open_raster(&dir.path().join("none.tif")).err().unwrap();
    assert_eq!(e.kind(), Kind::Input);
    assert!(e.to_string().contains("none.tif"), "{e}");
    assert!(open_raster(Path::new("/dev/null")).err().unwrap().to_string().contains("regular file"));
}

#[test]
fn a_file_replaced_while_open_is_an_error() {
    let bytes = std::fs::read(fixture("u8_deflate_tiles")).unwrap();
    with_bytes(&bytes, |path| {
        let source = open_raster(path).unwrap();
        let mut reader = source.open().unwrap();
        let mut out = vec![Raw::default()];
        reader.read(&[0], source.grid().window(), &mut out).unwrap();
        std::fs::remove_file(path).unwrap();
        std::fs::write(path, &bytes).unwrap();
        let e = reader.read(&[0], source.grid().window(), &mut out).unwrap_err();
        assert!(e.to_string().contains("changed while it was read"), "{e}");
        assert!(source.open().is_err());
    });
}
