"""One suite for all engines: a declared capability is enforced; one that is lacking is refused, or marked.

Tests branch on what an engine declares, never on which engine it is.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from orchestrator.domain.container import Capability, ContainerSpec, Limits, Outcome, admit, outcome
from orchestrator.errors import EngineError, MlperfDockerError
from orchestrator.host.process import run as run_on_host
from tests.engine.carriers import LONG_S, Carrier, new_token

pytestmark = pytest.mark.engine

ALLOCATE = "block = b'x' * (400 << 20); print(len(block))"
CHILD_ALLOCATES = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {ALLOCATE!r}]); print('parent done')"
SLEEP = "import time; print('ready', flush=True); time.sleep(600)"
SERVE = (
    "import socket; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); "
    "s.bind(('127.0.0.1', 47631)); s.listen(); [s.accept() for _ in iter(int, 1)]"
)
ASK = "import socket; socket.create_connection(('127.0.0.1', 47631), 5).close()"
MEMORY = Limits(memory_bytes=100 << 20)


def assert_lacking(carrier: Carrier, need: Capability, spec: ContainerSpec) -> None:
    """An engine without a capability refuses what needs it, by name, or the plan is marked with it."""
    admission = admit(spec, carrier.capabilities)
    assert need.value in (*admission.refused, *admission.marks)
    if need.value in admission.refused:
        with pytest.raises(EngineError, match=need.value) as refused, carrier.engine.start(spec, run_id="", output=len):
            pytest.fail("it was started all the same")
        assert refused.value.hint


# How it ended


@pytest.mark.parametrize(("code", "what"), [(0, Outcome.DONE), (3, Outcome.FAILED), (125, Outcome.FAILED)])
def test_an_exit_status_comes_back_as_it_was(carrier: Carrier, code: int, what: Outcome) -> None:
    ended = carrier.run(f"print('said'); raise SystemExit({code})")
    assert (ended.exit.code, ended.text, outcome(ended.exit)) == (code, "said\n", what)
    assert 0 < ended.exit.started_s <= ended.exit.finished_s


def test_a_running_container_can_be_probed_and_tells_that_it_runs(carrier: Carrier) -> None:
    name = new_token()
    with carrier.engine.start(carrier.spec(SLEEP, token=name), run_id=name, output=len) as running:
        assert running.running()
        assert running.probe(("python3", "-c", "raise SystemExit(0)"), LONG_S) == 0
        assert running.probe(("python3", "-c", "raise SystemExit(7)"), LONG_S) == 7
        assert running.probe(("python3", "-c", "import time; time.sleep(60)"), 0.5) == 124
        running.stop(1.0)
        assert not running.running()
        assert running.probe(("python3", "-c", "raise SystemExit(0)"), LONG_S) == 125
    assert carrier.traces(name) == []


def test_a_container_can_join_the_network_of_another(carrier: Carrier) -> None:
    if Capability.JOIN not in carrier.capabilities:
        assert_lacking(carrier, Capability.JOIN, carrier.spec(SLEEP, token="", joins="other"))
        return
    name = new_token()
    with carrier.engine.start(carrier.spec(SERVE, token=name), run_id=name, output=len) as server:
        while server.probe(("python3", "-c", ASK), LONG_S) != 0:
            assert server.running()
        asked = carrier.run(ASK, joins=server.id)
        assert asked.exit.code == 0
    assert carrier.run(ASK).exit.code != 0


def test_a_signal_is_an_exit_status_above_128(carrier: Carrier) -> None:
    ended = carrier.run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert ended.exit.code == 128 + 11
    assert outcome(ended.exit) is Outcome.KILLED


def test_a_shell_that_kills_itself_does_not_look_like_success(carrier: Carrier) -> None:
    assert carrier.run("sh", "-c", "kill -9 $$").exit.code == 137


def test_a_command_that_is_not_there_is_told_from_one_that_fails_alike(carrier: Carrier) -> None:
    missing = carrier.run("no-such-program", "with arguments")
    assert outcome(missing.exit) is Outcome.NOT_FOUND
    assert any("no-such-program" in warning for warning in missing.exit.warnings)
    alike = carrier.run("raise SystemExit(127)")
    assert (alike.exit.code, alike.exit.warnings) == (127, ())


def test_a_file_that_is_not_executable_is_told_apart(carrier: Carrier) -> None:
    ended = carrier.run("/etc/passwd", "x")
    assert outcome(ended.exit) is Outcome.NOT_EXECUTABLE
    assert any("/etc/passwd" in warning for warning in ended.exit.warnings)


def test_past_its_time_it_is_stopped_and_nothing_is_left(carrier: Carrier) -> None:
    ended = carrier.run(SLEEP, timeout_s=1.5)
    assert outcome(ended.exit) is Outcome.TIMED_OUT
    assert ended.exit.code == 128 + 15
    assert ended.text == "ready\n"


def test_stop_kills_what_will_not_end(carrier: Carrier) -> None:
    program = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('deaf')
time.sleep(600)
"""
    token = new_token()
    deaf = threading.Event()
    spec = carrier.spec(program, token=token)
    with carrier.engine.start(spec, run_id=token, output=lambda _: deaf.set()) as running:
        assert deaf.wait(LONG_S)
        running.stop(1.0)
        assert running.wait(LONG_S).code == 128 + 9
    assert carrier.traces(token) == []


def test_stop_after_the_end_is_harmless(carrier: Carrier) -> None:
    token = new_token()
    with carrier.engine.start(carrier.spec("pass ", token=token), run_id=token, output=len) as running:
        first = running.wait(LONG_S)
        running.stop()
        assert running.wait(LONG_S).code == first.code == 0


# Memory


def test_memory_beyond_the_limit_is_told_from_failure(carrier: Carrier) -> None:
    if Capability.MEMORY_LIMIT not in carrier.capabilities:
        assert_lacking(carrier, Capability.MEMORY_LIMIT, carrier.spec(ALLOCATE, token="", limits=MEMORY))
        return
    ended = carrier.run(ALLOCATE, limits=MEMORY).exit
    assert ended.code == 137
    if Capability.OOM_REPORT in carrier.capabilities:
        assert outcome(ended) is Outcome.OUT_OF_MEMORY


def test_a_kill_that_was_not_for_memory_is_not_called_so(carrier: Carrier) -> None:
    ended = carrier.run("import os; os.kill(os.getpid(), 9)").exit
    assert (ended.code, outcome(ended)) == (137, Outcome.KILLED)


def test_a_child_killed_for_memory_spoils_a_run_that_ends_with_0(carrier: Carrier) -> None:
    if not {Capability.OOM_REPORT, Capability.MEMORY_LIMIT} <= carrier.capabilities:
        assert_lacking(carrier, Capability.OOM_REPORT, carrier.spec(CHILD_ALLOCATES, token=""))
        return
    ended = carrier.run(CHILD_ALLOCATES, limits=MEMORY)
    assert (ended.exit.code, ended.text) == (0, "parent done\n")
    assert outcome(ended.exit) is Outcome.OUT_OF_MEMORY


# Output


def test_output_comes_while_it_runs(carrier: Carrier, tmp_path: Path) -> None:
    mount = carrier.mount(tmp_path, "/shared")
    program = f"""
import pathlib, time
print('first')
while not pathlib.Path({str(mount.target)!r}, 'seen').exists():
    time.sleep(0.05)
print('second')
"""
    token = new_token()
    pieces: list[bytes] = []

    def seen(piece: bytes) -> None:
        pieces.append(piece)
        (tmp_path / "seen").touch()

    spec = carrier.spec(program, token=token, mounts=(mount,))
    with carrier.engine.start(spec, run_id=token, output=seen) as running:
        ended = running.wait(LONG_S)
    assert (ended.code, b"".join(pieces)) == (0, b"first\nsecond\n")  # it ends only once its first line was seen


def test_all_output_is_delivered_in_order_and_both_streams_are_one(carrier: Carrier) -> None:
    program = """
import os
for number in range(40):
    os.write(1 + number % 2, bytes([number]) * 100_000)
"""
    token = new_token()
    pieces: list[bytes] = []
    with carrier.engine.start(carrier.spec(program, token=token), run_id=token, output=pieces.append) as running:
        running.wait(LONG_S)
    raw = b"".join(pieces)
    assert len(raw) == 40 * 100_000
    assert all(raw.count(bytes([number])) == 100_000 for number in range(40))


def test_what_the_listener_raises_ends_the_container_and_reaches_the_caller(carrier: Carrier) -> None:
    token = new_token()

    def full(_: bytes) -> None:
        raise OSError("no space left")

    with (
        pytest.raises(OSError, match="no space left"),
        carrier.engine.start(carrier.spec(SLEEP, token=token), run_id=token, output=full) as running,
    ):
        running.wait(LONG_S)
    assert carrier.traces(token) == []


# What it sees and what it leaves


def test_the_environment_and_the_working_directory_are_the_plan_s_alone(
    carrier: Carrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_CALLER", "secret")
    mount = carrier.mount(tmp_path, "/work place")
    ended = carrier.run(
        "import os; print(os.getcwd(), os.environ.get('ASKED'), os.environ.get('A_SECRET_OF_THE_CALLER'))",
        environment=(("ASKED", "a = 'b'"),),
        workdir=mount.target,
        mounts=(mount,),
    )
    assert ended.text == f"{mount.target} a = 'b' None\n"


@pytest.mark.parametrize("user", [(0, 0), (os.geteuid(), os.getegid()), (43210, 43211)])
def test_what_it_writes_belongs_to_the_user_asked_for(carrier: Carrier, tmp_path: Path, user: tuple[int, int]) -> None:
    program = """
import getpass, os, pathlib, tempfile
pathlib.Path('written').write_text('x')
tempfile.TemporaryFile().close()
pathlib.Path.home().joinpath('in-home').write_text('x')
print(os.getuid(), bool(getpass.getuser()))
"""
    tmp_path.chmod(0o777)
    mount = carrier.mount(tmp_path, "/shared")
    wishes = {"user": user, "mounts": (mount,), "workdir": mount.target}
    others = Capability.USER_MAPPING in carrier.capabilities and os.geteuid() == 0
    if user[0] != os.geteuid() and not others:
        assert_lacking(carrier, Capability.USER_MAPPING, carrier.spec(program, token="", **wishes))
        with (
            pytest.raises(EngineError, match=str(user[0])),
            carrier.engine.start(carrier.spec(program, token="", **wishes), run_id="", output=len),
        ):
            pytest.fail("it was started all the same")
        return
    ended = carrier.run(program, **wishes)
    assert (ended.exit.code, ended.text) == (0, f"{user[0]} True\n")
    owner = (tmp_path / "written").stat()
    assert (owner.st_uid, owner.st_gid) == user


def test_data_mounted_read_only_cannot_be_written(carrier: Carrier, tmp_path: Path) -> None:
    mount = carrier.mount(tmp_path, "/data", read_only=True)
    program = "open('new', 'w')"
    spec = carrier.spec(program, token="", mounts=(mount,), workdir=mount.target)
    if Capability.READ_ONLY_MOUNTS not in carrier.capabilities:
        assert_lacking(carrier, Capability.READ_ONLY_MOUNTS, spec)
        return
    ended = carrier.run(program, mounts=(mount,), workdir=mount.target)
    assert ended.exit.code == 1
    assert "Read-only file system" in ended.text
    assert list(tmp_path.iterdir()) == []


def test_the_root_is_read_only_but_for_its_temporary_folder(carrier: Carrier) -> None:
    program = "open('/tmp/fine', 'w').close(); open('/new', 'w')"
    if Capability.READ_ONLY_ROOT not in carrier.capabilities:
        assert_lacking(carrier, Capability.READ_ONLY_ROOT, carrier.spec(program, token=""))
        return
    ended = carrier.run(program)
    assert "Read-only file system: '/new'" in ended.text


def test_there_is_no_network(carrier: Carrier) -> None:
    program = "import socket; print([name for _, name in socket.if_nameindex()])"
    if Capability.NETWORK_NONE not in carrier.capabilities:
        assert_lacking(carrier, Capability.NETWORK_NONE, carrier.spec(program, token=""))
        return
    assert carrier.run(program).text == "['lo']\n"


def test_root_inside_has_no_capabilities_and_gets_none(carrier: Carrier) -> None:
    program = """
lines = open('/proc/self/status').read().splitlines()
print(*[line.split()[1] for line in lines if line.startswith(('CapEff', 'CapBnd', 'NoNewPrivs'))])
"""
    if Capability.DROP_CAPABILITIES not in carrier.capabilities:
        assert_lacking(carrier, Capability.DROP_CAPABILITIES, carrier.spec(program, token=""))
        return
    assert carrier.run(program, user=(0, 0)).text.split() == ["0" * 16, "0" * 16, "1"]


def test_it_runs_on_the_processors_asked_for(carrier: Carrier) -> None:
    last = max(os.sched_getaffinity(0))
    program = "import os; print(sorted(os.sched_getaffinity(0)))"
    limits = Limits(cpuset=str(last))
    if Capability.CPUSET not in carrier.capabilities:
        assert_lacking(carrier, Capability.CPUSET, carrier.spec(program, token="", limits=limits))
        return
    assert carrier.run(program, limits=limits).text == f"[{last}]\n"


def test_it_cannot_start_more_processes_than_allowed(carrier: Carrier) -> None:
    program = """
import threading, time
try:
    for number in range(100):
        threading.Thread(target=time.sleep, args=(1,), daemon=True).start()
    print('unlimited')
except RuntimeError:
    print('limited')
"""
    limits = Limits(pids=20)
    if Capability.PIDS_LIMIT not in carrier.capabilities:
        assert_lacking(carrier, Capability.PIDS_LIMIT, carrier.spec(program, token="", limits=limits))
        return
    assert carrier.run(program, limits=limits).text.splitlines()[-1] == "limited"


def test_shared_memory_is_as_big_as_asked_for(carrier: Carrier) -> None:
    program = "import os; found = os.statvfs('/dev/shm'); print(found.f_blocks * found.f_frsize)"
    limits = Limits(shm_bytes=48 << 20)
    if Capability.SHM_SIZE not in carrier.capabilities:
        assert_lacking(carrier, Capability.SHM_SIZE, carrier.spec(program, token="", limits=limits))
        return
    assert carrier.run(program, limits=limits).text == f"{48 << 20}\n"


def test_a_debugger_can_attach_when_asked_for(carrier: Carrier) -> None:
    program = """
import ctypes, os, subprocess, sys
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
PTRACE_ATTACH = 16
print(ctypes.CDLL(None, use_errno=True).ptrace(PTRACE_ATTACH, child.pid, 0, 0))
os.kill(child.pid, 9)
"""
    if Capability.PTRACE not in carrier.capabilities:
        spec = carrier.spec(program, token="", add_capabilities=("SYS_PTRACE",))
        assert_lacking(carrier, Capability.PTRACE, spec)
        return
    assert carrier.run(program, add_capabilities=("SYS_PTRACE",)).text == "0\n"


def test_a_gpu_is_there_when_asked_for_or_refused_by_name(carrier: Carrier) -> None:
    program = "import os; print(any(name.startswith('nvidia') for name in os.listdir('/dev')))"
    if Capability.GPU not in carrier.capabilities:
        assert_lacking(carrier, Capability.GPU, carrier.spec(program, token="", gpus=("all",)))
        return
    assert carrier.run(program, gpus=("all",)).text == "True\n"


def test_its_labels_are_on_it(carrier: Carrier) -> None:
    token = new_token()
    spec = carrier.spec(SLEEP, token=token, labels=(("a.label", "its value"),))
    with carrier.engine.start(spec, run_id=token, output=len) as running:
        assert running.id
        if Capability.LABELS in carrier.capabilities:
            assert carrier.labels(token)["a.label"] == "its value"


# Faults of the plan, before anything starts


def test_a_missing_mount_is_named_and_never_made(carrier: Carrier, tmp_path: Path) -> None:
    missing = tmp_path / "not there"
    spec = carrier.spec("pass ", token="", mounts=(carrier.mount(missing, "/data"),))
    with (
        pytest.raises(EngineError, match="not there") as refused,
        carrier.engine.start(spec, run_id="", output=len),
    ):
        pytest.fail("it was started all the same")
    assert refused.value.hint
    assert not missing.exists()


def test_an_unknown_image_is_an_engine_error_with_a_remedy(carrier: Carrier) -> None:
    token = new_token()
    spec = ContainerSpec(image="mlperf-docker/no-such:image", command=("true",))
    with (
        pytest.raises(EngineError, match="no-such:image") as refused,
        carrier.engine.start(spec, run_id=token, output=len),
    ):
        pytest.fail("it was started all the same")
    assert refused.value.hint
    assert carrier.traces(token) == []


def test_the_image_that_ran_is_read_back(carrier: Carrier) -> None:
    ended = carrier.run("pass ").exit
    environment = f"env:{Path(carrier.image).name}"
    assert ended.image_id == (carrier.image if Capability.IMAGES in carrier.capabilities else environment)


# Nothing is left


def test_nothing_is_left_when_the_body_raises(carrier: Carrier) -> None:
    token = new_token()
    with (
        pytest.raises(MlperfDockerError, match="first error"),
        carrier.engine.start(carrier.spec(SLEEP, token=token), run_id=token, output=len),
    ):
        assert carrier.traces(token)
        raise MlperfDockerError("first error")
    assert carrier.traces(token) == []


def test_what_the_command_left_running_ends_with_it(carrier: Carrier) -> None:
    program = """
import subprocess, sys
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)
print('parent done')
"""
    ended = carrier.run(program)  # which sees to it that no process is left
    assert (ended.exit.code, ended.text) == (0, "parent done\n")


# For showing


def test_the_equivalent_line_does_the_same(carrier: Carrier, tmp_path: Path) -> None:
    program = "import os, sys; print(os.getcwd(), os.environ['ASKED'], os.getuid(), *sys.path[1:2])\nopen('made', 'w')"
    mount = carrier.mount(tmp_path, "/shared, with a comma")
    wishes = {
        "environment": (("ASKED", "it's $HOME"),),
        "workdir": mount.target,
        "mounts": (mount,),
        "user": (os.geteuid(), os.getegid()),
    }
    token = new_token()
    ours = carrier.run(program, token=token, **wishes)
    (tmp_path / "made").unlink()
    line = carrier.engine.equivalent(carrier.spec(program, token=token, **wishes))
    typed = run_on_host(["sh", "-c", line])
    assert (typed.code, typed.stdout, typed.stderr) == (ours.exit.code, ours.text, "")
    assert (tmp_path / "made").exists()


def test_an_engine_says_what_it_is(carrier: Carrier) -> None:
    info = carrier.engine.info()
    assert info.name == carrier.engine.name.value
    assert info.platform.startswith("linux/")
    assert info.version
    assert {name for name, _ in info.hard_limits} == {"nofile", "memlock", "nproc"}
    assert isinstance(info.data_root, Path) == (Capability.IMAGES in info.capabilities)
