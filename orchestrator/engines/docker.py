"""The Docker engine, through its SDK (never its command line). Knows no vendor, no benchmark."""

from __future__ import annotations

import logging
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.domain.container import OWNER_LABEL, RUN_LABEL, ContainerSpec, EngineInfo
from orchestrator.domain.ports import Output
from orchestrator.domain.terms import EngineName
from orchestrator.engines import docker_daemon, terminal
from orchestrator.engines.admission import require, require_sources, require_terminal
from orchestrator.engines.docker_container import Channel, DockerContainer
from orchestrator.engines.docker_request import command_line, environment, host_config
from orchestrator.errors import EngineError
from orchestrator.host.docker_api import connect, engine_errors, engine_url
from orchestrator.host.interruption import to_the_end
from orchestrator.host.owner import owner_label, owner_lives

if TYPE_CHECKING:
    from docker import APIClient

_LOG = logging.getLogger(__name__)
_GOING = (404, 409)


class DockerEngine:
    """Carries containers with a Docker-compatible daemon; connects on first use and keeps that connection."""

    def __init__(self, url: str | None = None) -> None:
        self._url = engine_url(url)
        self._connected: APIClient | None = None
        self._described: EngineInfo | None = None
        self._gpu = docker_daemon.GpuSupport()

    @property
    def name(self) -> EngineName:
        """docker."""
        return EngineName.DOCKER

    def info(self) -> EngineInfo:
        """What this daemon is and what it really enforces; asked once."""
        if self._described is None:
            local = docker_daemon.local_socket(self._url)
            with engine_errors("describe itself"):
                found, version = self._api.info(), self._api.version()
            self._gpu = docker_daemon.gpu_support(found, local=local is not None)
            self._described = docker_daemon.describe(
                found,
                version,
                endpoint=self._url,
                process=docker_daemon.daemon_process(local) if local else docker_daemon.DaemonProcess(),
                gpu=self._gpu,
            )
        return self._described

    @contextmanager
    def start(self, spec: ContainerSpec, *, run_id: str, output: Output) -> Iterator[DockerContainer]:
        """Start a container; however the body ends, it is killed and removed afterwards."""
        with self._created(spec, run_id=run_id, interactive=False) as container:
            container.begin(output, watch_memory=docker_daemon.local_socket(self._url) is not None)
            yield container

    def shell(self, spec: ContainerSpec, *, run_id: str) -> int:
        """Run the command on the caller's terminal; returns its exit status. The terminal is always given back."""
        asked = replace(spec, interactive=True)
        require_terminal(terminal.is_there())
        with self._created(asked, run_id=run_id, interactive=True) as container:
            with engine_errors("start the container"):
                channel = Channel(self._api, container.id, stdin=True)
            try:
                with engine_errors("start the container"):
                    self._api.start(container.id)
                terminal.bridge(channel.socket, resize=lambda rows, columns: self._resize(container.id, rows, columns))
                return container.wait().code
            finally:
                channel.close()

    def equivalent(self, spec: ContainerSpec) -> str:
        """The `docker run …` line a person would type; for showing only."""
        return command_line(spec)

    def clean(self) -> tuple[str, ...]:
        """Remove containers, networks and volumes whose owner is dead; returns `container NAME` and the like."""
        api = self._api
        labelled = {"label": OWNER_LABEL}
        with engine_errors("list what was left behind"):
            containers = api.containers(all=True, filters=labelled)
            networks = api.networks(filters=labelled)
            volumes = api.volumes(filters=labelled).get("Volumes") or []
        removed = [
            f"container {item['Names'][0].lstrip('/')}"
            for item in containers
            if _orphaned(item) and self._remove(item["Id"])
        ]
        removed += [
            f"network {item['Name']}"
            for item in networks
            if _orphaned(item) and _gone(partial(api.remove_network, item["Id"]), "remove a network")
        ]
        removed += [
            f"volume {item['Name']}"
            for item in volumes
            if _orphaned(item) and _gone(partial(api.remove_volume, item["Name"]), "remove a volume")
        ]
        return tuple(removed)

    @property
    def _api(self) -> APIClient:
        if self._connected is None:
            self._connected = connect(self._url).api
        return self._connected

    @contextmanager
    def _created(self, spec: ContainerSpec, *, run_id: str, interactive: bool) -> Iterator[DockerContainer]:
        """A container of ours, named by us: an interrupted creation can still be undone."""
        info = self.info()
        require(spec, info.capabilities, info.name)
        if docker_daemon.local_socket(self._url) is not None:
            require_sources(spec.mounts)
        name = f"mlperf-docker-{re.sub('[^A-Za-z0-9_.-]', '-', run_id)[:80]}-{uuid.uuid4().hex[:8]}"
        container: DockerContainer | None = None
        try:
            container = to_the_end(lambda: self._create(name, spec, run_id=run_id, interactive=interactive))
            yield container
        finally:
            self._remove(name)
            if container is not None:
                container.release()

    def _create(self, name: str, spec: ContainerSpec, *, run_id: str, interactive: bool) -> DockerContainer:
        from docker.errors import ImageNotFound

        variables = environment(spec)
        if interactive and "TERM" in os.environ:
            variables = {"TERM": os.environ["TERM"], **variables}
        try:
            with engine_errors("create the container"):
                made = self._api.create_container(
                    spec.image,
                    list(spec.command),
                    name=name,
                    user=self._user(spec),
                    environment=variables,
                    working_dir=str(spec.workdir),
                    hostname=spec.hostname if spec.joins is None else None,
                    labels={**dict(spec.labels), OWNER_LABEL: owner_label(), RUN_LABEL: run_id},
                    stdin_open=interactive,
                    tty=interactive,
                    host_config=host_config(self._api, spec, cdi=self._gpu.cdi and not self._gpu.runtime),
                    use_config_proxy=False,
                )
        except EngineError as error:
            if isinstance(error.__cause__, ImageNotFound):
                raise EngineError(
                    f"the engine at {self._url} holds no image {spec.image}",
                    hint="`mlperf-docker images list` shows what there is, `mlperf-docker images build NAME` makes one",
                ) from error
            raise
        return DockerContainer(
            self._api, made["Id"], command=spec.command[0], warnings=tuple(made.get("Warnings") or ())
        )

    def _user(self, spec: ContainerSpec) -> str | None:
        """`uid:gid` inside, so that what is written belongs to the one asked for outside."""
        if spec.user is None:
            return None
        if not self.info().rootless:
            return f"{spec.user[0]}:{spec.user[1]}"
        if spec.user[0] != os.geteuid():
            raise EngineError(
                f"the rootless engine at {self._url} cannot write files as user {spec.user[0]}",
                hint="map the user who calls, or use a daemon that runs as root",
            )
        return "0:0"  # root inside a rootless engine is its owner outside

    def _resize(self, container_id: str, rows: int, columns: int) -> None:
        try:
            with engine_errors("resize the terminal"):
                self._api.resize(container_id, rows, columns)
        except EngineError as error:
            _LOG.debug("%s", error)

    def _remove(self, container: str) -> bool:
        """Kill and remove it, uninterrupted; true when that removed it. A failure is logged, never raised."""

        def removed() -> bool:
            return _gone(lambda: self._api.remove_container(container, force=True, v=True), f"remove {container}")

        return to_the_end(removed)


def _gone(remove: Callable[[], object], doing: str) -> bool:
    """Whether this call removed it: not when it was gone already, or is being removed by another."""
    from docker.errors import APIError

    try:
        with engine_errors(doing):
            remove()
    except EngineError as error:
        if not (isinstance(error.__cause__, APIError) and error.__cause__.status_code in _GOING):
            _LOG.warning("%s; `mlperf-docker clean` tries again later", error)
        return False
    return True


def _orphaned(item: Mapping[str, object]) -> bool:
    labels = item.get("Labels")
    return isinstance(labels, dict) and not owner_lives(str(labels.get(OWNER_LABEL, "")))
