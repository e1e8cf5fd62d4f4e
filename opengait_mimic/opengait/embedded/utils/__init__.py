"""Small helpers under the names that OpenGait's models and losses import."""

from .common import (  # noqa: F401
    DDPPassthrough,
    NoOp,
    Odict,
    config_loader,
    ddp_all_gather,
    device,
    get_attr_from,
    get_ddp_module,
    get_rank,
    get_valid_args,
    get_world_size,
    init_seeds,
    list2var,
    np2var,
    params_count,
    ts2np,
)
from .msg_manager import get_msg_mgr  # noqa: F401
