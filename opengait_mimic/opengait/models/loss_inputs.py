"""What each loss of a YAML gets of its model: what its forward asks for, by the names of the arguments."""

from __future__ import annotations

import inspect
from collections.abc import Collection

from modeling import losses

from opengait_mimic.errors import ConfigError, nearest, shown
from opengait_mimic.opengait.config.networks import distils


def loss_entries(loss_cfg: dict | list) -> list[dict]:
    """The entries of a YAML's `loss_cfg`, which is one or a list."""
    return [loss_cfg] if isinstance(loss_cfg, dict) else loss_cfg


def loss_arguments(loss_cfg: dict | list, offered: Collection[str], model: str) -> dict[str, list[str]]:
    """The names of what each loss gets, by its log_prefix.

    An argument with a default is given where the model has it. MiCKDLoss without a pair that involves the teacher
    gets none.

    Args:
        loss_cfg: of the YAML.
        offered: names of what the model can give, such as "embeddings" and "labels".
        model: its name, for messages.
    Raises:
        ConfigError: a loss the host does not have, or one that asks for what the model does not have.
    """
    found = {}
    for entry in loss_entries(loss_cfg):
        forward = getattr(getattr(losses, entry["type"], None), "forward", None)
        if forward is None:
            known = [name for name, value in vars(losses).items() if isinstance(value, type)]
            raise ConfigError(f"loss_cfg: the host has no loss {shown(entry['type'])}; {nearest(entry['type'], known)}")
        _, *parameters = inspect.signature(forward).parameters.values()
        missing = [p.name for p in parameters if p.default is p.empty and p.name not in offered]
        if missing:
            hint = "; logits need model_cfg.class_num" if "logits" in missing else ""
            raise ConfigError(
                f"loss_cfg: {entry['type']} asks for {', '.join(missing)}; {model} has {', '.join(offered)}{hint}"
            )
        names = [p.name for p in parameters if p.name in offered]
        if entry["type"] == "MiCKDLoss" and not distils(entry):
            names = [name for name in names if name != "teacher"]
        found[entry["log_prefix"]] = names
    return found
