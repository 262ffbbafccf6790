"""Commands `map fit` and `map place`: lay out a map, or place a person on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twotower.cli.import_files import read_person
from twotower.cli.neighbours import load_portrait
from twotower.cli.options import Files, Json, Seed, check_exists, check_writable, load_matcher
from twotower.cli.terminal import ProgressLine, plain, show_result
from twotower.core.errors import IncompatibleModel, MissingData
from twotower.core.files import atomic_write
from twotower.core.jobs import Progress

if TYPE_CHECKING:
    import numpy as np

    from twotower.matching.matcher import Matcher

MIN_LISTENERS = 3  # UMAP needs a few neighbours


def map_fit(
    out: Annotated[Path, typer.Option(help="NumPy file to write: ids, places and reliability.")],
    vectors: Annotated[
        Path | None,
        typer.Argument(help="File of `embed --tower candidate`. [default: the community]"),
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Lay listeners out on a map: similar listeners get close places."""
    from twotower.retrieval import projection

    check_writable(out)
    with ProgressLine() as progress:
        ids, points = _community_vectors(progress) if vectors is None else _read_vectors(vectors)
        if len(ids) < MIN_LISTENERS:
            raise MissingData(f"a map needs at least {MIN_LISTENERS} listeners, not {len(ids)}")
        places = projection.fit_map(points, seed=seed, progress=progress)
        reliability = projection.reliability(points, places)
    _write_map(out, ids, places, reliability)
    mean = float(reliability.mean())
    show_result(
        {"listeners": len(ids), "out": str(out), "reliability": mean},
        f"{out}: {len(ids):,} listeners, {mean:.0%} of true neighbours are near on the map",
        json=json,
    )


def map_place(files: Files, json: Json = False) -> None:
    """Place one person on the map of the community."""
    person, _ = read_person(files)
    with ProgressLine() as progress:
        matcher, portrait = load_portrait(person, progress)
        x, y = matcher.place(portrait)
        area = _nearest_area(matcher, x, y)
    document: dict[str, Any] = {"id": person.id, "x": float(x), "y": float(y)}
    text = f"{x:.2f} {y:.2f}"
    if area:
        document["area"] = area
        text += f"  near {plain(area)}"
    show_result(document, text, json=json)


def _community_vectors(progress: Progress) -> "tuple[tuple[str, ...], np.ndarray]":
    snapshot = load_matcher(progress).snapshot()
    return tuple(snapshot.ids), snapshot.candidate.__array__()


def _read_vectors(path: Path) -> "tuple[tuple[str, ...], np.ndarray]":
    """Return ids and vectors (n, D) of a file of `embed`. Raises IncompatibleModel if damaged."""
    import numpy as np

    check_exists(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            ids, points = tuple(map(str, arrays["ids"])), arrays["vectors"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise IncompatibleModel(
            f"no ids and vectors in it ({error}); `embed` writes such a file", where=str(path)
        ) from error
    if points.ndim != 2 or len(ids) != len(points) or not np.isfinite(points).all():
        raise IncompatibleModel(
            f"{len(ids)} ids for vectors of shape {points.shape}; write it again with `embed`",
            where=str(path),
        )
    return ids, points.astype(np.float32)


def _write_map(
    path: Path, ids: tuple[str, ...], places: "np.ndarray", reliability: "np.ndarray"
) -> None:
    import numpy as np

    with atomic_write(path) as file:
        np.savez(file, ids=np.array(ids, dtype=np.str_), places=places, reliability=reliability)


def _nearest_area(matcher: "Matcher", x: float, y: float) -> str:
    """Return the name of the area whose centre is nearest; "" on a map without areas."""
    areas = matcher.areas()
    nearest = min(areas, key=lambda area: (area.x - x) ** 2 + (area.y - y) ** 2, default=None)
    return nearest.name if nearest else ""
