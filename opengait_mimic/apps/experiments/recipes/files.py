"""Recipes as YAML files: how they read, and which of them are shipped."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import yaml

from opengait_mimic.apps.experiments.recipes.build import PAPERS, file_name, recipe
from opengait_mimic.apps.experiments.recipes.facts import DATASETS
from opengait_mimic.apps.experiments.recipes.methods import (
    BEYOND,
    METHODS,
    NEW_TYPES,
    OCCLUSIONS,
    needs,
    rows,
)

LINE = 115  # characters of a comment


def shipped_runs() -> Iterator[tuple[str, str, str, str]]:
    """Every shipped file: its folder below configs/mimicgait, its data set, backbone and method.

    What one starts from: per data set the VENs, per backbone teacher and mimic, and Baseline-2 for the first backbone.
    In `studies` are the other rows of the paper's Tables 1, 3 and 4, and of what goes beyond it, on GREW with GaitBase.
    """
    for dataset, facts in DATASETS.items():
        for backbone in facts.teachers:
            starts = ["teacher", "ven", "mimic"]
            if backbone == next(iter(facts.teachers)):
                starts.append("baseline2")
            if (dataset, backbone) == PAPERS:
                starts += ["ven_classification", "ven_parts"]
                studies = dict.fromkeys(name for table in (1, 3, 4, BEYOND) for name, _ in rows(table))
                own = (name for name in studies if METHODS[name].in_paper or BEYOND in METHODS[name].tables)
                yield from (("studies", dataset, backbone, name) for name in own if name not in starts)
            yield from ((dataset, dataset, backbone, name) for name in starts)


def shipped_files() -> dict[str, str]:
    """Every shipped configuration: {path below configs/mimicgait: text}."""
    return {f"{folder}/{file_name(*run)}": yaml_file(*run) for folder, *run in shipped_runs()}


def yaml_file(dataset: str, backbone: str, method: str, occlusions: str = "standard") -> str:
    """A recipe's file: the arguments are `recipe`'s."""
    run = (dataset, backbone, method, occlusions)
    return yaml_text(recipe(*run), header(*run))


def header(dataset: str, backbone: str, method: str, occlusions: str = "standard") -> list[str]:
    """The lines at the top of a file: what it is, its row in the paper, what it needs, how it is tested."""
    how, facts = METHODS[method], DATASETS[dataset]
    teacher = facts.teachers[backbone]
    width = "cut to 44 columns" if teacher.cut else "64 columns, uncut"
    where = f"on {dataset}" if how.tasks else f"around {backbone} on {dataset}"
    lines = textwrap.wrap(f"{how.title} {where} ({width}): {how.note}.", LINE)
    if method == "teacher" and teacher.opengait:
        own = f"To take OpenGait's checkpoint instead, name its configs/{teacher.opengait} as the backbone"
        cut = "" if teacher.cut else ", ven_cut.yaml as the VEN, and BaseSilCuttingTransform in the transforms"
        lines += textwrap.wrap(f"{own}{cut}.", LINE)
    if method != "teacher":
        lines.append(f"{_row(dataset, backbone, method, occlusions)} Occlusions: {', '.join(OCCLUSIONS[occlusions])}.")
        lines += _needed(dataset, backbone, method, occlusions)
    return [*lines, f"Evaluation: {facts.protocol}."]


def _row(dataset: str, backbone: str, method: str, occlusions: str) -> str:
    """Where the paper has it."""
    how = METHODS[method]
    if how.tasks:
        return "Stage 1."
    if BEYOND in how.tables or occlusions not in ("standard", *NEW_TYPES):
        return "Beyond the paper (docs/beyond.md)."
    tables = (2,) if occlusions in NEW_TYPES else how.tables if (dataset, backbone) == PAPERS else (1,)
    if not (how.in_paper and DATASETS[dataset].in_paper and set(tables) <= set(how.tables)) or not tables:
        return "Not in the paper."
    return f"Paper: Table {', '.join(map(str, tables))}."


def _needed(dataset: str, backbone: str, method: str, occlusions: str) -> Iterator[str]:
    """The checkpoints it takes, and how to get a YAML that it names and that is not shipped."""
    names = {file_name(dataset, backbone, *run): run for run in needs(method, occlusions)}
    if names:
        nothing = "" if METHODS[method].trained else " There is nothing to train."
        yield f"Needs the checkpoint of {' and of '.join(names)}.{nothing}"
    shipped = {(of, file_name(of, by, name)) for _, of, by, name in shipped_runs()}
    for name, (ven, learned) in names.items():
        if (dataset, name) not in shipped:
            option = f" --occlusions {learned}" if learned != "standard" else ""
            yield f"{name} does not come along. Write it, where you train:"
            yield f"  mkdir -p configs/mimicgait/{dataset}"
            yield f"  opengait-mimic recipe {dataset} {backbone} {ven}{option} \\"
            yield f"    > configs/mimicgait/{dataset}/{name}"


def yaml_text(cfgs: dict, comment: Sequence[str] = ()) -> str:
    """A configuration as text: comment, then a block per section; what holds only values is on one line."""
    blocks = []
    for name, section in cfgs.items():
        flat = isinstance(section, dict) and not any(isinstance(value, (dict, list)) for value in section.values())
        style = False if flat else None  # None: one line for the innermost mappings and lists
        blocks.append(yaml.safe_dump({name: section}, default_flow_style=style, sort_keys=False, width=100))
    return "".join(f"# {line}\n" for line in comment) + "\n".join(blocks)
