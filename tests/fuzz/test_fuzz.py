"""Mutated files: whatever comes in, only an error of ours comes out, soon.

Seconds per reader: FUZZ_SECONDS (default 2); FUZZ_SEED starts elsewhere. A failure prints the file as a literal.
"""

from __future__ import annotations

import os
import pickle
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from opengait_mimic.data.read import read_sequence
from opengait_mimic.errors import ConfigError, DataError, MimicError
from opengait_mimic.opengait.config.check import check
from opengait_mimic.opengait.config.reading import read_yaml, shipped

SECONDS = float(os.environ.get("FUZZ_SECONDS", "2"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
SLOW = 2.0  # seconds for one small file; a hang


def mutated(content: bytes, rng: random.Random, words: list[bytes]) -> bytes:
    """`content` with a few bytes, words or passages changed."""
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(found) + 1)
        length = rng.choice((1, 1, 2, 4, 8, 50))
        kind = rng.randrange(6)
        if kind == 0 and found:
            found[min(at, len(found) - 1)] = rng.randrange(256)
        elif kind == 1:
            del found[at : at + length]
        elif kind == 2:
            found[at:at] = rng.choice(words)
        elif kind == 3:
            found[at : at + length] = rng.choice(words)
        elif kind == 4:
            start = rng.randrange(len(found) + 1)
            found[at:at] = found[start : start + length] * rng.choice((1, 2, 100))
        else:
            found[at:] = found[at : at + rng.randrange(1 + len(found))]
    return bytes(found)


def fuzz(seeds: list[bytes], words: list[bytes], read: Callable[[Path], object], path: Path) -> int:
    """Feed mutated files to `read` until the time is up; returns how many."""
    rng, count, end = random.Random(SEED), 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        content = mutated(rng.choice(seeds), rng, words)
        path.write_bytes(content)
        start = time.process_time()
        try:
            read(path)
        except MimicError as error:
            assert all(0 < len(line) < 2000 for line in str(error).split("\n")), (str(error), content)
        except BaseException as error:
            error.add_note(f"file: {content!r}") if hasattr(error, "add_note") else None
            raise
        assert time.process_time() - start < SLOW, content
        count += 1
    return count


def test_the_unpickler(tmp_path):
    clips = [
        np.random.default_rng(0).integers(0, 255, (2, 3, 2)).astype(np.uint8),
        np.zeros((2, 3, 2), np.float32, order="F"),
        np.array([np.zeros(2), np.zeros(3)], dtype=object),
        np.zeros(2, [("a", "u1"), ("b", "O")]),
    ]
    seeds = [pickle.dumps(clip, protocol) for clip in clips for protocol in range(6)]
    words = [bytes([code]) for code in b"(.0123456789:;<=>?@ABCDFGIJKLMNPQRSTUVX[]abcdeghijlopqrstu}"]
    words += [bytes([code]) for code in range(0x80, 0x99)]
    words += [b"cos\nsystem\n", b"\xff\xff\xff\xff", b"\xff" * 8, b"numpy", b"dtype", b"O8"]
    words += [b"|V8", b"builtins\neval\n"]

    def read(path):
        assert isinstance(read_sequence([path])[0], np.ndarray)

    assert fuzz(seeds, words, read, tmp_path / "a.pkl") > 100


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a data set, so that configurations are looked over to their end."""
    monkeypatch.chdir(tmp_path)
    clip = tmp_path / "your_path" / "a" / "00" / "000" / "000.pkl"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(pickle.dumps(np.zeros((2, 64, 64), np.uint8)))
    partition = Path("datasets/GREW/GREW.json")
    partition.parent.mkdir(parents=True)
    partition.write_text('{"TRAIN_SET": ["a"], "TEST_SET": ["a"]}')
    return tmp_path


def test_the_configuration_loader(place):
    folder = shipped("configs") / "mimicgait"
    names = ("GREW/teacher_gaitbase", "GREW/ven", "GREW/mimic_gaitbase", "studies/occlusion_aware_gaitbase",
             "studies/mickd_xe_gaitbase")  # fmt: skip
    seeds = [(folder / f"{name}.yaml").read_bytes() for name in names]
    words = [
        b"\t", b"&a ", b"*a", b"<<: ", b"!!python/object:os.system ", b"!!int ", b"!!float x", b"!!binary x", b"? ",
        b"- ", b": ", b"\n", b"{", b"}", b"[", b"]", b"null", b"~", b".nan", b"-1", b"1e400", b"9" * 5000, b"'", b'"',
        b"\x00", b"\xff", b"\xef\xbb\xbf", b"...\n", b"---\n", b"%YAML 9.9\n", b"|", b">", b"2024-13-45", b"1:99:99",
        b"true", b"!!set {a}", b"!!omap [a]", b"0x", b"  ", b"[[[[[[[[", b"no", b"''", b"!!timestamp 1",
    ]  # fmt: skip
    looked_over = []

    def read(path):
        try:
            read_yaml(path)
        except MimicError as error:
            assert isinstance(error, ConfigError) and str(path) in str(error)
            raise
        looked_over.append(path)
        for phase in ("train", "test"):
            try:
                check(path, "embedded", phase)
            except (ConfigError, DataError):
                continue

    assert fuzz(seeds, words, read, place / "a.yaml") > 20 and len(looked_over) > 5
