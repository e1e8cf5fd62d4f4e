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

from modeling.base_model import BaseModel  # noqa: E402

from opengait_mimic.opengait.models.byte_inputs import BytewiseInputs, apply, steps  # noqa: E402

BASES = [
    {"type": "BaseSilTransform"},
    {"type": "BaseSilTransform", "divsor": 200.0},
    {"type": "BaseSilCuttingTransform"},
    {"type": "BaseSilCuttingTransform", "cutting": 3},
    {"type": "BaseSilCuttingTransform", "cutting": 0},
]
OTHERS = [{"type": f"Random{name}", "prob": prob} for name in ("HorizontalFlip", "Erasing", "Rotate", "Perspective")
          for prob in (0, 0.5, 1)]  # fmt: skip


class Host(BaseModel):
    """As much of a host's model as its pretreatment looks at."""

    def __init__(self, cfgs, training):
        torch.nn.Module.__init__(self)
        from data.transform import get_transform

        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.trainer_trfs = get_transform(cfgs["trainer_cfg"]["transform"])
        self.evaluator_trfs = get_transform(cfgs["evaluator_cfg"]["transform"])
        self.device = torch.device("cpu")
        self.train(training)


class Ours(BytewiseInputs, Host):
    """The same, with ours before it."""


def sections(transforms):
    return {name: {"transform": transforms} for name in ("trainer_cfg", "evaluator_cfg")}


def pretreated(cls, transforms, inputs, training=True):
    random.seed(4)
    seqs, *rest = inputs
    return cls(sections(transforms), training).inputs_pretreament(
        ([[c.copy() for c in seqs[0]]], *rest)
    ), random.random()


@settings(max_examples=80, deadline=None)
@given(
    base=st.sampled_from(BASES),
    before=st.lists(st.sampled_from(OTHERS), max_size=2),
    after=st.lists(st.sampled_from(OTHERS), max_size=3),
    clips=st.integers(1, 4),
    joined=st.booleans(),
    training=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_it_gives_what_the_host_gives(base, before, after, clips, joined, training, seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 5, clips) if joined else [4] * clips
    sils = [rng.integers(0, 256, (s, 64, 64), dtype=np.uint8) for s in lengths]
    seqL = np.array([lengths]) if joined else None
    inputs = ([[np.concatenate(sils)] if joined else sils], [3] * clips, ["a"] * clips, ["b"] * clips, seqL)
    transforms = [{"type": "Compose", "trf_cfg": [*before, base, *after]}]
    assert steps(transforms) is not None
    (theirs, labs, typs, vies, lengths_there), drawn = pretreated(Host, transforms, inputs, training)
    (ours, *rest), drawn_by_ours = pretreated(Ours, transforms, inputs, training)
    assert drawn == drawn_by_ours, "the same random numbers"
    assert ours[0].dtype == torch.float32 and not ours[0].requires_grad
    torch.testing.assert_close(ours[0], theirs[0].detach(), atol=1e-5, rtol=0)
    assert rest[0].dtype == labs.dtype and rest[0].tolist() == labs.tolist() and rest[1:3] == [typs, vies]
    if joined:
        assert rest[3].dtype == lengths_there.dtype and rest[3].tolist() == lengths_there.tolist()
    else:
        assert rest[3] is None


def test_every_grey_value_is_scaled_as_the_host_scales_it():
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    transforms = [{"type": "BaseSilTransform"}]
    inputs = ([[values]], [0], ["a"], ["b"], None)
    (theirs, *_), _ = pretreated(Host, transforms, inputs)
    (ours, *_), _ = pretreated(Ours, transforms, inputs)
    torch.testing.assert_close(ours[0], theirs[0].detach(), atol=1e-7, rtol=0)


def test_only_what_was_given_new_values_leaves_the_bytes():
    clip = np.full((3, 64, 64), 255, np.uint8)
    for other, dtype in (("RandomHorizontalFlip", np.uint8), ("RandomErasing", np.uint8), ("RandomRotate", np.float32)):
        asked = steps([{"type": "Compose", "trf_cfg": [BASES[2], {"type": other, "prob": 1}]}])
        assert apply(clip, asked).dtype == dtype
        assert (clip == 255).all(), "the data set's own clip stays as it is"


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


@pytest.mark.parametrize("base", [BASES[0], BASES[2]], ids=["whole", "cut"])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("prob", [0, 0.5, 1])
@pytest.mark.parametrize("erasing", [lambda: ErasesInPlace, erasing_of_opengait], ids=["in-place", "OpenGait"])
def test_a_transform_that_changes_the_clip_it_is_given_changes_it_here_too(erasing, prob, first, base, monkeypatch):
    monkeypatch.setattr("data.transform.RandomErasing", erasing())
    erases = {"type": "RandomErasing", "prob": prob}
    transforms = [{"type": "Compose", "trf_cfg": [erases, base] if first else [base, erases]}]
    clips = [np.random.default_rng(i).integers(0, 256, (6, 64, 64), dtype=np.uint8) for i in range(4)]
    clips[0][:] = 0  # nothing is to be seen of an erasing here, but it draws as many numbers
    inputs = ([clips], [0] * 4, ["a"] * 4, ["b"] * 4, None)
    (theirs, *_), drawn = pretreated(Host, transforms, inputs)
    (ours, *_), drawn_by_ours = pretreated(Ours, transforms, inputs)
    assert drawn == drawn_by_ours, "the same random numbers"
    torch.testing.assert_close(ours[0], theirs[0].detach(), atol=1e-5, rtol=0)
    random.seed(4)
    kept = [clip.copy() for clip in clips]
    for clip in clips:
        apply(clip, steps(transforms))
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
    assert steps(transforms) is None


def test_clips_that_are_no_bytes_are_the_hosts_affair():
    clip = np.random.default_rng(0).random((2, 8, 8)) * 255
    inputs = ([[clip]], [0], ["a"], ["b"], None)
    (theirs, *_), _ = pretreated(Host, [{"type": "BaseSilTransform"}], inputs)
    (ours, *_), _ = pretreated(Ours, [{"type": "BaseSilTransform"}], inputs)
    assert torch.equal(ours[0], theirs[0])
