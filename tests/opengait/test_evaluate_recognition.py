"""Our eval function in a host: a data set's protocol, or types named in the YAML."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest

from opengait_mimic.opengait.activation import activate

activate("embedded")

from evaluation import evaluator  # noqa: E402


def walks(*rows):
    """Clips from (label, type, view, place on a line)."""
    *names, places = zip(*rows, strict=True)
    data = dict(zip(("labels", "types", "views"), map(list, names), strict=True))
    return data | {"embeddings": np.array(places, np.float32).reshape(-1, 1, 1)}


CASIA_B = walks(
    ("a", "nm-01", "0", 0.0),
    ("b", "nm-01", "0", 9.0),
    ("a", "nm-05", "1", 1.0),
    ("a", "bg-01", "1", 8.0),
    ("b", "bg-01", "1", 8.0),
)


def accuracies(result):
    assert all(key.startswith("scalar/test_accuracy/") for key in result)
    return {key.removeprefix("scalar/test_accuracy/"): value for key, value in result.items()}


def test_the_data_sets_protocol_with_its_conditions(caplog):
    with caplog.at_level(logging.INFO):
        found = accuracies(evaluator.evaluate_recognition(CASIA_B, "CASIA-B"))
    assert {k: v for k, v in found.items() if "Rank-1" in k and "0" not in k} == pytest.approx(
        {"Rank-1": 75, "NM-Rank-1": 100, "BG-Rank-1": 50}
    )
    assert found["mAP"] == pytest.approx(87.5) and found["BG-TAR@0.1"] == 0
    assert "headline" in caplog.text and "75.00" in caplog.text


def test_one_pool_has_no_names_of_conditions():
    data = walks(("a", "01", "0", 0.0), ("b", "01", "0", 9.0), ("a", "02", "1", 1.0))
    found = accuracies(evaluator.evaluate_recognition(data, "GREW", metric="euc"))
    assert list(found) == [
        "Rank-1", "Rank-5", "Rank-10", "Rank-20", "mAP", "mINP", "TAR@0.1", "TAR@0.01", "TAR@0.001",
    ]  # fmt: skip
    assert set(found.values()) == {100.0}


def test_types_named_in_the_yaml():
    found = accuracies(
        evaluator.evaluate_recognition(
            CASIA_B, "Mine", gallery=["nm-01"], probe={"bags": ["bg-01"]}, cross_view="exclude"
        )
    )
    assert found["bags-Rank-1"] == found["Rank-1"] == 50
    with pytest.raises(ValueError, match="no probe type 'cl-01'"):
        evaluator.evaluate_recognition(CASIA_B, "Mine", gallery=["nm-01"], probe=["cl-01"])


def test_gait3ds_partition(tmp_path):
    (tmp_path / "listed.json").write_text(json.dumps({"PROBE_SET": ["a-nm-05-1"]}))
    found = evaluator.evaluate_recognition(CASIA_B, "Gait3D", partition=tmp_path / "listed.json")
    assert accuracies(found)["Rank-1"] == 100
