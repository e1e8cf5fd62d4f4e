"""What may stand where in a YAML: the keys of its sections with the values they take, as data.

The host's sections are open: a key that is not here passes (OpenGait's models read keys of their own), unless it looks
like a slip for one that is. Our own sections are closed.
"""

from __future__ import annotations

import difflib
import inspect
import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.optim import lr_scheduler

from opengait_mimic.errors import ConfigError, nearest, one_line, shown

BLOCKS, SIZE = 1000, 10**7  # the most of a network's blocks in a row, and of anything else that it counts
CLOSE = 0.85  # how much a key must look like a known one to be a slip for it


class Rule(NamedTuple):
    """Which values a key takes.

    Attributes:
        expected: in words. holds: whether a value is one of them.
    """

    expected: str
    holds: Callable[[object], bool]


def whole(low: int = 0, high: int = 10**9) -> Rule:
    """A whole number; the upper bound keeps a slip of the finger from asking for all memory there is."""
    words = f"a whole number from {low}" + (f" to {high}" if high < 10**9 else "")
    return Rule(words, lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high)


def number(low: float = -math.inf, high: float = math.inf) -> Rule:
    """A finite number."""
    bounds = "" if low == -math.inf else f" from {low:g}"
    bounds += "" if high == math.inf else f" to {high:g}"
    return Rule(f"a number{bounds}", lambda v: _is_number(v) and low <= v <= high)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def listed(one: Rule, shortest: int = 1, longest: int = 1000) -> Rule:
    """A list of values of one rule."""
    many = f"{shortest} values" if shortest == longest else "values"
    return Rule(f"a list of {many}, each {one.expected}",
                lambda v: isinstance(v, list) and shortest <= len(v) <= longest and all(map(one.holds, v)))  # fmt: skip


def either(*rules: Rule) -> Rule:
    return Rule(", or ".join(r.expected for r in rules), lambda v: any(r.holds(v) for r in rules))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 1000 and value.isprintable()


TEXT = Rule("text", _is_text)
NAME = Rule("a name (text without slashes)", lambda v: _is_text(v) and not set(v) & set("/\\") and v.strip(".") != "")
PREFIX = Rule("a name (text without dots or slashes)", lambda v: NAME.holds(v) and "." not in v)
FLAG = Rule("true or false", lambda v: isinstance(v, bool))
NOTHING = Rule("null", lambda v: v is None)
MAPPING = Rule("a mapping", lambda v: isinstance(v, dict))
ABOVE_0 = Rule("a number above 0", lambda v: _is_number(v) and v > 0)
SHARE = number(0, 1)


def one_of(*values: str) -> Rule:
    return Rule(f"one of {', '.join(values)}", lambda v: isinstance(v, str) and v in values)


DATA = {
    "dataset_name": NAME, "test_dataset_name": NAME, "dataset_root": TEXT, "dataset_partition": TEXT,
    "num_workers": whole(0, 256), "cache": FLAG, "remove_no_gallery": FLAG, "self_supervised": FLAG,
    "data_in_use": either(listed(FLAG), listed(whole(0, 1000)), NOTHING), "frame_threshold": whole(),
    "train_data_preload": TEXT,
}  # fmt: skip
_ENGINE = {  # restore_hint: some of OpenGait's models take a list
    "save_name": NAME, "restore_hint": None,
    "restore_ckpt_strict": FLAG, "enable_float16": FLAG, "enable_distributed": FLAG,
    "sampler": Rule("a mapping with type, batch_size and sample_type", MAPPING.holds),
    "transform": Rule("a transform or a list of them", lambda v: isinstance(v, (list, dict, type(None)))),
}  # fmt: skip
TRAINER = {
    **_ENGINE, "total_iter": whole(1), "save_iter": whole(1), "log_iter": whole(1), "with_test": FLAG,
    "optimizer_reset": FLAG, "scheduler_reset": FLAG, "fix_BN": FLAG, "sync_BN": FLAG, "find_unused_parameters": FLAG,
    "T_max_iter": whole(1), "fix_layers": FLAG, "seed": whole(),
}  # fmt: skip
EVALUATOR = {
    **_ENGINE, "eval_func": NAME, "metric": one_of("euc", "cos"), "cross_view_gallery": FLAG, "rerank": FLAG,
    # Looked at where they are read.
    "occluded": None, "gallery": None, "probe": None, "cross_view": None, "partition": None, "weighted": None,
    "likelihood": None,
}  # fmt: skip
SAMPLER = {
    "type": NAME, "batch_shuffle": FLAG, "frames_num_fixed": whole(1, 10**5), "frames_num_min": whole(1, 10**5),
    "frames_num_max": whole(1, 10**5), "frames_skip_num": whole(0, 10**5), "points_in_use": MAPPING,
    "frames_all_limit": Rule("a whole number from 1, or below 0 for no limit",
                             lambda v: whole(-(10**9)).holds(v) and v != 0),
    "sample_type": one_of(*(f"{n}_{o}" for n in ("fixed", "unfixed", "all") for o in ("ordered", "unordered",
                                                                                  "allordered"))),
    "batch_size": Rule("a whole number from 1, or for a TripletSampler [P, K], two of them",
                       either(whole(1, 2**16), listed(whole(1, 2**12), 2, 2)).holds),
}  # fmt: skip
TRANSFORM = {
    "prob": SHARE, "divsor": ABOVE_0, "cutting": either(whole(0, 10**4), NOTHING), "degree": number(), "sl": SHARE,
    "img_shape": either(listed(whole(1, 10**4)), NOTHING), "sh": SHARE, "r1": ABOVE_0, "per_frame": FLAG,
}  # fmt: skip
LOSS = {"type": NAME, "log_prefix": PREFIX, "loss_term_weight": number()}
HOST_LOSSES = {
    "TripletLoss": {"margin": number()},
    "CrossEntropyLoss": {"scale": number(), "label_smooth": FLAG, "log_accuracy": FLAG, "eps": number()},
}
OWN_LOSSES = {
    "MiCKDLoss": dict.fromkeys(("margin", "pairs", "anchors", "reduction")) | {"normalize": FLAG, "partwise": FLAG},
    "L2KDLoss": {"normalize": FLAG},
    "VisibilityLoss": {"amount_weight": number(0), "parts_weight": number(0)},
}
_NETWORK = {
    "model": NAME, "backbone": either(MAPPING, TEXT), "teacher": either(MAPPING, NOTHING), "init_from_teacher": FLAG,
    "ven": either(MAPPING, TEXT, NOTHING), "class_num": either(whole(1, 10**7), NOTHING), "register": FLAG,
}  # fmt: skip
MODEL = {
    "VisibilityEstimation": {
        "model": NAME, "channels": listed(whole(1, 4096), 3, 3), "feature": whole(1, 4096), "tasks": None,
        "strips": whole(1, 1024), "bands": whole(1, 16), "amount_bins": either(whole(2, 1024), NOTHING),
    },
    "OcclusionAware": {**_NETWORK, "fuse": FLAG},
    "MimicGait": {**_NETWORK, "fuse": FLAG},
    "ResidualGait": _NETWORK,
}  # fmt: skip
TEACHER = {"checkpoint": either(TEXT, NOTHING), "iteration": either(whole(1), NOTHING)}
VEN = {"config": TEXT, **TEACHER}


def look_over(settings: dict, rules: dict[str, Rule | None], where: str, closed: bool = False) -> None:
    """Check the keys of a section and their values.

    Args:
        rules: by key; None leaves the value to another check. where: for messages. closed: refuse every other key.
    Raises:
        ConfigError: the first key or value that is not allowed.
    """
    for key, value in settings.items():
        rule = rules.get(key)
        if key not in rules:
            hint = nearest(key, rules)
            if closed or _is_slip(key, rules):
                raise ConfigError(f"{where}: unknown key {shown(key)}; {hint}")
        elif rule is not None and not rule.holds(value):
            raise ConfigError(f"{where}: {key}: {shown(value)} is not {rule.expected}{_written_so(value, rule)}")


def check_sizes(model_cfg: object, where: str) -> None:
    """Check that no number in a network's description is beyond what any network has.

    Raises:
        ConfigError: a number of blocks above 1000, or another whole number above ten million.
    """
    items = model_cfg.items() if isinstance(model_cfg, dict) else enumerate(model_cfg)
    for key, value in items:
        inner = where if isinstance(key, int) else f"{where}: {key}"
        if isinstance(value, (dict, list)):
            check_sizes(value, inner)
        elif isinstance(value, int):
            most = BLOCKS if inner.endswith((": layers", ": blocks")) else SIZE
            if value > most:
                raise ConfigError(f"{inner}: {shown(value)} is more than any network has; at most {most}")


def _is_slip(key: str, rules: dict) -> bool:
    return bool(difflib.get_close_matches(key[:80], rules, n=1, cutoff=CLOSE))


def _written_so(value: object, rule: Rule) -> str:
    """The remark on 1e-4, which is text in YAML."""
    if isinstance(value, str) and "number" in rule.expected:
        try:
            return f" (YAML takes it for text; write {float(value)!r})" if "e" in value.lower() else ""
        except ValueError:
            return ""
    return ""


def check_transforms(transforms: object, where: str) -> None:
    """Check a transform list: entries with a type, and the common settings of the host's own transforms.

    Raises:
        ConfigError: an entry that is none, or a value that is not allowed.
    """
    entries = transforms if isinstance(transforms, list) else [] if transforms is None else [transforms]
    if entries and all(isinstance(entry, list) and entry for entry in entries):
        entries = [one for entry in entries for one in entry]  # of the pairs of views that OpenGait's pretraining makes
    if isinstance(transforms, list) and not entries:
        raise ConfigError(f"{where}: transform: an empty list; expected one transform for each input")
    for entry in entries:
        if not isinstance(entry, dict) or not TEXT.holds(entry.get("type")):
            raise ConfigError(f"{where}: transform: expected entries with a type, found {shown(entry)}")
        if entry["type"] == "Compose":
            inner = entry.get("trf_cfg")
            if not isinstance(inner, list) or not inner:
                raise ConfigError(f"{where}: transform: Compose: trf_cfg: expected a list, found {shown(inner)}")
            check_transforms(inner, where)
        elif entry["type"].startswith(("BaseSil", "BaseParsing", "Random")):
            settings = {k: v for k, v in entry.items() if k in TRANSFORM}
            look_over(settings, TRANSFORM, f"{where}: transform: {entry['type']}")


def check_sampler(sampler: dict, where: str) -> None:
    """Check a sampler section.

    Raises:
        ConfigError: a value that is not allowed, or a number that its sample_type needs is missing.
    """
    look_over(sampler, SAMPLER, where)
    pair, kind = isinstance(sampler.get("batch_size"), list), sampler.get("type")
    if (
        pair != (kind == "TripletSampler")
        and kind in ("TripletSampler", "InferenceSampler")
        and "batch_size" in sampler
    ):
        expected = "[P, K]" if kind == "TripletSampler" else "a whole number"
        raise ConfigError(f"{where}: batch_size: {kind} expected {expected}, found {shown(sampler['batch_size'])}")
    number_of, _, order = str(sampler.get("sample_type", "")).partition("_")
    needed = {"fixed": ["frames_num_fixed"], "unfixed": ["frames_num_min", "frames_num_max"]}.get(number_of, [])
    for key in needed:
        if key not in sampler:
            raise ConfigError(f"{where}: {key} is missing; sample_type {sampler['sample_type']} needs it")
    if number_of == "unfixed" and sampler["frames_num_min"] > sampler["frames_num_max"]:
        low, high = sampler["frames_num_min"], sampler["frames_num_max"]
        raise ConfigError(f"{where}: frames_num_min {low} is more than frames_num_max {high}")


def check_losses(loss_cfg: object) -> None:
    """Check `loss_cfg`: one loss, or a list of them, with the options of ours and of the host's common ones.

    Raises:
        ConfigError: an entry that is no loss, an unknown option of a loss of ours, or a value that is not allowed.
    """
    entries = loss_cfg if isinstance(loss_cfg, list) else [loss_cfg]
    if not entries:
        raise ConfigError("loss_cfg: an empty list; expected at least one loss")
    prefixes = set()
    for entry in entries:
        if not isinstance(entry, dict) or not {"type", "log_prefix"} <= set(entry):
            raise ConfigError(f"loss_cfg: expected entries with type and log_prefix, found {shown(entry)}")
        look_over({k: entry[k] for k in LOSS if k in entry}, LOSS, "loss_cfg")
        options = {k: v for k, v in entry.items() if k not in LOSS}
        if entry["type"] in OWN_LOSSES:
            look_over(options, OWN_LOSSES[entry["type"]], f"loss_cfg: {entry['type']}", closed=True)
        elif entry["type"] in HOST_LOSSES:
            rules = HOST_LOSSES[entry["type"]]
            look_over({k: v for k, v in options.items() if k in rules}, rules, f"loss_cfg: {entry['type']}")
        if entry["log_prefix"] in prefixes:
            raise ConfigError(
                f"loss_cfg: log_prefix {shown(entry['log_prefix'])} stands twice; each loss needs its own"
            )
        prefixes.add(entry["log_prefix"])


def check_optimizer(optimizer_cfg: dict, scheduler_cfg: dict) -> None:
    """Try the optimizer and the scheduler on a network of one number.

    Raises:
        ConfigError: no such class in torch, or settings that it does not take.
    """
    solver = _torch_class(torch.optim, torch.optim.Optimizer, optimizer_cfg, "optimizer_cfg", "solver")
    schedule = _torch_class(lr_scheduler, lr_scheduler.LRScheduler, scheduler_cfg, "scheduler_cfg", "scheduler")
    options = _settings(solver, optimizer_cfg, "solver", "optimizer_cfg")
    steps = _settings(schedule, scheduler_cfg, "scheduler", "scheduler_cfg")
    one = torch.nn.Parameter(torch.zeros(2, 2))
    one.grad = torch.zeros(2, 2)
    optimizer = _tried(lambda: solver([one], **options), f"optimizer_cfg: {solver.__name__}")
    _tried(lambda: optimizer.step(), f"optimizer_cfg: {solver.__name__}")

    def run():
        scheduler = schedule(optimizer, **steps)
        for _ in range(2):
            optimizer.step()
            scheduler.step()

    _tried(run, f"scheduler_cfg: {schedule.__name__}")


def _torch_class(module, base: type, settings: dict, where: str, key: str) -> type:
    name = settings.get(key)
    found = getattr(module, name, None) if isinstance(name, str) else None
    if not (isinstance(found, type) and issubclass(found, base) and found is not base):
        known = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, base) and n[0] != "_"]
        raise ConfigError(f"{where}: {key}: torch has no {shown(name)}; {nearest(name, sorted(known))}")
    return found


def _settings(thing: type, settings: dict, key: str, where: str) -> dict:
    """The settings that a class takes; the host leaves the others aside, and says so, unless they look like a slip."""
    takes = {p.name: p for p in inspect.signature(thing).parameters.values()}
    rules = {name: None for name in takes if name not in ("self", "params", "optimizer")}
    rules |= {n: number() for n, p in takes.items() if _is_number(p.default)}
    rules |= {n: FLAG for n, p in takes.items() if isinstance(p.default, bool)}
    rules |= {"lr": number(0), "gamma": number(0), "milestones": listed(whole(), 0)}
    look_over({k: v for k, v in settings.items() if k != key}, rules, f"{where}: {thing.__name__}")
    return {k: v for k, v in settings.items() if k in takes and k in rules}


def _tried(action: Callable, where: str):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return action()
    except (ArithmeticError, AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(one_line(f"{where}: {error}")) from None
