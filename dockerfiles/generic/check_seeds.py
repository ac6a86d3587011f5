"""Build step: fail unless the installed LoadGen has the seeds of the round. Usage: check_seeds.py SEEDS.json"""

import json
import os
import sys
import tempfile
from pathlib import Path

import mlperf_loadgen


def built_in() -> "dict[str, int]":
    """The seeds compiled into the installed LoadGen, read the way a benchmark gets them."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "user.conf")
        empty.write_text("")
        settings = mlperf_loadgen.TestSettings()
        settings.FromConfig(os.fspath(empty), "none", "Offline")
    return {
        "qsl_rng_seed": settings.qsl_rng_seed,
        "sample_index_rng_seed": settings.sample_index_rng_seed,
        "schedule_rng_seed": settings.schedule_rng_seed,
    }


expected = json.loads(Path(sys.argv[1]).read_text())
found = built_in()
if found != expected:
    sys.exit(f"error: LoadGen's seeds are not the round's\n  expected {expected}\n  found    {found}")
