"""`Backbone`: any OpenGait model, bare, as a plain network from silhouettes to embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from modeling import models as host_models
from modeling.base_model import BaseModel
from torch import nn
from utils import NoOp

from opengait_mimic.errors import ConfigError, nearest
from opengait_mimic.method.clips import clip_lengths, split_clips
from opengait_mimic.opengait.config.inputs import ONE_CLIP, refuse_other_inputs
from opengait_mimic.opengait.host import EMBEDDED, active
from opengait_mimic.opengait.process.cpu import CudaOnCpu
from opengait_mimic.opengait.process.memory import refuse_beyond_memory, weights_of

# What a host's model may raise on a configuration or an input that it was not made for.
MISFITS = (ArithmeticError, AssertionError, AttributeError, LookupError, NameError, OSError, RuntimeError, TypeError,
           ValueError)  # fmt: skip
PLANES = (2, 3, 4, 5, 6)  # channels of an input that is not silhouettes
FRAMES = 3  # of a trial's clips


def host_model(name: object, key: str = "model_cfg: model") -> type[BaseModel]:
    """The host's model class of that name, ours included.

    Args:
        name: the class.
        key: where it was named, for the message.
    Raises:
        ConfigError: the host has no such model.
    """
    found = getattr(host_models, str(name), None)
    if isinstance(found, type) and issubclass(found, BaseModel):
        return found
    raise ConfigError(f"{key}: the host has no model {name!r}; {nearest(name, sorted(host_model_names()))}")


def host_model_names() -> list[str]:
    """The host's model classes, ours included, in the order of their names."""
    classes = {k: v for k, v in vars(host_models).items() if isinstance(v, type) and v is not BaseModel}
    return sorted(k for k, v in classes.items() if issubclass(v, BaseModel))


class Bare(BaseModel):
    """Replaces BaseModel's constructor: builds the network, but no loaders and no losses, and logs nothing.

    A class of a host's model and then this one gives that model bare, its own constructor included.
    """

    def __init__(self, cfgs: dict, training: bool):
        nn.Module.__init__(self)
        self.msg_mgr = NoOp()
        self.cfgs = cfgs
        self.engine_cfg = cfgs["trainer_cfg"]
        self.iteration = 0
        self.build_network(cfgs["model_cfg"])
        self.init_parameters()
        if training:
            # Never stepped. Some models look at it while they train, or note on its making what they keep frozen.
            self.optimizer = self.get_optimizer(cfgs["optimizer_cfg"])
            for group in self.optimizer.param_groups:
                group["initial_lr"] = group["lr"]


class Backbone(nn.Module):
    """An OpenGait model class built by its own configuration, without loaders, losses or a training of its own.

    Args:
        model_cfg: the model's own section, unchanged.
        dataset_name: the data set it is for; some architectures depend on it (GaitGL).
        trainer_cfg: the section beside it, where the model's class reads some of its settings there (SwinGait).
        optimizer_cfg: of the training it takes part in; None where it will only embed.
    Attributes:
        model: the host's model; its state dict is that of OpenGait's checkpoints.
    Raises:
        ConfigError: the host has no such model, it takes other inputs, or its configuration does not describe it.
    """

    def __init__(
        self,
        model_cfg: dict,
        dataset_name: str = "CASIA-B",
        trainer_cfg: dict | None = None,
        optimizer_cfg: dict | None = None,
    ):
        super().__init__()
        name = model_cfg.get("model")
        model_class = host_model(name, "backbone")
        refuse_other_inputs(name)
        # It would join several inputs, or make pairs of clips.
        if model_class.inputs_pretreament is not BaseModel.inputs_pretreament:
            raise ConfigError(f"backbone: {name} prepares its inputs itself{ONE_CLIP}")
        bare = type(model_class.__name__, (model_class, Bare), {})
        self.optimizer_cfg = optimizer_cfg
        cfgs = {
            "data_cfg": {"dataset_name": dataset_name},
            "model_cfg": model_cfg,
            "trainer_cfg": trainer_cfg or {},
            "optimizer_cfg": optimizer_cfg,
        }
        try:
            if active() == EMBEDDED:
                copies = 1 if optimizer_cfg is None else 4  # with gradients and what an optimizer keeps
                size = copies * weights_of(lambda: bare(cfgs, optimizer_cfg is not None))
                refuse_beyond_memory(size, f"backbone: {name}: the weights" + " in training" * (copies > 1))
            self.model = bare(cfgs, optimizer_cfg is not None)
        except ConfigError:
            raise
        except KeyError as error:
            raise ConfigError(f"backbone: {name}: its configuration has no {error}") from None
        except MISFITS as error:
            raise ConfigError(f"backbone: {name}: its configuration does not fit: {first_line(error)}") from None

    def parameter_groups(self) -> list[dict] | None:
        """The optimizer groups of a model class that divides its parameters itself (SwinGait).

        What such a class leaves out it keeps as it was pretrained (GaitSSB). None for other classes, and where the
        backbone will only embed.
        """
        if type(self.model).get_optimizer is BaseModel.get_optimizer or self.optimizer_cfg is None:
            return None
        return self.model.optimizer.param_groups

    def left_out(self) -> list[nn.Parameter]:
        """Parameters that the model's own optimizer leaves as they were pretrained."""
        groups = self.parameter_groups()
        if groups is None:
            return []
        grouped = {id(p) for group in groups for p in group["params"]}
        return [p for p in self.model.parameters() if id(p) not in grouped]

    def initialise(self) -> None:
        """Initialise anew as the model's class does, where it has a way of its own."""
        if type(self.model).init_parameters is not BaseModel.init_parameters:
            self.model.init_parameters()

    def retval(self, sils: torch.Tensor, seqL: torch.Tensor | None, labels: torch.Tensor) -> dict:
        """The host model's own forward result (training_feat, visual_summary, inference_feat)."""
        if self.training:
            return self.model(([sils], labels, None, None, seqL))
        # What a model notes in itself at a test (GaitSSB: that all of it is frozen) must not last into training.
        noted = dict(vars(self.model))
        try:
            return self.model(([sils], labels, None, None, seqL))
        finally:
            vars(self.model).update(noted)

    def forward(
        self, sils: torch.Tensor, seqL: torch.Tensor | None = None, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Embed clips: γ.

        Args:
            sils: [n, s, h, w] floats 0–1, or [1, sum of s, h, w] with seqL [1, n], the clips' lengths; where the
                model takes channels, [n, s, c, h, w].
            labels: [n] identities; only a few models look at them, in training.
        Returns:
            [n, c, p] embeddings, those the host's evaluation compares.
        """
        count = len(clip_lengths(sils, seqL))
        if labels is None:
            # In eval mode labels carry no information; GaitGL insists on exactly one.
            labels = torch.zeros(count if self.training else 1, dtype=torch.long, device=sils.device)
        embeddings = self.retval(sils, seqL, labels)["inference_feat"]["embeddings"]
        if len(embeddings) == count:
            return embeddings
        # A model that ignores seqL outside training (GaitGL) gets its clips one by one.
        one = labels[:1]
        return torch.cat([self.retval(clip, None, one)["inference_feat"]["embeddings"]
                          for clip in split_clips(sils, seqL)])  # fmt: skip


class Probe(NamedTuple):
    """What a trial run shows of a backbone.

    Attributes:
        channels: c.
        parts: p.
        idle: parameters that do not contribute to the embedding in training (its classifier, what it keeps frozen).
        unused: parameters that contribute to none of its own losses either.
        planes: channels of its input; 1 for silhouettes [n, s, h, w], else it takes [n, s, planes, h, w].
    """

    channels: int
    parts: int
    idle: list[nn.Parameter]
    unused: list[nn.Parameter]
    planes: int


def probe(backbone: Backbone, joined: bool = False) -> Probe:
    """Train a backbone on a few small clips, without a step, to learn what goes in and out and what is idle.

    Weights, statistics and random generators stay as they are. A backbone in eval mode only embeds one clip, and
    nothing is known to be idle.

    Args:
        backbone: on the CPU.
        joined: whether the training's clips lie along time (`unfixed_*` and `all_*` sampling).
    Raises:
        ConfigError: the parts of its configuration do not fit each other, or it takes another input or layout.
    """
    buffers = {name: buffer.clone() for name, buffer in backbone.named_buffers()}
    # The trial is on the CPU, whatever device the model's own code may name.
    with torch.random.fork_rng(devices=[]), torch.set_grad_enabled(backbone.training), CudaOnCpu():
        result, planes = _trial(backbone, joined)
        embeddings = result["inference_feat"]["embeddings"]
        idle, unused = [], []
        if backbone.training:
            trained = [p for p in backbone.parameters() if p.requires_grad]
            idle = _unreached([embeddings], trained)
            unused = _unreached(list(_tensors(result["training_feat"])), idle)
    for name, buffer in backbone.named_buffers():
        buffer.data.copy_(buffers[name])
    return Probe(embeddings.shape[1], embeddings.shape[2], idle, unused, planes)


def _trial(backbone: Backbone, joined: bool) -> tuple[dict, int]:
    """The result of the host model's forward on the fewest clips it takes, and the channels of its input."""
    name, fewest, first = type(backbone.model).__name__, 2 if backbone.training else 1, None
    # FoundationGait divides a training batch into groups of clips.
    attempts = [(fewest, 1), *([(16, 1)] if backbone.training else []), *((fewest, planes) for planes in PLANES)]
    for count, planes in attempts:
        try:
            result = backbone.retval(*trial_clips(count, joined, planes), torch.zeros(count, dtype=torch.long))
            break
        except MISFITS as error:
            first = first or error
    else:
        layout = " of any length (take a fixed sample_type)" if joined else ""
        raise ConfigError(f"backbone: {name} cannot embed silhouettes{layout}: {first_line(first)}")
    embeddings = (result["inference_feat"] or {}).get("embeddings")
    if embeddings is None or embeddings.dim() != 3:
        found = "none" if embeddings is None else list(embeddings.shape)
        raise ConfigError(f"backbone: {name} gives no embeddings [n, c, p], found {found}")
    return result, planes


def joined_clips(trainer_cfg: dict) -> bool:
    """Whether a training's clips lie along time (`unfixed_*` and `all_*` sampling)."""
    return not trainer_cfg["sampler"]["sample_type"].startswith("fixed")


def trial_clips(count: int, joined: bool, planes: int = 1) -> tuple[torch.Tensor, torch.Tensor | None]:
    """`count` small clips of ones, and seqL where they lie along time."""
    clips = torch.ones(count, FRAMES, *([planes] if planes > 1 else []), 64, 44)
    if not joined:
        return clips, None
    return clips.flatten(0, 1)[None], torch.full((1, count), FRAMES, dtype=torch.int32)


def _unreached(outputs: list[torch.Tensor], parameters: list[nn.Parameter]) -> list[nn.Parameter]:
    """Those of `parameters` that no path of the autograd graph leads to from `outputs`."""
    nodes = [output.grad_fn for output in outputs]
    seen: set = set()
    reached = set()
    while nodes:
        node = nodes.pop()
        if node is not None and node not in seen:
            seen.add(node)
            reached.add(id(getattr(node, "variable", None)))
            nodes.extend(following for following, _ in node.next_functions)
    return [p for p in parameters if id(p) not in reached]


def _tensors(features: dict) -> Iterator[torch.Tensor]:
    for value in features.values():
        if isinstance(value, dict):
            yield from _tensors(value)
        elif isinstance(value, torch.Tensor) and value.is_floating_point():
            yield value


def first_line(error: BaseException | None) -> str:
    """An error's message, shortened to one line."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
