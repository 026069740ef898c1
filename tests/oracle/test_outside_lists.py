"""Coordinates already made, and functions of other packages, as pickers."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from simkit.core.errors import DataError, OutsideError, ScenarioError
from simkit.core.grid import Grid
from simkit.core.paths import BASE_DIR
from simkit.core.tables import Picks
from simkit.engine.output import save, stages
from simkit.engine.picking import pick_files
from simkit.engine.pipeline import run_scenario
from simkit.io.coordinates import write_coordinates
from simkit.io.mrc import write_mrc
from simkit.picker import AnyPicker
from simkit.picker.base import Batch, Picker, Plate, Sight
from simkit.reports.page import render
from simkit.scenario.checks import check
from simkit.scenario.spec import Scenario

PIXEL = 2.0
TABLE = Picks(
    micrograph=["m1", "m1", "m2"],
    y=[10.0, 30.0, 50.0],
    x=[20.0, 44.0, 61.0],
    score=[1.0, 5.0, 3.0],
    psi=[0.0, 10.0, 350.0],
)


def read(written: dict[str, Any], folder: Path = Path()) -> Picker:
    context = {"units": "required", BASE_DIR: str(folder)}
    return TypeAdapter(AnyPicker).validate_python(written, context=context)


def plates(*names: str) -> Batch:
    found = tuple(Plate(name, Grid((64, 48), PIXEL), lambda: np.zeros((64, 48))) for name in names)
    return Batch(found, (), np.random.default_rng(0))


def listed(folder: Path, pattern: str, *names: str, **fields: Any) -> list[Any]:
    picker = read({"kind": "file", "files": pattern, **fields}, folder)
    return picker.pick_all(plates(*(names or ("m1.mrc", "m2.mrc", "m3.mrc"))))


def test_a_file_a_micrograph_and_a_file_for_all_say_the_same(tmp_path: Path) -> None:
    write_coordinates(tmp_path / "all.star", TABLE, pixel_size=PIXEL)
    write_coordinates(tmp_path / "*_autopick.star", TABLE, pixel_size=PIXEL)
    for pattern in ("all.star", "*_autopick.star"):
        first, second, third = listed(tmp_path, pattern)
        # Six decimals are written of pixels and of degrees.
        np.testing.assert_allclose(first.picks["y"], [30, 10], atol=1e-5)
        np.testing.assert_allclose(first.picks["x"], [44, 20], atol=1e-5)
        np.testing.assert_allclose([*first.picks["psi"], *second.picks["psi"]], [10, 0, 350], atol=1e-5)
        assert first.picks["score"].tolist() == [5, 1]
        assert (len(second.picks), len(third.picks)) == (1, 0)
        assert first.notices == ("no file is about m3.mrc: no picks there",)
        assert (second.notices, third.notices) == ((), ())


def test_an_empty_file_says_that_nothing_is_there(tmp_path: Path) -> None:
    write_coordinates(tmp_path / "*.star", TABLE, pixel_size=PIXEL, micrographs=["m1", "m2", "m3"])
    assert [found.notices for found in listed(tmp_path, "*.star")] == [(), (), ()]


def test_what_is_about_no_micrograph(tmp_path: Path) -> None:
    """A file that is about none is an error; of one about some the rest is left out, and that is said."""
    write_coordinates(tmp_path / "*.star", TABLE, pixel_size=PIXEL)
    with pytest.raises(
        DataError, match=r"m2\.star: it is about m2, and the micrographs are m1\.mrc"
    ) as error:
        listed(tmp_path, "*.star", "m1.mrc", "n.mrc")
    assert error.value.file.endswith("m2.star")
    write_coordinates(tmp_path / "all.csv", TABLE, pixel_size=PIXEL)
    (found, _) = listed(tmp_path, "all.csv", "m1.mrc", "n.mrc")
    assert len(found.picks) == 2
    assert found.notices == (
        "no file is about n.mrc: no picks there",
        "1 picks are on m2, of which there is no micrograph; they are left out",
    )


def test_a_format_without_scores_has_no_curve(tmp_path: Path) -> None:
    write_coordinates(tmp_path / "*.json", TABLE.replace(score=np.nan), format="eman2", pixel_size=PIXEL)
    first, second, third = listed(tmp_path, "*.json")
    assert (first.candidates, second.candidates) == (None, None)
    assert len(third.candidates) == 0
    assert np.isnan(first.picks["score"]).all()


@pytest.mark.parametrize("orientation", ["flipped-y", "flipped-x", "transposed"])
@pytest.mark.parametrize("binning", [1, 4])
def test_binned_and_turned_lists_come_back(tmp_path: Path, orientation: str, binning: int) -> None:
    """By the definition: index i of the binned image lies at b·i + (b − 1)/2, a flip takes y to 63 − y."""
    y, x = TABLE["y"] / PIXEL, TABLE["x"] / PIXEL
    turned = {"flipped-y": (63 - y, x), "flipped-x": (y, 47 - x), "transposed": (x, y)}[orientation]
    rows = [(axis - (binning - 1) / 2) / binning for axis in turned]
    lines = [
        f"{m},{b!r},{a!r}" for m, a, b in zip(TABLE["micrograph"], *map(np.ndarray.tolist, rows), strict=True)
    ]
    (tmp_path / "p.csv").write_text("\n".join(["micrograph,x_px,y_px", *lines]) + "\n")
    found = listed(tmp_path, "p.csv", frame=orientation, binning=binning)
    there = Picks.concat([one.picks for one in found])
    np.testing.assert_allclose([there["y"], there["x"]], [TABLE["y"], TABLE["x"]], atol=1e-9)


SCENARIO: dict[str, Any] = {
    "schema_version": 1,
    "image": {"shape": [64, 48], "pixel_size": PIXEL},
    "specimen": {
        "ball": {
            "unit_cell": {"kind": "shapes", "shapes": [{"kind": "disk", "radius": 8.0}]},
            "lattice": {"kind": "positions", "at": [[30.0, 44.0], [100.0, 60.0]]},
        }
    },
    "noise": {"film": {"kind": "gaussian", "sd": 0.3}},
    "score": {"radius": 6.0},
}


def scenario(pickers: dict[str, Picker], **fields: Any) -> Scenario:
    return Scenario.model_validate({**SCENARIO, **fields, "pickers": pickers})


def test_a_run_judges_a_list_without_templates_and_without_scores(tmp_path: Path) -> None:
    (tmp_path / "0000.box").write_text("12\t5\t20\t20\n5\t50\t20\t20\n")
    theirs = read({"kind": "file", "files": "*.box"}, tmp_path)
    result = run_scenario(scenario({"theirs": theirs}, replicates=2), workers=1)
    judged = result.scores["pickers"]["theirs"]
    assert [judged["all"][name] for name in ("tp", "fp", "fn")] == [1, 1, 3]
    assert judged["ball"]["tp"] == 1
    assert judged["all"]["average_precision"] is None
    assert (judged["knows"], judged["threshold"]) == (["what its maker knew"], "the level its maker chose")
    assert result.scores["nulls"] == {}
    assert result.scores["notices"] == ["theirs: no file is about 0001: no picks there"]
    save(result, tmp_path / "out", page=render(result, command=""), keep_stages=True)
    assert "score_theirs" not in stages(result)


def test_a_list_is_left_out_of_the_null_and_that_is_said(tmp_path: Path) -> None:
    write_coordinates(tmp_path / "0000.star", TABLE.take([0]).replace(micrograph="0000"), pixel_size=PIXEL)
    theirs = read({"kind": "file", "files": "0000.star"}, tmp_path)
    ours = read({"kind": "python", "call": "simkit.adapters.scikit_image:blob_log", "options": {"radius": 8}})
    result = run_scenario(scenario({"theirs": theirs, "ours": ours}), workers=1)
    assert {name: list(null["pickers"]) for name, null in result.scores["nulls"].items()} == {
        "noise_only": ["ours"],
        "phase_randomised": ["ours"],
    }
    (notice,) = result.scores["notices"]
    assert notice == "theirs: picks made earlier; what would be picked where no particle is, is unknown"
    assert result.scores["pickers"]["ours"]["all"]["recall"] == 1.0
    assert result.scores["pickers"]["ours"]["knows"] == ["pixel size"]


@pytest.mark.parametrize(
    ("fields", "change", "message"),
    [
        ({}, {"null": "noise_only"}, "pickers.theirs: lists what was found elsewhere, not in this null"),
        ({"class": "bell"}, {}, "pickers.theirs.class: specimen has no 'bell'; did you mean `ball`"),
        ({"templates": ["ball"]}, {}, "pickers.theirs.templates.0: templates has no 'ball'"),
        ({}, {"image": {"shape": [48], "pixel_size": 2.0}, "specimen": {}}, "exists only in 2-D"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, fields: dict, change: dict, message: str) -> None:
    (tmp_path / "0000.box").write_text("")
    theirs = read({"kind": "file", "files": "*.box", **fields}, tmp_path)
    assert message.replace("?", "") in " ".join(
        str(error) for error in check(scenario({"theirs": theirs}, **change))
    )


def test_files_that_are_picked_by_a_list(tmp_path: Path) -> None:
    for name in ("m1", "m2"):
        write_mrc(tmp_path / f"{name}.mrc", np.eye(64, 48), PIXEL)
    write_coordinates(tmp_path / "all.star", TABLE, pixel_size=PIXEL)
    theirs = read({"kind": "file", "files": "all.star"}, tmp_path)
    images = [tmp_path / "m1.mrc", tmp_path / "m2.mrc"]
    picks, searched = pick_files(scenario({"theirs": theirs}, specimen={}, score=None), images, "theirs")
    assert picks["micrograph"].tolist() == ["m1.mrc", "m1.mrc", "m2.mrc"]
    assert list(searched) == ["m1.mrc", "m2.mrc"]


THEIRS = """
    import numpy as np

    CALLS = []

    def corner(pixels, *, pixel_size, templates, mask, rng, **options):
        CALLS.append((pixels.copy(), pixel_size, templates, mask, options))
        pixels[:] = 0
        return {"y": [3, 1.5], "x": [4.0, 2], "score": [1, 2], "psi": [-10.0, 370.0], "sigma_y": [1.0, 2.0],
                "class": ["a", "b"]}

    def structured(pixels, **_):
        return np.array([(1.0, 2.0, "t")], dtype=[("x", float), ("y", float), ("template", "U1")])

    def drawn(pixels, *, rng, **_):
        return {"y": rng.uniform(0, 9, 3), "x": [1, 2, 3]}

    def nothing(pixels, **_):
        return {"y": [], "x": []}

    def fails(pixels, **_):
        raise RuntimeError("CUDA is not there")

    def returns(pixels, *, what, **_):
        return {"none": None, "no y": {"x": [1]}, "more": {"y": [1], "x": [1], "size": [2]},
                "uneven": {"y": [1, 2], "x": [1]}, "nan": {"y": [1, float("nan")], "x": [1, 2]},
                "text": {"y": ["a"], "x": [1]}, "square": {"y": [[1]], "x": [[1]]},
                "numbers": {"y": [1], "x": [1], "class": [3]}}[what]

    constant = 3
"""


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Picker]:
    """An installed package, and pickers that call into it."""
    (tmp_path / "outside_functions.py").write_text(textwrap.dedent(THEIRS))
    (tmp_path / "outside_half.py").write_text("import not_installed_at_all\n")
    (tmp_path / "outside_broken.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def call(name: str, module: str = "outside_functions", **fields: Any) -> Picker:
        return read({"kind": "python", "call": f"{module}:{name}", **fields})

    return call


def sight(seed: int = 0, shape: tuple[int, ...] = (20, 30)) -> Sight:
    pixels = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return Sight(pixels, Grid(shape, PIXEL), (), None, None, None, np.random.default_rng(seed), name="m7")


def test_a_function_is_given_the_image_and_returns_pixels(theirs: Callable[..., Picker]) -> None:
    scene = sight()
    found = theirs("corner", options={"least": 0.5}).pick(scene)
    import outside_functions

    ((pixels, size, templates, mask, options),) = outside_functions.CALLS
    np.testing.assert_array_equal(pixels, sight().pixels)
    assert (size, templates, mask, options) == (PIXEL, (), None, {"least": 0.5})
    np.testing.assert_array_equal(scene.pixels, sight().pixels)  # it worked on a copy
    assert found.picks["y"].tolist() == [3.0, 6.0]
    assert found.picks["x"].tolist() == [4.0, 8.0]
    assert found.picks["psi"].tolist() == [10.0, 350.0]
    assert found.picks["class"].tolist() == ["b", "a"]
    assert found.picks["sigma_y"].tolist() == [4.0, 2.0]
    assert found.candidates == found.picks


def test_other_results_of_a_function(theirs: Callable[..., Picker]) -> None:
    found = theirs("structured").pick(sight())
    assert (found.picks["y"].tolist(), found.picks["template"].tolist()) == ([4.0], ["t"])
    assert found.candidates is None
    empty = theirs("nothing").pick(sight())
    assert (len(empty.picks), len(empty.candidates)) == (0, 0)
    one, same, other = (theirs("drawn").pick(sight(seed)) for seed in (1, 1, 2))
    assert one.picks == same.picks != other.picks


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("none", "the result is of type NoneType, not a mapping"),
        ("no y", "the result has no column y; it has x"),
        ("more", "the result has columns size; there are class, template, y, x, psi"),
        ("uneven", "the columns of the result are of different lengths: y 2, x 1"),
        ("nan", "1 of 2 values of y are not finite"),
        ("text", "the column y of the result does not hold numbers"),
        ("square", "the column y of the result has 2 dimensions"),
        ("numbers", "the column class of the result does not hold texts"),
    ],
)
def test_a_wrong_result_is_said(theirs: Callable[..., Picker], what: str, message: str) -> None:
    with pytest.raises(OutsideError, match=f"outside_functions:returns failed on m7: ValueError: {message}"):
        theirs("returns", options={"what": what}).pick(sight())


def test_an_exception_of_theirs_is_their_fault(theirs: Callable[..., Picker]) -> None:
    with pytest.raises(OutsideError, match="fails failed on m7: RuntimeError: CUDA is not there") as error:
        theirs("fails").pick(sight())
    assert error.value.exit_code == 3
    with pytest.raises(
        OutsideError, match=r"^pickers\.p: outside_functions:fails failed on 0000: RuntimeError"
    ):
        run_scenario(scenario({"p": theirs("fails")}), workers=1)


@pytest.mark.parametrize(
    ("name", "module", "error", "message"),
    [
        ("f", "no_such_package", ScenarioError, "there is no package no_such_package; install it"),
        ("f", "numpy.no_such_part", ScenarioError, "there is no package numpy.no_such_part"),
        ("absent", "outside_functions", ScenarioError, "outside_functions has no function 'absent'"),
        ("constant", "outside_functions", ScenarioError, "has no function 'constant'"),
        ("f", "outside_half", OutsideError, "cannot be imported: No module named 'not_installed_at_all'"),
        ("f", "outside_broken", OutsideError, "cannot be imported: ZeroDivisionError"),
    ],
)
def test_what_cannot_be_imported_is_said_first(
    theirs: Callable[..., Picker], name: str, module: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_scenario(scenario({"p": theirs(name, module)}), workers=1)


@pytest.mark.parametrize("written", ["picker.py", "./picker:find", "os", "a b:c", "pkg:mod:f", "pkg:f()"])
def test_a_path_is_no_function(written: str) -> None:
    with pytest.raises(ValidationError, match="pattern"):
        read({"kind": "python", "call": written})


def test_what_simkit_gives_is_not_an_option() -> None:
    with pytest.raises(ValidationError, match="rng is given by simkit"):
        read({"kind": "python", "call": "a:b", "options": {"rng": 1}})


def test_in_one_dimension_x_is_enough(theirs: Callable[..., Picker]) -> None:
    found = theirs("returns", options={"what": "no y"}).pick(sight(shape=(30,)))
    assert (found.picks["y"].tolist(), found.picks["x"].tolist()) == ([0.0], [2.0])
