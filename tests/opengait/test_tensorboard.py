"""What TensorBoard shows of a training and its tests: right, cheap, and without a trace in the outcome."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from narrow import KINDS, MICKD, SEEN, VEN, configuration
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from opengait_mimic.evaluation.visibility import visibility_report
from opengait_mimic.opengait.activation import activate

activate("embedded")

from main import run  # noqa: E402

from opengait_mimic.method.distances import pair_distances  # noqa: E402
from opengait_mimic.opengait.models import tensorboard  # noqa: E402
from opengait_mimic.opengait.models.tensorboard import Speed, Tally, confusion_picture, pairs  # noqa: E402

MIMIC = {"model": "MimicGait", "backbone": "teacher.yaml", "ven": "ven.yaml"}


class TestPairDistances:
    def by_hand(self, mimic, teacher, labels, normalize):
        """Pair by pair, in float64."""
        mimic, teacher = (x.double().numpy().reshape(*x.shape[:2], -1) for x in (mimic, teacher))
        if normalize:
            mimic, teacher = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (mimic, teacher))
        found: dict[str, list[float]] = {}
        for i, own in enumerate(mimic):
            for network, others in (("mimic", mimic), ("teacher", teacher)):
                for j, other in enumerate(others):
                    if network == "mimic" and i == j:
                        continue
                    positive = {"mimic": "mimic_mimic", "teacher": "same_instance" if i == j else "cross_instance"}
                    name = f"positive_{positive[network]}" if labels[i] == labels[j] else f"negative_{network}"
                    found.setdefault(name, []).append(np.linalg.norm(own - other, axis=0).mean())
        return {name: np.mean(values) for name, values in found.items()}

    @settings(max_examples=40, deadline=None)
    @given(labels=st.lists(st.integers(0, 2), min_size=1, max_size=6), parts=st.sampled_from([None, 1, 3]),
           normalize=st.booleans(), seed=st.integers(0, 99))  # fmt: skip
    def test_are_those_of_every_pair_by_hand(self, labels, parts, normalize, seed):
        generator = torch.Generator().manual_seed(seed)
        shape = (len(labels), 4) if parts is None else (len(labels), 4, parts)
        mimic, teacher = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))
        found = pair_distances(mimic, teacher, torch.tensor(labels), normalize)
        assert found == pytest.approx(self.by_hand(mimic, teacher, labels, normalize), abs=1e-6)
        alone = pair_distances(mimic, None, torch.tensor(labels), normalize)
        assert alone == {name: value for name, value in found.items() if name.endswith("mimic")}


class TestPairs:
    def test_show_the_middle_frame_of_each_clip_whole_above_occluded(self):
        holistic = torch.rand(3, 5, 8, 6)
        occluded = holistic / 2
        shown = pairs(holistic, occluded, None)
        assert shown.shape == (3, 1, 19, 8)
        assert torch.equal(shown[:, 0, 1:9, 1:7], holistic[:, 2]) and torch.equal(
            shown[:, 0, 10:18, 1:7], occluded[:, 2]
        )
        assert (shown[:, 0, 9] == 0.5).all() and (shown[:, 0, :, 0] == 0.5).all()

    def test_of_clips_along_time_and_no_more_than_eight(self):
        lengths = [1, 4, 3, *[2] * 8]
        clips = torch.rand(1, sum(lengths), 8, 6)
        shown = pairs(clips, clips, torch.tensor([lengths]))
        assert len(shown) == 8
        assert torch.equal(shown[1, 0, 1:9, 1:7], clips[0, 1 + 2]) and torch.equal(
            shown[2, 0, 1:9, 1:7], clips[0, 5 + 1]
        )

    def test_of_heat_maps_where_any_joint_is(self):
        clips = torch.rand(2, 3, 2, 8, 6)
        assert torch.equal(pairs(clips, clips, None)[:, 0, 1:9, 1:7], clips[:, 1].amax(1))


class TestTally:
    kinds = ("clean", "top", "bottom")

    @settings(max_examples=20, deadline=None)
    @given(steps=st.lists(st.integers(1, 5), min_size=1, max_size=4), heads=st.sampled_from(["both", "kind", "amount"]))
    def test_several_steps_are_judged_as_one_test_of_all_clips(self, steps, heads):
        rng = np.random.default_rng(sum(steps))
        tally, seen = Tally(self.kinds), []
        for n in steps:
            step = [rng.normal(size=(n, 3)), rng.random(n), rng.integers(0, 3, n), rng.random(n)]
            if heads == "amount":
                step[0] = None
            if heads == "kind":
                step[1] = None
            seen.append(step)
            tally.add(*(None if x is None else torch.from_numpy(x) for x in step))
        joined = [None if x[0] is None else np.concatenate(x) for x in zip(*seen, strict=True)]
        report, found = visibility_report(3, *joined), tally.summary()
        assert ("image/visibility_confusion" in found) == (heads != "amount")
        if heads != "amount":
            assert found["scalar/visibility/kind_right"] == pytest.approx(100 * report.accuracy)
            for i, name in enumerate(self.kinds):
                if report.confusion[i].sum():
                    recall = 100 * report.confusion[i, i] / report.confusion[i].sum()
                    assert found[f"scalar/visibility/recall_{name}"] == pytest.approx(recall)
        if heads != "kind":
            assert found["scalar/visibility/amount_error"] == pytest.approx(report.amount_error, abs=1e-5)

    def test_the_picture_is_dark_where_the_clips_are(self):
        picture = np.asarray(confusion_picture(np.array([[9, 0], [0, 4]]), ["clean", "top"]).convert("L"), float)
        cell = (len(picture) - tensorboard.MARGIN) // 2
        cells = picture[tensorboard.MARGIN :, tensorboard.MARGIN :].reshape(2, cell, 2, cell).mean((1, 3))
        assert cells[0, 0] < 120 and cells[1, 1] < 120 and min(cells[0, 1], cells[1, 0]) > 230


def test_clips_per_second_count_from_the_first_batch_on(monkeypatch):
    now = [10.0]
    monkeypatch.setattr(tensorboard.time, "monotonic", lambda: now[0])
    speed = Speed()
    for _ in range(3):
        speed.take(8)  # the first only starts the clock: what came before is no time of its own
        now[0] += 2.0
    assert speed.scalars("throughput") == {"scalar/throughput/clips_per_second": 16 / 6}
    speed.restart()
    assert speed.scalars("throughput") == {}
    speed.take(8)
    now[0] += 4.0
    assert speed.scalars("x") == {"scalar/x/clips_per_second": 2.0}


def events(folder) -> EventAccumulator:
    read = EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0})
    read.Reload()
    return read


def train(data, name, model_cfg, losses, log_iter=2, phase="train", **trainer):
    cfgs = configuration(data, name, model_cfg, losses, KINDS, total=4)
    cfgs["trainer_cfg"].update(log_iter=log_iter, **trainer)
    if phase == "test":
        cfgs["evaluator_cfg"].update(restore_hint=4)
    return run(copy.deepcopy(cfgs), training=phase == "train")


def weights(name):
    path = f"output/GREW/MimicGait/{name}/checkpoints/{name}-00004.pt"
    return torch.load(path, weights_only=True)["model"]


class TestTraining:
    def test_of_a_mimic_shows_pairs_distances_and_tests_and_changes_nothing(self, data, trained):
        train(data, "watched", MIMIC, MICKD, log_iter=2, with_test=True)
        train(data, "alone", MIMIC, MICKD, log_iter=100)
        one, other = map(weights, ("watched", "alone"))
        assert all(torch.equal(one[key], other[key]) for key in one)
        found = events(trained / "output/GREW/MimicGait/watched/summary")
        tags = set(found.Tags()["scalars"])
        assert tags >= {f"distance/{name}" for name in (
            "positive_same_instance", "positive_cross_instance", "positive_mimic_mimic", "negative_teacher",
            "negative_mimic")}  # fmt: skip
        assert tags >= {"mickd/active_share", "mickd/active_triplets", "throughput/clips_per_second"}
        assert [event.step for event in found.Scalars("distance/positive_same_instance")] == [2, 4]
        assert tags >= {f"{name}/Rank-1" for name in ("test_accuracy", "holistic", "HP", "RP")}
        assert "test_throughput/clips_per_second" in tags and "pairs" in found.Tags()["images"]
        assert events(trained / "output/GREW/MimicGait/alone/summary").Tags()["scalars"] == []

    def test_of_a_ven_shows_its_confusion_and_error_over_all_steps_between(self, data, trained):
        train(data, "seeing", VEN, SEEN, log_iter=4)
        found = events(trained / "output/GREW/VisibilityEstimation/seeing/summary")
        tags = set(found.Tags()["scalars"])
        assert tags >= {"visibility/kind_right", "visibility/amount_error", "visibility/recall_clean"}
        assert "visibility_confusion" in found.Tags()["images"]
        # of the same clips, the loss's own mean accuracy since the last log point
        (right,), (share,) = found.Scalars("visibility/kind_right"), found.Scalars("seen/accuracy")
        assert right.value == pytest.approx(100 * share.value, abs=1e-3)

    def test_a_test_alone_writes_its_scores_too(self, data, trained):
        train(data, "m", MIMIC, MICKD)
        before = set(events(trained / "output/GREW/MimicGait/m/summary").Tags()["scalars"])
        scalars = train(data, "m", MIMIC, MICKD, phase="test")
        found = events(trained / "output/GREW/MimicGait/m/summary")
        assert "test_accuracy/Rank-1" not in before
        (event,) = found.Scalars("RP/Rank-1")
        assert event.step == 4 and event.value == pytest.approx(scalars["scalar/RP/Rank-1"])
