"""A backbone guided by a frozen VEN, and the teacher beside it."""

from __future__ import annotations

import torch

from opengait_mimic.errors import CheckpointError, ConfigError
from opengait_mimic.method.beyond.plda import likelihood
from opengait_mimic.method.beyond.registration import register
from opengait_mimic.method.beyond.weighted import part_bins, parts_visibility, strips_to_parts, weighting
from opengait_mimic.method.bnneck import PartBNNeck
from opengait_mimic.method.frozen import Frozen
from opengait_mimic.method.mimic import Fusion
from opengait_mimic.method.ven import Visibility, VisibilityNetwork
from opengait_mimic.opengait.checkpoints import load_weights, read_weights
from opengait_mimic.opengait.config.sections import (
    NetworkSpec,
    backbone_spec,
    check_uses_of_ven,
    distils,
    ven_settings,
    ven_spec,
)
from opengait_mimic.opengait.models.backbone import Backbone, Probe, probe
from opengait_mimic.opengait.models.occluded import OccludedModel, loss_entries, wanted_losses


def build_visibility_network(spec: NetworkSpec) -> VisibilityNetwork:
    """The VEN of a spec, its classes those of the kinds it was trained on."""
    return VisibilityNetwork(len(spec.kinds.classes), **ven_settings(spec.model_cfg))


def load_ven(network: VisibilityNetwork, spec: NetworkSpec) -> None:
    """Put a VEN's trained weights, as `VisibilityEstimation` saved them, into its network."""
    weights = read_weights(_known(spec, "VEN"), "VEN")
    load_weights(network, {k.removeprefix("network."): v for k, v in weights.items()}, "VEN", spec.checkpoint)


def load_teacher(backbone: Backbone, spec: NetworkSpec) -> None:
    """Put the teacher's trained weights into a backbone of its architecture."""
    path = _known(spec, "teacher")
    load_weights(backbone.model, read_weights(path, "teacher"), "teacher", path)


def build_backbone(spec: NetworkSpec, optimizer_cfg: dict | None = None) -> Backbone:
    """The backbone of a spec, untrained; with the optimizer_cfg of the training it takes part in, if any."""
    return Backbone(spec.model_cfg, spec.dataset_name, spec.trainer_cfg, optimizer_cfg)


def trained_backbone(spec: NetworkSpec) -> Backbone:
    """The trained holistic network."""
    backbone = build_backbone(spec)
    load_teacher(backbone, spec)
    return backbone


def _known(spec: NetworkSpec, what: str):
    if spec.checkpoint is None:
        raise ConfigError(f"model_cfg: where is the {what}'s checkpoint? give {what.lower()}.checkpoint")
    return spec.checkpoint


def rehearse(cfgs: dict) -> None:
    """Build what a training run takes once, so that a misfit shows before the host writes anything.

    Raises:
        ConfigError, CheckpointError: the backbone cannot be built, or a checkpoint is of another network.
    """
    model_cfg = cfgs["model_cfg"]
    spec, ven = backbone_spec(model_cfg, cfgs["data_cfg"]["dataset_name"]), ven_spec(model_cfg)
    if ven is not None:
        load_ven(build_visibility_network(ven), ven)
    if model_cfg.get("init_from_teacher") or any(map(distils, loss_entries(cfgs["loss_cfg"]))):
        trained_backbone(spec)
    backbone_in_training(spec, cfgs)


def backbone_in_training(spec: NetworkSpec, cfgs: dict) -> tuple[Backbone, Probe]:
    """The untrained backbone of a training, and what a trial run in its layout of clips tells of it.

    Raises:
        ConfigError: the backbone cannot be built or trained so.
    """
    backbone = build_backbone(spec, cfgs["optimizer_cfg"])
    if backbone.left_out() and not cfgs["model_cfg"].get("init_from_teacher"):
        name = spec.model_cfg["model"]
        raise ConfigError(f"model_cfg: {name} trains a part of its network only; set init_from_teacher: true")
    joined = not cfgs["trainer_cfg"]["sampler"]["sample_type"].startswith("fixed")
    return backbone, probe(backbone, joined)


class GuidedModel(OccludedModel):
    """F(O) or T(F(O) ⊕ V(O)) (Eq. 1): a trainable backbone, optionally guided by a frozen VEN.

    The VEN is part of the checkpoint, the teacher is not: after training, checkpoint and YAML suffice. With
    `register`, the backbone sees clips that the VEN has put back on their rows; with `fuse: false` there is no T, and
    the VEN serves registration and weighted matching only.
    """

    def build_network(self, model_cfg: dict) -> None:
        """Build backbone, T, VEN and classifier from model_cfg.

        Its keys: backbone, teacher, init_from_teacher, ven, register, fuse, class_num.
        """
        self.spec = backbone_spec(model_cfg, self.cfgs["data_cfg"]["dataset_name"])
        if self.phase_training:
            self.backbone, shape = backbone_in_training(self.spec, self.cfgs)
        else:
            self.backbone = build_backbone(self.spec)
            shape = probe(self.backbone.eval())
        self.ven_spec = ven_spec(model_cfg)
        check_uses_of_ven(self.cfgs, self.ven_spec)
        self.wanted_losses = wanted_losses(self.cfgs["loss_cfg"]) if self.phase_training else {}
        self.embedding_size = shape.channels * shape.parts
        if self.ven_spec is not None:
            self.ven = Frozen(build_visibility_network(self.ven_spec))
        else:
            self.ven = None
        fuses = self.ven is not None and model_cfg.get("fuse", True)
        self.fusion = Fusion(shape.parts, shape.channels, self.ven.network.feature_size) if fuses else None
        self.registers = model_cfg.get("register", False)
        # For weighted matching: how the VEN's strips make the parts' visibilities, [p, t].
        asked, strips = weighting(self.cfgs["evaluator_cfg"].get("weighted")), None
        if asked is not None:
            bins = part_bins(self.spec.model_cfg, shape.parts, asked.bins)
            strips = strips_to_parts(bins, self.ven.network.strips)
        self.register_buffer("strips", strips, persistent=False)
        self.tells_kinds = likelihood(self.cfgs["evaluator_cfg"].get("likelihood")) is not None
        # A classifier that no loss reads would make DDP wait for gradients that never come.
        idle = shape.unused if self.uses_own_losses() else shape.idle
        for parameter in (*idle, *self.backbone.left_out()):
            parameter.requires_grad_(False)
        if not self.uses_own_losses():
            if model_cfg.get("class_num"):
                self.neck = PartBNNeck(shape.parts, shape.channels, model_cfg["class_num"])

    def networks_from_files(self) -> dict:
        found = {"backbone": {"model_cfg": self.spec.model_cfg, "dataset_name": self.spec.dataset_name}}
        if self.ven_spec is not None:
            found["ven"] = {"model_cfg": self.ven_spec.model_cfg, "classes": self.ven_spec.kinds.classes}
        return found

    def uses_own_losses(self) -> bool:
        """Whether the backbone trains with the losses its own forward feeds."""
        return False

    def init_parameters(self) -> None:
        """The host's initialisation, then the trained weights this model starts from."""
        super().init_parameters()
        self.backbone.initialise()
        if not self.phase_training and self.is_trained():
            return  # its own checkpoint has everything
        model_cfg = self.cfgs["model_cfg"]
        if self.ven_spec is not None:
            load_ven(self.ven.network, self.ven_spec)
        if model_cfg.get("init_from_teacher", False):
            load_teacher(self.backbone, self.spec)
            if self.fusion is not None:
                self.fusion.start_as_identity()
            if hasattr(self, "neck"):
                self.neck.start_as_in(self.backbone)

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

    def trained_kinds(self) -> tuple[str, ...]:
        """The kinds of occlusion the network has met in training."""
        if self.kinds is None or not (self.phase_training or self.is_trained()):
            return ()
        return tuple(dict.fromkeys(self.kinds.names))

    def reference_network(self) -> Frozen | None:
        if self.spec.checkpoint is None or not self.spec.checkpoint.is_file():
            return None
        try:
            return Frozen(trained_backbone(self.spec))
        except CheckpointError as error:
            self.msg_mgr.log_warning(str(error))
            return None

    def look(self, sils: torch.Tensor, seqL: torch.Tensor | None) -> tuple[torch.Tensor, Visibility | None]:
        """The clips as the backbone gets them, registered where that is asked for, and what the VEN says of them."""
        if self.ven is None:
            return sils, None
        seen = self.ven(sils, seqL)
        return register(sils, seen, self.ven_spec.kinds.classes, seqL) if self.registers else sils, seen

    def join(self, embeddings: torch.Tensor, seen: Visibility | None) -> torch.Tensor:
        """γ: the backbone's embeddings, joined with the VEN's feature of the same clips (Eq. 1)."""
        return embeddings if self.fusion is None else self.fusion(embeddings, seen.feature)

    def recognise(self, sils, seqL=None, labels=None) -> tuple[torch.Tensor, Visibility | None]:
        """The embeddings γ [n, c, p], and what the VEN says of the clips."""
        clips, seen = self.look(sils, seqL)
        return self.join(self.backbone(clips, seqL, labels), seen), seen

    def embed(self, sils, seqL=None, labels=None) -> torch.Tensor:
        """The embeddings [n, c, p] that are compared at test."""
        return self.recognise(sils, seqL, labels)[0]

    def compared(self, embeddings: torch.Tensor, seen: Visibility | None) -> dict[str, torch.Tensor]:
        """What a test compares: the embeddings, and what its ways of matching take besides.

        With weighted matching "visibility" [n, p] of the parts, with matching by likelihood "seen_kind" [n], the
        class that the VEN sees.
        """
        found = {"embeddings": embeddings}
        if not self.training and self.strips is not None:
            found["visibility"] = parts_visibility(seen, self.strips)
        if not self.training and self.tells_kinds:
            found["seen_kind"] = seen.logits.argmax(1)
        return found

    def training_features(self, features: dict[str, dict]) -> dict:
        """What each loss of `loss_cfg` reads, by its log_prefix; `features` by type of loss."""
        return {prefix: features[kind] for prefix, kind in self.wanted_losses.items()}

    def loss_inputs(self, embeddings: torch.Tensor, labels: torch.Tensor) -> dict[str, dict]:
        """Inputs of the host's own losses on γ."""
        inputs = {"TripletLoss": {"embeddings": embeddings, "labels": labels}}
        if "CrossEntropyLoss" in self.wanted_losses.values():
            inputs["CrossEntropyLoss"] = {"logits": self.neck(embeddings), "labels": labels}
        return inputs
