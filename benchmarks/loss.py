"""MiCKD, forward and backward, beside pytorch-metric-learning's TripletMarginLoss and a batch-all loop over parts."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from measure import Report, in_turn, main, peak_memory

from opengait_mimic.method.losses import mickd

MARGIN, WIDTH, CLIPS_PER_IDENTITY = 0.2, 4096, 4
MEMORY = 4 * 2**30


def batch(n: int, *shape: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """n mimic and n teacher features near their identity's, as in a training, and labels."""
    generator = torch.Generator().manual_seed(n)
    labels = torch.arange(n) // CLIPS_PER_IDENTITY
    centres = torch.randn(int(labels.max()) + 1, *shape, generator=generator)[labels]
    mimic, teacher = (centres + 2 * torch.randn(n, *shape, generator=generator) for _ in range(2))
    return mimic.requires_grad_(), teacher, labels


def step(loss: Callable, mimic: torch.Tensor, *args) -> Callable:
    """Forward and backward of a loss."""

    def run():
        mimic.grad = None
        value = loss(mimic, *args)
        value.backward()
        return value.detach()

    return run


def ours(n: int, *shape: int) -> Callable:
    return step(lambda m, t, y: mickd(m, t, y, MARGIN, anchors="both"), *batch(n, *(shape or (WIDTH,))))


def metric_learning(n: int) -> Callable:
    """The same value from the library: all triplets of the 2·n features, listed."""
    from pytorch_metric_learning.losses import TripletMarginLoss

    loss = TripletMarginLoss(margin=MARGIN)  # its default distance normalises, its default reducer leaves out zeros
    return step(lambda m, t, y: loss(torch.cat((m, t)), torch.cat((y, y))), *batch(n, WIDTH))


def loop_over_parts(n: int, channels: int, parts: int) -> Callable:
    """Batch-all by hand: the triplets are listed once, and each part takes its distances from them."""
    mimic, teacher, labels = batch(n, channels, parts)
    both = torch.cat((labels, labels))
    same = both[:, None] == both[None, :]
    positive, negative = same & ~torch.eye(2 * n, dtype=torch.bool), ~same
    anchors, positives = positive.nonzero(as_tuple=True)
    pairs, negatives = negative[anchors].nonzero(as_tuple=True)
    triplets = anchors[pairs], positives[pairs], negatives

    def loss(mimic, teacher):
        features, total = torch.cat((mimic, teacher)), 0.0
        a, p, n = triplets
        for part in range(parts):
            x = F.normalize(features[:, :, part], dim=1)
            distances = torch.cdist(x, x)
            hinge = F.relu(distances[a, p] - distances[a, n] + MARGIN)
            total = total + hinge.sum() / (hinge > 0).sum().clamp(min=1)
        return total / parts

    return step(loss, mimic, teacher)


def alone(n: int) -> Callable:
    """The triplet part: distances of few channels, so that it is the sorting that counts."""
    return step(lambda m, t, y: mickd(m, t, y, MARGIN, anchors="both"), *batch(n, 16))


def run(report: Report, quick: bool = False) -> None:
    """Measure; `quick` leaves out what takes minutes."""
    against, have = "TripletMarginLoss", True
    try:
        metric_learning(4)()
    except ImportError:
        have = False
        report.remarks.append("pytorch-metric-learning is not installed: its side is not measured")
    for n, target in ((128, "not slower"), (512, "4")):
        sides = [ours(n), metric_learning(n)] if have else [ours(n)]
        if have:
            mine, theirs = (side() for side in sides)
            torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)
        times = in_turn(sides, least=5 if n == 128 else 3)
        report.add(f"MiCKD, 2×{n}, d = {WIDTH}", times[0], times[1] if have else None, against, target=target)
    parts = (64, 256, 16) if quick else (128, 256, 16)
    sides = [ours(*parts), loop_over_parts(*parts)]
    torch.testing.assert_close(sides[0](), sides[1](), atol=1e-5, rtol=1e-4)
    times = in_turn([ours(*parts), loop_over_parts(*parts)], least=3)
    report.add(f"part-wise, 2×{parts[0]}, [n, {parts[1]}, {parts[2]}]", *times, "batch-all loop", target="4")
    if quick:
        return
    for n, target in ((512, "4"), (2048, f"within {MEMORY / 2**30:.0f} GiB; theirs cannot")):
        limit = MEMORY if n == 2048 else 0
        mine, failed = peak_memory(f"loss:ours({n})", limit)
        call = f"loss:metric_learning({n})"
        theirs, error = peak_memory(call, limit) if have else (None, "not installed")
        note = f"ours: {failed}" if failed else f"theirs: {error}" if error else ""
        report.add(f"its peak above the inputs, 2×{n}", mine, theirs, against, "MiB", target, note)
    before = None
    for n in (256, 512, 1024, 2048, 4096, 8192):
        (time,) = in_turn([alone(n // 2)], seconds=1, least=3, most=10)
        memory, _ = peak_memory(f"loss:alone({n // 2})")
        grown = "" if before is None else f"{time / before[0]:.1f} × the time of half"
        report.add(f"triplet part, N = {n}: {memory:.0f} MiB", time, None, "", note=grown, target="O(N² log N), O(N²)")
        before = time, memory


if __name__ == "__main__":
    main("loss", run)
