"""The part of the pickle language that a NumPy array is written in, and nothing else.

Python's own unpickler calls what a file names, and NumPy's own reconstruction trusts what a file says of memory: a
forged dtype can make it take raw bytes for pointers. So nothing of either is called here. The file is read as data: a
stack of texts, numbers and tuples, and four names, which only stand for what they would do. What comes out is a shape,
a dtype from a short list, and as many bytes as both ask for.

Read are all protocols, 0 to 5, of NumPy 1 and 2, Python 2 included.
"""

from __future__ import annotations

import ast
import math
import pickletools
from dataclasses import dataclass

import numpy as np

LARGEST = 2**31  # bytes of a file
DEEPEST = 64  # values on the stack at once; an array takes about a dozen
OPCODES = 1000  # in one file; an array takes about 60

_CORES = ("numpy.core", "numpy._core")  # before and since NumPy 2
_ARRAY, _DTYPE = ("numpy", "ndarray"), ("numpy", "dtype")
_RECONSTRUCT = tuple((f"{core}.multiarray", "_reconstruct") for core in _CORES)
_FROM_BUFFER = tuple((f"{core}.numeric", "_frombuffer") for core in _CORES)
_ENCODE = ("_codecs", "encode")
_BYTES = (("builtins", "bytes"), ("__builtin__", "bytes"))
_NAMES = (_ARRAY, _DTYPE, *_RECONSTRUCT, *_FROM_BUFFER, _ENCODE, *_BYTES)
_MARK = object()


class NotAnArray(Exception):
    """The file is no pickle of a numeric array; the message says what it is instead."""


@dataclass(frozen=True)
class _Name:
    """Something a pickle wants to call; only the names of an array's own pickle become one."""

    name: tuple[str, str]


@dataclass
class _Dtype:
    """A dtype whose byte order may still come."""

    code: str
    order: str = "="


@dataclass
class _Array:
    """An array whose state may still come."""

    shape: tuple[int, ...] | None = None
    dtype: _Dtype | None = None
    fortran: bool = False
    content: bytes | None = None
    axes: tuple[int, ...] | None = None  # how to transpose it after all, where NumPy says so


def array_from(pickled: bytes) -> np.ndarray:
    """The numeric array in a pickle.

    Returns:
        A new array of its own memory, in the machine's byte order.
    Raises:
        NotAnArray: it is anything else, is cut short, or claims more elements than it holds.
    """
    result = _Reader(pickled).read()
    if not isinstance(result, _Array):
        raise NotAnArray(f"it holds {_described(result)}, not an array")
    if result.content is None:
        raise NotAnArray("it holds an array without content")
    return _built(result)


def _built(array: _Array) -> np.ndarray:
    dtype = _numeric(array.dtype)
    count = math.prod(array.shape)
    if count * dtype.itemsize != len(array.content):
        raise NotAnArray(
            f"it claims {count} elements of {dtype.itemsize} bytes in shape {list(array.shape)}, "
            f"and holds {len(array.content)} bytes"
        )
    if len(array.shape) > 8 or max(array.shape, default=0) > LARGEST:  # empty arrays may claim any size
        raise NotAnArray(f"it claims the shape {list(array.shape)}")
    flat = np.frombuffer(array.content, dtype)
    shaped = flat.reshape(array.shape, order="F" if array.fortran else "C")
    if array.axes is not None:
        shaped = shaped.transpose(array.axes)
    return shaped.astype(dtype.newbyteorder("="), order="C", copy=True)


def _numeric(found: _Dtype) -> np.dtype:
    code = found.code.lstrip("<>|=")
    if code[:1] in ("O", "V", "S", "U", "M", "m", "c"):
        kinds = {"O": "objects", "V": "records", "S": "bytes", "U": "texts", "M": "dates", "m": "durations"}
        raise NotAnArray(f"it holds an array of {kinds.get(code[:1], 'complex numbers')}, not of plain numbers")
    if code not in ("b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"):
        raise NotAnArray(f"it holds an array of the unknown dtype {found.code[:20]!r}")
    order = found.code[0] if found.code[0] in "<>" else found.order
    return np.dtype((order if order in "<>" else "=") + code)


def _described(value: object) -> str:
    if isinstance(value, (_Name, _Dtype)):
        return "a name of NumPy's"
    return f"a {type(value).__name__}" if value is not None else "nothing (None)"


class _Reader:
    """Runs one pickle over a stack of plain values."""

    def __init__(self, pickled: bytes):
        self.pickled = memoryview(pickled)
        self.at = 0
        self.stack: list = []
        self.memo: dict[int, object] = {}
        self.encoded = 0

    def read(self) -> object:
        """What is on the stack at the end."""
        for _ in range(OPCODES):
            code = chr(self._bytes(1)[0])
            opcode = pickletools.code2op.get(code)  # type: ignore[attr-defined]
            if opcode is None:
                raise NotAnArray("it is no pickle")
            if opcode.name == "STOP":
                return self._pop()
            action = getattr(self, f"_op_{opcode.name.lower()}", None)
            if action is None:
                raise NotAnArray(f"it is a pickle of something else than an array ({opcode.name})")
            action()
            if len(self.stack) > DEEPEST:
                raise NotAnArray("it nests too deeply for an array")
        raise NotAnArray("it is a pickle of more than an array")

    # The file

    def _bytes(self, count: int) -> bytes:
        if count > len(self.pickled) - self.at:
            raise NotAnArray("it ends too early" if len(self.pickled) else "it is an empty file")
        self.at += count
        return bytes(self.pickled[self.at - count : self.at])

    def _number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self._bytes(size), "little", signed=signed)

    def _line(self) -> bytes:
        # Looked for in steps, so that a long file without line ends is not copied for each.
        end, step = self.at, 4096
        while True:
            part = bytes(self.pickled[end : end + step])
            if not part:
                raise NotAnArray("it ends too early")
            if b"\n" in part:
                break
            end, step = end + step, 2 * step
        line = self._bytes(end + part.index(b"\n") - self.at)
        self.at += 1
        return line

    def _decimal(self) -> int:
        line = self._line()
        if len(line) > 24:
            raise NotAnArray("it has a number of too many digits")
        try:
            return int(line.rstrip(b"L"))
        except ValueError:
            raise NotAnArray("it has a number that is none") from None

    def _text(self, content: bytes, encoding: str = "utf-8") -> str:
        try:
            return content.decode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")
        except UnicodeDecodeError:
            raise NotAnArray("it has a text that is none") from None

    # The stack

    def _push(self, value: object) -> None:
        self.stack.append(value)

    def _pop(self) -> object:
        if not self.stack or self.stack[-1] is _MARK:
            raise NotAnArray("it is a broken pickle")
        return self.stack.pop()

    def _since_mark(self) -> tuple:
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                values = tuple(self.stack[place + 1 :])
                del self.stack[place:]
                return values
        raise NotAnArray("it is a broken pickle")

    def _remember(self, key: int) -> None:
        if not self.stack or self.stack[-1] is _MARK:
            raise NotAnArray("it is a broken pickle")
        self.memo[key] = self.stack[-1]

    def _recall(self, key: int) -> None:
        if key not in self.memo:
            raise NotAnArray("it is a broken pickle")
        self._push(self.memo[key])

    # Structure

    def _op_proto(self):
        version = self._number(1)
        if version > 5:
            raise NotAnArray(f"it is a pickle of the unknown protocol {version}")

    def _op_frame(self):
        self._number(8)  # how the file was buffered when it was written

    def _op_mark(self):
        self._push(_MARK)

    def _op_put(self):
        self._remember(self._decimal())

    def _op_binput(self):
        self._remember(self._number(1))

    def _op_long_binput(self):
        self._remember(self._number(4))

    def _op_memoize(self):
        self._remember(len(self.memo))

    def _op_get(self):
        self._recall(self._decimal())

    def _op_binget(self):
        self._recall(self._number(1))

    def _op_long_binget(self):
        self._recall(self._number(4))

    def _op_tuple(self):
        self._push(self._since_mark())

    def _op_empty_tuple(self):
        self._push(())

    def _op_tuple1(self):
        self._push((self._pop(),))

    def _op_tuple2(self):
        second, first = self._pop(), self._pop()
        self._push((first, second))

    def _op_tuple3(self):
        third, second, first = self._pop(), self._pop(), self._pop()
        self._push((first, second, third))

    # What a pickle of something else has; its contents are looked at, not kept.

    def _op_empty_list(self):
        self._push([])

    def _op_list(self):
        self._since_mark()
        self._push([])

    def _op_append(self):
        self._pop()

    def _op_appends(self):
        self._since_mark()

    def _op_empty_dict(self):
        self._push({})

    def _op_dict(self):
        self._since_mark()
        self._push({})

    def _op_setitem(self):
        self._pop()
        self._pop()

    def _op_setitems(self):
        self._since_mark()

    # Values

    def _op_none(self):
        self._push(None)

    def _op_newtrue(self):
        self._push(True)

    def _op_newfalse(self):
        self._push(False)

    def _op_int(self):
        start = self.at
        if bytes(self.pickled[start : start + 3]) in (b"00\n", b"01\n"):
            self._push(self._line() == b"01")
        else:
            self._push(self._decimal())

    def _op_long(self):
        self._push(self._decimal())

    def _op_long1(self):
        size = self._number(1)
        if size > 9:
            raise NotAnArray("it has a number of too many digits")
        self._push(self._number(size, signed=True))

    def _op_binint(self):
        self._push(self._number(4, signed=True))

    def _op_binint1(self):
        self._push(self._number(1))

    def _op_binint2(self):
        self._push(self._number(2))

    def _op_unicode(self):
        self._push(self._text(self._line(), "raw-unicode-escape"))

    def _op_short_binunicode(self):
        self._push(self._text(self._bytes(self._number(1))))

    def _op_binunicode(self):
        self._push(self._text(self._bytes(self._number(4))))

    def _op_binunicode8(self):
        self._push(self._text(self._bytes(self._number(8))))

    def _op_short_binbytes(self):
        self._push(self._bytes(self._number(1)))

    def _op_binbytes(self):
        self._push(self._bytes(self._number(4)))

    def _op_binbytes8(self):
        self._push(self._bytes(self._number(8)))

    _op_bytearray8 = _op_binbytes8

    # Python 2 wrote bytes as text.

    def _op_short_binstring(self):
        self._push(self._text(self._bytes(self._number(1)), "latin-1"))

    def _op_binstring(self):
        self._push(self._text(self._bytes(self._number(4)), "latin-1"))

    def _op_string(self):
        try:
            value = ast.literal_eval("b" + self._text(self._line(), "latin-1").strip())
        except (SyntaxError, ValueError):
            value = None
        if not isinstance(value, bytes):
            raise NotAnArray("it has a text that is none")
        self._push(self._text(value, "latin-1"))

    # Names and what they stand for

    def _op_global(self):
        self._name(self._text(self._line()), self._text(self._line()))

    def _op_stack_global(self):
        name, module = self._pop(), self._pop()
        self._name(module, name)

    def _name(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise NotAnArray("it is a broken pickle")
        if (module, name) not in _NAMES:
            raise NotAnArray(f"it calls {module[:60]}.{name[:60]}; only numpy arrays are read")
        self._push(_Name((module, name)))

    def _op_reduce(self):
        arguments, called = self._pop(), self._pop()
        if not isinstance(called, _Name) or not isinstance(arguments, tuple):
            raise NotAnArray("it is a broken pickle")
        made = _called(called.name, arguments)
        if isinstance(made, bytes):
            self.encoded += len(made)
            if self.encoded > len(self.pickled):  # one text made into bytes again and again
                raise NotAnArray("it is a pickle of more than an array")
        self._push(made)

    def _op_build(self):
        state, built = self._pop(), self._pop()
        if isinstance(built, _Dtype):
            _set_order(built, state)
        elif isinstance(built, _Array):
            _set_content(built, state)
        else:
            raise NotAnArray("it is a broken pickle")
        self._push(built)


def _called(name: tuple[str, str], arguments: tuple) -> object:
    """What a call of one of `_NAMES` stands for."""
    if name in _RECONSTRUCT and len(arguments) == 3 and arguments[0] == _Name(_ARRAY):
        return _Array()
    if name == _DTYPE and len(arguments) in (1, 3) and _is_text(arguments[0]):
        return _Dtype(arguments[0])
    if name in _FROM_BUFFER and len(arguments) in (4, 5):
        content, dtype, shape, order, axes = (*arguments, None)[:5]
        if isinstance(content, bytes) and isinstance(dtype, _Dtype) and _is_shape(shape):
            if order in ("C", "F") and axes is None:
                return _Array(shape, dtype, order == "F", content)
            if order == "K" and _is_shape(axes) and sorted(axes) == list(range(len(shape))):
                return _Array(shape, dtype, False, content, axes)
    if name == _ENCODE and len(arguments) == 2 and isinstance(arguments[0], str) and arguments[1] == "latin1":
        try:
            return arguments[0].encode("latin-1")
        except UnicodeEncodeError:
            raise NotAnArray("it has a text that is none") from None
    if name in _BYTES and not arguments:
        return b""
    raise NotAnArray(f"it calls {'.'.join(name)} otherwise than an array does")


def _set_order(dtype: _Dtype, state: object) -> None:
    """A plain dtype's state: version, byte order, then nothing that a plain dtype has."""
    if not (
        isinstance(state, tuple)
        and len(state) == 8
        and state[0] == 3
        and state[1] in ("<", ">", "|", "=")
        and state[2:5] == (None, None, None)
    ):
        raise NotAnArray("it describes a dtype that is no plain number (with fields, objects or metadata)")
    dtype.order = state[1]


def _set_content(array: _Array, state: object) -> None:
    """An array's state: version, shape, dtype, order, bytes."""
    if isinstance(state, tuple) and len(state) == 5 and state[0] == 1:
        _, shape, dtype, fortran, content = state
        if isinstance(content, list):
            raise NotAnArray("it holds an array of objects, not of plain numbers (of lengths that differ?)")
        if isinstance(content, str):  # Python 2
            try:
                content = content.encode("latin-1")
            except UnicodeEncodeError:
                raise NotAnArray("it has a text that is none") from None
        if _is_shape(shape) and isinstance(dtype, _Dtype) and isinstance(content, bytes) and array.content is None:
            array.shape, array.dtype, array.fortran, array.content = shape, dtype, bool(fortran), content
            return
    raise NotAnArray("it describes an array in a way that NumPy does not")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 20


def _is_shape(value: object) -> bool:
    return isinstance(value, tuple) and all(type(size) is int and size >= 0 for size in value)
