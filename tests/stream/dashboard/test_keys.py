import pytest

from stream.dashboard.keys import KeyReader

NAMED = {
    b"\x1b[A": "up",
    b"\x1bOB": "down",
    b"\x1b[C": "right",
    b"\x1b[D": "left",
    b"\x1b[5~": "page up",
    b"\x1b[6~": "page down",
    b"\x1b[H": "home",
    b"\x1b[4~": "end",
    b"\r": "enter",
    b"\n": "enter",
    "Ü".encode(): "Ü",
}
OTHERS = (b"\x1bOQ", b"\x1b[15;2~", b"\x1bq", b"\x1b[1;5Q", b"\x1b[1;5A")


@pytest.mark.parametrize(("sequence", "name"), NAMED.items())
def test_a_key_has_its_name_wherever_its_bytes_are_split(sequence, name):
    for end in range(1, len(sequence) + 1):
        reader = KeyReader()
        keys = [*reader.read(b"x" + sequence[:end], 0.0), *reader.read(sequence[end:] + b"q", 0.05)]
        assert keys == ["x", name, "q"], end


@pytest.mark.parametrize("sequence", OTHERS)
def test_a_special_key_without_a_name_is_nothing_wherever_it_is_split(sequence):
    """F2 is ESC O Q, and used to end the whole application as if it were q."""
    for end in range(1, len(sequence) + 1):
        reader = KeyReader()
        assert [*reader.read(sequence[:end], 0.0), *reader.read(sequence[end:] + b".", 0.05)] == ["."], end


def test_an_escape_alone_is_told_when_nothing_has_followed_for_a_moment():
    reader = KeyReader()
    assert reader.read(b"\x1b", 5.0) == []
    assert reader.read(b"", 5.05) == []
    assert reader.read(b"", 5.11) == ["escape"]
    assert reader.read(b"", 9.0) == []


def test_two_escapes_and_an_arrow_are_three_keys():
    assert KeyReader().read(b"\x1b\x1b\x1b[B", 0.0) == ["escape", "escape", "down"]


def test_a_sequence_without_end_is_dropped_after_a_moment_and_holds_nothing_up():
    reader = KeyReader()
    assert reader.read(b"\x1b[" + b"1" * 1000, 0.0) == []
    assert reader.read(b"1" * 1000, 0.2) == []
    assert reader.read(b"j", 0.3) == ["j"]


def test_bytes_that_are_no_text_become_a_sign_that_is_no_key_of_ours():
    assert KeyReader().read(b"\xffq", 0.0) == ["\ufffd", "q"]
