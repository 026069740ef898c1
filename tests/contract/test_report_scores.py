"""What the report says of the judge's findings: intervals, limits, curves, strata, nulls, comparisons."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from simkit.core.tables import Picks, Truth
from simkit.correlation.bank import TemplateBank, standardised
from simkit.engine.nulls import NullRun, PickerNull
from simkit.engine.results import RunResult
from simkit.judging.comparison import PairedComparison
from simkit.judging.confusion import Confusion
from simkit.judging.curve import Curve, RadiusCurve
from simkit.picker.matched_filter import MatchedFilter
from simkit.picker.ncc import Ncc
from simkit.picker.phase import Phase
from simkit.reports import curves, efficiency, limits, marks, null_view, placement, strata_view, wording
from simkit.reports.comparison_view import comparison_view, sentence
from simkit.reports.elements import Plot
from simkit.reports.page import render
from simkit.threshold.fixed import Fixed

sys.path.insert(0, str(Path(__file__).parent))
from report_extras import IDEAL, STRATA, comparisons, judged_in_full
from report_fixture import finished, picker, plane
from report_reading import Outline, words_of

COMMAND = "simkit run scenario.yaml"
AFTER_ALL = ("Where it fails", "Which picker is better", "Where there is nothing to find")
COLOURED = {"film": {"kind": "coloured", "sd": 0.8, "exponent": 2.0}}


def run(**sections: Any) -> RunResult:
    """A run that was judged in full."""
    pickers = {"near": picker(), "far": picker(), "told": picker(cheats=True)}
    return judged_in_full(finished(plane(pickers=pickers, replicates=2, **sections)))


@pytest.fixture(scope="module")
def result() -> RunResult:
    return run()


@pytest.fixture(scope="module")
def page(result: RunResult) -> str:
    return render(result, command=COMMAND)


def with_counts(result: RunResult, **counts: Any) -> RunResult:
    """The same run with some of the scores of `near` replaced."""
    judgement = result.judgements["near"]
    values = {c: {**v, **counts} for c, v in judgement.values.items()}
    changed = dataclasses.replace(judgement, values=values)
    return dataclasses.replace(result, judgements={**result.judgements, "near": changed})


class TestContents:
    def test_list_is_the_headings_in_order(self, page: str) -> None:
        outline = Outline(page)
        listed = [str(a["href"])[1:] for a in outline.all("a")]
        assert listed == [a["id"] for a in outline.all("h2")]
        assert {"failures", "comparison", "null", "published"} <= set(listed)

    def test_sections_of_what_is_absent_are_not_there(self) -> None:
        text = Outline(render(finished(plane(pickers={"near": picker()})), command=COMMAND)).text
        assert not [title for title in AFTER_ALL if title in text]
        assert "ideal observer" not in text
        assert "95 % interval" not in text
        assert "Tuned on the truth" not in text

    def test_order_of_the_page(self, page: str) -> None:
        found = [page.index(f'id="{i}"') for i in ("scores", "failures", "comparison", "null", "published")]
        assert found == sorted(found)


class TestVerdict:
    def test_scores_stand_with_their_interval(self, page: str) -> None:
        head = page[: page.index('id="equation"')]
        assert re.search(r"<td>0\.\d\d \[0\.61, 0\.93\]</td>", head)
        assert "They resample 2 micrographs." in head

    def test_threshold_stands_beside_what_was_told(self, page: str) -> None:
        row = re.search(r">near</th>.*?" + 2 * r'<td class="words"[^>]*>(.*?)</td>', page)
        assert row is not None
        assert row.groups() == ("expected false picks, 1 per image", "pixel size, templates")

    def test_what_is_tuned_on_the_truth_says_so(self, page: str) -> None:
        head, _, rest = page.partition('id="equation"')
        assert "Tuned on the truth" in head
        assert "best F1 of any threshold (tuned on the truth)" in rest

    @pytest.mark.parametrize(
        ("value", "interval", "text"),
        [
            (0.954, (0.92, 0.97), "0.954 [0.920, 0.970]"),
            (0.954, (0.6, 0.97), "0.95 [0.60, 0.97]"),
            (12.34, (8.0, 31.0), "12 [8, 31]"),
            (7, (3.0, 12.0), "7 [3.0, 12.0]"),
            (1.0, (1.0, 1.0), "1.000 [1.000, 1.000]"),
            (-0.5, (-1.5, 0.5), "−0.5 [−1.5, 0.5]"),
            (0.5, None, "0.5"),
            (None, (0.0, 1.0), "–"),
        ],
    )
    def test_decimals_are_those_that_the_interval_leaves(
        self, value: float | None, interval: tuple[float, float] | None, text: str
    ) -> None:
        assert wording.sure(value, interval) == text


class TestCeiling:
    def test_ideal_recall_is_read_at_the_measured_rate(self, result: RunResult) -> None:
        # 20 false picks on 2 micrographs: 10 each, a node of the invented curve (10^(2 − 6·i/40) at i ≈ 6.7).
        rate = float(IDEAL.false_per_image[10])
        found = limits.recall_beside(with_counts(result, fp=round(2 * rate)), "near", "all")
        assert found == pytest.approx(float(IDEAL.recall_at(round(2 * rate) / 2)))
        assert found == pytest.approx(float(IDEAL.recall[10]), abs=0.02)

    def test_no_false_pick_is_read_as_one_in_all_micrographs(self, result: RunResult) -> None:
        none, one = (limits.recall_beside(with_counts(result, fp=n), "near", "all") for n in (0, 1))
        assert none == one == pytest.approx(float(IDEAL.recall_at(0.5)))

    def test_a_picker_is_compared_on_the_classes_that_it_looks_for(self, result: RunResult) -> None:
        assert result.ceiling is not None
        of_rings, of_disks = dataclasses.replace(IDEAL), dataclasses.replace(IDEAL)
        ceiling = dataclasses.replace(result.ceiling, curves={"ring": of_rings, "disk": of_disks})
        known = dataclasses.replace(result, ceiling=ceiling)
        rings = dataclasses.replace(known, banks={"ring": result.banks["ring"]})
        assert limits.ideal_curve(known, "near", "all") is IDEAL
        assert limits.ideal_curve(rings, "near", "all") is of_rings
        assert limits.ideal_curve(known, "near", "ring") is of_rings
        assert limits.ideal_curve(known, "near", "disk") is of_disks
        assert limits.ideal_curve(known, "near", "all") is IDEAL

    def test_nothing_is_said_without_a_ceiling(self, result: RunResult) -> None:
        unknown = dataclasses.replace(result, ceiling=None)
        assert limits.recall_beside(unknown, "near", "all") is None
        assert limits.ideal_curve(unknown, "near", "all") is None

    def test_limits_below_reach_are_flagged(self, result: RunResult) -> None:
        assert result.ceiling is not None
        table = limits.limits_table(result.ceiling)
        assert table is not None
        ring, disk = table.rows
        assert ring[1:] == ["9 (8 to 10)", "1.25 Å", "1.5 Å", "–", "0.1 %", "within reach"]
        assert disk[1] == "4.5"
        assert disk[-1].startswith("out of reach")
        lattice = limits.lattice_table(result.ceiling)
        assert lattice is not None
        assert lattice.rows == [["ring (400 sites)", "0.01 Å", "0.012 Å", "0.2 Å"]]


CURVE = Curve(np.array([3.0, 2.0, 1.0]), np.array([2, 3, 4]), np.array([0, 1, 6]), 5, 2, 4.0)
CUT = curves.Cut(0.6, 0.75, 1)


def drawn(illustration: Any) -> str:
    """The text of a chart, with its caption."""
    assert isinstance(illustration.picture, Plot)
    return f"{words_of(illustration.picture.source)} {illustration.caption}"


class TestCurves:
    def test_the_ideal_observer_is_drawn_where_it_is_known(self) -> None:
        for draw in (curves.precision_recall, froc):
            assert "ideal observer" in drawn(draw("near", CURVE, CUT, IDEAL, complete=True))
            assert "ideal observer" not in drawn(draw("near", CURVE, CUT, None, complete=True))

    def test_incomplete_truth_is_worded_as_such(self) -> None:
        pr = drawn(curves.precision_recall("near", CURVE, CUT, None, complete=False))
        assert "precision, a lower bound" in pr
        assert "unlabelled rather than false" in pr
        assert "unlabelled picks per µm²" in drawn(froc("near", CURVE, CUT, None, complete=False))
        assert "false picks per" not in drawn(froc("near", CURVE, CUT, None, complete=False))

    def test_false_picks_are_per_area_where_it_is_known(self) -> None:
        nowhere = dataclasses.replace(CURVE, area=None)
        assert "false picks per µm²" in drawn(froc("near", CURVE, CUT, IDEAL, complete=True))
        assert "false picks per micrograph" in drawn(froc("near", nowhere, CUT, IDEAL, complete=True))
        one = curves.froc("near", CURVE, CUT, None, complete=True, ndim=1)
        assert "false picks per µm on" in drawn(one).replace(",", " ").replace("  ", " ")

    def test_own_threshold_is_marked_where_it_exists(self) -> None:
        nothing = curves.Cut(0.0, None, 0)
        assert "own threshold" in drawn(curves.precision_recall("near", CURVE, CUT, None, complete=True))
        assert "own threshold" not in drawn(
            curves.precision_recall("near", CURVE, nothing, None, complete=True)
        )

    @pytest.mark.parametrize(("chance", "warned"), [(0.04, False), (0.06, True), (np.nan, False)])
    def test_chance_matches_above_five_per_cent_are_warned_of(self, chance: float, warned: bool) -> None:
        r = np.array([10.0, 30.0])
        curve = RadiusCurve(r, r / 50, r / 50, r / 50, np.array([chance / 2, chance]))
        said = drawn(curves.against_radius("near", curve, 30.0, complete=True))
        assert ("Warning" in said) is warned
        assert ("chance matches" in said.partition("declared")[0]) is bool(np.isfinite(chance))

    def test_long_curves_are_thinned_and_keep_their_ends(self) -> None:
        kept = curves._thinned(10_000)
        assert len(kept) <= curves.MOST_POINTS
        assert (kept[0], kept[-1]) == (0, 9999)
        assert curves._thinned(3).tolist() == [0, 1, 2]

    def test_a_short_page_of_many_points(self) -> None:
        n = 200_000
        many = Curve(np.arange(n, 0.0, -1), np.arange(n) + 1, np.arange(n) // 9, n, 1, 1.0)
        assert len(curves.precision_recall("near", many, CUT, None, complete=True).picture.source) < 60_000


def froc(*arguments: Any, complete: bool) -> Any:
    return curves.froc(*arguments, complete=complete, ndim=2)


class TestErrorsOverLimits:
    def outcomes(self, **limit: Any) -> marks.Outcomes:
        truth = Truth(y=[10.0, 50.0, 90.0], x=[0.0, 0.0, 0.0], **limit)
        picks = Picks(y=[12.0, 47.0, 90.0], x=[1.0, 0.0, 0.5])
        return marks.Outcomes(picks, truth, {}, np.array([[0, 0], [1, 1], [2, 2]]))

    def test_each_error_is_divided_by_its_own_limit(self) -> None:
        found = self.outcomes(sigma_y=[2.0, 1.0, 1.0], sigma_x=[0.5, 0.5, 0.5])
        assert placement.errors_over_limit(found, 2).tolist() == [1.0, -3.0, 0.0, 2.0, 0.0, 1.0]
        assert placement.errors_over_limit(found, 1).tolist() == [2.0, 0.0, 1.0]

    def test_pairs_without_a_limit_are_left_out(self) -> None:
        found = self.outcomes(sigma_y=[np.nan, 1.0, 0.0], sigma_x=[np.nan, 0.5, 0.5])
        assert placement.errors_over_limit(found, 2).tolist() == [-3.0, 0.0, 1.0]
        assert placement.over_limit("near", self.outcomes(), 2) is None

    def test_errors_beyond_the_axis_are_counted(self) -> None:
        shown = placement.over_limit("near", self.outcomes(sigma_y=0.5, sigma_x=0.5), 2)
        assert shown is not None
        assert "1 error beyond ±5 limits" in shown.caption


def told(result: RunResult, spec: Any, **values: float) -> list[str]:
    """Reasons, per efficiency, that the report gives for a picker of some kind."""
    pickers = {**result.scenario.pickers, "near": spec}
    scenario = result.scenario.model_copy(update={"pickers": pickers})
    table = efficiency.efficiency_table(
        with_counts(dataclasses.replace(result, scenario=scenario), **values), "near"
    )
    assert table is not None
    return [row[2] for row in table.rows]


class TestEfficiency:
    cut = Fixed(value=0.5)

    def test_an_efficient_picker_needs_no_reason(self, result: RunResult) -> None:
        assert told(result, Ncc(threshold=self.cut), eta_detection=0.95, eta_localisation=0.9) == ["", ""]

    def test_reasons_follow_from_the_kind(self) -> None:
        white, coloured = run(), run(noise=COLOURED)
        low = {"eta_detection": 0.5, "eta_localisation": 0.95}
        ncc, phase = Ncc(threshold=self.cut), Phase(threshold=self.cut)
        assert "does not whiten" in told(coloured, ncc, **low)[0]
        assert "does not whiten" not in told(white, ncc, **low)[0]
        assert "phases alone" in told(white, phase, **low)[0]
        estimated, declared = (MatchedFilter(threshold=self.cut, noise=n) for n in ("estimated", "declared"))
        assert "estimates the spectrum" in told(coloured, estimated, **low)[0]
        assert "spectrum" not in told(coloured, declared, **low)[0]

    def test_a_mean_that_templates_do_not_have_is_a_reason(self, result: RunResult) -> None:
        bank = result.banks["ring"][0]
        # Ones on m of n pixels have m / n of their energy m in the mean over the box.
        view = np.zeros_like(bank.images[0])
        view[3:-3, 3:-3] = 1
        share = view.sum() / view.size
        standard = (view - share) / np.sqrt(view.sum() * (1 - share))
        flat = dataclasses.replace(bank, images=standard[np.newaxis], angles=bank.angles[:1])
        assert efficiency.in_the_mean(flat) == pytest.approx(share)
        low = {"eta_detection": 0.5, "eta_localisation": 0.5}
        for noise, said in (({}, True), ({"noise": COLOURED}, False)):
            changed = dataclasses.replace(run(**noise), banks={"ring": (flat,)})
            expected = f"zero-mean, and {100 * share:.2g} % of a particle’s energy"
            assert [expected in why for why in told(changed, Ncc(threshold=self.cut), **low)] == [said, said]

    def test_a_limit_out_of_reach_explains_positions_alone(self, result: RunResult) -> None:
        detection, localisation = told(
            result, Ncc(threshold=self.cut), eta_detection=0.5, eta_localisation=0.5
        )
        assert "d′ of disk is 4.5, below 6" in localisation
        assert "d′ of ring" not in localisation
        assert "out of reach" not in detection

    def test_nothing_is_said_where_nothing_is_known(self) -> None:
        plain = with_counts(
            finished(plane(pickers={"near": picker()})), **dict.fromkeys(efficiency.EFFICIENCIES)
        )
        assert efficiency.efficiency_table(plain, "near") is None

    @pytest.mark.parametrize("angle", [5.0, 10.0, 20.0])
    def test_score_lost_is_that_of_a_view_drawn_there(self, angle: float) -> None:
        bars = bank_of_bars(angle)
        exact = 1 - float((bars.images[0] * bars.images[1]).sum())
        # Cubic splines between samples of so smooth a bar: a few parts in a thousand of the view's energy.
        assert efficiency.lost_by_turning(bars, angle) == pytest.approx(exact, abs=0.003)

    def test_coarse_angles_are_a_reason(self, result: RunResult) -> None:
        def reason(step: float) -> str:
            banks = {"ring": result.banks["ring"], "disk": (bank_of_bars(step),)}
            low = {"eta_detection": 0.5, "eta_localisation": 1.0}
            return told(dataclasses.replace(result, banks=banks), Ncc(threshold=self.cut), **low)[0]

        assert "the angles of bar are 60° apart, too coarse: halfway 36 %" in reason(60.0)
        assert "apart" not in reason(20.0)

    def test_one_angle_is_a_reason_unless_the_particle_is_round(self, result: RunResult) -> None:
        low = {"eta_detection": 0.5, "eta_localisation": 1.0}

        def reason(bank: TemplateBank) -> str:
            banks = {"disk": (dataclasses.replace(bank, images=bank.images[:1], angles=bank.angles[:1]),)}
            return told(dataclasses.replace(result, banks=banks), Ncc(threshold=self.cut), **low)[0]

        round_one = dataclasses.replace(result.banks["ring"][0], name="disk", finds="disk")
        assert "is tried at one angle" in reason(dataclasses.replace(bank_of_bars(36.0), finds="disk"))
        assert "is tried at one angle" not in reason(round_one)


def bank_of_bars(step: float) -> TemplateBank:
    """A smooth bar at every angle of half a turn."""
    y, x = np.mgrid[-20:21, -20:21]
    angles = np.arange(0.0, 180.0, step)
    turned = [(np.cos(a) * x + np.sin(a) * y, np.cos(a) * y - np.sin(a) * x) for a in np.deg2rad(angles)]
    bars = np.stack([np.exp(-(along**2) / 160 - across**2 / 8) for along, across in turned])
    return TemplateBank("bar", "bar", standardised(bars), angles, 4.0, 60.0, "C2")


class TestStrata:
    def test_every_stratum_is_drawn_and_the_worst_named(self) -> None:
        shown = strata_view.recall_by_difficulty("near", STRATA, 0.82)
        words = drawn(shown)
        assert all(f"{s.label} ({s.truths})" in words for s in STRATA)
        assert "Lowest: distance to the border, up to 100 Å (1 of 4 found)." in words

    def test_a_picker_that_misses_none_fails_nowhere(self) -> None:
        shown = strata_view.recall_by_difficulty("near", STRATA[3:5], 1.0)
        assert "None was missed." in shown.caption

    def test_the_table_has_every_stratum(self) -> None:
        rows = strata_view.strata_table("near", STRATA).rows
        assert [row[1] for row in rows] == [s.label for s in STRATA]
        assert rows[0] == ["class", "disk", "8", "6", "0.75 [0.41, 0.93]", "2.1 Å", "9", "0.67"]
        assert rows[-1][5:] == ["–", "–", "–"]

    def test_confusion_has_missed_and_spurious(self, result: RunResult) -> None:
        table = strata_view.confusion_table("near", result.judgements["near"].confusion)
        assert table is not None
        assert table.columns == ["", "picked as ring", "picked as disk", "missed"]
        assert table.rows[0] == ["ring", "7", "1", "1"]
        assert table.rows[-1] == ["spurious", "3", "1", ""]

    def test_one_class_cannot_be_confused(self) -> None:
        alone = Confusion(("ring",), ("ring",), np.array([[7, 1], [3, 0]]))
        assert strata_view.confusion_table("near", alone) is None
        assert strata_view.confusion_table("near", None) is None


def compared(difference: float | None, interval: tuple[float, float] | None) -> PairedComparison:
    return PairedComparison(
        "matched", "ncc", "equal false picks", "recall", difference, interval, 0.01, 0.02, 9, 5, 1, 0.2
    )


class TestComparison:
    @pytest.mark.parametrize(
        ("difference", "interval", "text"),
        [
            (
                0.12,
                (0.08, 0.16),
                "matched finds 0.12 more of the particles than ncc "
                "(95 %: 0.08 to 0.16) at equal false picks.",
            ),
            (
                -0.12,
                (-0.16, -0.08),
                "ncc finds 0.12 more of the particles than matched "
                "(95 %: 0.08 to 0.16) at equal false picks.",
            ),
            (
                -0.01,
                (-0.04, 0.02),
                "ncc finds 0.01 more of the particles than matched (95 %: −0.02 to 0.04) at equal "
                "false picks, which may be chance.",
            ),
            (
                0.0,
                (0.0, 0.0),
                "matched and ncc find equally many of the particles (95 %: 0 to 0) at equal false picks.",
            ),
            (
                0.2,
                None,
                "matched finds 0.2 more of the particles than ncc at equal false picks.",
            ),
            (None, None, "matched and ncc cannot be compared."),
        ],
    )
    def test_the_better_one_comes_first(
        self, difference: float | None, interval: tuple[float, float] | None, text: str
    ) -> None:
        assert sentence(compared(difference, interval)) == text

    def test_both_bases_are_drawn_and_listed(self) -> None:
        view = comparison_view(comparisons(["near", "far", "wide"]))
        assert view is not None
        assert view.forest is not None
        words = drawn(view.forest)
        assert "at their own thresholds" in words
        assert "at equal false picks" in words
        assert len(view.table.rows) == 18
        assert len(view.sentences) == 3
        assert all("equal false picks" in s for s in view.sentences)

    def test_what_has_no_difference_is_not_drawn(self) -> None:
        sure, open_ = comparison_view([compared(0.2, None)]), comparison_view([compared(None, None)])
        assert sure is not None
        assert sure.forest is not None
        assert open_ is not None
        assert open_.forest is None
        assert comparison_view([]) is None

    def test_oracles_are_not_compared(self, page: str) -> None:
        part = page[page.index('id="comparison"') : page.index('id="null"')]
        assert "near" in part
        assert "told −" not in part.replace("\u00a0", " ")


class TestNull:
    @pytest.mark.parametrize("expected", [0.01, 0.5, 2.0, 30.0])
    def test_range_is_the_middle_of_a_poisson_law(self, expected: float) -> None:
        low, high = null_view.poisson_range(expected)
        chance = stats.poisson.pmf(np.arange(low, high + 1), expected).sum()
        tails = stats.poisson.cdf(low - 1, expected), stats.poisson.sf(high, expected)
        assert chance >= 0.95
        assert max(tails) <= 0.025

    @pytest.mark.parametrize(
        ("picks", "predicted", "verdict"),
        [
            (2, 2.0, "✓ as predicted"),
            (5, 2.0, "✓ as predicted"),
            (6, 2.0, "✗ more than predicted"),
            (1, 10.0, "✓ fewer than predicted"),
            (1000, None, "not predicted"),
        ],
    )
    def test_verdict(self, picks: int, predicted: float | None, verdict: str) -> None:
        assert null_view.null_verdict(PickerNull(picks, predicted)).startswith(verdict)

    def test_the_ghost_is_no_evidence(self, page: str) -> None:
        text = Outline(page).text
        assert "This is the average of 37 boxes picked from pure noise" in text
        assert text.count("This is the average of") == 2  # one of each picker that is no oracle
        assert "it is no evidence of particles" in text

    def test_only_the_variants_that_were_searched_are_explained(self, result: RunResult) -> None:
        alone = null_view.null_view(result.nulls[:1], 4.0)
        both = null_view.null_view(result.nulls, 4.0)
        assert alone is not None
        assert both is not None
        assert "phases" not in alone.made_of
        assert "phases" in both.made_of

    def test_next_to_nothing_is_not_spelled_out(self) -> None:
        view = null_view.null_view((NullRun("noise_only", 1, {"a": PickerNull(0, 1e-11)}),), 4.0)
        assert view is not None
        assert view.table.rows[0][2:] == ["< 0.001", "0 to 0", "0", "✓ as predicted"]

    def test_of_no_null_nothing_is_said(self) -> None:
        assert null_view.null_view((), 4.0) is None


class TestIgnored:
    @pytest.fixture
    def judged(self) -> RunResult:
        result = finished(plane(pickers={"near": picker()}, replicates=2))
        judgement = result.judgements["near"]
        picks, truth = (np.zeros(len(t), bool) for t in (result.pickers["near"].picks, result.truth))
        # One pair of ignored ones, one pair in which the pick alone is, one in which the particle alone is.
        pairs = judgement.match
        picks[pairs.pick[[0, 1]]] = truth[pairs.truth[[0, 2]]] = True
        changed = dataclasses.replace(judgement, ignored_picks=picks, ignored_truth=truth)
        return dataclasses.replace(result, judgements={"near": changed})

    def test_every_pick_and_every_particle_has_one_outcome(self, judged: RunResult) -> None:
        found = marks.outcomes_of(judged, "near")
        of_picks = [rows for o, rows in found.rows.items() if o not in marks.OF_TRUTH]
        # The pick on an ignored particle is ignored or false: the judge says which.
        assert sorted(np.concatenate(of_picks)) == list(range(len(found.picks)))
        excused, missed = found.rows["excused"], found.rows["missed"]
        assert sorted([*excused, *missed, *matched(judged, found)]) == list(range(len(found.truth)))
        assert len(found.rows["hit"]) + len(found.rows["wrong"]) == len(matched(judged, found))

    def test_the_ignored_are_marked_and_counted_as_neither(self, judged: RunResult) -> None:
        found = marks.outcomes_of(judged, "near")
        assert len(found.rows["ignored"]) == 2
        assert len(found.rows["excused"]) == 2
        page = render(judged, command=COMMAND)
        assert "Ignored, as the scenario asks: 2 particles and 2 picks, neither right nor wrong." in page
        assert 'class="mark grey"' in page

    def test_without_any_there_is_no_mark(self) -> None:
        page = render(finished(plane(pickers={"near": picker()})), command=COMMAND)
        assert "Ignored, as the scenario asks" not in page
        assert 'class="mark grey"' not in page


def matched(result: RunResult, found: marks.Outcomes) -> list[int]:
    """Particles of pairs in which neither side is ignored."""
    judgement = result.judgements["near"]
    pairs = zip(judgement.match.truth, judgement.match.pick, strict=True)
    return [t for t, p in pairs if not judgement.ignored_truth[t] and not judgement.ignored_picks[p]]


def test_other_rules_are_listed_with_their_defects(page: str) -> None:
    part = page[page.index('id="published"') : page.index('id="facts"')]
    assert "Counts particles." in part
    assert "<td>1.07</td>" in part
    assert "<td>−1</td>" in part
    assert part.count("<details>") == 3


def test_scores_of_no_class_are_named_and_not_tabulated(page: str) -> None:
    part = page[page.index('id="scores"') : page.index('id="failures"')]
    assert "Not defined in this run:" in part
    rows = re.findall(r'<tr><th scope="row">median orientation error', part)
    assert not rows
