"""RP = OP / HP (paper Eq. 3), always beside the HP it was computed with."""

from __future__ import annotations


def relative_performance(occluded: float, holistic: float) -> float | None:
    """RP = OP / HP (paper Eq. 3): how much of the holistic accuracy remains under occlusion.

    Args:
        occluded: OP, a network's score on occluded clips, from 0.
        holistic: HP, the holistic network's same score on holistic clips, from 0.

    Returns:
        RP; None where HP is 0.

    Example:
        >>> relative_performance(occluded=30.0, holistic=80.0)
        0.375
    """
    return occluded / holistic if holistic > 0 else None


def holistic_retention(own: dict[str, float], reference: dict[str, float] | None) -> dict[str, float]:
    """How much of the teacher's accuracy a network keeps on holistic clips, as far as the teacher's is known.

    Args:
        own: a network's scores on holistic clips, by name.
        reference: the teacher's (HP); None where it is not there.

    Returns:
        The ratio by name; 1 means that holistic clips are recognised as well as by the teacher.
    """
    ratios = {name: relative_performance(value, (reference or {}).get(name, 0)) for name, value in own.items()}
    return {name: ratio for name, ratio in ratios.items() if ratio is not None}


def relative_table(test: dict, own: dict[str, float]) -> str:
    """One test of a result file as text: occluded, own holistic and HP in percent, RP with its interval.

    Args:
        test: an entry of `tests`, see `evaluation.occluded.summary`.
        own: the same network's scores on holistic clips.

    Returns:
        A line for each score, below a header.
    """
    spread = any(score["sd"] is not None for score in test["scores"].values())
    rows = [f"{'':24}{'occluded':>10}{'± sd' if spread else '':>8}{'own holistic':>14}{'HP':>9}{'RP':>7}"]
    for name, score in test["scores"].items():
        sd = "" if score["sd"] is None else f"{score['sd']:.2f}"
        row = f"{name:24}{score['mean']:10.2f}{sd:>8}{own[name]:14.2f}"
        row += f"{'-':>9}" if score["HP"] is None else f"{score['HP']:9.2f}"
        row += f"{'-':>7}" if score["RP"] is None else f"{score['RP']:7.2f}"
        if score["RP_interval"] is not None:
            row += " [{:.2f}, {:.2f}]".format(*score["RP_interval"])
        rows.append(row)
    return "\n".join(rows)


def relative_scalars(test: dict, own: dict[str, float]) -> dict[str, float]:
    """The same for TensorBoard: scalar/test_accuracy, scalar/holistic, scalar/HP and scalar/RP."""
    scalars = {}
    for name, score in test["scores"].items():
        scalars[f"scalar/test_accuracy/{name}"] = score["mean"]
        scalars[f"scalar/holistic/{name}"] = own[name]
        for key in ("HP", "RP"):
            if score[key] is not None:
                scalars[f"scalar/{key}/{name}"] = score[key]
    return scalars
