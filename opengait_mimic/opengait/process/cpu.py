"""CUDA calls answered by the CPU."""

from __future__ import annotations

import torch
from torch.overrides import TorchFunctionMode

_IS_CUDA = torch.Tensor.is_cuda.__get__  # type: ignore[attr-defined]


def _names_cuda(value: object) -> bool:
    return (isinstance(value, torch.device) and value.type == "cuda") or (
        isinstance(value, str) and (value == "cuda" or value.startswith("cuda:"))
    )


class CudaOnCpu(TorchFunctionMode):
    """Answers `.cuda()` with the tensor itself, `.is_cuda` with yes, and every CUDA device argument with the CPU.

    >>> with CudaOnCpu():
    ...     torch.ones(2, device="cuda:0").cuda().sum()
    tensor(2.)
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.Tensor.cuda:
            return args[0]
        if func == _IS_CUDA:  # some models make what they need on the GPU only where their input is on one
            return True
        args = tuple("cpu" if _names_cuda(a) else a for a in args)
        kwargs = {k: "cpu" if _names_cuda(v) else v for k, v in (kwargs or {}).items()}
        return func(*args, **kwargs)
