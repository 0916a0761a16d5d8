"""The house: rules of the repository that no other tool checks.

Sizes are a smoke alarm, not an aim: a longer module or function may be named here with its reason.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "tertulia"
MODULE_LINES = 500
FUNCTION_LINES = 60
LONG_MODULES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
SUPERVISORS = {
    "app/workers.py:MediaWorkers._hand_on": "a bug in one report must not cut a worker off",
    "bus/lines.py:LinedBus._keep": "whatever a server makes of an attempt, there is a next one",
    "bus/lines.py:LinedBus._tune": "whatever befalls a line, it is cut and made anew",
    "bus/lines.py:LinedBus._use": "whatever befalls a line, it is cut and made anew",
    "carriers/smpp_inbound.py:Inbound._let_go": "a bug in one message must not keep others back",
    "carriers/smpp_inbound.py:Inbound._work": "a bug in one delivery must not end the worker",
    "dispatch/dispatcher.py:Dispatcher._supervise": "a follower that fails is started again",
    "live/delivery.py:Delivery._hand_on": "a bug in one event must not keep others back",
    "live/delivery.py:Delivery._deliver": "a bug in one session is not that of others",
    "media/ticker.py:Ticker._run": "a bug in one step of the engine must not end all legs",
    "media/background.py:Background._work": "a bug in one job must not end the thread of all",
    "phones/exchange.py:Exchange._tick_one": "a bug in one call must not end all calls",
    "services/courier.py:Courier._carry": "a bug in one adapter must not keep messages back",
    "services/errands.py:Errands._work_off": "an errand that fails keeps nobody behind it back",
    "sip/carrier.py:SipCarrier._emit": "a bug in one signal must not keep others back",
    "store/postgres_writer.py:TaskWriter._write": "a bug in one entry must not end all writes",
    "store/sharing.py:Sharing._again": "a bug in joining must not stop the log of all others",
    "store/writer.py:ThreadedWriter._write": "a bug in one entry must not end all writes",
    "web/connection.py:Connection._answer": "a bug ends its request, nothing else",
}
"""Who may catch every exception: what ends one piece of work and goes on with the next."""
TARGETS = {
    "run", "test", "bench", "bench-media", "bench-sip", "bench-sms", "bench-amd", "bench-cluster",
    "events-proof", "check", "lock", "docs",
}  # fmt: skip
EMPTY_NAMES = {"utils", "helpers", "common", "base", "manager", "handler", "misc"}
FOREIGN = re.compile(
    r"pypi[.]org|pythonhosted[.]org|npmjs[.](?:org|com)|file:///?(?:opt|usr|home|root)\b"
    r"|(?<![\w.~-])/(?:work|root|home|opt|Users)/\w",
)
"""Addresses of registries, and paths of one machine."""
HASHED_PIN = re.compile(r"^[\w.-]+==.+\\\n(?:\s+--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", re.M)
UNOWNED = re.compile(r"\b(?:FIXME|XXX|HACK)\b|\bTODO(?!\(#)")


def tracked() -> list[Path]:
    """Files that are, or would be, in the repository."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is no list of its files")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [name for name in listed.stdout.split("\0") if name]
    return [path for name in names if (path := ROOT / name).is_file()]


def modules(folder: Path = SOURCE) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Every function with its dotted name, outer ones first."""
    for node in ast.iter_child_nodes(tree):
        name = prefix
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}.{node.name}".lstrip(".")
            if not isinstance(node, ast.ClassDef):
                yield name, node
        yield from functions(node, name)


def length(function: ast.AST) -> int:
    """Lines of a function from its `def` on, without its docstring."""
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    lines = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines


def test_no_file_names_a_registry_or_a_machine() -> None:
    found = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{path.relative_to(ROOT)}: {hit.group()}" for hit in FOREIGN.finditer(text)]
    assert found == []


def test_every_note_to_do_names_its_issue() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {hit.group()}"
        for path in tracked()
        if path.suffix in {".py", ".sql", ".mjs", ".md"} and path != Path(__file__)
        for hit in UNOWNED.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_locks_name_hashes_and_no_source() -> None:
    packages = json.loads((ROOT / "tests/clients/package-lock.json").read_text())["packages"]
    unhashed = [name for name, package in packages.items() if name and "integrity" not in package]
    resolved = [name for name, package in packages.items() if "resolved" in package]
    assert (unhashed, resolved) == ([], [])
    for lock in ROOT.glob("requirements*.lock"):
        pins = re.findall(
            r"^[\w.-]+==.+\\\n(?:\s+--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+",
            text := lock.read_text(),
            re.M,
        )
        assert "".join(pins) == text, f"{lock.name} holds a line that is no hashed pin"


def test_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = pins("requirements.lock")
    development = pins("requirements-dev.lock")
    assert wanted(project["project"]["dependencies"]) <= runtime.keys()
    assert wanted(project["dependency-groups"]["dev"]) <= development.keys()
    assert runtime.items() <= development.items()


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(), re.M))


def wanted(requirements: list[str]) -> set[str]:
    return {
        re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower() for requirement in requirements
    }


def test_the_makefile_is_the_one_way_in() -> None:
    rules = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert rules >= TARGETS
    ci = ROOT / ".ci" / "run"
    assert os.access(ci, os.X_OK)
    assert "make test" in ci.read_text()


def test_modules_say_what_is_inside() -> None:
    nameless = [name for name, _ in modules() if Path(name).stem in EMPTY_NAMES]
    undescribed = [name for name, tree in modules() if tree.body and not ast.get_docstring(tree)]
    assert (nameless, undescribed) == ([], [])


def test_modules_are_short() -> None:
    sizes = {name: len((SOURCE / name).read_text().splitlines()) for name, _ in modules()}
    assert {name for name, lines in sizes.items() if lines > MODULE_LINES} == LONG_MODULES.keys()


def test_functions_are_short() -> None:
    long = {
        f"{module}:{name}"
        for module, tree in modules()
        for name, function in functions(tree)
        if length(function) > FUNCTION_LINES
    }
    assert long == LONG_FUNCTIONS.keys()


def test_only_supervisors_catch_everything() -> None:
    broad = {
        f"{module}:{name}"
        for module, tree in modules()
        for name, function in functions(tree)
        if any(catches_everything(node) for node in ast.walk(function))
    }
    assert broad == SUPERVISORS.keys()


def catches_everything(node: ast.AST) -> bool:
    """Whether it is such an `except`; one that tidies up and raises again catches nothing."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    last = node.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
        return False
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"})
        for kind in caught
    )


def test_imports_stand_at_the_top_and_hold_at_run_time() -> None:
    inner = {
        f"{module}:{name}"
        for module, tree in modules()
        for name, function in functions(tree)
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function))
    }
    typing_only = {name for name, _ in modules() if "TYPE_CHECKING" in (SOURCE / name).read_text()}
    assert (inner, typing_only) == (set(), set())


@pytest.mark.parametrize("folder", ["model", "protocols"])
def test_pure_folders_read_no_clock(folder: str) -> None:
    clocks = {"now", "utcnow", "today", "time", "monotonic", "time_ns", "monotonic_ns"}
    readings = {
        f"{module}:{node.lineno}"
        for module, tree in modules(SOURCE / folder)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in clocks
        and isinstance(node.value, ast.Name)
        and node.value.id in {"datetime", "date", "time"}
    }
    assert readings == set()


def classes(*paths: Path) -> Iterator[tuple[str, set[str]]]:
    """Every class at the top of these modules, with the names of its bases."""
    for path in paths:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                yield node.name, {base.id for base in node.bases if isinstance(base, ast.Name)}


def ports() -> list[str]:
    paths = (SOURCE / "ports").glob("*.py")
    found = {name for name, bases in classes(*paths) if "Protocol" in bases}
    return sorted(found)


@pytest.mark.parametrize("port", ports())
def test_every_port_has_a_contract_that_two_adapters_run(port: str) -> None:
    suites = dict(classes(*(ROOT / "tests").rglob("*.py")))
    runs = [name for name, bases in suites.items() if f"{port}Contract" in bases]
    assert f"{port}Contract" in suites
    assert len(runs) >= 2, runs
