"""Template views against closed forms, direct drawing, and the pixels they were made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.correlation.bank import standardised
from simkit.io.mrc import write_mrc
from simkit.psf.ctf import Ctf
from simkit.shape.base import draw
from simkit.shape.disk import Disk
from simkit.shape.gaussian import Gaussian
from simkit.template.base import Optics, Rotations, Subject, Surroundings, Template
from simkit.template.crop import CropTemplate, cut_out
from simkit.template.image import ImageTemplate
from simkit.template.shapes import ShapesTemplate
from simkit.template.specimen import SpecimenTemplate

PIXEL = 2.0
IMAGE = Grid((150, 141), PIXEL)
ANGLES = np.array([0.0, 17.0, 90.0, 211.5])

SPOTS = np.array([[0.0, 14.0, 1.0], [-11.0, 2.0, 2.0], [6.0, -9.0, -0.7]])
"""An L of Gaussians without any symmetry: y, x in Å and weight."""

SIGMA = 5.0


def spots(grid: Grid, angle: float = 0.0, *, shift: tuple[float, float] = (0.0, 0.0)) -> FloatArray:
    """Sum the Gaussians, each centre turned by ψ from +x towards +y, about the central pixel."""
    y, x = grid.offsets()
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    total = np.zeros(grid.shape)
    for v, u, weight in SPOTS:
        dy, dx = y - (sin * u + cos * v) - shift[0], x - (cos * u - sin * v) - shift[1]
        total = total + weight * np.exp(-(dy**2 + dx**2) / (2 * SIGMA**2))
    return total


def spot_shapes() -> tuple[Gaussian, ...]:
    return tuple(Gaussian(sigma=SIGMA, centre={"y": v, "x": u}, weight=w) for v, u, w in SPOTS)


def around(
    *,
    optics: Optics | None = None,
    species: dict[str, Subject] | None = None,
    image: Grid = IMAGE,
    pixels=None,
) -> Surroundings:
    return Surroundings(image, species or {}, optics, lambda i: pixels)


def views(template: Template, where: Surroundings, angles: FloatArray = ANGLES) -> FloatArray:
    return template.images(angles, [None] * len(angles), where)[0]


def box(image: FloatArray, pixel_size: float = PIXEL) -> Grid:
    return Grid(image.shape[-2:], pixel_size)


# Drawn templates -----------------------------------------------------------------------------------


def test_shapes_views_are_the_gaussians_turned() -> None:
    drawn = views(ShapesTemplate(shapes=spot_shapes(), contrast="bright"), around())
    for angle, view in zip(ANGLES, drawn, strict=True):
        # A Gaussian of 2.5 pixels has 1e-13 of its amplitude beyond Nyquist; it wraps after 5 σ more.
        assert np.allclose(view, spots(box(view), angle), atol=1e-4)


def test_dark_is_the_negative_of_bright() -> None:
    bright, dark = (
        views(ShapesTemplate(shapes=spot_shapes(), contrast=c), around()) for c in ("bright", "dark")
    )
    assert np.array_equal(dark, -bright)
    assert bright[0].max() > 1


def subject(*, support: float = 30.0, symmetry: str = "C1") -> Subject:
    return Subject(
        lambda grid, angles, _: (draw(spot_shapes(), grid, angle=a) for a in angles), support, symmetry
    )


def test_a_blurred_specimen_is_a_wider_gaussian() -> None:
    # A Gaussian ⊗ a Gaussian: variances add, the peak falls by σ²/(σ² + s²), the sign is the lens's.
    blur = 6.0
    lens = Optics(lambda g: -np.exp(-2 * np.pi**2 * blur**2 * g.frequency_radius() ** 2), support=5 * blur)
    one = Subject(
        lambda grid, angles, _: (draw([Gaussian(sigma=SIGMA)], grid, angle=a) for a in angles), 25.0, "C1"
    )
    view = views(SpecimenTemplate(of="a"), around(optics=lens, species={"a": one}), np.zeros(1))[0]
    y, x = box(view).offsets()
    wide = SIGMA**2 + blur**2
    expected = -(SIGMA**2) / wide * np.exp(-(y**2 + x**2) / (2 * wide))
    assert np.allclose(view, expected, atol=1e-6)  # what wraps is 7 σ away


def fringes(grid: Grid) -> FloatArray:
    """Return a contrast transfer function: λ = 0.0197 Å, 1 µm underfocus, 10 % amplitude contrast."""
    k2 = grid.frequency_radius() ** 2
    return -2 * np.sin(np.pi * 0.0197 * 1e4 * k2 + np.arcsin(0.1))


def test_fringes_do_not_wrap_into_the_view() -> None:
    # A sharp disk through a lens whose point spread reaches λ Δz k at Nyquist, on a far wider grid.
    lens = Optics(fringes, support=0.0197 * 1e4 * IMAGE.nyquist)
    disk = Subject(
        lambda grid, angles, _: (draw([Disk(radius=20)], grid, angle=a) for a in angles), 20.0, "C1"
    )
    view = views(SpecimenTemplate(of="a"), around(optics=lens, species={"a": disk}), np.zeros(1))[0]
    wide = Grid((1024, 1024), PIXEL)
    whole = fourier.corner_to_centre(
        fourier.inverse(draw([Disk(radius=20)], wide) * fringes(wide), wide.shape)
    )
    half = view.shape[0] // 2
    cut = slice(512 - half, 512 + half + 1)
    # Measured 1.6e-4: the lens reaches a little beyond its support.
    assert np.allclose(view, whole[cut, cut], atol=5e-4 * np.abs(whole).max())
    assert (view**2).sum() == pytest.approx((whole**2).sum(), rel=1e-6)  # and nothing is left out


def test_optics_can_be_left_out() -> None:
    lens = Optics(fringes, support=50.0)
    where = around(optics=lens, species={"a": subject()})
    bare = views(SpecimenTemplate(of="a", optics="none", contrast="bright"), where)
    assert np.allclose(bare, views(SpecimenTemplate(of="a"), around(species={"a": subject()})))
    seen = views(ShapesTemplate(shapes=spot_shapes(), optics="scenario"), where, np.zeros(1))[0]
    assert seen[seen.shape[0] // 2 - 5, seen.shape[1] // 2 + 1] < 0  # underfocused: the density is dark


# Templates that are wrong in a stated way ---------------------------------------------------------


def test_a_low_passed_template_is_the_wider_gaussian() -> None:
    # Half of the amplitude at 1/d is a Gaussian of σ = d √(ln 2 / 2π²): variances add, the integral stays.
    resolution = 20.0
    spread = SIGMA**2 + resolution**2 * np.log(2) / (2 * np.pi**2)
    one = ShapesTemplate(shapes=(Gaussian(sigma=SIGMA),), contrast="bright", lowpass=resolution)
    view = views(one, around(), np.zeros(1))[0]
    y, x = box(view).offsets()
    expected = SIGMA**2 / spread * np.exp(-(y**2 + x**2) / (2 * spread))
    assert np.allclose(view, expected, atol=1e-4)  # of a Gaussian cut off at 5 σ, as drawn


def test_a_low_pass_halves_the_spectrum_at_its_resolution() -> None:
    # 40 Å: with fringes and all, in a box large enough that nothing wraps; both are cut to the smaller one.
    lens = Optics(fringes, support=60.0)
    where = around(optics=lens, species={"a": subject()})
    sharp, smooth = (views(SpecimenTemplate(of="a", lowpass=d), where, np.zeros(1))[0] for d in (None, 40.0))
    wide = Grid((400, 400), PIXEL)
    plain, filtered = (fourier.forward(np.pad(v, [(0, 400 - n) for n in v.shape])) for v in (sharp, smooth))
    # Frequency 20 of 800 Å is 1/40 Å.
    assert abs(filtered[0, 20] / plain[0, 20]) == pytest.approx(0.5, rel=2e-3)
    assert wide.frequency_radius()[0, 20] == pytest.approx(1 / 40)


@pytest.mark.parametrize("scale", [0.9, 1.0, 1.07])
def test_a_scaled_template_is_that_of_the_scaled_particle(scale: float) -> None:
    lens = Optics(fringes, support=60.0)
    where = around(optics=lens, species={"a": subject()})
    ours, support = SpecimenTemplate(of="a", scale=scale).images(ANGLES, [None] * len(ANGLES), where)
    larger = tuple(
        Gaussian(sigma=scale * SIGMA, centre={"y": scale * v, "x": scale * u}, weight=w) for v, u, w in SPOTS
    )
    drawn = Subject(lambda grid, angles, _: (draw(larger, grid, angle=a) for a in angles), scale * 30.0, "C1")
    expected = views(SpecimenTemplate(of="b"), around(optics=lens, species={"b": drawn}))
    assert support == pytest.approx(scale * 30.0)
    # Only the height differs, which no search minds; a Gaussian's energy beyond Nyquist is 1e-13.
    assert np.allclose(standardised(ours), standardised(expected), atol=1e-9)


def test_a_defocused_template_is_that_of_the_defocused_lens() -> None:
    def lens(defocus: float) -> Optics:
        member = Ctf(voltage=300, defocus=defocus, spherical_aberration=2.7e7, amplitude_contrast=0.1)
        return Optics(member.transfer, member.support(IMAGE), lambda error: lens(defocus + error))

    species = {"a": subject()}
    ours = views(SpecimenTemplate(of="a", defocus_error=3000.0), around(optics=lens(8000), species=species))
    expected = views(SpecimenTemplate(of="a"), around(optics=lens(11000), species=species))
    assert np.array_equal(ours, expected)
    right = views(SpecimenTemplate(of="a"), around(optics=lens(8000), species=species))
    assert right.shape != ours.shape or not np.allclose(right, ours, atol=1e-3)


def test_without_focus_none_is_wrong() -> None:
    with pytest.raises(ValidationError, match="without optics there is no focus"):
        SpecimenTemplate(of="a", optics="none", contrast="bright", defocus_error=100.0)
    for optics in (None, Optics(fringes, support=60.0)):
        with pytest.raises(ScenarioError, match="no focus") as caught:
            SpecimenTemplate(of="a", defocus_error=100.0).bank(
                "t", around(optics=optics, species={"a": subject()})
            )
        assert caught.value.path == ("defocus_error",)


def test_contrast_is_said_exactly_once() -> None:
    with pytest.raises(ValidationError, match="`contrast: bright` or `dark`"):
        ShapesTemplate(shapes=spot_shapes())
    with pytest.raises(ValidationError, match="the scenario's optics give the contrast"):
        SpecimenTemplate(of="a", contrast="dark")


def test_symmetry_is_the_species_own_unless_written() -> None:
    where = around(species={"a": subject(symmetry="C2")})
    turned = Rotations(step=10)
    assert len(SpecimenTemplate(of="a", rotations=turned).bank("t", where).angles) == 18
    assert len(SpecimenTemplate(of="a", rotations=turned, symmetry="C1").bank("t", where).angles) == 36
    assert SpecimenTemplate(of="a").bank("t", where).finds == "a"
    assert SpecimenTemplate(of="a", finds="b").bank("t", where).finds == "b"


@pytest.mark.parametrize(
    ("step", "fold", "count"), [(5, "C1", 72), (7, "C1", 52), (50, "C5", 2), (400, "C1", 1)]
)
def test_the_turn_is_divided_evenly(step: float, fold: str, count: int) -> None:
    angles = Rotations(step=step).angles(fold)
    assert len(angles) == count
    assert np.allclose(np.diff([*angles, 360 / int(fold[1:])]), 360 / int(fold[1:]) / count)


def test_unknown_species_is_answered_with_a_near_one() -> None:
    with pytest.raises(ScenarioError, match="did you mean `barrel`") as caught:
        SpecimenTemplate(of="barrle").bank("t", around(species={"barrel": subject()}))
    assert caught.value.path == ("of",)
    with pytest.raises(ScenarioError, match="there are none"):
        SpecimenTemplate(of="a").bank("t", around())


def test_nothing_and_too_much_are_refused() -> None:
    empty = ShapesTemplate(shapes=(Disk(radius=10, weight=0.0),), contrast="bright")
    with pytest.raises(ScenarioError, match="constant"):
        empty.bank("t", around())
    large = ShapesTemplate(shapes=(Disk(radius=142),), contrast="bright")
    with pytest.raises(ScenarioError, match="284 Å along x and the image only 282 Å"):
        large.bank("t", around())


def test_fringes_larger_than_the_image_are_cut() -> None:
    lens = Optics(fringes, support=400.0)
    bank = SpecimenTemplate(of="a").bank("t", around(optics=lens, species={"a": subject()}))
    assert bank.images.shape == (1, 149, 141)
    assert bank.support == 30.0


# Templates from pixels --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(31, 31), (32, 32), (24, 37)])
def test_a_picture_at_its_own_pixel_size_keeps_its_pixels(tmp_path: Path, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    write_mrc(tmp_path / "a.mrc", pixels, PIXEL)
    template = ImageTemplate(file=str(tmp_path / "a.mrc"), contrast="bright")
    view = views(template, around(), np.zeros(1))[0]
    top, left = (n // 2 - m // 2 for n, m in zip(shape, view.shape, strict=True))
    assert (top, left) == tuple(1 - n % 2 for n in shape)  # an even box loses its first row or column
    assert np.allclose(view, pixels[top : top + view.shape[0], left : left + view.shape[1]], atol=1e-9)


@pytest.mark.parametrize(("pixel_size", "side"), [(1.1, 80), (2.0, 45), (3.0, 40)])
def test_a_picture_is_resampled_to_the_image(tmp_path: Path, pixel_size: float, side: int) -> None:
    np.save(tmp_path / "a.npy", spots(Grid((side, side), pixel_size)))
    template = ImageTemplate(file=str(tmp_path / "a.npy"), pixel_size=pixel_size, contrast="bright")
    view = views(template, around(), np.zeros(1))[0]
    assert view.shape[0] * PIXEL <= side * pixel_size
    # At 3 Å a Gaussian of σ = 5 Å has e^(−2π²σ²/36) = 1e-6 of its amplitude at Nyquist.
    assert np.allclose(view, spots(box(view)), atol=1e-5)


@pytest.mark.parametrize("side", [60, 61])
def test_a_turned_picture_is_the_picture_of_the_turned(tmp_path: Path, side: int) -> None:
    np.save(tmp_path / "a.npy", 3 + spots(Grid((side, side), 1.5)))
    template = ImageTemplate(
        file=str(tmp_path / "a.npy"), pixel_size=1.5, contrast="bright", rotations=Rotations(step=90)
    )
    for angle, view in zip(ANGLES, views(template, around()), strict=True):
        # The grey of the rim, 3, has become 0; beyond 9 pixels from it the fading is over.
        y, x = box(view).offsets()
        inside = np.hypot(y, x) < side * 1.5 / 2 - 3.5 * 1.5
        assert np.allclose(view[inside], spots(box(view), angle)[inside], atol=1e-4)
        assert abs(view[0, 0]) < 1e-3


def test_the_sign_of_a_picture(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", spots(Grid((45, 45), PIXEL)))
    file = str(tmp_path / "a.npy")
    signs = {
        (dark, contrast): views(
            ImageTemplate(file=file, pixel_size=PIXEL, contrast=contrast, dark=dark), around(), np.zeros(1)
        )
        for dark in (False, True)
        for contrast in ("bright", "dark")
    }
    as_drawn = signs[False, "bright"]
    assert as_drawn.max() > 1
    assert np.array_equal(signs[True, "dark"], as_drawn)
    assert np.array_equal(signs[False, "dark"], -as_drawn)
    assert np.array_equal(signs[True, "bright"], -as_drawn)


def test_picture_refusals(tmp_path: Path) -> None:
    file = str(tmp_path / "a.npy")
    np.save(file, spots(Grid((45, 45), PIXEL)))
    for more, path, text in (
        ({}, ("pixel_size",), "add for example"),
        ({"pixel_size": 2.0, "radius": 46.0}, ("radius",), "at most 45 Å"),
        ({"pixel_size": 20.0}, (), "the image only"),
    ):
        with pytest.raises(ScenarioError, match=text) as caught:
            ImageTemplate(file=file, contrast="dark", **more).bank("t", around())
        assert caught.value.path == path
    np.save(file, np.arange(9.0))
    with pytest.raises(ScenarioError, match="1-D and the image 2-D"):
        ImageTemplate(file=file, contrast="dark", pixel_size=1.0).bank("t", around())
    np.save(file, np.ones((9, 9)))
    with pytest.raises(ScenarioError, match="constant"):
        ImageTemplate(file=file, contrast="dark", pixel_size=2.0).bank("t", around())
    Path(file).write_bytes(b"damaged")
    with pytest.raises(ScenarioError, match="not a readable NPY") as caught:
        ImageTemplate(file=file, contrast="dark", pixel_size=2.0).bank("t", around())
    assert caught.value.path == ("file",)


def test_a_crop_is_a_piece_of_the_micrograph() -> None:
    pixels = np.random.default_rng(2).normal(size=IMAGE.shape).astype(np.float32)
    where = around(pixels=pixels)
    crop = CropTemplate(centre={"y": 60 * PIXEL, "x": 50 * PIXEL}, size={"y": 21 * PIXEL, "x": 30 * PIXEL})
    view, support = crop.images(np.zeros(1), [None], where)
    piece = pixels[50:71, 36:65]
    assert np.allclose(view[0], piece, atol=1e-9)
    assert support == 21 * PIXEL / 2
    assert np.allclose(
        crop.bank("t", where).images[0], standardised(piece[None].astype(float))[0], atol=1e-10
    )


def test_a_crop_between_pixels_shifts_the_image() -> None:
    whole = Grid((121, 121), PIXEL)
    pixels = spots(whole, shift=(0.6, -0.9))
    centre = {"y": 60 * PIXEL + 0.6, "x": 60 * PIXEL - 0.9}
    view = views(CropTemplate(centre=centre, radius=45.0), around(pixels=pixels, image=whole), np.zeros(1))[0]
    assert np.allclose(view, spots(box(view)), atol=1e-6)  # band-limited to 1e-13: see above


def test_a_turned_crop() -> None:
    whole = Grid((121, 121), PIXEL)
    crop = CropTemplate(centre={"y": 120.0, "x": 120.0}, radius=50.0, rotations=Rotations(step=90))
    for angle, view in zip(ANGLES, views(crop, around(pixels=spots(whole), image=whole)), strict=True):
        y, x = box(view).offsets()
        inside = np.hypot(y, x) < 50.0 - 3 * PIXEL
        assert np.allclose(view[inside], spots(box(view), angle)[inside], atol=1e-3)


def test_a_crop_from_a_file_of_other_pixels(tmp_path: Path) -> None:
    file = str(tmp_path / "a.mrc")
    write_mrc(Path(file), spots(Grid((161, 161), 1.25)), 1.25)
    view = views(
        CropTemplate(file=file, centre={"y": 100.0, "x": 100.0}, radius=44.0), around(), np.zeros(1)
    )[0]
    assert np.allclose(view, spots(box(view)), atol=1e-4)  # cut at 44 Å, where 1e-5 is left


def test_crop_refusals() -> None:
    pixels = np.random.default_rng(2).normal(size=IMAGE.shape)
    where = around(pixels=pixels)
    inside = {"y": 100.0, "x": 100.0}
    for fields, path, text in (
        ({"centre": {"y": 10.0, "x": 100.0}, "radius": 20.0}, ("centre",), r"from -8 Å to 28 Å along y"),
        ({"centre": {"y": 100.0, "x": 275.0}, "radius": 20.0}, ("centre",), r"along x; .* 0 Å to 280 Å"),
        ({"centre": inside, "radius": 200.0}, (), "search a larger image"),
        ({"centre": inside, "size": {"y": 40.0, "x": 0.0}}, ("size",), "more than `0 Å`"),
        ({"centre": inside, "size": {"y": 40.0, "x": 50.0}, "radius": 21.0}, ("radius",), "at most 20 Å"),
    ):
        with pytest.raises(ScenarioError, match=text) as caught:
            CropTemplate(**fields).bank("t", where)
        assert caught.value.path == path
    with pytest.raises(ValidationError, match="how much to cut"):
        CropTemplate(centre=inside)
    with pytest.raises(ValidationError, match="is known"):
        CropTemplate(centre=inside, radius=3.0, pixel_size=2.0)
    with pytest.raises(ValidationError, match="not both"):
        CropTemplate(centre=inside, radius=3.0, micrograph=0, file=__file__)


def test_cut_out_in_one_dimension() -> None:
    assert cut_out(np.arange(20.0), 2.0, centre=[16.0], size=[10.0]).tolist() == [6, 7, 8, 9, 10]
