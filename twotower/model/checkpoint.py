"""Checkpoint of a training: saved while it runs, so that an interrupted one can continue."""

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from twotower.model.artist_features import TrainingData
from twotower.model.towers import TwoTower

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """Loss and measures of one training step."""

    step: int
    loss: float
    scale: float  # 1 / temperature
    alignment: float
    uniformity: float


@dataclass
class TrainingState:
    """Everything that changes while a model is trained."""

    model: TwoTower
    optimiser: torch.optim.Optimizer
    average: dict[str, Tensor]  # moving average of each parameter
    step: int = 0  # steps done
    records: list[Record] = field(default_factory=list)


def save_checkpoint(path: Path, key: str, state: TrainingState) -> None:
    """Write the state to a safetensors file; `key` names the training it belongs to.

    The file is replaced as a whole.
    """
    parameters = dict(state.model.named_parameters())
    tensors = {f"now.{n}": p.detach().contiguous() for n, p in parameters.items()}
    tensors |= {f"average.{n}": p.contiguous() for n, p in state.average.items()}
    for n, p in parameters.items():
        for part, value in state.optimiser.state[p].items():
            tensors[f"adam.{part}.{n}"] = value.detach().clone().contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".part")
    records = json.dumps([asdict(record) for record in state.records])
    save_file(tensors, fresh, metadata={"step": str(state.step), "key": key, "records": records})
    os.replace(fresh, path)


def load_checkpoint(path: Path, key: str, state: TrainingState) -> None:
    """Restore the state from a file; leave it as it is if the file is absent, damaged or foreign.

    A file is foreign if its key differs: it belongs to a training with other data or settings.
    """
    if not path.exists():
        return
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
        if about.get("key") != key:
            return
        tensors = load_file(path)
    except (OSError, SafetensorError):
        logger.warning("checkpoint %s is damaged: training starts from the beginning", path.name)
        return
    with torch.no_grad():
        for n, p in state.model.named_parameters():
            p.copy_(tensors[f"now.{n}"])
            state.average[n].copy_(tensors[f"average.{n}"])
            state.optimiser.state[p] = {
                part: tensors[f"adam.{part}.{n}"]
                for part in ("step", "exp_avg", "exp_avg_sq")
                if f"adam.{part}.{n}" in tensors
            }
    state.step = int(about["step"])
    state.records = [Record(**record) for record in json.loads(about["records"])]


def digest_of_model(model: TwoTower) -> str:
    """Return the sha256 of a model's weights."""
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def digest_of_data(data: TrainingData, titles: Sequence[Mapping[str, float]]) -> str:
    """Return the sha256 of training data."""
    digest = hashlib.sha256(json.dumps([data.keys, data.tags, list(titles)]).encode())
    plays = data.plays
    for array in (plays.indptr, plays.indices, plays.data, data.static, data.taggings, data.group):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
