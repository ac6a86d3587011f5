"""A real registry (Debian's docker-registry) on the loopback, and a cable to it that can be cut, slowed or stalled."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER, PASSWORD = "alice", "s3cret-of-alice"
# bcrypt of the password, cost 5: the registry takes no other kind of hash.
_HTPASSWD = "alice:$2y$05$sWwOGIWcwsWM2/omlhpO.uNmen5oupceALbR/NwJOdo2kBCLQ/Vqe\n"
_SCRIPT = Path(__file__).parents[2] / "scripts" / "registry"


@dataclass
class Server:
    """A registry that runs; its blobs lie as files under `folder`."""

    host: str
    folder: Path
    process: subprocess.Popen[bytes]
    config: Path

    def blob(self, digest: str) -> Path:
        """The file that holds a blob."""
        algorithm, _, name = digest.partition(":")
        return self.folder / "docker/registry/v2/blobs" / algorithm / name[:2] / name / "data"

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        """The same registry, with what it held."""
        self.process = _start(self.config, self.host)


def program() -> str:
    """The path of a registry program; fetched the first time."""
    done = subprocess.run([str(_SCRIPT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def registry_server(
    folder: Path, *, login: bool = False, address: str = "127.0.0.1", tls: bool = False
) -> Iterator[Server]:
    """A registry of its own until the end of the block; with `login` it knows alice alone.

    With `tls` it has a certificate that nobody knows, in `tls.crt`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    host = f"{address}:{free_port(address)}"
    config = folder / "config.json"
    http: dict[str, object] = {"addr": host, "secret": "of-one-test"}
    if tls:
        http["tls"] = {"certificate": str(folder / "tls.crt"), "key": str(folder / "tls.key")}
        _make_certificate(folder, address)
    settings: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": http,
    }
    if login:
        (folder / "htpasswd").write_text(_HTPASSWD)
        settings["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    config.write_text(json.dumps(settings))
    server = Server(host=host, folder=folder / "data", process=_start(config, host), config=config)
    try:
        yield server
    finally:
        server.kill()


def _start(config: Path, host: str) -> subprocess.Popen[bytes]:
    with (config.parent / "log").open("ab") as log:
        process = subprocess.Popen([program(), "serve", str(config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    for _ in range(200):
        with contextlib.suppress(OSError):
            socket.create_connection((host.partition(":")[0], int(host.partition(":")[2])), timeout=5).close()
            return process
        assert process.poll() is None, (config.parent / "log").read_text()
        time.sleep(0.02)
    raise AssertionError("the registry does not answer")


def _make_certificate(folder: Path, address: str) -> None:
    done = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"),
            *("-addext", f"subjectAltName=IP:{address}", "-keyout", str(folder / "tls.key")),
            *("-out", str(folder / "tls.crt")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


class Cable:
    """Forwards a port of its own to a registry; `slow` limits what comes back to some 64 KiB pieces a second."""

    def __init__(self, to: str) -> None:
        self._to = (to.partition(":")[0], int(to.partition(":")[2]))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._open = threading.Event()
        self._open.set()
        self._over = False
        self.host = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.pause_s = 0.0
        self.passed_bytes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        """Let nothing more through, without closing anything."""
        self._open.clear()

    def go_on(self) -> None:
        """Let everything through again."""
        self._open.set()

    def cut(self) -> None:
        """Close every connection that is open now."""
        ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        """Let nobody in any more."""
        self._over = True
        self._open.set()
        self._listening.close()
        self.cut()

    def wait_for(self, passed_bytes: int) -> None:
        """Return when so much has come through."""
        for _ in range(2000):
            if self.passed_bytes >= passed_bytes:
                return
            time.sleep(0.01)
        raise AssertionError(f"only {self.passed_bytes} bytes came through")

    def _accept(self) -> None:
        while not self._over:
            try:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._to)
            except OSError:
                continue
            self._ends += [near, far]
            threading.Thread(target=self._pipe, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pipe, args=(far, near, True), daemon=True).start()

    def _pipe(self, source: socket.socket, sink: socket.socket, coming_back: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                self._open.wait()
                sink.sendall(piece)
                if coming_back:
                    self.passed_bytes += len(piece)
                    time.sleep(self.pause_s)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
