"""What a checkpoint does not say of its network: a small description, written beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from opengait_mimic.backbones import NETWORKS
from opengait_mimic.data.files import write_text
from opengait_mimic.errors import CheckpointError, ConfigError, nearest, shown
from opengait_mimic.opengait.config.networks import (
    NetworkSpec,
    backbone_spec,
    check_uses_of_ven,
    evaluator_settings,
    ven_settings,
    ven_spec,
)
from opengait_mimic.opengait.config.reading import read_yaml, section, text
from opengait_mimic.opengait.config.schema import RECOGNITION
from opengait_mimic.opengait.config.transforms import sil_transform
from opengait_mimic.opengait.host import EMBEDDED

FORMAT = 1
SUFFIX = ".network.json"
HEIGHT = 64
CUTTING_PER_64 = 10  # columns that OpenGait's BaseSilCuttingTransform takes off each side of every full 64
NECK = "neck."  # of our checkpoints: classifies training identities; it is not needed to embed
# Names of our networks' weights in a checkpoint, and what a fingerprint calls them.
PARTS = {"backbone.model.": "backbone.", "ven.network.": "ven.", "holistic.network.model.": "holistic."}

Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class Description:
    """A network, and how silhouettes are prepared for it.

    Attributes:
        model: MimicGait, OcclusionAware, ResidualGait, or the backbone's own model class, for a network trained by
            itself.
        backbone: the backbone's OpenGait model_cfg.
        dataset_name: what that is for; GaitGL's depth depends on it.
        ven: the VEN's settings (channels, feature, tasks, strips, bands, amount_bins), None without a VEN.
        kinds: the occlusion types that the VEN distinguishes, "clean" first; empty without a VEN.
        metric: "euc" or "cos", how embeddings are compared.
        height: rows of a frame.
        cutting: columns cut off each side of a frame; None: 10 for every full 64 of its width.
        divisor: the grey value that becomes 1.
        frames_limit: the most frames of a clip that are looked at, the first ones; None: all.
        register: whether the VEN puts clips back on their rows.
        fuse: whether T joins the VEN's feature.
        weighted: ε of visibility-weighted matching, None for the plain distance.
        bins: the pyramid of the parts for it, None where the backbone tells.
    """

    model: str
    backbone: dict[str, Any]
    dataset_name: str
    ven: dict[str, Any] | None = None
    kinds: tuple[str, ...] = ()
    metric: Literal["euc", "cos"] = "euc"
    height: Count = HEIGHT
    cutting: Annotated[int, Field(ge=0)] | None = 0
    divisor: Annotated[int, Field(gt=0)] | Annotated[float, Field(gt=0)] = 255.0
    frames_limit: Count | None = None
    register: bool = False
    fuse: bool = True
    weighted: Annotated[float, Field(gt=0, le=1)] | None = None
    bins: tuple[Count, ...] | None = None


# What came later: a description leaves it out where it has its default, so that older ones are read as they are.
LATER = {"register": False, "fuse": True, "weighted": None, "bins": None}
READER = TypeAdapter(Description)


def describe(cfgs: dict, backbone: NetworkSpec | None = None, ven: NetworkSpec | None = None) -> Description:
    """A network and its preparation of silhouettes at test. No file is read.

    Args:
        cfgs: the run's configuration, merged onto its host's defaults.
        backbone: what the backbone of one of our recognition models was built from.
        ven: what its VEN was built from.
    Raises:
        ConfigError: it embeds no silhouettes, or needs a checkout.
    """
    if isinstance(cfgs["data_cfg"], list):
        raise ConfigError("data_cfg: a network for several data sets at once cannot be described")
    model_cfg, evaluator = cfgs["model_cfg"], cfgs["evaluator_cfg"]
    model, dataset = text(model_cfg, "model", "model_cfg"), text(cfgs["data_cfg"], "dataset_name", "data_cfg")
    if model == "VisibilityEstimation":
        raise ConfigError("model_cfg: model: a VisibilityEstimation by itself embeds nothing; name a mimic's YAML")
    network, uses = model_cfg, {}
    if backbone is not None:
        network, dataset = backbone.model_cfg, backbone.dataset_name
        how = evaluator_settings(cfgs).weighted
        uses = {"register": model_cfg.get("register", False), "fuse": model_cfg.get("fuse", True)}
        uses |= {"weighted": how and how.epsilon, "bins": how and how.bins}
    if network.get("model") not in NETWORKS:
        raise ConfigError(
            f"backbone: {network.get('model')!r} needs an OpenGait checkout; without: {', '.join(NETWORKS)}"
        )
    limit = section(evaluator, "sampler", "evaluator_cfg").get("frames_all_limit", -1)
    try:
        return Description(
            model=model,
            backbone=network,
            dataset_name=dataset,
            ven=None if ven is None else ven_settings(ven.model_cfg),
            kinds=() if ven is None or ven.kinds is None else tuple(ven.kinds.classes),
            metric=evaluator.get("metric", "euc"),
            frames_limit=limit if isinstance(limit, int) and limit > 0 else None,
            **_preparation(evaluator.get("transform")),
            **uses,
        )
    except ValidationError as error:
        raise ConfigError(f"evaluator_cfg: {_first(error)}") from None


def describe_yaml(path: str | Path) -> Description:
    """The same, of a run's YAML on its own.

    A backbone or VEN named in it is looked for in the working directory, beside the YAML, and among the shipped
    configurations.
    """
    # It loads scipy, which a described checkpoint does not need.
    from opengait_mimic.opengait.config.reading import defaults, merge  # noqa: PLC0415

    cfgs = merge(defaults(EMBEDDED), read_yaml(path))
    model_cfg, folder = cfgs["model_cfg"], Path(path).parent
    try:
        if model_cfg["model"] not in RECOGNITION:
            return describe(cfgs)
        ven = model_cfg.get("ven")
        ven = {**ven, "config": _beside(folder, ven.get("config"))} if isinstance(ven, dict) else _beside(folder, ven)
        model_cfg = {**model_cfg, "backbone": _beside(folder, model_cfg.get("backbone")), "ven": ven}
        spec = ven_spec(model_cfg)
        check_uses_of_ven(cfgs, spec)
        return describe(cfgs, backbone_spec(model_cfg, text(cfgs["data_cfg"], "dataset_name", "data_cfg")), spec)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def describe_checkpoint(checkpoint: str | Path) -> Description:
    """What stands beside a checkpoint.

    Raises:
        CheckpointError: nothing does, or it is not a description.
    """
    path = beside(checkpoint)
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")), path)
    except FileNotFoundError:
        raise CheckpointError(
            f"{checkpoint}: no {path.name} beside it says what network this is; name its YAML (config=…, --config)"
        ) from None
    except CheckpointError:
        raise
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def from_json(content: object, where: str | Path) -> Description:
    """A description as `to_json` gave it.

    Raises:
        CheckpointError: it is of another format, or a key is unknown, missing or wrong.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{where}: not a network description of this version")
    missing = [name for name in Description.__dataclass_fields__ if name not in content and name not in LATER]
    if missing:
        raise CheckpointError(f"{where}: {missing[0]} is missing")
    try:
        return READER.validate_json(json.dumps({k: v for k, v in content.items() if k != "format"}))
    except ValidationError as error:
        raise CheckpointError(f"{where}: {_first(error)}") from None


def to_json(description: Description) -> dict:
    """A description as plain JSON."""
    content = {k: v for k, v in asdict(description).items() if k not in LATER or v != LATER[k]}
    return {"format": FORMAT, **content}


def beside(checkpoint: str | Path) -> Path:
    """Where a checkpoint's description stands."""
    return Path(checkpoint).with_suffix(SUFFIX)


def write_description(checkpoint: str | Path, description: Description) -> Path:
    """Write a description beside a checkpoint; the file appears whole or not at all. Returns its path."""
    path = beside(checkpoint)
    write_text(path, json.dumps(to_json(description), indent=1) + "\n")
    return path


def describe_beside(checkpoint: str | Path, net) -> None:
    """Write the description of a host's model, as it was built, beside its checkpoint.

    A network that embeds no silhouettes has none.

    Args:
        net: with `cfgs`; one of our recognition models also has what it was built from, `spec` and `ven_spec`.
    """
    with suppress(ConfigError):
        specs = getattr(net, "spec", None), getattr(net, "ven_spec", None)
        write_description(checkpoint, describe(net.cfgs, *specs))


def fingerprint(weights: Mapping[str, torch.Tensor], description: Description) -> str:
    """SHA-256 of all that decides a clip's embedding: weights, architecture, preparation of silhouettes, metric.

    Args:
        weights: named as in a checkpoint of ours, "backbone.model.…"; those of a training's classifier do not count.
        description: of their network.
    """
    digest = hashlib.sha256(json.dumps(to_json(description), sort_keys=True).encode())
    named = {}
    for name, value in weights.items():
        prefix = next((prefix for prefix in PARTS if name.startswith(prefix)), "")
        if not name.startswith(NECK):
            named[PARTS.get(prefix, "") + name.removeprefix(prefix)] = value
    for name, value in sorted(named.items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _first(error: ValidationError) -> str:
    """The first mistake, in one line."""
    mistake = error.errors()[0]
    key = str(mistake["loc"][0])
    if mistake["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown key {key!r}; {nearest(key, Description.__dataclass_fields__)}"
    if mistake["type"] == "literal_error":
        return f"{key}: {shown(mistake['input'])} is not {mistake['ctx']['expected']}"
    return f"{key}: {shown(mistake['input'])} is not allowed here"


def _preparation(transforms: object) -> dict:
    """How a YAML's transforms prepare a clip: height, cutting and divisor."""
    step = sil_transform(transforms) or {}
    if step.get("type") == "BaseSilTransform":
        shape = step.get("img_shape") or [HEIGHT]
        return {"height": shape[0], "cutting": 0, "divisor": step.get("divsor", 255.0)}
    if step.get("type") == "BaseSilCuttingTransform":
        return {"cutting": step.get("cutting"), "divisor": step.get("divsor", 255.0)}
    raise ConfigError("evaluator_cfg: transform: no BaseSilTransform or BaseSilCuttingTransform; not silhouettes")


def _beside(folder: Path, path: object) -> object:
    if isinstance(path, str) and not Path(path).expanduser().is_file() and (folder / path).is_file():
        return str(folder / path)
    return path
