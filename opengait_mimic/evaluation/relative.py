"""RP = OP / HP (paper Eq. 3), always beside the HP it was computed with."""

from __future__ import annotations

from typing import NamedTuple


class Relative(NamedTuple):
    """RP of every metric of a test.

    Attributes:
        scalars: for TensorBoard. text: the table to print.
    """

    scalars: dict[str, float]
    text: str


def relative_performance(occluded: dict, own_holistic: dict, holistic: dict | None) -> Relative:
    """Compare a network's metrics on occluded clips with those on whole clips.

    Args:
        occluded: metrics by name, on occluded clips (OP).
        own_holistic: the same network's, on whole clips.
        holistic: the teacher's on whole clips (HP), or None if it could not be measured.
    """
    rows = [f"{'':24}{'occluded':>10}{'own whole':>11}{'HP':>9}{'RP':>7}"]
    scalars = {}
    for key, value in occluded.items():
        name = key.rsplit("/", 1)[-1]
        op, own = float(value), float(own_holistic[key])
        scalars[f"scalar/holistic/{name}"] = own
        row = f"{name:24}{op:10.2f}{own:11.2f}"
        if holistic is None:
            row += f"{'-':>9}{'-':>7}"
        else:
            hp = float(holistic[key])
            scalars[f"scalar/HP/{name}"] = hp
            row += f"{hp:9.2f}"
            if hp > 0:
                scalars[f"scalar/RP/{name}"] = op / hp
                row += f"{op / hp:7.2f}"
            else:
                row += f"{'-':>7}"
        rows.append(row)
    return Relative(scalars, "\n".join(rows))
