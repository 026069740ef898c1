"""What other programs' published rules say of the same picks, their defects included and named.

Facts are from the programs' sources: what is compared, with < or ≤, what is averaged over what, what an image
without picks does. The code is simkit's own.
"""

from __future__ import annotations

from collections.abc import Callable

from simkit.core.tables import Picks, Truth
from simkit.matching.published.base import PublishedScore, Scene
from simkit.matching.published.cellcanvas import cellcanvas
from simkit.matching.published.cryosegnet import cryosegnet
from simkit.matching.published.czii import czii
from simkit.matching.published.deepfinder import deepfinder
from simkit.matching.published.one_to_one import coco, decode, spotiflow
from simkit.matching.published.repic import repic
from simkit.matching.published.roodmus import roodmus, roodmus_1to1
from simkit.matching.published.tomotwin import tomotwin
from simkit.matching.published.topaz import topaz

__all__ = ["PRESETS", "PublishedScore", "published_scores"]

PRESETS: tuple[Callable[[Scene], PublishedScore], ...] = (
    coco,
    decode,
    spotiflow,
    topaz,
    czii,
    cellcanvas,
    roodmus,
    roodmus_1to1,
    tomotwin,
    deepfinder,
    repic,
    cryosegnet,
)
"""The fair ones first; each is called what its function is called."""


def published_scores(
    truth: Truth, picks: Picks, *, radius: float, box: float | None = None, ndim: int = 2
) -> tuple[PublishedScore, ...]:
    """Say what every published rule would have printed of these picks.

    Parameters
    ----------
    truth, picks : Truth, Picks
        Of any number of micrographs, which every rule pools, averages or chooses from as its program does.
        Rules are blind to class.
    radius : float
        Å; the gate of all rules that have one, whatever share of the particle their program would take.
    box : float, optional
        Å; side of the boxes that repic and tomotwin compare, diameter of cryosegnet's disks. By default 2 ·
        radius, as if the gate were the particle's radius.
    ndim : int
        1 or 2. Rules of areas (repic, cryosegnet) say nothing in one dimension.

    Returns
    -------
    tuple of PublishedScore
        In the order of `PRESETS`.
    """
    scene = Scene.of(truth, picks, radius=radius, box=2 * radius if box is None else box, ndim=ndim)
    return tuple(preset(scene) for preset in PRESETS)
