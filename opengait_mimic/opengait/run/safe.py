"""Let an OpenGait checkout read checkpoints and silhouettes as data only, without a change to its files."""

from __future__ import annotations

import functools
import os
import pickle

import torch

from opengait_mimic.data.read import read_sequence
from opengait_mimic.errors import CheckpointError, one_line


def read_safely(silhouettes: bool = True) -> None:
    """For the rest of this process: torch.load with `weights_only`, and silhouettes through our own reader.

    Args:
        silhouettes: whether the sequences are silhouettes (or maps): arrays, of which the first stream looks alike in
            the whole data set. Otherwise (point clouds, say) the host reads them as it does.
    """
    if not hasattr(torch.load, "weights_only"):
        torch.load = _weights_only(torch.load)
    if silhouettes:
        from data.dataset import DataSet

        if hasattr(DataSet, "__loader__"):  # OpenGait's; the embedded host reads safely anyway
            DataSet.__loader__ = _load


def _load(dataset, paths: list[str]) -> list:
    positions = getattr(dataset, "data_in_use", None)
    named = positions and not all(isinstance(use, bool) for use in positions)
    in_order = list(paths) if named else sorted(paths)  # a list of positions says the order itself
    first = dataset.seqs_info[0][-1]
    return read_sequence(in_order, like=first[0] if named else min(first))


def _weights_only(load):
    @functools.wraps(load)
    def load_weights(f, *arguments, **options):
        options.pop("pickle_module", None)
        try:
            return load(f, *arguments, **{**options, "weights_only": True})
        except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
            name = f if isinstance(f, (str, os.PathLike)) else "a checkpoint"
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise CheckpointError(one_line(f"{name} cannot be read as weights: {reason[0]}", 400)) from None

    load_weights.weights_only = True
    return load_weights
