"""What an accelerator gives the search: the same scores and picks, and how much sooner.

    python tests/benchmarks/gpu_speed.py [--device cuda] [--size 4096] [--rounds 3] [--workers 16]

First the scan alone, which is all that the device computes: of few kernels on a coarse grid, of many on
every pixel, and exhaustively, with one inverse FFT a view; the processor scans a part of the places there,
scaled to all. Then the whole search with the matched filter: of two templates at 360 angles, and of a solid
seen from 50 directions at 120 angles. By the clock, the least of interleaved rounds after one that warms up.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import numpy as np
from search_speed import PIXEL, banks, micrograph
from threadpoolctl import threadpool_limits

from simkit.core.grid import Grid
from simkit.correlation.bank import TemplateBank, standardised
from simkit.correlation.device import Device, device_named
from simkit.correlation.steering import SteeredBank
from simkit.correlation.tiles import best_over_views
from simkit.picker import FAMILY
from simkit.picker.base import Sight

PART = 512
"""Rows and columns that the processor searches exhaustively."""


def solid(views: int, angles: int, box: int) -> list[TemplateBank]:
    """Return projections of thirty Gaussian blobs from random directions."""
    rng = np.random.default_rng(3)
    blobs, widths = rng.normal(0, 13, (30, 3)), rng.uniform(4, 8, (30, 1))
    psi, axis = np.arange(angles) * 360 / angles, np.arange(box) - box // 2

    def seen(places: np.ndarray, turn: float) -> np.ndarray:
        c, s = np.cos(turn), np.sin(turn)
        y, x = c * places[:, 1] - s * places[:, 2], s * places[:, 1] + c * places[:, 2]
        along = [np.exp(-(((axis - place[:, None]) / widths) ** 2) / 2) for place in (y, x)]
        return along[0].T @ along[1]

    made = []
    for _ in range(views):
        places = blobs @ np.linalg.qr(rng.standard_normal((3, 3)))[0].T
        images = standardised(np.stack([seen(places, turn) for turn in np.deg2rad(psi)]))
        made.append(TemplateBank("solid", "solid", images, psi, PIXEL, 40 * PIXEL, "C1"))
    return made


def least(rounds: int, jobs: dict[str, Callable[[], object]]) -> tuple[dict[str, float], dict[str, object]]:
    seconds, results = dict.fromkeys(jobs, np.inf), {}
    for number in range(rounds + 1):
        for name, job in jobs.items():
            began = time.perf_counter()
            results[name] = job()
            if number:
                seconds[name] = min(seconds[name], time.perf_counter() - began)
    return seconds, results


def told(what: str, seconds: dict[str, float], difference: float, scale: float) -> None:
    cpu, other = seconds.values()
    print(f"{what:50}{cpu:9.3f} s{other:9.3f} s{cpu / other:8.1f}×")
    print(f"    largest difference of scores {difference:.1e}, of {scale:.3g}", flush=True)


def whole(what: str, image: np.ndarray, views: list[TemplateBank], device: str, workers: int, rounds: int):
    """Time the whole search; return what the scan of it was given, by the device's name."""
    picker = FAMILY.kind("matched_filter").model_validate(
        {"threshold": {"kind": "expected_false_picks", "per_image": 1}, "min_distance": f"{60 * PIXEL} Å"}
    )

    def search(name: str):
        grid = Grid(image.shape, PIXEL)
        rng = np.random.default_rng(0)
        return picker.pick(Sight(image, grid, views, None, None, None, rng, workers, device=name))

    names = {"cpu": "cpu", device: device}
    seconds, found = least(rounds, {name: lambda name=name: search(name) for name in names})
    here, there = found["cpu"], found[device]
    told(what, seconds, np.abs(here.score_map - there.score_map).max(), here.score_map.max())
    alike = all(np.array_equal(here.picks[c], there.picks[c]) for c in ("y", "x", "psi", "score", "template"))
    print(
        f"    {len(here.picks)} and {len(there.picks)} picks, the same to the last bit: {alike}", flush=True
    )


def scans(
    what: str, bank: SteeredBank, size: int, device: Device, workers: int, rounds: int, part: int
) -> None:
    """Time the scan alone, of `part` rows and columns on the processor."""
    rng, box = np.random.default_rng(1), bank.basis.shape[-1]
    image = rng.standard_normal((size + box, size + box)).astype(np.float32)
    sums = np.zeros((size, size), np.float32)
    few = sums[:part, :part]
    start = (box // 2, box // 2)
    with threadpool_limits(1, "blas"):
        seconds, found = least(
            rounds,
            {
                "cpu": lambda: best_over_views(image, bank, few, start=start, workers=workers),
                "device": lambda: best_over_views(image, bank, sums, start=start, device=device),
            },
        )
    seconds["cpu"] *= sums.size / few.size
    here, there = found["cpu"], found["device"]
    told(what, seconds, np.abs(here - there[:part, :part]).max(), np.abs(here).max())


def random_bank(kernels: int, views: int | None, box: int) -> SteeredBank:
    rng = np.random.default_rng(2)
    basis = rng.standard_normal((kernels, box, box)).astype(np.float32) / box
    mixing = None if views is None else rng.standard_normal((views, kernels + 1)).astype(np.float32)
    return SteeredBank(basis, mixing)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    device = device_named(options.device)
    size, rounds, workers = options.size, options.rounds, options.workers
    print(f"{size}², processor with {workers} threads against {options.device}\n")
    print(f"{'scan alone':50}{'processor':>11}{'device':>11}")
    one = (size, device, workers, rounds)
    scans(
        "47 basis kernels of 65², 52 views, on a half grid",
        random_bank(47, 52, 65),
        size // 2,
        *one[1:],
        size,
    )
    scans("60 basis kernels of 129², 120 views", random_bank(60, 120, 129), *one, size // 4)
    scans("exhaustive, 360 views of 129²", random_bank(360, None, 129), *one, min(PART, size))
    image, _ = micrograph(size)
    print(f"\n{'whole search, matched filter':50}{'processor':>11}{'device':>11}")
    whole("2 templates × 360 angles", image, banks(360, 128), options.device, workers, rounds)
    whole("50 view directions × 120 angles", image, solid(50, 120, 96), options.device, workers, rounds)


if __name__ == "__main__":
    main()
