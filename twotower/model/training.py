"""Train the towers: contrastive learning on two disjoint views of each listener.

The user tower sees one view of each listener in a batch, the candidate tower the other. The loss
rewards a view that is closer to its own counterpart than to those of the other listeners.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from twotower.core.jobs import Progress, silent
from twotower.model import losses
from twotower.model.artist_features import (
    Alignment,
    ArtistFeatures,
    CrossFit,
    TrainingData,
    assign_folds,
    factor_jobs,
    features_of_factors,
)
from twotower.model.batches import collate
from twotower.model.checkpoint import (
    Record,
    TrainingState,
    digest_of_data,
    digest_of_model,
    load_checkpoint,
    save_checkpoint,
)
from twotower.model.distributed import SINGLE_PROCESS, ProcessGroup
from twotower.model.towers import ModelConfig, ProfileBatch, TwoTower
from twotower.model.train_config import TrainConfig
from twotower.model.views import MIN_PAIRS, ViewBatch, ViewSampler, concat_batches, draw_min_df

FEATURES_SHARE = 0.1  # of the whole time that the artist features take
RECORD_EVERY, CHECKPOINT_EVERY = 20, 100  # steps
UNDECAYED = ("prior_cholesky", "rotation")  # matrices without weight decay


def cross_fit_together(
    data: TrainingData,
    config: TrainConfig,
    *,
    align: Alignment | None = None,
    group: ProcessGroup = SINGLE_PROCESS,
    folder: Path | None = None,
    progress: Progress = silent,
) -> CrossFit:
    """Compute the cross-fitted artist features; the processes of `group` share the jobs.

    They depend on data, folds and seed only. Results travel through files in `folder`.
    """
    fold = assign_folds(data.source, config.folds, seed=config.seed, group=data.group)
    folder = folder or Path(tempfile.gettempdir())
    jobs = factor_jobs(data, fold, seed=config.seed, progress=progress)
    own = jobs[group.rank :: group.count]
    results = group.gather(lambda: [job() for job in own], folder)

    def combine() -> CrossFit:
        factors = [results[job % group.count][job // group.count] for job in range(len(jobs))]
        return features_of_factors(data, fold, factors, seed=config.seed, align=align)

    return group.broadcast_from_first(combine, folder)


def train(
    data: TrainingData,
    *,
    titles: Sequence[dict[str, float]] | None = None,
    model_config: ModelConfig | None = None,
    config: TrainConfig | None = None,
    features: CrossFit | None = None,
    start: TwoTower | None = None,
    resume: Path | None = None,
    group: ProcessGroup = SINGLE_PROCESS,
    on_record: Callable[[Record], None] | None = None,
    progress: Progress = silent,
) -> tuple[TwoTower, ArtistFeatures, list[Record]]:
    """Return the trained model, the artist features to use it with, and the training records.

    titles    genre words of each listener's playlist titles (`views.playlist_titles`)
    features  result of `cross_fit_together` for this data, folds and seed, if already computed
    start     model to continue from, with its own config; `features` must be aligned to it
    resume    checkpoint file: written every 100 steps; an interrupted training continues from it
              to the very same result, and a file of another training is ignored
    group     processes, each of which draws its part of every batch from its own listeners, with
              all others' views as negatives; all must be given the same data and features
    """
    config = config or TrainConfig()
    model_config = model_config or (ModelConfig() if start is None else start.config)
    titles = titles if titles is not None else [{}] * data.plays.shape[0]
    torch.manual_seed(config.seed)
    features = features or cross_fit_together(data, config)
    sampler = _BatchSampler(data, features, titles, config, group)
    state = _start(model_config, config, start, features.whole)
    key = _key(data, titles, config, model_config, start)
    if resume is not None:
        load_checkpoint(resume, key, state)
    group.assert_equal(state.step)
    run = group.data_parallel(TrainingStep(state.model, config.loss))
    state.model.train()
    for step in range(state.step, config.steps):
        batch = sampler.draw(step)
        counts = group.row_counts(len(batch.users))
        if min(counts) < MIN_PAIRS:
            continue
        views = _forward(run, batch, counts, model_config, group)
        loss = losses.BY_NAME[config.loss](views.users, views.candidates, scale=views.scale)
        if not _update(state, loss * group.count, step, config):
            continue
        state.step = step + 1
        if state.step >= min(RECORD_EVERY * (len(state.records) + 1), config.steps):
            record = _record(state, loss, views)
            progress(
                state.step / config.steps,
                f"step {state.step} of {config.steps}, loss {record.loss:.3f}",
            )
            if on_record is not None:
                on_record(record)
        if resume is not None and group.is_first and state.step % CHECKPOINT_EVERY == 0:
            save_checkpoint(resume, key, state)
    _use_average(state)
    return state.model.eval(), features.whole, state.records


class TrainingStep(nn.Module):
    """The forward pass of a batch through both towers as one module, to be run data-parallel.

    If the loss ignores the scale, it is not trained: processes would wait for its gradient.
    """

    def __init__(self, model: TwoTower, loss: losses.Name = "softmax") -> None:
        super().__init__()
        self.model = model
        model.log_scale.requires_grad_(loss in losses.SCALED)

    def forward(
        self, inputs: Tensor, extra: Tensor, users: ProfileBatch, candidates: ProfileBatch
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return unit vectors (B, D) of users and candidates, and the scale."""
        model, items = self.model, self.model.encoder(inputs, extra)
        return model.user(items, users), model.candidate(items, candidates), model.log_scale.exp()


class _BatchSampler:
    """Draws the views of each step; a step depends on its number and the seed alone."""

    def __init__(
        self,
        data: TrainingData,
        features: CrossFit,
        titles: Sequence[dict[str, float]],
        config: TrainConfig,
        group: ProcessGroup,
    ) -> None:
        self.config, self.group, self.fold = config, group, features.fold
        tables = features.per_fold if config.cross_fit else [features.whole] * config.folds
        self.samplers = [ViewSampler(data, each, titles) for each in tables]
        self.data = data
        self.shares = _step_shares(data, config)  # kind -> share of the steps

    def draw(self, step: int) -> ViewBatch:
        """Draw this process's views of a step, and seed torch's dropout."""
        config, group = self.config, self.group
        rng = np.random.default_rng([config.seed, 2, step])  # the same in all processes
        own = rng
        if group.count > 1:
            own = np.random.default_rng([config.seed, 2, step, group.rank])
        torch.manual_seed((config.seed * 1_000_003 + step) * group.count + group.rank)
        kind = str(rng.choice(list(self.shares), p=list(self.shares.values())))
        folds = [int(rng.integers(config.folds))] if config.in_fold else range(config.folds)
        size = config.batch // len(folds) // group.count
        batches = []
        for f in folds:
            members = self._members(f, kind, rng)
            if len(members) > size:
                members = own.choice(members, size, replace=False)
            min_df = draw_min_df(config, rng)
            batches.append(self.samplers[f].draw(members, config, own, min_df=min_df))
        return concat_batches(batches)

    def _members(self, fold: int, kind: str, rng: np.random.Generator) -> np.ndarray:
        """Return this process's profiles of a fold and kind, one of each group.

        If there are too few, profiles of all other kinds come back.
        """
        in_fold = self.fold == fold
        members = np.flatnonzero(in_fold & (self.data.kind == kind))
        if len(members) < MIN_PAIRS:
            members = np.flatnonzero(in_fold & (self.data.kind != kind))
        members = _one_of_each_group(members, self.data.group[members], rng)
        return members[self.group.rank :: self.group.count]


def _one_of_each_group(
    members: np.ndarray, group: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the members (n,) with a random one of each group, in their order."""
    if len(np.unique(group)) == len(members):
        return members
    order = rng.permutation(len(members))
    _, first = np.unique(group[order], return_index=True)
    return members[np.sort(order[first])]


def _step_shares(data: TrainingData, config: TrainConfig) -> dict[str, float]:
    """Return the share of the steps on each kind of profile that the data has; they sum to one."""
    shares = {
        "listener": config.listener_steps,
        "playlist": config.playlist_steps,
        "list": config.list_steps,
        "chart": config.chart_steps,
    }
    present = {kind: share for kind, share in shares.items() if (data.kind == kind).any()}
    total = sum(present.values())
    if not total:
        return dict.fromkeys(present, 1 / len(present))
    return {kind: share / total for kind, share in present.items()}


@dataclass(frozen=True)
class _Views:
    """Unit vectors of both views of all processes' listeners."""

    users: Tensor  # (B, D)
    candidates: Tensor  # (B, D)
    scale: Tensor  # () 1 / temperature


def _start(
    model_config: ModelConfig,
    config: TrainConfig,
    start: TwoTower | None,
    features: ArtistFeatures,
) -> TrainingState:
    """Return the state before the first step: ALS fold-in, or the weights of `start`."""
    model = TwoTower(model_config)
    if start is None:
        model.set_prior(torch.from_numpy(features.prior))
    else:
        model.load_state_dict(start.state_dict())
    optimiser = torch.optim.AdamW(_parameter_groups(model, config.decay), lr=config.rate)
    average = {name: p.detach().clone() for name, p in model.named_parameters()}
    return TrainingState(model, optimiser, average)


def _parameter_groups(model: TwoTower, decay: float) -> list[dict[str, object]]:
    """Divide parameters into those with weight decay (matrices of the networks) and without."""
    free: list[Tensor] = []
    decayed: list[Tensor] = []
    for name, parameter in model.named_parameters():
        plain = parameter.ndim < 2 or name.endswith(UNDECAYED)
        (free if plain else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": decay}, {"params": free, "weight_decay": 0.0}]


def _key(
    data: TrainingData,
    titles: Sequence[dict[str, float]],
    config: TrainConfig,
    model_config: ModelConfig,
    start: TwoTower | None,
) -> str:
    """Return the key of a checkpoint: everything that the result depends on."""
    before = None if start is None else digest_of_model(start)
    return json.dumps(
        [config.to_dict(), asdict(model_config), digest_of_data(data, titles), before]
    )


def _forward(
    run: nn.Module,
    batch: ViewBatch,
    counts: Sequence[int],
    model_config: ModelConfig,
    group: ProcessGroup,
) -> _Views:
    """Embed this process's views and gather those of the others."""
    users, candidates = (
        collate(sets, relative=model_config.relative_plays)
        for sets in (batch.users, batch.candidates)
    )
    user_vectors, candidate_vectors, scale = run(batch.inputs, batch.extra, users, candidates)
    return _Views(
        group.all_gather(user_vectors, counts),
        group.all_gather(candidate_vectors, counts),
        group.average_gradient(scale),
    )


def _update(state: TrainingState, loss: Tensor, step: int, config: TrainConfig) -> bool:
    """Make an optimiser step; return False, without one, if the gradient is not finite."""
    for parameters in state.optimiser.param_groups:
        parameters["lr"] = config.rate * _schedule(step, config)
    state.optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(state.model.parameters(), config.clip)
    if not torch.isfinite(norm):
        return False
    state.optimiser.step()
    with torch.no_grad():
        state.model.log_scale.clamp_(max=float(np.log(config.largest_scale)))
        for name, parameter in state.model.named_parameters():
            state.average[name].lerp_(parameter, 1 - config.ema)
    return True


def _schedule(step: int, config: TrainConfig) -> float:
    """Return the factor of the learning rate: linear warm-up, then a cosine to zero."""
    warm = max(1, int(config.steps * config.warm_up))
    if step < warm:
        return (step + 1) / warm
    return float(0.5 * (1 + np.cos(np.pi * (step - warm) / max(1, config.steps - warm))))


@torch.no_grad()
def _record(state: TrainingState, loss: Tensor, views: _Views) -> Record:
    """Add a record of the last step to the state, and return it."""
    record = Record(
        state.step,
        loss.item(),
        state.model.log_scale.exp().item(),
        losses.alignment(views.users, views.candidates).item(),
        losses.uniformity(views.candidates).item(),
    )
    state.records.append(record)
    return record


@torch.no_grad()
def _use_average(state: TrainingState) -> None:
    """Replace the weights by their moving average."""
    for name, parameter in state.model.named_parameters():
        parameter.copy_(state.average[name])
