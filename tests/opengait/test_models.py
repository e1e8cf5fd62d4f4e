"""Our models on the embedded host: what they see, what they train, what they keep."""

from __future__ import annotations

import copy
import json
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from narrow import BACKBONES, GAITBASE, IDENTITY, KINDS, MICKD, configuration
from recorded import HERE, read_model
from torch import nn

from opengait_mimic.errors import ConfigError
from opengait_mimic.opengait.activation import activate
from opengait_mimic.opengait.config import networks
from opengait_mimic.opengait.config.reading import defaults, merge, read_yaml, shipped
from opengait_mimic.opengait.description import describe_checkpoint

activate("embedded")

from evaluation import evaluator  # noqa: E402
from main import run  # noqa: E402
from modeling import losses  # noqa: E402
from modeling import models as host_models  # noqa: E402
from modeling.base_model import BaseModel  # noqa: E402
from modeling.loss_aggregator import LossAggregator  # noqa: E402
from modeling.losses.base import BaseLoss  # noqa: E402
from utils import init_seeds  # noqa: E402

from opengait_mimic.method import losses as functional  # noqa: E402
from opengait_mimic.method.occlusion.types import CrossingPerson  # noqa: E402
from opengait_mimic.opengait.models import (  # noqa: E402
    Backbone,
    MimicGait,
    OcclusionAware,
    VisibilityEstimation,
    recognition,
)
from opengait_mimic.opengait.models.backbone import probe  # noqa: E402
from opengait_mimic.opengait.models.preflight import preflight  # noqa: E402


def first_batch(model):
    return model.inputs_pretreament(next(iter(model.train_loader)))


class TestBackbone:
    @pytest.mark.parametrize("name", BACKBONES)
    def test_embeds_equal_and_unequal_clips_in_training_and_eval(self, name):
        torch.manual_seed(0)
        backbone = Backbone(BACKBONES[name], "CASIA-B")
        sils = (torch.rand(3, 7, 64, 44) > 0.5).float()
        seqL = torch.tensor([[4, 7, 10]], dtype=torch.int32)
        for training in (True, False):
            backbone.train(training)
            n, c, p = backbone(sils).shape
            assert n == 3 and p in (16, 62, 64)
            assert backbone(sils.reshape(1, 21, 64, 44), seqL).shape == (3, c, p)

    @pytest.mark.parametrize("name", ["GaitBase", "GaitSet", "GaitGL_GREW_BNNeck", "DeepGaitV2_p3d"])
    def test_reproduces_recorded_embeddings(self, name):
        config, weights, data = read_model(HERE / f"{name}.npz")
        backbone = Backbone(config["model_cfg"], dataset_name=config["dataset_name"])
        backbone.model.load_state_dict(weights)
        with torch.no_grad():
            found = backbone.eval()(data["input"].float(), seqL=None)
        torch.testing.assert_close(found, data["eval_embeddings"], atol=1e-4, rtol=0)

    @pytest.mark.parametrize("name", BACKBONES)
    def test_probe_finds_the_shape_and_the_classifier_and_changes_nothing(self, name):
        backbone = Backbone(BACKBONES[name], "CASIA-B")
        before = copy.deepcopy(backbone.state_dict())
        found = probe(backbone)
        assert backbone(torch.rand(2, 6, 64, 44)).shape[1:] == (found.channels, found.parts)
        names = {n for n, p in backbone.named_parameters() if any(p is idle for idle in found.idle)}
        classifier = {"GaitBase": "BNNecks", "DeepGaitV2": "BNNecks", "GaitGL": "Head1", "GaitSet": None}[name]
        assert names == {n for n, _ in backbone.named_parameters() if classifier and classifier in n}
        backbone.load_state_dict(before)
        assert backbone.training and all(p.grad is None for p in backbone.parameters())

    def test_a_model_cfg_that_contradicts_itself_says_so(self):
        cfg = {**GAITBASE, "SeparateFCs": {"in_channels": 16, "out_channels": 8, "parts_num": 16}}
        with pytest.raises(ConfigError, match="Baseline cannot embed silhouettes"):
            probe(Backbone(cfg))

    def test_a_model_cfg_that_lacks_a_key_says_which(self):
        with pytest.raises(ConfigError, match="Baseline.*SeparateFCs"):
            Backbone({k: v for k, v in GAITBASE.items() if k != "SeparateFCs"})


class TestOcclusionInTheBatch:
    def test_clips_of_one_unfixed_batch_carry_their_own_kinds_and_amounts(self, data, trained):
        cfgs = configuration(data, "m", {"model": "OcclusionAware", "backbone": GAITBASE}, IDENTITY, KINDS)
        model = OcclusionAware(cfgs, training=True)
        for _ in range(3):
            clips, labs, _, _, seqL = first_batch(model)
            assert clips.occluded.shape == clips.holistic.shape == (1, int(seqL.sum()), 64, 44)
            assert len(clips.kind) == len(clips.amount) == len(labs) == 16
            assert len(set(clips.kind.tolist())) >= 3
            ends = torch.cumsum(seqL[0], 0)
            for i, end in enumerate(ends.tolist()):
                changed = (clips.occluded[0, end - seqL[0, i] : end] != clips.holistic[0, end - seqL[0, i] : end]).any()
                assert bool(changed) == (clips.kind[i] != 0), "every planned occluder hits its clip, no other is hit"
                assert (clips.amount[i] > 0) == (clips.kind[i] != 0)
        assert len(set(clips.amount[clips.amount > 0].tolist())) > 5

    @pytest.mark.parametrize(
        "sample_type", ["fixed_unordered", "fixed_ordered", "unfixed_ordered", "unfixed_unordered"]
    )
    def test_a_moving_occluder_moves_in_frame_time_whatever_the_sampling(self, data, here, sample_type):
        cfgs = configuration(data, "m", {"model": "OcclusionAware", "backbone": GAITBASE}, IDENTITY,
                             [{"kind": "moving_pole", "velocity": [1.0, 1.0]}], sample_type)  # fmt: skip
        model = OcclusionAware(cfgs, training=True)
        inputs = next(iter(model.train_loader))
        numbers = np.concatenate(inputs[0][-1])
        assert len(inputs[0]) == 2 and len(numbers) == sum(len(clip) for clip in inputs[0][0])
        lengths = [6] * 16 if inputs[4] is None else inputs[4][0].tolist()
        whole = model.holistic_batch(inputs)
        np.testing.assert_array_equal(np.concatenate(whole.numbers), numbers)
        plan = model.mixture.sample([np.random.default_rng(0)] * len(lengths), whole.numbers, 64, 44)
        seen = 0
        for times, boxes in zip(np.split(numbers, np.cumsum(lengths)[:-1]),
                                np.split(plan.boxes, np.cumsum(lengths)[:-1]), strict=True):  # fmt: skip
            inside = (boxes[:, 2] > 0) & (boxes[:, 3] < 44)  # not cut by the frame
            if inside.sum() >= 2 and len(set(times[inside])) >= 2:
                slope = np.polyfit(times[inside], boxes[inside, 2], 1)[0]
                assert abs(slope) == pytest.approx(1.0, abs=0.15)
                seen += 1
        assert seen > 0

    def test_a_test_clip_meets_the_same_occlusion_in_any_order(self, data, here):
        cfgs = configuration(data, "m", {"model": "OcclusionAware", "backbone": GAITBASE}, IDENTITY, KINDS)
        model = OcclusionAware(cfgs, training=False)
        batches = list(model.test_loader)
        forward = [model.inputs_pretreament(b)[0] for b in batches]
        backward = [model.inputs_pretreament(b)[0] for b in reversed(batches)][::-1]
        for a, b in zip(forward, backward, strict=True):
            assert torch.equal(a.occluded, b.occluded) and torch.equal(a.kind, b.kind)
        model.occlusion["evaluator_cfg"].seed = 1
        again = [model.inputs_pretreament(b)[0] for b in batches]
        assert any(not torch.equal(a.occluded, b.occluded) for a, b in zip(forward, again, strict=True))

    @pytest.mark.parametrize("sample_type", ["fixed_ordered", "unfixed_unordered"])
    def test_in_training_the_people_of_a_batch_cross_each_other_at_test_generated_ones_do(
        self, data, here, sample_type, monkeypatch
    ):
        crossed_by = []
        draw = CrossingPerson.masks
        monkeypatch.setattr(CrossingPerson, "masks", lambda kind, rng, times, height, width, others:
                            crossed_by.append(others) or draw(kind, rng, times, height, width, others))  # fmt: skip
        cfgs = configuration(data, "m", {"model": "OcclusionAware", "backbone": GAITBASE}, IDENTITY,
                             [{"kind": "crossing_person", "prob": 1}], sample_type)  # fmt: skip
        model = OcclusionAware(cfgs, training=True)
        inputs = next(iter(model.train_loader))
        whole = model.holistic_batch(inputs)
        clips = model.inputs_pretreament(inputs)[0]
        assert (clips.kind == 1).sum() >= 14 and clips.occluded.shape == clips.holistic.shape
        subjects = whole.labs.tolist()
        stored = {n: np.sort(frames.sum((1, 2))).tolist() for n, frames in enumerate(whole.frames)}
        for own, others in zip(subjects, crossed_by, strict=True):
            expected = [stored[n] for n, subject in enumerate(subjects) if subject != own]
            assert [np.sort(clip.sum((1, 2))).tolist() for clip in others] == expected and len(expected) == 12
        crossed_by.clear()
        tested = OcclusionAware(cfgs, training=False)
        tested.inputs_pretreament(next(iter(tested.test_loader)))
        assert crossed_by == [[]]

    def test_training_without_an_occlusion_is_refused(self, data, here):
        cfgs = configuration(data, "m", {"model": "OcclusionAware", "backbone": GAITBASE}, IDENTITY)
        with pytest.raises(ConfigError, match="no Occlusion"):
            OcclusionAware(cfgs, training=True)


class TestMimic:
    def build(self, data, losses=MICKD, training=True, hint=0, **model_cfg):
        cfg = {"model": "MimicGait", "backbone": "teacher.yaml", "ven": "ven.yaml", **model_cfg}
        cfgs = configuration(data, "mimic", cfg, losses, KINDS)
        cfgs["evaluator_cfg"]["restore_hint"] = hint
        return MimicGait(cfgs, training=training)

    def test_the_teacher_is_the_same_bit_for_bit_after_training(self, data, trained):
        model = self.build(data)
        before = copy.deepcopy(model.teacher.state_dict())
        ven = copy.deepcopy(model.ven.state_dict())
        mimic = copy.deepcopy(model.backbone.state_dict())
        BaseModel.run_train(model)
        assert all(torch.equal(before[k], v) for k, v in model.teacher.state_dict().items())
        assert all(torch.equal(ven[k], v) for k, v in model.ven.state_dict().items())
        assert any(not torch.equal(mimic[k], v) for k, v in model.backbone.state_dict().items())
        model.train()
        assert not model.teacher.network.training and not model.ven.network.training

    def test_neither_optimizer_nor_checkpoint_know_the_teacher(self, data, trained):
        model = self.build(data)
        optimized = {id(p) for group in model.optimizer.param_groups for p in group["params"]}
        frozen = [*model.teacher.parameters(), *model.ven.parameters()]
        assert not optimized & {id(p) for p in frozen}
        assert not [k for k in model.state_dict() if "teacher" in k]
        assert [k for k in model.state_dict() if k.startswith("ven.network.frames")]

    def test_every_trained_parameter_gets_a_gradient(self, data, trained):
        model = self.build(data)
        batch = first_batch(model)
        loss, _ = model.loss_aggregator(model(batch)["training_feat"])
        loss.backward()
        assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []

    def test_eq_1(self, data, trained):
        model = self.build(data).eval()
        sils = torch.rand(2, 5, 64, 44).round()
        joined = model.fusion(model.backbone(sils), model.ven.network(sils).feature)
        torch.testing.assert_close(model.embed(sils), joined)

    def test_the_vanilla_mimic_started_from_the_teacher_embeds_like_it(self, data, trained):
        model = self.build(data, ven=None, init_from_teacher=True).eval()
        sils = torch.rand(2, 5, 64, 44).round()
        torch.testing.assert_close(model.embed(sils), model.teacher(sils))

    def test_with_a_ven_it_starts_near_the_teacher(self, data, trained):
        model = self.build(data, init_from_teacher=True).eval()
        sils = torch.rand(2, 5, 64, 44).round()
        cosine = nn.functional.cosine_similarity(model.embed(sils).flatten(1), model.teacher(sils).flatten(1))
        assert (cosine > 0.99).all()

    @pytest.mark.parametrize("started", [True, False])
    def test_a_classifier_starts_with_the_mimic_from_the_teacher(self, data, trained, started):
        losses = [*MICKD, {"type": "CrossEntropyLoss", "log_prefix": "xe", "scale": 16}]
        model = self.build(data, losses, init_from_teacher=started, class_num=6)
        theirs = model.teacher.network.model.BNNecks
        assert torch.equal(model.neck.weight, theirs.fc_bin) == started
        assert torch.equal(model.neck.norm.running_mean, theirs.bn1d.running_mean) == started

    @pytest.mark.parametrize(
        "losses",
        [
            [{"type": "L2KDLoss", "log_prefix": "l2"}],
            [*MICKD, {"type": "CrossEntropyLoss", "log_prefix": "xe", "scale": 16}],
            [*MICKD, {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2}],
            [{"type": "MiCKDLoss", "log_prefix": "m", "pairs": ["same_instance"], "reduction": "sum"}],
            [{"type": "MiCKDLoss", "log_prefix": "m", "partwise": True}],
        ],
    )
    def test_losses_are_configuration(self, data, trained, losses):
        model = self.build(data, losses=losses, class_num=6)
        features = model(first_batch(model))["training_feat"]
        assert set(features) == {entry["log_prefix"] for entry in losses}
        assert torch.isfinite(model.loss_aggregator(features)[0])

    def test_the_loss_compares_whole_embeddings_or_part_by_part(self, data, trained):
        for partwise in (False, True):
            model = self.build(data, losses=[{"type": "MiCKDLoss", "log_prefix": "m", "partwise": partwise}])
            kwargs = model(first_batch(model))["training_feat"]["m"]
            mimic, teacher = kwargs["mimic"].detach(), kwargs["teacher"].detach()
            if not partwise:
                mimic, teacher = mimic.flatten(1), teacher.flatten(1)
            expected = functional.mickd(mimic, teacher, kwargs["labels"])
            torch.testing.assert_close(model.loss_aggregator({"m": kwargs})[0].detach(), expected)

    def test_the_control_needs_no_teacher(self, data, trained):
        control = [{"type": "MiCKDLoss", "log_prefix": "m", "pairs": ["mimic_mimic"]}]
        model = self.build(data, losses=control, teacher={"checkpoint": "gone.pt"})
        assert not hasattr(model, "teacher")
        assert torch.isfinite(model.loss_aggregator(model(first_batch(model))["training_feat"])[0])

    def test_tests_without_the_files_of_teacher_and_ven(self, data, trained):
        model = self.build(data)
        model.save_ckpt(3)
        with_files = model.eval().embed(torch.ones(1, 4, 64, 44))
        for left in Path("output").rglob("*-00003.pt"):
            if "mimic" not in left.name:
                left.unlink()
        again = self.build(data, training=False, hint=3)
        torch.testing.assert_close(again.eval().embed(torch.ones(1, 4, 64, 44)), with_files)


class TestBuilding:
    CFG = {"model": "MimicGait", "backbone": "teacher.yaml", "ven": "ven.yaml", "init_from_teacher": True}

    @pytest.fixture
    def cfgs(self, data):
        return configuration(data, "mimic", self.CFG, MICKD, KINDS)

    def test_the_run_takes_what_the_pre_flight_check_built(self, cfgs, trained, monkeypatch):
        built, probed, read = [], [], []
        for module, name, calls in (
            (recognition, "build_backbone", built), (recognition, "probe", probed), (networks, "read_yaml", read),
        ):  # fmt: skip
            original = getattr(module, name)
            monkeypatch.setattr(module, name, lambda *a, o=original, c=calls, **k: c.append(1) or o(*a, **k))
        init_seeds(0)
        alone = MimicGait(cfgs, training=True)
        built.clear(), probed.clear(), read.clear()
        preflight(cfgs, "embedded", True, "mimic.yaml")
        init_seeds(0)
        model = MimicGait(cfgs, training=True)
        model.save_ckpt(1)
        assert (len(built), len(probed), len(read)) == (2, 1, 2), "mimic and teacher; backbone's and VEN's YAML"
        for name, value in alone.state_dict().items():
            assert torch.equal(model.state_dict()[name], value), "the same start with and without the check"

    def test_a_checkpoint_is_described_as_it_was_built_whatever_the_yaml_says_later(self, cfgs, trained):
        model = MimicGait(cfgs, training=True)
        model.save_ckpt(1)
        first = describe_checkpoint(model._own_path(1))
        for name, section, key, value in (
            ("ven", "model_cfg", "feature", 16), ("teacher", "model_cfg", "bin_num", [8]),
        ):  # fmt: skip
            edited = read_yaml(f"{name}.yaml")
            edited[section][key] = value
            Path(f"{name}.yaml").write_text(yaml.safe_dump(edited))
        model.save_ckpt(2)
        assert describe_checkpoint(model._own_path(2)) == first
        assert (first.ven["feature"], first.backbone) == (6, GAITBASE)


class CosineLoss(BaseLoss):
    """A loss of one's own: it gets what it asks for."""

    def forward(self, mimic, teacher, labels, amount=None, unheard_of=None):
        assert amount.shape == labels.shape and unheard_of is None
        return (1 - nn.functional.cosine_similarity(mimic, teacher, dim=1)).mean(), self.info


class GreedyLoss(BaseLoss):
    def forward(self, mimic, gait_speed):
        raise AssertionError


class TestLosses:
    def features(self, data, loss, model="MimicGait"):
        cfg = {"model": model, "backbone": "teacher.yaml", "ven": "ven.yaml"}
        cfgs = configuration(data, "m", cfg, [{"type": loss, "log_prefix": "own"}], KINDS)
        net = {"MimicGait": MimicGait, "OcclusionAware": OcclusionAware}[model](cfgs, training=True)
        features = net(first_batch(net))["training_feat"]
        return features, net.loss_aggregator(features)[0]

    def test_one_of_ones_own_takes_one_class_and_its_entry(self, data, trained, monkeypatch):
        monkeypatch.setattr(losses, "CosineLoss", CosineLoss, raising=False)
        features, loss = self.features(data, "CosineLoss")
        assert set(features["own"]) == {"mimic", "teacher", "labels", "amount"} and 0 < loss < 2

    @pytest.mark.parametrize(
        ("loss", "model", "message"),
        [
            ("GreedyLoss", "MimicGait", "GreedyLoss asks for gait_speed; MimicGait has embeddings, labels"),
            ("MiCKDLoss", "OcclusionAware", "MiCKDLoss asks for mimic; OcclusionAware has embeddings, labels"),
            ("MiCKDLos", "MimicGait", "did you mean 'MiCKDLoss'"),
            ("CrossEntropyLoss", "OcclusionAware", "logits need model_cfg.class_num"),
        ],
    )
    def test_one_that_asks_for_what_the_model_has_not_is_refused(
        self, data, trained, monkeypatch, loss, model, message
    ):
        monkeypatch.setattr(losses, "GreedyLoss", GreedyLoss, raising=False)
        with pytest.raises(ConfigError, match=message):
            self.features(data, loss, model)


class TestVisibilityEstimation:
    def test_learns_what_is_hidden(self, data, here):
        kinds = [{"kind": "top", "prob": 0.4}, {"kind": "bottom", "prob": 0.4}]
        cfgs = configuration(data, "v", {"model": "VisibilityEstimation", "channels": [8, 16, 32], "feature": 32},
                             [{"type": "VisibilityLoss", "log_prefix": "visibility"}], kinds, total=120)  # fmt: skip
        cfgs["optimizer_cfg"] = {"solver": "Adam", "lr": 3.0e-3}
        cfgs["evaluator_cfg"]["eval_func"] = "evaluate_visibility"
        run(copy.deepcopy(cfgs), training=True)
        tested = VisibilityEstimation(cfgs, training=False)
        assert tested.network.kind.out_features == 3, "clean, top, bottom"
        tested.resume_ckpt(120)
        results = VisibilityEstimation.run_test(tested)
        assert results["scalar/test_visibility/accuracy"] > 80
        assert results["scalar/test_visibility/amount_error"] < 0.15

    @pytest.mark.parametrize("generated, expected", [(["00000"], 1 / 2), (["00002", "00003", "00004", "00005"], 1 / 2),
                                                     ([], 1 / 3)])  # fmt: skip
    def test_recorded_and_generated_people_are_drawn_alike(self, data, here, generated, expected):
        """Of six; where nobody was generated, two of them make a third."""
        partition = json.loads(Path(data["dataset_partition"]).read_text())
        Path("part.json").write_text(json.dumps({**partition, "GENERATED_SET": generated}))
        cfgs = configuration({**data, "dataset_partition": "part.json"}, "v",
                             {"model": "VisibilityEstimation", "channels": [4, 4, 8], "feature": 8},
                             [{"type": "VisibilityLoss", "log_prefix": "visibility"}], ["top", "bottom"])  # fmt: skip
        loader = VisibilityEstimation(cfgs, training=True).train_loader
        labels = loader.dataset.dataset.label_list
        drawn = [labels[i] for _, batch in islice(loader.batch_sampler, 200) for i in batch]
        few = generated[:1] if len(generated) == 1 else ["00000", "00001"]
        assert np.isin(drawn, [f"GREW-{name}" for name in few]).mean() == pytest.approx(expected, abs=0.05)
        assert set(drawn) == {f"GREW-{name}" for name in partition["TRAIN_SET"]}
        next(iter(loader))

    def build(self, data, test_kinds):
        cfgs = configuration(data, "v", {"model": "VisibilityEstimation", "channels": [4, 4, 8], "feature": 8},
                             [{"type": "VisibilityLoss", "log_prefix": "visibility"}],
                             [{"kind": "top", "prob": 0.5}, {"kind": "bottom", "prob": 0.5}])  # fmt: skip
        cfgs["evaluator_cfg"]["transform"][0]["trf_cfg"][-1]["kinds"] = test_kinds
        return VisibilityEstimation(cfgs, training=False)

    def test_labels_mean_the_same_whatever_kinds_are_tested(self, data, here):
        model = self.build(data, ["bottom"])
        assert model.cfgs["evaluator_cfg"]["kinds"] == ["clean", "top", "bottom"]
        clips = model.inputs_pretreament(next(iter(model.test_loader)))[0]
        assert clips.kind.tolist() == [2]

    def test_a_kind_it_did_not_learn_cannot_be_tested(self, data, here):
        with pytest.raises(ConfigError, match="does not learn middle"):
            self.build(data, ["bottom", "middle"])


class TestOcclusionAware:
    def test_with_a_ven_it_has_a_classifier_of_its_own(self, data, trained):
        cfg = {"model": "OcclusionAware", "backbone": "teacher.yaml", "ven": "ven.yaml", "class_num": 6}
        model = OcclusionAware(configuration(data, "aware", cfg, IDENTITY, KINDS), training=True)
        features = model(first_batch(model))["training_feat"]
        assert features["softmax"]["logits"].shape == (16, 6, 16)
        loss, _ = model.loss_aggregator(features)
        loss.backward()
        assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


@pytest.mark.parametrize("path", sorted(shipped("configs").rglob("*.yaml")), ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_shipped_configuration_names_losses_and_optimizers_of_the_host(path):
    cfgs = merge(defaults("embedded"), read_yaml(path))
    LossAggregator(cfgs["loss_cfg"])
    optimizer = BaseModel.get_optimizer(nn.Linear(2, 2), cfgs["optimizer_cfg"])
    BaseModel.get_scheduler(SimpleNamespace(optimizer=optimizer), cfgs["scheduler_cfg"])
    assert hasattr(host_models, cfgs["model_cfg"]["model"])
    assert hasattr(evaluator, cfgs["evaluator_cfg"]["eval_func"])


class TestHostLosses:
    """The host's forms of our losses, beside the method's plain functions."""

    def test_a_loss_weighs_one_where_the_yaml_says_nothing(self):
        assert [loss().loss_term_weight for loss in (losses.MiCKDLoss, losses.L2KDLoss, losses.VisibilityLoss)] == [
            1.0
        ] * 3

    def test_the_parts_term_counts_by_its_weight(self):
        given = {"kind": torch.tensor([0, 1]), "true_amount": torch.tensor([0.0, 0.5]), "logits": torch.eye(2)}
        parts = {
            "part_logits": torch.tensor([[1.0, -1.0], [0.5, 2.0]]),
            "true_parts": torch.tensor([[1.0, 0.0], [1.0, 1.0]]),
        }
        without, _ = losses.VisibilityLoss()(**given)
        alone = functional.part_visibility(parts["part_logits"], parts["true_parts"])
        for weight in (0.5, 3.0):
            found, _ = losses.VisibilityLoss(parts_weight=weight)(**given, **parts)
            assert torch.allclose(found, without + weight * alone)
