"""Result files: written whole or not at all, read back as they were, and nothing else taken for one."""

from __future__ import annotations

import hashlib
import json

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
    assert [p.name for p in tmp_path.iterdir()] == ["ven.json"]


@pytest.mark.parametrize("bad", ["nan", "full"])
def test_what_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch, bad):
    path = tmp_path / "r.json"
    write_result(path, CONTENT, PROBES)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(stream, **_):
        stream.write(b"PK")
        raise OSError(28, "No space left on device")

    if bad == "full":
        monkeypatch.setattr(results.np, "savez_compressed", full)
    with pytest.raises((ValueError, OSError), match=r"not JSON compliant|No space left"):
        write_result(path, {**CONTENT, "mean": float("nan") if bad == "nan" else 1}, {"names": np.array(["c"])})
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{}", "not a result file of this version"),
        (b"[]", "not a result file of this version"),
        (b'{"format": 2, "kind": "recognition"}', "not a result file of this version"),
        (b'{"format": 1}', "not a result file of this version"),
        (b'{"format": 1, "ki', "cannot be read: Unterminated"),
        (b"\xff\xfe\x00", "cannot be read"),
        (None, "cannot be read: No such file"),
    ],
)
def test_anything_else_is_refused(tmp_path, text, words):
    path = tmp_path / "other.json"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(DataError, match=f"other.json: {words}"):
        read_result(path)


def test_a_checkpoint_is_known_by_its_bytes(tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(b"weights" * 500_000)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert fingerprint(path, iteration=3) == {"path": str(path), "sha256": digest, "iteration": 3}
    assert fingerprint(None) is None and fingerprint(tmp_path / "gone.pt") is None


def test_versions_name_what_numbers_depend_on():
    found = versions()
    assert found["opengait-mimic"] == __version__ and set(found) == {"opengait-mimic", "python", "torch", "numpy"}
    assert json.loads(json.dumps(found)) == found
