"""Pictures of picks: every class has its own outline and colour, in its place."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from simkit.cli.app import app
from simkit.core.grid import Grid
from simkit.core.tables import Picks
from simkit.reports import canvas
from simkit.reports.picture import picks_picture

GRID = Grid((300, 400), 2.0)
NOISE = np.random.default_rng(0).normal(size=GRID.shape)


def pixels_of(picture: bytes, colour: str) -> np.ndarray:
    image = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), int)
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.argwhere(np.abs(image - wanted).sum(axis=-1) < 30)


def test_each_class_is_drawn_in_its_colour_around_its_place() -> None:
    picks = Picks(**{"class": ["ring", "bar"], "y": [100.0, 400.0], "x": [150.0, 600.0], "psi": [0.0, 30.0]})
    picture = picks_picture(NOISE, GRID, picks, supports={"ring": 40.0, "bar": 60.0}, title="two")
    ring, bar = pixels_of(picture, canvas.SKY), pixels_of(picture, canvas.ORANGE)
    below = ring[:, 0] > 70  # the legend stands above the image
    assert below.sum() > 50
    assert len(bar) > 50
    assert ring[below].mean(axis=0)[0] < bar[bar[:, 0] > 70].mean(axis=0)[0]
    assert ring[below].mean(axis=0)[1] < bar[bar[:, 0] > 70].mean(axis=0)[1]


def test_a_square_turns_with_psi() -> None:
    def width(psi: float) -> float:
        picks = Picks(**{"class": ["bar"], "y": [300.0], "x": [400.0], "psi": [psi]})
        drawn = pixels_of(
            picks_picture(NOISE, GRID, picks, supports={"ring": 1.0, "bar": 120.0}, title=""), canvas.ORANGE
        )
        drawn = drawn[drawn[:, 0] > 70]
        return float(np.ptp(drawn[:, 1]))

    # Flat on its side a square of circumradius R is √2 R wide, on its corner 2 R.
    assert abs(width(45.0) / width(0.0) - 2**0.5) < 0.05


def test_the_same_bytes_every_time_and_text_is_only_text() -> None:
    pictures = [picks_picture(NOISE, GRID, Picks(), supports={}, title=r"$\frac{1}{0}$") for _ in range(2)]
    assert pictures[0] == pictures[1]


def test_pick_writes_a_picture_of_every_image(tmp_path: Path) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text(
        "schema_version: 1\nimage: {pixel_size: 2 Å}\n"
        "templates: {disk: {kind: shapes, contrast: bright, shapes: [{kind: disk, radius: 16 Å}]}}\n"
        "pickers: {one: {kind: matched_filter, threshold: {kind: fixed, value: 6}}}\n",
        encoding="utf-8",
    )
    y, x = np.mgrid[:120, :160]
    disk = ((y - 50) ** 2 + (x - 90) ** 2 < 64) * 3.0
    np.save(tmp_path / "image.npy", NOISE[:120, :160] + disk)
    arguments = ["pick", str(scenario), str(tmp_path / "image.npy"), "--pictures", str(tmp_path / "out")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "image.npy,disk,disk" in done.output
    assert (tmp_path / "out" / "image.npy.png").read_bytes().startswith(b"\x89PNG")
