"""The models that recognise subjects: a backbone on occluded clips, guided by a frozen VEN, beside a teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import ClassVar

import torch
from torch import nn

from opengait_mimic.errors import CheckpointError, ConfigError
from opengait_mimic.method.beyond.weighted import part_bins, strips_to_parts
from opengait_mimic.method.bnneck import PartBNNeck
from opengait_mimic.method.frozen import Frozen, Teacher
from opengait_mimic.method.mimic import Fusion, MimicNetwork, PartVisibility, Recognised
from opengait_mimic.method.ven import VisibilityNetwork
from opengait_mimic.opengait.checkpoints import load_weights, read_weights
from opengait_mimic.opengait.config.networks import (
    NetworkSpec,
    backbone_spec,
    check_uses_of_ven,
    evaluator_settings,
    training_seed,
    ven_settings,
    ven_spec,
)
from opengait_mimic.opengait.models.backbone import Backbone, joined_clips, probe
from opengait_mimic.opengait.models.loss_inputs import loss_arguments
from opengait_mimic.opengait.models.occluded import OccludedModel
from opengait_mimic.opengait.process.distributed import rank, world_size


def build_backbone(spec: NetworkSpec, optimizer_cfg: dict | None = None) -> Backbone:
    """The backbone of a spec, untrained; with the optimizer_cfg of the training it takes part in, if any."""
    return Backbone(spec.model_cfg, spec.dataset_name, spec.trainer_cfg, optimizer_cfg)


def build_visibility_network(spec: NetworkSpec) -> VisibilityNetwork:
    """The VEN of a spec, untrained; its classes are those of the occlusion types it is trained on."""
    if spec.kinds is None:
        raise ConfigError("model_cfg: ven: its YAML names no occlusion types")
    return VisibilityNetwork(len(spec.kinds.classes), **ven_settings(spec.model_cfg))


@dataclass
class Built:
    """What a recognition model is made of.

    Attributes:
        spec: of the backbone.
        ven_spec: of the VEN, None without one.
        network: untrained, but for the VEN in training.
        neck: the classifier of γ, if any.
        embedding_size: c · p.
        idle: parameters that must not be trained.
        losses: what each loss asks for, by its log_prefix; {} at test.
        random_state: of torch's generator when the network was made.
        teacher: the trained holistic network, where a loss asks for it.
        weights: read from checkpoints, by whose they are.
    """

    spec: NetworkSpec
    ven_spec: NetworkSpec | None
    network: MimicNetwork
    neck: PartBNNeck | None
    embedding_size: int
    idle: list[nn.Parameter]
    losses: dict[str, list[str]]
    random_state: torch.Tensor
    teacher: Backbone | None = None
    weights: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)

    def load_ven(self) -> None:
        """Put the VEN's trained weights, as `VisibilityEstimation` saved them, into the network."""
        if self.ven_spec is not None and isinstance(self.network.ven, Frozen):
            self._load(self.network.ven.network, "VEN", self.ven_spec, "network.")

    def load_teacher(self, backbone: Backbone) -> None:
        """Put the teacher's trained weights into a backbone of its architecture."""
        self._load(backbone.model, "teacher", self.spec)

    def _load(self, network: nn.Module, what: str, spec: NetworkSpec, prefix: str = "") -> None:
        if spec.checkpoint is None:
            raise ConfigError(f"model_cfg: where is the {what}'s checkpoint? give {what.lower()}.checkpoint")
        if what not in self.weights:
            weights = read_weights(spec.checkpoint, what)
            self.weights[what] = {name.removeprefix(prefix): value for name, value in weights.items()}
        load_weights(network, self.weights[what], what, spec.checkpoint)


class RecognitionModel(OccludedModel):
    """F(O), or T(F(O) ⊕ V(O)) (Eq. 1): a trainable backbone, optionally guided by a frozen VEN.

    The VEN is part of the checkpoint, the teacher is not: after training, checkpoint and YAML suffice.

    Attributes:
        network: the network itself; its parts are also this model's, by the names that checkpoints have.
        spec: what the backbone was built from.
        ven_spec: the same of the VEN.
        teacher: the frozen holistic network, where a loss asks for it.
    """

    network: MimicNetwork
    teacher: Teacher
    backbone: Backbone
    ven: Frozen | None
    fusion: Fusion | None
    holistic: Frozen | None
    neck: PartBNNeck | None

    has_teacher = False  # beside the training
    has_holistic = False  # in the network
    prebuilt: ClassVar[tuple[dict, Built] | None] = None

    # Building

    @classmethod
    def prebuild(cls, cfgs: dict, training: bool) -> None:
        """Build, so that what does not fit shows before anything is written; the next model takes what was built.

        Raises:
            ConfigError, CheckpointError: the backbone cannot be built, or a checkpoint is of another network.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(rank() + world_size() * training_seed(cfgs))  # as the host will
            RecognitionModel.prebuilt = _key(cfgs, training), cls.build(cfgs, training)

    @classmethod
    def build(cls, cfgs: dict, training: bool) -> Built:
        """Build what model_cfg names: backbone, teacher, init_from_teacher, ven, register, fuse, class_num.

        Raises:
            ConfigError, CheckpointError: something is missing or does not fit.
        """
        model_cfg = cfgs["model_cfg"]
        spec, ven = backbone_spec(model_cfg, cfgs["data_cfg"]["dataset_name"]), ven_spec(model_cfg)
        check_uses_of_ven(cfgs, ven)
        backbone = build_backbone(spec, cfgs["optimizer_cfg"] if training else None)
        left_out = backbone.left_out()
        if left_out and not model_cfg.get("init_from_teacher"):
            name = spec.model_cfg["model"]
            raise ConfigError(f"model_cfg: {name} trains a part of its network only; set init_from_teacher: true")
        shape = probe(backbone.train(training), training and joined_clips(cfgs["trainer_cfg"]))
        network = MimicNetwork(backbone, registers=model_cfg.get("register", False))
        if ven is not None:
            visibility = build_visibility_network(ven)
            network.ven, network.types = Frozen(visibility), ven.kinds.classes  # type: ignore[union-attr]
            if model_cfg.get("fuse", True):
                network.fusion = Fusion(shape.parts, shape.channels, visibility.feature_size)
            if (weighted := evaluator_settings(cfgs).weighted) is not None:
                bins = part_bins(spec.model_cfg, shape.parts, weighted.bins)
                network.parts = PartVisibility(strips_to_parts(bins, visibility.strips))
        own_losses = cls.uses_own_losses(cfgs)
        classes = None if own_losses else model_cfg.get("class_num")
        neck = PartBNNeck(shape.parts, shape.channels, classes) if classes else None
        holistic = build_backbone(spec) if cls.has_holistic else None
        network.holistic = None if holistic is None else Frozen(holistic)
        losses = cfgs["loss_cfg"] if training and not own_losses else []
        built = Built(
            spec, ven, network, neck, shape.channels * shape.parts,
            # A classifier that no loss reads would make DDP wait for gradients that never come.
            [*(shape.unused if own_losses else shape.idle), *left_out],
            loss_arguments(losses, cls.offers(model_cfg, ven), cls.__name__),
            torch.get_rng_state(),
        )  # fmt: skip
        if training:
            built.load_ven()
            if holistic is not None:
                built.load_teacher(holistic)
            if model_cfg.get("init_from_teacher"):
                built.load_teacher(backbone)
            if any("teacher" in names for names in built.losses.values()):
                built.teacher = build_backbone(spec)
                built.load_teacher(built.teacher)
        return built

    @classmethod
    def offers(cls, model_cfg: dict, ven: NetworkSpec | None) -> list[str]:
        """Names of what a loss can ask for: embeddings γ, labels, and as far as they are there logits of identities,
        the VEN's type_logits and amount, teacher (γ_t) and mimic (γ again)."""
        tasks = () if ven is None else ven_settings(ven.model_cfg).get("tasks", ("classification", "regression"))
        there = {
            "embeddings": True, "labels": True, "logits": model_cfg.get("class_num"),
            "type_logits": "classification" in tasks, "amount": "regression" in tasks,
            "mimic": cls.has_teacher, "teacher": cls.has_teacher,
        }  # fmt: skip
        return [name for name, value in there.items() if value]

    @classmethod
    def uses_own_losses(cls, cfgs: dict) -> bool:  # noqa: ARG003
        """Whether the backbone trains with the losses its own forward feeds."""
        return False

    def build_network(self, model_cfg: dict) -> None:  # noqa: ARG002
        prebuilt, RecognitionModel.prebuilt = RecognitionModel.prebuilt, None
        if prebuilt is not None and prebuilt[0] == _key(self.original_cfgs, self.phase_training):
            built = prebuilt[1]
        else:
            built = self.build(self.cfgs, self.phase_training)
        torch.set_rng_state(built.random_state)  # whatever was built after the network, and when
        self.built, self.spec, self.ven_spec = built, built.spec, built.ven_spec
        self.embedding_size, self.losses_ask = built.embedding_size, built.losses
        self.tells_types = evaluator_settings(self.cfgs).likelihood is not None
        network = built.network
        self.keep_apart("network", network)
        # Its parts under the names that checkpoints have, and in the order that optimizers have them.
        parts = {"backbone": network.backbone, "ven": network.ven, "fusion": network.fusion, "neck": built.neck,
                 "holistic": network.holistic, "parts": network.parts}  # fmt: skip
        for name, part in parts.items():
            self.add_module(name, part)
        for parameter in built.idle:
            parameter.requires_grad_(False)

    def init_parameters(self) -> None:
        """The host's initialisation, then the trained weights this model starts from."""
        super().init_parameters()
        built = self.__dict__.pop("built")
        self.backbone.initialise()
        if self.phase_training or not self.is_trained():  # else its own checkpoint has everything
            built.load_ven()
            if self.cfgs["model_cfg"].get("init_from_teacher", False):
                built.load_teacher(self.backbone)
                if self.fusion is not None:
                    self.fusion.start_as_identity()
                if self.neck is not None:
                    self.neck.start_as_in(self.backbone)
            if self.holistic is not None:
                built.load_teacher(self.holistic.network)
                if self.neck is not None:
                    self.neck.start_as_in(self.holistic.network)
        if built.teacher is not None:
            self.keep_apart("teacher", Teacher(built.teacher))

    def get_optimizer(self, optimizer_cfg: dict) -> torch.optim.Optimizer:
        """The host's optimizer; a backbone that divides its parameters into groups itself keeps its groups."""
        optimizer = super().get_optimizer(optimizer_cfg)
        groups = self.backbone.parameter_groups()
        if groups is None:
            return optimizer
        (plain,) = optimizer.param_groups
        inside = {id(p) for p in self.backbone.parameters()}
        groups = [{**group, "params": [p for p in group["params"] if p.requires_grad]} for group in groups]
        groups.append({**plain, "params": [p for p in plain["params"] if id(p) not in inside]})
        return type(optimizer)([group for group in groups if group["params"]], lr=plain["lr"])

    def is_trained(self) -> bool:
        """Whether the network under test was trained by itself; else it is what it would start from (Baseline-1)."""
        return self.cfgs["evaluator_cfg"]["restore_hint"] != 0

    def trained_types(self) -> tuple[str, ...]:
        """The occlusion types that the network has met in training."""
        if self.mixture is None or not (self.phase_training or self.is_trained()):
            return ()
        return tuple(dict.fromkeys(self.mixture.names))

    def reference_network(self) -> Frozen | None:
        """The holistic network that HP is measured with; None where its checkpoint is not there."""
        path = self.spec.checkpoint
        if path is None or not path.is_file():
            return None
        teacher = build_backbone(self.spec)
        try:
            load_weights(teacher.model, read_weights(path, "teacher"), "teacher", path)
        except CheckpointError as error:
            self.msg_mgr.log_warning(str(error))
            return None
        return Frozen(teacher)

    def networks_from_files(self) -> dict:
        found = {"backbone": {"model_cfg": self.spec.model_cfg, "dataset_name": self.spec.dataset_name}}
        if self.ven_spec is not None:
            found["ven"] = {"model_cfg": self.ven_spec.model_cfg, "classes": self.network.types}
        return found

    # A batch

    def forward(self, inputs):
        clips, labels, _, _, seqL = inputs
        if self.training:
            recognised, features = self.learn(clips, labels, seqL)
        else:
            recognised, features = self.network(clips.occluded, seqL), {}
        return {
            "training_feat": features,
            "visual_summary": self.summary(clips),
            "inference_feat": self.compared(recognised),
        }

    def learn(self, clips, labels: torch.Tensor, seqL: torch.Tensor | None) -> tuple[Recognised, dict]:
        """What the network says of a training's clips, and what each loss gets, by its log_prefix."""
        recognised = self.network(clips.occluded, seqL, labels)
        gamma = recognised.embeddings
        offered: dict[str, Callable] = {
            "embeddings": lambda: gamma,
            "mimic": lambda: gamma,
            "labels": lambda: labels,
            "teacher": lambda: self.teacher(clips.holistic, seqL),
            "logits": lambda: None if self.neck is None else self.neck(gamma),
            "type_logits": lambda: recognised.logits,
            "amount": lambda: recognised.amount,
        }
        given = {name: offered[name]() for name in dict.fromkeys(chain.from_iterable(self.losses_ask.values()))}
        return recognised, {prefix: {n: given[n] for n in names} for prefix, names in self.losses_ask.items()}

    def embed(self, sils: torch.Tensor, seqL: torch.Tensor | None = None) -> torch.Tensor:
        """The embeddings [n, c, p] of clips."""
        return self.network(sils, seqL).embeddings

    def compared(self, recognised: Recognised) -> dict[str, torch.Tensor]:
        """What a test compares: the embeddings, and what its ways of matching take besides.

        With weighted matching "visibility" [n, p] of the parts, with matching by PLDA "seen_kind" [n], the class that
        the VEN sees.
        """
        found = {"embeddings": recognised.embeddings}
        if recognised.visibility is not None:
            found["visibility"] = recognised.visibility
        if self.tells_types and recognised.logits is not None:
            found["seen_kind"] = recognised.logits.argmax(1)
        return found


class OcclusionAware(RecognitionModel):
    """F(O), or T(F(O) ⊕ V(O)) with a VEN, trained by identity alone on occluded clips.

    Without a VEN, or with `fuse: false`, this is the paper's Baseline-2: the backbone with its own losses. With one, γ
    goes through a part-wise BNNeck of its own (`class_num`). model_cfg has the same keys as MimicGait's.
    """

    @classmethod
    def uses_own_losses(cls, cfgs: dict) -> bool:
        model_cfg = cfgs["model_cfg"]
        return model_cfg.get("ven") is None or not model_cfg.get("fuse", True)

    def learn(self, clips, labels, seqL):
        if not self.uses_own_losses(self.cfgs):
            return super().learn(clips, labels, seqL)
        result = self.backbone.retval(self.network.guide(clips.occluded, seqL)[0], seqL, labels)
        return Recognised(result["inference_feat"]["embeddings"]), result["training_feat"]


class MimicGait(RecognitionModel):
    """γ_m = T(F_m(O) ⊕ V(O)), trained towards γ_t = F_t(C) of the same frames, unoccluded (Eq. 1, Eq. 2).

    model_cfg:
        backbone: an OpenGait model_cfg, or the path of that backbone's YAML.
        teacher: {checkpoint: …} or {iteration: …}; by default what the backbone's YAML leads to.
        init_from_teacher: start the mimic from the teacher's weights, its classifier too where that fits (default
            false).
        ven: the VEN's YAML, or {config, checkpoint, iteration}; null is the Vanilla Mimic.
        register: put clips back on their rows by the VEN before the backbone sees them (default false).
        fuse: join the VEN's feature by T, Eq. 1 (default true).
        class_num: identities, where CrossEntropyLoss is among the losses.
    loss_cfg: MiCKDLoss or L2KDLoss, or any that asks for `mimic` and `teacher`; TripletLoss and CrossEntropyLoss may
        stand beside. Without a loss that looks at the teacher (MiCKDLoss with the pairs [mimic_mimic] alone) there
        is none.
    """

    has_teacher = True


class ResidualGait(RecognitionModel):
    """γ = a · T(F_m(O) ⊕ δ) + F_t(O): the frozen holistic network, corrected as far as the VEN sees an occlusion.

    The authors' follow-up, RG-Gait: a is the occluded share that the VEN estimates, so that a clean clip is embedded
    by F_t alone and holistic accuracy stays. Trained by identity on clips some of which are clean (probabilities of
    `Occlusion` that leave some to 1). F_t takes part in inference and so is in the checkpoint. The classifier starts
    from F_t's own, where that has one of the same shape.

    model_cfg: as MimicGait's, without `fuse`; `ven` has the task regression; `class_num` for CrossEntropyLoss.
    loss_cfg: TripletLoss, CrossEntropyLoss.
    """

    has_holistic = True


def _key(cfgs: dict, training: bool) -> dict:
    """What decides what is built."""
    sections = {k: v for k, v in cfgs.items() if k not in ("trainer_cfg", "evaluator_cfg")}
    sampler, weighted = cfgs["trainer_cfg"]["sampler"], cfgs["evaluator_cfg"].get("weighted")
    return {**sections, "training": training, "sampler": sampler, "weighted": weighted}
