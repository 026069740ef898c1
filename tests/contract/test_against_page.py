"""The page on base against head: what comes first, what is left out and how it is said, what a box shows."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from simkit.core.tables import Picks, Truth
from simkit.reports.against_page import render
from simkit.reports.boxes import MOST_BOXES, cut
from simkit.reports.contest import Contest, Gain

IMAGE = np.random.default_rng(7).normal(size=(40, 50))


def contest(case: str, lost: int, *, failures: tuple[str, ...] = ()) -> Contest:
    rng = np.random.default_rng(5)
    places = {"micrograph": ["m"] * 30, "y": rng.uniform(0, 78, 30), "x": rng.uniform(0, 98, 30)}
    truth = Truth(**places, d_prime=np.arange(30.0), **{"class": "<b>dot</b>"})
    found = Picks(**places, score=1.0)
    return Contest(
        case=case,
        picker="mine",
        failures=failures,
        gains=[Gain("recall", "", 0.5, 1.0, -0.5, -0.7, -0.3, 0.1, not failures)],
        particles=30,
        truth=truth,
        new=found.take(np.arange(lost, 30)),
        other=found,
        ids=[f"m#{row}" for row in range(30)],
        lost=np.arange(lost),
        found=np.arange(0),
        appeared=Picks(),
        gone=Picks(),
        radius=8.0,
        reach=20.0,
        pixel_size=2.0,
        pixels=lambda _: IMAGE,
    )


def page(*contests: Contest, **named: Any) -> str:
    told = {"suite": "s", "other": "<script>", "failed": 1, "expectations": 2, "command": "again", **named}
    return render(contests, **told)


def test_failures_come_first_and_what_is_left_out_is_counted() -> None:
    text = page(contest("good", 3), contest("bad", 20, failures=("mine.recall: too low",)))
    titles = re.findall(r'<h2 id="contest\d" class="(\w+)">', text)
    assert titles == ["failed", "passed"]
    assert f"Showing {MOST_BOXES} of 20." in text
    assert text.count('<figure class="tile"') == MOST_BOXES + 3
    # The easiest to see first: d′ grows with the row.
    assert re.findall(r'<figure class="tile" id="contest0-m#(\d+)"', text)[:2] == ["19", "18"]
    linked = re.findall(r'<a href="#(contest[^"]+)">m#', text)
    assert len(linked) == MOST_BOXES + 3
    assert all(f'id="{anchor}"' in text for anchor in linked)
    assert "<script>" not in text
    assert "<b>dot</b>" not in text


def test_marks_differ_in_shape_as_in_colour() -> None:
    text = page(contest("bad", 2))
    legend = re.search(r'<ul class="legend">(.*?)</ul>', text, re.DOTALL)
    assert legend is not None
    shapes = re.findall(r'class="mark (\w+)" d="([^"]+)"', legend[1])
    assert len({tone for tone, _ in shapes}) == len({path for _, path in shapes}) == 3


@pytest.mark.parametrize("place", [(20, 25), (0, 0), (39, 49), (3, 47)])
def test_a_box_is_the_image_around_its_middle_and_nothing_beyond(place: tuple[int, int]) -> None:
    padded = np.pad(IMAGE, 10, constant_values=np.nan)
    piece = cut(IMAGE, 2.0, y=2.0 * place[0] + 0.7, x=2.0 * place[1] - 0.7, reach=9.5)
    expected = padded[place[0] + 5 : place[0] + 16, place[1] + 5 : place[1] + 16]
    np.testing.assert_array_equal(piece.pixels, expected)
    assert (piece.top, piece.left) == (2.0 * (place[0] - 5), 2.0 * (place[1] - 5))
