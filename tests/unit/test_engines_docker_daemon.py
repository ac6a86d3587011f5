"""A daemon's account of itself becomes capabilities only where it can enforce them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from orchestrator.domain.container import Capability, EngineInfo
from orchestrator.engines.docker_daemon import (
    DaemonProcess,
    GpuSupport,
    daemon_process,
    describe,
    gpu_support,
    local_socket,
)

# What dockerd 20.10.24 says on cgroup v1, shortened.
INFO: dict[str, object] = {
    "ServerVersion": "20.10.24",
    "MemoryLimit": True,
    "CPUSet": True,
    "PidsLimit": True,
    "CgroupDriver": "cgroupfs",
    "CgroupVersion": "1",
    "DockerRootDir": "/var/lib/docker",
    "Runtimes": {"runc": {"path": "runc"}},
    "SecurityOptions": ["name=seccomp,profile=default"],
    "Warnings": None,
}
VERSION: dict[str, object] = {"Os": "linux", "Arch": "amd64", "Components": [{"Name": "Engine", "Version": "20.10.24"}]}
LIMITS = {Capability.MEMORY_LIMIT, Capability.CPUSET, Capability.PIDS_LIMIT, Capability.OOM_REPORT}


def described(gpu: GpuSupport = GpuSupport(), **said: object) -> EngineInfo:  # noqa: B008 - frozen
    process = DaemonProcess(hard_limits=(("nofile", "20000"),), may_raise_limits=False)
    version = {**VERSION, **({"Components": said.pop("Components")} if "Components" in said else {})}
    return describe({**INFO, **said}, version, endpoint="unix:///s", process=process, gpu=gpu)


def test_a_root_daemon_with_cgroups_enforces_limits() -> None:
    info = described()
    assert info.capabilities >= LIMITS
    assert Capability.GPU not in info.capabilities
    assert (info.name, info.version, info.platform, info.cgroup_version) == ("docker", "20.10.24", "linux/amd64", "1")
    assert any("CAP_SYS_RESOURCE" in note and "nofile 20000" in note for note in info.notes)


@pytest.mark.parametrize(
    "said",
    [
        {"CgroupDriver": "none"},
        {"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]},
    ],
)
def test_a_daemon_that_would_ignore_limits_does_not_declare_them(said: dict[str, object]) -> None:
    info = described(**said)
    assert not LIMITS & info.capabilities
    assert any("not enforced" in note for note in info.notes)


def test_a_rootless_daemon_on_cgroup_2_enforces_what_it_says() -> None:
    info = described(SecurityOptions=["name=rootless"], CgroupVersion="2", CgroupDriver="systemd", CPUSet=False)
    assert info.rootless
    assert LIMITS - info.capabilities == {Capability.CPUSET}


def test_remapped_users_cannot_be_mapped_by_us() -> None:
    assert Capability.USER_MAPPING not in described(SecurityOptions=["name=userns"]).capabilities
    assert Capability.USER_MAPPING in described().capabilities


def test_podman_s_silence_about_memory_and_gpus_is_known() -> None:
    info = described(GpuSupport(runtime=True), Components=[{"Name": "Podman Engine", "Version": "4.3.1"}])
    assert info.name == "podman"
    assert not {Capability.OOM_REPORT, Capability.GPU} & info.capabilities


def test_a_gpu_needs_a_runtime_or_a_device_name() -> None:
    assert gpu_support(INFO, local=False) == GpuSupport()
    assert gpu_support({**INFO, "Runtimes": {"nvidia": {}}}, local=False) == GpuSupport(runtime=True)
    devices = [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}]
    assert gpu_support({**INFO, "DiscoveredDevices": devices}, local=False) == GpuSupport(cdi=True)
    assert Capability.GPU in described(GpuSupport(cdi=True)).capabilities


def test_hard_limits_are_those_of_the_process_behind_the_socket(tmp_path: Path) -> None:
    path, proc = tmp_path / "s", tmp_path / "proc"
    (proc / str(os.getpid())).mkdir(parents=True)
    own = proc / str(os.getpid())
    (own / "comm").write_text("dockerd\n")
    (own / "status").write_text("Name:\tdockerd\nCapEff:\t000001fffeffffff\n")
    (own / "limits").write_text(
        "Limit                     Soft Limit           Hard Limit           Units\n"
        "Max processes             unlimited            unlimited            processes\n"
        "Max open files            1024                 20000                files\n"
        "Max locked memory         65536                8388608              bytes\n"
    )
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        found = daemon_process(path, proc)
        (own / "comm").write_text("systemd\n")
        other = daemon_process(path, proc)
    assert dict(found.hard_limits) == {"nofile": "20000", "memlock": "8388608", "nproc": "unlimited"}
    assert not found.may_raise_limits
    assert other == DaemonProcess() == daemon_process(tmp_path / "none", proc)


def test_only_a_unix_socket_is_of_this_machine() -> None:
    assert local_socket("unix:///run/docker.sock") == Path("/run/docker.sock")
    assert local_socket("tcp://engine.example:2376") is None
