"""`login` and `logout`: a login is tested before it is kept, kept where its library looks, and never shown."""

from __future__ import annotations

import io
import os
import pty
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.cli.options import use_catalogue
from orchestrator.domain.redact import forget
from tests.called import Called
from tests.unit import gate_server
from tests.unit.cli_calls import Call
from tests.unit.gate_server import CLIENT_ID, CLIENT_SECRET, HUB_TOKEN

Give = Callable[..., Called]
MEMBERS_ASSET = """\
name: members
kind: dataset
source: {{kind: bucket, uri: "{url}/members/metadata/x.uri"}}
licence: Some Licence
gate: {{kind: membership, text: be a member, apply_at: "https://mlcommons.org", service: mlcommons}}
"""


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A home of the test's own; no login of whoever runs it. (`call` first: it sets another home.)"""
    monkeypatch.setenv("HOME", str(tmp_path))
    names = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HOME", "HF_TOKEN_PATH", "XDG_CACHE_HOME", "HF_ENDPOINT")
    for name in (*names, "CF_ACCESS_CLIENT_ID", "CF_ACCESS_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    yield
    forget()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[gate_server.Gate]:
    with gate_server.gate() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        monkeypatch.setenv("MLPERF_DOCKER_MLCOMMONS_ENDPOINT", found.url)
        yield found


@pytest.fixture
def give(call: Call, monkeypatch: pytest.MonkeyPatch) -> Give:
    """Call with something on standard input."""

    def called(text: str, *arguments: str) -> Called:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        found = call(*arguments)
        assert not text.strip() or text.strip() not in found.stdout + found.stderr
        return found

    return called


def test_a_token_that_works_is_kept_where_the_hubs_library_looks(
    give: Give, server: gate_server.Gate, tmp_path: Path
) -> None:
    called = give(f"{HUB_TOKEN}\n", "login", "huggingface", "--token-stdin")
    assert called.code == 0, called.stderr
    path = tmp_path / ".cache" / "huggingface" / "token"
    assert called.stdout == f"stored in {path}\n"
    assert path.read_text() == HUB_TOKEN and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(server.paths()) == {"/api/whoami-v2"}


def test_a_token_that_the_hub_does_not_know_is_not_kept(give: Give, server: gate_server.Gate, tmp_path: Path) -> None:
    called = give("hf_wrongWRONGwrong", "login", "huggingface", "--token-stdin")
    assert called.code == 4
    assert "it was not stored" in called.stderr
    assert not (tmp_path / ".cache").exists()


def test_without_a_network_nothing_is_kept_unless_asked(
    give: Give, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    refused = give(HUB_TOKEN, "login", "huggingface", "--token-stdin")
    assert refused.code == 4
    assert "--no-check" in refused.stderr and not (tmp_path / ".cache").exists()
    kept = give(HUB_TOKEN, "login", "huggingface", "--token-stdin", "--no-check")
    assert kept.code == 0 and kept.stdout.endswith("(not tested)\n")
    assert (tmp_path / ".cache" / "huggingface" / "token").read_text() == HUB_TOKEN


@pytest.mark.parametrize("text", ["", "  \n", "two words\n", "hf_\x01x"])
def test_what_is_no_token_is_refused(give: Give, text: str) -> None:
    assert give(text or " ", "login", "huggingface", "--token-stdin", "--no-check").code == 2


def test_a_members_service_token_is_tested_with_a_bucket_and_kept_in_a_private_file(
    give: Give, call: Call, server: gate_server.Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "catalog" / "assets"
    folder.mkdir(parents=True)
    (folder / "members.yaml").write_text(MEMBERS_ASSET.format(url=server.url))
    server.files["/members/metadata/x.uri"] = b"x"
    monkeypatch.delenv("HF_ENDPOINT")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")  # the shipped catalogue's buckets are not asked
    use_catalogue([tmp_path / "catalog"])
    wrong = give(f"{CLIENT_ID} wrong0123456789", "login", "mlcommons", "--token-stdin")
    assert wrong.code == 4 and "not stored" in wrong.stderr
    assert not (tmp_path / ".config").exists()
    called = give(f"{CLIENT_ID}\n{CLIENT_SECRET}\n", "login", "mlcommons", "--token-stdin")
    assert called.code == 0, called.stderr
    path = tmp_path / ".config" / "mlperf-docker" / "credentials.yaml"
    assert called.stdout == f"stored in {path}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    status = call("login", "status", "members", "--json")
    assert [row["access"] for row in status.document["assets"]] == ["works"]


def test_a_variable_that_wins_is_named(give: Give, server: gate_server.Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_another0123456789")
    called = give(HUB_TOKEN, "login", "huggingface", "--token-stdin")
    assert called.code == 0 and "HF_TOKEN in the environment" in called.stderr


def test_logging_in_again_mends_a_file_that_others_could_read(
    give: Give, server: gate_server.Gate, tmp_path: Path
) -> None:
    path = tmp_path / ".config" / "mlperf-docker" / "credentials.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("mlcommons: {}")
    path.chmod(0o644)
    refused = give(" ", "login")
    assert refused.code == 2 and f"chmod 600 {path}" in refused.stderr
    called = give(f"{CLIENT_ID} {CLIENT_SECRET}", "login", "mlcommons", "--token-stdin", "--no-check")
    assert called.code == 0, called.stderr
    assert give(" ", "login").code == 0


def test_logging_out_forgets_and_says_what_it_cannot_forget(
    give: Give,
    call: Call,
    server: gate_server.Gate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "no login" in call("logout", "huggingface").stdout
    give(HUB_TOKEN, "login", "huggingface", "--token-stdin")
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", "hf_another0123456789")
    called = call("logout", "huggingface")
    assert called.stdout.startswith("removed ") and "HUGGING_FACE_HUB_TOKEN" in called.stderr
    assert call("logout", "hugging").code == 2


def test_without_a_terminal_and_a_pipe_the_way_is_named(give: Give) -> None:
    called = give(" ", "login", "huggingface")
    assert called.code == 2 and "--token-stdin" in called.stderr


def test_the_services_are_listed_with_what_they_take(call: Call) -> None:
    shown = call("login")
    assert shown.code == 0
    assert "huggingface" in shown.stdout and "mlcommons" in shown.stdout and "settings/tokens" in shown.stdout
    assert "did you mean 'huggingface'" in call("login", "hugingface").stderr


def test_on_a_terminal_the_token_is_asked_for_and_not_echoed(server: gate_server.Gate, tmp_path: Path) -> None:
    mine, terminal = pty.openpty()
    program = (sys.executable, "-m", "orchestrator.cli", "login", "huggingface")
    with subprocess.Popen(
        program, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True, env={**os.environ}
    ) as child:
        os.close(terminal)
        said = b""
        try:
            while b"not shown" not in said:
                said += os.read(mine, 4096)
            os.write(mine, HUB_TOKEN.encode() + b"\n")
            while piece := os.read(mine, 4096):
                said += piece
        except OSError:
            pass  # the terminal is gone: the program has ended
        assert child.wait() == 0, said
    os.close(mine)
    assert b"stored in" in said
    assert b"apply at https://huggingface.co/meta-llama" in said
    assert HUB_TOKEN.encode() not in said
    assert (tmp_path / ".cache" / "huggingface" / "token").read_text() == HUB_TOKEN
