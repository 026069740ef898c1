"""Results of earlier code are not shown for those of the new, wherever a picker's code lies."""

from __future__ import annotations

import ast
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from simkit.core.quantity import UNITS_REQUIRED
from simkit.scenario.loading import load
from simkit.scenario.spec import Scenario
from simkit.scenario.yamltree import read_tree
from simkit.suites.fingerprint import fingerprint
from simkit.suites.python_code import _names
from simkit.suites.running import Bench
from simkit.suites.spec import load_suite
from simkit.sweeps.keys import Keys

SCENARIO = """\
schema_version: 1
replicates: 4
image: {{shape: [32, 32], pixel_size: 4 Å}}
specimen:
  dot:
    unit_cell: {{kind: shapes, shapes: [{{kind: gaussian, sigma: 6 Å}}]}}
    lattice: {{kind: positions, at: [[60 Å, 60 Å]]}}
noise: {{film: {{kind: gaussian, sd: 0.02}}}}
pickers:
  mine: {picker}
score: {{radius: 12 Å}}
"""

SUITE = """\
schema_version: 1
cases: {dots: {scenario: dots.yaml, expect: [{picker: mine, metric: recall, at_least: 1}]}}
"""

LAUNCHER = """\
#!{python}
import re
import sys
from mypick.main import main
if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])
    sys.exit(main())
"""
"""As pip writes it."""

MAIN = """\
import pathlib, sys
from mypick import places
def main():
    rows = ["image_name\\tx_coord\\ty_coord\\tscore"]
    rows += [f"{pathlib.Path(file).stem}\\t{places.X}\\t15\\t1" for file in sys.argv[2:]]
    pathlib.Path(sys.argv[1]).write_text("\\n".join(rows))
"""


class Home:
    """A virtual environment in which `mypick`, and a library that it needs, are installed."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "venv", symlinks=True)
        self.folder = folder
        self.python = folder / "venv/bin/python"
        (self.site,) = folder.glob("venv/lib/python*/site-packages")
        self.write("library/__init__.py", "")
        self.write("library-1.dist-info/RECORD", "library/__init__.py,sha256=old,0\n")
        self.write("mypick-1.dist-info/RECORD", "mypick/main.py,sha256=old,9\n../../../bin/mypick,,\n")
        self.launcher = self.program("venv/bin/mypick", LAUNCHER.format(python=self.python))
        self.source(self.site)

    def write(self, name: str, text: str) -> None:
        file = self.site / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def program(self, name: str, text: str) -> str:
        file = self.folder / name
        file.write_text(text)
        file.chmod(0o755)
        return str(file)

    def source(self, folder: Path, x: int = 15) -> None:
        (folder / "mypick").mkdir(parents=True, exist_ok=True)
        (folder / "mypick/__init__.py").write_text("")
        (folder / "mypick/main.py").write_text(MAIN)
        (folder / "mypick/places.py").write_text(f"X = {x}\n")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def scenario(*argv: str, depends: str = "") -> Scenario:
    words = [*argv, "{out}", "{micrographs}"]
    more = f", depends: {depends}" if depends else ""
    picker = f"{{kind: command, argv: {words}, output: {{format: topaz}}{more}}}"
    text = SCENARIO.format(picker=picker)
    return Scenario.model_validate(read_tree(text).data, context=UNITS_REQUIRED)


def key(*argv: str) -> str:
    return fingerprint([scenario(*argv)])


def test_a_launcher_of_new_code_is_run_anew(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.folder)
    Path("a.simkit.yaml").write_text(SUITE)
    picker = (
        f"{{kind: command, argv: [{home.launcher}, '{{out}}', '{{micrographs}}'], output: {{format: topaz}}}}"
    )
    Path("dots.yaml").write_text(SCENARIO.format(picker=picker))

    def passed() -> bool:
        outcome = Bench(load_suite("a.simkit.yaml"), Path("store")).outcome("dots", 0)
        assert outcome.status in ("passed", "failed"), outcome.story
        return outcome.passed

    assert passed()
    home.source(home.site, x=2)
    assert not passed()


def test_what_is_installed_beside_a_program_counts(home: Home) -> None:
    before = key(home.launcher)
    assert key(home.launcher) == before
    home.write("library-1.dist-info/RECORD", "library/__init__.py,sha256=new,0\n")
    assert key(home.launcher) != before


def test_a_launcher_whose_path_is_too_long_is_followed(home: Home) -> None:
    _, rest = LAUNCHER.split("\n", 1)
    home.program("venv/bin/mypick", f"#!/bin/sh\n'''exec' {home.python} \"$0\" \"$@\"\n' '''\n{rest}")
    before = key(home.launcher)
    home.source(home.site, x=2)
    assert key(home.launcher) != before


def by_path(home: Home, project: Path) -> None:
    home.write("mypick.pth", f"{project}\n")


def by_hook(home: Home, project: Path) -> None:
    """As setuptools does: a finder of its own, started when Python is."""
    home.write("finder.pth", "import finder\n")
    home.write(
        "finder.py",
        "import sys\nfrom importlib.machinery import PathFinder\n"
        "class Finder:\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        f"        return PathFinder.find_spec(name, [{str(project)!r}]) if path is None else None\n"
        "sys.meta_path.append(Finder)\n",
    )


@pytest.mark.parametrize("install", [by_path, by_hook])
def test_sources_of_an_editable_install_are_read(home: Home, install: Callable[[Home, Path], None]) -> None:
    project = home.folder / "project"
    home.source(project)
    for file in (home.site / "mypick").iterdir():
        file.unlink()
    (home.site / "mypick").rmdir()
    (project / "mypick/main.py").write_text("import helpers\n" + MAIN)
    (project / "helpers.py").write_text("A = 1\n")
    (project / "unrelated.py").write_text("A = 1\n")
    install(home, project)
    keys = [key(home.launcher)]
    home.source(project, x=2)
    keys.append(key(home.launcher))
    (project / "mypick/main.py").write_text("import helpers\n" + MAIN)
    keys.append(key(home.launcher))
    (project / "helpers.py").write_text("A = 2\n")
    keys.append(key(home.launcher))
    assert len({*keys}) == 4, "a module of the package, one that it imports from beside it"
    (project / "unrelated.py").write_text("A = 2\n")
    assert key(home.launcher) == keys[-1]


def test_modules_beside_a_script_are_read_as_far_as_they_are_imported(home: Home) -> None:
    script = home.folder / "pick.py"
    script.write_text("def late():\n    import near.deep as n, os\n")
    (home.folder / "near").mkdir()
    for name in ("near/__init__.py", "near/deep.py", "far.py", "unrelated.py"):
        (home.folder / name).write_text("from far import x\n" if name == "near/deep.py" else "x = 1\n")
    for argv in ((str(home.python), "-u", "-W", "error", str(script)), ("{python}", str(script))):
        before = key(*argv)
        (home.folder / "unrelated.py").write_text(f"x = {argv!r}\n")
        assert key(*argv) == before
        (home.folder / "far.py").write_text(f"x = {argv!r}\n")
        assert key(*argv) != before


def test_a_module_that_is_run_is_read(home: Home) -> None:
    before = key(str(home.python), "-m", "mypick.main")
    home.source(home.site, x=2)
    assert key(str(home.python), "-m", "mypick.main") != before


def test_what_cannot_be_followed_is_declared(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.folder)
    shell = home.program("pick.sh", '#!/bin/sh\nexec ./engine "$@"\n')
    engine = Path(home.program("engine", "1"))
    declared = "[engine, 'src/**/*.cpp']"
    Path("src/deep").mkdir(parents=True)
    Path("src/deep/a.cpp").write_text("1")

    def keys(depends: str) -> str:
        read = scenario(shell, depends=depends)
        return fingerprint([read]) + Keys(read).picks("mine", 0)

    alone, with_engine = keys(""), keys(declared)
    engine.write_text("12")
    assert keys("") == alone
    changed = keys(declared)
    assert changed != with_engine
    Path("src/deep/a.cpp").write_text("12")
    assert keys(declared) != changed


def test_a_function_that_is_called_is_read_with_what_it_imports(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(home.folder))
    (home.folder / "aside_a.py").write_text("import aside_b\n")
    (home.folder / "aside_b.py").write_text("x = 1\n")
    (home.folder / "a.yaml").write_text(SCENARIO.format(picker="{kind: python, call: 'aside_a:pick'}"))
    before = fingerprint([load(home.folder / "a.yaml").scenario])
    (home.folder / "aside_b.py").write_text("x = 2\n")
    assert fingerprint([load(home.folder / "a.yaml").scenario]) != before


def test_a_python_that_does_not_start_hides_nothing(home: Home) -> None:
    broken = home.program("python3", "#!/bin/sh\nexit 1\n")
    script = home.folder / "pick.py"
    script.write_text("import far\n")
    before = key(broken, str(script))
    script.write_text("import further\n")
    assert key(broken, str(script)) != before


def test_imports_are_read_off_as_python_does() -> None:
    root = Path(__file__).parents[2]
    for file in [*root.glob("simkit/suites/*.py"), *root.glob("tests/benchmarks/*.py")]:
        source = file.read_text()
        nodes = [*ast.walk(ast.parse(source))]
        expected = {alias.name.split(".")[0] for n in nodes if isinstance(n, ast.Import) for alias in n.names}
        expected |= {
            str(n.module).split(".")[0] for n in nodes if isinstance(n, ast.ImportFrom) and not n.level
        }
        assert expected <= _names(source), file
    assert _names("try: import a.b as c, d\nexcept: pass; from e.f import (g)\nfrom . import h") == {
        "a",
        "d",
        "e",
    }
