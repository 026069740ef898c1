"""`explain` says first what is missing, then what follows from the numbers."""

from __future__ import annotations

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
        return float(found["Species side"]["detectability d′ of the ideal observer"])

    # Weak contrast: the noise is that of the solvent, its variance proportional to the dose.
    assert d_prime("40 e/Å²") / d_prime("10 e/Å²") == pytest.approx(2.0, rel=0.01)


def test_what_is_missing_depends_on_what_is_there() -> None:
    assert "detector" in rows("hemocyanin.yaml")["What is not modelled"]
    assert "optics" in rows("theorem.yaml")["What is not modelled"]
    assert "optics" not in rows("psf.yaml")["What is not modelled"]
