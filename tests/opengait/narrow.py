"""Narrow networks and short configurations, as the tests of our models in a host have them."""

from __future__ import annotations

import copy

from opengait_mimic.opengait.config.reading import defaults, merge

GAITBASE = {
    "model": "Baseline",
    "backbone_cfg": {
        "type": "ResNet9",
        "block": "BasicBlock",
        "channels": [4, 4, 8, 8],
        "layers": [1, 1, 1, 1],
        "strides": [2, 2, 1, 1],
        "maxpool": False,
    },
    "SeparateFCs": {"in_channels": 8, "out_channels": 8, "parts_num": 16},
    "SeparateBNNecks": {"class_num": 6, "in_channels": 8, "parts_num": 16},
    "bin_num": [16],
}
GAITGL = {"model": "GaitGL", "channels": [4, 4, 8], "class_num": 6}
DEEPGAIT = {
    "model": "DeepGaitV2",
    "Backbone": {"in_channels": 1, "mode": "p3d", "layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]},
    "SeparateBNNecks": {"class_num": 6},
}
GAITSET = {
    "model": "GaitSet",
    "in_channels": [1, 4, 4, 8],
    "SeparateFCs": {"in_channels": 8, "out_channels": 8, "parts_num": 62},
    "bin_num": [16, 8, 4, 2, 1],
}
BACKBONES = {"GaitBase": GAITBASE, "GaitGL": GAITGL, "DeepGaitV2": DEEPGAIT, "GaitSet": GAITSET}
KINDS = [
    {"kind": "top", "prob": 0.2},
    {"kind": "bottom", "prob": 0.2, "refit": True},
    {"kind": "moving_patch", "prob": 0.25},
    {"kind": "moving_pole", "prob": 0.25},
]
IDENTITY = [
    {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2},
    {"type": "CrossEntropyLoss", "log_prefix": "softmax"},
]
VEN = {"model": "VisibilityEstimation", "channels": [4, 4, 8], "feature": 6}
SEEN = [{"type": "VisibilityLoss", "log_prefix": "seen"}]
MICKD = [{"type": "MiCKDLoss", "log_prefix": "mickd"}]


def configuration(data, name, model_cfg, losses, kinds=None, sample_type="unfixed_unordered", total=3):
    """A run of a few iterations, merged onto the embedded host's defaults; `kinds` occlude in training and test."""

    def transform(entries, **settings):
        steps = [{"type": "BaseSilTransform"}]
        if entries:
            steps.append({"type": "Occlusion", "kinds": copy.deepcopy(entries), **settings})
        return [{"type": "Compose", "trf_cfg": steps}]

    own = {
        "data_cfg": {**data, "dataset_name": "GREW", "test_dataset_name": "GREW", "num_workers": 0},
        "evaluator_cfg": {
            "save_name": name,
            "restore_hint": 0,
            "eval_func": "evaluate_real_scene",
            "transform": transform(kinds),
        },
        "loss_cfg": losses,
        "model_cfg": model_cfg,
        "optimizer_cfg": {"solver": "SGD", "lr": 0.05},
        "scheduler_cfg": {"scheduler": "MultiStepLR", "milestones": [100]},
        "trainer_cfg": {
            "save_name": name,
            "total_iter": total,
            "save_iter": total,
            "log_iter": 1,
            "enable_float16": False,
            "sampler": {
                "type": "TripletSampler",
                "batch_size": [4, 4],
                "sample_type": sample_type,
                "frames_num_min": 5,
                "frames_num_max": 9,
                "frames_num_fixed": 6,
                "frames_skip_num": 2,
            },
            "transform": transform(kinds),
        },
    }
    return merge(defaults("embedded"), own)
