//! GDAL sources behind the feature `gdal`.
