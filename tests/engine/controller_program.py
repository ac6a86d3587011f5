"""A controller as a process of its own, to be interrupted, killed, or given a terminal: ENGINE IMAGE TOKEN DO."""

from __future__ import annotations

import signal
import sys
import termios
from types import FrameType

from orchestrator.domain.container import ContainerSpec
from orchestrator.domain.ports import Engine
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.native import NativeEngine
from orchestrator.errors import InterruptedRun, MlperfDockerError
from tests.engine.carriers import TOKEN

STARTS = """
import subprocess, sys, time
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)
print('ready', flush=True)
time.sleep(600)
"""


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    raise InterruptedRun("asked to stop")


def _engine(name: str) -> Engine:
    return {"docker": DockerEngine, "native": NativeEngine}[name]()


def main(name: str, image: str, token: str, do: str) -> int:
    """`hold`: run a sleeper until interrupted. `shell`: hand the terminal over, then say whether it came back whole."""
    engine = _engine(name)
    environment = ((TOKEN, token),)
    if do == "shell":
        before = termios.tcgetattr(0)
        spec = ContainerSpec(image=image, command=("sh",), environment=environment, interactive=True)
        code = engine.shell(spec, run_id=token)
        _say("terminal restored" if termios.tcgetattr(0) == before else "terminal spoilt")
        return code
    signal.signal(signal.SIGTERM, _interrupted)
    spec = ContainerSpec(image=image, command=("python3", "-u", "-c", STARTS), environment=environment)
    try:
        with engine.start(spec, run_id=token, output=_show) as container:
            container.wait(None)
    except (KeyboardInterrupt, InterruptedRun):
        _say("interrupted")
        return 130
    except MlperfDockerError as error:
        _say(f"error: {error}")
        return 1
    return 0


def _show(piece: bytes) -> None:
    sys.stdout.write(piece.decode())
    sys.stdout.flush()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
