"""`MimicGait`: the mimic network, distilled from a frozen teacher (paper section 3.2)."""

from __future__ import annotations

from opengait_mimic.method.frozen import Teacher
from opengait_mimic.opengait.config.sections import distils
from opengait_mimic.opengait.models.guided import GuidedModel, trained_backbone
from opengait_mimic.opengait.models.occluded import check_losses, loss_entries


class MimicGait(GuidedModel):
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
    loss_cfg: MiCKDLoss or L2KDLoss; TripletLoss and CrossEntropyLoss may stand beside. Without a loss that
        looks at the teacher (MiCKDLoss with the pairs [mimic_mimic] alone) there is none.
    """

    takes = ("MiCKDLoss", "L2KDLoss", "TripletLoss", "CrossEntropyLoss")

    def build_network(self, model_cfg: dict) -> None:
        super().build_network(model_cfg)
        check_losses(self.wanted_losses, self.takes, "MimicGait", model_cfg.get("class_num"))
        self.distils = self.phase_training and any(map(distils, loss_entries(self.cfgs["loss_cfg"])))

    def init_parameters(self) -> None:
        super().init_parameters()
        if self.distils:
            self.keep_apart("teacher", Teacher(trained_backbone(self.spec)))

    def forward(self, inputs):
        clips, labs, _, _, seqL = inputs
        mimic, seen = self.recognise(clips.occluded, seqL, labs if self.training else None)  # γ_m
        features = {}
        if self.training:
            distilled = {"mimic": mimic, "labels": labs}
            if self.distils:
                distilled["teacher"] = self.teacher(clips.holistic, seqL)  # γ_t
            inputs_by_loss = {"MiCKDLoss": distilled, "L2KDLoss": distilled, **self.loss_inputs(mimic, labs)}
            features = self.training_features(inputs_by_loss)
        return {
            "training_feat": features,
            "visual_summary": self.summary(clips),
            "inference_feat": self.compared(mimic, seen),
        }
