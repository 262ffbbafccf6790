"""Hyper-parameters of training."""

from dataclasses import asdict, dataclass
from typing import Any

from twotower.model import losses

# Field -> its key in files, where the two differ.
STORED_KEYS = {
    "min_df_choices": "thresholds",
    "tower_swap": "swap",
    "mask_plays": "no_plays",
    "id_dropout": "hide_identity",
}


@dataclass(frozen=True)
class TrainConfig:
    """Hyper-parameters of training; the defaults are those of the shipped model."""

    steps: int = 1200
    batch: int = 384  # listeners of a step, in all processes; of one fold and one kind
    folds: int = 4
    rate: float = 2e-3
    decay: float = 0.02  # weight decay, on matrices of the networks only
    warm_up: float = 0.1  # share of the steps
    clip: float = 1.0  # norm of the gradient
    ema: float = 0.98  # of the averaged weights, per step
    largest_scale: float = 60.0  # 1 / temperature
    longest_view: int = 48  # artists
    min_df_choices: tuple[int, ...] = (3, 5, 10, 20, 40, 80)  # minimum listeners of an artist
    tower_swap: float = 0.5  # share of pairs whose views change towers
    mask_plays: float = 0.3  # share of pairs with plays masked in one or both views
    id_dropout: float = 0.15  # share of artists whose identity is hidden in a step
    groups: float = 0.15  # share of views that get each group
    groups_alone: float = 0.2  # share of user views with groups that lose their artists
    # Shares of the steps on each kind of profile; those of kinds that are missing go to the others.
    listener_steps: float = 0.45
    playlist_steps: float = 0.2
    list_steps: float = 0.25  # lists of 2018 to 2026
    chart_steps: float = 0.1
    seed: int = 0
    # Variants for the ablation:
    loss: losses.Name = "softmax"
    cross_fit: bool = True  # features of the listener's fold, else of all listeners
    in_fold: bool = True  # a batch comes from one fold, else from all

    def to_dict(self) -> dict[str, Any]:
        """Return the hyper-parameters under the keys that models, reports and checkpoints use."""
        return {STORED_KEYS.get(name, name): value for name, value in asdict(self).items()}
