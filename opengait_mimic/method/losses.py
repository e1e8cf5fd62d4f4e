"""The losses of the paper as plain functions of embeddings, labels and predictions.

Eq. 2 is `mickd_as_written`, a few lines that hold every triplet in memory. `mickd` is the same in the fast form of
`triplets.py`, which lists no triplet; tests hold the two equal.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from opengait_mimic.errors import nearest
from opengait_mimic.method.triplets import Hinge, by_part, wide

PAIRS = ("same_instance", "cross_instance", "mimic_mimic")
ANCHORS = ("mimic", "both")
REDUCTIONS = ("mean_nonzero", "sum")


def mickd_as_written(
    mimic: torch.Tensor,
    teacher: torch.Tensor,
    labels: torch.Tensor,
    margin: float = 0.2,
    pairs: tuple[str, ...] = PAIRS,
) -> torch.Tensor:
    """MiCKD loss as Eq. 2 has it: the mean of [D(a,p) − D(a,n) + m]₊ over all triplets in which it is above 0.

    To be read; it takes 4n³ numbers. The arguments are those of `mickd`, the features [n, d] without parts.

    Example:
        >>> features, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
        >>> round(mickd_as_written(features, features, labels, margin=0.5).item(), 3)
        0.5
    """
    n = len(mimic)
    features, labels = F.normalize(torch.cat((mimic, teacher)), dim=1), labels.repeat(2)
    same = labels[:n, None] == labels[None, :]
    positive = same & pair_mask(slice(0, n), 2 * n, n, pairs, labels.device)  # [a, p]
    negative = ~same  # [a, n]
    distance = (features[:n, None] - features[None, :]).norm(dim=2)  # D, of mimic anchors to all features
    hinge = (distance[:, :, None] - distance[:, None, :] + margin).clamp(min=0)  # [a, p, n]
    hinge = hinge * (positive[:, :, None] & negative[:, None, :])
    return hinge.sum() / (hinge > 0).sum().clamp(min=1)


def mickd(
    mimic: torch.Tensor,
    teacher: torch.Tensor | None,
    labels: torch.Tensor,
    margin: float = 0.2,
    pairs: tuple[str, ...] = PAIRS,
    anchors: str = "mimic",
    normalize: bool = True,
    reduction: str = "mean_nonzero",
) -> torch.Tensor:
    """Multi-instance correlational distillation loss (paper section 3.3, Eq. 2).

    L = Σ [D(a,p) − D(a,n) + m]₊ over all triplets with Euclidean D, where the anchor a is a mimic feature,
    the positive p shares its identity by one of the three pair types, and the negative n is any mimic or
    teacher feature of another identity.

    Args:
        mimic: [n, d] mimic features γ_m; [n, c, p] compares part by part and averages the loss over the parts.
        teacher: teacher features γ_t of the same clips in the same order and shape; no gradient is needed.
            None leaves the teacher out altogether and then allows no teacher pairs.
        labels: [n] identities.
        margin: m, on the scale of the distances.
        pairs: the anchor–positive pairs in use: "same_instance" (γ_m^i, γ_t^i), "cross_instance"
            (γ_m^i, γ_t^j), "mimic_mimic" (γ_m^i, γ_m^j).
        anchors: "mimic" as in the paper; "both" lets the teacher's features be anchors too, each pair type
            mirrored (the third becomes teacher–teacher). With all pairs that is the triplet margin loss
            over the concatenation of both sets.
        normalize: scale features (of each part) to unit length first.
        reduction: "mean_nonzero" averages over the triplets that violate the margin, "sum" adds all.

    Returns:
        The loss, a scalar; 0 (with a gradient of 0) where there is no triplet or none violates the margin. It can be
        differentiated once.

    Raises:
        ValueError: shapes that do not fit, an unknown option, or teacher pairs without a teacher.

    Example:
        >>> import torch
        >>> from opengait_mimic import mickd
        >>> mimic = torch.eye(4, requires_grad=True)
        >>> loss = mickd(mimic, teacher=torch.eye(4), labels=torch.tensor([0, 0, 1, 1]), margin=0.5)
        >>> loss.backward()
        >>> round(loss.item(), 3), mimic.grad.shape
        (0.5, torch.Size([4, 4]))
    """
    return mickd_with_counts(mimic, teacher, labels, margin, pairs, anchors, normalize, reduction)[0]


def mickd_with_counts(
    mimic: torch.Tensor,
    teacher: torch.Tensor | None,
    labels: torch.Tensor,
    margin: float = 0.2,
    pairs: tuple[str, ...] = PAIRS,
    anchors: str = "mimic",
    normalize: bool = True,
    reduction: str = "mean_nonzero",
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """As `mickd`, with the number of triplets and of those that violate the margin (of all parts), as 0-d tensors."""
    pairs = (pairs,) if isinstance(pairs, str) else tuple(pairs)
    check_mickd_options(margin, pairs, anchors, reduction)
    if mimic.ndim not in (2, 3) or labels.shape != mimic.shape[:1]:
        raise ValueError(
            f"expected features [n, d] or [n, c, p] and labels [n], got {list(mimic.shape)} and {list(labels.shape)}"
        )
    if teacher is None:
        if pairs != ("mimic_mimic",) or anchors != "mimic":
            raise ValueError("without a teacher only the pairs ('mimic_mimic',) of mimic anchors exist")
        features = mimic
    else:
        _check_same_shape(mimic, teacher)
        features, labels = torch.cat((mimic, teacher)), labels.repeat(2)
    n = len(mimic)

    def relation(rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
        same = labels[rows, None] == labels[None, :]
        return same & pair_mask(rows, len(features), n, pairs, labels.device), ~same

    with torch.autocast(features.device.type, enabled=False):
        chosen = 2 * n if anchors == "both" else n
        # A teacher without gradient needs none of the work for it.
        learning = len(features) if teacher is not None and teacher.requires_grad else n
        parts = by_part(features, normalize)
        total, violating, triplets = Hinge.apply(parts, chosen, learning, relation, margin)
        loss = total if reduction == "sum" else total / violating.clamp(min=1)
    return loss.mean(), triplets * len(parts), violating.sum()


def check_mickd_options(margin: object, pairs: tuple[str, ...], anchors: str, reduction: str) -> None:
    """Raise ValueError for an option that `mickd` does not know."""
    if not pairs or len(set(map(str, pairs))) != len(pairs):
        raise ValueError(f"pairs: {list(pairs)} is empty or names a pair twice")
    for name, values, allowed in (
        ("pairs", pairs, PAIRS),
        ("anchors", (anchors,), ANCHORS),
        ("reduction", (reduction,), REDUCTIONS),
    ):
        for value in values:
            if value not in allowed:
                raise ValueError(f"{name}: unknown {value!r}; {nearest(value, allowed)}")
    if isinstance(margin, bool) or not isinstance(margin, (int, float)) or not margin >= 0:
        raise ValueError(f"margin: {margin!r} is not a number from 0")


def pair_mask(rows: slice, columns: int, n: int, pairs: tuple[str, ...], device: torch.device) -> torch.Tensor:
    """Which anchor–positive pair types are in use, whatever the identities.

    Args:
        rows: anchors, of the features numbered mimic first, then teacher, n each.
        columns: number of features, n or 2n.
        n: number of clips.
        pairs: as in `mickd`.
        device: where the mask is wanted.

    Returns:
        bool [rows, columns].
    """
    row = torch.arange(rows.start, rows.stop, device=device)[:, None]
    column = torch.arange(columns, device=device)[None, :]
    same_network = (row < n) == (column < n)
    same_clip = row % n == column % n
    masks = {
        "same_instance": ~same_network & same_clip,
        "cross_instance": ~same_network & ~same_clip,
        "mimic_mimic": same_network & ~same_clip,
    }
    return torch.stack([masks[pair] for pair in pairs]).any(0)


def l2_distillation(mimic: torch.Tensor, teacher: torch.Tensor, normalize: bool = True) -> torch.Tensor:
    """L2 KD (paper section 5.1): mean squared Euclidean distance of γ_m to γ_t of the same clip.

    Args:
        mimic: [n, d] mimic features γ_m.
        teacher: [n, d] teacher features γ_t of the same clips.
        normalize: scale features to unit length first.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: shapes that differ.
    """
    _check_same_shape(mimic, teacher)
    mimic, teacher = wide(mimic), wide(teacher)
    if normalize:
        mimic, teacher = F.normalize(mimic, dim=1), F.normalize(teacher, dim=1)
    return (mimic - teacher).square().sum(1).mean()


def _check_same_shape(mimic: torch.Tensor, teacher: torch.Tensor) -> None:
    if mimic.shape != teacher.shape:
        raise ValueError(f"mimic {list(mimic.shape)} and teacher {list(teacher.shape)} differ in shape")


def visibility(
    logits: torch.Tensor | None,
    amount: torch.Tensor | None,
    kind: torch.Tensor,
    true_amount: torch.Tensor,
    weight: float = 10.0,
    amount_logits: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    """The VEN's loss (paper section 3.1): cross entropy over occlusion types + λ · L2 on the amount.

    Args:
        logits: [n, k] class scores, before any softmax; None for a VEN without that task.
        amount: [n] predicted occluded fraction, 0–1; None for a VEN without that task.
        kind: [n] true class.
        true_amount: [n] true occluded fraction, 0 when clean.
        weight: λ.
        amount_logits: [n, b] scores of b amounts evenly from 0 to 1, for a VEN that gives their distribution; the
            cross entropy to the true amount, shared between the two nearest of them, is added.

    Returns:
        The loss and its two terms (cross entropy, mean squared error without λ), None for a missing task.

    Raises:
        ValueError: shapes that do not fit.
    """
    if kind.ndim != 1 or (logits is not None and (logits.ndim != 2 or len(logits) != len(kind))):
        found = None if logits is None else list(logits.shape)
        raise ValueError(f"expected logits [n, k] and kind [n], got {found} and {list(kind.shape)}")
    if amount is not None and not amount.shape == true_amount.shape == kind.shape:
        found = [list(x.shape) for x in (amount, true_amount, kind)]
        raise ValueError("expected amount, true_amount and kind [n], got {}, {} and {}".format(*found))
    entropy = squared = None
    loss = torch.zeros((), device=kind.device)
    if logits is not None:
        entropy = F.cross_entropy(wide(logits), kind)
        loss = loss + entropy
    if amount is not None:
        amount = wide(amount)
        squared = F.mse_loss(amount, true_amount.to(amount.dtype))
        loss = loss + weight * squared
    if amount_logits is not None:
        loss = loss + F.cross_entropy(wide(amount_logits), nearest_two(true_amount, amount_logits.shape[1]))
    return loss, entropy, squared


def nearest_two(values: torch.Tensor, bins: int) -> torch.Tensor:
    """Values [n], 0–1, as distributions [n, bins] over 0, 1/(bins-1), …, 1 with the same mean: the two nearest."""
    places = values[:, None] * (bins - 1) - torch.arange(bins, device=values.device)
    return (1 - places.abs()).clamp(min=0)


def part_visibility(logits: torch.Tensor, true_parts: torch.Tensor) -> torch.Tensor:
    """Mean binary cross entropy of the visible shares of horizontal parts.

    Args:
        logits: [n, t] before any sigmoid.
        true_parts: [n, t] visible shares, 0–1.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: shapes that do not fit.
    """
    if logits.ndim != 2 or logits.shape != true_parts.shape:
        raise ValueError(f"expected logits and shares [n, t], got {list(logits.shape)} and {list(true_parts.shape)}")
    return F.binary_cross_entropy_with_logits(wide(logits), wide(true_parts))
