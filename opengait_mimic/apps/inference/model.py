"""A trained model, ready to embed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from opengait_mimic.apps.inference.network import trained_network
from opengait_mimic.apps.inference.silhouettes import as_clips, prepare
from opengait_mimic.errors import CheckpointError, ConfigError, DataError
from opengait_mimic.method.mimic import MimicNetwork
from opengait_mimic.opengait.checkpoints import read_weights
from opengait_mimic.opengait.description import Description, describe_checkpoint, describe_yaml, fingerprint

CHECKPOINT = re.compile(r"(?P<run>.+)-(?P<iteration>\d{5,})\.pt")
FRAMES_AT_ONCE = 1024


class Embedded(NamedTuple):
    """What a model sees in n clips.

    Attributes:
        embeddings: [n, c, p] float32.
        kind: n names of what the VEN takes each occlusion for, "clean" where it sees none.
        amount: [n] float32, the occluded fraction of the frame, 0–1; 1 - amount says how far to trust
            the embedding.
        visibility: [n, p] float32, 0–1, how visible each part of the embedding is; for weighted matching.
        kind and amount are None where the model's VEN has no such task, or where it has no VEN; visibility where the
        model was not made for weighted matching.
    """

    embeddings: np.ndarray
    kind: tuple[str, ...] | None
    amount: np.ndarray | None
    visibility: np.ndarray | None = None


class Model:
    """A trained network that embeds clips of silhouettes; `load` makes one.

    Attributes:
        description: what it is, and how it takes its silhouettes.
        network: the plain torch module, in eval mode.
        device: where it computes.
        fingerprint: SHA-256; embeddings of two models can be compared only where theirs are equal.
        metric: "euc" or "cos", how its embeddings are compared.
        weighted: ε of visibility-weighted matching, None for the plain distance.
    """

    def __init__(self, description: Description, network: MimicNetwork, device: torch.device):
        self.description = description
        self.fingerprint = fingerprint(network.state_dict(), description)
        self.network = network.to(device)
        self.device = device
        self.metric = description.metric
        self.weighted = description.weighted

    @torch.inference_mode()
    def embed(self, sils: object, names: Sequence[str] | None = None, batch: int = 1) -> Embedded:
        """Embed clips.

        Args:
            sils: one clip [s, h, w], several of one length [n, s, h, w], or a list of clips of any lengths; arrays
                or tensors. Whole numbers are grey values 0–255, floats and bools are 0–1. They are cut to the
                network's width as in its training, so hand over clips as the data set stores them.
            names: of the n clips, for messages.
            batch: how many clips of one size go through the network together. One by one, a clip has the same
                numbers to the last digit whatever comes with it; together they may differ by a rounding, and a GPU
                is faster.
        Returns:
            For each clip its embedding and predicted visibility.
        Raises:
            DataError: a clip the network cannot take, or none at all.
        """
        clips = as_clips(sils)
        if not clips:
            raise DataError("sils: no clip")
        names = [f"clip {i}" for i in range(len(clips))] if names is None else names
        by_shape = defaultdict(list)
        for place, (clip, name) in enumerate(zip(clips, names, strict=True)):
            prepared = prepare(clip, self.description, name)
            by_shape[prepared.shape].append((place, prepared))
        found: list[list] = [[] for _ in clips]
        for shape, group in by_shape.items():
            together = max(1, min(batch, FRAMES_AT_ONCE // shape[0]))
            for first in range(0, len(group), together):
                places, prepared = zip(*group[first : first + together], strict=True)
                recognised = self.network(torch.stack(prepared).to(self.device))
                for i, place in enumerate(places):
                    found[place] = [None if value is None else value[i].cpu().numpy() for value in recognised]
        columns: list = [None if column[0] is None else np.stack(column) for column in zip(*found, strict=True)]
        embeddings, logits, amounts, visibility = columns
        kinds = self.description.kinds
        kind = None if logits is None else tuple(kinds[i] for i in logits.argmax(1))
        return Embedded(embeddings, kind, amounts, visibility)


def load(checkpoint: str | Path, config: str | Path | None = None, device: torch.device | str = "cpu") -> Model:
    """A trained model from its checkpoint; needs no OpenGait.

    Args:
        checkpoint: a checkpoint of MimicGait, OcclusionAware or ResidualGait, or of GaitBase, GaitGL, DeepGaitV2 or
            GaitSet by itself, trained on any host. Or a folder: a run's output folder, its `checkpoints`, or another
            with the checkpoints of one run; the one of the latest iteration is taken.
        config: the YAML it was trained by, which names those of its backbone and VEN. Default: the description
            (`….network.json`) that training writes beside each checkpoint.
        device: to compute on.
    Raises:
        CheckpointError: there is no checkpoint, nothing describes it, or it is of another network.
        ConfigError: the YAML is missing or wrong, the device is not there, or the backbone needs an OpenGait
            checkout.
    """
    path = newest(checkpoint) if Path(checkpoint).is_dir() else Path(checkpoint)
    device = usable(device)
    weights = read_weights(path, "model")
    description = describe_checkpoint(path) if config is None else describe_yaml(config)
    return Model(description, trained_network(description, weights, path), device)


def newest(folder: str | Path) -> Path:
    """The checkpoint of the latest iteration in a folder, or in its folder `checkpoints`.

    Raises:
        CheckpointError: there is none, or there are those of several runs.
    """
    found = {}
    for place in (Path(folder), Path(folder, "checkpoints")):
        for path in place.glob("*.pt"):
            match = CHECKPOINT.fullmatch(path.name)
            if match:
                found.setdefault(match["run"], []).append((int(match["iteration"]), path))
    if not found:
        raise CheckpointError(f"{folder}: no checkpoint (<name>-<iteration>.pt) in it or in its folder checkpoints")
    if len(found) > 1:
        raise CheckpointError(f"{folder}: checkpoints of several runs ({', '.join(sorted(found))}); name one file")
    (checkpoints,) = found.values()
    return max(checkpoints)[1]


def usable(device: torch.device | str) -> torch.device:
    """A device that is there.

    Raises:
        ConfigError: PyTorch does not know or find it.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device {str(device)!r} cannot be used: {reason[:150]}") from None
    return torch.device(device)
