"""What is known of data sets and backbones: numbers only, those of OpenGait's own YAML files and of the paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Teacher:
    """How a backbone learns a data set's holistic clips."""

    opengait: str | None  # OpenGait's own YAML of it, below its `configs`; None where it ships none
    iterations: int
    milestones: tuple[int, ...]
    batch: tuple[int, int]  # P identities × K sequences
    sampling: dict  # how frames are drawn, in the words of OpenGait's sampler
    cut: bool = True  # whether 64 columns are cut to 44
    network: dict = field(default_factory=dict)  # arguments of the backbone's function where not its defaults
    before: dict = field(default_factory=dict)  # augmentations and their probabilities, before silhouettes are floats
    after: dict = field(default_factory=dict)  # the same, afterwards
    weight_decay: float | None = None  # of the optimizer; None is the backbone's own
    label_smooth: bool = True  # whether cross entropy smooths the labels


@dataclass(frozen=True)
class Dataset:
    """A data set."""

    identities: int  # in its training set (class_num)
    protocol: str  # how it is evaluated, for a file's header; `evaluate_recognition` knows it by the data set's name
    ven_iterations: int  # about 50 epochs of the training set in batches of 32
    teachers: dict[str, Teacher]  # by backbone
    in_paper: bool = False  # whether the paper trains on it; its second stage then takes 300,000 iterations
    data_in_use: tuple[bool, ...] | None = None  # which files of a sequence are silhouettes, where there are others


@dataclass(frozen=True)
class Backbone:
    """A family of networks."""

    network: Callable[..., dict]  # (identities, …) -> OpenGait's model_cfg
    optimizer: dict  # its optimizer_cfg, in the paper too
    scale: int  # of the logits in its cross entropy
    narrow: dict  # arguments of `network` for two CPU cores


def gaitbase(identities: int, channels=(64, 128, 256, 512), strides=(1, 2, 2, 1), embedding: int = 256) -> dict:
    """GaitBase's model_cfg."""
    return {
        "model": "Baseline",
        "backbone_cfg": {"type": "ResNet9", "block": "BasicBlock", "channels": list(channels), "layers": [1, 1, 1, 1],
                         "strides": list(strides), "maxpool": False},
        "SeparateFCs": {"in_channels": channels[-1], "out_channels": embedding, "parts_num": 16},
        "SeparateBNNecks": {"class_num": identities, "in_channels": embedding, "parts_num": 16},
        "bin_num": [16],
    }  # fmt: skip


def gaitgl(identities: int, channels=(32, 64, 128)) -> dict:
    """GaitGL's model_cfg; GREW and OUMVLP have a fourth number of channels."""
    return {"model": "GaitGL", "channels": list(channels), "class_num": identities}


def deepgaitv2(identities: int, layers=(1, 4, 4, 1), channels=(64, 128, 256, 512)) -> dict:
    """DeepGaitV2's model_cfg, the pseudo-3D variant."""
    backbone = {"in_channels": 1, "mode": "p3d", "layers": list(layers), "channels": list(channels)}
    return {"model": "DeepGaitV2", "Backbone": backbone, "SeparateBNNecks": {"class_num": identities}}


SGD = {"solver": "SGD", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.0005}
ADAM = {"solver": "Adam", "lr": 1.0e-4, "weight_decay": 0}
BACKBONES = {
    "GaitBase": Backbone(gaitbase, SGD, 16, {"channels": (16, 24, 32, 32), "strides": (2, 2, 1, 1), "embedding": 32}),
    "GaitGL": Backbone(gaitgl, ADAM, 1, {"channels": (4, 8, 16)}),
    "DeepGaitV2": Backbone(deepgaitv2, SGD, 16, {"layers": (1, 1, 1, 1), "channels": (8, 16, 32, 32)}),
}

LARGE = (32, 64, 128, 256)
SHALLOW = {"layers": (1, 1, 1, 1)}
FLIPPED_AND_TURNED = {"RandomHorizontalFlip": 0.2, "RandomRotate": 0.2}
AUGMENTED: dict[str, Any] = {"before": {"RandomPerspective": 0.2}, "after": FLIPPED_AND_TURNED}


def _unfixed(low: int, high: int) -> dict:
    return {"sample_type": "unfixed_unordered", "frames_num_min": low, "frames_num_max": high}


def _unordered(frames: int) -> dict:
    return {"sample_type": "fixed_unordered", "frames_num_fixed": frames}


def _ordered(frames: int, skip: int) -> dict:
    return {"sample_type": "fixed_ordered", "frames_num_fixed": frames, "frames_skip_num": skip}


DATASETS = {
    "GREW": Dataset(
        identities=20_000,
        protocol="gallery type 01, probe type 02 (labels of the official probe set are not public)",
        ven_iterations=160_000,
        in_paper=True,
        teachers={
            "GaitBase": Teacher("gaitbase/gaitbase_da_grew.yaml", 180_000, (80_000, 120_000, 150_000), (32, 4),
                                _unfixed(20, 40), cut=False, **AUGMENTED),
            "GaitGL": Teacher("gaitgl/gaitgl_GREW.yaml", 250_000, (150_000, 200_000), (32, 4),
                              _ordered(30, 0), cut=False, network={"channels": LARGE}),
            "DeepGaitV2": Teacher("deepgaitv2/DeepGaitV2_grew.yaml", 180_000, (80_000, 120_000, 150_000), (32, 4),
                                  _ordered(30, 4), **AUGMENTED),
        },
    ),
    "Gait3D": Dataset(
        identities=3000,
        protocol="probes as listed in datasets/Gait3D/Gait3D.json",
        ven_iterations=30_000,
        in_paper=True,
        teachers={
            "GaitBase": Teacher("gaitbase/gaitbase_da_gait3d.yaml", 60_000, (20_000, 40_000, 50_000), (32, 4),
                                _unfixed(10, 50), cut=False, **AUGMENTED),
            "GaitGL": Teacher(None, 180_000, (80_000, 120_000, 150_000), (32, 4), _ordered(30, 0), cut=False),
            "DeepGaitV2": Teacher("deepgaitv2/DeepGaitV2_gait3d.yaml", 60_000, (20_000, 40_000, 50_000), (32, 4),
                                  _ordered(30, 4), **AUGMENTED),
        },
    ),
    "CASIA-B": Dataset(
        identities=74,
        protocol="gallery nm-01 to nm-04, probes nm-05 and nm-06 (NM), bg (BG) and cl (CL), not of the same view",
        ven_iterations=12_800,
        teachers={
            "GaitBase": Teacher("gaitbase/gaitbase_da_casiab.yaml", 60_000, (20_000, 40_000, 50_000), (8, 16),
                                _unordered(30), after={"RandomRotate": 0.3, "RandomErasing": 0.3}),
            "GaitGL": Teacher("gaitgl/gaitgl.yaml", 80_000, (70_000,), (8, 8), _ordered(30, 0),
                              weight_decay=0.0005, label_smooth=False),
            "DeepGaitV2": Teacher("deepgaitv2/DeepGaitV2_casiab.yaml", 60_000, (20_000, 40_000, 50_000), (8, 16),
                                  _ordered(30, 4), network=SHALLOW, **AUGMENTED),
        },
    ),
    "OUMVLP": Dataset(
        identities=5153,
        protocol="gallery type 01, probe type 00, not of the same view",
        ven_iterations=208_000,
        teachers={
            "GaitBase": Teacher("gaitbase/gaitbase_oumvlp.yaml", 120_000, (60_000, 80_000, 100_000), (32, 8),
                                _unordered(30)),
            "GaitGL": Teacher("gaitgl/gaitgl_OUMVLP.yaml", 210_000, (150_000, 200_000), (32, 8),
                              _ordered(30, 0), network={"channels": LARGE}),
            "DeepGaitV2": Teacher("deepgaitv2/DeepGaitV2_oumvlp.yaml", 120_000, (60_000, 80_000, 100_000), (32, 8),
                                  _ordered(30, 4), network=SHALLOW, **AUGMENTED),
        },
    ),
    "CCPG": Dataset(
        identities=100,
        protocol="probes by what was changed: all clothes (CL), those above (UP) or below (DN), a bag (BG)",
        ven_iterations=12_800,
        data_in_use=(True, False, False, False),
        teachers={
            "GaitBase": Teacher("gaitbase/gaitbase_ccpg.yaml", 60_000, (20_000, 40_000, 50_000), (8, 16),
                                _unordered(30)),
            "DeepGaitV2": Teacher("deepgaitv2/DeepGaitV2_ccpg.yaml", 60_000, (20_000, 40_000, 50_000), (8, 16),
                                  _ordered(30, 4), network=SHALLOW, **AUGMENTED),
        },
    ),
    "SUSTech1K": Dataset(
        identities=250,
        protocol="gallery 00-nm, probes by attribute, real occlusions (oc) among them",
        ven_iterations=9_600,
        data_in_use=tuple(place == 6 for place in range(16)),
        teachers={
            "DeepGaitV2": Teacher("deepgaitv2/DeepGaitV2_sustech1k.yaml", 50_000, (20_000, 30_000, 40_000), (8, 8),
                                  _ordered(10, 4), network=SHALLOW, **AUGMENTED),
        },
    ),
}  # fmt: skip
