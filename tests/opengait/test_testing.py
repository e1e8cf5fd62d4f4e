"""Tests of our models on the embedded host: against a slow twin, clip by clip, and what the result file says."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from narrow import GAITBASE, IDENTITY, KINDS, MICKD, SEEN, VEN, configuration

from opengait_mimic.errors import CheckpointError, ConfigError, DataError
from opengait_mimic.evaluation.protocols import protocol
from opengait_mimic.evaluation.recognition import evaluate_embeddings, scores
from opengait_mimic.evaluation.results import read_result
from opengait_mimic.method.occlusion import apply_occlusion, content_rng, mixture
from opengait_mimic.opengait.activation import activate
from opengait_mimic.opengait.config.check import check
from opengait_mimic.opengait.config.reading import read_yaml
from opengait_mimic.opengait.process.loading import WatchedLoader

activate("embedded")

from evaluation import evaluator  # noqa: E402
from main import run  # noqa: E402
from modeling.base_model import BaseModel  # noqa: E402
from utils import init_seeds  # noqa: E402

from opengait_mimic.opengait.models import MimicGait, OcclusionAware, VisibilityEstimation, embedding  # noqa: E402

MIMIC = {"model": "MimicGait", "backbone": "teacher.yaml", "ven": "ven.yaml"}
AWARE = {"model": "OcclusionAware", "backbone": "teacher.yaml"}
NEW = ["middle"]
TAR = ("TAR@0.1", "TAR@0.01", "TAR@0.001")
SCORES = ("Rank-1", "Rank-5", "Rank-10", "Rank-20", "mAP", "mINP", *TAR)


def asked(
    data, name="mimic", model_cfg=MIMIC, losses=MICKD, kinds=KINDS, hint=3, seed=None, eval_func=None, **occluded
):
    cfgs = configuration(data, name, copy.deepcopy(model_cfg), losses, kinds)
    cfgs["evaluator_cfg"].update(restore_hint=hint, eval_func=eval_func or "evaluate_recognition", occluded=occluded)
    if seed is not None:
        cfgs["evaluator_cfg"]["transform"][0]["trf_cfg"][-1]["seed"] = seed
    return cfgs


@pytest.fixture(scope="session")
def second_stage(data, first_stage, tmp_path_factory):
    """The first stage's folder with a mimic trained for three iterations."""
    folder = tmp_path_factory.mktemp("second-stage")
    shutil.copytree(first_stage, folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run(asked(data), training=True)
    return folder


@pytest.fixture
def mimic(second_stage, here):
    """The working directory, with teacher, VEN and mimic."""
    shutil.copytree(second_stage, here, dirs_exist_ok=True)
    return here


def outcome(cfgs) -> tuple[dict, dict, dict]:
    """Run a test; the scalars it returns (but those of its speed), its result file, and the arrays beside."""
    scalars = {k: v for k, v in run(copy.deepcopy(cfgs), training=False).items() if "throughput" not in k}
    (path,) = Path("output").rglob(f"results/{cfgs['evaluator_cfg']['save_name']}-*.json")
    arrays = {}
    if path.with_suffix(".npz").is_file():
        with np.load(path.with_suffix(".npz")) as stored:
            arrays = dict(stored)
    return scalars, read_result(path), arrays


class Twin:
    """The test set, read and embedded clip by clip, without a loader."""

    def __init__(self, data, network):
        root = Path(data["dataset_root"])
        subjects = json.loads(Path(data["dataset_partition"]).read_text())["TEST_SET"]
        paths = sorted(p for s in subjects for p in (root / s).glob("*/*/*.pkl"))
        self.names = [p.parts[-4:-1] for p in paths]
        self.clips = [pickle.loads(p.read_bytes()) for p in paths]
        self.network = network

    @torch.no_grad()
    def embed(self, kinds=None, seed=0, network=None) -> np.ndarray:
        found = []
        for clip in self.clips:
            sils = torch.from_numpy(clip)[None].float() / 255
            if kinds is not None:
                plan = mixture(kinds).sample([content_rng(clip, seed)], [np.arange(len(clip))], 64, 44)
                sils = apply_occlusion(sils, plan)
            found.append((network or self.network)(sils)[0].numpy())
        return np.stack(found)

    def scores(self, probe, gallery) -> dict:
        return scores(evaluate_embeddings(probe, gallery, *zip(*self.names, strict=True), protocol("GREW")).headline)


@pytest.mark.parametrize(
    ("who", "severity", "looks"),
    # 16 of the 24 clips are probes
    [("probe", None, 24 + 3 * 16), ("gallery", None, 24 + 3 * 8), ("both", None, 24 + 3 * 24),
     ("both", [0.2, 0.4], 24 + 3 * 24 + 2 * 3 * 16)],
)  # fmt: skip
def test_no_clip_is_embedded_whose_embedding_nothing_is_compared_with(data, mimic, monkeypatch, who, severity, looks):
    seen, forward = [], MimicGait.forward
    monkeypatch.setattr(MimicGait, "forward", lambda self, inputs: seen.append(1) or forward(self, inputs))
    outcome(asked(data, who=who, repeats=3, **({"severity": severity} if severity else {})))
    assert len(seen) == looks


@pytest.mark.parametrize(
    ("who", "gallery_by"), [("both", "network"), ("probe", "network"), ("gallery", "network"), ("probe", "teacher")]
)
def test_every_score_is_that_of_a_slow_twin(data, mimic, who, gallery_by):
    more = {"severity": [0.3], "generalizability": {"new": NEW}} if who == "both" else {}
    cfgs = asked(data, seed=5, who=who, gallery_by=gallery_by, repeats=2, **more)
    _, result, _ = outcome(cfgs)
    network = MimicGait(cfgs, training=False)
    teacher = network.reference_network()
    twin = Twin(data, lambda sils: network.embed(sils))
    assert len(twin.names) == 24
    own, hp = twin.embed(), twin.embed(network=teacher)
    whole_gallery = hp if gallery_by == "teacher" else own
    assert result["holistic"]["own"] == pytest.approx(twin.scores(own, whole_gallery))
    assert result["holistic"]["teacher"] == pytest.approx(twin.scores(hp, hp))

    kinds = {"occluded": KINDS, "0.3": [{**k, "amount": 0.3} for k in KINDS], "new": NEW}
    assert [test["name"] for test in result["tests"]] == list(kinds)[: 1 + len(more)]
    for test in result["tests"]:
        expected = []
        for seed in (5, 6):
            occluded = twin.embed(kinds[test["name"]], seed)
            probe = own if who == "gallery" else occluded
            is_whole = who == "probe" or test["protocol"] == "severity"
            expected.append(twin.scores(probe, whole_gallery if is_whole else occluded))
        for name, score in test["scores"].items():
            assert score["values"] == pytest.approx([e[name] for e in expected])
            assert score["mean"] == pytest.approx(np.mean(score["values"]))
            assert score["HP"] == result["holistic"]["teacher"][name]
            assert score["RP"] == (pytest.approx(score["mean"] / score["HP"]) if score["HP"] else None)
        values = [v for score in test["scores"].values() for v in score["values"]]
        assert len(set(values)) > 2, "the draws differ"
        assert (test["by_kind"] == {}) == (who == "gallery")


class TestLoading:
    @pytest.fixture
    def loads(self, monkeypatch):
        """How often the test set was loaded, clip by clip."""
        counted = []
        original = MimicGait.holistic_batch

        def whole(self, inputs):
            counted.append(inputs[0][0][0].shape)
            return original(self, inputs)

        monkeypatch.setattr(MimicGait, "holistic_batch", whole)
        return counted

    def test_each_clip_is_loaded_once_for_all_tests(self, data, mimic, loads):
        outcome(asked(data, repeats=2, severity=[0.2]))
        assert len(loads) == 24

    def test_in_little_memory_it_is_loaded_again_and_nothing_changes(self, data, mimic, loads, monkeypatch):
        cfgs = asked(data, repeats=2)  # own, teacher and two draws: four passes
        _, once, arrays = outcome(cfgs)
        loads.clear()
        monkeypatch.setattr(embedding, "KEPT_AT_ONCE", 24 * 4 * 8 * 16 * 3)  # three passes of 8 × 16 floats
        _, twice, again = outcome(cfgs)
        assert len(loads) == 2 * 24
        assert twice == once and set(arrays) == set(again)
        assert all((arrays[name] == again[name]).all() for name in arrays)
        monkeypatch.setattr(embedding, "KEPT_AT_ONCE", 1)
        loads.clear()
        assert outcome(cfgs)[1] == once
        assert len(loads) == 4 * 24

    def test_types_that_are_not_there_are_named_before_any_clip_is_loaded(self, data, mimic, loads):
        cfgs = asked(data)
        cfgs["evaluator_cfg"].update(gallery=["01"], probe=["nm"])
        with pytest.raises(DataError, match="no probe type 'nm' in the test set; types in the test set: 01, 02"):
            outcome(cfgs)
        assert loads == []

    def test_neither_the_order_nor_clips_repeated_to_fill_a_batch_change_anything(self, data, mimic, monkeypatch):
        cfgs = asked(data, severity=[0.3])
        _, expected, arrays = outcome(cfgs)
        original = MimicGait.get_loader

        def get_loader(self, data_cfg, train=True):
            loader = original(self, data_cfg, train)
            batches = list(loader.batch_sampler)
            return WatchedLoader.like(loader, loader.dataset, [*batches[::-1], *batches[:5]])

        monkeypatch.setattr(MimicGait, "get_loader", get_loader)
        _, found, again = outcome(cfgs)
        assert found == expected
        assert all((arrays[name] == again[name]).all() for name in arrays)


class TestHolisticPerformance:
    def test_hp_is_the_teachers_own_test(self, data, mimic):
        teacher = read_yaml("teacher.yaml")
        teacher["evaluator_cfg"]["eval_func"] = "evaluate_recognition"
        teacher["evaluator_cfg"]["sampler"]["batch_size"] = 1
        alone = run(teacher, training=False)
        scalars, result, _ = outcome(asked(data))
        assert set(result["holistic"]["teacher"]) == set(SCORES)
        for name, hp in result["holistic"]["teacher"].items():
            assert hp == alone[f"scalar/test_accuracy/{name}"]
            assert scalars[f"scalar/HP/{name}"] == hp

    def test_without_the_teachers_checkpoint_there_is_neither_hp_nor_rp(self, data, mimic):
        shutil.rmtree("output/GREW/Baseline")
        scalars, result, arrays = outcome(asked(data))
        assert result["teacher"] is None and result["holistic"]["teacher"] is None
        assert not [name for name in scalars if "HP" in name or "RP" in name]
        assert "holistic/teacher" not in arrays
        with pytest.raises(ConfigError, match="gallery_by: the teacher's checkpoint is not there"):
            outcome(asked(data, who="probe", gallery_by="teacher"))

    def test_an_eval_function_of_the_host_has_rp_too(self, data, mimic):
        scalars, result, arrays = outcome(asked(data, eval_func="evaluate_real_scene", repeats=2))
        (test,) = result["tests"]
        assert list(test["scores"]) == list(result["holistic"]["own"]) == ["Rank-1", "Rank-5"]
        for name, score in test["scores"].items():
            assert score["RP"] == pytest.approx(score["mean"] / score["HP"]) and score["RP_interval"] is None
            assert scalars[f"scalar/RP/{name}"] == score["RP"]
        assert result["probes"] is None and arrays == {}
        assert result["protocol"]["eval_func"] == "evaluate_real_scene"
        # to two decimals it is our own protocol's
        ours = outcome(asked(data, repeats=2))[1]["tests"][0]["scores"]["Rank-1"]
        assert test["scores"]["Rank-1"]["values"] == pytest.approx(ours["values"], abs=0.006)

    @pytest.mark.parametrize("apart", [{"who": "probe"}, {"severity": [0.4]}])
    def test_an_eval_function_of_the_host_cannot_tell_probes_from_galleries(self, data, mimic, apart):
        with pytest.raises(ConfigError, match="need eval_func evaluate_recognition"):
            outcome(asked(data, eval_func="evaluate_real_scene", **apart))

    def test_what_an_eval_function_has_no_number_for_is_left_out(self, data, mimic, monkeypatch):
        def partly(data, dataset):
            return {"scalar/a": 50.0, "scalar/none": np.float32("nan"), "scalar/table": np.ones((2, 2))}

        monkeypatch.setattr(evaluator, "partly", partly, raising=False)
        _, result, _ = outcome(asked(data, eval_func="partly"))
        assert result["holistic"]["own"] == {"a": 50.0} and list(result["tests"][0]["scores"]) == ["a"]

    def test_a_network_that_has_diverged_is_refused_and_leaves_no_result(self, data, mimic):
        path = Path("output/GREW/MimicGait/mimic/checkpoints/mimic-00003.pt")
        state = torch.load(path, weights_only=True)
        state["model"]["fusion.weight"].fill_(float("nan"))
        torch.save(state, path)
        with pytest.raises(DataError, match="the network has diverged"):
            outcome(asked(data))
        assert not list(Path("output").rglob("results/*.json"))


class TestResultFile:
    def test_it_says_what_was_tested_and_how(self, data, mimic):
        cfgs = asked(data, seed=4, repeats=2, severity=[0.4], generalizability={"new": NEW},
                     adaptability={"old": ["top"]})  # fmt: skip
        cfgs["trainer_cfg"]["seed"] = 2
        scalars, result, _ = outcome(cfgs)
        assert result["format"] == 1 and result["kind"] == "recognition"
        assert set(result["versions"]) == {"opengait-mimic", "python", "torch", "numpy"}
        assert result["host"] == "embedded" and result["seed"] == 2
        assert result["config"] == json.loads(json.dumps(cfgs)), "as in the YAML"
        for key, name, more in (
            ("checkpoint", "MimicGait/mimic", {"iteration": 3}),
            ("teacher", "Baseline/teacher", {}),
        ):
            path = Path(f"output/GREW/{name}/checkpoints/{name.partition('/')[2]}-00003.pt")
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            assert result[key] == {"path": str(path), "sha256": digest, **more}
        assert (result["dataset"], result["backbone"], result["method"]) == ("GREW", "GaitBase", "Mimic + VEN")
        assert result["protocol"] == {
            "metric": "euc", "eval_func": "evaluate_recognition", "who": "both", "gallery_by": "network",
            "repeats": 2, "seeds": [4, 5], "level": 0.95,
        }  # fmt: skip
        assert result["trained_kinds"] == ["top", "bottom", "moving_patch", "moving_pole"]
        assert set(result["holistic"]) == {"own", "teacher"} and set(result["holistic"]["own"]) == set(SCORES)

        found = [(t["name"], t["protocol"], t["zero_shot"]) for t in result["tests"]]
        assert found == [("occluded", "standard", False), ("0.4", "severity", False), ("new", "generalizability", True),
                         ("old", "adaptability", False)]  # fmt: skip
        for test in result["tests"]:
            assert set(test) == {
                "name", "protocol", "kinds", "zero_shot", "scores", "conditions", "by_kind", "by_amount", "cmc", "roc",
            }  # fmt: skip
            assert set(test["scores"]) == set(SCORES) and test["conditions"] == {}
            assert sum(part["probes"] for part in test["by_kind"].values()) == 16
            clean = test["by_kind"].get("clean", {"probes": 0})["probes"]
            assert sum(part["probes"] for part in test["by_amount"]) == 16 - clean
            assert test["cmc"][0] == pytest.approx(test["scores"]["Rank-1"]["mean"]) and len(test["cmc"]) == 8
            assert len(test["roc"]["far"]) == len(test["roc"]["tar"]) <= 200
            for score in test["scores"].values():
                assert len(score["values"]) == 2 and score["sd"] >= 0
                assert score["interval"][0] <= score["mean"] <= score["interval"][1]
                if score["RP"] is not None:
                    assert score["RP_interval"][0] <= score["RP"] <= score["RP_interval"][1]
        assert result["tests"][0]["kinds"] == KINDS and result["tests"][2]["kinds"] == NEW
        assert set(result["tests"][2]["by_kind"]) == {"middle"}
        assert scalars["scalar/test_accuracy/Rank-1"] == result["tests"][0]["scores"]["Rank-1"]["mean"]
        assert result["probes"] == "mimic-00003.npz"

    def test_the_arrays_add_up_to_the_scores(self, data, mimic):
        _, result, arrays = outcome(asked(data, repeats=3, severity=[0.7]))
        assert set(arrays) == {"names", "weights", "holistic/own", "holistic/teacher", "occluded/hits", "0.7/hits"}
        assert arrays["weights"].sum() == pytest.approx(1)
        assert len(set(arrays["names"])) == 16 and all(name.split("/")[1] == "02" for name in arrays["names"])
        ranks = ["Rank-1", "Rank-5", "Rank-10", "Rank-20"]
        expected = {f"{t['name']}/hits": [t["scores"][r]["mean"] for r in ranks] for t in result["tests"]}
        expected |= {f"holistic/{k}": [v[r] for r in ranks] for k, v in result["holistic"].items()}
        for name, percent in expected.items():
            assert arrays[name].shape == (16, 4)
            assert 100 * arrays["weights"] @ arrays[name] == pytest.approx(percent, abs=1e-4)

    def test_without_an_occlusion_the_holistic_test_remains(self, data, mimic):
        cfgs = asked(data)
        cfgs["evaluator_cfg"]["transform"][0]["trf_cfg"].pop()
        scalars, result, _ = outcome(cfgs)
        assert result["tests"] == [] and result["protocol"]["seeds"] == []
        assert scalars == {f"scalar/test_accuracy/{name}": v for name, v in result["holistic"]["own"].items()}

    def test_a_test_on_the_way_of_a_training_has_its_result_too(self, data, trained):
        cfgs = asked(data, repeats=2)
        cfgs["trainer_cfg"].update(with_test=True, save_iter=1, total_iter=2)
        run(copy.deepcopy(cfgs), training=True)
        found = {p.name: read_result(p) for p in Path("output").rglob("results/*.json")}
        assert set(found) == {"mimic-00001.json", "mimic-00002.json"}
        for number, result in enumerate(found[name] for name in sorted(found)):
            assert result["checkpoint"]["iteration"] == number + 1
            assert result["checkpoint"]["path"].endswith(f"mimic-0000{number + 1}.pt")

    def test_a_checkpoint_named_by_its_path(self, data, mimic):
        expected = outcome(asked(data))[1]["tests"]
        path = Path("output/GREW/MimicGait/mimic/checkpoints/mimic-00003.pt").rename("elsewhere.pt")
        shutil.rmtree("output/GREW/MimicGait")
        result = outcome(asked(data, hint=str(path)))[1]
        assert result["checkpoint"]["path"] == "elsewhere.pt" and result["tests"] == expected


class TestBaseline1:
    def cfgs(self, data, **occluded):
        return asked(data, "baseline1", {**AWARE, "init_from_teacher": True}, IDENTITY, hint=0, **occluded)

    def test_it_is_the_teachers_weights(self, data, trained):
        _, result, arrays = outcome(self.cfgs(data, repeats=2))
        assert result["method"] == "Baseline-1"
        assert result["holistic"]["own"] == result["holistic"]["teacher"]
        assert (arrays["holistic/own"] == arrays["holistic/teacher"]).all()
        assert result["checkpoint"] is None and result["teacher"]["path"].endswith("teacher-00003.pt")
        assert result["tests"][0]["scores"]["mAP"]["mean"] < result["holistic"]["own"]["mAP"]

    def test_it_was_trained_on_no_kind(self, data, trained):
        _, result, _ = outcome(self.cfgs(data, generalizability={"new": NEW, "top": ["top"]}))
        assert result["trained_kinds"] == [] and all(test["zero_shot"] for test in result["tests"])
        with pytest.raises(ConfigError, match="adaptability: top: the network was not trained on top"):
            outcome(self.cfgs(data, adaptability={"top": ["top"]}))

    def test_without_the_teachers_weights_it_would_be_noise(self, data, trained):
        cfgs = asked(data, "baseline1", AWARE, IDENTITY, hint=0)
        Path("b.yaml").write_text(yaml.safe_dump(cfgs))
        with pytest.raises(ConfigError, match="restore_hint: 0 tests an untrained network.*init_from_teacher: true"):
            check("b.yaml", "embedded", "test")
        Path("b.yaml").write_text(yaml.safe_dump(self.cfgs(data)))
        check("b.yaml", "embedded", "test")
        shutil.rmtree("output/GREW/Baseline")
        with pytest.raises(CheckpointError, match="the teacher's checkpoint is missing"):
            check("b.yaml", "embedded", "test")


def test_what_a_network_was_trained_on_is_what_its_training_says(data, mimic):
    cfgs = asked(data)
    cfgs["trainer_cfg"]["transform"][0]["trf_cfg"][-1]["kinds"] = ["bottom", {"kind": "bottom", "refit": True}]
    _, result, _ = outcome(cfgs)
    assert result["trained_kinds"] == ["bottom"] and result["tests"][0]["zero_shot"]


class TestTasks:
    """A VEN may have one task only; the other head is then neither there, nor trained, nor told of."""

    def cfgs(self, data, tasks):
        cfgs = asked(data, "one", {**VEN, "tasks": tasks}, SEEN, eval_func="evaluate_visibility")
        Path("one.yaml").write_text(yaml.safe_dump(cfgs))
        return cfgs

    @pytest.mark.parametrize(
        ("task", "other", "method"),
        [("classification", "amount", "Occlusion Aware"), ("regression", "kind", "VEN (regression)")],
    )
    def test_one_task_trains_is_tested_and_guides(self, data, trained, task, other, method):
        cfgs = self.cfgs(data, [task])
        run(copy.deepcopy(cfgs), training=True)
        weights = torch.load("output/GREW/VisibilityEstimation/one/checkpoints/one-00003.pt", weights_only=True)[
            "model"
        ]
        heads = {name.split(".")[1] for name in weights} - {"frames"}
        assert heads == {"kind", "amount"} - {other}
        scalars, result, arrays = outcome(cfgs)
        assert result["kind"] == "visibility" and result["method"] == method and arrays == {}
        assert result["classes"] == ["clean", "top", "bottom", "moving_patch", "moving_pole"]
        if task == "classification":
            assert np.sum(result["confusion"]) == 24 and np.shape(result["confusion"]) == (5, 5)
            assert result["accuracy"] == pytest.approx(100 * np.trace(result["confusion"]) / 24)
            assert result["amount_error"] is None and result["amount_error_by_kind"] is None
            assert set(scalars) >= {"scalar/test_visibility/accuracy"}
        else:
            assert result["confusion"] is None and result["accuracy"] is None
            assert 0 < result["amount_error"] < 1 and len(result["amount_error_by_kind"]) == 5
            assert list(scalars) == ["scalar/test_visibility/amount_error"]

        guided = asked(data, "guided", {**MIMIC, "ven": "one.yaml"})
        run(copy.deepcopy(guided), training=True)
        assert outcome(guided)[1]["method"] == f"Mimic + {method}"

    def test_both_tasks(self, data, trained):
        cfgs = read_yaml("ven.yaml")
        scalars, result, _ = outcome(cfgs)
        assert result["method"] == "VEN" and result["accuracy"] == scalars["scalar/test_visibility/accuracy"]
        assert result["amount_error"] == scalars["scalar/test_visibility/amount_error"]
        drawn = np.sum(result["confusion"], axis=1) > 0
        assert [error is not None for error in result["amount_error_by_kind"]] == drawn.tolist()
        assert result["checkpoint"]["path"].endswith("ven-00003.pt") and result["dataset"] == "GREW"

    def test_it_agrees_with_the_hosts_way_of_testing(self, data, trained):
        cfgs = read_yaml("ven.yaml")
        model = VisibilityEstimation(cfgs, training=False)
        assert BaseModel.run_test(model) == pytest.approx(outcome(cfgs)[0])

    def test_a_checkpoint_with_other_tasks_is_refused(self, data, trained):
        ven = read_yaml("ven.yaml")
        ven["model_cfg"]["tasks"] = ["regression"]
        Path("ven.yaml").write_text(yaml.safe_dump(ven))
        with pytest.raises(CheckpointError, match="not a checkpoint of this VEN.*2 unknown.*kind.weight"):
            MimicGait(asked(data), training=True)


class TestSeeds:
    """`trainer_cfg.seed` says which repetition of a training it is."""

    def start(self, data, seed):
        cfgs = asked(data, "aware", {"model": "OcclusionAware", "backbone": GAITBASE}, IDENTITY)
        if seed is not None:
            cfgs["trainer_cfg"]["seed"] = seed
        init_seeds(0)
        model = OcclusionAware(cfgs, training=True)
        clips, labels, *_ = model.inputs_pretreament(next(iter(model.train_loader)))
        weights = torch.cat([p.detach().flatten() for p in model.parameters()])
        return weights, labels, clips.kind, clips.amount[clips.amount > 0]

    def test_without_one_and_with_0_a_training_starts_as_the_host_starts_it(self, data, here):
        for a, b in zip(self.start(data, None), self.start(data, 0), strict=True):
            assert torch.equal(a, b)

    def test_each_starts_from_other_weights_and_draws_other_clips_and_occlusions(self, data, here):
        first, second, third = (self.start(data, seed) for seed in (0, 1, 2))
        for a, b in ((first, second), (first, third), (second, third)):
            for ours, theirs in zip(a, b, strict=True):
                assert ours.shape != theirs.shape or not torch.equal(ours, theirs)

    @pytest.mark.parametrize("seed", [-1, 1.5, True, "1"])
    def test_what_is_no_seed_is_refused(self, data, here, seed):
        with pytest.raises(ConfigError, match="trainer_cfg: seed: .* is not a whole number from 0"):
            self.start(data, seed)
