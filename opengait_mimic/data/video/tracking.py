"""People told apart from frame to frame.

Each frame gives blobs; each blob goes to the track whose predicted place, size and colours it fits best, by
optimal assignment. The rules where that is not clear:

- A blob that covers two known people is given to nobody. Both tracks wait, moving on as they moved.
- When they part again, each goes on only if the other way round fits clearly worse; otherwise both tracks end
  and new ones begin: rather two tracks of one person than two people in one track.
- A track that after a gap walks the other way, or wears other colours than before, is cut there.
- A blob that falls apart into two people was a group: the track ends, its frames as a group are marked.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from opengait_mimic.data.video.crop import Box, extent, silhouette

PATIENCE = 5  # frames that a track waits for a blob
MERGED_PATIENCE = 50  # the same while it is merged with another
KNOWN = 5  # blobs after which a track counts as a person
REACH = 0.45  # how far from the predicted place a blob may be, in body heights
REACH_PER_FRAME = 0.05  # and how much farther for every frame without a blob
COVERED = 0.5  # share of a predicted box inside of a blob, from which on the blob covers that person
CLEARLY = 0.25  # by how much another way round must fit worse after people parted
COLOUR_WEIGHT = 1.5
LOOK = 10  # blobs before and after a gap that are compared
SLOW = 0.015  # body heights per frame: slower, the direction tells nothing
OTHER_COLOURS = 0.22  # Hellinger's distance of the mean colours
THINNEST = 0.05  # of the height: what is thinner is no part of a body
_FAR = 1e6
_BINS = 8


@dataclass(frozen=True, eq=False)
class Blob:
    """A connected piece of one frame.

    Attributes:
        box: where it is in the picture.
        sil: its silhouette, uint8 [64, 64].
        area: its number of pixels.
        colours: see `_colours`; alike for all where there is no picture.
        border: whether it touches the frame's border.
    """

    box: Box
    sil: np.ndarray
    area: int
    colours: np.ndarray
    border: bool


@dataclass
class Track:
    """One person's blobs: numbers of the frames, ascending, and the blobs; frames marked as a group of people."""

    frames: list[int] = field(default_factory=list)
    blobs: list[Blob] = field(default_factory=list)
    group: set[int] = field(default_factory=set)
    merged: list[int] = field(default_factory=list)


def blobs(mask: np.ndarray, smallest: int, picture: np.ndarray | None = None) -> list[Blob]:
    """The connected pieces of a mask.

    Args:
        mask: bool [h, w].
        smallest: height in pixels below which a piece is left out.
        picture: uint8 [h, w, 3] for the colours.
    """
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    found = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        piece = labels[rows, columns] == number
        if len(piece) >= smallest:
            found.append(_blob(_without_spurs(piece), rows.start, columns.start, mask.shape, picture))
    return [blob for blob in found if blob.box.height >= smallest]


def instance(mask: np.ndarray, picture: np.ndarray | None = None) -> Blob | None:
    """All of a mask [h, w], bool or uint8 0…255, as one blob; None where it is empty."""
    return _blob(mask, 0, 0, mask.shape, picture) if mask.any() else None


def _without_spurs(piece: np.ndarray) -> np.ndarray:
    """A body without what is thinner, from above to below, than an arm: a wire or a barrier tape behind it."""
    labels, count = ndimage.label(ndimage.binary_opening(piece, np.ones((max(1, round(len(piece) * THINNEST)), 1))))
    return labels == np.bincount(labels.ravel())[1:].argmax() + 1 if count else piece


def _blob(piece: np.ndarray, top: int, left: int, shape: tuple[int, ...], picture: np.ndarray | None) -> Blob:
    """The blob of a piece of a frame of this shape, which begins at this row and column."""
    inner = extent(piece)
    piece = piece[inner.top : inner.bottom, inner.left : inner.right]
    box = Box(top + inner.top, top + inner.bottom, left + inner.left, left + inner.right)
    border = box.top <= 0 or box.left <= 0 or box.bottom >= shape[0] or box.right >= shape[1]
    colours = np.ones(1)
    if picture is not None:
        colours = _colours(picture[box.top : box.bottom, box.left : box.right], piece)
    return Blob(box, silhouette(piece), int(np.count_nonzero(piece)), colours, border)


def _colours(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Histograms of the three colours, for the upper and the lower half of the body; square roots, so that the inner
    product of two is Bhattacharyya's coefficient."""
    half = len(mask) // 2
    parts = []
    for rows in (slice(0, half), slice(half, None)):
        pixels = picture[rows][mask[rows]] >> 5
        counts = [np.bincount(pixels[:, c], minlength=_BINS) for c in range(3)]
        parts += [np.sqrt((n + 1e-3) / (n + 1e-3).sum() / 6) for n in counts]
    return np.concatenate(parts)


def _without_swaps(track: Track) -> list[Track]:
    """A track cut where somebody else goes on: other colours, or the other way after a gap."""
    frames, found = track.frames, track.blobs
    cuts = [i for i in range(2, len(frames) - 1) if _swapped(frames, found, i)]
    parts = []
    for first, after in zip([0, *cuts], [*cuts, len(frames)], strict=True):
        inside = range(frames[first], frames[after - 1] + 1)
        merged = [frame for frame in track.merged if frame in inside]
        parts.append(Track(frames[first:after], found[first:after], track.group & set(inside), merged))
    return parts


def _swapped(frames: list[int], found: list[Blob], i: int) -> bool:
    """Whether what comes after position i, for some frames, does not go on what was before."""
    before, after = slice(max(0, i - LOOK), i), slice(i, i + LOOK)
    height = np.median([blob.box.height for blob in found[before] + found[after]])
    speeds = []
    for part in (before, after):
        moved = _centre(found[part][-1].box) - _centre(found[part][0].box)
        speeds.append(moved / height / max(1, frames[part][-1] - frames[part][0]))
    slow, fast = sorted(np.hypot(*speed) for speed in speeds)
    gap = frames[i] - frames[i - 1] > 1
    turned = gap and speeds[0] @ speeds[1] < -0.5 * slow * fast and slow > fast / 3 and fast > SLOW
    worn = [np.mean([blob.colours for blob in found[part]], axis=0) for part in (before, after)]
    alike = float(worn[0] @ worn[1]) / float(np.linalg.norm(worn[0]) * np.linalg.norm(worn[1]))
    return bool(turned or alike < 1 - OTHER_COLOURS**2)


class Tracker:
    """Give it the blobs of each frame in order, then take the tracks."""

    def __init__(self) -> None:
        self._live: list[_Live] = []
        self._ended: list[Track] = []

    def step(self, frame: int, found: list[Blob]) -> None:
        """Add a frame; `found` are its blobs."""
        live = self._live
        for one in live:
            one.predict()
        costs = np.array([[one.cost(blob) for blob in found] for one in live]).reshape(len(live), len(found))
        within = np.array([[one.reaches(blob) for blob in found] for one in live], bool).reshape(costs.shape)
        rows, columns = linear_sum_assignment(np.where(within, costs, _FAR))
        given = {int(r): int(c) for r, c in zip(rows, columns, strict=True) if within[r, c]}

        taken: set[int] = set()
        for number, together in self._covered(found, given).items():
            taken.add(number)
            for i in together:
                given.pop(i, None)
                live[i].wait_with([live[k] for k in together if k != i], found[number].box, frame)
        ended = self._doubtful(given, costs)
        for i, number in list(given.items()):
            if i in ended:
                continue
            free = [blob for n, blob in enumerate(found) if n not in given.values()]
            if any(live[i].falls_apart(found[number], blob) for blob in free):
                live[i].mark_group(found[number].area)
                ended.add(i)
        for i in ended:
            given.pop(i, None)
        for i, number in given.items():
            live[i].take(frame, found[number])
            taken.add(number)
        patience = [MERGED_PATIENCE if one.partners else PATIENCE for one in live]
        ended |= {i for i, one in enumerate(live) if i not in given and one.waited > patience[i]}
        gone = [live[i] for i in sorted(ended)]
        self._ended += [one.track for one in gone]
        self._live = [one for i, one in enumerate(live) if i not in ended]
        for one in self._live:
            one.partners = [partner for partner in one.partners if partner not in gone]
        self._live += [_Live(frame, blob) for number, blob in enumerate(found) if number not in taken]

    def tracks(self) -> list[Track]:
        """All tracks so far, in order of their first frame and place."""
        everything = self._ended + [one.track for one in self._live]
        cut = [part for track in everything for part in _without_swaps(track)]
        return sorted(cut, key=lambda track: (track.frames[0], track.blobs[0].box))

    def _covered(self, found: list[Blob], given: dict[int, int]) -> dict[int, list[int]]:
        """Blobs that cover several people, and which."""
        merged = {}
        for number, blob in enumerate(found):
            known = [(i, one) for i, one in enumerate(self._live) if one.known]
            owners = [i for i, _ in known if given.get(i) == number]
            inside = [i for i, one in known if i not in given and _share(one.place, blob.box) >= COVERED]
            if inside and len(owners + inside) >= 2:
                merged[number] = sorted(owners + inside)
        return merged

    def _doubtful(self, given: dict[int, int], costs: np.ndarray) -> set[int]:
        """Tracks that were merged and whose blob would do about as well for their partner."""
        ended = set()
        position = {id(one): i for i, one in enumerate(self._live)}
        for i, number in given.items():
            for partner in self._live[i].partners:
                k = position[id(partner)]
                straight, swapped = costs[i, number], costs[k, number]
                if k in given:
                    straight, swapped = straight + costs[k, given[k]], swapped + costs[i, given[k]]
                if swapped - straight < CLEARLY:
                    ended |= {i, k}
        return ended


class _Live:
    """A track that is still followed."""

    centre: np.ndarray
    colours: np.ndarray

    def __init__(self, frame: int, blob: Blob) -> None:
        self.track = Track()
        self.partners: list[_Live] = []
        self.velocity = np.zeros(2)
        self.take(frame, blob)

    @property
    def known(self) -> bool:
        return len(self.track.frames) >= KNOWN

    def predict(self) -> None:
        self.waited += 1
        self.centre = self.centre + self.velocity

    @property
    def place(self) -> Box:
        (y, x), height, width = self.centre, self.height, self.width
        return Box(y - height / 2, y + height / 2, x - width / 2, x + width / 2)

    def distance(self, blob: Blob) -> float:
        """From where the track is expected, in body heights."""
        return float(np.hypot(*(_centre(blob.box) - self.centre)) / self.height)

    def cost(self, blob: Blob) -> float:
        """How badly a blob fits: distance, difference of size, difference of colours."""
        size = abs(np.log(blob.box.height / self.height))
        colour = np.sqrt(max(0.0, 1 - float(self.colours @ blob.colours)))
        return float(self.distance(blob) + size + COLOUR_WEIGHT * colour)

    def reaches(self, blob: Blob) -> bool:
        return self.distance(blob) < REACH + REACH_PER_FRAME * (self.waited - 1)

    def take(self, frame: int, blob: Blob) -> None:
        track = self.track
        track.frames.append(frame)
        track.blobs.append(blob)
        recent = track.blobs[-9:]
        self.partners = []
        self.waited = 0
        self.centre = _centre(blob.box)
        self.height = float(np.median([b.box.height for b in recent]))
        self.width = float(np.median([b.box.width for b in recent]))
        self.area = float(np.median([b.area for b in recent]))
        if len(recent) > 1:
            elapsed = frame - track.frames[-len(recent)]
            self.velocity = (self.centre - _centre(recent[0].box)) / elapsed
        worn = blob.colours if len(track.frames) == 1 else 0.9 * self.colours + 0.1 * blob.colours
        self.colours = worn / np.linalg.norm(worn)

    def wait_with(self, others: list[_Live], box: Box, frame: int) -> None:
        """Merged into one blob: stay inside of its box."""
        self.partners += [one for one in others if one not in self.partners]
        self.track.merged.append(frame)
        half = np.minimum([self.height, self.width], [box.height, box.width]) / 2
        self.centre = self.centre.clip(np.array([box.top, box.left]) + half, np.array([box.bottom, box.right]) - half)

    def falls_apart(self, taken: Blob, other: Blob) -> bool:
        """Whether what was one blob until now is two people, this and another."""
        if not self.known or self.partners or taken.area > 0.75 * self.area:
            return False
        beside = min(other.box.bottom, taken.box.bottom) - max(other.box.top, taken.box.top)
        tall = min(other.box.height, taken.box.height)
        return min(tall, beside) > 0.6 * self.height and _share(other.box, self.place) >= COVERED

    def mark_group(self, area: int) -> None:
        """The frames in which the blob was clearly larger than the person it leaves."""
        track = self.track
        track.group |= {f for f, blob in zip(track.frames, track.blobs, strict=True) if blob.area > 1.3 * area}


def _centre(box: Box) -> np.ndarray:
    return np.array([(box.top + box.bottom) / 2, (box.left + box.right) / 2])


def _share(inner: Box, outer: Box) -> float:
    """The share of a box that lies in another one."""
    height = min(inner.bottom, outer.bottom) - max(inner.top, outer.top)
    width = min(inner.right, outer.right) - max(inner.left, outer.left)
    return max(0.0, height) * max(0.0, width) / (inner.height * inner.width)
