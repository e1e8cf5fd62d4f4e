"""What each occlusion type hides: boxes that stand or move, people who cross, masks of things, a detector's box."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from opengait_mimic.errors import ConfigError
from opengait_mimic.method.occlusion import TYPES, BoxOcclusion, MaskOcclusion, hidden_mask, mixture
from opengait_mimic.method.occlusion.masks import bounding_boxes
from opengait_mimic.method.occlusion.placing import crossing_clip, generated_walkers, placed, scale_for, standing
from opengait_mimic.method.occlusion.shapes import SHAPES, library
from opengait_mimic.method.occlusion.types import (
    Bottom,
    CrossingPerson,
    DetectorCut,
    Left,
    Middle,
    MovingPatch,
    MovingPole,
    Outline,
    Right,
    Top,
)

STILL = ("top", "bottom", "middle", "left", "right")
MOVING = ("moving_patch", "moving_pole")
MERGING = ("crossing_person", "outline")
SEEDS = st.integers(0, 2**32 - 1)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sampled(kinds, lengths=(6,), size=(64, 64), seed=0, times=None, **people):
    """The parameters of some clips, drawn one after another from one generator."""
    times = [np.arange(n) for n in lengths] if times is None else times
    return mixture(kinds).sample([rng(seed)] * len(times), times, *size, **people)


# ---- boxes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "height", "width", "box"),
    [
        (Top(0.5), 64, 64, (0, 32, 0, 64)),
        (Top(0.4), 64, 44, (0, 26, 0, 44)),  # 25.6 rows
        (Bottom(0.6), 64, 44, (26, 64, 0, 44)),  # 38.4 rows
        (Middle(0.5), 64, 44, (16, 48, 0, 44)),
        (Middle(0.4), 64, 64, (19, 45, 0, 64)),  # 26 rows, 19 above and below
        (Left(0.4), 64, 44, (0, 64, 0, 18)),  # 17.6 columns
        (Right(0.6), 32, 64, (0, 32, 26, 64)),  # 38.4 columns
        (Top(1.0), 64, 44, (0, 64, 0, 44)),
        (Top(0.001), 64, 44, (0, 1, 0, 44)),  # never less than a pixel
    ],
)
def test_still_types_hide_the_box_their_name_says_in_every_frame(type_, height, width, box):
    boxes = type_.boxes(rng(), np.arange(3), height, width)
    assert boxes.dtype == np.int64
    assert boxes.tolist() == [list(box)] * 3


@pytest.mark.parametrize("name", TYPES)
def test_the_amount_defaults_to_the_papers_range(name):
    assert TYPES[name]().amount == (0.4, 0.6)
    assert TYPES[name]().refit is False


@pytest.mark.parametrize("name", STILL)
def test_amounts_fill_the_default_range_and_stay_in_it(name):
    amounts = sampled([{"kind": name, "prob": 1}], [2] * 400, (1000, 1000), 1).amount
    assert np.float32(0.4) <= amounts.min() < 0.405 and 0.595 < amounts.max() <= np.float32(0.6)
    assert abs(amounts.mean() - 0.5) < 0.01  # uniform: five standard errors


def test_a_pole_stands_over_the_full_height_and_a_patch_at_any_height():
    tops = []
    for seed in range(200):
        pole = MovingPole().boxes(rng(seed), np.arange(30), 64, 44)
        assert (pole[:, 0] == 0).all() and (pole[:, 1] == 64).all()
        patch = MovingPatch().boxes(rng(seed), np.arange(30), 64, 44)
        assert (patch[:, 0] >= 0).all() and (patch[:, 1] <= 64).all()
        assert len(np.unique(patch[:, :2], axis=0)) == 1, "a patch keeps its height"
        assert 0.3 * 64 - 0.5 <= patch[0, 1] - patch[0, 0] <= 0.5 * 64 + 0.5
        for boxes in (pole, patch):
            breadth = np.unique(boxes[:, 3] - boxes[:, 2])
            assert len(breadth) == 1 and 0.4 * 44 - 0.5 <= breadth[0] <= 0.6 * 44 + 0.5
        tops.append(MovingPatch(height=0.5).boxes(rng(seed), np.arange(1), 64, 64)[0, 0])
    assert min(tops) == 0 and max(tops) == 32


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(MOVING), times=st.lists(st.integers(0, 2000), min_size=1, max_size=30),
    width=st.sampled_from([44, 64, 88]), seed=SEEDS,
)  # fmt: skip
def test_a_moving_occluder_hits_every_clip_in_at_least_one_sampled_frame(name, times, width, seed):
    parameters = sampled([{"kind": name, "prob": 1, "velocity": [0.5, 9.0]}], (), (64, width), seed, [np.array(times)])
    assert hidden_mask(parameters, 64, width).any() and parameters.amount[0] > 0
    unclipped = TYPES[name](velocity=(0.5, 9.0)).boxes(rng(seed), np.array(times), 64, width)
    centres = unclipped[:, 2:].mean(1)
    assert ((centres >= 0.25 * width - 0.5) & (centres <= 0.75 * width + 0.5)).any()


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(MOVING), times=st.lists(st.integers(0, 300), min_size=2, max_size=40),
    speed=st.floats(0.1, 5.0), seed=SEEDS,
)  # fmt: skip
def test_motion_follows_real_time_whatever_the_order_of_the_frames(name, times, speed, seed):
    times = np.array(times)
    left = TYPES[name](velocity=speed).boxes(rng(seed), times, 64, 64)[:, 2]
    starts = [left - direction * speed * times for direction in (-1, 1)]
    # For one of the two directions, position minus speed times time is one constant, to rounding.
    assert min(np.ptp(start) for start in starts) <= 1 + 1e-6
    for time in np.unique(times):
        assert len(np.unique(left[times == time])) == 1, "frames of the same time share their box"


@pytest.mark.parametrize("name", MOVING)
def test_speeds_fill_their_range_in_both_directions(name):
    moves = [np.diff(TYPES[name]().boxes(rng(seed), np.array([0, 10_000]), 64, 64)[:, 2])[0] for seed in range(300)]
    speeds = np.abs(moves) / 10_000
    assert 0.5 - 1e-3 <= speeds.min() < 0.52 and 1.98 < speeds.max() <= 2.0 + 1e-3
    assert 0.4 < np.mean(np.array(moves) > 0) < 0.6


@pytest.mark.parametrize(("height", "width", "pixels"), [(64, 64, 1.5), (128, 88, 3.0), (64, 44, 1.5), (32, 64, 0.75)])
def test_speed_is_given_for_a_frame_of_64_rows_and_scales_with_the_height(height, width, pixels):
    left = MovingPole(velocity=1.5).boxes(rng(), np.array([0, 1000]), height, width)[:, 2]
    assert abs(abs(left[1] - left[0]) / 1000 - pixels) < 2e-3


# ---- where a mask lies -------------------------------------------------------------------------------------


def placed_slowly(outline, scale, top, left, height, width):
    mask = np.zeros((height, width), dtype=bool)
    for y in range(height):
        for x in range(width):
            row, column = np.floor((y + 0.5 - top) / scale), np.floor((x + 0.5 - left) / scale)
            if 0 <= row < outline.shape[0] and 0 <= column < outline.shape[1]:
                mask[y, x] = outline[int(row), int(column)]
    return mask


@settings(max_examples=40, deadline=None)
@given(
    scale=st.floats(0.1, 5), top=st.floats(-20, 20), left=st.floats(-20, 20), seed=SEEDS, each=st.booleans(),
)  # fmt: skip
def test_placing_equals_placing_pixel_by_pixel(scale, top, left, seed, each):
    outlines = rng(seed).random((3 if each else 1, 7, 5)) < 0.5
    scales, tops, lefts = scale * np.array([1, 1.5, 0.7]), top + np.arange(3), left - np.arange(3)
    found = placed(outlines, scales, tops, lefts, 12, 9)
    for n in range(3):
        expected = placed_slowly(outlines[n if each else 0], scales[n], tops[n], lefts[n], 12, 9)
        assert np.array_equal(found[n], expected)


def test_an_outline_stands_on_the_lower_edge_around_its_middle():
    block = np.ones((10, 10), dtype=bool)
    mask = standing(block, np.array([2.0, 2.0]), np.array([32.0, 0.0]), 64, 64)
    assert mask[0].nonzero()[0].min() == 44 and mask[0].any(0).nonzero()[0].tolist() == list(range(22, 42))
    assert mask[1].sum() == 200, "half of it is beside the frame"


@pytest.mark.parametrize("size", [(64, 64), (64, 44), (128, 88)])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_generated_outline_can_hide_what_is_asked_for(shape, size):
    for outline in library()[shape]:
        assert outline.dtype == bool and outline[0].any() and outline[-1].any()
        for share in (0.1, 0.4, 0.5, 0.6):
            scale = scale_for(outline, share, size[1] / 2, *size)
            mask = standing(outline, np.array([scale]), np.array([size[1] / 2]), *size)
            assert mask.mean() == pytest.approx(share, abs=0.04)  # a column on either side


def test_where_an_outline_cannot_hide_that_much_it_hides_the_most_it_can():
    ring = np.ones((9, 9), dtype=bool)
    ring[1:-1, 1:-1] = False
    scale = scale_for(ring, 0.9, 32, 64, 64)
    found = standing(ring, np.array([scale]), np.array([32.0]), 64, 64).mean()
    assert found == max(standing(ring, np.array([s]), np.array([32.0]), 64, 64).mean() for s in (scale, scale / 2, 5))


# ---- masks -------------------------------------------------------------------------------------------------


def test_a_clip_that_nothing_is_hidden_of_is_clean(monkeypatch):
    masks = iter([np.zeros((2, 8, 8), dtype=bool), np.ones((2, 8, 8), dtype=bool)])
    monkeypatch.setattr(Outline, "masks", lambda *_: next(masks))
    parameters = sampled([{"kind": "outline", "prob": 1, "refit": True}], [2, 2], (8, 8))
    assert parameters.kind.tolist() == [0, 1] and parameters.amount.tolist() == [0, 1]
    assert parameters.refit.tolist() == [False, False, True, True] and parameters.masked.tolist() == [2, 3]


@pytest.mark.parametrize("seed", range(20))
def test_an_outline_hides_its_amount_in_the_frame_it_is_drawn_for(seed):
    parameters = sampled([{"kind": "outline", "amount": 0.45}], (1,), (64, 44), seed)
    assert parameters.amount[0] == pytest.approx(0.45, abs=0.03)


def test_the_detectors_box_leaves_out_its_amount_and_keeps_one_rectangle():
    areas = []
    for seed in range(60):
        mask = DetectorCut(amount=0.4, jitter=0.001).masks(rng(seed), np.arange(3), 128, 128, [])
        for frame, (top, bottom, left, right) in zip(mask, bounding_boxes(~mask), strict=True):
            assert not frame[top:bottom, left:right].any()
            assert (~frame).sum() == (bottom - top) * (right - left)
        areas.append(mask.mean())
    assert np.mean(areas) == pytest.approx(0.4, abs=0.01) and np.std(areas) < 0.01


def test_the_detectors_box_jitters_by_frame_number_as_much_as_is_said():
    times = np.array([4, 9, 4, 9, 2])
    mask = DetectorCut(jitter=0.05).masks(rng(1), times, 64, 64, [])
    assert np.array_equal(mask[0], mask[2]) and np.array_equal(mask[1], mask[3])
    assert not np.array_equal(mask[0], mask[1])
    edges = bounding_boxes(~DetectorCut(amount=0.5, jitter=0.02).masks(rng(2), np.arange(1000), 300, 300, []))
    inner = [e for e in edges.T if e.min() > 0 and e.max() < 300]
    assert inner and all(abs(e.std() - 6) < 0.6 for e in inner)


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(MERGING), times=st.lists(st.integers(0, 90), min_size=2, max_size=12), seed=SEEDS)
def test_masks_follow_the_frames_numbers_whatever_their_order(name, times, seed):
    times = np.array(times)
    mask = hidden_mask(sampled([{"kind": name, "prob": 1}], (), (64, 44), seed, [times]), 64, 44)
    for time in np.unique(times):
        same = mask[times == time]
        assert (same == same[:1]).all(), "frames of the same number are hidden alike"


def test_an_outline_moves_by_its_velocity():
    mask = Outline(amount=0.1, velocity=1.0, shapes=("post",)).masks(rng(0), np.arange(12), 64, 64, [])
    middles = [np.mean(frame.any(0).nonzero()[0]) for frame in mask if not frame.any(0)[[0, -1]].any()]
    assert len(middles) > 3 and np.allclose(np.abs(np.diff(middles)), 1)


@pytest.mark.parametrize("type_", [BoxOcclusion, MaskOcclusion])
def test_a_type_says_what_it_hides(type_):
    with pytest.raises(TypeError, match="abstract"):
        type_()


# ---- who crosses -------------------------------------------------------------------------------------------

CROSSING = [{"kind": "crossing_person", "amount": 0.2, "prob": 1, "velocity": 1e-6}]


def wall(rows: int) -> np.ndarray:
    """A "body" known by how tall it is: a rectangle 20 wide."""
    clip = np.zeros((3, 64, 64), dtype=np.uint8)
    clip[:, 64 - rows :, 22:42] = 255
    return clip


def test_a_crossing_person_walks_on():
    clip = np.zeros((4, 64, 64), dtype=np.uint8)
    for step in range(4):
        clip[step, 16 * step : 16 * step + 16, 24:40] = 255
    mask = CrossingPerson(amount=0.25, velocity=1e-6).masks(rng(3), np.arange(5), 64, 64, [clip])
    lowest = [int(frame.any(1).nonzero()[0].mean()) if frame.any() else None for frame in mask]
    assert np.array_equal(mask[0], mask[4]), "four frames, then they come again"
    assert len({row for row in lowest[:4] if row is not None}) >= 3, lowest


def test_another_subject_of_the_batch_crosses_never_the_same():
    people = {"clips": [wall(20), wall(20), wall(40)], "subjects": ["a", "a", "b"]}
    for seed in range(10):
        parameters = sampled(CROSSING, [3, 3, 3], (64, 64), seed, **people)
        slender = [  # the occluder's height as a share of its width
            np.ptp(mask[0].any(1).nonzero()[0]) / np.ptp(mask[0].any(0).nonzero()[0])
            for mask in np.split(hidden_mask(parameters, 64, 64), 3)
        ]
        assert slender[:2] == pytest.approx([2, 2], abs=0.3), "b crosses a"
        assert slender[2] == pytest.approx(1, abs=0.2), "a crosses b"


def test_where_nobody_else_is_there_a_generated_walker_crosses():
    kinds = [{"kind": "crossing_person", "prob": 1}]
    alone = sampled(kinds, (3,), clips=[wall(30)], subjects=["a"])
    assert np.array_equal(alone.masks, sampled(kinds, (3,)).masks)
    assert len(generated_walkers()) == 12 and all(p.any((1, 2)).all() for p in generated_walkers())


def test_the_other_is_whoever_is_bright_and_frames_without_a_body_are_left_out():
    clip = np.zeros((3, 8, 6), dtype=np.float32)
    clip[1, 2:7, 2:4], clip[1, 0] = 1.0, 0.3
    assert crossing_clip(rng(), [clip]).shape == (1, 5, 6)
    assert crossing_clip(rng(), [np.stack([clip, clip], axis=1)]).shape == (1, 5, 6), "heat maps: of any channel"
    assert crossing_clip(rng(), [np.zeros((2, 8, 6))]).shape[2] == 64, "an empty clip is nobody"


@pytest.mark.parametrize("crossed", [True, False])
def test_any_type_may_ask_for_the_people_of_the_batch(monkeypatch, crossed):
    given = []

    class Crowd(MaskOcclusion):
        crossed_by_people = crossed

        def masks(self, rng, times, height, width, others):
            given.append([len(clip) for clip in others])
            return np.ones((len(times), height, width), dtype=bool)

    monkeypatch.setitem(TYPES, "crowd", Crowd)
    assert mixture(["crowd"]).crossed == crossed and not mixture(["outline"]).crossed
    parameters = sampled(["crowd"], (2, 3), clips=[wall(20)[:2], wall(30)], subjects=["a", "b"])
    assert given == ([[3], [2]] if crossed else [[], []])
    assert not parameters.merged.any(), "black, where a type does not say"


def test_people_are_taken_in_the_order_of_time():
    clip = np.stack([wall(10)[0], wall(50)[0]])
    straight = sampled(CROSSING, [2, 2], clips=[clip, clip], subjects=["a", "b"])
    times = [np.arange(2), np.array([1, 0])]
    mixed = sampled(CROSSING, (), times=times, clips=[clip, clip[::-1]], subjects=["a", "b"])
    assert np.array_equal(straight.masks[:2], mixed.masks[:2])


# ---- a folder of masks -------------------------------------------------------------------------------------


def test_the_users_masks_stand_where_generated_ones_would(tmp_path):
    picture = np.zeros((30, 40), dtype=np.uint8)
    picture[5:25, 10:30] = 255
    Image.fromarray(picture).save(tmp_path / "block.png")
    parameters = sampled([{"kind": "outline", "folder": str(tmp_path), "amount": 0.25, "prob": 1}], (1,))
    rows, columns = parameters.masks[0].nonzero()
    assert parameters.amount[0] == pytest.approx(0.25, abs=0.02)
    assert rows.max() == 63 and len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)


def test_a_folder_without_masks_is_refused(tmp_path):
    kinds = [{"kind": "outline", "folder": str(tmp_path)}]
    with pytest.raises(ConfigError, match="no picture in it"):
        mixture(kinds)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "b.png")
    with pytest.raises(ConfigError, match=r"b.png: all black"):
        mixture(kinds)
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(ConfigError, match=r"a.png: cannot be read"):
        mixture(kinds)


def test_no_program_is_started_for_a_mask_whatever_its_content(tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "gs").write_text(f"#!/bin/sh\ntouch '{tmp_path / 'started'}'\n")
    (programs / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    folder = tmp_path / "masks"
    folder.mkdir()
    eps = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n%%EOF\n"
    (folder / "a.png").write_text(eps)
    with pytest.raises(ConfigError, match=r"a.png: cannot be read"):
        mixture([{"kind": "outline", "folder": str(folder)}])
    assert not (tmp_path / "started").exists()
