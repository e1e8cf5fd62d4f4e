"""The embedded host's evaluators give OpenGait's numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from recorded import FOLDERS, PREFIX, evaluations

from opengait_mimic.opengait.activation import activate

activate("embedded")

from evaluation import evaluator  # noqa: E402


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_recorded_metrics_are_reproduced(folder, tmp_path, monkeypatch):
    for name, recorded in evaluations(folder):
        gait3d(tmp_path, monkeypatch, recorded.extra.get("probe_set", []))
        found = getattr(evaluator, recorded.function)(recorded.data, recorded.dataset, **recorded.options)
        for key, value in recorded.expected.items():
            np.testing.assert_allclose(found[PREFIX + key], value, atol=1e-4, err_msg=f"{name} {key}")


def walks(*rows):
    """Clips from (label, type, view, place on a line)."""
    labels, types, views, places = zip(*rows, strict=True)
    embeddings = np.array(places, np.float32).reshape(-1, 1, 1)
    return {"embeddings": embeddings, "labels": list(labels), "types": list(types), "views": list(views)}


def test_indoor_by_hand_leaves_identical_views_out():
    # From view 0, a is nearest to a's and b to a's sequence of view 1; from view 1 both are found.
    data = walks(
        ("a", "nm-01", "0", 0.0),
        ("b", "nm-01", "0", 10.0),
        ("a", "nm-01", "1", 2.0),
        ("b", "nm-01", "1", 30.0),
        ("a", "nm-05", "0", 1.0),
        ("b", "nm-05", "0", 11.0),
        ("a", "nm-05", "1", 3.0),
        ("b", "nm-05", "1", 9.0),
    )
    result = evaluator.evaluate_indoor_dataset(data, "CASIA-B")
    assert result == {"scalar/test_accuracy/NM@R1": 75.0}


def test_indoor_data_of_a_single_view_are_compared_with_themselves():
    data = walks(("a", "nm-01", "0", 0.0), ("b", "nm-01", "0", 9.0), ("a", "bg-01", "0", 1.0))
    assert evaluator.evaluate_indoor_dataset(data, "CASIA-B") == {"scalar/test_accuracy/BG@R1": 100.0}


def test_indoor_refuses_what_it_cannot_evaluate():
    data = walks(("a", "nm-01", "0", 0.0), ("a", "nm-05", "0", 1.0))
    with pytest.raises(ValueError, match="unknown data set 'CASIA'.*CASIA-B"):
        evaluator.evaluate_indoor_dataset(data, "CASIA")
    with pytest.raises(ValueError, match="cross_view_gallery: not offered for SUSTech1K"):
        evaluator.evaluate_indoor_dataset(data, "SUSTech1K", cross_view_gallery=True)
    with pytest.raises(ValueError, match="no probe"):
        evaluator.evaluate_indoor_dataset(walks(("a", "nm-01", "0", 0.0)), "CASIA-B")
    with pytest.raises(ValueError, match="no gallery"):
        evaluator.evaluate_indoor_dataset(walks(("a", "nm-05", "0", 0.0)), "CASIA-B")


def test_indoor_with_a_gallery_of_all_views_by_hand():
    data = walks(
        ("a", "nm-02", "0", 0.9),  # removed for a's probe of view 0
        ("b", "nm-02", "0", 2.0),
        ("a", "bg-02", "1", 3.5),
        ("a", "nm-01", "0", 1.0),  # ranks b, a
        ("a", "cl-01", "0", 3.0),  # ranks a, b
        ("b", "cl-01", "0", 1.0),  # has no match: a miss, left out of mAP
        ("b", "cl-01", "1", 1.0),  # ranks a, b, a
    )
    result = evaluator.evaluate_indoor_dataset(data, "CASIA-B", cross_view_gallery=True)
    assert result == {
        "scalar/test_accuracy/NM-Rank@1": 0.0,
        "scalar/test_accuracy/NM-mAP": 50.0,
        "scalar/test_accuracy/CL-Rank@1": 25.0,
        "scalar/test_accuracy/CL-mAP": 75.0,
    }


def test_real_scene_caps_ranks_at_the_gallerys_size():
    data = walks(("a", "01", "0", 0.0), ("b", "01", "0", 9.0), ("a", "02", "1", 1.0), ("b", "02", "1", 2.0))
    result = evaluator.evaluate_real_scene(data, "GREW")
    assert result == {"scalar/test_accuracy/Rank-1": 50.0, "scalar/test_accuracy/Rank-5": 100.0}


def gait3d(tmp_path, monkeypatch, probes):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "datasets" / "Gait3D"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Gait3D.json").write_text(json.dumps({"PROBE_SET": probes}))


def test_gait3d_without_its_partition_names_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="datasets/Gait3D/Gait3D.json"):
        evaluator.evaluate_Gait3D(walks(("a", "c0", "s0", 0.0)), "Gait3D")


def test_gait3d_without_any_match_says_so(tmp_path, monkeypatch):
    gait3d(tmp_path, monkeypatch, ["a-c0-s0"])
    with pytest.raises(ValueError, match="no probe has a sequence of the same subject"):
        evaluator.evaluate_Gait3D(walks(("a", "c0", "s0", 0.0), ("b", "c0", "s0", 1.0)), "Gait3D")
