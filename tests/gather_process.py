"""A small data-parallel run of several processes, started by test_losses.py: their number, and a folder."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from opengait_mimic.losses.functional import mickd
from opengait_mimic.losses.gather import gather, world_size


def run(rank: int, processes: int, folder: Path) -> None:
    """Compute loss and gradient of this process's share of the batch in `folder`, and leave them there."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=processes)
    clips, teacher, labels, weight = torch.load(folder / "batch.pt", weights_only=True)
    weight.requires_grad_()
    own = slice(rank, None, processes)  # as OpenGait's sampler deals a batch out
    loss = mickd(gather(clips[own] @ weight.T), gather(teacher[own]), gather(labels[own]))
    (loss * world_size()).backward()
    dist.all_reduce(weight.grad)
    gradient = weight.grad / processes  # the mean over the processes, as DDP takes it
    order = gather(torch.arange(len(clips))[own])
    torch.save((loss.detach(), gradient, order), folder / f"rank{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    count, folder = int(sys.argv[1]), Path(sys.argv[2])
    fork = multiprocessing.get_context("fork")  # PyTorch is imported once
    ranks = [fork.Process(target=run, args=(rank, count, folder)) for rank in range(count)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join()
    sys.exit(max(abs(process.exitcode) for process in ranks))
