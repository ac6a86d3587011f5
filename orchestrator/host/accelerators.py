"""Find accelerators the way the kernel shows them: PCI bus, drivers, device nodes. Loads no driver, initialises none.

Only where NVIDIA's driver runs is its own `nvidia-smi` asked for what the kernel does not say.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.domain.terms import Device
from orchestrator.host import process
from orchestrator.host.kernel_files import REAL_ROOT, children, colon_fields, number, read

_DISPLAY, _PROCESSING = "0x03", "0x12"  # PCI base classes: display controllers, processing accelerators
_SMI_QUERY = ("uuid", "name", "driver_version", "memory.total", "mig.mode.current")
_SMI_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One device. `bus` is its PCI address; `driver` the kernel driver that holds it, None where none does.

    Unknown figures are None; `memory_capacity_bytes` is what driver or kernel reports.
    """

    device: Device
    vendor: str
    model_name: str | None
    bus: str | None
    pci_id: str | None = None
    driver: str | None = None
    driver_version: str | None = None
    uuid: str | None = None
    memory_capacity_bytes: int | None = None
    mig: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerators:
    """All devices, the device nodes that lead to them, and the programs that hand them to containers.

    `toolkits` holds names of programs on PATH and the paths of CDI specifications.
    """

    devices: tuple[Accelerator, ...] = ()
    nodes: tuple[str, ...] = ()
    toolkits: tuple[str, ...] = ()

    def of(self, device: Device) -> tuple[Accelerator, ...]:
        """The devices of one kind."""
        return tuple(found for found in self.devices if found.device is device)


@dataclass(frozen=True, slots=True)
class _Maker:
    device: Device
    vendor: str
    classes: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


_MAKERS = {
    "0x10de": _Maker(Device.CUDA, "NVIDIA", (_DISPLAY,)),
    "0x1002": _Maker(Device.ROCM, "AMD", (_DISPLAY, _PROCESSING)),
    "0x8086": _Maker(Device.XPU, "Intel", (_DISPLAY,)),
    "0x17cb": _Maker(Device.QAIC, "Qualcomm", ids=("0xa080", "0xa100", "0xa110")),
    "0x1da3": _Maker(Device.HPU, "Habana"),
}
_NODES = (
    *("nvidia[0-9]*", "nvidiactl", "nvidia-uvm", "nvhost-gpu", "dxg"),
    *("kfd", "dri/renderD*", "accel/accel*", "qaic*", "hl[0-9]*"),
)
_TOOLKITS = ("nvidia-ctk", "nvidia-container-runtime", "nvidia-container-cli", "habana-container-runtime")
_SPECIFICATIONS = ("etc/cdi", "var/run/cdi")


def accelerators(root: Path = REAL_ROOT) -> Accelerators:
    """Everything found below the root; nothing found is an empty value, never an error."""
    on_bus = {found.bus: found for found in _on_pci(root)}
    for known in _of_nvidia_driver(root):
        on_bus[known.bus] = _with_pci_id(known, on_bus.get(known.bus))
    found = tuple(on_bus[bus] for bus in sorted(on_bus, key=str))
    if any(one.device is Device.CUDA and one.driver for one in found):
        found = _completed_by_smi(found)
    return Accelerators(devices=found, nodes=_nodes(root), toolkits=_toolkits(root))


def _on_pci(root: Path) -> Iterator[Accelerator]:
    for folder in children(root, "sys/bus/pci/devices"):
        maker = _MAKERS.get(read(folder, "vendor") or "")
        if maker is None:
            continue
        device_id, kind = read(folder, "device") or "", read(folder, "class") or ""
        if (maker.classes and not kind.startswith(maker.classes)) or (maker.ids and device_id not in maker.ids):
            continue
        bound = folder / "driver"
        driver = bound.readlink().name if bound.is_symlink() else None
        yield Accelerator(
            device=maker.device,
            vendor=maker.vendor,
            model_name=read(folder, "product_name") or None,
            bus=folder.name,
            pci_id=f"{read(folder, 'vendor')}:{device_id}",
            driver=driver,
            driver_version=read(root, f"sys/module/{driver}/version") if driver else None,
            memory_capacity_bytes=number(folder, "mem_info_vram_total"),
        )


def _of_nvidia_driver(root: Path) -> Iterator[Accelerator]:
    for folder in children(root, "proc/driver/nvidia/gpus"):
        told = colon_fields(read(folder, "information") or "")
        yield Accelerator(
            device=Device.CUDA,
            vendor="NVIDIA",
            model_name=told.get("Model"),
            bus=folder.name.lower(),
            driver="nvidia",
            driver_version=read(root, "sys/module/nvidia/version") or _version_line(root),
            uuid=_real_uuid(told.get("GPU UUID")),
        )


def _version_line(root: Path) -> str | None:
    """From `NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue …`: the first word like a version."""
    words = (read(root, "proc/driver/nvidia/version") or "").split()
    return next((word for word in words if word.count(".") >= 1 and word.replace(".", "").isdigit()), None)


def _real_uuid(text: str | None) -> str | None:
    return text if text and "?" not in text else None  # the driver writes question marks before its first use


def _with_pci_id(known: Accelerator, seen: Accelerator | None) -> Accelerator:
    return replace(known, pci_id=seen.pci_id) if seen else known


def _completed_by_smi(found: tuple[Accelerator, ...]) -> tuple[Accelerator, ...]:
    """Memory, identifier and MIG mode from nvidia-smi, matched by PCI address; unchanged where it does not answer."""
    fields = ",".join(("pci.bus_id", *_SMI_QUERY))
    asked = process.run(
        ("nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"), timeout_s=_SMI_PATIENCE_S
    )
    if not asked.ok:
        return found
    rows = [[cell.strip() for cell in line.split(",")] for line in asked.stdout.splitlines()]
    told = {_short_bus(row[0]): row[1:] for row in rows if len(row) == 1 + len(_SMI_QUERY)}
    return tuple(_told(one, told.get(one.bus or "")) for one in found)


def _short_bus(text: str) -> str:
    """nvidia-smi writes the PCI domain with eight digits, the kernel with four."""
    domain, colon, rest = text.lower().partition(":")
    return f"{domain[-4:]}{colon}{rest}"


def _told(one: Accelerator, row: list[str] | None) -> Accelerator:
    if row is None:
        return one
    uuid, name, version, memory_mib, mig = row
    return replace(
        one,
        uuid=uuid or one.uuid,
        model_name=name or one.model_name,
        driver_version=version or one.driver_version,
        memory_capacity_bytes=int(memory_mib) * 2**20 if memory_mib.isdigit() else None,
        mig=mig if mig in {"Enabled", "Disabled"} else None,
    )


def _nodes(root: Path) -> tuple[str, ...]:
    return tuple(f"/{node.relative_to(root)}" for pattern in _NODES for node in children(root, "dev", pattern))


def _toolkits(root: Path) -> tuple[str, ...]:
    folders = [root / folder.lstrip("/") for folder in os.environ.get("PATH", os.defpath).split(":") if folder]
    programs = (name for name in _TOOLKITS if any((folder / name).is_file() for folder in folders))
    specs = (spec for folder in _SPECIFICATIONS for spec in children(root, folder) if spec.suffix in {".yaml", ".json"})
    return (*programs, *(f"/{spec.relative_to(root)}" for spec in specs))
