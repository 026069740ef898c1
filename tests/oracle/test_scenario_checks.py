"""Rules that span sections: a good scenario keeps all, each single change breaks exactly one."""

import copy

import pytest

from simkit.core.errors import dotted
from simkit.scenario.checks import check, doubts
from simkit.scenario.spec import Scenario

SHELL = {"kind": "shell", "outer_radius": 60, "inner_radius": 40}
GOOD = {
    "schema_version": 1,
    "image": {"shape": [256, 256], "pixel_size": 4, "model": "phase"},
    "specimen": {
        "ball": {
            "unit_cell": {"kind": "shapes", "shapes": [SHELL], "potential": 2.5},
            "lattice": {"kind": "scattered", "count": 5, "min_distance": 150},
        },
        "net": {
            "unit_cell": {"kind": "globular", "mass": 100, "potential": 2.5},
            "lattice": {"kind": "square", "a": 200},
        },
    },
    "psf": {
        "lens": {
            "kind": "ctf",
            "voltage": 300,
            "defocus": 2e4,
            "spherical_aberration": 2.7e7,
            "amplitude_contrast": 0.1,
        }
    },
    "noise": {"film": {"kind": "gaussian", "snr": 1.0}, "shot": {"kind": "poisson", "dose": 20}},
    "templates": {"ball": {"kind": "specimen", "of": "ball"}, "net": {"kind": "specimen", "of": "net"}},
    "pickers": {
        "ncc": {
            "kind": "ncc",
            "mask": "circle",
            "templates": ["ball"],
            "threshold": {"kind": "top", "count": 5},
        }
    },
    "score": {"radius": 50},
    "audit": {"cell": {"kind": "averaged_cell", "picker": "ncc", "box": 80}},
    "expect": [
        {"picker": "ncc", "class": "ball", "metric": "recall", "at_least": 0.9},
        {"picker": "ncc", "metric": "rmse", "within": ["0 Å", "8 Å"]},
    ],
}
CTF = GOOD["psf"]["lens"]
FLAT = {"kind": "shapes", "shapes": [{"kind": "disk", "radius": 20}]}
DELETE = object()


def changed(changes):
    data = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *above, last = path.split(".")
        inner = data
        for key in above:
            inner = inner[int(key)] if isinstance(inner, list) else inner[key]
        if value is DELETE:
            del inner[last]
        elif isinstance(inner, list):
            inner[int(last)] = value
        else:
            inner[last] = value
    return Scenario.model_validate(data)


def told(errors):
    return [(dotted(error.path), error.message) for error in errors]


def test_a_good_scenario_has_neither_errors_nor_doubts():
    assert told(check(changed({}))) == []
    assert told(doubts(changed({}))) == []


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"psf": {}}, "image.model", "needs a lens with a voltage"),
        ({"psf.second": CTF}, "psf.second", "exactly one lens with a voltage; there is already 'lens'"),
        ({"image.level": 0.5}, "image.level", "always 1"),
        ({"specimen.ball.unit_cell.potential": DELETE}, "specimen.ball.unit_cell.potential", "about `2.5 V`"),
        ({"specimen.net.unit_cell.potential": DELETE}, "specimen.net.unit_cell.potential", "about `2.5 V`"),
        (
            {"noise": {"shot": {"kind": "poisson", "dose": 20}, "film": {"kind": "gaussian", "snr": 1.0}}},
            "noise.film.snr",
            "after electrons are counted",
        ),
        (
            {"specimen.Ball": {"unit_cell": FLAT, "lattice": {"kind": "square", "a": 200}}},
            "specimen.Ball",
            "'ball'",
        ),
        (
            {"specimen.all": {"unit_cell": FLAT, "lattice": {"kind": "square", "a": 200}}},
            "specimen.all",
            "scores",
        ),
        ({"specimen.ball.lattice.count": 10_000}, "specimen.ball.lattice.count", "densest packing"),
        ({"templates.ball.of": "bal"}, "templates.ball.of", "did you mean `ball`?"),
        ({"pickers.ncc.templates": ["ball", "nut"]}, "pickers.ncc.templates.1", "did you mean `net`?"),
        ({"templates": {}, "pickers.ncc.templates": DELETE}, "pickers.ncc", "add `templates:`"),
        ({"audit.cell.picker": "nnc"}, "audit.cell.picker", "did you mean `ncc`?"),
        ({"expect.0.picker": "nnc"}, "expect.0.picker", "did you mean `ncc`?"),
        ({"expect.0.class": "bull"}, "expect.0.class", "did you mean `ball`?"),
        ({"expect.0.metric": "recal"}, "expect.0.metric", "did you mean `recall`?"),
        ({"expect.0.at_least": "0.9 Å"}, "expect.0.at_least", "recall is not in 'Å'; it is a pure number"),
        ({"expect.1.within": [0, "8 Å"]}, "expect.1.within", "write `0 Å`"),
        ({"expect.1.within": ["8 Å", "0 Å"]}, "expect.1", "no value lies within"),
        ({"expect.0.at_most": 0.5}, "expect.0", "no value lies within"),
        ({"expect.0": {"audit": "cel", "metric": "x", "at_most": 1}}, "expect.0.audit", "`cell`"),
        (
            {"expect.0": {"audit": "cell", "metric": "x", "at_most": 1}},
            "expect.0.metric",
            "no such value 'x'",
        ),
        (
            {"expect.0": {"audit": "cell", "class": "ball", "metric": "x", "at_most": 1}},
            "expect.0.class",
            "knows no classes",
        ),
    ],
)
def test_one_change_breaks_one_rule(changes, path, message):
    ((found, text),) = told(check(changed(changes)))
    assert found == path
    assert message in text


def test_expectations_on_pickers_need_a_score():
    assert [path for path, _ in told(check(changed({"score": DELETE})))] == [
        "expect.0.picker",
        "expect.1.picker",
    ]


def test_without_a_shape_nothing_can_be_simulated():
    found = told(check(changed({"image.shape": DELETE})))
    assert [path for path, _ in found] == ["specimen", "noise", "audit"]


def test_a_scenario_may_only_pick():
    only = {
        "schema_version": 1,
        "image": {"pixel_size": 4},
        "templates": {"ball": {"kind": "shapes", "contrast": "dark", "shapes": [SHELL]}},
        "pickers": {"ncc": {**GOOD["pickers"]["ncc"], "templates": None}},
    }
    assert check(Scenario.model_validate(only)) == []


def test_without_a_specimen_there_is_neither_truth_nor_snr():
    lonely = {"specimen": {}, "templates": {}, "pickers": {}, "audit": {}, "expect": []}
    assert [path for path, _ in told(check(changed(lonely)))] == ["noise.film.snr", "score"]


def test_kinds_that_do_not_exist_on_a_line_are_refused_by_name():
    line = {
        "schema_version": 1,
        "image": {"shape": [64], "pixel_size": 4},
        "specimen": {
            "disk": {"unit_cell": FLAT, "lattice": {"kind": "square", "a": 200}},
        },
        "psf": {"lens": {"kind": "airy", "wavelength": 5000, "numerical_aperture": 0.5}},
    }
    found = dict(told(check(Scenario.model_validate(line))))
    assert set(found) == {"specimen.disk.unit_cell", "specimen.disk.lattice", "psf.lens"}
    assert "square" in found["specimen.disk.lattice"]
    assert "1-D" in found["specimen.disk.lattice"]


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"score.radius": 101}, "score.radius", "more than half the spacing of net (200 Å)"),
        ({"templates.ball.finds": "carbon"}, "templates.ball", "no species"),
    ],
)
def test_what_is_doubtful_is_said_but_not_refused(changes, path, message):
    scenario = changed(changes)
    assert check(scenario) == []
    ((found, text),) = told(doubts(scenario))
    assert found == path
    assert message in text


def test_a_ctf_under_the_intensity_model_is_doubtful():
    ((path, _),) = told(doubts(changed({"image.model": "intensity"})))
    assert path == "psf.lens"
