import hashlib

from typer.testing import CliRunner

import run_stream
from detector.features.clip_weights import LICENCE, weights_path

NAME = "hiera_base_16x224"


def test_weights_that_are_there_are_named_with_their_licence(tmp_path):
    weights_path(NAME, tmp_path).write_bytes(b"brought from elsewhere")

    ended = CliRunner().invoke(run_stream.app, ["fetch-clip-weights", NAME, str(tmp_path), "--accept-licence"])

    assert ended.exit_code == 0
    assert str(weights_path(NAME, tmp_path)) in ended.output
    assert hashlib.sha256(b"brought from elsewhere").hexdigest() in ended.output


def test_nothing_is_fetched_before_the_licence_is_accepted(tmp_path):
    ended = CliRunner().invoke(run_stream.app, ["fetch-clip-weights", NAME, str(tmp_path / "new")])

    assert ended.exit_code == 1
    assert not (tmp_path / "new").exists()


def test_the_help_has_the_licence():
    said = " ".join(
        CliRunner().invoke(run_stream.app, ["fetch-clip-weights", "--help"]).output.replace("│", " ").split()
    )

    assert "CC BY-NC 4.0" in said
    assert LICENCE.partition("(")[2].partition(")")[0] in said  # not for commercial use
