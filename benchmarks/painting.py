"""Painting occlusions beside a loop over frames with OpenCV's resize; on a device, the way there as well."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from measure import Report, in_turn, main

from opengait_mimic.method.occlusion import TYPES, OcclusionParameters, apply_occlusion, mixture

CLIPS, FRAMES, HEIGHT, WIDTH = 128, 30, 64, 44
AGAINST = "loop over frames"


def plan(kind: str, refit: bool) -> OcclusionParameters:
    """The same draw for both sides."""
    rngs = [np.random.default_rng(i) for i in range(CLIPS)]
    return mixture([{"kind": kind, "prob": 1, "refit": refit}]).sample(rngs, [np.arange(FRAMES)] * CLIPS, HEIGHT, WIDTH)


def frame_by_frame(sils: np.ndarray, plan: OcclusionParameters) -> np.ndarray:
    """Paint, and where asked crop and resize, one frame after the other."""
    import cv2

    painted, (height, width) = sils.copy(), sils.shape[-2:]
    masks = dict(zip(plan.masked.tolist(), plan.masks, strict=True))
    frames = painted.reshape(-1, height, width)
    for i, (frame, box, refit) in enumerate(zip(frames, plan.boxes.tolist(), plan.refit.tolist(), strict=True)):
        top, bottom, left, right = box
        mask = masks.get(i)
        if mask is not None:
            frame[mask] = 0
        else:
            frame[top:bottom, left:right] = 0
        if not refit:
            continue
        if mask is not None:
            rows, columns = (~mask).any(1).nonzero()[0], (~mask).any(0).nonzero()[0]
            seen = frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else frame
        elif left == 0 and right == width:
            seen = frame[bottom:] if top == 0 else frame[:top] if bottom == height else frame
        elif top == 0 and bottom == height:
            seen = frame[:, right:] if left == 0 else frame[:, :left] if right == width else frame
        else:
            seen = frame
        if seen.shape != frame.shape:
            frames[i] = cv2.resize(seen, (width, height))
    return painted


def run(report: Report, quick: bool = False) -> None:
    """Measure every kind, with and without refit; `quick` takes two of them."""
    have = True
    try:
        import cv2

        cv2.setNumThreads(torch.get_num_threads())
    except ImportError:
        have = False
        report.remarks.append("OpenCV is not installed: the loop over frames is not measured")
    generator = torch.Generator().manual_seed(0)
    bytes_ = torch.randint(0, 256, (CLIPS, FRAMES, HEIGHT, WIDTH), dtype=torch.uint8, generator=generator)
    for sils in (bytes_.float(), bytes_):
        for refit in (False, True):
            for kind in ("top", "moving_patch") if quick else TYPES:
                asked = plan(kind, refit)
                sides: list[Callable] = [lambda s=sils, a=asked: apply_occlusion(s, a)]
                if have:
                    sides.append(lambda s=sils, a=asked: frame_by_frame(s.numpy(), a))
                    mine, theirs = (torch.as_tensor(side()).float() for side in sides)
                    difference = (mine - theirs).abs().max().item()
                    assert difference <= (1.01 if sils.dtype == torch.uint8 else 1e-2), difference
                times = in_turn(sides, seconds=0.5 if quick else 1.5)
                name = f"{str(sils.dtype).removeprefix('torch.')}, {kind}{', refit' if refit else ''}"
                report.add(name, times[0], times[1] if have else None, AGAINST, target="3" if refit else "10")
    copies = in_turn([bytes_.float().numpy().copy, bytes_.numpy().copy], seconds=0.5)
    report.remarks.append("copying the clips alone takes {:.3g} ms in float32, {:.3g} ms in uint8".format(*copies))
    if not torch.cuda.is_available():
        report.remarks.append("no CUDA device: the transfer itself is not measured")
        return
    asked, double = plan("top", False), bytes_.double() / 255
    times = in_turn([
        lambda: apply_occlusion(bytes_.cuda().float().div_(255), asked),
        lambda: (double.cuda().float(), double.cuda().float()),
    ])  # fmt: skip
    report.add("to the device, scaled and painted there", *times, "float64, occluded and holistic")


if __name__ == "__main__":
    main("painting", run)
