"""What the documents say can be done: links lead somewhere, commands and their options are there, YAML is valid."""

import re
import selectors
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
import yaml

import run_stream
from configs.schema import Config, validate
from stream.bus import Broker, Publisher
from stream.messages import Alert
from stream.running import claim

REPOSITORY = Path(__file__).parents[1]
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
IDS = [path.name for path in DOCUMENTS]


def blocks(text, language):
    """Code blocks fenced as of this language, "" for those of none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [body for name, body in fenced if name == language]


def anchors(text):
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(text):
    """The program's command lines in a document's blocks, as words after its name."""
    for block in blocks(text, "") + blocks(text, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"[|;]|&&", line.partition(" #")[0]):
                words = shlex.split(re.sub(r"\bdo ", "", part), posix=True) if part.count("'") % 2 == 0 else []
                if words[:1] == ["mulde-stream"]:
                    yield words[1:]


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if not re.match(r"\w+:", target):
            path, _, anchor = target.partition("#")
            file = (document.parent / path).resolve() if path else document
            assert file.exists(), target
            assert not anchor or anchor in anchors(file.read_text()), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_commands_and_their_options_are_there(document):
    for words in commands(document.read_text()):
        command = typer.main.get_command(run_stream.app)
        while hasattr(command, "commands") and words:
            assert words[0] in command.commands, words
            command, words = command.commands[words[0]], words[1:]
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert used <= known | {"--help"}, (command.name, used - known)


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_yaml_is_a_site_s(document, monkeypatch):
    for block in blocks(document.read_text(), "yaml"):
        for name in re.findall(r"\$\{(\w+)\}", block):
            monkeypatch.setenv(name, "a-word-of-some-length")
        raw = yaml.safe_load(block)
        if set(raw) <= set(Config.model_fields):
            validate(raw, str(document))


def test_the_subscriber_in_the_messages_page_hears_an_alert(tmp_path):
    (script,) = blocks((REPOSITORY / "docs" / "messages.md").read_text(), "python")
    alert = Alert(
        event="start",
        id="20260131-120000-gate-3f",
        kind="anomaly",
        camera="gate",
        stream_time_s=1.0,
        utc="2026-01-31T12:00:00.000Z",
        score=5.0,
        threshold=4.0,
        words="moving fast",
        evidence=("/a.jpg",),
    )
    with claim(tmp_path, ("gate",)) as taken, Broker(taken.endpoints), Publisher(taken.endpoints) as publisher:
        listening = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            deadline_s = time.monotonic() + 20.0
            with listening.stdout as output:
                waiting = selectors.DefaultSelector()
                waiting.register(output, selectors.EVENT_READ)
                while not waiting.select(0.1):
                    assert time.monotonic() < deadline_s
                    publisher.send(alert)
                assert output.readline() == "start gate anomaly moving fast /a.jpg\n"
        finally:
            listening.kill()
            listening.communicate()
