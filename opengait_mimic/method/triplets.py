"""All triplets of a batch at once: the hinge of Eq. 2 and its gradient, without listing a single triplet."""

from __future__ import annotations

import torch
import torch.nn.functional as F

AT_ONCE = {"cpu": 2**20}  # distances in hand at a time: what a core's cache holds
AT_ONCE_ON_DEVICE = 2**26
NEAR = 1e-4  # of the squared norms; below, a squared distance found from products has lost its digits
SEARCHED = 32  # values; a CPU is faster at comparing with each of so few than at a binary search
FEW = 16  # near features of each anchor; where all are near to all, taking differences would take far longer


def wide(x: torch.Tensor) -> torch.Tensor:
    """At least single precision."""
    return x if x.dtype == torch.float64 else x.float()


def by_part(features: torch.Tensor, normalize: bool) -> torch.Tensor:
    """[p, n, c] of features [n, d] or [n, c, p], at least in single precision, where asked for of unit length."""
    parts = wide(features).permute(2, 0, 1) if features.ndim == 3 else wide(features)[None]
    return (F.normalize(parts, dim=2) if normalize else parts).contiguous()


class Hinge(torch.autograd.Function):
    """Σ [D(a,p) − D(a,n) + m]₊ per part, with Euclidean D, and the number of triplets above 0.

    The gradient is found together with the loss, some anchors at a time, so that no more than their distances are
    held: O(r · k) distances with k anchors in hand, and O(a · r · log r) time.

    Args (of `apply`):
        features: [p, r, c] of each part all features, anchors first, float32 or float64.
        anchors: a, the first a features are anchors.
        learning: the first so many features take a gradient.
        relation: of a slice of anchors, the masks [b, r] of their positives and of their negatives.
        margin: m.

    Returns:
        [p] sums, [p] int64 numbers of triplets above 0, and the number of all triplets of one part (0-d int64).
    """

    @staticmethod
    def forward(ctx, features, anchors, learning, relation, margin):
        parts, count, _ = features.shape
        total = torch.zeros(parts, dtype=torch.float64, device=features.device)
        above = torch.zeros(parts, dtype=torch.long, device=features.device)
        triplets = torch.zeros((), dtype=torch.long, device=features.device)
        norms = features.square().sum(2)
        gradient = torch.zeros_like(features[:, :learning]) if ctx.needs_input_grad[0] else None
        step = max(1, AT_ONCE.get(features.device.type, AT_ONCE_ON_DEVICE) // max(1, parts * count))
        for first in range(0, anchors, step):
            rows = slice(first, min(first + step, anchors))
            x = features[:, rows]  # [p, b, c]
            positive, negative = relation(rows)
            triplets += (positive.sum(1) * negative.sum(1)).sum()
            distances = euclidean(x, features, norms[:, rows], norms)  # [p, b, r]
            sums, counts, slopes = hinge(distances, positive, negative, margin)
            total += sums
            above += counts
            if gradient is not None:
                # dD(x, y) = (x − y)/D · (dx − dy); equal features pull in no direction.
                pull = slopes.div_(distances.masked_fill_(distances == 0, torch.inf))
                own = gradient[:, rows]  # of the anchors, as far as they learn
                away = pull[:, : own.shape[1]]
                own += away.sum(2, keepdim=True) * x[:, : own.shape[1]]
                own.baddbmm_(away, features, alpha=-1)
                away = pull[:, :, :learning]  # of all features as positives and negatives
                gradient += away.sum(1).unsqueeze(2) * features[:, :learning]
                gradient.baddbmm_(away.transpose(1, 2), x, alpha=-1)
        ctx.gradient, ctx.shape = gradient, features.shape
        ctx.mark_non_differentiable(above, triplets)
        return total.to(features.dtype), above, triplets

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, scale, *_):
        gradient = ctx.gradient * scale[:, None, None]
        if gradient.shape != ctx.shape:
            gradient = F.pad(gradient, (0, 0, 0, ctx.shape[1] - gradient.shape[1]))
        return gradient, None, None, None, None


def euclidean(x: torch.Tensor, y: torch.Tensor, x_norms: torch.Tensor, y_norms: torch.Tensor) -> torch.Tensor:
    """Distances [p, b, r] of x [p, b, c] to y [p, r, c], given their squared norms; of equal vectors exactly 0.

    They come from products, and what may be rounding alone is 0; on a CPU the distances to FEW near features come anew
    from differences. A device would have to be waited for to know which these are.
    """
    norms = x_norms[:, :, None] + y_norms[:, None, :]
    squared = torch.baddbmm(norms, x, y.transpose(1, 2), alpha=-2)
    near = (squared <= norms * NEAR).nonzero() if squared.device.type == "cpu" else norms.new_zeros(0, 3).long()
    squared.mul_(squared > norms.mul_(8 * torch.finfo(squared.dtype).eps))
    if 0 < len(near) <= FEW * norms.shape[0] * norms.shape[1]:
        for part, row, other in (some.unbind(1) for some in near.split(max(1, AT_ONCE["cpu"] // x.shape[2]))):
            squared[part, row, other] = (x[part, row] - y[part, other]).square_().sum(1)
    return squared.sqrt_()


def hinge(
    distances: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor, margin: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Σ [D(a,p) − D(a,n) + m]₊ over all triplets of each part, its slope in every distance, and how many are above 0.

    An anchor's positives are sorted by how far they reach, D(a,p) + m. Where a negative stands among them tells how
    many reach beyond it; counting the negatives between one positive and the next tells how many each of them
    reaches. These numbers are the slopes, and the sum follows from them.

    Args:
        distances: [p, b, r] of b anchors to r features.
        positive: [b, r] mask, the same for all parts.
        negative: [b, r] mask, the same for all parts.
        margin: m.

    Returns:
        [p] sums in float64, [p] numbers, [p, b, r] slopes: for a positive how many negatives it reaches, for a
        negative minus the number of positives that reach it.
    """
    parts, rows, _ = distances.shape
    index, real = _compact(positive)  # [b, k]
    width = index.shape[1]
    index = index.expand(parts, rows, width)
    reach = (distances.gather(2, index) + margin).masked_fill_(~real, -torch.inf)
    reach, order = reach.sort(dim=2)
    place = _at_most(reach, distances)  # positives that do not reach this feature
    place.masked_fill_(~negative, width)
    met = place.new_zeros(parts, rows, width + 1)
    met.scatter_add_(2, place, torch.ones((), dtype=torch.long, device=place.device).expand_as(place))
    reached = met.cumsum(2)[:, :, :width]  # negatives within each positive's reach
    reached = reached.masked_fill_(reach == -torch.inf, 0)
    slopes = place.sub_(width).to(distances.dtype)
    sums = (reached * reach.masked_fill(reach == -torch.inf, 0).double()).sum((1, 2))
    sums += (slopes * distances).sum((1, 2), dtype=torch.float64)
    counts = reached.sum((1, 2))
    slopes.scatter_add_(2, index.gather(2, order), reached.to(distances.dtype))
    return sums, counts, slopes


def _at_most(sorted_values: torch.Tensor, bounds: torch.Tensor) -> torch.Tensor:
    """How many of `sorted_values` [p, b, k], ascending, are no larger than each of `bounds` [p, b, r]; int64."""
    if bounds.device.type != "cpu" or sorted_values.shape[2] > SEARCHED:
        return torch.searchsorted(sorted_values, bounds, right=True)
    found = torch.zeros(bounds.shape, dtype=torch.uint8)
    for value in sorted_values.unbind(2):
        found += value.unsqueeze(2) <= bounds
    return found.long()


def _compact(mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For each row of `mask` [b, r] the columns that it holds, side by side, and which of these are no filling.

    On the CPU [b, k] with k the most that a row holds; a device would have to be waited for to know k, so there it
    is r.
    """
    if mask.device.type != "cpu":
        return torch.arange(mask.shape[1], device=mask.device).expand(mask.shape), mask
    counts = mask.sum(1)
    row, column = mask.nonzero().unbind(1)
    slot = torch.arange(len(row)) - (counts.cumsum(0) - counts)[row]
    index = torch.zeros(len(mask), int(counts.max()), dtype=torch.long)
    index[row, slot] = column
    return index, torch.arange(index.shape[1]) < counts[:, None]
