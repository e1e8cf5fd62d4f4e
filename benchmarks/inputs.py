"""From a loader's batch to occluded and whole clips: our models' pretreatment beside the host's with a transform."""

from __future__ import annotations

import random

import numpy as np
import torch
from measure import Report, in_turn, main
from torch import nn

from opengait_mimic.opengait.activation import activate

SUBJECTS, CLIPS, FRAMES = 32, 4, (20, 40)
BATCHES = 10  # the transforms act on some; a call goes through all of them
AUGMENTED = [
    {"type": "RandomPerspective", "prob": 0.2},
    {"type": "BaseSilCuttingTransform"},
    {"type": "RandomHorizontalFlip", "prob": 0.2},
    {"type": "RandomRotate", "prob": 0.2},
]
KINDS = [{"kind": "top", "prob": 0.4, "refit": True}, {"kind": "bottom", "prob": 0.4, "refit": True}]


def batch() -> tuple:
    """A batch as a host's loader gives it: all clips joined along time."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(FRAMES[0], FRAMES[1] + 1, SUBJECTS * CLIPS)
    sils = np.zeros((lengths.sum(), 64, 64), np.uint8)
    sils[:, 4:60, 20:44] = 255
    labels = np.repeat(np.arange(SUBJECTS), CLIPS).tolist()
    return [[sils]], labels, ["a"] * len(labels), ["b"] * len(labels), lengths[None]


def occluded_in_a_transform(sils: np.ndarray) -> np.ndarray:
    """What the authors' transform does: crop the upper or lower part, resize frame by frame, binarise, stack both.

    One draw is for all clips of the batch.
    """
    import cv2

    chance, share, height = random.random(), random.uniform(0.4, 0.6), sils.shape[1]
    whole = sils.copy()
    if chance < 0.8:
        seen = sils[:, int(share * height) :] if chance < 0.4 else sils[:, : int((1 - share) * height)]
        most = seen.max()
        resized = np.array([cv2.resize(frame, (sils.shape[2], height)) for frame in seen])
        sils = most * (resized > 0.5 * most).astype(seen.dtype)
    return np.stack([sils, whole], axis=-1)


def sides() -> tuple:
    """The host's pretreatment followed by that transform, and ours; each goes through BATCHES batches."""
    from data.transform import get_transform
    from modeling.base_model import BaseModel

    from opengait_mimic.method.occlusion import Occlusion
    from opengait_mimic.opengait.models.byte_inputs import steps
    from opengait_mimic.opengait.models.occluded import OccludedModel
    from opengait_mimic.opengait.models.tensorboard import Speed
    from opengait_mimic.opengait.process.resuming import STEP, draw_from

    def prepare(model, transforms) -> None:
        nn.Module.__init__(model)
        model.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model.weight = nn.Parameter(torch.zeros(1, device=model.device))
        model.trainer_trfs = transforms

    class Host(BaseModel):
        def __init__(self):
            compose = get_transform({"type": "Compose", "trf_cfg": AUGMENTED})
            prepare(self, [lambda sils: occluded_in_a_transform(compose(sils))])

    class Ours(OccludedModel):
        def __init__(self):
            prepare(self, get_transform([{"type": "Compose", "trf_cfg": AUGMENTED}]))
            self.steps = {"trainer_cfg": steps([{"type": "Compose", "trf_cfg": AUGMENTED}])}
            self.cfgs = {"trainer_cfg": {}}
            self.speed = Speed()
            self.engine_cfg = {"transform": [{"type": "Compose", "trf_cfg": AUGMENTED}]}
            self.occlusion = {"trainer_cfg": Occlusion(KINDS)}

    host, ours, inputs = Host(), Ours(), batch()
    (seqs, *rest), numbers = inputs, [np.concatenate([np.arange(s) for s in inputs[4][0]])]

    def theirs():
        for k in range(BATCHES):
            draw_from(0, STEP, k, 0)  # the random numbers that ours draws
            (both,), *_ = host.inputs_pretreament((seqs, *rest))
            both[..., 0], both[..., 1]

    def mine():
        ours.batches = 0
        for _ in range(BATCHES):
            ours.inputs_pretreament(([*seqs, numbers], *rest))

    return mine, theirs


def run(report: Report, quickly: bool = False) -> None:
    """Measure."""
    host = activate()
    try:
        import cv2
    except ImportError:
        report.remarks.append("OpenCV is not installed: not measured")
        return
    cv2.setNumThreads(torch.get_num_threads())
    report.remarks.append(f"host: {'embedded' if host == 'embedded' else 'OpenGait'}; {BATCHES} batches a call")
    mine, theirs = in_turn(list(sides()), seconds=10 if quickly else 40, least=3)
    what = f"inputs, {SUBJECTS}×{CLIPS} clips of {FRAMES[0]}–{FRAMES[1]} frames"
    report.add(what, mine / BATCHES, theirs / BATCHES, "host and transform", target="4")


if __name__ == "__main__":
    main("inputs", run)
