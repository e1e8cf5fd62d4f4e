"""Silhouettes stay bytes until they are on the device: the host's transforms, with as few copies as may be."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from data.transform import get_transform
from modeling.base_model import BaseModel

# What moves or blackens pixels, and what makes new values of them; a clip often goes through the latter unchanged.
OF_BYTES = ("RandomHorizontalFlip", "RandomErasing")
OF_VALUES = ("RandomRotate", "RandomPerspective", "RandomAffine")
BASE = ("BaseSilTransform", "BaseSilCuttingTransform")


class Steps(NamedTuple):
    """A YAML's transforms of one input, taken apart.

    Attributes:
        before: what comes before the values are scaled to 0–1, and so gets bytes from the host too.
        cut: the columns to cut off each side; None: 10 for every full 64 of the width.
        divisor: the value that becomes 1.
        after: what comes then, and whether it may have bytes as well.
    """

    before: list[Callable]
    cut: int | None
    divisor: float
    after: list[tuple[Callable, bool]]


def steps(transforms: object) -> Steps | None:
    """The steps of a YAML's `transform`; None where they are others than these, which are then the host's affair."""
    first = transforms[0] if isinstance(transforms, list) and len(transforms) == 1 else transforms
    entries = first.get("trf_cfg") if isinstance(first, dict) and first.get("type") == "Compose" else [first]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    names = [entry.get("type") for entry in entries]
    places = [i for i, name in enumerate(names) if name in BASE]
    if len(places) != 1 or not set(names) <= {*BASE, *OF_BYTES, *OF_VALUES}:
        return None
    (place,) = places
    base = entries[place]
    if base.get("img_shape") is not None:
        return None
    return Steps(
        before=[get_transform(entry) for entry in entries[:place]],
        cut=0 if base["type"] == "BaseSilTransform" else base.get("cutting"),
        divisor=float(base.get("divsor", 255.0)),
        after=[(get_transform(entry), entry["type"] in OF_BYTES) for entry in entries[place + 1 :]],
    )


def apply(clip: np.ndarray, steps: Steps) -> np.ndarray:
    """A clip after the transforms, drawing the random numbers that the host would draw.

    Args:
        clip: [s, (c,) h, w] uint8; it stays as it is.
        steps: of the YAML.
    Returns:
        uint8 not yet scaled, or, where a transform made new values, float32 scaled to 0–1.
    """
    for step in steps.before:
        clip = step(clip.copy())
    width = clip.shape[-1]
    cut = width // 64 * 10 if steps.cut is None else steps.cut
    clip = clip[..., cut : width - cut]
    if clip.dtype != np.uint8:
        clip = clip.astype(np.float32) / np.float32(steps.divisor)
    for step, of_bytes in steps.after:
        if not of_bytes and clip.dtype == np.uint8:
            # One frame shows whether the step is to do anything; what it draws depends on no pixel.
            frame, drawn = clip[:1], random.getstate()
            if step(frame) is frame:
                continue
            random.setstate(drawn)
            clip = clip.astype(np.float32) / np.float32(steps.divisor)
        clip = step(clip.copy())
    return clip if clip.dtype == np.uint8 else np.asarray(clip, dtype=np.float32)


def onto(clips: list[np.ndarray], divisor: float, device: torch.device) -> torch.Tensor:
    """Clips of one shape as [n, s, (c,) h, w] float32 0–1 on a device; bytes are scaled there.

    Args:
        clips: as `apply` returns them.
        divisor: the value that becomes 1.
        device: where to put them.
    """
    sils = torch.empty((len(clips), *clips[0].shape), device=device)
    for bytewise in (True, False):
        chosen = [i for i, clip in enumerate(clips) if (clip.dtype == np.uint8) == bytewise]
        if chosen:
            values = torch.from_numpy(np.stack([clips[i] for i in chosen])).to(device).float()
            sils[chosen] = values.div_(divisor) if bytewise else values
    return sils


def pretreated(net, steps: Steps | None, batch: list) -> tuple:
    """What the host's own pretreatment gives of a batch, rounded to float32 a little earlier.

    Args:
        net: one of our models.
        steps: of its transforms; None leaves the batch to the host, as do inputs other than one of bytes per clip.
        batch: inputs, labels, types, views and lengths as the host's loader gives them.
    """
    seqs, labs, typs, vies, seqL = batch
    if steps is None or len(seqs) != 1 or any(clip.dtype != np.uint8 for clip in seqs[0]):
        return BaseModel.inputs_pretreament(net, batch)
    device = next(net.parameters()).device
    sils = onto([apply(clip, steps) for clip in seqs[0]], steps.divisor, device)
    labs = torch.as_tensor(np.asarray(labs), device=device).long()
    if seqL is not None:
        total = int(np.sum(seqL))
        sils, seqL = sils[:, :total], torch.as_tensor(np.asarray(seqL), device=device).int()
    return [sils], labs, typs, vies, seqL
