"""`explain` says first what is missing, then what follows from the numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simkit.engine.explanation import explain
from simkit.scenario.loading import load

LECTURE = Path(__file__).parents[2] / "scenarios" / "lecture"


def rows(name: str, *overrides: str) -> dict[str, dict[str, str]]:
    sections = explain(load(LECTURE / name, overrides=overrides).scenario)
    assert sections[0].title == "What is not modelled"
    return {section.title: dict(section.rows) for section in sections}


def test_numbers_follow_from_the_scenario() -> None:
    found = rows("hemocyanin.yaml")
    assert found["Image"]["interaction constant σ"].startswith("0.000652616")
    # 10 e/Å² on pixels of 4.4 Å: 193.6 electrons each.
    assert found["Noise"]["electrons per pixel"].startswith("193.6")
    assert "spherical aberration 2.7 mm" in found["Optics"]["lens"]
    # The published first zero at 300 kV, Cs 2.7 mm, w 0.1 and 2 µm: 20.2 Å.
    assert found["Optics"]["first zero of lens"].startswith("20.16 Å")
    assert found["Species top"]["copies in micrograph 0"].startswith("40 ")


def test_detectability_grows_with_the_root_of_the_dose() -> None:
    def d_prime(dose: str) -> float:
        found = rows("hemocyanin.yaml", f"noise.shot.dose={dose}")
        return float(found["What physics allows: side"]["detectability d′"].split(":")[0])

    # Weak contrast: the variance of the noise is proportional to the dose. Three digits are told.
    assert d_prime("40 e/Å²") / d_prime("10 e/Å²") == pytest.approx(2.0, rel=0.01)


def test_what_physics_allows_comes_right_after_what_is_not_modelled() -> None:
    titles = list(rows("hemocyanin.yaml"))
    assert titles[1:4] == ["What physics allows: top", "What physics allows: side", "Image"]


def test_limits_are_told_where_they_are_within_reach() -> None:
    clear = rows("hemocyanin.yaml")["What physics allows: side"]
    assert clear["position"].startswith("y ± 0.4")
    assert clear["in-plane angle"].startswith("± 0.1")
    # A ring has no angle to find.
    assert "in-plane angle" not in rows("hemocyanin.yaml")["What physics allows: top"]
    weak = rows("hemocyanin.yaml", "noise.shot.dose=0.2 e/Å²")["What physics allows: side"]
    assert re.fullmatch(r"no limit is within reach: d′ < 6, expect \d+ % gross outliers", weak["position"])
    assert "in-plane angle" not in weak
    assert 0.1 < float(weak["ideal recall"].split(" at 1 false pick")[0]) < 0.6


def test_a_crystal_tells_how_well_its_vectors_can_be_known() -> None:
    found = rows("crystal-data.yaml")["What physics allows: motif"]
    assert re.match(r"a ± 0\.00\d+ Å, b ± 0\.00\d+ Å at best, from the 285 sites", found["lattice"])


def test_without_noise_physics_limits_nothing() -> None:
    assert not any(title.startswith("What physics allows") for title in rows("theorem.yaml"))


def test_what_is_missing_depends_on_what_is_there() -> None:
    assert "detector" in rows("hemocyanin.yaml")["What is not modelled"]
    assert "optics" in rows("theorem.yaml")["What is not modelled"]
    assert "optics" not in rows("psf.yaml")["What is not modelled"]
