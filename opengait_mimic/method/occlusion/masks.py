"""What sampled occlusions hide, pixel by pixel, and what a refitted frame shows."""

from __future__ import annotations

import numpy as np
import torch

from opengait_mimic.method.occlusion.sampling import OcclusionParameters


def hidden_pixels(
    parameters: OcclusionParameters, height: int, width: int, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """As `hidden_mask`, as a tensor on a device."""
    ends = torch.from_numpy(parameters.boxes).to(device)[:, :, None]
    rows, columns = (torch.arange(size, device=device) for size in (height, width))
    in_rows = (rows >= ends[:, 0]) & (rows < ends[:, 1])
    in_columns = (columns >= ends[:, 2]) & (columns < ends[:, 3])
    hidden = in_rows[:, :, None] & in_columns[:, None, :]
    if len(parameters.masked):
        hidden[torch.from_numpy(parameters.masked).to(device)] = torch.from_numpy(parameters.masks).to(device)
    return hidden


def hidden_mask(parameters: OcclusionParameters, height: int, width: int) -> np.ndarray:
    """Which pixels of the holistic frames are hidden.

    Args:
        parameters: of f frames.
        height: rows of a frame.
        width: columns of a frame.

    Returns:
        bool [f, h, w], clip after clip, on the rows and columns of the frames before any refit.
    """
    return hidden_pixels(parameters, height, width).numpy()


def visible_mask(parameters: OcclusionParameters, height: int, width: int) -> np.ndarray:
    """Which pixels of the holistic frames stay visible: bool [f, h, w], the rest of `hidden_mask`."""
    return ~hidden_mask(parameters, height, width)


def visible_boxes(parameters: OcclusionParameters, height: int, width: int) -> np.ndarray:
    """The box of each holistic frame that its occluded copy shows.

    Args:
        parameters: of f frames.
        height: rows of a frame.
        width: columns of a frame.

    Returns:
        int64 [f, 4] (top, bottom, left, right). Where nothing is refitted, or no pixel is visible, it is the whole
        frame, else the smallest box around the visible pixels.
    """
    boxes = np.tile(np.array([0, height, 0, width]), (len(parameters.boxes), 1))
    if parameters.refit.any():
        boxes[parameters.refit] = bounding_boxes(visible_mask(parameters, height, width)[parameters.refit])
    return boxes


def bounding_boxes(visible: np.ndarray) -> np.ndarray:
    """The smallest box around the visible pixels of frames [f, h, w]; the whole frame where there are none.

    Returns:
        int64 [f, 4] (top, bottom, left, right), ends exclusive.
    """
    edges = []
    for lines in (np.asarray(visible.any(axis)) for axis in (2, 1)):
        edges += [lines.argmax(1), lines.shape[1] - lines[:, ::-1].argmax(1)]
    return np.stack(edges, axis=1)
