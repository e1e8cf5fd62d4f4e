"""A YAML's list of transforms: what may stand in it, and what it says of the silhouettes."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from opengait_mimic.errors import ConfigError, shown
from opengait_mimic.method.occlusion import mixture
from opengait_mimic.opengait.config.keys import (
    Above0,
    Flag,
    Number,
    OwnSection,
    Section,
    Share,
    Takes,
    inside,
    is_text,
    key,
    listed,
    or_null,
    read,
    together,
    whole,
)


class Transform(Section):
    """Settings of the host's own transforms in a list; which of them a transform takes is its own affair."""

    slips: ClassVar[bool] = False

    prob: Share = key(None, "how often it is done")
    divsor: Above0 = key(255.0, "of BaseSilTransform: what white is divided by")
    cutting: Annotated[int | None, or_null(whole(0, 10**4))] = key(
        None, "of BaseSilCuttingTransform: columns cut off each side; null: 10 for every 64 of the width"
    )
    img_shape: Annotated[list[int] | None, or_null(listed(whole(1, 10**4)))] = key(
        None, "rows and columns to resize to"
    )
    degree: Number = key(None, "of RandomRotate")
    sl: Share = key(None, "of RandomErasing: the smallest share of the area")
    sh: Share = key(None, "the largest")
    r1: Above0 = key(None, "the smallest ratio of its height to its width; the largest is 1 / r1")
    per_frame: Flag = key(None, "OpenGait's: each frame by itself")


def _kinds(value: object) -> object:
    try:
        mixture(value)
    except ConfigError as error:
        raise ConfigError(str(error).removeprefix("Occlusion: ").removeprefix("kinds: ")) from None
    return value


class OcclusionEntry(OwnSection):
    """The transform of ours: the last of a Compose."""

    kinds: Annotated[Any, Takes("a list of [kinds](occlusions.md)", read=_kinds)] = key(
        ..., "what occludes, with which probability; the rest stays clean"
    )
    seed: Annotated[int | None, or_null(whole(0, 10**18))] = key(
        None, "at test, where null is 0: the occlusion depends on the clip's content and this number only"
    )


def read_transforms(value: Any) -> Any:
    """Entries with a type, the common settings of the host's own transforms, and an Occlusion's settings and place."""
    entries = value if isinstance(value, list) else [] if value is None else [value]
    if entries and all(isinstance(entry, list) and entry for entry in entries):
        entries = [one for entry in entries for one in entry]  # of the pairs of views that OpenGait's pretraining makes
    if isinstance(value, list) and not entries:
        raise ConfigError("an empty list; expected one transform for each input")
    together(_transform, entries)
    lifted(value)
    return value


def _transform(entry: Any) -> None:
    name = entry.get("type") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not is_text(name):
        raise ConfigError(f"expected entries with a type, found {shown(entry)}")
    if name == "Compose":
        steps = entry.get("trf_cfg")
        if not isinstance(steps, list) or not steps:
            raise ConfigError(f"Compose: trf_cfg: expected a list, found {shown(steps)}")
        together(_transform, steps)
    elif name.startswith(("BaseSil", "BaseParsing", "Random")):
        inside(Transform, entry, name)
    elif name == "Occlusion":
        inside(OcclusionEntry, {k: v for k, v in entry.items() if k != "type"}, name)


def lifted(transforms: object, where: str = "") -> tuple[object, dict | None]:
    """A YAML's list of transforms without the `Occlusion` at its end, and that entry.

    Args:
        transforms: one entry per input of the model; the first is the silhouettes'.
        where: the section, for messages.
    Returns:
        The remaining transforms and the `Occlusion` entry, None where there is none.
    Raises:
        ConfigError: an `Occlusion` that is not the last of a Compose.
    """
    if not isinstance(transforms, list) or not transforms:
        return transforms, None
    first = transforms[0]
    kind = first.get("type") if isinstance(first, dict) else None
    steps = first.get("trf_cfg") if kind == "Compose" else None
    steps = steps if isinstance(steps, list) else [first] if kind == "Occlusion" else []
    places = [i for i, step in enumerate(steps) if isinstance(step, dict) and step.get("type") == "Occlusion"]
    if not places:
        return transforms, None
    if len(steps) == 1 or places != [len(steps) - 1]:
        told = "Occlusion must stand once, at the end of a Compose, after BaseSilTransform; it must not stand alone"
        raise ConfigError(f"{where}: transform: {told}" if where else told)
    return [{**first, "trf_cfg": steps[:-1]}, *transforms[1:]], steps[-1]


def occlusion_settings(entry: dict, where: str) -> dict:
    """The arguments of `Occlusion` in a transform entry.

    Raises:
        ConfigError: an unknown key, or a value that is not allowed.
    """
    asked = read(OcclusionEntry, {k: v for k, v in entry.items() if k != "type"}, f"{where}: Occlusion")
    return {"kinds": asked.kinds, "seed": asked.seed}


def sil_transform(transforms: object) -> dict | None:
    """The entry of a YAML's transform list that gives silhouettes their width and range; None where there is none."""
    first = transforms[0] if isinstance(transforms, list) and transforms else transforms
    steps = first.get("trf_cfg") if isinstance(first, dict) and first.get("type") == "Compose" else [first]
    for step in steps if isinstance(steps, list) else []:
        if isinstance(step, dict) and str(step.get("type")).startswith(("BaseSil", "BaseParsing")):
            return step
    return None


def prepared_by(transforms: object) -> str:
    """How silhouettes get their width, as a YAML's transform list says: the name and arguments of that step."""
    step = sil_transform(transforms)
    if step is None:
        return ""
    cut = f" with cutting {step['cutting']}" if step.get("cutting") is not None else ""
    return f"{step['type']}{cut}"
