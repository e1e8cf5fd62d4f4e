"""GaitBase: a residual network per frame, max over time, one head per body part."""

from __future__ import annotations

from torch import Tensor

from opengait_mimic.backbones import modules
from opengait_mimic.backbones.network import Features, GaitNetwork


class GaitBase(GaitNetwork, name="Baseline"):
    """model_cfg: backbone_cfg, SeparateFCs, SeparateBNNecks, bin_num.

    Embeddings [n, c, p] are the output of the linear maps.
    """

    def build(self, model_cfg: dict, dataset_name: str) -> None:  # noqa: ARG002
        self.Backbone = modules.SetBlockWrapper(self.get_backbone(model_cfg["backbone_cfg"]))
        self.TP = modules.TemporalMaxPooling()
        self.HPP = modules.HorizontalPoolingPyramid(model_cfg["bin_num"])
        self.FCs = modules.SeparateFCs(**model_cfg["SeparateFCs"])
        self.BNNecks = modules.SeparateBNNecks(**model_cfg["SeparateBNNecks"])

    def features(self, clips: Tensor, seqL: Tensor | None = None) -> Features:
        embeddings = self.FCs(self.HPP(self.TP(self.Backbone(clips), seqL)))
        _, logits = self.BNNecks(embeddings)
        return Features(embeddings, logits, embeddings)
