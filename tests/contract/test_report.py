"""The report: what every page must have, whatever was run, and that its pictures say what happened."""

from __future__ import annotations

import dataclasses
import io
import itertools
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from simkit.core.grid import Grid
from simkit.core.tables import Placements, Truth
from simkit.engine.output import save
from simkit.engine.results import RunResult
from simkit.reports import canvas, elements, figures, marks, plates, wording
from simkit.reports.equation import zoom
from simkit.reports.page import render
from simkit.reports.views import run_files, verdict

sys.path.insert(0, str(Path(__file__).parent))
from report_extras import judged_in_full
from report_fixture import BUMP, finished, line, picker, plane, species
from report_reading import Outline, embedded

COMMAND = "simkit run scenario.yaml"
EXPECT_GOOD = {"picker": "near", "metric": "recall", "at_least": 0.1}
EXPECT_BAD = {"picker": "near", "class": "ring", "metric": "rmse", "at_most": "0.001 Å"}
NET = {"kind": "square", "a": "160 Å"}


def without_simulation() -> RunResult:
    """A search of an image that came from elsewhere: no truth, nothing known of it."""
    scenario = plane(pickers={"near": picker()})
    del scenario["score"]
    return dataclasses.replace(finished(scenario), first=None, truth=Truth())


RUNS = {
    "two species, two pickers, audit": lambda: finished(
        plane(
            pickers={"near": picker(), "told": picker(cheats=True, told=("the noise",))},
            expect=[EXPECT_GOOD, EXPECT_BAD],
            replicates=2,
        ),
        measured=True,
    ),
    "one dimension": lambda: finished(line(pickers={"near": picker()})),
    "one dimension, simulated only": lambda: finished(line()),
    "simulated only": lambda: finished(plane()),
    "without noise": lambda: finished(plane(noise={}, pickers={"near": picker()})),
    "silent": lambda: finished(plane(noise={"none": {"kind": "silent"}})),
    "no optics": lambda: finished(plane(psf={})),
    "no picks at all": lambda: finished(plane(pickers={"near": picker()}), quality=0.0),
    "not judged": lambda: finished({**plane(pickers={"near": picker()}), "score": None}),
    "background alone": lambda: finished(
        plane(specimen={}, background={"slope": {"kind": "gradient", "amplitude": 0.2}})
    ),
    "a net": lambda: finished(plane(specimen={"bump": species(BUMP, NET)}, pickers={"near": picker()})),
    "not simulated": without_simulation,
    "judged in full": lambda: judged_in_full(
        finished(plane(pickers={name: picker(cheats=name == "told") for name in ("near", "far", "told")}))
    ),
    "judged in full, one dimension": lambda: judged_in_full(
        finished(line(pickers={"near": picker(), "far": picker()}))
    ),
}


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: render(make(), command=COMMAND) for name, make in RUNS.items()}


@pytest.mark.parametrize("run", RUNS)
class TestEveryPage:
    def test_outline_is_one_title_and_no_skipped_level(self, pages: dict[str, str], run: str) -> None:
        levels = [int(tag[1]) for tag, _ in Outline(pages[run]).elements if re.fullmatch("h[1-6]", tag)]
        assert levels.count(1) == 1
        assert levels[0] == 1
        assert all(below <= above + 1 for above, below in itertools.pairwise(levels))

    def test_is_accessible(self, pages: dict[str, str], run: str) -> None:
        outline = Outline(pages[run])
        assert next(outline.all("html"))["lang"] == "en"
        assert all("alt" in image for image in outline.all("img"))
        assert all(svg.get("aria-label") or svg.get("aria-hidden") == "true" for svg in outline.all("svg"))
        assert all(cell.get("scope") for cell in outline.all("th"))
        ids = [a["id"] for _, a in outline.elements if "id" in a]
        assert len(ids) == len(set(ids))
        labelled = {a["aria-labelledby"] for a in outline.all("section")}
        assert labelled <= set(ids)

    def test_every_figure_has_a_caption(self, pages: dict[str, str], run: str) -> None:
        tags = [tag for tag, _ in Outline(pages[run]).elements]
        assert tags.count("figure") == tags.count("figcaption") > 0

    def test_needs_no_script_and_no_network(self, pages: dict[str, str], run: str) -> None:
        outline = Outline(pages[run])
        assert not list(outline.all("script", "link", "iframe", "object", "embed"))
        references = [a.get(k) for _, a in outline.elements for k in ("src", "href", "xlink:href") if k in a]
        assert references
        assert all(r is not None and r.startswith(("data:image/", "#")) for r in references)
        assert not any(name.startswith("on") for _, a in outline.elements for name in a)
        assert "default-src 'none'" in pages[run]

    def test_its_drawings_are_valid_and_refer_to_nothing_outside(
        self, pages: dict[str, str], run: str
    ) -> None:
        for drawing in embedded(pages[run], "image/svg+xml"):
            root = ElementTree.fromstring(drawing)
            for node in root.iter():
                assert not node.tag.endswith("script")
                links = [v for k, v in node.attrib.items() if k.endswith("href")]
                assert all(link.startswith(("#", "data:")) for link in links)

    def test_its_pictures_carry_no_metadata(self, pages: dict[str, str], run: str) -> None:
        for picture in embedded(pages[run], "image/png"):
            with Image.open(io.BytesIO(picture)) as image:
                image.load()
                assert image.info == {}

    def test_shared_pixels_exist(self, pages: dict[str, str], run: str) -> None:
        outline = Outline(pages[run])
        ids = {a["id"] for _, a in outline.elements if "id" in a}
        assert all(str(use["href"])[1:] in ids for use in outline.all("use"))

    def test_says_how_to_reproduce(self, pages: dict[str, str], run: str) -> None:
        text = Outline(pages[run]).text
        assert COMMAND in text
        assert "schema_version: 1" in text
        assert "scenario.yaml" in text


def test_same_run_gives_the_same_bytes_whatever_the_readers_settings() -> None:
    make = RUNS["two species, two pickers, audit"]
    first = render(make(), command=COMMAND)
    with matplotlib.rc_context({"font.size": 20, "svg.hashsalt": None, "axes.grid": True}):
        again = render(dataclasses.replace(make(), timings={"simulation": 1.5}), command=COMMAND)
    assert first == again


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</pre>&lt;b"]
)
def test_text_from_the_scenario_is_escaped(hostile: str) -> None:
    page = render(finished(plane(title=hostile, description=hostile)), command=hostile)
    outline = Outline(page)
    assert not list(outline.all("script"))
    assert not any(name.startswith("on") for _, a in outline.elements for name in a)
    assert outline.text.count(hostile) >= 4  # title, heading, description, command


@pytest.mark.parametrize(
    ("expect", "state", "symbol"),
    [([], "none", "○"), ([EXPECT_GOOD], "passed", "✓"), ([EXPECT_GOOD, EXPECT_BAD], "failed", "✗")],
)
def test_verdict_comes_first(expect: list[dict[str, object]], state: str, symbol: str) -> None:
    result = finished(plane(pickers={"near": picker()}, expect=expect))
    found = verdict(result)
    assert (found.state, found.symbol) == (state, symbol)
    outline = Outline(render(result, command=COMMAND))
    sections = [a["class"] for a in outline.all("section") if "class" in a]
    assert sections[0] == f"verdict {state}"
    assert outline.text.count("✗ not met") == (1 if state == "failed" else 0)
    assert found.word in outline.text


def test_a_value_that_does_not_exist_is_a_dash(pages: dict[str, str]) -> None:
    cells = re.findall(r"<th scope=\"row\">precision.*?</th>(.*?)</tr>", pages["no picks at all"], re.S)
    assert len(cells) == 1
    assert set(re.findall(r"<td>(.*?)</td>", cells[0])) == {"–"}


def test_oracles_stand_apart(pages: dict[str, str]) -> None:
    page = pages["two species, two pickers, audit"]
    ranked, oracles = page.split('<tbody class="oracles">')[0], page.split('<tbody class="oracles">')[1]
    assert re.search('scope="rowgroup"[^>]*>near</th>', ranked)
    assert not re.search('scope="rowgroup"[^>]*>told</th>', ranked)
    assert re.search('scope="rowgroup"[^>]*>told</th>', oracles)
    assert "Oracles" not in Outline(pages["one dimension"]).text


def test_steps_that_a_scenario_lacks_are_left_out(pages: dict[str, str]) -> None:
    everything = ["Unit cell ⊗ lattice", "Specimen ⊗ PSF", "Ideal image + noise", "Micrograph ⋆ template"]

    def steps(run: str) -> list[str]:
        return [step for step in everything if step in Outline(pages[run]).text]

    assert steps("two species, two pickers, audit") == everything
    assert steps("simulated only") == everything[:3]
    assert steps("silent") == everything[:2]
    assert steps("without noise") == [*everything[:2], everything[3]]
    assert steps("no optics") == [everything[0], everything[2]]
    assert steps("not simulated") == [everything[3]]


def test_outcomes_partition_picks_and_truth() -> None:
    result = finished(plane(pickers={"near": picker()}, replicates=3))
    found = marks.outcomes_of(result, "near")
    picked = np.concatenate([found.rows[o] for o in ("hit", "wrong", "false")])
    assert sorted(picked) == list(range(len(found.picks)))
    values = result.judgements["near"].values["all"]
    assert len(found.rows["missed"]) == values["fn"]
    assert len(found.rows["false"]) == values["fp"]
    assert len(found.rows["wrong"]) == values["wrong_class"] > 0
    y, x = found.displacements()
    assert np.hypot(y, x).max() <= 30.0  # the matching radius of the scenario


def test_marks_lie_where_the_picks_are() -> None:
    result = finished(plane(pickers={"near": picker()}))
    found = marks.outcomes_of(result, "near")
    grid = result.scenario.image.grid
    hits = next(layer for layer in marks.layers(found, grid, "0000", 50.0) if layer.symbol == "circle")
    rows = found.picks.take(found.rows["hit"])
    # 320 pixels of 4 Å on 1000 units, pixel centres half a pixel in.
    expected = np.stack([rows["x"], rows["y"]], axis=1) / 4.0 * 3.125 + 1.5625
    assert np.allclose([(m.x, m.y) for m in hits.marks], expected)
    assert all(m.title.startswith("hit") and "score" in m.title for m in hits.marks)


def test_every_outcome_has_its_own_shape_and_what_is_judged_its_own_colour() -> None:
    shapes = [shape for _, shape, _ in marks.STYLES.values()]
    assert len(set(shapes)) == len(shapes)
    judged = [tone for o, (_, _, tone) in marks.STYLES.items() if o not in ("pick", "ignored", "excused")]
    assert len(set(judged)) == len(judged)


def test_only_the_shown_micrograph_is_marked_and_all_are_counted() -> None:
    result = finished(plane(pickers={"near": picker()}, replicates=3))
    found = marks.outcomes_of(result, "near")
    for layer, (_, table) in zip(
        marks.layers(found, result.scenario.image.grid, "0001", 50.0), found.tables(), strict=True
    ):
        here = int((table["micrograph"] == "0001").sum())
        assert len(layer.marks) == here
        assert marks.count_text(here, len(table)) in layer.label


def test_lattice_dots_show_angles_only_where_copies_are_turned() -> None:
    grid = Grid((100, 100), 1.0)
    x = np.array([10.0, 60.0])
    straight = plates.lattice_layer(grid, Placements.at(x, x), "a", ("circle", "blue"))
    turned = plates.lattice_layer(grid, Placements.at(x, x, psi=[0.0, 90.0]), "a", ("circle", "blue"))
    assert [m.path.count("M") for m in straight.marks] == [1, 1]
    assert [m.path.count("M") for m in turned.marks] == [2, 2]
    across, down = re.findall(r"l(-?[\d.]+),(-?[\d.]+)$", turned.marks[1].path)[0]
    # ψ = 90° turns +x into +y, which is down.
    assert float(down) > 20
    assert float(across) == pytest.approx(0.0, abs=0.05)


def test_a_page_of_a_large_noisy_run_stays_small() -> None:
    image = {"shape": [1400, 1100], "pixel_size": 4.0, "boundary": "open", "level": 1.0}
    page = render(finished(plane(image=image, pickers={"a": picker()})), command=COMMAND)
    assert len(page) < 10e6
    widths = []
    for picture in embedded(page, "image/png"):
        with Image.open(io.BytesIO(picture)) as opened:
            widths.append(max(opened.size))
    assert max(widths) <= 1024
    assert "averaged from 1400 × 1100" in Outline(page).text


def test_files_listed_are_the_files_written(tmp_path: Path) -> None:
    result = RUNS["two species, two pickers, audit"]()
    save(result, tmp_path / "run", page="")
    listed = " ".join(name for name, _ in run_files(result))
    for path in (tmp_path / "run").rglob("*"):
        if path.is_file() and path.name != "report.html":
            name = path.relative_to(tmp_path / "run").as_posix()
            stem, _, suffix = name.rpartition(".")
            folder = f"{name.rpartition('/')[0]}/0000."
            assert name in listed or f"{stem}.csv and .{suffix}" in listed or folder in listed, name


class TestPixels:
    def test_shrinking_keeps_the_mean(self) -> None:
        values = np.random.default_rng(0).normal(size=(96, 64))
        small = canvas.shrink(values, 48)
        assert small.shape == (48, 32)
        # A box filter of exactly 2 × 2 pixels averages; float32 rounding only.
        assert np.allclose(small, values.reshape(48, 2, 32, 2).mean((1, 3)), atol=1e-6)

    @given(st.integers(1, 60), st.integers(1, 60), st.integers(5, 40))
    def test_shrinking_a_score_map_loses_no_peak(self, height: int, width: int, side: int) -> None:
        values = np.random.default_rng(height * 61 + width).normal(size=(height, width))
        small = canvas.shrink_peaks(values, side)
        assert max(small.shape) <= max(side, 1)
        assert small.max() == values.max()

    def test_levels_saturate_the_stated_share(self) -> None:
        shown = canvas.levels(np.arange(10000.0).reshape(100, 100), clip=1.0)
        # 1 % of 10 000 pixels at each end, give or take those that round to the end levels (39 a level).
        assert (shown == 0).sum() == pytest.approx(100, abs=25)
        assert (shown == 255).sum() == pytest.approx(100, abs=25)

    def test_levels_of_a_sparse_image_keep_its_particles(self) -> None:
        sparse = np.zeros((100, 100))
        sparse[3, 4] = 1.0
        shown = canvas.levels(sparse, clip=1.0)
        assert shown[3, 4] == 255
        assert shown.sum() == 255

    @pytest.mark.parametrize("values", [np.full((4, 4), 7.0), np.full((4, 4), np.nan)])
    def test_levels_of_nothing(self, values: np.ndarray) -> None:
        assert np.ptp(canvas.levels(values)) == 0

    def test_minus_infinity_is_the_lowest_level(self) -> None:
        assert canvas.levels(np.array([[-np.inf, 0.0, 1.0]])).tolist() == [[0, 0, 255]]

    def test_zoom_keeps_the_stated_energy(self) -> None:
        grid = Grid((101, 120), 2.0)
        y, x = grid.offsets()
        kernel = np.exp(-(y**2 + x**2) / (2 * 10.0**2))
        cropped, box = zoom(kernel, grid)
        assert (cropped**2).sum() >= 0.99 * (kernel**2).sum()
        assert box.shape[0] < 101
        assert cropped[box.shape[0] // 2, box.shape[1] // 2] == kernel.max()


@given(st.floats(1e-3, 1e9))
def test_scale_bars_are_round_and_as_long_as_they_may(limit: float) -> None:
    length = elements.round_length(limit)
    assert limit / 2.5 <= length * (1 + 1e-9)
    assert length <= limit * (1 + 1e-9)
    assert f"{length:.0e}"[0] in "125"


@pytest.mark.parametrize(
    ("angstroms", "text"), [(50.0, "50 Å"), (100.0, "10 nm"), (2000.0, "200 nm"), (2e5, "20 µm")]
)
def test_lengths_are_in_the_shortest_unit(angstroms: float, text: str) -> None:
    assert elements.length_text(angstroms) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "Å", "–"),
        (0, "", "0"),
        (12345, "", "12345"),
        (0.123456, "", "0.1235"),
        (-1.5, "Å", "−1.5 Å"),
        (3.1e-16, "", "3.1×10⁻¹⁶"),
        (90.0, "°", "90°"),
    ],
)
def test_numbers(value: float | None, unit: str, text: str) -> None:
    assert wording.number(value, unit) == text


def test_unknown_symbols_are_refused() -> None:
    with pytest.raises(ValueError, match="no symbol is called 'star'"):
        elements.symbol_path("star", 0, 0, 1)


def test_only_particles_that_were_looked_for_are_missed() -> None:
    result = finished(plane(pickers={"near": picker()}))
    rings_only = dataclasses.replace(result, banks={"ring": result.banks["ring"]})
    both, rings = (marks.outcomes_of(r, "near") for r in (result, rings_only))
    missed = both.truth.take(both.rows["missed"])
    assert set(missed["class"]) == {"ring", "disk"}
    assert len(rings.rows["missed"]) == (missed["class"] == "ring").sum()
    assert "ring particles" in Outline(render(rings_only, command=COMMAND)).text


def test_score_colours_end_where_a_score_is_clear() -> None:
    values = np.zeros((40, 40))
    values[20, 20], values[10, 10] = 100.0, 2.0
    grid = Grid((40, 40), 1.0)
    saturated = plates.coloured(values, grid, alt="", side=40, threshold=1.0)
    full = plates.coloured(values, grid, alt="", side=40, threshold=-np.inf)
    assert saturated.ramp is not None
    assert saturated.ramp.ticks[-1] == "≥ 5"
    assert full.ramp is not None
    assert full.ramp.ticks[-1] == "100"


def test_display_is_smoothed_only_as_far_as_noise_asks() -> None:
    def width(sd: float) -> float:
        return figures.smoothing(finished(plane(noise={"film": {"kind": "gaussian", "sd": sd}})), 50.0)

    # Particles of 50 Å at 4 Å a pixel: at most 1.25 pixels.
    assert width(0.01) == 0.0
    assert 0.5 <= width(0.25) < width(0.4) < 1.25
    assert width(5.0) == pytest.approx(1.25)
