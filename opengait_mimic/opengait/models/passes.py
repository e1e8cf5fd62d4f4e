"""Takes of a whole data set through networks: loaded once, embedded occluded and whole in the same pass over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist

from opengait_mimic.data import progress
from opengait_mimic.method.occlusion import Mixture
from opengait_mimic.opengait.models.panels import Speed
from opengait_mimic.opengait.models.unfinished import Kept, Unfinished, left
from opengait_mimic.opengait.process.distributed import rank, world_size

KEPT_AT_ONCE = 2**32  # bytes of embeddings a process holds; more passes than fit share several loads of the data set


class Pass(NamedTuple):
    """One way to look at every clip of a data set.

    Attributes:
        network: takes the inputs of our models' forward, gives features by name, each [n, …].
        mixture: what occludes the clips, None leaves them whole. seed: of their occlusion.
        clips: (label, type, view) of those it is for; None: all.
    """

    network: Callable[[tuple], dict[str, torch.Tensor]]
    mixture: Mixture | None = None
    seed: int = 0
    clips: frozenset[tuple[str, str, str]] | None = None


class Seen(NamedTuple):
    """What one pass gave, on the first process.

    Attributes:
        names: [n, 3] label, type and view of every clip of the pass, sorted. features: [n, …] by name, with the
            occlusion's "drawn_kind" and "drawn_amount".
    """

    names: np.ndarray
    features: dict[str, np.ndarray]

    def among(self, names: np.ndarray) -> Seen:
        """The same with a row for each of `names` [m, 3], which are sorted and include its own; others are 0."""
        if len(names) == len(self.names):
            return self
        places = {tuple(name): i for i, name in enumerate(names.tolist())}
        rows = [places[tuple(name)] for name in self.names.tolist()]
        features = {k: np.zeros((len(names), *v.shape[1:]), v.dtype) for k, v in self.features.items()}
        for key, value in features.items():
            value[rows] = self.features[key]
        return Seen(names, features)


def look(
    net, passes: list[Pass], clip_bytes: int = 1, loader=None, where: Unfinished | None = None, what: str = "test"
) -> Iterator[Seen | None]:
    """Take a data set through every pass; clips in canonical order, each once. It is loaded once for many passes.

    Neither the number of processes nor the order in which the loader gives its clips changes what is seen.

    Args:
        net: one of our models, in eval mode, with a test loader. clip_bytes: size of a clip's features.
        loader: of another set of clips than the test set. where: keeps what an interruption must not lose.
        what: is done, in a word.
    Yields:
        For each pass what it saw, on the first process; None on the others.
    """
    loader = net.test_loader if loader is None else loader
    clips = -(-len(loader.dataset) // world_size())
    together = max(1, KEPT_AT_ONCE // (clips * clip_bytes))
    for first in range(0, len(passes), together):
        some = passes[first : first + together]
        about = [repr((one.mixture, one.seed, one.clips and sorted(one.clips))) for one in some]
        files = () if where is None else loader.dataset.seqs_info
        yield from _look(net, some, loader, Kept(where, f"{what}-{first}", files, about), what)


@torch.no_grad()
def _look(net, passes: list[Pass], loader, kept: Kept, what: str) -> Iterator[Seen | None]:
    labels, speed = loader.dataset.label_set, Speed()
    if kept.batches:
        net.msg_mgr.log_info(f"{what}: goes on after {kept.batches} batches that were seen before it was interrupted")
    speed.restart()
    with progress.bar(len(loader.dataset), what, "seq", first=rank() == 0) as bar, kept:
        bar.update(min(kept.batches * world_size(), bar.total))
        for inputs in left(loader, kept.batches):
            whole = net.whole(inputs)
            here = list(zip((labels[i] for i in whole.labs.tolist()), whole.typs, whole.vies, strict=True))
            for one, its_names, features in zip(passes, kept.names, kept.features, strict=True):
                if one.clips is not None and one.clips.isdisjoint(here):
                    continue
                its_names += here
                seen = whole.occluded_by_content(one.mixture, one.seed)
                with _half_precision(net, whole.sils.device):
                    found = one.network(seen)
                for name, value in {**found, "drawn_kind": seen[0].kind, "drawn_amount": seen[0].amount}.items():
                    features[name].append((value.float() if value.is_floating_point() else value).cpu().numpy())
                speed.take(len(here))
            kept.took()
            bar.update(min(world_size(), bar.total - bar.n))
    net.test_speed = speed.scalars("test_throughput")
    told = ", ".join(f"{name.rpartition('/')[2]} {value:.1f}" for name, value in net.test_speed.items())
    net.msg_mgr.log_info(f"embedded {bar.total} clips, up to {len(passes)} times each" + (told and f": {told}"))
    for its_names, features in zip(kept.names, kept.features, strict=True):
        yield _gathered(its_names, {name: np.concatenate(values) for name, values in features.items()})


def _half_precision(net, device: torch.device) -> torch.autocast:
    """Half precision on a device where the YAML asks for it; a CPU tests in full precision."""
    asked = net.engine_cfg["enable_float16"] and device.type != "cpu"
    return torch.autocast(device.type, torch.float16 if asked else torch.bfloat16, enabled=asked)


def _gathered(names: list[tuple[str, str, str]], features: dict[str, np.ndarray]) -> Seen | None:
    """All processes' clips, sorted by name; those the sampler repeated to fill its last batch once."""
    parts = [(names, features)]
    if world_size() > 1:
        parts = [None] * world_size() if rank() == 0 else None
        dist.gather_object((names, features), parts)
        if rank() != 0:
            return None
    parts = [part for part in parts if part[0]]  # a process may have had no clip of this pass
    joined = np.array([name for part, _ in parts for name in part])
    names, first = np.unique(joined, axis=0, return_index=True)
    return Seen(names, {k: np.concatenate([found[k] for _, found in parts])[first] for k in parts[0][1]})
