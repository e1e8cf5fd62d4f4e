"""Silhouette sequences on disk: <root>/<subject>/<type>/<view>/*.pkl, split by a partition file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch.utils import data
from utils import get_msg_mgr

from opengait_mimic.data.partition import subjects_in
from opengait_mimic.data.read import read_sequence
from opengait_mimic.errors import ConfigError, DataError


class DataSet(data.Dataset):
    """The training or the test part of a data set.

    Item i is (streams, info): a list with the array of every pkl file in use, and
    [label, type, view, paths]. In training, labels carry the data set's name as a prefix. Reading an item that is no
    clip, or one unlike the first in its frames' size or range of values, raises DataError.

    Args:
        data_cfg: dataset_name, dataset_root, dataset_partition; optional data_in_use (a mask over the
            sorted pkl files, or their positions) and cache (keep all sequences in memory).
        training: which part.
    Raises:
        DataError: no folder or no partition file at the given path, a partition without the part's list, or
            no sequence.
        ConfigError: a data_in_use that does not fit.
    """

    def __init__(self, data_cfg: dict, training: bool):
        root, partition = Path(data_cfg["dataset_root"]), Path(data_cfg["dataset_partition"])
        subjects = self._subjects(root, partition, "TRAIN_SET" if training else "TEST_SET")
        prefix = f"{data_cfg['dataset_name']}-" if training else ""
        self.seqs_info = self._find_sequences(root, subjects, prefix, data_cfg.get("data_in_use"))
        if not self.seqs_info:
            raise DataError(f"no sequence <subject>/<type>/<view>/*.pkl under {root} of the subjects in {partition}")
        self.label_list, self.types_list, self.views_list = (
            [info[field] for info in self.seqs_info] for field in range(3)
        )
        self.label_set = sorted(set(self.label_list))
        self.types_set = sorted(set(self.types_list))
        self.views_set = sorted(set(self.views_list))
        self.indices_dict: dict[str, list[int]] = {label: [] for label in self.label_set}
        for index, label in enumerate(self.label_list):
            self.indices_dict[label].append(index)
        self._kept = [self._read(i) for i in range(len(self))] if data_cfg.get("cache") else None
        part = "training" if training else "test"
        get_msg_mgr().log_info(f"{part} set: {len(self.label_set)} subjects, {len(self)} sequences under {root}")

    @staticmethod
    def _subjects(root: Path, partition: Path, part: str) -> list[str]:
        return subjects_in(root, partition, part)

    @staticmethod
    def _find_sequences(root: Path, subjects: list[str], prefix: str, in_use: list | None) -> list[list]:
        found = []
        for subject in subjects:
            for view in sorted((root / subject).glob("*/*")):
                paths = [str(path) for path in sorted(view.glob("*.pkl"))]
                if in_use is not None and paths:
                    paths = _select(paths, in_use, view)
                if paths:
                    found.append([prefix + subject, view.parent.name, view.name, paths])
        return found

    def __len__(self) -> int:
        return len(self.seqs_info)

    def __getitem__(self, index: int) -> tuple[list[np.ndarray], list]:
        streams = self._read(index) if self._kept is None else self._kept[index]
        return streams, self.seqs_info[index]

    def _read(self, index: int) -> list[np.ndarray]:
        return read_sequence(self.seqs_info[index][3], like=self.seqs_info[0][3][0])


def _select(paths: list[str], in_use: list, folder: Path) -> list[str]:
    """The paths a data_in_use names, by mask or by position."""
    if all(isinstance(entry, bool) for entry in in_use):
        if len(in_use) != len(paths):
            raise ConfigError(f"data_cfg.data_in_use masks {len(in_use)} files, {folder} holds {len(paths)}")
        return [path for path, used in zip(paths, in_use, strict=True) if used]
    if max(in_use) >= len(paths):
        raise ConfigError(f"data_cfg.data_in_use names file {max(in_use)}, {folder} holds {len(paths)}")
    return [paths[position] for position in in_use]
