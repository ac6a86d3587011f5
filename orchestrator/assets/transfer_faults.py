"""What went wrong between us and a server, in words for a person, with the remedy. Does nothing about it."""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.domain.redact import redact
from orchestrator.errors import AssetError, TransientAssetError
from orchestrator.host.disks import disk

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524})
_LONGEST_WAIT_S = 300.0
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_QUERY = re.compile(rb"\?[^\s'\"<>)]+")
_LONGEST_TEXT = 200
_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (4\d\d[^\n]*)")
_PROXY_LOGIN = "if the proxy wants a login: --proxy http://USER:PASSWORD@HOST:PORT"


class LocalAssetError(AssetError):
    """This machine is at fault, not a server: another address would not help."""


class ChangedFileError(TransientAssetError):
    """The server's file is no longer the one of which we hold a part."""


def shown(url: str) -> str:
    """An address as it may be shown: without login and without what stands after `?`, which may be a signature."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return url.partition("?")[0].rpartition("@")[2]
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}" + ("?…" if parts.query else "")


def status_error(
    status: int, reason: str | None, headers: Mapping[str, str], url: str, *, own: bool, kept: bool = False
) -> AssetError:
    """The error for an answer that is not the file.

    `own`: it came from the server that was asked at first, which knows us. `kept`: the address is one that we were sent
    on to a while ago; such addresses expire, and are asked for anew.
    """
    words = f"{shown(url)} answered {status} {_brief(reason or '')}".rstrip()
    if status in _BUSY:
        wait_s = _retry_after_s(headers.get("Retry-After"))
        if wait_s > _LONGEST_WAIT_S:
            return AssetError(f"{words} and asks to come back in {wait_s:.0f} s", hint="try again then")
        busy = TransientAssetError(words)
        busy.wait_s = wait_s
        return busy
    if status in {401, 403} and own and not kept:
        return AssetError(
            f"{words}: it does not let you have this file",
            hint="`mlperf-docker login status` shows what you have access to, and where to ask for it",
        )
    if status == 407:
        return AssetError(f"{words}: the proxy wants a login", hint=_PROXY_LOGIN)
    if status in {401, 403, 404, 410} and kept:
        return TransientAssetError(f"{words}: the address that we were sent on to has expired")
    return AssetError(words)


def network_error(error: Exception, url: str, *, silence_s: float) -> AssetError:
    """The error for an exception of urllib3 or the system; transient where another try may cure it."""
    from urllib3 import exceptions as faults

    place = shown(url)
    host = urlsplit(place).netloc
    match error:
        case faults.SSLError() if "CERTIFICATE_VERIFY_FAILED" in str(error) or "doesn't match" in str(error):
            return AssetError(
                f"the certificate of {host} is not trusted ({_certificate_reason(error)})",
                hint="if your site has certificates of its own, name them: --ca-bundle FILE",
            )
        case faults.ProxyError() if (refused := _TUNNEL_REFUSED.search(_cause(error))) is not None:
            return AssetError(
                f"the proxy on the way to {host} refuses to let us through ({refused[1]})", hint=_PROXY_LOGIN
            )
        case faults.ProxyError() | faults.ProxySchemeUnknown():
            return TransientAssetError(f"the proxy on the way to {host} does not answer ({_cause(error)})")
        case faults.NameResolutionError():
            return _unknown_host(error, host)
        case faults.ConnectTimeoutError() | faults.NewConnectionError():
            return TransientAssetError(f"{host} does not answer ({_cause(error)})")
        case faults.ReadTimeoutError() | TimeoutError():
            return TransientAssetError(f"{host} sent nothing for {silence_s:.0f} s")
        case faults.LocationValueError() | UnicodeError():
            return AssetError(f"not an address: {place}")
        case _:
            return TransientAssetError(f"the transfer from {host} broke off ({_cause(error)})")


def disk_error(error: OSError, path: Path, *, needed: int | None = None) -> LocalAssetError:
    """The error for a file that cannot be written; a full file system is named."""
    if error.errno not in _FULL:
        return LocalAssetError(
            f"cannot write {path}: {error.strerror or error}",
            hint="check its permissions, or set MLPERF_DOCKER_CACHE for another place",
        )
    on = disk(path)
    wanted = f", {needed / 1e9:.1f} GB more are needed" if needed else ""
    return LocalAssetError(
        f"the file system {on.mounted_at or on.device} is full: {on.free_bytes / 1e9:.1f} GB free{wanted} ({path})",
        hint="make room (`mlperf-docker cache du`, `cache prune`), or set MLPERF_DOCKER_CACHE for another place; "
        "what has come so far is kept and continued",
    )


def full_disk(path: Path, needed: int) -> LocalAssetError | None:
    """The error for `needed` bytes that the file system of `path` has no room for; None when it has."""
    space = os.statvfs(path)
    if space.f_bavail * space.f_frsize >= needed:
        return None
    return disk_error(OSError(errno.ENOSPC, "no space left on device"), path, needed=needed)


def _unknown_host(error: Exception, host: str) -> AssetError:
    reason = error.__cause__ or error.__context__
    number = reason.errno if isinstance(reason, socket.gaierror) else None
    if number == socket.EAI_AGAIN:
        return TransientAssetError(f"the name {host} could not be looked up just now")
    return AssetError(
        f"no such host: {host}", hint="check the network and its name server; behind a proxy, give --proxy"
    )


def _certificate_reason(error: Exception) -> str:
    found = re.search(r"certificate verify failed: ([^(\]\"']+)", str(error))
    return found[1].strip() if found else _cause(error)


def _cause(error: BaseException) -> str:
    """The innermost reason, which knows what happened; the outer ones know addresses, which may hold secrets."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    if isinstance(error, OSError) and error.strerror:
        return _brief(error.strerror)
    return _brief(str(error) or type(error).__name__)


def _brief(text: str) -> str:
    clean = _QUERY.sub(b"?\xe2\x80\xa6", redact(text.encode())).decode("utf-8", "replace")
    printable = "".join(letter if letter.isprintable() else " " for letter in clean)
    return printable if len(printable) <= _LONGEST_TEXT else f"{printable[: _LONGEST_TEXT - 1]}…"


def _retry_after_s(text: str | None) -> float:
    """How long a server asks to be left alone: seconds or a date; 0 where it does not say, or cannot be read."""
    if text is None:
        return 0.0
    if text.strip().isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
