"""Every coordinate format against encodings written by hand here, and through its own writer and back."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit.core.errors import DataError
from simkit.core.quantity import wrap_angle
from simkit.core.tables import Picks, Truth
from simkit.io.coordinates import (
    FORMATS,
    CoordinateFrame,
    describe_formats,
    encode_coordinates,
    read_coordinate_set,
    read_coordinates,
    write_coordinates,
)
from simkit.io.names import micrograph_of, same_micrographs

SHARED = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the measured coordinates are not here (../shared/data)"
)


def put(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def refuses(file: Path, text: str, line: int | None = None, **options) -> None:
    with pytest.raises(DataError, match=text) as caught:
        read_coordinates(file, **{"pixel_size": 1.0, **options})
    assert caught.value.line == line


# What the numbers mean, from bytes written by hand ---------------------------------------------------
#
# One particle each, whose central pixel is row 30, column 20 of a micrograph of 200 rows and 100 columns
# of 2 Å: x = 40 Å, y = 60 Å. The encodings follow the programs' own documents, not our writers.


def cs(**columns) -> bytes:
    arrays = {name.replace("__", "/"): np.asarray(values) for name, values in columns.items()}
    rows = np.zeros(len(next(iter(arrays.values()))), [(k, v.dtype, v.shape[1:]) for k, v in arrays.items()])
    for name, values in arrays.items():
        rows[name] = values
    stream = io.BytesIO()
    np.save(stream, rows)
    return stream.getvalue()


PLACE = {
    "location__micrograph_path": np.array([b"J1/motion/000123_m.mrc"]),
    "location__micrograph_shape": np.array([[200, 100]], "<u4"),
    "location__center_x_frac": np.array([0.2], "<f4"),
    "location__center_y_frac": np.array([1 - 30 / 200], "<f4"),
}
RELION = "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnClassNumber #3\n_rlnAnglePsi #4\n"
CBOX = "data_global\n\n_cbox_format_version 1.0\n\ndata_cryolo\n\nloop_\n_CoordinateX #1\n_CoordinateY #2\n"
CBOX += "_CoordinateZ #3\n_Width #4\n_Height #5\n_Confidence #6\n_Angle #7\n"

ENCODED = {
    "relion.star": RELION + "20.0 30.0 3 -90.0\n",
    "gauto_automatch.star": RELION + "20.0 30.0 2 -90.0\n",
    "even.box": "12 22 16 16\n",  # pixels 12 … 27: number 8 of them is 20
    "odd.box": "13\t23\t15\t15\t0.5\n",  # pixels 13 … 27: number 7 of them is 20
    "flat.box": "16 28 8 4\n",
    "mic_info.json": '{"boxes": [[20, 30, "manual"]], "other": {}}',
    "new.cbox": CBOX
    + "12.5 24.5 <NA> 15.0 11.0 0.5 <NA>\n\n\ndata_cryolo_include\n\nloop_\n_slice_index #1\n",
    "old.cbox": "12.0\t22.0\t16\t16\t0.5\t17\t18\n",
    "job.cs": cs(**PLACE, location__micrograph_psize_A=np.array([2.0], "<f4")),
    "topaz.txt": "image_name\tx_coord\ty_coord\tscore\nm\t20\t30\t1.5\n",
    "cryoppp.csv": "X-Coordinate,Y-Coordinate,Diameter\n20,30,108\n",
    "ours.csv": "x_px;y_px;psi_deg\n20;30;90\n",
    "ours.tsv": "y_A\tx_A\tpsi_deg\n60\t40\t90\n",
}


@pytest.mark.parametrize("name", ENCODED)
def test_hand_written_encodings_mean_what_their_programs_mean(tmp_path: Path, name: str) -> None:
    picks = read_coordinates(put(tmp_path, name, ENCODED[name]), pixel_size=2.0)
    # Fractions in cryoSPARC's files are float32, of which half a unit is 6e-8 of 200 px of 2 Å.
    assert (picks["x"][0], picks["y"][0]) == pytest.approx((40.0, 60.0), abs=3e-5)
    assert np.isnan(picks["psi"][0]) or picks["psi"][0] == 90.0
    assert picks["class"][0] in ("", "3")


def test_every_format_has_an_encoding_written_by_hand(tmp_path: Path) -> None:
    from simkit.io.coordinates import format_of

    seen = {format_of(put(tmp_path, name, text), None)[0].name for name, text in ENCODED.items()}
    assert seen == {form.name for form in FORMATS}


def test_what_else_is_read(tmp_path: Path) -> None:
    assert read_coordinates(put(tmp_path, "a.box", ENCODED["odd.box"]), pixel_size=1)["score"][0] == 0.5
    assert read_coordinates(put(tmp_path, "a.cbox", ENCODED["new.cbox"]), pixel_size=1)["score"][0] == 0.5
    topaz = read_coordinates(put(tmp_path, "a.txt", ENCODED["topaz.txt"]), pixel_size=1)
    assert (topaz["score"][0], topaz["micrograph"][0]) == (1.5, "m")
    job = read_coordinates(put(tmp_path, "a.cs", ENCODED["job.cs"]))  # Å from the file itself
    assert job["micrograph"][0] == "J1/motion/000123_m.mrc"
    scored = cs(**PLACE, pick_stats__ncc_score=[0.25], pick_stats__template_idx=np.array([2], "<u4"))
    picked = read_coordinates(put(tmp_path, "b.cs", scored), pixel_size=1)
    assert (picked["score"][0], picked["class"][0]) == (0.25, "3")


def test_extracted_particles_stand_where_they_were_picked(tmp_path: Path) -> None:
    moved = RELION + "_rlnOriginXAngst #5\n_rlnOriginX #6\n20.0 30.0 1 0 7.5 3.0\n"
    assert read_coordinates(put(tmp_path, "a.star", moved), pixel_size=2.0)["x"][0] == 40.0


def test_formats_of_one_suffix_are_told_apart_and_can_be_named(tmp_path: Path) -> None:
    table = put(tmp_path, "a.txt", "x_px,y_px\n20,30\n")
    assert read_coordinates(table, pixel_size=2.0)["x"][0] == 40.0
    with pytest.raises(DataError, match="image_name"):
        read_coordinates(table, pixel_size=2.0, format="topaz")
    boxes = put(tmp_path, "b.coords", ENCODED["even.box"])
    assert read_coordinates(boxes, pixel_size=2.0, format="box")["x"][0] == 40.0
    refuses(boxes, "name its format")
    refuses(boxes, "no coordinate format 'bocks'; there are gautomatch", format="bocks")
    picks = read_coordinates(put(tmp_path, "c.star", RELION + "20 30 0 0\n"), pixel_size=2.0)
    assert picks["class"][0] == ""


def test_the_list_that_relion_calls_autopick_stands_for_its_files(tmp_path: Path) -> None:
    job = tmp_path / "AutoPick" / "job007"
    (job / "raw").mkdir(parents=True)
    put(job / "raw", "m1_autopick.star", RELION + "1 2 0 0\n3 4 0 0\n")
    put(job / "raw", "m2.box", "0 0 10 10\n")
    rows = "raw/m1.mrc AutoPick/job007/raw/m1_autopick.star\nraw/m2.mrc AutoPick/job007/raw/m2.box\n"
    head = "\n# version 30001\n\ndata_coordinate_files\n\nloop_ \n_rlnMicrographName #1 \n"
    file = put(job, "autopick.star", head + "_rlnMicrographCoordinates #2 \n" + rows)
    picks = read_coordinates(file, pixel_size=1.0)
    assert picks["micrograph"].tolist() == ["raw/m1.mrc", "raw/m1.mrc", "raw/m2.mrc"]
    assert picks["x"].tolist() == [1.0, 3.0, 5.0]
    (job / "raw" / "m2.box").unlink()
    refuses(file, "it lists AutoPick/job007/raw/m2.box")


# Through the writer and back -------------------------------------------------------------------------

SHAPES = {"grid/m1.mrc": (150, 310), "grid/m2.mrc": (120, 77)}
PIXEL = 1.5
L_SHAPE = Picks(
    # An L on each of two micrographs that are not square: no flip and no exchange maps it to itself.
    micrograph=["grid/m1.mrc"] * 4 + ["grid/m2.mrc"] * 4,
    x=PIXEL * np.array([20.0, 20.25, 20.0, 91.125, 30.0, 30.0, 31.5, 60.0]),
    y=PIXEL * np.array([10.0, 50.5, 100.75, 101.0, 7.0, 47.0, 99.0, 99.375]),
    psi=[0.0, 30.0, -120.5, 179.0, 90.0, -45.0, 10.0, np.nan],
    score=[4.0, 3.0, 2.5, 2.0, 4.0, 3.0, 2.0, 1.0],
    template=["t1", "t2"] * 4,
    rot=[10.0, np.nan] * 4,
    tilt=[20.0, np.nan] * 4,
    **{"class": ["1", "2"] * 4},
)
WRITTEN = [form for form in FORMATS if form.write is not None]
SLACK = {"cryosparc": 2e-5}
"""px besides `decimals`: float32 fractions of 310 px are good to half a unit of 6e-8."""


@pytest.mark.parametrize("form", WRITTEN, ids=lambda form: form.name)
def test_an_l_shape_through_every_format_and_back(tmp_path: Path, form) -> None:
    pattern = tmp_path / f"*{form.suffixes[0]}"
    write_coordinates(pattern, L_SHAPE, format=form.name, pixel_size=PIXEL, shape=SHAPES, box=16)
    assert len(list(tmp_path.iterdir())) == 2
    back = read_coordinate_set(pattern, frame=CoordinateFrame(PIXEL), format=form.name)
    half_unit = SLACK.get(form.name, 1e-9) if form.decimals is None else 0.5001 * 10.0**-form.decimals
    assert np.abs(back["x"] - L_SHAPE["x"]).max() <= half_unit * PIXEL
    assert np.abs(back["y"] - L_SHAPE["y"]).max() <= half_unit * PIXEL
    mine = [micrograph_of(name, list(SHAPES)) for name in back["micrograph"].tolist()]
    assert mine == L_SHAPE["micrograph"].tolist()
    kept = {"score": "score", "class": "class", "template": "template"}
    for column, thing in kept.items():
        same = np.array_equal(back[column], L_SHAPE[column])
        assert same == (thing in form.holds), column
    turned = np.allclose(wrap_angle(back["psi"] - L_SHAPE["psi"]), 0, atol=1e-6) or np.array_equal(
        np.isnan(back["psi"]), np.isnan(L_SHAPE["psi"])
    )
    assert turned == ("psi" in form.holds)
    if "psi" in form.holds:
        error = wrap_angle(back["psi"] - L_SHAPE["psi"])
        assert np.allclose(error, np.where(np.isnan(L_SHAPE["psi"]), np.nan, 0), atol=1e-6, equal_nan=True)
    for angle in ("rot", "tilt"):
        assert np.array_equal(back[angle], L_SHAPE[angle], equal_nan=True) == ("view" in form.holds)


@pytest.mark.parametrize("form", WRITTEN, ids=lambda form: form.name)
@pytest.mark.parametrize("box", [15, 16])
def test_whole_pixels_come_back_exactly_for_odd_and_even_boxes(tmp_path: Path, form, box: int) -> None:
    table = Picks(x=[20.0, 0.0], y=[30.0, 7.0], score=[1.0, 2.0], micrograph="m")
    file = tmp_path / f"m{form.suffixes[0]}"
    write_coordinates(file, table, pixel_size=1.0, shape=(64, 128), box=box)
    back = read_coordinates(file, pixel_size=1.0)
    # 64 and 128 are powers of two: even fractions in float32 are exact.
    assert (back["x"].tolist(), back["y"].tolist()) == ([20.0, 0.0], [30.0, 7.0])


@pytest.mark.parametrize("form", WRITTEN, ids=lambda form: form.name)
def test_no_picks_are_written_and_read(tmp_path: Path, form) -> None:
    file = tmp_path / f"m{form.suffixes[0]}"
    write_coordinates(file, Picks(), pixel_size=1.0, shape=(64, 128), box=16)
    assert len(read_coordinates(file)) == 0


def test_classes_are_numbered_in_their_order(tmp_path: Path) -> None:
    truth = Truth(micrograph="m", x=[1.0, 2.0, 3.0], y=0.0, **{"class": ["side", "top", "ice"]})
    data = encode_coordinates(
        truth, format="cryosparc", pixel_size=1.0, shape=(4, 4), classes=["ice", "side", "top"]
    )
    assert np.load(io.BytesIO(data))["pick_stats/template_idx"].tolist() == [1, 2, 0]
    assert read_coordinates(put(tmp_path, "a.cs", data))["class"].tolist() == ["2", "3", "1"]


def test_what_another_program_would_read(tmp_path: Path) -> None:
    # By RELION: int(x) + int(w) / 2 in integers; by e2boxer: the centre; by crYOLO: x + w / 2.
    table = Picks(x=[20.2], y=[30.7], score=[0.5])
    box = encode_coordinates(table, format="box", pixel_size=1.0, box=15).decode().split()
    assert [int(box[0]) + int(box[2]) // 2, int(box[1]) + int(box[3]) // 2] == [20, 31]
    eman = json.loads(encode_coordinates(table, format="eman2", pixel_size=1.0))
    assert eman["boxes"] == [[20.2, 30.7, "manual", 0.5]]
    lines = encode_coordinates(table, format="cryolo", pixel_size=1.0, box=15).decode().splitlines()
    row = next(line.split() for line in lines if line and line[0].isdigit())
    assert [float(row[0]) + float(row[3]) / 2, float(row[1]) + float(row[4]) / 2] == pytest.approx(
        [20.2, 30.7]
    )
    assert row[2] == row[10] == "<NA>"
    topaz = encode_coordinates(table.replace(micrograph="raw/m.mrc"), format="topaz", pixel_size=1.0)
    assert topaz == b"image_name\tx_coord\ty_coord\tscore\nm\t20\t31\t0.5\n"


def test_writing_asks_for_what_a_format_needs(tmp_path: Path) -> None:
    def refused(name: str, text: str, **options) -> None:
        with pytest.raises(DataError, match=text):
            write_coordinates(tmp_path / name, L_SHAPE, pixel_size=1.0, **options)
        assert not list(tmp_path.iterdir())

    refused("*.box", "give the side of a box")
    refused("a.cs", "give its rows and columns")
    refused("a.cs", "give its rows and columns", shape={"grid/m1.mrc": (3, 3)})
    refused("a.box", r"one micrograph, and these are 2; put \* where its name", box=16)
    refused("a.plt", r"written to \.star, \.box")
    refused("a.star", "only read", format="gautomatch")
    refused("none/a.star", "cannot be written")
    same = L_SHAPE.replace(micrograph=["a/m.mrc"] * 4 + ["b/m.mrc"] * 4)
    with pytest.raises(DataError, match="one name"):
        write_coordinates(tmp_path / "*.box", same, pixel_size=1.0, box=16)


def test_the_registry_describes_itself() -> None:
    lines = describe_formats()
    assert list(lines) == [form.name for form in FORMATS]
    assert "corner + n // 2, pixel of the micrograph, first pixel 0, y down, no angle" in lines["box"]
    assert "fraction of the micrograph, first pixel 0, y from the bottom" in lines["cryosparc"]
    assert "angle −ψ, classes from 1" in lines["relion"]
    assert "pixel of the searched image" in lines["topaz"]
    for form in FORMATS:
        # What to_picks would silently not apply must not be claimed.
        assert (form.y_axis == "up") <= (form.unit == "fraction")
        assert (form.psi_sign == 0) == ("psi" not in form.holds)


# What the user knows --------------------------------------------------------------------------------


def test_a_flip_is_about_pixel_centres_and_binning_averages(tmp_path: Path) -> None:
    # Draw points into an image, spoil it with numpy, and write down where they are then.
    rows, columns, points = 12, 8, [(1, 2), (4, 7), (10, 0)]
    image = np.zeros((rows, columns))
    for value, point in enumerate(points, start=1):
        image[point] = value
    spoilt = {"flipped-y": image[::-1], "flipped-x": image[:, ::-1], "transposed": image.T, "upright": image}
    for orientation, picture in spoilt.items():
        found = [tuple(int(i[0]) for i in np.nonzero(picture == value)) for value in (1, 2, 3)]
        text = "x_px,y_px\n" + "".join(f"{x},{y}\n" for y, x in found)
        frame = CoordinateFrame(2.0, orientation, height=rows, width=columns)
        picks = read_coordinates(put(tmp_path, "a.csv", text), frame=frame)
        assert list(zip(picks["y"], picks["x"], strict=True)) == [(2.0 * y, 2.0 * x) for y, x in points]


def test_binned_indices_are_centres_of_mass(tmp_path: Path) -> None:
    frame = CoordinateFrame(1.0, binning=4)
    picks = read_coordinates(put(tmp_path, "a.csv", "x_px,y_px\n0,5\n"), frame=frame)
    # The mean of pixels 0 … 3, and of 20 … 23.
    assert (picks["x"][0], picks["y"][0]) == (1.5, 21.5)
    # The same in Å: 4 Å a coarse pixel, and the half pixel is still there.
    picks = read_coordinates(put(tmp_path, "b.csv", "x_A,y_A\n0,20\n"), frame=frame)
    assert (picks["x"][0], picks["y"][0]) == (1.5, 21.5)


@settings(max_examples=60, deadline=None)
@given(
    orientation=st.sampled_from(["upright", "flipped-y", "flipped-x", "transposed"]),
    points=st.lists(st.tuples(*[st.floats(-1e4, 1e5)] * 2, st.floats(-360, 360)), min_size=1, max_size=4),
    height=st.integers(1, 10000),
    width=st.integers(1, 10000),
)
def test_every_flip_undoes_itself(orientation, points, height, width) -> None:
    frame = CoordinateFrame(1.0, orientation, height, width)
    y, x, psi = np.array(points).T
    once = frame.upright(y, x, psi)
    again = frame.upright(*once)
    assert np.allclose(again[:2], [y, x], rtol=0, atol=1e-10)
    assert np.allclose(wrap_angle(again[2] - psi), 0, atol=1e-10)
    # The particle's +x axis, drawn as a second point, moves with it.
    turn = np.deg2rad(psi)
    tip = frame.upright(y + np.sin(turn), x + np.cos(turn), psi)
    turned = np.deg2rad(once[2])
    assert np.allclose(tip[0] - once[0], np.sin(turned), atol=1e-9)
    assert np.allclose(tip[1] - once[1], np.cos(turned), atol=1e-9)


def test_a_mirror_image_has_no_view(tmp_path: Path) -> None:
    file = put(tmp_path, "a.csv", "x_px,y_px,rot_deg,tilt_deg\n1,2,30,40\n")
    assert read_coordinates(file, pixel_size=1.0)["rot"][0] == 30
    assert np.isnan(read_coordinates(file, frame=CoordinateFrame(1.0, "transposed"))["rot"][0])


@settings(max_examples=40, deadline=None)
@given(binning=st.floats(0.25, 16), height=st.integers(1, 4000), y=st.floats(0, 1000))
def test_flipping_before_or_after_binning_is_the_same(binning: float, height: int, y: float) -> None:
    full = CoordinateFrame(1.0, "flipped-y", height=height, binning=binning)
    coarse = height / binning - 1 - y
    assert full.unbinned(np.array(coarse)) == pytest.approx(height - 1 - full.unbinned(np.array(y)), abs=1e-8)


def test_a_frame_asks_for_what_it_needs(tmp_path: Path) -> None:
    pixels, angstroms = put(tmp_path, "a.csv", "x_px,y_px\n1,2\n"), put(tmp_path, "b.csv", "x_A,y_A\n1,2\n")
    refuses(pixels, "give the height of the micrograph", frame=CoordinateFrame(orientation="flipped-y"))
    refuses(pixels, "give the width of the micrograph", frame=CoordinateFrame(orientation="flipped-x"))
    flipped = CoordinateFrame(orientation="flipped-y", height=10)
    refuses(angstroms, "give the pixel size", frame=flipped, pixel_size=None)
    assert read_coordinates(angstroms, frame=flipped, pixel_size=2.0)["y"][0] == 2 * 9 - 2
    star = "data_optics\nloop_\n_rlnOpticsGroup\n_rlnMicrographPixelSize\n1 2.0\n\n" + ENCODED["relion.star"]
    binned = put(tmp_path, "c.star", star)
    refuses(
        binned,
        "that of the binned image or of the micrograph",
        frame=CoordinateFrame(binning=2),
        pixel_size=None,
    )
    assert read_coordinates(binned, frame=CoordinateFrame(1.0, binning=2))["x"][0] == 40.5
    for wrong in ({"binning": 0}, {"pixel_size": -1.0}, {"height": 0}, {"binning": float("nan")}):
        with pytest.raises(ValueError, match="more than 0"):
            CoordinateFrame(**wrong)
    # The file of cryoSPARC knows its own height.
    job = put(tmp_path, "d.cs", cs(**PLACE))
    flip = CoordinateFrame(2.0, "flipped-y")
    assert read_coordinates(job, frame=flip)["y"][0] == pytest.approx(2 * (199 - 30), abs=3e-5)


# Sets and names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "micrographs", "owner"),
    [
        ("Falcon_0.crYOLO.box", ["Falcon_0.jpg"], "Falcon_0.jpg"),
        ("mic_10_autopick.star", ["mic_1.mrc", "mic_10.mrc"], "mic_10.mrc"),
        ("mic_1_autopick.star", ["mic_1.mrc", "mic_10.mrc"], "mic_1.mrc"),
        ("mic_11.box", ["mic_1.mrc"], None),
        ("mic_1_2.box", ["mic_1.mrc", "mic_1_2.mrc"], "mic_1_2.mrc"),
        ("AutoPick/job7/raw/m_autopick.star", ["data/m.mrc"], "data/m.mrc"),
        ("May08_03.05.02.csv", ["May08_03.05.02.png", "May08_03.05.04.png"], "May08_03.05.02.png"),
        ("May08_03.05.04", ["May08_03.05.02", "May08_03.05.04"], "May08_03.05.04"),
        ("info/m_info.json", ["m.mrc.gz"], "m.mrc.gz"),
        ("J14/000857_14sep_3.mrc", ["14sep_3.tif"], "14sep_3.tif"),
        ("14sep_3.csv", ["J14/000857_14sep_3.mrc"], "J14/000857_14sep_3.mrc"),
        ("3_a.star", ["1_a.mrc", "2_a.mrc"], None),
        ("a.star", ["1_a.mrc", "2_a.mrc"], None),
        ("a.star", ["x/a.mrc", "y/a.mrc"], None),
        ("x/a.mrc", ["x/a.mrc", "y/a.mrc"], "x/a.mrc"),
        ("1_a.star", ["x/1_a.mrc", "y/1_a.mrc", "a.mrc"], None),
        ("a.star", [], None),
        ("a.star", [""], None),
    ],
)
def test_which_micrograph_a_name_is_about(name: str, micrographs: list[str], owner: str | None) -> None:
    assert micrograph_of(name, micrographs) == owner


def test_two_sets_of_names_find_each_other() -> None:
    files = [f"{i}_raw.crYOLO.box" for i in "abc"], [f"{i}_raw.expert.csv" for i in "cab"]
    assert same_micrographs(*files) == {f"{i}_raw.crYOLO.box": f"{i}_raw.expert.csv" for i in "abc"}
    assert same_micrographs(["m_1.mrc"], ["m_1_picked.box", "m_2.box"]) == {"m_1.mrc": "m_1_picked.box"}
    assert same_micrographs(["mic_10", "mic_20"], ["mic_1", "mic_2"]) == {}
    assert same_micrographs(["a"], ["b"]) == {}
    assert same_micrographs([], ["b"]) == {}


def test_a_set_is_a_folder_a_pattern_or_a_list(tmp_path: Path) -> None:
    put(tmp_path, "b.box", "0 0 10 10\n")
    put(tmp_path, "a.box", "2 0 10 10\n4 0 10 10\n")
    put(tmp_path, "c.box", "")
    put(tmp_path, "notes.md", "hello")
    frame = CoordinateFrame(1.0)
    for paths in (tmp_path, str(tmp_path / "*.box"), [tmp_path / "a.box", tmp_path / "b.box"]):
        picks = read_coordinate_set(paths, frame=frame)
        assert picks["micrograph"].tolist() == ["a.box", "a.box", "b.box"]
        assert picks["x"].tolist() == [7.0, 9.0, 5.0]
    put(tmp_path, "t.txt", ENCODED["topaz.txt"])
    assert read_coordinate_set(tmp_path / "t.txt", frame=frame)["micrograph"].tolist() == ["m"]
    for paths, text in ((tmp_path / "*.cs", "no file is called"), (tmp_path / "x.box", "no such file")):
        with pytest.raises(DataError, match=text):
            read_coordinate_set(paths, frame=frame)
    with pytest.raises(DataError, match=r"no file in it ends in \.cs"):
        read_coordinate_set(tmp_path, frame=frame, format="cryosparc")


# Damage ---------------------------------------------------------------------------------------------


def test_damaged_files_are_refused_where_they_are_damaged(tmp_path: Path) -> None:
    def check(name: str, text: str | bytes, told: str, line: int | None = None) -> None:
        refuses(put(tmp_path, name, text), told, line)

    check("a.box", "1 2 3 4\n\n1 2 3\n", "here are 3 words", 3)
    check("a.box", "1 2 3 4\n1 nan 3 4\n", "y is 'nan', not a finite", 2)
    check("a.box", "1 2 -3 4\n", "width is -3; the side of a box cannot be negative", 1)
    check("a.box", "1e12 2 3 4\n", "beyond any micrograph", 1)
    check("a.box", "1 2 3 4 -1\n5 6 3 4 -2\n", "filaments")
    check("a.box", b"\x93NUMPY\xff", "UTF-8")
    check("a.cbox", CBOX + "1 2 <NA> 10 10 0.5 <NA>\n1 2 <NA> -1 10 0.5 <NA>\n", "Width is -1", 16)
    check("a.cbox", CBOX + "1 2 5.0 10 10 0.5 <NA>\n", "three-dimensional")
    check("a.cbox", "data_cryolo\nloop_\n_CoordinateX\n_CoordinateY\n1 2\n", "column Height is missing", 2)
    check("a.cbox", "data_global\n_x 1\n", "CoordinateX")
    deep = "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n1 2 0\n1 2 3\n"
    check("a.star", deep, "three-dimensional", 2)
    check("a.json", '{"boxes": [[1, 2, "manual"],\n [1 2]]}', "not JSON", 2)
    check("a.json", '{"boxes": [[1, "two", "manual"]]}', r"boxes\[0\]\[1\] is 'two'")
    check("a.json", '{"boxes": [[1, NaN, "manual"]]}', r"boxes\[0\]\[1\] is nan")
    check("a.json", '{"boxes": [[1, 2, 3, "manual"]]}', "three coordinates")
    check("a.json", '{"boxes": [1]}', r"boxes\[0\] is not")
    check("a.json", "[" * 100_000, "not JSON")
    check("a.json", '{"box": []}', 'no list "boxes"')
    check("a.txt", "image_name\tx_coord\ty_coord\tscore\nm\t1\t2\t3\nm\tx\t2\t3\n", "x_coord is 'x'", 3)
    check("a.txt", "image_name\tx_coord\ty_coord\tz_coord\tscore\n", "three-dimensional", 1)
    check("a.txt", "image_name\tx\ty\n", "lacks x_coord, y_coord", 1)
    check("a.cs", b"nothing", "not a cryoSPARC dataset")
    check("a.cs", b"\x95CSDAT...", "compressed")
    check(
        "a.cs",
        cs(uid=[1]),
        "there is no location/center_y_frac in it; positions are in the .cs of the picking",
    )
    nan = np.array([np.nan], "<f4")
    check("a.cs", cs(**{**PLACE, "location__center_x_frac": nan}), "center_x_frac of particle 0 is nan")
    none = np.array([[0, 100]], "<u4")
    check("a.cs", cs(**{**PLACE, "location__micrograph_shape": none}), "particle 0 is not positive")
    check("a.cs", cs(**{**PLACE, "location__center_x_frac": np.array(["x"])}), "not numbers")
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    check("a.cs", stream.getvalue(), "no names")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    with (tmp_path / "a.cs").open("wb") as stream:
        np.save(stream, np.array([(Trap(),)], [("location/center_y_frac", object)]), allow_pickle=True)
    refuses(tmp_path / "a.cs", "not a cryoSPARC dataset")
    assert not (tmp_path / "sprung").exists()


def test_files_of_no_bytes_and_files_of_no_rows(tmp_path: Path) -> None:
    for suffix in ("box", "cbox"):  # no header: this is what their programs write when they find nothing
        assert len(read_coordinates(put(tmp_path, f"a.{suffix}", ""))) == 0
    for suffix in ("star", "json", "cs", "txt", "csv", "tsv"):
        refuses(put(tmp_path, f"a.{suffix}", ""), "the file is empty")
    empty = {
        "a.star": RELION,
        "a.json": '{"boxes": []}',
        "a.txt": "image_name\tx_coord\ty_coord\tscore\n",
        "a.csv": "x_px,y_px\n",
        "a.cs": cs(**{name: values[:0] for name, values in PLACE.items()}),
        "a.cbox": CBOX,
    }
    for name, text in empty.items():
        assert len(read_coordinates(put(tmp_path, name, text))) == 0


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(ENCODED)),
    keep=st.floats(0, 1),
    damage=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 7)), max_size=3),
)
def test_damage_is_read_or_refused_but_never_breaks(
    name: str, keep: float, damage: list[tuple[float, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = ENCODED[name]
    data = bytearray(text if isinstance(text, bytes) else text.encode())
    for place, bit in damage:
        data[min(int(place * len(data)), len(data) - 1)] ^= 1 << bit
    file = put(tmp_path_factory.mktemp("fuzz"), name, bytes(data[: round(keep * len(data))]))
    with suppress(DataError):
        assert np.isfinite(read_coordinates(file, pixel_size=2.0)["x"]).all()


# Files that real programs wrote -------------------------------------------------------------------


@pytest.mark.real_data
@needs_data
def test_boxes_of_cryolo_old_and_new() -> None:
    old = read_coordinates(SHARED / "coordinates/cryolo_old.cbox", pixel_size=1.0)
    new = read_coordinates(SHARED / "coordinates/cryolo_v1.cbox", pixel_size=1.0)
    assert (len(old), len(new)) == (125, 120)
    assert (old["x"][0], old["y"][0], old["score"][0]) == (4572.0, 3934.5, 0.14524617791175842)
    assert (new["x"][0], new["y"][0]) == (3700.3671875 + 110, 3874.455551147461 + 110)
    assert new["score"][0] == 0.6578449010848999


@pytest.mark.real_data
@needs_data
def test_cryosparc_with_and_without_places() -> None:
    assert len(read_coordinates(SHARED / "coordinates/cryosparc_empty.cs")) == 0
    refuses(SHARED / "coordinates/cryosparc_particles.cs", "passthrough_particles.cs")


@pytest.mark.real_data
@needs_data
def test_an_empty_and_a_corrupt_box() -> None:
    assert len(read_coordinates(SHARED / "coordinates/empty.box")) == 0
    refuses(SHARED / "coordinates/corrupt.box", "x is 'sixty_three', not a finite number", 2)


@pytest.mark.real_data
@needs_data
def test_particles_of_relion_3_0_do_not_say_the_micrographs_pixel_size() -> None:
    # 5 µm ÷ 37369 = 1.338 Å there, and 1.4 Å is rlnImagePixelSize in the 3.1 file: of extracted images, which
    # were scaled; the micrograph's pixel is 0.885 Å, as the 3.1 file says.
    refuses(SHARED / "coordinates/relion30_particles.star", "give the pixel size", pixel_size=None)
    new = read_coordinates(SHARED / "coordinates/relion31_particles.star")
    assert new["x"][0] == pytest.approx(0.885 * 2158.111921)
    assert (new["rot"][0], new["tilt"][0]) == (109.18664, 122.200343)


@pytest.mark.real_data
@needs_data
def test_expert_picks_are_in_pixels() -> None:
    picks = read_coordinates(
        SHARED / "beta_galactosidase/Falcon_2012_06_12-14_33_35_0.expert.csv", pixel_size=1.77
    )
    assert len(picks) == 629
    assert (picks["x"][0], picks["y"][0]) == pytest.approx((1.77 * 3752, 1.77 * 693))


def test_tsv_is_parted_by_tabs(tmp_path: Path) -> None:
    write_coordinates(tmp_path / "a.tsv", L_SHAPE.take([0]), pixel_size=PIXEL)
    header, row, *_ = (tmp_path / "a.tsv").read_text().splitlines()
    assert {"y_A", "x_A"} <= set(header.split("\t"))
    assert len(row.split("\t")) == len(header.split("\t"))
