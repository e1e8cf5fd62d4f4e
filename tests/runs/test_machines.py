"""Several machines: torchrun starts our command on each; here they are two addresses of the loopback range."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from commands import checkout, environment, opengait_mimic, write_yamls

from opengait_mimic.data.tree import generate_walkers


@pytest.fixture(scope="module")
def walkers(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("walkers")
    generate_walkers(folder / "sils", folder / "sils.json", 6, 4, sequences=4, frames=12)
    return {"root": folder / "sils", "partition": folder / "sils.json", "identities": 6}


def on_two_machines(folder: Path, *arguments: str) -> str:
    """One torchrun per machine, one process each; returns all they printed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    machines = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--node_rank", str(number),
             "--nproc_per_node", "1", "--master_addr", "127.0.0.1", "--master_port", str(port),
             "--local_addr", f"127.0.0.{number + 1}", "-m", "opengait_mimic", *arguments],
            cwd=folder, env={**environment(), "GLOO_SOCKET_IFNAME": "lo"}, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for number in range(2)
    ]  # fmt: skip
    try:
        printed = [machine.communicate(timeout=200)[0] for machine in machines]
    finally:
        for machine in machines:
            if machine.poll() is None:
                os.killpg(machine.pid, signal.SIGKILL)
    assert [machine.returncode for machine in machines] == [0, 0], "\n".join(printed)[-4000:]
    return "\n".join(printed)


def weights(folder: Path) -> dict:
    path = folder / "output/GREW/VisibilityEstimation/ven/checkpoints/ven-00004.pt"
    return torch.load(path, weights_only=True)["model"]


@pytest.mark.parametrize("host", ["embedded", pytest.param("OpenGait", marks=pytest.mark.heavy)])
def test_two_machines_train_as_two_processes_of_one_do(host, walkers, tmp_path):
    where = "embedded" if host == "embedded" else str(checkout(host))
    trained = []
    for machines in (1, 2):
        folder = tmp_path / str(machines)
        folder.mkdir()
        write_yamls(folder, walkers)
        arguments = ("train", "--cfgs", "ven.yaml", "--host", where, "--device", "cpu")
        if machines == 1:
            opengait_mimic(folder, *arguments, "--nproc", "2")
        else:
            on_two_machines(folder, *arguments)
        trained.append(weights(folder))
    assert all(torch.equal(trained[0][name], trained[1][name]) for name in trained[0])


CHECK = """
import torch, utils
from torch import distributed
from modeling.base_model import BaseModel
from opengait_mimic.opengait import compat
torch.cuda.device_count = lambda: 2     # GPUs of this machine
compat.world_size = lambda: 16          # processes of all machines
compat.device = lambda: torch.device("cuda", 1)
cfgs = {"model_cfg": {"model": "Baseline"}, "trainer_cfg": {}}
compat.apply(compat.Use("a checkout", compat.By.RUN, cfgs))
distributed.init_process_group("nccl")
assert torch.cuda.device_count() == 16  # what a checkout's main program compares the processes with
assert utils.config_loader("a.yaml") == cfgs and torch.cuda.device_count() == 2
class Model(BaseModel):
    def __init__(self):
        torch.nn.Module.__init__(self)
        self.device = 13  # its rank
assert Model().device == 1
"""


def test_a_process_takes_its_own_gpu_and_any_number_of_them_is_allowed():
    host = Path(__file__).resolve().parents[2] / "opengait_mimic/opengait/embedded"
    subprocess.run([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(host)!r})" + CHECK],
                   env=environment(), check=True, timeout=60)  # fmt: skip


def test_gpus_are_counted_on_this_machine_only(monkeypatch, tmp_path, walkers, capsys):
    from opengait_mimic import cli
    from opengait_mimic.apps.training import commands

    asked = []
    monkeypatch.setattr(commands, "check_device", lambda device, processes: asked.append(processes))
    monkeypatch.setattr(commands, "launch", lambda run, processes: asked.append(processes))
    for name, value in {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    write_yamls(tmp_path, walkers)
    monkeypatch.chdir(tmp_path)
    cli.main(["train", "--cfgs", "ven.yaml", "--host", "embedded"])
    assert asked == [2, 8]
