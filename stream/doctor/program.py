"""Checks of what is installed: Python, packages, FFmpeg's codecs, and what computes."""

import json
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from configs.settings import WorkerSettings
from stream.doctor.finding import Finding
from stream.source.codecs import missing

_PROJECT = "mulde-stream"
_ROOT = Path(__file__).parents[2]
_CONSTRAINTS = _ROOT / "constraints.txt"
_NVIDIA = Path("/proc/driver/nvidia/version")
_REPORT_S = 120.0  # to load torch from a cold disk


def python() -> Finding:
    """Whether this Python is one the project allows."""
    own = platform.python_version()
    try:
        wanted = metadata.metadata(_PROJECT)["Requires-Python"]
    except metadata.PackageNotFoundError:
        return Finding(what="python", grade="warn", text=f"{own}, {_PROJECT} is not installed", way_out="make setup")
    if not SpecifierSet(wanted).contains(own, prereleases=True):
        return Finding(
            what="python", grade="fail", text=f"{own}, not {wanted}", way_out="make setup PYTHON=python3.12"
        )
    return Finding(what="python", grade="ok", text=f"{own}, at {sys.executable}")


def packages(constraints: Path = _CONSTRAINTS) -> Finding:
    """Whether all packages are there, new enough, and those that this release was checked with.

    Args:
        constraints: The file that names the latter; not there where only the package is installed.
    """
    try:
        needed = [Requirement(line) for line in metadata.requires(_PROJECT) or []]
    except metadata.PackageNotFoundError:
        return Finding(what="packages", grade="fail", text=f"{_PROJECT} is not installed", way_out="make setup")
    needed = [need for need in needed if need.marker is None or need.marker.evaluate({"extra": ""})]
    installed = {need.name: _version(need.name) for need in needed}
    wrong = [
        f"{need} ({installed[need.name] or 'missing'})"
        for need in needed
        if not installed[need.name] or not need.specifier.contains(installed[need.name] or "", prereleases=True)
    ]
    if wrong:
        return Finding(what="packages", grade="fail", text=f"needed: {', '.join(wrong)}", way_out="make setup")
    pins = _pins(constraints)
    others = [
        f"{name} {version} instead of {pins[name]}"
        for name, version in installed.items()
        # A local part, such as +cu128, tells the build.
        if name in pins and (version or "").partition("+")[0] != pins[name]
    ]
    if others:
        text = f"other than this release was checked with: {', '.join(others)}"
        return Finding(what="packages", grade="warn", text=text, way_out="make setup")
    checked = " as this release was checked with" if pins else ""
    return Finding(what="packages", grade="ok", text=f"{len(installed)} there{checked}")


def video() -> Finding:
    """Whether FFmpeg, as PyAV brings it, can do what cameras and clips need."""
    lacking, version = missing(), metadata.version("av")
    if lacking:
        way_out = "install PyAV from PyPI: pip install --force-reinstall av"
        return Finding(
            what="video", grade="fail", text=f"PyAV {version} without {', '.join(lacking)}", way_out=way_out
        )
    return Finding(what="video", grade="ok", text=f"PyAV {version} decodes H.264 and H.265 and encodes H.264")


def compute(settings: WorkerSettings) -> Finding:
    """What the detector would compute on. Asks a process of its own: loading torch takes seconds and memory."""
    command = [sys.executable, "-m", "detector.device_report"]
    try:
        # This program itself, with no argument from outside.
        run = subprocess.run(  # noqa: S603
            command, cwd=_ROOT, capture_output=True, text=True, timeout=_REPORT_S, check=True
        )
        report = json.loads(run.stdout)
    except subprocess.TimeoutExpired:
        text = f"torch is not loaded after {_REPORT_S:g} s"
        return Finding(what="compute", grade="fail", text=text, way_out="look at the disk and the memory")
    except (subprocess.CalledProcessError, ValueError) as error:
        last = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        return Finding(what="compute", grade="fail", text=f"torch cannot be loaded: {last}", way_out="make setup")
    versions = f"torch {report['torch']}, ONNX Runtime {report['onnxruntime']} with {', '.join(report['providers'])}"
    if report["gpus"]:
        return Finding(what="compute", grade="ok", text=f"{', '.join(report['gpus'])}; {versions}")
    if settings.device == "cuda":
        way_out = "install the CUDA build of torch and the driver, or set worker.device: auto"
        return Finding(
            what="compute", grade="fail", text=f"worker.device: cuda, but no GPU; {versions}", way_out=way_out
        )
    if _NVIDIA.exists():
        text = f"an NVIDIA driver is there, but torch finds no GPU; {versions}"
        return Finding(what="compute", grade="warn", text=text, way_out="install the CUDA build of torch")
    return Finding(what="compute", grade="ok", text=f"no GPU, the CPU computes; {versions}")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _pins(constraints: Path) -> dict[str, str]:
    if not constraints.exists():
        return {}
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", constraints.read_text(encoding="utf-8"), re.MULTILINE))
