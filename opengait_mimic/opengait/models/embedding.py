"""Embedding a whole data set: loaded once, through several networks and occlusions in the same pass over it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist

from opengait_mimic.data import progress
from opengait_mimic.method.occlusion import Mixture
from opengait_mimic.opengait.models.tensorboard import Speed
from opengait_mimic.opengait.process.distributed import rank, world_size
from opengait_mimic.opengait.process.loading import WatchedLoader

KEPT_AT_ONCE = 2**32  # bytes of embeddings a process holds; more of them share several loads of the data set


class Condition(NamedTuple):
    """One way to embed every clip of a data set.

    Attributes:
        network: takes the inputs of our models' forward, gives features by name, each [n, …].
        mixture: what occludes the clips, None leaves them holistic.
        seed: of their occlusion.
        clips: (label, type, view) of those that are wanted; None: all.
    """

    network: Callable[[tuple], dict[str, torch.Tensor]]
    mixture: Mixture | None = None
    seed: int = 0
    clips: frozenset[tuple[str, str, str]] | None = None


class Embeddings(NamedTuple):
    """A data set embedded in one condition, on the first process.

    Attributes:
        names: [n, 3] label, type and view of every clip, sorted.
        features: [n, …] by name, with the occlusion's "drawn_kind" and "drawn_amount".
    """

    names: np.ndarray
    features: dict[str, np.ndarray]

    def among(self, names: np.ndarray) -> Embeddings:
        """The same with a row for each of `names` [m, 3], which are sorted and include its own; others are 0."""
        if len(names) == len(self.names):
            return self
        places = {tuple(name): i for i, name in enumerate(names.tolist())}
        rows = [places[tuple(name)] for name in self.names.tolist()]
        features = {k: np.zeros((len(names), *v.shape[1:]), v.dtype) for k, v in self.features.items()}
        for key, value in features.items():
            value[rows] = self.features[key]
        return Embeddings(names, features)


def embed_data_set(
    net, conditions: list[Condition], clip_bytes: int = 1, loader=None, what: str = "test"
) -> Iterator[Embeddings | None]:
    """Embed a data set in every condition; clips in canonical order, each once. It is loaded once for many.

    Neither the number of processes nor the order in which the loader gives its clips changes the outcome.

    Args:
        net: one of our models, in eval mode, with a test loader.
        conditions: how.
        clip_bytes: size of a clip's features.
        loader: of another set of clips than the test set.
        what: is done, in a word.
    Yields:
        The embeddings of each condition on the first process; None on the others.
    """
    loader = net.test_loader if loader is None else loader
    clips = -(-len(loader.dataset) // world_size())
    together = max(1, KEPT_AT_ONCE // (clips * clip_bytes))
    for first in range(0, len(conditions), together):
        yield from _embed(net, conditions[first : first + together], loader, what)


@torch.no_grad()
def _embed(net, conditions: list[Condition], loader, what: str) -> Iterator[Embeddings | None]:
    labels, speed = loader.dataset.label_set, Speed()
    names: list[list[tuple[str, str, str]]] = [[] for _ in conditions]
    features: list[dict[str, list[np.ndarray]]] = [defaultdict(list) for _ in conditions]
    speed.restart()
    with progress.bar(len(loader.dataset), what, "seq", first=rank() == 0) as bar:
        for inputs in WatchedLoader.like(loader, loader.dataset, loader.batch_sampler):
            batch = net.holistic_batch(inputs)
            here = list(zip((labels[i] for i in batch.labs.tolist()), batch.typs, batch.vies, strict=True))
            for condition, its_names, its_features in zip(conditions, names, features, strict=True):
                if condition.clips is not None and condition.clips.isdisjoint(here):
                    continue
                its_names += here
                occluded = batch.occluded_by_content(condition.mixture, condition.seed)
                with _half_precision(net, batch.sils.device):
                    found = condition.network(occluded)
                clips = occluded[0]
                for name, value in {**found, "drawn_kind": clips.kind, "drawn_amount": clips.amount}.items():
                    its_features[name].append((value.float() if value.is_floating_point() else value).cpu().numpy())
                speed.take(len(here))
            bar.update(min(world_size(), bar.total - bar.n))
    net.test_speed = speed.scalars("test_throughput")
    measured = ", ".join(f"{name.rpartition('/')[2]} {value:.1f}" for name, value in net.test_speed.items())
    net.msg_mgr.log_info(
        f"embedded {bar.total} clips, up to {len(conditions)} times each" + (measured and f": {measured}")
    )
    for its_names, its_features in zip(names, features, strict=True):
        yield _gathered(its_names, {name: np.concatenate(values) for name, values in its_features.items()})


def _half_precision(net, device: torch.device) -> torch.autocast:
    """Half precision on a device where the YAML asks for it; a CPU tests in full precision."""
    half = net.engine_cfg["enable_float16"] and device.type != "cpu"
    return torch.autocast(device.type, torch.float16 if half else torch.bfloat16, enabled=half)


def _gathered(names: list[tuple[str, str, str]], features: dict[str, np.ndarray]) -> Embeddings | None:
    """All processes' clips, sorted by name; those the sampler repeated to fill its last batch once."""
    parts: list = [(names, features)]
    if world_size() > 1:
        gathered = [None] * world_size() if rank() == 0 else None
        dist.gather_object((names, features), gathered)
        if gathered is None:
            return None
        parts = gathered
    parts = [part for part in parts if part[0]]  # a process may have had no clip of this condition
    joined = np.array([name for part, _ in parts for name in part])
    names, first = np.unique(joined, axis=0, return_index=True)
    return Embeddings(names, {k: np.concatenate([found[k] for _, found in parts])[first] for k in parts[0][1]})
