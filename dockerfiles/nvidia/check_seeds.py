"""Build step: fail unless LoadGen's seeds are the round's. Usage: check_seeds.py SEEDS.json [MLPERF_CONF]

Up to v4.1 LoadGen has none built in: it reads them from the rules repository's mlperf.conf.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import mlperf_loadgen


def found(conf: "str | None") -> "dict[str, int]":
    """The seeds that a benchmark of this LoadGen gets."""
    settings = mlperf_loadgen.TestSettings()
    if conf is not None:
        settings.FromConfig(conf, "none", "Offline")
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "user.conf")
        empty.write_text("")
        settings.FromConfig(os.fspath(empty), "none", "Offline")
    return {
        "qsl_rng_seed": settings.qsl_rng_seed,
        "sample_index_rng_seed": settings.sample_index_rng_seed,
        "schedule_rng_seed": settings.schedule_rng_seed,
    }


expected = json.loads(Path(sys.argv[1]).read_text())
seeds = found(sys.argv[2] if len(sys.argv) > 2 else None)
if {name: seeds[name] for name in expected} != expected:
    sys.exit(f"error: LoadGen's seeds are not the round's\n  expected {expected}\n  found    {seeds}")
