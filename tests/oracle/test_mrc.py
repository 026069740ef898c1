"""MRC and maps: mrcfile and gemmi as second implementations, and headers packed by hand for the odd ones."""

from __future__ import annotations

import bz2
import gzip
import itertools
import struct
import sys
import tracemalloc
from pathlib import Path

import gemmi
import mrcfile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkit.core.errors import DataError
from simkit.io.images import open_image, read_image
from simkit.io.mrc import write_mrc
from simkit.io.volumes import read_volume

sys.path.insert(0, str(Path(__file__).parent))
from image_samples import mrc_bytes

SHARED = Path(__file__).parents[3] / "shared" / "data"
RAMP = np.arange(35).reshape(5, 7)
BOX = np.random.default_rng(3).normal(size=(3, 4, 5)).astype(np.float32)


def raises(file: Path, text: str, reader: object = read_image) -> None:
    with pytest.raises(DataError, match=text) as caught:
        reader(file)
    assert caught.value.file == str(file)


def hand_made(folder: Path, *args: object, **kwargs: object) -> Path:
    file = folder / "a.mrc"
    file.write_bytes(mrc_bytes(*args, **kwargs))
    return file


# Written -----------------------------------------------------------------------------------------


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


# What mrcfile writes -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.float16, np.float32])
@pytest.mark.parametrize(("suffix", "packing"), [("", None), (".gz", "gzip"), (".bz2", "bzip2")])
def test_every_real_mode_is_read_packed_or_not(
    tmp_path: Path, dtype: type, suffix: str, packing: str | None
) -> None:
    values = (RAMP - 17 if np.issubdtype(dtype, np.signedinteger) else RAMP).astype(dtype)
    for name in ("a.mrc", "a.rec", "a.CCP4"):
        file = tmp_path / (name + suffix)
        with mrcfile.new(file, values, compression=packing) as mrc:
            mrc.voxel_size = 1.5
        image = read_image(file)
        assert image.pixels.dtype == np.float64
        assert np.array_equal(image.pixels, values)
        assert image.pixel_size == 1.5


def test_packed_under_a_plain_name(tmp_path: Path) -> None:
    file = hand_made(tmp_path, RAMP.astype("i2"), 1)
    file.write_bytes(gzip.compress(file.read_bytes()))
    assert np.array_equal(read_image(file).pixels, RAMP)


def test_one_section_is_an_image_and_a_silent_header_has_no_pixel_size(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrcs", RAMP[None].astype(np.float32)):
        pass
    image = read_image(tmp_path / "a.mrcs")
    assert image.pixels.shape == (5, 7)
    assert image.pixel_size is None


def test_extended_header_is_passed_over(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrc", RAMP.astype(np.float32)) as mrc:
        mrc.set_extended_header(np.arange(77, dtype=np.uint8))
    assert np.array_equal(read_image(tmp_path / "a.mrc").pixels, RAMP)


# Odd headers -------------------------------------------------------------------------------------

STAMPS = [None, b"\0\0\0\0", b"\x44\x44\0\0", b"\x11\x11\0\0", b"DA\0\0", b"\xff\x00AB"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("stamp", STAMPS)
@pytest.mark.parametrize(("mode", "dtype"), [(0, "i1"), (1, "i2"), (2, "f4"), (6, "u2"), (12, "f2")])
def test_byte_order_is_the_one_that_makes_sense(
    tmp_path: Path, order: str, stamp: bytes | None, mode: int, dtype: str
) -> None:
    for word in (b"MAP ", b"\0\0\0\0"):
        file = hand_made(
            tmp_path, RAMP.astype(dtype), mode, order=order, stamp=stamp, word=word, cell=(14.0, 10.0, 2.0)
        )
        image = read_image(file)
        assert np.array_equal(image.pixels, RAMP)
        assert image.pixel_size == 2.0


@pytest.mark.parametrize(
    ("flags", "largest", "signed"),
    [
        (None, 90, True),
        (None, float("nan"), True),
        (None, 0, True),
        (None, 200, False),
        (0, 90, False),
        (1, 90, True),
        (1, 200, True),
    ],
)
def test_sign_of_bytes(tmp_path: Path, flags: int | None, largest: float, signed: bool) -> None:
    stored = np.array([[0, 1, 127, -128, -1]], np.int8)
    file = hand_made(tmp_path, stored, 0, imod_flags=flags, largest=largest)
    assert np.array_equal(read_image(file).pixels, stored if signed else stored.view(np.uint8))


@pytest.mark.parametrize(
    ("samples", "cell", "size"),
    [
        ((7, 5, 1), (14.0, 10.0, 1.0), 2.0),
        ((14, 14, 14), (21.0, 21.0, 21.0), 1.5),  # a part of a larger map: cell / m, not cell / n
        ((0, 0, 0), (14.0, 10.0, 1.0), None),
        ((7, 5, 1), (0.0, 0.0, 0.0), None),
        ((7, 5, 1), (-14.0, -10.0, -1.0), None),
        ((-7, -5, 1), (14.0, 10.0, 1.0), None),
        ((7, 5, 1), (float("nan"), float("nan"), 1.0), None),
        ((7, 5, 1), (float("inf"), float("inf"), 1.0), None),
        ((7, 5, 1), (7e-10, 5e-10, 1.0), None),  # metres, or rubbish
        ((7, 5, 1), (14.0, 0.0, 1.0), None),
    ],
)
def test_pixel_size_is_cell_over_samples_or_nothing(
    tmp_path: Path, samples: tuple[int, ...], cell: tuple[float, ...], size: float | None
) -> None:
    file = hand_made(tmp_path, RAMP.astype("f4"), 2, samples=samples, cell=cell)
    assert open_image(file).pixel_size == size


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"mode": 3}, "complex numbers .mode 3"),
        ({"mode": 4}, "complex numbers .mode 4"),
        ({"mode": 16}, "colours"),
        ({"mode": 101}, "four bits"),
        ({"mode": 0, "imod_flags": 17}, "four bits"),
        ({"mode": 7}, r"7 × 5 × 1 pixels of mode 7.*read are modes 0, 1, 2, 6, 12"),
        ({"shape": (0, 7)}, "7 × 0 × 1 pixels"),
        ({"shape": (-5, 7)}, "-5"),
        ({"shape": (5, 8)}, "promises 1184 bytes, the file has 1164"),
        ({"shape": (5, 6)}, "promises 1144 bytes, the file has 1164"),
        ({"cell": (7.0, 10.0, 1.0)}, "2 Å high and 1 Å wide"),
        ({"axes": (2, 1, 3)}, "columns and rows of this image run along y and x"),
        ({"axes": (1, 1, 3)}, "must be 1, 2, 3 in some order"),
        ({"axes": (1, 2, 9)}, "must be 1, 2, 3 in some order"),
    ],
)
@pytest.mark.parametrize("packing", [None, gzip, bz2])
def test_refusals(tmp_path: Path, change: dict[str, object], text: str, packing: object) -> None:
    options = {"mode": 2, **change}
    file = hand_made(tmp_path, RAMP.astype("f4"), options.pop("mode"), **options)
    if packing is not None:
        file.write_bytes(packing.compress(file.read_bytes()))
        text = text.replace("1144 bytes, the file has 1164", "1144 bytes, the file has more")
    # How much is packed shows only when it is unpacked; all else is said by the header.
    raises(file, text, read_image if packing is not None and "promises" in text else open_image)


def test_a_packed_file_is_opened_without_being_unpacked(tmp_path: Path) -> None:
    file = hand_made(tmp_path, RAMP.astype("f4"), 2)
    whole = gzip.compress(file.read_bytes(), 0)
    file.write_bytes(whole[:1100])
    assert open_image(file).shape == RAMP.shape
    raises(file, "not a readable MRC")


def test_short_files(tmp_path: Path) -> None:
    file = tmp_path / "a.mrc"
    file.write_bytes(b"not an image at all")
    raises(file, "a header has 1024 bytes, the file 19")
    file.write_bytes(b"words " * 400)
    raises(file, "not a readable MRC")
    file.write_bytes(b"")
    raises(file, "empty")
    whole = gzip.compress(mrc_bytes(RAMP.astype("f4"), 2))
    file.write_bytes(whole[:-12])
    raises(file, "not a readable MRC")
    file.write_bytes(mrc_bytes(RAMP.astype("f4"), 2, extension=b"\0" * 80)[:-80])
    raises(file, "promises 1244 bytes, the file has 1164")


def test_a_stack_and_axes_of_zeros(tmp_path: Path) -> None:
    raises(hand_made(tmp_path, BOX, 2), r"3-dimensional data of shape \(3, 4, 5\)")
    assert read_image(hand_made(tmp_path, RAMP.astype("f4"), 2, axes=(0, 0, 0))).pixels.shape == (5, 7)


# Laziness ----------------------------------------------------------------------------------------


def test_a_huge_file_is_opened_without_being_read(tmp_path: Path) -> None:
    file, n = tmp_path / "huge.mrc", 46340  # 8 GiB of pixels
    with file.open("wb") as stream:
        stream.write(mrc_bytes(np.zeros((0, 0), np.float32), 2, shape=(n, n), cell=(n, n, 1.0)))
        stream.truncate(1024 + 4 * n * n)  # sparse: no disk is used
    tracemalloc.start()
    try:
        image = open_image(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert image.shape == (n, n)
    assert image.pixel_size == 1.0
    assert peak < 2**20  # the header and Python's own; one row in a thousand would be more
    assert isinstance(values := image._stored.load(), np.memmap)
    assert values[0, n - 1, n - 1] == 0  # of which only this page is touched


# Maps --------------------------------------------------------------------------------------------


def voxel_sizes(cell: tuple[float, ...], samples: tuple[int, ...]) -> tuple[float, ...]:
    return tuple(a / m for a, m in zip(cell, samples, strict=True))[::-1]


@pytest.mark.parametrize("axes", list(itertools.permutations((1, 2, 3))))
@pytest.mark.parametrize("order", ["<", ">"])
def test_six_orders_of_axes_as_gemmi_has_them(tmp_path: Path, axes: tuple[int, ...], order: str) -> None:
    # In the file: sections, rows, columns along maps, mapr, mapc. In memory gemmi has x, y, z.
    sizes = dict(zip(axes, BOX.shape[::-1], strict=True))
    samples, cell = tuple(sizes[i] for i in (1, 2, 3)), tuple(sizes[i] * (0.5 + i) for i in (1, 2, 3))
    file = hand_made(tmp_path, BOX, 2, order=order, axes=axes, samples=samples, cell=cell, space_group=1)
    volume = read_volume(file)
    peer = gemmi.read_ccp4_map(str(file), setup=True)
    assert np.array_equal(volume.values, np.asarray(peer.grid.array).transpose(2, 1, 0))
    assert volume.voxel_size == pytest.approx(voxel_sizes(cell, samples), rel=1e-6)  # float32 header
    assert volume.voxel_size == pytest.approx(peer.grid.spacing[::-1], rel=1e-6)


@given(
    st.tuples(*[st.integers(2, 6)] * 3),
    st.permutations((1, 2, 3)),
    st.sampled_from(["i1", "i2", "u2", "f2", "f4"]),
)
def test_a_map_is_where_its_axes_say(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, ...], axes: list[int], dtype: str
) -> None:
    stored = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    mode = {"i1": 0, "i2": 1, "f4": 2, "u2": 6, "f2": 12}[dtype]
    sizes = dict(zip(axes, shape[::-1], strict=True))
    samples = (sizes[1], sizes[2], sizes[3])
    file = hand_made(tmp_path_factory.mktemp("map"), stored, mode, axes=axes, samples=samples, cell=samples)
    values = read_volume(file).values
    assert values.dtype == np.float32
    for index in np.ndindex(shape):  # brute force: (section, row, column) → (z, y, x)
        along = dict(zip(axes[::-1], index, strict=True))
        assert values[along[3], along[2], along[1]] == stored[index]


def test_a_declared_voxel_size_goes_first_and_a_silent_header_asks(tmp_path: Path) -> None:
    file = hand_made(tmp_path, BOX, 2, cell=(5.0, 8.0, 9.0))
    assert read_volume(file).voxel_size == (3.0, 2.0, 1.0)
    assert read_volume(file, voxel_size=1.5).voxel_size == (1.5, 1.5, 1.5)
    for cell in [(0.0, 0.0, 0.0), (5.0, 4.0, -3.0), (5.0, 4.0, float("nan")), (5.0, 0.0, 3.0)]:
        raises(hand_made(tmp_path, BOX, 2, cell=cell), "size of a voxel", read_volume)
        assert read_volume(file, voxel_size=2.0).voxel_size == (2.0, 2.0, 2.0)
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(DataError, match="must be more than 0"):
            read_volume(file, voxel_size=wrong)


def test_maps_that_are_refused(tmp_path: Path) -> None:
    whole = {"cell": (5.0, 4.0, 3.0)}
    skew = hand_made(tmp_path, BOX, 2, angles=(90.0, 90.0, 120.0), **whole)
    raises(skew, "90°, 90°, 120°; resample", read_volume)
    raises(hand_made(tmp_path, RAMP.astype("f4"), 2), "three dimensions", read_volume)
    holes = BOX.copy()
    holes[0, 0, :2] = np.nan, np.inf
    raises(hand_made(tmp_path, holes, 2, **whole), "2 pixels are not finite", read_volume)
    pair = np.zeros((6, 4, 5), np.float32)
    stack = hand_made(tmp_path, pair, 2, samples=(5, 4, 3), space_group=401, **whole)
    raises(stack, r"shape \(2, 3, 4, 5\)", read_volume)
    (tmp_path / "a.mrcs").write_bytes(stack.read_bytes())
    raises(tmp_path / "a.mrcs", "maps are read from .mrc, .map", read_volume)


@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.0), (90.0, 90.0, 90.0), (90.0, 90.001, 90.0)])
@pytest.mark.parametrize("space_group", [0, 1, 4, 401])
def test_maps_that_are_taken(tmp_path: Path, angles: tuple[float, ...], space_group: int) -> None:
    file = hand_made(tmp_path, BOX, 2, angles=angles, space_group=space_group, cell=(5.0, 4.0, 3.0))
    assert np.array_equal(read_volume(file).values, BOX)


def test_nstart_and_origin_are_ignored(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.map", BOX) as mrc:
        mrc.voxel_size, mrc.nstart, mrc.header.origin.x = 2.0, (5, 6, 7), -40.0
    volume = read_volume(tmp_path / "a.map")
    assert np.array_equal(volume.values, BOX)
    assert volume.voxel_size == (2.0, 2.0, 2.0)


def test_other_maps(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", BOX.astype(float))
    raises(tmp_path / "a.npy", "declare it", read_volume)
    volume = read_volume(tmp_path / "a.npy", voxel_size=1.2)
    assert volume.values.dtype == np.float64
    assert np.array_equal(volume.values, BOX)


@pytest.mark.real_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="the measured maps are not here (../shared/data)")
@pytest.mark.parametrize(("name", "n"), [("proteasome_20S_3j9i_5A", 75), ("ribosome_70S_4v4r_5A", 92)])
def test_measured_maps(name: str, n: int) -> None:
    file = SHARED / "maps" / f"{name}.mrc"
    volume = read_volume(file)
    assert volume.voxel_size == (5.0, 5.0, 5.0)
    with mrcfile.open(file) as mrc:
        assert np.array_equal(volume.values, mrc.data)
    assert volume.values.shape == (n, n, n)
    assert struct.unpack("<f", file.read_bytes()[80:84])[0] == volume.values.max()
    raises(file, "3-dimensional")
