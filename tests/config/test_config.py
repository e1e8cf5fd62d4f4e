"""What our YAML sections mean, what is refused and in which words."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from opengait_mimic.errors import CheckpointError, ConfigError, DataError, MimicError, nearest
from opengait_mimic.method.occlusion import Occlusion
from opengait_mimic.opengait.checkpoints import checkpoint_path, load_weights, read_weights
from opengait_mimic.opengait.config.check import check
from opengait_mimic.opengait.config.networks import backbone_spec, check_model_keys, ven_spec
from opengait_mimic.opengait.config.reading import find, merge, read_yaml, section, shipped
from opengait_mimic.opengait.config.transforms import lifted, occlusion_settings

KINDS = [{"kind": "top", "prob": 0.5}, {"kind": "bottom", "prob": 0.5}]


def refused(error, *words):
    """The action raises this error, in one line that has all the words."""

    class Refused:
        def __enter__(self):
            self.raises = pytest.raises(error)
            self.caught = self.raises.__enter__()

        def __exit__(self, *exception):
            handled = self.raises.__exit__(*exception)
            message = str(self.caught.value)
            assert "\n" not in message
            for word in words:
                assert str(word) in message, message
            return handled

    return Refused()


# ---- YAML files --------------------------------------------------------------------------------------------


def test_read_yaml_gives_the_mapping(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("model_cfg: {model: Baseline}\n")
    assert read_yaml(path) == read_yaml(str(path)) == {"model_cfg": {"model": "Baseline"}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: 1\nb: [1, 2\nc: 3\n", ["a.yaml, line 3", "not valid YAML"]),
        (b"a: 1\n\n  b: 2\n", ["a.yaml, line 3", "not valid YAML"]),
        (b"a: !!python/object:os.system {}\n", ["a.yaml, line 1", "not valid YAML"]),
        (b"- 1\n", ["a.yaml", "list"]),
        (b"", ["a.yaml", "NoneType"]),
        (b"\xff\xfe\xff", ["a.yaml", "cannot be read"]),
        (None, ["a.yaml", "cannot be read", "No such file"]),
    ],
)
def test_a_file_that_is_no_configuration_is_named_with_its_line(tmp_path, content, words):
    path = tmp_path / "a.yaml"
    if content is not None:
        path.write_bytes(content)
    with refused(ConfigError, *words):
        read_yaml(path)


def test_a_section_is_a_mapping_and_may_be_left_out():
    assert section({"a": {"b": 1}}, "a", "x.yaml") == {"b": 1}
    assert section({}, "a", "x.yaml") == {} == section({"a": None}, "a", "x.yaml")
    with refused(ConfigError, "x.yaml", "a:", "mapping", "list"):
        section({"a": [1]}, "a", "x.yaml")


def test_a_yaml_is_found_from_the_working_directory_first_and_then_among_the_shipped(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "configs/mimicgait/GREW/ven.yaml"
    assert find(name, "ven") == shipped("configs") / "mimicgait" / "GREW" / "ven.yaml"
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("{}")
    assert find(name, "ven").resolve() == tmp_path / name
    assert find(str(tmp_path / name), "ven") == tmp_path / name
    with refused(ConfigError, "model_cfg: ven", "configs/no.yaml", tmp_path):
        find("configs/no.yaml", "model_cfg: ven")
    with refused(ConfigError, "model_cfg: ven", tmp_path / "no.yaml"):
        find(str(tmp_path / "no.yaml"), "model_cfg: ven")


def test_nearest_names_the_likely_one_and_all_that_are_allowed():
    assert nearest("mrgin", ["margin", "pairs"]) == "did you mean 'margin'? allowed: margin, pairs"
    assert nearest("zzz", ["margin", "pairs"]) == "allowed: margin, pairs"
    assert nearest(None, ("a",)) == "allowed: a"


def test_merging_goes_into_mappings_and_replaces_everything_else():
    base, over = {"a": {"b": 1, "c": [1]}, "d": 2, "e": {"f": 1}}, {"a": {"c": [2]}, "e": 3, "g": {"h": 4}}
    kept = copy.deepcopy((base, over))
    merged = merge(base, over)
    assert merged == {"a": {"b": 1, "c": [2]}, "d": 2, "e": 3, "g": {"h": 4}}
    merged["g"]["h"] = merged["a"]["c"] = 0
    assert (base, over) == kept


# ---- the Occlusion in a transform list ---------------------------------------------------------------------


def compose(*steps):
    return [{"type": "Compose", "trf_cfg": list(steps)}]


SIL, CUT, OCCLUSION = {"type": "BaseSilTransform"}, {"type": "BaseSilCuttingTransform"}, {
    "type": "Occlusion", "kinds": KINDS, "seed": 0,
}  # fmt: skip


def test_the_occlusion_at_the_end_is_lifted_out_and_the_configuration_stays():
    transforms = [*compose(SIL, OCCLUSION), {"type": "NoOperation"}]
    kept = copy.deepcopy(transforms)
    rest, entry = lifted(transforms, "trainer_cfg")
    assert rest == [*compose(SIL), {"type": "NoOperation"}]
    assert entry == OCCLUSION
    assert transforms == kept


@pytest.mark.parametrize(
    "transforms", [None, [], compose(SIL), [SIL], compose(), [{"type": "Compose"}], ["BaseSilTransform"], "x"]
)
def test_without_an_occlusion_a_transform_list_stays_as_it_is(transforms):
    assert lifted(transforms, "trainer_cfg") == (transforms, None)


@pytest.mark.parametrize(
    ("transforms", "words"),
    [
        ([OCCLUSION], ["end of a Compose"]),
        (compose(OCCLUSION, SIL), ["once, at the end"]),
        (compose(OCCLUSION, SIL, OCCLUSION), ["once, at the end"]),
        (compose(SIL, OCCLUSION, OCCLUSION), ["once, at the end"]),
        (compose(OCCLUSION), ["alone", "BaseSilTransform"]),
    ],
)
def test_an_occlusion_elsewhere_is_refused(transforms, words):
    with refused(ConfigError, "evaluator_cfg: transform: Occlusion", *words):
        lifted(transforms, "evaluator_cfg")


def test_the_settings_of_an_occlusion_are_its_arguments():
    assert occlusion_settings(OCCLUSION, "trainer_cfg") == {"kinds": KINDS, "seed": 0}
    assert occlusion_settings({"type": "Occlusion"}, "trainer_cfg") == {"kinds": None, "seed": None}
    with refused(ConfigError, "trainer_cfg", "'kind'", "did you mean 'kinds'"):
        occlusion_settings({"type": "Occlusion", "kind": KINDS}, "trainer_cfg")


# ---- backbones, teachers and VENs by their own YAML --------------------------------------------------------


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A working directory with data, a teacher, a VEN and a mimic; `run.write(name, cfgs)` writes another."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENGAIT_ROOT", raising=False)
    return Run(tmp_path)


class Run:
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

    def write(self, name, cfgs):
        (self.folder / name).write_text(yaml.safe_dump(cfgs))
        return name


def changed(cfgs, path, value):
    """A copy of `cfgs` with another value at a dotted path; `...` as value takes the key away."""
    cfgs = copy.deepcopy(cfgs)
    place = cfgs
    *keys, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in keys:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return cfgs


def test_a_backbone_is_its_yamls_model_cfg_and_its_teacher_where_that_yaml_saves(run):
    spec = backbone_spec({"backbone": "teacher.yaml"}, "Elsewhere")
    assert spec.model_cfg == {"model": "Baseline", "bin_num": [16]}
    assert spec.dataset_name == "Walkers"
    assert spec.checkpoint == Path("output/Walkers/Baseline/T/checkpoints/T-00040.pt")
    assert spec.kinds is None


def test_a_teachers_iteration_or_checkpoint_can_be_named(run):
    spec = backbone_spec({"backbone": "teacher.yaml", "teacher": {"iteration": 123456}}, "W")
    assert spec.checkpoint == Path("output/Walkers/Baseline/T/checkpoints/T-123456.pt")
    spec = backbone_spec({"backbone": "teacher.yaml", "teacher": {"checkpoint": "there/t.pt"}}, "W")
    assert spec.checkpoint == Path("there/t.pt")
    run.write("other.yaml", changed(run.teacher, "evaluator_cfg.restore_hint", "elsewhere/own.pt"))
    assert backbone_spec({"backbone": "other.yaml"}, "W").checkpoint == Path("elsewhere/own.pt")


def test_a_backbone_can_be_a_model_cfg_and_then_its_teacher_must_be_named(run):
    model_cfg = {"model": "GaitGL", "channels": [2, 4, 6]}
    spec = backbone_spec({"backbone": model_cfg}, "GREW")
    assert (spec.model_cfg, spec.dataset_name, spec.checkpoint) == (model_cfg, "GREW", None)
    spec = backbone_spec({"backbone": model_cfg, "teacher": {"checkpoint": "t.pt"}}, "GREW")
    assert spec.checkpoint == Path("t.pt")


def test_what_a_yaml_leaves_out_is_opengaits_default_or_unknown(run):
    run.write("bare.yaml", {"model_cfg": {"model": "Baseline"}})
    spec = backbone_spec({"backbone": "bare.yaml"}, "W")
    assert (spec.dataset_name, spec.checkpoint) == ("CASIA-B", None)


@pytest.mark.parametrize(
    ("model_cfg", "words"),
    [
        ({"backbone": "no.yaml"}, ["model_cfg: backbone", "no.yaml"]),
        ({"backbone": {"channels": [1]}}, ["model_cfg: backbone", "'model'"]),
        ({"backbone": 3}, ["model_cfg: backbone", "3"]),
        ({"backbone": "part.yaml"}, ["part.yaml", "model_cfg: model is missing"]),
        ({"backbone": "teacher.yaml", "teacher": "t.pt"}, ["model_cfg: teacher", "mapping", "'t.pt'"]),
        (
            {"backbone": "teacher.yaml", "teacher": {"checkpiont": "t.pt"}},
            ["model_cfg: teacher", "'checkpiont'", "did you mean 'checkpoint'"],
        ),
        ({"backbone": "teacher.yaml", "teacher": {"iteration": [1]}}, ["iteration", "[1]"]),
        ({"backbone": "number.yaml"}, ["number.yaml", "evaluator_cfg", "save_name", "2024"]),
        ({"backbone": "hint.yaml"}, ["hint.yaml", "evaluator_cfg", "restore_hint", "None"]),
    ],
)
def test_a_backbone_that_cannot_be_told_is_refused(run, model_cfg, words):
    run.write("part.yaml", {"data_cfg": {"dataset_name": "W"}})
    run.write("number.yaml", changed(run.teacher, "evaluator_cfg.save_name", 2024))
    run.write("hint.yaml", changed(run.teacher, "evaluator_cfg.restore_hint", None))
    with refused(ConfigError, *words):
        backbone_spec(model_cfg, "W")


def test_a_ven_is_its_yaml_with_the_kinds_it_was_trained_on(run):
    assert ven_spec({}) is None and ven_spec({"ven": None}) is None
    spec = ven_spec({"ven": "ven.yaml"})
    assert spec.model_cfg == run.ven["model_cfg"]
    assert spec.checkpoint == Path("output/Walkers/VisibilityEstimation/V/checkpoints/V-00030.pt")
    assert spec.kinds.classes == ("clean", "top", "bottom")
    assert ven_spec({"ven": {"config": "ven.yaml"}}) == spec


def test_a_vens_iteration_or_checkpoint_can_be_named(run):
    spec = ven_spec({"ven": {"config": "ven.yaml", "iteration": 7}})
    assert spec.checkpoint.name == "V-00007.pt"
    spec = ven_spec({"ven": {"config": "ven.yaml", "checkpoint": "v.pt"}})
    assert spec.checkpoint == Path("v.pt") and spec.kinds is not None


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
    ],
)
def test_a_ven_that_cannot_be_told_is_refused(run, ven, words):
    run.write("clean.yaml", changed(run.ven, "trainer_cfg.transform", compose(SIL)))
    run.write("kinds.yaml", changed(run.ven, "trainer_cfg.transform.0.trf_cfg.1.kinds", ["topp"]))
    with refused(ConfigError, *words):
        ven_spec({"ven": ven})


@pytest.mark.parametrize(
    ("model_cfg", "words"),
    [
        ({"model": "MimicGait", "backbon": "a.yaml"}, ["MimicGait", "'backbon'", "did you mean 'backbone'"]),
        ({"model": "MimicGait"}, ["MimicGait", "backbone is missing"]),
        ({"model": "OcclusionAware", "backbone": ""}, ["OcclusionAware", "backbone is missing"]),
        ({"model": "VisibilityEstimation", "backbone": "a.yaml"}, ["VisibilityEstimation", "'backbone'"]),
        ({"model": "VisibilityEstimation", "features": 3}, ["'features'", "did you mean 'feature'"]),
    ],
)
def test_keys_that_nothing_reads_are_refused(model_cfg, words):
    with refused(ConfigError, "model_cfg", *words):
        check_model_keys(model_cfg)


def test_known_keys_pass():
    check_model_keys({"model": "VisibilityEstimation"})
    check_model_keys({"model": "VisibilityEstimation", "channels": [1, 2, 3], "feature": 4})
    for model in ("MimicGait", "OcclusionAware"):
        check_model_keys({"model": model, "backbone": "a.yaml", "ven": None, "init_from_teacher": True})


# ---- checkpoints -------------------------------------------------------------------------------------------


def test_checkpoints_lie_where_opengait_keeps_them():
    path = checkpoint_path("GREW", "MimicGait", "M", 300)
    assert path == Path("output/GREW/MimicGait/M/checkpoints/M-00300.pt")
    assert checkpoint_path("GREW", "MimicGait", "M", 300000).name == "M-300000.pt"


def test_the_model_of_a_checkpoint_is_read_and_loaded(tmp_path):
    network, path = nn.Linear(2, 3), tmp_path / "a.pt"
    torch.save({"model": network.state_dict(), "optimizer": {"lr": 0.1}, "iteration": 7}, path)
    other = nn.Linear(2, 3)
    load_weights(other, read_weights(path, "teacher"), "teacher", path)
    assert torch.equal(other.weight, network.weight) and torch.equal(other.bias, network.bias)


def test_a_checkpoint_that_is_missing_or_none_is_named(tmp_path):
    with refused(CheckpointError, "teacher's checkpoint is missing", tmp_path / "no.pt"):
        read_weights(tmp_path / "no.pt", "teacher")
    path = tmp_path / "a.pt"
    for content in (b"", b"not a checkpoint"):
        path.write_bytes(content)
        with refused(CheckpointError, "VEN's checkpoint", path, "cannot be read"):
            read_weights(path, "VEN")
    torch.save({"model": {}, "extra": Occlusion(["top"])}, path)  # only tensors are read, never other classes
    with refused(CheckpointError, "VEN's checkpoint", path, "cannot be read"):
        read_weights(path, "VEN")
    for content in ({"state_dict": {}}, [1], {"model": {"a": 3}}, {"model": None}):
        torch.save(content, path)
        with refused(CheckpointError, "VEN's checkpoint", path, "no 'model' weights"):
            read_weights(path, "VEN")


def test_weights_of_another_network_are_refused_and_nothing_is_loaded(tmp_path):
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    weights = {"0.weight": torch.zeros(3, 2), "0.bias": torch.zeros(4), "1.weight": torch.zeros(1, 3), "x": torch.zeros(1)}  # fmt: skip  # noqa: E501
    words = ["1 missing (1.bias)", "1 unknown (x)", "1 of another shape (0.bias is [4], expected [3])"]
    with refused(CheckpointError, "a.pt", "teacher", "Sequential", *words):
        load_weights(network, weights, "teacher", "a.pt")
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


# ---- the check before a run --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["teacher", "ven", "mimic"])
def test_a_complete_run_passes(run, name):
    cfgs = check(f"{name}.yaml", "embedded", "train", processes=2)
    own = getattr(run, name)
    assert cfgs["model_cfg"] == {**cfgs["model_cfg"], **own["model_cfg"]}
    assert cfgs["trainer_cfg"]["total_iter"] > 0, "what the YAML leaves out is the host's default"
    assert cfgs["data_cfg"]["dataset_root"] == "sils"


def test_a_complete_test_passes(run):
    for name in ("teacher", "ven", "mimic"):
        check(f"{name}.yaml", "embedded", "test")


def test_a_test_of_a_mimic_needs_no_teacher_and_no_ven_checkpoint(run):
    run.teacher_checkpoint.unlink()
    run.ven_checkpoint.unlink()
    check("mimic.yaml", "embedded", "test")


@pytest.mark.parametrize(
    ("path", "value", "phase", "error", "words"),
    [
        ("modl_cfg", {}, "train", ConfigError, ["unknown section 'modl_cfg'", "did you mean 'model_cfg'"]),
        ("trainer_cfg", None, "train", ConfigError, ["trainer_cfg", "mapping", "None"]),
        ("model_cfg", None, "test", ConfigError, ["model_cfg", "mapping", "None"]),
        ("evaluator_cfg", [], "test", ConfigError, ["evaluator_cfg", "mapping", "[]"]),
        ("optimizer_cfg", "SGD", "train", ConfigError, ["optimizer_cfg", "mapping", "'SGD'"]),
        ("data_cfg", None, "train", ConfigError, ["data_cfg", "mapping", "None"]),
        ("data_cfg", [{}, {}], "train", ConfigError, ["data_cfg", "MimicGait", "one data set", "2"]),
        ("loss_cfg", None, "train", ConfigError, ["loss_cfg", "None"]),
        ("data_cfg.dataset_root", "nowhere", "train", DataError, ["dataset_root", "nowhere"]),
        ("data_cfg.dataset_root", "empty", "train", DataError, ["empty", "no silhouettes", "TRAIN_SET"]),
        ("data_cfg.dataset_root", "empty", "test", DataError, ["empty", "no silhouettes", "TEST_SET"]),
        ("data_cfg.dataset_root", None, "train", ConfigError, ["dataset_root", "None"]),
        ("data_cfg.dataset_partition", "no.json", "train", DataError, ["no.json", "No such file"]),
        ("data_cfg.dataset_partition", "mimic.yaml", "train", DataError, ["no JSON", "TRAIN_SET"]),
        ("data_cfg.dataset_partition", 3, "test", ConfigError, ["dataset_partition", "3"]),
        ("model_cfg.backbone", "no.yaml", "train", ConfigError, ["backbone", "no.yaml"]),
        ("model_cfg.backbon", "x.yaml", "train", ConfigError, ["'backbon'", "did you mean 'backbone'"]),
        ("model_cfg.backbone", {"model": "Baseline"}, "train", ConfigError, ["teacher.checkpoint"]),
        ("model_cfg.ven", "teacher.yaml", "train", ConfigError, ["ven", "teacher.yaml"]),
        ("model_cfg.ven", "no.yaml", "test", ConfigError, ["ven", "no.yaml"]),
        ("trainer_cfg.transform", compose(SIL), "train", ConfigError, ["no Occlusion", "MimicGait"]),
        ("trainer_cfg.transform", compose(OCCLUSION, SIL), "train", ConfigError, ["at the end"]),
        ("trainer_cfg.transform.0.trf_cfg.1.kinds", ["topp"], "train", ConfigError, ["'topp'", "'top'"]),
        ("evaluator_cfg.transform.0.trf_cfg.1.seed", "x", "test", ConfigError, ["seed", "'x'"]),
        ("evaluator_cfg.transform.0.trf_cfg.1.sed", 1, "test", ConfigError, ["'sed'", "'seed'"]),
        ("trainer_cfg.sampler.batch_size", [3, 3], "train", ConfigError, ["batch of 9", "2 processes"]),
        ("trainer_cfg.sampler.batch_size", "many", "train", ConfigError, ["batch_size", "[P, K]", "'many'"]),
        ("trainer_cfg.sampler.batch_size", [0, 4], "train", ConfigError, ["batch_size", "[0, 4]"]),
        ("trainer_cfg.sampler", None, "train", ConfigError, ["trainer_cfg: sampler", "mapping", "None"]),
        ("trainer_cfg.sampler", [8], "train", ConfigError, ["trainer_cfg: sampler", "mapping"]),
        ("trainer_cfg.restore_hint", 60, "train", CheckpointError, ["restore_hint", "M-00060.pt"]),
        ("trainer_cfg.restore_hint", "m.pt", "train", CheckpointError, ["restore_hint", "m.pt"]),
        ("trainer_cfg.restore_hint", None, "train", ConfigError, ["trainer_cfg", "restore_hint", "None"]),
        ("evaluator_cfg.restore_hint", 60, "test", CheckpointError, ["MimicGait/M/checkpoints/M-00060.pt"]),
        ("loss_cfg.0.margn", 0.2, "train", ConfigError, ["MiCKDLoss", "'margn'", "did you mean 'margin'"]),
        ("loss_cfg.0.margin", -1, "train", ConfigError, ["loss_cfg: MiCKDLoss: margin", "-1"]),
        ("loss_cfg.0.pairs", ["mimic"], "train", ConfigError, ["loss_cfg: MiCKDLoss: pairs", "'mimic'"]),
        ("loss_cfg.0.pairs", None, "train", ConfigError, ["loss_cfg: MiCKDLoss: pairs", "None"]),
        ("loss_cfg.0.anchors", "all", "train", ConfigError, ["loss_cfg: MiCKDLoss: anchors", "'all'"]),
        ("loss_cfg.0.reduction", "mean", "train", ConfigError, ["reduction", "'mean'", "mean_nonzero"]),
        ("loss_cfg.0.log_prefix", ..., "train", ConfigError, ["loss_cfg", "log_prefix"]),
        ("loss_cfg.0.type", ["MiCKDLoss"], "train", ConfigError, ["loss_cfg", "type"]),
        ("loss_cfg", ["MiCKDLoss"], "train", ConfigError, ["loss_cfg", "'MiCKDLoss'"]),
    ],
)
def test_a_mistake_is_one_line_with_the_file_the_key_and_the_value(run, path, value, phase, error, words):
    (run.folder / "empty").mkdir()
    run.write("x.yaml", changed(run.mimic, path, value))
    with refused(error, "x.yaml: ", *words):
        check("x.yaml", "embedded", phase, processes=2)


@pytest.mark.parametrize(("who", "what"), [("teacher", "teacher"), ("ven", "VEN")])
def test_a_missing_teacher_or_ven_is_named_before_training(run, who, what):
    checkpoint = getattr(run, f"{who}_checkpoint")
    checkpoint.unlink()
    words = [f"model_cfg: {who}: the {what}'s checkpoint is missing", checkpoint.relative_to(run.folder)]
    with refused(CheckpointError, "mimic.yaml: ", *words):
        check("mimic.yaml", "embedded", "train")


def test_occlusion_aware_needs_a_teacher_only_where_it_starts_from_one(run):
    run.teacher_checkpoint.unlink()
    aware = changed(run.mimic, "model_cfg.model", "OcclusionAware")
    check(run.write("aware.yaml", aware), "embedded", "train")
    run.write("aware.yaml", changed(aware, "model_cfg.init_from_teacher", True))
    with refused(CheckpointError, "teacher's checkpoint is missing"):
        check("aware.yaml", "embedded", "train")


def test_a_ven_takes_its_classes_from_an_occlusion(run):
    cfgs = changed(changed(run.ven, "trainer_cfg.transform", ...), "evaluator_cfg.transform", ...)
    run.write("x.yaml", cfgs)
    with refused(ConfigError, "x.yaml: ", "VisibilityEstimation", "Occlusion"):
        check("x.yaml", "embedded", "test")


def test_a_checkpoint_asked_for_by_its_iteration_must_be_there(run):
    with refused(CheckpointError, "ven.yaml: ", "VisibilityEstimation/V/checkpoints/V-00031.pt"):
        check("ven.yaml", "embedded", "test", iteration=31)
    check("ven.yaml", "embedded", "test", iteration=30)


def test_opengaits_own_models_are_tested_with_one_clip_per_process(run):
    with refused(ConfigError, "teacher.yaml: evaluator_cfg: sampler: batch_size 1", "2"):
        check("teacher.yaml", "embedded", "test", processes=2)


def test_a_broken_yaml_is_named_with_its_line(run):
    (run.folder / "broken.yaml").write_text("model_cfg:\n  model: MimicGait\n backbone: x\n")
    with refused(ConfigError, "broken.yaml, line 3"):
        check("broken.yaml", "embedded", "train")


def test_a_checkout_lends_its_own_defaults(run):
    with refused(ConfigError, "default.yaml", "cannot be read"):
        check("mimic.yaml", run.folder / "OpenGait", "train")
    defaults = {name: {} for name in ("model_cfg", "trainer_cfg", "evaluator_cfg", "data_cfg", "loss_cfg")}
    (run.folder / "OpenGait" / "configs").mkdir(parents=True)
    (run.folder / "OpenGait" / "configs" / "default.yaml").write_text(yaml.safe_dump(defaults))
    cfgs = check("mimic.yaml", run.folder / "OpenGait", "train")
    assert cfgs == run.mimic


def test_every_error_of_ours_is_a_mimic_error():
    assert all(issubclass(error, MimicError) for error in (ConfigError, CheckpointError, DataError))
