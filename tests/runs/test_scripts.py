"""Trainings and tests as a script runs them: --quiet, --json and --dry-run, on both hosts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
import yaml
from commands import checkout, environment, write_yamls

from opengait_mimic.cli import main
from opengait_mimic.data.tree import generate_walkers
from opengait_mimic.evaluation.results import read_result
from opengait_mimic.opengait.host import DEVICE_VARIABLE
from opengait_mimic.opengait.run.worker import Outcome, Run, intended

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


def test_the_last_checkpoint_is_told_where_it_is_not_of_the_last_iteration(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "scripts")
    change(copy / "ven.yaml", save_iter=3)
    out, _ = printed(copy, "train", "--json", "--device", "cpu")
    assert json.loads(out)["checkpoint"] == CHECKPOINT.replace("00004", "00003") and json.loads(out)["iteration"] == 3
    assert (copy / json.loads(out)["checkpoint"]).is_file()
    change(copy / "ven.yaml", save_iter=9)
    out, err = printed(copy, "train", "--quiet", "--no-resume", "--device", "cpu")
    assert out == "" and "warning: no checkpoint: save_iter is above total_iter" in err


def change(yaml_file, **trainer) -> None:
    cfgs = yaml.safe_load(yaml_file.read_text())
    cfgs["trainer_cfg"].update(trainer)
    yaml_file.write_text(yaml.safe_dump(cfgs))


def test_several_data_sets_at_once_have_no_folder_that_is_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trainer = {"save_name": "unified", "restore_hint": 0, "total_iter": 4}
    cfgs = {"data_cfg": [{"dataset_name": "CASIA-B"}, {"dataset_name": "GREW"}], "trainer_cfg": trainer,
            "model_cfg": {"model": "MultiDatasets"}}  # fmt: skip
    planned = intended(Run("../OpenGait", tmp_path / "unified.yaml", "train"), cfgs)
    assert planned["starts from"] == "no checkpoint of its own" and "writes to" not in planned
    outcome = Outcome("train", "MultiDatasets", None, None, {"test_accuracy/Rank-1": 50.0})
    assert outcome.text() == "test_accuracy/Rank-1: 50.00"
    assert outcome.content() == {
        "phase": "train", "model": "MultiDatasets", "iteration": None, "checkpoint": None,
        "scores": {"test_accuracy/Rank-1": 50.0},
    }  # fmt: skip


def test_a_dry_run_names_the_device_that_the_environment_asks_for(folder, monkeypatch):
    cfgs = yaml.safe_load((folder / "ven.yaml").read_text())
    run = Run("embedded", folder / "ven.yaml", "test")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setenv(DEVICE_VARIABLE, "cpu")
    assert intended(run, cfgs)["device"] == "cpu"


def test_scores_of_tests_on_the_way_are_told_of_a_hosts_own_model(training, tmp_path):
    folder = shutil.copytree(training[0], tmp_path / "scripts")
    change(folder / "teacher.yaml", with_test=True)
    text = (folder / "teacher.yaml").read_text()
    (folder / "teacher.yaml").write_text(text.replace("evaluate_real_scene", "evaluate_recognition"))
    for host in ("embedded", str(checkout("OpenGait"))):
        command = [sys.executable, "-m", "opengait_mimic", "train", "--json", "--host", host, "--no-resume", "--device",
                   "cpu", "--cfgs", "teacher.yaml"]  # fmt: skip
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        assert "test_accuracy" in " ".join(json.loads(done.stdout)["scores"]), host


def test_in_an_opengait_checkout_too(training):
    root = str(checkout("OpenGait"))
    out, err = printed(training[0], "test", "--host", root, "--iter", "4", "--quiet")
    assert out == f"{RESULT}\n" and "INFO" not in err
