import argparse
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import torch
from safetensors.torch import save_file

from detector.features import clip_weights
from detector.features.clip_weights import LICENCE, ClipError, fetch, fingerprint, read, weights_path

ARRAYS = {"first.weight": torch.arange(6.0).reshape(2, 3), "first.bias": torch.ones(2)}
CONTENT = bytes(range(256)) * 9000  # more than one chunk


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/gone":
            self.send_error(404)
        elif self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "ftp://127.0.0.1/whole")
            self.end_headers()
        else:
            self.send_response(200)
            if self.path != "/endless":
                self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[: 2_000_000 if self.path == "/short" else None])

    def log_message(self, *_):
        pass


@pytest.fixture
def address():
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_download_is_on_disk_whole(address, tmp_path):
    path, shares = tmp_path / "new" / "weights.pth", []

    clip_weights._download(f"{address}/whole", path, shares.append)

    assert path.read_bytes() == CONTENT
    assert shares == sorted(shares)
    assert len(shares) > 1
    assert shares[-1] == 1.0
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("short", "cut short"),
        ("endless", "unknown bytes"),
        ("gone", "404"),
        ("elsewhere", "leads to ftp://127.0.0.1/whole"),
    ],
)
def test_a_failed_download_leaves_nothing_behind(address, tmp_path, what, why):
    path = tmp_path / "weights.pth"

    with pytest.raises(ClipError, match=why) as caught:
        clip_weights._download(f"{address}/{what}", path, lambda _: None)

    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(address, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(ClipError, match="cannot be loaded into"):
        clip_weights._download(f"{address}/whole", tmp_path / "file" / "weights.pth", lambda _: None)


def test_weights_that_are_there_are_not_fetched_again(tmp_path):
    path = weights_path("hiera_base_16x224", tmp_path)
    path.write_bytes(b"brought from elsewhere")

    found = fetch("hiera_base_16x224", tmp_path, lambda _: None)

    assert found.path == path
    assert found.sha256 == hashlib.sha256(b"brought from elsewhere").hexdigest()
    assert path.read_bytes() == b"brought from elsewhere"


def test_a_network_that_there_is_not_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(ClipError, match=r"hiera_tiny_224: no such clip network.*hiera_large_16x224"):
        fetch("hiera_tiny_224", tmp_path, lambda _: None)


def test_missing_weights_name_their_licence(tmp_path):
    with pytest.raises(ClipError) as caught:
        fingerprint(tmp_path / "none.pth")

    assert "none.pth" in str(caught.value)
    assert LICENCE in str(caught.value)
    assert "NC" in LICENCE


@pytest.mark.parametrize("form", ["official", "plain", "safetensors"])
def test_every_form_of_weights_is_read(tmp_path, form):
    path = tmp_path / f"weights.{'safetensors' if form == 'safetensors' else 'pth'}"
    if form == "safetensors":
        save_file(ARRAYS, path)
    else:
        torch.save({"model_state": ARRAYS, "epoch": 3} if form == "official" else ARRAYS, path)

    found = read(path)

    assert found.keys() == ARRAYS.keys()
    assert all(torch.equal(found[name], ARRAYS[name]) for name in ARRAYS)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_half_written_file_is_refused(tmp_path, suffix, share):
    path = tmp_path / f"weights.{suffix}"
    big = {"weight": torch.arange(10_000.0)}
    if suffix == "safetensors":
        save_file(big, path)
    else:
        torch.save(big, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])

    with pytest.raises(ClipError, match="cut off") as caught:
        read(path)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("held", [[1, 2], {"model_state": 3}, {"weight": "text"}, {}])
def test_a_file_without_arrays_by_name_is_refused(tmp_path, held):
    torch.save(held, tmp_path / "weights.pth")

    with pytest.raises(ClipError, match="holds no arrays by name"):
        read(tmp_path / "weights.pth")


def test_a_file_that_would_run_something_is_not_read(tmp_path):
    torch.save({"weight": torch.ones(2), "cfg": argparse.Namespace()}, tmp_path / "weights.pth")

    with pytest.raises(ClipError, match=r"argparse\.Namespace, which is no weights"):
        read(tmp_path / "weights.pth")


def test_text_is_no_weights(tmp_path):
    (tmp_path / "weights.pth").write_text("<html>please log in</html>")

    with pytest.raises(ClipError, match="not a file of torch"):
        read(tmp_path / "weights.pth")
