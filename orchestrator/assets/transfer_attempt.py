"""One attempt to get what is missing of a file from one address: the first answer judged, then parallel pieces.

Never tries again by itself, never judges the content: that is done by transfer.py.
"""

from __future__ import annotations

from orchestrator.assets.transfer_crew import Crew
from orchestrator.assets.transfer_faults import full_disk, shown, status_error
from orchestrator.assets.transfer_partial import Identity, Partial
from orchestrator.assets.transfer_ranges import OK, PARTIAL, RANGE_NOT_SATISFIABLE, identity_of, range_headers, range_of
from orchestrator.assets.transfer_terms import Expected, Fetching
from orchestrator.assets.transfer_wire import Answer, ask
from orchestrator.errors import AssetError, TransientAssetError


def attempt(url: str, fetching: Fetching) -> None:
    """Get all that is missing; what came before an error is kept. AssetError or TransientAssetError."""
    held = fetching.held
    if held.identity is not None and not _may_continue(url, fetching):
        fetching.start_again()
    if held.whole:
        return
    held.lay_out(fetching.line.part_bytes)
    answer = _open(url, fetching)
    try:
        _check_size(fetching)
        missing = held.size_bytes - held.done_bytes if held.size_bytes is not None else 0
        if (full := full_disk(held.path, missing)) is not None:
            raise full
        Crew(fetching, answer, url).work()
    finally:
        answer.close()


def _may_continue(url: str, fetching: Fetching) -> bool:
    """Whether what is here can be continued: from the same address it must be known again, else a hash must decide."""
    held, expected = fetching.held, fetching.expected
    identity = held.identity
    if identity is None or (identity.size_bytes is None and not held.whole):
        return False
    if expected.size_bytes is not None and identity.size_bytes != expected.size_bytes:
        return False
    return expected.pinned or (identity.url == url and (identity.validator is not None or held.whole))


def _open(url: str, fetching: Fetching) -> Answer:
    """Ask for the first missing bytes, and lay out the pieces by what the server answers."""
    held = fetching.held
    for _ in range(3):
        piece = held.missing()
        start = piece.at if piece else 0
        known = held.identity if held.identity is not None and held.identity.url == url else None
        headers = {}
        if fetching.ranges:
            end = piece.end if piece is not None else fetching.line.part_bytes
            headers = range_headers(start, end, known)
        answer = ask(url, line=fetching.line, headers=headers)
        try:
            if _accept(answer, url, start, fetching):
                return answer
        except BaseException:
            answer.close()
            raise
        answer.close()
    raise TransientAssetError(f"{shown(url)} does not keep to the ranges that it offers")


def _accept(answer: Answer, url: str, start: int, fetching: Fetching) -> bool:
    """Begin or resume by an answer; False: ask again, what was here is dropped."""
    held = fetching.held
    if answer.status == PARTIAL and fetching.ranges:
        found = range_of(answer)
        if found is None or found[0] != start:
            fetching.ranges = False
            return False
        identity = identity_of(answer, url, found[1])
        if held.identity is None:
            return _begin(identity, fetching)
        if _continues(held.identity, identity):
            if held.done_bytes:
                fetching.say(f"continuing after {held.done_bytes / 1e6:.1f} of {found[1] / 1e6:.1f} MB")
            held.resume(identity)
            fetching.digests.advance(held.frontier())
            return True
    elif answer.status == OK:
        return _take_all(answer, url, fetching)
    elif answer.status == RANGE_NOT_SATISFIABLE and fetching.ranges:
        fetching.ranges = held.done_bytes > 0
    else:
        raise status_error(answer.status, answer.reason, answer.headers, answer.url, own=answer.own)
    if held.done_bytes:
        fetching.say(f"the file at {shown(url)} has changed since; starting again")
    fetching.start_again()
    return False


def _begin(identity: Identity, fetching: Fetching) -> bool:
    if identity.validator is None and not fetching.expected.pinned:
        fetching.ranges = False  # pieces could be of different files, and nothing would tell
        return False
    fetching.held.begin(identity, piece_bytes=fetching.line.part_bytes)
    return True


def _take_all(answer: Answer, url: str, fetching: Fetching) -> bool:
    """The answer is the whole file: its ranges are not offered, or it is another file than the one begun."""
    held = fetching.held
    if held.done_bytes:
        why = "has changed since" if fetching.ranges and _changed(held, answer) else "cannot be continued"
        fetching.say(f"the file at {shown(url)} {why}; starting again")
        fetching.start_again()
    if answer.length is None and not answer.chunked and not _end_is_known(fetching.expected):
        raise AssetError(f"{shown(url)} does not say how long the file is: its end could not be told from a cut")
    held.begin(identity_of(answer, url, answer.length), piece_bytes=None)
    return True


def _end_is_known(expected: Expected) -> bool:
    return expected.pinned or expected.size_bytes is not None


def _changed(held: Partial, answer: Answer) -> bool:
    return held.identity is not None and not held.identity.same(identity_of(answer, "", answer.length))


def _continues(known: Identity, found: Identity) -> bool:
    """Whether a part of one address's file may be continued by the other's (a hash decides between two addresses)."""
    if known.url != found.url:
        return known.size_bytes == found.size_bytes
    return known.same(found)


def _check_size(fetching: Fetching) -> None:
    announced, expected = fetching.held.size_bytes, fetching.expected.size_bytes
    if announced is not None and expected is not None and announced != expected:
        fetching.start_again()
        raise AssetError(f"the file has {announced} bytes there, and should have {expected}")
