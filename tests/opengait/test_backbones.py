"""Which models can be a backbone, what the adapter does for them, and the script that tries them."""

from __future__ import annotations

import copy
import subprocess
import sys

import backbones as table
import pytest
import torch
import yaml
from commands import checkout, environment
from torch import nn

from opengait_mimic.backbones import NETWORKS
from opengait_mimic.errors import ConfigError
from opengait_mimic.opengait.activation import activate
from opengait_mimic.opengait.config.inputs import OTHER_INPUTS, OTHER_TASKS
from opengait_mimic.opengait.config.networks import backbone_spec

activate("embedded")

from modeling import models as host_models  # noqa: E402
from modeling.base_model import BaseModel  # noqa: E402

from opengait_mimic.opengait.models import MimicGait, OccludedModel  # noqa: E402
from opengait_mimic.opengait.models.backbone import Backbone, probe  # noqa: E402

# Silhouette models of OpenGait, and those whose one input has rows; two of them have a width that takes its time.
OF_OPENGAIT = ("Baseline", "DeepGaitV2", "GaitGL", "GaitSet", "GaitPart", "GLN", "GaitSSB_Finetune", "ParsingGait",
               "FoundationGait_Scaling_Finetune")  # fmt: skip
WIDE = ("SwinGait", "MultiGaitpp")
OF_V2 = ("Baseline", "GaitGL", "GaitSet", "GaitPart", "GLN")
SGD = {"solver": "SGD", "lr": 0.1, "weight_decay": 0.01}


class Fussy(BaseModel):
    """A model with habits that OpenGait's models have."""

    def __init__(self, cfgs, training):
        self.steps = cfgs["trainer_cfg"]["steps"]
        super().__init__(cfgs, training)

    def build_network(self, model_cfg):
        self.stem, self.body = nn.Conv2d(model_cfg["planes"], 4, 3, padding=1), nn.Linear(4, 6)
        self.norm, self.classifier = nn.BatchNorm1d(6), nn.Linear(6, 3)

    def init_parameters(self):
        super().init_parameters()
        nn.init.constant_(self.body.weight, 0.5)

    def get_optimizer(self, optimizer_cfg):
        self.frozen = ("stem",)
        groups = [{"params": self.body.parameters(), "lr": 0.1 * optimizer_cfg["lr"]},
                  {"params": [*self.norm.parameters(), *self.classifier.parameters()]}]  # fmt: skip
        return torch.optim.SGD(groups, lr=optimizer_cfg["lr"])

    def forward(self, inputs):
        ipts, labels, _, _, seqL = inputs
        assert seqL is None, "clips of one length"
        if not self.training:
            self.frozen = ("stem", "body")
        elif self.optimizer.param_groups[0]["initial_lr"] < 0:
            raise ValueError("the optimizer is read in training")
        clips = ipts[0] if ipts[0].dim() == 5 else ipts[0][:, :, None]
        with torch.set_grad_enabled("stem" not in self.frozen):
            maps = self.stem(clips.flatten(0, 1)).amax((2, 3)).unflatten(0, clips.shape[:2]).amax(1)
        embeddings = self.norm(self.body(maps))
        return {
            "training_feat": {"softmax": {"logits": self.classifier(embeddings)[:, :, None], "labels": labels}},
            "visual_summary": {},
            "inference_feat": {"embeddings": embeddings[:, :, None]},
        }


class Pairs(Fussy):
    def inputs_pretreament(self, inputs):
        return super().inputs_pretreament(inputs)


@pytest.fixture
def fussy(monkeypatch):
    """The model_cfg of a host model with habits."""
    monkeypatch.setattr(host_models, "Fussy", Fussy, raising=False)
    monkeypatch.setattr(host_models, "Pairs", Pairs, raising=False)
    return {"model": "Fussy", "planes": 1}


def names(backbone, parameters):
    return {n.removeprefix("model.") for n, p in backbone.named_parameters() if any(p is q for q in parameters)}


# ---- the adapter -------------------------------------------------------------------------------------------


def test_a_models_own_constructor_optimizer_and_initialisation_are_used(fussy):
    backbone = Backbone(fussy, "GREW", {"steps": 7}, SGD)
    assert backbone.model.steps == 7 and backbone.model.frozen == ("stem",)
    assert (backbone.model.body.weight == 0.5).all()
    nn.init.zeros_(backbone.model.body.weight)
    backbone.initialise()
    assert (backbone.model.body.weight == 0.5).all()


def test_a_missing_setting_beside_the_model_cfg_is_named(fussy):
    with pytest.raises(ConfigError, match="Fussy: its configuration has no 'steps'"):
        Backbone(fussy)


def test_what_a_model_keeps_frozen_is_idle_and_its_groups_are_known(fussy):
    backbone = Backbone(fussy, trainer_cfg={"steps": 7}, optimizer_cfg=SGD)
    found = probe(backbone)
    assert (found.channels, found.parts, found.planes) == (6, 1, 1)
    assert names(backbone, found.idle) == {"stem.weight", "stem.bias", "classifier.weight", "classifier.bias"}
    assert names(backbone, found.unused) == {"stem.weight", "stem.bias"}, "its own loss trains the classifier"
    assert names(backbone, backbone.left_out()) == {"stem.weight", "stem.bias"}
    assert [group["lr"] for group in backbone.parameter_groups()] == [pytest.approx(0.01), 0.1]


def test_a_model_with_an_optimizer_of_its_own_is_also_built_only_to_embed(fussy):
    backbone = Backbone(fussy, trainer_cfg={"steps": 7}).eval()
    assert probe(backbone).channels == 6
    assert backbone.parameter_groups() is None and backbone.left_out() == []


def test_a_test_between_two_steps_freezes_nothing_for_good(fussy):
    backbone = Backbone(fussy, trainer_cfg={"steps": 7}, optimizer_cfg=SGD)
    backbone.eval()(torch.ones(1, 3, 64, 44))
    assert backbone.model.frozen == ("stem",)


def test_a_trial_leaves_weights_statistics_and_generators_as_they_are(fussy):
    backbone = Backbone(fussy, trainer_cfg={"steps": 7}, optimizer_cfg=SGD)
    before, random = copy.deepcopy(backbone.state_dict()), torch.get_rng_state()
    probe(backbone)
    assert all(torch.equal(before[k], v) for k, v in backbone.state_dict().items())
    assert torch.equal(random, torch.get_rng_state()) and backbone.training
    assert all(p.grad is None for p in backbone.parameters())


@pytest.mark.parametrize("planes", [1, 2, 3])
def test_the_channels_of_the_input_are_found(fussy, planes):
    backbone = Backbone({**fussy, "planes": planes}, trainer_cfg={"steps": 7}, optimizer_cfg=SGD)
    assert probe(backbone).planes == planes
    assert probe(backbone.eval()).planes == planes


def test_a_model_that_takes_clips_of_one_length_only_says_so(fussy):
    backbone = Backbone(fussy, trainer_cfg={"steps": 7}, optimizer_cfg=SGD)
    with pytest.raises(ConfigError, match="Fussy cannot embed silhouettes of any length.*clips of one length"):
        probe(backbone, joined=True)


def test_a_model_that_joins_its_inputs_itself_is_refused(fussy):
    with pytest.raises(ConfigError, match="Pairs prepares its inputs itself"):
        Backbone({**fussy, "model": "Pairs"})


@pytest.mark.parametrize("name", [*OTHER_INPUTS, *OTHER_TASKS])
def test_models_with_other_inputs_and_tasks_are_refused_in_one_line(name):
    with pytest.raises(ConfigError, match=f"backbone: {name} (takes|is|classifies) ") as caught:
        backbone_spec({"model": "MimicGait", "backbone": {"model": name}}, "Gait3D")
    assert "\n" not in str(caught.value)


def test_a_data_set_that_hands_over_more_than_one_input_is_refused():
    inputs = (["heat maps", "silhouettes", "numbers"], [], [], [], None)
    with pytest.raises(ConfigError, match="data_in_use: this model takes one input per clip, found 2"):
        OccludedModel.holistic_batch(object(), inputs)


# ---- the table ---------------------------------------------------------------------------------------------


def test_every_model_of_the_embedded_host_trains_a_mimic():
    rows = list(table.try_backbones("embedded", tuple(NETWORKS)))  # others of this process are tests' own
    assert len(rows) == 8 and all(row.step == "yes" for row in rows)
    assert {row.embedding for row in rows if row.model == "GaitSet"} == {"6 × 62"}
    assert {"depth images, LidarGait", "heat maps, SkeletonGait"} <= {row.given for row in rows}


def test_a_model_that_fails_is_told_with_its_reason(fussy, monkeypatch):
    monkeypatch.setitem(table.NARROW, "Fussy", (table.Case({"model": "Fussy"}, trainer_cfg={"steps": 1}),))
    failed, untried = table.try_backbones("embedded", ("Fussy", "Pairs"))
    assert failed.step == "failed" and "its configuration has no 'planes'" in failed.reason
    assert untried.step == "not tried" and untried.reason == "no narrow configuration known"


def test_a_step_that_trains_less_than_it_should_is_found_out(fussy, monkeypatch, tmp_path):
    case = table.Case(dict(fussy), trainer_cfg={"steps": 1})
    monkeypatch.setattr("opengait_mimic.opengait.models.recognition.probe", lambda *a: probe(*a)._replace(idle=[]))
    with pytest.raises(RuntimeError, match="no gradient reaches backbone.model.classifier"):
        table.trained_mimic(case, "embedded", tmp_path)


def test_the_mimics_optimizer_keeps_the_backbones_groups(fussy, tmp_path):
    model = table.trained_mimic(table.Case(dict(fussy), trainer_cfg={"steps": 1}), "embedded", tmp_path)
    groups = [({n for n, p in model.named_parameters() if any(p is q for q in g["params"])}, g["initial_lr"])
              for g in model.optimizer.param_groups]  # fmt: skip
    inside = "backbone.model."
    assert groups == [
        ({f"{inside}body.weight", f"{inside}body.bias"}, pytest.approx(0.001)),
        ({f"{inside}norm.weight", f"{inside}norm.bias"}, pytest.approx(0.01)),
        ({"fusion.weight"}, pytest.approx(0.01)),
    ]


def test_a_backbone_that_stays_partly_as_pretrained_must_start_from_the_teacher(fussy, tmp_path):
    path = tmp_path / "fussy.yaml"
    path.write_text(yaml.safe_dump({"model_cfg": fussy, "trainer_cfg": {"steps": 1}}))
    cfgs = {"model_cfg": {"model": "MimicGait", "backbone": str(path)}, "data_cfg": {"dataset_name": "Gait3D"},
            "optimizer_cfg": SGD, "evaluator_cfg": {}}  # fmt: skip
    with pytest.raises(ConfigError, match="Fussy trains a part of its network only; set init_from_teacher: true"):
        MimicGait.build(cfgs, True)


@pytest.mark.parametrize(
    ("name", "tried", "trained"),
    [
        ("OpenGait", (*OF_OPENGAIT, "SMPLGait"), OF_OPENGAIT),
        pytest.param("OpenGait", (), (*OF_OPENGAIT, *WIDE), marks=pytest.mark.heavy),
        pytest.param("OpenGait-v2.0", (), OF_V2, marks=pytest.mark.heavy),
    ],
)
def test_every_model_of_opengait_trains_a_mimic_or_is_refused_by_name(name, tried, trained, tmp_path):
    done = subprocess.run(
        [sys.executable, table.__file__, *tried, "--host", str(checkout(name))], env=environment(), cwd=tmp_path,
        capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    written = done.stdout[done.stdout.index("## OpenGait, commit ") :]
    assert "| failed |" not in written and "| not tried |" not in written
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in written.splitlines() if line.startswith("| ")}
    assert all("| yes |" in rows[model] for model in trained)
    assert "| not supported |" in rows["SMPLGait"] and "silhouettes with SMPL parameters" in rows["SMPLGait"]
