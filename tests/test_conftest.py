"""The check after every test finds what it shall find."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


def run_one(tmp_path, body):
    """What pytest says of a file with one test of this body."""
    file = tmp_path / "test_one.py"
    file.write_text(f"import os, subprocess, sys, threading, time\n\ndef test_one():\n{body}")
    own = ["-p", "tests.conftest", "--rootdir=.", f"--basetemp={tmp_path / 'base'}"]
    command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", *own]
    patience = "import tests.conftest; tests.conftest.PATIENCE_S = 0.2\n"
    file.write_text(patience + file.read_text())
    return subprocess.run(
        [*command, str(file)], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    ).stdout


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("    threading.Thread(target=time.sleep, args=(2,), name='lazy').start()\n", "(lazy)"),
        ("    globals()['kept'] = subprocess.Popen(['sleep', '2'])\n", "(sleeping sleep 2)"),
        (
            "    globals()['kept'] = child = subprocess.Popen(['true'])\n"
            "    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)\n",
            "(ended, but nobody asked how)",
        ),
        (
            "    from stream.ring import Ring\n    globals()['kept'] = Ring.create(2, 32, 32)\n",
            "left behind: shared memory mulde_",
        ),
    ],
)
def test_what_a_test_leaves_behind_fails_it(tmp_path, body, left):
    said = run_one(tmp_path, body)
    assert "1 passed, 1 error" in said
    assert left in said


def test_what_a_process_of_a_fixture_starts_later_is_not_the_tests(tmp_path):
    said = run_one(
        tmp_path,
        "    browser.stdin.write(b'go\\n')\n"
        "    browser.stdin.flush()\n"
        "    assert browser.stdout.readline() == b'there\\n'\n\n"
        "browser = subprocess.Popen(['sh', '-c', 'read go; sleep 2 & echo there; wait'], "
        "stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n",
    )
    assert "1 passed" in said
    assert "error" not in said


def test_a_test_that_tidies_up_passes(tmp_path):
    said = run_one(
        tmp_path,
        "    from stream.ring import Ring\n"
        "    Ring.create(2, 32, 32).close()\n"
        "    subprocess.run(['true'])\n"
        "    threading.Thread(target=time.sleep, args=(0.1,)).start()\n",
    )
    assert "1 passed" in said
    assert "error" not in said
