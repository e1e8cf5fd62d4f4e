"""Every loss of the global batch and its averaged gradient are those of one process, however many there are."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shares import batch, loss_and_gradient

from opengait_mimic.method.losses import ANCHORS, PAIRS, REDUCTIONS
from opengait_mimic.method.ven import TASKS

ALL_PAIRS = [c for n in (1, 2, 3) for c in itertools.combinations(PAIRS, n)]
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}
LABELS = [0, 0, 1, 1, 2, 2, 0, 1, 2, 3, 3, 0]  # dealt out to 1, 2, 3 or 4 processes, each share has the others' too

mickd_losses = st.builds(
    lambda **options: {"type": "MiCKDLoss", **options},
    margin=st.sampled_from([0.0, 0.2, 1.3]),
    pairs=st.sampled_from(ALL_PAIRS).map(list),
    anchors=st.sampled_from(ANCHORS),
    normalize=st.booleans(),
    reduction=st.sampled_from(REDUCTIONS),
    partwise=st.booleans(),
    loss_term_weight=st.sampled_from([1.0, 0.3]),
)
other_losses = st.one_of(
    st.builds(lambda normalize: {"type": "L2KDLoss", "normalize": normalize}, st.booleans()),
    st.builds(lambda margin: {"type": "TripletLoss", "margin": margin}, st.sampled_from([0.2, 2.0])),
    st.builds(lambda **o: {"type": "CrossEntropyLoss", **o}, scale=st.sampled_from([1, 16]),
              label_smooth=st.booleans(), log_accuracy=st.booleans()),
    st.builds(lambda amount_weight: {"type": "VisibilityLoss", "amount_weight": amount_weight},
              st.sampled_from([0.5, 10.0])),
)  # fmt: skip


def assert_as_one_process(group, entry, whole, tasks=TASKS):
    expected = loss_and_gradient(entry, tasks, whole)
    tolerance = TOLERANCE[whole.inputs.dtype]
    shares = group(loss_and_gradient, entry, tasks, whole)
    for found in shares:
        for name in ("loss", "gradient", "logged"):
            torch.testing.assert_close(
                found[name], expected[name], atol=tolerance, rtol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
            )
    clips = torch.cat([found["share"] for found in shares])
    assert sorted(clips.tolist()) == list(range(len(whole.labels))), "the shares are the batch"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("pairs", ALL_PAIRS, ids="+".join)
def test_mickd_with_every_option(group, pairs, dtype):
    whole = batch(LABELS, 0, dtype)
    for anchors, reduction, normalize, partwise in itertools.product(ANCHORS, REDUCTIONS, (True, False), (True, False)):
        entry = {"type": "MiCKDLoss", "margin": 0.4, "pairs": list(pairs), "anchors": anchors,
                 "reduction": reduction, "normalize": normalize, "partwise": partwise}  # fmt: skip
        assert_as_one_process(group, entry, whole)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(
    ("entry", "tasks"),
    [
        ({"type": "L2KDLoss"}, TASKS),
        ({"type": "L2KDLoss", "normalize": False}, TASKS),
        ({"type": "TripletLoss", "margin": 0.2}, TASKS),
        ({"type": "CrossEntropyLoss", "log_accuracy": True}, TASKS),
        ({"type": "VisibilityLoss"}, TASKS),
        ({"type": "VisibilityLoss"}, ("classification",)),
        ({"type": "VisibilityLoss"}, ("regression",)),
    ],
    ids=lambda x: x["type"] if isinstance(x, dict) else "+".join(x),
)
def test_every_other_loss(group, entry, tasks, dtype):
    assert_as_one_process(group, entry, batch(LABELS, 1, dtype), tasks)


@settings(max_examples=30, deadline=None)
@given(data=st.data(), entry=st.one_of(mickd_losses, other_losses), seed=st.integers(0, 10_000))
def test_any_configuration_and_any_identities(group, data, entry, seed):
    clips = group.count * data.draw(st.integers(1, 4), label="clips of a process")
    labels = data.draw(st.lists(st.integers(0, 3), min_size=clips, max_size=clips), label="identities")
    tasks = data.draw(st.sampled_from([TASKS, *((task,) for task in TASKS)]), label="tasks")
    assert_as_one_process(group, entry, batch(labels, seed, torch.float64), tasks)


@pytest.mark.parametrize(
    "labels", [[0] * 12, list(range(4)) * 3, [0] * 11 + [1]], ids=["one identity", "4 × 3", "one clip of another"]
)
def test_identities_of_very_unequal_size(group, labels):
    for entry in (
        {"type": "MiCKDLoss"},
        {"type": "MiCKDLoss", "partwise": True},
        {"type": "TripletLoss", "margin": 0.2},
    ):
        assert_as_one_process(group, entry, batch(labels, 2, torch.float64))


def test_half_precision_features_lose_nothing_on_the_way_between_processes(group):
    whole = batch(LABELS, 3, torch.bfloat16)
    for entry in ({"type": "MiCKDLoss"}, {"type": "L2KDLoss"}, {"type": "TripletLoss", "margin": 0.2}):
        expected = loss_and_gradient(entry, TASKS, whole)
        assert expected["loss"].dtype == torch.float32
        for found in group(loss_and_gradient, entry, TASKS, whole):
            torch.testing.assert_close(found["loss"], expected["loss"], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(found["gradient"], expected["gradient"], atol=0.05, rtol=0.05)
