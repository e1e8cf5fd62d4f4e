"""The demo, from data to table, shortened to a few iterations."""

from __future__ import annotations

import json
import re

import pytest

from opengait_mimic import demo
from opengait_mimic.data.tree import walker_sequence as walker
from opengait_mimic.data.tree import write_sequence
from opengait_mimic.errors import DataError


@pytest.fixture
def short(monkeypatch):
    """Every training of the demo takes two iterations."""
    full = demo.configurations

    def configurations(*arguments):
        configs = full(*arguments)
        for cfgs in configs.values():
            cfgs["trainer_cfg"].update(total_iter=2, save_iter=2)
            cfgs["evaluator_cfg"]["restore_hint"] = 2
            cfgs["scheduler_cfg"]["total_steps"] = 3
        return configs

    monkeypatch.setattr(demo, "configurations", configurations)


def tree(folder, types: dict[str, list[str]], views=("00",), probes=()):
    """A data set of six training and four test subjects, with the given types for the test subjects."""
    for subject in range(10):
        kinds = ["00"] if subject < 6 else types
        for number, kind in enumerate(kinds):
            for place, view in enumerate(["00", "01", "02", "03"] if subject < 6 else views):
                write_sequence(
                    folder / "sils", f"{subject:03d}", kind, view, walker(0, subject, 10 * number + place, 6)
                )
    names = [f"{subject:03d}" for subject in range(10)]
    sets = {"TRAIN_SET": names[:6], "TEST_SET": names[6:]}
    if probes:
        sets["PROBE_SET"] = [f"{name}-{probe}" for name in names[6:] for probe in probes]
    (folder / "sils.json").write_text(json.dumps(sets))
    return folder / "sils", folder / "sils.json"


@pytest.mark.parametrize(
    ("types", "views", "probes", "metric"),
    [
        (["01", "02"], ["00"], [], "Rank-1"),
        (["nm-01", "nm-05", "bg-01"], ["000", "090"], [], "NM@R1"),
        (["camid0_videoid2", "camid1_videoid1"], ["seq0"], ["camid0_videoid2-seq0"], "mAP"),
    ],
    ids=["GREW", "CASIA-B", "Gait3D"],
)
def test_a_data_set_of_ones_own(short, tmp_path, types, views, probes, metric):
    root, partition = tree(tmp_path, types, views, probes)
    said: list[str] = []
    table = demo.run_demo(tmp_path / "out", root, partition, seed=0, say=said.append)
    for method in ("Baseline-1", "Baseline-2", "Control", "Vanilla Mimic", "Mimic + VEN"):
        assert re.search(rf"\| {re.escape(method)}.*\d\.\d \((\d\.\d\d|-)\)", table)
    assert metric in table and "HP, the teacher on whole clips" in table
    assert len(said) == len(demo.STAGES) and "left)" in said[-1]
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    for row in results["rows"]:
        for values in row["metrics"].values():
            assert values["RP"] is None or values["RP"] == pytest.approx(values["occluded"] / values["HP"])
    assert (tmp_path / "out" / "occlusions.png").stat().st_size > 10_000
    assert (tmp_path / "out" / "results.md").read_text().startswith("| method")


def test_types_that_no_protocol_knows_are_named(tmp_path):
    root, partition = tree(tmp_path, ["a", "b"])
    with pytest.raises(DataError, match=r"cannot tell gallery from probe.*'a', 'b'"):
        demo.guess_protocol(root, partition)


def test_an_empty_folder_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "p.json").write_text('{"TRAIN_SET": ["1"], "TEST_SET": ["2"]}')
    with pytest.raises(DataError, match="empty holds no silhouettes"):
        demo.run_demo(tmp_path / "out", tmp_path / "empty", tmp_path / "p.json", 0, print)
    assert not (tmp_path / "out").exists()
