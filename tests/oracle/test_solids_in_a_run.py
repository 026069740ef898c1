"""Solids through a whole run: views are drawn, looked from, found, and judged modulo the point group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from simkit import report, run
from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import Grid
from simkit.core.orientation import View, angle_between, orientation
from simkit.core.quantity import UNITS_REQUIRED
from simkit.core.random import stream
from simkit.core.symmetry import in_plane_order, point_group
from simkit.core.tables import Picks, Truth
from simkit.engine.archive import survey
from simkit.engine.explanation import explain
from simkit.engine.imaging import copy_variance, subjects
from simkit.engine.picking import draw_banks
from simkit.engine.realisation import realise, truth_of
from simkit.engine.simulation import simulate_one, species_density
from simkit.io.coordinates import write_coordinates
from simkit.matching.optimal import match
from simkit.metric.localisation import angle_errors, orientation_errors
from simkit.scenario.checks import check, doubts
from simkit.scenario.loading import load
from simkit.scenario.micrographs import KnownPositions, Micrographs
from simkit.scenario.spec import Scenario

KINDS = Path(__file__).parents[2] / "scenarios" / "kinds"


def scenario(views: object = None, template: dict[str, Any] | None = None, **species: Any) -> Scenario:
    views = views or {"kind": "uniform"}
    cell = {"kind": "volume", "file": "unit_cell_volume.mrc", "views": views}
    lattice = {"kind": "scattered", "count": 8, "min_distance": "200 Å", "rotation": "uniform"}
    return Scenario.model_validate(
        {
            "schema_version": 1,
            "image": {"shape": [120, 130], "pixel_size": "7 Å"},
            "specimen": {"body": {"unit_cell": cell, "lattice": lattice, "symmetry": "D3"} | species},
            "templates": {"body": {"kind": "specimen", "of": "body", "contrast": "bright", "optics": "none"}}
            if template is None
            else {"body": template},
        },
        context=UNITS_REQUIRED | {"base_dir": str(KINDS)},
    )


def with_sections(declared: Scenario, sections: dict[str, Any]) -> Scenario:
    written = declared.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return Scenario.model_validate(written | sections, context=UNITS_REQUIRED | {"base_dir": str(KINDS)})


def banks(declared: Scenario) -> Any:
    return draw_banks(declared, declared.image.grid, lambda i: np.zeros(declared.image.grid.shape))["body"]


SEARCH = {"kind": "specimen", "of": "body", "optics": "none", "contrast": "bright"}


# Simulation ------------------------------------------------------------------------------------------


def test_other_views_leave_every_copy_where_it_is() -> None:
    one, other = (
        realise(scenario(v), 0).placements["body"] for v in ({"kind": "named", "view": "side"}, None)
    )
    for name in ("y", "x", "psi"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert set(one.tilt) == {90.0}
    assert len(set(other.tilt)) == len(other)
    again = realise(scenario(), 1).placements["body"]
    assert not set(again.tilt) & set(other.tilt)


def test_the_truth_says_from_where_every_copy_is_seen() -> None:
    declared = scenario()
    placed = realise(declared, 0)
    truth = truth_of(declared, placed)
    np.testing.assert_array_equal(truth["rot"], placed.placements["body"].rot)
    np.testing.assert_array_equal(truth["tilt"], placed.placements["body"].tilt)


def test_a_mirrored_copy_is_the_solid_from_behind() -> None:
    at = {"y": "300 Å", "x": "400 Å", "angle": "25°", "mirror": True}
    declared = scenario(lattice={"kind": "positions", "at": [at]})
    (copy,) = truth_of(declared, realise(declared, 0)).rows()
    assert not copy["mirror"]
    cell, grid = declared.specimen["body"].unit_cell, Grid((120, 130), 7.0)
    rot, tilt = cell.draw_views(1, stream(declared.seed, "view", "body", 0))
    mirrored = cell.spectrum(grid, angle=25.0, mirror=True, view=View(float(rot[0]), float(tilt[0])))
    seen = cell.spectrum(grid, angle=copy["psi"], view=View(copy["rot"], copy["tilt"]))
    np.testing.assert_allclose(seen, mirrored, atol=1e-5)


def test_stamped_copies_are_those_of_the_whole_grid() -> None:
    declared = scenario(lattice={"kind": "positions", "at": [["300 Å", "400 Å"]]})
    copies, grid = realise(declared, 0).placements["body"], Grid((120, 130), 7.0)
    cell = declared.specimen["body"].unit_cell
    stamped = species_density(cell, copies.take(np.zeros(1, int)), grid)
    view = View(float(copies.rot[0]), float(copies.tilt[0]))
    whole = cell.spectrum(grid, angle=float(copies.psi[0]), view=view)
    whole = whole * fourier.phase_ramp(grid, (300.0, 400.0))
    np.testing.assert_allclose(stamped, fourier.inverse(whole, grid.shape), atol=1e-6)


def test_an_snr_is_the_mean_over_typical_views() -> None:
    declared = scenario()
    cell = declared.specimen["body"].unit_cell
    each = []
    for view in cell.typical_views:
        grid = Grid((61, 61), 7.0)
        y, x = grid.offsets()
        each.append(cell.density(grid, view=view)[np.hypot(y, x) <= cell.support].var())
    # The ripples of the map's own Nyquist frequency wrap differently on grids of different size.
    assert copy_variance(declared, "body") == pytest.approx(np.mean(each), rel=1e-4)


# Templates -------------------------------------------------------------------------------------------


def test_templates_look_from_every_direction_of_the_step() -> None:
    drawn = banks(scenario(template=SEARCH | {"views": {"step": "40°"}, "rotations": {"step": "20°"}}))
    assert drawn[0].view == View(0, 0)
    assert {bank.symmetry for bank in drawn} >= {"C1", "C3"}
    for bank in drawn:
        order = in_plane_order("D3", bank.view)
        assert bank.symmetry == f"C{order}"
        assert len(bank.angles) == 18 // order
    group = point_group("D3")
    for number, bank in enumerate(drawn):
        for other in drawn[:number]:
            beams = [orientation(*b.view)[2] for b in (bank, other)]
            assert np.abs(group @ beams[0] - beams[1]).max(axis=1).min() > 0.1


def test_a_template_is_what_a_copy_looks_like() -> None:
    drawn = banks(scenario(template=SEARCH | {"views": [{"kind": "fixed", "rot": "20°", "tilt": "70°"}]}))
    subject = subjects(scenario())["body"]
    grid = drawn[0].grid
    spectrum = next(subject.spectra(grid, np.zeros(1), [View(20, 70)]))
    seen = fourier.corner_to_centre(fourier.inverse(spectrum, grid.shape))
    assert np.corrcoef(drawn[0].images[0].ravel(), seen.ravel())[0, 1] == pytest.approx(1, abs=1e-6)


def test_the_only_view_of_a_species_is_looked_from_by_itself() -> None:
    assert [bank.view for bank in banks(scenario({"kind": "named", "view": "side"}))] == [View(0, 90)]


@pytest.mark.parametrize(
    ("declared", "message", "path"),
    [
        (scenario(), "say from which to look", ("templates", "body", "views")),
        (scenario(symmetry="C1", unit_cell={"kind": "globular", "mass": "60 kDa"},
                  template=SEARCH | {"views": {"step": "20°"}}), "is flat", ("templates", "body", "views")),
        (scenario(symmetry="D7", unit_cell={"kind": "globular", "mass": "60 kDa"}), "symmetry of a solid",
         ("specimen", "body", "symmetry")),
    ],
)  # fmt: skip
def test_what_does_not_fit_a_solid_is_said_before_a_run(
    declared: Scenario, message: str, path: tuple[str, ...]
) -> None:
    found = [error for error in check(declared) if error.path == path]
    assert len(found) == 1
    assert message in found[0].message


def test_too_many_views_are_refused_with_their_size() -> None:
    many = scenario(
        template=SEARCH | {"symmetry": "C1", "views": {"step": "3°"}, "rotations": {"step": "1°"}}
    )
    with pytest.raises(ScenarioError, match=r"4614 views × up to 360 angles .* GiB") as caught:
        banks(many)
    assert caught.value.path == ("templates", "body", "views")


@pytest.mark.parametrize("views", [{}, {"step": "20°", "of": [{"kind": "named", "view": "top"}]}, []])
def test_views_are_said_in_one_way(views: object) -> None:
    with pytest.raises(ValidationError, match="views"):
        scenario(template=SEARCH | {"views": views})
    with pytest.raises(ValidationError, match="there are fixed, named"):
        scenario(template=SEARCH | {"views": [{"kind": "uniform"}]})


def test_a_wrong_symmetry_is_doubted() -> None:
    assert doubts(scenario()) == []
    assert [d.path for d in doubts(scenario(symmetry="D7"))] == [("specimen", "body", "symmetry")]
    from_map = {
        "kind": "volume",
        "file": "unit_cell_volume.mrc",
        "contrast": "dark",
        "views": {"step": "30°"},
    }
    assert doubts(scenario(template=from_map | {"symmetry": "D3"})) == []
    wrong = doubts(scenario(template=from_map | {"symmetry": "O"}))
    assert [d.path for d in wrong] == [("templates", "body", "symmetry")]


# Judgement -------------------------------------------------------------------------------------------


def found_and_true(turn: float) -> tuple[Truth, Picks]:
    rng = np.random.default_rng(2)
    n = 40
    at = {"y": 100.0 * np.arange(n), "x": np.zeros(n), "class": np.full(n, "body")}
    truth = Truth(**at, psi=rng.uniform(0, 360, n), rot=rng.uniform(0, 360, n), tilt=rng.uniform(0, 180, n))
    return truth, Picks(**at, psi=truth["psi"] + turn, rot=truth["rot"] + 120, tilt=truth["tilt"])


def test_orientations_are_judged_modulo_the_point_group() -> None:
    truth, picks = found_and_true(7.0)
    pairs = match(truth, picks, radius=10.0, ndim=2)
    right = orientation_errors(truth=truth, picks=picks, match=pairs, symmetry={"body": "D3"})
    np.testing.assert_allclose(right, 7.0, atol=1e-6)
    wrong = orientation_errors(truth=truth, picks=picks, match=pairs, symmetry={})
    assert wrong.min() > 100
    assert len(angle_errors(truth=truth, picks=picks, match=pairs, symmetry={"body": "D3"})) == 0
    # The same turn, worked out from the matrices.
    one, other = (orientation(t["rot"], t["tilt"], t["psi"]) for t in (picks, truth))
    np.testing.assert_allclose(angle_between(one, other, point_group("D3")), right)


def test_pairs_without_views_have_no_orientation() -> None:
    truth, picks = found_and_true(7.0)
    flat = picks.replace(tilt=np.nan, rot=np.nan)
    pairs = match(truth, flat, radius=10.0, ndim=2)
    for errors in (orientation_errors, angle_errors):
        assert len(errors(truth=truth, picks=flat, match=pairs, symmetry={})) == 0
    both = truth.replace(tilt=np.nan, rot=np.nan)
    turned = angle_errors(truth=both, picks=flat, match=pairs, symmetry={"body": "C2"})
    np.testing.assert_allclose(turned, 7.0)


def test_a_mirrored_copy_is_judged_as_the_solid_from_behind() -> None:
    truth, picks = found_and_true(0.0)
    mirrored = truth.replace(mirror=True)
    behind = orientation(truth["rot"], truth["tilt"], truth["psi"], True)
    tilt = np.rad2deg(np.arccos(behind[:, 2, 2]))
    rot = np.rad2deg(np.arctan2(behind[:, 2, 1], behind[:, 2, 0]))
    flat = behind @ np.swapaxes(orientation(rot, tilt), 1, 2)
    psi = np.rad2deg(np.arctan2(flat[:, 1, 0], flat[:, 0, 0]))
    same = picks.replace(rot=rot, tilt=tilt, psi=psi)
    pairs = match(mirrored, same, radius=10.0, ndim=2)
    errors = orientation_errors(truth=mirrored, picks=same, match=pairs, symmetry={})
    np.testing.assert_allclose(errors, 0, atol=1e-5)


def test_a_run_is_the_same_bits_and_explains_itself() -> None:
    declared = load(KINDS / "view_preferred.yaml").scenario
    first, second = (simulate_one(declared) for _ in range(2))
    assert np.asarray(first.micrograph).tobytes() == np.asarray(second.micrograph).tobytes()
    rows = {section.title: dict(section.rows) for section in explain(declared)}
    assert "conformations" in rows["What is not modelled"]["particles"]
    assert "16 typical views" in rows["Species body"]["SNR"]


# The truth of a run, declared ------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["star", "csv"])
def test_a_truth_written_and_declared_again_gives_the_same_image(tmp_path: Path, suffix: str) -> None:
    """Positions, ψ, rot and tilt through a file of either format: RELION's signs undo themselves."""
    first = scenario()
    seen = simulate_one(first, 0)
    write_coordinates(tmp_path / f"t.{suffix}", seen.truth, pixel_size=7.0, shape=(120, 130))
    again = scenario(lattice={"kind": "positions", "file": str(tmp_path / f"t.{suffix}")})
    again = again.model_copy(update={"seed": 9})  # else the same views would be drawn again
    # STAR keeps six decimals of a pixel and of a degree. Copies beyond the border of an open image are in
    # no truth, so the images are compared where those do not reach.
    whole = seen.density[32:-32, 32:-32]
    np.testing.assert_allclose(
        simulate_one(again, 0).density[32:-32, 32:-32], whole, atol=1e-5 * np.abs(whole).max()
    )


def test_real_micrographs_are_judged_modulo_the_same_point_group(tmp_path: Path) -> None:
    search = {"views": {"step": "60°"}, "rotations": {"step": "30°"}, "contrast": "bright", "optics": "none"}
    pick = {
        "pickers": {"p": {"kind": "ncc", "threshold": {"kind": "fixed", "value": 0.5}}},
        "score": {"radius": "60 Å"},
    }
    simulated = scenario(template=search | {"kind": "specimen", "of": "body"})
    first = run(with_sections(simulated, pick))
    report(first, tmp_path / "run")
    truth = {"files": str(tmp_path / "run" / "truth.csv"), "complete": True}
    files = str(tmp_path / "run" / "micrographs" / "*.mrc")
    map_search = search | {"kind": "volume", "file": "unit_cell_volume.mrc", "symmetry": "D3"}
    again = run(
        Scenario.model_validate(
            {
                "schema_version": 1,
                "micrographs": {"files": files, "pixel_size": "7 Å", "truth": truth},
                "templates": {"body": map_search},
                **pick,
            },
            context=UNITS_REQUIRED | {"base_dir": str(KINDS)},
        )
    )
    one, other = (result.judgements["p"].values["body"] for result in (first, again))
    assert one["tp"] == other["tp"] > 3
    # The micrographs were rounded to single precision, and the positions come from decimals.
    assert other["orientation_median_error"] == pytest.approx(one["orientation_median_error"], abs=0.01)


@pytest.mark.parametrize(("frame", "known"), [("upright", True), ("flipped-y", False), ("transposed", False)])
def test_the_view_of_a_mirror_image_is_not_known(tmp_path: Path, frame: str, known: bool) -> None:
    np.save(tmp_path / "m.npy", np.zeros((40, 50)))
    (tmp_path / "m.csv").write_text("x_px,y_px,psi_deg,rot_deg,tilt_deg\n10,20,30,40,50\n")
    truth = KnownPositions.model_validate(
        {"files": "m.csv", "complete": True, "frame": frame}, context={"base_dir": str(tmp_path)}
    )
    section = Micrographs.model_validate(
        {"files": "m.npy", "truth": truth}, context={"base_dir": str(tmp_path)}
    )
    (row,) = survey(section, 2.0).truth.rows()
    assert (np.isfinite([row["rot"], row["tilt"]]) == known).all()


def test_a_file_about_several_micrographs_is_asked_which(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("micrograph,x_A,y_A\na.mrc,100,100\na.mrc,300,300\nb.mrc,500,500\n")
    with pytest.raises(ScenarioError, match=r"write which, for example `micrograph: a\.mrc`"):
        simulate_one(scenario(lattice={"kind": "positions", "file": str(file)}), 0)
    one = scenario(lattice={"kind": "positions", "file": str(file), "micrograph": "a"})
    assert len(simulate_one(one, 0).truth) == 2
    with pytest.raises(ScenarioError, match="no rows of 'c'"):
        simulate_one(scenario(lattice={"kind": "positions", "file": str(file), "micrograph": "c"}), 0)
