"""What TensorBoard shows of a training and its tests beside the losses.

All of it is made of what a step has anyway, and nearly all of it at log points only; nothing is drawn at random and
nothing takes a gradient, so a training's outcome does not depend on it.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch.utils.tensorboard import SummaryWriter

from opengait_mimic.method.clips import silhouettes, split_clips
from opengait_mimic.method.distances import pair_distances
from opengait_mimic.opengait.process.device import peak_memory
from opengait_mimic.opengait.process.distributed import rank, world_size

PAIRS_SHOWN = 8
CELL, MARGIN = 80, 100  # pixels


class Summary:
    """A forward hook of our models, which fills `visual_summary` in training where the host writes it.

    image/pairs (frames, holistic above occluded); of what is distilled scalar/distance/…; of a VEN in training
    scalar/visibility/… and image/visibility_confusion, of all steps since the last log point.
    """

    def __init__(self):
        self.tally: Tally | None = None

    def __call__(self, net, inputs: tuple, output: dict) -> None:
        if not net.training or rank() != 0:
            return
        clips, _, _, _, seqL = inputs[0]
        features = {k: v for k, v in output["training_feat"].items() if isinstance(v, dict)}
        estimated = next((given for given in features.values() if "true_amount" in given), None)
        if estimated is not None:
            self.tally = self.tally or Tally(net.classes)
            self.tally.add(*(estimated.get(name) for name in ("logits", "amount", "kind", "true_amount")))
        if not net.logs_now:
            return
        summary = output["visual_summary"]
        summary["image/pairs"] = pairs(clips.holistic, clips.occluded, seqL)
        for prefix, given in features.items():
            if {"mimic", "labels"} <= given.keys():
                summary.update(_distances(given, net.loss_entry(prefix)))
        if self.tally is not None:
            summary.update(self.tally.summary())
            self.tally = None


def pairs(holistic: torch.Tensor, occluded: torch.Tensor, seqL: torch.Tensor | None) -> torch.Tensor:
    """The middle frame of the first clips, holistic above occluded.

    Args:
        holistic, occluded: [n, s, h, w], or [1, sum of s, h, w] with seqL [1, n]; with channels [n, s, c, h, w].
    Returns:
        [at most PAIRS_SHOWN, 1, 2 h + 3, w + 2] floats 0–1, a grey line between and around the two.
    """
    clips = [split_clips(sils, seqL)[:PAIRS_SHOWN] for sils in (holistic, occluded)]
    shown = [torch.stack([silhouettes(clip)[0, clip.shape[1] // 2] for clip in some]).float() for some in clips]
    line = torch.full_like(shown[0][:, :1], 0.5)
    return torch.nn.functional.pad(torch.cat((shown[0], line, shown[1]), dim=1), (1, 1, 1, 1), value=0.5)[:, None]


def _distances(features: dict, loss_cfg: dict) -> dict[str, float]:
    """scalar/distance/…, as the loss compares."""
    mimic, teacher = features["mimic"], features.get("teacher")
    if not loss_cfg.get("partwise"):
        mimic, teacher = mimic.flatten(1), None if teacher is None else teacher.flatten(1)
    found = pair_distances(mimic, teacher, features["labels"], loss_cfg.get("normalize", True))
    return {f"scalar/distance/{name}": value for name, value in found.items()}


class Tally:
    """A VEN's predictions on the clips it learns from, counted on the device without waiting for it.

    Args:
        kinds: names of its classes.
    """

    def __init__(self, kinds: tuple[str, ...]):
        self.kinds, self.clips = list(kinds), 0
        self.confusion: torch.Tensor | None = None
        self.error: torch.Tensor | None = None

    @torch.no_grad()
    def add(self, logits, amount, kind, true_amount) -> None:
        """One step's clips; logits [n, k] or amount [n] may be None. kind, true_amount: [n]."""
        k = len(self.kinds)
        self.clips += len(kind)
        if logits is not None:
            ones = torch.ones(len(kind), device=kind.device)
            counts = ones.new_zeros(k * k).index_add_(0, kind * k + logits.argmax(1), ones)
            self.confusion = counts if self.confusion is None else self.confusion + counts
        if amount is not None:
            error = (amount.float() - true_amount).abs().sum()
            self.error = error if self.error is None else self.error + error

    def summary(self) -> dict:
        """Accuracy and recall of each kind in percent, the confusion as a picture, the amount's mean error."""
        found = {}
        if self.confusion is not None:
            counts = self.confusion.reshape(len(self.kinds), -1).cpu().numpy().astype(int)
            found["scalar/visibility/kind_right"] = 100 * counts.trace() / self.clips
            for name, row in zip(self.kinds, counts, strict=True):
                if row.sum():
                    found[f"scalar/visibility/recall_{name}"] = 100 * row[self.kinds.index(name)] / row.sum()
            picture = np.asarray(confusion_picture(counts, self.kinds), dtype=np.float32) / 255
            found["image/visibility_confusion"] = torch.from_numpy(picture).permute(2, 0, 1)[None]
        if self.error is not None:
            found["scalar/visibility/amount_error"] = float(self.error) / self.clips
        return found


def confusion_picture(counts: np.ndarray, kinds: list[str]) -> Image.Image:
    """Which types are taken for which: rows true, columns predicted; a cell's shade is its share of the row.

    Args:
        counts: [k, k].
        kinds: [k] names.
    """
    shares = counts / np.maximum(1, counts.sum(1, keepdims=True))
    picture = Image.new("RGB", (MARGIN + CELL * len(kinds),) * 2, "white")
    draw = ImageDraw.Draw(picture)
    draw.text((4, 4), "rows: true\ncolumns: predicted", fill="black")
    middles = [MARGIN + i * CELL + CELL // 2 for i in range(len(kinds))]
    for y, name in zip(middles, kinds, strict=True):
        draw.text((MARGIN - 4, y), name, fill="black", anchor="rm")
        draw.text((y, MARGIN - 6), name, fill="black", anchor="ms")
    for (i, j), share in np.ndenumerate(shares):
        x, y, half = middles[j], middles[i], CELL // 2
        shade = tuple(round(255 - share * (255 - part)) for part in (8, 64, 129))
        draw.rectangle((x - half, y - half, x + half - 2, y + half - 2), fill=shade)
        draw.text((x, y), f"{counts[i, j]}", fill="white" if share > 0.5 else "black", anchor="mm")
    return picture


class Speed:
    """Clips per second of all processes together."""

    def __init__(self):
        self.clips, self.since = 0, None

    def restart(self) -> None:
        """Count from now on."""
        self.clips, self.since = 0, time.monotonic()

    def take(self, clips: int) -> None:
        """Count clips of this process; where the clock stands still, it starts instead."""
        if self.since is None:
            self.restart()
        else:
            self.clips += clips

    def scalars(self, name: str) -> dict[str, float]:
        """scalar/<name>/clips_per_second, and on CUDA scalar/<name>/peak_memory_gib of this process so far."""
        found = {}
        if self.clips:
            seconds = max(time.monotonic() - self.since, 1e-9)
            found[f"scalar/{name}/clips_per_second"] = self.clips * world_size() / seconds
        if (peak := peak_memory()) is not None:
            found[f"scalar/{name}/peak_memory_gib"] = peak / 2**30
        return found


def write_scores(net, scalars: dict[str, float] | None) -> dict[str, float] | None:
    """A test's scalars with its speed; a run that only tests writes them to TensorBoard, where a training's host does.

    Args:
        scalars: None on all but the first process.
    """
    if scalars is None:
        return None
    scalars = {**scalars, **net.test_speed}
    if not net.phase_training:
        with SummaryWriter(str(Path(net.save_path, "summary"))) as writer:
            for name, value in scalars.items():
                if math.isfinite(value):
                    writer.add_scalar(name.removeprefix("scalar/"), value, net.iteration)
    return scalars
