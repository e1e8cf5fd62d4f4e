"""Batch norm over all processes on the CPU, where PyTorch's SyncBatchNorm does not run."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class BatchNormOverProcesses(_BatchNorm):
    """In training the statistics are those of all processes' batches, as if one process had them all.

    Takes [n, c] and [n, c, …]; every process may have another n. In eval mode it is plain batch norm.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._check_input_dim(x)
        if not self.training:
            return super().forward(x)
        rows = x.transpose(0, 1).flatten(1)  # [c, n · …]
        rows = rows if rows.dtype == torch.float64 else rows.float()
        count = _Sum.apply(rows.new_tensor([rows.shape[1]]))
        # Twice to the network: sums of squares would lose the digits that a mean far from 0 takes.
        mean = _Sum.apply(rows.sum(1)) / count
        centred = rows - mean[:, None]
        variance = _Sum.apply(centred.square().sum(1)) / count
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
            share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean.detach().to(self.running_mean.dtype), share)
            self.running_var.lerp_((variance.detach() * count / (count - 1)).to(self.running_var.dtype), share)
        scaled = centred * (variance + self.eps).rsqrt()[:, None]
        if self.affine:
            scaled = scaled * self.weight[:, None] + self.bias[:, None]
        return scaled.reshape(x.transpose(0, 1).shape).transpose(0, 1).to(x.dtype).contiguous()

    def _check_input_dim(self, x: torch.Tensor) -> None:
        if x.dim() < 2:
            raise ValueError(f"expected [n, c] or [n, c, …], got {list(x.shape)}")


class _Sum(torch.autograd.Function):
    """The sum over all processes, whose gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(_, x):
        return _summed(x)

    @staticmethod
    def backward(_, gradient):
        return _summed(gradient)


def _summed(x: torch.Tensor) -> torch.Tensor:
    total = x.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


def over_processes(module: nn.Module) -> nn.Module:
    """The module with every batch norm in it over all processes; parameters, statistics and their names stay."""
    if isinstance(module, _BatchNorm):
        found = BatchNormOverProcesses(
            module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats
        )
        for name, value in (*module._parameters.items(), *module._buffers.items()):
            setattr(found, name, value)
        return found.train(module.training)
    for name, child in module.named_children():
        setattr(module, name, over_processes(child))
    return module
