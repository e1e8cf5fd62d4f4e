"""What the pages find in the folder in which a reader follows them."""

from __future__ import annotations

import shutil

import pytest
from trained import mimic_in


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    """A small data set `sils` and a teacher, a VEN and a mimic with their YAML files, as the pages describe it."""
    return mimic_in(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def reader(trained_once, tmp_path):
    """The reader's folder, a copy for each page."""
    return shutil.copytree(trained_once, tmp_path / "reader")
