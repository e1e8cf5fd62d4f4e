"""The occlusion types (paper section 4.2, and closer to life): what each hides in every frame of a clip.

Adding one takes a frozen dataclass: a `BoxOcclusion` with a `boxes` method, or a `MaskOcclusion` with a `masks`
method. The `name` in its bases is what a YAML's `kinds` call it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

import numpy as np

from opengait_mimic.errors import ConfigError, nearest
from opengait_mimic.method.occlusion import shapes
from opengait_mimic.method.occlusion.placing import crossing_clip, placed, scale_for, standing

Range = tuple[float, float]
TYPES: dict[str, type[BoxOcclusion] | type[MaskOcclusion]] = {}
"""Every occlusion type by its name in a YAML."""


@dataclass(frozen=True)
class OcclusionType:
    """What every type has; one extends `BoxOcclusion` or `MaskOcclusion`.

    Attributes:
        amount: range of the hidden share of the frame's extent, sampled uniformly once per clip; the paper's R.
        refit: crop each frame to what stays visible and stretch that back over the frame, as a person
            detector's tight box would; otherwise the hidden part is black in place (Figure 1).
    """

    amount: Range = (0.4, 0.6)
    refit: bool = False
    dynamic: ClassVar[bool] = False

    def __init_subclass__(cls, name: str | None = None):
        if name is not None:
            TYPES[name] = cls  # type: ignore[assignment]

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            # A file that imports annotations from __future__ has their text in place of the types.
            if field.type in ("bool", bool) and not isinstance(value, bool):
                raise ConfigError(f"{field.name}: {value!r} is neither true nor false")
            if field.type in ("Range", Range):
                limit = np.inf if field.name == "velocity" else 1.0
                object.__setattr__(self, field.name, _range(field.name, value, limit))


class BoxOcclusion(OcclusionType, ABC):
    """Hides a box in each frame."""

    @abstractmethod
    def boxes(self, rng: np.random.Generator, times: np.ndarray, height: int, width: int) -> np.ndarray:
        """Sample one clip's occluder.

        Args:
            rng: source of all randomness.
            times: [s] number of each frame in its recording; in any order, repeats allowed.
            height: rows of a frame.
            width: columns of a frame.

        Returns:
            int64 [s, 4] (top, bottom, left, right) in pixels, ends exclusive; may reach beyond the frame.
        """


class MaskOcclusion(OcclusionType, ABC):
    """Says pixel by pixel what it hides.

    A type may have a field `merged`: the occluder is taken for a part of the body, as where only the background
    is segmented; otherwise it is black, as where bodies are segmented one by one.

    Attributes:
        crossed_by_people: `masks` draws on clips of other subjects, where there are any.
    """

    crossed_by_people: ClassVar[bool] = False

    @abstractmethod
    def masks(
        self, rng: np.random.Generator, times: np.ndarray, height: int, width: int, others: Sequence[np.ndarray]
    ) -> np.ndarray:
        """Sample one clip's occluder.

        Args:
            rng: source of all randomness.
            times: [s] number of each frame in its recording; in any order, repeats allowed.
            height: rows of a frame.
            width: columns of a frame.
            others: clips of other subjects, each in the order of time; empty where there are none, and for a type
                that is not `crossed_by_people`.

        Returns:
            bool [s, h, w], True where hidden.
        """


def _range(name: str, value: object, limit: float) -> Range:
    """`value` as a (low, high) pair within 0…limit; a single number stands for both."""
    pair: Any = [value, value] if isinstance(value, (int, float)) else value
    ok = (
        isinstance(pair, (list, tuple))
        and len(pair) == 2
        and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in pair)
        and 0 < pair[0] <= pair[1] <= limit
        and np.isfinite(pair[1])
    )
    if not ok:
        upper = "" if limit == np.inf else f" <= {limit:g}"
        raise ConfigError(f"{name}: {value!r} is not a range [low, high] with 0 < low <= high{upper}")
    return float(pair[0]), float(pair[1])


def _pixels(rng: np.random.Generator, share: Range, extent: int) -> int:
    return int(np.clip(round(rng.uniform(*share) * extent), 1, extent))


def _still(times: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    return np.tile(np.array(box, dtype=np.int64), (len(times), 1))


class _Path(NamedTuple):
    """Attributes:
    columns: [s] where an occluder's middle is in each frame. start: its column in the frame that it is drawn for.
    elapsed: [s] frames of the recording since then.
    """

    columns: np.ndarray
    start: float
    elapsed: np.ndarray


def _path(rng: np.random.Generator, times: np.ndarray, height: int, width: int, velocity: Range) -> _Path:
    """Across the frame; at one frame of the clip, drawn at random, at 25–75 % of its width."""
    speed = rng.uniform(*velocity) * height / 64 * rng.choice((-1, 1))
    centre = rng.uniform(0.25, 0.75) * width
    elapsed = np.asarray(times) - rng.choice(times)
    return _Path(centre + speed * elapsed, centre, elapsed)


@dataclass(frozen=True)
class Top(BoxOcclusion, name="top"):
    """The upper part of every frame is hidden."""

    def boxes(self, rng, times, height, width):
        return _still(times, (0, _pixels(rng, self.amount, height), 0, width))


@dataclass(frozen=True)
class Bottom(BoxOcclusion, name="bottom"):
    """The lower part of every frame is hidden."""

    def boxes(self, rng, times, height, width):
        return _still(times, (height - _pixels(rng, self.amount, height), height, 0, width))


@dataclass(frozen=True)
class Middle(BoxOcclusion, name="middle"):
    """A band across the middle of every frame is hidden."""

    def boxes(self, rng, times, height, width):
        band = _pixels(rng, self.amount, height)
        top = (height - band) // 2
        return _still(times, (top, top + band, 0, width))


@dataclass(frozen=True)
class Left(BoxOcclusion, name="left"):
    """The left part of every frame is hidden."""

    def boxes(self, rng, times, height, width):
        return _still(times, (0, height, 0, _pixels(rng, self.amount, width)))


@dataclass(frozen=True)
class Right(BoxOcclusion, name="right"):
    """The right part of every frame is hidden."""

    def boxes(self, rng, times, height, width):
        return _still(times, (0, height, width - _pixels(rng, self.amount, width), width))


@dataclass(frozen=True)
class _Moving(BoxOcclusion):
    """An occluder that crosses the frame, from either side, at a random time.

    At one frame of the clip, chosen at random, the occluder's middle is at a random column between a quarter and three
    quarters of the frame's width, so that every clip is hit; from there it moves in real frame time.
    """

    velocity: Range = (0.5, 2.0)
    dynamic: ClassVar[bool] = True

    def rows(self, rng: np.random.Generator, height: int) -> tuple[int, int]:  # noqa: ARG002
        """The hidden rows (top, bottom)."""
        return 0, height

    def boxes(self, rng, times, height, width):
        breadth = _pixels(rng, self.amount, width)
        top, bottom = self.rows(rng, height)
        left = np.round(_path(rng, times, height, width, self.velocity).columns - breadth / 2).astype(np.int64)
        boxes = _still(times, (top, bottom, 0, 0))
        boxes[:, 2], boxes[:, 3] = left, left + breadth
        return boxes


@dataclass(frozen=True)
class MovingPatch(_Moving, name="moving_patch"):
    """A rectangle crosses the frame like the pole, at a random height.

    Attributes:
        amount: range of the width, as a share of the frame's width.
        velocity: range of the speed in pixels per frame, for a frame 64 pixels high.
        height: range of the patch's height, as a share of the frame's height.
    """

    height: Range = (0.3, 0.5)

    def rows(self, rng, height):
        extent = _pixels(rng, self.height, height)
        top = int(rng.integers(0, height - extent + 1))
        return top, top + extent


@dataclass(frozen=True)
class MovingPole(_Moving, name="moving_pole"):
    """A pole over the full height crosses the frame.

    Attributes:
        amount: range of the width, as a share of the frame's width.
        velocity: range of the speed in pixels per frame, for a frame 64 pixels high.
    """


@dataclass(frozen=True)
class CrossingPerson(MaskOcclusion, name="crossing_person"):
    """Another subject walks through in front: a clip of the batch, or a generated walker.

    Moves like the pole; the other's own steps go on in real frame time, too. The other's middle is at a random height
    within the middle half of the frame.

    Attributes:
        amount: range of the other's width (the median over its frames), as a share of the frame's width.
        velocity: range of the speed in pixels per frame, for a frame 64 pixels high.
    """

    velocity: Range = (0.5, 2.0)
    merged: bool = False
    dynamic: ClassVar[bool] = True
    crossed_by_people: ClassVar[bool] = True

    def masks(self, rng, times, height, width, others):
        person = crossing_clip(rng, others)
        breadth = max(4, _pixels(rng, self.amount, width))
        middle = rng.uniform(0.25, 0.75) * height
        path = _path(rng, times, height, width, self.velocity)
        person = person[:, :, ::-1] if rng.random() < 0.5 else person
        columns = person.any(1)
        extent = columns.shape[1] - columns.argmax(1) - columns[:, ::-1].argmax(1)
        scale = breadth / np.median(extent)
        tall, broad = person.shape[1:]
        steps = person[path.elapsed % len(person)]
        same = np.ones(len(steps))
        return placed(steps, scale * same, (middle - tall * scale / 2) * same, path.columns - broad * scale / 2,
                      height, width)  # fmt: skip


@dataclass(frozen=True)
class Outline(MaskOcclusion, name="outline"):
    """The person walks behind something that stands on the frame's lower edge and moves past like the pole.

    Attributes:
        amount: range of the share of the frame's area that it hides where its middle is in the middle half of the
            frame.
        shapes: which of the generated library: car, bush, railing, post, tree, patches (blots all over the frame).
        folder: of masks (pictures, white where they hide) to draw from instead.
        velocity: range of the speed in pixels per frame, for a frame 64 pixels high.
    """

    shapes: tuple[str, ...] = shapes.SHAPES
    folder: str | None = None
    velocity: Range = (0.5, 2.0)
    merged: bool = False
    dynamic: ClassVar[bool] = True

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.shapes, (list, tuple)) or not self.shapes:
            raise ConfigError(f"shapes: expected a list of some of {', '.join(shapes.SHAPES)}, found {self.shapes!r}")
        for shape in self.shapes:
            if shape not in shapes.SHAPES:
                raise ConfigError(f"shapes: unknown shape {shape!r}; {nearest(shape, shapes.SHAPES)}")
        object.__setattr__(self, "shapes", tuple(self.shapes))
        if self.folder is not None:
            if not isinstance(self.folder, str) or not self.folder:
                raise ConfigError(f"folder: {self.folder!r} is no path of a folder")
            shapes.folder_of_masks(self.folder)

    def masks(self, rng, times, height, width, others):  # noqa: ARG002
        if self.folder is None:
            choices = shapes.library()[self.shapes[int(rng.integers(len(self.shapes)))]]
        else:
            choices = shapes.folder_of_masks(self.folder)
        outline = choices[int(rng.integers(len(choices)))]
        outline = outline[:, ::-1] if rng.random() < 0.5 else outline
        amount = rng.uniform(*self.amount)
        path = _path(rng, times, height, width, self.velocity)
        scale = scale_for(outline, amount, path.start, height, width)
        return standing(outline, np.full(len(path.columns), scale), path.columns, height, width)


@dataclass(frozen=True)
class DetectorCut(MaskOcclusion, name="detector_cut"):
    """The detector's box is too small: head, feet or arms are cut off, in every frame a little differently.

    With `refit` the box fills the frame, as it does in a data set made of such boxes.

    Attributes:
        amount: range of the share of the frame's area that the box leaves out, before it jitters.
        jitter: range of the standard deviation of the box's four sides from frame to frame, as a share of the
            frame's extent.
    """

    jitter: Range = (0.01, 0.04)

    def masks(self, rng, times, height, width, others):  # noqa: ARG002
        kept, split = 1 - rng.uniform(*self.amount), rng.random()
        spread = rng.uniform(*self.jitter)
        moments, which = np.unique(times, return_inverse=True)
        hidden = []
        for extent, share in ((height, kept**split), (width, kept ** (1 - split))):
            start = rng.random() * (1 - share)
            edges = np.array([start, start + share]) + rng.normal(0, spread, (len(moments), 2))
            first, last = np.round(edges * extent).astype(np.int64)[which].T
            first = first.clip(0, extent - 1)[:, None]
            last = last[:, None].clip(first + 1, extent)
            place = np.arange(extent)
            hidden.append((place < first) | (place >= last))
        return hidden[0][:, :, None] | hidden[1][:, None, :]
