"""The pre-flight check: what a run takes is built before the host writes anything, so that what does not fit shows."""

from __future__ import annotations

import inspect
import random

import data.sampler as samplers
import numpy as np
import torch
from data import transform as transforms
from evaluation import evaluator as evaluators
from modeling import losses
from modeling.loss_aggregator import LossAggregator

from opengait_mimic.errors import CheckpointError, ConfigError, MimicError, nearest, one_line, shown
from opengait_mimic.method.ven import VisibilityNetwork
from opengait_mimic.opengait.config.networks import ven_settings
from opengait_mimic.opengait.config.transforms import lifted
from opengait_mimic.opengait.host import EMBEDDED
from opengait_mimic.opengait.models.backbone import MISFITS, Backbone, host_model, joined_clips, probe, trial_clips
from opengait_mimic.opengait.models.loss_inputs import loss_arguments, loss_entries
from opengait_mimic.opengait.models.occluded import OccludedModel
from opengait_mimic.opengait.models.recognition import RecognitionModel
from opengait_mimic.opengait.models.ven import offered
from opengait_mimic.opengait.process.cpu import CudaOnCpu
from opengait_mimic.opengait.process.distributed import world_size


def preflight(cfgs: dict, host: object, training: bool, path: object) -> None:
    """Look for everything that a YAML names in the active host, and build it.

    A recognition model of ours then takes what was built here. Networks of an OpenGait checkout's own models are its
    own affair: some take pretrained weights and minutes.

    Args:
        cfgs: checked already (`opengait_mimic.opengait.config.check.check`).
        host: the active one.
        training: whether it is to train or to test.
        path: of its YAML, for messages.
    Raises:
        ConfigError, CheckpointError: what the host has not, or cannot build.
    """
    try:
        _preflight(cfgs, host, training)
    except (ConfigError, CheckpointError) as error:
        raise type(error)(one_line(f"{path}: {error}")) from None


def _preflight(cfgs: dict, host: object, training: bool) -> None:
    model_class = host_model(cfgs["model_cfg"]["model"])
    for name in ("trainer_cfg", "evaluator_cfg"):
        _known(samplers, cfgs[name]["sampler"].get("type"), f"{name}: sampler: type")
        _try_transforms(lifted(cfgs[name].get("transform"), name)[0], name, host == EMBEDDED)
    if training:
        for entry in loss_entries(cfgs["loss_cfg"]):
            _known(losses, entry["type"], "loss_cfg: type")
    else:
        _known(evaluators, cfgs["evaluator_cfg"].get("eval_func"), "evaluator_cfg: eval_func")
    if issubclass(model_class, RecognitionModel):
        _attempt("model_cfg", lambda: model_class.prebuild(cfgs, training))
    elif issubclass(model_class, OccludedModel):
        network = _attempt("model_cfg", lambda: VisibilityNetwork(2, **ven_settings(cfgs["model_cfg"])))
        if training:
            loss_arguments(cfgs["loss_cfg"], offered(network), model_class.__name__)
    elif host == EMBEDDED:
        _try_host_model(cfgs, training)
    if training:
        _attempt("loss_cfg", lambda: LossAggregator(cfgs["loss_cfg"]))


def _try_host_model(cfgs: dict, training: bool) -> None:
    """One forward of a model of the embedded host and, in training, one of its losses."""
    trainer = cfgs["trainer_cfg"]
    optimizer_cfg = cfgs["optimizer_cfg"] if training else None
    joined = training and joined_clips(trainer)
    try:
        network = Backbone(cfgs["model_cfg"], cfgs["data_cfg"]["dataset_name"], trainer, optimizer_cfg)
        probe(network.train(training), joined)
    except ConfigError as error:
        raise ConfigError(str(error).replace("backbone: ", "model_cfg: ", 1)) from None
    if not training or world_size() > 1:
        return

    def lose():
        features = network.retval(*trial_clips(2, joined), torch.arange(2))["training_feat"]
        return LossAggregator(cfgs["loss_cfg"])(features)

    with CudaOnCpu():
        _attempt("loss_cfg", lose)


def _known(registry, name: object, where: str) -> None:
    if not callable(getattr(registry, str(name), None)) or str(name).startswith("_"):
        public = {n: v for n, v in vars(registry).items() if not n.startswith("_")}
        known = [n for n, v in public.items() if isinstance(v, type) or inspect.isfunction(v)]
        raise ConfigError(f"{where}: the host has no {shown(name)}; {nearest(name, sorted(known))}")


def _try_transforms(entries: object, where: str, embedded: bool) -> None:
    """Build a section's transforms; those of the embedded host, where all take clips, also run once."""
    built = _attempt(f"{where}: transform", lambda: transforms.get_transform(entries))
    if not embedded:
        return
    states = random.getstate(), np.random.get_state()
    for transform in built if isinstance(built, list) else [built]:
        for _ in range(3):  # some of them do nothing most of the time
            _attempt(f"{where}: transform", lambda: transform(np.zeros((2, 64, 64), np.uint8)))  # noqa: B023
    random.setstate(states[0])
    np.random.set_state(states[1])


def _attempt(where: str, action):
    try:
        with torch.random.fork_rng(devices=[]):
            return action()
    except MimicError:
        raise
    except KeyError as error:
        raise ConfigError(one_line(f"{where}: {error} is missing")) from None
    except MISFITS as error:
        raise ConfigError(one_line(f"{where}: {type(error).__name__}: {error}", 300)) from None
