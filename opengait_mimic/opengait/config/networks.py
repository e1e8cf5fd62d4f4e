"""What our sections of a YAML mean: backbones, teachers and VENs named by their own YAML files.

Nothing here needs a host, so that a command can check a configuration before it starts anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from opengait_mimic.errors import ConfigError
from opengait_mimic.method.losses import PAIRS
from opengait_mimic.method.occlusion import Mixture, mixture
from opengait_mimic.method.ven import PARTS, TASKS
from opengait_mimic.opengait.checkpoints import checkpoint_path
from opengait_mimic.opengait.config.inputs import refuse_other_inputs
from opengait_mimic.opengait.config.keys import read
from opengait_mimic.opengait.config.reading import find, read_yaml, restore_hint, section, text
from opengait_mimic.opengait.config.schema import MODELS, Evaluator, Recognition, Teacher, Trainer, VisibilityEstimation
from opengait_mimic.opengait.config.transforms import lifted, prepared_by


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


def check_model_keys(model_cfg: dict) -> None:
    """Refuse keys of one of our models that nothing reads, and values they do not take.

    Raises:
        ConfigError: unknown or missing keys, or values that are not allowed, each a line.
    """
    model = model_cfg["model"]
    read(MODELS[model], model_cfg, f"model_cfg: {model}")


def backbone_spec(model_cfg: dict, dataset_name: str) -> NetworkSpec:
    """The backbone of `model_cfg`: its own model_cfg or a YAML path; and its teacher's checkpoint.

    The teacher's checkpoint is `teacher.checkpoint`, else the one the backbone's YAML leads to (its data set,
    save_name and evaluator_cfg.restore_hint, or `teacher.iteration`).

    Args:
        model_cfg: of one of our recognition models.
        dataset_name: of the run.
    Raises:
        ConfigError: the YAML or a key in it is missing or wrong.
    """
    asked = read(Recognition, model_cfg, "model_cfg", only=("backbone", "teacher"))
    teacher = asked.teacher or Teacher()
    if asked.backbone is None:
        raise ConfigError("model_cfg: backbone is missing (a YAML path or an OpenGait model_cfg)")
    if isinstance(asked.backbone, dict):
        text(asked.backbone, "model", "model_cfg: backbone")
        spec = NetworkSpec(asked.backbone, dataset_name, None)
    else:
        spec = _spec_of_yaml(asked.backbone, "model_cfg: backbone", teacher.iteration)
    refuse_other_inputs(spec.model_cfg["model"])
    return replace(spec, checkpoint=Path(teacher.checkpoint)) if teacher.checkpoint else spec


def ven_spec(model_cfg: dict) -> NetworkSpec | None:
    """The VEN of `model_cfg`: None, its YAML's path, or a mapping with config, checkpoint, iteration.

    Args:
        model_cfg: of one of our recognition models.
    Raises:
        ConfigError: the YAML is missing, is not one of a VEN, or describes none that can be built.
    """
    ven = read(Recognition, model_cfg, "model_cfg", only=("ven",)).ven
    if ven is None:
        return None
    spec = _spec_of_yaml(ven.config, "model_cfg: ven", ven.iteration)
    if spec.kinds is None or spec.model_cfg.get("model") != "VisibilityEstimation":
        raise ConfigError(f"model_cfg: ven: {ven.config} does not train a VisibilityEstimation on occlusions")
    read(VisibilityEstimation, spec.model_cfg, f"model_cfg: ven: {ven.config}: model_cfg: VisibilityEstimation")
    return replace(spec, checkpoint=Path(ven.checkpoint)) if ven.checkpoint else spec


def _spec_of_yaml(path: str, key: str, iteration: int | None) -> NetworkSpec:
    cfgs = read_yaml(find(path, key))
    model_cfg, evaluator, trainer = (section(cfgs, f"{name}_cfg", path) for name in ("model", "evaluator", "trainer"))
    if "model" not in model_cfg:
        raise ConfigError(f"{path}: model_cfg: model is missing")
    model = text(model_cfg, "model", f"{path}: model_cfg")
    dataset = text(section(cfgs, "data_cfg", path), "dataset_name", f"{path}: data_cfg", "CASIA-B")
    if iteration is None:
        hint = restore_hint(evaluator.get("restore_hint", 0), f"{path}: evaluator_cfg: restore_hint")
    else:
        hint = iteration
    checkpoint = None
    if isinstance(hint, str):
        checkpoint = Path(hint)
    elif evaluator.get("save_name"):
        checkpoint = checkpoint_path(dataset, model, text(evaluator, "save_name", f"{path}: evaluator_cfg"), hint)
    transforms = trainer.get("transform")
    occlusion = lifted(transforms, f"{path}: trainer_cfg")[1]
    kinds = None if occlusion is None else mixture(occlusion.get("kinds"))
    return NetworkSpec(model_cfg, dataset, checkpoint, kinds, prepared_by(transforms), trainer)


def evaluator_settings(cfgs: dict) -> Evaluator:
    """What a test of ours is asked for beside the host's own: `occluded`, `weighted`, `likelihood`, each of its type.

    Raises:
        ConfigError: values that are not allowed.
    """
    return read(Evaluator, cfgs["evaluator_cfg"], "evaluator_cfg", only=("occluded", "weighted", "likelihood"))


def training_seed(cfgs: dict) -> int:
    """`trainer_cfg.seed`: which repetition of a training this is, default 0.

    Raises:
        ConfigError: not a whole number from 0.
    """
    return read(Trainer, cfgs["trainer_cfg"], "trainer_cfg", only=("seed",)).seed


def ven_settings(model_cfg: dict) -> dict:
    """The arguments of `VisibilityNetwork` in a VEN's model_cfg."""
    return {key: model_cfg[key] for key in VisibilityEstimation.names() if key in model_cfg and key != "model"}


def losses(cfgs: dict) -> list[dict]:
    """The entries of `loss_cfg`, which is one loss or a list of them."""
    return [cfgs["loss_cfg"]] if isinstance(cfgs["loss_cfg"], dict) else cfgs["loss_cfg"]


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


def check_uses_of_ven(cfgs: dict, ven: NetworkSpec | None) -> None:
    """Refuse what needs a VEN, or one with more tasks than it has.

    Args:
        cfgs: of one of our recognition models.
        ven: its VEN.
    Raises:
        ConfigError: what is missing, each a line.
    """
    model_cfg, evaluator, asked, found = cfgs["model_cfg"], cfgs["evaluator_cfg"], evaluator_settings(cfgs), []
    needs = {
        "model_cfg: register": TASKS if model_cfg.get("register") else (),
        "evaluator_cfg: weighted": (PARTS,) if asked.weighted else (),
        "evaluator_cfg: likelihood": ("classification",) if asked.likelihood else (),
        "model_cfg: model: ResidualGait": ("regression",) if model_cfg["model"] == "ResidualGait" else (),
    }
    has = () if ven is None else ven.model_cfg.get("tasks", TASKS)
    for key, tasks in needs.items():
        if not set(tasks) <= set(has):
            told = "there is no ven" if ven is None else f"its tasks are {', '.join(has)}"
            found.append(f"{key}: needs a ven with the tasks {', '.join(tasks)}; {told}")
    for key in ("weighted", "likelihood"):
        if getattr(asked, key) and evaluator.get("eval_func") != "evaluate_recognition":
            found.append(f"evaluator_cfg: {key}: needs eval_func evaluate_recognition")
    prepared = prepared_by(evaluator.get("transform"))
    if model_cfg.get("register") and prepared.startswith("BaseParsing"):
        found.append(f"model_cfg: register: takes silhouettes, {prepared} makes parsing maps")
    if found:
        raise ConfigError("\n".join(found))
