"""One switch turns any scenario into one without particles, from the command line to the files it leaves."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from simkit.cli.app import app
from simkit.engine.archive import survey
from simkit.engine.pipeline import run_scenario
from simkit.engine.variants import null_variants, variant_of, without_particles
from simkit.io.images import read_image
from simkit.io.mrc import write_mrc
from simkit.scenario.loading import load

SCENARIO = """
schema_version: 1
seed: 3
replicates: 2
image: {shape: [180, 200], pixel_size: 4 Å}
specimen:
  ring:
    unit_cell: {kind: shapes, shapes: [{kind: ring, radius: 40 Å, width: 16 Å}]}
    lattice: {kind: scattered, count: 9, min_distance: 110 Å}
noise:
  film: {kind: gaussian, snr: 0.5}
templates:
  ring: {kind: specimen, of: ring}
pickers:
  matched: {kind: matched_filter, threshold: {kind: expected_false_picks, per_image: 1}}
  loose: {kind: correlation, threshold: {kind: top, count: 4}}
score: {radius: 24 Å, null_micrographs: 2}
"""

REAL = """
schema_version: 1
image: {pixel_size: 4 Å}
micrographs:
  files: "*.mrc"
  truth: {files: known.csv, complete: true}
templates:
  ring: {kind: shapes, contrast: bright, shapes: [{kind: ring, radius: 40 Å, width: 16 Å}]}
pickers:
  matched: {kind: matched_filter, threshold: {kind: expected_false_picks, per_image: 1}}
score: {radius: 24 Å}
"""


@pytest.fixture
def simulated(tmp_path: Path) -> Path:
    (tmp_path / "rings.yaml").write_text(SCENARIO)
    return tmp_path / "rings.yaml"


@pytest.fixture
def real(tmp_path: Path) -> Path:
    for name in ("first", "second"):
        write_mrc(tmp_path / f"{name}.mrc", np.random.default_rng(1).normal(size=(90, 96)), 4.0)
    (tmp_path / "known.csv").write_text("micrograph,y_A,x_A\nfirst,100,120\n")
    (tmp_path / "real.yaml").write_text(REAL)
    return tmp_path / "real.yaml"


def simkit(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("variant", ["noise_only", "phase_randomised"])
def test_a_run_without_particles_leaves_its_false_picks(simulated: Path, variant: str) -> None:
    out = simulated.parent / "out"
    ended = simkit("run", simulated, "--set", f"null={variant}", "--out", out)
    assert ended.exit_code == 0, ended.output
    scores = json.loads((out / "scores.json").read_text())["pickers"]
    for picker in ("matched", "loose"):
        picks = len((out / "picks" / f"{picker}.csv").read_text().splitlines()) - 1
        assert scores[picker]["all"]["fp"] == picks
        assert scores[picker]["all"]["recall"] is None
    assert scores["loose"]["all"]["fp"] == 8
    assert len((out / "truth.csv").read_text().splitlines()) == 1
    assert ended.output.startswith("a null, ") or "\na null, " in ended.output
    assert "<strong>This is a null: " in (out / "report.html").read_text()
    # Of 2 expected in two micrographs more than 10 come once in 100 000.
    assert scores["matched"]["all"]["fp"] <= 10


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (["null=noise"], "--set null: must be 'noise_only' or 'phase_randomised', not 'noise'"),
        (["null=noise_only", "noise={}"], "null: there is neither noise nor background"),
        (
            ["null=noise_only", "audit.grey={kind: statistics}"],
            "audit: measures what is in the micrographs, and in a null there is nothing; leave it out",
        ),
    ],
)
def test_what_no_null_can_be_of_is_said(simulated: Path, written: Sequence[str], message: str) -> None:
    ended = simkit("check", simulated, *[word for one in written for word in ("--set", one)])
    assert ended.exit_code == 2
    assert message in ended.output


def test_a_null_needs_micrographs(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("schema_version: 1\nnull: noise_only\nimage: {pixel_size: 4 Å}\n")
    ended = simkit("check", tmp_path / "s.yaml")
    assert ended.exit_code == 2
    assert re.search(r"s.yaml:2:7: null: is a variant of micrographs, and there are none", ended.output)


def test_noise_of_real_micrographs_cannot_be_had_alone(real: Path) -> None:
    ended = simkit("check", real, "--set", "null=noise_only")
    assert ended.exit_code == 2
    assert "--set null: the noise of a real micrograph cannot be had alone; write `phase_rand" in ended.output
    assert simkit("check", real, "--set", "null=phase_randomised").exit_code == 0
    # What is known of a null needs no file: nothing is in it.
    real.write_text(REAL.replace("  truth: {files: known.csv, complete: true}\n", ""))
    assert simkit("check", real, "--set", "null=phase_randomised").exit_code == 0
    assert simkit("check", real).exit_code == 2


def test_real_micrographs_without_phases_are_known_to_hold_nothing(real: Path) -> None:
    scenario = load(real).scenario
    assert null_variants(scenario) == ("phase_randomised",)
    archive = survey(scenario.micrographs, 4.0)
    assert (len(archive.truth), len(archive.unjudged)) == (1, 1)
    empty = without_particles(archive)
    assert (len(empty.truth), len(empty.unjudged), empty.names) == (0, 0, archive.names)


def test_in_a_null_a_pick_is_false_though_the_truth_of_the_micrographs_is_incomplete(real: Path) -> None:
    real.write_text(REAL.replace("complete: true", "complete: false"))
    out = real.parent / "out"
    ended = simkit("run", real, "--set", "null=phase_randomised", "--out", out)
    assert ended.exit_code == 0, ended.output
    scores = json.loads((out / "scores.json").read_text())
    picks = len((out / "picks" / "matched.csv").read_text().splitlines()) - 1
    assert scores["complete_truth"]
    assert "The truth is not complete" not in (out / "report.html").read_text()
    assert (scores["pickers"]["matched"]["all"]["fp"], picks) == (picks, picks)
    assert scores["pickers"]["matched"]["all"]["unlabelled"] == 0


def test_a_run_searches_its_nulls_besides(simulated: Path) -> None:
    scenario = load(simulated).scenario
    result = run_scenario(scenario, workers=1)
    assert [run.variant for run in result.nulls] == ["noise_only", "phase_randomised"]
    for run in result.nulls:
        assert (run.micrographs, set(run.pickers)) == (2, {"matched", "loose"})
        alone = run_scenario(variant_of(scenario, run.variant), workers=1)
        assert alone.nulls == ()
        for picker, null in run.pickers.items():
            assert null.picks == len(alone.pickers[picker].picks)
            assert null.ghost.boxes == len(alone.pickers[picker].candidates)
            # At random once in 30 000.
            assert null.ghost.correlation > 4 / np.sqrt(null.ghost.average.size)
        assert run.pickers["loose"].picks == 8
        assert run.pickers["matched"].predicted == pytest.approx(2)


def test_nulls_of_real_micrographs_keep_their_pixels(real: Path) -> None:
    result = run_scenario(variant_of(load(real).scenario, "phase_randomised"), workers=1)
    assert len(result.truth) == 0
    read = read_image(real.parent / "first.mrc").pixels
    before, after = (np.abs(np.fft.rfft2(np.asarray(p, float))) for p in (read, result.micrographs[0]))
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-5 * before.max())  # single precision
    assert not np.allclose(result.micrographs[0], read)
