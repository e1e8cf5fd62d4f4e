"""Mistakes end in one clear message and a status that is not 0, and write nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from commands import environment, opengait_mimic, write_yamls

from opengait_mimic.data.tree import generate_walkers


@pytest.fixture(scope="module")
def walkers(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("walkers")
    root, partition = folder / "sils", folder / "sils.json"
    generate_walkers(root, partition, 6, 4, sequences=4, frames=12)
    return {"root": root, "partition": partition, "identities": 6}


@pytest.fixture
def folder(walkers, tmp_path):
    write_yamls(tmp_path, walkers)
    return tmp_path


def edit(folder: Path, name: str, change) -> None:
    path = folder / f"{name}.yaml"
    cfgs = yaml.safe_load(path.read_text())
    change(cfgs)
    path.write_text(yaml.safe_dump(cfgs))


def kinds(cfgs: dict) -> list:
    return cfgs["trainer_cfg"]["transform"][0]["trf_cfg"][-1]["kinds"]


def message(folder: Path, *arguments: str) -> str:
    """The one line a mistaken command prints on standard error."""
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


def test_an_unknown_kind_is_named_with_the_nearest(folder):
    edit(folder, "ven", lambda c: kinds(c)[0].update(kind="topp"))
    assert "unknown kind 'topp'; did you mean 'top'?" in message(folder, "train", "--cfgs", "ven.yaml")


def test_probabilities_above_1(folder):
    edit(folder, "ven", lambda c: kinds(c)[0].update(prob=0.9))
    assert "add up to 1.4, more than 1" in message(folder, "train", "--cfgs", "ven.yaml")


def test_a_missing_teacher(folder):
    told = message(folder, "train", "--cfgs", "mimic.yaml")
    assert "the VEN's checkpoint is missing" in told or "the teacher's checkpoint is missing" in told
    assert "output/GREW" in told


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_checkpoint_of_another_architecture(folder, processes):
    for stage in ("teacher", "ven"):
        opengait_mimic(folder, "train", "--cfgs", f"{stage}.yaml", "--host", "embedded", "--device", "cpu")
    edit(folder, "teacher", lambda c: c["model_cfg"]["backbone_cfg"].update(channels=[4, 6, 8, 8]))
    told = message(folder, "train", "--cfgs", "mimic.yaml", "--nproc", processes)
    assert "teacher-00004.pt is not a checkpoint of this teacher" in told and "layer2" in told


def test_a_torn_checkpoint(folder):
    place = folder / "output/GREW/Baseline/teacher/checkpoints/teacher-00004.pt"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"PK\x03\x04 torn")
    edit(folder, "mimic", lambda c: c["model_cfg"].update(ven=None))
    assert "teacher-00004.pt cannot be read" in message(folder, "train", "--cfgs", "mimic.yaml")


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


def test_a_data_root_without_silhouettes(folder):
    (folder / "empty").mkdir()
    edit(folder, "teacher", lambda c: c["data_cfg"].update(dataset_root="empty"))
    assert "empty holds no silhouettes" in message(folder, "train", "--cfgs", "teacher.yaml")


def test_more_processes_than_the_batch_can_be_split_into(folder):
    told = message(folder, "train", "--cfgs", "teacher.yaml", "--nproc", "3")
    assert "a batch of 8 clips cannot be split into 3 processes" in told


def test_no_file_and_no_yaml(folder):
    assert "nothere.yaml: cannot be read: No such file" in message(folder, "train", "--cfgs", "nothere.yaml")
    (folder / "broken.yaml").write_text("model_cfg: {model: MimicGait\ntrainer_cfg: [")
    assert "broken.yaml, line 2: not valid YAML" in message(folder, "train", "--cfgs", "broken.yaml")


def test_unknown_keys_and_models(folder):
    edit(folder, "mimic", lambda c: c["model_cfg"].update(bakbone="x"))
    assert "unknown key 'bakbone'; did you mean 'backbone'?" in message(folder, "train", "--cfgs", "mimic.yaml")
    edit(folder, "teacher", lambda c: c["model_cfg"].update(model="Baselin"))
    assert "'Baselin'; did you mean 'Baseline'?" in message(folder, "train", "--cfgs", "teacher.yaml")


def test_a_test_before_the_training(folder):
    assert "no checkpoint at output/GREW/Baseline/teacher" in message(folder, "test", "--cfgs", "teacher.yaml")


def test_a_host_that_is_none(folder):
    done = subprocess.run(
        [sys.executable, "-m", "opengait_mimic", "train", "--cfgs", "ven.yaml", "--host", "."],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2 and "no OpenGait checkout at" in done.stderr


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_ends_quietly_and_takes_its_processes_along(folder, how, processes):
    edit(folder, "teacher", lambda c: c["trainer_cfg"].update(total_iter=10**6, save_iter=10**6, log_iter=2))
    process = subprocess.Popen(
        [sys.executable, "-m", "opengait_mimic", "train", "--cfgs", "teacher.yaml", "--host", "embedded",
         "--device", "cpu", "--nproc", processes],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    for line in process.stdout:
        if "iteration" in line:
            break
    process.send_signal(how)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr and "opengait-mimic: interrupted" in stderr
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _alive(process.pid):
        time.sleep(0.2)
    assert not _alive(process.pid), "no process of the run is left"


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


def _alive(session: int) -> list[int]:
    """Processes of a session that still run."""
    alive = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            alive.append(int(stat.parent.name))
    return alive


@pytest.fixture
def refusal(folder, call, monkeypatch):
    """What `message` gives, for mistakes found before a run is started: without a process of its own."""

    def told(*arguments: str) -> str:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(signal, "signal", lambda *handler: None)  # those of the tests stay
        monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
        before = sorted(p for p in folder.rglob("*") if p.is_file())
        ended = call(*arguments, "--host", "embedded", "--device", "cpu")
        (line,) = ended.err.splitlines()
        assert ended.status == 2 and line.startswith("opengait-mimic: ")
        assert sorted(p for p in folder.rglob("*") if p.is_file()) == before, "nothing is written"
        return line

    return told


def occluded(folder: Path, **section) -> None:
    """Give mimic.yaml a section evaluator_cfg.occluded; it tests by our own protocol."""
    edit(folder, "mimic", lambda c: c["evaluator_cfg"].update(eval_func="evaluate_recognition", occluded=section))


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"who": "probes"}, "occluded: who: 'probes'; did you mean 'probe'?"),
        ({"severities": [0.4]}, "occluded: unknown key 'severities'; did you mean 'severity'?"),
        ({"gallery_by": "teacher"}, "occluded: gallery_by: the teacher embeds whole galleries only; set who: probe"),
        ({"adaptability": {"new": ["middle"]}}, "adaptability: new: the network was not trained on middle"),
        ({"generalizability": {"new": ["top"]}}, "generalizability: new: the network was trained on top"),
        ({"generalizability": {"new": ["midle"]}}, "new: Occlusion: unknown kind 'midle'; did you mean 'middle'?"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_occluded_evaluation_that_cannot_be(folder, refusal, section, told):
    occluded(folder, **section)
    assert told in refusal("test", "--cfgs", "mimic.yaml")


def test_probes_alone_need_our_own_eval_function(folder, refusal):
    edit(folder, "mimic", lambda c: c["evaluator_cfg"].update(occluded={"who": "probe"}))
    assert "need eval_func evaluate_recognition" in refusal("test", "--cfgs", "mimic.yaml")


def test_an_occluded_evaluation_without_an_occlusion(folder, refusal):
    occluded(folder, who="both")
    edit(folder, "mimic", lambda c: c["evaluator_cfg"]["transform"][0]["trf_cfg"].pop())
    assert "occluded: there is no Occlusion at the end of" in refusal("test", "--cfgs", "mimic.yaml")


def test_a_gallery_without_probes(folder, refusal):
    occluded(folder)
    edit(folder, "mimic", lambda c: c["evaluator_cfg"].update(gallery=["01"]))
    assert "evaluator_cfg.probe: expected a list of walking types" in refusal("test", "--cfgs", "mimic.yaml")
    edit(folder, "mimic", lambda c: c["evaluator_cfg"].update(probe=[2]))
    assert "quote '01' in YAML), found [2]" in refusal("test", "--cfgs", "mimic.yaml")


def test_a_data_set_without_a_protocol(folder, refusal):
    occluded(folder)
    edit(folder, "mimic", lambda c: c["data_cfg"].update(test_dataset_name="Gait-3D"))
    assert "no protocol for the data set 'Gait-3D'; did you mean 'Gait3D'?" in refusal("test", "--cfgs", "mimic.yaml")


def test_a_task_that_a_ven_does_not_have(folder, refusal):
    edit(folder, "ven", lambda c: c["model_cfg"].update(tasks=["clasification"]))
    assert "VEN: tasks: unknown task 'clasification'; did you mean 'classification'?" in refusal(
        "train", "--cfgs", "ven.yaml"
    )


def test_a_seed_below_0(folder, refusal):
    edit(folder, "ven", lambda c: c["trainer_cfg"].update(seed=-1))
    assert "trainer_cfg: seed: -1 is not a whole number from 0" in refusal("train", "--cfgs", "ven.yaml")


def test_an_untrained_network(folder, refusal):
    edit(folder, "aware", lambda c: c["evaluator_cfg"].update(restore_hint=0))
    told = refusal("test", "--cfgs", "aware.yaml")
    assert "restore_hint: 0 tests an untrained network" in told and "init_from_teacher: true" in told


def test_a_backbone_with_several_inputs_is_refused_by_name(folder):
    edit(folder, "mimic", lambda c: c["model_cfg"].update(backbone={"model": "SMPLGait"}, ven=None))
    told = message(folder, "train", "--cfgs", "mimic.yaml")
    assert "backbone: SMPLGait takes silhouettes with SMPL parameters; a backbone takes one clip" in told
