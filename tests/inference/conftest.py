"""Trained models of every backbone and kind, once for all tests of inference."""

from __future__ import annotations

import pytest
from trained import mimic_in, train_mimic


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """By backbone, a folder with data, teacher, VEN and mimic; GaitBase's also has what stands without a VEN."""
    made = {}

    def run(backbone="GaitBase"):
        if backbone not in made:
            folder = mimic_in(tmp_path_factory.mktemp(backbone), backbone)
            if backbone == "GaitBase":
                data = {"dataset_root": str(folder / "sils"), "dataset_partition": str(folder / "sils.json")}
                train_mimic(folder, data, ven=None, name="vanilla")
                train_mimic(folder, data, model="OcclusionAware", name="aware")
            made[backbone] = folder
        return made[backbone]

    return run


@pytest.fixture
def run(runs, monkeypatch):
    """The working directory with GaitBase's models."""
    monkeypatch.chdir(runs())
    return runs()
