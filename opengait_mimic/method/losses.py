"""The losses as plain functions of embeddings, labels and predictions."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from opengait_mimic.errors import nearest
from opengait_mimic.method.triplets import Hinge

PAIRS = ("same_instance", "cross_instance", "mimic_mimic")
ANCHORS = ("mimic", "both")
REDUCTIONS = ("mean_nonzero", "sum")


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
    """
    return mickd_with_counts(mimic, teacher, labels, margin, pairs, anchors, normalize, reduction)[0]


def mickd_with_counts(
    mimic, teacher, labels, margin=0.2, pairs=PAIRS, anchors="mimic", normalize=True, reduction="mean_nonzero"
):
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
        if teacher.shape != mimic.shape:
            raise ValueError(f"mimic {list(mimic.shape)} and teacher {list(teacher.shape)} differ in shape")
        features, labels = torch.cat((mimic, teacher)), torch.cat((labels, labels))
    n = len(mimic)

    def relation(rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
        same = labels[rows, None] == labels[None, :]
        return same & _pair_mask(rows, len(features), n, pairs, labels.device), ~same

    with torch.autocast(features.device.type, enabled=False):
        features = _wide(features)
        parts = features.permute(2, 0, 1) if features.ndim == 3 else features[None]  # [p, r, c]
        if normalize:
            parts = F.normalize(parts, dim=2)
        chosen = 2 * n if anchors == "both" else n
        # A teacher without gradient needs none of the work for it.
        learning = len(features) if teacher is not None and teacher.requires_grad else n
        total, violating, triplets = Hinge.apply(parts.contiguous(), chosen, learning, relation, margin)
        loss = total if reduction == "sum" else total / violating.clamp(min=1)
    return loss.mean(), triplets * len(parts), violating.sum()


def check_mickd_options(margin, pairs, anchors, reduction) -> None:
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


def _pair_mask(rows: slice, columns: int, n: int, pairs: tuple[str, ...], device) -> torch.Tensor:
    """[rows, columns] which anchor–positive pair types are in use; identity is not considered here.

    Rows and columns are numbered mimic first, then teacher, n each.
    """
    row = torch.arange(rows.start, rows.stop, device=device)[:, None]
    column = torch.arange(columns, device=device)[None, :]
    same_network = (row < n) == (column < n)
    same_clip = row % n == column % n
    mask = torch.zeros(rows.stop - rows.start, columns, dtype=torch.bool, device=device)
    if "same_instance" in pairs:
        mask |= ~same_network & same_clip
    if "cross_instance" in pairs:
        mask |= ~same_network & ~same_clip
    if "mimic_mimic" in pairs:
        mask |= same_network & ~same_clip
    return mask


def l2_distillation(mimic: torch.Tensor, teacher: torch.Tensor, normalize: bool = True) -> torch.Tensor:
    """L2 KD (paper section 5.1): mean squared Euclidean distance of γ_m to γ_t of the same clip.

    Args:
        mimic, teacher: [n, d] features of the same clips.
        normalize: scale features to unit length first.
    """
    if mimic.shape != teacher.shape:
        raise ValueError(f"mimic {list(mimic.shape)} and teacher {list(teacher.shape)} differ in shape")
    mimic, teacher = _wide(mimic), _wide(teacher)
    if normalize:
        mimic, teacher = F.normalize(mimic, dim=1), F.normalize(teacher, dim=1)
    return (mimic - teacher).square().sum(1).mean()


def visibility(
    logits: torch.Tensor | None,
    amount: torch.Tensor | None,
    kind: torch.Tensor,
    true_amount: torch.Tensor,
    weight: float = 10.0,
    amount_logits: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    """The VEN's loss (paper section 3.1): cross entropy over kinds + λ · L2 on the amount.

    Args:
        logits: [n, k] class scores, before any softmax; None for a VEN without that task.
        amount: [n] predicted occluded fraction, 0–1; None for a VEN without that task.
        kind: [n] true class. true_amount: [n] true occluded fraction, 0 when clean.
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
        entropy = F.cross_entropy(_wide(logits), kind)
        loss = loss + entropy
    if amount is not None:
        amount = _wide(amount)
        squared = F.mse_loss(amount, true_amount.to(amount.dtype))
        loss = loss + weight * squared
    if amount_logits is not None:
        loss = loss + F.cross_entropy(_wide(amount_logits), nearest_two(true_amount, amount_logits.shape[1]))
    return loss, entropy, squared


def nearest_two(values: torch.Tensor, bins: int) -> torch.Tensor:
    """Values [n], 0–1, as distributions [n, bins] over 0, 1/(bins-1), …, 1 with the same mean: the two nearest."""
    places = values[:, None] * (bins - 1) - torch.arange(bins, device=values.device)
    return (1 - places.abs()).clamp(min=0)


def part_visibility(logits: torch.Tensor, true_parts: torch.Tensor) -> torch.Tensor:
    """Mean binary cross entropy of the visible shares of strips.

    Args:
        logits: [n, t] before any sigmoid. true_parts: [n, t] visible shares, 0–1.
    Raises:
        ValueError: shapes that do not fit.
    """
    if logits.ndim != 2 or logits.shape != true_parts.shape:
        raise ValueError(f"expected logits and shares [n, t], got {list(logits.shape)} and {list(true_parts.shape)}")
    return F.binary_cross_entropy_with_logits(_wide(logits), _wide(true_parts))


def _wide(x: torch.Tensor) -> torch.Tensor:
    """At least single precision."""
    return x if x.dtype == torch.float64 else x.float()
