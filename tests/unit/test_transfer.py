"""Downloads from a real web server, some through a front that cuts, stalls, refuses and lies: nothing wrong is kept."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.assets.credentials import NO_CREDENTIALS, Credentials, Login
from orchestrator.assets.transfer import Expected, Line, Received, probe, transfer
from orchestrator.domain.asset import Service
from orchestrator.domain.ports import no_meter
from orchestrator.errors import AssetError
from tests.unit.faulty_front import front
from tests.unit.web_server import WebServer, web_server

ROOT = Path(__file__).parents[2]
CONTENT = os.urandom(3 << 20)
OTHER = os.urandom(3 << 20)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PINNED = Expected(sha256=SHA256)
LINE = Line(
    environment={"no_proxy": "*"},
    credentials=NO_CREDENTIALS,
    connect_s=5.0,
    silence_s=0.4,
    part_bytes=512 << 10,
    first_wait_s=0.01,
)
ALONE = replace(LINE, parts=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """One nginx for all tests here."""
    with web_server(tmp_path_factory.mktemp("nginx"), tls=True) as running:
        (running.files / "weights.bin").write_bytes(CONTENT)
        (running.files / "weights.bin.other").write_bytes(OTHER)
        (running.files / "empty.bin").write_bytes(b"")
        (running.files / "small.bin").write_bytes(b"small")
        yield running


@pytest.fixture
def said() -> list[str]:
    """What was said."""
    return []


def fetch(
    urls: str | tuple[str, ...],
    folder: Path,
    said: list[str] | None = None,
    *,
    expected: Expected = PINNED,
    line: Line = LINE,
) -> Received:
    addresses = (urls,) if isinstance(urls, str) else urls
    heard = [] if said is None else said
    return transfer(addresses, folder, name="weights", expected=expected, line=line, say=heard.append, meter=no_meter)


@pytest.mark.parametrize("line", [LINE, ALONE])
@pytest.mark.parametrize("place", ["weights.bin", "whole-only/weights.bin", "moved/weights.bin"])
def test_a_file_comes_whole_with_its_hash(server: WebServer, tmp_path: Path, place: str, line: Line) -> None:
    got = fetch(f"{server.address}/{place}", tmp_path, line=line, expected=Expected())
    assert got.path.read_bytes() == CONTENT
    assert (got.sha256, got.size_bytes) == (SHA256, len(CONTENT))


def test_big_files_come_in_parts_and_each_byte_once(server: WebServer, tmp_path: Path) -> None:
    before = len(server.asked())
    fetch(f"{server.address}/weights.bin", tmp_path)
    ranges = sorted(line.split()[3] for line in server.asked()[before:])
    assert len(ranges) == 6
    taken = sorted((int(a), int(b)) for a, b in (text.removeprefix("bytes=").split("-") for text in ranges))
    assert taken == [(at, at + (512 << 10) - 1) for at in range(0, len(CONTENT), 512 << 10)]


@pytest.mark.parametrize(("name", "size"), [("empty.bin", 0), ("small.bin", 5)])
def test_small_and_empty_files_come_too(server: WebServer, tmp_path: Path, name: str, size: int) -> None:
    assert fetch(f"{server.address}/{name}", tmp_path, expected=Expected(size_bytes=size)).size_bytes == size


@pytest.mark.parametrize("line", [LINE, ALONE])
@pytest.mark.parametrize(
    "faults",
    [
        ["503 0"],
        ["429 0", "500"],
        ["cut 1000"],
        ["reset 300000", "cut 0", "503"],
        ["stall 70000"],
        ["short 17", "cut 4", "reset 5"],
        ["cut 200000", "whole"],
        ["lie 3"],
        ["tagless", "cut 100000", "tagless"],
        ["other", "cut 3000"],
    ],
    ids=" ".join,
)
def test_what_passes_is_tried_again_and_the_file_is_right(
    server: WebServer, tmp_path: Path, faults: list[str], line: Line
) -> None:
    with front(server.address, faults) as before:
        got = fetch(f"{before.address}/weights.bin", tmp_path, line=line)
        assert got.path.read_bytes() == CONTENT
        assert before.faults == []


def test_a_cut_transfer_goes_on_where_it_broke_off(server: WebServer, tmp_path: Path, said: list[str]) -> None:
    with front(server.address, ["cut 1000"]) as before:
        fetch(f"{before.address}/weights.bin", tmp_path, said, line=replace(ALONE, part_bytes=1 << 30))
        assert before.asked[1][1] == f"bytes=1000-{len(CONTENT) - 1}"
    assert any("continuing after" in text for text in said)


@pytest.mark.parametrize("expected", [PINNED, Expected()])
def test_what_an_earlier_call_left_is_continued(
    server: WebServer, tmp_path: Path, said: list[str], expected: Expected
) -> None:
    with front(server.address, ["", "cut 100000", "404"]) as before:
        url = f"{before.address}/weights.bin"
        with pytest.raises(AssetError, match="404"):
            fetch(url, tmp_path, line=ALONE, expected=expected)
        assert fetch(url, tmp_path, said, line=ALONE, expected=expected).path.read_bytes() == CONTENT
        first = (512 << 10) + 100000
        assert before.asked[3][1] == f"bytes={first}-{first + (512 << 10) - 1}"
    assert "weights: continuing after 0.6 of 3.1 MB" in said


@pytest.mark.parametrize("expected", [PINNED, Expected()])
def test_a_file_that_changed_on_the_server_is_never_glued(
    tmp_path: Path, server: WebServer, said: list[str], expected: Expected
) -> None:
    served = server.files / "changing.bin"
    served.write_bytes(OTHER)
    os.utime(served, (1, 1))
    with front(server.address, ["cut 100000", "404"]) as before:
        url = f"{before.address}/changing.bin"
        with pytest.raises(AssetError, match="404"):
            fetch(url, tmp_path, line=ALONE, expected=expected)
        served.write_bytes(CONTENT)
        assert fetch(url, tmp_path, said, expected=expected).path.read_bytes() == CONTENT
    assert any("has changed" in text for text in said)


def test_without_a_hash_or_a_validator_nothing_is_put_together(server: WebServer, tmp_path: Path) -> None:
    with front(server.address, ["tagless", "tagless cut", "tagless"], always="tagless") as before:
        got = fetch(f"{before.address}/weights.bin", tmp_path, expected=Expected())
        assert got.path.read_bytes() == CONTENT
        assert before.asked[-1][1] is None


def test_wrong_bytes_are_not_kept_and_do_not_spoil_the_next_try(server: WebServer, tmp_path: Path) -> None:
    with front(server.address, ["wrong 12345"]) as before:
        with pytest.raises(AssetError, match=f"expected sha256 {SHA256}, found [0-9a-f]{{64}}") as caught:
            fetch(f"{before.address}/weights.bin", tmp_path, line=replace(ALONE, part_bytes=1 << 30))
        assert "nothing was kept" in (caught.value.hint or "")
        assert (tmp_path / "content").stat().st_size == 0
        assert fetch(f"{before.address}/weights.bin", tmp_path).path.read_bytes() == CONTENT


def test_what_was_put_together_wrongly_is_fetched_once_more(server: WebServer, tmp_path: Path, said: list[str]) -> None:
    with front(server.address, ["wrong 5", "cut 100"]) as before:
        assert fetch(f"{before.address}/weights.bin", tmp_path, said, line=ALONE).path.read_bytes() == CONTENT
    assert sum("once more from the beginning" in text for text in said) == 1


def test_the_second_wrong_end_is_the_last(server: WebServer, tmp_path: Path, said: list[str]) -> None:
    faults = ["wrong 5", "cut 100"]
    with front(server.address, faults, always="wrong 7") as before, pytest.raises(AssetError, match="expected sha256"):
        fetch(f"{before.address}/weights.bin", tmp_path, said, line=ALONE)
    assert sum("once more from the beginning" in text for text in said) == 1


def test_a_wrong_md5_and_a_wrong_size_are_told(server: WebServer, tmp_path: Path) -> None:
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    url = f"{server.address}/weights.bin"
    assert fetch(url, tmp_path, expected=Expected(md5=md5, size_bytes=len(CONTENT))).sha256 == SHA256
    with pytest.raises(AssetError, match=f"expected md5 {'0' * 32}, found {md5}"):
        fetch(url, tmp_path / "b", expected=Expected(md5="0" * 32))
    with pytest.raises(AssetError, match=f"has {len(CONTENT)} bytes there, and should have 7"):
        fetch(url, tmp_path / "c", expected=Expected(size_bytes=7))


def test_the_next_address_goes_on_with_what_the_first_one_gave(server: WebServer, tmp_path: Path) -> None:
    with front(server.address, [""], always="503") as first, front(server.address) as second:
        urls = (f"{first.address}/weights.bin", f"{second.address}/weights.bin")
        got = fetch(urls, tmp_path, line=ALONE)
        assert got.path.read_bytes() == CONTENT
        assert second.asked[0][1] == f"bytes={512 << 10}-{(1 << 20) - 1}"
        assert got.url == urls[1]


def test_every_address_is_named_with_what_became_of_it(server: WebServer, tmp_path: Path) -> None:
    with front(server.address, always="404") as first, front(server.address, always="500") as second:
        urls = tuple(f"{one.address}/weights.bin?signature=s3cret" for one in (first, second))
        with pytest.raises(AssetError) as caught:
            fetch(urls, tmp_path)
    for one, status in ((first, 404), (second, 500)):
        assert f"{one.address}/weights.bin?… answered {status}" in caught.value.cause
    assert "s3cret" not in f"{caught.value}{caught.value.hint}"
    assert "--asset" in (caught.value.hint or "")


def test_progress_is_told_and_ends_with_the_whole(server: WebServer, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    transfer(
        (f"{server.address}/weights.bin",),
        tmp_path,
        name="weights",
        expected=PINNED,
        line=LINE,
        say=lambda _: None,
        meter=lambda *figures: told.append(figures),
    )
    assert told[-1] == ("weights", len(CONTENT), len(CONTENT))


@pytest.mark.parametrize(
    ("place", "words", "hint"),
    [
        ("none.bin", "answered 404", "--asset"),
        ("secret/x", "answered 403", "login status"),
        ("unknown/x", "answered 401", "login status"),
        ("round/x", "redirects", "--asset"),
        ("moved/none.bin", "localhost:[0-9]+/none.bin answered 404", "--asset"),
        ("moved/secret/x", "answered 403", "--asset"),
        ("elsewhere/x", "not an address of the web", "--asset"),
    ],
)
def test_a_refusal_is_told_with_what_to_do(
    server: WebServer, tmp_path: Path, place: str, words: str, hint: str
) -> None:
    said: list[str] = []
    with pytest.raises(AssetError, match=words) as caught:
        fetch(f"{server.address}/{place}", tmp_path, said)
    assert hint in (caught.value.hint or "")
    assert said == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://no-such-host.invalid/x", "no-such-host.invalid"),
        ("http://127.0.0.1:9/x", "127.0.0.1:9 does not answer"),
        ("ftp://127.0.0.1/x", "not an address of the web"),
        ("http://[::1/x", "not an address"),
        ("http:///x", "not an address"),
        ("http://127.0.0.1:99999/x", "not an address"),
    ],
)
def test_an_address_that_leads_nowhere_is_named(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(AssetError, match=words):
        fetch(url, tmp_path)


def test_an_untrusted_certificate_is_refused_and_the_right_bundle_helps(server: WebServer, tmp_path: Path) -> None:
    url = f"{server.secure}/weights.bin"
    with pytest.raises(AssetError, match=r"certificate of .* is not trusted") as caught:
        fetch(url, tmp_path / "a")
    assert "--ca-bundle" in (caught.value.hint or "")
    knows = replace(LINE, environment={**LINE.environment, "PIP_CERT": str(server.files.parent / "tls.crt")})
    assert fetch(url, tmp_path / "b", line=knows).path.read_bytes() == CONTENT
    with pytest.raises(AssetError, match="from https to http"):
        fetch(f"{server.secure}/down/weights.bin", tmp_path / "c", line=knows)


@pytest.mark.parametrize("faults", [[], ["cut 1000"], ["stall 70000"], ["reset 300000", "503"]], ids=" ".join)
@pytest.mark.parametrize("line", [LINE, ALONE])
def test_by_https_too_a_cut_and_a_stall_end_well(
    server: WebServer, tmp_path: Path, faults: list[str], line: Line
) -> None:
    certificate = server.files.parent / "tls.crt"
    knows = replace(line, environment={**LINE.environment, "PIP_CERT": str(certificate)})
    with front(server.address, faults, certificate=certificate) as before:
        assert fetch(f"{before.address}/weights.bin", tmp_path, line=knows).path.read_bytes() == CONTENT
        assert before.faults == []


def test_https_goes_through_a_proxy_and_its_refusal_is_told(server: WebServer, tmp_path: Path) -> None:
    url = f"{server.secure}/weights.bin"
    with front(server.address) as proxy:
        environment = {"https_proxy": proxy.address, "PIP_CERT": str(server.files.parent / "tls.crt")}
        environment["no_proxy"] = "example.org"
        by_proxy = replace(LINE, environment=environment)
        assert fetch(url, tmp_path / "a", line=by_proxy).sha256 == SHA256
        assert {path for path, _ in proxy.asked} == {url.removeprefix("https://").partition("/")[0]}
        proxy.always = "407"
        with pytest.raises(AssetError, match=r"the proxy on the way to .* refuses to let us through") as caught:
            fetch(url, tmp_path / "b", line=replace(by_proxy, parts=1))
    assert "--proxy" in (caught.value.hint or "")
    gone = replace(LINE, environment={**environment, "https_proxy": "http://user:s3cret@127.0.0.1:9"})
    with pytest.raises(AssetError, match=r"the proxy on the way to .* does not answer") as caught:
        fetch(url, tmp_path / "c", line=gone)
    assert "s3cret" not in f"{caught.value}{caught.value.hint}"


def test_an_http_proxy_is_used_and_exempt_hosts_are_not(server: WebServer, tmp_path: Path) -> None:
    with front(server.address) as proxy:
        by_proxy = replace(LINE, environment={"http_proxy": proxy.address, "no_proxy": "example.org"})
        url = "http://weights.invalid/weights.bin"
        assert fetch(url, tmp_path / "a", line=by_proxy).sha256 == SHA256
        assert {path for path, _ in proxy.asked} == {url}
        asked = len(proxy.asked)
        exempt = replace(LINE, environment={"http_proxy": proxy.address, "no_proxy": "10.0.0.0/8,127.0.0.0/8"})
        assert fetch(f"{server.address}/weights.bin", tmp_path / "b", line=exempt).sha256 == SHA256
        assert len(proxy.asked) == asked


def test_probe_tells_size_and_ranges_without_fetching(server: WebServer) -> None:
    found = probe(f"{server.address}/weights.bin", line=LINE)
    assert (found.status, found.size_bytes, found.accepts_ranges, found.host) == (200, 3 << 20, True, "127.0.0.1")
    assert probe(f"{server.address}/whole-only/weights.bin", line=LINE).size_bytes == 3 << 20
    assert probe(f"{server.address}/secret/x", line=LINE).status == 403
    assert probe(f"{server.address}/moved/weights.bin", line=LINE).host == "localhost"
    with front(server.address, ["404"]) as refusing:
        found = probe(f"{refusing.address}/weights.bin", line=LINE)
        assert (found.status, found.size_bytes, found.accepts_ranges) == (206, 3 << 20, True)


def test_what_is_in_the_store_by_now_is_not_written_to(server: WebServer, tmp_path: Path) -> None:
    got = fetch(f"{server.address}/weights.bin", tmp_path / "partial")
    kept = tmp_path / "kept"
    kept.hardlink_to(got.path)
    assert fetch(f"{server.address}/small.bin", tmp_path / "partial", expected=Expected()).size_bytes == 5
    assert kept.read_bytes() == CONTENT


def test_a_whole_file_that_nobody_took_is_not_fetched_again(server: WebServer, tmp_path: Path) -> None:
    fetch(f"{server.address}/weights.bin", tmp_path)
    asked = len(server.asked())
    assert fetch(f"{server.address}/weights.bin", tmp_path).sha256 == SHA256
    assert len(server.asked()) == asked


@pytest.mark.parametrize("spoilt", [b"", b"{", b"[]", b'{"version": 1}', b"\xff\xfe"])
def test_a_damaged_note_costs_only_time(server: WebServer, tmp_path: Path, spoilt: bytes) -> None:
    (tmp_path / "content").write_bytes(OTHER)
    (tmp_path / "state.json").write_bytes(spoilt)
    assert fetch(f"{server.address}/weights.bin", tmp_path).path.read_bytes() == CONTENT


def test_our_login_goes_to_its_own_server_alone_and_into_no_message(server: WebServer, tmp_path: Path) -> None:
    token = "-".join(("hf", "planted", "token"))
    with front(server.address) as other, front(other.address) as own:
        login = Login(headers={"Authorization": f"Bearer {token}"}, secrets=(token,), origin="a test")
        logins = Credentials(logins={Service.HUGGINGFACE: login}, endpoints={Service.HUGGINGFACE: own.address})
        known = replace(LINE, credentials=logins)
        own.always = "move"
        assert fetch(f"{own.address}/weights.bin", tmp_path / "a", line=known).sha256 == SHA256
        assert set(own.shown) == {f"Bearer {token}"}
        assert len(other.shown) >= 6
        assert set(other.shown) == {None}
        own.always, said = "503", list[str]()
        with pytest.raises(AssetError) as caught:
            fetch(f"{own.address}/weights.bin", tmp_path / "b", said, line=known)
    assert token not in f"{caught.value}{caught.value.hint}{said}{known!r}"
    assert said


def test_a_server_that_asks_for_patience_beyond_reason_is_given_up(server: WebServer, tmp_path: Path) -> None:
    with front(server.address, always="429 86400") as busy, pytest.raises(AssetError, match="come back in 86400 s"):
        fetch(f"{busy.address}/weights.bin", tmp_path)
    assert len(busy.asked) == 1


def test_an_address_that_we_were_sent_on_to_and_that_expires_is_asked_for_anew(
    server: WebServer, tmp_path: Path
) -> None:
    with front(server.address, ["", "403"]) as storage, front(storage.address, always="move") as hub:
        assert fetch(f"{hub.address}/weights.bin", tmp_path, line=ALONE).sha256 == SHA256
        assert len(hub.asked) == 2


def test_a_server_that_bears_one_connection_alone_is_asked_by_one(server: WebServer, tmp_path: Path) -> None:
    with front(server.address) as busy:
        busy.most_at_once = 1
        assert fetch(f"{busy.address}/weights.bin", tmp_path).sha256 == SHA256
        assert busy.refused > 0


@pytest.fixture
def little_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small file system")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_file_that_has_no_room_is_refused_before_it_comes(server: WebServer, little_disk: Path) -> None:
    with pytest.raises(AssetError, match=f"file system {little_disk} is full: .* more are needed") as caught:
        fetch((f"{server.address}/weights.bin", f"{server.address}/moved/weights.bin"), little_disk / "partial")
    assert "cache prune" in (caught.value.hint or "")


def test_a_disk_that_fills_up_meanwhile_is_named_and_what_came_is_continued(
    server: WebServer, little_disk: Path
) -> None:
    (server.files / "medium.bin").write_bytes(CONTENT[: 1200 << 10])
    expected = Expected(sha256=hashlib.sha256(CONTENT[: 1200 << 10]).hexdigest())
    filler = little_disk / "filler"

    def fill_up(_what: str, _done: int, _total: int | None) -> None:
        with contextlib.suppress(OSError), filler.open("ab") as file:
            file.write(bytes(4 << 20))

    url, place = f"{server.address}/drip/medium.bin", little_disk / "partial"
    with pytest.raises(AssetError, match=f"file system {little_disk} is full"):
        transfer(
            (url,),
            place,
            name="weights",
            expected=expected,
            line=replace(ALONE, part_bytes=1 << 30),
            say=lambda _: None,
            meter=fill_up,
        )
    filler.unlink()
    said: list[str] = []
    assert fetch(url, place, said, expected=expected, line=replace(ALONE, part_bytes=1 << 30)).size_bytes == 1200 << 10
    assert any("continuing after" in text for text in said)


INTERRUPTED = """
import sys
from pathlib import Path
from orchestrator.assets.credentials import NO_CREDENTIALS
from orchestrator.assets.transfer import Expected, Line, transfer

line = Line(environment={"no_proxy": "*"}, credentials=NO_CREDENTIALS, parts=1)
try:
    transfer(
        (sys.argv[1],), Path(sys.argv[2]), name="weights", expected=Expected(), line=line, say=print,
        meter=lambda what, done, total: print("so far", done, flush=True),
    )
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_ends_it_and_the_next_call_goes_on(server: WebServer, tmp_path: Path, said: list[str]) -> None:
    url = f"{server.address}/drip/weights.bin"
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, url, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("so far ")
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[0].endswith("interrupted\n")
    assert process.returncode == 0
    assert fetch(url, tmp_path, said, expected=Expected()).path.read_bytes() == CONTENT
    assert any("continuing after" in text for text in said)


def test_what_was_never_on_the_disk_is_not_believed_after_a_power_cut(
    server: WebServer, tmp_path: Path, said: list[str]
) -> None:
    with front(server.address, ["", "", "404"]) as before:
        url = f"{before.address}/weights.bin"
        with pytest.raises(AssetError, match="404"):
            fetch(url, tmp_path, line=ALONE, expected=Expected())
        note = json.loads((tmp_path / "state.json").read_text())
        assert (note["have"], note["on_disk"]) == ([[0, 1 << 20]], [])
        note |= {"boot": "another", "on_disk": [[0, 400_000]]}
        (tmp_path / "state.json").write_text(json.dumps(note))
        (tmp_path / "content").write_bytes(CONTENT[:400_000] + bytes((1 << 20) - 400_000))
        assert fetch(url, tmp_path, said, line=ALONE, expected=Expected()).path.read_bytes() == CONTENT
    assert "weights: continuing after 0.4 of 3.1 MB" in said


def test_now_and_then_what_came_is_brought_to_the_disk_and_noted_as_such(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.assets.transfer_crew._SYNC_S", 0.2)
    (server.files / "dripping.bin").write_bytes(CONTENT[: 1400 << 10])
    noted: list[list[list[int]]] = []

    def read_note(_what: str, done: int, _total: int | None) -> None:
        note = json.loads((tmp_path / "state.json").read_text())
        assert note["have"][0][1] <= done
        noted.append(note["on_disk"])

    whole = replace(ALONE, part_bytes=1 << 30)
    url = f"{server.address}/drip/dripping.bin"
    transfer((url,), tmp_path, name="w", expected=Expected(), line=whole, say=lambda _: None, meter=read_note)
    assert any(ranges and 0 < ranges[0][1] < 1400 << 10 for ranges in noted)
