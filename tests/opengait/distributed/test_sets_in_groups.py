"""A test set is tested whole, each clip once, whatever its size and the number of processes."""

from __future__ import annotations

import copy
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from narrow import GAITBASE, IDENTITY, KINDS, MICKD, configuration
from shares import seen_by_host, seen_by_us

MIMIC = {"model": "MimicGait", "backbone": GAITBASE, "ven": "ven.yaml", "init_from_teacher": True,
         "teacher": {"checkpoint": "output/GREW/Baseline/teacher/checkpoints/teacher-00003.pt"}}  # fmt: skip


@pytest.fixture(scope="module")
def sets(data, tmp_path_factory) -> dict[int, dict]:
    """Test sets of 1 to 9 clips, by their number."""
    folder, found = tmp_path_factory.mktemp("sets"), {}
    clips = sorted(Path(data["dataset_root"]).glob("*/*/*/*.pkl"))
    for count in (1, 2, 3, 5, 7, 9):
        root = folder / str(count)
        for clip in clips[-count:]:
            place = root / clip.relative_to(data["dataset_root"])
            place.parent.mkdir(parents=True)
            shutil.copy(clip, place)
        names = sorted(path.name for path in root.iterdir())
        (folder / f"{count}.json").write_text(json.dumps({"TRAIN_SET": [], "TEST_SET": names}))
        found[count] = {"dataset_root": str(root), "dataset_partition": str(folder / f"{count}.json")}
    return found


def alone_and_together(look, group, cfgs):
    group(os.chdir, Path.cwd())
    return look(copy.deepcopy(cfgs)), group(look, cfgs)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 9])
def test_our_models_see_every_clip_once_and_the_same_to_the_last_digit(several, sets, trained, count):
    cfgs = configuration(sets[count], "mimic", MIMIC, MICKD, KINDS)
    alone, (first, *others) = alone_and_together(seen_by_us, several, cfgs)
    assert len({tuple(name) for name in alone["names"]}) == count
    assert others == [None] * (several.count - 1)
    for name, values in alone.items():
        assert np.array_equal(values, first[name]), name


@pytest.mark.parametrize("count", [1, 3, 5, 9])
def test_the_embedded_hosts_own_models_too(several, sets, trained, count):
    cfgs = configuration(sets[count], "teacher", GAITBASE, IDENTITY)
    cfgs["evaluator_cfg"]["restore_hint"] = 3
    alone, together = alone_and_together(seen_by_host, several, cfgs)
    assert len(alone["embeddings"]) == count
    for found in together:
        assert np.array_equal(found["embeddings"], alone["embeddings"])
