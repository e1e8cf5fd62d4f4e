"""YAML files: found, read as data within bounds (text, numbers, lists, mappings, each key once), and merged."""

from __future__ import annotations

import copy
import os
import sysconfig
from pathlib import Path

import yaml

from opengait_mimic.data.files import is_file, read_file
from opengait_mimic.errors import ConfigError, one_line, shown
from opengait_mimic.opengait.host import EMBEDDED, module_folder

LARGEST = 2**18  # bytes of a file; a configuration has a few thousand
DEEPEST = 50  # levels
MOST = 20_000  # values, those behind aliases counted wherever they stand

_PREFIX = "tag:yaml.org,2002:"
_MERGE = _PREFIX + "merge"
_KINDS = {_PREFIX + name for name in ("str", "int", "float", "bool", "null", "seq", "map")}
_IN_WORDS = {_PREFIX + "timestamp": "a date", _PREFIX + "binary": "bytes", _PREFIX + "set": "a set"}


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, in pure Python, within bounds of depth; a value that cannot be built tells its line."""

    depth = 0

    def compose_node(self, parent, index):
        self.depth += 1
        if self.depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem=f"more than {DEEPEST} levels", problem_mark=self.peek_event().start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node, deep=False):
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            raise _misfit(node, f"{shown(node.value)} is no {node.tag.removeprefix(_PREFIX)}") from None


def read_yaml(path: str | os.PathLike) -> dict:
    """A YAML file whose top level is a mapping.

    Raises:
        ConfigError: unreadable, not YAML, something else than text, numbers, lists and mappings, a key that
            stands twice with different values, or more than a configuration can be. One line, with the file and the
            line in it.
    """
    try:
        text = read_file(path, LARGEST).decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: cannot be read: not UTF-8 text (byte {error.start})") from None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            raise ConfigError(f"{path}: is empty; expected sections such as model_cfg, found NoneType")
        _look_over(node)
        found = loader.construct_document(node)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise ConfigError(one_line(f"{path}{line}: not valid YAML: {problem}")) from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: expected sections such as model_cfg, found {type(found).__name__}")
    return found


def _look_over(root: yaml.Node) -> None:
    """Refuse what a configuration has no use for, before anything is made of it."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        """How many values a node stands for."""
        if id(node) in open_nodes:
            raise _misfit(node, "an alias within what it stands for")
        if id(node) in sizes:
            return sizes[id(node)]
        if node.tag not in _KINDS:
            found = _IN_WORDS.get(node.tag, node.tag.replace(_PREFIX, "!!"))
            raise _misfit(node, f"{shown(found)}: expected text, numbers, lists and mappings (quote what is text)")
        open_nodes.add(id(node))
        total = 1
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            total += sum(1 + size(value) for _, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            total += sum(map(size, node.value))
        if total > MOST:
            raise _misfit(node, f"more than {MOST} values (aliases of aliases?)")
        open_nodes.remove(id(node))
        sizes[id(node)] = total
        return total

    size(root)


def _check_keys(node: yaml.MappingNode) -> None:
    seen: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag not in (_PREFIX + "str", _MERGE):
            found = key.value if isinstance(key, yaml.ScalarNode) else key.id
            raise _misfit(key, f"key {shown(found)}: expected text (quote it)")
        first = seen.setdefault(key.value, value)
        # Some of OpenGait's own files say the same thing twice.
        same = isinstance(value, yaml.ScalarNode) and value.value == first.value and value.tag == first.tag
        if first is not value and not same:
            line = first.start_mark.line + 1
            raise _misfit(key, f"key {shown(key.value)} stands twice, with another value in line {line}")


def _misfit(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


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


def merge(base: dict, over: dict) -> dict:
    """`over` upon `base`: mappings merge, anything else replaces. Neither argument changes."""
    merged = copy.deepcopy(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def defaults(host: str | Path) -> dict:
    """A host's configs/default.yaml."""
    root = module_folder(host) if host == EMBEDDED else Path(host)
    return read_yaml(root / "configs" / "default.yaml")
