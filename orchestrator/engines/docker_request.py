"""What a ContainerSpec is in Docker's terms: the request to the API and the command line a person would type. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from orchestrator.domain.container import ContainerSpec, Mount

if TYPE_CHECKING:
    from docker import APIClient
    from docker.types import DeviceRequest, HostConfig

NO_NEW_PRIVILEGES = "no-new-privileges"
CDI_VENDOR = "nvidia.com/gpu"


def environment(spec: ContainerSpec) -> dict[str, str]:
    """The container's variables; a mapped user has no passwd entry, so HOME and USER are said."""
    mapped = {"HOME": "/tmp", "USER": "mlperf"} if spec.user is not None else {}  # noqa: S108 - inside the container
    return {**mapped, **dict(spec.environment)}


def host_config(api: APIClient, spec: ContainerSpec, *, cdi: bool) -> HostConfig:
    """Isolation, limits, mounts and devices. No log is kept by the engine: output goes to us alone."""
    from docker.types import LogConfig, Ulimit
    from docker.types import Mount as BindMount

    limits = spec.limits
    return api.create_host_config(
        init=True,
        network_mode=network_mode(spec),
        privileged=spec.privileged,
        ipc_mode="host" if spec.ipc_host else None,
        devices=[f"{device}:{device}:rwm" for device in spec.devices] or None,
        group_add=list(spec.groups) or None,
        runtime=spec.runtime,
        ulimits=[Ulimit(name=name, soft=soft, hard=hard) for name, soft, hard in limits.ulimits] or None,
        read_only=spec.read_only_root,
        tmpfs={str(path): "" for path in spec.tmpfs},
        mounts=[
            BindMount(str(mount.target), str(mount.source), type="bind", read_only=mount.read_only)
            for mount in spec.mounts
        ],
        cap_drop=["ALL"] if spec.drop_capabilities else None,
        cap_add=list(spec.add_capabilities) or None,
        security_opt=security_options(spec) or None,
        mem_limit=limits.memory_bytes,
        memswap_limit=limits.memory_bytes,
        cpuset_cpus=limits.cpuset,
        pids_limit=limits.pids,
        shm_size=limits.shm_bytes,
        device_requests=[_gpus(spec.gpus, cdi=cdi)] if spec.gpus else None,
        log_config=LogConfig(type=LogConfig.types.NONE),
    )


def network_mode(spec: ContainerSpec) -> str:
    """Docker's word for the network: a service's, or the kind."""
    return f"container:{spec.joins}" if spec.joins is not None else spec.network.value


def security_options(spec: ContainerSpec) -> list[str]:
    """No new privileges where capabilities are dropped, and what the plan asks for."""
    own = [f"{NO_NEW_PRIVILEGES}:true"] if spec.drop_capabilities and not spec.privileged else []
    return [*own, *spec.security_options]


def _gpus(gpus: tuple[str, ...], *, cdi: bool) -> DeviceRequest:
    from docker.types import DeviceRequest

    if cdi:
        return DeviceRequest(driver="cdi", device_ids=[f"{CDI_VENDOR}={gpu}" for gpu in gpus])
    if gpus == ("all",):
        return DeviceRequest(count=-1, capabilities=[["gpu"]])
    return DeviceRequest(device_ids=list(gpus), capabilities=[["gpu"]])


def command_line(spec: ContainerSpec) -> str:
    """`docker run …` for the same container, quoted for a POSIX shell. Labels and log settings are left out."""
    line = ["docker", "run", "--rm", "--init", *(["--interactive", "--tty"] if spec.interactive else [])]
    line += ["--network", network_mode(spec)]
    line += ["--hostname", spec.hostname] if spec.hostname and spec.joins is None else []
    line += ["--runtime", spec.runtime] if spec.runtime else []
    line += ["--privileged"] if spec.privileged else []
    line += ["--ipc", "host"] if spec.ipc_host else []
    line += ["--user", _user(spec.user)] if spec.user is not None else []
    line += ["--read-only"] if spec.read_only_root else []
    for path in spec.tmpfs:
        line += ["--tmpfs", str(path)]
    line += ["--cap-drop", "ALL"] if spec.drop_capabilities else []
    for option in security_options(spec):
        line += ["--security-opt", option.removesuffix(":true")]
    for capability in spec.add_capabilities:
        line += ["--cap-add", capability]
    line += _limits(spec)
    for device in spec.devices:
        line += ["--device", device]
    for group in spec.groups:
        line += ["--group-add", group]
    if spec.gpus:
        line += ["--gpus", "all" if spec.gpus == ("all",) else f'"device={",".join(spec.gpus)}"']
    for mount in spec.mounts:
        line += ["--mount", _mount(mount)]
    for name, value in environment(spec).items():
        line += ["--env", f"{name}={value}"]
    return shlex.join([*line, "--workdir", str(spec.workdir), spec.image, *spec.command])


def _user(user: tuple[int, int]) -> str:
    return f"{user[0]}:{user[1]}"


def _limits(spec: ContainerSpec) -> list[str]:
    asked = {
        "--memory": spec.limits.memory_bytes,
        "--memory-swap": spec.limits.memory_bytes,
        "--cpuset-cpus": spec.limits.cpuset,
        "--pids-limit": spec.limits.pids,
        "--shm-size": spec.limits.shm_bytes,
    }
    limits = [f"{name}={soft}:{hard}" for name, soft, hard in spec.limits.ulimits]
    return [
        *(word for option, value in asked.items() if value is not None for word in (option, str(value))),
        *(word for limit in limits for word in ("--ulimit", limit)),
    ]


def _mount(mount: Mount) -> str:
    fields = ["type=bind", f"source={mount.source}", f"target={mount.target}"]
    fields += ["readonly"] if mount.read_only else []
    return ",".join(_csv(field) for field in fields)


def _csv(field: str) -> str:
    """The option's value is one line of CSV: a comma or a quote in a path has to be quoted there."""
    return '"' + field.replace('"', '""') + '"' if set(field) & {",", '"'} else field
