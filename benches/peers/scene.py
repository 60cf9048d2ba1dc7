#!/usr/bin/env python3
"""The synthetic scene of `regrow bench`, made by numpy and written by GDAL.

usage: scene.py --size N FOLDER

Writes before_{blue,green,red,nir,swir16,swir22}.tif and after_{blue,red,nir,swir16}.tif (uint16 reflectance x 10000,
deflate, predictor 2, blocks of 512), parcels.gpkg (1,000 parcels that tile the scene) and samples.csv. Pixels are those of
src/bench/recipe.rs: smooth fields of vegetation, brightness and water mixed from three spectra, plus sensor noise.
"""
import argparse
import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyogrio.raw
import rasterio
import shapely
from rasterio.windows import Window

BANDS = ["blue", "green", "red", "nir", "swir16", "swir22"]
AFTER = ["blue", "red", "nir", "swir16"]
VEGETATION = [0.03, 0.06, 0.04, 0.42, 0.20, 0.10]
SOIL = [0.10, 0.14, 0.19, 0.27, 0.33, 0.28]
WATER = [0.05, 0.05, 0.03, 0.02, 0.01, 0.01]
OCTAVES = [(1024, 0.5), (256, 0.25), (64, 0.15), (16, 0.1)]
NOISE = 60.0
PIXEL = 10.0
WEST, NORTH = 500_000.0, 4_900_000.0
EPSG = 32634
PARCELS, PIECES, SAMPLES = (40, 25), 4, 2000


def unit(x, y, seed):
    """A number in 0..1 that belongs to a place and a seed."""
    with np.errstate(over="ignore"):
        h = np.asarray(x, np.uint32) * np.uint32(0x9E3779B1) ^ np.asarray(y, np.uint32) * np.uint32(0x85EBCA77)
        h = h ^ np.uint32(seed) * np.uint32(0xC2B2AE3D)
        h = (h ^ h >> np.uint32(15)) * np.uint32(0x2C1B3C6D)
        h = (h ^ h >> np.uint32(12)) * np.uint32(0x297A2D39)
        return (h ^ h >> np.uint32(15)) / 4294967296.0


def smooth(t):
    return t * t * (3.0 - 2.0 * t)


def field(seed, rows, cols):
    """Value noise of a block of rows: octaves of random lattices, smoothly interpolated."""
    out = np.zeros((len(rows), len(cols)))
    for octave, (cell, weight) in enumerate(OCTAVES):
        y, v = (rows // cell)[:, None], smooth(rows % cell / cell)[:, None]
        lattice = np.arange(cols[-1] // cell + 2)[None, :]
        top, bottom = unit(lattice, y, seed * 16 + octave), unit(lattice, y + 1, seed * 16 + octave)
        line = top + (bottom - top) * v
        x, u = cols // cell, smooth(cols % cell / cell)
        left, right = line[:, x], line[:, x + 1]
        out += weight * (left + (right - left) * u)
    return out


def block(after, bands, first, count, size):
    """Stored values of rows `first` to `first + count` of some bands."""
    rows, cols = np.arange(first, first + count), np.arange(size)
    vegetation, brightness, water, loss = (field(seed, rows, cols) for seed in (1, 2, 3, 4))
    vegetation = np.clip((vegetation - 0.5) * 2.2 + 0.5, 0.0, 1.0)
    if after:
        vegetation = vegetation * (1.0 - np.clip((loss - 0.55) * 5.0, 0.0, 1.0))
    water = np.clip((water - 0.68) * 20.0, 0.0, 1.0)
    brightness = 0.8 + 0.4 * brightness
    out = []
    for name in bands:
        b = BANDS.index(name)
        land = brightness * (vegetation * VEGETATION[b] + (1.0 - vegetation) * SOIL[b])
        reflectance = land * (1.0 - water) + water * WATER[b]
        seed = 1000 + b * 4 + (2 if after else 0)
        x, y = cols[None, :], rows[:, None]
        noise = (unit(x, y, seed) + unit(x, y, seed + 1) - 1.0) * NOISE
        stored = reflectance * 10_000.0 + noise
        # Half away from zero, as Rust rounds; all values are positive.
        out.append(np.clip(np.floor(stored + 0.5), 1, 65535).astype(np.uint16))
    return out


def scene(folder, size, after):
    bands = AFTER if after else BANDS
    profile = dict(
        driver="GTiff", width=size, height=size, count=1, dtype="uint16", crs=f"EPSG:{EPSG}", tiled=True,
        blockxsize=512, blockysize=512, compress="deflate", predictor=2, num_threads="all_cpus",
        transform=rasterio.transform.from_origin(WEST, NORTH, PIXEL, PIXEL))
    prefix = "after" if after else "before"
    files = [rasterio.open(folder / f"{prefix}_{b}.tif", "w", **profile) for b in bands]
    step = 512
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        starts = range(0, size, step)
        for batch in (starts[i:i + os.cpu_count()] for i in range(0, len(starts), os.cpu_count())):
            jobs = [pool.submit(block, after, bands, r, min(step, size - r), size) for r in batch]
            for first, job in zip(batch, jobs):
                for file, pixels in zip(files, job.result()):
                    file.write(pixels, 1, window=Window(0, first, size, pixels.shape[0]))
    for file in files:
        file.close()


def parcels(path, size):
    edge = size * PIXEL
    fine = (PARCELS[0] * PIECES, PARCELS[1] * PIECES)

    def corner(i, j):
        push = lambda at, last, seed: 0.0 if at in (0, last) else 0.8 * (float(unit(i, j, seed)) - 0.5)
        return WEST + (i + push(i, fine[0], 77)) / fine[0] * edge, NORTH - (j + push(j, fine[1], 78)) / fine[1] * edge

    polygons, names = [], []
    for row in range(PARCELS[1]):
        for col in range(PARCELS[0]):
            left, top = col * PIECES, row * PIECES
            right, bottom = left + PIECES, top + PIECES
            ring = [corner(i, top) for i in range(left, right)] + [corner(right, j) for j in range(top, bottom)]
            ring += [corner(i, bottom) for i in range(right, left, -1)]
            ring += [corner(left, j) for j in range(bottom, top, -1)]
            polygons.append(shapely.Polygon(ring))
            names.append(f"P{row * PARCELS[0] + col + 1:04}")
    pyogrio.raw.write(
        path, geometry=shapely.to_wkb(np.array(polygons)), field_data=[np.array(names, dtype=object)],
        fields=["parcel_id"], geometry_type="Polygon", crs=f"EPSG:{EPSG}", driver="GPKG", layer="parcels")


def samples(path, size):
    edge = size * PIXEL
    with open(path, "w") as out:
        out.write("x,y,zn_mg_kg\n")
        for i in range(SAMPLES):
            u, v, noise = (float(unit(i, 0, seed)) for seed in (91, 92, 93))
            value = 200.0 + 120.0 * math.sin(u * 9.0) * math.cos(v * 7.0) + 40.0 * (noise - 0.5)
            out.write(f"{WEST + u * edge:.2f},{NORTH - edge + v * edge:.2f},{value:.2f}\n")


def make(folder, size):
    """Writes all inputs; a folder that has them already is left as it is."""
    folder = Path(folder)
    done = folder / f"complete_{size}"
    if done.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    scene(folder, size, after=False)
    scene(folder, size, after=True)
    (folder / "parcels.gpkg").unlink(missing_ok=True)
    parcels(folder / "parcels.gpkg", size)
    samples(folder / "samples.csv", size)
    done.touch()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--size", type=int, default=10980)
    arguments.add_argument("folder")
    options = arguments.parse_args()
    make(options.folder, options.size)
