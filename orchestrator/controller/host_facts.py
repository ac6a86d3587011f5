"""The machine as far as plans depend on it. Reads; decides nothing."""

from __future__ import annotations

import functools
import grp

from orchestrator.domain.situation import Gpu, Host
from orchestrator.host.machine import IMAGE_ARCHITECTURES, Machine, describe_machine


@functools.cache
def this_machine() -> Machine:
    """The machine as it was when first asked; once in a process."""
    return describe_machine()


def host_facts() -> Host:
    """This machine's facts for drivers."""
    return host_of(this_machine())


def host_of(machine: Machine) -> Host:
    """What a driver may know of a machine."""
    here, found = machine.processors, machine.accelerators
    return Host(
        usable_cpus=machine.usable_cpus.count,
        cores=here.cores,
        sockets=here.processors_per_node,
        numa_nodes=here.numa_nodes,
        processor=here.model_name,
        memory_bytes=machine.memory.capacity_bytes,
        instruction_sets=here.instruction_sets,
        architecture=IMAGE_ARCHITECTURES.get(here.architecture, here.architecture),
        gpus=tuple(
            Gpu(
                name=one.model_name or one.pci_id or "unnamed",
                memory_bytes=one.memory_capacity_bytes,
                kind=one.device,
            )
            for one in found.devices
        ),
        device_nodes=found.nodes,
        render_group=_group("render"),
        qaic_group=_group("qaic"),
    )


def _group(name: str) -> str | None:
    """The number of a group of this machine: inside a container its name need not exist."""
    try:
        return str(grp.getgrnam(name).gr_gid)
    except KeyError:
        return None
