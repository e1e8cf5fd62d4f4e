"""Silhouettes stay bytes until they are on the device: the host's transforms, with as few copies as may be."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from data.transform import get_transform

from opengait_mimic.method.pages import room

# What moves or blackens pixels, and what makes new values of them. All leave a clip as it is more often than not.
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
    Returns:
        uint8 not yet scaled, or, where a transform made new values, float32 scaled to 0–1.
    """
    for step in steps.before:
        clip = _act(step, clip, np.copy)
    width = clip.shape[-1]
    cut = width // 64 * 10 if steps.cut is None else steps.cut
    clip = clip[..., cut : width - cut]

    def values(clip: np.ndarray) -> np.ndarray:
        return clip.astype(np.float32) / np.float32(steps.divisor)

    if clip.dtype != np.uint8:
        clip = values(clip)
    for step, of_bytes in steps.after:
        as_it_is = of_bytes or clip.dtype != np.uint8
        clip = _act(step, clip, np.copy if as_it_is else values)
    return clip if clip.dtype == np.uint8 else np.asarray(clip, dtype=np.float32)


def _act(step: Callable, clip: np.ndarray, copy: Callable) -> np.ndarray:
    """`step` on a copy of the clip, or the clip itself where the step leaves it as it is.

    That is tried on one bright frame, in which it shows where a step blackens pixels of what it is given and returns
    the same array; what a step draws depends on no pixel.
    """
    trial, drawn = np.ones_like(clip[:1]), random.getstate()
    if step(trial) is trial and trial.all():
        return clip
    random.setstate(drawn)
    return step(copy(clip))


def onto(clips: list[np.ndarray], divisor: float, device: torch.device) -> torch.Tensor:
    """Clips of one shape as [n, s, (c,) h, w] float32 0–1 on a device; bytes are scaled there.

    Args:
        clips: as `apply` returns them.
    """
    bytewise = np.array([clip.dtype == np.uint8 for clip in clips])
    sils = room((len(clips), *clips[0].shape), torch.float32, device)
    if bytewise.all():
        return sils.copy_(_joined(clips, device)).div_(divisor)
    for chosen in (bytewise.nonzero()[0], (~bytewise).nonzero()[0]):
        if len(chosen):
            sils[torch.from_numpy(chosen).to(device)] = _joined([clips[i] for i in chosen], device).to(torch.float32)
    return sils.div_(torch.from_numpy(np.where(bytewise, divisor, 1)).to(sils).view(-1, *[1] * clips[0].ndim))


def _joined(clips: list[np.ndarray], device: torch.device) -> torch.Tensor:
    if len(clips) > 1:
        joined = np.stack(clips)
    else:  # torch takes views, but none that run backwards, as a mirrored clip does
        joined = (clips[0] if min(clips[0].strides) >= 0 else clips[0].copy())[None]
    return torch.from_numpy(joined).to(device)


class BytewiseInputs:
    """Stands before a host's BaseModel: its transforms and its transfer, for one input of bytes per clip.

    The results are the host's, rounded to float32 a little earlier; other inputs take the host's own way.
    """

    def __init__(self, cfgs: dict, training: bool):
        self.steps = {
            learning: steps(cfgs[section]["transform"])
            for learning, section in ((True, "trainer_cfg"), (False, "evaluator_cfg"))
        }
        super().__init__(cfgs, training)

    def inputs_pretreament(self, batch: list) -> tuple:
        """The host's pretreatment (its name); the inputs need no gradient."""
        seqs, labs, typs, vies, seqL = batch
        steps = self.steps[self.training]
        if steps is None or len(seqs) != 1 or any(clip.dtype != np.uint8 for clip in seqs[0]):
            return super().inputs_pretreament(batch)
        device = next(self.parameters()).device
        sils = onto([apply(clip, steps) for clip in seqs[0]], steps.divisor, device)
        labs = torch.as_tensor(np.asarray(labs), device=device).long()
        if seqL is not None:
            total = int(np.sum(seqL))
            sils, seqL = sils[:, :total], torch.as_tensor(np.asarray(seqL), device=device).int()
        return [sils], labs, typs, vies, seqL
