"""What our sections of a YAML mean: backbones, teachers and VENs named by their own YAML files.

Nothing here needs a host, so that a command can check a configuration before it starts anything.
"""

from __future__ import annotations

import sysconfig
from dataclasses import dataclass, replace
from pathlib import Path

from opengait_mimic.data.files import is_file
from opengait_mimic.errors import ConfigError, nearest, shown
from opengait_mimic.method.beyond.matching import MATCHINGS, is_on
from opengait_mimic.method.beyond.plda import likelihood
from opengait_mimic.method.beyond.weighted import weighting
from opengait_mimic.method.losses import PAIRS
from opengait_mimic.method.occlusion import Mixture, mixture
from opengait_mimic.method.ven import PARTS, TASKS, check_tasks
from opengait_mimic.opengait.checkpoints import checkpoint_path
from opengait_mimic.opengait.config.inputs import refuse_other_inputs
from opengait_mimic.opengait.config.schema import MODEL, TEACHER, VEN, Rule, look_over
from opengait_mimic.opengait.config.yamls import read_yaml

RECOGNITION = ("OcclusionAware", "MimicGait", "ResidualGait")
MODELS = ("VisibilityEstimation", *RECOGNITION)
CLEAN_SHARE = 0.15  # of training clips left clean, from which on a method is called after it


@dataclass(frozen=True)
class NetworkSpec:
    """A network as another YAML describes it.

    Attributes:
        model_cfg: its OpenGait model_cfg, unchanged.
        dataset_name: the data set it was made for (GaitGL's architecture depends on it).
        checkpoint: where its trained weights are, if that can be told.
        kinds: for a VEN, the mixture it was trained on.
        prepared_by: how its silhouettes get their width, "" where that cannot be told.
        trainer_cfg: how it is trained by itself, where its YAML says so; some models read settings there (SwinGait).
    """

    model_cfg: dict
    dataset_name: str
    checkpoint: Path | None
    kinds: Mixture | None = None
    prepared_by: str = ""
    trainer_cfg: dict | None = None


def shipped(folder: str) -> Path:
    """The folder `configs` or `patches` that comes with the package: in its source tree, else where pip puts it."""
    source = Path(__file__).resolve().parents[3]
    if (source / "setup.cfg").is_file():
        return source / folder
    return Path(sysconfig.get_path("data"), "share", "opengait-mimic", folder)


def find(path: str, key: str) -> Path:
    """A YAML named in a YAML: relative to the working directory, else among the shipped configurations."""
    try:
        candidates = [Path(path).expanduser()]
    except RuntimeError:  # ~somebody unknown
        candidates = [Path(path)]
    if not candidates[0].is_absolute():
        candidates.append(shipped("configs").parent / path)
    for candidate in candidates:
        if is_file(candidate):
            return candidate
    raise ConfigError(f"{key}: no such file: {path} (looked in {Path.cwd()})")


def section(cfgs: dict, name: str, path: str | Path) -> dict:
    """A mapping inside a configuration; empty where it is left out."""
    value = cfgs.get(name) or {}
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: {name}: expected a mapping, found {type(value).__name__}")
    return value


def text(settings: dict, key: str, where: str, default: str | None = None) -> str:
    """The value of a key that must be text, such as a name or a path (a YAML's bare 2024 is a number)."""
    value = settings.get(key, default)
    if not isinstance(value, str):
        raise ConfigError(f"{where}: {key}: expected text, found {shown(value)}")
    return value


def restore_hint(value: object, key: str) -> int | str:
    """`value` as what names a checkpoint: an iteration or a path."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ConfigError(f"{key}: expected an iteration or a path, found {shown(value)}")
    return value


def check_model_keys(model_cfg: dict) -> None:
    """Refuse keys of one of our models that nothing reads, and values they do not take.

    Raises:
        ConfigError: an unknown or missing key, or a value that is not allowed.
    """
    model = model_cfg["model"]
    if "backbone" in MODEL[model] and not model_cfg.get("backbone"):
        for key in model_cfg:
            if key not in MODEL[model]:
                raise ConfigError(f"model_cfg: {model}: unknown key {shown(key)}; {nearest(key, MODEL[model])}")
        raise ConfigError(f"model_cfg: {model}: backbone is missing (a YAML path or an OpenGait model_cfg)")
    look_over(model_cfg, MODEL[model], f"model_cfg: {model}", closed=True)
    if model == "VisibilityEstimation":
        _check_tasks(model_cfg)


def _check_tasks(model_cfg: dict) -> None:
    """Refuse tasks that a VEN does not have, and settings of those it has not been given."""
    tasks = model_cfg.get("tasks", TASKS)
    check_tasks(tasks)
    for key, task in (("strips", PARTS), ("amount_bins", "regression")):
        if model_cfg.get(key) is not None and task not in tasks:
            raise ConfigError(
                f"model_cfg: VisibilityEstimation: {key}: it is of the task {task}; tasks are {', '.join(tasks)}"
            )


def backbone_spec(model_cfg: dict, dataset_name: str) -> NetworkSpec:
    """The backbone of `model_cfg`: its own model_cfg or a YAML path; and its teacher's checkpoint.

    The teacher's checkpoint is `teacher.checkpoint`, else the one the backbone's YAML leads to (its data set,
    save_name and evaluator_cfg.restore_hint, or `teacher.iteration`).

    Raises:
        ConfigError: the YAML or a key in it is missing or wrong.
    """
    backbone = model_cfg["backbone"]
    teacher = _mapping(model_cfg.get("teacher"), "teacher", TEACHER)
    if isinstance(backbone, dict):
        if "model" not in backbone:
            raise ConfigError("model_cfg: backbone: no 'model' in it; it takes an OpenGait model_cfg")
        text(backbone, "model", "model_cfg: backbone")
        spec = NetworkSpec(backbone, dataset_name, None)
    elif isinstance(backbone, str):
        spec = _spec_of_yaml(backbone, "model_cfg: backbone", teacher.get("iteration"))
    else:
        raise ConfigError(f"model_cfg: backbone: expected a YAML path or a model_cfg, found {shown(backbone)}")
    refuse_other_inputs(spec.model_cfg["model"])
    if teacher.get("checkpoint"):
        spec = replace(spec, checkpoint=Path(teacher["checkpoint"]))
    return spec


def ven_spec(model_cfg: dict) -> NetworkSpec | None:
    """The VEN of `model_cfg`: None, its YAML's path, or a mapping with config, checkpoint, iteration.

    Raises:
        ConfigError: the YAML is missing, is not one of a VEN, or describes none that can be built.
    """
    ven = model_cfg.get("ven")
    if ven is None:
        return None
    ven = {"config": ven} if isinstance(ven, str) else ven
    ven = _mapping(ven, "ven", VEN)
    if "config" not in ven:
        raise ConfigError("model_cfg: ven: config is missing (the VEN's YAML)")
    spec = _spec_of_yaml(ven["config"], "model_cfg: ven", ven.get("iteration"))
    if spec.kinds is None or spec.model_cfg.get("model") != "VisibilityEstimation":
        raise ConfigError(f"model_cfg: ven: {ven['config']} does not train a VisibilityEstimation on occlusions")
    try:
        check_model_keys(spec.model_cfg)
    except ConfigError as error:
        raise ConfigError(f"model_cfg: ven: {ven['config']}: {error}") from None
    checkpoint = Path(ven["checkpoint"]) if ven.get("checkpoint") else spec.checkpoint
    return replace(spec, checkpoint=checkpoint)


def check_uses_of_ven(cfgs: dict, ven: NetworkSpec | None) -> None:
    """Refuse what needs a VEN, or one with more tasks than it has.

    Args:
        cfgs: of one of our recognition models. ven: its VEN.
    Raises:
        ConfigError: what is missing.
    """
    model_cfg, evaluator = cfgs["model_cfg"], cfgs["evaluator_cfg"]
    needs = {
        "model_cfg: register": TASKS if model_cfg.get("register") else (),
        "evaluator_cfg: weighted": (PARTS,) if weighting(evaluator.get("weighted")) else (),
        "evaluator_cfg: likelihood": ("classification",) if likelihood(evaluator.get("likelihood")) else (),
        "model_cfg: model: ResidualGait": ("regression",) if model_cfg["model"] == "ResidualGait" else (),
    }
    for key, tasks in needs.items():
        has = () if ven is None else ven.model_cfg.get("tasks", TASKS)
        missing = [task for task in tasks if task not in has]
        if missing:
            found = "there is no ven" if ven is None else f"its tasks are {', '.join(has)}"
            raise ConfigError(f"{key}: needs a ven with the tasks {', '.join(tasks)}; {found}")
    for key in MATCHINGS:
        if is_on(evaluator.get(key)) and evaluator.get("eval_func") != "evaluate_recognition":
            raise ConfigError(f"evaluator_cfg: {key}: needs eval_func evaluate_recognition")
    prepared = prepared_by(evaluator.get("transform"))
    if model_cfg.get("register") and prepared.startswith("BaseParsing"):
        raise ConfigError(f"model_cfg: register: takes silhouettes, {prepared} makes parsing maps")


def distils(loss_cfg: dict) -> bool:
    """Whether a loss looks at the teacher: L2KDLoss, or MiCKDLoss with a pair that involves it.

    Args:
        loss_cfg: one loss's entry.
    """
    if loss_cfg["type"] != "MiCKDLoss":
        return loss_cfg["type"] == "L2KDLoss"
    pairs = loss_cfg.get("pairs", PAIRS)
    pairs = (pairs,) if isinstance(pairs, str) else tuple(pairs)
    return pairs != ("mimic_mimic",) or loss_cfg.get("anchors", "mimic") == "both"


def ven_settings(model_cfg: dict) -> dict:
    """The arguments of `VisibilityNetwork` in a VEN's model_cfg."""
    keys = ("channels", "feature", "tasks", "strips", "bands", "amount_bins")
    return {key: model_cfg[key] for key in keys if key in model_cfg}


def training_seed(cfgs: dict) -> int:
    """`trainer_cfg.seed`: which repetition of a training this is, default 0.

    Raises:
        ConfigError: not a whole number from 0.
    """
    seed = cfgs["trainer_cfg"].get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigError(f"trainer_cfg: seed: {seed!r} is not a whole number from 0")
    return seed


def backbone_title(model_cfg: dict) -> str:
    """What the field calls a backbone: its model's name, but OpenGait's Baseline is GaitBase."""
    return "GaitBase" if model_cfg["model"] == "Baseline" else model_cfg["model"]


def ven_name(ven: dict | None) -> str:
    """What the paper calls an auxiliary network of these tasks: "VEN", or "Occlusion Aware" for classification alone.

    One with parts, which is ours, is a "VEN+".

    Args:
        ven: its model_cfg, None where there is none ("").
    """
    if ven is None:
        return ""
    tasks = tuple(sorted(ven.get("tasks", TASKS)))
    if PARTS in tasks:
        return "VEN+"
    return {("classification",): "Occlusion Aware", ("regression",): "VEN (regression)"}.get(tasks, "VEN")


def method_name(cfgs: dict, ven: dict | None) -> str:
    """Which row of the paper's tables a configuration is, "Mimic + VEN" for example.

    Args:
        cfgs: of one of our recognition models. ven: its VEN's model_cfg, None where it has none.
    """
    return _paper_name(cfgs, ven if cfgs["model_cfg"].get("fuse", True) else None) + _extras(cfgs)


def _extras(cfgs: dict) -> str:
    """What of ours comes on top of the paper's method: ", registered", ", clean clips"."""
    found = ", registered" if cfgs["model_cfg"].get("register") else ""
    entry = lifted(cfgs["trainer_cfg"].get("transform"), "trainer_cfg")[1]
    mimics = cfgs["model_cfg"]["model"] == "MimicGait"
    if mimics and entry is not None and sum(mixture(entry.get("kinds")).probs) < 1 - CLEAN_SHARE:
        found += ", clean clips"
    return found


def _paper_name(cfgs: dict, ven: dict | None) -> str:
    losses = [cfgs["loss_cfg"]] if isinstance(cfgs["loss_cfg"], dict) else cfgs["loss_cfg"]
    guide = ven_name(ven)
    if cfgs["model_cfg"]["model"] == "ResidualGait":
        return "Residual"
    if cfgs["model_cfg"]["model"] == "OcclusionAware":
        untrained = cfgs["evaluator_cfg"].get("restore_hint", 0) == 0
        return guide or ("Baseline-1" if untrained else "Baseline-2")
    kinds = [loss["type"] for loss in losses]
    mickd = next((loss for loss in losses if loss["type"] == "MiCKDLoss"), None)
    name = "Vanilla Mimic" if mickd else "L2 KD" if "L2KDLoss" in kinds else "Without KD"
    if mickd is not None:
        pairs = mickd.get("pairs", PAIRS)
        pairs = {pairs} if isinstance(pairs, str) else set(pairs)
        if not distils(mickd):
            name = "Control"
        elif pairs != set(PAIRS):
            numbers = "+".join(str(i + 1) for i, pair in enumerate(PAIRS) if pair in pairs)
            name = f"MiCKD, pair{'s' * (len(pairs) > 1)} {numbers}"
        elif "CrossEntropyLoss" in kinds:
            name = "MiCKD + XE"
        elif guide:
            name = "Mimic"
        if mickd.get("partwise"):
            name += ", part-wise"
    return f"{name} + {guide}" if guide else name


def sil_transform(transforms: object) -> dict | None:
    """The entry of a YAML's transform list that gives silhouettes their width and range; None where there is none."""
    first = transforms[0] if isinstance(transforms, list) and transforms else transforms
    steps = first.get("trf_cfg") if isinstance(first, dict) and first.get("type") == "Compose" else [first]
    for step in steps if isinstance(steps, list) else []:
        if isinstance(step, dict) and str(step.get("type")).startswith(("BaseSil", "BaseParsing")):
            return step
    return None


def prepared_by(transforms: object) -> str:
    """How silhouettes get their width, as a YAML's transform list says: the name and arguments of that step."""
    step = sil_transform(transforms)
    if step is None:
        return ""
    cut = f" with cutting {step['cutting']}" if step.get("cutting") is not None else ""
    return f"{step['type']}{cut}"


def _mapping(value: object, key: str, rules: dict[str, Rule]) -> dict:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"model_cfg: {key}: expected a mapping with {', '.join(rules)}, found {shown(value)}")
    look_over(value, rules, f"model_cfg: {key}", closed=True)
    return value


def _spec_of_yaml(path: str, key: str, iteration: int | None) -> NetworkSpec:
    cfgs = read_yaml(find(str(path), key))
    model_cfg = section(cfgs, "model_cfg", path)
    if "model" not in model_cfg:
        raise ConfigError(f"{path}: model_cfg: model is missing")
    model = text(model_cfg, "model", f"{path}: model_cfg")
    dataset = text(section(cfgs, "data_cfg", path), "dataset_name", f"{path}: data_cfg", "CASIA-B")
    evaluator = section(cfgs, "evaluator_cfg", path)
    if iteration is None:
        hint = restore_hint(evaluator.get("restore_hint", 0), f"{path}: evaluator_cfg: restore_hint")
    else:
        hint = restore_hint(iteration, f"{key}: iteration")
    if isinstance(hint, str):
        checkpoint = Path(hint)
    elif evaluator.get("save_name"):
        save_name = text(evaluator, "save_name", f"{path}: evaluator_cfg")
        checkpoint = checkpoint_path(dataset, model, save_name, hint)
    else:
        checkpoint = None
    trainer = section(cfgs, "trainer_cfg", path)
    transforms = trainer.get("transform")
    occlusion = lifted(transforms, f"{path}: trainer_cfg")[1]
    kinds = None if occlusion is None else mixture(occlusion.get("kinds"))
    return NetworkSpec(model_cfg, dataset, checkpoint, kinds, prepared_by(transforms), trainer)


def lifted(transforms: object, where: str) -> tuple[object, dict | None]:
    """A YAML's transform list without the `Occlusion` at its end, and that entry.

    Args:
        transforms: one entry per input of the model; the first is the silhouettes'.
        where: the section, for messages.
    Returns:
        The remaining transforms and the `Occlusion` entry, None where there is none.
    Raises:
        ConfigError: an `Occlusion` that is not the last of a Compose.
    """
    if not isinstance(transforms, list) or not transforms:
        return transforms, None
    first = transforms[0]
    if isinstance(first, dict) and first.get("type") == "Occlusion":
        raise ConfigError(f"{where}: transform: Occlusion goes to the end of a Compose, after BaseSilTransform")
    steps = first.get("trf_cfg") if isinstance(first, dict) and first.get("type") == "Compose" else None
    if not isinstance(steps, list):
        return transforms, None
    places = [i for i, s in enumerate(steps) if isinstance(s, dict) and s.get("type") == "Occlusion"]
    if not places:
        return transforms, None
    if places != [len(steps) - 1]:
        raise ConfigError(f"{where}: transform: Occlusion must stand once, at the end of the Compose")
    if len(steps) == 1:
        raise ConfigError(f"{where}: transform: Occlusion stands alone; put BaseSilTransform before it")
    return [{**first, "trf_cfg": steps[:-1]}, *transforms[1:]], steps[-1]


def occlusion_settings(entry: dict, where: str) -> dict:
    """The arguments of `Occlusion` in a transform entry.

    Raises:
        ConfigError: an unknown key.
    """
    settings = {key: value for key, value in entry.items() if key != "type"}
    for key in settings:
        if key not in ("kinds", "seed"):
            raise ConfigError(f"{where}: Occlusion: unknown key {key!r}; {nearest(key, ('kinds', 'seed'))}")
    return {"kinds": settings.get("kinds"), "seed": settings.get("seed")}
