"""Makes a scorer of a version's card and checked file, which is read only by the library that wrote it."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as library_version

from wardround.candidates.base import Scorer
from wardround.candidates.registry import CANDIDATES
from wardround.errors import ModelError
from wardround.training.model import ModelCard


def scorer_of(card: ModelCard, files: Mapping[str, bytes], where: str) -> Scorer:
    """Returns the scorer in the model file, after checking its libraries. Raises ModelError."""
    if card.imported:
        from wardround.candidates.imported import ImportedModel

        for library in card.imported.libraries:
            _check_library(library, card, where)
        return ImportedModel.parse(files[ImportedModel.file_name], card.imported, card.columns, where)
    candidate = CANDIDATES[card.chosen]
    _check_library(candidate.library, card, where)
    return _parsed(candidate.parse, files[candidate.file_name])


@lru_cache(maxsize=2)
def _parsed(parse: Callable[[bytes], Scorer], content: bytes) -> Scorer:
    """Returns the scorer, kept because a run loads its model when it is opened and again to score."""
    return parse(content)


def _check_library(library: str, card: ModelCard, where: str) -> None:
    """Raises ModelError for another minor release: no library promises to read its files or score them the same."""
    trained = card.libraries[library]
    try:
        here = library_version(library)
    except PackageNotFoundError:
        raise ModelError(f"{where}: needs {library} {trained}, which is not installed; install it") from None
    if trained.split(".")[:2] != here.split(".")[:2]:
        raise ModelError(
            f"{where}: trained with {library} {trained}, but {here} is installed; train again, or install that release"
        )
