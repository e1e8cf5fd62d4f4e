"""Sample the occlusion of each clip of a batch: its type, and what it hides of which frame."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from opengait_mimic.errors import ConfigError, nearest
from opengait_mimic.method.occlusion.types import TYPES, BoxOcclusion, MaskOcclusion

CLEAN = "clean"


@dataclass(frozen=True)
class OcclusionParameters:
    """The sampled occlusions of n clips with f frames in all, and the labels that the VEN learns from.

    Attributes:
        kind: [n] int64, index of the occlusion type in the mixture's `classes`; 0 is clean.
        amount: [n] float32, occluded share of the frame area, mean over the clip's frames; 0 when clean.
        boxes: [f, 4] int64 (top, bottom, left, right), clip after clip, within the frame; empty where clean and
            where a mask hides.
        refit: [f] bool, whether the frame is cropped to its visible part.
        masked: [m] int64, the frames that a mask hides, ascending.
        masks: [m, h, w] bool, True where hidden.
        merged: [m] bool, whether the occluder is taken for a part of the body (bright) or not (black).
    """

    kind: np.ndarray
    amount: np.ndarray
    boxes: np.ndarray
    refit: np.ndarray
    masked: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    masks: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), dtype=bool))
    merged: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))


@dataclass(frozen=True)
class Mixture:
    """Occlusion types with their probabilities; what is left to 1 stays clean.

    The same type may stand in it several times (for example with and without `refit`).

    Attributes:
        names: of the types.
        types: the types with their settings.
        probs: their probabilities.
        known: names that come first among the classes, so that another mixture's labels mean the same.
    """

    names: tuple[str, ...]
    types: tuple[BoxOcclusion | MaskOcclusion, ...]
    probs: tuple[float, ...]
    known: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes a VEN distinguishes: clean, then the types in their order."""
        return (CLEAN, *dict.fromkeys((*self.known, *self.names)))

    @property
    def dynamic(self) -> bool:
        """Whether any type moves, so that the order of the frames matters."""
        return any(type_.dynamic for type_ in self.types)

    @property
    def crossed(self) -> bool:
        """Whether other subjects of the batch walk through, so that `sample` has a use for their clips."""
        return any(isinstance(type_, MaskOcclusion) and type_.crossed_by_people for type_ in self.types)

    def sample(
        self,
        rngs: Sequence[np.random.Generator],
        times: Sequence[np.ndarray],
        height: int,
        width: int,
        clips: Sequence[np.ndarray] = (),
        subjects: Sequence[object] = (),
    ) -> OcclusionParameters:
        """Sample an occlusion for each of n clips.

        Args:
            rngs: n generators, one per clip; may be the same object.
            times: for each clip, [s_i] the number of each frame in its recording.
            height: rows of a frame.
            width: columns of a frame.
            clips: the clips [s_i, h', w'] themselves, for a type in which another subject crosses.
            subjects: n identities. A clip without another subject beside it, or without `clips`, is crossed by a
                generated walker.

        Returns:
            What `apply_occlusion` applies.
        """
        cumulative, ends = np.cumsum(self.probs), np.cumsum([len(clip_times) for clip_times in times])
        kind, amount = np.zeros(len(times), np.int64), np.zeros(len(times))
        boxes, refit = np.zeros((ends[-1], 4), np.int64), np.zeros(ends[-1], bool)
        masked, masks, merged = [np.zeros(0, np.int64)], [np.zeros((0, height, width), bool)], [np.zeros(0, bool)]
        for i, (rng, clip_times, end) in enumerate(zip(rngs, times, ends, strict=True)):
            choice = int(np.searchsorted(cumulative, rng.random(), side="right"))
            if choice == len(self.types):
                continue
            type_, frames = self.types[choice], np.arange(end - len(clip_times), end)
            if isinstance(type_, MaskOcclusion):
                others = _others(i, clips, subjects, times) if type_.crossed_by_people else []
                mask = type_.masks(rng, np.asarray(clip_times), height, width, others)
                amount[i] = mask.mean()
                if amount[i]:
                    masked.append(frames)
                    masks.append(mask)
                    merged.append(np.full(len(frames), getattr(type_, "merged", False)))
            else:
                drawn = type_.boxes(rng, np.asarray(clip_times), height, width)
                boxes[frames] = drawn.clip(0, (height, height, width, width))
                top, bottom, left, right = boxes[frames].T
                amount[i] = ((bottom - top) * (right - left)).mean() / (height * width)
            if amount[i]:  # where nothing is hidden after all, the clip is clean
                kind[i] = self.classes.index(self.names[choice])
                refit[frames] = type_.refit
        by_mask = np.concatenate(masked), np.concatenate(masks), np.concatenate(merged)
        return OcclusionParameters(kind, amount.astype(np.float32), boxes, refit, *by_mask)


def _others(number: int, clips: Sequence[np.ndarray], subjects: Sequence, times: Sequence) -> list[np.ndarray]:
    """The clips of other subjects than that of clip `number`, in the order of time."""
    return [
        clip[np.argsort(when, kind="stable")]
        for clip, subject, when in zip(clips, subjects, times, strict=False)
        if subject != subjects[number]
    ]


def mixture(kinds: object) -> Mixture:
    """Read a mixture from the YAML's `kinds` list.

    Args:
        kinds: a list whose entries are a type's name, or a mapping with `kind`, `prob` and that type's own settings
            (`amount`, `refit`, and more by type: see its class in `method.occlusion.types`). Entries without `prob`
            share equally what the others leave to 1.

    Returns:
        The mixture.

    Raises:
        ConfigError: an unknown type or setting, a value out of range, or probabilities above 1.
    """
    if not isinstance(kinds, (list, tuple)) or not kinds:
        raise ConfigError(f"Occlusion: kinds: expected a list of kinds, found {kinds!r}")
    names, built, probs = [], [], []
    for entry in kinds:
        settings: Any = {"kind": entry} if isinstance(entry, str) else entry
        if not isinstance(settings, dict) or "kind" not in settings:
            raise ConfigError(f"Occlusion: kinds: expected a name or a mapping with 'kind', found {entry!r}")
        settings = dict(settings)
        name = settings.pop("kind")
        if not isinstance(name, str) or name not in TYPES:
            raise ConfigError(f"Occlusion: unknown kind {name!r}; {nearest(name, TYPES)}")
        probs.append(_probability(name, settings.pop("prob", None)))
        allowed = [setting.name for setting in fields(TYPES[name])]
        for key in settings:
            if key not in allowed:
                raise ConfigError(f"Occlusion: {name}: unknown key {key!r}; {nearest(key, allowed)}")
        try:
            built.append(TYPES[name](**settings))
        except ConfigError as error:
            raise ConfigError(f"Occlusion: {name}: {error}") from None
        names.append(name)
    given = sum(p for p in probs if p is not None)
    if given > 1 + 1e-9:
        raise ConfigError(f"Occlusion: the probabilities add up to {given:g}, more than 1")
    rest = (1 - given) / max(1, probs.count(None))
    return Mixture(tuple(names), tuple(built), tuple(rest if p is None else p for p in probs))


def _probability(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ConfigError(f"Occlusion: {name}: prob: {value!r} is not between 0 and 1")
    return float(value)


def content_rng(frames: np.ndarray, seed: int) -> np.random.Generator:
    """A generator that depends on a clip's frames and one number, and on nothing else.

    So a test clip meets the same occlusion whatever the rank, batch or order; another `seed` is another draw. Only
    which pixels are not black counts, so scaling the values (0–255 or 0–1) changes nothing.

    Args:
        frames: [s, h, w].
        seed: from 0.

    Returns:
        The generator.
    """
    digest = hashlib.blake2b(repr(frames.shape).encode(), digest_size=16)
    digest.update(np.packbits(frames != 0).tobytes())
    return np.random.default_rng([seed, int.from_bytes(digest.digest(), "little")])
