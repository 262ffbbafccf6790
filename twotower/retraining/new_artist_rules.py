"""Rules for artists that enter a model because members play them."""

import hashlib
import hmac
import math
from collections.abc import Mapping
from dataclasses import dataclass

MIN_LISTENERS = 5  # consenting listeners that a new artist needs at least
EPSILON, DELTA = 1.0, 0.01  # of the random threshold


@dataclass(frozen=True)
class NewArtistRules:
    """Decides which artists that the shipped model doesn't know enter the next one.

    Each needs a confirmed name, and enough listeners. How many are enough is random: members who
    were made up to have a rare artist in common learn nothing about a further one who has it. The
    draw follows from the community's secret, so that it is the same in every retraining.
    """

    names: Mapping[str, str]  # key -> name, confirmed by a public catalogue or the operator
    secret: bytes  # of the community
    min_listeners: int = MIN_LISTENERS

    def has_enough(self, key: str, listeners: int) -> bool:
        """Return True if an artist has enough listeners."""
        digest = hmac.digest(self.secret, key.encode("utf-8", "surrogatepass"), hashlib.sha256)
        draw = int.from_bytes(digest[:8], "big") / 2**64
        return draw < admission_probability(listeners, self.min_listeners)


def admission_probability(listeners: int, min_listeners: int) -> float:
    """Return the probability that an artist with this many listeners enters; 0 below the minimum.

    One listener more multiplies it (and one less its complement) by at most e^EPSILON, plus DELTA:
    optimal partition selection of Desfontaines, Voss, Gipson and Mandayam, "Differentially private
    partition selection" (PoPETs 2022), theorem 2. It is 1 from eight above the minimum on.
    """
    probability = 0.0
    for _ in range(listeners - min_listeners + 1):
        more = math.exp(EPSILON) * probability + DELTA
        rest = 1.0 - math.exp(-EPSILON) * (1.0 - probability - DELTA)
        probability = min(more, rest, 1.0)
        if probability == 1.0:
            break
    return probability
