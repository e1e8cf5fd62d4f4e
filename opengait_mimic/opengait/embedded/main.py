"""The host's main program: one run of training or testing, as a YAML describes it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import utils
from modeling import models
from torch.nn import SyncBatchNorm

from opengait_mimic.opengait.process.batch_norm import over_processes


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Train or test a gait model.")
    parser.add_argument("--cfgs", required=True, metavar="PATH", help="the run's YAML")
    parser.add_argument("--phase", choices=("train", "test"), default="train")
    parser.add_argument("--iter", type=int, default=None, metavar="N", help="restore the checkpoint of iteration N")
    parser.add_argument("--log_to_file", action="store_true", help="write the log to output/…/logs as well")
    return parser


def run(cfgs: dict, training: bool, log_to_file: bool = False) -> dict | None:
    """One run in this process, which may belong to a process group.

    Args:
        cfgs: as `utils.config_loader` returns them.
        training: train or test.
        log_to_file: also write the log under the run's output folder.
    Returns:
        The metrics of the (last) test on rank 0; None on other ranks, and for training without a test.
    """
    manager = utils.get_msg_mgr()
    name = cfgs["model_cfg"]["model"]
    engine_cfg = cfgs["trainer_cfg" if training else "evaluator_cfg"]
    folder = Path("output", cfgs["data_cfg"]["dataset_name"], name, engine_cfg["save_name"])
    if training:
        hint = engine_cfg["restore_hint"]
        manager.init_manager(folder, log_to_file, engine_cfg["log_iter"], hint if isinstance(hint, int) else 0)
    else:
        manager.init_logger(folder, log_to_file)
    try:
        manager.log_info(f"{'train' if training else 'test'} {name}: {engine_cfg}")
        utils.init_seeds(utils.get_rank())
        model_class = utils.get_attr_from([models], name, "model (model_cfg.model)")
        model: Any = model_class(cfgs, training)
        manager.log_info(f"{name}: {utils.params_count(model)} on {utils.device()}")
        model = _distributed(model, cfgs["trainer_cfg"], training)
        return model_class.run_train(model) if training else model_class.run_test(model)
    finally:
        manager.close()


def _distributed(model: Any, trainer_cfg: dict, training: bool) -> Any:
    """The model as several processes need it."""
    if training and trainer_cfg["sync_BN"]:
        if utils.get_world_size() == 1:
            utils.get_msg_mgr().log_info("sync_BN changes nothing: one process sees the whole batch")
        elif utils.device().type == "cuda":
            model = SyncBatchNorm.convert_sync_batchnorm(model)
        else:
            model = over_processes(model)
    if training and trainer_cfg["fix_BN"]:
        model.fix_BN()  # type: ignore[operator]
    return utils.get_ddp_module(model, trainer_cfg["find_unused_parameters"])


def main(argv: Sequence[str] | None = None) -> dict | None:
    """The command line, in a process that belongs to its group already, if there is one."""
    args = _parser().parse_args(argv)
    cfgs = utils.config_loader(args.cfgs)
    if args.iter is not None:
        for section in ("trainer_cfg", "evaluator_cfg"):
            cfgs[section]["restore_hint"] = args.iter
    return run(cfgs, args.phase == "train", args.log_to_file)


if __name__ == "__main__":
    main()
