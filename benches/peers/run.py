#!/usr/bin/env python3
"""Runs regrow and other tools on the same work side by side and prints a section for benches/RESULTS.md.

usage: run.py --regrow PATH [--size 10980] [--runs 5] [--task ndvi-zstd,zonal] [--peers gdal,otb] [--folder DIR]

Every peer alternates with regrow (A B A B), so that both meet the same minutes of the machine; medians of wall and
processor time, the largest resident memory of any process of a chain (wait4), files in the page cache. A peer that is not
installed or fails is named with its error and left out of the table.
"""
# This process stays small: a child's memory as wait4 tells it begins with that of its parent.
import argparse
import datetime
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import measure
from tasks import STEPS, TASKS, Bench

HERE = Path(__file__).parent


def said(*command):
    """The first line a program prints, or nothing."""
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60)
        lines = (done.stdout or done.stderr).strip().splitlines()
        return lines[0].strip() if lines else ""
    except (OSError, subprocess.TimeoutExpired):
        return ""


def machine():
    model = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "unknown")
    memory = next(int(l.split()[1]) for l in open("/proc/meminfo") if l.startswith("MemTotal:")) / 2**20
    system = next((l.split("=", 1)[1].strip().strip('"') for l in open("/etc/os-release") if l.startswith("PRETTY")), "")
    return f"{model}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, {system}, Linux {os.uname().release}"


def versions(regrow):
    packages = ["numpy", "rasterio", "xarray", "dask", "exactextract", "whitebox-workflows"]
    code = f"from importlib.metadata import version as v\nprint(', '.join(f'{{p}} {{v(p)}}' for p in {packages!r}))"
    found = [said(regrow, "--version"), said("gdal_translate", "--version").split(",")[0],
             "GDAL " + said(sys.executable, STEPS / "gdal_algorithm.py", "--version") + " in pyogrio",
             said(sys.executable, "-c", code), said("dpkg-query", "-W", "-f", "OTB ${Version}", "otb-bin")]
    return "; ".join(f for f in found if f)


class Folder:
    """A folder of one chain's outputs, empty for every run."""

    def __init__(self, path):
        self.path = path

    def fresh(self):
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        return self.path


def compare(task, ours, theirs):
    if task.compare == "none":
        return ""
    a, b = ours / task.ours_file, theirs / task.peer_file if task.peer_file else theirs
    if not a.exists() or not b.exists():
        return ""
    done = subprocess.run([sys.executable, HERE / "compare.py", task.compare, a, b], capture_output=True, text=True)
    return done.stdout.strip() or "comparison failed: " + done.stderr.strip().splitlines()[-1]


def wrong(apart):
    """True where a difference is no rounding: such a result is no faster way to the same."""
    try:
        return float(apart.split(",")[0]) > 1e-3
    except ValueError:
        return False


def row(name, spent, base=None, apart=""):
    ratio = lambda a, b: f"{a / b:.2f}" if base else "1"
    wall, cpu = (ratio(spent.wall, base.wall), ratio(spent.cpu, base.cpu)) if base else ("1", "1")
    return f"| {name} | {spent.wall:.2f} | {spent.cpu:.2f} | {spent.peak:.0f} | {wall} | {cpu} | {apart} |"


def run_task(name, bench, options, work):
    task = TASKS[name](bench)
    chosen = {k: v for k, v in task.peers.items()
              if not options.peers or any(p.lower() in k.lower() for p in options.peers.split(","))}
    log = work / "log"
    ours, theirs = Folder(work / "ours"), Folder(work / "theirs")
    mine, table, failures, losses = [], [], [], []
    for peer, chain in chosen.items():
        print(f"{name}: {peer}", file=sys.stderr, flush=True)
        pair = ([], [])
        try:
            for _ in range(options.runs):
                pair[0].append(measure.once(task.ours(ours.fresh()), log))
                pair[1].append(measure.once(chain(theirs.fresh()), log))
        except (measure.Failed, OSError) as error:
            failures.append(f"- {peer}: {error}")
            mine += pair[0]
            continue
        mine += pair[0]
        a, b = measure.median(pair[0]), measure.median(pair[1])
        apart = compare(task, ours.path, theirs.path)
        table.append(row(peer, b, a, apart))
        if not peer.startswith("regrow") and not wrong(apart):
            lost = [what for what, x, y in (("wall time", a.wall, b.wall), ("processor time", a.cpu, b.cpu),
                                            ("memory", a.peak, b.peak)) if x > y]
            losses += [f"{peer} ({', '.join(lost)})"] if lost else []
    if not mine:
        mine = [measure.once(task.ours(ours.fresh()), log) for _ in range(options.runs)]
    lines = [f"### {task.title}", "", "| tool | wall s | CPU s | peak MiB | wall / regrow | CPU / regrow | difference |",
             "| --- | ---: | ---: | ---: | ---: | ---: | --- |", row("**regrow**", measure.median(mine)), *table, ""]
    if task.note:
        lines += [task.note, ""]
    lines += [f"regrow loses to: {'; '.join(losses)}.", ""] if losses else []
    lines += ["Not measured:", *failures, ""] if failures else []
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regrow", type=Path, default=Path("target/release/regrow"), help="the program")
    parser.add_argument("--size", type=int, default=10980, help="columns and rows of the scene")
    parser.add_argument("--runs", type=int, default=5, help="runs of each of a pair")
    parser.add_argument("--task", default=",".join(TASKS), help="tasks, of " + ", ".join(TASKS))
    parser.add_argument("--peers", default="", help="parts of peers' names; all where left out")
    parser.add_argument("--folder", type=Path, help="where inputs are kept for the next time, and outputs made")
    options = parser.parse_args()
    unknown = [t for t in options.task.split(",") if t not in TASKS]
    if unknown:
        parser.error(f"no task {', '.join(unknown)}; there are {', '.join(TASKS)}")
    regrow = options.regrow.resolve()
    if not regrow.is_file():
        parser.error(f"{regrow} is not there; build it with cargo build --release")
    folder = options.folder or Path(tempfile.mkdtemp(prefix="regrow-peers-"))
    inputs = folder / f"scene_{options.size}"
    try:
        subprocess.run([sys.executable, HERE / "scene.py", "--size", str(options.size), inputs], check=True)
        prepared = Folder(folder / "prepared").fresh()
        bench = Bench(regrow, inputs, options.size, prepared)
        prepare(bench, options.task)
        measure.warm(sorted(inputs.glob("*.tif")) + sorted(prepared.glob("*.tif")))
        print(f"## {datetime.date.today()}, {options.size} x {options.size} pixels\n")
        print(f"{machine()}. {versions(regrow)}. Median of {options.runs} alternating pairs, files in page cache, whole "
              f"processes (Python's start included); "
              f"`benches/peers/run.py {' '.join(shown(sys.argv[1:]))}`.\n")
        for name in options.task.split(","):
            print(run_task(name, bench, options, folder), flush=True)
    finally:
        for part in ("ours", "theirs", "prepared", "log"):
            path = folder / part
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)


def shown(words):
    """Arguments without paths of this machine."""
    return [Path(w).name if w.startswith("/") else w for w in words]


def prepare(bench, tasks):
    """Makes what zonal statistics and polygons start from."""
    quiet = dict(check=True, stdout=subprocess.DEVNULL)
    # DEFLATE, because not every peer's GDAL has ZSTD.
    if "zonal" in tasks:
        subprocess.run([bench.regrow, "index", "NDVI", f"red={bench.band('red')}", f"nir={bench.band('nir')}", "-o",
                        bench.prepared / "ndvi.tif", "--co", "COMPRESS=DEFLATE", "--quiet"], **quiet)
    if {"median", "geomedian"} & set(tasks.split(",")):
        subprocess.run([sys.executable, HERE / "series.py", "--size", str(bench.size), bench.prepared], **quiet)
    if "polygonize" in tasks:
        from tasks import BANDS, scene
        out = bench.prepared / "bare.tif"
        subprocess.run([bench.regrow, "bare", *scene(bench, BANDS), "--scale", "0.0001", "--min-area", "0.5ha", "--connect",
                        "8", "-o", out, "--quiet"], **quiet)
        subprocess.run(["gdal_translate", "-q", "-of", "COG", "-a_nodata", "0", "-co", "COMPRESS=DEFLATE", out,
                        bench.prepared / "bare_ones.tif"], **quiet)


if __name__ == "__main__":
    main()
