"""What a scenario means before anything is run: first what is not modelled, then every derived number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid
from simkit.core.spec import Spec
from simkit.engine import imaging
from simkit.engine.archive import survey
from simkit.engine.memory import estimate
from simkit.engine.realisation import realise, resolved_noise, simulation_grid, truth_of
from simkit.engine.simulation import total_gain
from simkit.psf.ctf import Ctf, first_zero
from simkit.scenario.spec import Scenario
from simkit.theory.detectability import detectability


@dataclass(frozen=True)
class Section:
    """A titled list of (name, text) rows."""

    title: str
    rows: list[tuple[str, str]]


def explain(scenario: Scenario, *, workers: int = 1) -> list[Section]:
    """Return what a scenario resolves to, in sections meant to be read from the top.

    Nothing is simulated, but copies are placed (micrograph 0) and one copy of every species is
    imaged.

    Raises
    ------
    ScenarioError
        If the scenario cannot be realised.
    """
    sections = [Section("What is not modelled", not_modelled(scenario)), Section("Image", _image(scenario))]
    if scenario.micrographs is not None:
        sections.append(Section("Micrographs", _micrographs(scenario, workers)))
    if scenario.simulates:
        sections += [Section(f"Species {name}", rows) for name, rows in _species(scenario).items()]
        if scenario.psf:
            sections.append(Section("Optics", _optics(scenario)))
        if scenario.noise:
            sections.append(Section("Noise", _noise(scenario)))
        sections.append(Section("Cost", [("memory", f"the run {estimate(scenario, workers).text}")]))
    if scenario.pickers:
        sections.append(Section("Pickers", _pickers(scenario)))
    return sections


def not_modelled(scenario: Scenario) -> list[tuple[str, str]]:
    """Return what a real micrograph has and this simulation lacks: real picking is harder."""
    if scenario.micrographs is not None:
        return [
            ("simulation", "nothing is simulated: the micrographs are real, and what made them is not known")
        ]
    if not scenario.simulates:
        return [("simulation", "nothing is simulated: the scenario only searches images it is given")]
    rows = [
        (
            "specimen",
            "one layer, seen in projection: no tilt, no thickness of ice, no change of defocus across it",
        ),
        ("damage", "particles do not move or fade while they are exposed"),
    ]
    if scenario.image.model == "phase":
        rows.append(
            ("scattering", "a weak phase object: contrast is linear in the potential, no electron is lost")
        )
        rows.append(("ice", "the solvent is featureless; no ice crystals, no contamination"))
    if any(species.unit_cell.solid for species in scenario.specimen.values()):
        rows.append(
            ("particles", "all alike and whole: no other conformations, no broken ones, no aggregates")
        )
    if not any(member.counts for member in scenario.noise.values()):
        rows.append(("dose", "no electrons are counted: noise is not that of a dose"))
    else:
        rows.append(("detector", "every electron is counted where it lands: no MTF, no lost counts"))
    if not scenario.background:
        rows.append(("background", "none: no carbon, no gradient"))
    if not scenario.psf:
        rows.append(("optics", "a perfect lens: the image is the object"))
    return rows


def _image(scenario: Scenario) -> list[tuple[str, str]]:
    image = scenario.image
    rows = [("pixel size", f"{image.pixel_size:g} Å, Nyquist {2 * image.pixel_size:g} Å")]
    if image.shape is None:
        return rows
    grid = image.grid
    formula = "I = 1 + 2 φ ⊗ h" if image.model == "phase" else "I = level + (density + background) ⊗ PSF"
    rows += [
        ("field", " × ".join(f"{n} px" for n in grid.shape) + f" = {_lengths(grid.extent)}"),
        (
            "boundary",
            f"{image.boundary}, simulated on {' × '.join(map(str, simulation_grid(scenario).shape))} px",
        ),
        ("model", f"{image.model}: {formula}"),
    ]
    if image.model == "phase":
        rows.append(("interaction constant σ", f"{imaging.interaction(scenario):.6g} rad/(V·Å)"))
    return rows


def _micrographs(scenario: Scenario, workers: int) -> list[tuple[str, str]]:
    if scenario.micrographs is None:
        return []
    archive = survey(scenario.micrographs, scenario.image.pixel_size)
    shapes = dict.fromkeys(" × ".join(f"{n}" for n in grid.shape) + " px" for grid in archive.grids)
    rows = [("files", f"{len(archive.files)}, {' or '.join(shapes)}")]
    if (known := scenario.micrographs.truth) is not None:
        complete = "all there are" if known.complete else "more may be there: precision is a lower bound"
        rows.append(
            ("known particles", f"{len(archive.truth)} on {len(archive.judged)} micrographs; {complete}")
        )
    rows += [("note", notice) for notice in archive.notices]
    return [*rows, ("memory", f"the run {estimate(scenario, workers).text}")]


def _species(scenario: Scenario) -> dict[str, list[tuple[str, str]]]:
    realisation = realise(scenario, 0)
    truth = truth_of(scenario, realisation)
    result = {}
    for name, species in scenario.specimen.items():
        mine = truth.take(truth["class"] == name)
        contrasts, grid = imaging.images_of_copy(scenario, name)
        drawn = species.unit_cell.density(grid, interaction=imaging.interaction(scenario))
        views = f", over {len(contrasts)} typical views" if len(contrasts) > 1 else ""
        rows = [
            ("kind", f"{species.unit_cell.kind} ⊗ {species.lattice.kind}"),  # type: ignore[attr-defined]
            ("support radius", f"{species.unit_cell.support:.4g} Å"),
            ("copies in micrograph 0", f"{len(mine)} ({int(mine['edge'].sum())} cut by the border)"),
            ("density", f"{drawn.min():.4g} … {drawn.max():.4g}" + _density_unit(scenario)),
            ("contrast of one copy", f"{contrasts.min():+.4g} … {contrasts.max():+.4g}{views}"),
        ]
        spectrum = _noise_spectrum(scenario, grid)
        variance = fourier.energy(spectrum, grid.shape) / grid.size
        if variance > 0:
            scale = total_gain(scenario)
            visible = [
                detectability(fourier.forward(c * scale), noise_spectrum=spectrum, shape=grid.shape)
                for c in contrasts
            ]
            rows += [
                ("SNR", f"{imaging.copy_variance(scenario, name) * scale**2 / variance:.4g}{views}"),
                ("detectability d′ of the ideal observer", _range(visible) + views),
            ]
        result[name] = rows
    return result


def _range(values: list[float]) -> str:
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low} … {high}"


def _density_unit(scenario: Scenario) -> str:
    return " rad" if scenario.image.model == "phase" else ""


def _noise_spectrum(scenario: Scenario, grid: Grid) -> FloatArray:
    """Return the noise power spectrum, in the micrograph's units, where there is no particle."""
    total = np.zeros(grid.frequency_radius().shape)
    mean = scenario.image.base_level
    for member in resolved_noise(scenario).values():
        total = total * member.gain(grid) ** 2 + member.spectrum(grid, mean)
        mean *= member.gain(grid)
    return total


def _optics(scenario: Scenario) -> list[tuple[str, str]]:
    grid = scenario.image.grid
    rows = [(name, _fields(member)) for name, member in scenario.psf.items()]
    for name, lens in scenario.psf.items():
        if isinstance(lens, Ctf):
            zero = first_zero(
                voltage=lens.voltage,
                defocus=lens.defocus,
                spherical_aberration=lens.spherical_aberration,
                amplitude_contrast=lens.amplitude_contrast,
            )
            if np.isfinite(zero):
                rows.append((f"first zero of {name}", f"{1 / zero:.4g} Å, at the mean defocus"))
    return [*rows, ("reach of the PSF", f"{imaging.psf_support(scenario, grid):.4g} Å")]


def _noise(scenario: Scenario) -> list[tuple[str, str]]:
    rows = []
    for name, member in resolved_noise(scenario).items():
        rows.append((name, _fields(member)))
    if any(member.counts for member in scenario.noise.values()):
        counts = total_gain(scenario) * scenario.image.base_level
        rows.append(("electrons per pixel", f"{counts:.4g} where there is no particle"))
    return rows


def _pickers(scenario: Scenario) -> list[tuple[str, str]]:
    rows = []
    for name, picker in scenario.pickers.items():
        label = " (oracle: kept out of rankings)" if picker.oracle else ""
        rows.append((name, f"knows {', '.join(picker.knows)}{label}"))
    return rows


def _fields(spec: Spec) -> str:
    fields = spec.model_dump(mode="json", exclude_none=True)
    return ", ".join(f"{name.replace('_', ' ')} {_readable(value)}" for name, value in fields.items())


def _readable(value: object) -> str:
    """Write a field's value for a person: numbers short, long lengths in µm or mm."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    if text.endswith(" Å") and (length := abs(float(text[:-2]))) >= 1e3:
        unit, factor = ("mm", 1e7) if length >= 1e6 else ("µm", 1e4)
        return f"{float(text[:-2]) / factor:.6g} {unit}"
    return text


def _lengths(extent: tuple[float, ...]) -> str:
    return " × ".join(f"{e / 10:.4g} nm" for e in extent)
