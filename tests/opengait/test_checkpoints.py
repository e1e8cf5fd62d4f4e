"""Checkpoints in OpenGait's layout: where they lie, and reading weights from them."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from opengait_mimic.errors import CheckpointError
from opengait_mimic.method.occlusion import Occlusion
from opengait_mimic.opengait.checkpoints import checkpoint_path, load_weights, read_weights


@contextmanager
def refused(*words):
    """Raises a CheckpointError of one line with all the words."""
    with pytest.raises(CheckpointError) as caught:
        yield
    assert "\n" not in str(caught.value) and all(str(word) in str(caught.value) for word in words), str(caught.value)


def test_checkpoints_lie_where_opengait_keeps_them():
    path = checkpoint_path("GREW", "MimicGait", "M", 300)
    assert path == Path("output/GREW/MimicGait/M/checkpoints/M-00300.pt")
    assert checkpoint_path("GREW", "MimicGait", "M", 300000).name == "M-300000.pt"


def test_the_model_of_a_checkpoint_is_read_and_loaded(tmp_path):
    network, path = nn.Linear(2, 3), tmp_path / "a.pt"
    torch.save({"model": network.state_dict(), "optimizer": {"lr": 0.1}, "iteration": 7}, path)
    other = nn.Linear(2, 3)
    load_weights(other, read_weights(path, "teacher"), "teacher", path)
    assert torch.equal(other.weight, network.weight) and torch.equal(other.bias, network.bias)


def test_a_checkpoint_that_is_missing_or_none_is_named(tmp_path):
    with refused("teacher's checkpoint is missing", tmp_path / "no.pt"):
        read_weights(tmp_path / "no.pt", "teacher")
    path = tmp_path / "a.pt"
    for content in (b"", b"not a checkpoint"):
        path.write_bytes(content)
        with refused("VEN's checkpoint", path, "cannot be read"):
            read_weights(path, "VEN")
    torch.save({"model": {}, "extra": Occlusion(["top"])}, path)  # only tensors are read, never other classes
    with refused("VEN's checkpoint", path, "cannot be read"):
        read_weights(path, "VEN")
    for content in ({"state_dict": {}}, [1], {"model": {"a": 3}}, {"model": None}):
        torch.save(content, path)
        with refused("VEN's checkpoint", path, "no 'model' weights"):
            read_weights(path, "VEN")


def test_weights_of_another_network_are_refused_and_nothing_is_loaded(tmp_path):
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    weights = {"0.weight": torch.zeros(3, 2), "0.bias": torch.zeros(4), "1.weight": torch.zeros(1, 3), "x": torch.zeros(1)}  # fmt: skip  # noqa: E501
    words = ["1 missing (1.bias)", "1 unknown (x)", "1 of another shape (0.bias is [4], expected [3])"]
    with refused("a.pt", "teacher", "Sequential", *words):
        load_weights(network, weights, "teacher", "a.pt")
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
