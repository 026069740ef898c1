"""Files that a scenario names: found relative to the scenario's own folder."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Strict, ValidationInfo
from pydantic_core import PydanticCustomError

BASE_DIR = "base_dir"
"""Key of the validation context that holds the folder of the scenario file."""

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".hspy", ".nxs", ".emd", ".ptycho")
"""Extensions of files that hold named data sets."""

_DATASET = re.compile(rf"(.*(?:{'|'.join(map(re.escape, HDF5_SUFFIXES))})):([/\\].*)", re.IGNORECASE)


def split_dataset(path: str | Path) -> tuple[str, str | None]:
    """Split ``scan.h5:/entry/data`` into the file and the data set in it; None where none is named."""
    found = _DATASET.fullmatch(str(path))
    return (str(path), None) if found is None else (found[1], found[2].replace("\\", "/"))


def _existing(written: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get(BASE_DIR, ".")
    file, dataset = split_dataset(written)
    path = Path(folder, file).absolute()
    if not path.is_file():
        trouble = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise PydanticCustomError(
            "data_file",
            "{path} {trouble}; write the file's path relative to the scenario file",
            {"path": str(path), "trouble": trouble},
        )
    return str(path) if dataset is None else f"{path}:{dataset}"


DataFile = Annotated[str, Strict(), AfterValidator(_existing)]
"""An existing file, made absolute; written relative to the scenario file, in Python to the working folder.

A data set within an HDF5 file is written after a colon: ``scan.h5:/entry/data``.
"""


MOST_FILES = 100_000
"""More files than that are a slip in a pattern."""


def _expanded(written: Any, info: ValidationInfo) -> tuple[str, ...]:
    patterns = [written] if isinstance(written, str) else written
    if not isinstance(patterns, (list, tuple)) or not all(isinstance(p, str) for p in patterns):
        raise PydanticCustomError(
            "data_files", "must be a file, a pattern such as `data/*.mrc`, or a list of them"
        )
    files = tuple(dict.fromkeys(file for pattern in patterns for file in _matching(pattern, info)))
    if not 0 < len(files) <= MOST_FILES:
        raise PydanticCustomError(
            "data_files", "names {n} files; it must be 1 to {most}", {"n": len(files), "most": MOST_FILES}
        )
    return files


def _matching(pattern: str, info: ValidationInfo) -> list[str]:
    folder = Path((info.context or {}).get(BASE_DIR, ".")).absolute()
    if not any(sign in pattern for sign in "*?[") or Path(folder, pattern).is_file():
        return [_existing(pattern, info)]
    pattern, dataset = split_dataset(pattern)
    found = [folder / name for name in glob.glob(pattern, root_dir=folder, recursive=True)]
    if not (files := sorted(str(path) for path in found if path.is_file())):
        raise PydanticCustomError(
            "data_files",
            "no file is called {pattern}; write the pattern relative to the scenario file",
            {"pattern": str(folder / pattern)},
        )
    return files if dataset is None else [f"{file}:{dataset}" for file in files]


DataFiles = Annotated[tuple[str, ...], BeforeValidator(_expanded)]
"""Existing files, made absolute: a file, a pattern such as ``data/*.mrc`` (in alphabetical order), or a
list of them; relative to the scenario file."""
