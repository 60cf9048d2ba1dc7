"""Time series methods beside their peers, a pixel at a time, on the same synthetic series; processor time of one core.

regrow runs as a whole process on a stack (reading, masking and writing included); peers are called on arrays in memory, a pixel
after the other, and their import is not counted. Needs numpy, rasterio, pymannkendall, cdts and pyxccd:

    python temporal.py --regrow target/release/regrow --size 64 --runs 3
"""

import argparse
import datetime
import os
import resource
import statistics
import subprocess
import tempfile
import time

import numpy
import rasterio
from rasterio.transform import from_origin


def stack(folder, role, values, days, dtype="float32"):
    """Writes values (dates, rows, cols) as a raster whose bands are dates."""
    path = os.path.join(folder, role + ".tif")
    profile = dict(driver="GTiff", count=len(days), height=values.shape[1], width=values.shape[2], dtype=dtype)
    place = from_origin(500000, 5000000, 10, 10)
    with rasterio.open(path, "w", crs="EPSG:32634", transform=place, tiled=True, **profile) as f:
        f.write(values.astype(dtype))
        for band, day in enumerate(days, 1):
            f.set_band_description(band, day.isoformat())
    return f"{role}={path}"


def days_from(start, step, count):
    return [start + datetime.timedelta(days=step * k) for k in range(count)]


def seasonal(rng, days, size, level, amplitude, noise):
    """A season with noise, and a step down somewhere in the second half of half of the pixels."""
    t = numpy.array([d.toordinal() for d in days]) / 365.25
    wave = level + amplitude * numpy.cos(2 * numpy.pi * t)
    values = wave[:, None, None] + rng.normal(0, noise, (len(days), size, size))
    step = rng.integers(len(days) // 2, len(days) * 9 // 10, (size, size))
    after = numpy.arange(len(days))[:, None, None] >= step
    return numpy.where(after & (rng.random((size, size)) < 0.5), values - 2 * amplitude, values)


def regrow(binary, words):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    quiet = dict(stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    subprocess.run([binary, *words, "--threads", "1", "--overwrite", "-q"], check=True, **quiet)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peer(call, pixels):
    start = time.process_time()
    for pixel in pixels:
        call(pixel)
    return (time.process_time() - start) / len(pixels)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--regrow", required=True)
    options.add_argument("--size", type=int, default=64)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--peer-pixels", type=int, default=100)
    given = options.parse_args()
    import cdts
    import pymannkendall
    import pyxccd

    size, rng = given.size, numpy.random.default_rng(7)
    folder = tempfile.mkdtemp()
    out = ["-o", os.path.join(folder, "out.tif")]
    some = [(i // size, i % size) for i in range(given.peer_pixels)]
    tasks = []

    days = days_from(datetime.date(2015, 8, 1), 14, 140)
    ndvi = seasonal(rng, days, size, 0.5, 0.2, 0.05)
    words = ["trend", stack(folder, "value", ndvi, days), "--index", "value", *out]

    def kendall(p):
        pymannkendall.original_test(ndvi[:, p[0], p[1]])

    tasks.append(("Mann-Kendall and Sen, 140 dates", words, kendall, "pymannkendall"))

    june = [datetime.date(1985 + k, 6, 30) for k in range(35)]
    nbr = seasonal(rng, june, size, 0.6, 0.15, 0.04)
    years = numpy.arange(1985, 2020)
    other = os.path.join(folder, "years")
    os.mkdir(other)
    words = ["segment", stack(other, "value", nbr, june), "--index", "value", *out]

    def landtrendr(p):
        cdts.run_landtrendr(years, nbr[:, p[0], p[1]] * 1000.0, best_model_proportion=0.75, modifier=-1.0)

    tasks.append(("LandTrendr, 35 years", words, landtrendr, "cdts"))

    dense = days_from(datetime.date(2000, 1, 5), 16, 220)
    bands = {}
    levels = dict(blue=0.04, green=0.07, red=0.06, nir=0.3, swir16=0.2, swir22=0.1)
    for role, level in levels.items():
        bands[role] = numpy.clip(seasonal(rng, dense, size, level, level / 5, level / 20), 0.001, 1.5)
    files = os.path.join(folder, "bands")
    os.mkdir(files)
    stacks = [stack(files, role, values, dense) for role, values in bands.items()]
    ordinal = numpy.array([d.toordinal() for d in dense], dtype="int64")
    clear = numpy.zeros(len(dense), dtype="int64")
    words = ["segment", *stacks, "--method", "cold", *out]

    def cold(p):
        values = [numpy.ascontiguousarray((bands[r][:, p[0], p[1]] * 10000).astype("int64")) for r in levels]
        return pyxccd.cold_detect(ordinal, *values, clear, clear)

    tasks.append(("COLD, 220 dates, 6 bands", words, cold, "pyxccd"))

    for name, words, call, tool in tasks:
        ours, theirs = [], []
        for _ in range(given.runs):
            ours.append(regrow(given.regrow, words) / size**2 * 1e6)
            theirs.append(peer(call, some) * 1e6)
        mine, other = statistics.median(ours), statistics.median(theirs)
        print(f"{name}: regrow {mine:.1f} us a pixel, {tool} {other:.1f}, {other / mine:.1f} times")


main()
