#!/usr/bin/env python3
"""NDVI by xarray and dask on threads: ndvi_dask.py RED NIR OUT. Writes an uncompressed tiled GeoTIFF."""
import sys
import threading

import rioxarray

red_path, nir_path, out = sys.argv[1:]
chunks = {"x": 2048, "y": 2048}
red, nir = (rioxarray.open_rasterio(p, chunks=chunks, lock=False).astype("float32") for p in (red_path, nir_path))
ndvi = ((nir - red) / (nir + red)).rio.write_nodata(float("nan"))
ndvi.rio.to_raster(out, tiled=True, blockxsize=512, blockysize=512, bigtiff="if_safer", lock=threading.Lock())
