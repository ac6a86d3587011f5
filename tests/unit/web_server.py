"""A real web server (Debian's nginx) on the loopback, as a private process with a configuration of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = Path(__file__).parents[2] / "scripts" / "nginx"
_CONFIG = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
    log_format asked '$request_method $uri $status $http_range';
    access_log {folder}/access.log asked;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000;
    client_body_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/files;
        location /whole-only/ {{ alias {folder}/files/; max_ranges 0; }}
        location /slow/ {{ alias {folder}/files/; limit_rate 2m; }}
        location /drip/ {{ alias {folder}/files/; limit_rate 600k; }}
        location /moved/ {{ rewrite ^/moved/(.*)$ http://localhost:{port}/$1 redirect; }}
        location /round/ {{ return 302 /round/; }}
        location /secret/ {{ return 403; }}
        location /unknown/ {{ return 401; }}
        location /elsewhere/ {{ return 302 ftp://localhost/file; }}
    }}
    {tls}
}}
"""
_TLS = """
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/tls.crt;
        ssl_certificate_key {folder}/tls.key;
        root {folder}/files;
        location /down/ {{ rewrite ^/down/(.*)$ http://127.0.0.1:{plain}/$1 redirect; }}
    }}
"""


@dataclass(frozen=True)
class WebServer:
    """An nginx that runs: what lies in `files` is served below `address`, by https below `secure` where asked for."""

    address: str
    secure: str
    files: Path
    log: Path

    def asked(self) -> list[str]:
        """The requests that were answered: method, path, status, range (`-`: none)."""
        return self.log.read_text().splitlines()


def program() -> str:
    """The path of an nginx program; fetched the first time."""
    done = subprocess.run([str(_SCRIPT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def web_server(folder: Path, *, tls: bool = False) -> Iterator[WebServer]:
    """An nginx of its own until the end of the block; with `tls` its certificate is known to nobody (`tls.crt`)."""
    (folder / "files").mkdir(parents=True, exist_ok=True)
    plain, secure = _free_port(), _free_port()
    if tls:
        _make_certificate(folder)
    part = _TLS.format(folder=folder, port=secure, plain=plain) if tls else ""
    owner = "user root;\n" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(owner + _CONFIG.format(folder=folder, port=plain, tls=part))
    argv = [program(), "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            _wait(process, plain)
            yield WebServer(
                address=f"http://127.0.0.1:{plain}",
                secure=f"https://127.0.0.1:{secure}",
                files=folder / "files",
                log=folder / "access.log",
            )
        finally:
            process.kill()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(500):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.02)
    raise AssertionError("nginx does not answer")


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


def _make_certificate(folder: Path) -> None:
    done = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "tls.key")),
            *("-out", str(folder / "tls.crt")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
