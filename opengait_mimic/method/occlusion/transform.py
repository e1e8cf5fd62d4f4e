"""Occlude clips: `Occlusion`, the transform a YAML names in a transform list, and `occlude`, a plain function."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from opengait_mimic.errors import ConfigError
from opengait_mimic.method.occlusion.apply import apply_occlusion
from opengait_mimic.method.occlusion.sampling import content_rng, mixture

Clips = TypeVar("Clips", np.ndarray, torch.Tensor)


class OcclusionLabels(NamedTuple):
    """What is true of n occluded clips.

    Attributes:
        types: n names of occlusion types; "clean" where nothing is hidden.
        classes: [n] int64, their classes: 0 is clean, then the types in the order they were given.
        amounts: [n] float32, 0–1, the hidden share of the frame area, mean over the clip's frames.
    """

    types: list[str]
    classes: np.ndarray
    amounts: np.ndarray


def occlude(sils: Clips, types: Sequence[str | dict], seed: int | None = None) -> tuple[Clips, OcclusionLabels]:
    """Occlude a batch of clips.

    Args:
        sils: [n, s, h, w] silhouettes as an array or a tensor, of any dtype (uint8, bool, floats 0–1), their frames
            in the order of time. They stay as they are.
        types: occlusion types as in a YAML's `kinds`: names, or mappings with `kind` and, where wanted, `prob`,
            `amount`, `refit` and the type's other settings.
        seed: a whole number from 0; the same seed gives the same occlusions. None takes NumPy's global generator.

    Returns:
        The occluded clips, as an array or a tensor like `sils`, and their labels.

    Raises:
        ConfigError: an unknown type, or a setting out of range.
        ValueError: `sils` has another number of axes.

    Example:
        >>> import numpy as np
        >>> from opengait_mimic import occlude
        >>> sils = np.ones((3, 5, 64, 44), dtype=np.uint8)
        >>> occluded, labels = occlude(sils, ["bottom", {"kind": "moving_pole", "amount": 0.25}], seed=1)
        >>> labels.types
        ['moving_pole', 'bottom', 'bottom']
        >>> occluded.shape, np.allclose((occluded == 0).mean((1, 2, 3)), labels.amounts)
        ((3, 5, 64, 44), True)
    """
    if sils.ndim != 4:
        raise ValueError(f"expected clips [n, s, h, w], got {list(sils.shape)}")
    asked = mixture(types)
    rng = process_rng() if seed is None else np.random.default_rng(seed)
    clips, frames, height, width = sils.shape
    parameters = asked.sample([rng] * clips, [np.arange(frames)] * clips, height, width)
    tensor = sils if isinstance(sils, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(sils))
    occluded = apply_occlusion(tensor, parameters)
    labels = OcclusionLabels([asked.classes[k] for k in parameters.kind], parameters.kind, parameters.amount)
    return occluded if isinstance(sils, torch.Tensor) else occluded.numpy(), labels


class Occlusion:
    """Occludes clips by a mixture of occlusion types; what a YAML names in a transform list.

    Our models lift it from the end of the transform list and occlude clip by clip, on the device, along real
    frame time. A stock OpenGait model calls it like any transform: then all frames handed over in one call
    (with `unfixed_*` and `all_*` sampling, all clips of a batch) are one clip whose frames are taken as
    consecutive; a moving type says so once.

    Args:
        kinds: the mixture, see `opengait_mimic.method.occlusion.sampling.mixture`.
        seed: with a number, the occlusion depends on the clip's content and this number only; without, it is
            sampled from the process's seeded generator.

    Raises:
        ConfigError: kinds or a seed that are not allowed.
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
        parameters = self.mixture.sample([rng], [np.arange(len(seq))], *seq.shape[-2:])
        return apply_occlusion(torch.from_numpy(np.ascontiguousarray(seq))[None], parameters)[0].numpy()


def process_rng() -> np.random.Generator:
    """NumPy's global generator, which the host seeds with the rank: whoever seeds it again seeds this one too."""
    return np.random.Generator(np.random.get_bit_generator())  # type: ignore[attr-defined]
