"""Room for large tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch


def room(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A new contiguous tensor, its values not set.

    On a CPU it lies where NumPy puts it, which asks the system for large pages: a copy of some ten megabytes into
    PyTorch's own memory spends most of its time on small ones.
    """
    if device.type == "cpu" and dtype != torch.bfloat16:  # which NumPy does not have
        return torch.from_numpy(np.empty(tuple(shape), torch.empty(0, dtype=dtype).numpy().dtype))
    return torch.empty(tuple(shape), dtype=dtype, device=device)
