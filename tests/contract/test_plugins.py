"""Kinds from other packages: found by entry point, imported only when named, harmless when broken."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from simkit.core.quantity import UNITS_REQUIRED
from simkit.scenario.schema import json_schema
from simkit.scenario.spec import Scenario
from simkit.shape import FAMILY

CROSS = """
    from typing import Literal
    import numpy as np
    from simkit.core.quantity import PositiveLength
    from simkit.shape.base import Shape

    class Cross(Shape):
        kind: Literal["cross"] = "cross"
        length: PositiveLength

        def transform(self, frequencies):
            return np.sinc(self.length * frequencies[0]) * np.sinc(self.length * frequencies[1])

        @property
        def support(self):
            return self.length
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution on the path that offers a good, a broken and a foreign shape."""
    (tmp_path / "outside_good.py").write_text(textwrap.dedent(CROSS), encoding="utf-8")
    (tmp_path / "outside_broken.py").write_text("raise RuntimeError('half installed')\n", encoding="utf-8")
    info = tmp_path / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        "[simkit.shape]\ncross = outside_good:Cross\n"
        "broken = outside_broken:Broken\nforeign = pathlib:Path\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def scenario(shape: dict[str, object]) -> Scenario:
    cell = {"kind": "shapes", "shapes": [shape]}
    lattice = {"kind": "positions", "at": [["10 Å", "10 Å"]]}
    return Scenario.model_validate(
        {
            "schema_version": 1,
            "image": {"shape": [16, 16], "pixel_size": "2 Å"},
            "specimen": {"a": {"unit_cell": cell, "lattice": lattice}},
        },
        context=UNITS_REQUIRED,
    )


@pytest.mark.usefixtures("installed")
def test_a_plug_in_is_a_kind_like_any_other() -> None:
    assert "cross" in FAMILY.kinds
    cell = scenario({"kind": "cross", "length": "8 Å"}).specimen["a"].unit_cell
    assert cell.support == 8.0
    with pytest.raises(ValueError, match="has no unit"):
        scenario({"kind": "cross", "length": 8})


@pytest.mark.usefixtures("installed")
def test_a_broken_plug_in_fails_only_who_names_it() -> None:
    assert scenario({"kind": "disk", "radius": "4 Å"}).specimen["a"].unit_cell.support == 4.0
    with pytest.raises(ValueError, match=r"shape 'broken' cannot be imported.*half installed"):
        scenario({"kind": "broken"})
    with pytest.raises(ValueError, match="plug-in for shape 'foreign' is not a Shape"):
        scenario({"kind": "foreign"})


@pytest.mark.usefixtures("installed")
def test_the_schema_knows_the_built_in_kinds_alone() -> None:
    assert "'cross'" not in str(json_schema())
    assert "'disk'" in str(json_schema())


def test_without_it_the_kind_does_not_exist() -> None:
    with pytest.raises(ValueError, match="no shape is of kind 'cross'"):
        scenario({"kind": "cross", "length": "8 Å"})
