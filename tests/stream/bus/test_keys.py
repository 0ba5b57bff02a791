import os
import stat

import pytest

from stream.bus.keys import KeysError, allowed, client_options, make_client, make_server, server_options


@pytest.fixture
def keys(tmp_path):
    assert make_server(tmp_path / "keys")
    return tmp_path / "keys"


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_for_this_user_only_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        make_server(tmp_path / "keys")
        make_client(tmp_path / "keys", "laptop")
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "keys", *(tmp_path / "keys").rglob("*")]}
    assert len(modes) == 10
    assert {path for path, mode in modes.items() if mode != (0o700 if path.is_dir() else 0o600)} == set()


def test_a_client_s_folder_has_what_it_needs_and_no_secret_of_the_server(keys):
    folder = make_client(keys, "laptop")
    assert folder == keys / "clients" / "laptop"
    assert {path.name for path in folder.iterdir()} == {"client.key", "client.key_secret", "server.key"}
    secret = (keys / "server.key_secret").read_text().split('secret-key = "')[1][:40]
    assert len(secret) == 40
    assert not [path for path, content in contents(folder).items() if secret.encode() in content]
    assert (keys / "allowed" / "laptop.key").read_bytes() == (folder / "client.key").read_bytes()


def test_keys_that_are_there_are_never_replaced(keys):
    make_client(keys, "laptop")
    before = contents(keys)
    assert not make_server(keys)
    with pytest.raises(KeysError, match="there is a client laptop already: take another name, or remove "):
        make_client(keys, "laptop")
    assert contents(keys) == before


def test_a_server_key_that_is_half_there_is_not_replaced(keys):
    (keys / "server.key_secret").unlink()
    before = contents(keys)
    with pytest.raises(KeysError, match=r"keys: .*keys: cannot be written: File exists$"):
        make_server(keys)
    assert contents(keys) == before


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "ü", ".", "a.b", "x" * 33])
def test_a_client_has_a_plain_name(keys, name):
    with pytest.raises(KeysError, match="must be 1 to 32 letters, digits, - or _"):
        make_client(keys, name)
    assert not (keys / "allowed").exists()


def test_a_folder_or_secret_that_others_may_read_is_refused_with_the_way_out(keys):
    (keys / "server.key_secret").chmod(0o640)
    with pytest.raises(KeysError, match=r"others may read .*server.key_secret \(mode 640\): chmod 600 it"):
        server_options(keys)
    keys.chmod(0o755)
    for use in (server_options, make_server):
        with pytest.raises(KeysError, match=r"others may enter .*keys \(mode 755\): chmod 700 it"):
            use(keys)


def test_keys_that_are_missing_or_damaged_are_one_clear_line(keys, tmp_path):
    client = make_client(keys, "laptop")
    (client / "server.key").write_text('curve\n    public-key = "short"\n')
    with pytest.raises(
        KeysError, match=r"server.key: is damaged: it needs the folder that `keys --client NAME` made"
    ):
        client_options(client)
    (client / "server.key").write_text("")
    with pytest.raises(KeysError, match=r"server.key: holds no key"):
        client_options(client)
    (client / "client.key_secret").write_bytes((client / "client.key").read_bytes())
    with pytest.raises(KeysError, match="holds no secret key"):
        client_options(client)
    with pytest.raises(KeysError, match=r"none/server.key_secret: no such file: make it with `keys`$"):
        server_options(tmp_path / "none")


def test_files_that_are_no_keys_do_not_hide_who_is_allowed(keys):
    make_client(keys, "laptop")
    (keys / "allowed" / "notes.key").write_text("not a key")
    names, faults = allowed(keys)
    assert list(names.values()) == ["laptop"]
    assert [fault.partition("notes.key: ")[2] for fault in faults] == ["holds no key: remove it"]
    assert allowed(keys / "nowhere") == ({}, [])
