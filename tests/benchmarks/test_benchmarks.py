"""The benchmarks measure what they say, and both sides of each comparison do the same."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import loss
import numpy as np
import painting
import pytest
import torch
from measure import Report, in_turn, peak_memory

from opengait_mimic.method.occlusion import TYPES, apply_occlusion

ROOT = Path(__file__).resolve().parents[2]


def test_sides_are_called_in_turn_and_the_first_round_does_not_count():
    called, pauses = [], {"a": 0.002, "b": 0.006}

    def side(name):
        def run():
            called.append(name)
            time.sleep(0.2 if called.count(name) == 1 else pauses[name])

        return run

    a, b = in_turn([side("a"), side("b")], seconds=0, least=3)
    assert called == ["a", "b"] * 4
    assert 2 <= a < 100 and 6 <= b < 100


def test_a_report_as_a_table_and_as_json(tmp_path):
    report = Report("some")
    report.add("fast", 2.0, 9.0, "theirs", target="4")
    report.add("impossible", 5.0, None, "theirs", "MiB", note="theirs: out of memory")
    report.remarks.append("no CUDA device")
    lines = report.table().splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["fast", "2 ms", "9 ms", "theirs", "4.50", "4"]
    assert [cell.strip() for cell in lines[3].split("|")[1:-1]] == ["impossible", "5 MiB", "—", "theirs", "", ""]
    assert lines[4:] == ["- impossible: theirs: out of memory", "- no CUDA device"]
    report.write(tmp_path / "some.json")
    written = json.loads((tmp_path / "some.json").read_text())
    assert [row["ratio"] for row in written["rows"]] == [4.5, None]
    assert written["machine"]["torch"] == torch.__version__


@pytest.mark.skipif(sys.platform != "linux", reason="resource limits are Linux's here")
def test_the_peak_of_a_call_is_what_it_held_at_most():
    call = "torch:(lambda: (empty(50 * 2**20).fill_(1), None)[1])"
    found, error = peak_memory(call)
    assert error == "" and 190 < found < 230
    found, error = peak_memory("torch:(lambda: empty(4 * 2**30).fill_(1))", limit=2**30)
    assert found is None and error


@pytest.mark.parametrize("n", [4, 16])
def test_both_sides_of_the_loss_are_the_same_loss(n):
    torch.testing.assert_close(loss.ours(n)(), loss.metric_learning(n)())
    torch.testing.assert_close(loss.ours(n, 8, 3)(), loss.loop_over_parts(n, 8, 3)())


@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize("kind", TYPES)
def test_both_sides_of_painting_paint_the_same(monkeypatch, kind, refit):
    pytest.importorskip("cv2")
    monkeypatch.setattr(painting, "CLIPS", 3)
    monkeypatch.setattr(painting, "FRAMES", 4)
    sils = torch.rand(3, 4, painting.HEIGHT, painting.WIDTH)
    plan = painting.plan(kind, refit)
    slowly = torch.from_numpy(painting.frame_by_frame(sils.numpy(), plan))
    torch.testing.assert_close(apply_occlusion(sils, plan), slowly, atol=1e-5, rtol=0)


def test_both_sides_of_the_inputs_see_the_same_silhouettes(monkeypatch):
    pytest.importorskip("cv2")
    from opengait_mimic.opengait.activation import activate

    activate("embedded")
    import inputs

    monkeypatch.setattr(inputs, "SUBJECTS", 2)
    monkeypatch.setattr(inputs, "BATCHES", 2)
    seen = []
    monkeypatch.setattr(inputs, "occluded_in_a_transform", lambda sils: seen.append(sils) or np.stack([sils] * 2, -1))
    mine, theirs = inputs.sides()
    ours, whole = mine.__closure__, []
    model = next(cell.cell_contents for cell in ours if hasattr(cell.cell_contents, "whole"))
    monkeypatch.setattr(model, "whole", lambda batch: whole.append(type(model).whole(model, batch)) or whole[-1])
    mine()
    theirs()
    assert len(seen) == len(whole) == 2
    for ours, host in zip(whole, seen, strict=True):
        torch.testing.assert_close(ours.sils[0], torch.from_numpy(host).float(), atol=1e-5, rtol=0)


def test_both_sides_of_a_repeated_test_embed_the_same_probes_half_of_all_clips(monkeypatch, tmp_path):
    from opengait_mimic.opengait.activation import activate

    activate("embedded")
    import evaluation
    from backbones import quiet_host

    monkeypatch.setattr(evaluation, "KINDS", ("top", "moving_patch"))
    monkeypatch.setattr(evaluation, "SEEDS", 2)
    monkeypatch.chdir(tmp_path)
    with quiet_host():
        together, one_by_one = evaluation.repeated(evaluation.tested(tmp_path, "embedded", 3, 5))
        (whole, *ours), theirs = together(), one_by_one()
    assert len(whole.names) == 12 and len(ours) == len(theirs) == 4
    for mine, full in zip(ours, theirs, strict=True):
        assert len(full.names) == 12 and len(mine.names) == 6
        rows = [full.names.tolist().index(name) for name in mine.names.tolist()]
        for key, value in mine.features.items():
            np.testing.assert_array_equal(value, full.features[key][rows])


def test_every_benchmark_has_its_command():
    scripts = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    modules = {path.stem for path in Path(painting.__file__).parent.glob("*.py")} - {"__init__", "measure", "headlines"}
    assert scripts == modules


@pytest.mark.heavy
def test_the_headlines_take_less_than_two_minutes(tmp_path):
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "opengait_mimic", "bench", "--json"], cwd=tmp_path, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    assert "MiCKD" in done.stdout and len(json.loads(done.stdout)["rows"]) > 10
    assert time.monotonic() - began < 120
