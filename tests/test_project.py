"""The project's own files agree with each other."""

import fnmatch
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
DIRECT = [Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]]


def pins():
    text = (REPOSITORY / "constraints.txt").read_text()
    return {canonicalize_name(name): pin for name, pin in re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE)}


def test_every_dependency_is_pinned_to_a_version_the_project_allows():
    pinned = pins()
    assert [str(need) for need in DIRECT if canonicalize_name(need.name) not in pinned] == []
    assert [str(need) for need in DIRECT if pinned[canonicalize_name(need.name)] not in need.specifier] == []


def test_the_changelog_begins_with_this_version():
    text = (REPOSITORY / "CHANGELOG.md").read_text()
    assert re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)[0] == PROJECT["version"]
    assert version(PROJECT["name"]) == PROJECT["version"]


def test_every_package_is_installed_with_the_project():
    find = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    for folder in ("calibrate", "configs", "detector", "stream"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            package = ".".join(path.parent.relative_to(REPOSITORY).parts)
            assert any(fnmatch.fnmatchcase(package, pattern) for pattern in find["include"])
            assert (path.parent / "__init__.py").exists()  # without which it is not found


def test_make_without_a_target_names_them_all():
    said = subprocess.run(["make", "-s"], cwd=REPOSITORY, capture_output=True, text=True, timeout=20, check=True)
    for target in ("setup", "demo", "test", "lint", "bench"):
        assert f"make {target}" in said.stdout


def test_an_old_python_is_refused_in_one_clear_line(tmp_path):
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\ncase $1 in --version) echo Python 3.9.2;; *) exit 1;; esac\n")
    old.chmod(0o755)
    (tmp_path / "Makefile").write_text((REPOSITORY / "Makefile").read_text())
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "constraints.txt").touch()
    said = subprocess.run(
        ["make", "-s", "setup", f"PYTHON={old}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert said.returncode != 0
    assert said.stderr.splitlines()[0] == (
        f"Python 3.11 or newer is needed, {old} is Python 3.9.2: make setup PYTHON=python3.12"
    )
    assert not (tmp_path / ".venv").exists()


def test_this_python_is_one_the_project_allows():
    assert ".".join(map(str, sys.version_info[:3])) in Requirement(f"python{PROJECT['requires-python']}").specifier
