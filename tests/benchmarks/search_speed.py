"""How fast the search is, beside other programs and beside the floor, on one image in one run.

    python tests/benchmarks/search_speed.py [--size 4096] [--angles 360] [--box 128] [--rounds 3]

Particles at the density of 80 in 2048², rings and barrels, searched with one template of each at every angle.
Every time is the least of interleaved rounds, since other programs share the machine: by the clock, and in
seconds of processor, which their load distorts less. The peers (OpenCV, scikit-image, pyTME where it is
installed) would take hours: they search a few of the views and are scaled to all. Their F1 is that of all
views in a small image of the same kind. The floor is what nobody who computes one inverse FFT a
view can beat.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.spatial import KDTree

from simkit.core.fourier import fast_length
from simkit.core.grid import Grid
from simkit.correlation.bank import TemplateBank, standardised
from simkit.correlation.peaks import local_maxima, suppress
from simkit.picker import FAMILY
from simkit.picker.base import Sight

PIXEL = 4.4
DENSITY = 80 / 2048**2
APART = 95.0
NOISE = 2.0
TIMED_ANGLES = 3
PYTME_VIEWS = 96
"""Views that pyTME is timed on: it takes long to begin, and little for each."""

PYTME_PROCESSES = (1, 2)
"""It has no threads, and shares angles out among processes of its own: the second is for the second core."""

HIT = 10.0
SMALL = 1024
"""Edge of the image in which peers search all views."""


def ring(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.exp(-(((np.hypot(y, x) - 27) / 5.6) ** 2))


def barrel(y: np.ndarray, x: np.ndarray, psi: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    along, across = c * x + s * y, c * y - s * x

    def inside(d: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(np.clip(2 * d, -50, 50)))

    body = inside(np.abs(across) - 34) * inside(np.abs(along) - 41)
    walls = 0.8 * np.exp(-(((np.abs(across) - 27) / 5) ** 2)) + 0.7 * np.exp(-(((along - 18) / 6) ** 2))
    return body * (1 + walls)


def micrograph(size: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    half, count = round(55 * scale), max(1, round(DENSITY * (size / scale) ** 2))
    places = np.empty((0, 2))
    while len(places) < count:
        trial = rng.uniform(half + 5, size - half - 5, 2)
        if not len(places) or np.hypot(*(places - trial).T).min() > APART * scale:
            places = np.vstack([places, trial])
    image = 10 + NOISE * rng.standard_normal((size, size), np.float32)
    for i, (y, x) in enumerate(places):
        rows, columns = (np.arange(round(c) - half, round(c) + half + 1) for c in (y, x))
        Y, X = (rows - y)[:, None] / scale, (columns - x)[None, :] / scale
        drawn = ring(Y, X) if i % 2 else barrel(Y, X, rng.uniform(0, 360))
        image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += drawn
    return image, places


def banks(angles: int, box: int, scale: float = 1.0) -> list[TemplateBank]:
    axis = (np.arange(box) - box // 2) / scale
    psi = np.arange(angles) * 360 / angles
    y, x = axis[:, None], axis[None, :]
    top, side = ring(y, x)[None], np.stack([barrel(y, x, a) for a in psi])
    # The ring is searched at every angle too, as a user who does not know its symmetry would.
    return [
        TemplateBank(name, name, standardised(views), psi, PIXEL, radius * scale * PIXEL, "C1")
        for name, views, radius in [("top", np.repeat(top, angles, 0), 42), ("side", side, 55)]
    ]


def f1(found: np.ndarray, truth: np.ndarray, within: float = HIT) -> float:
    """Score picks, of which there are as many as particles, by those that are near one."""
    return float((KDTree(found).query(truth)[0] <= within).mean()) if len(found) else 0.0


def simkit_search(
    kind: str, image: np.ndarray, templates: list[TemplateBank], count: int, workers: int, apart: float = 60
) -> Callable[[], np.ndarray]:
    picker = FAMILY.kind(kind).model_validate(
        {"threshold": {"kind": "top", "count": count}, "min_distance": f"{apart * PIXEL} Å"}
    )
    sight = Sight(
        image, Grid(image.shape, PIXEL), templates, None, None, None, np.random.default_rng(0), workers
    )

    def search() -> np.ndarray:
        picks = picker.pick(sight).picks
        return np.stack([picks["y"], picks["x"]], axis=1) / PIXEL

    return search


def skimage_map(image: np.ndarray, view: np.ndarray) -> np.ndarray:
    return importlib.import_module("skimage.feature").match_template(image, view)


def opencv_map(image: np.ndarray, view: np.ndarray) -> np.ndarray:
    cv2 = importlib.import_module("cv2")
    return cv2.matchTemplate(image, view, cv2.TM_CCOEFF_NORMED)


OneMap = Callable[[np.ndarray, np.ndarray], np.ndarray]


def peer_maximum(one_map: OneMap, image: np.ndarray, views: list[np.ndarray]) -> np.ndarray:
    best = one_map(image, views[0])
    for view in views[1:]:
        np.maximum(best, one_map(image, view), out=best)
    return best


def peer_picks(best: np.ndarray, count: int, box: int) -> np.ndarray:
    places = local_maxima(best)
    scores = best[tuple(places.T)]
    kept = suppress(places.astype(float), scores, np.full(len(places), 60.0))[:count]
    return places[kept] + box // 2


def pytme_search(
    image: np.ndarray, template: np.ndarray, angles: np.ndarray, processes: int
) -> Callable[[], object]:
    """Search one template at some angles with pyTME's fast local correlation, angles shared by processes."""
    matching = importlib.import_module("tme.matching_exhaustive")
    data = importlib.import_module("tme.matching_data").MatchingData
    keep = importlib.import_module("tme.analyzer").MaxScoreOverRotations
    setup, score = matching.MATCHING_EXHAUSTIVE_REGISTER["FLCSphericalMask"]
    c, s = np.cos(np.deg2rad(angles)), np.sin(np.deg2rad(angles))
    turns = np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], 1)
    axis = np.arange(len(template)) - len(template) // 2
    mask = (np.hypot(axis[:, None], axis) <= 55).astype(np.float32)

    def search() -> object:
        with contextlib.redirect_stdout(io.StringIO()):
            return matching.match_exhaustive(
                data(image.copy(), template.astype(np.float32), mask, rotations=turns),
                matching_score=score,
                matching_setup=setup,
                callback_class=keep,
                callback_class_args={"score_threshold": 0.0},
                job_schedule=(1, processes),
            )

    return search


def inverse_transforms(length: int, workers: int, views: int) -> Callable[[], None]:
    spectrum = np.zeros((length, length // 2 + 1), np.complex64)
    spectrum[:] = np.random.default_rng(0).standard_normal(spectrum.shape)

    def transform() -> None:
        for _ in range(views):
            scipy.fft.irfftn(spectrum, s=(length, length), workers=workers)

    return transform


@dataclass(frozen=True)
class Job:
    """Something timed, which is so many times less than what is compared."""

    run: Callable[[], object]
    share: float = 1.0


def processor() -> float:
    return sum(os.times()[:4])


def least(rounds: int, jobs: dict[str, Job]) -> dict[str, tuple[float, float]]:
    """Return the least seconds by the clock and of processor of each whole job."""
    times = dict.fromkeys(jobs, (np.inf, np.inf))
    for _ in range(rounds):
        for name, job in jobs.items():
            clock, used = time.perf_counter(), processor()
            job.run()
            spent = (time.perf_counter() - clock) * job.share, (processor() - used) * job.share
            times[name] = min(times[name][0], spent[0]), min(times[name][1], spent[1])
    return times


def peak_memory(job: Callable[[], object]) -> float:
    tracemalloc.start()
    job()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def installed(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        print(f"{module} is not installed: skipped")
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in [("size", 4096), ("angles", 360), ("box", 128), ("rounds", 3)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--kinds", nargs="*", default=["ncc", "matched_filter"])
    options = parser.parse_args()
    image, truth = micrograph(options.size)
    templates = banks(options.angles, options.box)
    full = fast_length(options.size + options.box)
    share = options.angles / TIMED_ANGLES

    ours = {
        f"simkit {kind}": Job(simkit_search(kind, image, templates, len(truth), 2)) for kind in options.kinds
    }
    few = [v.astype(np.float32) for bank in templates for v in bank.images[:: int(share)][:TIMED_ANGLES]]
    peers = {
        name: one_map
        for name, module, one_map in [
            ("OpenCV matchTemplate", "cv2", opencv_map),
            ("scikit-image match_template", "skimage.feature", skimage_map),
        ]
        if installed(module)
    }
    jobs = dict(ours)
    for name, one_map in peers.items():
        jobs[name] = Job(lambda one_map=one_map: peer_maximum(one_map, image, few), share)
    floors = {f"floor: inverse FFTs of {n}²": n for n in (full, fast_length(full // 2))}
    for name, n in floors.items():
        jobs[name] = Job(inverse_transforms(n, 2, 2 * TIMED_ANGLES), share)
    few_views, more = np.arange(2.0), np.arange(2.0 + PYTME_VIEWS)
    pytme_share = 2 * options.angles / PYTME_VIEWS
    pytme = PYTME_PROCESSES if installed("tme") else ()
    for n in pytme:
        for which, angles in [("few", few_views), ("more", more)]:
            jobs[f"pyTME {n} {which}"] = Job(
                pytme_search(image, templates[1].images[0], angles, n), pytme_share
            )
    began = os.getloadavg()
    times = least(options.rounds, jobs)
    for n in pytme:
        # What it spends once, whatever the number of views, is taken off, the start of processes too.
        few_took, more_took = times.pop(f"pyTME {n} few"), times.pop(f"pyTME {n} more")
        spent = [b - a for a, b in zip(few_took, more_took, strict=True)]
        # The processor's time of processes that stay alive is not to be had.
        times[f"pyTME FLCSphericalMask, {n} of its processes"] = spent[0], spent[1] if n == 1 else np.nan

    print(
        f"{options.size}², {len(truth)} particles, 2 templates × {options.angles} angles, box {options.box};"
    )
    print(f"least of {options.rounds} interleaved rounds on 2 threads; peers and floors: {2 * TIMED_ANGLES}")
    print(f"views, times {share:g}; load {began[0]:.1f} before, {os.getloadavg()[0]:.1f} after\n")
    base = times[next(iter(ours))]
    print(f"{'':44}{'clock s':>10}{'ratio':>9}{'cpu s':>10}{'ratio':>9}")
    for name, (clock, used) in times.items():
        print(f"{name:44}{clock:10.2f}{clock / base[0]:9.1f}{used:10.2f}{used / base[1]:9.1f}")

    print(f"\n{'':36}{'F1':>8}{'MiB':>8}{f'F1 in {SMALL}²':>16}")
    small, there = micrograph(SMALL)
    for kind, (name, job) in zip(options.kinds, ours.items(), strict=True):
        found = simkit_search(kind, small, templates, len(there), 2)()
        print(f"{name:36}{f1(job.run(), truth):8.3f}{peak_memory(job.run):8.0f}{f1(found, there):16.3f}")
    # The peers compute the same map: the quicker one tells of both.
    if peers:
        name, one_map = next(iter(peers.items()))
        every = [v.astype(np.float32) for bank in templates for v in bank.images]
        found = peer_picks(peer_maximum(one_map, small, every), len(there), options.box)
        print(f"{name:36}{'':16}{f1(found, there):16.3f}")


if __name__ == "__main__":
    main()
