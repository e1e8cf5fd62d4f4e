"""What an occlusion hides, how a mixture draws it, how it is painted and what the VEN is told about it."""

from __future__ import annotations

import functools
import operator
import warnings
from dataclasses import field, make_dataclass

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from opengait_mimic.errors import ConfigError
from opengait_mimic.method.occlusion import CLEAN, TYPES, Occlusion, apply_occlusion, content_rng, mixture, process_rng
from opengait_mimic.method.occlusion.masks import bounding_boxes, hidden_mask
from opengait_mimic.method.occlusion.types import (
    Bottom,
    BoxOcclusion,
    Left,
    Middle,
    MovingPatch,
    MovingPole,
    Range,
    Right,
    Top,
)

STILL = ("top", "bottom", "middle", "left", "right")
MOVING = ("moving_patch", "moving_pole")
SEEDS = st.integers(0, 2**32 - 1)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def plan_one(kinds, frames=8, height=64, width=64, seed=0, times=None):
    """The plan of one clip."""
    times = np.arange(frames) if times is None else np.asarray(times)
    return mixture(kinds).sample([rng(seed)], [times], height, width)


def hidden(plan, height, width) -> np.ndarray:
    """[f, h, w] which pixels are in the plan's boxes and outlines, one by one."""
    mask = np.zeros((len(plan.boxes), height, width), dtype=bool)
    for frame, (top, bottom, left, right) in enumerate(plan.boxes):
        mask[frame, top:bottom, left:right] = True
    for frame, outline in zip(plan.masked, plan.masks, strict=True):
        mask[frame] = outline
    return mask


# ---- kinds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "height", "width", "box"),
    [
        (Top(0.5), 64, 64, (0, 32, 0, 64)),
        (Top(0.4), 64, 44, (0, 26, 0, 44)),  # 25.6 rows
        (Bottom(0.5), 64, 64, (32, 64, 0, 64)),
        (Bottom(0.6), 64, 44, (26, 64, 0, 44)),  # 38.4 rows
        (Middle(0.5), 64, 44, (16, 48, 0, 44)),
        (Middle(0.4), 64, 64, (19, 45, 0, 64)),  # 26 rows, 19 above and below
        (Left(0.5), 64, 44, (0, 64, 0, 22)),
        (Left(0.4), 64, 44, (0, 64, 0, 18)),  # 17.6 columns
        (Right(0.5), 64, 44, (0, 64, 22, 44)),
        (Right(0.6), 32, 64, (0, 32, 26, 64)),  # 38.4 columns
        (Top(1.0), 64, 44, (0, 64, 0, 44)),
        (Top(0.001), 64, 44, (0, 1, 0, 44)),  # never less than a pixel
    ],
)
def test_still_kinds_hide_the_box_their_name_says_in_every_frame(kind, height, width, box):
    boxes = kind.boxes(rng(), np.arange(3), height, width)
    assert boxes.dtype == np.int64
    assert boxes.tolist() == [list(box)] * 3


@pytest.mark.parametrize("amount", [0.1, 0.35, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("height", [64, 63, 10])
def test_the_middle_band_leaves_as_much_above_as_below(height, amount):
    top, bottom, left, right = Middle(amount).boxes(rng(), np.arange(1), height, 44)[0]
    assert 0 <= (height - bottom) - top <= 1
    assert (left, right) == (0, 44)


@pytest.mark.parametrize("name", TYPES)
def test_the_amount_defaults_to_the_papers_range(name):
    assert TYPES[name]().amount == (0.4, 0.6)
    assert TYPES[name]().refit is False


@pytest.mark.parametrize("name", STILL)
def test_amounts_fill_the_default_range_and_stay_in_it(name):
    mix, generator = mixture([{"kind": name, "prob": 1}]), rng(1)
    amounts = mix.sample([generator] * 400, [np.arange(2)] * 400, 1000, 1000).amount
    assert np.float32(0.4) <= amounts.min() and amounts.max() <= np.float32(0.6)
    assert amounts.min() < 0.405 and amounts.max() > 0.595
    assert abs(amounts.mean() - 0.5) < 0.01  # uniform: five standard errors


@pytest.mark.parametrize("name", STILL)
@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 44)])
def test_on_real_frames_the_amount_is_in_the_range_to_half_a_pixel(name, height, width):
    mix, generator = mixture([{"kind": name, "prob": 1, "amount": [0.4, 0.6]}]), rng(2)
    amounts = mix.sample([generator] * 300, [np.arange(2)] * 300, height, width).amount
    half = 0.5 / min(height, width)
    assert amounts.min() >= 0.4 - half and amounts.max() <= 0.6 + half


# ---- moving kinds ------------------------------------------------------------------------------------------


def test_a_pole_stands_over_the_full_height_and_a_patch_within_it():
    for seed in range(50):
        pole = MovingPole().boxes(rng(seed), np.arange(30), 64, 44)
        assert (pole[:, 0] == 0).all() and (pole[:, 1] == 64).all()
        patch = MovingPatch().boxes(rng(seed), np.arange(30), 64, 44)
        assert (patch[:, 0] >= 0).all() and (patch[:, 1] <= 64).all()
        assert len(np.unique(patch[:, :2], axis=0)) == 1, "a patch keeps its height"
        assert 0.3 * 64 - 0.5 <= patch[0, 1] - patch[0, 0] <= 0.5 * 64 + 0.5
        for boxes in (pole, patch):
            breadth = np.unique(boxes[:, 3] - boxes[:, 2])
            assert len(breadth) == 1 and 0.4 * 44 - 0.5 <= breadth[0] <= 0.6 * 44 + 0.5


def test_a_patch_occurs_at_every_height():
    tops = [MovingPatch(height=0.5).boxes(rng(seed), np.arange(1), 64, 64)[0, 0] for seed in range(400)]
    assert min(tops) == 0 and max(tops) == 32


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(MOVING),
    times=st.lists(st.integers(0, 2000), min_size=1, max_size=30),
    width=st.sampled_from([44, 64, 88]),
    seed=SEEDS,
)
def test_every_planned_clip_is_hit_in_at_least_one_sampled_frame(name, times, width, seed):
    plan = plan_one([{"kind": name, "prob": 1, "velocity": [0.5, 9.0]}], 0, 64, width, seed, times)
    assert hidden(plan, 64, width).any()
    assert plan.amount[0] > 0
    unclipped = TYPES[name](velocity=(0.5, 9.0)).boxes(rng(seed), np.array(times), 64, width)
    centres = unclipped[:, 2:].mean(1)
    assert ((centres >= 0.25 * width - 0.5) & (centres <= 0.75 * width + 0.5)).any()


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(MOVING),
    times=st.lists(st.integers(0, 300), min_size=2, max_size=40),
    speed=st.floats(0.1, 5.0),
    seed=SEEDS,
)
def test_motion_follows_real_time_whatever_the_order_of_the_frames(name, times, speed, seed):
    times = np.array(times)
    left = TYPES[name](velocity=speed).boxes(rng(seed), times, 64, 64)[:, 2]
    starts = [left - direction * speed * times for direction in (-1, 1)]
    # For one of the two directions, position minus speed times time is one constant, to rounding.
    assert min(np.ptp(start) for start in starts) <= 1 + 1e-6
    for time in np.unique(times):
        assert len(np.unique(left[times == time])) == 1, "frames of the same time share their box"


def test_shuffled_frames_move_by_their_numbers_and_not_by_their_place():
    ordered = np.arange(40)
    shuffled = rng(5).permutation(ordered)
    left = MovingPole(velocity=1.5).boxes(rng(3), shuffled, 64, 64)[:, 2]
    by_time = left[np.argsort(shuffled)]
    steps = np.diff(by_time)
    assert (steps > 0).all() or (steps < 0).all()
    assert set(np.abs(steps)) <= {1, 2}
    assert len(set(np.abs(np.diff(left)))) > 2, "in sample order the pole jumps"


def test_both_directions_occur_about_equally():
    moves = [MovingPole().boxes(rng(seed), np.arange(30), 64, 64)[[0, -1], 2] for seed in range(400)]
    rightwards = np.mean([last > first for first, last in moves])
    assert 0.4 < rightwards < 0.6


@pytest.mark.parametrize("name", MOVING)
def test_speeds_fill_the_velocity_range_and_stay_in_it(name):
    times = np.array([0, 10_000])
    kind = TYPES[name](velocity=(0.5, 2.0))
    speeds = [abs(np.diff(kind.boxes(rng(seed), times, 64, 64)[:, 2])[0]) / 10_000 for seed in range(300)]
    assert 0.5 - 1e-3 <= min(speeds) < 0.52 and 1.98 < max(speeds) <= 2.0 + 1e-3
    assert TYPES[name]().velocity == (0.5, 2.0)


@pytest.mark.parametrize(("height", "width", "pixels"), [(64, 64, 1.5), (128, 88, 3.0), (64, 44, 1.5), (32, 64, 0.75)])
def test_speed_is_given_for_a_frame_of_64_rows_and_scales_with_the_height(height, width, pixels):
    left = MovingPole(velocity=1.5).boxes(rng(), np.array([0, 1000]), height, width)[:, 2]
    assert abs(abs(left[1] - left[0]) / 1000 - pixels) < 2e-3


# ---- plans and their labels --------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=4),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    size=st.sampled_from([(64, 64), (64, 44), (16, 11)]),
    refit=st.booleans(),
    seed=SEEDS,
)
def test_the_amount_is_the_mean_hidden_share_of_the_area(names, lengths, size, refit, seed):
    mix = mixture([{"kind": name, "prob": 0.8 / len(names), "refit": refit} for name in names])
    generator = rng(seed)
    plan = mix.sample([generator] * len(lengths), [np.arange(n) for n in lengths], *size)
    assert plan.kind.dtype == np.int64 and plan.amount.dtype == np.float32
    assert plan.boxes.dtype == np.int64 and plan.refit.dtype == bool
    assert plan.boxes.shape == (sum(lengths), 4) and plan.refit.shape == (sum(lengths),)
    assert (plan.boxes >= 0).all()
    assert (plan.boxes[:, :2] <= size[0]).all() and (plan.boxes[:, 2:] <= size[1]).all()
    mask = hidden(plan, *size)
    for clip, last in enumerate(np.cumsum(lengths)):
        frames = slice(last - lengths[clip], last)
        assert plan.amount[clip] == pytest.approx(mask[frames].mean(), abs=1e-6)
        assert (plan.kind[clip] == 0) == (plan.amount[clip] == 0)
        assert plan.refit[frames].tolist() == [refit and plan.kind[clip] > 0] * lengths[clip]


def test_labels_by_hand():
    kinds = [{"kind": "bottom", "prob": 1, "amount": 0.25}, {"kind": "top", "prob": 0}]
    plan = mixture(kinds).sample([rng()] * 2, [np.arange(3), np.arange(1)], 64, 44)
    assert plan.kind.tolist() == [1, 1]
    assert plan.amount.tolist() == [0.25, 0.25]
    assert plan.boxes.tolist() == [[48, 64, 0, 44]] * 4


def test_a_clean_clip_has_class_0_amount_0_and_empty_boxes():
    plan = plan_one([{"kind": "top", "prob": 0, "refit": True}], frames=3)
    assert plan.kind.tolist() == [0] and plan.amount.tolist() == [0]
    assert plan.boxes.tolist() == [[0, 0, 0, 0]] * 3
    assert not plan.refit.any()


def test_classes_are_clean_and_then_the_kinds_in_their_order():
    assert CLEAN == "clean"
    assert mixture(["bottom", "moving_pole", "top"]).classes == ("clean", "bottom", "moving_pole", "top")


def test_the_same_kind_twice_shares_one_class():
    mix = mixture(
        [
            {"kind": "top", "prob": 0.4, "refit": True},
            {"kind": "bottom", "prob": 0.2},
            {"kind": "top", "prob": 0.4},
        ]
    )
    assert mix.classes == ("clean", "top", "bottom")
    generator = rng(0)
    plan = mix.sample([generator] * 200, [np.arange(1)] * 200, 64, 64)
    assert set(plan.kind) == {1, 2}
    tops = plan.kind == 1
    assert (plan.boxes[tops, 0] == 0).all() and (plan.boxes[~tops, 0] > 0).all()
    assert 0.3 < plan.refit[tops].mean() < 0.7, "with and without refit are one class"


def test_a_mixture_knows_whether_anything_in_it_moves():
    assert not mixture(list(STILL)).dynamic
    assert all(mixture(["top", name]).dynamic for name in MOVING)


def frequencies(kinds, clips=4000, seed=0):
    mix, generator = mixture(kinds), rng(seed)
    plan = mix.sample([generator] * clips, [np.arange(1)] * clips, 8, 8)
    return dict(zip(mix.classes, np.bincount(plan.kind, minlength=len(mix.classes)) / clips, strict=True))


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (
            [{"kind": "top", "prob": 0.3}, {"kind": "bottom", "prob": 0.2}],
            {"clean": 0.5, "top": 0.3, "bottom": 0.2},
        ),
        (["top", "bottom"], {"clean": 0, "top": 0.5, "bottom": 0.5}),
        ([{"kind": "top", "prob": 0.4}, "bottom", "left"], {"clean": 0, "top": 0.4, "bottom": 0.3}),
        (["top", {"kind": "left"}, {"kind": "right", "prob": None}], {"clean": 0, "top": 1 / 3}),
    ],
)
def test_what_is_left_to_1_stays_clean_unless_an_entry_without_prob_takes_it(kinds, expected):
    found = frequencies(kinds)
    for name, share in expected.items():
        assert abs(found[name] - share) < 0.04, name  # more than five standard errors
        assert (found[name] == 0) == (share == 0), name


@pytest.mark.parametrize(
    ("kinds", "always"),
    [
        ([{"kind": "top", "prob": 0}], "clean"),
        ([{"kind": "top", "prob": 1}], "top"),
        ([{"kind": "top", "prob": 0}, {"kind": "bottom", "prob": 1}], "bottom"),
        ([{"kind": "top", "prob": 1}, "bottom"], "top"),
        ([{"kind": "top", "prob": 0}, "bottom"], "bottom"),
    ],
)
def test_probabilities_0_and_1_are_exact(kinds, always):
    assert frequencies(kinds, 1000)[always] == 1


@pytest.mark.parametrize("probs", [[0.1] * 10, [0.8, 0.05, 0.05, 0.05, 0.05]])
def test_probabilities_that_add_up_to_1_but_for_rounding_are_allowed(probs):
    assert functools.reduce(operator.add, probs) != 1  # Python's own sum is exact here since 3.12
    assert frequencies([{"kind": "top", "prob": prob} for prob in probs], 1000) == {"clean": 0, "top": 1}


def test_one_generator_per_clip_makes_clips_independent_of_their_neighbours():
    mix = mixture(["top", "bottom", "moving_pole", "moving_patch"])
    times = [np.array([3, 1, 2]), np.arange(5), np.array([7])]
    together = mix.sample([rng(i) for i in range(3)], times, 64, 44)
    start = 0
    for i, clip_times in enumerate(times):
        alone = mix.sample([rng(i)], [clip_times], 64, 44)
        assert alone.kind == together.kind[i] and alone.amount == together.amount[i]
        assert (alone.boxes == together.boxes[start : start + len(clip_times)]).all()
        start += len(clip_times)


def test_each_clip_needs_a_generator():
    with pytest.raises(ValueError):
        mixture(["top"]).sample([rng()], [np.arange(2), np.arange(2)], 64, 64)


# ---- painting ----------------------------------------------------------------------------------------------


def painted_slowly(sils: np.ndarray, plan) -> np.ndarray:
    """Twin of `paint` without refit: one frame and one box or outline at a time."""
    frames = sils.reshape(-1, *sils.shape[-2:]).copy()
    for frame, (top, bottom, left, right) in zip(frames, plan.boxes, strict=True):
        frame[top:bottom, left:right] = 0
    for frame, outline, merged in zip(plan.masked, plan.masks, plan.merged, strict=True):
        frames[frame][outline] = frames[frame].max() if merged else 0
    return frames.reshape(sils.shape)


def random_sils(shape, dtype, seed=0) -> np.ndarray:
    """Half of the pixels black, the others of any value; [..., h, w] as uint8 0–255, floats 0–1 or bool."""
    values = rng(seed).integers(1, 256, size=shape) * rng(seed + 1).integers(0, 2, size=shape)
    if np.issubdtype(dtype, np.floating):
        return (values / 255).astype(dtype)
    return (values > 0) if dtype is bool else values.astype(dtype)


@settings(max_examples=100, deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=3),
    dtype=st.sampled_from([np.float32, np.float64, np.uint8, bool]),
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    fixed=st.booleans(),
    width=st.sampled_from([32, 22]),
    seed=SEEDS,
)
def test_painting_equals_painting_frame_by_frame(names, dtype, lengths, fixed, width, seed):
    if fixed:  # [n, s, h, w]
        lengths = [lengths[0]] * len(lengths)
        shape = (len(lengths), lengths[0], 32, width)
    else:  # [1, sum of s, h, w]
        shape = (1, sum(lengths), 32, width)
    mix = mixture([{"kind": name, "prob": 0.9 / len(names)} for name in names])
    plan = mix.sample([rng(seed)] * len(lengths), [np.arange(n) for n in lengths], 32, width)
    sils = random_sils(shape, dtype)
    original = sils.copy()
    out = apply_occlusion(torch.from_numpy(sils), plan)
    assert out.shape == shape and out.numpy().dtype == dtype
    assert (out.numpy() == painted_slowly(sils, plan)).all()
    assert (sils == original).all(), "the input is not modified"


@pytest.mark.parametrize("refit", [False, True])
def test_painting_gives_a_new_tensor_even_where_nothing_is_hidden(refit):
    sils = torch.ones(1, 2, 16, 16)
    out = apply_occlusion(sils, plan_one([{"kind": "top", "prob": 0, "refit": refit}], 2, 16, 16))
    assert torch.equal(out, sils)
    out.zero_()
    assert (sils == 1).all()


def test_painting_takes_views_that_are_not_contiguous():
    sils = torch.from_numpy(random_sils((16, 16, 2, 3), np.float32)).permute(3, 2, 0, 1)
    plan = plan_one([{"kind": "left", "prob": 1}], 6, 16, 16)
    assert (apply_occlusion(sils, plan).numpy() == painted_slowly(sils.numpy(), plan)).all()


@pytest.mark.parametrize("kind", TYPES)
def test_painting_passes_gradients_where_the_silhouette_is_seen(kind):
    sils = torch.rand(1, 3, 16, 16, requires_grad=True)
    plan = plan_one([{"kind": kind, "prob": 1}], 3, 16, 16)
    apply_occlusion(sils, plan).sum().backward()
    assert ((sils.grad[0] == 0).numpy() == hidden_mask(plan, 16, 16)).all() and 0 < plan.amount[0] < 1
    assert sils.grad.max() == 1


def test_a_plan_for_other_clips_is_refused():
    with pytest.raises(ValueError, match="3 frames, the silhouettes have 4"):
        apply_occlusion(torch.ones(2, 2, 8, 8), plan_one(["top"], 3, 8, 8))


def refitted_slowly(sils: np.ndarray, plan) -> np.ndarray:
    """Twin of `paint` with refit in float64: bound what stays visible, crop, resize, frame by frame."""
    height, width = sils.shape[-2:]
    frames = painted_slowly(sils, plan).reshape(-1, height, width).astype(np.float64)
    for i, covered in enumerate(hidden(plan, height, width)):
        if not plan.refit[i] or covered.all():
            continue
        rows, columns = np.flatnonzero(~covered.all(1)), np.flatnonzero(~covered.all(0))
        crop = frames[i, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        crop = torch.from_numpy(crop.copy())[None, None]
        full = F.interpolate(crop, size=(height, width), mode="bilinear", align_corners=False)
        frames[i] = full[0, 0].numpy()
    return frames.reshape(sils.shape)


@settings(max_examples=120, deadline=None)
@given(
    name=st.sampled_from(sorted(TYPES)),
    dtype=st.sampled_from([np.float32, np.float64, np.uint8]),
    size=st.sampled_from([(32, 32), (32, 22), (15, 10)]),
    amount=st.floats(0.05, 1.0),
    seed=SEEDS,
)
def test_refit_crops_to_what_stays_visible_and_stretches_it_back(name, dtype, size, amount, seed):
    kinds = [{"kind": name, "prob": 0.8, "refit": True, "amount": amount}]
    plan = mixture(kinds).sample([rng(seed)] * 2, [np.arange(4)] * 2, *size)
    sils = random_sils((2, 4, *size), dtype, seed)
    original = sils.copy()
    out = apply_occlusion(torch.from_numpy(sils), plan).numpy()
    expected = refitted_slowly(sils, plan)
    assert out.dtype == dtype and out.shape == sils.shape
    tolerance = {np.float32: 2e-5, np.float64: 1e-12, np.uint8: 0.5 + 1e-3}[dtype]
    assert np.abs(out - expected).max() <= tolerance
    assert (sils == original).all()


def test_refit_by_hand():
    # 4 rows, the upper two hidden: rows 3 and 4 are stretched over 4 rows; pixel centres of the output lie at
    # source rows -0.25, 0.25, 0.75 and 1.25, the ends are held.
    column = torch.tensor([9.0, 9.0, 0.0, 1.0])
    sils = column[None, None, :, None].expand(1, 1, 4, 4)
    out = apply_occlusion(sils, plan_one([{"kind": "top", "prob": 1, "amount": 0.5, "refit": True}], 1, 4, 4))
    assert out[0, 0, :, 0].tolist() == [0, 0.25, 0.75, 1]


@pytest.mark.parametrize("name", ["top", "bottom", "left", "right"])
def test_refit_leaves_nothing_black_where_an_edge_was_hidden(name):
    plan = plan_one([{"kind": name, "prob": 1, "refit": True}], 2, 64, 44)
    assert (apply_occlusion(torch.ones(1, 2, 64, 44), plan) == 1).all()
    assert plan.amount[0] > 0.3, "the label stays the share that was hidden"


@pytest.mark.parametrize("name", ["middle", "moving_patch"])
def test_refit_of_kinds_that_hide_no_edge_is_plain_painting(name):
    sils = torch.from_numpy(random_sils((1, 12, 64, 44), np.float32))
    for seed in range(20):
        plain = plan_one([{"kind": name, "prob": 1}], 12, 64, 44, seed)
        refit = plan_one([{"kind": name, "prob": 1, "refit": True}], 12, 64, 44, seed)
        assert refit.refit.all() and (plain.boxes == refit.boxes).all()
        assert torch.equal(apply_occlusion(sils, plain), apply_occlusion(sils, refit))


@pytest.mark.parametrize(
    ("box", "seen"),
    [
        ((0, 4, 0, 6), (4, 10, 0, 6)),  # top
        ((7, 10, 0, 6), (0, 7, 0, 6)),  # bottom
        ((0, 10, 0, 2), (0, 10, 2, 6)),  # left
        ((0, 10, 5, 6), (0, 10, 0, 5)),  # right
        ((3, 7, 0, 6), (0, 10, 0, 6)),  # a band
        ((0, 10, 2, 4), (0, 10, 0, 6)),  # a pole
        ((0, 5, 0, 3), (0, 10, 0, 6)),  # a corner
        ((0, 10, 0, 6), (0, 10, 0, 6)),  # everything
        ((0, 0, 0, 0), (0, 10, 0, 6)),  # nothing
        ((0, 10, 0, 0), (0, 10, 0, 6)),  # a pole that has left on one side
        ((0, 10, 6, 6), (0, 10, 0, 6)),  # and on the other
    ],
)
def test_the_box_around_what_stays_visible(box, seen):
    visible = np.ones((1, 10, 6), bool)
    visible[0, box[0] : box[1], box[2] : box[3]] = False
    assert bounding_boxes(visible).tolist() == [list(seen)]


# ---- inputs with channels ----------------------------------------------------------------------------------


@pytest.mark.parametrize("joined", [False, True])
@settings(max_examples=30)
@given(seed=SEEDS, channels=st.integers(2, 4), refit=st.booleans())
def test_every_channel_is_painted_as_it_would_be_alone(joined, seed, channels, refit):
    kinds = [{"kind": "top", "refit": refit}, {"kind": "right", "refit": refit}, "moving_patch"]
    plan = mixture(kinds).sample([rng(seed)] * 3, [np.arange(4)] * 3, 32, 22)
    maps = torch.rand((1, 12, channels, 32, 22) if joined else (3, 4, channels, 32, 22))
    painted = apply_occlusion(maps, plan)
    assert painted.shape == maps.shape
    for channel in range(channels):
        assert torch.equal(painted[:, :, channel], apply_occlusion(maps[:, :, channel], plan))


def test_a_plan_is_not_mistaken_for_one_of_clips_with_channels():
    plan = plan_one(["top"], frames=3)
    with pytest.raises(ValueError, match="3 frames.*6"):
        apply_occlusion(torch.ones(1, 6, 64, 64), plan)
    with pytest.raises(ValueError, match="3 frames.*6"):
        apply_occlusion(torch.ones(1, 6, 2, 64, 64), plan)


def test_a_refitted_parsing_map_keeps_its_classes():
    plan = plan_one([{"kind": "top", "amount": 0.6, "refit": True}], frames=2)
    parts = (1 + torch.arange(64) * 11 // 64).float()[None, None, :, None].expand(1, 2, 64, 64).clone()
    painted = apply_occlusion(parts, plan, classes=True)
    seen = parts[0, 0, plan.boxes[0, 1] :, 0].unique()
    assert set(painted.unique().tolist()) == set(seen.tolist())
    assert not set(apply_occlusion(parts, plan).unique().tolist()) <= set(range(12)), "a mean is no class"
    assert torch.equal(painted[0, 0, [0, -1], 0], seen[[0, -1]])


def test_the_transform_occludes_a_clip_with_channels():
    maps = np.random.default_rng(0).random((5, 2, 32, 22)).astype(np.float32) + 0.1
    painted = Occlusion([{"kind": "bottom", "amount": 0.5}], seed=3)(maps)
    assert painted.shape == maps.shape
    assert (painted[:, :, 16:] == 0).all() and np.array_equal(painted[:, :, :16], maps[:, :, :16])


# ---- reproducible occlusion of a test clip -----------------------------------------------------------------


def draws(generator, count=4):
    return generator.random(count).tolist()


def test_content_rng_depends_on_the_silhouettes_the_shape_and_the_seed_and_on_nothing_else():
    clip = random_sils((5, 64, 44), np.uint8)
    same = draws(content_rng(clip, 0))
    np.random.seed(99)
    assert draws(content_rng(clip.copy(), 0)) == same
    strided = np.repeat(clip, 2, axis=2)[:, :, ::2]
    assert draws(content_rng(strided, 0)) == same, "the layout in memory does not matter"
    assert draws(content_rng(clip / np.float32(255), 0)) == same, "nor the scale of the values"
    assert draws(content_rng(clip > 0, 0)) == same
    changed = clip.copy()
    changed[3, 10, 10] = 0 if clip[3, 10, 10] else 255
    others = (
        content_rng(clip, 1),
        content_rng(changed, 0),
        content_rng(clip[::-1], 0),
        content_rng(clip[:4], 0),
        content_rng(clip.reshape(5, 44, 64), 0),
        content_rng(np.zeros((2, 64, 44), np.uint8), 0),
        content_rng(np.zeros((1, 64, 88), np.uint8), 0),
    )
    seen = [same] + [draws(other) for other in others]
    assert len({tuple(s) for s in seen}) == len(seen)


def test_a_seeded_test_occlusion_is_the_same_in_any_batch_and_order():
    mix = mixture(["top", "bottom", "moving_pole"])
    clips = [random_sils((n, 32, 22), np.uint8, seed=n) for n in (3, 5, 2, 4)]

    def occluded(order):
        rngs = [content_rng(clips[i], 7) for i in order]
        plan = mix.sample(rngs, [np.arange(len(clips[i])) for i in order], 32, 22)
        frames = apply_occlusion(torch.from_numpy(np.concatenate([clips[i] for i in order])[None]), plan)[0]
        return dict(zip(order, frames.split([len(clips[i]) for i in order]), strict=True))

    reference, shuffled = occluded([0, 1, 2, 3]), occluded([2, 0, 3, 1])
    assert all(torch.equal(reference[i], shuffled[i]) for i in range(4))
    assert torch.equal(occluded([2])[2], reference[2])


def test_the_process_generator_follows_numpys_seed():
    def after(seed):
        np.random.seed(seed)
        return draws(process_rng())

    assert after(1) == after(1) != after(2)


# ---- mistakes in a configuration ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (None, ["kinds", "None"]),
        ([], ["kinds", "[]"]),
        ("top", ["kinds", "'top'"]),
        ({"kind": "top"}, ["kinds", "{'kind': 'top'}"]),
        ([3], ["kinds", "3"]),
        ([{"prob": 1}], ["kinds", "'kind'", "{'prob': 1}"]),
        (["topp"], ["unknown kind 'topp'", "did you mean 'top'"]),
        (["moving_poles"], ["unknown kind 'moving_poles'", "did you mean 'moving_pole'"]),
        (["hat"], ["unknown kind 'hat'", *TYPES]),
        ([{"kind": ["top"]}], ["unknown kind ['top']"]),
        ([{"kind": None}], ["unknown kind None"]),
        ([{"kind": "top", "prob": 1.2}], ["top", "prob", "1.2"]),
        ([{"kind": "top", "prob": -0.1}], ["top", "prob", "-0.1"]),
        ([{"kind": "top", "prob": "often"}], ["top", "prob", "'often'"]),
        ([{"kind": "top", "prob": True}], ["top", "prob", "True"]),
        ([{"kind": "top", "prob": float("nan")}], ["top", "prob", "nan"]),
        ([{"kind": "top", "prob": 0.7}, {"kind": "bottom", "prob": 0.5}], ["probabilities", "1.2"]),
        ([{"kind": "top", "amuont": 0.5}], ["top", "unknown key 'amuont'", "did you mean 'amount'"]),
        ([{"kind": "top", "velocity": 1}], ["top", "unknown key 'velocity'", "amount, refit"]),
        ([{"kind": "moving_pole", "height": 0.4}], ["moving_pole", "unknown key 'height'", "velocity"]),
        ([{"kind": "top", "amount": [0.6, 0.4]}], ["top", "amount", "[0.6, 0.4]"]),
        ([{"kind": "top", "amount": [0.4, 1.1]}], ["top", "amount", "[0.4, 1.1]"]),
        ([{"kind": "top", "amount": 0}], ["top", "amount", "0"]),
        ([{"kind": "top", "amount": [0.4]}], ["top", "amount", "[0.4]"]),
        ([{"kind": "top", "amount": "half"}], ["top", "amount", "'half'"]),
        ([{"kind": "top", "amount": None}], ["top", "amount", "None"]),
        ([{"kind": "top", "amount": True}], ["top", "amount", "True"]),
        ([{"kind": "moving_pole", "velocity": [2, 1]}], ["moving_pole", "velocity", "[2, 1]"]),
        ([{"kind": "moving_pole", "velocity": float("inf")}], ["moving_pole", "velocity", "inf"]),
        ([{"kind": "moving_patch", "height": [0.3, 2]}], ["moving_patch", "height", "[0.3, 2]"]),
        ([{"kind": "top", "refit": "yes"}], ["top", "refit", "'yes'"]),
        ([{"kind": "top", "refit": 1}], ["top", "refit", "1"]),
    ],
)
def test_a_mistake_in_kinds_names_the_key_and_the_value(kinds, words):
    with pytest.raises(ConfigError) as caught:
        mixture(kinds)
    message = str(caught.value)
    assert message.startswith("Occlusion: ") and "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True, [1]])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    with pytest.raises(ConfigError, match="Occlusion: seed: ") as caught:
        Occlusion(["top"], seed=seed)
    assert repr(seed) in str(caught.value)


@pytest.mark.parametrize("written", [(Range, bool), ("Range", "bool")], ids=["types", "text"])
def test_a_kind_of_ones_own_is_checked_with_and_without_annotations_of_the_future(monkeypatch, written):
    spread, flag = written
    settings = [("depth", spread, field(default=(0.2, 0.4))), ("bright", flag, field(default=False))]
    boxes = {"boxes": lambda self, rng, times, height, width: np.tile([0, height, 0, 1], (len(times), 1))}
    monkeypatch.setitem(
        TYPES, "post", make_dataclass("Post", settings, bases=(BoxOcclusion,), frozen=True, namespace=boxes)
    )
    (kind,) = mixture([{"kind": "post", "depth": 0.3}]).types
    assert kind.depth == (0.3, 0.3)
    with pytest.raises(ConfigError, match=r"Occlusion: post: depth: \[0.4, 0.2\] is not a range"):
        mixture([{"kind": "post", "depth": [0.4, 0.2]}])
    with pytest.raises(ConfigError, match="Occlusion: post: bright: 1 is neither true nor false"):
        mixture([{"kind": "post", "bright": 1}])


def test_a_number_stands_for_a_range_of_one_value():
    kind = mixture([{"kind": "moving_patch", "amount": 0.5, "velocity": 2, "height": 1}]).types[0]
    assert (kind.amount, kind.velocity, kind.height) == ((0.5, 0.5), (2.0, 2.0), (1.0, 1.0))


def test_reading_a_mixture_leaves_the_configuration_as_it_is():
    kinds = [{"kind": "top", "prob": 0.5, "amount": [0.4, 0.6]}, "bottom"]
    mixture(kinds)
    assert kinds == [{"kind": "top", "prob": 0.5, "amount": [0.4, 0.6]}, "bottom"]


# ---- the transform -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("seed", [None, 3])
def test_the_transform_occludes_a_numpy_clip(dtype, seed):
    clip = random_sils((6, 64, 44), dtype)
    original = clip.copy()
    out = Occlusion([{"kind": "bottom", "prob": 1, "amount": 0.5}], seed=seed)(clip)
    assert isinstance(out, np.ndarray) and out.dtype == dtype and out.shape == clip.shape
    assert (out[:, :32] == clip[:, :32]).all() and (out[:, 32:] == 0).all()
    assert (clip == original).all()


def test_the_transform_takes_views():
    view = random_sils((6, 64, 88), np.float32)[::-1, :, ::2]
    out = Occlusion([{"kind": "top", "prob": 1, "amount": 0.5}])(view)
    assert (out[:, :32] == 0).all() and (out[:, 32:] == view[:, 32:]).all()


def test_with_a_seed_the_transform_depends_on_the_clip_and_the_seed_only():
    clips = [random_sils((4, 32, 22), np.float32, seed=i) for i in range(6)]

    def run(seed, order):
        transform = Occlusion(["top", "bottom", "left"], seed=seed)
        return {i: transform(clips[i]).tobytes() for i in order}

    forwards = run(0, range(6))
    np.random.seed(1)
    assert run(0, reversed(range(6))) == forwards
    assert run(1, range(6)) != forwards


def test_without_a_seed_the_transform_draws_from_the_process_and_anew_each_time():
    clip = random_sils((2, 64, 64), np.float32)

    def run(seed):
        np.random.seed(seed)
        transform = Occlusion(["top", "bottom"])
        return [transform(clip).tobytes() for _ in range(5)]

    assert run(0) == run(0) != run(1)
    assert len(set(run(0))) > 1


@pytest.mark.parametrize("name", MOVING)
def test_a_moving_kind_says_once_that_it_takes_frames_as_consecutive(name):
    clip = random_sils((4, 32, 22), np.float32)
    transform = Occlusion([name])
    with pytest.warns(UserWarning, match="frames as consecutive") as caught:
        transform(clip)
    assert caught[0].filename == __file__, "the line that called it"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transform(clip)


def test_kinds_that_stand_still_say_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Occlusion(list(STILL))(random_sils((4, 32, 22), np.float32))
