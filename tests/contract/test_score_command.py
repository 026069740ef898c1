"""`simkit score`: files of any program, in any frame, and what is said of what cannot be judged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from simkit.cli.app import app
from simkit.cli.score_tables import labels

SHARED = Path(__file__).parents[3] / "shared" / "data"
RNG = np.random.default_rng(7)
HEIGHT, WIDTH = 600, 900
TRUTH = np.stack([RNG.uniform(40, WIDTH - 40, 60), RNG.uniform(40, HEIGHT - 40, 60)], axis=1).round()
"""60 places (x, y) in px, of which chance alone would hit few."""


@pytest.fixture
def score(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    return lambda *words: runner.invoke(app, ["score", *map(str, words)])


def put(name: str, points, header: str = "x_px,y_px", *more: str) -> str:
    Path(name).parent.mkdir(exist_ok=True, parents=True)
    rows = [",".join([*(f"{value:g}" for value in point), *more]) for point in points]
    Path(name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return name


def values(result) -> dict:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def counts(result, of: str = "all") -> tuple[int, int, int]:
    return tuple(values(result)[of][name] for name in ("tp", "fp", "fn"))


RADIUS = ("--radius", "8 Å", "--pixel-size", "2 Å", "--json")


def test_json_is_the_entry_of_one_picker(score):
    put("picks.csv", TRUTH[:40])
    entry = values(score("picks.csv", put("truth.csv", TRUTH), *RADIUS))
    assert list(entry) == ["knows", "oracle", "threshold", "all", "intervals"]
    assert (entry["knows"], entry["oracle"]) == ([], False)
    assert (entry["all"]["tp"], entry["all"]["precision"]) == (40, 1.0)


SPOILT = {
    "flipped-y": TRUTH * [1, -1] + [0, HEIGHT - 1],
    "flipped-x": TRUTH * [-1, 1] + [WIDTH - 1, 0],
    "transposed": TRUTH[:, ::-1],
}


@pytest.mark.parametrize("frame", SPOILT)
def test_frames_of_either_side_are_undone(score, frame):
    put("spoilt.csv", SPOILT[frame])
    put("truth.csv", TRUTH)
    size = ("--height", HEIGHT, "--width", WIDTH)
    right = score("spoilt.csv", "truth.csv", "--frame", frame, *size, *RADIUS)
    assert counts(right) == (60, 0, 0)
    assert right.stderr == ""
    assert values(right)["all"]["rmse"] == 0
    assert counts(score("truth.csv", "spoilt.csv", "--truth-frame", frame, *size, *RADIUS)) == (60, 0, 0)
    wrong = score("spoilt.csv", "truth.csv", *RADIUS)
    assert counts(wrong)[0] < 10
    assert frame.split("-")[0] in wrong.stderr


def test_binning_and_pixel_sizes_of_either_side(score):
    put("truth.csv", TRUTH)
    put("binned.csv", (TRUTH - 1.5) / 4)
    entry = values(score("binned.csv", "truth.csv", "--binning", 4, *RADIUS))["all"]
    assert entry["tp"] == 60
    assert entry["rmse"] == pytest.approx(0, abs=1e-3)  # six digits were written
    assert counts(score("truth.csv", "binned.csv", "--truth-binning", 4, *RADIUS)) == (60, 0, 0)
    put("half.csv", TRUTH * 2)
    assert counts(score("truth.csv", "half.csv", "--truth-pixel-size", "1 Å", *RADIUS)) == (60, 0, 0)


def test_a_frame_asks_for_the_size(score):
    put("p.csv", TRUTH)
    result = score("p.csv", "p.csv", "--frame", "flipped-y", *RADIUS)
    assert result.exit_code == 2
    assert "give the height of the micrograph" in result.stderr
    for words in (("--binning", "0"), ("--frame", "upside-down"), ("--height", "0")):
        assert score("p.csv", "p.csv", *words, *RADIUS).exit_code == 2


def test_points_off_the_micrograph_are_counted(score):
    picks, truth = put("picks.csv", SPOILT["flipped-y"]), put("truth.csv", TRUTH)
    # Flipped in a micrograph of 100 rows, what was not in its first 100 rows, or 4 px around, is above it.
    off = int((SPOILT["flipped-y"][:, 1] > 99 + 4).sum())
    result = score(picks, truth, "--frame", "flipped-y", "--height", 100, *RADIUS)
    assert f"PICKS: {off} of 60 points are outside a micrograph of --height 100" in result.stderr
    assert "TRUTH:" in result.stderr
    right = score(picks, truth, "--frame", "flipped-y", "--height", HEIGHT, "--width", WIDTH, *RADIUS)
    assert "outside" not in right.stderr


def test_a_binning_beyond_any_image_is_refused(score):
    picks = put("picks.csv", TRUTH)
    for binning in ("1e300", "inf", "nan", "-2"):
        result = score(picks, picks, "--binning", binning, *RADIUS)
        assert result.exit_code == 2
        assert "binning must be" in result.stderr


def test_counts_are_written_out(score):
    grid = np.stack(np.meshgrid(np.arange(150), np.arange(150)), axis=-1).reshape(-1, 2)
    picks = put("picks.csv", grid)
    result = score(picks, picks, "--radius", "0.4 Å", "--pixel-size", "1 Å")
    assert "22500" in result.stdout


def test_formats_can_be_named(score):
    put("p.csv", TRUTH)
    Path("p.coords").write_text("".join(f"{x - 8:g} {y - 8:g} 16 16\n" for x, y in TRUTH))
    assert counts(score("p.coords", "p.csv", "--format", "box", *RADIUS)) == (60, 0, 0)
    assert counts(score("p.csv", "p.coords", "--truth-format", "box", *RADIUS)) == (60, 0, 0)
    assert "convert it to one of them, or name its format" in score("p.coords", "p.csv", *RADIUS).stderr


def test_classes_are_judged_where_both_sides_name_them(score):
    header = "x_px,y_px,class"
    put("t.csv", TRUTH[:20], header, "side")
    put("t2.csv", TRUTH[20:], header, "top")
    Path("t.csv").write_text(Path("t.csv").read_text() + Path("t2.csv").read_text().split("\n", 1)[1])
    put("p.csv", TRUTH[:30], header, "side")
    entry = score("p.csv", "t.csv", *RADIUS)
    assert list(values(entry)) == ["knows", "oracle", "threshold", "all", "side", "top", "intervals"]
    assert counts(entry) == (30, 0, 30)
    assert values(entry)["all"]["wrong_class"] == 10
    assert counts(entry, "side") == (20, 10, 0)
    assert counts(entry, "top") == (0, 0, 40)
    text = score("p.csv", "t.csv", *RADIUS[:-1]).stdout.splitlines()
    assert text[0].split() == ["all", "side", "top", "95", "%", "interval", "of", "all"]
    put("q.csv", TRUTH[:30], header, "1")
    other = score("q.csv", "t.csv", *RADIUS)
    assert list(values(other)) == ["knows", "oracle", "threshold", "all", "intervals"]
    assert "TRUTH has the classes side, top and PICKS 1: judged blind to class" in other.stderr


# Sets -----------------------------------------------------------------------------------------------


def test_folders_and_patterns_of_several_programs_find_each_other(score):
    for i in range(3):
        put(f"truth/m_{i}.expert.csv", TRUTH[: 10 + i])
        Path("boxes").mkdir(exist_ok=True)
        lines = [f"{x - 8:g} {y - 8:g} 16 16\n" for x, y in TRUTH[: 9 + i]]
        Path(f"boxes/m_{i}.crYOLO.box").write_text("".join(lines))
    for picks in ("boxes", "boxes/*.box", "boxes/m_?.crYOLO.box"):
        assert counts(score(picks, "truth", *RADIUS)) == (30, 0, 3)
    one = score("boxes", "truth", "--micrograph", "m_2.mrc", *RADIUS)
    assert counts(one) == (11, 0, 1)


def test_what_is_on_one_side_only_is_counted_and_said(score):
    for i, n in enumerate((10, 11, 12)):
        put(f"truth/m_{i}.csv", TRUTH[:n])
    put("picks/m_1_p.csv", TRUTH[:11])
    put("picks/m_7_p.csv", TRUTH[:5])
    put("picks/m_2_p.csv", [])
    result = score("picks", "truth", *RADIUS)
    assert counts(result) == (11, 0, 22)
    assert "TRUTH alone knows m_0.csv: the 10 particles there are counted as missed" in result.stderr
    assert "PICKS alone knows m_7_p.csv: the 5 picks there are not judged" in result.stderr
    assert "PICKS: no points in m_2_p.csv" in result.stderr
    put("truth/m_3.csv", [])  # a micrograph that is known to be empty: picks there are false
    put("picks/m_3_p.csv", TRUTH[:4])
    assert counts(score("picks", "truth", *RADIUS)) == (11, 4, 22)
    put("picks/m_1_q.csv", TRUTH[:1])
    assert "PICKS: m_1_p.csv, m_1_q.csv are all about m_1.csv" in score("picks", "truth", *RADIUS).stderr
    header = "x_px,y_px,micrograph"
    put("picks/m_1_r.csv", TRUTH[:1], header, "m_1_q.csv")
    assert "PICKS: several files are about m_1_q.csv" in score("picks", "truth", *RADIUS).stderr


def test_sets_without_a_common_micrograph_are_an_error(score):
    header = "x_px,y_px,micrograph"
    put("p.csv", TRUTH, header, "a.mrc")
    put("t.csv", TRUTH, header, "b.mrc")
    result = score("p.csv", "t.csv", *RADIUS)
    assert result.exit_code == 2
    assert "no micrograph is also in t.csv" in result.stderr


@pytest.mark.parametrize("zero", ["zero.csv", "zero.box", "zero.star"])
def test_no_picks_are_judged_and_said(score, zero):
    put("t.csv", TRUTH)
    star = "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n"
    Path(zero).write_text({"zero.csv": "x_px,y_px\n", "zero.box": "", "zero.star": star}[zero])
    result = score(zero, "t.csv", *RADIUS)
    assert counts(result) == (0, 0, 60)
    assert values(result)["all"]["precision"] is None
    assert f"PICKS: no points in {zero}" in result.stderr
    assert counts(score("t.csv", zero, *RADIUS)) == (0, 60, 0)
    put("named.csv", TRUTH, "x_px,y_px,micrograph", "a.mrc")
    assert counts(score(zero, "named.csv", *RADIUS)) == (0, 0, 60)


# Files that real programs wrote -------------------------------------------------------------------


@pytest.mark.real_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="the measured coordinates are not here (../shared/data)")
@pytest.mark.parametrize(
    ("program", "n", "precision", "recall"),
    [("crYOLO", 719, 0.858, 0.981), ("topaz", 789, 0.708, 0.889), ("deepPicker", 381, 0.535, 0.324)],
)
def test_three_programs_against_experts(score, program, n, precision, recall):
    folder = SHARED / "beta_galactosidase"
    boxes = folder / f"Falcon_2012_06_12-14_33_35_0.{program}.box"
    truth = folder / "Falcon_2012_06_12-14_33_35_0.expert.csv"
    settings = ("--radius", f"{54 * 1.77} Å", "--pixel-size", "1.77 Å", "--json")
    flipped = score(boxes, truth, "--frame", "flipped-y", "--height", "4096", *settings)
    entry = values(flipped)["all"]
    assert flipped.stderr == ""
    assert entry["tp"] + entry["fp"] == n
    # Others published three decimals, and 4096 − y where pixel centres make it 4095 − y.
    assert entry["precision"] == pytest.approx(precision, abs=6e-4)
    assert entry["recall"] == pytest.approx(recall, abs=6e-4)
    as_given = score(boxes, truth, *settings)
    assert values(as_given)["all"]["precision"] == pytest.approx(0.34, abs=0.02)
    assert "flipped-y" in as_given.stderr


def test_where_the_truth_may_lack_particles_other_picks_are_unlabelled(tmp_path: Path) -> None:
    (tmp_path / "picks.csv").write_text("x_A,y_A\n10,10\n500,500\n")
    (tmp_path / "truth.csv").write_text("x_A,y_A\n11,10\n90,90\n")
    command = ["score", str(tmp_path / "picks.csv"), str(tmp_path / "truth.csv"), "--radius", "8 Å"]
    plain, open_ended = (CliRunner().invoke(app, [*command, *more]) for more in ([], ["--incomplete"]))
    assert "fp " in plain.stdout
    assert "unlabelled" not in plain.stdout
    assert "fp " not in open_ended.stdout
    assert [line.split() for line in open_ended.stdout.splitlines()][2] == ["unlabelled", "1"]
    assert "≥ 0.5" in open_ended.stdout


def test_angles_are_judged_modulo_the_symmetry(tmp_path: Path) -> None:
    (tmp_path / "picks.csv").write_text("x_A,y_A,psi_deg\n10,10,93\n")
    (tmp_path / "truth.csv").write_text("x_A,y_A,psi_deg\n10,10,0\n")
    command = ["score", *(str(tmp_path / f"{side}.csv") for side in ("picks", "truth")), "--radius", "8 Å"]

    def error(*more: str) -> float:
        done = CliRunner().invoke(app, [*command, "--json", *more])
        return float(json.loads(done.stdout)["all"]["psi_median_error"])

    assert error() == 93
    assert error("--symmetry", "C4") == pytest.approx(3)
    assert CliRunner().invoke(app, [*command, "--symmetry", "X9"]).exit_code == 2


def test_whose_pixels_topaz_counts_is_said(tmp_path: Path) -> None:
    (tmp_path / "picks.txt").write_text("image_name\tx_coord\ty_coord\tscore\nm\t10\t10\t1\n")
    (tmp_path / "truth.csv").write_text("micrograph,x_px,y_px\nm,10,10\n")
    command = ["score", *(str(tmp_path / f) for f in ("picks.txt", "truth.csv")), "--radius", "8 Å"]
    command += ["--pixel-size", "1 Å"]
    told, given = (CliRunner().invoke(app, [*command, *more]) for more in ([], ["--binning", "1.0001"]))
    assert "if it was binned, add --binning" in told.stderr
    assert "binned" not in given.stderr


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (("boxes.csv", "crosses.csv"), ["boxes", "crosses"]),  # an s is no space
        (("my picks.csv", "her picks.csv"), ["my", "her"]),
        (("old/run_1.box", "new/run_1.box"), ["old", "new"]),
        (("picks.csv", "picks_2.csv"), ["picks.csv", "picks_2.csv"]),
    ],
)
def test_several_files_are_called_by_what_tells_them_apart(files: tuple[str, ...], names: list[str]) -> None:
    assert labels([Path(file) for file in files]) == names
