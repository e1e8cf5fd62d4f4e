"""Recipes as YAML files: how they read, and which of them are shipped."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import yaml

from opengait_mimic.apps.experiments.recipes.build import as_in_paper, file_name, recipe
from opengait_mimic.apps.experiments.recipes.facts import DATASETS
from opengait_mimic.apps.experiments.recipes.methods import (
    ADDED_TYPES,
    BEYOND,
    METHODS,
    NEW_TYPES,
    OCCLUSIONS,
    REFITTED,
    needs,
    rows,
)

LINE = 115  # of a comment
ON_ONE_LINE = 100  # characters of the longest mapping or list
HIDDEN = {
    "standard": "Top or bottom, 40-60 % hidden",
    "middle": "Top, bottom or middle, 40-60 % hidden",
    "dynamic": "Top, bottom, a moving patch or a moving pole, 40-60 % hidden",
    "life": "Top or bottom, a crossing person, an outline such as a bush, or a detector's cut",
    REFITTED: "Top or bottom, 40-60 % cut off and the rest stretched over the frame",
}
SHARE = {3: "a third", 4: "a quarter", 5: "a fifth", 6: "a sixth"}
VEN_LOSS = {"both": "CE + 10 * L2", "classification": "CE on the type", "regression": "L2 on the amount",
            "parts": "CE + 10 * L2 + CE on the amount's bins + BCE on the parts"}  # fmt: skip


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
            if as_in_paper(dataset, backbone):
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
    teacher, hidden = facts.teachers[backbone], HIDDEN[occlusions]
    width = "cut to 44 columns" if teacher.cut else "64 columns, uncut"
    evaluation = f"Evaluation: {facts.protocol}."
    if how.tasks:
        only = {"both": "", "parts": ", with parts"}.get(how.tasks, f", {how.tasks} only")
        return [
            f"Stage 1: the Visibility Estimation Network on {dataset}, {width}{only}.",
            f"{hidden}; {SHARE[len(OCCLUSIONS[occlusions]) + 1]} of the clips are clean.",
            f"Batches of 32, Adam 1e-4, {VEN_LOSS[how.tasks]}, about 50 epochs.",
        ]
    if method == "teacher":
        what = f"Stage 1: {backbone} on holistic {dataset} clips, {width}: the teacher."
        return [what, *_opengaits_own(teacher.opengait, teacher.cut), evaluation]
    return [
        *textwrap.wrap(f"{how.title} around {backbone} on {dataset} ({width}): {how.note}.", LINE),
        _row(dataset, backbone, method, occlusions),
        f"{hidden}, {'in training and at test' if how.trained else 'at test'}.",
        *_needed(dataset, backbone, method, occlusions),
        evaluation,
    ]


def _opengaits_own(path: str | None, cut: bool) -> list[str]:
    if path is None:
        return ["OpenGait ships no YAML of it."]
    if cut:
        return [f"OpenGait's configs/{path} and its checkpoint serve as well: name it as the backbone."]
    return [
        f"OpenGait's configs/{path} cuts to 44 columns, the paper does not. To take its checkpoint,",
        "name it as the backbone and ven_cut.yaml as the VEN, with BaseSilCuttingTransform in the transforms.",
    ]


def _row(dataset: str, backbone: str, method: str, occlusions: str) -> str:
    """Where the paper has it, and where the schedule comes from if it does not."""
    how, facts = METHODS[method], DATASETS[dataset]
    if BEYOND in how.tables or occlusions == REFITTED:
        return "Beyond the paper (docs/beyond.md)."
    if not facts.in_paper:
        scaled = facts.second_stage(backbone)[0] < 300_000 and how.trained
        more = " 5/3 of its teacher's iterations, as on GREW." if scaled else ""
        return f"Not in the paper; a row of Table 1 for this data set.{more}"
    if occlusions in NEW_TYPES:
        return f"Paper: Table 2, adaptability to {occlusions} occlusions."
    if occlusions in ADDED_TYPES:
        return "Not in the paper; its occlusions are closer to life."
    *most, last = map(str, how.tables if as_in_paper(dataset, backbone) else (1,))
    if not how.in_paper:
        return f"Beside Table {last}."
    return f"Paper: Tables {', '.join(most)} and {last}." if most else f"Paper: Table {last}."


def _needed(dataset: str, backbone: str, method: str, occlusions: str) -> Iterator[str]:
    """The checkpoints it takes, and how to get a YAML that it names and that is not shipped."""
    how, (teacher, *vens) = METHODS[method], needs(method, occlusions)
    ven = file_name(dataset, backbone, *vens[0]) if vens else None
    names = file_name(dataset, backbone, *teacher)
    if not how.trained:
        also = f"{names} and {ven}" if ven else names
        yield f"Needs the checkpoint of {also}. There is nothing to train."
    else:
        distils = how.model in ("MimicGait", "ResidualGait") and method != "control"
        use = "in training and for RP" if distils else "for RP only"
        yield f"Needs the checkpoint of {f'{ven}, and of {names}' if ven else names} {use}."
    shipped = {(of, file_name(of, by, name)) for _, of, by, name in shipped_runs()}
    if ven and (dataset, ven) not in shipped:
        name, kind = vens[0]
        folder = f"configs/mimicgait/{dataset}"
        asked = f"{dataset} {backbone} {name}" + (f" --occlusions {kind}" if kind != "standard" else "")
        yield f"{ven} does not come along. Write it, where you train:"
        yield f"  mkdir -p {folder}"
        yield f"  opengait-mimic recipe {asked} \\"
        yield f"    > {folder}/{ven}"


def yaml_text(cfgs: dict, comment: Sequence[str] = ()) -> str:
    """A configuration as text: comment, then a block per section, short mappings and lists on one line."""
    blocks = [yaml.dump({name: value}, Dumper=_Dumper, sort_keys=False, width=2**20) for name, value in cfgs.items()]
    return "".join(f"# {line}\n" for line in comment) + "\n".join(blocks)


class _Dumper(yaml.SafeDumper):
    """Block style down to the mappings and lists that hold nothing but values and fit on a line."""

    def represent(self, data):
        root = self.represent_data(data)
        _set_style(root)
        for _, section in root.value:
            section.flow_style = False
        self.serialize(root)

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data):
        return True


def _set_style(node: yaml.Node) -> int:
    """Choose the style of a node and all below it; the length it takes on one line."""
    if isinstance(node, yaml.ScalarNode):
        return len(node.value)
    mapping = isinstance(node, yaml.MappingNode)
    values = [value for _, value in node.value] if mapping else node.value
    length = sum(_set_style(value) + 2 for value in values)
    length += sum(len(key.value) + 2 for key, _ in node.value) if mapping else 0
    leaf = not any(isinstance(value, yaml.MappingNode) for value in values)
    inline = all(isinstance(value, yaml.ScalarNode) or value.flow_style for value in values)
    node.flow_style = leaf and inline and length <= ON_ONE_LINE
    return length
