"""How near each listener of a community is to people at all; worked out when somebody asks."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from twotower.community import Community, MemberSnapshot
from twotower.core.domain import Listener
from twotower.core.names import artist_key
from twotower.retrieval.similarity import (
    DENSITY_NEIGHBOURS,
    ListenerBatch,
    PlayRowReader,
    PlayRows,
    hub_corrected,
    local_density,
    pair_quantiles,
    similarity,
)

SAMPLE = 5000  # listeners by whom nearness is told, at most
PAIRED = 400  # listeners whose pairs give the percentiles if the model ships none
AT_ONCE = 256  # rows held against the sample in one product
MANY = 500  # changes of the sample after which all is worked out anew
MOST_TOLD = 5000  # listeners of whom the nearest are kept


@dataclass(frozen=True, slots=True)
class _Near:
    """The nearest of a sample to one listener."""

    ids: tuple[str, ...]
    scores: tuple[float, ...]
    seen: int  # how many of those added to the sample were looked at


@dataclass(frozen=True, eq=False)
class _Sample:
    seq: int  # of the snapshot that it was taken from
    ids: tuple[str, ...]
    row_of: dict[str, int]
    people: ListenerBatch
    added: tuple[str, ...] = ()  # in this order, since something was worked out
    told: dict[str, _Near] = field(default_factory=dict)  # of whom was asked for


class Surroundings:
    """What the ranking needs of a snapshot beside its vectors. Safe to share between threads.

    When the snapshot changes, all that depends on listeners who left or changed is computed again;
    new listeners are compared with what is known. Nothing of a listener who left remains.
    """

    def __init__(
        self, community: Community, reader: PlayRowReader, *, sample: int = SAMPLE
    ) -> None:
        self.community, self.reader = community, reader
        self._most = sample
        self._lock = threading.Lock()
        self._sample: _Sample | None = None

    def ready(self, snapshot: MemberSnapshot) -> None:
        """Read what is needed of a snapshot before somebody waits for it."""
        self._of(snapshot)

    def listening_of(self, snapshot: MemberSnapshot, ids: Sequence[str]) -> PlayRows:
        """What these listeners play, of what others may see."""
        sample = self._of(snapshot)
        places = [sample.row_of.get(id, -1) for id in ids]
        if all(place >= 0 for place in places):
            return sample.people.play_rows.select(places)
        return self._read(ids)

    def nearness_of(
        self, snapshot: MemberSnapshot, ids: Sequence[str], people: ListenerBatch
    ) -> np.ndarray:
        """(n,) mean similarity of each listener to the nearest ten of the sample."""
        sample = self._of(snapshot)
        if len(sample.told) > MOST_TOLD:
            sample.told.clear()
        known = [sample.told.get(id) for id in ids]
        by_seen: dict[int, list[int]] = {}
        for at, near in enumerate(known):
            if near is None:
                by_seen.setdefault(-1, []).append(at)
            elif near.seen < len(sample.added):
                by_seen.setdefault(near.seen, []).append(at)
        for seen, late in by_seen.items():
            # all of the sample, or only those who came since
            came = sample.ids if seen < 0 else dict.fromkeys(sample.added[seen:])
            rows = [sample.row_of[id] for id in came if id in sample.row_of]
            for start in range(0, len(late), AT_ONCE):
                part = late[start : start + AT_ONCE]
                scores = similarity(people.select(part), sample.people.select(rows))
                for at, line in zip(part, scores, strict=True):
                    near = _nearest(ids[at], line, rows, sample, known[at])
                    sample.told[ids[at]] = known[at] = near
        best = [near.scores if near is not None else () for near in known]
        return np.array([sum(each) / len(each) if each else 0.0 for each in best])

    def density_of_visitor(self, snapshot: MemberSnapshot, one: ListenerBatch, id: str) -> float:
        """Return the local density of one listener, who need not be in the community.

        `id` is left out of the sample. The result isn't cached: several visitors may share an id.
        """
        sample = self._of(snapshot)
        if not sample.ids:
            return 0.0
        rows = range(len(sample.ids))
        near = _nearest(id, similarity(one, sample.people)[0], rows, sample, None)
        return sum(near.scores) / len(near.scores) if near.scores else 0.0

    def pair_quantiles(self, snapshot: MemberSnapshot) -> np.ndarray:
        """Return (1001,) quantiles of the similarity of random pairs of the community.

        For models that ship none; takes half a second.
        """
        sample = self._of(snapshot)
        rows = np.random.default_rng(0).permutation(len(sample.ids))[:PAIRED]
        scores = similarity(sample.people.select(rows), sample.people)
        density = local_density(scores, np.arange(len(sample.ids)) != rows[:, None])
        return pair_quantiles(hub_corrected(scores[:, rows], density, density))

    def _of(self, snapshot: MemberSnapshot) -> _Sample:
        sample = self._sample
        if sample is not None and sample.seq == snapshot.seq:
            return sample
        with self._lock:
            if self._sample is None or self._sample.seq != snapshot.seq:
                self._sample = self._taken(snapshot, self._sample)
            return self._sample

    def _taken(self, snapshot: MemberSnapshot, before: _Sample | None) -> _Sample:
        """Everyone, or as many as count; who was in the sample and is unchanged stays in it."""
        if before is not None and not (before.ids and len(snapshot)):
            before = None  # of nobody the width of vectors isn't known
        if before is None:
            stay, where = np.zeros(0, np.int64), np.zeros(0, np.int64)
        else:
            where = snapshot.rows_of(before.ids)
            same = where >= 0
            same[same] = snapshot.seqs[where[same]] <= before.seq
            stay = np.flatnonzero(same)[: self._most]
            where = where[stay]
        more = np.zeros(0, np.int64)
        if len(stay) < min(self._most, len(snapshot)):
            more = np.setdiff1d(np.arange(len(snapshot)), where)
            if len(more) > self._most - len(stay):
                more = np.random.default_rng(0).permutation(more)[: self._most - len(stay)]
        new = tuple(snapshot.ids[row] for row in more)
        people = ListenerBatch(snapshot.user[more], snapshot.candidate[more], self._read(new))
        ids, added, told = new, new, dict[str, _Near]()
        if before is not None:
            kept = before.people if len(stay) == len(before.ids) else before.people.select(stay)
            people = kept.concat(people) if new else kept
            ids = (*(before.ids[row] for row in stay), *new)
            added = (*before.added, *new)
            gone = set(before.ids).difference(ids).union(new)
            if len(added) <= MANY and len(gone) <= MANY:
                known = dict(before.told)  # others may add to it meanwhile
                rows = snapshot.rows_of(tuple(known))
                there = rows >= 0
                there[there] = snapshot.seqs[rows[there]] <= before.seq
                told = {
                    id: near
                    for (id, near), same in zip(known.items(), there, strict=True)
                    if same and gone.isdisjoint(near.ids)
                }
        if not told:
            added = ()
        return _Sample(
            snapshot.seq, ids, {id: row for row, id in enumerate(ids)}, people, added, told
        )

    def _read(self, ids: Sequence[str]) -> PlayRows:
        """Of who has just left there are no artists."""
        found = {listener.id: listener for listener in self.community.get(ids)}
        return self.reader.read([listed(found[id]) if id in found else () for id in ids])


def _nearest(
    id: str, line: np.ndarray, rows: Sequence[int], sample: _Sample, known: _Near | None
) -> _Near:
    """Of a listener whose scores with these rows of the sample are `line`, and of who was known."""
    best = np.argsort(-line, kind="stable")[: DENSITY_NEIGHBOURS + 1]  # oneself may be among them
    found = [(float(line[at]), sample.ids[rows[at]]) for at in best]
    found = [pair for pair in found if pair[1] != id]
    if known is not None:
        found += zip(known.scores, known.ids, strict=True)
    found = sorted(found, key=lambda pair: -pair[0])[:DENSITY_NEIGHBOURS]
    scores, ids = tuple(score for score, _ in found), tuple(each for _, each in found)
    return _Near(ids, scores, len(sample.added))


def listed(listener: Listener) -> list[tuple[str, float]]:
    """(artist key, plays) of what others may see of a listener."""
    return [(artist_key(name), plays) for name, plays in listener.artists]
