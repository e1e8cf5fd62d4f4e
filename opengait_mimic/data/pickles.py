"""The part of the pickle language that a NumPy array is written in, and nothing else.

Python's own unpickler calls what a file names, and NumPy's own reconstruction trusts what a file says of memory: a
forged dtype can make it take raw bytes for pointers. So neither has its way here. `pickletools` looks through the
file, which may have the opcodes of an array only; then it is unpickled with the few names that an array needs standing
for functions of this module, which call nothing. What comes out is a shape, a dtype from a short list, and as many
bytes as both ask for.

Read are all protocols, 0 to 5, of NumPy 1 and 2, Python 2 included.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

LARGEST = 2**31  # bytes of a file
OPCODES = 1000  # in one file; an array takes about 60

_ALLOWED = {
    "PROTO", "FRAME", "STOP", "MARK", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET",
    "TUPLE", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1",
    "BININT2", "LONG", "LONG1", "STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
    "BYTEARRAY8", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "GLOBAL", "STACK_GLOBAL", "REDUCE",
    "BUILD",
}  # fmt: skip
_OTHERS = {"EMPTY_LIST": "a list", "LIST": "a list", "EMPTY_DICT": "a dict", "DICT": "a dict"}
_CODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_NUMBERS = ("b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8")

# A clip as nearly every file has it: uint8 [s, h, w], protocol 4. Read at once, which is ten times as fast.
_SIZE = rb"(K.|M..|J....)"
_HEAD = re.compile(
    rb"\x80\x04\x95.{8}\x8c(?:\x15numpy\.|\x16numpy\._)core\.multiarray\x94\x8c\x0c_reconstruct\x94\x93\x94\x8c\x05numpy"
    rb"\x94\x8c\x07ndarray\x94\x93\x94K\x00\x85\x94C\x01b\x94\x87\x94R\x94\(K\x01" + 3 * _SIZE + rb"\x87\x94h\x03"
    rb"\x8c\x05dtype\x94\x93\x94\x8c\x02u1\x94\x89\x88\x87\x94R\x94\(K\x03\x8c\x01\|\x94NNNJ\xff{4}J\xff{4}K\x00t\x94b"
    rb"\x89(?:C.|B.{4})",
    re.DOTALL,
)
_TAIL = re.compile(rb"(?:\x95\x05.{7})?\x94t\x94b\.", re.DOTALL)


class NotAnArray(Exception):
    """The file is no pickle of a numeric array; the message says what it is instead."""


def array_from(pickled: bytes) -> np.ndarray:
    """The numeric array in a pickle.

    Args:
        pickled: what a file holds.

    Returns:
        A new array of its own memory, in the machine's byte order.

    Raises:
        NotAnArray: it is anything else, is cut short, or claims more elements than it holds.

    >>> array_from(pickle.dumps(np.zeros((2, 64, 44), np.uint8))).shape
    (2, 64, 44)
    """
    array = _usual(pickled)
    if array is not None:
        return array
    try:
        _look_through(pickled)
        found = _Reader(pickled).load()
        if not isinstance(found, _Array):
            what = "nothing (None)" if found is None else f"a {type(found).__name__}"
            raise NotAnArray(f"it holds {what}, not an array")
        return found.built()
    except NotAnArray:
        raise
    except Exception:  # whatever a pickle that makes no sense leads to
        raise NotAnArray("it is a broken pickle") from None


def _usual(pickled: bytes) -> np.ndarray | None:
    """The array of a file that looks like nearly every other, None where it does not in any way."""
    head = _HEAD.match(pickled)
    if head is None:
        return None
    shape = [int.from_bytes(size[1:], "little") for size in head.groups()]
    count = math.prod(shape)
    if len(pickled) < head.end() + count or not _TAIL.fullmatch(pickled, head.end() + count):
        return None
    return np.frombuffer(pickled, np.uint8, count, head.end()).reshape(shape).copy()


def _look_through(pickled: bytes) -> None:
    """Refuse a pickle with anything that no array has, or that does not end."""
    stream = io.BytesIO(pickled)
    try:
        for _ in range(OPCODES):
            code = stream.read(1)
            if code and code not in _CODES:
                raise NotAnArray("it is no pickle")
            opcode = _CODES[code]
            if opcode.name in _OTHERS and b"_reconstruct" in pickled[: stream.tell()]:
                raise NotAnArray("it holds an array of objects (frames of different sizes?), not of plain numbers")
            if opcode.name not in _ALLOWED:
                raise NotAnArray(f"it holds {_OTHERS.get(opcode.name, opcode.name)}, not an array")
            if opcode.name == "STRING":  # Python 2 wrote any bytes as one; pickletools itself takes ASCII only
                pickletools.read_stringnl(stream, decode=False)
                continue
            value = opcode.arg.reader(stream) if opcode.arg else None
            if opcode.name == "STOP":
                return
            if "PUT" in opcode.name and int(value or 0) > OPCODES:  # the unpickler would make room for so many
                raise NotAnArray("it is a broken pickle")
    except (ValueError, KeyError):
        if stream.tell() < len(pickled):
            raise
        raise NotAnArray("it ends too early" if pickled else "it is an empty file") from None
    raise NotAnArray("it holds more than an array")


class _Dtype:
    """Stands for a dtype, whose byte order may still come."""

    def __init__(self, code: object, *_: object):
        text = code if isinstance(code, str) else ""
        self.order, self.code = (text[0], text[1:]) if text[:1] in tuple("<>|=") else ("=", text)
        if self.code not in _NUMBERS:
            what = "objects" if self.code[:1] == "O" else f"the dtype {self.code[:20]!r}"
            raise NotAnArray(f"it holds an array of {what}, not of plain numbers")

    def __setstate__(self, state: object) -> None:
        match state:
            case (3, "<" | ">" | "|" | "=" as order, None, None, None, _, _, _):
                self.order = order
            case _:
                raise NotAnArray("it describes a dtype that is no plain number (with fields, objects or metadata)")


class _Array:
    """Stands for an array, whose state may still come."""

    content: bytes | bytearray | None = None

    def __setstate__(self, state: object) -> None:
        match state:
            case (1, shape, dtype, fortran, content) if self.content is None:
                self.fill(content.encode("latin-1") if isinstance(content, str) else content, dtype, shape,
                          "F" if fortran else "C")  # fmt: skip
            case _:
                raise NotAnArray("it describes an array in a way that NumPy does not")

    def fill(self, content: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> _Array:
        """Take what makes an array: all of a forged file's choosing."""
        right = isinstance(content, (bytes, bytearray)) and isinstance(dtype, _Dtype) and _is_shape(shape)
        if not right or order not in (("C", "F") if axes is None else ("K",)) or not (axes is None or _is_shape(axes)):
            raise NotAnArray("it describes an array in a way that NumPy does not")
        self.content, self.dtype, self.shape, self.order, self.axes = content, dtype, shape, order, axes
        return self

    def built(self) -> np.ndarray:
        if self.content is None:
            raise NotAnArray("it holds an array without content")
        dtype = np.dtype(self.dtype.order.replace("|", "=") + self.dtype.code)
        count, shape = math.prod(self.shape), list(self.shape)
        if count * dtype.itemsize != len(self.content):
            raise NotAnArray(
                f"it claims {count} elements of {dtype.itemsize} bytes in shape {shape}, "
                f"and holds {len(self.content)} bytes"
            )
        if len(shape) > 8 or max(shape, default=0) > LARGEST:  # empty arrays may claim any size
            raise NotAnArray(f"it claims the shape {shape}")
        shaped = np.frombuffer(self.content, dtype).reshape(shape, order="F" if self.order == "F" else "C")
        if self.axes is not None:
            shaped = shaped.transpose(self.axes)
        return shaped.astype(dtype.newbyteorder("="), order="C", copy=True)


class _Reader(pickle.Unpickler):
    """Unpickles with names that stand for what an array needs; all others are refused."""

    def __init__(self, pickled: bytes):
        super().__init__(io.BytesIO(pickled), encoding="latin-1")
        self.room = len(pickled)  # bytes that texts may become
        core = {"multiarray _reconstruct": _reconstruct, "numeric _frombuffer": lambda *state: _Array().fill(*state)}
        self.names: dict[str, Callable | str] = {
            "numpy ndarray": "ndarray", "numpy dtype": _Dtype, "_codecs encode": self.encode,
            "builtins bytes": lambda: b"", "__builtin__ bytes": lambda: b"",
            **{f"{package}.{name}": made for package in ("numpy.core", "numpy._core") for name, made in core.items()},
        }  # fmt: skip

    def find_class(self, module: str, name: str) -> Any:
        if f"{module} {name}" not in self.names:
            raise NotAnArray(f"it calls {module[:60]}.{name[:60]}; only numpy arrays are read")
        return self.names[f"{module} {name}"]

    def encode(self, text: str, encoding: str) -> bytes:
        """What protocols 0 to 2 make an array's bytes of."""
        self.room -= len(text)
        if encoding != "latin1" or self.room < 0:  # one text made into bytes again and again
            raise NotAnArray("it holds more than an array")
        return str.encode(text, "latin-1")


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _is_shape(value: object) -> bool:
    return isinstance(value, tuple) and all(type(size) is int and size >= 0 for size in value)
