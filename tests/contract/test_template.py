"""Every built-in template keeps the contract; a new kind is found by itself and needs an example here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from simkit.core.grid import Grid
from simkit.shape.base import draw
from simkit.shape.disk import Disk
from simkit.shape.gaussian import Gaussian
from simkit.template import FAMILY
from simkit.template.base import Optics, Subject, Surroundings, Template

PIXEL = 2.0
"""Å."""

EXAMPLES: dict[str, dict[str, Any]] = {
    "specimen": {"kind": "specimen", "of": "ell"},
    "shapes": {
        "kind": "shapes",
        "contrast": "dark",
        "shapes": [
            {"kind": "disk", "radius": "16 Å"},
            {"kind": "gaussian", "sigma": "6 Å", "centre": ["0 Å", "22 Å"]},
        ],
    },
    "image": {"kind": "image", "file": "picture.npy", "pixel_size": "1.5 Å", "contrast": "bright"},
    "crop": {"kind": "crop", "centre": ["101.5 Å", "90 Å"], "size": ["60 Å", "70 Å"]},
    "volume": {
        "kind": "volume",
        "file": "map.npy",
        "voxel_size": "3 Å",
        "contrast": "dark",
        "views": [{"kind": "named", "view": "top"}],
    },
}

IN_ONE_DIMENSION: dict[str, dict[str, Any]] = {
    "specimen": {"kind": "specimen", "of": "bump"},
    "shapes": {"kind": "shapes", "contrast": "bright", "shapes": [{"kind": "gaussian", "sigma": "8 Å"}]},
    "image": {"kind": "image", "file": "row.npy", "pixel_size": "1.5 Å", "contrast": "bright"},
    "crop": {"kind": "crop", "centre": ["101.5 Å"], "size": ["60 Å"]},
}

ELL = [Disk(radius=12, centre={"y": 0, "x": 14}), Disk(radius=8, centre={"y": -14, "x": 0}, weight=2)]
BUMP = [Gaussian(sigma=8)]


def surroundings(ndim: int, shape: tuple[int, ...] = (96, 110)) -> Surroundings:
    """Return an image to search with one species, a blurring lens and a micrograph full of texture."""
    grid = Grid(shape[-ndim:], PIXEL)
    drawn = ELL if ndim == 2 else BUMP
    texture = np.random.default_rng(5).normal(size=grid.shape)
    subject = Subject(
        lambda g, angles, _: (draw(drawn, g, angle=a) for a in angles), support=26.0, symmetry="C1"
    )
    blur = Optics(lambda g: -np.exp(-2 * np.pi**2 * 9 * g.frequency_radius() ** 2), support=12.0)
    return Surroundings(grid, {"ell": subject, "bump": subject}, blur, lambda i: texture.astype(np.float32))


@pytest.fixture(autouse=True)
def _pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    np.save(tmp_path / "picture.npy", rng.normal(size=(40, 41)))
    np.save(tmp_path / "row.npy", rng.normal(size=40))
    z, y, x = np.meshgrid(*[3.0 * (np.arange(n) - n // 2) for n in (20, 21, 22)], indexing="ij")
    near = np.exp(-((z - 8) ** 2 + (y + 4) ** 2 + (x - 2) ** 2) / 50)
    np.save(tmp_path / "map.npy", near + np.exp(-(z**2 + y**2 + (x + 7) ** 2) / 40))
    monkeypatch.chdir(tmp_path)


def example(kind: str, **more: Any) -> Template:
    assert kind in EXAMPLES, f"template {kind!r} has no example in {__file__}; add one"
    spec = FAMILY.kind(kind).model_validate(EXAMPLES[kind] | more)
    assert isinstance(spec, Template)
    return spec


KINDS = list(FAMILY.builtins)


@pytest.mark.parametrize("kind", KINDS)
def test_spec_survives_being_written(kind: str) -> None:
    spec = example(kind, rotations={"step": "30°"}, symmetry="C2", finds="ell")
    again = type(spec).model_validate(spec.model_dump(mode="json"))
    assert again == spec
    with pytest.raises(ValidationError, match="extra"):
        example(kind, nonsense=1)


@pytest.mark.parametrize("kind", KINDS)
def test_views_are_odd_zero_mean_and_of_unit_energy(kind: str) -> None:
    bank = example(kind, rotations={"step": "50°"}).bank("t", surroundings(2))
    assert bank.images.shape[0] == len(bank.angles) == 8
    assert bank.images.dtype == np.float64
    assert all(n % 2 == 1 for n in bank.images.shape[1:])
    # Sums of some 1e3 numbers of order 0.1: rounding alone.
    assert np.allclose(bank.images.mean(axis=(1, 2)), 0, atol=1e-14)
    assert np.allclose((bank.images**2).sum(axis=(1, 2)), 1, atol=1e-12)
    assert bank.pixel_size == PIXEL
    assert 0 < bank.support <= max(bank.images.shape) * PIXEL


@pytest.mark.parametrize("kind", KINDS)
def test_a_quarter_turn_moves_pixels_from_plus_x_to_plus_y(kind: str) -> None:
    bank = example(kind, rotations={"step": "90°"}).bank("t", surroundings(2))
    assert bank.angles.tolist() == [0, 90, 180, 270]
    assert bank.images.shape[1] == bank.images.shape[2]
    for turns in range(4):
        # Clockwise on the screen. The type-2 NUFFT of pictures works to 1e-12 of the largest value, of
        # volumes to 1e-6.
        exact = 1e-6 if kind == "volume" else 1e-9
        assert np.allclose(bank.images[turns], np.rot90(bank.images[0], -turns), atol=exact)


@pytest.mark.parametrize("kind", KINDS)
def test_angles_cover_one_turn_of_the_symmetry(kind: str) -> None:
    bank = example(kind, rotations={"step": "25°"}, symmetry="C2").bank("t", surroundings(2))
    assert bank.angles.tolist() == [22.5 * i for i in range(8)]
    assert bank.symmetry == "C2"
    assert example(kind, symmetry="C3").bank("t", surroundings(2)).symmetry == "C3"


@pytest.mark.parametrize("kind", KINDS)
def test_unturned_is_one_view_and_drawing_twice_gives_the_same_bits(kind: str) -> None:
    first, second = (example(kind).bank("t", surroundings(2)) for _ in range(2))
    assert first.angles.tolist() == [0]
    assert first.images.tobytes() == second.images.tobytes()
    assert example(kind, finds="other").bank("t", surroundings(2)).finds == "other"


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_larger_than_the_image_is_a_located_error(kind: str) -> None:
    from simkit.core.errors import ScenarioError

    with pytest.raises(ScenarioError, match=r"larger|only|reach"):
        example(kind).bank("t", surroundings(2, shape=(20, 24)))


@pytest.mark.parametrize("kind", KINDS)
def test_one_dimension(kind: str) -> None:
    spec = FAMILY.kind(kind)
    if 1 not in spec.dimensions:
        pytest.skip(f"there is no {kind} in 1-D")
    template = spec.model_validate(IN_ONE_DIMENSION[kind])
    assert isinstance(template, Template)
    assert template.dimension_error(1) is None
    bank = template.bank("t", surroundings(1))
    assert bank.images.ndim == 2
    assert np.allclose((bank.images**2).sum(axis=1), 1, atol=1e-12)
    turned = spec.model_validate(IN_ONE_DIMENSION[kind] | {"rotations": {"step": "5°"}})
    assert isinstance(turned, Template)
    assert "no rotations in 1-D" in (turned.dimension_error(1) or "")
