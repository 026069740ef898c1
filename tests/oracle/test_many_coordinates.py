"""Coordinates by the million: read at once as they are read one by one, held small, and paired aloud."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from simkit.core.errors import DataError
from simkit.core.labels import Labels, common_codes
from simkit.core.tables import Picks, Truth
from simkit.io import cells, sides, star_table
from simkit.io.coordinates import CoordinateFrame, read_coordinates
from simkit.matching import suspicion

FRAME = CoordinateFrame(1.0)
NAMES = st.sampled_from(["a.mrc", "b.mrc", "", "a", "ab", "Å.mrc"])


# Tables against plain lists ---------------------------------------------------------------------------


def table_of(names: list[str]) -> Picks:
    return Picks(micrograph=names, y=np.arange(len(names)), x=0.5, **{"class": names[::-1]})


@given(names=st.lists(NAMES, max_size=12), rows=st.lists(st.integers(0, 11), max_size=12))
def test_text_columns_are_what_lists_of_text_would_be(names: list[str], rows: list[int]) -> None:
    table, rows = table_of(names), [row for row in rows if row < len(names)]
    assert table["micrograph"].tolist() == names
    assert list(table.labels("micrograph")) == names
    codes, texts = table.codes("micrograph")
    unique, inverse = np.unique(np.array(names, str), return_inverse=True)
    assert (list(texts), codes.tolist()) == (unique.tolist(), inverse.tolist())
    taken = table.take(rows)
    assert taken["micrograph"].tolist() == [names[row] for row in rows]
    assert taken.codes("micrograph")[1] == tuple(sorted({names[row] for row in rows}))
    assert table.take(table["micrograph"] == "a").codes("micrograph")[1] in ((), ("a",))
    stacked = Picks.concat([table, taken, Picks()])
    assert stacked["class"].tolist() == names[::-1] + [names[::-1][row] for row in rows]
    parts = table.split("micrograph")
    assert list(parts) == list(dict.fromkeys(names))
    assert {name: part["y"].tolist() for name, part in parts.items()} == {
        name: [float(row) for row, other in enumerate(names) if other == name] for name in names
    }
    assert [row["micrograph"] for row in table.rows()] == names
    assert table == table_of(names)
    assert (table == table.replace(micrograph="a.mrc")) == (set(names) <= {"a.mrc"})


@given(names=st.lists(NAMES, min_size=1, max_size=12), wanted=st.sets(NAMES))
def test_labels_are_counted_renamed_and_looked_up_by_name(names: list[str], wanted: set[str]) -> None:
    labels = Labels.of(names)
    assert labels.counts() == {name: names.count(name) for name in names}
    assert labels.among(wanted).tolist() == [name in wanted for name in names]
    assert list(labels.renamed(lambda name: name[:1])) == [name[:1] for name in names]
    assert labels[0] == names[0]
    assert labels[1:] == Labels.of(names[1:])
    assert labels.spelled_out().tolist() == names


@given(st.lists(st.lists(NAMES, max_size=6), min_size=1, max_size=3))
def test_equal_texts_of_several_columns_have_equal_numbers(columns: list[list[str]]) -> None:
    codes = common_codes(*map(Labels.of, columns))
    assert list(map(len, codes)) == list(map(len, columns))
    pairs = {pair for pairs in map(zip, columns, codes) for pair in pairs}
    assert len(pairs) == len({name for name, _ in pairs}) == len({code for _, code in pairs})


def test_a_column_that_is_one_value_takes_the_memory_of_one() -> None:
    table = Picks(y=np.zeros(5), x=np.arange(5.0), micrograph="m")
    more = Picks.concat([table.take([0, 3]), table, table.take(table["x"] > 1)])
    assert len(more) == 10
    for column in ("psi", "rot", "tilt", "h", "k", "score"):
        assert np.isnan(more[column]).all()
        assert more[column].strides == (0,)
    assert more.codes("micrograph")[0].strides == more.codes("class")[0].strides == (0,)
    mixed = Truth.concat([Truth(x=[1.0], mirror=True), Truth(x=[2.0, 3.0], mirror=False)])
    assert mixed["mirror"].tolist() == [True, False, False]
    one_each = Picks.concat([Picks(x=[1.0, 1.0], psi=1.0), Picks(x=[1.0], psi=2.0)])
    assert one_each["psi"].tolist() == [1.0, 1.0, 2.0]


def test_columns_are_of_one_length_and_not_to_be_written_to() -> None:
    table = Picks(y=[1.0, 2.0], x=0.0, micrograph=["a", "b"])
    for values in (table["y"], table["x"], table["micrograph"], table.codes("micrograph")[0]):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = values[1]
        with pytest.raises(ValueError, match="read-only"):
            table.take([1])["y"][0] = 0.0
    for wrong in ({"y": [1.0, 2.0, 3.0]}, {"micrograph": ["a", "b", "c"]}, {"class": Labels.of("abc")}):
        with pytest.raises(ValueError):  # noqa: PT011 - in NumPy's own words or in ours
            table.replace(**wrong)
    with pytest.raises(KeyError):
        table.replace(z=1.0)
    with pytest.raises(KeyError):
        table.codes("y")
    with pytest.raises(IndexError):
        table.take(np.array([True, False, True]))
    with pytest.raises(IndexError):
        Picks(x=1.0, y=[1.0]).take([0, 1])


# A block at once against row by row -------------------------------------------------------------------

NUMBERS = st.one_of(
    st.floats(-1e3, 1e5).map(repr),
    st.sampled_from(["1", "-0", "+4", ".5", "5.", "1e3", "1E-3", " 7", "7 ", "1_0", "12345678.123456789"]),
)
ODD = ["", " ", "nan", "-inf", "two", "1 2", "1e400", "2e9", '"3"', "0x1", "١", "1,2", "-5", "#", "-999"]
WORDS = ["a.mrc", "b c", "", "Å", '"q"', '"x,y"', "data_1", "'s'", "'", "#4", "_t", "$", "loop_", "Save_1"]
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\n\n", "\n , , \n", "\r"])


def rows_of(cell: st.SearchStrategy[str]) -> st.SearchStrategy[list[list[str]]]:
    return st.lists(st.lists(cell, min_size=4, max_size=4), min_size=1, max_size=6)


ROW = st.tuples(st.sampled_from(WORDS), NUMBERS, NUMBERS, NUMBERS).map(list)
PLAIN = st.lists(ROW, min_size=1, max_size=8)
TABLES = st.one_of(PLAIN, rows_of(st.one_of(NUMBERS, NUMBERS, st.sampled_from(ODD + WORDS))))
STAR = "data_optics\nloop_\n_rlnOpticsGroup\n_rlnMicrographPixelSize\n1 2.0\n\ndata_particles\n\nloop_\n"
STAR += "_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n_rlnAutopickFigureOfMerit #4\n"
HEADS = {
    "a.csv": ("micrograph,x_px,y_px,score\n", ","),
    "a.tsv": ("micrograph\tx_px\ty_px\tscore\n", "\t"),
    "a.txt": ("image_name\tx_coord\ty_coord\tscore\n", "\t"),
    "a.star": (STAR, " "),
    "a.box": ("", " "),
}


def outcome(file: Path) -> object:
    """Return what is read, or what is said of it."""
    try:
        return list(map(repr, read_coordinates(file, pixel_size=1.0).rows()))
    except DataError as error:
        return error.message, error.line


def one_by_one(file: Path) -> object:
    """Return the same without any reading at once: the csv module, str.split and gemmi have the word."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells.Columns, "add", lambda *_: False)
        patch.setattr(star_table, "_head", lambda stream, tag: (stream.read(), ()))
        return outcome(file)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(sorted(HEADS)),
    rows=TABLES,
    end=ENDS,
    block=st.sampled_from([1, 40, 1 << 20]),
    bom=st.booleans(),
)
@example(name="a.star", rows=[["''", "1", "2", "3"], ["'a b'", "1", "2", "3"]], end="\n", block=1, bom=False)
@example(name="a.star", rows=[["a", "1", "2", "3"], ["data_1", "1", "2", "3"]], end="\n", block=1, bom=False)
@example(name="a.star", rows=[["a", "1", "2", "-999"], ["a", "1", "#", "3"]], end="\n", block=1, bom=False)
@example(name="a.csv", rows=[["a"], ["1", "2", "3"]], end="\n", block=1 << 20, bom=False)
@example(name="a.csv", rows=[["a", "1", "2", ""], ["a", "1", "2", "3"]], end="\n , , \n", block=1, bom=True)
@example(name="a.csv", rows=[['"a\nb"', "1", "2", ""], ["a", "1", "nan", "3"]], end="\n", block=1, bom=True)
def test_a_file_is_read_at_once_as_it_is_row_by_row(
    name: str,
    rows: list[list[str]],
    end: str,
    block: int,
    bom: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    head, separator = HEADS[name]
    text = head + "".join(separator.join(row) + end for row in rows)
    file = tmp_path_factory.mktemp("rows") / name
    file.write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "BLOCK", 1 << 30)
        expected = one_by_one(file)
        patch.setattr(cells, "BLOCK", block)
        found = outcome(file)
    if isinstance(found, list) or isinstance(expected, list):
        assert found == expected
    elif block > 40 and name != "a.star":  # otherwise another one of several errors may be met first
        assert found[1] == expected[1]


ROWS = 40_000
X, Y = np.random.default_rng(1).uniform(0, 4000, (2, ROWS)).round(3)
MICROGRAPH = [f"m_{row // 1000:02d}" for row in range(ROWS)]


def lines_of(form: str) -> list[str]:
    """Return a file of many rows of about a megabyte and a half: more than one block."""
    head, separator = HEADS[f"a.{form}"]
    if form == "box":
        return [f"{x:g} {y:g} 0 0 0.12345678901234567" for x, y in zip(X.round(), Y.round(), strict=True)]
    rows = zip(MICROGRAPH, X, Y, strict=True)
    return head.splitlines() + [
        separator.join((m, f"{x}", f"{y}", "0.12345678901234567")) for m, x, y in rows
    ]


@pytest.mark.parametrize("form", ["csv", "txt", "star", "box"])
def test_plain_files_are_read_at_once_and_right(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / f"a.{form}"
    file.write_text("\n".join(lines_of(form)) + "\n")
    assert file.stat().st_size > 1.2 * cells.BLOCK

    def refuse(self: cells.Columns, columns: dict, *_: object) -> None:
        assert not any(map(len, columns.values())), "a plain row was read by itself"

    monkeypatch.setattr(cells.Columns, "add_rows", refuse)
    picks = read_coordinates(file, pixel_size=1.0)
    rounded = np.round if form == "box" else np.asarray
    assert np.array_equal(picks["x"], rounded(X))
    assert np.array_equal(picks["y"], rounded(Y))
    assert (picks["score"] == 0.12345678901234567).all()
    assert picks["micrograph"].tolist() == (MICROGRAPH if form != "box" else [""] * ROWS)


BAD = {
    "nan": "'nan', not a finite number",
    "inf": "'inf', not a finite number",
    "-Infinity": "'-Infinity', not a finite number",
    "1e999": "'1e999', not a finite number",
    "2e9": "is 2e9, beyond any micrograph",
    "12a": "'12a', not a finite number",
}


@pytest.mark.parametrize("form", ["csv", "txt", "star", "box"])
@pytest.mark.parametrize("cell", BAD)
def test_what_is_no_coordinate_is_told_by_its_line_however_far_down(
    form: str, cell: str, tmp_path: Path
) -> None:
    lines, separator = lines_of(form), HEADS[f"a.{form}"][1]
    words = lines[-7].split(separator)
    words[words.index("0") - 1 if form == "box" else 2] = cell
    lines[-7] = separator.join(words)
    file = tmp_path / f"a.{form}"
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=BAD[cell]) as caught:
        read_coordinates(file, pixel_size=1.0)
    assert (caught.value.file, caught.value.line) == (str(file), len(lines) - 6)


def test_damage_behind_a_table_is_told_by_its_line(tmp_path: Path) -> None:
    lines = [*lines_of("star"), "", "data_more", "_rlnTag 'unclosed"]
    (tmp_path / "a.star").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="unterminated") as caught:
        read_coordinates(tmp_path / "a.star")
    assert caught.value.line == len(lines)


@pytest.mark.parametrize(
    ("form", "told", "located"),
    [
        ("csv", "3 cells under a header of 4 columns", True),
        ("txt", "3 cells under a header of 4 columns", True),
        ("box", "here are 3 words", True),
        ("star", "Wrong number of values in loop", False),
    ],
)
def test_a_row_that_lacks_a_cell_is_told(form: str, told: str, located: bool, tmp_path: Path) -> None:
    lines, separator = lines_of(form), HEADS[f"a.{form}"][1]
    lines[-7] = separator.join(lines[-7].split(separator)[:3])
    file = tmp_path / f"a.{form}"
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=told) as caught:
        read_coordinates(file, pixel_size=1.0)
    # STAR's rows may go over lines: that a value is missing shows at the end of a table; its start is told.
    assert caught.value.line == (len(lines) - 6 if located else lines.index("data_particles") + 3)


@pytest.mark.parametrize(
    ("name", "text", "wanted", "there"),
    [
        ("a.csv", "x_px,score\n1,2\n", "a column y_px beside x_px", "along x alone"),
        ("a.csv", "mic,px,py\nm,1,2\n", "x_px,y_px or x_A,y_A", "mic, px, py"),
        ("a.txt", "image_name\tx_coord\tscore\nm\t1\t2\n", "y_coord", "image_name, x_coord, score"),
        ("a.star", "data_\nloop_\n_rlnCoordinateX\n_rlnVoltage\n1 2\n", "rlnCoordinateY", "rlnVoltage"),
        ("a.star", "data_\nloop_\n_rlnVoltage\n1\n", "rlnCoordinateX and rlnCoordinateY", ""),
        ("a.cbox", "data_\nloop_\n_CoordinateX\n_Width\n1 2\n", "CoordinateY", "CoordinateX, Width"),
    ],
)
def test_missing_columns_are_named_beside_those_that_are_there(
    name: str, text: str, wanted: str, there: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as caught:
        sides.read_side(tmp_path / name, side="PICKS", frame=FRAME, format=None)
    assert str(tmp_path / name) in str(caught.value)
    assert wanted in str(caught.value)
    assert there in str(caught.value)


# Two sides ----------------------------------------------------------------------------------------------


def side_of(tmp_path: Path, name: str, *rows: str) -> tuple[sides.Side, list[str]]:
    (tmp_path / name).write_text("\n".join(["micrograph,class,x_A,y_A", *rows]) + "\n")
    return sides.read_side(tmp_path / name, side="PICKS", frame=FRAME, format=None)


def test_negative_and_repeated_points_are_counted_aloud_and_kept(tmp_path: Path) -> None:
    rows = [
        "m,a,-1,2",
        "m,a,3,-4",
        "m,a,3,4",
        "m,a,3,4",
        "m,b,3,4",
        "n,a,3,4",
        "m,a,3,4",
        "m,a,-0,0",
        "m,a,0,0",
    ]
    side, notes = side_of(tmp_path, "p.csv", *rows)
    assert len(side.table) == 9
    assert notes == [
        "PICKS: 2 of 9 points have a negative coordinate; they are judged like the others",
        "PICKS: 3 of 9 points repeat another: same micrograph, class and place; all are judged",
    ]
    assert side_of(tmp_path, "q.csv", "m,a,1,2", "m,a,2,1")[1] == []


@given(
    rows=st.lists(st.tuples(NAMES, st.integers(0, 3), st.sampled_from([0.0, -0.0, 1.0, 0.1])), max_size=30)
)
def test_repeated_points_are_those_that_a_set_would_lose(rows: list[tuple[str, int, float]]) -> None:
    names, y, x = zip(*rows, strict=True) if rows else ((), (), ())
    table = Picks(micrograph=list(names), y=list(y), x=list(x))
    assert sides.count_repeated(table) == len(rows) - len(set(rows))


def test_what_only_one_side_knows_is_counted(tmp_path: Path) -> None:
    found, _ = side_of(tmp_path, "p.csv", "a,,1,1", "a,,2,1", "b.mrc,,1,1", "z,,1,1", "z,,2,2")
    right, _ = side_of(tmp_path, "t.csv", "b,,1,1", "a.mrc,,1,1", "c,,3,3", "c,,4,3", "c,,5,3")
    picks, truth, notes = sides.paired(found, right)
    assert picks.table["micrograph"].tolist() == ["a.mrc", "a.mrc", "b"]
    assert truth is right
    known = sides.as_truth(truth)
    for column in ("micrograph", "y", "x"):
        assert known[column].tolist() == right.table[column].tolist()
    assert notes == [
        "TRUTH alone knows c: the 3 particles there are counted as missed",
        "PICKS alone knows z: the 2 picks there are not judged",
    ]
    one = sides.on_micrograph(found, "b")
    assert (one.table["x"].tolist(), one.micrographs) == ([1.0], ("",))
    with pytest.raises(DataError, match="nothing in it is on the micrograph 'y'"):
        sides.on_micrograph(found, "y")


def test_thousands_of_micrographs_are_paired_by_name() -> None:
    n = 3000
    names = [f"FoilHole_{i:05d}_{i * 7919 % n:05d}" for i in range(n)]
    found = sides.Side(Path("p"), Picks(micrograph=[f"{name}.mrc" for name in names], x=0.0, y=0.0), ())
    found = sides.Side(Path("p"), found.table, found.table.codes("micrograph")[1])
    right = sides.Side(Path("t"), Picks(micrograph=names[::-1], x=0.0, y=0.0), tuple(sorted(names)))
    picks, _, notes = sides.paired(found, right)
    assert picks.table["micrograph"].tolist() == names
    assert notes == []


def test_classes_are_shared_or_told_apart(tmp_path: Path) -> None:
    one, two, none = (
        side_of(tmp_path, f"{i}.csv", *rows)[0]
        for i, rows in enumerate([["m,a,1,1", "m,b,1,2"], ["m,b,1,1", "m,c,1,2"], ["m,,1,1"]])
    )
    assert sides.shared_classes(one, two) == (("b", "c"), [])
    assert sides.shared_classes(one, none) == ((), [])
    other = side_of(tmp_path, "d.csv", "m,z,1,1")[0]
    assert sides.shared_classes(other, two) == (
        (),
        ["TRUTH has the classes b, c and PICKS z: judged blind to class"],
    )


def test_points_beyond_the_image_are_counted(tmp_path: Path) -> None:
    side, _ = side_of(tmp_path, "p.csv", "m,,-11,5", "m,,-9,5", "m,,5,130", "m,,5,109")
    size = {"height": 50, "width": None, "pixel_size": 2.0, "radius": 10.0}
    assert sides.off_image(side, "PICKS", **size) == [
        "PICKS: 1 of 4 points are outside a micrograph of --height 50"
    ]
    assert sides.off_image(side, "PICKS", **(size | {"width": 50, "height": None})) == [
        "PICKS: 1 of 4 points are outside a micrograph of --width 50"
    ]


# A part tells as much ------------------------------------------------------------------------------------


def test_of_many_micrographs_some_tell_that_picks_are_flipped(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    n, each, height = 40, 50, 4000.0
    names = np.repeat([f"m{i}" for i in range(n)], each)
    y, x = rng.uniform(0, height, (2, n * each))
    truth, flipped = Truth(micrograph=names, y=y, x=x), Picks(micrograph=names, y=height - y, x=x)
    whole = suspicion.likely_frame(truth, flipped, radius=40)
    monkeypatch.setattr(suspicion, "MOST", 1000)  # 10 micrographs of 50 truths and 50 picks
    part = suspicion.likely_frame(truth, flipped, radius=40)
    assert whole is not None
    assert part is not None
    assert (whole.frame, part.frame) == ("flipped-y", "flipped-y")
    assert (whole.better, part.better) == (2000, 500)
    assert "of 500 match on 10 of 40 micrographs, which is what chance gives" in part.sentence
    assert "micrographs" not in whole.sentence
    assert suspicion.likely_frame(truth, Picks(micrograph=names, y=y, x=x), radius=40) is None
