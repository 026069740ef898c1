"""What every lattice must do; a new kind is found by itself and needs an entry in EXAMPLES."""

import numpy as np
import pytest
from pydantic import ValidationError

from simkit.core.grid import Grid
from simkit.core.quantity import UNITS_REQUIRED
from simkit.core.tables import Placements
from simkit.lattice import FAMILY
from simkit.lattice.base import Lattice

EXAMPLES = {
    "centred": {"a": "80 Å", "b": "120 Å", "rotation": "10°", "angle": "30°"},
    "chain": {"spacing": "45 Å"},
    "hexagonal": {"a": "70 Å", "rotation": "5°", "outline": {"radius": "150 Å"}},
    "oblique": {"a": "70 Å", "b": "90 Å", "gamma": "75°", "origin": ["3 Å", "4 Å"]},
    "positions": {"at": [{"y": "0 Å", "x": "10.5 Å"}, {"x": "100 Å"}]},
    "rectangular": {"a": "70 Å", "b": "90 Å"},
    "scattered": {"count": 5, "min_distance": "40 Å"},
    "square": {"a": "70 Å", "outline": {"size": ["200 Å", "300 Å"]}},
}
GRIDS = {1: Grid((250,), 2.0), 2: Grid((200, 251), 2.0)}
NOBODY = Placements.at([], [])


def test_every_kind_has_an_example() -> None:
    assert set(FAMILY.builtins) == set(EXAMPLES), "add an example of the new kind to EXAMPLES"


@pytest.fixture(params=sorted(EXAMPLES))
def written(request: pytest.FixtureRequest) -> dict:
    return {"kind": request.param, **EXAMPLES[request.param]}


@pytest.fixture
def lattice(written: dict) -> Lattice:
    return read(written)


def read(written: dict, **more: object) -> Lattice:
    return FAMILY.kind(written["kind"]).model_validate({**written, **more}, context=UNITS_REQUIRED)


def place(lattice: Lattice, grid: Grid, *, periodic: bool = False, seed: int = 0) -> Placements:
    return lattice.placements(
        grid=grid,
        margin=0.0 if periodic else 60.0,
        periodic=periodic,
        rng=np.random.default_rng(seed),
        occupied=NOBODY,
    )


def test_writes_itself_back(lattice: Lattice) -> None:
    assert read(lattice.model_dump(mode="json")) == lattice


def test_refuses_unknown_keys(written: dict) -> None:
    with pytest.raises(ValidationError, match="colour"):
        read(written, colour="red")


@pytest.mark.parametrize("periodic", [False, True])
def test_places_copies_in_reach_of_the_image(lattice: Lattice, periodic: bool) -> None:
    for ndim in lattice.dimensions:
        grid = GRIDS[ndim]
        copies = place(lattice, grid, periodic=periodic)
        assert len(copies) > 0
        columns = (copies.y, copies.x, copies.psi, copies.mirror, copies.h, copies.k)
        assert {c.shape for c in columns} == {(len(copies),)}
        assert {c.dtype for c in columns} == {np.dtype(float), np.dtype(bool)}
        positions = copies.positions(ndim)
        if periodic:
            assert grid.contains(*positions).all()
        for index, n in zip(grid.indices(*positions), grid.shape, strict=True):
            assert np.all((index >= -0.5 - 30) & (index <= n - 0.5 + 30))
        if ndim == 1:
            assert not copies.y.any()


def test_only_its_stream_matters(lattice: Lattice) -> None:
    grid = GRIDS[max(lattice.dimensions)]
    one, two = place(lattice, grid), place(lattice, grid)
    for name in ("y", "x", "psi", "mirror", "h", "k"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_indices_count_the_basis(lattice: Lattice) -> None:
    ndim = max(lattice.dimensions)
    copies = place(lattice, GRIDS[ndim])
    if lattice.basis is None:
        assert np.isnan(copies.h).all()
        assert lattice.shortest_spacing is None
        return
    indices = np.stack([copies.h, copies.k][:ndim], axis=1)
    np.testing.assert_array_equal(indices, np.round(indices))
    origin = np.array(GRIDS[ndim].centre)
    if getattr(lattice, "origin", None) is not None:
        origin = np.array(lattice.origin.components(ndim))
    found = np.stack(copies.positions(ndim), axis=1)
    np.testing.assert_allclose(found, origin + indices @ lattice.basis, atol=1e-9)
