"""Loading a trained model, and what it makes of clips."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from commands import checkout, environment, opengait_mimic
from narrow import GAITBASE

from opengait_mimic.apps.inference import Model, load
from opengait_mimic.apps.inference.network import build_network
from opengait_mimic.apps.inference.silhouettes import as_clips, prepare
from opengait_mimic.data.read import read_array
from opengait_mimic.errors import CheckpointError, ConfigError, DataError
from opengait_mimic.opengait.description import (
    Description,
    beside,
    describe_checkpoint,
    describe_yaml,
    fingerprint,
    from_json,
    to_json,
)

CHECKPOINTS = {
    "teacher": ("Baseline", "teacher"),
    "mimic": ("MimicGait", "mimic"),
    "vanilla": ("MimicGait", "vanilla"),
    "aware": ("OcclusionAware", "aware"),
}
MIMIC = "output/GREW/MimicGait/mimic"


def clips(folder, count=3):
    """Test clips of different lengths, uint8."""
    files = sorted((folder / "sils").glob("*/02/*/*.pkl"))[:count]
    return [read_array(file)[i:] for i, file in enumerate(files)]


def host_model(name, folder, **changes):
    """The host's own model of a run, as it tests."""
    from modeling import models

    cfgs = yaml.safe_load((folder / f"{name}.yaml").read_text())
    return getattr(models, cfgs["model_cfg"]["model"])(cfgs, training=False)


@torch.no_grad()
def by_host(model, clip):
    sils = torch.from_numpy(clip)[None].float() / 255
    if hasattr(model, "embed"):
        return model.embed(sils)[0].numpy()
    return model(([sils], torch.zeros(1, dtype=torch.long), None, None, None))["inference_feat"]["embeddings"][
        0
    ].numpy()


class TestLoad:
    @pytest.mark.parametrize("name", CHECKPOINTS)
    def test_embeds_as_the_host_does_at_test(self, run, name):
        model, host = load(Path("output/GREW", *CHECKPOINTS[name])), host_model(name, run)
        found = model.embed(clips(run))
        for clip, embedding in zip(clips(run), found.embeddings, strict=True):
            np.testing.assert_allclose(embedding, by_host(host, clip), atol=1e-6)

    @pytest.mark.parametrize("backbone", ["GaitGL", "DeepGaitV2", "GaitSet"])
    def test_every_backbone_embeds_as_its_host_does(self, runs, backbone, monkeypatch):
        folder = runs(backbone)
        monkeypatch.chdir(folder)
        mimic, host = load(MIMIC), host_model("mimic", folder)
        clip = clips(folder)[1]
        np.testing.assert_allclose(mimic.embed(clip).embeddings[0], by_host(host, clip), atol=1e-6)
        teacher = f"output/GREW/{backbone}/teacher"
        assert load(teacher).embed(clip).embeddings.shape == (1, *mimic.embed(clip).embeddings.shape[1:])

    def test_tells_what_the_ven_sees(self, run):
        host, clip = host_model("mimic", run), clips(run)[0]
        with torch.no_grad():
            seen = host.ven(torch.from_numpy(clip)[None].float() / 255, None)
        found = load(MIMIC).embed(clip)
        kinds = ("clean", "top", "bottom", "moving_patch", "moving_pole")
        assert found.kind == (kinds[seen.logits.argmax()],)
        assert found.amount == pytest.approx(seen.amount.numpy(), abs=1e-6)

    @pytest.mark.parametrize("name", ["teacher", "vanilla"])
    def test_says_nothing_of_visibility_without_a_ven(self, run, name):
        found = load(Path("output/GREW", *CHECKPOINTS[name])).embed(clips(run))
        assert found.kind is None and found.amount is None

    @pytest.mark.parametrize("task", ["classification", "regression"])
    def test_says_what_a_ven_of_one_task_knows(self, task):
        ven = {"channels": [2, 2, 4], "feature": 3, "tasks": [task]}
        described = Description("MimicGait", GAITBASE, "GREW", ven, ("clean", "top"))
        network = build_network(described, (16, 11, 8)).eval()
        found = Model(described, network, torch.device("cpu")).embed(np.zeros((2, 5, 64, 44), np.uint8))
        assert (found.kind is None) == (task == "regression") and (found.amount is None) == (task == "classification")
        assert len(found.kind if found.amount is None else found.amount) == 2

    def test_a_yaml_describes_a_checkpoint_on_its_own_from_any_folder(self, run, tmp_path, monkeypatch):
        alone = tmp_path / "x.pt"
        shutil.copy(f"{MIMIC}/checkpoints/mimic-00003.pt", alone)
        monkeypatch.chdir(tmp_path)
        model = load("x.pt", config=run / "mimic.yaml")
        assert model.fingerprint == load(run / MIMIC).fingerprint

    def test_a_folder_gives_its_latest_checkpoint(self, run, tmp_path):
        for suffix in (".pt", ".network.json"):
            source = f"{MIMIC}/checkpoints/mimic-00003{suffix}"
            for iteration in ("00003", "00012", "100000"):
                shutil.copy(source, tmp_path / f"mimic-{iteration}{suffix}")
        (tmp_path / "mimic-00012.pt").write_bytes(b"torn")
        (tmp_path / "mimic-100000.state.pt").write_bytes(b"of a training")
        assert load(tmp_path).fingerprint == load(MIMIC).fingerprint
        shutil.copy(tmp_path / "mimic-00003.pt", tmp_path / "other-00001.pt")
        with pytest.raises(CheckpointError, match="several runs.*mimic, other"):
            load(tmp_path)

    def test_what_is_wrong_is_named(self, run, tmp_path):
        with pytest.raises(CheckpointError, match="no checkpoint"):
            load(tmp_path)
        with pytest.raises(CheckpointError, match="missing"):
            load("nowhere.pt")
        alone = tmp_path / "x.pt"
        shutil.copy(f"{MIMIC}/checkpoints/mimic-00003.pt", alone)
        with pytest.raises(CheckpointError, match="x.network.json.*name its YAML"):
            load(alone)
        with pytest.raises(CheckpointError, match="a VEN; its description says none"):
            load(alone, config="vanilla.yaml")
        apart = yaml.safe_load(Path("mimic.yaml").read_text())
        apart["model_cfg"]["fuse"] = False
        (tmp_path / "apart.yaml").write_text(yaml.safe_dump(apart))
        with pytest.raises(CheckpointError, match="x.pt is a checkpoint with T; its description says fuse: false"):
            load(alone, config=tmp_path / "apart.yaml")
        with pytest.raises(CheckpointError, match="a checkpoint without T; its description has a VEN and fuse: true"):
            load(Path("output/GREW", *CHECKPOINTS["vanilla"]), config="mimic.yaml")
        with pytest.raises(CheckpointError, match="not a checkpoint of this"):
            load(alone, config="teacher.yaml")
        with pytest.raises(ConfigError, match="VisibilityEstimation by itself embeds nothing"):
            load(alone, config="ven.yaml")
        with pytest.raises(ConfigError, match="device 'cuda9'"):
            load(MIMIC, device="cuda9")

    def test_a_backbone_of_a_checkout_only_is_refused_by_name(self, run, tmp_path):
        cfgs = yaml.safe_load(Path("teacher.yaml").read_text())
        cfgs["model_cfg"] = {"model": "GaitPart"}
        (tmp_path / "part.yaml").write_text(yaml.safe_dump(cfgs))
        with pytest.raises(ConfigError, match="GaitPart.*OpenGait checkout"):
            load("output/GREW/Baseline/teacher/checkpoints/teacher-00003.pt", config=tmp_path / "part.yaml")

    def test_a_program_keeps_its_own_modules(self, run, tmp_path):
        for name in ("utils", "data", "modeling", "evaluation"):
            (tmp_path / f"{name}.py").write_text("MINE = True\n")
        program = (
            "import sys, data, numpy\nbefore = list(sys.path)\n"
            "from opengait_mimic.apps.inference import load\n"
            f"load({str(run / MIMIC)!r}).embed(numpy.zeros((9, 64, 44), numpy.uint8))\n"
            "import utils, modeling, evaluation\n"
            "assert data.MINE and utils.MINE and modeling.MINE and evaluation.MINE and sys.path == before\n"
        )
        (tmp_path / "program.py").write_text(program)
        done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, env=environment(), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()


class TestEmbed:
    @pytest.mark.parametrize("backbone", ["GaitBase", "GaitGL", "DeepGaitV2", "GaitSet"])
    def test_a_clip_has_the_same_numbers_whatever_comes_with_it(self, runs, backbone):
        model, all_clips = load(runs(backbone) / MIMIC), clips(runs(backbone), 4)
        all_clips[3] = all_clips[0]
        together, batched = model.embed(all_clips), model.embed(all_clips, batch=8)
        for i, clip in enumerate(all_clips):
            alone = model.embed(clip)
            np.testing.assert_array_equal(together.embeddings[i], alone.embeddings[0])
            assert together.amount[i] == alone.amount[0] and together.kind[i] == alone.kind[0]
            np.testing.assert_allclose(batched.embeddings[i], alone.embeddings[0], atol=1e-6)

    def test_takes_grey_values_shares_and_masks_alike(self, run):
        model, clip = load(MIMIC), (clips(run)[0] > 127)
        expected = model.embed(clip).embeddings
        as_given = (
            255 * clip.astype(np.uint8), 255 * clip.astype(np.int64), clip.astype(np.float64),
            torch.from_numpy(clip).half(), [torch.from_numpy(255 * clip.astype(np.uint8))], clip[None],
        )  # fmt: skip
        for sils in as_given:
            np.testing.assert_array_equal(model.embed(sils).embeddings, expected)

    @pytest.mark.parametrize(
        ("sils", "said"),
        [
            ([], "no clip"),
            ("clip.pkl", "expected an array"),
            (np.zeros((64, 44), np.uint8), r"expected \[s, h, w\]"),
            ([np.zeros((64, 44), np.uint8)], r"clip 0: expected \[s, h, w\]"),
            (np.zeros((0, 64, 44), np.uint8), "no frame"),
            (np.zeros((5, 32, 44), np.uint8), "32 rows high, this network takes 64"),
            (np.ones((5, 64, 44), np.uint8), "make it bool or float"),
            (np.full((5, 64, 44), -1), "grey values 0–255"),
            (np.full((5, 64, 44), 255.0), "floats are 0–1"),
            (np.full((5, 64, 44), np.nan), "floats are 0–1"),
            (np.full((5, 64, 44), "x"), "expected numbers"),
        ],
    )
    def test_refuses_what_it_cannot_take(self, run, sils, said):
        with pytest.raises(DataError, match=said):
            load(MIMIC).embed(sils)

    @pytest.mark.parametrize(("cutting", "width", "left"), [(None, 64, 44), (None, 44, 44), (0, 64, 64), (4, 64, 56)])
    def test_cuts_as_in_training(self, cutting, width, left):
        clip = np.broadcast_to(np.arange(width, dtype=np.uint8), (3, 64, width))
        cut = prepare(clip, Description("x", {}, "GREW", cutting=cutting))
        off = (width - left) // 2
        np.testing.assert_array_equal(cut[0, 0] * 255, np.arange(off, width - off))

    def test_looks_at_as_many_frames_as_the_test_did(self):
        description = Description("x", {}, "GREW", frames_limit=2)
        assert prepare(np.zeros((5, 64, 44), np.uint8), description).shape == (2, 64, 44)

    def test_one_array_is_one_or_several_clips(self):
        assert [clip.shape for clip in as_clips(np.zeros((3, 64, 44)))] == [(3, 64, 44)]
        assert [clip.shape for clip in as_clips(torch.zeros(2, 3, 64, 44))] == [(3, 64, 44)] * 2


class TestDescription:
    def test_stands_beside_every_checkpoint_and_says_what_the_yaml_says(self, run):
        for model, name in CHECKPOINTS.values():
            path = Path(f"output/GREW/{model}/{name}/checkpoints/{name}-00003.network.json")
            assert from_json(json.loads(path.read_text()), path) == describe_yaml(f"{name}.yaml")
        assert not list(Path("output/GREW/VisibilityEstimation").rglob("*.network.json")), "a VEN embeds nothing"

    def test_a_file_of_earlier_versions_loads(self):
        content = {"format": 1, "model": "MimicGait", "backbone": GAITBASE, "dataset_name": "GREW",
                   "ven": {"channels": [4, 4, 8], "feature": 6}, "kinds": ["clean", "top"], "metric": "euc",
                   "height": 64, "cutting": None, "divisor": 255, "frames_limit": 720}  # fmt: skip
        description = from_json(content, "x.network.json")
        assert (description.kinds, description.cutting, description.fuse) == (("clean", "top"), None, True)
        assert json.loads(json.dumps(to_json(description))) == content

    def test_a_fingerprint_is_that_of_earlier_versions(self, run):
        path = Path(f"{MIMIC}/checkpoints/mimic-00003.pt")
        digest = hashlib.sha256(json.dumps(json.loads(beside(path).read_text()), sort_keys=True).encode())
        short = {"backbone.model.": "backbone.", "ven.network.": "ven.", "fusion.": "fusion."}
        weights = torch.load(path, weights_only=True)["model"]
        named = {short[old] + k.removeprefix(old): v for k, v in weights.items() for old in short if k.startswith(old)}
        for name, value in sorted(named.items()):
            digest.update(name.encode() + value.numpy().tobytes())
        assert load(MIMIC).fingerprint == digest.hexdigest() == fingerprint(weights, describe_checkpoint(path))

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"format": 2}, "of this version"),
            ({"metrik": "euc"}, "unknown key 'metrik'; did you mean 'metric'"),
            ({"metric": "l1"}, "metric"),
            ({"height": "64"}, "height: '64' is not allowed"),
            ({"backbone": None}, "backbone: None is not allowed"),
        ],
    )
    def test_a_wrong_one_is_refused(self, change, said):
        content = json.loads(json.dumps(to_json(Description("x", {}, "GREW"))))
        with pytest.raises((CheckpointError, ConfigError), match=said):
            from_json({**content, **change}, "x.network.json")
        del content["kinds"]
        with pytest.raises(CheckpointError, match="kinds is missing"):
            from_json(content, "x.network.json")


def test_a_checkpoint_that_opengait_trained(run, tmp_path):
    """Through our launcher with a description beside it; alone with its YAML. Both embed as the embedded host does."""
    where = str(checkout("OpenGait"))
    for name in ("teacher", "mimic", "ven"):
        shutil.copy(f"{name}.yaml", tmp_path)
    opengait_mimic(tmp_path, "train", "--cfgs", "teacher.yaml", "--host", where, "--device", "cpu")
    model = load(tmp_path / "output/GREW/Baseline/teacher")
    (described,) = tmp_path.rglob("teacher-00003.network.json")
    described.unlink()
    checkpoint = described.with_name("teacher-00003.pt")
    assert load(checkpoint, config=tmp_path / "teacher.yaml").fingerprint == model.fingerprint
    shutil.copy(checkpoint, tmp_path / "teacher.pt")
    host = host_model("teacher", run)
    host.load_state_dict(torch.load(checkpoint, weights_only=True)["model"])
    clip = clips(run)[0]
    np.testing.assert_allclose(model.embed(clip).embeddings[0], by_host(host, clip), atol=1e-6)
