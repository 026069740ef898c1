"""What every audit must keep; a new kind is found by itself and needs an example."""

import dataclasses
import json

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from simkit.audit import FAMILY, AnyAudit
from simkit.audit.base import Audit, Evidence, SpeciesRecord
from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import Grid
from simkit.core.tables import Picks, Placements, Truth
from simkit.shape.base import turn_frequencies

EXAMPLES = {
    "averaged_cell": {"picker": "perfect", "box": "20 Å", "species": "motif"},
    "flip": {"template": "motif", "at": ["32 Å", "32 Å"], "radius": "8 Å"},
    "reciprocal_lattice": {"species": "motif", "order": 3},
    "statistics": {},
    "theorem": {"sizes": [8, 16]},
    "transfer": {"bins": 16},
}
PIXEL, STEP = 2.0, 32.0


@pytest.fixture(params=FAMILY.builtins)
def audit(request):
    if request.param not in EXAMPLES:
        pytest.fail(f"audit {request.param!r} needs an example in {__file__}")
    return read({"kind": request.param, **EXAMPLES[request.param]})


def read(written):
    return TypeAdapter(AnyAudit).validate_python(written, context={"units": "required"})


def spectrum(grid, angle=0.0, mirror=False):
    """Two Gaussian blobs, one beside the other."""
    k = turn_frequencies(grid.frequencies(), angle=angle, mirror=mirror)
    width = np.exp(-2 * np.pi**2 * 4.0**2 * sum(q**2 for q in k))
    return 60 * width * (1 + 0.5 * np.exp(-2j * np.pi * 7.0 * k[-1])) / grid.pixel_size**grid.ndim


def evidence(ndim, *, boundary="periodic", seed=0):
    """Return a small periodic crystal with a soft lens, white noise and picks at every true place."""
    grid = Grid((64, 96)[-ndim:], PIXEL)
    rng = np.random.default_rng(seed)
    sites = np.meshgrid(*[np.arange(0, length, STEP) for length in grid.extent], indexing="ij")
    y, x = (np.zeros(sites[0].size), *[s.ravel() for s in sites])[-2:]
    placements = Placements.at(y, x)
    record = SpeciesRecord(spectrum, 16.0, placements, STEP * np.eye(ndim))
    density_spectrum = spectrum(grid) * fourier.delta_spectrum(grid, placements.positions(ndim))
    transfer = np.exp(-20.0 * grid.frequency_radius() ** 2)
    ideal = 3.0 + 0.5 * fourier.inverse(density_spectrum * transfer, grid.shape)
    rows = {"micrograph": "0000", "class": "motif", "y": y, "x": x, "psi": 0.0}
    box = Grid((15,) * ndim, PIXEL)
    held = Evidence(
        grid=grid,
        boundary=boundary,
        species={"motif": record},
        density=fourier.inverse(density_spectrum, grid.shape),
        ideal=ideal,
        micrographs=[(ideal + 0.1 * rng.standard_normal(grid.shape)).astype(np.float32)],
        transfer=transfer,
        truth=Truth(**rows),
        picks={"perfect": Picks(**rows), "blind": Picks()},
        micrograph_names=["0000"],
        templates={"motif": fourier.corner_to_centre(fourier.inverse(spectrum(box), box.shape))},
        rng=np.random.default_rng(seed),
    )
    for array in (held.density, held.ideal, held.transfer, *held.micrographs, *held.templates.values()):
        array.flags.writeable = False
    return held


def test_written_back_it_is_the_same(audit):
    assert read(audit.model_dump(mode="json")) == audit


def test_it_is_frozen_and_refuses_unknown_keys(audit):
    with pytest.raises(ValidationError, match="frozen"):
        audit.kind = "other"
    with pytest.raises(ValidationError, match="Extra inputs"):
        read({**audit.model_dump(mode="json"), "colour": "red"})


def test_the_base_is_no_audit():
    with pytest.raises(TypeError, match="abstract"):
        Audit()


@pytest.mark.parametrize("boundary", ["periodic", "open"])
@pytest.mark.parametrize("ndim", [1, 2])
def test_it_gives_every_value_it_names_as_plain_json(audit, ndim, boundary):
    # The arrays of the evidence are read-only, so this also shows that nothing is changed in place.
    values = audit.measure(evidence(ndim, boundary=boundary)).values
    assert set(values) == set(audit.units)
    assert all(type(v) in (int, float) for v in values.values())
    json.dumps(values, allow_nan=False)


@pytest.mark.parametrize("ndim", [1, 2])
def test_the_same_evidence_gives_the_same_answer(audit, ndim):
    one, other = (audit.measure(evidence(ndim)) for _ in range(2))
    assert one.values == other.values
    for a, b in zip(one.panels, other.panels, strict=True):
        np.testing.assert_equal(dataclasses.asdict(a), dataclasses.asdict(b))


@pytest.mark.parametrize("ndim", [1, 2])
def test_its_pictures_can_be_drawn_and_say_what_they_show(audit, ndim):
    for panel in audit.measure(evidence(ndim)).panels:
        assert panel.title
        assert panel.caption.endswith(".")
        assert (panel.image is None) == bool(panel.series)
        if panel.image is not None:
            assert panel.image.ndim == 2
            assert np.isfinite(panel.image).all()
        if panel.marks is not None:
            assert ((panel.marks >= -0.5) & (panel.marks < np.array(panel.image.shape) - 0.5)).all()
        for curve in panel.series:
            assert panel.x_label
            assert panel.y_label
            assert curve.label
            assert curve.x.shape == curve.y.shape
            assert np.isfinite(curve.x).all()
            assert np.isfinite(curve.y).all()


def test_units_are_ones_that_an_expectation_can_write(audit):
    assert set(audit.units.values()) <= {"", "Å", "°"}


@pytest.mark.parametrize(
    ("written", "path", "message"),
    [
        ({"kind": "flip", "template": "x", "at": ["0 Å", "0 Å"], "radius": "1 Å"}, ("template",), "motif"),
        ({"kind": "averaged_cell", "picker": "x", "box": "20 Å"}, ("picker",), "perfect"),
        ({"kind": "averaged_cell", "picker": "perfect", "box": "900 Å"}, ("box",), "smaller box"),
        ({"kind": "reciprocal_lattice", "species": "x"}, ("species",), "motif"),
        ({"kind": "theorem", "sizes": [8, 4096]}, ("sizes",), "up to 128"),
    ],
)
def test_what_cannot_be_measured_is_a_located_error(written, path, message):
    with pytest.raises(ScenarioError, match=message) as error:
        read(written).measure(evidence(2, boundary="open"))
    assert error.value.path == path


def test_without_picks_nothing_is_averaged():
    values = read({"kind": "averaged_cell", "picker": "blind", "box": "20 Å"}).measure(evidence(2)).values
    assert values.pop("count") == 0
    assert set(values.values()) == {None}


@pytest.mark.parametrize("kind", sorted(set(EXAMPLES) - {"transfer"}))
def test_an_empty_image_has_values_that_json_can_hold(kind):
    full = evidence(2)
    empty = np.zeros(full.grid.shape)
    record = dataclasses.replace(full.species["motif"], spectrum=lambda grid, **_: 0 * spectrum(grid))
    nothing = dataclasses.replace(
        full, density=empty, ideal=empty, micrographs=[empty], species={"motif": record}
    )
    json.dumps(read({"kind": kind, **EXAMPLES[kind]}).measure(nothing).values, allow_nan=False)
