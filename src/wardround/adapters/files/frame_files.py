"""Reads frames of a run one after the other, in whichever process asks for them."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from wardround.adapters.files.run_folder import RunFolder


@dataclass(frozen=True)
class FrameFiles:
    """Parquet files of a run folder, by their names. Only one of the frames is in memory while they are iterated."""

    folder: str
    names: tuple[str, ...]

    def __iter__(self) -> Iterator[pd.DataFrame]:
        folder = RunFolder(self.folder)
        for name in self.names:
            yield folder.read_frame(name)
