"""YAML files: found, read as data within bounds, and merged."""

from __future__ import annotations

import copy
import os
import time

import pytest

from opengait_mimic.errors import ConfigError, nearest
from opengait_mimic.opengait.config.reading import find, merge, read_yaml, section, shipped

LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i}\n  <<: [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))
CALL = "!!python/object/apply:os.mkdir"


def refusal(action, *arguments) -> str:
    """What a ConfigError says, in one line."""
    with pytest.raises(ConfigError) as caught:
        action(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_is_read_as_its_mapping(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("model_cfg: {model: Baseline}\n")
    assert read_yaml(path) == read_yaml(str(path)) == {"model_cfg": {"model": "Baseline"}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is empty"]),
        (b"# nothing\n", ["is empty"]),
        (b"null\n", ["found NoneType"]),
        (b"- a\n- b\n", ["found list"]),
        (b"just text", ["found str"]),
        (b"42", ["found int"]),
        (b"model_cfg:\n\tmodel: Baseline\n", ["line 2", "not valid YAML"]),
        (b"model_cfg: {model: Baseline\n", ["line 2", "not valid YAML"]),
        (b"model_cfg: 'x\n", ["not valid YAML"]),
        (b"a: 1\n---\nb: 2\n", ["line 2", "not valid YAML"]),
        (b"model_cfg: {}\nmodel_cfg: {model: X}\n", ["line 2", "key 'model_cfg' stands twice", "line 1"]),
        (b"model_cfg: {model: X, model: Y}\n", ["key 'model' stands twice"]),
        (b"trainer_cfg:\n  total_iter: 5\n  total_iter: 6\n", ["line 3", "'total_iter' stands twice", "line 2"]),
        (b"model_cfg: \xff\xfe", ["not UTF-8"]),
        ("model_cfg: {model: Baseline}".encode("utf-16"), ["not UTF-8"]),
        (b"model_cfg: \x00", ["not valid YAML"]),
        (b"model_cfg: \x1b[31m", ["not valid YAML"]),
        (LAUGHS.encode(), ["more than 20000 values"]),
        (MERGES.encode(), ["more than 20000 values"]),
        (b"a: &a [*a]\n", ["alias within"]),
        (b"a: &a {b: *a}\n", ["alias within"]),
        (b"a: &a\n  <<: *a\n", ["alias within"]),
        (b"a: *nobody\n", ["line 1", "undefined alias"]),
        (b"a: " + b"[" * 100_000, ["more than 50 levels"]),
        (b"a: " + b"{a: " * 5000, ["more than 50 levels"]),
        (b"".join(b" " * i + b"a:\n" for i in range(400)), ["more than 50 levels"]),
        (b"a: [" + b"x, " * 40_000 + b"]", ["more than 20000 values"]),
        (b"a: " + b"x" * 300_000, ["bytes, more than"]),
        (b"a: " + b"9" * 5000, ["line 1"]),
        (b"a: 2024-01-01\n", ["line 1", "a date"]),
        (b"a: 2024-13-45\n", ["line 1", "a date"]),
        (b"a: !!binary aGk=\n", ["bytes"]),
        (b"a: !!set {b}\n", ["a set"]),
        (b"a: !!omap [b: 1]\n", ["!!omap"]),
        (b"a: !!int five\n", ["line 1", "'five' is no int"]),
        (b"a: !!float ''\n", ["'' is no float"]),
        (b"a: !!bool perhaps\n", ["'perhaps' is no bool"]),
        (b"a: !!map x\n", ["line 1"]),
        (b"a: !own {b: 1}\n", ["'!own'"]),
        (b"1: a\n", ["line 1", "key '1': expected text"]),
        (b"model_cfg: {yes: 1}\n", ["key 'yes': expected text (quote it)"]),
        (b"? [a, b]\n: c\n", ["key 'sequence': expected text"]),
        (b"null: 1\n", ["key 'null'"]),
        (b"%YAML 9.9\n---\na: 1\n", ["not valid YAML"]),
        (b"a: 'b\nc: d", ["not valid YAML"]),
        (b"a: @b\n", ["not valid YAML"]),
        (b"a: b: c\n", ["line 1", "not valid YAML"]),
    ],
    ids=lambda v: repr(v[:25]) if isinstance(v, bytes) else "",
)
def test_what_is_no_configuration_is_one_line_with_its_place(tmp_path, content, words):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    start = time.process_time()
    message = refusal(read_yaml, path)
    assert time.process_time() - start < 5 and len(message) < 700
    assert message.startswith(str(path)) and all(word in message for word in words), message


@pytest.mark.parametrize(
    "payload",
    [
        f"{CALL} [{{mark}}]",
        "!!python/object/new:os.mkdir [{mark}]",
        "!!python/object/apply:subprocess.check_call [[mkdir, {mark}]]",
        "!!python/name:os.mkdir",
        "!!python/module:os",
        "!!python/object:os.system {{}}",
        "!!python/tuple [a, b]",
        '!!python/object/apply:builtins.eval [\'__import__("os").mkdir("{mark}")\']',
        "!<tag:yaml.org,2002:python/object/apply:os.mkdir> [{mark}]",
    ],
)
def test_a_yaml_that_calls_anything_is_refused_and_nothing_runs(tmp_path, payload):
    path, mark = tmp_path / "x.yaml", tmp_path / "mark"
    path.write_text(f"model_cfg: {payload.format(mark=mark)}\n")
    assert "x.yaml, line 1: not valid YAML: '!!python/" in refusal(read_yaml, path)
    assert not mark.exists()


def test_what_is_no_file_is_one_line(tmp_path):
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    for name, words in (("loop.yaml", "symbolic links"), ("pipe.yaml", "no file"), ("nothere.yaml", "No such file")):
        assert words in refusal(read_yaml, tmp_path / name)


def test_a_section_is_a_mapping_and_may_be_left_out():
    assert section({"a": {"b": 1}}, "a", "x.yaml") == {"b": 1}
    assert section({}, "a", "x.yaml") == {} == section({"a": None}, "a", "x.yaml")
    assert refusal(section, {"a": [1]}, "a", "x.yaml").startswith("x.yaml: a: expected a mapping")


def test_a_yaml_is_found_from_the_working_directory_first_and_then_among_the_shipped(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "configs/mimicgait/GREW/ven.yaml"
    assert find(name, "ven") == shipped("configs") / "mimicgait" / "GREW" / "ven.yaml"
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("{}")
    assert find(name, "ven").resolve() == find(str(tmp_path / name), "ven") == tmp_path / name
    message = refusal(find, "configs/no.yaml", "model_cfg: ven")
    assert message.startswith("model_cfg: ven: ") and str(tmp_path) in message


def test_nearest_names_the_likely_one_and_all_that_are_allowed():
    assert nearest("mrgin", ["margin", "pairs"]) == "did you mean 'margin'? allowed: margin, pairs"
    assert nearest("zzz", ["margin", "pairs"]) == "allowed: margin, pairs"
    assert nearest(None, ("a",)) == "allowed: a"


def test_merging_goes_into_mappings_and_replaces_everything_else():
    base, over = {"a": {"b": 1, "c": [1]}, "d": 2, "e": {"f": 1}}, {"a": {"c": [2]}, "e": 3, "g": {"h": 4}}
    kept = copy.deepcopy((base, over))
    merged = merge(base, over)
    assert merged == {"a": {"b": 1, "c": [2]}, "d": 2, "e": 3, "g": {"h": 4}}
    merged["g"]["h"] = merged["a"]["c"] = 0
    assert (base, over) == kept
