"""How far a batch's features lie from each other: what MiCKD's triplets compare, as means."""

from __future__ import annotations

import torch

from opengait_mimic.method.triplets import by_part, euclidean


@torch.no_grad()
def pair_distances(
    mimic: torch.Tensor, teacher: torch.Tensor | None, labels: torch.Tensor, normalize: bool = True
) -> dict[str, float]:
    """Mean Euclidean distances D(a, p) and D(a, n) of mimic anchors, by what they are compared with.

    Args:
        mimic: [n, d] features γ_m, or [n, c, p] to compare part by part (mean over the parts).
        teacher: γ_t of the same clips, or None.
        labels: [n] identities.
        normalize: scale features (of each part) to unit length first.

    Returns:
        "positive_same_instance" (γ_m^i, γ_t^i), "positive_cross_instance" (γ_m^i, γ_t^j), "positive_mimic_mimic"
        (γ_m^i, γ_m^j), "negative_teacher" and "negative_mimic"; those without a pair in the batch are left out.
    """
    anchors = by_part(mimic, normalize)
    same = labels[:, None] == labels[None, :]
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    sets = {"positive_mimic_mimic": (anchors, same & ~itself), "negative_mimic": (anchors, ~same)}
    if teacher is not None:
        others = by_part(teacher, normalize)
        sets["positive_same_instance"] = others, itself
        sets["positive_cross_instance"] = others, same & ~itself
        sets["negative_teacher"] = others, ~same
    found = []
    with torch.autocast(mimic.device.type, enabled=False):
        for features, pairs in sets.values():
            distances = euclidean(anchors, features, anchors.square().sum(2), features.square().sum(2)).mean(0)
            found += [(distances * pairs).sum(), pairs.sum()]
    values = torch.stack([value.double() for value in found]).tolist()  # the device is waited for once
    return {name: total / count for name, total, count in zip(sets, values[::2], values[1::2], strict=True) if count}
