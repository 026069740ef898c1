"""Image files: what is read back against what other libraries wrote, and the other way round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from simkit.core.errors import DataError
from simkit.io.images import open_image, read_image

SHARED = Path(__file__).parents[3] / "shared" / "data"
RAMP = np.arange(35).reshape(5, 7)


def raises(file: Path, text: str) -> None:
    with pytest.raises(DataError, match=text) as caught:
        read_image(file)
    assert caught.value.file == str(file)


# TIFF, PNG, JPEG, NPY -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.uint32, np.float32])
def test_tiff_depths(tmp_path: Path, dtype: type) -> None:
    tifffile.imwrite(tmp_path / "a.tif", RAMP.astype(dtype), photometric="minisblack")
    assert np.array_equal(read_image(tmp_path / "a.tif").pixels, RAMP)
    assert read_image(tmp_path / "a.tif").pixel_size is None


@pytest.mark.parametrize(
    ("unit", "per_unit", "size"),
    [
        ("nm", 5.0, 2.0),
        ("Å", 0.5, 2.0),
        ("micron", 5e3, 2.0),
        ("µm", 5e3, 2.0),
        ("\\u00B5m", 5e3, 2.0),
        ("pm", 0.005, 2.0),
        ("cm", 5e7, 2.0),
        ("inch", 127e6, 2.0),
        ("pixel", 1.0, None),
        ("1/nm", 5.0, None),
        ("nm", 0.0, None),
    ],
)
def test_pixel_size_by_imagej(tmp_path: Path, unit: str, per_unit: float, size: float | None) -> None:
    # tifffile writes ASCII alone, as ImageJ does: µ and Å as \\u00B5 and \\u00C5 in letters.
    written = unit.encode("ascii", "backslashreplace").decode().replace("\\x", "\\u00")
    file = tmp_path / "a.tif"
    tifffile.imwrite(
        file, RAMP.astype("f4"), imagej=True, resolution=(per_unit, per_unit), metadata={"unit": written}
    )
    assert open_image(file).pixel_size == (None if size is None else pytest.approx(size, rel=1e-6))


@pytest.mark.parametrize(
    ("unit", "per_unit", "size"),
    [
        ("CENTIMETER", 5e7, 2.0),
        ("INCH", 127e6, 2.0),
        ("INCH", 72, None),  # a screen
        ("INCH", 4800, None),  # a fine scanner: 5 µm
        ("CENTIMETER", 118.11, None),  # a printer
        ("NONE", 5e7, None),
    ],
)
def test_resolution_tags_count_where_no_printer_is_as_fine(
    tmp_path: Path, unit: str, per_unit: float, size: float | None
) -> None:
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, RAMP.astype("u2"), resolution=(per_unit, per_unit), resolutionunit=unit)
    assert open_image(file).pixel_size == (None if size is None else pytest.approx(size, rel=1e-6))


def ome(file: Path, sizes: dict[str, object], **options: object) -> Path:
    tifffile.imwrite(file, RAMP.astype("f4"), ome=True, metadata={"axes": "YX", **sizes}, **options)
    return file


def test_pixel_size_by_ome(tmp_path: Path) -> None:
    file = tmp_path / "a.ome.tif"
    both = {"PhysicalSizeX": 0.44, "PhysicalSizeY": 0.44}
    assert open_image(ome(file, both)).pixel_size == 4400  # OME's default unit is µm
    in_nm = {**both, "PhysicalSizeXUnit": "nm", "PhysicalSizeYUnit": "nm"}
    assert open_image(ome(file, in_nm)).pixel_size == 4.4
    assert open_image(ome(file, {**in_nm, "PhysicalSizeXUnit": "pixel"})).pixel_size is None
    tags = {"resolutionunit": "CENTIMETER", "resolution": (1e8 / 4.4, 1e8 / 4.4)}
    assert open_image(ome(file, in_nm, **tags)).pixel_size == 4.4
    ome(file, in_nm, resolutionunit="CENTIMETER", resolution=(1e8 / 4.5, 1e8 / 4.5))
    raises(file, "contradicts itself: a pixel is 4.4 Å by its OME image 0 and 4.5 Å by its resolution tag")
    raises(ome(file, {**in_nm, "PhysicalSizeY": 0.88}), "8.8 Å high and 4.4 Å wide")


def test_a_tiff_that_is_cut_is_refused_at_opening(tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    grain = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    tifffile.imwrite(file, grain)
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    with pytest.raises(DataError, match=f"end at byte {len(whole)}, the file at {len(whole) - 10}"):
        open_image(file)
    tifffile.imwrite(file, grain, rowsperstrip=64)
    lying = bytearray(file.read_bytes())
    with tifffile.TiffFile(file) as tiff:
        at = tiff.pages.first.tags["ImageLength"].valueoffset
    lying[at : at + 2] = (999).to_bytes(2, "little")
    file.write_bytes(lying)
    with pytest.raises(DataError, match=f"promises {999 * 64} bytes of pixels, and has {64 * 64}"):
        open_image(file)


def test_tiff_colour_and_stack(tmp_path: Path) -> None:
    red = np.zeros((5, 7, 3), np.uint8)
    red[..., 0] = 100
    tifffile.imwrite(tmp_path / "a.tif", red, photometric="rgb")
    assert np.allclose(read_image(tmp_path / "a.tif").pixels, 29.9)
    planar = np.moveaxis(red, -1, 0)
    tifffile.imwrite(tmp_path / "p.tif", planar, photometric="rgb", planarconfig="separate")
    assert np.allclose(read_image(tmp_path / "p.tif").pixels, 29.9)
    tifffile.imwrite(tmp_path / "s.tiff", np.zeros((3, 5, 7), np.uint8), photometric="minisblack")
    raises(tmp_path / "s.tiff", "stack of 3 pages")
    # ImageJ keeps a large stack behind one page, and says so in its own words alone.
    large = "ImageJ=1.53\nimages=3\nslices=3\n"
    tifffile.imwrite(tmp_path / "s.tiff", np.zeros((5, 7), np.uint8), description=large, metadata=None)
    raises(tmp_path / "s.tiff", "stack of 3 pages")
    (tmp_path / "s.tiff").write_bytes(b"II*\x00junk")
    raises(tmp_path / "s.tiff", "not a readable TIFF")


def test_png_of_16_bits_keeps_them_all(tmp_path: Path) -> None:
    deep = (RAMP * 1873 + 1).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png").pixels, deep)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "1"])
def test_every_kind_of_png_shows_the_same_grey(tmp_path: Path, mode: str) -> None:
    grey = np.where(RAMP % 2, 255, 0).astype(np.uint8)
    Image.fromarray(grey).convert(mode).save(tmp_path / "a.png")
    pixels = read_image(tmp_path / "a.png").pixels
    assert np.allclose(pixels / pixels.max(), grey / 255, atol=1e-12)


def test_luminance_and_transparency(tmp_path: Path) -> None:
    colours = np.zeros((1, 4, 4), np.uint8)
    colours[0] = [(200, 0, 0, 255), (0, 200, 0, 255), (0, 0, 200, 255), (200, 200, 200, 51)]
    Image.fromarray(colours).save(tmp_path / "a.png")
    assert np.allclose(read_image(tmp_path / "a.png").pixels, [[59.8, 117.4, 22.8, 40.0]])


def test_jpeg_is_turned_as_the_camera_says(tmp_path: Path) -> None:
    halves = np.zeros((8, 16), np.uint8)
    halves[:, 8:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90° clockwise
    Image.fromarray(halves).save(tmp_path / "a.jpg", quality=100, exif=exif)
    pixels = read_image(tmp_path / "a.jpg").pixels
    assert pixels.shape == (16, 8)
    assert pixels[:8].max() < 20 < 230 < pixels[8:].min()


def test_shapes_are_known_before_decoding(tmp_path: Path) -> None:
    exif = Image.Exif()
    for orientation in range(1, 9):
        exif[0x0112] = orientation
        Image.fromarray(np.zeros((8, 16), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
        image = open_image(tmp_path / "a.jpg")
        assert image.shape == image.pixels().shape == ((8, 16) if orientation < 5 else (16, 8))
    Image.fromarray(np.zeros((8, 16), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:45])
    assert open_image(tmp_path / "a.png").shape == (8, 16)  # of a file whose pixels are gone
    raises(tmp_path / "a.png", "not a readable PNG")


def test_an_animation_is_not_an_image(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((8, 8), grey, np.uint8)) for grey in (0, 100)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    raises(tmp_path / "a.png", "animation of 2 frames")


def test_broken_pictures(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg"):
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
        raises(tmp_path / name, "not a readable")
    grain = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    for name, text in (("b.png", "not a readable PNG"), ("b.jpg", "not a readable JPG")):
        Image.fromarray(grain).save(tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        raises(tmp_path / name, text)
    (tmp_path / "c.png").write_bytes(b"no picture at all")
    raises(tmp_path / "c.png", "cannot identify image file")


def test_a_jpeg_of_several_pictures_shows_the_first(tmp_path: Path) -> None:
    flat = [Image.new("L", (40, 30), grey) for grey in (90, 200)]
    flat[0].save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=flat[1:])
    image = read_image(tmp_path / "a.jpg").pixels
    assert image.shape == (30, 40)
    assert abs(image.mean() - 90) < 1  # lossy


def test_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", RAMP)
    assert np.array_equal(read_image(str(tmp_path / "a.npy")).pixels, RAMP)
    np.save(tmp_path / "a.npy", RAMP[0])
    assert read_image(tmp_path / "a.npy").pixels.shape == (7,)


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros((2, 3, 4)), "3-dimensional"),
        (np.array(1.0), "0-dimensional"),
        (np.zeros((0, 4)), "no pixels"),
        (np.ones((2, 2), complex), "complex"),
        (np.array([["a"]]), "not numbers"),
        (np.array([{}], object), "not numbers"),
        (np.zeros(3, [("a", "f4")]), "not numbers"),
        (np.array([[1.0, np.nan, np.inf]]), "2 pixels are not finite"),
    ],
)
def test_npy_refusals(tmp_path: Path, array: np.ndarray, text: str) -> None:
    np.save(tmp_path / "a.npy", array)
    raises(tmp_path / "a.npy", text)


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_npy_is_mapped_in_either_order_and_byte_order(tmp_path: Path, version: tuple[int, int]) -> None:
    file = tmp_path / "a.npy"
    for array in (np.asfortranarray(RAMP), RAMP.astype(">f4"), RAMP > 17):
        with file.open("wb") as stream:
            np.lib.format.write_array(stream, array, version)
        assert np.array_equal(read_image(file).pixels, array)
        assert type(read_image(file).pixels) is np.ndarray
        assert isinstance(open_image(file)._stored.load(), np.memmap)


def test_an_npy_whose_header_lies_is_refused_at_opening(tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    np.save(file, RAMP.astype(np.int16))
    whole = file.read_bytes()
    for changed in (whole[:-1], whole + b"\0"):
        file.write_bytes(changed)
        with pytest.raises(DataError, match=f"promises {len(whole)} bytes, the file has {len(changed)}"):
            open_image(file)
    file.write_bytes(whole.replace(b"(5, 7)", b"(-5,7)"))
    raises(file, "promises|no pixels")


def test_npy_never_runs_code(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    raises(tmp_path / "a.npy", "not numbers")
    np.savez(tmp_path / "a.npz", RAMP)
    (tmp_path / "a.npz").rename(tmp_path / "b.npy")
    raises(tmp_path / "b.npy", "NPZ")


def test_no_file_and_no_format(tmp_path: Path) -> None:
    raises(tmp_path / "none.png", "no such file")
    raises(tmp_path / "image.bmp", r"read from \.mrc")
    raises(tmp_path / "no_extension", r"read from \.mrc")
    raises(tmp_path / "a.png.gz", r"read from \.mrc")
    (tmp_path / "folder.png").mkdir()
    raises(tmp_path / "folder.png", "no such file")


# Measured images -----------------------------------------------------------------------------------


@pytest.mark.real_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="the measured images are not here (../shared/data)")
@pytest.mark.parametrize(
    ("name", "shape", "largest"),
    [
        ("apoferritin/May08_03.05.02.png", (1200, 1240), 65535),
        ("hemocyanin/KLH.tif", (844, 760), 240),
        ("hemocyanin/01nov26b.008.001.001.002.png", (2048, 2048), 255),
    ],
)
def test_measured_images(name: str, shape: tuple[int, int], largest: int) -> None:
    pixels = read_image(SHARED / name).pixels
    assert pixels.shape == shape
    assert pixels.max() == largest
