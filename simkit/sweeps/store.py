"""Results on disk, by their keys: each there whole or not at all, whenever a program is killed.

    <root>/truth/ab/<key>.npz        the copies in a simulated micrograph
    <root>/images/ab/<key>.npz       its pixels
    <root>/picks/ab/<key>.npz        what a picker found in it
    <root>/scores/ab/<key>.json      the scores of a cell
    <root>/failures/ab/<key>.json    why there is none

Several processes, of several machines that share the disk, may write at once: each writes a file of its own
out of sight and puts it in place, and who comes second writes the same again.
"""

from __future__ import annotations

import io
import json
import os
import platform
import uuid
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from simkit.core.errors import DataError
from simkit.core.labels import Labels
from simkit.core.tables import Table

Arrays = dict[str, npt.NDArray[Any]]
T = TypeVar("T", bound=Table)


class Store:
    """A folder of results.

    Parameters
    ----------
    root : Path
        Made when something is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, stage: str, key: str) -> Path:
        """Return where a result is, or would be."""
        suffix = "json" if stage in ("scores", "failures", "ceiling") else "npz"
        return self.root / stage / key[:2] / f"{key}.{suffix}"

    def has(self, stage: str, key: str) -> bool:
        """Tell whether there is a result."""
        return self.path(stage, key).exists()

    def arrays(self, stage: str, key: str) -> Arrays | None:
        """Return named arrays; None where there are none, or where the file is damaged."""
        try:
            content = io.BytesIO(self.path(stage, key).read_bytes())
            with np.load(content, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None

    def plain(self, stage: str, key: str) -> dict[str, Any] | None:
        """Return plain data; None where there is none, or where the file is damaged."""
        try:
            content = json.loads(self.path(stage, key).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def put_arrays(self, stage: str, key: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write named arrays."""
        stream = io.BytesIO()
        np.savez_compressed(stream, **dict(arrays))  # type: ignore[arg-type]
        self._put(stage, key, stream.getvalue())

    def put_plain(self, stage: str, key: str, content: Mapping[str, Any]) -> None:
        """Write plain data; NaN is refused."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        self._put(stage, key, text.encode())

    def remove(self, stage: str, key: str) -> None:
        """Forget a result."""
        self.path(stage, key).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove what processes of this machine were writing when they were killed."""
        for file in (self.root / "unfinished").glob(f"{platform.node()}.*"):
            owner = file.name.split(".")[-2]
            if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
                file.unlink(missing_ok=True)

    def _put(self, stage: str, key: str, data: bytes) -> None:
        target = self.path(stage, key)
        hidden = self.root / "unfinished" / f"{platform.node()}.{os.getpid()}.{uuid.uuid4().hex[:12]}"
        try:
            hidden.parent.mkdir(parents=True, exist_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            hidden.write_bytes(data)
            hidden.replace(target)
        except OSError as error:
            hidden.unlink(missing_ok=True)
            raise DataError(f"cannot be written ({error.strerror})", str(target)) from error


def table_arrays(table: Table) -> Arrays:
    """Return a table as named arrays, columns that are empty throughout left out."""
    arrays: Arrays = {"rows": np.array(len(table))}
    for name, column in table.columns.items():
        if column.dtype is str:
            codes, names = table.codes(name)
            if names not in ((), ("",)):
                arrays[f"{name}.codes"], arrays[f"{name}.names"] = codes, np.array(names)
        elif not _absent(values := table[name]):
            arrays[name] = values
    return arrays


def _absent(values: npt.NDArray[Any]) -> bool:
    return bool((~values).all() if values.dtype == bool else np.isnan(values).all())


def table_of(kind: type[T], arrays: Mapping[str, npt.NDArray[Any]]) -> T:
    """Return the table that `table_arrays` took apart."""
    rows = int(arrays["rows"])
    values: dict[str, Any] = {}
    for name, column in kind.columns.items():
        if f"{name}.codes" in arrays:
            values[name] = Labels.coded(arrays[f"{name}.codes"], arrays[f"{name}.names"].tolist())
        elif name in arrays:
            values[name] = arrays[name]
        else:
            values[name] = np.full(rows, np.nan if column.dtype is float else column.dtype())
    return kind(**values)
