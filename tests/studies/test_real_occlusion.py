"""The study of real occlusions: its measures by hand, and the whole of it in small."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="module")
def study():
    spec = importlib.util.spec_from_file_location("real_occlusion", ROOT / "studies" / "real_occlusion.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order(study):
    score, positive = np.array([3.0, 1.0, 2.0, 2.0]), np.array([True, False, False, True])
    assert study.area_under_roc(score, positive) == (2 + 1.5) / 4
    assert study.area_under_roc(-score, positive) == 1 - (2 + 1.5) / 4


def test_cropping_fills_the_rows_and_puts_the_median_column_in_the_middle(study):
    frame = torch.zeros(2, 64, 64)
    frame[0, 20:52, 4:12] = 1
    (found, empty) = study.cropped(frame)
    rows, columns = found.nonzero().T
    assert (rows.min(), rows.max(), len(found.nonzero())) == (0, 63, 64 * 16)
    assert abs(columns.float().mean() - 32) <= 1 and not empty.any()


def test_a_ven_is_asked_about_a_frame_and_its_neighbours_in_the_same_track(study):
    torch.manual_seed(0)
    network = study.VisibilityNetwork(3, (2, 2, 2), 4).eval()
    frames, tracks = np.random.default_rng(0).random((5, 64, 64)).astype(np.float32), np.array([0, 0, 0, 1, 1])
    found = study.judged(network, network.frames(torch.from_numpy(frames)[:, None]).detach(), tracks, around=1)
    clip = torch.from_numpy(frames)
    for number, near in enumerate(([0, 1], [0, 1, 2], [1, 2], [3, 4], [3, 4])):
        expected = network(clip[near][None])
        assert found["amount"][number] == pytest.approx(expected.amount.item(), abs=1e-5)
        odds = torch.logsumexp(expected.logits[0, 1:], 0) - expected.logits[0, 0]
        assert found["kind"][number] == pytest.approx(odds.item(), abs=1e-5)


def whole_run(study, data: Path, out: Path, monkeypatch) -> dict:
    """The study in small, two seeds of one list of kinds: what it writes, its rows by score and input."""
    for name, small in {"DRAWS": 3, "FRAMES": 32, "BLOCK": 16, "BATCH": 4}.items():
        monkeypatch.setattr(study, name, small)
    monkeypatch.setattr(study, "bodies", lambda data, seed: study.generated(np.random.default_rng(seed), 4))
    only = "closer to life, street look, amount by body"
    options = ["--out", out, "--keep", out / "networks", "--seeds", 2, "--iterations", 2, "--only", only]
    done = CliRunner().invoke(study.main, [str(data), *map(str, options)], catch_exceptions=False)
    assert done.exit_code == 0 and len(list((out / "networks").iterdir())) == 2
    results = json.loads((out / "real-occlusion.json").read_text())
    results["rows"] = {(row["name"], row["input"]): row for row in results["rows"]}
    assert len(results["rows"][f"VEN, {only}; amount, 1 frames", "sil_box"]["areas"]) == 2
    assert "± " in (out / "real-occlusion-tables.md").read_text()
    assert Image.open(out / "real-occlusion-sil.png").width > 1000
    return results


def test_the_whole_study_on_ten_marked_walkers(study, tmp_path, monkeypatch):
    """Of each one's twelve frames three show somebody else beside, and three the lower half only."""
    frames = study.generated(np.random.default_rng(0), 10).reshape(10, 12, 64, 64) > 127
    frames[:, 6:9] |= np.roll(frames[:, 6:9], 8, axis=-1)
    frames[:, 9:, :32] = False
    frames = frames.reshape(-1, 64, 64)
    seen = study.cropped(torch.from_numpy(frames).float()).numpy() > 0
    (tmp_path / "vtest-pedestrians").mkdir()
    np.savez(
        tmp_path / "vtest-pedestrians" / "pedestrians.npz",
        sil=np.packbits(seen, axis=-1), sil_box=np.packbits(frames, axis=-1), lengths=np.full(10, 12),
        state=np.tile(np.repeat([study.CLEAR, study.MERGED, study.HIDDEN], (6, 3, 3)), 10),
    )  # fmt: skip
    results = whole_run(study, tmp_path, tmp_path / "out", monkeypatch)
    assert results["frames"] == [60, 30, 30]
    (areas,) = results["rows"]["large area", "sil_box"]["areas"]
    assert areas["merged"] > 0.9 and areas["partly hidden"] < 0.1
    (areas,) = results["rows"]["area and aspect, taught the real marks", "sil_box"]["areas"]
    assert min(areas.values()) > 0.9


@pytest.mark.skipif(not (DATA / "vtest-pedestrians").is_dir(), reason="no ../shared/data/vtest-pedestrians")
def test_the_study_finds_the_areas_of_the_plain_measures_on_the_street(study, tmp_path, monkeypatch):
    results = whole_run(study, DATA, tmp_path, monkeypatch)
    assert results["frames"] == [2740, 265, 112]
    # Found with another program.
    areas = {"partly hidden": 0.360, "merged": 0.786}
    assert results["rows"]["large area", "sil"]["areas"][0] == pytest.approx(areas, abs=1e-3)
