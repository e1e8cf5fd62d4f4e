"""Result files of runs: found, read, checked, and grouped so that only like is put beside like."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from opengait_mimic.apps.experiments.recipes import TITLES
from opengait_mimic.apps.report.result_files import read_result
from opengait_mimic.errors import DataError
from opengait_mimic.opengait.config.transforms import lifted

BACKBONES = ("GaitBase", "GaitGL", "DeepGaitV2")
DATASETS = ("Gait3D", "GREW", "CASIA-B", "OUMVLP", "CCPG", "SUSTech1K")


class Spread(NamedTuple):
    """Mean and sample standard deviation (None for one value) of n values."""

    mean: float
    sd: float | None
    n: int


@dataclass(frozen=True)
class Score:
    """One metric of one group, over seeds: percent, and RP with the HP it is relative to where these are known."""

    value: Spread
    rp: Spread | None = None
    hp: Spread | None = None


class Setting(NamedTuple):
    """How a test compares: its distance, who is occluded, and whose network embeds the gallery."""

    metric: str
    who: str
    gallery_by: str

    def __str__(self) -> str:
        who = {"both": "probe and gallery", "probe": "probe", "gallery": "gallery"}.get(self.who, self.who)
        return f"{who} occluded, gallery embedded by the {self.gallery_by}, distance {self.metric}"


class TestId(NamedTuple):
    """Which test of a run: two tests with the same one are the same task. `kinds` is JSON in a fixed order."""

    protocol: str
    name: str
    kinds: str

    @property
    def fraction(self) -> float | None:
        """A severity test's occluded fraction, which is its name."""
        try:
            return float(self.name)
        except ValueError:
            return None

    def occlusions(self) -> str:
        """The kinds in words: "top 50 %, bottom 50 %; 40–60 % hidden"."""
        return kinds_text(json.loads(self.kinds))


@dataclass(frozen=True)
class Run:
    """One result file.

    Attributes:
        path: where it lies.
        content: the checked file.
        refitted: whether its occlusions are shown as a tight detection box would, as far as its configuration tells.
    """

    path: Path
    content: dict
    refitted: bool

    @property
    def setting(self) -> Setting:
        protocol = self.content["protocol"]
        return Setting(protocol["metric"], protocol["who"], protocol["gallery_by"])

    @property
    def teacher(self) -> str:
        """What tells the network that HP belongs to from others: its hash, or the run where that is not known."""
        found = self.content.get("teacher") or self.content.get("checkpoint")
        return found["sha256"] if found else str(self.path)

    @property
    def iteration(self) -> int:
        """Of the checkpoint; 0 where the network was never trained itself."""
        return (self.content.get("checkpoint") or {"iteration": 0})["iteration"]


@dataclass(frozen=True)
class Group:
    """The same test of runs that differ in seed only; `runs[i]` gave `tests[i]`, in the order of their seeds."""

    dataset: str
    backbone: str
    method: str
    trained_kinds: tuple[str, ...]
    setting: Setting
    test: TestId
    runs: tuple[Run, ...]
    tests: tuple[dict, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(run.content["seed"] for run in self.runs)

    @property
    def zero_shot(self) -> bool:
        return any(test["zero_shot"] for test in self.tests)

    def score(self, metric: str) -> Score | None:
        """The metric over seeds; None where no run has it. HP is averaged over distinct teachers."""
        found = [test["scores"].get(metric, {}) for test in self.tests]
        value = spread(score.get("mean") for score in found)
        rp = spread(score.get("RP") for score in found)
        return None if value is None else Score(value, rp, holistic_performance([self], metric))

    def retention(self, metric: str) -> Spread | None:
        """The network's own metric on holistic clips relative to HP, over seeds; None where no run has it."""
        return spread((run.content.get("retention") or {}).get(metric) for run in self.runs)

    def holistic(self, metric: str) -> Score | None:
        """The network's own metric on holistic clips, over seeds."""
        value = spread(run.content["holistic"]["own"].get(metric) for run in self.runs)
        return None if value is None else Score(value)


@dataclass
class Collection:
    """What was found.

    Attributes:
        runs: recognition results.
        visibility: results of VEN tests.
        skipped: a line for each file left aside.
    """

    runs: list[Run] = field(default_factory=list)
    visibility: list[Run] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def collect(paths: Iterable[Path]) -> Collection:
    """Read result files, and those under folders' `results` folders, each file once.

    Of several results of one method, setting and seed (two checkpoints, say) only the latest iteration counts, and of
    several of it the one with the most tests.

    Args:
        paths: files and folders.

    Returns:
        What was found.

    Raises:
        DataError: no result among them.
    """
    paths = [Path(p) for p in paths]
    collection = Collection()
    read: dict[Path, Run] = {}
    for path in sorted({file.resolve(): file for given in paths for file in _files(given)}.values()):
        try:
            content = read_result(path)
            read[path] = Run(path, content, _refitted(content["config"]))
        except (OSError, ValueError) as error:
            collection.skipped.append(f"{path}: skipped: {error}")
    latest: dict[tuple, Run] = {}
    for run in read.values():
        key = _identity(run)
        other = latest.get(key)
        if other is not None:
            old, new = sorted((other, run), key=lambda r: (r.iteration, len(r.content.get("tests", ())), str(r.path)))
            collection.skipped.append(f"{old.path}: skipped: {new.path} has the same method and seed")
            run = new
        latest[key] = run
    for run in latest.values():
        (collection.visibility if run.content["kind"] == "visibility" else collection.runs).append(run)
    if not latest:
        reasons = "".join(f"\n  {line}" for line in collection.skipped[:5])
        raise DataError(f"no result file of ours in {', '.join(map(str, paths))}{reasons}")
    return collection


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in path.rglob("*.json") if file.resolve().parent.name == "results"]
    return [path]


def groups(runs: Iterable[Run]) -> list[Group]:
    """Every test of every run, repetitions with other seeds together, in the order of the paper's tables."""
    found: dict[tuple, list[tuple[Run, dict]]] = {}
    for run in sorted(runs, key=lambda r: r.content["seed"]):
        content = run.content
        for test in content["tests"]:
            identity = TestId(test["protocol"], test["name"], _canonical(test["kinds"]))
            key = (content["dataset"], content["backbone"], content["method"],
                   tuple(sorted(set(content["trained_kinds"]))), run.setting, identity)  # fmt: skip
            found.setdefault(key, []).append((run, test))
    made = [Group(*key, *(tuple(column) for column in zip(*pairs, strict=True))) for key, pairs in found.items()]
    return sorted(made, key=_order)


def spread(values: Iterable[float | None]) -> Spread | None:
    """Mean and sample standard deviation of those values that are there; None of nothing."""
    found = [v for v in values if v is not None]
    if not found:
        return None
    return Spread(statistics.fmean(found), statistics.stdev(found) if len(found) > 1 else None, len(found))


def holistic_performance(groups: Iterable[Group], metric: str) -> Spread | None:
    """HP over the distinct teachers of all runs; one teacher's mean over its runs counts once."""
    found: dict[str, list[float]] = {}
    for group in groups:
        for run, test in zip(group.runs, group.tests, strict=True):
            hp = test["scores"].get(metric, {}).get("HP")
            if hp is not None:
                found.setdefault(run.teacher, []).append(hp)
    return spread(map(statistics.fmean, found.values()))


def commonest(items: Iterable) -> object:
    """What occurs most often; of several the first by its text. None of nothing."""
    counts = Counter(items)
    return min(counts, key=lambda item: (-counts[item], str(item)), default=None)


def rank(name: str, known: tuple[str, ...]) -> tuple:
    """A sort key: known names in their order, "name (variant)" right after its name, unknown ones alphabetically."""
    base = name.split(" (")[0]
    return (known.index(base) if base in known else len(known), name)


def kinds_text(kinds: list[dict]) -> str:
    """Kinds of a mixture in words."""
    amounts = [kind["amount"] for kind in kinds]
    alike = bool(kinds) and all(amount == amounts[0] for amount in amounts)
    names = []
    for kind in kinds:
        name = f"{kind['kind'].replace('_', ' ')} {100 * kind['prob']:.0f} %"
        if kind.get("refit"):
            name += " refitted"
        names.append(name if alike else f"{name} ({_amount(kind['amount'])})")
    text = ", ".join(names) or "nothing"
    return f"{text}; {_amount(amounts[0])} hidden" if alike else text


def differing_settings(group: Group) -> list[str]:
    """Keys in which the configurations of a group's runs differ though only seeds, names and places should."""
    flat = [_flat({"config": run.content["config"], "iteration": run.iteration}) for run in group.runs]
    keys = sorted({key for config in flat for key in config})
    return [key for key in keys if len({_canonical(config.get(key)) for config in flat}) > 1]


def _flat(value: object, key: str = "") -> dict[str, object]:
    if isinstance(value, dict):
        pairs = [(f"{key}.{name}" if key else name, inner) for name, inner in value.items()]
    elif isinstance(value, list):
        pairs = [(f"{key}.{number}", inner) for number, inner in enumerate(value)]
    else:
        name = key.rsplit(".", 1)[-1]
        expected = "seed" in name or name in ("save_name", "restore_hint")
        place = isinstance(value, str) and ("/" in value or value.endswith((".yaml", ".pt", ".json")))
        return {} if expected or place else {key: value}
    return {name: leaf for inner_key, inner in pairs for name, leaf in _flat(inner, inner_key).items()}


def _amount(amount: list[float]) -> str:
    low, high = (f"{100 * a:.0f}" for a in amount)
    return f"{low} %" if low == high else f"{low}–{high} %"


def _order(group: Group) -> tuple:
    return (
        rank(group.dataset, DATASETS),
        rank(group.backbone, BACKBONES),
        ("standard", "generalizability", "adaptability", "severity").index(group.test.protocol),
        group.test.name,
        group.test.kinds,
        group.setting,
        rank(group.method, TITLES),
        group.trained_kinds,
    )


def _identity(run: Run) -> tuple:
    content = run.content
    same = (content["kind"], content["dataset"], content["method"], content["seed"], run.refitted)
    if content["kind"] == "visibility":
        return (*same, tuple(content["classes"]))
    return (*same, content["backbone"], tuple(sorted(set(content["trained_kinds"]))), run.setting)


def _canonical(value: object) -> str:
    """JSON that does not depend on the order of keys, nor on that of the kinds of a mixture."""
    if isinstance(value, list) and all(isinstance(v, dict) for v in value):
        value = sorted(value, key=lambda v: json.dumps(v, sort_keys=True))
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _refitted(config: dict) -> bool:
    """Whether a run's configuration occludes at test with refitted kinds.

    Raises:
        ValueError: its `Occlusion` stands where it cannot, or its kinds are no list.
    """
    evaluator = config.get("evaluator_cfg")
    if not isinstance(evaluator, dict):
        return False
    kinds = (lifted(evaluator.get("transform"), "evaluator_cfg")[1] or {}).get("kinds") or []
    if not isinstance(kinds, list):
        raise ValueError(f"evaluator_cfg: Occlusion: kinds: expected a list, found {kinds!r:.60}")
    return any(isinstance(kind, dict) and bool(kind.get("refit")) for kind in kinds)
