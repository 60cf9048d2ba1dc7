#!/usr/bin/env python3
"""NDVI by numpy on threads that each hold their own rasterio handles: ndvi_numpy.py RED NIR OUT KEY=VALUE...

The array is kept in memory and written once: by the COG driver with DRIVER=COG, else as a tiled GeoTIFF.
"""
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.io import MemoryFile
from rasterio.windows import Window

red_path, nir_path, out, *options = sys.argv[1:]
options = dict(o.split("=", 1) for o in options)
driver = options.pop("DRIVER", "GTiff")
local = threading.local()

with rasterio.open(red_path) as source:
    profile = dict(driver="GTiff", width=source.width, height=source.height, count=1, dtype="float32", crs=source.crs,
                   transform=source.transform, nodata=np.nan)
ndvi = np.empty((profile["height"], profile["width"]), np.float32)


def rows(first):
    if not hasattr(local, "files"):
        local.files = rasterio.open(red_path), rasterio.open(nir_path)
    window = Window(0, first, profile["width"], min(512, profile["height"] - first))
    red, nir = (f.read(1, window=window).astype(np.float32) for f in local.files)
    np.divide(nir - red, nir + red, out=ndvi[first:first + window.height])


with ThreadPoolExecutor(os.cpu_count()) as pool:
    list(pool.map(rows, range(0, profile["height"], 512)))

if driver == "COG":
    profile["driver"] = "MEM"
    with rasterio.open("", "w", **profile) as memory:
        memory.write(ndvi, 1)
        rasterio.shutil.copy(memory, out, driver="COG", num_threads="all_cpus", **options)
else:
    profile.update(tiled=True, blockxsize=512, blockysize=512, bigtiff="if_safer", num_threads="all_cpus", **options)
    with rasterio.open(out, "w", **profile) as file:
        file.write(ndvi, 1)
