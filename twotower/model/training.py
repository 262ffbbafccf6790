"""Teaching the two towers to find the other half of a listener among strangers."""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from twotower.core.domain import AUDIO as ATTRIBUTES
from twotower.core.domain import Profile
from twotower.model import losses
from twotower.model.artist_features import (
    Onto,
    Progress,
    Table,
    World,
    factor_jobs,
    folds_of,
    tables_of,
)
from twotower.model.batches import (
    ItemSet,
    audio_extra,
    collate,
    content_block,
    playlist_extra,
    title_genres,
)
from twotower.model.distributed import ALONE, Ranks
from twotower.model.towers import (
    ARTIST,
    AUDIO_GROUP,
    DF,
    EXTRA_WIDTH,
    FACTOR,
    GENRE_GROUP,
    INPUT_WIDTH,
    PLAYLIST_GROUP,
    TAGS,
    ModelConfig,
    ProfileBatch,
    TwoTower,
)

logger = logging.getLogger(__name__)


TABLES = 0.1  # share of the time that the artist tables take


@dataclass(frozen=True)
class TrainConfig:
    """Good values; the command's flags have the same names."""

    steps: int = 800
    batch: int = 384  # listeners, all of one fold and one source, of all processes together
    folds: int = 4
    rate: float = 2e-3
    decay: float = 0.02  # on matrices of the encoder and the small networks
    warm_up: float = 0.1
    clip: float = 1.0
    ema: float = 0.98
    largest_scale: float = 60.0
    longest_view: int = 48  # artists
    thresholds: tuple[int, ...] = (3, 5, 10, 20, 40, 80)  # listeners an artist needs, half the time
    swap: float = 0.5  # share of pairs whose parts change towers: neighbours are ranked both ways
    no_plays: float = 0.3  # share of pairs of which one side, or each, doesn't tell plays
    hide_identity: float = 0.1  # share of artists whose identity is hidden in a step
    groups: float = 0.15  # share of views that also get each group
    groups_alone: float = 0.2  # share of the user's views with groups that lose their artists
    playlist_steps: float = 0.4  # share of steps on playlists, where there are any
    seed: int = 0
    # for the ablation:
    loss: losses.Name = "softmax"
    cross_fit: bool = True  # a person's artists are known from others' listening only
    in_fold: bool = True  # all negatives are strangers to the table, as the person is


@dataclass(frozen=True)
class Record:
    """One line of training: the loss and what to watch beside it."""

    step: int
    loss: float
    scale: float
    alignment: float
    uniformity: float


@dataclass(frozen=True)
class Pair:
    """Two disjoint parts of one listener: artist rows and plays, the user's first."""

    listener: int
    rows: tuple[np.ndarray, np.ndarray]
    plays: tuple[np.ndarray, np.ndarray]


NO_PLAYS = ((0,), (1,), (0, 1))  # which sides of a pair don't tell plays
FEWEST_PAIRS = 2  # in a step: each is the other's negative
RECORD_EVERY, KEEP_EVERY = 20, 100  # steps
Group = tuple[int, np.ndarray, np.ndarray]  # kind, content block, extra numbers
Drawn = tuple[list[ItemSet], list[ItemSet], Tensor, Tensor]  # views of both sides, inputs, extra


@dataclass
class History:
    records: list[Record] = field(default_factory=list)


class Views:
    """Draws pairs of disjoint views of listeners, with groups, as items of one fold's table."""

    def __init__(self, world: World, table: Table, titles: Sequence[dict[str, float]]) -> None:
        self.world, self.table, self.titles = world, table, titles
        self.df = np.expm1(table.inputs[:, DF.start] * 2)
        self.audio = world.audio[:, : len(ATTRIBUTES)]

    def draw(
        self,
        listeners: np.ndarray,
        config: TrainConfig,
        rng: np.random.Generator,
        *,
        least: int | None = None,
    ) -> Drawn:
        """(user views, candidate views, encoder inputs, extra inputs); row 0 is padding.

        Artists count that `least` listeners play, drawn unless it is given. Where too few
        listeners know enough of the artists that count, all artists count.
        """
        least = threshold(config, rng) if least is None else least
        pairs = self._pairs(listeners, least, config, rng)
        if len(pairs) < FEWEST_PAIRS and least:
            pairs = self._pairs(listeners, 0, config, rng)
        return self._items(pairs, config, rng)

    def _pairs(
        self, listeners: np.ndarray, least: int, config: TrainConfig, rng: np.random.Generator
    ) -> list[Pair]:
        pairs: list[Pair] = []
        plays = self.world.plays
        for listener in listeners:
            span = slice(plays.indptr[listener], plays.indptr[listener + 1])
            rows, counts = plays.indices[span], plays.data[span]
            usable = self.df[rows] >= max(least, 1e-6)
            if least == 0 and rng.random() < 0.5:
                usable[:] = True  # artists that only this fold plays are known by content
            rows, counts = rows[usable], counts[usable]
            if len(rows) < (8 if least else 4):
                continue
            order = rng.permutation(len(rows))
            half = len(rows) // 2
            if rng.random() < 0.5:
                first, second = order[:half], order[half:]
            else:
                query = round(float(np.exp(rng.uniform(np.log(3), np.log(25)))))
                query = max(2, min(query, half))
                first, second = order[:query], order[query:]
            parts = [first[: config.longest_view], second[: config.longest_view]]
            if rng.random() < config.swap:
                parts.reverse()
            hidden = NO_PLAYS[int(rng.integers(3))] if rng.random() < config.no_plays else ()
            one, other = (
                np.ones(len(part), np.float32) if side in hidden else counts[part]
                for side, part in enumerate(parts)
            )
            pairs.append(Pair(int(listener), (rows[parts[0]], rows[parts[1]]), (one, other)))
        return pairs

    def _items(self, pairs: Sequence[Pair], config: TrainConfig, rng: np.random.Generator) -> Drawn:
        parts = [part for pair in pairs for part in pair.rows]
        used = np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)
        inputs = self.table.inputs[used].copy()
        hidden = rng.random(len(used)) < config.hide_identity
        bare = hidden & (rng.random(len(used)) < 0.5)
        inputs[hidden, FACTOR] = self.table.by_content[used[hidden]]
        inputs[bare, FACTOR] = self.table.by_static[used[bare]]
        inputs[bare, TAGS] = 0
        inputs[hidden, DF] = (0.0, 0.0, 1.0)
        extra_inputs: list[np.ndarray] = []
        extra: list[np.ndarray] = []
        first_extra = len(used) + 1
        sides: tuple[list[ItemSet], list[ItemSet]] = ([], [])
        place = np.zeros(len(self.table.inputs), np.int64)
        place[used] = np.arange(1, len(used) + 1)
        for side in (0, 1):
            for pair, found in zip(pairs, self._groups(pairs, side, config, rng), strict=True):
                rows = place[pair.rows[side]]
                counts, kinds = pair.plays[side], np.full(len(rows), ARTIST, np.int64)
                if found and side == 0 and rng.random() < config.groups_alone:
                    rows, counts, kinds = rows[:0], counts[:0], kinds[:0]
                for kind, block, numbers in found:
                    rows = np.append(rows, first_extra + len(extra_inputs))
                    counts, kinds = np.append(counts, 0), np.append(kinds, kind)
                    extra_inputs.append(block)
                    extra.append(numbers)
                sides[side].append(ItemSet(rows, counts.astype(np.float32), kinds))
        padding = np.zeros((1, INPUT_WIDTH), np.float32)
        blocks = [padding, inputs]
        if extra_inputs:
            blocks.append(self.table.content_map.inputs(np.stack(extra_inputs)))
        more = np.zeros((sum(map(len, blocks)), EXTRA_WIDTH), np.float32)
        if extra:
            more[first_extra:] = np.stack(extra)
        return *sides, torch.from_numpy(np.concatenate(blocks)), torch.from_numpy(more)

    def _groups(
        self, pairs: Sequence[Pair], side: int, config: TrainConfig, rng: np.random.Generator
    ) -> list[list[Group]]:
        """For each view what else is told of it: genres, audio, words of the playlist's title."""
        wanted = rng.random((len(pairs), 3)) < config.groups
        owners: list[tuple[int, int]] = []  # (view, kind), in the order of `genres`
        genres: list[dict[str, float]] = []
        extras: list[np.ndarray] = []
        out: list[list[Group]] = [[] for _ in pairs]
        for at, pair in enumerate(pairs):
            rows, counts = pair.rows[side], pair.plays[side]
            if wanted[at, 0] and (found := self._genres(rows, counts)):
                owners.append((at, GENRE_GROUP))
                genres.append(found)
                extras.append(np.zeros(EXTRA_WIDTH, np.float32))
            if wanted[at, 1] and (audio := self._audio(rows, counts)) is not None:
                out[at].append((AUDIO_GROUP, *audio))
            if wanted[at, 2] and self.titles[pair.listener]:
                share = counts / counts.sum()
                owners.append((at, PLAYLIST_GROUP))
                genres.append(self.titles[pair.listener])
                extras.append(playlist_extra([int(counts.sum())], [float(share @ share)]))
        blocks = content_block(self.world.space, genres=genres)
        for (at, kind), block, extra in zip(owners, blocks, extras, strict=True):
            out[at].append((kind, block, extra))
        return out

    def _genres(self, rows: np.ndarray, counts: np.ndarray) -> dict[str, float]:
        genres: dict[str, float] = {}
        for row, weight in zip(rows, np.log1p(counts), strict=True):
            for word in self.world.genres[row]:
                genres[word] = genres.get(word, 0.0) + float(weight)
        return genres

    def _audio(self, rows: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        known = np.isfinite(self.audio[rows]).all(1)
        if known.sum() < 3:
            return None
        values, weight = self.audio[rows[known]], np.log1p(counts[known])[:, None]
        weight = weight / weight.sum()
        mean = (values * weight).sum(0)
        spread = np.sqrt((np.square(values - mean) * weight).sum(0))
        block = content_block(self.world.space, audio=np.append(mean, np.nan)[None, :])[0]
        return block, audio_extra(spread, self.world.space)


def threshold(config: TrainConfig, rng: np.random.Generator) -> int:
    """How many listeners an artist needs to count in a step, 0 half the time."""
    if rng.random() < 0.5 and config.thresholds:
        return int(rng.choice(config.thresholds))
    return 0


class Step(nn.Module):
    """A batch's way through both towers as one call, which is what processes can share.

    A scale that the loss doesn't read is not learned: processes would wait for its gradient.
    """

    def __init__(self, model: TwoTower, loss: losses.Name = "softmax") -> None:
        super().__init__()
        self.model = model
        model.log_scale.requires_grad_(loss in losses.SCALED)

    def forward(
        self, inputs: Tensor, extra: Tensor, users: ProfileBatch, candidates: ProfileBatch
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Unit vectors (B, D) of both sides, and the scale of their products."""
        model, items = self.model, self.model.encoder(inputs, extra)
        return model.user(items, users), model.candidate(items, candidates), model.log_scale.exp()


Tables = tuple[np.ndarray, Table, list[Table]]  # each listener's fold, the whole, one a fold


def tables_for(
    world: World,
    config: TrainConfig,
    *,
    onto: Onto | None = None,
    ranks: Ranks = ALONE,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Tables:
    """The folds of a training and their tables: the same for each that has this seed.

    Several `ranks` share the jobs out, and hand their outcome over through `folder`.
    """
    fold, seed = folds_of(world.source, config.folds, seed=config.seed), config.seed
    folder = folder or Path(tempfile.gettempdir())
    jobs = factor_jobs(world, fold, seed=seed, progress=progress)
    shares = ranks.of_each(lambda: [solve() for solve in jobs[ranks.rank :: ranks.count]], folder)

    def whole() -> Tables:
        solved = [shares[job % ranks.count][job // ranks.count] for job in range(len(jobs))]
        return fold, *tables_of(world, fold, solved, seed=seed, onto=onto)

    return ranks.of_first(whole, folder)


def together(batches: Sequence[Drawn]) -> Drawn:
    """Views of several folds as one batch; each keeps the artists of its own table."""
    if len(batches) == 1:
        return batches[0]
    sides: tuple[list[ItemSet], list[ItemSet]] = ([], [])
    first = 0
    for users, candidates, inputs, _ in batches:
        for side, sets in zip(sides, (users, candidates), strict=True):
            side.extend(replace(each, rows=each.rows + first) for each in sets)
        first += len(inputs)
    return *sides, torch.cat([b[2] for b in batches]), torch.cat([b[3] for b in batches])


def train(
    world: World,
    *,
    titles: Sequence[dict[str, float]] | None = None,
    model_config: ModelConfig | None = None,
    config: TrainConfig | None = None,
    tables: Tables | None = None,
    start: TwoTower | None = None,
    resume: Path | None = None,
    ranks: Ranks = ALONE,
    on_record: Callable[[Record], None] | None = None,
    progress: Progress | None = None,
) -> tuple[TwoTower, Table, History]:
    """A trained model, the table to use it with, and how the training went.

    `titles` holds, per listener, the genre words of the playlist titles; `tables` what
    `tables_for` gives for this world, folds and seed, where it is at hand; `start` a model to go on
    from, whose config is then kept, with tables in the basis that it knows; `resume` is a file in
    which the state is kept every hundred steps, and from which an interrupted training goes on to
    the very same result; one that is damaged or of other data is begun anew.

    Each of several `ranks` draws an even part of every batch from listeners of its own, and the
    others' vectors are its negatives too. All must be given the same world and tables.
    """
    config = config or TrainConfig()
    model_config = model_config or (ModelConfig() if start is None else start.config)
    titles = titles if titles is not None else [{}] * world.plays.shape[0]
    torch.manual_seed(config.seed)
    tell = progress or (lambda share, text: None)
    fold, whole, parts = tables or tables_for(world, config)
    if not config.cross_fit:
        parts = [whole] * config.folds
    views = [Views(world, table, titles) for table in parts]
    model = TwoTower(model_config)
    if start is None:
        model.start_from(torch.from_numpy(whole.prior))
    else:
        model.load_state_dict(start.state_dict())
    optimiser = torch.optim.AdamW(_parameter_groups(model, config.decay), lr=config.rate)
    average = {name: p.detach().clone() for name, p in model.named_parameters()}
    history, first = History(), 0
    begun = None if start is None else _digest_of(start)
    key = json.dumps([asdict(config), asdict(model_config), _digest(world, titles), begun])
    if resume is not None and resume.exists():
        first, history.records = _restore(resume, key, model, optimiser, average)
    ranks.agree(first)
    run = ranks.wrapped(Step(model, config.loss))
    playlists = np.char.startswith(world.source.astype(str), "mpd")
    model.train()
    for step in range(first, config.steps):
        rng = np.random.default_rng([config.seed, 2, step])
        own = rng if ranks.count == 1 else np.random.default_rng([config.seed, 2, step, ranks.rank])
        torch.manual_seed((config.seed * 1_000_003 + step) * ranks.count + ranks.rank)
        on_playlists = bool(playlists.any()) and (
            playlists.all() or rng.random() < config.playlist_steps
        )
        if config.in_fold:
            drawn = [int(rng.integers(config.folds))]
        else:
            drawn = list(range(config.folds))
        batches = []
        for f in drawn:
            members = np.flatnonzero((fold == f) & (playlists == on_playlists))
            if len(members) < FEWEST_PAIRS:  # few playlists: the others of the fold
                members = np.flatnonzero((fold == f) & (playlists != on_playlists))
            members = members[ranks.rank :: ranks.count]
            most = config.batch // len(drawn) // ranks.count
            if len(members) > most:
                members = own.choice(members, most, replace=False)
            batches.append(views[f].draw(members, config, own, least=threshold(config, rng)))
        user_sets, candidate_sets, inputs, extra = together(batches)
        sizes = ranks.sizes(len(user_sets))
        if min(sizes) < FEWEST_PAIRS:
            continue
        for group in optimiser.param_groups:
            group["lr"] = config.rate * _schedule(step, config)
        relative = model_config.relative_plays
        sides = [collate(sets, relative=relative) for sets in (user_sets, candidate_sets)]
        users, candidates, scale = run(inputs, extra, *sides)
        users, candidates = ranks.gathered(users, sizes), ranks.gathered(candidates, sizes)
        loss = losses.BY_NAME[config.loss](users, candidates, scale=ranks.once(scale))
        optimiser.zero_grad()
        (loss * ranks.count).backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        if not torch.isfinite(norm):  # one bad step would spoil every weight
            continue
        optimiser.step()
        with torch.no_grad():
            model.log_scale.clamp_(max=float(np.log(config.largest_scale)))
            for name, parameter in model.named_parameters():
                average[name].lerp_(parameter, 1 - config.ema)
        due = RECORD_EVERY * (len(history.records) + 1)
        if step + 1 >= min(due, config.steps):
            with torch.no_grad():
                record = Record(
                    step + 1,
                    loss.item(),
                    model.log_scale.exp().item(),
                    losses.alignment(users, candidates).item(),
                    losses.uniformity(candidates).item(),
                )
            history.records.append(record)
            tell(
                record.step / config.steps,
                f"step {record.step} of {config.steps}, loss {record.loss:.3f}",
            )
            if on_record is not None:
                on_record(record)
        if resume is not None and ranks.first and (step + 1) % KEEP_EVERY == 0:
            _keep(resume, key, step + 1, model, optimiser, average, history)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(average[name])
    return model.eval(), whole, history


def playlist_titles(world: World, profiles: Sequence[Profile]) -> list[dict[str, float]]:
    """Per listener, the genre words found in the titles of their playlists."""
    words = world.space.genre_set
    return [title_genres((p.name for p in profile.playlists), words) for profile in profiles]


def _schedule(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then a cosine to zero."""
    warm = max(1, int(config.steps * config.warm_up))
    if step < warm:
        return (step + 1) / warm
    return float(0.5 * (1 + np.cos(np.pi * (step - warm) / max(1, config.steps - warm))))


def _parameter_groups(model: TwoTower, decay: float) -> list[dict[str, object]]:
    """Decay for the matrices of networks; none for priors, turns, biases and scalars."""
    free: list[Tensor] = []
    decayed: list[Tensor] = []
    for name, parameter in model.named_parameters():
        plain = parameter.ndim < 2 or name.endswith(("root", "turn"))
        (free if plain else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": decay}, {"params": free, "weight_decay": 0.0}]


def _keep(
    path: Path,
    key: str,
    step: int,
    model: TwoTower,
    optimiser: torch.optim.Optimizer,
    average: Mapping[str, Tensor],
    history: History,
) -> None:
    tensors = {f"now.{n}": p.detach().contiguous() for n, p in model.named_parameters()}
    tensors |= {f"average.{n}": p.contiguous() for n, p in average.items()}
    for n, p in model.named_parameters():
        for part, value in optimiser.state[p].items():
            tensors[f"adam.{part}.{n}"] = value.detach().clone().contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".part")
    records = json.dumps([asdict(record) for record in history.records])
    save_file(tensors, fresh, metadata={"step": str(step), "key": key, "records": records})
    os.replace(fresh, path)


def _restore(
    path: Path,
    key: str,
    model: TwoTower,
    optimiser: torch.optim.Optimizer,
    average: Mapping[str, Tensor],
) -> tuple[int, list[Record]]:
    """Step to go on from and records up to it; (0, []) where the file is of another training."""
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
        if about.get("key") != key:
            return 0, []
        tensors = load_file(path)
    except (OSError, SafetensorError):
        logger.warning("%s is damaged: training begins anew", path.name)
        return 0, []
    with torch.no_grad():
        for n, p in model.named_parameters():
            p.copy_(tensors[f"now.{n}"])
            average[n].copy_(tensors[f"average.{n}"])
            optimiser.state[p] = {
                part: tensors[f"adam.{part}.{n}"]
                for part in ("step", "exp_avg", "exp_avg_sq")
                if f"adam.{part}.{n}" in tensors
            }
    return int(about["step"]), [Record(**record) for record in json.loads(about["records"])]


def _digest_of(model: TwoTower) -> str:
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _digest(world: World, titles: Sequence[Mapping[str, float]]) -> str:
    """What tells one set of training data from another."""
    digest = hashlib.sha256(json.dumps([world.keys, world.tags, list(titles)]).encode())
    plays = world.plays
    for array in (plays.indptr, plays.indices, plays.data, world.static, world.taggings):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
