"""A model as one file that runs without this package: ONNX, or a program of torch.export."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import warnings
from itertools import compress
from pathlib import Path
from typing import cast

import torch
from torch import nn

from opengait_mimic.apps.inference.model import Model
from opengait_mimic.apps.inference.silhouettes import columns_cut
from opengait_mimic.backbones.gaitgl import MIN_FRAMES
from opengait_mimic.errors import ConfigError, MimicError
from opengait_mimic.method.mimic import MimicNetwork
from opengait_mimic.method.ven import VisibilityNetwork
from opengait_mimic.opengait.description import Description

NEEDED = ("onnx", "onnxscript")
MORE = "pip install 'opengait-mimic[export]'"
SUFFIXES = (".onnx", ".pt2")
INPUT = "sils"
OUTPUTS = ("embeddings", "kind_logits", "amount", "visibility")
OPSET = 18
OLDEST_TORCH = (2, 6)  # exports with free axes by torch.export
CAN_EXPORT = tuple(int(number) for number in torch.__version__.split(".")[:2]) >= OLDEST_TORCH


class Exported(nn.Module):
    """A network with the cut of its silhouettes: clips as they are stored, of one length, in; tensors out."""

    def __init__(self, network: MimicNetwork, cut: int):
        super().__init__()
        self.network = network
        self.cut = cut

    def forward(self, sils: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Embed [n, s, h, w] floats 0–1: embeddings, and as far as the model has them kind_logits, amount and
        visibility."""
        seen = self.network(sils[..., self.cut : sils.shape[-1] - self.cut])
        return tuple(value for value in seen if value is not None)


def write_export(model: Model, path: str | Path, width: int = 64) -> str:
    """Write a model as ONNX (.onnx) or as a program for torch.export.load (.pt2).

    Its input `sils` is [n, s, h, w] float32 0–1, h the model's height and w `width`, with n and s free; its outputs
    are `embeddings` [n, c, p], and where the model has them `kind_logits` [n, k], `amount` [n] and `visibility`
    [n, p]. An ONNX file says in its metadata, under "opengait_mimic" as JSON, what `metadata` gives.

    Args:
        model: what is written.
        path: of the file.
        width: columns of the clips as they are stored.

    Returns:
        One line on what was written.

    Raises:
        ConfigError: another suffix, a width that the network cannot take, or a torch that is too old.
        MimicError: a package of the extra `export` is not installed.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"{path}: unknown kind of export {path.suffix!r}; allowed: {', '.join(SUFFIXES)}")
    if path.suffix == ".onnx":
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            raise MimicError(f"export to ONNX needs {' and '.join(missing)}: {MORE}")
    if not CAN_EXPORT:
        raise ConfigError(f"export needs torch {'.'.join(map(str, OLDEST_TORCH))} or newer, found {torch.__version__}")
    about = metadata(model, width)
    network, example, free = _graph(model, width)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        if path.suffix == ".pt2":
            program = torch.export.export(network, (example,), dynamic_shapes=(free,))
            torch.export.save(program, unfinished, extra_files={"opengait_mimic.json": json.dumps(about)})
        else:
            _write_onnx(network, example, free, unfinished, about)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    outputs = ", ".join(about["outputs"])
    return f"{INPUT} [n, s ≥ {about['min_frames']}, {about['height']}, {width}] -> {outputs}"


def _graph(model: Model, width: int) -> tuple[Exported, torch.Tensor, dict]:
    """What is exported, on the CPU: the network, an example of its input, and which axes of that are free."""
    description = model.description
    network = Exported(copy.deepcopy(model.network).cpu(), columns_cut(description, width)).eval()
    example = torch.zeros(2, 2 * MIN_FRAMES + 1, description.height, width)
    try:
        network(example[:1])
    except (RuntimeError, ConfigError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"width {width}: this network takes no such clips: {reason[:200]}") from None
    return network, example, {0: torch.export.Dim("n", min=1), 1: torch.export.Dim("s", min=least_frames(description))}


def _write_onnx(network: Exported, example: torch.Tensor, free: dict, path: Path, about: dict) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about its own parts
        onnx = torch.onnx.export(
            network, (example,), dynamic_shapes=(free,), input_names=[INPUT], output_names=about["outputs"],
            opset_version=OPSET, dynamo=True, verbose=False,
        )  # fmt: skip
    assert onnx is not None  # as with dynamo
    onnx.model.metadata_props["opengait_mimic"] = json.dumps(about)
    onnx.save(path, external_data=False)


def metadata(model: Model, width: int = 64) -> dict:
    """What a program that runs an export should know.

    Args:
        model: what is exported.
        width: columns of the clips as they are stored.

    Returns:
        JSON-ready: fingerprint and metric of the model, kinds (names of kind_logits), height, width, divisor (of
        whole numbers, to get 0–1), min_frames, frames_limit, outputs; weighted (ε) where parts are weighted.
    """
    description = model.description
    ven = model.network.ven
    tasks = () if ven is None else cast(VisibilityNetwork, ven.network).tasks
    weighted = {} if model.weighted is None else {"weighted": model.weighted}
    has = (True, "classification" in tasks, "regression" in tasks, bool(weighted))
    return {
        "fingerprint": model.fingerprint,
        "metric": model.metric,
        **weighted,
        "kinds": list(description.kinds),
        "height": description.height,
        "width": width,
        "divisor": description.divisor,
        "min_frames": least_frames(description),
        "frames_limit": description.frames_limit,
        "outputs": list(compress(OUTPUTS, has)),
    }


def least_frames(description: Description) -> int:
    """The fewest frames of a clip that an export takes.

    GaitGL makes one step of every three frames, and torch.export takes a number to be free only where it is not one.
    """
    return 2 * MIN_FRAMES if description.backbone["model"] == "GaitGL" else 1
