"""How much of each horizontal strip of a body an occlusion leaves to be seen: the labels of the VEN's parts."""

from __future__ import annotations

import torch

from opengait_mimic.errors import ConfigError
from opengait_mimic.method.clips import clip_lengths, silhouettes
from opengait_mimic.method.occlusion.masks import visible_mask
from opengait_mimic.method.occlusion.sampling import Plan


def visible_strips(
    sils: torch.Tensor, plan: Plan | None, strips: int, seqL: torch.Tensor | None = None
) -> torch.Tensor:
    """The visible share of each strip of the whole clips.

    It is the share of the strip's silhouette, summed over the clip's frames, that the plan leaves visible; where no
    frame has any silhouette in a strip, the share of the strip's area. Strips are those of the whole frame, before
    `refit` stretches what is left of it: what was cut away is hidden, whatever is seen in its place.

    Args:
        sils: the whole clips, [n, s, h, w] floats 0–1, or [1, sum of s, h, w] with seqL [1, n]; with channels
            [n, s, c, h, w]. plan: of these clips; None leaves them whole.
        strips: t, at most h, from the top; their heights differ by at most one row.
    Returns:
        [n, t] float32 0–1.
    Raises:
        ConfigError: more strips than rows.
    """
    lengths = clip_lengths(sils, seqL)
    height, width = sils.shape[-2:]
    if strips > height:
        raise ConfigError(f"model_cfg: strips: {strips} of a frame of {height} rows; there is at least one row in each")
    if plan is None:
        return torch.ones(len(lengths), strips, device=sils.device)
    frames = silhouettes(sils).reshape(-1, height, width).float()
    shown = torch.from_numpy(visible_mask(plan, height, width)).to(sils.device).float()
    counts = torch.tensor(lengths, device=sils.device)
    clip = torch.repeat_interleave(counts, output_size=len(frames))
    strip = torch.arange(height, device=sils.device) * strips // height
    body, seen, area = (
        torch.zeros(len(lengths), strips, device=sils.device).index_put_(
            (clip[:, None], strip[None]), rows.sum(2), accumulate=True
        )
        for rows in (frames, frames * shown, shown)
    )
    pixels = counts[:, None] * width * torch.bincount(strip, minlength=strips)
    return torch.where(body > 0, seen / body.clamp(min=1e-6), area / pixels)
