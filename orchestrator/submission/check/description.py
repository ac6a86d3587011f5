"""What describes a result: system, model, user.conf, README, sources, calibration. Pure but for the tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from orchestrator.domain.submission import Fault, Weight
from orchestrator.domain.terms import Division
from orchestrator.layouts.paths import README, USER_CONF
from orchestrator.submission.check.unit import Document, Unit, UnreadableError, read_object

STATUSES = ("available", "preview", "rdi")
SYSTEM_TYPES = ("datacenter", "edge", "datacenter,edge", "edge,datacenter")
MEANT = (  # fields that may not be empty
    *("division", "submitter", "status", "system_name", "system_type", "number_of_nodes", "host_processor_model_name"),
    *("host_processors_per_node", "host_processor_core_count", "host_memory_capacity", "host_memory_configuration"),
    *("host_storage_capacity", "host_storage_type", "host_networking", "host_networking_topology"),
    *("host_network_card_count", "accelerators_per_node", "accelerator_model_name", "accelerator_memory_capacity"),
    *("accelerator_host_interconnect", "accelerator_interconnect", "accelerator_memory_configuration", "cooling"),
    *("framework", "operating_system", "other_software_stack"),
)
PRESENT = (  # fields that have to be there, empty or not
    *("system_type_detail", "host_processor_frequency", "host_processor_caches", "host_processor_interconnect"),
    *("accelerator_frequency", "accelerator_interconnect_topology", "accelerator_on-chip_memories"),
    *("hw_notes", "sw_notes"),
)
NETWORK = (
    *("is_network", "network_type", "network_media", "network_rate", "nic_loadgen", "number_nic_loadgen"),
    *("net_software_stack_loadgen", "network_protocol", "number_connections", "nic_sut", "number_nic_sut"),
    *("net_software_stack_sut", "network_topology"),
)
COUNTED = ("number_of_nodes", "accelerators_per_node")
MEASUREMENT = (
    *("input_data_types", "retraining", "starting_weights_filename", "weight_data_types", "weight_transformations"),
)
_PLACEHOLDERS = ("tbd", "todo", "xxx", "fill me", "placeholder", "<")


def system(unit: Unit) -> Iterator[Fault]:
    """Findings about systems/NAME.json."""
    path = unit.layout.system(unit.place)
    try:
        found = read_object(unit.tree, path)
    except UnreadableError as error:
        yield unit.fault("system_unreadable", path, f"it is no JSON object: {error}", "mend it")
        return
    if found is None:
        yield unit.missing("system_missing", path, "it is missing", f"describe the system '{unit.place.system}' in it")
        return
    yield from _fields(unit, path, found)
    yield from _identity(unit, path, found)
    yield from _placeholders(unit, path, found)


def _fields(unit: Unit, path: PurePosixPath, found: Document) -> Iterator[Fault]:
    network = bool(found.get("is_network"))
    for name in (*MEANT, *PRESENT, *(NETWORK if network else ())):
        if name not in found:
            yield unit.fault("system_field_missing", path, f"the field '{name}' is missing", "add it")
        elif name in MEANT and not found[name]:
            yield unit.fault(
                "system_field_empty", path, f"the field '{name}' is empty", "say what is there; '0' and 'N/A' as texts"
            )
    for name in COUNTED:
        value = found.get(name)
        try:
            int(value)  # type: ignore[call-overload]
        except (TypeError, ValueError):
            if value is not None:
                yield unit.fault("system_number", path, f"'{name}' is {value!r}, no whole number", "give a number")


def _identity(unit: Unit, path: PurePosixPath, found: Document) -> Iterator[Fault]:
    status = str(found.get("status", "")).lower()
    if status not in STATUSES:
        yield unit.fault("system_status", path, f"status '{status}'", f"one of {', '.join(STATUSES)}")
    if found.get("system_type") not in SYSTEM_TYPES:
        yield unit.fault(
            "system_type", path, f"system_type {found.get('system_type')!r}", f"one of {'; '.join(SYSTEM_TYPES)}"
        )
    for code, name, wanted in (
        ("system_submitter", "submitter", unit.place.submitter),
        ("system_division", "division", unit.place.division),
    ):
        if str(found.get(name, "")).lower() != wanted.lower():
            yield unit.fault(code, path, f"{name} {found.get(name)!r}; its folder says '{wanted}'", "make them one")
    division, word = unit.place.official_division, found.get("is_network")
    is_network = isinstance(word, str) and word.lower() == "true"
    bad = word is not None and not isinstance(word, str)
    if bad or ((division is Division.NETWORK) != is_network and division in {Division.NETWORK, Division.CLOSED}):
        yield unit.fault(
            "system_network",
            path,
            f"is_network {word!r} in the {unit.place.division} division",
            '"true" (a text) for network; leave it out otherwise',
        )


def _placeholders(unit: Unit, path: PurePosixPath, found: Document) -> Iterator[Fault]:
    for name, value in found.items():
        if isinstance(value, str) and value.strip().lower().startswith(_PLACEHOLDERS):
            yield unit.fault("placeholder", path, f"'{name}' is a placeholder: {value[:60]!r}", "say what is there")


def measurements(unit: Unit) -> Iterator[Fault]:
    """Findings about what lies beside a result: the model's description, user.conf, README.md, the sources."""
    folder = unit.layout.measurements(unit.place)
    files = unit.tree.folder(folder).files
    name = unit.layout.measurement_file(unit.place, files)
    if name is None:
        yield unit.fault(
            "measurement_missing",
            folder,
            "no file describes the model",
            "add measurements.json" if not unit.layout.apart else f"add {unit.place.system}_{unit.place.scenario}.json",
        )
    else:
        yield from _measurement(unit, folder / name)
    for code, wanted in (("user_conf_missing", USER_CONF), ("readme_missing", README)):
        if wanted == USER_CONF and unit.endpoints:
            continue
        if not files.get(wanted):
            state = "is empty" if wanted in files else "is missing"
            yield unit.fault(code, folder / wanted, f"it {state}", "add it, with content")
    code_folder = unit.layout.code(unit.place)
    if not unit.tree.has_folder(code_folder):
        yield unit.fault("source_missing", code_folder, "the folder of sources is missing", "add it")


def _measurement(unit: Unit, path: PurePosixPath) -> Iterator[Fault]:
    try:
        found = read_object(unit.tree, path)
    except UnreadableError as error:
        yield unit.fault("measurement_unreadable", path, f"it is no JSON object: {error}", "mend it")
        return
    if found is None:
        yield unit.missing("measurement_missing", path, "it is missing", "add it")
        return
    for name in MEASUREMENT:
        if not found.get(name):
            state = "is missing" if name not in found else "is empty"
            yield unit.fault("measurement_field", path, f"the field '{name}' {state}", "say what was used")


def calibration(unit: Unit) -> Iterator[Fault]:
    """Whether the quantisation is described, where results are held to the rules of the closed division."""
    places = unit.layout.calibration(unit.place)
    if unit.closed and not any(unit.tree.size(path) for path in places):
        yield unit.fault(
            "calibration_missing",
            places[0],
            "no calibration.md describes how the model was quantised",
            "add it (also when nothing was quantised: say so)",
            weight=Weight.FAULT if unit.layout.apart else Weight.WARNING,
        )
