import socket
import time

import pytest

from stream.service import tell


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """A service manager's socket."""
    path = tmp_path / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(path))
        receiver.settimeout(5.0)
        yield receiver


def test_what_is_told_arrives_as_one_datagram_of_lines(manager):
    tell(READY=1, STATUS="4 of 5 processes ready")
    tell(WATCHDOG=1)
    assert manager.recv(1000) == b"READY=1\nSTATUS=4 of 5 processes ready"
    assert manager.recv(1000) == b"WATCHDOG=1"


def test_a_name_that_is_in_no_folder_is_understood(monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", "@mulde-test-notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0mulde-test-notify")
        receiver.settimeout(5.0)
        tell(STOPPING=1)
        assert receiver.recv(1000) == b"STOPPING=1"


@pytest.mark.parametrize("address", [None, "", "/nowhere/notify", "@mulde-test-nobody"])
def test_without_a_manager_nothing_happens(monkeypatch, address):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    tell(READY=1)


def test_a_manager_that_takes_nothing_does_not_hold_up_the_work(manager):
    sent = 0
    started_s = lasted_s = 0.0
    while lasted_s < 0.1 and sent < 100_000:
        started_s = time.monotonic()
        tell(WATCHDOG=1)
        lasted_s = time.monotonic() - started_s
        sent += 1
    assert 0.1 <= lasted_s < 2.0
