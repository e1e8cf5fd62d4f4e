"""The recorded numbers are what a real OpenGait gives."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import recorded
from commands import checkout, environment


@pytest.fixture(scope="module")
def anew(tmp_path_factory):
    """A folder with everything recorded anew."""
    folder = tmp_path_factory.mktemp("recorded")
    program = recorded.HERE.parent / "record.py"
    done = subprocess.run(
        [sys.executable, str(program), "--out", str(folder)], capture_output=True, text=True, timeout=300,
        env=environment() | {"OPENGAIT_MIMIC_DEVICE": "cpu", "OPENGAIT_ROOT": str(checkout("OpenGait"))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("path", sorted(recorded.HERE.glob("*.npz")), ids=lambda path: path.stem)
def test_a_checkout_gives_the_recorded_numbers(anew, path):
    with np.load(path) as before, np.load(anew / path.name) as after:
        assert before.files == after.files
        for key in before.files:
            if before[key].dtype == np.float32:
                np.testing.assert_allclose(after[key], before[key], atol=1e-4, err_msg=key)
            elif key.endswith(("expected", "logged")):
                found, expected = json.loads(bytes(after[key])), json.loads(bytes(before[key]))
                np.testing.assert_equal(found, expected)
            else:
                np.testing.assert_array_equal(after[key], before[key], err_msg=key)


def test_the_recordings_are_small():
    assert sum(path.stat().st_size for path in recorded.HERE.rglob("*")) < 3e6
