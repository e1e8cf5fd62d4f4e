"""Plain networks: the VEN, the fusion T, the frozen wrapper. They know no host."""

from opengait_mimic.networks.bnneck import PartBNNeck
from opengait_mimic.networks.frozen import Frozen, Teacher
from opengait_mimic.networks.fusion import Fusion
from opengait_mimic.networks.visibility import VisibilityNetwork

__all__ = ["Frozen", "Fusion", "PartBNNeck", "Teacher", "VisibilityNetwork"]
