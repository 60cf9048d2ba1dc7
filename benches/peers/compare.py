#!/usr/bin/env python3
"""How far two results are apart, in one line: compare.py raster|table|polygons OURS THEIRS, compare.py bands OURS FOLDER.

Runs as a process of its own, so that its memory is not counted as that of the next peer.
"""
import csv
import math
import sys
from pathlib import Path

TEN = ["NDVI", "EVI", "SAVI", "MSAVI", "GNDVI", "NDWI", "MNDWI", "BSI", "NBR", "NDMI"]


def apart(ours, theirs, window=None, band=1):
    import numpy as np
    a = ours.read(band, window=window).astype(np.float64)
    b = theirs.read(1, window=window).astype(np.float64)
    a[~np.isfinite(a)] = np.nan
    b[~np.isfinite(b)] = np.nan
    difference = np.abs(a - b)
    largest = np.nanmax(difference) if np.isfinite(difference).any() else 0.0
    return largest, int((np.isnan(a) != np.isnan(b)).sum())


def rasters(pairs):
    import rasterio
    from rasterio.windows import Window
    largest, undefined = 0.0, 0
    for ours, band, theirs in pairs:
        with rasterio.open(ours) as a, rasterio.open(theirs) as b:
            if a.shape != b.shape:
                return f"sizes differ: {a.shape} and {b.shape}"
            for row in range(0, a.height, 1024):
                window = Window(0, row, a.width, min(1024, a.height - row))
                difference, odd = apart(a, b, window, band)
                largest, undefined = max(largest, difference), undefined + odd
    return f"{largest:.1e}" + (f", {undefined} pixels nodata in one only" if undefined else "")


def table(ours, theirs):
    def means(path):
        rows = list(csv.DictReader(open(path)))
        column = next(c for c in rows[0] if c == "mean" or c.endswith("mean"))
        return {r["parcel_id"]: float(r[column] or "nan") for r in rows}
    a, b = means(ours), means(theirs)
    if a.keys() != b.keys():
        return f"{len(a)} and {len(b)} parcels"
    return f"{max((abs(a[k] - b[k]) for k in a if not math.isnan(a[k])), default=0.0):.1e}"


def polygons(ours, theirs):
    import geopandas
    a, b = geopandas.read_file(ours), geopandas.read_file(theirs)
    areas = a.geometry.area.sum(), b.geometry.area.sum()
    return f"{abs(areas[0] - areas[1]) / max(areas[0], 1):.1e}, {len(a)} and {len(b)} polygons"


def main(kind, ours, theirs):
    if kind == "raster":
        return rasters([(ours, 1, theirs)])
    if kind == "bands":
        pairs = [(ours, i + 1, Path(theirs) / f"{n}.tif") for i, n in enumerate(TEN)]
        return rasters([p for p in pairs if p[2].exists()])
    return {"table": table, "polygons": polygons}[kind](ours, theirs)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
