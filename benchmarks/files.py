"""Time and memory to read large files of several services.

    python benchmarks/files.py [--megabytes 300] [--only NAME] [--data DIR]

The files are made up in a temporary folder, one at a time; Spotify's once as one JSON file, once as
a ZIP in parts, as Spotify sends it. Each is read from disk in its own process. Its memory is the
peak while reading less the peak before. The last column is the number of progress reports. Then the
real exports in the data folder, if any: their content, and the share of plays whose artist the
shipped model knows.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import large_files

from twotower.core.settings import Settings
from twotower.sources.profiles import profile_of
from twotower.sources.reader import read_files

LIMIT_MB = 100  # above the file's own size
PARTS = 12  # files in the ZIP


def write_zip(path: Path, whole: Path) -> None:
    """Write the rows of `whole` into PARTS files of about the same size."""
    most = whole.stat().st_size // PARTS
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        whole.open("rb") as file,
    ):
        lines = (line.strip().strip(b"[],") for line in file)
        has_more = True
        for part in range(PARTS):
            with archive.open(f"MyData/Streaming_History_Audio_{part}.json", "w") as member:
                size = 0
                for line in lines:
                    size += member.write((b",\n" if size else b"[") + line)
                    if size > most:
                        break
                else:
                    has_more = False
                member.write(b"]")
            if not has_more:
                break


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(path: str, answer: Any) -> None:
    """Read a file in this process, and send seconds, megabytes, reports and plays."""
    shares: list[float] = []
    before, start = peak_mb(), time.perf_counter()
    with Path(path).open("rb") as file:
        reading = read_files([(Path(path).name, file)], lambda share, _: shares.append(share))
    seconds = time.perf_counter() - start
    plays = sum(report.plays for report in reading.reports)
    answer.send((seconds, peak_mb() - before, len(shares), plays))


def read_in_process(path: Path) -> tuple[Any, ...]:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=measure, args=(str(path), theirs))
    process.start()
    theirs.close()  # so that `recv` fails if the process does
    result: tuple[Any, ...] = ours.recv()
    process.join()
    return result


def measure_large(megabytes: int, only: str) -> None:
    print(
        f"{'file':<34}{'MB':>6}{'plays':>11}{'seconds':>9}"
        f"{'MB above':>10}{'limit':>7}{'reports':>9}"
    )
    for name in large_files.KINDS:
        if only in name:
            with tempfile.TemporaryDirectory() as folder:
                path = large_files.write(name, Path(folder), megabytes)
                show(path)
                if name.startswith("Streaming"):
                    packed = Path(folder) / "my_spotify_data.zip"
                    write_zip(packed, path)
                    show(packed)


def show(path: Path) -> None:
    """Print a row of the table for one file."""
    seconds, above, reports, plays = read_in_process(path)
    print(
        f"{path.name:<34}{path.stat().st_size >> 20:6}{plays:11,}{seconds:9.1f}"
        f"{above:10.0f}{LIMIT_MB:7}{reports:9}",
        flush=True,
    )


def show_real(data: Path) -> None:
    files = sorted((data / "spotify-user-exports").glob("*/*.gz"))
    if not files:
        return
    from twotower.model.embedder import Embedder

    embedder = Embedder.load(Settings.from_env().model)
    print(f"\n{'file':<36}{'plays':>7}{'artists':>9}{'span':>27}{'recognised':>12}{'seconds':>9}")
    for path in files:
        start = time.perf_counter()
        try:
            with path.open("rb") as file:
                reading = read_files([(path.name, file)])
        except Exception as error:
            print(f"{path.name:<36}{error}")
            continue
        seconds = time.perf_counter() - start
        (report,) = reading.reports
        known = embedder.coverage(profile_of(reading)).plays
        span = f"{report.since} to {report.until}" if report.since else ""
        print(
            f"{path.name:<36}{report.plays:7,}{report.artists:9,}{span:>27}"
            f"{known:12.1%}{seconds:9.2f}"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--megabytes", type=int, default=300)
    options.add_argument("--only", default="", help="part of the names of the files to read")
    options.add_argument("--data", type=Path, default=Settings.from_env().data)
    arguments = options.parse_args()
    measure_large(arguments.megabytes, arguments.only)
    if not arguments.only:
        show_real(arguments.data)


if __name__ == "__main__":
    main()
