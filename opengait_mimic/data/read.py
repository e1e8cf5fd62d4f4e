"""Read pickled silhouettes through an unpickler that admits numeric arrays and nothing else."""

from __future__ import annotations

import os
import pickle

import numpy as np

from opengait_mimic.errors import DataError

# Where numpy's array reconstruction lives, before and since numpy 2.
_RECONSTRUCTION = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
}


def _latin1(text: str, encoding: str) -> bytes:
    """Old pickle protocols write bytes as text; stands for _codecs.encode, for that encoding only."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding!r} is not part of an array")
    return text.encode(encoding)


class _ArrayUnpickler(pickle.Unpickler):
    """Rebuilds numpy arrays and refuses everything else a pickle could call."""

    def find_class(self, module: str, name: str):
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        if (module, name) not in _RECONSTRUCTION:
            raise pickle.UnpicklingError(f"it calls {module}.{name}; only numpy arrays are read")
        if module.startswith("numpy._core") and not hasattr(np, "_core"):
            module = module.replace("numpy._core", "numpy.core", 1)
        elif module.startswith("numpy.core") and hasattr(np, "_core"):
            module = module.replace("numpy.core", "numpy._core", 1)
        return super().find_class(module, name)


def read_array(path: str | os.PathLike) -> np.ndarray:
    """Read one pickled array whose first axis is time.

    Raises:
        DataError: the file is no pickle of a numeric array, or the array has no frame.
    """
    with open(path, "rb") as stream:
        try:
            array = _ArrayUnpickler(stream, encoding="latin1").load()
        except (pickle.UnpicklingError, EOFError, IndexError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}: cannot be read: {error}") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf" or array.ndim == 0:
        raise DataError(f"{path}: expected an array of numbers, found {type(array).__name__}")
    if len(array) == 0:
        raise DataError(f"{path}: holds no frame")
    return array
