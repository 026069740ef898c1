"""A run leaves the files it promises, the same bits every time, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import xarray as xr

from simkit.core.errors import ResourceError
from simkit.engine.memory import estimate, require_memory
from simkit.engine.output import save
from simkit.engine.pipeline import run_scenario
from simkit.engine.simulation import simulate_one
from simkit.io.coordinates import read_coordinates
from simkit.reports.page import render
from simkit.scenario.loading import load
from simkit.scenario.spec import Scenario

SCENARIO = """
schema_version: 1
title: Two kinds of particle
seed: 5
replicates: 2
image: {shape: [150, 171], pixel_size: 4 Å}
specimen:
  ring:
    unit_cell: {kind: shapes, shapes: [{kind: ring, radius: 40 Å, width: 16 Å}]}
    lattice: {kind: scattered, count: 5, min_distance: 110 Å}
  bar:
    unit_cell: {kind: shapes, shapes: [{kind: rectangle, size: [24 Å, 90 Å]}]}
    lattice: {kind: scattered, count: 4, min_distance: 110 Å, rotation: uniform}
    symmetry: C2
noise:
  film: {kind: gaussian, snr: 0.5}
templates:
  ring: {kind: specimen, of: ring}
  bar: {kind: specimen, of: bar, rotations: {step: 15°}}
pickers:
  matched: {kind: matched_filter, threshold: {kind: expected_false_picks, per_image: 0.5}}
  ncc: {kind: ncc, threshold: {kind: fixed, value: 0.45}}
score: {radius: 24 Å}
audit:
  numbers: {kind: statistics}
expect:
  - {picker: matched, metric: recall, at_least: 0.9}
"""

EXEMPT = {"timings.json"}


def run_into(directory: Path, *, workers: int, source: Path | None = None, keep: bool = False) -> Path:
    if source is None:
        source = directory.with_suffix(".yaml")
        source.write_text(SCENARIO)
    result = run_scenario(load(source).scenario, workers=workers)
    save(result, directory, page=render(result, command="simkit run scenario.yaml"), keep_stages=keep)
    return directory


def contents(directory: Path) -> dict[str, bytes]:
    files = sorted(p for p in directory.rglob("*") if p.is_file())
    return {str(p.relative_to(directory)): p.read_bytes() for p in files if p.name not in EXEMPT}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_into(tmp_path_factory.mktemp("run") / "first", workers=1, keep=True)


def test_the_promised_files_are_there(first: Path) -> None:
    names = set(contents(first)) | {p.name for p in first.iterdir() if p.name in EXEMPT}
    assert names == {
        "report.html",
        "scores.json",
        "scores.csv",
        "scenario.yaml",
        "provenance.json",
        "timings.json",
        "stages.nc",
        "micrographs.star",
        "truth.star",
        "truth.csv",
        *(f"micrographs/{n}.mrc" for n in ("0000", "0001")),
        *(f"{t}.{kind}" for t in ("picks/matched", "picks/ncc") for kind in ("star", "csv")),
        *(f"{t}_coordinates.star" for t in ("truth", "picks/matched", "picks/ncc")),
        *(f"{t}/{n}.star" for t in ("truth", "picks/matched", "picks/ncc") for n in ("0000", "0001")),
    }


def test_the_same_bits_for_any_number_of_workers(first: Path, tmp_path: Path) -> None:
    again = contents(run_into(tmp_path / "first", workers=2, keep=True))
    expected = contents(first)
    assert set(again) == set(expected)
    different = [name for name in expected if again[name] != expected[name]]
    assert different == []


def test_the_resolved_scenario_gives_the_same_bits(first: Path, tmp_path: Path) -> None:
    again = contents(run_into(tmp_path / "again", workers=1, source=first / "scenario.yaml"))
    different = [name for name, data in again.items() if contents(first)[name] != data]
    assert different == []


def test_scores_are_complete_and_plain_json(first: Path) -> None:
    scores = json.loads((first / "scores.json").read_text())
    assert scores["schema_version"] == 1
    assert set(scores["pickers"]["matched"]) == {"knows", "oracle", "threshold", "all", "ring", "bar"}
    every = scores["pickers"]["matched"]["all"]
    assert every["tp"] + every["fn"] == 18
    assert every["recall"] == every["tp"] / 18
    assert scores["passed"] is all(e["passed"] for e in scores["expectations"])
    assert scores["expectations"][0]["value"] == every["recall"]


def test_truth_and_picks_read_back(first: Path) -> None:
    star = read_coordinates(first / "truth.star")
    table = read_coordinates(first / "truth.csv")
    assert len(star) == 18
    np.testing.assert_allclose(star["x"], table["x"], atol=1e-5)
    np.testing.assert_allclose(star["psi"] % 360, table["psi"] % 360, atol=1e-4)
    picks = read_coordinates(first / "picks" / "matched.csv")
    assert set(picks["micrograph"]) <= {"0000", "0001"}


def test_micrographs_carry_their_pixel_size(first: Path) -> None:
    with mrcfile.open(first / "micrographs" / "0001.mrc") as mrc:
        assert mrc.voxel_size.x == pytest.approx(4.0)
        assert mrc.data.shape == (150, 171)


def test_stages_are_labelled_in_angstroms(first: Path) -> None:
    with xr.open_dataset(first / "stages.nc", engine="h5netcdf") as stages:
        assert stages["micrograph"].dims == ("y", "x")
        assert stages["x"].attrs["units"] == "Å"
        assert float(stages["x"][1] - stages["x"][0]) == 4.0
        assert "Two kinds of particle" in stages.attrs["scenario"]


def test_a_run_without_particles_keeps_its_noise(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCENARIO)
    fewer = [f"specimen.{name}.lattice.count=1" for name in ("ring", "bar")]
    full, empty = (
        simulate_one(load(tmp_path / "s.yaml", overrides=overrides).scenario, 0) for overrides in ([], fewer)
    )
    assert len(full.truth) == 9
    assert len(empty.truth) == 2
    assert empty.facts["noise_sd"] == full.facts["noise_sd"]


def test_a_job_too_large_for_the_machine_is_refused_before_it_starts() -> None:
    huge = Scenario.model_validate(
        {
            "schema_version": 1,
            "replicates": 1,
            "image": {"shape": [65536, 65536], "pixel_size": 1.0},
        }
    )
    assert estimate(huge, 1).needed > 400e9
    with pytest.raises(ResourceError, match=r"needs about .* GiB.*available"):
        require_memory(huge, 1)


def test_nulls_that_are_searched_at_once_count_in_the_memory(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCENARIO)
    one, three = (
        estimate(
            load(tmp_path / "s.yaml", overrides=["replicates=1", f"score.null_micrographs={n}"]).scenario, 3
        ).needed
        for n in (0, 1)
    )
    assert three > 2.5 * one
