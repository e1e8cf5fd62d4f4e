"""What a checkpoint does not say of its network: a small description, written beside it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from opengait_mimic.backbones import NETWORKS
from opengait_mimic.data.files import write_text
from opengait_mimic.errors import CheckpointError, ConfigError, nearest
from opengait_mimic.evaluation.ranking import METRICS
from opengait_mimic.method.beyond.weighted import weighting
from opengait_mimic.opengait.config.sections import (
    RECOGNITION,
    backbone_spec,
    check_uses_of_ven,
    read_yaml,
    section,
    text,
    ven_settings,
    ven_spec,
)
from opengait_mimic.opengait.host import EMBEDDED

FORMAT = 1
SUFFIX = ".network.json"
OURS = RECOGNITION
HEIGHT = 64
CUTTING_PER_64 = 10  # columns that OpenGait's BaseSilCuttingTransform takes off each side of every full 64


@dataclass(frozen=True)
class Description:
    """A network, and how silhouettes are prepared for it.

    Attributes:
        model: MimicGait, OcclusionAware, ResidualGait, or the backbone's own model class, for a network trained by
            itself.
        backbone: the backbone's OpenGait model_cfg. dataset_name: what that is for; GaitGL's depth depends on it.
        ven: the VEN's settings (channels, feature, tasks, strips, bands, amount_bins), None without a VEN.
        kinds: what the VEN tells apart, "clean" first; empty without a VEN.
        metric: "euc" or "cos", how embeddings are compared.
        height: rows of a frame.
        cutting: columns cut off each side of a frame; None: 10 for every full 64 of its width.
        divisor: the grey value that becomes 1.
        frames_limit: the most frames of a clip that are looked at, the first ones; None: all.
        register, fuse: whether the VEN puts clips back on their rows, and whether T joins its feature.
        weighted: ε of visibility-weighted matching, None for the plain distance; bins: the pyramid of the parts for
            it, None where the backbone tells.
    """

    model: str
    backbone: dict
    dataset_name: str
    ven: dict | None = None
    kinds: tuple[str, ...] = ()
    metric: str = "euc"
    height: int = HEIGHT
    cutting: int | None = 0
    divisor: float = 255.0
    frames_limit: int | None = None
    register: bool = False
    fuse: bool = True
    weighted: float | None = None
    bins: tuple[int, ...] | None = None


# What came later: a description leaves it out where it has its default, so that older ones are read as they are.
LATER = {f.name: f.default for f in fields(Description) if f.name in ("register", "fuse", "weighted", "bins")}


def describe(cfgs: dict) -> Description:
    """The network of a run and its preparation of silhouettes at test.

    Args:
        cfgs: the run's configuration, merged onto its host's defaults. YAML files it names are read.
    Raises:
        ConfigError: it trains no network that embeds silhouettes, or one that needs a checkout, or a YAML is missing
            or wrong.
    """
    if isinstance(cfgs["data_cfg"], list):
        raise ConfigError("data_cfg: a network for several data sets at once cannot be described")
    model_cfg, evaluator = cfgs["model_cfg"], cfgs["evaluator_cfg"]
    model, dataset = text(model_cfg, "model", "model_cfg"), text(cfgs["data_cfg"], "dataset_name", "data_cfg")
    if model == "VisibilityEstimation":
        raise ConfigError("model_cfg: model: a VisibilityEstimation by itself embeds nothing; name a mimic's YAML")
    backbone, ven, uses = model_cfg, None, {}
    if model in OURS:
        spec, ven = backbone_spec(model_cfg, dataset), ven_spec(model_cfg)
        backbone, dataset = spec.model_cfg, spec.dataset_name
        check_uses_of_ven(cfgs, ven)
        how = weighting(evaluator.get("weighted"))
        uses = {"register": model_cfg.get("register", False), "fuse": model_cfg.get("fuse", True)}
        uses |= {"weighted": how and how.epsilon, "bins": how and how.bins}
    if backbone.get("model") not in NETWORKS:
        raise ConfigError(
            f"backbone: {backbone.get('model')!r} needs an OpenGait checkout; without: {', '.join(NETWORKS)}"
        )
    sampler = section(evaluator, "sampler", "evaluator_cfg")
    limit = sampler.get("frames_all_limit", -1)
    return Description(
        model=model,
        backbone=backbone,
        dataset_name=dataset,
        ven=None if ven is None else ven_settings(ven.model_cfg),
        kinds=() if ven is None else tuple(ven.kinds.classes),
        metric=_one_of(METRICS, evaluator.get("metric", "euc"), "evaluator_cfg: metric"),
        frames_limit=limit if isinstance(limit, int) and limit > 0 else None,
        **_preparation(evaluator.get("transform")),
        **uses,
    )


def describe_yaml(path: str | Path) -> Description:
    """The same, of a run's YAML on its own.

    A backbone or VEN named in it is looked for in the working directory, beside the YAML, and among the shipped
    configurations.
    """
    from opengait_mimic.opengait.config.check import (  # it loads scipy, which a described checkpoint does not need
        defaults,
        merge,
    )

    cfgs = merge(defaults(EMBEDDED), read_yaml(path))
    model_cfg, folder = cfgs["model_cfg"], Path(path).parent
    if model_cfg["model"] in OURS:
        model_cfg["backbone"] = _beside(folder, model_cfg.get("backbone"))
        ven = model_cfg.get("ven")
        ven = {**ven, "config": _beside(folder, ven.get("config"))} if isinstance(ven, dict) else _beside(folder, ven)
        model_cfg["ven"] = ven
    try:
        return describe(cfgs)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def describe_checkpoint(checkpoint: str | Path) -> Description:
    """What stands beside a checkpoint.

    Raises:
        CheckpointError: nothing does, or it is not a description.
    """
    path = beside(checkpoint)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{checkpoint}: no {path.name} beside it says what network this is; name its YAML (config=…, --config)"
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return from_json(content, path)


def from_json(content: object, where: str | Path) -> Description:
    """A description as `to_json` gave it.

    Raises:
        CheckpointError: it is of another format, or a key is unknown, missing or wrong.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{where}: not a network description of this version")
    told = {key: value for key, value in content.items() if key != "format"}
    types: dict[str, Any] = {
        "model": str, "backbone": dict, "dataset_name": str, "ven": (dict, type(None)), "kinds": list, "metric": str,
        "height": int, "cutting": (int, type(None)), "divisor": (int, float), "frames_limit": (int, type(None)),
        "register": bool, "fuse": bool, "weighted": (float, type(None)), "bins": (list, type(None)),
    }  # fmt: skip
    for key, value in told.items():
        if key not in types:
            raise CheckpointError(f"{where}: unknown key {key!r}; {nearest(key, types)}")
        if not isinstance(value, types[key]) or (isinstance(value, bool) and types[key] is not bool):
            raise CheckpointError(f"{where}: {key}: {value!r} is not allowed here")
    missing = [key for key in types if key not in told and key not in LATER]
    if missing:
        raise CheckpointError(f"{where}: {missing[0]} is missing")
    _one_of(METRICS, told["metric"], f"{where}: metric")
    bins = told.get("bins")
    return Description(**{**told, "kinds": tuple(told["kinds"]), "bins": bins if bins is None else tuple(bins)})


def to_json(description: Description) -> dict:
    """A description as plain JSON."""
    told = {k: v for k, v in asdict(description).items() if k not in LATER or v != LATER[k]}
    return {"format": FORMAT, **told}


def beside(checkpoint: str | Path) -> Path:
    """Where a checkpoint's description stands."""
    return Path(checkpoint).with_suffix(SUFFIX)


def write_description(checkpoint: str | Path, description: Description) -> Path:
    """Write a description beside a checkpoint; the file appears whole or not at all. Returns its path."""
    path = beside(checkpoint)
    write_text(path, json.dumps(to_json(description), indent=1) + "\n")
    return path


def describe_beside(checkpoint: str | Path, cfgs: dict) -> None:
    """Write the description of a run's network beside its checkpoint; a network that embeds no silhouettes has none."""
    with suppress(ConfigError):
        write_description(checkpoint, describe(cfgs))


def _preparation(transforms: object) -> dict:
    """How a YAML's transforms prepare a clip: height, cutting and divisor."""
    first = transforms[0] if isinstance(transforms, list) and transforms else transforms
    steps = first.get("trf_cfg") if isinstance(first, dict) and first.get("type") == "Compose" else [first]
    for step in steps if isinstance(steps, list) else []:
        kind = step.get("type") if isinstance(step, dict) else None
        if kind == "BaseSilTransform":
            shape = step.get("img_shape") or [HEIGHT]
            return {"height": shape[0], "cutting": 0, "divisor": step.get("divsor", 255.0)}
        if kind == "BaseSilCuttingTransform":
            return {"cutting": step.get("cutting"), "divisor": step.get("divsor", 255.0)}
    raise ConfigError("evaluator_cfg: transform: no BaseSilTransform or BaseSilCuttingTransform; not silhouettes")


def _beside(folder: Path, path: object) -> object:
    if isinstance(path, str) and not Path(path).expanduser().is_file() and (folder / path).is_file():
        return str(folder / path)
    return path


def _one_of(allowed: tuple[str, ...], value: object, key: str) -> str:
    if value not in allowed:
        raise ConfigError(f"{key}: {value!r}; {nearest(value, allowed)}")
    return value
