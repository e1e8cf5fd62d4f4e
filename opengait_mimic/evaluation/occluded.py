"""Occluded evaluation: who is occluded by what, how often, and how much of the holistic accuracy remains."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from opengait_mimic.errors import ConfigError
from opengait_mimic.evaluation.recognition import Condition, Recognition, cmc, per_probe, scores
from opengait_mimic.evaluation.relative_performance import relative_performance
from opengait_mimic.evaluation.statistics import LEVEL as LEVEL
from opengait_mimic.evaluation.statistics import bootstrap_interval, repeats_interval, rp_interval
from opengait_mimic.method.occlusion import Mixture, mixture

WHO = ("probe", "gallery", "both")
GALLERY_BY = ("network", "teacher")
STANDARD = "occluded"  # the name of the test by the YAML's own Occlusion
AMOUNT_BINS = tuple(round(0.1 * i, 1) for i in range(11))


@dataclass(frozen=True)
class Settings:
    """`evaluator_cfg.occluded`.

    Attributes:
        who: what is occluded: "probe", "gallery" or "both".
        gallery_by: what embeds a holistic gallery: the "network" itself or its "teacher".
        repeats: draws of the occlusion, with the seeds seed, seed + 1, …
        severity: occluded fractions of the frame's extent for a sweep, each above 0 and at most 1: of the probes,
            against the holistic gallery (with who: gallery, of the gallery, for holistic probes).
        generalizability: tests by name, of types the network was not trained on.
        adaptability: tests by name, of types it was trained on besides others.
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
        mixture: what occludes.
        kinds: the same as the YAML has it.
        zero_shot: whether any of its types was not among the training types.
        seeds: one per repeat.
    """

    name: str
    protocol: str
    mixture: Mixture
    kinds: list
    zero_shot: bool
    seeds: tuple[int, ...]


def occluded_tests(
    asked: Settings, kinds: list, seed: int, trained: tuple[str, ...], where: str = "evaluator_cfg: occluded"
) -> list[OccludedTest]:
    """The tests that `asked` stands for: the standard one first, then the sweep and the named protocols.

    Args:
        asked: the settings.
        kinds: of the YAML's own Occlusion.
        seed: of the first repeat.
        trained: occlusion types the network was trained on.
        where: the key, for messages.

    Returns:
        At least the standard test.

    Raises:
        ConfigError: kinds that cannot be read or do not fit their protocol, or a name that stands twice.
    """
    seeds = tuple(range(seed, seed + asked.repeats))

    def test(name: str, protocol: str, kinds: list) -> OccludedTest:
        drawn = mixture(kinds)
        return OccludedTest(name, protocol, drawn, kinds, not set(drawn.names) <= set(trained), seeds)

    tests = [test(STANDARD, "standard", kinds)]
    entries = [{"kind": entry} if isinstance(entry, str) else entry for entry in kinds]
    tests += [
        test(f"{amount:g}", "severity", [{**entry, "amount": amount} for entry in entries]) for amount in asked.severity
    ]
    for protocol in ("generalizability", "adaptability"):
        for name, others in getattr(asked, protocol).items():
            try:
                found = test(name, protocol, others)
            except ConfigError as error:
                raise ConfigError(f"{where}: {protocol}: {name}: {error}") from None
            tests.append(found)
            drawn = set(found.mixture.names)
            if protocol == "generalizability" and (known := drawn & set(trained)):
                raise ConfigError(f"{where}: {protocol}: {name}: the network was trained on {', '.join(sorted(known))}")
            if protocol == "adaptability" and (new := drawn - set(trained)):
                raise ConfigError(
                    f"{where}: {protocol}: {name}: the network was not trained on {', '.join(sorted(new))}"
                )
    names = [t.name for t in tests]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{where}: the name {name!r} stands for two tests")
    return tests


@dataclass(frozen=True)
class Repeat:
    """One repeat of one test.

    Attributes:
        scores: in percent, by name.
        recognition: what they come from; None for an eval function of the host's.
        kind: [n] class of each clip's occlusion in the test's mixture; None where probes are holistic.
        amount: [n] its occluded fraction; None where probes are holistic.
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

    RP (Eq. 3) is that of the mean over repeats, HP being the reference's accuracy by the same protocol; its interval
    is the paired bootstrap over probes. A score's own interval is Student's t over repeats, with one repeat the
    bootstrap over probes.

    Args:
        test: that was done.
        repeats: one per seed of the test.
        reference: the teacher on holistic clips, None where it is not there.

    Returns:
        Its scores, over all and by condition, occlusion type and amount, with the match curve and the ROC.
    """
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
    found = [r.recognition for r in repeats if r.recognition is not None]
    if not found:
        return entry
    if len(found[0].conditions) > 1:
        entry["conditions"] = {
            name: _mean([scores(one.conditions[name]) for one in found]) for name in found[0].conditions
        }
    headlines = [one.headline for one in found]
    labels = [(r.kind, r.amount) for r in repeats if r.kind is not None and r.amount is not None]
    if labels:
        for index, name in enumerate(test.mixture.classes):
            if part := _part(headlines, [kind == index for kind, _ in labels]):
                entry["by_kind"][name] = part
        for low, high in pairwise(AMOUNT_BINS):
            if part := _part(headlines, [(amount > low) & (amount <= high) for _, amount in labels]):
                entry["by_amount"].append({"range": [low, high], **part})
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
        entry["interval"] = list(repeats_interval(values))
    elif probes:
        entry["interval"] = [100 * v for v in bootstrap_interval(*probes[0])]
    if reference is not None and name in reference.scores:
        entry["HP"] = reference.scores[name]
        entry["RP"] = relative_performance(mean, reference.scores[name])
        if entry["RP"] is not None and reference.recognition is not None and probes:
            holistic, weights = per_probe(reference.recognition.headline)[name]
            occluded = np.mean([p for p, _ in probes], axis=0)
            entry["RP_interval"] = list(rp_interval(occluded, holistic, weights))
    return entry


def _part(headlines: list[Condition], chosen: list[np.ndarray]) -> dict | None:
    """The mean scores of the probes among the `chosen` clips [n] of each repeat, and their number per repeat."""
    parts = [h.part(rows[h.probes]) for h, rows in zip(headlines, chosen, strict=True) if rows[h.probes].any()]
    probes = sum(len(part.probes) for part in parts)
    return {"probes": probes / len(headlines), "scores": _mean(list(map(scores, parts)))} if parts else None


def _mean(listed: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each score over the repeats that have it."""
    names = dict.fromkeys(name for one in listed for name in one)
    return {name: float(np.mean([one[name] for one in listed if name in one])) for name in names}
