"""Profiles -> the padded sets of items that the towers read."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from twotower.core.domain import AUDIO, Coverage, Profile
from twotower.model.catalogue import Catalogue
from twotower.model.content import GENRE_WIDTH, ContentSpace
from twotower.model.play_matrix import MEAN_WEIGHT
from twotower.model.towers import (
    ARTIST,
    AUDIO_GROUP,
    CONTENT,
    DF,
    EXTRA_WIDTH,
    FACTOR,
    GENRE_GROUP,
    INPUT_WIDTH,
    PLAYLIST_GROUP,
    TAGS,
    ProfileBatch,
)

USUAL_LOG_PLAYS = 5.4  # of an artist of a listener of HetRec, log1p
LONGEST_UNKNOWN = 50  # artists unknown to the catalogue but with genres, read at most
_WORDS = re.compile(r"[\w&'+-]+")


@dataclass(frozen=True)
class ContentMap:
    """From content alone to a place among the artists: the closed-form ridge of the table."""

    space: ContentSpace
    mean: np.ndarray  # (content,) of the standardised columns
    std: np.ndarray  # (content,)
    coefficients: np.ndarray  # (content, FACTOR_DIM), in the table's scale

    def factors(self, content: np.ndarray) -> np.ndarray:
        """content (n, CONTENT columns) -> (n, FACTOR_DIM)."""
        return np.asarray((content - self.mean) / self.std @ self.coefficients, dtype=np.float32)

    def inputs(self, content: np.ndarray) -> np.ndarray:
        """Encoder inputs (n, INPUT_WIDTH) of what is known by content alone."""
        out = np.zeros((len(content), INPUT_WIDTH), np.float32)
        out[:, FACTOR] = self.factors(content)
        out[:, DF] = (0.0, 0.0, 1.0)
        out[:, CONTENT] = content
        return out


@dataclass(frozen=True)
class ItemSet:
    """One listener: rows of items (0 is padding, artist row r is r + 1), plays, kinds."""

    rows: np.ndarray  # (n,) int64
    plays: np.ndarray  # (n,) float32, ignored where the kind isn't ARTIST
    kinds: np.ndarray  # (n,) int64


@dataclass
class ExtraItems:
    """Items beyond the catalogue that a batch of profiles brings along."""

    first: int  # row of the first of them
    content: list[np.ndarray] = field(default_factory=list)
    extra: list[np.ndarray] = field(default_factory=list)

    def add(self, content: np.ndarray, extra: np.ndarray | None = None) -> int:
        self.content.append(content)
        self.extra.append(np.zeros(EXTRA_WIDTH, np.float32) if extra is None else extra)
        return self.first + len(self.content) - 1


def read_profile(
    profile: Profile, catalogue: Catalogue, content: ContentMap, extras: ExtraItems
) -> ItemSet:
    """The profile as items; artists unknown to the catalogue enter by their own genres."""
    rows, plays, kinds = [], [], []
    unknown = []
    for key, artist in profile.artists.items():
        row = catalogue.row(key)
        if row is not None:
            rows.append(row + 1)
            plays.append(artist.plays)
            kinds.append(ARTIST)
        elif artist.genres:
            unknown.append(artist)
    space = content.space
    words = space.genre_set
    unknown = [a for a in unknown if words.intersection(a.genres)]
    unknown.sort(key=lambda a: (-a.plays, a.name))
    if unknown := unknown[:LONGEST_UNKNOWN]:
        block = content_block(space, genres=[a.genres for a in unknown])
        block[:, -space.name_basis.shape[1] :] = space.names([a.name for a in unknown])
        for artist, row_content in zip(unknown, block, strict=True):
            rows.append(extras.add(row_content))
            plays.append(artist.plays)
            kinds.append(ARTIST)
    for kind, block, extra in _groups(profile, space, words):
        rows.append(extras.add(block, extra))
        plays.append(0.0)
        kinds.append(kind)
    return ItemSet(np.array(rows, np.int64), np.array(plays, np.float32), np.array(kinds, np.int64))


def coverage_of(profile: Profile, catalogue: Catalogue, space: ContentSpace) -> Coverage:
    """How much of the listening the model can place, and who is missing."""
    words = space.genre_set
    known, by_content, missing = [], 0.0, []
    total = sum(artist.plays for artist in profile.artists.values())
    for key, artist in profile.artists.items():
        row = catalogue.row(key)
        if row is not None:
            known.append(artist.plays)
            by_content += artist.plays if catalogue.df[row] == 0 else 0.0
        elif words.intersection(artist.genres):
            known.append(artist.plays)
            by_content += artist.plays
        else:
            missing.append(artist)
    missing.sort(key=lambda a: (-a.plays, a.name))
    if not known:
        return Coverage(0.0, 0.0, 0.0, tuple(a.name for a in missing))
    share = np.array(known) / sum(known)
    return Coverage(
        plays=sum(known) / total,
        by_content=by_content / sum(known),
        effective_artists=float(np.exp(-(share * np.log(share)).sum())),
        unknown=tuple(a.name for a in missing),
    )


def content_block(
    space: ContentSpace,
    *,
    genres: Sequence[Sequence[str] | Mapping[str, float]] | None = None,
    audio: np.ndarray | None = None,
    count: int = 1,
) -> np.ndarray:
    """(n, content columns) of genres or audio alone; every other column says "unknown"."""
    count = count if genres is None and audio is None else len(genres if audio is None else audio)  # type: ignore[arg-type]
    tags = np.zeros((count, TAGS.stop - TAGS.start), np.float32)
    nothing = np.full((count, len(AUDIO) + 1), np.nan, np.float32)
    return np.concatenate(
        [
            tags,
            space.audio(nothing if audio is None else audio),
            np.zeros((count, GENRE_WIDTH), np.float32) if genres is None else space.genres(genres),
            np.zeros((count, space.name_basis.shape[1]), np.float32),
        ],
        axis=1,
    )


def title_genres(titles: Iterable[str], words: frozenset[str]) -> dict[str, float]:
    """Genre words that occur in playlist titles, the longest match first, with their counts."""
    found: dict[str, float] = {}
    for title in titles:
        tokens = _WORDS.findall(title.casefold())
        at = 0
        while at < len(tokens):
            for length in (4, 3, 2, 1):
                phrase = " ".join(tokens[at : at + length])
                if at + length <= len(tokens) and phrase in words:
                    found[phrase] = found.get(phrase, 0.0) + 1
                    at += length - 1
                    break
            at += 1
    return found


def audio_extra(spread: np.ndarray, space: ContentSpace) -> np.ndarray:
    """Standard deviations (9,), NaN where unknown -> EXTRA_WIDTH numbers."""
    extra = np.zeros(EXTRA_WIDTH, np.float32)
    extra[: len(AUDIO)] = np.clip(np.nan_to_num(spread / space.audio_std[: len(AUDIO)]), 0, 3)
    return extra


def playlist_extra(sizes: Sequence[int], focus: Sequence[float]) -> np.ndarray:
    """How many playlists, how large, how focused on few artists -> EXTRA_WIDTH numbers."""
    extra = np.zeros(EXTRA_WIDTH, np.float32)
    if sizes:
        extra[len(AUDIO) :] = (
            np.log1p(len(sizes)) / 2,
            np.log1p(np.mean(sizes)) / 4,
            float(np.mean(focus)),
        )
    return extra


def _groups(
    profile: Profile, space: ContentSpace, words: frozenset[str]
) -> Iterable[tuple[int, np.ndarray, np.ndarray | None]]:
    if words.intersection(profile.genres):
        yield GENRE_GROUP, content_block(space, genres=[profile.genres])[0], None
    titles = title_genres((p.name for p in profile.playlists), words)
    if titles:
        sizes = [len(p.tracks) for p in profile.playlists]
        focus = [_focus(p.tracks) for p in profile.playlists]
        block = content_block(space, genres=[titles])[0]
        yield PLAYLIST_GROUP, block, playlist_extra(sizes, focus)
    if profile.audio:
        mean = np.full((1, len(AUDIO) + 1), np.nan, np.float32)
        spread = np.full(len(AUDIO), np.nan, np.float32)
        for column, name in enumerate(AUDIO):
            if name in profile.audio:
                mean[0, column] = profile.audio[name].mean
                spread[column] = profile.audio[name].std
        yield AUDIO_GROUP, content_block(space, audio=mean)[0], audio_extra(spread, space)


def _focus(tracks: Sequence[tuple[str, str]]) -> float:
    """Simpson's index of a playlist's artists: 1 where all tracks are by one."""
    if not tracks:
        return 0.0
    counts: dict[str, int] = {}
    for _, artist in tracks:
        counts[artist] = counts.get(artist, 0) + 1
    return sum(n * n for n in counts.values()) / len(tracks) ** 2


def chunked(items: ItemSet, size: int) -> list[ItemSet]:
    """Even chunks by rank of plays, each with every group item; a short set stays whole.

    Artists played alike go by row, so that the order in which they were given doesn't matter.
    """
    artists = np.flatnonzero(items.kinds == ARTIST)
    groups = np.flatnonzero(items.kinds != ARTIST)
    pieces = max(1, -(-len(artists) // size))
    if pieces == 1:
        return [items]
    order = artists[np.lexsort((items.rows[artists], -items.plays[artists]))]
    chosen = [np.concatenate([order[j::pieces], groups]) for j in range(pieces)]
    return [ItemSet(items.rows[c], items.plays[c], items.kinds[c]) for c in chosen]


def relative_weights(
    sets: Sequence[ItemSet], *, relative: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """(weights, spread), float32, of all items of the sets laid end to end.

    Log plays against the mean of the set's own artists, so that it doesn't tell how much its
    listener plays; groups are neutral. Not `relative`, weights are against what is usual.
    """
    plays = np.concatenate([s.plays for s in sets])
    artists = np.concatenate([s.kinds for s in sets]) == ARTIST
    owner = np.repeat(np.arange(len(sets)), [len(s.rows) for s in sets])
    number = np.maximum(np.bincount(owner, artists, len(sets)), 1)
    logs = np.where(artists, np.log1p(plays), 0.0)
    apart = logs - (np.bincount(owner, logs, len(sets)) / number)[owner]
    apart[~artists] = 0.0
    std = np.sqrt(np.bincount(owner, np.square(apart), len(sets)) / number)
    spread = apart / (std + 0.3)[owner]
    if not relative:
        apart = np.where(artists, logs - USUAL_LOG_PLAYS, 0.0)
    return (MEAN_WEIGHT + apart).astype(np.float32), spread.astype(np.float32)


def collate(sets: Sequence[ItemSet], *, relative: bool = True) -> ProfileBatch:
    """Sets of items, padded to the longest: a batch of B rows and N columns."""
    sizes = np.array([len(s.rows) for s in sets], np.int64)
    shape = (len(sets), max(1, int(sizes.max(initial=1))))
    rows, kinds = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    weights, spread = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    filled = np.arange(shape[1]) < sizes[:, None]
    if filled.any():
        rows[filled] = np.concatenate([s.rows for s in sets])
        kinds[filled] = np.concatenate([s.kinds for s in sets])
        weights[filled], spread[filled] = relative_weights(sets, relative=relative)
    count = sizes.astype(np.float32)
    return ProfileBatch(*(torch.from_numpy(a) for a in (rows, weights, spread, kinds, count)))
