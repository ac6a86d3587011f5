"""Find an implementation's driver by its name in the catalogue; the module is loaded only then."""

from __future__ import annotations

import importlib
from typing import cast

from orchestrator.domain.benchmark import Implementation
from orchestrator.domain.ports import Driver
from orchestrator.errors import ConfigError


def driver_of(implementation: Implementation) -> Driver:
    """The function `steps` of `orchestrator.implementations.<driver>`; ConfigError when there is none of that name."""
    name = (implementation.driver or implementation.name).replace("-", "_")
    module_name = f"{__package__}.{name}"
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise
        raise ConfigError(
            (f"implementation '{implementation.name}': there is no driver '{name}'",),
            hint="write `driver: declared` and its steps, or `driver: generic` for a harness that reads harness.json",
        ) from error
    return cast(Driver, module.steps)
