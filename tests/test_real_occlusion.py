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

ROOT = Path(__file__).resolve().parents[1]
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


@pytest.mark.skipif(not (DATA / "vtest-pedestrians").is_dir(), reason="no ../shared/data/vtest-pedestrians")
def test_the_study_writes_tables_figures_and_pictures(study, tmp_path, monkeypatch):
    for name, small in {"DRAWS": 3, "FRAMES": 32, "BLOCK": 16, "BATCH": 4}.items():
        monkeypatch.setattr(study, name, small)
    monkeypatch.setattr(study, "bodies", lambda data, seed: study.generated(np.random.default_rng(seed), 4))
    networks = tmp_path / "networks"
    options = [
        "--out",
        tmp_path,
        "--keep",
        networks,
        "--seeds",
        "2",
        "--iterations",
        "2",
        "--only",
        "closer to life, street look, amount by body",
    ]
    done = CliRunner().invoke(study.main, [str(DATA), *map(str, options)], catch_exceptions=False)
    assert done.exit_code == 0 and len(list(networks.iterdir())) == 2
    results = json.loads((tmp_path / "real-occlusion.json").read_text())
    assert results["frames"] == [2740, 265, 112]
    rows = {(row["name"], row["input"]): row for row in results["rows"]}
    # The areas of the plain measures on this data, found with another program.
    assert rows["large area", "sil"]["areas"][0] == pytest.approx({"partly hidden": 0.360, "merged": 0.786}, abs=1e-3)
    assert len(rows["VEN, closer to life, street look, amount by body; amount, 1 frames", "sil_box"]["areas"]) == 2
    assert "± " in (tmp_path / "real-occlusion-tables.md").read_text()
    assert Image.open(tmp_path / "real-occlusion-sil.png").width > 1000
