"""Figures of their own: marked micrographs, score maps, histograms of scores, transfer, audits."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from scipy import ndimage

from simkit.audit.base import Panel
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.engine.results import PickerRun, RunResult
from simkit.engine.simulation import total_gain
from simkit.reports import canvas, plates, signals
from simkit.reports.elements import Illustration, Layer, Plate, Plot
from simkit.reports.marks import STYLES, Outcomes, count_text, crosses, layers, vacancies

MICROGRAPH_PIXELS = 1024
MAP_PIXELS = 768
PANEL_PIXELS = 512
"""Longest sides in pixels of the pictures on the page."""

CLIP = 1.0
"""Percentage of the pixels at each end that saturates when a noisy image is shown."""

SHARED_MICROGRAPH = "micrograph-pixels"
"""Id under which the page holds the pixels that every picker's marks lie on."""


def noisy(result: RunResult) -> bool:
    """Tell whether the micrographs have noise; real ones always do."""
    return result.first is None or bool(np.any(np.asarray(result.first.noise_spectrum) > 0))


CALM = 0.1
"""Noise, as a share of the range of the ideal image, that a shown micrograph may keep."""

NOISE_AFTER = 1 / (2 * np.sqrt(np.pi))
"""White noise left by a Gaussian of one pixel; it falls as one over the Gaussian's width."""


def smoothing(result: RunResult, radius: float) -> float:
    """Return the standard deviation in pixels of the Gaussian that the shown micrograph is smoothed with.

    Just enough to calm the noise, and never more than a tenth of a particle's radius, which hides
    none of it; nothing where the noise is calm as it is.
    """
    most = min(radius / result.scenario.image.pixel_size / 10, 4.0)
    if result.first is None:
        return most
    span = float(np.ptp(result.first.ideal)) * total_gain(result.scenario)
    needed = NOISE_AFTER * float(result.first.facts.get("noise_sd") or 0.0)
    width = min(needed / (CALM * span), most) if span > 0 else 0.0
    return width if width >= 0.5 else 0.0


def micrograph(result: RunResult, radius: float) -> Illustration:
    """Show micrograph 0, stretched (and smoothed, if it is noisy) for the eye."""
    pixels = np.asarray(result.micrographs[0], float)
    grid = Grid(pixels.shape, result.scenario.image.pixel_size)
    name = result.micrograph_names[0]
    caption = f"Micrograph {name}" + _of_many(result)
    if grid.ndim == 1:
        return Illustration(signals.signal(pixels, grid, alt=f"Signal of {name}", wide=True), caption)
    sigma = smoothing(result, radius)
    shown = ndimage.gaussian_filter(pixels, sigma) if sigma > 0 else pixels
    clip = CLIP if noisy(result) else 0.0
    plate = plates.grey(shown, grid, alt=caption, side=MICROGRAPH_PIXELS, clip=clip)
    return Illustration(plate, caption, _display_note(grid, sigma))


def _of_many(result: RunResult) -> str:
    n = len(result.micrograph_names)
    return f", the first of {n}" if n > 1 else ""


def _display_note(grid: Grid, sigma: float) -> str:
    notes = []
    if sigma > 0:
        notes.append(f"smoothed with a Gaussian of {sigma:.2g} pixels and stretched (1–99 %)")
    if max(grid.shape) > MICROGRAPH_PIXELS:
        shape = " × ".join(map(str, grid.shape))
        notes.append(f"averaged from {shape} to at most {MICROGRAPH_PIXELS} pixels a side")
    return f"For display only: {', '.join(notes)}. Picking used the original pixels." if notes else ""


def marked_micrograph(
    result: RunResult, base: Illustration, picker: str, outcomes: Outcomes, radius: float
) -> Illustration:
    """Mark hits, false picks, missed particles and wrong classes of one picker on micrograph 0."""
    pixels = np.asarray(result.micrographs[0], float)
    grid = Grid(pixels.shape, result.scenario.image.pixel_size)
    name = result.micrograph_names[0]
    marked = layers(outcomes, grid, name, radius) if grid.ndim == 2 else _keys(outcomes, name)
    holes = result.pickers[picker].holes
    if grid.ndim == 2 and holes is not None and len(holes):
        marked = [*marked, vacancies(holes, grid, name, radius)]
    alt = f"{base.caption}, picks of {picker}: {'; '.join(layer.label for layer in marked)}"
    caption = f"{base.caption}, with the picks of {picker}."
    if isinstance(base.picture, Plot):
        plot = signals.marked_signal(pixels, grid, outcomes, name, alt=alt)
        return Illustration(plot, caption, base.note, marked)
    plate = Plate(
        alt=alt,
        height=base.picture.height,
        source=f"#{SHARED_MICROGRAPH}",
        smooth=base.picture.smooth,
        layers=marked,
        bar=base.picture.bar,
    )
    return Illustration(plate, caption, base.note, marked)


def _keys(outcomes: Outcomes, micrograph: str) -> list[Layer]:
    keys = []
    for outcome, table in outcomes.tables():
        meaning, symbol, tone = STYLES[outcome]
        here = int((table["micrograph"] == micrograph).sum())
        keys.append(Layer(f"{meaning} ({count_text(here, len(table))})", symbol, tone))
    return keys


def score_map(picker: str, run: PickerRun, micrograph: str) -> Illustration:
    """Show where a picker's score was high, with a cross on each peak it picked."""
    found, grid = run.first, run.first.map_grid
    cut = f"threshold {found.threshold:.4g}" if np.isfinite(found.threshold) else "no threshold"
    caption = f"Score map of {picker}, best template and angle at every place; {cut}."
    alt = f"{caption} {len(found.picks)} peaks are marked with crosses."
    if grid.ndim == 1:
        plot = signals.score_signal(
            found.score_map, grid, found.picks["x"], found.threshold, alt=alt, wide=True
        )
        return Illustration(plot, caption, "The dashed line is the threshold; crosses are the picks.")
    layer = crosses(run.picks, grid, micrograph)
    plate = plates.coloured(
        found.score_map, grid, alt=alt, side=MAP_PIXELS, threshold=found.threshold, layers=[layer]
    )
    large = max(grid.shape) > MAP_PIXELS
    note = f"Shown at most {MAP_PIXELS} pixels a side: each shows the best score beneath it." if large else ""
    return Illustration(plate, caption, note, [layer])


HATCHES = {
    "hit": None,
    "wrong": "\\\\\\\\",
    "false": "////",
    "unlabelled": "////",
    "ignored": "....",
    "pick": None,
}
"""Hatching of every outcome's bars, so that colour alone tells nothing apart."""


def score_histogram(picker: str, run: PickerRun, outcomes: Outcomes) -> Illustration:
    """Show how well the score separates hits from false picks."""
    scores = outcomes.scores()
    cuts = sorted({t for t in run.thresholds if np.isfinite(t)})
    everything = np.concatenate([*scores.values(), cuts])
    low, high = float(everything.min()), float(everything.max())
    edges = np.linspace(low, high if high > low else low + max(abs(low), 1.0) / 10, 31).tolist()

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot(xlabel="score of a pick", ylabel="picks")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.xaxis.set_major_formatter(ScalarFormatter(useOffset=False))
        for outcome, values in scores.items():
            name, colour = STYLES[outcome][0].split(":")[0], signals.TONES[STYLES[outcome][2]]
            axes.hist(
                values,
                edges,
                label=f"{name} ({len(values)})",
                facecolor=canvas.paler(colour),
                edgecolor=colour,
                hatch=HATCHES[outcome],
            )
        for cut in cuts:
            label = None if cut != cuts[0] else "threshold" if len(cuts) == 1 else "thresholds"
            axes.axvline(cut, color="black", linestyle="--", linewidth=1.2, label=label)
        figure.legend(loc="outside upper right", ncols=2, frameon=False)

    counts = ", ".join(f"{len(values)} {outcome}" for outcome, values in scores.items())
    alt = f"Histogram of the scores of {picker}: {counts}"
    caption = (
        f"Scores of the picks of {picker}, over all micrographs. The farther left of the true picks the "
        "false ones lie, the better the score tells them apart."
    )
    return Illustration(Plot(alt, canvas.draw(paint, width=5.2, height=3.2)), caption)


def transfer(values: FloatArray | ComplexArray, grid: Grid) -> Illustration:
    """Show which details the optics pass: the transfer function along the axes of the image."""
    cuts = _cuts(values, grid)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot(xlabel="spatial frequency (1/Å)", ylabel="transfer")
        axes.axhline(0, color="0.7", linewidth=0.8)
        for (label, k, t), line, colour in zip(cuts, ("-", "--"), ("black", canvas.VERMILLION), strict=False):
            canvas.plot(axes, k, t, label=label, color=colour, linestyle=line)
        axes.margins(x=0)
        if len(cuts) > 1:
            axes.legend(frameon=False)

    return Illustration(
        Plot("Transfer function against spatial frequency", canvas.draw(paint, width=6.2, height=2.6)),
        "The transfer function, the Fourier transform of the PSF: detail at a frequency where it is zero is "
        "lost, where it is negative it appears with inverted contrast.",
    )


def _cuts(values: FloatArray, grid: Grid) -> list[tuple[str, FloatArray, FloatArray]]:
    """Cut a transfer function along x, and along y where that differs (on the frequencies of both)."""
    values = values.real if np.allclose(values.imag, 0) else np.abs(values)
    k_x, along_x = grid.frequencies()[-1].ravel(), values[(0,) * (grid.ndim - 1)]
    if grid.ndim == 1:
        return [("", k_x, along_x)]
    half = (grid.shape[0] + 1) // 2
    k_y, along_y = grid.frequencies()[0].ravel()[:half], values[:half, 0]
    same = np.allclose(along_y, np.interp(k_y, k_x, along_x), atol=0.02)
    return [("along x", k_x, along_x)] if same else [("along x", k_x, along_x), ("along y", k_y, along_y)]


def audit_panel(panel: Panel) -> Illustration:
    """Show what an audit drew: its image with marks, or its curves."""
    caption = f"{panel.title}. {panel.caption}" if panel.caption else f"{panel.title}."
    if panel.image is None:
        return Illustration(signals.series(panel), caption)
    grid = Grid(panel.image.shape, 1.0)
    found = [] if panel.marks is None else [_panel_marks(panel.marks, grid)]
    plate = plates.grey(panel.image, grid, alt=caption, side=PANEL_PIXELS, layers=found, bar=False)
    return Illustration(plate, caption)


def _panel_marks(points: FloatArray, grid: Grid) -> Layer:
    across, down = plates.to_units(grid, *np.asarray(points, float).T)
    size = float(np.clip(200 / np.sqrt(max(len(points), 1)), 8, 22))
    return Layer("marked", "circle", "vermillion", plates.marks("circle", across, down, size))
