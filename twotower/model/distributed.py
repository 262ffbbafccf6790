"""Processes that train together: what each knows of the others, and how they hand things over.

`torchrun` starts them. Process 0 is the one that speaks and writes; alone, it is the only one.
"""

import mmap
import os
import pickle
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from twotower.core.errors import LostProcess

STEP_TIMEOUT = timedelta(minutes=10)  # for one step of the others
LONG_TIMEOUT = timedelta(days=7)  # for what process 0 makes alone: tables of many listeners
FAILED = 2  # exit code of those that end because another one has told what is wrong
ALIGNED = 64  # bytes
T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """How many processes train together, and which of them this is."""

    rank: int = 0
    count: int = 1
    waiting: Any = None  # the group in which one may wait for long

    @property
    def first(self) -> bool:
        return self.rank == 0

    def wrapped(self, step: nn.Module) -> nn.Module:
        """The module whose gradients are, after `backward`, the means over all processes.

        Hold on to it until then: what it was made of knows nothing of the others. Each parameter
        that asks for a gradient must get one in every step, for it is waited for.
        """
        return step if self.count == 1 else DistributedDataParallel(step)

    def sizes(self, rows: int) -> tuple[int, ...]:
        """How many rows each process has."""
        if self.count == 1:
            return (rows,)
        found = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        dist.all_gather(found, torch.tensor([rows]))
        return tuple(int(each) for each in found)

    def gathered(self, vectors: Tensor, sizes: Sequence[int]) -> Tensor:
        """(sum of sizes, D): the rows of all, in order of rank; gradients flow into the own ones.

        A loss of all these rows, times `count`, has after the mean over the processes the gradient
        that one process with all the views would have: each adds what its own rows are due.
        """
        if self.count == 1:
            return vectors
        padded = vectors.new_zeros(max(sizes), vectors.shape[1])
        padded[: len(vectors)] = vectors.detach()
        found = [torch.empty_like(padded) for _ in range(self.count)]
        dist.all_gather(found, padded)
        parts = [part[:size] for part, size in zip(found, sizes, strict=True)]
        parts[self.rank] = vectors
        return torch.cat(parts)

    def once(self, number: Tensor) -> Tensor:
        """A parameter that the loss reads in every process: its gradient is counted once."""
        if self.count > 1 and number.requires_grad:
            number.register_hook(lambda slope: slope / self.count)  # type: ignore[no-untyped-call]
        return number

    def agree(self, value: T) -> T:
        """The value, where all have the same; else LostProcess, for some have lost their file."""
        if self.count == 1:
            return value
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, value)
        if any(other != value for other in found):
            raise LostProcess(
                f"the processes stand at different steps ({', '.join(map(str, found))}): all of "
                "them must see the same files, so name a folder that every machine shares"
            )
        return value

    def of_each(self, make: Callable[[], T], folder: Path) -> list[T]:
        """What each process makes of its share: process 0 gets all, in order of rank; others [].

        Where one fails it says why, and the others end.
        """
        if self.count == 1:
            return [make()]
        told = _put(self._made(make, all_make=True), folder)
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, told, group=self.waiting)
        values = [_get(each) for each in found] if self.first else []
        self._wait()
        told[1].unlink()
        return values

    def of_first(self, make: Callable[[], T], folder: Path) -> T:
        """What process 0 makes, in all: arrays stand in memory once a machine, however many read.

        They go through a file in `folder`, which all must see; it is gone when all have mapped it.
        """
        if self.count == 1:
            return make()
        value = self._made(make, all_make=False)
        told = [_put(value, folder) if self.first else None]
        del value
        dist.broadcast_object_list(told, src=0, group=self.waiting)
        assert told[0] is not None
        shared: T = _get(told[0])
        self._wait()
        if self.first:
            told[0][1].unlink()
        return shared

    def at_first(self, make: Callable[[], T]) -> T | None:
        """What process 0 makes, for itself alone; where it fails, all end."""
        return make() if self.count == 1 else self._made(make, all_make=False)

    def wait(self) -> None:
        """Until all have come as far; where one is gone, LostProcess."""
        if self.count > 1:
            self._wait()

    def _wait(self) -> None:
        dist.barrier(group=self.waiting)

    def _made(self, make: Callable[[], T], *, all_make: bool) -> T | None:
        value, failure = None, None
        if all_make or self.first:
            try:
                value = make()
            except Exception as error:
                failure = error
        failed: list[Any] = [None] * self.count
        dist.all_gather_object(failed, failure is not None, group=self.waiting)
        if failure is not None:
            raise failure
        if any(failed):
            raise SystemExit(FAILED)
        return value


ALONE = Ranks()


@contextmanager
def ranks_from_env() -> Iterator[Ranks]:
    """The processes that `torchrun` started, or this one alone.

    LostProcess where one of them is gone: the others can't go on without it.
    """
    together = os.environ.get("WORLD_SIZE", "1") != "1"
    if not together or "RANK" not in os.environ or "MASTER_ADDR" not in os.environ:
        yield ALONE
        return
    dist.init_process_group("gloo", timeout=STEP_TIMEOUT)
    rank, count = dist.get_rank(), dist.get_world_size()
    before = signal.signal(signal.SIGTERM, _ended)  # torchrun's word that another is gone
    try:
        yield Ranks(rank, count, dist.new_group(timeout=LONG_TIMEOUT))
    except RuntimeError as error:
        if not _is_of_the_others(error):
            raise
        raise LostProcess(_GONE) from error
    finally:
        signal.signal(signal.SIGTERM, before)
        dist.destroy_process_group()


_GONE = (
    "another of the processes that work together is gone: start the same command again, a training "
    "goes on from the last state that was kept"
)


def _ended(number: int, frame: object) -> None:
    raise LostProcess(_GONE)


def _is_of_the_others(error: RuntimeError) -> bool:
    words = str(error).lower()
    return isinstance(error, dist.DistError) or any(
        word in words for word in ("gloo", "closed by peer", "reset by peer", "timed out")
    )


Told = tuple[bytes, Path, tuple[int, ...]]  # the value without its arrays, their file, their sizes


def _put(value: object, folder: Path) -> Told:
    """The value in two parts: what is told through the group, and the numbers, in a file."""
    buffers: list[pickle.PickleBuffer] = []
    told = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".shared-")
    sizes = []
    with os.fdopen(handle, "wb") as file:
        for buffer in buffers:
            raw = buffer.raw()
            sizes.append(raw.nbytes)
            file.write(raw)
            file.write(b"\0" * (-raw.nbytes % ALIGNED))
        if not file.tell():
            file.write(b"\0")  # an empty file can't be mapped
    return told, Path(name), tuple(sizes)


def _get(told: Told) -> Any:
    """What `_put` was given; its arrays are pages of the file, copied where they are written to."""
    text, path, sizes = told
    with path.open("rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    parts, at = [], 0
    for size in sizes:
        parts.append(whole[at : at + size])
        at += size + -size % ALIGNED
    return pickle.loads(text, buffers=parts)
