#!/usr/bin/env python3
"""A median composite by xarray and dask on threads: composite_dask.py OUT IN... Writes an uncompressed tiled GeoTIFF."""
import sys
import threading

import rioxarray
import xarray

out, *inputs = sys.argv[1:]
chunks = {"band": 1, "x": 512, "y": 512}
dates = [rioxarray.open_rasterio(p, chunks=chunks, lock=False) for p in inputs]
stack = xarray.concat(dates, "time").chunk({"time": -1})
stack = stack.where(stack != 0).astype("float32") * 1e-4
median = stack.median("time", skipna=True).astype("float32").rio.write_nodata(float("nan"))
median.rio.to_raster(out, tiled=True, blockxsize=512, blockysize=512, bigtiff="if_safer", lock=threading.Lock())
