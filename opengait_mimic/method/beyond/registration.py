"""Put clips that a tight detection box stretched back on their rows, as far as the VEN knows how.

A detector's box around what is visible of a body is stretched over the whole frame (`refit`). The VEN predicts the type
and the amount of the occlusion, which say where what is visible belongs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from opengait_mimic.method.clips import silhouettes
from opengait_mimic.method.ven import Visibility, amount_values

# Which edge of the frame a type hides: its axis (rows or columns), and whether it is the last one.
EDGES = {"top": (0, False), "bottom": (0, True), "left": (1, False), "right": (1, True)}
EMPTY = 0.01  # of the fullest line of a clip; less than that is noise


def register(
    sils: torch.Tensor, visibility: Visibility, classes: Sequence[str], seqL: torch.Tensor | None = None
) -> torch.Tensor:
    """Clips with what is visible where it belongs, and black where it is hidden.

    One transformation for all frames of a clip: the mean over the types and amounts that the VEN thinks possible, so
    that a doubtful clip is moved softly and a certain one sharply. A clip that is black at the hidden edge already is
    in its place and stays; so does one whose type cuts no edge off.

    Args:
        sils: [n, s, h, w] floats, or [1, sum of s, h, w] with seqL; with channels [n, s, c, h, w].
        visibility: what a VEN with both of the paper's tasks predicts for them.
        classes: [k] names of its classes.
        seqL: [1, n] frames of each clip.

    Returns:
        The registered clips, of the same shape and dtype.
    """
    assert visibility.logits is not None
    probabilities = visibility.logits.detach().float().softmax(1)
    amounts, weights = amount_distribution(visibility)
    known = [(index, *EDGES[name]) for index, name in enumerate(classes) if name in EDGES]
    clip_index = None
    if seqL is not None:
        lengths = seqL[0].to(sils.device).long()
        clip_index = torch.repeat_interleave(torch.arange(len(lengths), device=sils.device), lengths)
    lines = [_fullness(sils, axis, clip_index, seqL) for axis in (0, 1)]
    stays = 1 - probabilities[:, [index for index, _, _ in known]].sum(1)
    height, width = sils.shape[-2:]
    maps = [stays[:, None, None] * m.to(sils.device) for m in (torch.eye(height), torch.zeros(width, width))]
    for index, axis, last in known:
        moved = _expected(amounts, weights, lines[axis], last) * probabilities[:, index, None, None]
        maps[axis] = maps[axis] + moved
    values = sils.float()
    rows, columns = (_per_frame(m, clip_index, sils) for m in maps)  # what each frame's are made of
    out = rows @ values
    if any(axis for _, axis, _ in known):
        out = out + values @ columns.transpose(-1, -2)
    return out.to(sils.dtype)


def amount_distribution(visibility: Visibility) -> tuple[torch.Tensor, torch.Tensor]:
    """The amounts that the VEN thinks possible and their weights, sum 1: [n, b] each; without bins its estimate."""
    assert visibility.amount is not None
    if visibility.amount_logits is None:
        amount = visibility.amount.detach().float()[:, None]
        return amount, torch.ones_like(amount)
    weights = visibility.amount_logits.detach().float().softmax(1)
    return amount_values(weights.shape[1], weights).expand_as(weights), weights


def shrunk(amounts: torch.Tensor, size: int) -> torch.Tensor:
    """The linear maps that put `size` lines on the last share 1 - a of the frame; the first share a becomes black.

    Each new line is the mean over the old ones it covers.

    Args:
        amounts: [...] a, 0–1.
        size: number of lines.

    Returns:
        [..., size, size], new lines × old lines; the identity for a = 0.
    """
    start = amounts.clamp(0.0, 1 - 1 / size)[..., None, None]
    edges = torch.arange(size + 1, device=amounts.device) / size
    places = (edges[:, None] - start) / (1 - start) * size  # where each new line's edges were among the old lines
    low, high = places[..., :-1, :], places[..., 1:, :]
    old = torch.arange(size, device=amounts.device)
    return (torch.minimum(high, old + 1) - torch.maximum(low, old)).clamp(min=0) / (high - low)


def _expected(amounts: torch.Tensor, weights: torch.Tensor, fullness: torch.Tensor, last: bool) -> torch.Tensor:
    """[n, size, size] the mean map of clips of which one edge (the last or the first) may be cut off."""
    size = fullness.shape[1]
    fullness = fullness.flip(1) if last else fullness
    full = fullness > EMPTY * fullness.amax(1, keepdim=True)
    margin = (full.cumsum(1) == 0).sum(1, keepdim=True) / size
    amounts = amounts.masked_fill(margin >= amounts / 2, 0.0)
    if weights.shape[1] == 1:
        maps = shrunk(amounts[:, 0], size)
    else:
        # The bins are the same for all clips; those of a clip that is in its place became the first.
        moved = weights * (amounts > 0)
        moved[:, 0] = 1 - moved[:, 1:].sum(1)
        bins = amount_values(weights.shape[1], weights)
        maps = torch.einsum("nb,bij->nij", moved, shrunk(bins, size))
    return maps.flip(1, 2) if last else maps


def _fullness(sils: torch.Tensor, axis: int, clip_index: torch.Tensor | None, seqL) -> torch.Tensor:
    """[n, size] silhouette in each row (axis 0) or column (1), summed over a clip's frames."""
    lines = silhouettes(sils).float().sum(3 - axis)  # [n, s, size], or [1, sum of s, size]
    if clip_index is None:
        return lines.sum(1)
    return lines.new_zeros(seqL.shape[1], lines.shape[2]).index_add_(0, clip_index, lines[0])


def _per_frame(maps: torch.Tensor, clip_index: torch.Tensor | None, sils: torch.Tensor) -> torch.Tensor:
    """Maps [n, size, size] of clips, in the layout of their frames."""
    maps = maps[:, None] if clip_index is None else maps[clip_index][None]
    return maps[:, :, None] if sils.dim() == 5 else maps
