"""Receivers of notices that are real: an MQTT broker of its own, and an HTTP server that can be told to misbehave."""

import http.server
import json
import os
import queue
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.waiting import wait_until

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
WITHIN_S = 10.0


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def certificate(folder):
    """A file with a key and a certificate of 127.0.0.1 that nobody trusts who does not know it."""
    path = folder / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-days", "2", "-subj", "/CN=receiver", "-addext", "subjectAltName=IP:127.0.0.1"]
    made += ["-keyout", path, "-out", f"{path}.crt"]
    try:
        subprocess.run(made, check=True, capture_output=True, timeout=10)
    except FileNotFoundError:
        pytest.skip("no openssl here")
    path.write_bytes(path.read_bytes() + path.with_name(f"{path.name}.crt").read_bytes())
    return path


class Broker:
    """Mosquitto, with a password, that keeps what it knows over a restart.

    Args:
        password: Of the user "mulde"; "" = anybody may come.
        certificate: File with its key and certificate, for TLS.
    """

    def __init__(self, folder, password="", certificate=None):
        if MOSQUITTO is None:
            pytest.skip("no mosquitto here: sudo make debian-packages")
        self.port = free_port()
        self._folder = folder / "broker"
        self._folder.mkdir()
        lines = [f"listener {self.port} 127.0.0.1", "persistence true", f"persistence_location {self._folder}/"]
        lines += ["autosave_interval 1", "autosave_on_changes true", f"pid_file {self._folder}/pid"]
        if certificate is not None:
            lines += [f"certfile {certificate}", f"keyfile {certificate}"]
        if os.geteuid() == 0:
            lines.append("user root")
        if password:
            lines += ["allow_anonymous false", f"password_file {self._folder}/passwords"]
            made = ["mosquitto_passwd", "-b", "-c", str(self._folder / "passwords"), "mulde", password]
            subprocess.run(made, check=True, capture_output=True, timeout=10)
        else:
            lines.append("allow_anonymous true")
        (self._folder / "conf").write_text("\n".join(lines) + "\n")
        self._process = None

    def start(self):
        with (self._folder / "log").open("ab") as log:
            command = [MOSQUITTO, "-c", str(self._folder / "conf"), "-v"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        assert wait_until(self._answers, WITHIN_S), (self._folder / "log").read_text()

    def stop(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait(WITHIN_S)
            self._process = None

    def log(self):
        return (self._folder / "log").read_text()

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1.0).close()
        except OSError:
            return False
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Listener:
    """Whoever subscribes to everything at a broker, and is told it later where it is away."""

    def __init__(self, port, password=""):
        self.messages = []
        """(topic, payload, retained), in order."""
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False)
        if password:
            self._client.username_pw_set("mulde", password)
        subscribed = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=2)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = lambda _, __, one: self.messages.append((one.topic, one.payload, one.retain))
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert subscribed.wait(WITHIN_S)

    def of(self, topic):
        """Payloads of a topic, as text."""
        return [payload.decode() for name, payload, _ in self.messages if name == topic]

    def notices(self):
        """Objects of all alert topics."""
        return [json.loads(payload) for topic, payload, _ in self.messages if topic.endswith(("/alert", "/digest"))]

    def clear(self, topic):
        """Have the broker forget what it keeps of a topic."""
        self._client.publish(topic, b"", retain=True).wait_for_publish(WITHIN_S)

    def publish(self, topic, text):
        self._client.publish(topic, text, qos=1, retain=True).wait_for_publish(WITHIN_S)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Receiver:
    """An HTTP server of one port that records what it is sent. It is down until it is started, and may be again.

    `answers` holds what it does with the next requests: a status, or "hang" (says nothing until `release`), "drip"
    (a byte now and then), "cut" (takes the request and hangs up), "redirect". Without any it answers 200.
    """

    def __init__(self, certificate=None):
        self.port = free_port()
        self.url = f"http{'' if certificate is None else 's'}://127.0.0.1:{self.port}/hook"
        self._certificate = certificate
        self.answers = queue.SimpleQueue()
        self.requests = []
        """Headers and parsed body of each request, also of those that got no good answer."""
        self.taken = []
        """The same of those that were answered with 200."""
        self.release = threading.Event()
        self._server = None

    def start(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                receiver._answer(self)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = False
        if self._certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self):
        self.release.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def _answer(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        request = (dict(handler.headers), body)
        self.requests.append(request)
        answer = 200 if self.answers.empty() else self.answers.get()
        if answer == "hang":
            self.release.wait(WITHIN_S)
            return
        if answer == "drip":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.release.wait(0.1):
                try:
                    handler.wfile.write(b"X-Drip: 1\r\n")
                except OSError:
                    return
            return
        if answer == "cut":
            self.taken.append(request)
            return
        if answer == 200:
            self.taken.append(request)
        handler.send_response(302 if answer == "redirect" else answer)
        if answer == "redirect":
            handler.send_header("Location", f"http://127.0.0.1:{self.port}/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def notices(self):
        return [json.loads(body) for _, body in self.taken]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Line:
    """A network between its clients and a port of this machine, on which answers can get lost and connections break.

    Of a connection whose answer begins with the byte in `loses`, that answer and all later ones get lost, and `lost`
    is set.
    """

    def __init__(self, port):
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.loses = None
        self.lost = threading.Event()
        self._ends = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self):
        """Break all connections; new ones may be made."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:  # closed
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._ends += [client, server]
            for reader, writer, lossy in ((client, server, False), (server, client, True)):
                self._threads.append(threading.Thread(target=self._carry, args=(reader, writer, lossy)))
                self._threads[-1].start()

    def _carry(self, reader, writer, lossy):
        with suppress(OSError):
            losing = False
            while data := reader.recv(65536):
                if lossy and data[:1] == self.loses:
                    losing = True
                    self.lost.set()
                if not losing:
                    writer.sendall(data)
        with suppress(OSError):
            writer.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def close(self):
        """Break all connections for good. Safe to call twice."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()

    def __exit__(self, *_):
        self.close()
