"""`OcclusionAware`: a backbone trained on occluded clips, without a teacher."""

from __future__ import annotations

from opengait_mimic.opengait.models.guided import GuidedModel
from opengait_mimic.opengait.models.occluded import check_losses


class OcclusionAware(GuidedModel):
    """F(O), or T(F(O) ⊕ V(O)) with a VEN, trained by identity alone on occluded clips.

    Without a VEN, or with `fuse: false`, this is the paper's Baseline-2: the backbone with its own losses. With one, γ
    goes through a part-wise BNNeck of its own (`class_num`). model_cfg has the same keys as MimicGait's.
    """

    takes = ("TripletLoss", "CrossEntropyLoss")  # with T; without, those of the backbone

    def build_network(self, model_cfg: dict) -> None:
        super().build_network(model_cfg)
        if not self.uses_own_losses():
            check_losses(self.wanted_losses, self.takes, "OcclusionAware", model_cfg.get("class_num"))

    def uses_own_losses(self) -> bool:
        return self.ven_spec is None or not self.cfgs["model_cfg"].get("fuse", True)

    def forward(self, inputs):
        clips, labs, _, _, seqL = inputs
        features, seen = {}, None
        if not self.training:
            embeddings, seen = self.recognise(clips.occluded, seqL)
        elif self.uses_own_losses():
            result = self.backbone.retval(self.look(clips.occluded, seqL)[0], seqL, labs)
            embeddings, features = result["inference_feat"]["embeddings"], result["training_feat"]
        else:
            embeddings = self.embed(clips.occluded, seqL, labs)
            features = self.training_features(self.loss_inputs(embeddings, labs))
        return {
            "training_feat": features,
            "visual_summary": self.summary(clips),
            "inference_feat": self.compared(embeddings, seen),
        }
