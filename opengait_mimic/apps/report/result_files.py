"""The result files a report reads: the one schema of what they hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import NotRequired, TypedDict

PAPERS_AMOUNT = [0.4, 0.6]  # of an occlusion, where a YAML does not say

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True)]
Pair = Annotated[list[Number], Field(min_length=2, max_length=2)]
Scores = dict[str, Number | None]


class Kind(TypedDict):
    kind: str
    prob: Number
    amount: Pair


class Metric(TypedDict, total=False):
    mean: Number | None
    sd: Number | None
    interval: Pair | None
    values: list[Number | None] | None
    HP: Number | None
    RP: Number | None
    RP_interval: Pair | None


class ByKind(TypedDict):
    probes: Number
    scores: Scores


class ByAmount(ByKind):
    range: Pair


class Roc(TypedDict):
    far: list[Number]
    tar: list[Number]


class Test(TypedDict):
    name: str
    protocol: Literal["standard", "generalizability", "adaptability", "severity"]
    kinds: list[Kind]
    zero_shot: bool
    scores: dict[str, Metric]
    conditions: NotRequired[dict[str, Scores] | None]
    by_kind: NotRequired[dict[str, ByKind] | None]
    by_amount: NotRequired[list[ByAmount] | None]
    cmc: NotRequired[list[Number] | None]
    roc: NotRequired[Roc | None]


class WeightsFile(TypedDict):
    path: str
    sha256: str


class Checkpoint(WeightsFile):
    iteration: Whole


class Protocol(TypedDict):
    metric: str
    who: str
    gallery_by: str
    repeats: Whole


class Holistic(TypedDict):
    own: Scores
    teacher: NotRequired[Scores | None]


class Result(TypedDict):
    """What all result files hold, as far as a report reads it."""

    kind: str
    versions: dict[str, str | None]
    host: NotRequired[str | None]
    seed: Whole
    config: dict
    checkpoint: NotRequired[Checkpoint | None]
    dataset: str
    method: str


class Recognition(Result):
    """The result file of a recognition test."""

    teacher: NotRequired[WeightsFile | None]
    backbone: str
    protocol: Protocol
    trained_kinds: list[str]
    holistic: Holistic
    retention: NotRequired[Scores | None]
    tests: list[Test]
    probes: NotRequired[str | None]


class Visibility(Result):
    """The result file of a VEN's test."""

    classes: list[str]
    confusion: list[list[Whole]]
    accuracy: NotRequired[Number | None]
    amount_error: NotRequired[Number | None]
    amount_error_by_kind: NotRequired[list[Number | None] | None]
    parts_error: NotRequired[Number | None]


FORMATS: dict[str, TypeAdapter] = {"recognition": TypeAdapter(Recognition), "visibility": TypeAdapter(Visibility)}


def read_result(path: Path) -> dict:
    """A result file's checked content.

    Args:
        path: of the file.

    Returns:
        The content; its tests' kinds have all that a YAML leaves out, its texts no control characters.

    Raises:
        ValueError: it is no result of ours; the text names the key that is wrong.
        OSError: it cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(content, dict) or content.get("kind") not in tuple(FORMATS):
        raise ValueError("no result file of opengait-mimic")
    if content.get("format") != 1:
        raise ValueError(f"format {content.get('format')!r}; this version reads format 1")
    content = dict(_printable(content))
    for test in content.get("tests", ()) if isinstance(content.get("tests"), list) else ():
        if isinstance(test, dict):
            test["kinds"] = _kinds(test.get("kinds"))
    try:
        FORMATS[content["kind"]].validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{where}: {first['msg']}; found {repr(first['input'])[:60]}") from None
    if content["kind"] == "visibility":
        size = len(content["classes"])
        if [len(row) for row in content["confusion"]] != [size] * size:
            raise ValueError(f"confusion: expected {size} x {size} counts")
    for test in content.get("tests", ()):
        roc = test.get("roc")
        if roc and len(roc["far"]) != len(roc["tar"]):
            raise ValueError(f"roc of {test['name']!r}: far and tar differ in length")
    return content


def _kinds(kinds: Any) -> Any:
    """A YAML's list of kinds with what it leaves out: an equal share of the rest as `prob`, the paper's `amount`."""
    if not isinstance(kinds, list):
        return kinds
    entries: list[Any] = [{"kind": kind} if isinstance(kind, str) else kind for kind in kinds]
    if not all(isinstance(entry, dict) for entry in entries):
        return kinds
    given = [entry["prob"] for entry in entries if isinstance(entry.get("prob"), (int, float))]
    rest = (1 - sum(given)) / max(1, len(entries) - len(given))
    full = []
    for entry in entries:
        amount = entry.get("amount", PAPERS_AMOUNT)
        amount = [amount, amount] if isinstance(amount, (int, float)) else amount
        full.append({**entry, "prob": rest if entry.get("prob") is None else entry["prob"], "amount": amount})
    return full


def _printable(value: Any) -> Any:
    """The same with control and invisible characters of texts as spaces: names end up in tables and terminals."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() else " " for c in value)
    if isinstance(value, dict):
        return {_printable(key): _printable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_printable(inner) for inner in value]
    return value
