"""What a driver stands on when it turns a decision into steps: values only. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.domain.benchmark import Benchmark, BenchmarkRules, Implementation, Offer, Round
from orchestrator.domain.terms import Device


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One accelerator as its driver names it; memory in bytes; `kind` null where nothing told."""

    name: str
    memory_bytes: int | None = None
    kind: Device | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The machine as far as plans depend on it. `cores` are physical, `usable_cpus` what this process may use."""

    usable_cpus: int
    cores: int | None = None
    sockets: int | None = None
    numa_nodes: int | None = None
    processor: str | None = None
    memory_bytes: int | None = None
    instruction_sets: tuple[str, ...] = ()
    architecture: str = "amd64"
    gpus: tuple[Gpu, ...] = ()
    device_nodes: tuple[str, ...] = ()
    render_group: str | None = None
    qaic_group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """One compliance test: its name (`TEST01`) and the text of its audit configuration."""

    test: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a driver is given besides the spec. Paths are on the host.

    `model` is the model's file or folder, `dataset` the data set's folder (None: generated inputs, or nothing is known
    of where it will lie), `assets` further ones by catalogue name. `user` is the caller (uid, gid). `work` is a folder
    that outlives the run, of this implementation, image and sources alone: engines, preprocessed data and the like
    (mount it with `create`; `once` stamps lie in it). Beside it, in the implementation's own folder, lies what does not
    depend on the image. `image` is the offer's image entry.
    """

    benchmark: Benchmark
    rules: BenchmarkRules
    offer: Offer
    round: Round
    implementation: Implementation
    image: str
    model: Path | None
    dataset: Path | None
    assets: Mapping[str, Path]
    host: Host
    user: tuple[int, int]
    work: Path
    audit: Audit | None = None
