"""The losses as plain functions of embeddings, labels and predictions."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from opengait_mimic.errors import nearest

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
        mimic: [n, d] mimic features γ_m.
        teacher: [n, d] teacher features γ_t of the same clips in the same order; no gradient is needed.
            None leaves the teacher out altogether and then allows no teacher pairs.
        labels: [n] identities.
        margin: m, on the scale of the distances.
        pairs: the anchor–positive pairs in use: "same_instance" (γ_m^i, γ_t^i), "cross_instance"
            (γ_m^i, γ_t^j), "mimic_mimic" (γ_m^i, γ_m^j).
        anchors: "mimic" as in the paper; "both" lets the teacher's features be anchors too, each pair type
            mirrored (the third becomes teacher–teacher). With all pairs that is the triplet margin loss
            over the concatenation of both sets.
        normalize: scale features to unit length first.
        reduction: "mean_nonzero" averages over the triplets that violate the margin, "sum" adds all.
    Returns:
        The loss, a scalar; 0 (with a gradient of 0) where there is no triplet or none violates the margin.
    Raises:
        ValueError: shapes that do not fit, an unknown option, or teacher pairs without a teacher.
    """
    return _mickd(mimic, teacher, labels, margin, pairs, anchors, normalize, reduction)[0]


def mickd_with_counts(
    mimic, teacher, labels, margin=0.2, pairs=PAIRS, anchors="mimic", normalize=True, reduction="mean_nonzero"
):
    """As `mickd`, with the number of triplets and of those that violate the margin, as 0-d tensors."""
    return _mickd(mimic, teacher, labels, margin, pairs, anchors, normalize, reduction)


def _mickd(mimic, teacher, labels, margin, pairs, anchors, normalize, reduction):
    pairs = (pairs,) if isinstance(pairs, str) else tuple(pairs)
    check_mickd_options(margin, pairs, anchors, reduction)
    if mimic.ndim != 2 or labels.shape != mimic.shape[:1]:
        raise ValueError(f"expected features [n, d] and labels [n], got {list(mimic.shape)} and {list(labels.shape)}")
    if teacher is None:
        if pairs != ("mimic_mimic",) or anchors != "mimic":
            raise ValueError("without a teacher only the pairs ('mimic_mimic',) of mimic anchors exist")
        features, labels = mimic, labels
    else:
        if teacher.shape != mimic.shape:
            raise ValueError(f"mimic {list(mimic.shape)} and teacher {list(teacher.shape)} differ in shape")
        features, labels = torch.cat((mimic, teacher)), torch.cat((labels, labels))
    n = len(mimic)
    with torch.autocast(features.device.type, enabled=False):
        features = _wide(features)
        if normalize:
            features = F.normalize(features, dim=1)
        chosen = features if anchors == "both" else features[:n]
        distances = euclidean(chosen, features)  # [a, r]
        same = labels[: len(chosen), None] == labels[None, :]
        positive = same & _pair_mask(len(chosen), len(features), n, pairs, labels.device)
        total, violating = hinge_over_triplets(distances, positive, ~same, margin)
    triplets = (positive.sum(1) * (~same).sum(1)).sum()
    loss = total if reduction == "sum" else total / violating.clamp(min=1)
    return loss, triplets, violating


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


def _pair_mask(rows: int, columns: int, n: int, pairs: tuple[str, ...], device) -> torch.Tensor:
    """[rows, columns] which anchor–positive pair types are in use; identity is not considered here.

    Rows and columns are numbered mimic first, then teacher, n each.
    """
    row = torch.arange(rows, device=device)[:, None]
    column = torch.arange(columns, device=device)[None, :]
    same_network = (row < n) == (column < n)
    same_clip = row % n == column % n if n else row == column
    mask = torch.zeros(rows, columns, dtype=torch.bool, device=device)
    if "same_instance" in pairs:
        mask |= ~same_network & same_clip
    if "cross_instance" in pairs:
        mask |= ~same_network & ~same_clip
    if "mimic_mimic" in pairs:
        mask |= same_network & ~same_clip
    return mask


def euclidean(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Euclidean distances [a, r] of x [a, d] to y [r, d]; equal vectors have distance and gradient 0."""
    norms = x.square().sum(1)[:, None] + y.square().sum(1)[None, :]
    squared = norms.addmm(x, y.T, alpha=-2)
    apart = squared > 8 * torch.finfo(squared.dtype).eps * norms  # what is left of equal vectors by rounding
    return torch.where(apart, squared, 1.0).sqrt() * apart


def hinge_over_triplets(
    distances: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor, margin: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Σ [D(a,p) − D(a,n) + m]₊ over all triplets, without listing them (Eq. 2).

    For each anchor the negatives are sorted once; a positive at distance D then violates the margin with the
    c negatives nearer than D + m, which add c·(D + m) minus the sum of those c distances. O(r log r) time and
    O(r) memory per anchor.

    Args:
        distances: [a, r] distances of anchors to all features.
        positive, negative: [a, r] which features are an anchor's positives and negatives.
        margin: m.
    Returns:
        The sum, and the number of triplets with a hinge above 0.
    """
    reach = distances + margin
    ordered = distances.masked_fill(~negative, torch.inf).sort(dim=1).values
    count = torch.searchsorted(ordered.detach().contiguous(), reach.detach().contiguous())  # [a, r]
    count = count.minimum(negative.sum(1, keepdim=True))
    finite = torch.where(ordered.isinf(), 0.0, ordered).double()
    nearest_sums = F.pad(finite.cumsum(1), (1, 0)).gather(1, count)  # sum of the `count` nearest negatives
    hinge = torch.where(positive, count * reach.double() - nearest_sums, 0.0)
    violating = torch.where(positive, count, 0).sum()
    return hinge.sum().to(distances.dtype), violating


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
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    """The VEN's loss (paper section 3.1): cross entropy over kinds + λ · L2 on the amount.

    Args:
        logits: [n, k] class scores, before any softmax; None for a VEN without that task.
        amount: [n] predicted occluded fraction, 0–1; None for a VEN without that task.
        kind: [n] true class. true_amount: [n] true occluded fraction, 0 when clean.
        weight: λ.
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
        squared = F.mse_loss(_wide(amount), _wide(true_amount))
        loss = loss + weight * squared
    return loss, entropy, squared


def _wide(x: torch.Tensor) -> torch.Tensor:
    """At least single precision."""
    return x if x.dtype == torch.float64 else x.float()
