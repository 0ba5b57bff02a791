"""What a service manager and a container are given agrees with the project."""

import configparser
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer.main
import yaml

import run_stream

REPOSITORY = Path(__file__).parents[1]
DEPLOY = REPOSITORY / "deploy"
UNIT = DEPLOY / "mulde-stream.service"


def dockerfile():
    """Its instructions, word and rest, with continued lines joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def rests(word):
    return [rest for first, rest in dockerfile() if first == word]


def copied():
    """What is copied from the project's folder."""
    return {source for rest in rests("COPY") if not rest.startswith("--from") for source in rest.split()[:-1]}


def test_what_the_image_copies_is_there_and_not_kept_out():
    assert copied()
    assert [source for source in copied() if not (REPOSITORY / source).exists()] == []
    let_in = re.findall(r"^!(\S+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    assert set(let_in) == copied()


def test_the_image_has_all_that_is_installed():
    tool = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = {pattern.rstrip("*") for pattern in tool["packages"]["find"]["include"]}
    assert packages | {f"{name}.py" for name in tool["py-modules"]} <= copied()


def test_the_image_runs_the_program_as_a_user_without_rights_and_checks_its_health():
    assert [word for word, _ in dockerfile()].index("USER") < [word for word, _ in dockerfile()].index("ENTRYPOINT")
    assert rests("USER") == ["mulde"]
    assert rests("ENTRYPOINT") == ['["mulde-stream"]']
    (check,) = rests("HEALTHCHECK")
    assert check.endswith('CMD ["mulde-stream", "status"]')
    assert "/var/lib/mulde-stream" in rests("VOLUME")


def test_compose_gives_the_pictures_room_and_keeps_what_is_stored():
    parsed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    (service,) = parsed["services"].values()
    assert service["shm_size"] == "1gb"
    assert (DEPLOY / service["build"]["context"]).resolve() == REPOSITORY
    assert (REPOSITORY / service["build"]["dockerfile"]).is_file()
    assert "store:/var/lib/mulde-stream" in service["volumes"]
    assert "store" in parsed["volumes"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["cap_drop"] == ["ALL"]


def test_the_containers_arguments_are_ones_the_program_has():
    (service,) = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].values()
    command, *arguments = service["command"]
    options = {
        option
        for parameter in typer.main.get_command(run_stream.app).commands[command].params
        for option in parameter.opts
    }
    assert {word for word in arguments if word.startswith("--")} <= options


def unit():
    parser = configparser.RawConfigParser(strict=True, delimiters="=")
    parser.optionxform = str
    parser.read(UNIT)
    return parser


def test_the_service_says_itself_when_it_is_ready_and_ends_its_processes_itself():
    service = unit()["Service"]
    assert (service["Type"], service["KillMode"]) == ("notify", "mixed")
    assert service["WatchdogSec"] == "30s"
    assert service["ExecStart"].endswith("/mulde-stream watch --config /etc/mulde-stream/site.yaml --headless")
    assert service["NoNewPrivileges"] == service["PrivateTmp"] == "yes"
    assert service["ProtectSystem"] == "strict"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_service(tmp_path):
    text = re.sub(r"^(Exec\w+)=\S+", rf"\1={sys.executable}", UNIT.read_text(), flags=re.MULTILINE)
    (tmp_path / UNIT.name).write_text(text)
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / UNIT.name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (said.returncode, said.stdout + said.stderr) == (0, "")
