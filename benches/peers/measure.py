"""Runs commands and says what they took."""
import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Spent:
    """Wall and processor seconds of a chain of commands, and the largest resident memory of one of them in MiB."""
    wall: float
    cpu: float
    peak: float


class Failed(Exception):
    """A command of a peer failed."""


def once(commands, log):
    """Runs commands one after another; all processes they wait for count."""
    wall = cpu = peak = 0.0
    environment = dict(os.environ, GDAL_NUM_THREADS="ALL_CPUS")
    for command in commands:
        with open(log, "wb") as output:
            start = time.perf_counter()
            process = subprocess.Popen([str(w) for w in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                       env=environment)
            _, status, usage = os.wait4(process.pid, 0)
            wall += time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss / 1024)
        if process.returncode != 0:
            tail = Path(log).read_text(errors="replace").strip().splitlines()[-3:]
            raise Failed(f"{Path(str(command[0])).name} ended with {process.returncode}: {' / '.join(tail)}")
    return Spent(wall, cpu, peak)


def median(runs):
    """Medians of wall and processor time, the largest peak."""
    return Spent(statistics.median(r.wall for r in runs), statistics.median(r.cpu for r in runs),
                 max(r.peak for r in runs))


def warm(paths):
    """Brings files into the page cache."""
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 24):
                pass
