"""`python -m twotower COMMAND`: the doors in and out of the program for a terminal.

What takes long to import is imported in the command that needs it, so that help is quick.
"""

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twotower.disk import replacing
from twotower.errors import BadProfile, MissingData
from twotower.settings import Settings
from twotower.terminal import READING_S, Commands, Progress, plain, show_json

if TYPE_CHECKING:
    from twotower.domain import Neighbour, Profile, Recognised
    from twotower.embedder import Embedder
    from twotower.matching import Matcher, Portrait
    from twotower.sources.files import FileReport

BATCH = 1024  # profiles embedded at once

app = typer.Typer(
    cls=Commands,
    name="twotower",
    help="Bring your music, from anywhere, and see who hears it the way you do.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
map_app = typer.Typer(
    help="The map of the community, and a place on it.",
    rich_markup_mode=None,
)
app.add_typer(map_app, name="map")


class Side(StrEnum):
    """Which of the two towers."""

    user = "user"
    candidate = "candidate"


Json = Annotated[bool, typer.Option("--json", help="Give the values as one JSON document.")]
Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="Spotify data export (ZIP or JSON), CSV with artist and track, or profile JSON Lines;"
        " also gzipped. Several become one profile.",
    ),
]
Profiles = Annotated[
    list[Path], typer.Argument(metavar="PROFILES...", help="Profile JSON Lines; also gzipped.")
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")]


@app.command("import")
def import_(
    files: Files,
    out: Annotated[Path, typer.Option(help="Profile JSON Lines to write, one line.")],
    id: Annotated[str, typer.Option(help="The listener's id in the profile.")] = "me",
    json: Json = False,
) -> None:
    """Bring listening files of one person into one profile."""
    from twotower.profiles import write_profiles

    _writable(out)
    profile, reports = _read_person(files, id)
    write_profiles([profile], out)
    if json:
        show_json(
            {
                "id": profile.id,
                "out": str(out),
                "origin": profile.origin,
                "artists": len(profile.artists),
                "tracks": len(profile.tracks),
                "playlists": len(profile.playlists),
                "plays": sum(artist.plays for artist in profile.artists.values()),
                "files": [_report(report) for report in reports],
            }
        )
    else:
        for report in reports:
            typer.echo(f"{plain(report.name)}: {report.plays:,} rows of music{_left_out(report)}")
        typer.echo(
            f"{out}: {len(profile.artists):,} artists, {len(profile.tracks):,} tracks, "
            f"{len(profile.playlists):,} playlists"
        )


@app.command()
def dataset(
    name: Annotated[str, typer.Argument(help="hetrec, germany, audioscrobbler, tidytuesday, mpd")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where its files are.")],
    out: Annotated[Path | None, typer.Option(help="Profile JSON Lines to write.")] = None,
    content: Annotated[
        Path | None, typer.Option(help="JSON Lines to write: genres and audio of artists.")
    ] = None,
    tags: Annotated[
        Path | None, typer.Option(help="JSON Lines to write: who tagged which artist with what.")
    ] = None,
    json: Json = False,
) -> None:
    """Bring a public data set into profile JSON Lines; docs/data.md says where to get each.

    Artist content is gathered from all sets in the data folder around DIR.
    """
    from twotower import datasets
    from twotower.profiles import write_profiles

    if name not in datasets.DATASETS:
        known = ", ".join(datasets.DATASETS)
        raise typer.TyperException(f"no data set {name!r}; there are {known}")
    if tags is not None and name != "hetrec":
        raise typer.TyperException("only hetrec has tags; leave --tags out")
    if out is None and content is None and tags is None:
        raise typer.TyperException("nothing to write: give --out, --content or --tags")
    for path in (out, content, tags):
        if path is not None:
            _writable(path)
    written: dict[str, Any] = {}
    with Progress() as tell:
        if out is not None:
            profiles = _counted(datasets.read_dataset(name, folder), tell, f"{name}: listeners")
            written["listeners"] = write_profiles(profiles, out)
        if content is not None:
            tell(0.5, "artist content")
            about = datasets.read_content(_content_folder(folder))
            written["artists"] = datasets.write_content(about, content)
        if tags is not None:
            tell(0.9, "tags")
            written["tags"] = datasets.write_tags(datasets.read_tags(folder), tags)
    if json:
        show_json({"dataset": name, **written})
    else:
        typer.echo(", ".join(f"{count:,} {what}" for what, count in written.items()))


@app.command()
def train(
    profiles: Profiles,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write the model to.")],
    content: Annotated[
        Path | None, typer.Option(help="What `dataset --content` wrote: genres, audio of artists.")
    ] = None,
    tags: Annotated[
        Path | None, typer.Option(help="What `dataset --tags` wrote: listeners' tags of artists.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Fewer are sooner done.")] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train a model on listeners; the same call goes on where an interrupted one stopped."""
    from twotower.artist_content import read_content_file
    from twotower.datasets import read_tags_file

    _model_folder(out)
    with Progress() as tell:
        listeners = _read_many(profiles, tell)
        about = read_content_file(content) if content is not None else []
        taggings = read_tags_file(tags) if tags is not None else []
        from twotower.fit import fit
        from twotower.training import Record, TrainConfig

        config = TrainConfig(seed=seed)
        config = replace(config, steps=steps) if steps is not None else config

        def on_record(record: Record) -> None:
            share = 0.2 + 0.8 * record.step / config.steps
            tell(share, f"step {record.step} of {config.steps}, loss {record.loss:.3f}")

        unfinished = out.with_name(f"{out.name}.unfinished")
        embedder = fit(
            listeners,
            about,
            taggings,
            config=config,
            resume=unfinished,
            on_record=on_record,
            progress=lambda share, text: tell(0.2 * share, text),
        ).save(out)
        unfinished.unlink(missing_ok=True)
    known = len(embedder.catalogue)
    if json:
        show_json(
            {
                "out": str(out),
                "version": embedder.version,
                "listeners": len(listeners),
                "artists": known,
                "about": dict(embedder.about),
            }
        )
    else:
        typer.echo(
            f"{out}: model {embedder.version}, {len(listeners):,} listeners, {known:,} artists"
        )


@app.command()
def evaluate(
    model: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Ask this model about those that it was not trained on."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The public data sets; else TWOTOWER_DATA.")
    ] = None,
    check: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be given several times.")
    ] = None,
    split: Annotated[
        list[int] | None, typer.Option(min=0, help="Only this one of 0, 1, 2; several times too.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write the report to.")] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """How well listeners are found again that no method was fitted on, beside plain baselines.

    Without --model the towers are trained anew on each split, which takes minutes.
    """
    from twotower.checks import CHECKS

    checks = tuple(check or CHECKS)
    if unknown := set(checks) - set(CHECKS):
        raise typer.TyperException(
            f"no check {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}"
        )
    if out is not None:
        _writable(out)
    folder = data if data is not None else Settings.from_env().data
    command = shlex.join(["python", "-m", "twotower", *sys.argv[1:]])
    with Progress() as tell:
        tell(0.0, "reading the data")
        from twotower.baselines import BASELINES
        from twotower.evaluation import evaluate as compare
        from twotower.evaluation import evaluate_model
        from twotower.fit import TwoTowers, two_towers

        if model is None:
            report = compare(
                folder,
                fits={TwoTowers.name: two_towers(), **BASELINES},
                checks=checks,
                splits=tuple(split or (0, 1, 2)),
                seed=seed,
                command=command,
                on_progress=tell,
            )
        else:
            embedder = _load(model)
            report = evaluate_model(
                TwoTowers(embedder),
                embedder.trained_on,
                folder,
                fits=BASELINES,
                checks=checks,
                known=embedder.catalogue.keys,
                seed=seed,
                command=command,
                on_progress=tell,
            )
    if out is not None:
        with replacing(out) as file:
            file.write(f"{report.to_json()}\n".encode())
    if json:
        show_json(report.to_dict())
    else:
        typer.echo(report.to_text())


@app.command()
def embed(
    profiles: Profiles,
    tower: Annotated[Side, typer.Option(help="user for who asks, candidate for who is found.")],
    out: Annotated[Path, typer.Option(help="NumPy file to write: ids, vectors, coverage.")],
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A trained model; else the shipped one.")
    ] = None,
    json: Json = False,
) -> None:
    """Vectors of listeners, in the order of their lines; coverage is the share of plays known."""
    _writable(out)
    with Progress() as tell:
        listeners = _read_many(profiles, tell)
        embedder = _load(model)
        import numpy as np

        parts = []
        for at in range(0, len(listeners), BATCH):
            tell(at / len(listeners), f"listener {at:,} of {len(listeners):,}")
            parts.append(embedder.embed(listeners[at : at + BATCH], tower.value))
        vectors = np.concatenate(parts)
        coverage = np.array([embedder.recognise(p).plays for p in listeners], np.float32)
    _write_arrays(out, ids=_texts([p.id for p in listeners]), vectors=vectors, coverage=coverage)
    if json:
        show_json(
            {
                "out": str(out),
                "model": embedder.version,
                "tower": tower.value,
                "listeners": len(listeners),
                "dim": vectors.shape[1],
                "coverage": float(coverage.mean()),
            }
        )
    else:
        typer.echo(f"{out}: {len(listeners):,} vectors, {coverage.mean():.0%} of the plays known")


@app.command()
def neighbours(
    files: Files,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 10,
    json: Json = False,
) -> None:
    """The nearest listeners of the community to one profile."""
    person, _ = _read_person(files)
    with Progress() as tell:
        matcher, portrait = _look(person, tell)
        found = matcher.neighbours(portrait, top)
    if json:
        known = portrait.recognised
        show_json(
            {
                "recognised": known.plays,
                "evidence": known.evidence,
                "neighbours": [_neighbour(neighbour) for neighbour in found],
            }
        )
        return
    typer.echo(_recognised(portrait.recognised))
    for neighbour in found:
        listener = neighbour.listener
        shared = ", ".join(map(plain, neighbour.shared[:4])) or "no artist in common"
        who = plain(listener.name) + (" (invented)" if listener.origin == "invented" else "")
        typer.echo(f"{neighbour.rank:>4}  {neighbour.percentile:5.1f}  {who:<34} {shared}")


@app.command()
def assets(
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The public data sets; else TWOTOWER_DATA.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; else the assets in use.")
    ] = None,
    listeners: Annotated[int, typer.Option(min=100, help="How many listeners to invent.")] = 5000,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Make all that ships anew: the model, the invented listeners, their map; takes minutes."""
    settings = Settings.from_env()
    source = data if data is not None else settings.data
    target = out if out is not None else settings.assets
    if target.exists() and not target.is_dir():
        raise typer.TyperException(f"{target} is a file; name a folder")
    if not source.is_dir():
        raise MissingData(
            "there is no such folder; docs/data.md says what goes in", where=str(source)
        )
    with Progress() as tell:
        from twotower.assets import build_assets
        from twotower.training import Record

        def on_record(record: Record) -> None:
            tell(0.12, f"step {record.step}, loss {record.loss:.3f}")

        built = build_assets(
            source, target, seed=seed, listeners=listeners, progress=tell, on_record=on_record
        )
    version, count = built.embedder.version, len(built.community.vectors["ids"])
    if json:
        about = built.community.about
        show_json(
            {"out": str(target), "version": version, "listeners": count, "about": dict(about)}
        )
    else:
        typer.echo(f"{target}: model {version}, {count:,} invented listeners")


@map_app.command("place")
def map_place(files: Files, json: Json = False) -> None:
    """Where one profile is on the map of the community."""
    person, _ = _read_person(files)
    with Progress() as tell:
        matcher, portrait = _look(person, tell)
        x, y = matcher.place(portrait)
        near = _nearest_area(matcher, x, y)
    if json:
        document: dict[str, Any] = {"id": person.id, "x": float(x), "y": float(y)}
        show_json({**document, "area": near} if near else document)
    else:
        typer.echo(f"{x:.2f} {y:.2f}" + (f"  near {plain(near)}" if near else ""))


@map_app.command("fit")
def map_fit(
    out: Annotated[Path, typer.Option(help="NumPy file to write: ids, places, reliability.")],
    vectors: Annotated[
        Path | None,
        typer.Argument(help="What `embed --tower candidate` wrote; else the community."),
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Lay listeners out on a map, so that near tastes are near places."""
    from twotower import projection

    _writable(out)
    with Progress() as tell:
        if vectors is not None:
            ids, points = _read_vectors(vectors)
        else:
            crowd = _matcher(tell).crowd()
            ids, points = crowd.ids, crowd.candidate
        if len(ids) < 3:
            raise MissingData(f"{len(ids)} listeners make no map: at least 3 are needed")
        places = projection.fit_map(points, seed=seed, progress=tell)
        trust = projection.reliability(points, places)
    _write_arrays(out, ids=_texts(ids), places=places, reliability=trust)
    if json:
        show_json({"listeners": len(ids), "out": str(out), "reliability": float(trust.mean())})
    else:
        typer.echo(
            f"{out}: {len(ids):,} listeners, {trust.mean():.0%} of true neighbours kept near"
        )


def _read_person(files: Sequence[Path], id: str = "me") -> "tuple[Profile, tuple[FileReport, ...]]":
    """The one profile in these files, and what was found in each."""
    from twotower.profiles import profile_of
    from twotower.sources.files import read_files

    with ExitStack() as stack, Progress(quiet_s=READING_S) as tell:
        opened = [(path.name, stack.enter_context(_open(path))) for path in files]
        reading = read_files(opened, tell)
        return profile_of(reading, id=id), reading.reports


def _open(path: Path) -> Any:
    if not path.exists():
        raise MissingData("there is no such file; check the path", where=str(path))
    return path.open("rb")


def _read_many(paths: Sequence[Path], tell: Callable[[float, str], None]) -> "list[Profile]":
    from twotower.profiles import read_profiles

    listeners: list[Profile] = []
    for path in paths:
        if not path.exists():
            raise MissingData("there is no such file; check the path", where=str(path))
        listeners += _counted(read_profiles(path, where=path.name), tell, path.name)
    if not listeners:
        raise BadProfile("no listener in it", where=", ".join(path.name for path in paths))
    return listeners


def _load(folder: Path | None) -> "Embedder":
    from twotower.embedder import Embedder

    return Embedder.load(folder if folder is not None else Settings.from_env().model)


def _model_folder(path: Path) -> None:
    """Says early that a model can't go there; saving replaces the folder as a whole."""
    if path.exists() and not path.is_dir():
        raise typer.TyperException(f"{path} is a file; name a folder")
    if path.is_dir() and any(path.iterdir()) and not (path / "config.json").is_file():
        raise typer.TyperException(f"{path} holds other things than a model; name a new folder")


def _writable(path: Path) -> None:
    """Says early that a result has no place to go to."""
    if path.is_dir():
        raise typer.TyperException(f"{path} is a folder; name a file")
    if path.parent.exists() and not path.parent.is_dir():
        raise typer.TyperException(f"{path.parent} is not a folder")


def _counted(
    profiles: "Iterable[Profile]", tell: Callable[[float, str], None], what: str
) -> "Iterator[Profile]":
    for number, profile in enumerate(profiles, 1):
        tell(0.0, f"{what}, {number:,}")
        yield profile


def _content_folder(folder: Path) -> Path:
    """The data folder: `folder` itself, or that in which it lies."""
    from twotower.artist_content import CONTENT
    from twotower.datafiles import FOLDERS

    for place in (folder, folder.resolve().parent):
        if any((place / FOLDERS[name]).is_dir() for name in CONTENT):
            return place
    return Settings.from_env().data


def _matcher(tell: Callable[[float, str], None]) -> "Matcher":
    tell(0.0, "the model")
    from twotower.matching import Matcher

    return Matcher.load(Settings.from_env())


def _look(person: "Profile", tell: Callable[[float, str], None]) -> "tuple[Matcher, Portrait]":
    matcher = _matcher(tell)
    tell(0.5, "the neighbours")
    return matcher, matcher.look(person)


def _nearest_area(matcher: "Matcher", x: float, y: float) -> str:
    areas = matcher.areas()
    near = min(areas, key=lambda area: (area.x - x) ** 2 + (area.y - y) ** 2, default=None)
    return near.name if near else ""


def _report(report: "FileReport") -> dict[str, Any]:
    days = {"from": report.since, "to": report.until}
    return {
        "name": report.name,
        "plays": report.plays,
        "artists": report.artists,
        **{key: day.isoformat() for key, day in days.items() if day is not None},
        "left_out": dict(report.left_out),
    }


def _left_out(report: "FileReport") -> str:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in report.left_out.items())
    return f" (left out: {reasons})" if reasons else ""


def _neighbour(neighbour: "Neighbour") -> dict[str, Any]:
    return {
        "id": neighbour.listener.id,
        "name": neighbour.listener.name,
        "origin": neighbour.listener.origin,
        "similarity": neighbour.similarity,
        "percentile": neighbour.percentile,
        "rank": neighbour.rank,
        "shared": list(neighbour.shared),
    }


def _recognised(known: "Recognised") -> str:
    text = f"recognised {known.plays:.0%} of the plays"
    if known.by_content:
        text += f", {known.by_content:.0%} of these by genres and name alone"
    return f"{text}; evidence of {known.evidence:.1f} artists"


def _read_vectors(path: Path) -> tuple[tuple[str, ...], Any]:
    import numpy as np

    from twotower.errors import IncompatibleModel

    if not path.exists():
        raise MissingData("there is no such file; `embed` writes one", where=str(path))
    try:
        with np.load(path, allow_pickle=False) as arrays:
            ids, points = tuple(map(str, arrays["ids"])), arrays["vectors"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise IncompatibleModel(
            f"no ids and vectors in it ({error}); `embed` writes such a file", where=str(path)
        ) from error
    if points.ndim != 2 or len(ids) != len(points) or not np.isfinite(points).all():
        raise IncompatibleModel(
            f"{len(ids)} ids for vectors of shape {points.shape}; write it anew with `embed`",
            where=str(path),
        )
    return ids, points.astype(np.float32)


def _texts(ids: Sequence[str]) -> Any:
    import numpy as np

    return np.array(ids, dtype=np.str_) if ids else np.zeros(0, "U1")


def _write_arrays(path: Path, **arrays: Any) -> None:
    import numpy as np

    with replacing(path) as file:
        np.savez(file, **arrays)
