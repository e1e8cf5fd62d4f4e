"""A test on many draws of occlusion beside one full pass per draw, and clips embedded together beside one at a time."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from hosted import recipes, start_host
from measure import Report, in_turn, main

import opengait_mimic
from opengait_mimic.apps.experiments.recipes.build import narrow, small
from opengait_mimic.apps.experiments.recipes.facts import BACKBONES
from opengait_mimic.data.tree import generate_walkers

KINDS = ("top", "bottom", "middle", "moving_patch", "moving_pole")


def sides(folder: Path, host: str | Path, subjects: int, frames: int, seeds: int) -> tuple[Callable, Callable]:
    """A test of a mimic of random weights on KINDS × `seeds` draws for the probes, and as many plain inferences.

    Half of the clips are probes, as in GREW. Ours compares the embeddings and writes its results, too.
    """
    from modeling import models

    root, partition = folder / "sils", folder / "sils.json"
    generate_walkers(root, partition, 2, subjects, sequences=2, gallery=2, probe=2, test_frames=frames)
    data = {"dataset_root": str(root), "dataset_partition": str(partition)}
    mimic = recipes(folder, host, "GREW", "GaitBase", data, small)["mimic"]
    mimic["data_cfg"]["cache"] = False
    first, *others = KINDS
    mimic["evaluator_cfg"]["transform"][0]["trf_cfg"][-1]["kinds"] = [{"kind": first, "prob": 1}]
    named = {kind: [{"kind": kind, "prob": 1}] for kind in others}
    occluded = {"who": "probe", "repeats": seeds, "generalizability": named}
    mimic["evaluator_cfg"] |= {"restore_hint": 0, "occluded": occluded}
    net = models.MimicGait(mimic, False)

    def at_once() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as own, contextlib.chdir(own):
            models.MimicGait.run_test(net)

    def one_by_one() -> None:
        for _ in range(len(KINDS) * seeds):
            net.inference(0)

    return at_once, one_by_one


def by_length(name: str) -> tuple[Callable, Callable]:
    """Clips of 15 to 120 frames: sorted by length in groups of eight, joined along time, and one at a time."""
    backbone = opengait_mimic.Backbone(narrow(BACKBONES[name].network(4)), "CASIA-B").eval()
    lengths = np.random.default_rng(0).integers(15, 121, 32)
    clips = [torch.rand(1, s, 64, 44).round() for s in sorted(lengths)]

    @torch.no_grad()
    def alone():
        return torch.cat([backbone(clip) for clip in clips])

    @torch.no_grad()
    def grouped():
        groups = [clips[first : first + 8] for first in range(0, len(clips), 8)]
        return torch.cat([backbone(torch.cat(g, 1), torch.tensor([[clip.shape[1] for clip in g]])) for g in groups])

    return grouped, alone


def run(report: Report, quick: bool = False) -> None:
    """Measure."""
    host = start_host()
    subjects, frames, seeds = (4, 10, 3) if quick else (8, 30, 10)
    with tempfile.TemporaryDirectory() as folder:
        both = sides(Path(folder), host, subjects, frames, seeds)
        ours, theirs = in_turn(list(both), seconds=10 if quick else 60, least=1 if quick else 2)
    report.add(f"{len(KINDS)} kinds × {seeds} seeds, {4 * subjects} clips: {ours / theirs:.2f} ×", ours, theirs,
               "a full pass each", target="at most 0.6")  # fmt: skip
    for name in () if quick else BACKBONES:
        grouped, alone = by_length(name)
        together, single = grouped(), alone()
        exact = "identical" if torch.equal(together, single) else f"differ by {(together - single).abs().max():.1e}"
        times = in_turn([grouped, alone], seconds=10, least=3)
        report.add(f"32 clips of 15–120 frames, narrow {name}, by length: {exact}", *times, "one at a time", target="2")


if __name__ == "__main__":
    main("repeated_tests", run)
