"""Take secrets out of text before it is stored or shown. Pure, but for the secrets that it has been told of."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote, unquote, urlsplit

from orchestrator.domain.canonical import JsonValue

MASK = "***"
_MASKED = MASK.encode()
# Of any scheme where a password stands; of http also a name alone: some take a token for it.
_URL_LOGIN = re.compile(
    rb"(?P<scheme>\b(?:https?://(?=[^\s/'\"<>?#@]{1,512}@)|[a-z][a-z0-9+.-]{0,20}://(?=[^\s/'\"<>?#@:]{0,256}:)))"
    rb"[^\s/'\"<>]{1,512}@",
    re.IGNORECASE,
)
# "basic" and "token" stand in ordinary sentences, too: a long word after them is a secret when no word is spelt so.
_BEARER = re.compile(
    rb"(?P<kind>\b(?:(?i:bearer)\s+|(?i:basic|token)\s+(?=[a-z._~+/-]*[A-Z0-9=])))[A-Za-z0-9._~+/=-]{16,}"
)
_SIGNED_QUERY = re.compile(
    rb"(?P<name>[?&;](?:x-(?:amz|goog|oss|cos)-(?:signature|credential|security-token)|signature|sig|policy|"
    rb"key-pair-id|awsaccesskeyid|googleaccessid|access_token|auth_token|token|jwt|api_?key|secret|password|hdnea|"
    rb"verify)=)[^&\s'\"<>\\]+",
    re.IGNORECASE,
)
_SECRET_HEADER = re.compile(
    rb"(?P<name>\b(?:cf-access-(?:client-secret|client-id|token|jwt-assertion)|cf_authorization|set-cookie|cookie|"
    rb"(?:proxy-)?authorization|x-registry-auth)['\"]?\s*[:=]\s*['\"]?)(?!bearer\s|basic\s|token\s)[^\s'\",;}]{6,}",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)", re.IGNORECASE)
_SHORTEST_SECRET = 6

_KNOWN: set[bytes] = set()


def remember(secrets: Iterable[bytes]) -> None:
    """Have these, too, taken out of all that is redacted from now on; too short ones would redact everything."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            _KNOWN.update(_spellings(secret))


def forget() -> None:
    """Know no secrets again (for tests)."""
    _KNOWN.clear()


def secrets_of(environment: Mapping[str, str]) -> tuple[bytes, ...]:
    """Values of environment variables that are secret by their names, and the passwords in those that are addresses.

    Too short ones would redact everything.
    """
    found = {
        value.encode()
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET and not value.startswith("/")
    }
    for value in environment.values():
        found.update(login_secrets(value))
    return tuple(sorted(found, key=len, reverse=True))


def login_secrets(address: str | None) -> tuple[bytes, ...]:
    """The password in an address: as it stands, as it is meant, and as an authorization header has it."""
    if not address or "://" not in address or "@" not in address:
        return ()
    try:
        parts = urlsplit(address)
        name, password = parts.username or "", parts.password or ""
    except ValueError:
        return ()
    meant = unquote(password)
    basic = b64encode(f"{unquote(name)}:{meant}".encode())
    found = {password.encode(), meant.encode(), basic} if password else set()
    return tuple(sorted(secret for secret in found if len(secret) >= _SHORTEST_SECRET))


def redact(text: bytes, secrets: Iterable[bytes] = ()) -> bytes:
    """The text with known secrets, logins in addresses, authorization values and signed queries replaced by `***`."""
    for secret in sorted({*secrets, *_KNOWN}, key=len, reverse=True):
        text = text.replace(secret, _MASKED)
    if b"://" in text:
        text = _URL_LOGIN.sub(rb"\g<scheme>***@", text)
    if b"=" in text:
        text = _SIGNED_QUERY.sub(rb"\g<name>***", text)
    text = _BEARER.sub(rb"\g<kind>***", text)
    return _SECRET_HEADER.sub(rb"\g<name>***", text)


class RedactedLines:
    """Passes output on line by line without secrets, however it was cut into pieces."""

    def __init__(self, write: Callable[[bytes], object], secrets: Iterable[bytes] = ()) -> None:
        self._write = write
        self._secrets = tuple(secrets)
        self._rest = b""

    def write(self, piece: bytes) -> None:
        """Take some bytes; whole lines (and those that are to be written over) are passed on at once."""
        held = self._rest + piece
        end = max(held.rfind(b"\n"), held.rfind(b"\r")) + 1
        self._rest = held[end:]
        if end:
            self._write(redact(held[:end], self._secrets))

    def flush(self) -> None:
        """Pass on an unfinished last line, and end it."""
        if self._rest:
            self._write(redact(self._rest + b"\n", self._secrets))
            self._rest = b""


def redact_text(text: str, secrets: Iterable[bytes] = ()) -> str:
    """The same for text."""
    return redact(text.encode("utf-8", "surrogateescape"), secrets).decode("utf-8", "surrogateescape")


def redact_tree(value: JsonValue) -> JsonValue:
    """The same for every text in a JSON value; keys, numbers and the form of it stay."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, list):
        return [redact_tree(item) for item in value]
    if isinstance(value, dict):
        return {key: redact_tree(item) for key, item in value.items()}
    return value


def redact_address(address: str) -> str:
    """An address without its login and its signature, for showing."""
    return redact_text(address) if "://" in address else redact_text(f"x://{address}").removeprefix("x://")


def _spellings(secret: bytes) -> set[bytes]:
    """A secret as it is, as an address spells it, and as JSON does."""
    text = secret.decode("utf-8", "replace")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return {secret, quote(text, safe="").encode(), quote(text).encode(), escaped.encode()}
