"""The configurations of every system and table of the paper; the one source of what `configs/mimicgait` holds.

`opengait-mimic recipe GREW GaitBase l2kd` prints one; `opengait-mimic recipe --all configs/mimicgait` writes the
shipped files again.
"""

from opengait_mimic.apps.experiments.recipes.build import file_name, recipe, small
from opengait_mimic.apps.experiments.recipes.facts import BACKBONES, DATASETS
from opengait_mimic.apps.experiments.recipes.files import header, shipped_files, yaml_file, yaml_text
from opengait_mimic.apps.experiments.recipes.methods import (
    BEYOND,
    METHODS,
    NEW_TYPES,
    OCCLUSIONS,
    TITLES,
    needs,
    rows,
    runs_of,
)

__all__ = [
    "BACKBONES", "BEYOND", "DATASETS", "METHODS", "NEW_TYPES", "OCCLUSIONS", "TITLES", "file_name", "header", "needs",
    "recipe", "rows", "runs_of", "shipped_files", "small", "yaml_file", "yaml_text",
]  # fmt: skip
