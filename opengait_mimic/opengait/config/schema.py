"""Every key of a YAML: what it takes, its default, and what it means. `docs/yaml.md` is made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, model_validator

from opengait_mimic.errors import ConfigError, shown
from opengait_mimic.evaluation.occluded import GALLERY_BY, WHO, Settings
from opengait_mimic.evaluation.protocols import CROSS_VIEW
from opengait_mimic.method.beyond.plda import Likelihood
from opengait_mimic.method.beyond.weighted import EPSILON, Weighting
from opengait_mimic.method.losses import ANCHORS, PAIRS, REDUCTIONS
from opengait_mimic.method.ven import ALL_TASKS, PARTS, TASKS
from opengait_mimic.opengait.config.keys import (
    Count,
    Flag,
    Frames,
    Hint,
    Identities,
    Iteration,
    Mapping,
    Model,
    Name,
    Number,
    OwnSection,
    Path,
    Prefix,
    Section,
    Size,
    Takes,
    Text,
    Weight,
    Whole,
    inside,
    is_text,
    key,
    listed,
    number_above_0,
    one_of,
    or_null,
    some_of,
    together,
    whole,
)
from opengait_mimic.opengait.config.transforms import read_transforms

# ---- sections of OpenGait's ------------------------------------------------------------------------------------------


class Data(Section):
    """What is read. A section of OpenGait's."""

    dataset_name: Name = key("CASIA-B", "the data set; GaitGL's network and the checkpoints' folder depend on it")
    test_dataset_name: Name = key(None, "whose protocol a test follows; else that of dataset_name")
    dataset_root: Text = key(None, "the folder `<subject>/<type>/<view>/*.pkl`")
    dataset_partition: Text = key(None, "the JSON with TRAIN_SET and TEST_SET")
    num_workers: Annotated[int, whole(0, 256)] = key(1, "loader processes")
    cache: Flag = key(False, "keep sequences in memory")
    self_supervised: Flag = key(None, "OpenGait's: every sequence is an identity of its own")
    data_in_use: Annotated[list[bool] | list[int] | None, or_null(listed(whole(0, 1000), "true or false"))] = key(
        None, "which of several inputs are read, for models that take several; null: all"
    )
    frame_threshold: Whole = key(None, "in YAML files of OpenGait's skeleton models")


def _batch(value: int | list[int]) -> bool:
    return 1 <= value <= 2**16 if isinstance(value, int) else len(value) == 2 and all(1 <= v <= 2**12 for v in value)


class Sampler(Section):
    """In trainer_cfg and evaluator_cfg. A section of OpenGait's."""

    type: Name = key(None, "how batches are made: TripletSampler in training, InferenceSampler at test")
    batch_size: Annotated[int | list[int], Takes("a whole number from 1, or for a TripletSampler [P, K]", _batch)] = (
        key(None, "of all processes together: P identities × K clips, or clips. A test of our models takes any")
    )
    batch_shuffle: Flag = key(False, "shuffle the batch before it is dealt out to the processes")
    sample_type: Annotated[
        str,
        one_of(*(f"{n}_{o}" for n in ("fixed", "unfixed", "all") for o in ("ordered", "unordered", "allordered"))),
    ] = key(None, "how many frames of a sequence, and in what order")
    frames_num_fixed: Frames = key(30, "frames of a clip with `fixed_*`")
    frames_num_min: Frames = key(25, "the fewest with `unfixed_*`")
    frames_num_max: Frames = key(50, "the most with `unfixed_*`")
    frames_skip_num: Annotated[int, whole(0, 10**5)] = key(0, "of an ordered clip: frames of a longer window left out")
    frames_all_limit: Annotated[
        int, Takes("a whole number from 1, or below 0 for no limit", lambda v: v != 0 and abs(v) <= 10**9)
    ] = key(-1, "the most frames of `all_*`")
    points_in_use: Mapping = key(None, "for point clouds")

    @model_validator(mode="after")
    def _fits(self) -> Sampler:
        given, kind, counts = self.model_fields_set, self.type, str(self.sample_type).partition("_")[0]
        for sampler, expected, its in (("TripletSampler", "[P, K]", list), ("InferenceSampler", "a whole number", int)):
            if kind == sampler and "batch_size" in given and not isinstance(self.batch_size, its):
                raise ConfigError(f"batch_size: {kind} expected {expected}, found {shown(self.batch_size)}")
        needed = {"fixed": ("frames_num_fixed",), "unfixed": ("frames_num_min", "frames_num_max")}.get(counts, ())
        for name in needed:
            if name not in given:
                raise ConfigError(f"{name} is missing; sample_type {self.sample_type} needs it")
        if counts == "unfixed" and self.frames_num_min > self.frames_num_max:
            raise ConfigError(f"frames_num_min {self.frames_num_min} is more than frames_num_max {self.frames_num_max}")
        return self


class Engine(Section):
    """What a training and a test have in common."""

    save_name: Name = key(None, "names the folder under `output/` and the checkpoints")
    restore_ckpt_strict: Flag = key(True, "every weight of the checkpoint must fit")
    sampler: Sampler = key(Sampler(), "see below")
    transform: Annotated[Any, Takes("a transform or a list of them", read=read_transforms)] = key(
        None, "see below; `Occlusion` at the end for our models and for an occluded test"
    )


class Trainer(Engine):
    """A training. A section of OpenGait's, and `seed`."""

    restore_hint: Hint = key(
        0, "where to start from; 0: anew, or from the training's own last checkpoint "
           "([which](interrupted.md#which-checkpoint))")  # fmt: skip
    enable_float16: Flag = key(True, "mixed precision")
    total_iter: Count = key(80000, "iterations")
    save_iter: Count = key(2000, "between checkpoints")
    log_iter: Count = key(100, "between lines of the log")
    with_test: Flag = key(False, "test at every checkpoint")
    optimizer_reset: Flag = key(False, "do not restore the optimizer's state")
    scheduler_reset: Flag = key(False, "do not restore the schedule's state")
    fix_BN: Flag = key(False, "batch norm stays as it is")
    sync_BN: Flag = key(False, "batch norm over all processes")
    find_unused_parameters: Flag = key(False, "of DDP")
    T_max_iter: Count = key(None, "SwinGait's schedule")
    seed: Whole = key(0, "which repetition of a training this is")


# ---- evaluator_cfg ---------------------------------------------------------------------------------------------------

Tests = Annotated[dict[str, list] | None, Takes("names with a list of kinds each")]


class Occluded(OwnSection):
    """Read by `MimicGait`, `OcclusionAware` and `ResidualGait`."""

    who: Annotated[str, one_of(*WHO)] = key("both", "is occluded")
    gallery_by: Annotated[str, one_of(*GALLERY_BY)] = key("network", "who embeds a holistic gallery, with `who: probe`")
    repeats: Count = key(1, "draws of the occlusion, with the seeds seed, seed + 1, …")
    severity: Annotated[list[float] | None, or_null(listed(number_above_0(1), shortest=0))] = key(
        None, "a sweep over occlusion amounts of the probes, against a holistic gallery"
    )
    generalizability: Tests = key(None, "tests of kinds that the network was not trained on")
    adaptability: Tests = key(None, "tests of kinds that it was trained on besides others")

    @model_validator(mode="after")
    def _fits(self) -> Occluded:
        if self.gallery_by == "teacher" and self.who != "probe":
            raise ConfigError("gallery_by: the teacher embeds holistic galleries only; set who: probe")
        return self


class WeightedKeys(OwnSection):
    """Matching weighted by visibility."""

    epsilon: Annotated[float, number_above_0(1)] = key(EPSILON, "ε, the weight of a part that is hidden")
    bins: Annotated[list[int] | None, or_null(listed(whole(1, 1024)))] = key(
        None, "the horizontal pyramid of the parts; null: what the backbone tells"
    )


class LikelihoodKeys(OwnSection):
    """Matching by likelihood."""

    draws: Size = key(4, "occlusions sampled for each clip of the training set")
    dimensions: Size = key(100, "at most so many numbers of an identity")
    shrinkage: Annotated[float, number_above_0(1e6)] = key(1.0, "added to each number's noise, as a share of the mean")


def _plain(keys: type[OwnSection], value: object, settings: Callable[..., Any]) -> Any:
    """The method's own dataclass of a section's values."""
    given = keys.model_validate(value).model_dump(exclude_none=True)
    return settings(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})


def _switch(keys: type[OwnSection], settings: Callable[..., Any]) -> Takes:
    """A way of matching: true, false, or a mapping of some of its settings; None where it is off."""
    words = f"true or false, or a mapping with {', '.join(keys.names())}"

    def read(value: Any) -> Any:
        if value is None or value is False:
            return None
        if value is not True and not isinstance(value, dict):
            raise ConfigError(f"{shown(value)} is not {words}")
        return _plain(keys, {} if value is True else value, settings)

    return Takes(words, read=read)


def _occluded(value: Any) -> Settings:
    return _plain(Occluded, {} if value is None else value, Settings)


class Evaluator(Engine):
    """A test. A section of OpenGait's, and what [evaluation](evaluation.md) describes."""

    restore_hint: Hint = key(
        80000, "the checkpoint to test; 0 with `init_from_teacher: true`: the teacher's weights (Baseline-1)"
    )
    enable_float16: Flag = key(False, "mixed precision")
    eval_func: Name = key(
        "evaluate_indoor_dataset", "`evaluate_recognition`, or any of the host's; `evaluate_visibility` for a VEN"
    )
    metric: Annotated[str, one_of("euc", "cos")] = key("euc", "mean over parts of Euclidean distance or 1 − cosine")
    cross_view_gallery: Flag = key(False, "OpenGait's; `evaluate_recognition` reads `cross_view`")
    rerank: Flag = key(None, "of OpenGait's HID_submission")
    occluded: Annotated[Settings, Takes("a mapping, see below", read=_occluded)] = key(
        Settings(), "who is occluded, how often, by what"
    )
    gallery: Annotated[Any, Takes("a list of types")] = key(None, "gallery types of a protocol of your own")
    probe: Annotated[Any, Takes("a list of types, or conditions with a list each")] = key(
        None, "probe types of a protocol of your own"
    )
    cross_view: Annotated[str | None, or_null(one_of(*CROSS_VIEW))] = key(
        None, "whether galleries hold the probe's own view; null: as the [protocol](evaluation.md#protocols) has it"
    )
    partition: Annotated[Any, Takes("a path")] = key(
        None, "of OpenGait's own models with Gait3D: lists the probes; ours read `data_cfg.dataset_partition`"
    )
    likelihood: Annotated[Likelihood | None, _switch(LikelihoodKeys, Likelihood)] = key(
        None, "match by the likelihood of one identity ([how](beyond.md#plda-matching))"
    )
    weighted: Annotated[Weighting | None, _switch(WeightedKeys, Weighting)] = key(
        None, "weigh parts by the visibility on both sides ([how](beyond.md#visibility-weighted-matching))"
    )


# ---- model_cfg -------------------------------------------------------------------------------------------------------


class HostModel(Section):
    """A model of the host."""

    slips: ClassVar[bool] = False

    model: Name = key(..., "the class")


class VisibilityEstimation(OwnSection):
    """The VEN."""

    model: Name = key(..., "VisibilityEstimation")
    channels: Annotated[list[int], listed(whole(1, 4096), shortest=3, longest=3)] = key(
        [32, 64, 128], "of its three convolutions"
    )
    feature: Size = key(64, "size of δ, the feature that guides the mimic")
    tasks: Annotated[list[str], some_of(*ALL_TASKS)] = key(
        list(TASKS), "its heads: the occlusion type, the occlusion amount, the visibility of each horizontal part"
    )
    strips: Annotated[int, whole(1, 1024)] = key(16, "horizontal parts of the task parts")
    bands: Annotated[int, whole(1, 16)] = key(1, "pooled band by band of the frame's rows; 1 is global pooling")
    amount_bins: Annotated[int | None, or_null(whole(2, 1024))] = key(
        None, "the occlusion amount as a distribution over so many values; null is one number"
    )

    @model_validator(mode="after")
    def _fits(self) -> VisibilityEstimation:
        for name, task in (("strips", PARTS), ("amount_bins", "regression")):
            if name in self.model_fields_set and getattr(self, name) is not None and task not in self.tasks:
                raise ConfigError(f"{name}: belongs to the task {task}; tasks are {', '.join(self.tasks)}")
        return self


class Teacher(OwnSection):
    """In OcclusionAware, MimicGait and ResidualGait."""

    checkpoint: Path = key(None, "its path")
    iteration: Iteration = key(None, "its number, where the backbone's YAML leads to; null: that YAML's restore_hint")


class Ven(OwnSection):
    """In OcclusionAware, MimicGait and ResidualGait, instead of a path."""

    expected: ClassVar[str] = "a mapping, or text, or null"

    config: Text = key(..., "the VEN's YAML")
    checkpoint: Path = key(None, "its path")
    iteration: Iteration = key(None, "its number, where the VEN's YAML leads to; null: that YAML's restore_hint")


class Recognition(OwnSection):
    """What our recognition models have in common."""

    model: Name = key("", "the class")
    backbone: Annotated[
        dict | str | None, Takes("a mapping, or text", lambda v: isinstance(v, dict) or (bool(v) and is_text(v)))
    ] = key(None, "the backbone's YAML, or its model_cfg in place; it has to be there")
    teacher: Teacher | None = key(None, "the trained holistic network; null: what the backbone's YAML leads to")
    init_from_teacher: Flag = key(False, "start from the teacher's weights")
    ven: Annotated[Ven | None, BeforeValidator(lambda v: {"config": v} if isinstance(v, str) else v)] = key(
        None, "the VEN's YAML, or a mapping"
    )
    class_num: Identities = key(None, "identities, for a classifier of its own")
    registered: Flag = key(
        False, "put clips back on their rows by the VEN before the backbone sees them ([how](beyond.md#registration))",
        "register")  # fmt: skip

    @model_validator(mode="after")
    def _fits(self) -> Recognition:
        if self.model and not self.backbone:
            raise ConfigError("backbone is missing (a YAML path or an OpenGait model_cfg)")
        return self


class OcclusionAware(Recognition):
    """The backbone trained on occluded clips without a teacher."""

    fuse: Flag = key(True, "join the VEN's feature with the embedding")


class MimicGait(Recognition):
    """The mimic beside its frozen teacher. Without a VEN it is the Vanilla Mimic."""

    fuse: Flag = key(True, "join the VEN's feature with the embedding")


class ResidualGait(Recognition):
    """The teacher's feature, corrected ([residual mode](beyond.md#residual-mode)). Its VEN has the task regression."""


RECOGNITION = ("OcclusionAware", "MimicGait", "ResidualGait")
MODELS: dict[str, type[Section]] = {
    model.__name__: model for model in (VisibilityEstimation, OcclusionAware, MimicGait, ResidualGait)
}

# ---- loss_cfg --------------------------------------------------------------------------------------------------------


class Loss(Section):
    """One loss or a list of them. Every loss has these."""

    slips: ClassVar[bool] = False

    type: Name = key(..., "MiCKDLoss, L2KDLoss, VisibilityLoss, or a loss of the host")
    log_prefix: Prefix = key(..., "names it in the log and ties it to the model's features; each loss its own")
    loss_term_weight: Number = key(1.0, "factor in the sum of losses")


class OwnLoss(Loss):
    """One of ours."""

    closed: ClassVar[bool] = True


class MiCKDLoss(OwnLoss):
    """Distillation over triplets (Eq. 2)."""

    margin: Weight = key(0.2, "m, on the scale of the distances")
    pairs: Annotated[list[str], some_of(*PAIRS), BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = key(
        list(PAIRS), "which anchor–positive pairs take part"
    )
    anchors: Annotated[str, one_of(*ANCHORS)] = key(
        "mimic", "`both`: the teacher's features are anchors too, as in the authors' code"
    )
    reduction: Annotated[str, one_of(*REDUCTIONS)] = key(
        "mean_nonzero", "the mean over triplets that violate the margin, or the sum of all"
    )
    normalize: Flag = key(True, "scale features to unit length first")
    partwise: Flag = key(False, "compare part by part, and average over the parts")


class L2KDLoss(OwnLoss):
    """L2 distillation within the same instance (Table 3)."""

    normalize: Flag = key(True, "scale features to unit length first")


class VisibilityLoss(OwnLoss):
    """The VEN's."""

    amount_weight: Weight = key(10.0, "λ, the weight of the occlusion amount's squared error")
    parts_weight: Weight = key(1.0, "the weight of the visibility of the horizontal parts")


class TripletLoss(Loss):
    """The host's."""

    margin: Number = key(None, "on the scale of the distances")


class CrossEntropyLoss(Loss):
    """The host's."""

    scale: Number = key(16.0, "factor on the logits")
    label_smooth: Flag = key(True, "smooth the labels")
    log_accuracy: Flag = key(False, "log the share of right parts")
    eps: Number = key(0.1, "the probability spread over all classes")


LOSSES: dict[str, type[Loss]] = {
    loss.__name__: loss for loss in (MiCKDLoss, L2KDLoss, VisibilityLoss, TripletLoss, CrossEntropyLoss)
}

# ---- a whole configuration -------------------------------------------------------------------------------------------


def _named(models: dict[str, type[Model]], key: str, other: type[Model]) -> Callable[[Any], Model]:
    """Reads the section that goes by a name; mistakes in it are told with the name."""

    def read(value: Any) -> Model:
        name = value.get(key) if isinstance(value, dict) else None
        known = isinstance(name, str) and name in models
        return inside(models[str(name)], value, str(name)) if known else other.model_validate(value)

    return read


def _losses(value: Any) -> list[Loss]:
    if value == []:
        raise ConfigError("an empty list; expected at least one loss")
    found = together(_named(LOSSES, "type", Loss), value if isinstance(value, list) else [value])
    prefixes = [loss.log_prefix for loss in found]
    for prefix in prefixes:
        if prefixes.count(prefix) > 1:
            raise ConfigError(f"log_prefix {shown(prefix)} stands twice; each loss needs its own")
    return found


def _data(value: Any) -> list[Data]:
    return together(Data.model_validate, value if isinstance(value, list) else [value])


class Config(OwnSection):
    """A configuration, merged onto a host's defaults."""

    called: ClassVar[str] = "section"

    model_cfg: Annotated[Section, Takes("a mapping", read=_named(MODELS, "model", HostModel))] = key(..., "the network")
    data_cfg: Annotated[list[Data], Takes("a mapping, or a list of them", read=_data)] = key(..., "what is read")
    trainer_cfg: Trainer = key(..., "a training")
    evaluator_cfg: Evaluator = key(..., "a test")
    loss_cfg: Annotated[list[Loss], Takes("a loss or a list of them", read=_losses)] = key([], "what is minimised")
    optimizer_cfg: Mapping = key({}, "how it is minimised")
    scheduler_cfg: Mapping = key({}, "how the learning rate changes")
