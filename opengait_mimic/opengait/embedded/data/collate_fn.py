"""From sequences to a batch: which frames of each are taken, and how the clips are laid out."""

from __future__ import annotations

import random

import numpy as np


class CollateFn:
    """Turns what a DataSet gives into [seqs, labels, types, views, seqL].

    Args:
        label_set: the labels; a batch holds their positions in it.
        sample_config: sample_type, '<fixed|unfixed|all>_<ordered|unordered>', and, by type,
            frames_num_fixed; frames_num_min and frames_num_max (a clip's length is uniform between them);
            frames_skip_num (ordered: so many frames of a window are left out); frames_all_limit (the most
            frames of a whole sequence; negative: no limit).
    """

    def __init__(self, label_set: list[str], sample_config: dict):
        self.number, order = sample_config["sample_type"].split("_")
        self.ordered = order == "ordered"
        self.positions = {label: i for i, label in enumerate(label_set)}
        self.frames_fixed: int = sample_config.get("frames_num_fixed", 0)
        self.frames_range = sample_config.get("frames_num_min", 0), sample_config.get("frames_num_max", 0)
        self.frames_skip = sample_config.get("frames_skip_num", 0)
        limit = sample_config.get("frames_all_limit", -1)
        self.frames_limit = None if limit < 0 else limit

    def __call__(self, batch: list[tuple]) -> list:
        """Lay out a batch.

        Args:
            batch: (streams, [label, type, view, …]) per sequence; every stream is an array whose first axis
                is time, and all streams of a sequence are indexed by the same frame numbers.
        Returns:
            [seqs, labels, types, views, seqL]. Fixed sampling: seqs[f] is the list of the n clips of stream
            f and seqL is None. Otherwise seqs[f] is a list of one array, the clips joined along time, and
            seqL, int [1, n], gives their lengths.
        """
        clips = [self._clip(streams) for streams, _ in batch]
        infos = [info for _, info in batch]
        seqs = [list(stream) for stream in zip(*clips, strict=True)]
        seqL = None
        if self.number != "fixed":
            seqL = np.array([[len(clip) for clip in seqs[0]]], dtype=np.int64)
            seqs = [[np.concatenate(stream)] for stream in seqs]
        labels = [self.positions[info[0]] for info in infos]
        return [seqs, labels, [info[1] for info in infos], [info[2] for info in infos], seqL]

    def _clip(self, streams: list[np.ndarray]) -> list[np.ndarray]:
        frames = self._frames(len(streams[0]))
        return [stream[frames] for stream in streams]

    def _frames(self, length: int) -> np.ndarray:
        """Which of a sequence's `length` frames its clip takes, in the clip's order."""
        if self.number == "all":
            return np.arange(length)[: self.frames_limit]
        count = self.frames_fixed if self.number == "fixed" else random.randint(*self.frames_range)
        if not self.ordered:
            return np.random.choice(length, count, replace=length < count)
        window = count + self.frames_skip
        repeated = np.tile(np.arange(length), -(-window // length))
        first = random.randint(0, len(repeated) - window)
        kept = np.sort(np.random.choice(window, count, replace=False))
        return repeated[first + kept]
