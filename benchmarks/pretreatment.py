"""From a loader's batch to occluded and holistic clips: our models' pretreatment beside the host's with a transform."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from hosted import recipes, start_host
from measure import Report, in_turn, main

from opengait_mimic.apps.experiments.recipes.build import small
from opengait_mimic.data.tree import generate_walkers

SUBJECTS, CLIPS, FRAMES = 32, 4, (20, 40)
BATCHES = 10  # the transforms act on some; a call goes through all of them
CUT = {"type": "BaseSilCuttingTransform"}
AUGMENTED = [
    {"type": "RandomPerspective", "prob": 0.2},
    CUT,
    {"type": "RandomHorizontalFlip", "prob": 0.2},
    {"type": "RandomRotate", "prob": 0.2},
]
KINDS = [{"kind": "top", "prob": 0.4, "refit": True}, {"kind": "bottom", "prob": 0.4, "refit": True}]


def occluded_in_a_transform(sils: np.ndarray) -> np.ndarray:
    """What the authors' transform does: crop the upper or lower part, resize frame by frame, binarise, stack both.

    One draw is for all clips of the batch.
    """
    import cv2

    chance, share, height = random.random(), random.uniform(0.4, 0.6), sils.shape[1]
    holistic = sils.copy()
    if chance < 0.8:
        seen = sils[:, int(share * height) :] if chance < 0.4 else sils[:, : int((1 - share) * height)]
        most = seen.max()
        resized = np.array([cv2.resize(frame, (sils.shape[2], height)) for frame in seen])
        sils = most * (resized > 0.5 * most).astype(seen.dtype)
    return np.stack([sils, holistic], axis=-1)


def sides(folder: Path, host: str | Path, transform: list[dict] = AUGMENTED) -> tuple[Callable, Callable]:
    """A batch through our pretreatment, and through the host's followed by that transform: (occluded, holistic)."""
    from modeling import models

    generate_walkers(folder / "sils", folder / "sils.json", SUBJECTS, 2, sequences=CLIPS, frames=FRAMES[1])
    data = {"dataset_root": str(folder / "sils"), "dataset_partition": str(folder / "sils.json"), "num_workers": 0}

    def changed(cfgs: dict) -> dict:
        occluded = cfgs["trainer_cfg"]["transform"][0]["trf_cfg"][-1]["type"] == "Occlusion"
        steps = [*transform, *([{"type": "Occlusion", "kinds": KINDS}] if occluded else [])]
        cfgs = small(cfgs)
        cfgs["trainer_cfg"]["transform"] = [{"type": "Compose", "trf_cfg": steps}]
        cfgs["trainer_cfg"]["sampler"] = {
            "type": "TripletSampler", "batch_size": [SUBJECTS, CLIPS], "batch_shuffle": True,
            "sample_type": "unfixed_ordered", "frames_num_min": FRAMES[0], "frames_num_max": FRAMES[1],
            "frames_skip_num": 0,
        }  # fmt: skip
        return cfgs

    cfgs = recipes(folder, host, "GREW", "GaitBase", data, changed)
    stock, ours = models.Baseline(cfgs["teacher"], True), models.MimicGait(cfgs["mimic"], True)
    (compose,) = stock.trainer_trfs
    stock.trainer_trfs = [lambda sils: occluded_in_a_transform(compose(sils))]
    numbered = next(iter(ours.train_loader))
    plain = [numbered[0][:1], *numbered[1:]]  # without the frames' numbers

    def mine() -> tuple[torch.Tensor, torch.Tensor]:
        clips = ours.inputs_pretreament(numbered)[0]
        return clips.occluded, clips.holistic

    def theirs() -> tuple[torch.Tensor, torch.Tensor]:
        (both,), *_ = stock.inputs_pretreament(plain)
        return both[..., 0], both[..., 1]

    return mine, theirs


def run(report: Report, quick: bool = False) -> None:
    """Measure."""
    try:
        import cv2
    except ImportError:
        report.remarks.append("OpenCV is not installed: not measured")
        return
    host = start_host()
    cv2.setNumThreads(torch.get_num_threads())
    report.remarks.append(f"host: {'embedded' if host == 'embedded' else 'OpenGait'}; {BATCHES} batches a call")
    with tempfile.TemporaryDirectory() as folder:
        calls = [lambda side=side: [side() for _ in range(BATCHES)] for side in sides(Path(folder), host)]
        mine, theirs = in_turn(calls, seconds=10 if quick else 40, least=3)
    what = f"inputs, {SUBJECTS}×{CLIPS} clips of {FRAMES[0]}–{FRAMES[1]} frames"
    report.add(what, mine / BATCHES, theirs / BATCHES, "host and transform", target="4")


if __name__ == "__main__":
    main("pretreatment", run)
