"""Choosing and activating a host; the same weights embed alike on every host."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from commands import checkout, environment

from opengait_mimic.errors import HostError
from opengait_mimic.opengait.host import choose

EMBED = """
import sys
import numpy as np
import torch
torch.set_num_threads(1)
from opengait_mimic.opengait.activation import activate
from opengait_mimic.opengait.host import active
host = activate(sys.argv[1])
assert active() == host and activate() == host and activate(sys.argv[1]) == host
from opengait_mimic.opengait.models import Backbone
gaitbase = {"model": "Baseline",
            "backbone_cfg": {"type": "ResNet9", "block": "BasicBlock", "channels": [4, 8, 8, 16],
                             "layers": [1, 2, 1, 1], "strides": [1, 2, 2, 1], "maxpool": False},
            "SeparateFCs": {"in_channels": 16, "out_channels": 8, "parts_num": 16},
            "SeparateBNNecks": {"class_num": 5, "in_channels": 8, "parts_num": 16}, "bin_num": [16]}
gaitset = {"model": "GaitSet", "in_channels": [1, 4, 4, 8], "bin_num": [16, 8, 4, 2, 1],
           "SeparateFCs": {"in_channels": 8, "out_channels": 8, "parts_num": 62}}
cases = {"gaitbase": (gaitbase, "CASIA-B"), "gaitset": (gaitset, "CASIA-B"),
         "gaitgl": ({"model": "GaitGL", "channels": [4, 4, 8], "class_num": 5}, "CASIA-B"),
         "gaitgl_grew": ({"model": "GaitGL", "channels": [4, 4, 8, 8], "class_num": 5}, "GREW")}
if sys.argv[3] == "deepgait":
    for mode in ("2d", "p3d", "3d"):
        cases["deepgait_" + mode] = ({"model": "DeepGaitV2", "SeparateBNNecks": {"class_num": 5}, "Backbone": {
            "in_channels": 1, "mode": mode, "layers": [1, 2, 1, 1], "channels": [4, 4, 8, 8]}}, "CASIA-B")
sils = (torch.rand(3, 9, 64, 44, generator=torch.Generator().manual_seed(1)) > 0.5).float()
seqL = torch.tensor([[5, 9, 13]], dtype=torch.int32)
out = {}
for name, (cfg, dataset) in cases.items():
    backbone = Backbone(cfg, dataset).eval()
    generator = torch.Generator().manual_seed(2)
    state = backbone.model.state_dict()
    for key in sorted(state):
        if state[key].is_floating_point():
            value = torch.rand(state[key].shape, generator=generator) - (0 if "var" in key or key == "HPP.p" else 0.5)
            state[key] = value + (6 if key == "HPP.p" else 0)
    backbone.model.load_state_dict(state)
    with torch.no_grad():
        out[name] = backbone(sils).numpy()
        out[name + "_seqL"] = backbone(sils.reshape(1, 27, 64, 44), seqL).numpy()
np.savez(sys.argv[2], **out)
"""


def embed(host: str, target, backbones: str = "deepgait") -> dict[str, np.ndarray]:
    done = subprocess.run([sys.executable, "-c", EMBED, host, str(target), backbones],
                          env=environment(), capture_output=True, text=True, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(target) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("version", ["OpenGait", "OpenGait-v2.0"])
def test_the_same_weights_embed_alike_on_both_hosts(version, tmp_path):
    backbones = "deepgait" if version == "OpenGait" else "none"  # v2.0 has no DeepGaitV2
    theirs = embed(str(checkout(version)), tmp_path / "theirs.npz", backbones)
    ours = embed("embedded", tmp_path / "ours.npz", backbones)
    assert set(ours) == set(theirs)
    for name, embeddings in ours.items():
        np.testing.assert_allclose(embeddings, theirs[name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_the_argument_goes_before_the_environment_and_the_embedded_host_is_the_default(monkeypatch, tmp_path):
    monkeypatch.delenv("OPENGAIT_ROOT", raising=False)
    assert choose() == "embedded"
    monkeypatch.setenv("OPENGAIT_ROOT", str(tmp_path))
    with pytest.raises(HostError, match="OPENGAIT_ROOT: no OpenGait checkout at"):
        choose()
    assert choose("embedded") == "embedded"
    (tmp_path / "opengait").mkdir()
    (tmp_path / "opengait" / "main.py").write_text("")
    assert choose() == tmp_path.resolve()
    with pytest.raises(HostError, match="^no OpenGait checkout at"):
        choose(tmp_path / "opengait")


def test_one_process_has_one_host(tmp_path):
    (tmp_path / "opengait").mkdir()
    (tmp_path / "opengait" / "main.py").write_text("")
    code = ("from opengait_mimic import activate, register\nfrom opengait_mimic.errors import HostError\n"
            "activate('embedded')\n"
            f"try: activate({str(tmp_path)!r})\nexcept HostError as e: print(e)")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60)
    assert "needs a process of its own" in done.stdout


def test_registering_never_overwrites_a_name_of_the_host():
    code = ("from opengait_mimic import activate, register\nfrom opengait_mimic.errors import HostError\n"
            "activate('embedded')\nregister()\n"
            "from modeling import losses\nlosses.MiCKDLoss = int\n"
            "try: register()\nexcept HostError as e: print(e, losses.MiCKDLoss is int)")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60)
    assert "already has its own modeling.losses.MiCKDLoss True" in done.stdout


def test_without_a_host_registering_says_so():
    code = ("from opengait_mimic import register\nfrom opengait_mimic.errors import HostError\n"
            "try: register()\nexcept HostError as e: print(e)")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60)
    assert "no host is active" in done.stdout
