"""Asks stored boosted trees through the C interface of XGBoost, with the calls of its Python package but without it.

The package imports scikit-learn wherever that is installed, 80 MB and most of a second, which no score needs.
https://xgboost.readthedocs.io/en/stable/c.html
"""

import ctypes
import json
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from wardround.errors import ModelError

# One thread: on a busy machine, two threads that wait for each other took 25 times as long.
THREADS: Final = 1
_FILES: Final = {"win32": "xgboost.dll", "darwin": "libxgboost.dylib"}
_KINDS: Final = {"probability": 0, "log-odds": 1, "contributions": 2}  # of XGBoosterPredictFromDMatrix


class Matrix:
    """Rows of inputs as XGBoost keeps them; `inputs` are float64 rows x columns."""

    def __init__(self, inputs: np.ndarray) -> None:
        self.handle = ctypes.c_void_p()
        how = {"missing": float("nan"), "nthread": THREADS}
        _call("XGDMatrixCreateFromDense", _interface(inputs), _json(how), ctypes.byref(self.handle))

    def start_from(self, log_odds: np.ndarray) -> None:
        """Makes predictions begin at these log-odds, one for each row, instead of the trees' own base."""
        _call("XGDMatrixSetInfoFromInterface", self.handle, b"base_margin", _interface(log_odds))

    def __del__(self) -> None:
        if self.handle:
            _library().XGDMatrixFree(self.handle)


class Trees:
    """Fitted trees, and the content of their file; several threads may ask them."""

    def __init__(self, content: bytes) -> None:
        """Reads the content of a `model.ubj`, which holds data and no code. Raises ModelError for anything else.

        Its digest must have been checked: of a damaged one, XGBoost 3.2 reads what lies behind it in memory, and then
        fails, crashes, or never ends.
        """
        self.content = content
        self.handle = ctypes.c_void_p()
        _call("XGBoosterCreate", None, ctypes.c_uint64(0), ctypes.byref(self.handle))
        _call("XGBoosterLoadModelFromBuffer", self.handle, content, ctypes.c_uint64(len(content)))
        _call("XGBoosterSetParam", self.handle, b"nthread", str(THREADS).encode())

    @property
    def rounds(self) -> int:
        """How many rounds of boosting there are."""
        rounds = ctypes.c_int()
        _call("XGBoosterBoostedRounds", self.handle, ctypes.byref(rounds))
        return rounds.value

    def predict(
        self,
        matrix: Matrix,
        what: Literal["probability", "log-odds", "contributions"],
        rounds: tuple[int, int] = (0, 0),
    ) -> np.ndarray:
        """Returns one number for each row, or as contributions one for each column and one more for the bias.

        Numbers are float32. `rounds` says from which to before which; by default all.
        """
        begin, end = rounds
        asked = {"type": _KINDS[what], "training": False, "iteration_begin": begin, "iteration_end": end}
        shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        result = ctypes.POINTER(ctypes.c_float)()
        _call(
            "XGBoosterPredictFromDMatrix",
            self.handle,
            matrix.handle,
            _json({**asked, "strict_shape": False}),
            ctypes.byref(shape),
            ctypes.byref(dimensions),
            ctypes.byref(result),
        )
        # The memory belongs to XGBoost, until this thread asks again.
        return np.ctypeslib.as_array(result, tuple(shape[: dimensions.value])).copy()

    def __del__(self) -> None:
        if self.handle:
            _library().XGBoosterFree(self.handle)


@cache
def _library() -> ctypes.CDLL:
    package = find_spec("xgboost")
    if package is None or not package.submodule_search_locations:
        raise ModelError("XGBoost: is not installed, expected the package xgboost-cpu; install it")
    folder = Path(package.submodule_search_locations[0]) / "lib"
    library = ctypes.CDLL(str(folder / _FILES.get(sys.platform, "libxgboost.so")))
    library.XGBGetLastError.restype = ctypes.c_char_p
    return library


def _call(function: str, *arguments: Any) -> None:
    """Calls a function of the library. Raises ModelError if it fails."""
    library = _library()
    if getattr(library, function)(*arguments):
        # The rest of what it says are the addresses of its functions.
        said = library.XGBGetLastError().decode(errors="replace").partition("\n")[0]
        raise ModelError(f"XGBoost: {function} failed: {said}")


def _interface(array: np.ndarray) -> bytes:
    return _json(array.__array_interface__)


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode()
