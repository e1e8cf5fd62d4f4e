"""Which rows of a clip a part of an embedding looks at, and how visible it is."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from opengait_mimic.errors import ConfigError
from opengait_mimic.method.ven import DetailedVisibility

PYRAMID = (16, 8, 4, 2, 1)


def part_bins(model_cfg: dict, parts: int, bins: Sequence[int] | None = None) -> tuple[int, ...]:
    """The horizontal pyramid of a backbone: numbers of equally high strips, whose parts follow each other.

    Args:
        model_cfg: the backbone's; `bin_num` in it is taken, once or for several maps one after another (GaitSet).
        parts: p, those of its embeddings. bins: what the user says; must add up to p.
    Raises:
        ConfigError: they do not add up, or it cannot be told.
    """
    if bins is not None:
        if sum(bins) != parts:
            raise ConfigError(f"evaluator_cfg: weighted: bins: {list(bins)} are {sum(bins)} parts, not {parts}")
        return tuple(bins)
    if model_cfg.get("model") == "GaitGL" and parts == 64:
        return (32, 32)  # the global map's rows, then the local one's
    named = model_cfg.get("bin_num")
    for pyramid in ([tuple(named)] if isinstance(named, list) else []) + [PYRAMID]:
        if sum(pyramid) and parts % sum(pyramid) == 0:
            return pyramid * (parts // sum(pyramid))
    if parts & (parts - 1) == 0:  # one strip each
        return (parts,)
    raise ConfigError(
        f"evaluator_cfg: weighted: which rows are the {parts} parts of {model_cfg.get('model')}? "
        "give bins, such as {bins: [16, 8, 4, 2, 1]}"
    )


def strips_to_parts(bins: Sequence[int], strips: int) -> torch.Tensor:
    """[p, t] the mean over t strips that gives each part's visibility: strips count by the rows they share."""
    lows, highs = (
        torch.cat([(torch.arange(count) + end) / count for count in bins])[:, None] * strips for end in (0.0, 1.0)
    )
    strip = torch.arange(strips)
    shared = (torch.minimum(highs, strip + 1.0) - torch.maximum(lows, strip)).clamp(min=0)
    return shared / shared.sum(1, keepdim=True)


def parts_visibility(seen: DetailedVisibility, strips: torch.Tensor) -> torch.Tensor:
    """[n, p] float32 visible shares, 0–1, of the parts of n clips.

    Args:
        seen: by a VEN with the task "parts". strips: [p, t], of `strips_to_parts`.
    """
    return (seen.part_logits.float().sigmoid() @ strips.T).clamp(0, 1)  # type: ignore[attr-defined]
