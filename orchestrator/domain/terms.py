"""The field's closed sets, spelled as LoadGen and the official checker spell them."""

from __future__ import annotations

from enum import StrEnum


class Scenario(StrEnum):
    """LoadGen scenario. Interactive is LoadGen's Server with the `-interactive` settings."""

    OFFLINE = "Offline"
    SERVER = "Server"
    SINGLE_STREAM = "SingleStream"
    MULTI_STREAM = "MultiStream"
    INTERACTIVE = "Interactive"


class Mode(StrEnum):
    """What a run measures."""

    PERFORMANCE = "performance"
    ACCURACY = "accuracy"
    COMPLIANCE = "compliance"


class ExecutionMode(StrEnum):
    """`test`: short, never submittable. `valid`: the round's durations and counts, judged."""

    TEST = "test"
    VALID = "valid"


class Division(StrEnum):
    """Submission division."""

    CLOSED = "closed"
    OPEN = "open"
    NETWORK = "network"


class Category(StrEnum):
    """System category of a submission."""

    DATACENTER = "datacenter"
    EDGE = "edge"


class Device(StrEnum):
    """The kind of processor that runs the model."""

    CPU = "cpu"
    CUDA = "cuda"
    ROCM = "rocm"
    QAIC = "qaic"
    XPU = "xpu"
    HPU = "hpu"


class EngineName(StrEnum):
    """What carries a container; `native` runs without one and only when asked for."""

    DOCKER = "docker"
    PODMAN = "podman"
    CHARLIECLOUD = "charliecloud"
    APPTAINER = "apptainer"
    NATIVE = "native"


class Suite(StrEnum):
    """`small`: package-registry models for trying and testing, never offered for the closed division."""

    SMALL = "small"
    MLPERF = "mlperf"
    CUSTOM = "custom"


class Evidence(StrEnum):
    """How far a claim of the catalogue was tried."""

    PROVEN = "proven here"
    REHEARSED = "rehearsed"
    PUBLISHED = "from published instructions"


class Pull(StrEnum):
    """When a prebuilt image is fetched from its registry; `only`: as `missing`, and nothing is ever built."""

    MISSING = "missing"
    ALWAYS = "always"
    NEVER = "never"
    ONLY = "only"


class Phase(StrEnum):
    """The phases of a run, in order."""

    IMAGE = "image"
    ASSETS = "assets"
    CONFIGURE = "configure"
    PREPARE = "prepare"
    SERVE = "serve"
    MEASURE = "measure"
    EVALUATE = "evaluate"
    COLLECT = "collect"
    JUDGE = "judge"
    SEAL = "seal"


class Tier(StrEnum):
    """Privileges of a container: `minimal` is what the run cannot do without, `vendor` what a vendor's own script asks.

    What a tier grants is printed before use and recorded.
    """

    MINIMAL = "minimal"
    VENDOR = "vendor"
