"""How a part of a file is asked for, and whether an answer is that part. Pure."""

from __future__ import annotations

import re

from orchestrator.assets.transfer_faults import ChangedFileError, shown, status_error
from orchestrator.assets.transfer_partial import Identity, Piece
from orchestrator.assets.transfer_wire import Answer
from orchestrator.errors import AssetError

OK, PARTIAL, RANGE_NOT_SATISFIABLE = 200, 206, 416
_CONTENT_RANGE = re.compile(r"bytes (?P<start>\d+)-(?P<end>\d+)/(?P<total>\d+)$")


def range_headers(start: int, end: int | None, known: Identity | None) -> dict[str, str]:
    """Headers that ask for bytes `start` to `end` (exclusive; None: to the end), only if it is still the known file."""
    wanted = {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
    return wanted | ({"If-Range": known.validator} if known is not None and known.validator else {})


def range_of(answer: Answer) -> tuple[int, int] | None:
    """Where a partial answer begins, and the size of the whole file; None where the server does not say."""
    found = _CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
    return (int(found["start"]), int(found["total"])) if found is not None else None


def identity_of(answer: Answer, url: str, size: int | None) -> Identity:
    """What the server says of the file at an address."""
    return Identity(
        url=url, size_bytes=size, etag=answer.headers.get("ETag"), modified=answer.headers.get("Last-Modified")
    )


def piece_fault(answer: Answer, piece: Piece, of: Identity) -> AssetError | None:
    """Why an answer is not the piece that was asked for; None when it is."""
    if answer.status not in {OK, PARTIAL}:
        kept = answer.url != of.url
        return status_error(answer.status, answer.reason, answer.headers, answer.url, own=answer.own, kept=kept)
    found = range_of(answer)
    if answer.status == OK or found is None or found[0] != piece.at:
        return ChangedFileError(f"{shown(of.url)} sent something else than the piece that was asked for")
    if not of.same(identity_of(answer, of.url, found[1])):
        return ChangedFileError(f"the file at {shown(of.url)} was changed while it was fetched")
    return None
