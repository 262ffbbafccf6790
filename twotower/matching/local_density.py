"""Local density of each listener (CSLS): mean similarity to the ten nearest, computed lazily."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from twotower.community import Community, MemberSnapshot
from twotower.core.names import artist_key
from twotower.retrieval.similarity import (
    DENSITY_NEIGHBOURS,
    DENSITY_SAMPLE,
    ListenerBatch,
    PlayRowReader,
    PlayRows,
    density_sample,
    hub_corrected,
    local_density,
    pair_quantiles,
    similarity,
)

QUANTILE_SAMPLE = 400  # listeners whose pairs give the percentiles if the model ships none
BATCH = 256  # listeners in one product with the sample
MAX_CHANGES = 500  # changes of the sample after which the cache is dropped
MAX_CACHED = 5000  # listeners whose nearest are cached


@dataclass(frozen=True, slots=True)
class _Nearest:
    """The ten listeners of a sample that are nearest to one listener."""

    ids: tuple[str, ...]
    scores: tuple[float, ...]  # similarity before the hub correction
    compared: int  # length of the sample's `added` when this was computed

    @property
    def density(self) -> float:
        return sum(self.scores) / len(self.scores) if self.scores else 0.0


@dataclass(frozen=True, eq=False)
class _Sample:
    """The listeners of a snapshot that densities are measured against."""

    seq: int  # of the snapshot
    ids: tuple[str, ...]
    row_of: dict[str, int]
    batch: ListenerBatch
    added: tuple[str, ...] = ()  # new in the sample since the oldest entry of `cache`, in order
    cache: dict[str, _Nearest] = field(default_factory=dict)  # listener id -> nearest


class LocalDensity:
    """Local densities and play rows of the members of a community. Safe to share between threads.

    When the snapshot changes, all that depends on listeners who left or changed is computed again;
    new listeners are compared with what is cached. Nothing of a listener who left remains.
    """

    def __init__(
        self, community: Community, reader: PlayRowReader, *, max_sample: int = DENSITY_SAMPLE
    ) -> None:
        self.community, self.reader = community, reader
        self._max_sample = max_sample
        self._lock = threading.Lock()
        self._sample: _Sample | None = None

    def prepare(self, snapshot: MemberSnapshot) -> None:
        """Read the sample now, so that the first visitor needn't wait for it."""
        self._sample_of(snapshot)

    def play_rows(self, snapshot: MemberSnapshot, ids: Sequence[str]) -> PlayRows:
        """Return the artists of these members that others may see, a row for each."""
        sample = self._sample_of(snapshot)
        rows = [sample.row_of.get(id, -1) for id in ids]
        if all(row >= 0 for row in rows):
            return sample.batch.play_rows.select(rows)
        return self._read(ids)

    def of_members(
        self, snapshot: MemberSnapshot, ids: Sequence[str], batch: ListenerBatch
    ) -> np.ndarray:
        """Return the (n,) local densities of these members; row i of `batch` is member i."""
        sample = self._sample_of(snapshot)
        if len(sample.cache) > MAX_CACHED:
            sample.cache.clear()
        nearest = [sample.cache.get(id) for id in ids]
        for rows, outdated in _comparisons(nearest, sample):
            for start in range(0, len(outdated), BATCH):
                part = outdated[start : start + BATCH]
                scores = similarity(batch.select(part), sample.batch.select(rows))
                for at, line in zip(part, scores, strict=True):
                    new = _nearest(ids[at], line, rows, sample, nearest[at])
                    sample.cache[ids[at]] = nearest[at] = new
        return np.array([each.density if each is not None else 0.0 for each in nearest])

    def of_visitor(self, snapshot: MemberSnapshot, visitor: ListenerBatch, id: str) -> float:
        """Return the local density of one listener, who needn't be a member.

        A member with this id is left out of the sample. The result isn't cached, since several
        visitors may have the same id.
        """
        sample = self._sample_of(snapshot)
        if not sample.ids:
            return 0.0
        scores = similarity(visitor, sample.batch)[0]
        return _nearest(id, scores, range(len(scores)), sample, None).density

    def pair_quantiles(self, snapshot: MemberSnapshot) -> np.ndarray:
        """Return (1001,) quantiles of the similarity of random pairs of members.

        Needed for models that ship none; takes about half a second.
        """
        sample = self._sample_of(snapshot)
        rows = np.random.default_rng(0).permutation(len(sample.ids))[:QUANTILE_SAMPLE]
        scores = similarity(sample.batch.select(rows), sample.batch)
        density = local_density(scores, np.arange(len(sample.ids)) != rows[:, None])
        return pair_quantiles(hub_corrected(scores[:, rows], density, density))

    def matches(self, snapshot: MemberSnapshot) -> np.ndarray:
        """Return the matches of all pairs of members, (n (n - 1) / 2,) float32.

        A large community counts by a sample of 5,000 members, whose 12.5 million pairs take some
        seconds.
        """
        sample = self._sample_of(snapshot)
        count = len(sample.ids)
        density = self.of_members(snapshot, sample.ids, sample.batch)
        matches = np.empty(count * (count - 1) // 2, np.float32)
        end = 0
        for start in range(0, count, BATCH):
            rows, later = np.arange(start, min(start + BATCH, count)), np.arange(start, count)
            scores = similarity(sample.batch.select(rows), sample.batch.select(later))
            corrected = hub_corrected(scores, density[rows], density[later])
            once = corrected[later[None, :] > rows[:, None]]
            matches[end : end + len(once)] = once
            end += len(once)
        return matches

    def _sample_of(self, snapshot: MemberSnapshot) -> _Sample:
        sample = self._sample
        if sample is not None and sample.seq == snapshot.seq:
            return sample
        with self._lock:
            if self._sample is None or self._sample.seq != snapshot.seq:
                self._sample = self._resample(snapshot, self._sample)
            return self._sample

    def _resample(self, snapshot: MemberSnapshot, previous: _Sample | None) -> _Sample:
        """Sample the snapshot; unchanged listeners of the previous sample stay in it."""
        if previous is None or not previous.ids or not len(snapshot):
            # an empty batch doesn't know the width of its vectors, so nothing can be added to it
            ids, batch = self._newcomers(snapshot, np.zeros(0, np.int64))
            return _Sample(snapshot.seq, ids, _row_of(ids), batch)
        rows = _unchanged_rows(snapshot, previous.ids, previous.seq)
        stay = np.flatnonzero(rows >= 0)[: self._max_sample]
        new, batch = self._newcomers(snapshot, rows[stay])
        if len(stay) < len(previous.ids):
            kept = previous.batch.select(stay)
        else:
            kept = previous.batch
        ids = (*(previous.ids[row] for row in stay), *new)
        gone = set(previous.ids).difference(ids).union(new)
        added = (*previous.added, *new)
        cache: dict[str, _Nearest] = {}
        if len(added) <= MAX_CHANGES and len(gone) <= MAX_CHANGES:
            cache = _still_valid(snapshot, previous, gone)
        return _Sample(
            snapshot.seq,
            ids,
            _row_of(ids),
            kept.concat(batch) if new else kept,
            added if cache else (),
            cache,
        )

    def _newcomers(
        self, snapshot: MemberSnapshot, present: np.ndarray
    ) -> tuple[tuple[str, ...], ListenerBatch]:
        """Return the ids and the batch of the listeners to add until the sample is full."""
        room = min(self._max_sample, len(snapshot)) - len(present)
        rows = np.zeros(0, np.int64)
        if room > 0:
            rows = np.setdiff1d(np.arange(len(snapshot)), present)
        rows = rows[density_sample(len(rows), room)]
        ids = tuple(snapshot.ids[row] for row in rows)
        return ids, ListenerBatch(snapshot.user[rows], snapshot.candidate[rows], self._read(ids))

    def _read(self, ids: Sequence[str]) -> PlayRows:
        """Read the artists that others see; members who have just left get an empty row."""
        members = {listener.id: listener for listener in self.community.get(ids)}
        artists = [members[id].artists if id in members else () for id in ids]
        key_of = cache(artist_key)  # many members have the same artists
        return self.reader.read([[(key_of(name), plays) for name, plays in one] for one in artists])


def _row_of(ids: Sequence[str]) -> dict[str, int]:
    return {id: row for row, id in enumerate(ids)}


def _unchanged_rows(snapshot: MemberSnapshot, ids: Sequence[str], since: int) -> np.ndarray:
    """Return (n,) rows in the snapshot; -1 for listeners who left or changed after `since`."""
    rows = snapshot.rows_of(ids)
    present = rows >= 0
    present[present] = snapshot.seqs[rows[present]] <= since
    return np.where(present, rows, -1)


def _still_valid(
    snapshot: MemberSnapshot, previous: _Sample, gone: set[str]
) -> dict[str, _Nearest]:
    """Return the cache entries of unchanged listeners with no one `gone` among their nearest."""
    cache = dict(previous.cache)  # a copy, for other threads may add to it meanwhile
    rows = _unchanged_rows(snapshot, tuple(cache), previous.seq)
    return {
        id: nearest
        for (id, nearest), row in zip(cache.items(), rows, strict=True)
        if row >= 0 and gone.isdisjoint(nearest.ids)
    }


def _comparisons(
    nearest: Sequence[_Nearest | None], sample: _Sample
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield (rows of the sample, positions in `nearest`) that have not been compared yet.

    Entries that were cached before newcomers joined the sample need only those; missing ones need
    the whole sample.
    """
    outdated: dict[int, list[int]] = {}  # newcomers already compared, -1 if none -> positions
    for at, each in enumerate(nearest):
        if each is None:
            outdated.setdefault(-1, []).append(at)
        elif each.compared < len(sample.added):
            outdated.setdefault(each.compared, []).append(at)
    for compared, positions in outdated.items():
        ids = sample.ids if compared < 0 else dict.fromkeys(sample.added[compared:])
        yield [sample.row_of[id] for id in ids if id in sample.row_of], positions


def _nearest(
    id: str, scores: np.ndarray, rows: Sequence[int], sample: _Sample, cached: _Nearest | None
) -> _Nearest:
    """Return the nearest of listener `id`, from scores with rows of the sample and from the cache.

    scores  (m,) similarity to each of `rows`; may include the listener's own row
    """
    best = np.argsort(-scores, kind="stable")[: DENSITY_NEIGHBOURS + 1]
    pairs = [(float(scores[at]), sample.ids[rows[at]]) for at in best]
    pairs = [pair for pair in pairs if pair[1] != id]
    if cached is not None:
        pairs += zip(cached.scores, cached.ids, strict=True)
    pairs = sorted(pairs, key=lambda pair: -pair[0])[:DENSITY_NEIGHBOURS]
    return _Nearest(
        tuple(other for _, other in pairs), tuple(score for score, _ in pairs), len(sample.added)
    )
