"""What the VEN learns of horizontal parts, and what is done with it: labels, parts of backbones, registration."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from opengait_mimic.errors import ConfigError
from opengait_mimic.method.beyond.registration import register, shrunk
from opengait_mimic.method.beyond.weighted import part_bins, strips_to_parts
from opengait_mimic.method.losses import nearest_two, part_visibility, visibility
from opengait_mimic.method.occlusion import apply_occlusion, mixture
from opengait_mimic.method.occlusion.masks import visible_mask
from opengait_mimic.method.occlusion.visible_parts import visible_parts
from opengait_mimic.method.ven import Visibility, VisibilityNetwork

CLASSES = ("clean", "top", "bottom", "left", "right", "moving_patch")


def sampled(kind, amount, clips=1, frames=2, height=64, width=44, refit=False, **more):
    drawn = mixture([{"kind": kind, "amount": amount, "refit": refit, **more}])
    rngs = [np.random.default_rng(i) for i in range(clips)]
    return drawn.sample(rngs, [np.arange(frames)] * clips, height, width)


def smooth(clips=1, frames=2, height=64, width=44):
    """Clips without fine detail, positive everywhere, so that stretching loses little."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    phase = torch.arange(clips * frames).reshape(clips, frames, 1, 1)
    return 0.5 + 0.4 * torch.sin(4 * y + 2 * x + phase)


def seen_by_ven(kind, amount, clips=1, bins=None):
    """A VEN that is certain."""
    logits = torch.full((clips, len(CLASSES)), -40.0)
    logits[:, CLASSES.index(kind)] = 40
    amounts = torch.full((clips,), float(amount))
    if bins is None:
        return Visibility(torch.zeros(clips, 1), logits, amounts)
    scores = (nearest_two(amounts, bins) + 1e-30).log()
    return Visibility(torch.zeros(clips, 1), logits, amounts, scores, None)


# ---- labels ------------------------------------------------------------------------------------------------


def test_a_part_is_as_visible_as_the_share_of_its_silhouette():
    sils = torch.zeros(1, 2, 8, 4)
    sils[0, 0, :, :2] = 1  # the left half of the first frame
    sils[0, 1, 4:, :] = 1  # the lower half of the second
    found = visible_parts(sils, sampled("left", 0.25, height=8, width=4), 4)
    torch.testing.assert_close(found, torch.tensor([[0.5, 0.5, 8 / 12, 8 / 12]]))
    found = visible_parts(sils, sampled("top", 0.625, height=8, width=4), 4)
    torch.testing.assert_close(found, torch.tensor([[0, 0, 0.5, 1]]))


def test_where_there_is_no_silhouette_the_area_counts():
    found = visible_parts(torch.zeros(1, 2, 8, 4), sampled("top", 0.375, height=8, width=4), 4)
    torch.testing.assert_close(found, torch.tensor([[0, 0.5, 1, 1]]))


def test_refit_changes_nothing_of_what_is_visible_and_clean_clips_are_visible():
    sils = torch.rand(3, 2, 64, 44)
    for kind in ("top", "bottom", "right"):
        occluded, cut = (visible_parts(sils, sampled(kind, [0.4, 0.6], 3, refit=r), 16) for r in (False, True))
        torch.testing.assert_close(occluded, cut)
    assert (visible_parts(sils, None, 5) == 1).all()


@pytest.mark.parametrize("parameters", [None, sampled("top", 0.25, height=8, width=4)], ids=["clean", "hidden"])
def test_more_parts_than_rows_are_refused(parameters):
    assert visible_parts(torch.ones(1, 2, 8, 4), parameters, 8).shape == (1, 8)
    with pytest.raises(ConfigError, match="strips: 9 of a frame of 8 rows"):
        visible_parts(torch.ones(1, 2, 8, 4), parameters, 9)


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(["top", "bottom", "middle", "left", "moving_patch", "moving_pole"]),
    strips=st.integers(1, 20), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_labels_are_those_of_a_slow_twin_in_both_layouts(kind, strips, seed):
    lengths = [3, 1, 2]
    drawn = mixture([{"kind": kind, "amount": [0.2, 0.9]}])
    rng = np.random.default_rng(seed)
    parameters = drawn.sample([rng] * 3, [np.arange(n) for n in lengths], 20, 12)
    sils = torch.from_numpy(rng.random((1, 6, 20, 12)).astype(np.float32))
    shown = sils[0] * torch.from_numpy(visible_mask(parameters, 20, 12))
    torch.testing.assert_close(shown, apply_occlusion(sils, parameters)[0])
    found = visible_parts(sils, parameters, strips, torch.tensor([lengths]))
    start = 0
    for clip, length in enumerate(lengths):
        for part in range(strips):
            rows = [r for r in range(20) if r * strips // 20 == part]
            whole, left = (frames[start : start + length, rows].sum() for frames in (sils[0], shown))
            assert found[clip, part] == pytest.approx(float(left / whole), abs=1e-5)
        start += length


# ---- parts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model_cfg", "parts", "bins"), [
    ({"model": "Baseline", "bin_num": [16]}, 16, (16,)),
    ({"model": "DeepGaitV2"}, 16, (16,)),
    ({"model": "GaitSet", "bin_num": [16, 8, 4, 2, 1]}, 62, (16, 8, 4, 2, 1) * 2),
    ({"model": "GaitGL"}, 64, (32, 32)),
    ({"model": "Other"}, 31, (16, 8, 4, 2, 1)),
    ({"model": "Other"}, 1, (1,)),
])  # fmt: skip
def test_the_pyramid_of_a_backbone(model_cfg, parts, bins):
    assert part_bins(model_cfg, parts) == bins


def test_the_user_may_say_what_the_parts_are_where_it_cannot_be_derived():
    with pytest.raises(ConfigError, match="which rows are the 7 parts of Odd"):
        part_bins({"model": "Odd"}, 7)
    assert part_bins({"model": "Odd"}, 7, [4, 2, 1]) == (4, 2, 1)
    with pytest.raises(ConfigError, match="8 parts, not 7"):
        part_bins({"model": "Odd"}, 7, [8])


def test_parts_take_the_mean_of_the_rows_they_share():
    to_parts = strips_to_parts((4, 2, 1, 8), 4)
    shares = torch.tensor([0.0, 0.2, 0.6, 1.0])
    expected = [0, 0.2, 0.6, 1, 0.1, 0.8, 0.45, 0, 0, 0.2, 0.2, 0.6, 0.6, 1, 1]
    torch.testing.assert_close(to_parts @ shares, torch.tensor(expected))
    uneven = strips_to_parts((2,), 3)
    torch.testing.assert_close(uneven, torch.tensor([[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]]))


# ---- the VEN -----------------------------------------------------------------------------------------------


def test_the_amount_of_bins_is_their_mean_and_parts_are_a_head():
    ven = VisibilityNetwork(
        3, (4, 4, 8), 6, ("classification", "regression", "parts"), strips=8, bands=4, amount_bins=5
    )
    seen = ven(torch.rand(2, 3, 64, 44))
    assert seen.logits.shape == (2, 3) and seen.part_logits.shape == (2, 8) and seen.amount_logits.shape == (2, 5)
    torch.testing.assert_close(seen.amount, seen.amount_logits.softmax(1) @ torch.tensor([0, 0.25, 0.5, 0.75, 1]))


def test_a_clips_outputs_are_means_over_its_frames():
    ven = VisibilityNetwork(3, (4, 4, 8), 6, ("regression", "parts"), amount_bins=5)
    clip = torch.rand(1, 3, 64, 44)
    frames = [ven(clip[:, i : i + 1]) for i in range(3)]
    seen = ven(clip)
    for name in ("amount_logits", "part_logits"):
        torch.testing.assert_close(getattr(seen, name), torch.stack([getattr(f, name) for f in frames]).mean(0))


def test_the_two_nearest_amounts_share_a_label():
    torch.testing.assert_close(nearest_two(torch.tensor([0.0, 0.3, 1.0]), 5),
                               torch.tensor([[1, 0, 0, 0, 0], [0, 0.8, 0.2, 0, 0], [0, 0, 0, 0, 1.0]]))  # fmt: skip


def test_its_losses_are_those_by_hand():
    logits, shares = torch.tensor([[0.0, 2.0]]), torch.tensor([[0.25, 1.0]])
    by_hand = -(0.25 * np.log(0.5) + 0.75 * np.log(0.5) + np.log(1 / (1 + np.exp(-2)))) / 2
    assert part_visibility(logits, shares).item() == pytest.approx(by_hand, rel=1e-5)
    with pytest.raises(ValueError, match=r"\[n, t\]"):
        part_visibility(logits, shares[:, :1])
    kind, amount = torch.tensor([1]), torch.tensor([0.5])
    plain = visibility(None, amount, kind, amount)[0]
    binned = visibility(None, amount, kind, amount, amount_logits=torch.tensor([[0.0, 0.0, 0.0]]))[0]
    assert (binned - plain).item() == pytest.approx(np.log(3), rel=1e-5)


# ---- registration ------------------------------------------------------------------------------------------


def test_a_map_shrinks_to_the_end_and_keeps_means():
    maps = shrunk(torch.tensor([0.0, 0.5]), 4)
    torch.testing.assert_close(maps[0], torch.eye(4))
    torch.testing.assert_close(maps[1], torch.tensor([[0, 0, 0, 0], [0, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]))
    amounts = torch.rand(20)
    totals, edges = shrunk(amounts, 16).sum(2), torch.arange(17) / 16
    share = ((edges[1:] - torch.maximum(edges[:-1], amounts[:, None])) * 16).clamp(min=0)
    torch.testing.assert_close(totals, share.where(amounts[:, None] < 15 / 16, totals), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["top", "bottom", "left", "right"])
@pytest.mark.parametrize("bins", [None, 33])
def test_a_refitted_clip_comes_back_to_its_place(kind, bins):
    sils, parameters = smooth(), sampled(kind, 0.5, refit=True)
    back = register(apply_occlusion(sils, parameters), seen_by_ven(kind, parameters.amount[0], bins=bins), CLASSES)
    occluded = apply_occlusion(sils, sampled(kind, 0.5))
    assert (back - occluded).abs().mean() < 0.01
    assert (apply_occlusion(sils, parameters) - occluded).abs().mean() > 0.1, "what it would be without"


@pytest.mark.parametrize("kind", ["top", "bottom", "left", "right"])
def test_a_clip_occluded_in_place_stays(kind):
    occluded = apply_occlusion(smooth(), sampled(kind, [0.4, 0.6]))
    torch.testing.assert_close(
        register(occluded, seen_by_ven(kind, 0.5, bins=17), CLASSES), occluded, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("kind", ["clean", "moving_patch"])
def test_types_that_cut_no_edge_off_stay(kind):
    sils = smooth(3)
    torch.testing.assert_close(register(sils, seen_by_ven(kind, 0.5, 3), CLASSES), sils, atol=1e-5, rtol=0)


def test_doubt_moves_softly():
    sils = smooth()
    seen = seen_by_ven("top", 0.5)
    doubt = seen._replace(logits=torch.tensor([[0.0, 0.0, -40, -40, -40, -40]]))
    mean = (sils + register(sils, seen, CLASSES)) / 2
    torch.testing.assert_close(register(sils, doubt, CLASSES), mean, atol=1e-5, rtol=0)


def test_clips_along_time_and_with_channels_are_registered_alike():
    sils = smooth(2, 3)
    seen = seen_by_ven("bottom", 0.45, 2, bins=17)
    each = register(sils, seen, CLASSES)
    joined = register(sils.flatten(0, 1)[None], seen, CLASSES, torch.tensor([[3, 3]]))
    torch.testing.assert_close(joined[0].unflatten(0, (2, 3)), each)
    planes = register(torch.stack([sils, sils], 2), seen, CLASSES)
    torch.testing.assert_close(planes[:, :, 1], each)
