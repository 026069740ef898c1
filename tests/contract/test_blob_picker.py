"""What every picker without templates must keep; a new kind of `Blobs` is found by itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from simkit.core.errors import ScenarioError
from simkit.core.grid import Grid
from simkit.picker import FAMILY, AnyPicker
from simkit.picker._blobs import Blobs
from simkit.picker.base import Found, Picker, Sight

KINDS = [kind for kind, spec in FAMILY.builtins.items() if issubclass(spec, Blobs)]
PIXEL = 2.5
PLACES = np.array([[40.3, 51.8], [37.1, 150.4], [101.7, 96.2], [149.4, 37.6], [148.9, 158.5]])
DIAMETERS = np.array([40.0, 40.0, 60.0, 60.0, 40.0])


def read(written: dict[str, Any]) -> Picker:
    return TypeAdapter(AnyPicker).validate_python(written, context={"units": "required"})


def declared(kind: str, **changes: Any) -> dict[str, Any]:
    plain = {"kind": kind, "diameter": "40 Å", "largest": "60 Å", "contrast": "bright", "class": "ball"}
    return {**plain, "threshold": {"kind": "top", "count": len(PLACES)}, **changes}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def picture(noise: float = 0.2, shape: tuple[int, int] = (190, 200)) -> np.ndarray:
    y, x = np.indices(shape)
    away = [np.hypot(y - a, x - b) for a, b in PLACES]
    disks = sum(np.clip(d / 2 / PIXEL - r + 0.5, 0, 1) for r, d in zip(away, DIAMETERS, strict=True))
    return disks + noise * np.random.default_rng(8).standard_normal(shape)


def sight(image: np.ndarray, **changes: Any) -> Sight:
    grid, rng = Grid(image.shape, PIXEL), np.random.default_rng(0)
    return dataclasses.replace(Sight(image, grid, [], None, None, None, rng), **changes)


def points(found: Found) -> np.ndarray:
    return np.stack([found.picks["y"], found.picks["x"]], axis=1) / PIXEL


def off(found: Found, places: np.ndarray) -> np.ndarray:
    """Return how far from every place the nearest pick is, in pixels."""
    return np.linalg.norm(points(found)[None] - places[:, None], axis=2).min(axis=1)


def test_it_is_read_and_written(kind: str) -> None:
    picker = read(declared(kind))
    assert read(picker.model_dump(mode="json", exclude_none=True, by_alias=True)) == picker
    assert not picker.needs_templates
    assert not picker.oracle
    assert "templates" not in picker.knows
    assert picker.sought({"other": "key"}) == ("ball",)
    assert read(declared(kind, **{"class": None})).sought({"other": "key"}) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"templates": ["ball"]}, "not for templates"),
        ({"largest": "30 Å"}, "smaller than the smallest, 40 Å"),
        ({"contrast": "grey"}, "'dark' or 'bright'"),
        ({"diameter": 40}, "has no unit"),
        ({"colour": 1}, "Extra inputs"),
    ],
)
def test_what_makes_no_sense_is_refused(kind: str, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        read(declared(kind, **change))


def test_blobs_that_do_not_fit_the_image_are_refused(kind: str) -> None:
    with pytest.raises(ScenarioError, match="less than 4 pixels across") as small:
        read(declared(kind, diameter="9 Å")).pick(sight(picture()))
    assert small.value.path == ("diameter",)
    with pytest.raises(ScenarioError, match="search a larger image") as large:
        read(declared(kind, largest="400 Å")).pick(sight(picture()))
    assert large.value.path == ("largest",)


@pytest.mark.parametrize("sign", [1, -1])
def test_it_finds_what_is_there_and_nothing_of_the_other_contrast(kind: str, sign: int) -> None:
    bright = read(declared(kind, contrast="bright" if sign > 0 else "dark")).pick(sight(sign * picture()))
    assert off(bright, PLACES).max() < 0.6
    assert (bright.picks["class"] == "ball").all()
    assert (bright.picks["psi"] == 0).all()
    assert (np.diff(bright.picks["score"]) <= 0).all()
    assert not any("inverted" in flags for flags in bright.picks["flags"])
    wrong = read(declared(kind, contrast="dark" if sign > 0 else "bright")).pick(sight(sign * picture()))
    assert off(wrong, PLACES).min() > 4
    assert wrong.picks["score"].max() < 0.6 * bright.picks["score"].min()


def test_the_best_scale_grows_with_the_blob(kind: str) -> None:
    found = read(declared(kind)).pick(sight(picture(noise=0.05)))
    nearest = np.linalg.norm(points(found)[None] - PLACES[:, None], axis=2).argmin(axis=1)
    scale = np.array([float(name.split()[0]) for name in found.picks["template"][nearest]])
    assert scale[DIAMETERS == 60].min() >= scale[DIAMETERS == 40].max()


def test_a_gain_and_a_level_change_no_score(kind: str) -> None:
    picker = read(declared(kind))
    plain, scaled = picker.pick(sight(picture())), picker.pick(sight(40 * picture() - 1e5))
    np.testing.assert_allclose(points(scaled), points(plain), atol=1e-4)
    np.testing.assert_allclose(scaled.picks["score"], plain.picks["score"], rtol=1e-4)


def test_nothing_is_found_in_nothing(kind: str) -> None:
    picker = read(declared(kind, largest=None))
    for value in (0.0, -7.5, 1e6, np.nan):
        assert len(picker.pick(sight(np.full((90, 101), value))).picks) == 0
    strict = read(declared(kind, threshold={"kind": "expected_false_picks", "per_image": 0.01}))
    alone = np.random.default_rng(3).standard_normal((190, 200))
    assert len(strict.pick(sight(alone)).picks) == 0


def test_masks_missing_pixels_and_dead_borders(kind: str) -> None:
    picker, allowed = read(declared(kind)), np.ones((190, 200), bool)
    allowed[:, 130:] = False
    masked = picker.pick(sight(picture(), mask=allowed))
    assert points(masked)[:, 1].max() < 129.5
    assert off(masked, PLACES[PLACES[:, 1] < 120]).max() < 0.6
    image = picture()
    image[30:52, 40:64] = np.nan
    image[:, 190:] = np.nan
    missing = picker.pick(sight(image))
    assert np.isfinite(missing.picks["score"]).all()
    assert off(missing, PLACES[1:]).max() < 0.6
    assert points(missing)[:, 1].max() < 189.5
    assert off(missing, PLACES[:1]).min() > 3


def test_picks_keep_the_smallest_diameter_apart(kind: str) -> None:
    many = declared(kind, threshold={"kind": "top", "count": 500})

    def closest(picker: Picker, **changes: Any) -> float:
        found = picker.pick(sight(picture()[:120, :130], **changes))
        gaps = np.linalg.norm(points(found)[None] - points(found)[:, None], axis=2) * PIXEL
        return float(gaps[~np.eye(len(gaps), dtype=bool)].min())

    assert 40 <= closest(read(many)) < 60
    assert 30 <= closest(read(many), spacing=60.0) < 40
    assert closest(read({**many, "min_distance": "70 Å"})) >= 70
    # Whichever scales scored best: that a blob seems large does not make it so.
    banks = [read(many).bank(d, Grid((120, 130), PIXEL)) for d in (40.0, 60.0)]
    assert read(many)._reach(sight(picture(), banks=banks)) == [40.0, 40.0]


def test_edges_are_flagged_or_left_out(kind: str) -> None:
    y, x = np.indices((190, 200))
    image = picture() + np.clip(8.5 - np.hypot(y - 4, x - 100), 0, 1)
    cut = {"kind": "fixed", "value": 5.0}
    found = read(declared(kind, threshold=cut)).pick(sight(image))
    flagged = ["edge" in flags.split() for flags in found.picks["flags"]]
    assert points(found)[flagged] == pytest.approx(np.array([[4, 100]]), abs=1.5)
    whole = read(declared(kind, threshold=cut, border="exclude")).pick(sight(image))
    assert off(whole, PLACES).max() < 0.6
    assert len(whole.picks) == len(PLACES)


def test_coarse_exhaustive_and_threads_give_the_same(kind: str) -> None:
    shown = sight(picture())
    coarse = read(declared(kind)).pick(shown)
    every = read(declared(kind, search="exhaustive")).pick(shown)
    assert coarse.map_grid.pixel_size > every.map_grid.pixel_size
    for column in ("y", "x", "score"):
        np.testing.assert_allclose(coarse.picks[column], every.picks[column], rtol=0, atol=1e-9)
    three = read(declared(kind)).pick(dataclasses.replace(shown, workers=3))
    assert three.picks == coarse.picks


def test_one_dimension(kind: str) -> None:
    x = np.arange(301.0)
    image = sum(np.clip(8.5 - np.abs(x - c), 0, 1) for c in (100.3, 211.7))
    image = image + 0.05 * np.random.default_rng(1).standard_normal(301)
    two = declared(kind, largest=None, threshold={"kind": "top", "count": 2})
    found = read(two).pick(sight(image))
    np.testing.assert_allclose(np.sort(found.picks["x"]) / PIXEL, [100.3, 211.7], atol=0.4)
    assert (found.picks["y"] == 0).all()
    assert found.score_map.ndim == 1
    assert np.isnan(found.picks["sigma_y"]).all()
    assert (found.picks["sigma_x"] > 0).all()
