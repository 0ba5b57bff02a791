"""Who may import whom, and who alone may touch a dangerous library, read from the source without running it."""

import ast
import fnmatch
import functools
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGES = ("calibrate", "configs", "detector", "stream")
OURS = ("run_stream", "benchmarks", "tests", *PACKAGES)

ARROWS = {
    "detector": ("detector",),
    "configs": ("configs",),
    "calibrate": ("calibrate", "detector", "configs", "stream.source*", "stream.policy"),
    "stream": ("configs", "stream"),
    "run_stream": ("calibrate", "configs", "detector", "stream"),
}
"""What each package may import of ours."""
EXCEPTIONS = {
    "calibrate.backtest.command": ("stream.evidence",),
    "calibrate.feedback.commands": ("stream.store", "stream.clock"),  # what is said of an alert is kept beside it
    "stream.kept": ("detector",),  # a part of the worker
    "stream.worker": ("detector",),
    "stream.site": ("detector.bundle",),  # free of torch: what the saved models say about their cameras
}
OWNERS = {
    "zmq": ("stream.bus*",),
    "multiprocessing.shared_memory": ("stream.ring",),
    "av": (
        "stream.source.ffmpeg",
        "stream.source.codecs",
        "stream.source.diagnosis",
        "stream.clips.mp4",
        "stream.clips.template",
    ),
    "cv2.VideoCapture": ("stream.source.webcam",),
    "yaml": ("configs.schema",),
    "paho": ("stream.notify.mqtt",),
    "apprise": ("stream.notify.apprise_service",),
    "starlette": ("stream.review*",),
    "uvicorn": ("stream.review*",),
    "sqlite3": ("stream.store*",),
    "torch": ("detector*", "calibrate*"),
    "pickle": (),
    "cPickle": (),
    "dill": (),
    "cloudpickle": (),
    "joblib": (),
    "marshal": (),
    "shelve": (),
}
"""The only modules that may touch a library."""
PROCESSES = (
    "stream.bus.relay",
    "stream.capture",
    "stream.dashboard.process",
    "stream.health.process",
    "stream.notify.process",
    "stream.review.server",
    "stream.sink.process",
    "stream.supervisor",
    "stream.worker",
)


@functools.cache
def modules():
    """Name and file of each module of the product."""
    files = [file for package in PACKAGES for file in (REPOSITORY / package).rglob("*.py")]
    files += [file for file in [REPOSITORY / "run_stream.py"] if file.exists()]
    return {_name(file): file for file in files}


def _name(file):
    return ".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def uses(name, source, *, is_package=False):
    """Everything the module imports, dotted, and every attribute it takes of that, such as `cv2.VideoCapture`.

    `from a import b` counts as `a.b`, and as `a`; an import by text counts where the text is written out.
    """
    tree = ast.parse(source)
    found, known_as = set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.add(alias.name)
                known_as[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            package = name if is_package else name.rpartition(".")[0]
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                found.add(f"{base}.{alias.name}")
                known_as[alias.asname or alias.name] = f"{base}.{alias.name}"
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in ("import_module", "__import__"):
                found.add(str(node.args[0].value))
    for node in ast.walk(tree):
        dotted = _dotted(node)
        if dotted and dotted[0] in known_as:
            found.add(".".join([known_as[dotted[0]], *dotted[1:]]))
    return found


def _dotted(node):
    """["cv2", "VideoCapture"] for the expression cv2.VideoCapture."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if names and isinstance(node, ast.Name) else []


@functools.cache
def used(name):
    file = modules()[name]
    return uses(name, file.read_text(encoding="utf-8"), is_package=file.name == "__init__.py")


def is_within(name, package):
    return name == package or name.startswith(f"{package}.")


def may(name, allowed):
    """Whether a dotted name is one of the allowed modules or in one of them; `*` matches as in file names."""
    parts = name.split(".")
    beginnings = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
    return any(fnmatch.fnmatchcase(beginning, pattern) for beginning in beginnings for pattern in allowed)


def wrong_arrows(name, imported):
    allowed = (*ARROWS[name.split(".")[0]], *EXCEPTIONS.get(name, ()))
    return sorted(other for other in imported if other.split(".")[0] in OURS and not may(other, allowed))


def wrong_owners(name, imported):
    return sorted(
        other
        for other in imported
        for library, owners in OWNERS.items()
        if is_within(other, library) and not may(name, owners)
    )


def test_there_is_something_to_check():
    assert {"stream.bus", "configs.schema", "detector.mulde"} <= set(modules())


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_module_imports_only_what_the_arrows_allow(name):
    assert wrong_arrows(name, used(name)) == []


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_dangerous_library_is_touched_by_its_owner_only(name):
    assert wrong_owners(name, used(name)) == []


@pytest.mark.parametrize("name", [name for name in PROCESSES if name in modules()])
def test_processes_never_import_each_other_not_even_by_way_of_another_module(name):
    reached, pending = set(), [name]
    while pending:
        for other in used(pending.pop()):
            known = [module for module in modules() if is_within(other, module) and module not in reached]
            reached.update(known)
            pending += known
    assert sorted(reached & {*PROCESSES} - {name}) == []


@pytest.mark.parametrize("name", [*PROCESSES[:-1], "stream.site", "run_stream"])
def test_torch_is_loaded_by_the_worker_only(name):
    if name not in modules():
        pytest.skip(f"there is no {name} yet")
    code = f"import sys, {name}; print(*(sorted({{'torch', 'onnxruntime', 'sklearn'}} & set(sys.modules))))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stdout) == (0, "\n"), run.stderr


# The rules above catch what they shall catch.


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("detector.scales", "from stream import policy"),
        ("detector.scales", "from configs.schema import Config"),
        ("detector.features.grid", "from ...configs import schema"),
        ("configs.schema", "import detector"),
        ("calibrate.train", "def f():\n    from stream.bus import Publisher"),
        ("calibrate.train", "import stream"),
        ("stream.sink.process", "from detector.bundle import Bundle"),
        ("stream.site", "from detector import mulde"),
        ("stream.capture", "import importlib\nimportlib.import_module('detector.mulde')"),
        ("stream.capture", "from tests import clips"),
    ],
)
def test_an_arrow_that_is_wrong_is_noticed(name, source):
    assert wrong_arrows(name, uses(name, source)) != []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("stream.worker", "import zmq"),
        ("stream.worker", "from zmq import Context"),
        ("stream.worker", "from multiprocessing import shared_memory"),
        ("stream.worker", "import multiprocessing.shared_memory"),
        ("stream.worker", "import multiprocessing as m\nm.shared_memory.SharedMemory()"),
        ("stream.capture", "from av.container import InputContainer"),
        ("stream.source.scene", "import cv2\ncv2.VideoCapture(0)"),
        ("stream.source.scene", "import cv2 as c\nc.VideoCapture(0)"),
        ("stream.source.scene", "from cv2 import VideoCapture"),
        ("stream.capture", "import yaml"),
        ("stream.sink.process", "import sqlite3"),
        ("stream.worker", "import torch"),
        ("detector.bundle", "import pickle"),
        ("detector.bundle", "def f():\n    import joblib"),
    ],
)
def test_a_library_in_the_wrong_hands_is_noticed(name, source):
    assert wrong_owners(name, uses(name, source)) != []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("stream.worker", "from detector.mulde import Energy\nimport cv2\ncv2.resize(1, 2)"),
        ("stream.site", "from detector.bundle import read\nfrom stream.worker_spec import Spec"),
        ("calibrate.train", "import torch\nfrom stream.source import open_source\nfrom stream.source.error import X"),
        ("stream.ring", "from multiprocessing import resource_tracker, shared_memory"),
        ("stream.child", "import multiprocessing.connection\nmultiprocessing.connection.wait([])"),
    ],
)
def test_what_is_allowed_is_not_complained_about(name, source):
    assert wrong_arrows(name, uses(name, source)) + wrong_owners(name, uses(name, source)) == []
