"""Shared by all benchmarks: timing, memory, and results as JSON."""

import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent / "results"
PACKAGES = ("numpy", "torch", "SQLAlchemy", "faiss-cpu", "pgvector", "scipy")


def milliseconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1e3


def turn_about(
    acts: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, dict[str, float]]:
    """Return name -> p50 and p95 in ms; the acts take turns, so that other load affects all."""
    times: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(rounds):
        for name, act in acts.items():
            times[name].append(milliseconds(act))
    return {name: percentiles(each) for name, each in times.items()}


def percentiles(times: list[float]) -> dict[str, float]:
    return {"p50": float(np.median(times)), "p95": float(np.percentile(times, 95))}


def peak_mb() -> float:
    """Return the peak memory of this process in MiB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_mb() -> float:
    """Return the current memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def write(name: str, found: Mapping[str, object]) -> Path:
    """Write results to results/NAME.json, with date, machine, versions and command."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    about = {
        "command": shlex.join(["python", *sys.argv]),
        "day": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {_processor()}",
        "python": platform.python_version(),
        "versions": versions,
    }
    path = FOLDER / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    text = json.dumps({**about, **_rounded(dict(found))}, indent=1)
    path.write_text(f"{text}\n", encoding="utf-8")
    return path


def _rounded(value: object) -> object:
    """Round numbers to four digits: more would be noise."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
