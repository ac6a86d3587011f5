"""Systems that NVIDIA's harness does not know: the profile they start from, and the files that are generated."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath

import pytest

from orchestrator.domain.situation import Gpu
from orchestrator.domain.spec import Knobs
from orchestrator.domain.terms import Scenario
from orchestrator.implementations.nvidia_systems import configuration, described, identifier, nearest_profile
from tests.unit.nvidia_cells import host, runs
from tests.unit.offer_cells import GIB, Cell, cell, cells, steps

OFFLINE = Scenario.OFFLINE
BERT = cell("nvidia", "bert-99", "v5.0", OFFLINE)
LLAMA = cell("nvidia", "llama2-70b-99", "v5.1", OFFLINE)


def gpu(name: str, gib: int) -> Gpu:
    return Gpu(name=name, memory_bytes=gib * GIB)


@pytest.mark.parametrize(
    ("gpus", "profile", "exact"),
    [
        ([gpu("NVIDIA H100 80GB HBM3", 80)] * 8, "H100_SXM_80GBx8", True),
        ([gpu("NVIDIA H100 PCIe", 80)], "H100_PCIe_80GBx1", True),
        ([gpu("NVIDIA H100 NVL", 94)] * 2, "H100_NVL_94GBx1", False),
        ([gpu("NVIDIA A100-SXM4-40GB", 40)] * 8, "A100_SXM4_40GBx8", True),
        ([gpu("NVIDIA A100-SXM4-80GB", 80)], "A100_SXM_80GBx1", True),
        ([gpu("NVIDIA L40S", 45)], "L40Sx1", True),
        ([gpu("NVIDIA L4", 23)] * 2, "L4x1", False),
        ([gpu("NVIDIA GeForce RTX 4090", 24)], "L4x1", False),
        ([gpu("NVIDIA RTX 6000 Ada Generation", 48)], "L40x1", False),
        ([gpu("NVIDIA GeForce RTX 3060", 12)], "L4x1", False),
        ([gpu("NVIDIA GH200 480GB", 96)], "GH200_96GB_aarch64x1", True),
    ],
)
def test_the_nearest_profile_is_that_of_the_gpu_then_of_its_memory(gpus: list[Gpu], profile: str, exact: bool) -> None:
    found = nearest_profile(BERT.spec(), BERT.on(host=host(*gpus)))
    assert (found.name, found.exact) == (profile, exact)
    assert found.why


def test_the_plan_says_from_which_profile_the_system_starts_and_why() -> None:
    step = steps(BERT.spec(), BERT.on())["configure"]
    assert step.container.command[-1] == described(BERT.spec(), BERT.on())
    assert step.container.command[-1] == (
        "system 'my_box' starts from L4x1: none is shipped for 1x NVIDIA GeForce RTX 4090; of the shipped ones its "
        "24 GiB come nearest"
    )


def test_the_user_s_choice_of_a_profile_wins() -> None:
    spec = BERT.spec(knobs=Knobs(extra=(("profile", "A100_PCIe_80GBx1"),)))
    assert nearest_profile(spec, BERT.on()).name == "A100_PCIe_80GBx1"
    assert "'A100_PCIe_80GBx1'" in dict(configuration(spec, BERT.on()))[PurePosixPath("configs/bert/Offline/custom.py")]


@pytest.mark.parametrize("system", ["my-box", "8xH100", "größe", "a b.c", "_x", "class"])
def test_up_to_v5_0_the_system_s_name_is_a_python_identifier_that_the_script_takes(system: str) -> None:
    name = identifier(BERT.spec(system=system), BERT.on())
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
    compile(dict(configuration(BERT.spec(system=system), BERT.on())).popitem()[1], "custom.py", "exec")


def test_a_machine_of_nvidia_s_own_keeps_its_name_and_configuration_in_v5_1() -> None:
    on = LLAMA.on(host=host(*[gpu("NVIDIA B200", 180)] * 8))
    assert identifier(LLAMA.spec(), on) == "B200-SXM-180GBx8"
    assert [str(path) for path, _ in configuration(LLAMA.spec(), on)] == ["systems/B200-SXM-180GBx8_TRT.json"]


def test_another_machine_takes_over_a_shipped_configuration_without_fp4() -> None:
    on = LLAMA.on(host=host(*[gpu("NVIDIA H100 80GB HBM3", 80)] * 8))
    files = {str(path): text for path, text in configuration(LLAMA.spec(), on)}
    assert set(files) == {"systems/my-box_TRT.json", "configs/my-box/Offline/llama2-70b.py"}
    text = files["configs/my-box/Offline/llama2-70b.py"]
    assert "'B200-SXM-180GBx8' / 'Offline' / 'llama2-70b.py'" in text
    assert '"fp8"  # this GPU has no FP4' in text
    blackwell = LLAMA.on(host=host(*[gpu("NVIDIA B200", 180)] * 4))
    assert (
        "fp8" not in dict(configuration(LLAMA.spec(), blackwell))[PurePosixPath("configs/my-box/Offline/llama2-70b.py")]
    )


def test_the_taken_over_configuration_exports_what_the_shipped_one_has(tmp_path: Path) -> None:
    on = LLAMA.on(host=host(gpu("NVIDIA H100 80GB HBM3", 80)))
    (tmp_path / "code/fields").mkdir(parents=True)
    for package in ("code", "code/fields"):
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "code/fields/models.py").write_text("precision = 'precision'\n")
    shipped = tmp_path / "configs/B200-SXM-180GBx8/Offline/llama2-70b.py"
    shipped.parent.mkdir(parents=True)
    shipped.write_text("EXPORTS = {'high': {'precision': 'fp4', 'other': 1}, 'low': {'precision': 'fp16'}}\n")
    for path, text in configuration(LLAMA.spec(), on):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    from orchestrator.host.process import run

    program = (
        "import sys, runpy; sys.path.insert(0, '.'); sys.modules.pop('code', None);"
        "print(runpy.run_path('configs/my-box/Offline/llama2-70b.py')['EXPORTS'])"
    )
    import sys

    done = run([sys.executable, "-c", program], cwd=tmp_path)
    assert done.stdout.strip() == ("{'high': {'precision': 'fp8', 'other': 1}, 'low': {'precision': 'fp16'}}"), (
        done.stderr
    )


def test_the_system_description_has_the_fields_of_a_submission() -> None:
    text = dict(configuration(LLAMA.spec(), LLAMA.on()))[PurePosixPath("systems/my-box_TRT.json")]
    fields = json.loads(text)
    assert len(fields) == 49
    assert fields["accelerator_model_name"] == "NVIDIA GeForce RTX 4090"
    assert fields["accelerators_per_node"] == 1
    assert fields["submitter"] == "me"


@pytest.mark.parametrize("one", cells("nvidia"), ids=str)
def test_generated_python_compiles_for_every_cell(one: Cell) -> None:
    for spec, on in runs(one):
        for path, text in configuration(spec, on):
            if path.suffix == ".py":
                compile(text, str(path), "exec")
            else:
                json.loads(text)
