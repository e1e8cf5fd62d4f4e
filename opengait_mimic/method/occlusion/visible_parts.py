"""How much of each horizontal part of a body stays visible."""

from __future__ import annotations

import torch

from opengait_mimic.errors import ConfigError
from opengait_mimic.method.clips import clip_lengths, silhouettes
from opengait_mimic.method.occlusion.masks import visible_mask
from opengait_mimic.method.occlusion.sampling import OcclusionParameters


def visible_parts(
    sils: torch.Tensor, parameters: OcclusionParameters | None, strips: int, seqL: torch.Tensor | None = None
) -> torch.Tensor:
    """The visible share of each horizontal part of holistic clips: the labels of the VEN's task "parts".

    It is the share of the part's silhouette, summed over the clip's frames, that stays visible; where no frame has any
    silhouette in a part, the share of the part's area. Parts are those of the holistic frame, before `refit` stretches
    what is left of it: what was cut away is hidden, whatever is seen in its place.

    Args:
        sils: [n, s, h, w] holistic clips, floats 0–1, or [1, sum of s, h, w] with seqL; with channels
            [n, s, c, h, w].
        parameters: the sampled occlusions of these clips; None leaves them holistic.
        strips: t, the number of parts, at most h; from the top, their heights differ by at most one row.
        seqL: [1, n] frames of each clip.

    Returns:
        [n, t] float32, 0–1.

    Raises:
        ConfigError: more parts than rows.
    """
    lengths = clip_lengths(sils, seqL)
    height, width = sils.shape[-2:]
    if strips > height:
        raise ConfigError(f"model_cfg: strips: {strips} of a frame of {height} rows; there is at least one row in each")
    if parameters is None:
        return torch.ones(len(lengths), strips, device=sils.device)
    frames = silhouettes(sils).reshape(-1, height, width).float()
    shown = torch.from_numpy(visible_mask(parameters, height, width)).to(sils.device).float()
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
