"""The gait networks as models of the host."""

from __future__ import annotations

from opengait_mimic import backbones as gait

from ..base_model import BaseModel
from ..modules import clips_from_inputs, host_outputs


class HostNetwork(BaseModel):
    """A model of the host with the layers of a gait network, its other base class."""

    def build_network(self, model_cfg: dict) -> None:
        self.build(model_cfg, self.cfgs["data_cfg"]["dataset_name"])

    def forward(self, inputs: tuple) -> dict[str, dict]:
        ipts, labels, _, _, seqL = inputs
        clips = clips_from_inputs(ipts)
        found = self.features(clips, seqL)
        return host_outputs(clips, labels, found.embeddings, found.logits, found.compared)


class Baseline(HostNetwork, gait.GaitBase):
    """GaitBase."""


class DeepGaitV2(HostNetwork, gait.DeepGaitV2):
    """DeepGaitV2."""


class GaitGL(HostNetwork, gait.GaitGL):
    """GaitGL."""


class GaitSet(HostNetwork, gait.GaitSet):
    """GaitSet."""
