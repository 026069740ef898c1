"""Images in HDF5: every layout, written here by the layout's own rules, and what is left open."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from simkit.core.errors import DataError
from simkit.core.paths import DataFile, split_dataset
from simkit.io.images import open_image, read_image
from simkit.io.volumes import read_volume

sys.path.insert(0, str(Path(__file__).parent))
from image_samples import write_berkeley, write_hyperspy, write_nexus, write_velox

SHARED = Path(__file__).parents[3] / "shared" / "data"
RAMP = np.arange(35).reshape(5, 7)
LAYOUTS = {
    "a.hspy": (write_hyperspy, "/Experiments/image/data"),
    "a.nxs": (write_nexus, "/entry/scan/counts"),
    "b.emd": (write_berkeley, "/data/single/data"),
}


def raises(path: object, text: str, reader: Callable[..., object] = open_image) -> None:
    with pytest.raises(DataError, match=text) as caught:
        reader(path)
    assert caught.value.file.startswith(split_dataset(str(path))[0])


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("dtype", ["u1", ">u2", "i4", "<f2", ">f8"])
def test_a_layout_says_which_array_and_how_large(tmp_path: Path, name: str, dtype: str) -> None:
    write, place = LAYOUTS[name]
    write(tmp_path / name, RAMP.astype(dtype))
    for path in (tmp_path / name, f"{tmp_path / name}:{place}", Path(f"{tmp_path / name}:{place}")):
        image = open_image(path)
        assert image.name == f"{tmp_path / name}:{place}"
        assert image.pixel_size == pytest.approx(1.0, rel=1e-6)  # 0.1 nm; coordinates in float32
        assert image.shape == (5, 7)
        assert np.array_equal(image.pixels(), RAMP)
        assert image.pixels().dtype == np.float64
    group = place.rsplit("/", 1)[0]
    assert np.array_equal(read_image(f"{tmp_path / name}:{group}").pixels, RAMP)


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize(
    ("unit", "size"),
    [
        *[("nm", 1), ("Å", 0.1), ("A", 0.1), ("angstrom", 0.1), ("\u212b", 0.1), ("pm", 1e-3)],
        *[("µm", 1e3), ("\u03bcm", 1e3), ("um", 1e3), ("micron", 1e3), ("nanometres", 1), ("mm", 1e6)],
        *[("[n_m]", 1), ("1/nm", None), ("nm^-1", None), ("px", None), ("", None), ("s", None), ("eV", None)],
        *[("<undefined>", None), ("PM", None), ("km", None)],
    ],
)
def test_units(tmp_path: Path, name: str, unit: str, size: float | None) -> None:
    write, _ = LAYOUTS[name]
    write(tmp_path / name, RAMP, unit=unit)
    found = open_image(tmp_path / name).pixel_size
    assert found == (None if size is None else pytest.approx(size, rel=1e-6))


def test_an_axis_without_unit_has_no_pixel_size(tmp_path: Path) -> None:
    write_hyperspy(tmp_path / "a.hspy", RAMP, unit=None)
    assert open_image(tmp_path / "a.hspy").pixel_size is None


def test_velox(tmp_path: Path) -> None:
    file = tmp_path / "a.emd"
    write_velox(file, RAMP)
    assert open_image(file).pixel_size == 1.0
    assert np.array_equal(open_image(file).pixels(), RAMP)
    write_velox(file, RAMP, unit="1/m")
    assert open_image(file).pixel_size is None
    write_velox(file, RAMP, size=(1e-10, 2e-10))
    raises(file, "1 Å high and 2 Å wide")
    write_velox(file, np.stack([RAMP, RAMP]))
    raises(file, r"3-dimensional data of shape \(2, 5, 7\)")
    write_velox(file, RAMP, RAMP + 1)
    raises(file, "it holds 2 images; write for example .*a.emd:/Data/Image/0+/Data; there are")
    second = f"{file}:/Data/Image/{1:032x}/Data"
    assert np.array_equal(read_image(second).pixels, RAMP + 1)
    assert open_image(second).pixel_size == 1.0


def test_what_a_file_leaves_open_is_listed(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as opened:
        opened["scan/image"] = RAMP
        opened["names"] = "text"
        opened["line"] = np.zeros(5)
    assert open_image(file).name == f"{file}:/scan/image"  # the only one that can be meant
    with h5py.File(file, "a") as opened:
        opened["mask"] = RAMP > 17
    raises(file, r"which of its data is the image; write for example .*a.h5:/mask; .* /scan/image \(5, 7\)")
    raises(f"{file}:/scan/imag", "there is no /scan/imag in it; write for example")
    assert np.array_equal(read_image(f"{file}:/mask").pixels, RAMP > 17)
    assert read_image(f"{file}:/line").pixels.shape == (5,)
    raises(f"{file}:/names", "not numbers|dimensional")
    with h5py.File(file, "w") as opened:
        for i in range(30):
            opened[f"image{i:02d}"] = RAMP
    raises(file, "and 18 more")
    with h5py.File(file, "w") as opened:
        opened["line"] = np.zeros(5)
    raises(file, "no array of two or more dimensions")


def test_two_experiments_are_not_one(tmp_path: Path) -> None:
    file = tmp_path / "a.hspy"
    write_hyperspy(file, RAMP, title="first")
    write_hyperspy(file, RAMP + 1, title="second", scale=0.2)
    raises(file, "2 images; .*/Experiments/first/data")
    assert open_image(f"{file}:/Experiments/second").pixel_size == 2.0


def test_contradictions(tmp_path: Path) -> None:
    file = tmp_path / "a.hspy"
    write_hyperspy(file, RAMP)
    with h5py.File(file, "a") as opened:
        opened["Experiments/image/axis-1"].attrs["size"] = 8
    raises(file, "axis-1 has 8 points, the array 7")
    with h5py.File(file, "a") as opened:
        opened["Experiments/image/axis-1"].attrs.update({"size": 7, "scale": 0.2})
    raises(file, "1 Å high and 2 Å wide")
    file = tmp_path / "a.nxs"
    write_nexus(file, RAMP)
    with h5py.File(file, "a") as opened:
        opened["entry/scan"].attrs["axes"] = ["y"]
    raises(file, "1 axes and 2 dimensions")
    write_nexus(file, RAMP)
    with h5py.File(file, "a") as opened:
        opened["entry/scan/x"][2] += 0.05
    raises(file, "not evenly spaced")
    write_nexus(file, RAMP)
    with h5py.File(file, "a") as opened:
        del opened["entry/scan/x"]
        opened["entry/scan/x"] = np.arange(9.0)
    raises(file, "9 coordinates for 7 pixels")


def test_nexus_variants(tmp_path: Path) -> None:
    file = tmp_path / "a.nxs"
    write_nexus(file, RAMP)
    with h5py.File(file, "a") as opened:  # no default: the one NXdata of the file
        del opened.attrs["default"], opened["entry"].attrs["default"]
        opened["entry/scan"].attrs["axes"] = "y:x"
    assert open_image(file).name.endswith(":/entry/scan/counts")
    with h5py.File(file, "a") as opened:  # edges of pixels, rather than centres
        del opened["entry/scan/x"]
        opened["entry/scan/x"] = 0.1 * np.arange(8)
        opened["entry/scan/x"].attrs["units"] = "nm"
    assert open_image(file).pixel_size == pytest.approx(1.0)
    with h5py.File(file, "a") as opened:
        opened["entry/scan"].attrs["axes"] = ["y", "."]
    assert open_image(file).pixel_size is None
    for loop in ("/", ".", "entry"):
        with h5py.File(file, "a") as opened:
            opened.attrs["default"] = loop
            opened["entry"].attrs["default"] = "/"
        assert open_image(file).name.endswith(":/entry/scan/counts")
    with h5py.File(file, "a") as opened:  # the signal is a link to where the detector put it
        opened["detector"] = opened["entry/scan/counts"][()]
        del opened["entry/scan/counts"]
        opened["entry/scan/counts"] = h5py.SoftLink("/detector")
        opened["entry/scan"].attrs["axes"] = ["y", "x"]
    assert open_image(f"{file}:/entry/scan").pixel_size == pytest.approx(1.0)


@pytest.mark.parametrize(
    "options", [{}, {"chunks": (2, 3), "compression": "gzip"}, {"chunks": (5, 7), "fletcher32": True}]
)
def test_storage(tmp_path: Path, options: dict[str, object]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as opened:
        opened.create_dataset("a", data=RAMP, **options)
    assert np.array_equal(read_image(tmp_path / "a.h5").pixels, RAMP)


def test_data_that_cannot_be_an_image(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as opened:
        opened["complex"] = RAMP + 1j
        opened["table"] = np.zeros((3, 3), [("x", "f4")])
        opened["text"] = np.full((2, 2), b"ab")
        opened["stack"] = np.zeros((3, 4, 5))
        opened["nan"] = np.where(RAMP == 3, np.nan, RAMP)
        opened["empty"] = h5py.Empty("f4")
        opened["none"] = np.zeros((0, 4))
        opened.create_dataset("promised", shape=(10**6, 10**6), dtype="f8", chunks=(64, 64))
    for name, text in {
        "complex": "complex",
        "table": "not numbers",
        "text": "not numbers",
        "stack": "3-dimensional",
        "empty": "empty",
        "none": "no pixels",
        "promised": "promises 8000000000000 bytes of pixels, of which 0 were ever written",
    }.items():
        raises(f"{file}:/{name}", text)
    raises(f"{file}:/nan", "1 pixels are not finite", read_image)
    file.write_bytes(b"\x89HDF\r\n\x1a\nnonsense")
    raises(file, "not a readable H5")
    raises(f"{file}:/a", "not a readable H5")
    raises(f"{tmp_path}/none.h5:/a", "no such file")


def test_a_map_in_hdf5(tmp_path: Path) -> None:
    box = np.random.default_rng(0).normal(size=(3, 4, 5))
    write_hyperspy(tmp_path / "a.hspy", box)
    volume = read_volume(tmp_path / "a.hspy")
    assert volume.voxel_size == (1.0, 1.0, 1.0)
    assert np.array_equal(volume.values, box)
    write_hyperspy(tmp_path / "b.hspy", box, unit=None)
    raises(tmp_path / "b.hspy", "declare it", read_volume)
    assert read_volume(f"{tmp_path}/b.hspy:/Experiments/image/data", voxel_size=2.0).voxel_size[0] == 2.0


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("a.h5:/entry/data", ("a.h5", "/entry/data")),
        ("C:\\d\\a.NXS:\\entry\\data", ("C:\\d\\a.NXS", "/entry/data")),
        ("a.h5", ("a.h5", None)),
        ("a.h5:", ("a.h5:", None)),
        ("C:/a.mrc", ("C:/a.mrc", None)),
        ("a.mrc:/data", ("a.mrc:/data", None)),
        ("a.h5:/x.h5:/y", ("a.h5:/x.h5", "/y")),
    ],
)
def test_split_dataset(path: str, parts: tuple[str, str | None]) -> None:
    assert split_dataset(path) == parts


def test_a_scenario_names_a_data_set(tmp_path: Path) -> None:
    write_nexus(tmp_path / "a.nxs", RAMP)
    read = TypeAdapter(DataFile).validate_python
    context = {"base_dir": str(tmp_path)}
    named = read("a.nxs:/entry/scan/counts", context=context)
    assert named == f"{tmp_path}/a.nxs:/entry/scan/counts"
    assert np.array_equal(read_image(named).pixels, RAMP)
    assert read("a.nxs", context=context) == f"{tmp_path}/a.nxs"
    with pytest.raises(ValidationError, match=r"b\.nxs does not exist"):
        read("b.nxs:/entry", context=context)


@pytest.mark.real_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="the measured images are not here (../shared/data)")
def test_the_measured_perovskite() -> None:
    image = open_image(SHARED / "crystal" / "perovskite_110_ADF.hdf5")
    assert image.name.endswith(":/Experiments/__unnamed__/data")
    assert image.shape == (400, 380)
    assert image.pixel_size is None  # its axes have a scale, 0.0093263, and no unit
    assert image.pixels().max() == 4428
