//! GeoTIFF and COG without GDAL.
