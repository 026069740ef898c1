"""What a scenario means before anything is run: first what is not modelled, then every derived number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.core import fourier
from simkit.core.spec import Spec
from simkit.engine import imaging
from simkit.engine.appearance import noise_spectrum
from simkit.engine.archive import survey
from simkit.engine.ceiling import LatticeCeiling, SpeciesCeiling, ceiling_of
from simkit.engine.memory import estimate
from simkit.engine.mismatch import kept_by_templates
from simkit.engine.operating import operating_point, recall_above_level
from simkit.engine.realisation import realise, resolved_noise, simulation_grid, truth_of
from simkit.engine.simulation import total_gain
from simkit.psf.ctf import Ctf, first_zero
from simkit.scenario.spec import Scenario
from simkit.theory.outliers import LOWEST_REACHABLE


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
    sections = [Section("What is not modelled", not_modelled(scenario))]
    sections += [Section(f"What physics allows: {name}", rows) for name, rows in _allowed(scenario).items()]
    sections.append(Section("Image", _image(scenario)))
    if scenario.micrographs is not None:
        sections.append(Section("Micrographs", _micrographs(scenario, workers)))
    if scenario.simulates:
        sections += [Section(f"Species {name}", rows) for name, rows in _species(scenario).items()]
        if scenario.psf:
            sections.append(Section("Optics", _optics(scenario)))
        if scenario.noise:
            sections.append(Section("Noise", _noise(scenario)))
        sections.append(Section("Cost", [("memory", f"the run {estimate(scenario, workers).text}")]))
    if scenario.simulates and (kept := kept_by_templates(scenario)):
        sections.append(Section("Templates", [(name, f"keeps {k:.3g} of d′") for name, k in kept.items()]))
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


def _allowed(scenario: Scenario) -> dict[str, list[tuple[str, str]]]:
    """Return, for every species, what the best conceivable picker could do."""
    ceiling = ceiling_of(scenario)
    if ceiling is None:
        return {}
    result = {}
    for name, limit in ceiling.species.items():
        low, high = (f"{d:.3g}" for d in limit.d_prime_range)
        seen = low if low == high else f"{low} … {high} over its views"
        rows = [("detectability d′", f"{seen}: a peak’s height in standard deviations of the noise")]
        rows += _limits(limit)
        if ceiling.curve is not None and name in ceiling.curves:
            point = operating_point(ceiling.curve, 1.0)
            recall = recall_above_level(ceiling.curves[name], point.level)
            rows.append(
                ("ideal recall", f"{recall:.4g} at 1 false pick per micrograph, a score of {point.level:.3g}")
            )
        if name in ceiling.lattices:
            rows.append(("lattice", _lattice(ceiling.lattices[name])))
        result[name] = rows
    return result


def _limits(limit: SpeciesCeiling) -> list[tuple[str, str]]:
    if not limit.reachable:
        outliers = f"{100 * limit.outliers:.2g} % gross outliers"
        return [("position", f"no limit is within reach: d′ < {LOWEST_REACHABLE:g}, expect {outliers}")]
    axes = (("y", limit.sigma_y), ("x", limit.sigma_x))
    places = [f"{axis} ± {sigma:.3g} Å" for axis, sigma in axes if np.isfinite(sigma)]
    rows = [("position", f"{', '.join(places)} at best")]
    if np.isfinite(limit.sigma_psi):
        rows.append(("in-plane angle", f"± {limit.sigma_psi:.3g}° at best"))
    return rows


def _lattice(limit: LatticeCeiling) -> str:
    vectors = (("a", limit.sigma_a), ("b", limit.sigma_b))
    lengths = [f"{name} ± {sigma:.3g} Å" for name, sigma in vectors if np.isfinite(sigma)]
    return (
        f"{', '.join(lengths)} at best, from the {limit.sites} sites of one micrograph"
        if lengths
        else (f"{limit.sites} sites do not determine it")
    )


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
    image = scenario.image.grid
    variance = fourier.energy(noise_spectrum(scenario), image.shape) / image.size
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
        if variance > 0:
            signal = imaging.copy_variance(scenario, name) * total_gain(scenario) ** 2
            rows.append(("SNR", f"{signal / variance:.4g}{views}"))
        result[name] = rows
    return result


def _density_unit(scenario: Scenario) -> str:
    return " rad" if scenario.image.model == "phase" else ""


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
    return ", ".join(f"{name.replace('_', ' ')} {readable(value)}" for name, value in fields.items())


def readable(value: object) -> str:
    """Return a field's value for a person: numbers short, long lengths in µm or mm."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    if text.endswith(" Å") and (length := abs(float(text[:-2]))) >= 1e3:
        unit, factor = ("mm", 1e7) if length >= 1e6 else ("µm", 1e4)
        return f"{float(text[:-2]) / factor:.6g} {unit}"
    return text


def _lengths(extent: tuple[float, ...]) -> str:
    return " × ".join(f"{e / 10:.4g} nm" for e in extent)
