"""Processes that train together, started by `torchrun`: gather, broadcast, shared gradients.

Process 0 reports and writes files. Without `torchrun` there is one process, `SINGLE_PROCESS`, for
which every method returns at once.
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

STEP_TIMEOUT = timedelta(minutes=10)  # for one training step
LONG_TIMEOUT = timedelta(days=7)  # for work of process 0 alone: features of many listeners
FAILED = 2  # exit code of processes that end because another one reported an error
ALIGNMENT = 64  # bytes
T = TypeVar("T")


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train together, and the number of this one."""

    rank: int = 0
    count: int = 1
    patient: Any = None  # torch group with the long timeout

    @property
    def is_first(self) -> bool:
        """True in process 0."""
        return self.rank == 0

    def data_parallel(self, step: nn.Module) -> nn.Module:
        """Return the module with gradients averaged over all processes.

        Keep a reference to it until `backward` is done. Every parameter that requires a gradient
        must get one in every step, for all processes wait for it.
        """
        return step if self.count == 1 else DistributedDataParallel(step)

    def row_counts(self, rows: int) -> tuple[int, ...]:
        """Return how many rows each process has, by rank; this one has `rows`."""
        if self.count == 1:
            return (rows,)
        counts = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        dist.all_gather(counts, torch.tensor([rows]))
        return tuple(int(each) for each in counts)

    def all_gather(self, vectors: Tensor, counts: Sequence[int]) -> Tensor:
        """Return (sum of counts, D) the rows of all processes, by rank.

        Gradients flow to the local rows only. A loss of all rows times `count`, averaged over the
        processes, has the gradient that one process with all rows would have: each process adds
        the part of its own rows.
        """
        if self.count == 1:
            return vectors
        padded = vectors.new_zeros(max(counts), vectors.shape[1])
        padded[: len(vectors)] = vectors.detach()
        gathered = [torch.empty_like(padded) for _ in range(self.count)]
        dist.all_gather(gathered, padded)
        parts = [part[:rows] for part, rows in zip(gathered, counts, strict=True)]
        parts[self.rank] = vectors
        return torch.cat(parts)

    def average_gradient(self, parameter: Tensor) -> Tensor:
        """Return a parameter with its gradient divided by the number of processes.

        For a parameter that the loss of every process reads: its gradient then counts once.
        """
        if self.count > 1 and parameter.requires_grad:
            parameter.register_hook(lambda slope: slope / self.count)  # type: ignore[no-untyped-call]
        return parameter

    def assert_equal(self, value: T) -> T:
        """Return the value if all processes have the same; else raise LostProcess."""
        if self.count == 1:
            return value
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value)
        if any(other != value for other in values):
            raise LostProcess(
                f"the processes are at different steps ({', '.join(map(str, values))}). All of "
                "them must see the same files: name a folder that every machine shares"
            )
        return value

    def gather(self, make: Callable[[], T], folder: Path) -> list[T]:
        """Call `make` in every process; return all results in process 0, by rank, [] elsewhere.

        If `make` fails in a process, its error is raised there and the others exit. Arrays travel
        through files in `folder`, which all processes must see.
        """
        if self.count == 1:
            return [make()]
        sent = _write_shared(self._make_or_exit(make, everywhere=True), folder)
        received: list[Any] = [None] * self.count
        dist.all_gather_object(received, sent, group=self.patient)
        values = [_read_shared(each) for each in received] if self.is_first else []
        self._barrier()
        sent.path.unlink()
        return values

    def broadcast_from_first(self, make: Callable[[], T], folder: Path) -> T:
        """Call `make` in process 0; return its result in all processes.

        Arrays are memory-mapped from a file in `folder`, so a machine holds them once. The file is
        deleted when all processes have mapped it.
        """
        if self.count == 1:
            return make()
        value = self._make_or_exit(make, everywhere=False)
        sent = [_write_shared(value, folder) if self.is_first else None]
        del value
        dist.broadcast_object_list(sent, src=0, group=self.patient)
        assert sent[0] is not None
        shared: T = _read_shared(sent[0])
        self._barrier()
        if self.is_first:
            sent[0].path.unlink()
        return shared

    def run_in_first(self, make: Callable[[], T]) -> T | None:
        """Call `make` in process 0 and return its result there; if it fails, all exit."""
        return make() if self.count == 1 else self._make_or_exit(make, everywhere=False)

    def barrier(self) -> None:
        """Wait until all processes get here. Raises LostProcess if one is gone."""
        if self.count > 1:
            self._barrier()

    def _barrier(self) -> None:
        dist.barrier(group=self.patient)

    def _make_or_exit(self, make: Callable[[], T], *, everywhere: bool) -> T | None:
        value, failure = None, None
        if everywhere or self.is_first:
            try:
                value = make()
            except Exception as error:  # raised below, after the others know
                failure = error
        failed: list[Any] = [None] * self.count
        dist.all_gather_object(failed, failure is not None, group=self.patient)
        if failure is not None:
            raise failure
        if any(failed):
            raise SystemExit(FAILED)
        return value


SINGLE_PROCESS = ProcessGroup()


@contextmanager
def process_group_from_env() -> Iterator[ProcessGroup]:
    """Yield the processes that `torchrun` started, or `SINGLE_PROCESS`.

    Raises LostProcess if one of them ends: the others can't go on without it.
    """
    several = os.environ.get("WORLD_SIZE", "1") != "1"
    if not several or "RANK" not in os.environ or "MASTER_ADDR" not in os.environ:
        yield SINGLE_PROCESS
        return
    dist.init_process_group("gloo", timeout=STEP_TIMEOUT)
    rank, count = dist.get_rank(), dist.get_world_size()
    before = signal.signal(signal.SIGTERM, _on_sigterm)  # torchrun sends it if another is gone
    try:
        yield ProcessGroup(rank, count, dist.new_group(timeout=LONG_TIMEOUT))
    except RuntimeError as error:
        if not _is_connection_error(error):
            raise
        raise LostProcess(_LOST) from error
    finally:
        signal.signal(signal.SIGTERM, before)
        dist.destroy_process_group()


_LOST = (
    "another process of this command ended early. Start the same command again: training continues "
    "from the last checkpoint"
)


def _on_sigterm(number: int, frame: object) -> None:
    raise LostProcess(_LOST)


def _is_connection_error(error: RuntimeError) -> bool:
    words = str(error).lower()
    return isinstance(error, dist.DistError) or any(
        word in words for word in ("gloo", "closed by peer", "reset by peer", "timed out")
    )


@dataclass(frozen=True)
class _Shared:
    """A value in two parts: a pickle without arrays, and a file with the arrays."""

    pickled: bytes
    path: Path
    sizes: tuple[int, ...]  # bytes of each array


def _write_shared(value: object, folder: Path) -> _Shared:
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".shared-")
    sizes = []
    with os.fdopen(handle, "wb") as file:
        for buffer in buffers:
            raw = buffer.raw()
            sizes.append(raw.nbytes)
            file.write(raw)
            file.write(b"\0" * (-raw.nbytes % ALIGNMENT))
        if not file.tell():
            file.write(b"\0")  # an empty file can't be mapped
    return _Shared(pickled, Path(name), tuple(sizes))


def _read_shared(shared: _Shared) -> Any:
    """Return the value; its arrays are pages of the file, copied on the first write."""
    with shared.path.open("rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    parts, at = [], 0
    for size in shared.sizes:
        parts.append(whole[at : at + size])
        at += size + -size % ALIGNMENT
    return pickle.loads(shared.pickled, buffers=parts)
