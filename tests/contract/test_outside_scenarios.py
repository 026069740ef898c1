"""The ready-made command lines, with stand-ins that take exactly these and write what the programs write.

Of each program the stand-in has the command line and the output format; what it finds are dark disks. Where
the program itself is installed, `test_scenarios.py` runs the scenario with it.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simkit.cli.app import app
from simkit.engine.pipeline import run_scenario
from simkit.scenario.loading import load

FOLDER = Path(__file__).parents[2] / "scenarios" / "pickers"

COMMON = '''
import argparse, glob, pathlib, sys
import mrcfile, numpy as np

def dark(image, radius, border=0):
    """Return the darkest places (y, x) of disks of a radius in pixels."""
    y, x = (np.minimum(np.arange(n), n - np.arange(n)) for n in image.shape)
    disk = np.fft.rfft2(y[:, None] ** 2 + x**2 <= radius**2)
    score = -np.fft.irfft2(np.fft.rfft2(image - image.mean()) * disk, image.shape) / radius / image.std()
    highest, side = score, 2 * int(radius) + 1
    for _ in range(2):
        padded = np.pad(highest, ((0, 0), (side // 2, side // 2)), mode="edge")
        highest = np.lib.stride_tricks.sliding_window_view(padded, side, axis=1).max(axis=-1).T
    peaks = (score == highest) & (score > score.max() / 2)
    return [(y, x, score[y, x]) for y, x in np.argwhere(peaks)
            if min(y, x, image.shape[0] - 1 - y, image.shape[1] - 1 - x) >= border]
'''

TOPAZ = """
verb, *rest = sys.argv[1:]
options = argparse.ArgumentParser()
for name, kind in (("-s", int), ("-d", int), ("-o", str), ("-r", int), ("-t", float), ("-x", int)):
    options.add_argument(name, type=kind, required=name in ("-d", "-o"))
options.add_argument("files", nargs="+")
given = options.parse_args(rest)
if verb == "preprocess":
    pathlib.Path(given.o).mkdir(exist_ok=True)
    for file in given.files:
        image = mrcfile.read(file)
        half = np.fft.fftshift(np.fft.fft2(image))
        rows, columns = (n // given.s for n in image.shape)
        top, left = (image.shape[0] - rows) // 2, (image.shape[1] - columns) // 2
        small = np.fft.ifft2(np.fft.ifftshift(half[top : top + rows, left : left + columns])).real
        with mrcfile.new(pathlib.Path(given.o, pathlib.Path(file).name)) as out:
            out.set_data(small.astype(np.float32))
else:
    lines = ["image_name\\tx_coord\\ty_coord\\tscore"]
    for file in given.files:
        name = pathlib.Path(file).stem
        found = dark(mrcfile.read(file).astype(float), given.r)
        lines += [f"{name}\\t{x * given.x}\\t{y * given.x}\\t{s}" for y, x, s in found]
    pathlib.Path(given.o).write_text("\\n".join(lines) + "\\n")
"""

ASPIRE = """
options = argparse.ArgumentParser()
options.add_argument("verb", choices=["apple"])
for name in ("--mrc_path", "--particle_size", "--output_dir", "--tau1", "--tau2", "--mrc_shrink_factor"):
    options.add_argument(name, required=True)
given = options.parse_args()
with mrcfile.open(given.mrc_path) as file:
    if file.voxel_size.x:
        sys.exit("ValueError: Mismatched pixel size.")
    if file.data.shape[0] != file.data.shape[1]:
        sys.exit("ValueError: Only square ndarrays are supported.")
    # It halves all sizes, be the image halved or not.
    radius = int(given.particle_size) / 2 * int(given.mrc_shrink_factor) / 2
    found = dark(file.data.astype(float), radius, border=100)
rows = "".join(f"{x} {y}\\n" for y, x, _ in found)
star = f"data_root\\n\\nloop_\\n_rlnCoordinateX #1\\n_rlnCoordinateY #2\\n{rows}\\n"
pathlib.Path(given.output_dir).mkdir()
pathlib.Path(given.output_dir, pathlib.Path(given.mrc_path).stem + "_applepick.star").write_text(star)
"""

RELION = """
options = argparse.ArgumentParser()
names = "i odir pickname ref angpix angpix_ref ang particle_diameter min_distance threshold"
names += " max_stddev_noise shrink"
for name in names.split():
    options.add_argument(f"--{name}", required=True)
given = options.parse_args()
assert mrcfile.read(given.ref).ndim in (2, 3)
tags = "CoordinateX", "CoordinateY", "ClassNumber", "AutopickFigureOfMerit", "AnglePsi"
head = "".join(f"_rln{tag} #{i}\\n" for i, tag in enumerate(tags, start=1))
for file in sorted(glob.glob(given.i)):
    radius = float(given.particle_diameter) / 2 / float(given.angpix)
    found = dark(mrcfile.read(file).astype(float), radius)
    rows = "".join(f"{x:.6f} {y:.6f} 1 {s:.6f} 0.0\\n" for y, x, s in found)
    out = pathlib.Path(given.odir + str(pathlib.Path(file).with_suffix("")) + f"_{given.pickname}.star")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(f"\\n# version 30001\\n\\ndata_\\n\\nloop_\\n{head}{rows}\\n")
"""

PYTME = """
import h5py, tifffile
options = argparse.ArgumentParser()
options.add_argument("verb", choices=["match"])
for name in ("-m", "-i", "-o", "--sampling-rate", "-s", "-a", "-n"):
    options.add_argument(name, required=True)
given = options.parse_args()
image, view = tifffile.imread(given.m), tifffile.imread(given.i)
assert view.ndim == image.ndim == 2
scores = np.full(image.shape, -0.5, np.float32)
for y, x, score in dark(image.astype(float), 28):
    scores[y, x] = score / 50
with h5py.File(given.o, "w") as out:
    out["item_0"] = scores
"""

PROGRAMS = {"topaz": TOPAZ, "aspire": ASPIRE, "relion_autopick": RELION, "pytme": PYTME}
PICKERS = {"topaz": "topaz", "aspire": "apple", "relion": "relion", "pytme": "pytme"}
SCORED = {"topaz", "relion", "pytme"}


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stand-ins on the PATH, before anything that may be installed."""
    for name, body in PROGRAMS.items():
        program = tmp_path / name
        program.write_text(f"#!{sys.executable}\n{COMMON}{textwrap.dedent(body)}")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("name", sorted(PICKERS))
def test_a_ready_made_command_line_works(name: str) -> None:
    fewer = ("replicates=1", "score.null_micrographs=0")
    scenario = load(FOLDER / f"{name}.yaml", overrides=fewer).scenario
    result = run_scenario(scenario, workers=1)
    assert result.passed
    values = result.scores["pickers"][PICKERS[name]]
    assert values["ball"]["recall"] >= 0.9
    assert values["ball"]["precision"] >= 0.9
    # Whole pixels of 2 or 4 Å, topaz's of 8 Å: at most half of one along each axis, and the noise.
    assert values["all"]["rmse"] < (8 if name == "topaz" else 5)
    for axis in ("bias_y", "bias_x"):
        assert abs(values["all"][axis]) < 2
    assert (values["all"]["average_precision"] is not None) == (name in SCORED)


def test_the_newcomers_picker_runs_as_its_page_says(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    assert CliRunner().invoke(app, ["new", "picker", "--out", str(folder)]).exit_code == 0
    page = (folder / "README.md").read_text()
    block = textwrap.dedent(page[page.index("    pickers:") :].split("\n\n")[0])
    judged = "templates: {L: {kind: specimen, of: L}}\nscore: {radius: 20 Å, null_micrographs: 0}\n"
    scenario = folder / "judged.yaml"
    scenario.write_text((folder / "micrograph.yaml").read_text() + block + "\n" + judged)
    values = run_scenario(load(scenario).scenario, workers=1).scores["pickers"]["mine"]["all"]
    # As `simkit convention` finds of it: all of them, and to a quarter of a pixel of 2.5 Å.
    assert (values["recall"], values["precision"]) == (1.0, 1.0)
    assert values["rmse"] < 0.65


def test_every_scenario_has_a_stand_in() -> None:
    assert {file.stem for file in FOLDER.glob("*.yaml")} == set(PICKERS)
