"""A backbone guided by a frozen VEN, and the teacher beside it."""

from __future__ import annotations

import torch

from opengait_mimic.checkpoints import load_weights, read_weights
from opengait_mimic.config import NetworkSpec, backbone_spec, distils, ven_spec
from opengait_mimic.errors import CheckpointError, ConfigError
from opengait_mimic.models.backbone import Backbone, probe
from opengait_mimic.models.occluded import OccludedModel, loss_entries, wanted_losses
from opengait_mimic.networks import Frozen, Fusion, PartBNNeck, VisibilityNetwork


def build_visibility_network(spec: NetworkSpec) -> VisibilityNetwork:
    """The VEN of a spec, its classes those of the kinds it was trained on."""
    settings = {k: v for k, v in spec.model_cfg.items() if k in ("channels", "feature")}
    return VisibilityNetwork(len(spec.kinds.classes), **settings)


def load_ven(network: VisibilityNetwork, spec: NetworkSpec) -> None:
    """Put a VEN's trained weights, as `VisibilityEstimation` saved them, into its network."""
    weights = read_weights(_known(spec, "VEN"), "VEN")
    load_weights(network, {k.removeprefix("network."): v for k, v in weights.items()}, "VEN", spec.checkpoint)


def load_teacher(backbone: Backbone, spec: NetworkSpec) -> None:
    """Put the teacher's trained weights into a backbone of its architecture."""
    path = _known(spec, "teacher")
    load_weights(backbone.model, read_weights(path, "teacher"), "teacher", path)


def build_teacher(spec: NetworkSpec) -> Frozen:
    """The trained holistic network, frozen."""
    backbone = Backbone(spec.model_cfg, spec.dataset_name)
    load_teacher(backbone, spec)
    return Frozen(backbone)


def _known(spec: NetworkSpec, what: str):
    if spec.checkpoint is None:
        raise ConfigError(f"model_cfg: where is the {what}'s checkpoint? give {what.lower()}.checkpoint")
    return spec.checkpoint


def rehearse(cfgs: dict) -> None:
    """Load the teacher and the VEN of a training run once, so that a misfit shows before the host writes anything.

    Raises:
        ConfigError, CheckpointError: the backbone cannot be built, or a checkpoint is of another network.
    """
    model_cfg = cfgs["model_cfg"]
    spec, ven = backbone_spec(model_cfg, cfgs["data_cfg"]["dataset_name"]), ven_spec(model_cfg)
    if ven is not None:
        load_ven(build_visibility_network(ven), ven)
    if model_cfg.get("init_from_teacher") or any(map(distils, loss_entries(cfgs["loss_cfg"]))):
        build_teacher(spec)


class GuidedModel(OccludedModel):
    """F(O) or T(F(O) ⊕ V(O)) (Eq. 1): a trainable backbone, optionally guided by a frozen VEN.

    The VEN is part of the checkpoint, the teacher is not: after training, checkpoint and YAML suffice.
    """

    def build_network(self, model_cfg: dict) -> None:
        """Build backbone, T and VEN from model_cfg: backbone, teacher, init_from_teacher, ven, class_num."""
        self.spec = backbone_spec(model_cfg, self.cfgs["data_cfg"]["dataset_name"])
        self.backbone = Backbone(self.spec.model_cfg, self.spec.dataset_name)
        self.ven_spec = ven_spec(model_cfg)
        self.wanted_losses = wanted_losses(self.cfgs["loss_cfg"]) if self.phase_training else {}
        shape = probe(self.backbone)
        if self.ven_spec is not None:
            self.ven = Frozen(build_visibility_network(self.ven_spec))
            self.fusion = Fusion(shape.parts, shape.channels, self.ven.network.feature_size)
        else:
            self.ven = self.fusion = None
        if not self.uses_own_losses():
            # A classifier that no loss reads would make DDP wait for gradients that never come.
            for parameter in shape.idle:
                parameter.requires_grad_(False)
            if model_cfg.get("class_num"):
                self.neck = PartBNNeck(shape.parts, shape.channels, model_cfg["class_num"])

    def uses_own_losses(self) -> bool:
        """Whether the backbone trains with the losses its own forward feeds."""
        return False

    def init_parameters(self) -> None:
        """The host's initialisation, then the trained weights this model starts from."""
        super().init_parameters()
        if not self.phase_training:
            return
        model_cfg = self.cfgs["model_cfg"]
        if self.ven_spec is not None:
            load_ven(self.ven.network, self.ven_spec)
        if model_cfg.get("init_from_teacher", False):
            load_teacher(self.backbone, self.spec)
            if self.fusion is not None:
                self.fusion.start_as_identity()

    def reference_network(self) -> Frozen | None:
        if self.spec.checkpoint is None or not self.spec.checkpoint.is_file():
            return None
        try:
            return build_teacher(self.spec)
        except CheckpointError as error:
            self.msg_mgr.log_warning(str(error))
            return None

    def guide(self, sils: torch.Tensor, embeddings: torch.Tensor, seqL: torch.Tensor | None) -> torch.Tensor:
        """γ: the backbone's embeddings, joined with the VEN's feature of the same clips (Eq. 1)."""
        if self.ven is None:
            return embeddings
        return self.fusion(embeddings, self.ven(sils, seqL).feature)

    def embed(self, sils, seqL=None, labels=None) -> torch.Tensor:
        """The embeddings [n, c, p] that are compared at test."""
        if self.reference is not None:
            return self.reference.to(sils.device)(sils, seqL)
        return self.guide(sils, self.backbone(sils, seqL, labels), seqL)

    def training_features(self, features: dict[str, dict]) -> dict:
        """What each loss of `loss_cfg` reads, by its log_prefix; `features` by type of loss."""
        return {prefix: features[kind] for prefix, kind in self.wanted_losses.items()}

    def loss_inputs(self, embeddings: torch.Tensor, labels: torch.Tensor) -> dict[str, dict]:
        """Inputs of the host's own losses on γ."""
        inputs = {"TripletLoss": {"embeddings": embeddings, "labels": labels}}
        if "CrossEntropyLoss" in self.wanted_losses.values():
            inputs["CrossEntropyLoss"] = {"logits": self.neck(embeddings), "labels": labels}
        return inputs
