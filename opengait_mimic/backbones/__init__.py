"""The gait networks by themselves, with the parameter names of OpenGait's checkpoints."""

from opengait_mimic.backbones.deepgaitv2 import DeepGaitV2
from opengait_mimic.backbones.gaitbase import GaitBase
from opengait_mimic.backbones.gaitgl import GaitGL
from opengait_mimic.backbones.gaitset import GaitSet
from opengait_mimic.backbones.network import NETWORKS, Features, GaitNetwork, gait_network

__all__ = ["NETWORKS", "DeepGaitV2", "Features", "GaitBase", "GaitGL", "GaitNetwork", "GaitSet", "gait_network"]
