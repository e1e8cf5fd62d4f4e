"""The losses are what the paper's equations say, in every dtype; over processes: tests/opengait/distributed."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss

from opengait_mimic.method import triplets
from opengait_mimic.method.losses import (
    ANCHORS,
    PAIRS,
    REDUCTIONS,
    l2_distillation,
    mickd,
    mickd_as_written,
    mickd_with_counts,
    visibility,
)
from opengait_mimic.method.triplets import AT_ONCE, euclidean, hinge

ALL_PAIRS = [c for n in (1, 2, 3) for c in itertools.combinations(PAIRS, n)]


# ---- Eq. 2, triplet by triplet -----------------------------------------------------------------------------


def one_by_one(mimic, teacher, labels, margin, pairs, anchors, normalize, reduction):
    """Eq. 2 by enumeration: the loss, the number of triplets and of those above 0."""
    features = mimic if teacher is None else torch.cat((mimic, teacher))
    if normalize:
        features = F.normalize(features, dim=1)
    distance = (features[:, None] - features[None, :]).norm(dim=2)
    n, identity = len(mimic), labels.tolist()
    hinges = []
    for a, p, q in itertools.product(range(len(features)), repeat=3):
        same_network, same_clip = (a < n) == (p < n), a % n == p % n
        pair = "mimic_mimic" if same_network else "same_instance" if same_clip else "cross_instance"
        if a == p or pair not in pairs or (a >= n and anchors == "mimic"):
            continue
        if identity[a % n] == identity[p % n] != identity[q % n]:
            hinges.append((distance[a, p] - distance[a, q] + margin).clamp(min=0))
    if not hinges:
        return features.sum() * 0, 0, 0
    values = torch.stack(hinges)
    violating = int((values > 0).sum())
    return values.sum() / (1 if reduction == "sum" else max(violating, 1)), len(hinges), violating


def with_gradients(function, mimic, teacher, *args):
    """The function's results and the gradients of its first with respect to both feature sets."""
    mimic = mimic.clone().requires_grad_()
    teacher = None if teacher is None else teacher.clone().requires_grad_()
    loss, triplets, violating = function(mimic, teacher, *args)
    loss.backward()
    return loss.detach(), int(triplets), int(violating), mimic.grad, None if teacher is None else teacher.grad


def random_batch(seed, labels, d, dtype=torch.float64, spread=1.0):
    generator = torch.Generator().manual_seed(seed)
    n = len(labels)
    mimic = torch.randn(n, d, generator=generator, dtype=dtype)
    teacher = mimic + spread * torch.randn(n, d, generator=generator, dtype=dtype)
    return mimic, teacher, torch.tensor(labels, dtype=torch.int64)


def assert_alike(found, expected, tolerance=1e-10):
    assert found[1:3] == expected[1:3]
    for ours, theirs in zip((found[0], *found[3:]), (expected[0], *expected[3:]), strict=True):
        if theirs is not None:
            torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=tolerance)


OPTIONS = st.tuples(
    st.sampled_from([0.05, 0.2, 1.3]), st.sampled_from(ALL_PAIRS), st.sampled_from(ANCHORS), st.booleans(),
    st.sampled_from(REDUCTIONS),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    d=st.integers(1, 6),
    seed=st.integers(0, 10_000),
    copies=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=3),
    options=OPTIONS,
)
def test_mickd_is_eq_2_over_all_triplets(labels, d, seed, copies, options):
    mimic, teacher, labels = random_batch(seed, labels, d, spread=0.4)
    n = len(mimic)
    features = torch.cat((mimic, teacher))
    for source, target in copies:  # identical vectors: within a network, across networks, across identities
        features[target % (2 * n)] = features[source % (2 * n)]
    both = features[:n], features[n:], labels, *options
    assert_alike(with_gradients(mickd_with_counts, *both), with_gradients(one_by_one, *both))


@settings(max_examples=40, deadline=None)
@given(
    labels=st.lists(st.integers(0, 2), min_size=1, max_size=5),
    parts=st.integers(1, 3), seed=st.integers(0, 10_000), options=OPTIONS,
)  # fmt: skip
def test_part_by_part_it_is_the_mean_of_the_parts_losses(labels, parts, seed, options):
    mimic, teacher, labels = random_batch(seed, labels, 5 * parts)
    both = mimic.reshape(-1, 5, parts), teacher.reshape(-1, 5, parts), labels, *options

    def each_part(mimic, teacher, *options):
        found = [one_by_one(mimic[:, :, p], teacher[:, :, p], *options) for p in range(parts)]
        losses, all_triplets, violating = zip(*found, strict=True)
        return sum(losses) / parts, sum(all_triplets), sum(violating)

    assert_alike(with_gradients(mickd_with_counts, *both), with_gradients(each_part, *both))


@pytest.mark.parametrize("margin", [0.0, 0.2, 1.3])
@pytest.mark.parametrize("pairs", ALL_PAIRS, ids="+".join)
def test_the_equation_as_written_is_the_fast_form(pairs, margin):
    mimic, teacher, labels = random_batch(3, [0, 1, 0, 2, 2, 0, 3, 1], 5)
    written = with_gradients(lambda *a: (mickd_as_written(*a), 0, 0), mimic, teacher, labels, margin, pairs)
    fast = with_gradients(lambda *a: (mickd(*a), 0, 0), mimic, teacher, labels, margin, pairs)
    assert_alike(fast, written)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_without_a_teacher_only_mimic_features_are_positives_and_negatives(reduction):
    mimic, _, labels = random_batch(2, [0, 0, 1, 1, 2, 0], 4)
    both = mimic, None, labels, 0.5, ("mimic_mimic",), "mimic", True, reduction
    assert_alike(with_gradients(mickd_with_counts, *both), with_gradients(one_by_one, *both))


# ---- the same in numbers -----------------------------------------------------------------------------------

# Features on a line: m0 = 0, m1 = 2 (identity 0), m2 = 7 (identity 1); t0 = 1, t1 = 4, t2 = 6 likewise.
# With margin 3 the hinges above 0 are
#   same instance   m1 to t1 is 2, to the negative t2 4: 2 − 4 + 3 = 1;   m2 to t2 is 1, to t1 3: 1
#   cross instance  m0 to t1 is 4, to t2 6: 1
#   mimic–mimic     m1 to m0 is 2, to t2 4: 1
# and m1 to t1 against m2 (2 − 5 + 3) is exactly at the margin, no violation. With the teacher's anchors too,
#   t0: 3 − 5 + 3 = 1 (to t1 against t2). t1: to m1, m0, t0 2, 4, 3 against m2 3 and t2 2: 2+3+4+5+3+4 = 21.
#   t2: to m2 1 against t1 2: 2. Together 24 in 8 triplets, besides the 4 in 4 of the mimic's anchors.
LINE = (
    torch.tensor([[0.0], [2.0], [7.0]], dtype=torch.float64),
    torch.tensor([[1.0], [4.0], [6.0]], dtype=torch.float64),
    torch.tensor([0, 0, 1]),
)


@pytest.mark.parametrize(
    ("pairs", "anchors", "total", "violating", "all_triplets"),
    [
        (("same_instance",), "mimic", 2, 2, 8),
        (("cross_instance",), "mimic", 1, 1, 4),
        (("mimic_mimic",), "mimic", 1, 1, 4),
        (PAIRS, "mimic", 4, 4, 16),
        (PAIRS, "both", 28, 12, 32),
    ],
)
def test_a_line_by_hand(pairs, anchors, total, violating, all_triplets):
    options = {"margin": 3.0, "pairs": pairs, "normalize": False, "anchors": anchors}
    assert mickd(*LINE, **options, reduction="sum").item() == total
    loss, count, above = mickd_with_counts(*LINE, **options)
    assert (loss.item(), count.item(), above.item()) == (total / violating, all_triplets, violating)


# ---- against pytorch-metric-learning -----------------------------------------------------------------------


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("margin", [0.0, 0.2, 1.0])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("labels", [[0, 1, 2, 3] * 4, [0] * 9 + [1] * 2 + [2], list(range(8)), [5] * 6])
def test_with_both_anchors_and_all_pairs_it_is_the_triplet_margin_loss(labels, normalize, margin, dtype, tolerance):
    mimic, teacher, labels = random_batch(4, labels, 32, dtype)
    peer = TripletMarginLoss(margin=margin, distance=LpDistance(normalize_embeddings=normalize))
    expected = with_gradients(lambda m, t: (peer(torch.cat((m, t)), torch.cat((labels, labels))), 0, 0), mimic, teacher)
    options = {"margin": margin, "anchors": "both", "normalize": normalize}
    assert_alike(
        with_gradients(lambda m, t: (mickd(m, t, labels, **options), 0, 0), mimic, teacher), expected, tolerance
    )


# ---- ways to compute it that change nothing ----------------------------------------------------------------

NINE = [0, 1, 0, 2, 2, 0, 3, 1, 1]


@pytest.mark.parametrize("at_once", [1, 40, 100])
@pytest.mark.parametrize("anchors", ANCHORS)
def test_how_many_anchors_are_in_hand_changes_nothing(monkeypatch, at_once, anchors):
    both = *random_batch(7, NINE, 6), 0.5, PAIRS, anchors
    expected = with_gradients(mickd_with_counts, *both)
    monkeypatch.setitem(AT_ONCE, "cpu", at_once)
    assert_alike(with_gradients(mickd_with_counts, *both), expected, 1e-12)


@pytest.mark.parametrize("pairs", ALL_PAIRS, ids="+".join)
def test_on_a_device_which_is_not_waited_for_it_is_the_same(monkeypatch, pairs):
    both = *random_batch(11, NINE, 6), 0.5, pairs, "both"
    expected = with_gradients(mickd_with_counts, *both)
    monkeypatch.setattr(triplets, "_compact", lambda mask: (torch.arange(mask.shape[1]).expand(mask.shape), mask))
    monkeypatch.setattr(triplets, "SEARCHED", 0)
    assert_alike(with_gradients(mickd_with_counts, *both), expected, 1e-12)


@pytest.mark.parametrize("anchors", ANCHORS)
def test_a_teacher_without_gradient_changes_nothing_for_the_mimic(anchors):
    mimic, teacher, labels = random_batch(8, [0, 1, 0, 2, 2], 6)
    expected = with_gradients(mickd_with_counts, mimic, teacher, labels, 0.5, PAIRS, anchors)
    mimic.requires_grad_()
    loss = 3 * mickd(mimic, teacher, labels, 0.5, PAIRS, anchors)
    loss.backward()
    torch.testing.assert_close(loss.detach(), 3 * expected[0])
    torch.testing.assert_close(mimic.grad, 3 * expected[3])


# ---- corners -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "pairs"),
    [
        ([3, 3, 3], PAIRS),  # a single identity: no negative
        ([0, 1, 2], ("mimic_mimic",)),  # all distinct: no positive
        ([0, 1, 2], ("cross_instance",)),
        ([0], PAIRS),
    ],
)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_without_a_triplet_the_loss_and_its_gradient_are_0(labels, pairs, reduction):
    mimic, teacher, labels = random_batch(0, labels, 4)
    mimic.requires_grad_()
    loss, count, violating = mickd_with_counts(mimic, teacher, labels, pairs=pairs, reduction=reduction)
    loss.backward()
    assert (loss.item(), count.item(), violating.item()) == (0, 0, 0)
    assert (mimic.grad == 0).all()


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_identical_vectors_give_the_margin_and_finite_gradients(normalize, dtype):
    mimic = torch.full((4, 8), 0.7, dtype=dtype, requires_grad=True)
    labels = torch.tensor([0, 0, 1, 1])
    loss, _, violating = mickd_with_counts(mimic, mimic.detach().clone(), labels, normalize=normalize)
    loss.backward()
    assert loss.item() == pytest.approx(0.2, abs=1e-6)
    assert violating.item() == 4 * (1 + 1 + 1) * 4
    assert mimic.grad.isfinite().all()


def distances(x, y):
    """`euclidean` of features without parts."""
    return euclidean(x[None], y[None], x.square().sum(1)[None], y.square().sum(1)[None])[0]


def test_distances_are_euclidean_and_keep_their_digits_where_features_are_near():
    x, y = torch.tensor([[0.0, 0.0], [3.0, 4.0]]), torch.tensor([[3.0, 4.0], [6.0, 8.0], [0.0, 0.0]])
    assert distances(x, y).tolist() == [[5, 10, 0], [0, 5, 5]]
    x, y, _ = random_batch(0, [0] * 20, 64)
    torch.testing.assert_close(distances(x, y), torch.cdist(x, y), atol=1e-12, rtol=0)
    x = torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=torch.float64)
    y = x + torch.tensor([[1e-6, -2e-6], [3e-7, 1e-9]], dtype=torch.float64)
    assert distances(x, y).diagonal().tolist() == pytest.approx((y - x).norm(dim=1).tolist(), rel=1e-9)


@pytest.mark.parametrize(("dtype", "sizes"), [(torch.float32, (2, 64, 256, 4096)), (torch.float64, (2, 64, 256))])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_equal_vectors_have_distance_0_whatever_their_length(dtype, sizes, scale):
    for d in sizes:
        x = scale * torch.randn(40, d, generator=torch.Generator().manual_seed(d), dtype=dtype)
        assert (distances(x, x.clone()).diagonal() == 0).all(), d


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_features_are_compared_in_float32(dtype):
    mimic, teacher, labels = random_batch(0, [0, 0, 1, 1, 2], 16, torch.float32)
    assert mickd(mimic.to(dtype), teacher, labels).item() == mickd(mimic.to(dtype).float(), teacher, labels).item()
    mimic, teacher = mimic.to(dtype).requires_grad_(), teacher.to(dtype)
    loss = mickd(mimic, teacher, labels)
    assert loss.dtype == l2_distillation(mimic, teacher).dtype == torch.float32
    assert loss.item() == mickd(mimic.float(), teacher.float(), labels).item()
    loss.backward()
    assert mimic.grad.dtype == dtype and mimic.grad.isfinite().all() and (mimic.grad != 0).any()


def test_under_autocast_the_losses_are_computed_in_float32():
    mimic, teacher, labels = random_batch(0, [0, 0, 1, 1, 2], 16, torch.float32)
    expected, l2 = mickd(mimic, teacher, labels), l2_distillation(mimic, teacher)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = mickd(mimic, teacher, labels)
        assert (mimic @ teacher.T).dtype == torch.bfloat16
        torch.testing.assert_close(l2_distillation(mimic, teacher), l2)
    assert found.dtype == torch.float32 and found.item() == expected.item()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pairs": ("same_instanc",)}, ["pairs", "'same_instanc'", "did you mean 'same_instance'"]),
        ({"pairs": ()}, ["pairs", "empty"]),
        ({"pairs": ("mimic_mimic", "mimic_mimic")}, ["pairs", "twice"]),
        ({"anchors": "teacher"}, ["anchors", "'teacher'", "mimic, both"]),
        ({"reduction": "mean"}, ["reduction", "'mean'", "mean_nonzero"]),
        ({"margin": -0.1}, ["margin", "-0.1"]),
        ({"margin": float("nan")}, ["margin", "nan"]),
        ({"margin": True}, ["margin", "True"]),
        ({"labels": torch.arange(3)}, ["[4, 8]", "[3]"]),
        ({"mimic": torch.zeros(4, 8, 2, 1)}, ["[n, d]", "[n, c, p]", "[4, 8, 2, 1]"]),
        ({"teacher": torch.zeros(4, 7)}, ["[4, 8]", "[4, 7]"]),
        ({"teacher": None}, ["without a teacher", "mimic_mimic"]),
        ({"teacher": None, "pairs": ("mimic_mimic",), "anchors": "both"}, ["without a teacher"]),
    ],
)
def test_a_mistake_is_named(change, words):
    arguments = {"mimic": torch.zeros(4, 8), "teacher": torch.zeros(4, 8), "labels": torch.arange(4)}
    with pytest.raises(ValueError) as caught:
        mickd(**{**arguments, **change})
    assert all(word in str(caught.value) for word in words)


# ---- the hinge without a list of triplets ------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(), anchors=st.integers(1, 5), features=st.integers(1, 8), margin=st.integers(0, 4),
    searched=st.sampled_from([0, 32]),
)  # fmt: skip
def test_hinges_and_violations_are_counted_exactly_with_ties(data, anchors, features, margin, searched):
    def matrix(values):
        size = anchors * features
        drawn = data.draw(st.lists(values, min_size=size, max_size=size))
        return torch.tensor(drawn).reshape(anchors, features)

    parts = torch.stack([matrix(st.integers(0, 6)).double() for _ in range(2)])
    role = matrix(st.sampled_from([0, 1, 2]))  # neither, positive, negative
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(triplets, "SEARCHED", searched)
        totals, counts, slopes = hinge(parts, role == 1, role == 2, float(margin))
    for part, total, count, slope in zip(parts, totals, counts, slopes, strict=True):
        hinges, expected = [], torch.zeros(anchors, features)
        for a, roles in enumerate(role.tolist()):
            for p, n in itertools.product(range(features), repeat=2):
                if roles[p] == 1 and roles[n] == 2 and (violation := part[a, p] - part[a, n] + margin) > 0:
                    hinges.append(violation.item())
                    expected[a, p] += 1
                    expected[a, n] -= 1
        assert (total.item(), count.item()) == (sum(hinges), len(hinges))
        assert slope.tolist() == expected.tolist()


def test_the_hinge_keeps_its_precision_over_many_triplets():
    distances = torch.rand(128, 256, generator=torch.Generator().manual_seed(0))
    positive = torch.zeros(128, 256, dtype=torch.bool)
    positive[:, :8] = True
    (total,), (violating,), _ = hinge(distances[None], positive, ~positive, 0.2)
    far = distances.double()
    hinges = (far[:, :8, None] - far[:, None, 8:] + 0.2).clamp(min=0)
    assert total.item() == pytest.approx(hinges.sum().item(), rel=1e-6)
    assert abs(violating.item() - (hinges > 0).sum().item()) <= 2  # a tie may round either way


# ---- L2 distillation and the VEN's loss --------------------------------------------------------------------


def test_l2_distillation_by_hand():
    mimic, teacher = torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[0.0, 2.0], [7.0, 0.0]])
    # Squared distances as they are: 9 + 4 and 36; at unit length: (0.6, 0.8) to (0, 1) is 0.36 + 0.04, and 0.
    assert l2_distillation(mimic, teacher, normalize=False).item() == pytest.approx((13 + 36) / 2)
    assert l2_distillation(mimic, teacher).item() == pytest.approx(0.4 / 2)
    with pytest.raises(ValueError, match=r"\[2, 2\] and teacher \[1, 2\]"):
        l2_distillation(mimic, teacher[:1])


def test_visibility_by_hand():
    # Scores ln 1, ln 2, ln 1 are probabilities 1/4, 1/2, 1/4; the second clip's are 1/3 each.
    logits = torch.tensor([[1.0, 2.0, 1.0], [5.0, 5.0, 5.0]]).log()
    kind = torch.tensor([1, 0])
    amount, true_amount = torch.tensor([0.3, 0.1]), torch.tensor([0.5, 0.0])  # 0 when clean
    loss, entropy, squared = visibility(logits, amount, kind, true_amount)
    expected_entropy = (torch.tensor(2.0).log() + torch.tensor(3.0).log()) / 2
    assert entropy.item() == pytest.approx(expected_entropy.item(), rel=1e-6)
    assert squared.item() == pytest.approx((0.04 + 0.01) / 2, rel=1e-6)
    assert loss.item() == pytest.approx(expected_entropy.item() + 10 * 0.025, rel=1e-6)
    assert visibility(logits, None, kind, true_amount) == (entropy, entropy, None)
    alone, none, term = visibility(None, amount, kind, true_amount, weight=2.0)
    assert none is None and term == squared and alone.item() == pytest.approx(2 * 0.025)
    sure = torch.tensor([[0.0, 50.0, 0.0]])  # sure and right costs nothing: these are scores before any softmax
    assert visibility(sure, None, kind[:1], true_amount[:1])[0].item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"logits": torch.zeros(4)}, r"logits \[n, k\] and kind \[n\], got \[4\] and \[4\]"),
        ({"logits": torch.zeros(3, 2)}, r"got \[3, 2\] and \[4\]"),
        ({"logits": None, "kind": torch.zeros(4, 1)}, r"got None and \[4, 1\]"),
        ({"amount": torch.zeros(4, 1)}, r"kind \[n\], got \[4, 1\], \[4\] and \[4\]"),
        ({"true_amount": torch.zeros(3)}, r"got \[4\], \[3\] and \[4\]"),
    ],
)
def test_visibility_refuses_shapes_that_do_not_fit(change, found):
    fitting = {"logits": torch.zeros(4, 2), "amount": torch.zeros(4), "kind": torch.zeros(4, dtype=torch.long),
               "true_amount": torch.zeros(4)}  # fmt: skip
    with pytest.raises(ValueError, match=found):
        visibility(**{**fitting, **change})
