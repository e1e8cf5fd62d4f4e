"""Broken configurations and checkpoints: one line with the file, the key, the value and what is allowed; no traceback.

Each case is a mistake in one of four small configurations that otherwise run (teacher, VEN, baseline, mimic).
"""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner
from commands import environment, write_yamls
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opengait_mimic.cli import commands
from opengait_mimic.data.tree import generate_walkers
from opengait_mimic.errors import MimicError, RunFailed
from opengait_mimic.opengait.activation import activate
from opengait_mimic.opengait.run.failures import failures_in_one_line

TEACHER = Path("output/GREW/Baseline/teacher/checkpoints/teacher-00004.pt")
VEN = Path("output/GREW/VisibilityEstimation/ven/checkpoints/ven-00004.pt")
TESTED = [
    Path(f"output/GREW/{m}/{n}/checkpoints/{n}-00004.pt")
    for m, n in (("MimicGait", "mimic"), ("OcclusionAware", "aware"))
]
EXAMPLES = int(os.environ.get("BROKEN_CONFIGS", "80"))  # drawn changes
NAMES = ("teacher", "ven", "aware", "mimic")


@pytest.fixture(scope="module")
def ready(tmp_path_factory) -> Path:
    """A folder with the four configurations, their data, and checkpoints of the teacher and the VEN."""
    activate("embedded")
    from opengait_mimic.opengait.config.networks import backbone_spec, ven_spec
    from opengait_mimic.opengait.models.recognition import build_backbone, build_visibility_network

    folder = tmp_path_factory.mktemp("ready")
    generate_walkers(folder / "sils", folder / "sils.json", 6, 4, sequences=4, frames=12)
    write_yamls(folder, {"root": "sils", "partition": "sils.json", "identities": 6})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        networks = {
            TEACHER: build_backbone(backbone_spec({"backbone": "teacher.yaml"}, "GREW")).model,
            VEN: torch.nn.ModuleDict({"network": build_visibility_network(ven_spec({"ven": "ven.yaml"}))}),
        }
        for path, network in networks.items():
            path.parent.mkdir(parents=True)
            torch.save({"model": network.state_dict()}, path)
    for path in TESTED:
        (folder / path).parent.mkdir(parents=True)
        (folder / path).touch()
    return folder


@pytest.fixture
def here(ready, monkeypatch):
    monkeypatch.chdir(ready)
    monkeypatch.delenv("OPENGAIT_ROOT", raising=False)
    return ready


def told(path: str, phase: str = "train") -> str:
    """What `opengait-mimic check` says to a configuration that it must refuse."""
    start = time.process_time()
    done = CliRunner().invoke(commands, ["check", "--cfgs", path, "--phase", phase, "--host", "embedded"])
    assert done.exit_code == 2, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    for line in done.output.splitlines():
        assert line.startswith(path) and len(line) < 800, line
    assert done.output and "Traceback" not in done.output
    assert time.process_time() - start < 20
    return done.output


def changed(cfgs: dict, path: str, value) -> dict:
    """A copy with another value at a dotted path; `...` takes the key away, a function makes the new value."""
    cfgs = copy.deepcopy(cfgs)
    place = cfgs
    *keys, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in keys:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value(place[last]) if callable(value) else value
    return cfgs


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("phase", ["train", "test"])
def test_the_configurations_themselves_are_fine(here, name, phase):
    done = CliRunner().invoke(commands, ["check", "--cfgs", f"{name}.yaml", "--phase", phase, "--host", "embedded"])
    assert (done.exit_code, done.output) == (0, f"{name}.yaml: fine\n")


T, E = "trainer_cfg", "evaluator_cfg"
STEP = f"{T}.transform.0.trf_cfg"
MISTAKES = [
    # data_cfg
    ("teacher", "data_cfg.dataset_name", None, ["data_cfg: dataset_name: None", "a name"]),
    ("teacher", "data_cfg.dataset_name", "../elsewhere", ["dataset_name: '../elsewhere'", "without slashes"]),
    ("teacher", "data_cfg.dataset_root", ["sils"], ["dataset_root: ['sils'] is not text"]),
    ("teacher", "data_cfg.dataset_root", "si\0ls", ["dataset_root", "not text"]),
    ("teacher", "data_cfg.dataset_root", "sils.json", ["no such folder: sils.json"]),
    ("teacher", "data_cfg.dataset_partition", "sils", ["dataset_partition: sils: cannot be read"]),
    ("teacher", "data_cfg.num_workers", 10**6, ["num_workers: 1000000", "to 256"]),
    ("teacher", "data_cfg.num_worker", 2, ["unknown key 'num_worker'; did you mean 'num_workers'?"]),
    ("teacher", "data_cfg.cache", "yes", ["cache: 'yes' is not true or false"]),
    ("teacher", "data_cfg.data_in_use", "all", ["data_in_use: 'all' is not a list"]),
    ("teacher", "data_cfg", [{"dataset_name": "a"}], ["data_cfg: the embedded host takes one data set"]),
    # more than there is
    ("teacher", "model_cfg.backbone_cfg.layers.1", 10**12, ["backbone_cfg: layers: 1000000000000", "at most 1000"]),
    ("teacher", "model_cfg.bin_num", [10**12], ["model_cfg: bin_num: 1000000000000"]),
    ("teacher", "model_cfg.backbone_cfg.channels", [64, 10**6, 10**6, 8], ["Baseline: the weights", "GiB of"]),
    ("mimic", "model_cfg.backbone", {"model": "GaitGL", "channels": [8, 10**9, 8]}, ["model_cfg: backbone: channels"]),
    ("teacher", f"{T}.sampler.batch_size", [4096, 4096], ["16777216 clips of 7 frames", "GiB of memory"]),
    # trainer_cfg
    ("teacher", f"{T}.total_iter", 0, ["trainer_cfg: total_iter: 0 is not a whole number from 1"]),
    ("teacher", f"{T}.total_iter", True, ["total_iter: True"]),
    ("teacher", f"{T}.total_itr", 5, ["unknown key 'total_itr'; did you mean 'total_iter'?"]),
    ("teacher", f"{T}.save_name", "a/b", ["save_name: 'a/b'", "slashes"]),
    ("teacher", f"{T}.save_name", "..", ["save_name: '..'"]),
    ("teacher", f"{T}.restore_hint", [1], ["restore_hint", "an iteration or a path"]),
    ("teacher", f"{T}.restore_hint", "a\0b", ["restore_hint"]),
    ("teacher", f"{T}.with_test", 1, ["with_test: 1 is not true or false"]),
    ("teacher", f"{T}.seed", -1, ["seed: -1"]),
    ("teacher", f"{T}.sampler", "TripletSampler", ["sampler: expected a mapping, found 'TripletSampler'"]),
    ("teacher", f"{T}.sampler.type", "TripleSampler", ["sampler: type", "'TripleSampler'", "'TripletSampler'?"]),
    ("teacher", f"{T}.sampler.batch_size", 8, ["batch_size: TripletSampler expected [P, K], found 8"]),
    ("teacher", f"{T}.sampler.batch_size", [4], ["batch_size: [4]", "[P, K]"]),
    ("teacher", f"{T}.sampler.sample_type", "fixed", ["sample_type: 'fixed' is not one of fixed_ordered"]),
    ("teacher", f"{T}.sampler.frames_num_min", 9, ["frames_num_min 9 is more than frames_num_max 7"]),
    ("teacher", f"{T}.sampler.frames_num_max", 0, ["frames_num_max: 0 is not a whole number from 1"]),
    ("teacher", f"{E}.sampler.frames_all_limit", 0, ["frames_all_limit: 0"]),
    ("teacher", f"{T}.transform", [], ["transform: an empty list"]),
    ("teacher", f"{T}.transform", "Compose", ["transform: expected entries with a type"]),
    ("teacher", f"{T}.transform", [{"trf_cfg": []}], ["transform: expected entries with a type"]),
    ("teacher", STEP, [], ["Compose: trf_cfg: expected a list, found []"]),
    ("teacher", f"{STEP}.0.type", "BaseSilTransfrom", ["'BaseSilTransfrom'; did you mean 'BaseSilTransform'?"]),
    ("teacher", f"{STEP}.0", {"type": "BaseSilTransform", "divsor": 0}, ["divsor: 0 is not a number above 0"]),
    ("teacher", f"{STEP}.0", {"type": "BaseSilTransform", "divisor": 255}, ["'divisor'"]),
    ("teacher", f"{STEP}.0", {"type": "BaseSilTransform", "divsor": 1.0}, [".pkl: values from 0 to 255", "divsor"]),
    ("teacher", f"{STEP}.0", {"type": "BaseSilCuttingTransform", "cutting": "10"}, ["cutting: '10'"]),
    ("teacher", f"{STEP}.0", {"type": "BaseSilTransform", "img_shape": [3, 5]}, ["transform", "reshape"]),
    ("teacher", f"{STEP}.1.prob", 2, ["RandomHorizontalFlip: prob: 2 is not a number from 0 to 1"]),
    ("teacher", f"{STEP}.1.prob", float("nan"), ["prob: nan"]),
    ("teacher", f"{STEP}.1", {"type": "RandomErasing", "sl": 0.5, "sr": 1}, ["RandomErasing", "'sr'"]),
    # loss_cfg
    ("teacher", "loss_cfg", [], ["loss_cfg: an empty list"]),
    ("teacher", "loss_cfg", "TripletLoss", ["loss_cfg: expected a mapping, found 'TripletLoss'"]),
    ("teacher", "loss_cfg.0.type", "TripletLos", ["'TripletLos'; did you mean 'TripletLoss'?"]),
    ("teacher", "loss_cfg.0.margin", "0.2", ["TripletLoss: margin: '0.2' is not a number"]),
    ("teacher", "loss_cfg.0.margin", "1e-1", ["margin: '1e-1'", "YAML takes it for text; write 0.1"]),
    ("teacher", "loss_cfg.0.loss_term_weight", float("inf"), ["loss_term_weight: inf"]),
    ("teacher", "loss_cfg.0.log_prefix", "softmax", ["log_prefix 'softmax' stands twice"]),
    ("teacher", "loss_cfg.0.log_prefix", "a.b", ["log_prefix: 'a.b'", "dots"]),
    ("teacher", "loss_cfg.0.log_prefix", "tripplet", ["loss_cfg", "'triplet' has no loss", "'tripplet'"]),
    ("ven", "loss_cfg.0.amount_weigth", 5, ["VisibilityLoss: unknown key 'amount_weigth'", "'amount_weight'?"]),
    ("ven", "loss_cfg.0.amount_weight", -1, ["amount_weight: -1 is not a number from 0"]),
    ("ven", "loss_cfg.0", {"type": "TripletLoss", "log_prefix": "a", "margin": 0.2},
     ["TripletLoss asks for embeddings"]),
    ("teacher", "loss_cfg.0", {"type": "TripletLoss", "log_prefix": "triplet"}, ["TripletLoss", "margin"]),
    ("mimic", "loss_cfg.0.margin", float("nan"), ["MiCKDLoss: margin", "nan"]),
    ("mimic", "loss_cfg.0.margins", 0.2, ["'margins'; did you mean 'margin'?"]),
    ("mimic", "loss_cfg.0.pairs", [], ["MiCKDLoss: pairs"]),
    ("mimic", "loss_cfg.0.normalize", "yes", ["normalize: 'yes' is not true or false"]),
    ("mimic", "loss_cfg.0", {"type": "VisibilityLoss", "log_prefix": "v"},
     ["VisibilityLoss asks for"]),
    ("mimic", "loss_cfg.0", {"type": "CrossEntropyLoss", "log_prefix": "v"}, ["CrossEntropyLoss", "class_num"]),
    # optimizer_cfg, scheduler_cfg
    ("teacher", "optimizer_cfg.solver", "SDG", ["optimizer_cfg: solver: torch has no 'SDG'; did you mean 'SGD'?"]),
    ("teacher", "optimizer_cfg.solver", "lr_scheduler", ["solver: torch has no 'lr_scheduler'"]),
    ("teacher", "optimizer_cfg.solver", ..., []),
    ("teacher", "optimizer_cfg.lr", "1e-4", ["SGD: lr: '1e-4'", "write 0.0001"]),
    ("teacher", "optimizer_cfg.lr", -0.1, ["SGD: lr: -0.1"]),
    ("teacher", "optimizer_cfg.momentum", -3, ["SGD", "momentum"]),
    ("teacher", "optimizer_cfg.weigth_decay", 1, ["SGD: unknown key 'weigth_decay'; did you mean 'weight_decay'?"]),
    ("teacher", "optimizer_cfg.solver", "LBFGS", ["LBFGS"]),
    ("teacher", "scheduler_cfg.scheduler", "MultiStep", ["scheduler_cfg: scheduler: torch has no 'MultiStep'"]),
    ("teacher", "scheduler_cfg.milestones", 100, ["MultiStepLR: milestones: 100 is not a list"]),
    ("teacher", "scheduler_cfg.milestones", ..., []),
    ("teacher", "scheduler_cfg.gama", 0.1, ["'gama'; did you mean 'gamma'?"]),
    ("teacher", "scheduler_cfg", {"scheduler": "StepLR"}, ["StepLR", "step_size"]),
    # model_cfg of the host's model
    ("teacher", "model_cfg.model", ["Baseline"], ["model_cfg: model: ['Baseline']"]),
    ("teacher", "model_cfg.model", "BaseModel", ["'BaseModel'"]),
    ("teacher", "model_cfg.backbone_cfg", ..., ["Baseline", "backbone_cfg"]),
    ("teacher", "model_cfg.backbone_cfg.type", "ResNet8", ["'ResNet8'"]),
    ("teacher", "model_cfg.backbone_cfg.channels", [4, 8], ["ResNet9: channels", "[4, 8]"]),
    ("teacher", "model_cfg.SeparateFCs.in_channels", 9, ["Baseline"]),
    ("teacher", "model_cfg.SeparateBNNecks.class_num", "six", ["Baseline"]),
    ("teacher", "model_cfg.bin_num", [7], ["Baseline"]),
    # model_cfg of ours
    ("mimic", "model_cfg.backbone", ["teacher.yaml"], ["backbone: ['teacher.yaml'] is not a mapping, or text"]),
    ("mimic", "model_cfg.backbone", "~nobody/x.yaml", ["backbone: no such file"]),
    ("mimic", "model_cfg.backbone", "sils.json", ["sils.json", "model is missing"]),
    ("mimic", "model_cfg.backbone", {"model": "Basline"}, ["teacher"]),
    ("mimic", "model_cfg.backbone", "mimic.yaml", ["backbone: MimicGait prepares its inputs itself"]),
    ("mimic", "model_cfg.teacher", {"checkpoint": "sils"}, ["teacher's checkpoint is missing: sils"]),
    ("mimic", "model_cfg.init_from_techer", True, ["'init_from_techer'; did you mean 'init_from_teacher'?"]),
    ("aware", "model_cfg.class_num", 0, ["class_num: 0"]),
    ("ven", "model_cfg.channels", [4, 4], ["channels: [4, 4] is not a list of 3 values"]),
    ("ven", "model_cfg.feature", 0, ["feature: 0 is not a whole number from 1"]),
    ("ven", "model_cfg.tasks", "classification", ["tasks"]),
    ("ven", "model_cfg.tasks", None, ["tasks: None is not a list of classification"]),
    ("ven", "model_cfg.strips", 8, ["strips: belongs to the task parts", "tasks are classification, regression"]),
    ("ven", "model_cfg", lambda cfg: {**cfg, "tasks": ["classification"], "amount_bins": 9},
     ["amount_bins: belongs to the task regression", "tasks are classification"]),
    # Occlusion
    ("ven", f"{STEP}.2.kinds", None, ["kinds: expected a list of kinds, found None"]),
    ("ven", f"{STEP}.2.kinds", [3], ["expected a name or a mapping with 'kind', found 3"]),
    ("ven", f"{STEP}.2.kinds.0.prob", float("nan"), ["top: prob: nan"]),
    ("ven", f"{STEP}.2.kinds.0.amount", [0.6, 0.4], ["top: amount: [0.6, 0.4]"]),
    ("ven", f"{STEP}.2.kinds.0.amout", [0.4, 0.6], ["top: unknown key 'amout'; did you mean 'amount'?"]),
    ("ven", f"{STEP}.2.kinds.1.refit", "true", ["bottom: refit: 'true'"]),
    ("ven", f"{STEP}.2.kinds.2.velocity", float("inf"), ["velocity: inf"]),
    ("ven", f"{STEP}.2.seed", 1.5, ["seed: 1.5"]),
    ("ven", f"{STEP}.2.kids", [], ["Occlusion: unknown key 'kids'; did you mean 'kinds'?"]),
    ("ven", STEP, lambda steps: steps[::-1], ["Occlusion must stand once, at the end"]),
    ("mimic", f"{T}.transform", None, ["no Occlusion at the end", "--phase test"]),
    # evaluator_cfg
    ("teacher", f"{E}.occluded", {"who": "both"}, ["occluded: Baseline does not read it"]),
    ("teacher", f"{E}.metric", "l2", ["metric: 'l2' is not one of euc, cos"]),
    ("teacher", f"{E}.metrc", "euc", ["'metrc'; did you mean 'metric'?"]),
    # sections
    ("teacher", "modle_cfg", {}, ["unknown section 'modle_cfg'; did you mean 'model_cfg'?"]),
    ("teacher", T, None, ["trainer_cfg: expected a mapping, found None"]),
]  # fmt: skip


def named(value):
    """A test's name must not hold a function's address: parallel workers must collect the same names."""
    return getattr(value, "__name__", str(value))[:40]


@pytest.mark.parametrize(("name", "path", "value", "words"), MISTAKES, ids=named)
def test_a_mistake_is_one_line(here, name, path, value, words):
    cfgs = yaml.safe_load((here / f"{name}.yaml").read_text())
    (here / "x.yaml").write_text(yaml.safe_dump(changed(cfgs, path, value)))
    if not words:  # the host's default stands in
        cfgs = changed(changed(cfgs, path, value), f"{path.split('.')[0]}.{path.split('.')[1]}", None)
        (here / "x.yaml").write_text(yaml.safe_dump(cfgs))
    message = told("x.yaml")
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("value", [True, {}], ids=str)
@pytest.mark.parametrize(("key", "task"), [("weighted", "parts"), ("likelihood", "classification")])
def test_a_way_of_matching_without_settings_is_checked_like_one_that_is_true(here, key, task, value):
    ven, mimic = (yaml.safe_load((here / f"{name}.yaml").read_text()) for name in ("ven", "mimic"))
    ven["model_cfg"]["tasks"] = [task]
    mimic["model_cfg"]["ven"] = "v.yaml"
    mimic[E].update({key: value, "eval_func": "evaluate_real_scene"})
    (here / "v.yaml").write_text(yaml.safe_dump(ven))
    (here / "x.yaml").write_text(yaml.safe_dump(mimic))
    assert f"evaluator_cfg: {key}: needs eval_func evaluate_recognition" in told("x.yaml")
    teacher = yaml.safe_load((here / "teacher.yaml").read_text())
    teacher[E][key] = value
    (here / "x.yaml").write_text(yaml.safe_dump(teacher))
    assert f"evaluator_cfg: {key}: Baseline does not read it" in told("x.yaml")


def test_a_test_by_likelihood_needs_the_training_set_too(here):
    cfgs = yaml.safe_load((here / "mimic.yaml").read_text())
    cfgs[E].update(eval_func="evaluate_recognition", likelihood={})
    partition = json.loads((here / "sils.json").read_text())
    (here / "test.json").write_text(json.dumps({**partition, "TRAIN_SET": ["nobody"]}))
    cfgs["data_cfg"]["dataset_partition"] = "test.json"
    (here / "x.yaml").write_text(yaml.safe_dump(cfgs))
    assert "no silhouettes" in (message := told("x.yaml", "test")) and "TRAIN_SET" in message
    cfgs[E]["likelihood"] = False
    (here / "x.yaml").write_text(yaml.safe_dump(cfgs))
    done = CliRunner().invoke(commands, ["check", "--cfgs", "x.yaml", "--phase", "test", "--host", "embedded"])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("mimic", "loss_cfg", [{"type": "MiCKDLoss", "log_prefix": "mickd", "margn": 0.2}]),
        ("teacher", "optimizer_cfg.lr", "1e-4"),
    ],
    ids=["mimic", "teacher"],
)
def test_the_page_on_data_shows_a_message_as_it_is(here, name, path, value):
    cfgs = yaml.safe_load((here / f"{name}.yaml").read_text())
    (here / "x.yaml").write_text(yaml.safe_dump(changed(cfgs, path, value)))
    page = Path(__file__).resolve().parents[2] / "docs" / "data.md"
    assert f"\n{name}{told('x.yaml').removeprefix('x')}" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (f"{E}.eval_func", "evaluate_reel_scene", ["eval_func", "did you mean 'evaluate_real_scene'?"]),
        (f"{E}.eval_func", ["x"], ["eval_func: ['x']"]),
        (f"{E}.restore_hint", 99, ["no checkpoint at", "teacher-00099.pt"]),
        (f"{E}.sampler.batch_size", 3, ["batch_size 3 must equal the number of processes, 1"]),
        (f"{E}.sampler.batch_size", [1, 1], ["InferenceSampler expected a whole number, found [1, 1]"]),
        (f"{E}.sampler.sample_type", 4, ["sample_type: 4"]),
        (f"{E}.transform.0.trf_cfg.0.type", "Nothing", ["'Nothing'"]),
        ("model_cfg.bin_num", [5], ["Baseline"]),
    ],
)
def test_a_mistake_in_a_test_is_one_line(here, path, value, words):
    cfgs = yaml.safe_load((here / "teacher.yaml").read_text())
    (here / "x.yaml").write_text(yaml.safe_dump(changed(cfgs, path, value)))
    message = told("x.yaml", "test")
    for word in words:
        assert word in message, message


# ---- checkpoints -----------------------------------------------------------------------------------------------------


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def zipped(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def old_format(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


WEIGHT = {"a": torch.zeros(2)}
CHECKPOINTS = {
    "empty": b"",
    "text": b"not a checkpoint",
    "a torn zip": zipped({"model": WEIGHT})[:300],
    "a zip without end": zipped({"model": WEIGHT})[:-10],
    "a zip of something else": b"PK\x05\x06" + 18 * b"\0",
    "a plain pickle": pickle.dumps({"model": {"a": 1}}),
    "a torn old file": old_format({"model": WEIGHT})[:80],
    "no model": zipped({"state_dict": WEIGHT}),
    "a list": zipped([WEIGHT]),
    "no tensors": zipped({"model": {"a": 3}}),
    "a model of None": zipped({"model": None}),
    "another network": zipped({"model": WEIGHT}),
    "a tensor": zipped(torch.zeros(3)),
    "code": zipped({"model": Call(os.mkdir, "mark")}),
    "code beside the weights": zipped({"model": WEIGHT, "optimizer": Call(os.mkdir, "mark")}),
    "code in a plain pickle": pickle.dumps(Call(os.mkdir, "mark"), 2),
    "code in an old file": old_format({"model": Call(os.mkdir, "mark")}),
    "eval": zipped({"model": Call(eval, "__import__('os').mkdir('mark')")}),
    "getattr": zipped({"model": Call(getattr, Call(__import__, "os"), "mkdir")}),
    "another class": zipped({"model": WEIGHT, "extra": Path("x")}),
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_broken_or_hostile_checkpoint_is_one_line_and_nothing_runs(here, name):
    (here / "broken.pt").write_bytes(CHECKPOINTS[name])
    for key in ("teacher", "ven"):
        cfgs = yaml.safe_load((here / "mimic.yaml").read_text())
        extra = {"config": "ven.yaml"} if key == "ven" else {}
        cfgs["model_cfg"][key] = {**extra, "checkpoint": "broken.pt"}
        (here / "x.yaml").write_text(yaml.safe_dump(cfgs))
        assert "broken.pt" in told("x.yaml")
    assert not (here / "mark").exists()


# ---- any change at all -----------------------------------------------------------------------------------------------


def places(value, path=()):
    """The path of everything inside a configuration."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.just(10**12), st.floats(), st.text(max_size=5), st.just("1e-3"),
    st.lists(st.integers(-1, 5), max_size=3), st.just({}), st.just([[]]), st.just({"type": "x"}),
)  # fmt: skip


@st.composite
def broken(draw, folder: Path):
    """One of the four configurations with one key dropped, renamed, moved or given another value."""
    cfgs = yaml.safe_load((folder / f"{draw(st.sampled_from(NAMES))}.yaml").read_text())
    path = draw(st.sampled_from(sorted(places(cfgs), key=str)))
    place = cfgs
    for key in path[:-1]:
        place = place[key]
    how = draw(st.sampled_from(["drop", "rename", "value", "value", "value", "wrap"]))
    value = place.pop(path[-1]) if how in ("drop", "rename") else place[path[-1]]
    if how == "rename" and isinstance(place, dict):
        place[f"{path[-1]}x"] = value
    elif how == "value":
        place[path[-1]] = draw(ANYTHING)
    elif how == "wrap":
        place[path[-1]] = [value] if draw(st.booleans()) else {"x": value}
    return cfgs


def plain(error: BaseException) -> bool:
    message = str(error)
    return isinstance(error, (MimicError, RunFailed)) and all(0 < len(line) < 800 for line in message.split("\n"))


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(data=st.data(), phase=st.sampled_from(["train", "test"]))
def test_whatever_is_changed_the_check_passes_or_says_why(ready, data, phase):
    cfgs = data.draw(broken(ready))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ready)
        (ready / "y.yaml").write_text(yaml.safe_dump(cfgs))
        done = CliRunner().invoke(commands, ["check", "--cfgs", "y.yaml", "--phase", phase, "--host", "embedded"])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert done.exit_code in (0, 2) and "Traceback" not in done.output
    assert all(line.startswith("y.yaml: ") and len(line) < 800 for line in done.output.splitlines())


@settings(deadline=None, max_examples=EXAMPLES // 5, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_the_check_lets_pass_trains_or_says_why(ready, data):
    from main import run

    from opengait_mimic.opengait.config.check import check
    from opengait_mimic.opengait.models.preflight import preflight

    cfgs = data.draw(broken(ready))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ready)
        patch.delenv("OPENGAIT_MIMIC_TRACEBACK", raising=False)
        (ready / "z.yaml").write_text(yaml.safe_dump(cfgs))
        try:
            found = check("z.yaml", "embedded", "train")
            failures_in_one_line(preflight)(found, "embedded", True, "z.yaml")
            found["trainer_cfg"].update(total_iter=2, save_iter=2, log_iter=1)
            found["data_cfg"]["num_workers"] = 0
            failures_in_one_line(run)(found, training=True)
        except (MimicError, RunFailed) as error:
            assert plain(error), str(error)
        except FloatingPointError as error:
            assert "NaN" in str(error)


# ---- the commands that run -------------------------------------------------------------------------------------------


def refused(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "opengait_mimic", *arguments, "--host", "embedded", "--device", "cpu"],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode and "Traceback" not in done.stdout + done.stderr, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("opengait-mimic: ")]
    assert len(lines) == 1 and len(done.stderr.splitlines()) <= 3, done.stderr
    return done.returncode, lines[0]


@pytest.fixture
def own(ready, tmp_path) -> Path:
    shutil.copytree(ready, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.yaml"))
    for name in NAMES:
        shutil.copy(ready / f"{name}.yaml", tmp_path)
    return tmp_path


def test_train_and_test_refuse_what_the_check_refuses(own):
    cfgs = yaml.safe_load((own / "teacher.yaml").read_text())
    (own / "x.yaml").write_text(yaml.safe_dump(changed(cfgs, "model_cfg.SeparateFCs.parts_num", 15)))
    status, line = refused(own, "train", "--cfgs", "x.yaml")
    assert status == 2 and "Baseline" in line
    (own / "x.yaml").write_text(yaml.safe_dump(changed(cfgs, f"{E}.eval_func", "evaluate")))
    status, line = refused(own, "test", "--cfgs", "x.yaml")
    assert status == 2 and "eval_func: the host has no 'evaluate'" in line


def test_a_broken_sequence_ends_a_training_in_one_line(own):
    path = own / "sils/00000/00/00/00.pkl"
    for other in sorted((own / "sils").glob("0000[0-5]/00/*/*.pkl"))[1:]:
        other.write_bytes(other.read_bytes()[:500])
    status, line = refused(own, "train", "--cfgs", "teacher.yaml")
    assert status == 2 and ".pkl: cannot be read: it ends too early" in line and "worker" not in line
    path.write_bytes(b"")
    status, line = refused(own, "train", "--cfgs", "teacher.yaml")
    assert status == 2 and f"{path.relative_to(own)}: cannot be read: it is an empty file" in line


def test_a_black_first_clip_does_not_hide_that_the_others_go_to_1(own):
    for number, path in enumerate(sorted((own / "sils").rglob("*.pkl"))):
        path.write_bytes(pickle.dumps(pickle.loads(path.read_bytes()) // 255 * (number > 0)))
    status, line = refused(own, "train", "--cfgs", "teacher.yaml")
    assert status == 2 and ".pkl: values from 0 to 1" in line
