"""`VisibilityEstimation`: the VEN as an OpenGait model, for the pretraining stage (paper section 3.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch.utils.data import DataLoader

from opengait_mimic.errors import ConfigError
from opengait_mimic.method.occlusion.visible_parts import visible_parts
from opengait_mimic.method.ven import PARTS, VisibilityNetwork
from opengait_mimic.opengait.config.networks import ven_settings
from opengait_mimic.opengait.models.generated import evened, generated_labels
from opengait_mimic.opengait.models.loss_inputs import loss_arguments
from opengait_mimic.opengait.models.occluded import OccludedModel
from opengait_mimic.opengait.models.tensorboard import write_scores
from opengait_mimic.opengait.models.testing import visibility_test


def heads(network: VisibilityNetwork) -> list[str]:
    """What a VEN predicts, by the names of `Visibility`."""
    tasks = network.tasks
    there = {"logits": "classification" in tasks, "amount": "regression" in tasks,
             "amount_logits": network.amount_bins, "part_logits": PARTS in tasks}  # fmt: skip
    return [name for name, is_there in there.items() if is_there]


def offered(network: VisibilityNetwork) -> list[str]:
    """What a loss can ask for: the predictions, and what is true."""
    return [*heads(network), "kind", "true_amount", *(["true_parts"] if PARTS in network.tasks else [])]


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

    def build_network(self, model_cfg: dict) -> None:
        trained, tested = self.mixture, self.occlusion["evaluator_cfg"]
        if trained and tested:
            unknown = set(tested.mixture.names) - set(trained.names)
            if unknown:
                raise ConfigError(f"evaluator_cfg: Occlusion: the VEN does not learn {', '.join(sorted(unknown))}")
            tested.mixture = replace(tested.mixture, known=trained.names)
        mixture = trained if trained or tested is None else tested.mixture
        if mixture is None:
            raise ConfigError("transform: no Occlusion at the end; a VEN's classes are its types")
        self.classes = mixture.classes
        self.network = VisibilityNetwork(len(self.classes), **ven_settings(model_cfg))
        self.losses_ask = (
            loss_arguments(self.cfgs["loss_cfg"], offered(self.network), "VisibilityEstimation")
            if self.phase_training
            else {}
        )
        self.cfgs["evaluator_cfg"]["kinds"] = list(self.classes)  # evaluate_visibility names them

    def get_loader(self, data_cfg: dict, train: bool = True) -> DataLoader:
        """The host's loader; generated and recorded subjects are drawn equally often.

        Identity does not matter to the VEN, so a subject may be in a batch twice.
        """
        loader = super().get_loader(data_cfg, train)
        if not train:
            return loader
        drawn_from: Any = loader.dataset.dataset  # type: ignore[attr-defined]  # the host's, which its sampler reads
        labels = drawn_from.label_set
        generated = generated_labels(data_cfg).intersection(labels)
        if 0 < len(generated) < len(labels):
            drawn_from.label_set = evened(labels, generated)
            self.msg_mgr.log_info(
                f"{len(generated)} of {len(labels)} subjects were generated: either side is drawn as often"
            )
        return loader

    def forward(self, inputs):
        clips, _, _, _, seqL = inputs
        visibility = self.network(clips.occluded, seqL)
        found = {name: getattr(visibility, name) for name in heads(self.network)}
        found |= {"kind": clips.kind, "true_amount": clips.amount}
        if "part_logits" in found:
            found["true_parts"] = visible_parts(clips.holistic, clips.parameters, self.network.strips, seqL)
        return {
            "training_feat": {prefix: {n: found[n] for n in names} for prefix, names in self.losses_ask.items()},
            "visual_summary": self.summary(clips),
            "inference_feat": found,
        }

    @staticmethod
    def run_test(model):
        """Test on the evaluator's occlusions, and write a result file."""
        net = getattr(model, "module", model)
        return write_scores(net, visibility_test(net))
