"""DM3, DM4 and SER packed by hand, read through the extra."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from simkit.core.errors import DataError
from simkit.io import vendor
from simkit.io.images import open_image, read_image

sys.path.insert(0, str(Path(__file__).parent))
from image_samples import SER_LARGE, SER_SMALL, dm_bytes, ser_bytes

RAMP = np.arange(35).reshape(5, 7)


@pytest.fixture
def extra() -> None:
    # Not importorskip: importing the package runs the parts of it that must stay out.
    if vendor.importlib.util.find_spec("ncempy") is None:
        pytest.skip("the extra `formats` is not installed")


def raises(file: Path, text: str) -> None:
    with pytest.raises(DataError, match=text) as caught:
        read_image(file)
    assert caught.value.file == str(file)


def wrote(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


@pytest.mark.usefixtures("extra")
@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("thumbnail", [True, False])
@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", "<u2", "<i4", "<u4", "<f4", "<f8"])
def test_dm_is_read_with_its_calibration(tmp_path: Path, version: int, thumbnail: bool, dtype: str) -> None:
    one = {"pixels": RAMP.astype(dtype), "scale": (0.1, 0.1), "unit": ("nm", "nm")}
    file = wrote(tmp_path / f"a.dm{version}", dm_bytes(one, version=version, thumbnail=thumbnail))
    image = open_image(file)
    assert image.shape == (5, 7)
    assert image.pixel_size == 1.0  # and not the 1.0000000149 of a float32 times ten
    assert np.array_equal(image.pixels(), RAMP)
    assert isinstance(image._stored.load(), np.memmap)


@pytest.mark.usefixtures("extra")
@pytest.mark.parametrize(
    ("scale", "unit", "size"),
    [((1.0, 1.0), ("", ""), None), ((0.5, 0.5), ("1/nm", "1/nm"), None), ((2.0, 2.0), ("µm", "µm"), 2e4)],
)
def test_dm_units(tmp_path: Path, scale: tuple, unit: tuple, size: float | None) -> None:
    one = {"pixels": RAMP.astype("<f4"), "scale": scale, "unit": unit}
    assert open_image(wrote(tmp_path / "a.dm3", dm_bytes(one))).pixel_size == size


@pytest.mark.usefixtures("extra")
def test_dm_refusals(tmp_path: Path) -> None:
    good = {"pixels": RAMP.astype("<f4")}
    differing = {**good, "scale": (0.1, 2.0), "unit": ("nm", "Å")}
    raises(wrote(tmp_path / "a.dm3", dm_bytes(differing)), "2 Å high and 1 Å wide")
    raises(wrote(tmp_path / "a.dm4", dm_bytes(good, good, version=4)), "holds 2 images")
    raises(wrote(tmp_path / "a.dm3", dm_bytes()), "holds 0 images")
    raises(wrote(tmp_path / "a.dm3", dm_bytes({"pixels": np.zeros((2, 3, 4), "<f4")})), "3-dimensional")
    raises(wrote(tmp_path / "a.dm3", dm_bytes({"pixels": np.zeros((3, 4), "<c8")})), "complex")
    raises(wrote(tmp_path / "a.dm3", b"\0\0\0\x03" + b"\0" * 30), "not a readable DM3")
    raises(wrote(tmp_path / "a.dm3", b"nothing of the kind"), "not a readable DM3")
    whole = dm_bytes(good, thumbnail=False)
    raises(wrote(tmp_path / "a.dm4", whole[: len(whole) // 2]), "not a readable DM4")


@pytest.mark.usefixtures("extra")
def test_a_dm_whose_tags_lie(tmp_path: Path) -> None:
    whole = dm_bytes({"pixels": RAMP.astype("<f4")})
    rows = b"%%%%" + bytes([0, 0, 0, 1, 0, 0, 0, 3]) + (5).to_bytes(4, "little")
    assert whole.count(rows) == 1
    lying = whole.replace(rows, rows[:-4] + (6).to_bytes(4, "little"))
    raises(wrote(tmp_path / "a.dm3", lying), "promise 168 bytes of pixels, with 140 from byte")


@pytest.mark.usefixtures("extra")
@pytest.mark.parametrize("version", [SER_SMALL, SER_LARGE])
@pytest.mark.parametrize("dtype", ["u1", "<u2", "<u4", "i1", "<i2", "<i4", "<f4", "<f8"])
def test_ser_is_read_the_right_way_up(tmp_path: Path, version: int, dtype: str) -> None:
    file = wrote(tmp_path / "a_1.ser", ser_bytes(RAMP.astype(dtype), version=version))
    (tmp_path / "a.emi").write_bytes(b"<ObjectInfo>damaged")  # beside it, and of no concern
    image = read_image(file)
    assert image.pixel_size == 1.0
    assert np.array_equal(image.pixels, RAMP)


@pytest.mark.usefixtures("extra")
def test_ser_refusals(tmp_path: Path) -> None:
    file = tmp_path / "a.ser"
    grey = RAMP.astype("<i2")
    assert open_image(wrote(file, ser_bytes(grey, delta=(2e8, 2e8)))).pixel_size is None  # 1/m
    assert 4.4e-10 * 1e10 != 4.4  # what must not reach a report
    assert open_image(wrote(file, ser_bytes(grey, delta=(4.4e-10, 4.4e-10)))).pixel_size == 4.4
    assert open_image(wrote(file, ser_bytes(grey, delta=(0.0, 0.0)))).pixel_size is None
    raises(wrote(file, ser_bytes(grey, delta=(1e-10, 2e-10))), "2 Å high and 1 Å wide")
    raises(wrote(file, ser_bytes(grey, grey)), "holds 2 images")
    raises(wrote(file, ser_bytes()), "holds 0 images")
    raises(wrote(file, ser_bytes(grey, kind=0x4120)), "spectra")
    raises(wrote(file, ser_bytes(grey)[:-1]), "not a readable SER")
    raises(wrote(file, b"nothing of the kind"), "not a readable SER")


@pytest.mark.parametrize("suffix", [".dm3", ".dm4", ".ser"])
def test_without_the_extra_it_is_asked_for(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor.importlib.util, "find_spec", lambda name: None)
    raises(wrote(tmp_path / f"a{suffix}", b"anything"), r"pip install 'simkit\[formats\]'")


@pytest.mark.usefixtures("extra")
def test_only_the_part_under_mit_is_loaded(tmp_path: Path) -> None:
    files = [
        wrote(tmp_path / "a.dm3", dm_bytes({"pixels": RAMP.astype("<f4")})),
        wrote(tmp_path / "a.ser", ser_bytes(RAMP.astype("<f4"))),
    ]
    code = (
        "import sys; from simkit.io.images import read_image\n"
        f"[read_image(file) for file in {[str(file) for file in files]}]\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('ncempy', 'matplotlib')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
