"""A distillation step beside the bare backbone's own training step: same batch, same host, same process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from measure import Report, in_turn, main

from opengait_mimic.apps.experiments.recipes.build import file_name, recipe
from opengait_mimic.apps.experiments.recipes.files import yaml_text
from opengait_mimic.data.tree import generate_walkers
from opengait_mimic.opengait.activation import activate
from opengait_mimic.opengait.config.reading import defaults, merge

# Data set of the recipe, and what the ratio should be.
BACKBONES = {"GaitBase": ("GREW", "at most 1.25"), "DeepGaitV2": ("GREW", "at most 1.30"),
             "GaitGL": ("CASIA-B", "at most 1.30")}  # fmt: skip
METHODS = ("teacher", "ven", "mimic")
IDENTITIES = 8


def steps(backbone: str, folder: Path, host: str | Path, batch: tuple[int, int], frames: int) -> dict[str, Callable]:
    """A step of the bare backbone, one of the mimic, and the teacher's forward alone, of random weights.

    Args:
        folder: for data, configurations and weights. batch: P×K. frames: of each clip.
    """
    from opengait_mimic.opengait.config.networks import backbone_spec, ven_spec
    from opengait_mimic.opengait.models import MimicGait
    from opengait_mimic.opengait.models.backbone import host_model
    from opengait_mimic.opengait.models.recognition import build_backbone, build_visibility_network

    dataset = BACKBONES[backbone][0]
    root, partition = folder / "sils", folder / "sils.json"
    generate_walkers(root, partition, IDENTITIES, 2, sequences=batch[1], frames=frames + 10)
    data = {"dataset_root": str(root), "dataset_partition": str(partition), "num_workers": 0}
    cfgs = {}
    for method in METHODS:
        asked = recipe(dataset, backbone, method, folder=str(folder), data=data, identities=IDENTITIES)
        on_device = torch.cuda.is_available()
        asked["trainer_cfg"].update(enable_float16=on_device, sync_BN=False, with_test=False)
        sampler = asked["trainer_cfg"]["sampler"]
        order = sampler["sample_type"].split("_")[1]
        fixed = {"sample_type": f"fixed_{order}", "frames_num_fixed": frames}
        asked["trainer_cfg"]["sampler"] = {
            "type": "TripletSampler", "batch_size": list(batch), "batch_shuffle": True, **fixed,
            **({"frames_skip_num": 0} if order == "ordered" else {}),
        }  # fmt: skip
        (folder / file_name(dataset, backbone, method)).write_text(yaml_text(asked))
        cfgs[method] = merge(defaults(host), asked)
    model_cfg = cfgs["mimic"]["model_cfg"]
    model_cfg["teacher"] = {"checkpoint": str(folder / "teacher.pt")}
    model_cfg["ven"] = {"config": model_cfg["ven"], "checkpoint": str(folder / "ven.pt")}
    for network, prefix, name in (
        (build_backbone(backbone_spec(model_cfg, dataset)).model, "", "teacher.pt"),
        (build_visibility_network(ven_spec(model_cfg)), "network.", "ven.pt"),
    ):
        torch.save({"model": {prefix + k: v for k, v in network.state_dict().items()}}, folder / name)
    bare = host_model(cfgs["teacher"]["model_cfg"]["model"])(cfgs["teacher"], True)
    mimic = MimicGait(cfgs["mimic"], True)
    whole = next(iter(bare.train_loader))
    numbered = next(iter(mimic.train_loader))
    clips = mimic.inputs_pretreament(numbered)[0].holistic
    teacher = mimic.teacher
    return {
        "bare": _step(bare, whole),
        "mimic": _step(mimic, numbered),
        "teacher": lambda: teacher(clips),
    }


def _step(model, inputs) -> Callable:
    cuda = torch.cuda.is_available()

    def run():
        batch = model.inputs_pretreament(inputs)
        with torch.autocast("cuda" if cuda else "cpu", torch.float16 if cuda else torch.bfloat16, enabled=cuda):
            features = model(batch)["training_feat"]
        model.train_step(model.loss_aggregator(features)[0])

    return run


def run(report: Report, quickly: bool = False) -> None:
    """Measure every backbone; `quickly` takes GaitBase and a few frames."""
    from backbones import quiet_host

    host = activate()
    report.remarks.append(f"host: {'embedded' if host == 'embedded' else 'OpenGait'}")
    cuda = torch.cuda.is_available()
    if not cuda:
        report.remarks.append("no CUDA device: clips are few and short, and everything is in float32")
    batch = (8, 4) if cuda else (2, 2)
    for name in ("GaitBase",) if quickly else BACKBONES:
        frames = 30 if cuda else 6 if quickly or name == "DeepGaitV2" else 10
        with tempfile.TemporaryDirectory() as folder, quiet_host():
            sides = steps(name, Path(folder), host, batch, frames)
            bare, mimic, teacher = in_turn(list(sides.values()), seconds=15 if quickly else 45, least=3)
        target = BACKBONES[name][1]
        clips = batch[0] * batch[1]
        what = f"{name}, {clips} clips of {frames} frames"
        report.add(f"distillation step, {what}: {mimic / bare:.2f} ×", mimic, bare, "bare step", target=target)
        report.add(f"teacher forward, {what}: {teacher / bare:.2f} ×", teacher, bare, "bare step")


if __name__ == "__main__":
    main("step", run)
