"""What goes wrong while a training runs: it ends with one line, leaves no half file and no process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import yaml
from commands import checkout, write_yamls
from forked import command, finished, kill, processes, wait_for

from opengait_mimic.data.tree import generate_walkers

CHECKPOINTS = "output/GREW/VisibilityEstimation/ven/checkpoints"


@pytest.fixture(scope="module")
def walkers(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("walkers")
    generate_walkers(folder / "sils", folder / "sils.json", 6, 4, sequences=4, frames=12)
    return {"root": folder / "sils", "partition": folder / "sils.json", "identities": 6}


@pytest.fixture
def folder(walkers, tmp_path):
    write_yamls(tmp_path, walkers)
    return tmp_path


def edit(folder: Path, workers: int = 0, **trainer) -> None:
    path = folder / "ven.yaml"
    cfgs = yaml.safe_load(path.read_text())
    cfgs["data_cfg"]["num_workers"] = workers
    cfgs["trainer_cfg"].update(trainer)
    path.write_text(yaml.safe_dump(cfgs))


def train(folder: Path, *options: str, host: str = "embedded", **how):
    return command(folder, "train", "--cfgs", "ven.yaml", "--host", host, "--device", "cpu", *options, **how)


def printed(folder: Path) -> str:
    path = folder / "log.txt"
    return path.read_text() if path.is_file() else ""


def told(folder: Path) -> str:
    """The last line, when it is ours and no traceback stands before it."""
    text = printed(folder)
    assert "Traceback" not in text, text
    assert text.splitlines()[-1].startswith("opengait-mimic: "), text
    return text.splitlines()[-1]


def files(folder: Path) -> set[str]:
    return {path.name for path in (folder / CHECKPOINTS).iterdir()}


def fds(process: int) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


class TestDisk:
    @pytest.mark.parametrize("nproc", ["1", "2"])
    def test_a_full_one_takes_the_checkpoint_and_nothing_else(self, folder, nproc):
        edit(folder, total_iter=4, save_iter=2, log_iter=100)
        assert finished(train(folder, "--nproc", nproc, largest=8000)) == 1, printed(folder)
        assert told(folder) == f"opengait-mimic: File too large: {CHECKPOINTS}/ven-00002.pt"
        assert files(folder) == {"ven.begun"}
        assert finished(train(folder, "--nproc", nproc)) == 0, printed(folder)  # with room again
        good = (folder / CHECKPOINTS / "ven-00004.pt").read_bytes()
        edit(folder, total_iter=6, save_iter=1, log_iter=100)
        assert finished(train(folder, "--nproc", nproc, largest=8000)) == 1
        assert (folder / CHECKPOINTS / "ven-00004.pt").read_bytes() == good and "ven-00005.pt" not in files(folder)

    def test_one_full_for_tensorboard_is_told_without_a_wall(self, folder):
        edit(folder, total_iter=10**6, save_iter=10**6, log_iter=1)
        assert finished(train(folder, largest=8000)) == 1, printed(folder)
        assert "File too large" in told(folder)

    def test_a_file_where_the_output_should_go(self, folder):
        (folder / "output").write_text("")
        assert finished(train(folder)) == 1
        assert "output" in told(folder)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_that_may_not_be_written_to(self, folder):
        (folder / "output").mkdir(mode=0o500)
        assert finished(train(folder)) == 1
        assert "Permission denied: output" in told(folder)


class TestProcesses:
    """Two processes with two loader workers each, in one session."""

    @pytest.fixture
    def running(self, folder):
        edit(folder, workers=2, total_iter=10**6, save_iter=10**6, log_iter=1)
        process = train(folder, "--nproc", "2")
        wait_for(lambda: "iteration 2 " in printed(folder))
        yield process
        kill(process)

    def gone(self, process) -> None:
        process.join(60)
        wait_for(lambda: not processes(process.pid))

    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
    def test_interrupted_they_all_end(self, folder, running, how):
        os.kill(running.pid, how)
        self.gone(running)
        assert running.exitcode == 130 and told(folder) == "opengait-mimic: interrupted"

    def test_they_do_not_outlive_the_command(self, running):
        os.kill(running.pid, signal.SIGKILL)
        self.gone(running)

    def test_one_that_is_killed_ends_the_run(self, folder, running):
        rank = next(p for p in processes(running.pid) if "spawn_main" in _command(p) and fds(p) > 3)
        os.kill(rank, signal.SIGKILL)
        self.gone(running)
        assert running.exitcode == 1 and "Traceback" not in printed(folder)

    def test_so_does_a_loaders_worker(self, folder):
        edit(folder, workers=1, total_iter=10**6, save_iter=10**6, log_iter=1)
        process = train(folder)
        wait_for(lambda: "iteration 2 " in printed(folder))
        (worker,) = set(processes(process.pid)) - {process.pid}
        os.kill(worker, signal.SIGKILL)
        self.gone(process)
        assert process.exitcode == 1 and "a loader's process is gone" in told(folder)


def _command(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")


class TestNotANumber:
    """The learning rate explodes after the second iteration, so the loss does at the fourth."""

    @pytest.mark.parametrize("nproc", ["1", "2"])
    @pytest.mark.parametrize("host", ["embedded", pytest.param("OpenGait", marks=pytest.mark.heavy)])
    def test_it_stops_before_the_step_and_names_what_stands(self, folder, host, nproc):
        where = host if host == "embedded" else str(checkout(host))
        path = folder / "ven.yaml"
        cfgs = yaml.safe_load(path.read_text())
        cfgs["scheduler_cfg"].update(milestones=[2], gamma=1e36)
        path.write_text(yaml.safe_dump(cfgs))
        edit(folder, total_iter=8, save_iter=2, log_iter=1)
        for _ in range(2):  # the same command again meets the same
            assert finished(train(folder, "--nproc", nproc, host=where)) == 1, printed(folder)
            assert "iteration 4" in told(folder) and told(folder).startswith("opengait-mimic: the loss is ")
            assert "(visibility/" in told(folder)
            assert told(folder).endswith(f"the last checkpoint stands: {CHECKPOINTS}/ven-00002.pt")
            assert "ven-00004.pt" not in files(folder)
