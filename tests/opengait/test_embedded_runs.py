"""Whole runs of a toy model on the embedded host: training, testing, checkpoints, several processes.

Run as a program (by torchrun, in the last test) it does one such run and writes down the losses.
"""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from opengait_mimic.opengait.activation import activate

activate("embedded")

import main  # noqa: E402
import utils  # noqa: E402
from modeling import models  # noqa: E402
from modeling.base_model import BaseModel  # noqa: E402

from opengait_mimic.errors import CheckpointError  # noqa: E402
from opengait_mimic.opengait.process.distributed import ensure_group  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]
SUBJECTS, FRAMES, HEIGHT, WIDTH = 6, 5, 16, 12


class Toy(BaseModel):
    """A linear map of the mean silhouette to two parts, with a classifier; keeps its losses."""

    losses: list[float] = []

    def build_network(self, model_cfg):
        self.embed = nn.Linear(HEIGHT * WIDTH, 2 * model_cfg["channels"])
        self.classify = nn.Linear(model_cfg["channels"], 3)

    def forward(self, inputs):
        ipts, labs, _, _, _ = inputs
        (sils,) = ipts
        sils = 4 * (sils - 0.5)
        embeddings = self.embed(sils.mean(1).flatten(1)).unflatten(1, (-1, 2))
        logits = self.classify(embeddings.transpose(1, 2)).transpose(1, 2)
        return {
            "training_feat": {
                "triplet": {"embeddings": embeddings, "labels": labs},
                "softmax": {"logits": logits, "labels": labs},
            },
            "visual_summary": {"image/sils": sils.flatten(0, 1)},
            "inference_feat": {"embeddings": embeddings},
        }

    def train_step(self, loss_sum):
        Toy.losses.append(loss_sum.item() / utils.get_world_size())
        return super().train_step(loss_sum)


class Marked(Toy):
    """A model with its own test."""

    @staticmethod
    def run_test(model):
        return {"scalar/test_accuracy/marked": float(model.training)}


models.Toy, models.Marked = Toy, Marked


def write_data(folder):
    """Each subject is a pattern with noise; half of them train."""
    rng = np.random.default_rng(0)
    for subject in range(SUBJECTS):
        pattern = rng.integers(0, 130, (HEIGHT, WIDTH))
        for walk in ("nm-01", "nm-02", "nm-05", "bg-01"):
            for view in ("000", "090"):
                place = folder / "root" / f"{subject:03d}" / walk / view
                place.mkdir(parents=True)
                clip = (pattern + rng.integers(0, 125, (FRAMES, HEIGHT, WIDTH))).astype(np.uint8)
                (place / "0.pkl").write_bytes(pickle.dumps(clip))
    names = [f"{subject:03d}" for subject in range(SUBJECTS)]
    partition = {"TRAIN_SET": names[: SUBJECTS // 2], "TEST_SET": names[SUBJECTS // 2 :]}
    (folder / "partition.json").write_text(json.dumps(partition))


def configuration(folder, **trainer):
    losses = [
        {"type": "TripletLoss", "log_prefix": "triplet", "margin": 3.0},
        {"type": "CrossEntropyLoss", "log_prefix": "softmax", "scale": 1, "log_accuracy": True},
    ]
    sampler = {"batch_size": [3, 4], "frames_num_fixed": FRAMES, "sample_type": "fixed_unordered"}
    common = {"save_name": "run", "transform": [{"type": "BaseSilTransform"}]}
    return {
        "data_cfg": {
            "dataset_name": "CASIA-B",
            "dataset_root": str(folder / "root"),
            "dataset_partition": str(folder / "partition.json"),
            "num_workers": 0,
        },
        "model_cfg": {"model": "Toy", "channels": 4},
        "loss_cfg": losses,
        "optimizer_cfg": {"lr": 0.01},
        "scheduler_cfg": {"milestones": [6]},
        "trainer_cfg": {**common, "enable_float16": False, "sampler": sampler, "total_iter": 8, "save_iter": 4,
                        "log_iter": 2, **trainer},
        "evaluator_cfg": {**common, "restore_hint": 8, "sampler": {"batch_size": 1}},
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENGAIT_MIMIC_DEVICE", "cpu")
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    Toy.losses = []
    write_data(tmp_path)
    yield tmp_path
    torch.set_num_threads(threads)


def write_yaml(folder, cfg):
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(cfg))
    return str(path)


def load(folder, cfg):
    return utils.config_loader(write_yaml(folder, cfg))


OUTPUT = Path("output/CASIA-B/Toy/run")


def test_training_then_testing_through_the_command_line(folder, capsys):
    path = write_yaml(folder, configuration(folder, total_iter=40, save_iter=20))
    assert main.main(["--cfgs", path, "--phase", "train", "--log_to_file"]) is None
    assert len(Toy.losses) == 40 and np.mean(Toy.losses[-5:]) < 0.3 * np.mean(Toy.losses[:5])
    assert sorted(p.name for p in (OUTPUT / "checkpoints").iterdir()) == ["run-00020.pt", "run-00040.pt"]
    assert list((OUTPUT / "summary").iterdir()) and len(list((OUTPUT / "logs").iterdir())) == 1
    assert "softmax/accuracy" in capsys.readouterr().out

    result = main.main(["--cfgs", path, "--phase", "test", "--iter", "40"])
    assert set(result) == {"scalar/test_accuracy/NM@R1", "scalar/test_accuracy/BG@R1"}
    assert min(result.values()) > 80  # chance: 33


def test_runs_in_one_process_repeat_exactly_and_do_not_disturb_each_other(folder, capsys):
    cfgs = load(folder, configuration(folder))
    seen = []
    for _ in range(2):
        Toy.losses = []
        main.run(deepcopy(cfgs), training=True)
        seen.append((Toy.losses, capsys.readouterr().out.count("iteration 8 ")))
    assert seen[0] == seen[1] and seen[0][1] == 1


def test_testing_on_the_way_returns_to_training(folder):
    cfgs = load(folder, configuration(folder, with_test=True))
    result = main.run(cfgs, training=True)
    assert set(result) == {"scalar/test_accuracy/NM@R1", "scalar/test_accuracy/BG@R1"}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(OUTPUT / "summary"))
    board.Reload()
    assert [event.step for event in board.Scalars("test_accuracy/NM@R1")] == [4, 8]


def test_a_models_own_test_is_used(folder):
    cfgs = load(folder, configuration(folder, with_test=True))
    cfgs["model_cfg"]["model"] = "Marked"
    assert main.run(cfgs, training=True) == {"scalar/test_accuracy/marked": 0.0}


def test_half_precision_and_workers(folder):
    cfg = configuration(folder, enable_float16=True, with_test=True)
    cfg["data_cfg"]["num_workers"] = 1
    cfg["evaluator_cfg"]["enable_float16"] = True
    result = main.run(load(folder, cfg), training=True)
    assert np.isfinite(Toy.losses).all() and len(Toy.losses) == 8
    assert result["scalar/test_accuracy/NM@R1"] > 0


@pytest.mark.parametrize("sample_type", ["unfixed_ordered", "all_ordered"])
def test_joined_clips_come_with_their_lengths(folder, sample_type):
    cfg = configuration(folder)
    cfg["trainer_cfg"]["sampler"].update(sample_type=sample_type, frames_num_min=2, frames_num_max=4)
    model = Toy(load(folder, cfg), training=True)
    ipts, labs, typs, vies, seqL = model.inputs_pretreament(next(iter(model.train_loader)))
    assert ipts[0].shape == (1, int(seqL.sum()), HEIGHT, WIDTH) and ipts[0].dtype is torch.float32
    assert seqL.shape == (1, 12) and seqL.dtype is torch.int32
    assert labs.tolist().count(2) == 4 and labs.dtype is torch.int64 and len(typs) == len(vies) == 12


def test_fixed_clips_are_stacked(folder):
    model = Toy(load(folder, configuration(folder)), training=True)
    ipts, labs, _, _, seqL = model.inputs_pretreament(next(iter(model.train_loader)))
    assert ipts[0].shape == (12, FRAMES, HEIGHT, WIDTH) and seqL is None and labs.shape == (12,)
    assert ipts[0].min() >= 0 and ipts[0].max() <= 1


def test_one_transform_is_needed_per_stream(folder):
    cfg = configuration(folder, transform=[{"type": "BaseSilTransform"}] * 2)
    with pytest.raises(ValueError, match="2 entries for 1 input streams"):
        main.run(load(folder, cfg), training=True)


@pytest.mark.skipif(not hasattr(torch.amp, "GradScaler"), reason="before torch 2.3 the scaler is for GPUs only")
def test_a_step_that_overflows_is_skipped_and_not_counted(folder):
    model = Toy(load(folder, configuration(folder)), training=True)
    model.scaler = torch.amp.GradScaler("cpu")
    before = model.embed.weight.detach().clone()
    assert not model.train_step(1e36 * model.embed.weight.sum())
    assert model.iteration == model.scheduler.last_epoch == 0 and torch.equal(model.embed.weight, before)
    assert model.train_step(model.embed.weight.sum())
    assert model.iteration == model.scheduler.last_epoch == 1 and not torch.equal(model.embed.weight, before)


# Building


class Tiny(BaseModel):
    def build_network(self, model_cfg):
        self.layers = nn.Sequential(nn.Conv2d(1, 64, 3), nn.BatchNorm2d(64), nn.Linear(64, 2, bias=False))


def test_a_network_is_initialised_and_fixed_batch_norm_keeps_its_statistics(folder):
    torch.manual_seed(0)
    model = Tiny(load(folder, configuration(folder)), training=True)
    conv, norm, linear = model.layers
    bound = (6 / (9 + 9 * 64)) ** 0.5
    assert 0.9 * bound < conv.weight.abs().max() <= bound and conv.bias.abs().max() == 0
    assert abs(norm.weight.mean() - 1) < 0.01 and 0.01 < norm.weight.std() < 0.03 and norm.bias.abs().max() == 0
    assert linear.weight.abs().max() <= (6 / 66) ** 0.5
    model.fix_BN()
    assert model.training and not norm.training and conv.training


def test_frozen_parameters_are_not_optimised(folder):
    class Frozen(Toy):
        def build_network(self, model_cfg):
            super().build_network(model_cfg)
            self.classify.requires_grad_(False)

    model = Frozen(load(folder, configuration(folder)), training=True)
    assert [p.shape for p in model.optimizer.param_groups[0]["params"]] == [p.shape for p in model.embed.parameters()]


# Checkpoints


@pytest.fixture
def trained(folder):
    cfg = configuration(folder)
    main.run(load(folder, cfg), training=True)
    return folder, cfg


def test_a_checkpoint_holds_what_training_needs_and_nothing_is_left_beside_it(trained):
    state = torch.load(OUTPUT / "checkpoints/run-00004.pt", weights_only=True)
    assert set(state) == {"model", "optimizer", "scheduler", "iteration"} and state["iteration"] == 4
    assert set(state["model"]) == {"embed.weight", "embed.bias", "classify.weight", "classify.bias"}
    assert len(list((OUTPUT / "checkpoints").iterdir())) == 2


def test_a_checkpoint_is_restored_whole_and_training_goes_on_in_its_schedule(trained):
    folder, cfg = trained
    saved = torch.load(OUTPUT / "checkpoints/run-00004.pt", weights_only=True)
    model = Toy(load(folder, {**cfg, "trainer_cfg": {**cfg["trainer_cfg"], "restore_hint": 4}}), training=True)
    assert model.iteration == 4
    for name, weights in model.state_dict().items():
        assert torch.equal(weights, saved["model"][name])
    momenta = model.optimizer.state_dict()["state"]
    assert all(
        torch.equal(momenta[i]["momentum_buffer"], s["momentum_buffer"]) for i, s in saved["optimizer"]["state"].items()
    )
    assert model.scheduler.last_epoch == 4
    Toy.losses = []
    Toy.run_train(model)
    assert len(Toy.losses) == 4 and model.iteration == 8
    assert model.optimizer.param_groups[0]["lr"] == pytest.approx(0.001)


def test_a_path_restores_the_weights_at_iteration_0(trained):
    folder, cfg = trained
    path = str(OUTPUT / "checkpoints/run-00004.pt")
    trainer = {**cfg["trainer_cfg"], "restore_hint": path, "optimizer_reset": True, "scheduler_reset": True}
    model = Toy(load(folder, {**cfg, "trainer_cfg": trainer}), training=True)
    assert model.iteration == 0 and not model.optimizer.state_dict()["state"] and model.scheduler.last_epoch == 0
    assert torch.equal(model.embed.weight, torch.load(path, weights_only=True)["model"]["embed.weight"])


def restoring(folder, cfg, hint, **evaluator):
    cfgs = load(folder, {**cfg, "evaluator_cfg": {**cfg["evaluator_cfg"], "restore_hint": hint, **evaluator}})
    return Toy(cfgs, training=False)


def test_checkpoints_that_do_not_fit_are_refused_in_one_line(trained):
    folder, cfg = trained
    state = torch.load(OUTPUT / "checkpoints/run-00008.pt", weights_only=True)
    narrow = {**state["model"], "embed.weight": torch.zeros(2, 2)}
    other = {f"net.{name}": weights for name, weights in state["model"].items()}
    torch.save({"model": narrow}, "narrow.pt")
    torch.save({"model": other}, "other.pt")
    torch.save({"weights": other}, "foreign.pt")
    Path("garbage.pt").write_bytes(b"no checkpoint")
    Path("cut.pt").write_bytes((OUTPUT / "checkpoints/run-00008.pt").read_bytes()[:900])
    Path("evil.pt").write_bytes(pickle.dumps({"model": os.getcwd}, protocol=2))
    for name, error, message in (
        ("missing.pt", CheckpointError, "checkpoint is missing: missing.pt"),
        ("narrow.pt", CheckpointError, r"embed.weight is \[2, 2\], expected \[8, 192\]"),
        ("other.pt", CheckpointError, "4 missing .embed.weight, .*4 unknown .net.embed.weight"),
        ("foreign.pt", CheckpointError, "holds no 'model'"),
        ("garbage.pt", CheckpointError, "cannot be read"),
        ("cut.pt", CheckpointError, "cannot be read"),
        ("evil.pt", CheckpointError, "cannot be read"),
    ):
        with pytest.raises(error, match=message) as caught:
            restoring(folder, cfg, name)
        assert name in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="run-00007.pt"):
        restoring(folder, cfg, 7)


def test_without_strictness_what_fits_is_restored(trained):
    folder, cfg = trained
    state = torch.load(OUTPUT / "checkpoints/run-00008.pt", weights_only=True)
    embed = {name: weights for name, weights in state["model"].items() if name.startswith("embed")}
    torch.save({"model": {**embed, "other": torch.zeros(1)}}, "part.pt")
    model = restoring(folder, cfg, "part.pt", restore_ckpt_strict=False)
    assert torch.equal(model.embed.weight, embed["embed.weight"])


# Several processes


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_two_processes_train_and_test_as_one_does(folder):
    cfg = configuration(folder, with_test=True)
    alone = main.run(load(folder, cfg), training=True)
    weights = torch.load(OUTPUT / "checkpoints/run-00008.pt", weights_only=True)["model"]
    cfg["evaluator_cfg"]["sampler"]["batch_size"] = 2
    cfg["data_cfg"]["num_workers"] = 1
    cfg["trainer_cfg"]["save_name"] = "pair"
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(free_port())]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([*launch, __file__, write_yaml(folder, cfg), "seen.json"], env=environment,
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(Path("seen.json").read_text())
    assert seen["losses"] == pytest.approx(Toy.losses, rel=1e-4)
    assert seen["result"] == alone
    pair = torch.load(OUTPUT.with_name("pair") / "checkpoints/pair-00008.pt", weights_only=True)["model"]
    for name, expected in weights.items():
        torch.testing.assert_close(pair[name], expected, rtol=1e-4, atol=1e-5)


def one_run_of_a_group(path, seen):
    ensure_group()
    result = main.main(["--cfgs", path, "--phase", "train"])
    if os.environ["RANK"] == "0":
        Path(seen).write_text(json.dumps({"losses": Toy.losses, "result": result}))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    one_run_of_a_group(*sys.argv[1:])
