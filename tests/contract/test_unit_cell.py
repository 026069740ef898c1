"""What every unit cell must do; a new kind is found by itself and needs an entry in EXAMPLES."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.orientation import View
from simkit.core.quantity import UNITS_REQUIRED
from simkit.core.tables import Placements
from simkit.unit_cell import FAMILY
from simkit.unit_cell.base import UnitCell

EXAMPLES = {
    "globular": {"mass": "60 kDa", "potential": "2.5 V"},
    "image": {"file": "picture.npy", "pixel_size": "2 Å"},
    "shapes": {
        "shapes": [
            {"kind": "disk", "radius": "18 Å", "centre": ["-6 Å", "10 Å"]},
            {"kind": "shell", "outer_radius": "22 Å", "inner_radius": "12 Å", "weight": 0.5},
        ],
        "potential": "2.5 V",
    },
    "volume": {
        "file": "map.npy",
        "voxel_size": "3 Å",
        "views": {"kind": "fixed", "rot": "20°", "tilt": "50°"},
        "potential": "2.5 V",
    },
}
GRID = Grid((61, 61), 2.0)


def test_every_kind_has_an_example() -> None:
    assert set(FAMILY.builtins) == set(EXAMPLES), "add an example of the new kind to EXAMPLES"


@pytest.fixture(params=sorted(EXAMPLES))
def written(request: pytest.FixtureRequest) -> dict:
    return {"kind": request.param, **EXAMPLES[request.param]}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., UnitCell]:
    y, x = Grid((24, 31), 1.0).offsets()
    np.save(
        tmp_path / "picture.npy", 5 + np.exp(-((y + 2) ** 2 + (x - 4) ** 2) / 8) + np.exp(-(y**2 + x**2) / 5)
    )
    z, y, x = np.meshgrid(*[3.0 * (np.arange(n) - n // 2) for n in (20, 21, 22)], indexing="ij")
    near = np.exp(-((z - 8) ** 2 + (y + 4) ** 2 + (x - 2) ** 2) / 50)
    np.save(tmp_path / "map.npy", near + np.exp(-(z**2 + y**2 + (x + 7) ** 2) / 40))

    def read(written: dict, **more: object) -> UnitCell:
        context = {**UNITS_REQUIRED, "base_dir": str(tmp_path)}
        return FAMILY.kind(written["kind"]).model_validate({**written, **more}, context=context)

    return read


def test_writes_itself_back(written: dict, read: Callable[..., UnitCell]) -> None:
    cell = read(written)
    assert read(cell.model_dump(mode="json")) == cell


def test_refuses_unknown_keys(written: dict, read: Callable[..., UnitCell]) -> None:
    with pytest.raises(ValidationError, match="colour"):
        read(written, colour="red")


def test_density_is_the_spectrum_at_the_central_pixel(written: dict, read: Callable[..., UnitCell]) -> None:
    cell = read(written)
    density = cell.density(GRID)
    assert density.max() > 0.3
    np.testing.assert_allclose(
        fourier.forward(fourier.centre_to_corner(density)), cell.spectrum(GRID), atol=1e-9
    )


def test_nothing_beyond_the_support(written: dict, read: Callable[..., UnitCell]) -> None:
    cell = read(written)
    y, x = GRID.offsets()
    outside = np.hypot(y, x) > cell.support + 4 * GRID.pixel_size
    assert outside.any()
    # 1 % of a picture's span is left at its support; of shapes, the ripples of the band limit.
    assert np.abs(cell.density(GRID)[outside]).max() < 1e-2


def test_turning_and_mirroring_move_pixels(written: dict, read: Callable[..., UnitCell]) -> None:
    cell = read(written)
    upright = cell.density(GRID)
    # Slices of a solid come from a NUFFT of precision 1e-6; the transforms of the others are exact.
    exact = 1e-6 if cell.solid else 1e-9
    np.testing.assert_allclose(cell.density(GRID, angle=90.0), np.rot90(upright, -1), atol=exact)
    np.testing.assert_allclose(cell.density(GRID, mirror=True), upright[:, ::-1], atol=exact)
    both = cell.density(GRID, angle=90.0, mirror=True)
    np.testing.assert_allclose(both, np.rot90(upright[:, ::-1], -1), atol=exact)


def test_many_copies_are_drawn_as_one_is(written: dict, read: Callable[..., UnitCell]) -> None:
    cell = read(written)
    copies = Placements.at(
        np.zeros(3),
        np.zeros(3),
        psi=[0, 40, 200],
        mirror=[False, True, False],
        rot=[0, 10, 80],
        tilt=[0, 40, 170],
    )
    together = list(cell.spectra(GRID, copies, interaction=6.5e-4))
    assert len(together) == 3
    for i, drawn in enumerate(together):
        view = View(float(copies.rot[i]), float(copies.tilt[i]))
        one = cell.spectrum(
            GRID, angle=copies.psi[i], mirror=bool(copies.mirror[i]), view=view, interaction=6.5e-4
        )
        np.testing.assert_array_equal(drawn, one)
    rot, tilt = cell.draw_views(4, np.random.default_rng(1))
    assert rot.shape == tilt.shape == (4,)
    assert np.all(np.isfinite(tilt)) == cell.solid == np.all(np.isfinite(cell.typical_views))


@pytest.mark.parametrize("shape", [(60, 61), (61, 64), (80, 80)])
def test_the_mass_does_not_depend_on_the_grid(
    written: dict, read: Callable[..., UnitCell], shape: tuple[int, int]
) -> None:
    cell = read(written)
    # The sum over pixels is the k = 0 term, the integral of the density: the same on every grid.
    mass = cell.density(GRID).sum() * GRID.pixel_size**2
    assert cell.density(Grid(shape, 1.6)).sum() * 1.6**2 == pytest.approx(mass, rel=1e-9)


def test_under_the_phase_model_density_is_a_real_phase(written: dict, read: Callable[..., UnitCell]) -> None:
    cell = read(written)
    assert not cell.needs_potential
    phase = cell.density(GRID, interaction=6.5e-4)
    assert np.all(np.isfinite(phase))
    assert phase.max() > 0


def test_dimensions_are_checked(written: dict, read: Callable[..., UnitCell]) -> None:
    cell = read(written)
    assert cell.dimension_error(2) is None
    if 1 not in cell.dimensions:
        assert "1-D" in cell.dimension_error(1)
