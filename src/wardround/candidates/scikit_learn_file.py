"""Reads the numbers of a fitted scikit-learn model from its joblib file, without scikit-learn and without its code.

Loading scikit-learn takes 80 MB and most of a second, and a score of a few rows needs nothing of it but the numbers.
"""

import zlib
from io import BytesIO
from typing import Any, Final

import numpy as np
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler

from wardround.errors import ModelError

_PACKED: Final = b"\x78"  # how zlib's streams begin; a pickle begins otherwise


def numbers_in(content: bytes) -> Any:
    """Returns the model as objects without functions: what scikit-learn calls `coef_` is the attribute `coef_`.

    Raises ModelError for a file that names anything but scikit-learn's classes and arrays of numbers; nothing that it
    names is run.
    """
    pickled = zlib.decompress(content) if content.startswith(_PACKED) else content
    return _Numbers("", BytesIO(pickled), ensure_native_byte_order=True).load()


class _Part:
    """An object of the file: unpickling sets its attributes."""

    def __init__(self, *_sizes: int) -> None:
        pass


class _Array(NumpyArrayWrapper):  # type: ignore[misc]  # joblib has no types
    """An array of the file; one of objects would be unpickled with whatever it names."""

    def read(self, *arguments: Any) -> Any:
        if self.dtype.hasobject:
            raise _refused("an array of objects")
        return super().read(*arguments)


class _Numbers(NumpyUnpickler):  # type: ignore[misc]  # joblib has no types
    def find_class(self, module: str, name: str) -> Any:
        match module.split("."), name:
            case ["sklearn", *_], _:
                return _Part
            case ["joblib", "numpy_pickle"], "NumpyArrayWrapper":
                return _Array
            case ["numpy"], "ndarray" | "dtype":
                return getattr(np, name)
            case ["numpy", "_core" | "core", "multiarray"], "scalar":
                return np._core.multiarray.scalar  # type: ignore[attr-defined]  # which pickles of numpy name
        raise _refused(f"{module}.{name}")


def _refused(what: str) -> ModelError:
    return ModelError(f"model file: names {what}, expected scikit-learn's classes and numbers; train again")
