"""Files that a scenario names: found relative to the scenario's own folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Strict, ValidationInfo
from pydantic_core import PydanticCustomError

BASE_DIR = "base_dir"
"""Key of the validation context that holds the folder of the scenario file."""


def _existing(file: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get(BASE_DIR, ".")
    path = Path(folder, file).absolute()
    if not path.is_file():
        trouble = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise PydanticCustomError(
            "data_file",
            "{path} {trouble}; write the file's path relative to the scenario file",
            {"path": str(path), "trouble": trouble},
        )
    return str(path)


DataFile = Annotated[str, Strict(), AfterValidator(_existing)]
"""An existing file, made absolute; written relative to the scenario file, in Python to the working folder."""
