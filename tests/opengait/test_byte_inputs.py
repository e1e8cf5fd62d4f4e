"""Transforms on bytes, and the scaling on the device, beside the host's own pretreatment."""

from __future__ import annotations

import ast
import math
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from opengait_mimic.opengait.activation import activate

activate("embedded")

from data.transform import get_transform  # noqa: E402
from modeling.base_model import BaseModel  # noqa: E402

from opengait_mimic.opengait.models import byte_inputs  # noqa: E402

BASES = [
    {"type": "BaseSilTransform"},
    {"type": "BaseSilTransform", "divsor": 200.0},
    {"type": "BaseSilCuttingTransform"},
    {"type": "BaseSilCuttingTransform", "cutting": 3},
]
OTHERS = [{"type": f"Random{name}", "prob": prob} for name in ("HorizontalFlip", "Erasing", "Rotate", "Perspective")
          for prob in (0, 0.5, 1)]  # fmt: skip


class Host(BaseModel):
    """As much of a host's model as its pretreatment looks at."""

    def __init__(self, transforms):
        torch.nn.Module.__init__(self)
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.trainer_trfs, self.device = get_transform(transforms), torch.device("cpu")


def batch(clips, seqL=None):
    count = len(clips) if seqL is None else len(seqL[0])
    return [clips], [3] * count, ["a"] * count, ["b"] * count, seqL


def both_ways(transforms, inputs):
    """What the host gives, and what we give; both draw the same random numbers, and leave the clips as they are."""
    host, found, drawn = Host(transforms), [], []
    steps = byte_inputs.steps(transforms)
    for pretreat in (host.inputs_pretreament, lambda inputs: byte_inputs.pretreated(host, steps, inputs)):
        random.seed(4)
        own = [clip.copy() for clip in inputs[0][0]]
        found.append(pretreat(([own], *inputs[1:])))
        drawn.append(random.random())
    assert drawn[0] == drawn[1]
    assert all(map(np.array_equal, own, inputs[0][0])), "the data set's own clips stay as they are"
    (theirs, *_), (ours, *_) = found
    assert ours[0].dtype == torch.float32
    torch.testing.assert_close(ours[0], theirs[0].detach(), atol=1e-5, rtol=0)
    return found


@settings(max_examples=60, deadline=None)
@given(
    base=st.sampled_from(BASES),
    before=st.lists(st.sampled_from(OTHERS), max_size=2),
    after=st.lists(st.sampled_from(OTHERS), max_size=3),
    clips=st.integers(1, 4),
    joined=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_it_gives_what_the_host_gives(base, before, after, clips, joined, seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 5, clips) if joined else [4] * clips
    sils = [rng.integers(0, 256, (s, 64, 64), dtype=np.uint8) for s in lengths]
    inputs = batch([np.concatenate(sils)], np.array([lengths])) if joined else batch(sils)
    transforms = [{"type": "Compose", "trf_cfg": [*before, base, *after]}]
    assert byte_inputs.steps(transforms) is not None
    (_, labs, typs, vies, seqL), (_, *ours) = both_ways(transforms, inputs)
    assert ours[0].dtype == labs.dtype and ours[0].tolist() == labs.tolist() and ours[1:3] == [typs, vies]
    if joined:
        assert ours[3].dtype == seqL.dtype and ours[3].tolist() == seqL.tolist()
    else:
        assert ours[3] is None


class ErasesInPlace:
    """A RandomErasing that blackens the clip it is given and returns it."""

    def __init__(self, prob):
        self.prob = prob

    def __call__(self, clip):
        if random.random() < self.prob:
            top = random.randint(0, 30)
            clip[..., top : top + 20, 5:25] = 0
        return clip


def erasing_of_opengait():
    """OpenGait's own class; what else its module imports is not needed for it."""
    root = Path(os.environ.get("OPENGAIT_ROOT", Path.home() / ".cache" / "opengait-mimic" / "OpenGait"))
    source = root / "opengait" / "data" / "transform.py"
    if not source.is_file():
        pytest.skip("no OpenGait checkout: set OPENGAIT_ROOT or put one into ~/.cache/opengait-mimic/OpenGait")
    (tree,) = [node for node in ast.parse(source.read_text()).body if getattr(node, "name", "") == "RandomErasing"]
    names = {"random": random, "math": math, "np": np}
    exec(compile(ast.Module([tree], []), str(source), "exec"), names)
    return names["RandomErasing"]


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("prob", [0, 0.5, 1])
@pytest.mark.parametrize("erasing", [lambda: ErasesInPlace, erasing_of_opengait], ids=["in-place", "OpenGait"])
def test_a_transform_that_changes_the_clip_it_is_given_changes_it_here_too(erasing, prob, first, monkeypatch):
    monkeypatch.setattr("data.transform.RandomErasing", erasing())
    erases, base = {"type": "RandomErasing", "prob": prob}, {"type": "BaseSilCuttingTransform"}
    transforms = [{"type": "Compose", "trf_cfg": [erases, base] if first else [base, erases]}]
    clips = [np.random.default_rng(i).integers(0, 256, (6, 64, 64), dtype=np.uint8) for i in range(4)]
    host, steps = Host(transforms), byte_inputs.steps(transforms)
    random.seed(4)
    expected, *_ = host.inputs_pretreament(batch([clip.copy() for clip in clips]))
    random.seed(4)
    kept = [clip.copy() for clip in clips]
    found, *_ = byte_inputs.pretreated(host, steps, batch(clips))
    torch.testing.assert_close(found[0], expected[0].detach(), atol=1e-5, rtol=0)
    assert all(map(np.array_equal, clips, kept)), "the data set's own clips stay as they are"


@pytest.mark.parametrize(
    "transforms",
    [
        None,
        [{"type": "BaseSilTransform", "img_shape": [64, 64]}],
        [{"type": "BaseParsingCuttingTransform"}],
        [{"type": "Compose", "trf_cfg": [{"type": "BaseSilTransform"}, {"type": "TheirOwn"}]}],
        [{"type": "Compose", "trf_cfg": [{"type": "BaseSilTransform"}, {"type": "BaseSilTransform"}]}],
        [{"type": "BaseSilTransform"}, {"type": "BaseSilTransform"}],
    ],
)
def test_other_transforms_are_the_hosts_affair(transforms):
    assert byte_inputs.steps(transforms) is None


def test_clips_that_are_no_bytes_are_the_hosts_affair():
    clip = np.random.default_rng(0).random((2, 8, 8)) * 255
    (theirs, *_), (ours, *_) = both_ways([{"type": "BaseSilTransform"}], batch([clip]))
    assert torch.equal(ours[0], theirs[0])
