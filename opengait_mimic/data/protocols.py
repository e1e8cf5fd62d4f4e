"""Which data set of the field a tree of silhouettes is laid out like, and so how it is evaluated."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from opengait_mimic.errors import DataError


@dataclass(frozen=True)
class Protocol:
    """How a data set is evaluated.

    Attributes:
        dataset_name: whose protocol and recipes it takes. evaluator: what evaluator_cfg says beyond that: gallery
            and probe types of one's own.
    """

    dataset_name: str
    evaluator: dict = field(default_factory=dict)


# Types that tell a data set, the more particular first.
_TYPES = {
    "SUSTech1K": {"00-nm"},
    "CCPG": {"U0_D0", "U1_D1"},
    "CASIA-B": {"nm-01", "nm-05"},
    "GREW": {"01", "02"},
    "OUMVLP": {"00", "01"},
}


def guess_protocol(root: Path, partition: Path) -> Protocol:
    """The evaluation that a data set in OpenGait's layout is made for.

    Args:
        root: <subject>/<type>/<view>/*.pkl. partition: JSON with TRAIN_SET and TEST_SET.
    Raises:
        DataError: no such partition, or types of none of the data sets known here.
    """
    try:
        sets = json.loads(partition.read_text())
        subjects = sets["TEST_SET"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{partition}: no JSON with TRAIN_SET and TEST_SET") from None
    if sets.get("PROBE_SET"):
        return Protocol("Gait3D")
    types = {folder.name for s in subjects for folder in (root / str(s)).glob("*") if folder.is_dir()}
    for dataset, telling in _TYPES.items():
        if telling <= types:
            return Protocol(dataset)
    raise DataError(
        f"{root}: cannot tell gallery from probe by the types {sorted(types)[:8]}; known are GREW's local protocol "
        "(gallery 01, probe 02), CASIA-B (nm-01 …), OUMVLP (01, 00), CCPG (U0_D0 …), SUSTech1K (00-nm …) and Gait3D "
        "(PROBE_SET in the partition); name them with --gallery and --probe"
    )
