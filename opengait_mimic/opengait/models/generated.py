"""Generated walkers in a training set, balanced with the recorded subjects."""

from __future__ import annotations

from collections.abc import Collection

from opengait_mimic.data.partition import GENERATED, has_part, read_partition


def generated_labels(data_cfg: dict) -> set[str]:
    """The labels of those whom the partition lists under GENERATED_SET; empty where it has no such list.

    Raises:
        DataError: the list is none of names.
    """
    partition = data_cfg["dataset_partition"]
    subjects = read_partition(partition, GENERATED) if has_part(partition, GENERATED) else []
    # Hosts put the data set's name before a label to learn from, OpenGait's v2.0 does not.
    return {*subjects, *(f"{data_cfg['dataset_name']}-{subject}" for subject in subjects)}


def evened(labels: list[str], generated: Collection[str]) -> list[str]:
    """Labels to draw from, generated and recorded subjects about equally often: the fewer are repeated.

    There are some of both.
    """
    sides = [[label for label in labels if (label in generated) == drawn] for drawn in (False, True)]
    few, many = sorted(sides, key=len)
    return few * round(len(many) / len(few)) + many
