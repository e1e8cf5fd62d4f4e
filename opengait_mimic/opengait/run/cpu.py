"""Run an unmodified OpenGait checkout on the CPU.

OpenGait names CUDA throughout. Here every such call is answered by the CPU: tensors stay where they are,
the number of devices is the number of processes, and DDP gets no device ids. The checkout is not touched.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import runpy
import sys

import torch
import torch.distributed as dist
from torch.overrides import TorchFunctionMode

from opengait_mimic.opengait.run.batch_norm import over_processes

_enabled: list[object] = []  # kept alive for the rest of the process
_IS_CUDA = torch.Tensor.is_cuda.__get__


def wanted() -> bool:
    """Whether this run is to use the CPU: asked for by OPENGAIT_MIMIC_DEVICE, or there is no CUDA."""
    asked = os.environ.get("OPENGAIT_MIMIC_DEVICE")
    return asked == "cpu" or (asked is None and not torch.cuda.is_available())


def _names_cuda(value: object) -> bool:
    return (isinstance(value, torch.device) and value.type == "cuda") or (
        isinstance(value, str) and (value == "cuda" or value.startswith("cuda:"))
    )


class CudaOnCpu(TorchFunctionMode):
    """Answers `.cuda()` with the tensor itself, `.is_cuda` with yes, and every CUDA device argument with the CPU."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.Tensor.cuda:
            return args[0]
        if func == _IS_CUDA:  # some models make what they need on the GPU only where their input is on one
            return True
        args = tuple("cpu" if _names_cuda(a) else a for a in args)
        kwargs = {k: "cpu" if _names_cuda(v) else v for k, v in (kwargs or {}).items()}
        return func(*args, **kwargs)


def enable() -> None:
    """Map CUDA to the CPU for the rest of this process (once; further calls do nothing)."""
    if _enabled:
        return
    mode = CudaOnCpu()
    mode.__enter__()
    _enabled.append(mode)

    torch.cuda.set_device = lambda device: None
    torch.cuda.current_device = lambda: 0
    torch.cuda.device_count = lambda: dist.get_world_size() if dist.is_initialized() else 1

    join = dist.init_process_group
    dist.init_process_group = lambda backend=None, **kwargs: join("gloo", **kwargs)

    load = torch.load
    torch.load = lambda f, map_location=None, **kwargs: load(f, map_location="cpu", **kwargs)

    ddp = torch.nn.parallel.DistributedDataParallel
    wrap = ddp.__init__

    def without_devices(self, module, device_ids=None, output_device=None, **kwargs):
        wrap(self, module, **kwargs)

    ddp.__init__ = without_devices

    def synchronised(module, process_group=None):
        return over_processes(module) if dist.is_initialized() and dist.get_world_size() > 1 else module

    torch.nn.SyncBatchNorm.convert_sync_batchnorm = synchronised
    _declare_torchvision_operators()


def _declare_torchvision_operators() -> None:
    """Make torchvision importable beside a torch it was not built for: declare the two operators it expects."""
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _enabled.append(library)
        importlib.import_module("torchvision")


def main() -> None:
    """Run a program on the CPU: `python -m opengait_mimic.opengait.run.cpu opengait/main.py --cfgs … --phase train`.

    Also under torchrun (`torchrun --nproc_per_node 2 -m opengait_mimic.opengait.run.cpu opengait/main.py …`).
    """
    program = sys.argv[1]
    sys.argv = sys.argv[1:]
    sys.path[0] = os.path.dirname(os.path.abspath(program))
    enable()
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
