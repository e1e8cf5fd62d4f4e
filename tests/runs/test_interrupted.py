"""A training that was killed goes on with the same command, and ends with the very same weights.

The trainings are narrow and short, with a checkpoint every other iteration, loaded by two workers; the mimic has a
teacher and a VEN of the host's and ours.
"""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from commands import checkout, write_yamls
from forked import command, finished

from opengait_mimic.data.tree import generate_walkers

STAGES = {"teacher": "Baseline", "ven": "VisibilityEstimation", "aware": "OcclusionAware", "mimic": "MimicGait"}
TOTAL = 8
NOTE, CHECKPOINT = 4, 8  # steps of writing: the note that a training begins; a checkpoint and what is beside it
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


class TestKilled:
    @pytest.mark.parametrize("host", HOSTS)
    @pytest.mark.parametrize("crash_at", [NOTE + 7, NOTE + 8, NOTE + CHECKPOINT + 3])
    def test_in_the_middle_of_writing_it_ends_as_if_never_interrupted(self, begin, uninterrupted, host, crash_at):
        folder = begin(host, "mimic")
        assert finished(train(folder, "mimic", host=host, crash_at=crash_at)) == -9
        assert finished(train(folder, "mimic", host=host)) == 0, (folder / "log.txt").read_text()
        assert_same(state(folder, "mimic"), state(uninterrupted(host), "mimic"))
        left = {path.suffix for path in checkpoints(folder, "mimic").iterdir()}
        assert left == {".pt", ".json", ".begun"}, "what was half written is gone"


def log(folder: Path) -> str:
    return (folder / "log.txt").read_text()


class TestWhichCheckpoint:
    """With the VEN, whose training is the shortest; killed once it had written everything but its last checkpoint."""

    @pytest.fixture
    def folder(self, begin, uninterrupted):
        folder = begin("embedded", "ven")
        shutil.copytree(checkpoints(uninterrupted("embedded"), "ven"), checkpoints(folder, "ven"))
        for path in checkpoints(folder, "ven").glob("ven-00008*"):
            path.unlink()
        return folder

    def go_on(self, folder: Path, *options: str, status: int = 0, **how) -> str:
        assert finished(train(folder, "ven", *options, **how)) == status, log(folder)
        return log(folder)

    def whole(self, folder: Path, uninterrupted) -> None:
        assert_same(state(folder, "ven"), state(uninterrupted("embedded"), "ven"))

    def test_the_last_one_by_itself(self, folder, uninterrupted):
        said = self.go_on(folder)
        assert "going on after iteration 6" in said and "iteration 7 " in said and "iteration 6 |" not in said
        self.whole(folder, uninterrupted)

    def test_it_can_be_made_longer(self, folder):
        edit(folder, "ven", lambda c: c["trainer_cfg"].update(total_iter=10))
        self.go_on(folder)
        assert state(folder, "ven", 10)["iteration"] == 10

    @pytest.mark.parametrize(
        ("how", "beside"),
        [("cut", True), ("zeros inside", False), ("another file", True), ("code in it", True), ("code in it", False)],
    )
    def test_one_that_is_not_good_is_named_and_the_one_before_taken(self, folder, uninterrupted, how, beside):
        last = checkpoints(folder, "ven") / "ven-00006.pt"
        content = last.read_bytes()
        if how == "another file":
            teacher = checkpoints(folder, "teacher") / "teacher-00006.pt"
            shutil.copy(teacher, last)
        elif how == "code in it":
            last.write_bytes(pickle.dumps({"model": _Payload(folder / "executed")}, protocol=2))
        else:
            middle = len(content) // 2
            zeros = content[:middle] + bytes(500) + content[middle + 500 :]
            last.write_bytes(content[:-700] if how == "cut" else zeros)
        if not beside:
            last.with_suffix(".resume.json").unlink()
        said = self.go_on(folder)
        assert "ven-00006.pt" in said and "it is left aside, and the one before it taken" in said
        assert "going on after iteration 4" in said and not (folder / "executed").exists()
        self.whole(folder, uninterrupted)

    def test_where_none_is_good_it_starts_anew_and_says_so(self, folder, uninterrupted):
        for path in checkpoints(folder, "ven").glob("*.pt"):
            path.write_bytes(b"torn")
        assert "the training starts anew" in self.go_on(folder)
        self.whole(folder, uninterrupted)

    def test_without_what_is_beside_it_goes_on_as_opengait_does(self, folder, uninterrupted):
        for path in checkpoints(folder, "ven").iterdir():
            if path.suffix != ".pt":
                path.unlink()
        said = self.go_on(folder)
        assert "nothing of ours is kept beside it" in said and "going on after iteration 6" in said
        self.whole(folder, uninterrupted)  # no step was skipped, so nothing was lost

    @pytest.mark.parametrize("garbage", ["{", '{"format": 1}', '{"format": 2}'])
    def test_what_is_beside_may_be_damaged(self, folder, uninterrupted, garbage):
        (checkpoints(folder, "ven") / "ven-00006.resume.json").write_text(garbage)
        said = self.go_on(folder)
        assert "ven-00006.resume.json: not what this version keeps" in said and "going on after iteration 4" in said
        self.whole(folder, uninterrupted)

    def test_another_configuration_is_another_training(self, folder):
        edit(folder, "ven", lambda c: c["optimizer_cfg"].update(lr=0.01))
        said = self.go_on(folder)
        assert "of another configuration (optimizer_cfg: lr)" in said and "the training starts anew" in said
        # and what it leaves is its own
        assert "nothing to train: 8" in self.go_on(folder)

    @pytest.mark.parametrize(
        ("file", "change", "named"),
        [("teacher", lambda c: c["model_cfg"]["backbone_cfg"].update(strides=[2, 1, 1, 1]), "backbone: model_cfg"),
         ("ven", lambda c: c["trainer_cfg"]["transform"][0]["trf_cfg"][-1]["kinds"].reverse(), "ven: classes")],
    )  # fmt: skip
    def test_another_yaml_of_its_backbone_or_ven_is_another_training(self, begin, uninterrupted, file, change, named):
        folder = begin("embedded", "mimic")
        shutil.copytree(checkpoints(uninterrupted("embedded"), "mimic"), checkpoints(folder, "mimic"))
        edit(folder, file, change)
        finished(train(folder, "mimic"))
        assert f"of another configuration (networks: {named}" in log(folder)

    def test_no_resume_starts_anew_and_what_was_before_does_not_count(self, folder, uninterrupted):
        self.go_on(folder, "--no-resume", status=-9, crash_at=NOTE + CHECKPOINT + 1)
        said = self.go_on(folder)
        assert "going on after iteration 2" in said, said
        self.whole(folder, uninterrupted)

    def test_an_explicit_restore_hint_wins(self, folder, uninterrupted):
        edit(folder, "ven", lambda c: c["trainer_cfg"].update(restore_hint=2))
        assert "going on after iteration 2" in self.go_on(folder)
        self.whole(folder, uninterrupted)

    def test_so_does_iter_and_both_go_on_exactly(self, folder, uninterrupted):
        assert "going on after iteration 4" in self.go_on(folder, "--iter", "4")
        self.whole(folder, uninterrupted)
        assert "give one of them" in self.go_on(folder, "--iter", "4", "--resume", status=2)


class _Payload:
    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self):
        return open, (str(self.target), "w")


class TestHowItIsRun:
    @pytest.mark.parametrize("host", HOSTS)
    def test_two_processes_go_on_exactly_too(self, begin, host):
        folder = begin(host, "ven")
        assert finished(train(folder, "ven", "--nproc", "2", host=host)) == 0, log(folder)
        whole = state(folder, "ven")
        for iteration in (6, 8):
            for path in checkpoints(folder, "ven").glob(f"ven-0000{iteration}*"):
                path.unlink()
        assert finished(train(folder, "ven", "--nproc", "2", host=host)) == 0, log(folder)
        assert "going on after iteration 4" in log(folder)
        assert_same(state(folder, "ven"), whole)

    def test_another_number_of_processes_is_told(self, begin, uninterrupted):
        folder = begin("embedded", "ven")
        shutil.copytree(checkpoints(uninterrupted("embedded"), "ven"), checkpoints(folder, "ven"))
        (checkpoints(folder, "ven") / "ven-00008.pt").unlink()
        assert finished(train(folder, "ven", "--nproc", "2")) == 0, log(folder)
        assert "trained by 1 process(es), it goes on with 2" in log(folder)
