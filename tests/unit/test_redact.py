"""Secrets are taken out of text in whatever spelling; ordinary text is left alone."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator

import pytest

from orchestrator.domain.redact import (
    forget,
    login_secrets,
    redact,
    redact_address,
    redact_text,
    redact_tree,
    remember,
    secrets_of,
)


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    forget()
    yield
    forget()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("proxy http://user:pass-word@proxy:3128 refused", "pass-word"),
        ("clone https://ghp_tokentoken@github.com/x failed", "ghp_tokentoken"),
        ("http://user:p@ss:w@rd@proxy:3128/", "rd@proxy"),
        ("socks5h://me:hidden1@proxy", "hidden1"),
        ("https://cdn.example/f?X-Amz-Credential=AKIA%2F1&X-Amz-Signature=abcdef0123&x=1", "abcdef0123"),
        ("https://cdn.example/f?X-Amz-Credential=AKIA%2F1&X-Amz-Signature=abcdef0123&x=1", "AKIA"),
        ("https://cdn.example/f?Expires=1&amp;Policy=eyJTdGF0&amp;Signature=xyz~12&amp;Key-Pair-Id=K1", "eyJTdGF0"),
        ("https://cdn.example/f?Expires=1&amp;Policy=eyJTdGF0&amp;Signature=xyz~12&amp;Key-Pair-Id=K1", "xyz~12"),
        ("https://blob.example/f?sv=2020&sig=a%2Bb%3D", "a%2Bb"),
        ("https://x.example/?access_token=abc123", "abc123"),
        ("Authorization: Bearer abcdefghijklmnop1", "abcdefghijklmnop1"),
        ("{'Authorization': 'Basic dXNlcjpwYXNzd29yZA=='}", "dXNlcjpwYXNzd29yZA"),
        ("CF-Access-Client-Secret: 0123456789abcdef", "0123456789abcdef"),
        ("cf-access-token: eyJhbGci.eyJh.sig", "eyJh"),
        ("Set-Cookie: CF_Authorization=eyJhbGci.eyJh.sig; path=/", "eyJh"),
        ("X-Registry-Auth: eyJ1c2VybmFtZSI6", "eyJ1c2Vy"),
    ],
)
def test_a_secret_that_form_betrays_is_taken_out(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:mlcommons/inference.git",
        "https://github.com/mlcommons/inference/tree/v6.1?tab=readme",
        "http://proxy.example:3128",
        "user@host and https://a.example/x, then b@c",
        "tokens per second 12.5; token latencies; a basic test",
        "the first token generation-latencies-are-long, basic characteristics-of-models",
        "see https://x.example/?page=2&size=3",
        "cpu:0 mem@4 = 5",
        "https://a.example/a@b",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact_text(text) == text


def test_known_secrets_go_in_every_spelling() -> None:
    secret = 'p"a/s\\s w%rd'  # noqa: S105 - planted
    remember([secret.encode()])
    for text in (secret, json.dumps({"x": secret}), "http://h/?x=p%22a%2Fs%5Cs%20w%25rd"):
        assert "rd" not in redact_text(text).replace("password", ""), text


def test_too_short_a_secret_does_not_redact_everything() -> None:
    remember([b"a", b"", b"12345"])
    assert redact(b"a 12345") == b"a 12345"


def test_the_longest_secret_is_taken_first() -> None:
    assert redact(b"abcdef-longer", [b"abcdef", b"abcdef-longer"]) == b"***"


def test_passwords_of_proxy_variables_count_as_secrets_in_every_form() -> None:
    found = secrets_of({"https_proxy": "http://me:se%40cret@proxy:3128", "HOME": "/home/me"})
    assert set(found) == {b"se%40cret", b"se@cret", b64encode(b"me:se@cret")}
    assert login_secrets("http://proxy:3128") == login_secrets(None) == login_secrets("http://[bad@") == ()


def test_an_address_without_a_scheme_loses_its_login_too() -> None:
    assert redact_address("user:secret@proxy:3128") == "***@proxy:3128"
    assert redact_address("proxy:3128") == "proxy:3128"


def test_a_json_value_keeps_its_form() -> None:
    remember([b"planted-secret"])
    value = redact_tree({"planted-secret": ["a planted-secret", 1, None, {"b": True}]})
    assert value == {"planted-secret": ["a ***", 1, None, {"b": True}]}


def test_a_long_line_is_redacted_in_no_time() -> None:
    text = b"a://" * 20_000 + b":" * 50_000 + b"@" + b"&sig=" * 10_000 + b"basic " * 20_000
    assert redact(text)
