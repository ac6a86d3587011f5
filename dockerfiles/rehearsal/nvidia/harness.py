"""What the stand-in's make targets do: find the system's configuration, serve, and run LoadGen over nothing."""

import http.server
import json
import os
import runpy
import shlex
import sys
import types
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import null_run
import table

WORK = Path("/work")
SAMPLES = {"bert": 10833, "resnet50": 1024, "llama2-70b": 24576, "llama3_1-8b": 13368}
SCORES = {
    "bert": '{"exact_match": 83.67, "f1": 90.88}',
    "resnet50": "accuracy=76.460%, good=38230, total=50000",
    "retinanet": "mAP=37.550%",
    "llama2-70b": "{'rouge1': 44.4312, 'rouge2': 22.0352, 'rougeL': 28.6162, 'rougeLsum': 42.0, 'gen_len': 28124112,"
    " 'gen_num': 24576, 'gen_tok_len': 7236000, 'tokens_per_sample': 294.45}",
    "llama3_1-8b": "{'rouge1': 38.7792, 'rouge2': 15.9075, 'rougeL': 24.4957, 'rougeLsum': 35.793,"
    " 'gen_len': 8167644, 'gen_num': 13368}",
}
RATES = {
    "Offline": ("offline_expected_qps", "target_qps", 1.0),
    "Server": ("server_target_qps", "target_qps", 1.0),
    "SingleStream": ("single_stream_expected_latency_ns", "target_latency", 1e-6),
    "MultiStream": ("multi_stream_expected_latency_ns", "target_latency", 1e-6),
}
VARIANTS = {"bert", "dlrm-v2", "gptj", "llama2-70b", "llama2-70b-interactive", "3d-unet"}
ENDPOINT = "http://127.0.0.1:30000/v1/models"


@dataclass(frozen=True)
class Workload:
    """One benchmark and scenario on the system that was found."""

    system: str
    benchmark: str
    scenario: str
    submission: str

    @property
    def engines(self) -> Path:
        """Where its engines lie."""
        return WORK / "build/engines" / self.system / self.benchmark / self.scenario


def flags(run_args: str) -> "dict[str, str]":
    """RUN_ARGS as NVIDIA's parser would see them; a flag that it has not is refused (it would be ignored silently)."""
    found = {}
    for word in shlex.split(run_args):
        name, _, value = word.partition("=")
        if not name.startswith("--"):
            table.refuse(f"'{word}' in RUN_ARGS is no flag")
        found[table.require("flag", name[2:])] = value
    return found


def workload(given: "dict[str, str]") -> "Workload | None":
    """The workload, or None where the system is unknown to the code of up to v5.0."""
    benchmark = table.require("benchmark", given.get("benchmarks", ""))
    scenario = table.require("scenario", given.get("scenarios", ""))
    high = given.get("config_ver") == "high_accuracy" or given.get("accuracy_target") == "0.999"
    variant = f"{benchmark}-{'99.9' if high else '99'}" if benchmark in VARIANTS else benchmark
    system = newer(benchmark, scenario) if table.ROUND == "v5.1" else older(benchmark, scenario)
    return None if system is None else Workload(system, benchmark, scenario, variant)


def older(benchmark: str, scenario: str) -> "str | None":
    """Up to v5.0: registered in custom_list.json, configured by a class in custom.py."""
    listed = WORK / "code/common/systems/custom_list.json"
    if not listed.exists():
        return None
    system = list(json.loads(listed.read_text()))[-1]
    path = WORK / "configs" / benchmark / scenario / "custom.py"
    if not path.is_file():
        table.refuse(f"no configuration {path} for the registered system {system}")
    if system not in registered(path, scenario, system):
        table.refuse(f"{path} registers no configuration for {system}")
    return system


def registered(path: Path, scenario: str, system: str) -> "list[str]":
    """The systems that a custom.py registers, run against stand-ins of the names it imports."""
    found: "list[str]" = []

    class ConfigRegistry:
        @staticmethod
        def register(*workload: str) -> "object":
            if len(workload) != 3:
                table.refuse("ConfigRegistry.register takes harness type, accuracy target, power setting")

            def keep(config: type) -> type:
                found.append(config.system)  # type: ignore[attr-defined]
                return config

            return keep

    shipped = types.ModuleType("stand_in_configs")
    shipped.__path__ = []
    shipped.ConfigRegistry = ConfigRegistry  # type: ignore[attr-defined]
    shipped.KnownSystem = types.SimpleNamespace(**{system: system})  # type: ignore[attr-defined]
    shipped.HarnessType = types.SimpleNamespace(Custom="custom", LWIS="lwis")  # type: ignore[attr-defined]
    shipped.AccuracyTarget = types.SimpleNamespace(k_99=0.99, k_99_9=0.999)  # type: ignore[attr-defined]
    shipped.PowerSetting = types.SimpleNamespace(MaxP="MaxP")  # type: ignore[attr-defined]
    setattr(shipped, f"{scenario}GPUBaseConfig", type(f"{scenario}GPUBaseConfig", (), {}))
    sys.modules["stand_in_configs"] = shipped
    names = {"__name__": "stand_in_configs.custom", "__package__": "stand_in_configs"}
    exec(compile(path.read_text(), str(path), "exec"), names)  # noqa: S102 - the file of this very run
    return found


def newer(benchmark: str, scenario: str) -> str:
    """v5.1: configs/SYSTEM/SCENARIO/BENCHMARK.py with EXPORTS, and a system description."""
    system = os.environ.get("SYSTEM_NAME") or "UNREGISTERED_x86_64_stand_inx1"
    path = WORK / "configs" / system / scenario / f"{benchmark}.py"
    if not path.is_file():
        table.refuse(f"Config file {path} not found; configs/minimal is not published")
    if not (WORK / "systems" / f"{system}_TRT.json").is_file():
        table.refuse(f"no system description systems/{system}_TRT.json")
    models = types.ModuleType("code.fields.models")
    models.precision = "precision"  # type: ignore[attr-defined]
    sys.modules.update({"code": types.ModuleType("code"), "code.fields": types.ModuleType("code.fields")})
    sys.modules["code.fields"].models = models  # type: ignore[attr-defined]
    sys.modules["code"].fields = sys.modules["code.fields"]  # type: ignore[attr-defined]
    sys.modules["code.fields.models"] = models
    exports = runpy.run_path(str(path)).get("EXPORTS")
    if not exports:
        table.refuse(f"{path} exports nothing")
    return system


def serve(given: "dict[str, str]") -> None:
    """An endpoint that lists one model, in the foreground."""
    if "server_in_foreground" not in given:
        table.refuse("without --server_in_foreground the servers would end with their container")

    class Models(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/v1/models" else 404)
            self.end_headers()
            self.wfile.write(b'{"object": "list", "data": [{"id": "stand-in"}]}')

        def log_message(self, *_: object) -> None:
            pass

    http.server.HTTPServer(("0.0.0.0", 30000), Models).serve_forever()  # noqa: S104 - inside the container


def measure(work: Workload, given: "dict[str, str]", logs: Path) -> None:
    """A LoadGen run, its logs in LOGS/SYSTEM_TRT/BENCHMARK/SCENARIO, and accuracy.txt as NVIDIA's harness leaves it."""
    if given.get("core_type") == "trtllm_endpoint":
        urllib.request.urlopen(ENDPOINT, timeout=10).read()
    elif not (work.engines / "stand-in.plan").is_file():
        table.refuse(f"no engines for {work}")
    output = logs / f"{work.system}_TRT" / work.submission / work.scenario
    output.mkdir(parents=True, exist_ok=True)
    accuracy = given.get("test_mode") == "AccuracyOnly"
    user_conf = Path(given["user_conf_path"]) if "user_conf_path" in given else output / "user.conf"
    if "user_conf_path" not in given:
        user_conf.write_text(settings(work, given))
    null_run.run(
        model=work.benchmark,
        scenario="Server" if work.scenario == "Interactive" else work.scenario,
        accuracy=accuracy,
        user_conf=str(user_conf),
        audit_conf="audit.config",
        output=output,
        samples=SAMPLES.get(work.benchmark, 512),
    )
    if accuracy:
        (output / "accuracy.txt").write_text(SCORES.get(work.benchmark, "accuracy=100.000%") + "\n")


def settings(work: Workload, given: "dict[str, str]") -> str:
    """The user.conf that NVIDIA's harness writes from its flags."""
    scenario = "Server" if work.scenario == "Interactive" else work.scenario
    flag, key, factor = RATES[scenario]
    lines = []
    if flag in given:
        lines.append(f"*.{scenario}.{key} = {float(given[flag]) * factor:g}")
    if "server_target_latency_ns" in given:
        lines.append(f"*.{scenario}.target_latency = {float(given['server_target_latency_ns']) * 1e-6:g}")
    durations = {"min_duration": "60000", "min_query_count": "1"} if "test_run" in given else {}
    for name in ("min_duration", "min_query_count"):
        if name in given or name in durations:
            lines.append(f"*.{scenario}.{name} = {given.get(name, durations.get(name))}")
    return "\n".join([*lines, ""])
