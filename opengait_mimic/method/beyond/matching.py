"""Ways to compare clips that a test judges beside the plain distance."""

from __future__ import annotations

from collections.abc import Collection

from opengait_mimic.errors import ConfigError, nearest, shown

MATCHINGS = ("weighted", "likelihood")  # keys of evaluator_cfg
# What each judgement beside the plain distance is called: in result files, and behind a method's name.
MATCHING_TITLES = {"weighted": "weighted", "likelihood": "likelihood", "persons": "likelihood of persons"}


def is_on(value: object) -> bool:
    """Whether a YAML's value switches one of them on; a mapping does, an empty one too."""
    return value is not None and value is not False


def switched(value: object, known: Collection[str], where: str) -> dict | None:
    """What a YAML says of one of them: true, false, or a mapping of some settings.

    Args:
        known: names of its settings. where: the key, for messages.
    Returns:
        The settings given; None where it is off.
    Raises:
        ConfigError: anything else, or an unknown setting.
    """
    if not is_on(value):
        return None
    if value is True:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: expected true, false or a mapping with {', '.join(known)}; found {shown(value)}")
    for key in value:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {shown(key)}; {nearest(key, known)}")
    return value
