"""`ResidualGait`: occlusion corrected by a residual on the holistic network (the authors' follow-up, RG-Gait)."""

from __future__ import annotations

from opengait_mimic.method.frozen import Frozen
from opengait_mimic.opengait.models.guided import GuidedModel, build_backbone, load_teacher
from opengait_mimic.opengait.models.occluded import check_losses


class ResidualGait(GuidedModel):
    """γ = a · T(F_m(O) ⊕ δ) + F_t(O): the frozen holistic network, corrected as far as the VEN sees an occlusion.

    a is the hidden share that the VEN estimates, so that a clean clip is embedded by F_t alone and holistic accuracy
    stays. Trained by identity on clips some of which are clean (probabilities of `Occlusion` that leave some to 1).
    F_t takes part in inference and so is in the checkpoint. The classifier starts from F_t's own, where that has one
    of the same shape.

    model_cfg: as MimicGait's, without `fuse`; `ven` has the task regression; `class_num` for CrossEntropyLoss.
    loss_cfg: TripletLoss, CrossEntropyLoss.
    """

    takes = ("TripletLoss", "CrossEntropyLoss")

    def build_network(self, model_cfg: dict) -> None:
        super().build_network(model_cfg)
        check_losses(self.wanted_losses, self.takes, "ResidualGait", model_cfg.get("class_num"))
        self.holistic = Frozen(build_backbone(self.spec))

    def init_parameters(self) -> None:
        super().init_parameters()
        if not self.phase_training and self.is_trained():
            return
        load_teacher(self.holistic.network, self.spec)
        if hasattr(self, "neck"):
            self.neck.start_as_in(self.holistic.network)

    def recognise(self, sils, seqL=None, labels=None):
        clips, seen = self.look(sils, seqL)
        residual = self.join(self.backbone(clips, seqL, labels), seen)
        return seen.amount[:, None, None] * residual + self.holistic(clips, seqL), seen

    def forward(self, inputs):
        clips, labs, _, _, seqL = inputs
        embeddings, seen = self.recognise(clips.occluded, seqL, labs if self.training else None)
        features = self.training_features(self.loss_inputs(embeddings, labs)) if self.training else {}
        return {
            "training_feat": features,
            "visual_summary": self.summary(clips),
            "inference_feat": self.compared(embeddings, seen),
        }
