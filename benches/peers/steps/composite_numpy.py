#!/usr/bin/env python3
"""A composite by blocks: composite_numpy.py median|hdstats|geomad OUT IN... (numpy.nanmedian, or a geometric median).

Blocks of 256 by as many threads as there are cores, read by rasterio; the geometric medians get whole blocks and their own
threads. Writes an uncompressed tiled GeoTIFF.
"""
import os
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import rasterio
from rasterio.windows import Window

warnings.simplefilter("ignore")
method, out, *inputs = sys.argv[1:]
cores = len(os.sched_getaffinity(0))
workers = cores if method == "median" else 1
local = threading.local()
with rasterio.open(inputs[0]) as ds:
    profile = ds.profile | dict(dtype="float32", nodata=np.nan, compress=None, predictor=1, bigtiff="if_safer")
    size = ds.width, ds.height
# A block of 512 and its copies by every thread would not fit a few gigabytes.
edge = 512 if method != "median" else 256
windows = [Window(c, r, min(edge, size[0] - c), min(edge, size[1] - r)) for r in range(0, size[1], edge) for c in range(0, size[0], edge)]
if method == "hdstats":
    from hdstats import nangeomedian_pcm
elif method == "geomad":
    from geomad import nangeomedian_pcm


def block(window):
    if not hasattr(local, "files"):
        local.files = [rasterio.open(p) for p in inputs]
    stack = np.stack([f.read(window=window) for f in local.files]).astype("f4")
    stack[stack == 0] = np.nan
    stack *= np.float32(1e-4)
    if method == "median":
        return window, np.nanmedian(stack, axis=0)
    # Rows, columns, bands, dates.
    made = nangeomedian_pcm(np.ascontiguousarray(stack.transpose(2, 3, 1, 0)), eps=1e-6, maxiters=1000, num_threads=cores)
    return window, np.asarray(made).transpose(2, 0, 1)


with rasterio.open(out, "w", **profile) as target, ThreadPoolExecutor(workers) as pool:
    for window, values in pool.map(block, windows):
        target.write(values.astype("f4"), window=window)
