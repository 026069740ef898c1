"""Coordinate files: frames, signs and units against RELION's own formulas, and round trips."""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit.core import fourier
from simkit.core.errors import DataError
from simkit.core.grid import Grid
from simkit.core.quantity import wrap_angle
from simkit.core.tables import Picks, Truth
from simkit.io.coordinates import encode_coordinates, read_coordinates
from simkit.io.csv_tables import table_csv
from simkit.io.relion import Optics, micrographs_star
from simkit.shape.base import draw
from simkit.shape.disk import Disk

SHARED = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the measured coordinates are not here (../shared/data)"
)

PICKS = Picks(
    micrograph=["micrographs/0000.mrc", "micrographs/0001.mrc", "micrographs/0001.mrc"],
    **{"class": ["top", "side", ""]},
    template=["t1", "t2", "t2"],
    y=[1.23456789, 4.0, -0.3],
    x=[3.0, 7654.321, 0.1],
    psi=[270.0, 12.5, np.nan],
    score=[0.1, 1e-9, np.nan],
)


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def points_star(table: Picks | Truth, pixel_size: float, classes: list[str]) -> str:
    return encode_coordinates(table, format="relion", pixel_size=pixel_size, classes=classes).decode()


def raises(file: Path, text: str, line: int | None = None, pixel_size: float | None = None) -> None:
    with pytest.raises(DataError, match=text) as caught:
        read_coordinates(file, pixel_size=pixel_size)
    assert caught.value.file == str(file)
    assert caught.value.line == line


# The sign of the angle -------------------------------------------------------------------------------


def relion_projection(reference: np.ndarray, psi: float) -> np.ndarray:
    """Draw image(r) = reference(A⁻¹ r) with A of Euler_angles2matrix(0, 0, ψ), r = (x, y) from n // 2.

    Nearest pixel: exact at multiples of 90°.
    """
    c, s = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    inverse = np.linalg.inv([[c, s], [-s, c]])
    n = len(reference)
    rows, columns = np.indices(reference.shape) - n // 2
    x, y = np.tensordot(inverse, np.array([columns, rows]), axes=1)
    return reference[np.rint(y).astype(int) + n // 2, np.rint(x).astype(int) + n // 2]


@pytest.mark.parametrize("psi", [0.0, 90.0, 180.0, 270.0])
def test_an_l_turned_by_simkit_is_what_relion_draws_at_the_written_angle(psi: float) -> None:
    grid = Grid((41, 41), 1.0)
    arms = [
        Disk(radius=4, centre={"y": 0.0, "x": 12.0}),
        Disk(radius=4, centre={"y": -8.0, "x": 0.0}, weight=2),
    ]

    def drawn(angle: float) -> np.ndarray:
        return fourier.corner_to_centre(fourier.inverse(draw(arms, grid, angle=angle), grid.shape))

    text = points_star(Picks(y=[0.0], x=[0.0], psi=[psi]), pixel_size=1.0, classes=[])
    block = gemmi.cif.read_string(text).find_block("particles")
    written = float(block.find_loop("_rlnAnglePsi")[0])
    # Rotation by right angles maps pixels onto pixels, so only rounding is left.
    assert np.allclose(relion_projection(drawn(0.0), written), drawn(psi), atol=1e-12)
    if psi in (90.0, 270.0):
        assert not np.allclose(relion_projection(drawn(0.0), -written), drawn(psi), atol=0.5)


def test_angle_is_read_back_with_its_sign(tmp_path: Path) -> None:
    file = write(
        tmp_path, "a.star", "data_\n\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnAnglePsi\n1 2 30\n"
    )
    assert read_coordinates(file, pixel_size=1.0)["psi"].tolist() == [-30.0]


# STAR ---------------------------------------------------------------------------------------------


def test_star_round_trip(tmp_path: Path) -> None:
    file = write(tmp_path, "a.star", points_star(PICKS, pixel_size=4.4, classes=["side", "top"]))
    back = read_coordinates(file)
    # Six decimals of a pixel: half a unit of the last one.
    assert np.abs(back["y"] - PICKS["y"]).max() <= 0.51e-6 * 4.4
    assert np.abs(back["x"] - PICKS["x"]).max() <= 0.51e-6 * 4.4
    assert np.allclose(wrap_angle(back["psi"] - PICKS["psi"]), [0, 0, np.nan], atol=1e-6, equal_nan=True)
    for exact in ("micrograph", "class", "template"):
        assert back[exact].tolist() == PICKS[exact].tolist()
    assert np.array_equal(back["score"], PICKS["score"], equal_nan=True)


@settings(max_examples=30, deadline=None)
@given(
    points=st.lists(st.tuples(st.floats(-1e4, 1e5), st.floats(-1e4, 1e5), st.floats(0, 360)), max_size=5),
    pixel_size=st.floats(0.1, 50),
)
def test_star_round_trip_of_anything(
    points: list[tuple[float, float, float]], pixel_size: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    y, x, psi = np.array(points, float).reshape(-1, 3).T
    picks = Picks(micrograph="m", y=y, x=x, psi=psi, score=1.0) if len(y) else Picks()
    text = points_star(picks, pixel_size=pixel_size, classes=[])
    assert "-0.000000 " not in text
    file = write(tmp_path_factory.mktemp("star"), "a.star", text)
    back = read_coordinates(file)
    assert np.allclose(back["y"] / pixel_size, y / pixel_size, rtol=1e-12, atol=1e-6)
    assert np.allclose(back["x"] / pixel_size, x / pixel_size, rtol=1e-12, atol=1e-6)
    assert np.allclose(wrap_angle(back["psi"] - psi), 0, atol=1e-6)


def test_picks_star_speaks_relion() -> None:
    document = gemmi.cif.read_string(points_star(PICKS, pixel_size=4.4, classes=["side", "top"]))
    assert [block.name for block in document] == ["optics", "particles"]
    assert document[0].find_loop("_rlnMicrographPixelSize")[0] == "4.4"
    columns = {tag: list(document[1].find_loop(tag)) for tag in document[1][0].loop.tags}
    assert columns["_rlnMicrographName"] == PICKS["micrograph"].tolist()
    assert columns["_rlnClassNumber"] == ["2", "1", "0"]
    assert columns["_rlnAnglePsi"] == ["90.000000", "-12.500000", "-999.000000"]
    assert columns["_rlnAutopickFigureOfMerit"] == ["0.1", "1e-09", "-999"]
    assert columns["_rlnOpticsGroup"] == ["1", "1", "1"]
    assert columns["_simkitClass"] == ["top", "side", "''"]


def test_truth_star_says_what_is_mirrored() -> None:
    truth = Truth(micrograph="m", y=[0.0, 8.8], x=[4.4, 0.0], psi=0.0, mirror=[False, True])
    block = gemmi.cif.read_string(points_star(truth, pixel_size=4.4, classes=[])).find_block("particles")
    assert list(block.find_loop("_simkitMirror")) == ["0", "1"]
    assert list(block.find_loop("_rlnCoordinateY")) == ["0.000000", "2.000000"]


def test_micrographs_star() -> None:
    files = ["micrographs/0000.mrc", "micrographs/0001.mrc"]
    text = micrographs_star(files, Optics(1.5, 300.0, 2.7e7, 0.1), {"rlnDefocusU": [1e4, 2e4]})
    optics, micrographs = gemmi.cif.read_string(text)
    assert (optics.name, micrographs.name) == ("optics", "micrographs")
    columns = {tag: optics.find_loop(tag)[0] for tag in optics[0].loop.tags}
    assert columns == {
        "_rlnOpticsGroupName": "opticsGroup1",
        "_rlnOpticsGroup": "1",
        "_rlnMicrographOriginalPixelSize": "1.5",
        "_rlnMicrographPixelSize": "1.5",
        "_rlnVoltage": "300",
        "_rlnSphericalAberration": "2.7",
        "_rlnAmplitudeContrast": "0.1",
    }
    assert list(micrographs.find_loop("_rlnMicrographName")) == files
    assert list(micrographs.find_loop("_rlnDefocusU")) == ["10000", "20000"]


def test_no_picks_is_a_file_with_headers(tmp_path: Path) -> None:
    file = write(tmp_path, "a.star", points_star(Picks(), pixel_size=2.0, classes=["a"]))
    assert "_rlnCoordinateX" in file.read_text()
    assert len(read_coordinates(file)) == 0


OPTICS = """data_optics
loop_
_rlnOpticsGroup
_rlnImagePixelSize
{columns}
{rows}

data_particles
loop_
_rlnCoordinateX
_rlnCoordinateY
_rlnOpticsGroup
10 20 1
30 40 2
"""


def test_where_the_pixel_size_comes_from(tmp_path: Path) -> None:
    # Extracted particles may have been scaled down: positions still count pixels of the micrograph.
    rows = "1 9 1.5\n2 9 3"
    file = write(tmp_path, "a.star", OPTICS.format(columns="_rlnMicrographOriginalPixelSize", rows=rows))
    assert read_coordinates(file)["x"].tolist() == [15.0, 90.0]
    rows = "1 9 8 1.5\n2 9 8 1.5"
    both = "_rlnMicrographOriginalPixelSize\n_rlnMicrographPixelSize"
    file = write(tmp_path, "b.star", OPTICS.format(columns=both, rows=rows))
    assert read_coordinates(file)["y"].tolist() == [30.0, 60.0]
    assert read_coordinates(file, pixel_size=2.0)["y"].tolist() == [40.0, 80.0]
    file = write(tmp_path, "c.star", OPTICS.format(columns="_rlnMicrographPixelSize", rows="1 9 2\n3 9 4"))
    raises(file, "no optics group 2", line=15)
    # An extracted image may have been scaled: its pixel is not the micrograph's.
    raises(
        write(tmp_path, "d.star", OPTICS.format(columns="_rlnVoltage", rows="1 2 300\n2 2 300")), "how large"
    )


DETECTOR = "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnDetectorPixelSize\n_rlnMagnification\n{tag}"


def test_pixel_size_of_relion_3_0(tmp_path: Path) -> None:
    file = write(tmp_path, "a.star", DETECTOR.format(tag="10 20 5 50000\n10 20 5 25000\n"))
    assert read_coordinates(file)["x"].tolist() == [10.0, 20.0]  # 5 µm ÷ 50 000 = 1 Å
    raises(
        write(tmp_path, "b.star", DETECTOR.format(tag="_rlnImageName\n1 2 5 50000 1@a.mrcs\n")), "how large"
    )
    raises(write(tmp_path, "c.star", DETECTOR.format(tag="1 2 5 0\n")), "how large")


def test_star_refusals(tmp_path: Path) -> None:
    head = "data_\n\nloop_ \n_rlnCoordinateX #1 \n_rlnCoordinateY #2 \n_rlnAutopickFigureOfMerit #3\n"
    raises(write(tmp_path, "a.star", head + "1 2 3\n"), "give the pixel size")
    raises(write(tmp_path, "a.star", head + "1 2 3\n\n# more\n1 two 3\n"), "'two', not a finite", 10, 1.0)
    raises(write(tmp_path, "a.star", head + "1 nan 3\n"), "'nan', not a finite", 7, 1.0)
    raises(write(tmp_path, "a.star", head + "1 2 3\n1 -999 3\n"), "absent", 8, 1.0)
    raises(write(tmp_path, "a.star", head + "1 2\n"), "Wrong number of values", 3, 1.0)
    raises(write(tmp_path, "a.star", "hello\n"), "not a STAR file", 1, 1.0)
    raises(write(tmp_path, "a.star", "data_x\nloop_\n_rlnImageName\na\n"), "rlnCoordinateX", None, 1.0)
    raises(write(tmp_path, "a.star", "data_x\nloop_\n_rlnCoordinateX\n1\n"), "Y is missing", 2, 1.0)
    (tmp_path / "b.star").write_bytes(b"data_\n\xff\xfe\n")
    raises(tmp_path / "b.star", "UTF-8")


# CSV ----------------------------------------------------------------------------------------------


def test_csv_round_trip_is_exact(tmp_path: Path) -> None:
    text = table_csv(PICKS)
    assert text.splitlines()[0] == "micrograph,class,template,y_A,x_A,psi_deg,score"
    assert text.splitlines()[3].endswith(",-0.3,0.1,,")
    assert read_coordinates(write(tmp_path, "a.csv", text)) == PICKS


def test_what_a_picker_says_of_its_picks_is_read_back(tmp_path: Path) -> None:
    said = PICKS.replace(
        runner_up=["side", "", "top, tilted"][: len(PICKS)] + [""] * (len(PICKS) - 3),
        certainty=[0.75, *[np.nan] * (len(PICKS) - 1)],
        flags=["edge crowded", *[""] * (len(PICKS) - 1)],
        q_value=np.linspace(0.01, 0.2, len(PICKS)),
    )
    assert read_coordinates(write(tmp_path, "a.csv", table_csv(said))) == said


def test_truth_csv() -> None:
    truth = Truth(
        micrograph="0000",
        **{"class": "a"},
        y=[1.5],
        x=[2.0],
        psi=[0.0],
        h=[-2.0],
        mirror=[True],
        d_prime=[0.25],
    )
    header, row = table_csv(truth).splitlines()
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    assert cells == {
        "micrograph": "0000",
        "class": "a",
        "y_A": "1.5",
        "x_A": "2",
        "psi_deg": "0",
        "mirror": "1",
        "h": "-2",
        "k": "",
        "edge": "0",
        "overlap": "",
        "border_A": "",
        "background": "",
        "d_prime": "0.25",
        "sigma_y_A": "",
        "sigma_x_A": "",
        "sigma_psi_deg": "",
    }


def test_one_dimension_has_only_x(tmp_path: Path) -> None:
    text = table_csv(Picks(x=[1.0, 2.0], y=0.0, score=[3.0, 4.0]), ndim=1)
    assert text.splitlines()[0] == "micrograph,class,template,x_A,score"
    back = read_coordinates(write(tmp_path, "a.csv", text))
    assert back["x"].tolist() == [1.0, 2.0]
    assert np.isnan(back["y"]).all()


def test_csv_units(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "\ufeffx_px, y_px, note\n10, 20, hi\n\n30, 40, \n")
    assert read_coordinates(file, pixel_size=1.5)["y"].tolist() == [30.0, 60.0]
    file = write(tmp_path, "b.csv", "score,y_A,x_A\n,20,10\n0.5,1,2\n")
    back = read_coordinates(file, pixel_size=1.5)  # Å stay Å
    assert back["y"].tolist() == [20.0, 1.0]
    assert np.isnan(back["score"][0])
    assert back["score"][1] == 0.5
    assert len(read_coordinates(write(tmp_path, "c.csv", "x_A,y_A\n"))) == 0


def test_csv_refusals(tmp_path: Path) -> None:
    raises(write(tmp_path, "a.csv", "x_px,y_px\n1,2\n"), "give the pixel size")
    raises(write(tmp_path, "a.csv", "x,y\n1,2\n"), "x_px,y_px or x_A,y_A", 1)
    raises(write(tmp_path, "a.csv", "X-Center,Y-Center\n1,2\n"), "this has X-Center", 1)
    raises(write(tmp_path, "a.csv", ""), "the file is empty")
    raises(write(tmp_path, "a.csv", "\n"), "this is empty", 1)
    raises(write(tmp_path, "a.csv", "x_A,x_A,y_A\n1,1,2\n"), "x_A more than once", 1)
    raises(write(tmp_path, "a.csv", "x_A,y_A\n1,2\n3,\n"), "y_A is '', not a finite", 3)
    raises(write(tmp_path, "a.csv", "x_A,y_A\n1,2\ninf,3\n"), "'inf'", 3)
    raises(write(tmp_path, "a.csv", "x_A,y_A,score\n1,2,high\n"), "score is 'high'", 2)
    raises(write(tmp_path, "a.csv", "x_A,y_A\n1,2\n3,4,5\n"), "3 cells under a header of 2", 3)
    raises(write(tmp_path, "a.csv", "y_px,z_px\n1,2\n"), "must name", 1, 1.0)
    (tmp_path / "b.csv").write_bytes(b"x_A,y_A\n\xff,2\n")
    raises(tmp_path / "b.csv", "UTF-8")


def test_no_file_and_no_format(tmp_path: Path) -> None:
    raises(tmp_path / "none.csv", "no such file")
    raises(write(tmp_path, "a.plt", "1 2 3 4\n"), r"\.star, \.box")
    (tmp_path / "folder.star").mkdir()
    raises(tmp_path / "folder.star", "no such file")


# Files that real programs wrote -------------------------------------------------------------------


@pytest.mark.real_data
@needs_data
def test_relion_autopick() -> None:
    picks = read_coordinates(SHARED / "coordinates/relion31_autopick.star", pixel_size=2.0)
    assert len(picks) == 195
    assert picks["x"][0] == pytest.approx(2 * 462.817657)
    assert picks["y"][0] == pytest.approx(2 * 203.188232)
    assert picks["score"][0] == 0.172677
    raises(SHARED / "coordinates/relion31_autopick.star", "pixel size")


@pytest.mark.real_data
@needs_data
def test_relion_particles_of_two_versions_agree() -> None:
    new = read_coordinates(SHARED / "coordinates/relion31_particles.star")
    old = read_coordinates(SHARED / "coordinates/relion30_particles.star", pixel_size=0.885)
    assert len(new) == len(old) == 17
    same = new["y"] == old["y"]
    assert same.sum() == 16  # one particle differs in the files themselves
    assert new.take(same) == old.take(same)
    assert new["x"][0] == pytest.approx(0.885 * 2158.111921)
    assert new["psi"][0] == pytest.approx(-71.118492)


@pytest.mark.real_data
@needs_data
def test_centres_drawn_by_hand() -> None:
    picks = read_coordinates(SHARED / "apoferritin/May08_03.05.02.csv", pixel_size=1.5)
    assert len(picks) == 146
    assert (picks["x"][0], picks["y"][0]) == (609.0, 48.0)
