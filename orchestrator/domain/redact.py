"""Take secrets out of text before it is stored or shown. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_URL_CREDENTIALS = re.compile(rb"(?P<scheme>[a-z][a-z0-9+.-]*://)[^\s/@:'\"]+:[^\s/@'\"]+@", re.IGNORECASE)
_BEARER = re.compile(rb"(?P<kind>\b(?:bearer|basic|token)\s+)[A-Za-z0-9._~+/=-]{16,}", re.IGNORECASE)
_SECRET_NAME = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)", re.IGNORECASE)
_SHORTEST_SECRET = 6


def secrets_of(environment: Mapping[str, str]) -> tuple[bytes, ...]:
    """Values of environment variables whose names say that they are secret; too short ones would redact everything."""
    found = {
        value.encode()
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET and not value.startswith("/")
    }
    return tuple(sorted(found, key=len, reverse=True))


def redact(text: bytes, secrets: Iterable[bytes] = ()) -> bytes:
    """The text with known secrets, credentials in URLs and authorization values replaced by `***`."""
    for secret in secrets:
        text = text.replace(secret, b"***")
    text = _URL_CREDENTIALS.sub(rb"\g<scheme>***@", text)
    return _BEARER.sub(rb"\g<kind>***", text)
