"""The demo, from data to table."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import doubles
import pytest
from short_tables import tree

from opengait_mimic.apps.experiments import demo, stages
from opengait_mimic.apps.experiments.recipes import METHODS
from opengait_mimic.apps.inference.gallery import read_gallery
from opengait_mimic.cli import main
from opengait_mimic.errors import DataError
from opengait_mimic.evaluation.results import read_result

ROWS = ["Baseline-1", "Baseline-2", "Control", "Vanilla Mimic", "Mimic + VEN"]


def test_from_walkers_to_the_table(short, tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "_work", doubles.work)
    said: list[str] = []
    table = demo.run_demo(tmp_path / "out", None, None, seed=0, say=said.append).table
    for method in ROWS:
        assert re.search(rf"\| {re.escape(method)} +\| \d+\.\d \((\d\.\d\d|-)\)", table)
    assert "HP, the teacher on holistic clips: Rank-1 " in table
    assert said[0].startswith("Generating walkers") and len(said) == 1 + 12 and said[-1].startswith("[12/12]")
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [row["method"] for row in results["rows"]] == ROWS
    assert results["seed"] == 0 and results["seconds"] > 0 and results["versions"]["torch"]
    for row in results["rows"]:
        for values in row["metrics"].values():
            assert values["RP"] is None or values["RP"] == pytest.approx(values["occluded"] / values["HP"])
    assert (tmp_path / "out" / "occlusions.png").stat().st_size > 10_000
    assert (tmp_path / "out" / "results.md").read_text() == table + "\n"
    page = (tmp_path / "out" / demo.PAGE).read_text()
    titles = re.findall("<h2>(.*?)</h2>", page)
    assert titles[:3] == ["What was trained", "The table", "Figure 1"] and titles[-1] == "Next"
    trained = page.partition('id="trained"')[2].partition("</section>")[0]
    for name in ("Teacher", "VEN", *ROWS[1:]):
        assert f">{name}</th>" in trained
    assert all(f">{name}</th>" in page.partition('id="results"')[2] for name in ROWS)
    assert len(re.findall("<pre><code>opengait-mimic ", page)) == 3
    assert "http" not in re.sub(r"http://www.w3.org/[\w/#-]*", "", page) and "<script" not in page
    said.clear()
    assert demo.run_demo(tmp_path / "out", None, None, seed=0, say=said.append).table == table
    assert said[1:] == ["12 of 12 stages were done before"]


def test_the_methods_are_the_papers_and_the_control():
    assert [METHODS[method].title for method, _ in demo.RUNS] == ["Teacher", "VEN", *ROWS]
    assert {kinds for _, kinds in demo.RUNS} == {"standard"}


@pytest.mark.parametrize(
    ("dataset", "types", "views", "probes", "conditions"),
    [
        ("GREW", ["01", "02"], ["00"], [], []),
        ("CASIA-B", ["nm-01", "nm-05", "bg-01"], ["000", "090"], [], ["NM", "BG"]),
        ("Gait3D", ["camid0_videoid2", "camid1_videoid1"], ["seq0"], ["camid0_videoid2-seq0"], []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_data_set_of_ones_own_in_fact(short, tmp_path, monkeypatch, dataset, types, views, probes, conditions):
    monkeypatch.setattr(demo, "RUNS", [("teacher", "standard"), ("baseline1", "standard")])
    root, partition = tree(tmp_path, types, views, probes)
    monkeypatch.chdir(tmp_path)
    table, _, commands = demo.run_demo(Path("out"), root, partition, seed=0, say=print)
    assert re.search(r"\| Baseline-1 +\| \d+\.\d \((\d\.\d\d|-)\)", table)
    (path,) = (tmp_path / "out").rglob("results/*.json")
    result = read_result(path)
    assert result["dataset"] == dataset and list(result["tests"][0]["conditions"]) == conditions
    if dataset == "GREW":
        main(shlex.split(commands[0][1])[1:])
        assert len(read_gallery("embeddings.npz")) == sum(1 for _ in root.glob("*/*/*/*.pkl"))


def test_a_data_set_that_cannot_be_used_is_refused_before_anything_is_written(tmp_path):
    root, partition = tree(tmp_path, ["01", "02"])
    (tmp_path / "empty").mkdir()
    sets = json.loads(partition.read_text())
    with pytest.raises(DataError, match="empty holds no silhouettes"):
        demo.run_demo(tmp_path / "out", tmp_path / "empty", partition, 0, print)
    partition.write_text(json.dumps({**sets, "TRAIN_SET": sets["TRAIN_SET"][:1]}))
    with pytest.raises(DataError, match="TRAIN_SET: silhouettes of one subject"):
        demo.run_demo(tmp_path / "out", root, partition, 0, print)
    assert not (tmp_path / "out").exists()
