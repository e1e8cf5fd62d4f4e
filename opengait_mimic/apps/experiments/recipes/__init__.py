"""The configurations of every system and table of the paper; the one source of what `configs/mimicgait` holds.

`python -m opengait_mimic.apps.experiments.recipes configs/mimicgait` writes those files again.
"""

from opengait_mimic.apps.experiments.recipes.build import file_name, recipe
from opengait_mimic.apps.experiments.recipes.facts import BACKBONES, DATASETS
from opengait_mimic.apps.experiments.recipes.files import files, header, write_configs, yaml_text
from opengait_mimic.apps.experiments.recipes.methods import BEYOND_KINDS, KINDS, METHODS, NEW_KINDS, needs, rows, stages
from opengait_mimic.apps.experiments.recipes.small import small

__all__ = [
    "BACKBONES",
    "BEYOND_KINDS",
    "DATASETS",
    "KINDS",
    "METHODS",
    "NEW_KINDS",
    "file_name",
    "files",
    "header",
    "needs",
    "recipe",
    "rows",
    "small",
    "stages",
    "write_configs",
    "yaml_text",
]
