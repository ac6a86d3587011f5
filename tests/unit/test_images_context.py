"""Build contexts and the site's files in them: the same bytes for the same input, nothing of the site in a recipe."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from orchestrator.domain.site import Site
from orchestrator.errors import ImageError
from orchestrator.images.context import ContextFile, digest, pack
from orchestrator.images.site_files import site_files


def file(path: str, content: bytes = b"x", mode: int = 0o644) -> ContextFile:
    return ContextFile(path=path, mode=mode, content=content)


def members(raw: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        return archive.getmembers()


def test_a_packed_context_is_sorted_and_knows_neither_owner_nor_time() -> None:
    found = members(pack([file("b"), file("a/c", mode=0o755)]))
    assert [(item.name, item.mode, item.uid, item.mtime, item.uname) for item in found] == [
        ("a/c", 0o755, 0, 0, ""),
        ("b", 0o644, 0, 0, ""),
    ]


def test_moving_bytes_between_files_changes_the_digest() -> None:
    assert digest("", [file("a", b"12"), file("b", b"3")]) != digest("", [file("a", b"1"), file("b", b"23")])
    assert digest("", [file("ab", b"")]) != digest("", [file("a", b"b")])


def test_without_a_site_there_is_one_harmless_file() -> None:
    found = site_files(Site())
    assert [item.path for item in found] == ["site/README"]


def test_certificates_proxies_and_configurations_become_files(tmp_path: Path) -> None:
    one, two = tmp_path / "one.crt", tmp_path / "two.pem"
    one.write_text("-----ONE-----\n")
    two.write_text("-----TWO-----")
    site = Site(
        certificates=(one, two, one),
        https_proxy="http://user:p'w@proxy:3128",
        no_proxy="localhost",
        pip_config="[global]\nindex-url = https://mirror/simple\n",
        apt_config='Acquire::http::Proxy "http://proxy:3142";',
    )
    found = {item.path: item.content.decode() for item in site_files(site)}
    assert found["site/ca.pem"] == "-----ONE-----\n-----TWO-----\n"
    assert "https_proxy='http://user:p'\"'\"'w@proxy:3128'\nHTTPS_PROXY=" in found["site/proxy.env"]
    assert "http_proxy=" not in found["site/proxy.env"].split()
    assert found["site/pip.conf"].startswith("[global]")
    assert found["site/apt.conf"].splitlines() == [
        'Acquire::http::Proxy "http://proxy:3142";',
        'Acquire::https::CaInfo "/tmp/site-ca.pem";',
    ]


def test_an_unreadable_certificate_is_named_with_where_it_may_come_from(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.pem") as caught:
        site_files(Site(certificates=(tmp_path / "gone.pem",)))
    assert caught.value.hint is not None
    assert "--ca-bundle" in caught.value.hint
