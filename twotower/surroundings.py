"""How near each listener of a community is to people at all; worked out when somebody asks."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from twotower.community import Community, Crowd
from twotower.domain import Listener, artist_key
from twotower.ranking import Listening, ListeningReader, People, nearness, similarity

SAMPLE = 5000  # listeners by whom nearness is told, at most
AT_ONCE = 256  # rows held against the sample in one product


@dataclass(frozen=True, eq=False)
class _Sample:
    seq: int  # of the crowd that it was taken from
    ids: tuple[str, ...]
    row_of: dict[str, int]
    people: People
    told: dict[str, float] = field(default_factory=dict)  # id -> nearness, as far as asked for


class Surroundings:
    """What the ranking needs of a crowd beside its vectors. Safe to share between threads.

    Nobody who has left is in it: when the crowd changes, all that was worked out is forgotten.
    """

    def __init__(
        self, community: Community, reader: ListeningReader, *, sample: int = SAMPLE
    ) -> None:
        self.community, self.reader = community, reader
        self._most = sample
        self._lock = threading.Lock()
        self._sample: _Sample | None = None

    def ready(self, crowd: Crowd) -> None:
        """Read what is needed of a crowd before somebody waits for it."""
        self._of(crowd)

    def listening_of(self, crowd: Crowd, ids: Sequence[str]) -> Listening:
        """What these listeners play, of what others may see."""
        sample = self._of(crowd)
        places = [sample.row_of.get(id, -1) for id in ids]
        if all(place >= 0 for place in places):
            return sample.people.listening.take(places)
        return self._read(ids)

    def nearness_of(self, crowd: Crowd, ids: Sequence[str], people: People) -> np.ndarray:
        """(n,) mean similarity of each listener to the nearest ten of the sample."""
        sample = self._of(crowd)
        missing = [at for at, id in enumerate(ids) if id not in sample.told]
        for start in range(0, len(missing), AT_ONCE):
            part = missing[start : start + AT_ONCE]
            scores = similarity(people.take(part), sample.people)
            others = np.ones(scores.shape, bool)
            for line, at in enumerate(part):
                if (own := sample.row_of.get(ids[at])) is not None:
                    others[line, own] = False
            found = nearness(scores, others).tolist()
            sample.told.update(zip((ids[at] for at in part), found, strict=True))
        return np.array([sample.told[id] for id in ids])

    def _of(self, crowd: Crowd) -> _Sample:
        sample = self._sample
        if sample is not None and sample.seq == crowd.seq:
            return sample
        with self._lock:
            if self._sample is None or self._sample.seq != crowd.seq:
                self._sample = self._taken(crowd, self._sample)
            return self._sample

    def _taken(self, crowd: Crowd, before: _Sample | None) -> _Sample:
        """Everyone, or as many as count; who was in the sample and is unchanged stays in it."""
        if len(crowd) <= self._most:
            rows = np.arange(len(crowd))
        else:
            rows = crowd.rows_of(() if before is None else before.ids)
            rows = rows[rows >= 0][: self._most]
            if len(rows) < self._most:
                rest = np.setdiff1d(np.arange(len(crowd)), rows)
                more = np.random.default_rng(0).permutation(rest)[: self._most - len(rows)]
                rows = np.concatenate([rows, more])
        ids = tuple(crowd.ids[row] for row in rows)
        user, candidate = crowd.user[rows], crowd.candidate[rows]
        known: dict[str, int] = {}
        if before is not None:
            old = before.people
            known = {
                id: place
                for at, id in enumerate(ids)
                if (place := before.row_of.get(id)) is not None
                and np.array_equal(old.user[place], user[at])
            }
        new = [id for id in ids if id not in known]
        read = self._read(new)
        if before is not None and known:
            stacked = before.people.listening.followed_by(read)
        else:
            stacked = read
        first = len(stacked) - len(new)
        place_of = known | {id: first + at for at, id in enumerate(new)}
        listening = stacked.take([place_of[id] for id in ids])
        row_of = {id: row for row, id in enumerate(ids)}
        return _Sample(crowd.seq, ids, row_of, People(user, candidate, listening))

    def _read(self, ids: Sequence[str]) -> Listening:
        """Of who has just left there are no artists."""
        found = {listener.id: listener for listener in self.community.get(ids)}
        return self.reader.read([listed(found[id]) if id in found else () for id in ids])


def listed(listener: Listener) -> list[tuple[str, float]]:
    """(artist key, plays) of what others may see of a listener."""
    return [(artist_key(name), plays) for name, plays in listener.artists]
