"""`VisibilityEstimation`: the VEN as an OpenGait model, for the pretraining stage (paper section 3.1)."""

from __future__ import annotations

from dataclasses import replace

from torch.utils.data import DataLoader

from opengait_mimic.errors import ConfigError
from opengait_mimic.method.occlusion.visible_parts import visible_parts
from opengait_mimic.method.ven import VisibilityNetwork
from opengait_mimic.opengait.config.sections import ven_settings
from opengait_mimic.opengait.models.generated import evened, generated_labels
from opengait_mimic.opengait.models.occluded import OccludedModel, check_losses, wanted_losses
from opengait_mimic.opengait.models.panels import conclude_test
from opengait_mimic.opengait.models.testing import visibility_test


class VisibilityEstimation(OccludedModel):
    """Learns the kind and the amount of the occlusions in its transforms; its classes are their kinds.

    model_cfg:
        channels: of the three convolutions (default [32, 64, 128]).
        feature: size of δ (default 64).
        tasks: classification (of the kind), regression (of the amount), by default both; and parts (the visible share
            of each horizontal strip).
        strips: of the parts (default 16). bands, amount_bins: see `VisibilityNetwork`.
    loss_cfg: VisibilityLoss. eval_func: evaluate_visibility.
    """

    takes = ("VisibilityLoss",)

    def build_network(self, model_cfg: dict) -> None:
        trained, tested = self.kinds, self.occlusion["evaluator_cfg"]
        if trained and tested:
            unknown = set(tested.mixture.names) - set(trained.names)
            if unknown:
                raise ConfigError(f"evaluator_cfg: Occlusion: the VEN does not learn {', '.join(sorted(unknown))}")
            tested.mixture = replace(tested.mixture, known=trained.names)
        self.classes = (trained or tested.mixture).classes
        self.network = VisibilityNetwork(len(self.classes), **ven_settings(model_cfg))
        losses = wanted_losses(self.cfgs["loss_cfg"]) if self.phase_training else {}
        check_losses(losses, self.takes, "VisibilityEstimation", None)
        self.loss_prefixes = list(losses)
        self.cfgs["evaluator_cfg"]["kinds"] = list(self.classes)  # evaluate_visibility names them

    def get_loader(self, data_cfg: dict, train: bool = True) -> DataLoader:
        """The host's loader; where generated people learn beside recorded ones, either side is drawn as often.

        Who walks does not matter to the VEN, so that one person may be in a batch twice.
        """
        loader = super().get_loader(data_cfg, train)
        if not train:
            return loader
        drawn_from = loader.dataset.dataset  # the host's, which its sampler reads
        labels = drawn_from.label_set
        generated = generated_labels(data_cfg).intersection(labels)
        if 0 < len(generated) < len(labels):
            drawn_from.label_set = evened(labels, generated)
            told = f"{len(generated)} of {len(labels)} subjects were generated: either side is drawn as often"
            self.msg_mgr.log_info(told)
        return loader

    def forward(self, inputs):
        clips, _, _, _, seqL = inputs
        seen = self.network(clips.occluded, seqL)
        heads = ("logits", "amount", "amount_logits", "part_logits")
        predicted = {name: value for name in heads if (value := getattr(seen, name)) is not None}
        true = {"kind": clips.kind, "true_amount": clips.amount}
        if seen.part_logits is not None:
            true["true_parts"] = visible_parts(clips.holistic, clips.plan, self.network.strips, seqL)
        return {
            "training_feat": {prefix: {**predicted, **true} for prefix in self.loss_prefixes},
            "visual_summary": self.summary(clips),
            "inference_feat": {**predicted, **true},
        }

    @staticmethod
    def run_test(model):
        """Test on the evaluator's occlusions, and write a result file."""
        net = getattr(model, "module", model)
        return conclude_test(net, visibility_test(net))
