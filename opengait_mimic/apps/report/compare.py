"""What stands side by side in tables and figures, and what it is called there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from opengait_mimic.apps.experiments.recipes import TITLES
from opengait_mimic.apps.report.collect import DATASETS, Group, Run, commonest, rank
from opengait_mimic.evaluation.results import MATCHING_TITLES

TABLE1 = ("Baseline-1", "Baseline-2", "Occlusion Aware", "Mimic + VEN")
BEYOND = {"registered", "clean clips", *MATCHING_TITLES.values()}  # what stands behind a method's name, between commas


@dataclass(frozen=True)
class Main:
    """The tests that stand side by side in a data set's tables: those of most methods; the others are only listed.

    Attributes:
        standard: groups of the standard test, one test a data set.
        extra: groups of the generalizability and adaptability tests, one test for each of their names.
        severity: groups of the sweep.
        beyond: groups of every standard test that something beyond the paper was tested by.
        notes: what was left to the table of all scores.
    """

    standard: list[Group] = field(default_factory=list)
    extra: list[Group] = field(default_factory=list)
    severity: list[Group] = field(default_factory=list)
    beyond: list[Group] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def main_tests(groups: list[Group]) -> Main:
    """Choose what can be compared: one setting a data set, one mixture of occlusion types a test."""
    main = Main()
    for (dataset,), mine in by(groups, lambda g: (g.dataset,)):
        left = []
        setting = commonest(g.setting for g in mine)
        left += sorted({f"results with {g.setting} stand" for g in mine if g.setting != setting})
        mine = [g for g in mine if g.setting == setting]
        sweep = [g for g in mine if g.test.protocol == "severity"]
        mixed = commonest(_without_amounts(g) for g in sweep)
        main.severity.extend(g for g in sweep if _without_amounts(g) == mixed)
        if any(_without_amounts(g) != mixed for g in sweep):
            left.append("severity tests with other mixtures of kinds stand")
        ours = {(g.backbone, g.test) for g in mine if g.test.protocol == "standard" and is_beyond(g.method)}
        main.beyond.extend(g for g in mine if (g.backbone, g.test) in ours)
        others = [g for g in mine if g.test.protocol != "severity"]
        for (protocol, name), same in by(others, lambda g: (g.test.protocol, g.test.name)):
            kinds = commonest(g.test.kinds for g in same)
            (main.standard if protocol == "standard" else main.extra).extend(g for g in same if g.test.kinds == kinds)
            left += sorted({f"test {name} with {g.test.occlusions()} stands" for g in same
                            if g.test.kinds != kinds and (g.backbone, g.test) not in ours})  # fmt: skip
        main.notes.extend(f"{dataset}: {what} in the table of all scores only." for what in left)
    return main


def _without_amounts(group: Group) -> str:
    return json.dumps([{**kind, "amount": None} for kind in json.loads(group.test.kinds)])


def is_beyond(method: str) -> bool:
    """Whether a method, by its name, goes beyond the paper."""
    return method == "Residual" or "VEN+" in method or not BEYOND.isdisjoint(method.split(", ")[1:])


def table1_groups(groups: list[Group]) -> list[Group]:
    """Those of Table 1: the paper's four systems, and methods that none of its tables knows."""
    return [g for g in groups if g.method in TABLE1 or g.method.split(" (")[0] not in TITLES]


def by(groups: Iterable, key: Callable) -> list[tuple[tuple, list]]:
    """Groups (or runs) by a key, in the order in which the keys appear."""
    found: dict[tuple, list] = {}
    for g in groups:
        found.setdefault(key(g), []).append(g)
    return list(found.items())


def by_place(groups: list[Group]) -> list[tuple[tuple[str, str], list[Group]]]:
    """Groups by data set and backbone, in the paper's order."""
    return by(groups, lambda g: (g.dataset, g.backbone))


def distinct(items: Iterable) -> list:
    """Each item once, in the order in which they appear."""
    return list(dict.fromkeys(items))


def where_text(dataset: str, backbone: str) -> str:
    """What a panel or a row is about: "GaitBase on GREW"."""
    return f"{backbone} on {dataset}"


def tested(groups: list[Group]) -> list[str]:
    """What the standard tests are, said once where they are the same for all data sets."""
    tests = {g.dataset: f"{g.test.occlusions()}; {g.setting}" for g in groups}
    if len(set(tests.values())) == 1:
        return [f"Test: {next(iter(tests.values()))}."]
    return [f"Test, {dataset}: {what}." for dataset, what in tests.items()]


def trained_text(kinds: Iterable[str]) -> str:
    """The occlusion types a network learned from, as they are read."""
    return ", ".join(kind.replace("_", " ") for kind in kinds) or "holistic clips"


def labels(groups: list[Group], names: dict[str, str] | None = None, flag: bool = True) -> list[str]:
    """What to call each group beside the others of its data set and backbone.

    Args:
        groups: those that stand together.
        names: what a method is called here, where that is not its name.
        flag: whether zero-shot tests get a dagger.

    Returns:
        For each group the method's name, with the types it was trained on where the method stands there twice.
    """
    place = Counter((g.dataset, g.backbone, g.method) for g in groups)
    found = []
    for g in groups:
        label = (names or {}).get(g.method, g.method)
        if place[g.dataset, g.backbone, g.method] > 1:
            label += f" (trained on {trained_text(g.trained_kinds)})"
        found.append(f"{label} †" if flag and g.zero_shot else label)
    return found


def sweeps(groups: list[Group]) -> list[tuple[str, dict[float, Group]]]:
    """The severity tests of one data set and backbone: a method's label and its groups by occluded fraction."""
    known = [(g, g.test.fraction) for g in groups if g.test.fraction is not None]
    known.sort(key=lambda pair: (rank(pair[0].method, TITLES), pair[0].trained_kinds, str(pair[1])))
    found: dict[tuple, dict[float, Group]] = {}
    for g, amount in known:
        found.setdefault((g.method, g.trained_kinds), {}).setdefault(amount, g)
    firsts = [next(iter(sweep.values())) for sweep in found.values()]
    return list(zip(labels(firsts, flag=False), found.values(), strict=True))


def networks(runs: list[Run]) -> dict[tuple[str, str, tuple[str, ...]], list[Run]]:
    """VEN results by data set, label and classes; those of several seeds together.

    The label is the method's name, with the types it learned where a data set has several of that name.
    """

    def key(run: Run) -> tuple:
        name = run.content["method"] + (" on refitted clips" if run.refitted else "")
        return run.content["dataset"], name, tuple(run.content["classes"])

    found = by(runs, key)
    several = Counter(key[:2] for key, _ in found)
    labelled = {}
    for (dataset, method, classes), mine in sorted(
        found, key=lambda pair: (rank(pair[0][0], DATASETS), rank(pair[0][1], TITLES), len(pair[0][2]), pair[0][2])
    ):
        kinds = trained_text(name for name in classes if name != "clean")
        labelled[dataset, f"{method} ({kinds})" if several[dataset, method] > 1 else method, classes] = mine
    return labelled
