//! What a file is by its first bytes, for errors that say what was found instead of a raster.

/// Bytes of a file's start that [`what`] looks at.
pub(super) const HEAD: usize = 512;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A TIFF or BigTIFF.
    Tiff,
    /// A JP2 or a JPEG 2000 codestream.
    Jpeg2000,
    /// A raster format by its name; GDAL may read it.
    Raster(&'static str),
    /// A file that lists other rasters and is not followed.
    Mosaic(&'static str),
    /// A zip archive.
    Zip,
    /// A tar archive.
    Tar,
    /// Something else, in words, with the remedy.
    Other(&'static str),
    /// Nothing that is known.
    Unknown,
}

/// Says what a file is by its first bytes (at most [`HEAD`]).
pub(super) fn what(head: &[u8]) -> What {
    if head.is_empty() {
        return What::Other("the file is empty (0 bytes); fetch or make it again");
    }
    let magic: &[(&[u8], What)] = &[
        (b"II*\0", What::Tiff),
        (b"II+\0", What::Tiff),
        (b"MM\0*", What::Tiff),
        (b"MM\0+", What::Tiff),
        (b"\0\0\0\x0cjP  \r\n\x87\n", What::Jpeg2000),
        (b"\xff\x4f\xff\x51", What::Jpeg2000),
        (b"CDF\x01", What::Raster("netCDF")),
        (b"CDF\x02", What::Raster("netCDF")),
        (b"CDF\x05", What::Raster("netCDF")),
        (b"\x89HDF\r\n\x1a\n", What::Raster("HDF5 or netCDF 4")),
        (b"\x0e\x03\x13\x01", What::Raster("HDF4")),
        (b"GRIB", What::Raster("GRIB")),
        (b"EHFA_HEADER_TAG", What::Raster("ERDAS Imagine")),
        (b"\x89PNG\r\n\x1a\n", What::Raster("PNG")),
        (b"\xff\xd8\xff", What::Raster("JPEG")),
        (b"GIF8", What::Raster("GIF")),
        (b"BM", What::Raster("BMP")),
        (b"DSAA", What::Raster("Surfer grid")),
        (b"DSBB", What::Raster("Surfer grid")),
        (b"version https://git-lfs", What::Other("it is a Git LFS pointer, not the data; run git lfs pull")),
        (b"PK\x03\x04", What::Zip),
        (b"PK\x05\x06", What::Zip),
        (b"\x1f\x8b", What::Other("it is a gzip file, not a raster; unpack it")),
        (b"SQLite format 3", What::Other("it is an SQLite file (GeoPackage?), not a raster")),
        (b"%PDF", What::Other("it is a PDF, not a raster")),
    ];
    if let Some((_, found)) = magic.iter().find(|(m, _)| head.starts_with(m)) {
        return *found;
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        return What::Raster("WebP");
    }
    if head.get(257..262) == Some(b"ustar") {
        return What::Tar;
    }
    text(&String::from_utf8_lossy(head).trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase())
}

fn text(t: &str) -> What {
    if t.starts_with("<vrtdataset") {
        return What::Mosaic("a VRT");
    }
    if t.starts_with("<gdal_wms") || t.starts_with("<gdal_wmts") {
        return What::Mosaic("a web map service description");
    }
    if t.starts_with("<!doctype html") || t.starts_with("<html") {
        return What::Other("it looks like a web page (a login or error page?), not a raster; fetch the file again");
    }
    if t.starts_with("<?xml") && (t.contains("<error>") || t.contains("<error ")) {
        return What::Other("it looks like an error page from a download, not a raster; fetch the file again");
    }
    if t.starts_with("<?xml") && t.contains("<vrtdataset") {
        return What::Mosaic("a VRT");
    }
    if t.starts_with("ncols") || t.starts_with("xllcorner") {
        return What::Raster("Arc/Info ASCII grid");
    }
    match t.chars().next() {
        Some('<') => What::Other("it is an XML or HTML text, not a raster"),
        Some('{' | '[') => What::Other("it is a JSON text, not a raster"),
        _ => What::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_content() {
        assert_eq!(what(b"II*\0\x08\0\0\0"), What::Tiff);
        assert_eq!(what(b"\x89PNG\r\n\x1a\n...."), What::Raster("PNG"));
        assert_eq!(what(b" <VRTDataset rasterXSize=\"3\">"), What::Mosaic("a VRT"));
        assert!(matches!(what(b""), What::Other(t) if t.contains("empty")));
        assert!(
            matches!(what(b"version https://git-lfs.github.com/spec/v1\noid"), What::Other(t) if t.contains("LFS"))
        );
        assert!(matches!(what(b"<!DOCTYPE html><html>"), What::Other(t) if t.contains("web page")));
        assert!(
            matches!(what(b"<?xml version='1.0'?><Error><Code>AccessDenied"), What::Other(t) if t.contains("error page"))
        );
        assert_eq!(what(&[0, 1, 2, 3]), What::Unknown);
    }
}
