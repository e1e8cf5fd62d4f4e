"""The embedded host's losses against hand-computed values and naive loops."""

from __future__ import annotations

import math

import pytest
import torch

from opengait_mimic.opengait.activation import activate

activate("embedded")

from modeling import losses  # noqa: E402
from modeling.loss_aggregator import LossAggregator  # noqa: E402
from modeling.losses.base import BaseLoss, gather_and_scale_wrapper  # noqa: E402


def naive_triplets(embeddings, labels, margin):
    """Per part: the hinge of every (anchor, positive, negative), the anchor being its own positive too."""
    per_part = []
    for part in range(embeddings.shape[2]):
        x = embeddings[:, :, part].tolist()
        hinges = [
            max(0.0, math.dist(x[a], x[p]) - math.dist(x[a], x[n]) + margin)
            for a in range(len(x))
            for p in range(len(x))
            for n in range(len(x))
            if labels[a] == labels[p] and labels[a] != labels[n]
        ]
        per_part.append(hinges)
    return per_part


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 2, 2], [3, 1, 3, 1, 3, 3]])
def test_triplet_loss_equals_the_naive_loop(labels):
    torch.manual_seed(0)
    embeddings = torch.randn(6, 4, 3, dtype=torch.float64).float()
    loss, info = losses.TripletLoss(margin=0.7)(embeddings=embeddings, labels=torch.tensor(labels))
    hinges = naive_triplets(embeddings, labels, 0.7)
    violating = [[h for h in part if h > 0] for part in hinges]
    torch.testing.assert_close(loss, torch.tensor([sum(v) / len(v) for v in violating]))
    torch.testing.assert_close(info["hard_loss"], torch.tensor([max(part) for part in hinges]))
    assert info["loss_num"].tolist() == [len(v) for v in violating]
    x = embeddings.permute(2, 0, 1)
    torch.testing.assert_close(info["mean_dist"], (x[:, :, None] - x[:, None]).norm(dim=-1).mean((1, 2)))


def test_triplet_loss_by_hand():
    # on a line: identity 0 at 0 and 1, identity 1 at 3; only anchor 1 with positive 0: 1 - 2 + 1.5
    embeddings = torch.tensor([0.0, 1.0, 3.0]).reshape(3, 1, 1).requires_grad_()
    loss, info = losses.TripletLoss(margin=1.5)(embeddings=embeddings, labels=torch.tensor([0, 0, 1]))
    assert loss.tolist() == [0.5] and info["loss_num"].tolist() == [1]
    loss.sum().backward()
    # d(x1-x0)/dx - d(x2-x1)/dx
    assert embeddings.grad.flatten().tolist() == [-1.0, 2.0, -1.0]


def test_triplet_loss_is_zero_with_zero_gradient_where_nothing_violates():
    embeddings = torch.tensor([0.0, 0.0, 9.0]).reshape(3, 1, 1).requires_grad_()
    loss, _ = losses.TripletLoss(margin=0.2)(embeddings=embeddings, labels=torch.tensor([0, 0, 1]))
    loss.sum().backward()
    assert loss.item() == 0 and embeddings.grad.abs().max() == 0


def test_triplet_loss_of_a_single_identity_is_zero():
    loss, info = losses.TripletLoss(margin=0.2)(embeddings=torch.randn(3, 2, 2), labels=torch.zeros(3))
    assert loss.tolist() == [0, 0] and info["hard_loss"].tolist() == [0, 0]


def test_cross_entropy_by_hand():
    # one clip, two classes, two parts; scaled logits 2·(1, 0) and 2·(0, 3), label 0
    logits = torch.tensor([[[1.0, 0.0], [0.0, 3.0]]])
    loss, info = losses.CrossEntropyLoss(scale=2, label_smooth=False, log_accuracy=True)(
        logits=logits, labels=torch.tensor([0])
    )
    parts = [math.log(1 + math.exp(-2)), math.log(1 + math.exp(6))]
    assert loss.item() == pytest.approx(sum(parts) / 2)
    assert info["accuracy"].item() == 0.5


def test_cross_entropy_smooths_labels_over_all_classes():
    torch.manual_seed(0)
    logits, labels, eps = torch.randn(4, 5, 3), torch.tensor([0, 4, 2, 2]), 0.2
    loss, info = losses.CrossEntropyLoss(scale=16, eps=eps)(logits=logits, labels=labels)
    log_p = (16 * logits).log_softmax(1)
    target = torch.full((4, 5, 3), eps / 5)
    target[torch.arange(4), labels] += 1 - eps
    torch.testing.assert_close(loss, -(target * log_p).sum(1).mean())
    assert set(info) == {"loss"}


class Doubled(BaseLoss):
    @gather_and_scale_wrapper
    def forward(self, x):
        self.info.update({"size": torch.tensor(float(len(x)))})
        return 2 * x, self.info


def test_the_aggregator_weighs_sums_and_names_its_entries(monkeypatch):
    monkeypatch.setattr(losses, "Doubled", Doubled, raising=False)
    aggregator = LossAggregator([{"type": "Doubled", "log_prefix": "two", "loss_term_weight": 0.5}])
    total, info = aggregator({"two": {"x": torch.tensor([1.0, 3.0])}, "extra": torch.tensor([10.0, 20.0])})
    assert total.item() == 0.5 * 4 + 15
    assert {key: value.item() for key, value in info.items()} == {"scalar/two/size": 2, "scalar/extra": 15}


def test_the_aggregator_takes_a_single_loss_and_keeps_it_out_of_checkpoints():
    aggregator = LossAggregator({"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2})
    assert aggregator.losses["triplet"].margin == 0.2
    assert not aggregator.state_dict() and not list(aggregator.children())


def test_the_aggregator_refuses_arguments_of_an_unconfigured_loss():
    aggregator = LossAggregator({"type": "CrossEntropyLoss", "log_prefix": "softmax"})
    with pytest.raises(ValueError, match="'softmx' has no loss.*softmax"):
        aggregator({"softmx": {"logits": torch.zeros(1, 2, 1), "labels": torch.zeros(1)}})
