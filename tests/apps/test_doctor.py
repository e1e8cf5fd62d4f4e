"""`opengait-mimic doctor`: what it finds, and what it tells to do about it."""

from __future__ import annotations

import functools
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from commands import checkout

from opengait_mimic.apps import doctor
from opengait_mimic.apps.doctor import Check, examine, lines, probe, third_party
from opengait_mimic.data.tree import write_sequence
from opengait_mimic.opengait.config.sections import MODELS
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
    """A checkout that imports what nobody has, and what is broken."""
    root = tmp_path / "OpenGait"
    for path, text in {
        "opengait/main.py": "",
        "opengait/modeling/__init__.py": "import os\nimport yaml\nfrom . import base_model\n",
        "opengait/modeling/base_model.py": "from utils import tool\nimport nobody_has_this.part\n",
        "opengait/modeling/models/__init__.py": "import broken_package\ntry:\n    import optional\nexcept OSError: 0\n",
        "opengait/data/__init__.py": "def late():\n    import only_when_called\n",
        "opengait/utils/__init__.py": "from numpy import array\n",
        "opengait/elsewhere/thing.py": "import not_on_starting_up\n",
        "site/broken_package.py": "raise RuntimeError('built for another Python')\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


class TestHere:
    def test_without_checkout_and_data_nothing_fails_on_a_machine_that_runs_these_tests(self, monkeypatch):
        monkeypatch.delenv("OPENGAIT_ROOT", raising=False)
        checks = examine()
        assert not [c for c in checks if c.level == "fail"]
        assert torch.__version__ in told(checks, "PyTorch") and "CPU cores" in told(checks, "PyTorch")
        assert "no checkout named" in told(checks, "OpenGait") and "--host PATH" in told(checks, "OpenGait")
        assert "GaitBase" in told(checks, "backbones") and "GaitGL" in told(checks, "backbones")

    @pytest.mark.parametrize(("minor", "level"), [(9, "fail"), (10, "ok"), (13, "ok"), (99, "warn")])
    def test_pythons(self, minor, level, monkeypatch):
        monkeypatch.setattr(sys, "version_info", (3, minor, 0))
        assert doctor._python().level == level

    def test_an_old_torch_fails(self, monkeypatch):
        monkeypatch.setattr(torch, "__version__", "2.0.1+cpu")
        assert "install PyTorch 2.1 or newer" in told(doctor._devices(), "PyTorch", "fail")

    def test_what_is_missing_is_named_with_its_pip_line(self, monkeypatch):
        needs = ["torch>=2.1", "nobody-has-this>=1", 'onnx>=1; extra == "export"', 'nor-this>=2; extra == "video"']
        monkeypatch.setattr(doctor.metadata, "requires", lambda name: needs)
        checks = list(doctor._packages())
        assert told(checks, "packages", "fail") == "missing: nobody-has-this>=1 -> pip install 'nobody-has-this>=1'"
        assert "pip install '.[video]'" in told(checks, "packages", "ok")

    @pytest.mark.parametrize(
        ("codes", "level"),
        [
            (["sm_80", "sm_90"], "ok"),
            (["sm_86"], "ok"),
            (["sm_50", "sm_75"], "fail"),
            (["sm_89"], "fail"),
            (["sm_80a"], "fail"),
            (["sm_100", "sm_120"], "fail"),
            (["compute_70"], "ok"),
            (["compute_86"], "ok"),
            (["sm_75", "compute_90"], "fail"),
        ],
    )
    def test_gpus(self, codes, level, monkeypatch):
        card = SimpleNamespace(name="A Card", total_memory=24 * 2**30, major=8, minor=6)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: card)
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: codes)
        assert "0: A Card, 24 GiB" in told(doctor._devices(), "GPU", level)

    def test_what_a_rocm_build_has_code_for_is_not_judged(self, monkeypatch):
        monkeypatch.setattr(torch.version, "hip", "6.2")
        self.test_gpus(["gfx90a"], "ok", monkeypatch)

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

    def test_what_is_imported_on_starting_up_is_read_from_the_source(self, fake):
        assert third_party(fake) == {
            "yaml": "opengait/modeling/__init__.py",
            "nobody_has_this": "opengait/modeling/base_model.py",
            "broken_package": "opengait/modeling/models/__init__.py",
            "numpy": "opengait/utils/__init__.py",
        }

    def test_missing_and_broken_packages_are_told_with_the_pip_line(self, fake, monkeypatch):
        monkeypatch.setenv("PYTHONPATH", f"{Path(doctor.__file__).parents[1]}:{fake / 'site'}")
        found = probe(fake)
        assert found["missing"] == {"nobody_has_this": "nobody_has_this"} and found["error"]
        assert found["failing"] == {"broken_package": "RuntimeError: built for another Python"}
        checks = list(doctor._imports(fake, found))
        missing = told(checks, "imports", "fail")
        assert "nobody_has_this (opengait/modeling/base_model.py)" in missing
        assert "its instructions do not list nobody_has_this" in missing and "pip install nobody_has_this;" in missing
        assert "broken_package is installed, but fails: RuntimeError: built for another Python" in missing
        assert told(doctor._backbones(fake, found), "backbones", "warn").startswith("unknown")

    def test_packages_are_named_as_pip_knows_them(self, fake):
        found = {"missing": {"lightly": "pytorch_lightning", "a": "sklearn", "b": "cv2"}, "failing": {},
                 "operators": False, "models": [], "error": "x"}  # fmt: skip
        text = told(doctor._imports(fake, found), "imports", "fail")
        assert "pip install opencv-python-headless pytorch-lightning scikit-learn;" in text
        assert "its instructions do not list pytorch_lightning, sklearn" in text

    def test_our_files_are_there_partly_there_or_not(self, fake):
        assert doctor._added(fake).level == "ok" and "not added" in doctor._added(fake).found
        written, _ = install(fake)
        assert f"{len(written)} of {len(written)} are in the checkout" in doctor._added(fake).found
        (fake / written[-1]).write_text("dataset_root: /data\n")
        assert doctor._added(fake).level == "ok" and "1 of them changed" in doctor._added(fake).found
        (fake / written[-1]).unlink()
        assert doctor._added(fake).level == "warn"
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

    def test_our_own_models_are_no_untried_backbones(self):
        (check,) = doctor._backbones("checkout", {"models": [*MODELS, "Baseline", "Newest"]})
        assert check.found.endswith("never tried: Newest")

    def test_an_actual_one(self):
        checks = examine(str(checkout("OpenGait")))
        assert not [c for c in checks if c.level == "fail"]
        assert "work: Baseline, DeepGaitV2" in told(checks, "backbones", "ok")


class TestData:
    def examined(self, root, partition=None):
        return list(doctor._data(root, partition))

    @pytest.mark.parametrize(
        ("width", "advice"), [(64, "BaseSilCuttingTransform in the YAML"), (44, "they are cut already")]
    )
    def test_a_good_one(self, tmp_path, width, advice):
        checks = self.examined(tree(tmp_path, width), tmp_path / "sils.json")
        assert {c.level for c in checks} == {"ok"}
        assert "4 subjects, 8 sequences; types 01, 02" in told(checks, "data")
        assert advice in told(checks, "silhouettes") and "evaluated as GREW" in told(checks, "protocol")

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
        assert "of different sizes: 64x30, 64x44" in told(self.examined(root), "silhouettes", "fail")
        (root / "a/01/00/00.pkl").write_bytes(b"")
        assert "check-data" in told(self.examined(root), "silhouettes", "fail")

    @pytest.mark.parametrize(
        ("sets", "level", "what"),
        [
            ({"TRAIN_SET": ["a"]}, "fail", "no JSON with TEST_SET"),
            ({"TRAIN_SET": ["a"], "TEST_SET": ["nobody"]}, "fail", "0 of 1 in TEST_SET"),
            ({"TRAIN_SET": ["a", "z"], "TEST_SET": ["b"]}, "warn", "1 of 2 in TRAIN_SET"),
            ({"TRAIN_SET": ["a", "b"], "TEST_SET": ["b"]}, "warn", "1 subjects are in both sets"),
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
