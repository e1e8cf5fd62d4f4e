"""Occlusions are sampled as a mixture says, applied as they were sampled, and labelled with what they hide."""

from __future__ import annotations

import functools
import operator
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from opengait_mimic.errors import ConfigError
from opengait_mimic.method.occlusion import (
    TYPES,
    BoxOcclusion,
    Occlusion,
    apply_occlusion,
    content_rng,
    hidden_mask,
    mixture,
    occlude,
    process_rng,
    visible_boxes,
)
from opengait_mimic.method.occlusion.masks import bounding_boxes
from opengait_mimic.method.occlusion.types import Range

STILL = ("top", "bottom", "middle", "left", "right")
SEEDS = st.integers(0, 2**32 - 1)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sampled(kinds, lengths=(6,), size=(64, 64), seed=0):
    """The parameters of some clips, drawn one after another from one generator."""
    return mixture(kinds).sample([rng(seed)] * len(lengths), [np.arange(n) for n in lengths], *size)


def random_sils(shape, dtype, seed=0) -> np.ndarray:
    """Half of the pixels black, the others of any value; [..., h, w] as uint8 0–255, floats 0–1 or bool."""
    values = rng(seed).integers(1, 256, size=shape) * rng(seed + 1).integers(0, 2, size=shape)
    if np.issubdtype(dtype, np.floating):
        return (values / 255).astype(dtype)
    return (values > 0) if dtype is bool else values.astype(dtype)


# ---- sampling and labels -----------------------------------------------------------------------------------


def hidden(parameters, height, width) -> np.ndarray:
    """[f, h, w] which pixels are in the boxes and masks, one by one."""
    mask = np.zeros((len(parameters.boxes), height, width), dtype=bool)
    for frame, (top, bottom, left, right) in enumerate(parameters.boxes):
        mask[frame, top:bottom, left:right] = True
    for frame, hides in zip(parameters.masked, parameters.masks, strict=True):
        mask[frame] = hides
    return mask


@settings(max_examples=150, deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=4),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    size=st.sampled_from([(64, 64), (64, 44), (16, 11)]),
    refit=st.booleans(),
    seed=SEEDS,
)
def test_the_amount_is_the_mean_hidden_share_of_the_area(names, lengths, size, refit, seed):
    parameters = sampled([{"kind": n, "prob": 0.8 / len(names), "refit": refit} for n in names], lengths, size, seed)
    assert parameters.kind.dtype == np.int64 and parameters.amount.dtype == np.float32
    assert parameters.boxes.dtype == np.int64 and parameters.refit.dtype == bool
    assert parameters.boxes.shape == (sum(lengths), 4) and parameters.refit.shape == (sum(lengths),)
    assert (parameters.boxes >= 0).all()
    assert (parameters.boxes[:, :2] <= size[0]).all() and (parameters.boxes[:, 2:] <= size[1]).all()
    mask = hidden(parameters, *size)
    assert np.array_equal(hidden_mask(parameters, *size), mask)
    for clip, last in enumerate(np.cumsum(lengths)):
        frames = slice(last - lengths[clip], last)
        assert parameters.amount[clip] == pytest.approx(mask[frames].mean(), abs=1e-6)
        assert (parameters.kind[clip] == 0) == (parameters.amount[clip] == 0)
        assert parameters.refit[frames].tolist() == [refit and parameters.kind[clip] > 0] * lengths[clip]


def test_labels_by_hand():
    found = sampled([{"kind": "bottom", "prob": 1, "amount": 0.25}, {"kind": "top", "prob": 0}], (3, 1), (64, 44))
    assert found.kind.tolist() == [1, 1] and found.amount.tolist() == [0.25, 0.25]
    assert found.boxes.tolist() == [[48, 64, 0, 44]] * 4
    clean = sampled([{"kind": "top", "prob": 0, "refit": True}], (3,))
    assert clean.kind.tolist() == [0] and clean.amount.tolist() == [0] and not clean.refit.any()
    assert clean.boxes.tolist() == [[0, 0, 0, 0]] * 3


def test_the_same_type_twice_shares_one_class():
    kinds = [{"kind": "top", "prob": 0.4, "refit": True}, {"kind": "bottom", "prob": 0.2}, "top"]
    assert mixture(kinds).classes == ("clean", "top", "bottom")
    assert replace(mixture(kinds), known=("left", "bottom")).classes == ("clean", "left", "bottom", "top")
    parameters = sampled(kinds, [1] * 200)
    tops = parameters.kind == 1
    assert (parameters.boxes[tops, 0] == 0).all() and (parameters.boxes[~tops, 0] > 0).all()
    assert 0.3 < parameters.refit[tops].mean() < 0.7


def test_a_mixture_knows_whether_anything_in_it_moves():
    assert not mixture(list(STILL)).dynamic
    assert all(mixture(["top", name]).dynamic for name in ("moving_patch", "moving_pole", "outline", "crossing_person"))


def frequencies(kinds, clips=4000):
    mix = mixture(kinds)
    kind = mix.sample([rng()] * clips, [np.arange(1)] * clips, 8, 8).kind
    return dict(zip(mix.classes, np.bincount(kind, minlength=len(mix.classes)) / clips, strict=True))


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([{"kind": "top", "prob": 0.3}, {"kind": "bottom", "prob": 0.2}], {"clean": 0.5, "top": 0.3, "bottom": 0.2}),
        (["top", "bottom"], {"clean": 0, "top": 0.5, "bottom": 0.5}),
        ([{"kind": "top", "prob": 0.4}, "bottom", "left"], {"clean": 0, "top": 0.4, "bottom": 0.3}),
        (["top", {"kind": "left"}, {"kind": "right", "prob": None}], {"clean": 0, "top": 1 / 3}),
        ([{"kind": "top", "prob": 0}], {"clean": 1}),
        ([{"kind": "top", "prob": 0}, {"kind": "bottom", "prob": 1}], {"bottom": 1}),
        ([{"kind": "top", "prob": 1}, "bottom"], {"top": 1}),
    ],
)
def test_what_is_left_to_1_stays_clean_unless_an_entry_without_prob_takes_it(kinds, expected):
    found = frequencies(kinds)
    for name, share in expected.items():
        assert abs(found[name] - share) < 0.04, name  # more than five standard errors
        assert (found[name] in (0, 1)) == (share in (0, 1)), name


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
    with pytest.raises(ValueError):
        mix.sample([rng()], times, 64, 44)  # each clip needs a generator


# ---- applying ----------------------------------------------------------------------------------------------


def applied_slowly(sils: np.ndarray, parameters) -> np.ndarray:
    """`apply_occlusion` one frame at a time, in float64: hide, bound what stays visible, crop, resize."""
    height, width = sils.shape[-2:]
    frames = sils.reshape(-1, height, width).astype(np.float64)
    merged = dict(zip(parameters.masked.tolist(), parameters.merged.tolist(), strict=True))
    for i, covered in enumerate(hidden(parameters, height, width)):
        frames[i][covered] = frames[i].max() if merged.get(i) else 0
        if parameters.refit[i] and not covered.all():
            rows, columns = np.flatnonzero(~covered.all(1)), np.flatnonzero(~covered.all(0))
            crop = frames[i, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            crop = torch.from_numpy(crop.copy())[None, None]
            frames[i] = F.interpolate(crop, size=(height, width), mode="bilinear", align_corners=False)[0, 0].numpy()
    return frames.reshape(sils.shape)


@settings(max_examples=250, deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=3),
    dtype=st.sampled_from([np.float32, np.float64, np.uint8, bool]),
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    fixed=st.booleans(),
    size=st.sampled_from([(32, 32), (32, 22), (15, 10)]),
    amount=st.floats(0.05, 1.0),
    refit=st.booleans(),
    merged=st.booleans(),
    seed=SEEDS,
)
def test_applying_equals_applying_frame_by_frame(names, dtype, lengths, fixed, size, amount, refit, merged, seed):
    lengths = [lengths[0]] * len(lengths) if fixed else lengths
    shape = (len(lengths), lengths[0], *size) if fixed else (1, sum(lengths), *size)
    kinds = [
        {"kind": n, "prob": 0.9 / len(names), "amount": amount, "refit": refit and dtype is not bool} for n in names
    ]
    for entry in kinds:
        if entry["kind"] in ("crossing_person", "outline"):
            entry["merged"] = merged
    parameters = sampled(kinds, lengths, size, seed)
    sils = random_sils(shape, dtype, seed)
    original = sils.copy()
    out = apply_occlusion(torch.from_numpy(sils), parameters)
    assert out.shape == shape and out.numpy().dtype == dtype
    difference = np.abs(out.numpy().astype(float) - applied_slowly(sils, parameters))
    resized = {np.float32: 2e-5, np.float64: 1e-12, np.uint8: 0.5 + 1e-3, bool: 0}[dtype]
    assert difference.max() <= (resized if refit else 0)
    assert (sils == original).all(), "the input is not modified"
    maps = torch.stack([torch.from_numpy(sils), torch.from_numpy(sils[..., ::-1].copy())], dim=2)
    both = apply_occlusion(maps, parameters)
    for channel in (0, 1):
        assert torch.equal(both[:, :, channel], apply_occlusion(maps[:, :, channel], parameters)), "channels alike"


def test_refit_by_hand():
    # 4 rows, the upper two hidden: rows 3 and 4 are stretched over 4 rows; pixel centres of the output lie at
    # source rows -0.25, 0.25, 0.75 and 1.25, the ends are held.
    sils = torch.tensor([9.0, 9.0, 0.0, 1.0])[None, None, :, None].expand(1, 1, 4, 4)
    parameters = sampled([{"kind": "top", "prob": 1, "amount": 0.5, "refit": True}], (1,), (4, 4))
    assert apply_occlusion(sils, parameters)[0, 0, :, 0].tolist() == [0, 0.25, 0.75, 1]
    assert parameters.amount[0] == 0.5, "the label stays the share that was hidden"


@pytest.mark.parametrize(
    ("box", "visible"),
    [
        ((0, 4, 0, 6), (4, 10, 0, 6)),  # top
        ((7, 10, 0, 6), (0, 7, 0, 6)),  # bottom
        ((0, 10, 0, 2), (0, 10, 2, 6)),  # left
        ((0, 10, 5, 6), (0, 10, 0, 5)),  # right
        ((3, 7, 0, 6), (0, 10, 0, 6)),  # a band
        ((0, 10, 2, 4), (0, 10, 0, 6)),  # a pole
        ((0, 5, 0, 3), (0, 10, 0, 6)),  # a corner
        ((0, 10, 0, 6), (0, 10, 0, 6)),  # everything: the whole frame
    ],
)
def test_the_box_around_what_stays_visible(box, visible):
    mask = np.ones((1, 10, 6), bool)
    mask[0, box[0] : box[1], box[2] : box[3]] = False
    assert bounding_boxes(mask).tolist() == [list(visible)]
    parameters = replace(sampled(["top"], (1,), (10, 6)), boxes=np.array([box]))
    assert visible_boxes(parameters, 10, 6).tolist() == [[0, 10, 0, 6]]
    assert visible_boxes(replace(parameters, refit=np.array([True])), 10, 6).tolist() == [list(visible)]


def test_a_merged_occluder_is_as_bright_as_the_body_and_no_class_of_a_parsing_map():
    sils = torch.from_numpy(random_sils((1, 4, 64, 44), np.float32)) / 2
    bright, black = (sampled([{"kind": "outline", "prob": 1, "merged": m}], (4,), (64, 44)) for m in (True, False))
    assert bright.amount == black.amount, "what is covered is hidden, whatever its colour"
    mask = torch.from_numpy(bright.masks)
    for frame, covered, before in zip(apply_occlusion(sils, bright)[0], mask, sils[0], strict=True):
        assert (frame[covered] == before.max()).all() and torch.equal(frame[~covered], before[~covered])
    assert not apply_occlusion(torch.zeros_like(sils), bright).any(), "a frame without a body stays empty"
    assert not apply_occlusion(sils, bright, classes=True)[0][mask].any()


def test_a_refitted_parsing_map_keeps_its_classes():
    parameters = sampled([{"kind": "top", "amount": 0.6, "refit": True}], (2,))
    parts = (1 + torch.arange(64) * 11 // 64).float()[None, None, :, None].expand(1, 2, 64, 64).clone()
    occluded = apply_occlusion(parts, parameters, classes=True)
    visible = parts[0, 0, parameters.boxes[0, 1] :, 0].unique()
    assert set(occluded.unique().tolist()) == set(visible.tolist())
    assert not set(apply_occlusion(parts, parameters).unique().tolist()) <= set(range(12)), "a mean is no class"
    assert torch.equal(occluded[0, 0, [0, -1], 0], visible[[0, -1]])


def test_applying_gives_a_new_tensor_of_any_layout():
    sils = torch.from_numpy(random_sils((16, 16, 2, 3), np.float32)).permute(3, 2, 0, 1)
    parameters = sampled([{"kind": "left", "prob": 1}], (2, 2, 2), (16, 16))
    assert (apply_occlusion(sils, parameters).numpy() == applied_slowly(sils.numpy(), parameters)).all()
    clean = torch.ones(1, 2, 16, 16)
    apply_occlusion(clean, sampled([{"kind": "top", "prob": 0}], (2,), (16, 16))).zero_()
    assert (clean == 1).all()


@pytest.mark.parametrize("kind", TYPES)
def test_gradients_pass_where_the_silhouette_is_visible(kind):
    sils = torch.rand(1, 3, 16, 16, requires_grad=True)
    parameters = sampled([{"kind": kind, "prob": 1}], (3,), (16, 16))
    apply_occlusion(sils, parameters).sum().backward()
    assert ((sils.grad[0] == 0).numpy() == hidden_mask(parameters, 16, 16)).all() and 0 < parameters.amount[0] < 1
    assert sils.grad.max() == 1


@pytest.mark.parametrize("shape", [(2, 2, 8, 8), (1, 4, 8, 8), (1, 4, 2, 8, 8)])
def test_parameters_of_other_clips_are_refused(shape):
    with pytest.raises(ValueError, match="3 frames, the silhouettes have 4"):
        apply_occlusion(torch.ones(shape), sampled(["top"], (3,), (8, 8)))


# ---- reproducible occlusion of a test clip -----------------------------------------------------------------


def draws(generator, count=4):
    return generator.random(count).tolist()


def test_content_rng_depends_on_the_silhouettes_the_shape_and_the_seed_and_on_nothing_else():
    clip = random_sils((5, 64, 44), np.uint8)
    same = draws(content_rng(clip, 0))
    np.random.seed(99)
    strided = np.repeat(clip, 2, axis=2)[:, :, ::2]
    for alike in (clip.copy(), strided, clip / np.float32(255), clip > 0):  # nor layout nor scale of the values matter
        assert draws(content_rng(alike, 0)) == same
    changed = clip.copy()
    changed[3, 10, 10] = 0 if clip[3, 10, 10] else 255
    others = [changed, clip[::-1], clip[:4], clip.reshape(5, 44, 64)]
    others += [np.zeros((2, 64, 44), np.uint8), np.zeros((1, 64, 88), np.uint8)]
    seen = [same, draws(content_rng(clip, 1))] + [draws(content_rng(other, 0)) for other in others]
    assert len({tuple(s) for s in seen}) == len(seen)


def test_a_seeded_test_occlusion_is_the_same_in_any_batch_and_order():
    mix = mixture([{"kind": name, "prob": 0.16} for name in ("top", "moving_pole", "outline", "crossing_person")])
    clips = [random_sils((n, 32, 22), np.uint8, seed=n) for n in (3, 5, 2, 4, 6, 7)]

    def occluded(order):
        rngs = [content_rng(clips[i], 7) for i in order]
        parameters = mix.sample(rngs, [np.arange(len(clips[i])) for i in order], 32, 22)
        frames = apply_occlusion(torch.from_numpy(np.concatenate([clips[i] for i in order])[None]), parameters)[0]
        return dict(zip(order, frames.split([len(clips[i]) for i in order]), strict=True))

    reference, shuffled = occluded([0, 1, 2, 3, 4, 5]), occluded([2, 5, 0, 3, 1, 4])
    assert all(torch.equal(reference[i], shuffled[i]) for i in range(6))
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
        ([3], ["kinds", "3"]),
        ([{"prob": 1}], ["kinds", "'kind'", "{'prob': 1}"]),
        (["topp"], ["unknown kind 'topp'", "did you mean 'top'"]),
        (["hat"], ["unknown kind 'hat'", *TYPES]),
        ([{"kind": ["top"]}], ["unknown kind ['top']"]),
        ([{"kind": "top", "prob": 1.2}], ["top", "prob", "1.2"]),
        ([{"kind": "top", "prob": -0.1}], ["top", "prob", "-0.1"]),
        ([{"kind": "top", "prob": "often"}], ["top", "prob", "'often'"]),
        ([{"kind": "top", "prob": True}], ["top", "prob", "True"]),
        ([{"kind": "top", "prob": float("nan")}], ["top", "prob", "nan"]),
        ([{"kind": "top", "prob": 0.7}, {"kind": "bottom", "prob": 0.5}], ["probabilities", "1.2"]),
        ([{"kind": "top", "amuont": 0.5}], ["top", "unknown key 'amuont'", "did you mean 'amount'"]),
        ([{"kind": "top", "velocity": 1}], ["top", "unknown key 'velocity'", "amount, refit"]),
        ([{"kind": "top", "amount": [0.6, 0.4]}], ["top", "amount", "[0.6, 0.4]"]),
        ([{"kind": "top", "amount": [0.4, 1.1]}], ["top", "amount", "[0.4, 1.1]"]),
        ([{"kind": "top", "amount": 0}], ["top", "amount", "0"]),
        ([{"kind": "top", "amount": [0.4]}], ["top", "amount", "[0.4]"]),
        ([{"kind": "top", "amount": True}], ["top", "amount", "True"]),
        ([{"kind": "moving_pole", "velocity": float("inf")}], ["moving_pole", "velocity", "inf"]),
        ([{"kind": "moving_patch", "height": [0.3, 2]}], ["moving_patch", "height", "[0.3, 2]"]),
        ([{"kind": "top", "refit": 1}], ["top", "refit", "1"]),
        ([{"kind": "outline", "shapes": ["car", "bus"]}], ["outline", "unknown shape 'bus'", "'bush'"]),
        ([{"kind": "outline", "shapes": []}], ["outline", "shapes", "car, bush, railing"]),
        ([{"kind": "outline", "folder": "nowhere/masks"}], ["outline", "folder: nowhere/masks: no such folder"]),
        ([{"kind": "outline", "folder": 3}], ["outline", "folder: 3"]),
        ([{"kind": "crossing_person", "merged": "yes"}], ["crossing_person", "merged", "'yes'"]),
        ([{"kind": "detector_cut", "jitter": [0.2, 0.1]}], ["detector_cut", "jitter", "[0.2, 0.1]"]),
        ([{"kind": "detector_cut", "merged": True}], ["detector_cut", "unknown key 'merged'", "jitter"]),
    ],
)
def test_a_mistake_in_kinds_names_the_key_and_the_value(kinds, words):
    with pytest.raises(ConfigError) as caught:
        mixture(kinds)
    message = str(caught.value)
    assert message.startswith("Occlusion: ") and "\n" not in message
    assert all(word in message for word in words)


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    with pytest.raises(ConfigError, match="Occlusion: seed: ") as caught:
        Occlusion(["top"], seed=seed)
    assert repr(seed) in str(caught.value)


def test_a_type_of_ones_own_is_one_class(monkeypatch):
    monkeypatch.setattr("opengait_mimic.method.occlusion.types.TYPES", types := dict(TYPES))
    monkeypatch.setattr("opengait_mimic.method.occlusion.sampling.TYPES", types)

    @dataclass(frozen=True)
    class Post(BoxOcclusion, name="post"):
        depth: Range = (0.2, 0.4)  # as text: this file imports annotations from __future__
        bright: bool = False

        def boxes(self, rng, times, height, width):
            return np.tile([0, height, 0, 1], (len(times), 1))

    (post,) = mixture([{"kind": "post", "depth": 0.3}]).types
    assert post.depth == (0.3, 0.3), "a number stands for a range of one value"
    with pytest.raises(ConfigError, match=r"Occlusion: post: depth: \[0.4, 0.2\] is not a range"):
        mixture([{"kind": "post", "depth": [0.4, 0.2]}])
    with pytest.raises(ConfigError, match="Occlusion: post: bright: 1 is neither true nor false"):
        mixture([{"kind": "post", "bright": 1}])


def test_reading_a_mixture_leaves_the_configuration_as_it_is():
    kinds = [{"kind": "top", "prob": 0.5, "amount": [0.4, 0.6]}, "bottom"]
    mixture(kinds)
    assert kinds == [{"kind": "top", "prob": 0.5, "amount": [0.4, 0.6]}, "bottom"]


# ---- the transform -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("shape", [(6, 64, 44), (6, 2, 64, 44)])
def test_the_transform_occludes_a_numpy_clip(dtype, seed, shape):
    clip = random_sils(shape, dtype)[::-1]
    original = clip.copy()
    out = Occlusion([{"kind": "bottom", "prob": 1, "amount": 0.5}], seed=seed)(clip)
    assert isinstance(out, np.ndarray) and out.dtype == dtype and out.shape == clip.shape
    assert (out[..., :32, :] == clip[..., :32, :]).all() and (out[..., 32:, :] == 0).all()
    assert (clip == original).all()


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


def test_a_moving_type_says_once_that_it_takes_frames_as_consecutive():
    clip = random_sils((4, 32, 22), np.float32)
    transform = Occlusion(["moving_pole"])
    with pytest.warns(UserWarning, match="frames as consecutive") as caught:
        transform(clip)
    assert caught[0].filename == __file__, "the line that called it"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transform(clip)
        Occlusion(list(STILL))(clip)


# ---- occlude: a batch, in one call -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.float32])
@pytest.mark.parametrize("container", [np.asarray, torch.from_numpy], ids=["array", "tensor"])
def test_occlude_gives_back_what_went_in_occluded_and_labelled(dtype, container):
    sils = container(np.ones((20, 3, 32, 22), dtype=dtype))
    types = [{"kind": "top", "prob": 0.4}, {"kind": "moving_pole", "prob": 0.3, "amount": 0.25}]
    occluded, labels = occlude(sils, types, seed=3)
    assert type(occluded) is type(sils) and occluded.dtype == sils.dtype and (sils == 1).all()
    assert labels.amounts == pytest.approx(np.asarray(occluded == 0).mean((1, 2, 3)))
    assert set(labels.types) == {"clean", "top", "moving_pole"}
    assert labels.types == [("clean", "top", "moving_pole")[c] for c in labels.classes]
    assert (np.asarray(occlude(sils, types, seed=3)[0]) == np.asarray(occluded)).all()
    assert occlude(sils, types, seed=4)[1].types != labels.types


def test_occlude_without_a_seed_follows_numpys_and_refuses_other_shapes():
    sils = random_sils((4, 2, 32, 22), np.uint8)
    np.random.seed(0)
    first = occlude(sils, ["top", "left"])[0]
    np.random.seed(0)
    assert (occlude(sils, ["top", "left"])[0] == first).all()
    with pytest.raises(ValueError, match=r"\[n, s, h, w\], got \[2, 32, 22\]"):
        occlude(sils[0], ["top"])
