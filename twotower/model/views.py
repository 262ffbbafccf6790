"""Two disjoint views of each listener, for contrastive learning.

A view is a part of a listener's artists, at times with groups (genres, audio, playlist titles)
made of that part. Views vary in length, in the least popularity of their artists, in whether plays
and artists' identities are known, and in the tower that reads them, as real profiles do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from twotower.core.domain import AUDIO as ATTRIBUTES
from twotower.core.domain import Profile
from twotower.model.artist_features import ArtistFeatures, TrainingData
from twotower.model.batches import (
    ItemSet,
    audio_extra,
    content_block,
    playlist_extra,
    title_genres,
)
from twotower.model.towers import (
    ARTIST,
    AUDIO,
    AUDIO_GROUP,
    CONTENT,
    DF,
    EXTRA_WIDTH,
    FACTOR,
    GENRE_GROUP,
    INPUT_WIDTH,
    PLAYLIST_GROUP,
    TAGS,
)
from twotower.model.train_config import TrainConfig

MIN_PAIRS = 2  # in a step: each pair is the other's negative
SIDES = ((0,), (1,), (0, 1))  # sides of a pair whose plays are masked
MIN_ARTISTS, MIN_FREQUENT_ARTISTS = 4, 8  # of a listener, without and with a minimum frequency
SHORT_VIEW = (3, 25)  # artists, log-uniform, of half of the first views
MIN_AUDIO_ARTISTS = 3  # with known audio, for an audio group
GROUPS = 3


@dataclass(frozen=True)
class ViewBatch:
    """Views of B listeners; row i of both sides is the same listener."""

    users: list[ItemSet]
    candidates: list[ItemSet]
    inputs: Tensor  # (M, INPUT_WIDTH) encoder inputs of all items; row 0 is padding
    extra: Tensor  # (M, EXTRA_WIDTH)


@dataclass(frozen=True)
class _Pair:
    """Two disjoint parts of one listener, the user's first."""

    listener: int
    rows: tuple[np.ndarray, np.ndarray]  # artist rows
    plays: tuple[np.ndarray, np.ndarray]


_Group = tuple[int, np.ndarray, np.ndarray]  # item type, content, extra numbers


class ViewSampler:
    """Draws views of listeners, with the artist features of one fold."""

    def __init__(
        self, data: TrainingData, features: ArtistFeatures, titles: Sequence[Mapping[str, float]]
    ) -> None:
        """`titles` holds the genre words of each listener's playlist titles, with their counts."""
        self.data, self.features, self.titles = data, features, titles
        self.df = np.expm1(features.inputs[:, DF.start] * 2)  # (artists,)
        self.audio = data.audio[:, : len(ATTRIBUTES)]  # (artists, 9)

    def draw(
        self,
        listeners: np.ndarray,
        config: TrainConfig,
        rng: np.random.Generator,
        *,
        min_df: int | None = None,
    ) -> ViewBatch:
        """Draw a pair of views of each listener (n,) who has enough artists.

        Only artists with `min_df` listeners are drawn; by default it is drawn, too. If fewer than
        two listeners have enough of them, all artists count.
        """
        min_df = draw_min_df(config, rng) if min_df is None else min_df
        pairs = self._draw_pairs(listeners, min_df, config, rng)
        if len(pairs) < MIN_PAIRS and min_df:
            pairs = self._draw_pairs(listeners, 0, config, rng)
        return self._to_batch(pairs, config, rng)

    def _draw_pairs(
        self, listeners: np.ndarray, min_df: int, config: TrainConfig, rng: np.random.Generator
    ) -> list[_Pair]:
        pairs: list[_Pair] = []
        plays = self.data.plays
        for listener in listeners:
            span = slice(plays.indptr[listener], plays.indptr[listener + 1])
            rows, counts = plays.indices[span], plays.data[span]
            usable = self.df[rows] >= max(min_df, 1e-6)
            if min_df == 0 and rng.random() < 0.5:
                usable[:] = True  # with artists that only this fold plays: known by content
            rows, counts = rows[usable], counts[usable]
            if len(rows) < (MIN_FREQUENT_ARTISTS if min_df else MIN_ARTISTS):
                continue
            pairs.append(_draw_pair(int(listener), rows, counts, config, rng))
        return pairs

    def _to_batch(
        self, pairs: Sequence[_Pair], config: TrainConfig, rng: np.random.Generator
    ) -> ViewBatch:
        """Number the items of all views: padding, artists, then groups."""
        parts = [part for pair in pairs for part in pair.rows]
        used = np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)
        inputs = self._drop_identities(used, config, rng)
        item_of = np.zeros(len(self.features.inputs), np.int64)
        item_of[used] = np.arange(1, len(used) + 1)
        first_group = len(used) + 1
        contents: list[np.ndarray] = []
        extras: list[np.ndarray] = []
        sides: tuple[list[ItemSet], list[ItemSet]] = ([], [])
        for side in (0, 1):
            for pair, groups in zip(pairs, self._groups(pairs, side, config, rng), strict=True):
                rows, plays = item_of[pair.rows[side]], pair.plays[side]
                types = np.full(len(rows), ARTIST, np.int64)
                if groups and side == 0 and rng.random() < config.groups_alone:
                    rows, plays, types = rows[:0], plays[:0], types[:0]
                for item_type, content, extra in groups:
                    rows = np.append(rows, first_group + len(contents))
                    plays, types = np.append(plays, 0), np.append(types, item_type)
                    contents.append(content)
                    extras.append(extra)
                sides[side].append(ItemSet(rows, plays.astype(np.float32), types))
        blocks = [np.zeros((1, INPUT_WIDTH), np.float32), inputs]
        if contents:
            blocks.append(self.features.content_map.inputs(np.stack(contents)))
        extra_rows = np.zeros((sum(map(len, blocks)), EXTRA_WIDTH), np.float32)
        if extras:
            extra_rows[first_group:] = np.stack(extras)
        return ViewBatch(
            *sides, torch.from_numpy(np.concatenate(blocks)), torch.from_numpy(extra_rows)
        )

    def _drop_identities(
        self, artists: np.ndarray, config: TrainConfig, rng: np.random.Generator
    ) -> np.ndarray:
        """Return the inputs of these artists, some with factors estimated from content.

        Half of those lose their tags as well, because an unknown artist has no tags; half of
        these lose audio and popularity, too, so that only genres and the name are left.
        """
        inputs = np.array(self.features.inputs[artists])
        hidden = rng.random(len(artists)) < config.id_dropout
        without_tags = hidden & (rng.random(len(artists)) < 0.5)
        without_audio = without_tags & (rng.random(len(artists)) < 0.5)
        inputs[without_tags, TAGS] = 0
        inputs[without_audio, AUDIO] = 0
        inputs[hidden, FACTOR] = self.features.content_map.factors(inputs[hidden, CONTENT])
        inputs[hidden, DF] = (0.0, 0.0, 1.0)
        return inputs

    def _groups(
        self, pairs: Sequence[_Pair], side: int, config: TrainConfig, rng: np.random.Generator
    ) -> list[list[_Group]]:
        """Draw the groups of each view: genres, audio, words of playlist titles."""
        drawn = rng.random((len(pairs), GROUPS)) < config.groups
        owners: list[tuple[int, int]] = []  # (view, item type), in the order of `genres`
        genres: list[Mapping[str, float]] = []
        extras: list[np.ndarray] = []
        out: list[list[_Group]] = [[] for _ in pairs]
        for at, pair in enumerate(pairs):
            rows, plays = pair.rows[side], pair.plays[side]
            if drawn[at, 0] and (words := self._genres(rows, plays)):
                owners.append((at, GENRE_GROUP))
                genres.append(words)
                extras.append(np.zeros(EXTRA_WIDTH, np.float32))
            if drawn[at, 1] and (audio := self._audio(rows, plays)) is not None:
                out[at].append((AUDIO_GROUP, *audio))
            if drawn[at, 2] and self.titles[pair.listener]:
                share = plays / plays.sum()
                owners.append((at, PLAYLIST_GROUP))
                genres.append(self.titles[pair.listener])
                extras.append(playlist_extra([int(plays.sum())], [float(share @ share)]))
        contents = content_block(self.data.space, genres=genres)
        for (at, item_type), content, extra in zip(owners, contents, extras, strict=True):
            out[at].append((item_type, content, extra))
        return out

    def _genres(self, rows: np.ndarray, plays: np.ndarray) -> dict[str, float]:
        genres: dict[str, float] = {}
        for row, weight in zip(rows, np.log1p(plays), strict=True):
            for word in self.data.genres[row]:
                genres[word] = genres.get(word, 0.0) + float(weight)
        return genres

    def _audio(self, rows: np.ndarray, plays: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Return content and extra numbers of the artists' audio; None if too few have any."""
        known = np.isfinite(self.audio[rows]).all(1)
        if known.sum() < MIN_AUDIO_ARTISTS:
            return None
        values, weight = self.audio[rows[known]], np.log1p(plays[known])[:, None]
        weight = weight / weight.sum()
        mean = (values * weight).sum(0)
        spread = np.sqrt((np.square(values - mean) * weight).sum(0))
        content = content_block(self.data.space, audio=np.append(mean, np.nan)[None, :])[0]
        return content, audio_extra(spread, self.data.space)


def _draw_pair(
    listener: int,
    rows: np.ndarray,
    plays: np.ndarray,
    config: TrainConfig,
    rng: np.random.Generator,
) -> _Pair:
    """Divide a listener's artists at random: in halves, or in a short view and the rest."""
    order = rng.permutation(len(rows))
    half = len(rows) // 2
    if rng.random() < 0.5:
        first, second = order[:half], order[half:]
    else:
        low, high = SHORT_VIEW
        size = round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))
        size = max(2, min(size, half))
        first, second = order[:size], order[size:]
    parts = [first[: config.longest_view], second[: config.longest_view]]
    if rng.random() < config.tower_swap:
        parts.reverse()
    masked = SIDES[int(rng.integers(3))] if rng.random() < config.mask_plays else ()
    one, other = (
        np.ones(len(part), np.float32) if side in masked else plays[part]
        for side, part in enumerate(parts)
    )
    return _Pair(listener, (rows[parts[0]], rows[parts[1]]), (one, other))


def draw_min_df(config: TrainConfig, rng: np.random.Generator) -> int:
    """Draw the minimum number of listeners of an artist in a step; 0 half the time."""
    if rng.random() < 0.5 and config.min_df_choices:
        return int(rng.choice(config.min_df_choices))
    return 0


def concat_batches(batches: Sequence[ViewBatch]) -> ViewBatch:
    """Return views of several folds as one batch; each keeps the features of its own fold."""
    if len(batches) == 1:
        return batches[0]
    users: list[ItemSet] = []
    candidates: list[ItemSet] = []
    first = 0
    for batch in batches:
        users += [replace(each, rows=each.rows + first) for each in batch.users]
        candidates += [replace(each, rows=each.rows + first) for each in batch.candidates]
        first += len(batch.inputs)
    inputs = torch.cat([batch.inputs for batch in batches])
    return ViewBatch(users, candidates, inputs, torch.cat([batch.extra for batch in batches]))


def playlist_titles(data: TrainingData, profiles: Sequence[Profile]) -> list[dict[str, float]]:
    """Count the genre words in each listener's playlist titles."""
    words = data.space.genre_set
    return [title_genres((p.name for p in profile.playlists), words) for profile in profiles]
