"""Programs of others as pickers, against stand-ins that do right and everything wrong."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from simkit.core.errors import OutsideError
from simkit.core.grid import Grid
from simkit.core.paths import BASE_DIR
from simkit.correlation.bank import TemplateBank
from simkit.engine.output import save
from simkit.engine.pipeline import run_scenario
from simkit.io.programs import Ended, Start, run_programs
from simkit.picker import AnyPicker
from simkit.picker._desk import stack
from simkit.picker.base import Batch, Plate
from simkit.picker.command import Command
from simkit.scenario.spec import Scenario

PIXEL = 2.5
POINTS = {"a": [(10, 20), (30, 41)], "b ü": [], "c": [(7, 5)]}
"""Micrograph → bright pixels (y, x)."""

READ = """
    import array, pathlib, struct, sys
    def points(file):
        content = pathlib.Path(file).read_bytes()
        columns, rows, _, mode = struct.unpack("<4i", content[:16])
        assert mode == 2
        values = array.array("f", content[1024:])
        return [divmod(i, columns) for i, value in enumerate(values) if value > 5]
"""
"""What the stand-ins begin with; they know MRC by its definition alone."""


def image(name: str) -> np.ndarray:
    pixels = np.zeros((48, 64), np.float32)
    for number, (y, x) in enumerate(POINTS[name]):
        pixels[y, x] = 10 + number
    return pixels


def batch(*names: str, files: dict[str, str] | None = None, workers: int = 1, **changes: Any) -> Batch:
    def plate(name: str) -> Plate:
        return Plate(name, Grid((48, 64), PIXEL), lambda: image(name), (files or {}).get(name))

    plates = tuple(plate(name) for name in names or POINTS)
    return Batch(
        **{"plates": plates, "banks": (), "rng": np.random.default_rng(4), "workers": workers} | changes
    )


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Command]:
    """Write a program and return a picker that runs it; its folder has a space and an umlaut."""
    folder = tmp_path / "their prögrams"
    folder.mkdir()
    numbers = itertools.count()

    def make(body: str, *arguments: str, output: dict[str, Any] | None = None, **fields: Any) -> Command:
        script = folder / f"my pick {next(numbers)}.py"
        script.write_text(textwrap.dedent(READ) + textwrap.dedent(body), encoding="utf-8")
        written = {
            "kind": "command",
            "argv": ["{python}", f"{{here}}/{script.name}", *arguments],
            "output": {"format": "topaz", **(output or {})},
            **fields,
        }
        context = {"units": "required", BASE_DIR: str(folder)}
        return TypeAdapter(AnyPicker).validate_python(written, context=context)

    return make


TOPAZ = """
    rows = ["image_name\\tx_coord\\ty_coord\\tscore"]
    for file in sys.argv[2:]:
        rows += [f"{pathlib.Path(file).stem}\\t{x}\\t{y}\\t{x + y / 100}" for y, x in points(file)]
    pathlib.Path(sys.argv[1]).write_text("\\n".join(rows) + "\\n")
    with open("starts", "a") as log: log.write("1")
    print("started with", len(sys.argv) - 2, "files"); print("beware", file=sys.stderr)
"""


def places(picks: Any) -> list[tuple[float, float]]:
    return sorted(zip(picks["y"].tolist(), picks["x"].tolist(), strict=True))


@pytest.mark.parametrize("per", ["run", "micrograph"])
@pytest.mark.parametrize("workers", [1, 2])
def test_right_picks_come_back(program: Callable[..., Command], per: str, workers: int) -> None:
    found = program(TOPAZ, "{out}", "{micrographs}", per=per).pick_all(batch(workers=workers))
    for name, one in zip(POINTS, found, strict=True):
        assert places(one.picks) == [(y * PIXEL, x * PIXEL) for y, x in POINTS[name]]
        assert (np.diff(one.picks["score"]) <= 0).all()
    told = {name: text for one in found for name, text in one.logs.items()}
    if per == "run":
        assert told == {"stdout.txt": "started with 3 files\n", "stderr.txt": "beware\n"}
    else:
        assert told["b ü.stdout.txt"] == "started with 1 files\n"
        assert len(told) == 6


def test_a_threshold_cuts_by_the_programs_scores(program: Callable[..., Command]) -> None:
    cut = program(TOPAZ, "{out}", "{micrographs}", threshold={"kind": "fixed", "value": 30.0})
    found = cut.pick_all(batch())
    assert [len(one.picks) for one in found] == [1, 0, 0]
    assert [len(one.candidates or ()) for one in found] == [2, 0, 1]
    assert (cut.cut, cut.knows) == ("fixed, 30", ("pixel size",))


def test_binned_and_flipped_coordinates_are_brought_back(program: Callable[..., Command]) -> None:
    body = """
        for file in sys.argv[2:]:
            rows = ["x_px,y_px"]
            for y, x in points(file):
                # Flipped from the last of 48 rows, and binned 4 times: index i lies at 4 i + 1.5.
                rows.append(f"{(x - 1.5) / 4},{(47 - y - 1.5) / 4}")
            name = pathlib.Path(file).stem + ".picks.csv"
            pathlib.Path(sys.argv[1], name).write_text("\\n".join(rows) + "\\n")
    """
    output = {"format": "csv", "binning": 4, "frame": "flipped-y", "files": "*.picks.csv"}
    found = program(body, "{out_folder}", "{micrographs}", output=output).pick_all(batch())
    for name, one in zip(POINTS, found, strict=True):
        # Exact but for the decimals of a sum.
        there = np.reshape(places(one.picks), (-1, 2))
        np.testing.assert_allclose(there, np.reshape(POINTS[name], (-1, 2)) * PIXEL, atol=1e-9)
        assert one.candidates is None or not len(one.picks)


def test_what_it_is_given(
    program: Callable[..., Command], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pixel sizes in the headers, templates as a stack, the real file itself, the environment, a seed."""
    real = tmp_path / "c.mrc"
    with mrcfile.new(real, image("c")) as file:
        file.voxel_size = PIXEL
    body = """
        import json, os, mrcfile
        folder, templates, pixel, seed, out = sys.argv[1:]
        files = sorted(pathlib.Path(folder).iterdir())
        with mrcfile.open(files[0]) as one:
            facts = {"voxel": float(one.voxel_size.x), "mode": int(one.header.mode)}
        with mrcfile.open(templates) as views:
            facts |= {"stack": views.data.shape, "sum": float(views.data.sum())}
            facts |= {"one": bool(views.is_image_stack())}
        facts |= {"names": [file.name for file in files]}
        facts |= {"links": [os.path.realpath(file) for file in files if file.is_symlink()]}
        facts |= {"pixel": pixel, "seed": seed, "here": os.getcwd(), "out": out}
        print(json.dumps(facts | {"told": os.environ.get("SIMKIT_TEST")}))
        pathlib.Path(out).write_text("image_name\\tx_coord\\ty_coord\\n")
    """
    banks = tuple(
        TemplateBank(name, "p", np.full((2, side, side), 1.0), np.array([0.0, 90.0]), PIXEL, 5.0, "C1")
        for name, side in (("s", 4), ("t", 7))
    )
    arguments = ("{micrograph_folder}", "{templates}", "{pixel_size}", "{seed}", "{out}")
    picker = program(body, *arguments)
    assert picker.needs_templates
    assert picker.knows == ("pixel size", "templates")
    monkeypatch.setenv("SIMKIT_TEST", "kept")
    (first, *_) = picker.pick_all(batch("a", "c", files={"c": str(real)}, banks=banks))
    facts = json.loads(first.logs["stdout.txt"])
    assert (facts["voxel"], facts["mode"], facts["pixel"]) == (PIXEL, 2, "2.5")
    assert (facts["stack"], facts["sum"], facts["one"]) == ([2, 7, 7], 16 + 49, True)
    assert (facts["names"], facts["links"]) == (["a.mrc", "c.mrc"], [str(real.resolve())])
    assert facts["seed"] == str(np.random.default_rng(4).integers(2**31))
    assert facts["told"] == "kept"
    assert facts["here"] == str(Path(facts["out"]).parent)
    assert not Path(facts["here"]).exists()


def test_a_seed_is_a_micrographs_own_however_work_is_shared(program: Callable[..., Command]) -> None:
    body = """
        print(sys.argv[2])
        pathlib.Path(sys.argv[1]).write_text("image_name\\tx_coord\\ty_coord\\n")
    """
    picker = program(body, "{out}", "{seed}", "{micrograph}", per="micrograph")

    def seeds(*names: str) -> list[str]:
        return [
            found.logs[f"{n}.stdout.txt"]
            for n, found in zip(names, picker.pick_all(batch(*names)), strict=True)
        ]

    together = seeds("a", "c")
    assert len(set(together)) == 2
    assert together == seeds("a") + seeds("c")


def test_views_of_any_size_share_their_centre() -> None:
    def bank(side: int) -> TemplateBank:
        drawn = np.zeros((1, side, side))
        drawn[0, side // 2, side // 2] = 1.0
        return TemplateBank("t", "t", drawn, np.zeros(1), PIXEL, 5.0, "C1")

    for sides in ((4, 7), (7, 8), (8, 5), (6, 6)):
        drawn = stack([bank(side) for side in sides])
        n = max(sides)
        assert np.argwhere(drawn).tolist() == [[i, n // 2, n // 2] for i in range(2)]


def test_numbers_of_the_stack_become_templates_and_species(program: Callable[..., Command]) -> None:
    body = """
        rows = ""
        for file in sys.argv[3:]:
            rows += "".join(f"{x} {y} {1 + i} 0.5 {file}\\n" for i, (y, x) in enumerate(points(file)))
        tags = "CoordinateX", "CoordinateY", "ClassNumber", "AutopickFigureOfMerit", "MicrographName"
        head = "".join(f"_rln{tag} #{i}\\n" for i, tag in enumerate(tags, start=1))
        pathlib.Path(sys.argv[1]).write_text(f"\\ndata_\\n\\nloop_\\n{head}{rows}\\n")
    """
    views = np.ones((1, 5, 5))
    banks = tuple(
        TemplateBank(n, f, views, np.zeros(1), PIXEL, 5.0, "C1") for n, f in (("s", "p"), ("t", "q"))
    )
    star = {"format": "relion"}
    (found,) = program(body, "{out}", "{templates}", "{micrographs}", output=star).pick_all(
        batch("a", banks=banks)
    )
    assert found.picks["class"].tolist() == ["p", "q"]
    assert found.picks["template"].tolist() == ["s", "t"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("sys.exit('no such model: €')", r"ended with exit code 1; the last it said:\n  no such model: €"),
        ("sys.exit(7)", "ended with exit code 7; the last it said: nothing"),
        ("print('only this'); sys.exit(3)", "exit code 3; the last it said:\n  only this"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was ended by signal 11"),
        ("import time; print('working', flush=True); time.sleep(60)", "not done after 1 s.*\n  working"),
        ("print('all done')", "ended well and wrote no file to {out}.*\n  all done"),
        ("open(sys.argv[1], 'w').write('')", r"wrote what cannot be used: picks.txt: the file is empty"),
        ("open(sys.argv[1], 'wb').write(bytes(range(256)))", "wrote what cannot be used: picks.txt"),
        ("open(sys.argv[1], 'w').write('image_name\\tx_coord\\n')", "picks.txt:1: the header lacks y_coord"),
        (
            "open(sys.argv[1], 'w').write('image_name\\tx_coord\\ty_coord\\nz\\t1\\t2\\n')",
            "it is about z, and the micrographs are a, b ü, c",
        ),
        (
            "open(sys.argv[1], 'w').write('image_name\\tx_coord\\ty_coord\\na\\t1\\t2\\nz\\t1\\t2\\n')",
            "gave picks on z, and the micrographs are a, b ü, c",
        ),
    ],
)
def test_whatever_goes_wrong_is_said(program: Callable[..., Command], body: str, message: str) -> None:
    picker = program(body, "{out}", "{micrographs}", timeout="1 s" if "sleep" in body else "30 s")
    with pytest.raises(OutsideError, match=f"(?s){message}") as error:
        picker.pick_all(batch())
    assert error.value.exit_code == 3
    assert Path(sys.executable).name in str(error.value)


def test_a_program_that_is_not_there_is_said_before_anything_runs(tmp_path: Path) -> None:
    context = {"units": "required", BASE_DIR: str(tmp_path)}
    (tmp_path / "text").write_text("no program")
    for written, shown in (("no-such-program", "no-such-program"), ("./text", str(tmp_path))):
        spec = {"kind": "command", "argv": [written, "{out}"], "output": {"format": "topaz"}}
        picker = TypeAdapter(AnyPicker).validate_python(spec, context=context)
        with pytest.raises(OutsideError, match=f"no program .*{shown}"):
            picker.require_ready()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"argv": []}, "at least 1 item"),
        ({"argv": ["p", "{picks}"]}, r"has \{picks\}; there are \{micrographs\}, \{micrograph\}"),
        ({"argv": ["p", "{out"]}, "a brace that is meant is written twice"),
        ({"argv": ["p", "{out!r}"]}, "a brace that is meant is written twice"),
        ({"argv": ["p", "--in={micrographs}"]}, "is several arguments and must stand alone"),
        ({"argv": ["p", "{micrograph}"]}, r"\{micrograph\} needs `per: micrograph`"),
        ({"argv": ["p", "{out}"], "output": {"format": "topaz", "files": "*"}}, r"either \{out\} in argv or"),
        ({"output": {"format": "word"}}, "no coordinate format 'word'"),
        ({"output": {}}, "Field required"),
        ({"timeout": 20}, "20 has no unit; write `20 s`"),
    ],
)
def test_a_wrong_spec_is_refused(change: dict[str, Any], message: str) -> None:
    spec = {"kind": "command", "argv": ["p", "{out}"], "output": {"format": "topaz"}} | change
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(AnyPicker).validate_python(spec, context={"units": "required"})


def test_braces_and_folders_are_written_back(program: Callable[..., Command]) -> None:
    picker = program("print(sys.argv[1:]); sys.exit(1)", '{{"a": 1}}', "--x={out}")
    again = TypeAdapter(AnyPicker).validate_python(picker.model_dump(mode="json", exclude_none=True))
    assert again == picker
    with pytest.raises(OutsideError, match=r"""['"]\{"a": 1\}['"], '--x=/.*/picks.txt'"""):
        again.pick_all(batch())


def alive(process: int) -> bool:
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(*processes: int) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if not any(alive(process) for process in processes):
            return True
        time.sleep(0.02)
    return False


FAMILY = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
temporary = pathlib.Path(sys.argv[1] + ".part")
temporary.write_text(f"{os.getpid()} {child.pid} {os.getcwd()}")
temporary.rename(sys.argv[1])
"""


def test_what_a_program_leaves_running_ends_with_it(tmp_path: Path) -> None:
    """Both when it ends by itself and when its time is up."""
    for number, tail in enumerate(("", "time.sleep(60)")):
        note, how = tmp_path / f"pids{number}", []
        argv = (sys.executable, "-c", FAMILY + tail, str(note))
        start = Start(argv, tmp_path, tmp_path / "log")
        run_programs([start], at_once=1, timeout=3.0, ended=lambda _, end, how=how: how.append(end))
        assert [end.code for end in how] == [None if tail else 0]
        assert gone(*map(int, note.read_text().split()[:2]))


def test_several_run_at_a_time_and_each_is_told_by_its_number(tmp_path: Path) -> None:
    ends: dict[int, Ended] = {}
    starts = [
        Start((sys.executable, "-c", f"print({n}); raise SystemExit({n})"), tmp_path, tmp_path / str(n))
        for n in range(5)
    ]
    run_programs(starts, at_once=3, timeout=30.0, ended=ends.__setitem__)
    assert {n: (end.code, end.out) for n, end in ends.items()} == {n: (n, f"{n}\n") for n in range(5)}


SCENARIO = """
schema_version: 1
image: {shape: [40, 50], pixel_size: 4 Å}
noise: {film: {kind: gaussian, sd: 2}}
pickers:
  theirs: {kind: command, argv: ["{python}", "{here}/slow.py", NOTE, "{out}"], output: {format: topaz}}
"""

ALONE = """
import sys, pathlib
from simkit.io.programs import Start, run_programs
here = pathlib.Path.cwd()
start = Start((sys.executable, "slow.py", "NOTE"), here, here / "log")
run_programs([start], at_once=1, timeout=60, ended=print)
"""


@pytest.mark.parametrize(
    ("arguments", "number", "code"),
    [(["-m", "simkit.cli.main", "run", "s.yaml"], signal.SIGINT, 130), (["alone.py"], signal.SIGTERM, 143)],
)
def test_nothing_is_left_behind_when_interrupted(
    tmp_path: Path, arguments: list[str], number: int, code: int
) -> None:
    note = tmp_path / "pids"
    (tmp_path / "slow.py").write_text(FAMILY + "time.sleep(60)")
    (tmp_path / "s.yaml").write_text(SCENARIO.replace("NOTE", str(note)))
    (tmp_path / "alone.py").write_text(ALONE.replace("NOTE", str(note)))
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    started = subprocess.Popen(
        [sys.executable, *arguments], cwd=tmp_path, stderr=subprocess.PIPE, env=environment
    )
    until = time.monotonic() + 60
    while not note.exists() and time.monotonic() < until and started.poll() is None:
        time.sleep(0.05)
    assert note.exists(), started.communicate()[1]
    program, child, _ = note.read_text().split(" ", 2)
    started.send_signal(number)
    _, said = started.communicate(timeout=30)
    assert started.returncode == code, said
    assert gone(int(program), int(child))
    assert list(tmp_path.glob("simkit-*")) == []
    assert not (tmp_path / "reports").exists() or not any((tmp_path / "reports").iterdir())


def scenario(program: Callable[..., Command], **fields: Any) -> Scenario:
    disk = {"kind": "disk", "radius": 20.0, "weight": 9.0}
    return Scenario.model_validate(
        {
            "schema_version": 1,
            "replicates": 2,
            "image": {"shape": [64, 72], "pixel_size": 4.0},
            "specimen": {
                "ball": {
                    "unit_cell": {"kind": "shapes", "shapes": [disk]},
                    "lattice": {"kind": "scattered", "count": 3, "min_distance": 70.0},
                }
            },
            "noise": {"film": {"kind": "gaussian", "sd": 0.2}},
            "pickers": {
                "together": program(TOPAZ, "{out}", "{micrographs}"),
                "each": program(TOPAZ, "{out}", "{micrographs}", per="micrograph"),
            },
            "score": {"radius": 24.0},
            **fields,
        }
    )


def test_a_run_of_programs(program: Callable[..., Command], tmp_path: Path) -> None:
    """Pixels above 5 are the balls' own, so every ball has a pick; both ways find the same ones."""
    one = run_scenario(scenario(program), workers=1)
    # Nulls are searched by starts of their own, and workers only by how many run at a time.
    other = run_scenario(scenario(program, score={"radius": 24.0, "null_micrographs": 0}), workers=2)
    for picker in ("together", "each"):
        assert one.pickers[picker].picks == other.pickers[picker].picks
        assert one.scores["pickers"][picker] == other.scores["pickers"][picker]
        values = one.scores["pickers"][picker]
        assert (values["all"]["recall"], values["ball"]["recall"]) == (1.0, 1.0)
        assert values["threshold"] == "the level its maker chose"
        assert one.scores["nulls"]["noise_only"]["pickers"][picker] == {"picks": 0, "predicted": None}
        assert one.timings[f"picker {picker}"] > 0
    assert one.pickers["together"].picks == one.pickers["each"].picks
    assert other.scores["nulls"] == {}
    assert other.logs["together"] == {"stdout.txt": "started with 2 files\n", "stderr.txt": "beware\n"}
    save(one, tmp_path / "out", page="")
    told = {str(f.relative_to(tmp_path / "out")): f.read_text() for f in (tmp_path / "out").rglob("*.txt")}
    assert told["commands/together/stdout.txt"] == "started with 2 files\n"
    assert told["commands/together/noise_only.stdout.txt"] == "started with 1 files\n"
    assert told["commands/each/0001.stderr.txt"] == "beware\n"


def test_a_failure_in_a_run_says_which_picker(program: Callable[..., Command]) -> None:
    broken = {"theirs": program("sys.exit('out of memory')", "{out}")}
    with pytest.raises(OutsideError, match=r"^pickers\.theirs: .* exit code 1; .*\n  out of memory"):
        run_scenario(scenario(program, pickers=broken), workers=2)
