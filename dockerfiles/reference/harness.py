"""Start a reference harness whose call of LoadGen needs putting right. Usage: harness.py SCRIPT ARGUMENTS...

The script runs as it stands; only what it hands to LoadGen's FromConfig is corrected, and said:
- mlperf.conf is compiled into LoadGen; reading it again as a second file makes every run unfit for submission;
- an audit file is read by StartTest itself, and counts as such a second file when a harness reads it, too;
- MLPERF_LOADGEN_MODEL replaces a name (a path, for some) under which LoadGen knows no settings;
- MLPERF_USER_CONF replaces a user.conf whose place is fixed.
"""

import os
import runpy
import sys
from pathlib import Path

import mlperf_loadgen

_NOT_AGAIN = {"mlperf.conf", "audit.config", "audit.conf"}
_MODEL = os.environ.get("MLPERF_LOADGEN_MODEL")
_USER_CONF = os.environ.get("MLPERF_USER_CONF")
_from_config = mlperf_loadgen.TestSettings.FromConfig


def _say(text):  # type: ignore[no-untyped-def]
    sys.stdout.write(f"mlperf-docker: {text}\n")
    sys.stdout.flush()


def _corrected(self, path, model, scenario, *kind):  # type: ignore[no-untyped-def]
    if Path(path).name in _NOT_AGAIN:
        _say(f"LoadGen reads {path} by itself; not read twice")
        return 0
    if _MODEL and model != _MODEL:
        _say(f"LoadGen's settings are looked up as {_MODEL}, not as {model}")
    return _from_config(self, _USER_CONF or path, _MODEL or model, scenario, *kind)


def _login():  # type: ignore[no-untyped-def]
    """os.getlogin asks for a terminal, which a container has not."""
    return os.environ.get("LOGNAME", "mlperf")


mlperf_loadgen.TestSettings.FromConfig = _corrected
os.getlogin = _login
sys.argv = sys.argv[1:]
sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
runpy.run_path(sys.argv[0], run_name="__main__")
