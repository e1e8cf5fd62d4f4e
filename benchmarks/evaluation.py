"""A repeated occluded test beside one full pass per draw, and clips embedded together beside one at a time."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from measure import Report, in_turn, main

from opengait_mimic.apps.experiments.recipes.build import file_name, narrow, recipe, small
from opengait_mimic.apps.experiments.recipes.facts import BACKBONES
from opengait_mimic.apps.experiments.recipes.files import yaml_text
from opengait_mimic.data.tree import generate_walkers
from opengait_mimic.opengait.activation import activate
from opengait_mimic.opengait.config.reading import defaults, merge

KINDS = ("top", "bottom", "middle", "moving_patch", "moving_pole")
SEEDS = 10


def tested(folder: Path, host: str | Path, subjects: int, frames: int):
    """A mimic of random weights on the test of GREW's protocol, with generated walkers."""
    from opengait_mimic.opengait.config.networks import backbone_spec, ven_spec
    from opengait_mimic.opengait.models import MimicGait
    from opengait_mimic.opengait.models.recognition import build_backbone, build_visibility_network

    root, partition = folder / "sils", folder / "sils.json"
    # Half of the clips are probes, as in GREW.
    generate_walkers(root, partition, 2, subjects, sequences=2, gallery=2, probe=2, test_frames=frames)
    data = {"dataset_root": str(root), "dataset_partition": str(partition)}
    for method in ("teacher", "ven", "mimic"):
        cfgs = small(recipe("GREW", "GaitBase", method, folder=str(folder), data=data, identities=2))
        (folder / file_name("GREW", "GaitBase", method)).write_text(yaml_text(cfgs))
    cfgs["data_cfg"]["cache"] = False
    cfgs["evaluator_cfg"]["restore_hint"] = 0
    model_cfg = cfgs["model_cfg"]
    model_cfg["teacher"] = {"checkpoint": str(folder / "teacher.pt")}
    model_cfg["ven"] = {"config": model_cfg["ven"], "checkpoint": str(folder / "ven.pt")}
    for network, prefix, name in (
        (build_backbone(backbone_spec(model_cfg, "GREW")).model, "", "teacher.pt"),
        (build_visibility_network(ven_spec(model_cfg)), "network.", "ven.pt"),
    ):
        torch.save({"model": {prefix + k: v for k, v in network.state_dict().items()}}, folder / name)
    return MimicGait(merge(defaults(host), cfgs), False)


def repeated(net) -> tuple:
    """Five kinds with ten seeds each: as our tests look, and as many tests of their own."""
    from opengait_mimic.method.occlusion import mixture
    from opengait_mimic.opengait.models.embedding import Condition, embed_data_set
    from opengait_mimic.opengait.models.testing import Scorer, sides

    def own(inputs):
        return net.forward(inputs)["inference_feat"]

    probes = sides(Scorer(net.asked), net.test_loader.dataset)["probe"]
    drawn = [(mixture([{"kind": kind, "prob": 1}]), seed) for kind in KINDS for seed in range(SEEDS)]

    def together():
        return list(embed_data_set(net, [Condition(own), *(Condition(own, mix, seed, probes) for mix, seed in drawn)]))

    def one_by_one():
        return [next(embed_data_set(net, [Condition(own, mix, seed)])) for mix, seed in drawn]

    return together, one_by_one


def by_length(name: str) -> tuple:
    """Clips of 15 to 120 frames: one at a time, and sorted by length in groups of eight, joined along time."""
    from opengait_mimic.opengait.models.backbone import Backbone

    family = BACKBONES[name]
    backbone = Backbone(narrow(family.network(4)), "CASIA-B").eval()
    rng = np.random.default_rng(0)
    clips = [torch.rand(1, s, 64, 44).round() for s in sorted(rng.integers(15, 121, 32))]

    @torch.no_grad()
    def alone():
        return torch.cat([backbone(clip) for clip in clips])

    @torch.no_grad()
    def grouped():
        found = []
        for first in range(0, len(clips), 8):
            some = clips[first : first + 8]
            found.append(backbone(torch.cat(some, 1), torch.tensor([[clip.shape[1] for clip in some]])))
        return torch.cat(found)

    return grouped, alone


def run(report: Report, quickly: bool = False) -> None:
    """Measure."""
    from backbones import quiet_host

    host = activate()
    with tempfile.TemporaryDirectory() as folder, quiet_host():
        net = tested(Path(folder), host, 4 if quickly else 8, 10 if quickly else 30)
        together, one_by_one = repeated(net)
        ours, theirs = in_turn([together, one_by_one], seconds=10 if quickly else 60, least=1 if quickly else 2)
    clips = len(net.test_loader.dataset)
    report.add(f"{len(KINDS)} kinds × {SEEDS} seeds, {clips} clips: {ours / theirs:.2f} ×", ours, theirs,
               "a full pass each", target="at most 0.6")  # fmt: skip
    if quickly:
        return
    for name in BACKBONES:
        sides = by_length(name)
        together, alone = (side() for side in sides)
        exact = "identical" if torch.equal(together, alone) else f"differ by {(together - alone).abs().max():.1e}"
        times = in_turn(list(sides), seconds=10, least=3)
        report.add(f"32 clips of 15–120 frames, narrow {name}, by length: {exact}", *times, "one at a time", target="2")


if __name__ == "__main__":
    main("evaluation", run)
