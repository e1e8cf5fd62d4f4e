"""A distillation step beside the bare backbone's own training step: same batch, same host, same process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from hosted import recipes, start_host
from measure import Report, in_turn, main

from opengait_mimic.data.tree import generate_walkers

# Data set of the recipe, and what the ratio should be.
BACKBONES = {"GaitBase": ("GREW", "at most 1.25"), "DeepGaitV2": ("GREW", "at most 1.30"),
             "GaitGL": ("CASIA-B", "at most 1.30")}  # fmt: skip


def steps(backbone: str, folder: Path, host: str | Path, batch: tuple[int, int], frames: int) -> dict[str, Callable]:
    """A step of the bare backbone, one of the mimic, and the teacher's forward alone, of random weights.

    Args:
        backbone: a key of BACKBONES.
        folder: for data, configurations and weights.
        host: the active one.
        batch: P×K.
        frames: of each clip.
    """
    from modeling import models

    generate_walkers(folder / "sils", folder / "sils.json", 8, 2, sequences=batch[1], frames=frames + 10)
    data = {"dataset_root": str(folder / "sils"), "dataset_partition": str(folder / "sils.json"), "num_workers": 0}

    def short(cfgs: dict) -> dict:
        ordered = cfgs["trainer_cfg"]["sampler"]["sample_type"].endswith("_ordered")
        cfgs["trainer_cfg"].update(enable_float16=torch.cuda.is_available(), sync_BN=False, with_test=False, sampler={
            "type": "TripletSampler", "batch_size": list(batch), "batch_shuffle": True, "frames_num_fixed": frames,
            "sample_type": "fixed_ordered" if ordered else "fixed_unordered",
            **({"frames_skip_num": 0} if ordered else {}),
        })  # fmt: skip
        return cfgs

    cfgs = recipes(folder, host, BACKBONES[backbone][0], backbone, data, short)
    bare = getattr(models, cfgs["teacher"]["model_cfg"]["model"])(cfgs["teacher"], True)
    mimic = models.MimicGait(cfgs["mimic"], True)
    batches = {model: next(iter(model.train_loader)) for model in (bare, mimic)}
    clips = mimic.inputs_pretreament(batches[mimic])[0].holistic
    return {
        "bare": lambda: _step(bare, batches[bare]),
        "mimic": lambda: _step(mimic, batches[mimic]),
        "teacher": lambda: mimic.teacher(clips),
    }


def _step(model, inputs) -> None:
    cuda = torch.cuda.is_available()
    batch = model.inputs_pretreament(inputs)
    with torch.autocast("cuda" if cuda else "cpu", torch.float16 if cuda else torch.bfloat16, enabled=cuda):
        features = model(batch)["training_feat"]
    model.train_step(model.loss_aggregator(features)[0])


def run(report: Report, quick: bool = False) -> None:
    """Measure every backbone; `quick` takes GaitBase and a few frames."""
    host = start_host()
    report.remarks.append(f"host: {'embedded' if host == 'embedded' else 'OpenGait'}")
    cuda = torch.cuda.is_available()
    if not cuda:
        report.remarks.append("no CUDA device: clips are few and short, and everything is in float32")
    batch = (8, 4) if cuda else (2, 2)
    for name in ("GaitBase",) if quick else BACKBONES:
        frames = 30 if cuda else 6 if quick or name == "DeepGaitV2" else 10
        with tempfile.TemporaryDirectory() as folder:
            sides = steps(name, Path(folder), host, batch, frames)
            bare, mimic, teacher = in_turn(list(sides.values()), seconds=15 if quick else 45, least=3)
        what = f"{name}, {batch[0] * batch[1]} clips of {frames} frames"
        target = BACKBONES[name][1]
        report.add(f"distillation step, {what}: {mimic / bare:.2f} ×", mimic, bare, "bare step", target=target)
        report.add(f"teacher forward, {what}: {teacher / bare:.2f} ×", teacher, bare, "bare step")


if __name__ == "__main__":
    main("step", run)
