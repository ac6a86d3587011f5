"""The line a person would type says everything the API request says."""

from __future__ import annotations

import shlex
from itertools import pairwise
from pathlib import Path, PurePosixPath

import docker
import pytest

from orchestrator.domain.container import ContainerSpec, Limits, Mount, Network
from orchestrator.engines.docker_request import command_line, environment, host_config

FULL = ContainerSpec(
    image="sha256:" + "0" * 64,
    command=("python", "-c", "print('it''s')"),
    mounts=(
        Mount(source=Path("/data"), target=PurePosixPath("/dataset")),
        Mount(source=Path('/odd, "quoted"'), target=PurePosixPath("/out"), read_only=False),
    ),
    environment=(("NAME", "a value"),),
    user=(1000, 100),
    workdir=PurePosixPath("/out"),
    network=Network.BRIDGE,
    limits=Limits(memory_bytes=1 << 30, cpuset="0-3", pids=512, shm_bytes=1 << 26),
    add_capabilities=("SYS_PTRACE",),
    gpus=("0", "2"),
)


def test_every_wish_is_on_the_command_line() -> None:
    words = shlex.split(command_line(FULL))
    pairs = set(pairwise(words))
    assert {
        ("--network", "bridge"),
        ("--user", "1000:100"),
        ("--tmpfs", "/tmp"),
        ("--cap-drop", "ALL"),
        ("--cap-add", "SYS_PTRACE"),
        ("--security-opt", "no-new-privileges"),
        ("--memory", str(1 << 30)),
        ("--memory-swap", str(1 << 30)),
        ("--cpuset-cpus", "0-3"),
        ("--pids-limit", "512"),
        ("--shm-size", str(1 << 26)),
        ("--gpus", '"device=0,2"'),
        ("--mount", "type=bind,source=/data,target=/dataset,readonly"),
        ("--mount", 'type=bind,"source=/odd, ""quoted""",target=/out'),
        ("--env", "HOME=/tmp"),
        ("--env", "NAME=a value"),
        ("--workdir", "/out"),
    } <= pairs
    assert {"--rm", "--init", "--read-only"} <= set(words)
    assert tuple(words[-4:]) == (FULL.image, *FULL.command)


def test_only_an_interactive_container_gets_a_terminal() -> None:
    plain = ContainerSpec(image="i", command=("sh",))
    assert "--tty" not in command_line(plain)
    assert "--tty" in command_line(ContainerSpec(image="i", command=("sh",), interactive=True))


def test_a_plan_s_own_home_wins_and_no_user_means_no_home() -> None:
    assert environment(ContainerSpec(image="i", command=("sh",))) == {}
    mapped = ContainerSpec(image="i", command=("sh",), user=(0, 0), environment=(("HOME", "/out"),))
    assert environment(mapped)["HOME"] == "/out"


def test_the_request_asks_for_the_same_isolation_and_keeps_no_log() -> None:
    asked = host_config(docker.APIClient(version="1.41"), FULL, cdi=False)
    assert (asked["Init"], asked["ReadonlyRootfs"], asked["NetworkMode"]) == (True, True, "bridge")
    assert (asked["CapDrop"], asked["CapAdd"]) == (["ALL"], ["SYS_PTRACE"])
    assert (asked["Memory"], asked["MemorySwap"], asked["PidsLimit"]) == (1 << 30, 1 << 30, 512)
    assert asked["LogConfig"]["Type"] == "none"
    assert [mount["ReadOnly"] for mount in asked["Mounts"]] == [True, False]


@pytest.mark.parametrize(
    ("gpus", "cdi", "expected"),
    [
        (("all",), False, {"Driver": "", "Count": -1, "DeviceIDs": []}),
        (("0", "MIG-x"), False, {"Driver": "", "Count": 0, "DeviceIDs": ["0", "MIG-x"]}),
        (("all",), True, {"Driver": "cdi", "Count": 0, "DeviceIDs": ["nvidia.com/gpu=all"]}),
    ],
)
def test_gpus_are_asked_for_in_the_daemon_s_own_terms(
    gpus: tuple[str, ...], cdi: bool, expected: dict[str, object]
) -> None:
    spec = ContainerSpec(image="i", command=("sh",), gpus=gpus)
    (request,) = host_config(docker.APIClient(version="1.41"), spec, cdi=cdi)["DeviceRequests"]
    assert expected.items() <= request.items()
