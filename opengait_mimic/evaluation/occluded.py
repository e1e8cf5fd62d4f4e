"""Occluded evaluation: who is occluded by what, how often, and how much of the holistic accuracy remains."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from opengait_mimic.errors import ConfigError, nearest
from opengait_mimic.evaluation.recognition import Recognition, cmc, per_probe, scores
from opengait_mimic.evaluation.relative_performance import relative_performance
from opengait_mimic.evaluation.statistics import bootstrap_interval, repeats_interval, rp_interval
from opengait_mimic.method.occlusion import Mixture, mixture

WHO = ("probe", "gallery", "both")
GALLERY_BY = ("network", "teacher")
STANDARD = "occluded"  # the name of the test by the YAML's own Occlusion
LEVEL = 0.95  # of every interval
AMOUNT_BINS = tuple(round(0.1 * i, 1) for i in range(11))


@dataclass(frozen=True)
class Settings:
    """`evaluator_cfg.occluded`.

    Attributes:
        who: is occluded: "probe", "gallery" or "both".
        gallery_by: who embeds a whole gallery: the "network" itself or its "teacher".
        repeats: draws of the occlusion, with the seeds seed, seed + 1, …
        severity: occluded fractions of the frame's extent for a sweep, each above 0 and at most 1: of the probes,
            against the whole gallery (with who: gallery, of the gallery, for whole probes).
        generalizability: tests by name, of kinds the network was not trained on.
        adaptability: tests by name, of kinds it was trained on besides others.
    """

    who: str = "both"
    gallery_by: str = "network"
    repeats: int = 1
    severity: tuple[float, ...] = ()
    generalizability: dict[str, list] = field(default_factory=dict)
    adaptability: dict[str, list] = field(default_factory=dict)


@dataclass(frozen=True)
class OccludedTest:
    """One test of a network.

    Attributes:
        name: "occluded" for the YAML's own Occlusion, else the name in the YAML or the occluded fraction.
        protocol: "standard", "generalizability", "adaptability" or "severity".
        mixture: what occludes. kinds: the same as the YAML has it.
        zero_shot: whether any of its kinds was not among the training kinds.
        seeds: one per repeat.
    """

    name: str
    protocol: str
    mixture: Mixture
    kinds: list
    zero_shot: bool
    seeds: tuple[int, ...]


def settings(section: object, where: str = "evaluator_cfg: occluded") -> Settings:
    """Check and read `evaluator_cfg.occluded`.

    Raises:
        ConfigError: an unknown key, or a value that is not allowed.
    """
    section = {} if section is None else section
    if not isinstance(section, dict):
        raise ConfigError(f"{where}: expected a mapping, found {section!r}")
    allowed = tuple(Settings.__dataclass_fields__)
    for key in section:
        if key not in allowed:
            raise ConfigError(f"{where}: unknown key {key!r}; {nearest(key, allowed)}")
    for key, values in (("who", WHO), ("gallery_by", GALLERY_BY)):
        if key in section and section[key] not in values:
            raise ConfigError(f"{where}: {key}: {section[key]!r}; {nearest(section[key], values)}")
    repeats = section.get("repeats", 1)
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        raise ConfigError(f"{where}: repeats: {repeats!r} is not a whole number from 1")
    severity = section.get("severity") or ()
    if not isinstance(severity, (list, tuple)) or not all(_is_fraction(a) for a in severity):
        raise ConfigError(f"{where}: severity: {severity!r} is not a list of fractions above 0 and at most 1")
    named = {}
    for key in ("generalizability", "adaptability"):
        tests = section.get(key) or {}
        if not isinstance(tests, dict) or not all(isinstance(name, str) for name in tests):
            raise ConfigError(f"{where}: {key}: expected names with a list of kinds each, found {tests!r}")
        named[key] = tests
    read = Settings(section.get("who", "both"), section.get("gallery_by", "network"), repeats, tuple(severity), **named)
    if read.gallery_by == "teacher" and read.who != "probe":
        raise ConfigError(f"{where}: gallery_by: the teacher embeds whole galleries only; set who: probe")
    return read


def _is_fraction(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1


def occluded_tests(
    asked: Settings, kinds: list, seed: int, trained: tuple[str, ...], where: str = "evaluator_cfg: occluded"
) -> list[OccludedTest]:
    """The tests that `asked` stands for: the standard one first, then the sweep and the named protocols.

    Args:
        kinds: of the YAML's own Occlusion. seed: of the first repeat. trained: kinds the network was trained on.
    Raises:
        ConfigError: kinds that cannot be read or do not fit their protocol, or a name that stands twice.
    """
    seeds = tuple(range(seed, seed + asked.repeats))

    def test(name: str, protocol: str, kinds: list, drawn: Mixture) -> OccludedTest:
        zero_shot = any(kind not in trained for kind in drawn.names)
        return OccludedTest(name, protocol, drawn, kinds, zero_shot, seeds)

    standard = mixture(kinds)
    tests = [test(STANDARD, "standard", kinds, standard)]
    for amount in asked.severity:
        fixed = replace(standard, types=tuple(replace(t, amount=(amount, amount)) for t in standard.types))
        entries = [{"kind": e} if isinstance(e, str) else e for e in kinds]
        tests.append(test(f"{amount:g}", "severity", [{**e, "amount": amount} for e in entries], fixed))
    for protocol in ("generalizability", "adaptability"):
        for name, others in getattr(asked, protocol).items():
            try:
                drawn = mixture(others)
            except ConfigError as error:
                raise ConfigError(f"{where}: {protocol}: {name}: {error}") from None
            tests.append(test(name, protocol, others, drawn))
            known = sorted(set(drawn.names) & set(trained))
            if protocol == "generalizability" and known:
                raise ConfigError(f"{where}: generalizability: {name}: the network was trained on {', '.join(known)}")
            unknown = sorted(set(drawn.names) - set(trained))
            if protocol == "adaptability" and unknown:
                raise ConfigError(f"{where}: adaptability: {name}: the network was not trained on {', '.join(unknown)}")
    names = [t.name for t in tests]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{where}: the name {name!r} stands for two tests")
    return tests


@dataclass(frozen=True)
class Repeat:
    """One draw of one test.

    Attributes:
        scores: in percent, by name. recognition: what they come from; None for an eval function of the host's.
        kind: [n] class of each clip's occlusion in the test's mixture. amount: [n] its occluded fraction.
            None where probes are whole.
    """

    scores: dict[str, float]
    recognition: Recognition | None
    kind: np.ndarray | None
    amount: np.ndarray | None


@dataclass(frozen=True)
class Holistic:
    """The same test set without occlusion: `scores` in percent, and what they come from."""

    scores: dict[str, float]
    recognition: Recognition | None


def summary(test: OccludedTest, repeats: list[Repeat], reference: Holistic | None) -> dict:
    """A test's entry in the result file.

    RP = OP / HP (Eq. 3) of the mean over repeats, HP being the reference's accuracy by the same protocol; its
    interval is the paired bootstrap over probes. A score's own interval is Student's t over repeats, with one
    repeat the bootstrap over probes.

    Args:
        repeats: one per seed of the test. reference: the teacher on whole clips, None where it is not there.
    """
    first = repeats[0].recognition
    entry: dict[str, Any] = {
        "name": test.name,
        "protocol": test.protocol,
        "kinds": test.kinds,
        "zero_shot": test.zero_shot,
        "scores": {name: _score(name, repeats, reference) for name in repeats[0].scores},
        "conditions": {},
        "by_kind": {},
        "by_amount": [],
    }
    if first is None:
        return entry
    conditions = [r.recognition.conditions for r in repeats]
    if len(conditions[0]) > 1:
        entry["conditions"] = {name: _mean([scores(c[name]) for c in conditions]) for name in conditions[0]}
    if repeats[0].kind is not None:
        for index, name in enumerate(test.mixture.classes):
            part = _part(repeats, [r.kind == index for r in repeats])
            if part is not None:
                entry["by_kind"][name] = part
        for low, high in zip(AMOUNT_BINS[:-1], AMOUNT_BINS[1:], strict=True):
            part = _part(repeats, [(r.amount > low) & (r.amount <= high) for r in repeats])
            if part is not None:
                entry["by_amount"].append({"range": [low, high], **part})
    headlines = [r.recognition.headline for r in repeats]
    entry["cmc"] = np.mean([cmc(h) for h in headlines], axis=0).tolist()
    tar = np.mean([h.roc.tar for h in headlines], axis=0)
    entry["roc"] = {"far": headlines[0].roc.far.tolist(), "tar": tar.tolist()}
    return entry


def _score(name: str, repeats: list[Repeat], reference: Holistic | None) -> dict:
    values = [r.scores[name] for r in repeats]
    mean = float(np.mean(values))
    entry = {"mean": mean, "sd": None, "interval": None, "values": values, "HP": None, "RP": None, "RP_interval": None}
    probes = [per_probe(r.recognition.headline)[name] for r in repeats if r.recognition is not None]
    if len(values) > 1:
        entry["sd"] = float(np.std(values, ddof=1))
        entry["interval"] = list(repeats_interval(values, LEVEL))
    elif probes:
        entry["interval"] = [100 * v for v in bootstrap_interval(*probes[0], LEVEL)]
    if reference is not None and name in reference.scores:
        entry["HP"] = hp = reference.scores[name]
        entry["RP"] = relative_performance(mean, hp)
        if entry["RP"] is not None:
            if probes:
                whole, weights = per_probe(reference.recognition.headline)[name]
                occluded = np.mean([p for p, _ in probes], axis=0)
                entry["RP_interval"] = list(rp_interval(occluded, whole, weights, LEVEL))
    return entry


def _part(repeats: list[Repeat], chosen: list[np.ndarray]) -> dict | None:
    """The mean scores of the probes among the `chosen` clips [n] of each repeat, and their number per repeat."""
    listed, probes = [], 0
    for repeat, rows in zip(repeats, chosen, strict=True):
        headline = repeat.recognition.headline
        marked = rows[headline.probes]
        if marked.any():
            listed.append(scores(headline.part(marked)))
            probes += int(marked.sum())
    return {"probes": probes / len(repeats), "scores": _mean(listed)} if listed else None


def _mean(listed: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each score over the repeats that have it."""
    names = dict.fromkeys(name for one in listed for name in one)
    return {name: float(np.mean([one[name] for one in listed if name in one])) for name in names}
