"""Checkpoints and silhouettes that carry code: no host runs it, and the run ends in one line."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from commands import checkout, environment, write_yamls

from opengait_mimic.data.tree import generate_walkers
from opengait_mimic.opengait.install import install

# A user of OpenGait on a newer PyTorch may have asked it to load anything; older ones do so by default.
CARELESS = {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}


class Call:
    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return os.mkdir, self.arguments


@pytest.fixture
def folder(tmp_path) -> Path:
    generate_walkers(tmp_path / "sils", tmp_path / "sils.json", 6, 4, sequences=4, frames=12)
    write_yamls(tmp_path, {"root": tmp_path / "sils", "partition": tmp_path / "sils.json", "identities": 6})
    return tmp_path


def run(folder: Path, *arguments: str, **options) -> str:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=folder, env={**environment(), **CARELESS},
                          capture_output=True, text=True, timeout=400, **options)  # fmt: skip
    assert done.returncode, done.stdout[-2000:]
    return done.stdout + done.stderr


def poison(folder: Path, mark: Path) -> None:
    """Every silhouette file carries code."""
    for path in (folder / "sils").rglob("*.pkl"):
        path.write_bytes(pickle.dumps([np.zeros((2, 64, 64), np.uint8), Call(str(mark))]))


def one_line(printed: str) -> str:
    assert "Traceback" not in printed
    (line,) = [line for line in printed.splitlines() if line.startswith("opengait-mimic: ")]
    return line


@pytest.mark.parametrize(
    ("host", "stage"), [("embedded", "teacher"), ("OpenGait", "teacher"), ("OpenGait-v2.0", "ven")]
)
def test_silhouettes_with_code_in_them(folder, host, stage):
    where = host if host == "embedded" else str(checkout(host))
    mark = folder / "mark"
    first = folder / "sils/00000/00/00/00.pkl"
    kept = first.read_bytes()
    poison(folder, mark)
    first.write_bytes(kept)  # the check before the run looks at the first sequence only
    printed = run(folder, "opengait_mimic", "train", "--cfgs", f"{stage}.yaml", "--host", where, "--device", "cpu")
    line = one_line(printed)
    assert ".pkl: cannot be read: it holds a list, not an array" in line
    assert not mark.exists()


@pytest.mark.parametrize(("host", "stage"), [("embedded", "teacher"), ("OpenGait", "teacher"), ("OpenGait", "ven")])
def test_checkpoints_with_code_in_them(folder, host, stage):
    where = host if host == "embedded" else str(checkout(host))
    mark = folder / "mark"
    torch.save({"model": {"a": torch.zeros(1)}, "optimizer": Call(str(mark))}, folder / "evil.pt")
    cfgs = yaml.safe_load((folder / f"{stage}.yaml").read_text())
    cfgs["trainer_cfg"]["restore_hint"] = "evil.pt"
    (folder / f"{stage}.yaml").write_text(yaml.safe_dump(cfgs))
    printed = run(folder, "opengait_mimic", "train", "--cfgs", f"{stage}.yaml", "--host", where, "--device", "cpu")
    assert "evil.pt cannot be read" in one_line(printed)
    assert not mark.exists()


@pytest.mark.parametrize("what", ["silhouettes", "checkpoint"])
def test_our_models_are_as_careful_in_opengaits_own_main_program(folder, what):
    root = folder / "OpenGait"
    for part in ("opengait", "configs"):
        shutil.copytree(checkout("OpenGait") / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    install(root)
    mark = folder / "mark"
    cfgs = yaml.safe_load((folder / "ven.yaml").read_text())
    if what == "silhouettes":
        poison(folder, mark)
    else:
        torch.save({"model": {"a": torch.zeros(1)}, "optimizer": Call(str(mark))}, folder / "evil.pt")
        cfgs["trainer_cfg"]["restore_hint"] = str(folder / "evil.pt")
    (root / "ven.yaml").write_text(yaml.safe_dump(cfgs))
    printed = run(root, "torch.distributed.run", "--standalone", "--nproc_per_node", "1",
                  str(Path(__file__).with_name("on_cpu.py")), "opengait/main.py", "--cfgs", "ven.yaml", "--phase",
                  "train")  # fmt: skip
    assert "it holds a list, not an array" in printed or "evil.pt cannot be read as weights" in printed
    assert not mark.exists()
