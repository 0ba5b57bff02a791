"""A watch on a machine that is too small for it."""

import resource
import subprocess
import sys

import pytest

from tests import program


def run_within(folder, street, *limits):
    """`watch` under limits of the shell; exit status and what it said."""
    watch = f"{sys.executable} {program.PROGRAM} watch '{street.normal}' --model {street.model} --seconds 1"
    ended = subprocess.run(
        ["bash", "-c", f"ulimit {' '.join(limits)}; exec {watch} --headless --store {folder / 'store'}"],
        env=program.environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stderr


def test_too_few_files_are_one_clear_line_before_anything_is_started(tmp_path, street):
    status, said = run_within(tmp_path, street, "-n", "32")

    assert status == 1
    assert said == (
        "error: open files: 32 are allowed, 136 are needed for 1 camera(s): raise the limit (`ulimit -n 136`, "
        "LimitNOFILE= of a service)\n"
    )


def test_a_limit_that_may_be_raised_is_raised(tmp_path, street):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 136:
        pytest.skip("this machine allows no more than 136 open files")
    status, said = run_within(tmp_path, street, "-S", "-n", "48")

    assert status == 0
    assert "1 s are over" in said
