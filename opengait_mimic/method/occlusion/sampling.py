"""Plan: which kind of occlusion hides what in which clip of a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from opengait_mimic.errors import ConfigError, nearest
from opengait_mimic.method.occlusion.types import KINDS, BoxKind, OutlineKind

CLEAN = "clean"


@dataclass(frozen=True)
class Plan:
    """The occlusions of n clips with f frames in all; also the labels the VEN learns from.

    Attributes:
        kind: [n] int64, index into the mixture's `classes`; 0 is clean.
        amount: [n] float32, occluded share of the frame area, mean over the clip's frames; 0 when clean.
        boxes: [f, 4] int64 (top, bottom, left, right), clip after clip, within the frame; empty where clean and
            where an outline hides.
        refit: [f] bool, whether the frame is cropped to its visible part.
        masked: [m] int64, the frames hidden by an outline, ascending. masks: [m, h, w] bool, what it hides.
        merged: [m] bool, whether it is taken for a part of the body (bright) or not (black).
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
    """Kinds of occlusion with their probabilities; what is left to 1 stays clean.

    The same kind may stand in it several times (for example with and without `refit`).

    Attributes:
        names, kinds, probs: the entries, side by side.
        known: names that come first among the classes, so that another mixture's labels mean the same.
    """

    names: tuple[str, ...]
    kinds: tuple[BoxKind | OutlineKind, ...]
    probs: tuple[float, ...]
    known: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes a VEN distinguishes: clean, then the kinds in their order."""
        return (CLEAN, *dict.fromkeys((*self.known, *self.names)))

    @property
    def dynamic(self) -> bool:
        """Whether any kind moves, so that the order of the frames matters."""
        return any(kind.dynamic for kind in self.kinds)

    @property
    def crossed(self) -> bool:
        """Whether other people of the batch walk through, so that `plan` has a use for them."""
        return any(isinstance(kind, OutlineKind) and kind.crossed_by_people for kind in self.kinds)

    def plan(
        self,
        rngs: Sequence[np.random.Generator],
        times: Sequence[np.ndarray],
        height: int,
        width: int,
        clips: Sequence[np.ndarray] = (),
        subjects: Sequence[object] = (),
    ) -> Plan:
        """Draw an occlusion for each clip of a batch.

        Args:
            rngs: one generator per clip (the same object for all, or one per clip).
            times: for each clip, [s_i] the number of each frame in its recording.
            height, width: size of a frame in pixels.
            clips, subjects: the clips [s_i, h', w'] themselves and who walks in them, for a person who crosses; a
                clip without another subject beside it, or without `clips`, is crossed by a generated walker.
        """
        classes = self.classes
        cumulative = np.cumsum(self.probs)
        kinds, boxes, refits, hidden = [], [], [], []
        masked, masks, merged = [np.zeros(0, np.int64)], [np.zeros((0, height, width), bool)], [np.zeros(0, bool)]
        first = 0
        for number, (rng, clip_times) in enumerate(zip(rngs, times, strict=True)):
            choice = int(np.searchsorted(cumulative, rng.random(), side="right"))
            kind = self.kinds[choice] if choice < len(self.kinds) else None
            clip, frames, by_mask = np.zeros((len(clip_times), 4), dtype=np.int64), len(clip_times), 0.0
            if isinstance(kind, OutlineKind):
                others = _others(number, clips, subjects, times) if kind.crossed_by_people else []
                mask = kind.masks(rng, np.asarray(clip_times), height, width, others)
                by_mask = mask.mean()
                if by_mask:
                    masked.append(np.arange(first, first + frames))
                    masks.append(mask)
                    merged.append(np.full(frames, getattr(kind, "merged", False)))
            elif kind is not None:
                clip = kind.boxes(rng, np.asarray(clip_times), height, width)
            kinds.append(0 if kind is None else classes.index(self.names[choice]))
            refits.append(kind is not None and kind.refit)
            boxes.append(clip)
            hidden.append(by_mask)
            first += frames
        lengths = [len(clip) for clip in boxes]
        clipped = np.clip(np.concatenate(boxes), 0, (height, height, width, width))
        area = (clipped[:, 1] - clipped[:, 0]) * (clipped[:, 3] - clipped[:, 2])
        by_box = np.add.reduceat(area, np.cumsum([0, *lengths[:-1]])) / lengths / (height * width)
        amount = hidden + by_box  # of a clip, one of them is 0
        # Where nothing is hidden after all the clip is clean.
        return Plan(
            kind=np.where(amount > 0, np.array(kinds, dtype=np.int64), 0),
            amount=amount.astype(np.float32),
            boxes=clipped,
            refit=np.repeat(refits & (amount > 0), lengths),
            masked=np.concatenate(masked),
            masks=np.concatenate(masks),
            merged=np.concatenate(merged),
        )


def _others(number: int, clips: Sequence[np.ndarray], subjects: Sequence, times: Sequence) -> list[np.ndarray]:
    """The clips of other subjects than that of clip `number`, in the order of time."""
    return [
        clip[np.argsort(when, kind="stable")]
        for clip, subject, when in zip(clips, subjects, times, strict=False)
        if subject != subjects[number]
    ]


def mixture(kinds: object) -> Mixture:
    """A mixture from the YAML's `kinds` list.

    Each entry is a kind's name, or a mapping with `kind`, `prob` and that kind's own settings (`amount`, `refit`, and
    more by kind: see its class in `method.occlusion.types`). Entries without `prob` share equally what the
    others leave to 1.

    Raises:
        ConfigError: unknown kind or setting, a value out of range, or probabilities above 1.
    """
    if not isinstance(kinds, (list, tuple)) or not kinds:
        raise ConfigError(f"Occlusion: kinds: expected a list of kinds, found {kinds!r}")
    names, built, probs = [], [], []
    for entry in kinds:
        entry = {"kind": entry} if isinstance(entry, str) else entry
        if not isinstance(entry, dict) or "kind" not in entry:
            raise ConfigError(f"Occlusion: kinds: expected a name or a mapping with 'kind', found {entry!r}")
        settings = dict(entry)
        name = settings.pop("kind")
        if not isinstance(name, str) or name not in KINDS:
            raise ConfigError(f"Occlusion: unknown kind {name!r}; {nearest(name, KINDS)}")
        probs.append(_probability(name, settings.pop("prob", None)))
        allowed = [setting.name for setting in fields(KINDS[name])]
        for key in settings:
            if key not in allowed:
                raise ConfigError(f"Occlusion: {name}: unknown key {key!r}; {nearest(key, allowed)}")
        try:
            built.append(KINDS[name](**settings))
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

    So a test clip meets the same occlusion whatever the rank, batch or order; another `seed` is another draw.
    Only which pixels are not black counts, so scaling the values (0–255 or 0–1) changes nothing.
    """
    digest = hashlib.blake2b(repr(frames.shape).encode(), digest_size=16)
    digest.update(np.packbits(frames != 0).tobytes())
    return np.random.default_rng([seed, int.from_bytes(digest.digest(), "little")])
