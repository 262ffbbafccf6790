"""The two-tower model: a listener's artists, and what else is known, to one unit vector.

    artists, genres, ...  --ArtistEncoder-->  Items: a vector and a precision each
    Items of a listener   --Tower "user"-->       unit vector of the one who searches
    Items of a listener   --Tower "candidate"-->  unit vector of the one who is found

The encoder is shared. Each tower pools a listener's items like a Bayesian ridge regression: the
prior is what a listener is before anything is known, each item adds evidence in the direction of
its vector, and the posterior mean is the listener. So one artist gives a vague but sensible vector
and 2,000 artists a precise one. A small network then corrects the result.

Genres, playlist titles and audio attributes of a listener are further items of the set, encoded
like an artist of which only that is known. A missing group costs nothing and adds nothing.

Tensor shapes: B listeners (or chunks of one), N items, M encoded items, D the shared space.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from twotower.model.content import AUDIO_WIDTH, GENRE_WIDTH, NAME_DIM, TAG_WIDTH
from twotower.model.play_matrix import MEAN_WEIGHT, MIN_WEIGHT

# Columns of the encoder's input: ALS factors, popularity, then content.
FACTOR_DIM, DF_WIDTH = 64, 3
WIDTHS = (FACTOR_DIM, DF_WIDTH, TAG_WIDTH, AUDIO_WIDTH, GENRE_WIDTH, NAME_DIM)
INPUT_WIDTH = sum(WIDTHS)
_EDGES = [sum(WIDTHS[:i]) for i in range(len(WIDTHS) + 1)]
FACTOR, DF, TAGS, AUDIO, GENRES, NAME = (slice(a, b) for a, b in pairwise(_EDGES))
CONTENT = slice(TAGS.start, INPUT_WIDTH)
EXTRA_WIDTH = 12  # of group items: 9 audio spreads; number, size and focus of playlists

ITEM_TYPES = 4
ARTIST, GENRE_GROUP, PLAYLIST_GROUP, AUDIO_GROUP = range(ITEM_TYPES)

# Values at the start of training, and fixed scales.
PRIOR_ROOT, ITEM_PRECISION, SCALE = 10.0, 10.0, 14.0
PRIOR_RIDGE = 1e-3  # keeps the prior precision positive definite
LOG_PRECISION_RANGE = (-6.0, 4.0)
CORRECTION_SHARE = 0.3
TYPICAL_LOG_COUNT = 3.0  # log of 20 items


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the model; stored with it."""

    dim: int = FACTOR_DIM  # D, width of the shared space
    hidden: int = 128  # of the artist encoder and of the correction
    gate: int = 32  # hidden width of the network for an item's precision
    dropout: float = 0.2
    chunk: int = 40  # most artists read at once; a longer profile is read in even chunks
    # Variants for the ablation:
    shared: bool = False  # one tower for both sides
    pooling: Literal["precision", "attention"] = "precision"
    relative_plays: bool = True  # plays against the listener's own mean, else against a fixed one


@dataclass(frozen=True)
class Items:
    """Encoded artists and groups; row 0 is padding."""

    vectors: Tensor  # (M, D)
    log_precision: Tensor  # (M,) added to the tower's own estimate
    df: Tensor  # (M, DF_WIDTH) popularity columns of the input


@dataclass(frozen=True)
class ProfileBatch:
    """Listeners (or chunks of one) as padded sets of items."""

    rows: Tensor  # (B, N) int64 rows of Items; 0 is padding
    weights: Tensor  # (B, N) play weights: log(1 + plays) with mean 5 within the listener
    z_scores: Tensor  # (B, N) log plays, standardised within the listener
    item_types: Tensor  # (B, N) int64
    count: Tensor  # (B,) number of items


class ArtistEncoder(nn.Module):
    """Inputs of artists (identity and content) -> vectors and precisions."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.hidden = nn.Linear(INPUT_WIDTH, config.hidden)
        self.vector = _zero(nn.Linear(config.hidden, config.dim))
        self.log_precision = _zero(nn.Linear(config.hidden, 1))
        self.extra = _zero(nn.Linear(EXTRA_WIDTH, config.dim))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, inputs: Tensor, extra: Tensor | None = None) -> Items:
        """Encode inputs (M, INPUT_WIDTH); `extra` (M, EXTRA_WIDTH) holds numbers of group items.

        An untrained encoder returns the ALS factors as they are.
        """
        hidden = self.dropout(F.gelu(self.hidden(inputs)))  # (M, hidden)
        vectors = inputs[:, FACTOR] + self.vector(hidden)  # (M, D)
        if extra is not None:
            vectors = vectors + self.extra(extra)
        return Items(vectors, self.log_precision(hidden).squeeze(1), inputs[:, DF])


class Tower(nn.Module):
    """A listener's items -> one unit vector, by precision-weighted pooling and a correction."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.dim
        self.pooling = config.pooling
        self.base_log_precision = nn.Parameter(torch.tensor(ITEM_PRECISION).log())
        self.item_type_bias = nn.Parameter(torch.zeros(ITEM_TYPES))
        self.log_precision = _mlp(DF_WIDTH + 4 + dim, config.gate, 1, config.dropout)
        self.prior_cholesky = nn.Parameter(  # lower triangle; attention has no prior
            torch.eye(dim) * PRIOR_ROOT, requires_grad=config.pooling == "precision"
        )
        self.prior_mean = nn.Parameter(torch.zeros(dim))  # times the prior precision
        self.missing_group = nn.Parameter(torch.zeros(ITEM_TYPES, dim))  # added to the mean
        self.rotation = nn.Parameter(torch.eye(dim))
        self.norm = nn.LayerNorm(dim)
        self.correction = _mlp(dim, config.hidden, dim, config.dropout)

    def forward(self, items: Items, batch: ProfileBatch) -> Tensor:
        """Return (B, D) unit vectors."""
        v = F.embedding(batch.rows, items.vectors)  # (B, N, D)
        c = self.precisions(items, batch, v)  # (B, N)
        if self.pooling == "attention":
            return self.direction(self._attention(v, c, batch))
        right = c + (batch.rows > 0)  # (B, N)
        return self.direction(self.posterior_mean(v, c, right, self.prior_mean_of(batch)))

    def direction(self, mean: Tensor) -> Tensor:
        """Return (B, D) unit vectors for pooled means (B, D): turned, and corrected."""
        u = F.normalize(mean @ self.rotation, dim=1)  # (B, D)
        return F.normalize(u + CORRECTION_SHARE * self.correction(self.norm(u)), dim=1)

    def precisions(self, items: Items, batch: ProfileBatch, v: Tensor) -> Tensor:
        """Return (B, N) the precision c of each item's evidence, zero on padding.

        v (B, N, D) are the items' vectors. The precision grows with the play weight; a network
        scales it by popularity, relative plays, size of the profile and the vector.
        """
        df = F.embedding(batch.rows, items.df)  # (B, N, DF_WIDTH)
        size = (batch.count.clamp(min=1).log() - TYPICAL_LOG_COUNT)[:, None]
        about = torch.stack(
            [
                (batch.weights - MEAN_WEIGHT) / 2,
                batch.z_scores,
                size.expand_as(batch.weights),
                (v.square().mean(2) + 1e-6).sqrt(),
            ],
            2,
        )  # (B, N, 4)
        gate = self.log_precision(torch.cat([df, about, v], 2)).squeeze(2)  # (B, N)
        own = F.embedding(batch.rows, items.log_precision[:, None]).squeeze(2)
        gate = own + gate + self.item_type_bias[batch.item_types]
        weights = batch.weights.clamp(min=MIN_WEIGHT)
        c: Tensor = (self.base_log_precision + gate.clamp(*LOG_PRECISION_RANGE)).exp() * weights
        return c * (batch.rows > 0)

    def prior(self) -> Tensor:
        """Return (D, D) the prior precision G: that of a listener before any item is known."""
        lower = self.prior_cholesky.tril()
        return lower @ lower.T + PRIOR_RIDGE * torch.eye(len(lower))

    def information(self, items: Items, batch: ProfileBatch) -> Tensor:
        """Return (B, D, D) the precision that the items add to the prior: sum of c v v'."""
        v = F.embedding(batch.rows, items.vectors)
        return (v * self.precisions(items, batch, v).unsqueeze(2)).transpose(1, 2) @ v

    def posterior_mean(self, v: Tensor, c: Tensor, right: Tensor, prior_mean: Tensor) -> Tensor:
        """Return (B, D) the ridge solution (G + sum c v v')^-1 (prior_mean + sum right v).

        v           (B, N, D) vectors of the items
        c, right    (B, N) precisions; and weights on the right, which are 1 + c, or 0 on padding
        prior_mean  (B, D) times the prior precision

        If N <= D, the Woodbury identity needs an N x N solve only. `als.fold_in` solves the same
        system for sparse rows without gradients; here torch differentiates the solve.
        """
        prior = self.prior()
        total = prior_mean + (right.unsqueeze(1) @ v).squeeze(1)  # (B, D)
        if v.shape[1] > v.shape[2]:
            left = prior + (v * c.unsqueeze(2)).transpose(1, 2) @ v  # (B, D, D)
            solution: Tensor = torch.linalg.solve(left, total)
            return solution
        half = v * c.clamp(min=1e-9).sqrt().unsqueeze(2)  # (B, N, D)
        inverse = torch.linalg.inv(prior)
        small = half @ inverse  # (B, N, D)
        first = total @ inverse  # (B, D)
        inner = torch.eye(v.shape[1]) + half @ small.transpose(1, 2)  # (B, N, N)
        step = torch.linalg.solve(inner, half @ first.unsqueeze(2))  # (B, N, 1)
        mean: Tensor = first - (small.transpose(1, 2) @ step).squeeze(2)
        return mean

    def _attention(self, v: Tensor, c: Tensor, batch: ProfileBatch) -> Tensor:
        """Return (B, D) the mean of the items weighted by precision, without a prior."""
        share = c / c.sum(1, keepdim=True).clamp(min=1e-9)
        mean: Tensor = self.prior_mean_of(batch) + (share.unsqueeze(1) @ v).squeeze(1)
        return mean

    def prior_mean_of(self, batch: ProfileBatch) -> Tensor:
        """Return (B, D) the prior mean, which depends on the groups that are missing."""
        types = torch.arange(ITEM_TYPES)
        present = (batch.rows > 0).unsqueeze(2) & (batch.item_types.unsqueeze(2) == types)
        return self.prior_mean + (~present.any(1)).float() @ self.missing_group


class TwoTower(nn.Module):
    """The shared encoder, the two towers, and the temperature they were trained with."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ArtistEncoder(config)
        self.user = Tower(config)
        self.candidate = self.user if config.shared else Tower(config)
        self.log_scale = nn.Parameter(torch.tensor(SCALE).log())  # log(1 / temperature)

    def set_prior(self, precision: Tensor) -> None:
        """Start both towers as plain ALS fold-in with this prior precision (D, D)."""
        with torch.no_grad():
            for tower in {self.user, self.candidate}:
                tower.prior_cholesky.copy_(torch.linalg.cholesky(precision))


# Names of modules and parameters in stored models, where they differ from those above.
STORED_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "base_log_precision": "log_confidence",
        "item_type_bias": "kind",
        "log_precision": "gate",
        "prior_cholesky": "root",
        "prior_mean": "start",
        "missing_group": "absent",
        "rotation": "turn",
    }
)
_NAMES = {stored: name for name, stored in STORED_NAMES.items()}


def to_stored_name(name: str) -> str:
    """Return a parameter's name in stored models: "user.rotation" -> "user.turn"."""
    return ".".join(STORED_NAMES.get(part, part) for part in name.split("."))


def from_stored_name(name: str) -> str:
    """Return the parameter of a stored name; new names are accepted, too."""
    return ".".join(_NAMES.get(part, part) for part in name.split("."))


def _mlp(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    last = _zero(nn.Linear(hidden, outputs))
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Dropout(dropout), last)


def _zero(layer: nn.Linear) -> nn.Linear:
    """Start a layer at zero, so that an untrained network adds nothing."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
