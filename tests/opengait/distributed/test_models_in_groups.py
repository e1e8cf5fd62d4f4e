"""Our models in several processes: the step of one process, and no parameter that DDP would wait for."""

from __future__ import annotations

import copy
import itertools
import os
from pathlib import Path

import pytest
import torch
from narrow import BACKBONES, IDENTITY, KINDS, MICKD, configuration
from shares import steps

KEPT_APART = [{"type": "L2KDLoss", "log_prefix": "l2"}, *IDENTITY]
OWN = {"model": "OcclusionAware", "backbone": BACKBONES["GaitBase"], "ven": None}
MIMIC = {"model": "MimicGait", "backbone": "teacher.yaml", "ven": "ven.yaml"}
VEN = {"model": "VisibilityEstimation", "channels": [4, 4, 8], "feature": 6}
SEEN = [{"type": "VisibilityLoss", "log_prefix": "seen"}]
MODELS = {
    "mimic with VEN": (MIMIC, MICKD),
    "part by part": (MIMIC, [{**MICKD[0], "partwise": True}]),
    "vanilla mimic": ({**MIMIC, "ven": None}, MICKD),
    "L2 KD, triplets and cross entropy": ({**MIMIC, "class_num": 6}, KEPT_APART),
    "control": ({**MIMIC, "ven": None}, [{**MICKD[0], "pairs": ["mimic_mimic"]}]),
    "baseline 2": (OWN, IDENTITY),
    "aware with VEN": ({**OWN, "ven": "ven.yaml", "class_num": 6}, IDENTITY),
    "VEN": (VEN, SEEN),
    "VEN without regression": ({**VEN, "tasks": ["classification"]}, SEEN),
}


def compared(group, cfgs, dtype=None):
    """What one process makes of two global batches, and what each process of a group makes of its shares of them."""
    batches = global_batches(cfgs)
    group(os.chdir, Path.cwd())
    return steps(cfgs, batches, dtype), group(steps, cfgs, batches, dtype)


def asked(data, model_cfg, losses, sample_type="fixed_unordered", **trainer):
    cfgs = configuration(data, "it", copy.deepcopy(model_cfg), losses, KINDS, sample_type, total=2)
    cfgs["trainer_cfg"].update(sync_BN=True, find_unused_parameters=False, **trainer)
    cfgs["trainer_cfg"]["sampler"]["batch_size"] = [4, 3]  # 12 clips divide among 1, 2, 3 and 4 processes
    return cfgs


def global_batches(cfgs, count=2):
    """What the model's forward takes of the first batches, as one process sees them."""
    from modeling import models
    from utils import init_seeds

    init_seeds(1)
    model = getattr(models, cfgs["model_cfg"]["model"])(copy.deepcopy(cfgs), True)
    loader = iter(model.train_loader)
    return [model.inputs_pretreament(next(loader)) for _ in range(count)]


@pytest.mark.parametrize(
    ("name", "sample_type"),
    [*zip(MODELS, itertools.cycle(["fixed_unordered", "unfixed_ordered"]), strict=False)],
    ids=lambda x: x.replace(" ", "-"),
)
def test_two_steps_are_those_of_one_process(several, data, trained, name, sample_type):
    expected, shares = compared(several, asked(data, *MODELS[name], sample_type), torch.float64)
    for found in shares:
        for what in ("loss", "gradient", "weights"):
            torch.testing.assert_close(
                found[what], expected[what], atol=1e-10, rtol=1e-10, msg=lambda m, w=what: f"{w}: {m}"
            )


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("model", ["OcclusionAware", "MimicGait"])
def test_no_backbone_has_parameters_that_ddp_waits_for(pair, data, trained, model, name):
    own = IDENTITY if name != "GaitSet" else IDENTITY[:1]  # GaitSet has no classifier
    losses = own if model == "OcclusionAware" else [{**MICKD[0], "pairs": ["mimic_mimic"]}]
    backbone = {**BACKBONES[name], **({"channels": [4, 4, 4, 8]} if name == "GaitGL" else {})}  # as GREW's has
    cfgs = asked(data, {"model": model, "backbone": backbone, "ven": None}, losses)
    expected, shares = compared(pair, cfgs)
    for found in shares:
        torch.testing.assert_close(found["loss"], expected["loss"], atol=1e-3, rtol=1e-3)


def test_half_precision(several, data, trained):
    expected, shares = compared(several, asked(data, *MODELS["mimic with VEN"], enable_float16=True))
    for found in shares:
        torch.testing.assert_close(found["loss"], expected["loss"], atol=0.02, rtol=0.02)
        for name, gradient in found["gradient"].items():
            assert gradient.dtype == torch.float32 and gradient.isfinite().all(), name
            assert torch.equal(gradient, shares[0]["gradient"][name]), "every process takes the same step"


def test_without_sync_bn_each_process_has_the_statistics_of_its_share(pair, data, trained):
    cfgs = asked(data, *MODELS["baseline 2"])
    cfgs["trainer_cfg"]["sync_BN"] = False
    expected, shares = compared(pair, cfgs, torch.float64)
    assert shares[0]["loss"] != pytest.approx(expected["loss"], rel=1e-6)
