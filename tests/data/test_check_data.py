"""`opengait-mimic check-data`: every file that is broken or odd, by its path, and what there is."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from opengait_mimic.cli import commands
from opengait_mimic.data.check_data import ERROR, WARNING, check_data
from opengait_mimic.errors import DataError

CLIP = np.zeros((5, 64, 44), np.uint8)
CLIP[:, 10:50, 10:30] = 255


def put(root: Path, subject: str, content, kind="00", view="000", name="000.pkl") -> Path:
    path = root / subject / kind / view / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    return path


@pytest.fixture
def root(tmp_path) -> Path:
    """Three good subjects, two types."""
    for subject in ("001", "002", "003"):
        for kind in ("nm", "bg"):
            put(tmp_path / "sils", subject, CLIP, kind)
    return tmp_path / "sils"


def with_value(value) -> np.ndarray:
    clip = CLIP.astype(np.float32)
    clip[1, 2, 3] = value
    return clip


@pytest.mark.parametrize(
    ("content", "level", "problem"),
    [
        (b"", ERROR, "cannot be read: it is an empty file"),
        (b"hello", ERROR, "cannot be read"),
        (pickle.dumps(CLIP)[:999], ERROR, "cannot be read: it ends too early"),
        (CLIP[:0], ERROR, "holds no frame"),
        (CLIP[0], ERROR, "expected frames [s, h, w], found the shape [64, 44]"),
        (CLIP[:, :, :40], ERROR, "frames of 64×40, not 64×44 as in most others"),
        (CLIP[:, :32], ERROR, "frames of 32×44, not 64×44"),
        (CLIP[:, None], ERROR, "frames of 1×64×44, not 64×44"),
        (np.array([CLIP[0], CLIP[0, :9]], dtype=object), ERROR, "an array of objects"),
        (list(CLIP), ERROR, "a list, not an array"),
        (with_value(np.nan), ERROR, "NaN or infinite"),
        (with_value(-np.inf), ERROR, "NaN or infinite"),
        (CLIP // 255, ERROR, "values from 0 to 1; expected 0 to 255"),
        (CLIP / 255, ERROR, "values from 0 to 1; expected 0 to 255"),
        (CLIP > 0, ERROR, "values from 0 to 1; expected 0 to 255"),
        (CLIP.astype(np.float32), WARNING, "float32 values; expected uint8"),
        (CLIP.astype(np.int64), WARNING, "int64 values; expected uint8"),
        (with_value(-3), WARNING, "values from -3 to 255"),
        (CLIP.astype(np.uint16) * 2, WARNING, "values from 0 to 510"),
        (CLIP[:1], WARNING, "one frame"),
        (CLIP * 0, WARNING, "all black"),
        (CLIP * 0 + 255, WARNING, "every pixel is 255"),
        (255 - CLIP, WARNING, "bright corners"),
    ],
)
def test_an_odd_file_is_named_with_what_is_odd(root, content, level, problem):
    path = put(root, "002", content, "cl")
    report = check_data(root, jobs=1)
    assert {f.path for f in report.findings} == {str(path)}
    assert any(f.level == level and problem in f.problem for f in report.findings), report.findings


def test_a_good_data_set_is_counted_and_nothing_is_odd(root):
    put(root, "003", np.concatenate([CLIP, CLIP]), "bg", "090")
    report = check_data(root)
    assert report.findings == []
    assert (report.subjects, report.sequences, report.files, report.frames) == (3, 7, 7, 40)
    assert report.per_subject == {"001": 2, "002": 2, "003": 3}
    assert report.types == {"bg": 4, "nm": 3} and report.views == {"000": 6, "090": 1}
    assert report.lengths == (5, 5.0, 10) and report.sizes == {"64×44": 7}


def test_streams_of_a_sequence_have_the_same_number_of_frames(root):
    path = put(root, "002", np.zeros((4, 2)), "nm", name="001.pkl")
    (finding,) = check_data(root).findings
    assert finding == (ERROR, str(path.parent), "streams of different lengths: 000.pkl 5, 001.pkl 4")


def test_what_is_no_file_is_named_and_does_not_stop_the_search(root):
    (root / "004/nm/000/folder.pkl").mkdir(parents=True)
    (root / "005/nm/000").mkdir(parents=True)
    (root / "005/nm/000/loop.pkl").symlink_to("loop.pkl")
    (root / "006/nm/000").mkdir(parents=True)
    os.mkfifo(root / "006/nm/000/pipe.pkl")
    (root / "007").symlink_to(root)
    (root / "008").symlink_to("nowhere")
    (root / "009/nm/000").mkdir(parents=True)
    (root / "notes.txt").write_text("")
    put(root, "001", b"", "nm", name=".DS_Store")
    told = {Path(f.path).relative_to(root).as_posix(): f.problem for f in check_data(root).findings}
    assert told.pop("004/nm/000/folder.pkl").startswith("cannot be read")
    assert "symbolic links" in told.pop("005/nm/000/loop.pkl")
    assert "no file" in told.pop("006/nm/000/pipe.pkl")
    assert told == {
        "007": "is a link to a folder it lies in",
        "008": "is no folder, where the subjects are",
        "009/nm/000": "holds no .pkl",
        "notes.txt": "is no folder, where the subjects are",
        "001/nm/000/.DS_Store": "is no .pkl; OpenGait stops at it",
    }


def test_frames_that_no_network_takes_are_named(tmp_path):
    put(tmp_path, "1", CLIP[:, :50, :40])
    (finding,) = check_data(tmp_path).findings
    assert finding.level == WARNING and "frames of 50×40; OpenGait's networks take 64×64, 64×44" in finding.problem


@pytest.mark.parametrize(
    ("content", "level", "problem"),
    [
        ({"TRAIN_SET": ["001", "002"], "TEST_SET": ["003", "009"]}, WARNING, "TEST_SET: not in the folder: 009"),
        ({"TRAIN_SET": ["001", "002"], "TEST_SET": []}, WARNING, "in the folder, but in neither set: 003"),
        ({"TRAIN_SET": ["001", "002"], "TEST_SET": []}, ERROR, "TEST_SET: none of its 0 subjects is there"),
        ({"TRAIN_SET": ["001", "002"], "TEST_SET": ["002", "003"]}, ERROR, "in TRAIN_SET and in TEST_SET: 002"),
        ({"TRAIN_SET": ["001", "001", "002"], "TEST_SET": ["003"]}, WARNING, "TRAIN_SET: stand twice: 001"),
        ({"TRAIN_SET": ["001", "002", "003"]}, ERROR, "no JSON with TEST_SET"),
        ({"TRAIN_SET": {"001": 1}, "TEST_SET": []}, ERROR, "no JSON with TRAIN_SET, a list"),
        ({"TRAIN_SET": [["001"]], "TEST_SET": []}, ERROR, "expected names of subjects"),
        ([1], ERROR, "found list"),
        ("{", ERROR, "no JSON"),
        ("[" * 100_000, ERROR, "no JSON"),
        (b"\xff\xff", ERROR, "no JSON"),
        (None, ERROR, "cannot be read: No such file"),
    ],
)
def test_a_partition_is_compared_with_the_folders(root, tmp_path, content, level, problem):
    path = tmp_path / "part.json"
    if isinstance(content, (str, bytes)):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    elif content is not None:
        path.write_text(json.dumps(content))
    found = check_data(root, path).findings
    assert any(f.level == level and f.path == str(path) and problem in f.problem for f in found), found


def test_processes_change_nothing(tmp_path):
    for number in range(70):
        put(tmp_path, f"{number:03}", CLIP * 0 if number % 9 == 0 else CLIP)
    assert check_data(tmp_path, jobs=3) == check_data(tmp_path, jobs=1)
    assert len(check_data(tmp_path, jobs=3).findings) == 8


def test_an_empty_or_missing_folder(tmp_path):
    assert [f.problem for f in check_data(tmp_path).findings] == [
        "holds no silhouettes (<subject>/<type>/<view>/*.pkl)"
    ]
    with pytest.raises(DataError, match="no such folder"):
        check_data(tmp_path / "none")


def test_the_command_prints_every_finding_and_ends_with_1(root):
    path = put(root, "002", CLIP[:1], "cl")
    done = CliRunner().invoke(commands, ["check-data", str(root)])
    assert done.exit_code == 1 and f"warning: {path}: one frame" in done.output
    assert "3 subjects, 7 sequences, 7 files, 31 frames" in done.output
    assert "0 errors (a training refuses them), 1 warning\n" in done.output
    done = CliRunner().invoke(commands, ["check-data", str(root), "--json"])
    content = json.loads(done.output)
    assert done.exit_code == 1 and content["sequences"] == 7
    assert content["findings"] == [{"level": "warning", "path": str(path), "problem": "one frame"}]
    path.unlink()
    path.parent.rmdir(), path.parent.parent.rmdir()
    done = CliRunner().invoke(commands, ["check-data", str(root)])
    assert done.exit_code == 0 and "nothing odd" in done.output
