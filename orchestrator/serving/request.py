"""Read a completion request strictly: what this server cannot do is refused, never passed over. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.serving.fault import BadRequest

MAX_TOKENS = 4096
_KNOWN = {
    "model", "prompt", "max_tokens", "min_tokens", "temperature", "stream", "stream_options", "ignore_eos",
    "return_token_ids", "n", "top_p", "seed", "user",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A checked request: greedy decoding of `prompt` (token ids), `min_tokens` to `max_tokens` new ones.

    `usage`: a last piece tells the counts; `token_ids`: every piece carries its token's number.
    """

    prompt: tuple[int, ...]
    max_tokens: int
    min_tokens: int
    stream: bool
    usage: bool
    token_ids: bool


def read_completion(body: bytes, *, model: str, vocabulary: int) -> Completion:
    """Parse the body of a request; BadRequest names the first fault."""
    try:
        raw = json.loads(body)
    except ValueError as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise BadRequest("the body is not a JSON object")
    for key in sorted(raw.keys() - _KNOWN):
        raise BadRequest(f"'{key}' is not supported by this server")
    if raw.get("model", model) != model:
        raise BadRequest(f"the model '{raw['model']}' does not exist; this server has '{model}'", status=404)
    _check_greedy(raw)
    max_tokens = _count(raw, "max_tokens", 16, least=1)
    min_tokens = max_tokens if _flag(raw, "ignore_eos") else _count(raw, "min_tokens", 0, least=0)
    if min_tokens > max_tokens:
        raise BadRequest("'min_tokens' is more than 'max_tokens'")
    options = raw.get("stream_options") or {}
    if not isinstance(options, dict):
        raise BadRequest("'stream_options' must be an object")
    return Completion(
        prompt=_prompt(raw.get("prompt"), vocabulary),
        max_tokens=max_tokens,
        min_tokens=min_tokens,
        stream=_flag(raw, "stream"),
        usage=_flag(options, "include_usage"),
        token_ids=_flag(raw, "return_token_ids"),
    )


def _check_greedy(raw: Mapping[str, object]) -> None:
    if raw.get("temperature", 1.0) != 0:
        raise BadRequest("'temperature' must be 0: this server decodes greedily")
    if raw.get("n", 1) != 1 or raw.get("top_p", 1) != 1:
        raise BadRequest("'n' and 'top_p' must be 1: this server decodes greedily")


def _prompt(raw: object, vocabulary: int) -> tuple[int, ...]:
    if not isinstance(raw, list) or not raw:
        raise BadRequest("'prompt' must be a list of token ids: this server has no tokenizer")
    for token in raw:
        if not isinstance(token, int) or isinstance(token, bool) or not 0 <= token < vocabulary:
            raise BadRequest(f"'prompt' holds {json.dumps(token)[:40]}, which is not the id of a token")
    return tuple(raw)


def _count(raw: Mapping[str, object], key: str, default: int, *, least: int) -> int:
    value = raw.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAX_TOKENS:
        raise BadRequest(f"'{key}' must be a whole number from {least} to {MAX_TOKENS}")
    return value


def _flag(raw: Mapping[str, object], key: str) -> bool:
    value = raw.get(key, False)
    if not isinstance(value, bool):
        raise BadRequest(f"'{key}' must be true or false")
    return value
