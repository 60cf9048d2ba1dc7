#!/usr/bin/env python3
"""A time series for composites: series.py --size N --dates D [--codec ZSTD] FOLDER.

Writes S_YYYYMMDD.tif, one a date: six bands of uint16 reflectance x 10000, nodata 0, blocks of 512, predictor 2. Smooth
fields with sensor noise and a yearly wave; moving clouds leave about a quarter of the pixels of a date without values.
"""
import argparse
import datetime
from pathlib import Path

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin

BANDS = {"blue": 800, "green": 1000, "red": 1200, "nir": 3000, "swir16": 2200, "swir22": 1500}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--dates", type=int, default=60)
    parser.add_argument("--codec", default="ZSTD")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    n, random = options.size, np.random.default_rng(7)
    y, x = np.mgrid[0:n, 0:n].astype("f4")
    ground = [np.clip(b * (1 + 0.4 * np.sin(x / 97 + k) * np.cos(y / 131 - k)) + 60 * random.standard_normal((n, n)), 1, 9000)
              .astype("f4") for k, b in enumerate(BANDS.values())]
    profile = dict(driver="GTiff", width=n, height=n, count=len(BANDS), dtype="uint16", crs=CRS.from_epsg(32634),
                   transform=from_origin(500_000, 5_000_000, 10, 10), nodata=0, tiled=True, blockxsize=512, blockysize=512,
                   compress=options.codec, predictor=2, interleave="band")
    for d in range(options.dates):
        day = datetime.date(2019, 1, 3) + datetime.timedelta(days=6 * d)
        path = options.folder / f"S_{day:%Y%m%d}.tif"
        cloud = np.sin(x / 173 + 1.7 * d) + np.cos(y / 211 + 0.9 * d) + 0.3 * np.sin((x + y) / 53 + d) > 1.0
        wave = [1 + 0.15 * np.sin(2 * np.pi * d / 60 + k) for k in range(len(BANDS))]
        noise = [40 * random.standard_normal((n, n)).astype("f4") for _ in BANDS]
        if path.exists():
            continue
        with rasterio.open(path, "w", **profile) as ds:
            for k, name in enumerate(BANDS):
                values = np.clip(ground[k] * wave[k] + noise[k], 1, 20_000).astype("u2")
                values[cloud] = 0
                ds.write(values, k + 1)
                ds.set_band_description(k + 1, name)
            ds.scales, ds.offsets = [1e-4] * len(BANDS), [0.0] * len(BANDS)


if __name__ == "__main__":
    main()
