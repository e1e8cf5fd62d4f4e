"""Files that mean harm or are rubbish: they are refused with their path, and nothing in them runs."""

from __future__ import annotations

import importlib
import os
import pickle
import pickletools
import struct
import zipfile

import numpy as np
import pytest

from opengait_mimic.data import mocap
from opengait_mimic.data.pickles import LARGEST, NotAnArray, array_from
from opengait_mimic.data.read import look, read_array, read_frames, read_sequence
from opengait_mimic.errors import DataError

CLIP = np.random.default_rng(0).integers(0, 2, (5, 64, 44)).astype(np.uint8) * 255


def write(path, content: bytes):
    path.write_bytes(content)
    return path


class Call:
    """Pickles as the call of a function."""

    def __init__(self, function, *arguments, state=None):
        self.call = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.call


# ---- what is an array ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["u1", "?", "i1", "<u2", ">u2", "<i8", "f2", "<f4", ">f4", "f8"])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, lambda a: a.transpose(2, 0, 1)])
def test_arrays_of_every_protocol_dtype_and_layout_come_out_as_they_went_in(protocol, dtype, layout):
    array = layout(CLIP.astype(dtype))
    back = array_from(pickle.dumps(array, protocol))
    assert np.array_equal(back, array) and back.dtype == array.dtype.newbyteorder("=")
    assert back.flags.c_contiguous and back.flags.writeable and back.flags.owndata and back.dtype.isnative


# What NumPy 1 under Python 3 and under Python 2 writes of np.array([[1, 200]], np.uint8).
NUMPY_1 = (
    b"\x80\x04\x8c\x15numpy.core.multiarray\x8c\x0c_reconstruct\x93\x8c\x05numpy\x8c\x07ndarray\x93K\x00\x85C\x01b\x87R"
    b"(K\x01K\x01K\x02\x86\x8c\x05numpy\x8c\x05dtype\x93\x8c\x02u1\x89\x88\x87R(K\x03\x8c\x01|NNNJ\xff\xff\xff\xff"
    b"J\xff\xff\xff\xffK\x00tb\x89C\x02\x01\xc8tb."
)
PYTHON_2 = (
    b"cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n(I0\ntp2\nS'b'\np3\ntp4\nRp5\n(I1\n(I1\nI2\ntp6\n"
    b"cnumpy\ndtype\np7\n(S'u1'\np8\nI0\nI1\ntp9\nRp10\n(I3\nS'|'\np11\nNNNI-1\nI-1\nI0\ntp12\nbI00\nS'\\x01\\xc8'\n"
    b"p13\ntp14\nb."
)


@pytest.mark.parametrize("content", [NUMPY_1, NUMPY_1.replace(b"\x15numpy.core", b"\x16numpy._core"), PYTHON_2])
def test_arrays_of_numpy_1_and_2_and_of_python_2_are_read(content):
    assert array_from(content).tolist() == [[1, 200]] and array_from(content).dtype == np.uint8


def test_empty_arrays_keep_their_shape():
    for protocol in range(6):
        assert array_from(pickle.dumps(np.zeros((3, 0, 2)), protocol)).shape == (3, 0, 2)


# ---- what runs code --------------------------------------------------------------------------------------------------


def payloads(mark: str) -> dict[str, object]:
    """Things whose unpickling would make the folder `mark`."""
    touch = f"__import__('os').mkdir({mark!r})"
    held = np.empty(1, object)
    held[0] = Call(os.mkdir, mark)
    return {
        "os.mkdir": Call(os.mkdir, mark),
        "os.system": Call(os.system, f"mkdir {mark}"),
        "eval": Call(eval, touch),
        "exec": Call(exec, touch),
        "subprocess": Call(importlib.import_module("subprocess").check_call, ["mkdir", mark]),
        "runpy": Call(importlib.import_module("runpy")._run_code, touch, {}),
        "import": Call(importlib.import_module, "antigravity"),
        "getattr": Call(getattr, Call(importlib.import_module, "os"), "mkdir"),
        "numpy.load": Call(np.load, mark, None, True),
        "numpy.fromfile": Call(np.fromfile, mark),
        "in a list": [CLIP, Call(os.mkdir, mark)],
        "in a tuple": (CLIP, Call(os.mkdir, mark)),
        "in a dict": {"sils": CLIP, "more": Call(os.mkdir, mark)},
        "in an object array": held,
        "as an array's state": Call(np._core.multiarray._reconstruct if hasattr(np, "_core") else
                                    np.core.multiarray._reconstruct, np.ndarray, (0,), b"b",
                                    state=Call(os.mkdir, mark)),
        "as a dtype's state": Call(np.dtype, "u1", False, True, state=Call(os.mkdir, mark)),
    }  # fmt: skip


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", payloads(""))
def test_a_pickle_that_calls_anything_is_refused_and_nothing_runs(tmp_path, name, protocol):
    mark = tmp_path / "mark"
    path = write(tmp_path / "evil.pkl", pickle.dumps(payloads(str(mark))[name], protocol))
    with pytest.raises(DataError, match=f"^{path}: cannot be read: it "):
        read_array(path)
    assert not mark.exists()


def global_name(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


U1 = global_name("numpy", "dtype") + b"(X\x02\x00\x00\x00u1I0\nI1\ntR"
NDARRAY, ENCODE = global_name("numpy", "ndarray"), global_name("_codecs", "encode")
EMPTY = global_name("numpy.core.multiarray", "_reconstruct") + b"(" + NDARRAY + b"(I0\ntC\x01btR"


def plain_order(state: bytes = b"NNN") -> bytes:
    return b"(I3\nX\x01\x00\x00\x00|" + state + b"I-1\nI-1\nI0\ntb"


def forged(shape: bytes = b"(I1\nI2\nt", dtype: bytes = U1 + plain_order(), content: bytes = b"C\x02\x01\x02") -> bytes:
    """A pickle of uint8 [[1, 2]], with parts exchanged."""
    return EMPTY + b"(I1\n" + shape + dtype + b"I00\n" + content + b"tb."


def test_the_forged_pickles_differ_from_a_good_one_in_their_forged_part_only():
    assert array_from(forged()).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        # Memory: a header that claims more than there is.
        (forged(shape=b"(L1000000000000L\nt"), "claims 1000000000000 elements"),
        (forged(shape=b"(L9223372036854775807L\nI2\nt"), "claims"),
        (forged(shape=b"(I0\nL9223372036854775807L\nt", content=b"C\x00"), "claims the shape"),
        (forged(shape=b"(" + 70 * b"I1\n" + b"t"), "claims"),
        (forged(shape=b"(" + 40 * b"I0\n" + b"t", content=b"C\x00"), "claims the shape"),
        (forged(shape=b"(I-1\nI-2\nt"), "in a way that NumPy does not"),
        (forged(shape=b"(X\x01\x00\x00\x00aI2\nt"), "in a way that NumPy does not"),
        (NDARRAY + b"((L1000000000000L\nttR.", "broken pickle"),
        (EMPTY.replace(b"(I0\nt", b"(L1000000000000L\nt") + b".", "an array without content"),
        (forged(content=b"\x8e" + struct.pack("<Q", 10**12) + b"\x01\x02"), "ends too early"),
        (forged(content=b"\x96" + struct.pack("<Q", 10**12) + b"\x01\x02"), "ends too early"),
        (forged(content=b"B\xff\xff\xff\xff\x01\x02"), "ends too early"),
        (b"\x80\x04\x95" + struct.pack("<Q", 2**62) + forged(), "broken pickle"),
        (b"\x8b" + struct.pack("<i", 2**31 - 1) + b"\x01.", "LONG4"),
        (b"I" + b"9" * 100_000 + b"\n.", "broken pickle"),
        (b"c__builtin__\nbytes\n(L1000000000000L\ntR.", "broken pickle"),
        # The memo.
        (b"Nr\xff\xff\xff\xff.", "broken pickle"),
        (b"h\x05.", "broken pickle"),
        (b"(q\x00.", "broken pickle"),
        (b"\x94.", "broken pickle"),
        # The stack.
        (b"(" * 100_000, "more than an array"),
        (b"]" * 100_000, "a list"),
        (b"(" * 400 + b"t" * 400 + b".", "a tuple, not an array"),
        (b"N" + b"\x85" * 100_000 + b".", "more than an array"),
        (b")", "ends too early"),
        (b"b.", "broken pickle"),
        (b"NNb.", "nothing"),
        (b".", "broken pickle"),
        # What would grow without end when it is printed or copied.
        (b")" + 50 * b"q\x00h\x00\x86" + b"N\x93.", "broken pickle"),
        (b"X\x00\x04\x00\x00" + 1024 * b"a" + b"q\x00" + 9 * (ENCODE + b"(h\x00X\x06\x00\x00\x00latin1tR") + b".",
         "more than an array"),
        # Metadata: dtypes that would let bytes pass for pointers.
        (forged(dtype=U1 + plain_order(b"NX\x01\x00\x00\x00a)")), "no plain number"),
        (forged(dtype=U1 + b"(I4\nX\x01\x00\x00\x00|NNNI-1\nI-1\nI0\n}tb"), "no|not of plain numbers"),
        (forged(dtype=U1 + plain_order(b"(" + U1 + b"I9\ntNN")), "no plain number"),
        (forged(dtype=U1 + b"Nb"), "no plain number"),
        (forged(dtype=U1.replace(b"u1", b"O8")), "array of objects"),
        (forged(dtype=U1.replace(b"u1", b"V8")), "V8"),
        (forged(dtype=U1.replace(b"u1", b"c8")), "c8"),
        (forged(dtype=U1.replace(b"u1", b"zz")), "zz"),
        (forged(dtype=U1.replace(b"X\x02\x00\x00\x00u1", b"X\x07\x00\x00\x00u1,O,O,")), "u1,O,O"),
        (forged(dtype=U1.replace(b"X\x02\x00\x00\x00u1", U1)), "no|not of plain numbers"),
        (forged(dtype=b"N"), "in a way that NumPy does not"),
        (forged(content=b"]"), "array of objects"),
        (forged()[:-1] + b"(I1\n(I1\nt" + U1 + b"I00\nC\x01\x01tb.", "in a way that NumPy does not"),
        # Everything else that the pickle language has.
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"P1\n.", "PERSID"),
        (b"(ios\nmkdir\nX\x01\x00\x00\x00mo.", "INST"),
        (b"(cos\nmkdir\nX\x01\x00\x00\x00mo.", "OBJ"),
        (b"(" + global_name("numpy", "dtype") + b"X\x02\x00\x00\x00u1o.", "OBJ"),
        (global_name("numpy", "dtype") + b")\x81.", "NEWOBJ"),
        (global_name("numpy", "dtype") + b"))\x92.", "NEWOBJ_EX"),
        (b"\x82\x01.", "EXT1"),
        (b"\x80\x63.", "broken pickle"),
        (b"cposix\rall is fine: \x1b[32mnumpy\nmkdir\n)R.", "it calls posix all"),
        (b"\x8c\x05numpy\x8c\x0fndarray.tofile.\x93.", "calls numpy.ndarray.tofile"),
        (global_name("numpy.core.numeric", "_frombuffer") + b"(C\x01\x01" + U1 + b"(I1\ntX\x01\x00\x00\x00ZtR.",
         "in a way that NumPy does not"),
        (ENCODE + b"(X\x01\x00\x00\x00aX\x03\x00\x00\x00hextR.", "more than an array"),
        (ENCODE + b"(X\x02\x00\x00\x00\xc4\x80X\x06\x00\x00\x00latin1tR.", "broken pickle"),
        # No pickle at all.
        (b"", "an empty file"),
        (b"GIF89a", "not an array"),
        (b"\x00" * 1000, "no pickle"),
        (b"hello world, this is text", "a list"),
        (b"S" + 100_000 * b"(" + b"'\n.", "broken pickle"),
        (b"S'\\x'\n.", "broken pickle"),
        (b"Sprint(1)\n.", "broken pickle"),
        (b"X\x01\x00\x00\x00\xff.", "broken pickle"),
        (b"Ix\n.", "broken pickle"),
        (pickle.dumps(CLIP)[:200], "ends too early"),
        (pickle.dumps(CLIP)[:-1], "ends too early"),
    ],
)  # fmt: skip
def test_a_forged_or_broken_pickle_is_refused_at_once(tmp_path, content, told):
    path = write(tmp_path / "a.pkl", content)
    with pytest.raises(DataError, match=f"^{path}: cannot be read: .*({told})") as error:
        read_array(path)
    assert str(error.value).isprintable() and len(str(error.value)) < 700


def test_every_opcode_is_either_an_arrays_or_refused():
    for opcode in pickletools.opcodes:
        with pytest.raises(NotAnArray):
            array_from(opcode.code.encode("latin-1") + 20 * b"\x00")


# ---- what is no file, and what is no clip ----------------------------------------------------------------------------


def test_what_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "folder.pkl").mkdir()
    (tmp_path / "loop.pkl").symlink_to(tmp_path / "loop.pkl")
    (tmp_path / "gone.pkl").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe.pkl")
    for name, told in {
        "folder": "no file|directory", "loop": "symbolic links", "gone": "No such file", "none": "No such file",
        "pipe": "no file", 300 * "long": "too long", "zero\0": "no file",
    }.items():  # fmt: skip
        with pytest.raises(DataError, match=rf"\.pkl: cannot be read: .*({told})"):
            read_array(tmp_path / f"{name}.pkl")


def test_a_huge_file_is_not_even_read(tmp_path):
    path = tmp_path / "a.pkl"
    with path.open("wb") as stream:
        stream.truncate(LARGEST + 1)  # sparse
    with pytest.raises(DataError, match=f"{LARGEST + 1} bytes, more than {LARGEST}"):
        read_array(path)


def nan(value):
    clip = CLIP.astype(np.float32)
    clip[2, 3, 4] = value
    return clip


@pytest.mark.parametrize(
    ("clip", "told"),
    [
        (CLIP[0], r"expected frames \[s, h, w\], found the shape \[64, 44\]"),
        (CLIP[:0], "holds no frame"),
        (np.array(3), "found one number"),
        (np.zeros(5), r"found the shape \[5\]"),
        (np.zeros((2, 2, 2, 2, 2)), "found the shape"),
        (CLIP[:, :0], "no pixels"),
        (CLIP[:, :, :2], "too few"),
        (nan(np.nan), "NaN or infinite"),
        (nan(np.inf), "NaN or infinite"),
        ([CLIP[0], CLIP[1]], "a list, not an array"),
        (np.array([CLIP[0], CLIP[0, :3]], dtype=object), "an array of objects"),
        (CLIP.astype("datetime64[s]"), "M8"),
        (CLIP.astype(complex), "c16"),
        ("a text", "it holds a str, not an array"),
        (None, "nothing"),
        ({}, "a dict"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_what_is_no_clip_is_refused(tmp_path, clip, told, protocol):
    path = write(tmp_path / "a.pkl", pickle.dumps(clip, protocol))
    with pytest.raises(DataError, match=f"^{path}: .*{told}"):
        read_frames(path)


@pytest.mark.parametrize("clip", [CLIP[:1], np.zeros_like(CLIP), CLIP.astype(float), CLIP > 0, CLIP[:, None]])
def test_unusual_clips_are_read(tmp_path, clip):
    path = write(tmp_path / "a.pkl", pickle.dumps(clip))
    assert np.array_equal(read_frames(path), clip)


def test_white_is_1_or_255_or_cannot_be_told():
    for clip, top in (
        (CLIP, 255), (CLIP // 255, 1), (CLIP > 0, 1), (CLIP / 255, 1), (CLIP.astype(float), 255), (0 * CLIP, 0),
        (0.0 * CLIP, 0), (CLIP // 50, 0), (CLIP / 510, 1),
    ):  # fmt: skip
        assert look(clip) == ((64, 44), top)


def test_a_sequence_looks_like_the_first_of_its_data_set(tmp_path):
    first = write(tmp_path / "first.pkl", pickle.dumps(CLIP))
    black = write(tmp_path / "black.pkl", pickle.dumps(0 * CLIP))
    wide = write(tmp_path / "wide.pkl", pickle.dumps(np.zeros((5, 64, 64), np.uint8)))
    faint = write(tmp_path / "faint.pkl", pickle.dumps(CLIP / 255))
    assert np.array_equal(read_sequence([first], like=first)[0], CLIP)
    read_sequence([black], like=first), read_sequence([faint], like=black), read_sequence([wide])
    with pytest.raises(DataError, match=f"^{wide}: frames of 64×64, not 64×44 as in {first}; .*check-data"):
        read_sequence([wide], like=first)
    with pytest.raises(DataError, match=f"^{faint}: values from 0 to 1, not to 255 as in {first}"):
        read_sequence([faint], like=first)
    first.write_bytes(pickle.dumps(CLIP / 255))
    os.utime(first, ns=(1, 1))
    assert len(read_sequence([faint], like=first)) == 1, "a file that has changed is looked at again"


def test_streams_have_the_same_number_of_frames(tmp_path):
    sils = write(tmp_path / "0.pkl", pickle.dumps(CLIP))
    other = write(tmp_path / "1.pkl", pickle.dumps(np.zeros((4, 17, 2))))
    with pytest.raises(DataError, match=f"^{tmp_path}: streams of different lengths \\[4, 5\\]"):
        read_sequence([sils, other])


# ---- recordings and other archives -----------------------------------------------------------------------------------


def npy(shape: str, content: bytes = b"", descr: str = "'<f4'") -> bytes:
    """An .npy file of any header."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


@pytest.mark.parametrize(
    "member",
    [
        npy("(1000000000000, 18, 3)"),
        npy("(-1, 3)"),
        npy("(1,)", pickle.dumps([Call(os.mkdir, "mark")]), "'|O'"),
        npy("(2, 2)", b"\x00"),
        npy("__import__('os').mkdir('mark')"),
        pickle.dumps(Call(os.mkdir, "mark")),
        b"",
    ],
)
def test_an_archive_of_recordings_with_a_forged_member_is_refused(tmp_path, monkeypatch, member):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("a.npz", "w") as archive:
        for key in mocap.KEYS:
            archive.writestr(f"{key}.npy", member)
        archive.writestr("../outside.npy", npy("(1,)", b"\0\0\0\0"))
    with pytest.raises(ValueError, match=r"^a\.npz: "):
        mocap.load("a.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"] and not (tmp_path.parent / "outside.npy").exists()
