"""Coordinates in another frame: noticed where they are scored, named where the truth is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from simkit.core.tables import Picks, Truth
from simkit.io.coordinates import read_coordinates, write_coordinates
from simkit.matching.diagnosis import Diagnosis, diagnose
from simkit.matching.optimal import match
from simkit.matching.suspicion import likely_frame

REAL = Path(__file__).parents[3] / "shared" / "data" / "beta_galactosidase"

# ---- likely_frame: nobody knows the micrograph, there are only two sets of points -------------------

SIZE = np.array([1000.0, 1400.0])
"""Pixels of 1 Å: rows, columns."""

FRAMES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "flipped-y": lambda p: np.stack([SIZE[0] - 1 - p[:, 0], p[:, 1]], 1),
    "flipped-x": lambda p: np.stack([p[:, 0], SIZE[1] - 1 - p[:, 1]], 1),
    "transposed": lambda p: p[:, ::-1],
    "flipped-y+flipped-x": lambda p: SIZE - 1 - p,
    "transposed+flipped-y": lambda p: np.stack([p[:, 1], SIZE[0] - 1 - p[:, 0]], 1),
    "transposed+flipped-x": lambda p: np.stack([SIZE[1] - 1 - p[:, 1], p[:, 0]], 1),
    "transposed+flipped-y+flipped-x": lambda p: (SIZE - 1 - p)[:, ::-1],
}


def truth_at(points: np.ndarray, **columns: object) -> Truth:
    return Truth(y=points[:, 0], x=points[:, 1], **columns)


def picks_at(points: np.ndarray, **columns: object) -> Picks:
    return Picks(y=points[:, 0], x=points[:, 1], **columns)


def scattered(
    seed: int, count: int = 300, found: float = 0.6, noise: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:
    """Truths, and as many picks of which a share are truths, so many Å off an axis."""
    rng = np.random.default_rng(seed)
    truths = rng.random((count, 2)) * SIZE
    picks = truths + rng.normal(0, noise, truths.shape)
    wrong = rng.random(count) > found
    picks[wrong] = rng.random((wrong.sum(), 2)) * SIZE
    return truths, picks


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("frame", FRAMES)
def test_every_frame_is_noticed_and_measured(frame: str, seed: int) -> None:
    truths, picks = scattered(seed)
    found = likely_frame(truth_at(truths), picks_at(FRAMES[frame](picks)), radius=15, pixel_size=1.0)
    assert found is not None
    assert found.frame == frame
    # The median of some 180 sums of standard deviation 2 px: 0.2 px, and 5 of them are allowed.
    for side, flip, n in ((found.height, "flipped-y", SIZE[0]), (found.width, "flipped-x", SIZE[1])):
        assert (side is None) == (flip not in frame)
        assert side is None or abs(side - (n - 1)) < 1


def test_the_counts_are_those_of_the_optimal_rule() -> None:
    truths, picks = scattered(5)
    flipped = picks_at(FRAMES["flipped-y"](picks))
    found = likely_frame(truth_at(truths), flipped, radius=15)
    assert found is not None
    assert found.height is not None
    upright = flipped.replace(y=found.height - flipped["y"])
    assert found.as_given == len(match(truth_at(truths), flipped, radius=15).truth)
    assert found.better == len(match(truth_at(truths), upright, radius=15).truth)
    # Chance: 300 picks, each near one of 300 disks of 15 px in 1000 × 1400, 42.2 ± 6; one to one
    # matching takes a few away.
    assert 25 < found.chance < 55


def test_the_sentence_says_what_to_add() -> None:
    truths, picks = scattered(1, noise=0.01)
    given = truth_at(truths), picks_at(FRAMES["flipped-y"](picks))
    found = likely_frame(*given, radius=15, pixel_size=0.5)
    assert found is not None
    assert found.sentence == (
        f"the picks look flipped: as given {found.as_given} of 300 match, which is what chance gives "
        f"({found.chance:.0f}); with y counted from the bottom of a micrograph about 1999 px high "
        f"{found.better} do. If so, add --frame flipped-y --height 1999"
    )
    without = likely_frame(*given, radius=15)
    assert without is not None
    assert "about 999 Å high" in without.sentence
    assert without.sentence.endswith("--frame flipped-y --height PIXELS")


def test_what_no_single_option_does_is_told_as_a_formula() -> None:
    truths, picks = scattered(2, noise=0.01)
    found = likely_frame(
        truth_at(truths), picks_at(FRAMES["transposed+flipped-y"](picks)), radius=15, pixel_size=1.0
    )
    assert found is not None
    assert found.sentence.endswith("rewrite them: y = 999 − your x, x = your y")


@pytest.mark.parametrize(("rows", "told"), [(4096, 4096), (4099, 4096), (4130, 4130)])
def test_a_size_near_that_of_a_detector_is_taken_for_it(rows: int, told: int) -> None:
    truths, picks = scattered(3, noise=0.01)
    flipped = np.stack([rows - 1 - 4 * picks[:, 0], 4 * picks[:, 1]], 1)
    found = likely_frame(truth_at(4 * truths), picks_at(flipped), radius=60, pixel_size=1.0)
    assert found is not None
    assert found.sentence.endswith(f"--height {told}")


def test_micrographs_vote_together() -> None:
    rng = np.random.default_rng(0)
    names = np.repeat([f"{i:02d}" for i in range(30)], 12)
    truths = rng.random((360, 2)) * SIZE
    found = likely_frame(
        truth_at(truths, micrograph=names),
        picks_at(FRAMES["flipped-x"](truths), micrograph=names),
        radius=15,
    )
    assert found is not None
    assert (found.frame, found.better) == ("flipped-x", 360)


def test_picks_at_random_are_not_suspected() -> None:
    # 1e-6 is aimed at a call: 80 calls alarm with a probability of 8e-5 in all.
    for seed in range(80):
        rng = np.random.default_rng(seed)
        n, m = rng.integers(8, 400, 2)
        radius = 10 ** rng.uniform(0.3, 2)
        sets = truth_at(rng.random((n, 2)) * SIZE), picks_at(rng.random((m, 2)) * SIZE)
        assert likely_frame(*sets, radius=radius) is None, seed


@pytest.mark.parametrize("found", [1.0, 0.6, 0.2])
def test_picks_in_the_right_frame_are_not_suspected(found: float) -> None:
    for seed in range(10):
        truths, picks = scattered(seed, found=found)
        assert likely_frame(truth_at(truths), picks_at(picks), radius=15) is None


def test_clusters_of_picks_and_particles_are_not_suspected() -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        clumps = [rng.random((3, 2)) * SIZE for _ in range(2)]
        sets = [c[rng.integers(3, size=200)] + rng.normal(0, 80, (200, 2)) for c in clumps]
        assert likely_frame(truth_at(sets[0]), picks_at(sets[1]), radius=20) is None, seed


def crystal(rng: np.random.Generator, angle: float) -> tuple[np.ndarray, float]:
    step, opening = rng.uniform(25, 70), rng.choice([np.pi / 2, np.pi / 3, rng.uniform(1, 2)])
    h, k = np.meshgrid(np.arange(-90, 90), np.arange(-90, 90))
    a, b = (step * np.array([np.sin(t), np.cos(t)]) for t in (angle, angle + opening))
    points = h.reshape(-1, 1) * a + k.reshape(-1, 1) * b
    return points[((points >= 0) & (points < SIZE)).all(axis=1)], step


@pytest.mark.parametrize("aligned", [True, False])
def test_a_crystal_that_is_displaced_is_not_called_flipped(aligned: bool) -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        points, step = crystal(rng, 0.0 if aligned else rng.uniform(0, np.pi))
        kept = points[rng.random(len(points)) < rng.uniform(0.4, 1)]
        picks = kept + rng.uniform(-step, step, 2) * (seed % 2) + rng.normal(0, 1, kept.shape)
        assert likely_frame(truth_at(points), picks_at(picks), radius=step * rng.uniform(0.1, 0.5)) is None


def test_only_picks_at_the_level_of_chance_are_suspected() -> None:
    # A third of the particles have another at their mirror image, so flipped picks find them as given:
    # far less than upright, but no chance either, and what it means is not for this function to say.
    points, _ = scattered(0, count=250)
    truths = np.concatenate([points, FRAMES["flipped-y"](points[:50])])
    flipped = picks_at(FRAMES["flipped-y"](truths))
    assert len(match(truth_at(truths), flipped, radius=10).truth) >= 100
    assert likely_frame(truth_at(truths), flipped, radius=10) is None


def test_a_few_points_prove_nothing() -> None:
    truths, _ = scattered(0, count=7)
    assert likely_frame(truth_at(truths), picks_at(FRAMES["flipped-y"](truths)), radius=15) is None
    assert likely_frame(Truth(), Picks(), radius=15) is None
    assert likely_frame(truth_at(truths), Picks(), radius=15) is None


def test_points_on_a_line_have_no_frame() -> None:
    points = np.stack([np.zeros(50), np.random.default_rng(0).random(50) * 1000], 1)
    assert likely_frame(truth_at(points), picks_at([0, 999] - points * [1, 1]), radius=5) is None


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("program", "precision"), [("crYOLO", 0.858), ("topaz", 0.708), ("deepPicker", 0.535)]
)
def test_the_flipped_boxes_of_three_programs_are_noticed(program: str, precision: float) -> None:
    if not REAL.is_dir():
        pytest.skip("the micrograph of β-galactosidase is not here")
    stem = REAL / "Falcon_2012_06_12-14_33_35_0"
    x, y, _ = np.loadtxt(f"{stem}.expert.csv", delimiter=",", skiprows=1).T * 1.77
    boxes = np.loadtxt(f"{stem}.{program}.box")
    picks = Picks(y=(boxes[:, 1] + 90) * 1.77, x=(boxes[:, 0] + 90) * 1.77)
    found = likely_frame(Truth(y=y, x=x), picks, radius=54 * 1.77, pixel_size=1.77)
    assert found is not None
    assert found.sentence.endswith("add --frame flipped-y --height 4096")
    # The known figure to its last digit; the height that fits best may move a pair or two across 54 px.
    assert abs(found.better / len(picks) - precision) < 0.006
    assert abs(found.as_given - found.chance) < 0.02 * len(picks)
    upright = picks.replace(y=4095 * 1.77 - picks["y"])
    assert likely_frame(Truth(y=y, x=x), upright, radius=54 * 1.77) is None


# ---- diagnose: the truth of a test micrograph is known exactly -----------------------------------------

H, W, PX = 400, 520, 2.5

Columns = tuple[np.ndarray, np.ndarray, np.ndarray]
MISTAKES: dict[str, tuple[Callable[..., Columns], tuple[str, ...], str]] = {
    # name: (y, x, ψ in px and degrees as a mistaken program writes them, its names, part of the remedy)
    "none": (lambda y, x, a: (y, x, a), (), ""),
    "no angles": (lambda y, x, a: (y, x, a * np.nan), (), ""),
    "rounded": (lambda y, x, a: (y.round(), x.round(), a), (), ""),
    "cut": (lambda y, x, a: (np.floor(y), np.floor(x), a), ("half-pixel",), "y, x = y + 0.5, x + 0.5"),
    "transposed": (lambda y, x, a: (x, y, 90 - a), ("transposed",), "--frame transposed"),
    "columns exchanged": (lambda y, x, a: (x, y, a), ("transposed",), ": y, x = x, y"),
    "flipped in y": (lambda y, x, a: (H - 1 - y, x, -a), ("flipped-y",), "--frame flipped-y --height 400"),
    "flipped in x": (
        lambda y, x, a: (y, W - 1 - x, 180 - a),
        ("flipped-x",),
        "--frame flipped-x --width 520",
    ),
    "y alone flipped": (lambda y, x, a: (H - 1 - y, x, a), ("flipped-y",), ": y = 399 − y"),
    "turned": (
        lambda y, x, a: (H - 1 - y, W - 1 - x, a + 180),
        ("flipped-y", "flipped-x"),
        "y, x, ψ = 399 − y, 519 − x, ψ + 180°",
    ),
    "transposed and flipped": (
        lambda y, x, a: (x, H - 1 - y, a + 90),
        ("transposed", "flipped-y"),
        "y, x, ψ = 399 − x, y, ψ − 90°",
    ),
    "flip off by one": (lambda y, x, a: (H - y, x, -a), ("flipped-y", "flip-off-by-one"), "y, ψ = 400 − y"),
    "corner of 40": (lambda y, x, a: (y - 20, x - 20, a), ("corner",), "y, x = y + 20, x + 20"),
    "corner of 65": (lambda y, x, a: (y - 32.5, x - 32.5, a), ("corner",), ""),
    "corner, flipped": (lambda y, x, a: (H - 1 - y - 16, x - 16, -a), ("flipped-y", "corner"), "383 − y"),
    "from 1": (lambda y, x, a: (y + 1, x + 1, a), ("one-based",), "y, x = y − 1, x − 1"),
    "from 1, transposed": (lambda y, x, a: (x + 1, y + 1, 90 - a), ("transposed", "one-based"), "x − 1"),
    "pixel corners": (lambda y, x, a: (y + 0.5, x + 0.5, a), ("half-pixel",), "y, x = y − 0.5, x − 0.5"),
    "pixel corners, flipped": (
        lambda y, x, a: (H - 1 - y + 0.5, x + 0.5, -a),
        ("flipped-y", "half-pixel"),
        "399.5 − y",
    ),
    "binned 2": (lambda y, x, a: ((y - 0.5) / 2, (x - 0.5) / 2, a), ("binned",), "--binning 2"),
    "binned 4": (lambda y, x, a: ((y - 1.5) / 4, (x - 1.5) / 4, a), ("binned",), "--binning 4"),
    "Fourier crop by 2": (lambda y, x, a: (y / 2, x / 2, a), ("binned", "binned-without-phase"), "2 × y"),
    "Fourier crop by 4": (lambda y, x, a: (y / 4, x / 4, a), ("binned", "binned-without-phase"), "4 × y"),
    "binned and flipped": (
        lambda y, x, a: ((H - 1 - y - 1.5) / 4, (x - 1.5) / 4, -a),
        ("flipped-y", "binned"),
        "--frame flipped-y --height 400 --binning 4",
    ),
    "enlarged 2": (lambda y, x, a: (2 * y + 0.5, 2 * x + 0.5, a), ("enlarged",), "y / 2 − 0.25"),
    "Å": (lambda y, x, a: (y * PX, x * PX, a), ("in-angstrom",), "y / 2.5"),
    "pixels for Å": (lambda y, x, a: (y / PX, x / PX, a), ("in-pixels",), "2.5 × y"),
    "pixel size 7 % wrong": (lambda y, x, a: (y * 1.07, x * 1.07, a), ("scale",), "/ 1.07"),
    "somewhere else": (lambda y, x, a: (y + 2.5, x - 1, a), ("offset",), ""),
    "ψ the other way": (lambda y, x, a: (y, x, -a), ("angle-sign",), "ψ = −ψ"),
    "ψ in radians": (lambda y, x, a: (y, x, np.deg2rad(a)), ("angle-in-radians",), "ψ × 180/π"),
    "ψ off by 90°": (lambda y, x, a: (y, x, a + 90), ("angle-turned",), "ψ = ψ − 90°"),
    "ψ from y": (lambda y, x, a: (y, x, 90 - a), ("angle-from-y",), "ψ = 90° − ψ"),
    "ψ anything": (lambda y, x, a: (y, x, a[::-1] * 7.3), ("angle-unknown",), ""),
}


def known_truth(seed: int) -> Truth:
    """26 particles at real positions and angles, off centre in the micrograph."""
    rng = np.random.default_rng(seed)
    cells = rng.permutation(5 * 6)[:26]
    y, x = 40 + 62 * (cells // 6) + rng.uniform(0, 40, 26), 65 + 70 * (cells % 6) + rng.uniform(0, 48, 26)
    return Truth(y=y * PX, x=x * PX, psi=rng.uniform(0, 360, 26))


def good_picks(truth: Truth, seed: int, *, noise: float = 0.3, missing: int = 5, false: int = 5) -> Columns:
    """Return y, x in px and ψ: jittered truths, 20 % of them missing, and 20 % of nonsense."""
    rng = np.random.default_rng([seed, 1])
    kept = truth.take(rng.permutation(len(truth))[missing:])
    n = len(kept)
    return (
        np.append(kept["y"] / PX + rng.normal(0, noise, n), rng.uniform(0, H, false)),
        np.append(kept["x"] / PX + rng.normal(0, noise, n), rng.uniform(0, W, false)),
        np.append(kept["psi"] + rng.normal(0, 3, n), rng.uniform(0, 360, false)),
    )


def diagnosed(truth: Truth, columns: Columns, **options: float) -> Diagnosis:
    y, x, psi = columns
    return diagnose(truth, Picks(y=y * PX, x=x * PX, psi=psi), pixel_size=PX, shape=(H, W), **options)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_mistake_is_named(mistake: str, seed: int) -> None:
    write, errors, remedy = MISTAKES[mistake]
    truth = known_truth(seed)
    found = diagnosed(truth, write(*good_picks(truth, seed)))
    assert found.errors == errors, found.sentence
    assert remedy in found.remedy
    assert found.right == (errors == ())
    # What is corrected is as good as what was mistaken: 20 or 21 pairs, 0.3 px an axis. A binned
    # picker's rounding apart, 4 standard errors of the mean and twice the rmse leave room.
    assert found.matched in (20, 21, 22)
    assert found.bias is not None
    assert found.rmse is not None
    assert max(map(abs, found.bias)) < 4 * 0.3 / np.sqrt(20)
    assert found.rmse < 2 * 0.3 * np.sqrt(2)


def test_correct_picks_are_called_right() -> None:
    # Wrong in fewer than 1 of 1,000 calls: 30 calls alarm with a probability below 3 %.
    for seed in range(30):
        truth = known_truth(seed)
        found = diagnosed(truth, good_picks(truth, seed, missing=8, false=8))
        assert found.right, (seed, found.sentence)


def test_rough_picks_are_called_right_with_a_remark() -> None:
    # The mean of 20 is good to 0.22 px: whichever name is nearest would often be half a pixel.
    for seed in range(20):
        truth = known_truth(seed)
        found = diagnosed(truth, good_picks(truth, seed, noise=1.0))
        assert found.right, (seed, found.sentence)
        assert "half a pixel would not show" in " ".join(found.remarks)


def test_the_measured_residuals_are_those_of_the_picks() -> None:
    truth = known_truth(3)
    rng = np.random.default_rng(0)
    errors = rng.normal(0, 0.3, (26, 2))
    y, x = truth["y"] / PX + errors[:, 0], truth["x"] / PX + errors[:, 1]
    found = diagnosed(truth, (y, x, truth["psi"] + rng.normal(0, 3, 26)))
    assert found.bias == pytest.approx(tuple(errors.mean(axis=0)))
    assert found.bias_error == pytest.approx(tuple(errors.std(axis=0, ddof=1) / np.sqrt(26)))
    assert found.rmse == pytest.approx(np.sqrt((errors**2).sum(axis=1).mean()))
    assert found.recall == 1
    # Median of |N(0, 3°)| is 2.02°, ± 0.4° for 26.
    assert found.angle_error == pytest.approx(2.02, abs=1.2)


def test_nonsense_is_said_to_be_nonsense() -> None:
    for seed in range(2):
        rng = np.random.default_rng(seed)
        y, x = rng.uniform(0, H, 26), rng.uniform(0, W, 26)
        assert diagnosed(known_truth(seed), (y, x, y)).errors == ("unrecognised",)
    empty = np.empty(0)
    assert "no picks" in diagnosed(known_truth(0), (empty, empty, empty)).sentence
    crowd = np.linspace(0, 399, 5000)
    assert "far too many" in diagnosed(known_truth(0), (crowd, crowd, crowd)).sentence


def test_a_known_box_is_recognised() -> None:
    truth = known_truth(0)
    y, x, psi = good_picks(truth, 0)
    assert "the boxes of 41 px" in diagnosed(truth, (y - 20, x - 20, psi), box=41).sentence
    assert "of about 40 px" in diagnosed(truth, (y - 20, x - 20, psi), box=64).sentence


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("picks.star", {}),
        ("picks.csv", {}),
        ("picks.box", {"box": 40}),
        ("picks.cbox", {"box": 41}),
        ("picks.json", {}),
        ("picks.cs", {"shape": (H, W)}),
        ("picks.txt", {}),
    ],
)
def test_every_format_brings_the_test_micrograph_back(
    name: str, options: dict[str, object], tmp_path: Path
) -> None:
    truth = known_truth(0)
    y, x, psi = good_picks(truth, 0)
    table = Picks(y=y * PX, x=x * PX, psi=psi, micrograph="micrograph.mrc", score=1.0)
    write_coordinates(tmp_path / name, table, pixel_size=PX, **options)
    read = read_coordinates(tmp_path / name, pixel_size=PX)
    assert diagnose(truth, read, pixel_size=PX, shape=(H, W)).errors == ()
