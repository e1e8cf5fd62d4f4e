"""The kinds of occlusion (paper section 4.2): each one says which box is hidden in each frame of a clip.

A box is (top, bottom, left, right) in pixels, ends exclusive, and may reach beyond the frame.
Adding a kind is one frozen dataclass with a `boxes` method and one entry in `KINDS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from opengait_mimic.errors import ConfigError

Range = tuple[float, float]


@dataclass(frozen=True)
class Kind(ABC):
    """What every kind has.

    Attributes:
        amount: range of the hidden share of the frame's extent, drawn uniformly once per clip; the paper's R.
        refit: crop each frame to what stays visible and stretch that back over the frame, as a person
            detector's tight box would; otherwise the hidden part is painted black in place (Figure 1).
    """

    amount: Range = (0.4, 0.6)
    refit: bool = False
    dynamic: ClassVar[bool] = False

    @abstractmethod
    def boxes(self, rng: np.random.Generator, times: np.ndarray, height: int, width: int) -> np.ndarray:
        """Draw one clip's occluder.

        Args:
            rng: source of all randomness.
            times: [s] number of each frame in its recording; in any order, repeats allowed.
            height, width: size of a frame in pixels.
        Returns:
            [s, 4] int64 boxes.
        """

    def __post_init__(self):
        if not isinstance(self.refit, bool):
            raise ConfigError(f"refit: {self.refit!r} is neither true nor false")
        for field in fields(self):
            if field.name != "refit":
                limit = np.inf if field.name == "velocity" else 1.0
                object.__setattr__(self, field.name, _range(field.name, getattr(self, field.name), limit))


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


@dataclass(frozen=True)
class Top(Kind):
    """The upper part of every frame is hidden."""

    def boxes(self, rng, times, height, width):
        return _still(times, (0, _pixels(rng, self.amount, height), 0, width))


@dataclass(frozen=True)
class Bottom(Kind):
    """The lower part of every frame is hidden."""

    def boxes(self, rng, times, height, width):
        return _still(times, (height - _pixels(rng, self.amount, height), height, 0, width))


@dataclass(frozen=True)
class Middle(Kind):
    """A band across the middle of every frame is hidden."""

    def boxes(self, rng, times, height, width):
        band = _pixels(rng, self.amount, height)
        top = (height - band) // 2
        return _still(times, (top, top + band, 0, width))


@dataclass(frozen=True)
class Left(Kind):
    """The left part of every frame is hidden."""

    def boxes(self, rng, times, height, width):
        return _still(times, (0, height, 0, _pixels(rng, self.amount, width)))


@dataclass(frozen=True)
class Right(Kind):
    """The right part of every frame is hidden."""

    def boxes(self, rng, times, height, width):
        return _still(times, (0, height, width - _pixels(rng, self.amount, width), width))


@dataclass(frozen=True)
class MovingPole(Kind):
    """A pole over the full height crosses the frame, from either side, at a random time.

    The occluder covers the middle half of the frame at one frame of the clip, drawn at random, so every clip
    it is planned for is hit; from there it moves in real frame time.

    Attributes:
        amount: range of the width, as a share of the frame's width.
        velocity: range of the speed in pixels per frame, for a frame 64 pixels high.
    """

    velocity: Range = (0.5, 2.0)
    dynamic: ClassVar[bool] = True

    def vertical(self, rng: np.random.Generator, height: int) -> tuple[int, int]:
        """The hidden rows (top, bottom)."""
        return 0, height

    def boxes(self, rng, times, height, width):
        breadth = _pixels(rng, self.amount, width)
        top, bottom = self.vertical(rng, height)
        speed = rng.uniform(*self.velocity) * height / 64 * rng.choice((-1, 1))
        centre = rng.uniform(0.25, 0.75) * width
        elapsed = np.asarray(times) - rng.choice(times)
        left = np.round(centre + speed * elapsed - breadth / 2).astype(np.int64)
        boxes = _still(times, (top, bottom, 0, 0))
        boxes[:, 2], boxes[:, 3] = left, left + breadth
        return boxes


@dataclass(frozen=True)
class MovingPatch(MovingPole):
    """A rectangle crosses the frame like the pole, at a random height.

    Attributes:
        height: range of the patch's height, as a share of the frame's height.
    """

    height: Range = (0.3, 0.5)

    def vertical(self, rng, height):
        extent = _pixels(rng, self.height, height)
        top = int(rng.integers(0, height - extent + 1))
        return top, top + extent


KINDS: dict[str, type[Kind]] = {
    "top": Top,
    "bottom": Bottom,
    "middle": Middle,
    "left": Left,
    "right": Right,
    "moving_patch": MovingPatch,
    "moving_pole": MovingPole,
}
