"""The benchmarks measure what they say, and both sides of each comparison do the same."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import loss
import painting
import pretreatment
import pytest
import repeated_tests
import torch
from hosted import start_host
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


def test_both_sides_of_the_inputs_see_the_same_silhouettes(monkeypatch, tmp_path):
    pytest.importorskip("cv2")
    for name, value in {"SUBJECTS": 2, "CLIPS": 2, "FRAMES": (4, 6)}.items():
        monkeypatch.setattr(pretreatment, name, value)
    mine, theirs = pretreatment.sides(tmp_path, start_host("embedded"), [pretreatment.CUT])
    (occluded, ours), (_, host) = mine(), theirs()
    torch.testing.assert_close(ours, host, atol=1e-5, rtol=0)
    assert ours.shape[-2:] == (64, 44) and occluded.shape == ours.shape


def test_a_repeated_test_embeds_the_gallery_once_where_theirs_embeds_it_with_every_draw(monkeypatch, tmp_path):
    host = start_host("embedded")
    monkeypatch.setattr(repeated_tests, "KINDS", ("top", "moving_patch"))
    at_once, one_by_one = repeated_tests.sides(tmp_path, host, 3, 5, 2)
    from modeling.models import MimicGait

    clips, forward = [], MimicGait.forward
    monkeypatch.setattr(MimicGait, "forward", lambda net, inputs: clips.extend(inputs[1]) or forward(net, inputs))
    at_once()
    assert len(clips) == 12 + 4 * 6
    clips.clear()
    one_by_one()
    assert len(clips) == 4 * 12


@pytest.mark.heavy
def test_the_headlines(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "headlines.py"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert "MiCKD" in done.stdout and len(json.loads((tmp_path / "headlines.json").read_text())["rows"]) > 10
