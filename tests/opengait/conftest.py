"""Walkers, and a teacher and a VEN that learned a little from them, once for all tests of our models in a host."""

from __future__ import annotations

import copy
import shutil

import pytest
import yaml
from narrow import GAITBASE, IDENTITY, KINDS, SEEN, VEN, configuration

from opengait_mimic.data.tree import generate_walkers
from opengait_mimic.opengait.activation import activate


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walkers")
    generate_walkers(folder / "sils", folder / "sils.json", 6, 4, sequences=4, frames=24, width=44, test_frames=8)
    return {"dataset_root": str(folder / "sils"), "dataset_partition": str(folder / "sils.json")}


@pytest.fixture(scope="session")
def first_stage(data, tmp_path_factory):
    """A folder with teacher.yaml and ven.yaml, both trained for three iterations."""
    activate("embedded")
    from main import run

    folder = tmp_path_factory.mktemp("first-stage")
    teacher = configuration(data, "teacher", GAITBASE, IDENTITY)
    teacher["evaluator_cfg"]["restore_hint"] = 3
    ven = configuration(data, "ven", VEN, SEEN, KINDS)
    ven["evaluator_cfg"].update(restore_hint=3, eval_func="evaluate_visibility")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, cfgs in (("teacher", teacher), ("ven", ven)):
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(cfgs))
            run(copy.deepcopy(cfgs), training=True)
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def trained(first_stage, here):
    """A trained teacher and VEN in the working directory, named by teacher.yaml and ven.yaml."""
    shutil.copytree(first_stage, here, dirs_exist_ok=True)
    return here
