"""Outlines of things people walk behind: a small generated library, or a folder of masks."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, UnidentifiedImageError

from opengait_mimic.errors import ConfigError

SIZE = 128  # rows of a generated outline
_PICTURES = (".png", ".bmp", ".pgm", ".tif", ".tiff", ".jpg", ".jpeg")
_FORMATS = ("PNG", "BMP", "PPM", "TIFF", "JPEG")  # by content: Pillow starts a program for others (EPS)
_VARIANTS = 6  # of the shapes that grow at random


def _filled(width: int, *polygons: list[tuple[float, float]]) -> np.ndarray:
    """Polygons of (x, y) in shares of a picture of SIZE rows and `width` columns, y downwards."""
    picture = Image.new("1", (width, SIZE))
    draw = ImageDraw.Draw(picture)
    for polygon in polygons:
        draw.polygon([(x * width, y * SIZE) for x, y in polygon], fill=1)
    return np.asarray(picture)


def _bar(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _round(rng: np.random.Generator, x: float, y: float, across: float, down: float, rough: float) -> list:
    """A closed curve around (x, y) whose radius wavers by four harmonics."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    order = np.arange(2, 6)[:, None]
    waves = rng.normal(0, rough, (4, 1)) * np.cos(order * angle + rng.uniform(0, 2 * np.pi, (4, 1)))
    radius = 1 + waves.sum(0)
    return list(zip(x + across * radius * np.cos(angle), y + down * radius * np.sin(angle), strict=True))


def _car(rng: np.random.Generator) -> np.ndarray:
    """From the side: bonnet, windscreen, roof, boot, two wheels."""
    roof, bonnet = rng.uniform(0.0, 0.1), rng.uniform(0.35, 0.5)
    body = [
        (0.0, 0.55), (0.02, bonnet), (0.25, bonnet), (0.38, roof), (0.72, roof), (0.88, bonnet), (0.99, bonnet),
        (1.0, 0.86), (0.0, 0.86),
    ]  # fmt: skip
    wheels = [_round(rng, x, 0.85, 0.075, 0.15, 0.0) for x in (0.2, 0.8)]
    return _filled(3 * SIZE, body, *wheels)


def _bush(rng: np.random.Generator) -> np.ndarray:
    crown = _round(rng, 0.5, 0.5, 0.42, 0.42, 0.07)
    return _filled(round(rng.uniform(0.7, 1.6) * SIZE), crown, _bar(0.25, 0.5, 0.75, 1.0))


def _railing(rng: np.random.Generator) -> np.ndarray:
    """Two rails and posts, which hide from a half to nine tenths of what is behind them."""
    posts, share, rail = 16, rng.uniform(0.4, 0.7), rng.uniform(0.12, 0.25)
    bars = [_bar(n / posts, 0, (n + share) / posts, 1) for n in range(posts)]
    return _filled(4 * SIZE, *bars, _bar(0, 0, 1, rail), _bar(0, 1 - 1.5 * rail, 1, 1 - 0.5 * rail))


def _post(rng: np.random.Generator) -> np.ndarray:
    """A lamp post, or one with a sign on it."""
    polygons = [_bar(0.4, 0, 0.6, 1)]
    if rng.random() < 0.5:
        top = rng.uniform(0, 0.5)
        polygons.append(_bar(0, top, 1, top + rng.uniform(0.1, 0.3)))
    return _filled(SIZE // 2, *polygons)


def _tree(rng: np.random.Generator) -> np.ndarray:
    crown = _round(rng, 0.5, 0.3, 0.44, 0.27, 0.05)
    half = rng.uniform(0.05, 0.12)
    return _filled(SIZE, crown, _bar(0.5 - half, 0.3, 0.5 + half, 1))


def _patches(rng: np.random.Generator) -> np.ndarray:
    """Blots, as where the body has the background's colour."""
    blots = []
    for _ in range(rng.integers(10, 17)):
        x, y = rng.uniform(0.05, 0.95, 2)
        across, along = rng.uniform(0.08, 0.24, 2)
        blots.append(_round(rng, x, y, across, along, 0.1))
    return _filled(SIZE, *blots)


_DRAWN = {"car": _car, "bush": _bush, "railing": _railing, "post": _post, "tree": _tree, "patches": _patches}
SHAPES = tuple(_DRAWN)


@lru_cache(maxsize=1)
def library() -> dict[str, tuple[np.ndarray, ...]]:
    """The generated outlines: shape -> variants, bool [128, w], True where they hide; the same in every process."""
    return {
        name: tuple(_tight(draw(np.random.default_rng([number, variant]))) for variant in range(_VARIANTS))
        for number, (name, draw) in enumerate(_DRAWN.items())
    }


@lru_cache(maxsize=8)
def folder_of_masks(folder: str) -> tuple[np.ndarray, ...]:
    """The masks of a folder, in the order of their names: bool [h, w], True where a pixel is brighter than half.

    Raises:
        ConfigError: no such folder, no picture in it, or a picture that cannot be read or is black.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ConfigError(f"folder: {folder}: no such folder")
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in _PICTURES and file.name[0] != ".")
    if not files:
        raise ConfigError(f"folder: {folder}: no picture in it ({', '.join(_PICTURES)})")
    masks = []
    for file in files:
        try:
            with Image.open(file, formats=_FORMATS) as picture:
                mask = np.asarray(picture.convert("L")) > 127
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise ConfigError(f"folder: {file}: cannot be read as a picture: {error}") from None
        if not mask.any():
            raise ConfigError(f"folder: {file}: all black; a mask is white where it hides")
        masks.append(_tight(mask))
    return tuple(masks)


def _tight(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.ascontiguousarray(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
