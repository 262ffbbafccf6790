"""The two towers: a listener's artists and what else is known of them, into one shared space.

An artist encoder, shared, gives each artist a vector and a weight from identity and content. Above
it the user tower and the candidate tower, each with parameters of its own, pool a set of weighted
artists by precision (a learned Bayesian ridge fold-in) and correct the result. What is known of a
listener besides artists (genres, playlist titles, audio) enters as further items of the set, read
like an artist of whom only that is known, so a missing group costs nothing and adds nothing.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from twotower.model.content import AUDIO_WIDTH, GENRE_WIDTH, NAME_DIM, TAG_WIDTH
from twotower.model.play_matrix import MEAN_WEIGHT, MIN_WEIGHT

FACTOR_DIM, DF_WIDTH = 64, 3
WIDTHS = (FACTOR_DIM, DF_WIDTH, TAG_WIDTH, AUDIO_WIDTH, GENRE_WIDTH, NAME_DIM)
INPUT_WIDTH = sum(WIDTHS)
_EDGES = [sum(WIDTHS[:i]) for i in range(len(WIDTHS) + 1)]
FACTOR, DF, TAGS, AUDIO, GENRES, NAME = (slice(a, b) for a, b in pairwise(_EDGES))
CONTENT = slice(TAGS.start, INPUT_WIDTH)
EXTRA_WIDTH = 12  # nine audio spreads; playlists: how many, how large, how focused
KINDS = 4
ARTIST, GENRE_GROUP, PLAYLIST_GROUP, AUDIO_GROUP = range(KINDS)  # kinds of item


@dataclass(frozen=True)
class ModelConfig:
    dim: int = FACTOR_DIM  # width of the shared space
    hidden: int = 128  # of the artist encoder and of the correction
    gate: int = 32  # hidden width of an item's precision
    dropout: float = 0.2
    chunk: int = 40  # items read at once; a longer profile is read in even chunks
    # for the ablation:
    shared: bool = False  # one tower for both sides
    pooling: Literal["precision", "attention"] = "precision"
    relative_plays: bool = True  # against the listener's own mean, not against everyone's


@dataclass(frozen=True)
class Items:
    """Encoded artists (or what is read like one); row 0 is padding."""

    vectors: Tensor  # (M, D)
    gates: Tensor  # (M,)
    df: Tensor  # (M, DF_WIDTH)


@dataclass(frozen=True)
class ProfileBatch:
    """Chunks of listeners as padded sets of items."""

    rows: Tensor  # (B, N) int64 into Items; 0 is padding
    weights: Tensor  # (B, N) MEAN_WEIGHT + log1p(plays) - the listener's mean of it
    spread: Tensor  # (B, N) the same, standardised within the listener
    kinds: Tensor  # (B, N) int64
    count: Tensor  # (B,) number of items


class ArtistEncoder(nn.Module):
    """Identity and content of artists -> vectors in the shared space and precisions."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.hidden = nn.Linear(INPUT_WIDTH, config.hidden)
        self.vector = _zero(nn.Linear(config.hidden, config.dim))
        self.gate = _zero(nn.Linear(config.hidden, 1))
        self.extra = _zero(nn.Linear(EXTRA_WIDTH, config.dim))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, inputs: Tensor, extra: Tensor | None = None) -> Items:
        """inputs (M, INPUT_WIDTH), extra (M, EXTRA_WIDTH) for group items."""
        hidden = self.dropout(F.gelu(self.hidden(inputs)))
        vectors = inputs[:, FACTOR] + self.vector(hidden)
        if extra is not None:
            vectors = vectors + self.extra(extra)
        return Items(vectors, self.gate(hidden).squeeze(1), inputs[:, DF])


class Tower(nn.Module):
    """A weighted set of items -> one unit vector, by precision-weighted pooling."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.dim
        self.pooling = config.pooling
        self.log_confidence = nn.Parameter(torch.tensor(10.0).log())
        self.kind = nn.Parameter(torch.zeros(KINDS))
        self.gate = _mlp(DF_WIDTH + 4 + dim, config.gate, 1, config.dropout)
        self.root = nn.Parameter(  # lower root of the prior precision, which attention has not
            torch.eye(dim) * 10, requires_grad=config.pooling == "precision"
        )
        self.start = nn.Parameter(torch.zeros(dim))  # what a listener is before anything is known
        self.absent = nn.Parameter(torch.zeros(KINDS, dim))  # and what a missing group adds to it
        self.turn = nn.Parameter(torch.eye(dim))
        self.norm = nn.LayerNorm(dim)
        self.correction = _mlp(dim, config.hidden, dim, config.dropout)

    def confidences(self, items: Items, batch: ProfileBatch, v: Tensor) -> Tensor:
        """(B, N): how much each item counts; zero on padding. v (B, N, D) are their vectors."""
        size = (batch.count.clamp(min=1).log() - 3)[:, None].expand_as(batch.weights)
        about = torch.stack(
            [
                (batch.weights - MEAN_WEIGHT) / 2,
                batch.spread,
                size,
                (v.square().mean(2) + 1e-6).sqrt(),
            ],
            2,
        )
        df = F.embedding(batch.rows, items.df)
        gate = self.gate(torch.cat([df, about, v], 2)).squeeze(2)
        own = F.embedding(batch.rows, items.gates[:, None]).squeeze(2)
        gate = own + gate + self.kind[batch.kinds]
        c: Tensor = (self.log_confidence + gate.clamp(-6, 4)).exp() * batch.weights.clamp(
            min=MIN_WEIGHT
        )
        return c * (batch.rows > 0)

    def forward(self, items: Items, batch: ProfileBatch) -> Tensor:
        """(B, D) unit vectors: u = (G + sum c v v')^-1 (start + sum (1 + c) v), then corrected."""
        v = F.embedding(batch.rows, items.vectors)  # (B, N, D)
        c = self.confidences(items, batch, v)
        pool = self._attention if self.pooling == "attention" else self._precision
        u = F.normalize(pool(v, c, batch) @ self.turn, dim=1)
        return F.normalize(u + 0.3 * self.correction(self.norm(u)), dim=1)

    def prior(self) -> Tensor:
        """(D, D) precision of a listener of whom nothing is known."""
        lower = self.root.tril()
        return lower @ lower.T + 1e-3 * torch.eye(len(lower))

    def information(self, items: Items, batch: ProfileBatch) -> Tensor:
        """(B, D, D) precision that what is known adds to the prior: sum c v v'."""
        v = F.embedding(batch.rows, items.vectors)
        return (v * self.confidences(items, batch, v).unsqueeze(2)).transpose(1, 2) @ v

    def _before(self, batch: ProfileBatch) -> Tensor:
        """(B, D) what is thought of a listener before the items are read."""
        known = (batch.rows > 0).unsqueeze(2) & (batch.kinds.unsqueeze(2) == torch.arange(KINDS))
        return self.start + (~known.any(1)).float() @ self.absent

    def _attention(self, v: Tensor, c: Tensor, batch: ProfileBatch) -> Tensor:
        """(B, D) mean of the items by their share of the confidence, without a prior."""
        share = c / c.sum(1, keepdim=True).clamp(min=1e-9)
        mean: Tensor = self._before(batch) + (share.unsqueeze(1) @ v).squeeze(1)
        return mean

    def _precision(self, v: Tensor, c: Tensor, batch: ProfileBatch) -> Tensor:
        """(B, D) mean of the posterior of a Bayesian ridge regression."""
        prior = self.prior()
        right = self._before(batch) + ((c + (batch.rows > 0)).unsqueeze(1) @ v).squeeze(1)
        if v.shape[1] > v.shape[2]:
            left = prior + (v * c.unsqueeze(2)).transpose(1, 2) @ v
            whole: Tensor = torch.linalg.solve(left, right)
            return whole
        half = v * c.clamp(min=1e-9).sqrt().unsqueeze(2)  # Woodbury: an N x N solve
        inverse = torch.linalg.inv(prior)
        small = half @ inverse  # (B, N, D)
        first = right @ inverse  # (B, D)
        inner = torch.eye(v.shape[1]) + half @ small.transpose(1, 2)
        step = torch.linalg.solve(inner, half @ first.unsqueeze(2))  # (B, N, 1)
        mean: Tensor = first - (small.transpose(1, 2) @ step).squeeze(2)
        return mean


class TwoTower(nn.Module):
    """The shared encoder, the two towers, and the temperature they were trained with."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ArtistEncoder(config)
        self.user = Tower(config)
        self.candidate = self.user if config.shared else Tower(config)
        self.log_scale = nn.Parameter(torch.tensor(14.0).log())  # 1 / temperature

    def start_from(self, prior: Tensor) -> None:
        """Begin as plain fold-in: prior (D, D) is the precision of a listener's vector."""
        with torch.no_grad():
            for tower in {self.user, self.candidate}:
                tower.root.copy_(torch.linalg.cholesky(prior))


def _mlp(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    last = _zero(nn.Linear(hidden, outputs))
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Dropout(dropout), last)


def _zero(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
