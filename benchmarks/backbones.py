"""Which models of a host can be a backbone, found by training each of them for two steps.

    python benchmarks/backbones.py [--host CHECKOUT] [MODEL ...]      prints a section of docs/backbones.md

For every model class a narrow network becomes teacher and mimic around two batches of generated walkers: occluded,
seen by a VEN, distilled with MiCKD, two steps of the optimizer in DDP. Then it embeds clips alone and together. The
exit status is 1 where a model that should work does not.
"""

from __future__ import annotations

import argparse
import copy
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import yaml
from hosted import start_host, untrained
from torch.nn.parallel import DistributedDataParallel

from opengait_mimic import __version__
from opengait_mimic.data.read import read_array
from opengait_mimic.data.tree import generate_walkers
from opengait_mimic.errors import ConfigError
from opengait_mimic.opengait.config.inputs import ONE_CLIP, refuse_other_inputs
from opengait_mimic.opengait.config.reading import defaults, merge
from opengait_mimic.opengait.config.schema import MODELS
from opengait_mimic.opengait.host import EMBEDDED

PARTS = 11  # classes of a parsing map beside the background
CUT, UNCUT = "BaseSilCuttingTransform", "BaseSilTransform"  # 44 and 64 columns
KINDS = [
    {"kind": "top", "prob": 0.25, "refit": True},
    {"kind": "bottom", "prob": 0.25},
    {"kind": "moving_patch", "prob": 0.25},
]
LENGTHS = (4, 6)  # frames of the two clips that are embedded alone and together


def heat_maps(sils: np.ndarray) -> np.ndarray:
    """Two channels, as SkeletonGait's: what lights up in one is dark in the other."""
    upper = np.arange(sils.shape[1])[:, None] < sils.shape[1] // 2
    return np.stack([sils * upper, sils * ~upper], axis=1)


def depth_images(sils: np.ndarray) -> np.ndarray:
    """Three channels, as the projected point clouds of LidarGait."""
    near = np.linspace(0.3, 1.0, sils.shape[2])
    return np.stack([sils * near, sils * near[::-1], sils * 0.5], axis=1).astype(np.uint8)


def parsing_maps(sils: np.ndarray) -> np.ndarray:
    """Numbers of body parts, here bands from head to foot."""
    part = 1 + np.arange(sils.shape[1]) * PARTS // sils.shape[1]
    return ((sils > 127) * part[:, None]).astype(np.uint8)


def silhouettes_and_parsing_maps(sils: np.ndarray) -> np.ndarray:
    """Two channels in one file, as MultiGait++ takes them."""
    return np.stack([sils, parsing_maps(sils)], axis=1)


def silhouettes(sils: np.ndarray) -> np.ndarray:
    return sils


@dataclass(frozen=True)
class Case:
    """A narrow network of a model class, and what it is given.

    Attributes:
        model_cfg: the network.
        look: makes its input of silhouettes uint8 [s, 64, 64].
        transform: the host's transform that prepares it.
        dataset_name: some architectures depend on it.
        trainer_cfg: settings that its class reads there.
        note: what tells it from others of its class.
        configs: folder of the checkout's configs that such a network is trained from; without it there is none.
    """

    model_cfg: dict
    look: Callable[[np.ndarray], np.ndarray] = silhouettes
    transform: str = CUT
    dataset_name: str = "Gait3D"
    trainer_cfg: dict = field(default_factory=dict)
    note: str = ""
    configs: str = ""

    def is_of(self, host: str | Path) -> bool:
        """Whether the active host has what such a network needs."""
        from data import transform

        return hasattr(transform, self.transform) and (host == EMBEDDED or Path(host, "configs", self.configs).is_dir())

    @property
    def given(self) -> str:
        """The input's name."""
        return self.look.__name__.replace("_", " ") + (f", {self.note}" if self.note else "")


def _resnet(in_channel: int = 1) -> dict:
    return {
        "type": "ResNet9", "block": "BasicBlock", "in_channel": in_channel, "channels": [4, 4, 8, 8],
        "layers": [1, 1, 1, 1], "strides": [1, 2, 2, 1], "maxpool": False,
    }  # fmt: skip


def _gaitbase(in_channel: int = 1) -> dict:
    return {
        "model": "Baseline",
        "backbone_cfg": _resnet(in_channel),
        "SeparateFCs": {"in_channels": 8, "out_channels": 6, "parts_num": 16},
        "SeparateBNNecks": {"class_num": 8, "in_channels": 6, "parts_num": 16},
        "bin_num": [16],
    }


def _deepgait(in_channels: int = 1) -> dict:
    return {
        "model": "DeepGaitV2",
        "Backbone": {"in_channels": in_channels, "mode": "p3d", "layers": [1, 1, 1, 1], "channels": [4, 4, 6, 8]},
        "SeparateBNNecks": {"class_num": 8},
    }


def _gln(pretraining: bool) -> dict:
    cfg = {
        "model": "GLN",
        "in_channels": [1, 4, 4, 8],
        "lateral_dim": 6,
        "hidden_dim": 6,
        "bin_num": [16, 8, 4, 2, 1],
        "SeparateFCs": {"in_channels": 6, "out_channels": 6, "parts_num": 93},
        "Lateral_pretraining": pretraining,
    }
    return cfg if pretraining else {**cfg, "class_num": 8, "dropout": 0.5}


# Narrow networks by model class.
NARROW = {
    "Baseline": (
        Case(_gaitbase(), note="GaitBase"),
        Case(_gaitbase(), transform=UNCUT, note="GaitBase"),
        Case(_gaitbase(), parsing_maps, "BaseParsingCuttingTransform", note="GaitBase"),
        Case(_gaitbase(3), depth_images, UNCUT, note="LidarGait", configs="lidargait"),
    ),
    "DeepGaitV2": (
        Case(_deepgait()),
        Case(_deepgait(2), heat_maps, note="SkeletonGait"),
    ),
    "FoundationGait_Scaling_Finetune": (
        Case({
            "model": "FoundationGait_Scaling_Finetune",
            "crop_list": [2, 1],
            "Backbone": {"in_channels": 1, "mode": "p3d", "layers": [1, 1, 1, 1], "channels": [4, 4, 6, 8]},
            "bin_num": [16, 8, 4, 2, 1],
            "parts_num": 31,
            "SeparateFCs": {"in_channels": 8, "out_channels": 6, "parts_num": 31},
            "SeparateBNNecks": {"class_num": 8, "in_channels": 6, "parts_num": 31},
            "backbone_lr": [0.0, 0.0, 0.0, 0.001, 0.005],
            "projector_lr": 0.01,
        }),
    ),
    "GaitGL": (
        Case({"model": "GaitGL", "channels": [4, 4, 8], "class_num": 8}),
        Case({"model": "GaitGL", "channels": [4, 4, 4, 8], "class_num": 8}, dataset_name="GREW", note="for GREW"),
    ),
    "GaitPart": (
        Case({
            "model": "GaitPart",
            "backbone_cfg": {"type": "Plain", "in_channels": 1,
                             "layers_cfg": ["BC-4", "M", "BC-8", "M", "FC-8-2", "FC-16-3"]},
            "SeparateFCs": {"in_channels": 16, "out_channels": 6, "parts_num": 16},
            "bin_num": [16],
        }),
    ),
    "GaitSet": (
        Case({
            "model": "GaitSet",
            "in_channels": [1, 4, 4, 8],
            "SeparateFCs": {"in_channels": 8, "out_channels": 6, "parts_num": 62},
            "bin_num": [16, 8, 4, 2, 1],
        }),
    ),
    "GaitSSB_Finetune": (
        Case({
            "model": "GaitSSB_Finetune",
            "backbone_cfg": _resnet(),
            "parts_num": 31,
            "backbone_lr": [0.0, 0.001, 0.001, 0.001],
            "projector_lr": 0.01,
        }),
    ),
    "GLN": (
        Case(_gln(True), note="phase 1"),
        Case(_gln(False), note="phase 2"),
    ),
    "MultiGaitpp": (
        Case({
            "model": "MultiGaitpp",  # its width is fixed
            "Backbone": {"in_channels": 2, "blocks": [1, 1, 1, 1], "C": 2, "part1_channel": 1, "part2_channel": 1},
            "SeparateBNNecks": {"class_num": 8},
        }, silhouettes_and_parsing_maps),
    ),
    "ParsingGait": (
        Case({
            "model": "ParsingGait",
            "backbone_cfg": _resnet(),
            "SeparateFCs": {"in_channels": 8, "out_channels": 6, "parts_num": 32},
            "SeparateBNNecks": {"class_num": 8, "in_channels": 6, "parts_num": 32},
            "bin_num": [16],
            "gcn_cfg": {"fine_parts": PARTS, "coarse_parts": 5, "only_fine_graph": False, "only_coarse_graph": False,
                        "combine_fine_coarse_graph": True},
        }, parsing_maps, "BaseParsingCuttingTransform"),
    ),
    "SwinGait": (
        Case({
            "model": "SwinGait",  # its transformer's width is fixed
            "Backbone": {"mode": "p3d", "in_channels": 1, "layers": [1, 1, 1, 1], "channels": [4, 8]},
            "bin_num": [15],
            "SeparateBNNecks": {"class_num": 8, "in_channels": 256, "parts_num": 16},
        }, trainer_cfg={"T_max_iter": 100}),
    ),
}  # fmt: skip


class Row(NamedTuple):
    """What was found of a model class with one input."""

    model: str
    given: str = ""
    width: str = ""
    embedding: str = ""  # "c × p"
    step: str = ""  # "yes", FAILED, NOT_SUPPORTED or NOT_TRIED
    together: str = ""  # how clips are embedded together
    seconds: str = ""
    reason: str = ""  # where the answer is not yes


FAILED, NOT_SUPPORTED, NOT_TRIED = "failed", "not supported", "not tried"
HEADER = Row("Model", "Input", "Columns", "Embedding c × p", "Mimic step", "Clips together", "Seconds", "Reason")


def try_backbones(host: str | Path, names: tuple[str, ...] = ()) -> Iterator[Row]:
    """Try every model class of the active host, or those named, in the order of their names.

    Raises:
        ConfigError: the host has no model of such a name.
    """
    from opengait_mimic.opengait.models.backbone import MISFITS, first_line, host_model, host_model_names

    for name in names:
        host_model(name, "backbones")
    for name in sorted(names) or [name for name in host_model_names() if name not in MODELS]:
        cases = [case for case in NARROW.get(name, ()) if case.is_of(host)]
        if not cases:
            yield _untried(name)
        for case in cases:
            start = time.perf_counter()
            try:
                row = _try_case(name, case, host)
            except (ConfigError, *MISFITS) as error:
                row = Row(name, case.given, step=FAILED, reason=f"{type(error).__name__}: {first_line(error)}")
            yield row._replace(seconds=f"{time.perf_counter() - start:.1f}")


def _untried(name: str) -> Row:
    try:
        refuse_other_inputs(name)
    except ConfigError as error:
        reason = str(error).removeprefix(f"backbone: {name} ").removesuffix(ONE_CLIP)
        return Row(name, step=NOT_SUPPORTED, reason=reason)
    return Row(name, step=NOT_TRIED, reason="no narrow configuration known")


def _try_case(name: str, case: Case, host: str | Path) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        model = trained_mimic(case, host, Path(folder))
        width = case.look(np.zeros((1, 64, 64), dtype=np.uint8)).shape[-1] - 20 * (case.transform != UNCUT)
        _, channels, parts = model.embed(model.inputs_pretreament(next(iter(model.train_loader)))[0].holistic).shape
        return Row(name, case.given, str(width), f"{channels} × {parts}", "yes", embed_together(model))


def trained_mimic(case: Case, host: str | Path, folder: Path):
    """Distil a teacher of random weights into a mimic, in a folder for its files.

    It takes two steps of training in DDP, which notices at the second where a parameter had no gradient in the first.

    Returns:
        The MimicGait, trained by two steps.
    Raises:
        RuntimeError: a parameter got no gradient, nothing was learned, or teacher or VEN changed.
    """
    from opengait_mimic.opengait.models import MimicGait

    torch.manual_seed(0)
    np.random.seed(0)
    cfgs = _configuration(case, host, folder)
    model = MimicGait(cfgs, True)
    frozen = {"teacher": model.teacher, "VEN": model.ven}
    before = {what: copy.deepcopy(network.state_dict()) for what, network in frozen.items()}
    trained = {k: p for k, p in model.named_parameters() if p.requires_grad}
    start = {k: p.detach().clone() for k, p in trained.items()}
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    network = DistributedDataParallel(model)
    for batch in islice(model.train_loader, 2):
        inputs = model.inputs_pretreament(batch)
        loss, _ = model.loss_aggregator(network(inputs)["training_feat"])
        if not torch.isfinite(loss) or loss <= 0:
            raise RuntimeError(f"the loss is {loss.item()}")
        model.train_step(loss)
        silent = [k for k, p in trained.items() if p.grad is None]
        if silent:
            raise RuntimeError(f"no gradient reaches {', '.join(silent[:3])}" + " and others" * (len(silent) > 3))
    if all(torch.equal(start[k], p) for k, p in trained.items()):
        raise RuntimeError("the step changed no parameter")
    for what, network in frozen.items():
        if any(not torch.equal(before[what][k], v) for k, v in network.state_dict().items()):
            raise RuntimeError(f"the {what} changed")
    return model


def _configuration(case: Case, host: str | Path, folder: Path) -> dict:
    """The configuration of the mimic; its data set and the YAMLs of teacher and VEN are written to the folder."""
    root, partition = folder / "data", folder / "data.json"
    generate_walkers(root, partition, 4, 1, sequences=2, frames=max(LENGTHS))
    for path in root.glob("*/*/*/*.pkl"):
        path.write_bytes(pickle.dumps(case.look(read_array(path))))
    prepare = {"type": case.transform}
    occlude = {"type": "Occlusion", "kinds": KINDS}
    sampler = {"type": "TripletSampler", "batch_size": [4, 2], "batch_shuffle": True,
               "sample_type": "fixed_ordered", "frames_num_fixed": 3, "frames_skip_num": 0}  # fmt: skip
    teacher = {
        "data_cfg": {"dataset_name": case.dataset_name},
        "model_cfg": case.model_cfg,
        "trainer_cfg": {**case.trainer_cfg, "transform": [{"type": "Compose", "trf_cfg": [prepare]}]},
    }
    transform = [{"type": "Compose", "trf_cfg": [prepare, occlude]}]
    ven = {
        "data_cfg": {"dataset_name": case.dataset_name},
        "model_cfg": {"model": "VisibilityEstimation", "channels": [4, 4, 8], "feature": 8},
        "trainer_cfg": {"transform": transform},
    }
    for name, cfgs in (("teacher", teacher), ("ven", ven)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(cfgs))
    untrained(folder, teacher, ven)
    own = {
        "data_cfg": {"dataset_name": case.dataset_name, "test_dataset_name": case.dataset_name, "num_workers": 0,
                     "dataset_root": str(root), "dataset_partition": str(partition)},
        "evaluator_cfg": {"transform": transform, "restore_hint": 0},
        "loss_cfg": [{"type": "MiCKDLoss", "log_prefix": "mickd", "loss_term_weight": 1.0}],
        "model_cfg": {
            "model": "MimicGait",
            "backbone": str(folder / "teacher.yaml"),
            "teacher": {"checkpoint": str(folder / "teacher.pt")},
            "init_from_teacher": True,
            "ven": {"config": str(folder / "ven.yaml"), "checkpoint": str(folder / "ven.pt")},
        },
        "optimizer_cfg": {"solver": "SGD", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.0005},
        "trainer_cfg": {"transform": transform, "sampler": sampler, "enable_float16": False, "with_test": False,
                        "save_name": "mimic"},
    }  # fmt: skip
    return merge(defaults(host), own)


@torch.no_grad()
def embed_together(model) -> str:
    """Whether clips embedded in one batch, along time, come out as they do alone."""
    from opengait_mimic.opengait.models.backbone import MISFITS

    whole = model.inputs_pretreament(next(iter(model.train_loader)))[0].holistic
    clips = [whole[i : i + 1, torch.arange(length) % whole.shape[1]] for i, length in enumerate(LENGTHS)]
    model.eval()
    alone = torch.cat([model.embed(clip, torch.tensor([[clip.shape[1]]])) for clip in clips])
    again = torch.cat([model.embed(clip) for clip in clips])
    if not torch.allclose(alone, again, atol=1e-5):
        raise RuntimeError("a clip's embedding depends on how its length is given")
    try:
        joined = model.embed(torch.cat(clips, dim=1), torch.tensor([LENGTHS]))
    except MISFITS:
        return "not along time"
    return "as alone" if torch.allclose(alone, joined, atol=1e-4) else "look at their neighbours"


def version_of(host: str | Path) -> str:
    """What a table is of: our version, or a checkout's commit and its date."""
    if host == EMBEDDED:
        return f"Embedded host, opengait-mimic {__version__}"
    git = ["git", "-C", str(host), "log", "-1", "--format=commit %h of %cs"]
    return f"OpenGait, {subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()}"


def markdown(title: str, rows: list[Row]) -> str:
    """A section of a Markdown file."""
    lines = [HEADER, ("---",) * len(HEADER), *rows]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: every model class of the host")
    parser.add_argument("--host", help='an OpenGait checkout, or "embedded"; default: OPENGAIT_ROOT\'s, if set')
    asked = parser.parse_args()
    host = start_host(asked.host)
    rows = list(try_backbones(host, tuple(asked.models)))
    print(markdown(version_of(host), rows))
    sys.exit(any(row.step == FAILED for row in rows))


if __name__ == "__main__":
    main()
