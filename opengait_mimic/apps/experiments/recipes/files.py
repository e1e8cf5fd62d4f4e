"""The shipped files: which there are, and how they read."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import yaml

from opengait_mimic.apps.experiments.recipes.build import as_in_paper, file_name, recipe
from opengait_mimic.apps.experiments.recipes.facts import DATASETS
from opengait_mimic.apps.experiments.recipes.methods import BEYOND, BEYOND_KINDS, METHODS, REFITTED, VENS, needs, stages

LINE = 115  # of a comment
ON_ONE_LINE = 100  # characters of the longest mapping or list
HIDDEN = {
    "standard": "Top or bottom, 40-60 % hidden",
    "middle": "Top, bottom or middle, 40-60 % hidden",
    "dynamic": "Top, bottom, a moving patch or a moving pole, 40-60 % hidden",
    "life": "Top or bottom, somebody who crosses, an outline such as a bush, or a detector's cut",
    REFITTED: "Top or bottom, 40-60 % cut off and the rest stretched over the frame",
}
CLEAN_SHARE = {
    "standard": "a third", "middle": "a quarter", "dynamic": "a fifth", "life": "a sixth", REFITTED: "a third",
}  # fmt: skip
VEN_LOSS = {"both": "CE + 10 * L2", "classification": "CE on the kind", "regression": "L2 on the amount",
            "parts": "CE + 10 * L2 + CE on the amount's bins + BCE on the parts"}  # fmt: skip


def files() -> dict[str, str]:
    """Every shipped configuration: {path below the folder: text}.

    Table 1 for every data set and backbone; Tables 2 to 4 where the paper has them, and what goes beyond it, on GREW
    with GaitBase.
    """
    found = {}
    for dataset, facts in DATASETS.items():
        for backbone in facts.teachers:
            for run in stages((1, 2, 3, 4, BEYOND) if as_in_paper(dataset, backbone) else (1,)):
                place = (dataset, backbone, *run)
                found[f"{dataset}/{file_name(*place)}"] = yaml_text(recipe(*place), header(*place))
    return found


def write_configs(folder: Path) -> list[Path]:
    """Write every shipped configuration below a folder and return the paths."""
    written = []
    for name, content in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())
        written.append(path)
    return written


def header(dataset: str, backbone: str, method: str, kinds: str = "standard") -> list[str]:
    """The lines at the top of a shipped file: what it is, its row in the paper, what it needs, how it is tested."""
    how, facts = METHODS[method], DATASETS[dataset]
    teacher = facts.teachers[backbone]
    width = "cut to 44 columns" if teacher.cut else "64 columns, uncut"
    evaluation = f"Evaluation: {facts.protocol}."
    if how.tasks:
        only = {"both": "", "parts": ", with parts"}.get(how.tasks, f", {how.tasks} only")
        return [
            f"Stage 1: the Visibility Estimation Network on {dataset}, {width}{only}.",
            f"{HIDDEN[kinds]}; {CLEAN_SHARE[kinds]} of the clips are clean.",
            f"Batches of 32, Adam 1e-4, {VEN_LOSS[how.tasks]}, about 50 epochs.",
        ]
    if method == "teacher":
        what = f"Stage 1: {backbone} on holistic {dataset} clips, {width}: the teacher."
        return [what, *_opengaits_own(teacher.opengait, teacher.cut), evaluation]
    what = f"{how.title} around {backbone} on {dataset} ({width}): {how.note}."
    seen = "in training and at test" if how.trained else "at test"
    return [
        *textwrap.wrap(what, LINE),
        *_row(dataset, backbone, method, kinds),
        f"{HIDDEN[kinds]}, {seen}.",
        *_needed(dataset, backbone, method, kinds),
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


def _row(dataset: str, backbone: str, method: str, kinds: str) -> list[str]:
    """Where the paper has it, and where the schedule comes from if it does not."""
    how, facts = METHODS[method], DATASETS[dataset]
    if BEYOND in how.tables or kinds == REFITTED:
        return ["Beyond the paper (docs/beyond.md)."]
    if not facts.in_paper:
        row = "Not in the paper; a row of Table 1 for this data set."
        scaled = facts.second_stage(backbone)[0] < 300_000 and how.trained
        return [f"{row} 5/3 of its teacher's iterations, as on GREW." if scaled else row]
    if kinds in BEYOND_KINDS:
        return ["Not in the paper; its kinds of occlusion are closer to life."]
    if kinds != "standard":
        return [f"Paper: Table 2, adaptability to {kinds} occlusions."]
    tables = how.tables if as_in_paper(dataset, backbone) else (1,)
    return [f"Beside Table {tables[0]}."] if not how.in_paper else [f"Paper: {_tables(tables)}."]


def _tables(numbers: Sequence[int]) -> str:
    *most, last = map(str, numbers)
    return f"Tables {', '.join(most)} and {last}" if most else f"Table {last}"


def _needed(dataset: str, backbone: str, method: str, kinds: str) -> list[str]:
    names = {needed: file_name(dataset, backbone, needed, of) for needed, of in needs(method, kinds)}
    teacher = names["teacher"]
    ven = names.get(VENS.get(METHODS[method].ven))
    if not METHODS[method].trained:
        also = f"{teacher} and {ven}" if ven else teacher
        return [f"Needs the checkpoint of {also}. It is only tested: there is nothing to train."]
    distils = METHODS[method].model == "MimicGait" and method != "control"
    distils = distils or METHODS[method].model == "ResidualGait"
    use = "in training and for RP" if distils else "for RP only"
    return [f"Needs the checkpoint of {f'{ven}, and of {teacher}' if ven else teacher} {use}."]


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
