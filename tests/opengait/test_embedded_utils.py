"""Configuration, look-up, conversions and messages of the embedded host."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
import yaml

from opengait_mimic.opengait.activation import activate

activate("embedded")

import utils  # noqa: E402
from modeling import models  # noqa: E402
from torch.optim import lr_scheduler  # noqa: E402
from utils.msg_manager import MessageManager  # noqa: E402


@pytest.fixture
def load(tmp_path):
    def write_and_load(content):
        (tmp_path / "run.yaml").write_text(yaml.safe_dump(content))
        return utils.config_loader(tmp_path / "run.yaml")

    return write_and_load


def test_a_users_yaml_is_merged_key_by_key_over_the_defaults(load):
    cfgs = load({"trainer_cfg": {"total_iter": 7, "sampler": {"batch_size": [2, 2]}, "transform": [{"type": "X"}]}})
    trainer = cfgs["trainer_cfg"]
    assert trainer["total_iter"] == 7 and trainer["save_iter"] == 2000
    assert trainer["sampler"]["batch_size"] == [2, 2] and trainer["sampler"]["type"] == "TripletSampler"
    assert trainer["transform"] == [{"type": "X"}]
    assert cfgs["optimizer_cfg"] == {"solver": "SGD", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.0005}


def test_names_are_looked_up_and_unknown_ones_answered_with_the_nearest():
    assert utils.get_attr_from([models], "Baseline") is models.Baseline
    assert utils.get_attr_from([models, lr_scheduler], "StepLR") is lr_scheduler.StepLR
    with pytest.raises(ValueError, match="unknown scheduler 'MultistepLR'; did you mean 'MultiStepLR'"):
        utils.get_attr_from([lr_scheduler], "MultistepLR", "scheduler")
    with pytest.raises(ValueError, match="unknown optimizer 'sgd'"):  # a submodule, nothing to call
        utils.get_attr_from([torch.optim], "sgd", "optimizer")


def test_arguments_that_do_not_fit_are_left_out_and_logged(caplog):
    def build(lr, momentum=0.0):
        return lr

    with caplog.at_level(logging.WARNING, utils.common.LOGGER.name):
        utils.common.LOGGER.propagate = True
        args = utils.get_valid_args(build, {"lr": 1, "solver": "build", "lrr": 2}, ["solver"])
    assert args == {"lr": 1}
    assert "'lrr'" in caplog.text and "solver" not in caplog.text


def test_the_device_follows_the_environment(monkeypatch):
    monkeypatch.setenv("OPENGAIT_MIMIC_DEVICE", "cpu")
    assert utils.device() == torch.device("cpu")
    monkeypatch.setenv("OPENGAIT_MIMIC_DEVICE", "tpu")
    with pytest.raises(ValueError, match="OPENGAIT_MIMIC_DEVICE is 'tpu'; allowed: cpu, cuda"):
        utils.device()
    monkeypatch.setenv("OPENGAIT_MIMIC_DEVICE", "cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="finds no CUDA device"):
        utils.device()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setenv("LOCAL_RANK", "5")
    assert utils.device() == torch.device("cuda", 1)


def test_without_a_process_group_there_is_one_process():
    x = torch.randn(3, requires_grad=True)
    net = torch.nn.Linear(2, 2)
    assert (utils.get_rank(), utils.get_world_size()) == (0, 1)
    assert utils.ddp_all_gather(x) is x and utils.get_ddp_module(net) is net


def test_conversions(monkeypatch):
    monkeypatch.setenv("OPENGAIT_MIMIC_DEVICE", "cpu")
    clip = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert utils.np2var(clip[:, ::-1]).tolist() == clip[:, ::-1].tolist()
    assert utils.np2var(clip).dtype is torch.uint8
    assert utils.list2var([1, 2], dtype=torch.int64).tolist() == [1, 2]
    half = utils.ts2np(torch.ones(2, dtype=torch.bfloat16, requires_grad=True))
    assert half.dtype == np.float32 and half.tolist() == [1, 1]
    assert utils.params_count(torch.nn.Linear(999, 1)) == "0.001 M parameters"


# Messages


@pytest.fixture
def manager():
    manager = MessageManager()
    yield manager
    manager.close()


def events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return accumulator


def test_a_log_line_and_tensorboard_get_the_means_since_the_last_one(manager, tmp_path, capsys):
    manager.init_manager(tmp_path, log_to_file=True, log_iter=2, iteration=10)
    for loss in (1.0, 2.0, 5.0, 7.0):
        info = {"scalar/triplet/loss": torch.tensor([loss, loss + 1])}
        manager.train_step(info, {"image/sils": torch.rand(3, 1, 8, 6), "scalar/lr": 0.1})
    manager.close()
    printed = capsys.readouterr().out
    (log_file,) = (tmp_path / "logs").iterdir()
    for text in (printed, log_file.read_text()):
        lines = [line for line in text.splitlines() if "iteration" in line]
        assert [line.split(" | ")[0][-12:] for line in lines] == ["iteration 12", "iteration 14"]
        assert "triplet/loss 2.0000" in lines[0] and "triplet/loss 6.5000" in lines[1]
    board = events(tmp_path / "summary")
    assert [(e.step, e.value) for e in board.Scalars("triplet/loss")] == [(12, 2.0), (14, 6.5)]
    assert board.Tags()["images"] == ["sils"] and "lr" in board.Tags()["scalars"]
    assert {(image.height, image.width) for image in board.Images("sils")} == {(8, 3 * 6)}, "three frames"


def test_handlers_do_not_pile_up(manager, tmp_path, capsys):
    for _ in range(3):
        manager.init_logger(tmp_path, log_to_file=False)
    manager.log_info("once", 1)
    assert capsys.readouterr().out.count("once 1") == 1


def test_a_summary_entry_of_another_kind_is_refused(manager, tmp_path):
    manager.init_manager(tmp_path, log_to_file=False, log_iter=1)
    with pytest.raises(ValueError, match="'histogram/x' must begin with scalar/ or image/"):
        manager.write_to_tensorboard({"histogram/x": 1})
