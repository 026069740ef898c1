"""Image files: what is read back against what other libraries wrote, and the other way round."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
from PIL import Image

from simkit.core.errors import DataError
from simkit.io.images import read_image
from simkit.io.mrc import write_mrc

SHARED = Path(__file__).parents[3] / "shared" / "data"
RAMP = np.arange(35).reshape(5, 7)


def raises(file: Path, text: str) -> None:
    with pytest.raises(DataError, match=text) as caught:
        read_image(file)
    assert caught.value.file == str(file)


# MRC -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixel_size", [4.4, 0.885, 1.0, 12.34567])
def test_written_mrc_is_what_mrcfile_reads(tmp_path: Path, pixel_size: float) -> None:
    file = tmp_path / "a.mrc"
    write_mrc(file, RAMP, pixel_size)
    with mrcfile.open(file) as mrc:
        assert mrc.data.dtype == np.float32
        assert np.array_equal(mrc.data, RAMP)
        assert float(mrc.voxel_size.x) == pytest.approx(pixel_size, rel=1e-6)  # the header is float32
        assert float(mrc.voxel_size.y) == pytest.approx(pixel_size, rel=1e-6)
    assert mrcfile.validate(str(file))
    assert read_image(file).pixel_size == pytest.approx(pixel_size, rel=1e-5)


def test_read_pixel_size_is_the_written_one(tmp_path: Path) -> None:
    assert float(np.float32(4.4)) != 4.4  # what the header holds, and what must not reach a report
    write_mrc(tmp_path / "a.mrc", RAMP, 4.4)
    assert read_image(tmp_path / "a.mrc").pixel_size == 4.4


def test_mrc_is_the_same_bytes_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datetime

    from mrcfile import mrcobject

    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime.datetime:
            return datetime.datetime(2042, 1, 2, 3, 4, 5)

    write_mrc(tmp_path / "a.mrc", RAMP, 2.0)
    monkeypatch.setattr(mrcobject, "datetime", Later)
    write_mrc(tmp_path / "b.mrc", RAMP, 2.0)
    assert (tmp_path / "a.mrc").read_bytes() == (tmp_path / "b.mrc").read_bytes()
    assert b"2042" not in (tmp_path / "b.mrc").read_bytes()


def test_mrc_refuses_one_dimension(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two-dimensional"):
        write_mrc(tmp_path / "a.mrc", np.zeros(4), 1.0)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.float16, np.float32])
def test_every_real_mrc_mode_is_read(tmp_path: Path, dtype: type) -> None:
    with mrcfile.new(tmp_path / "a.mrc", RAMP.astype(dtype)) as mrc:
        mrc.voxel_size = 1.5
    image = read_image(tmp_path / "a.mrc")
    assert image.pixels.dtype == np.float64
    assert np.array_equal(image.pixels, RAMP)
    assert image.pixel_size == 1.5


def test_one_section_is_an_image_and_a_silent_header_has_no_pixel_size(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrc", RAMP[None].astype(np.float32)):
        pass
    image = read_image(tmp_path / "a.mrc")
    assert image.pixels.shape == (5, 7)
    assert image.pixel_size is None


def test_mrc_refusals(tmp_path: Path) -> None:
    file = tmp_path / "a.mrc"
    with mrcfile.new(file, np.zeros((3, 4, 5), np.float32)):
        pass
    raises(file, r"3-dimensional data of shape \(3, 4, 5\)")
    with mrcfile.new(file, np.ones((4, 5), np.complex64), overwrite=True):
        pass
    raises(file, "complex")
    with mrcfile.new(file, np.ones((4, 5), np.float32), overwrite=True) as mrc:
        mrc.voxel_size = (1.0, 2.0, 1.0)
    raises(file, "2 Å high and 1 Å wide")
    write_mrc(file, RAMP, 1.0)
    file.write_bytes(file.read_bytes()[:1100])
    raises(file, "not a readable MRC")
    file.write_bytes(b"not an image at all")
    raises(file, "not a readable MRC")
    file.write_bytes(b"")
    raises(file, "not a readable MRC")


# TIFF, PNG, JPEG, NPY -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.uint32, np.float32])
def test_tiff_depths(tmp_path: Path, dtype: type) -> None:
    tifffile.imwrite(tmp_path / "a.tif", RAMP.astype(dtype), photometric="minisblack")
    assert np.array_equal(read_image(tmp_path / "a.tif").pixels, RAMP)
    assert read_image(tmp_path / "a.tif").pixel_size is None


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
        (np.array([[1.0, np.nan, np.inf]]), "2 pixels are not finite"),
    ],
)
def test_npy_refusals(tmp_path: Path, array: np.ndarray, text: str) -> None:
    np.save(tmp_path / "a.npy", array)
    raises(tmp_path / "a.npy", text)


def test_npy_never_runs_code(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    raises(tmp_path / "a.npy", "not a readable NPY")
    np.savez(tmp_path / "a.npz", RAMP)
    (tmp_path / "a.npz").rename(tmp_path / "b.npy")
    raises(tmp_path / "b.npy", "NPZ")


def test_no_file_and_no_format(tmp_path: Path) -> None:
    raises(tmp_path / "none.png", "no such file")
    raises(tmp_path / "image.dm4", r"read from \.mrc")
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


@pytest.mark.real_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="the measured images are not here (../shared/data)")
def test_a_map_is_not_an_image() -> None:
    raises(SHARED / "maps/ribosome_70S_4v4r_5A.mrc", "3-dimensional")
