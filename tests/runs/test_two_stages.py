"""The whole method through the command line, in subprocesses, on every host there is.

Teacher and VEN, then the mimic, then the test with RP; with one process or with two. Hosts: the embedded one,
and the OpenGait checkouts found (OPENGAIT_ROOT, else the cache folder, where `OpenGait-v2.0` may stand beside).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from commands import checkout, environment, opengait_mimic, write_yamls

from opengait_mimic.data.tree import generate_walkers, render_recordings
from opengait_mimic.opengait.install import install

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "cmu-walk"


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> dict:
    """Silhouettes rendered from recorded walking; generated walkers where there are no recordings.

    Three of those to learn from are said to be generated.
    """
    folder = tmp_path_factory.mktemp("data")
    root, partition = folder / "sils", folder / "sils.json"
    if SHARED.is_dir():
        # OpenGait's evaluation wants twenty sequences in the gallery
        sets = render_recordings(root, partition, SHARED, views=[90], frames=30)
    else:
        sets = generate_walkers(root, partition, 6, 12, sequences=4, frames=12)
    partition.write_text(json.dumps({**sets, "GENERATED_SET": sets["TRAIN_SET"][:3]}))
    return {"root": root, "partition": partition, "identities": len(sets["TRAIN_SET"])}


def rank_1(printed: str) -> list[float]:
    """occluded, own whole, HP and RP of the last table printed."""
    row = re.findall(r"^Rank-1 +([\d.]+) +([\d.]+) +([\d.]+|-) +([\d.]+|-)", printed, flags=re.MULTILINE)[-1]
    return [float("nan") if cell == "-" else float(cell) for cell in row]


def weights(folder: Path, model: str, name: str) -> dict:
    path = folder / f"output/GREW/{model}/{name}/checkpoints/{name}-00004.pt"
    return torch.load(path, map_location="cpu", weights_only=True)["model"]


CHECKOUTS = ["OpenGait", pytest.param("OpenGait-v2.0", marks=pytest.mark.heavy)]


@pytest.mark.parametrize(
    ("host", "processes"),
    [
        ("embedded", 1),
        ("OpenGait", 2),
        *(pytest.param(*run, marks=pytest.mark.heavy)
          for run in (("embedded", 2), ("OpenGait", 1), ("OpenGait-v2.0", 1), ("OpenGait-v2.0", 2))),
    ],
)  # fmt: skip
def test_pretrain_distil_and_test(host, processes, data, tmp_path):
    where = "embedded" if host == "embedded" else str(checkout(host))
    before = {} if host == "embedded" else listing(Path(where))
    write_yamls(tmp_path, data)
    options = ("--host", where, "--device", "cpu", "--nproc", str(processes))
    stages = ("teacher", "ven", "aware", "mimic")
    told = {s: opengait_mimic(tmp_path, "train", "--cfgs", f"{s}.yaml", *options) for s in stages}
    assert [s for s in stages if "subjects were generated" in told[s]] == ["ven"]
    assert f"3 of {data['identities']} subjects were generated: either side is drawn as often" in told["ven"]

    ven, mimic = weights(tmp_path, "VisibilityEstimation", "ven"), weights(tmp_path, "MimicGait", "mimic")
    assert not [name for name in mimic if "teacher" in name]
    for name, value in ven.items():
        assert torch.equal(mimic[f"ven.{name}"], value), "the VEN is frozen, and part of the checkpoint"

    printed = opengait_mimic(tmp_path, "test", "--cfgs", "ven.yaml", *options)
    assert "kind right" in printed and "moving_patch" in printed
    aware = rank_1(opengait_mimic(tmp_path, "test", "--cfgs", "aware.yaml", *options))
    with_teacher = rank_1(opengait_mimic(tmp_path, "test", "--cfgs", "mimic.yaml", *options))
    assert with_teacher[2] == aware[2], "HP is the teacher's, whatever is tested"
    assert with_teacher[3] == pytest.approx(with_teacher[0] / with_teacher[2], abs=0.006)

    # the mimic's checkpoint and the YAML files suffice
    for left_over in ("Baseline/teacher", "VisibilityEstimation/ven"):
        shutil.rmtree(tmp_path / "output/GREW" / left_over)
    alone = opengait_mimic(tmp_path, "test", "--cfgs", "mimic.yaml", *options)
    assert rank_1(alone)[:2] == with_teacher[:2]
    assert "RP is not computed" in alone
    assert (before == {}) == (host == "embedded")
    assert host == "embedded" or listing(Path(where)) == before, "the checkout is not touched"


def listing(root: Path) -> dict[str, float]:
    """Every file of a checkout with the time it was changed, byte code aside."""
    files = [p for p in root.rglob("*") if p.is_file() and p.suffix != ".pyc" and ".git" not in p.parts]
    return {str(p): p.stat().st_mtime for p in files}


@pytest.mark.parametrize("version", CHECKOUTS)
def test_checkpoints_move_between_hosts(version, data, tmp_path):
    where = str(checkout(version))
    write_yamls(tmp_path, data)
    for stage, host in (("teacher", where), ("ven", "embedded"), ("mimic", where)):
        opengait_mimic(tmp_path, "train", "--cfgs", f"{stage}.yaml", "--host", host)
    there, here = (opengait_mimic(tmp_path, "test", "--cfgs", "mimic.yaml", "--host", host)
                   for host in (where, "embedded"))  # fmt: skip
    assert rank_1(there) == rank_1(here)


@pytest.mark.parametrize("version", CHECKOUTS)
def test_a_patched_checkout_runs_our_yaml_by_its_own_main_program(version, data, tmp_path):
    root = tmp_path / "OpenGait"
    for part in ("opengait", "configs"):
        shutil.copytree(checkout(version) / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    install(root)
    write_yamls(root, data)
    for stage, phase in (("teacher", "train"), ("ven", "train"), ("mimic", "train"), ("mimic", "test")):
        done = subprocess.run(
            [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
             str(Path(__file__).with_name("on_cpu.py")), "opengait/main.py", "--cfgs", f"{stage}.yaml",
             "--phase", phase],
            cwd=root, env=environment(), capture_output=True, text=True, timeout=400,
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    occluded, _, holistic, relative = rank_1(done.stdout + done.stderr)
    assert relative == pytest.approx(occluded / holistic, abs=0.006)
    assert json.loads(Path(data["partition"]).read_text())["TEST_SET"]
