"""Result files: written whole or not at all, read back as they were, and nothing else taken for one."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np
import pytest

from opengait_mimic import __version__
from opengait_mimic.errors import DataError
from opengait_mimic.evaluation import results
from opengait_mimic.evaluation.results import fingerprint, read_result, versions, write_result

CONTENT = {"kind": "recognition", "method": "Mimic + VEN", "dataset": "Größe", "tests": [{"RP": None, "mean": 0.1}]}
PROBES = {"names": np.array(["a/02/00", "b/02/00"]), "weights": np.full(2, 0.5), "0.4/hits": np.ones((2, 4))}


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "output" / "results" / "mimic-00003.json"
    write_result(path, CONTENT, PROBES)
    assert read_result(path) == {"format": 1, **CONTENT, "probes": "mimic-00003.npz"}
    with np.load(path.with_suffix(".npz")) as arrays:
        assert set(arrays) == set(PROBES)
        for name, array in PROBES.items():
            np.testing.assert_array_equal(arrays[name], array)
    assert sorted(p.name for p in path.parent.iterdir()) == ["mimic-00003.json", "mimic-00003.npz"]


def test_without_arrays_there_is_no_file_of_them(tmp_path):
    write_result(tmp_path / "ven.json", CONTENT, {})
    assert read_result(tmp_path / "ven.json")["probes"] is None
    assert os.listdir(tmp_path) == ["ven.json"]


def test_a_number_that_is_none_is_not_written_and_what_was_there_stays(tmp_path):
    path = tmp_path / "r.json"
    write_result(path, CONTENT, PROBES)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_result(path, {**CONTENT, "mean": bad}, {"names": np.array(["c"])})
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_write_that_is_cut_off_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "r.json"
    write_result(path, CONTENT, PROBES)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(stream, **arrays):
        stream.write(b"PK")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results.np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space left"):
        write_result(path, {**CONTENT, "method": "other"}, PROBES)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        '"format"',
        '{"format": 2, "kind": "recognition"}',
        '{"format": 1}',
        '{"rows": [], "seed": 0}',
    ],
)
def test_other_json_is_refused(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(DataError, match="other.json: not a result file of this version"):
        read_result(path)


def test_what_cannot_be_read_says_why(tmp_path):
    with pytest.raises(DataError, match="none.json: cannot be read: No such file"):
        read_result(tmp_path / "none.json")
    (tmp_path / "torn.json").write_text('{"format": 1, "ki')
    with pytest.raises(DataError, match="torn.json: cannot be read: Unterminated"):
        read_result(tmp_path / "torn.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="binary.json: cannot be read"):
        read_result(tmp_path / "binary.json")


def test_a_checkpoint_is_known_by_its_bytes(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    path.write_bytes(b"weights" * 500_000)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert fingerprint(path, iteration=3) == {"path": str(path), "sha256": digest, "iteration": 3}
    monkeypatch.delattr(hashlib, "file_digest", raising=False)  # as on Python 3.10
    assert fingerprint(path)["sha256"] == digest
    assert fingerprint(None) is None and fingerprint(tmp_path / "gone.pt") is None


def test_versions_name_what_numbers_depend_on():
    found = versions()
    assert found["opengait-mimic"] == __version__ and set(found) == {"opengait-mimic", "python", "torch", "numpy"}
    assert json.loads(json.dumps(found)) == found
