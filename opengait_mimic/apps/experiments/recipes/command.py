"""`opengait-mimic recipe`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from opengait_mimic.apps import console
from opengait_mimic.apps.experiments.recipes import DATASETS, METHODS, OCCLUSIONS, shipped_files, yaml_file
from opengait_mimic.data.files import write_text
from opengait_mimic.errors import ConfigError, nearest


@click.command()
@click.argument("dataset", required=False)
@click.argument("backbone", required=False)
@click.argument("method", required=False)
@click.option("--occlusions", default="standard", show_default=True, metavar="NAME",
              help=f"What it learns and is tested on: {', '.join(OCCLUSIONS)}.")  # fmt: skip
@click.option("--list", "listed", is_flag=True, help="List what there is, as without arguments.")
@click.option("--all", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Write the files that come along below FOLDER instead.")  # fmt: skip
def recipe(dataset, backbone, method, occlusions, listed, folder):
    """Print the YAML of any system of the paper's tables, or beyond them, for a DATASET, a BACKBONE and a METHOD.

    \b
    opengait-mimic recipe                                               what there is
    opengait-mimic recipe GREW GaitBase l2kd > l2kd.yaml
    opengait-mimic recipe Gait3D GaitGL mimic --occlusions dynamic > dynamic.yaml
    """
    if folder is not None:
        files = shipped_files()
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_text(folder / name, content)
        console.conclude(f"{len(files)} files below {folder}", {"folder": str(folder), "files": list(files)})
    elif dataset is None or listed:
        console.outcome(*_all_recipes())
    else:
        if method is None:
            raise ConfigError("recipe: give a data set, a backbone and a method; without any, all of them are listed")
        dataset = _known("data set", dataset, DATASETS)
        backbone = _known(f"backbone on {dataset}", backbone, DATASETS[dataset].teachers)
        method = _known("method", method, METHODS)
        occlusions = _known("--occlusions", occlusions, OCCLUSIONS)
        if method == "teacher" and occlusions != "standard":
            raise ConfigError("recipe: a teacher learns from holistic clips; leave --occlusions out")
        text = yaml_file(dataset, backbone, method, occlusions)
        console.outcome(text.rstrip("\n"), {"yaml": text})


def _known(what: str, name: str, known: Iterable[str]) -> str:
    """The known name that is meant, in upper or lower case."""
    for one in known:
        if one.lower() == name.lower():
            return one
    raise ConfigError(f"recipe: no {what} {name}; {nearest(name, known)}")


def _all_recipes() -> tuple[str, dict]:
    """What there is, as text and JSON-ready."""
    content: dict[str, dict] = {
        "data sets": {name: list(facts.teachers) for name, facts in DATASETS.items()},
        "methods": {name: f"{method.title}: {method.note}" for name, method in METHODS.items()},
        "occlusions": {name: list(types) for name, types in OCCLUSIONS.items()},
    }
    parts = []
    for title, entries in content.items():
        lines = [f"  {name:<22}{of if isinstance(of, str) else ', '.join(of)}" for name, of in entries.items()]
        parts.append("\n".join([f"{title}:", *lines]))
    return "\n\n".join(parts), content
