"""Build what a run takes once, small, so that what does not fit shows before the host writes anything."""

from __future__ import annotations

import inspect
import random

import numpy as np
import torch
from data import sampler as samplers
from data import transform as transforms
from evaluation import evaluator as evaluators
from modeling import losses
from modeling.loss_aggregator import LossAggregator

from opengait_mimic.errors import CheckpointError, ConfigError, MimicError, nearest, one_line, shown
from opengait_mimic.method.ven import VisibilityNetwork
from opengait_mimic.opengait.config.sections import backbone_spec, lifted, ven_settings, ven_spec
from opengait_mimic.opengait.host import EMBEDDED
from opengait_mimic.opengait.models.backbone import MISFITS, Backbone, host_model, probe
from opengait_mimic.opengait.models.guided import GuidedModel, build_backbone, build_visibility_network, rehearse
from opengait_mimic.opengait.models.occluded import OccludedModel, check_losses, wanted_losses
from opengait_mimic.opengait.models.occlusion_aware import OcclusionAware
from opengait_mimic.opengait.process.cpu import CudaOnCpu
from opengait_mimic.opengait.process.distributed import world_size


def rehearse_run(cfgs: dict, host: object, training: bool, path: object) -> None:
    """Look for everything that a YAML names in the active host, and build it.

    Networks of an OpenGait checkout's own models are its own affair: some take pretrained weights and minutes.

    Args:
        cfgs: checked already (`opengait_mimic.opengait.config.check.check`). path: of its YAML, for messages.
    Raises:
        ConfigError, CheckpointError: what the host has not, or cannot build.
    """
    try:
        _rehearse(cfgs, host, training)
    except (ConfigError, CheckpointError) as error:
        raise type(error)(one_line(f"{path}: {error}")) from None


def _rehearse(cfgs: dict, host: object, training: bool) -> None:
    model_class = host_model(cfgs["model_cfg"]["model"])
    for name in ("trainer_cfg", "evaluator_cfg"):
        _known(samplers, cfgs[name]["sampler"].get("type"), f"{name}: sampler: type")
        _try_transforms(lifted(cfgs[name].get("transform"), name)[0], name, host == EMBEDDED)
    if training:
        entries = cfgs["loss_cfg"] if isinstance(cfgs["loss_cfg"], list) else [cfgs["loss_cfg"]]
        for entry in entries:
            _known(losses, entry["type"], "loss_cfg: type")
        if issubclass(model_class, OccludedModel):
            _check_own_losses(model_class, cfgs)
    else:
        _known(evaluators, cfgs["evaluator_cfg"].get("eval_func"), "evaluator_cfg: eval_func")
    if issubclass(model_class, GuidedModel):
        if training:
            rehearse(cfgs)
        else:
            _try_guided_test(cfgs)
    elif issubclass(model_class, OccludedModel):
        _attempt("model_cfg", lambda: VisibilityNetwork(2, **ven_settings(cfgs["model_cfg"])))
    elif host == EMBEDDED:
        _try_host_model(cfgs, training)
    if training:
        _attempt("loss_cfg", lambda: LossAggregator(cfgs["loss_cfg"]))


def _check_own_losses(model_class: type[OccludedModel], cfgs: dict) -> None:
    model_cfg = cfgs["model_cfg"]
    if model_class is OcclusionAware and not (model_cfg.get("ven") and model_cfg.get("fuse", True)):
        return  # the backbone's own losses
    check_losses(wanted_losses(cfgs["loss_cfg"]), model_class.takes, model_class.__name__, model_cfg.get("class_num"))


def _try_guided_test(cfgs: dict) -> None:
    spec, ven = backbone_spec(cfgs["model_cfg"], cfgs["data_cfg"]["dataset_name"]), ven_spec(cfgs["model_cfg"])
    probe(build_backbone(spec).eval())
    if ven is not None:
        _attempt("model_cfg: ven", lambda: build_visibility_network(ven))


def _try_host_model(cfgs: dict, training: bool) -> None:
    """One forward of a model of the embedded host and, in training, one of its losses."""
    model_cfg, trainer = cfgs["model_cfg"], cfgs["trainer_cfg"]
    optimizer_cfg = cfgs["optimizer_cfg"] if training else None
    joined = training and not trainer["sampler"]["sample_type"].startswith("fixed")
    try:
        network = Backbone(model_cfg, cfgs["data_cfg"]["dataset_name"], trainer, optimizer_cfg)
        probe(network.train(training), joined)
    except ConfigError as error:
        raise ConfigError(str(error).replace("backbone: ", "model_cfg: ", 1)) from None
    if not training or world_size() > 1:
        return
    clips, lengths = torch.ones(2, 3, 64, 44), None
    if joined:
        clips, lengths = clips.flatten(0, 1)[None], torch.full((1, 2), 3, dtype=torch.int32)

    def lose():
        features = network.retval(clips, lengths, torch.arange(2))["training_feat"]
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
    kept = random.getstate(), np.random.get_state()
    for transform in built if isinstance(built, list) else [built]:
        for _ in range(3):  # some of them do nothing most of the time
            _attempt(f"{where}: transform", lambda: transform(np.zeros((2, 64, 64), np.uint8)))  # noqa: B023
    random.setstate(kept[0])
    np.random.set_state(kept[1])


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
