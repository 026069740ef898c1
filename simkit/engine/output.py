"""A run on disk: every file it leaves, written so that one is there whole or not at all."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simkit.core.paths import split_dataset
from simkit.core.tables import Picks, Truth, as_micrograph
from simkit.engine.results import RunResult
from simkit.io.atomic import replace_directory
from simkit.io.convention import to_raw
from simkit.io.csv_tables import table_csv
from simkit.io.formats import format_named
from simkit.io.mrc import write_mrc
from simkit.io.raw import RawPoints
from simkit.io.relion import Optics, coordinate_files_star, micrographs_star, write_autopick_star, write_star
from simkit.psf.ctf import Ctf
from simkit.scenario.loading import dump
from simkit.scenario.spec import Scenario

if TYPE_CHECKING:
    import xarray as xr

LIBRARIES = ("numpy", "scipy", "finufft", "xarray", "pydantic", "matplotlib")
"""Libraries whose version can change the bits of a run."""


def save(result: RunResult, directory: Path, *, page: str, keep_stages: bool = False) -> None:
    """Write a run's directory, replacing an earlier run's only once everything is on disk.

    Parameters
    ----------
    result : RunResult
        The run.
    directory : Path
        Where; parents are made.
    page : str
        The report, as HTML.
    keep_stages : bool
        Write `stages.nc` too: density, ideal image, micrograph and score maps of micrograph 0.

    Raises
    ------
    DataError
        If the directory holds something that is not an earlier run.
    """
    with replace_directory(directory) as folder:
        (folder / "report.html").write_text(page, encoding="utf-8")
        write_json(folder / "scores.json", result.scores)
        (folder / "scores.csv").write_text(scores_csv(result.scores), encoding="utf-8")
        (folder / "scenario.yaml").write_text(dump(result.scenario), encoding="utf-8")
        write_json(folder / "provenance.json", provenance(result))
        write_json(folder / "timings.json", {k: round(v, 4) for k, v in result.timings.items()})
        _write_images(result, folder)
        _write_tables(result, folder)
        _write_logs(result, folder)
        if keep_stages:
            stages(result).to_netcdf(folder / "stages.nc", engine="h5netcdf")


def write_json(path: Path, content: Any) -> None:
    """Write JSON that a person can read, NaN refused."""
    path.write_text(
        json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )


def _write_images(result: RunResult, folder: Path) -> None:
    image = result.scenario.image
    if not result.sources:
        (folder / "micrographs").mkdir()
        for name, pixels in zip(result.micrograph_names, result.micrographs, strict=True):
            if image.ndim == 2:
                write_mrc(folder / "micrographs" / f"{name}.mrc", pixels, image.pixel_size)
            else:
                np.save(folder / "micrographs" / f"{name}.npy", pixels, allow_pickle=False)
    if image.ndim == 2:
        files = list(_micrograph_files(result).values())
        optics, ctf = _optics(result.scenario)
        text = micrographs_star(files, optics, {tag: [value] * len(files) for tag, value in ctf.items()})
        (folder / "micrographs.star").write_text(text, encoding="utf-8")


def _micrograph_files(result: RunResult) -> dict[str, str]:
    """Return micrograph → its file as seen from the run's directory, which is RELION's project directory."""
    files = result.sources or tuple(f"micrographs/{name}.mrc" for name in result.micrograph_names)
    return dict(zip(result.micrograph_names, files, strict=True))


def _optics(scenario: Scenario) -> tuple[Optics, dict[str, float]]:
    """Return RELION's optics group, and what it says of each micrograph's CTF.

    RELION's azimuth is that of the first principal defocus, from +x towards +y, like simkit's.
    """
    pixel_size = scenario.image.pixel_size
    lenses = [lens for lens in scenario.psf.values() if isinstance(lens, Ctf)]
    if len(lenses) != 1:
        voltage = next(filter(None, (lens.electron_voltage for lens in scenario.psf.values())), None)
        return Optics(pixel_size, voltage=voltage), {}
    (lens,) = lenses
    optics = Optics(pixel_size, lens.voltage, lens.spherical_aberration, lens.amplitude_contrast)
    return optics, {
        "rlnDefocusU": lens.defocus + lens.astigmatism / 2,
        "rlnDefocusV": lens.defocus - lens.astigmatism / 2,
        "rlnDefocusAngle": lens.astigmatism_angle,
        "rlnCtfBfactor": lens.b_factor,
        "rlnCtfScalefactor": 1.0,
        "rlnPhaseShift": 0.0,
    }


def _write_tables(result: RunResult, folder: Path) -> None:
    ndim = result.scenario.image.ndim
    tables: dict[Path, Truth | Picks] = {}
    if len(result.truth) or result.scenario.specimen:
        tables[folder / "truth"] = result.truth
    tables |= {folder / "picks" / name: run.picks for name, run in result.pickers.items()}
    for path, table in tables.items():
        path.parent.mkdir(exist_ok=True)
        path.with_name(path.name + ".csv").write_text(table_csv(table, ndim=ndim), encoding="utf-8")
        if ndim == 2:
            _write_star(result, path, path.relative_to(folder).as_posix(), table)
    for name, run in result.pickers.items():
        if run.holes is not None:
            (folder / "holes").mkdir(exist_ok=True)
            text = table_csv(run.holes, ndim=ndim)
            (folder / "holes" / f"{name}.csv").write_text(text, encoding="utf-8")


def _write_star(result: RunResult, path: Path, name: str, table: Truth | Picks) -> None:
    """Write a table as one file, and as RELION's autopicking would: a file a micrograph and their list."""
    files, classes = _micrograph_files(result), result.classes
    optics, _ = _optics(result.scenario)

    def raw(rows: Truth | Picks) -> RawPoints:
        return to_raw(rows, format_named("relion"), pixel_size=optics.pixel_size, classes=classes)

    located = table.replace(micrograph=[files[micrograph] for micrograph in table["micrograph"].tolist()])
    path.with_name(path.name + ".star").write_bytes(write_star(raw(located), optics))
    path.mkdir()
    rows_of, nothing = table.split("micrograph"), table.take([])
    for micrograph in files:
        rows = rows_of.get(micrograph, nothing)
        (path / f"{micrograph}.star").write_bytes(write_autopick_star(raw(rows)))
    text = coordinate_files_star({file: f"{name}/{micrograph}.star" for micrograph, file in files.items()})
    path.with_name(path.name + "_coordinates.star").write_text(text, encoding="utf-8")


def _write_logs(result: RunResult, folder: Path) -> None:
    """Write what outside programs printed."""
    for picker, texts in result.logs.items():
        (folder / "commands" / picker).mkdir(parents=True)
        for name, text in texts.items():
            (folder / "commands" / picker / name).write_text(text, encoding="utf-8")


def scores_csv(scores: Any) -> str:
    """Return every value of scores.json as rows source, name, class, metric, value, unit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["source", "name", "class", "metric", "value", "unit"])
    writer.writerows(_score_rows(scores))
    return text.getvalue()


def _score_rows(scores: Any) -> Iterator[list[Any]]:
    units = scores["units"]
    for picker, entry in scores["pickers"].items():
        for name, values in entry.items():
            if isinstance(values, dict):
                for metric, value in values.items():
                    yield ["picker", picker, name, metric, value, units["pickers"].get(metric, "")]
    for audit, values in scores["audit"].items():
        for metric, value in values.items():
            yield ["audit", audit, "", metric, value, units["audit"][audit].get(metric, "")]


def provenance(result: RunResult) -> dict[str, Any]:
    """Return what made a run: versions, seed, and hashes of the resolved scenario and of real micrographs."""
    text = dump(result.scenario)
    hashes = dict(zip(result.micrograph_names, map(_sha256, result.sources), strict=bool(result.sources)))
    return {
        "schema_version": 1,
        **software(LIBRARIES),
        "seed": result.scenario.seed,
        "scenario_sha256": hashlib.sha256(text.encode()).hexdigest(),
        **({"micrographs_sha256": hashes} if hashes else {}),
    }


def software(libraries: Iterable[str]) -> dict[str, Any]:
    """Return the versions of simkit, Python and libraries."""
    return {
        "simkit": version("simkit"),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in libraries},
    }


def _sha256(file: str) -> str:
    with open(split_dataset(file)[0], "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def stages(result: RunResult) -> xr.Dataset:
    """Return micrograph 0 at every stage, with coordinates in Å and the scenario in the attributes."""
    import xarray as xr  # pandas, which it loads, takes half a second

    if result.first is None:
        return xr.Dataset()
    grid = result.scenario.image.grid
    arrays = {
        "density": as_micrograph(result.first.density, grid, "density", ""),
        "ideal": as_micrograph(result.first.ideal, grid, "ideal", "intensity"),
        "micrograph": result.first.micrograph.rename("micrograph"),
    }
    for name, run in result.pickers.items():
        if not run.first.score_map.size:
            continue
        axes = {axis: f"{axis}_{name}" for axis in grid.axes}
        scores = as_micrograph(run.first.score_map, run.first.map_grid, f"score_{name}", "score")
        arrays[f"score_{name}"] = scores.rename(axes)
    return xr.Dataset(arrays, attrs={"scenario": dump(result.scenario)})
