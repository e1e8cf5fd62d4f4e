"""The part of the pickle language that a NumPy array is written in, and nothing else.

Python's own unpickler calls what a file names, and NumPy's own reconstruction trusts what a file says of memory: a
forged dtype can make it take raw bytes for pointers. So nothing of either is called here. `pickletools` takes the file
apart, a stack of plain values is kept, and the few names that an array needs only stand for what they would do. What
comes out is a shape, a dtype from a short list, and as many bytes as both ask for.

Read are all protocols, 0 to 5, of NumPy 1 and 2, Python 2 included.
"""

from __future__ import annotations

import codecs
import io
import math
import pickletools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

LARGEST = 2**31  # bytes of a file
DEEPEST = 64  # values on the stack at once; an array takes about a dozen
OPCODES = 1000  # in one file; an array takes about 60

_CODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_PLAIN = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "BINSTRING", "SHORT_BINSTRING", "BINBYTES",
    "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "STRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
}  # fmt: skip
_OTHERS = {"EMPTY_LIST": "a list", "LIST": "a list", "EMPTY_DICT": "a dict", "DICT": "a dict"}

_CORES = ("numpy.core", "numpy._core")  # before and since NumPy 2
_ARRAY, _DTYPE, _ENCODE = "numpy ndarray", "numpy dtype", "_codecs encode"
_RECONSTRUCT = [f"{core}.multiarray _reconstruct" for core in _CORES]
_FROM_BUFFER = [f"{core}.numeric _frombuffer" for core in _CORES]
_BYTES = ["builtins bytes", "__builtin__ bytes"]
_NAMES = {_ARRAY, _DTYPE, _ENCODE, *_RECONSTRUCT, *_FROM_BUFFER, *_BYTES}
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


@dataclass(frozen=True)
class _Name:
    """Something a pickle wants to call: one of `_NAMES`."""

    name: str


@dataclass
class _Dtype:
    """A number's dtype, whose byte order may still come."""

    code: str
    order: str = "="


@dataclass
class _Array:
    """An array, whose state may still come."""

    shape: tuple[int, ...] = ()
    dtype: _Dtype | None = None
    order: Any = "C"
    content: bytes | bytearray | None = None
    axes: tuple[int, ...] | None = None  # how to transpose it after all, where NumPy says so


def array_from(pickled: bytes) -> np.ndarray:
    """The numeric array in a pickle.

    Args:
        pickled: what a file holds.

    Returns:
        A new array of its own memory, in the machine's byte order.

    Raises:
        NotAnArray: it is anything else, is cut short, or claims more elements than it holds.

    >>> import pickle
    >>> array_from(pickle.dumps(np.zeros((2, 64, 44), np.uint8))).shape
    (2, 64, 44)
    """
    array = _usual(pickled)
    if array is not None:
        return array
    try:
        machine = _Machine(len(pickled))
        for opcode, value in _opcodes(pickled):
            machine.take(opcode, value)
        found = machine.pop()
        if not isinstance(found, _Array):
            raise NotAnArray(f"it holds {_described(found)}, not an array")
        return _built(found)
    except NotAnArray:
        raise
    except Exception:  # whatever a pickle that makes no sense leads to, in pickletools or here
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


def _built(array: _Array) -> np.ndarray:
    if array.content is None or array.dtype is None:
        raise NotAnArray("it holds an array without content")
    dtype = np.dtype(array.dtype.order.replace("|", "=") + array.dtype.code)
    count = math.prod(array.shape)
    if count * dtype.itemsize != len(array.content):
        raise NotAnArray(
            f"it claims {count} elements of {dtype.itemsize} bytes in shape {list(array.shape)}, "
            f"and holds {len(array.content)} bytes"
        )
    if len(array.shape) > 8 or max(array.shape, default=0) > LARGEST:  # empty arrays may claim any size
        raise NotAnArray(f"it claims the shape {list(array.shape)}")
    shaped = np.frombuffer(array.content, dtype).reshape(array.shape, order=array.order)
    if array.axes is not None:
        shaped = shaped.transpose(array.axes)
    return shaped.astype(dtype.newbyteorder("="), order="C", copy=True)


def _described(value: object) -> str:
    if isinstance(value, (_Name, _Dtype)):
        return "a name of NumPy's"
    return f"a {type(value).__name__}" if value is not None else "nothing (None)"


def _opcodes(pickled: bytes) -> Iterator[tuple[str, Any]]:
    """Names and arguments of a pickle's opcodes, up to the last."""
    stream = io.BytesIO(pickled)
    try:
        for _ in range(OPCODES):
            code = stream.read(1)
            if code and code not in _CODES:
                raise NotAnArray("it is no pickle")
            opcode = _CODES[code]
            if opcode.name == "STOP":
                return
            if opcode.name == "STRING":  # Python 2 wrote any bytes as one; pickletools takes ASCII only
                yield (
                    "STRING",
                    codecs.escape_decode(pickletools.read_stringnl(stream, decode=False))[0].decode("latin-1"),
                )
            else:
                yield opcode.name, opcode.arg.reader(stream) if opcode.arg else None
    except (ValueError, KeyError):
        if stream.tell() < len(pickled):
            raise
        raise NotAnArray("it ends too early" if pickled else "it is an empty file") from None
    raise NotAnArray("it is a pickle of more than an array")


class _Machine:
    """Runs the opcodes of an array over a stack of plain values."""

    def __init__(self, room: int):
        self.stack: list[Any] = []
        self.marks: list[int] = []  # how high the stack was at each
        self.memo: dict[int, Any] = {}
        self.room = room  # bytes that texts may become

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise NotAnArray("it is a broken pickle")
        return self.stack.pop()

    def take(self, opcode: str, value: Any) -> None:
        """Run one opcode."""
        if opcode in _PLAIN:
            self.stack.append(value)
        elif opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode])
        elif opcode in _OTHERS:
            raise NotAnArray(f"it holds {_OTHERS[opcode]}, not an array")
        elif action := getattr(self, f"_{opcode.removeprefix('LONG_').removeprefix('BIN').lower()}", None):
            action(value)
        else:
            raise NotAnArray(f"it is a pickle of something else than an array ({opcode})")
        if len(self.stack) + len(self.marks) > DEEPEST:
            raise NotAnArray("it nests too deeply for an array")

    def _proto(self, version: int) -> None:
        if version > 5:
            raise NotAnArray(f"it is a pickle of the unknown protocol {version}")

    def _frame(self, _: int) -> None:
        """How the file was buffered when it was written."""

    def _put(self, key: int | None) -> None:
        self.stack.append(self.pop())
        self.memo[len(self.memo) if key is None else key] = self.stack[-1]

    _memoize = _put

    def _get(self, key: int) -> None:
        self.stack.append(self.memo[key])

    def _mark(self, _: None) -> None:
        self.marks.append(len(self.stack))

    def _tuple(self, _: None) -> None:
        start = self.marks.pop()
        self.stack[start:] = [tuple(self.stack[start:])]

    def _tuple1(self, _: None, length: int = 1) -> None:
        self.stack.append(tuple(reversed([self.pop() for _ in range(length)])))

    def _tuple2(self, _: None) -> None:
        self._tuple1(None, 2)

    def _tuple3(self, _: None) -> None:
        self._tuple1(None, 3)

    def _global(self, name: str) -> None:
        self.stack.append(_name(name))

    def _stack_global(self, _: None) -> None:
        name, module = self.pop(), self.pop()
        self.stack.append(_name(f"{module} {name}" if isinstance(module, str) and isinstance(name, str) else ""))

    def _reduce(self, _: None) -> None:
        arguments, called = self.pop(), self.pop()
        made = _called(called.name, arguments)
        if isinstance(made, bytes):
            self.room -= len(made)
            if self.room < 0:  # one text made into bytes again and again
                raise NotAnArray("it is a pickle of more than an array")
        self.stack.append(made)

    def _build(self, _: None) -> None:
        state, built = self.pop(), self.pop()
        complete = _with_order if isinstance(built, _Dtype) else _with_content
        self.stack.append(complete(built, state))


def _name(name: str) -> _Name:
    if name not in _NAMES:
        raise NotAnArray(f"it calls {name[:120].replace(' ', '.')}; only numpy arrays are read")
    return _Name(name)


def _called(name: str, arguments: tuple) -> object:
    """What a call of one of `_NAMES` stands for."""
    match arguments:
        case (_Name(name="numpy ndarray"), _, _) if name in _RECONSTRUCT:
            return _Array()
        case (str(code), *_) if name == _DTYPE and len(arguments) in (1, 3):
            return _dtype(code)
        case (bytes() | bytearray() as content, _Dtype() as dtype, shape, order, *rest) if name in _FROM_BUFFER:
            axes = rest[0] if rest else None
            if _is_shape(shape) and order in ("C", "F") and axes is None:
                return _Array(shape, dtype, order, content)
            if _is_shape(shape) and order == "K" and _is_shape(axes):
                return _Array(shape, dtype, "C", content, axes)
        case (str(text), "latin1") if name == _ENCODE:
            return text.encode("latin-1")
        case () if name in _BYTES:
            return b""
    raise NotAnArray(f"it calls {name.replace(' ', '.')} otherwise than an array does")


def _dtype(code: str) -> _Dtype:
    order, code = (code[0], code[1:]) if code[:1] in "<>|=" else ("=", code)
    if code not in _NUMBERS:
        what = "objects" if code[:1] == "O" else f"the dtype {code[:20]!r}"
        raise NotAnArray(f"it holds an array of {what}, not of plain numbers")
    return _Dtype(code, order)


def _with_order(dtype: _Dtype, state: Any) -> _Dtype:
    """A dtype with its state: version, byte order, then nothing that a plain number has."""
    match state:
        case (3, "<" | ">" | "|" | "=" as order, None, None, None, _, _, _):
            return _Dtype(dtype.code, order)
    raise NotAnArray("it describes a dtype that is no plain number (with fields, objects or metadata)")


def _with_content(array: _Array, state: Any) -> _Array:
    """An array with its state: version, shape, dtype, whether it is in Fortran's order, bytes (text from Python 2)."""
    match state:
        case (1, shape, _Dtype() as dtype, fortran, bytes() | str() as content) if _is_shape(shape):
            content = content.encode("latin-1") if isinstance(content, str) else content
            if array.content is None:
                return _Array(shape, dtype, "F" if fortran else "C", content)
    raise NotAnArray("it describes an array in a way that NumPy does not")


def _is_shape(value: object) -> bool:
    return isinstance(value, tuple) and all(type(size) is int and size >= 0 for size in value)
