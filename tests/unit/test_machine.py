"""host/machine.py and its neighbours, on a recorded machine, on made ones, and on the one we run on."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from orchestrator.domain.canonical import pretty_json
from orchestrator.domain.terms import Device
from orchestrator.host.accelerators import accelerators
from orchestrator.host.cgroups import group_limits
from orchestrator.host.disks import disk, nearest_existing
from orchestrator.host.kernel_files import numbers_in_list
from orchestrator.host.machine import cpu_share, describe_machine, platform_name, processors, usable_cpus
from tests.unit.machine_trees import (
    RECORDED_VM,
    arm_server,
    make,
    two_socket_server,
    with_amd_card,
    with_nvidia_card,
)


def test_the_recorded_virtual_machine_is_described_as_it_was() -> None:
    machine = describe_machine(RECORDED_VM)
    assert machine.processors.model_name == "Intel(R) Xeon(R) Processor"
    assert (machine.processors.processors_per_node, machine.processors.cores, machine.processors.threads) == (1, 2, 2)
    assert machine.processors.architecture == "x86_64"
    assert "avx512_vnni" in machine.processors.instruction_sets
    assert "smep" not in machine.processors.instruction_sets
    assert machine.processors.caches == ("L1d 48K", "L1i 32K", "L2 2048K", "L3 107520K")
    assert machine.hypervisor
    assert machine.limits.version == "1"
    assert machine.memory.capacity_bytes == 24684084 * 1024
    assert machine.memory.limit_bytes is None
    assert machine.usable_cpus.count == 2
    assert machine.frequency.governors == ()
    assert machine.os.operating_system == "Debian GNU/Linux 12 (bookworm)"
    assert machine.accelerators.devices == ()


def test_sockets_cores_and_threads_are_told_apart(tmp_path: Path) -> None:
    found = processors(two_socket_server(tmp_path))
    assert (found.processors_per_node, found.cores, found.threads, found.numa_nodes) == (2, 8, 16, 2)
    assert found.max_frequency_mhz == 3800
    assert found.instruction_sets == ("avx2", "avx512_vnni", "amx_int8")


def test_limits_of_outer_groups_count(tmp_path: Path) -> None:
    limits = group_limits(two_socket_server(tmp_path))
    assert (limits.version, limits.memory_bytes, limits.quota_cpus, limits.cpuset) == ("2", 536870912, 2.5, "0-7")


def test_usable_processors_are_the_tightest_of_affinity_cpuset_and_quota(tmp_path: Path) -> None:
    found = cpu_share(two_socket_server(tmp_path))
    assert found.allowed == tuple(range(8))
    assert found.quota_cpus == 2.5
    assert found.count == 2


def test_a_quota_below_one_processor_still_leaves_one_thread(tmp_path: Path) -> None:
    make(two_socket_server(tmp_path), {"sys/fs/cgroup/outer/cpu.max": "50000 100000\n"})
    assert cpu_share(tmp_path).count == 1


def test_version_1_limits_are_read_from_their_own_hierarchies(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n",
        "proc/self/mountinfo": "1 0 0:1 / /cg/mem rw - cgroup cgroup rw,memory\n"
        "2 0 0:2 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n",
        "cg/mem/memory.limit_in_bytes": "9223372036854771712\n",
        "cg/mem/docker/abc/memory.limit_in_bytes": "1048576\n",
        "cg/cpu/docker/abc/cpu.cfs_quota_us": "150000\n",
        "cg/cpu/docker/abc/cpu.cfs_period_us": "100000\n",
    }
    limits = group_limits(make(tmp_path, files))
    assert (limits.version, limits.memory_bytes, limits.quota_cpus) == ("1", 1048576, 1.5)


def test_inside_a_container_the_mounts_own_top_is_our_group(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "5:memory:/docker/abc\n",
        "proc/self/mountinfo": "1 0 0:1 /docker/abc /cg/mem rw - cgroup cgroup rw,memory\n",
        "cg/mem/memory.limit_in_bytes": "2097152\n",
    }
    assert group_limits(make(tmp_path, files)).memory_bytes == 2097152


def test_frequency_names_each_governor_once(tmp_path: Path) -> None:
    found = describe_machine(two_socket_server(tmp_path)).frequency
    assert found.governors == ("performance", "powersave")
    assert (found.driver, found.turbo, found.smt) == ("intel_pstate", True, True)


def test_memory_says_what_is_swapped_out_and_limited(tmp_path: Path) -> None:
    found = describe_machine(two_socket_server(tmp_path)).memory
    assert (found.capacity_bytes, found.available_bytes, found.limit_bytes) == (1 << 30, 1 << 29, 1 << 29)
    assert (found.swap_total_bytes, found.swap_used_bytes) == (204800 * 1024, 102400 * 1024)


def test_arm_processors_get_a_name_and_a_topology(tmp_path: Path) -> None:
    found = processors(arm_server(tmp_path))
    assert found.model_name == "Arm Neoverse-V1"
    assert (found.processors_per_node, found.cores, found.threads) == (1, 2, 2)
    assert found.instruction_sets == ("asimd", "asimddp", "bf16", "i8mm", "sve")


def test_a_root_without_any_file_is_described_as_unknown(tmp_path: Path) -> None:
    machine = describe_machine(tmp_path)
    assert machine.processors.model_name is None
    assert machine.processors.cores is None
    assert machine.load is None
    assert machine.os.operating_system is None
    assert machine.usable_cpus.count >= 1


def fake_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "bin" / "nvidia-smi"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_an_nvidia_card_without_driver_is_seen_and_nvidia_smi_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_smi(tmp_path, monkeypatch, f"touch {tmp_path}/asked")
    found = accelerators(with_nvidia_card(tmp_path, driver=False))
    assert [one.device for one in found.devices] == [Device.CUDA]
    assert found.devices[0].driver is None
    assert found.nodes == ()
    assert not (tmp_path / "asked").exists()


def test_nvidia_smi_adds_what_the_kernel_does_not_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "00000000:3B:00.0, GPU-1111, NVIDIA A100-PCIE-40GB, 550.54.15, 40960, Disabled"
    fake_smi(tmp_path, monkeypatch, f"echo '{line}'")
    (card,) = accelerators(with_nvidia_card(tmp_path, driver=True)).devices
    assert card.model_name == "NVIDIA A100-PCIE-40GB"
    assert card.memory_capacity_bytes == 40960 << 20
    assert (card.uuid, card.driver, card.driver_version, card.mig) == ("GPU-1111", "nvidia", "550.54.15", "Disabled")
    assert card.pci_id == "0x10de:0x20f1"


def test_a_broken_nvidia_smi_leaves_what_the_kernel_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_smi(tmp_path, monkeypatch, "echo broken >&2; exit 9")
    found = accelerators(with_nvidia_card(tmp_path, driver=True))
    assert found.devices[0].model_name == "NVIDIA A100-PCIE-40GB"
    assert found.devices[0].memory_capacity_bytes is None
    assert found.nodes == ("/dev/nvidia0", "/dev/nvidiactl")


def test_an_amd_card_tells_its_memory_itself(tmp_path: Path) -> None:
    (card,) = accelerators(with_amd_card(tmp_path)).devices
    assert (card.device, card.driver, card.driver_version) == (Device.ROCM, "amdgpu", "6.7.0")
    assert card.memory_capacity_bytes == 68702699520


def test_two_paths_on_one_file_system_have_one_device(tmp_path: Path) -> None:
    here, deeper = disk(tmp_path), disk(tmp_path / "not" / "yet" / "made")
    assert here.device == deeper.device
    assert here.total_bytes == deeper.total_bytes > here.free_bytes >= 0
    assert nearest_existing(tmp_path / "not" / "yet" / "made") == tmp_path


def test_two_mounts_of_one_pool_have_one_device(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    table = "".join(f"1 0 0:{i} / {tmp_path}/{i} rw - zfs tank/{i} rw\n" for i in "ab")
    root = make(tmp_path / "root", {"proc/self/mountinfo": table})
    first, second = disk(tmp_path / "a", root), disk(tmp_path / "b", root)
    assert first.kind == second.kind == "zfs"
    assert first.device == second.device == "zfs:tank"


def test_a_file_system_in_memory_is_recognised(tmp_path: Path) -> None:
    table = f"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / {tmp_path} rw - tmpfs tmpfs rw\n"
    assert disk(tmp_path, make(tmp_path / "root", {"proc/self/mountinfo": table})).in_memory


def test_images_of_this_machine_have_a_platform(tmp_path: Path) -> None:
    assert platform_name(RECORDED_VM) == "linux/amd64"
    assert platform_name(make(tmp_path, {"proc/sys/kernel/arch": "aarch64\n"})) == "linux/arm64"


def test_the_kernels_lists_are_read() -> None:
    assert numbers_in_list("0-3,8,10-11") == (0, 1, 2, 3, 8, 10, 11)
    assert numbers_in_list("") == ()


def test_this_machine_is_described_at_once_and_has_a_json_form(tmp_path: Path) -> None:
    describe_machine()
    clock = time.perf_counter()
    machine = describe_machine(paths=(tmp_path,))
    seconds = time.perf_counter() - clock
    assert machine.usable_cpus.count == len(os.sched_getaffinity(0)) or machine.usable_cpus.quota_cpus
    assert usable_cpus() == machine.usable_cpus.count
    assert machine.disks[0].path == tmp_path
    assert '"schema_version": 1' in pretty_json(machine)
    if not machine.accelerators.of(Device.CUDA):
        assert seconds < 0.5  # 5 ms where it was measured; loaded test machines are given time
