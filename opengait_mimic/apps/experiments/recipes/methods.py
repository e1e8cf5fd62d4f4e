"""The systems of the paper's tables, what each needs first, and the occlusions they learn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Run = tuple[str, str]  # a key of METHODS and one of OCCLUSIONS

STANDARD = ("top", "bottom")
NEW_TYPES = {"middle": ("middle",), "dynamic": ("moving_patch", "moving_pole")}  # Table 2
ADDED_TYPES = {**NEW_TYPES, "life": ("crossing_person", "outline", "detector_cut")}  # the last in no table
REFITTED = "refitted"  # the standard types, as a tight detection box would show them
OCCLUSIONS = {"standard": STANDARD, **{name: STANDARD + added for name, added in ADDED_TYPES.items()},
              REFITTED: STANDARD}  # fmt: skip
BEYOND = 0  # in place of a table's number: what is not in the paper


@dataclass(frozen=True)
class Method:
    """A system."""

    title: str  # its name in a table
    save_name: str  # of its run, before the backbone's name
    note: str = ""  # what it is, in a few words
    model: str | None = None  # ours; None is the backbone itself, as OpenGait trains it
    losses: tuple[dict, ...] | None = None  # its loss_cfg; None are the backbone's own losses
    ven: str | None = None  # the VEN that guides it, a key of VENS
    tasks: str | None = None  # what it learns itself, a key of VENS, where it is a VEN
    tables: tuple[
        int, ...
    ] = ()  # of the paper, in or beside which it is a row; BEYOND for the one of what is not in it
    in_paper: bool = True  # whether the paper has this row
    weighted: bool = False  # matched by visibility and by likelihood, too
    registered: bool = False  # on clips that the VEN puts back on their rows
    clean: bool = False  # whether a share of the training clips is clean
    fuses: bool = True  # whether T joins the VEN's feature
    trained: bool = True  # whether there is anything to train; without, it is the teacher's weights

    @property
    def classifies(self) -> bool:
        """Whether it needs a classifier of its own, and so the number of identities."""
        return any(loss["type"] == "CrossEntropyLoss" for loss in self.losses or ())


def loss(name: str, **settings: Any) -> dict:
    """An entry of loss_cfg, such as `loss("MiCKD", margin=0.2)`."""
    prefix = "softmax" if name == "CrossEntropy" else name.lower()
    return {"type": f"{name}Loss", "log_prefix": prefix, "loss_term_weight": 1.0, **settings}


TRIPLET, SOFTMAX = loss("Triplet", margin=0.2), loss("CrossEntropy", scale=16, log_accuracy=True)
MICKD, VISIBILITY = loss("MiCKD", margin=0.2), loss("Visibility")
VENS = {"both": "ven", "classification": "ven_classification", "regression": "ven_regression", "parts": "ven_parts"}


def _ven(title: str, save_name: str, note: str, tasks: str, **weights: float) -> Method:
    return Method(title, save_name, note, "VisibilityEstimation", ({**VISIBILITY, **weights},), tasks=tasks)


def _untrained(title: str, save_name: str, note: str, **settings: Any) -> Method:
    return Method(title, save_name, f"the teacher's weights on {note}", "OcclusionAware", trained=False, **settings)


def _aware(title: str, save_name: str, note: str, **settings: Any) -> Method:
    return Method(title, save_name, note, "OcclusionAware", **settings)


def _mimic(title: str, save_name: str, note: str, losses: tuple[dict, ...] = (MICKD,), **settings: Any) -> Method:
    return Method(title, save_name, note, "MimicGait", losses, **settings)


def _pairs(*names: str) -> tuple[dict]:
    return ({**MICKD, "pairs": list(names)},)


OWN: dict[str, Any] = {"tables": (3,), "in_paper": False}
OURS: dict[str, Any] = {"tables": (BEYOND,), "in_paper": False}
WEIGHTED: dict[str, Any] = {"ven": "parts", "weighted": True, **OURS}
REGISTERED: dict[str, Any] = {"registered": True, **WEIGHTED}
ALSO = "also matched by visibility and by likelihood"
METHODS = {
    "teacher": Method("Teacher", "Teacher", "the backbone, on holistic clips"),
    "ven": _ven("VEN", "VEN", "the type of an occlusion, and how much it hides", "both", amount_weight=10.0),
    "ven_classification": _ven("VEN (classification)", "VEN_classification", "the type alone", "classification"),
    "ven_regression": _ven("VEN (regression)", "VEN_regression", "the amount alone", "regression"),
    "baseline1": _untrained("Baseline-1", "Baseline1", "occluded clips", tables=(1, 2)),
    "baseline2": _aware("Baseline-2", "Baseline2", "the backbone with its own losses on occluded clips",
                        tables=(1, 2, 3, 4)),
    "occlusion_aware": _aware("Occlusion Aware", "OcclusionAware", "guided by an occlusion classifier, no teacher",
                              losses=(TRIPLET, SOFTMAX), ven="classification", tables=(1, 2, 4)),
    "ven_aware": _aware("VEN", "VENAware", "guided by the VEN, no teacher",
                        losses=(TRIPLET, SOFTMAX), ven="both", tables=(4,)),
    "l2kd": _mimic("L2 KD", "L2KD", "towards the teacher's feature of the same clip, no VEN", (loss("L2KD"),),
                   tables=(3,)),
    "control": _mimic("Control", "Control", "the form of MiCKD without its teacher", _pairs("mimic_mimic"), **OWN),
    "pair1": _mimic("MiCKD, pair 1", "MiCKD_pair1", "positives are the teacher's of the same clip",
                    _pairs("same_instance"), **OWN),
    "pairs12": _mimic("MiCKD, pairs 1+2", "MiCKD_pairs12", "positives are the teacher's of the same identity",
                      _pairs("same_instance", "cross_instance"), **OWN),
    "vanilla": _mimic("Vanilla Mimic", "VanillaMimic", "MiCKD, no VEN", tables=(3, 4)),
    "mickd_xe": _mimic("MiCKD + XE", "MiCKD_XE", "with cross entropy behind a BNNeck, no VEN", (MICKD, SOFTMAX),
                       tables=(3,)),
    "mimic_occlusion_aware": _mimic("Mimic + Occlusion Aware", "MimicOcclusionAware",
                                    "MiCKD, guided by an occlusion classifier", ven="classification", tables=(4,)),
    "mimic": _mimic("Mimic + VEN", "MimicGait", "MiCKD, guided by the VEN", ven="both", tables=(1, 2, 4)),
    "ven_parts": _ven("VEN+", "VEN_parts", "also which parts are visible, and how likely each amount is", "parts",
                      amount_weight=10.0),
    "baseline1_weighted": _untrained("Baseline-1", "Baseline1_weighted", f"occluded clips, {ALSO}",
                                     fuses=False, **WEIGHTED),
    "baseline1_registered": _untrained("Baseline-1, registered", "Baseline1_registered",
                                       f"clips put back on their rows, {ALSO}", fuses=False, **REGISTERED),
    "mimic_weighted": _mimic("Mimic + VEN+", "MimicGait_weighted", f"MiCKD, guided by a VEN+, {ALSO}", **WEIGHTED),
    "mimic_registered": _mimic("Mimic + VEN+, registered", "MimicGait_registered",
                               f"MiCKD on clips put back on their rows, {ALSO}", **REGISTERED),
    "mimic_clean": _mimic("Mimic + VEN, clean clips", "MimicGait_clean",
                          "MiCKD, a third of the training clips clean", ven="both", clean=True, **OURS),
    "residual": Method("Residual", "ResidualGait",
                       "the authors' follow-up: a residual on the teacher, a third of the clips clean",
                       "ResidualGait", (TRIPLET, SOFTMAX), ven="both", clean=True, **OURS),
    "mimic_all": _mimic("Mimic + VEN+, registered, clean clips", "MimicGait_all",
                        f"MiCKD on registered clips, a third of them clean, {ALSO}", clean=True, **REGISTERED),
}  # fmt: skip


# The rows of the paper's tables and those beside them, in their order.
TITLES = tuple(how.title for how in METHODS.values() if not how.tasks and BEYOND not in how.tables)


def needs(method: str, occlusions: str = "standard") -> list[Run]:
    """The runs that must be there before this one: its teacher (for HP at least) and its VEN."""
    if method == "teacher" or METHODS[method].tasks:
        return []
    ven = METHODS[method].ven
    return [("teacher", "standard"), *([(VENS[ven], occlusions)] if ven else [])]


def rows(table: int) -> list[Run]:
    """The runs whose tests are the rows of a table of the paper (1 to 4) or of the one BEYOND it, in its order.

    The latter's are on occlusions painted in place and on refitted ones. Those of Table 2 on top and bottom alone give
    its generalizability, the others its adaptability, which does not apply to Baseline-1.
    """
    methods = [name for name, method in METHODS.items() if table in method.tables]
    if table == BEYOND:
        return [(name, occlusions) for occlusions in ("standard", REFITTED) for name in ("mimic", *methods)]
    added = NEW_TYPES if table == 2 else ()
    trained = [name for name in methods if METHODS[name].trained]
    return [(name, "standard") for name in methods] + [(name, new) for new in added for name in trained]


def runs_of(tables: Iterable[int]) -> list[Run]:
    """Every run that the tables take, each once and after what it needs."""
    wanted = [run for table in tables for row in rows(table) for run in (*needs(*row), row)]
    return list(dict.fromkeys(wanted))
