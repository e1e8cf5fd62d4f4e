"""What our mixins rely on of a host's BaseModel, for the type checker; when running it is a plain class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn
    from torch.utils.data import DataLoader

    class Host(nn.Module):
        """A host's BaseModel."""

        msg_mgr: Any
        cfgs: dict[str, Any]
        engine_cfg: dict[str, Any]
        iteration: int
        save_path: str
        train_loader: Any
        test_loader: Any
        loss_aggregator: nn.Module
        optimizer: Any
        scheduler: Any

        def __init__(self, cfgs: dict, training: bool): ...

        def get_loader(self, data_cfg: dict, train: bool = True) -> DataLoader: ...

        def inputs_pretreament(self, inputs: list) -> tuple: ...

        def train_step(self, loss_sum) -> bool: ...

        def resume_ckpt(self, restore_hint: int | str) -> None: ...

        @staticmethod
        def run_train(model): ...
else:
    Host = object
