"""Exported models run elsewhere and give the same numbers."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from commands import environment

from opengait_mimic.apps.inference import load
from opengait_mimic.apps.inference.export import CAN_EXPORT, OLDEST_TORCH, write_export
from opengait_mimic.errors import ConfigError, MimicError

MIMIC = "output/GREW/MimicGait/mimic"

pytestmark = pytest.mark.skipif(not CAN_EXPORT, reason=f"exports need torch {'.'.join(map(str, OLDEST_TORCH))}")

# A program that has never seen torch.
PROGRAM = """
import json, sys
sys.modules["torch"] = None
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
clips = np.load(sys.argv[2])
names = [output.name for output in session.get_outputs()]
for key in clips.files:
    found = session.run(None, {"sils": clips[key]})
    np.savez(f"{key}.npz", **dict(zip(names, found)))
print(session.get_modelmeta().custom_metadata_map["opengait_mimic"])
"""


def shapes(backbone):
    """Numbers of clips and frames: the fewest, and others than the export saw."""
    return [(1, 6 if backbone == "GaitGL" else 1), (1, 31), (5, 8)]


def expected(model, clips):
    seen = model.embed(clips)
    with torch.no_grad():
        logits = None if model.network.ven is None else model.network.ven(torch.from_numpy(clips)).logits.numpy()
    return {"embeddings": seen.embeddings, "kind_logits": logits, "amount": seen.amount}


@pytest.mark.parametrize("backbone", ["GaitBase", "GaitGL", "DeepGaitV2"])
def test_onnx_runtime_gives_the_same_without_torch(runs, backbone, tmp_path):
    model, rng = load(runs(backbone) / MIMIC), np.random.default_rng(0)
    write_export(model, tmp_path / "mimic.onnx", width=44)
    clips = {
        f"x{i}": (rng.random((n, s, 64, 44)) > 0.5).astype(np.float32) for i, (n, s) in enumerate(shapes(backbone))
    }
    np.savez(tmp_path / "clips.npz", **clips)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "mimic.onnx", "clips.npz"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name, sils in clips.items():
        with np.load(tmp_path / f"{name}.npz") as found:
            assert found.files == ["embeddings", "kind_logits", "amount"]
            for output, value in expected(model, sils).items():
                np.testing.assert_allclose(found[output], value, atol=1e-4)
    told = json.loads(done.stdout)
    assert told["fingerprint"] == model.fingerprint and told["kinds"][0] == "clean"
    assert told["min_frames"] == shapes(backbone)[0][1]


@pytest.mark.parametrize("backbone", ["GaitGL", "DeepGaitV2"])
def test_torch_export_gives_the_same(runs, backbone, tmp_path):
    model = load(runs(backbone) / MIMIC)
    write_export(model, tmp_path / "mimic.pt2", width=44)
    program = torch.export.load(tmp_path / "mimic.pt2").module()
    for n, s in shapes(backbone):
        sils = (np.random.default_rng(s).random((n, s, 64, 44)) > 0.5).astype(np.float32)
        for ours, theirs in zip(program(torch.from_numpy(sils)), expected(model, sils).values(), strict=True):
            np.testing.assert_allclose(ours.detach(), theirs, atol=1e-4)


def test_clips_as_they_are_stored_are_cut_inside(runs, tmp_path):
    """A teacher that learned from cut clips takes 64 columns, and gives embeddings only."""
    import yaml

    folder = runs()
    cfgs = yaml.safe_load((folder / "teacher.yaml").read_text())
    for section in ("trainer_cfg", "evaluator_cfg"):
        cfgs[section]["transform"] = [{"type": "BaseSilCuttingTransform"}]
    (tmp_path / "cut.yaml").write_text(yaml.safe_dump(cfgs))
    model = load(folder / "output/GREW/Baseline/teacher", config=tmp_path / "cut.yaml")
    assert write_export(model, tmp_path / "teacher.pt2").endswith("[n, s ≥ 1, 64, 64] -> embeddings")
    sils = (np.random.default_rng(0).random((2, 5, 64, 64)) > 0.5).astype(np.float32)
    (found,) = torch.export.load(tmp_path / "teacher.pt2").module()(torch.from_numpy(sils))
    np.testing.assert_allclose(found.detach(), model.embed(sils).embeddings, atol=1e-6)
    np.testing.assert_array_equal(model.embed(sils).embeddings, model.embed(sils[..., 10:54]).embeddings)


def test_what_cannot_be_exported_is_said(runs, tmp_path, monkeypatch):
    model = load(runs("DeepGaitV2") / MIMIC)
    with pytest.raises(ConfigError, match="unknown kind of export '.pb'; allowed: .onnx, .pt2"):
        write_export(model, tmp_path / "mimic.pb")
    with pytest.raises(ConfigError, match="width 64: .*44 or 88"):
        write_export(model, tmp_path / "mimic.onnx", width=64)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxscript" else find(name))
    with pytest.raises(MimicError, match=r"needs onnxscript: pip install 'opengait-mimic\[export\]'"):
        write_export(model, tmp_path / "mimic.onnx", width=44)
    assert not list(tmp_path.iterdir())
