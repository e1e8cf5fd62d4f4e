"""The gait networks as models of the host."""

from __future__ import annotations

from typing import Any

from opengait_mimic.backbones import NETWORKS

from ..base_model import BaseModel


class HostNetwork(BaseModel):
    """A model of the host with the layers of a gait network, its other base class."""

    build: Any  # the gait network's
    features: Any

    def build_network(self, model_cfg: dict) -> None:
        """Build the gait network's layers."""
        self.build(model_cfg, self.cfgs["data_cfg"]["dataset_name"])

    def forward(self, inputs: tuple) -> dict[str, dict]:
        """The host's dictionary: embeddings [n, c, p] and logits [n, class_num, p] of silhouettes.

        Args:
            inputs: (ipts, labels [n], types, views, seqL), ipts[0] being [n, s, h, w] or [n, s, c, h, w].
        """
        (sils, *_), labels, _, _, seqL = inputs
        clips = sils.unsqueeze(1) if sils.dim() == 4 else sils.transpose(1, 2)  # [n, c, s, h, w]
        found = self.features(clips, seqL)
        training_feat = {"triplet": {"embeddings": found.embeddings, "labels": labels}}
        if found.logits is not None:
            training_feat["softmax"] = {"logits": found.logits, "labels": labels}
        return {
            "training_feat": training_feat,
            "visual_summary": {"image/sils": clips.transpose(1, 2).flatten(0, 1)},
            "inference_feat": {"embeddings": found.compared},
        }


def host_network(name: str) -> type[HostNetwork]:
    """The host's model of a gait network, by its name in a YAML."""
    network = NETWORKS[name]
    return type(name, (HostNetwork, network), {"__doc__": network.__doc__, "__module__": __name__})
