"""`opengait-mimic doctor`: what it finds, and what it tells to do about it."""

from __future__ import annotations

import functools
import json
import pickle
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from commands import checkout

from opengait_mimic.apps import doctor
from opengait_mimic.apps.doctor import Check, examine, lines
from opengait_mimic.data.tree import write_sequence
from opengait_mimic.opengait.install import MODULE, install
from opengait_mimic.walkers.walkers import walker_sequence


def told(checks, topic: str, level: str | None = None) -> str:
    """Everything about a topic, as one text; of one level, where that is given."""
    return "\n".join(f"{c.found} -> {c.advice}" for c in checks if c.topic == topic and level in (None, c.level))


def tree(folder: Path, width: int = 44, subjects: str = "abcd") -> Path:
    for subject in subjects:
        for kind in ("01", "02"):
            write_sequence(folder / "sils", subject, kind, "00", walker_sequence(0, 0, 0, 4, width=width))
    (folder / "sils.json").write_text(json.dumps({"TRAIN_SET": ["a", "b"], "TEST_SET": ["c", "d"]}))
    return folder / "sils"


@pytest.fixture
def fake(tmp_path):
    """A checkout that imports what nobody has."""
    for path, text in {"main": "", "modeling/__init__": "import nobody_has_this", "data/__init__": ""}.items():
        (tmp_path / "OpenGait" / "opengait" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "OpenGait" / "opengait" / f"{path}.py").write_text(text)
    return tmp_path / "OpenGait"


class TestHere:
    def test_without_checkout_and_data_nothing_fails_on_a_machine_that_runs_these_tests(self, monkeypatch):
        monkeypatch.delenv("OPENGAIT_ROOT", raising=False)
        checks = examine()
        assert not [c for c in checks if c.level == "fail"]
        assert torch.__version__ in told(checks, "PyTorch") and "CPU cores" in told(checks, "PyTorch")
        assert "no checkout named" in told(checks, "OpenGait") and "--host PATH" in told(checks, "OpenGait")
        assert "GaitBase" in told(checks, "backbones") and "GaitGL" in told(checks, "backbones")

    def test_what_is_missing_is_named_with_its_pip_line(self, monkeypatch):
        needs = ["torch>=2.1", "nobody-has-this>=1", 'onnx>=1; extra == "export"', 'nor-this>=2; extra == "video"']
        monkeypatch.setattr(doctor.metadata, "requires", lambda name: needs)
        checks = list(doctor._packages())
        assert told(checks, "packages", "fail") == "missing: nobody-has-this>=1 -> pip install 'nobody-has-this>=1'"
        assert "pip install '.[video]'" in told(checks, "packages", "ok")

    @pytest.mark.parametrize(("works", "level"), [(True, "ok"), (False, "fail")])
    def test_a_gpu_is_tried(self, works, level, monkeypatch):
        card, zeros = SimpleNamespace(name="A Card", total_memory=24 * 2**30), torch.zeros

        def on_the_card(*size, device):
            if works:
                return zeros(*size)
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device")

        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: card)
        monkeypatch.setattr(torch, "zeros", on_the_card)
        assert "0: A Card, 24 GiB" in told(doctor._devices(), "GPU", level)

    def test_a_driver_that_is_missing(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(torch.version, "cuda", "12.4")
        assert "nvidia-smi" in told(doctor._devices(), "GPU", "warn")

    def test_little_shared_memory(self, monkeypatch):
        if not Path("/dev/shm").is_dir():
            pytest.skip("no /dev/shm here")
        monkeypatch.setattr(doctor.os, "statvfs", lambda path: SimpleNamespace(f_blocks=2**14, f_frsize=2**12))
        assert "/dev/shm holds 64 MiB" in told(doctor._devices(), "shared memory", "warn")


class TestCheckout:
    def test_a_folder_that_is_none(self, tmp_path):
        checks = examine(str(tmp_path))
        assert "no OpenGait checkout" in told(checks, "OpenGait", "fail") and "git clone" in told(checks, "OpenGait")

    def test_what_it_misses_is_told_with_the_pip_line(self, fake, monkeypatch):
        monkeypatch.setattr(doctor, "IMPORTED", {"nobody_has_this": "", "nor_this": "its-name", "torch": ""})
        monkeypatch.setenv("PYTHONPATH", str(Path(doctor.__file__).parents[2]))
        found = told(doctor._imports(fake), "imports", "fail")
        assert "'nobody_has_this'" in found and "pip install nobody_has_this its-name;" in found

    def test_our_files_are_there_or_not_or_changed(self, fake):
        assert doctor._added(fake).level == "ok" and "not added" in doctor._added(fake).found
        install(fake)
        assert doctor._added(fake).level == "ok" and "not added" not in doctor._added(fake).found
        (fake / MODULE).write_text("")
        assert doctor._added(fake).level == "warn" and "uninstall" in doctor._added(fake).advice

    def test_versions_come_from_git_where_there_is_any(self, fake):
        assert "unknown version" in doctor._version(fake).found
        for command in ("init -q", "add .", "-c user.name=n -c user.email=e commit -qm m"):
            subprocess.run(["git", "-C", str(fake), *command.split()], check=True)
        assert doctor._version(fake).level == "ok" and "commit " in doctor._version(fake).found
        install(fake)
        assert doctor._version(fake).level == "ok", "what we add changes nothing"
        (fake / "opengait/main.py").write_text("print()\n")
        assert "changed by hand: opengait/main.py" in doctor._version(fake).found

    def test_an_actual_one(self):
        checks = examine(str(checkout("OpenGait")))
        assert not [c for c in checks if c.level == "fail"]
        assert "Baseline, DeepGaitV2" in told(checks, "backbones", "ok")
        assert "MimicGait" not in told(checks, "backbones") and "SMPLGait" not in told(checks, "backbones")


class TestData:
    def examined(self, root, partition=None):
        return list(doctor._data(root, partition))

    @pytest.mark.parametrize("width", [64, 44])
    def test_a_good_one(self, tmp_path, width):
        checks = self.examined(tree(tmp_path, width), tmp_path / "sils.json")
        assert {c.level for c in checks} == {"ok"}
        assert "4 subjects, 8 sequences; types 01, 02" in told(checks, "data")
        assert f"64x{width}" in told(checks, "silhouettes") and "evaluated as GREW" in told(checks, "protocol")

    def test_a_folder_above_or_below_is_told(self, tmp_path):
        root = tree(tmp_path)
        assert f"give {root}" in told(self.examined(tmp_path), "data", "fail")
        assert "give the folder above it" in told(self.examined(root / "a"), "data", "fail")

    def test_nothing_there(self, tmp_path):
        assert "no such folder" in told(self.examined(tmp_path / "x"), "data", "fail")
        assert "opengait-mimic silhouettes" in told(self.examined(tmp_path), "data", "fail")

    def test_sizes_that_differ_or_that_no_network_takes_and_files_that_cannot_be_read(self, tmp_path):
        root = tree(tmp_path)
        for path in root.glob("*/*/*/*.pkl"):
            path.write_bytes(pickle.dumps(np.zeros((4, 64, 30), np.uint8)))
        assert "of 64x30" in told(self.examined(root), "silhouettes", "warn")
        write_sequence(root, "a", "01", "00", walker_sequence(0, 0, 0, 4, width=44))
        assert "of 64x30, 64x44" in told(self.examined(root), "silhouettes", "warn")
        (root / "a/01/00/00.pkl").write_bytes(b"")
        assert "check-data" in told(self.examined(root), "silhouettes", "fail")

    @pytest.mark.parametrize(
        ("sets", "level", "what"),
        [
            ({"TRAIN_SET": ["a"]}, "fail", "no JSON with TEST_SET"),
            ({"TRAIN_SET": ["a"], "TEST_SET": ["nobody"]}, "fail", "TEST_SET: none of its 1 subjects"),
            ({"TRAIN_SET": ["a", "z"], "TEST_SET": ["b"]}, "warn", "TRAIN_SET: not in the folder: z"),
            ({"TRAIN_SET": ["a", "b"], "TEST_SET": ["b"]}, "fail", "in TRAIN_SET and in TEST_SET: b"),
        ],
    )
    def test_partitions(self, tmp_path, sets, level, what):
        root, partition = tree(tmp_path), tmp_path / "sils.json"
        partition.write_text(json.dumps(sets))
        assert what in told(self.examined(root, partition), "partition", level)

    def test_types_of_no_known_data_set(self, tmp_path):
        root = tree(tmp_path)
        for path in root.iterdir():
            (path / "01").rename(path / "before")
        assert "gallery and probe" in told(self.examined(root, tmp_path / "sils.json"), "protocol", "warn")


class TestCommand:
    @pytest.fixture
    def run(self, call, monkeypatch):
        monkeypatch.delenv("OPENGAIT_ROOT", raising=False)
        return functools.partial(call, "doctor")

    def test_the_status_says_whether_something_fails(self, run, tmp_path):
        code, out, _ = run()
        assert code == 0 and out.splitlines()[-1].endswith(" 0 fail")
        code, out, _ = run("--data", tmp_path / "x", "--quiet")
        assert code == 1 and re.search(r"^fail  data ", out, re.MULTILINE)
        assert not re.search(r"^ok ", out, re.MULTILINE)

    def test_json(self, run, tmp_path):
        code, out, _ = run("--data", tmp_path / "x", "--json")
        content = json.loads(out)
        assert code == 1 and content["ok"] is False
        assert content["checks"][-1]["topic"] == "data" and set(content["checks"][0]) == set(Check._fields)

    def test_a_partition_belongs_to_data(self, run):
        assert run("--partition", "x.json").status == 2

    def test_lines_for_reading(self):
        checks = [Check("ok", "Python", "3.12"), Check("fail", "data", "none", "make some")]
        plain = [line.replace("\x1b[32m", "").replace("\x1b[31m", "").replace("\x1b[0m", "") for line in lines(checks)]
        assert plain == ["ok    Python  3.12", "fail  data    none", "              -> make some",
                         "1 ok, 0 warn, 1 fail"]  # fmt: skip
