"""What goes beyond the paper on the embedded host: a VEN with parts, weighted matching and matching by
likelihood, registration, the residual."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from narrow import GAITBASE, GAITGL, GAITSET, IDENTITY, MICKD, SEEN, VEN, configuration

from opengait_mimic.apps.inference import load
from opengait_mimic.apps.inference.export import CAN_EXPORT, write_export
from opengait_mimic.errors import ConfigError
from opengait_mimic.evaluation.protocols import protocol
from opengait_mimic.evaluation.recognition import evaluate_embeddings, scores
from opengait_mimic.evaluation.results import read_result
from opengait_mimic.method.beyond.plda import Likelihood, PLDAFit, PLDAMatching
from opengait_mimic.method.beyond.weighted import Weights
from opengait_mimic.method.occlusion import apply_occlusion, content_rng
from opengait_mimic.opengait.activation import activate
from opengait_mimic.opengait.config.check import check

activate("embedded")

from main import run  # noqa: E402

from opengait_mimic.opengait.models import MimicGait, OcclusionAware, ResidualGait, VisibilityEstimation, embedding  # noqa: E402

CUT = [{"kind": "top", "prob": 0.4, "refit": True}, {"kind": "bottom", "prob": 0.4, "refit": True}]
PARTS = {**VEN, "tasks": ["classification", "regression", "parts"], "bands": 4, "amount_bins": 9}
MIMIC = {"model": "MimicGait", "backbone": "teacher.yaml", "ven": "parts.yaml"}
BASELINE1 = {"model": "OcclusionAware", "backbone": "teacher.yaml", "ven": "parts.yaml", "fuse": False,
             "init_from_teacher": True}  # fmt: skip
RESIDUAL = {"model": "ResidualGait", "backbone": "teacher.yaml", "ven": "parts.yaml", "class_num": 6}


def asked(data, name="mimic", model_cfg=MIMIC, losses=MICKD, kinds=CUT, hint=3, weighted=True):
    cfgs = configuration(data, name, copy.deepcopy(model_cfg), losses, kinds)
    cfgs["evaluator_cfg"].update(restore_hint=hint, eval_func="evaluate_recognition", weighted=weighted)
    return cfgs


@pytest.fixture(scope="session")
def with_parts(data, first_stage, tmp_path_factory):
    """The first stage's folder with parts.yaml, a VEN with parts, trained for three iterations."""
    folder = tmp_path_factory.mktemp("parts")
    shutil.copytree(first_stage, folder, dirs_exist_ok=True)
    cfgs = configuration(data, "parts", PARTS, SEEN, CUT)
    cfgs["evaluator_cfg"].update(restore_hint=3, eval_func="evaluate_visibility")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "parts.yaml").write_text(yaml.safe_dump(cfgs))
        run(copy.deepcopy(cfgs), training=True)
    return folder


@pytest.fixture
def stage(with_parts, here):
    shutil.copytree(with_parts, here, dirs_exist_ok=True)
    return here


def results(name) -> dict[str, dict]:
    """The result files of a run, by their method."""
    found = [read_result(path) for path in Path("output").rglob(f"results/{name}-*.json")]
    return {content["method"]: content for content in found}


def embedded(net, occluded: bool) -> embedding.Embeddings:
    """The test set as the network sees it."""
    occlusion = net.occlusion["evaluator_cfg"]
    one = embedding.Condition(net.embeddings_of, occlusion.mixture if occluded else None,
                       occlusion.seed)  # fmt: skip
    return next(embedding.embed_data_set(net.eval(), [one]))


def test_a_ven_with_parts_learns_and_says_how_well(data, stage):
    cfgs = configuration(data, "parts", PARTS, SEEN, CUT)
    cfgs["evaluator_cfg"].update(restore_hint=3, eval_func="evaluate_visibility")
    scalars = run(copy.deepcopy(cfgs), training=False)
    (content,) = results("parts").values()
    assert content["method"] == "VEN+"
    assert 0 < content["parts_error"] < 1 and scalars["scalar/test_visibility/parts_error"] == content["parts_error"]
    net = VisibilityEstimation(cfgs, True)
    before = net.network.parts.weight.clone()
    features = net.forward(net.inputs_pretreament(next(iter(net.train_loader))))["training_feat"]["seen"]
    assert features["true_parts"].shape == features["part_logits"].shape == (16, 16)
    loss, info = net.loss_aggregator({"seen": features})
    loss.backward()
    assert net.network.parts.weight.grad.abs().sum() > 0 and torch.equal(before, net.network.parts.weight)
    assert any("parts" in name for name in info)


@pytest.mark.parametrize(("backbone", "bins"), [(GAITBASE, [16]), (GAITGL, [32, 32]), (GAITSET, [16, 8, 4, 2, 1] * 2)],
                         ids=["GaitBase", "GaitGL", "GaitSet"])  # fmt: skip
def test_visibilities_of_any_backbones_parts_come_from_the_strips(data, stage, backbone, bins):
    losses = IDENTITY[:1] if backbone is GAITSET else IDENTITY
    if backbone is GAITGL:
        backbone = {**GAITGL, "channels": [4, 4, 4, 8]}  # it is deeper on GREW
    model_cfg = {**BASELINE1, "backbone": backbone, "init_from_teacher": False}
    net = OcclusionAware(asked(data, "b", model_cfg, losses, hint=0), False).eval()
    with torch.no_grad():
        sils = torch.rand(2, 6, 64, 44)
        found = net.network(sils).visibility
        strips = net.ven(sils).part_logits.sigmoid()
        parts = net.embed(sils).shape[2]
    assert found.shape == (2, parts) == (2, sum(bins))
    by_hand = []
    for count in bins:
        fine = strips.repeat_interleave(count, 1)  # 16 · count rows
        by_hand.append(fine.unflatten(1, (count, 16)).mean(2))
    torch.testing.assert_close(found, torch.cat(by_hand, 1))


def test_a_weighted_test_gives_both_results_and_they_are_those_of_the_embeddings(data, stage):
    cfgs = asked(data, "base1", BASELINE1, IDENTITY, hint=0)
    scalars = run(copy.deepcopy(cfgs), training=False)
    found = results("base1")
    assert set(found) == {"Baseline-1", "Baseline-1, weighted"}
    net = OcclusionAware(copy.deepcopy(cfgs), False)
    occluded = embedded(net, True)
    embeddings, seen = occluded.features["embeddings"], occluded.features["visibility"]
    everything = (*occluded.names.T, protocol("GREW"))
    for method, weights in (("Baseline-1", None), ("Baseline-1, weighted", Weights(seen, seen, 0.05))):
        expected = scores(evaluate_embeddings(embeddings, embeddings, *everything, weights=weights).headline)
        (test,) = found[method]["tests"]
        assert {name: score["mean"] for name, score in test["scores"].items()} == pytest.approx(expected)
    assert found["Baseline-1"]["protocol"].get("weighted") is None
    assert found["Baseline-1, weighted"]["protocol"]["weighted"]["epsilon"] == 0.05
    assert {"scalar/test_accuracy/Rank-1", "scalar/weighted_test_accuracy/Rank-1"} <= set(scalars)
    kept, holistic = found["Baseline-1"]["retention"], found["Baseline-1"]["holistic"]
    assert kept["Rank-1"] == pytest.approx(1) == holistic["own"]["Rank-1"] / holistic["teacher"]["Rank-1"]


def test_a_test_by_likelihood_learns_from_the_training_set_as_the_ven_sees_it(data, stage, capfd):
    asked_for = {"draws": 3, "dimensions": 5}
    cfgs = asked(data, "base1", BASELINE1, IDENTITY, hint=0)
    del cfgs["evaluator_cfg"]["weighted"]
    cfgs["evaluator_cfg"]["likelihood"] = asked_for
    scalars = run(copy.deepcopy(cfgs), training=False)
    found = results("base1")
    assert set(found) == {"Baseline-1", "Baseline-1, likelihood", "Baseline-1, likelihood of persons"}
    net = OcclusionAware(copy.deepcopy(cfgs), False).eval()
    # By hand: every sequence of the training set, whole and as the VEN's kinds hide it.
    partition = json.loads(Path(cfgs["data_cfg"]["dataset_partition"]).read_text())
    root = Path(cfgs["data_cfg"]["dataset_root"])
    paths = sorted(p for name in partition["TRAIN_SET"] for p in root.glob(f"{name}/*/*/*.pkl"))
    stored = [pickle.loads(p.read_bytes()) for p in paths]
    kinds, who = net.ven_spec.kinds, np.array([p.parts[-4] for p in paths])

    def features(clips):
        with torch.no_grad():
            each = [net.compared(net.network(clip[None])) for clip in clips]
        return [np.concatenate([one[k].numpy() for one in each]) for k in ("embeddings", "seen_kind")]

    def hidden(clip, seed):
        sils = torch.from_numpy(clip)[None].float() / 255
        plan = kinds.sample([content_rng(clip, seed)], [np.arange(len(clip))], *clip.shape[1:])
        return apply_occlusion(sils, plan)[0]

    whole = features([torch.from_numpy(clip).float() / 255 for clip in stored])
    fit = PLDAFit(whole[0], who, len(kinds.classes), "euc", Likelihood(**asked_for))
    fit.add(whole[0], who, whole[1])
    for seed in range(3):
        embeddings, classes = features([hidden(clip, seed) for clip in stored])
        fit.add(embeddings, who, classes)
    seen = embedded(net, True)
    told = fit.model().statistics(seen.features["embeddings"], seen.features["seen_kind"])
    everything = (seen.features["embeddings"], seen.features["embeddings"], *seen.names.T, protocol("GREW"))
    for method, persons in (("Baseline-1, likelihood", False), ("Baseline-1, likelihood of persons", True)):
        expected = scores(evaluate_embeddings(*everything, weights=PLDAMatching(told, told, persons)).headline)
        (test,) = found[method]["tests"]
        assert {k: score["mean"] for k, score in test["scores"].items()} == pytest.approx(expected, abs=1)
        how = found[method]["protocol"]["likelihood"]
        assert how == {"draws": 3, "dimensions": 5, "shrinkage": 1.0, "persons": persons}
    assert {"scalar/likelihood_test_accuracy/Rank-1", "scalar/persons_test_accuracy/Rank-1"} <= set(scalars)
    assert "likelihood: 6 subjects to learn from" in capfd.readouterr().out


def test_a_mimic_trains_and_tests_on_registered_clips(data, stage):
    model_cfg = {**MIMIC, "register": True}
    cfgs = asked(data, model_cfg=model_cfg)
    run(copy.deepcopy(cfgs), training=True)
    run(copy.deepcopy(cfgs), training=False)
    assert set(results("mimic")) == {
        "Mimic + VEN+, registered, clean clips",
        "Mimic + VEN+, registered, clean clips, weighted",
    }
    net = MimicGait(copy.deepcopy(cfgs), True)
    inputs = net.inputs_pretreament(next(iter(net.train_loader)))
    clips, seqL = inputs[0], inputs[4]
    registered, _ = net.network.guide(clips.occluded, seqL)
    assert registered.shape == clips.occluded.shape and not torch.equal(registered, clips.occluded)
    with torch.no_grad():
        net.eval()
        expected = net.fusion(net.backbone(registered, seqL), net.ven(clips.occluded, seqL).feature)
        torch.testing.assert_close(net.embed(clips.occluded, seqL), expected)


@pytest.mark.parametrize("sample_type", ["fixed_unordered", "unfixed_ordered"])
def test_the_residual_corrects_the_frozen_teacher_as_far_as_something_is_hidden(data, stage, sample_type):
    cfgs = configuration(data, "residual", RESIDUAL, IDENTITY, CUT, sample_type)
    net = ResidualGait(copy.deepcopy(cfgs), True)
    teacher = net.holistic.network
    assert torch.equal(net.neck.weight, teacher.model.BNNecks.fc_bin), "the classifier starts as the teacher's"
    inputs = net.inputs_pretreament(next(iter(net.train_loader)))
    features = net.forward(inputs)["training_feat"]
    assert set(features) == {"triplet", "softmax"}
    loss, _ = net.loss_aggregator(features)
    loss.backward()
    assert net.fusion.weight.grad.abs().sum() > 0 and all(p.grad is None for p in net.holistic.parameters())
    net.eval()
    sils = inputs[0].occluded
    with torch.no_grad():
        seen = net.ven(sils, inputs[4])
        residual = net.fusion(net.backbone(sils, inputs[4]), seen.feature)
        expected = seen.amount[:, None, None] * residual + teacher(sils, inputs[4])
        torch.testing.assert_close(net.embed(sils, inputs[4]), expected)
        net.ven.network.amount.bias.data[0] = 1e4  # all of the distribution on the first bin: nothing is hidden
        torch.testing.assert_close(net.embed(sils, inputs[4]), teacher(sils, inputs[4]))


def test_a_trained_residual_and_a_registered_mimic_work_without_a_host(data, stage):
    for name, model_cfg, losses in (("residual", RESIDUAL, IDENTITY), ("mimic", {**MIMIC, "register": True}, MICKD)):
        cfgs = asked(data, name, model_cfg, losses)
        run(copy.deepcopy(cfgs), training=True)
        net = {"residual": ResidualGait, "mimic": MimicGait}[name](copy.deepcopy(cfgs), False)
        net.load_state_dict(torch.load(next(Path("output").rglob(f"{name}-00003.pt")), weights_only=True)["model"])
        model = load(next(Path("output").rglob(f"{name}-00003.pt")))
        assert model.weighted == 0.05
        clip = (torch.rand(1, 7, 64, 44, generator=torch.Generator().manual_seed(1)) > 0.5).float()
        clip = apply_occlusion(
            clip, net.occlusion["trainer_cfg"].mixture.sample([np.random.default_rng(0)], [np.arange(7)], 64, 44)
        )
        with torch.no_grad():
            expected = net.eval().compared(net.network(clip))
        found = model.embed(clip.numpy())
        np.testing.assert_allclose(found.embeddings, expected["embeddings"], atol=1e-5)
        np.testing.assert_allclose(found.visibility, expected["visibility"], atol=1e-6)
        if not CAN_EXPORT:  # an older torch, with which nothing is exported
            continue
        told = write_export(model, Path(f"{name}.pt2"), 44)
        assert told.endswith("embeddings, kind_logits, amount, visibility")
        exported = torch.export.load(f"{name}.pt2").module()(torch.cat([clip, clip, clip]))
        np.testing.assert_allclose(exported[0][1].detach(), found.embeddings[0], atol=1e-5)


@pytest.mark.parametrize(("change", "message"), [
    ({"model_cfg": {"ven": None, "register": True}}, "model_cfg: register: needs a ven .* there is no ven"),
    ({"model_cfg": {"ven": "ven.yaml"}}, "evaluator_cfg: weighted: needs a ven with the tasks parts; its tasks are"),
    ({"model_cfg": {"register": 1}}, "register: 1 is not true or false"),
    ({"evaluator_cfg": {"likelihood": {"draw": 1}}}, "did you mean 'draws'"),
    ({"evaluator_cfg": {"weighted": {"epsilom": 1}}}, "did you mean 'epsilon'"),
    ({"evaluator_cfg": {"eval_func": "evaluate_real_scene"}}, "weighted: needs eval_func evaluate_recognition"),
    ({"model_cfg": {**RESIDUAL, "ven": None}, "evaluator_cfg": {"weighted": False}}, "ResidualGait: needs a ven"),
])  # fmt: skip
def test_what_is_missing_is_said_before_anything_runs(data, stage, change, message):
    cfgs = asked(data, losses=IDENTITY)
    for section, values in change.items():
        cfgs[section].update(values)
    Path("run.yaml").write_text(yaml.safe_dump(cfgs))
    with pytest.raises(ConfigError, match=message):
        check("run.yaml", "embedded", "train")
