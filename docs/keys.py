"""Write docs/yaml.md, every key of a YAML, from the schema: `python docs/keys.py`."""

from __future__ import annotations

from pathlib import Path

from opengait_mimic.opengait.config import schema, transforms
from opengait_mimic.opengait.config.keys import Section, Takes

PAGE = Path(__file__).with_name("yaml.md")
HEAD = """# Every YAML key

A configuration has OpenGait's sections. What follows is what `opengait-mimic check` knows; `python docs/keys.py` writes
this page from the check's own schema. *Default* is what the embedded host's `default.yaml` or our classes have; an
OpenGait checkout brings its own `configs/default.yaml`. In the sections of ours no other key is allowed. The host's
sections may have keys that are not here, since OpenGait's models read keys of their own, but none that looks like a
slip for one of these.
"""
TAIL = """
## optimizer_cfg

`solver` is a class of `torch.optim`; every other key is one of its arguments (`lr`, `momentum`, `weight_decay`, …).

## scheduler_cfg

`scheduler` is a class of `torch.optim.lr_scheduler`; every other key is one of its arguments (`milestones`, `gamma`,
…). Optimizer and scheduler are tried on a network of one number before a run starts.

YAML takes `1e-4` for text: write `0.0001` or `1.0e-4`.
"""
SECTIONS: dict[str, type[Section]] = {
    "data_cfg": schema.Data,
    "trainer_cfg": schema.Trainer,
    "evaluator_cfg": schema.Evaluator,
    "evaluator_cfg: occluded": schema.Occluded,
    "evaluator_cfg: likelihood": schema.LikelihoodKeys,
    "evaluator_cfg: weighted": schema.WeightedKeys,
    "sampler": schema.Sampler,
    "transform": transforms.Transform,
    "Occlusion": transforms.OcclusionEntry,
    **{f"model_cfg: {name}": model for name, model in schema.MODELS.items()},
    "model_cfg: teacher": schema.Teacher,
    "model_cfg: ven": schema.Ven,
    "loss_cfg": schema.Loss,
    **{f"loss_cfg: {name}": loss for name, loss in schema.LOSSES.items()},
}


def page() -> str:
    """The page as the schema has it."""
    return HEAD + "".join(_section(heading, model) for heading, model in SECTIONS.items()) + TAIL


def _section(heading: str, model: type[Section]) -> str:
    closed = " No other keys." if model.closed else ""
    lines = [
        f"\n## {heading}\n",
        f"{model.__doc__}{closed}\n",
        "| key | takes | default | meaning |",
        "|---|---|---|---|",
    ]
    known = schema.Loss.model_fields if issubclass(model, schema.Loss) and model is not schema.Loss else ()
    for name, field in model.model_fields.items():
        if name not in known:
            rule = next((m for m in field.metadata if isinstance(m, Takes)), None)
            takes = rule.words if rule else "a mapping, or null" if field.default is None else "a mapping"
            lines.append(f"| `{field.alias or name}` | {takes} | {_default(field.default)} | {field.description} |")
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    if not isinstance(value, (bool, int, float, str, list)) or value == "":
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
