"""A training that was killed goes on with the same command, and ends with the very same weights.

The trainings are narrow and short, with a checkpoint every other iteration, loaded by two workers; the mimic has a
teacher and a VEN of the host's and ours.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path

import pytest
import torch
import yaml
from commands import checkout, write_yamls
from forked import command, finished, kill, wait_for_text

from opengait_mimic.data import generate_walkers

STAGES = {"teacher": "Baseline", "ven": "VisibilityEstimation", "aware": "OcclusionAware", "mimic": "MimicGait"}
TOTAL = 8
HOSTS = ["embedded", pytest.param("OpenGait", marks=pytest.mark.heavy)]


def train(folder: Path, stage: str, *options: str, host: str = "embedded", **how):
    where = host if host == "embedded" else str(checkout(host))
    return command(folder, "train", "--cfgs", f"{stage}.yaml", "--host", where, "--device", "cpu", *options, **how)


def checkpoints(folder: Path, stage: str) -> Path:
    return folder / "output/GREW" / STAGES[stage] / stage / "checkpoints"


def state(folder: Path, stage: str, iteration: int = TOTAL) -> dict:
    return torch.load(checkpoints(folder, stage) / f"{stage}-{iteration:05d}.pt", weights_only=True)


def assert_same(one: object, other: object, where: str = "") -> None:
    """Equal to the last bit, whatever is nested in it."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert list(one) == list(other), where
        for key in one:
            assert_same(one[key], other[key], f"{where}/{key}")
    else:
        assert one == other, where


def edit(folder: Path, stage: str, change) -> None:
    path = folder / f"{stage}.yaml"
    cfgs = yaml.safe_load(path.read_text())
    change(cfgs)
    path.write_text(yaml.safe_dump(cfgs))


@pytest.fixture(scope="module")
def walkers(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("walkers")
    generate_walkers(folder / "sils", folder / "sils.json", 6, 4, sequences=4, frames=12)
    return {"root": folder / "sils", "partition": folder / "sils.json", "identities": 6}


@pytest.fixture(scope="module")
def uninterrupted(walkers, tmp_path_factory):
    """Every stage run to its end; per host, made when first asked for."""
    made: dict[str, Path] = {}

    def of(host: str) -> Path:
        if host not in made:
            folder = made[host] = tmp_path_factory.mktemp(host)
            write_yamls(folder, walkers)
            for stage in STAGES:
                edit(folder, stage, _shorter)
                assert finished(train(folder, stage, host=host)) == 0, (folder / "log.txt").read_text()
        return made[host]

    return of


def _shorter(cfgs: dict) -> None:
    cfgs["data_cfg"]["num_workers"] = 2
    cfgs["trainer_cfg"].update(total_iter=TOTAL, save_iter=2, log_iter=1)
    cfgs["scheduler_cfg"]["milestones"] = [5]
    cfgs["evaluator_cfg"]["restore_hint"] = TOTAL


@pytest.fixture
def begin(uninterrupted, tmp_path):
    """A folder in which one stage has not been trained yet, on a host."""

    def of(host: str, stage: str) -> Path:
        folder = tmp_path / f"{host}-{stage}"
        shutil.copytree(uninterrupted(host), folder)
        shutil.rmtree(checkpoints(folder, stage).parent)
        (folder / "log.txt").unlink()
        return folder

    return of


def kill_until_done(folder: Path, stage: str, host: str, draw: random.Random) -> int:
    """Kill the same command at random moments, of time or of writing, until it is done; how often it was killed."""
    killed = 0
    while True:
        # One checkpoint takes six steps of writing; the note that a training begins three.
        crash_at = draw.randint(1, 20) if draw.random() < 0.5 else 0
        started = time.monotonic()
        process = train(folder, stage, "--nproc", "1", host=host, crash_at=crash_at)
        if not crash_at:
            process.join(draw.uniform(0.2, 4.0))
            kill(process)
        status = finished(process)
        if status == 0:
            return killed
        assert status == -9, (folder / "log.txt").read_text()
        killed += 1
        assert killed < 60 and time.monotonic() - started < 60


class TestKilled:
    @pytest.mark.parametrize("host", HOSTS)
    @pytest.mark.parametrize("crash_at", [6, 9, 14])
    def test_in_the_middle_of_writing_it_ends_as_if_never_interrupted(self, begin, uninterrupted, host, crash_at):
        folder = begin(host, "mimic")
        assert finished(train(folder, "mimic", host=host, crash_at=crash_at)) == -9
        assert finished(train(folder, "mimic", host=host)) == 0, (folder / "log.txt").read_text()
        assert_same(state(folder, "mimic"), state(uninterrupted(host), "mimic"))
        left = {path.suffix for path in checkpoints(folder, "mimic").iterdir()}
        assert left == {".pt", ".json", ".begun"}, "what was half written is gone"

    @pytest.mark.heavy
    @pytest.mark.parametrize("host", ["embedded", "OpenGait"])
    @pytest.mark.parametrize("stage", STAGES)
    def test_at_random_points_of_any_stage_it_ends_as_if_never_interrupted(self, begin, uninterrupted, host, stage):
        draw, killed, turns = random.Random(f"{host} {stage}"), 0, 0
        while killed < 20:
            folder = begin(host, stage)
            killed += kill_until_done(folder, stage, host, draw)
            assert_same(state(folder, stage), state(uninterrupted(host), stage))
            shutil.rmtree(folder)
            turns += 1
        print(f"{host}, {stage}: killed {killed} times in {turns} trainings")
