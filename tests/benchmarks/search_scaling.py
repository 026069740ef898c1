"""How the cost of the search grows with the number of angles, the size of the image and that of the template.

    python tests/benchmarks/search_scaling.py PLOT.png [--kind ncc] [--size 2048] [--rounds 3]
    python tests/benchmarks/search_scaling.py --memory 16384 [--kind ncc]

One quantity is varied at a time about a 2048² image, 360 angles and templates of 128 pixels; the particles
grow with the templates. Seconds of processor on one thread, the least of the rounds: other programs that
share the machine distort them less than the clock. Beside it, what one inverse FFT a view would take at the
least. Prints the numbers and writes the plot. Or the memory of one search of one large image on two threads,
which another process has made.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import search_speed
from search_speed import f1, inverse_transforms, micrograph, simkit_search

from simkit.core.fourier import fast_length

ANGLES = (36, 90, 180, 360, 720)
SIZES = (512, 1024, 2048, 4096)
BOXES = (64, 96, 128, 192, 256)
FLOOR_VIEWS = 4


def seconds(job, rounds: int) -> tuple[float, object]:
    least, result = np.inf, None
    for _ in range(rounds):
        begin = time.process_time()
        result = job()
        least = min(least, time.process_time() - begin)
    return least, result


def measure(kind: str, size: int, angles: int, box: int, rounds: int) -> tuple[float, float, float]:
    """Return the seconds of one search, its F1 and the seconds of as many inverse FFTs as views."""
    image, truth = micrograph(size, scale=box / 128)
    templates = search_speed.banks(angles, box, scale=box / 128)
    search = simkit_search(kind, image, templates, len(truth), 1, apart=60 * box / 128)
    took, found = seconds(search, rounds)
    floor, _ = seconds(inverse_transforms(fast_length(size + box), 1, FLOOR_VIEWS), rounds)
    return took, f1(found, truth, within=10 * box / 128), floor * 2 * angles / FLOOR_VIEWS


def save(size: int, folder: str) -> np.ndarray:
    image, truth = micrograph(size)
    np.save(f"{folder}/image.npy", image.astype(np.float32))
    return truth


def memory(kind: str, size: int) -> None:
    """Print the memory and time of one search."""
    with tempfile.TemporaryDirectory() as folder:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            truth = pool.submit(save, size, folder).result()
        image = np.load(f"{folder}/image.npy")
    begin = time.perf_counter()
    found = simkit_search(kind, image, search_speed.banks(360, 128), len(truth), 2)()
    took = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{kind} {size}²: {took:.0f} s, F1 {f1(found, truth):.3f}, at most {peak:.1f} GiB, of which "
        f"{image.nbytes / 2**30:.1f} GiB are the image"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("plot", type=Path, nargs="?")
    parser.add_argument("--memory", type=int)
    parser.add_argument("--kind", default="ncc")
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.memory:
        memory(options.kind, options.memory)
    if not options.plot:
        return
    centre = {"size": options.size, "angles": 360, "box": 128}
    varied = {"angles": ANGLES, "size": [n for n in SIZES if n <= 2 * options.size], "box": BOXES}
    labels = {
        "angles": "angles",
        "size": "edge of the image in pixels",
        "box": "edge of the template in pixels",
    }

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), sharey=True, layout="constrained")
    for panel, (name, values) in zip(axes, varied.items(), strict=True):
        rows = [measure(options.kind, rounds=options.rounds, **(centre | {name: v})) for v in values]
        print(f"{name:>8}{'s':>10}{'floor s':>10}{'F1':>8}")
        for value, (took, quality, floor) in zip(values, rows, strict=True):
            print(f"{value:8}{took:10.2f}{floor:10.2f}{quality:8.3f}", flush=True)
        panel.loglog(values, [row[0] for row in rows], "o-", label=f"simkit {options.kind}")
        panel.loglog(values, [row[2] for row in rows], "s--", label="one inverse FFT a view")
        panel.set_xticks(values, [str(v) for v in values])
        panel.minorticks_off()
        panel.set_xlabel(labels[name])
    axes[0].set_ylabel("seconds of processor")
    axes[0].legend()
    figure.savefig(options.plot, dpi=150)


if __name__ == "__main__":
    main()
