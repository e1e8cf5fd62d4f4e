"""`Occlusion`, the transform a YAML names in a transform list."""

from __future__ import annotations

import warnings

import numpy as np
import torch

from opengait_mimic.errors import ConfigError
from opengait_mimic.method.occlusion.apply import paint
from opengait_mimic.method.occlusion.sampling import content_rng, mixture


class Occlusion:
    """Occludes clips by a mixture of kinds.

    Our models lift it from the end of the transform list and occlude clip by clip, on the device, along real
    frame time. A stock OpenGait model calls it like any transform: then all frames handed over in one call
    (with `unfixed_*` and `all_*` sampling, all clips of a batch) are one clip whose frames are taken as
    consecutive; a moving kind says so once.

    Args:
        kinds: the mixture, see `opengait_mimic.method.occlusion.sampling.mixture`.
        seed: with a number, the occlusion depends on the clip's content and this number only; without, it is
            drawn from the process's seeded generator.
    """

    def __init__(self, kinds, seed: int | None = None):
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
            raise ConfigError(f"Occlusion: seed: {seed!r} is not a whole number from 0")
        self.mixture = mixture(kinds)
        self.seed = seed
        self.rng = process_rng()
        self._warned = False

    def __call__(self, seq: np.ndarray) -> np.ndarray:
        """Occlude one clip, [s, h, w] or [s, c, h, w], of any dtype."""
        if self.mixture.dynamic and not self._warned:
            warnings.warn(
                "Occlusion as a plain transform takes frames as consecutive: under unordered sampling a "
                "moving occluder moves in sample order",
                stacklevel=2,
            )
            self._warned = True
        rng = self.rng if self.seed is None else content_rng(seq, self.seed)
        plan = self.mixture.plan([rng], [np.arange(len(seq))], *seq.shape[-2:])
        return paint(torch.from_numpy(np.ascontiguousarray(seq))[None], plan)[0].numpy()


def process_rng() -> np.random.Generator:
    """NumPy's global generator, which the host seeds with the rank: whoever seeds it again seeds this one too."""
    return np.random.Generator(np.random.get_bit_generator())  # type: ignore[attr-defined]
