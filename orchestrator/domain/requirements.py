"""What a way of running a benchmark asks of the machine, as figures that can be compared with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Requires:
    """The least that the machine must have; what is left out is not asked for.

    `instruction_sets` are the kernel's names of them, all needed. `memory_bytes` is main memory. `devices` are those
    of the offer's kind; `device_memory_bytes` is the memory of each of them, `devices_memory_bytes` of all together.
    Memory is that of the official model and data set.
    """

    instruction_sets: tuple[str, ...] = ()
    memory_bytes: int | None = None
    devices: int | None = None
    device_memory_bytes: int | None = None
    devices_memory_bytes: int | None = None

    def texts(self, device: str = "device") -> tuple[str, ...]:
        """The same in words, one line each: `instruction sets amx_int8, amx_bf16`, `1 TB of main memory`."""
        return tuple(self._texts(device))

    def _texts(self, device: str) -> Iterator[str]:
        if self.instruction_sets:
            yield f"instruction sets {', '.join(self.instruction_sets)}"
        if self.memory_bytes is not None:
            yield f"{amount(self.memory_bytes)} of main memory"
        if self.devices is not None:
            yield f"{self.devices} {device} devices" if self.devices > 1 else f"a {device} device"
        if self.device_memory_bytes is not None:
            yield f"{amount(self.device_memory_bytes)} of memory on each {device} device"
        if self.devices_memory_bytes is not None:
            yield f"{amount(self.devices_memory_bytes)} of memory on the {device} devices together"


ANY_MACHINE = Requires()


def amount(bytes_: int) -> str:
    """Bytes as people write memory: `600 GB`, `1.5 TB`."""
    return f"{bytes_ / 1e12:.3g} TB" if bytes_ >= 10**12 else f"{bytes_ / 1e9:.3g} GB"
