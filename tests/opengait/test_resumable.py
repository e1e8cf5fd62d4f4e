"""What a checkpoint lacks is kept beside it, and a step depends on the number of its batch only."""

from __future__ import annotations

import io
import os
import random

import numpy as np
import pytest
import torch
from narrow import KINDS, SEEN, VEN, configuration
from torch.utils.data import DataLoader

from opengait_mimic.data import files
from opengait_mimic.errors import CheckpointError
from opengait_mimic.opengait.activation import activate
from opengait_mimic.opengait.checkpoints import scheduler_state
from opengait_mimic.opengait.process.resuming import (
    NumberedBatches,
    begin,
    begun_note,
    deciding_config,
    difference,
    draw_from,
    numbered_loader,
    own_checkpoints,
    read_beside,
)

activate("embedded")

from opengait_mimic.opengait.models import VisibilityEstimation  # noqa: E402


def model(data, restore_hint: int = 0, **trainer) -> VisibilityEstimation:
    cfgs = configuration(data, "ven", VEN, SEEN, KINDS, total=9)
    cfgs["trainer_cfg"].update(restore_hint=restore_hint, **trainer)
    return VisibilityEstimation(cfgs, training=True)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("MultiStepLR", {"milestones": [1, 3]}), ("OneCycleLR", {"max_lr": 0.1, "total_steps": 9}),
     ("CosineAnnealingLR", {"T_max": 9})],
)  # fmt: skip
def test_a_schedulers_state_can_be_read_back_by_weights_only(name, settings):
    def scheduler():
        weight = torch.nn.Parameter(torch.zeros(1))
        return getattr(torch.optim.lr_scheduler, name)(torch.optim.SGD([weight], lr=0.1, momentum=0.9), **settings)

    def on(one, count):
        rates = []
        for _ in range(count):
            one.optimizer.step()
            one.step()
            rates.append(one.get_last_lr())
        return rates

    whole, first, rest = scheduler(), scheduler(), scheduler()
    expected = on(whole, 8)
    on(first, 2)
    torch.save(scheduler_state(first), buffer := io.BytesIO())
    buffer.seek(0)
    rest.load_state_dict(torch.load(buffer, weights_only=True))
    rest.optimizer.load_state_dict(first.optimizer.state_dict())
    assert on(rest, 6) == expected[2:]


def steps(net, count: int, loss_factor: float = 1.0) -> list[torch.Tensor]:
    """Take so many batches; returns what each looked like."""
    seen = []
    for inputs, _ in zip(net.train_loader, range(count), strict=False):
        clips = net.inputs_pretreament(inputs)
        loss, _ = net.loss_aggregator(net(clips)["training_feat"])
        net.train_step(loss * loss_factor)
        seen.append(clips[0].occluded)
    return seen


class TestStep:
    def test_it_is_the_same_whatever_was_drawn_before(self, data, here):
        seen = []
        for disturbance in (1, 2):
            net = model(data)
            draw_from(disturbance)
            seen.append(steps(net, 3))
        assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))
        assert not torch.equal(seen[0][0], seen[0][1][:, : seen[0][0].shape[1]])

    def test_the_seed_changes_all_of_it(self, data, here):
        one, other = (steps(model(data, seed=seed), 1)[0] for seed in (0, 1))
        assert one.shape != other.shape or not torch.equal(one, other)

    def test_a_test_on_the_way_does_not_count(self, data, here):
        net = model(data, with_test=True)
        steps(net, 2)
        net.eval()
        net.inputs_pretreament(next(iter(net.test_loader)))
        assert net.batches == 2


class TestBeside:
    @pytest.mark.skipif(not hasattr(torch.amp, "GradScaler"), reason="before torch 2.3 the scaler is for GPUs only")
    def test_the_scaler_and_the_batches_of_skipped_steps_go_on(self, data, here):
        net = model(data)
        net.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120, growth_interval=1)
        steps(net, 4, loss_factor=1e6)
        assert net.iteration < 4 == net.batches, "steps were skipped"
        net.iteration = 3
        net.save_ckpt(3)
        again = model(data)
        again.scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
        again.resume_ckpt(3)
        assert again.scaler.state_dict() == net.scaler.state_dict() and again.batches == 4
        assert torch.equal(steps(again, 1)[0], steps(net_with_batches(data, 4), 1)[0])

    def test_it_loads_without_a_pickle(self, data, here):
        net = model(data)
        steps(net, 1)
        net.save_ckpt(1)
        beside = read_beside(net._own_path(1))
        assert (beside.iteration, beside.batches, beside.processes, beside.scaler) == (1, 1, 1, {})
        assert beside.config == deciding_config(net.original_cfgs, net.networks_from_files())
        assert "top" in str(beside.config["trainer_cfg"]["transform"]), "as in the YAML, the occlusion included"

    def test_another_file_beside_a_checkpoint_is_not_believed(self, data, here):
        net = model(data)
        steps(net, 2)
        for iteration in (1, 2):
            net.save_ckpt(iteration)
        one, two = (net._own_path(i).with_suffix(".resume.json") for i in (1, 2))
        one.replace(two)
        assert model(data, restore_hint=2).batches == 2  # counted by iterations

    def test_weights_that_are_no_numbers_are_not_saved(self, data, here):
        net = model(data)
        net.save_ckpt(1)
        with torch.no_grad():
            next(net.parameters()).view(-1)[0] = float("inf")
        with pytest.raises(FloatingPointError, match="no longer finite after iteration 2.*stands: .*ven-00001.pt"):
            net.iteration = 2
            net.save_ckpt(2)
        assert own_checkpoints(net._folder, "ven") == [1]


def net_with_batches(data, batches: int):
    net = model(data)
    net.batches = net.train_loader.batch_sampler.first = batches
    return net


class TestMisfits:
    @pytest.mark.parametrize("change", ["shape", "missing", "unknown", "optimizer"])
    def test_another_networks_checkpoint_is_refused_before_anything_is_taken(self, data, here, change):
        net = model(data)
        net.save_ckpt(1)
        content = torch.load(net._own_path(1), weights_only=True)
        name = next(iter(content["model"]))
        if change == "shape":
            content["model"][name] = torch.zeros(1)
        elif change == "missing":
            content["model"].pop(name)
        elif change == "unknown":
            content["model"]["more"] = torch.zeros(1)
        else:
            content["optimizer"]["param_groups"][0]["params"].pop()
        torch.save(content, "other.pt")
        before = {k: v.clone() for k, v in net.state_dict().items()}
        with torch.no_grad():
            for value in content["model"].values():
                value += 1
        with pytest.raises(CheckpointError, match="other.pt: (of another network|its optimizer)"):
            net.resume_ckpt("other.pt")
        assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())


class Counting:
    """A sampler whose batches depend on those before."""

    def __iter__(self):
        total = 0
        while total < 10**6:
            total += random.randrange(5)
            yield [total, random.randrange(9), int(torch.randint(9, ())), int(np.random.randint(9))]


class TripletSampler:
    """One whose batches do not (its name says so)."""

    def __iter__(self):
        while True:
            yield [random.randrange(99)]


@pytest.mark.parametrize("sampler", [Counting, TripletSampler])
def test_batches_go_on_where_they_were_left(sampler):
    def some(first):
        batches = NumberedBatches(sampler(), seed=3)
        batches.first = first
        return [batch for batch, _ in zip(batches, range(6 - first), strict=False)]

    assert some(0)[4:] == some(4) and [number for number, _ in some(4)] == [4, 5]


class Drawing:
    """A data set whose items are drawn."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return index, random.random(), np.random.rand(), torch.rand(()).item()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_worker_draws_does_not_depend_on_the_workers(workers):
    def loaded(count):
        loader = DataLoader(Drawing(), batch_sampler=[[0, 1], [2], [3, 0]], num_workers=count, collate_fn=list)
        return list(numbered_loader(loader, seed=1, rank=0))

    assert loaded(workers) == loaded(0)
    assert len({items[0][1] for items in loaded(0)}) == 3, "every batch draws its own numbers"


def test_the_first_difference_is_named():
    assert difference({"a": 1, "b": {"c": [1]}}, {"a": 1, "b": {"c": [1]}}) is None
    assert difference({"a": 1, "b": {"c": [1]}}, {"a": 1, "b": {"c": [2]}}) == "b: c"
    assert difference({"a": 1}, {"a": 1, "d": 0}) == "d"


def test_checkpoints_of_an_earlier_training_are_none_of_its_own(tmp_path):
    for name in ("x-00004.pt", "x-00012.pt", "x-100000.pt", "x-last.pt", "x-00000.pt", "y-00007.pt", "x-5.json"):
        (tmp_path / name).touch()
    assert own_checkpoints(tmp_path, "x") == [100000, 12, 4]
    begin(tmp_path, "x")
    note = begun_note(tmp_path, "x").stat().st_mtime_ns
    os.utime(tmp_path / "x-00012.pt", ns=(note - 1, note - 1))
    os.utime(tmp_path / "x-100000.pt", ns=(note - 1, note - 1))
    os.utime(tmp_path / "x-00004.pt", ns=(note, note))
    assert own_checkpoints(tmp_path, "x") == [4]


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "sub" / "file"
    files.write_text(path, "one")
    with pytest.raises(RuntimeError), files.whole(path) as stream:
        stream.write(b"half")
        raise RuntimeError
    assert path.read_text() == "one" and [p.name for p in path.parent.iterdir()] == ["file"]
    with pytest.raises(OSError, match="No space left.*file") as caught, files.whole(path):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(path)
