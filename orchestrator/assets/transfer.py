"""Bytes over http(s) into a folder that outlives crashes: continued, checked while they come, from the first address
that has them. Knows nothing of assets or of the cache; holds no lock (the caller does).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.assets.transfer_attempt import attempt
from orchestrator.assets.transfer_digest import Digests
from orchestrator.assets.transfer_faults import LocalAssetError, disk_error, shown
from orchestrator.assets.transfer_partial import Partial
from orchestrator.assets.transfer_terms import Expected, Fetching
from orchestrator.assets.transfer_wire import Answer, Line, ask
from orchestrator.domain.ports import Meter, Say
from orchestrator.errors import AssetError
from orchestrator.host.retry import transient

__all__ = ["Expected", "Line", "Probed", "Received", "probe", "transfer"]

_PROGRESS_BYTES = 1 << 20  # an attempt that brought so much is not one in vain
_BY_HAND = "check the network, or get the file yourself and give it with --asset NAME=PATH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A whole file: where it lies now, its hash and size, and the address that had it (as it may be shown)."""

    path: Path
    sha256: str
    size_bytes: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What a server says of a file: its status, size (null: it does not say), and the host that had the last word."""

    status: int
    size_bytes: int | None
    accepts_ranges: bool
    host: str


def transfer(
    urls: tuple[str, ...], partial: Path, *, name: str, expected: Expected, line: Line, say: Say, meter: Meter
) -> Received:
    """Fetch a file into `partial`, a folder of this transfer's own whose lock the caller holds, and return it there.

    What an earlier process left in the folder is continued where the server's file is still the same. Addresses are
    tried in order, each again for what may pass. AssetError names every address and why it failed, a wrong hash both
    hashes; then nothing wrong is left in the folder. A fault of this machine (a full disk) ends it at once.
    """
    if not urls:
        raise AssetError(f"{name} has no address to be fetched from", hint=_BY_HAND)
    with Partial(partial) as held:
        fetching = Fetching(
            held=held,
            digests=Digests(held.path, md5=expected.md5 is not None),
            expected=expected,
            line=line,
            parts=line.parts,
            say=lambda text: say(f"{name}: {text}"),
            tick=lambda: meter(name, held.done_bytes, held.size_bytes),
        )
        try:
            return _first_that_has_it(urls, fetching)
        except OSError as error:
            raise disk_error(error, held.path) from error
        finally:
            fetching.digests.stop()


def probe(url: str, *, line: Line) -> Probed:
    """Ask what is there, without fetching it: HEAD, and where that is refused one byte. Never tried again.

    AssetError or TransientAssetError where no answer comes; a refusal is an answer (`status`).
    """
    answer = ask(url, line=line, method="HEAD")
    answer.close()
    if answer.status < 400 and answer.length is not None:
        return _probed(answer, answer.length, "bytes" in answer.headers.get("Accept-Ranges", "").lower())
    answer = ask(url, line=line, headers={"Range": "bytes=0-0"})
    answer.close()
    if answer.status == 206:
        total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        return _probed(answer, int(total) if total.isdecimal() else None, True)
    return _probed(answer, answer.length if answer.status < 400 else None, False)


def _probed(answer: Answer, size: int | None, ranges: bool) -> Probed:
    return Probed(
        status=answer.status, size_bytes=size, accepts_ranges=ranges, host=urlsplit(answer.url).hostname or ""
    )


def _first_that_has_it(urls: tuple[str, ...], fetching: Fetching) -> Received:
    failures: list[AssetError] = []
    for url in urls:
        fetching.parts, fetching.ranges = fetching.line.parts, True
        try:
            return _fetch(url, fetching)
        except LocalAssetError:
            raise
        except AssetError as error:
            failures.append(error)
            if url != urls[-1]:
                fetching.say(f"{error.cause}; trying the next address")
    hints = [error.hint for error in failures if error.hint]
    cause = "; ".join(_named(error.cause, url) for error, url in zip(failures, urls, strict=True))
    raise AssetError(cause, hint=hints[0] if hints else _BY_HAND) from failures[-1]


def _named(cause: str, url: str) -> str:
    place = shown(url)
    return cause if place in cause else f"{place}: {cause}"


def _fetch(url: str, fetching: Fetching) -> Received:
    """The whole file from one address, right by all that is known of it; once more from zero if it was put together."""
    held, line = fetching.held, fetching.line
    for last in (False, True):
        held.peak_bytes = held.done_bytes
        transient(
            lambda: attempt(url, fetching),
            say=fetching.say,
            attempts=line.attempts,
            first_wait_s=line.first_wait_s,
            progress=lambda: held.peak_bytes // _PROGRESS_BYTES,
        )
        fetching.tick()
        size = held.done_bytes
        hashes = fetching.digests.results(size)
        if (wrong := _wrong(fetching.expected, hashes, size)) is None:
            held.note()
            return Received(path=held.path, sha256=hashes["sha256"], size_bytes=size, url=shown(url))
        once_more = held.continued and not last
        fetching.start_again()
        if not once_more:
            raise AssetError(
                f"what {shown(url)} sent is not the file that is wanted: {wrong}",
                hint="its server or a proxy on the way is wrong, or the catalogue is: nothing was kept",
            )
        fetching.say(f"what was put together is not the file ({wrong}); fetching it once more from the beginning")
    raise AssertionError("the second time returns or raises")


def _wrong(expected: Expected, hashes: dict[str, str], size: int) -> str | None:
    """What differs from what is known, naming both sides; None when nothing does."""
    if expected.size_bytes is not None and size != expected.size_bytes:
        return f"expected {expected.size_bytes} bytes, found {size}"
    for kind, wanted in (("sha256", expected.sha256), ("md5", expected.md5)):
        if wanted is not None and hashes[kind] != wanted.lower():
            return f"expected {kind} {wanted}, found {hashes[kind]}"
    return None
