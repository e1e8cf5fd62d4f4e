"""The systems of the paper's tables, what each needs first, and the kinds of occlusion they learn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Run = tuple[str, str]  # a method and the kinds it is trained on

STANDARD = ("top", "bottom")
NEW_KINDS = {"middle": ("middle",), "dynamic": ("moving_patch", "moving_pole")}
BEYOND_KINDS = {"life": ("crossing_person", "outline", "detector_cut")}  # in no table of the paper
ADDED_KINDS = {**NEW_KINDS, **BEYOND_KINDS}
REFITTED = "refitted"  # the standard kinds, as a tight detection box would show them
KINDS = {"standard": STANDARD, **{name: STANDARD + added for name, added in ADDED_KINDS.items()}, REFITTED: STANDARD}
BEYOND = 0  # in place of a table's number: what is not in the paper


@dataclass(frozen=True)
class Method:
    """A system.

    Attributes:
        title: its name in a table.
        model: our model; None is the backbone itself, as OpenGait trains it.
        losses: its loss_cfg; None are the backbone's own losses.
        ven: the VEN that guides it, by what that learned: a key of VENS; None without.
        tasks: what it learns itself, a key of VENS, where it is a VEN.
        tables: of the paper, in or beside which it is a row; BEYOND for the table of what is not in it.
        save_name: of its run, before the backbone's name.
        note: what it is, in a few words.
        in_paper: whether the paper has this row.
        weighted: matched by visibility and by likelihood, too. registered: on clips that the VEN puts back on their
            rows. clean: a share of the training clips is clean. fuses: whether T joins the VEN's feature.
        trained: whether there is anything to train; without, it is the teacher's weights.
    """

    title: str
    save_name: str
    note: str = ""
    model: str | None = None
    losses: tuple[dict, ...] | None = None
    ven: str | None = None
    tasks: str | None = None
    tables: tuple[int, ...] = ()
    in_paper: bool = True
    weighted: bool = False
    registered: bool = False
    clean: bool = False
    fuses: bool = True
    trained: bool = True

    @property
    def classifies(self) -> bool:
        """Whether it needs a classifier of its own, and so the number of identities."""
        return any(loss["type"] == "CrossEntropyLoss" for loss in self.losses or ())


TRIPLET = {"type": "TripletLoss", "log_prefix": "triplet", "loss_term_weight": 1.0, "margin": 0.2}
SOFTMAX = {"type": "CrossEntropyLoss", "log_prefix": "softmax", "loss_term_weight": 1.0, "scale": 16,
           "log_accuracy": True}  # fmt: skip
MICKD = {"type": "MiCKDLoss", "log_prefix": "mickd", "loss_term_weight": 1.0, "margin": 0.2}
L2KD = {"type": "L2KDLoss", "log_prefix": "l2kd", "loss_term_weight": 1.0}
VISIBILITY = {"type": "VisibilityLoss", "log_prefix": "visibility", "loss_term_weight": 1.0}
WEIGHED = {**VISIBILITY, "amount_weight": 10.0}


def _pairs(*names: str) -> tuple[dict]:
    return ({**MICKD, "pairs": list(names)},)


VENS = {"both": "ven", "classification": "ven_classification", "regression": "ven_regression", "parts": "ven_parts"}
AWARE, MIMIC = "OcclusionAware", "MimicGait"
OURS: dict[str, Any] = {"tables": (BEYOND,), "in_paper": False}
METHODS = {
    "teacher": Method("Teacher", "Teacher"),
    "ven": Method("VEN", "VEN", model="VisibilityEstimation", losses=(WEIGHED,), tasks="both"),
    "ven_classification": Method(
        "VEN (classification)", "VEN_classification",
        model="VisibilityEstimation", losses=(VISIBILITY,), tasks="classification",
    ),
    "ven_regression": Method(
        "VEN (regression)", "VEN_regression",
        model="VisibilityEstimation", losses=(VISIBILITY,), tasks="regression",
    ),
    "baseline1": Method(
        "Baseline-1", "Baseline1", "the teacher's weights on occluded clips", model=AWARE, tables=(1, 2), trained=False,
    ),
    "baseline2": Method(
        "Baseline-2", "Baseline2", "the backbone with its own losses on occluded clips",
        model=AWARE, tables=(1, 2, 3, 4),
    ),
    "occlusion_aware": Method(
        "Occlusion Aware", "OcclusionAware", "guided by an occlusion classifier, no teacher",
        model=AWARE, losses=(TRIPLET, SOFTMAX), ven="classification", tables=(1, 2, 4),
    ),
    "ven_aware": Method(
        "VEN", "VENAware", "guided by the VEN, no teacher",
        model=AWARE, losses=(TRIPLET, SOFTMAX), ven="both", tables=(4,),
    ),
    "l2kd": Method(
        "L2 KD", "L2KD", "towards the teacher's feature of the same clip, no VEN",
        model=MIMIC, losses=(L2KD,), tables=(3,),
    ),
    "control": Method(
        "Control", "Control", "the form of MiCKD without its teacher",
        model=MIMIC, losses=_pairs("mimic_mimic"), tables=(3,), in_paper=False,
    ),
    "pair1": Method(
        "MiCKD, pair 1", "MiCKD_pair1", "positives are the teacher's of the same clip",
        model=MIMIC, losses=_pairs("same_instance"), tables=(3,), in_paper=False,
    ),
    "pairs12": Method(
        "MiCKD, pairs 1+2", "MiCKD_pairs12", "positives are the teacher's of the same identity",
        model=MIMIC, losses=_pairs("same_instance", "cross_instance"), tables=(3,), in_paper=False,
    ),
    "vanilla": Method(
        "Vanilla Mimic", "VanillaMimic", "MiCKD, no VEN", model=MIMIC, losses=(MICKD,), tables=(3, 4),
    ),
    "mickd_xe": Method(
        "MiCKD + XE", "MiCKD_XE", "with cross entropy behind a BNNeck, no VEN",
        model=MIMIC, losses=(MICKD, SOFTMAX), tables=(3,),
    ),
    "mimic_occlusion_aware": Method(
        "Mimic + Occlusion Aware", "MimicOcclusionAware", "MiCKD, guided by an occlusion classifier",
        model=MIMIC, losses=(MICKD,), ven="classification", tables=(4,),
    ),
    "mimic": Method(
        "Mimic + VEN", "MimicGait", "MiCKD, guided by the VEN",
        model=MIMIC, losses=(MICKD,), ven="both", tables=(1, 2, 4),
    ),
    "ven_parts": Method(
        "VEN+", "VEN_parts", model="VisibilityEstimation", losses=(WEIGHED,), tasks="parts",
    ),
    "baseline1_weighted": Method(
        "Baseline-1", "Baseline1_weighted",
        "the teacher's weights on occluded clips, also matched by visibility and by likelihood",
        model=AWARE, ven="parts", weighted=True, fuses=False, trained=False, **OURS,
    ),
    "baseline1_registered": Method(
        "Baseline-1, registered", "Baseline1_registered",
        "the teacher's weights on clips put back on their rows, also matched by visibility and by likelihood",
        model=AWARE, ven="parts", weighted=True, registered=True, fuses=False, trained=False, **OURS,
    ),
    "mimic_weighted": Method(
        "Mimic + VEN+", "MimicGait_weighted", "MiCKD, guided by a VEN+, also matched by visibility and by likelihood",
        model=MIMIC, losses=(MICKD,), ven="parts", weighted=True, **OURS,
    ),
    "mimic_registered": Method(
        "Mimic + VEN+, registered", "MimicGait_registered",
        "MiCKD on clips put back on their rows, also matched by visibility and by likelihood",
        model=MIMIC, losses=(MICKD,), ven="parts", weighted=True, registered=True, **OURS,
    ),
    "mimic_clean": Method(
        "Mimic + VEN, clean clips", "MimicGait_clean", "MiCKD, a third of the training clips clean",
        model=MIMIC, losses=(MICKD,), ven="both", clean=True, **OURS,
    ),
    "residual": Method(
        "Residual", "ResidualGait", "the authors' follow-up: a residual on the teacher, a third of the clips clean",
        model="ResidualGait", losses=(TRIPLET, SOFTMAX), ven="both", clean=True, **OURS,
    ),
    "mimic_all": Method(
        "Mimic + VEN+, registered, clean clips", "MimicGait_all",
        "MiCKD on registered clips, a third of them clean, also matched by visibility and by likelihood",
        model=MIMIC, losses=(MICKD,), ven="parts", weighted=True, registered=True, clean=True, **OURS,
    ),
}  # fmt: skip


def needs(method: str, kinds: str = "standard") -> list[Run]:
    """The runs that must be there before this one: its teacher (for HP at least) and its VEN."""
    if method == "teacher" or METHODS[method].tasks:
        return []
    ven = METHODS[method].ven
    return [("teacher", "standard"), *([(VENS[ven], kinds)] if ven else [])]


def rows(table: int) -> list[Run]:
    """The runs whose tests are the rows of a table of the paper (1 to 4) or of the one BEYOND it, in its order.

    The latter's are on occlusions painted in place and on refitted ones. Those of Table 2 on top and bottom alone give
    its generalizability, the others its adaptability, which does not apply to Baseline-1.
    """
    methods = [name for name, method in METHODS.items() if table in method.tables]
    trained = [name for name in methods if METHODS[name].trained]
    if table == BEYOND:
        return [(name, kinds) for kinds in ("standard", REFITTED) for name in ("mimic", *methods)]
    added = NEW_KINDS if table == 2 else ()
    return [(name, "standard") for name in methods] + [(name, kinds) for kinds in added for name in trained]


def stages(tables: Iterable[int]) -> list[Run]:
    """Every run that the tables take, each once and after what it needs."""
    wanted = [run for table in tables for row in rows(table) for run in (*needs(*row), row)]
    return list(dict.fromkeys(wanted))
