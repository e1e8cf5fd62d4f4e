"""`from opengait_mimic import …`: what a program starts from, loaded on first use."""

from __future__ import annotations

import subprocess
import sys

import pytest

import opengait_mimic


def ran(program: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_importing_the_package_waits_for_neither_torch_nor_numpy():
    done = ran("import sys, opengait_mimic; print({'torch', 'numpy', 'kornia'} & {*sys.modules}, opengait_mimic)")
    assert done.stdout.startswith("set()"), done.stderr


def test_every_public_name_is_there_once_a_host_is():
    done = ran(
        "import opengait_mimic\n"
        "try:\n    opengait_mimic.Backbone\n"
        "except opengait_mimic.errors.HostError as error:\n    print(error)\n"
        "opengait_mimic.activate('embedded')\n"
        "assert all(getattr(opengait_mimic, name) is not None for name in opengait_mimic.__all__)\n"
        "assert set(opengait_mimic.__all__) <= set(dir(opengait_mimic))\n"
    )
    assert done.returncode == 0, done.stderr
    assert "Backbone needs a host" in done.stdout


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        opengait_mimic.nothing  # noqa: B018
