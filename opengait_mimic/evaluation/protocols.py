"""The protocol of each data set, as data: which clips are compared with which.

A protocol names conditions (CASIA-B's NM, BG and CL, say). Each has a rule: which walking types are gallery,
which are probe, and how views count. `Protocol.comparisons` turns it into rows of a test set.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from opengait_mimic.data.partition import read_partition
from opengait_mimic.errors import ConfigError, DataError, nearest

GAIT3D_PARTITION = Path("datasets", "Gait3D", "Gait3D.json")
CROSS_VIEW = ("include", "exclude")
SIDES = ("gallery", "probe")


@dataclass(frozen=True)
class Rule:
    """How the probes of one condition are compared.

    Attributes:
        gallery: walking types; empty where the protocol lists its probes by name.
        probe: walking types; likewise.
        views: "all": one gallery for all probes, nothing removed. "others": the same, but for each probe
            without the gallery's sequences of both its identity and its view. "cells": each probe view against
            each other view alone; where the data have a single view, it is compared with itself. "all cells": each
            probe view against each view alone, its own too.
        by_probe_view: the condition's score is the mean over probe views of their means, not the mean over probes.
            Cells are always averaged so, and within a probe view over gallery views.
        unmatched: what a probe with no sequence of its identity in its gallery is: a "miss" at every rank, or
            "left out".
    """

    gallery: tuple[str, ...] = ()
    probe: tuple[str, ...] = ()
    views: str = "all"
    by_probe_view: bool = False
    unmatched: str = "miss"


class Comparison(NamedTuple):
    """Some probes against one gallery.

    A condition's score is the mean over its `probe_view`s of the mean over their comparisons of the mean over
    probes.

    Attributes:
        condition: its name.
        probe_view: which cell this is; None where probes have all views.
        gallery_view: which cell this is; None where the gallery has all views.
        probes: [k] int64 rows of the test set.
        gallery: [m] int64 rows of the test set.
        same_view_removed: whether each probe is compared without the gallery's sequences of both its identity
            and its view.
        unmatched: see `Rule`.
    """

    condition: str
    probe_view: str | None
    gallery_view: str | None
    probes: np.ndarray
    gallery: np.ndarray
    same_view_removed: bool
    unmatched: str


@dataclass(frozen=True)
class Protocol:
    """The conditions of a data set.

    Attributes:
        dataset: its name.
        rules: {condition: how it is compared}.
        headline: the conditions whose mean is the data set's one number.
        types: how a rule's types are found: "exactly", or as a "part" of the data's types.
        all_types_needed: whether every type of the rules must be in the data. Otherwise conditions without data
            are left out.
        view_until: the view is what stands before the first of these characters; "" for the whole.
        probe_names: the probes, "label-type-view"; everything else is gallery. None where rules name types.
    """

    dataset: str
    rules: dict[str, Rule]
    headline: tuple[str, ...]
    types: str = "exactly"
    all_types_needed: bool = False
    view_until: str = ""
    probe_names: frozenset[str] | None = None

    def view_names(self, views: np.ndarray | list[str]) -> np.ndarray:
        """[n] views of the data as this protocol distinguishes them."""
        return np.array([str(v).split(self.view_until, 1)[0] if self.view_until else str(v) for v in views], dtype=str)

    def comparisons(self, labels, types, views) -> list[Comparison]:
        """What this protocol compares in a test set.

        Args:
            labels: n identities, as strings.
            types: n walking types, as strings.
            views: n views, as strings.

        Returns:
            The comparisons, condition by condition in the order of `rules`, cells in the order of their views.

        Raises:
            DataError: a type that must be there is not, or nothing can be compared.
        """
        types = np.array([str(t) for t in types], dtype=str)
        if self.all_types_needed:
            for side, name in ((s, n) for rule in self.rules.values() for s in SIDES for n in getattr(rule, s)):
                if not self._of_types(types, (name,)).any():
                    raise DataError(f"{self.dataset}: no {side} type {name!r} in the test set; {_present(types)}")
        found = []
        for condition, rule in self.rules.items():
            if self.probe_names is None:
                is_gallery, is_probe = (self._of_types(types, getattr(rule, side)) for side in SIDES)
            else:
                names = ("-".join(map(str, parts)) for parts in zip(labels, types, views, strict=True))
                is_probe = np.array([name in self.probe_names for name in names], dtype=bool)
                is_gallery = ~is_probe
            found += _compare(condition, rule, is_probe, is_gallery, self.view_names(views))
        if not found:
            raise DataError(f"{self.dataset}: nothing to compare; {self._missing(types)}")
        return found

    def _of_types(self, types: np.ndarray, wanted: tuple[str, ...]) -> np.ndarray:
        if self.types == "exactly":
            return np.isin(types, wanted)
        return np.array([any(part in name for part in wanted) for name in types], dtype=bool)

    def _missing(self, types: np.ndarray) -> str:
        if self.probe_names is not None:
            return "either no probe sequence of the listed ones or no gallery sequence is in the test set"
        for side in SIDES:
            wanted = tuple(dict.fromkeys(name for rule in self.rules.values() for name in getattr(rule, side)))
            if not self._of_types(types, wanted).any():
                part = "" if self.types == "exactly" else " (as a part of their names)"
                return f"no {side} sequence, of the types {', '.join(wanted)}{part}; {_present(types)}"
        return f"no probe has a gallery sequence to be compared with; {_present(types)}"


def _present(types: np.ndarray) -> str:
    names = np.unique(types).tolist()
    return f"types in the test set: {', '.join(names[:20])}{', …' if len(names) > 20 else ''}"


def _compare(
    condition: str, rule: Rule, is_probe: np.ndarray, is_gallery: np.ndarray, views: np.ndarray
) -> list[Comparison]:
    removed = rule.views == "others"
    if rule.views in ("cells", "all cells"):
        view_set = np.unique(views).tolist()
        own_too = rule.views == "all cells" or len(view_set) == 1
        pairs = [(p, g) for p in view_set for g in view_set if own_too or p != g]
    elif rule.by_probe_view:
        pairs = [(p, None) for p in np.unique(views[is_probe]).tolist()]
    else:
        pairs = [(None, None)]
    found = []
    for probe_view, gallery_view in pairs:
        probes = np.flatnonzero(is_probe if probe_view is None else is_probe & (views == probe_view))
        gallery = np.flatnonzero(is_gallery if gallery_view is None else is_gallery & (views == gallery_view))
        if len(probes) and len(gallery):
            found.append(Comparison(condition, probe_view, gallery_view, probes, gallery, removed, rule.unmatched))
    return found


def _casia_b(cross_view: str) -> Protocol:
    probes = {"NM": ("nm-05", "nm-06"), "BG": ("bg-01", "bg-02"), "CL": ("cl-01", "cl-02")}
    if cross_view == "exclude":
        gallery = ("nm-01", "nm-02", "nm-03", "nm-04")
        rules = {name: Rule(gallery, types, views="cells") for name, types in probes.items()}
    else:
        gallery = ("nm-02", "bg-02", "cl-02")
        probes = {"NM": ("nm-01",), "BG": ("bg-01",), "CL": ("cl-01",)}
        rules = {name: Rule(gallery, types, views="others", by_probe_view=True) for name, types in probes.items()}
    return Protocol("CASIA-B", rules, tuple(rules))


def _oumvlp(cross_view: str) -> Protocol:
    rule = Rule(("01",), ("00",), views="cells")
    if cross_view == "include":
        rule = Rule(("01",), ("00",), views="others", by_probe_view=True)
    return Protocol("OUMVLP", {"NM": rule}, ("NM",))


def _sustech1k() -> Protocol:
    probes = {
        "Normal": ("01-nm",), "Bag": ("bg",), "Clothing": ("cl",), "Carrying": ("cr",), "Umbrella": ("ub",),
        "Uniform": ("uf",), "Occlusion": ("oc",), "Night": ("nt",), "Overall": ("01", "02", "03", "04"),
    }  # fmt: skip
    rules = {name: Rule(("00-nm",), parts, views="cells") for name, parts in probes.items()}
    return Protocol("SUSTech1K", rules, ("Overall",), types="part")


def _ccpg() -> Protocol:
    sides = {
        "CL": (("U1_D1", "U2_D2", "U3_D3"), ("U0_D0_BG", "U0_D0")),
        "UP": (("U0_D3",), ("U3_D3",)),
        "DN": (("U1_D1",), ("U1_D0",)),
        "BG": (("U0_D0",), ("U0_D0_BG",)),
    }
    rules = {name: Rule(*types, views="cells") for name, types in sides.items()}
    for name, types in sides.items():
        rules[f"{name}-ReID"] = Rule(*types, views="others", unmatched="left out")
    return Protocol("CCPG", rules, tuple(sides), view_until="_")


def _gait3d(partition: str | os.PathLike | None) -> Protocol:
    path = Path(partition) if partition is not None else GAIT3D_PARTITION
    shown = path.as_posix() if path.is_absolute() else f"./{path.as_posix()}"
    if not path.is_file():
        raise DataError(f"Gait3D: no file {shown}, which names the probes")
    try:
        listed = read_partition(path, "PROBE_SET")
    except DataError:
        listed = []
    if not listed:
        raise DataError(f"{shown}: expected a JSON object with the list PROBE_SET")
    return Protocol("Gait3D", {"": Rule(unmatched="left out")}, ("",), probe_names=frozenset(listed))


_BY_CROSS_VIEW = {"CASIA-B": _casia_b, "OUMVLP": _oumvlp}
_FIXED = {"GREW": lambda: Protocol("GREW", {"": Rule(("01",), ("02",))}, ("",)), "SUSTech1K": _sustech1k, "CCPG": _ccpg}
DATASETS = ("GREW", "Gait3D", "CASIA-B", "OUMVLP", "CCPG", "SUSTech1K")


def protocol(
    dataset: str,
    gallery: list[str] | str | None = None,
    probe: list[str] | str | dict[str, list[str] | str] | None = None,
    cross_view: str | None = None,
    partition: str | os.PathLike | None = None,
) -> Protocol:
    """The protocol of a data set by its name, or one of your own by walking types.

    Args:
        dataset: one of DATASETS; any name together with `gallery` and `probe`.
        gallery: walking types. Where given, they and `probe` replace the data set's protocol.
        probe: walking types, or {condition: types}; the headline is the mean of the conditions.
        cross_view: for CASIA-B and OUMVLP "exclude" (default), every pair of different views by itself, or
            "include", a gallery of all views at once without each probe's own view of the same subject (OpenGait's
            cross_view_gallery). With types of your own: "include" (default), one gallery and nothing removed, or
            "exclude", every pair of different views by itself.
        partition: Gait3D's partition file, which lists its probes; default ./datasets/Gait3D/Gait3D.json.

    Returns:
        The protocol.

    Raises:
        ConfigError: an unknown data set without types, one of gallery and probe without the other, or a
            cross_view that is not offered.
        DataError: Gait3D's partition is not there or names no probes.
    """
    if cross_view is not None and cross_view not in CROSS_VIEW:
        raise ConfigError(f"evaluator_cfg.cross_view: unknown value {cross_view!r}; {nearest(cross_view, CROSS_VIEW)}")
    if gallery is not None or probe is not None:
        return _own(dataset, gallery, probe, cross_view or "include")
    if dataset in _BY_CROSS_VIEW:
        return _BY_CROSS_VIEW[dataset](cross_view or "exclude")
    if dataset not in DATASETS:
        raise ConfigError(
            f"no protocol for the data set {dataset!r}; {nearest(dataset, DATASETS)}; "
            "or name the types in evaluator_cfg.gallery and evaluator_cfg.probe"
        )
    if cross_view is not None:
        raise ConfigError(f"evaluator_cfg.cross_view: {dataset} has one protocol; leave the key out")
    return _gait3d(partition) if dataset == "Gait3D" else _FIXED[dataset]()


def _own(dataset: str, gallery, probe, cross_view: str) -> Protocol:
    conditions = probe if isinstance(probe, dict) else {"": probe}
    views = "cells" if cross_view == "exclude" else "all"
    gallery_types = _type_names("gallery", gallery)
    rules = {
        str(name): Rule(gallery_types, _type_names("probe", types), views=views) for name, types in conditions.items()
    }
    if not rules:
        raise ConfigError("evaluator_cfg.probe: expected walking types, found none")
    return Protocol(dataset, rules, tuple(rules), all_types_needed=True)


def _type_names(side: str, types) -> tuple[str, ...]:
    names = [types] if isinstance(types, str) else types
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(n, str) for n in names):
        raise ConfigError(
            f"evaluator_cfg.{side}: expected a list of walking types as strings (quote '01' in YAML), found {types!r}"
        )
    return tuple(names)
