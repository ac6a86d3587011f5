"""Root folders of machines that were not at hand, made file by file in the kernel's documented formats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

RECORDED_VM = Path(__file__).parents[1] / "recordings" / "machine" / "debian12-vm-cgroup1"

_GPU_BUS = "0000:3b:00.0"
_GPU_INFORMATION = """\
Model: \t\t NVIDIA A100-PCIE-40GB
IRQ:   \t\t 203
GPU UUID: \t GPU-11111111-2222-3333-4444-555555555555
Video BIOS: \t 92.00.25.00.08
Bus Type: \t PCIe
Bus Location: \t 0000:3b:00.0
Device Minor: \t 0
"""


def make(root: Path, files: Mapping[str, str]) -> Path:
    """Write the files below the root and return it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def two_socket_server(root: Path) -> Path:
    """Two sockets of four cores with two threads each, control groups version 2 with limits on an outer group."""
    blocks = [
        f"processor\t: {thread}\nmodel name\t: Big Processor 9000\nphysical id\t: {thread // 4 % 2}\n"
        f"core id\t\t: {thread % 4}\nmicrocode\t: 0xb000\nflags\t\t: fpu smep avx2 avx512_vnni amx_int8\n"
        for thread in range(16)
    ]
    return make(
        root,
        {
            "proc/cpuinfo": "\n".join(blocks) + "\n",
            "proc/meminfo": "MemTotal: 1048576 kB\nMemFree: 1 kB\nMemAvailable: 524288 kB\n"
            "SwapTotal: 204800 kB\nSwapFree: 102400 kB\n",
            "proc/loadavg": "3.50 1.00 0.50 2/900 4242\n",
            "proc/self/status": "Name:\tpython\nCpus_allowed_list:\t0-11\n",
            "proc/self/cgroup": "0::/outer/inner\n",
            "proc/self/mountinfo": "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
            "2 1 0:25 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n",
            "proc/sys/kernel/arch": "x86_64\n",
            "sys/fs/cgroup/outer/memory.max": "536870912\n",
            "sys/fs/cgroup/outer/cpu.max": "250000 100000\n",
            "sys/fs/cgroup/outer/inner/memory.max": "max\n",
            "sys/fs/cgroup/outer/inner/cpu.max": "max 100000\n",
            "sys/fs/cgroup/outer/inner/cpuset.cpus.effective": "0-7\n",
            "sys/devices/system/node/online": "0-1\n",
            "sys/devices/system/cpu/smt/active": "1\n",
            "sys/devices/system/cpu/intel_pstate/no_turbo": "0\n",
            "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "3800000\n",
            "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "powersave\n",
            "sys/devices/system/cpu/cpufreq/policy0/scaling_driver": "intel_pstate\n",
            "sys/devices/system/cpu/cpufreq/policy1/scaling_governor": "performance\n",
            "sys/class/dmi/id/sys_vendor": "Maker\n",
            "sys/class/dmi/id/product_name": "Server 2U\n",
            "usr/lib/os-release": 'NAME=Some\nPRETTY_NAME="Some Linux 1"\n',
        },
    )


def arm_server(root: Path) -> Path:
    """Two Arm cores: no names and no places in cpuinfo, topology in sysfs."""
    block = "processor\t: {}\nFeatures\t: fp asimd asimddp bf16 i8mm sve\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n"
    places = {f"sys/devices/system/cpu/cpu{cpu}/topology/core_id": f"{cpu}\n" for cpu in range(2)}
    sockets = {f"sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id": "0\n" for cpu in range(2)}
    return make(root, {"proc/cpuinfo": "\n".join(block.format(cpu) for cpu in range(2)), **places, **sockets})


def with_nvidia_card(root: Path, *, driver: bool) -> Path:
    """An NVIDIA card on the PCI bus, next to a network card; with or without its driver."""
    card = f"sys/bus/pci/devices/{_GPU_BUS}"
    make(
        root,
        {
            f"{card}/vendor": "0x10de\n",
            f"{card}/device": "0x20f1\n",
            f"{card}/class": "0x030200\n",
            "sys/bus/pci/devices/0000:01:00.0/vendor": "0x8086\n",
            "sys/bus/pci/devices/0000:01:00.0/device": "0x1521\n",
            "sys/bus/pci/devices/0000:01:00.0/class": "0x020000\n",
        },
    )
    if driver:
        make(
            root,
            {
                f"proc/driver/nvidia/gpus/{_GPU_BUS}/information": _GPU_INFORMATION,
                "sys/module/nvidia/version": "550.54.15\n",
                "sys/bus/pci/drivers/nvidia/module": "",
                "dev/nvidia0": "",
                "dev/nvidiactl": "",
            },
        )
        (root / card / "driver").symlink_to("../../drivers/nvidia")
    return root


def with_amd_card(root: Path) -> Path:
    """An AMD accelerator with its driver and nodes."""
    card = "sys/bus/pci/devices/0000:c1:00.0"
    make(
        root,
        {
            f"{card}/vendor": "0x1002\n",
            f"{card}/device": "0x740f\n",
            f"{card}/class": "0x038000\n",
            f"{card}/mem_info_vram_total": "68702699520\n",
            "sys/module/amdgpu/version": "6.7.0\n",
            "sys/bus/pci/drivers/amdgpu/module": "",
            "dev/kfd": "",
            "dev/dri/renderD128": "",
        },
    )
    (root / card / "driver").symlink_to("../../drivers/amdgpu")
    return root
