"""Reads a trusted joblib file: its model, its metadata, and the libraries that it was made with."""

import pickle
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from importlib.metadata import version as library_version
from io import BytesIO
from typing import Any, Final

import joblib
from joblib.numpy_pickle import NumpyUnpickler

from wardround.errors import ModelError

# Libraries that only hold arrays and files, and read those of other releases; they are recorded, but not decisive.
CARRIERS: Final = ("numpy", "pandas", "scipy", "joblib", "wardround")


@dataclass(frozen=True)
class JoblibFile:
    """The content of the file; `libraries` are the distributions of its classes, with their installed releases."""

    content: Mapping[str, Any]
    libraries: dict[str, str]

    @property
    def metadata(self) -> Mapping[str, Any]:
        return dict(self.content["metadata"])


def read_trusted(content: bytes, where: str) -> JoblibFile:
    """Unpickles, which runs whatever code the content names: only for content that a person trusts.

    Raises ModelError for a file that is not a joblib file of the tutorial's form, that was made with something that is
    not installed here, or that was made with another minor release of scikit-learn.
    """
    with warnings.catch_warnings(record=True) as warned, _named_modules() as modules:
        warnings.simplefilter("always")
        try:
            loaded = joblib.load(BytesIO(content))
        except ImportError as error:
            raise ModelError(f"{where}: needs the module {error.name}, which is not installed; install it") from None
        except AttributeError:
            raise ModelError(
                f"{where}: needs a class that is not available here (from the script that made it?),"
                " expected one from an installed module; define it in an installed module, and dump the model again"
            ) from None
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything
            raise ModelError(f"{where}: not a joblib file ({type(error).__name__}); dump the model again") from None
    _check_releases(warned, where)
    if not isinstance(loaded, Mapping) or not {"model", "metadata"} <= set(loaded):
        raise ModelError(
            f'{where}: got a {type(loaded).__name__}, expected {{"model": …, "metadata": {{"feature_names": […],'
            ' "metrics": {"optimal_threshold": …}}}; dump it in this form'
        )
    if not isinstance(loaded["metadata"], Mapping):
        raise ModelError(
            f"{where}: metadata: got a {type(loaded['metadata']).__name__}, expected a mapping; correct it"
        )
    others = sorted(str(key) for key in set(loaded) - {"model", "scaler", "metadata"} if loaded[key] is not None)
    if others:
        raise ModelError(
            f"{where}: contains {others[0]!r} beside the model, which would not be used, expected model, scaler and"
            " metadata; put every step into one pipeline, and dump that as the model"
        )
    return JoblibFile(loaded, _libraries(modules))


@contextmanager
def _named_modules() -> Iterator[set[str]]:
    """Gives a set that collects the top-level names of the modules that content unpickled inside refers to."""
    found: set[str] = set()
    plain = NumpyUnpickler.find_class

    def find_class(self: pickle.Unpickler, module: str, name: str) -> Any:
        found.add(module.partition(".")[0])
        return plain(self, module, name)

    NumpyUnpickler.find_class = find_class
    try:
        yield found
    finally:
        NumpyUnpickler.find_class = plain


def _check_releases(warned: list[warnings.WarningMessage], where: str) -> None:
    """Raises ModelError if scikit-learn warns that a file comes from another release; patch releases are accepted."""
    for one in warned:
        made_with = getattr(one.message, "original_sklearn_version", None)
        here = library_version("scikit-learn")
        if made_with and made_with.split(".")[:2] != here.split(".")[:2]:
            raise ModelError(
                f"{where}: made with scikit-learn {made_with}, but {here} is installed;"
                " dump it again with the installed release, or install the other"
            )


def _libraries(modules: set[str]) -> dict[str, str]:
    distributions = packages_distributions()
    names = {name for module in modules - set(sys.stdlib_module_names) for name in distributions.get(module, ())}
    return {name: library_version(name) for name in sorted(names)}
