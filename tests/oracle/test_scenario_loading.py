"""Scenario files: YAML 1.2, places of errors, overrides, and writing back."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit.core.errors import DataError, ScenarioError
from simkit.scenario.loading import dump, load
from simkit.scenario.source import InvalidScenarioError
from simkit.scenario.spec import Scenario
from simkit.scenario.yamltree import MAX_DEPTH, read_tree

GOOD = """\
# Two disks.
schema_version: 1
title: Disks
seed: 3
image: {shape: [64, 80], pixel_size: 4 Å}
specimen:
  disk:
    unit_cell: {kind: shapes, shapes: [{kind: disk, radius: 20 Å, centre: [0 Å, 1 nm]}]}
    lattice: {kind: scattered, count: 2, min_distance: 60 Å}
noise:
  detector: {kind: gaussian, sd: 0.5}
"""


@pytest.fixture
def written(tmp_path):
    def write(text, name="s.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def problems(path, **options):
    with pytest.raises(InvalidScenarioError) as caught:
        load(path, **options)
    assert caught.value.exit_code == 2
    return caught.value.problems


# --- YAML ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("1:30", "1:30"),
        ("2001-01-01", "2001-01-01"),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        (".5", 0.5),
        ("{y: 1, n: 2}", {"y": 1, "n": 2}),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    tree = read_tree(f"a: {text}\n")
    assert tree.faults == []
    assert tree.data == {"a": value}
    assert type(tree.data["a"]) is type(value)


@pytest.mark.parametrize(
    ("text", "told", "place"),
    [
        ("a: 1\na: 2\n", "`a` is written twice", 5),
        ("a: !!python/object:os.system x\n", "tags", 3),
        ("a: !mine x\n", "tags", 3),
        ("a: !!binary aGk=\n", "tags", 3),
        ("a: &x [*x]\n", "contains itself", 3),
        ("a: *x\n", "undefined alias", 3),
        ("a:\n\tb: 1\n", "tab", 3),
        ("a: [1, 2\nb: 3\n", "not YAML", 10),
        ("? [1]\n: 2\n", "a key is a name", 2),
        ("1: 2\n", "a key is a name", 0),
        ("a: 1\n---\nb: 2\n", "another document", 5),
        ("a: \x07\n", "U+0007", 3),
        ('a: "\\e[31m"\n', "control character", 3),
        ('a: "\\ud800"\n', "half a character", 3),
        ("a: " + "9" * 5000, "cannot be read", 3),
        ("<<: 3\n", "merges mappings", 4),
    ],
)
def test_what_yaml_faults_say_and_where(text, told, place):
    faults = read_tree(text).faults
    assert [told in fault.message for fault in faults] == [True], faults
    assert faults[0].index == place


def test_aliases_and_merges_are_written_out():
    tree = read_tree("a: &m {x: 1, y: 2}\nb: *m\nc: {<<: *m, y: 3}\nd: {<<: [{x: 5}, *m]}\n")
    assert tree.faults == []
    # The YAML merge specification: own keys go first, then earlier sources before later ones.
    assert tree.data["b"] == {"x": 1, "y": 2}
    assert tree.data["c"] == {"x": 1, "y": 3}
    assert tree.data["d"] == {"x": 5, "y": 2}


def test_an_alias_bomb_is_refused_before_it_goes_off():
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"{c}: &{c} [{', '.join([f'*{p}'] * 10)}]" for p, c in zip("abcdefgh", "bcdefghi", strict=True)]
    (fault,) = read_tree("\n".join(lines)).faults
    assert fault.fatal
    assert "values" in fault.message


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1000])
def test_deep_nesting_is_refused(depth):
    (fault,) = read_tree("a: " + "[" * depth + "]" * depth).faults
    assert fault.fatal
    assert "nested" in fault.message


# --- places ----------------------------------------------------------------------------------------


def test_every_key_and_value_is_where_the_source_map_says(written):
    path = written(GOOD)
    source = load(path).source
    lines = GOOD.splitlines()
    checked = 0
    for key_path in source.keys:
        problem = source.problem(ScenarioError("x", key_path), at_key=True)
        line, column = map(int, re.fullmatch(rf"{re.escape(str(path))}:(\d+):(\d+)", problem.where).groups())
        if isinstance(key_path[-1], str):
            assert lines[line - 1][column - 1 :].startswith(f"{key_path[-1]}:")
            checked += 1
    assert checked == len(re.findall(r"\w+:(?= |\n)", GOOD))


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("image", "pixel_size"), "4 Å}"),
        (("noise", "detector", "sd"), "0.5}"),
        (("specimen", "disk", "unit_cell", "shapes", 0, "centre", "x"), "1 nm]"),
        (("specimen", "disk", "unit_cell", "shapes", 0, "centre", "y"), "0 Å, 1 nm]"),
        (("specimen", "disk", "lattice", "origin"), "lattice: {kind"),  # missing: the nearest key above
        (("audit", "x"), "# Two disks."),
    ],
)
def test_later_errors_find_their_place(written, path, shown):
    problem = load(written(GOOD)).source.problem(ScenarioError("wrong", path))
    line, caret = (text[4:] for text in problem.snippet.split("\n"))
    assert line[caret.index("^") :].startswith(shown)
    assert line in GOOD


def test_the_caret_stays_below_its_place_in_a_long_line(written):
    text = GOOD.replace("title: Disks", f"title: {'long ' * 100}\nseeds: 1 # {'x' * 200}")
    (problem,) = problems(written(text.replace("sd: 0.5", f"{' ' * 300}sd: none")))[1:]
    line, caret = problem.snippet.split("\n")
    assert line[caret.index("^") :].startswith("none")
    assert len(line) < 120


SHAPE = "specimen.disk.unit_cell.shapes.0"


@pytest.mark.parametrize(
    ("old", "new", "path", "told"),
    [  # § marks the place that the error must name
        ("title: Disks", "§titel: Disks", "titel", "no such key; did you mean `title`?"),
        ("title: Disks", "§frame: 1", "frame", "there are schema_version, title"),
        ("title: Disks", "title: §[x]", "title", "must be text, not a list"),
        ("schema_version: 1", "schema_version: §2", "schema_version", "must be 1, not 2"),
        ("radius: 20 Å", "radius: §20", f"{SHAPE}.radius", "write `20 Å`"),
        ("radius: 20 Å", "radius: §-20 Å", f"{SHAPE}.radius", "more than 0 Å"),
        ("radius: 20 Å", "radius: §1e999 Å", f"{SHAPE}.radius", "finite"),
        ("radius: 20 Å", "radius: §20 kV", f"{SHAPE}.radius", "its units are Å"),
        ("radius: 20 Å", "radius: 20 Å, §wieght: 2", f"{SHAPE}.wieght", "did you mean `weight`?"),
        ("[0 Å, 1 nm]", "[0 Å, §1]", f"{SHAPE}.centre.x", "write `1 Å`"),
        ("[0 Å, 1 nm]", "§[0 Å, 1 nm, 2 nm]", f"{SHAPE}.centre", "`[y, x]`"),
        ("[0 Å, 1 nm]", "§[1 nm]", f"{SHAPE}.centre", "`[y, x]` in a 2-D image; this has 1"),
        ("{kind: disk, radius: 20 Å", "{kind: §dsk, radius: 20 Å", f"{SHAPE}.kind", "did you mean `disk`?"),
        ("{kind: gaussian, sd: 0.5}", "§{sd: 0.5}", "noise.detector", "`kind:` is missing"),
        ("{kind: gaussian, sd: 0.5}", "§3", "noise.detector", "a mapping with a `kind:`"),
        ("sd: 0.5", "sd: §.nan", "noise.detector.sd", "finite"),
        ("sd: 0.5", "sd: §.inf", "noise.detector.sd", "finite"),
        ("sd: 0.5", "sd: §-1", "noise.detector.sd", "must be more than 0"),
        ("sd: 0.5", "sd: §'0.5'", "noise.detector.sd", "must be a number, not '0.5'"),
        ("sd: 0.5", "sd: §true", "noise.detector.sd", "must be a number, not true"),
        ("sd: 0.5", "sd: §[1]", "noise.detector.sd", "must be a number, not a list"),
        ("count: 2", "count: §2.5", "specimen.disk.lattice.count", "whole number, not 2.5"),
        ("count: 2", "count: 2, §count: 3", "specimen.disk.lattice.count", "written twice"),
        ("[64, 80]", "§[64, 80, 3]", "image.shape", "at most 2 entries"),
        ("[64, 80]", "§[]", "image.shape", "at least 1"),
        ("[64, 80]", "§64", "image.shape", "must be a list, not 64"),
        ("[64, 80]", "[64, §0]", "image.shape.1", "at least 1, not 0"),
        ("image: {shape: [64, 80], pixel_size: 4 Å}", "image: §3", "image", "a mapping"),
        ("image: {shape: [64, 80], pixel_size: 4 Å}", "§image: {}", "image.pixel_size", "(Edge of a pixel)"),
        ("4 Å}", "4 Å, boundary: §opne}", "image.boundary", "'periodic' or 'open'"),
        ("  disk:\n", "  §2d:\n", "specimen.2d", "'2d' is no name"),
        ("noise:\n", "expect: [§{picker: a, at_most: 1}]\nnoise:\n", "expect.0.metric", "is missing"),
    ],
)
def test_each_error_says_where_what_and_what_would_be_right(written, old, new, path, told):
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    before = text[: text.index("§")]
    file = written(text.replace("§", ""))
    (problem,) = problems(file)
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    assert problem.where == f"{file}:{line}:{column}"
    assert problem.as_dict()["path"] == path
    assert told in problem.message


def test_all_errors_are_told_at_once_in_the_order_of_the_file(written):
    text = (
        GOOD.replace("seed: 3", "seed: -3\nseed: 4").replace("4 Å}", "4}").replace("kind: disk", "kind: dsc")
    )
    found = problems(written(text.replace("sd: 0.5", "sb: 1")))
    assert [p.as_dict()["path"] for p in found] == [
        "seed",
        "image.pixel_size",
        "specimen.disk.unit_cell.shapes.0.kind",
        "noise.detector.sb",
    ]


def test_errors_across_sections_are_located_too(written):
    text = GOOD + "expect:\n  - {picker: ncc, metric: recall, at_least: 0.9}\n"
    (problem,) = problems(written(text))
    assert problem.where.endswith(":13:14")
    assert "pickers has no 'ncc'" in problem.message


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "says nothing"),
        (b"# only a comment\n", "says nothing"),
        (b"- 1\n", "not a list"),
        (b"just words\n", "not 'just words'"),
        (b"title: caf\xe9\n", ":1:11: byte 0xe9 is not UTF-8"),
        (b"\xff\xfea\x00", ":1:1: byte 0xff is not UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00", "not UTF-8"),
        (b"a: \x00\n", "U+0000"),
    ],
)
def test_files_that_are_no_scenario(written, content, told):
    path = written(content)
    (problem,) = problems(path)
    assert told in str(problem)
    assert problem.where.startswith(f"{path}:1:")


def test_files_that_cannot_be_read(tmp_path):
    for path, told in ((tmp_path / "none.yaml", "no such file"), (tmp_path, "folder")):
        with pytest.raises(DataError, match=told):
            load(path)
    with pytest.raises(DataError, match="1 MiB"):
        load("/dev/zero")


def test_byte_order_mark_and_windows_line_ends_change_nothing(written):
    marked = written(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load(marked).scenario == load(written(GOOD, "plain.yaml")).scenario
    broken = written(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").replace("20 Å", "20").encode())
    (problem,) = problems(broken)
    assert problem.where.endswith(":8:61")
    assert "\r" not in problem.snippet


# --- overrides -------------------------------------------------------------------------------------


def test_overrides_replace_and_add(written):
    path = written(GOOD)
    scenario = load(
        path,
        overrides=[
            "noise.detector.sd=2.5",
            "image.pixel_size=3 Å",
            "specimen.disk.unit_cell.shapes.0.radius=1 nm",
            "noise.second={kind: gaussian, sd: 1e-3}",
            "description=a = b",
        ],
        seed=11,
    ).scenario
    assert scenario.noise["detector"].sd == 2.5
    assert scenario.noise["second"].sd == 1e-3
    assert scenario.image.pixel_size == 3.0
    assert scenario.specimen["disk"].unit_cell.shapes[0].radius == 10.0
    assert (scenario.seed, scenario.description) == (11, "a = b")
    assert load(path).scenario.seed == 3


@pytest.mark.parametrize(
    ("override", "where", "told"),
    [
        ("noise.detector.sd=-1", "--set noise.detector.sd: must be", "more than 0"),
        (
            "noise.detector={kind: gaussian, sb: 1}",
            "--set noise.detector: noise.detector.sb: ",
            "there are sd, snr",
        ),
        ("image.pixle_size=3 Å", "--set image.pixle_size: no such key", "`pixel_size`"),
        ("specimen.disk.unit_cell.shapes.1.radius=3 Å", "--set specimen.disk", "entries are 0 to 0"),
        ("title.x=1", "--set title.x: ", "there is no 'x' in it"),
        ("title", "--set title: ", "sets nothing"),
        ("title=[", "--set title: ", "not YAML"),
        ("title=!!x y", "--set title: ", "tags"),
        (".=1", "--set .: ", "is no path"),
    ],
)
def test_errors_of_an_override_name_it(written, override, where, told):
    (problem,) = problems(written(GOOD), overrides=[override])
    assert str(problem).startswith(where)
    assert told in str(problem)


def test_a_wrong_seed_names_its_option(written):
    (problem,) = problems(written(GOOD), seed=-1)
    assert str(problem) == "--seed: must be at least 0, not -1"


# --- files that a scenario names -------------------------------------------------------------------


def test_files_are_found_beside_the_scenario(tmp_path, monkeypatch):
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "points.csv").write_text("x_A,y_A\n40,40\n")
    text = GOOD.replace(
        "{kind: scattered, count: 2, min_distance: 60 Å}", "{kind: positions, file: points.csv}"
    )
    (folder / "s.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    scenario = load("deep/s.yaml").scenario
    assert scenario.specimen["disk"].lattice.file == str(folder / "points.csv")
    (folder / "points.csv").unlink()
    (problem,) = problems("deep/s.yaml")
    assert problem.where == "deep/s.yaml:9:38"
    assert f"{folder / 'points.csv'} does not exist" in problem.message


# --- writing back ----------------------------------------------------------------------------------

positive = st.floats(1e-3, 1e5)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True).filter(
    lambda n: n not in ("all", "knows")
)
words = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=30)
shapes = st.builds(
    lambda r, w, y, x: {"kind": "disk", "radius": r, "weight": w, "centre": {"y": y, "x": x}},
    positive,
    st.floats(-1e6, 1e6),
    st.floats(-1e4, 1e4),
    st.floats(-1e4, 1e4),
)
species = st.builds(
    lambda s, d, n: {
        "unit_cell": {"kind": "shapes", "shapes": s},
        "lattice": {"kind": "scattered", "count": n, "min_distance": d},
        "symmetry": "C2",
    },
    st.lists(shapes, min_size=1, max_size=3),
    positive,
    st.integers(0, 99),
)
scenarios = st.builds(
    lambda title, seed, shape, pixel, specimen, noise: {
        "schema_version": 1,
        "title": title,
        "seed": seed,
        "image": {"shape": shape, "pixel_size": pixel},
        "specimen": specimen,
        "noise": {name: {"kind": "gaussian", "sd": sd} for name, sd in noise.items()},
    },
    words,
    st.integers(0, 2**63),
    st.lists(st.integers(1, 9999), min_size=2, max_size=2),
    positive,
    st.dictionaries(names, species, max_size=2),
    st.dictionaries(names, positive, max_size=3),
)


@settings(max_examples=40, deadline=None)
@given(scenarios)
def test_what_is_written_reads_back_as_the_same_scenario(data):
    from simkit.core.quantity import UNITS_REQUIRED

    scenario = Scenario.model_validate(data)
    text = dump(scenario)
    tree = read_tree(text)
    assert tree.faults == []
    again = Scenario.model_validate(tree.data, context=UNITS_REQUIRED)
    assert again == scenario
    # Noise acts in written order, which equality of mappings does not see.
    assert list(again.noise) == list(scenario.noise)
    assert dump(again) == text


def test_written_text_is_canonical(written):
    text = dump(load(written(GOOD)).scenario)
    assert "x: 10 Å" in text
    assert "pixel_size: 4 Å" in text
    assert text.index("kind: disk") < text.index("radius: 20 Å")
    assert "null" not in text
