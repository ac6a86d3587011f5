"""Say what a machine lacks for a kind of accelerator: the device, its driver, the way into a container. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from orchestrator.domain.finding import Finding, fault, note, ok, warning
from orchestrator.domain.terms import Device
from orchestrator.host.accelerators import Accelerators
from orchestrator.host.machine import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class _Needs:
    """What one kind of accelerator takes on the host. `nodes`: patterns of device paths, one of each group needed."""

    title: str
    drivers: tuple[str, ...]
    nodes: tuple[tuple[str, ...], ...]
    toolkits: tuple[str, ...]
    get_driver: str
    get_nodes: str
    get_toolkit: str = ""


_NEEDS = {
    Device.CUDA: _Needs(
        title="NVIDIA GPU",
        drivers=("nvidia", "nvgpu"),
        nodes=(("/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/dxg"),),
        toolkits=("nvidia-container-runtime", "nvidia-ctk", "/etc/cdi/nvidia", "/var/run/cdi/nvidia"),
        get_driver="install NVIDIA's driver for this kernel (the distribution's package, or NVIDIA's), then nvidia-smi",
        get_nodes="as root: nvidia-modprobe -u -c=0 (or run nvidia-smi once), so that the nodes are made",
        get_toolkit="install nvidia-container-toolkit; as root: nvidia-ctk runtime configure --runtime=docker, then "
        "restart the engine",
    ),
    Device.ROCM: _Needs(
        title="AMD GPU",
        drivers=("amdgpu",),
        nodes=(("/dev/kfd",), ("/dev/dri/renderD*",)),
        toolkits=(),
        get_driver="install the amdgpu driver with ROCm support and load it: modprobe amdgpu",
        get_nodes="as root: modprobe amdgpu; the user must be in the groups that own /dev/kfd and /dev/dri/renderD*",
    ),
    Device.XPU: _Needs(
        title="Intel GPU",
        drivers=("i915", "xe"),
        nodes=(("/dev/dri/renderD*",),),
        toolkits=(),
        get_driver="load the driver: modprobe xe (or i915, by the kind of GPU); a newer kernel may be needed",
        get_nodes="as root: modprobe xe or i915; the user must be in the group that owns /dev/dri/renderD*",
    ),
    Device.QAIC: _Needs(
        title="Qualcomm Cloud AI card",
        drivers=("qaic", "mhi-pci-generic", "mhi_qaic"),
        nodes=(("/dev/accel/accel*", "/dev/qaic*"),),
        toolkits=(),
        get_driver="install Qualcomm's platform SDK, or load the kernel's own driver: modprobe qaic",
        get_nodes="as root: modprobe qaic; the user must be in the group that owns the nodes",
    ),
    Device.HPU: _Needs(
        title="Gaudi accelerator",
        drivers=("habanalabs",),
        nodes=(("/dev/accel/accel*", "/dev/hl*"),),
        toolkits=("habana-container-runtime",),
        get_driver="install the habanalabs driver for this kernel and load it: modprobe habanalabs",
        get_nodes="as root: modprobe habanalabs",
        get_toolkit="install habanalabs-container-runtime and name it among the engine's runtimes",
    ),
}


def gpu_preflight(device: Device, machine: Machine) -> tuple[Finding, ...]:
    """What `--device` of this kind finds here: device, driver, device nodes, container toolkit. Empty for the CPU.

    A fault in any of them means that a run on this device cannot start.
    """
    needs = _NEEDS.get(device)
    if needs is None:
        return ()
    found = machine.accelerators
    return (
        _present(device, needs, found),
        _driver(device, needs, found),
        *_nodes(needs, found),
        *_toolkit(needs, found),
    )


def gpu_findings(machine: Machine) -> tuple[Finding, ...]:
    """What stands in the way of the accelerators that are here; a single `ok` when there are none."""
    kinds = tuple(dict.fromkeys(one.device for one in machine.accelerators.devices))
    if not kinds:
        return (ok("accelerators", "no accelerator; runs use the processors (--device cpu)"),)
    return tuple(_milder(device, finding) for device in kinds for finding in gpu_preflight(device, machine))


def _milder(device: Device, finding: Finding) -> Finding:
    """Nobody asked for this device yet: a lack is no fault. Display adapters without the driver are no news at all."""
    if not finding.remedy:
        return finding
    say = note if device in {Device.XPU, Device.ROCM} else warning
    return say(finding.name, finding.text, finding.remedy)


def _present(device: Device, needs: _Needs, found: Accelerators) -> Finding:
    name = f"{device.value}-device"
    here = found.of(device)
    if not here and _has_nodes(needs, found):
        return ok(name, f"no {needs.title} on the PCI bus, but its device nodes are there")
    if not here:
        remedy = f"run on a machine with one, or on the processors with --device {Device.CPU.value}"
        return fault(name, f"no {needs.title} in this machine (nothing on the PCI bus, no device nodes)", remedy)
    models = ", ".join(f"{one.model_name or one.pci_id or 'unnamed'} at {one.bus}" for one in here)
    return ok(name, f"{len(here)} × {needs.title}: {models}")


def _driver(device: Device, needs: _Needs, found: Accelerators) -> Finding:
    name = f"{device.value}-driver"
    bound = [one for one in found.of(device) if one.driver in needs.drivers]
    if bound:
        return ok(name, f"driver {bound[0].driver} {bound[0].driver_version or 'of unknown version'}")
    if not found.of(device) and _has_nodes(needs, found):
        return ok(name, "a driver made the device nodes")
    others = sorted({one.driver for one in found.of(device) if one.driver})
    held = f"; the device is held by {', '.join(others)}" if others else ""
    return fault(name, f"{needs.title}: no driver is loaded{held}", needs.get_driver)


def _nodes(needs: _Needs, found: Accelerators) -> Iterator[Finding]:
    missing = [group[0] for group in needs.nodes if not _matching(group, found)]
    if missing:
        yield fault("device-nodes", f"{needs.title}: no device node {', '.join(missing)}", needs.get_nodes)
    else:
        ours = [node for group in needs.nodes for node in _matching(group, found)]
        yield ok("device-nodes", f"found: {', '.join(ours)}")


def _toolkit(needs: _Needs, found: Accelerators) -> Iterator[Finding]:
    if not needs.toolkits:
        return
    have = [name for name in found.toolkits if name.startswith(needs.toolkits)]
    if have:
        yield ok("container-toolkit", f"found: {', '.join(have)}")
    else:
        yield fault("container-toolkit", f"{needs.title}: no container toolkit is installed", needs.get_toolkit)


def _has_nodes(needs: _Needs, found: Accelerators) -> bool:
    return all(_matching(group, found) for group in needs.nodes)


def _matching(patterns: tuple[str, ...], found: Accelerators) -> tuple[str, ...]:
    return tuple(node for node in found.nodes if any(fnmatchcase(node, pattern) for pattern in patterns))
