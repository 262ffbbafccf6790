"""Reasons for a match: the artists that two listeners share, and those one could discover."""

from collections.abc import Mapping, Sequence

import numpy as np

from twotower.core.domain import Listener, Profile
from twotower.core.names import artist_key
from twotower.model.catalogue import Catalogue
from twotower.model.embedder import Embedder
from twotower.model.portrait import Portrait

MAX_SHARED, MAX_DISCOVER = 12, 8  # artists of each kind for one match
UNKNOWN_FIT = -1.0  # artists that the model doesn't know come last


def shared_artists(catalogue: Catalogue, profile: Profile, listener: Listener) -> tuple[str, ...]:
    """Return up to 12 artists that both play, most distinctive first.

    An artist is distinctive if few listeners have it and both of these play it much: the weight is
    1 / log(3 + listeners) times each one's log plays relative to their most played artist.
    """
    theirs = {artist_key(name): plays for name, plays in listener.artists}
    shared = [key for key in theirs if key in profile.artists]
    my_max = max((artist.plays for artist in profile.artists.values()), default=1.0)
    their_max = max(theirs.values(), default=1.0)

    def weight(key: str) -> float:
        row = catalogue.row(key)
        rarity = 1 / np.log(3 + (catalogue.df[row] if row is not None else 0))
        mine = np.log1p(profile.artists[key].plays) / np.log1p(my_max)
        return float(rarity * mine * np.log1p(theirs[key]) / np.log1p(their_max))

    shared.sort(key=lambda key: (-weight(key), key))
    return tuple(profile.artists[key].name for key in shared[:MAX_SHARED])


def artist_fits(
    embedder: Embedder, portrait: Portrait, listeners: Sequence[Listener]
) -> Mapping[str, float]:
    """Return key -> fit of the known artists of these listeners that the profile lacks.

    The fit is the cosine of the profile's vector and that of a listener of this artist alone.
    """
    theirs = {artist_key(name) for listener in listeners for name, _ in listener.artists}
    missing = sorted(theirs - portrait.profile.artists.keys())
    rows = {key: row for key in missing if (row := embedder.catalogue.row(key)) is not None}
    cosines = embedder.embed_alone(list(rows.values())) @ portrait.user_vector
    return dict(zip(rows, cosines.tolist(), strict=True))


def artists_to_discover(
    profile: Profile, listener: Listener, fits: Mapping[str, float]
) -> tuple[str, ...]:
    """Return up to 8 artists of the listener that the profile lacks, best fit first."""
    missing = [
        (fits.get(key, UNKNOWN_FIT), name)
        for name, _ in listener.artists
        if (key := artist_key(name)) not in profile.artists
    ]
    missing.sort(key=lambda pair: (-pair[0], pair[1]))
    return tuple(name for _, name in missing[:MAX_DISCOVER])
