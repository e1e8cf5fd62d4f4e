"""What our sections of a YAML mean: backbones, VENs and the Occlusion in a list of transforms; what a run needs."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import yaml

from opengait_mimic.errors import CheckpointError, ConfigError, DataError
from opengait_mimic.opengait.checkpoints import checkpoint_path
from opengait_mimic.opengait.config.check import check
from opengait_mimic.opengait.config.networks import backbone_spec, check_model_keys, ven_spec
from opengait_mimic.opengait.config.transforms import lifted, occlusion_settings

KINDS = [{"kind": "top", "prob": 0.5}, {"kind": "bottom", "prob": 0.5}]
SIL, CUT = {"type": "BaseSilTransform"}, {"type": "BaseSilCuttingTransform"}
OCCLUSION = {"type": "Occlusion", "kinds": KINDS, "seed": 0}


def compose(*steps):
    return [{"type": "Compose", "trf_cfg": list(steps)}]


def refused(error, words, action, *arguments, **options):
    """The action raises this error, whose lines together have all the words."""
    with pytest.raises(error) as caught:
        action(*arguments, **options)
    assert all(str(word) in str(caught.value) for word in words), str(caught.value)


# ---- the Occlusion in a list of transforms -------------------------------------------------------------------


def test_the_occlusion_at_the_end_is_lifted_out_and_the_configuration_stays():
    transforms = [*compose(SIL, OCCLUSION), {"type": "NoOperation"}]
    kept = copy.deepcopy(transforms)
    assert lifted(transforms, "trainer_cfg") == ([*compose(SIL), {"type": "NoOperation"}], OCCLUSION)
    assert transforms == kept


@pytest.mark.parametrize(
    "transforms", [None, [], compose(SIL), [SIL], compose(), [{"type": "Compose"}], ["BaseSilTransform"], "x"]
)
def test_without_an_occlusion_a_transform_list_stays_as_it_is(transforms):
    assert lifted(transforms, "trainer_cfg") == (transforms, None)


@pytest.mark.parametrize(
    ("transforms", "words"),
    [
        ([OCCLUSION], "at the end of a Compose"),
        (compose(OCCLUSION, SIL), "once, at the end"),
        (compose(OCCLUSION, SIL, OCCLUSION), "once, at the end"),
        (compose(SIL, OCCLUSION, OCCLUSION), "once, at the end"),
        (compose(OCCLUSION), "alone"),
    ],
)
def test_an_occlusion_elsewhere_is_refused(transforms, words):
    refused(ConfigError, ["evaluator_cfg: transform: Occlusion", words], lifted, transforms, "evaluator_cfg")


def test_the_settings_of_an_occlusion_are_its_arguments():
    assert occlusion_settings(OCCLUSION, "trainer_cfg") == {"kinds": KINDS, "seed": 0}
    assert occlusion_settings({"type": "Occlusion", "kinds": KINDS}, "trainer_cfg") == {"kinds": KINDS, "seed": None}
    wrong = {"type": "Occlusion", "kind": KINDS}
    refused(ConfigError, ["trainer_cfg", "'kind'", "did you mean 'kinds'"], occlusion_settings, wrong, "trainer_cfg")


# ---- backbones, teachers and VENs by their own YAML --------------------------------------------------------


class Run:
    """A working directory with data, a teacher, a VEN and a mimic; `write(name, cfgs)` writes another."""

    def __init__(self, folder: Path):
        self.folder = folder
        for subject in ("001", "002"):
            clip = folder / "sils" / subject / "nm" / "000" / "000.pkl"
            clip.parent.mkdir(parents=True)
            clip.write_bytes(pickle.dumps(np.zeros((2, 64, 64), np.uint8)))
        (folder / "part.json").write_text(json.dumps({"TRAIN_SET": ["001"], "TEST_SET": ["002"]}))
        data = {"dataset_name": "Walkers", "dataset_root": "sils", "dataset_partition": "part.json"}
        batch = {"batch_size": [2, 2]}
        self.teacher = {
            "data_cfg": data,
            "model_cfg": {"model": "Baseline", "bin_num": [16]},
            "evaluator_cfg": {"save_name": "T", "restore_hint": 40, "sampler": {"batch_size": 1}},
            "trainer_cfg": {"save_name": "T", "restore_hint": 0, "sampler": batch},
        }
        self.ven = {
            "data_cfg": data,
            "loss_cfg": [{"type": "VisibilityLoss", "log_prefix": "visibility"}],
            "model_cfg": {"model": "VisibilityEstimation", "channels": [4, 4, 4]},
            "evaluator_cfg": {"save_name": "V", "restore_hint": 30, "transform": compose(SIL, OCCLUSION)},
            "trainer_cfg": {"save_name": "V", "sampler": batch, "transform": compose(SIL, OCCLUSION)},
        }
        self.mimic = {
            "data_cfg": data,
            "loss_cfg": [{"type": "MiCKDLoss", "log_prefix": "mickd"}],
            "model_cfg": {"model": "MimicGait", "backbone": "teacher.yaml", "ven": "ven.yaml"},
            "evaluator_cfg": {"save_name": "M", "restore_hint": 50, "transform": compose(SIL, OCCLUSION)},
            "trainer_cfg": {"save_name": "M", "sampler": batch, "transform": compose(SIL, OCCLUSION)},
        }
        for name in ("teacher", "ven", "mimic"):
            self.write(f"{name}.yaml", getattr(self, name))
        self.teacher_checkpoint = self.touch("output/Walkers/Baseline/T/checkpoints/T-00040.pt")
        self.ven_checkpoint = self.touch("output/Walkers/VisibilityEstimation/V/checkpoints/V-00030.pt")
        self.touch("output/Walkers/MimicGait/M/checkpoints/M-00050.pt")

    def touch(self, path):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"")
        return target

    def write(self, name, cfgs, **changes):
        """Write a configuration with other values at paths (trainer_cfg__save_name); `...` takes a key away."""
        cfgs = copy.deepcopy(cfgs)
        for path, value in changes.items():
            *keys, last = [int(key) if key.isdigit() else key for key in path.split("__")]
            place = cfgs
            for key in keys:
                place = place[key]
            place[last] = copy.deepcopy(value)
            if value is ...:
                del place[last]
        (self.folder / name).write_text(yaml.dump(cfgs, Dumper=WithoutAliases))
        return name


class WithoutAliases(yaml.SafeDumper):
    """What stands twice is written twice."""

    def ignore_aliases(self, data):
        return True


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENGAIT_ROOT", raising=False)
    return Run(tmp_path)


def test_a_backbone_is_its_yamls_model_cfg_and_its_teacher_where_that_yaml_saves(run):
    spec = backbone_spec({"backbone": "teacher.yaml"}, "Other")
    assert (spec.model_cfg, spec.dataset_name) == (run.teacher["model_cfg"], "Walkers")
    assert spec.checkpoint == Path("output/Walkers/Baseline/T/checkpoints/T-00040.pt")
    spec = backbone_spec({"backbone": "teacher.yaml", "teacher": {"iteration": 7}}, "Other")
    assert spec.checkpoint == checkpoint_path("Walkers", "Baseline", "T", 7)
    spec = backbone_spec({"backbone": "teacher.yaml", "teacher": {"checkpoint": "t.pt"}}, "Other")
    assert spec.checkpoint == Path("t.pt")
    run.write("hint.yaml", run.teacher, evaluator_cfg__restore_hint="some/t.pt")
    assert backbone_spec({"backbone": "hint.yaml"}, "W").checkpoint == Path("some/t.pt")


def test_a_backbone_in_place_has_no_checkpoint_of_its_own():
    model_cfg = {"model": "GaitGL", "channels": [32]}
    spec = backbone_spec({"backbone": model_cfg}, "GREW")
    assert (spec.model_cfg, spec.dataset_name, spec.checkpoint) == (model_cfg, "GREW", None)


def test_what_a_yaml_leaves_out_is_opengaits_default_or_unknown(run):
    run.write("bare.yaml", {"model_cfg": {"model": "Baseline"}})
    spec = backbone_spec({"backbone": "bare.yaml"}, "W")
    assert (spec.dataset_name, spec.checkpoint) == ("CASIA-B", None)


@pytest.mark.parametrize(
    ("model_cfg", "words"),
    [
        ({"backbone": "no.yaml"}, ["model_cfg: backbone", "no.yaml"]),
        ({"backbone": {"channels": [1]}}, ["model_cfg: backbone: model"]),
        ({"backbone": 3}, ["model_cfg: backbone", "3"]),
        ({}, ["backbone is missing"]),
        ({"backbone": "part.yaml"}, ["part.yaml", "model_cfg: model is missing"]),
        ({"backbone": "teacher.yaml", "teacher": "t.pt"}, ["model_cfg: teacher", "mapping", "'t.pt'"]),
        ({"backbone": "teacher.yaml", "teacher": {"checkpiont": "t.pt"}}, ["teacher: unknown", "mean 'checkpoint'"]),
        ({"backbone": "teacher.yaml", "teacher": {"iteration": [1]}}, ["iteration", "[1]"]),
        ({"backbone": "number.yaml"}, ["number.yaml", "evaluator_cfg", "save_name", "2024"]),
        ({"backbone": "hint.yaml"}, ["hint.yaml", "evaluator_cfg", "restore_hint", "None"]),
    ],
)
def test_a_backbone_that_cannot_be_told_is_refused(run, model_cfg, words):
    run.write("part.yaml", {"data_cfg": {"dataset_name": "W"}})
    run.write("number.yaml", run.teacher, evaluator_cfg__save_name=2024)
    run.write("hint.yaml", run.teacher, evaluator_cfg__restore_hint=None)
    refused(ConfigError, words, backbone_spec, model_cfg, "W")


def test_a_ven_is_its_yaml_with_the_kinds_it_was_trained_on(run):
    assert ven_spec({}) is None and ven_spec({"ven": None}) is None
    spec = ven_spec({"ven": "ven.yaml"})
    assert spec.model_cfg == run.ven["model_cfg"]
    assert spec.checkpoint == Path("output/Walkers/VisibilityEstimation/V/checkpoints/V-00030.pt")
    assert spec.kinds.classes == ("clean", "top", "bottom")
    assert ven_spec({"ven": {"config": "ven.yaml"}}) == spec
    assert ven_spec({"ven": {"config": "ven.yaml", "iteration": 7}}).checkpoint.name == "V-00007.pt"
    assert ven_spec({"ven": {"config": "ven.yaml", "checkpoint": "v.pt"}}).checkpoint == Path("v.pt")


@pytest.mark.parametrize(
    ("ven", "words"),
    [
        ("no.yaml", ["model_cfg: ven", "no.yaml"]),
        ("teacher.yaml", ["model_cfg: ven", "teacher.yaml", "VisibilityEstimation"]),
        ("clean.yaml", ["model_cfg: ven", "clean.yaml", "occlusions"]),
        ({}, ["model_cfg: ven", "config is missing"]),
        ({"confg": "ven.yaml"}, ["model_cfg: ven", "'confg'", "did you mean 'config'"]),
        (3, ["model_cfg: ven", "3"]),
        ("kinds.yaml", ["unknown kind 'topp'"]),
        ("keys.yaml", ["model_cfg: ven: keys.yaml: ", "'chanels'", "feature: 0"]),
    ],
)
def test_a_ven_that_cannot_be_told_is_refused(run, ven, words):
    run.write("clean.yaml", run.ven, trainer_cfg__transform=compose(SIL))
    run.write("kinds.yaml", run.ven, trainer_cfg__transform__0__trf_cfg__1__kinds=["topp"])
    run.write("keys.yaml", run.ven, model_cfg__chanels=[1, 2, 3], model_cfg__feature=0)
    refused(ConfigError, words, ven_spec, {"ven": ven})


@pytest.mark.parametrize(
    ("model_cfg", "words"),
    [
        ({"model": "MimicGait", "backbon": "a.yaml"}, ["MimicGait", "'backbon'", "did you mean 'backbone'"]),
        ({"model": "MimicGait"}, ["MimicGait", "backbone is missing"]),
        ({"model": "OcclusionAware", "backbone": ""}, ["OcclusionAware", "backbone: ''"]),
        ({"model": "VisibilityEstimation", "backbone": "a.yaml"}, ["VisibilityEstimation", "'backbone'"]),
        ({"model": "VisibilityEstimation", "features": 3}, ["'features'", "did you mean 'feature'"]),
    ],
)
def test_keys_that_nothing_reads_are_refused(model_cfg, words):
    refused(ConfigError, ["model_cfg: ", *words], check_model_keys, model_cfg)


# ---- the check before a run --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["teacher", "ven", "mimic"])
def test_a_complete_run_passes(run, name):
    cfgs = check(f"{name}.yaml", "embedded", "train", processes=2)
    assert cfgs["model_cfg"].items() >= getattr(run, name)["model_cfg"].items()
    assert cfgs["trainer_cfg"]["total_iter"] > 0, "what the YAML leaves out is the host's default"
    check(f"{name}.yaml", "embedded", "test")


def test_a_test_of_a_mimic_needs_no_teacher_and_no_ven_checkpoint(run):
    run.teacher_checkpoint.unlink()
    run.ven_checkpoint.unlink()
    check("mimic.yaml", "embedded", "test")


@pytest.mark.parametrize(
    ("path", "value", "phase", "error", "words"),
    [
        ("data_cfg__dataset_root", "empty", "train", DataError, ["empty", "no silhouettes", "TRAIN_SET"]),
        ("data_cfg__dataset_root", "empty", "test", DataError, ["empty", "no silhouettes", "TEST_SET"]),
        ("data_cfg__dataset_partition", "no.json", "train", DataError, ["no.json", "No such file"]),
        ("data_cfg__dataset_partition", "mimic.yaml", "train", DataError, ["no JSON", "TRAIN_SET"]),
        ("data_cfg__dataset_partition", 3, "test", ConfigError, ["dataset_partition", "3"]),
        ("model_cfg__backbone", {"model": "Baseline"}, "train", ConfigError, ["teacher.checkpoint"]),
        ("model_cfg__ven", "no.yaml", "test", ConfigError, ["ven", "no.yaml"]),
        ("trainer_cfg__transform", compose(SIL), "train", ConfigError, ["no Occlusion", "MimicGait"]),
        ("trainer_cfg__transform", compose(OCCLUSION, SIL), "train", ConfigError, ["at the end"]),
        ("trainer_cfg__transform", compose(CUT, OCCLUSION), "train", ConfigError, ["VEN learned from", "Cutting"]),
        ("trainer_cfg__transform__0__trf_cfg__1__kinds", ["topp"], "train", ConfigError, ["'topp'", "'top'"]),
        ("trainer_cfg__sampler__batch_size", [3, 3], "train", ConfigError, ["batch of 9", "2 processes"]),
        ("trainer_cfg__restore_hint", 60, "train", CheckpointError, ["restore_hint", "M-00060.pt"]),
        ("trainer_cfg__restore_hint", None, "train", ConfigError, ["trainer_cfg", "restore_hint", "None"]),
        ("evaluator_cfg__restore_hint", 60, "test", CheckpointError, ["MimicGait/M/checkpoints/M-00060.pt"]),
        ("evaluator_cfg__restore_hint", 0, "test", ConfigError, ["untrained", "init_from_teacher"]),
        ("loss_cfg__0__pairs", None, "train", ConfigError, ["loss_cfg: MiCKDLoss: pairs", "None"]),
        ("loss_cfg__0__anchors", "all", "train", ConfigError, ["loss_cfg: MiCKDLoss: anchors", "'all'"]),
        ("loss_cfg__0__log_prefix", ..., "train", ConfigError, ["loss_cfg", "log_prefix is missing"]),
    ],
)
def test_a_mistake_is_one_line_with_the_file_the_key_and_the_value(run, path, value, phase, error, words):
    (run.folder / "empty").mkdir()
    run.write("x.yaml", run.mimic, **{path: value})
    refused(error, ["x.yaml: ", *words], check, "x.yaml", "embedded", phase, processes=2)


def test_all_mistakes_are_told_at_once_a_line_each_and_a_wrong_model_first(run):
    run.ven_checkpoint.unlink()
    changes = {"trainer_cfg__seed": -1, "data_cfg__dataset_root": "nowhere", "loss_cfg__0__margn": 0.2}
    run.write("x.yaml", run.mimic, **changes, optimizer_cfg={"lr": "1e-4"})
    with pytest.raises(ConfigError) as caught:
        check("x.yaml", "embedded", "train")
    lines = str(caught.value).splitlines()
    assert all(line.startswith("x.yaml: ") for line in lines)
    for line, word in zip(lines, ["seed: -1", "'margn'", "write 0.0001", "no such folder: nowhere"], strict=True):
        assert word in line, lines
    run.write("x.yaml", run.mimic, **changes, model_cfg__model="MimicGate")
    with pytest.raises(ConfigError) as caught:
        check("x.yaml", "embedded", "train")
    lines = str(caught.value).splitlines()
    assert "no model 'MimicGate'; did you mean 'MimicGait'?" in lines[0] and len(lines) == 4


@pytest.mark.parametrize(("who", "what"), [("teacher", "teacher"), ("ven", "VEN")])
def test_a_missing_teacher_or_ven_is_named_before_training(run, who, what):
    checkpoint = getattr(run, f"{who}_checkpoint")
    checkpoint.unlink()
    words = [f"mimic.yaml: model_cfg: {who}: the {what}'s checkpoint is missing", checkpoint.relative_to(run.folder)]
    refused(CheckpointError, words, check, "mimic.yaml", "embedded", "train")


def test_occlusion_aware_needs_a_teacher_only_where_it_starts_from_one(run):
    run.teacher_checkpoint.unlink()
    check(run.write("aware.yaml", run.mimic, model_cfg__model="OcclusionAware"), "embedded", "train")
    run.write("aware.yaml", run.mimic, model_cfg__model="OcclusionAware", model_cfg__init_from_teacher=True)
    refused(CheckpointError, ["teacher's checkpoint is missing"], check, "aware.yaml", "embedded", "train")


def test_a_ven_takes_its_classes_from_an_occlusion(run):
    run.write("x.yaml", run.ven, trainer_cfg__transform=..., evaluator_cfg__transform=...)
    refused(ConfigError, ["x.yaml: ", "VisibilityEstimation", "Occlusion"], check, "x.yaml", "embedded", "test")


def test_a_checkpoint_asked_for_by_its_iteration_must_be_there(run):
    words = ["VisibilityEstimation/V/checkpoints/V-00031.pt"]
    refused(CheckpointError, words, check, "ven.yaml", "embedded", "test", iteration=31)
    check("ven.yaml", "embedded", "test", iteration=30)


def test_opengaits_own_models_are_tested_with_one_clip_per_process(run):
    words = ["teacher.yaml: evaluator_cfg: sampler: batch_size 1", "2"]
    refused(ConfigError, words, check, "teacher.yaml", "embedded", "test", processes=2)


def test_a_checkout_lends_its_own_defaults_and_models(run):
    host = run.folder / "OpenGait"
    refused(ConfigError, ["default.yaml", "cannot be read"], check, "mimic.yaml", host, "train")
    defaults = {name: {} for name in ("model_cfg", "trainer_cfg", "evaluator_cfg", "data_cfg", "loss_cfg")}
    (host / "configs").mkdir(parents=True)
    (host / "configs" / "default.yaml").write_text(yaml.safe_dump(defaults))
    assert check("mimic.yaml", host, "train") == run.mimic
    (host / "opengait" / "modeling" / "models").mkdir(parents=True)
    (host / "opengait" / "modeling" / "models" / "own.py").write_text("class Baselines:\n    pass\n")
    words = ["no model 'Baseline'; did you mean 'Baselines'?"]
    refused(ConfigError, words, check, "teacher.yaml", host, "train")
