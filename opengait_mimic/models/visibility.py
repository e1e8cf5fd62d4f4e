"""`VisibilityEstimation`: the VEN as an OpenGait model, for the pretraining stage (paper section 3.1)."""

from __future__ import annotations

from dataclasses import replace

from modeling.base_model import BaseModel

from opengait_mimic.errors import ConfigError
from opengait_mimic.models.occluded import OccludedModel, check_losses, wanted_losses
from opengait_mimic.networks import VisibilityNetwork


class VisibilityEstimation(OccludedModel):
    """Learns the kind and the amount of the occlusions in its transforms; its classes are their kinds.

    model_cfg:
        channels: of the three convolutions (default [32, 64, 128]).
        feature: size of δ (default 64).
    loss_cfg: VisibilityLoss. eval_func: evaluate_visibility.
    """

    def build_network(self, model_cfg: dict) -> None:
        trained, tested = self.kinds, self.occlusion["evaluator_cfg"]
        if trained and tested:
            unknown = set(tested.mixture.names) - set(trained.names)
            if unknown:
                raise ConfigError(f"evaluator_cfg: Occlusion: the VEN does not learn {', '.join(sorted(unknown))}")
            tested.mixture = replace(tested.mixture, known=trained.names)
        classes = (trained or tested.mixture).classes
        settings = {k: v for k, v in model_cfg.items() if k in ("channels", "feature")}
        self.network = VisibilityNetwork(len(classes), **settings)
        losses = wanted_losses(self.cfgs["loss_cfg"]) if self.phase_training else {}
        check_losses(losses, ("VisibilityLoss",), "VisibilityEstimation", None)
        self.loss_prefixes = list(losses)
        self.cfgs["evaluator_cfg"]["kinds"] = list(classes)  # evaluate_visibility names them

    def forward(self, inputs):
        clips, _, _, _, seqL = inputs
        seen = self.network(clips.occluded, seqL)
        predicted = {"logits": seen.logits, "amount": seen.amount}
        true = {"kind": clips.kind, "true_amount": clips.amount}
        return {
            "training_feat": {prefix: {**predicted, **true} for prefix in self.loss_prefixes},
            "visual_summary": self.summary(clips),
            "inference_feat": {**predicted, **true},
        }

    @staticmethod
    def run_test(model):
        """Test on the evaluator's occlusions."""
        return BaseModel.run_test(model)
