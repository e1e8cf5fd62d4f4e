"""GaitBase: a residual network per frame, max over time, one head per body part."""

from __future__ import annotations

from ..base_model import BaseModel
from ..modules import (
    HorizontalPoolingPyramid,
    SeparateBNNecks,
    SeparateFCs,
    SetBlockWrapper,
    TemporalMaxPooling,
    clips_from_inputs,
    host_outputs,
)


class Baseline(BaseModel):
    """model_cfg: backbone_cfg, SeparateFCs, SeparateBNNecks, bin_num.

    Silhouettes [n, s, h, w] or [n, s, c, h, w]; embeddings [n, c, p] are the output of the linear maps.
    """

    def build_network(self, model_cfg: dict) -> None:
        self.Backbone = SetBlockWrapper(self.get_backbone(model_cfg["backbone_cfg"]))
        self.TP = TemporalMaxPooling()
        self.HPP = HorizontalPoolingPyramid(model_cfg["bin_num"])
        self.FCs = SeparateFCs(**model_cfg["SeparateFCs"])
        self.BNNecks = SeparateBNNecks(**model_cfg["SeparateBNNecks"])

    def forward(self, inputs: tuple) -> dict[str, dict]:
        ipts, labels, _, _, seqL = inputs
        sils = clips_from_inputs(ipts)
        embeddings = self.FCs(self.HPP(self.TP(self.Backbone(sils), seqL)))
        _, logits = self.BNNecks(embeddings)
        return host_outputs(sils, labels, embeddings, logits)
