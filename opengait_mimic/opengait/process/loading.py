"""A loader that notices when one of its processes was killed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator

from torch.utils.data import DataLoader

SETTINGS = ("num_workers", "collate_fn", "pin_memory", "timeout", "worker_init_fn", "multiprocessing_context",
            "prefetch_factor", "persistent_workers")  # fmt: skip


class WatchedLoader(DataLoader):
    """PyTorch's loader; its processes are looked after before each batch.

    PyTorch itself says so by an exception out of a signal's handler. Where that comes while somebody catches whatever
    comes (a handler of `logging` does), it is lost, and a batch of which a part was already sent is waited for without
    end.
    """

    @classmethod
    def like(cls, loader: DataLoader, dataset, batch_sampler: Iterable) -> WatchedLoader:
        """Of another data set and its batches, as `loader` loads its own."""
        return cls(dataset, batch_sampler=batch_sampler, **{name: getattr(loader, name) for name in SETTINGS})

    def __iter__(self) -> Iterator:  # type: ignore[override]
        """The batches.

        Raises:
            RuntimeError: "DataLoader worker (pid …) …", as PyTorch itself says it.
        """
        others = multiprocessing.active_children()
        batches = super().__iter__()
        workers = [process for process in multiprocessing.active_children() if process not in others]
        while True:
            for worker in workers:
                if worker.exitcode:
                    raise RuntimeError(f"DataLoader worker (pid {worker.pid}) ended with status {worker.exitcode}")
            try:
                batch = next(batches)
            except StopIteration:
                return
            yield batch
