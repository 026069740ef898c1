"""A sweep on disk: what it leaves, and how it is opened again."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from simkit.core.errors import DataError
from simkit.engine.output import LIBRARIES, software
from simkit.io.atomic import write_bytes_atomic
from simkit.scenario.loading import dump, load
from simkit.sweeps.results import AxisInfo, SweepResult

TABLES = ("cells", "scores", "comparisons", "counts", "ceilings", "costs")

MARK = "sweep.json"
"""The file by which a folder is known to hold a sweep."""


def save(result: SweepResult, folder: Path, *, page: str | None = None) -> None:
    """Write a sweep's tables and Dataset, each file whole or not at all.

    Parameters
    ----------
    result : SweepResult
        The sweep.
    folder : Path
        Where; made if need be. The store of its results may be in it.
    page : str, optional
        The report, as HTML.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        table: pa.Table = getattr(result, name)
        write_bytes_atomic(folder / f"{name}.parquet", _parquet(table))
        write_bytes_atomic(folder / f"{name}.csv", _csv(table))
    text = dump(result.scenario)
    write_bytes_atomic(folder / "sweep.yaml", text.encode())
    _write_dataset(result, folder / "sweep.nc")
    provenance = {
        "schema_version": 1,
        **software((*LIBRARIES, "pyarrow")),
        "seed": result.scenario.seed,
        "scenario_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    _write_json(folder / "provenance.json", provenance)
    _write_json(folder / "timings.json", {k: round(v, 4) for k, v in result.seconds.items()})
    if page is not None:
        write_bytes_atomic(folder / "report.html", page.encode())
    # Last: a folder that has it has everything.
    _write_json(folder / MARK, _plain(result))


def open_sweep(path: str | Path) -> SweepResult:
    """Return a sweep as `simkit sweep` left it.

    Parameters
    ----------
    path : str or Path
        Its folder.

    Raises
    ------
    DataError
        If the folder holds no sweep, or a file of it is damaged.
    """
    folder = Path(path)
    try:
        plain = json.loads((folder / MARK).read_text(encoding="utf-8"))
        tables = {name: pyarrow.parquet.read_table(folder / f"{name}.parquet") for name in TABLES}
        timings = json.loads((folder / "timings.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"holds no sweep (there is no {MARK}); name a folder of `simkit sweep`", str(folder)
        ) from None
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(
            f"a file of the sweep is damaged: {error}; run the sweep again", str(folder)
        ) from None
    return SweepResult(
        scenario=load(folder / "sweep.yaml").scenario,
        axes=tuple(_axis(axis) for axis in plain["axes"]),
        failures=tuple(plain["failures"]),
        units=plain["units"],
        answers=tuple(plain["answers"]),
        settings=tuple(tuple((p, v) for p, v in cell) for cell in plain["settings"]),
        seconds=timings,
        **tables,
    )


def _axis(plain: dict[str, Any]) -> AxisInfo:
    # NaN is no JSON, so values that are no numbers are null there.
    values = tuple(float("nan") if value is None else value for value in plain["values"])
    lists = {"paths": tuple(plain["paths"]), "labels": tuple(plain["labels"]), "values": values}
    return AxisInfo(**{**plain, **lists})


def _plain_axis(axis: AxisInfo) -> dict[str, Any]:
    return {**asdict(axis), "values": [None if math.isnan(value) else value for value in axis.values]}


def _plain(result: SweepResult) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "title": result.scenario.title,
        "axes": [_plain_axis(axis) for axis in result.axes],
        "units": dict(result.units),
        "answers": [dict(answer) for answer in result.answers],
        "failures": [dict(failure) for failure in result.failures],
        "settings": [[list(setting) for setting in cell] for cell in result.settings],
    }


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _csv(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(table, sink)
    return bytes(sink.getvalue())


def _write_dataset(result: SweepResult, path: Path) -> None:
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        result.dataset.to_netcdf(hidden, engine="h5netcdf")
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)


def _write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_bytes_atomic(path, text.encode())
