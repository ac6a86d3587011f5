"""Whether gated assets may be fetched: one small request for each, before anything is. Fetches and stores nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from orchestrator.domain.asset import Asset, PlannedAsset, Service
from orchestrator.domain.finding import Finding, Level, fault, note, ok, warning
from orchestrator.domain.source import Bucket, Download, HuggingFace, LocalPath, StandIn, UserSupplied
from orchestrator.errors import AssetError

if TYPE_CHECKING:
    from orchestrator.assets.transfer import Line

_CONNECT_S, _SILENCE_S = 5.0, 10.0
_AT_ONCE = 8
_OK, _REDIRECTED, _NOT_FOUND = 200, 300, 404
_REFUSALS = frozenset({401, 403, 451})


class Standing(StrEnum):
    """What the test of one gated asset came to. `unknown`: it cannot be tested from here; `unreachable`: no answer."""

    WORKS = "works"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A gated asset, where the login to its service was found (null: there is none), and whether access works."""

    asset: Asset
    login: str | None
    standing: Standing
    text: str


def gated(planned: Iterable[PlannedAsset]) -> tuple[Asset, ...]:
    """The gated assets among those that a plan would fetch, each once."""
    found = {one.asset.name: one.asset for one in planned if not one.present and is_gated(one.asset)}
    return tuple(found.values())


def is_gated(asset: Asset) -> bool:
    """Whether something stands before it, and it is not the user's own copy or a stand-in."""
    return asset.gate is not None and not isinstance(asset.source, LocalPath | StandIn)


def try_access(assets: Iterable[Asset], line: Line) -> tuple[Access, ...]:
    """Ask for each gated asset, several at a time, with little patience; in the given order."""
    from concurrent.futures import ThreadPoolExecutor

    from orchestrator.assets.credentials import LoginWantedError
    from orchestrator.assets.transfer import probe

    wanted = tuple(asset for asset in assets if is_gated(asset))
    hurried = replace(line, connect_s=_CONNECT_S, silence_s=_SILENCE_S)

    def ask(url: str) -> tuple[Standing, str]:
        try:
            found = probe(url, line=hurried)
        except LoginWantedError:
            return Standing.REFUSED, "it asks for a login"
        except AssetError as error:
            return Standing.UNREACHABLE, error.cause
        return _standing(found.status)

    urls = {asset.name: asked_address(asset, line) for asset in wanted}
    asked = tuple(dict.fromkeys(url for url in urls.values() if url is not None))
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        answers = dict(zip(asked, pool.map(ask, asked), strict=True))
    return tuple(_access(asset, urls[asset.name], answers, line) for asset in wanted)


def access_findings(assets: Iterable[Asset], line: Line) -> tuple[Finding, ...]:
    """One finding for each gated asset; no network is a finding of its own, and not the lack of access."""
    tried = try_access((asset for asset in assets if not isinstance(asset.source, UserSupplied)), line)
    return (*_unreachable(tried), *(_finding(one) for one in tried if one.standing is not Standing.UNREACHABLE))


def doctors_findings(assets: Iterable[Asset], line: Line) -> tuple[Finding, ...]:
    """The same for all that a catalogue holds: what nobody asked for is a note and no fault."""
    return tuple(
        replace(found, level=Level.NOTE) if found.level is Level.FAULT else found
        for found in access_findings(assets, line)
    )


def asked_address(asset: Asset, line: Line) -> str | None:
    """What to ask in order to know whether an asset may be had; None where that cannot be told from here."""
    gate, source = asset.gate, asset.source
    if gate is None or gate.service is None:
        return None
    match source:
        case HuggingFace():
            return _hub_address(source.repository_type, source.repository, line)
        case Bucket():
            return source.uri
        case Download():
            return source.urls[0]
        case _ if gate.service is Service.HUGGINGFACE:
            return _hub_page(gate.apply_at, line)
        case _:
            return None


def _hub_page(page: str, line: Line) -> str | None:
    """The question about the repository whose page is named (`huggingface.co/[datasets/]OWNER/NAME`)."""
    parts = urlsplit(page)
    words = [word for word in parts.path.split("/") if word]
    kind = "dataset" if words[:1] == ["datasets"] else "model"
    name = words[1:3] if kind == "dataset" else words[:2]
    return _hub_address(kind, "/".join(name), line) if parts.hostname == "huggingface.co" and len(name) == 2 else None


def _hub_address(kind: str, repository: str, line: Line) -> str:
    endpoint = line.credentials.endpoint(Service.HUGGINGFACE)
    return f"{endpoint}/api/{kind}s/{quote(repository)}/auth-check"


def _standing(status: int) -> tuple[Standing, str]:
    if status in _REFUSALS:
        return Standing.REFUSED, f"it answered {status}"
    if _OK <= status < _REDIRECTED:
        return Standing.WORKS, "it may be fetched"
    if status == _NOT_FOUND:
        return Standing.UNKNOWN, "it answered 404: there is no such thing, or you may not know of it"
    return Standing.UNREACHABLE, f"it answered {status}"


def _access(asset: Asset, url: str | None, answers: dict[str, tuple[Standing, str]], line: Line) -> Access:
    service = asset.gate.service if asset.gate is not None else None
    login = line.credentials.origin(service) if service is not None else None
    standing, text = answers[url] if url is not None else (Standing.UNKNOWN, "it cannot be tested from here")
    return Access(asset=asset, login=login, standing=standing, text=text)


def _finding(access: Access) -> Finding:
    asset, gate = access.asset, access.asset.gate
    assert gate is not None  # noqa: S101 - only gated assets are tried
    name = f"access {asset.name}"
    if access.standing is Standing.WORKS:
        return ok(name, access.text)
    if access.standing is Standing.UNKNOWN:
        return note(name, f"{access.text}; first: {gate.text}", f"apply at {gate.apply_at}")
    shown = f"the login from {access.login}" if access.login else "no login"
    return fault(name, f"refused with {shown} ({access.text}); first: {gate.text}", remedy(asset))


def remedy(asset: Asset) -> str:
    """What to do in order to get a gated asset."""
    gate = asset.gate
    assert gate is not None  # noqa: S101 - only gated assets are tried
    login = f", then mlperf-docker login {gate.service.value}" if gate.service is not None else ""
    return f"apply at {gate.apply_at}{login}; or give your own copy: --asset {asset.name}=PATH"


def _unreachable(tried: tuple[Access, ...]) -> Iterator[Finding]:
    """One finding for each reason: a missing network is one thing, however many assets lie behind it."""
    reasons: dict[str, list[str]] = {}
    for one in tried:
        if one.standing is Standing.UNREACHABLE:
            reasons.setdefault(one.text, []).append(one.asset.name)
    for reason, names in reasons.items():
        text = f"nobody can tell whether you may fetch {', '.join(names)}: {reason}"
        yield warning(
            "access-network", text, "check the network, proxy and certificates: mlperf-docker doctor --network"
        )
