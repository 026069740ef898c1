"""How fast the search is, beside the two best-known peers and beside the floor, on one image in one run.

    python tests/benchmarks/search_speed.py [--size 2048] [--rounds 3]

80 particles, a ring and a barrel turned to 72 angles, in a 2048² image. Every time is the least of
interleaved rounds, since other programs share the machine. The peers search a few of the angles and
are scaled to all; their recall is that of the whole search with thresholded peaks of their own map,
computed once. The floor is what nobody who computes one inverse FFT a view can beat.
"""

from __future__ import annotations

import argparse
import importlib
import time
import tracemalloc
from collections.abc import Callable

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
BOX = 111
COUNT = 80
APART = 95.0
NOISE = 2.0
ANGLES = np.arange(72) * 5.0
TIMED_ANGLES = 6
HIT = 10.0


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


def micrograph(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    places: list[np.ndarray] = []
    while len(places) < count:
        trial = rng.uniform(60, size - 60, 2)
        if all(np.hypot(*(trial - p)) > APART for p in places):
            places.append(trial)
    image = 10 + NOISE * rng.standard_normal((size, size))
    half = BOX // 2
    for i, (y, x) in enumerate(places):
        rows, columns = (np.arange(round(c) - half, round(c) + half + 1) for c in (y, x))
        Y, X = (rows - y)[:, None], (columns - x)[None, :]
        drawn = ring(Y, X) if i % 2 else barrel(Y, X, rng.uniform(0, 360))
        image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += drawn
    return image.astype(np.float32), np.array(places)


def banks() -> list[TemplateBank]:
    axis = np.arange(BOX) - BOX // 2
    y, x = axis[:, None], axis[None, :]
    top, side = ring(y, x)[None], np.stack([barrel(y, x, a) for a in ANGLES])
    # The ring is searched at every angle too, as a user who does not know its symmetry would.
    return [
        TemplateBank(name, name, standardised(views), ANGLES, PIXEL, radius * PIXEL, "C1")
        for name, views, radius in [("top", np.repeat(top, len(ANGLES), 0), 42), ("side", side, 55)]
    ]


def recall(found: np.ndarray, truth: np.ndarray) -> float:
    return float((KDTree(found).query(truth)[0] <= HIT).mean()) if len(found) else 0.0


def simkit_search(kind: str, image: np.ndarray, workers: int) -> Callable[[], np.ndarray]:
    picker = FAMILY.kind(kind).model_validate(
        {"threshold": {"kind": "top", "count": COUNT}, "min_distance": f"{60 * PIXEL} Å"}
    )
    sight = Sight(
        image, Grid(image.shape, PIXEL), banks(), None, None, None, np.random.default_rng(0), workers
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


def peer_search(
    one_map: Callable[[np.ndarray, np.ndarray], np.ndarray], image: np.ndarray, step: int
) -> Callable[[], np.ndarray]:
    views = [v.astype(np.float32) for bank in banks() for v in bank.images[::step]]

    def search() -> np.ndarray:
        best = one_map(image, views[0])
        for view in views[1:]:
            np.maximum(best, one_map(image, view), out=best)
        places = local_maxima(best)
        scores = best[tuple(places.T)]
        kept = suppress(places.astype(float), scores, np.full(len(places), 60.0))[:COUNT]
        return places[kept] + BOX // 2

    return search


def inverse_transforms(length: int, workers: int, views: int) -> Callable[[], None]:
    spectra = np.zeros((TIMED_ANGLES, length, length // 2 + 1), np.complex64)
    spectra[:] = np.random.default_rng(0).standard_normal(spectra.shape)

    def transform() -> None:
        for _ in range(views // TIMED_ANGLES):
            scipy.fft.irfftn(spectra, s=(length, length), axes=(1, 2), workers=workers)

    return transform


def least(rounds: int, jobs: dict[str, Callable[[], object]]) -> dict[str, float]:
    times = dict.fromkeys(jobs, np.inf)
    for _ in range(rounds):
        for name, job in jobs.items():
            begin = time.perf_counter()
            job()
            times[name] = min(times[name], time.perf_counter() - begin)
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
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    image, truth = micrograph(options.size, COUNT * options.size**2 // 2048**2)

    ours = {
        f"simkit {kind}, {workers} thread{'s' * (workers > 1)}": simkit_search(kind, image, workers)
        for kind in FAMILY.builtins
        for workers in (2, 1)
    }
    peers = {
        name: (peer_search(one_map, image, len(ANGLES) // TIMED_ANGLES), one_map)
        for name, module, one_map in [
            ("OpenCV matchTemplate", "cv2", opencv_map),
            ("scikit-image match_template", "skimage.feature", skimage_map),
        ]
        if installed(module)
    }
    views, full = 2 * len(ANGLES), fast_length(options.size + BOX)
    floors = {
        f"floor: {views} inverse FFTs of {n}², 2 threads": (inverse_transforms(n, 2, 2 * TIMED_ANGLES), n)
        for n in (fast_length(full // 2), full)
    }
    scale = views / (2 * TIMED_ANGLES)
    jobs = {**ours, **{k: j for k, (j, _) in peers.items()}, **{k: j for k, (j, _) in floors.items()}}
    times = least(options.rounds, jobs)
    times = {name: t * (1 if name in ours else scale) for name, t in times.items()}
    base = times["simkit ncc, 2 threads"]

    print(f"{options.size}², {len(truth)} particles, 2 templates × {len(ANGLES)} angles, box {BOX}; least of")
    print(
        f"{options.rounds} interleaved rounds; peers and floors: {2 * TIMED_ANGLES} views, times {scale:g}\n"
    )
    print(f"{'':58}{'s':>8}{'× ncc':>8}{'recall':>8}{'MiB':>7}")

    def row(name: str, job: Callable[[], np.ndarray], found: np.ndarray) -> None:
        quality = f"{recall(found, truth):8.3f}{peak_memory(job):7.0f}"
        print(f"{name:58}{times[name]:8.2f}{times[name] / base:8.2f}{quality}")

    for name, job in ours.items():
        row(name, job, job())
    for name, (job, one_map) in peers.items():
        # One of the two peers, which compute the same map, is enough to see what all angles give.
        row(name, job, peer_search(one_map, image, 1)() if "OpenCV" in name else job())
    for name in floors:
        print(f"{name:58}{times[name]:8.2f}{times[name] / base:8.2f}")


if __name__ == "__main__":
    main()
