"""Contact sheets: per person a row of frames, to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from opengait_mimic.data.video.crop import Box
from opengait_mimic.walkers.render import SIZE

COLUMNS = 10
ROWS = 20  # strips on a page
_LABEL, _GAP, _LINE = 150, 6, 14
_INK, _PAPER, _PALE = (30, 30, 30), (255, 255, 255), (120, 120, 120)


def shown(count: int) -> list[int]:
    """Which of `count` frames a strip shows: `COLUMNS` of them, evenly."""
    return sorted(set(np.linspace(0, count - 1, min(COLUMNS, count)).round().astype(int).tolist()))


def cutting(picture: np.ndarray, box: Box) -> np.ndarray:
    """The square around a person in a picture uint8 [h, w, 3], as uint8 [64, 64, 3]; black beyond its borders."""
    half = max(1.0, 0.55 * box.height)
    y, x = (box.top + box.bottom) / 2, (box.left + box.right) / 2
    left, top, right, bottom = (round(edge) for edge in (x - half, y - half, x + half, y + half))
    return np.asarray(
        Image.fromarray(picture).crop((left, top, right, bottom)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    )


def strip(title: str, notes: Sequence[str], frames: Sequence[int], sils: np.ndarray, pictures: np.ndarray | None):
    """One person: the cuttings above, the silhouettes below, the frames' numbers under them.

    Args:
        title: the person's name. notes: lines under it. frames: [n] numbers, n at most `COLUMNS`.
        sils: uint8 [n, 64, 64]. pictures: uint8 [n, 64, 64, 3] or None.
    """
    lines = 1 if pictures is None else 2
    size = (_LABEL + COLUMNS * (SIZE + _GAP), lines * (SIZE + 2) + _LINE + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 4), title, fill=_INK)
    for number, note in enumerate(notes, start=1):
        draw.text((_GAP, 4 + number * _LINE), note, fill=_PALE)
    for column, frame in enumerate(frames):
        left, top = _LABEL + column * (SIZE + _GAP), 2
        if pictures is not None:
            sheet.paste(Image.fromarray(pictures[column]), (left, top))
            top += SIZE + 2
        sheet.paste(Image.fromarray(sils[column]), (left, top))
        draw.text((left + SIZE // 2, top + SIZE + 1), str(frame), fill=_PALE, anchor="ma")
    return sheet


def pages(strips: Sequence[Image.Image]) -> list[Image.Image]:
    """Strips one below the other, `ROWS` to a page."""
    made = []
    for first in range(0, len(strips), ROWS):
        part = strips[first : first + ROWS]
        page = Image.new("RGB", (part[0].width, sum(one.height for one in part)), _PAPER)
        top = 0
        for one in part:
            page.paste(one, (0, top))
            top += one.height
        made.append(page)
    return made
