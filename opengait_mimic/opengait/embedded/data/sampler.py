"""Which sequences make a batch, the same on every process, each of which takes its share."""

from __future__ import annotations

import random

import torch
import torch.distributed as dist
import utils
from torch.utils import data


def _choose(population: list, count: int) -> list:
    """`count` of them at random, each once, or with repetition where there are too few."""
    if len(population) >= count:
        return random.sample(population, count)
    return random.choices(population, k=count)


def _from_rank_zero(indices: list[int]) -> list[int]:
    """Rank 0's list on every rank."""
    if utils.get_world_size() == 1:
        return indices
    shared = utils.list2var(indices, dtype=torch.int64)
    dist.broadcast(shared, src=0)
    return shared.tolist()


class TripletSampler(data.Sampler):
    """Endless batches of P identities with K sequences each, drawn from python's generator of rank 0.

    Args:
        dataset: has label_set and indices_dict.
        batch_size: [P, K].
        batch_shuffle: also shuffle the batch before it is dealt out to the processes.
    """

    def __init__(self, dataset, batch_size: list[int], batch_shuffle: bool = False):
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffled = batch_shuffle
        self.rank, self.world_size = utils.get_rank(), utils.get_world_size()

    def __iter__(self):
        identities, sequences = self.batch_size
        while True:
            batch = [
                index
                for label in _choose(self.dataset.label_set, identities)
                for index in _choose(self.dataset.indices_dict[label], sequences)
            ]
            if self.shuffled:
                random.shuffle(batch)
            yield _from_rank_zero(batch)[self.rank :: self.world_size]


class InferenceSampler(data.Sampler):
    """Every sequence in order, once, the last batch filled up from the beginning.

    Args:
        dataset: its length is the number of sequences.
        batch_size: sequences per batch, over all processes.
    """

    def __init__(self, dataset, batch_size: int):
        self.batch_size = batch_size
        self.rank, self.world_size = utils.get_rank(), utils.get_world_size()
        size = len(dataset)
        starts = range(0, size, batch_size)
        self.batches = [[i % size for i in range(first, first + batch_size)] for first in starts]

    def __iter__(self):
        for batch in self.batches:
            yield batch[self.rank :: self.world_size]

    def __len__(self) -> int:
        return len(self.batches)
