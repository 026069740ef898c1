"""Real micrographs in a scenario: judged like simulated ones, and everything left out is said."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from simkit.api import load, report, run
from simkit.cli.app import app
from simkit.core.errors import DataError, SimkitError
from simkit.engine.explanation import explain
from simkit.engine.micrographs import Job, search
from simkit.engine.results import RunResult
from simkit.metric.efficiency import Efficiency
from simkit.reports.page import render
from simkit.scenario.loading import dump
from simkit.scenario.spec import Scenario

PIXEL = 4.0
RING = {"kind": "ring", "radius": "60 Å", "width": "24 Å"}
SEARCH: dict[str, Any] = {
    "schema_version": 1,
    "title": "Rings",
    "templates": {"ring": {"kind": "shapes", "contrast": "bright", "shapes": [RING]}},
    "pickers": {"matched": {"kind": "matched_filter", "threshold": {"kind": "fixed", "value": 4.5}}},
    "score": {"radius": "40 Å"},
}
SIMULATION = {
    **SEARCH,
    "seed": 4,
    "replicates": 2,
    "image": {"shape": [150, 200], "pixel_size": "4 Å", "level": 1.0},
    "specimen": {
        "ring": {
            "unit_cell": {"kind": "shapes", "shapes": [RING]},
            "lattice": {"kind": "scattered", "count": 8, "min_distance": "180 Å"},
        }
    },
    "noise": {"shot": {"kind": "poisson", "dose": "0.4 e/Å²"}},
}
Write = Callable[..., Path]


def of_files(result: RunResult) -> list[str]:
    """Return what is said of files and frames, not of the radius."""
    return [notice for notice in result.scores["notices"] if "strewn at random" not in notice]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Path]:
    """A simulated run and the directory it left, from which the others take their files."""
    folder = tmp_path_factory.mktemp("simulated")
    (folder / "s.yaml").write_text(as_yaml(SIMULATION))
    result = run(load(folder / "s.yaml"), workers=1)
    report(result, folder / "run")
    return result, folder / "run"


def as_yaml(data: dict[str, Any]) -> str:
    import io

    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(data, stream)
    return stream.getvalue()


@pytest.fixture
def write(simulated: tuple[RunResult, Path], tmp_path: Path) -> Write:
    """Write a scenario over the simulated images, with positions in `positions/`."""
    result, folder = simulated

    def write(*, keep: slice = slice(None), truth: dict[str, Any] | None = None, **sections: Any) -> Path:
        positions = tmp_path / "positions"
        positions.mkdir(exist_ok=True)
        for name in result.micrograph_names:
            mine = result.truth.take(result.truth["micrograph"] == name)
            rows = [f"{x / PIXEL},{y / PIXEL}" for x, y in zip(mine["x"][keep], mine["y"][keep], strict=True)]
            (positions / f"{name}_picked.csv").write_text("\n".join(["x_px,y_px", *rows]) + "\n")
        known = {"files": "positions/*.csv", "class": "ring", "complete": True} if truth is None else truth
        section = {"files": f"{folder}/micrographs/*.mrc", **({"truth": known} if known else {})}
        scenario = {**SEARCH, "micrographs": section, **sections}
        file = tmp_path / "real.yaml"
        file.write_text(as_yaml({key: value for key, value in scenario.items() if value is not None}))
        return file

    return write


def test_read_back_a_simulation_is_judged_as_when_it_was_simulated(
    simulated: tuple[RunResult, Path], write: Write
) -> None:
    """The simulation is the oracle: the same pixels and positions, by way of files."""
    first, again = simulated[0], run(load(write()), workers=1)
    assert again.sources
    assert again.first is None
    np.testing.assert_array_equal(again.pickers["matched"].picks["x"], first.pickers["matched"].picks["x"])
    old, new = (r.judgements["matched"].values["ring"] for r in (first, again))
    assert new["tp"] == old["tp"] > 12
    # The positions were written as decimals of pixels; angles were not written at all.
    # What physics allows is known of a simulation alone.
    told = [name for name in new if "psi" not in name and name not in Efficiency.units]
    assert {k: new[k] for k in told} == pytest.approx({k: old[k] for k in told}, abs=1e-9)
    assert all(new[name] is None for name in Efficiency.units)
    assert of_files(again) == []


def test_workers_and_the_resolved_scenario_change_nothing(write: Write, tmp_path: Path) -> None:
    scenario = load(write())
    one, two = (run(scenario, workers=n).scores for n in (1, 2))
    assert one == two
    (tmp_path / "again.yaml").write_text(dump(scenario))
    assert run(load(tmp_path / "again.yaml"), workers=1).scores == one


def test_where_particles_may_be_missing_a_pick_is_unlabelled_and_precision_a_bound(write: Write) -> None:
    known = {"files": "positions/*.csv", "class": "ring", "complete": False}
    result = run(load(write(keep=slice(0, 5), truth=known)), workers=1)
    values = result.judgements["matched"].values["all"]
    picks = len(result.pickers["matched"].picks)
    assert values["fp"] is None
    assert values["tp"] == 10
    assert values["unlabelled"] == picks - 10 > 0
    assert values["precision"] == 10 / picks
    page = render(result, command="again")
    assert "unlabelled" in page
    # As many decimals as the interval leaves.
    assert re.search(rf"≥ {10 / picks:.1f}\d* \[|≥ {10 / picks:.2f}\d* \[", page)
    assert "precision and F1 are lower bounds" in page


def test_the_page_says_what_only_a_simulation_could_show(write: Write) -> None:
    page = render(run(load(write()), workers=1), command="again")
    assert "What is not on this page, and why" in page
    assert "Contrast, dose and noise" not in page
    assert "By micrograph" in page


def test_a_micrograph_of_which_nothing_is_known_is_shown_and_not_judged(write: Write) -> None:
    known = {"files": "positions/0000_picked.csv", "class": "ring", "complete": True}
    result = run(load(write(truth=known)), workers=1)
    assert result.unjudged == {"0001"}
    (notice,) = of_files(result)
    assert "nothing is known of 0001" in notice
    values = result.judgements["matched"].values["all"]
    here = int((result.pickers["matched"].picks["micrograph"] == "0000").sum())
    assert values["tp"] + values["fp"] == here
    assert notice in render(result, command="again")


def test_an_empty_list_of_particles_says_that_there_are_none(write: Write, tmp_path: Path) -> None:
    file = write()
    (tmp_path / "positions" / "0001_picked.csv").write_text("x_px,y_px\n")
    result = run(load(file), workers=1)
    assert result.unjudged == frozenset()
    here = int((result.pickers["matched"].picks["micrograph"] == "0001").sum())
    assert result.judgements["matched"].values["all"]["fp"] >= here > 0


def test_positions_that_belong_nowhere_are_counted(write: Write, tmp_path: Path) -> None:
    file = write()
    (tmp_path / "positions" / "0009_picked.csv").write_text("x_px,y_px\n5,5\n6,6\n")
    with (tmp_path / "positions" / "0000_picked.csv").open("a") as stream:
        stream.write("500,3\n")
    assert (run(load(file), workers=1).truth["x"] < 200 * PIXEL).all()
    outside, stranger = sorted(of_files(run(load(file), workers=1)), reverse=True)
    assert stranger.startswith("1 known positions lie outside") or outside.startswith("2 known positions")
    assert {stranger.split()[0], outside.split()[0]} == {"1", "2"}


def test_without_truth_picks_are_shown_and_not_judged(write: Write) -> None:
    result = run(load(write(truth={}, score=None)), workers=1)
    assert not result.judgements
    assert "nothing says how many are right" in render(result, command="again")


@pytest.mark.parametrize("frame", ["flipped-y", "flipped-x", "transposed"])
def test_positions_in_another_frame_are_turned(write: Write, tmp_path: Path, frame: str) -> None:
    known = {"files": "positions/*.csv", "class": "ring", "complete": True, "frame": frame}
    file = write(truth=known)
    for table in (tmp_path / "positions").glob("*.csv"):
        rows = [tuple(map(float, row.split(","))) for row in table.read_text().split()[1:]]
        turned = {
            "flipped-y": [(x, 149 - y) for x, y in rows],
            "flipped-x": [(199 - x, y) for x, y in rows],
            "transposed": [(y, x) for x, y in rows],
        }[frame]
        table.write_text("\n".join(["x_px,y_px", *(f"{x},{y}" for x, y in turned)]))
    assert run(load(file), workers=1).judgements["matched"].values["all"]["recall"] > 0.9


def test_the_command_writes_the_list_of_real_files(write: Write, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["run", str(write()), "--out", str(out), "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert not (out / "micrographs").exists()
    assert str(load(tmp_path / "real.yaml").micrographs.files[0]) in (out / "micrographs.star").read_text()
    assert json.loads((out / "scores.json").read_text())["complete_truth"] is True


def test_explain_counts_what_there_is(write: Write) -> None:
    sections = {section.title: dict(section.rows) for section in explain(load(write()))}
    assert sections["Micrographs"]["files"] == "2, 150 × 200 px"
    assert sections["Micrographs"]["known particles"].startswith("16 on 2 micrographs")
    assert "real" in sections["What is not modelled"]["simulation"]


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"noise": {"film": {"kind": "gaussian", "sd": 1}}}, "noise: is of a simulation"),
        ({"image": {"shape": [8, 8], "pixel_size": "4 Å"}}, "image.shape: the files say how large"),
        ({"replicates": 3}, "replicates: there are as many micrographs as files"),
        ({"truth": {}}, "score: there is no truth to score against without `micrographs.truth`"),
        ({"truth": {"files": "positions/*.csv"}}, "micrographs.truth.complete: is missing"),
        ({"truth": {"files": "*.box", "complete": True}}, "no file is called"),
        (
            {"truth": {"files": "positions/*.csv", "complete": True, "format": "bx"}},
            "no coordinate format is called 'bx'",
        ),
        (
            {
                "truth": {"files": "positions/*.csv", "complete": False},
                "expect": [{"picker": "matched", "metric": "fp", "at_most": 3}],
            },
            "there are no false picks, only `unlabelled` ones",
        ),
        ({"expect": [{"picker": "matched", "class": "disk", "metric": "tp", "at_least": 1}]}, "no 'disk'"),
    ],
)
def test_what_cannot_be_right_is_located(write: Write, sections: dict[str, Any], words: str) -> None:
    with pytest.raises(SimkitError) as raised:
        load(write(**sections))
    assert words in str(raised.value)
    assert "real.yaml:" in str(raised.value)


def test_a_header_that_contradicts_is_an_error(write: Write) -> None:
    with pytest.raises(DataError, match="header says 4 Å per pixel, the scenario 5 Å"):
        run(load(write(image={"pixel_size": "5 Å"})), workers=1)


def test_a_pixel_size_that_nobody_says_is_asked_for(write: Write, tmp_path: Path) -> None:
    np.save(tmp_path / "plain.npy", np.zeros((40, 50)))
    with pytest.raises(SimkitError, match="does not say how large its pixels are; write for example"):
        load(write(micrographs={"files": "plain.npy"}, score=None))


def test_two_micrographs_of_one_name_are_refused(write: Write, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "one.npy", np.zeros((40, 50)))
    with pytest.raises(DataError, match="has the same name"):
        run(load(write(micrographs={"files": "*/one.npy", "pixel_size": "4 Å"}, score=None)), workers=1)


def test_micrographs_may_differ_in_shape(write: Write, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number, shape in enumerate([(150, 200), (120, 130)]):
        np.save(tmp_path / f"m{number}.npy", rng.normal(size=shape))
    result = run(load(write(micrographs={"files": "m*.npy", "pixel_size": "4 Å"}, score=None)), workers=2)
    assert result.micrograph_names == ("m0", "m1")


def test_from_python_a_scenario_is_made_as_from_a_file(simulated: tuple[RunResult, Path]) -> None:
    files = str(simulated[1] / "micrographs" / "*.mrc")
    scenario = Scenario.model_validate({"schema_version": 1, "micrographs": {"files": files}})
    assert scenario.image.pixel_size == PIXEL


def test_picking_other_images_needs_none_of_the_scenarios_own(
    simulated: tuple[RunResult, Path], write: Write, tmp_path: Path
) -> None:
    file = write(micrographs={"files": "gone/*.mrc", "pixel_size": "4 Å"})
    image = simulated[1] / "micrographs" / "0001.mrc"
    done = CliRunner().invoke(app, ["pick", str(file), str(image), "--out", str(tmp_path / "p.csv")])
    assert done.exit_code == 0, done.output
    assert len((tmp_path / "p.csv").read_text().split()) > 8


def test_data_sets_of_hdf5_files_are_micrographs(write: Write, tmp_path: Path) -> None:
    import h5py

    for name in ("one", "two"):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["scan/image"] = np.random.default_rng(1).normal(size=(60, 80))
            file["scan/mask"] = np.ones((60, 80))
    section = {"files": "*.h5:/scan/image", "pixel_size": "4 Å"}
    result = run(load(write(micrographs=section, score=None)), workers=1)
    assert result.micrograph_names == ("one", "two")
    report(result, tmp_path / "out")
    known = json.loads((tmp_path / "out" / "provenance.json").read_text())["micrographs_sha256"]
    assert known["one"] == hashlib.sha256((tmp_path / "one.h5").read_bytes()).hexdigest()


def test_relions_list_of_micrographs_names_them(
    simulated: tuple[RunResult, Path], write: Write, tmp_path: Path
) -> None:
    folder = simulated[1]
    section = {
        "files": str(folder / "micrographs.star"),
        "truth": {"files": str(folder / "truth_coordinates.star"), "class": "ring", "complete": True},
    }
    again = run(load(write(micrographs=section)), workers=1)
    assert again.micrograph_names == ("0000", "0001")
    assert again.judgements["matched"].values["all"]["recall"] == 1
    (tmp_path / "gone.star").write_text("data_\nloop_\n_rlnMicrographName\nnowhere/x.mrc\n")
    with pytest.raises(SimkitError, match=r"lists nowhere/x\.mrc, which is in no folder above"):
        load(write(micrographs={"files": "gone.star", "pixel_size": "4 Å"}, score=None))


def test_an_error_in_one_of_several_processes_is_told_as_in_one(write: Write, tmp_path: Path) -> None:
    image = np.random.default_rng(1).normal(size=(60, 80))
    np.save(tmp_path / "m0.npy", image)
    np.save(tmp_path / "m1.npy", np.where(image > 2, np.nan, image))
    file = write(micrographs={"files": "m*.npy", "pixel_size": "4 Å"}, score=None)
    done = CliRunner().invoke(app, ["run", str(file), "--out", str(tmp_path / "out"), "--workers", "2"])
    assert done.exit_code == 2, done.output
    assert "m1.npy" in done.output
    assert "pixels are not finite" in done.output


def test_a_micrograph_too_small_for_the_template_is_named(write: Write, tmp_path: Path) -> None:
    for number, shape in enumerate([(60, 80), (20, 80)]):
        np.save(tmp_path / f"m{number}.npy", np.zeros(shape))
    file = write(micrographs={"files": "m*.npy", "pixel_size": "4 Å"}, score=None)
    with pytest.raises(SimkitError, match=r"the template is .*m1\.npy"):
        run(load(file), workers=1)
    done = CliRunner().invoke(app, ["pick", str(file), *(str(tmp_path / f"m{n}.npy") for n in (0, 1))])
    assert done.exit_code == 2
    assert "m1.npy" in done.output


def test_a_micrograph_without_contrast_is_said_to_be_so(write: Write, tmp_path: Path) -> None:
    np.save(tmp_path / "m0.npy", np.random.default_rng(1).normal(size=(60, 80)))
    np.save(tmp_path / "m1.npy", np.full((60, 80), 3.0))
    file = write(micrographs={"files": "m*.npy", "pixel_size": "4 Å"}, score=None)
    (notice,) = of_files(run(load(file), workers=1))
    assert notice.startswith("all pixels of m1 are equal")
    done = CliRunner().invoke(app, ["pick", str(file), str(tmp_path / "m1.npy")])
    assert "no picks in m1.npy" in done.output


def test_a_truth_in_another_frame_is_noticed(write: Write, tmp_path: Path) -> None:
    file = write()
    for table in (tmp_path / "positions").glob("*.csv"):
        rows = [tuple(map(float, row.split(","))) for row in table.read_text().split()[1:]]
        table.write_text("\n".join(["x_px,y_px", *(f"{x},{149 - y}" for x, y in rows)]))
    (notice,) = of_files(run(load(file), workers=1))
    assert notice.startswith("the known positions look flipped-y")
    assert "correct `micrographs.truth.frame`, which is upright" in notice


def test_positions_of_no_micrograph_of_the_run_say_how_they_are_named(write: Write, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x_px,y_px\n5,5\n")
    with pytest.raises(DataError, match=r"about t\.csv, and the micrographs are 0000, 0001; a file without"):
        run(load(write(truth={"files": "t.csv", "complete": True})), workers=1)
    (tmp_path / "t.csv").write_text("micrograph,x_px,y_px\n0000,5,5\n,6,6\n")
    told = of_files(run(load(write(truth={"files": "t.csv", "complete": True})), workers=1))
    assert told[0].startswith("1 known positions are on an unnamed micrograph")


def test_what_picking_could_not_write_or_read_is_said_before_any_search(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write()
    for number in (0, 1):
        np.save(tmp_path / f"m{number}.npy", np.random.default_rng(number).normal(size=(60, 80)))
    images = [str(tmp_path / f"m{number}.npy") for number in (0, 1)]
    (tmp_path / "cut.npy").write_bytes((tmp_path / "m0.npy").read_bytes()[:500])
    monkeypatch.setattr("simkit.engine.picking.pick_image", lambda *_, **__: pytest.fail("searched"))

    def refused(words: str, *command: str) -> None:
        done = CliRunner().invoke(app, ["pick", str(file), *command])
        assert done.exit_code == 2, done.output
        assert words in done.output

    refused("give the side of a box in pixels (--box)", *images, "--out", str(tmp_path / "*.box"))
    refused("put * where its name", *images, "--out", str(tmp_path / "a.box"), "--box", "16")
    refused("no such folder", *images, "--out", str(tmp_path / "none" / "a.star"))
    refused("two images of one name", images[0], images[0])
    refused("cut.npy", *images, str(tmp_path / "cut.npy"))


def test_a_searched_micrograph_without_picks_gets_a_file_that_says_so(write: Write, tmp_path: Path) -> None:
    np.save(tmp_path / "blank.npy", np.zeros((60, 80)))
    (tmp_path / "blank.box").write_text("1 1 16 16\n")
    command = ["pick", str(write()), str(tmp_path / "blank.npy"), "--box", "16"]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "*.box")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "blank.box").read_text() == ""


def test_picking_takes_the_pixel_size_from_the_scenarios_own_micrographs(
    simulated: tuple[RunResult, Path], write: Write
) -> None:
    file, image = write(), simulated[1] / "micrographs" / "0001.mrc"
    done = CliRunner().invoke(app, ["pick", str(file), str(image)])
    assert done.exit_code == 0, done.output
    assert done.stdout.count("\n") > 8
    gone = CliRunner().invoke(app, ["pick", str(write(micrographs={"files": "gone.mrc"})), str(image)])
    assert gone.exit_code == 2
    assert "micrographs.files" in gone.output


def test_an_image_model_leaves_the_pixel_size_to_the_micrographs(write: Write) -> None:
    lens = {"kind": "ctf", "voltage": "300 kV", "defocus": "2 µm", "spherical_aberration": "2.7 mm"}
    psf = {"lens": {**lens, "amplitude_contrast": 0.1}}
    scenario = load(write(image={"model": "phase"}, psf=psf))
    assert (scenario.image.model, scenario.image.pixel_size) == ("phase", PIXEL)


def test_damage_in_the_last_micrograph_is_said_before_the_first_is_searched(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(0).normal(size=(60, 80)))
    broken = np.zeros((60, 80))
    broken[3, 4] = np.nan
    np.save(tmp_path / "c.npy", broken)
    scenario = load(write(micrographs={"files": "*.npy", "pixel_size": "4 Å"}, score=None))
    searched: list[str] = []
    monkeypatch.setattr("simkit.engine.micrographs.pick_image", lambda *_, name, **__: searched.append(name))
    with pytest.raises(DataError, match=r"c\.npy: .*not finite"):
        run(scenario, workers=1)
    assert searched == []


def test_positions_on_binned_images_or_other_pixels_are_scaled(
    simulated: tuple[RunResult, Path], write: Write, tmp_path: Path
) -> None:
    true = simulated[0].truth.take(simulated[0].truth["micrograph"] == "0000")["x"]
    frames = {
        # Pixel i of an image averaged over 4 × 4 pixels lies at 4 i + 1.5 of the full ones.
        "binning": ({"binning": 4.0}, lambda x: (x / PIXEL - 1.5) / 4),
        "pixel_size": ({"pixel_size": "2.5 Å"}, lambda x: x / 2.5),
    }
    for declared, written in frames.values():
        known = {"files": "positions/*.csv", "class": "ring", "complete": True, **declared}
        file = write(truth=known)
        for table in (tmp_path / "positions").glob("*.csv"):
            rows = [tuple(map(float, row.split(","))) for row in table.read_text().split()[1:]]
            scaled = [f"{written(x * PIXEL)},{written(y * PIXEL)}" for x, y in rows]
            table.write_text("\n".join(["x_px,y_px", *scaled]))
        truth = run(load(file), workers=1).truth
        read = truth.take(truth["micrograph"] == "0000")["x"]
        np.testing.assert_allclose(np.sort(read), np.sort(true), atol=1e-9)


def test_only_the_first_real_micrograph_is_held_in_memory(write: Write) -> None:
    result = run(load(write()), workers=1)
    assert [pixels.shape for pixels in result.micrographs] == [(150, 200)]
    searching = load(write(pickers=None, score=None, truth={}))
    kept = [search(Job(searching, number, {}, 1)).pixels.size for number in (0, 1)]
    assert kept == [150 * 200, 0]


def test_dead_columns_are_said_to_be_so(write: Write, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(size=(2, 60, 80))
    noise[1, :, 30:34] = -20.0
    for number, pixels in enumerate(noise):
        np.save(tmp_path / f"m{number}.npy", pixels)
    file = write(micrographs={"files": "m*.npy", "pixel_size": "4 Å"}, score=None)
    (notice,) = of_files(run(load(file), workers=1))
    assert notice.startswith("up to 5 % of the pixels of 1 of 2 micrographs are dead or have no value")
