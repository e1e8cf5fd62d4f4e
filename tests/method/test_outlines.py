"""Occluders that are no boxes: somebody who crosses, outlines of things, a detector's box that is too small."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from opengait_mimic.errors import ConfigError
from opengait_mimic.method.occlusion import (
    TYPES,
    BoxOcclusion,
    MaskOcclusion,
    apply_occlusion,
    content_rng,
    hidden_mask,
    mixture,
    visible_boxes,
    visible_mask,
)
from opengait_mimic.method.occlusion.masks import bounding_boxes
from opengait_mimic.method.occlusion.placing import crossing_clip, generated_walkers, placed, scale_for, standing
from opengait_mimic.method.occlusion.shapes import SHAPES, library
from opengait_mimic.method.occlusion.types import CrossingPerson, DetectorCut, Outline

OUTLINES = ("crossing_person", "outline", "detector_cut")
MERGING = ("crossing_person", "outline")
SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.sampled_from([(64, 64), (64, 44), (16, 11)])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def plan_of(kinds, lengths=(6,), size=(64, 64), seed=0, times=None, **people):
    times = [np.arange(n) for n in lengths] if times is None else times
    return mixture(kinds).sample([rng(seed)] * len(times), times, *size, **people)


def bodies(count: int, size=(64, 44), seed=0) -> torch.Tensor:
    """Frames of a few grey values, none black."""
    return torch.from_numpy(rng(seed).integers(1, 5, (1, count, *size)).astype(np.float32) / 4)


# ---- where an outline lies ---------------------------------------------------------------------------------


def test_an_outline_is_placed_by_hand():
    outline = np.array([[[True, False], [True, True]]])
    doubled = placed(outline, np.array([2.0]), np.array([1.0]), np.array([0.0]), 6, 5)[0]
    assert doubled.astype(int).tolist() == [
        [0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0],
    ]
    beyond = placed(outline, np.array([1.0]), np.array([-1.0]), np.array([4.0]), 2, 5)[0]
    assert beyond.astype(int).tolist() == [[0, 0, 0, 0, 1], [0, 0, 0, 0, 0]], "what lies beyond the frame is lost"


def placed_slowly(outline, scale, top, left, height, width):
    mask = np.zeros((height, width), dtype=bool)
    for y in range(height):
        for x in range(width):
            row, column = np.floor((y + 0.5 - top) / scale), np.floor((x + 0.5 - left) / scale)
            if 0 <= row < outline.shape[0] and 0 <= column < outline.shape[1]:
                mask[y, x] = outline[int(row), int(column)]
    return mask


@settings(max_examples=30, deadline=None)
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


def test_what_an_outline_cannot_hide_it_does_not():
    ring = np.ones((9, 9), dtype=bool)
    ring[1:-1, 1:-1] = False
    scale = scale_for(ring, 0.9, 32, 64, 64)
    found = standing(ring, np.array([scale]), np.array([32.0]), 64, 64).mean()
    assert found == max(standing(ring, np.array([s]), np.array([32.0]), 64, 64).mean() for s in (scale, scale / 2, 5))


# ---- amount and labels -------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(OUTLINES), size=SIZES, lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    refit=st.booleans(), low=st.floats(0.02, 0.6), seed=SEEDS,
)  # fmt: skip
def test_the_amount_is_the_hidden_share_of_the_frames_and_only_that_changes(name, size, lengths, refit, low, seed):
    kinds = [{"kind": name, "prob": 0.7, "refit": refit, "amount": [low, low + 0.3]}]
    plan = plan_of(kinds, lengths, size, seed)
    mask, sils = hidden_mask(plan, *size), bodies(sum(lengths), size)
    in_place = apply_occlusion(sils, plan_of([{**kinds[0], "refit": False}], lengths, size, seed))[0].numpy()
    assert np.array_equal(in_place == 0, mask), "black where hidden, there only"
    assert np.array_equal(in_place[~mask], sils[0].numpy()[~mask])
    assert np.array_equal(visible_mask(plan, *size), ~mask)
    assert not plan.boxes.any() and plan.masks.shape == (len(plan.masked), *size)
    for clip, last in enumerate(np.cumsum(lengths)):
        frames = slice(last - lengths[clip], last)
        assert plan.amount[clip] == pytest.approx(mask[frames].mean(), abs=1e-6)
        assert (plan.kind[clip] == 0) == (plan.amount[clip] == 0)
        assert plan.refit[frames].tolist() == [refit and plan.kind[clip] > 0] * lengths[clip]


def test_a_clip_that_nothing_is_hidden_of_is_clean(monkeypatch):
    masks = iter([np.zeros((2, 8, 8), dtype=bool), np.ones((2, 8, 8), dtype=bool)])
    monkeypatch.setattr(Outline, "masks", lambda *_: next(masks))
    plan = plan_of([{"kind": "outline", "prob": 1, "refit": True}], [2, 2], (8, 8))
    assert plan.kind.tolist() == [0, 1] and plan.amount.tolist() == [0, 1]
    assert plan.refit.tolist() == [False, False, True, True] and plan.masked.tolist() == [2, 3]


@pytest.mark.parametrize("seed", range(20))
def test_an_outline_hides_its_amount_in_the_frame_it_is_drawn_for(seed):
    plan = plan_of([{"kind": "outline", "amount": 0.45}], (1,), (64, 44), seed)
    assert plan.amount[0] == pytest.approx(0.45, abs=0.03)


def test_the_detectors_box_leaves_out_its_amount_and_keeps_one_rectangle():
    areas = []
    for seed in range(60):
        kind = DetectorCut(amount=0.4, jitter=0.001)
        mask = kind.masks(rng(seed), np.arange(3), 128, 128, [])
        seen = bounding_boxes(~mask)
        for frame, (top, bottom, left, right) in zip(mask, seen, strict=True):
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
    inner = [e for e in edges.T if 0 < e.min() and e.max() < 300]
    assert inner and all(abs(e.std() - 6) < 0.6 for e in inner)


# ---- motion ------------------------------------------------------------------------------------------------


def by_column(mask: np.ndarray) -> np.ndarray:
    return mask.any(1)


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(MERGING), times=st.lists(st.integers(0, 90), min_size=2, max_size=12), seed=SEEDS)
def test_outlines_follow_the_frames_numbers_whatever_their_order(name, times, seed):
    times = np.array(times)
    mix = mixture([{"kind": name, "prob": 1}])
    mask = hidden_mask(mix.sample([rng(seed)], [times], 64, 44), 64, 44)
    for time in np.unique(times):
        same = mask[times == time]
        assert (same == same[:1]).all(), "frames of the same number are hidden alike"


def test_an_outline_moves_by_its_velocity():
    kind = Outline(amount=0.1, velocity=1.0, shapes=("post",))
    mask = kind.masks(rng(0), np.arange(12), 64, 64, [])
    middles = [np.mean(frame.any(0).nonzero()[0]) for frame in mask if not by_column(frame[None])[0, [0, -1]].any()]
    assert len(middles) > 3 and np.allclose(np.abs(np.diff(middles)), 1)


def test_somebody_who_crosses_walks_on():
    clip = np.zeros((4, 64, 64), dtype=np.uint8)
    for step in range(4):
        clip[step, 16 * step : 16 * step + 16, 24:40] = 255
    kind = CrossingPerson(amount=0.25, velocity=1e-6)
    mask = kind.masks(rng(3), np.array([0, 1, 2, 3, 4]), 64, 64, [clip])
    lowest = [int(frame.any(1).nonzero()[0].mean()) if frame.any() else None for frame in mask]
    assert np.array_equal(mask[0], mask[4]), "four frames, then they come again"
    assert len({row for row in lowest[:4] if row is not None}) >= 3, lowest


# ---- who crosses -------------------------------------------------------------------------------------------


def wall(rows: int) -> np.ndarray:
    """A "body" told by how tall it is: a rectangle 20 wide."""
    clip = np.zeros((3, 64, 64), dtype=np.uint8)
    clip[:, 64 - rows :, 22:42] = 255
    return clip


def heights(plan, frames: int) -> list[float]:
    """Per clip, the occluder's height as a share of its width, where all of it is in the frame."""
    return [
        np.ptp(mask[0].any(1).nonzero()[0]) / np.ptp(mask[0].any(0).nonzero()[0])
        for mask in np.split(hidden_mask(plan, 64, 64), len(plan.kind))
    ]


def test_another_subject_of_the_batch_crosses_never_the_same():
    clips, subjects = [wall(20), wall(20), wall(40)], ["a", "a", "b"]
    kinds = [{"kind": "crossing_person", "amount": 0.2, "prob": 1, "velocity": 1e-6}]
    times = [np.arange(3)] * 3
    for seed in range(10):
        found = heights(plan_of(kinds, size=(64, 64), seed=seed, times=times, clips=clips, subjects=subjects), 3)
        assert found[0] == pytest.approx(2, abs=0.3) and found[1] == pytest.approx(2, abs=0.3), "b crosses a"
        assert found[2] == pytest.approx(1, abs=0.2), "a crosses b"


def test_where_nobody_else_is_there_a_generated_walker_crosses():
    kinds = [{"kind": "crossing_person", "prob": 1}]
    alone = plan_of(kinds, (3,), clips=[wall(30)], subjects=["a"])
    assert np.array_equal(alone.masks, plan_of(kinds, (3,)).masks)
    assert len(generated_walkers()) == 12 and all(p.any((1, 2)).all() for p in generated_walkers())


def test_the_other_is_whoever_is_bright_and_frames_without_a_body_are_left_out():
    clip = np.zeros((3, 8, 6), dtype=np.float32)
    clip[1, 2:7, 2:4], clip[1, 0] = 1.0, 0.3
    assert crossing_clip(rng(), [clip]).shape == (1, 5, 6)
    assert crossing_clip(rng(), [np.stack([clip, clip], axis=1)]).shape == (1, 5, 6), "heat maps: of any channel"
    assert crossing_clip(rng(), [np.zeros((2, 8, 6))]).shape[2] == 64, "an empty clip is nobody"


@pytest.mark.parametrize("crossed", [True, False])
def test_any_kind_may_ask_for_the_people_of_the_batch(monkeypatch, crossed):
    given = []

    class Crowd(MaskOcclusion):
        crossed_by_people = crossed

        def masks(self, rng, times, height, width, others):
            given.append([len(clip) for clip in others])
            return np.ones((len(times), height, width), dtype=bool)

    monkeypatch.setitem(TYPES, "crowd", Crowd)
    assert mixture(["crowd"]).crossed == crossed and not mixture(["outline"]).crossed
    plan = plan_of(["crowd"], (2, 3), clips=[wall(20)[:2], wall(30)], subjects=["a", "b"])
    assert given == ([[3], [2]] if crossed else [[], []])
    assert not plan.merged.any(), "black, where a kind does not say"


def test_people_are_taken_in_the_order_of_time():
    clip = np.stack([wall(10)[0], wall(50)[0]])
    kinds = [{"kind": "crossing_person", "amount": 0.2, "prob": 1, "velocity": 1e-6}]
    given = {"subjects": ["a", "b"]}
    straight = plan_of(kinds, times=[np.arange(2)] * 2, clips=[clip, clip], **given)
    mixed = plan_of(kinds, times=[np.arange(2), np.array([1, 0])], clips=[clip, clip[::-1]], **given)
    assert np.array_equal(straight.masks[:2], mixed.masks[:2])


def test_at_test_an_occlusion_depends_on_the_clip_and_the_seed_only():
    mix = mixture([{"kind": name, "prob": 0.3} for name in OUTLINES])
    clips = [bodies(n, (32, 22), n)[0].numpy() for n in (3, 5, 2, 4, 6, 7)]

    def masks(order):
        plan = mix.sample([content_rng(clips[i], 1) for i in order], [np.arange(len(clips[i])) for i in order], 32, 22)
        parts = np.split(hidden_mask(plan, 32, 22), np.cumsum([len(clips[i]) for i in order])[:-1])
        return {i: (part.tobytes(), int(kind)) for i, part, kind in zip(order, parts, plan.kind, strict=True)}

    together = masks(range(6))
    assert masks([5, 2, 0, 3, 1, 4]) == together and masks([3]) == {3: together[3]}
    assert len({kind for _, kind in together.values()}) > 2


@pytest.mark.parametrize("kind", [BoxOcclusion, MaskOcclusion])
def test_a_kind_says_what_it_hides(kind):
    with pytest.raises(TypeError, match="abstract"):
        kind()


# ---- painting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MERGING)
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_a_merged_occluder_is_as_bright_as_the_body(name, dtype):
    sils = (bodies(4) * 200).to(dtype)
    plan = plan_of([{"kind": name, "prob": 1, "merged": True}], (4,), (64, 44))
    black = plan_of([{"kind": name, "prob": 1}], (4,), (64, 44))
    assert plan.merged.all() and not black.merged.any() and np.array_equal(plan.masks, black.masks)
    assert plan.amount == black.amount, "what is covered by somebody else is hidden, whatever its colour"
    painted, mask = apply_occlusion(sils, plan)[0], torch.from_numpy(plan.masks)
    assert torch.equal(painted[~mask], sils[0][~mask])
    for frame, covered, before in zip(painted, mask, sils[0], strict=True):
        assert (frame[covered] == before.max()).all()
    assert not apply_occlusion(torch.zeros_like(sils), plan).any(), "a frame without a body stays empty"


def test_a_merged_occluder_is_no_class_of_a_parsing_map():
    sils = torch.ones(1, 4, 64, 44) * 3
    plan = plan_of([{"kind": "outline", "prob": 1, "merged": True}], (4,), (64, 44))
    assert not apply_occlusion(sils, plan, classes=True)[0][torch.from_numpy(plan.masks)].any()


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, merged=st.booleans(), refit=st.booleans())
def test_outlines_hide_all_channels_alike(seed, merged, refit):
    kinds = [{"kind": name, "prob": 0.4, "merged": merged, "refit": refit} for name in MERGING]
    plan = plan_of(kinds, (2, 3), (32, 22), seed)
    maps = torch.rand(1, 5, 3, 32, 22)
    painted = apply_occlusion(maps, plan)
    for channel in range(3):
        assert torch.equal(painted[:, :, channel], apply_occlusion(maps[:, :, channel], plan))


def test_a_batch_mixes_boxes_and_outlines():
    kinds = [{"kind": name, "prob": 0.2, "refit": refit} for name, refit in
             (("top", True), ("bottom", False), ("outline", False), ("detector_cut", True))]  # fmt: skip
    plan = plan_of(kinds, [2] * 40, (32, 22), 5)
    sils = bodies(80, (32, 22))
    assert set(plan.kind) == set(range(5))
    painted, first = apply_occlusion(sils, plan)[0], 0
    for clip in range(40):
        alone = mixture(kinds).classes[plan.kind[clip]]
        frames, chosen = slice(first, first + 2), np.isin(plan.masked, [first, first + 1])
        one = type(plan)(plan.kind[[clip]], plan.amount[[clip]], plan.boxes[frames], plan.refit[frames],
                         plan.masked[chosen] - first, plan.masks[chosen], plan.merged[chosen])  # fmt: skip
        assert torch.equal(painted[frames], apply_occlusion(sils[:, frames], one)[0]), alone
        first += 2


def test_what_a_refitted_frame_shows_is_told_for_every_kind():
    kinds = [{"kind": "detector_cut", "prob": 0.4, "refit": True}, {"kind": "top", "prob": 0.3, "refit": True},
             {"kind": "outline", "prob": 0.3}]  # fmt: skip
    plan = plan_of(kinds, [1] * 30, (64, 44), 2)
    boxes, seen = visible_boxes(plan, 64, 44), visible_mask(plan, 64, 44)
    rows, columns = np.mgrid[:64, :44]
    for frame, (top, bottom, left, right) in enumerate(boxes):
        if not plan.refit[frame]:
            assert [top, bottom, left, right] == [0, 64, 0, 44]
            continue
        shown = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
        assert np.array_equal(shown, seen[frame]), "these kinds show one rectangle"
    # A map of rows painted with it shows the rows it says.
    lines = torch.arange(64.0)[None, None, :, None].expand(1, 30, 64, 44)
    painted = apply_occlusion(lines + 1, plan)[0]
    cut = plan.refit
    assert torch.allclose(painted[cut, 0, 0], torch.from_numpy(boxes[cut, 0] + 1).float(), atol=0.01)
    assert torch.allclose(painted[cut, -1, 0], torch.from_numpy(boxes[cut, 1]).float(), atol=0.01)


def test_the_box_around_visible_pixels_by_hand():
    seen = np.zeros((2, 5, 4), dtype=bool)
    seen[0, 1, 2] = seen[0, 3, 1] = True
    assert bounding_boxes(seen).tolist() == [[1, 4, 1, 3], [0, 5, 0, 4]], "the whole frame where nothing is visible"


# ---- a folder of masks -------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    picture = np.zeros((30, 40), dtype=np.uint8)
    picture[5:25, 10:30] = 255
    Image.fromarray(picture).save(tmp_path / "block.png")
    return tmp_path


def test_the_users_masks_stand_where_generated_ones_would(folder):
    plan = plan_of([{"kind": "outline", "folder": str(folder), "amount": 0.25, "prob": 1}], (1,), (64, 64))
    rows, columns = plan.masks[0].nonzero()
    assert plan.amount[0] == pytest.approx(0.25, abs=0.02)
    assert rows.max() == 63 and len(rows) == np.ptp(rows) * np.ptp(columns) + np.ptp(rows) + np.ptp(columns) + 1


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ({"kind": "outline", "shapes": ["car", "bus"]}, ["outline", "unknown shape 'bus'", "'bush'"]),
        ({"kind": "outline", "shapes": []}, ["outline", "shapes", "car, bush, railing"]),
        ({"kind": "outline", "folder": "nowhere/masks"}, ["outline", "folder: nowhere/masks: no such folder"]),
        ({"kind": "outline", "folder": 3}, ["outline", "folder: 3"]),
        ({"kind": "outline", "merged": "yes"}, ["outline", "merged", "'yes'"]),
        ({"kind": "crossing_person", "merged": 1}, ["crossing_person", "merged: 1"]),
        ({"kind": "crossing_person", "velocity": 0}, ["crossing_person", "velocity"]),
        ({"kind": "detector_cut", "jitter": [0.2, 0.1]}, ["detector_cut", "jitter", "[0.2, 0.1]"]),
        ({"kind": "detector_cut", "merged": True}, ["detector_cut", "unknown key 'merged'", "jitter"]),
        ({"kind": "detector_cut", "amount": 1.5}, ["detector_cut", "amount", "1.5"]),
        ({"kind": "crossing_persons"}, ["did you mean 'crossing_person'"]),
    ],
)
def test_mistakes_are_named(kind, words):
    with pytest.raises(ConfigError) as caught:
        mixture([kind])
    assert "\n" not in str(caught.value) and all(word in str(caught.value) for word in words)


def test_a_folder_without_masks_is_refused(folder, tmp_path):
    for name, picture in (("black", np.zeros((4, 4), np.uint8)), ("text", None)):
        bad = tmp_path / name
        bad.mkdir()
        with pytest.raises(ConfigError, match="no picture in it"):
            mixture([{"kind": "outline", "folder": str(bad)}])
        if picture is None:
            (bad / "a.png").write_text("no picture")
        else:
            Image.fromarray(picture).save(bad / "a.png")
        with pytest.raises(ConfigError, match="all black|cannot be read"):
            mixture([{"kind": "outline", "folder": str(bad)}])
