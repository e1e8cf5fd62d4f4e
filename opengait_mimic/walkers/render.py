"""From a moving skeleton to silhouettes: flesh as tapered capsules, pixels as scan-line spans.

Space is metres with x to the walker's left, y up and z along the walking direction. A view is the camera's
angle around the walker in degrees: 0 looks into the face, 90 from the right-hand side (the walk goes to the
right of the picture), 180 from behind. The projection is orthographic.

A silhouette row is 64 pixels, which is one 64-bit word: every capsule covers one span of a row, spans become
words, and the body is the bitwise or of its capsules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

JOINTS = (
    "pelvis", "spine", "neck", "head",
    "l_shoulder", "l_elbow", "l_wrist", "r_shoulder", "r_elbow", "r_wrist",
    "l_hip", "l_knee", "l_ankle", "l_toe", "r_hip", "r_knee", "r_ankle", "r_toe",
)  # fmt: skip
SIZE = 64
WIDTHS = (64, 44)
RADII = ("head", "neck", "chest", "waist", "pelvis", "upper_arm", "forearm", "thigh", "calf", "foot")
BAGS = ("backpack", "shoulder bag", "hand bag")

_INDEX = {name: number for number, name in enumerate(JOINTS)}
_ROWS = np.arange(SIZE, dtype=np.float32) + 0.5
_NOWHERE = np.float32(1e6)
_FROM_COLUMN = np.array([(1 << (SIZE - column)) - 1 for column in range(SIZE + 1)], dtype=np.uint64)
_FRAMES_AT_ONCE = 24  # keeps the working arrays of one block in the processor's cache


@dataclass(frozen=True)
class Build:
    """Thickness of a body: radii in metres, for a stature of about 1.7 m, and what it carries and wears."""

    head: float = 0.085
    neck: float = 0.055
    chest: float = 0.105
    waist: float = 0.098
    pelvis: float = 0.105
    upper_arm: float = 0.045
    forearm: float = 0.036
    thigh: float = 0.075
    calf: float = 0.050
    foot: float = 0.034
    coat: bool = False
    bag: str | None = None
    bag_size: float = 0.10


@dataclass(frozen=True)
class Noise:
    """What segmentation and detection add to a silhouette.

    Args:
        edge: standard deviation of a row's left and right edge, pixels.
        holes: mean number of holes per frame.
        crop: standard deviation of the top, bottom and centre of the detection box, pixels.
    """

    edge: float = 0.3
    holes: float = 0.4
    crop: float = 0.35


CLEAN = Noise(0.0, 0.0, 0.0)
NOISY = Noise()


@dataclass(frozen=True)
class Capsules:
    """Hulls of two spheres each: start, end float32 [s, c, 3] in metres; radii float32 [c] in metres."""

    start: np.ndarray
    end: np.ndarray
    start_radius: np.ndarray
    end_radius: np.ndarray


def flesh(positions: np.ndarray, build: Build) -> Capsules:
    """Put a body around a skeleton.

    Args:
        positions: joints as listed in `JOINTS`, metres, [s, 18, 3], y up.
        build: radii, clothing and bag.

    Returns:
        Capsules, 20 for a plain body, more with coat and bag.

    Raises:
        ValueError: positions are not [s, 18, 3], or the bag is unknown.
    """
    positions = np.asarray(positions, dtype=np.float32)
    if positions.ndim != 3 or positions.shape[1:] != (len(JOINTS), 3):
        raise ValueError(f"positions must be [s, {len(JOINTS)}, 3], found {list(positions.shape)}")
    if build.bag is not None and build.bag not in BAGS:
        raise ValueError(f"bag is {build.bag!r}, allowed are {', '.join(BAGS)}")
    at = {name: positions[:, number] for name, number in _INDEX.items()}
    head_start = at["head"] - 0.7 * build.head * _unit(at["head"] - at["neck"])
    forward = _unit(np.cross(at["l_hip"] - at["r_hip"], at["neck"] - at["pelvis"]))
    hip_centre = (at["l_hip"] + at["r_hip"]) / 2
    belly = (at["spine"] + at["pelvis"]) / 2 + 0.015 * forward

    parts = [
        (at["head"], head_start, build.head, 0.86 * build.head),
        (head_start, at["neck"], build.neck, 1.1 * build.neck),
        (at["neck"], belly, 0.9 * build.chest, build.waist),
        (belly, hip_centre, build.waist, build.pelvis),
        (at["l_shoulder"], at["r_shoulder"], 1.3 * build.upper_arm, 1.3 * build.upper_arm),
        (at["l_hip"], at["r_hip"], 0.95 * build.pelvis, 0.95 * build.pelvis),
    ]
    for side in "lr":
        shoulder, elbow, wrist = at[f"{side}_shoulder"], at[f"{side}_elbow"], at[f"{side}_wrist"]
        hip, knee, ankle, toe = (at[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "toe"))
        chest = shoulder + 0.45 * (at["neck"] - shoulder) + 0.2 * (at["pelvis"] - at["neck"])
        hand = wrist + 2.2 * build.forearm * _unit(wrist - elbow)
        sole = toe - ankle
        heel = ankle - 0.3 * sole + np.array([0, -0.6 * build.foot, 0], np.float32)
        parts += [
            (chest, hip, build.chest, 0.9 * build.pelvis),
            (shoulder, elbow, 1.15 * build.upper_arm, 0.85 * build.upper_arm),
            (elbow, wrist, build.forearm, 0.75 * build.forearm),
            (wrist, hand, 0.8 * build.forearm, build.forearm),
            (hip, knee, 1.1 * build.thigh, 0.75 * build.thigh),
            (knee, ankle, build.calf, 0.65 * build.calf),
            (heel, toe + 0.2 * sole, build.foot, 0.75 * build.foot),
        ]
        if build.coat:
            parts.append((hip, hip + 0.7 * (knee - hip), 1.1 * build.pelvis, 1.45 * build.thigh))
    size = build.bag_size
    if build.bag == "backpack":
        top, low = 0.8 * at["neck"] + 0.2 * at["spine"], at["spine"] - 0.3 * (at["spine"] - at["pelvis"])
        back = (build.chest + 0.35 * size) * forward
        parts.append((top - back, low - back, 0.8 * size, size))
    elif build.bag == "shoulder bag":
        side = _unit(at["r_hip"] - at["l_hip"])
        place = at["r_hip"] + (build.pelvis + 0.3 * size) * side - 0.05 * forward
        parts.append((place - 0.5 * size * forward, place + 0.5 * size * forward, 0.8 * size, 0.8 * size))
    elif build.bag == "hand bag":
        hand = at["r_wrist"] + 2 * build.forearm * _unit(at["r_wrist"] - at["r_elbow"])
        drop = np.array([0, -0.9 * size, 0], np.float32)
        parts.append((hand, hand + drop, 0.2 * size, 0.8 * size))

    starts, ends, start_radii, end_radii = zip(*parts, strict=True)
    start, end = (np.stack(points, axis=1).astype(np.float32) for points in (starts, ends))
    return Capsules(start, end, np.array(start_radii, np.float32), np.array(end_radii, np.float32))


def silhouettes(
    body: Capsules, view: float, width: int = 64, noise: Noise = CLEAN, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Render a body and normalise it the way the field does.

    Each frame's visible body is cropped to its vertical extent, scaled to 64 rows with its aspect kept, and
    shifted so that the column where half of its pixels are reached is column 32 of 64 (22 of 44). What then
    lies outside of the picture is lost.

    Args:
        body: s frames of capsules, facing +z (see the module's text).
        view: camera angle in degrees.
        width: 64, or 44 for the centre 44 columns of the same picture.
        noise: `CLEAN` or what to add.
        rng: where the noise comes from; needed unless the noise is clean.

    Returns:
        uint8 [s, 64, width], 0 or 255.

    Raises:
        ValueError: another width, no frames, or noise without a generator.
    """
    if width not in WIDTHS:
        raise ValueError(f"width is {width}, allowed are 64 and 44")
    if rng is None:
        if noise != CLEAN:
            raise ValueError("noise needs a generator: pass rng=numpy.random.default_rng(seed)")
        rng = np.random.default_rng()  # of which nothing is drawn
    if not len(body.start):
        raise ValueError("no frames to render")
    blocks = []
    for first in range(0, len(body.start), _FRAMES_AT_ONCE):
        part = slice(first, first + _FRAMES_AT_ONCE)
        block = Capsules(body.start[part], body.end[part], body.start_radius, body.end_radius)
        blocks.append(_render_block(block, view, noise, rng))
    margin = (SIZE - width) // 2
    return np.ascontiguousarray(np.concatenate(blocks)[:, :, margin : SIZE - margin])


def _render_block(body: Capsules, view: float, noise: Noise, rng: np.random.Generator) -> np.ndarray:
    angle = np.deg2rad(view)
    across = np.array([np.cos(angle), 0, np.sin(angle)], np.float32)
    frames = len(body.start)

    start_x, end_x = body.start @ across, body.end @ across
    start_y, end_y = body.start[..., 1], body.end[..., 1]
    top = np.maximum(start_y + body.start_radius, end_y + body.end_radius).max(1)
    bottom = np.minimum(start_y - body.start_radius, end_y - body.end_radius).min(1)
    shift = np.zeros(frames, dtype=np.int64)
    if noise.crop:
        pixel = (top - bottom) / SIZE
        up, down, sideways = noise.crop * rng.standard_normal((3, frames), dtype=np.float32)
        top, bottom = top + up * pixel, bottom + down * pixel
        shift = np.rint(sideways).astype(np.int64)
    scale = (SIZE / (top - bottom))[:, None]
    weight = body.start_radius + body.end_radius
    centre = (((start_x + end_x) / 2) @ weight / weight.sum())[:, None]

    a = ((start_x - centre) * scale + SIZE / 2, (top[:, None] - start_y) * scale, body.start_radius * scale)
    b = ((end_x - centre) * scale + SIZE / 2, (top[:, None] - end_y) * scale, body.end_radius * scale)
    left, right = _spans(a, b)
    if noise.edge:
        wobble = noise.edge * rng.standard_normal((2, frames, 1, SIZE), dtype=np.float32)
        left, right = left + wobble[0], right + wobble[1]
    words = np.bitwise_or.reduce(_words(left, right), axis=1)

    if noise.holes:
        words &= ~_holes(a, b, noise.holes, rng)
    columns = _unpack(words).sum(axis=1, dtype=np.int32).cumsum(axis=1)
    median = (columns * 2 < columns[:, -1:]).sum(axis=1)
    return _unpack(_shifted(words, SIZE // 2 - median + shift)) * np.uint8(255)


def _spans(a: tuple[np.ndarray, ...], b: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Left and right end [s, c, 64] of every row's cut through the hull of two discs (x, y, radius: [s, c]).

    A hull is two discs and their two outer tangents; it is convex, so the extremes of their cuts bound it.
    """
    (ax, ay, ar), (bx, by, br) = ([value[..., None] for value in disc] for disc in (a, b))
    half_a, half_b = _half_chord(ay, ar), _half_chord(by, br)
    left = np.minimum(ax - half_a, bx - half_b)
    right = np.maximum(ax + half_a, bx + half_b)

    dx, dy = bx - ax, by - ay
    distance = np.maximum(np.hypot(dx, dy), np.float32(1e-4))
    dx, dy = dx / distance, dy / distance
    lean = np.clip((ar - br) / distance, -1, 1)  # +-1: one disc holds the other and there is no tangent
    straight = np.sqrt(1 - lean * lean)
    for sign in (-1, 1):
        nx, ny = dx * lean - sign * dy * straight, dy * lean + sign * dx * straight
        x0, y0, x1, y1 = ax + ar * nx, ay + ar * ny, bx + br * nx, by + br * ny
        steep = y1 - y0
        steep = np.where(np.abs(steep) < 1e-4, np.float32(1e-4), steep)
        slope = (x1 - x0) / steep
        x = (x0 - slope * y0) + slope * _ROWS
        beyond = np.abs(_ROWS - (y0 + y1) / 2) > np.abs(steep) / 2
        np.minimum(left, np.where(beyond, _NOWHERE, x), out=left)
        np.maximum(right, np.where(beyond, -_NOWHERE, x), out=right)
    return left, right


def _half_chord(y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    height = _ROWS - y
    square = radius * radius - height * height
    return np.where(square < 0, -_NOWHERE, np.sqrt(np.maximum(square, 0)))


def _words(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Pixels whose centre lies between left and right, as 64-bit words, column 0 the highest bit."""
    first = np.ceil(np.clip(left, 0, SIZE) - 0.5).astype(np.intp)
    after = np.floor(np.clip(right, 0, SIZE) + 0.5).astype(np.intp)
    return _FROM_COLUMN[first] & ~_FROM_COLUMN[after]


def _holes(
    a: tuple[np.ndarray, ...], b: tuple[np.ndarray, ...], per_frame: float, rng: np.random.Generator
) -> np.ndarray:
    """Words [s, 64] of small discs around random points on the capsules' axes."""
    frames, capsules = a[0].shape
    words = np.zeros((frames, SIZE), dtype=np.uint64)
    count = int(rng.poisson(per_frame * frames))
    frame, capsule = rng.integers(frames, size=count), rng.integers(capsules, size=count)
    along, radius = rng.random(count), rng.uniform(0.8, 2.6, size=count)
    x, y = (a[i][frame, capsule] * (1 - along) + b[i][frame, capsule] * along for i in (0, 1))
    half = _half_chord(y[:, None], radius[:, None])
    np.bitwise_or.at(words, frame, _words(x[:, None] - half, x[:, None] + half))
    return words


def _unpack(words: np.ndarray) -> np.ndarray:
    """Words [s, 64] to 0/1 pixels uint8 [s, 64, 64]."""
    return np.unpackbits(words.astype(">u8").view(np.uint8).reshape(len(words), SIZE, 8), axis=2)


def _shifted(words: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Words [s, 64] moved to the right by columns [s] (negative: to the left)."""
    right = np.clip(columns, 0, SIZE - 1).astype(np.uint64)[:, None]
    left = np.clip(-columns, 0, SIZE - 1).astype(np.uint64)[:, None]
    return (words >> right) << left


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32(1e-6))
