"""Mistakes end in one clear message and status 2, and write nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from commands import environment, opengait_mimic, write_yamls

from opengait_mimic.data.tree import generate_walkers


@pytest.fixture(scope="module")
def walkers(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("walkers")
    generate_walkers(folder / "sils", folder / "sils.json", 6, 4, sequences=4, frames=12)
    return {"root": folder / "sils", "partition": folder / "sils.json", "identities": 6}


@pytest.fixture
def folder(walkers, tmp_path):
    write_yamls(tmp_path, walkers)
    return tmp_path


def edit(folder: Path, name: str, change) -> None:
    path = folder / f"{name}.yaml"
    cfgs = yaml.safe_load(path.read_text())
    change(cfgs)
    path.write_text(yaml.safe_dump(cfgs))


def message(folder: Path, *arguments: str) -> str:
    """The one line that a mistaken command prints on standard error."""
    before = sorted(p for p in folder.rglob("*") if p.is_file())
    done = subprocess.run(
        [sys.executable, "-m", "opengait_mimic", *arguments, "--host", "embedded", "--device", "cpu"],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("opengait-mimic: ")]
    assert len(lines) == 1 and len(done.stderr.splitlines()) <= 2, done.stderr
    assert sorted(p for p in folder.rglob("*") if p.is_file()) == before, "nothing is written"
    return lines[0]


def test_a_checkpoint_of_another_architecture(folder):
    for stage in ("teacher", "ven"):
        opengait_mimic(folder, "train", "--cfgs", f"{stage}.yaml", "--host", "embedded", "--device", "cpu")
    edit(folder, "teacher", lambda c: c["model_cfg"]["backbone_cfg"].update(channels=[4, 6, 8, 8]))
    printed = message(folder, "train", "--cfgs", "mimic.yaml", "--nproc", "2")
    assert "teacher-00004.pt is not a checkpoint of this teacher" in printed and "layer2" in printed


def test_a_checkpoint_with_code_in_it_is_refused(folder):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(folder / "executed"),)

    place = folder / "output/GREW/Baseline/teacher/checkpoints/teacher-00004.pt"
    place.parent.mkdir(parents=True)
    torch.save({"model": Evil()}, place)
    edit(folder, "mimic", lambda c: c["model_cfg"].update(ven=None))
    assert "cannot be read" in message(folder, "train", "--cfgs", "mimic.yaml")
    assert not (folder / "executed").exists()


@pytest.fixture
def refusal(folder, call, monkeypatch):
    """What a command in this process prints on standard error, for mistakes found before a run is started."""

    def told(*arguments: str) -> str:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(signal, "signal", lambda *_: None)  # those of the tests stay
        monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
        before = sorted(p for p in folder.rglob("*") if p.is_file())
        ended = call(*arguments, "--device", "cpu")
        assert ended.status == 2 and ended.err.startswith("opengait-mimic: ")
        assert sorted(p for p in folder.rglob("*") if p.is_file()) == before, "nothing is written"
        return ended.err

    return told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("train --cfgs nothere.yaml", "nothere.yaml: cannot be read: No such file"),
        ("train --cfgs teacher.yaml --nproc 3", "a batch of 8 clips cannot be split into 3 processes"),
        ("test --cfgs teacher.yaml", "no checkpoint at output/GREW/Baseline/teacher"),
        ("train --cfgs mimic.yaml", "checkpoint is missing: output/GREW"),
        ("train --cfgs ven.yaml --host .", "no OpenGait checkout at"),
    ],
)
def test_what_is_not_there(refusal, arguments, words):
    host = [] if "--host" in arguments else ["--host", "embedded"]
    assert words in refusal(*arguments.split(), *host)


def occluded(cfgs: dict, **section) -> None:
    cfgs["evaluator_cfg"].update(eval_func="evaluate_recognition", occluded=section)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("mimic", lambda c: occluded(c, gallery_by="teacher"), "gallery_by: the teacher embeds"),
        ("mimic", lambda c: occluded(c, adaptability={"new": ["middle"]}), "was not trained on middle"),
        ("mimic", lambda c: occluded(c, generalizability={"new": ["top"]}), "was trained on top"),
        ("mimic", lambda c: c["evaluator_cfg"].update(occluded={"who": "probe"}), "need eval_func"),
        ("mimic", lambda c: occluded(c) or c["evaluator_cfg"].update(gallery=["01"]), "evaluator_cfg.probe: expected"),
        ("mimic", lambda c: occluded(c) or c["data_cfg"].update(test_dataset_name="Gait-3D"), "did you mean 'Gait3D'?"),
        ("aware", lambda c: c["evaluator_cfg"].update(restore_hint=0), "restore_hint: 0 tests an untrained network"),
        ("teacher", lambda c: c["evaluator_cfg"]["sampler"].update(batch_size=3), "must equal the number of processes"),
    ],
)
def test_a_test_that_cannot_be(folder, refusal, name, change, words):
    edit(folder, name, lambda c: c["trainer_cfg"].update(with_test=True))
    edit(folder, name, change)
    phase = "train" if name == "teacher" else "test"
    assert words in refusal(phase, "--cfgs", f"{name}.yaml", "--host", "embedded")


def test_an_interruption_lost_in_a_callback_comes_again():
    code = (
        "import signal, sys, time, weakref\nfrom opengait_mimic import cli\n"
        "signal.signal(signal.SIGALRM, cli._interrupt)\nsys.unraisablehook = cli._once_more\n"
        "class Thing: pass\nthing = Thing()\n"
        "gone = weakref.ref(thing, lambda _: cli._interrupt(signal.SIGINT, None))\ndel thing\n"
        "try: time.sleep(200)\nexcept KeyboardInterrupt: print('interrupted')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.stdout == "interrupted\n" and done.stderr == ""
