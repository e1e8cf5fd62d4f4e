"""Contact sheets: per person a row of frames, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from PIL import Image, ImageDraw

from opengait_mimic.data.progress import number_of
from opengait_mimic.data.video.crop import Box
from opengait_mimic.data.video.tracking import Track
from opengait_mimic.walkers.render import SIZE

COLUMNS = 10
ROWS = 20  # people on a page
_LABEL, _GAP, _LINE = 150, 6, 14
_INK, _PAPER, _PALE = (30, 30, 30), (255, 255, 255), (120, 120, 120)


def shown(parts: Sequence[Sequence[int]]) -> list[int]:
    """Which frames of somebody's sequences are shown: `COLUMNS` of them, evenly."""
    frames = list(chain(*parts))
    chosen = np.linspace(0, len(frames) - 1, min(COLUMNS, len(frames))).round().astype(int)
    return [frames[i] for i in dict.fromkeys(chosen.tolist())]


def cutting(picture: np.ndarray, box: Box) -> np.ndarray:
    """The square around a person in a picture uint8 [h, w, 3], as uint8 [64, 64, 3]; black beyond its borders."""
    half = max(1.0, 0.55 * box.height)
    y, x = (box.top + box.bottom) / 2, (box.left + box.right) / 2
    left, top, right, bottom = (round(edge) for edge in (x - half, y - half, x + half, y + half))
    cut = Image.fromarray(picture).crop((left, top, right, bottom))
    return np.asarray(cut.resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def person(title: str, track: Track, parts: Sequence[Sequence[int]], pictures: Sequence[np.ndarray]) -> Image.Image:
    """One person: the cuttings above, the silhouettes below, the frames' numbers under them.

    Args:
        title: who it is.
        track: the person's.
        parts: positions in the track of each sequence's frames.
        pictures: a cutting, uint8 [64, 64, 3], of each frame that is `shown`; or none at all.
    """
    chosen = shown(parts)
    heights = [track.blobs[i].box.height for i in chosen]
    told = [f"{sum(map(len, parts))} frames", number_of(len(parts), "sequence")]
    told.append(f"{min(heights)}-{max(heights)} px tall")
    size = (_LABEL + COLUMNS * (SIZE + _GAP), (2 if len(pictures) else 1) * (SIZE + 2) + _LINE + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    for line, text in enumerate([title, *told]):
        draw.text((_GAP, 4 + line * _LINE), text, fill=_PALE if line else _INK)
    for column, i in enumerate(chosen):
        left, top = _LABEL + column * (SIZE + _GAP), 2
        for square in [*pictures[column : column + 1], track.blobs[i].sil]:
            sheet.paste(Image.fromarray(square), (left, top))
            top += SIZE + 2
        draw.text((left + SIZE // 2, top - 1), str(track.frames[i]), fill=_PALE, anchor="ma")
    return sheet


def pages(people: Sequence[Image.Image]) -> list[Image.Image]:
    """People one below the other, `ROWS` to a page."""
    made = []
    for first in range(0, len(people), ROWS):
        part = people[first : first + ROWS]
        page = Image.new("RGB", (part[0].width, sum(one.height for one in part)), _PAPER)
        for number, one in enumerate(part):
            page.paste(one, (0, sum(above.height for above in part[:number])))
        made.append(page)
    return made
