"""Trainings and tests as a script runs them: --quiet, --json and --dry-run, on both hosts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from commands import checkout, environment, write_yamls

from opengait_mimic.cli import main
from opengait_mimic.data import generate_walkers
from opengait_mimic.evaluation.results import read_result

CHECKPOINT = "output/GREW/VisibilityEstimation/ven/checkpoints/ven-00004.pt"
RESULT = "output/GREW/VisibilityEstimation/ven/results/ven-00004.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scripts")
    data = {"root": folder / "sils", "partition": folder / "sils.json", "identities": 4}
    generate_walkers(data["root"], data["partition"], 4, 2, sequences=2, frames=8)
    write_yamls(folder, data)
    return folder


@pytest.fixture(scope="module")
def training(folder, tmp_path_factory):
    """A folder after a quiet training in two processes, and what that printed."""
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("trained") / "scripts")
    return copy, printed(copy, "train", "--quiet", "--nproc", "2", "--device", "cpu")


def printed(folder, *arguments) -> tuple[str, str]:
    """What a command that ends well printed: standard output and standard error."""
    command = [sys.executable, "-m", "opengait_mimic", *arguments, "--cfgs", "ven.yaml"]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout, done.stderr


def dry_run(capsys, *arguments) -> str:
    main(["train", "--cfgs", "ven.yaml", "--host", "embedded", "--dry-run", *arguments])
    return capsys.readouterr().out


def test_a_dry_run_says_what_would_be_done_and_does_nothing(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    planned = json.loads(dry_run(capsys, "--json"))
    assert (planned["phase"], planned["model"], planned["iterations"]) == ("train", "VisibilityEstimation", 4)
    assert planned["starts from"] == "no checkpoint of its own" and not (folder / "output").exists()


def test_a_dry_run_knows_the_checkpoints(training, monkeypatch, capsys):
    monkeypatch.chdir(training[0])
    again = dry_run(capsys)
    assert "starts from: its checkpoint of iteration 4" in again and "processes: 1" in again
    assert "no checkpoint of its own" in dry_run(capsys, "--no-resume")


def test_a_script_gets_the_outcome_and_nothing_else(training):
    folder, (out, err) = training
    assert out == f"{CHECKPOINT}\n", "once, whatever the number of processes"
    assert "INFO" not in err and "iteration 2" not in err

    out, err = printed(folder, "test", "--iter", "4", "--json")
    assert json.loads(out) == {"file": RESULT, **read_result(folder / RESULT)}
    assert "Visibility on GREW" in err, "what the host says goes on, elsewhere"


def test_in_an_opengait_checkout_too(training):
    root = str(checkout("OpenGait"))
    out, err = printed(training[0], "test", "--host", root, "--iter", "4", "--quiet")
    assert out == f"{RESULT}\n" and "INFO" not in err
