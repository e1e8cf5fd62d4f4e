"""What a plan hides, pixel by pixel, and the brush for outlines that are no boxes."""

from __future__ import annotations

import numpy as np
import torch

from opengait_mimic.method.occlusion.sampling import Plan


def hidden_mask(plan: Plan, height: int, width: int) -> np.ndarray:
    """Which pixels of the whole frames a plan of any kinds hides.

    Returns:
        bool [f, h, w], clip after clip, on the rows and columns of the frames before any refit.
    """
    top, bottom, left, right = plan.boxes.T[:, :, None]
    rows, columns = np.arange(height), np.arange(width)
    hidden = ((rows >= top) & (rows < bottom))[:, :, None] & ((columns >= left) & (columns < right))[:, None, :]
    if len(plan.masked):
        hidden[plan.masked] = plan.masks
    return hidden


def visible_mask(plan: Plan, height: int, width: int) -> np.ndarray:
    """Which pixels stay to be seen: the rest of `hidden_mask`, bool [f, h, w]."""
    return ~hidden_mask(plan, height, width)


def seen_boxes(plan: Plan, height: int, width: int) -> np.ndarray:
    """The box of each whole frame that its painted copy shows.

    Returns:
        int64 [f, 4] (top, bottom, left, right): the whole frame where nothing is refitted, else the smallest box
        around the visible pixels of a frame; where none is visible, the whole frame.
    """
    whole = np.tile(np.array([0, height, 0, width]), (len(plan.boxes), 1))
    if not plan.refit.any():
        return whole
    boxes = beside(plan.boxes, height, width)
    if len(plan.masked):
        boxes[plan.masked] = around(~plan.masks)
    return np.where(plan.refit[:, None], boxes, whole)


def beside(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """The smallest box around what hidden boxes leave to be seen of a frame.

    A hidden box shortens it only where it spans the frame from edge to edge; a band across the middle or a
    patch inside leaves the whole frame, and so does a box that hides everything.

    Args:
        boxes: int64 [f, 4] hidden (top, bottom, left, right), within the frame.
    Returns:
        int64 [f, 4] boxes of at least one pixel.
    """
    top, bottom, left, right = boxes.T
    whole_rows = (left == 0) & (right == width) & (bottom - top < height)
    whole_columns = (top == 0) & (bottom == height) & (right - left < width)
    first_row = np.where(whole_rows & (top == 0), bottom, 0)
    last_row = np.where(whole_rows & (bottom == height), top, height)
    first_column = np.where(whole_columns & (left == 0), right, 0)
    last_column = np.where(whole_columns & (right == width), left, width)
    return np.stack((first_row, last_row, first_column, last_column), axis=1)


def around(visible: np.ndarray) -> np.ndarray:
    """The smallest box around the visible pixels of frames [f, h, w]; the whole frame where there are none.

    Returns:
        int64 [f, 4] (top, bottom, left, right).
    """
    edges = []
    for line in (np.asarray(visible.any(axis)) for axis in (2, 1)):
        edges += [line.argmax(1), line.shape[1] - line[:, ::-1].argmax(1)]
    return np.stack(edges, axis=1)


def outlined(frames: torch.Tensor, part, plan: Plan, classes: bool, into: torch.Tensor | None = None) -> torch.Tensor:
    """Some of a plan's frames with its outlines: black, or where they merge with the body as bright as it is.

    Args:
        frames: [k, h, w] or [k, c, h, w], any dtype and device; they stay as they are. part: which of the plan's
            frames they are, a slice or a tensor of indices. classes: the values name classes, among which an occluder
            is none: it is black. into: room for the outcome; without it, frames without outlines are given back.
    """
    found = np.zeros(0, np.int64)
    if len(plan.masked):
        chosen = np.arange(len(plan.boxes))[part.cpu().numpy() if isinstance(part, torch.Tensor) else part]
        place = np.searchsorted(plan.masked, chosen)
        place[place == len(plan.masked)] = -1
        found = np.flatnonzero(plan.masked[place] == chosen)
    if not len(found):
        return frames if into is None else into.copy_(frames)
    hidden = torch.from_numpy(plan.masks[place[found]]).to(frames.device)
    hidden = hidden[:, None] if frames.dim() == 4 else hidden
    everywhere = len(found) == len(frames)
    where = torch.from_numpy(found).to(frames.device)
    some = frames if everywhere else frames[where]
    merged, filling = plan.merged[place[found]], frames.new_zeros(())
    if merged.any() and not classes:
        bright = torch.from_numpy(merged).to(frames.device).view(-1, *[1] * (some.dim() - 1))
        filling = some.amax((-2, -1), keepdim=True) * bright
    if everywhere:
        return torch.where(hidden, filling, some, out=into)
    some = torch.where(hidden, filling, some)
    return frames.index_copy(0, where, some) if into is None else into.copy_(frames).index_copy_(0, where, some)
