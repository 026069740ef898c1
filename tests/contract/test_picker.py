"""What every picker must keep; a new kind is found by itself and needs an example."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from simkit.core.errors import ScenarioError
from simkit.core.grid import Grid
from simkit.correlation.bank import TemplateBank, standardised
from simkit.picker import FAMILY, AnyPicker
from simkit.picker._blobs import Blobs
from simkit.picker._outside import OutsidePicker
from simkit.picker._search import TemplateSearch
from simkit.picker.base import Found, Picker, Sight

TOP = {"kind": "top", "count": 6}
OUTSIDE = Path(__file__).parent / "outside"
ARGV = ["{python}", str(OUTSIDE / "picker.py"), "{out}", "{templates}", "{pixel_size}", "{micrographs}"]
EXAMPLES = {
    "command": [
        {"argv": ARGV, "output": {"format": "relion"}, "timeout": "1 min", "per": per}
        for per in ("run", "micrograph")
    ],
    "file": [
        {"files": str(OUTSIDE / "picks.csv")},
        {"files": str(OUTSIDE / "flipped.box"), "frame": "flipped-y", "binning": 2.0, "class": "boot"},
    ],
    "python": [{"call": "simkit.adapters.scikit_image:match_template", "options": {"threshold": 0.45}}],
    "correlation": [{}],
    "ncc": [{"mask": "circle"}, {"mask": "box"}],
    "matched_filter": [{"noise": "estimated"}, {"noise": "declared"}],
    "phase": [{}],
    "log": [{"diameter": "40 Å", "contrast": "bright"}],
    "dog": [{"diameter": "40 Å", "contrast": "bright"}],
}
LOOSE = {"phase": 4.0}
"""Phase correlation weighs frequencies drowned in noise like all others: how much worse its places may be."""
PIXEL = 2.5
ANGLES = np.arange(36) * 10.0
PLACES = np.array([[40.3, 51.8], [37.1, 150.4], [101.7, 96.2], [149.4, 37.6], [148.9, 158.5]])
TURNS = np.array([12.0, 100.0, 190.0, 275.0, 331.0])


def boot(y: np.ndarray, x: np.ndarray, psi: float) -> np.ndarray:
    """A boot: nothing that turning or mirroring leaves as it is. ψ turns +x towards +y."""
    c, s = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    along, across = c * x + s * y, -s * x + c * y
    leg = np.exp(-(along**2 / 50 + across**2 / 20))
    toe = np.exp(-((along - 6) ** 2 / 20 + (across - 6) ** 2 / 30))
    return leg + toe


def view(side: int, psi: float) -> np.ndarray:
    axis = np.arange(side) - side // 2
    return boot(axis[:, None], axis[None, :], psi)


def bank(side: int = 41, angles: np.ndarray = ANGLES, name: str = "boot") -> TemplateBank:
    views = standardised(np.stack([view(side, a) for a in angles]))
    return TemplateBank(name, name, views, angles, PIXEL, 16 * PIXEL, "C1")


def picture(shape: tuple[int, int] = (190, 200), noise: float = 0.08) -> np.ndarray:
    y, x = np.indices(shape)
    clean = sum(boot(y - a, x - b, psi) for (a, b), psi in zip(PLACES, TURNS, strict=True))
    return clean + noise * np.random.default_rng(8).standard_normal(shape)


def sight(image: np.ndarray, banks: list[TemplateBank] | None = None, **changes: object) -> Sight:
    spectrum = np.full((*image.shape[:-1], image.shape[-1] // 2 + 1), 0.08**2)
    plain = Sight(
        pixels=image,
        grid=Grid(image.shape, PIXEL),
        banks=banks or [bank()],
        spacing=None,
        noise_spectrum=spectrum,
        mask=None,
        rng=np.random.default_rng(0),
    )
    return dataclasses.replace(plain, **changes)


def read(written: dict) -> Picker:
    return TypeAdapter(AnyPicker).validate_python(written, context={"units": "required"})


def examples(base: type) -> list:
    cut = {"threshold": TOP} if base is TemplateSearch else {}
    return [
        pytest.param({"kind": kind, **cut, **example}, id=f"{kind}-{i}")
        for kind, spec in FAMILY.builtins.items()
        # What looks for no template has a suite of its own, `test_blob_picker.py`.
        if issubclass(spec, base) and not issubclass(spec, Blobs)
        for i, example in enumerate(EXAMPLES.get(kind, [{}]))
    ]


def test_every_kind_has_an_example() -> None:
    missing = set(FAMILY.builtins) - set(EXAMPLES)
    assert not missing, f"picker {', '.join(missing)} needs an example in {__file__}"


@pytest.fixture(params=[*examples(TemplateSearch), *examples(OutsidePicker)])
def any_picker(request: pytest.FixtureRequest) -> Picker:
    return read(request.param)


@pytest.fixture(params=examples(TemplateSearch))
def picker(request: pytest.FixtureRequest) -> Picker:
    return read(request.param)


def points(found: Found) -> np.ndarray:
    return np.stack([found.picks["y"], found.picks["x"]], axis=1) / PIXEL


def paired(picker: Picker, found: Found, places: np.ndarray) -> np.ndarray:
    """Row of the nearest pick of every place; fails loudly if one is far."""
    gaps = np.linalg.norm(points(found)[None] - places[:, None], axis=2)
    assert gaps.min(axis=1).max() < 1.5 * LOOSE.get(picker.kind, 1.0), gaps.min(axis=1)
    return gaps.argmin(axis=1)


def changed(picker: Picker, **fields: object) -> Picker:
    return type(picker).model_validate({**dict(picker), **fields})


def test_every_kind_searches_or_comes_from_outside() -> None:
    for kind, spec in FAMILY.builtins.items():
        assert issubclass(spec, (TemplateSearch, OutsidePicker)), f"no suite here runs on {kind}"


def test_written_back_it_is_the_same(any_picker: Picker) -> None:
    assert read(any_picker.model_dump(mode="json", exclude_none=True, by_alias=True)) == any_picker


def test_it_is_frozen_and_refuses_unknown_keys(any_picker: Picker) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        any_picker.kind = "other"
    with pytest.raises(ValidationError, match="Extra inputs"):
        type(any_picker).model_validate({**dict(any_picker), "colour": 1})


def test_the_base_cannot_be_used() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Picker(threshold=TOP)


def test_only_what_is_told_the_noise_is_an_oracle(picker: Picker) -> None:
    assert picker.oracle == ("noise spectrum" in picker.knows)
    assert {"pixel size", "templates"} <= set(picker.knows)


@pytest.mark.parametrize(("side", "shape"), [(41, (190, 200)), (40, (211, 188))])
def test_it_finds_what_is_there(picker: Picker, side: int, shape: tuple[int, int]) -> None:
    found = changed(picker, threshold={"kind": "top", "count": len(PLACES)}).pick(
        sight(picture(shape), [bank(side)])
    )
    rows = paired(picker, found, PLACES)
    assert len(found.picks) == len(PLACES)
    # Angles are 10° apart and interpolated; noise leaves 1° to 2°.
    wrong = (found.picks["psi"][rows] - TURNS + 180) % 360 - 180
    assert np.abs(wrong).max() < 6 * LOOSE.get(picker.kind, 1.0)
    # Noise leaves about 0.3 px each, 0.15 px in the mean of five; a half-pixel convention would show as 0.5.
    assert np.abs((points(found)[rows] - PLACES).mean(axis=0)).max() < 0.3 * LOOSE.get(picker.kind, 1.0)
    assert (found.picks["class"] == "boot").all()
    assert (np.diff(found.picks["score"]) <= 0).all()
    assert (found.picks["score"] >= found.threshold).all()
    assert ((found.picks["psi"] >= 0) & (found.picks["psi"] < 360)).all()


def test_coarse_and_exhaustive_give_the_same_picks(picker: Picker) -> None:
    exact = changed(picker, threshold={"kind": "top", "count": len(PLACES)})
    scene = sight(picture(noise=0.3))
    coarse_loss = picker.lost_energy
    coarse = changed(exact, search="coarse").pick(scene)
    every = changed(exact, search="exhaustive").pick(scene)
    assert coarse.map_grid.pixel_size > every.map_grid.pixel_size or picker.kind == "phase"
    assert 0 < coarse.notes["lost_energy"] <= coarse_loss
    assert every.notes["lost_energy"] == 0
    assert len(coarse.picks) == len(every.picks)
    # Both climb to the same exact peak, so they agree to the last bit.
    for column in ("y", "x", "psi", "score"):
        np.testing.assert_allclose(coarse.picks[column], every.picks[column], rtol=0, atol=1e-9)


def test_moving_the_picture_moves_its_picks(picker: Picker) -> None:
    step = (3, -5)
    y, x = np.indices((220, 220))
    boots = [boot(y - a - 12, x - b - 12, psi) for (a, b), psi in zip(PLACES, TURNS, strict=True)]
    here = sum(boots) + 0.08 * np.random.default_rng(9).standard_normal((220, 220))
    there = np.roll(here, step, (0, 1))  # no boot near the border: rolling is moving
    first, second = picker.pick(sight(here)), picker.pick(sight(there))
    rows = paired(picker, second, points(first)[: len(PLACES)] + step)
    # Blocks of an estimated spectrum, and all phases, fall differently on a moved picture.
    atol = 0.25 if picker.kind == "phase" else 0.05
    np.testing.assert_allclose(points(second)[rows], points(first)[: len(PLACES)] + step, atol=atol)


@pytest.mark.parametrize("side", [201, 200])
def test_turning_the_picture_turns_its_picks(picker: Picker, side: int) -> None:
    image = picture((side, side))
    first = picker.pick(sight(image))
    # ψ turns +x towards +y: a quarter turn carries (y, x) to (x, n−1−y), which is np.rot90(…, −1).
    second = picker.pick(sight(np.rot90(image, -1).copy()))
    turned = np.stack([points(first)[:, 1], side - 1 - points(first)[:, 0]], axis=1)[: len(PLACES)]
    rows = paired(picker, second, turned)
    # The last step to a top is taken in single precision; and half of the Fourier plane is stored, so that it
    # matters a little which half a turned median is taken over.
    estimated = getattr(picker, "noise", "") == "estimated"
    np.testing.assert_allclose(points(second)[rows], turned, atol=0.02 if estimated else 1e-4)
    wrong = second.picks["psi"][rows] - first.picks["psi"][: len(PLACES)] - 90
    np.testing.assert_allclose((wrong + 180) % 360 - 180, 0, atol=0.2 if estimated else 1e-4)


def test_threads_change_no_bit(picker: Picker) -> None:
    scene = sight(picture(noise=0.3), [bank(), bank(30, np.zeros(1), "stiff")])
    one, three = picker.pick(scene), picker.pick(dataclasses.replace(scene, workers=3))
    assert one.picks == three.picks
    assert one.score_map.tobytes() == three.score_map.tobytes()
    assert one.notes == three.notes


def test_the_list_goes_on_below_the_threshold(picker: Picker) -> None:
    found = picker.pick(sight(picture(noise=0.3)))
    count, scores = len(found.picks), found.candidates["score"]
    assert len(found.candidates) > count >= TOP["count"]
    assert found.candidates.take(np.arange(count)) == found.picks
    assert (scores[count:] < found.threshold).all()
    assert (np.diff(scores) <= 0).all()
    assert found.noise_sd > 0
    assert found.expected_false is None or found.expected_false >= 0


def test_nothing_is_found_in_nothing(picker: Picker) -> None:
    for value in (0.0, -7.5, 1e6):
        assert len(picker.pick(sight(np.full((90, 101), value))).picks) == 0


def test_a_large_mean_costs_no_precision(picker: Picker) -> None:
    plain, lifted = picker.pick(sight(picture())), picker.pick(sight(picture() + 1e6))
    np.testing.assert_allclose(points(lifted), points(plain), atol=1e-4)


def test_the_mask_forbids(picker: Picker) -> None:
    allowed = np.ones((190, 200), bool)
    allowed[:, 130:] = False
    found = picker.pick(sight(picture(), mask=allowed))
    assert points(found)[:, 1].max() < 129.5
    paired(picker, found, PLACES[PLACES[:, 1] < 120])


def test_missing_and_dead_pixels_are_not_picked(picker: Picker) -> None:
    image = picture()
    image[35:48, 46:58] = np.nan
    image[:, 192:] = -9.0
    found = picker.pick(sight(image))
    assert found.notes["unusable"] == pytest.approx((13 * 12 + 8 * 190) / image.size)
    assert np.isfinite(found.picks["score"]).all()
    assert np.isfinite(found.score_map).all()
    assert np.linalg.norm(points(found) - PLACES[0], axis=1).min() > 3
    paired(picker, found, PLACES[1:])


def test_excluding_the_border_keeps_whole_templates(picker: Picker) -> None:
    y, x = np.indices((190, 200))
    image = picture() + boot(y - 8, x - 100, 0.0)
    with_cut, without = picker.pick(sight(image)), changed(picker, border="exclude").pick(sight(image))
    assert np.linalg.norm(points(with_cut) - [8, 100], axis=1).min() < 1.5
    assert ((points(without) >= 15.5) & (points(without) <= np.array([189, 199]) - 15.5)).all()
    assert len(without.picks) == TOP["count"]


def test_picks_keep_their_distance(picker: Picker) -> None:
    many = changed(picker, threshold={"kind": "top", "count": 500})

    def closest(found: Found) -> float:
        gaps = np.linalg.norm(points(found)[None] - points(found)[:, None], axis=2) * PIXEL
        return float(gaps[~np.eye(len(gaps), dtype=bool)].min())

    scene, few = picture(noise=0.3)[:90, :100], [bank(angles=ANGLES[::6])]
    assert closest(many.pick(sight(scene, few))) >= 2 * 16 * PIXEL  # the diameter
    assert 20 <= closest(many.pick(sight(scene, few, spacing=40.0))) < 60  # half the net's spacing
    assert 55 <= closest(changed(many, min_distance=55.0).pick(sight(scene, few, spacing=40.0))) < 80


def test_the_better_template_wins_a_place(picker: Picker) -> None:
    y, x = np.indices((190, 200))
    round_view = np.exp(-(sum(a**2 for a in Grid((41, 41), 1.0).offsets())) / 60)
    balls = TemplateBank("ball", "ball", standardised(round_view[None]), np.zeros(1), PIXEL, 14 * PIXEL, "C1")
    image = picture() + 1.5 * np.exp(-((y - 96) ** 2 + (x - 40) ** 2) / 60)
    exact = changed(picker, threshold={"kind": "top", "count": 6})
    found = exact.pick(sight(image, [bank(), balls]))
    rows = paired(picker, found, np.vstack([PLACES, [96, 40]]))
    assert found.picks["template"][rows].tolist() == ["boot"] * 5 + ["ball"]


def test_a_template_larger_than_the_image_is_refused(picker: Picker) -> None:
    named = changed(picker, templates=("small", "boot"))
    with pytest.raises(ScenarioError, match=r"'boot' \(41 × 41 px, 102.5 × 102.5 Å\).*\(60 × 40 px") as error:
        named.pick(sight(picture()[:60, :40], [bank(21, name="small"), bank()]))
    assert error.value.path == ("templates", 1)


def test_one_dimension(picker: Picker) -> None:
    x = np.arange(301.0)
    bump = lambda c: np.exp(-((x - c) ** 2) / 30) - 0.7 * np.exp(-((x - c - 6) ** 2) / 10)  # noqa: E731
    image = bump(100.3) + bump(211.7) + 0.02 * np.random.default_rng(1).standard_normal(301)
    t = np.arange(45) - 22
    form = np.exp(-(t**2) / 30) - 0.7 * np.exp(-((t - 6) ** 2) / 10)
    line = TemplateBank("bump", "bump", standardised(form[None]), np.zeros(1), PIXEL, 18 * PIXEL, "C1")
    two = changed(picker, threshold={"kind": "top", "count": 2})
    found = two.pick(sight(image, [line], noise_spectrum=np.full(151, 4e-4)))
    np.testing.assert_allclose(np.sort(found.picks["x"]) / PIXEL, [100.3, 211.7], atol=0.3)
    assert (found.picks["y"] == 0).all()
    assert found.score_map.ndim == 1


def test_a_gain_changes_no_place(picker: Picker) -> None:
    plain, scaled = picker.pick(sight(picture())), picker.pick(sight(40 * picture() - 3))
    np.testing.assert_allclose(points(scaled)[:5], points(plain)[:5], atol=1e-5)


@pytest.fixture(params=examples(OutsidePicker))
def outside(request: pytest.FixtureRequest) -> OutsidePicker:
    """A picker whose list a program, a function or a file of others gives."""
    return read(request.param)


def test_what_comes_from_outside_stands_where_it_is(outside: OutsidePicker) -> None:
    outside.require_ready()
    found = outside.pick(sight(picture()))
    # Whole pixels, and corners of whole boxes on an image binned twice: off by 1 and 2 px along an axis.
    gaps = np.linalg.norm(points(found)[None] - PLACES[:, None], axis=2)
    assert gaps.min(axis=1).max() < 1.5, gaps.min(axis=1)
    assert len(found.picks) == len(PLACES)
    assert (found.threshold, found.score_map.size, found.noise_sd) == (-np.inf, 0, None)
    assert outside.cut == "the level its maker chose"
    if outside.kind != "file" or outside.class_:
        assert (found.picks["class"] == "boot").all()


def test_scores_from_outside_are_a_list_to_cut_or_there_is_none(outside: OutsidePicker) -> None:
    found = outside.pick(sight(picture()))
    if found.candidates is None:
        assert np.isnan(found.picks["score"]).all()
        with pytest.raises(ScenarioError, match="5 of 5 picks have no score") as error:
            changed(outside, threshold={"kind": "top", "count": 2}).pick(sight(picture()))
        assert error.value.path == ("threshold",)
        return
    assert found.candidates == found.picks
    assert (np.diff(found.picks["score"]) <= 0).all()
    two = changed(outside, threshold={"kind": "top", "count": 2}).pick(sight(picture()))
    assert two.picks == found.picks.take([0, 1])
    assert two.candidates == found.picks
    assert two.threshold == found.picks["score"][1]


def test_no_noise_is_known_to_cut_an_outside_list_by(outside: OutsidePicker) -> None:
    with pytest.raises(ValidationError, match="nothing is known of the noise"):
        changed(outside, threshold={"kind": "expected_false_picks", "per_image": 1.0})


def test_the_mask_forbids_outside_picks_too(outside: OutsidePicker) -> None:
    allowed = np.ones((190, 200), bool)
    allowed[:, 130:] = False
    found = outside.pick(sight(picture(), mask=allowed))
    assert sorted(points(found)[:, 1].round(-1)) == [40.0, 50.0, 100.0]


def test_an_outside_list_of_nothing_is_a_list(outside: OutsidePicker) -> None:
    if outside.sees_pixels:
        found = outside.pick(sight(np.full((90, 101), 3.0)))
        assert len(found.picks) == 0
        assert found.candidates is not None


def test_workers_change_no_bit_of_an_outside_list(outside: OutsidePicker) -> None:
    one, three = outside.pick(sight(picture())), outside.pick(sight(picture(), workers=3))
    assert one.picks == three.picks
