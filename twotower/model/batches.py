"""Profiles to padded sets of items, as the towers read them.

profile --to_items--> ItemSet --split_chunks--> ItemSets --collate--> ProfileBatch
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from twotower.core.domain import AUDIO, Artist, Coverage, Profile
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

USUAL_LOG_PLAYS = 5.4  # mean of log(1 + plays) in HetRec; used if plays are not relative
MAX_UNKNOWN = 50  # artists outside the catalogue, but with known genres, that are read
MIN_SPREAD = 0.3  # added to the standard deviation of log plays
_WORDS = re.compile(r"[\w&'+-]+")
_LONGEST_GENRE = 4  # words


@dataclass(frozen=True)
class ContentMap:
    """Ridge from an artist's content to its factors."""

    space: ContentSpace
    mean: np.ndarray  # (content,) of each column
    std: np.ndarray  # (content,)
    coefficients: np.ndarray  # (content, FACTOR_DIM)

    def factors(self, content: np.ndarray) -> np.ndarray:
        """Estimate factors (n, FACTOR_DIM) from content (n, CONTENT columns)."""
        return np.asarray((content - self.mean) / self.std @ self.coefficients, dtype=np.float32)

    def inputs(self, content: np.ndarray) -> np.ndarray:
        """Return encoder inputs (n, INPUT_WIDTH) of artists known by content alone."""
        out = np.zeros((len(content), INPUT_WIDTH), np.float32)
        out[:, FACTOR] = self.factors(content)
        out[:, DF] = (0.0, 0.0, 1.0)
        out[:, CONTENT] = content
        return out


@dataclass(frozen=True)
class ItemSet:
    """Items of one listener: row 0 is padding, artist row r of the catalogue is item r + 1."""

    rows: np.ndarray  # (n,) int64
    plays: np.ndarray  # (n,) float32, ignored for other types than ARTIST
    item_types: np.ndarray  # (n,) int64


@dataclass
class ExtraItems:
    """Items outside the catalogue that a batch of profiles brings along."""

    first: int  # row of the first of them
    content: list[np.ndarray] = field(default_factory=list)
    extra: list[np.ndarray] = field(default_factory=list)

    def add(self, content: np.ndarray, extra: np.ndarray | None = None) -> int:
        """Add an item and return its row."""
        self.content.append(content)
        self.extra.append(np.zeros(EXTRA_WIDTH, np.float32) if extra is None else extra)
        return self.first + len(self.content) - 1


def to_items(
    profile: Profile, catalogue: Catalogue, content: ContentMap, extras: ExtraItems
) -> ItemSet:
    """Return the profile's items; what is outside the catalogue is added to `extras`.

    Artists outside the catalogue are read by their genres, and left out without known genres.
    """
    rows, plays, item_types = [], [], []
    for key, artist in profile.artists.items():
        row = catalogue.row(key)
        if row is not None:
            rows.append(row + 1)
            plays.append(artist.plays)
            item_types.append(ARTIST)
    space = content.space
    if unknown := _unknown_with_genres(profile, catalogue, space):
        artists = [profile.artists[key] for key in unknown]
        block = content_block(space, genres=[a.genres for a in artists])
        block[:, -space.name_basis.shape[1] :] = space.names([a.name for a in artists])
        for artist, row_content in zip(artists, block, strict=True):
            rows.append(extras.add(row_content))
            plays.append(artist.plays)
            item_types.append(ARTIST)
    for item_type, block, extra in _groups(profile, space):
        rows.append(extras.add(block, extra))
        plays.append(0.0)
        item_types.append(item_type)
    return ItemSet(
        np.array(rows, np.int64), np.array(plays, np.float32), np.array(item_types, np.int64)
    )


def item_keys(profile: Profile, catalogue: Catalogue, content: ContentMap) -> list[str | None]:
    """Return the artist key of each item that `to_items` makes, in its order; None for a group."""
    known = [key for key in profile.artists if catalogue.row(key) is not None]
    groups = [None for _ in _groups(profile, content.space)]
    return [*known, *_unknown_with_genres(profile, catalogue, content.space), *groups]


def _unknown_with_genres(profile: Profile, catalogue: Catalogue, space: ContentSpace) -> list[str]:
    """Return keys of the most played artists outside the catalogue that have a known genre."""
    unknown = [
        key
        for key, artist in profile.artists.items()
        if catalogue.row(key) is None and space.genre_set.intersection(artist.genres)
    ]
    unknown.sort(key=lambda key: (-profile.artists[key].plays, profile.artists[key].name))
    return unknown[:MAX_UNKNOWN]


def coverage_of(profile: Profile, catalogue: Catalogue, space: ContentSpace) -> Coverage:
    """Return how much of the listening the model knows, and the artists it doesn't know."""
    heard: list[Artist] = []
    genre_only: list[Artist] = []
    unknown: list[Artist] = []
    for key, artist in profile.artists.items():
        row = catalogue.row(key)
        if row is not None:
            (heard if catalogue.df[row] > 0 else genre_only).append(artist)
        elif space.genre_set.intersection(artist.genres):
            genre_only.append(artist)
        else:
            unknown.append(artist)
    known = [artist.plays for artist in (*heard, *genre_only)]
    total = sum(known) + sum(artist.plays for artist in unknown)
    return Coverage(
        plays=sum(known) / total if known else 0.0,
        by_content=sum(artist.plays for artist in genre_only) / sum(known) if known else 0.0,
        effective_artists=_effective_number(known),
        unknown=_most_played_first(unknown),
        heard=_most_played_first(heard),
        genre_only=_most_played_first(genre_only),
        effective_heard=_effective_number([artist.plays for artist in heard]),
    )


def _effective_number(plays: Sequence[float]) -> float:
    """Return exp of the entropy of the shares of the plays; 0 without any."""
    if not plays:
        return 0.0
    share = np.array(plays) / sum(plays)
    return float(np.exp(-(share * np.log(share)).sum()))


def _most_played_first(artists: Sequence[Artist]) -> tuple[str, ...]:
    return tuple(a.name for a in sorted(artists, key=lambda a: (-a.plays, a.name)))


def content_block(
    space: ContentSpace,
    *,
    genres: Sequence[Sequence[str] | Mapping[str, float]] | None = None,
    audio: np.ndarray | None = None,
    count: int = 1,
) -> np.ndarray:
    """Return (n, content columns) for genres or audio alone; all other columns say "unknown".

    The genres are those of files, so words that `space.genre_set` lacks are left out. Without
    either, `count` rows come back.
    """
    if audio is not None:
        count = len(audio)
    elif genres is not None:
        count = len(genres)
    tags = np.zeros((count, TAGS.stop - TAGS.start), np.float32)
    no_audio = np.full((count, len(AUDIO) + 1), np.nan, np.float32)
    return np.concatenate(
        [
            tags,
            space.audio(no_audio if audio is None else audio),
            np.zeros((count, GENRE_WIDTH), np.float32)
            if genres is None
            else space.genres([_known_words(words, space) for words in genres]),
            np.zeros((count, space.name_basis.shape[1]), np.float32),
        ],
        axis=1,
    )


def _known_words(
    words: Sequence[str] | Mapping[str, float], space: ContentSpace
) -> Sequence[str] | Mapping[str, float]:
    """Return the genres among the words, with their weights if they have any."""
    known = space.genre_set
    if isinstance(words, Mapping):
        return {word: weight for word, weight in words.items() if word in known}
    return [word for word in words if word in known]


def title_genres(titles: Iterable[str], words: frozenset[str]) -> dict[str, float]:
    """Count the genre words in playlist titles; the longest match counts."""
    counts: dict[str, float] = {}
    for title in titles:
        tokens = _WORDS.findall(title.casefold())
        at = 0
        while at < len(tokens):
            for length in range(_LONGEST_GENRE, 0, -1):
                phrase = " ".join(tokens[at : at + length])
                if at + length <= len(tokens) and phrase in words:
                    counts[phrase] = counts.get(phrase, 0.0) + 1
                    at += length - 1
                    break
            at += 1
    return counts


def audio_extra(spread: np.ndarray, space: ContentSpace) -> np.ndarray:
    """Return the extra numbers (EXTRA_WIDTH,) of audio, from standard deviations (9,) or NaN."""
    extra = np.zeros(EXTRA_WIDTH, np.float32)
    extra[: len(AUDIO)] = np.clip(np.nan_to_num(spread / space.audio_std[: len(AUDIO)]), 0, 3)
    return extra


def playlist_extra(sizes: Sequence[int], focus: Sequence[float]) -> np.ndarray:
    """Return the extra numbers (EXTRA_WIDTH,) of playlists: their number, mean size and focus."""
    extra = np.zeros(EXTRA_WIDTH, np.float32)
    if sizes:
        extra[len(AUDIO) :] = (
            np.log1p(len(sizes)) / 2,
            np.log1p(np.mean(sizes)) / 4,
            float(np.mean(focus)),
        )
    return extra


def _groups(
    profile: Profile, space: ContentSpace
) -> Iterable[tuple[int, np.ndarray, np.ndarray | None]]:
    """Yield (item type, content, extra numbers) of each group that the profile has."""
    words = space.genre_set
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
    """Return Simpson's index of a playlist's artists: 1 if all tracks are by one artist."""
    if not tracks:
        return 0.0
    counts: dict[str, int] = {}
    for _, artist in tracks:
        counts[artist] = counts.get(artist, 0) + 1
    return sum(n * n for n in counts.values()) / len(tracks) ** 2


def split_chunks(items: ItemSet, size: int) -> list[ItemSet]:
    """Split a listener into chunks of at most `size` artists, each with all group items.

    Artists are dealt out in order of plays, so that all chunks are alike; ties go by row, so that
    the order of the profile doesn't matter.
    """
    chosen = chunk_positions(items, size)
    if len(chosen) == 1:
        return [items]
    return [ItemSet(items.rows[c], items.plays[c], items.item_types[c]) for c in chosen]


def chunk_positions(items: ItemSet, size: int) -> list[np.ndarray]:
    """Return the positions, among the items, of those in each chunk of `split_chunks`."""
    artists = np.flatnonzero(items.item_types == ARTIST)
    groups = np.flatnonzero(items.item_types != ARTIST)
    chunks = max(1, -(-len(artists) // size))
    if chunks == 1:
        return [np.arange(len(items.rows))]
    order = artists[np.lexsort((items.rows[artists], -items.plays[artists]))]
    return [np.concatenate([order[j::chunks], groups]) for j in range(chunks)]


def relative_weights(
    sets: Sequence[ItemSet], *, relative: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return (weights, z_scores), float32, of all items of the sets, end to end.

    Weights are log plays moved to mean MEAN_WEIGHT over a set's artists, as in `play_matrix`, so
    that they don't say how much the listener plays; groups have the mean. The least weight is
    applied by the tower. With `relative=False` they are moved by a fixed mean.
    """
    plays = np.concatenate([s.plays for s in sets])
    artists = np.concatenate([s.item_types for s in sets]) == ARTIST
    owner = np.repeat(np.arange(len(sets)), [len(s.rows) for s in sets])
    count = np.maximum(np.bincount(owner, artists, len(sets)), 1)
    logs = np.where(artists, np.log1p(plays), 0.0)
    centred = logs - (np.bincount(owner, logs, len(sets)) / count)[owner]
    centred[~artists] = 0.0
    std = np.sqrt(np.bincount(owner, np.square(centred), len(sets)) / count)
    z_scores = centred / (std + MIN_SPREAD)[owner]
    if not relative:
        centred = np.where(artists, logs - USUAL_LOG_PLAYS, 0.0)
    return (MEAN_WEIGHT + centred).astype(np.float32), z_scores.astype(np.float32)


def collate(sets: Sequence[ItemSet], *, relative: bool = True) -> ProfileBatch:
    """Pad the sets to the longest and return them as one batch."""
    sizes = np.array([len(s.rows) for s in sets], np.int64)
    shape = (len(sets), max(1, int(sizes.max(initial=1))))  # (B, N)
    rows, item_types = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    weights, z_scores = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    filled = np.arange(shape[1]) < sizes[:, None]
    if filled.any():
        rows[filled] = np.concatenate([s.rows for s in sets])
        item_types[filled] = np.concatenate([s.item_types for s in sets])
        weights[filled], z_scores[filled] = relative_weights(sets, relative=relative)
    count = sizes.astype(np.float32)
    arrays = (rows, weights, z_scores, item_types, count)
    return ProfileBatch(*(torch.from_numpy(a) for a in arrays))
