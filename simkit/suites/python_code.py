"""What a Python program runs: what is installed for it, and the sources that it imports from elsewhere."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

OWN = Path(__file__).parents[1]
"""simkit's own code, which everything depends on anyway."""

INSTALLED = {"site-packages", "dist-packages"}
"""Folders in which a list says what is installed."""

LISTS = ("*.dist-info/RECORD", "*.dist-info/METADATA", "*.egg-info", "*.egg-info/PKG-INFO")
"""Those lists; a RECORD holds a hash of every file."""

COMPILED = {".so", ".pyd"}
CODE = {".py", *COMPILED}

PATIENCE = 60.0
"""Seconds for a Python to say where its modules are."""

_PYTHON = re.compile(r"python[\d.]*(\.exe)?")
_IMPORT = re.compile(
    r"(?:^|[;:])[ \t]*(?:from[ \t]+(\w+)[\w.]*[ \t]+import\b|import[ \t]+(\w[\w., \t]*))", re.MULTILINE
)

_ASK = """
import importlib.util, json, os, sys
first, path, names = json.loads(sys.argv[1])
sys.path = first + (path or [folder for folder in sys.path if folder])
def places(name):
    try:
        found = importlib.util.find_spec(name)
    except Exception:
        return []
    return [] if found is None else list(found.submodule_search_locations or []) or [found.origin or ""]
print(json.dumps([sys.version, os.path.dirname(os.__file__), sys.path, [places(name) for name in names]]))
"""
"""Runs in any Python 3, and imports none of what it is asked for."""


@dataclass(frozen=True)
class PythonCode:
    """What a Python is started with.

    Attributes
    ----------
    python : str
        The Python.
    modules : tuple of str
        Packages that are run or called themselves.
    script : Path or None
        The file that is run.
    path : tuple of str or None
        Where it looks for modules; where it says itself by default.
    """

    python: str
    modules: tuple[str, ...] = ()
    script: Path | None = None
    path: tuple[str, ...] | None = None

    def facts(self) -> Iterator[str]:
        """Yield texts of which one changes when code does that it runs.

        What is installed (in site-packages) is known by the lists of its files: the whole environment's, so
        that a library that is upgraded counts. A package that is run itself is read as it lies, wherever it
        lies. So is all that is imported by name from elsewhere, as beside the script or from a project that
        is installed in editable mode, and what that imports in turn. Nothing is imported for it. Not seen is
        an import by a name that is worked out at run time, unless it is of something installed.
        """
        own, names, asked = set(self.modules), set(self.modules), set[str]()
        if self.script is not None:
            names |= _imported(self.script)
            own |= names if self._is_launcher else set()
        while names:
            answer = self._ask(sorted(names))
            if answer is None:
                return
            if not asked:
                yield from answer.environment()
            asked |= names
            following: set[str] = set()
            for name, place in answer.places:
                elsewhere = not answer.has_list_of(place)
                for file in _modules(place) if elsewhere or name in own else ():
                    yield hash_of(file)
                    following |= _imported(file)
            names = following - asked

    @property
    def _is_launcher(self) -> bool:
        """Whether an installer wrote the script, so that what it imports is the program."""
        return self.script is not None and self.script.resolve().parent == Path(self.python).parent.resolve()

    def _ask(self, names: Sequence[str]) -> _Answer | None:
        """Ask the Python itself, for it alone knows all hooks by which modules are found."""
        first = [] if self.script is None else [str(self.script.resolve().parent)]
        words = (self.python, "-c", _ASK, json.dumps([first, self.path, names]))
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=True)
            version, standard, path, places = json.loads(done.stdout.splitlines()[-1])
        except (OSError, subprocess.SubprocessError, ValueError, IndexError):
            return None
        found = [(name, Path(p)) for name, there in zip(names, places, strict=True) for p in there if p]
        return _Answer(version, Path(standard), tuple(map(Path, path)), found)


@dataclass(frozen=True)
class _Answer:
    """What a Python says: its version, its standard library, its path, and (name, place) of modules."""

    version: str
    standard: Path
    path: tuple[Path, ...]
    found: Sequence[tuple[str, Path]]

    @property
    def places(self) -> Iterator[tuple[str, Path]]:
        """What is neither the Python's own nor simkit."""
        for name, place in self.found:
            own = self.standard in place.parents and not self.has_list_of(place)
            if place.is_absolute() and place.exists() and not own and place.resolve() != OWN:
                yield name, place

    def has_list_of(self, place: Path) -> bool:
        return bool(INSTALLED & {*place.parts})

    def environment(self) -> Iterator[str]:
        yield self.version
        for folder in (folder for folder in self.path if folder.name in INSTALLED):
            files = (file for pattern in LISTS for file in sorted(folder.glob(pattern)))
            yield from (hash_of(file) for file in files if file.is_file())


def code_of(program: Path, arguments: Sequence[str]) -> PythonCode | None:
    """Return what a program runs if it is a Python, or a script whose first line names one; else None."""
    if not _PYTHON.fullmatch(program.name):
        python = _named_in(program)
        return None if python is None else PythonCode(python, script=program)
    words = iter(arguments)
    for word in words:
        if word in ("-m", "-c"):
            said = next(words, "")
            names = (said.split(".")[0],) if word == "-m" else tuple(sorted(_names(said)))
            return PythonCode(str(program), modules=names)
        if word in ("-X", "-W"):
            next(words, "")
        elif not word.startswith("-"):
            return PythonCode(str(program), script=Path(word)) if Path(word).is_file() else None
    return None


def hash_of(file: Path) -> str:
    """Return a hash of a file's content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _named_in(script: Path) -> str | None:
    """Return the Python that a script's first line names."""
    with script.open("rb") as stream:
        first, second, *_ = [*stream.read(4096).split(b"\n"), b""]
    if not first.startswith(b"#!"):
        return None
    if second.startswith(b"'''exec'"):
        # So a launcher is written where the path of its Python is too long, or has spaces.
        return str(script.resolve().with_name("python"))
    words = first[2:].decode(errors="replace").split()
    return next((shutil.which(word) for word in words if _PYTHON.fullmatch(Path(word).name)), None)


def _modules(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    yield from sorted(file for file in place.rglob("*") if file.suffix in CODE and file.is_file())


def _imported(file: Path) -> set[str]:
    return set() if file.suffix in COMPILED else _names(file.read_text(encoding="utf-8", errors="replace"))


def _names(source: str) -> set[str]:
    """Return the first parts of what is imported, as text has it: of any Python, and at no cost."""
    listed = ([module] if module else modules.split(",") for module, modules in _IMPORT.findall(source))
    return {part.split()[0].split(".")[0] for parts in listed for part in parts if part.strip()}
