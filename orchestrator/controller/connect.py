"""The composition root: the one place that knows which adapter stands behind which port."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestrator.config.images import image_entries
from orchestrator.config.settings import Settings
from orchestrator.controller.host_facts import host_facts
from orchestrator.controller.line import learn_secrets, line_of
from orchestrator.controller.planning import Ground
from orchestrator.controller.preparation import ContainerPreparer, Reach, choice_of_step
from orchestrator.controller.run import Tools
from orchestrator.domain.container import Network
from orchestrator.domain.finding import Finding
from orchestrator.domain.image import ImageChoice
from orchestrator.domain.ports import Assets, Engine, Images
from orchestrator.domain.site import Site
from orchestrator.domain.source import Prepared, Scripted
from orchestrator.domain.terms import EngineName
from orchestrator.errors import EngineError
from orchestrator.host.machine import describe_machine, platform_name
from orchestrator.host.site import detect_site

if TYPE_CHECKING:
    from orchestrator.images.places import Places

_HERE = (EngineName.DOCKER, EngineName.NATIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """Everything wired for one engine; nothing has been contacted yet."""

    engine: Engine
    images: Images
    assets: Assets
    ground: Ground

    @property
    def tools(self) -> Tools:
        """What a run works with."""
        return Tools(engine=self.engine, images=self.images, assets=self.assets, describe_machine=describe_machine)


def connect_to(engine: EngineName, settings: Settings, *, round_name: str, choice: ImageChoice) -> Connected:
    """Wire the adapters for an engine; EngineError for one that this version does not have."""
    if engine not in _HERE:
        raise EngineError(
            f"this version does not drive {engine.value} yet",
            hint=f"engines it drives: {', '.join(name.value for name in _HERE)}",
        )
    learn_secrets()
    site = site_of(settings)
    carrier, images = _adapters(engine, settings, site)
    platform = platform_name()
    preparer = ContainerPreparer(
        engine=carrier,
        images=images,
        round=round_name,
        platform=platform,
        user=(os.geteuid(), os.getegid()),
        choices=lambda entry: choice_of_step(image_entries()[entry], choice),
        logs=settings.cache_dir / "logs",
        reach=lambda: _reach(site),
    )
    assets = _assets(settings, preparer, code_key=preparer.code_key)
    ground = Ground(
        images=images,
        assets=assets,
        platform=platform,
        host=host_facts(),
        work=settings.cache_dir / "work",
        now=datetime.now(UTC),
    )
    return Connected(engine=carrier, images=images, assets=assets, ground=ground)


def engine_of(engine: EngineName, settings: Settings) -> Engine:
    """The engine alone."""
    return _adapters(engine, settings, Site())[0]


def examine(settings: Settings, *, network: bool) -> tuple[Finding, ...]:
    """The doctor's findings for these settings."""
    from orchestrator.controller.doctor import Surroundings, doctor
    from orchestrator.controller.login import access_to_gated

    around = Surroundings(
        cache_dir=settings.cache_dir,
        results_dir=settings.results_dir,
        site=site_of(settings),
        network=network,
        endpoint=settings.docker_url,
        access=lambda: access_to_gated(settings, ask=network),
    )
    name = settings.engine or EngineName.DOCKER
    return doctor(engine=lambda: engine_of(name, settings), around=around)


def site_of(settings: Settings) -> Site:
    """The host's network settings, with what the user named on top."""
    return detect_site(
        ca_bundle=settings.ca_bundle,
        http_proxy=settings.http_proxy,
        https_proxy=settings.https_proxy,
        no_proxy=settings.no_proxy,
    )


def places_of(settings: Settings) -> Places:
    """Where the settings say that images come from and go to."""
    from orchestrator.images.places import Places

    return Places(
        registry=settings.registry,
        mirrors=settings.mirrors,
        lock_file=settings.images_lock,
        key=settings.image_key,
        stall_s=settings.registry_timeout_s,
    )


def _reach(site: Site) -> Reach:
    """The way out for steps that download; the host's network where a proxy is on its loopback."""
    from orchestrator.images.site_files import site_certificates

    proxies = {"http_proxy": site.http_proxy, "https_proxy": site.https_proxy, "no_proxy": site.no_proxy}
    found = ((spelling, value) for name, value in proxies.items() if value for spelling in (name, name.upper()))
    return Reach(
        network=Network.HOST if site.build_network == "host" else Network.BRIDGE,
        environment=tuple(found),
        certificates=site_certificates(site, public=True),
    )


def _adapters(engine: EngineName, settings: Settings, site: Site) -> tuple[Engine, Images]:
    entries = image_entries()
    if engine is EngineName.NATIVE:
        from orchestrator.engines.native import NativeEngine
        from orchestrator.images.environment import NativeEnvironments

        return NativeEngine(), NativeEnvironments(entries, cache=settings.cache_dir, site=site)
    from orchestrator.engines.docker import DockerEngine
    from orchestrator.images.docker_images import DockerImages

    url = settings.docker_url
    images = DockerImages(entries, url=url, site=site, cache=settings.cache_dir, places=places_of(settings))
    return DockerEngine(url), images


def _assets(
    settings: Settings, preparer: ContainerPreparer, *, code_key: Callable[[Prepared | Scripted], str]
) -> Assets:
    from orchestrator.assets.store import CacheStore

    return CacheStore(
        settings.cache_dir,
        prepare=preparer,
        line=lambda: line_of(settings),
        site_caches=settings.site_caches,
        code_key=code_key,
    )
