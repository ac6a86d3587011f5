"""Fetch one small document whole: a list, a piece of JSON, an address. Big files are transfer.py's affair."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial

from orchestrator.assets.transfer_faults import shown, status_error
from orchestrator.assets.transfer_wire import Line, ask
from orchestrator.domain.canonical import JsonValue
from orchestrator.domain.ports import Say
from orchestrator.errors import AssetError, TransientAssetError
from orchestrator.host.retry import transient

_OK = 200
_PIECE_BYTES = 1 << 16


def read_document(
    url: str, *, line: Line, say: Say, headers: Mapping[str, str] | None = None, most_bytes: int = 256 << 20
) -> bytes:
    """The body of a page; AssetError names the address and the answer, what may pass is tried again."""
    return transient(
        partial(_read, url, line, headers or {}, most_bytes),
        say=say,
        attempts=line.attempts,
        first_wait_s=line.first_wait_s,
    )


def read_json(url: str, *, line: Line, say: Say, headers: Mapping[str, str] | None = None) -> JsonValue:
    """The same as JSON; AssetError when it is none."""
    raw = read_document(url, line=line, say=say, headers=headers)
    try:
        found: JsonValue = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise AssetError(f"{shown(url)} answered with something else than JSON") from error
    return found


def _read(url: str, line: Line, headers: Mapping[str, str], most_bytes: int) -> bytes:
    answer = ask(url, line=line, headers=headers)
    try:
        if answer.status != _OK:
            raise status_error(answer.status, answer.reason, answer.headers, answer.url, own=answer.own)
        pieces: list[bytes] = []
        have = 0
        while piece := answer.read(_PIECE_BYTES):
            pieces.append(piece)
            have += len(piece)
            if have > most_bytes:
                raise AssetError(
                    f"{shown(url)} is longer than {most_bytes:,} bytes: not the document that was expected"
                )
        if answer.length is not None and have < answer.length:
            raise TransientAssetError(f"{shown(url)} broke off after {have:,} of {answer.length:,} bytes")
        return b"".join(pieces)
    finally:
        answer.close()
