"""What an offer asks of the machine is compared with it, and each lack is named with where it was looked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config.catalog import benchmark_names, load_benchmark
from orchestrator.controller.preflight import preflight_choice
from orchestrator.controller.request import Choice, RunRequest, choose
from orchestrator.controller.requirements import on_requirements
from orchestrator.domain.benchmark import Offer
from orchestrator.domain.finding import Finding, Level
from orchestrator.domain.requirements import Requires
from orchestrator.domain.situation import Gpu, Host
from orchestrator.domain.terms import Device
from orchestrator.host.machine import describe_machine, processors
from tests.unit.cli_calls import Call

GB = 10**9
AMX = ("amx_int8", "amx_bf16")
H200 = Gpu(name="H200", memory_bytes=150 * GB, kind=Device.CUDA)
H100 = Gpu(name="H100", memory_bytes=85 * GB, kind=Device.CUDA)
DISPLAY = Gpu(name="a display adapter", memory_bytes=2 * GB, kind=Device.XPU)
XEON = Host(usable_cpus=64, processor="A Xeon", memory_bytes=1080 * GB, instruction_sets=("avx512f", *AMX))


def intel(**changes: object) -> Choice:
    return chosen(RunRequest(model="retinanet", implementation="intel", round="v5.1"), **changes)


def deepseek(**changes: object) -> Choice:
    return chosen(RunRequest(model="deepseek-r1", implementation="reference", round="v6.1"), **changes)


def chosen(request: RunRequest, **changes: object) -> Choice:
    choice = choose(request)[0]
    return replace(choice, spec=replace(choice.spec, **changes))  # type: ignore[arg-type]


def found(choice: Choice, host: Host) -> dict[str, Finding]:
    return {finding.name: finding for finding in on_requirements(choice, host)}


def faults(choice: Choice, host: Host) -> dict[str, str]:
    return {name: one.text for name, one in found(choice, host).items() if one.level is Level.FAULT}


def test_a_machine_that_has_all_is_said_to_have_it() -> None:
    assert {name: one.level for name, one in found(intel(), XEON).items()} == {
        "instruction sets": Level.OK,
        "memory": Level.OK,
    }


def test_missing_instruction_sets_are_named_with_the_processor_and_where_they_were_looked_for() -> None:
    host = replace(XEON, processor="An EPYC", instruction_sets=("avx512f", "amx_bf16"))
    assert faults(intel(), host) == {
        "instruction sets": "retinanet with intel/pytorch needs amx_int8, amx_bf16; An EPYC lacks amx_int8 "
        "(flags of /proc/cpuinfo)"
    }
    remedy = found(intel(), host)["instruction sets"].remedy
    assert remedy is not None
    assert "mlperf-docker models show retinanet" in remedy


def test_too_little_memory_is_a_fault_that_names_both_figures() -> None:
    assert faults(intel(), replace(XEON, memory_bytes=256 * GB)) == {
        "memory": "retinanet with intel/pytorch needs 1 TB of memory, this machine has 256 GB (/proc/meminfo)"
    }


def test_a_limit_of_the_run_below_what_is_needed_is_a_fault_of_its_own() -> None:
    assert list(faults(intel(memory_bytes=8 * GB), XEON)) == ["memory limit"]


def test_with_a_model_of_ones_own_memory_is_only_a_note() -> None:
    choice = intel(model_path=Path("/small.pth"))
    one = found(choice, replace(XEON, memory_bytes=256 * GB))["memory"]
    assert one.level is Level.NOTE
    assert "yours may need less" in one.text


def test_devices_are_counted_by_kind_and_their_memory_is_compared() -> None:
    assert faults(deepseek(), replace(XEON, gpus=(H200,) * 8)) == {}
    few = faults(deepseek(), replace(XEON, gpus=(H200, H200, DISPLAY)))
    assert few == {
        "cuda-devices": "deepseek-r1 with reference/vllm needs 8 cuda devices, 2 may be used here (PCI bus and drivers)"
    }
    small = faults(deepseek(), replace(XEON, gpus=(H100,) * 8))
    assert list(small) == ["cuda-memory"]
    assert "141 GB" in small["cuda-memory"]
    assert "85 GB (their driver)" in small["cuda-memory"]


@pytest.mark.parametrize(("gpus", "count"), [(("all",), 8), (("0", "1", "9"), 2), (("GPU-a", "GPU-b"), 2)])
def test_only_the_devices_that_were_asked_for_count(gpus: tuple[str, ...], count: int) -> None:
    text = found(deepseek(gpus=gpus), replace(XEON, gpus=(H200,) * 8))["cuda-devices"].text
    assert f"{count} may be used here" in text


def test_memory_that_no_driver_tells_is_not_judged() -> None:
    unknown = replace(H200, memory_bytes=None)
    assert list(found(deepseek(), replace(XEON, gpus=(unknown,) * 8))) == ["cuda-devices"]


def test_devices_behind_nodes_alone_cannot_be_counted() -> None:
    one = found(deepseek(), replace(XEON, device_nodes=("/dev/dxg",)))["cuda-devices"]
    assert one.level is Level.NOTE


def test_devices_together_must_hold_a_model_that_is_larger_than_each() -> None:
    choice = chosen(RunRequest(model="llama3.1-405b", implementation="reference", round="v6.0"))
    assert faults(choice, replace(XEON, gpus=(H200,) * 8)) == {}
    assert "810 GB of memory on all devices" in faults(choice, replace(XEON, gpus=(H100,) * 8))["cuda-memory"]


def test_a_rehearsal_needs_none_of_it() -> None:
    assert found(intel(rehearse=True), Host(usable_cpus=2)) == {}


def test_the_preflight_says_what_this_machine_lacks() -> None:
    machine = describe_machine()
    processors = replace(machine.processors, instruction_sets=("avx2",))
    findings = preflight_choice(intel(), replace(machine, processors=processors))
    assert "instruction sets" in {one.name for one in findings if one.level is Level.FAULT}


def test_every_offer_that_asks_for_much_does_so_in_figures() -> None:
    offers = [(name, offer) for name in benchmark_names() for offer in load_benchmark(name).offers]
    asking = [(name, offer) for name, offer in offers if offer.requires != Requires()]
    assert len(asking) > 20
    xeon = [(name, offer) for name, offer in offers if offer.implementation == "intel" and _on_cpu(offer)]
    assert xeon
    for name, offer in xeon:
        assert offer.requires.instruction_sets == AMX, name
        assert offer.requires.memory_bytes == 1000 * GB, name


def test_every_instruction_set_that_is_asked_for_is_one_that_this_program_looks_for() -> None:
    offers = [offer for name in benchmark_names() for offer in load_benchmark(name).offers]
    asked = sorted({name for offer in offers for name in offer.requires.instruction_sets})
    assert asked
    flags = f"processor : 0\nflags : fpu {' '.join(asked)} vme\n"
    assert sorted(processors(cpuinfo=flags).instruction_sets) == asked


def test_requirements_are_written_in_words() -> None:
    both = Requires(instruction_sets=AMX, memory_bytes=1500 * GB, devices=8, device_memory_bytes=141 * GB)
    assert both.texts("cuda") == (
        "instruction sets amx_int8, amx_bf16",
        "1.5 TB of main memory",
        "8 cuda devices",
        "141 GB of memory on each cuda device",
    )
    assert Requires(devices=1, devices_memory_bytes=810 * GB).texts("cuda") == (
        "a cuda device",
        "810 GB of memory on the cuda devices together",
    )


def _on_cpu(offer: Offer) -> bool:
    return Device.CPU in offer.devices


def test_what_a_machine_must_have_is_shown_with_the_model_and_with_the_implementation(call: Call) -> None:
    words = "instruction sets amx_int8, amx_bf16; 1 TB of main memory"
    assert f"machine for intel/pytorch on cpu: {words}" in call("models", "show", "retinanet").stdout
    (line,) = [line for line in call("implementations", "show", "intel").stdout.splitlines() if words in line]
    assert "retinanet" in line
