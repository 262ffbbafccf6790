"""Who is nearest, by the similarity that is the same from both sides."""

import numpy as np

from twotower.index import top_k

RERANKED = 200  # candidates whose symmetric similarity is computed


def nearest(
    user: np.ndarray,
    candidate: np.ndarray,
    users: np.ndarray,
    candidates: np.ndarray,
    count: int,
    *,
    own: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(rows, similarities) of the nearest, nearest first; equal ones by row; `own` is left out.

    user, candidate    (D,) one listener's unit vectors of both towers
    users, candidates  (N, D) everyone's

    Found by cos(user, candidate of theirs); the best 200 of these, or `count` where that is more,
    are ordered by the mean of that and cos(user of theirs, candidate).
    """
    if not len(candidates):
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    rows, forth = top_k(candidates, user, max(count + 1, RERANKED))
    similarity = (forth + users[rows] @ candidate) / 2
    order = np.lexsort((rows, -similarity))
    if own is not None:
        order = order[rows[order] != own]
    order = order[: max(count, 0)]
    return rows[order], similarity[order]
